/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, unsigned count, double share)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, ascending);
    return values[(unsigned)(share * (count - 1) + 0.5)];
}

/* What a case, or several together, came to. */
struct sum {
    unsigned outages;                       /* all of them */
    unsigned judged;                        /* long enough for the delay to be told: four optima and more */
    double delay_s, oracle_s;               /* medians of those */
    unsigned sure, sure_found, sure_single; /* longer than twice the detectable length */
    unsigned brief, brief_found;            /* between once and twice */
    unsigned found, inside, ended, end_inside;
    double width, onset_error, end_error; /* medians, in expected gaps */
    double end_error_s;
};

static struct sum add_up(const struct fate *fates, unsigned count)
{
    struct sum sum = {.outages = count};
    static double delays[FATES_MAX], oracles[FATES_MAX], widths[FATES_MAX], onsets[FATES_MAX],
        ends[FATES_MAX], end_seconds[FATES_MAX];
    for (unsigned i = 0; i < count; i++) {
        const struct fate *fate = &fates[i];
        bool found = isfinite(fate->delay_s);
        if (isfinite(fate->oracle_s) && fate->length_s > 2.8 * fate->oracle_s) {
            delays[sum.judged] = fate->delay_s;
            oracles[sum.judged++] = fate->oracle_s;
        }
        if (fate->detectable_s > 0 && fate->length_s > 2 * fate->detectable_s) {
            sum.sure++;
            sum.sure_found += found;
            sum.sure_single += fate->episodes == 1;
        } else if (fate->detectable_s > 0 && fate->length_s > fate->detectable_s) {
            sum.brief++;
            sum.brief_found += found;
        }
        if (!found)
            continue;
        widths[sum.found] = fate->onset_width_s / fate->gap_s;
        onsets[sum.found++] = fabs(fate->onset_error_s) / fate->gap_s;
        sum.inside += fate->onset_inside;
        if (fate->ended) {
            end_seconds[sum.ended] = fabs(fate->end_error_s);
            ends[sum.ended++] = fabs(fate->end_error_s) / fate->gap_s;
        }
        sum.end_inside += fate->end_inside;
    }
    sum.delay_s = quantile(delays, sum.judged, 0.5);
    sum.oracle_s = quantile(oracles, sum.judged, 0.5);
    sum.width = quantile(widths, sum.found, 0.5);
    sum.onset_error = quantile(onsets, sum.found, 0.5);
    sum.end_error = quantile(ends, sum.ended, 0.5);
    sum.end_error_s = quantile(end_seconds, sum.ended, 0.5);
    return sum;
}

static double percent(unsigned part, unsigned whole)
{
    return whole > 0 ? 100.0 * part / whole : NAN;
}

static void print_outages(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = add_up(outcome->fates, outcome->fate_count);
    printf("%-34s %4u %9.1f %9.1f %6.2f | %5.1f %5.1f (%3u) %5.1f (%3u) | %5.1f %6.2f %5.2f | %5.1f %5.1f "
           "%6.2f | %3u /%5.2f y | %.1f s\n",
           plan->name, sum.judged, sum.oracle_s, sum.delay_s, sum.delay_s / sum.oracle_s,
           percent(sum.sure_found, sum.sure), percent(sum.sure_single, sum.sure), sum.sure,
           percent(sum.brief_found, sum.brief), sum.brief, percent(sum.inside, sum.found), sum.width,
           sum.onset_error, percent(sum.ended, sum.found), percent(sum.end_inside, sum.ended), sum.end_error,
           outcome->false_alarms, outcome->years, outcome->seconds);
}

static void print_quiet(const struct plan *plan, const struct outcome *outcome)
{
    double expected = outcome->years * plan->alarms_per_year;
    printf("%-34s nominal %5.1f/y: expected %6.1f  seen %4u (first fortnight %u)  realised/nominal %5.2f  "
           "sensor %u | %.1f y %.1f s\n",
           plan->name, plan->alarms_per_year, expected, outcome->false_alarms, outcome->early_alarms,
           outcome->false_alarms / expected, outcome->sensor_events, outcome->years, outcome->seconds);
}

int report_write(const struct plan *plans, const struct outcome *outcomes, unsigned count, const char *path)
{
    const char *group = "";
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(group, plans[i].group) != 0) {
            group = plans[i].group;
            printf("\n%s\n", group);
            if (plans[i].depth > 0)
                printf("%-34s %4s %9s %9s %6s | %5s %5s %5s %5s %5s | %5s %6s %5s | %5s %5s %6s\n", "", "n",
                       "optimum s", "median s", "ratio", ">2d %", "once", "", "1-2d", "", "in %", "width",
                       "error", "ended", "in %", "error");
        }
        if (plans[i].depth > 0)
            print_outages(&plans[i], &outcomes[i]);
        else
            print_quiet(&plans[i], &outcomes[i]);
    }
    (void)path;
    return 0;
}
