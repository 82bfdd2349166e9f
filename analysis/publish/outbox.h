/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits for Redis, bounded: events in order until they are acknowledged, bins, and the latest state of
 * each scope. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin_text.h"
#include "event_text.h"
#include "health.h"

struct outbox;

struct outbox_event {
    char id[EVENT_ID_MAX];
    const char *action; /* a constant */
    char scope[SCOPE_TEXT_MAX];
    int severity;
    char *json;
};

struct outbox_options {
    const char *sensor;
    size_t events_max, bins_max;
    bool patient; /* a writer that finds no room waits, as long as Redis takes things */
    double drain_s;
};

/* A bin, and what it is of. */
struct outbox_bin {
    struct bin bin;
    struct scope scope;
};

/* Borrows the sensor's name, copies the scopes. NULL when there is no memory. */
struct outbox *outbox_new(const struct outbox_options *options, const struct scope_list *scopes);
void outbox_free(struct outbox *outbox);

/* The writer's side. False: there was no room (or memory), and the value is lost and counted. Redis being
 * away keeps nobody waiting. */
bool outbox_put_event(struct outbox *outbox, const struct event *event);
bool outbox_put_bin(struct outbox *outbox, const struct bin *bin);

/* From the next bin on the scopes are others: those that stay keep their state, all states are due again.
 * False: no memory, and nothing was changed. */
bool outbox_scopes(struct outbox *outbox, const struct scope_list *scopes);

/* There will be no more: what is there may be delivered for `drain_s`. With `at_once`, not even that. */
void outbox_close(struct outbox *outbox, bool at_once);

/* The counters redis_sent, redis_dropped and queue_dropped; how many wait; whether closing has
 * begun. */
void outbox_count(struct outbox *outbox, struct health *sum);
size_t outbox_waiting(struct outbox *outbox, size_t *bins);
bool outbox_closing(struct outbox *outbox);

/* Now, in nanoseconds of a clock that only goes forward. */
int64_t outbox_now(void);

/* The reader's side, one thread. Waits until `until_ns`; when `eager`, no longer than until an event, many
 * bins or a state that is due is there. Returns false when it is over: closing, and all is delivered or the
 * time is up. */
bool outbox_wait(struct outbox *outbox, int64_t until_ns, bool eager);

/* The oldest events, up to `max`, borrowed until they are taken away. */
size_t outbox_events(struct outbox *outbox, const struct outbox_event **events, size_t max);
void outbox_events_sent(struct outbox *outbox, size_t count);

/* Copies of the oldest bins, up to `max`. */
size_t outbox_bins(struct outbox *outbox, struct outbox_bin *bins, size_t max);
void outbox_bins_sent(struct outbox *outbox, size_t count);

/* Writes name and state of the next scope at or after `*next` that has changed, if states are due; `*next`
 * moves behind it. False: there is none. When sending failed, `outbox_states_again` brings all of them once
 * more. */
bool outbox_state(struct outbox *outbox, uint32_t *next, char name[SCOPE_TEXT_MAX], char json[BIN_JSON_MAX]);

/* Whether the scopes have become others since this was asked last: some may be no more. */
bool outbox_renewed(struct outbox *outbox);
void outbox_states_again(struct outbox *outbox);

/* Data time reached: the end of the last bin; TIME_NONE before the first. */
int64_t outbox_data_time(struct outbox *outbox);

/* Tells the writer whether it is worth waiting. */
void outbox_set_away(struct outbox *outbox, bool away);
bool outbox_up(struct outbox *outbox); /* Redis took what it was sent last; false until it first did */
