/* SPDX-License-Identifier: BSD-3-Clause */
/* The study through its door: streams with known truth in, bins and events out. */
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

#define START    (1749081600 * NS_PER_S) /* 2025-06-05T00:00:00Z */
#define STEP     (5 * NS_PER_S)
#define HOUR(n)  (START + (int64_t)((n)*3600) * NS_PER_S)
#define MAX_KEPT 400

enum { ALL, P1, P2, SERVICE, TAP, SCOPES };

static const struct scope scopes[SCOPES] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
    {SCOPE_PREFIX, true, "prefix:198.51.100.0/24", false},
    {SCOPE_SERVICE, true, "service:www", false},
    {SCOPE_TAP, false, "tap", false},
};
static const struct scope_list list = {.items = scopes, .count = SCOPES};

/* What a run gave. */
struct result {
    struct event events[MAX_KEPT];
    unsigned event_count;
    unsigned bins[SCOPES], states[SCOPES][STATE__COUNT];
    uint64_t answered;
    int64_t last_bin_ns;
    struct bin_outage outage[SCOPES]; /* as it was last shown */
    unsigned outages_shown[SCOPES], ends_shown[SCOPES];
};

static void keep_event(void *context, const struct event *event)
{
    struct result *result = context;
    assert_true(result->event_count < MAX_KEPT);
    result->events[result->event_count++] = *event;
}

static void keep_bin(void *context, const struct bin *bin)
{
    struct result *result = context;
    result->bins[bin->scope]++;
    result->states[bin->scope][bin->state]++;
    if (bin->scope == ALL)
        result->answered += bin->tally.value[TALLY_answered_flows];
    result->last_bin_ns = bin->start_ns;
    if (!bin->outage.known)
        return;
    result->outage[bin->scope] = bin->outage;
    result->outages_shown[bin->scope]++;
    result->ends_shown[bin->scope] += bin->outage.end_ns != TIME_NONE;
}

/* A world of two prefixes, one of them with a service, and a tap; each may be silent for a while. */
struct world {
    double rate[SCOPES];       /* a minute; that of `all` is the sum of the prefixes' */
    int64_t silent[SCOPES][2]; /* from, to */
    int64_t deaf[2];           /* what comes out is not seen: a leg of the mirror is lost */
    bool acks;                 /* but others acknowledge it */
    double tap_cluster;        /* packets of the tap that come together; 0: none */
    int64_t begin_ns, end_ns;
    uint64_t seed;
    double level;          /* share of the rates that is left … */
    int64_t level_from_ns; /* … from here on */
};

static bool is_silent(const struct world *world, int scope, int64_t at_ns)
{
    return at_ns >= world->silent[scope][0] && at_ns < world->silent[scope][1];
}

static void fill(struct tally *tally, uint64_t count)
{
    tally->value[TALLY_flows] += count;
    tally->value[TALLY_knocks] += count;
    tally->value[TALLY_live_flows] += count;
    tally->value[TALLY_answered_flows] += count;
    tally->value[TALLY_live_bursts] += count;
    tally->value[TALLY_answered_bursts] += count;
    tally->value[TALLY_packets_in] += count * 5;
    tally->value[TALLY_packets_out] += count * 5;
    for (uint64_t i = 0; i < count; i++)
        tally_span_add(&tally->answered,
                       tally->start_ns + (int64_t)((i + 0.5) * (double)STEP / (double)count));
    tally->live = tally->in = tally->out = tally->answered;
}

/* One in ten by itself, the others together. */
static uint64_t tap_packets(const struct world *world, uint64_t *seed, double parts)
{
    double packets = world->rate[TAP] / parts, together = world->tap_cluster;
    if (!(together > 0))
        return stream_poisson(seed, packets);
    return stream_poisson(seed, 0.1 * packets) +
           (uint64_t)together * stream_poisson(seed, 0.9 * packets / together);
}

static void run(const struct world *world, struct result *result)
{
    const struct analysis_options options = {.bin_ns = 60 * NS_PER_S,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .level_after_s = 86400,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    const struct analysis_output output = {result, keep_bin, keep_event};
    struct analysis *analysis = analysis_new(&options, &list, &output);
    uint64_t seed = world->seed;
    *result = (struct result){.event_count = 0};
    for (int64_t at_ns = world->begin_ns; at_ns < world->end_ns; at_ns += STEP) {
        struct tally tallies[SCOPES];
        for (int i = 0; i < SCOPES; i++)
            tallies[i] = tally_empty(at_ns, at_ns + STEP, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops));
        bool deaf = at_ns >= world->deaf[0] && at_ns < world->deaf[1];
        bool dark = is_silent(world, ALL, at_ns) || deaf, blind = is_silent(world, TAP, at_ns);
        double level = at_ns >= world->level_from_ns ? world->level : 1;
        uint64_t service = stream_poisson(&seed, level * world->rate[SERVICE] / 12), sum = 0;
        for (int i = P1; i <= P2; i++) {
            uint64_t count = stream_poisson(&seed, level * world->rate[i] / 12);
            if (i == P1 && !is_silent(world, SERVICE, at_ns))
                count += service;
            if (deaf && world->acks)
                tallies[ALL].value[TALLY_unseen_acks_in] += tallies[i].value[TALLY_unseen_acks_in] =
                    2 * count;
            if (dark || blind || is_silent(world, i, at_ns))
                count = 0;
            fill(&tallies[i], count);
            sum += count;
        }
        if (!dark && !blind && !is_silent(world, P1, at_ns) && !is_silent(world, SERVICE, at_ns))
            fill(&tallies[SERVICE], service);
        fill(&tallies[ALL], sum);
        uint64_t knocks = blind ? 0 : stream_poisson(&seed, 2);
        tallies[ALL].value[TALLY_flows] += knocks;
        tallies[ALL].value[TALLY_knocks] += knocks;
        tallies[ALL].value[TALLY_packets_in] += knocks;
        tallies[TAP].value[TALLY_packets_in] = blind ? 0 : tap_packets(world, &seed, deaf ? 24 : 12);
        if (tallies[TAP].value[TALLY_packets_in] > 0)
            tallies[TAP].in = (struct tally_span){at_ns + 1, at_ns + STEP - 1};
        analysis_step(analysis, tallies);
    }
    analysis_finish(analysis);
    analysis_free(analysis);
}

static struct world quiet_world(uint64_t seed)
{
    return (struct world){.rate = {[P1] = 5, [P2] = 3, [SERVICE] = 2, [TAP] = 60},
                          .begin_ns = START,
                          .end_ns = HOUR(48),
                          .seed = seed,
                          .level = 1};
}

static unsigned count_actions(const struct result *result, enum event_action action)
{
    unsigned count = 0;
    for (unsigned i = 0; i < result->event_count; i++)
        count += result->events[i].action == action;
    return count;
}

static const struct event *first_of(const struct result *result, enum event_action action)
{
    for (unsigned i = 0; i < result->event_count; i++)
        if (result->events[i].action == action)
            return &result->events[i];
    return NULL;
}

/* A minute at once, of which only the last five seconds have life: two a second in all scopes that have any.
 */
static void late_minute(struct analysis *analysis, int64_t at_ns, bool late)
{
    struct tally tallies[SCOPES];
    for (int i = 0; i < SCOPES; i++) {
        tallies[i] = tally_empty(at_ns, at_ns + 12 * STEP, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops));
        uint64_t count = i == TAP ? 120 : i == ALL || i == P1 ? (late ? 10 : 120) : 0;
        fill(&tallies[i], count);
        struct tally_span span = {at_ns + (late ? 11 * STEP : STEP / 10), at_ns + 12 * STEP - STEP / 10};
        if (count > 0)
            tallies[i].answered = tallies[i].live = tallies[i].in = tallies[i].out = span;
    }
    analysis_step(analysis, tallies);
}

static void test_a_silence_that_ended_within_an_interval_is_told(void **state)
{
    (void)state;
    const struct analysis_options options = {.bin_ns = 60 * NS_PER_S,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    struct result result = {.event_count = 0};
    const struct analysis_output output = {&result, keep_bin, keep_event};
    struct analysis *analysis = analysis_new(&options, &list, &output);
    for (int minute = 0; minute < 600; minute++)
        late_minute(analysis, START + minute * 12 * STEP, minute == 500);
    analysis_finish(analysis);
    analysis_free(analysis);
    const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED);
    assert_non_null(started);
    assert_int_equal(started->time_ns, START + 501 * 12 * STEP);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_ENDED), 1);
    assert_true(started->onset_earliest_ns <= START + 500 * 12 * STEP &&
                started->onset_latest_ns >= START + 500 * 12 * STEP);
}

/* A minute of two answered flows every five seconds in each of the scopes, and three times as many in the
 * first prefix. */
static void even_minute(struct analysis *analysis, const struct scope_list *of, int64_t at_ns, bool silent)
{
    for (int i = 0; i < 12; i++) {
        struct tally tallies[SCOPES];
        for (uint32_t j = 0; j < of->count; j++) {
            bool tap = j + 1 == of->count, first = strcmp(of->items[j].text, scopes[P1].text) == 0;
            tallies[j] = tally_empty(at_ns + i * STEP, at_ns + (i + 1) * STEP, TALLY_ALL_KNOWN);
            if (tap || !silent)
                fill(&tallies[j], tap ? 20 : j == ALL ? 8 : first ? 6 : 2);
        }
        analysis_step(analysis, tallies);
    }
}

static void test_a_study_takes_over_what_another_learned_of_the_scopes_that_stay(void **state)
{
    (void)state;
    const struct analysis_options options = {.bin_ns = 60 * NS_PER_S,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    const struct scope other = {SCOPE_PREFIX, true, "prefix:203.0.113.0/24", false};
    const struct scope next_scopes[] = {scopes[ALL], other, scopes[P2], scopes[TAP]};
    const struct scope_list next = {.items = next_scopes, .count = 4};
    static struct result before, after;
    const struct analysis_output output = {&before, keep_bin, keep_event},
                                 next_output = {&after, keep_bin, keep_event};
    for (int all_stays = 0; all_stays < 2; all_stays++) {
        struct analysis *from = analysis_new(&options, &list, &output),
                        *to = analysis_new(&options, &next, &next_output);
        memset(&before, 0, sizeof before);
        memset(&after, 0, sizeof after);
        for (int minute = 0; minute < 600; minute++)
            even_minute(from, &list, START + minute * 12 * STEP, minute >= 590);
        assert_true(fabs(analysis_part(from, &list) - 1) < 1e-9);
        assert_in_range((long)(100 * analysis_part(from, &next)), 20, 30); /* six of eight are gone */
        /* `all` went dark, and its prefixes with it. */
        assert_int_equal(analysis_take_over(to, from, all_stays), all_stays ? 0 : 1);
        for (int minute = 600; minute < 660; minute++)
            even_minute(to, &next, START + minute * 12 * STEP, false);
        analysis_finish(to);
        assert_int_equal(after.bins[ALL], 60);
        assert_int_equal(after.states[2][STATE_LEARNING], 0);
        assert_true(after.states[1][STATE_LEARNING] >= 30);
        assert_int_equal(after.states[ALL][STATE_LEARNING] > 0, !all_stays);
        assert_int_equal(count_actions(&after, EVENT_OUTAGE_ENDED), all_stays);
        assert_int_equal(count_actions(&after, EVENT_SENSOR_IMPAIRED), 0);
        analysis_free(from);
        analysis_free(to);
    }
}

static void silence(struct world *world, int scope, double from_h, double to_h)
{
    world->silent[scope][0] = HOUR(from_h);
    world->silent[scope][1] = HOUR(to_h);
}

static struct result result;

static void test_two_quiet_days_say_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world world = quiet_world(seed);
        run(&world, &result);
        assert_int_equal(result.event_count, 0);
        assert_int_equal(result.bins[ALL], 48 * 60);
        assert_true(result.states[ALL][STATE_LEARNING] <= 31);
        assert_int_equal(result.states[ALL][STATE_DOWN], 0);
    }
}

static void test_a_blackout_is_one_episode_of_all_with_its_onset_inside(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 20; seed++) {
        struct world world = quiet_world(seed);
        silence(&world, ALL, 30.2, 33);
        run(&world, &result);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_ENDED), 1);
        const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED),
                           *ended = first_of(&result, EVENT_OUTAGE_ENDED);
        assert_string_equal(started->scope, "all");
        assert_true(started->onset_earliest_ns <= HOUR(30.2) &&
                    HOUR(30.2) <= started->onset_latest_ns + STEP);
        assert_true(clock_seconds(HOUR(30.2), started->time_ns) < 400);
        assert_true(started->depth > 0.99 && started->control);
        assert_int_equal(started->signal, SIGNAL_ANSWERED_FLOWS);
        assert_true(started->probability[VERDICT_INTERNAL] > 0.3);
        assert_true(ended->episode == started->episode && ended->sequence > started->sequence);
        assert_true(fabs(clock_seconds(HOUR(33), ended->end_ns)) < 120);
        for (unsigned i = 0; i < result.event_count; i++)
            assert_true(result.events[i].time_ns >= started->time_ns &&
                        strcmp(result.events[i].scope, "all") == 0);
    }
}

static void test_an_open_end_leaves_the_episode_open(void **state)
{
    (void)state;
    struct world world = quiet_world(21);
    silence(&world, ALL, 40, 99);
    run(&world, &result);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_ENDED), 0);
}

static void test_a_lasting_change_of_level_is_one_episode_and_then_normal(void **state)
{
    (void)state;
    for (uint64_t seed = 111; seed <= 113; seed++) {
        struct world world = quiet_world(seed);
        world.level = 0.25;
        world.level_from_ns = HOUR(48);
        world.end_ns = HOUR(150);
        silence(&world, ALL, 140, 143);
        run(&world, &result);
        const struct event *accepted = NULL, *last = &result.events[result.event_count - 1];
        unsigned told = 0, episodes = 0;
        for (unsigned i = 0; i < result.event_count; i++) {
            told += result.events[i].level_accepted > 0;
            episodes += result.events[i].action == EVENT_OUTAGE_ENDED && result.events[i].merged_into == 0;
            if (result.events[i].level_accepted > 0)
                accepted = &result.events[i];
        }
        assert_int_equal(told, 1);
        assert_int_equal(episodes, 2);
        assert_string_equal(accepted->scope, "all");
        assert_true(fabs(accepted->level_accepted - 0.25) < 0.05);
        assert_true(accepted->recovered == accepted->level_accepted);
        assert_true(accepted->time_ns == accepted->end_ns && accepted->end_ns == accepted->end_latest_ns);
        assert_true(accepted->time_ns > HOUR(72) && accepted->time_ns < HOUR(80));
        assert_true(result.states[P1][STATE_UP] > 60 * 48);
        /* And a total outage of what is left is one like any other. */
        assert_true(last->action == EVENT_OUTAGE_ENDED && last->level_accepted == 0);
        assert_true(fabs(clock_seconds(HOUR(140), last->onset_ns)) < 300);
        assert_true(fabs(last->expected_rate - 0.25 * 10) < 0.5);
    }
}

static void test_prefixes_that_fall_one_after_the_other_are_one_outage_of_all(void **state)
{
    (void)state;
    for (uint64_t seed = 121; seed <= 125; seed++) {
        struct world world = quiet_world(seed);
        silence(&world, P1, 30, 40);
        silence(&world, P2, 34, 40);
        run(&world, &result);
        const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED);
        assert_string_equal(started->scope, "prefix:192.0.2.0/24");
        bool widened = false;
        for (unsigned i = 0; i < result.event_count; i++)
            widened |= result.events[i].episode == started->episode &&
                       strcmp(result.events[i].scope, "all") == 0 && result.events[i].time_ns > HOUR(34);
        assert_true(widened);
    }
}

static void test_a_total_silence_is_never_normal(void **state)
{
    (void)state;
    struct world world = quiet_world(114);
    world.end_ns = HOUR(240);
    silence(&world, ALL, 48, 240);
    run(&world, &result);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_ENDED), 0);
}

static void test_a_part_that_dies_when_the_rest_is_normal_again_stays_an_outage(void **state)
{
    (void)state;
    struct world world = quiet_world(115);
    world.level = 0.5;
    world.level_from_ns = HOUR(48);
    world.end_ns = HOUR(150);
    silence(&world, P2, 48, 150);
    run(&world, &result);
    bool open = false;
    for (unsigned i = 0; i < result.event_count; i++)
        if (strcmp(result.events[i].scope, "prefix:198.51.100.0/24") == 0)
            open = result.events[i].action != EVENT_OUTAGE_ENDED;
    assert_true(open);
}

static void test_one_prefix_down_is_told_of_that_prefix(void **state)
{
    (void)state;
    struct world world = quiet_world(31);
    silence(&world, P2, 30, 34);
    run(&world, &result);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_ENDED), 1);
    assert_string_equal(first_of(&result, EVENT_OUTAGE_STARTED)->scope, "prefix:198.51.100.0/24");
}

static void test_one_service_down_is_told_of_that_service(void **state)
{
    (void)state;
    struct world world = quiet_world(32);
    silence(&world, SERVICE, 30, 34);
    run(&world, &result);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED);
    assert_string_equal(started->scope, "service:www");
    assert_true(started->probability[VERDICT_SERVICE] > 0.5);
}

static void test_a_narrow_outage_that_spreads_keeps_its_name(void **state)
{
    (void)state;
    struct world world = quiet_world(33);
    silence(&world, P2, 30, 35);
    silence(&world, ALL, 32, 35);
    run(&world, &result);
    const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    bool widened = false;
    for (unsigned i = 0; i < result.event_count; i++)
        widened |= strcmp(result.events[i].scope, "all") == 0 && result.events[i].episode == started->episode;
    assert_true(widened);
}

static void test_a_silent_tap_is_a_blind_sensor_and_no_outage(void **state)
{
    (void)state;
    for (uint64_t seed = 41; seed <= 50; seed++) {
        struct world world = quiet_world(seed);
        silence(&world, TAP, 30.1, 31);
        run(&world, &result);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_RESTORED), 1);
        assert_true(result.states[ALL][STATE_BLIND] > 50);
    }
}

/* Packets come by the dozen: a tap that is quiet for a quarter of a minute is no rare thing, and every scope
 * that falls silent looks whether it is just now. */
static void test_an_outage_is_never_put_down_to_a_tap_that_is_quiet_by_chance(void **state)
{
    (void)state;
    for (uint64_t seed = 131; seed <= 150; seed++) {
        struct world world = quiet_world(seed);
        world.tap_cluster = 12;
        silence(&world, ALL, 30.2, 33);
        run(&world, &result);
        for (unsigned i = 0; i < result.event_count; i++)
            assert_false(result.events[i].action == EVENT_SENSOR_IMPAIRED &&
                         result.events[i].time_ns > HOUR(30.2) && result.events[i].time_ns < HOUR(33));
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
        assert_true(clock_seconds(HOUR(30.2), first_of(&result, EVENT_OUTAGE_STARTED)->time_ns) < 500);
    }
}

static void test_a_lost_leg_of_the_mirror_is_a_blind_sensor_and_no_outage(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 110; seed++) {
        struct world world = quiet_world(seed);
        world.deaf[0] = HOUR(30.1);
        world.deaf[1] = HOUR(31);
        run(&world, &result);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_RESTORED), 1);
    }
}

static void test_a_lost_leg_is_known_by_what_others_acknowledge(void **state)
{
    (void)state;
    for (uint64_t seed = 111; seed <= 116; seed++) {
        struct world world = quiet_world(seed);
        world.rate[TAP] = 0; /* there is nothing else to tell it by */
        world.acks = true;
        world.deaf[0] = HOUR(30.1);
        world.deaf[1] = HOUR(31);
        run(&world, &result);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 0);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_IMPAIRED), 1);
        assert_int_equal(count_actions(&result, EVENT_SENSOR_RESTORED), 1);
        assert_true(first_of(&result, EVENT_SENSOR_IMPAIRED)->deaf);
        assert_true(first_of(&result, EVENT_SENSOR_RESTORED)->time_ns < HOUR(31.05));
    }
}

static void test_a_thin_control_is_waited_for(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed <= 60; seed++) {
        struct world world = quiet_world(seed);
        world.rate[TAP] = 1;
        silence(&world, TAP, 30.1, 30.3); /* shorter than the tap itself would be missed for */
        run(&world, &result);
        assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 0);
    }
}

static void test_without_control_traffic_the_silence_is_told_and_the_cause_unknown(void **state)
{
    (void)state;
    struct world world = quiet_world(61);
    world.rate[TAP] = 0;
    silence(&world, ALL, 30, 33);
    run(&world, &result);
    assert_int_equal(count_actions(&result, EVENT_OUTAGE_STARTED), 1);
    const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED);
    assert_false(started->control);
    assert_true(started->probability[VERDICT_UNKNOWN] > 0.99);
}

static void test_nothing_is_said_while_learning(void **state)
{
    (void)state;
    struct world world = quiet_world(71);
    world.end_ns = HOUR(0.4); /* less than the time to learn */
    silence(&world, ALL, 0.2, 0.4);
    run(&world, &result);
    assert_int_equal(result.event_count, 0);
    assert_int_equal(result.states[ALL][STATE_LEARNING], result.bins[ALL]);
}

static void test_the_same_input_gives_the_same_events(void **state)
{
    (void)state;
    static struct result again;
    struct world world = quiet_world(81);
    silence(&world, ALL, 20, 22);
    run(&world, &result);
    run(&world, &again);
    assert_memory_equal(&result, &again, sizeof result);
}

static void test_a_gap_between_intervals_is_not_silence(void **state)
{
    (void)state;
    const struct analysis_options options = {.bin_ns = 60 * NS_PER_S,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    const struct analysis_output output = {&result, keep_bin, keep_event};
    struct analysis *analysis = analysis_new(&options, &list, &output);
    uint64_t seed = 91;
    result = (struct result){.event_count = 0};
    for (int hour = 0; hour < 20; hour++) {
        if (hour % 5 == 4)
            continue;
        for (int64_t at_ns = HOUR(hour); at_ns < HOUR(hour + 1); at_ns += STEP) {
            struct tally tallies[SCOPES];
            for (int i = 0; i < SCOPES; i++) {
                tallies[i] = tally_empty(at_ns, at_ns + STEP, TALLY_ALL_KNOWN);
                fill(&tallies[i], stream_poisson(&seed, 1));
            }
            analysis_step(analysis, tallies);
        }
    }
    analysis_finish(analysis);
    analysis_free(analysis);
    assert_int_equal(result.event_count, 0);
    assert_int_equal(result.bins[ALL], 16 * 60);
}

static void test_bins_show_the_outage_from_its_alarm_to_its_end(void **state)
{
    (void)state;
    struct world world = quiet_world(3);
    world.silent[ALL][0] = HOUR(30);
    world.silent[ALL][1] = HOUR(32);
    run(&world, &result);
    const struct event *started = first_of(&result, EVENT_OUTAGE_STARTED),
                       *ended = first_of(&result, EVENT_OUTAGE_ENDED);
    assert_non_null(started);
    assert_non_null(ended);
    const struct bin_outage *shown = &result.outage[ALL];
    assert_int_equal(result.ends_shown[ALL], 1);
    int64_t alarm_bin_ns = clock_floor(started->time_ns - 1, 60 * NS_PER_S),
            end_bin_ns = clock_floor(ended->time_ns - 1, 60 * NS_PER_S);
    assert_int_equal(result.outages_shown[ALL], (end_bin_ns - alarm_bin_ns) / (60 * NS_PER_S) + 1);
    assert_true(shown->onset_ns == ended->onset_ns && shown->onset_earliest_ns == ended->onset_earliest_ns);
    assert_true(shown->end_ns == ended->end_ns && shown->end_latest_ns == ended->end_latest_ns);
    assert_memory_equal(shown->probability, ended->probability, sizeof ended->probability);
    assert_true(shown->recovered > 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_quiet_days_say_nothing),
        cmocka_unit_test(test_a_blackout_is_one_episode_of_all_with_its_onset_inside),
        cmocka_unit_test(test_a_silence_that_ended_within_an_interval_is_told),
        cmocka_unit_test(test_an_open_end_leaves_the_episode_open),
        cmocka_unit_test(test_a_lasting_change_of_level_is_one_episode_and_then_normal),
        cmocka_unit_test(test_prefixes_that_fall_one_after_the_other_are_one_outage_of_all),
        cmocka_unit_test(test_a_total_silence_is_never_normal),
        cmocka_unit_test(test_a_part_that_dies_when_the_rest_is_normal_again_stays_an_outage),
        cmocka_unit_test(test_one_prefix_down_is_told_of_that_prefix),
        cmocka_unit_test(test_one_service_down_is_told_of_that_service),
        cmocka_unit_test(test_a_narrow_outage_that_spreads_keeps_its_name),
        cmocka_unit_test(test_a_silent_tap_is_a_blind_sensor_and_no_outage),
        cmocka_unit_test(test_an_outage_is_never_put_down_to_a_tap_that_is_quiet_by_chance),
        cmocka_unit_test(test_a_lost_leg_of_the_mirror_is_a_blind_sensor_and_no_outage),
        cmocka_unit_test(test_a_lost_leg_is_known_by_what_others_acknowledge),
        cmocka_unit_test(test_a_thin_control_is_waited_for),
        cmocka_unit_test(test_without_control_traffic_the_silence_is_told_and_the_cause_unknown),
        cmocka_unit_test(test_nothing_is_said_while_learning),
        cmocka_unit_test(test_the_same_input_gives_the_same_events),
        cmocka_unit_test(test_a_gap_between_intervals_is_not_silence),
        cmocka_unit_test(test_bins_show_the_outage_from_its_alarm_to_its_end),
        cmocka_unit_test(test_a_study_takes_over_what_another_learned_of_the_scopes_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
