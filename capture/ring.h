/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue of frames and of the passing of time from one thread to one other, without a lock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

struct ring;

/* `bytes` is rounded up to a power of two; memory is touched as it is used. NULL: no memory. */
struct ring *ring_new(size_t bytes);
void ring_free(struct ring *ring);

/* ---- the thread that fills it ---- */

/* Copies a frame into the ring, whose time is not before that of the one before. False: there is no room. */
bool ring_push(struct ring *ring, const struct frame *frame);

/* Says that no frame from before `time_ns` will follow. False: there is no room, which is no matter if
 * another follows. */
bool ring_tick(struct ring *ring, int64_t time_ns);

/* The same, and what lies before that time was not watched. */
bool ring_leap(struct ring *ring, int64_t time_ns);

/* Nothing will follow, and data time has reached `time_ns`. */
void ring_end(struct ring *ring, int64_t time_ns);

/* ---- the thread that empties it ---- */

enum ring_news { RING_EMPTY, RING_FRAME, RING_TICK, RING_LEAP, RING_END };

/* What comes first: fills the frame, of a tick, a leap or the end its time alone. The frame's bytes are the
 * ring's until ring_pop. */
enum ring_news ring_peek(struct ring *ring, struct frame *frame);
void ring_pop(struct ring *ring);

/* Whether more than half of its room is taken. */
bool ring_is_filling(const struct ring *ring);
