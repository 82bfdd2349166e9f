/* SPDX-License-Identifier: BSD-3-Clause */
/* De-clustered evidence of life: which signs of life begin a burst, and which only go on with one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "health.h"

/* What says that a watched host is alive: its own first packet in a flow, a flow heard from both sides, and
 * one in which the host has proved that it hears. Bursts of each are told apart from those of the others. */
enum burst_sign { BURST_LIVE, BURST_ANSWERED, BURST_PROVEN, BURST__SIGNS };

/* Whose sign of life it is: the watched host, the /24 (IPv6: /48) of the other side, and the service: the
 * protocol with the port of the flow's destination, or with the type family of ICMP. */
struct burst_triple {
    uint8_t host[16], peers[16];
    uint16_t service; /* the port, or the ICMP family */
    uint8_t protocol;
};

/* The triple of a sign that the watched `side` of a flow gives. */
struct burst_triple burst_triple_of(const struct flow *flow, unsigned side);

/* So many triples are remembered at a time, in 8 MiB. */
enum { BURST_TRIPLES_MAX = 1 << 16 };

struct burst;

/* Borrows health. NULL: no memory. */
struct burst *burst_new(int64_t length_ns, struct health *health);
void burst_free(struct burst *burst);

/* Notes a sign of life of a triple, and says whether it begins a burst. It does
 * unless a burst of the same triple and kind began less than `length_ns` before; or less, on a busy tap: the
 * time that sixteen signs of any triple take on average, and of a busy triple about a sixteenth of the usual
 * distance of its own. So what is asked all the time is evidence all the time. Where time steps back by more
 * than that, too, another burst begins.
 *
 * When there is no room the triple that gave no sign for longest is forgotten, and counted in
 * health.bursts_evicted if its burst could have gone on: then one burst may count as two. */
bool burst_begins(struct burst *burst, const struct burst_triple *triple, enum burst_sign sign,
                  int64_t at_ns);

/* Say that a sign of a triple comes soon, and a second time that it comes sooner, so that what is known of it
 * is near then. Change nothing. */
void burst_expect(const struct burst *burst, const struct burst_triple *triple);
void burst_expect_soon(const struct burst *burst, const struct burst_triple *triple);
