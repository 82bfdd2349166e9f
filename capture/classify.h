/* SPDX-License-Identifier: BSD-3-Clause */
/* Which application a flow carries, and for which name: nDPI, on the first packets only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"
#include "flow.h"
#include "health.h"
#include "packet.h"

struct classify;

/* One module, for one thread. `flows_max` caps the flows under classification at a time. */
struct classify *classify_new(size_t flows_max, struct health *health, struct fault *fault);
void classify_free(struct classify *classify);

/* Shows a packet of the flow to nDPI unless it has decided. Packets that were cut are not shown. Returns true when the
 * flow's application or domain has just become known (the domain lower case, bounded, untrusted). */
bool classify_packet(struct classify *classify, struct flow *flow, const struct packet *packet, unsigned side);

/* Ends the classification of a flow: a last guess from what was seen, and the memory is given back. */
void classify_end(struct classify *classify, struct flow *flow);

/* Writes the application's name as nDPI spells it, master and application joined by a dot; "Unknown" when undecided. */
void classify_name(const struct classify *classify, const struct flow *flow, char *text, size_t room);

/* "4.2.0": for --version. */
const char *classify_version(void);
