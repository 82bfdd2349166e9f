/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Richter and others, IMC 2018: the usual is the least of the last 168 hours. A disruption begins below half
 * of it and ends at eight tenths; after two weeks it is given up. Hours of a disruption do not enter the 168.
 * The floor of forty addresses an hour, below which a block is not judged, is left out.
 */
#include <stdlib.h>

#include "rule.h"
#include "window.h"

static const double begin_share = 0.5, end_share = 0.8;
enum { WEEK_H = 168, GIVE_UP_H = 14 * 24 };

struct richter {
    struct window *week;
    double usual; /* when the disruption began */
    unsigned down_h;
};

static void richter_drop(void *state)
{
    struct richter *richter = state;
    window_free(richter->week);
    free(richter);
}

static void *richter_make(const struct rule *rule, const struct rule_setting *setting)
{
    (void)rule;
    (void)setting;
    struct richter *richter = calloc(1, sizeof *richter);
    if (richter == NULL)
        return NULL;
    richter->week = window_new(WEEK_H);
    if (richter->week != NULL)
        return richter;
    free(richter);
    return NULL;
}

static bool richter_take(void *state, double count)
{
    struct richter *richter = state;
    if (richter->down_h > 0 && (count >= end_share * richter->usual || richter->down_h >= GIVE_UP_H))
        richter->down_h = 0;
    else if (richter->down_h > 0)
        richter->down_h++;
    else if (window_full(richter->week) && count < begin_share * window_least(richter->week)) {
        richter->usual = window_least(richter->week);
        richter->down_h = 1;
    }
    if (richter->down_h == 0)
        window_push(richter->week, count);
    return richter->down_h > 0;
}

const struct rule rule_richter = {"Richter, 168 h", 3600, 0, richter_make, richter_take, richter_drop};
