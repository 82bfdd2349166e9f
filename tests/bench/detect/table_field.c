/* SPDX-License-Identifier: BSD-3-Clause */
/* The study beside the optimum and the rules of the field, and what is found of short outages. */
#include <math.h>
#include <stdio.h>

#include "report.h"
#include "sum.h"

/* ---- the rules of the field ---- */

enum { LENGTHS = 6 };
static const double lengths_s[LENGTHS] = {900, 1800, 3600, 7200, 21600, 86400};
static const double long_s = 21600; /* from here on a delay is told */

/* What a contender makes of a case. */
struct standing {
    unsigned outages[LENGTHS], found[LENGTHS];
    double delay_s; /* median of the long ones, missed ones included */
    double alarms_per_year;
    double chance;   /* share of the outages into which a false alarm falls anyway */
    double episodes; /* a found outage */
};

static unsigned length_number(const struct fate *fate)
{
    unsigned number = 0;
    while (number < LENGTHS - 1 && fate->length_s > 1.01 * lengths_s[number])
        number++;
    return number;
}

/* `oracle`: of the optimum, which needs no telling. */
static struct standing stand(const struct outcome *outcome, bool oracle, double oracle_alarms)
{
    struct standing standing = {0};
    double delays[FATES_MAX];
    unsigned long_count = 0, found = 0, episodes = 0;
    standing.alarms_per_year = oracle ? oracle_alarms : outcome->false_alarms / outcome->years;
    for (unsigned i = 0; i < outcome->fate_count; i++) {
        const struct fate *fate = &outcome->fates[i];
        double delay_s = oracle ? fate->oracle_s : fate->told_s;
        unsigned number = length_number(fate);
        standing.outages[number]++;
        standing.found[number] += isfinite(delay_s);
        found += isfinite(delay_s);
        episodes += oracle ? isfinite(delay_s) : fate->episodes;
        if (fate->length_s >= long_s)
            delays[long_count++] = delay_s;
        standing.chance -=
            expm1(-standing.alarms_per_year * fate->length_s / (365.25 * 86400)) / outcome->fate_count;
    }
    standing.delay_s = sum_median(delays, long_count);
    standing.episodes = found > 0 ? (double)episodes / found : NAN;
    return standing;
}

static json_t *standing_line(const char *name, const struct standing *standing)
{
    json_t *found = json_array();
    printf("  %-18s", name);
    for (unsigned i = 0; i < LENGTHS; i++) {
        double percent = report_percent(standing->found[i], standing->outages[i]);
        printf(" %5.0f", percent);
        json_array_append_new(found, json_pack("{s:f, s:i, s:i}", "length_s", lengths_s[i], "outages",
                                               (int)standing->outages[i], "found", (int)standing->found[i]));
    }
    printf(" | %8s %12.1f %9.0f", report_seconds(standing->delay_s), standing->alarms_per_year,
           100 * standing->chance);
    if (isfinite(standing->episodes))
        printf(" %9.1f\n", standing->episodes);
    else
        printf(" %9s\n", "-");
    return json_pack("{s:s, s:o, s:o, s:f, s:f, s:o}", "name", name, "by_length", found, "median_delay_s",
                     report_number(standing->delay_s), "false_alarms_per_year", standing->alarms_per_year,
                     "by_chance", standing->chance, "episodes_an_outage", report_number(standing->episodes));
}

void field_heading(void)
{
    printf(
        "  found %%, told while it lasted or after; delay: median of the two longest, missed ones included;"
        "\n  chance: outages into which one of its false alarms falls anyway, %%\n");
    printf("  %-18s", "");
    for (unsigned i = 0; i < LENGTHS; i++)
        printf(" %4.0f%s", lengths_s[i] < 3600 ? lengths_s[i] / 60 : lengths_s[i] / 3600,
               lengths_s[i] < 3600 ? "m" : "h");
    printf(" | %8s %12s %9s %9s\n", "delay", "false a year", "chance %", "episodes");
}

json_t *field_table(const struct plan *plan, const struct outcome *outcomes)
{
    json_t *list = json_array();
    printf("%s\n", plan->name);
    struct standing best = stand(&outcomes[0], true, plan->alarms_per_year),
                    study = stand(&outcomes[0], false, 0);
    json_array_append_new(list, standing_line("optimum", &best));
    json_array_append_new(list, standing_line("lightsout", &study));
    for (unsigned i = 0; i < RULES; i++) {
        struct standing standing = stand(&outcomes[1 + i], false, 0);
        json_array_append_new(list, standing_line(field_rules[i]->name, &standing));
    }
    return json_pack("{s:o}", "contenders", list);
}

/* ---- short outages ---- */

enum { STEPS = 8 };
static const double step_until[STEPS] = {0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.8, 3};

json_t *recall_table(const struct plan *plan, const struct outcome *outcome)
{
    unsigned outages[STEPS] = {0}, found[STEPS] = {0}, best[STEPS] = {0};
    double optimum_gaps = trial_optimum_s(plan) * plan->shape.per_minute / 60 / plan->shape.cluster;
    for (unsigned i = 0; i < outcome->fate_count; i++) {
        const struct fate *fate = &outcome->fates[i];
        double times = fate->length_s / fate->gap_s / optimum_gaps;
        unsigned step = 0;
        while (step < STEPS - 1 && times > step_until[step])
            step++;
        outages[step]++;
        found[step] += isfinite(fate->told_s);
        best[step] += isfinite(fate->oracle_s);
    }
    json_t *list = json_array();
    printf("%s\n  length over the optimum's delay, up to", plan->name);
    for (unsigned i = 0; i < STEPS; i++)
        printf(" %6.1f", step_until[i]);
    printf("\n  outages                               ");
    for (unsigned i = 0; i < STEPS; i++)
        printf(" %6u", outages[i]);
    printf("\n  found by the optimum, %%               ");
    for (unsigned i = 0; i < STEPS; i++)
        printf(" %6.1f", report_percent(best[i], outages[i]));
    printf("\n  found by lightsout, %%                 ");
    for (unsigned i = 0; i < STEPS; i++) {
        printf(" %6.1f", report_percent(found[i], outages[i]));
        json_array_append_new(list, json_pack("{s:f, s:i, s:i, s:i}", "until_optimum_times", step_until[i],
                                              "outages", (int)outages[i], "found", (int)found[i],
                                              "found_by_optimum", (int)best[i]));
    }
    printf("\n");
    return json_pack("{s:o}", "recall", list);
}
