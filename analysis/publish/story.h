/* SPDX-License-Identifier: BSD-3-Clause */
/* What the summary and the report tell of a run, gathered from its events and bins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "scope.h"

/* So many episodes and gaps are told, the first. */
enum { STORY_MOST = 1 << 14 };

/* One episode, as its last event left it. */
struct story_episode {
    uint64_t episode;
    bool sensor;              /* of the sensor, not of the watch list */
    enum event_action action; /* of the last event */
    char scope[SCOPE_TEXT_MAX];
    bool control;
    enum signal signal;
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: not ended */
    double depth, expected_rate, observed_rate;
    double delay_s; /* of the first event: when it was told */
    enum verdict verdict;
    double confidence;
    uint32_t flaps;
    double level_accepted; /* of an ended one: the share of the former level that is normal now; 0: it came
                              back */
    struct story_parts {
        uint32_t down, known; /* the most that were down at a time, of how many */
    } prefixes, paths, services;
};

/* One scope over the run. */
struct story_scope {
    uint64_t bins;
    struct bin last;                   /* valid when bins > 0 */
    double observed, observed_minutes; /* of the signal, where known */
    double expected, expected_minutes;
    double expected_hour[24], minutes_hour[24]; /* the same by hour of the day, UTC */
    double packets_in, minutes;                 /* of the tap: what is not watched; of all bins */
    double state_minutes[STATE__COUNT];
};

/* A stretch of which nothing is known: no row tells of it. */
struct story_gap {
    int64_t from_ns, to_ns;
};

struct story {
    const struct scope_list *scopes;
    struct story_scope *scope; /* as many as there are scopes */
    struct story_episode *episodes;
    size_t episode_count, episode_room;
    struct story_gap *gaps;
    size_t gap_count, gap_room;
    int64_t start_ns, end_ns; /* of what was watched; TIME_NONE: nothing was */
    uint64_t watched_packets; /* in and out, of `all` */
    bool cut_short;           /* there were more episodes or gaps than there is room for */
    bool short_of_memory;     /* and that was why */
};

/* Borrows the scopes. 0, or -1 when there is no memory. */
int story_init(struct story *story, const struct scope_list *scopes);
void story_clear(struct story *story);

/* From here on there are other scopes, borrowed instead: what is gone is told no more. 0, or -1 when there is
 * no memory. */
int story_scopes(struct story *story, const struct scope_list *scopes);

void story_event(struct story *story, const struct event *event);
void story_bin(struct story *story, const struct bin *bin);

/* How many episodes are told, of the sensor or of the watch list. */
size_t story_count(const struct story *story, bool sensor);

/* What is expected of a scope a minute, over the run; negative when it never became known. The lowest and
 * highest hour of the day go to `low` and `high`. */
double story_expected(const struct story_scope *scope, double *low, double *high);

/* What was observed of it a minute; negative when unknown. */
double story_observed(const struct story_scope *scope);

/* The outage that matters most: the widest, of those the deepest; NULL when there was none. */
const struct story_episode *story_gravest(const struct story *story);

/* A sentence that answers whether, since when and how deep, and another where the sensor did not see it all.
 */
enum { STORY_ANSWER_MAX = 512 };
void story_answer(const struct story *story, char text[STORY_ANSWER_MAX]);
