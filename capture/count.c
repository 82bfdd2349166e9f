/* SPDX-License-Identifier: BSD-3-Clause */
#include "count.h"

#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "distinct.h"

struct count {
    const struct rules *rules;
    const struct scope_list *scopes;
    struct health *health;
    struct distinct *distinct;
    struct burst *burst;
    struct tally *tallies;
};

/* The scopes that one end of a packet belongs to, `all` left out; each once. */
enum { END_SCOPES_MAX = 8 };

struct end_scopes {
    uint32_t number[END_SCOPES_MAX];
    unsigned count;
};

enum role { ROLE_HOST, ROLE_PEER };

struct count *count_new(const struct rules *rules, const struct scope_list *scopes, uint32_t addresses_max,
                        int64_t burst_length_ns, struct health *health)
{
    struct count *count = calloc(1, sizeof *count);
    if (count == NULL)
        return NULL;
    *count = (struct count){.rules = rules, .scopes = scopes, .health = health};
    count->distinct = distinct_new(addresses_max);
    count->burst = burst_new(burst_length_ns, health);
    count->tallies = calloc(scopes->count, sizeof *count->tallies);
    if (count->distinct == NULL || count->burst == NULL || count->tallies == NULL) {
        count_free(count);
        return NULL;
    }
    return count;
}

void count_free(struct count *count)
{
    if (count == NULL)
        return;
    distinct_free(count->distinct);
    burst_free(count->burst);
    free(count->tallies);
    free(count);
}

void count_open(struct count *count, int64_t start_ns, bool new_bin, uint32_t known)
{
    for (uint32_t i = 0; i < count->scopes->count; i++)
        count->tallies[i] = tally_empty(start_ns, start_ns, known);
    if (new_bin)
        distinct_forget(count->distinct);
}

const struct tally *count_close(struct count *count, int64_t end_ns, uint64_t drops)
{
    for (uint32_t i = 0; i < count->scopes->count; i++) {
        count->tallies[i].end_ns = end_ns;
        count->tallies[i].value[TALLY_drops] = drops;
    }
    return count->tallies;
}

/* ---- which scopes ---- */

static bool has_scope(const struct end_scopes *scopes, uint32_t number)
{
    for (unsigned i = 0; i < scopes->count; i++)
        if (scopes->number[i] == number)
            return true;
    return false;
}

static void add_scope(struct end_scopes *scopes, uint32_t number)
{
    if (number != SCOPE_NONE && scopes->count < END_SCOPES_MAX && !has_scope(scopes, number))
        scopes->number[scopes->count++] = number;
}

static bool counted(const struct count *count, uint32_t watch)
{
    return watch != WATCHLIST_NONE && count->rules->watches[watch].counted;
}

/* Prefix and path of a watched end. */
static void add_end(const struct count *count, struct end_scopes *scopes, const struct packet *packet,
                    const uint8_t address[16], uint32_t watch)
{
    if (watch == WATCHLIST_NONE)
        return;
    add_scope(scopes, count->rules->watches[watch].scope);
    add_scope(scopes, path_find(count->rules, packet, address));
}

static void add_services(struct end_scopes *scopes, const struct flow *flow)
{
    add_scope(scopes, flow->service_by_address);
    add_scope(scopes, flow->service_by_name);
}

/* ---- packets ---- */

static void count_address(struct count *count, uint32_t scope, enum role role, const uint8_t address[16])
{
    switch (distinct_add(count->distinct, scope * 2 + role, address)) {
    case DISTINCT_NEW:
        count->tallies[scope].value[role == ROLE_HOST ? TALLY_hosts : TALLY_peers]++;
        break;
    case DISTINCT_FULL:
        count->health->addresses_uncounted++;
        break;
    case DISTINCT_OLD:
        break;
    }
}

static void count_out(struct count *count, uint32_t scope, const struct packet *packet)
{
    struct tally *tally = &count->tallies[scope];
    tally->value[TALLY_packets_out]++;
    tally->value[TALLY_bytes_out] += packet->ip_bytes;
    tally_span_add(&tally->out, packet->time_ns);
    count_address(count, scope, ROLE_HOST, packet->tuple.source);
    count_address(count, scope, ROLE_PEER, packet->tuple.destination);
}

static bool bare_syn(const struct packet *packet)
{
    return packet->has_transport && packet->tuple.protocol == 6 &&
           (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN;
}

static void count_in(struct count *count, uint32_t scope, const struct packet *packet)
{
    struct tally *tally = &count->tallies[scope];
    tally->value[TALLY_packets_in]++;
    tally->value[TALLY_bytes_in] += packet->ip_bytes;
    tally->value[TALLY_syn_in] += bare_syn(packet);
    tally_span_add(&tally->in, packet->time_ns);
    count_address(count, scope, ROLE_PEER, packet->tuple.source);
}

void count_tap(struct count *count, const struct packet *packet)
{
    struct tally *tally = &count->tallies[scope_number_tap(count->scopes)];
    tally->value[TALLY_packets_in]++;
    tally->value[TALLY_bytes_in] += packet->ip_bytes;
    tally_span_add(&tally->in, packet->time_ns);
}

/* Between two watched addresses a packet is out of its source's scopes and in to its destination's, a scope
 * of both being both; only `all` counts it once, as out. */
void count_packet(struct count *count, const struct packet *packet, const uint32_t watch[2],
                  const struct flow *flow, unsigned side)
{
    struct end_scopes out = {.count = 0}, in = {.count = 0};
    if (counted(count, watch[0]))
        add_scope(&out, SCOPE_NUMBER_ALL);
    else if (counted(count, watch[1]))
        add_scope(&in, SCOPE_NUMBER_ALL);
    add_end(count, &out, packet, packet->tuple.source, watch[0]);
    add_end(count, &in, packet, packet->tuple.destination, watch[1]);
    if (flow != NULL)
        add_services(side == flow->server ? &out : &in, flow);
    for (unsigned i = 0; i < out.count; i++)
        count_out(count, out.number[i], packet);
    for (unsigned i = 0; i < in.count; i++)
        count_in(count, in.number[i], packet);
}

void count_icmp_error(struct count *count, const struct packet *packet, uint32_t watch)
{
    struct end_scopes scopes = {.count = 0};
    if (counted(count, watch))
        add_scope(&scopes, SCOPE_NUMBER_ALL);
    add_end(count, &scopes, packet, packet->quoted.destination, watch);
    for (unsigned i = 0; i < scopes.count; i++)
        count->tallies[scopes.number[i]].value[TALLY_icmp_errors]++;
}

/* ---- flows ---- */

/* The scopes of one watched side of a flow, `all` and services included. */
static void add_side(const struct count *count, struct end_scopes *scopes, const struct packet *packet,
                     const struct flow *flow, unsigned side)
{
    if (counted(count, flow->watch[side]))
        add_scope(scopes, SCOPE_NUMBER_ALL);
    add_end(count, scopes, packet, flow->address[side], flow->watch[side]);
    if (side == flow->server)
        add_services(scopes, flow);
}

static void bump(struct count *count, const struct end_scopes *scopes, enum tally_measure measure,
                 int64_t at_ns)
{
    for (unsigned i = 0; i < scopes->count; i++) {
        struct tally *tally = &count->tallies[scopes->number[i]];
        tally->value[measure]++;
        if (measure == TALLY_live_flows)
            tally_span_add(&tally->live, at_ns);
        else if (measure == TALLY_answered_flows)
            tally_span_add(&tally->answered, at_ns);
    }
}

/* The first packet of a watched side makes the flow live for that side's scopes, but for those that the other
 * side has made it live for before. */
static void count_live(struct count *count, const struct packet *packet, struct flow *flow, unsigned side)
{
    struct end_scopes own = {.count = 0}, others = {.count = 0}, scopes = {.count = 0};
    add_side(count, &own, packet, flow, side);
    if (flow->spoke[!side])
        add_side(count, &others, packet, flow, !side);
    for (unsigned i = 0; i < own.count; i++)
        if (!has_scope(&others, own.number[i]))
            add_scope(&scopes, own.number[i]);
    bump(count, &scopes, TALLY_live_flows, packet->time_ns);
    flow->live = true;
    flow->live_burst[side] = burst_begins(count->burst, flow, side, BURST_LIVE, packet->time_ns);
    if (flow->live_burst[side])
        bump(count, &scopes, TALLY_live_bursts, packet->time_ns);
}

/* Both sides have been heard. A flow between two watched hosts is a sign of life of each, and may begin a
 * burst of the one and not of the other; a scope of both counts it once. */
static void count_answered(struct count *count, const struct packet *packet, struct flow *flow,
                           const struct end_scopes *both)
{
    struct end_scopes begun = {.count = 0};
    bump(count, both, TALLY_answered_flows, packet->time_ns);
    flow->answered = true;
    for (unsigned side = 0; side < 2; side++) {
        if (!flow->watched[side] || !burst_begins(count->burst, flow, side, BURST_ANSWERED, packet->time_ns))
            continue;
        flow->answered_burst[side] = true;
        add_side(count, &begun, packet, flow, side);
    }
    bump(count, &begun, TALLY_answered_bursts, packet->time_ns);
}

void count_flow(struct count *count, const struct packet *packet, struct flow *flow, unsigned side,
                bool started)
{
    struct end_scopes both = {.count = 0};
    add_side(count, &both, packet, flow, 0);
    add_side(count, &both, packet, flow, 1);
    if (started)
        bump(count, &both, TALLY_flows, packet->time_ns);
    if (flow->watched[side] && flow->packets[side] == 1)
        count_live(count, packet, flow, side);
    if (!flow->answered && flow->spoke[0] && flow->spoke[1])
        count_answered(count, packet, flow, &both);
}

void count_named_service(struct count *count, const struct flow *flow, int64_t at_ns)
{
    uint32_t scope = flow->service_by_name;
    struct tally *tally = &count->tallies[scope];
    unsigned server = flow->server;
    struct end_scopes scopes = {.number = {scope}, .count = 1};
    bump(count, &scopes, TALLY_flows, at_ns);
    if (flow->spoke[server])
        bump(count, &scopes, TALLY_live_flows, at_ns);
    if (flow->live_burst[server])
        bump(count, &scopes, TALLY_live_bursts, at_ns);
    if (flow->answered)
        bump(count, &scopes, TALLY_answered_flows, at_ns);
    if (flow->answered_burst[server])
        bump(count, &scopes, TALLY_answered_bursts, at_ns);
    tally->value[TALLY_packets_out] += flow->packets[server];
    tally->value[TALLY_bytes_out] += flow->bytes[server];
    tally->value[TALLY_packets_in] += flow->packets[!server];
    tally->value[TALLY_bytes_in] += flow->bytes[!server];
    tally->value[TALLY_syn_in] += flow->syns[!server];
    if (flow->spoke[server])
        count_address(count, scope, ROLE_HOST, flow->address[server]);
    count_address(count, scope, ROLE_PEER, flow->address[!server]);
}
