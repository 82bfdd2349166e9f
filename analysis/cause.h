/* SPDX-License-Identifier: BSD-3-Clause */
/* Why it went dark: hypotheses weighed by named pieces of evidence, and `unknown` where they do not tell. */
#pragma once

#include <stdbool.h>

#include "event.h"

/* What is known of an outage's circumstances. Ratios are of what was seen to what was usual. */
struct cause_facts {
    enum scope_kind kind;
    bool control;                  /* the tap carries other traffic */
    double inbound_ratio;          /* flow starts since the onset; negative: too few expected to tell */
    double surge_ratio;            /* packets towards the scope just before the onset; negative: unknown */
    double icmp_per_minute;        /* ICMP errors about the scope since the onset */
    unsigned paths_down, paths_up; /* of those configured */
    unsigned others_up;            /* scopes of the same kind that carry on */
};

/* Fills the event's probabilities and evidence. */
void cause_weigh(const struct cause_facts *facts, struct event *event);
