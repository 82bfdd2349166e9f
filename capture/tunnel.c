/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each open_ function takes one header off. Those over UDP first ask whether it is one at all: the port alone
 * proves nothing, since a client may have been given it. What they ask holds for ordinary bytes less than
 * once in a hundred million times.
 */
#include "tunnel.h"

enum {
    LABELS_MAX = 16,
    GTP_EXTENSIONS_MAX = 16,
    LABEL_SPECIAL_MAX = 15, /* labels up to it have meanings of their own (RFC 3032, 7274) */
    LABEL_ENTROPY = 7       /* the label after it only spreads the load (RFC 6790) */
};

enum { ETHERNET_BYTES = 14, TAG_BYTES = 4, IPV4_BYTES = 20, IPV6_BYTES = 40, UDP_BYTES = 8 };

/* What the Ethernet types of GRE, NSH and Geneve mean there and nowhere else. */
enum { TYPE_BRIDGED = 0x6558, TYPE_PPP = 0x880b, TYPE_ERSPAN = 0x88be, TYPE_ERSPAN_III = 0x22eb };

static enum decode_reason push(struct packet *packet, enum flow_tunnel kind, bool has_id, uint32_t id)
{
    if (packet->tunnel_count == FLOW_TUNNELS_MAX)
        return DECODE_TOO_MANY_TUNNELS;
    packet->tunnels[packet->tunnel_count++] =
        (struct packet_tunnel){.kind = (uint8_t)kind, .has_id = has_id, .id = id};
    return DECODE_OK;
}

/* The version of IP that the first bits tell; LAYER_NONE. */
static uint16_t ip_at(struct wire *wire)
{
    unsigned version = wire->left > 0 ? wire->at[0] >> 4 : 0;
    return version == 4 ? LAYER_IPV4 : version == 6 ? LAYER_IPV6 : LAYER_NONE;
}

/* ---- looking ahead, where no field tells what follows ---- */

enum look { LOOK_NO, LOOK_YES, LOOK_CUT };

/* Whether there is an IP header that could be one. */
static enum look look_ip(struct wire wire, uint16_t type)
{
    if (wire.left < 4)
        return LOOK_CUT;
    if (type == LAYER_IPV6)
        return wire_u8(&wire, 0) >> 4 == 6 ? LOOK_YES : LOOK_NO;
    unsigned header_bytes = (wire_u8(&wire, 0) & 0x0fU) * 4U, total_bytes = wire_u16(&wire, 2);
    bool sound = header_bytes >= IPV4_BYTES && (total_bytes == 0 || total_bytes >= header_bytes);
    return wire_u8(&wire, 0) >> 4 == 4 && sound ? LOOK_YES : LOOK_NO;
}

/* Whether there is an Ethernet frame, by its type and the first bytes behind it. */
static enum look look_ethernet(struct wire wire)
{
    uint16_t type = wire_u16(&wire, 12);
    wire_skip(&wire, ETHERNET_BYTES);
    while (!wire.cut && tunnel_is_tag(type)) {
        type = wire_u16(&wire, 2);
        wire_skip(&wire, TAG_BYTES);
    }
    uint32_t next = wire_u32(&wire, 0);
    if (wire.cut)
        return LOOK_CUT;
    switch (type) {
    case LAYER_IPV4:
    case LAYER_IPV6:
        return look_ip(wire, type);
    case LAYER_ARP:
        return next >> 16 == 1 ? LOOK_YES : LOOK_NO; /* hardware type Ethernet */
    case LAYER_MPLS:
    case LAYER_PPPOE_DISCOVERY:
    case LAYER_PPPOE:
        return LOOK_YES;
    default: /* LLC of spanning tree, IS-IS and SNAP */
        next >>= 8;
        return type <= 1500 && (next == 0x424203 || next == 0xfefe03 || next == 0xaaaa03) ? LOOK_YES
                                                                                          : LOOK_NO;
    }
}

/* The ones' complement sum of an IPv4 header. */
static bool ipv4_sums_up(struct wire wire)
{
    uint32_t sum = 0;
    unsigned header_bytes = (wire_u8(&wire, 0) & 0x0fU) * 4U;
    for (unsigned i = 0; i < header_bytes; i += 2)
        sum += wire_u16(&wire, i);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return !wire.cut && header_bytes >= IPV4_BYTES && sum == 0xffff;
}

/* ---- below IP ---- */

/* Behind the last label nothing tells what follows. IP begins with its version; an Ethernet pseudowire with a
 * control word that begins with a zero, or without one, with an address that may begin with anything: where
 * that could be IP too, a checksum or the frame's type decides. */
static enum decode_reason open_payload_of_mpls(struct wire *wire, uint16_t *type)
{
    if (wire->left < IPV4_BYTES)
        return DECODE_CUT_TUNNEL;
    unsigned nibble = wire_u8(wire, 0) >> 4;
    enum look ip = nibble == 4 || nibble == 6 ? look_ip(*wire, ip_at(wire)) : LOOK_NO;
    enum look frame = look_ethernet(*wire);
    if (ip == LOOK_YES && (frame == LOOK_NO || (nibble == 4 && ipv4_sums_up(*wire)))) {
        *type = ip_at(wire);
        return DECODE_OK;
    }
    if (frame == LOOK_NO && nibble == 0) {
        wire_skip(wire, 4);
        frame = look_ethernet(*wire);
    }
    *type = LAYER_ETHERNET;
    return frame == LOOK_YES ? DECODE_OK : frame == LOOK_CUT ? DECODE_CUT_TUNNEL : DECODE_NOT_IP;
}

static enum decode_reason open_mpls(struct wire *wire, struct packet *packet, uint16_t *type)
{
    bool bottom = false, entropy = false;
    for (int count = 0; !bottom; count++) {
        if (count == LABELS_MAX)
            return DECODE_TOO_MANY_TUNNELS;
        if (wire->left < 4)
            return DECODE_CUT_TUNNEL;
        uint32_t entry = wire_u32(wire, 0), label = entry >> 12;
        wire_skip(wire, 4);
        bottom = entry & 0x100;
        if (label > LABEL_SPECIAL_MAX && !entropy && packet->mpls_count < PACKET_LABELS_MAX)
            packet->mpls[packet->mpls_count++] = label;
        entropy = label == LABEL_ENTROPY;
    }
    enum decode_reason reason = push(packet, FLOW_TUNNEL_MPLS, false, 0);
    return reason != DECODE_OK ? reason : open_payload_of_mpls(wire, type);
}

static enum decode_reason open_ppp(struct wire *wire, uint16_t *type)
{
    if (wire->left < 1)
        return DECODE_CUT_TUNNEL;
    if (wire_u8(wire, 0) == 0xff) { /* address and control of HDLC's framing */
        wire_skip(wire, 2);
        if (wire->cut)
            return DECODE_CUT_TUNNEL;
    }
    bool is_short = wire_u8(wire, 0) & 1; /* a compressed protocol field */
    unsigned protocol = is_short ? wire_u8(wire, 0) : wire_u16(wire, 0);
    wire_skip(wire, is_short ? 1 : 2);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    *type = protocol == 0x0021   ? LAYER_IPV4
            : protocol == 0x0057 ? LAYER_IPV6
            : protocol == 0x0281 ? LAYER_MPLS
                                 : LAYER_NONE;
    return *type != LAYER_NONE ? DECODE_OK : DECODE_NOT_IP;
}

static enum decode_reason open_pppoe(struct wire *wire, struct packet *packet, uint16_t *type)
{
    if (wire->left < 6)
        return DECODE_CUT_TUNNEL;
    uint16_t session = wire_u16(wire, 2), length = wire_u16(wire, 4);
    if (wire_u8(wire, 0) != 0x11)
        return DECODE_BAD_TUNNEL;
    if (wire_u8(wire, 1) != 0)
        return DECODE_NOT_IP; /* not of the session */
    wire_skip(wire, 6);
    wire_limit(wire, length);
    *type = LAYER_PPP;
    return push(packet, FLOW_TUNNEL_PPPOE, true, session);
}

static enum decode_reason open_nsh(struct wire *wire, struct packet *packet, uint16_t *type)
{
    static const uint16_t next[] = {LAYER_NONE,     LAYER_IPV4, LAYER_IPV6,
                                    LAYER_ETHERNET, LAYER_NSH,  LAYER_MPLS};
    if (wire->left < 8)
        return DECODE_CUT_TUNNEL;
    uint16_t base = wire_u16(wire, 0);
    size_t header_bytes = (base & 0x3fU) * 4U;
    uint8_t protocol = wire_u8(wire, 3);
    uint32_t path = wire_u32(wire, 4) >> 8;
    if (base >> 14 != 0 || header_bytes < 8)
        return DECODE_BAD_TUNNEL;
    wire_skip(wire, header_bytes);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    *type = protocol < sizeof next / sizeof *next ? next[protocol] : LAYER_NONE;
    return *type == LAYER_NONE ? DECODE_NOT_IP : push(packet, FLOW_TUNNEL_NSH, true, path);
}

/* A data frame of 802.11 with LLC behind its header. */
static enum decode_reason open_80211(struct wire *wire, uint16_t *type)
{
    if (wire->left < 24)
        return DECODE_CUT_LINK;
    uint8_t kind = wire_u8(wire, 0), flags = wire_u8(wire, 1);
    bool four_addresses = (flags & 0x03) == 0x03, has_qos = kind & 0x80, has_order = flags & 0x80;
    bool is_data = (kind & 0x0f) == 0x08 && !(kind & 0x40);
    size_t qos_at = 24 + (four_addresses ? 6U : 0U);
    if (!is_data || (wire_u8(wire, 22) & 0x0f) != 0)
        return DECODE_NOT_IP; /* management, control, no data, or a fragment behind the first */
    if (flags & 0x40)
        return DECODE_ENCRYPTED;
    bool several = has_qos && wire_u8(wire, qos_at) & 0x80;
    wire_skip(wire, qos_at + (has_qos ? 2U : 0U) + (has_qos && has_order ? 4U : 0U));
    if (wire->cut)
        return DECODE_CUT_LINK;
    *type = LAYER_LLC;
    return several ? DECODE_NOT_IP : DECODE_OK;
}

enum decode_reason tunnel_open_type(struct wire *wire, struct packet *packet, uint16_t *type)
{
    switch (*type) {
    case LAYER_MPLS:
    case LAYER_MPLS_MULTICAST:
        return open_mpls(wire, packet, type);
    case LAYER_PPP:
        return open_ppp(wire, type);
    case LAYER_PPPOE:
        return open_pppoe(wire, packet, type);
    case LAYER_NSH:
        return open_nsh(wire, packet, type);
    case LAYER_80211:
        return open_80211(wire, type);
    case LAYER_MACSEC:
        return DECODE_ENCRYPTED;
    default:
        return DECODE_NOT_IP;
    }
}

/* ---- in IP ---- */

/* The version, the VLAN of the mirrored port, and the session stand alike in types II and III; type I is bare
 * Ethernet, and is told by the sequence number that GRE does not have then. */
static enum decode_reason open_erspan(struct wire *wire, struct packet *packet, bool third, bool has_sequence,
                                      uint16_t *type)
{
    *type = LAYER_ETHERNET;
    if (!third && !has_sequence)
        return push(packet, FLOW_TUNNEL_ERSPAN, false, 0);
    size_t header_bytes = third ? 12 : 8;
    if (wire->left < header_bytes)
        return DECODE_CUT_TUNNEL;
    unsigned session = wire_u16(wire, 2) & 0x3ff, frame_type = 0;
    if (wire_u8(wire, 0) >> 4 != (third ? 2 : 1))
        return DECODE_BAD_TUNNEL;
    if (third) {
        uint16_t last = wire_u16(wire, 10);
        frame_type = last >> 10 & 0x1f;
        header_bytes += last & 1 ? 8 : 0; /* what the platform adds */
    }
    wire_skip(wire, header_bytes);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    if (frame_type == 2)
        *type = ip_at(wire);
    if ((frame_type != 0 && frame_type != 2) || *type == LAYER_NONE)
        return DECODE_NOT_IP;
    return push(packet, FLOW_TUNNEL_ERSPAN, true, session);
}

/* What a type means behind GRE, Geneve and the like. */
static uint16_t layer_of(uint16_t type)
{
    switch (type) {
    case TYPE_BRIDGED:
        return LAYER_ETHERNET;
    case TYPE_PPP:
        return LAYER_PPP;
    default:
        return type >= LAYER_LOWEST_TYPE ? type : LAYER_NONE;
    }
}

static enum decode_reason open_gre(struct wire *wire, struct packet *packet, uint16_t *type)
{
    if (wire->left < 4)
        return DECODE_CUT_TUNNEL;
    uint16_t flags = wire_u16(wire, 0), protocol = wire_u16(wire, 2), version = flags & 7;
    bool has_sum = flags & 0x8000, has_key = flags & 0x2000, has_sequence = flags & 0x1000;
    if (flags & 0x4000)
        return DECODE_GRE_ROUTING;
    if (version > 1 || (version == 1 && (!has_key || has_sum || protocol != TYPE_PPP)))
        return DECODE_BAD_TUNNEL;
    size_t key_at = has_sum ? 8 : 4;
    uint32_t key = has_key ? wire_u32(wire, key_at) : 0;
    wire_skip(wire, key_at + (has_key ? 4U : 0U) + (has_sequence ? 4U : 0U) +
                        (version == 1 && flags & 0x0080 ? 4U : 0U));
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    if (version == 1 && !has_sequence)
        return DECODE_OK; /* nothing but an acknowledgement */
    enum decode_reason reason = version == 1 ? push(packet, FLOW_TUNNEL_PPTP, true, key & 0xffff)
                                             : push(packet, FLOW_TUNNEL_GRE, has_key, key);
    if (reason != DECODE_OK)
        return reason;
    if (protocol == TYPE_ERSPAN || protocol == TYPE_ERSPAN_III)
        return open_erspan(wire, packet, protocol == TYPE_ERSPAN_III, has_sequence, type);
    *type = layer_of(protocol);
    return *type != LAYER_NONE ? DECODE_OK : DECODE_NOT_IP;
}

/* IP in IP: the kind of tunnel follows from the versions, and of 6to4 from the addresses. */
static enum decode_reason open_ip(struct wire *wire, struct packet *packet, uint16_t inner, uint16_t *type)
{
    bool outer_4 = packet->ip_version == 4;
    enum flow_tunnel kind = outer_4 ? FLOW_TUNNEL_IPIP : FLOW_TUNNEL_4IN6;
    *type = inner;
    if (inner == LAYER_IPV6) {
        struct wire header = *wire;
        bool is_6to4 = wire_u16(&header, 8) == 0x2002 || wire_u16(&header, 24) == 0x2002;
        kind = !outer_4 ? FLOW_TUNNEL_6IN6 : is_6to4 ? FLOW_TUNNEL_6TO4 : FLOW_TUNNEL_6IN4;
    }
    return push(packet, kind, false, 0);
}

/* L2TPv3's data message from the session on. How long cookie and sublayer are was agreed upon beforehand, so
 * the frame is looked for at the places where it may begin. */
static enum decode_reason open_l2tp_session(struct wire *wire, struct packet *packet, uint16_t *type)
{
    uint32_t session = wire_u32(wire, 0);
    wire_skip(wire, 4);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    if (session == 0)
        return DECODE_OK; /* control */
    struct wire frame = *wire;
    for (int words = 0; words <= 3; words++) {
        enum look look = look_ethernet(frame);
        if (look == LOOK_CUT)
            return DECODE_CUT_TUNNEL;
        if (look == LOOK_YES) {
            *wire = frame;
            *type = LAYER_ETHERNET;
            return push(packet, FLOW_TUNNEL_L2TP, true, session);
        }
        wire_skip(&frame, 4);
    }
    return DECODE_OK;
}

/* ---- over UDP ---- */

static enum decode_reason open_vxlan(struct wire *wire, struct packet *packet, uint16_t *type)
{
    /* The group policy extension (bit 0x80) uses what must else be zero. */
    uint32_t flags = wire_u32(wire, 0), last = wire_u32(wire, 4);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    bool grouped = flags >> 24 == 0x88 && (flags & 0x00b70000) == 0;
    if ((flags != 0x08000000 && !grouped) || (last & 0xff) != 0)
        return DECODE_OK;
    wire_skip(wire, 8);
    *type = LAYER_ETHERNET;
    return push(packet, FLOW_TUNNEL_VXLAN, true, last >> 8);
}

static enum decode_reason open_vxlan_gpe(struct wire *wire, struct packet *packet, uint16_t *type)
{
    static const uint16_t next[] = {LAYER_NONE,     LAYER_IPV4, LAYER_IPV6,
                                    LAYER_ETHERNET, LAYER_NSH,  LAYER_MPLS};
    uint32_t flags = wire_u32(wire, 0), last = wire_u32(wire, 4);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    bool has_protocol = flags & 0x04000000, has_id = flags & 0x08000000;
    uint8_t protocol = has_protocol ? flags & 0xff : 3;
    /* Other versions, reserved bits, and messages of the tunnel itself. */
    if ((flags & 0xf1ffff00) != 0 || (last & 0xff) != 0 ||
        (!has_protocol && (flags & 0x080000ff) != 0x08000000) || protocol >= sizeof next / sizeof *next ||
        next[protocol] == LAYER_NONE)
        return DECODE_OK;
    wire_skip(wire, 8);
    *type = next[protocol];
    return push(packet, FLOW_TUNNEL_VXLAN_GPE, has_id, last >> 8);
}

static enum decode_reason open_geneve(struct wire *wire, struct packet *packet, uint16_t *type)
{
    uint16_t flags = wire_u16(wire, 0), protocol = wire_u16(wire, 2);
    uint32_t last = wire_u32(wire, 4);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    bool opens = protocol == TYPE_BRIDGED || protocol == LAYER_IPV4 || protocol == LAYER_IPV6 ||
                 protocol == LAYER_MPLS || protocol == LAYER_NSH;
    /* Version 0, no bit that is reserved, and not one of the tunnel's own messages. */
    if (!opens || (flags & 0xc0bf) != 0 || (last & 0xff) != 0)
        return DECODE_OK;
    wire_skip(wire, 8U + (flags >> 8 & 0x3fU) * 4U);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    *type = layer_of(protocol);
    return push(packet, FLOW_TUNNEL_GENEVE, true, last >> 8);
}

/* Walks over the extension headers of GTP-U; `next` is the first one's type. */
static enum decode_reason skip_gtp_extensions(struct wire *wire, uint8_t next)
{
    for (int count = 0; next != 0; count++) {
        size_t bytes = wire_u8(wire, 0) * 4U;
        if (wire->cut)
            return DECODE_CUT_TUNNEL;
        if (bytes == 0)
            return DECODE_BAD_TUNNEL;
        if (count == GTP_EXTENSIONS_MAX)
            return DECODE_TOO_MANY_HEADERS;
        next = wire_u8(wire, bytes - 1);
        wire_skip(wire, bytes);
        if (wire->cut)
            return DECODE_CUT_TUNNEL;
    }
    return DECODE_OK;
}

/* `length` is what UDP carries, 0 where it does not say. */
static enum decode_reason open_gtp(struct wire *wire, struct packet *packet, uint32_t length, uint16_t *type)
{
    uint8_t flags = wire_u8(wire, 0), message = wire_u8(wire, 1);
    uint32_t said = wire_u16(wire, 2) + 8U, id = wire_u32(wire, 4);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    /* Version 1, and a user's packet. */
    if ((flags & 0xf8) != 0x30 || message != 0xff || (length != 0 && said != length))
        return DECODE_OK;
    wire_skip(wire, 8);
    if (flags & 0x07) {
        uint8_t next = flags & 0x04 ? wire_u8(wire, 3) : 0;
        wire_skip(wire, 4);
        enum decode_reason reason = skip_gtp_extensions(wire, next);
        if (wire->cut || reason != DECODE_OK)
            return reason != DECODE_OK ? reason : DECODE_CUT_TUNNEL;
    }
    if (wire->left == 0)
        return DECODE_CUT_TUNNEL;
    *type = ip_at(wire);
    return *type == LAYER_NONE ? DECODE_OK : push(packet, FLOW_TUNNEL_GTP, true, id);
}

/* Authentication and origin may stand before the IPv6 packet, which has an address of Teredo's, or a link's
 * in the talk with its servers (RFC 4380). */
static enum decode_reason open_teredo(struct wire *wire, struct packet *packet, uint32_t length,
                                      uint16_t *type)
{
    const uint8_t *begin = wire->at;
    if (wire_u16(wire, 0) == 0x0001)
        wire_skip(wire, 13U + wire_u8(wire, 2) + wire_u8(wire, 3));
    uint16_t first = wire_u16(wire, 0);
    if (first == 0x0000) {
        wire_skip(wire, 8);
        first = wire_u16(wire, 0);
    }
    if (!wire->cut && first >> 12 != 6)
        return DECODE_OK;
    if (wire->cut || wire->left < IPV6_BYTES)
        return DECODE_CUT_TUNNEL;
    uint32_t said = (uint32_t)(wire->at - begin) + IPV6_BYTES + wire_u16(wire, 4);
    uint32_t source = wire_u32(wire, 8), destination = wire_u32(wire, 24);
    bool is_teredo = source == 0x20010000 || destination == 0x20010000 || source >> 22 == 0xfe80 >> 6;
    if (!is_teredo || (length != 0 && said > length))
        return DECODE_OK;
    *type = LAYER_IPV6;
    return push(packet, FLOW_TUNNEL_TEREDO, false, 0);
}

/* Version 2 with PPP, version 3 with Ethernet. */
static enum decode_reason open_l2tp(struct wire *wire, struct packet *packet, uint16_t *type)
{
    uint16_t flags = wire_u16(wire, 0);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    if (flags == 3) {
        uint16_t reserved = wire_u16(wire, 2);
        wire_skip(wire, 4);
        if (wire->cut)
            return DECODE_CUT_TUNNEL;
        return reserved == 0 ? open_l2tp_session(wire, packet, type) : DECODE_OK;
    }
    if ((flags & 0xb4ff) != 2) /* control, reserved bits, another version */
        return DECODE_OK;
    bool has_length = flags & 0x4000, has_sequence = flags & 0x0800, has_offset = flags & 0x0200;
    size_t at = has_length ? 4 : 2;
    uint16_t session = wire_u16(wire, at + 2);
    at += 4U + (has_sequence ? 4U : 0U);
    at += has_offset ? 2U + wire_u16(wire, at) : 0U;
    wire_skip(wire, at);
    struct wire ppp = *wire;
    uint16_t inner = LAYER_NONE;
    enum decode_reason reason = wire->cut ? DECODE_CUT_TUNNEL : open_ppp(&ppp, &inner);
    if (reason == DECODE_CUT_TUNNEL)
        return reason;
    enum look look = reason == DECODE_OK ? look_ip(ppp, inner) : LOOK_NO;
    if (look == LOOK_CUT)
        return DECODE_CUT_TUNNEL;
    if (look == LOOK_NO)
        return DECODE_OK; /* the talk of PPP, or no L2TP */
    *wire = ppp;
    *type = inner;
    return push(packet, FLOW_TUNNEL_L2TP, true, session);
}

static enum decode_reason open_tzsp(struct wire *wire, struct packet *packet, uint16_t *type)
{
    uint32_t head = wire_u32(wire, 0);
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    /* Version 1; a packet received, or one to be sent; Ethernet, or 802.11. */
    unsigned carries = head & 0xffff;
    if ((head & 0xfffe0000) != 0x01000000 || (carries != 1 && carries != 18))
        return DECODE_OK;
    wire_skip(wire, 4);
    for (;;) {
        uint8_t tag = wire_u8(wire, 0);
        wire_skip(wire, tag <= 1 ? 1U : 2U + wire_u8(wire, 1)); /* padding and the end have no length */
        if (wire->cut)
            return DECODE_CUT_TUNNEL;
        if (tag == 1)
            break;
    }
    *type = carries == 1 ? LAYER_ETHERNET : LAYER_80211;
    return push(packet, FLOW_TUNNEL_TZSP, false, 0);
}

static enum decode_reason open_udp(struct wire *wire, struct packet *packet, uint16_t *type)
{
    uint16_t source = packet->tuple.source_port, destination = packet->tuple.destination_port;
    uint32_t length = wire_u16(wire, 4);
    wire_skip(wire, UDP_BYTES);
    if (packet->payload_bytes < 8)
        return DECODE_OK; /* shorter than the header of any of them */
    length = length > UDP_BYTES ? length - UDP_BYTES : 0;
    if (length != 0)
        wire_limit(wire, length);
    switch (destination) {
    case TUNNEL_PORT_VXLAN:
    case TUNNEL_PORT_VXLAN_OLD:
        return open_vxlan(wire, packet, type);
    case TUNNEL_PORT_VXLAN_GPE:
        return open_vxlan_gpe(wire, packet, type);
    case TUNNEL_PORT_GENEVE:
        return open_geneve(wire, packet, type);
    case TUNNEL_PORT_GTP:
        return open_gtp(wire, packet, length, type);
    case TUNNEL_PORT_TZSP:
        return open_tzsp(wire, packet, type);
    default:
        break;
    }
    if (source == TUNNEL_PORT_TEREDO || destination == TUNNEL_PORT_TEREDO)
        return open_teredo(wire, packet, length, type);
    return open_l2tp(wire, packet, type);
}

enum decode_reason tunnel_open_ip(struct wire *wire, struct packet *packet, uint16_t *type)
{
    *type = LAYER_NONE;
    if (packet->later_fragment)
        return DECODE_TUNNEL_FRAGMENT;
    if (wire->cut)
        return DECODE_CUT_TUNNEL;
    switch (packet->tuple.protocol) {
    case TUNNEL_PROTOCOL_IPV4:
        return open_ip(wire, packet, LAYER_IPV4, type);
    case TUNNEL_PROTOCOL_IPV6:
        return open_ip(wire, packet, LAYER_IPV6, type);
    case TUNNEL_PROTOCOL_GRE:
        return open_gre(wire, packet, type);
    case TUNNEL_PROTOCOL_L2TP:
        return open_l2tp_session(wire, packet, type);
    case TUNNEL_PROTOCOL_MPLS:
        *type = LAYER_MPLS;
        return DECODE_OK;
    default:
        return open_udp(wire, packet, type);
    }
}
