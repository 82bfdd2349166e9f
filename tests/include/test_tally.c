/* SPDX-License-Identifier: BSD-3-Clause */
/* What adds up over intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "scope.h"
#include "tally.h"

enum { MINUTE = 60 };

static void address_of(unsigned host, uint8_t address[16])
{
    memset(address, 0, 16);
    address[14] = (uint8_t)(host >> 8);
    address[15] = (uint8_t)host;
}

static void report(struct tally *tally, unsigned host, enum report kind, unsigned times)
{
    uint8_t address[16];
    address_of(host, address);
    for (unsigned i = 0; i < times; i++)
        reporters_add(tally->reporter, address, kind);
}

static const struct tally_reporter *find(const struct tally *tally, unsigned host)
{
    uint8_t address[16];
    address_of(host, address);
    for (int i = 0; i < TALLY_REPORTERS; i++)
        if (reporter_rank(&tally->reporter[i]) > 0 && memcmp(tally->reporter[i].address, address, 16) == 0)
            return &tally->reporter[i];
    return NULL;
}

static void assert_reporter(const struct tally *tally, unsigned host, unsigned unreachable,
                            unsigned prohibited, unsigned exceeded, unsigned more)
{
    const struct tally_reporter *found = find(tally, host);
    assert_non_null(found);
    assert_int_equal(found->unreachable, unreachable);
    assert_int_equal(found->prohibited, prohibited);
    assert_int_equal(found->exceeded, exceeded);
    assert_int_equal(found->more, more);
}

static void test_up_to_four_reporters_are_counted_by_kind(void **state)
{
    (void)state;
    struct tally tally = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
    report(&tally, 1, REPORT_UNREACHABLE, 3);
    report(&tally, 2, REPORT_PROHIBITED, 1);
    report(&tally, 3, REPORT_EXCEEDED, 9);
    report(&tally, 0, REPORT_EXCEEDED, 1); /* the address :: is one like any other */
    report(&tally, 1, REPORT_EXCEEDED, 2);
    assert_reporter(&tally, 1, 3, 0, 2, 0);
    assert_reporter(&tally, 2, 0, 1, 0, 0);
    assert_reporter(&tally, 3, 0, 0, 9, 0);
    assert_reporter(&tally, 0, 0, 0, 1, 0);
}

static void test_a_fifth_takes_the_place_of_the_least_and_says_what_it_may_have_missed(void **state)
{
    (void)state;
    struct tally tally = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
    for (unsigned host = 1; host <= 4; host++)
        report(&tally, host, REPORT_UNREACHABLE, 10 - host);
    report(&tally, 5, REPORT_EXCEEDED, 2);
    assert_null(find(&tally, 4));
    assert_reporter(&tally, 5, 0, 0, 2, 6);
    assert_reporter(&tally, 1, 9, 0, 0, 0);
}

static void test_whoever_sends_more_than_a_quarter_is_never_lost(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
    uint32_t seed = 7, sent = 0;
    for (int interval = 0; interval < 12; interval++) {
        struct tally tally = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
        for (int i = 0; i < 500; i++) {
            seed = seed * 1664525 + 1013904223;
            bool is_router = seed >> 16 < 0x6000; /* three of eight; the others are one of 200 */
            sent += is_router;
            report(&tally, is_router ? 1000 : (seed >> 8) % 200, REPORT_UNREACHABLE, 1);
        }
        tally_add(&sum, &tally);
    }
    const struct tally_reporter *router = find(&sum, 1000);
    assert_non_null(router);
    assert_ptr_equal(router, &sum.reporter[0]);
    assert_true(router->unreachable <= sent && sent <= reporter_rank(router));
}

static void test_reporters_add_up_over_intervals(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN), none = sum, more = sum;
    report(&sum, 1, REPORT_UNREACHABLE, 1);
    report(&sum, 2, REPORT_UNREACHABLE, 5);
    tally_add(&sum, &none);
    assert_reporter(&sum, 1, 1, 0, 0, 0);
    report(&more, 1, REPORT_EXCEEDED, 7);
    report(&more, 3, REPORT_PROHIBITED, 2);
    tally_add(&sum, &more);
    assert_reporter(&sum, 1, 1, 0, 7, 0);
    assert_reporter(&sum, 2, 5, 0, 0, 0);
    assert_reporter(&sum, 3, 0, 2, 0, 0);
    assert_ptr_equal(find(&sum, 1), &sum.reporter[0]); /* the highest first */
    assert_int_equal(reporter_rank(&sum.reporter[3]), 0);
}

static void test_of_two_full_lists_the_highest_stay_with_what_they_may_have_missed(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN), more = sum;
    for (unsigned host = 1; host <= 4; host++) {
        report(&sum, host, REPORT_UNREACHABLE, 10 * host);
        report(&more, host + 2, REPORT_EXCEEDED, 100 * host);
    }
    tally_add(&sum, &more);
    assert_reporter(&sum, 6, 0, 0, 400, 10); /* the least of the first list had 10 */
    assert_reporter(&sum, 5, 0, 0, 300, 10);
    assert_reporter(&sum, 4, 40, 0, 200, 0); /* in both */
    assert_reporter(&sum, 3, 30, 0, 100, 0);
}

static void test_legs_add_up_and_sets_join(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN), more = sum;
    sum.leg[0] = 5;
    more.leg[0] = 7;
    more.leg[15] = 1;
    sum.legs_in = 1;
    more.legs_in = 0x8000;
    more.legs_out = 3;
    tally_add(&sum, &more);
    assert_int_equal(sum.leg[0], 12);
    assert_int_equal(sum.leg[15], 1);
    assert_int_equal(sum.legs_in, 0x8001);
    assert_int_equal(sum.legs_out, 3);
}

static void test_further_measures_add_up_and_are_known_where_both_know_them(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
    struct tally more = tally_empty(MINUTE, 2 * MINUTE, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_control));
    sum.value[TALLY_handshake_us] = more.value[TALLY_handshake_us] = 150000;
    tally_add(&sum, &more);
    assert_int_equal(sum.value[TALLY_handshake_us], 300000);
    assert_int_equal(sum.known, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_control));
}

static void test_the_spans_of_every_kind_of_life_widen(void **state)
{
    (void)state;
    struct tally sum = tally_empty(0, MINUTE, TALLY_ALL_KNOWN);
    struct tally more = tally_empty(MINUTE, 2 * MINUTE, TALLY_ALL_KNOWN), last = more;
    struct tally_span *spans[] = {&sum.live, &sum.answered, &sum.proven, &sum.acked, &sum.in, &sum.out};
    more.live = more.answered = more.proven = more.acked = more.in = more.out = (struct tally_span){70, 80};
    last.live = last.answered = last.proven = last.acked = last.in = last.out = (struct tally_span){90, 95};
    tally_add(&sum, &more);
    tally_add(&sum, &last);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(spans[i]->first_ns, 70);
        assert_int_equal(spans[i]->last_ns, 95);
    }
    last.proven = (struct tally_span){TIME_NONE, TIME_NONE};
    tally_add(&sum, &last);
    assert_int_equal(sum.proven.last_ns, 95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up_to_four_reporters_are_counted_by_kind),
        cmocka_unit_test(test_a_fifth_takes_the_place_of_the_least_and_says_what_it_may_have_missed),
        cmocka_unit_test(test_whoever_sends_more_than_a_quarter_is_never_lost),
        cmocka_unit_test(test_reporters_add_up_over_intervals),
        cmocka_unit_test(test_of_two_full_lists_the_highest_stay_with_what_they_may_have_missed),
        cmocka_unit_test(test_legs_add_up_and_sets_join),
        cmocka_unit_test(test_the_spans_of_every_kind_of_life_widen),
        cmocka_unit_test(test_further_measures_add_up_and_are_known_where_both_know_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
