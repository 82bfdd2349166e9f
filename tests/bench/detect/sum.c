/* SPDX-License-Identifier: BSD-3-Clause */
#include "sum.h"

#include <math.h>
#include <stdlib.h>

const double sum_curve_until[CURVE_POINTS - 1] = {0.5, 0.75, 1, 1.25, 1.5, 2};

/* A heap of numbers of which the median is wanted. */
struct numbers {
    unsigned count;
    double values[FATES_MAX];
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void note(struct numbers *numbers, double value)
{
    if (numbers->count < FATES_MAX)
        numbers->values[numbers->count++] = value;
}

double sum_median(double *values, unsigned count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof values[0], ascending);
    return values[count / 2];
}

static double median(struct numbers *numbers)
{
    return sum_median(numbers->values, numbers->count);
}

static void sum_found(struct sum *sum, const struct fate *fate)
{
    bool found = isfinite(fate->delay_s);
    sum->late += fate->late;
    if (!(fate->detectable_s > 0))
        return;
    double times = fate->length_s / fate->detectable_s;
    unsigned point = 0;
    while (point < CURVE_POINTS - 1 && times > sum_curve_until[point])
        point++;
    sum->curve[point]++;
    sum->curve_found[point] += found;
    if (times > 2) {
        sum->sure++;
        sum->sure_found += found;
        sum->sure_single += fate->episodes == 1;
    }
}

struct sum sum_fates(const struct fate *fates, unsigned count)
{
    static struct numbers delays, oracles, widths, onsets, ends, end_seconds, end_widths;
    struct sum sum = {.outages = count};
    delays.count = oracles.count = widths.count = onsets.count = ends.count = end_seconds.count = 0;
    end_widths.count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct fate *fate = &fates[i];
        sum_found(&sum, fate);
        if (fate->length_s > 3 * fate->oracle_s) {
            sum.judged++;
            note(&delays, fate->delay_s);
            note(&oracles, fate->oracle_s);
        }
        if (fate->episodes == 0)
            continue;
        sum.told++;
        sum.inside += fate->onset_inside;
        note(&widths, fate->onset_width_s / fate->gap_s);
        note(&onsets, fabs(fate->onset_error_s) / fate->gap_s);
        sum.single += fate->episodes == 1;
        sum.flaps += fate->flaps;
        sum.flaps_told += fate->flaps_told;
        sum.ended += fate->ended;
        sum.end_inside += fate->end_inside;
        sum.end_during += fate->end_during;
        if (fate->ended) {
            note(&ends, fabs(fate->end_error_s) / fate->gap_s);
            note(&end_seconds, fabs(fate->end_error_s));
            note(&end_widths, fate->end_width_s);
        }
    }
    sum.delay_s = median(&delays);
    sum.oracle_s = median(&oracles);
    sum.width = median(&widths);
    sum.onset_error = median(&onsets);
    sum.end_error = median(&ends);
    sum.end_error_s = median(&end_seconds);
    sum.end_width_s = median(&end_widths);
    return sum;
}
