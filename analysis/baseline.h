/* SPDX-License-Identifier: BSD-3-Clause */
/* What is normal: the rate of a stream of events for each hour of the week, learned, shrunk and slowly
 * forgotten. */
#pragma once

#include <stdint.h>

enum { BASELINE_WEEK = 168, BASELINE_DAY = 24 };

/* Evidence for a rate: events seen in so many seconds of watching. */
struct baseline_cell {
    double events, seconds;
};

/* How far the cells of one kind lie from what their parents expect, in sums over the cells. */
struct baseline_differ {
    double squares;                /* of seen less expected */
    double expected_squares;       /* of the events expected */
    double chance, chance_squares; /* of the first, were events Poisson: its mean, and its variance by half */
    double cells;                  /* how many that is, were all alike */
};

/* How counts scatter about their rate. */
struct baseline_scatter {
    double dispersion; /* variance over mean of counts, 1 where events are Poisson */
    double wander;     /* relative variance of the level of one hour from that of another */
};

/* All sums are kept in a unit that doubles with every half-life learned from, so that what is old weighs less
 * without ever being touched again; nothing is forgotten while nothing is learned. Plain data: a copy is a
 * copy. */
struct baseline {
    double half_life_s;
    double unit;
    struct baseline_cell week[BASELINE_WEEK], day[BASELINE_DAY], overall;
    struct baseline_cell recent; /* of the last half hour or so, in plain units */
    /* As of the last full hour: hours from the mean of the day, and from those before and after, and days. */
    struct baseline_differ hours, neighbours, days;
};

/* A rate and how well it is known: the mean and the shape of its Gamma distribution. The shape reads as
 * "known as well as from that many events". */
struct baseline_rate {
    double per_s;
    double shape;
};

void baseline_init(struct baseline *baseline, double half_life_s);

/* Learns that the half-open stretch [from, to) was watched and held `events`, of which the last was at its
 * end. */
void baseline_learn(struct baseline *baseline, int64_t from_ns, int64_t to_ns, double events);

/* From now on so many times as much is normal at every hour. */
void baseline_scale(struct baseline *baseline, double times);

/* How far hours and days are taken to differ, given how counts scatter. */
struct baseline_lending {
    double weight;                  /* of an event, in independent ones */
    double hours, neighbours, days; /* relative variances */
};
struct baseline_lending baseline_lending(const struct baseline *baseline, struct baseline_scatter scatter);

/* The rate to expect at an instant: hour of the week, shrunk towards hour of the day, towards the hours
 * beside it, the recent or the overall rate, as far as these have been found not to differ. Within an hour it
 * is the same. per_s is 0 before anything was learned. */
struct baseline_rate baseline_at(const struct baseline *baseline, int64_t at_ns,
                                 const struct baseline_lending *lending);

/* What the hour of the day has had so far, a second; negative: not seen on more than one day, so that the
 * present would be compared with itself. */
double baseline_of_day(const struct baseline *baseline, int64_t at_ns);

/* What the busiest hour of the day has had so far, a second, of those seen for ten minutes; 0: none was. */
double baseline_busiest(const struct baseline *baseline);

/* Events and seconds learned from, as they weigh now. */
struct baseline_cell baseline_learned(const struct baseline *baseline);

/* The count that a Gamma-Poisson variable of this mean and shape falls short of with probability at most
 * `tail`. */
double baseline_low(double mean, double shape, double tail);

/* Likewise the most that is usual: more than this come with a probability of at most `tail`. */
double baseline_high(double mean, double shape, double tail);
