/* SPDX-License-Identifier: BSD-3-Clause */
/* A line for each case, in a hundred columns, in the manner of its group. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "sum.h"

/* ---- outages ---- */

static void outages_heading(void)
{
    printf("%-25s %3s %6s %6s %5s|%5s %5s %4s %4s|%5s %5s|%5s %5s|%4s\n", "", "n", "best", "median", "ratio",
           "found", "once", "of", "late", "onset", "width", "end", "error", "fa");
}

static json_t *curve_json(const struct sum *sum)
{
    json_t *curve = json_array();
    for (unsigned i = 0; i < CURVE_POINTS; i++)
        json_array_append_new(curve,
                              json_pack("{s:o, s:i, s:i}", "until_detectable_times",
                                        i < CURVE_POINTS - 1 ? json_real(sum_curve_until[i]) : json_null(),
                                        "outages", (int)sum->curve[i], "found", (int)sum->curve_found[i]));
    return curve;
}

static json_t *outages_json(const struct sum *sum)
{
    json_t *line = json_pack(
        "{s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:i}", "outages", (int)sum->judged, "optimum_s",
        report_number(sum->oracle_s), "median_delay_s", report_number(sum->delay_s), "ratio",
        report_number(sum->delay_s / sum->oracle_s), "longer_than_twice", (int)sum->sure, "of_these_found",
        (int)sum->sure_found, "of_these_once", (int)sum->sure_single, "late", (int)sum->late);
    json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "onset_inside_percent",
                             report_number(report_percent(sum->inside, sum->told)), "onset_width_gaps",
                             report_number(sum->width), "onset_error_gaps", report_number(sum->onset_error),
                             "ended_percent", report_number(report_percent(sum->ended, sum->told)),
                             "end_inside_percent", report_number(report_percent(sum->end_inside, sum->ended)),
                             "end_error_gaps", report_number(sum->end_error), "end_error_s",
                             report_number(sum->end_error_s), "curve", curve_json(sum));
    json_object_update(line, more);
    json_decref(more);
    return line;
}

static json_t *outages_line(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
    char error[16]; /* in gaps, in five columns */
    snprintf(error, sizeof error, "%.*f", sum.end_error < 99 ? 2 : 0, sum.end_error);
    printf("%-25s %3u %6s %6s %5.2f|%5.1f %5.1f %4u %4u|%5.1f %5.2f|%5.1f %5s|%4u\n", plan->name, sum.judged,
           report_seconds(sum.oracle_s), report_seconds(sum.delay_s), sum.delay_s / sum.oracle_s,
           report_percent(sum.sure_found, sum.sure), report_percent(sum.sure_single, sum.sure), sum.sure,
           sum.late, report_percent(sum.inside, sum.told), sum.width,
           report_percent(sum.end_inside, sum.ended), error, outcome->false_alarms);
    return outages_json(&sum);
}

/* ---- quiet streams ---- */

static void quiet_heading(void)
{
    printf("%-25s %12s %10s %8s %8s  first fortnight: seen, promised\n", "", "sensor-years", "promised",
           "seen", "ratio");
}

static json_t *quiet_line(const struct plan *plan, const struct outcome *outcome)
{
    double nominal = outcome->years * plan->alarms_per_year;
    printf("%-25s %12.1f %10.1f %8u %8.2f %18u %9.1f\n", plan->name, outcome->years, nominal,
           outcome->false_alarms, outcome->false_alarms / nominal, outcome->early_alarms,
           plan->repeats * plan->alarms_per_year * 14 / 365.25);
    return json_pack("{s:f, s:i}", "promised", nominal, "first_fortnight", (int)outcome->early_alarms);
}

/* ---- returns ---- */

static void return_heading(void)
{
    printf("%-25s %8s %7s %7s %12s %9s %9s\n", "", "outages", "told %", "once %", "end inside %", "end width",
           "end error");
}

static json_t *return_line(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
    printf("%-25s %8u %7.1f %7.1f %12.1f %9s %9s", plan->name, sum.outages,
           report_percent(sum.told, sum.outages), report_percent(sum.single, sum.told),
           report_percent(sum.end_inside, sum.ended), report_seconds(sum.end_width_s),
           report_seconds(sum.end_error_s));
    if (plan->pattern == PATTERN_FLAPPING)
        printf(" %u of %u flaps", sum.flaps_told, sum.flaps);
    else
        printf(" %.1f %% within", report_percent(sum.end_during, sum.ended));
    printf("\n");
    return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:i, s:i, s:o}", "outages", (int)sum.outages, "told",
                     (int)sum.told, "told_once", (int)sum.single, "end_inside_percent",
                     report_number(report_percent(sum.end_inside, sum.ended)), "end_width_s",
                     report_number(sum.end_width_s), "end_error_s", report_number(sum.end_error_s), "flaps",
                     (int)sum.flaps, "flaps_told", (int)sum.flaps_told, "end_within_return_percent",
                     report_number(report_percent(sum.end_during, sum.ended)));
}

/* ---- streams that become others ---- */

static void change_heading(void)
{
    printf("%-32s %7s %9s %12s %12s %10s %8s\n", "", "streams", "episodes", "settled in", "never", "later",
           "delay");
    printf("%-32s %7s %9s %12s %12s %10s %8s\n", "", "", "then", "days, most", "settled", "found %", "ratio");
}

static json_t *change_line(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
    unsigned episodes = 0, never = 0;
    double days = 0;
    for (unsigned i = 0; i < outcome->settling_count; i++) {
        const struct settling *settling = &outcome->settling[i];
        episodes += settling->episodes;
        never += isinf(settling->days);
        days = isinf(settling->days) ? days : fmax(days, settling->days);
    }
    printf("%-32s %7u %9u %12.1f %12u", plan->name, outcome->settling_count, episodes, days, never);
    if (sum.outages > 0)
        printf(" %10.1f %8.2f", report_percent(sum.sure_found, sum.sure), sum.delay_s / sum.oracle_s);
    printf("\n");
    return json_pack("{s:i, s:i, s:f, s:i, s:o, s:o}", "streams", (int)outcome->settling_count,
                     "episodes_after_change", (int)episodes, "settled_days", days, "never_settled",
                     (int)never, "later_found_percent",
                     report_number(report_percent(sum.sure_found, sum.sure)), "later_ratio",
                     report_number(sum.delay_s / sum.oracle_s));
}

/* ---- in pieces ---- */

static void resumed_heading(void)
{
    printf("%-25s %8s %12s %20s %13s %10s\n", "", "streams", "checkpoints", "within an episode",
           "same events", "same bins");
}

static json_t *resumed_line(const struct plan *plan, const struct outcome *outcome)
{
    printf("%-25s %8u %12u %20u %13u %10u\n", plan->name, outcome->streams, outcome->cuts, outcome->cuts_open,
           outcome->same_events, outcome->same_bins);
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "streams", (int)outcome->streams, "checkpoints",
                     (int)outcome->cuts, "within_an_episode", (int)outcome->cuts_open, "same_events",
                     (int)outcome->same_events, "same_bins", (int)outcome->same_bins);
}

/* ---- which is told how ---- */

static void recall_heading(void)
{
}

static json_t *recall_line(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
    json_t *line = outages_json(&sum), *curve = recall_table(plan, outcome);
    json_object_update(line, curve);
    json_decref(curve);
    return line;
}

struct manner {
    const char *group; /* NULL: any other */
    const char *says;
    void (*heading)(void);
    json_t *(*line)(const struct plan *plan, const struct outcome *outcomes);
};

static const struct manner manners[] = {
    {"blackout", "baseline learned for weeks", outages_heading, outages_line},
    {"fresh", "five hundred events seen before", outages_heading, outages_line},
    {"varying", "over-dispersed, seasonal, wandering", outages_heading, outages_line},
    {"partial", "depth below one, Poisson", outages_heading, outages_line},
    {"quiet, 50 a year", "false alarms at a rate that can be counted", quiet_heading, quiet_line},
    {"quiet, default", "one a year over the eleven scopes of a sensor", quiet_heading, quiet_line},
    {"flapping", "back for four minutes again and again: one episode wanted", return_heading, return_line},
    {"trickle", "back bit by bit: the interval is to hold its begin; within: the end told lies in it",
     return_heading, return_line},
    {"change of level", "the rate is another from one day on: one episode or none wanted", change_heading,
     change_line},
    {"shifted day", "the day begins half an hour later from one day on: no episode wanted", change_heading,
     change_line},
    {"resumed", "eleven scopes, cut into pieces by checkpoints: the same wanted", resumed_heading,
     resumed_line},
    {"recall", "outages around the optimum's delay, by length", recall_heading, recall_line},
    {"field", "the rules of the field on the same streams", field_heading, field_table},
    {NULL, "", outages_heading, outages_line},
};

static const struct manner *manner_of(const struct plan *plan)
{
    const struct manner *manner = manners;
    while (manner->group != NULL && strcmp(manner->group, plan->group) != 0)
        manner++;
    return manner;
}

void table_heading(const struct plan *plan)
{
    const struct manner *manner = manner_of(plan);
    printf("\n%s: %s\n", plan->group, manner->says);
    manner->heading();
}

json_t *table_case(const struct plan *plan, const struct outcome *outcomes)
{
    return manner_of(plan)->line(plan, outcomes);
}
