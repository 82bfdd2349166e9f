/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "stream.h"
#include "thinness.h"

static const double events_per_year = 1e6, alarms_per_year = 1;

/* Gives it so many steps in each of which one event is expected, until an alarm; returns the steps taken. */
static int run(struct thinness *thinness, int steps, double left, double shape, uint64_t *seed)
{
    for (int i = 0; i < steps; i++) {
        thinness_step(thinness, (double)stream_poisson(seed, left), 1, shape, 1, i * NS_PER_S);
        if (thinness_alarm(thinness, events_per_year, alarms_per_year) >= 0)
            return i;
    }
    return steps;
}

static void test_an_ordinary_stream_raises_no_alarm(void **state)
{
    (void)state;
    struct thinness thinness;
    uint64_t seed = 1;
    thinness_init(&thinness);
    assert_int_equal(run(&thinness, 100000, 1, 1e4, &seed), 100000);
}

/* The optimum for a known depth at so many false alarms lies at about 31 and 73 expected events. */
static void test_a_collapse_is_told_after_hardly_more_events_than_the_optimum(void **state)
{
    (void)state;
    static const double left[] = {0.25, 0.5}, optimum[] = {30.5, 72.7};
    for (int depth = 0; depth < 2; depth++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            struct thinness thinness;
            uint64_t chance = seed;
            thinness_init(&thinness);
            run(&thinness, 2000, 1, 1e4, &chance);
            sum += run(&thinness, 2000, left[depth], 1e4, &chance);
        }
        assert_true(sum / 200 > optimum[depth]);
        assert_true(sum / 200 < 1.5 * optimum[depth]);
    }
}

static void test_the_likeliest_level_is_named(void **state)
{
    (void)state;
    static const double left[THINNESS_LEVELS] = {0.05, 0.25, 0.5};
    for (int i = 0; i < THINNESS_LEVELS; i++) {
        struct thinness thinness;
        thinness_init(&thinness);
        int level = -1;
        for (int step = 0; step < 200 && level < 0; step++) {
            thinness_step(&thinness, left[i], 1, 1e4, 1, step * NS_PER_S);
            level = thinness_alarm(&thinness, events_per_year, alarms_per_year);
        }
        assert_int_equal(level, i);
    }
}

static void test_a_decline_within_what_is_not_known_of_the_rate_is_no_news(void **state)
{
    (void)state;
    struct thinness thinness;
    thinness_init(&thinness);
    for (int i = 0; i < 100000; i++) { /* the rate is known to a third, and a half of it is missing */
        thinness_step(&thinness, 0.5, 1, 9, 1, i * NS_PER_S);
        assert_int_equal(thinness_alarm(&thinness, events_per_year, alarms_per_year), -1);
    }
}

static void test_over_dispersed_counts_want_more_of_them(void **state)
{
    (void)state;
    struct thinness even, clustered;
    thinness_init(&even);
    thinness_init(&clustered);
    for (int i = 0; i < 20; i++) {
        thinness_step(&even, 0.1, 1, 1e4, 1, i * NS_PER_S);
        thinness_step(&clustered, 0.1, 1, 1e4, 4, i * NS_PER_S);
    }
    assert_true(even.level[0].height > 3 * clustered.level[0].height);
}

static void test_a_reset_starts_every_climb_anew(void **state)
{
    (void)state;
    struct thinness thinness;
    thinness_init(&thinness);
    for (int i = 0; i < 100; i++)
        thinness_step(&thinness, 0, 1, 1e4, 1, i * NS_PER_S);
    assert_true(thinness_alarm(&thinness, events_per_year, alarms_per_year) >= 0);
    assert_true(thinness_doubt(&thinness, events_per_year, alarms_per_year));
    thinness_reset(&thinness);
    assert_int_equal(thinness_alarm(&thinness, events_per_year, alarms_per_year), -1);
    assert_false(thinness_doubt(&thinness, events_per_year, alarms_per_year));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ordinary_stream_raises_no_alarm),
        cmocka_unit_test(test_a_collapse_is_told_after_hardly_more_events_than_the_optimum),
        cmocka_unit_test(test_the_likeliest_level_is_named),
        cmocka_unit_test(test_a_decline_within_what_is_not_known_of_the_rate_is_no_news),
        cmocka_unit_test(test_over_dispersed_counts_want_more_of_them),
        cmocka_unit_test(test_a_reset_starts_every_climb_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
