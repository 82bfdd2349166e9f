/* SPDX-License-Identifier: BSD-3-Clause */
/* The test for collapses that leave a part alive: a bank of CUSUMs, each for one fraction that might be left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "calibrate.h"
#include "clock.h"

enum { THINNESS_LEVELS = 3 };

/* One CUSUM. `sum` climbs while less comes than should, and is reflected at zero. */
struct thinness_level {
    double sum, height, peak; /* since it last stood at zero; height: with what is not known of the rate */
    double seen, expected, spread;
    int64_t rise_ns;            /* when it left zero: the likeliest onset */
    int64_t certain_ns;         /* when it last passed the height from which that is hardly in doubt */
    struct calibrate calibrate; /* of the peaks of past climbs */
};

/* Plain data. */
struct thinness {
    struct thinness_level level[THINNESS_LEVELS];
};

void thinness_init(struct thinness *thinness);

/* Takes an interval that ends at `end_ns` with `seen` events of `expected`, by a rate known to `shape`;
 * `dispersion` is the variance over the mean of such counts. Only called while no outage is open. */
void thinness_step(struct thinness *thinness, double seen, double expected, double shape, double dispersion,
                   int64_t end_ns);

/* Whether some level's alarm is due for a scope of so many events a year, at so many false alarms: the
 * likeliest level, or -1. */
int thinness_alarm(struct thinness *thinness, double events_per_year, double alarms_per_year);

/* When the climbs that are certain began, by the latest of them, which is the nearest to the fall. */
int64_t thinness_rise(const struct thinness *thinness);

/* Whether some level is half way to an alarm. */
bool thinness_doubt(struct thinness *thinness, double events_per_year, double alarms_per_year);

/* Starts every climb anew. */
void thinness_reset(struct thinness *thinness);
