/* SPDX-License-Identifier: BSD-3-Clause */
/* The circumstances of an outage, read off a study that is put together by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "series.h"

#define START  (1749081600 * NS_PER_S) /* 2025-06-05T00:00:00Z */
#define MINUTE (60 * NS_PER_S)

enum { ALL, EAST_NET, WEST_NET, EAST, WEST, NAMES, WEB, TAP, SCOPES };

static const struct scope scopes[SCOPES] = {{SCOPE_ALL, true, "all", false},
                                            {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
                                            {SCOPE_PREFIX, true, "prefix:198.51.100.0/24", false},
                                            {SCOPE_PATH, true, "path:east", false},
                                            {SCOPE_PATH, true, "path:west", false},
                                            {SCOPE_SERVICE, true, "service:ns", true},
                                            {SCOPE_SERVICE, true, "service:www", false},
                                            {SCOPE_TAP, false, "tap", false}};
static const struct scope_list list = {.items = scopes, .count = SCOPES};

static struct analysis *analysis;
static struct event event;

/* So many minutes of packets, knocks and reports a minute. */
static void pass(struct trend *trend, int minutes, const uint64_t per_minute[TALLY__COUNT], bool usual)
{
    for (int i = 0; i < minutes; i++) {
        struct tally tally = tally_empty(START, START + MINUTE, TALLY_ALL_KNOWN);
        for (int k = 0; k < TALLY__COUNT; k++)
            tally.value[k] = per_minute[k];
        trend_step(trend, &tally, usual);
    }
}

static const uint64_t quiet[TALLY__COUNT] = {
    [TALLY_packets_in] = 60, [TALLY_packets_out] = 60, [TALLY_knocks] = 10, [TALLY_icmp_unreachable] = 1};

/* An outage of `all`, ten minutes old, after a quiet day; both paths fell with it. */
static int set_up(void **state)
{
    (void)state;
    const struct analysis_options options = {.bin_ns = MINUTE, .half_life_s = 14 * 86400, .learn_s = 1800};
    const struct analysis_output output = {NULL, NULL, NULL};
    analysis = analysis_new(&options, &list, &output);
    if (analysis == NULL)
        return -1;
    struct series *all = &analysis->series[ALL];
    pass(&all->so_far.trend, 1440, quiet, true);
    all->episode = (struct episode){.open = true,
                                    .onset_ns = START,
                                    .onset_earliest_ns = START,
                                    .onset_latest_ns = START,
                                    .before = all->so_far,
                                    .verdict = VERDICT__COUNT};
    all->so_far.knock_expected = 100;
    all->so_far.knock = 95;
    all->so_far.life_expected = 50;
    analysis->end_ns = START + 10 * MINUTE;
    event = (struct event){.control = true, .path_count = 2};
    for (int i = 0; i < 2; i++)
        event.paths[i] =
            (struct event_part){.state = STATE_DOWN, .onset_ns = START, .last_seen_ns = START - MINUTE};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    analysis_free(analysis);
    return 0;
}

static double value_of(enum evidence_kind kind)
{
    struct cause_facts facts = facts_gather(analysis, ALL, &event);
    assert_true(facts.reading[kind].known);
    return facts.reading[kind].value;
}

static bool is_known(enum evidence_kind kind)
{
    return facts_gather(analysis, ALL, &event).reading[kind].known;
}

static void assert_near(double value, double wanted)
{
    assert_true(fabs(value - wanted) <= 0.05 * fabs(wanted) + 1e-9);
}

static void test_knocking_is_held_against_what_was_expected_since_the_onset(void **state)
{
    (void)state;
    assert_near(value_of(EVIDENCE_INBOUND_PERSISTS), 0.95);
    assert_near(value_of(EVIDENCE_INBOUND_UNSEEN), 0);
    assert_false(is_known(EVIDENCE_KNOCKS_ANSWERED)); /* hardly less knocks than ever */
    analysis->series[ALL].so_far.knock = 40;
    analysis->series[ALL].so_far.life = 10;
    assert_near(value_of(EVIDENCE_KNOCKS_ANSWERED), 0.5);
    analysis->series[ALL].so_far.knock_expected = 4; /* too few to tell */
    assert_false(is_known(EVIDENCE_INBOUND_PERSISTS));
}

static void test_where_nothing_that_goes_in_is_seen_it_says_so(void **state)
{
    (void)state;
    static const uint64_t outward[TALLY__COUNT] = {[TALLY_packets_out] = 60};
    struct trend *before = &analysis->series[ALL].episode.before.trend;
    *before = (struct trend){.seconds = 0};
    pass(before, 600, outward, true);
    assert_near(value_of(EVIDENCE_INBOUND_UNSEEN), 1);
}

static void test_a_surge_before_it_is_held_against_the_usual_and_read_once(void **state)
{
    (void)state;
    static const uint64_t flood[TALLY__COUNT] = {[TALLY_packets_in] = 600, [TALLY_reflected_in] = 120};
    assert_near(value_of(EVIDENCE_INBOUND_SURGE), 1);
    struct series *all = &analysis->series[ALL];
    pass(&all->episode.before.trend, 15, flood, false);
    double surge = value_of(EVIDENCE_INBOUND_SURGE), reflected = value_of(EVIDENCE_REFLECTION);
    assert_true(surge > 4 && surge < 10);
    assert_true(reflected > 1 && reflected < 2); /* a second, more than a half of its two remembered */
    all->facts = facts_gather(analysis, ALL, &event);
    all->episode.verdict = VERDICT_ATTACK; /* it has been told */
    pass(&all->episode.before.trend, 600, quiet, false);
    assert_near(value_of(EVIDENCE_INBOUND_SURGE), surge);
}

static void test_loss_is_what_is_sent_again_over_what_is_usual(void **state)
{
    (void)state;
    static const uint64_t lossy[TALLY__COUNT] = {
        [TALLY_packets_in] = 60, [TALLY_packets_out] = 60, [TALLY_retransmits_in] = 12};
    assert_near(value_of(EVIDENCE_LOSS_RISING), 1);
    pass(&analysis->series[ALL].episode.before.trend, 60, lossy, false);
    assert_true(value_of(EVIDENCE_LOSS_RISING) > 8);
}

static void test_routers_words_count_above_the_usual_until_later_they_follow_from_it(void **state)
{
    (void)state;
    static const uint64_t refused[TALLY__COUNT] = {[TALLY_icmp_unreachable] = 7, [TALLY_icmp_no_route] = 4};
    struct series *all = &analysis->series[ALL];
    pass(&all->so_far.trend, 10, refused, false);
    assert_near(value_of(EVIDENCE_ICMP_NO_ROUTE), 4);
    assert_near(value_of(EVIDENCE_ICMP_NO_HOST), 2); /* seven, one of them usual, four of them of routes */
    all->facts = facts_gather(analysis, ALL, &event);
    all->episode.verdict = VERDICT_WITHDRAWAL;
    pass(&all->so_far.trend, 60, refused, false);
    analysis->end_ns = START + 70 * MINUTE;
    static const uint64_t silent[TALLY__COUNT] = {0};
    pass(&all->so_far.trend, 600, silent, false);
    assert_near(value_of(EVIDENCE_ICMP_NO_ROUTE), 4);
}

static void test_routers_are_not_heard_where_only_what_goes_in_is(void **state)
{
    (void)state;
    assert_near(value_of(EVIDENCE_ROUTERS_UNHEARD), 0);
    analysis->series[ALL].witness = WITNESS_ACKED;
    assert_near(value_of(EVIDENCE_ROUTERS_UNHEARD), 1);
}

static void test_paths_are_counted_that_fell_and_that_carry_on(void **state)
{
    (void)state;
    assert_near(value_of(EVIDENCE_ALL_PATHS), 2);
    assert_near(value_of(EVIDENCE_ONE_PATH), 0);
    event.paths[1].state = STATE_UP;
    event.paths[1].last_seen_ns = START + 9 * MINUTE;
    assert_near(value_of(EVIDENCE_ALL_PATHS), 0);
    assert_near(value_of(EVIDENCE_ONE_PATH), 1);
    event.paths[1].last_seen_ns = TIME_NONE; /* it never crossed this tap */
    assert_near(value_of(EVIDENCE_ONLY_PATH), 1);
}

static void test_a_path_by_which_something_still_comes_is_not_lost(void **state)
{
    (void)state;
    event.paths[1].state = STATE_UP;
    event.paths[1].last_seen_ns = START + 9 * MINUTE;
    analysis->series[EAST_NET].episode = analysis->series[ALL].episode;
    struct cause_facts facts = facts_gather(analysis, EAST_NET, &event);
    assert_near(facts.reading[EVIDENCE_ONE_PATH].value, 1);
    event.paths[0].last_seen_ns = START + 9 * MINUTE;
    facts = facts_gather(analysis, EAST_NET, &event);
    assert_near(facts.reading[EVIDENCE_ONE_PATH].value, 0);
}

static void test_services_that_failed_before_and_name_servers_are_counted(void **state)
{
    (void)state;
    assert_near(value_of(EVIDENCE_SERVICES_FIRST), 0);
    for (int i = NAMES; i <= WEB; i++)
        analysis->series[i].episode = (struct episode){.open = true, .onset_latest_ns = START - 6 * MINUTE};
    assert_near(value_of(EVIDENCE_SERVICES_FIRST), 2);
    assert_near(value_of(EVIDENCE_NAME_SERVERS), 1);
    analysis->series[WEB].episode.onset_latest_ns = START - MINUTE; /* with the rest */
    assert_near(value_of(EVIDENCE_SERVICES_FIRST), 1);
}

static void test_another_way_is_longer_or_shorter_and_not_only_slower(void **state)
{
    (void)state;
    static const uint64_t far[TALLY__COUNT] = {[TALLY_handshakes] = 2,
                                               [TALLY_handshake_us] = 600000,
                                               [TALLY_answered_flows] = 2,
                                               [TALLY_answered_hops] = 40};
    static const uint64_t slow[TALLY__COUNT] = {[TALLY_handshakes] = 2,
                                                [TALLY_handshake_us] = 800000,
                                                [TALLY_answered_flows] = 2,
                                                [TALLY_answered_hops] = 40};
    static const uint64_t near[TALLY__COUNT] = {[TALLY_handshakes] = 2,
                                                [TALLY_handshake_us] = 400000,
                                                [TALLY_answered_flows] = 2,
                                                [TALLY_answered_hops] = 36};
    struct series *part = &analysis->series[WEST_NET];
    part->state = STATE_UP;
    pass(&part->so_far.trend, 1440, far, true);
    struct trend was = part->so_far.trend;
    pass(&part->so_far.trend, 120, slow, false);
    assert_false(is_known(EVIDENCE_ROUTE_CHANGED));
    part->so_far.trend = was;
    pass(&part->so_far.trend, 120, near, false);
    assert_near(value_of(EVIDENCE_ROUTE_CHANGED), 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_knocking_is_held_against_what_was_expected_since_the_onset),
        TEST(test_where_nothing_that_goes_in_is_seen_it_says_so),
        TEST(test_a_surge_before_it_is_held_against_the_usual_and_read_once),
        TEST(test_loss_is_what_is_sent_again_over_what_is_usual),
        TEST(test_routers_words_count_above_the_usual_until_later_they_follow_from_it),
        TEST(test_routers_are_not_heard_where_only_what_goes_in_is),
        TEST(test_paths_are_counted_that_fell_and_that_carry_on),
        TEST(test_a_path_by_which_something_still_comes_is_not_lost),
        TEST(test_services_that_failed_before_and_name_servers_are_counted),
        TEST(test_another_way_is_longer_or_shorter_and_not_only_slower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
