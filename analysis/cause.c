/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each circumstance, as far as it is pronounced, adds a weight to the verdicts that it speaks for and takes
 * one from those that it speaks against: the natural logarithm of how much likelier it is under them than
 * otherwise. `unknown` holds a fixed weight and wins unless something speaks clearly. The weights follow from
 * how outages of each kind have been seen to go: a failure at home leaves the outside knocking at every path
 * at once; a withdrawal stops the knocking too, and far routers say so; an attack shows before the fall, as a
 * surge, as loss and delay, and as single services that go first; a lost upstream leaves the other. The
 * circumstances are not independent of each other, so the weights are smaller than each alone would have.
 */
#include "cause.h"

#include <math.h>

static const double unknown_weight = 1.5;
static const double no_control_weight = 100;
static const double tellable = 0.1; /* how pronounced a circumstance must be to be named */

/* A circumstance is nothing at `from` and fully pronounced at `full`, linearly or by its logarithm between.
 */
struct row {
    enum evidence_kind kind;
    double from, full;
    bool by_log;
    double internal, upstream, withdrawal, attack;
};

static const struct row of_whole[] = {
    {EVIDENCE_INBOUND_PERSISTS, 0.25, 0.6, false, 2, 0, -3, 0},
    {EVIDENCE_INBOUND_CEASED, 0.2, 0.05, false, -2, 0, 3, -1},
    {EVIDENCE_KNOCKS_ANSWERED, 0.5, 0.8, false, -2, 0, 3, -1},
    {EVIDENCE_INBOUND_SURGE, 2, 8, true, -3.5, 0, 0, 4.5},
    {EVIDENCE_REFLECTION, 1, 10, true, -1, 0, 0, 3},
    {EVIDENCE_LOSS_RISING, 2, 6, true, -0.5, 0, 0, 1.2},
    {EVIDENCE_DELAY_RISING, 1.3, 2, true, 0, 0, 0, 1},
    {EVIDENCE_SERVICES_FIRST, 0, 3, false, -1, 0, 0, 2},
    {EVIDENCE_RAMP, 0.75, 0.4, false, -0.5, 0, 0, 1.5},
    {EVIDENCE_CLEAN_STEP, 0.7, 0.9, false, 0.5, 0, 0, -1.5},
    {EVIDENCE_ALL_PATHS, 1, 2, false, 1.5, -2, 0, 0},
    {EVIDENCE_ONLY_PATH, 0, 1, false, -2.5, 0, 0, 0},
    {EVIDENCE_ONE_PATH, 0, 1, false, -3, 1, 0, 0},
    {EVIDENCE_ROUTE_CHANGED, 20, 50, false, -1, 2.5, 0, 0},
    {EVIDENCE_ICMP_NO_ROUTE, 0.3, 3, true, -3, 0, 6, 2.5},
    {EVIDENCE_ROUTERS_UNHEARD, 0, 1, false, -4, 0, 0, 0},
    {EVIDENCE_INBOUND_UNSEEN, 0, 1, false, -2, 0, 0, 0},
    {EVIDENCE_ICMP_NO_HOST, 0.3, 3, true, 0.3, 0, 0, 0},
    {EVIDENCE_ICMP_PROHIBITED, 0.3, 3, true, 0.3, 0, 0, 0},
    {EVIDENCE_ICMP_EXCEEDED, 0.3, 3, true, 0, 0, 1, 0},
};

static const struct row of_part[] = {
    {EVIDENCE_ONE_PATH, 0, 1, false, 0, 3, 0, 0},
    {EVIDENCE_ROUTE_CHANGED, 20, 50, false, 0, 2, 0, 0},
    {EVIDENCE_INBOUND_SURGE, 2, 8, true, 0, -1, 0, 3},
    {EVIDENCE_INBOUND_PERSISTS, 0.25, 0.6, false, 0.3, 0, -1, 0},
    {EVIDENCE_INBOUND_CEASED, 0.2, 0.05, false, 0, 0, 1.5, 0},
    {EVIDENCE_ICMP_NO_ROUTE, 0.3, 3, true, 0, -1, 4, 0},
    {EVIDENCE_REFLECTION, 1, 10, true, 0, -1, 0, 3},
    {EVIDENCE_LOSS_RISING, 2, 6, true, 0, -1, 0, 2},
    {EVIDENCE_DELAY_RISING, 1.3, 2, true, 0, 0, 0, 1.5},
    {EVIDENCE_SERVICES_FIRST, 0, 3, false, 0, -0.5, 0, 1.5},
    {EVIDENCE_ICMP_NO_HOST, 0.3, 3, true, 0, 0.3, 0, 0},
    {EVIDENCE_OTHERS_UP, 0, 1, false, -0.5, 0.2, 0, 0},
};

static double strength(const struct row *row, double value)
{
    double from = row->from, full = row->full;
    if (row->by_log) {
        if (!(value > 0))
            return 0;
        value = log(value);
        from = log(from);
        full = log(full);
    }
    return fmin(fmax((value - from) / (full - from), 0), 1);
}

/* Puts a piece of evidence in its place: the weightiest first. */
static void name(struct event *event, const struct event_evidence *evidence)
{
    uint32_t place =
        event->evidence_count < EVENT_EVIDENCE_MAX ? event->evidence_count++ : EVENT_EVIDENCE_MAX - 1;
    for (; place > 0 && fabs(event->evidence[place - 1].weight) < fabs(evidence->weight); place--)
        event->evidence[place] = event->evidence[place - 1];
    event->evidence[place] = *evidence;
}

static void weigh_row(const struct row *row, const struct cause_facts *facts, struct event *event,
                      double weight[VERDICT__COUNT])
{
    const struct cause_reading *reading = &facts->reading[row->kind];
    double how = reading->known ? strength(row, reading->value) : 0;
    if (how < tellable)
        return;
    const double adds[VERDICT__COUNT] = {[VERDICT_INTERNAL] = how * row->internal,
                                         [VERDICT_UPSTREAM] = how * row->upstream,
                                         [VERDICT_WITHDRAWAL] = how * row->withdrawal,
                                         [VERDICT_ATTACK] = how * row->attack};
    struct event_evidence evidence = {.kind = row->kind, .value = reading->value, .usual = reading->usual};
    for (int i = 0; i < VERDICT__COUNT; i++) {
        weight[i] += adds[i];
        /* Of a circumstance that speaks for one and against another, the one that it is for is named. */
        if (fabs(adds[i]) + (adds[i] > 0 ? 0.5 : 0) >
            fabs(evidence.weight) + (evidence.weight > 0 ? 0.5 : 0)) {
            evidence.about = (enum verdict)i;
            evidence.weight = adds[i];
        }
    }
    name(event, &evidence);
}

/* A service that is silent while the rest is up is that service's own affair. */
static void weigh_service(const struct cause_facts *facts, struct event *event, double weight[VERDICT__COUNT])
{
    static const enum evidence_kind kinds[] = {EVIDENCE_OTHERS_UP, EVIDENCE_NAME_SERVERS};
    weight[VERDICT_SERVICE] += 3;
    for (int i = 0; i < 2; i++) {
        const struct cause_reading *reading = &facts->reading[kinds[i]];
        if (reading->known && reading->value > 0)
            name(event,
                 &(struct event_evidence){kinds[i], reading->value, reading->usual, VERDICT_SERVICE, 3});
    }
}

void cause_weigh(const struct cause_facts *facts, struct event *event)
{
    double weight[VERDICT__COUNT] = {0}, sum = 0;
    bool whole = facts->kind == SCOPE_ALL;
    const struct row *rows = whole ? of_whole : of_part;
    size_t count = whole ? sizeof of_whole / sizeof *of_whole : sizeof of_part / sizeof *of_part;
    event->evidence_count = 0;
    weight[VERDICT_UNKNOWN] = unknown_weight;
    for (int i = 0; i < VERDICT__COUNT && facts->judged; i++)
        weight[i] = unknown_weight + facts->prior[i];
    if (!facts->control) { /* nothing to compare with: nothing else may be said */
        weight[VERDICT_UNKNOWN] = no_control_weight;
        name(event, &(struct event_evidence){EVIDENCE_NO_CONTROL, 0, -1, VERDICT_UNKNOWN, no_control_weight});
    } else if (facts->kind == SCOPE_SERVICE) {
        weigh_service(facts, event, weight);
    } else {
        for (size_t i = 0; i < count; i++)
            weigh_row(&rows[i], facts, event, weight);
    }
    for (int i = 0; i < VERDICT__COUNT; i++)
        sum += exp(weight[i]);
    for (int i = 0; i < VERDICT__COUNT; i++)
        event->probability[i] = exp(weight[i]) / sum;
}

enum verdict cause_likeliest(const struct event *event)
{
    enum verdict best = VERDICT_UNKNOWN;
    for (int i = 0; i < VERDICT__COUNT; i++)
        if (event->probability[i] > event->probability[best])
            best = (enum verdict)i;
    return best;
}

uint32_t cause_evidence(const struct event *event)
{
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < event->evidence_count; i++)
        kinds |= 1U << event->evidence[i].kind;
    return kinds;
}
