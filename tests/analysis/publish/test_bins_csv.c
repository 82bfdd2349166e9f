/* SPDX-License-Identifier: BSD-3-Clause */
/* Bins as rows of CSV and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>

#include "bin_text.h"
#include "canned.h"
#include "files.h"
#include "publish.h"

static const char header[] =
    "time,scope,flows,live_flows,answered_flows,packets_in,packets_out,bytes_in,bytes_out,hosts,peers,syn_in,"
    "icmp_errors,drops,expected,low,state,detectable_s,live_bursts,answered_bursts,"
    "handshakes,handshake_us,answered_hops,retransmits_in,retransmits_out,unseen_acks_in,unseen_acks_out,"
    "acked_flows,"
    "icmp_unreachable,icmp_prohibited,icmp_exceeded,icmp_own,reflected_in,oneway_out,control,"
    "proven_flows,proven_bursts,icmp_no_route,knocks\n";

static void the_file_begins_with_the_contract_s_columns_and_has_a_row_a_bin(void **state)
{
    (void)state;
    const char *name = files_new();
    struct publish_options options = {.sensor = "ix-1", .bins_path = name, .replay = true};
    struct fault fault;
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    assert_non_null(publish);
    for (unsigned i = 0; i < 20000; i++) {
        struct bin bin = canned_bin(i);
        publish_bin(publish, &bin);
    }
    assert_int_equal(publish_close(publish, &fault), 0);
    char *text = files_take(name), *row = text + strlen(header);
    assert_memory_equal(text, header, strlen(header));
    static const char first[] =
        "2025-06-06T12:00:00Z,all,0,10,20,30,40,50,60,70,80,90,100,,7.125,1.500,up,"
        "140.2,120,130,140,150,160,170,180,190,200,210,220,230,240,250,260,270,280,290,300,310,320\n"
        "2025-06-06T12:00:00Z,prefix:175.45.176.0/"
        "24,1,11,21,31,41,51,61,71,81,91,101,,7.125,1.500,up,140.2,121,131,141,151,"
        "161,171,181,191,201,211,221,231,241,251,261,271,281,291,301,311,321\n";
    assert_memory_equal(row, first, strlen(first));
    size_t rows = 0;
    for (; *row != '\0'; row = strchr(row, '\n') + 1)
        rows++;
    assert_int_equal(rows, 20000);
    free(text);
}

static void assert_row(const struct bin *bin, const struct scope *scope, const char *expected)
{
    char bytes[BIN_ROW_MAX];
    struct text row = text_in(bytes, sizeof bytes);
    bin_text_row(bin, scope, &row);
    assert_string_equal(bytes, expected);
    assert_false(row.cut);
}

static void what_is_unknown_is_an_empty_cell_and_zero_is_zero(void **state)
{
    (void)state;
    struct bin bin = {
        .start_ns = CANNED_START_NS, .signal = SIGNAL_NONE, .expected = -1, .low = -1, .detectable_s = -1};
    bin.tally = tally_empty(CANNED_START_NS, CANNED_START_NS + 60 * NS_PER_S, TALLY_BIT(TALLY_flows));
    assert_row(&bin, &canned_items[0],
               "2025-06-06T12:00:00Z,all,0,,,,,,,,,,,,,,learning,,,,,,,,,,,,,,,,,,,,,,\n");
    bin.expected = 0;
    bin.low = NAN;
    bin.detectable_s = INFINITY;
    bin.tally.known = 0;
    assert_row(&bin, &canned_items[0],
               "2025-06-06T12:00:00Z,all,,,,,,,,,,,,,0.000,,learning,,,,,,,,,,,,,,,,,,,,,,\n");
}

static void every_state_has_its_name(void **state)
{
    (void)state;
    static const char *const names[STATE__COUNT] = {"learning", "up",         "suspect",
                                                    "down",     "recovering", "blind"};
    for (int i = 0; i < STATE__COUNT; i++) {
        struct bin bin = canned_bin(0);
        char bytes[BIN_ROW_MAX], cell[32];
        struct text row = text_in(bytes, sizeof bytes);
        bin.state = (enum scope_state)i;
        bin_text_row(&bin, &canned_items[0], &row);
        snprintf(cell, sizeof cell, ",%s,140.2,", names[i]);
        assert_non_null(strstr(bytes, cell));
    }
}

static void a_name_that_means_something_to_csv_is_quoted(void **state)
{
    (void)state;
    const struct scope odd = {SCOPE_SERVICE, true, "service:a,\"b\"\nc", false};
    struct bin bin = {.start_ns = CANNED_START_NS, .expected = -1, .low = -1, .detectable_s = -1};
    assert_row(
        &bin, &odd,
        "2025-06-06T12:00:00Z,\"service:a,\"\"b\"\" c\",,,,,,,,,,,,,,,learning,,,,,,,,,,,,,,,,,,,,,,\n");
}

static void the_largest_numbers_fit_into_a_row(void **state)
{
    (void)state;
    struct scope scope = {SCOPE_SERVICE, true, "", false};
    memset(scope.text, '"', sizeof scope.text - 1);
    struct bin bin = canned_bin(0);
    char bytes[BIN_ROW_MAX];
    struct text row = text_in(bytes, sizeof bytes);
    bin.outage.known = true;
    bin.outage.probability[VERDICT_ATTACK] = bin.outage.level_accepted = 1;
    bin.tally.known = TALLY_ALL_KNOWN;
    for (int i = 0; i < TALLY__COUNT; i++)
        bin.tally.value[i] = UINT64_MAX;
    bin_text_row(&bin, &scope, &row);
    assert_false(row.cut);
    char json[BIN_JSON_MAX];
    row = text_in(json, sizeof json);
    bin_text_json(&bin, &scope, &row);
    assert_false(row.cut);
}

static void as_json_it_has_the_same_names_and_leaves_out_what_is_unknown(void **state)
{
    (void)state;
    struct bin bin = canned_bin(1);
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    bin_text_json(&bin, &canned_items[1], &text);
    json_t *root = json_loads(bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "time")), "2025-06-06T12:00:00Z");
    assert_string_equal(json_string_value(json_object_get(root, "scope")), "prefix:175.45.176.0/24");
    assert_int_equal(json_integer_value(json_object_get(root, "answered_flows")), 21);
    assert_int_equal(json_integer_value(json_object_get(root, "answered_bursts")), 131);
    assert_int_equal(json_integer_value(json_object_get(root, "handshake_us")), 151);
    assert_int_equal(json_integer_value(json_object_get(root, "control")), 281);
    assert_int_equal(json_integer_value(json_object_get(root, "knocks")), 321);
    assert_null(json_object_get(root, "drops"));
    assert_true(json_real_value(json_object_get(root, "low")) == 1.5);
    json_decref(root);
}

static void assert_same_bin(const struct bin *bin, const struct scope *scope)
{
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    struct bin read;
    struct scope of;
    bin_text_json(bin, scope, &text);
    assert_int_equal(bin_text_read(bytes, (size_t)(text.at - bytes), &read, &of), 0);
    assert_string_equal(of.text, scope->text);
    assert_int_equal(of.kind, scope->kind);
    assert_int_equal(of.counted, scope->counted);
    assert_true(read.start_ns == bin->start_ns && read.state == bin->state && read.signal == bin->signal);
    assert_true(read.tally.start_ns == bin->tally.start_ns && read.tally.end_ns == bin->tally.end_ns);
    assert_true(read.tally.known == bin->tally.known);
    assert_memory_equal(read.tally.value, bin->tally.value, sizeof bin->tally.value);
    assert_true(read.expected == bin->expected && read.low == bin->low);
    assert_int_equal(read.outage.known, bin->outage.known);
    assert_memory_equal(&read.outage.onset_ns, &bin->outage.onset_ns,
                        sizeof bin->outage - offsetof(struct bin_outage, onset_ns));
}

static void a_bin_that_is_read_back_is_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < canned_scopes.count; i++) {
        struct bin bin = canned_bin(i);
        bin.tally.value[TALLY_drops] = 0; /* not known, and so not told */
        bin.outage.onset_ns = bin.outage.onset_earliest_ns = bin.outage.onset_latest_ns = TIME_NONE;
        bin.outage.end_ns = bin.outage.end_earliest_ns = bin.outage.end_latest_ns = TIME_NONE;
        assert_same_bin(&bin, &canned_items[i]);
    }
    struct scope leased = {SCOPE_PREFIX, false, "prefix:210.52.109.0/24", false};
    struct bin bin = canned_bin(1);
    bin.tally.value[TALLY_drops] = 0;
    bin.state = STATE_DOWN;
    memset(&bin.outage, 0, sizeof bin.outage);
    bin.outage.known = true;
    bin.outage.onset_ns = CANNED_START_NS + 17 * NS_PER_S + 250 * NS_PER_MS;
    bin.outage.onset_earliest_ns = bin.outage.onset_ns - 5 * NS_PER_S;
    bin.outage.onset_latest_ns = bin.outage.onset_ns + 1234 * NS_PER_US;
    bin.outage.end_ns = bin.outage.end_earliest_ns = bin.outage.end_latest_ns = TIME_NONE;
    bin.outage.recovered = 0.25;
    bin.outage.log_odds = 14.125;
    bin.outage.probability[VERDICT_INTERNAL] = 0.75;
    bin.outage.probability[VERDICT_UNKNOWN] = 0.25;
    assert_same_bin(&bin, &leased);
    bin.outage.end_ns = bin.outage.onset_ns + 60 * NS_PER_S;
    bin.outage.end_earliest_ns = bin.outage.end_ns - NS_PER_S;
    bin.outage.end_latest_ns = bin.outage.end_ns + NS_PER_S;
    bin.outage.level_accepted = 0.5;
    assert_same_bin(&bin, &leased);
}

static void what_is_no_bin_is_not_read_as_one(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"time\":\"2025-06-06T12:00:00Z\",\"scope\":\"all\"}",
        "{\"time\":\"9999-06-06T12:00:00Z\",\"scope\":\"all\",\"start\":\"2025-06-06T12:00:00Z\","
        "\"end\":\"2025-06-06T12:01:00Z\",\"state\":\"up\"}",
        "{\"time\":\"yesterday\",\"scope\":\"all\",\"start\":\"2025-06-06T12:00:00Z\","
        "\"end\":\"2025-06-06T12:01:00Z\",\"state\":\"up\"}",
        "{\"time\":\"2025-06-06T12:00:00Z\",\"scope\":\"world\",\"start\":\"2025-06-06T12:00:00Z\","
        "\"end\":\"2025-06-06T12:01:00Z\",\"state\":\"up\"}",
        "{\"time\":\"2025-06-06T12:00:00Z\",\"scope\":\"all\",\"start\":\"2025-06-06T12:00:00Z\","
        "\"end\":\"2025-06-06T12:01:00Z\",\"state\":\"sleepy\"}",
    };
    struct bin bin;
    struct scope scope;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(bin_text_read(wrong[i], strlen(wrong[i]), &bin, &scope), -1);
}

static void a_share_is_no_less_than_none_and_no_more_than_all(void **state)
{
    (void)state;
    static const char text[] =
        "{\"time\":\"2025-06-06T12:00:00Z\",\"scope\":\"all\",\"start\":\"2025-06-06T12:00:00Z\","
        "\"end\":\"2025-06-06T12:01:00Z\",\"state\":\"down\",\"outage\":{\"onset\":\"2025-06-06T11:00:00Z\","
        "\"onset_earliest\":\"2025-06-06T11:00:00Z\",\"onset_latest\":\"2025-06-06T11:00:00Z\","
        "\"recovered\":1e14,\"level_accepted\":-60,\"cause\":{\"internal\":2,\"unknown\":-1}}}";
    struct bin bin;
    struct scope scope;
    assert_int_equal(bin_text_read(text, strlen(text), &bin, &scope), 0);
    assert_true(bin.outage.recovered == 1 && bin.outage.level_accepted == 0);
    assert_true(bin.outage.probability[VERDICT_INTERNAL] == 1 &&
                bin.outage.probability[VERDICT_UNKNOWN] == 0);
}

static const struct bin_interfaces no_interfaces;

static void the_state_has_rates_a_minute_of_what_was_really_watched(void **state)
{
    (void)state;
    struct bin bin = canned_bin(0);
    bin.tally.end_ns = bin.tally.start_ns + 30 * NS_PER_S; /* cut short */
    bin.state = STATE_DOWN;
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &no_interfaces, "1552f2ef2cfe48ab", &text);
    assert_string_equal(
        bytes, "{\"schema\":1,\"scope\":\"all\",\"state\":\"down\",\"time\":\"2025-06-06T12:00:00Z\","
               "\"end\":\"2025-06-06T12:00:30.000000Z\",\"signal\":\"answered_flows\","
               "\"expected_rate\":14.250,\"observed_rate\":40.000,\"detectable_s\":140.2,"
               "\"outage\":\"1552f2ef2cfe48ab\"}");
    text = text_in(bytes, sizeof bytes);
    bin.signal = SIGNAL_NONE;
    bin.expected = -1;
    bin_text_state(&bin, &canned_items[0], &no_interfaces, NULL, &text);
    assert_null(strstr(bytes, "rate"));
    assert_null(strstr(bytes, "outage"));
}

static void the_state_says_why_a_scope_learns_and_what_became_of_the_promise(void **state)
{
    (void)state;
    struct bin bin = canned_bin(0);
    bin.state = STATE_LEARNING;
    bin.learning = LEARNING_THIN;
    bin.alarms = (struct alarm_rate){.nominal_per_year = 0.5, .near_due = 0.5, .near_seen = 3};
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &no_interfaces, NULL, &text);
    assert_non_null(strstr(bytes, "\"learning\":\"too-thin\""));
    assert_non_null(strstr(bytes, "\"false_alarms\":{\"nominal_per_year\":0.5000}"));
    bin.alarms.near_due = 4;
    text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &no_interfaces, NULL, &text);
    assert_non_null(strstr(bytes, "{\"nominal_per_year\":0.5000,\"realised_per_year\":0.3750}"));
}

static void the_state_of_the_tap_tells_what_each_interface_lost(void **state)
{
    (void)state;
    static const char *const names[] = {"eth1", "eth2"};
    const struct bin_interfaces two = {names, 2};
    const struct scope *tap = &canned_items[canned_scopes.count - 1];
    struct bin bin = canned_bin(canned_scopes.count - 1);
    bin.tally.lost[1] = 5000000000;
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, tap, &two, NULL, &text);
    assert_non_null(strstr(bytes, "\"interfaces\":[{\"name\":\"eth1\",\"drops\":null},"
                                  "{\"name\":\"eth2\",\"drops\":null}]}"));
    bin.tally.known |= TALLY_BIT(TALLY_drops);
    text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, tap, &two, NULL, &text);
    assert_non_null(strstr(bytes, "\"interfaces\":[{\"name\":\"eth1\",\"drops\":0},"
                                  "{\"name\":\"eth2\",\"drops\":5000000000}]}"));
    text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &two, NULL, &text);
    assert_null(strstr(bytes, "interfaces"));
}

static void the_state_tells_the_way_and_whether_it_is_another(void **state)
{
    (void)state;
    struct bin bin = canned_bin(0);
    bin.route = (struct route){.trip_ms = 180.25, .usual_trip_ms = 281, .hops = 18, .usual_hops = 20};
    char bytes[BIN_JSON_MAX];
    struct text text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &no_interfaces, NULL, &text);
    assert_non_null(strstr(bytes, "\"route\":{\"changed\":true,\"rtt_ms\":180.2,\"usual_rtt_ms\":281.0,"
                                  "\"hops\":18.0,\"usual_hops\":20.0}"));
    bin.route = (struct route){.trip_ms = -1, .usual_trip_ms = 281, .hops = 20.4, .usual_hops = 20};
    text = text_in(bytes, sizeof bytes);
    bin_text_state(&bin, &canned_items[0], &no_interfaces, NULL, &text);
    assert_non_null(strstr(bytes, "\"route\":{\"changed\":false,\"usual_rtt_ms\":281.0,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_begins_with_the_contract_s_columns_and_has_a_row_a_bin),
        cmocka_unit_test(what_is_unknown_is_an_empty_cell_and_zero_is_zero),
        cmocka_unit_test(every_state_has_its_name),
        cmocka_unit_test(a_name_that_means_something_to_csv_is_quoted),
        cmocka_unit_test(the_largest_numbers_fit_into_a_row),
        cmocka_unit_test(as_json_it_has_the_same_names_and_leaves_out_what_is_unknown),
        cmocka_unit_test(a_bin_that_is_read_back_is_the_same),
        cmocka_unit_test(what_is_no_bin_is_not_read_as_one),
        cmocka_unit_test(a_share_is_no_less_than_none_and_no_more_than_all),
        cmocka_unit_test(the_state_has_rates_a_minute_of_what_was_really_watched),
        cmocka_unit_test(the_state_says_why_a_scope_learns_and_what_became_of_the_promise),
        cmocka_unit_test(the_state_of_the_tap_tells_what_each_interface_lost),
        cmocka_unit_test(the_state_tells_the_way_and_whether_it_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
