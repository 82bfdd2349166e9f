/* SPDX-License-Identifier: BSD-3-Clause */
/* The spelling of --redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "publish.h"
#include "redis_url.h"

/* Whether this build can serve the URL. */
static int check(const char *text, struct fault *fault)
{
    const struct publish_options options = {.redis.url = text};
    return publish_check_redis(&options, fault);
}

static void every_good_form_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
        const char *path;
        int db;
        const char *user, *password, *shown;
    } rows[] = {
        {"redis://localhost", "localhost", 6379, "", 0, "", "", "redis://localhost:6379"},
        {"redis://localhost/", "localhost", 6379, "", 0, "", "", "redis://localhost:6379"},
        {"redis://10.0.0.1:7000/3", "10.0.0.1", 7000, "", 3, "", "", "redis://10.0.0.1:7000"},
        {"redis://[2001:db8::1]:7000", "2001:db8::1", 7000, "", 0, "", "", "redis://[2001:db8::1]:7000"},
        {"redis://[::1]/15", "::1", 6379, "", 15, "", "", "redis://[::1]:6379"},
        {"redis://:secret@h", "h", 6379, "", 0, "", "secret", "redis://h:6379"},
        {"redis://soc:s%40c%3Ar%2f%25t@h:1", "h", 1, "", 0, "soc", "s@c:r/%t", "redis://h:1"},
        {"redis://soc:p@ss:word@h", "h", 6379, "", 0, "soc", "p@ss:word", "redis://h:6379"},
        {"redis://soc@h", "h", 6379, "", 0, "soc", "", "redis://h:6379"},
        {"unix:///run/redis/redis.sock", "", 0, "/run/redis/redis.sock", 0, "", "",
         "unix:///run/redis/redis.sock"},
        {"unix:///tmp/a%20b.sock?db=2", "", 0, "/tmp/a b.sock", 2, "", "", "unix:///tmp/a b.sock"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_url url;
        struct fault fault;
        assert_int_equal(redis_url_parse(rows[i].text, &url, &fault), 0);
        assert_string_equal(url.host[0].host, rows[i].host);
        assert_int_equal(url.host[0].port, rows[i].port);
        assert_string_equal(url.path, rows[i].path);
        assert_int_equal(url.db, rows[i].db);
        assert_string_equal(url.user, rows[i].user);
        assert_string_equal(url.password, rows[i].password);
        assert_string_equal(url.shown, rows[i].shown);
        assert_false(url.tls);
        assert_string_equal(url.master, "");
        assert_int_equal(check(rows[i].text, &fault),
                         url.user[0] != '\0' && url.password[0] == '\0' ? -1 : 0);
    }
}

static void every_bad_form_is_refused_with_a_reason_and_without_the_password(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "not a URL"},
        {"localhost:6379", "not a URL"},
        {"http://hunter2@h", "not a URL"},
        {"rediss://:hunter2@", "no host"},
        {"redis+sentinel://:hunter2@h:1,/name", "no host"},
        {"redis+sentinel://:hunter2@h:1,h:0/name", "port"},
        {"redis+sentinel://:hunter2@h:1", "name"},
        {"redis+sentinel://:hunter2@h:1/", "name"},
        {"redis+sentinel://:hunter2@h:1/%zz", "name"},
        {"redis+sentinel://:hunter2@h:1/name/x", "database"},
        {"redis+sentinel://:hunter2@h:1/name?db=1", "nothing may follow"},
        {"redis+sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/name", "more than 16"},
        {"redis://", "no host"},
        {"redis://:hunter2@", "no host"},
        {"redis://:hunter2@:6379", "no host"},
        {"redis://:hunter2@h:0", "port"},
        {"redis://:hunter2@h:65536", "port"},
        {"redis://:hunter2@h:", "port"},
        {"redis://:hunter2@h:63a", "port"},
        {"redis://2001:db8::1", "port"},
        {"redis://[2001:db8::1", "bracket"},
        {"redis://[::1]6379", "port"},
        {"redis://h/x", "database"},
        {"redis://h/-1", "database"},
        {"redis://h/65536", "database"},
        {"redis://h/1/2", "database"},
        {"redis://:hunter2@h?db=1", "nothing may follow"},
        {"redis://:hunter2%@h", "password"},
        {"redis://:hunter2%zz@h", "password"},
        {"redis://:hunter2%00@h", "password"},
        {"redis://us%er:hunter2@h", "user"},
        {"unix://run/redis.sock", "not absolute"},
        {"unix:///run/redis.sock?password=hunter2", "nothing may follow"},
        {"unix:///run/redis.sock?db=", "database"},
        {"unix:///a/path/that/is/longer/than/a/unix/socket/can/have/because/the/system/keeps/it/in/108/bytes/"
         "and/no/"
         "more/redis.sock",
         "longer than"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct redis_url url;
        struct fault fault = {.text = ""};
        assert_int_equal(redis_url_parse(rows[i].text, &url, &fault), -1);
        if (strstr(fault.text, rows[i].reason) == NULL)
            fail_msg("%s: %s", rows[i].text, fault.text);
        assert_null(strstr(fault.text, "hunter2"));
        assert_int_equal(check(rows[i].text, &fault), -1);
    }
}

static void sentinels_are_listed_with_the_name_of_their_master(void **state)
{
    (void)state;
    struct redis_url url;
    struct fault fault;
    assert_int_equal(
        redis_url_parse("redis+sentinel://soc:s%2cret@s1,[::1]:5000,s3:26380/my%20own/4", &url, &fault), 0);
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.host[0].host, "s1");
    assert_int_equal(url.host[0].port, 26379);
    assert_string_equal(url.host[1].host, "::1");
    assert_int_equal(url.host[1].port, 5000);
    assert_string_equal(url.host[2].host, "s3");
    assert_int_equal(url.host[2].port, 26380);
    assert_string_equal(url.master, "my own");
    assert_string_equal(url.user, "soc");
    assert_string_equal(url.password, "s,ret");
    assert_int_equal(url.db, 4);
    assert_string_equal(url.shown, "redis+sentinel://s1:26379,…/my own");
    assert_int_equal(redis_url_parse("rediss+sentinel://s1/m", &url, &fault), 0);
    assert_true(url.tls);
    assert_string_equal(url.shown, "rediss+sentinel://s1:26379/m");
}

static void tls_is_asked_for_and_never_forgotten(void **state)
{
    (void)state;
    struct redis_url url;
    struct fault fault = {.text = ""};
    assert_int_equal(redis_url_parse("rediss://:hunter2@h/3", &url, &fault), 0);
    assert_true(url.tls);
    assert_int_equal(url.db, 3);
    assert_string_equal(url.shown, "rediss://h:6379");
    struct publish_options options = {.redis = {.url = "redis://:hunter2@h", .tls_ca = "/dev/null"}};
    assert_int_equal(publish_check_redis(&options, &fault), -1);
    assert_non_null(strstr(fault.text, "write rediss://"));
    options.redis.url = "rediss://:hunter2@h";
    assert_int_equal(publish_check_redis(&options, &fault),
                     -1); /* no certificate in there, or no TLS at all */
    assert_true(strstr(fault.text, "tls_ca = /dev/null") != NULL ||
                strstr(fault.text, "this build has no TLS") != NULL);
    assert_null(strstr(fault.text, "hunter2"));
}

static void a_user_without_a_password_is_refused(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false}, {SCOPE_TAP, false, "tap", false}};
    static const struct scope_list scopes = {.items = items, .count = 2};
    struct publish_options options = {.sensor = "ix-1"};
    struct fault fault;
    options.redis.url = "redis://soc@127.0.0.1:1";
    options.redis.prefix = "lightsout:";
    assert_null(publish_open(&options, &scopes, &fault));
    assert_non_null(strstr(fault.text, "no password"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_form_is_understood),
        cmocka_unit_test(every_bad_form_is_refused_with_a_reason_and_without_the_password),
        cmocka_unit_test(sentinels_are_listed_with_the_name_of_their_master),
        cmocka_unit_test(tls_is_asked_for_and_never_forgotten),
        cmocka_unit_test(a_user_without_a_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
