/* SPDX-License-Identifier: BSD-3-Clause */
/* The table and the JSON file. */
#pragma once

#include "trial.h"

struct report {
    const struct plan *plans;
    const struct outcome *outcomes;
    unsigned count;
    bool tune, quick;
    bool same_twice; /* a case run again gave the same events and bins */
};

/* Prints a line for each case and one for each requirement; writes the same to `path`. Returns 0, or -1 when
 * the file cannot be written. */
int report_write(const struct report *report, const char *path);
