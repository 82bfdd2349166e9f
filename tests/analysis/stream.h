/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams with known truth for the tests of the study: Poisson counts from a small generator of our own. */
#pragma once

#include <math.h>
#include <stdint.h>

/* SplitMix64. */
static inline uint64_t stream_next(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static inline double stream_uniform(uint64_t *seed)
{
    return (double)(stream_next(seed) >> 11) * 0x1p-53;
}

/* A Poisson count of a small mean. */
static inline uint64_t stream_poisson(uint64_t *seed, double mean)
{
    double limit = exp(-mean), product = stream_uniform(seed);
    uint64_t count = 0;
    for (; product > limit; count++)
        product *= stream_uniform(seed);
    return count;
}
