/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue between two threads, and several of them merged in the order of time. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "ring.h"
#include "source.h"

static struct frame frame_of(int64_t time_ns, const uint8_t *bytes, uint32_t count)
{
    return (struct frame){
        .bytes = bytes, .captured_bytes = count, .wire_bytes = count + 1, .time_ns = time_ns, .order = 5};
}

static void test_frames_and_ticks_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct ring *ring = ring_new(4096);
    const uint8_t bytes[5] = {1, 2, 3, 4, 5};
    struct frame frame = frame_of(7, bytes, sizeof bytes);
    assert_int_equal(ring_peek(ring, &frame), RING_EMPTY);
    frame = frame_of(7, bytes, sizeof bytes);
    assert_true(ring_push(ring, &frame));
    assert_true(ring_tick(ring, 9));
    ring_end(ring, 11);
    memset(&frame, 0, sizeof frame);
    assert_int_equal(ring_peek(ring, &frame), RING_FRAME);
    assert_int_equal(frame.time_ns, 7);
    assert_int_equal(frame.order, 5);
    assert_int_equal(frame.captured_bytes, sizeof bytes);
    assert_int_equal(frame.wire_bytes, sizeof bytes + 1);
    assert_memory_equal(frame.bytes, bytes, sizeof bytes);
    ring_pop(ring);
    assert_int_equal(ring_peek(ring, &frame), RING_TICK);
    assert_int_equal(frame.time_ns, 9);
    ring_pop(ring);
    assert_int_equal(ring_peek(ring, &frame), RING_END);
    assert_int_equal(frame.time_ns, 11);
    ring_free(ring);
}

static void test_a_full_ring_refuses_and_takes_again_when_there_is_room(void **state)
{
    (void)state;
    struct ring *ring = ring_new(4096);
    uint8_t bytes[3000] = {0};
    struct frame frame = frame_of(1, bytes, 900);
    unsigned count = 0;
    assert_false(ring_is_filling(ring));
    while (ring_push(ring, &frame))
        count++;
    assert_in_range(count, 3, 4);
    assert_true(ring_is_filling(ring));
    assert_int_equal(ring_peek(ring, &frame), RING_FRAME);
    ring_pop(ring);
    frame = frame_of(2, bytes, 900);
    assert_true(ring_push(ring, &frame));
    frame = frame_of(2, bytes, sizeof bytes);
    for (; count > 0; count--)
        ring_pop(ring);
    assert_false(ring_push(ring, &frame)); /* it never fits */
    ring_free(ring);
}

enum { PUSHED = 50000 };

/* Frames of all lengths, each filled with what its number says. */
static void *push_all(void *context)
{
    struct ring *ring = context;
    uint8_t bytes[700];
    for (uint32_t i = 0; i < PUSHED; i++) {
        struct frame frame = frame_of(i, bytes, i * 7919 % sizeof bytes);
        memset(bytes, (int)(i % 251), frame.captured_bytes);
        while (!ring_push(ring, &frame))
            sched_yield();
    }
    ring_end(ring, PUSHED);
    return NULL;
}

static void test_everything_arrives_once_and_whole_in_another_thread(void **state)
{
    (void)state;
    struct ring *ring = ring_new(16384);
    pthread_t thread;
    struct frame frame;
    uint32_t next = 0;
    assert_int_equal(pthread_create(&thread, NULL, push_all, ring), 0);
    for (enum ring_news news; (news = ring_peek(ring, &frame)) != RING_END;) {
        if (news == RING_EMPTY) {
            sched_yield();
            continue;
        }
        assert_int_equal(frame.time_ns, next);
        assert_int_equal(frame.captured_bytes, next * 7919 % 700);
        for (uint32_t i = 0; i < frame.captured_bytes; i++)
            if (frame.bytes[i] != next % 251)
                fail_msg("byte %u of frame %u", i, next);
        next++;
        ring_pop(ring);
    }
    assert_int_equal(next, PUSHED);
    pthread_join(thread, NULL);
    ring_free(ring);
}

/* ---- several, merged ---- */

static struct ring *rings[2];
static struct source *merged;

static int set_up(void **state)
{
    (void)state;
    rings[0] = ring_new(4096);
    rings[1] = ring_new(4096);
    merged = source_ring_open(rings, 2);
    return merged != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    merged->kind->close(merged);
    ring_free(rings[0]);
    ring_free(rings[1]);
    return 0;
}

static void push(unsigned number, int64_t time_ns)
{
    struct frame frame = frame_of(time_ns, NULL, 0);
    assert_true(ring_push(rings[number], &frame));
}

static void expect(enum source_news news, int64_t time_ns)
{
    struct frame frame = {.time_ns = 0};
    struct fault fault;
    assert_int_equal(merged->kind->next(merged, &frame, &fault), news);
    if (news == SOURCE_FRAME || news == SOURCE_TICK)
        assert_int_equal(frame.time_ns, time_ns);
}

static void test_a_frame_waits_until_the_other_reader_has_come_as_far(void **state)
{
    (void)state;
    push(0, 10);
    expect(SOURCE_IDLE, 0);
    push(1, 5);
    expect(SOURCE_FRAME, 5);
    expect(SOURCE_IDLE, 0);
    ring_tick(rings[1], 9);
    expect(SOURCE_TICK, 9);
    expect(SOURCE_IDLE, 0);
    ring_tick(rings[1], 10);
    expect(SOURCE_FRAME, 10);
    expect(SOURCE_TICK, 10);
}

static void test_who_has_ended_is_not_waited_for_and_all_end_at_the_same_time(void **state)
{
    (void)state;
    push(0, 10);
    ring_end(rings[1], 30);
    expect(SOURCE_FRAME, 10);
    expect(SOURCE_IDLE, 0);
    ring_end(rings[0], 20);
    expect(SOURCE_TICK, 30);
    expect(SOURCE_END, 0);
}

static void test_a_filling_ring_waits_for_nobody(void **state)
{
    (void)state;
    uint8_t bytes[1500] = {0};
    struct frame frame = frame_of(10, bytes, sizeof bytes);
    assert_true(ring_push(rings[0], &frame));
    expect(SOURCE_IDLE, 0);
    assert_true(ring_push(rings[0], &frame));
    expect(SOURCE_FRAME, 10);
    expect(SOURCE_IDLE, 0); /* there is room again */
    push(1, 4);
    expect(SOURCE_FRAME, 4); /* late, and not lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_and_ticks_come_out_as_they_went_in),
        cmocka_unit_test(test_a_full_ring_refuses_and_takes_again_when_there_is_room),
        cmocka_unit_test(test_everything_arrives_once_and_whole_in_another_thread),
        cmocka_unit_test_setup_teardown(test_a_frame_waits_until_the_other_reader_has_come_as_far, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_who_has_ended_is_not_waited_for_and_all_end_at_the_same_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_filling_ring_waits_for_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
