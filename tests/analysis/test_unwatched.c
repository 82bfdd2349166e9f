/* SPDX-License-Identifier: BSD-3-Clause */
/* Intervals of which nothing is known: the sensor says itself that it did not see. Never an outage, with or
 * without other traffic to tell it by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis.h"
#include "stream.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

enum { ALL, PREFIX, TAP, SCOPES, MINUTE = 12, HOUR = 60 * MINUTE, BIN = 12 };

static const struct scope scopes[SCOPES] = {{SCOPE_ALL, true, "all", false},
                                            {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
                                            {SCOPE_TAP, false, "tap", false}};
static const struct scope_list list = {.items = scopes, .count = SCOPES};

static struct {
    struct analysis *analysis;
    int64_t at_ns;
    uint64_t seed;
    enum event_action actions[64];
    struct event last;
    unsigned events, bins, unknown_bins, blind_bins;
} world;

static void keep_event(void *context, const struct event *event)
{
    (void)context;
    assert_true(world.events < 64);
    world.actions[world.events++] = event->action;
    world.last = *event;
}

static void keep_bin(void *context, const struct bin *bin)
{
    (void)context;
    if (bin->scope != ALL)
        return;
    world.bins++;
    world.unknown_bins += bin->tally.known == 0;
    world.blind_bins += bin->state == STATE_BLIND;
}

static int set_up(void **state)
{
    (void)state;
    static const struct analysis_options options = {.bin_ns = BIN * STEP,
                                                    .false_alarms_per_year = 1,
                                                    .half_life_s = 14 * 86400,
                                                    .recovery_hold_s = 900,
                                                    .learn_flows = 100,
                                                    .learn_s = 1800};
    static const struct analysis_output output = {NULL, keep_bin, keep_event};
    memset(&world, 0, sizeof world);
    world.at_ns = START;
    world.seed = 7;
    world.analysis = analysis_new(&options, &list, &output);
    return world.analysis != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    analysis_free(world.analysis);
    return 0;
}

static void step(uint64_t known, uint64_t flows, uint64_t control)
{
    struct tally tallies[SCOPES];
    for (int i = 0; i < SCOPES; i++)
        tallies[i] = tally_empty(world.at_ns, world.at_ns + STEP, known);
    for (int i = ALL; i <= PREFIX; i++) {
        tallies[i].value[TALLY_flows] = tallies[i].value[TALLY_live_flows] = flows;
        tallies[i].value[TALLY_answered_flows] = flows;
        tallies[i].value[TALLY_live_bursts] = tallies[i].value[TALLY_answered_bursts] = flows;
        tallies[i].value[TALLY_packets_in] = tallies[i].value[TALLY_packets_out] = 5 * flows;
    }
    tallies[TAP].value[TALLY_packets_in] = control;
    analysis_step(world.analysis, tallies);
    world.at_ns += STEP;
}

/* Ten watched flows a minute, and so much other traffic. */
static void watch_for(int steps, double control_a_minute)
{
    for (int i = 0; i < steps; i++)
        step(TALLY_ALL_KNOWN, stream_poisson(&world.seed, 10.0 / MINUTE),
             control_a_minute > 0 ? stream_poisson(&world.seed, control_a_minute / MINUTE) : 0);
}

static void be_blind_for(int steps)
{
    for (int i = 0; i < steps; i++)
        step(0, 0, 0);
}

static void test_without_other_traffic_it_is_no_outage(void **state)
{
    (void)state;
    watch_for(24 * HOUR, 0);
    int64_t lost_ns = world.at_ns;
    be_blind_for(1);
    assert_int_equal(world.events, 1); /* at once */
    assert_int_equal(world.actions[0], EVENT_SENSOR_IMPAIRED);
    assert_true(world.last.onset_ns == lost_ns);
    be_blind_for(3 * HOUR - 1);
    assert_int_equal(world.events, 1);
    assert_in_range(world.blind_bins, 3 * 60 - 1, 3 * 60);
    assert_int_equal(world.unknown_bins, 3 * 60 - (int)(world.at_ns % (BIN * STEP) != 0));
    watch_for(1, 0);
    assert_int_equal(world.events, 2); /* there is nothing to wait for */
    assert_int_equal(world.actions[1], EVENT_SENSOR_RESTORED);
    watch_for(24 * HOUR, 0);
    assert_int_equal(world.events, 2);
}

static void test_a_real_silence_after_it_is_an_outage(void **state)
{
    (void)state;
    watch_for(24 * HOUR, 0);
    be_blind_for(10 * MINUTE);
    watch_for(MINUTE, 0);
    for (int i = 0; i < HOUR; i++)
        step(TALLY_ALL_KNOWN, 0, 0);
    assert_int_equal(world.events, 3);
    assert_int_equal(world.actions[2], EVENT_OUTAGE_STARTED);
}

static void test_with_other_traffic_its_return_is_waited_for(void **state)
{
    (void)state;
    watch_for(24 * HOUR, 120);
    be_blind_for(MINUTE);
    assert_int_equal(world.events, 1);
    for (int i = 0; i < MINUTE; i++) /* the interface is up again, and nothing comes from it */
        step(TALLY_ALL_KNOWN, 0, 0);
    assert_int_equal(world.events, 1);
    watch_for(MINUTE, 120);
    assert_int_equal(world.events, 2);
    assert_int_equal(world.actions[1], EVENT_SENSOR_RESTORED);
    watch_for(24 * HOUR, 120);
    assert_int_equal(world.events, 2);
}

static void test_an_outage_is_still_open_afterwards(void **state)
{
    (void)state;
    watch_for(24 * HOUR, 0);
    for (int i = 0; i < HOUR; i++)
        step(TALLY_ALL_KNOWN, 0, 0);
    assert_int_equal(world.events, 1);
    be_blind_for(HOUR);
    for (int i = 0; i < HOUR; i++)
        step(TALLY_ALL_KNOWN, 0, 0);
    assert_int_equal(world.events, 3);
    assert_int_equal(world.actions[0], EVENT_OUTAGE_STARTED);
    assert_int_equal(world.actions[1], EVENT_SENSOR_IMPAIRED);
    assert_int_equal(world.actions[2], EVENT_SENSOR_RESTORED);
    watch_for(2 * HOUR, 0);
    assert_int_equal(world.last.action, EVENT_OUTAGE_ENDED);
}

static void test_an_input_that_begins_blind_is_impaired_from_its_begin(void **state)
{
    (void)state;
    be_blind_for(HOUR);
    assert_int_equal(world.events, 1);
    assert_true(world.last.onset_ns == START);
    watch_for(24 * HOUR, 120);
    assert_int_equal(world.events, 2);
}

/* A table of bins need not tell of everything. */
static void test_one_measure_that_nobody_took_is_no_blindness(void **state)
{
    (void)state;
    const uint64_t known = TALLY_BIT(TALLY_answered_flows) | TALLY_BIT(TALLY_bytes_in);
    for (int i = 0; i < 24 * HOUR; i++)
        step(known, stream_poisson(&world.seed, 10.0 / MINUTE), 0);
    assert_int_equal(world.events, 0);
    for (int i = 0; i < HOUR; i++)
        step(known, 0, 0);
    assert_int_equal(world.actions[0], EVENT_OUTAGE_STARTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_without_other_traffic_it_is_no_outage),
        TEST(test_a_real_silence_after_it_is_an_outage),
        TEST(test_with_other_traffic_its_return_is_waited_for),
        TEST(test_an_outage_is_still_open_afterwards),
        TEST(test_an_input_that_begins_blind_is_impaired_from_its_begin),
        TEST(test_one_measure_that_nobody_took_is_no_blindness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
