/* SPDX-License-Identifier: BSD-3-Clause */
/* Who owns a packet's flow, and what happens when the owner does not keep up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "dispatch.h"

struct taken {
    struct ring *ring;
    unsigned frames, ticks; /* in order */
    atomic_bool all_pushed;
    bool pushed_first; /* before the first was taken */
};

static struct packet packet_of(uint8_t from, uint8_t to, uint16_t from_port, uint16_t to_port)
{
    struct packet packet = {.is_ip = true};
    packet.tuple.source[15] = from;
    packet.tuple.destination[15] = to;
    packet.tuple.source_port = from_port;
    packet.tuple.destination_port = to_port;
    return packet;
}

static void test_both_directions_and_fragments_have_one_owner_and_all_owners_have_some(void **state)
{
    (void)state;
    unsigned owned[4] = {0};
    for (unsigned i = 1; i < 256; i++) {
        struct packet there = packet_of((uint8_t)i, 7, 1000, 443), back = packet_of(7, (uint8_t)i, 443, 1000),
                      later = packet_of((uint8_t)i, 7, 0, 0);
        size_t owner = dispatch_owner(&there, 4);
        assert_in_range(owner, 0, 3);
        assert_int_equal(dispatch_owner(&back, 4), owner);
        assert_int_equal(dispatch_owner(&later, 4), owner);
        owned[owner]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(owned[i], 40, 90);
}

static void test_errors_are_the_first_owners(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        struct packet packet = packet_of((uint8_t)i, 9, 0, 0);
        packet.icmp_error = true;
        assert_int_equal(dispatch_owner(&packet, 4), 0);
    }
}

static void test_a_live_reader_loses_what_has_no_room_and_counts_it(void **state)
{
    (void)state;
    static const uint8_t bytes[1000];
    struct health health = {0};
    struct ring *ring = ring_new(4096);
    struct dispatch *dispatch = dispatch_new(&ring, 1, false, &health);
    struct packet packet = packet_of(1, 2, 3, 4);
    struct frame frame = {.bytes = bytes, .captured_bytes = sizeof bytes, .wire_bytes = sizeof bytes};
    for (int i = 0; i < 10; i++)
        dispatch_frame(dispatch, &frame, &packet, i);
    dispatch_tick(dispatch, 10); /* and does not wait with it */
    uint64_t taken = 0;
    for (; ring_peek(ring, &frame) == RING_FRAME; ring_pop(ring)) {
        assert_int_equal(frame.time_ns, taken);
        assert_int_equal(frame.order, taken + 1);
        taken++;
    }
    assert_in_range(taken, 1, 9);
    assert_int_equal(taken + health.ring_drops, 10);
    dispatch_free(dispatch);
    ring_free(ring);
}

/* An owner that begins when a while has passed without room, and takes all there is. */
static void *take_late(void *context)
{
    struct taken *taken = context;
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    taken->pushed_first = taken->all_pushed;
    struct frame frame;
    for (enum ring_news news; (news = ring_peek(taken->ring, &frame)) != RING_END;) {
        if (news == RING_EMPTY)
            continue;
        taken->frames += news == RING_FRAME && frame.order == taken->frames + 1;
        taken->ticks += news == RING_TICK;
        ring_pop(taken->ring);
    }
    return NULL;
}

static void test_a_replays_reader_waits_and_loses_nothing(void **state)
{
    (void)state;
    static const uint8_t bytes[1000];
    struct health health = {0};
    struct taken taken = {.ring = ring_new(4096)};
    struct dispatch *dispatch = dispatch_new(&taken.ring, 1, true, &health);
    struct packet packet = packet_of(1, 2, 3, 4);
    struct frame frame = {.bytes = bytes, .captured_bytes = sizeof bytes, .wire_bytes = sizeof bytes};
    pthread_t owner;
    assert_int_equal(pthread_create(&owner, NULL, take_late, &taken), 0);
    for (int i = 0; i < 500; i++)
        dispatch_frame(dispatch, &frame, &packet, i);
    for (int i = 0; i < 500; i++)
        dispatch_tick(dispatch, 500 + i);
    taken.all_pushed = true;
    dispatch_end(dispatch, 1000);
    pthread_join(owner, NULL);
    assert_false(taken.pushed_first);
    assert_int_equal(taken.frames, 500);
    assert_int_equal(taken.ticks, 500);
    assert_int_equal(health.ring_drops, 0);
    dispatch_free(dispatch);
    ring_free(taken.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions_and_fragments_have_one_owner_and_all_owners_have_some),
        cmocka_unit_test(test_errors_are_the_first_owners),
        cmocka_unit_test(test_a_live_reader_loses_what_has_no_room_and_counts_it),
        cmocka_unit_test(test_a_replays_reader_waits_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
