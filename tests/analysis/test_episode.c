/* SPDX-License-Identifier: BSD-3-Clause */
/* One outage's life, step by step: the silence, a trickle, a relapse, the return. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "episode.h"
#include "stream.h"

#define START (1749081600 * NS_PER_S)
#define STEP  (5 * NS_PER_S)

static const double alarm_score = 18, hold_s = 900;
static const struct episode_mark mark = {.life = 1};

/* An episode that is followed, and how often each news came. */
struct world {
    struct episode episode;
    int64_t at_ns;
    double per_step, silence;
    uint64_t seed;
    unsigned news[EPISODE_OVER + 1];
    int64_t over_ns, returning_ns;
};

/* An episode of a scope that expects so many signs of life a minute; `level` of them are left. */
static void begin(struct world *world, double per_minute, double level)
{
    const struct change_found onset = {.best_ns = START - 200 * NS_PER_S,
                                       .earliest_ns = START - 210 * NS_PER_S,
                                       .latest_ns = START - 190 * NS_PER_S,
                                       .seen = level * 30,
                                       .expected = 30};
    *world = (struct world){.at_ns = START, .per_step = per_minute / 12, .silence = 20, .seed = 1};
    world->returning_ns = world->over_ns = TIME_NONE;
    episode_open(&world->episode, "all", &onset, 20, &mark, START);
}

static void step(struct world *world, double seen)
{
    world->silence = seen > 0 ? 0 : world->silence + world->per_step;
    const struct episode_step taken = {.seen = seen,
                                       .expected = world->per_step,
                                       .first_ns = world->at_ns + STEP / 2,
                                       .end_ns = world->at_ns + STEP,
                                       .silence = world->silence};
    enum episode_news news = episode_follow(&world->episode, &taken, alarm_score, hold_s);
    world->at_ns += STEP;
    world->news[news]++;
    if (news == EPISODE_RETURNING)
        world->returning_ns = world->at_ns;
    if (news == EPISODE_OVER)
        world->over_ns = world->at_ns;
}

/* So many minutes at this share of what is expected, or until it is over. */
static void live_for(struct world *world, double minutes, double share)
{
    for (int i = 0; i < (int)(minutes * 12) && world->over_ns == TIME_NONE; i++)
        step(world, share > 0 ? (double)stream_poisson(&world->seed, share * world->per_step) : 0);
}

static void test_a_key_names_scope_and_onset(void **state)
{
    (void)state;
    uint64_t key = episode_key("all", START);
    assert_true(key == episode_key("all", START));
    assert_true(key != episode_key("all", START + 1));
    assert_true(key != episode_key("tap", START));
    assert_true(episode_key("path:ab", START) != episode_key("path:ba", START));
    assert_true(key != 0);
}

static void test_an_episode_opens_with_its_onset(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    const struct episode *episode = &world.episode;
    assert_true(episode->open);
    assert_false(episode->covered || episode->returning);
    assert_string_equal(episode->scope, "all");
    assert_true(episode->key == episode_key("all", START - 210 * NS_PER_S));
    assert_int_equal(episode->onset_ns, START - 200 * NS_PER_S);
    assert_int_equal(episode->onset_earliest_ns, START - 210 * NS_PER_S);
    assert_int_equal(episode->onset_latest_ns, START - 190 * NS_PER_S);
    assert_true(episode->depth == 1);
    assert_true(episode->before.life == 1);
    assert_int_equal(episode->sequence, 0);
    assert_int_equal(episode->flaps, 0);
}

static void test_what_is_left_is_not_part_of_the_depth(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0.3);
    assert_true(fabs(world.episode.depth - 0.7) < 1e-9);
}

static void test_a_long_scope_is_cut_and_not_overrun(void **state)
{
    (void)state;
    char scope[200];
    for (int i = 0; i < 199; i++)
        scope[i] = 'x';
    scope[199] = '\0';
    struct episode episode;
    const struct change_found onset = {.best_ns = START, .earliest_ns = START, .latest_ns = START};
    episode_open(&episode, scope, &onset, 20, &mark, START);
    assert_int_equal(strlen(episode.scope), sizeof episode.scope - 1);
}

static void test_lasting_silence_is_no_news(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    live_for(&world, 24 * 60, 0);
    assert_int_equal(world.news[EPISODE_NOTHING], 24 * 720);
    assert_true(world.episode.open);
    assert_true(episode_recovered(&world.episode) < 0.01);
}

static void test_one_stray_sign_of_life_is_no_return(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    for (int i = 0; i < 10; i++) {
        live_for(&world, 60, 0);
        step(&world, 1);
    }
    live_for(&world, 60, 0);
    assert_int_equal(world.news[EPISODE_RETURNING], 0);
    assert_int_equal(world.news[EPISODE_OVER], 0);
}

static void test_a_return_is_told_once_and_over_when_it_has_held(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    live_for(&world, 60, 0);
    int64_t back_ns = world.at_ns;
    live_for(&world, 120, 1);
    assert_int_equal(world.news[EPISODE_RETURNING], 1);
    assert_int_equal(world.news[EPISODE_FELL_AGAIN], 0);
    assert_int_equal(world.news[EPISODE_OVER], 1);
    assert_true(clock_seconds(back_ns, world.returning_ns) < 300);
    assert_true(clock_seconds(back_ns, world.over_ns) >= hold_s);
    assert_true(clock_seconds(back_ns, world.over_ns) < 3 * hold_s);
    assert_true(world.episode.return_ns >= back_ns && world.episode.return_ns < world.returning_ns);
    assert_true(episode_recovered(&world.episode) > 0.6);
}

static void test_a_return_that_stays_small_is_not_over(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 60, 0);
    live_for(&world, 60, 0);
    live_for(&world, 24 * 60, 0.15);
    assert_true(world.news[EPISODE_RETURNING] >= 1);
    assert_int_equal(world.news[EPISODE_OVER], 0);
    double recovered = episode_recovered(&world.episode);
    assert_true(recovered > 0 && recovered < 0.5);
}

static void test_what_comes_back_and_falls_again_is_the_same_episode(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    for (unsigned flap = 1; flap <= 3; flap++) {
        live_for(&world, 60, 0);
        live_for(&world, 5, 1);
        assert_true(world.episode.returning);
        live_for(&world, 60, 0);
        assert_false(world.episode.returning);
        assert_int_equal(world.episode.flaps, flap);
        assert_int_equal(world.news[EPISODE_FELL_AGAIN], flap);
        assert_int_equal(world.news[EPISODE_RETURNING], flap);
    }
    assert_int_equal(world.news[EPISODE_OVER], 0);
    assert_true(world.episode.key == episode_key("all", START - 210 * NS_PER_S));
    live_for(&world, 120, 1);
    assert_int_equal(world.news[EPISODE_OVER], 1);
}

static void test_a_growing_return_is_told_as_it_grows(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 60, 0);
    live_for(&world, 60, 0);
    live_for(&world, 15, 0.3);
    live_for(&world, 15, 0.55);
    live_for(&world, 60, 1);
    assert_int_equal(world.news[EPISODE_RETURNING], 1);
    assert_true(world.news[EPISODE_MORE_BACK] >= 1 && world.news[EPISODE_MORE_BACK] <= 4);
    assert_int_equal(world.news[EPISODE_OVER], 1);
}

static void test_what_a_partial_outage_left_alive_is_no_return(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 60, 0.3);
    live_for(&world, 60, 0.3);
    assert_int_equal(world.news[EPISODE_RETURNING], 0);
    live_for(&world, 12 * 60, 0.3);
    assert_int_equal(world.news[EPISODE_OVER], 0);
    live_for(&world, 120, 1);
    assert_int_equal(world.news[EPISODE_OVER], 1);
}

static void test_a_partial_outage_that_loses_the_rest_grows_deeper(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 60, 0.3);
    live_for(&world, 60, 0.3);
    assert_int_equal(world.news[EPISODE_DEEPER], 0);
    live_for(&world, 60, 0);
    assert_true(world.news[EPISODE_DEEPER] >= 1);
    assert_true(world.episode.depth >= 0.95);
}

static void test_recovery_is_a_share(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 12, 0);
    for (int i = 0; i < 400; i++) {
        step(&world, i % 50 == 0 ? 1000 : 0);
        double recovered = episode_recovered(&world.episode);
        assert_true(recovered >= 0 && recovered <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_names_scope_and_onset),
        cmocka_unit_test(test_an_episode_opens_with_its_onset),
        cmocka_unit_test(test_what_is_left_is_not_part_of_the_depth),
        cmocka_unit_test(test_a_long_scope_is_cut_and_not_overrun),
        cmocka_unit_test(test_lasting_silence_is_no_news),
        cmocka_unit_test(test_one_stray_sign_of_life_is_no_return),
        cmocka_unit_test(test_a_return_is_told_once_and_over_when_it_has_held),
        cmocka_unit_test(test_a_return_that_stays_small_is_not_over),
        cmocka_unit_test(test_what_comes_back_and_falls_again_is_the_same_episode),
        cmocka_unit_test(test_a_growing_return_is_told_as_it_grows),
        cmocka_unit_test(test_what_a_partial_outage_left_alive_is_no_return),
        cmocka_unit_test(test_a_partial_outage_that_loses_the_rest_grows_deeper),
        cmocka_unit_test(test_recovery_is_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
