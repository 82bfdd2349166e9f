/* SPDX-License-Identifier: BSD-3-Clause */
#include "cases.h"

#include <math.h>
#include <stdio.h>

/* The shapes beside plain Poisson. */
struct manner {
    const char *name;
    double cluster, cluster_gap_s, day, weekend, level, level_s;
};

static const struct manner measured[] = {
    {"poisson", 1, 0, 0, 1, 0, 0},
    {"clusters of 3", 3, 4, 0, 1, 0, 0},
    {"daily, weekly", 1, 0, 0.7, 0.7, 0, 0},
    {"daily, clusters", 3, 4, 0.7, 0.7, 0, 0},
    {"daily, clusters, level", 3, 4, 0.7, 0.7, 0.3, 6 * 3600},
};
static const struct manner tuned[] = {
    {"poisson", 1, 0, 0, 1, 0, 0},
    {"clusters of 4", 4, 3, 0, 1, 0, 0},
    {"daily, weekly", 1, 0, 0.6, 0.8, 0, 0},
    {"daily, clusters", 2, 8, 0.6, 0.8, 0, 0},
    {"daily, clusters, level", 2, 8, 0.6, 0.8, 0.4, 4 * 3600},
};
enum { MANNERS = sizeof measured / sizeof measured[0] };

struct list {
    struct plan *plans;
    unsigned count;
    bool tune, quick;
};

static struct plan *add(struct list *list, const char *group, unsigned manner, double rate)
{
    const struct manner *of = list->tune ? &tuned[manner] : &measured[manner];
    struct plan *plan = &list->plans[list->count++];
    if (list->tune)
        rate *= 1.35;
    *plan = (struct plan){
        .group = group,
        .shape = {rate, of->cluster, of->cluster_gap_s, of->day, of->weekend, of->level, of->level_s},
        .step_s = rate < 0.4 ? 60 : 5,
        .train_days = of->day > 0 || of->level > 0 ? 28 : 14,
        .alarms_per_year = 0.5,
        .repeats = list->quick ? 1 : 4};
    snprintf(plan->name, sizeof plan->name, "%s %g/min", of->name, rate);
    return plan;
}

static void add_outages(struct list *list, const char *group, unsigned manner, double rate, double depth)
{
    struct plan *plan = add(list, group, manner, rate);
    plan->depth = depth;
    plan->outages = list->quick ? 32 : 48;
    if (rate > 100) { /* a day of it holds as much as a month elsewhere */
        plan->train_days = plan->shape.day > 0 ? 8 : 1;
        plan->outages = 24;
    }
    if (depth < 1)
        snprintf(plan->name, sizeof plan->name, "depth %g %g/min", depth, plan->shape.per_minute);
}

/* Streams of which no more than five hundred events have been seen when they fall silent. */
static void add_fresh(struct list *list, double rate)
{
    struct plan *plan = add(list, "fresh", 0, rate);
    plan->depth = 1;
    plan->outages = 1;
    plan->repeats = list->quick ? 60 : 240;
    plan->train_days = 0;
    double before_s = 6 * trial_optimum_s(plan) + 4 * 3600; /* of which at least seven tenths come first */
    plan->train_days = fmax(0, (500 / plan->shape.per_minute * 60 - 0.7 * before_s) / 86400);
}

static void add_quiet(struct list *list, const char *group, unsigned manner, double rate, double alarms,
                      bool wide)
{
    struct plan *plan = add(list, group, manner, rate);
    plan->alarms_per_year = alarms;
    plan->wide = wide;
    plan->quiet_days = rate > 5 ? 60 : 180;
    plan->repeats = list->quick ? 1 : 4;
    if (rate > 100) {
        plan->quiet_days = 14;
        plan->repeats = 1;
    }
    if (wide) {
        plan->step_s = 60;
        plan->quiet_days = 365;
        plan->repeats = list->quick ? 1 : 6;
    }
}

unsigned cases_list(struct plan *plans, bool tune, bool quick)
{
    static const double rates[] = {0.05, 0.1, 0.5, 2, 10, 50, 500}, some[] = {0.5, 2, 10},
                        depths[] = {0.9, 0.75, 0.5};
    struct list list = {plans, 0, tune, quick};
    for (int i = 0; i < 7; i++)
        add_outages(&list, "blackout", 0, rates[i], 1);
    for (int i = 1; i < 5; i++)
        add_fresh(&list, rates[i]);
    for (unsigned manner = 1; manner < MANNERS; manner++)
        for (int i = 0; i < 4; i++)
            add_outages(&list, "varying", manner, (const double[]){0.1, 0.5, 2, 10}[i], 1);
    for (int depth = 0; depth < 3; depth++)
        for (int i = 0; i < 3; i++)
            add_outages(&list, "partial", 0, some[i], depths[depth]);
    for (unsigned manner = 0; manner < MANNERS; manner++)
        for (int i = 0; i < 3; i++)
            add_quiet(&list, "quiet, 50 a year", manner, some[i], 50, false);
    for (unsigned manner = 0; manner < MANNERS; manner++)
        add_quiet(&list, "quiet, default", manner, 2, 1, true);
    return list.count;
}

uint64_t cases_seed(unsigned number, bool tune)
{
    return (tune ? 1000000007U : 1U) + 1000U * number;
}
