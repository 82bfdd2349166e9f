/* SPDX-License-Identifier: BSD-3-Clause */
/* The present state of everything, gathered from bins, events and steps: what the page and the metrics tell.
 * A value: whoever shares it between threads locks it and copies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin_text.h"
#include "picture.h"
#include "sink.h"

/* One scope; all but `scope` says nothing until there was a bin. */
struct status_scope {
    struct scope scope;
    uint64_t bins;
    struct bin last;
    int64_t since_ns;             /* the first bin of the present state */
    uint64_t total[TALLY__COUNT]; /* over all bins, … */
    uint64_t known;               /* … of what was known in any: TALLY_BIT(…) */
};

struct status {
    const struct publish_options *options; /* borrowed */
    struct status_scope *scope;
    uint32_t scope_count;
    struct bin_interfaces interfaces; /* of a live tap, borrowed */
    uint64_t lost[TALLY_INTERFACES];  /* what each of them lost, over all bins in which that was known */
    struct event *open;               /* of each open episode the last event */
    size_t open_count;
    uint64_t events[EVENT__COUNT]; /* told so far */
    struct health health;
    struct levels levels;
    int64_t data_ns;        /* data time reached; TIME_NONE: no step yet */
    double stepped_s;       /* the wall clock, in seconds since the epoch, when it was */
    uint64_t changes;       /* grows with every change */
    struct picture picture; /* of the latest bins */
};

/* Borrows the options and the interfaces, copies the scopes. 0, or -1 when there is no memory. */
int status_init(struct status *status, const struct publish_options *options,
                const struct scope_list *scopes);
void status_clear(struct status *status);

/* Makes `copy`, which was initialised or copied before, the same as `status`. 0, or -1 when there is no
 * memory, and then `copy` is what it was. */
int status_copy(struct status *copy, const struct status *status);

/* From here on there are other scopes: those that stay keep what is held of them. 0, or -1 as above. */
int status_scopes(struct status *status, const struct scope_list *scopes);
void status_bin(struct status *status, const struct bin *bin);
int status_event(struct status *status, const struct event *event);
void status_step(struct status *status, int64_t data_ns, double wall_s, const struct health *health,
                 const struct levels *levels);

/* The last event of a scope's open episode, or NULL. */
const struct event *status_open(const struct status *status, const char *scope);

/* Whether the sensor itself does not see, so that nothing is said of the watch list. */
bool status_blind(const struct status *status);

/* Whether somebody has to end the program and start it again. Live the reader closes steps whatever comes on
 * the wire; a replay waits for its input, or for its turn, as long as it takes. Publishing must go on in
 * both. */
struct status_life {
    bool stuck;
    double step_age_s; /* since the reader closed a step; negative: it has not yet */
    char why[128];     /* one sentence; "" unless stuck */
};

/* Judges at an instant of the pulse's clock, for a program that has been at it since `started_ns`. */
struct status_life status_life(const struct publish_options *options, const struct pulse *pulse,
                               int64_t started_ns, int64_t now_ns);
