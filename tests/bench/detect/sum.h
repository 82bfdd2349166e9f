/* SPDX-License-Identifier: BSD-3-Clause */
/* What the outages of a case, or of several together, come to. */
#pragma once

#include "trial.h"

/* Lengths over the detectable length, for the curve of what is found: up to each of these, and beyond. */
enum { CURVE_POINTS = 7 };
extern const double sum_curve_until[CURVE_POINTS - 1];

struct sum {
    unsigned outages;
    unsigned judged;                        /* long enough for a delay to be told: thrice the oracle's */
    double delay_s, oracle_s;               /* medians of those */
    unsigned sure, sure_found, sure_single; /* longer than twice the detectable length */
    unsigned curve[CURVE_POINTS], curve_found[CURVE_POINTS];
    unsigned late;         /* told only after they were over */
    unsigned told, inside; /* whose onset was told; whose onset's interval holds the truth */
    unsigned ended, end_inside, end_during;
    double width, onset_error, end_error; /* medians, in expected gaps between clusters */
    double end_error_s, end_width_s;
    unsigned single;            /* told as one episode */
    unsigned flaps, flaps_told; /* of those told */
};

struct sum sum_fates(const struct fate *fates, unsigned count);

/* Puts the numbers in order and returns the middle one; not a number where there is none. */
double sum_median(double *values, unsigned count);
