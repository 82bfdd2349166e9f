/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows the published field names of events. */
#include "event_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "evidence_text.h"
#include "memory.h"
#include "text.h"

enum { EVENT_SCHEMA = 1 }; /* a change of what is published is a change of this number */

static bool is_sensor(enum event_action action)
{
    return action == EVENT_SENSOR_IMPAIRED || action == EVENT_SENSOR_RESTORED;
}

/* The names */

const char *event_text_state(enum scope_state state)
{
    static const char *const names[STATE__COUNT] = {"learning", "up",         "suspect",
                                                    "down",     "recovering", "blind"};
    return names[state];
}

const char *event_text_learning(enum learning learning)
{
    static const char *const names[LEARNING__COUNT] = {"done", "too-few-flows", "too-short", "too-thin"};
    return names[learning];
}

const char *event_text_why_learning(enum learning learning)
{
    static const char *const why[LEARNING__COUNT] = {
        [LEARNING_DONE] = "",
        [LEARNING_EVENTS] = "too few signs of life to judge yet",
        [LEARNING_TIME] = "seen for too short a time to judge yet",
        [LEARNING_THIN] = "too thin: an outage would take more than a day to be noticed",
    };
    return why[learning];
}

const char *event_text_signal(enum signal signal)
{
    static const char *const names[SIGNAL__COUNT] = {"answered_flows", "live_flows", "acked_flows",
                                                     "packets_out",    "packets_in", "none"};
    return names[signal];
}

const char *event_text_measure(enum signal signal)
{
    static const char *const names[SIGNAL__COUNT] = {"answered flows", "live flows", "acknowledged flows",
                                                     "packets",        "packets",    "signs of life"};
    return names[signal];
}

const char *event_text_verdict(enum verdict verdict)
{
    static const char *const names[VERDICT__COUNT] = {"internal", "upstream", "withdrawal",
                                                      "attack",   "service",  "unknown"};
    return names[verdict];
}

const char *event_text_action(enum event_action action)
{
    static const char *const names[EVENT__COUNT] = {"outage-started", "outage-updated",  "outage-recovering",
                                                    "outage-ended",   "sensor-impaired", "sensor-restored"};
    return names[action];
}

/* "started": what follows the dash of the action. */
static const char *phase(enum event_action action)
{
    return strchr(event_text_action(action), '-') + 1;
}

/* The judgements */

static double fraction(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

const char *event_text_depth(double depth)
{
    return depth >= 0.95 ? "total" : depth >= 0.6 ? "major" : "partial";
}

const char *event_text_darkness(double depth)
{
    return depth >= 0.95 ? "dark" : depth >= 0.6 ? "mostly dark" : "partly dark";
}

int event_text_severity(const struct event *event)
{
    int narrower = strcmp(event->scope, "all") == 0 ? 0 : 20;
    switch (event->action) {
    case EVENT_OUTAGE_STARTED:
    case EVENT_OUTAGE_UPDATED:
        return (event->depth >= 0.95 ? 90 : event->depth >= 0.6 ? 70 : 50) - narrower;
    case EVENT_OUTAGE_RECOVERING:
        return 40 - narrower;
    case EVENT_SENSOR_IMPAIRED:
        return 60;
    default:
        return 10;
    }
}

int64_t event_text_end(const struct event *event)
{
    if (event->action != EVENT_OUTAGE_ENDED && event->action != EVENT_SENSOR_RESTORED)
        return TIME_NONE;
    return event->end_ns != TIME_NONE ? event->end_ns : event->time_ns;
}

enum verdict event_text_cause(const struct event *event, double *confidence)
{
    enum verdict best = VERDICT_UNKNOWN; /* which also wins a draw: said rather than guessed */
    for (int i = 0; i < VERDICT__COUNT; i++)
        if (event->probability[i] > event->probability[best])
            best = (enum verdict)i;
    if (confidence != NULL)
        *confidence = event->probability[best];
    return best;
}

/* FNV-1a over the sensor's name and the episode, then a mixing of the bits (splitmix64's), as FNV leaves the
 * upper ones of short input alike. Also the same on a machine of the other byte order. */
static uint64_t episode_hash(const char *sensor, uint64_t episode)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const uint64_t prime = UINT64_C(0x100000001b3);
    for (const char *c = sensor; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * prime;
    hash *= prime; /* a zero byte between the two */
    for (int shift = 56; shift >= 0; shift -= 8)
        hash = (hash ^ (episode >> shift & 0xff)) * prime;
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

static void episode_id(const char *sensor, uint64_t episode, char text[EVENT_ID_MAX])
{
    snprintf(text, EVENT_ID_MAX, "%016" PRIx64, episode_hash(sensor, episode));
}

void event_text_outage_id(const struct event *event, const char *sensor, char text[EVENT_ID_MAX])
{
    episode_id(sensor, event->episode, text);
}

void event_text_id(const struct event *event, const char *sensor, char text[EVENT_ID_MAX])
{
    snprintf(text, EVENT_ID_MAX, "%016" PRIx64 "-%" PRIu32, episode_hash(sensor, event->episode),
             event->sequence);
}

/* The sentence */

void event_text_subject(const char *scope, char *text, size_t room)
{
    static const struct {
        const char *kind, *subject;
    } kinds[] = {{"prefix:", "Prefix"}, {"path:", "Path"}, {"service:", "Service"}};
    char name[3 * SCOPE_TEXT_MAX];
    struct text out = text_in(text, room);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].kind);
        if (strncmp(scope, kinds[i].kind, length) == 0) {
            text_utf8(scope + length, name, sizeof name);
            text_format(&out, "%s %s", kinds[i].subject, name);
            return;
        }
    }
    text_utf8(scope, name, sizeof name);
    text_put(&out, strcmp(scope, "all") == 0   ? "The whole watch list"
                   : strcmp(scope, "tap") == 0 ? "The tap"
                                               : name);
}

static void put_rates(struct text *out, const struct event *event)
{
    int decimals = event->expected_rate < 1 ? 2 : 1;
    text_format(out, "%.*f of %.*f %s a minute", decimals, event->observed_rate, decimals,
                event->expected_rate, event_text_measure(event->signal));
}

static void put_paths(struct text *out, const struct event *event)
{
    unsigned down = 0, known = 0;
    for (uint32_t i = 0; i < event->path_count; i++) {
        down += event->paths[i].state == STATE_DOWN || event->paths[i].state == STATE_RECOVERING;
        known += event->paths[i].last_seen_ns != TIME_NONE;
    }
    if (known > 0)
        text_format(out, ", %u of %u paths", down, known);
}

static void put_cause(struct text *out, const struct event *event)
{
    double confidence;
    enum verdict verdict = event_text_cause(event, &confidence);
    if (verdict == VERDICT_UNKNOWN)
        text_put(out, "; cause unknown");
    else
        text_format(out, "; likely cause: %s (%.0f %%)", event_text_verdict(verdict), 100 * confidence);
    if (event->verdict_before != VERDICT__COUNT && event->verdict_before != verdict)
        text_format(out, ", no longer %s", event_text_verdict(event->verdict_before));
    if (!event->control)
        text_put(out, "; no control traffic to compare with");
    text_put(out, ".");
}

static void put_onset(struct text *out, const struct event *event)
{
    char onset[TEXT_TIME_MAX], earliest[TEXT_TIME_MAX], latest[TEXT_TIME_MAX];
    text_clock(event->onset_ns, event->time_ns, onset);
    text_clock(event->onset_earliest_ns, event->onset_ns, earliest);
    text_clock(event->onset_latest_ns, event->onset_ns, latest);
    text_format(out, "%s UTC (between %s and %s)", onset, earliest, latest);
}

static void message_dark(struct text *out, const struct event *event, const char *subject)
{
    bool first = event->action == EVENT_OUTAGE_STARTED;
    text_format(out, first ? "%s has been %s since " : "%s is still %s, since ", subject,
                event_text_darkness(event->depth));
    put_onset(out, event);
    text_put(out, ": ");
    put_rates(out, event);
    put_paths(out, event);
    put_cause(out, event);
}

static void message_recovering(struct text *out, const struct event *event, const char *subject)
{
    char span[TEXT_SPAN_MAX];
    text_span(clock_seconds(event->onset_ns, event->time_ns), span);
    text_format(out, "%s is coming back", subject);
    if (event->recovered >= 0)
        text_format(out, " (%.0f %% so far)", 100 * fraction(event->recovered));
    text_put(out, ": now ");
    put_rates(out, event);
    text_format(out, "; it went %s %s ago, at ", event_text_darkness(event->depth), span);
    put_onset(out, event);
    if (event->flaps > 0)
        text_format(out, ", and fell again %u time%s since", event->flaps, event->flaps == 1 ? "" : "s");
    text_put(out, ".");
}

static void message_ended(struct text *out, const struct event *event, const char *subject)
{
    if (event->merged_into != 0) {
        text_format(out, "%s is told no longer by itself: its outage is part of a wider one now.", subject);
        return;
    }
    int64_t end_ns = event_text_end(event);
    char span[TEXT_SPAN_MAX], onset[TEXT_TIME_MAX], end[TEXT_TIME_MAX];
    if (event->level_accepted > 0) {
        text_span(clock_seconds(event->onset_ns, end_ns), span);
        text_format(out, "%s has stayed at %.0f %% of its former level, steadily; %s after the onset, at ",
                    subject, 100 * event->level_accepted, span);
        put_onset(out, event);
        text_put(out, ", that is taken for its normal level, and the outage for over.");
        return;
    }
    text_span(clock_seconds(event->onset_ns, end_ns), span);
    text_clock(end_ns, event->time_ns, end);
    text_clock(event->onset_ns, end_ns, onset);
    text_format(out, "%s is back since %s UTC; it was %s for %s, from %s", subject, end,
                event_text_darkness(event->depth), span, onset);
    put_cause(out, event);
}

static void message_snaplen(struct text *out, const struct event *event, const char *at)
{
    const char *lost = event->cut == CUT_HEADERS ? "their headers" : "the names they bear";
    if (event->action == EVENT_SENSOR_RESTORED)
        text_format(out,
                    "The sensor sees again since %s UTC: frames are no longer cut within %s, or that is "
                    "usual now.",
                    at, lost);
    else
        text_format(
            out, "The sensor gets frames cut within %s since %s UTC; nothing is said of %s meanwhile.", lost,
            at, event->cut == CUT_HEADERS ? "the watch list" : "services that are known by name");
}

/* One of several sensors, which `leg` names. */
static void message_absent(struct text *out, const struct event *event, const char *at)
{
    static const char *const why[ABSENCE__COUNT] = {
        [ABSENCE_BLIND] = "is blind",
        [ABSENCE_SILENT] = "is silent",
        [ABSENCE_LATE] = "is too late",
        [ABSENCE_AHEAD] = "has a clock that is ahead of the others'",
    };
    char name[3 * sizeof event->leg];
    text_utf8(event->leg, name, sizeof name);
    if (event->action == EVENT_SENSOR_RESTORED)
        text_format(out, "The sensor %s counts again since %s UTC.", name, at);
    else
        text_format(out, "The sensor %s %s since %s UTC; the others are judged without it meanwhile.", name,
                    why[event->absent], at);
}

static void message_sensor(struct text *out, const struct event *event, const char *sensor)
{
    char at[TEXT_TIME_MAX];
    bool impaired = event->action == EVENT_SENSOR_IMPAIRED;
    text_clock(impaired ? event->onset_ns : event_text_end(event), event->time_ns, at);
    if (event->cut != CUT_NOTHING) {
        message_snaplen(out, event, at);
        return;
    }
    if (event->absent != ABSENCE_NONE) {
        message_absent(out, event, at);
        return;
    }
    text_format(out, "The sensor %s %s since %s UTC", sensor, impaired ? "does not see" : "sees again", at);
    if (event->deaf)
        text_put(out,
                 " what the watched side sends, though others acknowledge it: a leg of the mirror is lost");
    else if (event->leg[0] != '\0')
        text_format(out, " what comes by %s: %.1f of %.1f packets a minute beside the watch list", event->leg,
                    event->observed_rate, event->expected_rate);
    else if (event->sampled > 0)
        text_format(out, " but one packet in %.0f, of what is watched and what is not", event->sampled);
    else if (event->control)
        text_format(out, ": %.1f of %.1f packets a minute beside the watch list", event->observed_rate,
                    event->expected_rate);
    else if (impaired)
        text_put(out, ": nothing was measured");
    text_put(out, !impaired               ? "."
                  : event->leg[0] != '\0' ? "; nothing is said of what it carries meanwhile."
                                          : "; nothing is said of the watch list meanwhile.");
}

void event_text_message(const struct event *event, const char *sensor, char text[EVENT_MESSAGE_MAX])
{
    char subject[4 * SCOPE_TEXT_MAX], name[128];
    struct text out = text_in(text, EVENT_MESSAGE_MAX);
    event_text_subject(event->scope, subject, sizeof subject);
    text_utf8(sensor, name, sizeof name);
    switch (event->action) {
    case EVENT_OUTAGE_RECOVERING:
        message_recovering(&out, event, subject);
        break;
    case EVENT_OUTAGE_ENDED:
        message_ended(&out, event, subject);
        break;
    case EVENT_SENSOR_IMPAIRED:
    case EVENT_SENSOR_RESTORED:
        message_sensor(&out, event, name);
        break;
    default:
        message_dark(&out, event, subject);
    }
}

/* The JSON. A value for which there is no memory would leave its field out, and an event that is short of a
 * field is not told otherwise any more: better that it is told by the next start. */

static void *give(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL)
        memory_end("an event");
    return memory;
}

static void give_json(void)
{
    json_set_alloc_funcs(give, free);
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new_nocheck(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *raw)
{
    char clean[3 * 256];
    text_utf8(raw, clean, sizeof clean);
    set(object, key, json_string_nocheck(clean));
}

static void set_time(json_t *object, const char *key, int64_t at_ns)
{
    char text[TEXT_TIME_MAX];
    if (at_ns == TIME_NONE)
        return;
    text_time(at_ns, text);
    set(object, key, json_string_nocheck(text));
}

/* A number rounded to thousandths; what JSON has no word for is left out. */
static void set_real(json_t *object, const char *key, double value)
{
    if (isfinite(value))
        set(object, key, json_real(round(value * 1000) / 1000 + 0.0)); /* + 0.0: no "-0.0" */
}

static json_t *about_event(const struct event *event, const char *sensor)
{
    static const char *const types[EVENT__COUNT] = {"start", "info", "info", "end", "info", "info"};
    bool about_sensor = is_sensor(event->action);
    json_t *object = json_object();
    char id[EVENT_ID_MAX];
    event_text_id(event, sensor, id);
    set(object, "kind", json_string(about_sensor ? "state" : "alert"));
    set(object, "category", json_pack("[s]", "network"));
    set(object, "type", json_pack("[s]", types[event->action]));
    set(object, "module", json_string("lightsout"));
    set(object, "dataset", json_string(about_sensor ? "lightsout.sensor" : "lightsout.outage"));
    set(object, "action", json_string(event_text_action(event->action)));
    set(object, "id", json_string(id));
    set(object, "severity", json_integer(event_text_severity(event)));
    set_time(object, "start", event->onset_ns);
    set_time(object, "end", event_text_end(event));
    return object;
}

/* Likeliest first; of equals the one that the enum names first. */
static json_t *ranking(const struct event *event)
{
    json_t *array = json_array();
    bool told[VERDICT__COUNT] = {false};
    for (int n = 0; n < VERDICT__COUNT; n++) {
        int best = -1;
        for (int i = 0; i < VERDICT__COUNT; i++)
            if (!told[i] && (best < 0 || event->probability[i] > event->probability[best]))
                best = i;
        told[best] = true;
        json_t *row = json_object();
        set(row, "verdict", json_string(event_text_verdict((enum verdict)best)));
        set_real(row, "p", event->probability[best]);
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *evidence_row(const struct event_evidence *evidence)
{
    char said[160], weight[64];
    struct text text = text_in(said, sizeof said);
    evidence_text_say(evidence, &text);
    text = text_in(weight, sizeof weight);
    evidence_text_weight(evidence, &text);
    json_t *row = json_object();
    set(row, "kind", json_string(evidence_text_name(evidence->kind)));
    set(row, "text", json_string(said));
    set_real(row, "value", evidence->value);
    if (evidence->usual >= 0)
        set_real(row, "usual", evidence->usual);
    set(row, "weight", json_string(weight));
    return row;
}

/* What changed the verdict: the one before, and the evidence that is new. */
static json_t *change(const struct event *event)
{
    json_t *object = json_object(), *because = json_array();
    set(object, "from", json_string(event_text_verdict(event->verdict_before)));
    for (uint32_t i = 0; i < event->evidence_count; i++)
        if (!(event->evidence_before >> event->evidence[i].kind & 1))
            json_array_append_new(because, json_string(evidence_text_name(event->evidence[i].kind)));
    set(object, "because", because);
    return object;
}

static json_t *routers(const struct event *event)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < event->router_count; i++) {
        const struct event_router *router = &event->routers[i];
        static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
        bool is_v4 = memcmp(router->address, v4, sizeof v4) == 0;
        char address[INET6_ADDRSTRLEN];
        inet_ntop(is_v4 ? AF_INET : AF_INET6, router->address + (is_v4 ? sizeof v4 : 0), address,
                  sizeof address);
        json_t *row = json_object();
        set(row, "address", json_string(address));
        if (router->path[0] != '\0')
            set_text(row, "path", router->path);
        set(row, "unreachable", json_integer(router->unreachable));
        set(row, "prohibited", json_integer(router->prohibited));
        set(row, "exceeded", json_integer(router->exceeded));
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *cause(const struct event *event)
{
    json_t *object = json_object(), *evidence = json_array();
    double confidence;
    enum verdict verdict = event_text_cause(event, &confidence);
    set(object, "verdict", json_string(event_text_verdict(verdict)));
    set_real(object, "confidence", confidence);
    set(object, "ranking", ranking(event));
    for (uint32_t i = 0; i < event->evidence_count; i++)
        json_array_append_new(evidence, evidence_row(&event->evidence[i]));
    set(object, "evidence", evidence);
    if (event->router_count > 0)
        set(object, "routers", routers(event));
    if (event->verdict_before != VERDICT__COUNT && event->verdict_before != verdict)
        set(object, "changed", change(event));
    return object;
}

static json_t *parts(const struct event_part *part, uint32_t count)
{
    json_t *array = json_array();
    for (; count > 0; count--, part++) {
        json_t *row = json_object();
        set_text(row, "name", part->name);
        set(row, "state", json_string(event_text_state(part->state)));
        set_time(row, "onset", part->onset_ns);
        set_time(row, "last_seen", part->last_seen_ns);
        set_real(row, "depth", fraction(part->depth));
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *recovery(const struct event *event)
{
    json_t *object = json_object(), *order = json_array();
    if (event->recovered >= 0)
        set_real(object, "fraction", fraction(event->recovered));
    for (uint32_t i = 0; i < event->return_count; i++) {
        json_t *row = json_object();
        set_text(row, "name", event->returns[i].name);
        set_time(row, "at", event->returns[i].at_ns);
        json_array_append_new(order, row);
    }
    set(object, "order", order);
    return object;
}

static json_t *hosts(const struct event *event)
{
    json_t *object = json_object();
    set(object, "expected", json_integer(event->hosts_expected));
    set(object, "seen", json_integer(event->hosts_seen));
    return object;
}

static void set_end(json_t *object, const struct event *event)
{
    int64_t end_ns = event_text_end(event);
    if (end_ns == TIME_NONE)
        return;
    set_time(object, "end", end_ns);
    set_time(object, "end_earliest", event->end_earliest_ns);
    set_time(object, "end_latest", event->end_latest_ns);
    set_real(object, "duration_s", clock_seconds(event->onset_ns, end_ns));
}

static json_t *outage(const struct event *event, const char *sensor)
{
    json_t *object = json_object();
    char id[EVENT_ID_MAX];
    event_text_outage_id(event, sensor, id);
    set(object, "schema", json_integer(EVENT_SCHEMA));
    set(object, "id", json_string(id));
    set_text(object, "scope", event->scope);
    set(object, "phase", json_string(phase(event->action)));
    set_time(object, "onset", event->onset_ns);
    set_time(object, "onset_earliest", event->onset_earliest_ns);
    set_time(object, "onset_latest", event->onset_latest_ns);
    set_end(object, event);
    set_real(object, "depth", fraction(event->depth));
    set(object, "severity", json_string(event_text_depth(event->depth)));
    set_real(object, "expected_rate", event->expected_rate);
    set_real(object, "observed_rate", event->observed_rate);
    set_real(object, "log_odds", event->log_odds);
    set_real(object, "delay_s", event->delay_s);
    set(object, "signal", json_string(event_text_signal(event->signal)));
    if (!event->control)
        set(object, "control", json_string("none"));
    set(object, "cause", cause(event));
    set(object, "prefixes", parts(event->prefixes, event->prefix_count));
    set(object, "paths", parts(event->paths, event->path_count));
    set(object, "services", parts(event->services, event->service_count));
    set(object, "hosts", hosts(event));
    if (event->action == EVENT_OUTAGE_RECOVERING || event->action == EVENT_OUTAGE_ENDED)
        set(object, "recovery", recovery(event));
    if (event->flaps > 0)
        set(object, "flaps", json_integer(event->flaps));
    if (event->level_accepted > 0)
        set_real(object, "level_accepted", event->level_accepted);
    if (event->merged_into != 0) {
        episode_id(sensor, event->merged_into, id);
        set(object, "merged_into", json_string(id));
    }
    return object;
}

static const double low_share = 0.8; /* of the control: more is as usual */

/* Why the sensor is held to be blind. With the control traffic as usual it can only be the capture itself. */
static const char *sensor_reason(const struct event *event)
{
    static const char *const absent[ABSENCE__COUNT] = {[ABSENCE_BLIND] = "sensor-blind",
                                                       [ABSENCE_SILENT] = "sensor-silent",
                                                       [ABSENCE_LATE] = "sensor-late",
                                                       [ABSENCE_AHEAD] = "sensor-ahead"};
    if (event->absent != ABSENCE_NONE)
        return event->action == EVENT_SENSOR_RESTORED ? "sensor-returned" : absent[event->absent];
    if (event->deaf)
        return "leg-lost";
    if (event->leg[0] != '\0')
        return event->action == EVENT_SENSOR_RESTORED ? "leg-returned" : "leg-silent";
    if (event->sampled > 0)
        return "sampling-changed";
    if (event->cut != CUT_NOTHING)
        return event->action == EVENT_SENSOR_RESTORED ? "snaplen-restored" : "snaplen-changed";
    if (event->action == EVENT_SENSOR_RESTORED)
        return event->control ? "control-returned" : "capture-restored";
    if (!event->control)
        return "capture-impaired";
    if (event->observed_rate <= 0)
        return "control-silent";
    return event->observed_rate < low_share * event->expected_rate ? "control-low" : "capture-impaired";
}

static json_t *sensor_state(const struct event *event, const char *sensor)
{
    json_t *object = json_object();
    char id[EVENT_ID_MAX];
    event_text_outage_id(event, sensor, id);
    set(object, "schema", json_integer(EVENT_SCHEMA));
    set(object, "id", json_string(id));
    set_text(object, "scope", event->scope);
    set(object, "phase", json_string(phase(event->action)));
    set_time(object, "onset", event->onset_ns);
    set_end(object, event);
    set_real(object, "expected_rate", event->expected_rate);
    set_real(object, "observed_rate", event->observed_rate);
    set(object, "signal", json_string(event_text_signal(event->signal)));
    set(object, "reason", json_string(sensor_reason(event)));
    if (event->leg[0] != '\0')
        set_text(object, "leg", event->leg);
    if (event->sampled > 0)
        set_real(object, "sampled", event->sampled);
    if (event->cut != CUT_NOTHING)
        set(object, "cut", json_string(event->cut == CUT_HEADERS ? "headers" : "names"));
    return object;
}

static json_t *observer(const char *sensor)
{
    json_t *object = json_object();
    set_text(object, "name", sensor);
    set(object, "type", json_string("sensor"));
    set(object, "product", json_string("lightsout"));
    set(object, "version", json_string(LIGHTSOUT_VERSION));
    return object;
}

char *event_text_json(const struct event *event, const char *sensor)
{
    static pthread_once_t given = PTHREAD_ONCE_INIT;
    char message[EVENT_MESSAGE_MAX];
    pthread_once(&given, give_json);
    event_text_message(event, sensor, message);
    json_t *root = json_object();
    set_time(root, "@timestamp", event->time_ns);
    set(root, "ecs", json_pack("{s:s}", "version", "8.11"));
    set(root, "event", about_event(event, sensor));
    set(root, "observer", observer(sensor));
    set(root, "message", json_string(message));
    if (is_sensor(event->action))
        set(root, "sensor", sensor_state(event, sensor));
    else
        set(root, "outage", outage(event, sensor));
    /* Fifteen digits are exact for what was rounded to thousandths, and show none of the noise behind them.
     */
    char *line = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    json_decref(root);
    return line;
}
