/* SPDX-License-Identifier: BSD-3-Clause */
/* The bench's only source of chance: a small seeded generator, the same on every machine. */
#pragma once

#include <math.h>
#include <stdint.h>

/* SplitMix64. */
static inline uint64_t random_bits(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* In (0, 1). */
static inline double random_uniform(uint64_t *seed)
{
    return ((double)(random_bits(seed) >> 11) + 0.5) * 0x1p-53;
}

/* Exponential of mean one. */
static inline double random_exponential(uint64_t *seed)
{
    return -log(random_uniform(seed));
}

/* Normal of mean zero and deviation one (Box and Muller). */
static inline double random_normal(uint64_t *seed)
{
    double radius = sqrt(2 * random_exponential(seed));
    return radius * cos(6.283185307179586 * random_uniform(seed));
}
