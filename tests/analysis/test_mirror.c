/* SPDX-License-Identifier: BSD-3-Clause */
/* The legs of the mirror: one that falls silent while others run is lost, and what it carries is not judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis.h"
#include "mirror.h"
#include "stream.h"

#define START   (1749081600 * NS_PER_S) /* 2025-06-05T00:00:00Z */
#define STEP    (5 * NS_PER_S)
#define HOUR(n) (START + (int64_t)((n)*3600) * NS_PER_S)

enum { ALL, EAST_NET, WEST_NET, TAP, SCOPES, EVENTS_MAX = 100, BOTH_LEGS = 2 };

static const struct scope scopes[SCOPES] = {{SCOPE_ALL, true, "all", false},
                                            {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
                                            {SCOPE_PREFIX, true, "prefix:198.51.100.0/24", false},
                                            {SCOPE_TAP, false, "tap", false}};
static struct leg_list legs;
static const struct scope_list list = {.items = scopes, .count = SCOPES, .legs = &legs};

/* In hours. */
struct stretch {
    double from, to;
};

/* Two prefixes, each by a leg of its own, with other traffic on both. Rates are a minute. */
struct world {
    double watched[BOTH_LEGS], control[BOTH_LEGS];
    struct stretch lost;   /* the first leg is not seen */
    struct stretch moving; /* what it carried comes by the second */
    struct stretch dark[BOTH_LEGS];
    double share; /* of all packets that comes while … */
    struct stretch sampled;
    uint64_t seed;
};

static struct {
    struct event events[EVENTS_MAX];
    unsigned count, blind[SCOPES];
} told;

static void keep_event(void *context, const struct event *event)
{
    (void)context;
    assert_true(told.count < EVENTS_MAX);
    told.events[told.count++] = *event;
}

static void keep_bin(void *context, const struct bin *bin)
{
    (void)context;
    told.blind[bin->scope] += bin->state == STATE_BLIND;
}

static bool is_in(const struct stretch *stretch, int64_t at_ns)
{
    return at_ns >= HOUR(stretch->from) && at_ns < HOUR(stretch->to);
}

static void add_flows(struct tally *tally, uint64_t count, uint64_t packets, unsigned leg)
{
    tally->value[TALLY_flows] += count;
    tally->value[TALLY_knocks] += count;
    tally->value[TALLY_live_flows] += count;
    tally->value[TALLY_live_bursts] += count;
    tally->value[TALLY_answered_flows] += count;
    tally->value[TALLY_answered_bursts] += count;
    tally->value[TALLY_packets_in] += packets;
    tally->value[TALLY_packets_out] += packets;
    tally->legs_in |= (uint32_t)(packets > 0) << leg;
    tally->legs_out |= (uint32_t)(packets > 0) << leg;
}

static void step(struct analysis *analysis, struct world *world, int64_t at_ns)
{
    struct tally tallies[SCOPES];
    double share = is_in(&world->sampled, at_ns) ? world->share : 1;
    for (int i = 0; i < SCOPES; i++)
        tallies[i] = tally_empty(at_ns, at_ns + STEP, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_proven_flows));
    for (unsigned i = 0; i < BOTH_LEGS; i++) {
        /* Of a sampled flow both sides are rarely seen. */
        uint64_t flows = stream_poisson(&world->seed, share * share * world->watched[i] / 12),
                 packets = stream_poisson(&world->seed, share * 4 * world->watched[i] / 12),
                 control = stream_poisson(&world->seed, share * world->control[i] / 12);
        unsigned by = i == 0 && is_in(&world->moving, at_ns) ? 1 : i;
        if (is_in(&world->dark[i], at_ns))
            flows = packets = 0;
        if (i == 0 && is_in(&world->lost, at_ns)) {
            control = 0;
            if (by == 0)
                flows = packets = 0;
        }
        add_flows(&tallies[ALL], flows, packets, by);
        add_flows(&tallies[EAST_NET + i], flows, packets, by);
        tallies[TAP].leg[i] = control;
        tallies[TAP].value[TALLY_packets_in] += control;
    }
    analysis_step(analysis, tallies);
}

static void run(struct world world)
{
    const struct analysis_options options = {.bin_ns = 60 * NS_PER_S,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .level_after_s = 7 * 86400,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    const struct analysis_output output = {NULL, keep_bin, keep_event};
    struct analysis *analysis = analysis_new(&options, &list, &output);
    assert_non_null(analysis);
    memset(&told, 0, sizeof told);
    legs.count = BOTH_LEGS;
    strcpy(legs.text[0], "eth1 vlan 101");
    strcpy(legs.text[1], "eth1 vlan 102");
    for (int64_t at_ns = START; at_ns < HOUR(40); at_ns += STEP)
        step(analysis, &world, at_ns);
    analysis_finish(analysis);
    analysis_free(analysis);
}

static struct world a_world(uint64_t seed)
{
    return (struct world){.watched = {6, 6}, .control = {60, 60}, .seed = seed};
}

static unsigned count_of(enum event_action action)
{
    unsigned count = 0;
    for (unsigned i = 0; i < told.count; i++)
        count += told.events[i].action == action;
    return count;
}

static const struct event *first_of(enum event_action action)
{
    for (unsigned i = 0; i < told.count; i++)
        if (told.events[i].action == action)
            return &told.events[i];
    return NULL;
}

static void test_a_leg_that_is_lost_is_named_and_pauses_what_it_carries_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world world = a_world(seed);
        world.lost = (struct stretch){30, 33};
        run(world);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_of(EVENT_SENSOR_RESTORED), 1);
        const struct event *impaired = first_of(EVENT_SENSOR_IMPAIRED),
                           *restored = first_of(EVENT_SENSOR_RESTORED);
        assert_string_equal(impaired->leg, "eth1 vlan 101");
        assert_string_equal(restored->leg, "eth1 vlan 101");
        assert_true(impaired->episode == restored->episode);
        assert_true(impaired->time_ns - HOUR(30) < 120 * NS_PER_S);
        assert_true(restored->time_ns - HOUR(33) < 120 * NS_PER_S && restored->time_ns > HOUR(33));
        assert_in_range(told.blind[EAST_NET], 175, 185);
        assert_in_range(told.blind[ALL], 175, 185);
        assert_int_equal(told.blind[WEST_NET], 0);
    }
}

static void test_what_another_leg_carries_is_judged_meanwhile(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 14; seed++) {
        struct world world = a_world(seed);
        world.lost = (struct stretch){30, 35};
        world.dark[1] = (struct stretch){32, 34};
        run(world);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 1);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        assert_string_equal(first_of(EVENT_OUTAGE_STARTED)->scope, "prefix:198.51.100.0/24");
    }
}

static void test_what_comes_by_another_leg_is_judged_again_after_an_hour(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 24; seed++) {
        struct world world = a_world(seed);
        world.lost = world.moving = (struct stretch){30, 40};
        world.dark[0] = world.dark[1] = (struct stretch){36, 38};
        run(world);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        const struct event *started = first_of(EVENT_OUTAGE_STARTED);
        assert_non_null(started);
        assert_string_equal(started->scope, "all");
        assert_true(started->onset_ns > HOUR(35.9) && started->onset_ns < HOUR(36.1));
    }
}

/* There is nothing beside the watched side on that leg: nothing tells its loss from an outage. */
static void test_an_outage_is_never_put_down_to_a_leg(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed <= 40; seed++) {
        struct world world = a_world(seed);
        world.control[0] = seed % 2 ? 0 : 60;
        world.dark[0] = world.dark[1] = (struct stretch){30, 34};
        run(world);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 0);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 1);
        assert_string_equal(first_of(EVENT_OUTAGE_STARTED)->scope, "all");
    }
}

/* Several workers: the reader names a leg when it meets it, and the study hears of that interval later. */
static void test_a_leg_that_is_named_ahead_is_there_from_its_first_packet_on(void **state)
{
    (void)state;
    struct leg_list names = {.count = 2, .text = {"vlan 1", "vlan 2"}};
    struct tally tap = tally_empty(START, START + STEP, TALLY_ALL_KNOWN);
    struct mirror mirror;
    mirror_init(&mirror);
    tap.leg[0] = 1;
    mirror_step(&mirror, &tap, 0, &names, 14 * 86400, 1800, true, true, 1);
    assert_int_equal(mirror.count, 1);
    mirror_step(&mirror, &tap, 2, &names, 14 * 86400, 1800, true, true, 1);
    assert_int_equal(mirror.count, 2);
}

static void test_quiet_days_on_two_legs_say_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed <= 54; seed++) {
        struct world world = a_world(seed);
        world.control[0] = 2; /* thin */
        run(world);
        assert_int_equal(told.count, 0);
    }
}

/* One packet in five of everything, both ways: no outage, and what is wrong with the sensor is said. */
static void test_a_tap_that_begins_to_sample_is_impaired(void **state)
{
    (void)state;
    for (uint64_t seed = 61; seed <= 66; seed++) {
        struct world world = a_world(seed);
        for (int i = 0; i < BOTH_LEGS; i++) {
            world.watched[i] = 20;
            world.control[i] = 300;
        }
        world.share = 0.2;
        world.sampled = (struct stretch){30, 34};
        run(world);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_of(EVENT_SENSOR_RESTORED), 1);
        assert_true(first_of(EVENT_SENSOR_IMPAIRED)->sampled > 3.5);
        assert_true(first_of(EVENT_SENSOR_IMPAIRED)->sampled < 7);
        assert_true(first_of(EVENT_SENSOR_RESTORED)->time_ns > HOUR(34));
    }
}

/* One packet in four at a tap that carries little: it is told before the level of what is left is learned,
 * and before what is watched looks like an outage. */
static void test_a_thin_tap_that_begins_to_sample_is_impaired(void **state)
{
    (void)state;
    for (uint64_t seed = 80; seed <= 84; seed++) {
        struct world world = a_world(seed);
        for (int i = 0; i < BOTH_LEGS; i++) {
            world.watched[i] = 3;
            world.control[i] = 15;
        }
        world.share = 0.25;
        world.sampled = (struct stretch){30, 32};
        run(world);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        const struct event *impaired = first_of(EVENT_SENSOR_IMPAIRED);
        assert_true(impaired->time_ns > HOUR(30) && impaired->time_ns < HOUR(30.1));
        assert_true(impaired->sampled > 2 && impaired->sampled < 8);
        assert_true(first_of(EVENT_SENSOR_RESTORED)->time_ns > HOUR(32));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leg_that_is_lost_is_named_and_pauses_what_it_carries_alone),
        cmocka_unit_test(test_what_another_leg_carries_is_judged_meanwhile),
        cmocka_unit_test(test_what_comes_by_another_leg_is_judged_again_after_an_hour),
        cmocka_unit_test(test_an_outage_is_never_put_down_to_a_leg),
        cmocka_unit_test(test_a_leg_that_is_named_ahead_is_there_from_its_first_packet_on),
        cmocka_unit_test(test_quiet_days_on_two_legs_say_nothing),
        cmocka_unit_test(test_a_tap_that_begins_to_sample_is_impaired),
        cmocka_unit_test(test_a_thin_tap_that_begins_to_sample_is_impaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
