/* SPDX-License-Identifier: BSD-3-Clause */
/* The short way past what nobody watches: a frame as nearly all are, looked at only as far as it takes to see
 * that nobody watches it. */
#pragma once

#include "packet.h"
#include "tunnel.h"
#include "wire.h"

/* What counting needs of a frame that is plain: one that decode_frame would read without a word and find
 * nothing within, which is Ethernet with one VLAN tag or none, IPv4 or IPv6 without options or extensions,
 * whole, TCP or UDP. */
struct plain {
    const uint8_t *addresses; /* in the frame: the source's, the destination's behind */
    uint32_t ip_bytes;
    uint16_t vlan; /* PLAIN_UNTAGGED: none */
    uint8_t protocol;
};

enum { PLAIN_UNTAGGED = 0xffff };

/* DLT_EN10MB, without libpcap. */
enum { PLAIN_LINK_TYPE = 1 };

enum {
    PLAIN_ETHERNET_BYTES = 14,
    PLAIN_TAG_BYTES = 4,
    PLAIN_IPV4_BYTES = 20,
    PLAIN_IPV6_BYTES = 40,
    PLAIN_PORTS_BYTES = 4,
    PLAIN_TCP_BYTES = 14 /* as far as its flags: a packet with less of it is none that one meets often */
};

/* Whether a transport with these ports at the offset carries no packet within. Which of the two protocols it
 * is nobody can foresee, so it is not branched upon: a bit says for each whether it is plain with ports that
 * are no tunnel's, and another with those that are. */
static inline bool plain_transport(struct wire *wire, size_t offset, uint8_t protocol)
{
    static const uint8_t plain[256] = {[IPPROTO_TCP] = 1 | 2, [IPPROTO_UDP] = 1};
    bool tunnel = tunnel_may_be_port(wire_u16(wire, offset), wire_u16(wire, offset + 2));
    return (plain[protocol] >> tunnel & 1) != 0;
}

/* From the IPv4 header on: without options, no fragment, whole. */
static inline bool plain_ipv4(struct wire *wire, uint32_t wire_bytes, struct plain *plain)
{
    plain->ip_bytes = wire_u16(wire, 2);
    plain->addresses = wire->at + 12;
    plain->protocol = wire_u8(wire, 9);
    return wire_u8(wire, 0) == 0x45 && (wire_u16(wire, 6) & 0x3fff) == 0 &&
           plain->ip_bytes >= PLAIN_IPV4_BYTES + PLAIN_TCP_BYTES && plain->ip_bytes <= wire_bytes &&
           plain_transport(wire, PLAIN_IPV4_BYTES, plain->protocol);
}

/* From the IPv6 header on: the same. */
static inline bool plain_ipv6(struct wire *wire, uint32_t wire_bytes, struct plain *plain)
{
    plain->ip_bytes = PLAIN_IPV6_BYTES + (uint32_t)wire_u16(wire, 4);
    plain->addresses = wire->at + 8;
    plain->protocol = wire_u8(wire, 6);
    return wire->left >= PLAIN_IPV6_BYTES + PLAIN_PORTS_BYTES && wire_u8(wire, 0) >> 4 == 6 &&
           plain->ip_bytes >= PLAIN_IPV6_BYTES + PLAIN_TCP_BYTES && plain->ip_bytes <= wire_bytes &&
           plain_transport(wire, PLAIN_IPV6_BYTES, plain->protocol);
}

/* Returns the version of IP and fills `plain`, or returns 0 when the frame is not plain. */
static inline unsigned plain_read(const struct frame *frame, struct plain *plain)
{
    enum { LEAST_BYTES = PLAIN_ETHERNET_BYTES + PLAIN_TAG_BYTES + PLAIN_IPV4_BYTES + PLAIN_PORTS_BYTES };
    struct wire wire = wire_over(frame->bytes, frame->captured_bytes);
    if (frame->link_type != PLAIN_LINK_TYPE || wire.left < LEAST_BYTES ||
        frame->wire_bytes < frame->captured_bytes)
        return 0;
    uint16_t type = wire_u16(&wire, 12);
    uint32_t wire_bytes = frame->wire_bytes - PLAIN_ETHERNET_BYTES;
    plain->vlan = PLAIN_UNTAGGED;
    if (type != LAYER_IPV4 && tunnel_is_tag(type)) {
        plain->vlan = wire_u16(&wire, 14) & 0x0fff;
        type = wire_u16(&wire, 16);
        wire_skip(&wire, PLAIN_TAG_BYTES);
        wire_bytes -= PLAIN_TAG_BYTES;
    }
    wire_skip(&wire, PLAIN_ETHERNET_BYTES);
    if (type == LAYER_IPV4)
        return plain_ipv4(&wire, wire_bytes, plain) ? 4 : 0;
    return type == LAYER_IPV6 && plain_ipv6(&wire, wire_bytes, plain) ? 6 : 0;
}

/* Whether a plain frame was cut so that it may lack headers. How long frames are, and which of them were cut,
 * nobody can foresee, so that is not branched upon. */
static inline bool plain_may_lack(const struct frame *frame)
{
    const uint32_t most = PLAIN_ETHERNET_BYTES + PLAIN_TAG_BYTES + PLAIN_IPV6_BYTES + PLAIN_TCP_BYTES;
    const uint32_t enough = frame->wire_bytes < most ? frame->wire_bytes : most;
    return frame->captured_bytes < enough;
}
