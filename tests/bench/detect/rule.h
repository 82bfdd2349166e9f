/* SPDX-License-Identifier: BSD-3-Clause */
/* A rule of the field: counts in bins of its own length in, and whether it holds the stream down. */
#pragma once

#include <stdbool.h>

/* What whoever sets such a rule up knows of the stream. */
struct rule_setting {
    double per_minute;      /* its true mean rate */
    double alarms_per_year; /* so many false alarms are allowed */
};

struct rule {
    const char *name;
    double bin_s;
    double share; /* of what is usual, where the rule has such a parameter */
    void *(*make)(const struct rule *rule, const struct rule_setting *setting); /* NULL: no memory */
    bool (*take)(void *state, double count); /* at the end of every bin, empty or not */
    void (*drop)(void *state);
};

extern const struct rule rule_ioda_warn, rule_ioda_critical, rule_ioda_warn_hour, rule_ioda_critical_hour;
extern const struct rule rule_richter, rule_chocolatine;
extern const struct rule rule_ndpi_double, rule_ndpi_seasonal;
extern const struct rule rule_empty_bins;
