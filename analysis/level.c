/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An hour of the week is not the same every week. The level is taken to wander about one as a first-order
 * autoregression. How far and how fast is measured, by the method of moments, over blocks of an hour or more:
 * what successive blocks have in common is the level's, for chance and clustering are new in each; how much
 * of that is left between every other one says how fast it forgets. The present level then follows by a
 * Kalman filter, of a Gamma distribution: its evidence fades as the level moves, and what was seen of late
 * adds to it. Where levels do not wander the factor stays at one.
 */
#include "level.h"

#include <math.h>

static const double short_events = 10, long_events = 20, long_least_s = 3600;
static const double short_weight = 0.02, long_weight = 0.01; /* of a new block, once there were many */
static const double prior_dispersion = 1.5, prior_shorts = 4;
static const double prior_variance = 0.02, prior_blocks = 4, prior_memory_s = 4 * 3600;
static const double charged = 0.25;      /* of the doubt of the level, see level_at_present */
static const double blocks_enough = 150; /* a week of hours: before it, levels are taken to wander */
static const double wandering = 0.02;    /* a seventh, as a standard deviation */
static const double variance_least = 1.0 / 2500, variance_most = 0.5;
static const double left_least = 0.2, left_most = 0.98; /* of a level, from one block to the next */

void level_init(struct level *level)
{
    *level = (struct level){.dispersion = prior_dispersion,
                            .variance = prior_variance,
                            .fade_per_s = 1 / prior_memory_s,
                            .factor = 1,
                            .doubt = prior_variance};
}

static void measure_short(struct level *level)
{
    double off = level->short_seen - level->short_expected;
    /* A block far off is an event of its own and says little of ordinary spread. */
    double ratio = fmin(off * off / level->short_expected, 25);
    level->shorts++;
    level->dispersion += fmax(short_weight, 1 / (level->shorts + prior_shorts)) * (ratio - level->dispersion);
    level->short_seen = level->short_expected = 0;
}

/* The variance as far as it is certain: less twice the standard error of a mean of so many products. */
static void settle(struct level *level)
{
    double error = 2 * level->chance * sqrt(fmax(long_weight / 2, 1 / level->blocks));
    double certain = fmax(level->near - error, 0);
    double prior_left = exp(-level->block_s / prior_memory_s);
    double left = (fmax(level->far, 0) + error * prior_left) / (fmax(level->near, 0) + error);
    left = fmin(fmax(left, left_least), left_most);
    level->fade_per_s = -log(left) / level->block_s;
    level->wander = fmin(certain, variance_most);
    level->variance =
        fmax(level->wander, variance_least) + prior_variance * prior_blocks / (level->blocks + prior_blocks);
}

static void measure_long(struct level *level)
{
    double off = fmin(level->long_seen / level->long_expected - 1, 1);
    double chance = fmax(1, level->dispersion) / level->long_expected;
    level->blocks++;
    double weight = fmax(long_weight, 1 / level->blocks);
    level->near += weight * (off * level->off[0] - level->near);
    level->far += weight * (off * level->off[1] - level->far);
    level->chance += weight * (chance - level->chance);
    level->block_s += weight * (level->long_s - level->block_s);
    level->off[1] = level->off[0];
    level->off[0] = off;
    level->long_seen = level->long_expected = level->long_s = 0;
    settle(level);
}

/* The level moves on, back towards one, and shows itself in what was seen. */
static void follow(struct level *level, double seen, double expected, double seconds)
{
    double kept = exp(-seconds * level->fade_per_s);
    double factor = 1 + (level->factor - 1) * kept;
    double doubt = level->variance + (level->doubt - level->variance) * kept * kept;
    /* Clustered events carry less evidence each. */
    double weight = 1 / fmax(1, level->dispersion);
    double events = factor * factor / doubt + weight * seen;
    level->factor = events / (factor / doubt + weight * expected);
    level->doubt = level->factor * level->factor / events;
}

void level_learn(struct level *level, double seen, double expected, double seconds)
{
    level->short_seen += seen;
    level->short_expected += expected * level->factor;
    if (level->short_expected >= short_events)
        measure_short(level);
    level->long_seen += seen;
    level->long_expected += expected;
    level->long_s += seconds;
    follow(level, seen, expected, seconds);
    if (level->long_expected >= long_events && level->long_s >= long_least_s)
        measure_long(level);
}

void level_return(struct level *level)
{
    level->factor = 1;
    level->doubt = level->variance;
}

bool level_wanders(const struct level *level)
{
    return level->blocks < blocks_enough || level->wander > wandering;
}

/* Silences that low levels made longer are in the tail that thresholds are carried on from: to charge the
 * whole doubt to the score too would be to pay twice. */
struct level_now level_at_present(const struct level *level)
{
    return (struct level_now){.factor = level->factor,
                              .shape = level->factor * level->factor / (charged * level->doubt)};
}
