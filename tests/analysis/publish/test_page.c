/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "evidence_text.h"
#include "page.h"

static char *bytes;
static size_t length;

static FILE *begin(void)
{
    FILE *out = open_memstream(&bytes, &length);
    assert_non_null(out);
    return out;
}

static void holds(FILE *out, const char *wanted)
{
    fclose(out);
    assert_string_equal(bytes, wanted);
    free(bytes);
}

static void an_offset_is_written_as_people_do(void **state)
{
    (void)state;
    char text[PAGE_ZONE_MAX];
    page_zone(540, text);
    assert_string_equal(text, "UTC+9");
    page_zone(-210, text);
    assert_string_equal(text, "UTC-3:30");
    page_zone(-840, text);
    assert_string_equal(text, "UTC-14");
}

static void an_instant_is_told_by_both_clocks(void **state)
{
    (void)state;
    const int64_t late_ns = CANNED_START_NS + 17 * 3600 * NS_PER_S / 2; /* 20:30 */
    FILE *out = begin();
    page_clock(CANNED_START_NS, TIME_NONE, 0, out);
    holds(out, "2025-06-06 12:00:00 UTC");
    out = begin();
    page_clock(CANNED_START_NS, late_ns, 540, out);
    holds(out, "12:00:00 UTC <span class=\"local\">(21:00:00 UTC+9)</span>");
    out = begin();
    page_clock(late_ns, late_ns, 540, out); /* another day there */
    holds(out, "20:30:00 UTC <span class=\"local\">(06-07 05:30:00 UTC+9)</span>");
}

static void evidence_has_its_value_and_the_usual_one(void **state)
{
    (void)state;
    static const struct {
        enum evidence_kind kind;
        double value;
        const char *text;
    } rows[] = {
        {EVIDENCE_INBOUND_PERSISTS, 1.02, "102 %"},
        {EVIDENCE_ICMP_NO_ROUTE, 12.34, "12.3 a minute"},
        {EVIDENCE_INBOUND_SURGE, 40, "40.0 times"},
        {EVIDENCE_ROUTE_CHANGED, 80, "80 ms"},
        {EVIDENCE_ALL_PATHS, 2, "2"},
        {EVIDENCE_ALL_PATHS, -1, ""},
        {EVIDENCE_NO_CONTROL, 1, ""},
        {EVIDENCE_ROUTERS_UNHEARD, 1, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char value[64];
        struct text text = text_in(value, sizeof value);
        evidence_text_value(rows[i].kind, rows[i].value, &text);
        assert_string_equal(value, rows[i].text);
    }
}

static void has(const char *words)
{
    if (strstr(bytes, words) == NULL)
        fail_msg("no %s in %s", words, bytes);
}

static void what_went_down_is_told_with_when_it_came_back(void **state)
{
    (void)state;
    struct event event = canned_event(4);
    snprintf(event.services[0].name, sizeof event.services[0].name, "<b>.kp");
    FILE *out = begin();
    page_why(&event, 0, out);
    fclose(out);
    has("internal 86&#8239;%, upstream 5&#8239;%");
    has("1 of 1 down: which, since when");
    has("<th scope=\"row\">175.45.176.0/24</th><td>12:10:00 UTC</td><td>12:32:08 UTC</td>");
    has("<th scope=\"row\">&#60;b&#62;.kp</th><td>12:10:00 UTC</td><td></td>");
    has("<td class=\"n\" data-is=\"value\">102 %</td><td class=\"n\" data-is=\"usual\">100 %</td>");
    assert_null(strstr(bytes, "<b>"));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_is_written_as_people_do),
        cmocka_unit_test(an_instant_is_told_by_both_clocks),
        cmocka_unit_test(evidence_has_its_value_and_the_usual_one),
        cmocka_unit_test(what_went_down_is_told_with_when_it_came_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
