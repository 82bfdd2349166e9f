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

void trend_step(struct trend *trend, const struct tally *tally, bool usual)
{
    double seconds = clock_seconds(tally->start_ns, tally->end_ns);
    if (!(seconds > 0))
        return;
    trend->seconds += seconds;
    double fast = filled(seconds, fast_s), slow = usual ? filled(seconds, slow_s) : 0;
    trend->usual_s += usual ? seconds : 0;
    for (int i = 0; i < TALLY__COUNT; i++) {
        double count = tally->known & TALLY_BIT(i) ? (double)tally->value[i] : 0, rate = count / seconds;
        trend->total[i] += count;
        trend->fast[i] += fast * (rate - trend->fast[i]);
        trend->slow[i] += slow * (rate - trend->slow[i]);
    }
}

double trend_fast(const struct trend *trend, enum tally_measure measure)
{
    return trend->seconds > 0 ? trend->fast[measure] / filled(trend->seconds, fast_s) : 0;
}

double trend_usual(const struct trend *trend, enum tally_measure measure)
{
    return trend->usual_s > 0 ? trend->slow[measure] / filled(trend->usual_s, slow_s) : 0;
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
    return trend->fast[count] * fast_s;
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
