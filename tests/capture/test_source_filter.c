/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/pcap.h>

#include "source_filter.h"

/* To port 53 of 175.45.176.15 behind so many tags. */
static bool passes(const char *expression, unsigned tags, uint16_t port)
{
    static const uint8_t types[3][2] = {{0x88, 0xa8}, {0x81, 0x00}, {0x91, 0x00}};
    uint8_t frame[64] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, *at = frame + 12;
    for (unsigned i = 0; i < tags; i++) {
        const uint8_t tag[] = {types[i][0], types[i][1], 0, (uint8_t)(100 + i)};
        memcpy(at, tag, sizeof tag);
        at += sizeof tag;
    }
    const uint8_t rest[] = {0x08,
                            0,
                            0x45,
                            0,
                            0,
                            28,
                            0,
                            1,
                            0,
                            0,
                            64,
                            17,
                            0,
                            0,
                            192,
                            0,
                            2,
                            1,
                            175,
                            45,
                            176,
                            15,
                            0x9c,
                            0x40,
                            (uint8_t)(port >> 8),
                            (uint8_t)port,
                            0,
                            8};
    memcpy(at, rest, sizeof rest);
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
    struct bpf_program program;
    assert_int_equal(source_filter_compile(pcap, expression, &program), 0);
    const struct pcap_pkthdr header = {.caplen = sizeof frame, .len = sizeof frame};
    bool result = pcap_offline_filter(&program, &header, frame) != 0;
    pcap_freecode(&program);
    pcap_close(pcap);
    return result;
}

static void a_filter_says_of_tagged_packets_what_it_says_of_the_others(void **state)
{
    (void)state;
    for (unsigned tags = 0; tags <= 3; tags++) {
        assert_true(passes("net 175.45.176.0/22", tags, 53));
        assert_true(passes("udp port 53", tags, 53));
        assert_true(passes("host 192.0.2.1 and udp", tags, 53));
        assert_true(passes("tcp or udp", tags, 53));
        assert_false(passes("net 175.45.180.0/22", tags, 53));
        assert_false(passes("udp port 53", tags, 54));
        assert_false(passes("not port 53", tags, 53));
        assert_true(passes("not port 22", tags, 53));
        assert_false(passes("not net 175.45.176.0/22", tags, 53));
    }
}

static void a_filter_that_asks_for_tags_means_what_it_says(void **state)
{
    (void)state;
    assert_true(passes("vlan 100 and udp", 1, 53));
    assert_false(passes("vlan 100 and udp", 0, 53));
    assert_false(passes("vlan 101 and udp", 1, 53));
    assert_true(passes("vlan 100 and vlan 101 and port 53", 2, 53));
    assert_true(passes("not vlan", 0, 53));
    assert_false(passes("not vlan", 1, 53));
}

static void an_empty_filter_passes_all_and_a_bad_one_does_not_compile(void **state)
{
    (void)state;
    assert_true(passes("", 0, 53));
    assert_true(passes("  ", 1, 53));
    struct bpf_program program;
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
    assert_int_equal(source_filter_compile(pcap, "nothing like a filter", &program), -1);
    assert_non_null(strstr(pcap_geterr(pcap), "syntax error"));
    pcap_close(pcap);
}

static void links_other_than_ethernet_are_left_as_they_are(void **state)
{
    (void)state;
    static const int links[] = {DLT_RAW, DLT_LINUX_SLL, DLT_PPP, DLT_NULL};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct bpf_program ours, plain;
        pcap_t *pcap = pcap_open_dead(links[i], 65535);
        assert_int_equal(source_filter_compile(pcap, "udp port 53", &ours), 0);
        assert_int_equal(pcap_compile(pcap, &plain, "udp port 53", 1, PCAP_NETMASK_UNKNOWN), 0);
        assert_int_equal(ours.bf_len, plain.bf_len);
        pcap_freecode(&ours);
        pcap_freecode(&plain);
        pcap_close(pcap);
    }
}

static void a_filter_that_leaves_watched_addresses_alone_is_known(void **state)
{
    (void)state;
    struct watch watch = {.enabled = true};
    struct fault fault;
    assert_int_equal(prefix_parse("175.45.176.0/22", &watch.prefix, &fault), 0);
    struct rules rules = {.watches = &watch, .watch_count = 1, .watchlist = watchlist_new()};
    assert_int_equal(watchlist_add(rules.watchlist, &watch.prefix, 0), 0);
    assert_int_equal(watchlist_build(rules.watchlist), 0);
    static const char *const blind[] = {"net 175.45.176.0/22", "dst net 175.45.176.0/22",
                                        "net 175.45.176.0/24 and tcp", "host 175.45.176.71",
                                        "net 175.45.176.0/22 and (port 53 or icmp)"};
    static const char *const fine[] = {"ip",
                                       "",
                                       "tcp port 443",
                                       "udp port 53",
                                       "not port 22",
                                       "icmp",
                                       "net 175.45.176.0/22 or net 8.0.0.0/8",
                                       "host 192.0.2.7" /* no watched one either */,
                                       "nothing like a filter"};
    for (size_t i = 0; i < sizeof blind / sizeof *blind; i++)
        assert_true(source_filter_blinds(blind[i], &rules));
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_false(source_filter_blinds(fine[i], &rules));
    watch.enabled = false; /* what is off is not watched */
    assert_false(source_filter_blinds("net 175.45.176.0/22", &rules));
    watchlist_free(rules.watchlist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_says_of_tagged_packets_what_it_says_of_the_others),
        cmocka_unit_test(a_filter_that_asks_for_tags_means_what_it_says),
        cmocka_unit_test(an_empty_filter_passes_all_and_a_bad_one_does_not_compile),
        cmocka_unit_test(links_other_than_ethernet_are_left_as_they_are),
        cmocka_unit_test(a_filter_that_leaves_watched_addresses_alone_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
