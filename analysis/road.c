/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a path has lost what it carried, or that came another way: the odds of what came of all, as Poisson
 * counts are, if most of what the path misses is missed there too, and if nothing is. */
#include <math.h>

#include "series.h"

static const double missed_least = 0.7; /* of what a path misses: so much is missed in all if it is lost */
static const double odds_least = 2.5;   /* logarithm: that it is, or that it came another way */
static const double patience = 3;       /* alarms' scores until … */
static const double moved_most = 0.3;   /* … it counts as lost unless less of it is missed */
static const double gone_most = 0.95;

enum road road_ask(struct analysis *analysis, uint32_t number, const struct episode_mark *from, double score)
{
    struct series *series = &analysis->series[number];
    if (analysis->scopes->items[number].kind != SCOPE_PATH || !(series->bin.known & TALLY_BIT(TALLY_control)))
        return ROAD_LOST;
    const struct episode_mark *now = &series->so_far;
    const struct population *whole = &analysis->series[SCOPE_NUMBER_ALL].life[series->witness];
    double missing = now->life_expected - from->life_expected - (now->life - from->life),
           expected = now->whole_expected - from->whole_expected, seen = now->whole - from->whole;
    double gone = expected > 0 ? fmin(missed_least * missing / expected, gone_most) : 0;
    if (!(gone > 0))
        return ROAD_LOST;
    double odds = (seen * log1p(-gone) + expected * gone) / fmax(1, whole->level.dispersion);
    if (fabs(odds) >= odds_least)
        return odds < 0 ? ROAD_MOVED : ROAD_LOST;
    if (score < patience * detect_threshold(series_life(series), analysis->alarms_per_year))
        return ROAD_IN_DOUBT;
    return expected - seen < moved_most * missing ? ROAD_MOVED : ROAD_LOST;
}
