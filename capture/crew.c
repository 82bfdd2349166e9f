/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reader for each source, and the owners of flows, with a ring from each reader to each owner: nobody waits
 * for a lock on a packet's way. The step's end is the only place where owners meet (join.h).
 */
#include "crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "dispatch.h"
#include "join.h"
#include "ring.h"
#include "worker.h"

/* Of one reader to one owner: a tenth of a second of 400 Mbit/s. */
enum { RING_BYTES = 8 << 20 };

struct hand {
    struct crew *crew;
    size_t member;
    struct worker *worker;
    struct source *source;     /* an owner's is its own */
    struct dispatch *dispatch; /* of a reader */
    struct health health;
    pthread_t thread;
    bool started;
    int status;
};

struct crew {
    struct crew_options options;
    const atomic_bool *stop;
    struct join *join;
    pthread_mutex_t gate; /* nobody begins before all are there … */
    bool abandoned;       /* … or at all */
    size_t owner_count, reader_count;
    struct ring **rings;     /* a row of owners for each reader */
    struct ring **to_owners; /* the same the other way round: a row of readers for each owner */
    struct hand *hands;      /* owners, then readers */
};

/* ---- setting up ---- */

static bool make_rings(struct crew *crew)
{
    size_t count = crew->owner_count * crew->reader_count;
    crew->rings = calloc(count, sizeof(struct ring *));
    crew->to_owners = calloc(count, sizeof(struct ring *));
    if (crew->rings == NULL || crew->to_owners == NULL)
        return false;
    for (size_t reader = 0; reader < crew->reader_count; reader++)
        for (size_t owner = 0; owner < crew->owner_count; owner++) {
            struct ring *ring = ring_new(RING_BYTES);
            if (ring == NULL)
                return false;
            crew->rings[reader * crew->owner_count + owner] = ring;
            crew->to_owners[owner * crew->reader_count + reader] = ring;
        }
    return true;
}

static uint32_t share_of(uint32_t whole, size_t count)
{
    return whole == 0 ? 0 : (uint32_t)((whole + count - 1) / count);
}

static int make_owner(struct crew *crew, struct hand *hand, struct fault *fault)
{
    const struct crew_options *of = &crew->options;
    struct capture_options options = *of->capture;
    options.flows_max = share_of(options.flows_max, crew->owner_count);
    options.classify_max = share_of(options.classify_max, crew->owner_count);
    options.speed = 0;
    options.gap_max_ns = options.step_ns; /* its reader leaves nothing out but holes */
    hand->source = source_ring_open(&crew->to_owners[hand->member * crew->reader_count], crew->reader_count);
    if (hand->source == NULL)
        return fault_set(fault, "no memory for %zu readers", crew->reader_count);
    const struct worker_part part = {.shared = true, .silent = hand->member > 0};
    hand->worker = worker_new(&options, of->rules, of->scopes, join_output(crew->join, hand->member), &part,
                              &hand->health, fault);
    if (hand->worker == NULL)
        return -1;
    join_member(crew->join, hand->member, hand->worker);
    return 0;
}

static int make_reader(struct crew *crew, struct hand *hand, struct fault *fault)
{
    const struct crew_options *of = &crew->options;
    struct capture_options options = *of->capture;
    size_t number = hand->member - crew->owner_count;
    options.flows_max = 1; /* it has none */
    hand->source = of->sources[number];
    hand->dispatch = dispatch_new(&crew->rings[number * crew->owner_count], crew->owner_count,
                                  options.interface_count == 0, &hand->health);
    if (hand->dispatch == NULL)
        return fault_set(fault, "no memory for a reader");
    const struct worker_part part = {.dispatch = hand->dispatch,
                                     .interface = (uint16_t)(number / crew->owner_count),
                                     .shared = true,
                                     .silent = true};
    hand->worker = worker_new(&options, of->rules, of->scopes, join_output(crew->join, hand->member), &part,
                              &hand->health, fault);
    if (hand->worker == NULL)
        return -1;
    join_member(crew->join, hand->member, hand->worker);
    return 0;
}

static int make_hands(struct crew *crew, const struct capture_output *output, struct fault *fault)
{
    size_t count = crew->owner_count + crew->reader_count;
    crew->hands = calloc(count, sizeof *crew->hands);
    crew->join =
        join_new(crew->options.capture, crew->options.scopes, output, crew->owner_count, crew->reader_count);
    if (crew->hands == NULL || crew->join == NULL || !make_rings(crew))
        return fault_set(fault, "no memory for %zu workers: lower `workers`", crew->owner_count);
    for (size_t i = 0; i < count; i++) {
        struct hand *hand = &crew->hands[i];
        hand->crew = crew;
        hand->member = i;
        if ((i < crew->owner_count ? make_owner : make_reader)(crew, hand, fault) != 0)
            return -1;
    }
    return 0;
}

void crew_free(struct crew *crew)
{
    if (crew == NULL)
        return;
    for (size_t i = 0; crew->hands != NULL && i < crew->owner_count + crew->reader_count; i++) {
        struct hand *hand = &crew->hands[i];
        worker_free(hand->worker);
        dispatch_free(hand->dispatch);
        if (i < crew->owner_count && hand->source != NULL)
            hand->source->kind->close(hand->source);
    }
    free(crew->hands);
    join_free(crew->join);
    for (size_t i = 0; crew->rings != NULL && i < crew->owner_count * crew->reader_count; i++)
        ring_free(crew->rings[i]);
    free(crew->rings);
    free(crew->to_owners);
    free(crew);
}

struct crew *crew_new(const struct crew_options *options, const struct capture_output *output,
                      struct fault *fault)
{
    struct crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        fault_set(fault, "no memory");
        return NULL;
    }
    crew->options = *options;
    crew->owner_count = options->owner_count;
    crew->reader_count = options->source_count;
    pthread_mutex_init(&crew->gate, NULL);
    if (make_hands(crew, output, fault) == 0)
        return crew;
    crew_free(crew);
    return NULL;
}

void crew_change(struct crew *crew, const struct capture_change *change)
{
    join_change(crew->join, change);
}

/* ---- at work ---- */

static bool may_begin(struct crew *crew)
{
    pthread_mutex_lock(&crew->gate);
    bool may = !crew->abandoned;
    pthread_mutex_unlock(&crew->gate);
    return may;
}

static void *own(void *context)
{
    struct hand *hand = context;
    if (!may_begin(hand->crew))
        return NULL;
    hand->status = worker_run(hand->worker, hand->source, hand->crew->stop);
    return NULL;
}

static void *read_on(void *context)
{
    struct hand *hand = context;
    if (!may_begin(hand->crew))
        return NULL;
    hand->status = worker_run(hand->worker, hand->source, hand->crew->stop);
    worker_end(hand->worker, hand->source);
    join_leave(hand->crew->join, hand->member);
    return NULL;
}

void crew_pin(const struct capture_options *options, pthread_t thread, size_t worker)
{
    cpu_set_t set;
    if (options->cpu_count == 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(strtoul(options->cpus[worker % options->cpu_count], NULL, 10), &set);
    pthread_setaffinity_np(thread, sizeof set, &set);
}

static int start(struct crew *crew, struct fault *fault)
{
    size_t count = crew->owner_count + crew->reader_count;
    pthread_mutex_lock(&crew->gate);
    for (size_t i = 0; i < count && !crew->abandoned; i++) {
        struct hand *hand = &crew->hands[i];
        bool owns = i < crew->owner_count;
        hand->started = pthread_create(&hand->thread, NULL, owns ? own : read_on, hand) == 0;
        crew->abandoned = !hand->started;
        if (hand->started)
            crew_pin(crew->options.capture, hand->thread,
                     owns ? i : (i - crew->owner_count) % crew->owner_count);
    }
    pthread_mutex_unlock(&crew->gate);
    return crew->abandoned ? fault_set(fault, "cannot start %zu threads: lower `workers`", count) : 0;
}

/* Waits for all; 1 when some of the input was damaged. */
static int wait_for_all(struct crew *crew)
{
    int status = 0;
    for (size_t i = 0; i < crew->owner_count + crew->reader_count; i++) {
        struct hand *hand = &crew->hands[i];
        if (hand->started)
            pthread_join(hand->thread, NULL);
        status |= hand->status;
    }
    return status;
}

/* Closes what is open, one owner after the other. */
static void finish(struct crew *crew, struct health *health)
{
    struct health sum;
    join_last(crew->join);
    for (size_t i = 0; i < crew->owner_count; i++)
        worker_end(crew->hands[i].worker, crew->hands[i].source);
    for (size_t i = 0; i < crew->owner_count; i++)
        join_leave(crew->join, i);
    join_health(crew->join, &sum);
    health_add(health, &sum);
}

int crew_run(struct crew *crew, struct health *health, const atomic_bool *stop, struct fault *fault)
{
    crew->stop = stop;
    int status = start(crew, fault), damaged = wait_for_all(crew);
    if (status != 0)
        return status;
    finish(crew, health);
    return damaged;
}
