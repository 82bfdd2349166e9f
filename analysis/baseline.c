/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events are taken to be Poisson with a rate that depends on the hour of the week, and the rate of each hour
 * to be Gamma distributed around that of its hour of the day, and that one around the overall rate (Gamma is
 * conjugate, so an hour's evidence simply adds to what its parent lends it). How much a parent lends, in
 * events, says how far its children are taken to differ: one over their relative variance. That is measured
 * (empirical Bayes, by the method of moments): the squares of what the cells saw less what their parents
 * expect, less what chance accounts for. Hours of the day are compared one by one; of the week only whole
 * days, as a single hour is soon known too little to tell. Where few were seen, they are taken to differ some
 * more than they show. Where hours of the day do differ, those before and after one, or the last half hour,
 * know better than the overall mean, and lend in its place.
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
    *baseline = (struct baseline){.half_life_s = half_life_s, .unit = 1};
}

/* The hour of the week of an instant; the epoch was a Thursday, and which day counts as first does not
 * matter. */
static unsigned week_hour(int64_t at_ns)
{
    int64_t hour = clock_floor(at_ns, HOUR_NS) / HOUR_NS;
    return (unsigned)(((hour % BASELINE_WEEK) + BASELINE_WEEK) % BASELINE_WEEK);
}

static void cell_add(struct baseline_cell *cell, double events, double seconds)
{
    cell->events += events;
    cell->seconds += seconds;
}

/* The unit would outgrow a double: start a new one. */
static void rebase(struct baseline *baseline)
{
    double unit = baseline->unit;
    if (unit < 0x1p200)
        return;
    struct baseline_cell *cells[] = {baseline->week, baseline->day, &baseline->overall};
    const int counts[] = {BASELINE_WEEK, BASELINE_DAY, 1};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < counts[i]; j++) {
            cells[i][j].events /= unit;
            cells[i][j].seconds /= unit;
        }
    baseline->unit = 1;
}

static void learn_hour(struct baseline *baseline, int64_t at_ns, double seconds, double events)
{
    rebase(baseline);
    double unit = baseline->unit *= exp2(seconds / baseline->half_life_s);
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

/* The hours before and after one of the day. */
static struct baseline_cell neighbours_of(const struct baseline *baseline, unsigned hour)
{
    struct baseline_cell before = baseline->day[(hour + BASELINE_DAY - 1) % BASELINE_DAY],
                         after = baseline->day[(hour + 1) % BASELINE_DAY];
    if (!(before.seconds > 0) || !(after.seconds > 0))
        return (struct baseline_cell){0, 0}; /* one alone would have the hour's slope in it */
    return (struct baseline_cell){before.events + after.events, before.seconds + after.seconds};
}

/* `rough` is the variance of what is expected itself, over that of what is seen by chance. */
static void differ_add(struct baseline_differ *differ, double seen, double expected, double rough)
{
    double chance = expected * (1 + rough);
    differ->squares += (seen - expected) * (seen - expected);
    differ->expected_squares += expected * expected;
    differ->chance += chance;
    differ->chance_squares += chance * chance;
    differ->cells += expected; /* the sum as yet */
}

static void differ_end(struct baseline_differ *differ)
{
    if (differ->expected_squares > 0)
        differ->cells *= differ->cells / differ->expected_squares;
}

static void measure_hours(struct baseline *baseline)
{
    double unit = baseline->unit;
    for (unsigned hour = 0; hour < BASELINE_DAY; hour++) {
        struct baseline_cell cell = baseline->day[hour], near = neighbours_of(baseline, hour);
        differ_add(&baseline->hours, cell.events / unit, expect(cell, baseline->overall) / unit, 0);
        if (near.seconds > 0)
            differ_add(&baseline->neighbours, cell.events / unit, expect(cell, near) / unit,
                       cell.seconds / near.seconds);
    }
}

static void measure_days(struct baseline *baseline)
{
    double unit = baseline->unit;
    for (int first = 0; first < BASELINE_WEEK; first += BASELINE_DAY) {
        double seen = 0, expected = 0;
        for (int hour = 0; hour < BASELINE_DAY; hour++) {
            seen += baseline->week[first + hour].events;
            expected += expect(baseline->week[first + hour], baseline->day[hour]);
        }
        differ_add(&baseline->days, seen / unit, expected / unit, 0);
    }
}

/* Compares the cells with their parents. */
static void measure(struct baseline *baseline)
{
    struct baseline_differ *all[] = {&baseline->hours, &baseline->neighbours, &baseline->days};
    for (int i = 0; i < 3; i++)
        *all[i] = (struct baseline_differ){0, 0, 0, 0, 0};
    measure_hours(baseline);
    measure_days(baseline);
    for (int i = 0; i < 3; i++)
        differ_end(all[i]);
}

void baseline_scale(struct baseline *baseline, double times)
{
    for (int i = 0; i < BASELINE_WEEK; i++)
        baseline->week[i].events *= times;
    for (int i = 0; i < BASELINE_DAY; i++)
        baseline->day[i].events *= times;
    baseline->overall.events *= times;
    baseline->recent.events *= times;
    struct baseline_differ *differ[] = {&baseline->hours, &baseline->neighbours, &baseline->days};
    for (int i = 0; i < 3; i++) {
        differ[i]->squares *= times * times;
        differ[i]->expected_squares *= times * times;
        differ[i]->chance *= times;
        differ[i]->chance_squares *= times * times;
    }
}

void baseline_learn(struct baseline *baseline, int64_t from_ns, int64_t to_ns, double events)
{
    bool hour_ended = clock_floor(to_ns, HOUR_NS) > clock_floor(from_ns, HOUR_NS);
    while (to_ns > clock_floor(from_ns, HOUR_NS) + HOUR_NS) {
        int64_t next_ns = clock_floor(from_ns, HOUR_NS) + HOUR_NS;
        learn_hour(baseline, from_ns, clock_seconds(from_ns, next_ns), 0);
        from_ns = next_ns;
    }
    learn_hour(baseline, from_ns, clock_seconds(from_ns, to_ns), events);
    if (hour_ended)
        measure(baseline);
}

/* The relative variance among cells: what chance does not account for, plus some of the standard error of
 * that, so that it is safely above zero; and what cells not seen yet may bring. */
static double variance_of(const struct baseline_differ *differ, double per_event, double unseen)
{
    if (!(differ->expected_squares > 0))
        return 2 * unseen;
    double chance = per_event * differ->chance / differ->expected_squares;
    double error = per_event * sqrt(2 * differ->chance_squares) / differ->expected_squares;
    double over = differ->squares / differ->expected_squares - chance;
    return (over + sqrt(over * over + 2 * error * error)) / 2 + unseen / (differ->cells + 0.5);
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

/* What came at the very instant at which the watch began, after no time at all, is none yet. */
static bool is_rate(struct baseline_cell cell)
{
    return cell.events > 0 && cell.seconds > 0;
}

static struct baseline_rate rate_of(struct baseline_cell cell, double weight)
{
    if (!is_rate(cell))
        return (struct baseline_rate){0, 0};
    return (struct baseline_rate){.per_s = cell.events / cell.seconds, .shape = weight * cell.events};
}

struct baseline_lending baseline_lending(const struct baseline *baseline, struct baseline_scatter scatter)
{
    /* Clustered events count for less, and those of one hour have its level in common. */
    struct baseline_cell overall = baseline->overall;
    double hourly = overall.seconds > 0 ? overall.events / overall.seconds * 3600 : 0;
    double per_event = fmax(1, scatter.dispersion) + scatter.wander * hourly;
    return (struct baseline_lending){.weight = 1 / per_event,
                                     .hours = variance_of(&baseline->hours, per_event, hours_unseen),
                                     .neighbours =
                                         variance_of(&baseline->neighbours, per_event, hours_unseen),
                                     .days = variance_of(&baseline->days, per_event, days_unseen)};
}

struct baseline_rate baseline_at(const struct baseline *baseline, int64_t at_ns,
                                 const struct baseline_lending *lending)
{
    if (!is_rate(baseline->overall))
        return (struct baseline_rate){0, 0};
    unsigned hour = week_hour(at_ns), of_day = hour % BASELINE_DAY;
    double weight = lending->weight / baseline->unit;
    struct baseline_rate lent = better(lend(rate_of(baseline->overall, weight), lending->hours),
                                       lend(rate_of(baseline->recent, lending->weight), recent_variance));
    lent = better(lent, lend(rate_of(neighbours_of(baseline, of_day), weight), lending->neighbours));
    lent = lend(shrink(baseline->day[of_day], weight, lent), lending->days);
    return shrink(baseline->week[hour], weight, lent);
}

double baseline_of_day(const struct baseline *baseline, int64_t at_ns)
{
    struct baseline_cell cell = baseline->day[week_hour(at_ns) % BASELINE_DAY];
    return cell.seconds > 3600 * baseline->unit ? cell.events / cell.seconds : -1;
}

double baseline_busiest(const struct baseline *baseline)
{
    double most = 0;
    for (int hour = 0; hour < BASELINE_DAY; hour++)
        if (baseline->day[hour].seconds >= 600 * baseline->unit)
            most = fmax(most, baseline->day[hour].events / baseline->day[hour].seconds);
    return most;
}

struct baseline_cell baseline_learned(const struct baseline *baseline)
{
    return (struct baseline_cell){baseline->overall.events / baseline->unit,
                                  baseline->overall.seconds / baseline->unit};
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

double baseline_high(double mean, double shape, double tail)
{
    if (!(mean > 0) || !(shape > 0))
        return 0;
    double deviation = sqrt(mean + mean * mean / shape);
    if (mean > 300)
        return ceil(mean + 3.09 * deviation);
    double miss = mean / (mean + shape);
    double p = exp(-shape * log1p(mean / shape)), sum = p, count = 0;
    while (sum < 1 - tail && count < mean + 50 * deviation) {
        p *= miss * (shape + count) / (count + 1);
        sum += p;
        count++;
    }
    return count;
}
