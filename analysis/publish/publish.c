/* SPDX-License-Identifier: BSD-3-Clause */
/* The letterbox: a queue, one thread that feeds the sinks from it, and a table of sinks. */
#include "publish.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint.h"
#include "clock.h"
#include "http_address.h"
#include "lines.h"
#include "printable.h"
#include "queue.h"
#include "say.h"
#include "sink.h"

/* In the order in which they finish: the summary and the report tell what became of the others. */
static const struct sink *const sinks[] = {&sink_http,         &sink_redis,   &sink_ndjson, &sink_bins_csv,
                                           &sink_flows_ndjson, &sink_summary, &sink_html};
enum {
    SINKS = sizeof sinks / sizeof *sinks,
    QUEUE_BYTES = 16 * 1024 * 1024,
    COMMIT_NS = 2000000,
    QUIET_S = 60
};

enum item {
    ITEM_EVENT,
    ITEM_BIN,
    ITEM_FLOW,
    ITEM_HOSTS,
    ITEM_SCOPES,
    ITEM_STEP,
    ITEM_CHECKPOINT,
    ITEM__COUNT
};

struct outlet {
    const struct sink *sink;
    void *state;
    bool faulty;      /* said already */
    bool lost;        /* it does not know the scopes: nothing more is told by it */
    int64_t quiet_ns; /* until then no failure is said: on a disk that is almost full they come and go */
};

struct publish {
    struct publish_options options;
    struct queue *queue;
    pthread_t thread;
    struct outlet outlets[SINKS];
    size_t count;
    bool wanted[ITEM__COUNT];  /* by any sink */
    struct scope_list *scopes; /* the sinks' since the last publish_scopes; NULL: those of the start */

    pthread_mutex_t lock;  /* of the three below */
    struct health capture; /* as it was handed in last */
    struct health own;
    bool fresh; /* capture's has changed */
    struct pulse pulse;

    struct fault fault; /* the first; the thread's, until it is joined */
    bool failed, checkpoint_failed;
    int64_t uncommitted_ns; /* when the first event was handed over since the last commit; TIME_NONE: none */
    bool saving;            /* a checkpoint is on its way to the disk */
    pthread_cond_t saved;
    struct publish_mark marks[PUBLISH_MARKS_MAX]; /* as of the last publish_step */
    uint32_t mark_count;
};

static void say(enum say_level level, const char *format, va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    printable_clean(line, false); /* a server's words may be among it */
    fprintf(stderr, "%s%s\n", say_head(level), line);
}

void publish_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(SAY_INFO, format, arguments);
    va_end(arguments);
}

void publish_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(SAY_WARNING, format, arguments);
    va_end(arguments);
}

int publish_check_redis(const struct publish_options *options, struct fault *fault)
{
    const struct redis_link_options link = publish_redis_link(options);
    return redis_link_check(&link, fault);
}

int publish_check_http(const char *listen, struct fault *fault)
{
    struct http_address address;
    return http_address_parse(listen, &address, fault);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* A sink's first failure is said, and the first of all remembered; everything else goes on. At the end,
 * whoever closes says the first. */
static void note(struct publish *publish, struct outlet *outlet, const struct fault *fault, bool at_end)
{
    if (!outlet->faulty && (at_end || now_ns() >= outlet->quiet_ns)) {
        if (publish->failed || !at_end)
            publish_warn("%s: %s", outlet->sink->name, fault->text);
        outlet->faulty = true;
    }
    if (!publish->failed)
        publish->fault = *fault;
    publish->failed = true;
}

/* Live what was full may have room again. */
static void note_success(struct publish *publish, struct outlet *outlet)
{
    if (!outlet->faulty || publish->options.replay)
        return;
    outlet->faulty = false;
    outlet->quiet_ns = now_ns() + QUIET_S * NS_PER_S;
    publish_say("%s: written again; some of what came meanwhile may be missing there", outlet->sink->name);
}

static struct health counters(struct publish *publish)
{
    pthread_mutex_lock(&publish->lock);
    struct health sum = publish->capture;
    health_add(&sum, &publish->own);
    pthread_mutex_unlock(&publish->lock);
    for (size_t i = 0; i < publish->count; i++)
        if (publish->outlets[i].sink->count != NULL)
            publish->outlets[i].sink->count(publish->outlets[i].state, &sum);
    return sum;
}

int64_t sink_resume(const struct publish_options *options, const char *sink)
{
    for (uint32_t i = 0; options->resume != NULL && i < options->resume->mark_count; i++)
        if (strcmp(options->resume->marks[i].sink, sink) == 0)
            return (int64_t)options->resume->marks[i].bytes;
    return -1;
}

/* Everything handed over before this is part of the next checkpoint, and nothing after it. */
static void take_marks(struct publish *publish)
{
    publish->mark_count = 0;
    for (size_t i = 0; i < publish->count && publish->mark_count < PUBLISH_MARKS_MAX; i++) {
        const struct outlet *outlet = &publish->outlets[i];
        if (outlet->sink->mark == NULL)
            continue;
        struct publish_mark *mark = &publish->marks[publish->mark_count++];
        snprintf(mark->sink, sizeof mark->sink, "%s", outlet->sink->name);
        mark->bytes = outlet->sink->mark(outlet->state);
    }
}

static struct levels levels(struct publish *publish)
{
    struct levels now = {.queue_bytes = queue_bytes(publish->queue), .queue_room_bytes = QUEUE_BYTES};
    for (size_t i = 0; i < publish->count; i++)
        if (publish->outlets[i].sink->level != NULL)
            publish->outlets[i].sink->level(publish->outlets[i].state, &now);
    return now;
}

static void take_step(struct publish *publish, const void *item)
{
    int64_t data_ns;
    memcpy(&data_ns, item, sizeof data_ns);
    take_marks(publish);
    if (!publish->wanted[ITEM_STEP])
        return;
    const struct health health = counters(publish);
    const struct levels now = levels(publish);
    for (size_t i = 0; i < publish->count; i++)
        if (publish->outlets[i].sink->step != NULL)
            publish->outlets[i].sink->step(publish->outlets[i].state, data_ns, &health, &now);
}

/* Tells a sink that has such a mark. */
static void tell_saved(struct publish *publish, const struct publish_mark *mark)
{
    for (size_t i = 0; i < publish->count; i++) {
        const struct outlet *outlet = &publish->outlets[i];
        if (outlet->sink->saved != NULL && strcmp(outlet->sink->name, mark->sink) == 0)
            outlet->sink->saved(outlet->state, mark->bytes);
    }
}

/* What the sinks were handed must be as far as the marks say before the checkpoint says so. */
static int save(struct publish *publish, struct publish_checkpoint *checkpoint, struct fault *fault)
{
    for (size_t i = 0; i < publish->count; i++) {
        const struct outlet *outlet = &publish->outlets[i];
        if ((outlet->sink->flush != NULL && outlet->sink->flush(outlet->state, fault) != 0) ||
            (outlet->sink->secure != NULL && outlet->sink->secure(outlet->state, fault) != 0))
            return -1;
    }
    checkpoint->mark_count = publish->mark_count;
    memcpy(checkpoint->marks, publish->marks, sizeof checkpoint->marks);
    if (checkpoint_write(publish->options.state_path, checkpoint, fault) != 0)
        return -1;
    for (uint32_t i = 0; i < checkpoint->mark_count; i++)
        tell_saved(publish, &checkpoint->marks[i]);
    return 0;
}

/* Whether a replay has not written what it decided. Then the last checkpoint stands, so that the same command
 * decides and writes it once more. A wire tells nothing twice: there the others count. */
static bool owes(const struct publish *publish)
{
    bool owes = false;
    for (size_t i = 0; i < publish->count; i++)
        owes |= publish->outlets[i].faulty && publish->outlets[i].sink->mark != NULL;
    return owes && publish->options.replay;
}

static void done_saving(struct publish *publish)
{
    pthread_mutex_lock(&publish->lock);
    publish->saving = false;
    pthread_cond_signal(&publish->saved);
    pthread_mutex_unlock(&publish->lock);
}

static void take_checkpoint(struct publish *publish, const void *item)
{
    struct publish_checkpoint checkpoint;
    struct fault fault;
    memcpy(&checkpoint, item, sizeof checkpoint);
    if (!owes(publish) && save(publish, &checkpoint, &fault) != 0) {
        if (!publish->failed)
            publish->fault = fault;
        if (!publish->checkpoint_failed)
            publish_warn("%s", fault.text);
        publish->failed = publish->checkpoint_failed = true;
    }
    free(checkpoint.bytes);
    done_saving(publish);
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
    case ITEM_HOSTS:
        return sink->hosts != NULL ? sink->hosts(outlet->state, value, fault) : 0;
    default:
        return sink->flow != NULL ? sink->flow(outlet->state, value, fault) : 0;
    }
}

static void feed(struct publish *publish, const struct queue_item *item)
{
    struct fault fault;
    for (size_t i = 0; i < publish->count; i++) {
        struct outlet *outlet = &publish->outlets[i];
        if (outlet->lost)
            continue;
        if (feed_one(outlet, item, &fault) != 0)
            note(publish, outlet, &fault, false);
        else if (item->tag == ITEM_EVENT && outlet->sink->event != NULL && outlet->sink->flush == NULL)
            note_success(publish, outlet);
    }
}

static void take_scopes(struct publish *publish, const void *item)
{
    struct scope_list *scopes;
    struct fault fault;
    memcpy(&scopes, item, sizeof scopes);
    for (size_t i = 0; i < publish->count; i++) {
        struct outlet *outlet = &publish->outlets[i];
        if (outlet->sink->scopes == NULL || outlet->lost ||
            outlet->sink->scopes(outlet->state, scopes, &fault) == 0)
            continue;
        outlet->lost = true;
        note(publish, outlet, &fault, false);
    }
    free(publish->scopes);
    publish->scopes = scopes;
}

/* Nothing waits: the time to write out what is buffered, and to look at the counters. */
static void rest(struct publish *publish)
{
    struct fault fault;
    pthread_mutex_lock(&publish->lock);
    bool fresh = publish->fresh;
    publish->fresh = false;
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
        else if (outlet->sink->flush != NULL)
            note_success(publish, outlet);
    }
}

/* Events that come together share one wait for the disk, but the first of them does not wait for long. */
static void commit(struct publish *publish)
{
    publish->uncommitted_ns = TIME_NONE;
    for (size_t i = 0; i < publish->count; i++)
        if (publish->outlets[i].sink->commit != NULL)
            publish->outlets[i].sink->commit(publish->outlets[i].state);
}

/* The next item; before it waits for one, what there is to do meanwhile. NULL: there will be none. */
static const struct queue_item *next_item(struct publish *publish)
{
    const struct queue_item *item = queue_next(publish->queue, false);
    if (item == NULL) {
        commit(publish);
        rest(publish);
        publish->pulse.item_ns = TIME_NONE;
        item = queue_next(publish->queue, true);
    }
    const int64_t now = now_ns();
    publish->pulse.item_ns = now;
    if (publish->uncommitted_ns != TIME_NONE && now - publish->uncommitted_ns > COMMIT_NS)
        commit(publish);
    if (publish->uncommitted_ns == TIME_NONE && item != NULL && item->tag == ITEM_EVENT)
        publish->uncommitted_ns = now;
    return item;
}

static void *publish_thread(void *context)
{
    struct publish *publish = context;
    for (;;) {
        const struct queue_item *item = next_item(publish);
        if (item == NULL)
            return NULL;
        if (item->tag == ITEM_SCOPES)
            take_scopes(publish, item->value);
        else if (item->tag == ITEM_STEP)
            take_step(publish, item->value);
        else if (item->tag == ITEM_CHECKPOINT)
            take_checkpoint(publish, item->value);
        else
            feed(publish, item);
    }
}

static void free_all(struct publish *publish)
{
    for (size_t i = 0; i < publish->count; i++)
        publish->outlets[i].sink->close(publish->outlets[i].state);
    free(publish->scopes);
    queue_free(publish->queue);
    pthread_mutex_destroy(&publish->lock);
    pthread_cond_destroy(&publish->saved);
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
        publish->wanted[ITEM_HOSTS] |= sinks[i]->hosts != NULL;
        publish->wanted[ITEM_STEP] |= sinks[i]->step != NULL;
    }
    return 0;
}

static int start_sinks(struct publish *publish, struct fault *fault)
{
    for (size_t i = 0; i < publish->count; i++) {
        const struct outlet *outlet = &publish->outlets[i];
        if (outlet->sink->start != NULL && outlet->sink->start(outlet->state, &publish->pulse, fault) != 0)
            return -1;
    }
    return 0;
}

/* The threads of the letterbox, and those that its sinks start, leave all signals to the thread that opens
 * it; but that a reader has gone is for whoever writes. */
static int open_masked(struct publish *publish, const struct scope_list *scopes, struct fault *fault)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = open_sinks(publish, scopes, fault);
    if (result == 0 && publish->options.opened != NULL)
        result = publish->options.opened(publish->options.opened_context, fault);
    if (result == 0)
        result = start_sinks(publish, fault);
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
    lines_stop_with(options->stop);
    publish->pulse.step_ns = publish->pulse.item_ns = publish->uncommitted_ns = TIME_NONE;
    pthread_mutex_init(&publish->lock, NULL);
    pthread_cond_init(&publish->saved, NULL);
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
        publish_warn("what is written cannot keep up: it is dropped and counted, flows first, events last");
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

void publish_hosts(struct publish *publish, const struct hosts *hosts)
{
    if (hosts->count > 0)
        put(publish, QUEUE_LOW, ITEM_HOSTS, hosts,
            offsetof(struct hosts, address) + hosts->count * sizeof hosts->address[0]);
}

int publish_scopes(struct publish *publish, const struct scope_list *scopes, struct fault *fault)
{
    size_t bytes = scopes->count * sizeof *scopes->items;
    struct scope_list *copy = malloc(sizeof *copy + bytes); /* the items behind the list */
    if (copy == NULL)
        return fault_set(fault, "no memory for %u scopes", scopes->count);
    *copy = (struct scope_list){.items = memcpy(copy + 1, scopes->items, bytes), .count = scopes->count};
    if (queue_put(publish->queue, QUEUE_HIGH, ITEM_SCOPES, &copy, sizeof copy))
        return 0;
    free(copy);
    return fault_set(fault, "what is written cannot keep up");
}

void publish_step(struct publish *publish, int64_t data_ns)
{
    publish->pulse.step_ns = now_ns();
    if (publish->options.state_path != NULL || publish->wanted[ITEM_STEP])
        queue_put(publish->queue, QUEUE_MIDDLE, ITEM_STEP, &data_ns, sizeof data_ns);
}

/* One at a time: a live capture does not wait for the last one to be on disk, a replay does. */
static bool may_save(struct publish *publish)
{
    pthread_mutex_lock(&publish->lock);
    while (publish->saving && publish->options.replay)
        pthread_cond_wait(&publish->saved, &publish->lock);
    bool may = !publish->saving;
    publish->saving = true;
    pthread_mutex_unlock(&publish->lock);
    return may;
}

void publish_checkpoint(struct publish *publish, int64_t data_ns, uint8_t *bytes, size_t length)
{
    struct publish_checkpoint checkpoint = {.data_ns = data_ns, .bytes = bytes, .length = length};
    if (!may_save(publish)) {
        free(bytes); /* the next one will do */
        return;
    }
    if (queue_put(publish->queue, QUEUE_MIDDLE, ITEM_CHECKPOINT, &checkpoint, sizeof checkpoint))
        return;
    free(bytes);
    done_saving(publish);
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
        fault_set(&publish->fault, "%llu item%s dropped because what is written could not keep up",
                  (unsigned long long)publish->own.queue_dropped,
                  publish->own.queue_dropped == 1 ? " was" : "s were");
    }
    bool failed = publish->failed;
    if (failed)
        *fault = publish->fault;
    free_all(publish);
    return failed ? -1 : 0;
}
