/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the fused view: closed bins of several sensors in, bins and events of all of them together out.
 * No clock, file, socket or log behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "scope.h"

struct fuse;

struct fuse_options {
    int64_t bin_ns;      /* a window: as long as the sensors' bins */
    int64_t lateness_ns; /* how far a sensor may stay behind the others before they are judged without it */
    double recovery_hold_s; /* how long a return waits for those sensors that do not see it yet */
};

/* Where the results go, in the order of data time, with values that are only valid during the call. `scopes`
 * comes before the first bin that speaks of other scopes than before; bins number them as the list does. */
struct fuse_output {
    void *context;
    void (*scopes)(void *context, const struct scope_list *scopes);
    void (*bin)(void *context, const struct bin *bin);
    void (*event)(void *context, const struct event *event);
};

/* A sensor's name is also that of its path, and stands in events. */
enum { FUSE_NAME_MAX = 56 };

struct fuse_row {
    char sensor[FUSE_NAME_MAX];
    struct scope scope;
    struct bin bin;
};

/* What became of a row. */
enum fuse_taken {
    FUSE_TAKEN,
    FUSE_LATE,     /* its window was judged without it, or will be */
    FUSE_FULL,     /* so many rows wait for their windows that it is judged without this one */
    FUSE_UNLIKE,   /* the sensor's bins are not as long as the windows: it is left out */
    FUSE_NO_MEMORY /* or more sensors or scopes than can be told apart */
};

/* Copies the options. NULL: no memory. */
struct fuse *fuse_new(const struct fuse_options *options, const struct fuse_output *output);
void fuse_free(struct fuse *fuse); /* NULL is well */

/* Takes a sensor's bin of one scope. Rows come in the order in which they arrived, by one clock that need not
 * be that of the data; of one sensor in data-time order, `tap` last in every bin. A window closes when every
 * sensor that is still heard has delivered it, or most are past it by the lateness; one is heard for a bin
 * and the lateness after its last row. So the same rows with the same arrivals say the same, whoever takes
 * them when. */
enum fuse_taken fuse_take(struct fuse *fuse, const struct fuse_row *row, int64_t arrived_ns);

/* Says that all that arrived up to this instant was taken. */
void fuse_advance(struct fuse *fuse, int64_t arrived_ns);

/* How far it has come: all before this instant of arrival was taken, all before this one of data time judged;
 * TIME_NONE: nothing yet. */
int64_t fuse_arrived_ns(const struct fuse *fuse);
int64_t fuse_data_ns(const struct fuse *fuse);

/* All that it knows as bytes: `fuse_save` returns the size needed and writes only where `room` is enough.
 * `fuse_load` puts a view just made where the saved one stood: 0, or -1 with the reason in `why`, when it was
 * saved by another version, with other options, or there is no memory, and then it must be freed. */
size_t fuse_save(const struct fuse *fuse, uint8_t *bytes, size_t room);
int fuse_load(struct fuse *fuse, const uint8_t *bytes, size_t length, const char **why);
