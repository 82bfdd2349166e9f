/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of one outage of one scope: its onset, whether something comes back, and when it is over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "detect.h"
#include "event.h"
#include "tap.h"
#include "trend.h"

/* What had been seen and expected of the three populations at an instant: two of them tell what happened
 * between. */
struct episode_mark {
    double life, life_expected;
    double knock, knock_expected;
    struct trend trend;
    struct tap_mark tap;
    double surge; /* packets towards the scope of late, over what is usual */
};

enum episode_news {
    EPISODE_NOTHING,
    EPISODE_RETURNING,
    EPISODE_MORE_BACK,
    EPISODE_FELL_AGAIN,
    EPISODE_DEEPER,
    EPISODE_OVER
};

/* Plain data. */
struct episode {
    bool open;
    bool covered;         /* a wider scope's episode tells of it */
    uint64_t key;         /* names it in all its events */
    uint32_t sequence;    /* of its next event */
    uint64_t merged_into; /* the episode that took this one over, or 0 */
    char scope[80];       /* as the first event named it, or wider since */
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    double log_odds;
    double depth;
    double level;               /* how much of the expected was left when it opened */
    struct episode_mark before; /* at the last sign of life before the onset */
    int64_t review_ns;          /* when the cause is looked at again */
    enum verdict verdict;       /* as last told; VERDICT__COUNT: not yet … */
    uint32_t evidence;          /* … for these pieces of evidence, a bit each */

    bool returning;
    double return_odds;   /* logarithm: it is coming back, against still down with a remnant */
    int64_t return_ns;    /* the first sign of life of the present return or trickle; TIME_NONE: none */
    int64_t odds_rise_ns; /* when the return's odds last left zero */
    double return_seen;   /* signs of life from there until the return was certain … */
    double return_gap_s;  /* … and their mean distance */
    double recent_seen, recent_expected; /* over about the last thirty events expected */
    double share_at_last;                /* how far back it was at the last sign of life */
    int64_t steady_since_ns;             /* since when enough is back; TIME_NONE: not yet */
    int told_quarters;
    uint32_t flaps;
};

/* Opens an episode. `before` is what was counted when the last ordinary sign of life came. */
void episode_open(struct episode *episode, const char *scope, const struct change_found *onset,
                  double log_odds, const struct episode_mark *before, int64_t now_ns);

/* Follows an open episode by an interval in which `seen` signs of life came of `expected`, the first of them
 * at `first_ns`. `silence` is the score of the silence now under way, `hold_s` how long a return must last.
 */
enum episode_news episode_follow(struct episode *episode, double seen, double expected, int64_t first_ns,
                                 int64_t end_ns, double silence, double alarm, double hold_s);

/* How far back it is: 0 to 1. */
double episode_recovered(const struct episode *episode);

/* A name for an episode from its scope and first onset: FNV-1a, 64 bits. */
uint64_t episode_key(const char *scope, int64_t onset_ns);
