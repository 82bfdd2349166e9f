/* SPDX-License-Identifier: BSD-3-Clause */
/* Encapsulations: takes one header after the other off a frame, until what stands at the cursor is IP or
 * Ethernet. */
#pragma once

#include <netinet/in.h>

#include "decode.h"
#include "wire.h"

/* What stands at the cursor: an Ethernet type, or one of those below, which no Ethernet type can be. */
enum layer {
    LAYER_NONE, /* nothing that is opened */
    LAYER_ETHERNET,
    LAYER_LLC,
    LAYER_PPP, /* from the protocol on, or from address and control before it */
    LAYER_80211,
    LAYER_LOWEST_TYPE = 0x0600,
    LAYER_IPV4 = 0x0800,
    LAYER_ARP = 0x0806,
    LAYER_8021Q = 0x8100,
    LAYER_IPV6 = 0x86dd,
    LAYER_MPLS = 0x8847,
    LAYER_MPLS_MULTICAST = 0x8848,
    LAYER_PPPOE_DISCOVERY = 0x8863,
    LAYER_PPPOE = 0x8864,
    LAYER_8021AD = 0x88a8,
    LAYER_MACSEC = 0x88e5,
    LAYER_NSH = 0x894f,
    LAYER_QINQ_OLD = 0x9100,
    LAYER_QINQ_OLDER = 0x9200
};

enum {
    TUNNEL_PROTOCOL_IPV4 = 4,
    TUNNEL_PROTOCOL_IPV6 = 41,
    TUNNEL_PROTOCOL_GRE = 47,
    TUNNEL_PROTOCOL_L2TP = 115,
    TUNNEL_PROTOCOL_MPLS = 137
};

enum {
    TUNNEL_PORT_L2TP = 1701,
    TUNNEL_PORT_GTP = 2152,
    TUNNEL_PORT_TEREDO = 3544,
    TUNNEL_PORT_VXLAN = 4789,
    TUNNEL_PORT_VXLAN_GPE = 4790,
    TUNNEL_PORT_GENEVE = 6081,
    TUNNEL_PORT_VXLAN_OLD = 8472, /* Linux's own, from before there was a number */
    TUNNEL_PORT_TZSP = 37008
};

/* Whether it is one of the types of a VLAN tag. */
static inline bool tunnel_is_tag(uint16_t type)
{
    return type == LAYER_8021Q || type == LAYER_8021AD || type == LAYER_QINQ_OLD || type == LAYER_QINQ_OLDER;
}

/* The ports by a number of four bits in which no two of them agree (the compiler would say so), so that it
 * takes one comparison and no branch to see that a port is none of them. */
#define TUNNEL_SLOT(port) ((uint16_t)((port)*443U) >> 12)
static inline bool tunnel_is_port(uint16_t port)
{
    static const uint16_t ports[16] = {[TUNNEL_SLOT(0)] =
                                           0xffff, /* is in another slot, as is 0xffff itself */
                                       [TUNNEL_SLOT(TUNNEL_PORT_L2TP)] = TUNNEL_PORT_L2TP,
                                       [TUNNEL_SLOT(TUNNEL_PORT_GTP)] = TUNNEL_PORT_GTP,
                                       [TUNNEL_SLOT(TUNNEL_PORT_TEREDO)] = TUNNEL_PORT_TEREDO,
                                       [TUNNEL_SLOT(TUNNEL_PORT_VXLAN)] = TUNNEL_PORT_VXLAN,
                                       [TUNNEL_SLOT(TUNNEL_PORT_VXLAN_GPE)] = TUNNEL_PORT_VXLAN_GPE,
                                       [TUNNEL_SLOT(TUNNEL_PORT_GENEVE)] = TUNNEL_PORT_GENEVE,
                                       [TUNNEL_SLOT(TUNNEL_PORT_VXLAN_OLD)] = TUNNEL_PORT_VXLAN_OLD,
                                       [TUNNEL_SLOT(TUNNEL_PORT_TZSP)] = TUNNEL_PORT_TZSP};
    return ports[TUNNEL_SLOT(port)] == port;
}

static inline bool tunnel_may_be_port(uint16_t source, uint16_t destination)
{
    return tunnel_is_port(destination) | (source == TUNNEL_PORT_L2TP) | (source == TUNNEL_PORT_TEREDO);
}

/* Whether an IP packet is worth a look by tunnel_open_ip: what it costs those that are not. */
static inline bool tunnel_may_follow(const struct packet *packet)
{
    switch (packet->tuple.protocol) {
    case IPPROTO_UDP:
        return packet->has_transport &&
               tunnel_may_be_port(packet->tuple.source_port, packet->tuple.destination_port);
    case TUNNEL_PROTOCOL_IPV4:
    case TUNNEL_PROTOCOL_IPV6:
    case TUNNEL_PROTOCOL_GRE:
    case TUNNEL_PROTOCOL_L2TP:
    case TUNNEL_PROTOCOL_MPLS:
        return true;
    default:
        return false;
    }
}

/* Opens what an IP packet carries, the cursor being behind its headers: IP, GRE with ERSPAN, L2TPv3, MPLS,
 * and over UDP VXLAN, VXLAN-GPE, Geneve, GTP-U, Teredo, L2TP, TZSP. DECODE_OK: `*type` says what stands at
 * the cursor, LAYER_NONE being that the packet carries ordinary traffic after all, or control messages of a
 * tunnel, and nothing else was changed but the cursor. Else the packet is refused; a header that is cut where
 * all that is there agrees is DECODE_CUT_TUNNEL. Adds to packet->tunnels. */
enum decode_reason tunnel_open_ip(struct wire *wire, struct packet *packet, uint16_t *type);

/* Opens what an Ethernet type or a link promises (MPLS, PPPoE, PPP, NSH, 802.11). DECODE_OK: `*type` says
 * what stands at the cursor now. DECODE_NOT_IP where nothing can be opened. Adds to packet->tunnels and mpls.
 */
enum decode_reason tunnel_open_type(struct wire *wire, struct packet *packet, uint16_t *type);
