/* SPDX-License-Identifier: BSD-3-Clause */
/* The watch list: address to watched prefix, the longest match wins, IPv4 and IPv6 alike. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fault.h"

/* A prefix of the 128-bit space in which IPv4 is mapped: 10.0.0.0/8 is ::ffff:10.0.0.0 with length 104. */
struct prefix {
    uint8_t address[16];
    uint8_t length; /* 0 to 128 */
};

enum { PREFIX_TEXT_MAX = 64 };

/* Reads "175.45.176.0/22", "2001:db8::/32" or a bare address. Bits beyond the length are an error, with the
 * prefix that was probably meant in the message. `0.0.0.0/0` covers IPv4 only, and `::/0` IPv6 only. Returns
 * 0, or -1 with the fault. */
int prefix_parse(const char *text, struct prefix *prefix, struct fault *fault);

/* Writes it back in canonical form ("175.45.176.0/22"). */
void prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);

/* Whether the address lies in the prefix. A prefix that is no IPv4 prefix holds no IPv4 address, though
 * `::/0` would by its bits alone. */
bool prefix_contains(const struct prefix *prefix, const uint8_t address[16]);

/* The head of a list: by which nearly every packet is seen not to be watched. A filter, in which addresses
 * alike above so many bits (of IPv6: of their upper halves) are a cell; where anything in a cell may be
 * watched, the bits that its hash says are set in the word that its hash says. And before it, unless the list
 * is too long for that, a map with a bit for each IPv4 /16. */
struct watchlist {
    const uint64_t *ipv4_map; /* NULL: there is none */
    const uint64_t *words;
    uint8_t fold, ipv4_shift, ipv6_shift;
};

/* NULL: no memory. `watchlist_free` takes NULL too. */
struct watchlist *watchlist_new(void);
void watchlist_free(struct watchlist *list);

#define WATCHLIST_NONE UINT32_MAX

/* Adds a prefix with a number of the caller's (not WATCHLIST_NONE); the same prefix twice replaces the
 * number. -1: no memory. */
int watchlist_add(struct watchlist *list, const struct prefix *prefix, uint32_t number);

/* Makes the added prefixes ready for finding: once, after the last of them, in n log n. A million prefixes
 * take 20 MiB of IPv4, 50 MiB of IPv6. -1: no memory, and the list is of no more use. */
int watchlist_build(struct watchlist *list);

/* The number of the longest prefix that holds the address, or WATCHLIST_NONE; of a list that is not built,
 * none. Reads only, so that threads may share a list. */
uint32_t watchlist_find(const struct watchlist *list, const uint8_t address[16]);

/* ---- the short way ---- */

static inline uint64_t watchlist_hash(uint64_t cell)
{
    return cell * 0x9e3779b97f4a7c15ULL;
}

static inline uint64_t watchlist_bits(uint64_t hash)
{
    return 1ULL << (hash >> 32 & 63) | 1ULL << (hash >> 26 & 63) | 1ULL << (hash >> 20 & 63);
}

static inline bool watchlist_may_hold(const struct watchlist *list, uint64_t cell)
{
    uint64_t hash = watchlist_hash(cell), bits = watchlist_bits(hash);
    return (list->words[hash >> list->fold] & bits) == bits;
}

static inline bool watchlist_may_hold_ipv4(const struct watchlist *list, uint32_t address)
{
    if (list->ipv4_map != NULL)
        return (list->ipv4_map[address >> 22] >> (address >> 16 & 63) & 1) != 0;
    return watchlist_may_hold(list, address >> list->ipv4_shift);
}

static inline bool watchlist_may_hold_ipv6(const struct watchlist *list, const uint8_t address[16])
{
    uint64_t high;
    memcpy(&high, address, sizeof high);
    return watchlist_may_hold(list, be64toh(high) >> list->ipv6_shift);
}

/* Whether an IPv4 address that the filter lets through is watched. */
bool watchlist_search_ipv4(const struct watchlist *list, uint32_t address);

/* Whether either of two IPv4 addresses, one behind the other as in a packet's header, is watched. */
static inline bool watchlist_holds_ipv4(const struct watchlist *list, const uint8_t addresses[8])
{
    uint32_t pair[2];
    memcpy(pair, addresses, sizeof pair);
    uint32_t one = be32toh(pair[0]), other = be32toh(pair[1]);
    bool first = watchlist_may_hold_ipv4(list, one), second = watchlist_may_hold_ipv4(list, other);
    if (!(first | second))
        return false;
    return (first && watchlist_search_ipv4(list, one)) || (second && watchlist_search_ipv4(list, other));
}

/* The same of IPv6 (or IPv4 mapped), in 32 bytes. */
static inline bool watchlist_holds_ipv6(const struct watchlist *list, const uint8_t addresses[32])
{
    static const uint8_t zero[8] = {0};
    bool first = watchlist_may_hold_ipv6(list, addresses),
         second = watchlist_may_hold_ipv6(list, addresses + 16),
         mapped = memcmp(addresses, zero, 8) == 0 || memcmp(addresses + 16, zero, 8) == 0;
    if (!(first | second | mapped))
        return false;
    return watchlist_find(list, addresses) != WATCHLIST_NONE ||
           watchlist_find(list, addresses + 16) != WATCHLIST_NONE;
}
