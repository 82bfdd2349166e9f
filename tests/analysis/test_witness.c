/* SPDX-License-Identifier: BSD-3-Clause */
/* Who speaks for a scope: life that is forged, life that is proven, what comes another way, and what is no
 * control. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis.h"
#include "stream.h"

#define START   (1749081600 * NS_PER_S) /* 2025-06-05T00:00:00Z */
#define STEP    (5 * NS_PER_S)
#define HOUR(n) (START + (int64_t)((n)*3600) * NS_PER_S)

enum { ALL, PREFIX, EAST, WEST, TAP, SCOPES, EVENTS_MAX = 100 };

static const struct scope scopes[SCOPES] = {{SCOPE_ALL, true, "all", false},
                                            {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
                                            {SCOPE_PATH, true, "path:east", false},
                                            {SCOPE_PATH, true, "path:west", false},
                                            {SCOPE_TAP, false, "tap", false}};
static const struct scope_list list = {.items = scopes, .count = SCOPES};

/* A stretch of time, in hours. */
struct stretch {
    double from, to;
};

/* Two paths to one prefix. Rates are a minute. */
struct world {
    double honest, proven; /* flows of the watched side, and the share of them that is proven */
    double forged;         /* flows in its name, that get answers … */
    struct stretch forging;
    bool one_way;           /* … unless the tap sees only what comes out */
    bool clustered;         /* forged flows begin no burst */
    bool inward;            /* the tap sees only what comes in: proofs are what the outside acknowledges */
    double east;            /* the share of the path */
    double moved;           /* the share of what it carries that comes over the other … */
    struct stretch moving;  /* … while */
    struct stretch no_east; /* what it carries is lost */
    struct stretch dark;
    struct stretch told;  /* the table has proofs and knocks */
    double knocks, words; /* of the outside; of routers about the watched side … */
    struct stretch talking;
    double control;
    struct stretch blind; /* no control, but the routers' words */
    double hours;
    uint64_t seed;
};

static struct {
    struct event events[EVENTS_MAX];
    unsigned count, blind_bins;
    double expected, answered; /* of `all`, in the last bin */
    enum signal signal;
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
    if (bin->scope != ALL)
        return;
    told.blind_bins += bin->state == STATE_BLIND;
    told.expected = bin->expected;
    told.answered = (double)bin->tally.value[TALLY_answered_flows];
    told.signal = bin->signal;
}

static bool is_in(const struct stretch *stretch, int64_t at_ns)
{
    return at_ns >= HOUR(stretch->from) && at_ns < HOUR(stretch->to);
}

static void add(struct tally *tally, enum tally_measure measure, uint64_t count)
{
    tally->value[measure] += count;
}

/* Flows of one kind in a scope. */
static void add_flows(struct tally *tally, uint64_t count, uint64_t bursts, bool answered, bool proven)
{
    add(tally, TALLY_flows, count);
    add(tally, TALLY_live_flows, count);
    add(tally, TALLY_live_bursts, bursts);
    add(tally, TALLY_packets_out, 3 * count);
    add(tally, TALLY_answered_flows, answered ? count : 0);
    add(tally, TALLY_answered_bursts, answered ? bursts : 0);
    add(tally, TALLY_proven_flows, proven ? count : 0);
    add(tally, TALLY_proven_bursts, proven ? bursts : 0);
}

static void add_acked(struct tally *tally, bool acked)
{
    add(tally, TALLY_flows, 1);
    add(tally, TALLY_knocks, 1);
    add(tally, TALLY_acked_flows, acked);
}

static uint64_t draw(struct world *world, double per_minute)
{
    uint64_t count = 0;
    for (; per_minute > 600; per_minute -= 600)
        count += stream_poisson(&world->seed, 50);
    return count + stream_poisson(&world->seed, per_minute / 12);
}

/* What the watched side really says in a step. */
static void live(struct world *world, int64_t at_ns, struct tally *tallies)
{
    uint64_t count = draw(world, world->honest);
    for (uint64_t i = 0; i < count && !is_in(&world->dark, at_ns); i++) {
        bool proven = stream_uniform(&world->seed) < world->proven;
        bool east = stream_uniform(&world->seed) < world->east,
             moves = stream_uniform(&world->seed) < world->moved;
        if (east && is_in(&world->no_east, at_ns))
            continue;
        if (east && moves && is_in(&world->moving, at_ns))
            east = false;
        struct tally *counts[] = {&tallies[ALL], &tallies[PREFIX], &tallies[east ? EAST : WEST]};
        for (int k = 0; k < 3; k++)
            if (world->inward)
                add_acked(counts[k], proven);
            else
                add_flows(counts[k], 1, 1, !world->one_way, proven);
    }
}

static void step(struct analysis *analysis, struct world *world, int64_t at_ns)
{
    const uint64_t proofs =
        TALLY_BIT(TALLY_proven_flows) | TALLY_BIT(TALLY_proven_bursts) | TALLY_BIT(TALLY_knocks);
    struct tally tallies[SCOPES];
    for (int i = 0; i < SCOPES; i++)
        tallies[i] =
            tally_empty(at_ns, at_ns + STEP, TALLY_ALL_KNOWN & ~(is_in(&world->told, at_ns) ? 0 : proofs));
    live(world, at_ns, tallies);
    uint64_t forged = is_in(&world->forging, at_ns) ? draw(world, world->forged) : 0,
             knocks = draw(world, world->knocks),
             words = is_in(&world->talking, at_ns) ? draw(world, world->words) : 0;
    for (int i = ALL; i <= PREFIX; i++) {
        add_flows(&tallies[i], forged, world->clustered ? forged > 0 : forged, !world->one_way, false);
        add(&tallies[i], TALLY_flows, knocks);
        add(&tallies[i], TALLY_knocks, knocks);
        add(&tallies[i], TALLY_icmp_errors, words);
    }
    add(&tallies[TAP], TALLY_packets_in,
        (is_in(&world->blind, at_ns) ? 0 : draw(world, world->control)) + words);
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
    for (int64_t at_ns = START; at_ns < HOUR(world.hours); at_ns += STEP)
        step(analysis, &world, at_ns);
    analysis_finish(analysis);
    analysis_free(analysis);
}

static struct world a_world(uint64_t seed)
{
    return (struct world){.honest = 8,
                          .proven = 0.7,
                          .east = 0.6,
                          .moved = 1,
                          .told = {0, 1000},
                          .knocks = 6,
                          .control = 60,
                          .hours = 40,
                          .seed = seed};
}

static unsigned count_of(enum event_action action)
{
    unsigned count = 0;
    for (unsigned i = 0; i < told.count; i++)
        count += told.events[i].action == action;
    return count;
}

static const struct event *last_of(enum event_action action)
{
    for (unsigned i = told.count; i-- > 0;)
        if (told.events[i].action == action)
            return &told.events[i];
    return NULL;
}

/* One outage of `all` from hour 30 to 33, and nothing else. */
static void assert_one_outage(void)
{
    assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(count_of(EVENT_OUTAGE_ENDED), 1);
    const struct event *started = last_of(EVENT_OUTAGE_STARTED), *ended = last_of(EVENT_OUTAGE_ENDED),
                       *back = last_of(EVENT_OUTAGE_RECOVERING);
    assert_string_equal(started->scope, "all");
    assert_true(fabs(clock_seconds(HOUR(30), started->onset_ns)) < 300);
    assert_true(clock_seconds(HOUR(30), started->time_ns) < 900);
    assert_true(started->depth > 0.9);
    assert_true(fabs(clock_seconds(HOUR(33), ended->end_ns)) < 300);
    assert_true(back == NULL || back->time_ns >= HOUR(33));
}

static struct world a_reflection(uint64_t seed)
{
    struct world world = a_world(seed);
    world.forged = 120;
    world.forging = (struct stretch){29, 32};
    return world;
}

static void test_forged_answers_neither_mask_nor_end_an_outage(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world world = a_reflection(seed);
        world.dark = (struct stretch){30, 33};
        world.clustered = seed % 2;
        run(world);
        assert_one_outage();
        assert_int_equal(last_of(EVENT_OUTAGE_STARTED)->signal, SIGNAL_ANSWERED_FLOWS);
        assert_int_equal(last_of(EVENT_OUTAGE_STARTED)->observed_rate, 0);
    }
}

static void test_the_end_of_forged_answers_is_no_fall(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 20; seed++) {
        struct world world = a_reflection(seed);
        world.clustered = seed % 2;
        world.forging = (struct stretch){seed < 16 ? 0 : 10, 32};
        world.forged = seed < 16 ? 30 : 120; /* more from the first is all that there is */
        world.east = 0;                      /* what falls silent by chance is another matter */
        run(world);
        assert_int_equal(told.count, 0);
    }
}

/* Proofs are a part of what they are a witness of. */
static void test_what_is_expected_is_told_in_the_flows_of_the_signal(void **state)
{
    (void)state;
    struct world world = a_world(21);
    world.dark = (struct stretch){30, 33};
    run(world);
    assert_one_outage();
    assert_int_equal(told.signal, SIGNAL_ANSWERED_FLOWS);
    assert_true(fabs(told.expected - 8) < 1.5);
    assert_true(fabs(last_of(EVENT_OUTAGE_STARTED)->expected_rate - 8) < 1.5);
    world = a_reflection(22); /* forged ones do not raise it, as long as they are not the usual */
    world.dark = (struct stretch){30, 33};
    run(world);
    assert_true(fabs(told.expected - 8) < 2);
    assert_true(fabs(last_of(EVENT_OUTAGE_STARTED)->expected_rate - 8) < 2);
    world = a_world(23); /* nor does what came before they were told */
    world.told = (struct stretch){20, 1000};
    run(world);
    assert_true(fabs(told.expected - 8) < 1.5);
}

static void test_of_what_comes_in_alone_life_is_what_it_acknowledges(void **state)
{
    (void)state;
    for (uint64_t seed = 201; seed <= 210; seed++) {
        struct world world = a_world(seed);
        world.inward = true;
        world.forged = seed % 2 ? 0.5 : 0; /* two watched ends that talk to each other, say */
        world.forging = (struct stretch){0, 1000};
        world.dark = (struct stretch){30, 33};
        run(world);
        assert_one_outage();
        const struct event *started = last_of(EVENT_OUTAGE_STARTED), *ended = last_of(EVENT_OUTAGE_ENDED);
        assert_int_equal(started->signal, SIGNAL_ACKED_FLOWS);
        assert_int_equal(told.signal, SIGNAL_ACKED_FLOWS);
        assert_true(fabs(started->expected_rate - 0.7 * 8) < 1.5);
        /* The knocking goes on, but what routers say of it would not be seen. */
        assert_true(ended->probability[VERDICT_UNKNOWN] > ended->probability[VERDICT_INTERNAL]);
    }
}

static void test_where_what_comes_out_is_seen_it_is_judged(void **state)
{
    (void)state;
    struct world world = a_world(211);
    world.dark = (struct stretch){30, 33};
    world.proven = 0.05;
    run(world);
    assert_one_outage();
    assert_int_equal(told.signal, SIGNAL_ANSWERED_FLOWS);
}

static void test_without_proofs_answers_are_judged(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed <= 34; seed++) {
        struct world world = a_world(seed);
        world.dark = (struct stretch){30, 33};
        if (seed % 2)
            world.told = (struct stretch){0, 0}; /* the table has none */
        else
            world.proven = 0.02; /* too few */
        run(world);
        assert_one_outage();
    }
}

/* A table that learns to tell them, or a scope that only later has some. */
static void test_a_change_of_the_witness_is_no_alarm(void **state)
{
    (void)state;
    for (uint64_t seed = 41; seed <= 60; seed++) {
        struct world world = a_world(seed);
        world.told = (struct stretch){4 + (double)seed / 100, 1000};
        world.proven = seed % 2 ? 0.7 : 0.12;
        run(world);
        assert_int_equal(told.count, 0);
    }
    struct world world = a_world(61);
    world.told = (struct stretch){20, 1000};
    world.dark = (struct stretch){30, 33};
    run(world);
    assert_one_outage();
}

/* The table ceases to tell them for good: the silence is not of the scope, and answers are judged again. */
static void test_proofs_that_are_no_longer_told_are_not_missed(void **state)
{
    (void)state;
    for (uint64_t seed = 71; seed <= 75; seed++) {
        struct world world = a_world(seed);
        world.told = (struct stretch){0, 20};
        world.dark = (struct stretch){30, 33};
        run(world);
        assert_one_outage();
    }
}

static void test_a_tap_that_sees_what_comes_out_is_not_fooled_by_forged_requests(void **state)
{
    (void)state;
    for (uint64_t seed = 81; seed <= 90; seed++) {
        struct world world = a_reflection(seed);
        world.one_way = true;
        world.knocks = 0;
        world.dark = (struct stretch){30, 33};
        run(world);
        assert_one_outage();
        assert_int_equal(last_of(EVENT_OUTAGE_STARTED)->signal, SIGNAL_LIVE_FLOWS);
    }
}

static void test_a_flood_beside_them_does_not_take_the_trust_from_proofs(void **state)
{
    (void)state;
    struct world world = a_reflection(91);
    world.forged = 12000;
    world.forging = (struct stretch){20, 35};
    world.dark = (struct stretch){30, 33};
    run(world);
    assert_one_outage();
}

static double likelihood(enum verdict verdict)
{
    return last_of(EVENT_OUTAGE_STARTED)->probability[verdict];
}

static void test_what_the_watched_side_begins_is_no_knock(void **state)
{
    (void)state;
    struct world world = a_world(101);
    world.dark = (struct stretch){30, 33};
    run(world); /* of 14 flows a minute 8 are its own */
    assert_one_outage();
    assert_true(likelihood(VERDICT_INTERNAL) > 0.3);
    world = a_reflection(102);
    world.dark = (struct stretch){30, 33};
    world.knocks = 0;
    run(world); /* forged requests do not knock */
    assert_one_outage();
    for (unsigned i = 0; i < told.events[0].evidence_count; i++)
        assert_int_not_equal(told.events[0].evidence[i].kind, EVIDENCE_INBOUND_PERSISTS);
}

/* ---- the control ---- */

static void test_routers_words_about_the_watched_side_do_not_hide_a_blind_sensor(void **state)
{
    (void)state;
    for (uint64_t seed = 111; seed <= 113; seed++) {
        struct world world = a_world(seed);
        world.words = 60;
        world.talking = world.blind = (struct stretch){30, 31};
        run(world);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_of(EVENT_SENSOR_RESTORED), 1);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 0);
    }
}

static void test_the_end_of_a_surge_of_routers_words_is_no_blindness(void **state)
{
    (void)state;
    for (uint64_t seed = 121; seed <= 125; seed++) {
        struct world world = a_world(seed);
        world.words = 600;
        world.talking = (struct stretch){27, 30};
        world.dark = (struct stretch){30, 33};
        run(world);
        assert_int_equal(count_of(EVENT_SENSOR_IMPAIRED), 0);
        assert_one_outage();
    }
}

/* ---- paths ---- */

static void test_what_comes_another_way_is_no_outage_of_its_path(void **state)
{
    (void)state;
    unsigned alarms = 0;
    for (uint64_t seed = 131; seed <= 160; seed++) {
        struct world world = a_world(seed);
        world.east = seed % 2 ? 0.6 : 0.9;
        world.moving = (struct stretch){30, 36};
        world.moved = seed % 4 < 2 ? 1 : 0.75;
        run(world);
        alarms += told.count > 0;
    }
    assert_in_range(alarms, 0, 2); /* by chance all may be quiet just then */
}

static void test_a_path_that_was_left_is_judged_again_when_it_is_used_again(void **state)
{
    (void)state;
    for (uint64_t seed = 151; seed <= 155; seed++) {
        struct world world = a_world(seed);
        world.moving = (struct stretch){24, 28};
        world.no_east = (struct stretch){33, 35};
        run(world);
        assert_int_equal(count_of(EVENT_OUTAGE_STARTED), 1);
        assert_int_equal(count_of(EVENT_OUTAGE_ENDED), 1);
        assert_string_equal(last_of(EVENT_OUTAGE_STARTED)->scope, "path:east");
        assert_true(last_of(EVENT_OUTAGE_STARTED)->onset_ns > HOUR(32.9));
    }
}

static void test_a_path_that_loses_what_it_carries_is_told(void **state)
{
    (void)state;
    static const double shares[] = {0.9, 0.6, 0.4, 0.2};
    for (uint64_t seed = 161; seed <= 168; seed++) {
        struct world world = a_world(seed);
        world.east = shares[seed % 4];
        world.no_east = (struct stretch){30, 34};
        run(world);
        assert_true(count_of(EVENT_OUTAGE_STARTED) >= 1);
        bool named = false;
        for (unsigned i = 0; i < told.count; i++)
            named |=
                strcmp(told.events[i].scope, "path:east") == 0 || strcmp(told.events[i].scope, "all") == 0;
        assert_true(named);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_answers_neither_mask_nor_end_an_outage),
        cmocka_unit_test(test_the_end_of_forged_answers_is_no_fall),
        cmocka_unit_test(test_what_is_expected_is_told_in_the_flows_of_the_signal),
        cmocka_unit_test(test_of_what_comes_in_alone_life_is_what_it_acknowledges),
        cmocka_unit_test(test_where_what_comes_out_is_seen_it_is_judged),
        cmocka_unit_test(test_without_proofs_answers_are_judged),
        cmocka_unit_test(test_a_change_of_the_witness_is_no_alarm),
        cmocka_unit_test(test_proofs_that_are_no_longer_told_are_not_missed),
        cmocka_unit_test(test_a_tap_that_sees_what_comes_out_is_not_fooled_by_forged_requests),
        cmocka_unit_test(test_a_flood_beside_them_does_not_take_the_trust_from_proofs),
        cmocka_unit_test(test_what_the_watched_side_begins_is_no_knock),
        cmocka_unit_test(test_routers_words_about_the_watched_side_do_not_hide_a_blind_sensor),
        cmocka_unit_test(test_the_end_of_a_surge_of_routers_words_is_no_blindness),
        cmocka_unit_test(test_what_comes_another_way_is_no_outage_of_its_path),
        cmocka_unit_test(test_a_path_that_was_left_is_judged_again_when_it_is_used_again),
        cmocka_unit_test(test_a_path_that_loses_what_it_carries_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
