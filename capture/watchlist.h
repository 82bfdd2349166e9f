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

/* Reads "175.45.176.0/22", "2001:db8::/32" or a bare address. Bits beyond the length are an error, with the prefix
 * that was probably meant in the message. `0.0.0.0/0` covers IPv4 only. */
int prefix_parse(const char *text, struct prefix *prefix, struct fault *fault);

/* Writes it back in canonical form ("175.45.176.0/22"). */
void prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);

bool prefix_contains(const struct prefix *prefix, const uint8_t address[16]);

struct watchlist;

struct watchlist *watchlist_new(void);
void watchlist_free(struct watchlist *list);

/* Adds a prefix with a number of the caller's; the same prefix twice replaces the number. -1: no memory. */
int watchlist_add(struct watchlist *list, const struct prefix *prefix, uint32_t number);

/* The number of the longest prefix that holds the address, or WATCHLIST_NONE. */
#define WATCHLIST_NONE UINT32_MAX
uint32_t watchlist_find(const struct watchlist *list, const uint8_t address[16]);
