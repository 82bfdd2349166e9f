/* SPDX-License-Identifier: BSD-3-Clause */
/* The one checked reader: a cursor over untrusted bytes that can run short, but never over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The bytes still to be read. Reads name an offset from the cursor, as the pictures of the standards do, and
 * leave the cursor where it is; wire_skip moves it. Whoever asks for more than there is gets zeros and sets
 * `cut`, which stays set while nothing more is left: several reads can be followed by one question. Where a
 * function has asked for `left` once, the compiler drops the checks of the reads that follow, so they cost
 * nothing. */
struct wire {
    const uint8_t *at;
    size_t left;
    bool cut;
};

/* Borrows `length` bytes. Nothing is assumed of their alignment. */
static inline struct wire wire_over(const uint8_t *bytes, size_t length)
{
    return (struct wire){.at = bytes, .left = length, .cut = false};
}

/* Whether `count` bytes lie at the offset; if not, the cursor is cut from here on. */
static inline bool wire_holds(struct wire *wire, size_t offset, size_t count)
{
    if (offset <= wire->left && count <= wire->left - offset)
        return true;
    wire->left = 0;
    wire->cut = true;
    return false;
}

static inline uint8_t wire_u8(struct wire *wire, size_t offset)
{
    return wire_holds(wire, offset, 1) ? wire->at[offset] : 0;
}

/* Network order to host order. */
static inline uint16_t wire_u16(struct wire *wire, size_t offset)
{
    if (!wire_holds(wire, offset, 2))
        return 0;
    const uint8_t *p = wire->at + offset;
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Network order to host order. */
static inline uint32_t wire_u32(struct wire *wire, size_t offset)
{
    if (!wire_holds(wire, offset, 4))
        return 0;
    const uint8_t *p = wire->at + offset;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Copies `count` bytes, or fills with zeros when they are not all there. */
static inline void wire_copy(struct wire *wire, size_t offset, uint8_t *to, size_t count)
{
    if (wire_holds(wire, offset, count))
        memcpy(to, wire->at + offset, count);
    else
        memset(to, 0, count);
}

/* Moves the cursor on. */
static inline void wire_skip(struct wire *wire, size_t count)
{
    if (!wire_holds(wire, 0, count))
        return;
    wire->at += count;
    wire->left -= count;
}

/* Takes away what lies beyond `count` bytes: a length that a header gives, say. Never adds. */
static inline void wire_limit(struct wire *wire, size_t count)
{
    if (count < wire->left)
        wire->left = count;
}
