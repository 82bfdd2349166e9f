/* SPDX-License-Identifier: BSD-3-Clause */
/* Verdicts as the words of the contract define them, from circumstances that speak clearly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cause.h"

/* Everything fell silent in one step, the outside goes on knocking at its usual rate, and the tap sees. */
static struct cause_facts dark(void)
{
    struct cause_facts facts = {.kind = SCOPE_ALL, .control = true};
    cause_read(&facts, EVIDENCE_INBOUND_PERSISTS, 1, 1);
    cause_read(&facts, EVIDENCE_INBOUND_CEASED, 1, 1);
    cause_read(&facts, EVIDENCE_INBOUND_SURGE, 1, 1);
    cause_read(&facts, EVIDENCE_CLEAN_STEP, 1, 1);
    cause_read(&facts, EVIDENCE_RAMP, 1, 1);
    cause_read(&facts, EVIDENCE_ALL_PATHS, 2, -1);
    cause_read(&facts, EVIDENCE_ONE_PATH, 0, -1);
    return facts;
}

static void knock(struct cause_facts *facts, double ratio)
{
    cause_read(facts, EVIDENCE_INBOUND_PERSISTS, ratio, 1);
    cause_read(facts, EVIDENCE_INBOUND_CEASED, ratio, 1);
}

static struct event weighed(const struct cause_facts *facts)
{
    struct event event = {.evidence_count = 0};
    cause_weigh(facts, &event);
    return event;
}

static enum verdict verdict_of(const struct cause_facts *facts)
{
    struct event event = weighed(facts);
    int most = 0;
    for (int i = 1; i < VERDICT__COUNT; i++)
        if (event.probability[i] > event.probability[most])
            most = i;
    return (enum verdict)most;
}

static bool has_evidence(const struct event *event, enum evidence_kind kind)
{
    for (uint32_t i = 0; i < event->evidence_count; i++)
        if (event->evidence[i].kind == kind)
            return true;
    return false;
}

static void test_dark_behind_every_path_while_the_outside_knocks_is_internal(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    assert_int_equal(verdict_of(&facts), VERDICT_INTERNAL);
    struct event event = weighed(&facts);
    assert_true(has_evidence(&event, EVIDENCE_INBOUND_PERSISTS));
    assert_true(has_evidence(&event, EVIDENCE_ALL_PATHS));
}

static void test_when_knocking_ceased_too_it_is_withdrawal(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    knock(&facts, 0);
    assert_int_equal(verdict_of(&facts), VERDICT_WITHDRAWAL);
    struct event event = weighed(&facts);
    assert_true(has_evidence(&event, EVIDENCE_INBOUND_CEASED));
    assert_false(has_evidence(&event, EVIDENCE_INBOUND_PERSISTS));
}

static void test_routers_that_report_it_unreachable_speak_for_withdrawal(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    knock(&facts, 0.12);
    double before = weighed(&facts).probability[VERDICT_WITHDRAWAL];
    cause_read(&facts, EVIDENCE_ICMP_NO_ROUTE, 20, 0);
    struct event event = weighed(&facts);
    assert_true(event.probability[VERDICT_WITHDRAWAL] > before);
    assert_true(has_evidence(&event, EVIDENCE_ICMP_NO_ROUTE));
}

static void test_where_routers_are_not_heard_home_and_road_look_alike(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    cause_read(&facts, EVIDENCE_ROUTERS_UNHEARD, 1, -1);
    assert_int_equal(verdict_of(&facts), VERDICT_UNKNOWN);
    struct event event = weighed(&facts);
    assert_true(has_evidence(&event, EVIDENCE_ROUTERS_UNHEARD));
    cause_read(&facts, EVIDENCE_INBOUND_SURGE, 200, 1);
    assert_int_equal(verdict_of(&facts), VERDICT_ATTACK);
}

static void test_a_surge_that_led_into_it_is_an_attack(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    cause_read(&facts, EVIDENCE_INBOUND_SURGE, 200, 1);
    assert_int_equal(verdict_of(&facts), VERDICT_ATTACK);
    struct event event = weighed(&facts);
    assert_true(has_evidence(&event, EVIDENCE_INBOUND_SURGE));
}

static void test_one_path_dark_while_another_carries_on_is_upstream(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    facts.kind = SCOPE_PATH;
    cause_read(&facts, EVIDENCE_ALL_PATHS, 0, -1);
    cause_read(&facts, EVIDENCE_ONE_PATH, 1, -1);
    cause_read(&facts, EVIDENCE_OTHERS_UP, 1, -1);
    assert_int_equal(verdict_of(&facts), VERDICT_UPSTREAM);
    struct event event = weighed(&facts);
    assert_true(has_evidence(&event, EVIDENCE_ONE_PATH));
    assert_true(has_evidence(&event, EVIDENCE_OTHERS_UP));
}

static void test_a_service_alone_is_the_service(void **state)
{
    (void)state;
    struct cause_facts facts = {.kind = SCOPE_SERVICE, .control = true};
    knock(&facts, 1);
    cause_read(&facts, EVIDENCE_OTHERS_UP, 9, -1);
    assert_int_equal(verdict_of(&facts), VERDICT_SERVICE);
}

static void test_a_prefix_alone_is_not_put_down_to_a_path_that_is_up(void **state)
{
    (void)state;
    struct cause_facts facts = {.kind = SCOPE_PREFIX, .control = true};
    knock(&facts, 1);
    cause_read(&facts, EVIDENCE_OTHERS_UP, 3, -1);
    assert_int_not_equal(verdict_of(&facts), VERDICT_UPSTREAM);
    assert_int_not_equal(verdict_of(&facts), VERDICT_SERVICE);
}

/* Internal means everything behind every path. */
static void test_nothing_is_internal_while_a_path_carries_on(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    cause_read(&facts, EVIDENCE_ALL_PATHS, 0, -1);
    cause_read(&facts, EVIDENCE_ONE_PATH, 1, -1);
    assert_int_not_equal(verdict_of(&facts), VERDICT_INTERNAL);
}

static void test_where_nothing_is_known_it_says_so(void **state)
{
    (void)state;
    struct cause_facts facts = {.kind = SCOPE_ALL, .control = true};
    assert_int_equal(verdict_of(&facts), VERDICT_UNKNOWN);
    assert_int_equal(weighed(&facts).evidence_count, 0);
    facts.kind = SCOPE_PATH;
    assert_int_equal(verdict_of(&facts), VERDICT_UNKNOWN);
}

/* Circumstances of every kind and size, drawn at random; those that exclude each other do not meet. */
static void for_all_facts(void (*check)(const struct cause_facts *facts))
{
    static const double values[] = {0, 0.05, 0.3, 0.6, 1, 2, 4, 50, 1e9};
    uint64_t seed = 1;
    for (int n = 0; n < 20000; n++) {
        struct cause_facts facts = {.kind = (enum scope_kind)(n % 4), .control = n % 5 != 0};
        for (int kind = 0; kind < EVIDENCE__COUNT; kind++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            if (seed >> 63)
                cause_read(&facts, (enum evidence_kind)kind, values[(seed >> 40) % 9], 1);
        }
        if (facts.reading[EVIDENCE_ONE_PATH].value > 0)
            cause_read(&facts, EVIDENCE_ALL_PATHS, 0, -1);
        check(&facts);
    }
}

static void check_sound(const struct cause_facts *facts)
{
    struct event event = weighed(facts);
    double sum = 0;
    for (int i = 0; i < VERDICT__COUNT; i++) {
        assert_true(event.probability[i] >= 0 && event.probability[i] <= 1);
        sum += event.probability[i];
    }
    assert_true(fabs(sum - 1) < 1e-9);
    assert_true(event.evidence_count <= EVENT_EVIDENCE_MAX);
    for (uint32_t i = 0; i < event.evidence_count; i++)
        assert_true(event.evidence[i].kind < EVIDENCE__COUNT && isfinite(event.evidence[i].value));
    for (uint32_t i = 1; i < event.evidence_count; i++)
        assert_true(fabs(event.evidence[i].weight) <= fabs(event.evidence[i - 1].weight));
}

static void test_probabilities_are_such_whatever_the_circumstances(void **state)
{
    (void)state;
    for_all_facts(check_sound);
}

static void check_unknown_without_control(const struct cause_facts *facts)
{
    struct cause_facts without = *facts;
    without.control = false;
    assert_int_equal(verdict_of(&without), VERDICT_UNKNOWN);
    struct event event = weighed(&without);
    assert_true(has_evidence(&event, EVIDENCE_NO_CONTROL));
}

static void test_without_control_it_is_unknown_whatever_the_circumstances(void **state)
{
    (void)state;
    for_all_facts(check_unknown_without_control);
}

static void check_verdict_of_kind(const struct cause_facts *facts)
{
    enum verdict verdict = verdict_of(facts);
    if (verdict == VERDICT_SERVICE)
        assert_int_equal(facts->kind, SCOPE_SERVICE);
    if (verdict == VERDICT_UPSTREAM)
        assert_true(facts->reading[EVIDENCE_ONE_PATH].value > 0 ||
                    facts->reading[EVIDENCE_ROUTE_CHANGED].value > 0);
    if (verdict == VERDICT_INTERNAL)
        assert_int_equal(facts->kind, SCOPE_ALL);
}

static void test_a_verdict_never_contradicts_its_own_words(void **state)
{
    (void)state;
    for_all_facts(check_verdict_of_kind);
}

static void test_weighing_again_replaces_the_evidence(void **state)
{
    (void)state;
    struct cause_facts facts = dark();
    struct event event = weighed(&facts);
    uint32_t count = event.evidence_count;
    for (int i = 0; i < 20; i++)
        cause_weigh(&facts, &event);
    assert_int_equal(event.evidence_count, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dark_behind_every_path_while_the_outside_knocks_is_internal),
        cmocka_unit_test(test_when_knocking_ceased_too_it_is_withdrawal),
        cmocka_unit_test(test_routers_that_report_it_unreachable_speak_for_withdrawal),
        cmocka_unit_test(test_where_routers_are_not_heard_home_and_road_look_alike),
        cmocka_unit_test(test_a_surge_that_led_into_it_is_an_attack),
        cmocka_unit_test(test_one_path_dark_while_another_carries_on_is_upstream),
        cmocka_unit_test(test_a_service_alone_is_the_service),
        cmocka_unit_test(test_a_prefix_alone_is_not_put_down_to_a_path_that_is_up),
        cmocka_unit_test(test_nothing_is_internal_while_a_path_carries_on),
        cmocka_unit_test(test_where_nothing_is_known_it_says_so),
        cmocka_unit_test(test_probabilities_are_such_whatever_the_circumstances),
        cmocka_unit_test(test_without_control_it_is_unknown_whatever_the_circumstances),
        cmocka_unit_test(test_a_verdict_never_contradicts_its_own_words),
        cmocka_unit_test(test_weighing_again_replaces_the_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
