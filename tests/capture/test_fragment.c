/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "clock.h"
#include "fragment.h"

static struct health health;

static int64_t seconds(double s)
{
    return (int64_t)(s * (double)NS_PER_S);
}

static struct packet part_of(uint32_t id, int64_t at_ns)
{
    struct packet packet = {.time_ns = at_ns, .is_ip = true, .fragment = true, .fragment_id = id};
    packet.tuple.source[15] = 1;
    packet.tuple.destination[15] = 2;
    return packet;
}

static struct packet first_of(uint32_t id, uint16_t port, int64_t at_ns)
{
    struct packet packet = part_of(id, at_ns);
    packet.has_transport = true;
    packet.tuple.protocol = IPPROTO_UDP;
    packet.tuple.source_port = port;
    packet.tuple.destination_port = 53;
    return packet;
}

static struct packet later_of(uint32_t id, int64_t at_ns)
{
    struct packet packet = part_of(id, at_ns);
    packet.later_fragment = true;
    packet.tuple.protocol = IPPROTO_DSTOPTS; /* IPv6 may show another header where the fragment begins */
    return packet;
}

static void a_later_fragment_gets_the_ports_of_its_first(void **state)
{
    (void)state;
    struct fragment *fragment = fragment_new(&health);
    struct packet first = first_of(7, 4000, seconds(1)), other = first_of(8, 5000, seconds(1));
    fragment_keep(fragment, &first);
    fragment_keep(fragment, &other);
    struct packet later = later_of(7, seconds(1.5));
    assert_true(fragment_join(fragment, &later));
    assert_int_equal(later.tuple.source_port, 4000);
    assert_int_equal(later.tuple.destination_port, 53);
    assert_int_equal(later.tuple.protocol, IPPROTO_UDP);
    assert_false(later.has_transport);
    fragment_free(fragment);
}

static void other_ids_and_other_directions_are_other_packets(void **state)
{
    (void)state;
    struct fragment *fragment = fragment_new(&health);
    struct packet first = first_of(7, 4000, seconds(1));
    fragment_keep(fragment, &first);
    struct packet other = later_of(9, seconds(1)), back = later_of(7, seconds(1));
    back.tuple.source[15] = 2;
    back.tuple.destination[15] = 1;
    assert_false(fragment_join(fragment, &other));
    assert_false(fragment_join(fragment, &back));
    fragment_free(fragment);
}

static void a_first_is_remembered_for_thirty_seconds(void **state)
{
    (void)state;
    struct fragment *fragment = fragment_new(&health);
    struct packet first = first_of(7, 4000, seconds(1));
    fragment_keep(fragment, &first);
    struct packet late = later_of(7, seconds(31)), too_late = later_of(7, seconds(31) + 1);
    assert_true(fragment_join(fragment, &late));
    assert_false(fragment_join(fragment, &too_late));
    fragment_free(fragment);
}

static void an_id_that_is_used_again_means_the_latest(void **state)
{
    (void)state;
    struct fragment *fragment = fragment_new(&health);
    struct packet first = first_of(7, 4000, seconds(1)), again = first_of(7, 4001, seconds(20));
    fragment_keep(fragment, &first);
    fragment_keep(fragment, &again);
    struct packet later = later_of(7, seconds(45));
    assert_true(fragment_join(fragment, &later));
    assert_int_equal(later.tuple.source_port, 4001);
    fragment_free(fragment);
}

static void an_icmp_error_in_fragments_has_no_flow(void **state)
{
    (void)state;
    struct fragment *fragment = fragment_new(&health);
    struct packet first = first_of(7, 0, seconds(1));
    first.icmp_error = true;
    fragment_keep(fragment, &first);
    struct packet later = later_of(7, seconds(1));
    assert_false(fragment_join(fragment, &later));
    fragment_free(fragment);
}

static void a_full_ring_forgets_the_oldest_and_says_how_many(void **state)
{
    (void)state;
    const uint32_t more = 1000;
    struct fragment *fragment = fragment_new(&health);
    health.fragments_forgotten = 0;
    for (uint32_t id = 0; id < FRAGMENT_FIRSTS_MAX + more; id++) {
        struct packet first = first_of(id, (uint16_t)id, seconds(1) + id);
        fragment_keep(fragment, &first);
    }
    assert_int_equal(health.fragments_forgotten, more);
    for (uint32_t id = 0; id < FRAGMENT_FIRSTS_MAX + more; id++) {
        struct packet later = later_of(id, seconds(2));
        assert_int_equal(fragment_join(fragment, &later), id >= more);
        assert_int_equal(later.tuple.source_port, id >= more ? (uint16_t)id : 0);
    }
    struct packet first =
        first_of(1 << 20, 1, seconds(60)); /* the one that makes room now was of no use any more */
    fragment_keep(fragment, &first);
    assert_int_equal(health.fragments_forgotten, more);
    fragment_free(fragment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_later_fragment_gets_the_ports_of_its_first),
        cmocka_unit_test(other_ids_and_other_directions_are_other_packets),
        cmocka_unit_test(a_first_is_remembered_for_thirty_seconds),
        cmocka_unit_test(an_id_that_is_used_again_means_the_latest),
        cmocka_unit_test(an_icmp_error_in_fragments_has_no_flow),
        cmocka_unit_test(a_full_ring_forgets_the_oldest_and_says_how_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
