/* SPDX-License-Identifier: BSD-3-Clause */
/* What an event looks like to those who read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "canned.h"
#include "event_text.h"

static const char golden[] =
    "{\"@timestamp\":\"2025-06-06T12:22:38.600000Z\",\"ecs\":{\"version\":\"8.11\"},"
    "\"event\":{\"kind\":\"alert\",\"category\":[\"network\"],\"type\":[\"start\"],\"module\":\"lightsout\","
    "\"dataset\":\"lightsout.outage\",\"action\":\"outage-started\",\"id\":\"1552f2ef2cfe48ab-0\","
    "\"severity\":90,"
    "\"start\":\"2025-06-06T12:10:00.000000Z\"},"
    "\"observer\":{\"name\":\"ix-1\",\"type\":\"sensor\",\"product\":\"lightsout\",\"version\":\"%s\"},"
    "\"message\":\"The whole watch list has been dark since 12:10:00 UTC (between 12:09:59 and 12:10:17): "
    "0.0 of 7.1 answered flows a minute, 2 of 2 paths; likely cause: internal (86 %%).\","
    "\"outage\":{\"schema\":1,\"id\":\"1552f2ef2cfe48ab\",\"scope\":\"all\",\"phase\":\"started\","
    "\"onset\":\"2025-06-06T12:10:00.000000Z\",\"onset_earliest\":\"2025-06-06T12:09:59.000000Z\","
    "\"onset_latest\":\"2025-06-06T12:10:17.000000Z\",\"depth\":1.0,\"severity\":\"total\",\"expected_rate\":"
    "7.1,"
    "\"observed_rate\":0.0,\"log_odds\":19.2,\"delay_s\":158.6,\"signal\":\"answered_flows\","
    "\"cause\":{\"verdict\":\"internal\",\"confidence\":0.86,\"ranking\":[{\"verdict\":\"internal\",\"p\":0."
    "86},"
    "{\"verdict\":\"upstream\",\"p\":0.05},{\"verdict\":\"withdrawal\",\"p\":0.04},{\"verdict\":\"attack\","
    "\"p\":0.03},"
    "{\"verdict\":\"service\",\"p\":0.01},{\"verdict\":\"unknown\",\"p\":0.01}],\"evidence\":[{\"kind\":"
    "\"inbound-persists\",\"text\":\"the outside keeps knocking: 102 %% of the usual flow starts towards "
    "it\","
    "\"value\":1.02,\"usual\":1.0,\"weight\":\"clearly for "
    "internal\"},{\"kind\":\"all-paths\",\"text\":\"all "
    "paths are down together: 2\",\"value\":2.0,\"weight\":\"somewhat for internal\"}]},"
    "\"prefixes\":[{\"name\":\"175.45.176.0/"
    "24\",\"state\":\"down\",\"onset\":\"2025-06-06T12:10:00.000000Z\","
    "\"last_seen\":\"2025-06-06T12:09:59.000000Z\",\"depth\":1.0},{\"name\":\"175.45.177.0/"
    "24\",\"state\":\"learning\","
    "\"depth\":1.0}],"
    "\"paths\":[{\"name\":\"china-unicom\",\"state\":\"down\",\"onset\":\"2025-06-06T12:10:00.000000Z\","
    "\"last_seen\":\"2025-06-06T12:09:59.000000Z\",\"depth\":1.0},{\"name\":\"transtelecom\",\"state\":"
    "\"down\","
    "\"onset\":\"2025-06-06T12:10:00.000000Z\",\"last_seen\":\"2025-06-06T12:09:59.000000Z\",\"depth\":1.0}],"
    "\"services\":[{\"name\":\"kcna.kp\",\"state\":\"down\",\"onset\":\"2025-06-06T12:10:00.000000Z\","
    "\"last_seen\":\"2025-06-06T12:09:59.000000Z\",\"depth\":1.0}],"
    "\"hosts\":{\"expected\":23,\"seen\":0}}}";

static json_t *tell_by(const struct event *event, const char *sensor)
{
    char *line = event_text_json(event, sensor);
    assert_non_null(line);
    assert_null(strchr(line, '\n'));
    json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    free(line);
    return root;
}

static json_t *tell(const struct event *event)
{
    return tell_by(event, "ix-1");
}

/* "outage.cause.verdict" of an event's JSON; NULL when there is no such field. */
static json_t *field(json_t *root, const char *path)
{
    char name[128];
    snprintf(name, sizeof name, "%s", path);
    for (char *rest, *part = strtok_r(name, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest))
        root = json_object_get(root, part);
    return root;
}

static void assert_field(json_t *root, const char *path, const char *value)
{
    const char *found = json_string_value(field(root, path));
    assert_non_null(found);
    assert_string_equal(found, value);
}

static void the_contract_s_example_is_written_to_the_letter(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    json_t *root = tell(&event);
    const char *version = json_string_value(field(root, "observer.version"));
    assert_true(strlen(version) > 0);
    char *line = event_text_json(&event, "ix-1"), *expected = NULL;
    assert_true(asprintf(&expected, golden, version) > 0);
    assert_string_equal(line, expected);
    free(line);
    free(expected);
    json_decref(root);
}

static void each_action_has_its_kind_type_and_phase(void **state)
{
    (void)state;
    static const struct {
        enum event_action action;
        const char *kind, *type, *action_name, *dataset, *phase_path, *phase;
    } rows[] = {
        {EVENT_OUTAGE_STARTED, "alert", "start", "outage-started", "lightsout.outage", "outage.phase",
         "started"},
        {EVENT_OUTAGE_UPDATED, "alert", "info", "outage-updated", "lightsout.outage", "outage.phase",
         "updated"},
        {EVENT_OUTAGE_RECOVERING, "alert", "info", "outage-recovering", "lightsout.outage", "outage.phase",
         "recovering"},
        {EVENT_OUTAGE_ENDED, "alert", "end", "outage-ended", "lightsout.outage", "outage.phase", "ended"},
        {EVENT_SENSOR_IMPAIRED, "state", "info", "sensor-impaired", "lightsout.sensor", "sensor.phase",
         "impaired"},
        {EVENT_SENSOR_RESTORED, "state", "info", "sensor-restored", "lightsout.sensor", "sensor.phase",
         "restored"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event event = canned_outage(rows[i].action, CANNED_START_NS);
        json_t *root = tell(&event);
        assert_field(root, "event.kind", rows[i].kind);
        assert_string_equal(json_string_value(json_array_get(field(root, "event.type"), 0)), rows[i].type);
        assert_field(root, "event.action", rows[i].action_name);
        assert_field(root, "event.dataset", rows[i].dataset);
        assert_field(root, rows[i].phase_path, rows[i].phase);
        assert_int_equal(field(root, "outage") == NULL, rows[i].action >= EVENT_SENSOR_IMPAIRED);
        assert_int_equal(field(root, "sensor") == NULL, rows[i].action < EVENT_SENSOR_IMPAIRED);
        json_decref(root);
    }
}

static void the_end_stands_in_ended_only(void **state)
{
    (void)state;
    static const char *const paths[] = {"event.end", "outage.end", "outage.end_earliest", "outage.end_latest",
                                        "outage.duration_s"};
    for (enum event_action action = EVENT_OUTAGE_STARTED; action <= EVENT_OUTAGE_ENDED; action++) {
        struct event event = canned_outage(action, CANNED_START_NS);
        event.end_ns = CANNED_START_NS + 2198600 * NS_PER_MS;
        event.end_earliest_ns = event.end_ns - NS_PER_S;
        event.end_latest_ns = event.end_ns + NS_PER_S;
        json_t *root = tell(&event);
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            assert_int_equal(field(root, paths[i]) != NULL, action == EVENT_OUTAGE_ENDED);
        bool back = action == EVENT_OUTAGE_ENDED || action == EVENT_OUTAGE_RECOVERING;
        assert_int_equal(field(root, "outage.recovery") != NULL, back);
        json_decref(root);
    }
    struct event event = canned_event(7);
    json_t *root = tell(&event);
    assert_field(root, "outage.end", "2025-06-06T12:46:38.600000Z");
    assert_true(json_real_value(field(root, "outage.duration_s")) == 2198.6);
    assert_true(json_real_value(field(root, "outage.recovery.fraction")) == 0.4);
    json_t *first = json_array_get(field(root, "outage.recovery.order"), 0);
    assert_field(first, "name", "prefix:175.45.176.0/24");
    assert_field(first, "at", "2025-06-06T12:47:08.600000Z");
    assert_int_equal(json_integer_value(field(root, "outage.flaps")), 1);
    json_decref(root);
}

static void the_sensor_s_return_has_an_end_even_if_only_the_decision_is_known(void **state)
{
    (void)state;
    struct event event = canned_event(1);
    event.end_ns = event.end_earliest_ns = event.end_latest_ns = TIME_NONE;
    json_t *root = tell(&event);
    assert_field(root, "sensor.end", "2025-06-06T12:07:38.600000Z");
    assert_field(root, "event.end", "2025-06-06T12:07:38.600000Z");
    assert_null(field(root, "sensor.end_earliest"));
    json_decref(root);
}

static void the_sensor_s_reason_follows_from_the_rates(void **state)
{
    (void)state;
    static const struct {
        enum event_action action;
        bool control;
        double observed;
        const char *reason;
    } rows[] = {{EVENT_SENSOR_IMPAIRED, true, 0, "control-silent"},
                {EVENT_SENSOR_IMPAIRED, true, 79, "control-low"},
                {EVENT_SENSOR_IMPAIRED, true, 99, "capture-impaired"},
                {EVENT_SENSOR_IMPAIRED, false, 0, "capture-impaired"},
                {EVENT_SENSOR_RESTORED, true, 99, "control-returned"},
                {EVENT_SENSOR_RESTORED, false, 0, "capture-restored"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event event = canned_outage(rows[i].action, CANNED_START_NS);
        event.control = rows[i].control;
        event.expected_rate = 100;
        event.observed_rate = rows[i].observed;
        json_t *root = tell(&event);
        assert_field(root, "sensor.reason", rows[i].reason);
        json_decref(root);
    }
}

static void a_leg_of_the_sensor_and_its_sampling_are_named(void **state)
{
    (void)state;
    struct event event = canned_outage(EVENT_SENSOR_IMPAIRED, CANNED_START_NS);
    event.control = true;
    strcpy(event.leg, "eth1 vlan 101");
    json_t *root = tell(&event);
    assert_field(root, "sensor.reason", "leg-silent");
    assert_field(root, "sensor.leg", "eth1 vlan 101");
    assert_non_null(strstr(json_string_value(field(root, "message")), "what comes by eth1 vlan 101"));
    json_decref(root);
    event.action = EVENT_SENSOR_RESTORED;
    root = tell(&event);
    assert_field(root, "sensor.reason", "leg-returned");
    json_decref(root);
    event = canned_outage(EVENT_SENSOR_IMPAIRED, CANNED_START_NS);
    event.control = true;
    event.sampled = 10;
    root = tell(&event);
    assert_field(root, "sensor.reason", "sampling-changed");
    assert_true(json_number_value(field(root, "sensor.sampled")) == 10);
    assert_null(field(root, "sensor.leg"));
    json_decref(root);
}

static void one_of_several_sensors_is_named_with_what_is_the_matter(void **state)
{
    (void)state;
    static const char *const reasons[] = {
        [ABSENCE_BLIND] = "sensor-blind",
        [ABSENCE_SILENT] = "sensor-silent",
        [ABSENCE_LATE] = "sensor-late",
        [ABSENCE_AHEAD] = "sensor-ahead",
    };
    for (int absent = ABSENCE_BLIND; absent < ABSENCE__COUNT; absent++) {
        struct event event = canned_outage(EVENT_SENSOR_IMPAIRED, CANNED_START_NS);
        event.absent = (enum absence)absent;
        strcpy(event.leg, "ix-3");
        json_t *root = tell(&event);
        assert_field(root, "sensor.reason", reasons[absent]);
        assert_field(root, "sensor.leg", "ix-3");
        assert_non_null(strstr(json_string_value(field(root, "message")), "The sensor ix-3 "));
        json_decref(root);
        event.action = EVENT_SENSOR_RESTORED;
        root = tell(&event);
        assert_field(root, "sensor.reason", "sensor-returned");
        json_decref(root);
    }
}

static void what_is_cut_off_is_named(void **state)
{
    (void)state;
    struct event event = canned_outage(EVENT_SENSOR_IMPAIRED, CANNED_START_NS);
    event.control = true;
    event.cut = CUT_NAMES;
    json_t *root = tell(&event);
    assert_field(root, "sensor.reason", "snaplen-changed");
    assert_field(root, "sensor.cut", "names");
    assert_non_null(strstr(json_string_value(field(root, "message")), "services that are known by name"));
    json_decref(root);
    event.cut = CUT_HEADERS;
    event.action = EVENT_SENSOR_RESTORED;
    root = tell(&event);
    assert_field(root, "sensor.reason", "snaplen-restored");
    assert_field(root, "sensor.cut", "headers");
    json_decref(root);
}

static void ids_are_the_same_again_and_nobody_else_s(void **state)
{
    (void)state;
    struct event event = canned_event(2), other = canned_event(3), stranger = canned_event(10);
    char id[EVENT_ID_MAX], again[EVENT_ID_MAX], next[EVENT_ID_MAX], outage[EVENT_ID_MAX], text[EVENT_ID_MAX];
    event_text_id(&event, "ix-1", id);
    event_text_id(&event, "ix-1", again);
    event_text_id(&other, "ix-1", next);
    event_text_outage_id(&event, "ix-1", outage);
    assert_string_equal(id, again);
    assert_string_not_equal(id, next);
    assert_int_equal(strlen(outage), 16);
    assert_memory_equal(id, outage, 16);
    event_text_outage_id(&other, "ix-1", text);
    assert_string_equal(text, outage);
    event_text_outage_id(&stranger, "ix-1", text);
    assert_string_not_equal(text, outage);
    event_text_outage_id(&event, "ix-2", text);
    assert_string_not_equal(text, outage);
}

static void severity_follows_action_depth_and_scope(void **state)
{
    (void)state;
    static const struct {
        enum event_action action;
        const char *scope;
        double depth;
        int severity;
        const char *word;
    } rows[] = {
        {EVENT_OUTAGE_STARTED, "all", 1, 90, "total"},
        {EVENT_OUTAGE_STARTED, "all", 0.95, 90, "total"},
        {EVENT_OUTAGE_UPDATED, "all", 0.94, 70, "major"},
        {EVENT_OUTAGE_STARTED, "all", 0.6, 70, "major"},
        {EVENT_OUTAGE_STARTED, "all", 0.59, 50, "partial"},
        {EVENT_OUTAGE_STARTED, "path:china-unicom", 1, 70, "total"},
        {EVENT_OUTAGE_STARTED, "service:kcna.kp", 0.1, 30, "partial"},
        {EVENT_OUTAGE_RECOVERING, "all", 1, 40, "total"},
        {EVENT_OUTAGE_RECOVERING, "prefix:175.45.176.0/24", 1, 20, "total"},
        {EVENT_OUTAGE_ENDED, "all", 1, 10, "total"},
        {EVENT_SENSOR_IMPAIRED, "tap", 1, 60, NULL},
        {EVENT_SENSOR_RESTORED, "tap", 1, 10, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event event = canned_outage(rows[i].action, CANNED_START_NS);
        event.depth = rows[i].depth;
        snprintf(event.scope, sizeof event.scope, "%s", rows[i].scope);
        json_t *root = tell(&event);
        assert_int_equal(json_integer_value(field(root, "event.severity")), rows[i].severity);
        if (rows[i].word != NULL)
            assert_field(root, "outage.severity", rows[i].word);
        json_decref(root);
    }
}

static void without_control_traffic_it_says_so(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    json_t *root = tell(&event);
    assert_null(field(root, "outage.control"));
    json_decref(root);
    event.control = false;
    root = tell(&event);
    assert_field(root, "outage.control", "none");
    assert_non_null(strstr(json_string_value(field(root, "message")), "no control traffic"));
    json_decref(root);
}

static void a_level_that_is_accepted_is_told_in_place_of_a_return(void **state)
{
    (void)state;
    struct event event = canned_event(7);
    json_t *root = tell(&event);
    assert_null(field(root, "outage.level_accepted"));
    json_decref(root);
    event.level_accepted = 0.4125;
    root = tell(&event);
    assert_true(json_real_value(field(root, "outage.level_accepted")) == 0.413 ||
                json_real_value(field(root, "outage.level_accepted")) == 0.412);
    const char *message = json_string_value(field(root, "message"));
    assert_non_null(strstr(message, "has stayed at 41 % of its former level"));
    assert_non_null(strstr(message, "taken for its normal level"));
    json_decref(root);
}

static void an_episode_that_was_taken_over_names_the_wider_one(void **state)
{
    (void)state;
    struct event event = canned_event(15), wide = canned_event(2);
    json_t *root = tell(&event);
    assert_null(field(root, "outage.merged_into"));
    json_decref(root);
    event.merged_into = wide.episode;
    root = tell(&event);
    char id[EVENT_ID_MAX];
    event_text_outage_id(&wide, "ix-1", id);
    assert_field(root, "outage.merged_into", id);
    assert_field(
        root, "message",
        "Prefix 175.45.176.0/24 is told no longer by itself: its outage is part of a wider one now.");
    json_decref(root);
}

static void verdicts_are_ranked_and_a_draw_is_unknown(void **state)
{
    (void)state;
    const double uneven[VERDICT__COUNT] = {0.1, 0.2, 0.05, 0.4, 0.05, 0.2}, even[VERDICT__COUNT] = {0};
    static const char *const order[VERDICT__COUNT] = {"attack",   "upstream",   "unknown",
                                                      "internal", "withdrawal", "service"};
    struct event event = canned_event(2);
    memcpy(event.probability, uneven, sizeof uneven);
    json_t *root = tell(&event);
    assert_field(root, "outage.cause.verdict", "attack");
    assert_true(json_real_value(field(root, "outage.cause.confidence")) == 0.4);
    for (size_t i = 0; i < VERDICT__COUNT; i++)
        assert_field(json_array_get(field(root, "outage.cause.ranking"), i), "verdict", order[i]);
    json_decref(root);
    memcpy(event.probability, even, sizeof even);
    root = tell(&event);
    assert_field(root, "outage.cause.verdict", "unknown");
    assert_non_null(strstr(json_string_value(field(root, "message")), "; cause unknown."));
    json_decref(root);
}

static void every_kind_of_evidence_has_a_name_and_a_text(void **state)
{
    (void)state;
    static const char *const names[EVIDENCE__COUNT] = {
        "inbound-persists", "inbound-ceased",  "knocks-answered", "inbound-surge", "reflection",
        "loss-rising",      "delay-rising",    "services-first",  "ramp",          "clean-step",
        "all-paths",        "only-path",       "one-path",        "others-up",     "route-changed",
        "icmp-no-route",    "icmp-no-host",    "icmp-prohibited", "icmp-exceeded", "name-servers",
        "no-control",       "routers-unheard", "inbound-unseen"};
    struct event event = canned_event(2);
    event.evidence_count = 1;
    for (int i = 0; i < EVIDENCE__COUNT; i++) {
        event.evidence[0] = (struct event_evidence){(enum evidence_kind)i, 0.5, -1, VERDICT_ATTACK, -0.9};
        json_t *root = tell(&event), *row = json_array_get(field(root, "outage.cause.evidence"), 0);
        assert_field(row, "kind", names[i]);
        assert_true(json_string_length(field(row, "text")) > 10);
        assert_null(strstr(json_string_value(field(row, "text")), "%s"));
        assert_true(json_real_value(field(row, "value")) == 0.5);
        assert_null(field(row, "usual")); /* nothing is usual of it */
        assert_field(row, "weight", "somewhat against attack");
        json_decref(root);
    }
}

static void routers_that_report_it_are_named_with_their_path(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    event.router_count = 2;
    event.routers[0] = (struct event_router){
        .address = {[10] = 0xff, [11] = 0xff, 188, 43, 225, 153}, .path = "transtelecom", .unreachable = 12};
    event.routers[1] = (struct event_router){.address = {0x20, 1, 0xd, 0xb8, [15] = 1}, .exceeded = 3};
    json_t *root = tell(&event), *list = field(root, "outage.cause.routers");
    assert_int_equal(json_array_size(list), 2);
    assert_field(json_array_get(list, 0), "address", "188.43.225.153");
    assert_field(json_array_get(list, 0), "path", "transtelecom");
    assert_int_equal(json_integer_value(field(json_array_get(list, 0), "unreachable")), 12);
    assert_field(json_array_get(list, 1), "address", "2001:db8::1");
    assert_null(field(json_array_get(list, 1), "path"));
    assert_int_equal(json_integer_value(field(json_array_get(list, 1), "exceeded")), 3);
    json_decref(root);
}

static void a_changed_verdict_says_what_it_was_and_what_is_new(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    json_t *root = tell(&event);
    assert_null(field(root, "outage.cause.changed"));
    json_decref(root);
    event.verdict_before = VERDICT_UNKNOWN;
    event.evidence_before = 1U << EVIDENCE_INBOUND_PERSISTS;
    root = tell(&event);
    assert_field(root, "outage.cause.changed.from", "unknown");
    assert_int_equal(json_array_size(field(root, "outage.cause.changed.because")), 1);
    assert_string_equal(json_string_value(json_array_get(field(root, "outage.cause.changed.because"), 0)),
                        "all-paths");
    assert_non_null(strstr(json_string_value(field(root, "message")), ", no longer unknown."));
    json_decref(root);
}

static void numbers_are_without_noise(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    event.depth = 0.1 + 0.2;
    event.expected_rate = 21.4000000001;
    event.observed_rate = -0.0;
    event.log_odds = INFINITY;
    event.delay_s = NAN;
    char *line = event_text_json(&event, "ix-1");
    assert_non_null(strstr(line, "\"depth\":0.3,"));
    assert_non_null(strstr(line, "\"expected_rate\":21.4,"));
    assert_non_null(strstr(line, "\"observed_rate\":0.0,"));
    assert_null(strstr(line, "log_odds")); /* JSON has no word for it */
    assert_null(strstr(line, "delay_s"));
    free(line);
}

static void strings_of_any_bytes_become_valid_utf8(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    snprintf(event.services[0].name, sizeof event.services[0].name, "k\xff\"\\\n\x01.kp");
    snprintf(event.scope, sizeof event.scope, "service:\xc3(");
    json_t *root = tell_by(&event, "ix\xfe-1");
    assert_field(root, "observer.name", "ix\xef\xbf\xbd-1");
    assert_field(root, "outage.scope", "service:\xef\xbf\xbd(");
    assert_field(json_array_get(field(root, "outage.services"), 0), "name", "k\xef\xbf\xbd\"\\\n\x01.kp");
    json_decref(root);
}

static void the_longest_names_fit(void **state)
{
    (void)state;
    struct event event = canned_event(2);
    memset(event.scope, 0xff, sizeof event.scope - 1);
    memcpy(event.scope, "service:", 8);
    event.prefix_count = EVENT_PREFIXES_MAX;
    for (int i = 0; i < EVENT_PREFIXES_MAX; i++) {
        event.prefixes[i] = event.prefixes[0];
        memset(event.prefixes[i].name, 0xff, sizeof event.prefixes[i].name - 1);
    }
    json_t *root = tell(&event);
    assert_int_equal(json_string_length(field(json_array_get(field(root, "outage.prefixes"), 15), "name")),
                     3 * 79);
    assert_non_null(strstr(json_string_value(field(root, "message")), "likely cause"));
    json_decref(root);
}

static void each_event_is_a_sentence_for_people(void **state)
{
    (void)state;
    static const char *const sentences[] = {
        "The sensor ix-1 does not see since 12:00:00 UTC: 0.0 of 71234.0 packets a minute beside the watch "
        "list; "
        "nothing is said of the watch list meanwhile.",
        "The sensor ix-1 sees again since 12:06:38 UTC: 71234.0 of 71234.0 packets a minute beside the watch "
        "list.",
        "The whole watch list has been dark since 12:10:00 UTC (between 12:09:59 and 12:10:17): 0.0 of 7.1 "
        "answered "
        "flows a minute, 2 of 2 paths; likely cause: internal (86 %).",
        "The whole watch list is still dark, since 12:10:00 UTC (between 12:09:59 and 12:10:17): 0.0 of 7.1 "
        "answered "
        "flows a minute, 2 of 2 paths; likely cause: internal (86 %).",
        "The whole watch list is coming back (40 % so far): now 2.8 of 7.1 answered flows a minute; it went "
        "dark "
        "22 min 39 s ago, at 12:10:00 UTC (between 12:09:59 and 12:10:17).",
    };
    for (unsigned i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        struct event event = canned_event(i);
        char message[EVENT_MESSAGE_MAX];
        event_text_message(&event, "ix-1", message);
        assert_string_equal(message, sentences[i]);
    }
    struct event event = canned_event(10);
    char message[EVENT_MESSAGE_MAX];
    event.time_ns += 86400 * NS_PER_S;
    event.depth = 0.7;
    event_text_message(&event, "ix-1", message);
    assert_memory_equal(message, "Prefix 175.45.176.0/24 has been mostly dark since 2025-06-06 13:10:00 UTC",
                        73);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contract_s_example_is_written_to_the_letter),
        cmocka_unit_test(each_action_has_its_kind_type_and_phase),
        cmocka_unit_test(the_end_stands_in_ended_only),
        cmocka_unit_test(the_sensor_s_return_has_an_end_even_if_only_the_decision_is_known),
        cmocka_unit_test(the_sensor_s_reason_follows_from_the_rates),
        cmocka_unit_test(a_leg_of_the_sensor_and_its_sampling_are_named),
        cmocka_unit_test(one_of_several_sensors_is_named_with_what_is_the_matter),
        cmocka_unit_test(what_is_cut_off_is_named),
        cmocka_unit_test(ids_are_the_same_again_and_nobody_else_s),
        cmocka_unit_test(severity_follows_action_depth_and_scope),
        cmocka_unit_test(without_control_traffic_it_says_so),
        cmocka_unit_test(a_level_that_is_accepted_is_told_in_place_of_a_return),
        cmocka_unit_test(an_episode_that_was_taken_over_names_the_wider_one),
        cmocka_unit_test(verdicts_are_ranked_and_a_draw_is_unknown),
        cmocka_unit_test(every_kind_of_evidence_has_a_name_and_a_text),
        cmocka_unit_test(routers_that_report_it_are_named_with_their_path),
        cmocka_unit_test(a_changed_verdict_says_what_it_was_and_what_is_new),
        cmocka_unit_test(numbers_are_without_noise),
        cmocka_unit_test(strings_of_any_bytes_become_valid_utf8),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(each_event_is_a_sentence_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
