/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits for Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "canned.h"
#include "files.h"
#include "outbox.h"

static char said[4096]; /* line by line */

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t length = strlen(said);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said + length, sizeof said - length, format, arguments);
    va_end(arguments);
    strcat(said, "\n");
}

static struct outbox *outbox_of(const struct outbox_options *options)
{
    struct fault fault;
    said[0] = '\0';
    struct outbox *outbox = outbox_new(options, &canned_scopes, &fault);
    assert_non_null(outbox);
    return outbox;
}

static struct outbox *small(bool patient)
{
    const struct outbox_options options = {
        .sensor = "ix-1", .events_max = 5, .bins_max = 10, .patient = patient, .drain_s = 0.2, .say = note};
    return outbox_of(&options);
}

static struct outbox *spooled(const char *path, uint64_t told)
{
    const struct outbox_options options = {.sensor = "ix-1",
                                           .events_max = 5,
                                           .bins_max = 10,
                                           .drain_s = 0.2,
                                           .spool_path = path,
                                           .spool_bytes_max = 1024 * 1024,
                                           .told = told,
                                           .say = note};
    return outbox_of(&options);
}

static bool put(struct outbox *outbox, unsigned i)
{
    struct event event = canned_event(i);
    return outbox_put_event(outbox, &event);
}

static bool put_bin(struct outbox *outbox, unsigned i)
{
    struct bin bin = canned_bin(i);
    return outbox_put_bin(outbox, &bin);
}

static void events_stay_in_order_until_they_are_sent(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    const struct outbox_event *events[8];
    for (unsigned i = 0; i < 20; i++) { /* round the ring */
        assert_true(put(outbox, i));
        assert_int_equal(outbox_events(outbox, events, 8), 1);
        assert_int_equal(outbox_events(outbox, events, 8), 1);
        struct event event = canned_event(i);
        char id[EVENT_ID_MAX];
        event_text_id(&event, "ix-1", id);
        assert_string_equal(events[0]->id, id);
        assert_string_equal(events[0]->scope, event.scope);
        assert_string_equal(events[0]->action, event_text_action(event.action));
        outbox_events_sent(outbox, 1);
    }
    assert_int_equal(outbox_events(outbox, events, 8), 0);
    struct health health = {0};
    outbox_count(outbox, &health);
    assert_int_equal(health.redis_sent, 20);
    outbox_free(outbox);
}

static void an_event_without_room_is_refused_and_counted(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(put(outbox, i), i < 5);
    for (unsigned i = 0; i < 13; i++)
        assert_int_equal(put_bin(outbox, i), i < 10);
    struct health health = {0};
    outbox_count(outbox, &health);
    assert_int_equal(health.redis_dropped, 2);
    assert_string_equal(said, "the memory for events that wait for Redis is full (5): further events are "
                              "given up until Redis takes some\n");
    assert_int_equal(health.queue_dropped, 3);
    size_t bins;
    assert_int_equal(outbox_waiting(outbox, &bins), 5);
    assert_int_equal(bins, 10);
    outbox_free(outbox);
}

struct writer {
    struct outbox *outbox;
    atomic_int put;
};

static void *put_six(void *context)
{
    struct writer *writer = context;
    for (unsigned i = 0; i < 6; i++)
        if (put(writer->outbox, i))
            writer->put++;
    return NULL;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void a_patient_writer_waits_while_redis_takes_things_and_no_longer(void **state)
{
    (void)state;
    for (int away = 0; away < 2; away++) {
        struct writer writer = {.outbox = small(true)};
        pthread_t thread;
        pthread_create(&thread, NULL, put_six, &writer);
        pause_ms(100);
        assert_int_equal(writer.put, 5);
        const struct outbox_event *events[1];
        assert_int_equal(outbox_events(writer.outbox, events, 1), 1);
        if (away)
            outbox_set_away(writer.outbox, true);
        else
            outbox_events_sent(writer.outbox, 1);
        pthread_join(thread, NULL);
        assert_int_equal(writer.put, away ? 5 : 6);
        outbox_free(writer.outbox);
    }
}

static void the_latest_state_alone_is_told_once(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    char json[BIN_JSON_MAX], name[SCOPE_TEXT_MAX];
    uint32_t scope = 0;
    for (unsigned i = 0; i < 10; i++)
        put_bin(outbox, i);
    assert_false(outbox_state(outbox, &scope, name, json)); /* not due yet */
    pause_ms(300);
    for (uint32_t i = 0; i < canned_scopes.count; i++) {
        assert_true(outbox_state(outbox, &scope, name, json));
        assert_string_equal(name, canned_scopes.items[i].text);
        assert_non_null(strstr(json, "\"time\":\"2025-06-06T12:01:00Z\""));
    }
    assert_false(outbox_state(outbox, &scope, name, json));
    outbox_states_again(outbox);
    scope = 3;
    assert_true(outbox_state(outbox, &scope, name, json));
    assert_string_equal(name, canned_scopes.items[3].text);
    outbox_free(outbox);
}

static void of_other_scopes_those_that_stay_are_told_again_and_bins_keep_theirs(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    struct scope items[2] = {canned_scopes.items[0], canned_scopes.items[2]};
    const struct scope_list fewer = {.items = items, .count = 2};
    struct outbox_bin bins[8];
    char json[BIN_JSON_MAX], name[SCOPE_TEXT_MAX];
    uint32_t next = 0;
    unsigned of_second = 0;
    for (unsigned i = 0; i < canned_scopes.count; i++)
        put_bin(outbox, i);
    assert_false(outbox_renewed(outbox));
    assert_true(outbox_scopes(outbox, &fewer));
    assert_true(outbox_renewed(outbox));
    assert_false(outbox_renewed(outbox));
    outbox_close(outbox, false);
    for (int i = 0; i < 2; i++) {
        assert_true(outbox_state(outbox, &next, name, json));
        assert_string_equal(name, items[i].text);
    }
    assert_false(outbox_state(outbox, &next, name, json));
    size_t count = outbox_bins(outbox, bins, 8);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(bins[i].scope.text, canned_scopes.items[bins[i].bin.scope].text);
        of_second += strcmp(bins[i].scope.text, canned_scopes.items[1].text) == 0;
    }
    assert_true(of_second > 0); /* of a scope that is no more */
    outbox_free(outbox);
}

static void the_state_shows_the_open_episode(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    struct event event = canned_event(2);
    char json[BIN_JSON_MAX], name[SCOPE_TEXT_MAX], id[EVENT_ID_MAX];
    uint32_t scope = 0;
    event_text_outage_id(&event, "ix-1", id);
    put_bin(outbox, 0);
    put(outbox, 2);
    outbox_close(outbox, false);
    assert_true(outbox_state(outbox, &scope, name, json));
    assert_string_equal(name, "all");
    assert_non_null(strstr(json, id));
    put(outbox, 7);
    scope = 0;
    assert_true(outbox_state(outbox, &scope, name, json));
    assert_string_equal(name, "all");
    assert_null(strstr(json, id));
    outbox_free(outbox);
}

static void waiting_ends_with_work_with_time_and_with_the_end(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    int64_t from_ns = outbox_now();
    assert_true(outbox_wait(outbox, from_ns + 50 * NS_PER_MS, true));
    assert_true(outbox_now() >= from_ns + 50 * NS_PER_MS);
    put(outbox, 0);
    assert_true(outbox_wait(outbox, outbox_now() + 60 * NS_PER_S, true)); /* at once, or the test hangs */
    from_ns = outbox_now();
    assert_true(outbox_wait(outbox, from_ns + 50 * NS_PER_MS, false)); /* backing off: not for the event */
    assert_true(outbox_now() >= from_ns + 50 * NS_PER_MS);
    outbox_close(outbox, false);
    from_ns = outbox_now();
    assert_true(outbox_wait(outbox, from_ns + 60 * NS_PER_S, false));  /* the end is heard of, once */
    assert_false(outbox_wait(outbox, from_ns + 60 * NS_PER_S, false)); /* and the time is up */
    assert_true(outbox_now() >= from_ns + 150 * NS_PER_MS);
    outbox_free(outbox);
}

static void an_empty_outbox_is_over_as_soon_as_it_closes(void **state)
{
    (void)state;
    struct outbox *outbox = small(false);
    outbox_close(outbox, false);
    assert_false(outbox_wait(outbox, outbox_now() + 60 * NS_PER_S, true));
    outbox_free(outbox);
    outbox = small(false);
    put(outbox, 0);
    outbox_close(outbox, true);
    assert_false(outbox_wait(outbox, outbox_now() + 60 * NS_PER_S, true));
    outbox_free(outbox);
}

/* The events `from` to `to` are the next ones. */
static void assert_next(struct outbox *outbox, unsigned from, unsigned to)
{
    const struct outbox_event *events[1];
    for (unsigned i = from; i <= to; i++) {
        struct event event = canned_event(i);
        char id[EVENT_ID_MAX], *json = event_text_json(&event, "ix-1");
        event_text_id(&event, "ix-1", id);
        assert_int_equal(outbox_events(outbox, events, 1), 1);
        assert_string_equal(events[0]->id, id);
        assert_string_equal(events[0]->action, event_text_action(event.action));
        assert_string_equal(events[0]->scope, event.scope);
        assert_int_equal(events[0]->severity, event_text_severity(&event));
        assert_string_equal(events[0]->json, json);
        free(json);
        outbox_events_sent(outbox, 1);
    }
}

static void assert_none(struct outbox *outbox)
{
    const struct outbox_event *events[1];
    assert_int_equal(outbox_events(outbox, events, 1), 0);
    assert_int_equal(outbox_waiting(outbox, NULL), 0);
}

static void with_a_spool_events_are_seen_when_they_are_on_disk(void **state)
{
    (void)state;
    const struct outbox_event *events[8];
    const char *path = files_new();
    struct outbox *outbox = spooled(path, 0);
    for (unsigned i = 0; i < 20; i++)
        assert_true(put(outbox, i)); /* more than memory would take */
    assert_int_equal(outbox_waiting(outbox, NULL), 20);
    assert_int_equal(outbox_events(outbox, events, 8), 0);
    outbox_commit(outbox);
    assert_next(outbox, 0, 19);
    assert_none(outbox);
    for (unsigned i = 0; i < 200; i++) /* or as soon as there are many */
        assert_true(put(outbox, i));
    assert_int_equal(outbox_events(outbox, events, 8), 8);
    assert_string_equal(said, "");
    outbox_free(outbox);
    unlink(path);
}

static void what_waits_on_disk_outlives_the_program_and_is_not_taken_twice(void **state)
{
    (void)state;
    const char *path = files_new();
    struct outbox *outbox = spooled(path, 0);
    struct fault fault;
    for (unsigned i = 0; i < 10; i++)
        put(outbox, i);
    assert_int_equal(outbox_mark(outbox), 10);
    assert_int_equal(outbox_secure(outbox, &fault), 0);
    assert_next(outbox, 0, 3);
    outbox_free(outbox);
    outbox = spooled(path, 2); /* from a checkpoint that has two of them behind it */
    assert_int_equal(outbox_mark(outbox), 2);
    for (unsigned i = 2; i < 12; i++) {
        assert_true(put(outbox, i));
        assert_int_equal(outbox_mark(outbox), i + 1);
    }
    outbox_commit(outbox);
    assert_next(outbox, 4, 11);
    assert_none(outbox);
    outbox_free(outbox);
    unlink(path);
}

/* How long a file may become: what a full disk is to a program. */
static void limit_files(off_t bytes)
{
    static struct rlimit before;
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    if (before.rlim_max == 0)
        getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    if (bytes > 0)
        limit.rlim_cur = (rlim_t)bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void order_is_kept_from_disk_to_memory_and_back(void **state)
{
    (void)state;
    for (unsigned read = 0; read < 5;
         read++) { /* so many have been given to the reader when there is room again */
        const char *path = files_new();
        struct outbox *outbox = spooled(path, 0);
        struct fault fault;
        put(outbox, 0);
        outbox_commit(outbox);
        limit_files(200);
        for (unsigned i = 1; i < 7; i++)
            assert_int_equal(put(outbox, i), i < 6);
        assert_int_equal(outbox_secure(outbox, &fault), -1);
        if (read > 0)
            assert_next(outbox, 0, read - 1);
        limit_files(0);
        assert_true(put(outbox, 7));
        assert_int_equal(outbox_secure(outbox, &fault), 0);
        outbox_free(outbox);
        outbox = spooled(path, 0);
        assert_next(outbox, read, 5);
        assert_next(outbox, 7, 7);
        assert_none(outbox);
        outbox_free(outbox);
        unlink(path);
    }
}

static void a_disk_without_room_is_said_counted_and_stops_checkpoints_until_all_is_delivered(void **state)
{
    (void)state;
    const char *path = files_new();
    struct outbox *outbox = spooled(path, 0);
    struct fault fault;
    struct health health = {0};
    char expected[512];
    limit_files(200);
    for (unsigned i = 0; i < 3; i++)
        assert_true(put(outbox, i));
    assert_int_equal(outbox_secure(outbox, &fault), -1);
    assert_next(outbox, 0, 2);
    assert_int_equal(outbox_secure(outbox, &fault), 0);
    limit_files(0);
    put(outbox, 3);
    outbox_count(outbox, &health);
    assert_int_equal(health.spool_refused, 3);
    assert_int_equal(health.redis_dropped, 0);
    snprintf(
        expected, sizeof expected,
        "cannot write to the spool %s: File too large: events wait in memory until it takes them; make room "
        "there\nthe spool %s takes events again\n",
        path, path);
    assert_string_equal(said, expected);
    outbox_free(outbox);
    unlink(path);
}

static void a_full_spool_gives_up_what_comes_next_and_says_so(void **state)
{
    (void)state;
    const char *path = files_new();
    struct outbox *outbox = spooled(path, 0);
    struct health health = {0};
    char expected[256];
    unsigned taken = 0;
    while (put(outbox, taken))
        taken++;
    assert_false(put(outbox, taken));
    outbox_count(outbox, &health);
    assert_int_equal(health.redis_dropped, 2);
    snprintf(expected, sizeof expected,
             "the spool %s is full (1 MiB): further events are given up until Redis takes some\n", path);
    assert_string_equal(said, expected);
    outbox_commit(outbox);
    assert_next(outbox, 0, taken - 1);
    assert_true(put(outbox, taken));
    outbox_commit(outbox);
    assert_next(outbox, taken, taken);
    assert_none(outbox);
    outbox_free(outbox);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_stay_in_order_until_they_are_sent),
        cmocka_unit_test(an_event_without_room_is_refused_and_counted),
        cmocka_unit_test(a_patient_writer_waits_while_redis_takes_things_and_no_longer),
        cmocka_unit_test(the_latest_state_alone_is_told_once),
        cmocka_unit_test(of_other_scopes_those_that_stay_are_told_again_and_bins_keep_theirs),
        cmocka_unit_test(the_state_shows_the_open_episode),
        cmocka_unit_test(waiting_ends_with_work_with_time_and_with_the_end),
        cmocka_unit_test(an_empty_outbox_is_over_as_soon_as_it_closes),
        cmocka_unit_test(with_a_spool_events_are_seen_when_they_are_on_disk),
        cmocka_unit_test(what_waits_on_disk_outlives_the_program_and_is_not_taken_twice),
        cmocka_unit_test(order_is_kept_from_disk_to_memory_and_back),
        cmocka_unit_test(a_disk_without_room_is_said_counted_and_stops_checkpoints_until_all_is_delivered),
        cmocka_unit_test(a_full_spool_gives_up_what_comes_next_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
