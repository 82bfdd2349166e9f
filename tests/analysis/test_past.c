/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "past.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

static struct past past;

static void test_there_is_no_past_at_first(void **state)
{
    (void)state;
    memset(&past, 0, sizeof past);
    assert_null(past_at(&past, START));
}

static void test_marks_are_found_by_time(void **state)
{
    (void)state;
    memset(&past, 0, sizeof past);
    struct episode_mark mark;
    memset(&mark, 0, sizeof mark);
    int64_t at_ns = START;
    for (int i = 0; i < 2160; i++, at_ns += STEP) { /* three hours; `life` tells the instant */
        mark.life = i;
        past_keep(&past, &mark, at_ns, 600 * NS_PER_S);
    }
    double now = mark.life;
    double ago = now - past_at(&past, at_ns - 1800 * NS_PER_S)->life;
    assert_true(ago >= 359 && ago < 480);    /* half an hour, or up to ten minutes more */
    ago = now - past_at(&past, START)->life; /* longer ago than is kept: the oldest */
    assert_true(ago >= 840 && ago <= 960);
    assert_true(past_at(&past, at_ns)->life > now - 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_no_past_at_first),
        cmocka_unit_test(test_marks_are_found_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
