/* SPDX-License-Identifier: BSD-3-Clause */
#include "decode.h"

#include <netinet/in.h>
#include <pcap/dlt.h>

#include "link.h"
#include "plain.h"
#include "tunnel.h"
#include "wire.h"

/* The bytes of each header that must be there before anything of it is believed. */
enum { ETHERNET_BYTES = 14, TAG_BYTES = 4, SNAP_BYTES = 8, SLL_BYTES = 16, SLL2_BYTES = 20, NULL_BYTES = 4 };
enum {
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    TCP_BYTES = 20,
    UDP_BYTES = 8,
    DCCP_BYTES = 12,
    SCTP_BYTES = 12,
    ICMP_BYTES = 8
};

enum { IPV6_EXTENSIONS_MAX = 16 };

/* A savefile's LINKTYPE_RAW, should a reader hand it on untranslated; libpcap makes it DLT_RAW. */
enum { LINKTYPE_RAW = 101 };

/* What one layer of IP says of itself. */
struct ip_layer {
    uint8_t version;
    uint8_t ttl;
    uint8_t protocol;      /* of what follows the headers read so far */
    uint32_t header_bytes; /* the fixed header with IPv4's options, without IPv6's extensions */
    uint32_t total_bytes;  /* 0: it does not say */
    bool fragment, later_fragment;
    uint32_t fragment_id;
};

/* Reads MACs and type. */
static inline enum decode_reason decode_ethernet(struct wire *wire, struct packet *packet, uint16_t *type)
{
    if (wire->left < ETHERNET_BYTES)
        return DECODE_CUT_LINK;
    wire_copy(wire, 0, packet->destination_mac, 6);
    wire_copy(wire, 6, packet->source_mac, 6);
    packet->has_mac = true;
    *type = wire_u16(wire, 12);
    wire_skip(wire, ETHERNET_BYTES);
    return DECODE_OK;
}

/* Linux cooked: only the sender's address is known. */
static enum decode_reason decode_cooked(struct wire *wire, int link_type, struct packet *packet,
                                        uint16_t *type)
{
    bool second = link_type == DLT_LINUX_SLL2;
    size_t header_bytes = second ? SLL2_BYTES : SLL_BYTES;
    if (wire->left < header_bytes)
        return DECODE_CUT_LINK;
    unsigned address_bytes = second ? wire_u8(wire, 11) : wire_u16(wire, 4);
    if (address_bytes == 6) {
        wire_copy(wire, second ? 12 : 6, packet->source_mac, 6);
        packet->has_mac = true;
    }
    *type = wire_u16(wire, second ? 0 : 14);
    wire_skip(wire, header_bytes);
    return DECODE_OK;
}

/* BSD loopback: an address family, DLT_NULL's in the byte order of the machine that wrote it. Every system
 * has an AF_INET6 of its own. */
static enum decode_reason decode_null(struct wire *wire, int link_type, uint16_t *type)
{
    if (wire->left < NULL_BYTES)
        return DECODE_CUT_LINK;
    uint32_t family = wire_u32(wire, 0);
    if (link_type == DLT_NULL && family > 0xffff)
        family = __builtin_bswap32(family);
    wire_skip(wire, NULL_BYTES);
    switch (family) {
    case 2:
        *type = LAYER_IPV4;
        return DECODE_OK;
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD, Npcap */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        *type = LAYER_IPV6;
        return DECODE_OK;
    default:
        return DECODE_NOT_IP;
    }
}

/* Takes tags and LLC/SNAP off; `*type` is then what follows them. */
static inline enum decode_reason decode_type(struct wire *wire, struct packet *packet, uint16_t *type)
{
    for (unsigned tags = 0; tunnel_is_tag(*type); tags++) {
        if (tags == FLOW_VLANS_MAX)
            return DECODE_TOO_MANY_TAGS;
        if (wire->left < TAG_BYTES)
            return DECODE_CUT_LINK;
        if (packet->vlan_count < FLOW_VLANS_MAX) /* those of a frame within the frame come on top */
            packet->vlans[packet->vlan_count++] = wire_u16(wire, 0) & 0x0fff;
        *type = wire_u16(wire, 2);
        wire_skip(wire, TAG_BYTES);
    }
    if (*type < LAYER_LOWEST_TYPE) { /* a length, and an LLC header follows */
        /* SNAP's two service points, "unnumbered information", and the organisation whose types are
         * Ethernet's. */
        bool snap = wire_u32(wire, 0) == 0xaaaa0300 && wire_u16(wire, 4) == 0;
        *type = wire_u16(wire, 6);
        if (wire->cut)
            return DECODE_CUT_LINK;
        if (!snap || *type < LAYER_LOWEST_TYPE)
            return DECODE_NOT_IP;
        wire_skip(wire, SNAP_BYTES);
    }
    return DECODE_OK;
}

static inline enum decode_reason decode_ethernet_type(struct wire *wire, struct packet *packet,
                                                      uint16_t *type)
{
    enum decode_reason reason = decode_ethernet(wire, packet, type);
    return reason != DECODE_OK ? reason : decode_type(wire, packet, type);
}

/* Moves the cursor behind the link's header and says what follows. */
static inline enum decode_reason decode_link(struct wire *wire, int link_type, struct packet *packet,
                                             uint16_t *type)
{
    enum decode_reason reason;
    switch (link_type) {
    case DLT_EN10MB:
        return decode_ethernet_type(wire, packet, type);
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
        reason = decode_cooked(wire, link_type, packet, type);
        return reason != DECODE_OK ? reason : decode_type(wire, packet, type);
    case DLT_NULL:
    case DLT_LOOP:
        return decode_null(wire, link_type, type);
    case DLT_RAW:
    case LINKTYPE_RAW: {
        bool is_6 = wire->left > 0 && wire->at[0] >> 4 == 6;
        *type = is_6 ? LAYER_IPV6 : LAYER_IPV4;
        return DECODE_OK;
    }
    case DLT_IPV4:
        *type = LAYER_IPV4;
        return DECODE_OK;
    case DLT_IPV6:
        *type = LAYER_IPV6;
        return DECODE_OK;
    default:
        return link_open(wire, link_type, type);
    }
}

bool decode_knows(int link_type)
{
    switch (link_type) {
    case DLT_EN10MB:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_RAW:
    case LINKTYPE_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        return true;
    default:
        return link_knows(link_type);
    }
}

/* An IPv4 address as ::ffff:a.b.c.d. */
static inline void copy_mapped(struct wire *wire, size_t offset, uint8_t address[16])
{
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    wire_copy(wire, offset, address + 12, 4);
}

static inline enum decode_reason read_ipv4(struct wire *wire, struct ip_layer *layer,
                                           struct packet_tuple *tuple)
{
    if (wire->left < IPV4_BYTES)
        return DECODE_CUT_IP;
    uint16_t place = wire_u16(wire, 6);
    layer->header_bytes = (wire_u8(wire, 0) & 0x0fU) * 4U;
    layer->total_bytes = wire_u16(wire, 2);
    layer->later_fragment = (place & 0x1fff) != 0;
    layer->fragment = layer->later_fragment || (place & 0x2000) != 0;
    layer->ttl = wire_u8(wire, 8);
    layer->protocol = wire_u8(wire, 9);
    if (layer->fragment) /* an id is of a protocol */
        layer->fragment_id = (uint32_t)wire_u16(wire, 4) << 8 | layer->protocol;
    copy_mapped(wire, 12, tuple->source);
    copy_mapped(wire, 16, tuple->destination);
    return layer->header_bytes < IPV4_BYTES ? DECODE_BAD_IP_HEADER : DECODE_OK;
}

static inline enum decode_reason read_ipv6(struct wire *wire, struct ip_layer *layer,
                                           struct packet_tuple *tuple)
{
    if (wire->left < IPV6_BYTES)
        return DECODE_CUT_IP;
    uint32_t payload_bytes = wire_u16(wire, 4);
    layer->protocol = wire_u8(wire, 6);
    layer->header_bytes = IPV6_BYTES;
    /* A length of zero is a jumbogram or was left to the card, unless there is nothing to follow. */
    bool silent = payload_bytes == 0 && layer->protocol != IPPROTO_NONE;
    layer->total_bytes = silent ? 0 : IPV6_BYTES + payload_bytes;
    layer->later_fragment = layer->fragment = false;
    layer->ttl = wire_u8(wire, 7);
    wire_copy(wire, 8, tuple->source, 16);
    wire_copy(wire, 24, tuple->destination, 16);
    return DECODE_OK;
}

/* Reads the fixed header of either version, and moves nothing. `promised` is 4, 6 or, for either, 0. */
static inline enum decode_reason read_ip(struct wire *wire, uint8_t promised, struct ip_layer *layer,
                                         struct packet_tuple *tuple)
{
    if (wire->left == 0)
        return DECODE_CUT_IP;
    layer->version = wire_u8(wire, 0) >> 4;
    if (promised != 0 && layer->version != promised)
        return DECODE_BAD_IP_VERSION;
    if (layer->version == 4)
        return read_ipv4(wire, layer, tuple);
    if (layer->version == 6)
        return read_ipv6(wire, layer, tuple);
    return DECODE_BAD_IP_VERSION;
}

/* Whether the header is one to walk over: the authentication header in both versions, the rest in IPv6 alone.
 */
static inline bool is_extension(uint8_t version, uint8_t protocol)
{
    if (version == 4)
        return protocol == IPPROTO_AH;
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH;
}

/* The length of an extension header, from its second byte: in units of 8 bytes after the first 8, but of 4
 * bytes after the first 8 in the authentication header, and fixed in the fragment header. */
static uint32_t extension_bytes(uint8_t protocol, uint8_t length)
{
    if (protocol == IPPROTO_FRAGMENT)
        return 8;
    return protocol == IPPROTO_AH ? (length + 2U) * 4U : (length + 1U) * 8U;
}

/* Walks over the extension headers, so that layer->protocol is that of what the cursor has reached. Stops
 * where they are cut (the cursor says so), and in a later fragment, where what follows is no header. */
static enum decode_reason walk_extensions(struct wire *wire, struct ip_layer *layer)
{
    for (int count = 0; is_extension(layer->version, layer->protocol); count++) {
        if (count == IPV6_EXTENSIONS_MAX)
            return DECODE_TOO_MANY_HEADERS;
        uint8_t next = wire_u8(wire, 0);
        uint32_t size = extension_bytes(layer->protocol, wire_u8(wire, 1));
        bool is_place = layer->protocol == IPPROTO_FRAGMENT;
        uint16_t place = is_place ? wire_u16(wire, 2) : 0;
        if (is_place)
            layer->fragment_id = wire_u32(wire, 4);
        wire_skip(wire, size);
        if (wire->cut)
            return DECODE_OK;
        layer->protocol = next;
        layer->later_fragment |= (place & 0xfff8) != 0;
        layer->fragment |= (place & 0xfff9) != 0; /* an atomic fragment, whole in one, is none */
        if (layer->later_fragment)
            return DECODE_OK;
    }
    return DECODE_OK;
}

static inline bool has_ports(uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
           protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

/* Reads the packet that an ICMP error quotes: cut short nearly always, so its lengths are not asked. Ports
 * that did not come along stay 0. */
static void decode_quoted(struct wire *wire, struct packet *packet)
{
    struct ip_layer layer;
    struct packet_tuple tuple = {.protocol = 0};
    if (read_ip(wire, packet->ip_version, &layer, &tuple) != DECODE_OK)
        return;
    wire_skip(wire, layer.header_bytes);
    bool readable = walk_extensions(wire, &layer) == DECODE_OK && !layer.later_fragment;
    tuple.protocol = layer.protocol;
    if (readable && has_ports(layer.protocol) && wire->left >= 4) {
        tuple.source_port = wire_u16(wire, 0);
        tuple.destination_port = wire_u16(wire, 2);
    }
    packet->quoted = tuple;
    packet->has_quoted = true;
}

/* Errors about another packet. A redirect is advice, not an error. */
static bool is_icmp_error(uint8_t version, uint8_t type)
{
    if (version == 6)
        return type >= 1 && type <= 4; /* unreachable, too big, time exceeded, parameter problem */
    return type == 3 || type == 4 || type == 11 ||
           type == 12; /* unreachable, quench, time exceeded, parameter problem */
}

/* Requests and replies that carry an identifier: echo, timestamp, information, mask, extended echo. */
static bool has_icmp_id(uint8_t version, uint8_t type)
{
    if (version == 6)
        return type == 128 || type == 129 || type == 160 || type == 161;
    return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
}

static void decode_icmp(struct wire *wire, uint32_t length, struct packet *packet)
{
    uint8_t type = wire_u8(wire, 0), code = wire_u8(wire, 1);
    uint16_t id = has_icmp_id(packet->ip_version, type) ? wire_u16(wire, 4) : 0;
    if (wire->cut)
        return;
    packet->has_transport = true;
    packet->icmp_type = type;
    packet->icmp_code = code;
    packet->icmp_id = id;
    packet->icmp_error = is_icmp_error(packet->ip_version, type);
    packet->payload_bytes = length > ICMP_BYTES ? length - ICMP_BYTES : 0;
    if (packet->icmp_error) {
        wire_skip(wire, ICMP_BYTES);
        decode_quoted(wire, packet);
    }
}

/* The payload of a transport whose header takes `header_bytes`; none where the lengths contradict each other.
 */
static inline uint32_t payload_after(uint32_t header_bytes, uint32_t least_bytes, uint32_t length)
{
    return header_bytes >= least_bytes && header_bytes <= length ? length - header_bytes : 0;
}

/* Reads the ports, and what else is wanted, of the protocols that have them; `length` is what the IP header
 * leaves to the transport on the wire. */
static inline void decode_ports(struct wire *wire, uint32_t length, struct packet *packet)
{
    struct packet_tuple *tuple = &packet->tuple;
    uint16_t source = wire_u16(wire, 0), destination = wire_u16(wire, 2);
    uint8_t flags = 0;
    uint32_t payload_bytes, sequence = 0, ack = 0;
    if (tuple->protocol == IPPROTO_TCP) {
        payload_bytes = payload_after((wire_u8(wire, 12) >> 4) * 4U, TCP_BYTES, length);
        sequence = wire_u32(wire, 4);
        ack = wire_u32(wire, 8);
        flags = wire_u8(wire, 13);
    } else if (tuple->protocol == IPPROTO_UDP) {
        uint32_t udp_bytes = wire_u16(wire, 4); /* 0 in jumbograms; a first fragment has less of it */
        payload_bytes =
            payload_after(UDP_BYTES, UDP_BYTES, udp_bytes != 0 && udp_bytes < length ? udp_bytes : length);
    } else if (tuple->protocol == IPPROTO_DCCP) {
        payload_bytes = payload_after(wire_u8(wire, 4) * 4U, DCCP_BYTES, length);
    } else {
        uint32_t header_bytes = tuple->protocol == IPPROTO_SCTP ? SCTP_BYTES : UDP_BYTES;
        payload_bytes = payload_after(header_bytes, header_bytes, length);
    }
    if (wire->cut)
        return;
    packet->has_transport = true;
    tuple->source_port = source;
    tuple->destination_port = destination;
    packet->tcp_flags = flags;
    packet->tcp_sequence = sequence;
    packet->tcp_ack = ack;
    packet->payload_bytes = payload_bytes;
}

static inline void decode_transport(struct wire *wire, uint32_t length, struct packet *packet)
{
    uint8_t protocol = packet->tuple.protocol;
    if (has_ports(protocol)) {
        decode_ports(wire, length, packet);
    } else if (protocol == (packet->ip_version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
        decode_icmp(wire, length, packet);
    } else {
        packet->has_transport =
            true; /* nothing more is asked of it: a flow of its protocol between two addresses */
        packet->payload_bytes = length;
    }
}

/* From the IP header on. `*missing_bytes` is what the frame had on the wire behind what was captured of it.
 */
static inline enum decode_reason decode_ip(struct wire *wire, uint8_t promised, uint32_t *missing_bytes,
                                           struct packet *packet)
{
    struct ip_layer layer;
    enum decode_reason reason = read_ip(wire, promised, &layer, &packet->tuple);
    if (reason != DECODE_OK)
        return reason;
    uint32_t captured_bytes = (uint32_t)wire->left, wire_bytes = captured_bytes + *missing_bytes;
    uint32_t total_bytes = layer.total_bytes != 0 ? layer.total_bytes : wire_bytes;
    if (total_bytes < layer.header_bytes)
        return DECODE_BAD_IP_HEADER;
    if (captured_bytes < layer.header_bytes)
        return DECODE_CUT_IP;
    wire_limit(wire, total_bytes); /* what follows is Ethernet's padding */
    *missing_bytes = total_bytes > captured_bytes ? total_bytes - captured_bytes : 0;
    const struct wire whole = *wire;

    wire_skip(wire, layer.header_bytes);
    reason = walk_extensions(wire, &layer);
    if (reason != DECODE_OK)
        return reason;

    packet->is_ip = true;
    packet->ip_version = layer.version;
    packet->ttl = layer.ttl;
    packet->ip_bytes = total_bytes;
    packet->ip = whole.at;
    packet->ip_captured_bytes = (uint32_t)whole.left;
    packet->fragment = layer.fragment;
    packet->later_fragment = layer.later_fragment;
    packet->fragment_id = layer.fragment ? layer.fragment_id : 0;
    packet->shortened = total_bytes > wire_bytes;
    packet->tuple.protocol = layer.protocol;
    if (!wire->cut && !layer.later_fragment)
        decode_transport(wire, total_bytes - (uint32_t)(wire->at - whole.at), packet);
    return DECODE_OK;
}

static inline uint8_t version_of(uint16_t type)
{
    return type == LAYER_IPV4 ? 4 : type == LAYER_IPV6 ? 6 : 0;
}

/* Forgets the IP packet that carries another. */
static void forget_ip(struct packet *packet)
{
    size_t begin = offsetof(struct packet, is_ip);
    memset((char *)packet + begin, 0, offsetof(struct packet, tunnels) - begin);
}

/* Takes one encapsulation off that is not IP. */
static enum decode_reason open_layer(struct wire *wire, struct packet *packet, uint16_t *type)
{
    if (*type == LAYER_ETHERNET)
        return decode_ethernet_type(wire, packet, type);
    if (tunnel_is_tag(*type) || *type == LAYER_LLC)
        return decode_type(wire, packet, type);
    return tunnel_open_type(wire, packet, type);
}

/* Opens one encapsulation after the other, beginning with what stands at the cursor (`type`; LAYER_NONE: what
 * the IP packet just read carries), to IP that carries nothing more. What is bridged, or stands on the link
 * itself, and is no IP makes the frame one that carries none; any other packet that carries no IP counts
 * itself. */
__attribute__((cold, noinline)) static enum decode_reason
decode_tunnels(struct wire *wire, uint16_t type, uint32_t missing_bytes, bool inner, struct packet *packet)
{
    struct packet outer = {.is_ip = false};
    bool routed = false, in_fragment = false;
    for (;;) {
        enum decode_reason reason;
        if (type == LAYER_NONE) {
            packet->shortened &= !in_fragment; /* the rest of it is in the other fragments */
            if (!inner || !tunnel_may_follow(packet))
                return DECODE_OK;
            outer = *packet;
            routed = true;
            in_fragment |= packet->fragment;
            reason = tunnel_open_ip(wire, packet, &type);
            if (reason == DECODE_OK && type == LAYER_NONE)
                return DECODE_OK;
            forget_ip(packet);
        } else if (version_of(type) != 0) {
            reason = decode_ip(wire, version_of(type), &missing_bytes, packet);
            type = LAYER_NONE;
        } else {
            routed &= type != LAYER_ETHERNET && type != LAYER_80211;
            reason = open_layer(wire, packet, &type);
        }
        if (reason == DECODE_NOT_IP && routed) {
            *packet = outer;
            return DECODE_OK;
        }
        if (reason != DECODE_OK)
            return reason;
    }
}

static inline enum decode_reason decode(const struct frame *frame, bool inner, struct packet *packet)
{
    memset(packet, 0, offsetof(struct packet, tunnels));
    packet->time_ns = frame->time_ns;
    packet->interface = frame->interface;
    struct wire wire = wire_over(frame->bytes, frame->captured_bytes);
    uint32_t missing_bytes =
        frame->wire_bytes > frame->captured_bytes ? frame->wire_bytes - frame->captured_bytes : 0;
    uint16_t type = LAYER_NONE;
    enum decode_reason reason = decode_link(&wire, frame->link_type, packet, &type);
    if (reason != DECODE_OK)
        return reason;
    if (version_of(type) == 0)
        return decode_tunnels(&wire, type, missing_bytes, inner, packet);
    reason = decode_ip(&wire, version_of(type), &missing_bytes, packet);
    if (reason != DECODE_OK || !inner || !tunnel_may_follow(packet))
        return reason;
    return decode_tunnels(&wire, LAYER_NONE, missing_bytes, inner, packet);
}

enum decode_reason decode_frame(const struct frame *frame, struct packet *packet)
{
    return decode(frame, true, packet);
}

enum decode_reason decode_frame_outermost(const struct frame *frame, struct packet *packet)
{
    return decode(frame, false, packet);
}

_Static_assert(PLAIN_LINK_TYPE == DLT_EN10MB, "plain frames are Ethernet");

void decode_plain(const struct frame *frame, const struct plain *plain, struct packet *packet)
{
    struct wire wire = wire_over(frame->bytes, frame->captured_bytes);
    uint16_t type;
    decode_ethernet(&wire, packet, &type);
    packet->time_ns = frame->time_ns;
    packet->interface = frame->interface;
    packet->ip_bytes = plain->ip_bytes;
    packet->vlan_count = plain->vlan != PLAIN_UNTAGGED;
    packet->vlans[0] = plain->vlan;
}
