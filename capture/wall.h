/* SPDX-License-Identifier: BSD-3-Clause */
/* The time of a live capture: the wall clock's, but that it never runs back when somebody sets that. */
#pragma once

#include <stdint.h>

/*
 * What sets the wall clock moves it against the monotonic one. Set forward, or after the machine has slept,
 * the time leaps with it: what it leaps over was not watched. Set back, the time goes on, ahead of the wall
 * clock by so much, and loses one second in 32 until they meet again, which no rate and no silence shows.
 */
struct wall {
    int64_t monotonic_ns; /* when it was looked at last */
    int64_t apart_ns;     /* the wall clock's lead over the monotonic one */
    int64_t ahead_ns;     /* this time's lead over the wall clock */
};

enum { WALL_LOSES_ONE_IN = 32 };

/* Begins; nowhere before `least_ns` (TIME_NONE: wherever the wall clock is). */
void wall_begin(struct wall *wall, int64_t least_ns);

/* Looks at the clocks and returns the time. `set_ns` is by how much the wall clock was set since the last
 * look, 0 if it was not or by less than a tenth of a second; `leap_ns` how far the time leapt with it. */
int64_t wall_look(struct wall *wall, int64_t *set_ns, int64_t *leap_ns);

/* The time, as of the last look, of an instant that the wall clock gave. */
static inline int64_t wall_time(const struct wall *wall, int64_t instant_ns)
{
    return instant_ns + wall->ahead_ns;
}
