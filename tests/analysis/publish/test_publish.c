/* SPDX-License-Identifier: BSD-3-Clause */
/* The letterbox as a whole: what fails, what waits and what gives way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "canned.h"
#include "files.h"
#include "publish.h"

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void put_events(struct publish *publish, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct event event = canned_event(i);
        publish_event(publish, &event);
    }
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct publish_options options = {
        .sensor = "ix-1", .events_path = files_new(), .bins_path = "/nonexistent/bins.csv"};
    struct fault fault;
    assert_null(publish_open(&options, &canned_scopes, &fault));
    assert_non_null(strstr(fault.text, "/nonexistent/bins.csv"));
    unlink(options.events_path);
}

static void closing_nothing_is_nothing(void **state)
{
    (void)state;
    struct fault fault;
    assert_int_equal(publish_close(NULL, &fault), 0);
}

static void events_are_appended_and_the_same_again(void **state)
{
    (void)state;
    struct publish_options options = {.sensor = "ix-1", .events_path = files_new(), .replay = true};
    struct fault fault;
    for (int run = 0; run < 2; run++) {
        struct publish *publish = publish_open(&options, &canned_scopes, &fault);
        assert_non_null(publish);
        put_events(publish, 40);
        assert_int_equal(publish_close(publish, &fault), 0);
    }
    char *text = files_take(options.events_path);
    assert_int_equal(count_lines(text), 80);
    size_t half = strlen(text) / 2;
    assert_memory_equal(text, text + half, half);
    free(text);
}

static void a_line_that_a_crash_left_unfinished_is_ended_first(void **state)
{
    (void)state;
    struct publish_options options = {.sensor = "ix-1", .events_path = files_new(), .replay = true};
    struct fault fault;
    FILE *file = fopen(options.events_path, "w");
    fputs("{\"@timest", file);
    fclose(file);
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    put_events(publish, 1);
    assert_int_equal(publish_close(publish, &fault), 0);
    char *text = files_take(options.events_path);
    assert_memory_equal(text, "{\"@timest\n{\"@timestamp\":", 24);
    assert_int_equal(count_lines(text), 2);
    free(text);
}

static void a_full_disk_is_a_fault_and_stops_nobody_else(void **state)
{
    (void)state;
    struct publish_options options = {.sensor = "ix-1",
                                      .events_path = "/dev/full",
                                      .bins_path = files_new(),
                                      .flows_path = "/dev/full",
                                      .replay = true};
    struct fault fault;
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    assert_non_null(publish);
    for (unsigned i = 0; i < 2000; i++) {
        struct bin bin = canned_bin(i);
        struct flow_record flow = canned_flow(i);
        publish_bin(publish, &bin);
        publish_flow(publish, &flow);
    }
    put_events(publish, 3);
    assert_int_equal(publish_close(publish, &fault), -1);
    assert_non_null(strstr(fault.text, "/dev/full: No space left on device"));
    char *text = files_take(options.bins_path);
    assert_int_equal(count_lines(text), 2001);
    free(text);
}

/* Reads bins from a pipe, but late. */
struct drain {
    const char *path;
    size_t lines;
    bool told;           /* it begins when it is told to, and else after a while */
    sem_t begin;         /* by which it is told */
    atomic_bool flooded; /* everything has been put in */
    bool flooded_first;  /* before the first line was read */
};

/* Lets the writer stand before a full pipe, then reads it empty. */
static void *drain_late(void *context)
{
    struct drain *drain = context;
    FILE *pipe = fopen(drain->path, "r");
    if (drain->told)
        sem_wait(&drain->begin);
    else
        nanosleep(&(struct timespec){.tv_nsec = 700000000}, NULL);
    drain->flooded_first = drain->flooded;
    for (int c; (c = getc(pipe)) != EOF;)
        drain->lines += c == '\n';
    fclose(pipe);
    return NULL;
}

/* Puts in a flood of flows, bins, then events, with the bins' reader asleep, and gives what publish_close
 * did. Live the reader sleeps until everything is put in: whoever waited for it would wait for ever. */
static int flood(bool replay, struct drain *drain, char **events, char **flows, struct fault *fault)
{
    *drain = (struct drain){.path = files_new(), .told = !replay};
    struct publish_options options = {.sensor = "ix-1",
                                      .events_path = files_new(),
                                      .flows_path = files_new(),
                                      .bins_path = drain->path,
                                      .replay = replay};
    pthread_t reader;
    unlink(drain->path);
    assert_int_equal(mkfifo(drain->path, 0600), 0);
    sem_init(&drain->begin, 0, 0);
    pthread_create(&reader, NULL, drain_late, drain);
    struct publish *publish = publish_open(&options, &canned_scopes, fault);
    for (unsigned i = 0; i < 60000; i++) {
        struct bin bin = canned_bin(i);
        publish_bin(publish, &bin);
    }
    for (unsigned i = 0; i < 40000; i++) {
        struct flow_record flow = canned_flow(i);
        publish_flow(publish, &flow);
    }
    put_events(publish, 100);
    drain->flooded = true;
    sem_post(&drain->begin);
    int result = publish_close(publish, fault);
    pthread_join(reader, NULL);
    unlink(drain->path);
    *events = files_take(options.events_path);
    *flows = files_take(options.flows_path);
    return result;
}

static void a_replay_waits_and_loses_nothing(void **state)
{
    (void)state;
    struct drain drain;
    struct fault fault;
    char *events, *flows;
    assert_int_equal(flood(true, &drain, &events, &flows, &fault), 0);
    assert_false(drain.flooded_first); /* it did wait for the reader */
    assert_int_equal(drain.lines, 60001);
    assert_int_equal(count_lines(flows), 40000);
    assert_int_equal(count_lines(events), 100);
    free(events);
    free(flows);
}

static void live_never_waits_and_events_are_the_last_to_go(void **state)
{
    (void)state;
    struct drain drain;
    struct fault fault;
    char *events, *flows;
    assert_int_equal(flood(false, &drain, &events, &flows, &fault), -1);
    assert_non_null(strstr(fault.text, "dropped"));
    assert_int_equal(count_lines(events), 100);
    assert_true(drain.lines > 5000 && drain.lines < 60001);
    assert_true(count_lines(flows) < 40000);
    free(events);
    free(flows);
}

static void a_report_is_written_even_about_nothing(void **state)
{
    (void)state;
    struct publish_options options = {.sensor = "<ix>", .report_path = files_new(), .replay = true};
    struct fault fault;
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    assert_non_null(publish);
    assert_int_equal(publish_close(publish, &fault), 0);
    char *text = files_take(options.report_path);
    assert_non_null(strstr(text, "Nothing was measured."));
    assert_non_null(strstr(text, "&#60;ix&#62;"));
    assert_null(strstr(text, "<ix>"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_cannot_be_opened_is_named),
        cmocka_unit_test(closing_nothing_is_nothing),
        cmocka_unit_test(events_are_appended_and_the_same_again),
        cmocka_unit_test(a_line_that_a_crash_left_unfinished_is_ended_first),
        cmocka_unit_test(a_full_disk_is_a_fault_and_stops_nobody_else),
        cmocka_unit_test(a_replay_waits_and_loses_nothing),
        cmocka_unit_test(live_never_waits_and_events_are_the_last_to_go),
        cmocka_unit_test(a_report_is_written_even_about_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
