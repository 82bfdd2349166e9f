/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each piece of evidence adds a weight, in natural logarithms of odds, to the verdicts it speaks for.
 * `unknown` holds a fixed weight: it wins unless something speaks clearly. The weights are judgement, not
 * measurement: two is "clear", one is "some".
 */
#include "cause.h"

#include <math.h>

static const double unknown_weight = 1.5;

static void add_evidence(struct event *event, enum evidence_kind kind, double value, double usual)
{
    if (event->evidence_count < EVENT_EVIDENCE_MAX)
        event->evidence[event->evidence_count++] = (struct event_evidence){kind, value, usual};
}

static void weigh_whole(const struct cause_facts *facts, struct event *event, double weight[VERDICT__COUNT])
{
    if (facts->surge_ratio > 3) {
        add_evidence(event, EVIDENCE_INBOUND_SURGE, facts->surge_ratio, 1);
        weight[VERDICT_ATTACK] += 1.5 + log(facts->surge_ratio);
    }
    if (facts->inbound_ratio > 0.4) {
        add_evidence(event, EVIDENCE_INBOUND_PERSISTS, facts->inbound_ratio, 1);
        weight[VERDICT_INTERNAL] += 2;
        weight[VERDICT_WITHDRAWAL] -= 2;
    } else if (facts->inbound_ratio >= 0 && facts->inbound_ratio < 0.1) {
        add_evidence(event, EVIDENCE_INBOUND_CEASED, facts->inbound_ratio, 1);
        weight[VERDICT_WITHDRAWAL] += 3;
        weight[VERDICT_INTERNAL] -= 2;
    }
    if (facts->icmp_per_minute > 1) {
        add_evidence(event, EVIDENCE_ICMP_ERRORS, facts->icmp_per_minute, 0);
        weight[VERDICT_WITHDRAWAL] += 1;
    }
    if (facts->paths_up > 0)
        weight[VERDICT_INTERNAL] -= 2; /* that is everything behind every path */
    if (facts->paths_down >= 2 && facts->paths_up == 0) {
        add_evidence(event, EVIDENCE_ALL_PATHS, facts->paths_down, 0);
        weight[VERDICT_INTERNAL] += 1.5;
        weight[VERDICT_UPSTREAM] -= 2;
    }
}

static void weigh_part(const struct cause_facts *facts, struct event *event, double weight[VERDICT__COUNT])
{
    if (facts->kind == SCOPE_SERVICE)
        weight[VERDICT_SERVICE] += 3;
    else if (facts->paths_down == 1 && facts->paths_up > 0)
        weight[VERDICT_UPSTREAM] += 3;
    if (facts->paths_down > 0 && facts->paths_up > 0)
        add_evidence(event, EVIDENCE_ONE_PATH, facts->paths_up, facts->paths_up + facts->paths_down);
    if (facts->others_up > 0)
        add_evidence(event, EVIDENCE_OTHERS_UP, facts->others_up, 0);
    if (facts->inbound_ratio > 0.4)
        add_evidence(event, EVIDENCE_INBOUND_PERSISTS, facts->inbound_ratio, 1);
}

void cause_weigh(const struct cause_facts *facts, struct event *event)
{
    double weight[VERDICT__COUNT] = {0}, sum = 0;
    event->evidence_count = 0;
    weight[VERDICT_UNKNOWN] = unknown_weight;
    if (!facts->control) {
        add_evidence(event, EVIDENCE_NO_CONTROL, 0, 0);
        weight[VERDICT_UNKNOWN] = 100; /* nothing to compare with: nothing else may be said */
    } else if (facts->kind == SCOPE_ALL) {
        weigh_whole(facts, event, weight);
    } else {
        weigh_part(facts, event, weight);
    }
    for (int i = 0; i < VERDICT__COUNT; i++)
        sum += exp(weight[i]);
    for (int i = 0; i < VERDICT__COUNT; i++)
        event->probability[i] = exp(weight[i]) / sum;
}
