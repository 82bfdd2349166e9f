/* SPDX-License-Identifier: BSD-3-Clause */
/* All that the study holds of one scope. Private to analysis. */
#pragma once

#include "analysis.h"
#include "cause.h"
#include "change.h"
#include "detect.h"
#include "episode.h"
#include "mirror.h"
#include "past.h"
#include "tap.h"
#include "thinness.h"

/* What speaks for the life of a scope, each with more weight than the one before. */
enum witness {
    WITNESS_ACKED,    /* flows in which the outside acknowledges: where nothing of the watched side is seen */
    WITNESS_LIVE,     /* live flows, or packets out where flows are not known */
    WITNESS_ANSWERED, /* answered flows */
    WITNESS_PROVEN,   /* proven flows, which are not forged from off the path */
    WITNESS__COUNT
};

/* What an interval brought: signs of life, and of events those that came, those that should have, and how
 * many of these may be counted on. */
struct step {
    double signs, seen, expected, prudent;
};

/* Plain data. The tap's own series uses only the bin. */
struct series {
    struct population life[WITNESS__COUNT];
    struct step step[WITNESS__COUNT]; /* of the interval just taken */
    struct population knock;          /* what is said to the scope */
    bool live_is_packets;
    struct thinness thinness; /* of the one that is judged */
    bool thin_doubt;          /* it is half way to an alarm: what comes now teaches nothing */
    int64_t moved_ns; /* the last sign of life of a path before all of it came another way; TIME_NONE: none */
    struct change change;               /* its recent past */
    struct calibrate_clusters clusters; /* how its events cluster … */
    int64_t clusters_until_ns;          /* … looked up again from here */
    enum signal signal;                 /* the measure that is told … */
    enum witness witness;               /* … and who is judged for it */
    double told_signs, proofs;          /* of that measure, and proven events, in ordinary bins of late */
    enum scope_state state;
    enum learning learning; /* why, in that state */
    struct alarm_rate alarms;

    struct episode_mark so_far, at_last_life;
    double step_s;               /* length of the interval just taken, in seconds */
    double step_clusters;        /* the clusters that began in it */
    double detectable_s;         /* the shortest outage to be noticed; negative: none … */
    int64_t detectable_until_ns; /* … looked up again from here */
    struct past past;            /* how everything went in the last hour … */
    struct past late;            /* … and more densely of late, of `all` */
    struct mirror_use use;       /* by which legs */
    double hosts_usual;          /* watched addresses in an ordinary bin; negative: not known yet */

    struct episode episode;
    int64_t level_from_ns;             /* since when its level is steady, while an outage is open … */
    double level_life, level_expected; /* … and what had been seen and expected until then */
    struct tally_reporter reporter[TALLY_REPORTERS]; /* of errors since the last sign of life, or the onset */
    struct cause_facts facts;                        /* of its cause */
    int64_t returned_ns; /* when it came back during a wider scope's recovery; TIME_NONE: not */

    struct tally bin; /* the steps of the bin under way, added up */
    double bin_expected;
};

struct analysis {
    struct analysis_options options;
    const struct scope_list *scopes;
    struct analysis_output output;
    struct tap tap;
    struct tally tap_now; /* the interval under way */
    struct mirror mirror;
    int64_t bin_start_ns;   /* TIME_NONE: none under way */
    int64_t end_ns;         /* of the last interval */
    double alarms_per_year; /* for each scope alone */
    struct series series[];
};

/* The measure of the population in which a scope is judged. */
static inline enum tally_measure series_measure(const struct series *series)
{
    return series->witness == WITNESS_PROVEN     ? TALLY_proven_flows
           : series->witness == WITNESS_ANSWERED ? TALLY_answered_flows
           : series->witness == WITNESS_ACKED    ? TALLY_acked_flows
           : series->live_is_packets             ? TALLY_packets_out
                                                 : TALLY_live_flows;
}

/* The population in which a scope is judged. */
static inline struct population *series_life(struct series *series)
{
    return &series->life[series->witness];
}

/* Whether much more of what is judged comes than ever. */
static inline bool series_in_surge(const struct series *series)
{
    return surge_is_on(&series->life[series->witness].surge);
}

/* How many signs of the measure that is told come with an event of the population that is judged. */
static inline double series_signs_per_event(struct series *series)
{
    if (series->witness == WITNESS_PROVEN && series->proofs > 0)
        return series->told_signs / series->proofs;
    return detect_signs_per_event(series_life(series));
}

/* What the interval brought to the population that is judged. */
static inline const struct step *series_step(const struct series *series)
{
    return &series->step[series->witness];
}

void series_init(struct analysis *analysis, uint32_t number);

/* Takes an interval of a scope; `proven`: other traffic shows that the sensor saw. */
void series_take(struct analysis *analysis, uint32_t number, const struct tally *tally, bool proven);

/* What lay before was not watched. */
void series_watch_anew(struct series *series, int64_t at_ns);

/* So much of what was normal is normal from now on. */
void series_rescale(struct series *series, double level);

/* The shortest outage to be noticed now in seconds, negative: none; looked up anew every ten minutes: it
 * takes a walk through the week ahead. */
double series_shortest(const struct analysis *analysis, struct series *series, struct population *life);

/* The first and the last sign of life of an interval, TIME_NONE: none; and the first, or where it began. */
struct tally_span series_span(const struct series *series, const struct tally *tally);
int64_t series_first_life(const struct series *series, const struct tally *tally);

/* Opens a bin; closes the one under way, if there is one, and gives it to the output. */
void bins_open(struct analysis *analysis, int64_t start_ns);
void bins_close(struct analysis *analysis);

/* Takes what an interval says of the sensor: the tap, its legs, the length of frames; tells what has changed.
 */
void sight_take(struct analysis *analysis, const struct tally *tallies);

/* Whether a scope is not seen in this interval, because the sensor is blind, a leg that carries it lost, or
 * what tells it cut off. */
bool sight_misses(struct analysis *analysis, uint32_t number, const struct tally *tally);

/* Whether a silence must not be told as an outage: the sensor is to blame, other traffic having collapsed too
 * or fallen by a good part since a mark, or it may be and a little more traffic will show. */
bool sight_doubts(struct analysis *analysis, struct series *series, const struct episode_mark *before);

/* Whether the mirror has begun to leave packets out: then the sensor is blind. */
void sight_judge_sampling(struct analysis *analysis);

enum wider { WIDER_UP, WIDER_IN_DOUBT, WIDER_DOWN };

/* How much a scope of a kind holds: the greater, the wider. */
int wider_width(enum scope_kind kind);

/* Whether a scope is so silent that narrower ones wait for it. */
bool wider_in_doubt(struct series *series);

/* What the wider scopes say of a narrow one's silence: nothing, wait, or that it is part of theirs. */
enum wider wider_ask(struct analysis *analysis, uint32_t number);

/* Whether the outage of a narrow scope is part of a wide one's. */
bool wider_holds(struct analysis *analysis, uint32_t number, uint32_t wide_number);

/* Judges the scopes, the widest first. */
void judge_all(struct analysis *analysis, const struct tally *tallies);

/* Opens an outage, with the score of its alarm: EPISODE_SILENT or the level of thinness that told it, what
 * was before it, and whether a wider one covers it. */
void outage_open(struct analysis *analysis, uint32_t number, const struct change_found *onset,
                 double log_odds, int thin, const struct episode_mark *before, bool covered);

/* Follows one that is open; `first_ns`: the first sign of life in the interval. */
void outage_follow(struct analysis *analysis, uint32_t number, int64_t first_ns);

/* During the return of `all`, when each scope under it came back: its first sign of life since the first of
 * all. */
void outage_note_returns(struct analysis *analysis, const struct tally *tallies);

/* Compares, in a bin that has ended, the measure that is told with proven life. */
void witness_compare(struct series *series);

/* Chooses who is judged for a series and which measure is told, as far as was learned. It changes only while
 * there is no doubt of the scope: that is no reason for an alarm, nor for missing one. */
void witness_choose(const struct analysis *analysis, struct series *series);

/* Notes in `so_far` what the series' witness has seen and expected, of the scope and of `all`. */
void witness_mark(const struct analysis *analysis, struct series *series);

enum road { ROAD_LOST, ROAD_IN_DOUBT, ROAD_MOVED };

/* Whether a path that misses what an alarm of this score needs, since a mark, has lost it, or it came another
 * way. What lies between the mark and the change dilutes the answer. A path that is not known by its link
 * cannot be left, and what is no path neither. */
enum road road_ask(struct analysis *analysis, uint32_t number, const struct episode_mark *from, double score);

/* Leaves a path: it is not judged before something crosses it again; where `left` of it stays, that share is
 * normal from now on. */
void road_leave(struct analysis *analysis, uint32_t number, double left);

/* Whether a path was left and still is. */
bool road_is_left(struct analysis *analysis, uint32_t number);

/* Reads the circumstances of a series' open outage (facts.c); the event's parts are filled. */
struct cause_facts facts_gather(const struct analysis *analysis, uint32_t number, const struct event *event);

/* Fills an event about the series' episode, with its parts, and gives it to the output (tell.c). */
void tell_outage(struct analysis *analysis, uint32_t number, enum event_action action);

/* Weighs the cause anew, and tells of it when the verdict is another than the one told last. */
void tell_changed_cause(struct analysis *analysis, uint32_t number);

/* The same for the sensor itself, and for one leg of it. */
void tell_sensor(struct analysis *analysis, enum event_action action);
void tell_leg(struct analysis *analysis, uint32_t number, enum event_action action);

/* The same where frames are cut shorter than before. */
void tell_snaplen(struct analysis *analysis, enum event_action action);
