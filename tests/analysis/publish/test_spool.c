/* SPDX-License-Identifier: BSD-3-Clause */
/* Events on disk, and what is left of them after crashes, damage and want of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "spool.h"

enum { MIB = 1024 * 1024 };

static struct spool *open_at(const char *path, uint64_t told, bool again, struct spool_found *found)
{
    struct fault fault = {.text = ""};
    const struct spool_options options = {.path = path, .bytes_max = 4 * MIB, .told = told, .again = again};
    struct spool *spool = spool_open(&options, found, &fault);
    if (spool == NULL)
        fail_msg("%s", fault.text);
    return spool;
}

static enum spool_result put(struct spool *spool, uint64_t number)
{
    struct fault fault;
    char payload[64];
    struct spool_event event = {.number = number, .payload = payload};
    event.length =
        (uint32_t)snprintf(payload, sizeof payload, "the payload of event %llu", (unsigned long long)number);
    snprintf(event.id, sizeof event.id, "id-%llu", (unsigned long long)number);
    return spool_put(spool, &event, &fault);
}

static void put_all(struct spool *spool, uint64_t from, uint64_t to)
{
    struct fault fault;
    for (uint64_t number = from; number <= to; number++)
        assert_int_equal(put(spool, number), SPOOL_TAKEN);
    assert_int_equal(spool_sync(spool, &fault), 0);
}

/* The number of the next event, whose texts are checked; 0: there is none. */
static uint64_t next(struct spool *spool, uint64_t *bytes)
{
    struct spool_event event;
    char payload[64], id[SPOOL_ID_MAX];
    if (!spool_next(spool, &event))
        return 0;
    snprintf(payload, sizeof payload, "the payload of event %llu", (unsigned long long)event.number);
    snprintf(id, sizeof id, "id-%llu", (unsigned long long)event.number);
    assert_string_equal(event.id, id);
    assert_int_equal(event.length, strlen(payload));
    assert_memory_equal(event.payload, payload, event.length);
    if (bytes != NULL)
        *bytes = event.bytes;
    return event.number;
}

static void take_all(struct spool *spool, uint64_t from, uint64_t to)
{
    uint64_t bytes = 0;
    for (uint64_t number = from; number <= to; number++) {
        assert_int_equal(next(spool, &bytes), number);
        spool_delivered(spool, number, bytes);
    }
}

static off_t size_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Has another process put events 1 to `last` and deliver some, and die without a word. */
static void leave(const char *path, uint64_t last, uint64_t delivered)
{
    pid_t child = fork();
    if (child == 0) {
        struct spool_found found;
        struct spool *spool = open_at(path, 0, false, &found);
        put_all(spool, 1, last);
        take_all(spool, 1, delivered);
        raise(SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, SIGKILL);
}

static void events_are_read_as_they_were_put_once_they_are_synced(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct fault fault;
    struct spool *spool = open_at(path, 0, false, &found);
    assert_int_equal(found.last, 0);
    assert_int_equal(put(spool, 1), SPOOL_TAKEN);
    assert_int_equal(next(spool, NULL), 0);
    assert_int_equal(spool_sync(spool, &fault), 0);
    assert_int_equal(next(spool, NULL), 1);
    assert_int_equal(next(spool, NULL), 0);
    put_all(spool, 2, 3);
    assert_int_equal(next(spool, NULL), 2);
    assert_int_equal(next(spool, NULL), 3);
    spool_close(spool);
    unlink(path);
}

static void what_was_not_delivered_is_there_after_a_crash(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    leave(path, 20, 7);
    struct spool *spool = open_at(path, 0, false, &found);
    assert_int_equal(found.last, 20);
    assert_int_equal(found.waiting, 13);
    assert_int_equal(found.damaged + found.lost + found.missing, 0);
    take_all(spool, 8, 20);
    assert_int_equal(next(spool, NULL), 0);
    spool_close(spool);
    unlink(path);
}

static void ids_are_known_until_a_checkpoint_has_them_behind_it(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    uint64_t number = 0;
    leave(path, 20, 15);
    for (int round = 0; round < 2; round++) { /* also when the file was written anew */
        struct spool *spool = open_at(path, 10, true, &found);
        assert_false(spool_knows(spool, "id-10", &number));
        for (uint64_t i = 11; i <= 20; i++) {
            char id[SPOOL_ID_MAX];
            snprintf(id, sizeof id, "id-%llu", (unsigned long long)i);
            assert_true(spool_knows(spool, id, &number));
            assert_int_equal(number, i);
        }
        assert_true(spool_knows(spool, "id-12", &number)); /* out of turn */
        assert_false(spool_knows(spool, "id-21", &number));
        spool_forget(spool, 19);
        assert_true(spool_knows(spool, "id-20", &number));
        if (round == 1) {
            spool_forget(spool, 20);
            assert_false(spool_knows(spool, "id-20", &number));
        }
        spool_close(spool);
    }
    unlink(path);
}

static void a_long_life_leaves_a_short_file(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct spool *spool = open_at(path, 0, false, &found);
    for (uint64_t i = 0; i < 1000; i++) {
        put_all(spool, 100 * i + 1, 100 * i + 100);
        take_all(spool, 100 * i + 1, 100 * i + 50);
        assert_true(size_of(path) < 2 * MIB + 256 * 1024);
        take_all(spool, 100 * i + 51, 100 * i + 100);
        spool_forget(spool, 100 * i - i % 7);
    }
    put_all(spool, 100001, 100010);
    spool_close(spool);
    spool = open_at(path, 100000, true, &found);
    assert_int_equal(found.waiting, 10);
    take_all(spool, 100001, 100010);
    spool_forget(spool, 100010);
    spool_close(spool);
    assert_true(size_of(path) < 64 * 1024);
    unlink(path);
}

static void a_full_spool_refuses_and_takes_again_when_some_are_delivered(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct fault fault;
    struct spool *spool = open_at(path, SPOOL_ALL_TOLD, false, &found);
    uint64_t last = 0;
    while (put(spool, last + 1) == SPOOL_TAKEN)
        last++;
    assert_true(size_of(path) <= 4 * MIB && size_of(path) > 4 * MIB - 200);
    assert_int_equal(spool_sync(spool, &fault), 0);
    assert_int_equal(put(spool, last + 1), SPOOL_FULL);
    take_all(spool, 1, last / 2);
    put_all(spool, last + 1, last + 10);
    take_all(spool, last / 2 + 1, last + 10);
    assert_true(size_of(path) <= 4 * MIB);
    spool_close(spool);
    unlink(path);
}

static uint8_t *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "r");
    *length = (size_t)size_of(path);
    uint8_t *bytes = malloc(*length);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Of events 1 to 6, of which 2 are delivered and 4 behind the checkpoint: what is there must be in order, and
 * nothing missing that was not counted. In a replay what is missing after the checkpoint is decided again, so
 * there nothing may follow it. Returns how many are there. */
static uint64_t judge(const char *path, bool again, struct spool_found *found)
{
    struct spool *spool = open_at(path, 4, again, found);
    uint64_t count = 0, last = 0, owed = 0;
    for (uint64_t number; (number = next(spool, NULL)) != 0; last = number) {
        assert_true(number > last);
        assert_true(!again || number <= 5 || last == number - 1);
        owed += number > 2 && (number <= 4 || !again);
        count++;
    }
    assert_int_equal(count, found->waiting);
    /* That there was a last one is told by nothing else. */
    assert_int_equal(found->lost, (again ? 2 : found->last - 2) - owed);
    assert_int_equal(found->damaged, 1);
    spool_close(spool);
    struct spool_found after; /* it is whole again */
    spool = open_at(path, 4, again, &after);
    assert_int_equal(after.damaged, 0);
    assert_int_equal(after.waiting, count);
    spool_close(spool);
    return count;
}

static void a_byte_that_went_bad_costs_one_event_at_most_and_is_counted(void **state)
{
    (void)state;
    const char *path = files_new();
    size_t length;
    leave(path, 6, 2);
    uint8_t *bytes = read_file(path, &length);
    for (int again = 0; again < 2; again++)
        for (size_t at = 0; at < length; at++) {
            struct spool_found found;
            bytes[at] ^= 0x21;
            write_file(path, bytes, length);
            bytes[at] ^= 0x21;
            uint64_t count = judge(path, again, &found);
            if (!again) /* one more where it is the record that says how far delivery had come */
                assert_in_range(count, 3, 5);
            assert_true(found.lost <= 1);
        }
    free(bytes);
    unlink(path);
}

static void a_file_cut_off_anywhere_keeps_what_is_before(void **state)
{
    (void)state;
    const char *path = files_new();
    size_t length;
    leave(path, 6, 0);
    uint8_t *bytes = read_file(path, &length);
    uint64_t before = 0;
    for (size_t at = 0; at <= length; at++) {
        struct spool_found found;
        write_file(path, bytes, at);
        struct spool *spool = open_at(path, 4, true, &found);
        assert_true(found.waiting >= before);
        assert_int_equal(found.missing, at == 0);
        if (at > 0)
            assert_int_equal(found.lost, found.waiting < 4 ? 4 - found.waiting : 0);
        assert_int_equal(found.last, found.waiting > 4 ? found.waiting : 4);
        before = found.waiting;
        if (at > 0 && found.waiting == 0) { /* what is lost is told once */
            spool_close(spool);
            spool = open_at(path, 4, true, &found);
            assert_int_equal(found.lost, 0);
        }
        put_all(spool, found.last + 1, found.last + 1);
        take_all(spool, 1, found.waiting);
        assert_int_equal(next(spool, NULL), found.last + 1);
        spool_close(spool);
    }
    assert_int_equal(before, 6);
    free(bytes);
    unlink(path);
}

static void a_record_that_went_bad_meanwhile_is_passed_over(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct spool *spool = open_at(path, 0, false, &found);
    put_all(spool, 1, 3);
    FILE *file = fopen(path, "r+");
    fseek(file, -100, SEEK_END); /* within the second of three */
    fputs("rotten", file);
    fclose(file);
    assert_int_equal(next(spool, NULL), 1);
    assert_int_equal(next(spool, NULL), 3);
    assert_int_equal(next(spool, NULL), 0);
    spool_close(spool);
    unlink(path);
}

static void a_second_process_is_refused(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct fault fault;
    struct spool *spool = open_at(path, 0, false, &found);
    const struct spool_options options = {.path = path, .bytes_max = MIB};
    for (int i = 0; i < 2; i++) {
        assert_null(spool_open(&options, &found, &fault));
        assert_non_null(strstr(fault.text, "in use by another lightsout"));
        put_all(spool, 1, 20000); /* the file is another one now */
        take_all(spool, 1, 19999);
        spool_forget(spool, 19999);
        if (i == 0) {
            spool_close(spool);
            unlink(path);
            spool = open_at(path, 0, false, &found);
        }
    }
    assert_null(spool_open(&options, &found, &fault));
    spool_close(spool);
    spool = open_at(path, 0, false, &found);
    spool_close(spool);
    unlink(path);
}

static void what_is_no_spool_is_left_alone(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct fault fault;
    const struct spool_options options = {.path = path, .bytes_max = MIB};
    write_file(path, (const uint8_t *)"precious\n", 9);
    assert_null(spool_open(&options, &found, &fault));
    assert_non_null(strstr(fault.text, "is no spool of this program"));
    char *text = files_take(path);
    assert_string_equal(text, "precious\n");
    free(text);
    const struct spool_options nowhere = {.path = "/nonexistent/spool", .bytes_max = MIB};
    assert_null(spool_open(&nowhere, &found, &fault));
    assert_non_null(strstr(fault.text, "No such file"));
}

static void a_disk_without_room_leaves_the_file_whole(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    struct rlimit limit, before;
    struct spool *spool = open_at(path, 0, false, &found);
    put_all(spool, 1, 10);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)size_of(path) + 70; /* within the next one */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(put(spool, 11), SPOOL_FAILED);
    assert_int_equal(put(spool, 11), SPOOL_FAILED);
    setrlimit(RLIMIT_FSIZE, &before);
    put_all(spool, 11, 12);
    take_all(spool, 1, 12);
    spool_close(spool);
    spool = open_at(path, 0, false, &found);
    assert_int_equal(found.last, 12);
    assert_int_equal(found.damaged + found.waiting, 0);
    spool_close(spool);
    unlink(path);
}

static void a_spool_that_is_gone_is_told_from_a_new_one(void **state)
{
    (void)state;
    const char *path = files_new();
    struct spool_found found;
    unlink(path);
    struct spool *spool = open_at(path, 0, true, &found);
    assert_false(found.missing);
    spool_close(spool);
    unlink(path);
    spool = open_at(path, 7, true, &found);
    assert_true(found.missing);
    assert_int_equal(found.last, 7);
    spool_close(spool);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_they_were_put_once_they_are_synced),
        cmocka_unit_test(what_was_not_delivered_is_there_after_a_crash),
        cmocka_unit_test(ids_are_known_until_a_checkpoint_has_them_behind_it),
        cmocka_unit_test(a_long_life_leaves_a_short_file),
        cmocka_unit_test(a_full_spool_refuses_and_takes_again_when_some_are_delivered),
        cmocka_unit_test(a_byte_that_went_bad_costs_one_event_at_most_and_is_counted),
        cmocka_unit_test(a_file_cut_off_anywhere_keeps_what_is_before),
        cmocka_unit_test(a_record_that_went_bad_meanwhile_is_passed_over),
        cmocka_unit_test(a_second_process_is_refused),
        cmocka_unit_test(what_is_no_spool_is_left_alone),
        cmocka_unit_test(a_disk_without_room_leaves_the_file_whole),
        cmocka_unit_test(a_spool_that_is_gone_is_told_from_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
