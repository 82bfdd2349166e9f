/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sum.h"

static double percent(unsigned part, unsigned whole)
{
    return whole > 0 ? 100.0 * part / whole : NAN;
}

/* JSON knows no infinity: what never came is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* ---- a line for each case ---- */

static json_t *outages_line(const struct plan *plan, const struct outcome *outcome)
{
    struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
    printf("%-31s %4u %8.1f %8.1f %5.2f | %5.1f %5.1f (%3u) %3u | %5.1f %5.2f %5.2f | %5.1f %5.1f %5.2f | "
           "%3u in %.2f y\n",
           plan->name, sum.judged, sum.oracle_s, sum.delay_s, sum.delay_s / sum.oracle_s,
           percent(sum.sure_found, sum.sure), percent(sum.sure_single, sum.sure), sum.sure, sum.late,
           percent(sum.inside, sum.told), sum.width, sum.onset_error, percent(sum.ended, sum.told),
           percent(sum.end_inside, sum.ended), sum.end_error, outcome->false_alarms, outcome->years);
    json_t *curve = json_array();
    for (unsigned i = 0; i < CURVE_POINTS; i++)
        json_array_append_new(curve,
                              json_pack("{s:o, s:i, s:i}", "until_detectable_times",
                                        i < CURVE_POINTS - 1 ? json_real(sum_curve_until[i]) : json_null(),
                                        "outages", (int)sum.curve[i], "found", (int)sum.curve_found[i]));
    return json_pack(
        "{s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "outages",
        (int)sum.judged, "optimum_s", number(sum.oracle_s), "median_delay_s", number(sum.delay_s), "ratio",
        number(sum.delay_s / sum.oracle_s), "longer_than_twice", (int)sum.sure, "of_these_found",
        (int)sum.sure_found, "of_these_once", (int)sum.sure_single, "late", (int)sum.late,
        "onset_inside_percent", number(percent(sum.inside, sum.told)), "onset_width_gaps", number(sum.width),
        "onset_error_gaps", number(sum.onset_error), "ended_percent", number(percent(sum.ended, sum.told)),
        "end_inside_percent", number(percent(sum.end_inside, sum.ended)), "end_error_gaps",
        number(sum.end_error), "end_error_s", number(sum.end_error_s), "curve", curve);
}

static json_t *quiet_line(const struct plan *plan, const struct outcome *outcome)
{
    double nominal = outcome->years * plan->alarms_per_year;
    printf("%-31s %5.1f years: %6.1f promised, %4u seen, %5.2f of it; in a first fortnight %3u where %5.1f "
           "promised\n",
           plan->name, outcome->years, nominal, outcome->false_alarms, outcome->false_alarms / nominal,
           outcome->early_alarms, plan->repeats * plan->alarms_per_year * 14 / 365.25);
    return json_pack("{s:f, s:i}", "promised", nominal, "first_fortnight", (int)outcome->early_alarms);
}

static json_t *case_line(const struct plan *plan, const struct outcome *outcome)
{
    json_t *line = plan->depth > 0 ? outages_line(plan, outcome) : quiet_line(plan, outcome);
    json_t *head = json_pack(
        "{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f}", "group", plan->group, "name", plan->name,
        "per_minute", plan->shape.per_minute, "cluster", plan->shape.cluster, "depth", plan->depth, "step_s",
        plan->step_s, "false_alarms_per_year_nominal", plan->alarms_per_year, "quiet_years", outcome->years,
        "false_alarms", (int)outcome->false_alarms, "computing_s", outcome->seconds);
    json_object_update(head, line);
    json_decref(line);
    return head;
}

static json_t *all_cases(const struct report *report)
{
    json_t *cases = json_array();
    const char *group = "";
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        if (strcmp(group, plan->group) != 0) {
            group = plan->group;
            printf("\n%s\n", group);
            if (plan->depth > 0)
                printf("%-31s %4s %8s %8s %5s | %5s %5s %5s %3s | %5s %5s %5s | %5s %5s %5s | false alarms\n",
                       "", "n", "best s", "median s", "ratio", "found", "once", "(of)", "late", "onset",
                       "width", "error", "ended", "in", "error");
        }
        json_array_append_new(cases, case_line(plan, &report->outcomes[i]));
    }
    return cases;
}

/* ---- a line for each requirement ---- */

static void require(json_t *list, const char *what, const char *target, bool known, bool reached,
                    const char *figure)
{
    const char *verdict = !known ? "not run" : reached ? "reached" : "MISSED";
    printf("%-58s %-22s %-8s %s\n", what, target, verdict, known ? figure : "");
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "requirement", what, "target", target,
                                          "verdict", verdict, "figure", figure));
}

struct worst {
    unsigned cases, over;
    double ratio;
    const char *name;
};

/* The worst ratio of delays among the cases of a group. */
static void worst_delay(const struct report *report, const char *group, double depth, double target,
                        struct worst *worst)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        if (strcmp(plan->group, group) != 0 || plan->depth != depth || trial_optimum_s(plan) < 4 * 5)
            continue;
        struct sum sum = sum_fates(report->outcomes[i].fates, report->outcomes[i].fate_count);
        double ratio = sum.delay_s / sum.oracle_s;
        worst->cases++;
        worst->over += ratio > target;
        if (worst->cases == 1 || ratio > worst->ratio) {
            worst->ratio = ratio;
            worst->name = plan->name;
        }
    }
}

static void require_delay(const struct report *report, json_t *list, const char *what,
                          const char *const groups[2], double depth, double target)
{
    struct worst worst = {0, 0, 0, ""};
    char limit[24], figure[128];
    for (int i = 0; i < 2 && groups[i] != NULL; i++)
        worst_delay(report, groups[i], depth, target, &worst);
    snprintf(limit, sizeof limit, "<= %g", target);
    snprintf(figure, sizeof figure, "worst %.2f (%s); %u of %u cases over", worst.ratio, worst.name,
             worst.over, worst.cases);
    require(list, what, limit, worst.cases > 0, worst.over == 0, figure);
}

static void require_quiet(const struct report *report, json_t *list)
{
    unsigned cases = 0, off = 0, wide = 0, wide_off = 0;
    double low = INFINITY, high = 0, most = 0;
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        const struct outcome *outcome = &report->outcomes[i];
        if (plan->depth > 0)
            continue;
        double ratio = outcome->false_alarms / outcome->years / plan->alarms_per_year;
        if (plan->wide) {
            wide++;
            wide_off += ratio * plan->alarms_per_year > 2;
            most = fmax(most, ratio * plan->alarms_per_year);
            continue;
        }
        cases++;
        off += ratio < 0.5 || ratio > 2;
        low = fmin(low, ratio);
        high = fmax(high, ratio);
    }
    char figure[128];
    snprintf(figure, sizeof figure, "%.2f to %.2f; %u of %u cases outside", low, high, off, cases);
    require(list, "realised / nominal false alarms", "0.5 to 2", cases > 0, off == 0, figure);
    snprintf(figure, sizeof figure, "at most %.2f; %u of %u cases over", most, wide_off, wide);
    require(list, "episodes a quiet sensor-year at the default", "<= 2", wide > 0, wide_off == 0, figure);
}

/* Over all cases of depth 0.9 and more. */
static void require_found(const struct report *report, json_t *list)
{
    unsigned sure = 0, found = 0, single = 0, told = 0, inside = 0, narrow = 0, wide = 0, off = 0, cases = 0;
    double lowest = 100, widest = 0;
    for (unsigned i = 0; i < report->count; i++) {
        if (report->plans[i].depth < 0.9)
            continue;
        struct sum sum = sum_fates(report->outcomes[i].fates, report->outcomes[i].fate_count);
        sure += sum.sure;
        found += sum.sure_found;
        single += sum.sure_single;
        told += sum.told;
        inside += sum.inside;
        cases++;
        off += percent(sum.inside, sum.told) < 90;
        lowest = fmin(lowest, percent(sum.inside, sum.told));
        widest = fmax(widest, sum.width);
        wide += sum.width > 4;
        narrow += sum.width <= 4;
    }
    char figure[128];
    snprintf(figure, sizeof figure, "%.2f %% found, %.2f %% as one episode (of %u)", percent(found, sure),
             percent(single, sure), sure);
    require(list, "depth >= 0.9, longer than twice the detectable length", ">= 99 % found, once", sure > 0,
            percent(found, sure) >= 99 && percent(single, sure) >= 99, figure);
    snprintf(figure, sizeof figure, "%.1f %% of %u; worst case %.1f %%, %u of %u cases below",
             percent(inside, told), told, lowest, off, cases);
    require(list, "onset interval holds the truth", ">= 90 %", told > 0, off == 0, figure);
    snprintf(figure, sizeof figure, "widest case %.2f; %u of %u cases over", widest, wide, wide + narrow);
    require(list, "median width of the onset interval, expected gaps", "<= 4", told > 0, wide == 0, figure);
}

static json_t *all_requirements(const struct report *report)
{
    json_t *list = json_array();
    printf("\n");
    require_delay(report, list, "blackout, Poisson, 500 flows or more: delay / optimum",
                  (const char *const[]){"blackout", "fresh"}, 1, 1.15);
    require_delay(report, list, "blackout, over-dispersed or seasonal: delay / oracle",
                  (const char *const[]){"varying", NULL}, 1, 1.5);
    require_delay(report, list, "depth 0.75, Poisson: delay / optimum",
                  (const char *const[]){"partial", NULL}, 0.75, 1.5);
    require_quiet(report, list);
    require_found(report, list);
    require(list, "same input twice", "same events and bins", true, report->same_twice, "");
    return list;
}

int report_write(const struct report *report, const char *path)
{
    json_t *cases = all_cases(report);
    json_t *root = json_pack("{s:b, s:b, s:o, s:o}", "tuning_seeds", report->tune, "quick", report->quick,
                             "cases", cases, "requirements", all_requirements(report));
    int status = root != NULL ? json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(5)) : -1;
    json_decref(root);
    return status;
}
