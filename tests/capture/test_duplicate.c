/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "duplicate.h"

enum { LENGTH = 200 };

static struct health health;

static uint8_t bytes[8][LENGTH];

/* A packet of 200 bytes whose place in the table of bytes names it. */
static struct packet packet_of(unsigned version, unsigned number, int64_t at_us)
{
    for (int i = 0; i < LENGTH; i++)
        bytes[number][i] = (uint8_t)(i * 7 + 1);
    return (struct packet){.time_ns = at_us * 1000,
                           .is_ip = true,
                           .ip_version = (uint8_t)version,
                           .ip = bytes[number],
                           .ip_bytes = LENGTH,
                           .ip_captured_bytes = LENGTH};
}

static void the_same_packet_again_is_a_duplicate_for_five_milliseconds(void **state)
{
    (void)state;
    struct duplicate *duplicate = duplicate_new(&health);
    struct packet one = packet_of(4, 0, 1000), soon = packet_of(4, 1, 1001), last = packet_of(4, 2, 6000),
                  late = packet_of(4, 3, 6001);
    assert_false(duplicate_seen(duplicate, &one));
    assert_true(duplicate_seen(duplicate, &soon));
    assert_true(duplicate_seen(duplicate, &last)); /* from the first on, not from the second */
    assert_false(duplicate_seen(duplicate, &late));
    duplicate_free(duplicate);
}

/* In each version every byte counts but those that a router changes. */
static void what_a_router_changes_is_left_out_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2)
        for (unsigned at = 0; at < LENGTH; at++) {
            struct duplicate *duplicate = duplicate_new(&health);
            struct packet one = packet_of(version, 0, 1000), other = packet_of(version, 1, 1001);
            bytes[1][at] ^= 0x40;
            bool hop = version == 4 ? at == 8 || at == 10 || at == 11 : at == 7;
            assert_false(duplicate_seen(duplicate, &one));
            assert_int_equal(duplicate_seen(duplicate, &other), hop);
            duplicate_free(duplicate);
        }
}

/* Behind unlike link headers the snapshot length takes unlike parts. */
static void of_cut_packets_the_headers_are_compared(void **state)
{
    (void)state;
    struct duplicate *duplicate = duplicate_new(&health);
    struct packet one = packet_of(4, 0, 1000), other = packet_of(4, 1, 1001), third = packet_of(4, 2, 1002);
    one.ip_captured_bytes = 82;
    other.ip_captured_bytes = 78;
    third.ip_captured_bytes = 78;
    bytes[2][39] ^= 1;
    assert_false(duplicate_seen(duplicate, &one));
    assert_true(duplicate_seen(duplicate, &other));
    assert_false(duplicate_seen(duplicate, &third));
    duplicate_free(duplicate);
}

static void the_shortest_packets_are_compared_too(void **state)
{
    (void)state;
    struct duplicate *duplicate = duplicate_new(&health);
    for (uint32_t length = 20; length < 60; length++) {
        struct packet one = packet_of(4, 0, 1000), other = packet_of(4, 1, 1001);
        one.ip_bytes = one.ip_captured_bytes = other.ip_bytes = other.ip_captured_bytes = length;
        assert_false(duplicate_seen(duplicate, &one));
        assert_true(duplicate_seen(duplicate, &other));
    }
    duplicate_free(duplicate);
}

static void of_very_many_the_latest_are_remembered(void **state)
{
    (void)state;
    struct duplicate *duplicate = duplicate_new(&health);
    const unsigned sent = 3 * DUPLICATE_PACKETS_MAX;
    struct packet packet = packet_of(4, 0, 1000);
    for (unsigned i = 0; i < sent; i++) {
        memcpy(bytes[0] + 40, &i, sizeof i);
        assert_false(duplicate_seen(duplicate, &packet));
    }
    for (unsigned i = sent - DUPLICATE_PACKETS_MAX; i < sent; i++) {
        memcpy(bytes[0] + 40, &i, sizeof i);
        assert_true(duplicate_seen(duplicate, &packet));
    }
    unsigned forgotten = sent - DUPLICATE_PACKETS_MAX - 1;
    memcpy(bytes[0] + 40, &forgotten, sizeof forgotten);
    assert_int_equal(health.duplicates_unknown, sent - DUPLICATE_PACKETS_MAX);
    assert_false(duplicate_seen(duplicate, &packet));
    duplicate_free(duplicate);
}

/* At any rate, and with pauses, what is said is what a list of all packets would say. */
static void what_came_within_the_window_is_known_at_any_rate(void **state)
{
    (void)state;
    enum { SENT = 20000 };
    static int64_t last_ns[4096];
    static unsigned number[4096];
    struct duplicate *duplicate = duplicate_new(&health);
    struct packet packet = packet_of(4, 0, 1000);
    uint64_t seed = 7;
    unsigned again = 0;
    for (int i = 0; i < 4096; i++)
        last_ns[i] = -NS_PER_S;
    for (unsigned i = 0; i < SENT; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned which = (unsigned)(seed >> 40) % 4096;
        /* From a packet a millisecond to two thousand, and now and then none for a while. */
        packet.time_ns +=
            NS_PER_MS / (1 << (i / 2500)) / 8 + (seed >> 60 == 0 && i % 97 == 0 ? 20 * NS_PER_MS : 0);
        memcpy(bytes[0] + 40, &which, sizeof which);
        bool wanted = packet.time_ns - last_ns[which] <= DUPLICATE_WINDOW_MS * NS_PER_MS &&
                      i - number[which] <= DUPLICATE_PACKETS_MAX;
        assert_int_equal(duplicate_seen(duplicate, &packet), wanted);
        again += wanted;
        if (!wanted) {
            last_ns[which] = packet.time_ns;
            number[which] = i;
        }
    }
    assert_in_range(again, 1000, SENT - 1000);
    duplicate_free(duplicate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_packet_again_is_a_duplicate_for_five_milliseconds),
        cmocka_unit_test(what_a_router_changes_is_left_out_and_nothing_else),
        cmocka_unit_test(of_cut_packets_the_headers_are_compared),
        cmocka_unit_test(the_shortest_packets_are_compared_too),
        cmocka_unit_test(of_very_many_the_latest_are_remembered),
        cmocka_unit_test(what_came_within_the_window_is_known_at_any_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
