/* SPDX-License-Identifier: BSD-3-Clause */
#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
    {"daily, cl., level", 3, 4, 0.7, 0.7, 0.3, 6 * 3600},
};
static const struct manner tuned[] = {
    {"poisson", 1, 0, 0, 1, 0, 0},
    {"clusters of 4", 4, 3, 0, 1, 0, 0},
    {"daily, weekly", 1, 0, 0.6, 0.8, 0, 0},
    {"daily, clusters", 2, 8, 0.6, 0.8, 0, 0},
    {"daily, cl., level", 2, 8, 0.6, 0.8, 0.4, 4 * 3600},
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
    *plan = (struct plan){.group = group,
                          .shape = {.per_minute = rate,
                                    .cluster = of->cluster,
                                    .cluster_gap_s = of->cluster_gap_s,
                                    .day = of->day,
                                    .weekend = of->weekend,
                                    .level = of->level,
                                    .level_s = of->level_s},
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

/* Clusters that the capture tells apart, as it does the bursts of a client. */
static void add_told_apart(struct list *list, double rate)
{
    add_outages(list, "varying", 3, rate, 1);
    struct plan *plan = &list->plans[list->count - 1];
    plan->told_apart = true;
    snprintf(plan->name, sizeof plan->name, "daily, bursts %g/min", plan->shape.per_minute);
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

/* The rules of the field beside the study: every outage after more than a week of quiet, as long as most of
 * their baselines reach back. */
static void add_field(struct list *list, unsigned manner, double rate, double depth)
{
    struct plan *plan = add(list, "field", manner, rate);
    plan->pattern = PATTERN_CLOCK;
    plan->depth = depth;
    plan->outages = list->quick ? 12 : 48;
    plan->repeats = list->quick ? 1 : 3;
    plan->train_days = 21;
    plan->field = true;
    size_t length = strlen(plan->name);
    snprintf(plan->name + length, sizeof plan->name - length, ", depth %g", depth);
}

static void add_recall(struct list *list, unsigned manner, double rate)
{
    struct plan *plan = add(list, "recall", manner, rate);
    plan->pattern = PATTERN_SHORT;
    plan->depth = 1;
    plan->outages = 48;
    plan->repeats = list->quick ? 2 : 10;
}

/* Outages that are found, and come back in ways of their own. */
static void add_return(struct list *list, enum pattern pattern, unsigned manner, double rate)
{
    struct plan *plan = add(list, pattern == PATTERN_FLAPPING ? "flapping" : "trickle", manner, rate);
    plan->pattern = pattern;
    plan->depth = 1;
    plan->outages = list->quick ? 16 : 32;
}

/* Four weeks as ever, five weeks otherwise, then outages. */
static void add_change(struct list *list, unsigned manner, double rate, double factor)
{
    struct plan *plan = add(list, "change of level", manner, rate);
    plan->shape.change_day = 28;
    plan->shape.change_rate = factor;
    plan->depth = 1;
    plan->train_days = 63;
    plan->outages = 8;
    plan->repeats = list->quick ? 2 : 6;
    size_t length = strlen(plan->name);
    snprintf(plan->name + length, sizeof plan->name - length, ", times %g", factor);
}

static void add_shift(struct list *list, bool office, double rate)
{
    struct plan *plan = add(list, "shifted day", 2, rate);
    plan->shape.office = office;
    plan->shape.change_day = 28;
    plan->shape.change_rate = 1;
    plan->shape.change_shift_s = (list->tune ? -1 : 1) * 1800;
    plan->quiet_days = 56;
    plan->repeats = list->quick ? 2 : 8;
    snprintf(plan->name, sizeof plan->name, "%s %g/min", office ? "office hours" : "wave of a day",
             plan->shape.per_minute);
}

static void add_resumed(struct list *list, unsigned manner, double rate)
{
    struct plan *plan = add(list, "resumed", manner, rate);
    plan->depth = 0.9;
    plan->outages = 16;
    plan->repeats = list->quick ? 1 : 2;
    plan->train_days = 7;
    plan->wide = plan->resumed = true;
    plan->step_s = 5;
}

static void add_stories(struct list *list)
{
    static const double rates[] = {0.5, 2, 10};
    for (int i = 0; i < 3; i++)
        add_return(list, PATTERN_FLAPPING, i == 1 ? 3 : 0, rates[i]);
    for (int i = 0; i < 3; i++)
        add_return(list, PATTERN_TRICKLE, i == 1 ? 3 : 0, rates[i]);
    for (unsigned manner = 0; manner < 4; manner += 3) {
        add_change(list, manner, 2, 0.4);
        add_change(list, manner, 2, 2.5);
    }
    for (int i = 1; i < 3; i++)
        for (int office = 0; office < 2; office++)
            add_shift(list, office, rates[i]);
    add_resumed(list, 0, 2);
    add_resumed(list, 3, 10);
}

static void add_comparison(struct list *list)
{
    static const double rates[] = {0.1, 2, 10};
    add_recall(list, 0, 2);
    add_recall(list, 3, 2);
    for (unsigned manner = 0; manner < 4; manner += 3) {
        for (int i = 0; i < 3; i++)
            add_field(list, manner, rates[i], 1);
        add_field(list, manner, 2, 0.75);
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
    for (int i = 0; i < 4; i++)
        add_told_apart(&list, (const double[]){0.1, 0.5, 2, 10}[i]);
    for (int depth = 0; depth < 3; depth++)
        for (int i = 0; i < 3; i++)
            add_outages(&list, "partial", 0, some[i], depths[depth]);
    for (unsigned manner = 0; manner < MANNERS; manner++)
        for (int i = 0; i < 3; i++)
            add_quiet(&list, "quiet, 50 a year", manner, some[i], 50, false);
    for (unsigned manner = 0; manner < MANNERS; manner++)
        add_quiet(&list, "quiet, default", manner, 2, 1, true);
    add_stories(&list);
    add_comparison(&list);
    return list.count;
}

uint64_t cases_seed(unsigned number, bool tune)
{
    return (tune ? 1000000007U : 1U) + 1000U * number;
}
