/* SPDX-License-Identifier: BSD-3-Clause */
#include "link.h"

#include <pcap/dlt.h>

enum { NFLOG_PAYLOAD = 9, NFLOG_HEADER_BYTES = 4 };

bool link_knows(int link_type)
{
    switch (link_type) {
    case DLT_PPP:
    case DLT_PPP_SERIAL:
    case DLT_PPP_ETHER:
    case DLT_C_HDLC:
    case DLT_FRELAY:
    case DLT_MPLS:
    case DLT_NFLOG:
    case DLT_PFLOG:
    case DLT_ERF:
    case DLT_IEEE802_11:
    case DLT_IEEE802_11_RADIO:
        return true;
    default:
        return false;
    }
}

/* The layer of an address family: AF_INET is 2 everywhere, and every system has an AF_INET6 of its own. */
static uint16_t layer_of_family(unsigned family)
{
    return family == 2                                                    ? LAYER_IPV4
           : family == 10 || family == 24 || family == 28 || family == 30 ? LAYER_IPV6
                                                                          : LAYER_NONE;
}

static uint16_t little_u16(struct wire *wire, size_t offset)
{
    return __builtin_bswap16(wire_u16(wire, offset));
}

/* Cisco's HDLC: address, control, and an Ethernet type. */
static enum decode_reason open_hdlc(struct wire *wire, uint16_t *type)
{
    if (wire->left < 4)
        return DECODE_CUT_LINK;
    *type = wire_u16(wire, 2);
    wire_skip(wire, 4);
    return *type >= LAYER_LOWEST_TYPE ? DECODE_OK : DECODE_NOT_IP;
}

/* PPP in HDLC's framing, or Cisco's HDLC, told by the address. */
static enum decode_reason open_serial(struct wire *wire, uint16_t *type)
{
    uint8_t address = wire_u8(wire, 0);
    if (wire->cut)
        return DECODE_CUT_LINK;
    if (address == 0x0f || address == 0x8f)
        return open_hdlc(wire, type);
    *type = LAYER_PPP;
    return DECODE_OK;
}

/* An address of two to four bytes, "unnumbered information", and how the rest is to be read (RFC 2427). */
static enum decode_reason open_frame_relay(struct wire *wire, uint16_t *type)
{
    size_t at = 1;
    while (at < 4 && !(wire_u8(wire, at) & 1) && !wire->cut)
        at++;
    uint8_t control = wire_u8(wire, at + 1), how = wire_u8(wire, at + 2);
    if (wire->cut)
        return DECODE_CUT_LINK;
    wire_skip(wire, at + 3);
    if (control != 0x03)
        return DECODE_NOT_IP;
    if (how == 0x00) { /* padding, then SNAP */
        how = wire_u8(wire, 0);
        wire_skip(wire, 1);
    }
    *type = how == 0xcc ? LAYER_IPV4 : how == 0x8e ? LAYER_IPV6 : LAYER_NONE;
    if (how == 0x80) {
        uint32_t organisation = wire_u32(wire, 0) >> 8;
        uint16_t protocol = wire_u16(wire, 3);
        wire_skip(wire, 5);
        if (organisation == 0x000000 && protocol >= LAYER_LOWEST_TYPE)
            *type = protocol;
        else if (organisation == 0x0080c2 && (protocol == 0x0001 || protocol == 0x0007))
            *type = LAYER_ETHERNET; /* bridged, with its checksum behind it or without */
    }
    if (wire->cut)
        return DECODE_CUT_LINK;
    return *type != LAYER_NONE ? DECODE_OK : DECODE_NOT_IP;
}

/* Netfilter's log: a family, then values with a length and a type before them, in the byte order of the
 * machine that wrote them. Little is guessed, since no value is 256 bytes long but the packet, which is last.
 */
static enum decode_reason open_nflog(struct wire *wire, uint16_t *type)
{
    uint8_t family = wire_u8(wire, 0), version = wire_u8(wire, 1);
    wire_skip(wire, NFLOG_HEADER_BYTES);
    *type = layer_of_family(family);
    while (!wire->cut && version == 0) {
        uint16_t length = little_u16(wire, 0), kind = little_u16(wire, 2) & 0x7fff;
        bool swapped = (kind & 0xff) == 0;
        if (swapped) {
            length = __builtin_bswap16(length);
            kind = __builtin_bswap16(kind);
        }
        if (!wire->cut && length < 4)
            return DECODE_NOT_IP;
        if (kind == NFLOG_PAYLOAD) {
            wire_skip(wire, 4);
            break;
        }
        wire_skip(wire, (length + 3U) & ~3U);
    }
    if (wire->cut)
        return DECODE_CUT_LINK;
    return version == 0 && *type != LAYER_NONE ? DECODE_OK : DECODE_NOT_IP;
}

/* OpenBSD's packet filter log: the first byte is the header's length, without what pads it to a whole word.
 */
static enum decode_reason open_pflog(struct wire *wire, uint16_t *type)
{
    size_t header_bytes = (wire_u8(wire, 0) + 3U) & ~3U;
    *type = layer_of_family(wire_u8(wire, 1));
    wire_skip(wire, header_bytes);
    if (wire->cut)
        return DECODE_CUT_LINK;
    return *type != LAYER_NONE ? DECODE_OK : DECODE_NOT_IP;
}

/* Endace's record before the frame, with extension headers as long as their first bit asks for more. */
static enum decode_reason open_erf(struct wire *wire, uint16_t *type)
{
    uint8_t kind = wire_u8(wire, 8);
    bool more = kind & 0x80;
    wire_skip(wire, 16);
    while (more && !wire->cut) {
        more = wire_u8(wire, 0) & 0x80;
        wire_skip(wire, 8);
    }
    if (wire->cut)
        return DECODE_CUT_LINK;
    switch (kind & 0x7f) {
    case 2:                 /* Ethernet, */
    case 11:                /* the same coloured, */
    case 16:                /* with the capture's stream, */
    case 20:                /* and with a hash */
        wire_skip(wire, 2); /* offset and padding */
        *type = LAYER_ETHERNET;
        break;
    case 1: /* HDLC over SONET, and its kin */
    case 10:
    case 15:
    case 19:
        return open_serial(wire, type);
    case 22:
        *type = LAYER_IPV4;
        break;
    case 23:
        *type = LAYER_IPV6;
        break;
    default:
        return DECODE_NOT_IP;
    }
    return wire->cut ? DECODE_CUT_LINK : DECODE_OK;
}

static enum decode_reason open_radiotap(struct wire *wire, uint16_t *type)
{
    uint16_t header_bytes = little_u16(wire, 2);
    wire_skip(wire, header_bytes);
    *type = LAYER_80211;
    return wire->cut ? DECODE_CUT_LINK : header_bytes < 8 ? DECODE_NOT_IP : DECODE_OK;
}

enum decode_reason link_open(struct wire *wire, int link_type, uint16_t *type)
{
    switch (link_type) {
    case DLT_PPP:
    case DLT_PPP_SERIAL:
        return open_serial(wire, type);
    case DLT_PPP_ETHER:
        *type = LAYER_PPPOE;
        return DECODE_OK;
    case DLT_C_HDLC:
        return open_hdlc(wire, type);
    case DLT_FRELAY:
        return open_frame_relay(wire, type);
    case DLT_MPLS:
        *type = LAYER_MPLS;
        return DECODE_OK;
    case DLT_NFLOG:
        return open_nflog(wire, type);
    case DLT_PFLOG:
        return open_pflog(wire, type);
    case DLT_ERF:
        return open_erf(wire, type);
    case DLT_IEEE802_11:
        *type = LAYER_80211;
        return DECODE_OK;
    case DLT_IEEE802_11_RADIO:
        return open_radiotap(wire, type);
    default:
        return DECODE_LINK_TYPE;
    }
}
