/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables and the JSON file. */
#pragma once

#include <jansson.h>

#include "trial.h"

struct report {
    const struct plan *plans;
    const struct outcome (*outcomes)[CONTENDERS];
    unsigned count;
    bool tune, quick;
    bool same_twice; /* a case run again gave the same events and bins */
};

/* Prints a line for each case and one for each requirement; writes the same to `path`. Returns 0, or -1 when
 * the file cannot be written. */
int report_write(const struct report *report, const char *path);

/* ---- its parts; each prints, and returns the same as JSON ---- */

/* The heading of a group of cases, and one case of it. */
void table_heading(const struct plan *plan);
json_t *table_case(const struct plan *plan, const struct outcome *outcomes);

/* The study and the rules of the field on the streams of one case. */
void field_heading(void);
json_t *field_table(const struct plan *plan, const struct outcome *outcomes);

/* What is found of outages around the optimum's delay. */
json_t *recall_table(const struct plan *plan, const struct outcome *outcome);

/* What was to be reached, and whether it was. */
json_t *requirements(const struct report *report);

/* A share in percent; not a number where there is nothing to divide by. */
double report_percent(unsigned part, unsigned whole);

/* JSON knows no infinity: what never came is null. */
json_t *report_number(double value);

/* Seconds as a person reads them, in at most six characters. Overwritten after four more calls. */
const char *report_seconds(double seconds);
