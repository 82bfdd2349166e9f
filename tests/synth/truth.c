/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fate.h"
#include "truth.h"

void truth_instant(char text[TRUTH_INSTANT_BYTES], int64_t t_ns)
{
    time_t s = (time_t)(clock_floor(t_ns, NS_PER_S) / NS_PER_S);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t length = strftime(text, TRUTH_INSTANT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + length, TRUTH_INSTANT_BYTES - length, ".%06dZ", (int)((t_ns - s * NS_PER_S) / 1000));
}

void truth_range(char text[TRUTH_RANGE_BYTES], const struct range *range)
{
    uint32_t first = range->first, last = range->last, size = last - first;
    int length = snprintf(text, TRUTH_RANGE_BYTES, "%u.%u.%u.%u", first >> 24, first >> 16 & 255,
                          first >> 8 & 255, first & 255);
    if ((size & (size + 1)) == 0 && (first & size) == 0)
        snprintf(text + length, TRUTH_RANGE_BYTES - (size_t)length, "/%d", 32 - __builtin_popcount(size));
    else
        snprintf(text + length, TRUTH_RANGE_BYTES - (size_t)length, "-%u.%u.%u.%u", last >> 24,
                 last >> 16 & 255, last >> 8 & 255, last & 255);
}

/* An instant, or null when the capture ends before it. */
static json_t *instant(const struct script *script, int64_t t_ns)
{
    char text[TRUTH_INSTANT_BYTES];
    truth_instant(text, t_ns);
    return t_ns > script->to_ns ? json_null() : json_string(text);
}

/* Rates are given to four digits after the point. */
static json_t *rate(double per_minute)
{
    return json_real(round(per_minute * 1e4) / 1e4);
}

static json_t *lines(const struct notes *notes)
{
    json_t *array = json_array();
    for (int i = 0; i < notes->count; i++)
        json_array_append_new(array, json_string(notes->item[i]));
    return array;
}

static json_t *words(const struct names *names)
{
    json_t *array = json_array();
    for (int i = 0; i < names->count; i++)
        json_array_append_new(array, json_string(names->item[i]));
    return array;
}

static double traffic_rate(const struct traffic *traffic)
{
    double sum = 0;
    for (int kind = 0; kind < KIND__COUNT; kind++)
        sum += traffic->rate[kind];
    return sum;
}

/* Flows a minute that would be answered if nothing went wrong: services and outward traffic, without scans.
 */
static double watched_rate(const struct script *script, int64_t t_ns)
{
    double sum = 0;
    for (int i = 0; i < script->traffic_count; i++)
        if (script->traffic[i].role != ROLE_CONTROL)
            sum += traffic_rate(&script->traffic[i]) * script_curve(script, &script->traffic[i].curve, t_ns);
    return sum;
}

static json_t *expected(const struct script *script)
{
    const int64_t step_ns = 600 * NS_PER_S;
    double sum = 0, least = INFINITY, most = 0;
    int steps = 0;
    for (int64_t t_ns = script->from_ns; t_ns < script->to_ns; t_ns += step_ns, steps++) {
        double now = watched_rate(script, t_ns);
        sum += now;
        least = fmin(least, now);
        most = fmax(most, now);
    }
    json_t *roles[] = {json_object(), json_object(), json_object()}, *scans = json_object();
    for (int i = 0; i < script->traffic_count; i++)
        json_object_set_new(roles[script->traffic[i].role], script->traffic[i].label.name,
                            rate(traffic_rate(&script->traffic[i])));
    for (int i = 0; i < script->scan_count; i++)
        json_object_set_new(scans, script->scan[i].label.name, rate(script->scan[i].rate));
    json_t *all =
        json_pack("{s:o, s:o, s:o}", "mean", rate(sum / steps), "least", rate(least), "most", rate(most));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o}", "unit",
        "flows a minute; all: over the day and week, without outages; the others: before their curve", "all",
        all, "services", roles[ROLE_SERVICE], "outward", roles[ROLE_OUTWARD], "control", roles[ROLE_CONTROL],
        "scans", scans);
}

static json_t *flickers(const struct script *script, const struct outage *outage)
{
    json_t *array = json_array();
    for (int i = 0; i < outage->flicker.count; i++) {
        const struct flicker *flicker = &outage->flicker.item[i];
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:o}", "from", instant(script, flicker->from_ns), "to",
                                        instant(script, flicker->to_ns), "who", words(&flicker->who)));
    }
    return array;
}

static json_t *order(const struct script *script, const struct outage *outage)
{
    json_t *array = json_array();
    for (int i = 0; i < outage->order.count; i++)
        json_array_append_new(array, json_pack("{s:s, s:o}", "who", outage->order.item[i], "at",
                                               instant(script, fate_return(outage, i))));
    return array;
}

static json_t *outage_json(const struct script *script, const struct outage *outage)
{
    static const char *const shapes[] = {
        [SHAPE_STEP] = "step", [SHAPE_RAMP] = "ramp", [SHAPE_RAGGED] = "ragged"};
    static const char *const inbounds[] = {
        [INBOUND_PERSISTS] = "persists", [INBOUND_CEASES] = "ceases", [INBOUND_WITHDRAWN] = "withdrawn"};
    char full[TRUTH_INSTANT_BYTES], begins[TRUTH_INSTANT_BYTES];
    truth_instant(begins, outage->from_ns);
    truth_instant(full, outage->from_ns + outage->onset.takes_ns);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:f, s:s, s:s, s:s, s:f, s:s}", "name",
                               outage->label.name, "scope", outage->scope, "onset", begins, "full_depth",
                               full, "end", instant(script, outage->to_ns), "recovered",
                               instant(script, outage->to_ns + outage->recovery.takes_ns), "depth",
                               outage->depth, "onset_shape", shapes[outage->onset.shape], "recovery_shape",
                               shapes[outage->recovery.shape], "inbound", inbounds[outage->inbound],
                               "unreachable", outage->refusal.share, "verdict", outage->verdict);
    json_object_set_new(object, "flickers", flickers(script, outage));
    json_object_set_new(object, "order", order(script, outage));
    json_object_set_new(object, "note", lines(&outage->note));
    if (outage->surge.rate > 0)
        json_object_set_new(object, "surge",
                            json_pack("{s:o, s:o}", "flows_per_min", rate(outage->surge.rate), "from",
                                      instant(script, outage->from_ns - outage->surge.before_ns)));
    return object;
}

static json_t *tap_faults(const struct script *script)
{
    static const char *const kinds[] = {[LOSS_SHARE] = "share",
                                        [LOSS_INBOUND] = "inbound",
                                        [LOSS_OUTBOUND] = "outbound",
                                        [LOSS_VLAN] = "vlan"};
    json_t *array = json_array();
    for (int i = 0; i < script->tap_fault_count; i++) {
        const struct tap_fault *fault = &script->tap_fault[i];
        json_array_append_new(array,
                              json_pack("{s:s, s:o, s:o, s:i, s:s, s:f}", "name", fault->label.name, "from",
                                        instant(script, fault->from_ns), "to", instant(script, fault->to_ns),
                                        "cuts_at", fault->kept_bytes, "loses", kinds[fault->loss.kind],
                                        "share", fault->loss.kind == LOSS_SHARE ? fault->loss.share : 1.0));
    }
    return array;
}

/* A stretch of time in which something bends the ordinary traffic. */
static void add_bend(const struct script *script, json_t *array, const char *kind, const struct label *label,
                     int64_t from_ns, int64_t to_ns)
{
    json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:o}", "kind", kind, "name", label->name, "from",
                                           instant(script, from_ns), "to", instant(script, to_ns)));
}

static json_t *bends(const struct script *script)
{
    json_t *array = json_array();
    for (int i = 0; i < script->strain_count; i++) {
        const struct strain *strain = &script->strain[i];
        add_bend(script, array, "strain", &strain->label, strain->from_ns,
                 strain->to_ns + strain->recovery.takes_ns);
    }
    for (int i = 0; i < script->move_count; i++)
        add_bend(script, array, "move", &script->move[i].label, script->move[i].from_ns,
                 script->move[i].to_ns);
    for (int i = 0; i < script->forged_count; i++)
        add_bend(script, array, "forged", &script->forged[i].label, script->forged[i].from_ns,
                 script->forged[i].to_ns);
    for (int i = 0; i < script->block_count; i++)
        add_bend(script, array, "block", &script->block[i].label, script->block[i].from_ns,
                 script->block[i].to_ns);
    return array;
}

static json_t *expectations(const struct script *script)
{
    json_t *object = json_object();
    for (int i = 0; i < script->expect_count; i++) {
        const struct expect *expect = &script->expect[i];
        json_object_set_new(object, expect->label.name,
                            json_pack("{s:o, s:o, s:o, s:o}", "verdict", words(&expect->verdict), "scope",
                                      words(&expect->scope), "never", words(&expect->never), "because",
                                      lines(&expect->because)));
    }
    return object;
}

/* Where the tap is not at its usual place. */
static json_t *tap_place(const struct tap *tap)
{
    return json_pack("{s:s, s:b, s:b, s:s}", "direction",
                     tap->inward_only    ? "inward"
                     : tap->outward_only ? "outward"
                                         : "both",
                     "labels", !tap->unlabelled, "beyond", tap->beyond, "path", tap->path);
}

static void add_the_rarer(const struct script *script, json_t *truth, const struct world_counts *counts)
{
    const struct tap *tap = &script->tap;
    json_t *all_bends = bends(script);
    if (json_array_size(all_bends) > 0)
        json_object_set(truth, "bends", all_bends);
    json_decref(all_bends);
    if (script->expect_count > 0)
        json_object_set_new(truth, "expect", expectations(script));
    if (tap->inward_only || tap->outward_only || tap->unlabelled || tap->beyond || tap->path_index >= 0)
        json_object_set_new(truth, "tap", tap_place(tap));
    if (script->forged_count > 0 && counts != NULL)
        json_object_set_new(json_object_get(truth, "written"), "forged",
                            json_integer((json_int_t)counts->forged));
}

static json_t *watched(const struct script *script)
{
    json_t *array = json_array();
    for (int i = 0; i < script->watch.count; i++) {
        char text[TRUTH_RANGE_BYTES];
        truth_range(text, &script->watch.item[i]);
        json_array_append_new(array, json_string(text));
    }
    return array;
}

int truth_write(const struct script *script, const char *path, const struct world_counts *counts,
                struct fault *fault)
{
    json_t *outages = json_array();
    for (int i = 0; i < script->outage_count; i++)
        json_array_append_new(outages, outage_json(script, &script->outage[i]));
    json_t *truth = json_pack(
        "{s:s, s:o, s:I, s:{s:o, s:o}, s:I, s:o, s:o, s:o, s:o, s:o}", "scenario", script->name, "note",
        lines(&script->note), "seed", (json_int_t)script->seed, "period", "from",
        instant(script, script->from_ns), "to", instant(script, script->to_ns), "utc_offset_s",
        (json_int_t)(script->zone_ns / NS_PER_S), "watch", watched(script), "outages", outages, "tap_faults",
        tap_faults(script), "expected", expected(script), "assumed", lines(&script->assumed));
    if (truth != NULL && counts != NULL)
        json_object_set_new(truth, "written",
                            json_pack("{s:I, s:I, s:I, s:I, s:I}", "packets", (json_int_t)counts->packets,
                                      "packets_in", (json_int_t)counts->packets_in, "packets_out",
                                      (json_int_t)counts->packets_out, "flows", (json_int_t)counts->flows,
                                      "answered_flows", (json_int_t)counts->answered_flows));
    if (truth != NULL)
        add_the_rarer(script, truth, counts);
    if (truth == NULL)
        return fault_set(fault, "%s: the truth cannot be made: is a text of the script no UTF-8?", path);
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    int status = file == NULL ? -1 : json_dumpf(truth, file, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    status |= file == NULL ? 0 : fputc('\n', file) == EOF || fclose(file) != 0;
    json_decref(truth);
    return status == 0 ? 0 : fault_set(fault, "%s: cannot be written: %s", path, strerror(errno));
}
