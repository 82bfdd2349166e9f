/* SPDX-License-Identifier: BSD-3-Clause */
/* Why it went dark: hypotheses weighed by named pieces of evidence, and `unknown` where they do not tell. */
#pragma once

#include <stdbool.h>

#include "event.h"

/* One circumstance: what was seen, and what is usual (negative where that means nothing). */
struct cause_reading {
    bool known;
    double value, usual;
};

/* The circumstances of an outage, one for each kind of evidence that they might be. Plain data. */
struct cause_facts {
    enum scope_kind kind;
    bool control; /* the tap carries other traffic */
    struct cause_reading reading[EVIDENCE__COUNT];
    bool judged;                  /* others have weighed it: … */
    double prior[VERDICT__COUNT]; /* … the logarithm of each verdict's odds against unknown */
};

static inline void cause_read(struct cause_facts *facts, enum evidence_kind kind, double value, double usual)
{
    facts->reading[kind] = (struct cause_reading){true, value, usual};
}

/* Fills the event's probabilities, and its evidence: what says something, the weightiest first. */
void cause_weigh(const struct cause_facts *facts, struct event *event);

/* Of an event that was weighed: its verdict, `unknown` where that is as likely as any … */
enum verdict cause_likeliest(const struct event *event);

/* … and its kinds of evidence, a bit each. */
uint32_t cause_evidence(const struct event *event);
