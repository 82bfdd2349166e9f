/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "flow.h"
#include "watchlist.h"

enum { TIMEOUT_S = 120, ENDED_MAX = 100000 };

/* What the callback saw, in order. */
struct ended {
    enum flow_end reason;
    uint8_t source_host, destination_host;
    uint16_t port[2];
    int64_t start_ns, last_ns;
    uint64_t packets[2];
};

struct fixture {
    struct health health;
    struct flow_table *table;
    size_t ended_count;
    struct ended ended[ENDED_MAX];
};

static struct fixture fixture, second;

static void note_ended(void *context, struct flow *flow, enum flow_end reason)
{
    struct fixture *to = context;
    assert_true(to->ended_count < ENDED_MAX);
    to->ended[to->ended_count++] = (struct ended){.reason = reason,
                                                  .source_host = flow->address[0][15],
                                                  .destination_host = flow->address[1][15],
                                                  .port = {flow->end[0].port, flow->end[1].port},
                                                  .start_ns = flow->start_ns,
                                                  .last_ns = flow->last_ns,
                                                  .packets = {flow->end[0].packets, flow->end[1].packets}};
}

static void begin(struct fixture *at, size_t flows_max)
{
    memset(at, 0, sizeof *at);
    const struct flow_options options = {.flows_max = flows_max, .timeout_ns = TIMEOUT_S * NS_PER_S};
    const struct flow_output output = {.context = at, .ended = note_ended};
    at->table = flow_table_new(&options, &output, &at->health);
    assert_non_null(at->table);
}

/* A packet between two hosts of 10.0.0.0/24, of 100 bytes. */
static struct packet packet_of(double time_s, uint8_t protocol, uint8_t from, uint16_t from_port, uint8_t to,
                               uint16_t to_port, uint8_t tcp_flags)
{
    static const uint8_t net[15] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    struct packet packet = {.time_ns = (int64_t)(time_s * NS_PER_S),
                            .is_ip = true,
                            .has_transport = true,
                            .ip_version = 4,
                            .ip_bytes = 100,
                            .tcp_flags = tcp_flags};
    packet.tuple.protocol = protocol;
    packet.tuple.source_port = from_port;
    packet.tuple.destination_port = to_port;
    memcpy(packet.tuple.source, net, 15);
    memcpy(packet.tuple.destination, net, 15);
    packet.tuple.source[15] = from;
    packet.tuple.destination[15] = to;
    return packet;
}

/* Shows a packet to the table; what came of it. */
struct shown {
    struct flow *flow;
    unsigned side;
    bool started;
};

static struct shown show(struct packet packet)
{
    struct shown shown = {.side = 9};
    shown.flow = flow_table_packet(fixture.table, &packet, &shown.side, &shown.started);
    return shown;
}

static struct shown show_tcp(double time_s, uint8_t from, uint8_t to, uint8_t flags)
{
    uint16_t ports[2] = {from < to ? 40000 : 443, from < to ? 443 : 40000};
    return show(packet_of(time_s, IPPROTO_TCP, from, ports[0], to, ports[1], flags));
}

static struct shown show_icmp(double time_s, uint8_t protocol, uint8_t from, uint8_t to, uint8_t type,
                              uint16_t id)
{
    struct packet packet = packet_of(time_s, protocol, from, 0, to, 0, 0);
    packet.icmp_type = type;
    packet.icmp_id = id;
    return show(packet);
}

static int set_up(void **state)
{
    (void)state;
    begin(&fixture, 1000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    flow_table_free(fixture.table);
    return 0;
}

static void both_directions_are_one_flow_and_each_side_is_counted(void **state)
{
    (void)state;
    struct shown first = show_tcp(1, 1, 2, TCP_SYN);
    assert_true(first.started);
    assert_int_equal(first.side, 0);
    assert_false(first.flow->spoke[1]);
    struct shown reply = show_tcp(2, 2, 1, TCP_SYN | TCP_ACK);
    assert_ptr_equal(reply.flow, first.flow);
    assert_false(reply.started);
    assert_int_equal(reply.side, 1);
    show_tcp(3, 1, 2, TCP_ACK);
    struct flow *flow = first.flow;
    assert_int_equal(flow->end[0].packets, 2);
    assert_int_equal(flow->end[1].packets, 1);
    assert_int_equal(flow->end[0].bytes, 200);
    assert_int_equal(flow->end[1].bytes, 100);
    assert_true(flow->spoke[0] && flow->spoke[1]);
    assert_false(flow->live || flow->answered || flow->closed);
    assert_int_equal(flow->start_ns, 1 * NS_PER_S);
    assert_int_equal(flow->last_ns, 3 * NS_PER_S);
    assert_int_equal(flow->end[0].port, 40000);
    assert_int_equal(flow->end[1].port, 443);
    assert_int_equal(flow_table_count(fixture.table), 1);
    assert_int_equal(fixture.health.flows_started, 1);
}

static void a_new_flow_belongs_to_nothing_yet(void **state)
{
    (void)state;
    struct packet packet = packet_of(1, IPPROTO_UDP, 1, 53, 2, 53, 0);
    struct flow *flow = show(packet).flow;
    assert_ptr_equal(show(packet).flow, flow);
    assert_int_equal(flow->way, 0);
    assert_int_equal(flow->service_by_name, SCOPE_NONE);
    assert_int_equal(flow->service_by_address, SCOPE_NONE);
    assert_false(flow->classified);
    assert_null(flow->classification);
}

/* A million of them are to be had: what one takes is its place and its part of a table that is at least half
 * full. */
static void a_flow_takes_less_than_two_hundred_bytes(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct flow) + sizeof(uint32_t), 1, 199);
}

static void places_of_flows_that_ended_are_used_again_and_clean(void **state)
{
    (void)state;
    struct flow *former = show_tcp(1, 1, 2, TCP_SYN).flow;
    former->closed = former->answered = true;
    former->way = 7;
    former->watch[1] = 3;
    flow_table_finish(fixture.table);
    struct flow *flow = show_tcp(2, 3, 4, TCP_SYN).flow;
    assert_ptr_equal(flow, former);
    assert_false(flow->closed || flow->answered);
    assert_int_equal(flow->way, 0);
    assert_int_equal(flow->watch[1], WATCHLIST_NONE);
    assert_int_equal(flow->end[0].packets, 1);
}

static bool is_of_host_3(void *context, struct flow *flow)
{
    ++*(unsigned *)context;
    return flow->address[0][15] == 3;
}

static void a_review_ends_what_does_not_stay_in_order(void **state)
{
    (void)state;
    unsigned shown = 0;
    show_tcp(1, 1, 2, TCP_SYN);
    show_tcp(2, 3, 2, TCP_SYN);
    show_tcp(3, 5, 2, TCP_SYN);
    flow_table_review(fixture.table, is_of_host_3, &shown);
    assert_int_equal(shown, 3);
    assert_int_equal(flow_table_count(fixture.table), 1);
    assert_int_equal(fixture.ended_count, 2);
    assert_int_equal(fixture.ended[0].source_host, 1);
    assert_int_equal(fixture.ended[1].source_host, 5);
}

static void ports_protocol_and_addresses_tell_flows_apart(void **state)
{
    (void)state;
    show(packet_of(1, IPPROTO_UDP, 1, 1000, 2, 2000, 0));
    assert_true(
        show(packet_of(1, IPPROTO_UDP, 1, 2000, 2, 1000, 0)).started); /* ports crossed: another flow */
    assert_true(show(packet_of(1, IPPROTO_TCP, 1, 1000, 2, 2000, TCP_ACK)).started);
    assert_true(show(packet_of(1, IPPROTO_UDP, 1, 1000, 3, 2000, 0)).started);
    assert_true(show(packet_of(1, IPPROTO_UDP, 1, 1001, 2, 2000, 0)).started);
    assert_false(show(packet_of(1, IPPROTO_UDP, 2, 2000, 1, 1000, 0)).started);
    assert_false(show(packet_of(1, IPPROTO_UDP, 2, 1000, 1, 2000, 0)).started);
    assert_int_equal(flow_table_count(fixture.table), 5);
}

static void a_flow_from_an_end_to_itself_is_one_flow(void **state)
{
    (void)state;
    struct shown first = show(packet_of(1, IPPROTO_TCP, 5, 80, 5, 80, TCP_SYN));
    struct shown again = show(packet_of(2, IPPROTO_TCP, 5, 80, 5, 80, TCP_SYN));
    assert_ptr_equal(again.flow, first.flow);
    assert_int_equal(again.side, 0);
}

static void the_source_of_a_flow_seen_from_its_syn_ack_is_whom_that_answers(void **state)
{
    (void)state;
    struct shown answer = show_tcp(1, 2, 1, TCP_SYN | TCP_ACK);
    assert_true(answer.started);
    assert_int_equal(answer.side, 1);
    assert_int_equal(answer.flow->address[0][15], 1);
    assert_int_equal(answer.flow->end[0].port, 40000);
    assert_int_equal(answer.flow->end[1].port, 443);
    assert_true(answer.flow->spoke[1]);
    assert_false(answer.flow->spoke[0]);
    assert_int_equal(show_tcp(2, 1, 2, TCP_SYN).side, 0); /* the SYN, late */
    assert_int_equal(answer.flow->end[0].packets, 1);
}

static void the_source_of_a_flow_seen_midway_is_who_spoke_first(void **state)
{
    (void)state;
    struct shown first = show_tcp(1, 2, 1, TCP_ACK);
    assert_int_equal(first.side, 0);
    assert_int_equal(first.flow->address[0][15], 2);
    assert_int_equal(show_tcp(2, 1, 2, TCP_ACK).side, 1);
}

static void a_flow_is_another_only_after_more_than_the_timeout(void **state)
{
    (void)state;
    struct flow *flow = show_tcp(0, 1, 2, TCP_ACK).flow;
    assert_ptr_equal(show_tcp(120, 1, 2, TCP_ACK).flow, flow); /* exactly the timeout */
    assert_int_equal(fixture.ended_count, 0);
    struct packet late = packet_of(240, IPPROTO_TCP, 2, 443, 1, 40000, TCP_ACK);
    late.time_ns += 1;
    struct shown next = show(late);
    assert_true(next.started);
    assert_int_equal(next.side, 0); /* of the new flow */
    assert_int_equal(next.flow->end[0].packets, 1);
    assert_int_equal(fixture.ended_count, 1);
    assert_int_equal(fixture.ended[0].reason, FLOW_END_IDLE);
    assert_int_equal(fixture.ended[0].packets[0], 2);
    assert_int_equal(flow_table_count(fixture.table), 1);
}

static void expiry_ends_what_is_idle_for_more_than_the_timeout(void **state)
{
    (void)state;
    show(packet_of(10, IPPROTO_UDP, 1, 1, 9, 53, 0));
    show(packet_of(11, IPPROTO_UDP, 2, 1, 9, 53, 0));
    flow_table_expire(fixture.table, 130 * NS_PER_S);
    assert_int_equal(fixture.ended_count, 0);
    flow_table_expire(fixture.table, 130 * NS_PER_S + 1);
    assert_int_equal(fixture.ended_count, 1);
    assert_int_equal(fixture.ended[0].source_host, 1);
    assert_int_equal(fixture.ended[0].reason, FLOW_END_IDLE);
    assert_int_equal(flow_table_count(fixture.table), 1);
}

static void a_bare_syn_after_fin_or_rst_starts_another_flow(void **state)
{
    (void)state;
    static const uint8_t closing[] = {TCP_FIN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK};
    for (size_t i = 0; i < sizeof closing; i++) {
        uint8_t client = (uint8_t)(10 + i), server = 200;
        show_tcp(1, client, server, TCP_SYN);
        assert_false(show_tcp(2, client, server, TCP_SYN).started); /* sent again: the same flow */
        struct shown last = show_tcp(3, server, client, closing[i]);
        assert_true(last.flow->closed);
        assert_false(show_tcp(4, client, server, TCP_ACK).started);           /* what still follows the end */
        assert_false(show_tcp(4, server, client, TCP_SYN | TCP_ACK).started); /* not bare */
        assert_false(show_tcp(4, client, server, TCP_SYN | TCP_FIN).started);
        assert_false(show_tcp(4, client, server, TCP_SYN | TCP_RST).started);
        struct shown again = show_tcp(5, client, server, TCP_SYN | 0xc0); /* with ECN's flags it is as bare */
        assert_true(again.started);
        assert_false(again.flow->closed);
        assert_int_equal(again.flow->start_ns, 5 * NS_PER_S);
        assert_int_equal(fixture.ended_count, i + 1);
        assert_int_equal(fixture.ended[i].reason, FLOW_END_CLOSED);
        assert_int_equal(fixture.ended[i].packets[0], 5);
    }
}

static void a_rst_that_starts_a_flow_closes_it(void **state)
{
    (void)state;
    assert_true(show_tcp(1, 2, 1, TCP_RST | TCP_ACK).flow->closed);
    struct shown next = show_tcp(2, 1, 2, TCP_SYN);
    assert_true(next.started);
    assert_int_equal(next.side, 0);
    assert_int_equal(next.flow->address[0][15], 1);
}

static void flags_mean_nothing_outside_of_tcp(void **state)
{
    (void)state;
    show(packet_of(1, IPPROTO_UDP, 1, 1, 2, 2, TCP_FIN));
    struct shown next = show(packet_of(2, IPPROTO_UDP, 1, 1, 2, 2, TCP_SYN));
    assert_false(next.started);
    assert_false(next.flow->closed);
}

static void echo_request_and_reply_are_one_flow_by_their_id(void **state)
{
    (void)state;
    struct shown request = show_icmp(1, IPPROTO_ICMP, 1, 2, 8, 77);
    assert_int_equal(request.flow->end[0].port, 77);
    assert_int_equal(request.flow->end[1].port, 77);
    struct shown reply = show_icmp(1, IPPROTO_ICMP, 2, 1, 0, 77);
    assert_ptr_equal(reply.flow, request.flow);
    assert_int_equal(reply.side, 1);
    assert_ptr_equal(show_icmp(2, IPPROTO_ICMP, 2, 1, 8, 77).flow,
                     request.flow); /* a request from the other side */
    assert_true(show_icmp(2, IPPROTO_ICMP, 1, 2, 8, 78).started);
    assert_true(show_icmp(2, IPPROTO_ICMP, 1, 2, 13, 77).started);
    assert_false(show_icmp(3, IPPROTO_ICMP, 2, 1, 14, 77).started);
    struct shown six = show_icmp(4, IPPROTO_ICMPV6, 1, 2, 128, 77);
    assert_true(six.started);
    assert_ptr_equal(show_icmp(5, IPPROTO_ICMPV6, 2, 1, 129, 77).flow, six.flow);
}

static void icmp_families_join_what_answers_each_other(void **state)
{
    (void)state;
    assert_int_equal(flow_icmp_family(IPPROTO_ICMP, 0), flow_icmp_family(IPPROTO_ICMP, 8));
    assert_int_equal(flow_icmp_family(IPPROTO_ICMP, 9), flow_icmp_family(IPPROTO_ICMP, 10));
    assert_int_equal(flow_icmp_family(IPPROTO_ICMP, 18), flow_icmp_family(IPPROTO_ICMP, 17));
    assert_int_equal(flow_icmp_family(IPPROTO_ICMPV6, 136), flow_icmp_family(IPPROTO_ICMPV6, 135));
    assert_int_equal(flow_icmp_family(IPPROTO_ICMPV6, 161), flow_icmp_family(IPPROTO_ICMPV6, 160));
    assert_int_not_equal(flow_icmp_family(IPPROTO_ICMP, 8), flow_icmp_family(IPPROTO_ICMP, 13));
    assert_int_not_equal(flow_icmp_family(IPPROTO_ICMP, 129), flow_icmp_family(IPPROTO_ICMP, 128));
    assert_int_equal(flow_icmp_family(IPPROTO_ICMP, 3), 3);
    assert_int_not_equal(flow_icmp_family(IPPROTO_ICMP, 0), 0);
}

static void flows_end_in_the_order_in_which_they_were_last_heard(void **state)
{
    (void)state;
    show(packet_of(1, IPPROTO_UDP, 1, 1, 9, 53, 0));
    show(packet_of(1, IPPROTO_UDP, 2, 1, 9, 53, 0));
    show(packet_of(1, IPPROTO_UDP, 3, 1, 9, 53, 0));
    show(packet_of(2, IPPROTO_UDP, 9, 53, 1, 1, 0)); /* answered */
    show(packet_of(3, IPPROTO_UDP, 2, 1, 9, 53, 0));
    show(packet_of(4, IPPROTO_UDP, 4, 1, 9, 53, 0));
    flow_table_finish(fixture.table);
    static const uint8_t order[] = {3, 1, 2, 4};
    assert_int_equal(fixture.ended_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture.ended[i].source_host, order[i]);
        assert_int_equal(fixture.ended[i].reason, FLOW_END_INPUT);
    }
    assert_int_equal(flow_table_count(fixture.table), 0);
}

static void a_full_table_evicts_the_unanswered_first_and_counts_it(void **state)
{
    (void)state;
    flow_table_free(fixture.table);
    begin(&fixture, 3);
    show(packet_of(1, IPPROTO_UDP, 1, 1, 9, 53, 0));
    show(packet_of(1, IPPROTO_UDP, 9, 53, 1, 1, 0)); /* host 1 is answered, and the oldest */
    show(packet_of(2, IPPROTO_UDP, 2, 1, 9, 53, 0));
    show(packet_of(3, IPPROTO_UDP, 3, 1, 9, 53, 0));
    show(packet_of(4, IPPROTO_UDP, 4, 1, 9, 53, 0)); /* pushes out 2 */
    assert_int_equal(fixture.ended[0].source_host, 2);
    assert_int_equal(fixture.ended[0].reason, FLOW_END_EVICTED);
    show(packet_of(5, IPPROTO_UDP, 9, 53, 3, 1, 0));
    show(packet_of(5, IPPROTO_UDP, 9, 53, 4, 1, 0)); /* all are answered now */
    show(packet_of(6, IPPROTO_UDP, 5, 1, 9, 53, 0)); /* pushes out 1 */
    assert_int_equal(fixture.ended[1].source_host, 1);
    assert_int_equal(fixture.ended_count, 2);
    assert_int_equal(fixture.health.flows_evicted, 2);
    assert_int_equal(flow_table_count(fixture.table), 3);
}

/* Else every new flow would push out the one before it, and none would live to be answered. */
static void a_table_full_of_answered_flows_leaves_an_eighth_to_those_that_may_be(void **state)
{
    (void)state;
    flow_table_free(fixture.table);
    begin(&fixture, 16);
    for (uint8_t host = 1; host <= 16; host++) {
        show(packet_of(1, IPPROTO_UDP, host, 1, 99, 53, 0));
        show(packet_of(1, IPPROTO_UDP, 99, 53, host, 1, 0));
    }
    for (uint8_t host = 21; host <= 25; host++)
        show(packet_of(2, IPPROTO_UDP, host, 1, 99, 53, 0));
    /* Three answered ones made room, the oldest first, and then the unanswered for each other. */
    const uint8_t gone[] = {1, 2, 3, 21, 22};
    assert_int_equal(fixture.ended_count, sizeof gone);
    for (size_t i = 0; i < sizeof gone; i++)
        assert_int_equal(fixture.ended[i].source_host, gone[i]);
    show(packet_of(3, IPPROTO_UDP, 99, 53, 23, 1, 0)); /* that one was still there: nothing begins */
    assert_int_equal(fixture.health.flows_started, 21);
}

static void what_is_idle_makes_room_before_anything_is_evicted(void **state)
{
    (void)state;
    flow_table_free(fixture.table);
    begin(&fixture, 2);
    show(packet_of(1, IPPROTO_UDP, 1, 1, 9, 53, 0));
    show(packet_of(1, IPPROTO_UDP, 9, 53, 1, 1, 0));
    show(packet_of(100, IPPROTO_UDP, 2, 1, 9, 53, 0));
    show(packet_of(130, IPPROTO_UDP, 3, 1, 9, 53, 0));
    assert_int_equal(fixture.health.flows_evicted, 0);
    assert_int_equal(fixture.ended_count, 1);
    assert_int_equal(fixture.ended[0].source_host, 1);
    assert_int_equal(fixture.ended[0].reason, FLOW_END_IDLE);
}

static void a_table_without_room_refuses_and_counts_it(void **state)
{
    (void)state;
    flow_table_free(fixture.table);
    begin(&fixture, 0);
    struct shown shown = show_tcp(1, 1, 2, TCP_SYN);
    assert_null(shown.flow);
    assert_false(shown.started);
    assert_int_equal(fixture.health.flows_refused, 1);
    assert_int_equal(fixture.health.flows_started, 0);
}

/* The rules once more, as a plain list that is searched from end to end. */
struct model_flow {
    uint8_t protocol, host[2];
    uint16_t port[2];
    bool spoke[2], closed;
    int64_t last_ns;
    uint64_t touched;
};

struct model {
    struct model_flow flows[64];
    size_t count, max, ended, evicted;
    uint64_t turn;
};

static bool model_older(const struct model_flow *a, const struct model_flow *b)
{
    bool a_both = a->spoke[0] && a->spoke[1], b_both = b->spoke[0] && b->spoke[1];
    if (a->last_ns != b->last_ns)
        return a->last_ns < b->last_ns;
    return a_both != b_both ? b_both : a->touched < b->touched;
}

enum which { ANY, UNANSWERED, ANSWERED };

static bool model_is(const struct model_flow *flow, enum which which)
{
    return which == ANY || (flow->spoke[0] && flow->spoke[1]) == (which == ANSWERED);
}

/* The oldest of those asked for; SIZE_MAX: there is none. */
static size_t model_oldest(const struct model *model, enum which which)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_flow *flow = &model->flows[i];
        if (!model_is(flow, which))
            continue;
        if (best == SIZE_MAX || model_older(flow, &model->flows[best]))
            best = i;
    }
    return best;
}

/* Unanswered ones, unless there are so few of them that they stay. */
static size_t model_victim(const struct model *model)
{
    size_t unanswered = 0, answered = model_oldest(model, ANSWERED);
    for (size_t i = 0; i < model->count; i++)
        unanswered += model_is(&model->flows[i], UNANSWERED);
    return unanswered <= model->max / 8 && answered != SIZE_MAX ? answered : model_oldest(model, UNANSWERED);
}

static void model_end(struct model *model, const struct fixture *real, size_t i, enum flow_end reason)
{
    const struct ended *ended = &real->ended[model->ended++];
    assert_int_equal(ended->reason, reason);
    assert_int_equal(ended->source_host, model->flows[i].host[0]);
    assert_int_equal(ended->destination_host, model->flows[i].host[1]);
    assert_int_equal(ended->port[0], model->flows[i].port[0]);
    assert_int_equal(ended->port[1], model->flows[i].port[1]);
    assert_int_equal(ended->last_ns, model->flows[i].last_ns);
    model->flows[i] = model->flows[--model->count];
}

static void model_expire(struct model *model, const struct fixture *real, int64_t now_ns)
{
    for (size_t i; (i = model_oldest(model, ANY)) != SIZE_MAX &&
                   now_ns - model->flows[i].last_ns > TIMEOUT_S * NS_PER_S;)
        model_end(model, real, i, FLOW_END_IDLE);
}

static size_t model_find(const struct model *model, const struct packet *packet, unsigned *side)
{
    const struct packet_tuple *tuple = &packet->tuple;
    uint8_t host[2] = {tuple->source[15], tuple->destination[15]};
    uint16_t port[2] = {tuple->source_port, tuple->destination_port};
    for (size_t i = 0; i < model->count; i++)
        for (unsigned s = 0; s < 2; s++) {
            const struct model_flow *flow = &model->flows[i];
            if (flow->protocol == tuple->protocol && flow->host[s] == host[0] && flow->port[s] == port[0] &&
                flow->host[!s] == host[1] && flow->port[!s] == port[1]) {
                *side = s;
                return i;
            }
        }
    return SIZE_MAX;
}

static size_t model_start(struct model *model, const struct fixture *real, const struct packet *packet,
                          unsigned *side)
{
    if (model->count == model->max)
        model_expire(model, real, packet->time_ns);
    if (model->count == model->max) {
        model_end(model, real, model_victim(model), FLOW_END_EVICTED);
        model->evicted++;
    }
    bool syn_ack = packet->tuple.protocol == IPPROTO_TCP && (packet->tcp_flags & 0x17) == (TCP_SYN | TCP_ACK);
    *side = syn_ack;
    struct model_flow *flow = &model->flows[model->count];
    *flow = (struct model_flow){.protocol = packet->tuple.protocol};
    flow->host[syn_ack] = packet->tuple.source[15];
    flow->host[!syn_ack] = packet->tuple.destination[15];
    flow->port[syn_ack] = packet->tuple.source_port;
    flow->port[!syn_ack] = packet->tuple.destination_port;
    return model->count++;
}

static void model_packet(struct model *model, const struct fixture *real, const struct packet *packet,
                         unsigned *side, bool *started)
{
    bool tcp = packet->tuple.protocol == IPPROTO_TCP;
    size_t i = model_find(model, packet, side);
    *started = i == SIZE_MAX;
    if (i != SIZE_MAX && packet->time_ns - model->flows[i].last_ns > TIMEOUT_S * NS_PER_S) {
        model_end(model, real, i, FLOW_END_IDLE);
        *started = true;
    } else if (i != SIZE_MAX && tcp && model->flows[i].closed && (packet->tcp_flags & 0x17) == TCP_SYN) {
        model_end(model, real, i, FLOW_END_CLOSED);
        *started = true;
    }
    if (*started)
        i = model_start(model, real, packet, side);
    model->flows[i].spoke[*side] = true;
    model->flows[i].last_ns = packet->time_ns;
    model->flows[i].touched = ++model->turn;
    model->flows[i].closed |= tcp && (packet->tcp_flags & (TCP_FIN | TCP_RST)) != 0;
}

/* Traffic between few ends, so that everything happens: replies, reuse, evictions, pauses around the timeout.
 */
static struct packet random_packet(uint64_t *seed, int64_t *now_ns)
{
    uint32_t dice[8];
    for (int i = 0; i < 8; i++) {
        *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
        dice[i] = (uint32_t)(*seed >> 33);
    }
    *now_ns += dice[0] % 3 == 0    ? 0
               : dice[0] % 40 == 1 ? TIMEOUT_S * NS_PER_S + dice[1] % 2
                                   : dice[1] % 9 * NS_PER_S;
    static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};
    struct packet packet = packet_of(0, dice[2] % 3 == 0 ? IPPROTO_UDP : IPPROTO_TCP, (uint8_t)(dice[3] % 5),
                                     (uint16_t)(dice[4] % 3), (uint8_t)(dice[5] % 5), (uint16_t)(dice[6] % 3),
                                     flags[dice[7] % sizeof flags]);
    packet.time_ns = *now_ns;
    return packet;
}

static void assert_same_end(const struct ended *a, const struct ended *b)
{
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->source_host, b->source_host);
    assert_int_equal(a->destination_host, b->destination_host);
    assert_memory_equal(a->port, b->port, sizeof a->port);
    assert_int_equal(a->start_ns, b->start_ns);
    assert_int_equal(a->last_ns, b->last_ns);
    assert_memory_equal(a->packets, b->packets, sizeof a->packets);
}

static void random_traffic_goes_as_the_rules_say_and_twice_the_same(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t round = 1; round <= 40; round++) {
        flow_table_free(fixture.table);
        size_t max = 4 + round % 3 * 25;
        begin(&fixture, max);
        begin(&second, max); /* with a hash seed of its own */
        model = (struct model){.max = max};
        uint64_t seed = round;
        int64_t now_ns = 1750000000 * NS_PER_S;
        for (int i = 0; i < 2000; i++) {
            struct packet packet = random_packet(&seed, &now_ns);
            unsigned side[3];
            bool started[3];
            assert_non_null(flow_table_packet(fixture.table, &packet, &side[0], &started[0]));
            assert_non_null(flow_table_packet(second.table, &packet, &side[1], &started[1]));
            model_packet(&model, &fixture, &packet, &side[2], &started[2]);
            assert_int_equal(side[0], side[2]);
            assert_int_equal(started[0], started[2]);
            if (i % 10 == 0) {
                flow_table_expire(fixture.table, now_ns);
                flow_table_expire(second.table, now_ns);
                model_expire(&model, &fixture, now_ns);
            }
            assert_int_equal(flow_table_count(fixture.table), model.count);
            assert_int_equal(fixture.ended_count, model.ended);
        }
        assert_int_equal(fixture.health.flows_evicted, model.evicted);
        flow_table_finish(fixture.table);
        flow_table_finish(second.table);
        assert_int_equal(fixture.ended_count, second.ended_count);
        for (size_t i = 0; i < fixture.ended_count; i++)
            assert_same_end(&fixture.ended[i], &second.ended[i]);
        flow_table_free(second.table);
    }
}

static void a_hundred_thousand_flows_are_kept_apart(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    flow_table_free(fixture.table);
    begin(&fixture, COUNT);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < COUNT; i++) {
            struct packet packet = packet_of(round, IPPROTO_UDP, 1, 53, 2, (uint16_t)i, 0);
            packet.tuple.destination[13] = (uint8_t)(i >> 16);
            if (show(packet).started != (round == 0))
                fail_msg("flow %u of round %d", i, round);
        }
    assert_int_equal(flow_table_count(fixture.table), COUNT);
    assert_int_equal(fixture.health.flows_evicted, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_flow_counts_what_its_first_side_sent_before_the_other_was_heard(void **state)
{
    (void)state;
    struct flow *flow = show_tcp(1, 1, 2, TCP_SYN).flow;
    show_tcp(2, 1, 2, TCP_SYN);
    assert_int_equal(flow->first, 0);
    assert_int_equal(flow->packets_alone, 2);
    show_tcp(3, 2, 1, TCP_SYN | TCP_ACK);
    show_tcp(4, 1, 2, TCP_ACK);
    assert_int_equal(flow->packets_alone, 2);
    flow = show_tcp(5, 4, 3, TCP_SYN | TCP_ACK).flow; /* the destination speaks first */
    assert_int_equal(flow->first, 1);
    assert_int_equal(flow->packets_alone, 1);
}

static void a_flow_knows_the_time_to_live_of_each_sides_latest_packet(void **state)
{
    (void)state;
    struct packet packet = packet_of(1, IPPROTO_UDP, 1, 1000, 2, 53, 0);
    packet.ttl = 57;
    struct flow *flow = show(packet).flow;
    packet.ttl = 55;
    show(packet);
    packet = packet_of(1, IPPROTO_UDP, 2, 53, 1, 1000, 0);
    packet.ttl = 108;
    show(packet);
    assert_int_equal(flow->end[0].ttl, 55);
    assert_int_equal(flow->end[1].ttl, 108);
}

static void a_flow_follows_its_tcp_connection(void **state)
{
    (void)state;
    struct packet packet = packet_of(1, IPPROTO_TCP, 1, 40000, 2, 443, TCP_SYN);
    packet.tcp_sequence = 999;
    struct flow *flow = show(packet).flow;
    packet = packet_of(1.25, IPPROTO_TCP, 2, 443, 1, 40000, TCP_SYN | TCP_ACK);
    packet.tcp_sequence = 5;
    packet.tcp_ack = 1000;
    show(packet);
    assert_int_equal(flow->tcp.news, TCP_ANSWER | TCP_HEARD);
    assert_int_equal(flow->tcp.side[1].round_trip_us, 250000);
    show(packet);
    assert_int_equal(flow->tcp.news, TCP_RETRANSMIT | TCP_HEARD);
    packet = packet_of(2, IPPROTO_UDP, 1, 40000, 2, 443, TCP_SYN); /* no TCP, whatever stands there */
    assert_int_equal(show(packet).flow->tcp.side[0].known, 0);
}

static void every_flow_is_found_again_as_the_table_grows(void **state)
{
    (void)state;
    enum { FLOWS = 20000 };
    static struct flow *flows[FLOWS];
    flow_table_free(fixture.table);
    begin(&fixture, FLOWS);
    for (unsigned i = 0; i < FLOWS; i++) {
        struct shown shown = show(packet_of(1, IPPROTO_UDP, 1, (uint16_t)(1000 + i), 2, 53, 0));
        assert_true(shown.started);
        flows[i] = shown.flow;
        struct shown reply = show(packet_of(1, IPPROTO_UDP, 2, 53, 1, (uint16_t)(1000 + i / 2), 0));
        assert_ptr_equal(reply.flow, flows[i / 2]);
    }
    for (unsigned i = 0; i < FLOWS; i++)
        assert_ptr_equal(show(packet_of(2, IPPROTO_UDP, 1, (uint16_t)(1000 + i), 2, 53, 0)).flow, flows[i]);
    assert_int_equal(flow_table_count(fixture.table), FLOWS);
}

/* Whoever says what comes next, of flows that are there and of others, finds all as it was. */
static void what_is_expected_is_neither_started_nor_counted(void **state)
{
    (void)state;
    struct packet packets[FLOW_EXPECTED_MAX];
    struct flow *known = show(packet_of(1, IPPROTO_UDP, 1, 1000, 2, 53, 0)).flow;
    for (unsigned i = 0; i < FLOW_EXPECTED_MAX; i++)
        packets[i] = packet_of(2, IPPROTO_UDP, 1, (uint16_t)(1000 + i), 2, 53, 0);
    flow_table_expect(fixture.table, packets, FLOW_EXPECTED_MAX);
    assert_int_equal(flow_table_count(fixture.table), 1);
    assert_int_equal(known->end[0].packets, 1);
    assert_int_equal(known->last_ns, NS_PER_S);
    assert_ptr_equal(show(packets[0]).flow, known);
    assert_true(show(packets[1]).started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_directions_are_one_flow_and_each_side_is_counted),
        TEST(every_flow_is_found_again_as_the_table_grows),
        TEST(what_is_expected_is_neither_started_nor_counted),
        TEST(a_new_flow_belongs_to_nothing_yet),
        TEST(a_flow_takes_less_than_two_hundred_bytes),
        TEST(places_of_flows_that_ended_are_used_again_and_clean),
        TEST(a_review_ends_what_does_not_stay_in_order),
        TEST(ports_protocol_and_addresses_tell_flows_apart),
        TEST(a_flow_from_an_end_to_itself_is_one_flow),
        TEST(the_source_of_a_flow_seen_from_its_syn_ack_is_whom_that_answers),
        TEST(the_source_of_a_flow_seen_midway_is_who_spoke_first),
        TEST(a_flow_is_another_only_after_more_than_the_timeout),
        TEST(expiry_ends_what_is_idle_for_more_than_the_timeout),
        TEST(a_bare_syn_after_fin_or_rst_starts_another_flow),
        TEST(a_rst_that_starts_a_flow_closes_it),
        TEST(flags_mean_nothing_outside_of_tcp),
        TEST(echo_request_and_reply_are_one_flow_by_their_id),
        TEST(icmp_families_join_what_answers_each_other),
        TEST(flows_end_in_the_order_in_which_they_were_last_heard),
        TEST(a_full_table_evicts_the_unanswered_first_and_counts_it),
        TEST(a_table_full_of_answered_flows_leaves_an_eighth_to_those_that_may_be),
        TEST(what_is_idle_makes_room_before_anything_is_evicted),
        TEST(a_table_without_room_refuses_and_counts_it),
        TEST(random_traffic_goes_as_the_rules_say_and_twice_the_same),
        TEST(a_hundred_thousand_flows_are_kept_apart),
        TEST(a_flow_counts_what_its_first_side_sent_before_the_other_was_heard),
        TEST(a_flow_knows_the_time_to_live_of_each_sides_latest_packet),
        TEST(a_flow_follows_its_tcp_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
