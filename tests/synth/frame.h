/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes of packets: Ethernet, VLAN tag, IPv4, TCP, UDP, ICMP echo and errors, ARP, with right lengths and
 * checksums. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };
enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ARP = 255 };
enum { FRAME_MAX_BYTES = 1600, SEGMENT_MAX_BYTES = 1400 };

/* One packet. Addresses, ports and numbers in host order; the payload is borrowed. */
struct frame {
    const uint8_t *source_mac, *target_mac;
    uint16_t vlan; /* 0: no tag */
    uint32_t source, target;
    uint8_t ttl, protocol;
    uint8_t flags;                /* TCP */
    uint8_t icmp_type, icmp_code; /* ICMP, where the ports are identifier and sequence number; ARP: 1 or 2 */
    uint16_t source_port, target_port;
    uint32_t sequence, acknowledged;
    const uint8_t *payload;
    size_t payload_bytes;
};

/* Writes the frame, padded to the Ethernet minimum of 60 bytes, and returns its length. */
size_t frame_build(const struct frame *frame, uint8_t bytes[FRAME_MAX_BYTES]);

/* Its IP bytes without link header and padding; 0 for ARP. */
size_t frame_ip_bytes(const struct frame *frame);
