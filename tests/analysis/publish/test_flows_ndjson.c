/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows as lines of JSON, whatever bytes their names are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "canned.h"
#include "files.h"
#include "publish.h"

/* Writes the records as the program does and gives the file's text. */
static char *written(const struct flow_record *records, size_t count, const char *sensor)
{
    const char *name = files_new();
    struct publish_options options = {.sensor = sensor, .flows_path = name, .replay = true};
    struct fault fault;
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    assert_non_null(publish);
    for (size_t i = 0; i < count; i++)
        publish_flow(publish, &records[i]);
    assert_int_equal(publish_close(publish, &fault), 0);
    return files_take(name);
}

static json_t *one(const struct flow_record *record)
{
    char *text = written(record, 1, "ix-1");
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

static json_t *field(json_t *root, const char *path)
{
    char name[128];
    snprintf(name, sizeof name, "%s", path);
    if (strcmp(path, "@timestamp") == 0)
        return json_object_get(root, path);
    for (char *rest, *part = strtok_r(name, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest))
        root = json_object_get(root, part);
    return root;
}

static void assert_field(json_t *root, const char *path, const char *value)
{
    const char *found = json_string_value(field(root, path));
    if (found == NULL || strcmp(found, value) != 0)
        fail_msg("%s is %s, not %s", path, found != NULL ? found : "not there", value);
}

static void a_flow_has_the_contract_s_fields(void **state)
{
    (void)state;
    struct flow_record flow = canned_flow(0);
    json_t *root = one(&flow);
    assert_field(root, "@timestamp", "2025-06-06T12:00:00.000000Z");
    assert_field(root, "event.kind", "event");
    assert_field(root, "event.start", "2025-06-06T12:00:00.000000Z");
    assert_field(root, "event.end", "2025-06-06T12:00:01.500000Z");
    assert_field(root, "source.ip", "192.0.2.1");
    assert_int_equal(json_integer_value(field(root, "source.port")), 40000);
    assert_int_equal(json_integer_value(field(root, "source.packets")), 9);
    assert_int_equal(json_integer_value(field(root, "source.bytes")), 1234);
    assert_field(root, "destination.ip", "175.45.176.71");
    assert_int_equal(json_integer_value(field(root, "destination.port")), 443);
    assert_int_equal(json_integer_value(field(root, "destination.packets")), 8);
    assert_int_equal(json_integer_value(field(root, "destination.bytes")), 56789);
    assert_field(root, "destination.domain", "kcna.kp");
    assert_field(root, "network.type", "ipv4");
    assert_field(root, "network.transport", "tcp");
    assert_field(root, "network.application", "TLS.Google");
    assert_field(root, "lightsout.watched", "destination");
    assert_field(root, "lightsout.prefix", "175.45.176.0/24");
    assert_field(root, "lightsout.path", "china-unicom");
    assert_field(root, "lightsout.service", "kcna.kp");
    assert_field(root, "lightsout.ended", "closed");
    assert_true(json_is_true(field(root, "lightsout.answered")));
    assert_int_equal(json_array_size(field(root, "lightsout.tunnels")), 0);
    assert_null(field(root, "vlan"));
    json_decref(root);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    struct flow_record flow = canned_flow(0);
    flow.application[0] = flow.domain[0] = '\0';
    flow.prefix = flow.path = flow.service = SCOPE_NONE;
    json_t *root = one(&flow);
    static const char *const paths[] = {"destination.domain", "network.application", "lightsout.prefix",
                                        "lightsout.path", "lightsout.service"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_null(field(root, paths[i]));
    json_decref(root);
}

static void protocols_have_their_names_and_only_some_have_ports(void **state)
{
    (void)state;
    static const struct {
        uint8_t number;
        const char *name;
        bool ports;
    } rows[] = {{6, "tcp", true},   {17, "udp", true},   {132, "sctp", true},
                {1, "icmp", false}, {47, "gre", false},  {58, "ipv6-icmp", false},
                {50, "esp", false}, {253, "253", false}, {0, "0", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_record flow = canned_flow(0);
        flow.protocol = rows[i].number;
        json_t *root = one(&flow);
        assert_field(root, "network.transport", rows[i].name);
        assert_int_equal(field(root, "source.port") != NULL, rows[i].ports);
        assert_int_equal(field(root, "destination.port") != NULL, rows[i].ports);
        json_decref(root);
    }
}

static void ipv6_is_written_as_ipv6(void **state)
{
    (void)state;
    struct flow_record flow = canned_flow(0);
    flow.source = (struct flow_side){.address = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .watched = true};
    json_t *root = one(&flow);
    assert_field(root, "source.ip", "2001:db8::1");
    assert_field(root, "network.type", "ipv6");
    assert_field(root, "lightsout.watched", "both");
    json_decref(root);
    flow.destination.watched = false;
    root = one(&flow);
    assert_field(root, "lightsout.watched", "source");
    json_decref(root);
}

static void vlan_ids_are_strings_the_outermost_first(void **state)
{
    (void)state;
    struct flow_record flow = canned_flow(0);
    flow.vlan_count = 1;
    flow.vlans[0] = 100;
    json_t *root = one(&flow);
    assert_field(root, "vlan.id", "100");
    assert_null(field(root, "network.inner"));
    json_decref(root);
    flow.vlan_count = 3;
    flow.vlans[1] = 200;
    flow.vlans[2] = 4095;
    root = one(&flow);
    assert_field(root, "vlan.id", "100");
    assert_field(root, "network.inner.vlan.id", "4095");
    json_decref(root);
}

static void any_bytes_make_valid_json_on_one_line(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static struct flow_record flows[COUNT];
    uint32_t seed = 1;
    for (int i = 0; i < COUNT; i++) {
        flows[i] = canned_flow((unsigned)i);
        size_t length = (size_t)i % FLOW_DOMAIN_MAX;
        for (size_t j = 0; j < length; j++) {
            seed = seed * 1664525U + 1013904223U;
            uint8_t byte = (uint8_t)(seed >> 24);
            flows[i].domain[j] = (char)(byte == 0 ? 1 : byte);
        }
        flows[i].domain[length] = '\0';
    }
    char *text = written(flows, COUNT, "ix\x01\xff\"1"), *line, *rest;
    int count = 0;
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), count++) {
        json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (root == NULL)
            fail_msg("not JSON: %s", line);
        assert_field(root, "observer.name", "ix\x01\xef\xbf\xbd\"1");
        json_decref(root);
    }
    assert_int_equal(count, COUNT);
    free(text);
}

static void the_longest_names_are_not_cut(void **state)
{
    (void)state;
    struct flow_record flow = canned_flow(0);
    memset(flow.domain, 1, sizeof flow.domain - 1);
    memset(flow.application, 2, sizeof flow.application - 1);
    flow.source.packets = flow.source.bytes = flow.destination.packets = flow.destination.bytes = INT64_MAX;
    char sensor[1001];
    memset(sensor, 3, 1000);
    sensor[1000] = '\0';
    char *text = written(&flow, 1, sensor);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s: %s", error.text, text);
    assert_int_equal(json_string_length(field(root, "destination.domain")), FLOW_DOMAIN_MAX - 1);
    assert_int_equal(json_string_length(field(root, "network.application")), FLOW_APPLICATION_MAX - 1);
    assert_int_equal(json_string_length(field(root, "observer.name")), 1000);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_has_the_contract_s_fields),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(protocols_have_their_names_and_only_some_have_ports),
        cmocka_unit_test(ipv6_is_written_as_ipv6),
        cmocka_unit_test(vlan_ids_are_strings_the_outermost_first),
        cmocka_unit_test(any_bytes_make_valid_json_on_one_line),
        cmocka_unit_test(the_longest_names_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
