/* SPDX-License-Identifier: BSD-3-Clause */
/* Hands a reader's watched packets to the workers that own their flows. */
#pragma once

#include "health.h"
#include "packet.h"
#include "ring.h"

/* The worker among `count` that owns a packet's flow, by its innermost addresses without the ports: so both
 * directions have the same, whatever tunnels they came by, and fragments that of their first. Errors of ICMP,
 * which are evidence about others' flows, are the first's. */
size_t dispatch_owner(const struct packet *packet, size_t count);

struct dispatch;

/* Borrows `rings`, one a worker, and `health`. Where a ring is full a packet is lost and counted, or, when
 * `waits`, waited for. NULL: no memory. */
struct dispatch *dispatch_new(struct ring *const *rings, size_t count, bool waits, struct health *health);
void dispatch_free(struct dispatch *dispatch);

/* Hands on a frame that counts at `time_ns`; `packet` is what was decoded of it. */
void dispatch_frame(struct dispatch *dispatch, const struct frame *frame, const struct packet *packet,
                    int64_t time_ns);

/* Tells all that data time has reached `time_ns`. */
void dispatch_tick(struct dispatch *dispatch, int64_t time_ns);

/* The same, and that what lies before was not watched: whoever has no room is waited for. */
void dispatch_leap(struct dispatch *dispatch, int64_t time_ns);

/* Tells all that there is no more, data time having reached `time_ns`; TIME_NONE: none was there. */
void dispatch_end(struct dispatch *dispatch, int64_t time_ns);
