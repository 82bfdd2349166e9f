/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Page's CUSUM of the rate against four times the most that the day knows. Level and hours wander less, so
 * that what crosses it is an event of its own. A network that works by day only, and was met at night, looks
 * like that on its first morning; hence the time after which it is believed.
 */
#include "surge.h"

#include <math.h>

static const double times = 4;
static const double odds_enough = 20, odds_most = 40; /* nats: on, and as much as an end has to undo */
static const double share = 0.25, least_s = 1800, most_s = 7 * 86400;
static const double forgotten = 1.0 / 8; /* seconds of dispute in a second without */

static void dispute(struct surge *surge, double seconds, double learned_s)
{
    surge->disputed_s += seconds;
    if (surge->disputed_s < fmin(fmax(share * learned_s, least_s), most_s))
        return;
    surge->believed = true;
    surge->disputed_s = 0;
}

bool surge_take(struct surge *surge, const struct surge_input *input)
{
    double odds = input->events * log(times) - input->usual * (times - 1);
    surge->sum = fmin(fmax(surge->sum + odds / fmax(1, input->dispersion), 0), odds_most);
    if (surge->sum >= odds_enough)
        surge->on = true;
    else if (!(surge->sum > 0))
        surge->on = surge->believed = false;
    if (surge_is_on(surge))
        dispute(surge, input->seconds, input->learned_s);
    else
        surge->disputed_s = fmax(surge->disputed_s - forgotten * input->seconds, 0);
    return surge_is_on(surge);
}
