/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What several readers hand on, made one stream in the order of time. A frame waits until every other reader
 * has come as far; but not for longer than there is room, since a late frame is less harm than a lost one.
 */
#include "source.h"

#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "ring.h"

enum { NAP_MS = 1 };

struct input {
    struct ring *ring;
    struct frame head;   /* where has_head */
    enum ring_news news; /* looked at last */
    int64_t reached_ns;  /* nothing older will follow */
};

struct ring_source {
    struct source source;
    bool ended;          /* the last tick was given */
    struct input *taken; /* whose head was delivered and is still to be taken away; NULL */
    size_t count;
    struct input inputs[];
};

/* Whether it has anything to deliver. */
static bool has_head(const struct input *input)
{
    return input->news != RING_EMPTY && input->news != RING_END;
}

static void look(struct input *input)
{
    if (has_head(input))
        return;
    input->news = ring_peek(input->ring, &input->head);
    if (has_head(input))
        input->reached_ns = input->head.time_ns;
    else if (input->news == RING_END)
        input->reached_ns = INT64_MAX;
}

/* The input with the oldest head that may be delivered; NULL. */
static struct input *choose(struct ring_source *self)
{
    struct input *oldest = NULL;
    int64_t reached_ns = INT64_MAX;
    bool filling = false;
    for (size_t i = 0; i < self->count; i++) {
        struct input *input = &self->inputs[i];
        look(input);
        if (input->reached_ns < reached_ns)
            reached_ns = input->reached_ns;
        if (!has_head(input))
            continue;
        if (oldest == NULL || input->head.time_ns < oldest->head.time_ns)
            oldest = input;
        filling |= ring_is_filling(input->ring);
    }
    return oldest != NULL && (filling || oldest->head.time_ns <= reached_ns) ? oldest : NULL;
}

static enum source_news ring_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct ring_source *self = (struct ring_source *)source;
    (void)fault;
    if (self->taken != NULL) {
        ring_pop(self->taken->ring);
        self->taken->news = RING_EMPTY;
    }
    self->taken = choose(self);
    if (self->taken != NULL) {
        *frame = self->taken->head;
        return self->taken->news == RING_TICK   ? SOURCE_TICK
               : self->taken->news == RING_LEAP ? SOURCE_LEAP
                                                : SOURCE_FRAME;
    }
    int64_t end_ns = TIME_NONE;
    for (size_t i = 0; i < self->count; i++) {
        if (self->inputs[i].news != RING_END) {
            const struct timespec nap = {.tv_nsec = NAP_MS * NS_PER_MS};
            nanosleep(&nap, NULL);
            return SOURCE_IDLE;
        }
        if (self->inputs[i].head.time_ns > end_ns)
            end_ns = self->inputs[i].head.time_ns;
    }
    if (self->ended || end_ns == TIME_NONE)
        return SOURCE_END;
    self->ended = true; /* all owners come to the same end */
    *frame = (struct frame){.time_ns = end_ns};
    return SOURCE_TICK;
}

/* The readers tell their own. */
static bool ring_drops(struct source *source, struct health *health)
{
    (void)source;
    (void)health;
    return true;
}

static bool ring_sees(struct source *source)
{
    (void)source;
    return true;
}

/* The readers end it. */
static void ring_finish(struct source *source)
{
    (void)source;
}

static void ring_close(struct source *source)
{
    free(source);
}

static const struct source_kind ring_kind = {
    .next = ring_next, .drops = ring_drops, .sees = ring_sees, .finish = ring_finish, .close = ring_close};

struct source *source_ring_open(struct ring *const *rings, size_t count)
{
    struct ring_source *self = calloc(1, sizeof *self + count * sizeof self->inputs[0]);
    if (self == NULL)
        return NULL;
    self->source.kind = &ring_kind;
    self->count = count;
    for (size_t i = 0; i < count; i++)
        self->inputs[i] = (struct input){.ring = rings[i], .reached_ns = TIME_NONE};
    return &self->source;
}
