/* SPDX-License-Identifier: BSD-3-Clause */
/* Several sensors, one verdict: each has a study of its own, fed with a stream of known truth, and its bins
 * arrive when they do. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis.h"
#include "fuse.h"
#include "stream.h"

#define START     (1749081600 * NS_PER_S) /* 2025-06-05T00:00:00Z */
#define BIN       (60 * NS_PER_S)
#define STEP      (5 * NS_PER_S)
#define MINUTE(n) (START + (int64_t)(n)*BIN)

enum {
    SENSORS = 5,
    ALL = 0,
    P1,
    P2,
    LEASED,
    TAP,
    SCOPES,
    EVENTS_MAX = 200,
    ROWS_MAX = SENSORS * SCOPES * 2000
};

static const struct scope scopes[SCOPES] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
    {SCOPE_PREFIX, true, "prefix:198.51.100.0/24", false},
    {SCOPE_PREFIX, false, "prefix:203.0.113.0/24", false},
    {SCOPE_TAP, false, "tap", false},
};
static const struct scope_list list = {.items = scopes, .count = SCOPES};

struct span {
    int64_t from_ns, to_ns;
};

static bool within(const struct span *span, int64_t at_ns)
{
    return at_ns >= span->from_ns && at_ns < span->to_ns;
}

/* What befalls a sensor; all by true time. */
struct sensor {
    double rate; /* of both prefixes together, a minute */
    struct span road, blind, gone;
    int64_t delay_ns, clock_ns; /* its bins arrive later by one, and are stamped later by the other */
};

struct world {
    struct sensor sensor[SENSORS];
    struct span dark, prefix_dark;
    int minutes;
    uint64_t seed;
};

static struct world quiet(uint64_t seed)
{
    struct world world = {.minutes = 400, .seed = seed};
    const double rates[SENSORS] = {20, 12, 8, 5, 3};
    for (int i = 0; i < SENSORS; i++)
        world.sensor[i] = (struct sensor){.rate = rates[i], .delay_ns = NS_PER_S + i * 100 * NS_PER_MS};
    return world;
}

/* ---- the sensors ---- */

struct arrival {
    int64_t at_ns;
    uint32_t order;
    struct fuse_row row;
};

static struct arrival *arrivals;
static uint32_t arrival_count;

struct delivery {
    const struct sensor *sensor;
    int number;
};

static void deliver(void *context, const struct bin *bin)
{
    const struct delivery *delivery = context;
    int64_t end_ns = bin->start_ns + BIN - delivery->sensor->clock_ns;
    if (within(&delivery->sensor->gone, end_ns))
        return;
    assert_true(arrival_count < ROWS_MAX);
    struct arrival *arrival = &arrivals[arrival_count];
    arrival->at_ns = end_ns + delivery->sensor->delay_ns;
    arrival->order = arrival_count++;
    arrival->row = (struct fuse_row){.scope = scopes[bin->scope], .bin = *bin};
    snprintf(arrival->row.sensor, sizeof arrival->row.sensor, "ix-%d", delivery->number + 1);
}

static void ignore_event(void *context, const struct event *event)
{
    (void)context;
    (void)event;
}

static void count_signs(struct tally *tally, uint64_t count)
{
    static const enum tally_measure measures[] = {
        TALLY_flows,       TALLY_knocks,          TALLY_live_flows, TALLY_answered_flows,
        TALLY_live_bursts, TALLY_answered_bursts, TALLY_packets_in, TALLY_packets_out};
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        tally->value[measures[i]] += count;
    for (uint64_t i = 0; i < count; i++)
        tally_span_add(&tally->answered,
                       tally->start_ns + (int64_t)((i + 0.5) * (double)STEP / (double)count));
    tally->live = tally->in = tally->out = tally->answered;
}

static void step_of(const struct world *world, const struct sensor *sensor, int64_t at_ns, uint64_t *seed,
                    struct tally *tallies)
{
    const double share[SCOPES] = {[P1] = 0.6, [P2] = 0.4, [LEASED] = 0.3};
    bool blind = within(&sensor->blind, at_ns),
         dark = within(&world->dark, at_ns) || within(&sensor->road, at_ns);
    for (int i = 0; i < SCOPES; i++)
        tallies[i] = tally_empty(at_ns + sensor->clock_ns, at_ns + sensor->clock_ns + STEP, TALLY_ALL_KNOWN);
    for (int i = P1; i <= LEASED; i++) {
        uint64_t count = stream_poisson(seed, sensor->rate * share[i] / 12);
        bool silent = dark || blind || (i == P1 && within(&world->prefix_dark, at_ns));
        if (silent && !(i == LEASED && !blind))
            continue;
        count_signs(&tallies[i], count);
        if (i != LEASED)
            count_signs(&tallies[ALL], count);
    }
    uint64_t knocks = blind ? 0 : stream_poisson(seed, sensor->rate / 12);
    tallies[ALL].value[TALLY_flows] += knocks;
    tallies[ALL].value[TALLY_knocks] += knocks;
    tallies[ALL].value[TALLY_packets_in] += knocks;
    tallies[TAP].value[TALLY_packets_in] = blind ? 0 : stream_poisson(seed, 10);
    if (tallies[TAP].value[TALLY_packets_in] > 0)
        tallies[TAP].in = (struct tally_span){tallies[TAP].start_ns + 1, tallies[TAP].end_ns - 1};
}

static void run_sensor(const struct world *world, int number)
{
    const struct analysis_options options = {.bin_ns = BIN,
                                             .false_alarms_per_year = 1,
                                             .half_life_s = 14 * 86400,
                                             .recovery_hold_s = 900,
                                             .learn_flows = 100,
                                             .learn_s = 1800};
    struct delivery delivery = {&world->sensor[number], number};
    const struct analysis_output output = {&delivery, deliver, ignore_event};
    struct analysis *analysis = analysis_new(&options, &list, &output);
    uint64_t seed = world->seed * 1000 + (uint64_t)number;
    for (int64_t at_ns = START; at_ns < MINUTE(world->minutes); at_ns += STEP) {
        struct tally tallies[SCOPES];
        step_of(world, delivery.sensor, at_ns, &seed, tallies);
        analysis_step(analysis, tallies);
    }
    analysis_free(analysis);
}

static int by_arrival(const void *a, const void *b)
{
    const struct arrival *one = a, *other = b;
    if (one->at_ns != other->at_ns)
        return one->at_ns < other->at_ns ? -1 : 1;
    return one->order < other->order ? -1 : 1;
}

static void run_sensors(const struct world *world)
{
    arrival_count = 0;
    for (int i = 0; i < SENSORS; i++)
        if (world->sensor[i].rate > 0)
            run_sensor(world, i);
    qsort(arrivals, arrival_count, sizeof *arrivals, by_arrival);
}

/* ---- the fused view ---- */

struct result {
    struct event events[EVENTS_MAX];
    unsigned event_count, bins;
    struct scope_list scopes;
    struct bin last_all;
    uint64_t answered;
};
static struct result result, again;

static void keep_scopes(void *context, const struct scope_list *told)
{
    ((struct result *)context)->scopes = *told;
}

static void keep_bin(void *context, const struct bin *bin)
{
    struct result *into = context;
    into->bins++;
    if (into->scopes.items[bin->scope].kind != SCOPE_ALL)
        return;
    into->last_all = *bin;
    into->answered += bin->tally.value[TALLY_answered_flows];
}

static void keep_event(void *context, const struct event *event)
{
    struct result *into = context;
    assert_true(into->event_count < EVENTS_MAX);
    into->events[into->event_count++] = *event;
}

static struct fuse *fuse_into(struct result *into, int64_t lateness_ns)
{
    const struct fuse_options options = {.bin_ns = BIN, .lateness_ns = lateness_ns, .recovery_hold_s = 900};
    const struct fuse_output output = {into, keep_scopes, keep_bin, keep_event};
    struct fuse *fuse = fuse_new(&options, &output);
    assert_non_null(fuse);
    return fuse;
}

static void fuse_late(const struct world *world, int64_t lateness_ns)
{
    run_sensors(world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, lateness_ns);
    for (uint32_t i = 0; i < arrival_count; i++)
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
    fuse_free(fuse);
}

static void run(const struct world *world)
{
    fuse_late(world, 60 * NS_PER_S);
}

static const struct event *find(enum event_action action, const char *scope, unsigned nth)
{
    for (unsigned i = 0; i < result.event_count; i++)
        if (result.events[i].action == action && strcmp(result.events[i].scope, scope) == 0 && nth-- == 0)
            return &result.events[i];
    return NULL;
}

static enum verdict verdict_of(const struct event *event)
{
    enum verdict best = VERDICT_UNKNOWN;
    for (int i = 0; i < VERDICT__COUNT; i++)
        if (event->probability[i] > event->probability[best])
            best = (enum verdict)i;
    return best;
}

static unsigned told(enum event_action action)
{
    unsigned count = 0;
    for (unsigned i = 0; i < result.event_count; i++)
        count += result.events[i].action == action;
    return count;
}

static const struct event_part *part_of(const struct event_part *parts, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    return NULL;
}

static const struct span an_hour = {MINUTE(200) + 17 * NS_PER_S, MINUTE(260)};

static void assert_onset(const struct event *event, int64_t at_ns)
{
    assert_true(event->onset_earliest_ns <= at_ns + 5 * NS_PER_S &&
                event->onset_latest_ns >= at_ns - 5 * NS_PER_S);
    assert_true(llabs(event->onset_ns - at_ns) < 30 * NS_PER_S);
}

static void test_quiet_days_say_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        const struct world world = quiet(seed);
        run(&world);
        assert_int_equal(result.event_count, 0);
        assert_int_equal(result.last_all.state, STATE_UP);
        assert_true(result.last_all.expected > 30 && result.last_all.expected < 66);
    }
}

static void test_what_is_dark_for_all_is_an_outage_of_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world world = quiet(seed);
        world.dark = an_hour;
        run(&world);
        const struct event *started = find(EVENT_OUTAGE_STARTED, "all", 0),
                           *ended = find(EVENT_OUTAGE_ENDED, "all", 0);
        assert_non_null(started);
        assert_non_null(ended);
        assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
        assert_int_equal(told(EVENT_OUTAGE_ENDED), 1);
        assert_int_equal(told(EVENT_SENSOR_IMPAIRED), 0);
        assert_onset(started, an_hour.from_ns);
        assert_true(started->delay_s < 180);
        assert_int_equal(verdict_of(started), VERDICT_INTERNAL);
        assert_int_equal(started->path_count, SENSORS);
        const struct event_part *leased = part_of(started->prefixes, started->prefix_count, "203.0.113.0/24");
        assert_non_null(leased); /* which does not count in all, and is up */
        assert_int_equal(leased->state, STATE_UP);
        assert_true(started->episode == ended->episode && ended->depth > 0.95);
        assert_true(llabs(ended->end_ns - an_hour.to_ns) < 60 * NS_PER_S);
        assert_true(ended->end_earliest_ns <= ended->end_ns && ended->end_ns <= ended->end_latest_ns);
        assert_true(ended->return_count >= SENSORS);
    }
}

static void test_what_is_dark_for_one_is_its_road(void **state)
{
    (void)state;
    for (int i = 0; i < SENSORS; i++) {
        char path[32];
        struct world world = quiet(20 + (uint64_t)i);
        world.sensor[i].road = an_hour;
        run(&world);
        snprintf(path, sizeof path, "path:ix-%d", i + 1);
        const struct event *started = find(EVENT_OUTAGE_STARTED, path, 0);
        assert_non_null(started);
        assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
        assert_onset(started, an_hour.from_ns);
        assert_int_equal(verdict_of(started), VERDICT_UPSTREAM);
        assert_non_null(find(EVENT_OUTAGE_ENDED, path, 0));
        assert_int_equal(result.last_all.state, STATE_UP);
    }
}

static void test_two_roads_are_two_outages_and_none_of_all(void **state)
{
    (void)state;
    struct world world = quiet(30);
    world.sensor[0].road = world.sensor[3].road = an_hour;
    run(&world);
    assert_non_null(find(EVENT_OUTAGE_STARTED, "path:ix-1", 0));
    assert_non_null(find(EVENT_OUTAGE_STARTED, "path:ix-4", 0));
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 2);
}

static void test_a_prefix_that_is_dark_for_all_is_an_outage_of_that_prefix(void **state)
{
    (void)state;
    struct world world = quiet(31);
    world.prefix_dark = an_hour;
    run(&world);
    const struct event *started = find(EVENT_OUTAGE_STARTED, "prefix:192.0.2.0/24", 0);
    assert_non_null(started);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
    assert_onset(started, an_hour.from_ns);
    assert_non_null(find(EVENT_OUTAGE_ENDED, "prefix:192.0.2.0/24", 0));
}

static void test_a_road_that_was_out_before_all_went_dark_keeps_the_name(void **state)
{
    (void)state;
    struct world world = quiet(6);
    world.sensor[0].road = (struct span){MINUTE(180), MINUTE(320)};
    world.dark = an_hour;
    run(&world);
    const struct event *road = find(EVENT_OUTAGE_STARTED, "path:ix-1", 0),
                       *all = find(EVENT_OUTAGE_UPDATED, "all", 0),
                       *ended = find(EVENT_OUTAGE_ENDED, "all", 0),
                       *again_road = find(EVENT_OUTAGE_STARTED, "path:ix-1", 1);
    assert_true(road != NULL && all != NULL && ended != NULL && again_road != NULL);
    assert_true(all->episode == road->episode && all->sequence == road->sequence + 1);
    assert_onset(all, an_hour.from_ns);
    assert_true(again_road->episode != road->episode || again_road->sequence == 0);
    assert_true(again_road->time_ns >= ended->time_ns); /* its road is still out when the rest is back */
    assert_non_null(find(EVENT_OUTAGE_ENDED, "path:ix-1", 0));
}

static void test_a_blind_sensor_is_told_and_no_outage(void **state)
{
    (void)state;
    struct world world = quiet(40);
    world.sensor[0].blind = (struct span){MINUTE(150), MINUTE(300)};
    run(&world);
    const struct event *impaired = find(EVENT_SENSOR_IMPAIRED, "tap", 0),
                       *restored = find(EVENT_SENSOR_RESTORED, "tap", 0);
    assert_true(impaired != NULL && restored != NULL);
    assert_int_equal(result.event_count, 2);
    assert_string_equal(impaired->leg, "ix-1");
    assert_int_equal(impaired->absent, ABSENCE_BLIND);
    assert_true(impaired->episode == restored->episode && restored->sequence == 1);
    assert_true(result.last_all.expected > 30); /* it counts again */
}

static void test_the_others_judge_while_one_is_blind_and_one_is_silent(void **state)
{
    (void)state;
    struct world world = quiet(41);
    world.sensor[0].blind = (struct span){MINUTE(150), MINUTE(300)};
    world.sensor[1].gone = (struct span){MINUTE(170), MINUTE(290)};
    world.dark = an_hour;
    run(&world);
    const struct event *started = find(EVENT_OUTAGE_STARTED, "all", 0);
    assert_non_null(started);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(told(EVENT_SENSOR_IMPAIRED), 2);
    assert_int_equal(told(EVENT_SENSOR_RESTORED), 2);
    assert_int_equal(find(EVENT_SENSOR_IMPAIRED, "tap", 1)->absent, ABSENCE_SILENT);
    assert_int_equal(part_of(started->paths, started->path_count, "ix-1")->state, STATE_BLIND);
    assert_int_equal(part_of(started->paths, started->path_count, "ix-2")->state, STATE_BLIND);
    assert_int_equal(part_of(started->paths, started->path_count, "ix-3")->state, STATE_DOWN);
}

static void test_one_sensor_alone_can_see_but_hardly_say_why(void **state)
{
    (void)state;
    struct world world = quiet(42);
    for (int i = 1; i < SENSORS; i++)
        world.sensor[i].blind = (struct span){MINUTE(150), MINUTE(390)};
    world.dark = an_hour;
    run(&world);
    const struct event *started = find(EVENT_OUTAGE_STARTED, "all", 0);
    assert_non_null(started);
    assert_int_not_equal(verdict_of(started), VERDICT_INTERNAL); /* it may be its own road */
}

static void copy_result(void)
{
    again = result;
}

static void assert_same_events(void)
{
    assert_int_equal(result.event_count, again.event_count);
    for (unsigned i = 0; i < result.event_count; i++)
        assert_memory_equal(&result.events[i], &again.events[i], sizeof result.events[i]);
}

static void test_a_sensor_that_is_late_by_half_a_minute_changes_nothing(void **state)
{
    (void)state;
    struct world world = quiet(50);
    world.dark = an_hour;
    run(&world);
    copy_result();
    assert_true(again.event_count > 2);
    world.sensor[1].delay_ns = 31 * NS_PER_S;
    world.sensor[4].delay_ns = 45 * NS_PER_S;
    run(&world);
    assert_same_events();
}

static void test_a_clock_that_is_off_by_five_seconds_changes_no_verdict(void **state)
{
    (void)state;
    struct world world = quiet(51);
    world.dark = an_hour;
    run(&world);
    copy_result();
    world.sensor[2].clock_ns = 5 * NS_PER_S;
    run(&world);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
    assert_int_equal(told(EVENT_OUTAGE_ENDED), 1);
    assert_int_equal(told(EVENT_SENSOR_IMPAIRED), 0);
    const struct event *started = find(EVENT_OUTAGE_STARTED, "all", 0);
    assert_onset(started, an_hour.from_ns);
    assert_true(llabs(started->time_ns - again.events[0].time_ns) <= BIN);
}

static void test_a_sensor_that_is_later_than_the_lateness_is_judged_without(void **state)
{
    (void)state;
    struct world world = quiet(52);
    world.sensor[1].delay_ns = 400 * NS_PER_S;
    world.dark = an_hour;
    fuse_late(&world, 30 * NS_PER_S);
    const struct event *impaired = find(EVENT_SENSOR_IMPAIRED, "tap", 0),
                       *started = find(EVENT_OUTAGE_STARTED, "all", 0);
    assert_non_null(impaired);
    assert_int_equal(impaired->absent, ABSENCE_LATE);
    assert_string_equal(impaired->leg, "ix-2");
    assert_non_null(started);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
}

static void test_a_clock_that_is_an_hour_ahead_is_told_and_stops_nobody(void **state)
{
    (void)state;
    struct world world = quiet(53);
    world.sensor[4].clock_ns = 3600 * NS_PER_S;
    world.dark = an_hour;
    run(&world);
    const struct event *impaired = find(EVENT_SENSOR_IMPAIRED, "tap", 0),
                       *started = find(EVENT_OUTAGE_STARTED, "all", 0);
    assert_non_null(impaired);
    assert_int_equal(impaired->absent, ABSENCE_AHEAD);
    assert_non_null(started);
    assert_onset(started, an_hour.from_ns);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 1);
}

static void test_when_nobody_is_heard_any_more_that_is_told(void **state)
{
    (void)state;
    struct world world = quiet(54);
    run_sensors(&world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++)
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
    fuse_advance(fuse, arrivals[arrival_count - 1].at_ns + 119 * NS_PER_S);
    assert_int_equal(result.event_count, 0);
    fuse_advance(fuse, arrivals[arrival_count - 1].at_ns + 180 * NS_PER_S);
    assert_int_equal(told(EVENT_SENSOR_IMPAIRED), SENSORS);
    assert_int_equal(told(EVENT_OUTAGE_STARTED), 0);
    for (unsigned i = 0; i < SENSORS; i++)
        assert_true(result.events[i].onset_ns == MINUTE(world.minutes));
    assert_int_equal(result.last_all.state, STATE_BLIND);
    assert_int_equal(result.last_all.tally.known, 0);
    unsigned bins = result.bins;
    fuse_advance(fuse, arrivals[arrival_count - 1].at_ns + 999 * BIN);
    assert_int_equal(result.bins, bins);
    fuse_free(fuse);
}

static void test_the_first_window_waits_for_whoever_else_there_is(void **state)
{
    (void)state;
    struct world world = quiet(59);
    unsigned late = 0;
    world.minutes = 5;
    world.sensor[4].delay_ns = 30 * NS_PER_S;
    run_sensors(&world);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++)
        late += fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns) == FUSE_LATE;
    assert_int_equal(late, 0);
    fuse_free(fuse);
}

/* The data of all sensors leap in the midst of an outage. */
static void run_with_leap(const struct world *world, int64_t leap_ns)
{
    run_sensors(world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++) {
        struct fuse_row *row = &arrivals[i].row;
        if (row->bin.start_ns >= an_hour.from_ns + 20 * BIN) {
            row->bin.start_ns += leap_ns;
            row->bin.tally.start_ns += leap_ns;
            row->bin.tally.end_ns += leap_ns;
        }
        fuse_take(fuse, row, arrivals[i].at_ns);
    }
    fuse_free(fuse);
}

static void test_a_leap_of_years_is_over_as_soon_as_one_of_hours_and_says_the_same(void **state)
{
    (void)state;
    struct world world = quiet(61);
    world.dark = an_hour;
    run_with_leap(&world, 300 * BIN); /* beyond what rows are kept for */
    copy_result();
    assert_true(again.event_count > 1);
    run_with_leap(&world, (int64_t)70 * 365 * 24 * 60 * BIN);
    assert_int_equal(result.event_count, again.event_count);
    assert_true(result.answered == again.answered && result.bins == again.bins);
    for (unsigned i = 0; i < result.event_count; i++)
        assert_int_equal(result.events[i].action, again.events[i].action);
}

static struct fuse *hand_over(struct fuse *fuse)
{
    size_t length = fuse_save(fuse, NULL, 0);
    uint8_t *bytes = malloc(length);
    const char *why;
    assert_int_equal(fuse_save(fuse, bytes, length), length);
    fuse_free(fuse);
    fuse = fuse_into(&result, 60 * NS_PER_S);
    assert_int_equal(fuse_load(fuse, bytes, length, &why), 0);
    free(bytes);
    return fuse;
}

static void test_whoever_takes_over_goes_on_as_if_nothing_had_happened(void **state)
{
    (void)state;
    struct world world = quiet(55);
    world.sensor[0].blind = (struct span){MINUTE(150), MINUTE(230)};
    world.sensor[1].road = (struct span){MINUTE(170), MINUTE(190)};
    world.dark = an_hour;
    run(&world);
    copy_result();
    assert_true(again.event_count > 4);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++) {
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
        if (i % 37 == 0)
            fuse = hand_over(fuse);
    }
    fuse_free(fuse);
    assert_same_events();
    assert_true(result.answered == again.answered && result.bins == again.bins);
}

static void test_it_does_not_matter_when_time_is_told(void **state)
{
    (void)state;
    struct world world = quiet(56);
    world.sensor[1].gone = (struct span){MINUTE(170), MINUTE(290)};
    world.dark = an_hour;
    run(&world);
    copy_result();
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++) {
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
        if (i + 1 < arrival_count) /* as somebody who looks all the time does */
            fuse_advance(fuse, arrivals[i + 1].at_ns - 1);
    }
    fuse_free(fuse);
    assert_same_events();
}

static void test_bytes_that_are_not_whole_or_of_another_bin_are_refused(void **state)
{
    (void)state;
    struct world world = quiet(57);
    world.minutes = 60;
    run_sensors(&world);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++)
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
    size_t length = fuse_save(fuse, NULL, 0);
    uint8_t *bytes = malloc(length);
    const char *why;
    fuse_save(fuse, bytes, length);
    fuse_free(fuse);
    for (size_t cut = 0; cut < length; cut += length / 7) {
        fuse = fuse_into(&result, 60 * NS_PER_S);
        assert_int_equal(fuse_load(fuse, bytes, cut, &why), -1);
        fuse_free(fuse);
    }
    const struct fuse_options others = {.bin_ns = 2 * BIN, .lateness_ns = BIN};
    const struct fuse_output output = {&result, keep_scopes, keep_bin, keep_event};
    fuse = fuse_new(&others, &output);
    assert_int_equal(fuse_load(fuse, bytes, length, &why), -1);
    assert_string_equal(why, "it was saved with another bin");
    fuse_free(fuse);
    free(bytes);
}

/* What anybody may have written into Redis: taken or refused, and if taken gone on from. */
static void test_a_view_with_any_bytes_in_any_place_does_no_harm(void **state)
{
    (void)state;
    struct world world = quiet(64);
    world.minutes = 300;
    world.sensor[1].blind = (struct span){MINUTE(150), MINUTE(300)};
    world.dark = (struct span){MINUTE(200), MINUTE(300)};
    run_sensors(&world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    const uint32_t half = arrival_count * 3 / 4;
    for (uint32_t i = 0; i < half; i++)
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
    size_t length = fuse_save(fuse, NULL, 0);
    uint8_t *bytes = malloc(length), *spoilt = malloc(length);
    fuse_save(fuse, bytes, length);
    fuse_free(fuse);
    unsigned taken = 0, refused = 0;
    for (size_t at = 0; at + 4 <= length; at += 4) {
        const uint8_t fill = (const uint8_t[]){0xff, 0x7f, 0x80, 0x01}[at / 4 % 4];
        const char *why;
        memcpy(spoilt, bytes, length);
        memset(spoilt + at, fill, 4);
        memset(&result, 0, sizeof result);
        fuse = fuse_into(&result, 60 * NS_PER_S);
        bool loaded = fuse_load(fuse, spoilt, length, &why) == 0;
        for (uint32_t i = half; loaded && i < half + 60; i++)
            fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
        if (loaded)
            fuse_advance(fuse, arrivals[half].at_ns + 600 * BIN);
        fuse_free(fuse);
        taken += loaded;
        refused += !loaded;
    }
    assert_true(taken > 1000 && refused > 1000);
    free(bytes);
    free(spoilt);
}

/* A path of a sensor's own that has the name of another sensor is that one's road from then on. */
static void test_a_sensor_whose_name_is_that_of_a_path_on_its_way_takes_the_name(void **state)
{
    (void)state;
    struct world world = quiet(63);
    world.minutes = 120;
    run_sensors(&world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    const struct scope path = {SCOPE_PATH, true, "path:newcomer", false};
    bool came = false;
    for (uint32_t i = 0; i < arrival_count; i++) {
        struct fuse_row row = arrivals[i].row;
        assert_int_equal(fuse_take(fuse, &row, arrivals[i].at_ns), FUSE_TAKEN);
        if (came || row.bin.start_ns < MINUTE(60) || row.scope.kind != SCOPE_ALL)
            continue;
        row.scope = path;
        assert_int_equal(fuse_take(fuse, &row, arrivals[i].at_ns), FUSE_TAKEN);
        row.scope = scopes[ALL];
        strcpy(row.sensor, "newcomer");
        fuse_take(fuse, &row, arrivals[i].at_ns);
        came = true;
    }
    fuse_free(fuse);
    assert_true(came);
    assert_int_equal(result.last_all.start_ns, MINUTE(world.minutes - 1));
}

static enum fuse_taken tell(struct fuse *fuse, unsigned sensor, unsigned prefix)
{
    struct fuse_row row = {.scope = {.kind = SCOPE_PREFIX, .counted = true},
                           .bin = {.start_ns = START, .state = STATE_UP, .signal = SIGNAL_ANSWERED_FLOWS}};
    row.bin.tally = tally_empty(START, START + BIN, 0);
    snprintf(row.sensor, sizeof row.sensor, "ix-%u", sensor);
    snprintf(row.scope.text, sizeof row.scope.text, "prefix:10.%u.%u.0/24", prefix / 256, prefix % 256);
    return fuse_take(fuse, &row, START + 2 * BIN);
}

static void test_so_many_scopes_are_known_and_no_more(void **state)
{
    (void)state;
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    unsigned prefixes = 0;
    while (tell(fuse, 0, prefixes) == FUSE_TAKEN)
        prefixes++;
    assert_int_equal(prefixes, 4096 - 3); /* all, the tap and the sensor's road are the others */
    assert_int_equal(tell(fuse, 0, prefixes), FUSE_NO_MEMORY);
    for (int times = 0; times < 3; times++) /* a sensor for which there is no road */
        assert_int_equal(tell(fuse, 1, 0), FUSE_NO_MEMORY);
    assert_int_equal(tell(fuse, 0, 0), FUSE_TAKEN);
    fuse_advance(fuse, START + 600 * BIN);
    fuse_free(fuse);
}

static void test_so_many_sensors_with_so_many_scopes_are_known_and_no_more(void **state)
{
    (void)state;
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    unsigned prefixes = 0, sensors = 0;
    for (; prefixes < 1000; prefixes++)
        assert_int_equal(tell(fuse, 0, prefixes), FUSE_TAKEN);
    while (tell(fuse, sensors, 0) == FUSE_TAKEN)
        sensors++;
    assert_int_equal(sensors, 262144 / (prefixes + 2)); /* all and the tap have cells too */
    fuse_free(fuse);
    fuse = fuse_into(&result, 60 * NS_PER_S);
    for (sensors = 0; tell(fuse, sensors, 0) == FUSE_TAKEN;)
        sensors++;
    assert_int_equal(sensors, 1024);
    for (prefixes = 0; tell(fuse, 0, prefixes) == FUSE_TAKEN;)
        prefixes++;
    assert_int_equal(prefixes, 262144 / 1024 - 2);
    fuse_free(fuse);
}

static void test_so_many_bins_wait_for_their_window_and_no_more(void **state)
{
    (void)state;
    struct world world = quiet(62);
    world.minutes = 60;
    run_sensors(&world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (uint32_t i = 0; i < arrival_count; i++)
        fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns);
    struct fuse_row again_and_again = arrivals[arrival_count - 1].row;
    again_and_again.bin.start_ns += 2 * BIN; /* nobody else is there yet */
    unsigned taken = 0, full = 0;
    for (int i = 0; i < 200000; i++) {
        enum fuse_taken how = fuse_take(fuse, &again_and_again, arrivals[arrival_count - 1].at_ns);
        taken += how == FUSE_TAKEN;
        full += how == FUSE_FULL;
    }
    assert_int_equal(taken + full, 200000);
    assert_in_range(taken, 131072 - 100, 131072);
    unsigned bins = result.bins;
    fuse_advance(fuse, arrivals[arrival_count - 1].at_ns + 180 * NS_PER_S);
    assert_true(result.bins > bins);
    fuse_free(fuse);
}

static void test_a_sensor_with_bins_of_another_length_is_left_out(void **state)
{
    (void)state;
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    struct fuse_row row = {
        .sensor = "ix-9", .scope = scopes[ALL], .bin = {.start_ns = START + 30 * NS_PER_S}};
    row.bin.tally = tally_empty(row.bin.start_ns, row.bin.start_ns + 30 * NS_PER_S, 0);
    assert_int_equal(fuse_take(fuse, &row, START), FUSE_UNLIKE);
    strcpy(row.sensor, "ix-10");
    row.bin.start_ns = START;
    row.bin.tally = tally_empty(START, START + 2 * BIN, 0);
    assert_int_equal(fuse_take(fuse, &row, START + 1), FUSE_UNLIKE);
    fuse_free(fuse);
}

static void test_an_exercise_that_is_played_again_begins_anew(void **state)
{
    (void)state;
    struct world world = quiet(58);
    world.dark = (struct span){MINUTE(200), MINUTE(500)}; /* it ends within */
    run_sensors(&world);
    memset(&result, 0, sizeof result);
    struct fuse *fuse = fuse_into(&result, 60 * NS_PER_S);
    for (int64_t turn = 0; turn < 2; turn++)
        for (uint32_t i = 0; i < arrival_count; i++)
            fuse_take(fuse, &arrivals[i].row, arrivals[i].at_ns + turn * 401 * BIN);
    fuse_free(fuse);
    const struct event *first = find(EVENT_OUTAGE_STARTED, "all", 0),
                       *second = find(EVENT_OUTAGE_STARTED, "all", 1);
    assert_true(first != NULL && second != NULL);
    assert_true(first->episode == second->episode && first->time_ns == second->time_ns);
    assert_null(find(EVENT_OUTAGE_ENDED, "all", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_days_say_nothing),
        cmocka_unit_test(test_what_is_dark_for_all_is_an_outage_of_all),
        cmocka_unit_test(test_what_is_dark_for_one_is_its_road),
        cmocka_unit_test(test_two_roads_are_two_outages_and_none_of_all),
        cmocka_unit_test(test_a_prefix_that_is_dark_for_all_is_an_outage_of_that_prefix),
        cmocka_unit_test(test_a_road_that_was_out_before_all_went_dark_keeps_the_name),
        cmocka_unit_test(test_a_blind_sensor_is_told_and_no_outage),
        cmocka_unit_test(test_the_others_judge_while_one_is_blind_and_one_is_silent),
        cmocka_unit_test(test_one_sensor_alone_can_see_but_hardly_say_why),
        cmocka_unit_test(test_a_sensor_that_is_late_by_half_a_minute_changes_nothing),
        cmocka_unit_test(test_a_clock_that_is_off_by_five_seconds_changes_no_verdict),
        cmocka_unit_test(test_a_sensor_that_is_later_than_the_lateness_is_judged_without),
        cmocka_unit_test(test_a_clock_that_is_an_hour_ahead_is_told_and_stops_nobody),
        cmocka_unit_test(test_when_nobody_is_heard_any_more_that_is_told),
        cmocka_unit_test(test_the_first_window_waits_for_whoever_else_there_is),
        cmocka_unit_test(test_a_leap_of_years_is_over_as_soon_as_one_of_hours_and_says_the_same),
        cmocka_unit_test(test_whoever_takes_over_goes_on_as_if_nothing_had_happened),
        cmocka_unit_test(test_it_does_not_matter_when_time_is_told),
        cmocka_unit_test(test_bytes_that_are_not_whole_or_of_another_bin_are_refused),
        cmocka_unit_test(test_a_view_with_any_bytes_in_any_place_does_no_harm),
        cmocka_unit_test(test_a_sensor_with_bins_of_another_length_is_left_out),
        cmocka_unit_test(test_a_sensor_whose_name_is_that_of_a_path_on_its_way_takes_the_name),
        cmocka_unit_test(test_so_many_scopes_are_known_and_no_more),
        cmocka_unit_test(test_so_many_sensors_with_so_many_scopes_are_known_and_no_more),
        cmocka_unit_test(test_so_many_bins_wait_for_their_window_and_no_more),
        cmocka_unit_test(test_an_exercise_that_is_played_again_begins_anew),
    };
    arrivals = calloc(ROWS_MAX, sizeof *arrivals);
    int failed = arrivals == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    free(arrivals);
    return failed;
}
