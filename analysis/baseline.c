/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events are taken to be Poisson with a rate that depends on the hour of the week, and the rate of each hour
 * to be Gamma distributed around that of its hour of the day, and that one around the overall rate (Gamma is
 * conjugate, so an hour's evidence simply adds to what its parent lends it). How much a parent lends, in
 * events, says how far hours are taken to differ: a shape of 4 allows an hour of the day to differ from the
 * mean by half of it, a shape of 16 one day's hour from another's by a quarter. Where an hour of the day was
 * never seen, the last half hour knows better than the overall mean, and lends in its place.
 */
#include "baseline.h"

#include <math.h>

#include "clock.h"

#define HOUR_NS (3600 * NS_PER_S)

static const double day_loan = 8.0;      /* events that the overall rate lends to an hour of the day */
static const double recent_loan = 32.0;  /* that the last half hour lends instead */
static const double week_loan = 64.0;    /* that an hour of the day lends to an hour of the week */
static const double recent_s = 1800.0;   /* half-life of `recent`, in seconds of watching */
static const double recent_fresh = 20.0; /* events in `recent` from which it is trusted */

void baseline_init(struct baseline *baseline, double half_life_s)
{
    *baseline = (struct baseline){.half_life_s = half_life_s, .origin_ns = TIME_NONE};
}

/* The hour of the week of an instant; the epoch was a Thursday, and which day counts as first does not
 * matter. */
static unsigned week_hour(int64_t at_ns)
{
    int64_t hour = clock_floor(at_ns, HOUR_NS) / HOUR_NS;
    return (unsigned)(((hour % BASELINE_WEEK) + BASELINE_WEEK) % BASELINE_WEEK);
}

static double unit_at(const struct baseline *baseline, int64_t at_ns)
{
    return exp2(clock_seconds(baseline->origin_ns, at_ns) / baseline->half_life_s);
}

static void cell_add(struct baseline_cell *cell, double events, double seconds)
{
    cell->events += events;
    cell->seconds += seconds;
}

static void learn_hour(struct baseline *baseline, int64_t at_ns, double seconds, double events)
{
    double unit = unit_at(baseline, at_ns);
    unsigned hour = week_hour(at_ns);
    cell_add(&baseline->week[hour], unit * events, unit * seconds);
    cell_add(&baseline->day[hour % BASELINE_DAY], unit * events, unit * seconds);
    cell_add(&baseline->overall, unit * events, unit * seconds);
    double fade = exp2(-seconds / recent_s);
    baseline->recent.events = baseline->recent.events * fade + events;
    baseline->recent.seconds = baseline->recent.seconds * fade + seconds;
}

/* Long after the origin the unit would outgrow a double: start a new one. */
static void rebase(struct baseline *baseline, int64_t at_ns)
{
    double unit = unit_at(baseline, at_ns);
    if (unit < 0x1p200)
        return;
    struct baseline_cell *cells[] = {baseline->week, baseline->day, &baseline->overall};
    const int counts[] = {BASELINE_WEEK, BASELINE_DAY, 1};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < counts[i]; j++) {
            cells[i][j].events /= unit;
            cells[i][j].seconds /= unit;
        }
    baseline->origin_ns = at_ns;
}

void baseline_learn(struct baseline *baseline, int64_t from_ns, int64_t to_ns, double events)
{
    if (baseline->origin_ns == TIME_NONE)
        baseline->origin_ns = from_ns;
    rebase(baseline, to_ns);
    while (to_ns > clock_floor(from_ns, HOUR_NS) + HOUR_NS) {
        int64_t next_ns = clock_floor(from_ns, HOUR_NS) + HOUR_NS;
        learn_hour(baseline, from_ns, clock_seconds(from_ns, next_ns), 0);
        from_ns = next_ns;
    }
    learn_hour(baseline, from_ns, clock_seconds(from_ns, to_ns), events);
}

/* A child's posterior from its own evidence and a loan of `loan` events at the parent's rate. */
static struct baseline_rate shrink(struct baseline_cell own, double unit, struct baseline_rate parent,
                                   double loan)
{
    double lent = fmin(loan, parent.shape);
    double events = own.events / unit + lent, seconds = own.seconds / unit + lent / parent.per_s;
    return (struct baseline_rate){.per_s = events / seconds, .shape = events};
}

struct baseline_rate baseline_at(const struct baseline *baseline, int64_t at_ns)
{
    if (baseline->origin_ns == TIME_NONE || !(baseline->overall.events > 0))
        return (struct baseline_rate){0, 0};
    double unit = unit_at(baseline, at_ns);
    unsigned hour = week_hour(at_ns);
    struct baseline_rate parent = {.per_s = baseline->overall.events / baseline->overall.seconds,
                                   .shape = baseline->overall.events / unit};
    double loan = day_loan;
    if (baseline->recent.events >= recent_fresh) {
        parent.per_s = baseline->recent.events / baseline->recent.seconds;
        parent.shape = baseline->recent.events;
        loan = recent_loan;
    }
    struct baseline_rate day = shrink(baseline->day[hour % BASELINE_DAY], unit, parent, loan);
    return shrink(baseline->week[hour], unit, day, week_loan);
}

double baseline_of_day(const struct baseline *baseline, int64_t at_ns)
{
    struct baseline_cell cell = baseline->day[week_hour(at_ns) % BASELINE_DAY];
    return cell.seconds > 3600 * unit_at(baseline, at_ns) ? cell.events / cell.seconds : -1;
}

struct baseline_cell baseline_learned(const struct baseline *baseline, int64_t at_ns)
{
    if (baseline->origin_ns == TIME_NONE)
        return (struct baseline_cell){0, 0};
    double unit = unit_at(baseline, at_ns);
    return (struct baseline_cell){baseline->overall.events / unit, baseline->overall.seconds / unit};
}

double baseline_low(double mean, double shape, double tail)
{
    if (!(mean > 0) || !(shape > 0))
        return 0;
    double deviation = sqrt(mean + mean * mean / shape);
    if (mean > 300) /* the sum below would be long, and the normal law is near */
        return fmax(0, floor(mean - 3.09 * deviation));
    /* The negative binomial's probabilities, each from the one before. */
    double miss = mean / (mean + shape);
    double p = exp(-shape * log1p(mean / shape)), sum = p, count = 0;
    while (sum <= tail && count < mean) {
        p *= miss * (shape + count) / (count + 1);
        sum += p;
        count++;
    }
    return count;
}
