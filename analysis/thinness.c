/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For Poisson events whose rate falls to a known part rho of itself, the CUSUM of the log-likelihood ratio is
 * optimal: it climbs by (1 - rho) for every event expected and falls by ln(1/rho) for every event seen
 * (Moustakides 1986). Which part is left is not known, so three run side by side. Two things of the real
 * world are allowed for. Counts that vary more than Poisson's make the ratio mean less: it is divided by the
 * variance over the mean, measured over blocks of ten expected events. And a rate known only roughly may
 * itself be a little lower: the expectation is lowered by one standard deviation of the rate. How high a
 * climb must be is carried on from the peaks of past climbs, as for silences.
 */
#include "thinness.h"

#include <math.h>
#include <string.h>

static const double left[THINNESS_LEVELS] = {0.1, 0.25, 0.5};
/* The exact height of such a CUSUM lies below that of a timer for the same false alarms by so much, at every
 * rate (by integrating its delay equation). */
static const double below[THINNESS_LEVELS] = {0.40, 0.91, 1.87};
static const double allowance_most = 0.7;
static const double certain_height = 3;
static const double levels_cost = 1.1; /* ln 3: three tests instead of one */

void thinness_init(struct thinness *thinness)
{
    memset(thinness, 0, sizeof *thinness);
    for (int i = 0; i < THINNESS_LEVELS; i++)
        calibrate_init(&thinness->level[i].calibrate);
}

static void climb(struct thinness *thinness, int i, double seen, double expected, double dispersion,
                  int64_t end_ns)
{
    struct thinness_level *level = &thinness->level[i];
    double by = (expected * (1 - left[i]) - seen * log(1 / left[i])) / fmax(1, dispersion);
    if (level->sum <= 0) {
        level->rise_ns = end_ns;
        level->certain_ns = end_ns;
        level->seen = level->expected = level->peak = 0;
    }
    level->sum += by;
    level->seen += seen;
    level->expected += expected;
    level->peak = fmax(level->peak, level->sum);
    if (level->sum < certain_height)
        level->certain_ns = end_ns;
    if (level->sum > 0)
        return;
    level->sum = 0;
    if (level->peak > 0)
        calibrate_note(&level->calibrate, level->peak, 1);
}

void thinness_step(struct thinness *thinness, double seen, double expected, double allowance,
                   double dispersion, int64_t end_ns)
{
    if (!(expected > 0))
        return;
    double allowed = expected * (1 - fmin(allowance_most, allowance));
    for (int i = 0; i < THINNESS_LEVELS; i++)
        climb(thinness, i, seen, allowed, dispersion, end_ns);
}

/* A climb begins with about every second or third event; to take every one for a beginning costs a unit of
 * height. */
static double threshold(struct thinness *thinness, int i, double events_per_year, double alarms_per_year)
{
    return calibrate_threshold(&thinness->level[i].calibrate, events_per_year, alarms_per_year) +
           levels_cost - below[i];
}

int thinness_alarm(struct thinness *thinness, double events_per_year, double alarms_per_year)
{
    bool due = false;
    int likeliest = 0;
    for (int i = 0; i < THINNESS_LEVELS; i++) {
        const struct thinness_level *level = &thinness->level[i];
        due |= level->sum > certain_height &&
               level->sum >= threshold(thinness, i, events_per_year, alarms_per_year);
        if (level->sum > thinness->level[likeliest].sum)
            likeliest = i;
    }
    return due ? likeliest : -1;
}

bool thinness_doubt(struct thinness *thinness, double events_per_year, double alarms_per_year)
{
    for (int i = 0; i < THINNESS_LEVELS; i++)
        if (thinness->level[i].sum > certain_height &&
            thinness->level[i].sum >= threshold(thinness, i, events_per_year, alarms_per_year) / 2)
            return true;
    return false;
}

void thinness_reset(struct thinness *thinness)
{
    for (int i = 0; i < THINNESS_LEVELS; i++)
        thinness->level[i].sum = 0;
}
