/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * So many empty minutes in a row. For a Poisson stream of the true mean rate, told to the rule, a run of them
 * begins after any minute that is not empty with probability q^k, q being that of an empty minute: k is the
 * least at which such runs are as rare as false alarms may be.
 */
#include <math.h>
#include <stdlib.h>

#include "rule.h"

struct empty {
    unsigned wanted, seen;
};

static void *empty_make(const struct rule *rule, const struct rule_setting *setting)
{
    struct empty *empty = calloc(1, sizeof *empty);
    if (empty == NULL)
        return NULL;
    double mean = setting->per_minute / 60 * rule->bin_s;
    double starts = -expm1(-mean) * 365.25 * 86400 / rule->bin_s / setting->alarms_per_year;
    empty->wanted = (unsigned)fmax(1, ceil(log(starts) / mean));
    return empty;
}

static bool empty_take(void *state, double count)
{
    struct empty *empty = state;
    empty->seen = count > 0 ? 0 : empty->seen + 1;
    return empty->seen >= empty->wanted;
}

const struct rule rule_empty_bins = {"k empty minutes", 60, 0, empty_make, empty_take, free};
