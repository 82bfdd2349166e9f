/* SPDX-License-Identifier: BSD-3-Clause */
/* What a terminal would obey never gets there, and what people write in their languages does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "printable.h"

static void assert_cleaned(const char *text, bool lines, const char *expected)
{
    char copy[64];
    strcpy(copy, text);
    printable_clean(copy, lines);
    assert_string_equal(copy, expected);
}

static void controls_become_question_marks(void **state)
{
    (void)state;
    assert_cleaned("a\x1b[31mb\x07\x7f\r\n", false, "a?[31mb????");
    assert_cleaned("a\xc2\x9b"
                   "31mb",
                   false, "a??31mb");
}

static void ends_of_lines_may_stay_and_nothing_else(void **state)
{
    (void)state;
    assert_cleaned("a\nb\tc\rd\n", true, "a\nb?c?d\n");
}

static void bytes_that_are_no_utf8_become_question_marks(void **state)
{
    (void)state;
    assert_cleaned("\xff|\xc0\xaf|\x9b|\xe2\x82|\xf0\x9f\x98", false, "?|??|?|??|???");
    assert_cleaned("cut\xe2", false, "cut?");
    /* Too long, half a pair of UTF-16, beyond Unicode: each one byte to either side of what is valid. */
    assert_cleaned("\xe0\x9f\xbf|\xed\xa0\x80|\xf0\x8f\xbf\xbf|\xf4\x90\x80\x80", false, "???|???|????|????");
    assert_cleaned("\xe0\xa0\x80|\xed\x9f\xbf|\xf0\x90\x80\x80|\xf4\x8f\xbf\xbf", false,
                   "\xe0\xa0\x80|\xed\x9f\xbf|\xf0\x90\x80\x80|\xf4\x8f\xbf\xbf");
}

static void words_in_any_language_stay(void **state)
{
    (void)state;
    assert_cleaned("조선 \xc3\xa9 \xf0\x9f\x98\x80 \xc2\xa0", false,
                   "조선 \xc3\xa9 \xf0\x9f\x98\x80 \xc2\xa0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_become_question_marks),
        cmocka_unit_test(ends_of_lines_may_stay_and_nothing_else),
        cmocka_unit_test(bytes_that_are_no_utf8_become_question_marks),
        cmocka_unit_test(words_in_any_language_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
