/* SPDX-License-Identifier: BSD-3-Clause */
#include "outbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"

enum {
    GATHER_NS =
        250 * 1000000, /* bins and states go so long after the first of them: a few times a second at most */
    MANY_BINS = 256,   /* or as soon as there are so many */
    WINDOW = 64,       /* events that the reader is given at a time */
    COMMIT_EVENTS = 64 /* that share one wait for the disk, at most */
};

/* Everything below the lock is under it. Events and bins are rings.
 *
 * Events are, in the order in which they are delivered: in the window, with the reader; on disk (`unread`;
 * and `written`, which the reader does not see until they are synced); in memory (`events`). Whatever is in
 * memory came after all that is on disk, and goes there before anything else does. */
struct outbox {
    struct outbox_options options;
    pthread_mutex_t lock;
    pthread_cond_t work, room;

    struct spool *spool;
    struct outbox_event *window[WINDOW];
    size_t window_first, window_count;
    size_t unread, written;
    struct outbox_event **events;
    size_t event_first, event_count;
    uint64_t number, handed; /* of the last event that got one, and of the last that was handed over */
    bool refused, unsure;    /* the disk did not take an event; it may have lost some */
    bool full;               /* events are given up, which was said */
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

/* What waits from an earlier run, and what has become of it. */
static int open_spool(struct outbox *outbox, struct fault *fault)
{
    const struct spool_options options = {.path = outbox->options.spool_path,
                                          .bytes_max = outbox->options.spool_bytes_max,
                                          .told = outbox->options.told,
                                          .again = outbox->options.patient};
    struct spool_found found;
    if (options.path == NULL)
        return 0;
    outbox->spool = spool_open(&options, &found, fault);
    if (outbox->spool == NULL)
        return -1;
    outbox->unread = found.waiting;
    outbox->number = found.last;
    outbox->handed = options.told != SPOOL_ALL_TOLD ? options.told : 0;
    outbox->health.spool_damaged = found.damaged;
    outbox->health.spool_lost = found.lost;
    if (found.missing)
        outbox->options.say("the spool %s is empty: what waited in it for Redis is lost", options.path);
    else if (found.damaged > 0 || found.lost > 0)
        outbox->options.say("the spool %s cannot be read in %llu place%s: up to %llu event%s for Redis lost",
                            options.path, (unsigned long long)found.damaged, found.damaged == 1 ? "" : "s",
                            (unsigned long long)found.lost, found.lost == 1 ? "" : "s");
    return 0;
}

struct outbox *outbox_new(const struct outbox_options *options, const struct scope_list *scopes,
                          struct fault *fault)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL) {
        fault_set(fault, "no memory for what waits for Redis");
        return NULL;
    }
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
    fault_set(fault, "no memory for what waits for Redis");
    if (outbox->events != NULL && outbox->bins != NULL && outbox->scope != NULL &&
        open_spool(outbox, fault) == 0)
        return outbox;
    outbox_free(outbox);
    return NULL;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    for (size_t i = 0; i < outbox->event_count; i++)
        free(outbox->events[(outbox->event_first + i) % outbox->options.events_max]);
    for (size_t i = 0; i < outbox->window_count; i++)
        free(outbox->window[outbox->window_first + i]);
    spool_close(outbox->spool);
    pthread_cond_destroy(&outbox->room);
    pthread_cond_destroy(&outbox->work);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->events);
    free(outbox->bins);
    free(outbox->scope);
    free(outbox);
}

/* Waits while there are as many bins as may be, if that is worth it. False: there is no room. */
static bool wait_bin_room(struct outbox *outbox)
{
    while (outbox->bin_count >= outbox->options.bins_max && outbox->options.patient && !outbox->away)
        pthread_cond_wait(&outbox->room, &outbox->lock);
    return outbox->bin_count < outbox->options.bins_max;
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

static const char held[] = "an event for Redis";

/* An event with its texts behind one another, each ended by a zero: action, scope, severity, JSON. NULL:
 * these are no such texts. */
static struct outbox_event *event_of(const char *id, const char *text, size_t length)
{
    struct outbox_event *event = calloc(1, sizeof *event + length);
    const char *texts[4], *end;
    if (event == NULL)
        memory_end(held);
    snprintf(event->id, sizeof event->id, "%s", id);
    memcpy(event->text, text, length);
    event->length = (uint32_t)length;
    const char *at = event->text;
    for (size_t i = 0; i < 4; i++, at = end + 1) {
        texts[i] = at;
        end = memchr(at, '\0', (size_t)(event->text + length - at));
        if (end == NULL) {
            free(event);
            return NULL;
        }
    }
    event->action = texts[0];
    event->scope = texts[1];
    event->severity = atoi(texts[2]);
    event->json = texts[3];
    return event;
}

static struct outbox_event *event_new(const struct event *event, const char *sensor)
{
    char id[EVENT_ID_MAX], *json = event_text_json(event, sensor), *text;
    event_text_id(event, sensor, id);
    int length = asprintf(&text, "%s%c%s%c%d%c%s", event_text_action(event->action), 0, event->scope, 0,
                          event_text_severity(event), 0, json);
    free(json);
    if (length < 0)
        memory_end(held);
    struct outbox_event *waiting = event_of(id, text, (size_t)length + 1);
    free(text);
    return waiting;
}

/* ---- events on disk and in memory ---- */

/* Those that are on no disk: in memory, or with the reader. */
static size_t in_memory(const struct outbox *outbox)
{
    size_t count = outbox->event_count;
    for (size_t i = 0; i < outbox->window_count; i++)
        count += !outbox->window[outbox->window_first + i]->read;
    return count;
}

static size_t waiting(const struct outbox *outbox)
{
    return outbox->window_count + outbox->unread + outbox->written + outbox->event_count;
}

/* Has the disk say that it has what was written, and then the reader see it. Meanwhile the lock is free. */
static void commit(struct outbox *outbox)
{
    struct fault fault;
    size_t written = outbox->written;
    if (outbox->spool == NULL || (written == 0 && !outbox->unsure))
        return;
    pthread_mutex_unlock(&outbox->lock);
    int result = spool_sync(outbox->spool, &fault);
    pthread_mutex_lock(&outbox->lock);
    if (result != 0 && !outbox->unsure)
        outbox->options.say("%s; what is written next tries again", fault.text);
    outbox->unsure = result != 0;
    outbox->unread += written;
    outbox->written -= written;
    pthread_cond_signal(&outbox->work);
}

static enum spool_result write_event(struct outbox *outbox, const struct outbox_event *event,
                                     struct fault *fault)
{
    struct spool_event record = {.number = event->number, .payload = event->text, .length = event->length};
    memcpy(record.id, event->id, sizeof record.id);
    return spool_put(outbox->spool, &record, fault);
}

/* What waits in memory goes to the disk, in order. Those that the reader has stay with it, and are passed
 * over where they stand on disk. */
static enum spool_result write_memory(struct outbox *outbox, struct fault *fault)
{
    enum spool_result result = SPOOL_TAKEN;
    for (size_t i = 0; i < outbox->window_count && result == SPOOL_TAKEN; i++) {
        struct outbox_event *event = outbox->window[outbox->window_first + i];
        if (!event->safe)
            result = write_event(outbox, event, fault);
        event->safe = result == SPOOL_TAKEN;
    }
    while (outbox->event_count > 0 && result == SPOOL_TAKEN) {
        result = write_event(outbox, outbox->events[outbox->event_first], fault);
        if (result != SPOOL_TAKEN)
            break;
        free(outbox->events[outbox->event_first]);
        outbox->event_first = (outbox->event_first + 1) % outbox->options.events_max;
        outbox->event_count--;
        outbox->written++;
    }
    return result;
}

/* Says once that events are given up, and why. */
static bool give_up(struct outbox *outbox, const char *why)
{
    if (!outbox->full)
        outbox->options.say("%s: further events are given up until Redis takes some", why);
    outbox->full = true;
    return false;
}

static bool put_in_memory(struct outbox *outbox, struct outbox_event *event)
{
    char why[128];
    const size_t max = outbox->options.events_max;
    while (in_memory(outbox) >= max && outbox->options.patient && !outbox->away)
        pthread_cond_wait(&outbox->room, &outbox->lock);
    snprintf(why, sizeof why, "the memory for events that wait for Redis is full (%zu)", max);
    if (in_memory(outbox) >= max)
        return give_up(outbox, why);
    outbox->events[(outbox->event_first + outbox->event_count++) % max] = event;
    return true;
}

static enum spool_result put_on_disk(struct outbox *outbox, const struct outbox_event *event,
                                     struct fault *fault)
{
    for (;;) {
        enum spool_result result = write_memory(outbox, fault);
        if (result == SPOOL_TAKEN)
            result = write_event(outbox, event, fault);
        if (result != SPOOL_FULL || !outbox->options.patient || outbox->away || waiting(outbox) == 0)
            return result;
        if (outbox->written > 0)
            commit(outbox); /* and look again: much may have happened meanwhile */
        else
            pthread_cond_wait(&outbox->room, &outbox->lock);
    }
}

/* Takes the event over if it returns true. */
static bool put_spooled(struct outbox *outbox, struct outbox_event *event)
{
    struct fault fault;
    switch (put_on_disk(outbox, event, &fault)) {
    case SPOOL_TAKEN:
        if (outbox->refused)
            outbox->options.say("the spool %s takes events again", outbox->options.spool_path);
        outbox->refused = false;
        free(event);
        if (++outbox->written >= COMMIT_EVENTS)
            commit(outbox);
        return true;
    case SPOOL_FULL:
        return give_up(outbox, fault.text);
    default:
        if (!outbox->refused)
            outbox->options.say("%s: events wait in memory until it takes them; make room there", fault.text);
        outbox->refused = true;
        outbox->health.spool_refused++;
        commit(outbox);
        return put_in_memory(outbox, event);
    }
}

bool outbox_put_event(struct outbox *outbox, const struct event *event)
{
    struct outbox_event *new = event_new(event, outbox->options.sensor);
    bool taken = false;
    pthread_mutex_lock(&outbox->lock);
    note_episode(outbox, event);
    if (new != NULL && outbox->spool != NULL &&spool_knows(outbox->spool, new->id, &outbox->handed)) {
        free(new);
        pthread_mutex_unlock(&outbox->lock);
        return true;
    }
    if (new != NULL) {
        new->number = outbox->number + 1;
        taken = outbox->spool != NULL ? put_spooled(outbox, new) : put_in_memory(outbox, new);
    }
    if (taken) {
        outbox->handed = ++outbox->number;
        outbox->full = false;
    } else {
        outbox->health.redis_dropped++;
        free(new);
    }
    pthread_mutex_unlock(&outbox->lock);
    pthread_cond_signal(&outbox->work);
    return taken;
}

void outbox_commit(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    commit(outbox);
    pthread_mutex_unlock(&outbox->lock);
}

uint64_t outbox_mark(const struct outbox *outbox)
{
    return outbox->handed;
}

int outbox_secure(struct outbox *outbox, struct fault *fault)
{
    int result = 0;
    if (outbox->spool == NULL)
        return 0;
    pthread_mutex_lock(&outbox->lock);
    if (write_memory(outbox, fault) != SPOOL_TAKEN)
        result = -1;
    if (outbox->unsure && outbox->written == 0 && spool_sync(outbox->spool, fault) == 0)
        outbox->unsure = false;
    commit(outbox);
    if (result == 0 && outbox->unsure)
        result = fault_set(fault, "the spool %s is not sure to be on disk", outbox->options.spool_path);
    pthread_mutex_unlock(&outbox->lock);
    return result;
}

void outbox_saved(struct outbox *outbox, uint64_t mark)
{
    if (outbox->spool != NULL)
        spool_forget(outbox->spool, mark);
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
    bool taken = wait_bin_room(outbox);
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
    struct fault unsaid;
    pthread_mutex_lock(&outbox->lock);
    if (outbox->spool != NULL)
        write_memory(outbox, &unsaid); /* the disk may have room by now */
    commit(outbox);
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
    size_t events = waiting(outbox);
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
    bool events =
        outbox->window_count + outbox->unread > 0 || (outbox->event_count > 0 && outbox->written == 0);
    return events || outbox->bin_count >= MANY_BINS ||
           (more && (outbox->closing || now_ns >= outbox->due_ns));
}

static bool is_over(const struct outbox *outbox, int64_t now_ns)
{
    bool empty = waiting(outbox) == 0 && outbox->bin_count == 0 && outbox->changed == 0;
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

/* The events that stand on disk. Where it can no longer be read, there are fewer than were written. */
static void read_spool(struct outbox *outbox)
{
    size_t lost = 0;
    while (outbox->window_count < WINDOW && outbox->unread > 0) {
        struct spool_event record;
        struct outbox_event *event;
        if (!spool_next(outbox->spool, &record)) {
            lost += outbox->unread;
            outbox->unread = 0;
            break;
        }
        outbox->unread--;
        event = event_of(record.id, record.payload, record.length);
        if (event != NULL) {
            event->number = record.number;
            event->read = event->safe = true;
            event->spool_bytes = record.bytes;
            outbox->window[outbox->window_count++] = event;
        }
        lost += event == NULL;
    }
    outbox->health.spool_lost += lost;
    if (lost > 0)
        outbox->options.say("the spool %s can no longer be read: %zu event%s for Redis lost",
                            outbox->options.spool_path, lost, lost == 1 ? "" : "s");
}

/* Nothing is with the reader: gives it what is next. */
static void fill_window(struct outbox *outbox)
{
    outbox->window_first = 0;
    read_spool(outbox);
    while (outbox->window_count < WINDOW && outbox->unread == 0 && outbox->written == 0 &&
           outbox->event_count > 0) {
        outbox->window[outbox->window_count++] = outbox->events[outbox->event_first];
        outbox->event_first = (outbox->event_first + 1) % outbox->options.events_max;
        outbox->event_count--;
    }
}

size_t outbox_events(struct outbox *outbox, const struct outbox_event **events, size_t max)
{
    pthread_mutex_lock(&outbox->lock);
    if (outbox->window_count == 0)
        fill_window(outbox);
    size_t count = outbox->window_count < max ? outbox->window_count : max;
    for (size_t i = 0; i < count; i++)
        events[i] = outbox->window[outbox->window_first + i];
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void outbox_events_sent(struct outbox *outbox, size_t count)
{
    uint64_t number = 0, bytes = 0;
    pthread_mutex_lock(&outbox->lock);
    outbox->health.redis_sent += count;
    for (size_t i = 0; i < count; i++) {
        struct outbox_event *event = outbox->window[outbox->window_first++];
        number = event->number;
        bytes += event->spool_bytes;
        free(event);
    }
    outbox->window_count -= count;
    pthread_mutex_unlock(&outbox->lock);
    if (outbox->spool != NULL && count > 0)
        spool_delivered(outbox->spool, number, bytes);
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
