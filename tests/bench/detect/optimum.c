/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In operational time, where events come at rate one before the change and rho after it, the CUSUM's
 * statistic rises by c = 1 - rho a unit and falls by a = ln(1/rho) at each event, reflected at zero
 * (Moustakides 1986; El Karoui, Loisel and Salhi 2017: exactly optimal). The mean time to reach h from zero
 * under intensity theta is the integral from 0 to h of its scale function, c S'(y) = theta (S(y) - S(y - a)),
 * S(0) = 1/c. The closed form is an alternating series that cancels for large h/a; the equation itself does
 * not, so it is integrated by the trapezoid rule. For rho = 0 the statistic is a timer and everything is
 * explicit.
 */
#include "optimum.h"

#include <math.h>
#include <stdlib.h>

enum { GRID = 400 }; /* points in one fall */

double optimum_run_length(double rho, double threshold, double intensity)
{
    if (!(rho > 0))
        return intensity > 0 ? expm1(threshold * intensity) / intensity : threshold;
    double rise = 1 - rho, fall = log(1 / rho), width = fall / GRID, half = width * intensity / rise / 2;
    size_t count = (size_t)(threshold / width) + 2;
    double *scale = malloc(count * sizeof *scale), sum = 0;
    if (scale == NULL)
        return NAN;
    scale[0] = 1 / rise;
    for (size_t i = 1; i < count; i++) {
        double back = i > GRID ? scale[i - 1 - GRID] + scale[i - GRID] : 0;
        scale[i] = (scale[i - 1] * (1 + half) - half * back) / (1 - half);
        double part = fmin(1, (threshold - (double)(i - 1) * width) / width);
        if (part > 0) /* the last strip is cut */
            sum += width * part * (scale[i - 1] + part * (scale[i] - scale[i - 1]) / 2);
    }
    free(scale);
    return sum;
}

double optimum_threshold(double rho, double events)
{
    if (!(rho > 0))
        return log1p(events);
    double low = 0, high = log1p(events) + 3;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (optimum_run_length(rho, middle, 1) < events)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double optimum_delay(double rho, double events)
{
    return optimum_run_length(rho, optimum_threshold(rho, events), rho);
}

static const double year_s = 365.25 * 86400;

void oracle_init(struct oracle *oracle, const struct stream *stream, double depth, double alarms_per_year)
{
    double years = clock_seconds(GENERATE_BEGIN_NS, generate_end_ns(stream)) / year_s;
    double silences = generate_silences(stream) / years / alarms_per_year;
    *oracle = (struct oracle){.stream = stream,
                              .rho = depth < 1 ? 1 - depth : 0,
                              .threshold = optimum_threshold(depth < 1 ? 1 - depth : 0, silences),
                              .now_ns = GENERATE_BEGIN_NS,
                              .alarm_ns = TIME_NONE};
}

void oracle_restart(struct oracle *oracle)
{
    oracle->statistic = 0;
}

void oracle_run(struct oracle *oracle, int64_t to_ns)
{
    const int64_t chunk_ns = GENERATE_CHUNK_S * NS_PER_S;
    while (oracle->now_ns < to_ns) {
        int64_t next_ns = oracle->now_ns - (oracle->now_ns - GENERATE_BEGIN_NS) % chunk_ns + chunk_ns;
        if (next_ns > to_ns)
            next_ns = to_ns;
        double rise = generate_intensity(oracle->stream, oracle->now_ns) * (1 - oracle->rho);
        double missing = oracle->threshold - oracle->statistic;
        if (rise * clock_seconds(oracle->now_ns, next_ns) >= missing) {
            oracle->now_ns += (int64_t)(missing / rise * (double)NS_PER_S) + 1;
            oracle->alarm_ns = oracle->now_ns;
            oracle->statistic = 0;
            continue;
        }
        oracle->statistic += rise * clock_seconds(oracle->now_ns, next_ns);
        oracle->now_ns = next_ns;
    }
}

void oracle_take(struct oracle *oracle, const struct life *life)
{
    if (!(oracle->rho > 0))
        oracle->statistic = 0;
    else if (life->first)
        oracle->statistic = fmax(0, oracle->statistic - log(1 / oracle->rho));
}
