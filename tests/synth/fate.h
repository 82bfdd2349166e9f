/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is cut off when: what the outages and tap faults of a script mean for one packet. */
#pragma once

#include "prng.h"
#include "script.h"

/* What an outage looks at: the watched end of a flow. */
struct place {
    uint32_t address;
    int service;   /* number of the traffic, or -1 */
    int path;      /* or -1 */
    uint32_t peer; /* who is at the other end */
};

/* Share of the place's flows, 0 to 1, that this outage cuts off at an instant. */
double fate_depth(const struct script *script, const struct outage *outage, const struct place *place,
                  int64_t t_ns);

/* The outage that silences a flow of this place, or NULL. `lot` (0 to 1) is the flow's own: an outage of
 * depth 0.6 silences the flows whose lot is below 0.6, all along. */
const struct outage *fate_silenced(const struct script *script, const struct place *place, double lot,
                                   int64_t t_ns);

/* Share of the place's flows that are silenced between two instants, and likewise of the packets towards it
 * that do not even reach the tap. */
double fate_silenced_share(const struct script *script, const struct place *place, int64_t from_ns,
                           int64_t to_ns);
double fate_ceased_share(const struct script *script, const struct place *place, int64_t from_ns,
                         int64_t to_ns);

/* When an item of the outage's order is back. */
int64_t fate_return(const struct outage *outage, int item);

/* Whether the place's peer is not let through. */
bool fate_blocked(const struct script *script, const struct place *place, int64_t t_ns);

/* The share of packets that get lost on the road between the tap and the place, each way, and by how much
 * what comes from there is late. */
double fate_lost(const struct script *script, const struct place *place, int64_t t_ns);
int64_t fate_delay(const struct script *script, const struct place *place, int64_t t_ns);

/* Whether packets into the dark reach the tap. */
bool fate_reaches_tap(const struct script *script, const struct outage *outage);

enum direction { DIRECTION_IN, DIRECTION_OUT };

/* Share of packets of a direction and a VLAN that the tap loses. */
double fate_tap_loss(const struct script *script, enum direction direction, uint16_t vlan, int64_t t_ns);

/* How much the tap passes of a frame of this length. */
size_t fate_kept(const struct script *script, size_t length, int64_t t_ns);
