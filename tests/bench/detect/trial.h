/* SPDX-License-Identifier: BSD-3-Clause */
/* One stream of a case through the door of the study, as the capture would feed it, and what came of it. */
#pragma once

#include "generate.h"

/* What is to be measured. */
struct plan {
    const char *group; /* the table it belongs to; name tells it from the others of the group */
    char name[48];
    struct shape shape;
    double depth;           /* of the outages; 0: a quiet stream */
    double train_days;      /* before the first outage */
    double quiet_days;      /* length of a quiet stream */
    unsigned outages;       /* a stream */
    unsigned repeats;       /* streams, one after the other, each with a seed of its own */
    double step_s;          /* 5 as the capture has it, or more where the optimum is far longer */
    double alarms_per_year; /* for the scope that is measured */
    bool wide;              /* all the scopes of a sensor; alarms_per_year is over all of them */
    bool field;             /* give the same stream to the rules of the field too */
};

/* What became of one outage. Times that never came are infinite. */
struct fate {
    double length_s;
    double detectable_s; /* as the study held it at the onset; negative: none */
    double gap_s;        /* expected distance of clusters then */
    double delay_s, oracle_s;
    double onset_error_s, onset_width_s;
    bool late; /* told only after it was over */
    bool onset_inside;
    bool ended, end_inside;
    double end_error_s; /* signed: positive is late */
    unsigned episodes;
};

enum { FATES_MAX = 512, BIN_S = 300 };

/* Plain data, so that it can lie in memory shared by processes. */
struct outcome {
    bool failed;
    unsigned fate_count;
    struct fate fates[FATES_MAX];
    unsigned false_alarms, early_alarms; /* in quiet stretches; and those of the first fortnight */
    unsigned sensor_events;
    double years;   /* watched in quiet */
    uint64_t hash;  /* of all events and bins */
    double seconds; /* of computing */
    double events;
};

/* Runs the plan's streams with seeds from `seed` on. */
void trial_run(const struct plan *plan, uint64_t seed, struct outcome *outcome);

/* The optimum's worst mean delay for the plan's mean rate, in seconds. */
double trial_optimum_s(const struct plan *plan);
