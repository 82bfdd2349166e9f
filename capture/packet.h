/* SPDX-License-Identifier: BSD-3-Clause */
/* One decoded packet: what counting needs of a frame, with the payload borrowed from it. Private to capture.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow_record.h"

/* A frame as a source delivers it; the bytes are valid until the source's next call. */
struct frame {
    const uint8_t *bytes;
    uint32_t captured_bytes; /* how many are there */
    uint32_t wire_bytes;     /* how many there were */
    int64_t time_ns;         /* TIME_NONE when the file gives none */
    int link_type;           /* DLT_… as libpcap numbers them */
    uint16_t interface;      /* number of the interface or, in a replay, 0 */
    uint64_t order;          /* among those of the same instant, where one of several workers takes it */
};

/* TCP flag bits as on the wire. */
enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08, TCP_ACK = 0x10 };

enum { PACKET_LABELS_MAX = 4 };

/* The addresses and ports of one layer of IP, in the order of the wire. */
struct packet_tuple {
    uint8_t source[16], destination[16]; /* IPv4 mapped */
    uint16_t source_port, destination_port;
    uint8_t protocol;
};

/* An encapsulation that was opened, and the number by which it may be known: VNI, ERSPAN session, GRE key,
 * PPPoE or L2TP session, GTP tunnel endpoint, NSH service path. */
struct packet_tunnel {
    uint8_t kind; /* enum flow_tunnel */
    bool has_id;
    uint32_t id;
};

struct packet {
    int64_t time_ns;
    uint64_t order; /* the frame's */
    uint16_t interface;

    /* the links, from the outermost in: the first of each that were found */
    uint8_t vlan_count, mpls_count, tunnel_count;
    uint16_t vlans[FLOW_VLANS_MAX];   /* 12-bit ids */
    uint32_t mpls[PACKET_LABELS_MAX]; /* 20-bit labels, special ones left out */
    bool has_mac;
    uint8_t source_mac[6], destination_mac[6]; /* of the innermost Ethernet */

    /* the innermost network */
    bool is_ip; /* false: a frame that carries no IP, which the tap counts all the same */
    uint8_t ip_version;
    uint8_t ttl;
    uint32_t ip_bytes; /* length of the IP packet on the wire, from its own header */
    struct packet_tuple tuple;
    bool fragment, later_fragment;
    uint32_t fragment_id; /* of a fragment: what tells its packet from others between the two addresses */
    bool shortened;       /* it was longer once: by its own header, than what came over the wire */

    /* the transport: valid when has_transport */
    bool has_transport;
    uint8_t tcp_flags;
    uint32_t tcp_sequence, tcp_ack;
    uint8_t icmp_type, icmp_code;
    uint16_t icmp_id; /* of the types that have one, else 0 */
    bool icmp_error;  /* an error message, of either version */
    bool has_quoted;  /* … and the packet that it quotes could be read */
    struct packet_tuple quoted;
    uint32_t payload_bytes; /* transport payload by the headers, not by what was captured */

    /* for classification: the IP packet as captured, or fewer bytes than ip_bytes when it was cut */
    const uint8_t *ip;
    uint32_t ip_captured_bytes;

    struct packet_tunnel
        tunnels[FLOW_TUNNELS_MAX]; /* outermost first; those behind tunnel_count are not set */
};
