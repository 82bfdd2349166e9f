/* SPDX-License-Identifier: BSD-3-Clause */
/* Time types, and no clock: data time comes from the packets, and only the live source pushes it on. */
#pragma once

#include <stdint.h>

/* All instants are nanoseconds since the Unix epoch, UTC, in an int64_t whose name ends in _ns (good to
 * 2262). */
#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL
#define NS_PER_US 1000LL

/* "Not known" for an instant: earlier than any packet can be. */
#define TIME_NONE INT64_MIN

/* The last multiple of `step_ns` (> 0) at or before `t_ns`, also for instants before the epoch. */
static inline int64_t clock_floor(int64_t t_ns, int64_t step_ns)
{
    int64_t rest = t_ns % step_ns;
    return t_ns - (rest < 0 ? rest + step_ns : rest);
}

/* A stretch of so many nanoseconds, to the nearest end where it is beyond an int64_t; none where it is no
 * number. */
static inline int64_t clock_stretch(double ns)
{
    return ns >= 9.2e18 ? INT64_MAX : ns <= -9.2e18 ? INT64_MIN : ns == ns ? (int64_t)ns : 0;
}

/* Seconds between two instants, signed. */
static inline double clock_seconds(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / (double)NS_PER_S;
}
