/* SPDX-License-Identifier: BSD-3-Clause */
/* The test that every population is put to: how improbable is its present silence, for this hour of the week?
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "baseline.h"
#include "calibrate.h"
#include "level.h"
#include "surge.h"
#include "tally.h"

/* A stream of events and the silence under way in it. Signs of life may come in bursts, and then an event is
 * a burst: every sign ends a silence, but the clock of a silence runs at the rate of events, since the wait
 * for the next burst is as long after one sign as after ten. `expected` is the number of events that should
 * have come since the last sign of life. Plain data. */
struct population {
    struct baseline baseline;
    struct calibrate calibrate;
    struct level level;
    struct surge surge;
    struct baseline_rate hourly;       /* what the hour of the week expects … */
    struct baseline_rate hourly_least; /* … as much of it as may be counted on if the day began a little later
                                          or earlier than usual … */
    double busiest_per_s;              /* … and of any hour of the day … */
    int64_t hourly_until_ns;           /* … in force until here, and … */
    struct baseline_rate rate, prudent; /* … both with the present level; the clock runs at the latter */

    int64_t silent_from_ns; /* start of the silence: the last event, or the begin of watching; TIME_NONE: not
                               watching */
    int64_t last_ns;        /* the last sign of life; TIME_NONE: never one */
    int64_t last_not_before_ns; /* the earliest that it can have been, where the source gives bins only */
    bool unproven;              /* a part of the silence was not watched: it teaches nothing */
    double expected, spread;    /* events missed, and sum of their share over the root of the rate's shape */
    double held_expected,
        held_spread; /* the same since the tap was last heard: counts once it is heard again */

    double broken_score; /* of the silence that was broken in the interval just taken; 0: none was */

    double total, total_expected, total_prudent; /* events since the start, to compare any two instants … */
    double total_signs;                          /* … and signs of life */
    double apart, apart_signs;                   /* of these, what came in surges */
};

/* What one interval brought to a population. */
struct detect_input {
    int64_t start_ns, end_ns;
    double signs;           /* of life … */
    double events;          /* … in so many bursts; as many as signs where bursts are not told */
    struct tally_span span; /* of the signs, where known */
    bool proven;            /* the sensor has shown that it sees: the interval may speak for a silence */
    bool teach;             /* the baseline may learn from it */
    bool ordinary;          /* no outage is open: a silence that ends now is one that normal traffic has */
};

void detect_init(struct population *population, double half_life_s);

/* Takes an interval. Every sign of life ends a silence, is learned from together with it, and starts the
 * next. */
void detect_step(struct population *population, const struct detect_input *input);

/* The natural logarithm of one over the probability of the silence under way, given how well the rate is
 * known: (1 + u/a)^-a for a rate of shape a, the Gamma-Poisson predictive. */
double detect_score(const struct population *population);

/* Forgets the silence under way and waits at `at_ns` for what comes: what lay before was not watched. */
void detect_restart(struct population *population, int64_t at_ns);

/* What was held back since the tap was last heard is confirmed, or does not speak for a silence. */
void detect_confirm(struct population *population, bool watched);

/* From now on this share of what was expected at present is normal at every hour. */
void detect_rescale(struct population *population, double share);

/* As learned so far. */
double detect_signs_per_event(const struct population *population);
double detect_events_per_year(const struct population *population);

/* The score at which this population may raise an alarm. */
double detect_threshold(struct population *population, double alarms_per_year);

/* What may be counted on at an instant, a second; 0 before anything was learned. */
double detect_prudent_at(const struct population *population, int64_t at_ns);

/* Seconds of total silence, starting at `at_ns`, until the score reaches `threshold`; negative when a week is
 * not enough. */
double detect_shortest(const struct population *population, int64_t at_ns, double threshold);

/* After the last event of a rate that fell silent, the change itself follows within this many seconds with
 * probability `share`; clustering and the uncertainty of the rate are allowed for. */
double detect_onset_after_s(const struct population *population, double share);
