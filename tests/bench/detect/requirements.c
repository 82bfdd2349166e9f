/* SPDX-License-Identifier: BSD-3-Clause */
/* A line for each thing to reach: the target beside what came out. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "sum.h"

static void require(json_t *list, const char *what, const char *target, bool known, bool reached,
                    const char *figure)
{
    const char *verdict = !known ? "not run" : reached ? "reached" : "MISSED";
    printf("%-8s %-62s %s\n", verdict, what, target);
    if (known && figure[0] != '\0')
        printf("         %s\n", figure);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "requirement", what, "target", target,
                                          "verdict", verdict, "figure", known ? figure : ""));
}

struct worst {
    unsigned cases, over;
    double ratio;
    const char *group, *name;
};

/* The worst ratio of delays among the cases of a group. */
static void worst_delay(const struct report *report, const char *group, double depth, double target,
                        struct worst *worst)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        if (strcmp(plan->group, group) != 0 || plan->depth != depth || trial_optimum_s(plan) < 4 * 5)
            continue;
        struct sum sum = sum_fates(report->outcomes[i][0].fates, report->outcomes[i][0].fate_count);
        double ratio = sum.delay_s / sum.oracle_s;
        worst->cases++;
        worst->over += !(ratio <= target);
        if (worst->cases == 1 || ratio > worst->ratio) {
            worst->ratio = ratio;
            worst->group = group;
            worst->name = plan->name;
        }
    }
}

static void require_delay(const struct report *report, json_t *list, const char *what,
                          const char *const groups[2], double depth, double target)
{
    struct worst worst = {0, 0, 0, "", ""};
    char limit[24], figure[160];
    for (int i = 0; i < 2 && groups[i] != NULL; i++)
        worst_delay(report, groups[i], depth, target, &worst);
    snprintf(limit, sizeof limit, "<= %g", target);
    snprintf(figure, sizeof figure, "worst %.2f (%s: %s); %u of %u cases over", worst.ratio, worst.group,
             worst.name, worst.over, worst.cases);
    require(list, what, limit, worst.cases > 0, worst.over == 0, figure);
}

static bool is_quiet(const struct plan *plan)
{
    return strncmp(plan->group, "quiet", 5) == 0;
}

static void require_quiet(const struct report *report, json_t *list)
{
    unsigned cases = 0, off = 0, wide = 0, wide_off = 0;
    double low = INFINITY, high = 0, most = 0;
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        const struct outcome *outcome = report->outcomes[i];
        if (!is_quiet(plan))
            continue;
        double a_year = outcome->false_alarms / outcome->years, ratio = a_year / plan->alarms_per_year;
        if (plan->wide) {
            wide++;
            wide_off += a_year > 2;
            most = fmax(most, a_year);
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

/* The cases that the requirements of finding and of onsets are about. */
static bool is_deep(const struct plan *plan)
{
    return plan->depth >= 0.9 && plan->pattern == PATTERN_OPTIMUM && !plan->wide &&
           !(plan->shape.change_day > 0);
}

static void require_found(const struct report *report, json_t *list)
{
    unsigned sure = 0, found = 0, single = 0, off = 0, cases = 0;
    for (unsigned i = 0; i < report->count; i++) {
        if (!is_deep(&report->plans[i]))
            continue;
        struct sum sum = sum_fates(report->outcomes[i][0].fates, report->outcomes[i][0].fate_count);
        sure += sum.sure;
        found += sum.sure_found;
        single += sum.sure_single;
        cases++;
        off +=
            report_percent(sum.sure_found, sum.sure) < 99 || report_percent(sum.sure_single, sum.sure) < 99;
    }
    char figure[128];
    snprintf(figure, sizeof figure, "%.2f %% found, %.2f %% as one episode, of %u; %u of %u cases below",
             report_percent(found, sure), report_percent(single, sure), sure, off, cases);
    require(list, "depth >= 0.9, longer than twice the detectable length", ">= 99 % found, once", sure > 0,
            report_percent(found, sure) >= 99 && report_percent(single, sure) >= 99, figure);
}

static void require_onset(const struct report *report, json_t *list)
{
    unsigned told = 0, inside = 0, wide = 0, off = 0, cases = 0;
    double lowest = 100, widest = 0;
    for (unsigned i = 0; i < report->count; i++) {
        if (!is_deep(&report->plans[i]))
            continue;
        struct sum sum = sum_fates(report->outcomes[i][0].fates, report->outcomes[i][0].fate_count);
        told += sum.told;
        inside += sum.inside;
        cases++;
        off += report_percent(sum.inside, sum.told) < 90;
        lowest = fmin(lowest, report_percent(sum.inside, sum.told));
        widest = fmax(widest, sum.width);
        wide += sum.width > 4;
    }
    char figure[128];
    snprintf(figure, sizeof figure, "%.1f %% of %u; worst case %.1f %%, %u of %u cases below",
             report_percent(inside, told), told, lowest, off, cases);
    require(list, "onset interval holds the truth", ">= 90 %", told > 0, off == 0, figure);
    snprintf(figure, sizeof figure, "widest case %.2f; %u of %u cases over", widest, wide, cases);
    require(list, "median width of the onset interval, expected gaps", "<= 4", told > 0, wide == 0, figure);
}

static void require_returns(const struct report *report, json_t *list)
{
    unsigned flapping = 0, once = 0, trickles = 0, inside = 0;
    for (unsigned i = 0; i < report->count; i++) {
        const struct outcome *outcome = report->outcomes[i];
        struct sum sum = sum_fates(outcome->fates, outcome->fate_count);
        if (report->plans[i].pattern == PATTERN_FLAPPING) {
            flapping += sum.outages;
            once += sum.single;
        } else if (report->plans[i].pattern == PATTERN_TRICKLE) {
            trickles += sum.ended;
            inside += sum.end_inside;
        }
    }
    char figure[128];
    snprintf(figure, sizeof figure, "%.1f %% of %u", report_percent(once, flapping), flapping);
    require(list, "flapping outages told as one episode", ">= 99 %", flapping > 0,
            report_percent(once, flapping) >= 99, figure);
    snprintf(figure, sizeof figure, "%.1f %% of %u", report_percent(inside, trickles), trickles);
    require(list, "end interval holds the begin of a trickle back", ">= 90 %", trickles > 0,
            report_percent(inside, trickles) >= 90, figure);
}

static void require_changes(const struct report *report, json_t *list)
{
    unsigned levels = 0, level_episodes = 0, never = 0, shifts[2] = {0}, shift_episodes[2] = {0};
    double promised[2] = {0};
    for (unsigned i = 0; i < report->count; i++)
        for (unsigned k = 0; k < report->outcomes[i][0].settling_count; k++) {
            const struct settling *settling = &report->outcomes[i][0].settling[k];
            const struct plan *plan = &report->plans[i];
            if (plan->shape.change_shift_s != 0) {
                shifts[plan->shape.office]++;
                shift_episodes[plan->shape.office] += settling->episodes;
                promised[plan->shape.office] +=
                    (plan->quiet_days - plan->shape.change_day) / 365.25 * plan->alarms_per_year;
                continue;
            }
            levels++;
            level_episodes += settling->episodes > 1 ? settling->episodes - 1 : 0;
            never += isinf(settling->days);
        }
    char figure[128];
    snprintf(figure, sizeof figure, "%u episodes too many and %u never over, in %u streams", level_episodes,
             never, levels);
    require(list, "a lasting change of level: one episode at most, then accepted", "0 and 0", levels > 0,
            level_episodes == 0 && never == 0, figure);
    static const char *const kinds[2] = {"a wave shifted by half an hour: false alarms of four weeks",
                                         "office hours shifted by half an hour: the same"};
    for (int i = 0; i < 2; i++) {
        /* What comes by chance at the promised rate costs the shift nothing: two deviations of it. */
        snprintf(figure, sizeof figure, "%u episodes in %u streams, where chance promises %.1f",
                 shift_episodes[i], shifts[i], promised[i]);
        require(list, kinds[i], "chance's", shifts[i] > 0,
                shift_episodes[i] <= promised[i] + 2 * sqrt(promised[i]), figure);
    }
}

static void require_same(const struct report *report, json_t *list)
{
    unsigned streams = 0, same = 0, cuts = 0;
    for (unsigned i = 0; i < report->count; i++) {
        const struct outcome *outcome = report->outcomes[i];
        streams += outcome->streams;
        same += outcome->same_events < outcome->same_bins ? outcome->same_events : outcome->same_bins;
        cuts += outcome->cuts;
    }
    require(list, "same input twice", "same events and bins", true, report->same_twice, "");
    char figure[128];
    snprintf(figure, sizeof figure, "%u of %u streams, %u checkpoints", same, streams, cuts);
    require(list, "resumed from checkpoints", "same events and bins", streams > 0, same == streams, figure);
}

json_t *requirements(const struct report *report)
{
    json_t *list = json_array();
    printf("\nto reach\n");
    require_delay(report, list, "blackout, Poisson, 500 flows or more: delay / optimum",
                  (const char *const[]){"blackout", "fresh"}, 1, 1.15);
    require_delay(report, list, "blackout, over-dispersed or seasonal: delay / oracle",
                  (const char *const[]){"varying", NULL}, 1, 1.5);
    require_delay(report, list, "depth 0.75, Poisson: delay / optimum",
                  (const char *const[]){"partial", NULL}, 0.75, 1.5);
    require_quiet(report, list);
    require_found(report, list);
    require_onset(report, list);
    require_returns(report, list);
    require_changes(report, list);
    require_same(report, list);
    return list;
}
