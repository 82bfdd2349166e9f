/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "baseline.h"
#include "clock.h"
#include "stream.h"

#define HOUR_NS (3600 * NS_PER_S)
#define START   (1749038400 * NS_PER_S) /* 2025-06-04T12:00:00Z */

static const double half_life_s = 14 * 86400;
static const struct baseline_scatter poisson = {1, 0};

static struct baseline_rate rate_at(const struct baseline *baseline, int64_t at_ns,
                                    struct baseline_scatter scatter)
{
    struct baseline_lending lending = baseline_lending(baseline, scatter);
    return baseline_at(baseline, at_ns, &lending);
}

/* A minute's rate at an hour of a day that is a wave, highest at six. */
static double wave_at(int hour)
{
    return 0.167 * (1 + 0.8 * sin(6.283185307179586 * hour / 24));
}

/* Learns `hours` of a stream of `per_minute`, minute by minute. */
static void learn(struct baseline *baseline, int64_t from_ns, int hours, double per_minute, uint64_t *seed)
{
    for (int i = 0; i < hours * 60; i++)
        baseline_learn(baseline, from_ns + i * 60 * NS_PER_S, from_ns + (i + 1) * 60 * NS_PER_S,
                       (double)stream_poisson(seed, per_minute));
}

static void test_nothing_learned_expects_nothing(void **state)
{
    (void)state;
    struct baseline baseline;
    baseline_init(&baseline, half_life_s);
    assert_true(rate_at(&baseline, START, poisson).per_s <= 0);
    assert_true(baseline_learned(&baseline).events <= 0);
}

static void test_an_event_at_the_instant_at_which_the_watch_begins_is_no_rate_yet(void **state)
{
    (void)state;
    struct baseline baseline;
    baseline_init(&baseline, half_life_s);
    baseline_learn(&baseline, START, START, 1);
    assert_true(rate_at(&baseline, START, poisson).per_s <= 0);
    baseline_learn(&baseline, START, START + 10 * NS_PER_S, 1);
    assert_true(fabs(rate_at(&baseline, START, poisson).per_s - 0.2) < 0.1);
}

static void test_a_flat_stream_is_learned_to_its_rate(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 1;
    baseline_init(&baseline, half_life_s);
    learn(&baseline, START, 48, 7, &seed);
    struct baseline_rate rate = rate_at(&baseline, START + 25 * HOUR_NS, poisson);
    assert_true(fabs(rate.per_s * 60 - 7) < 0.7);
    assert_true(rate.shape > 300);
}

static void test_night_and_day_are_told_apart(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 2;
    baseline_init(&baseline, half_life_s);
    for (int day = 0; day < 7; day++) {
        learn(&baseline, START + day * 24 * HOUR_NS, 12, 10, &seed);
        learn(&baseline, START + (day * 24 + 12) * HOUR_NS, 12, 1, &seed);
    }
    double noon = rate_at(&baseline, START + (7 * 24 + 5) * HOUR_NS, poisson).per_s * 60;
    double night = rate_at(&baseline, START + (7 * 24 + 18) * HOUR_NS, poisson).per_s * 60;
    assert_true(fabs(noon - 10) < 1);
    assert_true(fabs(night - 1) < 0.25);
}

static void test_an_hour_never_seen_is_known_only_roughly(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 3;
    baseline_init(&baseline, half_life_s);
    learn(&baseline, START, 6, 30, &seed);
    struct baseline_rate seen = rate_at(&baseline, START + 2 * HOUR_NS, poisson);
    struct baseline_rate unseen = rate_at(&baseline, START + 10 * HOUR_NS, poisson);
    assert_true(unseen.per_s > 0);
    assert_true(seen.shape > 1000);
    assert_true(unseen.shape < 250);
}

static void test_hours_that_are_alike_are_known_together(void **state)
{
    (void)state;
    /* Five hundred events in three and a half days: some twenty of each hour of the day. */
    double shapes = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct baseline baseline;
        uint64_t chance = seed;
        baseline_init(&baseline, half_life_s);
        learn(&baseline, START, 84, 0.1, &chance);
        struct baseline_rate rate = rate_at(&baseline, START + 84 * HOUR_NS, poisson);
        assert_true(fabs(rate.per_s * 60 - 0.1) < 0.03);
        shapes += rate.shape;
    }
    assert_true(shapes / 20 > 60);
}

static void test_an_hour_to_come_is_known_once_many_were_alike(void **state)
{
    (void)state;
    struct baseline few, many;
    uint64_t seed = 6;
    baseline_init(&few, half_life_s);
    baseline_init(&many, half_life_s);
    learn(&few, START, 2, 10, &seed);
    learn(&many, START, 16, 10, &seed);
    double after_few = rate_at(&few, START + 2 * HOUR_NS, poisson).shape;
    double after_many = rate_at(&many, START + 16 * HOUR_NS, poisson).shape;
    assert_true(after_few < 60);
    assert_true(after_many > 2 * after_few);
}

static void test_an_hour_is_known_by_those_beside_it_where_the_day_is_a_wave(void **state)
{
    (void)state;
    /* A fortnight, between two and eighteen a day and hour: half the doubt of an hour alone. */
    double shapes = 0, worst = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct baseline baseline;
        uint64_t chance = seed;
        baseline_init(&baseline, half_life_s);
        for (int hour = 0; hour < 14 * 24; hour++)
            learn(&baseline, START + hour * HOUR_NS, 1, wave_at(hour), &chance);
        struct baseline_rate rate = rate_at(&baseline, START + (14 * 24 + 6) * HOUR_NS, poisson);
        shapes += rate.shape / (baseline.day[6].events / baseline.unit) / 20;
        worst = fmax(worst, fabs(rate.per_s * 60 / wave_at(6) - 1));
    }
    assert_true(shapes > 1.5);
    assert_true(worst < 0.3);
}

static void test_hours_that_differ_say_little_of_each_other(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 7;
    baseline_init(&baseline, half_life_s);
    learn(&baseline, START, 6, 10, &seed);
    learn(&baseline, START + 6 * HOUR_NS, 6, 2, &seed);
    learn(&baseline, START + 12 * HOUR_NS, 6, 10, &seed);
    assert_true(rate_at(&baseline, START + 18 * HOUR_NS, poisson).shape < 40);
}

static void test_a_weekend_is_told_from_the_days_before(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 8;
    baseline_init(&baseline, half_life_s);
    for (int day = 0; day < 28; day++)
        learn(&baseline, START + day * 24 * HOUR_NS, 24, day % 7 == 3 || day % 7 == 4 ? 4 : 8, &seed);
    double monday = rate_at(&baseline, START + (28 * 24 + 5 * 24 + 6) * HOUR_NS, poisson).per_s * 60;
    double saturday = rate_at(&baseline, START + (28 * 24 + 3 * 24 + 6) * HOUR_NS, poisson).per_s * 60;
    assert_true(fabs(monday - 8) < 0.8);
    assert_true(fabs(saturday - 4) < 0.5);
}

static void test_clustered_or_wandering_counts_tell_less(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 9;
    baseline_init(&baseline, half_life_s);
    learn(&baseline, START, 7 * 24, 2, &seed);
    int64_t at_ns = START + 7 * 24 * HOUR_NS;
    double even = rate_at(&baseline, at_ns, poisson).shape;
    assert_true(rate_at(&baseline, at_ns, (struct baseline_scatter){4, 0}).shape < 0.8 * even);
    assert_true(rate_at(&baseline, at_ns, (struct baseline_scatter){1, 0.1}).shape < 0.8 * even);
}

static void test_the_old_level_is_forgotten_by_half_in_a_half_life_of_learning(void **state)
{
    (void)state;
    struct baseline baseline;
    uint64_t seed = 4;
    baseline_init(&baseline, 86400);
    learn(&baseline, START, 24, 10, &seed);
    double before = baseline_learned(&baseline).events;
    learn(&baseline, START + 24 * HOUR_NS, 24, 0, &seed);
    assert_true(fabs(baseline_learned(&baseline).events / before - 0.5) < 0.01);
}

static void test_nothing_is_forgotten_while_nothing_is_learned(void **state)
{
    (void)state;
    struct baseline through, interrupted;
    uint64_t seed = 4, same = 4;
    baseline_init(&through, 86400);
    baseline_init(&interrupted, 86400);
    learn(&through, START, 24, 10, &seed);
    learn(&through, START + 24 * HOUR_NS, 1, 10, &seed);
    learn(&interrupted, START, 24, 10, &same);
    learn(&interrupted, START + 10 * 24 * HOUR_NS, 1, 10, &same); /* after an outage of nine days */
    double before = baseline_learned(&through).events, after = baseline_learned(&interrupted).events;
    assert_true(fabs(after - before) < 1e-6 * before);
}

static void test_centuries_do_not_overflow_the_unit(void **state)
{
    (void)state;
    struct baseline baseline;
    baseline_init(&baseline, 3600);
    for (int day = 0; day < 400; day++)
        baseline_learn(&baseline, START + day * 24 * HOUR_NS, START + day * 24 * HOUR_NS + 60 * NS_PER_S, 5);
    struct baseline_rate rate = rate_at(&baseline, START + 400LL * 24 * HOUR_NS, poisson);
    assert_true(isfinite(rate.per_s) && rate.per_s > 0 && isfinite(rate.shape));
}

static void test_a_silence_of_a_century_does_not_overflow_the_unit(void **state)
{
    (void)state;
    struct baseline baseline;
    const int64_t to_ns = START + 100LL * 365 * 24 * HOUR_NS;
    baseline_init(&baseline, half_life_s);
    baseline_learn(&baseline, START, START + HOUR_NS, 100);
    baseline_learn(&baseline, START + HOUR_NS, to_ns, 1);
    struct baseline_rate rate = rate_at(&baseline, to_ns, poisson);
    assert_true(isfinite(rate.per_s) && rate.per_s > 0 && isfinite(rate.shape));
}

static void test_low_is_the_thousandth_of_a_poisson_when_the_rate_is_known(void **state)
{
    (void)state;
    /* Poisson(20): P(N <= 7) = 0.00078, P(N <= 8) = 0.0021. */
    assert_int_equal((int)baseline_low(20, 1e9, 0.001), 8);
    assert_int_equal((int)baseline_low(5, 1e9, 0.001), 0); /* P(0) = 0.0067: nothing is too low */
    assert_true(baseline_low(20, 4, 0.001) < 4);           /* a rate known roughly allows more */
    assert_int_equal((int)baseline_high(20, 1e9, 0.001), 35);
    assert_int_equal((int)baseline_high(5, 1e9, 0.001), 13);
    assert_true(baseline_high(20, 4, 0.001) > 50);
    assert_true(baseline_high(1000, 1e9, 0.001) > 1000 && baseline_high(1000, 1e9, 0.001) < 1110);
    assert_true(baseline_high(0, 4, 0.001) == 0);
}

static void test_the_busiest_hour_of_the_day_is_known(void **state)
{
    (void)state;
    struct baseline baseline;
    baseline_init(&baseline, 14 * 86400);
    assert_true(!(baseline_busiest(&baseline) > 0));
    const int64_t begin_ns = 1749081600 * NS_PER_S; /* midnight */
    for (int minute = 0; minute < 1440; minute++)
        baseline_learn(&baseline, begin_ns + minute * 60 * NS_PER_S, begin_ns + (minute + 1) * 60 * NS_PER_S,
                       minute / 60 == 15 ? 30 : 6);
    assert_true(fabs(baseline_busiest(&baseline) - 0.5) < 0.01);
    const int64_t next_ns = begin_ns + 1440 * 60 * NS_PER_S; /* a burst in an hour is not an hour of it */
    baseline_learn(&baseline, next_ns, next_ns + NS_PER_S, 1000);
    assert_true(baseline_busiest(&baseline) < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_busiest_hour_of_the_day_is_known),
        cmocka_unit_test(test_nothing_learned_expects_nothing),
        cmocka_unit_test(test_an_event_at_the_instant_at_which_the_watch_begins_is_no_rate_yet),
        cmocka_unit_test(test_a_flat_stream_is_learned_to_its_rate),
        cmocka_unit_test(test_night_and_day_are_told_apart),
        cmocka_unit_test(test_an_hour_never_seen_is_known_only_roughly),
        cmocka_unit_test(test_hours_that_are_alike_are_known_together),
        cmocka_unit_test(test_an_hour_to_come_is_known_once_many_were_alike),
        cmocka_unit_test(test_an_hour_is_known_by_those_beside_it_where_the_day_is_a_wave),
        cmocka_unit_test(test_hours_that_differ_say_little_of_each_other),
        cmocka_unit_test(test_a_weekend_is_told_from_the_days_before),
        cmocka_unit_test(test_clustered_or_wandering_counts_tell_less),
        cmocka_unit_test(test_the_old_level_is_forgotten_by_half_in_a_half_life_of_learning),
        cmocka_unit_test(test_nothing_is_forgotten_while_nothing_is_learned),
        cmocka_unit_test(test_centuries_do_not_overflow_the_unit),
        cmocka_unit_test(test_a_silence_of_a_century_does_not_overflow_the_unit),
        cmocka_unit_test(test_low_is_the_thousandth_of_a_poisson_when_the_rate_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
