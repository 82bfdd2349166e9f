/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scope.h"
#include "way.h"

static struct health health;

static struct packet packet_on(uint16_t outer, uint16_t inner, uint8_t tunnel)
{
    return (struct packet){
        .vlan_count = 2, .vlans = {outer, inner}, .tunnel_count = 1, .tunnels = {{.kind = tunnel}}};
}

static void ways_that_are_alike_have_one_number(void **state)
{
    (void)state;
    struct ways *ways = ways_new(&health);
    assert_non_null(ways);
    assert_int_equal(ways_get(ways, 0)->path, SCOPE_NONE);
    struct packet packet = packet_on(100, 7, 3), other = packet_on(100, 8, 3);
    packet.vlans[2] = 55; /* beyond those that it has */
    uint16_t number = ways_find(ways, &packet, 4);
    packet.vlans[2] = 66;
    assert_int_equal(ways_find(ways, &packet, 4), number);
    assert_int_not_equal(ways_find(ways, &packet, 5), number);
    assert_int_not_equal(ways_find(ways, &other, 4), number);
    const struct way *way = ways_get(ways, number);
    assert_int_equal(way->vlan_count, 2);
    assert_int_equal(way->vlans[0], 100);
    assert_int_equal(way->vlans[1], 7);
    assert_int_equal(way->vlans[2], 0);
    assert_int_equal(way->tunnel_count, 1);
    assert_int_equal(way->tunnels[0], 3);
    assert_int_equal(way->path, 4);
    ways_free(ways);
    ways_free(NULL);
}

static void all_ways_are_kept_apart_until_there_are_too_many(void **state)
{
    (void)state;
    struct ways *ways = ways_new(&health);
    uint32_t nobody = 0;
    for (unsigned round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 70000; i++) {
            struct packet packet = packet_on((uint16_t)(i % 4096), (uint16_t)(i / 4096), 1);
            uint16_t number = ways_find(ways, &packet, 9);
            nobody += number == 0;
            if (number != 0) {
                assert_int_equal(number, i + 1);
                assert_int_equal(ways_get(ways, number)->vlans[1], i / 4096);
            }
        }
    assert_int_equal(nobody, 2 * (70000 - (WAYS_MAX - 1)));
    assert_int_equal(health.ways_unkept, nobody);
    ways_free(ways);
}

static uint32_t one_less(void *context, uint32_t path)
{
    (void)context;
    return path == 4 ? SCOPE_NONE : path - 1;
}

static void a_change_of_paths_is_one_of_ways(void **state)
{
    (void)state;
    struct ways *ways = ways_new(&health);
    struct packet packet = packet_on(1, 2, 3);
    uint16_t four = ways_find(ways, &packet, 4), six = ways_find(ways, &packet, 6);
    ways_change(ways, one_less, NULL);
    assert_int_equal(ways_get(ways, four)->path, SCOPE_NONE);
    assert_int_equal(ways_get(ways, six)->path, 5);
    assert_int_equal(ways_find(ways, &packet, 5), six);
    assert_int_not_equal(ways_find(ways, &packet, 4), four);
    ways_free(ways);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_that_are_alike_have_one_number),
        cmocka_unit_test(all_ways_are_kept_apart_until_there_are_too_many),
        cmocka_unit_test(a_change_of_paths_is_one_of_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
