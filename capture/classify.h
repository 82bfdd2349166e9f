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

/* Starts nDPI: one module, for one thread; two must not be started at the same time. `flows_max` caps the
 * flows under classification at a time (some 700 bytes each), at least 1. Beyond it packets are not shown,
 * and counted in health.classify_refused, until their flow has been answered; then the flow that has waited
 * longest makes room. Flows must stay where they are meanwhile. `health` is borrowed. NULL with the fault
 * when memory is short or the library is of another version than its headers. */
struct classify *classify_new(size_t flows_max, struct health *health, struct fault *fault);

/* Every flow's classification must have been ended. NULL is fine. */
void classify_free(struct classify *classify);

/* Shows a packet of the flow to nDPI unless it has decided: of TCP only packets with payload, and of nothing
 * those that were cut. nDPI has decided when it knows the application and, where that names a host, the name;
 * it gives up after 24 packets of TCP or 10 of anything else. Returns true when the flow's application or
 * domain has just become known (the domain lower case, without port or final dot, at most FLOW_DOMAIN_MAX - 1
 * bytes, untrusted). */
bool classify_packet(struct classify *classify, struct flow *flow, const struct packet *packet,
                     unsigned side);

/* Ends the classification of a flow and gives the memory back. What nDPI has seen so far may still yield a
 * name or a domain; a port or an address alone never does, so that what said nothing stays "Unknown". */
void classify_end(struct classify *classify, struct flow *flow);

/* Right after classify_packet has said that something became known: the domain, or NULL. */
const char *classify_news(const struct classify *classify);

/* The domain that was found, or NULL; valid until classify_forget. 65,536 are kept at a time; the flows of
 * others have none from then on, and are counted in health.names_unkept. */
const char *classify_domain(const struct flow *flow);

/* Lets go of what was found of a flow, which is kept once for all flows of which it was: to be called when a
 * flow ends whose classification has ended. */
void classify_forget(struct classify *classify, struct flow *flow);

/* Writes the application's name as nDPI spells it, master and application joined by a dot; "Unknown" when
 * undecided. */
void classify_name(const struct classify *classify, const struct flow *flow, char *text, size_t room);

/* "4.2.0", of the library that is loaded: for --version. */
const char *classify_version(void);
