/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect.h"
#include "stream.h"

#define START  (1749081600 * NS_PER_S)
#define STEP   (5 * NS_PER_S)
#define NOBODY ((struct tally_span){TIME_NONE, TIME_NONE})

static void step(struct population *population, int64_t start_ns, double events, bool proven)
{
    struct detect_input input = {.start_ns = start_ns,
                                 .end_ns = start_ns + STEP,
                                 .signs = events,
                                 .events = events,
                                 .span = NOBODY,
                                 .proven = proven,
                                 .teach = true,
                                 .ordinary = true};
    detect_step(population, &input);
}

/* A population that has seen `hours` of Poisson events. Returns where it ends. */
static int64_t live_through(struct population *population, double hours, double per_minute, uint64_t *seed)
{
    int steps = (int)(hours * 720);
    for (int i = 0; i < steps; i++)
        step(population, START + i * STEP, (double)stream_poisson(seed, per_minute / 12), true);
    return START + steps * STEP;
}

static void test_the_score_counts_the_events_that_failed_to_come(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 1;
    detect_init(&population, 14 * 86400);
    int64_t at = live_through(&population, 10 * 24, 12, &seed);
    step(&population, at, 1, true);
    for (int i = 1; i <= 12; i++)
        step(&population, at + i * STEP, 0, true);
    /* A minute and a half step without any of twelve a minute: nearly 12.5 nats, the rate being well known.
     */
    assert_true(fabs(detect_score(&population) - 12.5) < 1.5);
}

/* Hosts answer forged questions, and then the forger goes. */
static void test_a_surge_teaches_nothing(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 20;
    detect_init(&population, 14 * 86400);
    int64_t at = live_through(&population, 24, 12, &seed);
    for (int i = 0; i < 360; i++, at += STEP)
        step(&population, at, 200, true);
    const struct population flooded = population;
    assert_true(fabs(detect_signs_per_event(&flooded) - 1) < 1e-9);
    assert_true(fabs(flooded.rate.per_s * 60 - 12) < 2);
    for (int i = 0; i < 360; i++, at += STEP)
        step(&population, at, (double)stream_poisson(&seed, 1), true);
    assert_true(fabs(population.rate.per_s * 60 - 12) < 2);
    assert_true(population.calibrate.slope < 2);
}

static void test_a_rate_known_from_little_is_patient(void **state)
{
    (void)state;
    struct population little, much;
    uint64_t seed = 2;
    detect_init(&little, 14 * 86400);
    detect_init(&much, 14 * 86400);
    int64_t at = live_through(&little, 0.05, 12, &seed);
    for (int i = 0; i < 36; i++)
        step(&little, at + i * STEP, 0, true);
    at = live_through(&much, 10 * 24, 12, &seed);
    for (int i = 0; i < 36; i++)
        step(&much, at + i * STEP, 0, true);
    assert_true(detect_score(&little) < 0.9 * detect_score(&much));
}

static void test_unproven_silence_counts_only_once_confirmed(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 3;
    detect_init(&population, 14 * 86400);
    int64_t at = live_through(&population, 24, 12, &seed);
    step(&population, at, 1, true);
    double before = detect_score(&population);
    for (int i = 1; i <= 12; i++)
        step(&population, at + i * STEP, 0, false);
    assert_true(detect_score(&population) - before < 1e-9);
    struct population thrown_away = population;
    detect_confirm(&thrown_away, false);
    assert_true(detect_score(&thrown_away) - before < 1e-9);
    detect_confirm(&population, true);
    assert_true(detect_score(&population) > before + 8);
}

static void test_the_shortest_outage_is_the_one_that_reaches_the_threshold(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 4;
    detect_init(&population, 14 * 86400);
    int64_t at = live_through(&population, 200, 6, &seed);
    double shortest_s = detect_shortest(&population, at, 18);
    step(&population, at, 1, true);
    int64_t silent_from = population.last_ns;
    int i = 1;
    while (detect_score(&population) < 18)
        step(&population, at + i++ * STEP, 0, true);
    double took_s = clock_seconds(silent_from, at + i * STEP);
    assert_true(fabs(took_s - shortest_s) < 15);
    assert_true(fabs(shortest_s - 180) < 30); /* eighteen events at six a minute */
}

static void test_a_stream_too_thin_is_never_noticed_within_a_week(void **state)
{
    (void)state;
    struct population population;
    detect_init(&population, 14 * 86400);
    assert_true(detect_shortest(&population, START, 18) < 0);
}

static void test_clustered_events_raise_the_threshold(void **state)
{
    (void)state;
    struct population even, clustered;
    uint64_t seed = 5;
    detect_init(&even, 14 * 86400);
    detect_init(&clustered, 14 * 86400);
    live_through(&even, 240, 12, &seed);
    for (int i = 0; i < 240 * 720; i++) /* the same rate, in fives */
        step(&clustered, START + i * STEP, 5.0 * (double)stream_poisson(&seed, 12.0 / 12 / 5), true);
    double calm = detect_threshold(&even, 1), wary = detect_threshold(&clustered, 1);
    assert_true(calm < 1.25 * log(12.0 * 525960));
    assert_true(wary > 2 * calm);
}

/* Bursts of five: the clock runs at the rate of the bursts, and every sign of life in them sets it back. */
static void test_the_wait_for_the_next_burst_is_counted_in_bursts(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 6;
    detect_init(&population, 14 * 86400);
    struct detect_input input = {.span = NOBODY, .proven = true, .teach = true, .ordinary = true};
    for (int i = 0; i < 240 * 720; i++) {
        input.start_ns = START + i * STEP;
        input.end_ns = input.start_ns + STEP;
        input.events = (double)stream_poisson(&seed, 1.0 / 5);
        input.signs = 5 * input.events;
        detect_step(&population, &input);
    }
    assert_true(fabs(detect_signs_per_event(&population) - 5) < 1e-9);
    input.start_ns = input.end_ns;
    input.end_ns += STEP;
    input.events = 0;
    input.signs = 1; /* a burst goes on */
    detect_step(&population, &input);
    assert_true(detect_score(&population) < 0.5);
    input.signs = 0;
    for (int i = 0; i < 60; i++) {
        input.start_ns = input.end_ns;
        input.end_ns += STEP;
        detect_step(&population, &input);
    }
    assert_true(fabs(detect_score(&population) - 12) < 2); /* five minutes of 2.4 bursts a minute */
    assert_true(detect_threshold(&population, 1) < 1.3 * log(12.0 * 525960));
}

static void test_a_silence_that_an_event_broke_can_still_be_judged(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 7;
    detect_init(&population, 14 * 86400);
    int64_t at = live_through(&population, 240, 12, &seed);
    struct detect_input input = {.start_ns = at,
                                 .end_ns = at + 3600 * NS_PER_S,
                                 .signs = 1,
                                 .events = 1,
                                 .span = {at + 3500 * NS_PER_S, at + 3500 * NS_PER_S},
                                 .proven = true};
    detect_step(&population, &input);
    assert_true(population.broken_score > 100);
    assert_true(detect_score(&population) < 30);
    step(&population, input.end_ns, 0, true);
    assert_true(population.broken_score == 0);
}

/* Office hours, twenty a minute from eight to twenty and two otherwise. */
static int64_t work_for(struct population *population, int days, uint64_t *seed)
{
    int64_t at = START;
    for (int i = 0; i < days * 17280; i++, at += STEP) {
        int hour = i % 17280 / 720;
        double per_minute = hour >= 8 && hour < 20 ? 20 : 2;
        step(population, at, (double)stream_poisson(seed, per_minute / 12), true);
    }
    return at;
}

static void test_half_an_hour_beside_a_step_of_the_day_only_the_lower_rate_counts(void **state)
{
    (void)state;
    struct population population;
    uint64_t seed = 8;
    detect_init(&population, 14 * 86400);
    int64_t midnight = work_for(&population, 21, &seed);
    static const struct {
        int minutes;
        double per_minute;
    } moments[] = {{7 * 60, 2},        {8 * 60 + 10, 2},  {8 * 60 + 29, 2}, {8 * 60 + 31, 20},
                   {19 * 60 + 29, 20}, {19 * 60 + 31, 2}, {20 * 60 + 10, 2}};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct population then = population;
        int64_t at = midnight + moments[i].minutes * 60 * NS_PER_S;
        detect_restart(&then, at);
        step(&then, at, 0, true);
        assert_true(fabs(then.prudent.per_s * 60 / moments[i].per_minute - 1) < 0.15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_score_counts_the_events_that_failed_to_come),
        cmocka_unit_test(test_a_surge_teaches_nothing),
        cmocka_unit_test(test_a_rate_known_from_little_is_patient),
        cmocka_unit_test(test_unproven_silence_counts_only_once_confirmed),
        cmocka_unit_test(test_the_shortest_outage_is_the_one_that_reaches_the_threshold),
        cmocka_unit_test(test_a_stream_too_thin_is_never_noticed_within_a_week),
        cmocka_unit_test(test_clustered_events_raise_the_threshold),
        cmocka_unit_test(test_the_wait_for_the_next_burst_is_counted_in_bursts),
        cmocka_unit_test(test_a_silence_that_an_event_broke_can_still_be_judged),
        cmocka_unit_test(test_half_an_hour_beside_a_step_of_the_day_only_the_lower_rate_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
