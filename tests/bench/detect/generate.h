/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams of events with known truth: what the rate was at every moment, and when part of it was away. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

/* How a stream behaves when nothing is wrong. */
struct shape {
    double per_minute;    /* events, on average over a week */
    double cluster;       /* mean size of a cluster (geometric); 1: Poisson */
    double cluster_gap_s; /* mean distance of events within a cluster (exponential) */
    double day;     /* amplitude of the day, 0 to less than 1: the rate swings between 1 - day and 1 + day */
    double weekend; /* the rate of Saturday and Sunday over that of other days */
    double level;   /* deviation of the logarithm of the slow wandering of the rate */
    double level_s; /* and how long it remembers */
    bool office;    /* the day is two steps, at eight and at twenty, instead of a wave */

    double change_day;     /* from here on the stream is another one; 0: never */
    double change_rate;    /* by this factor … */
    double change_shift_s; /* … and with its day this much later */
};

struct outage {
    int64_t onset_ns, end_ns;
    double depth;        /* share of the clusters that are away */
    double back_s;       /* they come back one after the other, in so long from the end on */
    double down_s, up_s; /* if up_s: so long away and so long back by turns, until the end */
};

enum { OUTAGES_MAX = 64, GENERATE_CHUNK_S = 300 };

#define GENERATE_BEGIN_NS (1748822400 * NS_PER_S) /* 2025-06-02T00:00:00Z, a Monday */

struct stream;

struct life {
    int64_t at_ns;
    double host; /* 0 to 1: whose sign of life it is, the same for all of a cluster */
    bool first;  /* of its cluster */
};

/* A stream of `days` from GENERATE_BEGIN_NS on. Borrows the outages, which must be in time order. NULL when
 * there is no memory. */
struct stream *generate_new(const struct shape *shape, double days, uint64_t seed,
                            const struct outage *outages, unsigned outage_count);
void generate_free(struct stream *stream);

/* The next event; false at the end. */
bool generate_next(struct stream *stream, struct life *life);
int64_t generate_end_ns(const struct stream *stream);

/* When all is as it was: the end, or later where it comes back slowly. */
int64_t generate_over_ns(const struct outage *outage);

/* The true intensity of clusters, a second, at an instant, outages left out. It changes only at multiples of
 * GENERATE_CHUNK_S after the begin. */
double generate_intensity(const struct stream *stream, int64_t at_ns);

/* Silences that nothing but chance makes in the whole stream: clusters after which no other is under way. */
double generate_silences(const struct stream *stream);
