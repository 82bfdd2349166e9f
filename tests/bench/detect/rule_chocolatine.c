/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After Chocolatine (Guillot and others, TMA 2019): a forecast from the value of the same five minutes a week
 * ago, and an interval of 3 * 1.4826 times the median absolute deviation of the last week's residuals; down
 * below it. What is forecast takes the place of what is anomalous, for a week at most. Without any
 * deviation there is no interval and nothing is said. The ARMA terms are left out: residuals of the streams
 * measured do not depend on each other.
 */
#include <stdlib.h>

#include "rule.h"
#include "window.h"

enum { WEEK = 2016 };

struct chocolatine {
    struct window *values, *residuals;
    unsigned replaced; /* in a row */
};

static void chocolatine_drop(void *state)
{
    struct chocolatine *chocolatine = state;
    window_free(chocolatine->values);
    window_free(chocolatine->residuals);
    free(chocolatine);
}

static void *chocolatine_make(const struct rule *rule, const struct rule_setting *setting)
{
    (void)rule;
    (void)setting;
    struct chocolatine *chocolatine = calloc(1, sizeof *chocolatine);
    if (chocolatine == NULL)
        return NULL;
    chocolatine->values = window_new(WEEK);
    chocolatine->residuals = window_new(WEEK);
    if (chocolatine->values != NULL && chocolatine->residuals != NULL)
        return chocolatine;
    chocolatine_drop(chocolatine);
    return NULL;
}

static bool chocolatine_take(void *state, double count)
{
    struct chocolatine *chocolatine = state;
    bool down = false;
    if (window_full(chocolatine->values)) {
        double forecast = window_oldest(chocolatine->values);
        double deviation = window_full(chocolatine->residuals) ? window_deviation(chocolatine->residuals) : 0;
        window_push(chocolatine->residuals, count - forecast);
        down = deviation > 0 && count < forecast - 3 * 1.4826 * deviation;
        chocolatine->replaced = down ? chocolatine->replaced + 1 : 0;
        if (down && chocolatine->replaced <= WEEK)
            count = forecast;
    }
    window_push(chocolatine->values, count);
    return down;
}

const struct rule rule_chocolatine = {"Chocolatine-like", 300, 0, chocolatine_make, chocolatine_take,
                                      chocolatine_drop};
