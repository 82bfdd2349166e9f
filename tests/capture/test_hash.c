/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys are made up here, not drawn, so that a test that passes once passes always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "hash.h"

enum { ITEMS = 1 << 12, CHAINS = ITEMS, KEYS = 32 };

static struct hash_key key_of(uint64_t number)
{
    struct hash_key key;
    uint64_t state = number * 0xd1342543de82ef95ULL + 1;
    for (size_t i = 0; i < HASH_SECRETS; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        key.secret[i] = hash_mix(state, 0x9e3779b97f4a7c15ULL ^ number);
    }
    return key;
}

/* How many of the items that come after the first of each chain there are, for a key and a kind of items. */
static unsigned meetings(const struct hash_key *key,
                         uint32_t (*hash)(const struct hash_key *key, uint32_t item))
{
    static bool taken[CHAINS];
    unsigned count = 0;
    memset(taken, 0, sizeof taken);
    for (uint32_t item = 0; item < ITEMS; item++) {
        bool *chain = &taken[hash(key, item) % CHAINS];
        count += *chain;
        *chain = true;
    }
    return count;
}

/* Of as many items as chains a random function leaves 1/e of the chains empty: 37 in a hundred items meet. */
static void assert_spreads(uint32_t (*hash)(const struct hash_key *key, uint32_t item))
{
    for (unsigned i = 0; i < KEYS; i++) {
        const struct hash_key key = key_of(i);
        assert_in_range(meetings(&key, hash), 0, ITEMS / 2);
    }
}

/* A flow from a forged source to one watched server. */
static uint32_t hash_forged(const struct hash_key *key, const uint64_t source[2], uint16_t port)
{
    static const uint64_t server[2] = {0x1000db8, 7};
    const uint8_t *const address[2] = {(const uint8_t *)source, (const uint8_t *)server};
    const uint16_t ports[2] = {port, 443};
    return hash_ends(key, address, ports, 6 << 8);
}

/* What a product with a constant, secret or not, turns into zero whatever else is in the key. */
static uint32_t hash_by_zero(const struct hash_key *key, uint32_t item)
{
    const uint64_t source[2] = {(uint64_t)item << 32 | 0x1000db8, 0x9e3779b97f4a7c15ULL};
    return hash_forged(key, source, (uint16_t)item);
}

/* What a sum of both ends does not tell apart: one goes up and the other down. */
static uint32_t hash_by_sum(const struct hash_key *key, uint32_t item)
{
    const uint64_t one[2] = {0, 0x1000 + item}, other[2] = {0, 0x9000 - item};
    const uint8_t *const address[2] = {(const uint8_t *)one, (const uint8_t *)other};
    const uint16_t ports[2] = {53, 53};
    return hash_ends(key, address, ports, 17 << 8);
}

/* The same few words in other places. */
static uint32_t hash_by_exchange(const struct hash_key *key, uint32_t item)
{
    const uint64_t words[4] = {item & 7, item >> 3 & 7, item >> 6 & 7, item >> 9 & 7};
    return hash_words(key, words, 4);
}

/* Neighbours, as a scan meets them: the last byte that changes stands highest. */
static uint32_t hash_by_scan(const struct hash_key *key, uint32_t item)
{
    const uint64_t source[2] = {0, (uint64_t)(item & 0xff) << 56 | (uint64_t)(item >> 8) << 48 | 0xaffff0000};
    return hash_forged(key, source, 1024);
}

static uint32_t hash_by_port(const struct hash_key *key, uint32_t item)
{
    const uint64_t source[2] = {0, 0x08080808ffff0000};
    return hash_forged(key, source, (uint16_t)item);
}

static void test_no_choice_of_keys_meets_in_one_chain(void **state)
{
    (void)state;
    assert_spreads(hash_by_zero);
    assert_spreads(hash_by_sum);
    assert_spreads(hash_by_exchange);
}

static void test_rows_of_neighbours_spread(void **state)
{
    (void)state;
    assert_spreads(hash_by_scan);
    assert_spreads(hash_by_port);
}

static void test_both_directions_are_alike(void **state)
{
    (void)state;
    const struct hash_key key = key_of(1);
    static const uint8_t here[16] = {0x20, 1}, there[16] = {0x20, 1, [15] = 9}, far[16] = {0x2a};
    const uint8_t *const pairs[][2] = {{here, there}, {there, far}, {far, here}, {here, here}};
    static const uint16_t ports[][2] = {{1, 2}, {2, 1}, {53, 53}, {65535, 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t j = 0; j < sizeof ports / sizeof *ports; j++) {
            const uint8_t *const back[2] = {pairs[i][1], pairs[i][0]};
            const uint16_t ports_back[2] = {ports[j][1], ports[j][0]};
            assert_int_equal(hash_ends(&key, pairs[i], ports[j], 1), hash_ends(&key, back, ports_back, 1));
            assert_int_not_equal(hash_ends(&key, pairs[i], ports[j], 1),
                                 hash_ends(&key, back, ports_back, 2));
        }
}

static void test_another_key_puts_them_elsewhere(void **state)
{
    (void)state;
    const struct hash_key one = key_of(1), other = key_of(2);
    unsigned same = 0;
    for (uint32_t item = 0; item < ITEMS; item++)
        same += hash_by_scan(&one, item) % CHAINS == hash_by_scan(&other, item) % CHAINS;
    assert_in_range(same, 0, 16);
}

static void test_each_key_drawn_is_another(void **state)
{
    (void)state;
    struct hash_key one, other;
    hash_key_draw(&one, &one);
    hash_key_draw(&other, &other);
    for (size_t i = 0; i < HASH_SECRETS; i++) {
        assert_true(one.secret[i] != other.secret[i]);
        assert_true(one.secret[i] != one.secret[(i + 1) % HASH_SECRETS]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_choice_of_keys_meets_in_one_chain),
        cmocka_unit_test(test_rows_of_neighbours_spread),
        cmocka_unit_test(test_both_directions_are_alike),
        cmocka_unit_test(test_another_key_puts_them_elsewhere),
        cmocka_unit_test(test_each_key_drawn_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
