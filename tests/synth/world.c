/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "fate.h"
#include "frame.h"
#include "heap.h"
#include "prng.h"
#include "talk.h"
#include "world.h"

/* Flows come from sources: one for each kind of each traffic, each scan, each burst. */
struct source {
    const struct traffic *traffic;
    const struct scan *scan;
    const struct burst *burst;
    const struct forged *forged;
    enum kind kind;
    const struct curve *curve;
    double mean_gap_s; /* where the curve is at its top */
    double curve_max;
    int64_t from_ns, to_ns, grows_ns;
    struct prng prng;
};

/* A flow under way. */
struct flow {
    struct talk talk;
    uint32_t address[2]; /* by side */
    uint16_t port[2];
    enum side watched;
    struct place place;
    double lot;
    const struct path *path; /* NULL: none is known */
    uint16_t vlan;
    uint32_t sequence[2];
    int at;           /* the step to come */
    int tries, tried; /* repeats that the outside makes when nobody answers, and has made */
    int said;         /* last step of the outside that was not answered yet; -1: none */
    uint32_t said_sequence, inner_sequence; /* of `said`, and of the last step of the watched side */
    int64_t said_ns;
    int resent;                  /* times the watched side has repeated its step */
    bool broken;                 /* the watched side was cut off in the middle and has forgotten it */
    const struct forged *forged; /* the watched side has nothing to do with it; NULL: it has */
    bool heard[2];
};

struct world {
    const struct script *script;
    struct output *output;
    bool nanoseconds, out_of_memory;
    struct world_counts *counts;
    struct heap heap;
    struct prng prng; /* for the tap's losses and the routers' errors */
    struct prng road; /* for losses on the road */
    uint16_t port;    /* last one handed out to a client */
    int source_count;
    struct source source[TRAFFIC_MAX * KIND__COUNT + SCANS_MAX + OUTAGES_MAX + BURSTS_MAX + FORGED_MAX];
};

/* The first tick of the scenario's grain at or after an instant: every packet has its true time in the file.
 * Ticks are counted within each second, for which a grain with few odd bits (4.096 ms) compresses best. */
static int64_t on_grain(const struct world *world, int64_t t_ns)
{
    int64_t second_ns = clock_floor(t_ns, NS_PER_S), grain_ns = world->script->grain_ns;
    int64_t tick_ns = clock_floor(t_ns - second_ns + grain_ns - 1, grain_ns);
    return second_ns + (tick_ns < NS_PER_S ? tick_ns : NS_PER_S);
}

/* Returns false, and the event will not happen, when it lies after the scenario's end or there is no memory.
 */
static bool later(struct world *world, int64_t t_ns, void (*act)(struct world *, void *, int64_t), void *what)
{
    t_ns = on_grain(world, t_ns);
    if (t_ns >= world->script->to_ns)
        return false;
    if (heap_push(&world->heap, (struct event){t_ns, 0, act, what}) == 0)
        return true;
    world->out_of_memory = true;
    return false;
}

/* A number that belongs to an address, for what differs between hosts but not over time. */
static uint32_t trait(uint32_t address)
{
    address = (address ^ address >> 16) * 0x45d9f3bU;
    address = (address ^ address >> 16) * 0x45d9f3bU;
    return address ^ address >> 16;
}

static const uint8_t mac_near[6] = {0x02, 0, 0, 0, 0, 0x01}, mac_far[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t mac_everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Who falls silent in an outage. */
static enum side inner_side(const struct flow *flow)
{
    return flow->watched == SIDE_NONE ? SIDE_SERVER : flow->watched;
}

/* The sender's address is watched, and it was another who sent. */
static bool is_forged(const struct world *world, const struct flow *flow, enum side side)
{
    return flow->forged != NULL && ranges_hold(&world->script->watch, flow->address[side]);
}

/* Packets from the watched side come from their path's router; everything else, forged packets too, lives
 * between two MAC addresses. */
static void address_link(const struct world *world, const struct flow *flow, enum side side,
                         struct frame *frame)
{
    const struct path *path = is_forged(world, flow, side) ? NULL : flow->path;
    bool labelled = path != NULL && !world->script->tap.unlabelled;
    const uint8_t *server = labelled ? path->mac : mac_far;
    bool from_far = side == inner_side(flow);
    frame->source_mac = from_far ? server : mac_near;
    frame->target_mac = from_far ? mac_near : server;
    frame->vlan = labelled ? path->vlan : path != NULL || world->script->tap.unlabelled ? 0 : flow->vlan;
    if (frame->protocol == PROTOCOL_ARP && side == SIDE_CLIENT)
        frame->target_mac = mac_everybody;
}

static uint8_t ttl_of(const struct world *world, const struct flow *flow, enum side side)
{
    uint32_t address = flow->address[side];
    if (is_forged(world, flow, side) && flow->forged->ttl != 0)
        return flow->forged->ttl;
    if (side != flow->watched || flow->forged != NULL)
        return (uint8_t)(64 - 5 - trait(address) % 15);
    const struct host *host = script_host(world->script, address);
    if (host != NULL && host->ttl != 0)
        return host->ttl;
    return flow->path != NULL && flow->path->ttl != 0 ? flow->path->ttl : world->script->ttl;
}

static uint8_t protocol_of(enum kind kind)
{
    switch (kind) {
    case KIND_PING:
        return PROTOCOL_ICMP;
    case KIND_ARP:
        return PROTOCOL_ARP;
    case KIND_DNS:
    case KIND_NTP:
    case KIND_UDP:
        return PROTOCOL_UDP;
    default:
        return PROTOCOL_TCP;
    }
}

/* Fills the frame of a step; the payload goes to `payload`. */
static void fill_frame(const struct flow *flow, const struct step *step, struct frame *frame,
                       uint8_t *payload)
{
    enum side side = (enum side)step->side, other = side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    *frame = (struct frame){.source = flow->address[side],
                            .target = flow->address[other],
                            .protocol = protocol_of(flow->talk.kind),
                            .flags = step->flags,
                            .source_port = flow->port[side],
                            .target_port = flow->port[other],
                            .sequence = flow->sequence[side],
                            .acknowledged = flow->sequence[other],
                            .payload = payload};
    frame->payload_bytes = talk_payload(&flow->talk, step, payload);
    if (frame->protocol == PROTOCOL_ICMP) {
        frame->icmp_type = side == SIDE_CLIENT ? 8 : 0;
        frame->source_port = flow->port[SIDE_CLIENT];
        frame->target_port = step->offset;
    } else if (frame->protocol == PROTOCOL_ARP) {
        frame->icmp_type = side == SIDE_CLIENT ? 1 : 2;
    }
}

/* The VLAN by which the flow's packets come, be the tag seen or not. */
static uint16_t leg_of(const struct flow *flow)
{
    return flow->path != NULL ? flow->path->vlan : flow->vlan;
}

static bool tap_sees(struct world *world, const struct flow *flow, enum direction direction, int64_t t_ns)
{
    int path = world->script->tap.path_index;
    if (path >= 0 && flow->watched != SIDE_NONE && flow->forged == NULL && flow->place.path != path)
        return false;
    double loss = fate_tap_loss(world->script, direction, leg_of(flow), t_ns);
    return loss <= 0 || (loss < 1 && !prng_chance(&world->prng, loss));
}

static void count_packet(struct world *world, struct flow *flow, enum side side)
{
    world->counts->packets++;
    world->counts->forged += is_forged(world, flow, side);
    if (flow->watched == SIDE_NONE || flow->forged != NULL)
        return;
    if (side == flow->watched)
        world->counts->packets_out++;
    else
        world->counts->packets_in++;
    bool first = !flow->heard[0] && !flow->heard[1];
    bool both = !flow->heard[side] && !first;
    flow->heard[side] = true;
    world->counts->flows += first;
    world->counts->answered_flows += both;
}

/* A word that the flow's packet did not arrive. */
struct error {
    struct frame frame;
    uint8_t quoted[28], mac[6];
};

static void refuse(struct world *world, void *what, int64_t t_ns)
{
    struct error *refusal = what;
    uint8_t bytes[FRAME_MAX_BYTES];
    size_t length = frame_build(&refusal->frame, bytes);
    output_pcap_packet(world->output, world->nanoseconds, t_ns, bytes,
                       fate_kept(world->script, length, t_ns));
    world->counts->packets++;
    free(refusal);
}

/* Some packets are answered with an ICMP error that bears the head of the packet. */
static void maybe_refuse(struct world *world, const struct flow *flow, const struct frame *frame,
                         const struct refusal *how, int64_t t_ns)
{
    const uint32_t who[] = {[REFUSER_PATH] = flow->path != NULL ? flow->path->router : 0,
                            [REFUSER_ADDRESS] = how->address,
                            [REFUSER_HOST] = frame->target};
    if (who[how->by] == 0 || !prng_chance(&world->prng, how->share) ||
        !tap_sees(world, flow, DIRECTION_OUT, t_ns))
        return;
    struct error *refusal = calloc(1, sizeof *refusal);
    if (refusal == NULL) {
        world->out_of_memory = true;
        return;
    }
    uint8_t bytes[FRAME_MAX_BYTES];
    frame_build(frame, bytes);
    memcpy(refusal->quoted, bytes + (frame->vlan != 0 ? 18 : 14), sizeof refusal->quoted);
    memcpy(refusal->mac, frame->target_mac, sizeof refusal->mac); /* it lies where the packet went */
    refusal->frame =
        (struct frame){.source_mac = refusal->mac,
                       .target_mac = mac_near,
                       .vlan = frame->vlan,
                       .source = who[how->by],
                       .target = frame->source,
                       .ttl = how->by == REFUSER_HOST ? ttl_of(world, flow, inner_side(flow)) : 55,
                       .protocol = PROTOCOL_ICMP,
                       .icmp_type = how->type,
                       .icmp_code = how->code,
                       .payload = refusal->quoted,
                       .payload_bytes = sizeof refusal->quoted};
    if (!later(world, t_ns + 20 * NS_PER_MS, refuse, refusal))
        free(refusal);
}

/* What is wrong with the road for a packet towards the watched side: the answer of an outage's routers, or of
 * the path's, which know that nobody lives there; NULL: nothing. `reaches` says whether it passes the tap. */
static const struct refusal *inward_refusal(struct world *world, const struct flow *flow, int64_t t_ns,
                                            bool *reaches)
{
    const struct script *script = world->script;
    const struct outage *outage = fate_silenced(script, &flow->place, flow->lot, t_ns);
    *reaches = outage == NULL || fate_reaches_tap(script, outage);
    if (outage != NULL)
        return outage->inbound == INBOUND_WITHDRAWN || *reaches ? &outage->refusal : NULL;
    bool empty = flow->watched == SIDE_SERVER && flow->path != NULL && flow->path->refusal.share > 0 &&
                 script_host(script, flow->place.address) == NULL;
    return empty ? &flow->path->refusal : NULL;
}

/* Sends a step. The caller has made sure that a watched sender can speak. */
static void send_step(struct world *world, struct flow *flow, const struct step *step, int64_t t_ns)
{
    enum side side = (enum side)step->side;
    struct frame frame;
    uint8_t payload[MESSAGE_MAX_BYTES], bytes[FRAME_MAX_BYTES];
    fill_frame(flow, step, &frame, payload);
    frame.ttl = ttl_of(world, flow, side);
    address_link(world, flow, side, &frame);
    flow->sequence[side] +=
        (uint32_t)frame.payload_bytes + !!(step->flags & TCP_SYN) + !!(step->flags & TCP_FIN);
    bool outward = side == inner_side(flow), reaches = true;
    const struct refusal *refusal = NULL;
    if (flow->watched != SIDE_NONE && !outward && !is_forged(world, flow, side))
        refusal = inward_refusal(world, flow, t_ns, &reaches);
    if (!reaches)
        return;
    if (tap_sees(world, flow, outward ? DIRECTION_OUT : DIRECTION_IN, t_ns)) {
        size_t length = frame_build(&frame, bytes);
        output_pcap_packet(world->output, world->nanoseconds, t_ns, bytes,
                           fate_kept(world->script, length, t_ns));
        count_packet(world, flow, side);
    }
    if (refusal != NULL && refusal->share > 0)
        maybe_refuse(world, flow, &frame, refusal, t_ns);
}

static void play_step(struct world *world, void *what, int64_t t_ns);

/* Puts the next step on the calendar, or ends the flow. */
static void go_on(struct world *world, struct flow *flow, int64_t t_ns)
{
    if (flow->at < flow->talk.count) {
        const struct step *step = &flow->talk.step[flow->at];
        t_ns += step->after_us * 1000LL;
        if (step->side == flow->watched && flow->forged == NULL)
            t_ns += fate_delay(world->script, &flow->place, t_ns);
    }
    if (flow->at == flow->talk.count || !later(world, t_ns, play_step, flow))
        free(flow);
}

static bool is_cut_off(const struct world *world, const struct flow *flow, int64_t t_ns)
{
    return flow->forged == NULL && (fate_silenced(world->script, &flow->place, flow->lot, t_ns) != NULL ||
                                    fate_blocked(world->script, &flow->place, t_ns));
}

/* Whether a packet gets lost between the tap and the watched side. */
static bool gets_lost(struct world *world, const struct flow *flow, int64_t t_ns)
{
    double share =
        flow->watched == SIDE_NONE || flow->forged != NULL ? 0 : fate_lost(world->script, &flow->place, t_ns);
    return share > 0 && prng_chance(&world->road, share);
}

static void repeat(struct world *world, void *what, int64_t t_ns);

/* Nobody answers: the outside says its last word again after 1, 3 and 7 s, and gives up. */
static void wait_in_vain(struct world *world, struct flow *flow)
{
    static const int64_t waits_ns[] = {1 * NS_PER_S, 3 * NS_PER_S, 7 * NS_PER_S};
    if (flow->said < 0 || flow->tried >= flow->tries ||
        !later(world, flow->said_ns + waits_ns[flow->tried], repeat, flow))
        free(flow);
}

static void repeat(struct world *world, void *what, int64_t t_ns)
{
    struct flow *flow = what;
    const struct step *step = &flow->talk.step[flow->said];
    uint32_t next = flow->sequence[step->side];
    flow->sequence[step->side] = flow->said_sequence;
    send_step(world, flow, step, t_ns);
    flow->sequence[step->side] = next;
    flow->tried++;
    /* A host that has come back answers a SYN or a question, but knows nothing of an old connection. */
    if ((flow->said == 0 || !flow->broken) && !gets_lost(world, flow, t_ns))
        go_on(world, flow, t_ns);
    else
        wait_in_vain(world, flow);
}

/* The watched side repeats its last step, whose acknowledgement was lost, and waits on. */
static void repeat_answer(struct world *world, void *what, int64_t t_ns)
{
    struct flow *flow = what;
    const struct step *step = &flow->talk.step[flow->said - 1];
    uint32_t next = flow->sequence[step->side];
    flow->sequence[step->side] = flow->inner_sequence;
    if (!is_cut_off(world, flow, t_ns) && !gets_lost(world, flow, t_ns))
        send_step(world, flow, step, t_ns);
    flow->sequence[step->side] = next;
    wait_in_vain(world, flow);
}

/* A word from outside did not arrive: whoever waits for something says it again. */
static void miss_question(struct world *world, struct flow *flow, int64_t t_ns)
{
    const struct step *before = flow->said > 0 ? &flow->talk.step[flow->said - 1] : NULL;
    bool waits = before != NULL && before->side == (uint8_t)inner_side(flow) &&
                 protocol_of(flow->talk.kind) == PROTOCOL_TCP &&
                 (before->message != MESSAGE_NONE || (before->flags & TCP_SYN));
    if (waits && flow->resent++ < 3 && later(world, t_ns + 600 * NS_PER_MS, repeat_answer, flow))
        return;
    wait_in_vain(world, flow);
}

/* A word of the watched side did not arrive at the tap: the outside asks again where it waits for an answer,
 * else the watched side says it again after 1, 2, 4 s, of its own accord. */
static void miss_answer(struct world *world, struct flow *flow, int64_t t_ns)
{
    if (flow->said >= 0)
        wait_in_vain(world, flow);
    else if (flow->resent >= 3 || !later(world, t_ns + (NS_PER_S << flow->resent++), play_step, flow))
        free(flow);
}

static void play_step(struct world *world, void *what, int64_t t_ns)
{
    struct flow *flow = what;
    const struct step *step = &flow->talk.step[flow->at];
    bool watched = step->side == (uint8_t)inner_side(flow);
    if (watched && is_cut_off(world, flow, t_ns)) {
        flow->broken = true;
        wait_in_vain(world, flow);
        return;
    }
    if (watched && gets_lost(world, flow, t_ns)) {
        miss_answer(world, flow, t_ns);
        return;
    }
    if (watched) {
        flow->said = -1;
        flow->inner_sequence = flow->sequence[step->side];
    } else if (flow->at == 0 || step->message != MESSAGE_NONE || (step->flags & (TCP_SYN | TCP_FIN))) {
        flow->said = flow->at;
        flow->said_sequence = flow->sequence[step->side];
        flow->said_ns = t_ns;
        flow->tried = 0;
    }
    send_step(world, flow, step, t_ns);
    flow->at++;
    if (!watched && flow->said == flow->at - 1 && gets_lost(world, flow, t_ns))
        miss_question(world, flow, t_ns);
    else
        go_on(world, flow, t_ns);
}

/* Clients' ports are handed out one after the other; peers in the control traffic keep theirs for time and
 * echo. */
static uint16_t client_port(struct world *world, enum kind kind, uint32_t client, enum side watched)
{
    if (watched == SIDE_NONE && kind == KIND_NTP)
        return 123;
    if (watched == SIDE_NONE && kind == KIND_PING)
        return (uint16_t)trait(client);
    world->port = world->port < 32768 || world->port >= 60999 ? 32768 : (uint16_t)(world->port + 1);
    return world->port;
}

static struct flow *new_flow(struct world *world, struct prng *prng, enum kind kind,
                             const uint32_t address[2], enum side watched, int64_t t_ns)
{
    static const uint16_t ports[KIND__COUNT + 1] = {
        [KIND_HTTP] = 80, [KIND_HTTPS] = 443, [KIND_SMTP] = 25, [KIND_DNS] = 53, [KIND_NTP] = 123};
    struct flow *flow = calloc(1, sizeof *flow);
    int paths[PATHS_MAX], path_count = 0;
    uint32_t salt = prng_next(prng), path_lot = prng_next(prng);
    double lot = prng_unit(prng);
    if (flow == NULL) {
        world->out_of_memory = true;
        return NULL;
    }
    flow->talk.kind = kind;
    flow->talk.salt = salt;
    memcpy(flow->address, address, sizeof flow->address);
    flow->port[SIDE_CLIENT] = client_port(world, kind, address[SIDE_CLIENT], watched);
    flow->port[SIDE_SERVER] = ports[kind];
    flow->sequence[SIDE_CLIENT] = salt << 24; /* few random bits, so that a capture compresses */
    flow->sequence[SIDE_SERVER] = salt << 24 | 1 << 16;
    flow->watched = watched;
    flow->said = -1;
    flow->lot = lot;
    flow->place = (struct place){watched == SIDE_NONE ? 0 : address[watched], -1, -1,
                                 address[watched == SIDE_SERVER ? SIDE_CLIENT : SIDE_SERVER]};
    if (watched != SIDE_NONE)
        path_count = script_paths(world->script, flow->place.address, paths);
    if (path_count > 0)
        flow->place.path = paths[path_lot % (uint32_t)path_count];
    int moved = watched == SIDE_NONE ? -1 : script_moved(world->script, flow->place.address, t_ns);
    if (moved >= 0)
        flow->place.path = moved;
    if (flow->place.path >= 0)
        flow->path = &world->script->path[flow->place.path];
    return flow;
}

/* The time from the tap to each side and back. */
static void round_trips(const struct world *world, const struct flow *flow, uint32_t rtt_us[2])
{
    for (int side = 0; side < 2; side++) {
        rtt_us[side] = 10000 + trait(flow->address[side]) % 120 * 1000;
        if ((enum side)side == flow->watched)
            rtt_us[side] =
                (uint32_t)((flow->path != NULL && flow->path->rtt_ns != 0 ? flow->path->rtt_ns
                                                                          : world->script->rtt_ns) /
                           1000);
    }
}

/* Some callers call more often than others. */
static uint32_t pick_caller(struct prng *prng, const struct ranges *ranges)
{
    double place = prng_unit(prng);
    return ranges_pick(ranges, (uint32_t)(place * place * ranges_size(ranges)));
}

static uint32_t pick(struct prng *prng, const struct ranges *ranges)
{
    return ranges_pick(ranges, prng_below(prng, ranges_size(ranges)));
}

/* What a name server answers: the address of the service of that name, or of the server itself. */
static uint32_t answer_for(const struct script *script, const char *name, uint32_t server)
{
    for (int i = 0; i < script->traffic_count; i++) {
        const struct traffic *traffic = &script->traffic[i];
        if (traffic->role != ROLE_SERVICE || traffic->rate[KIND_DNS] > 0)
            continue;
        for (int at = 0; at < traffic->name.count; at++)
            if (strcmp(traffic->name.item[at], name) == 0)
                return traffic->servers.item[0].first;
    }
    return server;
}

static void open_flow(struct world *world, struct source *source, uint32_t caller, int64_t t_ns)
{
    const struct traffic *traffic = source->traffic;
    static const enum side watched[] = {
        [ROLE_SERVICE] = SIDE_SERVER, [ROLE_OUTWARD] = SIDE_CLIENT, [ROLE_CONTROL] = SIDE_NONE};
    uint32_t server = pick(&source->prng, &traffic->servers);
    uint32_t name = prng_below(&source->prng, (uint32_t)traffic->name.count);
    struct flow *flow = new_flow(world, &source->prng, source->kind, (uint32_t[2]){caller, server},
                                 watched[traffic->role], t_ns);
    if (flow == NULL)
        return;
    if (source->kind == KIND_TCP)
        flow->port[SIDE_SERVER] = traffic->port;
    if (traffic->role != ROLE_OUTWARD)
        flow->place.service = (int)(traffic - world->script->traffic);
    flow->vlan = traffic->vlan;
    flow->tries = source->kind == KIND_PING ? 0 : source->kind == KIND_DNS ? 2 : 3;
    flow->talk.name = traffic->name.item[name];
    flow->talk.response_bytes = traffic->response_bytes;
    flow->talk.answer = answer_for(world->script, flow->talk.name, server);
    uint32_t rtt_us[2];
    round_trips(world, flow, rtt_us);
    talk_plan(&flow->talk, rtt_us);
    if (!later(world, t_ns, play_step, flow))
        free(flow);
}

/* One visit: a few flows of one caller, a second or so apart. */
static void visit(struct world *world, struct source *source, int64_t t_ns)
{
    uint32_t caller = pick_caller(&source->prng, &source->traffic->callers);
    uint32_t flows = prng_geometric(&source->prng, source->traffic->flows_per_visit);
    for (uint32_t i = 0; i < flows; i++) {
        open_flow(world, source, caller, t_ns);
        t_ns += (int64_t)(prng_exponential(&source->prng, 1.5) * 1e6) * 1000;
    }
}

static void storm(struct world *world, struct source *source, int64_t t_ns)
{
    uint32_t caller = pick_caller(&source->prng, &source->traffic->callers);
    for (uint32_t i = 0; i < source->burst->flows; i++)
        open_flow(world, source, caller,
                  t_ns + (int64_t)(prng_unit(&source->prng) * (double)source->burst->over_ns));
}

static bool is_open(const struct script *script, uint32_t address, uint16_t port)
{
    for (int i = 0; i < script->traffic_count; i++) {
        const struct traffic *traffic = &script->traffic[i];
        bool open = (port == 80 && traffic->rate[KIND_HTTP] > 0) ||
                    (port == 443 && traffic->rate[KIND_HTTPS] > 0) ||
                    (port == 25 && traffic->rate[KIND_SMTP] > 0);
        if (open && traffic->role == ROLE_SERVICE && ranges_hold(&traffic->servers, address))
            return true;
    }
    return false;
}

static void probe(struct world *world, struct source *source, int64_t t_ns)
{
    const struct scan *scan = source->scan;
    struct prng *prng = &source->prng;
    uint32_t scanner = pick_caller(prng, &scan->source), address = pick(prng, &scan->target);
    uint16_t port = scan->port.item[prng_below(prng, (uint32_t)scan->port.count)];
    bool ping = prng_chance(prng, scan->ping);
    double lot = prng_unit(prng);
    struct flow *flow = new_flow(world, prng, ping ? KIND_PING : KIND_TCP, (uint32_t[2]){scanner, address},
                                 SIDE_SERVER, t_ns);
    if (flow == NULL)
        return;
    const struct host *host = script_host(world->script, address);
    enum reaction reaction = REACTION_NONE;
    if (host != NULL && lot < host->answers_scans)
        reaction = !ping && is_open(world->script, address, port) ? REACTION_OPEN : REACTION_REFUSED;
    flow->port[SIDE_SERVER] = port;
    flow->sequence[SIDE_CLIENT] = trait(scanner) << 16;
    if (reaction == REACTION_REFUSED)
        flow->sequence[SIDE_SERVER] = 0;
    uint32_t rtt_us[2];
    round_trips(world, flow, rtt_us);
    talk_plan_probe(&flow->talk, reaction, rtt_us);
    if (!later(world, t_ns, play_step, flow))
        free(flow);
}

static void forge(struct world *world, struct source *source, int64_t t_ns)
{
    const struct forged *forged = source->forged;
    uint32_t client = pick(&source->prng, &forged->source), server = pick(&source->prng, &forged->target);
    struct flow *flow =
        new_flow(world, &source->prng, forged->kind, (uint32_t[2]){client, server}, SIDE_CLIENT, t_ns);
    if (flow == NULL)
        return;
    flow->forged = forged;
    flow->port[SIDE_SERVER] = forged->port;
    flow->talk.name = "";
    uint32_t rtt_us[2];
    round_trips(world, flow, rtt_us);
    talk_plan_forged(&flow->talk, forged->seen, rtt_us);
    if (!later(world, t_ns, play_step, flow))
        free(flow);
}

static void arrive(struct world *world, void *what, int64_t t_ns);

/* The next arrival of an inhomogeneous Poisson process, by thinning (Lewis and Shedler 1979). */
static void expect_next(struct world *world, struct source *source, int64_t t_ns)
{
    while (source->mean_gap_s > 0) {
        t_ns += (int64_t)(prng_exponential(&source->prng, source->mean_gap_s) * 1e6) * 1000;
        if (t_ns >= source->to_ns || t_ns >= world->script->to_ns)
            return;
        double share = script_curve(world->script, source->curve, t_ns) / source->curve_max;
        if (t_ns < source->from_ns + source->grows_ns)
            share *= (double)(t_ns - source->from_ns) / (double)source->grows_ns;
        if (prng_chance(&source->prng, share)) {
            later(world, t_ns, arrive, source);
            return;
        }
    }
}

static void arrive(struct world *world, void *what, int64_t t_ns)
{
    struct source *source = what;
    if (source->scan != NULL)
        probe(world, source, t_ns);
    else if (source->burst != NULL)
        storm(world, source, t_ns);
    else if (source->forged != NULL)
        forge(world, source, t_ns);
    else
        visit(world, source, t_ns);
    expect_next(world, source, t_ns);
}

/* `rate` arrivals a minute. The stream number keeps sources independent of each other. */
static struct source *add_source(struct world *world, double rate, const struct curve *curve, uint64_t stream)
{
    struct source *source = &world->source[world->source_count++];
    source->curve = curve;
    source->curve_max = script_curve_max(curve);
    source->mean_gap_s = rate > 0 ? 60.0 / (rate * source->curve_max) : 0;
    source->from_ns = world->script->from_ns;
    source->to_ns = world->script->to_ns;
    prng_seed(&source->prng, world->script->seed, stream);
    return source;
}

static enum kind busiest_kind(const struct traffic *traffic)
{
    enum kind most = KIND_HTTP;
    for (int kind = 0; kind < KIND__COUNT; kind++)
        if (traffic->rate[kind] > traffic->rate[most])
            most = (enum kind)kind;
    return most;
}

static void add_sources(struct world *world)
{
    const struct script *script = world->script;
    static const struct curve flat = {0, 0, 1};
    for (int i = 0; i < script->traffic_count; i++)
        for (int kind = 0; kind < KIND__COUNT; kind++) {
            const struct traffic *traffic = &script->traffic[i];
            if (traffic->rate[kind] <= 0)
                continue;
            struct source *source = add_source(world, traffic->rate[kind] / traffic->flows_per_visit,
                                               &traffic->curve, (uint64_t)(1000 + i * KIND__COUNT + kind));
            source->traffic = traffic;
            source->kind = (enum kind)kind;
        }
    for (int i = 0; i < script->scan_count; i++) {
        struct source *source =
            add_source(world, script->scan[i].rate, &script->scan[i].curve, (uint64_t)(100 + i));
        source->scan = &script->scan[i];
        source->from_ns = script->scan[i].from_ns;
        source->to_ns = script->scan[i].to_ns;
        source->grows_ns = script->scan[i].grows_ns;
    }
    for (int i = 0; i < script->burst_count; i++) {
        const struct burst *burst = &script->burst[i];
        double rate = burst->every_ns > 0 ? 60.0 * (double)NS_PER_S / (double)burst->every_ns : 0;
        struct source *source = add_source(world, rate, &flat, (uint64_t)(200 + i));
        source->burst = burst;
        source->traffic = &script->traffic[burst->traffic];
        source->kind = busiest_kind(source->traffic);
    }
    for (int i = 0; i < script->forged_count; i++) {
        const struct forged *forged = &script->forged[i];
        struct source *source = add_source(world, forged->rate, &forged->curve, (uint64_t)(300 + i));
        source->forged = forged;
        source->from_ns = forged->from_ns;
        source->to_ns = forged->to_ns;
        source->grows_ns = forged->grows_ns;
    }
}

int world_play(const struct script *script, struct output *output, bool nanoseconds,
               struct world_counts *counts, struct fault *fault)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        return fault_set(fault, "no memory for the scenario");
    *counts = (struct world_counts){0};
    world->script = script;
    world->output = output;
    world->nanoseconds = nanoseconds;
    world->counts = counts;
    prng_seed(&world->prng, script->seed, 1);
    prng_seed(&world->road, script->seed, 3);
    add_sources(world);
    output_pcap_header(output, nanoseconds);
    for (int i = 0; i < world->source_count; i++) {
        struct source *source = &world->source[i];
        if (source->burst != NULL && source->burst->at_ns != TIME_NONE)
            later(world, source->burst->at_ns, arrive, source);
        else
            expect_next(world, source, source->from_ns);
    }
    while (world->heap.count > 0 && !world->out_of_memory) {
        struct event event = heap_pop(&world->heap);
        event.act(world, event.what, event.t_ns);
    }
    int status = world->out_of_memory ? fault_set(fault, "no memory for the flows of the scenario") : 0;
    free(world->heap.events);
    free(world);
    return status;
}

struct world_volume world_volume(const struct traffic *traffic, enum kind kind)
{
    struct world_volume volume = {{0}, {0}};
    struct flow flow = {
        .talk = {.kind = kind, .name = traffic->name.item[0], .response_bytes = traffic->response_bytes}};
    const uint32_t rtt_us[2] = {0, 0};
    uint8_t payload[MESSAGE_MAX_BYTES];
    talk_plan(&flow.talk, rtt_us);
    for (int i = 0; i < flow.talk.count; i++) {
        struct frame frame;
        fill_frame(&flow, &flow.talk.step[i], &frame, payload);
        volume.packets[flow.talk.step[i].side]++;
        volume.bytes[flow.talk.step[i].side] += (uint32_t)frame_ip_bytes(&frame);
    }
    return volume;
}
