/* SPDX-License-Identifier: BSD-3-Clause */
/* How much of each frame comes: names or headers that are cut off, and are there again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snaplen.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

enum { STEPS_A_MINUTE = 12 };

/* What a minute brings of each, and what was told of it. */
struct world {
    struct snaplen snaplen;
    int64_t at_ns;
    unsigned cut, restored, accepted;
};

static void begin(struct world *world)
{
    *world = (struct world){.at_ns = START};
    snaplen_init(&world->snaplen);
}

/* Minutes with one TCP frame a step, and a long one each other step, of which so many of ten are cut. */
static void pass(struct world *world, int minutes, unsigned headless, unsigned nameless)
{
    for (int i = 0; i < minutes * STEPS_A_MINUTE; i++) {
        struct tally tap = tally_empty(world->at_ns, world->at_ns + STEP, TALLY_ALL_KNOWN);
        bool lengthy = i % 2 == 0;
        unsigned lot = (unsigned)i / 2 % 10;
        tap.frames = (struct tally_frames){.headed = lot >= headless,
                                           .headless = lot < headless,
                                           .lengthy = lengthy,
                                           .nameless = lengthy && lot < nameless};
        world->at_ns += STEP;
        enum snaplen_news news = snaplen_step(&world->snaplen, &tap);
        world->cut += news == SNAPLEN_CUT;
        world->restored += news == SNAPLEN_RESTORED;
        world->accepted += news == SNAPLEN_ACCEPTED;
    }
}

static void assert_told(const struct world *world, unsigned cut, unsigned restored, unsigned accepted)
{
    assert_int_equal(world->cut, cut);
    assert_int_equal(world->restored, restored);
    assert_int_equal(world->accepted, accepted);
}

static void test_what_was_cut_from_the_beginning_is_usual(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 180, 0, 10);
    assert_told(&world, 0, 0, 0);
    assert_false(snaplen_pauses(&world.snaplen, true));
}

static void test_names_that_are_cut_off_pause_what_is_known_by_name(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    int64_t from_ns = world.at_ns;
    pass(&world, 20, 0, 10);
    assert_told(&world, 1, 0, 0);
    assert_int_equal(world.snaplen.told, CUT_NAMES);
    assert_true(world.snaplen.since_ns >= from_ns - STEP && world.snaplen.since_ns < from_ns + 60 * NS_PER_S);
    assert_true(snaplen_pauses(&world.snaplen, true));
    assert_false(snaplen_pauses(&world.snaplen, false));
    pass(&world, 20, 0, 0);
    assert_told(&world, 1, 1, 0);
    assert_false(snaplen_pauses(&world.snaplen, true));
}

static void test_headers_that_are_cut_off_pause_all(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    pass(&world, 10, 10, 10);
    assert_int_equal(world.snaplen.told, CUT_HEADERS);
    assert_true(snaplen_pauses(&world.snaplen, false));
    pass(&world, 10, 0, 0);
    assert_false(snaplen_pauses(&world.snaplen, false));
    assert_int_equal(world.restored, 1);
}

static void test_names_that_are_gone_for_an_hour_are_normal_and_headers_never(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    pass(&world, 90, 0, 10);
    assert_told(&world, 1, 0, 1);
    assert_false(snaplen_pauses(&world.snaplen, true));
    pass(&world, 30, 0, 0); /* more comes: no news, but the new measure */
    assert_told(&world, 1, 0, 1);
    pass(&world, 300, 10, 0);
    assert_told(&world, 2, 0, 1);
    assert_true(snaplen_pauses(&world.snaplen, false));
}

static void test_worse_is_told_of_the_same_episode(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    pass(&world, 10, 0, 10);
    int64_t since_ns = world.snaplen.since_ns;
    pass(&world, 10, 10, 10);
    assert_told(&world, 2, 0, 0);
    assert_int_equal(world.snaplen.told, CUT_HEADERS);
    assert_true(world.snaplen.since_ns == since_ns);
    pass(&world, 10, 0, 10);
    assert_told(&world, 2, 0, 0);
    assert_false(snaplen_pauses(&world.snaplen, false));
    assert_true(snaplen_pauses(&world.snaplen, true));
}

static void test_a_part_that_is_cut_is_no_change_but_a_doubt_for_a_while(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    assert_false(snaplen_doubts(&world.snaplen, true, world.at_ns));
    pass(&world, 10, 0, 5);
    assert_told(&world, 0, 0, 0);
    assert_true(snaplen_doubts(&world.snaplen, true, world.at_ns));
    assert_false(snaplen_doubts(&world.snaplen, false, world.at_ns));
    pass(&world, 60, 0, 5);
    assert_told(&world, 0, 0, 0);
    assert_false(snaplen_doubts(&world.snaplen, true, world.at_ns));
}

static void test_where_few_frames_bear_names_the_doubt_lasts_longer_but_not_for_ever(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    pass(&world, 60, 0, 0);
    pass(&world, 1, 0, 10);
    assert_told(&world, 0, 0, 0);
    assert_true(snaplen_doubts(&world.snaplen, true, world.at_ns + 3600 * NS_PER_S));
    assert_false(snaplen_doubts(&world.snaplen, true, world.at_ns + 7200 * NS_PER_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_cut_from_the_beginning_is_usual),
        cmocka_unit_test(test_names_that_are_cut_off_pause_what_is_known_by_name),
        cmocka_unit_test(test_headers_that_are_cut_off_pause_all),
        cmocka_unit_test(test_names_that_are_gone_for_an_hour_are_normal_and_headers_never),
        cmocka_unit_test(test_worse_is_told_of_the_same_episode),
        cmocka_unit_test(test_where_few_frames_bear_names_the_doubt_lasts_longer_but_not_for_ever),
        cmocka_unit_test(test_a_part_that_is_cut_is_no_change_but_a_doubt_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
