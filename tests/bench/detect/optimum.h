/* SPDX-License-Identifier: BSD-3-Clause */
/* The best that any detector can do: exact thresholds and delays, and an oracle that is told the truth. */
#pragma once

#include <stdint.h>

#include "generate.h"

/* Expected number of pre-change events until a CUSUM for the ratio `rho` (0 to less than 1) of rates reaches
 * `threshold`, when the events come at `intensity` times the pre-change rate. */
double optimum_run_length(double rho, double threshold, double intensity);

/* The threshold at which false alarms are `events` pre-change events apart on average. */
double optimum_threshold(double rho, double events);

/* The worst mean delay at that threshold, in pre-change events. */
double optimum_delay(double rho, double events);

/* The detector that knows the true intensity, the clusters and how deep the outage will be. Plain data. */
struct oracle {
    const struct stream *stream;
    double rho, threshold, statistic;
    int64_t now_ns;
    int64_t alarm_ns; /* the latest alarm; TIME_NONE: none yet */
};

/* An oracle with so many false alarms a year. */
void oracle_init(struct oracle *oracle, const struct stream *stream, double depth, double alarms_per_year);

/* Runs on to an instant; then takes an event there. `oracle_run` leaves `alarm_ns` at the last alarm before
 * it. */
void oracle_run(struct oracle *oracle, int64_t to_ns);
void oracle_take(struct oracle *oracle, const struct life *life);

/* Starts afresh, as after a false alarm. */
void oracle_restart(struct oracle *oracle);
