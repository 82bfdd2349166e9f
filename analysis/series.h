/* SPDX-License-Identifier: BSD-3-Clause */
/* All that the study holds of one scope. Private to analysis. */
#pragma once

#include "analysis.h"
#include "cause.h"
#include "change.h"
#include "detect.h"
#include "episode.h"
#include "past.h"
#include "tap.h"
#include "thinness.h"

/* Plain data. The tap's own series uses only the bin. */
struct series {
    struct population answered; /* answered flows */
    struct population live;     /* live flows, or packets out where flows are not known */
    struct population knock;    /* flow starts: what is said to the scope, mostly */
    bool live_is_packets;
    struct thinness thinness;           /* of the one that is judged */
    bool thin_doubt;                    /* it is half way to an alarm: what comes now teaches nothing */
    struct change change;               /* its recent past */
    struct calibrate_clusters clusters; /* how its events cluster … */
    int64_t clusters_until_ns;          /* … looked up again from here */
    enum signal signal;                 /* which of the first two is judged */
    enum scope_state state;
    enum learning learning; /* why, in that state */
    struct alarm_rate alarms;

    struct episode_mark so_far, at_last_life;
    double step_s;                   /* length of the interval just taken, in seconds */
    double step_signs;               /* of life in it, … */
    double step_seen, step_expected; /* the events among them, … */
    double step_clusters;            /* … the clusters that began in it, … */
    double step_prudent;             /* … and how many of those may be counted on */
    double detectable_s;             /* the shortest outage to be noticed; negative: none … */
    int64_t detectable_until_ns;     /* … looked up again from here */
    struct past past;                /* how everything went of late */
    double hosts_usual;              /* watched addresses in an ordinary bin; negative: not known yet */

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
    struct tally tap_now;   /* the interval under way */
    int64_t bin_start_ns;   /* TIME_NONE: none under way */
    int64_t end_ns;         /* of the last interval */
    double alarms_per_year; /* for each scope alone */
    struct series series[];
};

/* The measure of the population in which a scope is judged. */
static inline enum tally_measure series_measure(const struct series *series)
{
    return series->signal == SIGNAL_ANSWERED_FLOWS ? TALLY_answered_flows
           : series->live_is_packets               ? TALLY_packets_out
                                                   : TALLY_live_flows;
}

/* The population in which a scope is judged. */
static inline struct population *series_life(struct series *series)
{
    return series->signal == SIGNAL_ANSWERED_FLOWS ? &series->answered : &series->live;
}

/* Reads the circumstances of a series' open outage (facts.c); the event's parts are filled. */
struct cause_facts facts_gather(const struct analysis *analysis, uint32_t number, const struct event *event);

/* Fills an event about the series' episode, with its parts, and gives it to the output (tell.c). */
void tell_outage(struct analysis *analysis, uint32_t number, enum event_action action);

/* Weighs the cause anew, and tells of it when the verdict is another than the one told last. */
void tell_changed_cause(struct analysis *analysis, uint32_t number);

/* The same for the sensor itself. */
void tell_sensor(struct analysis *analysis, enum event_action action);
