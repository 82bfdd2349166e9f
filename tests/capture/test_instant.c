/* SPDX-License-Identifier: BSD-3-Clause */
/* Instants as people and tables write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "clock.h"
#include "instant.h"

#define NOON (1749211200 * NS_PER_S) /* of 2025-06-06, UTC */

static void an_instant_may_be_written_in_every_usual_way(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"2025-06-06T12:00:00Z", NOON},
        {"2025-06-06 12:00:00", NOON},
        {"2025-06-06T12:00", NOON},
        {"2025-06-06T12:00Z", NOON},
        {"2025-06-06T12:00:00+00:00", NOON},
        {"2025-06-06T21:00:00+09:00", NOON},
        {"2025-06-06T21:00+0900", NOON},
        {"2025-06-06T08:30-03:30", NOON},
        {"2025-06-06T14:00:00+02", NOON},
        {"2025-06-06", NOON - 12 * 3600 * NS_PER_S},
        {"2025-06-06T12:00:00.29Z", NOON + 290 * NS_PER_MS},
        {"2025-06-06T12:00:00.123456789123", NOON + 123456789},
        {"1749211200", NOON},
        {"1749211200.5", NOON + NS_PER_S / 2},
        {"1970-01-01", 0},
        {"1969-12-31T23:59:59", -NS_PER_S},
        {"2024-02-29", 1709164800 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = 1;
        if (!instant_read(rows[i].text, &ns))
            fail_msg("'%s' is not read", rows[i].text);
        assert_int_equal(ns, rows[i].ns);
    }
}

static void what_is_no_instant_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "yesterday",
        "2025-06-31",
        "2025-02-29",
        "2025-13-01",
        "2025-00-01",
        "2025-06-00",
        "2025-6-6",
        "2025-06-06T",
        "2025-06-06T12",
        "2025-06-06T1:00",
        "2025-06-06T24:00",
        "2025-06-06T12:60",
        "2025-06-06T12:00:60",
        "2025-06-06T12:00:",
        "2025-06-06T12:00x",
        "2025-06-06T12:00Zx",
        "2025-06-06T12:00+24:00",
        "2025-06-06T12:00+9",
        "2025-06-06Z",
        "12:00",
        "2025/06/06 12:00",
        "9e99",
        "2725-06-07",
        "1e10",
        "nan",
        "2025-06-06T-1:00",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns;
        if (instant_read(rows[i], &ns))
            fail_msg("'%s' is read", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instant_may_be_written_in_every_usual_way),
        cmocka_unit_test(what_is_no_instant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
