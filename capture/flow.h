/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: watched flows by their two-way 5-tuple, capped, idle by data time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_record.h"
#include "health.h"
#include "packet.h"
#include "tcp.h"

struct classify_flow;

/* One watched flow. Side 0 is the source: the end that sent the first packet, or the SYN. The key orders its
 * two ends by address and port, so that both directions find the same flow. Times are data time, which never
 * runs back. */
struct flow {
    uint8_t address[2][16];
    uint16_t port[2]; /* ICMP: the id in both, 0 where the type has none */
    uint8_t protocol;
    uint8_t family; /* ICMP: the type family, else 0 */

    bool watched[2];                       /* set by the caller at the start */
    bool spoke[2];                         /* the side has sent a packet */
    bool closed;                           /* a FIN or RST was seen: the next bare SYN is another flow */
    bool live, answered;                   /* counted already */
    bool live_burst[2], answered_burst[2]; /* … and that a burst of the watched side began with it */
    bool asked;                            /* its first packet was a question of side 0 */
    bool proven[2], proven_burst[2];       /* counted already, of a watched side, and likewise */
    uint32_t watch[2];                     /* what the watch list says of each side */
    int64_t start_ns, last_ns;
    uint64_t packets[2], bytes[2];
    uint32_t syns[2];       /* bare SYNs among them */
    uint32_t packets_alone; /* of the side that spoke first, before the other was heard */
    uint8_t first;          /* that side */
    uint8_t ttl[2];         /* of the side's latest packet */
    bool acked;             /* counted already: the outside has proved that the watched side answers */
    struct tcp tcp;

    uint8_t vlan_count, tunnel_count;
    uint16_t vlans[FLOW_VLANS_MAX];
    uint8_t tunnels[FLOW_TUNNELS_MAX];
    uint32_t path; /* scope of the first packet's path */
    uint32_t service_by_address, service_by_name;
    uint8_t server; /* the side that the services speak of */

    struct classify_flow *classification; /* while undecided */
    bool classified;                      /* nothing more will be asked */
    uint16_t application[2];              /* nDPI's master and application ids */
    char *domain;                         /* owned; NULL: none */

    struct flow *hash_next; /* private to flow.c */
    struct flow *older, *newer;
};

struct flow_options {
    size_t flows_max;
    int64_t timeout_ns;
};

struct flow_output {
    void *context;
    /* The flow is out of the table, still whole, and freed after the call, with its domain. Its
     * classification must have been ended by then. The table must not be touched from within. */
    void (*ended)(void *context, struct flow *flow, enum flow_end reason);
};

struct flow_table;

/* Copies the options and the output; `health` is borrowed. NULL: no memory. */
struct flow_table *flow_table_new(const struct flow_options *options, const struct flow_output *output,
                                  struct health *health);

/* Frees the table and what is in it without telling anybody (see flow_table_finish), so whoever owns the
 * flows' classification must have ended it. NULL is fine. */
void flow_table_free(struct flow_table *table);

/* Finds or starts the flow of a packet (is_ip and has_transport, not a later fragment, not an ICMP error),
 * counts the packet in it and says which side sent it. A flow starts with the first packet of a 5-tuple that
 * is not in the table, or has been idle for longer than the timeout, or with a bare SYN after a FIN or RST;
 * what stood there before ends. Its source is the end that sent this packet, or is sent this SYN-ACK;
 * `watched`, `watch`, `path` and the services are left for the caller to set. A full table first ends what is
 * idle, then evicts the flow heard longest ago among those in which only one side spoke, so that a scan
 * cannot push out conversations, and only then among the others. Returns NULL, and counts the packet in
 * health.flows_refused, when memory is short or the table has no room at all. */
struct flow *flow_table_packet(struct flow_table *table, const struct packet *packet, unsigned *side,
                               bool *started);

/* Counts a later fragment, which has been given the ports of its first, in the flow of these if that is in
 * the table. Returns it, and which side sent the fragment, or NULL. */
struct flow *flow_table_join(struct flow_table *table, const struct packet *packet, unsigned *side);

/* Ends the flows that have been idle for longer than the timeout at `now_ns`, the one heard longest ago
 * first; of those heard at the same instant, the ones in which only one side spoke, then in the order of
 * their packets. */
void flow_table_expire(struct flow_table *table, int64_t now_ns);

/* Shows every flow to `stays`, which may set what the caller sets, in the order of flow_table_expire; those
 * of which it says false end. */
void flow_table_review(struct flow_table *table, bool (*stays)(void *context, struct flow *flow),
                       void *context);

/* Ends every flow, in the same order: the input is over. */
void flow_table_finish(struct flow_table *table);

size_t flow_table_count(const struct flow_table *table);

/* The family of an ICMP or ICMPv6 type: request and reply share one. */
uint8_t flow_icmp_family(uint8_t protocol, uint8_t type);
