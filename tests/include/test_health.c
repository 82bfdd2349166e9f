/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said of a counter reads well behind its number, whatever that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "health.h"

static char words[HEALTH_WORDS_MAX];

static void of_one_it_is_in_the_singular(void **state)
{
    (void)state;
    static const struct {
        const char *help, *wanted;
    } rows[] = {{"savefiles cut off or damaged", "savefile cut off or damaged"},
                {"watched flows pushed out of a full table", "watched flow pushed out of a full table"},
                {"addresses beyond the cap", "address beyond the cap"},
                {"entries in the streams", "entry in the streams"},
                {"ICMP errors whose quoted packet is not read", "ICMP error whose quoted packet is not read"},
                {"holes: longer than any", "hole: longer than any"},
                {"Redis: other errors", "Redis: other errors"},
                {"one", "one"},
                {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(health_words(rows[i].help, 1, words), rows[i].wanted);
        assert_string_equal(health_words(rows[i].help, 0, words), rows[i].help);
        assert_string_equal(health_words(rows[i].help, 2, words), rows[i].help);
    }
}

/* What would speak of one thing as of several. */
static bool has_plural(const char *text)
{
    static const char *const plural[] = {" their", " them", " they", " are ", " were "};
    for (size_t i = 0; i < sizeof plural / sizeof *plural; i++)
        if (strstr(text, plural[i]) != NULL)
            return true;
    return false;
}

static void every_counter_has_a_singular_and_room(void **state)
{
    (void)state;
    static const char *const help[] = {
#define HELP(name, help) help,
        HEALTH_COUNTERS(HELP)
#undef HELP
    };
    for (size_t i = 0; i < sizeof help / sizeof *help; i++) {
        assert_true(strlen(help[i]) < HEALTH_WORDS_MAX);
        health_words(help[i], 1, words);
        if (strncmp(help[i], "Redis", 5) != 0 && (strcmp(words, help[i]) == 0 || has_plural(words)))
            fail_msg("1 %s", words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_one_it_is_in_the_singular),
        cmocka_unit_test(every_counter_has_a_singular_and_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
