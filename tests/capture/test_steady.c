/* SPDX-License-Identifier: BSD-3-Clause */
/* Times that can be believed: what comes out of captures whose clock was set, or some of whose times are
 * damaged, however their bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "steady.h"

enum { HOUR = 3600, DAY = 86400, YEAR = 365 * DAY, NOW = 1750000000, PACKETS_MAX = 512 };

/* The time of a packet that the file gives none. */
enum { UNTIMED = 0 };

struct packets {
    uint32_t seconds[PACKETS_MAX];
    size_t count;
};

static struct packets in;

static void packet(int64_t seconds)
{
    in.seconds[in.count++] = (uint32_t)seconds;
}

/* A packet a second. */
static void packets(int64_t from, int count)
{
    for (int i = 0; i < count; i++)
        packet(from + i);
}

/* ---- reading ---- */

struct feed {
    uint8_t bytes[24 + PACKETS_MAX * 20];
    size_t length, at, piece;
    bool hesitates, hesitated;
};

static ssize_t feed_read(void *context, uint8_t *to, size_t room)
{
    struct feed *feed = context;
    size_t left = feed->length - feed->at, count = left < room ? left : room;
    feed->hesitated = feed->hesitates && !feed->hesitated;
    if (feed->hesitated)
        return SAVEFILE_NOT_YET;
    count = count < feed->piece ? count : feed->piece;
    memcpy(to, feed->bytes + feed->at, count);
    feed->at += count;
    return (ssize_t)count;
}

static void put_u32(struct feed *feed, uint32_t value)
{
    memcpy(feed->bytes + feed->length, &value, sizeof value);
    feed->length += sizeof value;
}

/* A pcap file of what is in `in`: each packet holds its number. */
static void write_file(struct feed *feed)
{
    const uint32_t head[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
    feed->length = feed->at = 0;
    for (size_t i = 0; i < 6; i++)
        put_u32(feed, head[i]);
    for (uint32_t i = 0; i < in.count; i++) {
        put_u32(feed, in.seconds[i]);
        put_u32(feed, 0);
        put_u32(feed, 4);
        put_u32(feed, 60);
        put_u32(feed, i);
    }
}

static struct steady_news news;
static int64_t out[PACKETS_MAX]; /* seconds; UNTIMED */

static void read_times(struct feed *feed, bool hasty)
{
    struct savefile *file = savefile_new(&(struct savefile_input){.context = feed, .read = feed_read});
    assert_non_null(file);
    while (savefile_begin(file) == SAVEFILE_LATER)
        continue;
    struct steady *steady = steady_new(file, DAY * NS_PER_S, hasty);
    assert_non_null(steady);
    news = (struct steady_news){0};
    const struct frame *frames;
    size_t count, total = 0;
    enum savefile_news got;
    while ((got = steady_next(steady, &frames, &count)) == SAVEFILE_PACKETS || got == SAVEFILE_LATER) {
        if (got == SAVEFILE_LATER)
            continue;
        assert_true(count > 0 && total + count <= in.count);
        for (size_t i = 0; i < count; i++, total++) {
            uint32_t number;
            memcpy(&number, frames[i].bytes, sizeof number);
            assert_int_equal(number, total); /* none lost, none twice, each with its bytes */
            out[total] = frames[i].time_ns == TIME_NONE ? UNTIMED : frames[i].time_ns / NS_PER_S;
        }
        struct steady_news more;
        if (steady_take_news(steady, &more)) {
            more.astray += news.astray;
            more.steps += news.steps;
            news = more;
        }
    }
    assert_int_equal(got, SAVEFILE_END);
    assert_int_equal(total, in.count);
    steady_free(steady);
    savefile_free(file);
}

/* Reads in pieces of several sizes, which must come to the same. */
static void read_in(void)
{
    static struct feed feed;
    int64_t first[PACKETS_MAX];
    write_file(&feed);
    const size_t pieces[] = {SIZE_MAX, 1, 20, 333};
    for (size_t i = 0; i < 4; i++) {
        feed.at = 0;
        feed.piece = pieces[i];
        feed.hesitates = i == 2;
        read_times(&feed, false);
        if (i == 0)
            memcpy(first, out, sizeof first);
        assert_memory_equal(first, out, in.count * sizeof *out);
    }
}

static int set_up(void **state)
{
    (void)state;
    in.count = 0;
    return 0;
}

/* The packets from number `from` on have the times of a packet a second. */
static void assert_times(size_t from, int64_t seconds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(out[from + i], seconds + (int64_t)i);
}

static void assert_news(uint64_t astray, uint64_t steps)
{
    assert_int_equal(news.astray, astray);
    assert_int_equal(news.steps, steps);
}

/* ---- tests ---- */

static void times_in_line_stay_as_they_are(void **state)
{
    (void)state;
    packets(NOW, 100);
    packet(NOW + 90); /* ten seconds late, and early, is nothing */
    packet(NOW + 109);
    packets(NOW + 100, 100);
    read_in();
    for (size_t i = 0; i < in.count; i++)
        assert_int_equal(out[i], in.seconds[i]);
    assert_news(0, 0);
}

static void a_lone_time_far_off_is_not_believed(void **state)
{
    (void)state;
    const int64_t strange[] = {NOW + HOUR, NOW + 2 * DAY, UINT32_MAX, NOW - HOUR, NOW - YEAR, 5};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        in.count = 0;
        packets(NOW, 100);
        packet(strange[i]);
        packets(NOW + 100, 100);
        read_in();
        assert_times(0, NOW, 100);
        assert_int_equal(out[100], NOW + 99);
        assert_times(101, NOW + 100, 100);
        assert_news(1, 0);
    }
}

static void three_in_a_row_are_not_believed_either(void **state)
{
    (void)state;
    packets(NOW, 100);
    packet(UINT32_MAX);
    packet(7);
    packet(UINT32_MAX);
    packets(NOW + 100, 100);
    read_in();
    assert_times(103, NOW + 100, 100);
    assert_news(3, 0);
}

static void strange_times_at_the_very_ends_are_not_believed(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        in.count = 0;
        packet(UINT32_MAX);
        packets(NOW, 20);
        packet(last ? UINT32_MAX : 7);
        read_in();
        assert_int_equal(out[0], NOW);
        assert_times(1, NOW, 20);
        assert_int_equal(out[21], NOW + 19);
        assert_news(2, 0);
    }
}

static void silence_is_believed_from_its_first_packet_on(void **state)
{
    (void)state;
    packets(NOW, 10);
    packets(NOW + HOUR, 10);
    packets(NOW + 3 * DAY, 10);
    packet(NOW + 3 * DAY + HOUR); /* also the last one of all */
    read_in();
    for (size_t i = 0; i < in.count; i++)
        assert_int_equal(out[i], in.seconds[i]);
    assert_news(0, 0);
}

static void a_wire_with_a_packet_now_and_then_stays_as_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        packet(NOW + i * 600 + i % 7 * 60);
    read_in();
    for (size_t i = 0; i < in.count; i++)
        assert_int_equal(out[i], in.seconds[i]);
    assert_news(0, 0);
}

static void a_strange_time_before_a_silence_does_not_hide_it(void **state)
{
    (void)state;
    packets(NOW, 20);
    packet(UINT32_MAX);
    packets(NOW + HOUR, 20);
    read_in();
    assert_int_equal(out[20], NOW + 19);
    assert_times(21, NOW + HOUR, 20);
    assert_news(1, 0);
}

static void a_few_packets_are_taken_as_they_are(void **state)
{
    (void)state;
    const int64_t times[] = {NOW, NOW + 130, NOW + 50, NOW + 61, NOW + 131, NOW + 2 * DAY};
    for (size_t i = 0; i < 6; i++)
        packet(times[i]);
    read_in();
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(out[i], times[i]);
    assert_news(0, 0);
}

static void a_clock_set_back_lets_time_go_on(void **state)
{
    (void)state;
    const int64_t by[] = {60, HOUR, DAY, YEAR, NOW - 100};
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        in.count = 0;
        packets(NOW, 100);
        packets(NOW + 100 - by[i], 100);
        read_in();
        assert_times(0, NOW, 100);
        assert_times(100, NOW + 99, 100);
        assert_news(0, 1);
        assert_int_equal(news.by_ns, (1 - by[i]) * NS_PER_S);
        assert_int_equal(news.since_ns, (NOW + 99) * NS_PER_S);
    }
}

static void a_clock_set_right_again_leaves_no_hole(void **state)
{
    (void)state;
    packets(NOW, 100);
    packets(NOW + 100 - HOUR, 100);
    packets(NOW + 200, 100);
    read_in();
    assert_times(100, NOW + 99, 100);
    assert_times(200, NOW + 200, 100);
    assert_news(0, 2);
}

static void silence_after_a_clock_was_set_back_is_silence(void **state)
{
    (void)state;
    packets(NOW, 50);
    packets(NOW - HOUR, 50);
    packets(NOW - HOUR + 650, 50);
    read_in();
    assert_times(100, NOW + 49 + 650, 50);
    assert_news(0, 1);
}

static void packets_without_a_time_stay_without_one(void **state)
{
    (void)state;
    packet(UNTIMED);
    packets(NOW, 30);
    packet(UNTIMED);
    packet(NOW + HOUR); /* no witness is heard twice, and one without a time is none */
    packet(UNTIMED);
    packets(NOW + 30, 30);
    read_in();
    assert_int_equal(out[0], UNTIMED);
    assert_int_equal(out[31], UNTIMED);
    assert_int_equal(out[32], NOW + 29);
    assert_int_equal(out[33], UNTIMED);
    assert_times(34, NOW + 30, 30);
    assert_news(1, 0);
}

static void any_times_at_all_come_through_and_stay_within_bounds(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (int round = 0; round < 200; round++) {
        in.count = 0;
        while (in.count < 300) {
            chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
            uint32_t value = (uint32_t)(chance >> 32);
            packets(value | 1, 1 + (int)(chance >> 20) % 12);
        }
        in.count = 300;
        read_in();
        for (size_t i = 0; i < in.count; i++)
            assert_true(out[i] >= -1 && out[i] <= INT64_MAX / 2 / NS_PER_S + HOUR);
    }
}

static void whoever_is_in_haste_has_the_first_packet_at_once(void **state)
{
    (void)state;
    static struct feed feed;
    packets(NOW, 1);
    write_file(&feed);
    feed.piece = feed.length;
    feed.hesitates = true;
    struct savefile *file = savefile_new(&(struct savefile_input){.context = &feed, .read = feed_read});
    while (savefile_begin(file) == SAVEFILE_LATER)
        continue;
    struct steady *steady = steady_new(file, DAY * NS_PER_S, true);
    const struct frame *frames;
    size_t count;
    assert_int_equal(steady_next(steady, &frames, &count), SAVEFILE_PACKETS);
    assert_int_equal(steady_next(steady, &frames, &count), SAVEFILE_LATER);
    steady_free(steady);
    savefile_free(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(times_in_line_stay_as_they_are),
        TEST(a_lone_time_far_off_is_not_believed),
        TEST(three_in_a_row_are_not_believed_either),
        TEST(strange_times_at_the_very_ends_are_not_believed),
        TEST(silence_is_believed_from_its_first_packet_on),
        TEST(a_wire_with_a_packet_now_and_then_stays_as_it_is),
        TEST(a_strange_time_before_a_silence_does_not_hide_it),
        TEST(a_few_packets_are_taken_as_they_are),
        TEST(a_clock_set_back_lets_time_go_on),
        TEST(a_clock_set_right_again_leaves_no_hole),
        TEST(silence_after_a_clock_was_set_back_is_silence),
        TEST(packets_without_a_time_stay_without_one),
        TEST(any_times_at_all_come_through_and_stay_within_bounds),
        TEST(whoever_is_in_haste_has_the_first_packet_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
