/* SPDX-License-Identifier: BSD-3-Clause */
/* Prefixes from a file: one a line, or those of a country in an RIR's delegated statistics. */
#pragma once

#include <stddef.h>

#include "watchlist.h"

/* Reads "FILE" (a CIDR a line, # comments) or "FILE,CC" (delegated statistics, the ipv4 and ipv6 rows of
 * country CC; counts that are no power of two become several prefixes). The array is the caller's to free;
 * sorted, each prefix once. Returns 0, or -1 with the fault naming file and line. */
int prefix_list_read(const char *argument, struct prefix **prefixes, size_t *count, struct fault *fault);
