/* SPDX-License-Identifier: BSD-3-Clause */
/* The watch list: address to watched prefix, the longest match wins, IPv4 and IPv6 alike. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct watchlist;

/* NULL: no memory. `watchlist_free` takes NULL too. */
struct watchlist *watchlist_new(void);
void watchlist_free(struct watchlist *list);

#define WATCHLIST_NONE UINT32_MAX

/* Adds a prefix with a number of the caller's (not WATCHLIST_NONE); the same prefix twice replaces the
 * number. It takes effect with the next build. -1: no memory. */
int watchlist_add(struct watchlist *list, const struct prefix *prefix, uint32_t number);

/* Makes the added prefixes ready for finding: once, after the last of them, in n log n. A list may be added
 * to and built again; what was built before stands when this fails. -1: no memory. */
int watchlist_build(struct watchlist *list);

/* The number of the longest prefix that holds the address, or WATCHLIST_NONE. Reads only, so that threads may
 * share a built list. An IPv4 look-up takes at most seventeen comparisons however long the list, and one
 * table look-up where nothing in the address's /16 is watched. */
uint32_t watchlist_find(const struct watchlist *list, const uint8_t address[16]);

/* Whether either of two IPv4 addresses, one behind the other as in a packet's header, is watched. */
bool watchlist_holds_ipv4(const struct watchlist *list, const uint8_t addresses[8]);
