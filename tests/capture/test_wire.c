/* SPDX-License-Identifier: BSD-3-Clause */
/* The checked reader: right values, and never a byte beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire.h"

static const uint8_t five[] = {0x12, 0x34, 0x56, 0x78, 0x9a};

static void numbers_are_read_in_network_order(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    assert_int_equal(wire_u8(&wire, 4), 0x9a);
    assert_int_equal(wire_u16(&wire, 1), 0x3456);
    assert_int_equal(wire_u32(&wire, 1), 0x3456789a);
    assert_int_equal(wire_u32(&wire, 0), 0x12345678);
    assert_int_equal(wire.left, 5); /* reading moves nothing */
    assert_false(wire.cut);
}

static void skipping_moves_the_origin_of_the_offsets(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    wire_skip(&wire, 2);
    assert_int_equal(wire_u16(&wire, 0), 0x5678);
    wire_skip(&wire, 3);
    assert_int_equal(wire.left, 0);
    assert_false(wire.cut); /* to the end is not beyond it */
    wire_skip(&wire, 1);
    assert_true(wire.cut);
}

static void a_read_beyond_the_end_gives_zero_and_cuts_for_good(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    assert_int_equal(wire_u16(&wire, 4), 0); /* half of it is there: not enough */
    assert_true(wire.cut);
    assert_int_equal(wire_u8(&wire, 0), 0); /* was readable before */
    assert_int_equal(wire.left, 0);
    assert_true(wire.cut);
}

static void an_offset_near_the_top_of_size_t_does_not_wrap(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    assert_int_equal(wire_u32(&wire, SIZE_MAX - 1), 0);
    assert_true(wire.cut);
    wire = wire_over(five, sizeof five);
    wire_skip(&wire, SIZE_MAX);
    assert_true(wire.cut);
}

static void a_copy_that_runs_short_is_all_zeros(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    uint8_t to[4] = {1, 1, 1, 1};
    wire_copy(&wire, 1, to, 4);
    assert_memory_equal(to, five + 1, 4);
    wire_copy(&wire, 2, to, 4);
    assert_memory_equal(to, "\0\0\0\0", 4);
    assert_true(wire.cut);
}

static void a_limit_takes_away_and_never_adds(void **state)
{
    (void)state;
    struct wire wire = wire_over(five, sizeof five);
    wire_limit(&wire, 9);
    assert_int_equal(wire.left, 5);
    wire_limit(&wire, 2);
    assert_int_equal(wire.left, 2);
    assert_int_equal(wire_u16(&wire, 0), 0x1234);
    assert_int_equal(wire_u8(&wire, 2), 0);
    assert_true(wire.cut);
    wire_limit(&wire, 5);
    assert_int_equal(wire.left, 0);
}

/* Every read at every offset of blocks of every small size, each in memory of exactly that size: under the
 * address sanitizer a byte too far ends the test. */
static void no_read_touches_what_is_not_there(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 8; size++)
        for (size_t offset = 0; offset <= 10; offset++) {
            uint8_t *bytes = malloc(size > 0 ? size : 1), to[4];
            memset(bytes, 0xff, size > 0 ? size : 1);
            struct wire wire = wire_over(bytes, size);
            assert_int_equal(wire_u8(&wire, offset), offset < size ? 0xff : 0);
            wire = wire_over(bytes, size);
            assert_int_equal(wire_u16(&wire, offset), offset + 2 <= size ? 0xffff : 0);
            wire = wire_over(bytes, size);
            assert_int_equal(wire_u32(&wire, offset), offset + 4 <= size ? 0xffffffff : 0);
            wire = wire_over(bytes, size);
            wire_copy(&wire, offset, to, sizeof to);
            assert_int_equal(wire.cut, offset + 4 > size);
            free(bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_network_order),
        cmocka_unit_test(skipping_moves_the_origin_of_the_offsets),
        cmocka_unit_test(a_read_beyond_the_end_gives_zero_and_cuts_for_good),
        cmocka_unit_test(an_offset_near_the_top_of_size_t_does_not_wrap),
        cmocka_unit_test(a_copy_that_runs_short_is_all_zeros),
        cmocka_unit_test(a_limit_takes_away_and_never_adds),
        cmocka_unit_test(no_read_touches_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
