/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IODA's rule for its telescope: down while the value is below a quarter (warning) or a tenth (critical) of
 * the median of the last seven days. At its own five minutes, and at an hour for streams too sparse for that.
 * Its production leaves series alone whose median is below twenty, which is not done here: nearly all of the
 * streams measured would be.
 */
#include <stdlib.h>

#include "rule.h"
#include "window.h"

struct ioda {
    double share;
    struct window *week;
};

static void ioda_drop(void *state)
{
    struct ioda *ioda = state;
    window_free(ioda->week);
    free(ioda);
}

static void *ioda_make(const struct rule *rule, const struct rule_setting *setting)
{
    (void)setting;
    struct ioda *ioda = malloc(sizeof *ioda);
    if (ioda == NULL)
        return NULL;
    *ioda = (struct ioda){rule->share, window_new((unsigned)(7 * 86400 / rule->bin_s))};
    if (ioda->week != NULL)
        return ioda;
    free(ioda);
    return NULL;
}

static bool ioda_take(void *state, double count)
{
    struct ioda *ioda = state;
    bool down = window_full(ioda->week) && count < ioda->share * window_median(ioda->week);
    window_push(ioda->week, count);
    return down;
}

const struct rule rule_ioda_warn = {"IODA 25 %, 5 min", 300, 0.25, ioda_make, ioda_take, ioda_drop};
const struct rule rule_ioda_critical = {"IODA 10 %, 5 min", 300, 0.1, ioda_make, ioda_take, ioda_drop};
const struct rule rule_ioda_warn_hour = {"IODA 25 %, 60 min", 3600, 0.25, ioda_make, ioda_take, ioda_drop};
const struct rule rule_ioda_critical_hour = {"IODA 10 %, 60 min", 3600, 0.1, ioda_make, ioda_take, ioda_drop};
