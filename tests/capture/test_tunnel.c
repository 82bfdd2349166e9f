/* SPDX-License-Identifier: BSD-3-Clause */
/* What may come to the golden captures of encapsulations on their way: cut anywhere, or with bytes that are
 * not theirs. What they say when they are whole is test_tunnel_tshark.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glob.h>
#include <netinet/in.h>

#include "decode.h"
#include "plain.h"

enum { FRAMES_MAX = 1024, FRAME_BYTES_MAX = 1024 };

static struct sample {
    int link_type;
    uint32_t length;
    uint8_t bytes[FRAME_BYTES_MAX];
} samples[FRAMES_MAX];
static unsigned sample_count;

/* The files are written by make_tunnel.py: little-endian, microseconds, nothing cut. */
static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint32_t head[6], record[4];
    assert_int_equal(fread(head, sizeof head, 1, file), 1);
    while (fread(record, sizeof record, 1, file) == 1) {
        assert_true(sample_count < FRAMES_MAX && record[2] <= FRAME_BYTES_MAX && record[2] == record[3]);
        struct sample *sample = &samples[sample_count++];
        sample->link_type = (int)head[5];
        sample->length = record[2];
        assert_int_equal(fread(sample->bytes, 1, record[2], file), record[2]);
    }
    fclose(file);
}

static int load_all(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("tests/golden/tunnel-*.pcap", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        load(found.gl_pathv[i]);
    globfree(&found);
    return 0;
}

/* Decodes a copy that is exactly as large as what was captured, so that the address sanitizer sees any byte
 * too far. */
static enum decode_reason decode(const struct sample *sample, uint32_t captured, uint32_t wire,
                                 enum decode_reason (*how)(const struct frame *, struct packet *),
                                 struct packet *packet)
{
    uint8_t *copy = malloc(captured > 0 ? captured : 1);
    memcpy(copy, sample->bytes, captured);
    const struct frame frame = {copy, captured, wire, 77, sample->link_type, 0, 0};
    memset(packet, 0xa5, sizeof *packet);
    enum decode_reason reason = how(&frame, packet);
    if (packet->ip != NULL)
        assert_true(packet->ip >= copy && packet->ip + packet->ip_captured_bytes <= copy + captured);
    assert_int_equal(packet->is_ip, reason == DECODE_OK);
    assert_int_equal(packet->ip != NULL, reason == DECODE_OK);
    assert_true(packet->is_ip || !(packet->has_transport || packet->icmp_error || packet->ip_bytes > 0));
    assert_true(packet->ip_captured_bytes <= packet->ip_bytes && packet->payload_bytes <= packet->ip_bytes);
    assert_true(packet->tunnel_count <= FLOW_TUNNELS_MAX && packet->mpls_count <= PACKET_LABELS_MAX &&
                packet->vlan_count <= FLOW_VLANS_MAX);
    for (unsigned i = 0; i < packet->tunnel_count; i++)
        assert_in_range(packet->tunnels[i].kind, 0, FLOW_TUNNEL__COUNT - 1);
    free(copy);
    return reason;
}

static bool says_cut(enum decode_reason reason)
{
    return reason == DECODE_CUT_LINK || reason == DECODE_CUT_IP || reason == DECODE_CUT_TUNNEL;
}

/* Where even the ports of the UDP that carries a tunnel are cut nobody can know of it. */
static bool could_not_know(const struct packet *packet)
{
    return !packet->has_transport && packet->tuple.protocol == IPPROTO_UDP;
}

static void every_frame_cut_at_every_length_is_refused_as_cut_or_told_the_same(void **state)
{
    (void)state;
    unsigned same = 0, refused = 0, unknown = 0;
    for (unsigned i = 0; i < sample_count; i++) {
        const struct sample *sample = &samples[i];
        struct packet whole, cut;
        enum decode_reason reason = decode(sample, sample->length, sample->length, decode_frame, &whole);
        for (uint32_t captured = 0; captured < sample->length; captured++) {
            enum decode_reason now = decode(sample, captured, sample->length, decode_frame, &cut);
            if (says_cut(now)) {
                refused++;
            } else if (now == DECODE_OK && cut.tunnel_count < whole.tunnel_count && could_not_know(&cut)) {
                unknown++;
            } else {
                assert_int_equal(now, reason);
                assert_int_equal(cut.ip_bytes, whole.ip_bytes);
                assert_int_equal(cut.tunnel_count, whole.tunnel_count);
                if (now == DECODE_OK)
                    assert_memory_equal(cut.tuple.source, whole.tuple.source, 32);
                same++;
            }
        }
    }
    assert_true(same > 10000 && refused > 10000 && unknown > 100);
}

/* A mirror that cuts what it mirrors leaves the outer lengths right, and the inner ones as they were. */
static void what_the_mirror_cut_is_as_long_as_it_says(void **state)
{
    (void)state;
    unsigned told = 0;
    for (unsigned i = 0; i < sample_count; i++) {
        struct packet whole, cut;
        if (decode(&samples[i], samples[i].length, samples[i].length, decode_frame, &whole) != DECODE_OK ||
            decode(&samples[i], samples[i].length - 1, samples[i].length - 1, decode_frame, &cut) !=
                DECODE_OK ||
            cut.tunnel_count != whole.tunnel_count)
            continue;
        assert_int_equal(cut.ip_bytes, whole.ip_bytes);
        told++;
    }
    assert_true(told > 500);
}

static void without_decapsulation_the_outermost_ip_is_told_and_links_are_opened_all_the_same(void **state)
{
    (void)state;
    unsigned links = 0, stops = 0;
    for (unsigned i = 0; i < sample_count; i++) {
        const struct sample *sample = &samples[i];
        struct packet inner, outer;
        enum decode_reason reason = decode(sample, sample->length, sample->length, decode_frame, &inner);
        if (decode(sample, sample->length, sample->length, decode_frame_outermost, &outer) != DECODE_OK) {
            assert_int_not_equal(reason, DECODE_OK);
            continue;
        }
        for (unsigned j = 0; j < outer.tunnel_count; j++)
            assert_true(outer.tunnels[j].kind == FLOW_TUNNEL_MPLS ||
                        outer.tunnels[j].kind == FLOW_TUNNEL_PPPOE ||
                        outer.tunnels[j].kind == FLOW_TUNNEL_NSH);
        links += outer.tunnel_count > 0 && outer.tunnel_count == inner.tunnel_count;
        stops += outer.tunnel_count < inner.tunnel_count;
    }
    assert_true(links > 50 && stops > 200);
}

/* xorshift64: the same frames in every run. */
static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The short way for what nobody watches must never take a frame with something within it. */
static bool agrees_when_plain(const struct sample *sample, uint32_t captured, uint32_t wire,
                              enum decode_reason reason, const struct packet *packet)
{
    const struct frame frame = {sample->bytes, captured, wire, 77, sample->link_type, 0, 0};
    struct plain plain;
    unsigned version = plain_read(&frame, &plain);
    if (version == 0)
        return false;
    assert_int_equal(reason, DECODE_OK);
    assert_int_equal(packet->tunnel_count, 0);
    assert_int_equal(packet->ip_version, version);
    assert_int_equal(packet->ip_bytes, plain.ip_bytes);
    size_t size = version == 4 ? 4 : 16;
    assert_memory_equal(packet->tuple.source + 16 - size, plain.addresses, size);
    assert_memory_equal(packet->tuple.destination + 16 - size, plain.addresses + size, size);
    return true;
}

static void no_mutation_of_any_frame_does_harm(void **state)
{
    (void)state;
    uint64_t seed = 0x11975545176ULL;
    unsigned seen[DECODE__COUNT] = {0}, kinds[FLOW_TUNNEL__COUNT] = {0}, plain = 0;
    static struct sample sample;
    for (int i = 0; i < 1000000; i++) {
        const struct sample *from = &samples[random_next(&seed) % sample_count];
        sample.link_type = from->link_type;
        sample.length = from->length;
        memcpy(sample.bytes, from->bytes, from->length);
        for (unsigned changes = random_next(&seed) % 5; changes > 0; changes--)
            sample.bytes[random_next(&seed) % sample.length] =
                (uint8_t)(random_next(&seed) % 2 == 0 ? random_next(&seed) : random_next(&seed) % 8);
        uint32_t captured = random_next(&seed) % 4 == 0 ? (uint32_t)(random_next(&seed) % (sample.length + 1))
                                                        : sample.length;
        uint32_t wire = random_next(&seed) % 8 == 0 ? (uint32_t)random_next(&seed) : sample.length;
        struct packet packet;
        enum decode_reason reason = decode(&sample, captured, wire, decode_frame, &packet);
        assert_in_range(reason, 0, DECODE__COUNT - 1);
        seen[reason]++;
        plain += agrees_when_plain(&sample, captured, wire, reason, &packet);
        for (unsigned j = 0; j < packet.tunnel_count; j++)
            kinds[packet.tunnels[j].kind]++;
    }
    assert_true(plain > 1000);
    for (int reason = DECODE_CUT_TUNNEL; reason < DECODE__COUNT; reason++)
        assert_true(seen[reason] > 100);
    for (int kind = 0; kind < FLOW_TUNNEL__COUNT; kind++)
        assert_true(kinds[kind] > 1000);
}

/* Frames of nothing but chance, behind what leads into each of the openers. */
static void random_bytes_behind_any_header_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 0x4711;
    static struct sample sample;
    for (int i = 0; i < 1000000; i++) {
        const struct sample *from = &samples[random_next(&seed) % sample_count];
        uint32_t kept = (uint32_t)(random_next(&seed) % from->length);
        sample.link_type = from->link_type;
        sample.length = kept + (uint32_t)(random_next(&seed) % 80);
        memcpy(sample.bytes, from->bytes, kept);
        for (uint32_t at = kept; at < sample.length; at++)
            sample.bytes[at] = (uint8_t)random_next(&seed);
        struct packet packet;
        assert_in_range(decode(&sample, sample.length, sample.length, decode_frame, &packet), 0,
                        DECODE__COUNT - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_cut_at_every_length_is_refused_as_cut_or_told_the_same),
        cmocka_unit_test(what_the_mirror_cut_is_as_long_as_it_says),
        cmocka_unit_test(without_decapsulation_the_outermost_ip_is_told_and_links_are_opened_all_the_same),
        cmocka_unit_test(no_mutation_of_any_frame_does_harm),
        cmocka_unit_test(random_bytes_behind_any_header_do_no_harm),
    };
    return cmocka_run_group_tests(tests, load_all, NULL);
}
