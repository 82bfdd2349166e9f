/* SPDX-License-Identifier: BSD-3-Clause */
/* The instant of a change: on streams whose truth is known, the interval must hold it, and be no wider than
 * it need. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "change.h"
#include "stream.h"

#define START (1749081600 * NS_PER_S)
#define GAP   (60 * NS_PER_S) /* the mean distance of clusters */

enum { RUNS = 300 };

/* A stream of clusters, one a minute, of which from `onset` on only `left` come; until an alarm is due. From
 * `end` on they come back, in the course of `rise` minutes. */
struct world {
    struct change change;
    double cluster, left, end, rise;
    double onset, at, next, quiet, short_of; /* in minutes; the last two are tests like those of the study */
    bool spans;
    uint64_t seed;
};

static const double step = 1.0 / 12;

static int64_t instant(double minutes)
{
    return START + (int64_t)(minutes * (double)GAP);
}

static double wait(struct world *world)
{
    return -log(1 - stream_uniform(&world->seed));
}

static double share_at(const struct world *world, double at)
{
    if (world->end <= 0 || at < world->end)
        return world->left;
    return world->rise > 0 ? fmin(1, fmax(world->left, (at - world->end) / world->rise)) : 1;
}

static unsigned draw_step(struct world *world, struct tally_span *span)
{
    unsigned seen = 0;
    for (; world->next < world->at + step; world->next += wait(world)) {
        unsigned size = 1;
        while (stream_uniform(&world->seed) > 1 / world->cluster)
            size++;
        if (world->next >= world->onset && stream_uniform(&world->seed) >= share_at(world, world->next))
            continue;
        seen += size;
        tally_span_add(span, instant(world->next));
    }
    return seen;
}

static void live_step(struct world *world)
{
    struct tally_span span = {TIME_NONE, TIME_NONE};
    unsigned seen = draw_step(world, &span);
    const struct change_step taken = {.start_ns = instant(world->at),
                                      .end_ns = instant(world->at + step),
                                      .expected = step * world->cluster,
                                      .seen = seen,
                                      .span = world->spans ? span : (struct tally_span){TIME_NONE, TIME_NONE},
                                      .cluster = world->cluster,
                                      .gap = world->cluster > 1 ? 0.05 * world->cluster : 0};
    change_take(&world->change, &taken);
    world->at += step;
    world->quiet = seen > 0 ? 0 : world->quiet + step;
    double middle = fmin(0.5, fmax(0.1, world->left));
    world->short_of = fmax(0, world->short_of + step * (1 - middle) + seen / world->cluster * log(middle));
}

static void live_until_alarm(struct world *world, double cluster, double left, uint64_t seed)
{
    *world = (struct world){.cluster = cluster, .left = left, .seed = seed, .spans = true};
    change_restart(&world->change);
    world->onset = 200 + 20 * stream_uniform(&world->seed);
    while (world->at < world->onset) {
        world->quiet = world->short_of = 0; /* no false alarm */
        live_step(world);
    }
    while (world->quiet < 14 && world->short_of < 14 * (left > 0 ? 1 : 2))
        live_step(world);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How often the interval holds the truth, and its median width. */
static void measure(double cluster, double left, double *inside, double *width)
{
    static struct world world;
    static double widths[RUNS];
    *inside = 0;
    for (int i = 0; i < RUNS; i++) {
        live_until_alarm(&world, cluster, left, 1000 + (uint64_t)i);
        struct change_found found = change_fall(&world.change, 400, world.quiet >= 14 ? 0.3 : 1);
        assert_true(found.earliest_ns <= found.best_ns && found.best_ns <= found.latest_ns);
        assert_true(found.latest_ns <= instant(world.at));
        *inside += found.earliest_ns <= instant(world.onset) && instant(world.onset) <= found.latest_ns;
        widths[i] = clock_seconds(found.earliest_ns, found.latest_ns) / clock_seconds(0, GAP);
    }
    qsort(widths, RUNS, sizeof widths[0], ascending);
    *inside /= RUNS;
    *width = widths[RUNS / 2];
}

static void test_the_interval_holds_the_onset_of_a_silence(void **state)
{
    (void)state;
    double inside, width;
    measure(1, 0, &inside, &width);
    assert_true(inside >= 0.9);
    assert_true(width < 4);
}

static void test_the_interval_holds_the_onset_where_a_part_stays_alive(void **state)
{
    (void)state;
    static const double lefts[] = {0.1, 0.25, 0.5}, widths[] = {9, 18, 60};
    for (int i = 0; i < 3; i++) {
        double inside, width;
        measure(1, lefts[i], &inside, &width);
        assert_true(inside >= 0.88);
        assert_true(width < widths[i]);
    }
}

static void test_clusters_count_once(void **state)
{
    (void)state;
    double inside, width;
    measure(4, 0, &inside, &width);
    assert_true(inside >= 0.88);
    assert_true(width < 4.5);
}

/* An outage of an hour and more, followed until it has been back for a while. */
static double measure_return(double left, double rise)
{
    static struct world world;
    unsigned inside = 0;
    for (uint64_t i = 0; i < 100; i++) {
        live_until_alarm(&world, 1, left, 5000 + i);
        int64_t since_ns = instant(world.at);
        world.end = world.at + 60 + 20 * stream_uniform(&world.seed);
        world.rise = rise;
        while (world.at < world.end + 40 + rise) {
            if (world.at > world.end + 3 + rise / 3 && world.change.pin_ns == TIME_NONE)
                change_pin(&world.change, instant(world.end + rise / 4)); /* where a trickle is noticed */
            live_step(&world);
        }
        struct change_found found = change_return(&world.change, since_ns, TIME_NONE);
        assert_true(found.earliest_ns <= found.best_ns && found.best_ns <= found.latest_ns);
        assert_true(found.earliest_ns >= since_ns - 5 * GAP);
        inside += found.earliest_ns <= instant(world.end) && instant(world.end) <= found.latest_ns;
    }
    return inside;
}

static void test_the_interval_holds_the_return(void **state)
{
    (void)state;
    assert_true(measure_return(0, 0) >= 90);
    assert_true(measure_return(0.1, 0) >= 88);
    assert_true(measure_return(0.25, 0) >= 88);
}

static void test_the_interval_holds_the_begin_of_a_trickle_back(void **state)
{
    (void)state;
    assert_true(measure_return(0, 40) >= 86);
    assert_true(measure_return(0, 120) >= 86);
}

static void test_without_instants_the_onset_may_lie_in_the_interval_of_the_last_sign(void **state)
{
    (void)state;
    static struct world world;
    unsigned inside = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        world = (struct world){.cluster = 1, .seed = seed};
        change_restart(&world.change);
        world.onset = 100 + 5 * stream_uniform(&world.seed);
        while (world.at < world.onset + 15)
            live_step(&world);
        struct change_found found = change_fall(&world.change, 400, 0.3);
        inside += found.earliest_ns <= instant(world.onset) && instant(world.onset) <= found.latest_ns;
    }
    assert_true(inside >= 88);
}

/* Months are kept in as many pieces as an hour, and hold as much. */
static void test_the_past_is_kept_more_and_more_coarsely(void **state)
{
    (void)state;
    static struct change change;
    change_restart(&change);
    double expected = 0, seen = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t at_ns = START + i * GAP;
        const struct change_step taken = {.start_ns = at_ns,
                                          .end_ns = at_ns + GAP,
                                          .expected = 1,
                                          .seen = 1,
                                          .span = {at_ns + GAP / 3, at_ns + GAP / 3},
                                          .cluster = 1};
        change_take(&change, &taken);
        assert_true(change.count <= CHANGE_PIECES);
    }
    for (uint32_t i = 0; i < change.count; i++) {
        expected += change.pieces[i].expected;
        seen += change.pieces[i].within + change.pieces[i].at_end;
        assert_true(i == 0 || change.pieces[i].to_ns > change.pieces[i - 1].to_ns);
    }
    assert_true(expected > 500 && fabs(seen - expected) < 2);
    assert_true(fabs(clock_seconds(change.from_ns, START + 20000 * GAP) - expected * 60) < 1);
    const struct change_piece *last = &change.pieces[change.count - 1];
    assert_true(last->expected <= 1);
}

/* Ten steps a minute, with a cluster a minute in the first `alive` of so many minutes. */
static void take_minutes(struct change *change, int minutes, int alive)
{
    for (int i = 0; i < minutes * 10; i++) {
        const int64_t from_ns = START + i * GAP / 10;
        const bool comes = i % 10 == 5 && i / 10 < alive;
        const struct change_step took = {.start_ns = from_ns,
                                         .end_ns = from_ns + GAP / 10,
                                         .expected = 0.1,
                                         .seen = comes ? 1 : 0,
                                         .span = {comes ? from_ns : TIME_NONE, comes ? from_ns : TIME_NONE},
                                         .cluster = 1};
        change_take(change, &took);
    }
}

static void test_an_onset_may_lie_anywhere_in_what_was_not_watched(void **state)
{
    (void)state;
    struct change change;
    change_bridge(&change, START - 3600 * NS_PER_S);
    take_minutes(&change, 30, 0);
    struct change_found onset = change_fall(&change, 50, 0.02);
    assert_int_equal(onset.earliest_ns, START - 3600 * NS_PER_S);
    assert_in_range(onset.best_ns, START, START + 2 * GAP);
    change_restart(&change); /* without a stretch before it that was not watched */
    take_minutes(&change, 30, 0);
    assert_int_equal(change_fall(&change, 50, 0.02).earliest_ns, START);
}

static void test_an_onset_well_after_what_was_not_watched_lies_there(void **state)
{
    (void)state;
    struct change change;
    change_bridge(&change, START - 3600 * NS_PER_S);
    take_minutes(&change, 60, 30);
    assert_in_range(change_fall(&change, 50, 0.02).earliest_ns, START + 25 * GAP, START + 31 * GAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_interval_holds_the_onset_of_a_silence),
        cmocka_unit_test(test_the_interval_holds_the_onset_where_a_part_stays_alive),
        cmocka_unit_test(test_clusters_count_once),
        cmocka_unit_test(test_the_interval_holds_the_return),
        cmocka_unit_test(test_the_interval_holds_the_begin_of_a_trickle_back),
        cmocka_unit_test(test_without_instants_the_onset_may_lie_in_the_interval_of_the_last_sign),
        cmocka_unit_test(test_the_past_is_kept_more_and_more_coarsely),
        cmocka_unit_test(test_an_onset_may_lie_anywhere_in_what_was_not_watched),
        cmocka_unit_test(test_an_onset_well_after_what_was_not_watched_lies_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
