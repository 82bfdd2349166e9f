/* SPDX-License-Identifier: BSD-3-Clause */
/* What report and live page draw: every scope's bins in a bounded number of points, the hosts that spoke, and
 * the episodes. A value: whoever shares it between threads locks it and copies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "event.h"
#include "hosts.h"
#include "scope.h"

/* How it stays within bounds when time goes on. */
enum picture_manner {
    PICTURE_WHOLE, /* from the first bin to the last: when the points are used up, each two become one */
    PICTURE_LATEST /* the last PICTURE_LATEST_BINS: the oldest go */
};

enum {
    PICTURE_LATEST_BINS = 1440,
    PICTURE_EPISODES = 256, /* told; the oldest go */
    PICTURE_HOSTS = 2048,   /* told apart; the others are counted */
    PICTURE_SLOTS = 720     /* columns of the picture of hosts */
};

/* The bins of a scope in one stretch of time, as sums where it does not say otherwise; all zero: nothing was
 * measured. */
struct picture_point {
    float seconds;              /* watched */
    float observed, observed_s; /* of the signal, and in how long a time it was known */
    float expected, low, high, expected_s;
    float least, most;  /* rates a minute of single bins; valid where observed_s > 0 */
    float in, out;      /* packets; NAN: not known */
    float hosts;        /* likewise */
    float detectable_s; /* the longest; negative: not known in any */
    uint16_t bins;
    uint8_t state; /* the gravest */
};

/* Points of `width` bins each, without a gap, from the `first`th such stretch since the epoch on. */
struct picture_track {
    int64_t first;
    uint32_t width, count, room, most;
    struct picture_point *point;
};

struct picture_episode {
    uint64_t episode;
    bool sensor;
    char scope[SCOPE_TEXT_MAX];
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: not ended */
    double depth;
};

/* A watched address, and in how many bins of each slot it spoke. */
struct picture_host {
    uint8_t address[16];
    uint64_t bins;
    uint16_t slot[PICTURE_SLOTS];
};

struct picture {
    enum picture_manner manner;
    int64_t bin_ns;
    uint32_t scope_count;
    struct scope *scope;
    struct picture_track *track; /* as many */
    enum signal signal;          /* of `all`, lately */
    int64_t start_ns, end_ns;    /* of what was watched; TIME_NONE: nothing was */
    uint32_t episode_count;
    struct picture_episode episode[PICTURE_EPISODES];
    struct picture_host *host; /* by address */
    uint32_t host_count, host_room;
    uint64_t hosts_untold; /* times that another one spoke in a bin */
    uint32_t slot_width;   /* bins a slot; 0: nothing is known of hosts */
    int64_t slot_first;    /* the number of the first slot since the epoch */
    bool short_of_memory;  /* something is not shown */
};

/* Copies the scopes. 0, or -1 when there is no memory. */
int picture_init(struct picture *picture, enum picture_manner manner, int64_t bin_ns,
                 const struct scope_list *scopes);
void picture_clear(struct picture *picture);

/* Makes `copy`, which was initialised or copied before, the same as `picture`. 0, or -1 when there is no
 * memory, and then `copy` is what it was. */
int picture_copy(struct picture *copy, const struct picture *picture);

/* From here on there are other scopes: those that stay keep what is held of them. 0, or -1 as above. */
int picture_scopes(struct picture *picture, const struct scope_list *scopes);

/* What finds no memory is not shown. */
void picture_bin(struct picture *picture, const struct bin *bin);
void picture_event(struct picture *picture, const struct event *event);

void picture_hosts(struct picture *picture, const struct hosts *hosts);

/* So many points of a track from one on, as one. */
struct picture_point picture_merged(const struct picture_track *track, uint32_t from, uint32_t count);

/* As a JSON object for the pages' script (page.js knows its form), fit to stand within a script element. The
 * offset is that of the watched side's clock from UTC, in minutes; 0: UTC is told alone. There must have been
 * a bin of `all`. */
void picture_write(const struct picture *picture, int32_t offset_min, FILE *out);
