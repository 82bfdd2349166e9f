/* SPDX-License-Identifier: BSD-3-Clause */
/* Keyed hashing, for the tables that strangers' packets fill. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

/* A name of a host and what goes with it is the longest that is hashed. */
enum { HASH_WORDS_MAX = 33, HASH_SECRETS = 2 * HASH_WORDS_MAX + 2 };

/* What nobody outside the process knows. */
struct hash_key {
    uint64_t secret[HASH_SECRETS];
};

/* Draws a key, another one for each table, so that nobody can aim at one chain of it. Without entropy at the
 * very start of a machine it is made of the address of the table, which is poorer, and nothing else. What a
 * table tells must never depend on it. (Not const: the compiler would have it that the table is read.) */
static inline void hash_key_draw(struct hash_key *key, void *table)
{
    enum { AT_ONCE = 256 }; /* so many bytes come whole or not at all: getrandom(2) */
    uint8_t *bytes = (uint8_t *)key->secret;
    size_t done = 0;
    for (size_t next; done < sizeof key->secret; done += next) {
        next = sizeof key->secret - done < AT_ONCE ? sizeof key->secret - done : AT_ONCE;
        if (getrandom(bytes + done, next, GRND_NONBLOCK) != (ssize_t)next)
            break;
    }
    uint64_t poor = (uint64_t)(uintptr_t)table;
    for (size_t i = done / sizeof poor; i < HASH_SECRETS; i++) { /* SplitMix64 */
        uint64_t mixed = poor += 0x9e3779b97f4a7c15ULL;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
        key->secret[i] = mixed ^ mixed >> 31;
    }
}

/* Hashes words, of which a table always has the same number, or else their number stands in the first, to 32
 * bits. Pair-multiply-shift (Thorup, High Speed Hashing for Integers and Strings, 2015, 3.3) is strongly
 * universal: whichever two keys one chooses without knowing the secret, they meet in one of m chains once in
 * m times. So no set of packets is worse for a table than another, unless it is chosen by what the secret
 * did; and of that nothing leaves the process, where chains show in no output and the capture answers
 * nobody. (Somebody who could time it might learn of the secret: it is no pseudo-random function, such as
 * SipHash-1-3, which takes twice as long.) The last product, by an odd secret, at most doubles that chance
 * and undoes the order that is left in rows of neighbouring addresses. */
static inline uint32_t hash_words(const struct hash_key *key, const uint64_t *words, size_t count)
{
    const uint64_t *secret = key->secret;
    uint64_t sum = secret[0];
    for (size_t i = 0; i < count; i++)
        sum += (secret[2 + 2 * i] + (uint32_t)(words[i] >> 32)) * (secret[3 + 2 * i] + (uint32_t)words[i]);
    return (uint32_t)((sum ^ sum >> 32) * (secret[1] | 1) >> 32);
}

/* Hashes two ends, an address of 16 bytes and a port each, and whatever else names what they have with each
 * other; in either order alike. */
static inline uint32_t hash_ends(const struct hash_key *key, const uint8_t *const address[2],
                                 const uint16_t port[2], uint16_t more)
{
    uint64_t one[2], other[2];
    memcpy(one, address[0], sizeof one);
    memcpy(other, address[1], sizeof other);
    const unsigned first = one[0] != other[0]   ? one[0] > other[0]
                           : one[1] != other[1] ? one[1] > other[1]
                                                : port[0] > port[1];
    uint64_t words[5];
    memcpy(words, address[first], sizeof one);
    memcpy(words + 2, address[!first], sizeof other);
    words[4] = (uint64_t)port[first] << 48 | (uint64_t)port[!first] << 32 | more;
    return hash_words(key, words, sizeof words / sizeof *words);
}

/* Multiplies to 128 bits and folds: every bit of both arguments reaches the result, unless one of them is
 * zero. */
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
