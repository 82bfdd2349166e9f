/* SPDX-License-Identifier: BSD-3-Clause */
/* What really happened in a scenario, as JSON, for whoever judges a detector by it. */
#pragma once

#include "script.h"
#include "world.h"

/* Writes the file anew ("-" is standard output). `counts` may be NULL. Returns 0, or -1 with the fault. */
int truth_write(const struct script *script, const char *path, const struct world_counts *counts,
                struct fault *fault);

enum { TRUTH_INSTANT_BYTES = 40, TRUTH_RANGE_BYTES = 40 };

/* ISO 8601, UTC, with microseconds. */
void truth_instant(char text[TRUTH_INSTANT_BYTES], int64_t t_ns);
/* "175.45.176.0/24", or "A-B" where the range is no prefix. */
void truth_range(char text[TRUTH_RANGE_BYTES], const struct range *range);
