/* SPDX-License-Identifier: BSD-3-Clause */
/* How far the present level of a stream lies off what the hour of the week expects: measured, and followed
 * slowly. */
#pragma once

#include <stdbool.h>

/* Plain data. */
struct level {
    double variance;       /* of the level from hour to hour, beyond chance and clustering; relative */
    double chance;         /* the variance that chance and clustering give a block */
    double dispersion;     /* variance over mean of counts in short blocks: 1 where events are Poisson */
    double seen, expected; /* of late, fading over hours */
    double short_seen, short_expected, long_seen, long_expected, long_s; /* the blocks under way */
    double blocks;                                                       /* long ones measured */
};

/* A factor for the expected rate, and the shape of its Gamma distribution (infinite where levels never
 * wander). */
struct level_now {
    double factor, shape;
};

void level_init(struct level *level);

/* Takes a stretch of so many seconds in which `seen` events came of `expected` (before the factor). */
void level_learn(struct level *level, double seen, double expected, double seconds);

struct level_now level_at_present(const struct level *level);

/* Whether levels wander so much that a slow decline is hardly news, or may do for all that is known. */
bool level_wanders(const struct level *level);
