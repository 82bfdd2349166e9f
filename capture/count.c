/* SPDX-License-Identifier: BSD-3-Clause */
#include "count.h"

#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "distinct.h"
#include "leg.h"
#include "memory.h"
#include "signs.h"

enum role { ROLE_HOST, ROLE_PEER };

/* An address that is new in this bin to one of several. */
struct arrival {
    uint32_t scope;
    enum role role;
    uint8_t address[16];
};

struct count {
    const struct rules *rules;
    const struct scope_list *scopes;
    struct health *health;
    struct distinct *distinct;
    struct burst *burst;
    struct signs signs;   /* of the interval under way */
    struct count_run run; /* has_link_paths: some path has a control of its own */
    bool sampled;         /* a packet does not follow the other */
    uint64_t *knowable;   /* a scope: the measures that can be known of it at all */
    struct tally *tallies;
    struct hosts *hosts; /* NULL: not wanted */

    /* of one of several */
    bool shared;
    struct arrival *arrivals;
    size_t arrival_count, arrival_room;
};

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 };

/* What a packet adds to all its scopes alike. */
struct traits {
    bool syn, retransmit, unseen_ack, one_way, reflected;
    bool host_noted, peer_noted; /* counted in this bin already, in all the scopes */
    uint32_t leg;                /* one bit */
};

/* Beside the tap's old measures only `control` means anything there; services are not asked for ICMP, whose
 * quotes need not hold a port. */
static uint64_t knowable_of(enum scope_kind kind, bool sampled)
{
    const uint64_t icmp = TALLY_BIT(TALLY_icmp_unreachable) | TALLY_BIT(TALLY_icmp_prohibited) |
                          TALLY_BIT(TALLY_icmp_exceeded) | TALLY_BIT(TALLY_icmp_own) |
                          TALLY_BIT(TALLY_icmp_no_route);
    /* What follows from one packet after the other, or from none having come before. */
    const uint64_t sequels =
        TALLY_BIT(TALLY_answered_flows) | TALLY_BIT(TALLY_answered_bursts) | TALLY_BIT(TALLY_answered_hops) |
        TALLY_BIT(TALLY_handshakes) | TALLY_BIT(TALLY_handshake_us) | TALLY_BIT(TALLY_retransmits_in) |
        TALLY_BIT(TALLY_retransmits_out) | TALLY_BIT(TALLY_unseen_acks_in) |
        TALLY_BIT(TALLY_unseen_acks_out) | TALLY_BIT(TALLY_acked_flows) | TALLY_BIT(TALLY_reflected_in) |
        TALLY_BIT(TALLY_oneway_out) | TALLY_BIT(TALLY_proven_flows) | TALLY_BIT(TALLY_proven_bursts);
    if (kind == SCOPE_TAP)
        return (TALLY_BIT(TALLY_handshakes) - 1U) | TALLY_BIT(TALLY_control);
    return TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_control) & ~(kind == SCOPE_SERVICE ? icmp : 0) &
           ~(sampled ? sequels : 0);
}

/* Makes what there is one of a scope, and says what can be known of each. -1: no memory, and nothing is
 * changed. */
static int make_scopes(struct count *count, const struct rules *rules, const struct scope_list *scopes)
{
    uint64_t *knowable = calloc(scopes->count, sizeof *knowable);
    struct tally *tallies = calloc(scopes->count, sizeof *tallies);
    if (knowable == NULL || tallies == NULL) {
        free(knowable);
        free(tallies);
        return -1;
    }
    free(count->knowable);
    free(count->tallies);
    count->rules = rules;
    count->scopes = scopes;
    count->knowable = knowable;
    count->tallies = tallies;
    count->run.of_leg = tallies[scope_number_tap(scopes)].leg;
    count->run.has_link_paths = false;
    for (uint32_t i = 0; i < scopes->count; i++)
        knowable[i] = knowable_of(scopes->items[i].kind, count->sampled);
    for (size_t i = 0; i < rules->path_count; i++)
        if (path_has_link(&rules->paths[i])) {
            knowable[rules->paths[i].scope] |= TALLY_BIT(TALLY_control);
            count->run.has_link_paths = true;
        }
    return 0;
}

struct count *count_new(const struct capture_options *options, const struct rules *rules,
                        const struct scope_list *scopes, struct health *health)
{
    struct count *count = calloc(1, sizeof *count);
    if (count == NULL)
        return NULL;
    *count = (struct count){.health = health, .sampled = options->sampling > 1};
    count->distinct = distinct_new(options->addresses_max);
    count->burst = burst_new(options->burst_length_ns, health);
    count->run.legs = legs_new(rules, options->interfaces, options->interface_count, scopes->legs);
    count->hosts = options->hosts ? calloc(1, sizeof *count->hosts) : NULL;
    if ((options->hosts && count->hosts == NULL) || count->distinct == NULL || count->burst == NULL ||
        count->run.legs == NULL || signs_init(&count->signs) != 0 || make_scopes(count, rules, scopes) != 0) {
        count_free(count);
        return NULL;
    }
    return count;
}

int count_change(struct count *count, const struct rules *rules, const struct scope_list *scopes)
{
    if (make_scopes(count, rules, scopes) != 0)
        return -1;
    legs_change(count->run.legs, rules, scopes->legs);
    return 0;
}

void count_free(struct count *count)
{
    if (count == NULL)
        return;
    distinct_free(count->distinct);
    burst_free(count->burst);
    legs_free(count->run.legs);
    signs_clear(&count->signs);
    free(count->arrivals);
    free(count->hosts);
    free(count->knowable);
    free(count->tallies);
    free(count);
}

void count_share(struct count *count)
{
    count->shared = true;
}

void count_open(struct count *count, int64_t start_ns, bool new_bin, uint64_t known)
{
    for (uint32_t i = 0; i < count->scopes->count; i++)
        count->tallies[i] = tally_empty(start_ns, start_ns, known & count->knowable[i]);
    if (new_bin)
        distinct_forget(count->distinct);
    if (count->hosts != NULL) {
        count->hosts->start_ns = start_ns;
        count->hosts->count = count->hosts->more = 0;
    }
}

static int by_address(const void *one, const void *other)
{
    return memcmp(one, other, 16);
}

const struct hosts *count_hosts(struct count *count)
{
    if (count->hosts != NULL) /* whoever counted them, and in whatever order they came */
        qsort(count->hosts->address, count->hosts->count, sizeof count->hosts->address[0], by_address);
    return count->hosts;
}

/* The host is new in the bin. */
static void note_host(struct hosts *hosts, uint32_t scope, enum role role, const uint8_t address[16])
{
    if (hosts == NULL || scope != SCOPE_NUMBER_ALL || role != ROLE_HOST)
        return;
    if (hosts->count < HOSTS_MAX)
        memcpy(hosts->address[hosts->count++], address, 16);
    else
        hosts->more++;
}

static uint32_t label_of(uint32_t scope, enum role role)
{
    return scope * 2 + role;
}

static enum tally_measure measure_of(enum role role)
{
    return role == ROLE_HOST ? TALLY_hosts : TALLY_peers;
}

/* Peers are forged more easily than hosts, and must not keep these from being counted. */
static enum distinct_answer add_address(struct distinct *set, uint32_t scope, enum role role,
                                        const uint8_t address[16])
{
    return role == ROLE_PEER ? distinct_add_forgeable(set, label_of(scope, role), address)
                             : distinct_add(set, label_of(scope, role), address);
}

/* A burst began with a sign: it counts, and the flow knows. */
static void count_burst(void *context, size_t set, const struct sign *sign)
{
    static const enum tally_measure measures[] = {[BURST_LIVE] = TALLY_live_bursts,
                                                  [BURST_ANSWERED] = TALLY_answered_bursts,
                                                  [BURST_PROVEN] = TALLY_proven_bursts};
    struct tally *tallies = ((struct count *const *)context)[set]->tallies;
    const bool has_other = sign->second && sign[-1].begun;
    for (unsigned i = 0; i < sign->scopes.count; i++)
        if (!has_other || !end_scopes_has(&sign[-1].scopes, sign->scopes.number[i]))
            tallies[sign->scopes.number[i]].value[measures[sign->kind]]++;
    if (sign->flow == NULL)
        return;
    const uint8_t bit = (uint8_t)(1 << sign->side);
    if (sign->kind == BURST_LIVE)
        sign->flow->live_burst |= bit;
    else if (sign->kind == BURST_ANSWERED)
        sign->flow->answered_burst |= bit;
    else
        sign->flow->proven_burst |= bit;
}

static void judge(struct count *const *counts, size_t count_count, struct burst *burst)
{
    struct signs *sets[SIGNS_SETS_MAX];
    for (size_t i = 0; i < count_count; i++)
        sets[i] = &counts[i]->signs;
    signs_judge(sets, count_count, burst, (void *)(uintptr_t)counts, count_burst);
}

void count_join(struct count *const *counts, size_t count_count, struct burst *burst, struct distinct *seen)
{
    judge(counts, count_count, burst);
    for (size_t i = 0; i < count_count; i++) {
        for (size_t j = 0; j < counts[i]->arrival_count; j++) {
            const struct arrival *arrival = &counts[i]->arrivals[j];
            if (add_address(seen, arrival->scope, arrival->role, arrival->address) == DISTINCT_OLD)
                counts[i]->tallies[arrival->scope].value[measure_of(arrival->role)]--;
            else
                note_host(counts[0]->hosts, arrival->scope, arrival->role, arrival->address);
        }
        counts[i]->arrival_count = 0;
    }
}

const struct tally *count_close(struct count *count, int64_t end_ns, uint64_t drops, uint16_t interface)
{
    if (!count->shared)
        judge(&count, 1, count->burst);
    for (uint32_t i = 0; i < count->scopes->count; i++) {
        count->tallies[i].end_ns = end_ns;
        count->tallies[i].value[TALLY_drops] = drops;
    }
    struct tally *tap = &count->tallies[scope_number_tap(count->scopes)];
    tap->value[TALLY_control] = tap->value[TALLY_packets_in];
    tap->lost[interface < TALLY_INTERFACES ? interface : TALLY_INTERFACES - 1] = drops;
    return count->tallies;
}

/* ---- which scopes ---- */

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
    end_scopes_add(scopes, count->rules->watches[watch].scope);
    const uint32_t *paths = count->rules->watch_paths;
    uint32_t path = paths != NULL ? paths[watch] : PATH_VARIES;
    end_scopes_add(scopes, path != PATH_VARIES ? path : path_find(count->rules, packet, address));
}

static void add_services(struct end_scopes *scopes, const struct flow *flow)
{
    end_scopes_add(scopes, flow->service_by_address);
    end_scopes_add(scopes, flow->service_by_name);
}

/* ---- packets ---- */

/* Notes an address for count_join. */
static void note_arrival(struct count *count, uint32_t scope, enum role role, const uint8_t address[16])
{
    if (count->arrival_count == count->arrival_room) {
        size_t room = count->arrival_room == 0 ? 64 : 2 * count->arrival_room;
        struct arrival *arrivals = reallocarray(count->arrivals, room, sizeof *arrivals);
        if (arrivals == NULL)
            memory_end("the addresses of a step");
        count->arrivals = arrivals;
        count->arrival_room = room;
    }
    struct arrival *arrival = &count->arrivals[count->arrival_count++];
    *arrival = (struct arrival){.scope = scope, .role = role};
    memcpy(arrival->address, address, sizeof arrival->address);
}

/* False: it may have to be counted again. */
static bool count_address(struct count *count, uint32_t scope, enum role role, const uint8_t address[16])
{
    switch (add_address(count->distinct, scope, role, address)) {
    case DISTINCT_NEW:
        count->tallies[scope].value[measure_of(role)]++;
        if (count->shared)
            note_arrival(count, scope, role, address);
        else
            note_host(count->hosts, scope, role, address);
        break;
    case DISTINCT_FULL:
        count->health->addresses_uncounted++;
        return false;
    case DISTINCT_OLD:
        break;
    }
    return true;
}

/* Count what a packet adds to a scope. */
static void count_out(struct count *count, uint32_t scope, const struct packet *packet,
                      const struct traits *traits)
{
    struct tally *tally = &count->tallies[scope];
    tally->value[TALLY_packets_out]++;
    tally->value[TALLY_bytes_out] += packet->ip_bytes;
    tally->value[TALLY_retransmits_out] += traits->retransmit;
    tally->value[TALLY_unseen_acks_out] += traits->unseen_ack;
    tally->value[TALLY_oneway_out] += traits->one_way;
    tally->legs_out |= traits->leg;
    tally_span_add(&tally->out, packet->time_ns);
}

static void count_in(struct count *count, uint32_t scope, const struct packet *packet,
                     const struct traits *traits)
{
    struct tally *tally = &count->tallies[scope];
    tally->value[TALLY_packets_in]++;
    tally->value[TALLY_bytes_in] += packet->ip_bytes;
    tally->value[TALLY_syn_in] += traits->syn;
    tally->value[TALLY_retransmits_in] += traits->retransmit;
    tally->value[TALLY_unseen_acks_in] += traits->unseen_ack;
    tally->value[TALLY_reflected_in] += traits->reflected;
    tally->legs_in |= traits->leg;
    tally_span_add(&tally->in, packet->time_ns);
}

/* Counts an address in all these scopes, and says whether it need not be counted again in this bin. */
static bool count_addresses(struct count *count, const struct end_scopes *scopes, enum role role,
                            const uint8_t address[16])
{
    bool noted = true;
    for (unsigned i = 0; i < scopes->count; i++)
        noted &= count_address(count, scopes->number[i], role, address);
    return noted;
}

/* A packet's leg. */
static unsigned leg_of(struct count *count, const struct packet *packet)
{
    return legs_find(count->run.legs, packet->interface,
                     packet->vlan_count > 0 ? packet->vlans[0] : LEG_UNTAGGED);
}

struct count_run *count_run(struct count *count)
{
    return &count->run;
}

void count_link_paths(struct count *count, const struct packet *packet, unsigned leg)
{
    const struct leg_paths *paths = legs_paths(count->run.legs, leg, packet);
    for (unsigned i = 0; i < paths->count; i++)
        count->tallies[paths->scope[i]].value[TALLY_control]++;
}

void count_run_end(struct count *count, uint64_t packets, uint64_t bytes, int64_t first_ns, int64_t last_ns)
{
    struct tally *tally = &count->tallies[scope_number_tap(count->scopes)];
    tally->value[TALLY_packets_in] += packets;
    tally->value[TALLY_bytes_in] += bytes;
    tally_span_add(&tally->in, first_ns);
    tally_span_add(&tally->in, last_ns);
}

void count_meet(struct count *count, const struct packet *packet)
{
    leg_of(count, packet);
}

void count_tap(struct count *count, const struct packet *packet)
{
    unsigned leg = leg_of(count, packet);
    count->run.of_leg[leg]++;
    count_run_end(count, 1, packet->ip_bytes, packet->time_ns, packet->time_ns);
    if (count->run.has_link_paths)
        count_link_paths(count, packet, leg);
}

void count_frames(struct count *count, const struct tally_frames *frames)
{
    tally_frames_add(&count->tallies[scope_number_tap(count->scopes)].frames, frames);
}

static bool bare_syn(const struct packet *packet)
{
    return packet->has_transport && packet->tuple.protocol == PROTOCOL_TCP &&
           (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN;
}

/* Ports of services over UDP that answer much to little, and so are made to answer to forged addresses: qotd,
 * chargen, DNS, portmap, NTP, NetBIOS, SNMP, CLDAP, SLP, RIP, Citrix, SSDP, Apple Remote Desktop,
 * WS-Discovery, mDNS, CoAP, Ubiquiti discovery, memcached, DHCPDiscover. */
static bool is_reflector(uint16_t port)
{
    static const uint16_t ports[] = {17,   19,   53,   111,  123,  137,  161,   389,   427,  520,
                                     1604, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        if (port == ports[i])
            return true;
    return false;
}

static struct traits traits_of(struct count *count, const struct packet *packet, const struct flow *flow,
                               unsigned side)
{
    struct traits traits = {.syn = bare_syn(packet), .leg = 1U << leg_of(count, packet)};
    if (flow == NULL)
        return traits;
    traits.retransmit = (flow->tcp.news & TCP_RETRANSMIT) != 0;
    traits.unseen_ack = (flow->tcp.news & TCP_UNSEEN_ACK) != 0;
    /* With paths by link the scopes of a flow may differ from packet to packet. Where one end is watched,
     * both directions have the same scopes and the same peer. */
    if (!count->run.has_link_paths) {
        traits.host_noted = flow->end[side].noted;
        traits.peer_noted =
            traits.host_noted || (flow->end[!side].noted && !(flow->watched[0] && flow->watched[1]));
    }
    traits.one_way = !flow->spoke[!side];
    traits.reflected = traits.one_way && flow->protocol == PROTOCOL_UDP && is_reflector(flow->end[side].port);
    return traits;
}

void count_expect(const struct count *count, const struct packet *packet)
{
    const uint32_t label = label_of(SCOPE_NUMBER_ALL, ROLE_HOST);
    distinct_expect(count->distinct, label, packet->tuple.source);
    distinct_expect(count->distinct, label, packet->tuple.destination);
}

/* Between two watched addresses a packet is out of its source's scopes and in to its destination's, a scope
 * of both being both; only `all` counts it once, as out. */
void count_packet(struct count *count, const struct packet *packet, const uint32_t watch[2],
                  struct flow *flow, unsigned side)
{
    const struct traits traits = traits_of(count, packet, flow, side);
    struct end_scopes out = {.count = 0}, in = {.count = 0};
    if (counted(count, watch[0]))
        end_scopes_add(&out, SCOPE_NUMBER_ALL);
    else if (counted(count, watch[1]))
        end_scopes_add(&in, SCOPE_NUMBER_ALL);
    add_end(count, &out, packet, packet->tuple.source, watch[0]);
    add_end(count, &in, packet, packet->tuple.destination, watch[1]);
    if (flow != NULL)
        add_services(side == flow->server ? &out : &in, flow);
    for (unsigned i = 0; i < out.count; i++)
        count_out(count, out.number[i], packet, &traits);
    for (unsigned i = 0; i < in.count; i++)
        count_in(count, in.number[i], packet, &traits);
    const struct packet_tuple *ends = &packet->tuple;
    bool noted = traits.host_noted || count_addresses(count, &out, ROLE_HOST, ends->source);
    if (!traits.peer_noted) {
        noted &= count_addresses(count, &out, ROLE_PEER, ends->destination);
        noted &= count_addresses(count, &in, ROLE_PEER, ends->source);
    }
    if (flow != NULL)
        flow->end[side].noted = noted;
}

/* ---- ICMP errors ---- */

/* What an error says of the way to the address that it quotes; false: nothing (a closed port, a packet too
 * big, a bad header). RFC 792, 1122, 1812, 4443. */
static bool report_of(const struct packet *packet, enum report *report)
{
    enum { NOTHING = 0xff };
    static const uint8_t unreachable_v4[] = {[0] = REPORT_UNREACHABLE,
                                             [1] = REPORT_UNREACHABLE,
                                             [2] = NOTHING,
                                             [3] = NOTHING,
                                             [4] = NOTHING,
                                             [5] = REPORT_UNREACHABLE,
                                             [6] = REPORT_UNREACHABLE,
                                             [7] = REPORT_UNREACHABLE,
                                             [8] = REPORT_UNREACHABLE,
                                             [9] = REPORT_PROHIBITED,
                                             [10] = REPORT_PROHIBITED,
                                             [11] = REPORT_UNREACHABLE,
                                             [12] = REPORT_UNREACHABLE,
                                             [13] = REPORT_PROHIBITED};
    static const uint8_t unreachable_v6[] = {REPORT_UNREACHABLE, REPORT_PROHIBITED, NOTHING,
                                             REPORT_UNREACHABLE, NOTHING,           REPORT_PROHIBITED,
                                             REPORT_PROHIBITED};
    bool is_v6 = packet->ip_version == 6;
    uint8_t type = packet->icmp_type, code = packet->icmp_code, found = NOTHING;
    if (type == (is_v6 ? 3 : 11) && code == 0)
        found = REPORT_EXCEEDED;
    else if (is_v6 && type == 1 && code < sizeof unreachable_v6)
        found = unreachable_v6[code];
    else if (!is_v6 && type == 3 && code < sizeof unreachable_v4)
        found = unreachable_v4[code];
    *report = (enum report)found;
    return found != NOTHING;
}

/* Whether an error says of a whole network that no way leads there. */
static bool is_no_route(const struct packet *packet)
{
    uint8_t code = packet->icmp_code;
    if (packet->ip_version == 6)
        return packet->icmp_type == 1 && code == 0;
    return packet->icmp_type == 3 && (code == 0 || code == 5 || code == 6 || code == 11);
}

/* The path on which a known router stands; SCOPE_NONE. */
static uint32_t path_of_router(const struct scope_list *scopes, const uint8_t address[16])
{
    for (uint32_t i = 0; i < scopes->router_count; i++)
        if (memcmp(scopes->routers[i].address, address, 16) == 0)
            return scopes->routers[i].path;
    return SCOPE_NONE;
}

void count_icmp_error(struct count *count, const struct packet *packet, uint32_t watch, bool own)
{
    static const enum tally_measure measures[] = {TALLY_icmp_unreachable, TALLY_icmp_prohibited,
                                                  TALLY_icmp_exceeded};
    struct end_scopes scopes = {.count = 0};
    enum report report;
    bool reports = report_of(packet, &report) && !own;
    if (counted(count, watch))
        end_scopes_add(&scopes, SCOPE_NUMBER_ALL);
    add_end(count, &scopes, packet, packet->quoted.destination, watch);
    for (unsigned i = 0; i < scopes.count; i++) {
        count->tallies[scopes.number[i]].value[TALLY_icmp_errors]++;
        count->tallies[scopes.number[i]].value[TALLY_icmp_own] += own;
    }
    end_scopes_add(&scopes, path_of_router(count->scopes, packet->tuple.source));
    for (unsigned i = 0; i < scopes.count && reports; i++) {
        struct tally *tally = &count->tallies[scopes.number[i]];
        tally->value[measures[report]]++;
        tally->value[TALLY_icmp_no_route] += is_no_route(packet);
        reporters_add(tally->reporter, packet->tuple.source, report);
    }
}

/* Routers' words about the watched side cease with what is said to it, and so are no control of a leg. */
void count_no_control(struct count *count, const struct packet *packet)
{
    count->run.of_leg[leg_of(count, packet)]--;
}

/* ---- flows ---- */

/* The scopes of one watched side of a flow, `all` and services included. */
static void add_side(const struct count *count, struct end_scopes *scopes, const struct packet *packet,
                     const struct flow *flow, unsigned side)
{
    if (counted(count, flow->watch[side]))
        end_scopes_add(scopes, SCOPE_NUMBER_ALL);
    add_end(count, scopes, packet, flow->address[side], flow->watch[side]);
    if (side == flow->server)
        add_services(scopes, flow);
}

/* … but for those that the other side belongs to as well. */
static void add_side_alone(const struct count *count, struct end_scopes *scopes, const struct packet *packet,
                           const struct flow *flow, unsigned side)
{
    struct end_scopes own = {.count = 0}, others = {.count = 0};
    add_side(count, &own, packet, flow, side);
    add_side(count, &others, packet, flow, !side);
    for (unsigned i = 0; i < own.count; i++)
        if (!end_scopes_has(&others, own.number[i]))
            end_scopes_add(scopes, own.number[i]);
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
        else if (measure == TALLY_proven_flows)
            tally_span_add(&tally->proven, at_ns);
        else if (measure == TALLY_acked_flows)
            tally_span_add(&tally->acked, at_ns);
    }
}

/* Whether it begins a burst is known when the interval is closed, or when many have come. */
static void note_sign(struct count *count, const struct packet *packet, struct flow *flow, unsigned side,
                      enum burst_sign kind, const struct end_scopes *scopes)
{
    const struct sign sign = {.at_ns = packet->time_ns,
                              .order = packet->order,
                              .flow = flow,
                              .triple = burst_triple_of(flow, side),
                              .scopes = *scopes,
                              .kind = kind,
                              .side = (uint8_t)side};
    signs_add(&count->signs, &sign);
}

void count_flow_ended(struct count *count, const struct flow *flow)
{
    signs_forget_flow(&count->signs, flow);
}

/* The first packet of a watched side makes the flow live for that side's scopes, but for those that the other
 * side has made it live for before. */
static void count_live(struct count *count, const struct packet *packet, struct flow *flow, unsigned side)
{
    struct end_scopes scopes = {.count = 0};
    if (flow->spoke[!side])
        add_side_alone(count, &scopes, packet, flow, side);
    else
        add_side(count, &scopes, packet, flow, side);
    bump(count, &scopes, TALLY_live_flows, packet->time_ns);
    flow->live = true;
    note_sign(count, packet, flow, side, BURST_LIVE, &scopes);
}

/* How many routers a packet has passed: senders begin with 32, 64, 128 or 255. */
static unsigned hops_of(uint8_t ttl)
{
    return (ttl <= 32 ? 32U : ttl <= 64 ? 64U : ttl <= 128 ? 128U : 255U) - ttl;
}

/* A scope of both sides has the hops of the one that serves. */
static void count_hops(struct count *count, const struct packet *packet, const struct flow *flow)
{
    struct end_scopes done = {.count = 0};
    for (unsigned i = 0; i < 2; i++) {
        unsigned side = i == 0 ? flow->server : !flow->server, before = done.count;
        if (flow->watched[side])
            add_side(count, &done, packet, flow, side);
        for (unsigned j = before; j < done.count; j++)
            count->tallies[done.number[j]].value[TALLY_answered_hops] += hops_of(flow->end[side].ttl);
    }
}

/* Both sides have been heard. A flow between two watched hosts is a sign of life of each, and may begin a
 * burst of the one and not of the other; a scope of both counts it once. */
static void count_answered(struct count *count, const struct packet *packet, struct flow *flow,
                           const struct end_scopes *both)
{
    bump(count, both, TALLY_answered_flows, packet->time_ns);
    count_hops(count, packet, flow);
    flow->answered = true;
    for (unsigned side = 0; side < 2; side++)
        if (flow->watched[side]) {
            struct end_scopes own = {.count = 0};
            add_side(count, &own, packet, flow, side);
            note_sign(count, packet, flow, side, BURST_ANSWERED, &own);
        }
    if (flow->watched[0] && flow->watched[1])
        count->signs.items[count->signs.count - 1].second = true;
}

/* Whether the first packet of a flow asks something, and does not only answer what the tap may have missed:
 * a reflector's answer to a forged address begins a flow too. */
static bool is_question(const struct packet *packet, const struct flow *flow)
{
    switch (flow->protocol) {
    case PROTOCOL_TCP:
        return flow->first == 0 && !(packet->tcp_flags & TCP_RST);
    case PROTOCOL_UDP:
        return !is_reflector(flow->end[0].port);
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return packet->icmp_type == flow->family; /* the request's */
    default:
        return true;
    }
}

/* Whether a packet is an answer by its form. That can be forged, but whoever forges addresses wants to be
 * answered, and sends questions. */
static bool is_answer(const struct packet *packet, const struct flow *flow, unsigned side)
{
    const uint8_t opening = TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST;
    switch (flow->protocol) {
    case PROTOCOL_TCP:
        return (packet->tcp_flags & opening) == (TCP_SYN | TCP_ACK) || (flow->tcp.news & TCP_PROOF);
    case PROTOCOL_UDP:
        return is_reflector(flow->end[side].port) && !is_reflector(flow->end[!side].port);
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6:
        return packet->icmp_type != flow->family;
    default:
        return false;
    }
}

/* Whether a packet of a side shows that it hears the other, which nobody off the path does: it answers a
 * question, or acknowledges over TCP by the number. All else that comes back to a packet of its own comes to
 * a forged address too. Where the tap does not see the other side an answer has to do. */
static bool hears(const struct packet *packet, const struct flow *flow, unsigned side)
{
    if (!flow->spoke[!side])
        return is_answer(packet, flow, side);
    return flow->protocol == PROTOCOL_TCP ? (flow->tcp.news & TCP_HEARD) != 0 : side == 1 && flow->asked;
}

/* A watched side proves that it lives to its scopes, but for those of which the other side is a part. */
static void count_proven(struct count *count, const struct packet *packet, struct flow *flow, unsigned side)
{
    struct end_scopes scopes = {.count = 0};
    add_side_alone(count, &scopes, packet, flow, side);
    bump(count, &scopes, TALLY_proven_flows, packet->time_ns);
    flow->proven |= (uint8_t)(1 << side);
    note_sign(count, packet, flow, side, BURST_PROVEN, &scopes);
}

/* The start counts for both sides, and as a knock for who is asked from outside. */
static void count_start(struct count *count, const struct packet *packet, struct flow *flow,
                        const struct end_scopes *both)
{
    struct end_scopes asked = {.count = 0};
    bump(count, both, TALLY_flows, packet->time_ns);
    flow->asked = is_question(packet, flow);
    if (flow->asked)
        add_side_alone(count, &asked, packet, flow, 1);
    bump(count, &asked, TALLY_knocks, packet->time_ns);
}

/* What its acknowledgements prove, of the side that answered and of the other. */
static void count_proofs(struct count *count, const struct packet *packet, struct flow *flow, unsigned side)
{
    if ((flow->tcp.news & TCP_ANSWER) && flow->watched[side]) {
        struct end_scopes own = {.count = 0};
        add_side(count, &own, packet, flow, side);
        for (unsigned i = 0; i < own.count; i++) {
            count->tallies[own.number[i]].value[TALLY_handshakes]++;
            count->tallies[own.number[i]].value[TALLY_handshake_us] += flow->tcp.side[side].round_trip_us;
        }
    }
    if ((flow->tcp.news & TCP_PROOF) && flow->watched[!side] && !flow->acked) {
        struct end_scopes heard = {.count = 0};
        add_side_alone(count, &heard, packet, flow, !side);
        flow->acked = true;
        bump(count, &heard, TALLY_acked_flows, packet->time_ns);
    }
}

/* Has the signs judged that have come so far when there may be no room for the next packet's, or when they
 * would no longer all be in the cache. One that counts alone sees all of them in their order at any time. One
 * of several would have had to wait for the others': what it judges for want of room it judges by its own,
 * so that a burst which others saw too may count twice. */
static void make_room(struct count *count)
{
    enum { ALONE = 1 << 12, SHARED = SIGNS_MAX - SIGNS_OF_PACKET };
    if (count->signs.count < (size_t)(count->shared ? SHARED : ALONE))
        return;
    count->health->signs_apart += count->shared ? count->signs.count : 0;
    judge(&count, 1, count->burst);
}

void count_flow(struct count *count, const struct packet *packet, struct flow *flow, unsigned side,
                bool started)
{
    bool answered = !flow->answered && flow->spoke[0] && flow->spoke[1];
    struct end_scopes both = {.count = 0};
    if (started || answered) {
        add_side(count, &both, packet, flow, 0);
        add_side(count, &both, packet, flow, 1);
    }
    if (started)
        count_start(count, packet, flow, &both);
    if (flow->watched[side] && flow->end[side].packets == 1)
        count_live(count, packet, flow, side);
    if (answered)
        count_answered(count, packet, flow, &both);
    if (flow->watched[side] && !(flow->proven >> side & 1) && hears(packet, flow, side))
        count_proven(count, packet, flow, side);
    if (flow->tcp.news != 0)
        count_proofs(count, packet, flow, side);
    make_room(count);
}

/* Of a flow whose service is known by its name only now: what it told beyond its packets. */
static void credit_proofs(struct tally *tally, const struct flow *flow)
{
    const struct tcp_side *server = &flow->tcp.side[flow->server], *client = &flow->tcp.side[!flow->server];
    if (server->known & TCP_TIMED) {
        tally->value[TALLY_handshakes]++;
        tally->value[TALLY_handshake_us] += server->round_trip_us;
    }
    tally->value[TALLY_answered_hops] += flow->answered ? hops_of(flow->end[flow->server].ttl) : 0;
    tally->value[TALLY_acked_flows] += flow->acked;
    tally->value[TALLY_knocks] += flow->asked && flow->server == 1;
    tally->value[TALLY_retransmits_out] += server->retransmits;
    tally->value[TALLY_retransmits_in] += client->retransmits;
    tally->value[TALLY_unseen_acks_out] += server->unseen_acks;
    tally->value[TALLY_unseen_acks_in] += client->unseen_acks;
    if (flow->first == flow->server)
        tally->value[TALLY_oneway_out] += flow->packets_alone;
    else if (flow->protocol == PROTOCOL_UDP && is_reflector(flow->end[!flow->server].port))
        tally->value[TALLY_reflected_in] += flow->packets_alone;
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
    if (flow->live_burst >> server & 1)
        bump(count, &scopes, TALLY_live_bursts, at_ns);
    if (flow->answered)
        bump(count, &scopes, TALLY_answered_flows, at_ns);
    if (flow->answered_burst >> server & 1)
        bump(count, &scopes, TALLY_answered_bursts, at_ns);
    if (flow->proven >> server & 1)
        bump(count, &scopes, TALLY_proven_flows, at_ns);
    if (flow->proven_burst >> server & 1)
        bump(count, &scopes, TALLY_proven_bursts, at_ns);
    signs_credit(&count->signs, flow, server, scope);
    tally->value[TALLY_packets_out] += flow->end[server].packets;
    tally->value[TALLY_bytes_out] += flow->end[server].bytes;
    tally->value[TALLY_packets_in] += flow->end[!server].packets;
    tally->value[TALLY_bytes_in] += flow->end[!server].bytes;
    tally->value[TALLY_syn_in] += flow->end[!server].syns;
    credit_proofs(tally, flow);
    if (flow->spoke[server])
        count_address(count, scope, ROLE_HOST, flow->address[server]);
    count_address(count, scope, ROLE_PEER, flow->address[!server]);
}
