/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "prefix_list.h"

static char path[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/prefix-list-XXXXXX");
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_list(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* What a list with this text holds, the prefixes parted by blanks. */
static void assert_reads(const char *text, const char *country, const char *wanted)
{
    char argument[80], got[65536] = "", one[PREFIX_TEXT_MAX];
    struct prefix *prefixes = NULL;
    size_t count = 0;
    struct fault fault = {.text = ""};
    write_list(text);
    snprintf(argument, sizeof argument, "%s%s", path, country);
    if (prefix_list_read(argument, &prefixes, &count, &fault) != 0)
        fail_msg("%s", fault.text);
    for (size_t i = 0; i < count; i++) {
        prefix_format(&prefixes[i], one);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "", one);
    }
    free(prefixes);
    assert_string_equal(got, wanted);
}

static void assert_refused(const char *text, const char *country, const char *words)
{
    char argument[80];
    struct prefix *prefixes = NULL;
    size_t count = 0;
    struct fault fault = {.text = ""};
    write_list(text);
    snprintf(argument, sizeof argument, "%s%s", path, country);
    assert_int_equal(prefix_list_read(argument, &prefixes, &count, &fault), -1);
    if (strstr(fault.text, words) == NULL || strstr(fault.text, path) == NULL)
        fail_msg("'%s' does not say '%s' of %s", fault.text, words, path);
}

static void test_a_prefix_a_line_with_comments_and_blank_lines(void **state)
{
    (void)state;
    assert_reads("# ours\n192.0.2.0/24\n\n  198.51.100.0/25  # half\n2001:db8::/32\n203.0.113.7\n", "",
                 "192.0.2.0/24 198.51.100.0/25 203.0.113.7/32 2001:db8::/32");
}

static void test_line_ends_of_other_systems_and_a_last_line_without_one(void **state)
{
    (void)state;
    assert_reads("192.0.2.0/24\r\n198.51.100.0/24", "", "192.0.2.0/24 198.51.100.0/24");
}

static void test_what_stands_behind_a_prefix_is_for_people(void **state)
{
    (void)state;
    assert_reads("192.0.2.0/24 customers\n198.51.100.0/24,lab\n203.0.113.0/24; old\n", "",
                 "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24");
}

static void test_each_prefix_once_and_sorted(void **state)
{
    (void)state;
    assert_reads("198.51.100.0/24\n192.0.2.0/24\n198.51.100.0/24\n192.0.2.0/25\n", "",
                 "192.0.2.0/24 192.0.2.0/25 198.51.100.0/24");
}

static void test_a_list_longer_than_the_first_allocation(void **state)
{
    (void)state;
    static char text[65536];
    struct prefix *prefixes = NULL;
    size_t count = 0;
    struct fault fault;
    text[0] = '\0';
    for (int i = 0; i < 1500; i++)
        snprintf(text + strlen(text), 32, "10.%d.%d.0/24\n", i / 256, i % 256);
    write_list(text);
    assert_int_equal(prefix_list_read(path, &prefixes, &count, &fault), 0);
    assert_int_equal(count, 1500);
    free(prefixes);
}

static void test_a_bad_line_is_named_with_its_number(void **state)
{
    (void)state;
    assert_refused("192.0.2.0/24\n\nkcna.kp\n", "", ":3: ");
    assert_refused("192.0.2.1/24\n", "", "192.0.2.0/24"); /* what was probably meant */
}

static void test_a_list_with_nothing_in_it(void **state)
{
    (void)state;
    assert_refused("", "", "no prefix");
    assert_refused("# nothing\n\n", "", "no prefix");
}

static void test_a_missing_file_is_named(void **state)
{
    (void)state;
    struct prefix *prefixes;
    size_t count;
    struct fault fault;
    assert_int_equal(prefix_list_read("/nowhere/list", &prefixes, &count, &fault), -1);
    assert_non_null(strstr(fault.text, "/nowhere/list"));
    assert_non_null(strstr(fault.text, "No such file"));
}

#define DELEGATED                                                                                            \
    "2|apnic|20250601|4|19850701|20250531|+1000\n"                                                           \
    "apnic|*|ipv4|*|3|summary\n"                                                                             \
    "# a comment\n"                                                                                          \
    "apnic|KP|asn|131279|1|20091221|allocated|A91\n"                                                         \
    "apnic|KP|ipv4|175.45.176.0|1024|20091221|allocated|A91\n"                                               \
    "apnic|AU|ipv4|1.0.0.0|256|20110811|assigned|A92\n"                                                      \
    "apnic|AU|ipv4|1.10.10.0|768|20110811|assigned|A92\n"                                                    \
    "apnic|AU|ipv6|2001:db8::|32|20110811|assigned|A92\n"

static void test_the_rows_of_a_country(void **state)
{
    (void)state;
    assert_reads(DELEGATED, ",KP", "175.45.176.0/22");
    assert_reads(DELEGATED, ",kp", "175.45.176.0/22");
}

/* 768 addresses from 1.10.10.0 on: /23 (10 and 11), then /24 (12). */
static void test_a_count_that_is_no_power_of_two_becomes_several_prefixes(void **state)
{
    (void)state;
    assert_reads(DELEGATED, ",AU", "1.0.0.0/24 1.10.10.0/23 1.10.12.0/24 2001:db8::/32");
}

static void test_a_start_that_is_not_aligned_is_cut_so_that_it_is(void **state)
{
    (void)state;
    assert_reads("r|XX|ipv4|10.0.1.0|1024|20110811|assigned\n", ",XX", "10.0.1.0/24 10.0.2.0/23 10.0.4.0/24");
    assert_reads("r|XX|ipv4|10.0.0.5|3|20110811|assigned\n", ",XX", "10.0.0.5/32 10.0.0.6/31");
}

static void test_the_ends_of_the_address_space(void **state)
{
    (void)state;
    assert_reads("r|XX|ipv4|255.255.255.0|256|d|s\n", ",XX", "255.255.255.0/24");
    assert_reads("r|XX|ipv4|0.0.0.0|4294967296|d|s\n", ",XX", "0.0.0.0/0");
    assert_refused("r|XX|ipv4|255.255.255.0|257|d|s\n", ",XX", ":1: ");
}

static void test_a_range_that_is_none_is_named_with_its_line(void **state)
{
    (void)state;
    assert_refused("r|XX|ipv4|10.0.0.0|many|d|s\n", ",XX", ":1: ");
    assert_refused("# first\nr|XX|ipv4|10.0.0.0|0|d|s\n", ",XX", ":2: ");
    assert_refused("r|XX|ipv4|10.0.0|256|d|s\n", ",XX", "10.0.0");
    assert_refused("r|XX|ipv6|2001:db8::|129|d|s\n", ",XX", ":1: ");
}

static void test_a_country_without_rows(void **state)
{
    (void)state;
    assert_refused(DELEGATED, ",NZ", "NZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prefix_a_line_with_comments_and_blank_lines),
        cmocka_unit_test(test_line_ends_of_other_systems_and_a_last_line_without_one),
        cmocka_unit_test(test_what_stands_behind_a_prefix_is_for_people),
        cmocka_unit_test(test_each_prefix_once_and_sorted),
        cmocka_unit_test(test_a_list_longer_than_the_first_allocation),
        cmocka_unit_test(test_a_bad_line_is_named_with_its_number),
        cmocka_unit_test(test_a_list_with_nothing_in_it),
        cmocka_unit_test(test_a_missing_file_is_named),
        cmocka_unit_test(test_the_rows_of_a_country),
        cmocka_unit_test(test_a_count_that_is_no_power_of_two_becomes_several_prefixes),
        cmocka_unit_test(test_a_start_that_is_not_aligned_is_cut_so_that_it_is),
        cmocka_unit_test(test_the_ends_of_the_address_space),
        cmocka_unit_test(test_a_range_that_is_none_is_named_with_its_line),
        cmocka_unit_test(test_a_country_without_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
