/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "distinct.h"

static const uint8_t *address_of(uint32_t number)
{
    static uint8_t address[16];
    memset(address, 0, sizeof address);
    address[10] = address[11] = 0xff;
    for (int i = 0; i < 4; i++)
        address[12 + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

static void test_an_address_is_new_once(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    assert_non_null(set);
    assert_int_equal(distinct_add(set, 0, address_of(7)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(7)), DISTINCT_OLD);
    assert_int_equal(distinct_add(set, 0, address_of(8)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(7)), DISTINCT_OLD);
    distinct_free(set);
}

static void test_each_label_has_addresses_of_its_own(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    for (uint32_t label = 0; label < 100; label++)
        assert_int_equal(distinct_add(set, label, address_of(7)), DISTINCT_NEW);
    for (uint32_t label = 0; label < 100; label++)
        assert_int_equal(distinct_add(set, label, address_of(7)), DISTINCT_OLD);
    distinct_free(set);
}

static void test_every_byte_of_an_address_tells(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    uint8_t address[16] = {0};
    assert_int_equal(distinct_add(set, 3, address), DISTINCT_NEW);
    for (int i = 0; i < 16; i++) {
        address[i] = 1;
        assert_int_equal(distinct_add(set, 3, address), DISTINCT_NEW);
        address[i] = 0;
    }
    assert_int_equal(distinct_add(set, 3, address), DISTINCT_OLD);
    distinct_free(set);
}

static void test_what_was_forgotten_is_new_again(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    for (int bin = 0; bin < 50; bin++) {
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(distinct_add(set, 1, address_of(i)), DISTINCT_NEW);
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(distinct_add(set, 1, address_of(i)), DISTINCT_OLD);
        distinct_forget(set);
    }
    distinct_free(set);
}

/* Growing on the way moves what is there without forgetting or doubling it. */
static void test_counting_is_exact_up_to_the_cap(void **state)
{
    (void)state;
    enum { MANY = 1 << 17 };
    struct distinct *set = distinct_new(MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(distinct_add(set, i % 3, address_of(i * 2654435761U)), DISTINCT_NEW);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(distinct_add(set, i % 3, address_of(i * 2654435761U)), DISTINCT_OLD);
    distinct_free(set);
}

static void test_beyond_the_cap_nothing_is_added_and_what_is_there_stays(void **state)
{
    (void)state;
    enum { CAP = 4096 };
    struct distinct *set = distinct_new(CAP);
    for (uint32_t i = 0; i < CAP; i++)
        assert_int_equal(distinct_add(set, 0, address_of(i)), DISTINCT_NEW);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(distinct_add(set, 0, address_of(CAP + i)), DISTINCT_FULL);
    for (uint32_t i = 0; i < CAP; i++)
        assert_int_equal(distinct_add(set, 0, address_of(i)), DISTINCT_OLD);
    distinct_forget(set);
    for (uint32_t i = 0; i < CAP; i++)
        assert_int_equal(distinct_add(set, 0, address_of(CAP + i)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(0)), DISTINCT_FULL);
    distinct_free(set);
}

/* Labels of one address share memory, but not the cap. */
static void test_the_cap_counts_an_address_under_every_label(void **state)
{
    (void)state;
    enum { CAP = 4096, LABELS = 128 };
    struct distinct *set = distinct_new(CAP);
    for (uint32_t i = 0; i < CAP; i++)
        assert_int_equal(distinct_add(set, i % LABELS, address_of(i / LABELS)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, LABELS, address_of(0)), DISTINCT_FULL);
    assert_int_equal(distinct_add(set, 0, address_of(CAP)), DISTINCT_FULL);
    for (uint32_t i = 0; i < CAP; i++)
        assert_int_equal(distinct_add(set, i % LABELS, address_of(i / LABELS)), DISTINCT_OLD);
    distinct_free(set);
}

/* The slot that is at hand is of one address and 64 labels, until all is forgotten. */
static void test_what_is_at_hand_answers_for_itself_only(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    assert_int_equal(distinct_add(set, 3, address_of(7)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 3, address_of(8)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 3 + 64, address_of(8)), DISTINCT_NEW);
    distinct_forget(set);
    assert_int_equal(distinct_add(set, 3 + 64, address_of(8)), DISTINCT_NEW);
    for (uint32_t i = 100; i < 700; i++) /* it grows, and moves, as often as it likes */
        assert_int_equal(distinct_add(set, 3, address_of(i)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 3, address_of(699)), DISTINCT_OLD);
    assert_int_equal(distinct_add(set, 3, address_of(8)), DISTINCT_NEW);
    distinct_free(set);
}

static void test_an_address_that_is_expected_is_not_there(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    distinct_expect(set, 0, address_of(7));
    assert_int_equal(distinct_add(set, 0, address_of(7)), DISTINCT_NEW);
    distinct_free(set);
}

static void test_a_cap_between_two_powers_is_rounded_up(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(4097);
    for (uint32_t i = 0; i < 8192; i++)
        assert_int_equal(distinct_add(set, 0, address_of(i)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(8192)), DISTINCT_FULL);
    distinct_free(set);
}

static void test_a_cap_of_one_still_tells_one(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1);
    assert_int_equal(distinct_add(set, 0, address_of(1)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(1)), DISTINCT_OLD);
    enum distinct_answer answer = DISTINCT_NEW;
    for (uint32_t i = 2; i < 100000 && answer != DISTINCT_FULL; i++)
        answer = distinct_add(set, 0, address_of(i));
    assert_int_equal(answer, DISTINCT_FULL); /* memory is bounded */
    distinct_free(set);
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    distinct_free(NULL);
}

static void test_what_can_be_forged_leaves_room_for_the_rest(void **state)
{
    (void)state;
    struct distinct *set = distinct_new(1000);
    uint32_t number = 0;
    while (distinct_add_forgeable(set, 1, address_of(number)) == DISTINCT_NEW)
        number++;
    assert_int_equal(number, 768);
    assert_int_equal(distinct_add_forgeable(set, 1, address_of(7)), DISTINCT_OLD);
    for (uint32_t more = 0; more < 256; more++)
        assert_int_equal(distinct_add(set, 0, address_of(more)), DISTINCT_NEW);
    assert_int_equal(distinct_add(set, 0, address_of(256)), DISTINCT_FULL);
    distinct_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_is_new_once),
        cmocka_unit_test(test_each_label_has_addresses_of_its_own),
        cmocka_unit_test(test_every_byte_of_an_address_tells),
        cmocka_unit_test(test_what_was_forgotten_is_new_again),
        cmocka_unit_test(test_counting_is_exact_up_to_the_cap),
        cmocka_unit_test(test_beyond_the_cap_nothing_is_added_and_what_is_there_stays),
        cmocka_unit_test(test_the_cap_counts_an_address_under_every_label),
        cmocka_unit_test(test_what_is_at_hand_answers_for_itself_only),
        cmocka_unit_test(test_an_address_that_is_expected_is_not_there),
        cmocka_unit_test(test_a_cap_between_two_powers_is_rounded_up),
        cmocka_unit_test(test_a_cap_of_one_still_tells_one),
        cmocka_unit_test(test_freeing_nothing_is_fine),
        cmocka_unit_test(test_what_can_be_forged_leaves_room_for_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
