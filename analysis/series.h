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
