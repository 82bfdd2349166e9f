/* SPDX-License-Identifier: BSD-3-Clause */
/* How flows came to the tap: under which tags, through which tunnels, by which path. There are few ways and
 * many flows, so that each is kept once and a flow has its number. */
#pragma once

#include <stdint.h>

#include "health.h"
#include "packet.h"

struct way {
    uint8_t vlan_count, tunnel_count;
    uint16_t vlans[FLOW_VLANS_MAX];
    uint8_t tunnels[FLOW_TUNNELS_MAX]; /* enum flow_tunnel */
    uint32_t path;                     /* a scope, or SCOPE_NONE */
};

enum { WAYS_MAX = 1 << 16 };

struct ways;

/* `health` is borrowed. NULL: no memory. `ways_free` takes NULL too. */
struct ways *ways_new(struct health *health);
void ways_free(struct ways *ways);

/* The number of a packet's way with this path. What comes beyond WAYS_MAX ways, or when memory is short, has
 * number 0, of which nothing is known, and is counted in health.ways_unkept. */
uint16_t ways_find(struct ways *ways, const struct packet *packet, uint32_t path);

const struct way *ways_get(const struct ways *ways, uint16_t number);

/* Has each way lead by the path that `after` says in its path's stead. */
void ways_change(struct ways *ways, uint32_t (*after)(void *context, uint32_t path), void *context);
