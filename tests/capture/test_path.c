/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "rules.h"

enum { SCOPE_FIRST = 11, SCOPE_SECOND = 12, KEYS_MAX = 8 };

static const uint8_t router[6] = {0x02, 0, 0x5e, 0x10, 0, 1}, other_router[6] = {0x02, 0, 0x5e, 0x10, 0, 2};

/* Two paths whose keys the tests fill in. */
struct world {
    struct path_key keys[2][KEYS_MAX];
    struct path paths[2];
    struct rules rules;
};

static void begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    for (unsigned i = 0; i < 2; i++) {
        world->paths[i].scope = SCOPE_FIRST + i;
        world->paths[i].keys = world->keys[i];
    }
    world->rules.paths = world->paths;
    world->rules.path_count = 2;
}

static struct path_key *add_key(struct world *world, unsigned path, enum path_key_kind kind, uint32_t number)
{
    assert_true(world->paths[path].key_count < KEYS_MAX);
    struct path_key *key = &world->paths[path].keys[world->paths[path].key_count++];
    *key = (struct path_key){.kind = kind, .number = number};
    return key;
}

static void add_mac(struct world *world, unsigned path, const uint8_t mac[6])
{
    memcpy(add_key(world, path, PATH_MAC, 0)->mac, mac, 6);
}

static void add_prefix(struct world *world, unsigned path, const char *text)
{
    struct fault fault;
    assert_int_equal(prefix_parse(text, &add_key(world, path, PATH_PREFIX, 0)->prefix, &fault), 0);
}

/* The scope of a packet whose watched end is `address`. */
static uint32_t find(const struct world *world, const struct packet *packet, const char *address)
{
    struct prefix watched;
    struct fault fault;
    assert_int_equal(prefix_parse(address, &watched, &fault), 0);
    return path_find(&world->rules, packet, watched.address);
}

static void test_without_paths_there_is_none(void **state)
{
    (void)state;
    struct rules rules = {.path_count = 0};
    struct packet packet = {.vlan_count = 1, .vlans = {5}};
    uint8_t address[16] = {0};
    assert_int_equal(path_find(&rules, &packet, address), SCOPE_NONE);
}

static void test_a_path_without_keys_matches_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    struct packet packet = {.interface = 0};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_any_tag_of_the_frame_may_be_the_vlan(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 101);
    struct packet packet = {.vlan_count = 2, .vlans = {7, 101, 0}};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.vlan_count = 1; /* what lies behind the count is not there */
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
    packet.vlan_count = 0;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_vlan_zero_is_a_tag_and_not_its_absence(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 0);
    struct packet untagged = {.vlan_count = 0}, tagged = {.vlan_count = 1, .vlans = {0}};
    assert_int_equal(find(&world, &untagged, "192.0.2.1"), SCOPE_NONE);
    assert_int_equal(find(&world, &tagged, "192.0.2.1"), SCOPE_FIRST);
}

static void test_any_label_of_the_stack_may_be_the_one(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_MPLS, 1017);
    struct packet packet = {.mpls_count = 3, .mpls = {3, 20, 1017}};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.mpls_count = 2;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_a_tunnel_names_the_path_by_its_kind_and_number(void **state)
{
    (void)state;
    struct packet packet = {.tunnel_count = 3,
                            .tunnels = {{FLOW_TUNNEL_GRE, true, 7},
                                        {FLOW_TUNNEL_ERSPAN, true, 100},
                                        {FLOW_TUNNEL_VXLAN, true, 4242},
                                        {FLOW_TUNNEL_GENEVE, true, 99}}};
    static const struct {
        enum path_key_kind kind;
        uint32_t number;
        bool found;
    } rows[] = {{PATH_GRE, 7, true},     {PATH_GRE, 100, false}, {PATH_ERSPAN, 100, true},
                {PATH_ERSPAN, 7, false}, {PATH_VNI, 4242, true}, {PATH_VNI, 100, false},
                {PATH_VNI, 99, false} /* behind the count */};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        begin(&world);
        add_key(&world, 0, rows[i].kind, rows[i].number);
        assert_int_equal(find(&world, &packet, "192.0.2.1"), rows[i].found ? SCOPE_FIRST : SCOPE_NONE);
    }
    /* A tunnel that has no number is not number 0. */
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_GRE, 0);
    struct packet keyless = {.tunnel_count = 1, .tunnels = {{FLOW_TUNNEL_GRE, false, 0}}};
    assert_int_equal(find(&world, &keyless, "192.0.2.1"), SCOPE_NONE);
}

static void test_the_router_may_be_source_or_destination(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_mac(&world, 0, router);
    struct packet packet = {.has_mac = true};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
    memcpy(packet.source_mac, router, 6);
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    memcpy(packet.source_mac, other_router, 6);
    memcpy(packet.destination_mac, router, 6);
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.has_mac = false; /* a link without them */
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_the_prefix_is_that_of_the_watched_end(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_prefix(&world, 0, "192.0.2.0/25");
    add_prefix(&world, 1, "2001:db8::/32");
    struct packet packet = {.is_ip = true};
    assert_int_equal(find(&world, &packet, "192.0.2.127"), SCOPE_FIRST);
    assert_int_equal(find(&world, &packet, "192.0.2.128"), SCOPE_NONE);
    assert_int_equal(find(&world, &packet, "2001:db8:ffff::1"), SCOPE_SECOND);
}

static void test_of_one_kind_any_value_will_do(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 100);
    add_key(&world, 0, PATH_VLAN, 101);
    struct packet packet = {.vlan_count = 1, .vlans = {101}};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.vlans[0] = 100;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.vlans[0] = 102;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_of_every_kind_one_must_match(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 100);
    add_mac(&world, 0, other_router);
    add_mac(&world, 0, router);
    add_prefix(&world, 0, "192.0.2.0/24");
    struct packet packet = {.vlan_count = 1, .vlans = {100}, .has_mac = true};
    memcpy(packet.destination_mac, router, 6);
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    assert_int_equal(find(&world, &packet, "198.51.100.1"), SCOPE_NONE);
    packet.vlans[0] = 99;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
    packet.vlans[0] = 100;
    packet.has_mac = false;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_the_first_path_that_matches_wins(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 100);
    add_prefix(&world, 1, "192.0.2.0/24");
    struct packet packet = {.vlan_count = 1, .vlans = {100}};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.vlan_count = 0;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_SECOND);
}

static uint32_t path_of(const struct world *world, const char *text)
{
    struct watch watch = {.enabled = true};
    struct fault fault;
    assert_int_equal(prefix_parse(text, &watch.prefix, &fault), 0);
    return path_of_watch(&world->rules, &watch);
}

static void test_a_watch_has_a_path_of_its_own_unless_it_takes_the_packet_to_tell(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_prefix(&world, 0, "192.0.2.0/24");
    add_prefix(&world, 1, "192.0.0.0/16");
    assert_int_equal(path_of(&world, "192.0.2.0/24"), SCOPE_FIRST);
    assert_int_equal(path_of(&world, "192.0.2.128/25"), SCOPE_FIRST);
    assert_int_equal(path_of(&world, "192.0.3.0/24"), SCOPE_SECOND);
    assert_int_equal(path_of(&world, "192.0.2.0/23"), PATH_VARIES); /* half of it is the first's */
    assert_int_equal(path_of(&world, "0.0.0.0/0"), PATH_VARIES);
    assert_int_equal(path_of(&world, "198.51.100.0/24"), SCOPE_NONE);
    assert_int_equal(path_of(&world, "2001:db8::/32"), SCOPE_NONE);
    add_key(&world, 1, PATH_VLAN, 100);
    assert_int_equal(path_of(&world, "198.51.100.0/24"), PATH_VARIES);
}

static void test_interfaces_are_bound_by_name(void **state)
{
    (void)state;
    static const char *const read[] = {"eth1", "eth2"};
    struct world world;
    begin(&world);
    strcpy(add_key(&world, 0, PATH_INTERFACE, 0)->interface, "eth2");
    strcpy(add_key(&world, 1, PATH_INTERFACE, 0)->interface, "eth7");
    path_bind_interfaces(&world.rules, read, 2);
    struct packet packet = {.interface = 1};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_FIRST);
    packet.interface = 0;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

static void test_an_interface_that_is_not_read_never_matches(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    strcpy(add_key(&world, 0, PATH_INTERFACE, 0)->interface, "eth1");
    path_bind_interfaces(&world.rules, NULL, 0); /* a replay */
    struct packet packet = {.interface = 0};
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
    packet.interface = UINT16_MAX;
    assert_int_equal(find(&world, &packet, "192.0.2.1"), SCOPE_NONE);
}

/* The paths that a packet without a watched end crossed, as the sum of their scopes. */
static uint32_t crossed(const struct world *world, const struct packet *packet)
{
    uint32_t scopes[2], sum = 0;
    unsigned count = path_find_link(&world->rules, packet, scopes, 2);
    for (unsigned i = 0; i < count; i++)
        sum += scopes[i];
    return sum;
}

static void test_without_a_watched_end_only_the_link_is_asked(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_prefix(&world, 0, "192.0.2.0/24");
    add_key(&world, 1, PATH_VLAN, 100);
    add_mac(&world, 1, router);
    assert_false(path_has_link(&world.paths[0]));
    assert_true(path_has_link(&world.paths[1]));
    struct packet packet = {.vlan_count = 1, .vlans = {100}};
    assert_int_equal(crossed(&world, &packet), 0); /* not its router */
    packet.has_mac = true;
    memcpy(packet.source_mac, router, 6);
    assert_int_equal(crossed(&world, &packet), SCOPE_SECOND);
}

static void test_what_could_have_been_on_either_path_crossed_both(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    add_key(&world, 0, PATH_VLAN, 100);
    add_key(&world, 1, PATH_VLAN, 100);
    struct packet packet = {.vlan_count = 1, .vlans = {100}};
    assert_int_equal(crossed(&world, &packet), SCOPE_FIRST); /* the first takes all */
    add_prefix(&world, 0, "192.0.2.0/24");
    assert_int_equal(crossed(&world, &packet), SCOPE_FIRST + SCOPE_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_paths_there_is_none),
        cmocka_unit_test(test_a_path_without_keys_matches_nothing),
        cmocka_unit_test(test_any_tag_of_the_frame_may_be_the_vlan),
        cmocka_unit_test(test_vlan_zero_is_a_tag_and_not_its_absence),
        cmocka_unit_test(test_any_label_of_the_stack_may_be_the_one),
        cmocka_unit_test(test_a_tunnel_names_the_path_by_its_kind_and_number),
        cmocka_unit_test(test_the_router_may_be_source_or_destination),
        cmocka_unit_test(test_the_prefix_is_that_of_the_watched_end),
        cmocka_unit_test(test_of_one_kind_any_value_will_do),
        cmocka_unit_test(test_of_every_kind_one_must_match),
        cmocka_unit_test(test_the_first_path_that_matches_wins),
        cmocka_unit_test(test_a_watch_has_a_path_of_its_own_unless_it_takes_the_packet_to_tell),
        cmocka_unit_test(test_interfaces_are_bound_by_name),
        cmocka_unit_test(test_an_interface_that_is_not_read_never_matches),
        cmocka_unit_test(test_without_a_watched_end_only_the_link_is_asked),
        cmocka_unit_test(test_what_could_have_been_on_either_path_crossed_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
