/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows the published names of bins. */
#include "bin_text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "event_text.h"

static const double changed_ms = 20, changed_share = 0.2, changed_hops = 1.5;
static const double near_enough = 1; /* silences due before what came of them says anything */

static const char *const measures[TALLY__COUNT] = {
#define MEASURE_NAME(name) #name,
    TALLY_MEASURES(MEASURE_NAME)
#undef MEASURE_NAME
};

void bin_text_header(struct text *out)
{
    text_put(out, "time,scope");
    for (int i = 0; i < TALLY_FURTHER; i++)
        text_format(out, ",%s", measures[i]);
    text_put(out, ",expected,low,state,detectable_s");
    for (int i = TALLY_FURTHER; i < TALLY__COUNT; i++)
        text_format(out, ",%s", measures[i]);
    text_put(out, "\n");
}

/* A name as a CSV cell: in quotes when it holds what means something to CSV (RFC 4180), without line ends. */
static void put_cell(struct text *out, const char *name)
{
    if (name[strcspn(name, ",\"\r\n")] == '\0') {
        text_put(out, name);
        return;
    }
    text_put(out, "\"");
    for (; *name != '\0'; name++)
        text_format(out, *name == '"' ? "\"%c" : "%c", *name == '\n' || *name == '\r' ? ' ' : *name);
    text_put(out, "\"");
}

static bool is_known(double value)
{
    return value >= 0 && isfinite(value);
}

static void put_known(struct text *out, double value, int decimals)
{
    text_put(out, ",");
    if (is_known(value))
        text_format(out, "%.*f", decimals, value);
}

static void put_measures(struct text *out, const struct tally *tally, int from, int to)
{
    for (int i = from; i < to; i++) {
        text_put(out, ",");
        if (tally_knows(tally, i))
            text_count(out, tally->value[i]);
    }
}

void bin_text_row(const struct bin *bin, const struct scope *scope, struct text *out)
{
    char time[TEXT_TIME_MAX];
    text_time_s(bin->start_ns, time);
    text_put(out, time);
    text_put(out, ",");
    put_cell(out, scope->text);
    put_measures(out, &bin->tally, 0, TALLY_FURTHER);
    put_known(out, bin->expected, 3);
    put_known(out, bin->low, 3);
    text_put(out, ",");
    text_put(out, event_text_state(bin->state));
    put_known(out, bin->detectable_s, 1);
    put_measures(out, &bin->tally, TALLY_FURTHER, TALLY__COUNT);
    text_put(out, "\n");
}

static void json_known(struct text *out, const char *key, double value, int decimals)
{
    if (is_known(value))
        text_format(out, ",\"%s\":%.*f", key, decimals, value);
}

static void json_instant(struct text *out, const char *key, int64_t at_ns)
{
    char time[TEXT_TIME_MAX];
    text_time(at_ns, time);
    text_format(out, "\"%s\":\"%s\"", key, time);
}

static void put_outage(struct text *out, const struct bin_outage *outage)
{
    text_put(out, ",\"outage\":{");
    json_instant(out, "onset", outage->onset_ns);
    text_put(out, ",");
    json_instant(out, "onset_earliest", outage->onset_earliest_ns);
    text_put(out, ",");
    json_instant(out, "onset_latest", outage->onset_latest_ns);
    if (outage->end_ns != TIME_NONE) {
        text_put(out, ",");
        json_instant(out, "end", outage->end_ns);
        text_put(out, ",");
        json_instant(out, "end_earliest", outage->end_earliest_ns);
        text_put(out, ",");
        json_instant(out, "end_latest", outage->end_latest_ns);
    }
    json_known(out, "recovered", outage->recovered, 3);
    if (outage->level_accepted > 0)
        json_known(out, "level_accepted", outage->level_accepted, 3);
    if (isfinite(outage->log_odds)) /* negative: it speaks against */
        text_format(out, ",\"log_odds\":%.3f", outage->log_odds);
    double told = 0;
    for (int i = 0; i < VERDICT__COUNT; i++)
        told += outage->probability[i];
    for (int i = 0; i < VERDICT__COUNT && told > 0; i++)
        text_format(out, "%s\"%s\":%.4f", i == 0 ? ",\"cause\":{" : ",", event_text_verdict((enum verdict)i),
                    outage->probability[i]);
    text_put(out, told > 0 ? "}}" : "}");
}

void bin_text_json(const struct bin *bin, const struct scope *scope, struct text *out)
{
    char time[TEXT_TIME_MAX];
    text_time_s(bin->start_ns, time);
    text_format(out, "{\"time\":\"%s\",\"scope\":", time);
    text_json(out, scope->text);
    text_put(out, ",");
    json_instant(out, "start", bin->tally.start_ns);
    text_put(out, ",");
    json_instant(out, "end", bin->tally.end_ns);
    for (int i = 0; i < TALLY__COUNT; i++)
        if (tally_knows(&bin->tally, i)) {
            text_format(out, ",\"%s\":", measures[i]);
            text_count(out, bin->tally.value[i]);
        }
    text_format(out, ",\"signal\":\"%s\"", event_text_signal(bin->signal));
    json_known(out, "expected", bin->expected, 3);
    json_known(out, "low", bin->low, 3);
    text_format(out, ",\"state\":\"%s\"", event_text_state(bin->state));
    json_known(out, "detectable_s", bin->detectable_s, 1);
    if (!scope->counted && scope->kind != SCOPE_TAP)
        text_put(out, ",\"counted\":false");
    if (bin->outage.known)
        put_outage(out, &bin->outage);
    text_put(out, "}");
}

/* Reading it back. */

static int64_t read_instant(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    struct tm tm = {0};
    const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (rest == NULL || tm.tm_year < 70 || tm.tm_year > 200) /* no distance may be beyond an int64_t */
        return TIME_NONE;
    int64_t at_ns = (int64_t)timegm(&tm) * NS_PER_S;
    if (*rest == '.') {
        int64_t unit_ns = NS_PER_S / 10;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit_ns /= 10)
            at_ns += (*rest - '0') * unit_ns;
    }
    return strcmp(rest, "Z") == 0 ? at_ns : TIME_NONE;
}

/* What no measure can be is not known. */
static double read_known(const json_t *object, const char *key, double otherwise)
{
    double number = json_number_value(json_object_get(object, key));
    return json_is_number(json_object_get(object, key)) && fabs(number) < 1e15 ? number : otherwise;
}

static double read_share(const json_t *object, const char *key)
{
    return fmin(fmax(read_known(object, key, 0), 0), 1);
}

/* The number of a published name, or `count`. */
static int read_name(const json_t *object, const char *key, int count, const char *(*name)(int))
{
    const char *text = json_string_value(json_object_get(object, key));
    int at = 0;
    while (at < count && (text == NULL || strcmp(text, name(at)) != 0))
        at++;
    return at;
}

static const char *state_name(int state)
{
    return event_text_state((enum scope_state)state);
}

static const char *signal_name(int signal)
{
    return event_text_signal((enum signal)signal);
}

static struct bin_outage read_outage(const json_t *object)
{
    struct bin_outage outage = {.known = json_is_object(object),
                                .onset_ns = read_instant(object, "onset"),
                                .onset_earliest_ns = read_instant(object, "onset_earliest"),
                                .onset_latest_ns = read_instant(object, "onset_latest"),
                                .end_ns = read_instant(object, "end"),
                                .end_earliest_ns = read_instant(object, "end_earliest"),
                                .end_latest_ns = read_instant(object, "end_latest"),
                                .recovered = read_share(object, "recovered"),
                                .level_accepted = read_share(object, "level_accepted"),
                                .log_odds = read_known(object, "log_odds", 0)};
    const json_t *cause = json_object_get(object, "cause");
    for (int i = 0; i < VERDICT__COUNT; i++)
        outage.probability[i] = read_share(cause, event_text_verdict((enum verdict)i));
    outage.known = outage.known && outage.onset_ns != TIME_NONE && outage.onset_earliest_ns != TIME_NONE &&
                   outage.onset_latest_ns != TIME_NONE;
    if (outage.end_ns == TIME_NONE || outage.end_earliest_ns == TIME_NONE ||
        outage.end_latest_ns == TIME_NONE)
        outage.end_ns = outage.end_earliest_ns = outage.end_latest_ns = TIME_NONE;
    return outage;
}

static int read_scope(const json_t *object, struct scope *scope)
{
    static const char *const heads[] = {[SCOPE_ALL] = "all",
                                        [SCOPE_PREFIX] = "prefix:",
                                        [SCOPE_PATH] = "path:",
                                        [SCOPE_SERVICE] = "service:",
                                        [SCOPE_TAP] = "tap"};
    const char *text = json_string_value(json_object_get(object, "scope"));
    if (text == NULL || strlen(text) >= sizeof scope->text)
        return -1;
    *scope = (struct scope){.kind = SCOPE_ALL};
    strcpy(scope->text, text);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        bool whole = i == SCOPE_ALL || i == SCOPE_TAP;
        if (whole ? strcmp(text, heads[i]) == 0 : strncmp(text, heads[i], strlen(heads[i])) == 0) {
            scope->kind = (enum scope_kind)i;
            scope->counted = i != SCOPE_TAP && !json_is_false(json_object_get(object, "counted"));
            return 0;
        }
    }
    return -1;
}

static void read_measures(const json_t *object, struct tally *tally)
{
    for (int i = 0; i < TALLY__COUNT; i++) {
        const json_t *number = json_object_get(object, measures[i]);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            continue;
        tally->value[i] = (uint64_t)json_integer_value(number);
        tally->known |= TALLY_BIT(i);
    }
}

static int read_object(const json_t *object, struct bin *bin, struct scope *scope)
{
    *bin = (struct bin){
        .start_ns = read_instant(object, "time"),
        .tally = tally_empty(read_instant(object, "start"), read_instant(object, "end"), 0),
        .signal = (enum signal)read_name(object, "signal", SIGNAL_NONE, signal_name),
        .state = (enum scope_state)read_name(object, "state", STATE__COUNT, state_name),
        .route = {-1, -1, -1, -1},
        .expected = read_known(object, "expected", -1),
        .low = read_known(object, "low", -1),
        .detectable_s = read_known(object, "detectable_s", -1),
        .outage = read_outage(json_object_get(object, "outage")),
    };
    read_measures(object, &bin->tally);
    bool timed =
        bin->start_ns != TIME_NONE && bin->tally.start_ns != TIME_NONE && bin->tally.end_ns != TIME_NONE;
    return timed && bin->state != STATE__COUNT ? read_scope(object, scope) : -1;
}

int bin_text_read(const char *json, size_t length, struct bin *bin, struct scope *scope)
{
    json_t *object = json_loadb(json, length, 0, NULL);
    int result = json_is_object(object) ? read_object(object, bin, scope) : -1;
    json_decref(object);
    return result;
}

/* The way to the scope, and whether it is another than usual: by so many ms or hops on average. */
static void put_route(struct text *out, const struct route *route)
{
    if (!is_known(route->usual_trip_ms) && !(route->usual_hops > 0))
        return;
    bool changed = (is_known(route->trip_ms) && is_known(route->usual_trip_ms) &&
                    fabs(route->trip_ms - route->usual_trip_ms) >=
                        fmax(changed_ms, changed_share * route->usual_trip_ms)) ||
                   (is_known(route->hops) && is_known(route->usual_hops) &&
                    fabs(route->hops - route->usual_hops) >= changed_hops);
    text_format(out, ",\"route\":{\"changed\":%s", changed ? "true" : "false");
    json_known(out, "rtt_ms", route->trip_ms, 1);
    json_known(out, "usual_rtt_ms", route->usual_trip_ms, 1);
    json_known(out, "hops", route->hops, 1);
    json_known(out, "usual_hops", route->usual_hops, 1);
    text_put(out, "}");
}

/* What each interface of a live tap lost in the bin. */
static void put_interfaces(struct text *out, const struct bin *bin, const struct bin_interfaces *interfaces)
{
    const uint32_t last = TALLY_INTERFACES - 1;
    for (uint32_t i = 0; i < interfaces->count && i <= last; i++) {
        bool shared = i == last && interfaces->count > TALLY_INTERFACES;
        text_put(out, i == 0 ? ",\"interfaces\":[{\"name\":" : ",{\"name\":");
        text_json(out, shared ? "other interfaces" : interfaces->names[i]);
        text_put(out, ",\"drops\":");
        if (tally_knows(&bin->tally, TALLY_drops))
            text_count(out, bin->tally.lost[i]);
        else
            text_put(out, "null");
        text_put(out, "}");
    }
    if (interfaces->count > 0)
        text_put(out, "]");
}

void bin_text_state(const struct bin *bin, const struct scope *scope, const struct bin_interfaces *interfaces,
                    const char *outage_id, struct text *out)
{
    double minutes = bin_text_minutes(bin);
    char time[TEXT_TIME_MAX];
    text_time_s(bin->start_ns, time);
    text_put(out, "{\"schema\":1,\"scope\":");
    text_json(out, scope->text);
    text_format(out, ",\"state\":\"%s\",\"time\":\"%s\",", event_text_state(bin->state), time);
    json_instant(out, "end", bin->tally.end_ns);
    text_format(out, ",\"signal\":\"%s\"", event_text_signal(bin->signal));
    if (minutes > 0) {
        json_known(out, "expected_rate", bin_text_expected(bin) / minutes, 3);
        json_known(out, "observed_rate", bin_text_observed(bin) / minutes, 3);
    }
    json_known(out, "detectable_s", bin->detectable_s, 1);
    if (tally_knows(&bin->tally, TALLY_drops)) {
        text_put(out, ",\"drops\":");
        text_count(out, bin->tally.value[TALLY_drops]);
    }
    if (bin->learning != LEARNING_DONE)
        text_format(out, ",\"learning\":\"%s\"", event_text_learning(bin->learning));
    if (bin->alarms.nominal_per_year > 0) {
        text_format(out, ",\"false_alarms\":{\"nominal_per_year\":%.4f", bin->alarms.nominal_per_year);
        json_known(out, "realised_per_year", bin_text_realised(&bin->alarms), 4);
        text_put(out, "}");
    }
    put_route(out, &bin->route);
    if (scope->kind == SCOPE_TAP)
        put_interfaces(out, bin, interfaces);
    if (outage_id != NULL)
        text_format(out, ",\"outage\":\"%s\"", outage_id);
    text_put(out, "}");
}

double bin_text_observed(const struct bin *bin)
{
    static const enum tally_measure of[] = {
        [SIGNAL_ANSWERED_FLOWS] = TALLY_answered_flows, [SIGNAL_LIVE_FLOWS] = TALLY_live_flows,
        [SIGNAL_ACKED_FLOWS] = TALLY_acked_flows,       [SIGNAL_PACKETS_OUT] = TALLY_packets_out,
        [SIGNAL_PACKETS_IN] = TALLY_packets_in,
    };
    if (bin->signal >= SIGNAL_NONE || !tally_knows(&bin->tally, of[bin->signal]))
        return -1;
    return (double)bin->tally.value[of[bin->signal]];
}

double bin_text_expected(const struct bin *bin)
{
    return is_known(bin->expected) ? bin->expected : -1;
}

double bin_text_realised(const struct alarm_rate *alarms)
{
    return alarms->near_due >= near_enough ? alarms->nominal_per_year * alarms->near_seen / alarms->near_due
                                           : -1;
}

double bin_text_minutes(const struct bin *bin)
{
    return clock_seconds(bin->tally.start_ns, bin->tally.end_ns) / 60;
}
