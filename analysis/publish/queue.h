/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded queue of values of unlike sizes between one thread that writes and one that reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* Who gives way when room is short: a third of the room is closed to the low ones, a sixth to the middle
 * ones. */
enum queue_rank { QUEUE_LOW, QUEUE_MIDDLE, QUEUE_HIGH };

struct queue_item {
    uint32_t length_bytes;
    uint32_t tag;                /* the caller's */
    _Alignas(8) uint8_t value[]; /* a copy of what was put in */
};

/* A ring of `room_bytes`, a multiple of 8, for values no longer than a quarter of it. With `patient` the
 * writer waits for room, otherwise it never waits. NULL when there is no memory. */
struct queue *queue_new(size_t room_bytes, bool patient);
void queue_free(struct queue *queue);

/* Copies a value in. False, when it found no room and must not wait: nothing was taken. Those of high rank
 * wake the reader at once, the others within 50 ms, so that a busy writer does not pay for a wake-up each
 * time. */
bool queue_put(struct queue *queue, enum queue_rank rank, uint32_t tag, const void *value,
               size_t length_bytes);

/* How much of the room is taken. Called from any thread. */
size_t queue_bytes(struct queue *queue);

/* No more will be put in: the reader gets what is there, then NULL. */
void queue_close(struct queue *queue);

/* The next item, borrowed until the next call. With `wait`, NULL means closed and empty; without, nothing
 * there now. */
const struct queue_item *queue_next(struct queue *queue, bool wait);
