/* SPDX-License-Identifier: BSD-3-Clause */
/* Much more than was ever usual, such as hosts that answer a flood of forged questions: what comes in a surge
 * teaches nothing, or its end would look like an outage. */
#pragma once

#include <stdbool.h>

/* Plain data; all zero at first. */
struct surge {
    double sum; /* of the log odds that four times as much is normal, since they were last against it */
    double disputed_s; /* for so long surges were not believed; forgotten eight times as slowly */
    bool on, believed; /* there is one; it has lasted so long that it is normal too */
};

/* What an interval brought. */
struct surge_input {
    double seconds, events;
    double usual;      /* events expected at the busiest hour of the day */
    double dispersion; /* variance over mean of counts */
    double learned_s;  /* how long what is usual was learned */
};

/* Whether what comes should teach nothing. */
static inline bool surge_is_on(const struct surge *surge)
{
    return surge->on && !surge->believed;
}

/* Takes an interval. Returns whether there is one now. One that lasts for a quarter of
 * the time in which the usual was learned, for half an hour at the least and a week at the most, is normal
 * too. */
bool surge_take(struct surge *surge, const struct surge_input *input);
