/* SPDX-License-Identifier: BSD-3-Clause */
/* How far the present level of a stream lies off what the hour of the week expects: measured, and followed
 * as fast as it is found to move. */
#pragma once

#include <stdbool.h>

/* Plain data. */
struct level {
    double near, far;  /* covariance of the levels of successive blocks, and of every other one; relative */
    double chance;     /* the variance that chance and clustering give a block */
    double dispersion; /* variance over mean of counts in short blocks: 1 where events are Poisson */
    double shorts;     /* short blocks measured */
    double blocks, block_s; /* long ones, and how long they are */
    double off[2];          /* of the last two: seen over expected, less one */
    double wander;          /* the variance of the level, as far as certain */
    double variance;        /* the same, and what it may be for all that is known yet */
    double fade_per_s;      /* how fast it forgets */
    double factor, doubt;   /* the present level, and the variance to which it is known */
    double short_seen, short_expected, long_seen, long_expected, long_s; /* the blocks under way */
};

/* A factor for the expected rate, and the shape of its Gamma distribution. */
struct level_now {
    double factor, shape;
};

void level_init(struct level *level);

/* Takes a stretch of so many seconds in which `seen` events came of `expected` (before the factor). */
void level_learn(struct level *level, double seen, double expected, double seconds);

/* Puts the present level back to one: what is expected was scaled to it. */
void level_return(struct level *level);

struct level_now level_at_present(const struct level *level);

/* Whether levels wander so much that a slow decline is hardly news, or may do for all that is known. */
bool level_wanders(const struct level *level);
