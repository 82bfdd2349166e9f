/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "calibrate.h"
#include "stream.h"

static const double silences_per_year = 1e6;

/* Notes scores that are exponential with this mean: one is what Poisson events give. */
static void note_exponential(struct calibrate *calibrate, int count, double mean, uint64_t seed)
{
    for (int i = 0; i < count; i++)
        calibrate_note(calibrate, -mean * log(1 - stream_uniform(&seed)), 1);
}

static void test_before_anything_was_seen_it_is_wary(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    double threshold = calibrate_threshold(&calibrate, silences_per_year, 1);
    assert_true(isfinite(threshold));
    assert_true(threshold >= log(silences_per_year)); /* what Poisson events would want */
}

static void test_poisson_silences_want_hardly_more_than_the_optimum(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 100000, 1, 1);
    double threshold = calibrate_threshold(&calibrate, silences_per_year, 1),
           optimum = log(silences_per_year);
    assert_true(threshold >= optimum);
    assert_true(threshold < 1.3 * optimum);
}

static void test_longer_silences_raise_the_threshold(void **state)
{
    (void)state;
    struct calibrate calm, bursty;
    calibrate_init(&calm);
    calibrate_init(&bursty);
    note_exponential(&calm, 100000, 1, 2);
    note_exponential(&bursty, 100000, 3, 2);
    assert_true(calibrate_threshold(&bursty, silences_per_year, 1) >
                2 * calibrate_threshold(&calm, silences_per_year, 1));
}

/* As the sample configuration says of false_alarms_per_year: a tenth of them costs at least ln 10 more. */
static void test_fewer_alarms_cost_delay(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 100000, 1, 3);
    double one = calibrate_threshold(&calibrate, silences_per_year, 1),
           tenth = calibrate_threshold(&calibrate, silences_per_year, 0.1);
    assert_true(tenth - one > log(10) - 1e-6);
    assert_true(tenth - one < 2 * log(10));
}

static void test_more_silences_a_year_raise_the_threshold(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 10000, 1, 4);
    double few = calibrate_threshold(&calibrate, 1e4, 1), many = calibrate_threshold(&calibrate, 1e7, 1);
    assert_true(many > few + log(1e3) - 1e-6);
}

static void test_a_threshold_follows_what_is_learned_later(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 10000, 1, 5);
    double before = calibrate_threshold(&calibrate, silences_per_year, 1);
    note_exponential(&calibrate, 10000, 4, 6);
    assert_true(calibrate_threshold(&calibrate, silences_per_year, 1) > before);
}

static void test_few_even_silences_are_enough(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct calibrate calibrate;
        calibrate_init(&calibrate);
        note_exponential(&calibrate, 500, 1, seed);
        sum += calibrate_threshold(&calibrate, silences_per_year, 1);
    }
    assert_true(sum / 200 < 1.06 * log(silences_per_year));
}

/* Between clusters of four or so on average silences are four times as long as their number says. */
static void test_clusters_are_seen_before_the_tail_is(void **state)
{
    (void)state;
    struct calibrate calibrate;
    uint64_t seed = 11;
    calibrate_init(&calibrate);
    for (int i = 0; i < 400; i++)
        calibrate_note(&calibrate, i % 4 > 0 ? 0 : -4 * log(1 - stream_uniform(&seed)), 1);
    calibrate_threshold(&calibrate, silences_per_year, 1);
    assert_true(fabs(calibrate.slope - 4) < 1);
}

/* Those that raised an alarm are not noted. */
static void test_what_alarms_took_away_is_allowed_for(void **state)
{
    (void)state;
    struct calibrate calibrate;
    uint64_t seed = 12;
    unsigned alarms = 0;
    const unsigned silences = 400000;
    calibrate_init(&calibrate);
    for (unsigned i = 0; i < silences; i++) {
        double score = i % 4 > 0 ? 0 : -4 * log(1 - stream_uniform(&seed));
        if (score > calibrate_threshold(&calibrate, silences, 100))
            alarms++;
        else
            calibrate_note(&calibrate, score, 1);
    }
    assert_true(alarms > 70 && alarms < 140);
}

static void test_it_changes_nothing_to_ask_twice(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 10000, 1.5, 7);
    double once = calibrate_threshold(&calibrate, silences_per_year, 1);
    assert_true(calibrate_threshold(&calibrate, silences_per_year, 1) == once);
}

static void test_a_note_of_many_is_many_notes(void **state)
{
    (void)state;
    struct calibrate single, together;
    calibrate_init(&single);
    calibrate_init(&together);
    for (int score = 0; score < 12; score++) {
        for (int i = 0; i < 50; i++)
            calibrate_note(&single, score, 1);
        calibrate_note(&together, score, 50);
    }
    assert_true(fabs(calibrate_threshold(&single, silences_per_year, 1) -
                     calibrate_threshold(&together, silences_per_year, 1)) < 1e-6);
    assert_true(fabs(calibrate_rarity(&single, 8) - calibrate_rarity(&together, 8)) < 1e-6);
}

static void test_rarity_is_the_share_of_those_at_least_as_long(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 200000, 1, 8);
    for (double score = 1; score <= 8; score++)
        assert_true(fabs(calibrate_rarity(&calibrate, score) - score) < 0.3);
}

static void test_what_was_never_seen_is_as_rare_as_all_that_was(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    assert_true(fabs(calibrate_rarity(&calibrate, 30)) < 1e-9); /* nothing to compare with */
    for (int i = 0; i < 999; i++)
        calibrate_note(&calibrate, 1, 1);
    assert_true(fabs(calibrate_rarity(&calibrate, 40) - log(1000)) < 1e-6);
}

static void test_rarity_only_grows_with_the_score(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    note_exponential(&calibrate, 5000, 2, 9);
    double before = -1;
    for (double score = 0; score < 100; score += 0.1) {
        double rarity = calibrate_rarity(&calibrate, score);
        assert_true(rarity >= before);
        before = rarity;
    }
}

static void test_scores_beyond_any_bucket_are_kept_in_the_last(void **state)
{
    (void)state;
    struct calibrate calibrate;
    calibrate_init(&calibrate);
    calibrate_note(&calibrate, 1e12, 1);
    calibrate_note(&calibrate, INFINITY, 1);
    calibrate_note(&calibrate, -5, 1);
    assert_true(calibrate.count == 3);
    assert_true(calibrate_rarity(&calibrate, 1e12) > calibrate_rarity(&calibrate, 0));
    assert_true(isfinite(calibrate_threshold(&calibrate, silences_per_year, 1)));
}

static void test_odd_wishes_get_a_finite_answer(void **state)
{
    (void)state;
    static const double silences[] = {0, 1e-9, 1, 1e12}, alarms[] = {1e-6, 1, 1e6};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            struct calibrate calibrate;
            calibrate_init(&calibrate);
            note_exponential(&calibrate, 100, 1, 10);
            assert_true(isfinite(calibrate_threshold(&calibrate, silences[i], alarms[j])));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_anything_was_seen_it_is_wary),
        cmocka_unit_test(test_poisson_silences_want_hardly_more_than_the_optimum),
        cmocka_unit_test(test_longer_silences_raise_the_threshold),
        cmocka_unit_test(test_fewer_alarms_cost_delay),
        cmocka_unit_test(test_more_silences_a_year_raise_the_threshold),
        cmocka_unit_test(test_a_threshold_follows_what_is_learned_later),
        cmocka_unit_test(test_few_even_silences_are_enough),
        cmocka_unit_test(test_clusters_are_seen_before_the_tail_is),
        cmocka_unit_test(test_what_alarms_took_away_is_allowed_for),
        cmocka_unit_test(test_it_changes_nothing_to_ask_twice),
        cmocka_unit_test(test_a_note_of_many_is_many_notes),
        cmocka_unit_test(test_rarity_is_the_share_of_those_at_least_as_long),
        cmocka_unit_test(test_what_was_never_seen_is_as_rare_as_all_that_was),
        cmocka_unit_test(test_rarity_only_grows_with_the_score),
        cmocka_unit_test(test_scores_beyond_any_bucket_are_kept_in_the_last),
        cmocka_unit_test(test_odd_wishes_get_a_finite_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
