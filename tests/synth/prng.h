/* SPDX-License-Identifier: BSD-3-Clause */
/* Chance that is the same everywhere: PCG32 (O'Neill 2014, pcg-random.org, XSH-RR 64/32), one stream a source
 * of traffic, so that a change to one source does not move the others. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state, stream;
};

static inline uint32_t prng_next(struct prng *prng)
{
    uint64_t old = prng->state;
    prng->state = old * 6364136223846793005ULL + prng->stream;
    uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return shifted >> turn | shifted << (-turn & 31);
}

static inline void prng_seed(struct prng *prng, uint64_t seed, uint64_t stream)
{
    *prng = (struct prng){.state = 0, .stream = stream << 1 | 1};
    prng_next(prng);
    prng->state += seed;
    prng_next(prng);
}

/* Whole number from 0 to below - 1; 0 when `below` is 0. */
static inline uint32_t prng_below(struct prng *prng, uint32_t below)
{
    return (uint32_t)((uint64_t)prng_next(prng) * below >> 32);
}

/* From 0 to just under 1. */
static inline double prng_unit(struct prng *prng)
{
    return prng_next(prng) * 0x1p-32;
}

static inline bool prng_chance(struct prng *prng, double probability)
{
    return prng_unit(prng) < probability;
}

/* Waiting time of a Poisson process. */
static inline double prng_exponential(struct prng *prng, double mean)
{
    return -mean * log1p(-prng_unit(prng));
}

/* 1, 2, 3 … with the given mean (at least 1): how many flows one visit opens. */
static inline uint32_t prng_geometric(struct prng *prng, double mean)
{
    uint32_t count = 1;
    while (count < 1000 && prng_unit(prng) * mean >= 1.0)
        count++;
    return count;
}
