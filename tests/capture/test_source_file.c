/* SPDX-License-Identifier: BSD-3-Clause */
/* Savefiles that the test writes itself, in every dress, whole and broken, and what the source delivers of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pcap/dlt.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "clock.h"
#include "source.h"

/* --- a capture in memory --- */

struct bytes {
    uint8_t data[1 << 16];
    size_t length;
};

enum order { LITTLE, BIG };

static void put(struct bytes *bytes, const void *data, size_t length)
{
    assert_true(bytes->length + length <= sizeof bytes->data);
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static void put_number(struct bytes *bytes, enum order order, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (order == LITTLE ? i : size - 1 - i));
        put(bytes, &byte, 1);
    }
}

static void put_u16(struct bytes *bytes, enum order order, uint16_t value)
{
    put_number(bytes, order, value, 2);
}

static void put_u32(struct bytes *bytes, enum order order, uint32_t value)
{
    put_number(bytes, order, value, 4);
}

static void put_header(struct bytes *bytes, enum order order, uint32_t magic, uint32_t link_type)
{
    put_u32(bytes, order, magic);
    put_u16(bytes, order, 2); /* version 2.4 */
    put_u16(bytes, order, 4);
    put_u32(bytes, order, 0); /* zone, accuracy */
    put_u32(bytes, order, 0);
    put_u32(bytes, order, 65535);
    put_u32(bytes, order, link_type);
}

/* A packet of four bytes that spell its number; on the wire it had 60. */
static void put_packet(struct bytes *bytes, enum order order, uint32_t s, uint32_t fraction, uint32_t number)
{
    put_u32(bytes, order, s);
    put_u32(bytes, order, fraction);
    put_u32(bytes, order, 4);
    put_u32(bytes, order, 60);
    put_u32(bytes, LITTLE, number);
}

enum { MICRO = 0xa1b2c3d4, NANO = 0xa1b23c4d };

/* An Ethernet capture with microseconds: packets numbered from `number` on at the given seconds, ended by 0.
 */
static struct bytes *capture_of(struct bytes *bytes, uint32_t number, const uint32_t *seconds)
{
    bytes->length = 0;
    put_header(bytes, LITTLE, MICRO, 1);
    for (; *seconds != 0; seconds++)
        put_packet(bytes, LITTLE, *seconds, 0, number++);
    return bytes;
}
#define SECONDS(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* --- files in a folder of their own --- */

static char folder[] = "/tmp/lightsout-test-XXXXXX";
static struct bytes work;

static const char *path_of(const char *name)
{
    static char paths[8][256];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const void *data, size_t length)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *write_bytes(const char *name, const struct bytes *bytes)
{
    return write_file(name, bytes->data, bytes->length);
}

/* Appends a gzip member to `packed`. */
static void pack_gzip(struct bytes *packed, const uint8_t *data, size_t length)
{
    z_stream gzip = {.next_in = (uint8_t *)data, .avail_in = (uInt)length};
    assert_int_equal(deflateInit2(&gzip, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    gzip.next_out = packed->data + packed->length;
    gzip.avail_out = (uInt)(sizeof packed->data - packed->length);
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    packed->length += gzip.total_out;
    deflateEnd(&gzip);
}

/* Appends a zstd frame to `packed`. */
static void pack_zstd(struct bytes *packed, const uint8_t *data, size_t length)
{
    size_t got =
        ZSTD_compress(packed->data + packed->length, sizeof packed->data - packed->length, data, length, 3);
    assert_false(ZSTD_isError(got));
    packed->length += got;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/lightsout-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* --- what a source delivers, as a line: "1@100 2@101 ! / 3b@102." with "!" for a failure, "/" for a seam
 * between files, "." for the end, and letters for the interfaces after the first --- */

static struct health health;
static struct fault fault;
static char told[4096];
static int64_t from_ns = TIME_NONE, to_ns = TIME_NONE;

/* The time in seconds, or with its fraction of nanoseconds where there is one, "-" for none. */
static int tell_time(char *to, size_t room, int64_t ns)
{
    if (ns == TIME_NONE)
        return snprintf(to, room, "-");
    if (ns % NS_PER_S == 0)
        return snprintf(to, room, "%lld", (long long)(ns / NS_PER_S));
    return snprintf(to, room, "%lld.%09lld", (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S));
}

static size_t tell_frame(size_t at, const struct frame *frame)
{
    assert_int_equal(frame->captured_bytes, 4);
    at += (size_t)snprintf(told + at, sizeof told - at, "%s%u%.1s@", at > 0 ? " " : "",
                           frame->bytes[0] | frame->bytes[1] << 8, &"\0bcde"[frame->interface]);
    return at + (size_t)tell_time(told + at, sizeof told - at, frame->time_ns);
}

/* `by_runs`: what lies ready is taken at once. */
static const char *tell_all(struct source *source, bool by_runs)
{
    size_t at = 0;
    told[0] = '\0';
    for (;;) {
        struct frame frame;
        struct fault news;
        const struct frame *frames;
        switch (source->kind->next(source, &frame, &news)) {
        case SOURCE_SEAM:
            at += (size_t)snprintf(told + at, sizeof told - at, " /");
            /* fall through */
        case SOURCE_FRAME:
            at = tell_frame(at, &frame);
            for (size_t i = 0, count = by_runs ? source->kind->more(source, &frames) : 0; i < count; i++)
                at = tell_frame(at, &frames[i]);
            break;
        case SOURCE_IDLE:
            assert_true(from_ns != TIME_NONE); /* it passes over what is not asked for */
            break;
        case SOURCE_FAILED:
            fault = news;
            at += (size_t)snprintf(told + at, sizeof told - at, "%s!", at > 0 ? " " : "");
            break;
        case SOURCE_END:
            snprintf(told + at, sizeof told - at, ".");
            assert_int_equal(source->kind->next(source, &frame, &news), SOURCE_END); /* and stays so */
            assert_int_equal(source->kind->more(source, &frames), 0);
            struct health drops = {0};
            assert_false(source->kind->drops(source, &drops));
            source->kind->close(source);
            return told;
        default:
            fail_msg("a savefile does not tick");
        }
    }
}

static const char *tell(struct source *source)
{
    return tell_all(source, true);
}

static struct source *open_paths(const char *filter, const char *const *paths)
{
    size_t count = 0;
    while (paths[count] != NULL)
        count++;
    memset(&health, 0, sizeof health);
    memset(&fault, 0, sizeof fault);
    const struct source_file_options options = {.paths = paths,
                                                .path_count = count,
                                                .filter = filter,
                                                .from_ns = from_ns,
                                                .to_ns = to_ns,
                                                .gap_max_ns = 86400 * NS_PER_S};
    return source_file_open(&options, &health, &fault);
}

/* Reads twice, packet by packet and by runs, which must come to the same. */
static const char *read_filtered(const char *filter, const char *const *paths)
{
    static char one_by_one[sizeof told];
    for (int by_runs = 0; by_runs < 2; by_runs++) {
        struct source *source = open_paths(filter, paths);
        if (source == NULL)
            fail_msg("%s", fault.text);
        tell_all(source, by_runs != 0);
        if (by_runs == 0)
            strcpy(one_by_one, told);
    }
    assert_string_equal(told, one_by_one);
    return told;
}

/* The last fault must speak of this. */
static void assert_fault_says(const char *words)
{
    if (strstr(fault.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", fault.text, words);
}

#define PATHS(...)   ((const char *const[]){__VA_ARGS__, NULL})
#define READ(...)    read_filtered(NULL, PATHS(__VA_ARGS__))
#define REFUSED(...) assert_null(open_paths(NULL, PATHS(__VA_ARGS__)))

/* --- one file, in every dress --- */

static void pcap_is_read_in_both_byte_orders_and_both_precisions(void **state)
{
    (void)state;
    static const struct {
        enum order order;
        uint32_t magic, fraction;
        const char *wanted;
    } rows[] = {
        {LITTLE, MICRO, 250001, "7@1000.250001000."},
        {BIG, MICRO, 250001, "7@1000.250001000."},
        {LITTLE, NANO, 250001, "7@1000.000250001."},
        {BIG, NANO, 999999999, "7@1000.999999999."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        work.length = 0;
        put_header(&work, rows[i].order, rows[i].magic, 1);
        put_packet(&work, rows[i].order, 1000, rows[i].fraction, 7);
        assert_string_equal(READ(write_bytes("one", &work)), rows[i].wanted);
        assert_int_equal(health.files_read, 1);
        assert_int_equal(health.files_damaged, 0);
    }
}

/* A pcapng block with its length before and after. */
static void put_block(struct bytes *bytes, enum order order, uint32_t type, const struct bytes *body)
{
    put_u32(bytes, order, type);
    put_u32(bytes, order, (uint32_t)body->length + 12);
    put(bytes, body->data, body->length);
    put_u32(bytes, order, (uint32_t)body->length + 12);
}

static void put_pcapng_start(struct bytes *bytes, enum order order)
{
    static struct bytes body;
    body.length = 0;
    put_u32(&body, order, 0x1a2b3c4d);
    put_u16(&body, order, 1); /* version 1.0 */
    put_u16(&body, order, 0);
    put_u32(&body, order, 0xffffffff); /* a section of unknown length */
    put_u32(&body, order, 0xffffffff);
    put_block(bytes, order, 0x0a0d0d0a, &body);
}

/* An interface whose times are in units of 10^-resolution seconds. */
static void put_interface(struct bytes *bytes, enum order order, uint16_t link_type, uint8_t resolution)
{
    static struct bytes body;
    body.length = 0;
    put_u16(&body, order, link_type);
    put_u16(&body, order, 0);
    put_u32(&body, order, 0);
    put_u16(&body, order, 9); /* if_tsresol, one byte, padded */
    put_u16(&body, order, 1);
    put(&body, (const uint8_t[]){resolution, 0, 0, 0}, 4);
    put_u32(&body, order, 0); /* end of options */
    put_block(bytes, order, 1, &body);
}

static void put_enhanced(struct bytes *bytes, enum order order, uint32_t interface, uint64_t time,
                         uint32_t number)
{
    static struct bytes body;
    body.length = 0;
    put_u32(&body, order, interface);
    put_u32(&body, order, (uint32_t)(time >> 32));
    put_u32(&body, order, (uint32_t)time);
    put_u32(&body, order, 4);
    put_u32(&body, order, 60);
    put_u32(&body, LITTLE, number);
    put_block(bytes, order, 6, &body);
}

static void put_simple(struct bytes *bytes, enum order order, uint32_t number)
{
    static struct bytes body;
    body.length = 0;
    put_u32(&body, order, 4);
    put_u32(&body, LITTLE, number);
    put_block(bytes, order, 3, &body);
}

static void pcapng_is_read_in_both_byte_orders_with_each_interfaces_own_clock(void **state)
{
    (void)state;
    for (enum order order = LITTLE; order <= BIG; order++) {
        work.length = 0;
        put_pcapng_start(&work, order);
        put_interface(&work, order, 1, 9);
        put_interface(&work, order, 1, 3);
        put_enhanced(&work, order, 0, 5000000000007, 1);
        put_enhanced(&work, order, 1, 5000250, 2);
        assert_string_equal(READ(write_bytes("ng", &work)), "1@5000.000000007 2b@5000.250000000.");
    }
}

static void a_simple_packet_block_has_no_time(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 6);
    put_simple(&work, LITTLE, 1);
    put_enhanced(&work, LITTLE, 0, 9000000, 2);
    put_simple(&work, LITTLE, 3);
    assert_string_equal(READ(write_bytes("ng", &work)), "1@- 2@9 3@-.");
}

static void a_time_that_does_not_fit_is_none(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 0); /* whole seconds */
    put_enhanced(&work, LITTLE, 0, 0x7fffffffffffffff, 1);
    put_enhanced(&work, LITTLE, 0, 9, 2);
    assert_string_equal(READ(write_bytes("ng", &work)), "1@- 2@9.");
}

static void lengths_come_from_the_header_and_the_wires_is_never_less(void **state)
{
    (void)state;
    work.length = 0;
    put_header(&work, LITTLE, MICRO, 113);
    put_packet(&work, LITTLE, 10, 0, 1);
    put_packet(&work, LITTLE, 11, 0, 2);
    work.data[24 + 16 + 4 + 12] = 2; /* the second says that it had 2 bytes on the wire */
    struct source *source = open_paths(NULL, PATHS(write_bytes("two", &work)));
    struct frame frame;
    assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_FRAME);
    assert_int_equal(frame.wire_bytes, 60);
    assert_int_equal(frame.captured_bytes, 4);
    assert_int_equal(frame.link_type, DLT_LINUX_SLL);
    assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_FRAME);
    assert_int_equal(frame.wire_bytes, 4);
    source->kind->close(source); /* before the end */
}

static void gzip_and_zstd_are_told_by_their_bytes_and_may_come_in_pieces(void **state)
{
    (void)state;
    static struct bytes packed;
    capture_of(&work, 1, SECONDS(100, 101, 102));
    packed.length = 0;
    pack_gzip(&packed, work.data, 30); /* split within a record */
    pack_gzip(&packed, work.data + 30, 0);
    put(&packed, "\0\0\0", 3);
    pack_gzip(&packed, work.data + 30, work.length - 30);
    put(&packed, "\0\0\0\0\0", 5);
    assert_string_equal(READ(write_bytes("plainly.pcap", &packed)), "1@100 2@101 3@102.");

    packed.length = 0;
    put(&packed, "\x5a\x2a\x4d\x18\x03\0\0\0abc", 11); /* a skippable frame */
    pack_zstd(&packed, work.data, 3);
    pack_zstd(&packed, work.data + 3, 47);
    put(&packed, "\x50\x2a\x4d\x18\0\0\0\0", 8);
    pack_zstd(&packed, work.data + 50, work.length - 50);
    assert_string_equal(READ(write_bytes("x", &packed)), "1@100 2@101 3@102.");
    assert_int_equal(health.files_read, 1);
    assert_int_equal(health.files_damaged, 0);
}

/* Larger than any buffer on the way, so that decoders stop in the middle of what they have. */
static void long_captures_come_through_every_dress_alike(void **state)
{
    (void)state;
    enum { PACKETS = 300000 };
    size_t length = 24 + (size_t)PACKETS * 20, room = ZSTD_compressBound(length) + 1000;
    uint8_t *plain = malloc(length), *packed = malloc(room);
    for (uint32_t i = 0; i < PACKETS; i++) {
        static struct bytes one;
        one.length = 0;
        if (i == 0) {
            put_header(&one, LITTLE, NANO, 1);
            memcpy(plain, one.data, 24);
            one.length = 0;
        }
        put_packet(&one, LITTLE, 1000 + i, i * 7919 % 1000000, i & 0xffff);
        memcpy(plain + 24 + (size_t)i * 20, one.data, 20);
    }
    const char *paths[3] = {write_file("plain", plain, length)};
    uLongf got = room;
    z_stream gzip = {.next_in = plain, .avail_in = (uInt)length, .next_out = packed, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&gzip, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    paths[1] = write_file("gzip", packed, gzip.total_out);
    deflateEnd(&gzip);
    got = ZSTD_compress(packed, room, plain, length, 1);
    paths[2] = write_file("zstd", packed, got);
    for (int dress = 0; dress < 3; dress++) {
        struct source *source = open_paths(NULL, PATHS(paths[dress]));
        struct frame frame;
        for (uint32_t i = 0; i < PACKETS; i++) {
            if (source->kind->next(source, &frame, &fault) != SOURCE_FRAME)
                fail_msg("%s", fault.text);
            if (frame.time_ns != (1000 + i) * NS_PER_S + i * 7919 % 1000000 || frame.bytes[0] != (i & 0xff))
                fail_msg("packet %u of %s is another", i, paths[dress]);
        }
        assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_END);
        source->kind->close(source);
        source = open_paths(NULL, PATHS(paths[dress]));
        const struct frame *frames;
        for (size_t i = 0; i < PACKETS / 3; i += 1 + source->kind->more(source, &frames))
            assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_FRAME);
        source->kind->close(source); /* in the midst */
    }
    free(plain);
    free(packed);
}

static void a_capture_without_packets_is_no_fault(void **state)
{
    (void)state;
    capture_of(&work, 1, SECONDS(0));
    assert_string_equal(READ(write_bytes("none", &work)), ".");
    assert_int_equal(health.files_read, 1);
    assert_int_equal(health.files_damaged, 0);
}

/* --- several files --- */

static void files_are_read_in_the_order_of_their_first_packets(void **state)
{
    (void)state;
    const char *late = write_bytes("a", capture_of(&work, 5, SECONDS(300, 301)));
    const char *early = write_bytes("b", capture_of(&work, 1, SECONDS(100, 101)));
    const char *between = write_bytes("c", capture_of(&work, 3, SECONDS(200, 201)));
    const char *none = write_bytes("d", capture_of(&work, 0, SECONDS(0)));
    assert_string_equal(READ(late, none, early, between), "1@100 2@101 / 3@200 4@201 / 5@300 6@301.");
    assert_int_equal(health.files_read, 4);
}

static void files_that_overlap_are_merged_and_equal_times_keep_the_order_given(void **state)
{
    (void)state;
    const char *one = write_bytes("one", capture_of(&work, 10, SECONDS(100, 105, 110)));
    const char *two = write_bytes("two", capture_of(&work, 20, SECONDS(100, 103, 105, 120)));
    const char *three = write_bytes("three", capture_of(&work, 30, SECONDS(105, 106)));
    assert_string_equal(READ(one, two, three),
                        "10@100 20@100 21@103 11@105 22@105 30@105 31@106 12@110 23@120.");
    assert_string_equal(READ(three, two, one),
                        "20@100 10@100 21@103 30@105 22@105 11@105 31@106 12@110 23@120.");
}

static void many_files_are_merged_like_one(void **state)
{
    (void)state;
    enum { FILES = 40 };
    char names[FILES][16];
    const char *paths[FILES + 1] = {NULL};
    for (uint32_t f = 0; f < FILES; f++) {
        uint32_t order = f * 17 % FILES; /* opened in another order than they begin */
        work.length = 0;
        put_header(&work, LITTLE, MICRO, 1);
        for (uint32_t i = 0; i < 20; i++)
            put_packet(&work, LITTLE, 100 + order + FILES / 2 * i, 0, 1);
        snprintf(names[f], sizeof names[f], "f%u", f);
        paths[f] = strdup(write_bytes(names[f], &work));
    }
    struct source *source = open_paths(NULL, paths);
    assert_non_null(source);
    struct frame frame;
    int64_t last = 0;
    size_t count = 0;
    for (; source->kind->next(source, &frame, &fault) == SOURCE_FRAME; count++) {
        assert_true(frame.time_ns >= last);
        last = frame.time_ns;
    }
    assert_int_equal(count, FILES * 20);
    source->kind->close(source);
    for (int f = 0; f < FILES; f++)
        free((char *)paths[f]);
}

static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void only_files_that_overlap_are_open_together(void **state)
{
    (void)state;
    int before = open_files();
    const char *one = write_bytes("one", capture_of(&work, 1, SECONDS(100, 110)));
    const char *two = write_bytes("two", capture_of(&work, 3, SECONDS(105, 106)));
    const char *three = write_bytes("three", capture_of(&work, 5, SECONDS(111, 112)));
    struct source *source = open_paths(NULL, PATHS(one, two, three));
    assert_int_equal(open_files(), before);
    static const int wanted[] = {1, 2, 2, 1, 1, 1}; /* 1@100, 3@105, 4@106, 2@110, 5@111, 6@112 */
    struct frame frame;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(source->kind->next(source, &frame, &fault), i == 4 ? SOURCE_SEAM : SOURCE_FRAME);
        assert_int_equal(open_files() - before, wanted[i]);
    }
    assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_END);
    assert_int_equal(open_files(), before);
    source->kind->close(source);
}

static void only_what_lies_between_two_times_is_read(void **state)
{
    (void)state;
    const char *early = write_bytes("early", capture_of(&work, 1, SECONDS(100, 105, 104, 110)));
    const char *late = write_bytes("late", capture_of(&work, 8, SECONDS(103, 107, 109)));
    from_ns = 104 * NS_PER_S;
    assert_string_equal(READ(early, late), "2@105 3@104 9@107 10@109 4@110.");
    to_ns = 109 * NS_PER_S;
    assert_string_equal(READ(early, late), "2@105 3@104 9@107.");
    assert_string_equal(READ(late), "9@107.");
    from_ns = 111 * NS_PER_S;
    to_ns = TIME_NONE;
    assert_string_equal(READ(early, late), ".");
    from_ns = TIME_NONE;
    to_ns = 105 * NS_PER_S;
    assert_string_equal(READ(early, late), "1@100 8@103.");
    to_ns = TIME_NONE;
}

static void a_packet_without_a_time_stays_behind_the_one_before_it(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 0);
    put_enhanced(&work, LITTLE, 0, 100, 1);
    put_simple(&work, LITTLE, 2);
    put_enhanced(&work, LITTLE, 0, 300, 3);
    const char *ng = write_bytes("ng", &work);
    const char *other = write_bytes("other", capture_of(&work, 20, SECONDS(200)));
    assert_string_equal(READ(other, ng), "1@100 2@- 20@200 3@300.");
}

static void a_directory_is_read_in_time_order_without_what_is_no_capture(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    assert_int_equal(mkdir(path_of("d/below"), 0700), 0);
    write_bytes("d/b", capture_of(&work, 1, SECONDS(100)));
    write_bytes("d/a", capture_of(&work, 2, SECONDS(200)));
    write_bytes("d/c", capture_of(&work, 3, SECONDS(200)));
    write_bytes("outside", capture_of(&work, 4, SECONDS(150)));
    assert_int_equal(symlink(path_of("outside"), path_of("d/link")), 0);
    assert_int_equal(symlink("nowhere", path_of("d/dangling")), 0);
    write_bytes("d/.hidden", capture_of(&work, 90, SECONDS(50)));
    write_bytes("d/below/deep", capture_of(&work, 91, SECONDS(50)));
    write_file("d/README", "what this is\n", 13);
    write_file("d/truth.json", "{}", 2);
    write_file("d/empty", "", 0);
    assert_int_equal(mkfifo(path_of("d/fifo"), 0600), 0); /* opening it would wait for ever */
    assert_string_equal(READ(path_of("d")), "1@100 / 4@150 / 2@200 3@200.");
    assert_int_equal(health.files_read, 4);
    assert_string_equal(READ(path_of("d/"), path_of("outside")), "1@100 / 4@150 4@150 / 2@200 3@200.");
}

static void a_directory_without_a_capture_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    write_file("d/README", "what this is\n", 13);
    REFUSED(path_of("d"));
    assert_fault_says(path_of("d"));
    assert_fault_says("holds no capture");
}

/* --- what is refused at once --- */

static void a_missing_file_is_refused_by_name(void **state)
{
    (void)state;
    REFUSED(path_of("missing.pcap"));
    assert_fault_says("missing.pcap");
    assert_fault_says("No such file");
}

static void a_text_file_an_empty_file_and_a_packed_text_are_no_captures(void **state)
{
    (void)state;
    REFUSED(write_file("notes", "2025-06-07 dark\n", 16));
    assert_fault_says("notes is not a capture file (pcap or pcapng)");
    REFUSED(write_file("tiny", "a", 1));
    assert_fault_says("tiny is not a capture file");
    REFUSED(write_file("empty", "", 0));
    assert_fault_says("empty is empty");
    work.length = 0;
    pack_gzip(&work, (const uint8_t *)"2025-06-07 dark\n", 16);
    REFUSED(write_bytes("notes.gz", &work));
    assert_fault_says("notes.gz is not a capture file");
}

static void a_link_type_that_is_not_read_is_told_by_name_and_number(void **state)
{
    (void)state;
    work.length = 0;
    put_header(&work, LITTLE, MICRO, 189);
    const char *path = write_bytes("usb", &work);
    REFUSED(path);
    assert_fault_says("link type USB_LINUX (189) of ");
    assert_fault_says(path);
    assert_fault_says("is not read; the README");
}

static void a_bad_filter_is_refused_with_its_text(void **state)
{
    (void)state;
    const char *path = write_bytes("one", capture_of(&work, 1, SECONDS(100)));
    assert_null(open_paths("host and and", PATHS(path)));
    assert_fault_says("filter 'host and and': ");
}

/* --- what is told on the way --- */

static void a_filter_takes_effect_in_every_file(void **state)
{
    (void)state;
    const char *one = write_bytes("one", capture_of(&work, 1, SECONDS(100, 101, 102)));
    const char *two = write_bytes("two", capture_of(&work, 2, SECONDS(101, 103)));
    assert_string_equal(read_filtered("ether[0] = 2", PATHS(one, two)), "2@101 2@101.");
    assert_string_equal(read_filtered("ether[0] = 9", PATHS(one, two)), ".");
    assert_int_equal(health.files_read, 2);
}

static void a_cut_off_file_gives_what_it_has_and_the_others_go_on(void **state)
{
    (void)state;
    capture_of(&work, 1, SECONDS(100, 110, 120)); /* 24 bytes, and 20 a packet */
    const char *cut = write_file("cut", work.data, 24 + 20 + 20 + 19);
    const char *whole = write_bytes("whole", capture_of(&work, 7, SECONDS(105, 130)));
    assert_string_equal(READ(cut, whole), "1@100 7@105 2@110 ! 8@130.");
    assert_fault_says(cut);
    assert_fault_says("at byte 83,");
    assert_int_equal(health.files_read, 2);
    assert_int_equal(health.files_damaged, 1);
}

static void every_length_of_a_cut_off_file_is_noticed(void **state)
{
    (void)state;
    capture_of(&work, 1, SECONDS(100, 101));
    for (size_t length = 4; length <= work.length; length++) {
        const char *path = write_file("cut", work.data, length);
        const char *wanted = length < 24    ? "!."
                             : length == 24 ? "."
                             : length < 44  ? "!."
                             : length == 44 ? "1@100."
                             : length < 64  ? "1@100 !."
                                            : "1@100 2@101.";
        assert_string_equal(READ(path), wanted);
        char where[32];
        snprintf(where, sizeof where, "at byte %zu,", length);
        if (strchr(wanted, '!') != NULL)
            assert_fault_says(where);
        assert_int_equal(health.files_damaged, strchr(wanted, '!') != NULL);
        assert_int_equal(health.files_read, 1);
    }
}

/* Even where what was unpacked ends between two packets. */
static void every_length_of_a_cut_off_packed_file_is_noticed(void **state)
{
    (void)state;
    for (int dress = 0; dress < 2; dress++) {
        static struct bytes packed;
        capture_of(&work, 1, SECONDS(100, 101, 102));
        packed.length = 0;
        (dress == 0 ? pack_gzip : pack_zstd)(&packed, work.data, work.length);
        for (size_t length = 4; length < packed.length; length++) {
            READ(write_file("cut", packed.data, length));
            assert_non_null(strstr(told, "!."));
            assert_fault_says("end too early");
            assert_fault_says("of the unpacked data");
            assert_int_equal(health.files_damaged, 1);
        }
        assert_string_equal(READ(write_bytes("whole", &packed)), "1@100 2@101 3@102.");
    }
}

static void damaged_packed_data_are_told_with_the_offset_unpacked(void **state)
{
    (void)state;
    static struct bytes packed;
    capture_of(&work, 1, SECONDS(100, 101, 102));
    packed.length = 0;
    pack_gzip(&packed, work.data, 64);
    put(&packed, "garbage", 7);
    assert_string_equal(READ(write_bytes("g", &packed)), "1@100 2@101 !.");
    assert_fault_says("at byte 64 of the unpacked data");

    packed.length = 0;
    pack_gzip(&packed, work.data, work.length);
    packed.data[packed.length - 8] ^= 1; /* the checksum */
    assert_string_equal(READ(write_bytes("g", &packed)), "1@100 2@101 3@102 !.");
    assert_fault_says("incorrect data check");

    packed.length = 0;
    pack_zstd(&packed, work.data, 64);
    put(&packed, "garbage", 7);
    assert_string_equal(READ(write_bytes("z", &packed)), "1@100 2@101 !.");
    assert_fault_says("at byte 64 of the unpacked data");
}

static void an_absurd_length_in_a_record_is_damage(void **state)
{
    (void)state;
    capture_of(&work, 1, SECONDS(100, 101, 102));
    memset(work.data + 44 + 8, 0xff, 4);
    assert_string_equal(READ(write_bytes("absurd", &work)), "1@100 !.");
    assert_fault_says("at byte 60,");
}

static void damage_in_a_directory_does_not_keep_the_others_from_being_read(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    capture_of(&work, 1, SECONDS(100));
    write_file("d/cut", work.data, 10); /* within the file's header */
    work.length = 0;
    put_header(&work, LITTLE, MICRO, 189);
    write_bytes("d/usb", &work);
    write_bytes("d/whole", capture_of(&work, 7, SECONDS(105, 130)));
    assert_string_equal(READ(path_of("d")), "! ! 7@105 8@130.");
    assert_int_equal(health.files_damaged, 2);
    assert_int_equal(health.files_read, 3);
}

static void a_file_that_vanishes_before_its_turn_is_told(void **state)
{
    (void)state;
    const char *one = write_bytes("one", capture_of(&work, 1, SECONDS(100)));
    const char *two = write_bytes("two", capture_of(&work, 2, SECONDS(200)));
    const char *three = write_bytes("three", capture_of(&work, 3, SECONDS(300)));
    struct source *source = open_paths(NULL, PATHS(one, two, three));
    assert_int_equal(unlink(two), 0);
    assert_string_equal(tell(source), "1@100 ! / 3@300.");
    assert_fault_says(two);
}

static void interfaces_of_unlike_link_types_are_read_and_a_filter_is_made_for_each(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 0);
    put_enhanced(&work, LITTLE, 0, 100, 1);
    put_interface(&work, LITTLE, 101, 0);
    put_enhanced(&work, LITTLE, 1, 101, 2);
    put_enhanced(&work, LITTLE, 0, 102, 3);
    put_pcapng_start(&work, BIG);
    put_interface(&work, BIG, 228, 0);
    put_enhanced(&work, BIG, 0, 103, 4);
    const char *path = write_bytes("ng", &work);
    assert_string_equal(READ(path), "1@100 2b@101 3@102 4@103.");
    assert_int_equal(health.files_damaged, 0);
    assert_string_equal(read_filtered("link[0] > 1", PATHS(path)), "2b@101 3@102 4@103.");
    struct source *source = open_paths(NULL, PATHS(path));
    static const int wanted[] = {DLT_EN10MB, DLT_RAW, DLT_EN10MB, DLT_IPV4};
    struct frame frame;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(source->kind->next(source, &frame, &fault), SOURCE_FRAME);
        assert_int_equal(frame.link_type, wanted[i]);
    }
    source->kind->close(source);
}

static void an_interface_that_is_not_read_is_named_once_and_the_others_go_on(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 0);
    put_interface(&work, LITTLE, 189, 0);
    put_enhanced(&work, LITTLE, 1, 100, 1);
    put_enhanced(&work, LITTLE, 0, 101, 2);
    put_enhanced(&work, LITTLE, 1, 102, 3);
    put_enhanced(&work, LITTLE, 0, 103, 4);
    const char *ng = write_bytes("ng", &work);
    const char *other = write_bytes("other", capture_of(&work, 7, SECONDS(99, 102)));
    assert_string_equal(READ(ng), "! 1b@100 2@101 3b@102 4@103.");
    assert_fault_says("link type USB_LINUX (189) of ");
    assert_fault_says(ng);
    assert_string_equal(READ(other, ng), "7@99 ! 1b@100 2@101 8@102 3b@102 4@103.");
    assert_string_equal(read_filtered("ether[0] > 0", PATHS(ng)), "! 2@101 4@103."); /* it can pass none */
    assert_fault_says("link type USB_LINUX (189) of ");
}

static void a_filter_that_one_of_the_link_types_cannot_have_is_told(void **state)
{
    (void)state;
    work.length = 0;
    put_pcapng_start(&work, LITTLE);
    put_interface(&work, LITTLE, 1, 0);
    put_interface(&work, LITTLE, 0, 0); /* BSD loopback, which has no VLANs */
    put_enhanced(&work, LITTLE, 0, 100, 1);
    put_enhanced(&work, LITTLE, 1, 101, 2);
    put_enhanced(&work, LITTLE, 0, 102, 3);
    assert_string_equal(read_filtered("link[0] > 0 or vlan", PATHS(write_bytes("ng", &work))),
                        "1@100 ! 3@102.");
    assert_fault_says("filter 'link[0] > 0 or vlan': ");
    assert_fault_says("link type NULL");
}

/* --- standard input --- */

/* Gives the bytes as standard input, in pieces of `piece`, from a child through a pipe. */
static const char *read_piped(const struct bytes *bytes, size_t piece, const char *other)
{
    int ends[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (size_t at = 0; at < bytes->length; at += piece) {
            size_t count = bytes->length - at < piece ? bytes->length - at : piece;
            if (write(ends[1], bytes->data + at, count) != (ssize_t)count)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    struct source *source = open_paths("ether[0] != 9", PATHS("-", other));
    if (source != NULL)
        tell(source);
    dup2(kept, STDIN_FILENO);
    close(kept);
    return source != NULL ? told : fault.text;
}

static void standard_input_is_read_through_a_pipe_in_every_dress(void **state)
{
    (void)state;
    static struct bytes packed[3];
    capture_of(&work, 8, SECONDS(100, 101, 102)); /* the second of them is filtered out */
    packed[0] = work;
    pack_gzip(&packed[1], work.data, work.length);
    pack_zstd(&packed[2], work.data, work.length);
    const char *other = write_bytes("other", capture_of(&work, 1, SECONDS(101)));
    for (int dress = 0; dress < 3; dress++)
        for (size_t piece = 1; piece <= 64; piece *= 4) {
            assert_string_equal(read_piped(&packed[dress], piece, NULL), "8@100 10@102.");
            assert_string_equal(read_piped(&packed[dress], piece, other), "8@100 1@101 10@102.");
        }
}

static void standard_input_that_is_cut_off_or_no_capture_is_told(void **state)
{
    (void)state;
    capture_of(&work, 1, SECONDS(100, 101));
    work.length -= 3;
    assert_string_equal(read_piped(&work, 10, NULL), "1@100 !.");
    assert_fault_says("standard input is damaged or cut off at byte 61");
    work.length = 0;
    put(&work, "no capture", 10);
    assert_non_null(strstr(read_piped(&work, 10, NULL), "standard input is not a capture file"));
    work.length = 0;
    assert_non_null(strstr(read_piped(&work, 10, NULL), "standard input is empty"));
}

static void standard_input_is_read_only_once(void **state)
{
    (void)state;
    assert_non_null(strstr(read_piped(capture_of(&work, 1, SECONDS(100)), 10, "-"), "only once"));
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void a_signal_ends_the_wait_for_standard_input_plain_or_packed(void **state)
{
    (void)state;
    static struct bytes packed;
    capture_of(&work, 1, SECONDS(100, 101));
    pack_gzip(&packed, work.data, work.length); /* after which another member may follow */
    const struct bytes *dresses[] = {&work, &packed};
    for (int dress = 0; dress < 2; dress++) {
        int ends[2], kept = dup(STDIN_FILENO);
        assert_int_equal(pipe(ends), 0);
        dup2(ends[0], STDIN_FILENO);
        size_t length = dresses[dress]->length;
        assert_int_equal(write(ends[1], dresses[dress]->data, length), length); /* and the pipe stays open */
        struct source *source = open_paths(NULL, PATHS("-"));
        assert_non_null(source);
        const struct sigaction action = {.sa_handler = on_alarm};
        const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        assert_string_equal(tell(source), "1@100 2@101.");
        dup2(kept, STDIN_FILENO);
        close(kept);
        close(ends[0]);
        close(ends[1]);
    }
}

/* --- a directory that is followed --- */

enum { FOLLOWED = 5000, NAMES_KEPT = 4096 };

/* A file of the directory with one packet, written and changed so many seconds after the epoch. */
static void write_followed(int number, int changed_s)
{
    char name[32];
    const struct timespec times[2] = {{.tv_sec = changed_s}, {.tv_sec = changed_s}};
    snprintf(name, sizeof name, "d/%d", number);
    write_bytes(name, capture_of(&work, (uint16_t)number, SECONDS(1000 + number)));
    assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

/* What comes until nothing did for `idle` times: how many packets; the last one's number. */
static int follow_on(struct source *source, int idle, int *last)
{
    int count = 0;
    for (int idled = 0; idled < idle;) {
        struct frame frame;
        enum source_news news = source->kind->next(source, &frame, &fault);
        idled = news == SOURCE_IDLE ? idled + 1 : 0;
        if (news == SOURCE_IDLE)
            continue;
        assert_true(news == SOURCE_FRAME || news == SOURCE_SEAM);
        *last = frame.bytes[0] | frame.bytes[1] << 8;
        count++;
    }
    return count;
}

static void of_very_many_files_that_were_followed_names_are_forgotten_and_none_is_read_again(void **state)
{
    (void)state;
    int last = -1;
    char directory[256];
    snprintf(directory, sizeof directory, "%s/d", folder);
    assert_int_equal(mkdir(directory, 0700), 0);
    for (int i = 0; i < FOLLOWED; i++)
        write_followed(i, 1000 + i);
    memset(&health, 0, sizeof health);
    const struct source_file_options options = {.paths = PATHS(directory),
                                                .path_count = 1,
                                                .from_ns = TIME_NONE,
                                                .to_ns = TIME_NONE,
                                                .gap_max_ns = 86400 * NS_PER_S,
                                                .follow = true};
    struct source *source = source_file_open(&options, &health, &fault);
    assert_non_null(source);
    assert_int_equal(follow_on(source, 4, &last), FOLLOWED);
    assert_int_equal(last, FOLLOWED - 1);
    assert_int_equal(health.files_read, FOLLOWED - 1); /* the last one may grow */
    assert_int_equal(health.files_forgotten, FOLLOWED - 1 - NAMES_KEPT);
    /* One that is new, and one that was read and forgotten, and somebody has touched. */
    write_followed(FOLLOWED, 10000);
    write_followed(7, 10001);
    int more = 0;
    for (int times = 0; more == 0 && times < 40; times++)
        more = follow_on(source, 5, &last);
    assert_int_equal(more + follow_on(source, 10, &last), 1);
    assert_int_equal(last, FOLLOWED);
    assert_int_equal(health.files_forgotten, FOLLOWED - NAMES_KEPT);
    source->kind->finish(source);
    source->kind->close(source);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pcap_is_read_in_both_byte_orders_and_both_precisions),
        TEST(pcapng_is_read_in_both_byte_orders_with_each_interfaces_own_clock),
        TEST(a_simple_packet_block_has_no_time),
        TEST(a_time_that_does_not_fit_is_none),
        TEST(lengths_come_from_the_header_and_the_wires_is_never_less),
        TEST(gzip_and_zstd_are_told_by_their_bytes_and_may_come_in_pieces),
        TEST(long_captures_come_through_every_dress_alike),
        TEST(a_capture_without_packets_is_no_fault),
        TEST(files_are_read_in_the_order_of_their_first_packets),
        TEST(files_that_overlap_are_merged_and_equal_times_keep_the_order_given),
        TEST(many_files_are_merged_like_one),
        TEST(only_files_that_overlap_are_open_together),
        TEST(only_what_lies_between_two_times_is_read),
        TEST(a_packet_without_a_time_stays_behind_the_one_before_it),
        TEST(a_directory_is_read_in_time_order_without_what_is_no_capture),
        TEST(a_directory_without_a_capture_is_refused),
        TEST(a_missing_file_is_refused_by_name),
        TEST(a_text_file_an_empty_file_and_a_packed_text_are_no_captures),
        TEST(a_link_type_that_is_not_read_is_told_by_name_and_number),
        TEST(a_bad_filter_is_refused_with_its_text),
        TEST(a_filter_takes_effect_in_every_file),
        TEST(a_cut_off_file_gives_what_it_has_and_the_others_go_on),
        TEST(every_length_of_a_cut_off_file_is_noticed),
        TEST(every_length_of_a_cut_off_packed_file_is_noticed),
        TEST(damaged_packed_data_are_told_with_the_offset_unpacked),
        TEST(an_absurd_length_in_a_record_is_damage),
        TEST(damage_in_a_directory_does_not_keep_the_others_from_being_read),
        TEST(a_file_that_vanishes_before_its_turn_is_told),
        TEST(interfaces_of_unlike_link_types_are_read_and_a_filter_is_made_for_each),
        TEST(an_interface_that_is_not_read_is_named_once_and_the_others_go_on),
        TEST(a_filter_that_one_of_the_link_types_cannot_have_is_told),
        TEST(standard_input_is_read_through_a_pipe_in_every_dress),
        TEST(standard_input_that_is_cut_off_or_no_capture_is_told),
        TEST(standard_input_is_read_only_once),
        TEST(a_signal_ends_the_wait_for_standard_input_plain_or_packed),
        TEST(of_very_many_files_that_were_followed_names_are_forgotten_and_none_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
