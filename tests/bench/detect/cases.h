/* SPDX-License-Identifier: BSD-3-Clause */
/* What the bench measures, and the other shapes and seeds on which thresholds may be tuned. */
#pragma once

#include <stdbool.h>

#include "trial.h"

enum { CASES_MAX = 128 };

/* Fills `plans` (room for CASES_MAX) and returns their number. `tune` gives other rates, amplitudes and
 * clusters than those that the table reports; `quick` fewer and shorter streams. */
unsigned cases_list(struct plan *plans, bool tune, bool quick);

/* Where the seeds of a case begin: tuning and measuring never share one. */
uint64_t cases_seed(unsigned number, bool tune);
