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
struct finding;

/* What an end of a flow has sent. */
struct flow_end_count {
    uint64_t bytes : 48, syns : 16; /* IP bytes; bare SYNs among the packets, up to 65535 */
    uint64_t packets : 39;
    uint64_t noted : 1; /* the caller's, for the bin in which the flow was heard last: forgotten with it */
    uint64_t ttl : 8, port : 16; /* of the latest packet; ICMP: the id at both ends, 0 where the
                                                  type has none */
};

/* One watched flow, of which there may be a million: its size is counted in bytes. Side 0 is the source: the
 * end that sent the first packet, or the SYN. The key orders its two ends by address and port, so that both
 * directions find the same flow. Times are data time, which never runs back. */
struct flow {
    uint8_t address[2][16];
    struct flow_end_count end[2];
    int64_t start_ns, last_ns;
    struct tcp tcp;
    union {
        struct classify_flow *classification; /* until `classified`; NULL: not begun */
        const struct finding *finding;        /* from then on, shared; NULL: none */
    };

    uint32_t watch[2];                            /* what the watch list says of each side */
    uint32_t service_by_address, service_by_name; /* scopes */
    uint32_t hash_next, older, newer;             /* private to flow.c */

    uint16_t way;           /* how its first packet came (way.h) */
    uint16_t packets_alone; /* of the side that spoke first, before the other was heard, up to 65535 */
    uint8_t protocol;
    uint8_t family;  /* ICMP: the type family, else 0 */
    bool watched[2]; /* set by the caller at the start */
    bool spoke[2];   /* the side has sent a packet */

    bool closed : 1;        /* a FIN or RST was seen: the next bare SYN is another flow */
    bool live : 1;          /* counted already … */
    bool answered : 1;      /* … and this, */
    bool acked : 1;         /* and that the outside has proved that the watched side answers */
    bool asked : 1;         /* its first packet was a question of side 0 */
    bool classified : 1;    /* nothing more will be asked */
    uint8_t first : 1;      /* the side that spoke first */
    uint8_t server : 1;     /* the side that the services speak of */
    uint8_t proven : 2;     /* a bit a side: counted already, of a watched side … */
    uint8_t live_burst : 2; /* … and that a burst of it began with the flow, as live, … */
    uint8_t answered_burst : 2;
    uint8_t proven_burst : 2;
};

struct flow_options {
    size_t flows_max;
    int64_t timeout_ns;
};

struct flow_output {
    void *context;
    /* The flow is out of the table, still whole, and its place is used again after the call. Its
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
 * `watched`, `watch`, `way` and the services are left for the caller to set. A full table first ends what is
 * idle, then evicts the flow heard longest ago among those in which only one side spoke, so that a scan
 * cannot push out conversations, and only then among the others. Returns NULL, and counts the packet in
 * health.flows_refused, when memory is short or the table has no room at all. */
struct flow *flow_table_packet(struct flow_table *table, const struct packet *packet, unsigned *side,
                               bool *started);

/* Says which packets come next, up to FLOW_EXPECTED_MAX, so that their flows are near when they are asked
 * for. Changes nothing. Of a packet that has no tuple, or is of no flow, it asks for another's, in vain. */
enum { FLOW_EXPECTED_MAX = 16 };
void flow_table_expect(const struct flow_table *table, const struct packet *packets, size_t count);

/* What is `noted` of flows means something from here on only: a bin begins. */
void flow_table_begin_bin(struct flow_table *table, int64_t start_ns);

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
