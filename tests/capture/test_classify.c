/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"

enum { PACKET_MAX = 2048 };

static struct health health;
static struct classify *classify;

/* An IP packet under construction, and what the decoder would say of it. */
struct made {
    uint8_t bytes[PACKET_MAX];
    struct packet packet;
};

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

/* An IPv4 packet from 10.0.0.1 to 175.45.176.71, or back, with room for a transport header of `header` bytes.
 */
static void make_ip(struct made *made, uint8_t protocol, unsigned side, size_t header, const void *payload,
                    size_t length)
{
    static const uint8_t hosts[2][4] = {{10, 0, 0, 1}, {175, 45, 176, 71}};
    size_t total = 20 + header + length;
    assert_true(total <= PACKET_MAX);
    memset(made, 0, sizeof *made);
    made->bytes[0] = 0x45;
    put16(made->bytes + 2, (unsigned)total);
    made->bytes[8] = 64;
    made->bytes[9] = protocol;
    memcpy(made->bytes + 12, hosts[side], 4);
    memcpy(made->bytes + 16, hosts[1 - side], 4);
    if (length > 0)
        memcpy(made->bytes + 20 + header, payload, length);
    made->packet = (struct packet){.time_ns = 1750000000000000000,
                                   .is_ip = true,
                                   .ip_version = 4,
                                   .ip_bytes = (uint32_t)total,
                                   .ip_captured_bytes = (uint32_t)total,
                                   .has_transport = true,
                                   .payload_bytes = (uint32_t)length,
                                   .ip = made->bytes};
    made->packet.tuple.protocol = protocol;
}

static void make_tcp(struct made *made, unsigned side, uint16_t server_port, uint32_t sequence,
                     const void *payload, size_t length)
{
    make_ip(made, IPPROTO_TCP, side, 20, payload, length);
    uint8_t *tcp = made->bytes + 20;
    put16(tcp, side == 0 ? 40000 : server_port);
    put16(tcp + 2, side == 0 ? server_port : 40000);
    put32(tcp + 4, sequence);
    put32(tcp + 8, 1);
    tcp[12] = 0x50;
    tcp[13] = TCP_ACK | TCP_PSH;
    put16(tcp + 14, 65535);
}

static void make_udp(struct made *made, unsigned side, uint16_t server_port, const void *payload,
                     size_t length)
{
    make_ip(made, IPPROTO_UDP, side, 8, payload, length);
    uint8_t *udp = made->bytes + 20;
    put16(udp, side == 0 ? 40000 : server_port);
    put16(udp + 2, side == 0 ? server_port : 40000);
    put16(udp + 4, (unsigned)(8 + length));
}

static bool show(struct flow *flow, const struct made *made)
{
    return classify_packet(classify, flow, &made->packet, 0);
}

static bool show_tcp(struct flow *flow, uint16_t server_port, uint32_t sequence, const void *payload,
                     size_t length)
{
    struct made made;
    make_tcp(&made, 0, server_port, sequence, payload, length);
    return show(flow, &made);
}

static bool show_text(struct flow *flow, uint16_t server_port, uint32_t sequence, const char *text)
{
    return show_tcp(flow, server_port, sequence, text, strlen(text));
}

/* A TLS 1.2 ClientHello that names the server; its length. */
static size_t make_hello(uint8_t *to, const char *name)
{
    static const uint8_t ciphers[] = {0x00, 0x04, 0x13, 0x01, 0xc0, 0x2f, 0x01, 0x00};
    size_t name_length = strlen(name);
    uint8_t *at = to + 9;
    put16(at, 0x0303);
    memset(at + 2, 0x5a, 32); /* the client's random */
    at[34] = 0;               /* no session */
    memcpy(at + 35, ciphers, sizeof ciphers);
    at += 35 + sizeof ciphers;
    put16(at, (unsigned)(9 + name_length)); /* all extensions */
    put16(at + 2, 0);                       /* server_name */
    put16(at + 4, (unsigned)(5 + name_length));
    put16(at + 6, (unsigned)(3 + name_length));
    at[8] = 0; /* host_name */
    put16(at + 9, (unsigned)name_length);
    memcpy(at + 11, name, name_length);
    size_t total = (size_t)(at + 11 - to) + name_length;
    to[0] = 22;
    put16(to + 1, 0x0301);
    put16(to + 3, (unsigned)(total - 5));
    to[5] = 1;
    to[6] = 0;
    put16(to + 7, (unsigned)(total - 9));
    return total;
}

/* A DNS question for an A record, or the answer to it; its length. */
static size_t make_dns(uint8_t *to, const char *name, bool answer)
{
    memset(to, 0, 12);
    put16(to, 0x1234);
    put16(to + 2, answer ? 0x8180 : 0x0100);
    put16(to + 4, 1);
    put16(to + 6, answer);
    uint8_t *at = to + 12;
    for (const char *label = name; *label != '\0';) {
        size_t length = strcspn(label, ".");
        *at++ = (uint8_t)length;
        memcpy(at, label, length);
        at += length;
        label += length + (label[length] == '.');
    }
    *at++ = 0;
    put16(at, 1);
    put16(at + 2, 1);
    at += 4;
    static const uint8_t record[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 175, 45, 176, 71};
    if (answer)
        memcpy(at, record, sizeof record);
    return (size_t)(at - to) + (answer ? sizeof record : 0);
}

static struct flow flow_of(uint8_t protocol)
{
    return (struct flow){.protocol = protocol};
}

static void assert_name(const struct flow *flow, const char *name, const char *domain)
{
    char text[FLOW_APPLICATION_MAX];
    classify_name(classify, flow, text, sizeof text);
    assert_string_equal(text, name);
    const char *found = classify_domain(flow);
    assert_string_equal(found != NULL ? found : "", domain);
}

/* Ends the flow as its owners would. */
static void finish(struct flow *flow)
{
    classify_end(classify, flow);
    assert_true(flow->classified);
    classify_forget(classify, flow);
    assert_null(classify_domain(flow));
}

static int set_up_group(void **state)
{
    (void)state;
    struct fault fault;
    classify = classify_new(4, &health, &fault);
    return classify != NULL ? 0 : -1;
}

static int tear_down_group(void **state)
{
    (void)state;
    classify_free(classify);
    classify_free(NULL);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    memset(&health, 0, sizeof health);
    return 0;
}

static void a_client_hello_names_its_server_in_lower_case(void **state)
{
    (void)state;
    uint8_t hello[512];
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_true(show_tcp(&flow, 443, 1, hello, make_hello(hello, "WwW.Kcna.KP")));
    assert_name(&flow, "TLS", "www.kcna.kp");
    assert_true(flow.classified);
    assert_true(flow.classified);
    assert_int_equal(health.classified, 1);
    assert_false(show_tcp(&flow, 443, 1000, hello, 100)); /* nothing more is asked */
    finish(&flow);
    assert_int_equal(health.classified, 1); /* and it is counted once */
}

static void a_client_hello_in_two_segments_is_put_together(void **state)
{
    (void)state;
    uint8_t hello[512];
    size_t length = make_hello(hello, "naenara.com.kp");
    for (size_t cut = 1; cut < length; cut += 11) {
        struct flow flow = flow_of(IPPROTO_TCP);
        bool known = show_tcp(&flow, 443, 1, hello, cut);
        assert_null(classify_domain(&flow));
        assert_false(known);
        struct made ack;
        make_tcp(&ack, 1, 443, 1, NULL, 0);
        assert_false(show(&flow, &ack));
        assert_true(show_tcp(&flow, 443, (uint32_t)(1 + cut), hello + cut, length - cut));
        assert_name(&flow, "TLS", "naenara.com.kp");
        finish(&flow);
    }
}

static void an_application_is_joined_to_its_master_by_a_dot(void **state)
{
    (void)state;
    uint8_t hello[512];
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_true(show_tcp(&flow, 443, 1, hello, make_hello(hello, "www.google.com")));
    assert_name(&flow, "TLS.Google", "www.google.com");
    char text[6];
    classify_name(classify, &flow, text, sizeof text);
    assert_string_equal(text, "TLS.G");
    finish(&flow);
}

static void an_http_host_is_named_without_port_or_final_dot(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"Host: Example.kp\r\n", "example.kp"},
        {"Host: example.kp:8080\r\n", "example.kp"},
        {"User-Agent: x\r\nHost: example.kp.\r\n", "example.kp"},
        {"Host: 175.45.176.71:80\r\n", "175.45.176.71"},
        {"Host: [2001:db8::1]:80\r\n", ""},
        {"Host: a\x01\xff\"b.kp\r\n", "a\x01\xff\"b.kp"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[256];
        snprintf(request, sizeof request, "GET /index.html HTTP/1.1\r\n%s\r\n", rows[i][0]);
        struct flow flow = flow_of(IPPROTO_TCP);
        assert_true(show_text(&flow, 8080, 1, request));
        assert_name(&flow, "HTTP", rows[i][1]);
        finish(&flow);
    }
}

static void an_http_host_may_come_in_a_later_segment(void **state)
{
    (void)state;
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_false(show_text(&flow, 80, 1, "GET / HTTP/1.1\r\n"));
    assert_true(show_text(&flow, 80, 17, "Host: split.kp\r\n\r\n"));
    assert_name(&flow, "HTTP", "split.kp");
    finish(&flow);
}

static void an_http_request_without_a_host_is_known_at_its_end(void **state)
{
    (void)state;
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_false(show_text(&flow, 80, 1, "GET / HTTP/1.0\r\n\r\n"));
    classify_end(classify, &flow);
    assert_name(&flow, "HTTP", "");
    assert_int_equal(health.classified, 1);
    finish(&flow);
}

static void a_name_longer_than_ndpi_keeps_is_cut_and_stays_a_string(void **state)
{
    (void)state;
    char request[600] = "GET / HTTP/1.1\r\nHost: ";
    memset(request + strlen(request), 'x', 300);
    strcat(request, ".kp\r\n\r\n");
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_true(show_text(&flow, 80, 1, request));
    assert_in_range(strlen(classify_domain(&flow)), 10, FLOW_DOMAIN_MAX - 1);
    finish(&flow);
}

static void a_greeting_or_a_banner_is_no_domain(void **state)
{
    (void)state;
    static const char *const talks[][5] = {
        {"220 mail.example.kp ESMTP ready\r\n", "EHLO a.example.net\r\n", "250 mail.example.kp\r\n",
         "MAIL FROM:<a@example.net>\r\n", "250 OK\r\n"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-PuTTY\r\n", NULL},
    };
    for (int i = 0; i < 2; i++) {
        struct flow flow = flow_of(IPPROTO_TCP);
        uint32_t sequence[2] = {1, 1};
        for (unsigned line = 0; line < 5 && talks[i][line] != NULL; line++) {
            unsigned side = 1 - line % 2; /* the server speaks first */
            size_t length = strlen(talks[i][line]);
            struct made made;
            make_tcp(&made, side, i == 0 ? 25 : 22, sequence[side], talks[i][line], length);
            show(&flow, &made);
            sequence[side] += (uint32_t)length;
        }
        classify_end(classify, &flow);
        assert_name(&flow, i == 0 ? "SMTP" : "SSH", "");
        finish(&flow);
    }
}

static void a_dns_question_names_the_host_in_either_direction(void **state)
{
    (void)state;
    uint8_t message[512];
    for (int answer = 0; answer < 2; answer++) {
        struct made made;
        make_udp(&made, (unsigned)answer, 53, message, make_dns(message, "NS1.kptc.KP", answer == 1));
        struct flow flow = flow_of(IPPROTO_UDP);
        assert_true(show(&flow, &made));
        assert_name(&flow, "DNS", "ns1.kptc.kp");
        finish(&flow);
    }
}

static void an_echo_is_icmp_at_once(void **state)
{
    (void)state;
    static const uint8_t echo[] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
    struct made made;
    make_ip(&made, IPPROTO_ICMP, 0, 0, echo, sizeof echo);
    struct flow flow = flow_of(IPPROTO_ICMP);
    assert_true(show(&flow, &made));
    assert_name(&flow, "ICMP", "");
    finish(&flow);
}

static void a_port_alone_says_nothing(void **state)
{
    (void)state;
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_false(show_tcp(&flow, 22, 1, "\x01\x02\x03", 3));
    classify_end(classify, &flow);
    assert_name(&flow, "Unknown", "");
    assert_int_equal(health.unclassified, 1);
    assert_int_equal(health.classified, 0);
    finish(&flow);
}

static void a_flow_without_payload_costs_nothing(void **state)
{
    (void)state;
    struct made made;
    make_tcp(&made, 0, 443, 1, NULL, 0);
    struct flow flow = flow_of(IPPROTO_TCP);
    assert_false(show(&flow, &made));
    assert_null(flow.classification);
    classify_end(classify, &flow);
    assert_name(&flow, "Unknown", "");
    assert_int_equal(health.unclassified, 0); /* nDPI was never asked */
    finish(&flow);
}

static void what_was_cut_or_is_too_long_is_not_shown(void **state)
{
    (void)state;
    uint8_t hello[512];
    struct made made;
    make_tcp(&made, 0, 443, 1, hello, make_hello(hello, "kcna.kp"));
    struct flow flow = flow_of(IPPROTO_TCP);
    made.packet.ip_captured_bytes--;
    assert_false(show(&flow, &made));
    made.packet.ip_bytes = made.packet.ip_captured_bytes = 65536 + 60;
    assert_false(show(&flow, &made));
    assert_null(flow.classification);
    make_tcp(&made, 0, 443, 1, hello, make_hello(hello, "kcna.kp"));
    assert_true(show(&flow, &made)); /* the next whole one is */
    assert_name(&flow, "TLS", "kcna.kp");
    finish(&flow);
}

static void it_gives_up_after_so_many_packets(void **state)
{
    (void)state;
    struct flow tcp = flow_of(IPPROTO_TCP), udp = flow_of(IPPROTO_UDP);
    struct made made;
    for (int i = 1; i <= 24; i++) {
        assert_false(tcp.classified);
        assert_false(show_tcp(&tcp, 12345, (uint32_t)(1 + 4 * i), "\xf1\xe2\xd3\xc4", 4));
    }
    assert_true(tcp.classified);
    for (int i = 1; i <= 10; i++) {
        assert_false(udp.classified);
        make_udp(&made, 0, 12345, "\xf1\xe2\xd3\xc4", 4);
        assert_false(show(&udp, &made));
    }
    assert_true(udp.classified);
    assert_int_equal(health.unclassified, 2);
    finish(&tcp);
    finish(&udp);
    assert_int_equal(health.unclassified, 2);
}

static void beyond_the_cap_who_was_answered_takes_the_place_of_the_oldest(void **state)
{
    (void)state;
    struct flow flows[5];
    for (int i = 0; i < 5; i++) { /* the cap is 4 */
        flows[i] = flow_of(IPPROTO_TCP);
        assert_false(show_tcp(&flows[i], 12345, 1, "\x01\x02", 2));
        assert_int_equal(flows[i].classification != NULL, i < 4);
    }
    assert_int_equal(health.classify_refused, 1);
    /* A forged one is never answered. */
    uint8_t hello[512];
    const size_t length = make_hello(hello, "kcna.kp");
    assert_false(show_tcp(&flows[4], 443, 1, hello, length));
    assert_int_equal(health.classify_refused, 2);
    flows[4].spoke[0] = flows[4].spoke[1] = true;
    assert_true(show_tcp(&flows[4], 443, 1, hello, length));
    assert_name(&flows[4], "TLS", "kcna.kp");
    assert_true(flows[0].classified);
    assert_false(flows[1].classified);
    assert_int_equal(health.classify_refused, 2);
    finish(&flows[2]); /* of any place in the line */
    for (int i = 0; i < 5; i++)
        if (i != 2)
            finish(&flows[i]);
    struct flow next = flow_of(IPPROTO_TCP); /* room was given back */
    assert_true(show_tcp(&next, 443, 1, hello, length));
    finish(&next);
}

/* As a flood with random names makes them: what is still told of each is told once, when it is found. */
static void beyond_the_cap_names_are_told_and_not_kept(void **state)
{
    (void)state;
    enum { NAMES_MAX = 1 << 16, FLOWS = NAMES_MAX + 100 };
    struct flow *flows = calloc(FLOWS, sizeof *flows);
    assert_non_null(flows);
    for (unsigned i = 0; i < FLOWS; i++) {
        uint8_t hello[256];
        char name[32];
        snprintf(name, sizeof name, "n%u.example.kp", i);
        flows[i] = flow_of(IPPROTO_TCP);
        assert_true(show_tcp(&flows[i], 443, 1, hello, make_hello(hello, name)));
        assert_string_equal(classify_news(classify), name);
        assert_name(&flows[i], "TLS", i < NAMES_MAX ? name : "");
    }
    assert_int_equal(health.names_unkept, FLOWS - NAMES_MAX);
    /* A name that is kept serves any flow more, and one that nobody has any more makes room for another. */
    struct flow known = flow_of(IPPROTO_TCP), new = flow_of(IPPROTO_TCP);
    uint8_t hello[256];
    assert_true(show_tcp(&known, 443, 1, hello, make_hello(hello, "n7.example.kp")));
    assert_name(&known, "TLS", "n7.example.kp");
    finish(&flows[8]);
    assert_true(show_tcp(&new, 443, 1, hello, make_hello(hello, "new.example.kp")));
    assert_name(&new, "TLS", "new.example.kp");
    assert_int_equal(health.names_unkept, FLOWS - NAMES_MAX);
    finish(&known);
    finish(&new);
    for (unsigned i = 0; i < FLOWS; i++)
        finish(&flows[i]);
    free(flows);
}

static void any_bytes_leave_it_standing(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        struct flow flow = flow_of(IPPROTO_TCP);
        uint8_t bytes[600];
        size_t length = make_hello(bytes, "www.kcna.kp");
        if (round % 3 == 1)
            length = make_dns(bytes, "www.kcna.kp", round % 2 == 0);
        for (int i = 0; i < 12; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(seed >> 33) % (i < 6 ? length : 20)] = (uint8_t)(seed >> 56);
        }
        struct made made;
        if (round % 3 == 1)
            make_udp(&made, 0, 53, bytes, length);
        else
            make_tcp(&made, 0, 443, 1, bytes, length);
        show(&flow, &made);
        if (classify_domain(&flow) != NULL)
            assert_in_range(strlen(classify_domain(&flow)), 1, FLOW_DOMAIN_MAX - 1);
        finish(&flow);
    }
    assert_int_equal(health.classified + health.unclassified, 3000);
}

static void the_version_is_that_of_the_library(void **state)
{
    (void)state;
    unsigned major, minor;
    assert_int_equal(sscanf(classify_version(), "%u.%u", &major, &minor), 2);
    assert_in_range(major, 4, 4);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_hello_names_its_server_in_lower_case),
        TEST(a_client_hello_in_two_segments_is_put_together),
        TEST(an_application_is_joined_to_its_master_by_a_dot),
        TEST(an_http_host_is_named_without_port_or_final_dot),
        TEST(an_http_host_may_come_in_a_later_segment),
        TEST(an_http_request_without_a_host_is_known_at_its_end),
        TEST(a_name_longer_than_ndpi_keeps_is_cut_and_stays_a_string),
        TEST(a_greeting_or_a_banner_is_no_domain),
        TEST(a_dns_question_names_the_host_in_either_direction),
        TEST(an_echo_is_icmp_at_once),
        TEST(a_port_alone_says_nothing),
        TEST(a_flow_without_payload_costs_nothing),
        TEST(what_was_cut_or_is_too_long_is_not_shown),
        TEST(it_gives_up_after_so_many_packets),
        TEST(beyond_the_cap_who_was_answered_takes_the_place_of_the_oldest),
        TEST(beyond_the_cap_names_are_told_and_not_kept),
        TEST(any_bytes_leave_it_standing),
        TEST(the_version_is_that_of_the_library),
    };
    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
