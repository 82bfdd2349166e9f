/* SPDX-License-Identifier: BSD-3-Clause */
/* How every measure of a scope goes: of late, usually, and in all. What the verdict compares. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

/* Plain data: a copy is a mark to compare with later. Rates are a second, and fade in watched time: `fast`
 * remembers a quarter of an hour, `slow` a day of what was ordinary. */
struct trend {
    double seconds, usual_s;             /* watched so far, and of that ordinary */
    double step_s, step_fast, step_slow; /* the length of the last interval, and what it does to a memory */
    double fast_unit,
        slow_unit; /* both memories are kept in units that grow, so that what is zero costs nothing */
    double total[TALLY__COUNT], fast[TALLY__COUNT], slow[TALLY__COUNT];
};

/* Takes an interval; `usual`: it may be learned from as ordinary. */
void trend_step(struct trend *trend, const struct tally *tally, bool usual);

/* A measure's rate of late, and usually. */
double trend_fast(const struct trend *trend, enum tally_measure measure);
double trend_usual(const struct trend *trend, enum tally_measure measure);

/* The one over the other, `least_per_s` added to both so that little over nothing is not much; negative
 * before half an hour was watched. */
double trend_surge(const struct trend *trend, enum tally_measure measure, double least_per_s);

/* The mean of a quantity, of which one measure is the sum and another the number of samples: of late,
 * usually, and from a mark to now. Negative when there was no sample. */
double trend_mean_fast(const struct trend *trend, enum tally_measure sum, enum tally_measure count);
double trend_mean_usual(const struct trend *trend, enum tally_measure sum, enum tally_measure count);
double trend_mean_since(const struct trend *mark, const struct trend *now, enum tally_measure sum,
                        enum tally_measure count);

/* How many samples of late the mean rests on. */
double trend_samples_fast(const struct trend *trend, enum tally_measure count);

/* Events of a measure from a mark to now, and the same a second. */
double trend_since(const struct trend *mark, const struct trend *now, enum tally_measure measure);
double trend_rate_since(const struct trend *mark, const struct trend *now, enum tally_measure measure);
