/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "frame.h"

enum { IP_BYTES = 20, TCP_BYTES = 20, TCP_OPTION_BYTES = 8, UDP_BYTES = 8, ICMP_BYTES = 8, ARP_BYTES = 28 };

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value >> 16), value & 0xffff);
}

/* RFC 1071, without the final complement. */
static uint32_t sum16(const uint8_t *bytes, size_t length, uint32_t sum)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (length & 1)
        sum += (uint32_t)bytes[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static uint32_t pseudo_header(const struct frame *frame, size_t length)
{
    return (frame->source >> 16) + (frame->source & 0xffff) + (frame->target >> 16) +
           (frame->target & 0xffff) + frame->protocol + (uint32_t)length;
}

static size_t header_bytes(const struct frame *frame)
{
    switch (frame->protocol) {
    case PROTOCOL_TCP:
        return TCP_BYTES + (frame->flags & TCP_SYN ? TCP_OPTION_BYTES : 0);
    case PROTOCOL_UDP:
        return UDP_BYTES;
    default:
        return ICMP_BYTES;
    }
}

size_t frame_ip_bytes(const struct frame *frame)
{
    return frame->protocol == PROTOCOL_ARP ? 0 : IP_BYTES + header_bytes(frame) + frame->payload_bytes;
}

static uint8_t *put_link(const struct frame *frame, uint8_t *at)
{
    memcpy(at, frame->target_mac, 6);
    memcpy(at + 6, frame->source_mac, 6);
    at += 12;
    if (frame->vlan != 0)
        at = put16(put16(at, 0x8100), frame->vlan);
    return put16(at, frame->protocol == PROTOCOL_ARP ? 0x0806 : 0x0800);
}

static uint8_t *put_arp(const struct frame *frame, uint8_t *at)
{
    static const uint8_t head[] = {0, 1, 8, 0, 6, 4};
    memcpy(at, head, sizeof head);
    at = put16(at + sizeof head, frame->icmp_type);
    memcpy(at, frame->source_mac, 6);
    at = put32(at + 6, frame->source);
    if (frame->icmp_type == 2)
        memcpy(at, frame->target_mac, 6);
    else
        memset(at, 0, 6);
    return put32(at + 6, frame->target);
}

static uint8_t *put_ip(const struct frame *frame, uint8_t *at)
{
    uint8_t *start = at;
    at = put16(at, 0x4500);
    at = put16(at, (uint32_t)frame_ip_bytes(frame));
    at = put32(at, 0x00004000); /* identification 0, don't fragment */
    *at++ = frame->ttl;
    *at++ = frame->protocol;
    at = put16(at, 0);
    at = put32(put32(at, frame->source), frame->target);
    put16(start + 10, ~sum16(start, IP_BYTES, 0) & 0xffff);
    return at;
}

static void put_tcp(const struct frame *frame, uint8_t *at)
{
    static const uint8_t options[TCP_OPTION_BYTES] = {2, 4, 0x05, 0x78,
                                                      1, 1, 4,    2}; /* MSS 1400, SACK permitted */
    size_t header = header_bytes(frame), length = header + frame->payload_bytes;
    uint8_t *start = at;
    at = put16(put16(at, frame->source_port), frame->target_port);
    at = put32(put32(at, frame->sequence), frame->flags & TCP_ACK ? frame->acknowledged : 0);
    *at++ = (uint8_t)(header / 4 << 4);
    *at++ = frame->flags;
    at = put16(at, frame->flags & TCP_RST ? 0 : 64240);
    at = put32(at, 0); /* checksum, urgent pointer */
    if (frame->flags & TCP_SYN)
        memcpy(at, options, sizeof options);
    put16(start + 16, ~sum16(start, length, pseudo_header(frame, length)) & 0xffff);
}

static void put_udp(const struct frame *frame, uint8_t *at)
{
    size_t length = UDP_BYTES + frame->payload_bytes;
    put32(put16(put16(at, frame->source_port), frame->target_port), (uint32_t)length << 16);
    uint32_t checksum = ~sum16(at, length, pseudo_header(frame, length)) & 0xffff;
    put16(at + 6, checksum == 0 ? 0xffff : checksum);
}

static void put_icmp(const struct frame *frame, uint8_t *at)
{
    at[0] = frame->icmp_type;
    at[1] = frame->icmp_code;
    put32(at + 2, 0);
    put16(put16(at + 4, frame->source_port), frame->target_port);
    put16(at + 2, ~sum16(at, ICMP_BYTES + frame->payload_bytes, 0) & 0xffff);
}

size_t frame_build(const struct frame *frame, uint8_t bytes[FRAME_MAX_BYTES])
{
    uint8_t *at = put_link(frame, bytes);
    if (frame->protocol == PROTOCOL_ARP) {
        at = put_arp(frame, at);
    } else {
        at = put_ip(frame, at);
        if (frame->payload_bytes > 0)
            memcpy(at + header_bytes(frame), frame->payload, frame->payload_bytes);
        if (frame->protocol == PROTOCOL_TCP)
            put_tcp(frame, at);
        else if (frame->protocol == PROTOCOL_UDP)
            put_udp(frame, at);
        else
            put_icmp(frame, at);
        at += header_bytes(frame) + frame->payload_bytes;
    }
    while (at < bytes + 60)
        *at++ = 0;
    return (size_t)(at - bytes);
}
