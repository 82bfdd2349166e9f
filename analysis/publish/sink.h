/* SPDX-License-Identifier: BSD-3-Clause */
/* The row that each sink fills: one way of telling events, bins and flows. Adding a sink is a file and a row
 * in publish.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "publish.h"

/* What tells whether the work goes on; instants of a clock that only goes forward (CLOCK_MONOTONIC). Read
 * from any thread. */
struct pulse {
    _Atomic int64_t step_ns; /* when the reader last closed a step; TIME_NONE: it has not closed any */
    _Atomic int64_t item_ns; /* when the publishing thread began with what it is at; TIME_NONE: it waits */
};

/* What goes up and down, beside the counters that only grow. */
struct levels {
    size_t queue_bytes; /* that wait to be published, of … */
    size_t queue_room_bytes;
    bool redis;              /* there is one, … */
    bool redis_up;           /* it took what it was sent last, … */
    unsigned redis_troubles; /* a bit for each of redis_link.h that is under way */
    size_t redis_events;     /* so many wait for it */
    size_t redis_bins;
};

/* What does not apply is NULL. All calls but `open`, `finish` and `close` come from the publishing thread.
 * Where a fault can be filled, -1 means that what was handed over is lost; the others carry on, and so does
 * this sink. */
struct sink {
    const char *name;

    /* Whether the options ask for this sink at all. */
    bool (*wanted)(const struct publish_options *options);

    /* Returns the sink's own state, or NULL with the fault. Both arguments are borrowed until `close`. */
    void *(*open)(const struct publish_options *options, const struct scope_list *scopes,
                  struct fault *fault);

    /* From here on bins and flows speak of these scopes instead, borrowed until `close` or the next call. -1:
     * there was no memory, and what is told is of no use from here on. */
    int (*scopes)(void *state, const struct scope_list *scopes, struct fault *fault);

    int (*event)(void *state, const struct event *event, struct fault *fault);
    int (*bin)(void *state, const struct bin *bin, struct fault *fault);
    int (*flow)(void *state, const struct flow_record *record, struct fault *fault);
    int (*hosts)(void *state, const struct hosts *hosts,
                 struct fault *fault); /* so many as it says, no more */

    /* Nothing more waits at the moment: what is buffered goes out. */
    int (*flush)(void *state, struct fault *fault);

    /* For a checkpoint: how long the output is with everything handed over so far; whether that is where no
     * crash reaches it; and that a checkpoint with such a mark is on disk. */
    uint64_t (*mark)(const void *state);
    int (*secure)(void *state, struct fault *fault);
    void (*saved)(void *state, uint64_t mark);

    /* The last of some events that came together was handed over. */
    void (*commit)(void *state);

    /* Adds the sink's own counters to the sum, and its levels. Called from any thread. */
    void (*count)(void *state, struct health *sum);
    void (*level)(void *state, struct levels *levels);

    /* When all are open, for what has a life of its own: `open` starts no thread. The pulse is borrowed until
     * `close`. */
    int (*start)(void *state, const struct pulse *pulse, struct fault *fault);

    /* The reader has closed a step: data time reached, counters and levels of the whole program. */
    void (*step)(void *state, int64_t data_ns, const struct health *health, const struct levels *levels);

    /* The counters of the whole program as they are now. */
    void (*health)(void *state, const struct health *health);

    /* There will be no more: delivers, writes the end. In the order of the table. */
    int (*finish)(void *state, struct fault *fault);

    /* Frees, and says nothing: `finish` may not have been called. */
    void (*close)(void *state);
};

/* How far the resumed run had written this sink's output; -1 on a fresh start. */
int64_t sink_resume(const struct publish_options *options, const char *sink);

extern const struct sink sink_http, sink_redis, sink_ndjson, sink_bins_csv, sink_flows_ndjson, sink_summary,
    sink_html;

/* The one place of the letterbox that speaks to the operator: a line on standard error, "lightsout: …", of
 * what is good to know, or of what somebody should look at. */
__attribute__((format(printf, 1, 2))) void publish_say(const char *format, ...);
__attribute__((format(printf, 1, 2))) void publish_warn(const char *format, ...);
