/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames written out byte by byte, what is to be read from them, and every way of refusing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pcap/dlt.h>

#include "clock.h"
#include "decode.h"
#include "plain.h"

/* --- the pieces of frames --- */

#define MACS    0x02, 0, 0, 0, 0, 0x0b, 0x02, 0, 0, 0, 0, 0x0a /* to …0b, from …0a */
#define IS_IPV4 0x08, 0x00
#define IS_IPV6 0x86, 0xdd
#define TAG(id)                                                                                              \
    0x81, 0x00, 0x60 | (id) >> 8, (id)&0xff /* 802.1Q with priority 3, so that the id must be masked */
#define ZERO4  0, 0, 0, 0
#define ZERO8  ZERO4, ZERO4
#define TWO(n) (uint8_t)((n) >> 8), (uint8_t)((n)&0xff)
#define FROM4  192, 0, 2, 1
#define TO4    175, 45, 176, 71
#define FROM6  0x20, 0x01, 0x0d, 0xb8, ZERO8, 0, 0, 0, 0x01 /* 2001:db8::1 */
#define TO6    0x20, 0x01, 0x0d, 0xb8, ZERO8, 0, 0, 0, 0x02 /* 2001:db8::2 */
/* version and length, no TOS, total length, id, flags and offset, TTL 57, protocol, no checksum, addresses */
#define IPV4_FULL(ihl, total, place, protocol)                                                               \
    0x40 | (ihl), 0, TWO(total), 0, 1, TWO(place), 57, protocol, 0, 0, FROM4, TO4
#define IPV4(total, protocol) IPV4_FULL(5, total, 0x4000, protocol)
/* version, no class and label, payload length, next header, hop limit 57, addresses */
#define IPV6(payload, next) 0x60, 0, 0, 0, TWO(payload), next, 57, FROM6, TO6
/* ports, sequence and acknowledgement, data offset, flags, window, checksum, urgent pointer */
#define TCP(words, flags)                                                                                    \
    TWO(40000), TWO(443), 0, 0, 0, 1, 0xfe, 0xdc, 0xba, 0x98, (words) << 4, flags, 0xff, 0xff, 0, 0, 0, 0
#define UDP(length) TWO(40000), TWO(53), TWO(length), 0, 0

struct result {
    enum decode_reason reason;
    struct packet packet;
};

static unsigned plain_frames;

/* What plain_read says of a frame must be what decode_frame says of it, where it says anything. */
static void assert_plain(const struct frame *frame, const struct result *result)
{
    static struct packet plain;
    const struct packet *packet = &result->packet;
    struct plain found;
    unsigned version = plain_read(frame, &found);
    if (version == 0)
        return;
    const uint8_t *addresses = found.addresses;
    unsigned size = version == 4 ? 4 : 16;
    decode_plain(frame, &found, &plain);
    assert_int_equal(result->reason, DECODE_OK);
    assert_int_equal(packet->ip_version, version);
    assert_true(addresses >= frame->bytes && addresses + 2 * size <= frame->bytes + frame->captured_bytes);
    assert_memory_equal(packet->tuple.source + 16 - size, addresses, size);
    assert_memory_equal(packet->tuple.destination + 16 - size, addresses + size, size);
    assert_int_equal(plain.interface, packet->interface);
    assert_int_equal(plain.time_ns, frame->time_ns);
    assert_int_equal(plain.ip_bytes, packet->ip_bytes);
    assert_int_equal(plain.vlan_count, packet->vlan_count);
    if (plain.vlan_count > 0)
        assert_int_equal(plain.vlans[0], packet->vlans[0]);
    assert_int_equal(packet->mpls_count, 0);
    assert_true(plain.has_mac && packet->has_mac);
    assert_memory_equal(plain.source_mac, packet->source_mac, 6);
    assert_memory_equal(plain.destination_mac, packet->destination_mac, 6);
    assert_false(packet->icmp_error || packet->fragment);
    /* What was cut within the headers is told by decode_frame alone, so that it counts alike wherever it is.
     */
    if (frame->captured_bytes < frame->wire_bytes && !plain_may_lack(frame))
        assert_true(packet->has_transport);
    assert_int_equal(found.protocol, packet->tuple.protocol);
    plain_frames++;
}

/* Decodes a copy that is exactly as large as what was captured, so that the address sanitizer sees any byte
 * too far. */
static struct result decode_cut(int link_type, const uint8_t *bytes, uint32_t captured, uint32_t wire)
{
    uint8_t *copy = malloc(captured > 0 ? captured : 1);
    if (captured > 0)
        memcpy(copy, bytes, captured);
    struct frame frame = {copy, captured, wire, 77, link_type, 5, 0};
    struct result result;
    memset(&result, 0xa5, sizeof result); /* so that what is not filled shows */
    result.reason = decode_frame(&frame, &result.packet);
    assert_plain(&frame, &result);
    if (result.packet.ip != NULL) {
        assert_true(result.packet.ip >= copy);
        assert_true(result.packet.ip + result.packet.ip_captured_bytes <= copy + captured);
        result.packet.ip = bytes + (result.packet.ip - copy);
    }
    free(copy);
    return result;
}

#define DECODE(link_type, frame) decode_cut(link_type, frame, sizeof(frame), sizeof(frame))
#define ETHERNET(...)            ((const uint8_t[]){MACS, __VA_ARGS__})

static void assert_address(const uint8_t address[16], const char *text)
{
    uint8_t wanted[16] = {[10] = 0xff, [11] = 0xff};
    if (inet_pton(AF_INET, text, wanted + 12) != 1)
        assert_int_equal(inet_pton(AF_INET6, text, wanted), 1);
    assert_memory_equal(address, wanted, 16);
}

static void assert_tuple(const struct packet_tuple *tuple, const char *source, unsigned source_port,
                         const char *destination, unsigned destination_port, unsigned protocol)
{
    assert_address(tuple->source, source);
    assert_address(tuple->destination, destination);
    assert_int_equal(tuple->source_port, source_port);
    assert_int_equal(tuple->destination_port, destination_port);
    assert_int_equal(tuple->protocol, protocol);
}

#define ASSERT_IPV4_TUPLE(p, sp, dp, protocol)                                                               \
    assert_tuple(&(p).tuple, "192.0.2.1", sp, "175.45.176.71", dp, protocol)
#define ASSERT_IPV6_TUPLE(p, sp, dp, protocol)                                                               \
    assert_tuple(&(p).tuple, "2001:db8::1", sp, "2001:db8::2", dp, protocol)

static void assert_refused(struct result result, enum decode_reason reason)
{
    assert_int_equal(result.reason, reason);
    assert_false(result.packet.is_ip);
    assert_false(result.packet.has_transport);
    assert_null(result.packet.ip);
}

/* --- the frames of the sweep: one of each kind that is read --- */

static const uint8_t tcp_syn[] = {MACS, IS_IPV4, IPV4(44, 6), TCP(6, 0x02), 2, 4, 0x05, 0xb4, /* MSS 1460 */
                                  0,    0};                                                   /* padding */
static const uint8_t tagged_udp[] = {MACS,    TAG(100),     TAG(2049), 0x88, 0xa8, 0,  7,
                                     IS_IPV4, IPV4(31, 17), UDP(11),   'a',  'b',  'c'};
static const uint8_t snap_udp[] = {MACS, TWO(36), 0xaa, 0xaa, 0x03, 0, 0, 0, IS_IPV4, IPV4(28, 17), UDP(8)};
static const uint8_t options_tcp[] = {MACS, IS_IPV4, IPV4_FULL(6, 45, 0, 6), 1, 1, 1, 0, TCP(5, 0x18), 'x'};
static const uint8_t ipv6_udp[] = {MACS, IS_IPV6, IPV6(12, 17), UDP(12), 'a', 'b', 'c', 'd'};
/* Hop-by-hop, destination options, routing, fragment (atomic), authentication (24 bytes), TCP. */
static const uint8_t ipv6_chain[] = {MACS,        IS_IPV6, IPV6(8 + 16 + 8 + 8 + 24 + 20, 0), /* */
                                     60,          0,       1,
                                     4,           ZERO4, /* hop-by-hop, one unit */
                                     43,          1,       1,
                                     12,          ZERO4,   ZERO8, /* destination, two units */
                                     44,          0,       4,
                                     0,           ZERO4, /* routing */
                                     51,          0,       0,
                                     0,           0,       0,
                                     0,           9, /* fragment: offset 0, no more */
                                     6,           4,       0,
                                     0,           ZERO4,   ZERO4,
                                     ZERO4,       ZERO8, /* authentication: (4+2)*4 */
                                     TCP(5, 0x10)};
static const uint8_t echo[] = {MACS, IS_IPV4, IPV4(30, 1), 8, 0, 0, 0, TWO(0x1234), TWO(1), 'h', 'i'};
static const uint8_t echo6[] = {MACS, IS_IPV6, IPV6(8, 58), 129, 0, 0, 0, TWO(0x4321), TWO(1)};
/* A router says that the watched side cannot be reached, quoting 28 bytes of a longer packet. */
static const uint8_t unreachable[] = {MACS, IS_IPV4, IPV4(56, 1), 3,       1,          0,    0,  ZERO4, /* */
                                      0x45, 0,       TWO(1400),   0,       1,          0x40, 0,  1,
                                      6,    0,       0,           175,     45,         176,  71, 198,
                                      51,   100,     9,           TWO(80), TWO(50000), ZERO4};
/* Time exceeded, quoting UDP behind a hop-by-hop header. */
static const uint8_t exceeded6[] = {MACS,       IS_IPV6,  IPV6(8 + 40 + 8 + 8, 58),
                                    3,          0,        0,
                                    0,          ZERO4, /* */
                                    0x60,       0,        0,
                                    0,          TWO(900), 0,
                                    1,          TO6,      FROM6,
                                    17,         0,        1,
                                    4,          ZERO4,    TWO(53),
                                    TWO(40000), TWO(892), 0,
                                    0};
static const uint8_t sll_tcp[] = {0, 0, 0,    1, 0, 6,       0x02,        0,           0,
                                  0, 0, 0x0a, 0, 0, IS_IPV4, IPV4(40, 6), TCP(5, 0x11)};
static const uint8_t sll_tagged[] = {0, 0,    0, 1, 0,       6,       0x02,         0,     0, 0,
                                     0, 0x0a, 0, 0, TAG(33), IS_IPV4, IPV4(28, 17), UDP(8)};
static const uint8_t sll2_udp[] = {IS_IPV6, 0, 0, 0, 0, 0,    2, 0, 1,           0,     6,
                                   0x02,    0, 0, 0, 0, 0x0a, 0, 0, IPV6(8, 17), UDP(8)};
static const uint8_t raw_udp[] = {IPV4(28, 17), UDP(8)};
static const uint8_t raw6_udp[] = {IPV6(8, 17), UDP(8)};
static const uint8_t null_little[] = {2, 0, 0, 0, IPV4(28, 17), UDP(8)};
static const uint8_t null_big[] = {0, 0, 0, 30, IPV6(8, 17), UDP(8)};

static const struct sample {
    int link_type;
    const uint8_t *bytes;
    uint32_t length;
} samples[] = {
#define SAMPLE(link_type, frame)                                                                             \
    {                                                                                                        \
        link_type, frame, sizeof(frame)                                                                      \
    }
    SAMPLE(DLT_EN10MB, tcp_syn),      SAMPLE(DLT_EN10MB, tagged_udp), SAMPLE(DLT_EN10MB, snap_udp),
    SAMPLE(DLT_EN10MB, options_tcp),  SAMPLE(DLT_EN10MB, ipv6_udp),   SAMPLE(DLT_EN10MB, ipv6_chain),
    SAMPLE(DLT_EN10MB, echo),         SAMPLE(DLT_EN10MB, echo6),      SAMPLE(DLT_EN10MB, unreachable),
    SAMPLE(DLT_EN10MB, exceeded6),    SAMPLE(DLT_LINUX_SLL, sll_tcp), SAMPLE(DLT_LINUX_SLL, sll_tagged),
    SAMPLE(DLT_LINUX_SLL2, sll2_udp), SAMPLE(DLT_RAW, raw_udp),       SAMPLE(DLT_IPV4, raw_udp),
    SAMPLE(DLT_IPV6, raw6_udp),       SAMPLE(DLT_NULL, null_little),  SAMPLE(DLT_NULL, null_big),
    SAMPLE(DLT_LOOP, null_big),
};
enum { SAMPLE_COUNT = sizeof samples / sizeof samples[0] };

/* --- links --- */

static void ethernet_tcp_is_read_whole(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, tcp_syn);
    const struct packet *p = &r.packet;
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(p->time_ns, 77);
    assert_int_equal(p->interface, 5);
    assert_true(p->has_mac);
    assert_memory_equal(p->destination_mac, "\x02\0\0\0\0\x0b", 6);
    assert_memory_equal(p->source_mac, "\x02\0\0\0\0\x0a", 6);
    assert_int_equal(p->vlan_count, 0);
    assert_int_equal(p->mpls_count, 0);
    assert_true(p->is_ip);
    assert_int_equal(p->ip_version, 4);
    assert_int_equal(p->ttl, 57);
    assert_int_equal(p->ip_bytes, 44); /* the two bytes of padding are not the packet's */
    assert_ptr_equal(p->ip, tcp_syn + 14);
    assert_int_equal(p->ip_captured_bytes, 44);
    ASSERT_IPV4_TUPLE(*p, 40000, 443, 6);
    assert_false(p->fragment || p->later_fragment);
    assert_true(p->has_transport);
    assert_int_equal(p->tcp_flags, TCP_SYN);
    assert_int_equal(p->tcp_sequence, 1);
    assert_int_equal(p->tcp_ack, 0xfedcba98);
    assert_int_equal(p->payload_bytes, 0);
    assert_false(p->icmp_error || p->has_quoted);
}

static void three_tags_are_read_outermost_first_and_their_priority_left_out(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, tagged_udp);
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.vlan_count, 3);
    assert_int_equal(r.packet.vlans[0], 100);
    assert_int_equal(r.packet.vlans[1], 2049);
    assert_int_equal(r.packet.vlans[2], 7);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 53, 17);
    assert_int_equal(r.packet.ip_bytes, 31);
    assert_int_equal(r.packet.payload_bytes, 3);
}

static void the_older_tag_types_are_tags_too(void **state)
{
    (void)state;
    struct result r =
        DECODE(DLT_EN10MB, ETHERNET(0x91, 0x00, 0, 5, 0x92, 0x00, 0, 6, IS_IPV4, IPV4(28, 17), UDP(8)));
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.vlan_count, 2);
    assert_int_equal(r.packet.vlans[0], 5);
    assert_int_equal(r.packet.vlans[1], 6);
}

static void a_fourth_tag_is_refused_and_the_three_stand(void **state)
{
    (void)state;
    struct result r =
        DECODE(DLT_EN10MB, ETHERNET(TAG(1), TAG(2), TAG(3), TAG(4), IS_IPV4, IPV4(28, 17), UDP(8)));
    assert_refused(r, DECODE_TOO_MANY_TAGS);
    assert_int_equal(r.packet.vlan_count, 3);
    assert_int_equal(r.packet.vlans[2], 3);
    assert_true(r.packet.has_mac);
}

static void llc_snap_carries_ip_and_other_llc_does_not(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, snap_udp);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 53, 17);
    /* spanning tree */
    assert_refused(DECODE(DLT_EN10MB, ETHERNET(TWO(38), 0x42, 0x42, 0x03, 0, 0, 0, 0, 0, ZERO8)),
                   DECODE_NOT_IP);
    /* SNAP of another organisation, whose type 0x0800 is not Ethernet's */
    assert_refused(
        DECODE(DLT_EN10MB, ETHERNET(TWO(36), 0xaa, 0xaa, 3, 0, 0, 0x0c, IS_IPV4, IPV4(28, 17), UDP(8))),
        DECODE_NOT_IP);
    assert_refused(DECODE(DLT_EN10MB, ETHERNET(TWO(36), 0xaa, 0xaa, 3)), DECODE_CUT_LINK);
}

static void frames_without_ip_are_refused_by_name(void **state)
{
    (void)state;
    struct result r =
        DECODE(DLT_EN10MB, ETHERNET(0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1, ZERO8, ZERO8, ZERO4));
    assert_refused(r, DECODE_NOT_IP); /* ARP */
    assert_true(r.packet.has_mac);
    assert_refused(DECODE(DLT_EN10MB, ETHERNET(TAG(9), 0x88, 0xcc, ZERO8, IPV4(28, 17), UDP(8))),
                   DECODE_NOT_IP); /* LLDP */
    assert_refused(DECODE(DLT_LINUX_SLL, ((const uint8_t[]){0, 4, 0, 1, 0, 0, ZERO8, 0x08, 0x06, ZERO8})),
                   DECODE_NOT_IP);
    assert_refused(DECODE(DLT_NULL, ((const uint8_t[]){7, 0, 0, 0, ZERO8})), DECODE_NOT_IP);
}

static void cooked_frames_are_read_with_the_senders_address(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_LINUX_SLL, sll_tcp);
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.has_mac);
    assert_memory_equal(r.packet.source_mac, "\x02\0\0\0\0\x0a", 6);
    assert_memory_equal(r.packet.destination_mac, "\0\0\0\0\0\0", 6);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 443, 6);
    assert_int_equal(r.packet.tcp_flags, TCP_FIN | TCP_ACK);

    r = DECODE(DLT_LINUX_SLL, sll_tagged);
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.vlan_count, 1);
    assert_int_equal(r.packet.vlans[0], 33);

    r = DECODE(DLT_LINUX_SLL2, sll2_udp);
    assert_int_equal(r.reason, DECODE_OK);
    assert_memory_equal(r.packet.source_mac, "\x02\0\0\0\0\x0a", 6);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
}

static void a_cooked_frame_without_an_ethernet_address_has_no_mac(void **state)
{
    (void)state;
    struct result r = DECODE(
        DLT_LINUX_SLL, ((const uint8_t[]){0, 0, 0xff, 0xfe, 0, 0, ZERO8, IS_IPV4, IPV4(28, 17), UDP(8)}));
    assert_int_equal(r.reason, DECODE_OK);
    assert_false(r.packet.has_mac);
}

static void raw_ip_is_read_by_its_version(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_RAW, raw_udp);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 53, 17);
    assert_false(r.packet.has_mac);
    r = DECODE(101, raw6_udp);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
    assert_int_equal(DECODE(DLT_IPV4, raw_udp).reason, DECODE_OK);
    assert_int_equal(DECODE(DLT_IPV6, raw6_udp).reason, DECODE_OK);
    assert_refused(DECODE(DLT_IPV4, raw6_udp), DECODE_BAD_IP_VERSION);
    assert_refused(DECODE(DLT_IPV6, raw_udp), DECODE_BAD_IP_VERSION);
}

static void loopback_frames_are_read_in_both_byte_orders(void **state)
{
    (void)state;
    assert_int_equal(DECODE(DLT_NULL, null_little).reason, DECODE_OK);
    static const uint8_t inet6[] = {10, 24, 28, 30};
    for (size_t i = 0; i < sizeof inet6; i++) {
        const uint8_t little[] = {inet6[i], 0, 0, 0, IPV6(8, 17), UDP(8)};
        const uint8_t big[] = {0, 0, 0, inet6[i], IPV6(8, 17), UDP(8)};
        struct result r = DECODE(DLT_NULL, little);
        assert_int_equal(r.reason, DECODE_OK);
        ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
        assert_int_equal(DECODE(DLT_NULL, big).reason, DECODE_OK);
        assert_int_equal(DECODE(DLT_LOOP, big).reason, DECODE_OK);
        assert_refused(DECODE(DLT_LOOP, little), DECODE_NOT_IP); /* OpenBSD's is in network order, always */
    }
}

static void an_unknown_link_type_is_refused(void **state)
{
    (void)state;
    assert_refused(DECODE(DLT_IEEE802, tcp_syn), DECODE_LINK_TYPE); /* token ring */
    assert_refused(DECODE(-1, tcp_syn), DECODE_LINK_TYPE);
}

static void decode_knows_exactly_the_link_types_that_decode_frame_reads(void **state)
{
    (void)state;
    int known = 0;
    for (int link_type = -2; link_type < 400; link_type++) {
        struct result r = DECODE(link_type, tcp_syn);
        assert_int_equal(decode_knows(link_type), r.reason != DECODE_LINK_TYPE);
        known += decode_knows(link_type);
    }
    assert_int_equal(known, 20);
}

/* --- IPv4 --- */

static void options_lie_between_header_and_transport(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, options_tcp);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 443, 6);
    assert_int_equal(r.packet.payload_bytes, 1);
    assert_int_equal(r.packet.tcp_flags, TCP_PSH | TCP_ACK);
}

static void a_total_length_of_zero_means_the_wires(void **state)
{
    (void)state;
    static const uint8_t frame[] = {MACS, IS_IPV4, IPV4(0, 6), TCP(5, 0x10), 'd', 'a', 't', 'a'};
    struct result r = DECODE(DLT_EN10MB, frame);
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.ip_bytes, 44);
    assert_int_equal(r.packet.payload_bytes, 4);
    /* 60000 bytes of segmentation offload of which the snapshot took 54 */
    r = decode_cut(DLT_EN10MB, frame, 54, 60014);
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.ip_bytes, 60000);
    assert_int_equal(r.packet.ip_captured_bytes, 40);
    assert_int_equal(r.packet.payload_bytes, 59960);
}

static void an_ipv4_header_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    assert_refused(DECODE(DLT_RAW, ((const uint8_t[]){IPV4_FULL(4, 28, 0, 17), UDP(8)})),
                   DECODE_BAD_IP_HEADER);
    assert_refused(DECODE(DLT_RAW, ((const uint8_t[]){IPV4(19, 17), UDP(8)})), DECODE_BAD_IP_HEADER);
    assert_refused(DECODE(DLT_RAW, ((const uint8_t[]){IPV4_FULL(15, 28, 0, 17), UDP(8)})),
                   DECODE_BAD_IP_HEADER);
}

static void versions_other_than_the_promised_are_refused(void **state)
{
    (void)state;
    assert_refused(DECODE(DLT_RAW, ((const uint8_t[]){0x55, ZERO8, ZERO8, ZERO8})), DECODE_BAD_IP_VERSION);
    assert_refused(DECODE(DLT_EN10MB, ETHERNET(IS_IPV4, IPV6(8, 17), UDP(8))), DECODE_BAD_IP_VERSION);
    assert_refused(DECODE(DLT_EN10MB, ETHERNET(IS_IPV6, IPV4(28, 17), UDP(8))), DECODE_BAD_IP_VERSION);
}

static void a_packet_cut_within_its_ipv4_header_is_refused(void **state)
{
    (void)state;
    assert_refused(decode_cut(DLT_EN10MB, tcp_syn, 14 + 19, sizeof tcp_syn), DECODE_CUT_IP);
    assert_refused(decode_cut(DLT_EN10MB, options_tcp, 14 + 23, sizeof options_tcp), DECODE_CUT_IP);
    assert_int_equal(decode_cut(DLT_EN10MB, options_tcp, 14 + 24, sizeof options_tcp).reason, DECODE_OK);
}

static void a_first_fragment_has_ports_and_a_later_one_has_none(void **state)
{
    (void)state;
    static const uint8_t first[] = {IPV4_FULL(5, 32, 0x2000, 17), UDP(1000), 'a', 'b', 'c', 'd'};
    struct result r = DECODE(DLT_RAW, first);
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.fragment);
    assert_false(r.packet.later_fragment);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 53, 17);
    assert_int_equal(r.packet.payload_bytes, 4); /* of this fragment, though the datagram has 992 */

    static const uint8_t later[] = {IPV4_FULL(5, 32, 0x2001, 17), UDP(1000), 'a', 'b', 'c', 'd'};
    r = DECODE(DLT_RAW, later);
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.fragment && r.packet.later_fragment);
    assert_false(r.packet.has_transport);
    ASSERT_IPV4_TUPLE(r.packet, 0, 0, 17);
    assert_int_equal(r.packet.ip_bytes, 32);

    static const uint8_t last[] = {IPV4_FULL(5, 28, 0x1fff, 6), ZERO8};
    r = DECODE(DLT_RAW, last);
    assert_true(r.packet.fragment && r.packet.later_fragment);
}

/* --- IPv6 --- */

static void ipv6_is_read_whole(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, ipv6_udp);
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.ip_version, 6);
    assert_int_equal(r.packet.ttl, 57);
    assert_int_equal(r.packet.ip_bytes, 52);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
    assert_int_equal(r.packet.payload_bytes, 4);
}

static void a_cut_extension_header_leaves_the_packet_without_transport(void **state)
{
    (void)state;
    struct result r = decode_cut(DLT_EN10MB, ipv6_chain, 14 + 40 + 8 + 15, sizeof ipv6_chain);
    assert_int_equal(r.reason, DECODE_OK);
    assert_false(r.packet.has_transport);
    ASSERT_IPV6_TUPLE(r.packet, 0, 0, 60); /* as far as the second header, whose own kind is known */
    assert_refused(decode_cut(DLT_EN10MB, ipv6_chain, 14 + 39, sizeof ipv6_chain), DECODE_CUT_IP);
}

static void extension_headers_are_walked_over(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, ipv6_chain);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 443, 6);
    assert_int_equal(r.packet.tcp_flags, TCP_ACK);
    assert_int_equal(r.packet.payload_bytes, 0);
    assert_int_equal(r.packet.ip_bytes, sizeof ipv6_chain - 14);
    assert_false(r.packet.fragment); /* an atomic fragment is whole */
}

static void ipv6_fragments_are_told_apart(void **state)
{
    (void)state;
    static const uint8_t first[] = {IPV6(16, 44), 17, 0, 0, 1, ZERO4, UDP(1000)};
    struct result r = DECODE(DLT_RAW, first);
    assert_true(r.packet.fragment && !r.packet.later_fragment);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
    static const uint8_t later[] = {IPV6(16, 44), 17, 0, 0x05, 0xa8, ZERO4, UDP(1000)};
    r = DECODE(DLT_RAW, later);
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.fragment && r.packet.later_fragment);
    assert_false(r.packet.has_transport);
    ASSERT_IPV6_TUPLE(r.packet, 0, 0, 17);
    /* What follows is no header, even where the first fragment has one there. */
    static const uint8_t behind[] = {IPV6(16, 44), 60, 0, 0x05, 0xa8, ZERO4, 17, 0, 1, 4, ZERO4};
    r = DECODE(DLT_RAW, behind);
    assert_true(r.packet.later_fragment);
    ASSERT_IPV6_TUPLE(r.packet, 0, 0, 60);
}

/* Frames of `count` empty destination options before UDP. */
static struct result decode_options(unsigned count)
{
    uint8_t bytes[40 + 8 * 32 + 8];
    unsigned payload = 8 * count + 8, length = 0;
    const uint8_t fixed[] = {IPV6(payload, 60)}, udp[] = {UDP(8)};
    memcpy(bytes, fixed, sizeof fixed);
    length += sizeof fixed;
    for (unsigned i = 0; i < count; i++, length += 8) {
        const uint8_t option[] = {i + 1 < count ? 60 : 17, 0, 1, 4, ZERO4};
        memcpy(bytes + length, option, 8);
    }
    memcpy(bytes + length, udp, 8);
    return decode_cut(DLT_RAW, bytes, length + 8, length + 8);
}

static void sixteen_extension_headers_are_read_and_seventeen_refused(void **state)
{
    (void)state;
    struct result r = decode_options(16);
    assert_int_equal(r.reason, DECODE_OK);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 53, 17);
    assert_refused(decode_options(17), DECODE_TOO_MANY_HEADERS);
}

/* A switch that cuts what it mirrors leaves the headers as they were. */
static void a_length_beyond_the_wire_is_that_of_a_packet_which_the_mirror_cut(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_RAW, ((const uint8_t[]){IPV4(1400, 17), UDP(1380), 'a'}));
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.shortened);
    assert_int_equal(r.packet.ip_bytes, 1400);
    assert_int_equal(r.packet.ip_captured_bytes, 29);
    assert_int_equal(r.packet.payload_bytes, 1372);
    r = DECODE(DLT_RAW, ((const uint8_t[]){IPV6(9, 17), UDP(9)}));
    assert_true(r.packet.shortened);
    assert_int_equal(r.packet.ip_bytes, 49);
    assert_int_equal(r.packet.payload_bytes, 1);
    /* What the snapshot length took is told by the capture itself. */
    r = decode_cut(DLT_RAW, ((const uint8_t[]){IPV4(29, 17), UDP(9)}), 28, 29);
    assert_false(r.packet.shortened);
}

static void a_jumbogram_is_as_long_as_the_wire_says(void **state)
{
    (void)state;
    static const uint8_t jumbo[] = {IPV6(0, 0), 6, 0, 0xc2, 4, 0, 1, 0x38, 0x80, TCP(5, 0x10)};
    struct result r = decode_cut(DLT_RAW, jumbo, sizeof jumbo, 80040); /* the option says 80000 */
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.ip_bytes, 80040);
    ASSERT_IPV6_TUPLE(r.packet, 40000, 443, 6);
    assert_int_equal(r.packet.payload_bytes, 80040 - 40 - 8 - 20);
}

static void no_next_header_ends_a_packet_whatever_pads_the_frame(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, ETHERNET(IS_IPV6, IPV6(0, 59), 0, 0, 0, 0, 0, 0));
    assert_int_equal(r.reason, DECODE_OK);
    assert_int_equal(r.packet.ip_bytes, 40);
    assert_int_equal(r.packet.payload_bytes, 0);
    ASSERT_IPV6_TUPLE(r.packet, 0, 0, 59);
}

/* --- transports --- */

static void payload_is_told_by_the_headers_not_by_the_capture(void **state)
{
    (void)state;
    static const uint8_t tcp[] = {IPV4(1500, 6), TCP(8, 0x10)};
    struct result r = decode_cut(DLT_RAW, tcp, sizeof tcp, 1500);
    assert_int_equal(r.packet.payload_bytes, 1500 - 20 - 32);
    assert_int_equal(r.packet.ip_captured_bytes, 40);
    static const uint8_t udp[] = {IPV4(100, 17), UDP(40)}; /* a tail that is no part of the datagram */
    r = decode_cut(DLT_RAW, udp, sizeof udp, 100);
    assert_int_equal(r.packet.payload_bytes, 32);
}

static void impossible_transport_lengths_give_no_payload(void **state)
{
    (void)state;
    static const uint8_t small[] = {IPV4(40, 6), TCP(4, 0x10)}, large[] = {IPV4(40, 6), TCP(6, 0x10)};
    static const uint8_t udp[] = {IPV4(28, 17), UDP(7)};
    assert_int_equal(DECODE(DLT_RAW, small).packet.payload_bytes, 0);
    assert_int_equal(DECODE(DLT_RAW, large).packet.payload_bytes, 0);
    assert_true(DECODE(DLT_RAW, large).packet.has_transport);
    assert_int_equal(DECODE(DLT_RAW, udp).packet.payload_bytes, 0);
}

static void sctp_udp_lite_and_dccp_have_ports(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        uint32_t payload;
    } rows[] = {{132, 4}, {136, 8}, {33, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t frame[] = {IPV4(36, rows[i].protocol), TWO(5000), TWO(38412), 4, 0, 0, 0, ZERO8};
        struct result r = DECODE(DLT_RAW, frame);
        ASSERT_IPV4_TUPLE(r.packet, 5000, 38412, rows[i].protocol);
        assert_true(r.packet.has_transport);
        assert_int_equal(r.packet.payload_bytes, rows[i].payload);
    }
}

static void other_protocols_are_transports_without_ports(void **state)
{
    (void)state;
    static const uint8_t pim[] = {IPV4(28, 103), 0xff, 0xff, 0xff, 0xff, ZERO4};
    struct result r = DECODE(DLT_RAW, pim);
    assert_true(r.packet.has_transport);
    ASSERT_IPV4_TUPLE(r.packet, 0, 0, 103);
    assert_int_equal(r.packet.payload_bytes, 8);
    static const uint8_t esp[] = {IPV6(8, 50), 0xff, 0xff, 0xff, 0xff, ZERO4};
    r = DECODE(DLT_RAW, esp);
    assert_true(r.packet.has_transport);
    ASSERT_IPV6_TUPLE(r.packet, 0, 0, 50);
    static const uint8_t icmp_in_ipv6[] = {IPV6(8, 1), 3, 1, 0, 0, ZERO4}; /* not the ICMP of this version */
    r = DECODE(DLT_RAW, icmp_in_ipv6);
    assert_true(r.packet.has_transport);
    assert_false(r.packet.icmp_error);
}

static void the_authentication_header_is_walked_over_in_ipv4_too(void **state)
{
    (void)state;
    static const uint8_t frame[] = {IPV4(20 + 24 + 8, 51), 17, 4, 0, 0, ZERO4, ZERO4, ZERO4, ZERO8, UDP(8)};
    struct result r = DECODE(DLT_RAW, frame);
    ASSERT_IPV4_TUPLE(r.packet, 40000, 53, 17);
    assert_int_equal(r.packet.payload_bytes, 0);
}

/* The longest headers that are plain: assert_plain asks, at every length. */
static void a_frame_cut_within_its_transport_is_not_taken_the_short_way(void **state)
{
    (void)state;
    static const uint8_t frame[] = {MACS, TAG(7), IS_IPV6, IPV6(20, 6), TCP(5, 0x10)};
    const uint32_t needed = 14 + 4 + 40 + 14; /* up to the flags */
    for (uint32_t captured = 14 + 4 + 40; captured <= sizeof frame; captured++)
        assert_int_equal(decode_cut(DLT_EN10MB, frame, captured, sizeof frame).packet.has_transport,
                         captured >= needed);
}

static void a_cut_transport_header_leaves_the_packet_without_transport(void **state)
{
    (void)state;
    struct result r =
        decode_cut(DLT_EN10MB, tcp_syn, 14 + 20 + 13, sizeof tcp_syn); /* one short of the flags */
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.is_ip);
    assert_false(r.packet.has_transport);
    ASSERT_IPV4_TUPLE(r.packet, 0, 0, 6);
    assert_int_equal(r.packet.ip_bytes, 44);
    assert_int_equal(r.packet.tcp_flags, 0);
    assert_int_equal(r.packet.payload_bytes, 0);
    static const uint8_t empty[] = {IPV4(20, 6)}; /* not cut by the capture but by its own length */
    r = DECODE(DLT_RAW, empty);
    assert_int_equal(r.reason, DECODE_OK);
    assert_false(r.packet.has_transport);
}

/* --- ICMP --- */

static void icmp_queries_have_type_code_and_id(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, echo);
    assert_true(r.packet.has_transport);
    ASSERT_IPV4_TUPLE(r.packet, 0, 0, 1);
    assert_int_equal(r.packet.icmp_type, 8);
    assert_int_equal(r.packet.icmp_code, 0);
    assert_int_equal(r.packet.icmp_id, 0x1234);
    assert_false(r.packet.icmp_error);
    assert_int_equal(r.packet.payload_bytes, 2);
    r = DECODE(DLT_EN10MB, echo6);
    assert_int_equal(r.packet.icmp_type, 129);
    assert_int_equal(r.packet.icmp_id, 0x4321);
}

/* What decode says of an ICMP message of the type, with 0xbeef where an id would be. */
static struct packet icmp_of(unsigned version, unsigned type)
{
    const uint8_t four[] = {IPV4(28, 1), (uint8_t)type, 2, 0, 0, 0xbe, 0xef, 0, 0};
    const uint8_t six[] = {IPV6(8, 58), (uint8_t)type, 2, 0, 0, 0xbe, 0xef, 0, 0};
    struct result r = version == 4 ? DECODE(DLT_RAW, four) : DECODE(DLT_RAW, six);
    assert_int_equal(r.reason, DECODE_OK);
    assert_true(r.packet.has_transport);
    assert_int_equal(r.packet.icmp_type, type);
    assert_int_equal(r.packet.icmp_code, 2);
    assert_false(r.packet.has_quoted); /* there is nothing quoted */
    return r.packet;
}

static void each_icmp_type_is_an_error_or_not_and_has_an_id_or_not(void **state)
{
    (void)state;
    static const uint8_t errors[] = {3, 4, 11, 12}, errors6[] = {1, 2, 3, 4};
    static const uint8_t ids[] = {0, 8, 13, 14, 15, 16, 17, 18, 42, 43}, ids6[] = {128, 129, 160, 161};
    for (unsigned type = 0; type < 256; type++) {
        struct packet p = icmp_of(4, type);
        assert_int_equal(p.icmp_error, memchr(errors, (int)type, sizeof errors) != NULL);
        assert_int_equal(p.icmp_id, memchr(ids, (int)type, sizeof ids) != NULL ? 0xbeef : 0);
        p = icmp_of(6, type);
        assert_int_equal(p.icmp_error, memchr(errors6, (int)type, sizeof errors6) != NULL);
        assert_int_equal(p.icmp_id, memchr(ids6, (int)type, sizeof ids6) != NULL ? 0xbeef : 0);
    }
}

static void an_icmp_error_tells_the_packet_that_it_quotes(void **state)
{
    (void)state;
    struct result r = DECODE(DLT_EN10MB, unreachable);
    assert_true(r.packet.icmp_error && r.packet.has_quoted);
    ASSERT_IPV4_TUPLE(r.packet, 0, 0, 1);
    assert_int_equal(r.packet.icmp_type, 3);
    assert_int_equal(r.packet.icmp_code, 1);
    assert_tuple(&r.packet.quoted, "175.45.176.71", 80, "198.51.100.9", 50000, 6);

    r = DECODE(DLT_EN10MB, exceeded6);
    assert_true(r.packet.icmp_error && r.packet.has_quoted);
    assert_tuple(&r.packet.quoted, "2001:db8::2", 53, "2001:db8::1", 40000, 17);
}

static void a_quoted_later_fragment_has_addresses_and_no_ports(void **state)
{
    (void)state;
    static const uint8_t four[] = {IPV4(56, 1), 11, 1, 0, 0, ZERO4, IPV4_FULL(5, 1400, 0x00b9, 17), UDP(8)};
    struct result r = DECODE(DLT_RAW, four);
    assert_true(r.packet.has_quoted);
    assert_tuple(&r.packet.quoted, "192.0.2.1", 0, "175.45.176.71", 0, 17);
    static const uint8_t six[] = {
        IPV6(8 + 40 + 16, 58), 1, 0, 0, 0, ZERO4, IPV6(1400, 44), 6, 0, 0x05, 0xa8, ZERO4, UDP(8)};
    r = DECODE(DLT_RAW, six);
    assert_true(r.packet.has_quoted);
    assert_tuple(&r.packet.quoted, "2001:db8::1", 0, "2001:db8::2", 0, 6);
}

static void a_quote_that_cannot_be_read_is_none(void **state)
{
    (void)state;
    /* 19 bytes of the quoted header; another version; a header of 16 bytes; nothing at all */
    struct result r = decode_cut(DLT_EN10MB, unreachable, 14 + 28 + 19, sizeof unreachable);
    assert_true(r.packet.icmp_error);
    assert_false(r.packet.has_quoted);
    assert_address(r.packet.tuple.source, "192.0.2.1");
    static const uint8_t other[] = {IPV4(68, 1), 3, 1, 0, 0, ZERO4, IPV6(0, 6)};
    assert_false(DECODE(DLT_RAW, other).packet.has_quoted);
    static const uint8_t small[] = {IPV4(48, 1), 3, 1, 0, 0, ZERO4, IPV4_FULL(4, 40, 0, 6)};
    assert_false(DECODE(DLT_RAW, small).packet.has_quoted);
    static const uint8_t bare[] = {IPV4(28, 1), 3, 1, 0, 0, ZERO4};
    assert_false(DECODE(DLT_RAW, bare).packet.has_quoted);
}

static void quoted_addresses_stand_where_the_quoted_ports_were_cut(void **state)
{
    (void)state;
    struct result r = decode_cut(DLT_EN10MB, unreachable, 14 + 28 + 23, sizeof unreachable);
    assert_true(r.packet.has_quoted);
    assert_tuple(&r.packet.quoted, "175.45.176.71", 0, "198.51.100.9", 0, 6);
}

/* --- whatever comes --- */

/* What must hold of any result, however mad the frame. */
static void assert_sound(const struct result *r)
{
    const struct packet *p = &r->packet;
    assert_in_range(r->reason, 0, DECODE__COUNT - 1);
    assert_int_equal(p->is_ip, r->reason == DECODE_OK);
    assert_true(p->vlan_count <= FLOW_VLANS_MAX);
    assert_true(p->ip_captured_bytes <= p->ip_bytes);
    assert_true(p->payload_bytes <= p->ip_bytes);
    assert_true(p->is_ip || !(p->has_transport || p->has_quoted || p->icmp_error));
    assert_true(!(p->later_fragment && (p->has_transport || !p->fragment)));
    assert_true(!p->has_quoted || p->icmp_error);
    if (!p->has_transport)
        assert_int_equal(p->tuple.source_port | p->tuple.destination_port | p->tcp_flags | p->icmp_type, 0);
}

/* A snapshot length may take away, but never change what is said. */
static void every_frame_cut_at_every_length_says_less_but_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const struct sample *s = &samples[i];
        struct result whole = decode_cut(s->link_type, s->bytes, s->length, s->length);
        assert_int_equal(whole.reason, DECODE_OK);
        assert_true(whole.packet.has_transport);
        enum decode_reason before = DECODE_CUT_LINK;
        for (uint32_t captured = 0; captured <= s->length; captured++) {
            struct result r = decode_cut(s->link_type, s->bytes, captured, s->length);
            assert_sound(&r);
            if (r.reason != DECODE_OK) {
                assert_true(r.reason == before || (before == DECODE_CUT_LINK && r.reason == DECODE_CUT_IP));
                before = r.reason;
                continue;
            }
            before = DECODE_OK; /* and it must stay so */
            assert_int_equal(r.packet.ip_bytes, whole.packet.ip_bytes);
            assert_memory_equal(r.packet.tuple.source, whole.packet.tuple.source, 32);
            if (r.packet.has_transport) {
                assert_memory_equal(&r.packet.tuple, &whole.packet.tuple, sizeof r.packet.tuple);
                assert_int_equal(r.packet.payload_bytes, whole.packet.payload_bytes);
                assert_int_equal(r.packet.tcp_flags, whole.packet.tcp_flags);
                assert_int_equal(r.packet.tcp_ack, whole.packet.tcp_ack);
                assert_int_equal(r.packet.icmp_id, whole.packet.icmp_id);
            }
        }
        assert_int_equal(before, DECODE_OK);
    }
}

/* xorshift64: the same frames in every run. */
static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void no_mutation_of_any_frame_does_harm(void **state)
{
    (void)state;
    static const int link_types[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL,
                                     DLT_LOOP,   DLT_RAW,       DLT_IPV4,       DLT_IPV6};
    uint64_t seed = 0x11975545176ULL;
    unsigned seen[DECODE__COUNT] = {0};
    plain_frames = 0;
    for (int i = 0; i < 300000; i++) {
        const struct sample *s = &samples[random_next(&seed) % SAMPLE_COUNT];
        uint8_t bytes[256];
        memcpy(bytes, s->bytes, s->length);
        for (unsigned changes = random_next(&seed) % 5; changes > 0; changes--)
            bytes[random_next(&seed) % s->length] = (uint8_t)random_next(&seed);
        uint32_t captured = random_next(&seed) % 4 == 0 ? random_next(&seed) % (s->length + 1) : s->length;
        uint32_t wire = random_next(&seed) % 8 == 0 ? (uint32_t)random_next(&seed) : s->length;
        bool other = random_next(&seed) % 16 == 0;
        int link_type = other ? link_types[random_next(&seed) % 8] : s->link_type;
        struct result r = decode_cut(link_type, bytes, captured, wire);
        assert_sound(&r);
        seen[r.reason]++;
    }
    assert_in_range(plain_frames, 1000, seen[DECODE_OK]);
    for (int reason = DECODE_OK; reason < DECODE_CUT_TUNNEL;
         reason++) /* the mutations reach what they should */
        if (reason != DECODE_LINK_TYPE && reason != DECODE_TOO_MANY_TAGS && reason != DECODE_TOO_MANY_HEADERS)
            assert_true(seen[reason] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ethernet_tcp_is_read_whole),
        cmocka_unit_test(three_tags_are_read_outermost_first_and_their_priority_left_out),
        cmocka_unit_test(the_older_tag_types_are_tags_too),
        cmocka_unit_test(a_fourth_tag_is_refused_and_the_three_stand),
        cmocka_unit_test(llc_snap_carries_ip_and_other_llc_does_not),
        cmocka_unit_test(frames_without_ip_are_refused_by_name),
        cmocka_unit_test(cooked_frames_are_read_with_the_senders_address),
        cmocka_unit_test(a_cooked_frame_without_an_ethernet_address_has_no_mac),
        cmocka_unit_test(raw_ip_is_read_by_its_version),
        cmocka_unit_test(loopback_frames_are_read_in_both_byte_orders),
        cmocka_unit_test(an_unknown_link_type_is_refused),
        cmocka_unit_test(decode_knows_exactly_the_link_types_that_decode_frame_reads),
        cmocka_unit_test(options_lie_between_header_and_transport),
        cmocka_unit_test(a_total_length_of_zero_means_the_wires),
        cmocka_unit_test(an_ipv4_header_that_contradicts_itself_is_refused),
        cmocka_unit_test(versions_other_than_the_promised_are_refused),
        cmocka_unit_test(a_packet_cut_within_its_ipv4_header_is_refused),
        cmocka_unit_test(a_first_fragment_has_ports_and_a_later_one_has_none),
        cmocka_unit_test(ipv6_is_read_whole),
        cmocka_unit_test(a_cut_extension_header_leaves_the_packet_without_transport),
        cmocka_unit_test(extension_headers_are_walked_over),
        cmocka_unit_test(ipv6_fragments_are_told_apart),
        cmocka_unit_test(sixteen_extension_headers_are_read_and_seventeen_refused),
        cmocka_unit_test(a_length_beyond_the_wire_is_that_of_a_packet_which_the_mirror_cut),
        cmocka_unit_test(a_jumbogram_is_as_long_as_the_wire_says),
        cmocka_unit_test(no_next_header_ends_a_packet_whatever_pads_the_frame),
        cmocka_unit_test(payload_is_told_by_the_headers_not_by_the_capture),
        cmocka_unit_test(impossible_transport_lengths_give_no_payload),
        cmocka_unit_test(sctp_udp_lite_and_dccp_have_ports),
        cmocka_unit_test(other_protocols_are_transports_without_ports),
        cmocka_unit_test(the_authentication_header_is_walked_over_in_ipv4_too),
        cmocka_unit_test(a_frame_cut_within_its_transport_is_not_taken_the_short_way),
        cmocka_unit_test(a_cut_transport_header_leaves_the_packet_without_transport),
        cmocka_unit_test(icmp_queries_have_type_code_and_id),
        cmocka_unit_test(each_icmp_type_is_an_error_or_not_and_has_an_id_or_not),
        cmocka_unit_test(an_icmp_error_tells_the_packet_that_it_quotes),
        cmocka_unit_test(a_quoted_later_fragment_has_addresses_and_no_ports),
        cmocka_unit_test(a_quote_that_cannot_be_read_is_none),
        cmocka_unit_test(quoted_addresses_stand_where_the_quoted_ports_were_cut),
        cmocka_unit_test(every_frame_cut_at_every_length_says_less_but_nothing_else),
        cmocka_unit_test(no_mutation_of_any_frame_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
