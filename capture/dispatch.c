/* SPDX-License-Identifier: BSD-3-Clause */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "hash.h"

enum { WAIT_US = 200 };

struct dispatch {
    struct ring *const *rings;
    size_t count;
    bool waits;
    struct health *health;
    uint64_t order;
};

struct dispatch *dispatch_new(struct ring *const *rings, size_t count, bool waits, struct health *health)
{
    struct dispatch *dispatch = malloc(sizeof *dispatch);
    if (dispatch != NULL)
        *dispatch = (struct dispatch){.rings = rings, .count = count, .waits = waits, .health = health};
    return dispatch;
}

void dispatch_free(struct dispatch *dispatch)
{
    free(dispatch);
}

/* No secret, since the records of flows should come in the same order every time. Whoever aims at one worker
 * gains that it bears the whole load, as where there is but one. */
static uint64_t end_hash(const uint8_t address[16])
{
    uint64_t half[2];
    memcpy(half, address, sizeof half);
    return hash_mix(half[0] ^ 0x9e3779b97f4a7c15ULL, half[1] ^ 0xd6e8feb86659fd93ULL);
}

size_t dispatch_owner(const struct packet *packet, size_t count)
{
    if (packet->icmp_error)
        return 0;
    uint64_t ends = end_hash(packet->tuple.source) + end_hash(packet->tuple.destination);
    return (size_t)(hash_mix(ends, 0xff51afd7ed558ccdULL) % count);
}

static void wait_for_room(void)
{
    const struct timespec nap = {.tv_nsec = WAIT_US * 1000L};
    nanosleep(&nap, NULL);
}

void dispatch_frame(struct dispatch *dispatch, const struct frame *frame, const struct packet *packet,
                    int64_t time_ns)
{
    struct ring *ring = dispatch->rings[dispatch_owner(packet, dispatch->count)];
    struct frame timed = *frame;
    timed.time_ns = time_ns;
    timed.order = ++dispatch->order;
    while (!ring_push(ring, &timed)) {
        if (!dispatch->waits) {
            dispatch->health->ring_drops++;
            return;
        }
        wait_for_room();
    }
}

void dispatch_tick(struct dispatch *dispatch, int64_t time_ns)
{
    for (size_t i = 0; i < dispatch->count; i++)
        while (!ring_tick(dispatch->rings[i], time_ns) && dispatch->waits)
            wait_for_room();
}

void dispatch_leap(struct dispatch *dispatch, int64_t time_ns)
{
    for (size_t i = 0; i < dispatch->count; i++)
        while (!ring_leap(dispatch->rings[i], time_ns))
            wait_for_room();
}

void dispatch_end(struct dispatch *dispatch, int64_t time_ns)
{
    for (size_t i = 0; i < dispatch->count; i++)
        ring_end(dispatch->rings[i], time_ns);
}
