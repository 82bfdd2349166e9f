/* SPDX-License-Identifier: BSD-3-Clause */
/* One stream of a case through the door of the study, as the capture would feed it, and what came of it. */
#pragma once

#include "field.h"
#include "generate.h"

/* Which outages a stream has. */
enum pattern {
    PATTERN_OPTIMUM,  /* from hardly to easily found: multiples of the optimum's delay */
    PATTERN_SHORT,    /* around the optimum's delay, for the curve of what is found */
    PATTERN_CLOCK,    /* a quarter of an hour to a day, each after a week of quiet */
    PATTERN_FLAPPING, /* coming back for a few minutes again and again */
    PATTERN_TRICKLE   /* coming back bit by bit */
};

/* What is to be measured. */
struct plan {
    const char *group; /* the table it belongs to; name tells it from the others of the group */
    char name[48];
    struct shape shape;
    enum pattern pattern;
    double depth;           /* of the outages; 0: a quiet stream */
    double train_days;      /* before the first outage */
    double quiet_days;      /* length of a quiet stream */
    unsigned outages;       /* a stream */
    unsigned repeats;       /* streams, one after the other, each with a seed of its own */
    double step_s;          /* 5 as the capture has it, or more where the optimum is far longer */
    double alarms_per_year; /* for the scope that is measured */
    bool wide;              /* all the scopes of a sensor; alarms_per_year is over all of them */
    bool told_apart;        /* the study is told which events begin a cluster, as the capture tells bursts */
    bool field;             /* give the same stream to the rules of the field too */
    bool resumed;           /* run every stream a second time, cut into pieces by checkpoints */
};

/* What became of one outage. Times that never came are infinite. */
struct fate {
    double length_s;
    double detectable_s; /* as the study held it at the onset; negative: none */
    double gap_s;        /* expected distance of clusters then */
    double delay_s, oracle_s;
    double told_s; /* the delay, even where it was over by then */
    double onset_error_s, onset_width_s;
    bool late; /* told only after it was over */
    bool onset_inside;
    bool ended, end_inside;
    bool end_during;                 /* the end as told lies within a return that took its time */
    double end_error_s, end_width_s; /* the error is signed: positive is late */
    unsigned episodes;
    unsigned flaps, flaps_told;
};

enum { FATES_MAX = 512, STREAMS_MAX = 16, CONTENDERS = 1 + RULES };

/* What was told after a stream became another one, and before the first outage after that. */
struct settling {
    unsigned episodes;
    double days; /* until the last of them had ended; infinite: it did not */
};

/* Plain data, so that it can lie in memory shared by processes. */
struct outcome {
    bool failed;
    unsigned fate_count;
    struct fate fates[FATES_MAX];
    unsigned false_alarms, early_alarms; /* in quiet stretches; and those of the first fortnight */
    unsigned sensor_events;
    double years;                      /* watched in quiet */
    uint64_t events_hash, bins_hash;   /* of everything that was told */
    unsigned cuts, cuts_open, streams; /* checkpoints; those within an episode; streams run in pieces … */
    unsigned same_events, same_bins;   /* … and those of them that told the same */
    unsigned settling_count;
    struct settling settling[STREAMS_MAX];
    double seconds; /* of computing */
    double events;
};

/* Runs the plan's streams with seeds from `seed` on. The first of the outcomes is the study's, those that
 * follow are the rules' (CONTENDERS in all), left alone where the plan does not ask for them. */
void trial_run(const struct plan *plan, uint64_t seed, struct outcome *outcomes);

/* The optimum's worst mean delay for the plan's mean rate, in seconds. */
double trial_optimum_s(const struct plan *plan);
