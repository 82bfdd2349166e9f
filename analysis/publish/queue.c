/* SPDX-License-Identifier: BSD-3-Clause */
#include "queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

enum {
    WAKE_BYTES = 64 * 1024,      /* so much waiting wakes the reader at once */
    LINGER_NS = 50 * 1000000,    /* so long it waits for more, once something is there */
    TAG_SKIP = UINT32_C(1) << 31 /* fills the end of the ring when an item does not fit there */
};

/* What the reader waits for. */
enum hunger { HUNGER_NONE, HUNGER_ANY, HUNGER_MORE };

/* Positions count bytes since the beginning and never wrap: released <= read <= seen <= written, and
 * written - released <= room. `read` and `seen` are the reader's own; the rest is under the lock. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    bool patient, closed, urgent, writer_waits;
    enum hunger hunger;
    size_t room;
    uint64_t written, released;
    uint64_t read, seen;
    uint8_t *ring;
};

struct queue *queue_new(size_t room_bytes, bool patient)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->ring = malloc(room_bytes);
    if (queue->ring == NULL) {
        free(queue);
        return NULL;
    }
    queue->room = room_bytes;
    queue->patient = patient;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, &monotonic);
    pthread_cond_init(&queue->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    pthread_cond_destroy(&queue->emptied);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue->ring);
    free(queue);
}

static struct queue_item *item_at(const struct queue *queue, uint64_t position)
{
    return (struct queue_item *)(void *)(queue->ring + position % queue->room);
}

/* Everything is a multiple of 8, so that an item's head always fits before the end of the ring. */
static size_t item_bytes(size_t length_bytes)
{
    return sizeof(struct queue_item) + (length_bytes + 7) / 8 * 8;
}

/* How much of the ring's end is skipped so that `bytes` lie in one piece. */
static size_t skip_before(const struct queue *queue, size_t bytes)
{
    size_t to_end = queue->room - (size_t)(queue->written % queue->room);
    return bytes <= to_end ? 0 : to_end;
}

static bool has_room(const struct queue *queue, enum queue_rank rank, size_t bytes)
{
    size_t closed_to[] = {queue->room / 3, queue->room / 6, 0};
    size_t used = (size_t)(queue->written - queue->released);
    return used + skip_before(queue, bytes) + bytes <= queue->room - closed_to[rank];
}

static void place(struct queue *queue, uint32_t tag, const void *value, size_t length_bytes)
{
    size_t bytes = item_bytes(length_bytes), skip = skip_before(queue, bytes);
    if (skip > 0) {
        *item_at(queue, queue->written) =
            (struct queue_item){.length_bytes = (uint32_t)skip, .tag = TAG_SKIP};
        queue->written += skip;
    }
    struct queue_item *item = item_at(queue, queue->written);
    *item = (struct queue_item){.length_bytes = (uint32_t)length_bytes, .tag = tag};
    memcpy(item->value, value, length_bytes);
    queue->written += bytes;
}

bool queue_put(struct queue *queue, enum queue_rank rank, uint32_t tag, const void *value,
               size_t length_bytes)
{
    pthread_mutex_lock(&queue->lock);
    /* Whoever waits loses nothing, so that ranks matter only to those who do not. */
    enum queue_rank claim = queue->patient ? QUEUE_HIGH : rank;
    while (!has_room(queue, claim, item_bytes(length_bytes))) {
        if (!queue->patient) {
            pthread_mutex_unlock(&queue->lock);
            return false;
        }
        queue->writer_waits = true;
        pthread_cond_signal(&queue->filled);
        pthread_cond_wait(&queue->emptied, &queue->lock);
    }
    queue->writer_waits = false;
    place(queue, tag, value, length_bytes);
    if (rank == QUEUE_HIGH)
        queue->urgent = true;
    bool enough = queue->urgent || queue->written - queue->released >= WAKE_BYTES;
    bool wake = queue->hunger == HUNGER_ANY || (queue->hunger == HUNGER_MORE && enough);
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        pthread_cond_signal(&queue->filled);
    return true;
}

size_t queue_bytes(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t bytes = (size_t)(queue->written - queue->released);
    pthread_mutex_unlock(&queue->lock);
    return bytes;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->filled);
}

/* First for anything at all, then a little longer for more of it. */
static void wait_filled(struct queue *queue)
{
    queue->hunger = HUNGER_ANY;
    while (queue->written == queue->read && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    queue->hunger = HUNGER_MORE;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + LINGER_NS;
    until.tv_sec += nanoseconds / NS_PER_S;
    until.tv_nsec = nanoseconds % NS_PER_S;
    while (!queue->closed && !queue->urgent && !queue->writer_waits &&
           queue->written - queue->read < WAKE_BYTES)
        if (pthread_cond_timedwait(&queue->filled, &queue->lock, &until) != 0)
            break;
    queue->hunger = HUNGER_NONE;
}

/* Gives back what was read, and looks how much there is to read. */
static void look(struct queue *queue, bool wait)
{
    pthread_mutex_lock(&queue->lock);
    queue->released = queue->read;
    if (queue->writer_waits)
        pthread_cond_signal(&queue->emptied);
    if (queue->written == queue->read && wait)
        wait_filled(queue);
    queue->seen = queue->written;
    queue->urgent = false;
    pthread_mutex_unlock(&queue->lock);
}

const struct queue_item *queue_next(struct queue *queue, bool wait)
{
    /* A sixteenth at a time, so that a waiting writer goes on while the rest is read. `released` is written
     * by this thread alone and may be read here without the lock. */
    if (queue->read == queue->seen || queue->read - queue->released >= queue->room / 16)
        look(queue, wait);
    if (queue->read == queue->seen)
        return NULL;
    const struct queue_item *item = item_at(queue, queue->read);
    if (item->tag == TAG_SKIP) {
        queue->read += item->length_bytes;
        item = item_at(queue, queue->read);
    }
    queue->read += item_bytes(item->length_bytes);
    return item;
}
