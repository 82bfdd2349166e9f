/* SPDX-License-Identifier: BSD-3-Clause */
/* The outages of one stream, and what those who know the truth can say of each. */
#pragma once

#include "trial.h"

struct truth {
    unsigned count;
    struct outage outages[OUTAGES_MAX];
    double detectable_s[OUTAGES_MAX]; /* as the study held it at the onset */
    double oracle_s[OUTAGES_MAX];     /* the oracle's delay; infinite: not found */
    double gap_s[OUTAGES_MAX];        /* expected distance of clusters at the onset */
    double days;                      /* length of the stream */
};

/* Draws the outages of a plan. */
void truth_plan(struct truth *truth, const struct plan *plan, uint64_t seed);

/* How often a flapping outage comes back and falls again. */
unsigned truth_flaps(const struct outage *outage);
