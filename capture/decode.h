/* SPDX-License-Identifier: BSD-3-Clause */
/* Frame to packet, or a named reason why not. Reads bytes only through wire.h. */
#pragma once

#include "packet.h"

/* Why a frame yields no packet. The order is that of the refused_ rows in health.h. */
enum decode_reason {
    DECODE_OK,
    DECODE_LINK_TYPE,
    DECODE_CUT_LINK,
    DECODE_NOT_IP,
    DECODE_TOO_MANY_TAGS,
    DECODE_CUT_IP,
    DECODE_BAD_IP_VERSION,
    DECODE_BAD_IP_HEADER,
    DECODE_TOO_MANY_HEADERS,
    DECODE_CUT_TUNNEL,
    DECODE_BAD_TUNNEL,
    DECODE_TOO_MANY_TUNNELS,
    DECODE_TUNNEL_FRAGMENT,
    DECODE_GRE_ROUTING,
    DECODE_ENCRYPTED,
    DECODE__COUNT
};

/* Decodes Ethernet with up to three VLAN tags, Linux cooked v1 and v2, raw IP, null and loopback, the link
 * types of link.h, and the encapsulations of tunnel.h, to the innermost IP; IPv4 and IPv6 with extension
 * headers; TCP, UDP, ICMP and ICMPv6 with the packet that an error quotes. Fills `packet` wholly (of its
 * tunnels, those that there are), whatever it returns: on refusal is_ip is false and what was read of the
 * links stands. `packet` borrows the frame's bytes.
 *
 * DECODE_OK with has_transport false means a later fragment, or that the transport header, or an IPv6
 * extension header before it, was cut. Protocols without ports (ESP, no next header …) have a transport, with
 * ports 0; the authentication header is walked over in both versions. A version other than the one that the
 * link promised is DECODE_BAD_IP_VERSION. A length of zero, left to the card's segmentation or told in a
 * jumbo option, is taken from the wire; any other is believed, and `shortened` tells that there was less on
 * the wire. What an ICMP error quotes has ports only where they came along. Of Linux cooked frames only
 * source_mac is known.
 *
 * A tunnel's packet that carries no IP counts itself, unless it bridges a frame: then that frame carries
 * none. A tunnel's packet in fragments is opened in the first, which tells the length of all of what it
 * carries. */
enum decode_reason decode_frame(const struct frame *frame, struct packet *packet);

/* The same to the outermost IP alone: what that carries is not opened. */
enum decode_reason decode_frame_outermost(const struct frame *frame, struct packet *packet);

/* Of a plain frame (plain.h): sets of `packet` the time, the interface, the VLAN, the MAC addresses and
 * ip_bytes, and leaves the rest as it is. */
struct plain;
void decode_plain(const struct frame *frame, const struct plain *plain, struct packet *packet);

/* Whether decode_frame reads frames of this link type at all, so that a capture can be refused by name at
 * once. */
bool decode_knows(int link_type);
