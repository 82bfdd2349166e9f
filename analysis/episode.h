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
    double whole, whole_expected; /* of `all`, by the scope's witness */
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

enum { EPISODE_SILENT = -1 };

/* Plain data. What is seen and expected is counted in clusters. */
struct episode {
    bool open;
    bool covered;         /* a wider scope's episode tells of it */
    uint64_t key;         /* names it in all its events */
    uint32_t sequence;    /* of its next event */
    uint64_t merged_into; /* the episode that took this one over, or 0 */
    char scope[80];       /* as the first event named it, or wider since */
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: not known yet */
    double level_accepted; /* the share of the former level that is normal now; 0: it is not */
    double log_odds;
    double depth;
    struct episode_mark before; /* at the last sign of life before the onset */
    int64_t opened_ns;
    int thin;                           /* the test that opened it: a level of thinness, or EPISODE_SILENT */
    int64_t review_ns;                  /* when the cause is looked at again */
    enum verdict verdict;               /* as last told; VERDICT__COUNT: not yet … */
    uint32_t evidence;                  /* … for these pieces of evidence, a bit each … */
    double probability[VERDICT__COUNT]; /* … and how likely each was then */
    int64_t closed_ns;                  /* when its end was told */

    double down_seen, down_expected;            /* while nothing was coming back … */
    double climb_seen, climb_expected;          /* … and since the odds of a return last left zero */
    double lost_odds, lost_seen, lost_expected; /* of having lost most of what was left, and since when */

    bool returning;
    double return_odds;   /* logarithm: it is coming back, against still down with a remnant */
    int64_t return_ns;    /* the first sign of life of the present return or trickle; TIME_NONE: none */
    int64_t odds_rise_ns; /* when the return's odds last left zero */
    int64_t down_ns;      /* since when it was surely down: its onset, or when it fell again */
    int64_t held_ns;      /* when the present return was last certain */
    double recent_seen, recent_expected; /* over about the last thirty expected */
    double share_at_last;                /* how far back it was at the last sign of life … */
    double share_most;                   /* … and at the most, in the present return */
    int64_t steady_since_ns;             /* since when enough is back; TIME_NONE: not yet */
    int told_quarters;
    uint32_t flaps;
};

/* An interval of an open episode: the clusters that began in it of those expected, the first sign of life if
 * any, and the score of the silence under way at its end. */
struct episode_step {
    double seen, expected;
    int64_t first_ns, end_ns;
    double silence;
};

/* Opens an episode. `before` is what was counted when the last ordinary sign of life came. */
void episode_open(struct episode *episode, const char *scope, const struct change_found *onset,
                  double log_odds, const struct episode_mark *before, int64_t now_ns);

/* Follows an open episode by an interval. `alarm` is the score of a silence that raises one, `hold_s` how
 * long a return must last. */
enum episode_news episode_follow(struct episode *episode, const struct episode_step *step, double alarm,
                                 double hold_s);

/* What share of the expected is left while it is down. */
double episode_level(const struct episode *episode);

/* How far back it is: 0 to 1. */
double episode_recovered(const struct episode *episode);

/* The instant that a return seems to have begun; TIME_NONE: nothing seems to come back. */
int64_t episode_turn_ns(const struct episode *episode);

/* Sets the end, no earlier than the onset. */
void episode_end(struct episode *episode, const struct change_found *end);

/* A name for an episode from its scope and first onset: FNV-1a, 64 bits. */
uint64_t episode_key(const char *scope, int64_t onset_ns);
