/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records stand one behind the other, each in one piece: where one does not fit before the end of the memory
 * a record that says nothing fills the rest. `filled` and `emptied` only grow; each is written by one thread
 * and stands in a cache line of its own. Each side remembers what it saw last of the other, so that it seldom
 * has to look.
 */
#include "ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64, ALIGN_BYTES = 8 };

enum kind { KIND_FRAME, KIND_TICK, KIND_LEAP, KIND_REST };

struct record {
    uint32_t bytes; /* with what follows, a multiple of eight */
    uint32_t kind;
    struct frame frame;
};

struct ring {
    uint64_t mask;
    uint8_t *memory;
    _Alignas(LINE_BYTES) _Atomic uint64_t filled; /* bytes so far */
    uint64_t emptied_seen;
    int64_t end_ns;
    _Atomic bool ended;
    _Alignas(LINE_BYTES) _Atomic uint64_t emptied;
    uint64_t filled_seen;
};

struct ring *ring_new(size_t bytes)
{
    uint64_t size = 4096;
    while (size < bytes)
        size *= 2;
    struct ring *ring = aligned_alloc(LINE_BYTES, sizeof *ring);
    if (ring == NULL)
        return NULL;
    memset(ring, 0, sizeof *ring);
    ring->mask = size - 1;
    ring->memory = malloc(size);
    if (ring->memory == NULL) {
        free(ring);
        return NULL;
    }
    return ring;
}

void ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->memory);
    free(ring);
}

/* Room for so many bytes in one piece, at *filled; NULL: there is none. */
static struct record *make_room(struct ring *ring, uint64_t *filled, uint32_t bytes)
{
    *filled = atomic_load_explicit(&ring->filled, memory_order_relaxed);
    uint64_t to_end = ring->mask + 1 - (*filled & ring->mask);
    uint64_t wanted = to_end < bytes ? to_end + bytes : bytes;
    if (*filled + wanted - ring->emptied_seen > ring->mask + 1) {
        ring->emptied_seen = atomic_load_explicit(&ring->emptied, memory_order_acquire);
        if (*filled + wanted - ring->emptied_seen > ring->mask + 1)
            return NULL;
    }
    if (to_end < bytes) {
        struct record *rest = (struct record *)(void *)(ring->memory + (*filled & ring->mask));
        rest->bytes = (uint32_t)to_end;
        rest->kind = KIND_REST;
        *filled += to_end;
    }
    return (struct record *)(void *)(ring->memory + (*filled & ring->mask));
}

static bool push(struct ring *ring, enum kind kind, const struct frame *frame)
{
    uint64_t filled;
    uint64_t bytes = sizeof(struct record) +
                     ((uint64_t)frame->captured_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    if (bytes > ring->mask / 2)
        return false;
    struct record *record = make_room(ring, &filled, (uint32_t)bytes);
    if (record == NULL)
        return false;
    record->bytes = (uint32_t)bytes;
    record->kind = kind;
    record->frame = *frame;
    if (frame->captured_bytes > 0)
        memcpy(record + 1, frame->bytes, frame->captured_bytes);
    atomic_store_explicit(&ring->filled, filled + bytes, memory_order_release);
    return true;
}

bool ring_push(struct ring *ring, const struct frame *frame)
{
    return push(ring, KIND_FRAME, frame);
}

bool ring_tick(struct ring *ring, int64_t time_ns)
{
    return push(ring, KIND_TICK, &(struct frame){.time_ns = time_ns});
}

bool ring_leap(struct ring *ring, int64_t time_ns)
{
    return push(ring, KIND_LEAP, &(struct frame){.time_ns = time_ns});
}

void ring_end(struct ring *ring, int64_t time_ns)
{
    ring->end_ns = time_ns;
    atomic_store_explicit(&ring->ended, true, memory_order_release);
}

/* The first record; NULL: there is none. */
static struct record *first(struct ring *ring)
{
    for (;;) {
        uint64_t emptied = atomic_load_explicit(&ring->emptied, memory_order_relaxed);
        if (emptied == ring->filled_seen)
            ring->filled_seen = atomic_load_explicit(&ring->filled, memory_order_acquire);
        if (emptied == ring->filled_seen)
            return NULL;
        struct record *record = (struct record *)(void *)(ring->memory + (emptied & ring->mask));
        if (record->kind != KIND_REST)
            return record;
        atomic_store_explicit(&ring->emptied, emptied + record->bytes, memory_order_release);
    }
}

enum ring_news ring_peek(struct ring *ring, struct frame *frame)
{
    /* Asked before the records: what was put in before the end is never overlooked. */
    bool ended = atomic_load_explicit(&ring->ended, memory_order_acquire);
    const struct record *record = first(ring);
    if (record == NULL && ended)
        *frame = (struct frame){.time_ns = ring->end_ns};
    if (record == NULL)
        return ended ? RING_END : RING_EMPTY;
    *frame = record->frame;
    frame->bytes = (const uint8_t *)(record + 1);
    return record->kind == KIND_TICK ? RING_TICK : record->kind == KIND_LEAP ? RING_LEAP : RING_FRAME;
}

void ring_pop(struct ring *ring)
{
    uint64_t emptied = atomic_load_explicit(&ring->emptied, memory_order_relaxed);
    const struct record *record =
        (const struct record *)(const void *)(ring->memory + (emptied & ring->mask));
    atomic_store_explicit(&ring->emptied, emptied + record->bytes, memory_order_release);
}

bool ring_is_filling(const struct ring *ring)
{
    uint64_t filled = atomic_load_explicit(&ring->filled, memory_order_relaxed);
    return filled - atomic_load_explicit(&ring->emptied, memory_order_relaxed) > ring->mask / 2;
}
