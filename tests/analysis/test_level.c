/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "level.h"
#include "stream.h"

static double normal(uint64_t *seed)
{
    double radius = sqrt(-2 * log(1 - stream_uniform(seed)));
    return radius * cos(6.283185307179586 * stream_uniform(seed));
}

/* Goes through `hours` of a stream of so many events a minute whose level is log-normal with this deviation
 * and remembers for so long. Events come in groups. Returns the mean square of what the level is off, over
 * the second half. */
static double live_through(struct level *level, int hours, double per_minute, unsigned group,
                           double deviation, double memory_s, uint64_t seed)
{
    double wander = normal(&seed), keep = exp(-60 / memory_s), off = 0;
    for (int i = 0; i < hours * 60; i++) {
        double truth = exp(deviation * wander - deviation * deviation / 2);
        double seen = group * (double)stream_poisson(&seed, per_minute * truth / group);
        level_learn(level, seen, per_minute, 60);
        wander = keep * wander + sqrt(1 - keep * keep) * normal(&seed);
        if (i >= hours * 30)
            off += pow(level_at_present(level).factor - truth, 2) / (hours * 30);
    }
    return off;
}

static void test_at_first_the_level_is_one(void **state)
{
    (void)state;
    struct level level;
    level_init(&level);
    assert_true(fabs(level_at_present(&level).factor - 1) < 1e-9);
    assert_true(level_wanders(&level)); /* for all that is known */
}

static void test_a_steady_level_stays_at_one(void **state)
{
    (void)state;
    struct level level;
    level_init(&level);
    double off = live_through(&level, 1000, 2, 1, 0, 3600, 1);
    assert_false(level_wanders(&level));
    assert_true(sqrt(off) < 0.03);
    assert_true(level_at_present(&level).shape > 1000);
}

static void test_a_wandering_level_is_measured(void **state)
{
    (void)state;
    double wander = 0, memory_s = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct level level;
        level_init(&level);
        live_through(&level, 2000, 10, 1, 0.3, 6 * 3600, seed);
        assert_true(level_wanders(&level));
        wander += level.wander / 10;
        memory_s += 0.1 / level.fade_per_s;
    }
    assert_true(fabs(wander - 0.09) < 0.03);
    assert_true(memory_s > 2 * 3600 && memory_s < 9 * 3600);
}

static void test_a_wandering_level_is_followed(void **state)
{
    (void)state;
    struct level level;
    level_init(&level);
    /* It has a deviation of 0.3; the best filter leaves 0.09 at this rate. */
    assert_true(sqrt(live_through(&level, 2000, 10, 1, 0.3, 6 * 3600, 2)) < 0.13);
}

/* Where an hour holds a handful of events, wandering shows in none of them. */
static void test_a_thin_stream_that_wanders_is_not_taken_to_be_clustered_only(void **state)
{
    (void)state;
    struct level level;
    level_init(&level);
    live_through(&level, 8000, 0.2, 2, 0.5, 12 * 3600, 3);
    assert_true(level_wanders(&level));
}

static void test_clusters_are_no_wandering(void **state)
{
    (void)state;
    struct level level;
    level_init(&level);
    live_through(&level, 2000, 2, 4, 0, 3600, 4);
    assert_true(fabs(level.dispersion - 4) < 1.5);
    assert_false(level_wanders(&level));
}

static void test_a_level_that_never_comes_back_is_followed_in_days(void **state)
{
    (void)state;
    struct level level;
    uint64_t seed = 5;
    level_init(&level);
    live_through(&level, 500, 2, 1, 0, 3600, seed);
    for (int i = 0; i < 48 * 60; i++)
        level_learn(&level, (double)stream_poisson(&seed, 4), 2, 60);
    assert_true(level_at_present(&level).factor > 1.6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_first_the_level_is_one),
        cmocka_unit_test(test_a_steady_level_stays_at_one),
        cmocka_unit_test(test_a_wandering_level_is_measured),
        cmocka_unit_test(test_a_wandering_level_is_followed),
        cmocka_unit_test(test_a_thin_stream_that_wanders_is_not_taken_to_be_clustered_only),
        cmocka_unit_test(test_clusters_are_no_wandering),
        cmocka_unit_test(test_a_level_that_never_comes_back_is_followed_in_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
