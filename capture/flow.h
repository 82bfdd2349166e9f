/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table: watched flows by their two-way 5-tuple, capped, idle by data time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_record.h"
#include "health.h"
#include "packet.h"

struct classify_flow;

/* One watched flow. Side 0 is the source: the end that sent the first packet, or the SYN. The key orders its two ends
 * by address and port, so that both directions find the same flow. Times are data time, which never runs back. */
struct flow {
    uint8_t address[2][16];
    uint16_t port[2];       /* ICMP: the id in both, 0 where the type has none */
    uint8_t protocol;
    uint8_t family;         /* ICMP: the type family, else 0 */

    bool watched[2];        /* set by the caller at the start */
    bool spoke[2];          /* the side has sent a packet */
    bool closed;            /* a FIN or RST was seen: the next bare SYN is another flow */
    bool live, answered;    /* counted already */
    uint32_t watch[2];      /* what the watch list says of each side */
    int64_t start_ns, last_ns;
    uint64_t packets[2], bytes[2];

    uint8_t vlan_count, tunnel_count;
    uint16_t vlans[FLOW_VLANS_MAX];
    uint8_t tunnels[FLOW_TUNNELS_MAX];
    uint32_t path;                /* scope of the first packet's path */
    uint32_t service_by_address, service_by_name;
    int64_t bin_seen_ns[2];       /* the bin in which side 0 and 1 were last counted among hosts and peers */

    struct classify_flow *classification; /* while undecided */
    bool classified;                      /* nothing more will be asked */
    uint16_t application[2];              /* nDPI's master and application ids */
    char *domain;                         /* owned; NULL: none */

    struct flow *hash_next;               /* private to flow.c */
    struct flow *older, *newer;
};

struct flow_options {
    size_t flows_max;
    int64_t timeout_ns;
};

struct flow_output {
    void *context;
    void (*ended)(void *context, struct flow *flow, enum flow_end reason); /* about to be freed */
};

struct flow_table;

/* NULL when there is no memory. `health` is borrowed. */
struct flow_table *flow_table_new(const struct flow_options *options, const struct flow_output *output, struct health *health);
void flow_table_free(struct flow_table *table); /* without telling anybody; see flow_table_finish */

/* Finds or starts the flow of a packet (is_ip and has_transport, not a later fragment, not an ICMP error), counts the
 * packet in it and says which side sent it. A flow starts with the first packet of a 5-tuple that is not in the table,
 * or has been idle for longer than the timeout, or with a bare SYN after a FIN or RST. Returns NULL when the table is
 * full and nothing can be evicted, or memory is short. */
struct flow *flow_table_packet(struct flow_table *table, const struct packet *packet, unsigned *side, bool *started);

/* Ends the flows that have been idle for longer than the timeout at `now_ns`. */
void flow_table_expire(struct flow_table *table, int64_t now_ns);

/* Ends every flow: the input is over. */
void flow_table_finish(struct flow_table *table);

size_t flow_table_count(const struct flow_table *table);

/* The family of an ICMP or ICMPv6 type: request and reply share one. */
uint8_t flow_icmp_family(uint8_t protocol, uint8_t type);
