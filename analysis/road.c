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
static const double level_floor = 0.05; /* of a path that a part has left */

enum road road_ask(struct analysis *analysis, uint32_t number, const struct episode_mark *from, double score)
{
    struct series *series = &analysis->series[number];
    if (analysis->scopes->items[number].kind != SCOPE_PATH || !tally_knows(&series->bin, TALLY_control))
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

/* A path that was left is not judged before something crosses it again; where a part was left, that is normal
 * from now on. */
void road_leave(struct analysis *analysis, uint32_t number, double left)
{
    struct series *series = &analysis->series[number];
    if (left > 0)
        series_rescale(series, fmax(left, level_floor));
    else
        series->moved_ns = series_life(series)->last_ns;
    series_watch_anew(series, analysis->end_ns);
    thinness_reset(&series->thinness);
}

/* All that comes another way must go on doing so, of late if it has for long. */
bool road_is_left(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    if (series->moved_ns == TIME_NONE)
        return false;
    const struct episode_mark *from = past_at(&series->past, INT64_MIN), *left = &series->at_last_life;
    if (from == NULL || from->tap.at_ns < left->tap.at_ns)
        from = left;
    if (series->moved_ns != series_life(series)->last_ns || road_ask(analysis, number, from, 0) == ROAD_LOST)
        series->moved_ns = TIME_NONE;
    return series->moved_ns != TIME_NONE;
}
