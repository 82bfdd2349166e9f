/* SPDX-License-Identifier: BSD-3-Clause */
/* The sensor's own eyes: control traffic that comes, collapses and returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream.h"
#include "tap.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

enum { STEPS_AN_HOUR = 720 };

static const double half_life_s = 14 * 86400, learn_s = 1800, alarms_per_year = 1;

/* A tap and the time that it has reached. */
struct world {
    struct tap tap;
    int64_t at_ns;
    uint64_t seed;
    unsigned impaired, restored;
    int64_t impaired_ns, restored_ns;
};

static void begin(struct world *world, uint64_t seed)
{
    *world = (struct world){.at_ns = START, .seed = seed};
    tap_init(&world->tap, half_life_s, learn_s);
}

static struct tally tally_of(int64_t start_ns, uint64_t packets)
{
    struct tally tally = tally_empty(start_ns, start_ns + STEP, TALLY_ALL_KNOWN);
    tally.value[TALLY_packets_in] = packets;
    for (uint64_t i = 0; i < packets; i++)
        tally_span_add(&tally.in,
                       start_ns + (int64_t)((double)(i + 1) * (double)STEP / (double)(packets + 1)));
    return tally;
}

static void step(struct world *world, uint64_t packets)
{
    struct tally tally = tally_of(world->at_ns, packets);
    world->at_ns += STEP;
    switch (tap_step(&world->tap, &tally, alarms_per_year)) {
    case TAP_IMPAIRED:
        world->impaired++;
        world->impaired_ns = world->at_ns;
        break;
    case TAP_RESTORED:
        world->restored++;
        world->restored_ns = world->at_ns;
        break;
    case TAP_NOTHING:
        break;
    }
}

/* So many hours of Poisson traffic at so many packets a minute. */
static void flow_for(struct world *world, double hours, double per_minute)
{
    for (int i = 0; i < (int)(hours * STEPS_AN_HOUR); i++)
        step(world, per_minute > 0 ? stream_poisson(&world->seed, per_minute / 12) : 0);
}

static void test_a_new_tap_is_neither_blind_nor_a_witness(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    assert_false(world.tap.blind);
    assert_false(tap_has_control(&world.tap));
    assert_false(tap_collapsed(&world.tap));
    struct tally silent = tally_of(START, 0);
    assert_true(tap_proves(&world.tap, &silent)); /* there is nothing to wait for */
}

static void test_it_becomes_a_witness_with_packets_and_time(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 2);
    flow_for(&world, 0.25, 600);
    assert_false(tap_has_control(&world.tap)); /* packets enough, but too short a time */
    flow_for(&world, 2, 600);
    assert_true(tap_has_control(&world.tap));
}

static void test_a_few_packets_never_make_a_witness(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 3);
    for (int i = 0; i < 12; i++) {
        step(&world, 1);
        flow_for(&world, 0.5, 0);
    }
    assert_false(tap_has_control(&world.tap));
    flow_for(&world, 24, 0);
    assert_int_equal(world.impaired, 0);
    assert_false(world.tap.blind);
}

static void test_ordinary_traffic_is_no_news(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 4);
    flow_for(&world, 72, 20);
    assert_int_equal(world.impaired, 0);
    assert_int_equal(world.restored, 0);
    assert_false(tap_collapsed(&world.tap));
}

static void test_silence_of_the_tap_is_told_once_and_its_end_once(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 5);
    flow_for(&world, 24, 60);
    int64_t silent_ns = world.at_ns;
    flow_for(&world, 2, 0);
    assert_int_equal(world.impaired, 1);
    assert_int_equal(world.restored, 0);
    assert_true(world.tap.blind);
    assert_true(world.tap.blind_since_ns <= silent_ns &&
                world.tap.blind_since_ns > silent_ns - 60 * NS_PER_S);
    assert_true(clock_seconds(silent_ns, world.impaired_ns) < 300); /* sixty a minute: it is soon plain */
    int64_t back_ns = world.at_ns;
    flow_for(&world, 2, 60);
    assert_int_equal(world.impaired, 1);
    assert_int_equal(world.restored, 1);
    assert_false(world.tap.blind);
    assert_true(clock_seconds(back_ns, world.restored_ns) < 300);
}

static void test_other_traffic_that_becomes_thin_is_known_since_when(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 5);
    for (int i = 0; i < 72; i++) {
        flow_for(&world, 1, 45);
        assert_true(tap_thin_since(&world.tap, alarms_per_year) == TIME_NONE);
    }
    int64_t thin_ns = world.at_ns;
    flow_for(&world, 0.2, 15);
    int64_t since_ns = tap_thin_since(&world.tap, alarms_per_year);
    assert_true(since_ns > thin_ns - 30 * NS_PER_S && since_ns < thin_ns + 60 * NS_PER_S);
    flow_for(&world, 1, 45);
    assert_true(tap_thin_since(&world.tap, alarms_per_year) == TIME_NONE);
}

static void test_a_busier_tap_is_quicker(void **state)
{
    (void)state;
    struct world thin, busy;
    begin(&thin, 6);
    begin(&busy, 6);
    flow_for(&thin, 24, 6);
    flow_for(&busy, 24, 240);
    int64_t silent_ns = thin.at_ns;
    flow_for(&thin, 3, 0);
    flow_for(&busy, 3, 0);
    assert_int_equal(thin.impaired, 1);
    assert_int_equal(busy.impaired, 1);
    assert_true(busy.impaired_ns - silent_ns < thin.impaired_ns - silent_ns);
}

static void test_a_stray_packet_is_no_return(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 7);
    flow_for(&world, 24, 60);
    flow_for(&world, 0.5, 0);
    step(&world, 1);
    flow_for(&world, 0.5, 0);
    assert_int_equal(world.restored, 0);
    assert_true(world.tap.blind);
}

static double usual_per_s(const struct world *world)
{
    const struct baseline *baseline = &world->tap.control.baseline;
    struct baseline_lending lending = baseline_lending(baseline, (struct baseline_scatter){1, 0});
    return baseline_at(baseline, world->at_ns, &lending).per_s;
}

/* What was seen, or not, while blind has no part in what is usual. */
static void test_blindness_teaches_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 8);
    flow_for(&world, 48, 60);
    double before = usual_per_s(&world);
    flow_for(&world, 48, 0);
    double after = usual_per_s(&world);
    assert_true(after > 0.8 * before && after < 1.25 * before);
    flow_for(&world, 6, 60);
    assert_int_equal(world.restored, 1);
    flow_for(&world, 1, 0);
    assert_int_equal(world.impaired, 2);
}

static void test_what_was_not_measured_says_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 9);
    flow_for(&world, 24, 60);
    struct tap before = world.tap;
    struct tally unknown = tally_empty(world.at_ns, world.at_ns + 3600 * NS_PER_S, TALLY_BIT(TALLY_bytes_in));
    assert_int_equal(tap_step(&world.tap, &unknown, alarms_per_year), TAP_NOTHING);
    assert_memory_equal(&before, &world.tap, sizeof before);
    struct tally empty = tally_empty(world.at_ns, world.at_ns, TALLY_ALL_KNOWN);
    assert_int_equal(tap_step(&world.tap, &empty, alarms_per_year), TAP_NOTHING);
    assert_memory_equal(&before, &world.tap, sizeof before);
}

static void test_an_interval_proves_that_it_sees_by_other_traffic(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 10);
    flow_for(&world, 24, 60);
    struct tally some = tally_of(world.at_ns, 1), none = tally_of(world.at_ns, 0);
    assert_true(tap_proves(&world.tap, &some));
    assert_false(tap_proves(&world.tap, &none));
}

static void test_a_collapse_is_seen_before_it_is_blindness(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 11);
    flow_for(&world, 24, 60);
    assert_false(tap_collapsed(&world.tap));
    for (int i = 0; i < 12; i++) /* 6 packets where 60 are usual, and never silent for long */
        step(&world, i % 2);
    assert_true(tap_collapsed(&world.tap));
    assert_false(world.tap.blind);
    flow_for(&world, 2, 60);
    assert_false(tap_collapsed(&world.tap));
}

static void test_blame_makes_it_blind_since_its_last_packet(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12);
    flow_for(&world, 24, 60);
    step(&world, 1);
    int64_t last_ns = world.tap.control.last_ns;
    step(&world, 0);
    tap_blame(&world.tap, world.tap.control.last_ns);
    assert_true(world.tap.blind);
    assert_int_equal(world.tap.blind_since_ns, last_ns);
    flow_for(&world, 1, 60);
    assert_int_equal(world.impaired, 0); /* it was told by whoever blamed it */
    assert_int_equal(world.restored, 1);
}

/* A tap that carries six hundred packets a minute by day and two hundred by night. */
static void test_less_than_before_is_no_loss_where_the_hour_has_less(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 13);
    for (int day = 0; day < 3; day++) {
        flow_for(&world, 12, 600);
        if (day < 2)
            flow_for(&world, 12, 200);
    }
    struct tap_mark at_dusk = tap_mark(&world.tap, world.at_ns);
    flow_for(&world, 3, 200);
    assert_int_equal(tap_fell(&world.tap, &at_dusk, world.at_ns), TAP_STANDS);
    flow_for(&world, 9, 200);
    flow_for(&world, 3, 600);
    struct tap_mark by_day = tap_mark(&world.tap, world.at_ns);
    flow_for(&world, 0.1, 300); /* one leg of two is gone */
    assert_int_equal(tap_fell(&world.tap, &by_day, world.at_ns), TAP_FELL);
}

/* Five seconds of a hundred times the usual raised the level so far that the sensor was called blind for
 * good. */
static void test_the_end_of_a_surge_is_no_blindness_and_silence_after_it_is(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 25; seed++) {
        struct world world;
        begin(&world, seed);
        flow_for(&world, 0.6, 600);
        for (int i = 0; i < 12; i++)
            step(&world, 25000);
        flow_for(&world, 1, 600);
        assert_int_equal(world.impaired, 0);
        flow_for(&world, 0.1, 0);
        assert_int_equal(world.impaired, 1);
    }
}

static void test_a_surge_that_lasts_becomes_usual(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 26);
    flow_for(&world, 3, 300);
    flow_for(&world, 0.7, 3000); /* a quarter of what was learned from is not over yet */
    assert_true(world.tap.control.rate.per_s < 10);
    flow_for(&world, 3, 3000);
    assert_true(world.tap.control.rate.per_s > 25);
    assert_int_equal(world.impaired, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_tap_is_neither_blind_nor_a_witness),
        cmocka_unit_test(test_it_becomes_a_witness_with_packets_and_time),
        cmocka_unit_test(test_a_few_packets_never_make_a_witness),
        cmocka_unit_test(test_ordinary_traffic_is_no_news),
        cmocka_unit_test(test_silence_of_the_tap_is_told_once_and_its_end_once),
        cmocka_unit_test(test_other_traffic_that_becomes_thin_is_known_since_when),
        cmocka_unit_test(test_a_busier_tap_is_quicker),
        cmocka_unit_test(test_a_stray_packet_is_no_return),
        cmocka_unit_test(test_blindness_teaches_nothing),
        cmocka_unit_test(test_what_was_not_measured_says_nothing),
        cmocka_unit_test(test_an_interval_proves_that_it_sees_by_other_traffic),
        cmocka_unit_test(test_a_collapse_is_seen_before_it_is_blindness),
        cmocka_unit_test(test_blame_makes_it_blind_since_its_last_packet),
        cmocka_unit_test(test_less_than_before_is_no_loss_where_the_hour_has_less),
        cmocka_unit_test(test_the_end_of_a_surge_is_no_blindness_and_silence_after_it_is),
        cmocka_unit_test(test_a_surge_that_lasts_becomes_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
