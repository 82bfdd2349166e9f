/* SPDX-License-Identifier: BSD-3-Clause */
/* Has memory brought near that will be asked for soon: where tables are larger than the caches, waiting for
 * them one after the other is most of what a packet costs. */
#pragma once

#include <stddef.h>

enum { FETCH_LINE_BYTES = 64 };

/* Brings the line that holds a byte. It may be any address. */
static inline void fetch(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile(""); /* or gcc takes who does nothing else for who does nothing, and calls it not */
}

/* Brings all lines of a thing. */
static inline void fetch_all(const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += FETCH_LINE_BYTES)
        fetch((const char *)at + i);
    fetch((const char *)at + bytes - 1);
}
