/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers and names of the legs of the tap, and the paths that cross them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>

#include "leg.h"

enum { PATHS = 3, SCOPE_0 = 5 };

static struct path_key keys[PATHS][2];
static struct path paths[PATHS];
static struct rules rules;
static struct leg_list list;

/* Paths without keys: the tests give them some. */
static int set_up(void **state)
{
    (void)state;
    memset(&list, 0, sizeof list);
    for (uint32_t i = 0; i < PATHS; i++)
        paths[i] = (struct path){.scope = SCOPE_0 + i, .keys = keys[i]};
    rules = (struct rules){.paths = paths, .path_count = PATHS};
    return 0;
}

static struct path_key *add_key(unsigned path, enum path_key_kind kind, uint32_t number)
{
    struct path_key *key = &keys[path][paths[path].key_count++];
    *key = (struct path_key){.kind = kind, .number = number};
    return key;
}

static struct packet packet_on(uint16_t interface, unsigned tags, uint16_t outer, uint16_t inner)
{
    return (struct packet){.interface = interface, .vlan_count = (uint8_t)tags, .vlans = {outer, inner}};
}

static unsigned find(struct legs *legs, uint16_t interface, unsigned tags, uint16_t outer)
{
    return legs_find(legs, interface, tags > 0 ? outer : LEG_UNTAGGED);
}

static void test_legs_are_numbered_as_they_appear(void **state)
{
    (void)state;
    struct legs *legs = legs_new(&rules, NULL, 0, &list);
    assert_int_equal(find(legs, 0, 1, 101), 0);
    assert_int_equal(find(legs, 0, 0, 0), 1);
    assert_int_equal(find(legs, 0, 1, 0), 2); /* a priority tag is a tag */
    assert_int_equal(find(legs, 3, 1, 101), 3);
    assert_int_equal(find(legs, 0, 2, 101), 0); /* only the outermost counts */
    assert_int_equal(find(legs, 0, 0, 0), 1);
    assert_int_equal(find(legs, 3, 0, 0), 4);
    assert_int_equal(list.count, 5);
    static const char *const names[] = {"vlan 101", "interface 0", "vlan 0", "interface 3 vlan 101",
                                        "interface 3"};
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(list.text[i], names[i]);
    legs_free(legs);
}

static void test_interfaces_that_have_names_go_by_them(void **state)
{
    (void)state;
    static const char *const names[] = {"eth1", "eth2"};
    struct legs *legs = legs_new(&rules, names, 2, &list);
    find(legs, 1, 0, 0);
    find(legs, 0, 1, 4094);
    assert_string_equal(list.text[0], "eth2");
    assert_string_equal(list.text[1], "eth1 vlan 4094");
    legs_free(legs);
}

static void test_from_the_sixteenth_on_they_share_a_leg(void **state)
{
    (void)state;
    struct legs *legs = legs_new(&rules, NULL, 0, &list);
    for (uint16_t i = 0; i < 40; i++)
        assert_int_equal(find(legs, 0, 1, i), i < 15 ? i : 15);
    for (uint16_t i = 40; i-- > 0;)
        assert_int_equal(find(legs, 0, 1, i), i < 15 ? i : 15);
    assert_int_equal(list.count, TALLY_LEGS);
    assert_string_equal(list.text[14], "vlan 14");
    assert_string_equal(list.text[15], "other legs");
    legs_free(legs);
}

/* The scopes of the paths that a packet crossed, as text: "5 6". */
static void assert_crosses(struct legs *legs, const struct packet *packet, const char *wanted)
{
    char text[64] = "";
    for (int again = 0; again < 2; again++) { /* looked up, and remembered */
        const struct leg_paths *found =
            legs_paths(legs, find(legs, packet->interface, packet->vlan_count, packet->vlans[0]), packet);
        size_t length = 0;
        text[0] = '\0';
        for (unsigned i = 0; i < found->count; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%u", i > 0 ? " " : "",
                                       found->scope[i]);
        assert_string_equal(text, wanted);
    }
}

static void test_a_path_is_crossed_by_what_has_its_tag(void **state)
{
    (void)state;
    add_key(0, PATH_VLAN, 101);
    add_key(1, PATH_VLAN, 102);
    add_key(2, PATH_PREFIX, 0);
    struct legs *legs = legs_new(&rules, NULL, 0, NULL);
    struct packet packets[] = {packet_on(0, 1, 101, 0), packet_on(0, 1, 102, 0), packet_on(0, 0, 0, 0),
                               packet_on(0, 2, 7, 102), packet_on(0, 2, 7, 8),   packet_on(0, 1, 7, 0)};
    static const char *const crossed[] = {"5", "6", "", "6", "", ""};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 6; i++)
            assert_crosses(legs, &packets[i], crossed[i]);
    legs_free(legs);
}

static void test_legs_that_share_a_number_keep_their_paths_apart(void **state)
{
    (void)state;
    add_key(0, PATH_VLAN, 20);
    add_key(1, PATH_VLAN, 21);
    struct legs *legs = legs_new(&rules, NULL, 0, &list);
    for (uint16_t i = 0; i < 22; i++)
        find(legs, 0, 1, i);
    struct packet packets[] = {packet_on(0, 1, 20, 0), packet_on(0, 1, 21, 0), packet_on(0, 1, 19, 0)};
    assert_crosses(legs, &packets[0], "5");
    assert_crosses(legs, &packets[1], "6");
    assert_crosses(legs, &packets[2], "");
    legs_free(legs);
}

static void test_a_path_by_mac_is_looked_up_for_each_packet(void **state)
{
    (void)state;
    memcpy(add_key(0, PATH_MAC, 0)->mac, "\x02\0\0\0\0\x01", 6);
    memcpy(add_key(1, PATH_MAC, 0)->mac, "\x02\0\0\0\0\x02", 6);
    struct legs *legs = legs_new(&rules, NULL, 0, NULL);
    struct packet one = packet_on(0, 0, 0, 0), other = one;
    one.has_mac = other.has_mac = true;
    memcpy(one.source_mac, "\x02\0\0\0\0\x01", 6);
    memcpy(other.destination_mac, "\x02\0\0\0\0\x02", 6);
    assert_crosses(legs, &one, "5");
    assert_crosses(legs, &other, "6");
    assert_crosses(legs, &one, "5");
    legs_free(legs);
}

static void
test_of_paths_that_differ_by_prefix_both_are_crossed_and_the_first_without_one_ends_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PATHS; i++)
        add_key(i, PATH_VLAN, 101);
    add_key(0, PATH_PREFIX, 0);
    struct legs *legs = legs_new(&rules, NULL, 0, NULL);
    struct packet packet = packet_on(0, 1, 101, 0);
    assert_crosses(legs, &packet, "5 6");
    legs_free(legs);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_legs_are_numbered_as_they_appear),
        TEST(test_interfaces_that_have_names_go_by_them),
        TEST(test_from_the_sixteenth_on_they_share_a_leg),
        TEST(test_a_path_is_crossed_by_what_has_its_tag),
        TEST(test_legs_that_share_a_number_keep_their_paths_apart),
        TEST(test_a_path_by_mac_is_looked_up_for_each_packet),
        TEST(test_of_paths_that_differ_by_prefix_both_are_crossed_and_the_first_without_one_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
