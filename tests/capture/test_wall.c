/* SPDX-License-Identifier: BSD-3-Clause */
/* The time of a live capture, by clocks that the test sets: it never runs back, and says by how much it
 * leapt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "clock.h"
#include "wall.h"

/* --- two clocks --- */

static int64_t wall_ns, monotonic_ns;
static int held_up;           /* so many times the reader is held up between two readings, … */
static int64_t held_up_by_ns; /* … by so much each */

/* Takes the C library's place. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ns = clock == CLOCK_REALTIME ? wall_ns : monotonic_ns;
    *now = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = ns % NS_PER_S};
    if (clock == CLOCK_REALTIME && held_up > 0) {
        held_up--;
        wall_ns += held_up_by_ns;
        monotonic_ns += held_up_by_ns;
    }
    return 0;
}

static void go_by(int64_t ns)
{
    wall_ns += ns;
    monotonic_ns += ns;
}

static const int64_t second = NS_PER_S, hour = 3600 * NS_PER_S, now_s = 1750000000;

static struct wall wall;
static int64_t set_ns, leap_ns;

static int64_t look(void)
{
    return wall_look(&wall, &set_ns, &leap_ns);
}

static int set_up(void **state)
{
    (void)state;
    wall_ns = now_s * NS_PER_S;
    monotonic_ns = 5000 * NS_PER_S;
    held_up = 0;
    wall_begin(&wall, TIME_NONE);
    return 0;
}

/* --- tests --- */

static void it_is_the_wall_clocks_as_long_as_nobody_sets_that(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        go_by(i * second);
        assert_int_equal(look(), wall_ns);
        assert_int_equal(set_ns, 0);
        assert_int_equal(leap_ns, 0);
        assert_int_equal(wall_time(&wall, wall_ns - 1), wall_ns - 1);
    }
}

static void set_forward_it_leaps_with_the_clock_and_says_so_once(void **state)
{
    (void)state;
    go_by(second);
    wall_ns += 2 * hour;
    assert_int_equal(look(), wall_ns);
    assert_int_equal(set_ns, 2 * hour);
    assert_int_equal(leap_ns, 2 * hour);
    go_by(second);
    assert_int_equal(look(), wall_ns);
    assert_int_equal(set_ns, 0);
    assert_int_equal(leap_ns, 0);
}

static void after_a_sleep_in_which_the_monotonic_clock_stood_it_leaps(void **state)
{
    (void)state;
    wall_ns += 8 * hour;
    assert_int_equal(look(), wall_ns);
    assert_int_equal(leap_ns, 8 * hour);
}

static void set_back_it_goes_on_and_loses_one_second_in_32_until_the_two_meet(void **state)
{
    (void)state;
    int64_t before = look();
    go_by(second);
    wall_ns -= hour;
    int64_t now = look();
    assert_int_equal(set_ns, -hour);
    assert_int_equal(leap_ns, 0);
    assert_int_equal(now,
                     before + second); /* nothing was ahead, and nothing could be lost, before it was set */
    assert_int_equal(wall_time(&wall, wall_ns), now);
    for (int64_t gone = 0; gone < 33 * hour; gone += 32 * second) {
        before = now;
        go_by(32 * second);
        now = look();
        assert_int_equal(set_ns, 0);
        assert_int_equal(leap_ns, 0);
        assert_true(now >= before + 31 * second);
        assert_int_equal(now - wall_ns, gone + 32 * second < 32 * hour ? hour - gone / 32 - second : 0);
    }
}

static void set_back_and_forth_again_it_leaps_only_over_what_it_has_lost(void **state)
{
    (void)state;
    wall_ns -= hour;
    int64_t before = look();
    go_by(64 * second);
    wall_ns += hour;
    assert_int_equal(look(), wall_ns);
    assert_int_equal(set_ns, hour);
    assert_int_equal(leap_ns, 2 * second);
    assert_int_equal(wall_ns, before + 64 * second);
}

static void set_forward_by_less_than_it_is_ahead_it_does_not_leap(void **state)
{
    (void)state;
    wall_ns -= hour;
    int64_t before = look();
    wall_ns += hour / 2;
    assert_int_equal(look(), before);
    assert_int_equal(set_ns, hour / 2);
    assert_int_equal(leap_ns, 0);
}

static void what_is_less_than_a_tenth_of_a_second_is_told_once_it_adds_up_to_one(void **state)
{
    (void)state;
    wall_ns += 60 * NS_PER_MS;
    assert_int_equal(look(), wall_ns);
    assert_int_equal(set_ns, 0);
    wall_ns += 60 * NS_PER_MS;
    assert_int_equal(look(), wall_ns);
    assert_int_equal(set_ns, 120 * NS_PER_MS);
    assert_int_equal(leap_ns, 120 * NS_PER_MS);
}

static void a_reader_that_is_held_up_between_the_clocks_takes_it_for_no_setting(void **state)
{
    (void)state;
    held_up_by_ns = 2 * second;
    for (int i = 0; i < 2; i++) {
        held_up = 4;
        int64_t now = look();
        assert_int_equal(now, wall_ns);
        assert_int_equal(set_ns, 0);
        assert_int_equal(held_up, 0);
        held_up = 4;
        wall_begin(&wall, TIME_NONE);
    }
}

static void it_begins_where_the_last_run_ended_although_the_clock_is_behind_that(void **state)
{
    (void)state;
    wall_begin(&wall, wall_ns + hour);
    assert_int_equal(look(), wall_ns + hour);
    assert_int_equal(set_ns, 0);
    go_by(32 * second);
    assert_int_equal(look(), wall_ns + hour - second);
    wall_begin(&wall, wall_ns - hour);
    assert_int_equal(look(), wall_ns);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(it_is_the_wall_clocks_as_long_as_nobody_sets_that),
        TEST(set_forward_it_leaps_with_the_clock_and_says_so_once),
        TEST(after_a_sleep_in_which_the_monotonic_clock_stood_it_leaps),
        TEST(set_back_it_goes_on_and_loses_one_second_in_32_until_the_two_meet),
        TEST(set_back_and_forth_again_it_leaps_only_over_what_it_has_lost),
        TEST(set_forward_by_less_than_it_is_ahead_it_does_not_leap),
        TEST(what_is_less_than_a_tenth_of_a_second_is_told_once_it_adds_up_to_one),
        TEST(a_reader_that_is_held_up_between_the_clocks_takes_it_for_no_setting),
        TEST(it_begins_where_the_last_run_ended_although_the_clock_is_behind_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
