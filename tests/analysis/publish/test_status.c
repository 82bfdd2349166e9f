/* SPDX-License-Identifier: BSD-3-Clause */
/* The present state, and what the metrics, the JSON and the page make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "canned.h"
#include "event_text.h"
#include "status_text.h"

static const struct publish_options live = {
    .sensor = "ix-1", .input = "eth1", .bin_ns = 60 * NS_PER_S, .step_ns = 5 * NS_PER_S};
static const struct publish_options replay = {
    .sensor = "ix\"<1", .input = "a&b", .replay = true, .bin_ns = 60 * NS_PER_S, .step_ns = 5 * NS_PER_S};
static const struct status_life well = {.step_age_s = 1.5};
static const struct levels quiet = {.queue_bytes = 0, .queue_room_bytes = 16 * 1024 * 1024};

/* A status after a bin of every scope and a step; what is written of it, to be freed. */
static struct status fresh(const struct publish_options *options)
{
    struct status status;
    struct health health = {.packets_read = 1234567, .packets_watched = 2500, .packets_cut = 3};
    assert_int_equal(status_init(&status, options, &canned_scopes), 0);
    for (unsigned i = 0; i < canned_scopes.count; i++) {
        struct bin bin = canned_bin(i);
        status_bin(&status, &bin);
    }
    status_step(&status, CANNED_START_NS + 65 * NS_PER_S, 1e9, &health, &quiet);
    return status;
}

static char *metrics_of(const struct status *status)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    metrics_text_write(status, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *page_of(const struct status *status, const struct status_life *life)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    status_page_write(status, life, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static json_t *json_of(const struct status *status, const struct status_life *life)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (life != NULL)
        status_json_life(status, life, out);
    else
        status_json_write(status, out);
    assert_int_equal(fclose(out), 0);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

static const char *string_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* A line of its own. */
static void has_line(const char *text, const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("no line: %s", line);
}

static void has_no(const char *text, const char *words)
{
    if (strstr(text, words) != NULL)
        fail_msg("there is: %s", words);
}

/* ---- metrics ---- */

static void rates_are_a_second_and_counters_are_sums_over_bins(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    for (unsigned i = 5; i < 10; i++) {
        struct bin bin = canned_bin(i);
        status_bin(&status, &bin);
    }
    char *text = metrics_of(&status);
    has_line(text, "lightsout_observed_per_second{scope=\"all\"} 0.416666666666667"); /* 25 answered flows */
    has_line(text, "lightsout_expected_per_second{scope=\"all\"} 0.11875");
    has_line(text, "lightsout_low_per_second{scope=\"all\"} 0.025");
    has_line(text, "lightsout_detectable_seconds{scope=\"all\"} 140.25");
    has_line(text, "lightsout_answered_flows_total{scope=\"all\"} 45"); /* 20, then 25 */
    has_line(text, "lightsout_packets_total{scope=\"all\",direction=\"in\"} 65");
    has_line(text, "lightsout_bytes_total{scope=\"all\",direction=\"out\"} 125");
    has_line(text, "lightsout_packets_total{scope=\"tap\",direction=\"in\"} 66");
    has_no(text, "lightsout_flows_total{scope=\"tap\"}");
    has_no(text, "packets_total{scope=\"tap\",direction=\"out\"}");
    has_line(text, "lightsout_packets_read_total 1234567");
    has_line(text, "lightsout_frames_refused_total{reason=\"not_ip\"} 0");
    has_line(text, "lightsout_data_timestamp_seconds 1749211265");
    free(text);
    status_clear(&status);
}

static void a_state_is_one_of_all_and_so_is_a_reason(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    struct bin bin = canned_bin(5);
    bin.state = STATE_LEARNING;
    bin.learning = LEARNING_THIN;
    status_bin(&status, &bin);
    char *text = metrics_of(&status);
    has_line(text, "lightsout_scope_state{scope=\"all\",state=\"learning\"} 1");
    has_line(text, "lightsout_scope_state{scope=\"all\",state=\"up\"} 0");
    has_line(text, "lightsout_scope_learning{scope=\"all\",reason=\"too-thin\"} 1");
    has_line(text, "lightsout_scope_learning{scope=\"all\",reason=\"too-short\"} 0");
    has_line(text, "lightsout_scope_state{scope=\"tap\",state=\"up\"} 1");
    has_line(text, "lightsout_scope_signal{scope=\"tap\",signal=\"packets_in\"} 1");
    free(text);
    status_clear(&status);
}

static void what_is_not_known_has_no_sample(void **state)
{
    (void)state;
    struct status status = fresh(&replay);
    struct bin bin = canned_bin(5);
    bin.expected = bin.low = bin.detectable_s = -1;
    bin.tally.known = TALLY_BIT(TALLY_flows);
    bin.alarms = (struct alarm_rate){.nominal_per_year = 0.5, .near_due = 0.25, .near_seen = 1};
    status_bin(&status, &bin);
    char *text = metrics_of(&status);
    has_no(text, "lightsout_expected_per_second{scope=\"all\"}");
    has_no(text, "lightsout_low_per_second{scope=\"all\"}");
    has_no(text, "lightsout_detectable_seconds{scope=\"all\"}");
    has_no(text, "lightsout_observed_per_second{scope=\"all\"}");
    has_line(text, "lightsout_false_alarms_nominal_per_year{scope=\"all\"} 0.5");
    has_no(text, "lightsout_false_alarms_realised_per_year{scope=\"all\"}"); /* too few were due */
    has_line(text, "lightsout_near_alarms_due{scope=\"all\"} 0.25");
    has_line(text, "lightsout_near_alarms_seen{scope=\"all\"} 1");
    has_no(text, "_drops_total"); /* a savefile does not tell */
    has_no(text, "redis");        /* there is none */
    free(text);
    status_clear(&status);
    assert_int_equal(status_init(&status, &replay, &canned_scopes), 0);
    text = metrics_of(&status);
    has_no(text, "scope=");
    has_no(text, "timestamp");
    free(text);
    status_clear(&status);
}

static void live_drops_and_redis_are_told(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    struct health health = {.kernel_drops = 7, .redis_sent = 11};
    struct levels levels = {.queue_bytes = 8, .queue_room_bytes = 16, .redis = true, .redis_events = 3};
    status_step(&status, CANNED_START_NS, 1795462134.25, &health, &levels);
    char *text = metrics_of(&status);
    has_no(text, "_drops_total"); /* the canned tap does not know */
    has_no(text, "dropped_packets_total{");
    free(text);
    static const char *const names[] = {"eth1", "eth2"};
    status.interfaces = (struct bin_interfaces){names, 2};
    for (unsigned i = 9; i < 20; i += 5) {
        struct bin bin = canned_bin(i);
        bin.tally.known |= i < 19 ? TALLY_BIT(TALLY_drops) : 0;
        bin.tally.lost[1] = 5;
        status_bin(&status, &bin);
    }
    text = metrics_of(&status);
    has_line(text, "lightsout_interface_dropped_packets_total{interface=\"eth1\"} 0");
    has_line(text, "lightsout_interface_dropped_packets_total{interface=\"eth2\"} 10");
    has_line(text, "lightsout_kernel_drops_total 7");
    has_line(text, "lightsout_redis_sent_total 11");
    has_line(text, "lightsout_redis_up 0");
    has_line(text, "lightsout_redis_waiting_events 3");
    has_line(text, "lightsout_queue_bytes 8");
    has_line(text, "lightsout_last_step_timestamp_seconds 1795462134.250");
    free(text);
    status_clear(&status);
}

static void every_family_has_its_help_and_type_once(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    status.levels.redis = true;
    char *text = metrics_of(&status), *names[256], *rest = NULL;
    size_t count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *name = line + strlen("# TYPE ");
        if (strncmp(line, "# TYPE ", 7) != 0)
            continue;
        char *type = strchr(name, ' ');
        *type++ = '\0';
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(names[i], name);
        names[count++] = name;
        bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
        assert_string_equal(type, total ? "counter" : "gauge");
    }
    assert_true(count > 40);
    free(text);
    status_clear(&status);
}

static void a_name_that_would_end_its_label_is_escaped(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false},
                                         {SCOPE_SERVICE, true, "service:\"a\\b\nc\xff", false},
                                         {SCOPE_TAP, false, "tap", false}};
    static const struct scope_list scopes = {.items = items, .count = 3};
    struct status status;
    struct bin bin = canned_bin(1);
    assert_int_equal(status_init(&status, &replay, &scopes), 0);
    status_bin(&status, &bin);
    char *text = metrics_of(&status);
    has_line(text, "lightsout_flows_total{scope=\"service:\\\"a\\\\b\\nc\xef\xbf\xbd\"} 1");
    has_line(text, "lightsout_sensor_info{sensor=\"ix\\\"<1\",mode=\"replay\"} 1");
    free(text);
    status_clear(&status);
}

/* ---- episodes ---- */

static void an_episode_is_open_until_its_last_event(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    static const size_t open_after[8] = {1, 0, 1, 1, 1, 1, 1, 0};
    for (unsigned i = 0; i < 8; i++) {
        struct event event = canned_event(i);
        assert_int_equal(status_event(&status, &event), 0);
        assert_int_equal(status.open_count, open_after[i]);
        assert_int_equal(status_blind(&status), i == 0);
        assert_int_equal(status_open(&status, "all") != NULL, i >= 2 && i < 7);
    }
    char *text = metrics_of(&status);
    has_line(text, "lightsout_events_published_total{action=\"outage-updated\"} 2");
    has_line(text, "lightsout_events_published_total{action=\"sensor-impaired\"} 1");
    has_line(text, "lightsout_episodes_open 0");
    free(text);
    status_clear(&status);
}

static void the_json_holds_the_states_as_redis_has_them_and_the_open_events(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    struct event event = canned_event(2);
    status_event(&status, &event);
    json_t *root = json_of(&status, NULL);
    assert_string_equal(string_at(root, "data_time"), "2025-06-06T12:01:05.000000Z");
    json_t *scopes = json_object_get(root, "scopes"), *all = json_object_get(scopes, "all");
    assert_int_equal(json_object_size(scopes), 5);
    char redis[BIN_JSON_MAX], id[EVENT_ID_MAX];
    struct text text = text_in(redis, sizeof redis);
    event_text_outage_id(&event, live.sensor, id);
    bin_text_state(&status.scope[0].last, &canned_items[0], &status.interfaces, id, &text);
    json_t *same = json_loads(redis, 0, NULL);
    assert_true(json_equal(all, same));
    json_t *open = json_object_get(root, "open");
    assert_int_equal(json_array_size(open), 1);
    json_t *outage = json_object_get(json_array_get(open, 0), "outage");
    assert_string_equal(string_at(outage, "id"), id);
    json_decref(same);
    json_decref(root);
    status_clear(&status);
}

static void the_json_tells_what_redis_is_sent_and_what_troubles_it(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    struct health health = {
        .redis_sent = 11, .redis_dropped = 2, .redis_error_oom = 4, .redis_error_noperm = 1};
    struct levels levels = {.redis = true,
                            .redis_events = 3,
                            .redis_bins = 7,
                            .redis_troubles = 1U << REDIS_TROUBLE_oom | 1U << REDIS_TROUBLE_readonly};
    status_step(&status, CANNED_START_NS, 1795462134.25, &health, &levels);
    json_t *root = json_of(&status, NULL), *redis = json_object_get(root, "redis");
    json_t *expected = json_pack("{s:b, s:i, s:i, s:i, s:i, s:[s, s], s:{s:i, s:i}}", "up", 0,
                                 "waiting_events", 3, "waiting_bins", 7, "sent", 11, "dropped", 2, "troubles",
                                 "readonly", "oom", "errors", "oom", 4, "noperm", 1);
    assert_non_null(expected);
    assert_true(json_equal(redis, expected));
    json_decref(expected);
    json_decref(root);
    status_clear(&status);
}

static void other_scopes_keep_what_stays_and_forget_what_goes(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false},
                                         {SCOPE_SERVICE, true, "service:new", false},
                                         {SCOPE_SERVICE, true, "service:kcna.kp", false},
                                         {SCOPE_TAP, false, "tap", false}};
    static const struct scope_list scopes = {.items = items, .count = 4};
    struct status status = fresh(&live);
    struct event all = canned_event(2), gone = canned_event(10);
    status_event(&status, &all);
    status_event(&status, &gone);
    assert_string_equal(gone.scope, "prefix:175.45.176.0/24");
    assert_int_equal(status.open_count, 2);
    assert_int_equal(status_scopes(&status, &scopes), 0);
    assert_int_equal(status.scope_count, 4);
    assert_int_equal(status.scope[2].bins, 1);
    assert_int_equal(status.scope[2].total[TALLY_flows], 3);
    assert_int_equal(status.scope[1].bins, 0);
    assert_int_equal(status.open_count, 1);
    assert_non_null(status_open(&status, "all"));
    struct bin bin = canned_bin(1);
    status_bin(&status, &bin);
    assert_int_equal(status.scope[1].total[TALLY_flows], 1);
    status_clear(&status);
}

static void a_copy_does_not_change_with_what_it_was_copied_from(void **state)
{
    (void)state;
    struct status status = fresh(&live), copy = fresh(&live);
    struct event event = canned_event(2);
    struct bin bin = canned_bin(5);
    status_event(&status, &event);
    assert_int_equal(status_copy(&copy, &status), 0);
    status_bin(&status, &bin);
    event = canned_event(7);
    status_event(&status, &event);
    assert_int_equal(copy.open_count, 1);
    assert_int_equal(copy.scope[0].bins, 1);
    assert_int_equal(copy.picture.track[0].count, 1);
    assert_int_equal(copy.picture.episode_count, 1);
    assert_int_not_equal(copy.changes, status.changes);
    status_clear(&copy);
    status_clear(&status);
}

static void a_state_holds_since_the_first_bin_that_has_it(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    for (unsigned i = 5; i < 20; i += 5) {
        struct bin bin = canned_bin(i);
        bin.state = i == 5 ? STATE_UP : STATE_SUSPECT;
        status_bin(&status, &bin);
    }
    assert_int_equal(status.scope[0].since_ns, CANNED_START_NS + 120 * NS_PER_S);
    assert_int_equal(status.scope[1].since_ns, CANNED_START_NS);
    status_clear(&status);
}

/* ---- life ---- */

static struct status_life judged(const struct publish_options *options, int64_t step_ns, int64_t item_ns,
                                 double now_s)
{
    const struct pulse pulse = {.step_ns = step_ns, .item_ns = item_ns};
    return status_life(options, &pulse, 1000 * NS_PER_S, (int64_t)(now_s * (double)NS_PER_S));
}

static void live_a_reader_without_steps_is_stuck_and_a_quiet_wire_brings_them(void **state)
{
    (void)state;
    const int64_t step_ns = 2000 * NS_PER_S;
    assert_false(judged(&live, step_ns, TIME_NONE, 2019.9).stuck); /* three steps and five seconds */
    struct status_life life = judged(&live, step_ns, TIME_NONE, 2021);
    assert_true(life.stuck);
    assert_non_null(strstr(life.why, "no step for 21 s"));
    assert_true(life.step_age_s > 20.9 && life.step_age_s < 21.1);
    assert_false(judged(&live, TIME_NONE, TIME_NONE, 1100).stuck); /* it is only starting */
    assert_true(judged(&live, TIME_NONE, TIME_NONE, 1120).stuck);
    assert_true(judged(&live, TIME_NONE, TIME_NONE, 1100).step_age_s < 0);
}

static void a_replay_waits_for_its_input_as_long_as_it_takes(void **state)
{
    (void)state;
    assert_false(judged(&replay, 2000 * NS_PER_S, TIME_NONE, 1e6).stuck);
    assert_false(judged(&replay, TIME_NONE, TIME_NONE, 1e6).stuck);
}

static void an_output_that_takes_nothing_is_stuck_in_both(void **state)
{
    (void)state;
    const int64_t step_ns = 2000 * NS_PER_S, item_ns = 1950 * NS_PER_S;
    assert_false(judged(&replay, step_ns, item_ns, 2009).stuck);
    struct status_life life = judged(&replay, step_ns, item_ns, 2011);
    assert_true(life.stuck);
    assert_non_null(strstr(life.why, "nothing could be published for 61 s"));
    assert_true(judged(&live, step_ns, item_ns, 2011).stuck);
}

static void health_tells_ok_impaired_and_stuck_apart(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    json_t *root = json_of(&status, &well);
    assert_string_equal(string_at(root, "status"), "ok");
    assert_null(json_object_get(root, "why"));
    assert_string_equal(string_at(root, "mode"), "live");
    json_decref(root);
    struct event event = canned_event(0);
    status_event(&status, &event);
    root = json_of(&status, &well);
    assert_string_equal(string_at(root, "status"), "impaired");
    json_decref(root);
    struct status_life stuck = {.stuck = true, .why = "because"};
    root = json_of(&status, &stuck);
    assert_string_equal(string_at(root, "status"), "stuck");
    assert_string_equal(string_at(root, "why"), "because");
    json_decref(root);
    status_clear(&status);
}

/* ---- the page ---- */

static void has_words(const char *page, const char *words)
{
    if (strstr(page, words) == NULL)
        fail_msg("no words: %s", words);
}

static void the_page_says_first_how_it_stands(void **state)
{
    (void)state;
    struct status status = fresh(&live);
    char *page = page_of(&status, &well);
    has_words(page, "<title>Up \u00b7 ix-1 \u00b7 lightsout</title>");
    has_words(page,
              "<h1>The whole watch list is up.</h1>\n<p>A total outage would be noticed within 2 min 20 s.");
    has_words(page, "1,234,567, of them watched 2,500 (0.20");
    has_words(page, "3 packets of which the snapshot length took a part");
    free(page);
    struct event event = canned_event(2);
    status_event(&status, &event);
    page = page_of(&status, &well);
    has_words(page, "<title>Outage \u00b7 ");
    has_words(page, "<h1>The whole watch list has been dark since 12:10:00 UTC.</h1>");
    has_words(page, "internal 86&#8239;%, upstream 5&#8239;%");
    has_words(page, "the outside keeps knocking: 102 % of the usual flow starts towards it");
    has_words(page, "clearly for internal");
    free(page);
    event = canned_event(4);
    status_event(&status, &event);
    page = page_of(&status, &well);
    has_words(page, "<title>Coming back \u00b7 ");
    free(page);
    event = canned_event(0);
    status_event(&status, &event);
    page = page_of(&status, &well);
    has_words(page, "<title>Blind \u00b7 ");
    free(page);
    const struct status_life stuck = {.stuck = true, .why = "because"};
    page = page_of(&status, &stuck);
    has_words(page, "<title>Stuck \u00b7 ");
    has_words(page, "What is shown is old: because.");
    free(page);
    status_clear(&status);
}

static void before_the_first_bin_the_page_says_so(void **state)
{
    (void)state;
    struct status status;
    assert_int_equal(status_init(&status, &live, &canned_scopes), 0);
    char *page = page_of(&status, &well);
    has_words(page, "<title>Starting \u00b7 ");
    has_no(page, "id=\"main\"");
    free(page);
    status_clear(&status);
}

static void what_comes_from_outside_is_no_markup(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false},
                                         {SCOPE_SERVICE, true, "service:<b>&\"'", false},
                                         {SCOPE_TAP, false, "tap", false}};
    static const struct scope_list scopes = {.items = items, .count = 3};
    struct status status;
    assert_int_equal(status_init(&status, &replay, &scopes), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct bin bin = canned_bin(i);
        status_bin(&status, &bin);
    }
    char *page = page_of(&status, &well);
    has_words(page, "service:&#60;b&#62;&#38;&#34;&#39;");
    has_words(page, "Sensor ix&#34;&#60;1, replay of a&#38;b");
    has_no(page, "<b>");
    free(page);
    status_clear(&status);
}

static void what_is_troubled_stands_first_and_the_rest_is_cut_off(void **state)
{
    (void)state;
    static struct scope items[400];
    const struct scope_list scopes = {.items = items, .count = 400};
    struct status status;
    for (unsigned i = 0; i < 400; i++) {
        items[i].kind = i == 0 ? SCOPE_ALL : i == 399 ? SCOPE_TAP : SCOPE_PREFIX;
        snprintf(items[i].text, sizeof items[i].text, i == 0 ? "all" : i == 399 ? "tap" : "prefix:%u", i);
    }
    assert_int_equal(status_init(&status, &live, &scopes), 0);
    for (unsigned i = 0; i < 400; i++) {
        struct bin bin = canned_bin(0);
        bin.scope = i;
        bin.state = i == 390 ? STATE_DOWN : STATE_UP;
        status_bin(&status, &bin);
    }
    char *page = page_of(&status, &well);
    assert_true(strstr(page, ">all<") < strstr(page, ">prefix:390<"));
    assert_true(strstr(page, ">prefix:390<") < strstr(page, ">prefix:1<"));
    has_words(page, "100 more are in <a href=\"/api/state\">");
    free(page);
    status_clear(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_a_second_and_counters_are_sums_over_bins),
        cmocka_unit_test(a_state_is_one_of_all_and_so_is_a_reason),
        cmocka_unit_test(what_is_not_known_has_no_sample),
        cmocka_unit_test(live_drops_and_redis_are_told),
        cmocka_unit_test(every_family_has_its_help_and_type_once),
        cmocka_unit_test(a_name_that_would_end_its_label_is_escaped),
        cmocka_unit_test(an_episode_is_open_until_its_last_event),
        cmocka_unit_test(the_json_holds_the_states_as_redis_has_them_and_the_open_events),
        cmocka_unit_test(the_json_tells_what_redis_is_sent_and_what_troubles_it),
        cmocka_unit_test(other_scopes_keep_what_stays_and_forget_what_goes),
        cmocka_unit_test(a_copy_does_not_change_with_what_it_was_copied_from),
        cmocka_unit_test(a_state_holds_since_the_first_bin_that_has_it),
        cmocka_unit_test(live_a_reader_without_steps_is_stuck_and_a_quiet_wire_brings_them),
        cmocka_unit_test(a_replay_waits_for_its_input_as_long_as_it_takes),
        cmocka_unit_test(an_output_that_takes_nothing_is_stuck_in_both),
        cmocka_unit_test(health_tells_ok_impaired_and_stuck_apart),
        cmocka_unit_test(the_page_says_first_how_it_stands),
        cmocka_unit_test(before_the_first_bin_the_page_says_so),
        cmocka_unit_test(what_comes_from_outside_is_no_markup),
        cmocka_unit_test(what_is_troubled_stands_first_and_the_rest_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
