/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a silence must be to count: the tail of the silences that were really seen, carried on to the few
 * false alarms a year that the operator allows. */
#pragma once

enum { CALIBRATE_BUCKETS = 256 };

/* Past silences by their score, in buckets of a quarter. Plain data. */
struct calibrate {
    float bucket[CALIBRATE_BUCKETS];
    double count;
    double slope; /* mean excess of the tail: 1 where events are Poisson and the rate known, more where they
                     cluster */
    double prior_slope; /* what to take it for before much was seen */
    double threshold;   /* of the score */
    double fitted_at;   /* `count` at the last fit */
    double fitted_for;  /* ln(silences a year / alarms a year) at the last fit */
};

void calibrate_init(struct calibrate *calibrate);

/* Notes `count` silences that ended with about this score (natural logarithm of one over their probability).
 */
void calibrate_note(struct calibrate *calibrate, double score, double count);

/* How rare silences of this score were among those seen: the natural logarithm of one over the share of those
 * at least as long. */
double calibrate_rarity(const struct calibrate *calibrate, double score);

/* How events cluster: so many together on average, less than the gap (a score) from each other. */
struct calibrate_clusters {
    double size, gap;
};

/* As far as the silences noted tell, scored by rates of about this shape: a size of one where events are
 * Poisson. */
struct calibrate_clusters calibrate_clusters(const struct calibrate *calibrate, double shape);

/* The score that a stream with so many silences a year exceeds `alarms_per_year` times. Fitted anew only when
 * enough has changed. */
double calibrate_threshold(struct calibrate *calibrate, double silences_per_year, double alarms_per_year);

/* The score that is exceeded `times` as often as `threshold`, the fitted one. */
double calibrate_nearer(const struct calibrate *calibrate, double threshold, double times);
