/* SPDX-License-Identifier: BSD-3-Clause */
/* The letterbox: a queue, one thread that feeds the sinks from it, and a table of sinks. */
#include "publish.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "redis_url.h"
#include "sink.h"

/* In the order in which they finish: the summary and the report tell what became of the others. */
static const struct sink *const sinks[] = {&sink_redis,        &sink_ndjson,  &sink_bins_csv,
                                           &sink_flows_ndjson, &sink_summary, &sink_html};
enum { SINKS = sizeof sinks / sizeof *sinks, QUEUE_BYTES = 8 * 1024 * 1024 };

enum item { ITEM_EVENT, ITEM_BIN, ITEM_FLOW, ITEM__COUNT };

struct outlet {
    const struct sink *sink;
    void *state;
    bool faulty; /* said already */
};

struct publish {
    struct publish_options options;
    struct queue *queue;
    pthread_t thread;
    struct outlet outlets[SINKS];
    size_t count;
    bool wanted[ITEM__COUNT]; /* by any sink */

    pthread_mutex_t lock;  /* of the three below */
    struct health capture; /* as it was handed in last */
    struct health own;
    bool fresh; /* capture's has changed */

    struct fault fault; /* the first; the thread's, until it is joined */
    bool failed;
};

void publish_say(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "lightsout: %s\n", line);
}

int publish_check_redis(const char *url, struct fault *fault)
{
    struct redis_url parsed;
    int result = redis_url_parse(url, &parsed, fault);
    explicit_bzero(&parsed, sizeof parsed);
    return result;
}

/* A sink's first failure is said, and the first of all remembered; everything else goes on. At the end,
 * whoever closes says the first. */
static void note(struct publish *publish, struct outlet *outlet, const struct fault *fault, bool at_end)
{
    if (!outlet->faulty && (publish->failed || !at_end))
        publish_say("%s: %s", outlet->sink->name, fault->text);
    outlet->faulty = true;
    if (!publish->failed)
        publish->fault = *fault;
    publish->failed = true;
}

static struct health counters(struct publish *publish)
{
    pthread_mutex_lock(&publish->lock);
    struct health sum = publish->capture;
    health_add(&sum, &publish->own);
    publish->fresh = false;
    pthread_mutex_unlock(&publish->lock);
    for (size_t i = 0; i < publish->count; i++)
        if (publish->outlets[i].sink->count != NULL)
            publish->outlets[i].sink->count(publish->outlets[i].state, &sum);
    return sum;
}

static int feed_one(const struct outlet *outlet, const struct queue_item *item, struct fault *fault)
{
    const void *value = item->value;
    const struct sink *sink = outlet->sink;
    switch (item->tag) {
    case ITEM_EVENT:
        return sink->event != NULL ? sink->event(outlet->state, value, fault) : 0;
    case ITEM_BIN:
        return sink->bin != NULL ? sink->bin(outlet->state, value, fault) : 0;
    default:
        return sink->flow != NULL ? sink->flow(outlet->state, value, fault) : 0;
    }
}

static void feed(struct publish *publish, const struct queue_item *item)
{
    struct fault fault;
    for (size_t i = 0; i < publish->count; i++)
        if (feed_one(&publish->outlets[i], item, &fault) != 0)
            note(publish, &publish->outlets[i], &fault, false);
}

/* Nothing waits: the time to write out what is buffered, and to look at the counters. */
static void rest(struct publish *publish)
{
    struct fault fault;
    pthread_mutex_lock(&publish->lock);
    bool fresh = publish->fresh;
    pthread_mutex_unlock(&publish->lock);
    struct health health = {0};
    if (fresh)
        health = counters(publish);
    for (size_t i = 0; i < publish->count; i++) {
        struct outlet *outlet = &publish->outlets[i];
        if (fresh && outlet->sink->health != NULL)
            outlet->sink->health(outlet->state, &health);
        if (outlet->sink->flush != NULL && outlet->sink->flush(outlet->state, &fault) != 0)
            note(publish, outlet, &fault, false);
    }
}

static void *publish_thread(void *context)
{
    struct publish *publish = context;
    for (;;) {
        const struct queue_item *item = queue_next(publish->queue, false);
        if (item == NULL) {
            rest(publish);
            item = queue_next(publish->queue, true);
        }
        if (item == NULL)
            return NULL;
        feed(publish, item);
    }
}

static void free_all(struct publish *publish)
{
    for (size_t i = 0; i < publish->count; i++)
        publish->outlets[i].sink->close(publish->outlets[i].state);
    queue_free(publish->queue);
    pthread_mutex_destroy(&publish->lock);
    free(publish);
}

static int open_sinks(struct publish *publish, const struct scope_list *scopes, struct fault *fault)
{
    for (size_t i = 0; i < SINKS; i++) {
        if (!sinks[i]->wanted(&publish->options))
            continue;
        void *state = sinks[i]->open(&publish->options, scopes, fault);
        if (state == NULL)
            return -1;
        publish->outlets[publish->count++] = (struct outlet){.sink = sinks[i], .state = state};
        publish->wanted[ITEM_EVENT] |= sinks[i]->event != NULL;
        publish->wanted[ITEM_BIN] |= sinks[i]->bin != NULL;
        publish->wanted[ITEM_FLOW] |= sinks[i]->flow != NULL;
    }
    return 0;
}

/* The threads of the letterbox, and those that its sinks start, leave all signals to the thread that opens
 * it. */
static int open_masked(struct publish *publish, const struct scope_list *scopes, struct fault *fault)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = open_sinks(publish, scopes, fault);
    if (result == 0 && pthread_create(&publish->thread, NULL, publish_thread, publish) != 0)
        result = fault_set(fault, "no memory for the publishing thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

struct publish *publish_open(const struct publish_options *options, const struct scope_list *scopes,
                             struct fault *fault)
{
    struct publish *publish = calloc(1, sizeof *publish);
    if (publish == NULL) {
        fault_set(fault, "no memory to publish anything");
        return NULL;
    }
    publish->options = *options;
    pthread_mutex_init(&publish->lock, NULL);
    publish->queue = queue_new(QUEUE_BYTES, options->replay);
    if (publish->queue == NULL) {
        fault_set(fault, "no memory for the publishing queue");
        free_all(publish);
        return NULL;
    }
    if (open_masked(publish, scopes, fault) != 0) {
        free_all(publish);
        return NULL;
    }
    return publish;
}

static void put(struct publish *publish, enum queue_rank rank, enum item item, const void *value,
                size_t bytes)
{
    if (!publish->wanted[item])
        return;
    if (queue_put(publish->queue, rank, item, value, bytes))
        return;
    pthread_mutex_lock(&publish->lock);
    bool first = publish->own.queue_dropped++ == 0;
    pthread_mutex_unlock(&publish->lock);
    if (first)
        publish_say("what is written cannot keep up: it is dropped and counted, flows first, events last");
}

void publish_event(struct publish *publish, const struct event *event)
{
    pthread_mutex_lock(&publish->lock);
    publish->own.events_published++;
    pthread_mutex_unlock(&publish->lock);
    put(publish, QUEUE_HIGH, ITEM_EVENT, event, sizeof *event);
}

void publish_bin(struct publish *publish, const struct bin *bin)
{
    put(publish, QUEUE_MIDDLE, ITEM_BIN, bin, sizeof *bin);
}

void publish_flow(struct publish *publish, const struct flow_record *record)
{
    put(publish, QUEUE_LOW, ITEM_FLOW, record, sizeof *record);
}

void publish_health(struct publish *publish, const struct health *health)
{
    pthread_mutex_lock(&publish->lock);
    publish->capture = *health;
    publish->fresh = true;
    pthread_mutex_unlock(&publish->lock);
}

static void finish_all(struct publish *publish)
{
    struct fault fault;
    for (size_t i = 0; i < publish->count; i++) {
        struct outlet *outlet = &publish->outlets[i];
        struct health health = counters(publish);
        if (outlet->sink->health != NULL)
            outlet->sink->health(outlet->state, &health);
        if (outlet->sink->finish != NULL && outlet->sink->finish(outlet->state, &fault) != 0)
            note(publish, outlet, &fault, true);
    }
}

int publish_close(struct publish *publish, struct fault *fault)
{
    if (publish == NULL)
        return 0;
    queue_close(publish->queue);
    pthread_join(publish->thread, NULL);
    finish_all(publish);
    if (!publish->failed && publish->own.queue_dropped > 0) {
        publish->failed = true;
        fault_set(&publish->fault, "%llu items were dropped because what is written could not keep up",
                  (unsigned long long)publish->own.queue_dropped);
    }
    bool failed = publish->failed;
    if (failed)
        *fault = publish->fault;
    free_all(publish);
    return failed ? -1 : 0;
}
