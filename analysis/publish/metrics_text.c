/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows the names of the metrics. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "status_text.h"
#include "text.h"

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP lightsout_%s %s\n# TYPE lightsout_%s %s\n", name, help, name, type);
}

/* A label's value: what is no UTF-8 is replaced, and what would end it escaped. */
static void put_label(FILE *out, const char *name, const char *value)
{
    char clean[3 * 256];
    text_utf8(value, clean, sizeof clean);
    fprintf(out, "%s=\"", name);
    for (const char *c = clean; *c != '\0'; c++)
        if (*c == '\n')
            fputs("\\n", out);
        else if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else
            fputc(*c, out);
    fputc('"', out);
}

static void put_one(FILE *out, const char *name, double value)
{
    fprintf(out, "lightsout_%s %.15g\n", name, value);
}

/* A sample with a scope and, unless `label` is NULL, another label. */
static void put_scoped(FILE *out, const char *name, const struct status_scope *scope, const char *label,
                       const char *is, double value)
{
    fprintf(out, "lightsout_%s{", name);
    put_label(out, "scope", scope->scope.text);
    if (label != NULL) {
        fputc(',', out);
        put_label(out, label, is);
    }
    fprintf(out, "} %.15g\n", value);
}

static void put_about(const struct status *status, FILE *out)
{
    family(out, "build_info", "gauge", "The version that runs; always 1.");
    fputs("lightsout_build_info{version=\"" LIGHTSOUT_VERSION "\"} 1\n", out);
    family(out, "sensor_info", "gauge", "The sensor's name, and whether it is live or a replay; always 1.");
    fputs("lightsout_sensor_info{", out);
    put_label(out, "sensor", status->options->sensor);
    fprintf(out, ",mode=\"%s\"} 1\n", status->options->replay ? "replay" : "live");
    family(out, "sensor_impaired", "gauge",
           "1 while the sensor itself does not see, so that no outage is told.");
    put_one(out, "sensor_impaired", status_blind(status));
    if (status->data_ns == TIME_NONE)
        return;
    family(out, "data_timestamp_seconds", "gauge",
           "Data time reached, since the epoch: of the packets, and live of the clock where none comes.");
    put_one(out, "data_timestamp_seconds", (double)(status->data_ns / NS_PER_US) / 1e6);
    family(out, "last_step_timestamp_seconds", "gauge", "Wall clock when the reader last closed a step.");
    fprintf(out, "lightsout_last_step_timestamp_seconds %.3f\n", status->stepped_s);
}

/* Every state and every reason of every scope has a sample, so that none comes and goes. */
static void put_states(const struct status *status, FILE *out)
{
    family(out, "scope_state", "gauge", "1 for the state that the scope is in, 0 for the others.");
    for (uint32_t i = 0; i < status->scope_count; i++)
        for (int state = 0; state < STATE__COUNT && status->scope[i].bins > 0; state++)
            put_scoped(out, "scope_state", &status->scope[i], "state",
                       event_text_state((enum scope_state)state),
                       status->scope[i].last.state == (enum scope_state)state);
    family(out, "scope_learning", "gauge", "1 for the reason why the scope cannot be judged yet, if any.");
    for (uint32_t i = 0; i < status->scope_count; i++)
        for (int reason = LEARNING_DONE + 1; reason < LEARNING__COUNT && status->scope[i].bins > 0; reason++)
            put_scoped(out, "scope_learning", &status->scope[i], "reason",
                       event_text_learning((enum learning)reason),
                       status->scope[i].last.learning == (enum learning)reason);
    family(out, "scope_signal", "gauge", "1 for the measure in which the scope is judged.");
    for (uint32_t i = 0; i < status->scope_count; i++)
        if (status->scope[i].bins > 0)
            put_scoped(out, "scope_signal", &status->scope[i], "signal",
                       event_text_signal(status->scope[i].last.signal), 1);
}

/* A number of the last bin, that is left out where it is not known. */
struct level {
    const char *name, *help;
    double (*of)(const struct bin *bin);
};

static double a_second(const struct bin *bin, double count)
{
    double minutes = bin_text_minutes(bin);
    return count >= 0 && minutes > 0 ? count / (60 * minutes) : -1;
}

static double observed(const struct bin *bin)
{
    return a_second(bin, bin_text_observed(bin));
}

static double expected(const struct bin *bin)
{
    return a_second(bin, bin_text_expected(bin));
}

static double low(const struct bin *bin)
{
    return a_second(bin, bin->low);
}

static double detectable(const struct bin *bin)
{
    return bin->detectable_s;
}

static double promised(const struct bin *bin)
{
    return bin->alarms.nominal_per_year > 0 ? bin->alarms.nominal_per_year : -1;
}

static double realised(const struct bin *bin)
{
    return bin->alarms.nominal_per_year > 0 ? bin_text_realised(&bin->alarms) : -1;
}

static double due(const struct bin *bin)
{
    return bin->alarms.nominal_per_year > 0 ? bin->alarms.near_due : -1;
}

static double seen(const struct bin *bin)
{
    return bin->alarms.nominal_per_year > 0 ? bin->alarms.near_seen : -1;
}

static const struct level levels_of_bins[] = {
    {"observed_per_second", "What the last bin counted of the scope's signal.", observed},
    {"expected_per_second", "What was expected of the scope's signal in the last bin.", expected},
    {"low_per_second", "What 999 of 1000 such bins reach.", low},
    {"detectable_seconds", "The shortest total outage that would be noticed now; absent: none would.",
     detectable},
    {"false_alarms_nominal_per_year", "False alarms promised.", promised},
    {"false_alarms_realised_per_year",
     "False alarms that the silences seen so far stand for; absent: too few to tell.", realised},
    {"near_alarms_due", "Silences near to an alarm that were due, lately the most.", due},
    {"near_alarms_seen", "Silences near to an alarm that came, lately the most.", seen},
};

static void put_levels(const struct status *status, FILE *out)
{
    for (size_t k = 0; k < sizeof levels_of_bins / sizeof *levels_of_bins; k++) {
        const struct level *level = &levels_of_bins[k];
        family(out, level->name, "gauge", level->help);
        for (uint32_t i = 0; i < status->scope_count; i++) {
            double value = status->scope[i].bins > 0 ? level->of(&status->scope[i].last) : -1;
            if (value >= 0 && isfinite(value))
                put_scoped(out, level->name, &status->scope[i], NULL, NULL, value);
        }
    }
}

/* A measure over all bins since the start. */
struct sum {
    const char *name, *help, *direction; /* help NULL: of the family above; direction NULL: it has none */
    enum tally_measure measure;
};

static const struct sum sums[] = {
    {"flows_total", "Flow starts.", NULL, TALLY_flows},
    {"live_flows_total", "Flows in which the watched side spoke.", NULL, TALLY_live_flows},
    {"answered_flows_total", "Flows in which both sides were heard.", NULL, TALLY_answered_flows},
    {"packets_total", "Packets towards the watched side and from it; of the tap those that are not watched.",
     "in", TALLY_packets_in},
    {"packets_total", NULL, "out", TALLY_packets_out},
    {"bytes_total", "IP bytes on the wire, likewise.", "in", TALLY_bytes_in},
    {"bytes_total", NULL, "out", TALLY_bytes_out},
};

static void put_sum(const struct status *status, const struct sum *sum, FILE *out)
{
    for (uint32_t i = 0; i < status->scope_count; i++) {
        const struct status_scope *scope = &status->scope[i];
        bool of_tap = sum->measure == TALLY_packets_in || sum->measure == TALLY_bytes_in;
        if (!(scope->known & TALLY_BIT(sum->measure)) || (scope->scope.kind == SCOPE_TAP && !of_tap))
            continue;
        fprintf(out, "lightsout_%s{", sum->name);
        put_label(out, "scope", scope->scope.text);
        if (sum->direction != NULL)
            fprintf(out, ",direction=\"%s\"", sum->direction);
        fprintf(out, "} %" PRIu64 "\n", scope->total[sum->measure]);
    }
}

static void put_sums(const struct status *status, FILE *out)
{
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
        if (sums[k].help != NULL)
            family(out, sums[k].name, "counter", sums[k].help);
        put_sum(status, &sums[k], out);
    }
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* Whether it is known how much was dropped: it is not of a savefile, nor of every interface. */
static bool knows_drops(const struct status *status)
{
    const struct status_scope *tap = &status->scope[status->scope_count - 1];
    return !status->options->replay && (tap->known & TALLY_BIT(TALLY_drops));
}

/* Of Redis there is nothing to say where there is none. Events have labels of their own. */
static bool is_told(const struct status *status, const char *name)
{
    size_t length = strlen(name);
    bool drops = length > 6 && strcmp(name + length - 6, "_drops") == 0;
    return !(drops && !knows_drops(status)) && !(begins(name, "redis_") && !status->levels.redis) &&
           strcmp(name, "events_published") != 0;
}

static void put_health(const struct status *status, FILE *out)
{
    static const char refused[] = "refused_", errors[] = "redis_error_";
    const struct {
        const char *name, *help;
        uint64_t count;
    } rows[] = {
#define HEALTH_ROW(name, help) {#name, help, status->health.name},
        HEALTH_COUNTERS(HEALTH_ROW)
#undef HEALTH_ROW
    };
    char name[96];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (begins(rows[i].name, refused) || begins(rows[i].name, errors) || !is_told(status, rows[i].name))
            continue;
        snprintf(name, sizeof name, "%s_total", rows[i].name);
        family(out, name, "counter", rows[i].help);
        fprintf(out, "lightsout_%s %" PRIu64 "\n", name, rows[i].count);
    }
    family(out, "frames_refused_total", "counter", "Frames and packets that were not counted, and why not.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (begins(rows[i].name, refused))
            fprintf(out, "lightsout_frames_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                    rows[i].name + strlen(refused), rows[i].count);
    if (!status->levels.redis)
        return;
    family(out, "redis_errors_total", "counter", "Replies and connections that failed, and how.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (begins(rows[i].name, errors))
            fprintf(out, "lightsout_redis_errors_total{class=\"%s\"} %" PRIu64 "\n",
                    rows[i].name + strlen(errors), rows[i].count);
}

static void put_interfaces(const struct status *status, FILE *out)
{
    const uint32_t last = TALLY_INTERFACES - 1, count = status->interfaces.count;
    family(out, "interface_dropped_packets_total", "counter",
           "Packets lost of each interface, up to the last bin.");
    for (uint32_t i = 0; i < count && i <= last && knows_drops(status); i++) {
        fputs("lightsout_interface_dropped_packets_total{", out);
        put_label(out, "interface",
                  i == last && count > TALLY_INTERFACES ? "others" : status->interfaces.names[i]);
        fprintf(out, "} %" PRIu64 "\n", status->lost[i]);
    }
}

static void put_publishing(const struct status *status, FILE *out)
{
    family(out, "events_published_total", "counter", "Events told.");
    for (int i = 0; i < EVENT__COUNT; i++)
        fprintf(out, "lightsout_events_published_total{action=\"%s\"} %" PRIu64 "\n",
                event_text_action((enum event_action)i), status->events[i]);
    family(out, "episodes_open", "gauge", "Episodes under way, of outages and of the sensor.");
    put_one(out, "episodes_open", (double)status->open_count);
    family(out, "queue_bytes", "gauge", "What waits to be published.");
    put_one(out, "queue_bytes", (double)status->levels.queue_bytes);
    family(out, "queue_room_bytes", "gauge", "What may wait at most; live, more is dropped.");
    put_one(out, "queue_room_bytes", (double)status->levels.queue_room_bytes);
    if (!status->levels.redis)
        return;
    family(out, "redis_up", "gauge", "1 while Redis takes what it is sent.");
    put_one(out, "redis_up", status->levels.redis_up);
    family(out, "redis_trouble", "gauge", "1 while Redis has this trouble, 0 for the others.");
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        fprintf(out, "lightsout_redis_trouble{class=\"%s\"} %u\n", redis_trouble_name((enum redis_trouble)i),
                status->levels.redis_troubles >> i & 1);
    family(out, "redis_waiting_events", "gauge", "Events that wait for Redis.");
    put_one(out, "redis_waiting_events", (double)status->levels.redis_events);
    family(out, "redis_waiting_bins", "gauge", "Bins that wait for Redis.");
    put_one(out, "redis_waiting_bins", (double)status->levels.redis_bins);
}

void metrics_text_write(const struct status *status, FILE *out)
{
    put_about(status, out);
    put_states(status, out);
    put_levels(status, out);
    put_sums(status, out);
    put_health(status, out);
    put_interfaces(status, out);
    put_publishing(status, out);
}
