/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue between those who count and those who tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue.h"

enum { ROOM = 64 * 1024, ITEMS = 200000 };

static size_t size_of(uint32_t number)
{
    return number * 2654435761U % 3000;
}

static void fill(uint8_t *value, uint32_t number)
{
    for (size_t i = 0; i < size_of(number); i++)
        value[i] = (uint8_t)(number + i);
}

static void *put_many(void *context)
{
    uint8_t value[3000];
    for (uint32_t i = 0; i < ITEMS; i++) {
        fill(value, i);
        if (!queue_put(context, i % 100 == 0 ? QUEUE_HIGH : QUEUE_LOW, i, value, size_of(i)))
            return "dropped";
    }
    queue_close(context);
    return NULL;
}

static void a_patient_queue_loses_nothing_and_keeps_order_and_bytes(void **state)
{
    (void)state;
    struct queue *queue = queue_new(ROOM, true);
    pthread_t writer;
    void *trouble;
    uint8_t value[3000];
    uint32_t number = 0;
    const struct queue_item *item;
    assert_int_equal(pthread_create(&writer, NULL, put_many, queue), 0);
    while ((item = queue_next(queue, true)) != NULL) {
        fill(value, number);
        assert_int_equal(item->tag, number);
        assert_int_equal(item->length_bytes, size_of(number));
        assert_memory_equal(item->value, value, item->length_bytes);
        number++;
    }
    pthread_join(writer, &trouble);
    assert_null(trouble);
    assert_int_equal(number, ITEMS);
    queue_free(queue);
}

struct writer {
    struct queue *queue;
    atomic_int put;
};

static void *put_too_much(void *context)
{
    struct writer *writer = context;
    uint8_t value[1000] = {0};
    for (int i = 0; i < 200; i++) {
        queue_put(writer->queue, QUEUE_HIGH, 0, value, sizeof value);
        writer->put++;
    }
    queue_close(writer->queue);
    return NULL;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void a_patient_writer_waits_for_room(void **state)
{
    (void)state;
    struct writer writer = {.queue = queue_new(ROOM, true)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_too_much, &writer), 0);
    pause_ms(200);
    int before = writer.put;
    assert_in_range(before, 60, 65); /* as many as there is room for */
    pause_ms(100);
    assert_int_equal(writer.put, before);
    int read = 0;
    while (queue_next(writer.queue, true) != NULL)
        read++;
    pthread_join(thread, NULL);
    assert_int_equal(read, 200);
    queue_free(writer.queue);
}

static int put_until_full(struct queue *queue, enum queue_rank rank)
{
    uint8_t value[1000] = {0};
    int count = 0;
    while (queue_put(queue, rank, rank, value, sizeof value))
        count++;
    return count;
}

static void an_impatient_queue_refuses_the_low_first_and_the_high_last(void **state)
{
    (void)state;
    struct queue *queue = queue_new(ROOM, false);
    int low = put_until_full(queue, QUEUE_LOW), middle = put_until_full(queue, QUEUE_MIDDLE),
        high = put_until_full(queue, QUEUE_HIGH), counts[3] = {0};
    assert_in_range(low, 40, 43);
    assert_in_range(middle, 8, 11);
    assert_in_range(high, 8, 11);
    assert_false(queue_put(queue, QUEUE_LOW, 0, "", 1));
    const struct queue_item *item;
    while ((item = queue_next(queue, false)) != NULL)
        counts[item->tag]++;
    assert_int_equal(counts[QUEUE_LOW], low);
    assert_int_equal(counts[QUEUE_MIDDLE], middle);
    assert_int_equal(counts[QUEUE_HIGH], high);
    assert_true(queue_put(queue, QUEUE_LOW, 0, "", 1));
    queue_free(queue);
}

static void *take_one(void *context)
{
    return (void *)(uintptr_t)queue_next(context, true);
}

static double woken_after_ms(enum queue_rank rank)
{
    struct queue *queue = queue_new(ROOM, false);
    struct timespec from, to;
    pthread_t reader;
    void *item;
    assert_int_equal(pthread_create(&reader, NULL, take_one, queue), 0);
    pause_ms(50);
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_true(queue_put(queue, rank, 0, "x", 1));
    pthread_join(reader, &item);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_non_null(item);
    queue_free(queue);
    return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

static void nothing_that_was_put_in_waits_for_long(void **state)
{
    (void)state;
    double fastest = 1e9;
    for (int i = 0; i < 5; i++) {
        double ms = woken_after_ms(QUEUE_HIGH);
        fastest = ms < fastest ? ms : fastest;
    }
    assert_true(fastest < 40); /* at once: without the lingering of 50 ms */
    assert_true(woken_after_ms(QUEUE_LOW) < 5000);
}

static void a_closed_and_empty_queue_ends(void **state)
{
    (void)state;
    struct queue *queue = queue_new(ROOM, true);
    assert_null(queue_next(queue, false));
    assert_true(queue_put(queue, QUEUE_LOW, 7, "last", 5));
    queue_close(queue);
    const struct queue_item *item = queue_next(queue, true);
    assert_non_null(item);
    assert_string_equal((const char *)item->value, "last");
    assert_null(queue_next(queue, true));
    assert_null(queue_next(queue, true));
    queue_free(queue);
    queue_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patient_queue_loses_nothing_and_keeps_order_and_bytes),
        cmocka_unit_test(a_patient_writer_waits_for_room),
        cmocka_unit_test(an_impatient_queue_refuses_the_low_first_and_the_high_last),
        cmocka_unit_test(nothing_that_was_put_in_waits_for_long),
        cmocka_unit_test(a_closed_and_empty_queue_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
