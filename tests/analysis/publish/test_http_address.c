/* SPDX-License-Identifier: BSD-3-Clause */
/* The spelling of --http. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http_address.h"
#include "publish.h"

static void every_good_form_is_understood_and_no_address_is_the_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        bool loopback;
    } rows[] = {
        {"127.0.0.1:9109", "127.0.0.1:9109", true},
        {":9109", "127.0.0.1:9109", true},
        {"localhost:80", "127.0.0.1:80", true},
        {"127.9.9.9:1", "127.9.9.9:1", true},
        {"[::1]:9109", "[::1]:9109", true},
        {"0.0.0.0:9109", "0.0.0.0:9109", false},
        {"[::]:65535", "[::]:65535", false},
        {"192.0.2.1:0", "192.0.2.1:0", false},
        {"[2001:db8::1]:9", "[2001:db8::1]:9", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_address address;
        struct fault fault;
        assert_int_equal(http_address_parse(rows[i].text, &address, &fault), 0);
        assert_string_equal(address.shown, rows[i].shown);
        assert_int_equal(address.loopback, rows[i].loopback);
        assert_int_equal(publish_check_http(rows[i].text, &fault), 0);
    }
}

static void every_bad_form_is_refused_with_the_way_out(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "9109",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        ":65536",
        ":-1",
        ":+1",
        ": 1",
        ":000001",
        "::1:9109",
        "[::1:9109",
        "[127.0.0.1]:1",
        "::1]:9109",
        "example.kp:1",
        "1.2.3:9109",
        "[]:9109",
        "[::1]x:9109",
        "http://127.0.0.1:9109",
        "127.0.0.1:9109/",
        "127.0.0.1 :9109",
        "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_address address;
        struct fault fault;
        assert_int_equal(http_address_parse(rows[i], &address, &fault), -1);
        assert_non_null(strstr(fault.text, "127.0.0.1:9109"));
        assert_int_equal(publish_check_http(rows[i], &fault), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_form_is_understood_and_no_address_is_the_loopback),
        cmocka_unit_test(every_bad_form_is_refused_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
