/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyed hashing, for the tables that strangers' packets fill. */
#pragma once

#include <stdint.h>
#include <sys/random.h>

/* A secret, another one in each process, so that nobody can aim at one chain of a table. Without entropy at
 * the very start of a machine it is made of the address of the table, which is poorer, and nothing else. What
 * a table tells must never depend on it. (Not const: the compiler would have it that the table is read.) */
static inline uint64_t hash_seed(void *table)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)(uintptr_t)table;
    return seed;
}

/* Multiplies to 128 bits and folds: every bit of both arguments reaches the result. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, middle = a_high * b_low + (low >> 32),
             other = a_low * b_high + (uint32_t)middle;
    return (other << 32 | (uint32_t)low) ^ (a_high * b_high + (middle >> 32) + (other >> 32));
#endif
}
