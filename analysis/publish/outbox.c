/* SPDX-License-Identifier: BSD-3-Clause */
#include "outbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

enum {
    GATHER_NS =
        250 * 1000000, /* bins and states go so long after the first of them: a few times a second at most */
    MANY_BINS = 256    /* or as soon as there are so many */
};

/* Everything below the lock is under it. Events and bins are rings. */
struct outbox {
    struct outbox_options options;
    pthread_mutex_t lock;
    pthread_cond_t work, room;

    struct outbox_event **events;
    size_t event_first, event_count;
    struct outbox_bin *bins;
    size_t bin_first, bin_count;

    struct outbox_scope {
        struct scope scope;
        bool seen, changed, open;
        struct bin last;
        char outage[EVENT_ID_MAX];
    } * scope;
    uint32_t scope_count;
    struct bin_interfaces interfaces;
    bool renewed; /* there are other scopes than before, and nobody has asked yet */
    size_t changed;
    int64_t due_ns; /* of bins and states */
    int64_t data_time_ns;

    bool away, up, closing, noticed;
    int64_t deadline_ns;
    struct health health;
};

int64_t outbox_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* As many as there are scopes, each with its own; NULL: no memory. */
static struct outbox_scope *scopes_new(const struct scope_list *scopes)
{
    struct outbox_scope *scope = calloc(scopes->count, sizeof *scope);
    for (uint32_t i = 0; scope != NULL && i < scopes->count; i++)
        scope[i].scope = scopes->items[i];
    return scope;
}

struct outbox *outbox_new(const struct outbox_options *options, const struct scope_list *scopes)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL)
        return NULL;
    outbox->options = *options;
    outbox->scope_count = scopes->count;
    outbox->interfaces = (struct bin_interfaces){scopes->interfaces, scopes->interface_count};
    outbox->data_time_ns = TIME_NONE;
    outbox->events = calloc(options->events_max, sizeof *outbox->events);
    outbox->bins = calloc(options->bins_max, sizeof *outbox->bins);
    outbox->scope = scopes_new(scopes);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_cond_init(&outbox->work, &monotonic);
    pthread_cond_init(&outbox->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (outbox->events == NULL || outbox->bins == NULL || outbox->scope == NULL) {
        outbox_free(outbox);
        return NULL;
    }
    return outbox;
}

static void event_free(struct outbox_event *event)
{
    if (event != NULL)
        free(event->json);
    free(event);
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    for (size_t i = 0; i < outbox->event_count; i++)
        event_free(outbox->events[(outbox->event_first + i) % outbox->options.events_max]);
    pthread_cond_destroy(&outbox->room);
    pthread_cond_destroy(&outbox->work);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->events);
    free(outbox->bins);
    free(outbox->scope);
    free(outbox);
}

/* Waits while `*count` has reached `max`, if that is worth it. False: there is no room. */
static bool wait_room(struct outbox *outbox, const size_t *count, size_t max)
{
    while (*count >= max && outbox->options.patient && !outbox->away)
        pthread_cond_wait(&outbox->room, &outbox->lock);
    return *count < max;
}

static void mark_changed(struct outbox *outbox, struct outbox_scope *scope)
{
    if (scope->seen && !scope->changed) {
        scope->changed = true;
        outbox->changed++;
    }
}

/* Bins and states that were not waiting before are due a moment later, with what comes until then. */
static void set_due(struct outbox *outbox)
{
    if (outbox->bin_count == 0 && outbox->changed == 0)
        outbox->due_ns = outbox_now() + GATHER_NS;
}

/* Remembers the open episode of the event's scope, which its state shows. */
static void note_episode(struct outbox *outbox, const struct event *event)
{
    bool open = event->action != EVENT_OUTAGE_ENDED && event->action != EVENT_SENSOR_RESTORED;
    for (uint32_t i = 0; i < outbox->scope_count; i++) {
        if (strcmp(outbox->scope[i].scope.text, event->scope) != 0)
            continue;
        set_due(outbox);
        outbox->scope[i].open = open;
        event_text_outage_id(event, outbox->options.sensor, outbox->scope[i].outage);
        mark_changed(outbox, &outbox->scope[i]);
    }
}

static struct outbox_event *event_new(const struct event *event, const char *sensor)
{
    struct outbox_event *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return NULL;
    event_text_id(event, sensor, waiting->id);
    waiting->action = event_text_action(event->action);
    memcpy(waiting->scope, event->scope, sizeof waiting->scope);
    waiting->severity = event_text_severity(event);
    waiting->json = event_text_json(event, sensor);
    if (waiting->json == NULL) {
        event_free(waiting);
        return NULL;
    }
    return waiting;
}

bool outbox_put_event(struct outbox *outbox, const struct event *event)
{
    struct outbox_event *waiting = event_new(event, outbox->options.sensor);
    pthread_mutex_lock(&outbox->lock);
    note_episode(outbox, event);
    bool taken = waiting != NULL && wait_room(outbox, &outbox->event_count, outbox->options.events_max);
    if (taken)
        outbox->events[(outbox->event_first + outbox->event_count++) % outbox->options.events_max] = waiting;
    else
        outbox->health.redis_dropped++;
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_signal(&outbox->work);
    if (!taken)
        event_free(waiting);
    return taken;
}

bool outbox_put_bin(struct outbox *outbox, const struct bin *bin)
{
    pthread_mutex_lock(&outbox->lock);
    struct outbox_scope *scope = &outbox->scope[bin->scope];
    bool idle = outbox->bin_count == 0 && outbox->changed == 0;
    set_due(outbox);
    scope->seen = true;
    scope->last = *bin;
    mark_changed(outbox, scope);
    outbox->data_time_ns = bin->tally.end_ns;
    bool taken = wait_room(outbox, &outbox->bin_count, outbox->options.bins_max);
    if (taken)
        outbox->bins[(outbox->bin_first + outbox->bin_count++) % outbox->options.bins_max] =
            (struct outbox_bin){.bin = *bin, .scope = scope->scope};
    else
        outbox->health.queue_dropped++;
    bool wake = idle || outbox->bin_count % MANY_BINS == 0;
    pthread_mutex_unlock(&outbox->lock);
    if (wake)
        pthread_cond_signal(&outbox->work);
    return taken;
}

bool outbox_scopes(struct outbox *outbox, const struct scope_list *scopes)
{
    struct outbox_scope *scope = scopes_new(scopes);
    if (scope == NULL)
        return false;
    pthread_mutex_lock(&outbox->lock);
    outbox->changed = 0;
    for (uint32_t i = 0; i < scopes->count; i++)
        for (uint32_t j = 0; j < outbox->scope_count; j++)
            if (scope_is_same(&scopes->items[i], &outbox->scope[j].scope)) {
                scope[i] = outbox->scope[j];
                scope[i].changed = false;
                mark_changed(outbox, &scope[i]);
            }
    free(outbox->scope);
    outbox->scope = scope;
    outbox->scope_count = scopes->count;
    outbox->renewed = true;
    pthread_mutex_unlock(&outbox->lock);
    return true;
}

void outbox_close(struct outbox *outbox, bool at_once)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->closing = true;
    outbox->deadline_ns =
        outbox_now() + (at_once ? 0 : (int64_t)(outbox->options.drain_s * (double)NS_PER_S));
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_signal(&outbox->work);
}

void outbox_count(struct outbox *outbox, struct health *sum)
{
    pthread_mutex_lock(&outbox->lock);
    health_add(sum, &outbox->health);
    pthread_mutex_unlock(&outbox->lock);
}

size_t outbox_waiting(struct outbox *outbox, size_t *bins)
{
    pthread_mutex_lock(&outbox->lock);
    size_t events = outbox->event_count;
    if (bins != NULL)
        *bins = outbox->bin_count;
    pthread_mutex_unlock(&outbox->lock);
    return events;
}

bool outbox_closing(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool closing = outbox->closing;
    pthread_mutex_unlock(&outbox->lock);
    return closing;
}

/* The reader's side */

static bool has_work(const struct outbox *outbox, int64_t now_ns)
{
    bool more = outbox->bin_count > 0 || outbox->changed > 0;
    return outbox->event_count > 0 || outbox->bin_count >= MANY_BINS ||
           (more && (outbox->closing || now_ns >= outbox->due_ns));
}

static bool is_over(const struct outbox *outbox, int64_t now_ns)
{
    bool empty = outbox->event_count == 0 && outbox->bin_count == 0 && outbox->changed == 0;
    return outbox->closing && (empty || now_ns >= outbox->deadline_ns);
}

/* The next instant at which something must be looked at though nobody wakes the reader. */
static int64_t next_look(const struct outbox *outbox, int64_t until_ns, bool eager)
{
    bool more = outbox->bin_count > 0 || outbox->changed > 0;
    if (eager && more && outbox->due_ns < until_ns)
        until_ns = outbox->due_ns;
    if (outbox->closing && outbox->deadline_ns < until_ns)
        until_ns = outbox->deadline_ns;
    return until_ns;
}

bool outbox_wait(struct outbox *outbox, int64_t until_ns, bool eager)
{
    pthread_mutex_lock(&outbox->lock);
    int64_t now_ns = outbox_now();
    bool over;
    while (!(over = is_over(outbox, now_ns)) && now_ns < until_ns && !(eager && has_work(outbox, now_ns))) {
        if (outbox->closing && !outbox->noticed)
            break; /* whoever backs off hears of it, and tries once more while there is time */
        int64_t next_ns = next_look(outbox, until_ns, eager);
        struct timespec next = {.tv_sec = next_ns / NS_PER_S, .tv_nsec = next_ns % NS_PER_S};
        pthread_cond_timedwait(&outbox->work, &outbox->lock, &next);
        now_ns = outbox_now();
    }
    outbox->noticed = outbox->closing;
    pthread_mutex_unlock(&outbox->lock);
    return !over;
}

size_t outbox_events(struct outbox *outbox, const struct outbox_event **events, size_t max)
{
    pthread_mutex_lock(&outbox->lock);
    size_t count = outbox->event_count < max ? outbox->event_count : max;
    for (size_t i = 0; i < count; i++)
        events[i] = outbox->events[(outbox->event_first + i) % outbox->options.events_max];
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void outbox_events_sent(struct outbox *outbox, size_t count)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->health.redis_sent += count;
    for (; count > 0; count--) {
        event_free(outbox->events[outbox->event_first]);
        outbox->event_first = (outbox->event_first + 1) % outbox->options.events_max;
        outbox->event_count--;
    }
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_broadcast(&outbox->room);
}

size_t outbox_bins(struct outbox *outbox, struct outbox_bin *bins, size_t max)
{
    pthread_mutex_lock(&outbox->lock);
    size_t count = outbox->bin_count < max ? outbox->bin_count : max;
    for (size_t i = 0; i < count; i++)
        bins[i] = outbox->bins[(outbox->bin_first + i) % outbox->options.bins_max];
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void outbox_bins_sent(struct outbox *outbox, size_t count)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->bin_first = (outbox->bin_first + count) % outbox->options.bins_max;
    outbox->bin_count -= count;
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_broadcast(&outbox->room);
}

bool outbox_state(struct outbox *outbox, uint32_t *next, char name[SCOPE_TEXT_MAX], char json[BIN_JSON_MAX])
{
    bool found = false;
    pthread_mutex_lock(&outbox->lock);
    bool due = outbox->closing || outbox_now() >= outbox->due_ns;
    for (; due && !found && *next < outbox->scope_count; ++*next) {
        struct outbox_scope *one = &outbox->scope[*next];
        if (!one->changed)
            continue;
        one->changed = false;
        outbox->changed--;
        struct text text = text_in(json, BIN_JSON_MAX);
        bin_text_state(&one->last, &one->scope, &outbox->interfaces, one->open ? one->outage : NULL, &text);
        memcpy(name, one->scope.text, SCOPE_TEXT_MAX);
        found = true;
    }
    pthread_mutex_unlock(&outbox->lock);
    return found;
}

bool outbox_renewed(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool renewed = outbox->renewed;
    outbox->renewed = false;
    pthread_mutex_unlock(&outbox->lock);
    return renewed;
}

void outbox_states_again(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    for (uint32_t i = 0; i < outbox->scope_count; i++)
        mark_changed(outbox, &outbox->scope[i]);
    pthread_mutex_unlock(&outbox->lock);
}

int64_t outbox_data_time(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    int64_t data_time_ns = outbox->data_time_ns;
    pthread_mutex_unlock(&outbox->lock);
    return data_time_ns;
}

void outbox_set_away(struct outbox *outbox, bool away)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->away = away;
    outbox->up = !away;
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_broadcast(&outbox->room);
}

bool outbox_up(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool up = outbox->up;
    pthread_mutex_unlock(&outbox->lock);
    return up;
}
