/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nearest.h"

static const char *meant_by(const char *word)
{
    static const char *const known[] = {"read", "report", "redis",  "bin",
                                        "bins", "events", "sensor", "speed"};
    struct nearest nearest;
    nearest_begin(&nearest, word);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        nearest_try(&nearest, known[i]);
    return nearest.found;
}

static void a_letter_dropped_added_or_changed_is_seen_through(void **state)
{
    (void)state;
    assert_string_equal(meant_by("repot"), "report");
    assert_string_equal(meant_by("eventts"), "events");
    assert_string_equal(meant_by("sansor"), "sensor");
}

static void two_letters_swapped_are_one_change(void **state)
{
    (void)state;
    assert_string_equal(meant_by("spede"), "speed");
    assert_string_equal(meant_by("bni"), "bin");
}

static void the_beginning_of_a_word_is_near_it_and_the_first_of_equals_stays(void **state)
{
    (void)state;
    assert_string_equal(meant_by("sens"), "sensor");
    assert_string_equal(meant_by("re"), "read");
}

static void what_is_like_nothing_is_near_nothing(void **state)
{
    (void)state;
    assert_null(meant_by("colour"));
    assert_null(meant_by(""));
    assert_null(meant_by("xyz"));
}

static void a_word_of_any_length_is_borne(void **state)
{
    (void)state;
    char word[256];
    memset(word, 'r', sizeof word - 1);
    for (size_t length = sizeof word - 1; length > 0; length--) {
        word[length] = '\0';
        meant_by(word);
    }
    assert_null(meant_by("reportreportreportreportreportreport"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_dropped_added_or_changed_is_seen_through),
        cmocka_unit_test(two_letters_swapped_are_one_change),
        cmocka_unit_test(the_beginning_of_a_word_is_near_it_and_the_first_of_equals_stays),
        cmocka_unit_test(what_is_like_nothing_is_near_nothing),
        cmocka_unit_test(a_word_of_any_length_is_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
