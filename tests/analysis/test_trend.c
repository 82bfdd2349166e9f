/* SPDX-License-Identifier: BSD-3-Clause */
/* How a measure goes: of late, usually, and from a mark to now. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trend.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

/* So many steps in which so much came of packets_in a step. Returns where it ends. */
static int64_t go(struct trend *trend, int64_t at_ns, int steps, uint64_t packets, bool usual)
{
    for (int i = 0; i < steps; i++, at_ns += STEP) {
        struct tally tally = tally_empty(at_ns, at_ns + STEP, TALLY_ALL_KNOWN);
        tally.value[TALLY_packets_in] = packets;
        tally.value[TALLY_bytes_in] = 60 * packets;
        trend_step(trend, &tally, usual);
    }
    return at_ns;
}

static bool near(double value, double wanted)
{
    return fabs(value - wanted) < 0.02 * fabs(wanted) + 1e-9;
}

static void test_what_is_steady_is_as_usual_from_the_first_hour(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    int64_t at_ns = go(&trend, START, 300, 10, true);
    assert_true(trend_surge(&trend, TALLY_packets_in, 0) < 0); /* twenty-five minutes say nothing */
    go(&trend, at_ns, 420, 10, true);
    assert_true(near(trend_fast(&trend, TALLY_packets_in), 2));
    assert_true(near(trend_usual(&trend, TALLY_packets_in), 2));
    assert_true(near(trend_surge(&trend, TALLY_packets_in, 0), 1));
}

static void test_a_surge_shows_within_minutes(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    int64_t at_ns = go(&trend, START, 17280, 10, true);
    go(&trend, at_ns, 180, 200, true); /* a quarter of an hour at twenty times as much */
    double surge = trend_surge(&trend, TALLY_packets_in, 0);
    assert_true(surge > 8 && surge < 20);
    assert_true(trend_surge(&trend, TALLY_packets_in, 100) < 2); /* beside a hundred a second it is little */
}

static void test_what_is_not_ordinary_does_not_become_usual(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    int64_t at_ns = go(&trend, START, 17280, 10, true);
    go(&trend, at_ns, 17280, 0, false);
    assert_true(near(trend_usual(&trend, TALLY_packets_in), 2));
    assert_true(trend_fast(&trend, TALLY_packets_in) < 1e-9);
}

static void test_months_do_not_wear_it_out(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    int64_t at_ns = go(&trend, START, 3 * 17280, 10, true); /* its unit grew by e^288 and was begun anew */
    assert_true(near(trend_fast(&trend, TALLY_packets_in), 2));
    assert_true(near(trend_usual(&trend, TALLY_packets_in), 2));
    go(&trend, at_ns, 720, 0, true);
    assert_true(trend_fast(&trend, TALLY_packets_in) < 0.05);
    assert_true(near(trend_mean_usual(&trend, TALLY_bytes_in, TALLY_packets_in), 60));
}

static void test_from_a_mark_to_now_only_what_came_between_counts(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    int64_t at_ns = go(&trend, START, 100, 10, true);
    struct trend mark = trend;
    assert_true(trend_mean_since(&mark, &trend, TALLY_bytes_in, TALLY_packets_in) < 0);
    go(&trend, at_ns, 12, 30, true);
    assert_true(near(trend_since(&mark, &trend, TALLY_packets_in), 360));
    assert_true(near(trend_rate_since(&mark, &trend, TALLY_packets_in), 6));
    assert_true(near(trend_mean_since(&mark, &trend, TALLY_bytes_in, TALLY_packets_in), 60));
    assert_true(near(trend_mean_fast(&trend, TALLY_bytes_in, TALLY_packets_in), 60));
    assert_true(near(trend_mean_usual(&trend, TALLY_bytes_in, TALLY_packets_in), 60));
}

static void test_what_is_not_known_counts_as_nothing(void **state)
{
    (void)state;
    struct trend trend;
    memset(&trend, 0, sizeof trend);
    struct tally tally = tally_empty(START, START + STEP, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_packets_in));
    tally.value[TALLY_packets_in] = 7;
    trend_step(&trend, &tally, true);
    assert_true(trend.total[TALLY_packets_in] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_steady_is_as_usual_from_the_first_hour),
        cmocka_unit_test(test_a_surge_shows_within_minutes),
        cmocka_unit_test(test_what_is_not_ordinary_does_not_become_usual),
        cmocka_unit_test(test_months_do_not_wear_it_out),
        cmocka_unit_test(test_from_a_mark_to_now_only_what_came_between_counts),
        cmocka_unit_test(test_what_is_not_known_counts_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
