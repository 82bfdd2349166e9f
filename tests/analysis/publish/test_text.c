/* SPDX-License-Identifier: BSD-3-Clause */
/* Text in bounded memory, and strings that may hold anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define BAD "\xef\xbf\xbd"

static void what_is_no_utf8_is_replaced_byte_for_byte(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *clean;
    } rows[] = {
        {"kcna.kp", "kcna.kp"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff"
         "b",
         "a" BAD "b"},
        {"\xc0\xaf", BAD BAD},                 /* overlong */
        {"\xe0\x80\xaf", BAD BAD BAD},         /* overlong */
        {"\xed\xa0\x80", BAD BAD BAD},         /* a surrogate */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* beyond U+10FFFF */
        {"\xe2\x82", BAD BAD},                 /* cut within a character */
        {"\xf0\x9f\x98", BAD BAD BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char clean[64];
        text_utf8(rows[i].raw, clean, sizeof clean);
        assert_string_equal(clean, rows[i].clean);
    }
}

static void utf8_is_cut_between_characters(void **state)
{
    (void)state;
    char clean[6];
    text_utf8("ab\xe2\x82\xac\xe2\x82\xac", clean, sizeof clean);
    assert_string_equal(clean, "ab\xe2\x82\xac");
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    char bytes[128];
    struct text text = text_in(bytes, sizeof bytes);
    text_json(&text, "q\" b\\ nl\n del\x7f csi\xc2\x9b bad\xfe eur\xe2\x82\xac </script>");
    assert_string_equal(bytes, "\"q\\\" b\\\\ nl\\u000a del\\u007f csi\\u009b bad" BAD
                               " eur\xe2\x82\xac </script>\"");
    assert_false(text.cut);
}

static void html_is_escaped(void **state)
{
    (void)state;
    char bytes[128];
    struct text text = text_in(bytes, sizeof bytes);
    text_html(&text, "<a href='x'>\"&\x01\xff");
    assert_string_equal(bytes, "&#60;a href=&#39;x&#39;&#62;&#34;&#38;?" BAD);
}

static void text_without_room_is_cut_and_says_so(void **state)
{
    (void)state;
    char bytes[8];
    struct text text = text_in(bytes, sizeof bytes);
    text_put(&text, "1234567");
    assert_false(text.cut);
    text_put(&text, "8");
    assert_true(text.cut);
    assert_string_equal(bytes, "1234567");
    text = text_in(bytes, sizeof bytes);
    text_format(&text, "%d", 123456789);
    assert_true(text.cut);
    assert_string_equal(bytes, "");
    text = text_in(bytes, sizeof bytes);
    text_count(&text, UINT64_MAX);
    assert_true(text.cut);
}

static void the_largest_number_is_written_whole(void **state)
{
    (void)state;
    char bytes[32];
    struct text text = text_in(bytes, sizeof bytes);
    text_count(&text, UINT64_MAX);
    text_put(&text, " ");
    text_count(&text, 0);
    assert_string_equal(bytes, "18446744073709551615 0");
}

static void instants_are_iso_8601_in_utc(void **state)
{
    (void)state;
    char text[TEXT_TIME_MAX];
    text_time(1749255249 * NS_PER_S + 123456789, text);
    assert_string_equal(text, "2025-06-07T00:14:09.123456Z");
    text_time_s(1749255240 * NS_PER_S, text);
    assert_string_equal(text, "2025-06-07T00:14:00Z");
    text_time(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    text_time(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775Z");
}

static void people_are_spared_the_date_of_the_same_day(void **state)
{
    (void)state;
    char text[TEXT_TIME_MAX];
    int64_t at_ns = 1749255249 * NS_PER_S;
    text_clock(at_ns, at_ns + 3600 * NS_PER_S, text);
    assert_string_equal(text, "00:14:09");
    text_clock(at_ns, at_ns - 3600 * NS_PER_S, text);
    assert_string_equal(text, "2025-06-07 00:14:09");
    text_clock(at_ns, TIME_NONE, text);
    assert_string_equal(text, "2025-06-07 00:14:09");
}

static void spans_have_the_parts_that_matter(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {{12.34, "12.3 s"},
                {158.6, "2 min 39 s"},
                {27502, "7 h 38 min 22 s"},
                {2 * 86400 + 4 * 3600 + 59, "2 d 4 h 0 min"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[TEXT_SPAN_MAX];
        text_span(rows[i].seconds, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_utf8_is_replaced_byte_for_byte),
        cmocka_unit_test(utf8_is_cut_between_characters),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(text_without_room_is_cut_and_says_so),
        cmocka_unit_test(the_largest_number_is_written_whole),
        cmocka_unit_test(instants_are_iso_8601_in_utc),
        cmocka_unit_test(people_are_spared_the_date_of_the_same_day),
        cmocka_unit_test(spans_have_the_parts_that_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
