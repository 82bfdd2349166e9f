/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For Poisson events whose rate falls to a known part rho of itself, the CUSUM of the log-likelihood ratio is
 * optimal: it climbs by (1 - rho) for every event expected and falls by ln(1/rho) for every event seen
 * (Moustakides 1986). Which part is left is not known, so three run side by side. Two things of the real
 * world are allowed for. Counts that vary more than Poisson's make the ratio mean less: it is divided by the
 * variance over the mean, measured over blocks of ten expected events. And a rate known only roughly may
 * itself be lower. For s seen of u expected by a rate of shape a the ratio is then that of two Gamma-Poisson
 * probabilities, (a + s) ln((a + u) / (a + rho u)) - s ln(1/rho): never more than a ln(1/rho), so that a
 * decline within what is not known of the rate is no news however long it lasts. How high a climb must be is
 * carried on from the peaks of past climbs, as for silences.
 */
#include "thinness.h"

#include <math.h>
#include <string.h>

static const double left[THINNESS_LEVELS] = {0.1, 0.25, 0.5};
/* The exact height of such a CUSUM lies below that of a timer for the same false alarms by so much, at every
 * rate (by integrating its delay equation). */
static const double below[THINNESS_LEVELS] = {0.40, 0.91, 1.87};
static const double shape_most = 2000; /* no rate is known better than to a forty-fifth */
static const double low_height = 2;    /* up to here the rate's shape hardly matters */
static const double certain_height = 3;
static const double levels_cost = 1.4; /* ln 4: with that for silences, four tests instead of one */

void thinness_init(struct thinness *thinness)
{
    memset(thinness, 0, sizeof *thinness);
    for (int i = 0; i < THINNESS_LEVELS; i++)
        calibrate_init(&thinness->level[i].calibrate);
}

/* The logarithm of the likelihood ratio over the climb, with what is not known of the rate. */
static double height_of(const struct thinness_level *level, double rho, double dispersion)
{
    double root = level->expected / level->spread, shape = fmin(root * root, shape_most);
    double seen = level->seen / dispersion, expected = level->expected / dispersion;
    return (shape + seen) * log((shape + expected) / (shape + rho * expected)) - seen * log(1 / rho);
}

static void climb(struct thinness *thinness, int i, double seen, double expected, double spread,
                  double dispersion, int64_t end_ns)
{
    struct thinness_level *level = &thinness->level[i];
    if (level->sum <= 0) {
        level->rise_ns = end_ns;
        level->certain_ns = end_ns;
        level->seen = level->expected = level->spread = level->peak = 0;
    }
    level->sum += (expected * (1 - left[i]) - seen * log(1 / left[i])) / dispersion;
    level->seen += seen;
    level->expected += expected;
    level->spread += spread;
    level->height =
        level->sum > low_height ? fmax(height_of(level, left[i], dispersion), low_height) : level->sum;
    level->peak = fmax(level->peak, level->height);
    if (level->height < certain_height)
        level->certain_ns = end_ns;
    if (level->sum > 0)
        return;
    level->sum = level->height = 0;
    if (level->peak > 0)
        calibrate_note(&level->calibrate, level->peak, 1);
}

void thinness_step(struct thinness *thinness, double seen, double expected, double shape, double dispersion,
                   int64_t end_ns)
{
    if (!(expected > 0))
        return;
    for (int i = 0; i < THINNESS_LEVELS; i++)
        climb(thinness, i, seen, expected, expected / sqrt(shape), fmax(1, dispersion), end_ns);
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
        due |= level->height > certain_height &&
               level->height >= threshold(thinness, i, events_per_year, alarms_per_year);
        if (level->height > thinness->level[likeliest].height)
            likeliest = i;
    }
    return due ? likeliest : -1;
}

int64_t thinness_rise(const struct thinness *thinness)
{
    int64_t rise_ns = TIME_NONE;
    for (int i = 0; i < THINNESS_LEVELS; i++)
        if (thinness->level[i].height > certain_height &&
            (rise_ns == TIME_NONE || thinness->level[i].rise_ns > rise_ns))
            rise_ns = thinness->level[i].rise_ns;
    return rise_ns;
}

bool thinness_doubt(struct thinness *thinness, double events_per_year, double alarms_per_year)
{
    for (int i = 0; i < THINNESS_LEVELS; i++)
        if (thinness->level[i].height > certain_height &&
            thinness->level[i].height >= threshold(thinness, i, events_per_year, alarms_per_year) / 2)
            return true;
    return false;
}

void thinness_reset(struct thinness *thinness)
{
    for (int i = 0; i < THINNESS_LEVELS; i++)
        thinness->level[i].sum = thinness->level[i].height = 0;
}
