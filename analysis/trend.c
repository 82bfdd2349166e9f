/* SPDX-License-Identifier: BSD-3-Clause */
#include "trend.h"

#include <math.h>

static const double fast_s = 900, slow_s = 86400;
static const double enough_s = 1800;

/* How far a memory of `memory_s` has filled: before that it knows only zeros. */
static double filled(double seconds, double memory_s)
{
    return -expm1(-seconds / memory_s);
}

/* Long after its begin a unit would outgrow a double: start a new one. */
static void rebase(double *unit, double sums[TALLY__COUNT])
{
    if (*unit < 0x1p200)
        return;
    for (int i = 0; i < TALLY__COUNT; i++)
        sums[i] /= *unit;
    *unit = 1;
}

/* Lets the memories fade by an interval: (1 - f) x + f r is the sum of all f r, each over the product of the
 * later (1 - f), which is what the unit has grown by. */
static void begin_step(struct trend *trend, double seconds, bool usual)
{
    if (trend->seconds <= 0)
        trend->fast_unit = trend->slow_unit = 1;
    if (seconds != trend->step_s) {
        trend->step_s = seconds;
        trend->step_fast = filled(seconds, fast_s);
        trend->step_slow = filled(seconds, slow_s);
    }
    trend->seconds += seconds;
    trend->fast_unit /= 1 - trend->step_fast;
    rebase(&trend->fast_unit, trend->fast);
    if (!usual)
        return;
    trend->usual_s += seconds;
    trend->slow_unit /= 1 - trend->step_slow;
    rebase(&trend->slow_unit, trend->slow);
}

void trend_step(struct trend *trend, const struct tally *tally, bool usual)
{
    double seconds = clock_seconds(tally->start_ns, tally->end_ns);
    if (!(seconds > 0))
        return;
    begin_step(trend, seconds, usual);
    double fast = trend->step_fast * trend->fast_unit / seconds,
           slow = usual ? trend->step_slow * trend->slow_unit / seconds : 0;
    for (int i = 0; i < TALLY__COUNT; i++) {
        if (tally->value[i] == 0 || !tally_knows(tally, i))
            continue;
        double count = (double)tally->value[i];
        trend->total[i] += count;
        trend->fast[i] += fast * count;
        trend->slow[i] += slow * count;
    }
}

double trend_fast(const struct trend *trend, enum tally_measure measure)
{
    return trend->seconds > 0 ? trend->fast[measure] / trend->fast_unit / filled(trend->seconds, fast_s) : 0;
}

double trend_usual(const struct trend *trend, enum tally_measure measure)
{
    return trend->usual_s > 0 ? trend->slow[measure] / trend->slow_unit / filled(trend->usual_s, slow_s) : 0;
}

double trend_surge(const struct trend *trend, enum tally_measure measure, double least_per_s)
{
    if (trend->usual_s < enough_s)
        return -1;
    return (trend_fast(trend, measure) + least_per_s) / (trend_usual(trend, measure) + least_per_s);
}

static double mean(double sum, double count)
{
    return count > 0 ? sum / count : -1;
}

double trend_mean_fast(const struct trend *trend, enum tally_measure sum, enum tally_measure count)
{
    return mean(trend->fast[sum], trend->fast[count]);
}

double trend_samples_fast(const struct trend *trend, enum tally_measure count)
{
    return trend->seconds > 0 ? trend->fast[count] / trend->fast_unit * fast_s : 0;
}

double trend_mean_usual(const struct trend *trend, enum tally_measure sum, enum tally_measure count)
{
    return mean(trend->slow[sum], trend->slow[count]);
}

double trend_since(const struct trend *mark, const struct trend *now, enum tally_measure measure)
{
    return now->total[measure] - mark->total[measure];
}

double trend_mean_since(const struct trend *mark, const struct trend *now, enum tally_measure sum,
                        enum tally_measure count)
{
    return mean(trend_since(mark, now, sum), trend_since(mark, now, count));
}

double trend_rate_since(const struct trend *mark, const struct trend *now, enum tally_measure measure)
{
    double seconds = now->seconds - mark->seconds;
    return seconds > 0 ? trend_since(mark, now, measure) / seconds : 0;
}
