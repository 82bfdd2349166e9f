/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Were the model right, the score of a silence would be exponential with mean one, whatever the rate: a
 * silence of score s has probability exp(-s). Real events come in clusters, and then the silences between
 * clusters are longer than that. Their tail is exponential again, only flatter (the extremal index), so a
 * line is fitted above the highest fiftieth and carried on: P(score > h) = p exp(-(h - q) / slope), p the
 * share above q. While few lie in the tail, all silences together say more of its slope: the mean square over
 * twice the mean, which is the mean of what is left of a silence at a moment picked at random (were gaps
 * nothing within clusters and exponential between them, exactly the slope; Ferro and Segers 2003). It is
 * known to the square root of two over their number.
 */
#include "calibrate.h"

#include <math.h>
#include <string.h>

static const double bucket_width = 0.25;
static const double tail_share = 0.02;  /* of the silences, but … */
static const double tail_least = 20.0;  /* … not fewer than this */
static const double tail_most = 500.0;  /* that many tell the slope well enough, and the highest best */
static const double first_slope = 1.25; /* before anything was seen: some clustering */
static const double prior_weight = 50;  /* what counts say of the slope, in silences */
static const double all_weight = 30.0;  /* what all silences say of the tail, in silences of the tail */

void calibrate_init(struct calibrate *calibrate)
{
    memset(calibrate, 0, sizeof *calibrate);
    calibrate->slope = calibrate->prior_slope = first_slope;
}

void calibrate_note(struct calibrate *calibrate, double score, double count)
{
    int bucket = (int)fmin(fmax(score, 0) / bucket_width, CALIBRATE_BUCKETS - 1);
    calibrate->bucket[bucket] += (float)count;
    calibrate->count += count;
}

double calibrate_rarity(const struct calibrate *calibrate, double score)
{
    double as_long = 1; /* the silence in question itself */
    for (int i = (int)fmin(fmax(score, 0) / bucket_width, CALIBRATE_BUCKETS - 1); i < CALIBRATE_BUCKETS; i++)
        as_long += calibrate->bucket[i];
    return log((calibrate->count + 1) / as_long);
}

/* The slope as all silences have it. */
static double slope_of_all(const struct calibrate *calibrate)
{
    double sum = prior_weight, squares = 2 * calibrate->prior_slope * prior_weight;
    for (int i = 0; i < CALIBRATE_BUCKETS; i++) {
        double middle = (i + 0.5) * bucket_width;
        sum += calibrate->bucket[i] * middle;
        squares += calibrate->bucket[i] * middle * middle;
    }
    return fmax(1, squares / (2 * sum));
}

/* A silence that raised an alarm was not noted, so the tail ends at the threshold that was in force. The mean
 * of an exponential that is cut off `until` above its begin, from the mean of what was left of it. */
static double uncut(double mean, double until)
{
    double uncut = mean;
    if (until > 2 * mean) /* less is too little of a tail to tell */
        for (int i = 0; i < 4; i++)
            uncut = mean + until / expm1(until / uncut);
    return uncut;
}

/* Of clusters that are as good as points, looked at at any time, the silence under way is as long on average
 * as the gap between two of them: their size. Of the gaps, as many as there are clusters are the longest. */
struct calibrate_clusters calibrate_clusters(const struct calibrate *calibrate, double shape)
{
    double sum = 0, squares = 0, above = 0, known = shape * calibrate->slope; /* as silences are scored */
    for (int i = 0; i < CALIBRATE_BUCKETS; i++) {
        double expected = known * expm1((i + 0.5) * bucket_width / known);
        sum += calibrate->bucket[i] * expected;
        squares += calibrate->bucket[i] * expected * expected;
    }
    struct calibrate_clusters clusters = {calibrate->slope, 0};
    if (sum > 0)
        clusters.size = fmax(clusters.size, squares / (2 * sum));
    double wanted = calibrate->count / clusters.size;
    int i = CALIBRATE_BUCKETS;
    while (i > 0 && above + calibrate->bucket[i - 1] <= wanted)
        above += calibrate->bucket[--i];
    if (i > 0) /* in this bucket, evenly */
        clusters.gap = bucket_width * (i - (wanted - above) / calibrate->bucket[i - 1]);
    return clusters;
}

static void fit(struct calibrate *calibrate, double log_ratio)
{
    double wanted = fmin(fmax(tail_least, tail_share * calibrate->count), tail_most), above = 0;
    int from = CALIBRATE_BUCKETS;
    while (from > 0 && above < wanted)
        above += calibrate->bucket[--from];
    double q = from * bucket_width, excess = 0;
    for (int i = from; i < CALIBRATE_BUCKETS; i++)
        excess += calibrate->bucket[i] * ((i - from + 0.5) * bucket_width);
    double share = calibrate->count > 0 ? above / calibrate->count : 1.0;
    double mean = above > 0 ? uncut(excess / above, calibrate->threshold - q) : 0;
    calibrate->slope =
        fmax(1.0, (above * mean + all_weight * slope_of_all(calibrate)) / (above + all_weight));
    calibrate->threshold = fmax(q + calibrate->slope * (log_ratio + log(fmin(share, 1.0))), log_ratio);
    calibrate->fitted_at = calibrate->count;
    calibrate->fitted_for = log_ratio;
}

double calibrate_threshold(struct calibrate *calibrate, double silences_per_year, double alarms_per_year)
{
    double log_ratio = log(fmax(silences_per_year, 1.0) / alarms_per_year);
    if (calibrate->threshold <= 0 || calibrate->count > 1.02 * calibrate->fitted_at + 20 ||
        fabs(log_ratio - calibrate->fitted_for) > 0.1)
        fit(calibrate, log_ratio);
    return calibrate->threshold;
}

double calibrate_nearer(const struct calibrate *calibrate, double threshold, double times)
{
    return threshold - calibrate->slope * log(times);
}
