/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream.h"
#include "surge.h"

#define HOUR 3600

/* So many minutes of so many times the usual, of which ten come a minute. Returns for how many of them there
 * was a surge. */
static int live_through(struct surge *surge, int minutes, double times, double learned_s, uint64_t *seed)
{
    int surges = 0;
    for (int i = 0; i < minutes; i++) {
        const struct surge_input input = {.seconds = 60,
                                          .events = (double)stream_poisson(seed, 10 * times),
                                          .usual = 10,
                                          .dispersion = 1.5,
                                          .learned_s = learned_s};
        surges += surge_take(surge, &input);
        assert_int_equal(surge_is_on(surge), surge->on && !surge->believed);
    }
    return surges;
}

static void test_what_is_usual_is_no_surge(void **state)
{
    (void)state;
    struct surge surge = {0};
    uint64_t seed = 1;
    assert_int_equal(live_through(&surge, 60 * 24 * 60, 1, 7 * 24 * HOUR, &seed), 0);
    assert_int_equal(live_through(&surge, 24 * 60, 1.5, 7 * 24 * HOUR, &seed), 0);
}

static void test_a_flood_is_one_from_its_first_interval_and_ends_soon_after_it(void **state)
{
    (void)state;
    struct surge surge = {0};
    uint64_t seed = 2;
    live_through(&surge, 600, 1, 24 * HOUR, &seed);
    assert_int_equal(live_through(&surge, 30, 100, 24 * HOUR, &seed), 30);
    int after = live_through(&surge, 60, 1, 24 * HOUR, &seed);
    assert_true(after > 0 && after < 10);
}

static void test_what_lasts_is_normal_too(void **state)
{
    (void)state;
    struct surge surge = {0};
    uint64_t seed = 3;
    /* After a day of learning a quarter of it, after a month a week, after an hour half an hour. */
    assert_int_equal(live_through(&surge, 600, 8, 24 * HOUR, &seed), 6 * 60 - 1);
    surge = (struct surge){0};
    assert_int_equal(live_through(&surge, 8 * 24 * 60, 8, 30 * 24 * HOUR, &seed), 7 * 24 * 60 - 1);
    surge = (struct surge){0};
    assert_int_equal(live_through(&surge, 600, 8, HOUR, &seed), 29);
}

/* A network that works by day, known from its first night: what it does is soon believed. A flood now and
 * then never is. */
static void test_surges_that_come_often_are_believed_and_rare_ones_are_not(void **state)
{
    (void)state;
    struct surge surge = {0};
    uint64_t seed = 4;
    int disputed = 0;
    for (int day = 0; day < 3; day++) {
        disputed += live_through(&surge, 10 * 60, 8, 15 * HOUR, &seed);
        live_through(&surge, 14 * 60, 1, 15 * HOUR, &seed);
    }
    assert_true(disputed < 3 * 5 * 60);
    surge = (struct surge){0};
    disputed = 0;
    for (int day = 0; day < 30; day++) {
        disputed += live_through(&surge, 60, 100, 7 * 24 * HOUR, &seed);
        live_through(&surge, 23 * 60, 1, 7 * 24 * HOUR, &seed);
    }
    assert_true(disputed >= 30 * 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_usual_is_no_surge),
        cmocka_unit_test(test_a_flood_is_one_from_its_first_interval_and_ends_soon_after_it),
        cmocka_unit_test(test_what_lasts_is_normal_too),
        cmocka_unit_test(test_surges_that_come_often_are_believed_and_rare_ones_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
