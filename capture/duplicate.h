/* SPDX-License-Identifier: BSD-3-Clause */
/* Recognises the second copies of packets that a mirror makes where it copies both ingress and egress. Of
 * fixed size. */
#pragma once

#include "health.h"
#include "packet.h"

enum { DUPLICATE_PACKETS_MAX = 1 << 13, DUPLICATE_WINDOW_MS = 5 };

struct duplicate;

/* `health` is borrowed. NULL: no memory. */
struct duplicate *duplicate_new(struct health *health);
void duplicate_free(struct duplicate *duplicate);

/* Whether the same packet (is_ip) has been seen within the last 5 ms of data time, among the last 8192: the
 * same IP bytes, whatever carried them, but for time to live, hop limit and header checksum, which a router
 * between the copies changes. Of a packet that was cut its headers are compared, since copies in unlike
 * frames are cut at unlike places. Remembers the packet if it has not. Two packets that were sent alike
 * within that time are taken for copies: IPv6 without payload has nothing that tells them apart. Whatever of
 * the last 5 ms is forgotten for want of room is counted in health.duplicates_unknown. */
bool duplicate_seen(struct duplicate *duplicate, const struct packet *packet);
