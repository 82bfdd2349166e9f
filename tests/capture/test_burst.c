/* SPDX-License-Identifier: BSD-3-Clause */
/* Which signs of life begin a burst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "clock.h"

#define T0  (1749081600 * NS_PER_S)
#define S   NS_PER_S
#define GAP (60 * S)

static struct health health;
static struct burst *burst;

static int set_up(void **state)
{
    (void)state;
    health = (struct health){0};
    burst = burst_new(GAP, &health);
    return burst != NULL ? 0 : -1;
}

static bool begins(struct burst *of, const struct flow *flow, unsigned side, enum burst_sign sign,
                   int64_t at_ns)
{
    const struct burst_triple triple = burst_triple_of(flow, side);
    return burst_begins(of, &triple, sign, at_ns);
}

/* As if for three years next to nothing had been seen: bursts then last as long as they may. */
static void grow_old(struct burst *of)
{
    struct flow flow = {.protocol = IPPROTO_UDP, .end = {{.port = 1}, {.port = 2}}};
    for (enum burst_sign sign = 0; sign < BURST__SIGNS; sign++)
        begins(of, &flow, 1, sign, T0 - 100000000 * S);
}

static int tear_down(void **state)
{
    (void)state;
    burst_free(burst);
    return 0;
}

static void put_v4(uint8_t address[16], uint32_t number)
{
    memset(address, 0, 16);
    address[10] = address[11] = 0xff;
    for (int i = 0; i < 4; i++)
        address[12 + i] = (uint8_t)(number >> (24 - 8 * i));
}

/* From 198.51.100.9 to port 443 of 192.0.2.7, which is watched: side 1 is. */
static struct flow a_flow(void)
{
    struct flow flow = {.protocol = IPPROTO_TCP, .end = {{.port = 40000}, {.port = 443}}};
    put_v4(flow.address[0], 0xc6336409);
    put_v4(flow.address[1], 0xc0000207);
    return flow;
}

/* One of many triples. */
static struct flow flow_number(uint32_t number)
{
    struct flow flow = a_flow();
    put_v4(flow.address[0], number << 8);
    return flow;
}

static bool answers(const struct flow *flow, int64_t at_ns)
{
    return begins(burst, flow, 1, BURST_ANSWERED, at_ns);
}

static void test_a_storm_of_one_who_asks_rarely_is_one_burst_in_every_length(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    for (int i = 0; i < 100; i++)
        assert_true(answers(&flow, T0 + i * 3600 * S));
    int bursts = 0;
    for (int i = 1; i <= 360; i++)
        bursts += answers(&flow, T0 + (99 * 3600 + i * 10) * S); /* for an hour */
    assert_int_equal(bursts, 60);
}

static void test_what_is_asked_all_the_time_is_evidence_all_the_time(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    int bursts = 0;
    for (int i = 0; i < 60; i++)
        bursts += answers(&flow, T0 + i * 10 * S);
    assert_in_range(bursts, 30, 50); /* hardly any is lost after the first minutes … */
    bursts = 0;
    for (int i = 60; i < 420; i++)
        bursts += answers(&flow, T0 + i * 10 * S);
    assert_int_equal(bursts, 360);
    assert_false(answers(&flow, T0 + 4190 * S + S / 2)); /* … but a retry at once */
    assert_true(answers(&flow, T0 + 4200 * S));
}

static void test_a_burst_ends_with_its_length(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    assert_false(answers(&flow, T0)); /* at the same instant */
    assert_false(answers(&flow, T0 + GAP / 2));
    assert_true(answers(&flow, T0 + GAP));
}

static void test_a_retry_comes_from_another_port_and_is_the_same(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    flow.end[0].port++;
    assert_false(answers(&flow, T0));
}

static void test_another_host_port_or_protocol_is_another_burst(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    flow.end[1].port = 80;
    assert_true(answers(&flow, T0));
    flow.end[1].port = 443;
    flow.protocol = IPPROTO_UDP;
    assert_true(answers(&flow, T0));
    flow.protocol = IPPROTO_TCP;
    flow.address[1][15]++; /* the next host */
    assert_true(answers(&flow, T0));
    assert_false(answers(&flow, T0));
}

static void test_peers_of_one_slash_24_are_one_peer(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    flow.address[0][15] ^= 0xff;
    assert_false(answers(&flow, T0));
    for (int i = 12; i < 15; i++) {
        flow.address[0][i] ^= 1;
        assert_true(answers(&flow, T0));
        flow.address[0][i] ^= 1;
    }
}

static void test_peers_of_one_slash_48_are_one_peer(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    for (int i = 0; i < 16; i++)
        flow.address[0][i] = flow.address[1][i] = (uint8_t)(0x20 + i);
    assert_true(answers(&flow, T0));
    for (int i = 0; i < 16; i++) {
        flow.address[0][i] ^= 1;
        assert_int_equal(answers(&flow, T0), i < 6);
        flow.address[0][i] ^= 1;
    }
    for (int i = 0; i < 16; i++) {
        flow.address[1][i] ^= 1;
        assert_true(answers(&flow, T0)); /* of the watched host every byte tells */
        flow.address[1][i] ^= 1;
    }
}

static void test_of_icmp_the_family_tells_and_not_the_id(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    flow.protocol = IPPROTO_ICMP;
    flow.family = 8;
    flow.end[0].port = flow.end[1].port = 1;
    assert_true(answers(&flow, T0));
    flow.end[0].port = flow.end[1].port = 2;
    assert_false(answers(&flow, T0));
    flow.family = 13;
    assert_true(answers(&flow, T0));
    flow.protocol = IPPROTO_ICMPV6;
    assert_true(answers(&flow, T0));
    flow.end[0].port = flow.end[1].port = 3;
    assert_false(answers(&flow, T0));
}

static void test_live_and_answered_have_bursts_of_their_own(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(begins(burst, &flow, 1, BURST_LIVE, T0));
    assert_true(begins(burst, &flow, 1, BURST_PROVEN, T0));
    assert_true(begins(burst, &flow, 1, BURST_ANSWERED, T0 + S));
    assert_true(begins(burst, &flow, 1, BURST_LIVE, T0 + GAP));
    assert_false(begins(burst, &flow, 1, BURST_ANSWERED, T0 + GAP / 2));
    assert_true(begins(burst, &flow, 1, BURST_ANSWERED, T0 + GAP + S));
}

static void test_a_watched_client_is_known_by_the_port_that_it_asks(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(begins(burst, &flow, 0, BURST_LIVE, T0));
    flow.end[0].port++;
    flow.address[1][15]++; /* the next server of the same network */
    assert_false(begins(burst, &flow, 0, BURST_LIVE, T0));
    flow.end[1].port++;
    assert_true(begins(burst, &flow, 0, BURST_LIVE, T0));
    flow.address[0][15]++;
    assert_true(begins(burst, &flow, 0, BURST_LIVE, T0));
}

static void test_time_that_steps_back_a_little_stays_in_the_burst(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    assert_false(answers(&flow, T0 - 30 * S));
    assert_false(answers(&flow, T0 + GAP / 2));
}

static void test_time_that_steps_back_far_begins_another_and_goes_on_from_there(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, T0));
    assert_true(answers(&flow, T0 - 86400 * S));
    assert_false(answers(&flow, T0 - 86400 * S + GAP - 1));
    assert_true(answers(&flow, T0));
}

static void test_the_ends_of_time_are_far_apart(void **state)
{
    (void)state;
    struct flow flow = a_flow();
    assert_true(answers(&flow, INT64_MIN + 1));
    assert_true(answers(&flow, INT64_MAX));
    assert_false(answers(&flow, INT64_MAX - GAP + 1));
    assert_true(answers(&flow, INT64_MIN + 1));
}

static void test_the_oldest_leaves_a_full_table_and_is_counted(void **state)
{
    (void)state;
    grow_old(burst);
    for (uint32_t i = 0; i < BURST_TRIPLES_MAX; i++) {
        struct flow flow = flow_number(i);
        assert_true(answers(&flow, T0));
    }
    for (uint32_t i = 0; i < BURST_TRIPLES_MAX; i++) {
        struct flow flow = flow_number(i);
        assert_false(answers(&flow, T0)); /* all have room */
    }
    assert_int_equal(health.bursts_evicted, 0);
    struct flow first = flow_number(0), second = flow_number(1), third = flow_number(2),
                more = flow_number(BURST_TRIPLES_MAX);
    assert_false(answers(&first, T0 + S)); /* no longer the oldest */
    assert_true(answers(&more, T0 + S));
    assert_int_equal(health.bursts_evicted, 1);
    assert_false(answers(&first, T0 + S));
    assert_false(answers(&third, T0 + S));
    assert_true(answers(&second, T0 + S)); /* it had to go: so it counts twice */
    assert_int_equal(health.bursts_evicted, 2);
    assert_false(answers(&more, T0 + S));
}

static void test_a_burst_of_any_kind_is_missed_by_who_has_to_go(void **state)
{
    (void)state;
    grow_old(burst);
    for (enum burst_sign sign = 0; sign < BURST__SIGNS; sign++)
        for (uint32_t i = 0; i < BURST_TRIPLES_MAX; i++) {
            struct flow flow = flow_number(sign * BURST_TRIPLES_MAX + i);
            assert_true(begins(burst, &flow, 1, sign, T0));
            assert_int_equal(health.bursts_evicted, sign == 0 ? 0 : (sign - 1) * BURST_TRIPLES_MAX + i + 1);
        }
}

static void test_bursts_that_have_ended_make_room_uncounted(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < BURST_TRIPLES_MAX; i++) {
            struct flow flow = flow_number(round * BURST_TRIPLES_MAX + i);
            assert_true(answers(&flow, T0 + round * (GAP + 1)));
        }
    assert_int_equal(health.bursts_evicted, 0);
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33);
}

static void test_it_is_what_a_plain_list_of_times_says(void **state)
{
    (void)state;
    enum { TRIPLES = 3000 };
    static struct {
        int64_t first_ns, began_ns;
        uint32_t count;
    } of[TRIPLES][BURST__SIGNS];
    int64_t at_ns = T0;
    uint64_t seed = 1;
    unsigned begun = 0;
    memset(of, 0, sizeof of);
    grow_old(burst);
    for (int i = 0; i < 200000; i++) {
        uint32_t number = draw(&seed) % TRIPLES;
        enum burst_sign sign = draw(&seed) % BURST__SIGNS;
        struct flow flow = flow_number(number);
        at_ns += draw(&seed) % (60 * NS_PER_MS);
        int64_t began_ns = of[number][sign].began_ns;
        int64_t weight = ++of[number][sign].count + 8;
        if (weight == 9)
            of[number][sign].first_ns = at_ns;
        int64_t lasts_ns = (at_ns - of[number][sign].first_ns) / 16 / weight + GAP * 8 / weight;
        bool expected = at_ns - began_ns >= (lasts_ns < GAP ? lasts_ns : GAP);
        assert_int_equal(begins(burst, &flow, 1, sign, at_ns), expected);
        if (expected)
            of[number][sign].began_ns = at_ns;
        begun += expected;
    }
    assert_in_range(begun, 2 * TRIPLES, 190000); /* both answers came often */
    assert_int_equal(health.bursts_evicted, 0);
}

/* Each table has a secret of its own; what they say must not show it, also where there is no room. */
static void test_the_secret_of_the_hash_does_not_show(void **state)
{
    (void)state;
    struct health others = {0};
    struct burst *other = burst_new(GAP, &others);
    uint64_t seed = 2;
    assert_non_null(other);
    grow_old(burst);
    grow_old(other);
    for (int i = 0; i < 400000; i++) {
        struct flow flow = flow_number(draw(&seed) % (2 * BURST_TRIPLES_MAX));
        int64_t at_ns = T0 + i * NS_PER_MS / 2;
        assert_int_equal(answers(&flow, at_ns), begins(other, &flow, 1, BURST_ANSWERED, at_ns));
    }
    assert_true(health.bursts_evicted > 10000);
    assert_int_equal(health.bursts_evicted, others.bursts_evicted);
    burst_free(other);
}

/* Forty signs a second of a hundred triples: a minute would hide nearly all of them. */
static void test_on_a_busy_tap_bursts_are_short_from_the_first_seconds_on(void **state)
{
    (void)state;
    uint64_t seed = 3;
    int bursts[3] = {0};
    for (int i = 0; i < 1200; i++) {
        struct flow flow = flow_number(draw(&seed) % 100);
        bursts[i / 400] += answers(&flow, T0 + i * (S / 40));
    }
    assert_in_range(bursts[0], 100, 250);
    assert_in_range(bursts[2], 250, 400);
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    burst_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_storm_of_one_who_asks_rarely_is_one_burst_in_every_length),
        TEST(test_what_is_asked_all_the_time_is_evidence_all_the_time),
        TEST(test_a_burst_ends_with_its_length),
        TEST(test_a_retry_comes_from_another_port_and_is_the_same),
        TEST(test_another_host_port_or_protocol_is_another_burst),
        TEST(test_peers_of_one_slash_24_are_one_peer),
        TEST(test_peers_of_one_slash_48_are_one_peer),
        TEST(test_of_icmp_the_family_tells_and_not_the_id),
        TEST(test_live_and_answered_have_bursts_of_their_own),
        TEST(test_a_watched_client_is_known_by_the_port_that_it_asks),
        TEST(test_time_that_steps_back_a_little_stays_in_the_burst),
        TEST(test_time_that_steps_back_far_begins_another_and_goes_on_from_there),
        TEST(test_the_ends_of_time_are_far_apart),
        TEST(test_the_oldest_leaves_a_full_table_and_is_counted),
        TEST(test_a_burst_of_any_kind_is_missed_by_who_has_to_go),
        TEST(test_bursts_that_have_ended_make_room_uncounted),
        TEST(test_it_is_what_a_plain_list_of_times_says),
        TEST(test_the_secret_of_the_hash_does_not_show),
        TEST(test_on_a_busy_tap_bursts_are_short_from_the_first_seconds_on),
        TEST(test_freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
