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

/* The head of a list: a map for each family with a bit a cell, which says whether anything in the cell may be
 * watched. Nearly every packet is seen by it not to be. */
struct watchlist {
    const uint64_t *ipv4_map, *ipv6_map;
    uint8_t ipv4_shift;            /* a cell: the addresses alike above so many bits */
    uint8_t ipv6_shift, ipv6_fold; /* the same of their upper halves; which bit it is a hash says */
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

/* A cell's place in the map of IPv6. */
static inline uint64_t watchlist_hash(uint64_t cell, unsigned fold)
{
    return cell * 0x9e3779b97f4a7c15ULL >> fold;
}

static inline bool watchlist_may_hold_ipv4(const struct watchlist *list, uint32_t address)
{
    uint32_t cell = address >> list->ipv4_shift;
    return (list->ipv4_map[cell / 64] >> cell % 64 & 1) != 0;
}

static inline bool watchlist_may_hold_ipv6(const struct watchlist *list, const uint8_t address[16])
{
    uint64_t high;
    memcpy(&high, address, sizeof high);
    uint64_t cell = watchlist_hash(be64toh(high) >> list->ipv6_shift, list->ipv6_fold);
    return (list->ipv6_map[cell / 64] >> cell % 64 & 1) != 0;
}

/* Whether an IPv4 address in a marked cell is watched. */
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
    bool may = watchlist_may_hold_ipv6(list, addresses) | watchlist_may_hold_ipv6(list, addresses + 16) |
               (memcmp(addresses, zero, 8) == 0) | (memcmp(addresses + 16, zero, 8) == 0);
    return may && (watchlist_find(list, addresses) != WATCHLIST_NONE ||
                   watchlist_find(list, addresses + 16) != WATCHLIST_NONE);
}
