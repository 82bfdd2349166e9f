/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of savefiles beside libpcap: packet for packet the same wherever libpcap reads, over captures
 * that the test makes in every dialect, over those of the tests and the sample, and over damaged copies of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glob.h>
#include <pcap/pcap.h>

#include "clock.h"
#include "savefile.h"
#include "unpack.h"

/* ---- chance, the same every time ---- */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state = chance_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((chance_state >> 33) % below);
}

/* ---- bytes to read ---- */

static const uint32_t link_types[] = {1, 101, 113, 276, 0, 228, 239};

struct bytes {
    uint8_t *data;
    size_t length, room;
};

static bool big; /* the byte order in which is written */

static void put(struct bytes *bytes, const void *data, size_t length)
{
    if (bytes->length + length > bytes->room) {
        bytes->room = (bytes->length + length) * 2;
        bytes->data = realloc(bytes->data, bytes->room);
        assert_non_null(bytes->data);
    }
    if (length > 0)
        memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static void put_number(struct bytes *bytes, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
        put(bytes, &byte, 1);
    }
}

static void put_u16(struct bytes *bytes, uint32_t value)
{
    put_number(bytes, value, 2);
}

static void put_u32(struct bytes *bytes, uint32_t value)
{
    put_number(bytes, value, 4);
}

static void put_noise(struct bytes *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)chance(256);
        put(bytes, &byte, 1);
    }
}

/* A packet's bytes; those of netfilter's log have fields whose order libpcap changes, and so has Linux cooked
 * in frames of CAN buses, which do not come up here. */
static void put_packet_bytes(struct bytes *bytes, uint32_t link_type, uint32_t length)
{
    if (link_type != 239 || length < 16) {
        uint32_t type_at = link_type == 113 ? 14 : 0;
        put_noise(bytes, length);
        if (type_at < length)
            bytes->data[bytes->length - length + type_at] = 8;
        return;
    }
    put(bytes, "\2\0\0\1", 4);
    put_u16(bytes, 7); /* length and type of a field, and its data with padding */
    put_u16(bytes, 10);
    put_noise(bytes, 4);
    put_u16(bytes, chance(20));
    put_u16(bytes, 9);
    put_noise(bytes, length - 16);
}

/* ---- the two readers ---- */

/* Compared byte for byte, hence without a gap. */
struct seen {
    uint32_t captured, wire;
    int64_t seconds, ns; /* of TIME_NONE both 0 */
    uint64_t link_type;
    uint64_t digest;
};

struct reading {
    struct seen *packets;
    size_t count, room;
    bool damaged;
    char words[PCAP_ERRBUF_SIZE];
};

static uint64_t digest_of(const uint8_t *bytes, size_t length)
{
    uint64_t digest = 14695981039346656037ULL;
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ bytes[i]) * 1099511628211ULL;
    return digest;
}

static void keep(struct reading *reading, const struct seen *seen)
{
    if (reading->count == reading->room) {
        reading->room = reading->room == 0 ? 64 : reading->room * 2;
        reading->packets = reallocarray(reading->packets, reading->room, sizeof *seen);
        assert_non_null(reading->packets);
    }
    reading->packets[reading->count++] = *seen;
}

static void forget(struct reading *reading)
{
    free(reading->packets);
    *reading = (struct reading){.count = 0};
}

/* Gives bytes from memory in pieces of up to `piece`, and then ends or fails. */
struct feed {
    const struct bytes *bytes;
    size_t at, piece;
    bool fails;
    bool over;
    bool hesitates, hesitated; /* says before each piece that there is nothing yet */
};

static ssize_t feed_read(void *context, uint8_t *to, size_t room)
{
    struct feed *feed = context;
    size_t left = feed->bytes->length - feed->at, count = left < room ? left : room;
    assert_false(feed->over);
    feed->hesitated = feed->hesitates && !feed->hesitated;
    if (feed->hesitated)
        return SAVEFILE_NOT_YET;
    count = count < feed->piece ? count : feed->piece;
    feed->over = left == 0;
    if (left == 0)
        return feed->fails ? -1 : 0;
    memcpy(to, feed->bytes->data + feed->at, count);
    feed->at += count;
    return (ssize_t)count;
}

static struct seen seen_of(const struct frame *frame)
{
    bool timed = frame->time_ns != TIME_NONE;
    int64_t seconds = timed ? clock_floor(frame->time_ns, NS_PER_S) / NS_PER_S : 0;
    return (struct seen){.captured = frame->captured_bytes,
                         .wire = frame->wire_bytes,
                         .seconds = seconds,
                         .ns = timed ? frame->time_ns - seconds * NS_PER_S : 0,
                         .link_type = (uint64_t)frame->link_type,
                         .digest = digest_of(frame->bytes, frame->captured_bytes)};
}

/* Reads all there is, and holds the reader to its word on the way. */
static void read_own(const struct savefile_input *input, size_t length, struct reading *reading)
{
    struct savefile *file = savefile_new(input);
    assert_non_null(file);
    enum savefile_news news;
    while ((news = savefile_begin(file)) == SAVEFILE_LATER)
        continue;
    const struct frame *frames;
    size_t count;
    while (news == SAVEFILE_PACKETS || news == SAVEFILE_LATER) {
        news = savefile_next(file, &frames, &count);
        if (news != SAVEFILE_PACKETS)
            continue;
        assert_in_range(count, 1, SAVEFILE_RUN_MAX);
        for (size_t i = 0; i < count; i++) {
            const struct seen seen = seen_of(&frames[i]);
            keep(reading, &seen);
        }
    }
    reading->damaged = news == SAVEFILE_DAMAGED;
    if (reading->damaged)
        snprintf(reading->words, sizeof reading->words, "%s", savefile_trouble(file));
    assert_true(savefile_offset(file) >= 0 && (size_t)savefile_offset(file) <= length);
    assert_int_equal(savefile_next(file, &frames, &count), news); /* and so for good */
    savefile_free(file);
}

static void read_memory(const struct bytes *bytes, size_t piece, struct reading *reading)
{
    struct feed feed = {.bytes = bytes, .piece = piece};
    read_own(&(struct savefile_input){.context = &feed, .read = feed_read}, bytes->length, reading);
}

static void read_libpcap(const struct bytes *bytes, struct reading *reading)
{
    FILE *stream = fmemopen(bytes->data, bytes->length, "r");
    assert_non_null(stream);
    pcap_t *pcap =
        pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, reading->words);
    if (pcap == NULL) {
        reading->damaged = true;
        fclose(stream);
        return;
    }
    struct pcap_pkthdr *header;
    const u_char *data;
    int result;
    while ((result = pcap_next_ex(pcap, &header, &data)) == 1) {
        int64_t seconds = header->ts.tv_sec, ns = header->ts.tv_usec;
        int64_t carry = clock_floor(ns, NS_PER_S);
        keep(reading, &(struct seen){.captured = header->caplen,
                                     .wire = header->len > header->caplen ? header->len : header->caplen,
                                     .seconds = seconds + carry / NS_PER_S,
                                     .ns = ns - carry,
                                     .link_type = (uint32_t)pcap_datalink(pcap),
                                     .digest = digest_of(data, header->caplen)});
    }
    reading->damaged = result == PCAP_ERROR;
    snprintf(reading->words, sizeof reading->words, "%s", pcap_geterr(pcap));
    pcap_close(pcap);
}

/* Of those that the test writes. Damage makes others, of which libpcap numbers some anew, and brings numbers
 * within some into the machine's order that nobody here asks for. */
static bool is_known(uint32_t link_type)
{
    for (size_t i = 0; i < sizeof link_types / sizeof link_types[0]; i++)
        if (link_type == link_types[i])
            return true;
    return false;
}

/* The bytes are the same, and the link type is by libpcap's number for it. */
static bool same_content(const struct seen *own, const struct seen *libpcap)
{
    if (!is_known(own->link_type))
        return true;
    return own->digest == libpcap->digest &&
           libpcap->link_type == (own->link_type == 101 ? DLT_RAW : own->link_type);
}

/* Whether libpcap's time is one that fits and is not zero; other than such there is none. */
static bool has_time(const struct seen *seen)
{
    return (seen->seconds != 0 || seen->ns != 0) && seen->seconds > -(INT64_MAX / 2) / NS_PER_S &&
           seen->seconds < INT64_MAX / 2 / NS_PER_S;
}

/* All that libpcap reads is there, and the same; `whole` says that it reads all and that times can be
 * compared. */
static void compare(const struct bytes *bytes, bool whole, const char *what)
{
    struct reading own = {.count = 0}, libpcap = {.count = 0};
    read_libpcap(bytes, &libpcap);
    read_memory(bytes, chance(4) == 0 ? 1 + chance(50) : SIZE_MAX, &own);
    if (own.count < libpcap.count || (whole && libpcap.damaged) || (!libpcap.damaged && own.damaged) ||
        (!libpcap.damaged && own.count != libpcap.count))
        fail_msg("%s: %zu packets and %s, of %zu and %s", what, own.count, own.words, libpcap.count,
                 libpcap.words);
    for (size_t i = 0; i < libpcap.count; i++) {
        const struct seen *a = &own.packets[i], *b = &libpcap.packets[i];
        bool same = a->captured == b->captured && a->wire == b->wire && same_content(a, b);
        if (whole && has_time(b))
            same = same && a->seconds == b->seconds && a->ns == b->ns;
        if (!same)
            fail_msg("%s: packet %zu is %u/%u of link %u at %lld.%09lld, not %u/%u of link %u at %lld.%09lld",
                     what, i, a->captured, a->wire, (unsigned)a->link_type, (long long)a->seconds,
                     (long long)a->ns, b->captured, b->wire, (unsigned)b->link_type, (long long)b->seconds,
                     (long long)b->ns);
    }
    forget(&own);
    forget(&libpcap);
}

/* ---- captures in every dialect ---- */

static uint32_t chance_link_type(void)
{
    return link_types[chance(sizeof link_types / sizeof link_types[0])];
}

static void make_pcap(struct bytes *bytes)
{
    static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
    static const uint32_t snaplens[] = {65535, 262144, 0, 60, 0x7fffffff, 0x80000000};
    uint32_t magic = magics[chance(3)], minor = chance(5), link_type = chance_link_type();
    bool dgux = chance(6) == 0;
    bytes->length = 0;
    big = chance(2) != 0;
    put_u32(bytes, magic);
    put_u16(bytes, dgux ? 543 : 2);
    put_u16(bytes, dgux ? 0 : minor);
    put_u32(bytes, chance(2));
    put_u32(bytes, 0);
    put_u32(bytes, snaplens[chance(6)]);
    put_u32(bytes, link_type | (chance(3) == 0 ? 0x24000000 : 0)); /* a frame check sequence of 4 bytes */
    for (uint32_t count = chance(40); count > 0; count--) {
        uint32_t captured = chance(200), wire = captured + chance(2) * chance(1500);
        bool wire_first = dgux || minor < 3 || (minor == 3 && chance(2) != 0);
        put_u32(bytes, chance(8) == 0 ? 0 : chance(0xffffffff));
        put_u32(bytes, chance(8) == 0 ? 0 : chance(chance(2) != 0 ? 1000000 : 0xffffffff));
        put_u32(bytes, wire_first ? wire : captured);
        put_u32(bytes, wire_first ? captured : wire);
        if (magic == 0xa1b2cd34)
            put_noise(bytes, 8);
        put_packet_bytes(bytes, link_type, captured);
    }
}

/* Puts a block around what was written from `start` on, leaving eight bytes before it free. */
static size_t begin_block(struct bytes *bytes, uint32_t type)
{
    put_u32(bytes, type);
    put_u32(bytes, 0);
    return bytes->length - 8;
}

static void end_block(struct bytes *bytes, size_t start)
{
    put_noise(bytes, (size_t)(-(int)bytes->length & 3) & 3);
    uint32_t total = (uint32_t)(bytes->length - start) + 4;
    put_u32(bytes, total);
    memcpy(bytes->data + start + 4, bytes->data + bytes->length - 4, 4);
}

static void put_option(struct bytes *bytes, uint16_t code, uint64_t value, unsigned size)
{
    put_u16(bytes, code);
    put_u16(bytes, size);
    put_number(bytes, value, size);
    put_noise(bytes, -size & 3);
}

static void put_comment(struct bytes *bytes)
{
    uint32_t length = chance(30);
    put_u16(bytes, 1);
    put_u16(bytes, length);
    put_noise(bytes, length + (-length & 3));
}

static void put_section(struct bytes *bytes)
{
    size_t block = begin_block(bytes, 0x0a0d0d0a);
    put_u32(bytes, 0x1a2b3c4d);
    put_u16(bytes, 1);
    put_u16(bytes, chance(2) * 2);
    put_number(bytes, UINT64_MAX, 8);
    if (chance(2) != 0)
        put_comment(bytes);
    end_block(bytes, block);
}

/* `offset`: whether it may say that its times are to be moved. */
static void put_interface(struct bytes *bytes, uint32_t link_type, uint32_t snaplen, bool offset)
{
    size_t block = begin_block(bytes, 1);
    put_u16(bytes, link_type);
    put_u16(bytes, 0);
    put_u32(bytes, snaplen);
    if (chance(2) != 0)
        put_comment(bytes);
    if (chance(4) != 0) /* 10^-0 to 10^-19, or 2^-0 to 2^-34 */
        put_option(bytes, 9, chance(2) != 0 ? chance(20) : 0x80 | chance(35), 1);
    if (offset && chance(2) != 0)
        put_option(bytes, 14, (uint64_t)(int64_t)((int32_t)chance(2000000) - 1000000), 8);
    if (chance(2) != 0)
        put_option(bytes, 0, 0, 0);
    end_block(bytes, block);
}

static void put_enhanced(struct bytes *bytes, uint32_t interface, uint32_t link_type, uint64_t units)
{
    bool obsolete = chance(4) == 0;
    size_t block = begin_block(bytes, obsolete ? 2 : 6);
    uint32_t captured = chance(200);
    put_number(bytes, interface, obsolete ? 2 : 4);
    if (obsolete)
        put_u16(bytes, chance(100));
    put_u32(bytes, (uint32_t)(units >> 32));
    put_u32(bytes, (uint32_t)units);
    put_u32(bytes, captured);
    put_u32(bytes, captured + chance(1000));
    put_packet_bytes(bytes, link_type, captured);
    put_noise(bytes, -captured & 3);
    if (chance(3) == 0)
        put_comment(bytes);
    end_block(bytes, block);
}

static void put_simple(struct bytes *bytes, uint32_t link_type, uint32_t snaplen)
{
    uint32_t wire = chance(300);
    size_t block = begin_block(bytes, 3);
    put_u32(bytes, wire);
    put_packet_bytes(bytes, link_type, snaplen != 0 && wire > snaplen ? snaplen : wire);
    end_block(bytes, block);
}

/* Statistics, names, a journal entry, something custom, or nothing that anybody knows. */
static void put_other_block(struct bytes *bytes)
{
    static const uint32_t types[] = {5, 4, 9, 0xbad, 0x40000bad, 0x12345678};
    size_t block = begin_block(bytes, types[chance(6)]);
    put_noise(bytes, chance(100));
    end_block(bytes, block);
}

/* As libpcap reads it: one byte order, and interfaces alike in link type and snapshot length. */
static void make_pcapng(struct bytes *bytes)
{
    static const uint32_t snaplens[] = {0, 200, 65535, 262144};
    uint32_t link_type = chance_link_type(), snaplen = snaplens[chance(4)], interfaces = 0;
    if (link_type == 101)
        link_type = 228; /* a second interface of raw IP stops libpcap */
    bool offset = chance(2) != 0;
    bytes->length = 0;
    big = chance(2) != 0;
    put_section(bytes);
    for (uint32_t count = chance(60); count > 0; count--) {
        uint32_t what = chance(12);
        if (interfaces == 0 || what == 0) {
            put_interface(bytes, link_type, snaplen, offset);
            interfaces++;
        } else if (what == 1) {
            put_other_block(bytes);
        } else if (what == 2 && chance(3) == 0) {
            put_section(bytes);
            interfaces = 0;
        } else if (what <= 4 && !offset) {
            put_simple(bytes, link_type, snaplen);
        } else {
            uint64_t units = (uint64_t)chance(0x7fffffff) << chance(33);
            put_enhanced(bytes, chance(interfaces), link_type, chance(9) == 0 ? 0 : units);
        }
    }
    if (interfaces == 0)
        put_interface(bytes, link_type, snaplen, offset);
}

static void captures_of_every_dialect_are_read_as_libpcap_reads_them(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    for (uint32_t seed = 0; seed < 4000; seed++) {
        char what[32];
        chance_state = seed;
        snprintf(what, sizeof what, "%s %u", seed % 2 != 0 ? "pcapng" : "pcap", seed);
        (seed % 2 != 0 ? make_pcapng : make_pcap)(&bytes);
        compare(&bytes, true, what);
    }
    free(bytes.data);
}

/* Some of the header's bits libpcap takes for a part of the link type, which are none. */
static bool is_comparable(const struct bytes *bytes)
{
    uint8_t *data = bytes->data;
    bool ng = bytes->length < 24 || memcmp(data, "\n\r\r\n", 4) == 0;
    bool other = !ng && (data[0] == 0xa1 ? (data[20] & 3) != 0 || data[21] != 0
                                         : data[22] != 0 || (data[23] & 3) != 0);
    return !other;
}

/* Turns bytes, cuts, repeats or moves pieces. */
static void damage(struct bytes *bytes)
{
    for (uint32_t count = 1 + chance(4); count > 0 && bytes->length > 0; count--) {
        size_t at = chance((uint32_t)bytes->length), length = chance((uint32_t)(bytes->length - at)) % 64;
        switch (chance(6)) {
        case 0:
            bytes->length = at;
            break;
        case 1:
            memmove(bytes->data + at, bytes->data + at + length, bytes->length - at - length);
            bytes->length -= length;
            break;
        case 2:
            memset(bytes->data + at, chance(2) != 0 ? 0xff : 0, length);
            break;
        default:
            bytes->data[at] ^= (uint8_t)(1 + chance(255));
        }
    }
}

static void damaged_captures_are_read_at_least_as_far_as_libpcap_reads_them(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    for (uint32_t seed = 0; seed < 40000; seed++) {
        char what[40];
        chance_state = seed;
        snprintf(what, sizeof what, "damaged %s %u", seed % 2 != 0 ? "pcapng" : "pcap", seed);
        (seed % 2 != 0 ? make_pcapng : make_pcap)(&bytes);
        damage(&bytes);
        if (bytes.length > 0 && is_comparable(&bytes))
            compare(&bytes, false, what);
    }
    free(bytes.data);
}

static void every_length_of_a_capture_is_read_as_libpcap_reads_it(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    for (uint32_t seed = 0; seed < 12; seed++) {
        chance_state = seed;
        (seed % 2 != 0 ? make_pcapng : make_pcap)(&bytes);
        while (--bytes.length > 0)
            compare(&bytes, false, "cut");
    }
    free(bytes.data);
}

static void load(const char *path, struct bytes *bytes)
{
    struct fault fault;
    struct unpack *unpack = unpack_open(path, &fault);
    uint8_t piece[65536];
    ssize_t got;
    bytes->length = 0;
    if (unpack == NULL)
        fail_msg("%s", fault.text);
    while ((got = unpack_read(unpack, piece, sizeof piece)) > 0)
        put(bytes, piece, (size_t)got);
    assert_int_equal(got, 0);
    unpack_close(unpack);
}

static void the_captures_of_the_tests_and_the_sample_are_read_as_libpcap_reads_them(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    glob_t found;
    assert_int_equal(glob("tests/golden/*.pcap*", 0, NULL, &found), 0);
    glob("samples/*.pcap*", GLOB_APPEND, NULL, &found);
    assert_true(found.gl_pathc > 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        chance_state = i;
        load(found.gl_pathv[i], &bytes);
        compare(&bytes, true, found.gl_pathv[i]);
        for (int round = 0; round < 200 && bytes.length < 1 << 20; round++) {
            load(found.gl_pathv[i], &bytes);
            damage(&bytes);
            if (bytes.length > 0 && is_comparable(&bytes))
                compare(&bytes, false, found.gl_pathv[i]);
        }
    }
    globfree(&found);
    free(bytes.data);
}

/* ---- what libpcap does not read ---- */

static struct reading got;
static struct bytes work;

static void read_work(void)
{
    forget(&got);
    read_memory(&work, SIZE_MAX, &got);
}

static void interfaces_may_differ_and_sections_too(void **state)
{
    (void)state;
    work.length = 0;
    for (int section = 0; section < 4; section++) {
        big = section % 2 != 0;
        put_section(&work);
        put_interface(&work, 1, 65535, false);
        put_interface(&work, 101, 262144, false);
        put_enhanced(&work, 1, 101, 7);
        put_enhanced(&work, 0, 1, 8);
    }
    read_work();
    assert_false(got.damaged);
    assert_int_equal(got.count, 8);
    for (size_t i = 0; i < got.count; i++)
        assert_int_equal(got.packets[i].link_type, i % 2 == 0 ? 101 : 1);
}

static void a_time_finer_than_two_to_the_minus_34_is_read_all_the_same(void **state)
{
    (void)state;
    for (unsigned shift = 35; shift < 64; shift++) {
        big = false;
        work.length = 0;
        put_section(&work);
        size_t block = begin_block(&work, 1);
        put_u32(&work, 1);
        put_u32(&work, 0);
        put_option(&work, 9, 0x80 | shift, 1);
        end_block(&work, block);
        put_enhanced(&work, 0, 1, 3ULL << (shift - 1)); /* a second and a half */
        read_work();
        assert_int_equal(got.count, 1);
        assert_int_equal(got.packets[0].seconds, shift == 63 ? 1 : 1);
        assert_int_equal(got.packets[0].ns, 500000000);
    }
}

static void long_blocks_of_other_kinds_are_passed_over(void **state)
{
    (void)state;
    big = false;
    work.length = 0;
    put_section(&work);
    put_interface(&work, 1, 65535, false);
    for (size_t length = 1000; length < 12000000; length *= 5) {
        size_t block = begin_block(&work, 10);
        uint8_t *secrets = calloc(1, length);
        put(&work, secrets, length);
        free(secrets);
        end_block(&work, block);
        put_enhanced(&work, 0, 1, 7);
    }
    read_work();
    assert_false(got.damaged);
    assert_int_equal(got.count, 6);
}

static void an_input_that_has_nothing_yet_is_asked_again_wherever_it_stopped(void **state)
{
    (void)state;
    static struct reading whole;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        chance_state = seed;
        (seed % 2 == 0 ? make_pcap : make_pcapng)(&work);
        const size_t lengths[] = {work.length, work.length - 3};
        for (int i = 0; i < 2; i++) {
            work.length = lengths[i];
            forget(&whole);
            forget(&got);
            read_memory(&work, SIZE_MAX, &whole);
            struct feed feed = {.bytes = &work, .piece = 1 + seed * 7, .hesitates = true};
            read_own(&(struct savefile_input){.context = &feed, .read = feed_read}, work.length, &got);
            assert_int_equal(got.count, whole.count);
            assert_int_equal(got.damaged, whole.damaged);
            assert_memory_equal(got.packets, whole.packets, whole.count * sizeof *whole.packets);
        }
    }
    forget(&whole);
}

static void seconds_of_a_pcap_file_end_in_2106(void **state)
{
    (void)state;
    static struct bytes bytes;
    struct reading own = {.count = 0};
    for (int order = 0; order < 2; order++) {
        big = order != 0;
        bytes.length = 0;
        put_u32(&bytes, 0xa1b2c3d4);
        put_u16(&bytes, 2);
        put_u16(&bytes, 4);
        for (const uint32_t *head = (const uint32_t[]){0, 0, 65535, 1}, *end = head + 4; head < end; head++)
            put_u32(&bytes, *head);
        for (const uint32_t *at = (const uint32_t[]){INT32_MAX, 0x80000000, UINT32_MAX}, *end = at + 3;
             at < end; at++) {
            put_u32(&bytes, *at);
            put_u32(&bytes, 999999);
            put_u32(&bytes, 0);
            put_u32(&bytes, 60);
        }
        read_memory(&bytes, SIZE_MAX, &own);
        assert_int_equal(own.count, 3);
        assert_int_equal(own.packets[0].seconds, INT32_MAX);
        assert_int_equal(own.packets[1].seconds, 0x80000000LL);
        assert_int_equal(own.packets[2].seconds, UINT32_MAX);
        assert_int_equal(own.packets[2].ns, 999999000);
        forget(&own);
    }
    free(bytes.data);
}

static void an_input_that_fails_is_damage_without_words(void **state)
{
    (void)state;
    chance_state = 5;
    make_pcap(&work);
    struct feed feed = {.bytes = &work, .piece = 100, .fails = true};
    forget(&got);
    read_own(&(struct savefile_input){.context = &feed, .read = feed_read}, work.length, &got);
    assert_true(got.damaged);
    assert_string_equal(got.words, "");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *words;
        size_t length;
    } rows[] = {
        {"\xd4\xc3\xb2\xa1\x02\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0", "23 of the 24 bytes of a file header",
         23},
        {"\xd4\xc3\xb2\xa1\x02\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0",
         "version 2.5 of the format is not known", 24},
        {"\n\r\r\n\x1c\0\0\0", "8 of the 12 bytes of the least block", 8},
        {"\n\r\r\n\x1c\0\0\0\1\2\3\4", "a section does not tell its byte order", 12},
        {"\n\r\r\n\x18\0\0\0\x4d\x3c\x2b\x1a", "a block of 24 bytes is not to be believed", 12},
        {"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0"
         "\5\0\0\0\x0c\0\0\0\x0d\0\0\0",
         "a block of 12 bytes says 13 bytes at its end", 40},
        {"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\2\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0",
         "version 2.0 of the format is not known", 28},
        {"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0"
         "\3\0\0\0\x10\0\0\0\0\0\0\0\x10\0\0\0",
         "a packet is of interface 0, which is not described", 44},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        work.length = 0;
        put(&work, rows[i].bytes, rows[i].length);
        read_work();
        assert_true(got.damaged);
        if (strstr(got.words, rows[i].words) == NULL)
            fail_msg("'%s' does not say '%s'", got.words, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_of_every_dialect_are_read_as_libpcap_reads_them),
        cmocka_unit_test(damaged_captures_are_read_at_least_as_far_as_libpcap_reads_them),
        cmocka_unit_test(every_length_of_a_capture_is_read_as_libpcap_reads_it),
        cmocka_unit_test(the_captures_of_the_tests_and_the_sample_are_read_as_libpcap_reads_them),
        cmocka_unit_test(interfaces_may_differ_and_sections_too),
        cmocka_unit_test(a_time_finer_than_two_to_the_minus_34_is_read_all_the_same),
        cmocka_unit_test(long_blocks_of_other_kinds_are_passed_over),
        cmocka_unit_test(an_input_that_has_nothing_yet_is_asked_again_wherever_it_stopped),
        cmocka_unit_test(seconds_of_a_pcap_file_end_in_2106),
        cmocka_unit_test(an_input_that_fails_is_damage_without_words),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget(&got);
    free(work.data);
    return failed;
}
