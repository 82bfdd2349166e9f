/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits for Redis, bounded: events in order until they are acknowledged, bins, and the latest state of
 * each scope. Bins and states wait in memory; events on disk where there is a spool, and in memory where
 * there is none or the disk takes nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin_text.h"
#include "event_text.h"
#include "fault.h"
#include "health.h"
#include "spool.h"

struct outbox;

struct outbox_event {
    char id[EVENT_ID_MAX];
    const char *action, *scope, *json; /* within `text` */
    int severity;

    /* of no use to the reader */
    uint64_t number;
    bool read, safe;      /* it comes from the spool; it is there */
    uint32_t spool_bytes; /* that it takes there */
    uint32_t length;
    char text[];
};

struct outbox_options {
    const char *sensor;
    size_t events_max, bins_max; /* in memory */
    bool patient;                /* a writer that finds no room waits, as long as Redis takes things */
    double drain_s;
    const char *spool_path; /* NULL: there is none */
    uint64_t spool_bytes_max;
    uint64_t told; /* what outbox_mark had said when the checkpoint was taken that is gone on from; or
                      SPOOL_ALL_TOLD: there are no checkpoints */
    void (*say)(const char *format, ...)
        __attribute__((format(printf, 1, 2))); /* what becomes of the spool */
};

/* A bin, and what it is of. */
struct outbox_bin {
    struct bin bin;
    struct scope scope;
};

/* Borrows the texts of the options, copies the scopes. NULL with the fault when there is no memory or the
 * spool cannot be used. */
struct outbox *outbox_new(const struct outbox_options *options, const struct scope_list *scopes,
                          struct fault *fault);
void outbox_free(struct outbox *outbox);

/* The writer's side, one thread. False: there was no room (or memory), and the value is lost and counted.
 * Redis being away keeps nobody waiting. An event that the spool knows from an earlier run is not taken
 * twice. With a spool the reader gets events when they are on disk: many at a time, at the latest with
 * outbox_commit. */
bool outbox_put_event(struct outbox *outbox, const struct event *event);
void outbox_commit(struct outbox *outbox);

/* For a checkpoint: how far events were handed over; whether all of them are on disk or delivered (0, or -1
 * with the fault); and that one is on disk which has those up to `mark` behind it. */
uint64_t outbox_mark(const struct outbox *outbox);
int outbox_secure(struct outbox *outbox, struct fault *fault);
void outbox_saved(struct outbox *outbox, uint64_t mark);

bool outbox_put_bin(struct outbox *outbox, const struct bin *bin);

/* From the next bin on the scopes are others: those that stay keep their state, all states are due again.
 * False: no memory, and nothing was changed. */
bool outbox_scopes(struct outbox *outbox, const struct scope_list *scopes);

/* There will be no more: what is there may be delivered for `drain_s`. With `at_once`, not even that. */
void outbox_close(struct outbox *outbox, bool at_once);

/* The counters redis_sent, redis_dropped, queue_dropped and those of the spool; how many wait; whether
 * closing has begun. */
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
