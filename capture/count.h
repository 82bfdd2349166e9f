/* SPDX-License-Identifier: BSD-3-Clause */
/* The interval under way: what each scope counts of the packets and flows that the worker shows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "burst.h"
#include "capture.h"
#include "distinct.h"
#include "flow.h"
#include "health.h"
#include "leg.h"
#include "packet.h"
#include "rules.h"
#include "tally.h"

struct count;

/* Borrows all but the options, and names the legs of the scopes as they appear. NULL: no memory. */
struct count *count_new(const struct capture_options *options, const struct rules *rules,
                        const struct scope_list *scopes, struct health *health);
void count_free(struct count *count);

/* Between two bins: from the next count_open on these rules and scopes hold, borrowed in the others' stead.
 * Bursts and legs go on. -1: no memory, and nothing is changed. */
int count_change(struct count *count, const struct rules *rules, const struct scope_list *scopes);

/* Opens the interval that starts at `start_ns`, with every scope at zero; `known` says which measures can be
 * known, where the scope can know them at all. When `new_bin`, hosts and peers are new again. */
void count_open(struct count *count, int64_t start_ns, bool new_bin, uint64_t known);

/* Closes it at `end_ns`: the tallies, one a scope, valid until the next count_open. `drops` is of the
 * interval, at the interface of this number. Of one of several, count_join has still
 * a word to say. */
const struct tally *count_close(struct count *count, int64_t end_ns, uint64_t drops, uint16_t interface);

/* Makes it one of several that share the packets, for count_join. Before the first interval. */
void count_share(struct count *count);

/* Tells several, at most SIGNS_SETS_MAX that were closed at the same time, what they can only know together:
 * which signs of life began bursts, and which hosts and peers more than one of them has seen, which then
 * count in the tallies of the first of them alone. `burst` and `seen` remember that; the caller lets `seen`
 * forget when a bin begins. */
void count_join(struct count *const *counts, size_t count_count, struct burst *burst, struct distinct *seen);

/* Once it is closed, or joined: which hosts spoke in it, NULL when nobody wants to know. Of several
 * the first has those of all. Valid as the tallies are. */
const struct hosts *count_hosts(struct count *count);

/* The flow is about to be freed. */
void count_flow_ended(struct count *count, const struct flow *flow);

/* A packet that another one counts: its leg is named in the order in which packets come. */
void count_meet(struct count *count, const struct packet *packet);

/* A packet that is not watched, or a frame that could not be read: the tap's. */
void count_tap(struct count *count, const struct packet *packet);

/* The same for a run of packets, in three parts: count_run, count_run_leg for each packet, which says its
 * leg, and where some path names the link count_link_paths, and count_run_end with what they have in sum: how
 * many, their IP bytes, and the times of the first and the last. */
struct count_run {
    struct legs *legs;
    uint64_t *of_leg; /* the tap's packets on each */
    bool has_link_paths;
};
struct count_run *count_run(struct count *count);
void count_link_paths(struct count *count, const struct packet *packet, unsigned leg);
void count_run_end(struct count *count, uint64_t packets, uint64_t bytes, int64_t first_ns, int64_t last_ns);

/* `vlan`: LEG_UNTAGGED where there is none. */
static inline unsigned count_run_leg(struct count_run *run, uint16_t interface, uint16_t vlan)
{
    unsigned leg = legs_find(run->legs, interface, vlan);
    run->of_leg[leg]++;
    return leg;
}

/* Says that a packet, watched most likely, comes soon, so that what is asked of its addresses is near then.
 * Changes nothing. */
void count_expect(const struct count *count, const struct packet *packet);

/* A watched packet; `watch` says what the watch list found for its source and destination. Its flow, or NULL
 * where it has none, knows its services; `side` of it sent the packet. */
void count_packet(struct count *count, const struct packet *packet, const uint32_t watch[2],
                  struct flow *flow, unsigned side);

/* What a packet did to its flow: started it, was the first of its side, or proved that the side lives. Sets
 * the flow's live, answered and proven at once, and which bursts began with them when the interval is closed.
 * Call after the services by address are known. */
void count_flow(struct count *count, const struct packet *packet, struct flow *flow, unsigned side,
                bool started);

/* The name of the flow gave it a service that its address did not: what it has counted so far is credited
 * now. */
void count_named_service(struct count *count, const struct flow *flow, int64_t at_ns);

/* An ICMP error that quotes a packet; `watch` is what the watch list found for the quoted destination, and
 * `own` says that a watched address sent the error. What a known router reports of the way counts in its path
 * too. */
void count_icmp_error(struct count *count, const struct packet *packet, uint32_t watch, bool own);

/* Adds what of some frames was captured. */
void count_frames(struct count *count, const struct tally_frames *frames);

/* Takes such an error, given to count_tap before, out of what its leg of the tap carries. */
void count_no_control(struct count *count, const struct packet *packet);
