/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events are taken to be Poisson with a rate that depends on the hour of the week, and the rate of each hour
 * to be Gamma distributed around that of its hour of the day, and that one around the overall rate (Gamma is
 * conjugate, so an hour's evidence simply adds to what its parent lends it). How much a parent lends, in
 * events, says how far its children are taken to differ: one over their relative variance. That is measured
 * (empirical Bayes, by the method of moments): the squares of what the cells saw less what their parents
 * expect, less what chance accounts for. Hours of the day are compared one by one; of the week only whole
 * days, as a single hour is soon known too little to tell. Where few were seen, they are taken to differ some
 * more than they show. Where hours of the day do differ, the last half hour knows better than the overall
 * mean, and lends in its place.
 */
#include "baseline.h"

#include <math.h>
#include <stdbool.h>

#include "clock.h"

#define HOUR_NS (3600 * NS_PER_S)

static const double hours_unseen = 0.03; /* variance that hours show beyond what was measured of them, … */
static const double days_unseen = 0.005; /* … and days; both over the number seen, and a half */
static const double recent_variance = 1. / 32; /* of an hour's rate about that of the half hour before it */
static const double recent_s = 1800.0;         /* half-life of `recent`, in seconds of watching */

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

static double expect(struct baseline_cell child, struct baseline_cell parent)
{
    return parent.seconds > 0 ? child.seconds * parent.events / parent.seconds : 0;
}

static void differ_add(struct baseline_differ *differ, double seen, double expected)
{
    differ->squares += (seen - expected) * (seen - expected);
    differ->expected += expected;
    differ->expected_squares += expected * expected;
}

/* Compares the cells with their parents, in plain units. */
static void measure(struct baseline *baseline, double unit)
{
    baseline->hours = baseline->days = (struct baseline_differ){0, 0, 0};
    for (int hour = 0; hour < BASELINE_DAY; hour++)
        differ_add(&baseline->hours, baseline->day[hour].events / unit,
                   expect(baseline->day[hour], baseline->overall) / unit);
    for (int first = 0; first < BASELINE_WEEK; first += BASELINE_DAY) {
        double seen = 0, expected = 0;
        for (int hour = 0; hour < BASELINE_DAY; hour++) {
            seen += baseline->week[first + hour].events;
            expected += expect(baseline->week[first + hour], baseline->day[hour]);
        }
        differ_add(&baseline->days, seen / unit, expected / unit);
    }
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

void baseline_scale(struct baseline *baseline, double times)
{
    for (int i = 0; i < BASELINE_WEEK; i++)
        baseline->week[i].events *= times;
    for (int i = 0; i < BASELINE_DAY; i++)
        baseline->day[i].events *= times;
    baseline->overall.events *= times;
    baseline->recent.events *= times;
    struct baseline_differ *differ[] = {&baseline->hours, &baseline->days};
    for (int i = 0; i < 2; i++) {
        differ[i]->squares *= times * times;
        differ[i]->expected *= times;
        differ[i]->expected_squares *= times * times;
    }
}

void baseline_learn(struct baseline *baseline, int64_t from_ns, int64_t to_ns, double events)
{
    if (baseline->origin_ns == TIME_NONE)
        baseline->origin_ns = from_ns;
    rebase(baseline, to_ns);
    bool hour_ended = clock_floor(to_ns, HOUR_NS) > clock_floor(from_ns, HOUR_NS);
    while (to_ns > clock_floor(from_ns, HOUR_NS) + HOUR_NS) {
        int64_t next_ns = clock_floor(from_ns, HOUR_NS) + HOUR_NS;
        learn_hour(baseline, from_ns, clock_seconds(from_ns, next_ns), 0);
        from_ns = next_ns;
    }
    learn_hour(baseline, from_ns, clock_seconds(from_ns, to_ns), events);
    if (hour_ended)
        measure(baseline, unit_at(baseline, to_ns));
}

/* The relative variance among cells: what chance does not account for, plus some of the standard error of
 * that, so that it is safely above zero; and what cells not seen yet may bring. */
static double variance_of(const struct baseline_differ *differ, double per_event, double unseen)
{
    if (!(differ->expected_squares > 0))
        return 2 * unseen;
    double chance = per_event * differ->expected / differ->expected_squares;
    double error = per_event * sqrt(2 / differ->expected_squares);
    double over = differ->squares / differ->expected_squares - chance;
    double seen = differ->expected * differ->expected / differ->expected_squares;
    return (over + sqrt(over * over + 2 * error * error)) / 2 + unseen / (seen + 0.5);
}

/* Of two who can lend, the one that knows better. */
static struct baseline_rate better(struct baseline_rate a, struct baseline_rate b)
{
    return a.shape > b.shape ? a : b;
}

/* A parent as it lends to a child that differs from it by so much. */
static struct baseline_rate lend(struct baseline_rate parent, double variance)
{
    parent.shape = parent.shape > 0 ? 1 / (1 / parent.shape + variance) : 0;
    return parent;
}

/* A child's posterior from its own evidence and what is lent to it. An event of its own is evidence as of
 * `weight` independent ones. */
static struct baseline_rate shrink(struct baseline_cell own, double weight, struct baseline_rate lent)
{
    double events = own.events * weight + lent.shape;
    double seconds = own.seconds * weight + lent.shape / lent.per_s;
    return (struct baseline_rate){.per_s = events / seconds, .shape = events};
}

static struct baseline_rate rate_of(struct baseline_cell cell, double weight)
{
    if (!(cell.events > 0))
        return (struct baseline_rate){0, 0};
    return (struct baseline_rate){.per_s = cell.events / cell.seconds, .shape = weight * cell.events};
}

struct baseline_rate baseline_at(const struct baseline *baseline, int64_t at_ns,
                                 struct baseline_scatter scatter)
{
    if (baseline->origin_ns == TIME_NONE || !(baseline->overall.events > 0))
        return (struct baseline_rate){0, 0};
    double unit = unit_at(baseline, at_ns);
    unsigned hour = week_hour(at_ns);
    /* Clustered events count for less, and those of one hour have its level in common. */
    double hourly = baseline->overall.events / baseline->overall.seconds * 3600;
    double per_event = fmax(1, scatter.dispersion) + scatter.wander * hourly, weight = 1 / per_event;
    struct baseline_rate overall = rate_of(baseline->overall, weight / unit),
                         recent = rate_of(baseline->recent, weight);
    struct baseline_rate lent = better(lend(overall, variance_of(&baseline->hours, per_event, hours_unseen)),
                                       lend(recent, recent_variance));
    struct baseline_rate day = shrink(baseline->day[hour % BASELINE_DAY], weight / unit, lent);
    lent = lend(day, variance_of(&baseline->days, per_event, days_unseen));
    return shrink(baseline->week[hour], weight / unit, lent);
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
