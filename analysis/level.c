/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An hour of the week is not the same every week. How much levels wander is measured, by the method of
 * moments, over blocks of an hour or more: the variance of seen over expected, less what chance and
 * clustering account for. It is the strength of a Gamma prior around one for the present level, whose own
 * evidence is what was seen of late. Where levels do not wander the prior is strong and the factor stays at
 * one.
 */
#include "level.h"

#include <math.h>

static const double half_life_s = 2 * 3600;
static const double drift_share =
    0.25; /* of the variance: what the level may have moved since it was measured */
static const double short_events = 10, long_events = 20, long_least_s = 3600;
static const double short_weight = 0.02, long_weight = 0.01; /* of a new block, once there were many */
static const double prior_variance = 0.02, prior_blocks = 4;
static const double blocks_enough = 150; /* a week of hours: before it, levels are taken to wander */
static const double wandering = 0.02;    /* a seventh, as a standard deviation */
static const double variance_least = 1.0 / 2500, variance_most = 0.5;

void level_init(struct level *level)
{
    *level = (struct level){.variance = prior_variance, .dispersion = 1};
}

static void measure_short(struct level *level)
{
    double off = level->short_seen - level->short_expected;
    /* A block far off is an event of its own and says little of ordinary spread. */
    double ratio = fmin(off * off / level->short_expected, 25);
    level->dispersion += short_weight * (ratio - level->dispersion);
    level->short_seen = level->short_expected = 0;
}

static void measure_long(struct level *level)
{
    double off = level->long_seen / level->long_expected - 1;
    double chance = fmax(1, level->dispersion) / level->long_expected;
    level->blocks++;
    double weight = fmax(long_weight, 1 / (level->blocks + prior_blocks));
    level->variance += weight * (fmin(off * off, 1) - chance - level->variance);
    level->chance += weight * (chance - level->chance);
    level->long_seen = level->long_expected = level->long_s = 0;
}

void level_learn(struct level *level, double seen, double expected, double seconds)
{
    double fade = exp2(-seconds / half_life_s);
    level->seen = level->seen * fade + seen;
    level->expected = level->expected * fade + expected;
    level->short_seen += seen;
    level->short_expected += expected;
    if (level->short_expected >= short_events)
        measure_short(level);
    level->long_seen += seen;
    level->long_expected += expected;
    level->long_s += seconds;
    if (level->long_expected >= long_events && level->long_s >= long_least_s)
        measure_long(level);
}

/* The variance as far as it is certain: less its own standard error, that of a mean of so many squares. */
static double certain_variance(const struct level *level)
{
    double error = level->chance * sqrt(fmax(long_weight, 2 / (level->blocks + prior_blocks)));
    return fmin(fmax(level->variance - error, variance_least), variance_most);
}

bool level_wanders(const struct level *level)
{
    return level->blocks < blocks_enough || certain_variance(level) > wandering;
}

struct level_now level_at_present(const struct level *level)
{
    double variance = certain_variance(level), strength = 1 / variance;
    /* Clustered events carry less evidence each. */
    double weight = 1 / fmax(1, level->dispersion);
    double seen = strength + weight * level->seen, expected = strength + weight * level->expected;
    return (struct level_now){.factor = seen / expected, .shape = 1 / (1 / seen + drift_share * variance)};
}
