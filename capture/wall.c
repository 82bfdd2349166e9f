/* SPDX-License-Identifier: BSD-3-Clause */
#include "wall.h"

#include <time.h>

#include "clock.h"

/* A difference that two readings of the clocks may have by themselves: who reads may be held up between. */
static const int64_t least_set_ns = 100 * NS_PER_MS, held_up_ns = 10 * NS_PER_MS;

static int64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Reads both clocks at one instant, as nearly as a few attempts bring it. */
static int64_t read_clocks(int64_t *monotonic_ns)
{
    int64_t wall_ns, before_ns;
    int attempts = 5;
    do {
        before_ns = clock_now(CLOCK_MONOTONIC);
        wall_ns = clock_now(CLOCK_REALTIME);
        *monotonic_ns = clock_now(CLOCK_MONOTONIC);
    } while (*monotonic_ns - before_ns > held_up_ns && --attempts > 0);
    return wall_ns;
}

void wall_begin(struct wall *wall, int64_t least_ns)
{
    int64_t wall_ns = read_clocks(&wall->monotonic_ns);
    wall->apart_ns = wall_ns - wall->monotonic_ns;
    wall->ahead_ns = least_ns != TIME_NONE && least_ns > wall_ns ? least_ns - wall_ns : 0;
}

int64_t wall_look(struct wall *wall, int64_t *set_ns, int64_t *leap_ns)
{
    int64_t monotonic_ns, wall_ns = read_clocks(&monotonic_ns);
    int64_t set = wall_ns - monotonic_ns - wall->apart_ns;
    int64_t lost = (monotonic_ns - wall->monotonic_ns) / WALL_LOSES_ONE_IN;
    *set_ns = *leap_ns = 0;
    wall->ahead_ns -= lost < wall->ahead_ns ? lost : wall->ahead_ns;
    wall->monotonic_ns = monotonic_ns;
    if (set >= least_set_ns || set <= -least_set_ns) {
        *set_ns = set;
        *leap_ns = set > wall->ahead_ns ? set - wall->ahead_ns : 0;
        wall->apart_ns += set;
        wall->ahead_ns += *leap_ns - set;
    }
    return wall_ns + wall->ahead_ns;
}
