/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of bins, ours and other tools', and the tallies that come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "capture.h"

#define NOON (1749297600 * NS_PER_S) /* 2025-06-07T12:00:00Z */

enum { STEPS_MAX = 64, SCOPES_MAX = 8 };

/* What a table gave. */
struct got {
    uint32_t scopes;
    unsigned steps, said;
    struct tally tally[STEPS_MAX][SCOPES_MAX];
    char words[512];
};

static char path[64];
static const atomic_bool go_on = 0;

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/bins-file-XXXXXX");
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void keep_step(void *context, const struct tally *tallies)
{
    struct got *got = context;
    assert_true(got->steps < STEPS_MAX && got->scopes <= SCOPES_MAX);
    memcpy(got->tally[got->steps++], tallies, got->scopes * sizeof *tallies);
}

static void keep_words(void *context, const char *text)
{
    struct got *got = context;
    got->said++;
    snprintf(got->words, sizeof got->words, "%s", text);
}

static void ignore_progress(void *context, const struct health *health, int64_t data_ns)
{
    (void)context;
    (void)health;
    (void)data_ns;
}

static struct bins_file *open_table(const char *text, struct fault *fault)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return capture_bins_open(path, NULL, fault);
}

static struct bins_file *opened(const char *text)
{
    struct fault fault = {.text = ""};
    struct bins_file *file = open_table(text, &fault);
    if (file == NULL)
        fail_msg("%s", fault.text);
    return file;
}

static int run_table(struct bins_file *file, struct got *got)
{
    const struct capture_output output = {
        .context = got, .step = keep_step, .say = keep_words, .progress = ignore_progress};
    struct fault fault = {.text = ""};
    *got = (struct got){.scopes = capture_bins_scopes(file)->count};
    int status = capture_bins_run(file, TIME_NONE, TIME_NONE, &output, &go_on, &fault);
    if (status < 0)
        snprintf(got->words, sizeof got->words, "%s", fault.text);
    return status;
}

/* Reads a table that is whole. Returns its bin's length. */
static int64_t read_table(const char *text, struct got *got)
{
    struct bins_file *file = opened(text);
    int64_t bin_ns = capture_bins_length_ns(file);
    assert_int_equal(run_table(file, got), 0);
    capture_bins_close(file);
    return bin_ns;
}

static void assert_refused(const char *text, const char *words)
{
    struct fault fault = {.text = ""};
    struct bins_file *file = open_table(text, &fault);
    assert_null(file);
    if (strstr(fault.text, words) == NULL || strstr(fault.text, path) == NULL)
        fail_msg("'%s' does not say '%s' of %s", fault.text, words, path);
}

static void assert_scope(const struct scope *scope, enum scope_kind kind, bool counted, const char *text)
{
    assert_int_equal(scope->kind, kind);
    assert_int_equal(scope->counted, counted);
    assert_string_equal(scope->text, text);
}

static void test_scopes_come_in_the_order_of_the_hall_all_first_and_tap_last(void **state)
{
    (void)state;
    struct bins_file *file = opened("time,scope,flows\n"
                                    "2025-06-07T12:00:00Z,service:www,1\n"
                                    "2025-06-07T12:00:00Z,tap,1\n"
                                    "2025-06-07T12:00:00Z,path:b,1\n"
                                    "2025-06-07T12:00:00Z,prefix:192.0.2.0/24,1\n"
                                    "2025-06-07T12:00:00Z,path:a,1\n"
                                    "2025-06-07T12:00:00Z,all,1\n");
    const struct scope_list *list = capture_bins_scopes(file);
    assert_int_equal(list->count, 6);
    assert_scope(&list->items[0], SCOPE_ALL, true, "all");
    assert_scope(&list->items[1], SCOPE_PREFIX, true, "prefix:192.0.2.0/24");
    assert_scope(&list->items[2], SCOPE_PATH, true, "path:a");
    assert_scope(&list->items[3], SCOPE_PATH, true, "path:b");
    assert_scope(&list->items[4], SCOPE_SERVICE, true, "service:www");
    assert_scope(&list->items[scope_number_tap(list)], SCOPE_TAP, false, "tap");
    capture_bins_close(file);
}

static void test_a_table_without_all_or_tap_has_them_as_missing(void **state)
{
    (void)state;
    struct got got;
    read_table("time,scope,flows\n2025-06-07T12:00:00Z,prefix:192.0.2.0/24,5\n", &got);
    assert_int_equal(got.scopes, 3);
    assert_int_equal(got.steps, 1);
    assert_int_equal(got.tally[0][0].known, 0);
    assert_int_equal(got.tally[0][2].known, 0);
    assert_int_equal(got.tally[0][1].known, TALLY_BIT(TALLY_flows));
    assert_int_equal(got.tally[0][1].value[TALLY_flows], 5);
}

static void test_bursts_are_read_where_the_table_has_them(void **state)
{
    (void)state;
    struct got got;
    read_table("time,scope,answered_flows,state,live_bursts,answered_bursts\n"
               "2025-06-07T12:00:00Z,all,7,up,5,4\n"
               "2025-06-07T12:00:00Z,prefix:192.0.2.0/24,7,up,,4\n",
               &got);
    assert_int_equal(got.tally[0][0].value[TALLY_live_bursts], 5);
    assert_int_equal(got.tally[0][0].value[TALLY_answered_bursts], 4);
    assert_int_equal(got.tally[0][0].known, TALLY_BIT(TALLY_answered_flows) | TALLY_BIT(TALLY_live_bursts) |
                                                TALLY_BIT(TALLY_answered_bursts));
    assert_int_equal(got.tally[0][1].known,
                     TALLY_BIT(TALLY_answered_flows) | TALLY_BIT(TALLY_answered_bursts));
    read_table("time,scope,answered_flows\n2025-06-07T12:00:00Z,all,7\n", &got);
    assert_int_equal(got.tally[0][0].known, TALLY_BIT(TALLY_answered_flows));
}

static void test_name_servers_are_known_from_the_scopes_in_force(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_SERVICE, true, "service:ns1", true},
                                         {SCOPE_SERVICE, true, "service:www", false}};
    const struct scope_list known = {.items = items, .count = 2};
    struct fault fault;
    capture_bins_close(opened("time,scope,flows\n0,service:ns1,1\n0,service:ns2,1\n0,service:www,1\n"));
    struct bins_file *file = capture_bins_open(path, &known, &fault);
    assert_non_null(file);
    const struct scope_list *list = capture_bins_scopes(file);
    for (uint32_t i = 0; i < list->count; i++)
        assert_int_equal(list->items[i].name_server, strcmp(list->items[i].text, "service:ns1") == 0);
    capture_bins_close(file);
}

static void test_every_measure_is_read_by_its_name(void **state)
{
    (void)state;
    struct got got;
    static char table[4096];
    size_t length = (size_t)snprintf(table, sizeof table, "time,scope");
#define PUT_NAME(name) length += (size_t)snprintf(table + length, sizeof table - length, "," #name);
    TALLY_MEASURES(PUT_NAME)
#undef PUT_NAME
    length += (size_t)snprintf(table + length, sizeof table - length, "\n2025-06-07T12:00:00Z,all");
    for (int i = 0; i < TALLY__COUNT; i++)
        length += (size_t)snprintf(table + length, sizeof table - length, ",%d", 1000 + i);
    snprintf(table + length, sizeof table - length, "\n");
    read_table(table, &got);
    assert_int_equal(got.tally[0][0].known, TALLY_ALL_KNOWN);
    for (int i = 0; i < TALLY__COUNT; i++)
        assert_int_equal(got.tally[0][0].value[i], 1000 + i);
}

static void test_columns_are_found_by_name_in_any_order_and_strange_ones_ignored(void **state)
{
    (void)state;
    struct got got;
    read_table("colour,answered_flows,scope,note,time,packets_in\n"
               "red,7,all,x,2025-06-07T12:00:00Z,900\n",
               &got);
    const struct tally *all = &got.tally[0][0];
    assert_int_equal(all->start_ns, NOON);
    assert_int_equal(all->end_ns, NOON + 60 * NS_PER_S);
    assert_int_equal(all->value[TALLY_answered_flows], 7);
    assert_int_equal(all->value[TALLY_packets_in], 900);
    assert_int_equal(all->known, TALLY_BIT(TALLY_answered_flows) | TALLY_BIT(TALLY_packets_in));
    assert_int_equal(all->answered.first_ns, TIME_NONE); /* a table does not tell */
}

static void test_an_empty_cell_is_unknown_and_not_zero(void **state)
{
    (void)state;
    struct got got;
    read_table("time,scope,flows,drops\n"
               "2025-06-07T12:00:00Z,all,0,\n"
               "2025-06-07T12:01:00Z,all,,3\n",
               &got);
    assert_int_equal(got.tally[0][0].known, TALLY_BIT(TALLY_flows));
    assert_int_equal(got.tally[1][0].known, TALLY_BIT(TALLY_drops));
    assert_int_equal(got.tally[1][0].value[TALLY_drops], 3);
    assert_int_equal(got.tally[1][0].value[TALLY_flows], 0);
}

static void test_times_in_every_spelling(void **state)
{
    (void)state;
    static const char *const times[] = {
        "2025-06-07T12:00:00Z",
        "2025-06-07 12:00:00",
        "2025-06-07 12:00:00Z",
        "2025-06-07T12:00:00+00:00",
        "2025-06-07T12:00:00.000000Z",
        "2025-06-07 12:00:00.000",
        "2025-06-07T12:00:00",
        "\"2025-06-07 12:00:00+00:00\"",
        "2025-06-07T21:00:00+09:00",
        "1749297600",
        "1749297600.0",
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[128];
        struct got got;
        snprintf(text, sizeof text, "time,scope,flows\n%s,all,1\n", times[i]);
        read_table(text, &got);
        assert_int_equal(got.tally[0][0].start_ns, NOON);
    }
}

static void test_a_time_that_is_none_is_named_with_its_line(void **state)
{
    (void)state;
    static const char *const times[] = {"noon",
                                        "",
                                        "2025-06-31T12:00:00",
                                        "2025-06-07T12:00:00+2",
                                        "2025-06-07T25:00:00Z",
                                        "2025-13-07T12:00:00Z",
                                        "2025-06-07T12:00:00Zulu",
                                        "12:00:00",
                                        "1e300",
                                        "2725-06-07T12:00:00Z", /* too far off, … */
                                        "1611-06-07T12:00:00Z", /* … from any other */
                                        "2025-06-07T12:00:00.5e9Z",
                                        "nan"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[160];
        snprintf(text, sizeof text, "time,scope,flows\n%s,all,1\n", times[i]);
        assert_refused(text, ":2: ");
    }
}

/* A time with a digit less is read the same in the first column and in the last. */
static void test_what_follows_a_short_time_is_not_read_as_part_of_it(void **state)
{
    (void)state;
    struct fault fault = {.text = ""};
    struct bins_file *last = open_table("scope,flows,time\nall,1,2025-06-07 9:00:00\n", &fault);
    struct bins_file *first = open_table("time,scope,flows\n2025-06-07 9:00:00,all,1\n", &fault);
    bool both = (first != NULL) == (last != NULL);
    capture_bins_close(first);
    capture_bins_close(last);
    assert_true(both);
}

static void test_the_bin_is_the_least_step_between_two_times(void **state)
{
    (void)state;
    struct got got;
    assert_int_equal(read_table("time,scope,flows\n"
                                "2025-06-07T12:00:00Z,all,1\n"
                                "2025-06-07T12:30:00Z,all,1\n"
                                "2025-06-07T12:35:00Z,all,1\n"
                                "2025-06-07T12:45:00Z,all,1\n",
                                &got),
                     300 * NS_PER_S);
    assert_int_equal(got.steps, 4); /* what is absent was not measured: nothing is made up for it */
    assert_int_equal(got.tally[0][0].end_ns, NOON + 300 * NS_PER_S);
    assert_int_equal(got.tally[1][0].start_ns, NOON + 1800 * NS_PER_S);
    assert_int_equal(read_table("time,scope,flows\n2025-06-07T12:00:00Z,all,1\n", &got), 60 * NS_PER_S);
}

static void test_a_scope_without_a_row_is_missing_in_that_interval(void **state)
{
    (void)state;
    struct got got;
    read_table("time,scope,flows\n"
               "2025-06-07T12:00:00Z,all,1\n"
               "2025-06-07T12:00:00Z,path:a,1\n"
               "2025-06-07T12:01:00Z,all,2\n"
               "2025-06-07T12:02:00Z,path:a,3\n",
               &got);
    assert_int_equal(got.steps, 3);
    const struct tally *absent = &got.tally[1][1];
    assert_int_equal(absent->known, 0);
    assert_int_equal(absent->end_ns, absent->start_ns); /* nothing of it was watched */
    assert_int_equal(got.tally[2][1].value[TALLY_flows], 3);
    assert_int_equal(got.tally[2][0].known, 0);
}

static void test_counts_as_other_tools_write_them(void **state)
{
    (void)state;
    struct got got;
    read_table("time,scope,flows,bytes_in,bytes_out\n"
               "2025-06-07T12:00:00Z,all, 12.0 ,1.5e6,18446744073709551\n",
               &got);
    assert_int_equal(got.tally[0][0].value[TALLY_flows], 12);
    assert_int_equal(got.tally[0][0].value[TALLY_bytes_in], 1500000);
    assert_int_equal(got.tally[0][0].value[TALLY_bytes_out], 18446744073709551ULL);
}

static void test_a_count_that_is_none_is_named_with_its_line(void **state)
{
    (void)state;
    static const char *const counts[] = {"-1", "many", "1x", "nan", "inf", "1e30", "1 2"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char text[128];
        snprintf(text, sizeof text, "time,scope,flows\n2025-06-07T12:00:00Z,all,%s\n", counts[i]);
        assert_refused(text, ":2: ");
    }
}

static void test_other_line_ends_blank_lines_and_a_byte_order_mark(void **state)
{
    (void)state;
    struct got got;
    read_table("\xef\xbb\xbf"
               "time, scope ,\"flows\"\r\n"
               "2025-06-07T12:00:00Z,all,1\r\n"
               "\r\n"
               "2025-06-07T12:01:00Z,\"all\",2",
               &got);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[1][0].value[TALLY_flows], 2);
}

/* RFC 4180: a comma within quotes is part of the cell. */
static void test_a_comma_within_quotes_parts_no_cells(void **state)
{
    (void)state;
    struct got got;
    read_table("label,time,scope,flows\n\"web, mail\",2025-06-07T12:00:00Z,all,4\n", &got);
    assert_int_equal(got.tally[0][0].value[TALLY_flows], 4);
}

/* RFC 4180, and as --bins writes such a name. */
static void test_a_doubled_quote_within_quotes_is_one(void **state)
{
    (void)state;
    struct got got;
    struct bins_file *file = opened("time,scope,label,flows\n"
                                    "2025-06-07T12:00:00Z,\"service:a\"\"b\"\",c\",\"\",4\n"
                                    "2025-06-07T12:00:00Z,\"all\",\"\"\"\"\",,\"\"\",3\n");
    assert_string_equal(capture_bins_scopes(file)->items[1].text, "service:a\"b\",c");
    assert_int_equal(run_table(file, &got), 0);
    assert_int_equal(got.tally[0][0].value[TALLY_flows], 3);
    assert_int_equal(got.tally[0][1].value[TALLY_flows], 4);
    capture_bins_close(file);
}

static void test_more_scopes_than_can_be_studied_are_refused(void **state)
{
    (void)state;
    enum { MOST = 8192, ROW_BYTES = 64 };
    char *table = malloc((MOST + 2) * ROW_BYTES);
    assert_non_null(table);
    size_t length = (size_t)sprintf(table, "time,scope,flows\n");
    for (int i = 0; i <= MOST; i++)
        length += (size_t)sprintf(table + length, "2025-06-07T12:00:00Z,service:s%d,1\n", i);
    assert_refused(table, "8192 scopes");
    free(table);
}

static void test_what_is_no_table_of_bins_is_refused_with_what_is_wanted(void **state)
{
    (void)state;
    assert_refused("", "header");
    assert_refused("these are notes\n", "time");
    assert_refused("time,flows\n2025-06-07T12:00:00Z,1\n", "scope");
    assert_refused("scope,flows\nall,1\n", "time");
    assert_refused("time,scope\n2025-06-07T12:00:00Z,all\n", "measures");
}

static void test_a_missing_table_is_named(void **state)
{
    (void)state;
    struct fault fault;
    assert_null(capture_bins_open("/nowhere/bins.csv", NULL, &fault));
    assert_non_null(strstr(fault.text, "/nowhere/bins.csv"));
    assert_non_null(strstr(fault.text, "No such file"));
}

static void test_a_scope_that_is_none_is_named(void **state)
{
    (void)state;
    assert_refused("time,scope,flows\n2025-06-07T12:00:00Z,everything,1\n", "everything");
    assert_refused("time,scope,flows\n2025-06-07T12:00:00Z,,1\n", ":2: ");
    assert_refused("time,scope,flows\n2025-06-07T12:00:00Z,allover,1\n", "allover");
}

static void test_times_that_run_back_are_named(void **state)
{
    (void)state;
    assert_refused("time,scope,flows\n2025-06-07T12:01:00Z,all,1\n2025-06-07T12:00:00Z,all,1\n", ":3: ");
}

static void test_bins_too_short_or_too_long_to_judge_are_refused(void **state)
{
    (void)state;
    assert_refused("time,scope,flows\n1000,all,1\n1000.5,all,1\n", "0.5");
    assert_refused("time,scope,flows\n0,all,1\n7200,all,1\n", "7200");
}

static void test_a_header_alone_gives_nothing(void **state)
{
    (void)state;
    struct got got;
    assert_int_equal(read_table("time,scope,flows\n", &got), 60 * NS_PER_S);
    assert_int_equal(got.steps, 0);
}

/* A table whose writer was cut off: what could be read is given out, and the end is told with its line. */
static void test_a_table_cut_off_in_a_row_keeps_what_was_read(void **state)
{
    (void)state;
    struct fault fault = {.text = ""};
    struct bins_file *file = open_table("time,scope,flows,packets_in\n"
                                        "2025-06-07T12:00:00Z,all,1,10\n"
                                        "2025-06-07T12:01:00Z,all,2,20\n"
                                        "2025-06-07T12:02",
                                        &fault);
    if (file == NULL)
        fail_msg("nothing at all was read: %s", fault.text);
    struct got got;
    int status = run_table(file, &got);
    capture_bins_close(file);
    assert_int_equal(status, 1);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[1][0].value[TALLY_packets_in], 20);
    assert_int_equal(got.said, 1);
    assert_non_null(strstr(got.words, ":4: "));
}

static void test_a_stop_ends_it_with_what_was_begun_given_out(void **state)
{
    (void)state;
    static const atomic_bool stopped = 1;
    struct bins_file *file = opened("time,scope,flows\n2025-06-07T12:00:00Z,all,1\n");
    struct got got = {.scopes = 2};
    const struct capture_output output = {.context = &got, .step = keep_step, .say = keep_words};
    struct fault fault;
    assert_int_equal(capture_bins_run(file, TIME_NONE, TIME_NONE, &output, &stopped, &fault), 0);
    assert_int_equal(got.steps, 0);
    capture_bins_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes_come_in_the_order_of_the_hall_all_first_and_tap_last),
        cmocka_unit_test(test_a_table_without_all_or_tap_has_them_as_missing),
        cmocka_unit_test(test_bursts_are_read_where_the_table_has_them),
        cmocka_unit_test(test_name_servers_are_known_from_the_scopes_in_force),
        cmocka_unit_test(test_every_measure_is_read_by_its_name),
        cmocka_unit_test(test_columns_are_found_by_name_in_any_order_and_strange_ones_ignored),
        cmocka_unit_test(test_an_empty_cell_is_unknown_and_not_zero),
        cmocka_unit_test(test_times_in_every_spelling),
        cmocka_unit_test(test_a_time_that_is_none_is_named_with_its_line),
        cmocka_unit_test(test_what_follows_a_short_time_is_not_read_as_part_of_it),
        cmocka_unit_test(test_the_bin_is_the_least_step_between_two_times),
        cmocka_unit_test(test_a_scope_without_a_row_is_missing_in_that_interval),
        cmocka_unit_test(test_counts_as_other_tools_write_them),
        cmocka_unit_test(test_a_count_that_is_none_is_named_with_its_line),
        cmocka_unit_test(test_other_line_ends_blank_lines_and_a_byte_order_mark),
        cmocka_unit_test(test_a_comma_within_quotes_parts_no_cells),
        cmocka_unit_test(test_a_doubled_quote_within_quotes_is_one),
        cmocka_unit_test(test_more_scopes_than_can_be_studied_are_refused),
        cmocka_unit_test(test_what_is_no_table_of_bins_is_refused_with_what_is_wanted),
        cmocka_unit_test(test_a_missing_table_is_named),
        cmocka_unit_test(test_a_scope_that_is_none_is_named),
        cmocka_unit_test(test_times_that_run_back_are_named),
        cmocka_unit_test(test_bins_too_short_or_too_long_to_judge_are_refused),
        cmocka_unit_test(test_a_header_alone_gives_nothing),
        cmocka_unit_test(test_a_table_cut_off_in_a_row_keeps_what_was_read),
        cmocka_unit_test(test_a_stop_ends_it_with_what_was_begun_given_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
