/* SPDX-License-Identifier: BSD-3-Clause */
/* What is still to happen, earliest first; what is due at the same instant happens in the order it was put
 * in. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

struct world;

/* An appointment: `act(world, what, t_ns)`. */
struct event {
    int64_t t_ns;
    uint64_t order;
    void (*act)(struct world *world, void *what, int64_t t_ns);
    void *what;
};

struct heap {
    struct event *events; /* a binary heap: events[i] is never later than events[2i + 1] and events[2i + 2] */
    size_t count, room;
    uint64_t order;
};

static inline int heap_before(const struct event *a, const struct event *b)
{
    return a->t_ns != b->t_ns ? a->t_ns < b->t_ns : a->order < b->order;
}

/* Returns 0, or -1 when there is no memory. */
static inline int heap_push(struct heap *heap, struct event event)
{
    if (heap->count == heap->room) {
        size_t room = heap->room * 2 + 1024;
        struct event *events = realloc(heap->events, room * sizeof *events);
        if (events == NULL)
            return -1;
        heap->events = events;
        heap->room = room;
    }
    event.order = heap->order++;
    size_t at = heap->count++;
    while (at > 0 && heap_before(&event, &heap->events[(at - 1) / 2])) {
        heap->events[at] = heap->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->events[at] = event;
    return 0;
}

/* Takes the earliest; the heap must not be empty. */
static inline struct event heap_pop(struct heap *heap)
{
    struct event first = heap->events[0], last = heap->events[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap_before(&heap->events[child + 1], &heap->events[child]))
            child++;
        if (!heap_before(&heap->events[child], &last))
            break;
        heap->events[at] = heap->events[child];
        at = child;
    }
    heap->events[at] = last;
    return first;
}
