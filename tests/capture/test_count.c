/* SPDX-License-Identifier: BSD-3-Clause */
/* What each scope counts of packets and flows that the tests make by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "burst.h"
#include "count.h"
#include "distinct.h"

#define T0 (1749081600 * NS_PER_S)
#define S  NS_PER_S

enum { TCP = 6, UDP = 17 };

/* Scopes, in the order of the list. */
enum { ALL, ONE, TWO, LEASED, PATH_ONE, PATH_VLAN_7, WEB, MAIL, TAP, SCOPES };

/* Watches: two /24s that count, one that does not, and one without a scope of its own. */
enum { W_ONE, W_TWO, W_LEASED, W_BARE, WATCHES };

static const struct scope scope_items[SCOPES] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
    {SCOPE_PREFIX, true, "prefix:198.51.100.0/24", false},
    {SCOPE_PREFIX, false, "prefix:203.0.113.0/24", false},
    {SCOPE_PATH, true, "path:one", false},
    {SCOPE_PATH, true, "path:vlan-7", false},
    {SCOPE_SERVICE, true, "service:web", false},
    {SCOPE_SERVICE, true, "service:mail", false},
    {SCOPE_TAP, false, "tap", false},
};
static const struct scope_router routers[] = {
    {.address = {[10] = 0xff, 0xff, 203, 0, 114, 1}, .path = PATH_ONE},
    {.address = {[10] = 0xff, 0xff, 203, 0, 114, 2}, .path = PATH_VLAN_7},
};
static const struct scope_list scopes = {
    .items = scope_items, .count = SCOPES, .routers = routers, .router_count = 2};

static struct watch watches[WATCHES] = {
    {.enabled = true, .counted = true, .scope = ONE},
    {.enabled = true, .counted = true, .scope = TWO},
    {.enabled = true, .counted = false, .scope = LEASED},
    {.enabled = true, .counted = true, .scope = SCOPE_NONE},
};
static struct path_key path_keys[2] = {{.kind = PATH_PREFIX}, {.kind = PATH_VLAN, .number = 7}};
static struct path paths[2] = {{.scope = PATH_ONE, .keys = &path_keys[0], .key_count = 1},
                               {.scope = PATH_VLAN_7, .keys = &path_keys[1], .key_count = 1}};
static const struct rules rules = {
    .watches = watches, .watch_count = WATCHES, .paths = paths, .path_count = 2};

static const struct capture_options options = {.addresses_max = 1000, .burst_length_ns = 60 * S};
static struct health health;
static struct count *count;

static int set_up(void **state)
{
    (void)state;
    struct fault fault;
    health = (struct health){0};
    count = count_new(&options, &rules, &scopes, &health);
    if (count == NULL || prefix_parse("192.0.2.0/24", &path_keys[0].prefix, &fault) != 0)
        return -1;
    count_open(count, T0, true, TALLY_ALL_KNOWN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    count_free(count);
    return 0;
}

static void put_address(uint8_t address[16], const char *text)
{
    struct prefix prefix;
    struct fault fault;
    assert_int_equal(prefix_parse(text, &prefix, &fault), 0);
    memcpy(address, prefix.address, 16);
}

static uint32_t watch_of(const char *address)
{
    static const char *const heads[WATCHES] = {"192.0.2.", "198.51.100.", "203.0.113.", "10."};
    for (uint32_t i = 0; i < WATCHES; i++)
        if (strncmp(address, heads[i], strlen(heads[i])) == 0)
            return i;
    return WATCHLIST_NONE;
}

static struct packet packet_of(int64_t time_ns, const char *from, const char *to, uint8_t protocol,
                               uint8_t flags)
{
    struct packet packet = {.time_ns = time_ns,
                            .is_ip = true,
                            .ip_bytes = 100,
                            .has_transport = true,
                            .tcp_flags = flags,
                            .tuple = {.protocol = protocol}};
    put_address(packet.tuple.source, from);
    put_address(packet.tuple.destination, to);
    return packet;
}

/* A flow as the worker begins it: `source` sent the first packet; the server is the watched end. */
static struct flow flow_of(const char *source, const char *destination)
{
    struct flow flow = {.watch = {watch_of(source), watch_of(destination)},
                        .service_by_address = SCOPE_NONE,
                        .service_by_name = SCOPE_NONE};
    put_address(flow.address[0], source);
    put_address(flow.address[1], destination);
    for (int i = 0; i < 2; i++) {
        flow.watched[i] = flow.watch[i] != WATCHLIST_NONE;
    }
    flow.server = flow.watched[1] ? 1 : 0;
    return flow;
}

/* A packet of the flow, as the worker counts it. */
static void send_of(struct flow *flow, unsigned side, int64_t time_ns, uint8_t flags)
{
    struct packet packet = {.time_ns = time_ns,
                            .is_ip = true,
                            .ip_bytes = 100,
                            .has_transport = true,
                            .tcp_flags = flags,
                            .tuple = {.protocol = TCP}};
    memcpy(packet.tuple.source, flow->address[side], 16);
    memcpy(packet.tuple.destination, flow->address[!side], 16);
    const uint32_t watch[2] = {flow->watch[side], flow->watch[!side]};
    bool started = flow->end[0].packets + flow->end[1].packets == 0;
    flow->end[side].packets++;
    flow->end[side].bytes += packet.ip_bytes;
    flow->spoke[side] = true;
    count_flow(count, &packet, flow, side, started);
    count_packet(count, &packet, watch, flow, side);
}

static void assert_counts(unsigned scope, enum tally_measure measure, uint64_t wanted)
{
    const struct tally *tallies = count_close(count, T0 + 5 * S, 0, 0);
    if (tallies[scope].value[measure] != wanted)
        fail_msg("%s: measure %d is %llu, not %llu", scope_items[scope].text, measure,
                 (unsigned long long)tallies[scope].value[measure], (unsigned long long)wanted);
}

static void test_a_new_interval_is_all_zeros_and_as_known_as_it_can_be(void **state)
{
    (void)state;
    count_open(count, T0, true, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops));
    const struct tally *tallies = count_close(count, T0 + 5 * S, 0, 0);
    for (int i = 0; i < SCOPES; i++) {
        assert_int_equal(tallies[i].start_ns, T0);
        assert_int_equal(tallies[i].end_ns, T0 + 5 * S);
        uint64_t old = (TALLY_BIT(TALLY_handshakes) - 1) & ~TALLY_BIT(TALLY_drops);
        assert_int_equal(tallies[i].known & (TALLY_BIT(TALLY_handshakes) - 1), old);
        assert_int_equal(tallies[i].live.first_ns, TIME_NONE);
        assert_int_equal(tallies[i].out.last_ns, TIME_NONE);
        for (int j = 0; j < TALLY__COUNT; j++)
            assert_int_equal(tallies[i].value[j], 0);
    }
}

static void test_drops_are_told_of_every_scope(void **state)
{
    (void)state;
    const struct tally *tallies = count_close(count, T0 + 5 * S, 17, 0);
    for (int i = 0; i < SCOPES; i++)
        assert_int_equal(tallies[i].value[TALLY_drops], 17);
}

static void test_what_is_not_watched_is_the_taps_alone(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0 + S, "8.8.8.8", "9.9.9.9", UDP, 0);
    count_tap(count, &packet);
    packet.time_ns += S;
    packet.ip_bytes = 40;
    count_tap(count, &packet);
    assert_counts(TAP, TALLY_packets_in, 2);
    assert_counts(TAP, TALLY_bytes_in, 140);
    for (unsigned i = 0; i < TAP; i++)
        assert_counts(i, TALLY_packets_in, 0);
    const struct tally *tap = &count_close(count, T0 + 5 * S, 0, 0)[TAP];
    assert_int_equal(tap->in.first_ns, T0 + S);
    assert_int_equal(tap->in.last_ns, T0 + 2 * S);
}

static void test_a_flow_from_its_start_to_its_answer(void **state)
{
    (void)state;
    static const unsigned counted_in[] = {ALL, ONE, PATH_ONE};
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    for (int i = 0; i < 3; i++) {
        assert_counts(counted_in[i], TALLY_flows, 1);
        assert_counts(counted_in[i], TALLY_live_flows, 0);
        assert_counts(counted_in[i], TALLY_answered_flows, 0);
    }
    send_of(&flow, 1, T0 + 2 * S, TCP_SYN | TCP_ACK);
    send_of(&flow, 0, T0 + 3 * S, TCP_ACK);
    send_of(&flow, 1, T0 + 3 * S, TCP_ACK);
    for (int i = 0; i < 3; i++) {
        assert_counts(counted_in[i], TALLY_flows, 1);
        assert_counts(counted_in[i], TALLY_live_flows, 1);
        assert_counts(counted_in[i], TALLY_answered_flows, 1);
        assert_counts(counted_in[i], TALLY_packets_in, 2);
        assert_counts(counted_in[i], TALLY_packets_out, 2);
        assert_counts(counted_in[i], TALLY_bytes_in, 200);
        assert_counts(counted_in[i], TALLY_bytes_out, 200);
        assert_counts(counted_in[i], TALLY_syn_in, 1);
        assert_counts(counted_in[i], TALLY_hosts, 1);
        assert_counts(counted_in[i], TALLY_peers, 1);
    }
    assert_counts(TWO, TALLY_flows, 0);
    const struct tally *all = count_close(count, T0 + 5 * S, 0, 0);
    assert_int_equal(all->live.first_ns, T0 + 2 * S);
    assert_int_equal(all->live.last_ns, T0 + 2 * S);
    assert_int_equal(all->answered.first_ns, T0 + 2 * S);
    assert_int_equal(all->in.first_ns, T0 + S);
    assert_int_equal(all->out.last_ns, T0 + 3 * S);
}

static void test_a_flow_that_the_watched_side_begins_is_live_at_once(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "8.8.8.8");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    assert_counts(ALL, TALLY_flows, 1);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 0);
    assert_counts(ALL, TALLY_syn_in, 0); /* it went out */
    send_of(&flow, 1, T0 + S, TCP_SYN | TCP_ACK);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
}

static void test_live_and_answered_count_in_the_interval_in_which_they_come_true(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    count_open(count, T0 + 60 * S, true, TALLY_ALL_KNOWN);
    send_of(&flow, 1, T0 + 61 * S, TCP_SYN | TCP_ACK);
    assert_counts(ALL, TALLY_flows, 0);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
    count_open(count, T0 + 120 * S, true, TALLY_ALL_KNOWN);
    send_of(&flow, 1, T0 + 121 * S, TCP_ACK);
    assert_counts(ALL, TALLY_live_flows, 0);
    assert_counts(ALL, TALLY_answered_flows, 0);
    assert_counts(ALL, TALLY_packets_out, 1);
}

static void test_a_prefix_that_does_not_count_stays_out_of_all(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "203.0.113.7");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    send_of(&flow, 1, T0 + S, TCP_SYN | TCP_ACK);
    for (enum tally_measure measure = 0; measure < TALLY__COUNT; measure++)
        assert_counts(ALL, measure, 0);
    assert_counts(LEASED, TALLY_flows, 1);
    assert_counts(LEASED, TALLY_live_flows, 1);
    assert_counts(LEASED, TALLY_answered_flows, 1);
    assert_counts(LEASED, TALLY_packets_in, 1);
    assert_counts(LEASED, TALLY_packets_out, 1);
}

static void test_a_prefix_without_a_scope_counts_in_all(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "10.0.0.1");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    assert_counts(ALL, TALLY_flows, 1);
    assert_counts(ALL, TALLY_packets_in, 1);
}

static void test_between_two_watched_addresses_all_counts_once_and_as_out(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "198.51.100.9");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    assert_counts(ALL, TALLY_packets_out, 1);
    assert_counts(ALL, TALLY_packets_in, 0);
    assert_counts(ALL, TALLY_syn_in, 0);
    assert_counts(ONE, TALLY_packets_out, 1);
    assert_counts(ONE, TALLY_packets_in, 0);
    assert_counts(PATH_ONE, TALLY_packets_out, 1);
    assert_counts(TWO, TALLY_packets_in, 1);
    assert_counts(TWO, TALLY_packets_out, 0);
    assert_counts(TWO, TALLY_syn_in, 1);
    send_of(&flow, 1, T0 + 2 * S, TCP_SYN | TCP_ACK);
    assert_counts(ALL, TALLY_packets_out, 2);
    assert_counts(ALL, TALLY_packets_in, 0);
    assert_counts(ONE, TALLY_packets_in, 1);
    assert_counts(TWO, TALLY_packets_out, 1);
    assert_counts(ALL, TALLY_hosts, 2);
}

static void test_a_flow_between_two_watched_addresses_is_one_flow(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "198.51.100.9");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    send_of(&flow, 1, T0 + 2 * S, TCP_SYN | TCP_ACK);
    assert_counts(ALL, TALLY_flows, 1);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_counts(ONE, TALLY_flows, 1);
    assert_counts(ONE, TALLY_live_flows, 1);
    assert_counts(TWO, TALLY_flows, 1);
    assert_counts(TWO, TALLY_live_flows, 1);
    assert_counts(TWO, TALLY_answered_flows, 1);
}

static void test_of_a_leased_and_a_counted_end_only_the_counted_makes_all_live(void **state)
{
    (void)state;
    struct flow flow = flow_of("203.0.113.7", "192.0.2.7");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    assert_counts(LEASED, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_flows, 1);
    assert_counts(ALL, TALLY_live_flows, 0);
    assert_counts(ALL, TALLY_packets_in, 1);
    send_of(&flow, 1, T0 + 2 * S, TCP_SYN | TCP_ACK);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_packets_out, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
}

/* A flow is live once in a scope, also in one that both its ends belong to. */
static void test_a_flow_within_one_prefix_is_live_once(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "192.0.2.9");
    send_of(&flow, 0, T0 + S, TCP_SYN);
    send_of(&flow, 1, T0 + 2 * S, TCP_SYN | TCP_ACK);
    assert_counts(ONE, TALLY_flows, 1);
    assert_counts(ONE, TALLY_answered_flows, 1);
    assert_counts(ONE, TALLY_packets_out, 2);
    assert_counts(ONE, TALLY_packets_in, 2);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_counts(ONE, TALLY_live_flows, 1);
    assert_counts(PATH_ONE, TALLY_live_flows, 1);
}

static void test_hosts_and_peers_are_distinct_within_a_bin(void **state)
{
    (void)state;
    struct flow first = flow_of("8.8.8.8", "192.0.2.7"), second = flow_of("9.9.9.9", "192.0.2.7"),
                third = flow_of("8.8.8.8", "192.0.2.8");
    send_of(&first, 0, T0, TCP_SYN);
    send_of(&first, 1, T0, TCP_ACK);
    send_of(&second, 0, T0, TCP_SYN);
    send_of(&second, 1, T0, TCP_ACK);
    send_of(&third, 0, T0, TCP_SYN); /* 192.0.2.8 says nothing: no host */
    assert_counts(ALL, TALLY_hosts, 1);
    assert_counts(ALL, TALLY_peers, 2);
    /* The bin's next step counts only who is new … */
    count_open(count, T0 + 5 * S, false, TALLY_ALL_KNOWN);
    send_of(&first, 1, T0 + 5 * S, TCP_ACK);
    send_of(&third, 1, T0 + 5 * S, TCP_ACK);
    assert_counts(ALL, TALLY_hosts, 1);
    assert_counts(ALL, TALLY_peers, 0);
    /* … and in the next bin everybody is. */
    count_open(count, T0 + 60 * S, true, TALLY_ALL_KNOWN);
    send_of(&first, 1, T0 + 60 * S, TCP_ACK);
    assert_counts(ALL, TALLY_hosts, 1);
    assert_counts(ALL, TALLY_peers, 1);
    assert_counts(ONE, TALLY_hosts, 1);
}

static void test_addresses_beyond_the_cap_are_counted_as_such(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
        flow.address[0][14] = (uint8_t)(i >> 8);
        flow.address[0][15] = (uint8_t)i;
        send_of(&flow, 0, T0, TCP_SYN);
    }
    assert_true(health.addresses_uncounted > 0);
    assert_counts(ALL, TALLY_flows, 3000); /* the rest is counted all the same */
    /* Forged sources do not hide who lives. */
    struct flow flows[80]; /* their bursts are judged at the interval's end */
    for (unsigned i = 0; i < 80; i++) {
        flows[i] = flow_of("8.8.8.8", "192.0.2.7");
        flows[i].address[1][15] = (uint8_t)(10 + i);
        send_of(&flows[i], 1, T0, TCP_SYN | TCP_ACK);
    }
    assert_counts(ALL, TALLY_hosts, 80);
}

static void test_only_a_bare_syn_is_one(void **state)
{
    (void)state;
    static const uint8_t others[] = {TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, TCP_SYN | TCP_RST, TCP_ACK, 0};
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    for (size_t i = 0; i < sizeof others; i++)
        send_of(&flow, 0, T0, others[i]);
    assert_counts(ALL, TALLY_syn_in, 0);
    send_of(&flow, 0, T0, TCP_SYN);
    send_of(&flow, 0, T0, TCP_SYN | TCP_PSH); /* data with it: fast open */
    send_of(&flow, 0, T0, TCP_SYN);           /* sent again */
    assert_counts(ALL, TALLY_syn_in, 3);
    assert_counts(ALL, TALLY_flows, 1);
}

static void test_a_datagram_is_no_syn_whatever_its_flags_say(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "8.8.8.8", "192.0.2.7", UDP, TCP_SYN);
    const uint32_t watch[2] = {WATCHLIST_NONE, W_ONE};
    count_packet(count, &packet, watch, NULL, 0);
    assert_counts(ALL, TALLY_packets_in, 1);
    assert_counts(ALL, TALLY_syn_in, 0);
}

static void test_a_packet_without_a_flow_counts_as_a_packet(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "192.0.2.7", "8.8.8.8", TCP, 0);
    packet.has_transport = false;
    const uint32_t watch[2] = {W_ONE, WATCHLIST_NONE};
    count_packet(count, &packet, watch, NULL, 0);
    assert_counts(ALL, TALLY_packets_out, 1);
    assert_counts(ALL, TALLY_hosts, 1);
    assert_counts(ALL, TALLY_flows, 0);
    assert_counts(ALL, TALLY_live_flows, 0);
}

static void test_a_service_counts_its_own_end(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    flow.service_by_address = WEB;
    send_of(&flow, 0, T0, TCP_SYN);
    send_of(&flow, 1, T0, TCP_SYN | TCP_ACK);
    send_of(&flow, 0, T0, TCP_ACK);
    assert_counts(WEB, TALLY_flows, 1);
    assert_counts(WEB, TALLY_live_flows, 1);
    assert_counts(WEB, TALLY_answered_flows, 1);
    assert_counts(WEB, TALLY_packets_in, 2);
    assert_counts(WEB, TALLY_packets_out, 1);
    assert_counts(WEB, TALLY_syn_in, 1);
    assert_counts(WEB, TALLY_hosts, 1);
    assert_counts(WEB, TALLY_peers, 1);
    assert_counts(MAIL, TALLY_flows, 0);
    assert_counts(ALL, TALLY_flows, 1);
}

static void test_a_watched_client_of_a_watched_service_does_not_make_it_live(void **state)
{
    (void)state;
    struct flow flow = flow_of("198.51.100.9", "192.0.2.71");
    flow.service_by_address = WEB;
    send_of(&flow, 0, T0, TCP_SYN);
    assert_counts(WEB, TALLY_flows, 1);
    assert_counts(WEB, TALLY_live_flows, 0);
    assert_counts(WEB, TALLY_packets_in, 1);
    assert_counts(WEB, TALLY_packets_out, 0);
    send_of(&flow, 1, T0, TCP_SYN | TCP_ACK);
    assert_counts(WEB, TALLY_live_flows, 1);
    assert_counts(WEB, TALLY_packets_out, 1);
}

static void test_a_name_credits_what_the_flow_has_counted_so_far(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    send_of(&flow, 0, T0, TCP_SYN);
    send_of(&flow, 1, T0, TCP_SYN | TCP_ACK);
    send_of(&flow, 0, T0, TCP_ACK);
    send_of(&flow, 0, T0, TCP_ACK | TCP_PSH);
    assert_counts(MAIL, TALLY_flows, 0);
    flow.service_by_name = MAIL;
    count_named_service(count, &flow, T0);
    assert_counts(MAIL, TALLY_flows, 1);
    assert_counts(MAIL, TALLY_live_flows, 1);
    assert_counts(MAIL, TALLY_answered_flows, 1);
    assert_counts(MAIL, TALLY_packets_in, 3);
    assert_counts(MAIL, TALLY_bytes_in, 300);
    assert_counts(MAIL, TALLY_packets_out, 1);
    assert_counts(MAIL, TALLY_hosts, 1);
    assert_counts(MAIL, TALLY_peers, 1);
    /* From here on it counts like any other, and nothing twice. */
    send_of(&flow, 1, T0, TCP_ACK);
    assert_counts(MAIL, TALLY_packets_out, 2);
    assert_counts(MAIL, TALLY_live_flows, 1);
    assert_counts(ALL, TALLY_packets_in, 3);
}

static void test_a_name_before_the_answer_leaves_the_answer_to_come(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.15");
    send_of(&flow, 0, T0, 0);
    flow.service_by_name = MAIL;
    count_named_service(count, &flow, T0);
    assert_counts(MAIL, TALLY_flows, 1);
    assert_counts(MAIL, TALLY_live_flows, 0);
    assert_counts(MAIL, TALLY_answered_flows, 0);
    assert_counts(MAIL, TALLY_hosts, 0);
    send_of(&flow, 1, T0 + S, 0);
    assert_counts(MAIL, TALLY_live_flows, 1);
    assert_counts(MAIL, TALLY_answered_flows, 1);
}

/* An answered flow of its own, from start to answer in a second. */
static struct flow exchange(const char *source, const char *destination, int64_t time_ns)
{
    struct flow flow = flow_of(source, destination);
    send_of(&flow, 0, time_ns, TCP_SYN);
    send_of(&flow, 1, time_ns + S, TCP_SYN | TCP_ACK);
    count_close(count, T0 + 5 * S, 0, 0); /* the flow learns of its bursts, and is then copied */
    return flow;
}

static void assert_bursts(unsigned scope, uint64_t live, uint64_t answered)
{
    assert_counts(scope, TALLY_live_bursts, live);
    assert_counts(scope, TALLY_answered_bursts, answered);
}

static void test_a_storm_of_retries_is_one_burst_in_every_scope_of_its_flows(void **state)
{
    (void)state;
    static const unsigned counted_in[] = {ALL, ONE, PATH_ONE, WEB};
    struct flow flows[20]; /* their bursts are judged at the interval's end */
    for (int i = 0; i < 20; i++) {
        int64_t at_ns = T0 + i * S / 2;
        flows[i] = flow_of("8.8.8.8", "192.0.2.71");
        flows[i].service_by_address = WEB;
        send_of(&flows[i], 0, at_ns, TCP_SYN);
        send_of(&flows[i], 1, at_ns, TCP_SYN | TCP_ACK);
        send_of(&flows[i], 0, at_ns, TCP_ACK);
        send_of(&flows[i], 1, at_ns, TCP_ACK);
    }
    for (int i = 0; i < 4; i++) {
        assert_counts(counted_in[i], TALLY_live_flows, 20);
        assert_counts(counted_in[i], TALLY_answered_flows, 20);
        assert_bursts(counted_in[i], 1, 1);
    }
    assert_bursts(TWO, 0, 0);
    assert_bursts(MAIL, 0, 0);
    assert_bursts(TAP, 0, 0);
}

static void test_a_burst_goes_on_over_bins(void **state)
{
    (void)state;
    exchange("8.8.8.8", "192.0.2.7", T0 + 50 * S);
    count_open(count, T0 + 60 * S, true, TALLY_ALL_KNOWN);
    exchange("8.8.8.9", "192.0.2.7", T0 + 61 * S);
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_bursts(ALL, 0, 0);
    exchange("8.8.8.8", "192.0.2.7", T0 + 180 * S);
    assert_bursts(ALL, 1, 1);
    exchange("8.8.9.8", "192.0.2.7", T0 + 183 * S); /* somebody else */
    assert_bursts(ALL, 2, 2);
    assert_bursts(ONE, 2, 2);
}

static void test_a_flow_without_an_answer_begins_a_live_burst_only(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "8.8.8.8");
    send_of(&flow, 0, T0, TCP_SYN);
    assert_bursts(ALL, 1, 0);
    exchange("192.0.2.7", "8.8.8.8", T0 + S);
    assert_bursts(ALL, 1, 1);
}

static void test_knocks_in_vain_begin_no_burst(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    send_of(&flow, 0, T0, TCP_SYN);
    assert_bursts(ALL, 0, 0);
    assert_bursts(ONE, 0, 0);
}

static void test_a_leased_prefix_has_bursts_of_its_own(void **state)
{
    (void)state;
    exchange("8.8.8.8", "203.0.113.7", T0);
    assert_bursts(LEASED, 1, 1);
    assert_bursts(ALL, 0, 0);
}

/* Each end is a sign of life of its own, to its own scopes; `all` counts the flow once. */
static void test_between_two_watched_hosts_each_end_has_its_burst(void **state)
{
    (void)state;
    exchange("192.0.2.7", "198.51.100.9", T0);
    assert_counts(ALL, TALLY_live_flows, 1);
    assert_bursts(ALL, 1, 1);
    assert_bursts(ONE, 1, 1);
    assert_bursts(TWO, 1, 1);
    /* A neighbour asks the same server: of that it is the same burst, and life of another host. */
    exchange("192.0.2.8", "198.51.100.9", T0 + S);
    assert_bursts(ONE, 2, 2);
    assert_bursts(TWO, 1, 1);
    assert_bursts(ALL, 2, 2);
}

static void test_a_flow_within_one_prefix_begins_one_burst(void **state)
{
    (void)state;
    exchange("192.0.2.7", "192.0.2.9", T0);
    assert_bursts(ONE, 1, 1);
    assert_bursts(PATH_ONE, 1, 1);
    assert_bursts(ALL, 1, 1);
}

static void test_a_name_credits_the_burst_that_its_flow_began(void **state)
{
    (void)state;
    struct flow first = exchange("8.8.8.8", "192.0.2.71", T0), second = exchange("8.8.8.8", "192.0.2.71", T0);
    first.service_by_name = second.service_by_name = MAIL;
    count_named_service(count, &second, T0 + S);
    assert_counts(MAIL, TALLY_answered_flows, 1);
    assert_bursts(MAIL, 0, 0);
    count_named_service(count, &first, T0 + S);
    assert_counts(MAIL, TALLY_answered_flows, 2);
    assert_bursts(MAIL, 1, 1);
    assert_bursts(ALL, 1, 1);
}

static void test_a_name_that_comes_before_the_burst_is_judged_credits_it_too(void **state)
{
    (void)state;
    struct flow first = flow_of("8.8.8.8", "192.0.2.71"), second = flow_of("8.8.8.8", "192.0.2.71");
    send_of(&first, 0, T0, TCP_SYN);
    send_of(&first, 1, T0, TCP_SYN | TCP_ACK);
    send_of(&second, 0, T0, TCP_SYN);
    send_of(&second, 1, T0, TCP_SYN | TCP_ACK);
    first.service_by_name = second.service_by_name = MAIL;
    count_named_service(count, &second, T0 + S);
    assert_bursts(MAIL, 0, 0);
    assert_true(first.answered_burst >> 1 & 1);
    assert_false(second.answered_burst >> 1 & 1);
    count_named_service(count, &first, T0 + S);
    assert_bursts(MAIL, 1, 1);

    struct flow third = flow_of("8.8.9.8", "192.0.2.71");
    send_of(&third, 0, T0, TCP_SYN);
    send_of(&third, 1, T0, TCP_SYN | TCP_ACK);
    third.service_by_name = MAIL;
    count_named_service(count, &third, T0 + S);
    assert_bursts(MAIL, 2, 2);
    assert_bursts(ALL, 2, 2);
}

static void test_a_flow_that_ends_before_its_burst_is_judged_counts_all_the_same(void **state)
{
    (void)state;
    struct flow *flow = malloc(sizeof *flow);
    assert_non_null(flow);
    *flow = flow_of("8.8.8.8", "192.0.2.7");
    flow->start_ns = flow->last_ns = T0;
    send_of(flow, 1, T0, TCP_SYN);
    count_flow_ended(count, flow);
    free(flow);
    assert_bursts(ALL, 1, 0);
}

static void test_an_icmp_error_counts_for_the_destination_that_it_quotes(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "8.8.8.8", "9.9.9.9", 1, 0);
    packet.icmp_error = packet.has_quoted = true;
    put_address(packet.quoted.destination, "192.0.2.7");
    count_icmp_error(count, &packet, W_ONE, false);
    assert_counts(ALL, TALLY_icmp_errors, 1);
    assert_counts(ONE, TALLY_icmp_errors, 1);
    assert_counts(PATH_ONE, TALLY_icmp_errors, 1);
    assert_counts(TWO, TALLY_icmp_errors, 0);
    assert_counts(TAP, TALLY_icmp_errors, 0);
    assert_counts(ALL, TALLY_packets_in, 0); /* evidence about a flow, and no packet of it */
    put_address(packet.quoted.destination, "203.0.113.7");
    count_icmp_error(count, &packet, W_LEASED, false);
    assert_counts(ALL, TALLY_icmp_errors, 1);
    assert_counts(LEASED, TALLY_icmp_errors, 1);
}

static bool knows(unsigned scope, enum tally_measure measure)
{
    return (count_close(count, T0 + 5 * S, 0, 0)[scope].known & TALLY_BIT(measure)) != 0;
}

static void test_a_scope_knows_what_can_be_known_of_it(void **state)
{
    (void)state;
    static const unsigned with_control[] = {PATH_VLAN_7, TAP};
    for (unsigned i = 0; i < SCOPES; i++) {
        assert_int_equal(knows(i, TALLY_control), i == with_control[0] || i == with_control[1]);
        assert_int_equal(knows(i, TALLY_handshakes), i != TAP);
        assert_int_equal(knows(i, TALLY_oneway_out), i != TAP);
        assert_int_equal(knows(i, TALLY_icmp_unreachable), i != TAP && i != WEB && i != MAIL);
        assert_int_equal(knows(i, TALLY_icmp_own), i != TAP && i != WEB && i != MAIL);
        assert_int_equal(knows(i, TALLY_icmp_no_route), i != TAP && i != WEB && i != MAIL);
        for (enum tally_measure measure = TALLY_proven_flows; measure <= TALLY_proven_bursts; measure++)
            assert_int_equal(knows(i, measure), i != TAP);
        assert_int_equal(knows(i, TALLY_knocks), i != TAP);
    }
    count_open(count, T0, true, 0);
    for (unsigned i = 0; i < SCOPES; i++)
        assert_int_equal(count_close(count, T0 + 5 * S, 0, 0)[i].known, 0);
}

/* A packet of the flow that tells `news`. */
static void send_news(struct flow *flow, unsigned side, int64_t time_ns, unsigned news)
{
    flow->tcp.news = (uint8_t)news;
    send_of(flow, side, time_ns, TCP_ACK);
    flow->tcp.news = 0;
}

static void test_a_round_trip_counts_for_the_watched_side_that_answers(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    send_of(&flow, 0, T0, TCP_SYN);
    flow.tcp.side[1].round_trip_us = 282000;
    send_news(&flow, 1, T0 + S, TCP_ANSWER);
    send_news(&flow, 0, T0 + S, TCP_ANSWER); /* of a side that is not watched */
    static const unsigned counted_in[] = {ALL, ONE, PATH_ONE};
    for (int i = 0; i < 3; i++) {
        assert_counts(counted_in[i], TALLY_handshakes, 1);
        assert_counts(counted_in[i], TALLY_handshake_us, 282000);
    }
    struct flow within = flow_of("192.0.2.7", "198.51.100.7");
    send_of(&within, 0, T0, TCP_SYN);
    within.tcp.side[1].round_trip_us = 10;
    within.tcp.side[0].round_trip_us = 400;
    send_news(&within, 1, T0, TCP_ANSWER);
    send_news(&within, 0, T0, TCP_ANSWER);
    assert_counts(TWO, TALLY_handshake_us, 10);
    assert_counts(ONE, TALLY_handshake_us, 282400);
    assert_counts(ALL, TALLY_handshake_us, 282410);
    assert_counts(ALL, TALLY_handshakes, 3);
}

static void test_the_hops_are_those_of_the_watched_sides_latest_packet(void **state)
{
    (void)state;
    static const struct {
        uint8_t ttl;
        unsigned hops;
    } known[] = {{0, 32},  {1, 31},   {32, 0},  {33, 31},   {44, 20},  {64, 0},
                 {65, 63}, {108, 20}, {128, 0}, {129, 126}, {235, 20}, {255, 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        count_open(count, T0, true, TALLY_ALL_KNOWN);
        struct flow flow = flow_of("192.0.2.7", "8.8.8.8");
        flow.end[0].ttl = known[i].ttl;
        flow.end[1].ttl = 50;
        send_of(&flow, 0, T0, 0);
        assert_counts(ALL, TALLY_answered_hops, 0);
        send_of(&flow, 1, T0, 0);
        send_of(&flow, 0, T0, 0);
        assert_counts(ALL, TALLY_answered_hops, known[i].hops);
        assert_counts(ONE, TALLY_answered_hops, known[i].hops);
    }
}

static void test_between_two_watched_hosts_each_has_its_hops_and_all_those_of_the_server(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "198.51.100.7");
    flow.end[0].ttl = 60;
    flow.end[1].ttl = 120;
    send_of(&flow, 0, T0, 0);
    send_of(&flow, 1, T0, 0);
    assert_counts(ONE, TALLY_answered_hops, 4);
    assert_counts(TWO, TALLY_answered_hops, 8);
    assert_counts(ALL, TALLY_answered_hops, 8);
}

static void test_repeats_and_unseen_words_count_by_direction(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    flow.service_by_address = WEB;
    send_news(&flow, 0, T0, TCP_RETRANSMIT);
    send_news(&flow, 0, T0, TCP_RETRANSMIT | TCP_UNSEEN_ACK);
    send_news(&flow, 1, T0, TCP_RETRANSMIT);
    send_news(&flow, 1, T0, TCP_UNSEEN_ACK);
    send_news(&flow, 1, T0, 0);
    static const unsigned counted_in[] = {ALL, ONE, PATH_ONE, WEB};
    for (int i = 0; i < 4; i++) {
        assert_counts(counted_in[i], TALLY_retransmits_in, 2);
        assert_counts(counted_in[i], TALLY_retransmits_out, 1);
        assert_counts(counted_in[i], TALLY_unseen_acks_in, 1);
        assert_counts(counted_in[i], TALLY_unseen_acks_out, 1);
    }
    assert_counts(TWO, TALLY_retransmits_in, 0);
}

static void test_a_flow_is_acked_once_by_the_outside_alone(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.7");
    send_news(&flow, 1, T0, TCP_PROOF); /* the watched side's own word proves nothing of it */
    assert_counts(ALL, TALLY_acked_flows, 0);
    send_news(&flow, 0, T0, TCP_PROOF);
    send_news(&flow, 0, T0, TCP_PROOF);
    assert_counts(ALL, TALLY_acked_flows, 1);
    assert_counts(ONE, TALLY_acked_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
}

/* A UDP packet; whoever has not spoken is not heard. */
static void send_udp(struct flow *flow, unsigned side, uint16_t from_port)
{
    flow->protocol = UDP;
    flow->end[side].port = from_port;
    send_of(flow, side, T0, 0);
}

static void test_answers_that_nobody_asked_for_are_reflected(void **state)
{
    (void)state;
    static const uint16_t reflecting[] = {17,  19,  53,   111,  123,  137,  161,   389,
                                          427, 520, 1900, 3283, 3702, 5353, 10001, 11211};
    for (size_t i = 0; i < sizeof reflecting / sizeof reflecting[0]; i++) {
        struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
        send_udp(&flow, 0, reflecting[i]);
        assert_counts(ALL, TALLY_reflected_in, i + 1);
    }
    struct flow other = flow_of("8.8.8.8", "192.0.2.71"), asked = flow_of("192.0.2.71", "8.8.8.8");
    send_udp(&other, 0, 40000);
    send_udp(&asked, 0, 40000);
    send_udp(&asked, 1, 53);
    assert_counts(ALL, TALLY_reflected_in, 16);
    assert_counts(ONE, TALLY_reflected_in, 16);
    other = flow_of("8.8.8.8", "192.0.2.71");
    other.end[0].port = 53;
    send_of(&other, 0, T0, TCP_SYN); /* not UDP */
    assert_counts(ALL, TALLY_reflected_in, 16);
}

static void test_what_the_watched_side_sends_to_nobody_heard_is_one_way(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.71", "8.8.8.8");
    send_udp(&flow, 0, 40000);
    send_udp(&flow, 0, 40000);
    assert_counts(ALL, TALLY_oneway_out, 2);
    send_udp(&flow, 1, 3283);
    send_udp(&flow, 0, 40000);
    assert_counts(ALL, TALLY_oneway_out, 2);
    assert_counts(ONE, TALLY_oneway_out, 2);
    assert_counts(ALL, TALLY_packets_out, 3);
    struct flow knock = flow_of("8.8.8.8", "192.0.2.71");
    send_udp(&knock, 0, 40000);
    assert_counts(ALL, TALLY_oneway_out, 2);
}

/* ---- knocks and proofs ---- */

static const unsigned counted_for_one[] = {ALL, ONE, PATH_ONE};

static void assert_proven(unsigned scope, uint64_t flows, uint64_t bursts, uint64_t knocks)
{
    assert_counts(scope, TALLY_proven_flows, flows);
    assert_counts(scope, TALLY_proven_bursts, bursts);
    assert_counts(scope, TALLY_knocks, knocks);
}

static void assert_proven_for_one(uint64_t flows, uint64_t knocks)
{
    for (int i = 0; i < 3; i++)
        assert_proven(counted_for_one[i], flows, flows > 0, knocks);
}

static void test_who_answers_a_question_from_outside_is_proven_to_live_once(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    flow.end[1].port = 53;
    send_udp(&flow, 0, 40000);
    assert_proven_for_one(0, 1);
    send_udp(&flow, 0, 40000);
    send_udp(&flow, 1, 53);
    assert_proven_for_one(1, 1);
    send_udp(&flow, 1, 53);
    send_udp(&flow, 0, 40000);
    send_udp(&flow, 1, 53);
    assert_proven_for_one(1, 1);
    const struct tally *all = &count_close(count, T0 + 5 * S, 0, 0)[ALL];
    assert_int_equal(all->proven.first_ns, T0);
    assert_int_equal(all->proven.last_ns, T0);
    assert_proven(TWO, 0, 0, 0);
}

static void test_what_a_watched_address_begins_without_connections_proves_nothing(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.71", "8.8.8.8"); /* or one who forges it */
    for (int i = 0; i < 3; i++) {
        send_udp(&flow, 0, 40000);
        send_udp(&flow, 1, 3283);
    }
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_proven_for_one(0, 0);
}

/* The request may have been missed: then the flow begins with the reflector's answer, and the next forged
 * request looks like an answer to it. */
static void test_a_reflectors_answer_is_no_question(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    send_udp(&flow, 0, 3283);
    send_udp(&flow, 1, 80);
    assert_counts(ALL, TALLY_flows, 1);
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_proven_for_one(0, 0);
}

static void send_ping(struct flow *flow, unsigned side, uint8_t protocol, uint8_t type)
{
    struct packet packet = {.time_ns = T0,
                            .is_ip = true,
                            .has_transport = true,
                            .icmp_type = type,
                            .tuple = {.protocol = protocol}};
    bool started = flow->end[0].packets + flow->end[1].packets == 0;
    flow->protocol = protocol;
    flow->family = flow_icmp_family(protocol, type);
    flow->end[side].packets++;
    flow->spoke[side] = true;
    count_flow(count, &packet, flow, side, started);
}

static void test_a_ping_from_outside_is_a_question_and_its_answer_alone_is_none(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {1, 58}, requests[] = {8, 128}, replies[] = {0, 129};
    for (int i = 0; i < 2; i++) {
        count_open(count, T0, true, TALLY_ALL_KNOWN);
        struct flow pinged = flow_of("8.8.8.8", "192.0.2.7"), pings = flow_of("192.0.2.7", "8.8.8.8"),
                    reflected = flow_of("8.8.8.8", "192.0.2.7");
        send_ping(&reflected, 0, protocols[i], replies[i]);
        send_ping(&reflected, 1, protocols[i], requests[i]);
        send_ping(&pings, 0, protocols[i], requests[i]);
        send_ping(&pings, 1, protocols[i], replies[i]);
        assert_counts(ALL, TALLY_answered_flows, 2);
        assert_proven(ALL, 0, 0, 0);
        send_ping(&pinged, 0, protocols[i], requests[i]);
        send_ping(&pinged, 1, protocols[i], replies[i]);
        assert_counts(ALL, TALLY_proven_flows, 1);
        assert_counts(ALL, TALLY_knocks, 1);
    }
}

/* A TCP packet that tells `news`. */
static void send_tcp(struct flow *flow, unsigned side, uint8_t flags, unsigned news)
{
    flow->protocol = TCP;
    flow->tcp.news = (uint8_t)news;
    send_of(flow, side, T0, flags);
}

static void test_over_tcp_it_takes_the_right_number_whoever_began(void **state)
{
    (void)state;
    struct flow in = flow_of("8.8.8.8", "192.0.2.71"), out = flow_of("192.0.2.71", "8.8.8.8"),
                forged = flow_of("192.0.2.71", "9.9.9.9");
    send_tcp(&forged, 0, TCP_SYN, 0);
    send_tcp(&forged, 1, TCP_SYN | TCP_ACK, TCP_HEARD | TCP_ANSWER); /* the outside hears, and answers */
    send_tcp(&forged, 0, TCP_RST, 0);
    send_tcp(&forged, 0, TCP_ACK, TCP_PROOF);
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_proven_for_one(0, 0);
    send_tcp(&in, 0, TCP_SYN, 0);
    send_tcp(&in, 1, TCP_ACK, 0);
    assert_proven_for_one(0, 1);
    send_tcp(&in, 1, TCP_SYN | TCP_ACK, TCP_HEARD);
    send_tcp(&in, 1, TCP_ACK, TCP_HEARD);
    assert_proven_for_one(1, 1);
    send_tcp(&out, 0, TCP_SYN, 0);
    send_tcp(&out, 1, TCP_SYN | TCP_ACK, TCP_HEARD);
    assert_counts(ALL, TALLY_proven_flows, 1);
    send_tcp(&out, 0, TCP_ACK, TCP_HEARD);
    assert_counts(ALL, TALLY_proven_flows, 2);
    assert_counts(ALL, TALLY_knocks, 1);
}

static void test_a_reset_or_an_answer_to_a_syn_is_no_knock(void **state)
{
    (void)state;
    struct flow reset = flow_of("8.8.8.8", "192.0.2.71"), answer = flow_of("192.0.2.71", "8.8.8.8"),
                under_way = flow_of("8.8.8.8", "192.0.2.71");
    send_tcp(&reset, 0, TCP_RST | TCP_ACK, 0);
    answer.first = 1; /* a SYN-ACK: the source is who sent the SYN */
    send_tcp(&answer, 1, TCP_SYN | TCP_ACK, 0);
    assert_counts(ALL, TALLY_flows, 2);
    assert_counts(ALL, TALLY_knocks, 0);
    send_tcp(&under_way, 0, TCP_ACK, 0);
    assert_counts(ALL, TALLY_knocks, 1);
}

static void test_where_the_outside_is_not_heard_answers_prove_and_questions_do_not(void **state)
{
    (void)state;
    struct flow syn = flow_of("192.0.2.71", "8.8.8.8"), asks = syn, hidden = syn, pings = syn;
    send_tcp(&syn, 0, TCP_SYN, 0);
    send_tcp(&syn, 0, TCP_ACK, 0);
    send_udp(&asks, 0, 40000);
    hidden.end[1].port = 3283; /* from a service's port to another's: a reflector is to answer that service */
    send_udp(&hidden, 0, 53);
    send_ping(&pings, 0, 1, 8);
    assert_counts(ALL, TALLY_live_flows, 4);
    assert_proven_for_one(0, 0);
    send_tcp(&syn, 0, TCP_ACK, TCP_PROOF); /* its acknowledgements rise */
    assert_counts(ALL, TALLY_proven_flows, 1);
    struct flow accepts = flow_of("8.8.8.8", "192.0.2.71"), answers = flow_of("192.0.2.71", "8.8.8.8"),
                pinged = answers;
    accepts.first = 1;
    send_tcp(&accepts, 1, TCP_SYN | TCP_ACK, 0);
    assert_counts(ALL, TALLY_proven_flows, 2);
    answers.end[1].port = 40000;
    send_udp(&answers, 0, 53);
    assert_counts(ALL, TALLY_proven_flows, 3);
    send_ping(&pinged, 0, 1, 0);
    assert_counts(ALL, TALLY_proven_flows, 4);
    assert_counts(ALL, TALLY_knocks, 0);
    assert_counts(ALL, TALLY_answered_flows, 0);
}

static void test_once_the_outside_is_heard_the_form_proves_nothing(void **state)
{
    (void)state;
    struct flow reflected = flow_of("8.8.8.8", "192.0.2.71"), accepts = flow_of("8.8.8.8", "192.0.2.71");
    send_udp(&reflected, 0, 3283);
    send_udp(&reflected, 1, 53);
    accepts.first = 1;
    send_tcp(&accepts, 0, TCP_ACK, 0);
    send_tcp(&accepts, 1, TCP_SYN | TCP_ACK, 0);
    assert_counts(ALL, TALLY_answered_flows, 2);
    assert_counts(ALL, TALLY_proven_flows, 0);
}

/* A laboratory that uses watched addresses for itself, say. */
static void test_between_two_ends_of_one_scope_nobody_knocks_and_nothing_is_proven(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.1", "192.0.2.2");
    send_tcp(&flow, 0, TCP_SYN, 0);
    send_tcp(&flow, 1, TCP_SYN | TCP_ACK, TCP_HEARD);
    send_tcp(&flow, 0, TCP_ACK, TCP_HEARD);
    assert_counts(ALL, TALLY_answered_flows, 1);
    assert_proven_for_one(0, 0);
}

static void test_one_watched_prefix_is_outside_of_another_but_not_of_all(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.7", "198.51.100.9");
    send_tcp(&flow, 0, TCP_SYN, 0);
    send_tcp(&flow, 1, TCP_SYN | TCP_ACK, TCP_HEARD);
    assert_proven(TWO, 1, 1, 1);
    assert_proven(ONE, 0, 0, 0);
    send_tcp(&flow, 0, TCP_ACK, TCP_HEARD);
    assert_proven(TWO, 1, 1, 1);
    assert_proven(ONE, 1, 1, 0);
    assert_proven(ALL, 0, 0, 0);
    struct flow leased = flow_of("203.0.113.7", "192.0.2.7");
    send_udp(&leased, 0, 40000);
    send_udp(&leased, 1, 53);
    assert_proven(ALL, 1, 1, 1); /* what does not count is outside of all */
    assert_proven(LEASED, 0, 0, 0);
}

static void test_proofs_have_bursts_of_their_own(void **state)
{
    (void)state;
    struct flow flows[5];
    for (int i = 0; i < 5; i++) {
        flows[i] = flow_of("8.8.8.8", "192.0.2.71");
        send_tcp(&flows[i], 0, TCP_SYN, 0);
        send_tcp(&flows[i], 1, TCP_SYN | TCP_ACK, i > 0 ? TCP_HEARD : 0);
    }
    assert_bursts(ALL, 1, 1);
    assert_proven(ALL, 4, 1, 5);
}

static void test_a_name_credits_knocks_and_proofs_too(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71"), outward = flow_of("192.0.2.71", "8.8.8.8");
    send_tcp(&flow, 0, TCP_SYN, 0);
    flow.service_by_name = MAIL;
    count_named_service(count, &flow, T0);
    assert_proven(MAIL, 0, 0, 1);
    send_tcp(&flow, 1, TCP_SYN | TCP_ACK, TCP_HEARD);
    assert_proven(MAIL, 1, 1, 1);
    flow.service_by_name = WEB;
    count_named_service(count, &flow, T0);
    assert_proven(WEB, 1, 1, 1);
    send_tcp(&outward, 0, TCP_SYN, 0);
    outward.service_by_name = WEB;
    count_named_service(count, &outward, T0);
    assert_proven(WEB, 1, 1, 1);
}

static void test_a_name_credits_what_the_flow_has_proved_so_far(void **state)
{
    (void)state;
    struct flow flow = flow_of("8.8.8.8", "192.0.2.71");
    flow.first = 0;
    flow.end[1].ttl = 108;
    flow.tcp.side[1] =
        (struct tcp_side){.known = TCP_TIMED, .round_trip_us = 250000, .retransmits = 2, .unseen_acks = 1};
    flow.tcp.side[0] = (struct tcp_side){.retransmits = 3, .unseen_acks = 4};
    send_of(&flow, 0, T0, TCP_SYN);
    send_of(&flow, 1, T0, TCP_SYN | TCP_ACK);
    send_news(&flow, 0, T0, TCP_PROOF);
    flow.service_by_name = MAIL;
    count_named_service(count, &flow, T0);
    assert_counts(MAIL, TALLY_handshakes, 1);
    assert_counts(MAIL, TALLY_handshake_us, 250000);
    assert_counts(MAIL, TALLY_answered_hops, 20);
    assert_counts(MAIL, TALLY_acked_flows, 1);
    assert_counts(MAIL, TALLY_retransmits_out, 2);
    assert_counts(MAIL, TALLY_retransmits_in, 3);
    assert_counts(MAIL, TALLY_unseen_acks_out, 1);
    assert_counts(MAIL, TALLY_unseen_acks_in, 4);
    assert_counts(MAIL, TALLY_oneway_out, 0);

    struct flow reflected = flow_of("8.8.8.8", "192.0.2.71"), alone = flow_of("8.8.8.8", "192.0.2.71");
    reflected.packets_alone = 5;
    reflected.service_by_name = alone.service_by_name = MAIL;
    reflected.protocol = UDP;
    reflected.end[0].port = 53;
    count_named_service(count, &reflected, T0);
    assert_counts(MAIL, TALLY_reflected_in, 5);
    alone.first = 1; /* its SYN-ACK was the first that was seen */
    alone.packets_alone = 2;
    count_named_service(count, &alone, T0);
    assert_counts(MAIL, TALLY_oneway_out, 2);
    assert_counts(MAIL, TALLY_handshakes, 1);
}

/* An ICMP error from a router about a packet to 192.0.2.7. */
static void send_error(const char *from, uint8_t version, uint8_t type, uint8_t code, bool own)
{
    struct packet packet = packet_of(T0, from, "9.9.9.9", 1, 0);
    packet.icmp_error = packet.has_quoted = true;
    packet.ip_version = version;
    packet.icmp_type = type;
    packet.icmp_code = code;
    put_address(packet.quoted.destination, "192.0.2.7");
    count_icmp_error(count, &packet, W_ONE, own);
}

static void test_icmp_errors_are_told_apart_by_kind(void **state)
{
    (void)state;
    static const struct {
        uint8_t version, type;
        const char *unreachable, *prohibited, *exceeded; /* a letter a code, A is 0 */
    } kinds[] = {{4, 3, "ABFGHILM", "JKN", ""},
                 {4, 11, "", "", "A"},
                 {4, 4, "", "", ""},
                 {4, 12, "", "", ""},
                 {4, 1, "", "", ""},
                 {6, 1, "AD", "BFG", ""},
                 {6, 3, "", "", "A"},
                 {6, 2, "", "", ""},
                 {6, 4, "", "", ""},
                 {6, 11, "", "", ""}};
    unsigned errors = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        count_open(count, T0, true, TALLY_ALL_KNOWN);
        errors = 0;
        for (int code = 0; code < 18; code++, errors++)
            send_error("8.8.8.8", kinds[i].version, kinds[i].type, (uint8_t)code, false);
        assert_counts(ONE, TALLY_icmp_unreachable, strlen(kinds[i].unreachable));
        assert_counts(ONE, TALLY_icmp_prohibited, strlen(kinds[i].prohibited));
        assert_counts(ONE, TALLY_icmp_exceeded, strlen(kinds[i].exceeded));
        assert_counts(ONE, TALLY_icmp_errors, errors);
        assert_counts(ONE, TALLY_icmp_own, 0);
        for (int code = 0; code < 18; code++) {
            uint64_t before = count_close(count, T0 + 5 * S, 0, 0)[ALL].value[TALLY_icmp_unreachable];
            send_error("8.8.8.8", kinds[i].version, kinds[i].type, (uint8_t)code, false);
            assert_counts(ALL, TALLY_icmp_unreachable,
                          before + (strchr(kinds[i].unreachable, 'A' + code) != NULL));
        }
    }
}

static void test_that_no_way_leads_to_a_network_is_told_apart(void **state)
{
    (void)state;
    for (int code = 0; code < 18; code++) {
        uint64_t before = count_close(count, T0, 0, 0)[ALL].value[TALLY_icmp_no_route];
        send_error("203.0.114.1", 4, 3, (uint8_t)code, false);
        assert_counts(ALL, TALLY_icmp_no_route, before + (strchr("AFGL", 'A' + code) != NULL));
        assert_counts(PATH_ONE, TALLY_icmp_no_route, before + (strchr("AFGL", 'A' + code) != NULL));
        send_error("203.0.114.1", 4, 11, (uint8_t)code, false);
        send_error("192.0.2.9", 4, 3, (uint8_t)code, true); /* a watched router's own */
    }
    assert_counts(ALL, TALLY_icmp_no_route, 4);
    for (int code = 0; code < 7; code++)
        send_error("8.8.8.8", 6, 1, (uint8_t)code, false);
    assert_counts(ALL, TALLY_icmp_no_route, 5);
}

static void test_errors_of_watched_hosts_are_their_own_whatever_the_kind(void **state)
{
    (void)state;
    send_error("192.0.2.9", 4, 3, 1, true);
    send_error("192.0.2.7", 4, 3, 3, true);
    send_error("192.0.2.7", 4, 11, 0, true);
    assert_counts(ALL, TALLY_icmp_own, 3);
    assert_counts(ALL, TALLY_icmp_errors, 3);
    assert_counts(ALL, TALLY_icmp_unreachable, 0);
    assert_counts(ALL, TALLY_icmp_exceeded, 0);
    assert_int_equal(reporter_rank(count_close(count, T0, 0, 0)[ALL].reporter), 0);
}

static void test_reporting_routers_are_named_in_every_scope_of_what_they_quote(void **state)
{
    (void)state;
    static const unsigned counted_in[] = {ALL, ONE, PATH_ONE};
    uint8_t address[16];
    put_address(address, "203.0.114.9");
    send_error("203.0.114.9", 4, 3, 0, false);
    send_error("203.0.114.9", 4, 3, 13, false);
    send_error("203.0.114.9", 4, 3, 3, false); /* says nothing of the way */
    send_error("203.0.114.8", 4, 11, 0, false);
    for (int i = 0; i < 3; i++) {
        const struct tally_reporter *first = count_close(count, T0, 0, 0)[counted_in[i]].reporter;
        assert_memory_equal(first->address, address, 16);
        assert_int_equal(first->unreachable, 1);
        assert_int_equal(first->prohibited, 1);
        assert_int_equal(first->exceeded, 0);
        assert_int_equal(first[1].exceeded, 1);
        assert_int_equal(reporter_rank(&first[2]), 0);
    }
    assert_int_equal(reporter_rank(count_close(count, T0, 0, 0)[TWO].reporter), 0);
}

static void test_what_a_known_router_reports_counts_in_its_path_too_and_once(void **state)
{
    (void)state;
    send_error("203.0.114.1", 4, 3, 1, false); /* on the path of the prefix anyway */
    assert_counts(PATH_ONE, TALLY_icmp_unreachable, 1);
    assert_counts(PATH_VLAN_7, TALLY_icmp_unreachable, 0);
    send_error("203.0.114.2", 4, 11, 0, false);
    assert_counts(PATH_VLAN_7, TALLY_icmp_exceeded, 1);
    assert_counts(PATH_VLAN_7, TALLY_icmp_errors, 0); /* of packets that crossed the path */
    assert_counts(PATH_ONE, TALLY_icmp_exceeded, 1);
    assert_counts(ALL, TALLY_icmp_exceeded, 1);
    assert_int_equal(count_close(count, T0, 0, 0)[PATH_VLAN_7].reporter[0].exceeded, 1);
}

static void test_what_is_not_watched_is_the_control_of_the_path_that_it_crossed(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "8.8.8.8", "9.9.9.9", UDP, 0);
    count_tap(count, &packet);
    packet.vlan_count = 1;
    packet.vlans[0] = 7;
    count_tap(count, &packet);
    count_tap(count, &packet);
    packet.is_ip = false; /* nor what could not be read beyond its tag */
    count_tap(count, &packet);
    assert_counts(TAP, TALLY_control, 4);
    assert_counts(TAP, TALLY_packets_in, 4);
    assert_counts(PATH_VLAN_7, TALLY_control, 3);
    assert_counts(PATH_ONE, TALLY_control, 0);
    const struct tally *tallies = count_close(count, T0, 0, 0);
    assert_int_equal(tallies[TAP].leg[0], 1);
    assert_int_equal(tallies[TAP].leg[1], 3);
    assert_int_equal(tallies[PATH_VLAN_7].leg[1], 0);
    assert_int_equal(tallies[PATH_VLAN_7].value[TALLY_packets_in], 0);
}

static void test_routers_words_about_the_watched_side_are_no_control_of_a_leg(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "8.8.8.8", "9.9.9.9", 1, 0);
    count_tap(count, &packet);
    count_tap(count, &packet);
    count_no_control(count, &packet);
    assert_counts(TAP, TALLY_packets_in, 2);
    assert_int_equal(count_close(count, T0, 0, 0)[TAP].leg[0], 1);
}

static void test_a_scope_says_by_which_legs_its_packets_came(void **state)
{
    (void)state;
    struct packet packet = packet_of(T0, "8.8.8.8", "9.9.9.9", UDP, 0);
    count_tap(count, &packet); /* leg 0 */
    struct packet in = packet_of(T0, "8.8.8.8", "192.0.2.7", UDP, 0);
    struct packet out = packet_of(T0, "192.0.2.7", "8.8.8.8", UDP, 0);
    static const uint32_t in_watch[2] = {WATCHLIST_NONE, W_ONE}, out_watch[2] = {W_ONE, WATCHLIST_NONE};
    in.vlan_count = out.vlan_count = 1;
    in.vlans[0] = 8;
    out.vlans[0] = 9;
    count_packet(count, &in, in_watch, NULL, 0);
    count_packet(count, &out, out_watch, NULL, 0);
    in.vlan_count = 0;
    count_packet(count, &in, in_watch, NULL, 0);
    const struct tally *tallies = count_close(count, T0, 0, 0);
    for (int i = ALL; i <= ONE; i++) {
        assert_int_equal(tallies[i].legs_in, 1 | 2);
        assert_int_equal(tallies[i].legs_out, 4);
    }
    assert_int_equal(tallies[TWO].legs_in | tallies[TWO].legs_out, 0);
    count_open(count, T0 + 5 * S, false, TALLY_ALL_KNOWN);
    assert_int_equal(count_close(count, T0 + 10 * S, 0, 0)[ALL].legs_in, 0);
}

/* Exchanges a millisecond apart with `peers` networks in turn, each a flow that is answered at once. To be
 * freed when the bursts have been judged, of which flows learn. */
static struct flow *exchange_much(unsigned exchanges, unsigned peers)
{
    struct flow *flows = calloc(exchanges, sizeof *flows);
    assert_non_null(flows);
    for (unsigned i = 0; i < exchanges; i++) {
        flows[i] = flow_of("8.0.0.1", "192.0.2.7");
        flows[i].address[0][13] = (uint8_t)(i % peers >> 8);
        flows[i].address[0][14] = (uint8_t)(i % peers);
        send_of(&flows[i], 0, T0 + i * S / 1000, TCP_SYN);
        send_of(&flows[i], 1, T0 + i * S / 1000, TCP_SYN | TCP_ACK);
    }
    count_close(count, T0 + exchanges * S / 1000, 0, 0);
    return flows;
}

static void test_bursts_are_the_same_in_however_many_pieces_they_are_judged(void **state)
{
    (void)state;
    free(exchange_much(10000, 700));
    const uint64_t live = count_close(count, T0 + 11 * S, 0, 0)[ALL].value[TALLY_live_bursts],
                   answered = count_close(count, T0 + 11 * S, 0, 0)[ALL].value[TALLY_answered_bursts];
    assert_in_range(live, 700, 9999);
    /* One of several keeps them till they can be judged with the others'. */
    count_free(count);
    count = count_new(&options, &rules, &scopes, &health);
    assert_non_null(count);
    count_share(count);
    count_open(count, T0, true, TALLY_ALL_KNOWN);
    struct flow *flows = exchange_much(10000, 700);
    assert_bursts(ALL, 0, 0);
    struct burst *burst = burst_new(options.burst_length_ns, &health);
    struct distinct *seen = distinct_new(options.addresses_max);
    count_join(&count, 1, burst, seen);
    assert_bursts(ALL, live, answered);
    assert_int_equal(health.signs_apart, 0);
    burst_free(burst);
    distinct_free(seen);
    free(flows);
}

static void test_one_of_several_judges_by_its_own_what_it_cannot_keep(void **state)
{
    (void)state;
    count_share(count);
    struct flow *flows = exchange_much(30000, 30000);
    assert_in_range(health.signs_apart, 1, 90000); /* three a flow: live, answered, proven */
    const uint64_t apart = health.signs_apart;
    assert_bursts(ALL, apart / 3, apart / 3);
    struct burst *burst = burst_new(options.burst_length_ns, &health);
    struct distinct *seen = distinct_new(options.addresses_max);
    count_join(&count, 1, burst, seen);
    assert_bursts(ALL, 30000, 30000);
    burst_free(burst);
    distinct_free(seen);
    free(flows);
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    count_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_interval_is_all_zeros_and_as_known_as_it_can_be),
        TEST(test_drops_are_told_of_every_scope),
        TEST(test_what_is_not_watched_is_the_taps_alone),
        TEST(test_a_flow_from_its_start_to_its_answer),
        TEST(test_a_flow_that_the_watched_side_begins_is_live_at_once),
        TEST(test_live_and_answered_count_in_the_interval_in_which_they_come_true),
        TEST(test_a_prefix_that_does_not_count_stays_out_of_all),
        TEST(test_a_prefix_without_a_scope_counts_in_all),
        TEST(test_between_two_watched_addresses_all_counts_once_and_as_out),
        TEST(test_a_flow_between_two_watched_addresses_is_one_flow),
        TEST(test_of_a_leased_and_a_counted_end_only_the_counted_makes_all_live),
        TEST(test_a_flow_within_one_prefix_is_live_once),
        TEST(test_hosts_and_peers_are_distinct_within_a_bin),
        TEST(test_addresses_beyond_the_cap_are_counted_as_such),
        TEST(test_bursts_are_the_same_in_however_many_pieces_they_are_judged),
        TEST(test_one_of_several_judges_by_its_own_what_it_cannot_keep),
        TEST(test_only_a_bare_syn_is_one),
        TEST(test_a_datagram_is_no_syn_whatever_its_flags_say),
        TEST(test_a_packet_without_a_flow_counts_as_a_packet),
        TEST(test_a_service_counts_its_own_end),
        TEST(test_a_watched_client_of_a_watched_service_does_not_make_it_live),
        TEST(test_a_name_credits_what_the_flow_has_counted_so_far),
        TEST(test_a_name_before_the_answer_leaves_the_answer_to_come),
        TEST(test_a_storm_of_retries_is_one_burst_in_every_scope_of_its_flows),
        TEST(test_a_burst_goes_on_over_bins),
        TEST(test_a_flow_without_an_answer_begins_a_live_burst_only),
        TEST(test_knocks_in_vain_begin_no_burst),
        TEST(test_a_leased_prefix_has_bursts_of_its_own),
        TEST(test_between_two_watched_hosts_each_end_has_its_burst),
        TEST(test_a_flow_within_one_prefix_begins_one_burst),
        TEST(test_a_name_credits_the_burst_that_its_flow_began),
        TEST(test_a_name_that_comes_before_the_burst_is_judged_credits_it_too),
        TEST(test_a_flow_that_ends_before_its_burst_is_judged_counts_all_the_same),
        TEST(test_an_icmp_error_counts_for_the_destination_that_it_quotes),
        TEST(test_a_scope_knows_what_can_be_known_of_it),
        TEST(test_a_round_trip_counts_for_the_watched_side_that_answers),
        TEST(test_the_hops_are_those_of_the_watched_sides_latest_packet),
        TEST(test_between_two_watched_hosts_each_has_its_hops_and_all_those_of_the_server),
        TEST(test_repeats_and_unseen_words_count_by_direction),
        TEST(test_a_flow_is_acked_once_by_the_outside_alone),
        TEST(test_answers_that_nobody_asked_for_are_reflected),
        TEST(test_what_the_watched_side_sends_to_nobody_heard_is_one_way),
        TEST(test_who_answers_a_question_from_outside_is_proven_to_live_once),
        TEST(test_what_a_watched_address_begins_without_connections_proves_nothing),
        TEST(test_a_reflectors_answer_is_no_question),
        TEST(test_a_ping_from_outside_is_a_question_and_its_answer_alone_is_none),
        TEST(test_over_tcp_it_takes_the_right_number_whoever_began),
        TEST(test_a_reset_or_an_answer_to_a_syn_is_no_knock),
        TEST(test_where_the_outside_is_not_heard_answers_prove_and_questions_do_not),
        TEST(test_once_the_outside_is_heard_the_form_proves_nothing),
        TEST(test_between_two_ends_of_one_scope_nobody_knocks_and_nothing_is_proven),
        TEST(test_one_watched_prefix_is_outside_of_another_but_not_of_all),
        TEST(test_proofs_have_bursts_of_their_own),
        TEST(test_a_name_credits_knocks_and_proofs_too),
        TEST(test_a_name_credits_what_the_flow_has_proved_so_far),
        TEST(test_that_no_way_leads_to_a_network_is_told_apart),
        TEST(test_icmp_errors_are_told_apart_by_kind),
        TEST(test_errors_of_watched_hosts_are_their_own_whatever_the_kind),
        TEST(test_reporting_routers_are_named_in_every_scope_of_what_they_quote),
        TEST(test_what_a_known_router_reports_counts_in_its_path_too_and_once),
        TEST(test_what_is_not_watched_is_the_control_of_the_path_that_it_crossed),
        TEST(test_routers_words_about_the_watched_side_are_no_control_of_a_leg),
        TEST(test_a_scope_says_by_which_legs_its_packets_came),
        TEST(test_freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
