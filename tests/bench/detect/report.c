/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double report_percent(unsigned part, unsigned whole)
{
    return whole > 0 ? 100.0 * part / whole : NAN;
}

json_t *report_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

const char *report_seconds(double seconds)
{
    static char texts[5][16];
    static unsigned next;
    char *text = texts[next++ % 5];
    if (!isfinite(seconds))
        return "-";
    if (fabs(seconds) < 600)
        snprintf(text, sizeof texts[0], "%.1fs", seconds);
    else if (fabs(seconds) < 600 * 60)
        snprintf(text, sizeof texts[0], "%.1fm", seconds / 60);
    else
        snprintf(text, sizeof texts[0], "%.1fh", seconds / 3600);
    return text;
}

static json_t *case_head(const struct plan *plan, const struct outcome *outcome)
{
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f}", "group", plan->group, "name",
                     plan->name, "per_minute", plan->shape.per_minute, "cluster", plan->shape.cluster,
                     "depth", plan->depth, "step_s", plan->step_s, "false_alarms_per_year_nominal",
                     plan->alarms_per_year, "quiet_years", outcome->years, "false_alarms",
                     (int)outcome->false_alarms, "computing_s", outcome->seconds);
}

static json_t *all_cases(const struct report *report)
{
    json_t *cases = json_array();
    const char *group = "";
    for (unsigned i = 0; i < report->count; i++) {
        const struct plan *plan = &report->plans[i];
        json_t *head = case_head(plan, report->outcomes[i]);
        if (strcmp(group, plan->group) != 0) {
            group = plan->group;
            table_heading(plan);
        }
        json_t *line = table_case(plan, report->outcomes[i]);
        json_object_update(head, line);
        json_decref(line);
        json_array_append_new(cases, head);
    }
    return cases;
}

int report_write(const struct report *report, const char *path)
{
    for (unsigned i = 0; i < report->count; i++)
        if (report->outcomes[i][0].failed) {
            fprintf(stderr, "%s, %s: could not be run to its end\n", report->plans[i].group,
                    report->plans[i].name);
            return -1;
        }
    json_t *cases = all_cases(report);
    json_t *root = json_pack("{s:b, s:b, s:o, s:o}", "tuning_seeds", report->tune, "quick", report->quick,
                             "cases", cases, "requirements", requirements(report));
    int status = root != NULL ? json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(5)) : -1;
    if (status != 0)
        fprintf(stderr, "%s: cannot be written\n", path);
    json_decref(root);
    return status;
}
