/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "watchlist.h"

static struct prefix parsed(const char *text)
{
    struct prefix prefix;
    struct fault fault = {.text = ""};
    if (prefix_parse(text, &prefix, &fault) != 0)
        fail_msg("%s", fault.text);
    return prefix;
}

static uint32_t find(const struct watchlist *list, const char *address)
{
    struct prefix prefix = parsed(address);
    return watchlist_find(list, prefix.address);
}

static struct watchlist *list_of(const char *const *texts)
{
    struct watchlist *list = watchlist_new();
    assert_non_null(list);
    for (uint32_t i = 0; texts[i] != NULL; i++) {
        struct prefix prefix = parsed(texts[i]);
        assert_int_equal(watchlist_add(list, &prefix, i), 0);
    }
    assert_int_equal(watchlist_build(list), 0);
    return list;
}

static void prefixes_are_read_and_written_back_in_canonical_form(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"175.45.176.0/22", "175.45.176.0/22"},
        {"175.45.176.1", "175.45.176.1/32"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"128.0.0.0/1", "128.0.0.0/1"},
        {"::/0", "::/0"},
        {"2001:DB8:0:0::/32", "2001:db8::/32"},
        {"2001:db8::1", "2001:db8::1/128"},
        {"8000::/1", "8000::/1"},
        {"2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"::ffff:10.1.2.3", "10.1.2.3/32"},
        {"::/64", "::/64"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct prefix prefix = parsed(pairs[i][0]);
        char text[PREFIX_TEXT_MAX];
        prefix_format(&prefix, text);
        assert_string_equal(text, pairs[i][1]);
    }
    struct prefix ten = parsed("10.0.0.0/8");
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    assert_memory_equal(ten.address, mapped, 16);
    assert_int_equal(ten.length, 104);
}

static void a_bad_prefix_is_refused_with_the_thing_and_the_way_out(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"175.45.176.1/22", "175.45.176.1/22 has bits beyond its length: 175.45.176.0/22?"},
        {"2001:db8::1/32", "2001:db8::1/32 has bits beyond its length: 2001:db8::/32?"},
        {"10.0.0.1/0", "10.0.0.1/0 has bits beyond its length: 0.0.0.0/0?"},
        {"175.45.176.0/33", "\"175.45.176.0/33\" has no length from 0 to 32 after the slash"},
        {"::/129", "\"::/129\" has no length from 0 to 128 after the slash"},
        {"10.0.0.0/", "\"10.0.0.0/\" has no length from 0 to 32 after the slash"},
        {"10.0.0.0/+8", "\"10.0.0.0/+8\" has no length from 0 to 32 after the slash"},
        {"10.0.0.0/-1", "\"10.0.0.0/-1\" has no length from 0 to 32 after the slash"},
        {"10.0.0.0/8 ", "\"10.0.0.0/8 \" has no length from 0 to 32 after the slash"},
        {"10.0.0.0/8/8", "\"10.0.0.0/8/8\" has no length from 0 to 32 after the slash"},
        {"10.0.0.0/4294967304", "\"10.0.0.0/4294967304\" has no length from 0 to 32 after the slash"},
        {"kp", "\"kp\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"", "\"\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"/8", "\"/8\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"10.0.0/8", "\"10.0.0/8\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"010.0.0.0/8", "\"010.0.0.0/8\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"fe80::1%eth0", "\"fe80::1%eth0\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32"},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
         "\"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8\" is no address or prefix: write "
         "175.45.176.0/22 "
         "or 2001:db8::/32"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct prefix prefix;
        struct fault fault = {.text = ""};
        assert_int_equal(prefix_parse(pairs[i][0], &prefix, &fault), -1);
        assert_string_equal(fault.text, pairs[i][1]);
    }
}

static void an_empty_list_holds_nothing(void **state)
{
    (void)state;
    struct watchlist *list = watchlist_new();
    assert_int_equal(find(list, "10.0.0.1"), WATCHLIST_NONE); /* not even built */
    assert_int_equal(watchlist_build(list), 0);
    assert_int_equal(find(list, "10.0.0.1"), WATCHLIST_NONE);
    assert_int_equal(find(list, "::"), WATCHLIST_NONE);
    assert_int_equal(find(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), WATCHLIST_NONE);
    watchlist_free(list);
    watchlist_free(NULL);
}

static void the_longest_prefix_wins_whatever_the_order(void **state)
{
    (void)state;
    static const char *const orders[][5] = {
        {"175.45.176.0/22", "175.45.178.0/24", "175.45.178.7/32", "0.0.0.0/0", NULL},
        {"175.45.176.0/22", "175.45.178.0/24", "175.45.178.7/32", "0.0.0.0/0", NULL},
    };
    struct watchlist *list = list_of(orders[0]);
    struct watchlist *backwards = watchlist_new();
    for (uint32_t i = 4; i-- > 0;) {
        struct prefix prefix = parsed(orders[1][i]);
        watchlist_add(backwards, &prefix, i);
    }
    watchlist_build(backwards);
    static const struct {
        const char *address;
        uint32_t number;
    } rows[] = {
        {"175.45.175.255", 3},   {"175.45.176.0", 0}, {"175.45.177.255", 0},  {"175.45.178.0", 1},
        {"175.45.178.6", 1},     {"175.45.178.7", 2}, {"175.45.178.8", 1},    {"175.45.178.255", 1},
        {"175.45.179.0", 0},     {"175.45.180.0", 3}, {"255.255.255.255", 3}, {"0.0.0.0", 3},
        {"::1", WATCHLIST_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(find(list, rows[i].address), rows[i].number);
        assert_int_equal(find(backwards, rows[i].address), rows[i].number);
    }
    watchlist_free(list);
    watchlist_free(backwards);
}

static void everything_of_one_family_leaves_the_other_alone(void **state)
{
    (void)state;
    static const char *const six[] = {"::/0", "2001:db8::/32", NULL};
    struct watchlist *list = list_of(six);
    assert_int_equal(find(list, "10.0.0.1"), WATCHLIST_NONE);
    assert_int_equal(find(list, "::fffe:ffff:ffff"), 0);
    assert_int_equal(find(list, "::1:0:0:0"), 0);
    assert_int_equal(find(list, "2001:db8:ffff::"), 1);
    assert_int_equal(find(list, "2001:db9::"), 0);
    assert_int_equal(find(list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 0);
    watchlist_free(list);

    static const char *const some[] = {"::/0", "10.1.0.0/16", NULL};
    list = list_of(some);
    assert_int_equal(find(list, "10.1.255.255"), 1);
    assert_int_equal(find(list, "10.2.0.0"), WATCHLIST_NONE);
    assert_int_equal(find(list, "::1:0:0:0"), 0);
    watchlist_free(list);

    static const char *const both[] = {"::/0", "0.0.0.0/0", "255.255.255.255", NULL};
    list = list_of(both);
    assert_int_equal(find(list, "10.2.0.0"), 1);
    assert_int_equal(find(list, "255.255.255.255"), 2);
    assert_int_equal(find(list, "::1:0:0:0"), 0);
    assert_int_equal(find(list, "::fffe:ffff:ffff"), 0);
    watchlist_free(list);

    struct prefix all = parsed("::/0"), four = parsed("0.0.0.0/0"), mapped = parsed("10.0.0.1");
    assert_false(prefix_contains(&all, mapped.address));
    assert_true(prefix_contains(&four, mapped.address));
    assert_false(prefix_contains(&four, parsed("2001:db8::1").address));
}

static void the_same_prefix_twice_replaces_the_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.0/8",  "10.1.0.0/16", "10.0.0.0/8",
                                        "10.1.0.0/16", "10.1.0.0/16", NULL};
    struct watchlist *list = list_of(texts);
    assert_int_equal(find(list, "10.0.0.0"), 2);
    assert_int_equal(find(list, "10.1.2.3"), 4);
    assert_int_equal(find(list, "10.2.0.0"), 2);
    watchlist_free(list);
}

static void bits_beyond_the_length_of_an_added_prefix_do_not_matter(void **state)
{
    (void)state;
    struct watchlist *list = watchlist_new();
    struct prefix loose = parsed("10.1.2.3");
    loose.length = 112;
    watchlist_add(list, &loose, 5);
    watchlist_build(list);
    assert_int_equal(find(list, "10.1.0.0"), 5);
    assert_int_equal(find(list, "10.1.255.255"), 5);
    assert_int_equal(find(list, "10.2.0.0"), WATCHLIST_NONE);
    watchlist_free(list);
}

/* A small generator of its own, so that the numbers are the same on every machine. */
static uint64_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return *seed >> 32;
}

/* Crowded into few networks, so that prefixes nest, touch and repeat. */
static struct prefix random_prefix(uint64_t *seed)
{
    struct prefix prefix = {.length = 128};
    bool ipv4 = random_next(seed) % 2 == 0;
    for (int i = 0; i < 16; i++)
        prefix.address[i] =
            (uint8_t)(random_next(seed) % 4 == 0 ? random_next(seed) : random_next(seed) % 2 * 255);
    if (ipv4) {
        memset(prefix.address, 0, 10);
        prefix.address[10] = prefix.address[11] = 0xff;
    }
    prefix.length = (uint8_t)(ipv4 ? 96 + random_next(seed) % 33 : random_next(seed) % 129);
    for (int bit = prefix.length; bit < 128; bit++)
        prefix.address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return prefix;
}

/* Bit by bit, and nothing of the code under test. */
static bool contains_by_hand(const struct prefix *prefix, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool ipv4 = prefix->length >= 96 && memcmp(prefix->address, mapped, 12) == 0;
    if (ipv4 != (memcmp(address, mapped, 12) == 0))
        return false;
    for (int bit = 0; bit < prefix->length; bit++)
        if (((prefix->address[bit / 8] ^ address[bit / 8]) & (0x80 >> bit % 8)) != 0)
            return false;
    return true;
}

static uint32_t find_by_hand(const struct prefix *prefixes, uint32_t count, const uint8_t address[16])
{
    uint32_t best = WATCHLIST_NONE;
    for (uint32_t i = 0; i < count; i++) {
        bool holds = contains_by_hand(&prefixes[i], address);
        assert_int_equal(prefix_contains(&prefixes[i], address), holds);
        if (holds && (best == WATCHLIST_NONE || prefixes[i].length >= prefixes[best].length))
            best = i;
    }
    return best;
}

/* The neighbour before (-1) or after (1) an address. */
static void address_step(uint8_t address[16], int by)
{
    for (int i = 15; i >= 0; i--) {
        address[i] = (uint8_t)(address[i] + by);
        if (address[i] != (by > 0 ? 0 : 0xff))
            return;
    }
}

/* Finds an address alone, and also as either of the two in a packet. */
static uint32_t find_everywhere(const struct watchlist *list, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static uint8_t pair[8], pair6[32]; /* the latest two */
    uint32_t found = watchlist_find(list, address);
    bool either6 = found != WATCHLIST_NONE || watchlist_find(list, pair6) != WATCHLIST_NONE;
    memcpy(pair6 + 16, address, 16);
    assert_int_equal(watchlist_holds_ipv6(list, pair6), either6);
    memcpy(pair6 + 16, pair6, 16);
    memcpy(pair6, address, 16);
    assert_int_equal(watchlist_holds_ipv6(list, pair6), either6);
    if (memcmp(address, mapped, 12) == 0) {
        uint8_t other[16];
        memcpy(other, mapped, 12);
        memcpy(other + 12, pair, 4);
        bool either = found != WATCHLIST_NONE || watchlist_find(list, other) != WATCHLIST_NONE;
        memcpy(pair + 4, address + 12, 4);
        assert_int_equal(watchlist_holds_ipv4(list, pair), either);
        memcpy(pair, address + 12, 4);
        memcpy(pair + 4, other + 12, 4);
        assert_int_equal(watchlist_holds_ipv4(list, pair), either);
    }
    return found;
}

static void compare_around(const struct watchlist *list, const struct prefix *prefixes, uint32_t count,
                           const struct prefix *around)
{
    uint8_t first[16], last[16];
    memcpy(first, around->address, 16);
    memcpy(last, around->address, 16);
    for (int bit = around->length; bit < 128; bit++)
        last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(find_everywhere(list, first), find_by_hand(prefixes, count, first));
        assert_int_equal(find_everywhere(list, last), find_by_hand(prefixes, count, last));
        address_step(first, -1);
        address_step(last, 1);
    }
}

static void any_list_answers_as_a_scan_by_hand_does(void **state)
{
    (void)state;
    enum { PREFIXES = 400 };
    static struct prefix prefixes[PREFIXES];
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round;
        uint32_t count = (uint32_t)(1 + random_next(&seed) % (round % 3 == 0 ? 8 : PREFIXES));
        struct watchlist *list = watchlist_new();
        for (uint32_t i = 0; i < count; i++) {
            prefixes[i] = random_prefix(&seed);
            assert_int_equal(watchlist_add(list, &prefixes[i], i), 0);
        }
        assert_int_equal(watchlist_build(list), 0);
        for (uint32_t i = 0; i < count; i++)
            compare_around(list, prefixes, count, &prefixes[i]);
        for (int i = 0; i < 300; i++) {
            struct prefix probe = random_prefix(&seed);
            compare_around(list, prefixes, count, &probe);
        }
        watchlist_free(list);
    }
}

static void a_million_prefixes_are_found_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    struct watchlist *list = watchlist_new();
    struct prefix prefix = {.address = {[10] = 0xff, [11] = 0xff}, .length = 128};
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t address = i * 4099U; /* odd, so that no address comes twice */
        for (int byte = 0; byte < 4; byte++)
            prefix.address[12 + byte] = (uint8_t)(address >> (24 - 8 * byte));
        assert_int_equal(watchlist_add(list, &prefix, i), 0);
    }
    assert_int_equal(watchlist_build(list), 0);
    uint32_t missed = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t address = i * 4099U;
        for (int byte = 0; byte < 4; byte++)
            prefix.address[12 + byte] = (uint8_t)(address >> (24 - 8 * byte));
        missed += watchlist_find(list, prefix.address) != i;
    }
    assert_int_equal(missed, 0);
    watchlist_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_read_and_written_back_in_canonical_form),
        cmocka_unit_test(a_bad_prefix_is_refused_with_the_thing_and_the_way_out),
        cmocka_unit_test(an_empty_list_holds_nothing),
        cmocka_unit_test(the_longest_prefix_wins_whatever_the_order),
        cmocka_unit_test(everything_of_one_family_leaves_the_other_alone),
        cmocka_unit_test(the_same_prefix_twice_replaces_the_number),
        cmocka_unit_test(bits_beyond_the_length_of_an_added_prefix_do_not_matter),
        cmocka_unit_test(any_list_answers_as_a_scan_by_hand_does),
        cmocka_unit_test(a_million_prefixes_are_found_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
