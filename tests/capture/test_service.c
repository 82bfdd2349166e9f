/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "rules.h"

enum { WEB = 21, MAIL, ANY_PORT, SIX };

/* Four services; WEB and MAIL share an address. */
static char *web_hosts[] = {"kcna.kp", "*.kcna.kp"}, *any_hosts[] = {"www.?.example"};
static uint16_t web_ports[] = {80, 443}, mail_ports[] = {25};
static struct prefix addresses[5];

static struct service services[] = {
    {"web", WEB, web_hosts, 2, &addresses[0], 2, web_ports, 2, 0},
    {"mail", MAIL, NULL, 0, &addresses[0], 1, mail_ports, 1, 0},
    {"any", ANY_PORT, any_hosts, 1, &addresses[2], 1, NULL, 0, 0},
    {"six", SIX, NULL, 0, &addresses[3], 1, web_ports, 2, 0},
};
static const struct rules rules = {.services = services, .service_count = 4};

static struct prefix parsed(const char *text)
{
    struct prefix prefix;
    struct fault fault;
    assert_int_equal(prefix_parse(text, &prefix, &fault), 0);
    return prefix;
}

static int set_up(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.71", "192.0.2.80", "198.51.100.0/28", "2001:db8::80"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        addresses[i] = parsed(texts[i]);
    return 0;
}

static uint32_t at(const char *address, uint16_t port)
{
    struct prefix prefix = parsed(address);
    return service_find_address(&rules, prefix.address, port);
}

static void test_an_address_and_one_of_the_ports(void **state)
{
    (void)state;
    assert_int_equal(at("192.0.2.71", 80), WEB);
    assert_int_equal(at("192.0.2.71", 443), WEB);
    assert_int_equal(at("192.0.2.80", 443), WEB);
    assert_int_equal(at("192.0.2.80", 25), SCOPE_NONE);
    assert_int_equal(at("192.0.2.71", 22), SCOPE_NONE);
    assert_int_equal(at("192.0.2.72", 80), SCOPE_NONE);
}

static void test_two_services_of_one_address_are_told_by_the_port(void **state)
{
    (void)state;
    assert_int_equal(at("192.0.2.71", 25), MAIL);
}

static void test_without_ports_any_will_do(void **state)
{
    (void)state;
    assert_int_equal(at("198.51.100.15", 0), ANY_PORT);
    assert_int_equal(at("198.51.100.0", 65535), ANY_PORT);
    assert_int_equal(at("198.51.100.16", 80), SCOPE_NONE);
}

static void test_an_ipv6_address(void **state)
{
    (void)state;
    assert_int_equal(at("2001:db8::80", 443), SIX);
    assert_int_equal(at("2001:db8::81", 443), SCOPE_NONE);
}

static void test_a_name_and_one_of_the_ports(void **state)
{
    (void)state;
    assert_int_equal(service_find_name(&rules, "kcna.kp", 443), WEB);
    assert_int_equal(service_find_name(&rules, "www.kcna.kp", 80), WEB);
    assert_int_equal(service_find_name(&rules, "kcna.kp", 53), SCOPE_NONE);
}

static void test_names_have_no_case(void **state)
{
    (void)state;
    assert_int_equal(service_find_name(&rules, "WWW.Kcna.KP", 443), WEB);
}

static void test_a_pattern_is_of_the_whole_name(void **state)
{
    (void)state;
    assert_int_equal(service_find_name(&rules, "notkcna.kp", 443), SCOPE_NONE);
    assert_int_equal(service_find_name(&rules, "kcna.kp.example.com", 443), SCOPE_NONE);
    assert_int_equal(service_find_name(&rules, "", 443), SCOPE_NONE);
    assert_int_equal(service_find_name(&rules, "www.a.example", 9), ANY_PORT);
    assert_int_equal(service_find_name(&rules, "www.ab.example", 9), SCOPE_NONE);
}

static void test_a_name_is_never_read_as_a_pattern(void **state)
{
    (void)state;
    assert_int_equal(service_find_name(&rules, "*", 443), SCOPE_NONE);
    assert_int_equal(service_find_name(&rules, "[k]cna.kp", 443), SCOPE_NONE);
}

static void test_a_service_by_name_alone_has_no_address(void **state)
{
    (void)state;
    struct service by_name = {"n", WEB, web_hosts, 2, NULL, 0, NULL, 0, 0};
    const struct rules one = {.services = &by_name, .service_count = 1};
    struct prefix prefix = parsed("192.0.2.71");
    assert_int_equal(service_find_address(&one, prefix.address, 80), SCOPE_NONE);
    assert_int_equal(service_find_name(&one, "kcna.kp", 8080), WEB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_and_one_of_the_ports),
        cmocka_unit_test(test_two_services_of_one_address_are_told_by_the_port),
        cmocka_unit_test(test_without_ports_any_will_do),
        cmocka_unit_test(test_an_ipv6_address),
        cmocka_unit_test(test_a_name_and_one_of_the_ports),
        cmocka_unit_test(test_names_have_no_case),
        cmocka_unit_test(test_a_pattern_is_of_the_whole_name),
        cmocka_unit_test(test_a_name_is_never_read_as_a_pattern),
        cmocka_unit_test(test_a_service_by_name_alone_has_no_address),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
