/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays a scenario packet by packet, in time order, as the tap sees it. */
#pragma once

#include "output.h"
#include "script.h"

/* What was written. Flows with a forged source count as packets and as `forged` only. */
struct world_counts {
    uint64_t packets, packets_in, packets_out; /* all; towards and from the watched side */
    uint64_t flows, answered_flows;            /* watched flows seen; seen from both sides */
    uint64_t forged;                           /* packets with a watched source that was not the sender */
};

/* Writes the capture of the whole scenario. Memory grows with the flows open at one time only. Returns 0, or
 * -1 with the fault when there is no memory; what cannot be written is told by output_close. */
int world_play(const struct script *script, struct output *output, bool nanoseconds,
               struct world_counts *counts, struct fault *fault);

/* What the two sides of a flow of this traffic exchange, in packets and IP bytes, when nothing goes wrong. */
struct world_volume {
    uint32_t packets[2], bytes[2]; /* of the client, of the server */
};
struct world_volume world_volume(const struct traffic *traffic, enum kind kind);
