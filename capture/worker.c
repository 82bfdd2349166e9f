/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "classify.h"
#include "count.h"
#include "decode.h"
#include "duplicate.h"
#include "fetch.h"
#include "flow.h"
#include "fragment.h"
#include "plain.h"
#include "way.h"

/* How far behind a reader's time the owners of flows may be: their packets wait for each other so long. */
static const int64_t tell_ns = 10 * NS_PER_MS;

/* Data time never runs back: `now_ns` is the latest reached. The step under way is [step_start_ns,
 * step_end_ns), its start being later than the grid where the input began within it. */
struct worker {
    struct capture_options options;
    const struct rules *rules;
    const struct scope_list *scopes;
    const struct capture_output *output;
    struct worker_part part;
    struct health *health;

    struct flow_table *flows;
    struct ways *ways;
    struct classify *classify;
    struct count *count;
    struct fragment *fragments;
    struct duplicate *duplicates;

    bool live, drops_known;
    bool
        retracing; /* up to options.resume_ns the input is only followed, so that flows stand as they stood */
    bool blind;    /* of the step under way nothing is known: the source did not see when it was opened */
    bool held_up;  /* nor does it of those that are opened: the program was held up, and what came was lost */
    int64_t now_ns, step_start_ns, step_end_ns; /* TIME_NONE: nothing came yet */
    int64_t closing_ns;                 /* where the step ends that is being closed; TIME_NONE: none is */
    int64_t told_ns;                    /* the time that the owners of flows know */
    int64_t paced_from_ns, paced_at_ns; /* data and wall time at which a paced replay began */
    int64_t first_ns, left_out_ns; /* when the first packet came, and how much was not watched since then */
    uint64_t drops_before;
    struct capture_change change; /* its rules NULL: none is ahead */
    struct packet plain;          /* the latest one that was not watched, as far as paths ask for */
    bool told_duplicates, told_uncounted;
    bool dense; /* of the latest packets most were watched */
};

/* ---- flows that end ---- */

static uint32_t first_of(uint32_t a, uint32_t b)
{
    return a != SCOPE_NONE ? a : b;
}

static void tell_flow(struct worker *worker, const struct flow *flow, enum flow_end reason)
{
    const struct way *way = ways_get(worker->ways, flow->way);
    struct flow_record record = {.start_ns = flow->start_ns,
                                 .end_ns = flow->last_ns,
                                 .known_ns =
                                     worker->closing_ns != TIME_NONE ? worker->closing_ns : worker->now_ns,
                                 .reason = reason,
                                 .protocol = flow->protocol,
                                 .answered = flow->answered,
                                 .vlan_count = way->vlan_count,
                                 .tunnel_count = way->tunnel_count,
                                 .path = way->path,
                                 .service = first_of(flow->service_by_name, flow->service_by_address)};
    struct flow_side *sides[2] = {&record.source, &record.destination};
    for (int i = 0; i < 2; i++) {
        *sides[i] = (struct flow_side){.port = flow->end[i].port,
                                       .packets = flow->end[i].packets,
                                       .bytes = flow->end[i].bytes,
                                       .watched = flow->watched[i]};
        memcpy(sides[i]->address, flow->address[i], 16);
    }
    uint32_t watch = flow->watched[1] ? flow->watch[1] : flow->watch[0];
    record.prefix = worker->rules->watches[watch].scope;
    memcpy(record.vlans, way->vlans, sizeof record.vlans);
    memcpy(record.tunnels, way->tunnels, sizeof record.tunnels);
    if (worker->classify != NULL)
        classify_name(worker->classify, flow, record.application, sizeof record.application);
    const char *domain = classify_domain(flow);
    if (domain != NULL)
        strncpy(record.domain, domain, sizeof record.domain - 1);
    worker->output->flow(worker->output->context, &record);
}

static void flow_ended(void *context, struct flow *flow, enum flow_end reason)
{
    struct worker *worker = context;
    if (worker->classify != NULL)
        classify_end(worker->classify, flow);
    count_flow_ended(worker->count, flow);
    if (worker->options.flow_records && !worker->retracing)
        tell_flow(worker, flow, reason);
    if (worker->classify != NULL)
        classify_forget(worker->classify, flow);
}

/* ---- life ---- */

struct worker *worker_new(const struct capture_options *options, const struct rules *rules,
                          const struct scope_list *scopes, const struct capture_output *output,
                          const struct worker_part *part, struct health *health, struct fault *fault)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        fault_set(fault, "no memory for a worker");
        return NULL;
    }
    *worker = (struct worker){
        .options = *options, .rules = rules, .scopes = scopes, .output = output, .health = health};
    if (part != NULL)
        worker->part = *part;
    worker->told_duplicates = worker->told_uncounted = worker->part.silent;
    worker->live = options->interface_count > 0;
    worker->now_ns = worker->closing_ns = worker->told_ns = worker->step_end_ns = worker->paced_from_ns =
        TIME_NONE;
    const struct flow_options flow_options = {.flows_max = options->flows_max,
                                              .timeout_ns = options->flow_timeout_ns};
    const struct flow_output flow_output = {.context = worker, .ended = flow_ended};
    worker->flows = flow_table_new(&flow_options, &flow_output, health);
    worker->count = count_new(options, rules, scopes, health);
    worker->ways = ways_new(health);
    worker->fragments = fragment_new(health);
    worker->duplicates = duplicate_new(health);
    if (worker->flows == NULL || worker->ways == NULL || worker->count == NULL || worker->fragments == NULL ||
        worker->duplicates == NULL) {
        if (worker->part.dispatch != NULL)
            fault_set(fault, "no memory for a reader: lower `workers`");
        else
            fault_set(fault, "no memory for %u flows: lower flows_max", options->flows_max);
        worker_free(worker);
        return NULL;
    }
    if (worker->part.shared)
        count_share(worker->count);
    if (options->classify_max > 0 && worker->part.dispatch == NULL) {
        worker->classify = classify_new(options->classify_max, health, fault);
        if (worker->classify == NULL) {
            worker_free(worker);
            return NULL;
        }
    }
    return worker;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    flow_table_free(worker->flows);
    ways_free(worker->ways);
    classify_free(worker->classify);
    count_free(worker->count);
    fragment_free(worker->fragments);
    duplicate_free(worker->duplicates);
    free(worker);
}

struct count *worker_count(struct worker *worker)
{
    return worker->count;
}

/* ---- flows that begin ---- */

/* Finds a flow's services by its addresses, which the watch list knows. */
static void serve_flow(struct worker *worker, struct flow *flow)
{
    flow->server = flow->watched[1] ? 1 : 0;
    flow->service_by_name = SCOPE_NONE;
    flow->service_by_address = SCOPE_NONE;
    if (flow->watched[1])
        flow->service_by_address = service_find_address(worker->rules, flow->address[1], flow->end[1].port);
    if (flow->service_by_address == SCOPE_NONE && flow->watched[0]) {
        /* A capture that begins within a flow may show the server's packet first. */
        flow->service_by_address = service_find_address(worker->rules, flow->address[0], flow->end[0].port);
        if (flow->service_by_address != SCOPE_NONE)
            flow->server = 0;
    }
}

static void begin_flow(struct worker *worker, const struct packet *packet, const uint32_t watch[2],
                       struct flow *flow, unsigned side)
{
    for (unsigned i = 0; i < 2; i++) {
        flow->watch[i] = watch[i == side ? 0 : 1];
        flow->watched[i] = flow->watch[i] != WATCHLIST_NONE;
    }
    serve_flow(worker, flow);
    flow->way =
        ways_find(worker->ways, packet, path_find(worker->rules, packet, flow->address[flow->server]));
}

/* The service of a flow's name, unless its address says the same or it was somebody within the watched space
 * who asked the world for it; SCOPE_NONE. */
static uint32_t named_service(const struct worker *worker, const struct flow *flow, const char *domain)
{
    if (domain == NULL || (flow->server == 0 && flow->service_by_address == SCOPE_NONE))
        return SCOPE_NONE;
    uint32_t scope = service_find_name(worker->rules, domain, flow->end[flow->server].port);
    return scope != flow->service_by_address ? scope : SCOPE_NONE;
}

/* ---- other rules ---- */

/* The scope of the same name in the list that follows, or SCOPE_NONE. */
static uint32_t scope_after(void *context, uint32_t number)
{
    const struct worker *worker = context;
    const struct scope_list *scopes = worker->change.scopes;
    for (uint32_t i = 0; number != SCOPE_NONE && i < scopes->count; i++)
        if (scope_is_same(&scopes->items[i], &worker->scopes->items[number]))
            return i;
    return SCOPE_NONE;
}

/* Whether the rules that follow watch either end of a flow. */
static bool stays_watched(void *context, struct flow *flow)
{
    const struct watchlist *list = ((struct worker *)context)->change.rules->watchlist;
    return watchlist_find(list, flow->address[0]) != WATCHLIST_NONE ||
           watchlist_find(list, flow->address[1]) != WATCHLIST_NONE;
}

/* Puts a flow under the rules that now hold. Its path is that of its first packet, of which no more is known.
 */
static bool place_anew(void *context, struct flow *flow)
{
    struct worker *worker = context;
    for (unsigned i = 0; i < 2; i++) {
        flow->watch[i] = watchlist_find(worker->rules->watchlist, flow->address[i]);
        flow->watched[i] = flow->watch[i] != WATCHLIST_NONE;
    }
    serve_flow(worker, flow);
    flow->service_by_name = named_service(worker, flow, classify_domain(flow));
    return true;
}

/* The flows of what is no longer watched end under the former rules; the others go on under the new ones, and
 * what was counted of them is not counted again. Without memory the former rules go on. */
static void change_rules(struct worker *worker)
{
    const struct capture_output *output = worker->output;
    flow_table_review(worker->flows, stays_watched, worker);
    if (count_change(worker->count, worker->change.rules, worker->change.scopes) != 0) {
        output->say(output->context, "no memory for what is now to be watched: what was stays in force");
        worker->change.rules = NULL;
        return;
    }
    ways_change(worker->ways, scope_after, worker);
    worker->rules = worker->change.rules;
    worker->scopes = worker->change.scopes;
    worker->change.rules = NULL;
    flow_table_review(worker->flows, place_anew, worker);
    output->changed(output->context);
}

void worker_change(struct worker *worker, const struct capture_change *change)
{
    worker->change = *change;
}

/* ---- time ---- */

/* The owners of flows follow a reader's time. */
static void tell_time(struct worker *worker, int64_t time_ns)
{
    if (worker->part.dispatch == NULL)
        return;
    dispatch_tick(worker->part.dispatch, time_ns);
    worker->told_ns = time_ns;
}

static void open_step(struct worker *worker, struct source *source, int64_t start_ns)
{
    worker->retracing =
        !worker->live && worker->options.resume_ns != TIME_NONE && start_ns < worker->options.resume_ns;
    bool new_bin =
        worker->now_ns == TIME_NONE || clock_floor(start_ns, worker->options.bin_ns) !=
                                           clock_floor(worker->step_start_ns, worker->options.bin_ns);
    tell_time(worker, start_ns);
    if (worker->change.rules != NULL && new_bin && start_ns >= worker->change.from_ns)
        change_rules(worker);
    if (new_bin)
        flow_table_begin_bin(worker->flows, start_ns);
    worker->step_start_ns = start_ns;
    worker->step_end_ns = clock_floor(start_ns, worker->options.step_ns) + worker->options.step_ns;
    uint64_t known = worker->drops_known ? TALLY_ALL_KNOWN : TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops);
    worker->blind = worker->held_up || !source->kind->sees(source);
    count_open(worker->count, start_ns, new_bin, worker->blind ? 0 : known);
}

/* Says once that a share of the watched packets comes twice that is no accident. */
static void tell_duplicates(struct worker *worker)
{
    const uint64_t least_packets = 1000, one_in = 20;
    const struct health *health = worker->health;
    if (worker->told_duplicates || worker->options.deduplicate || health->packets_watched < least_packets ||
        health->packets_duplicate * one_in < health->packets_watched)
        return;
    char text[256];
    snprintf(text, sizeof text,
             "%.0f %% of the watched packets came a second time within %d ms, as from a mirror of both "
             "ingress and "
             "egress: `deduplicate = yes` in [capture] counts them once",
             100.0 * (double)health->packets_duplicate / (double)health->packets_watched,
             DUPLICATE_WINDOW_MS);
    worker->output->say(worker->output->context, text);
    worker->told_duplicates = true;
}

/* Says once that hosts and peers are no longer counted exactly. */
static void tell_uncounted(struct worker *worker)
{
    if (worker->told_uncounted || worker->health->addresses_uncounted == 0)
        return;
    char text[256];
    snprintf(text, sizeof text,
             "more than about %u addresses in a bin: hosts and peers are counted up to there, all else as "
             "always (`addresses_max` in [capture])",
             worker->options.addresses_max);
    worker->output->say(worker->output->context, text);
    worker->told_uncounted = true;
}

static uint64_t drops_so_far(const struct health *health)
{
    return health->kernel_drops + health->interface_drops + health->ring_drops;
}

static void close_step(struct worker *worker, struct source *source, int64_t end_ns)
{
    uint64_t drops = 0;
    if (source->kind->drops(source, worker->health) && worker->drops_known) {
        uint64_t so_far = drops_so_far(worker->health);
        drops = so_far - worker->drops_before;
        worker->drops_before = so_far;
    }
    tell_time(worker, end_ns - 1);
    tell_duplicates(worker);
    tell_uncounted(worker);
    worker->closing_ns = end_ns;
    flow_table_expire(worker->flows, end_ns);
    worker->closing_ns = TIME_NONE;
    const struct tally *tallies = count_close(worker->count, end_ns, drops, worker->part.interface);
    if (worker->retracing && !worker->part.shared)
        return;
    if (worker->options.hosts && !worker->part.shared)
        worker->output->hosts(worker->output->context, count_hosts(worker->count));
    worker->output->step(worker->output->context, tallies);
    if (!worker->retracing)
        worker->output->progress(worker->output->context, worker->health, end_ns);
}

/* A hole: what lies up to `to_ns` was not watched. Owners of flows have it from their reader, who counts it.
 */
static void leave_out(struct worker *worker, struct source *source, int64_t to_ns)
{
    close_step(worker, source, worker->now_ns + 1);
    worker->health->holes += !worker->part.shared || worker->part.dispatch != NULL;
    worker->left_out_ns += to_ns - worker->now_ns;
    if (worker->live && worker->part.dispatch != NULL)
        dispatch_leap(worker->part.dispatch, to_ns);
    open_step(worker, source, to_ns);
    worker->now_ns = to_ns;
}

/* Whether, live, nothing came up to `to_ns` because nobody took it: there was no room any more. */
static bool was_held_up(struct worker *worker, struct source *source, int64_t to_ns)
{
    return worker->live && !worker->blind && to_ns - worker->now_ns > worker->options.step_ns &&
           source->kind->drops(source, worker->health) && worker->drops_known &&
           drops_so_far(worker->health) > worker->drops_before;
}

/* Closes every step that ended before `to_ns`, with zeros where nothing came. */
static void advance_steps(struct worker *worker, struct source *source, int64_t to_ns)
{
    if (worker->now_ns == TIME_NONE) {
        open_step(worker, source, to_ns);
        worker->first_ns = to_ns;
    } else if (!worker->live && to_ns - worker->now_ns > worker->options.gap_max_ns) {
        leave_out(worker, source, to_ns);
    } else if (worker->now_ns + 1 < worker->step_end_ns && was_held_up(worker, source, to_ns)) {
        worker->held_up = true; /* what came so far was seen, and the rest is unknown, not zero */
        close_step(worker, source, worker->now_ns + 1);
        open_step(worker, source, worker->now_ns + 1);
    }
    while (to_ns >= worker->step_end_ns) {
        close_step(worker, source, worker->step_end_ns);
        worker->now_ns = worker->step_end_ns;
        worker->held_up &= to_ns - worker->step_end_ns >= worker->options.step_ns;
        open_step(worker, source, worker->step_end_ns);
    }
    worker->held_up = false;
    worker->now_ns = to_ns;
}

/* Data time reaches `to_ns`. */
static inline void advance(struct worker *worker, struct source *source, int64_t to_ns)
{
    if (to_ns < worker->step_end_ns && to_ns - worker->now_ns <= worker->options.gap_max_ns)
        worker->now_ns = to_ns;
    else
        advance_steps(worker, source, to_ns);
}

/* Between two files the capture may have been stopped: it was where so much of the other traffic is missing,
 * at its pace so far, that no silence explains it. What is watched does not count: its silence is what is
 * looked for, and a writer that waits for a packet to begin the next file puts every silence between two
 * files. */
static void cross_seam(struct worker *worker, struct source *source, int64_t to_ns)
{
    const double missed_least = 100;
    const int64_t step_ns = worker->options.step_ns;
    if (worker->now_ns == TIME_NONE || to_ns == TIME_NONE || to_ns - worker->now_ns <= step_ns)
        return;
    const int64_t pause_ns = to_ns - worker->now_ns;
    int64_t watched_ns = worker->now_ns - worker->first_ns - worker->left_out_ns;
    double seen = (double)(worker->health->packets_read - worker->health->packets_watched);
    double per_ns = seen / (double)(watched_ns > step_ns ? watched_ns : step_ns);
    if (per_ns * (double)pause_ns >= missed_least)
        leave_out(worker, source, to_ns);
}

/* The time of a live capture leapt ahead. Where that is hardly anything it is silence. */
static void leap(struct worker *worker, struct source *source, int64_t to_ns)
{
    if (worker->now_ns == TIME_NONE || to_ns <= worker->now_ns)
        return;
    if (to_ns - worker->now_ns > worker->options.step_ns)
        leave_out(worker, source, to_ns);
    else
        advance(worker, source, to_ns);
}

/* Where the source loses sight the step is cut: what came so far was seen, and the rest is unknown, not zero,
 * up to the first step that begins in full sight. */
static void check_sight(struct worker *worker, struct source *source)
{
    if (worker->now_ns == TIME_NONE || worker->blind || source->kind->sees(source))
        return;
    advance(worker, source, worker->now_ns + 1); /* what came at this very instant was seen */
    if (worker->blind)
        return; /* there was a border anyway */
    close_step(worker, source, worker->now_ns);
    open_step(worker, source, worker->now_ns);
}

/* Gives a frame the time at which it counts. */
static inline int64_t time_of(struct worker *worker, const struct frame *frame)
{
    if (frame->time_ns >= worker->now_ns && frame->time_ns != TIME_NONE)
        return frame->time_ns;
    if (frame->time_ns == TIME_NONE) {
        worker->health->packets_untimed++;
        return worker->now_ns != TIME_NONE ? worker->now_ns : 0;
    }
    worker->health->packets_late++;
    return worker->now_ns;
}

/* A paced replay waits until the packet's turn has come on the wall clock; data time does not notice. */
static void pace(struct worker *worker, int64_t to_ns, const atomic_bool *stop)
{
    struct timespec wall;
    clock_gettime(CLOCK_MONOTONIC, &wall);
    int64_t wall_ns = wall.tv_sec * NS_PER_S + wall.tv_nsec;
    if (worker->paced_from_ns == TIME_NONE) {
        worker->paced_from_ns = to_ns;
        worker->paced_at_ns = wall_ns;
    }
    int64_t due_ns =
        worker->paced_at_ns + (int64_t)((double)(to_ns - worker->paced_from_ns) / worker->options.speed);
    while (wall_ns < due_ns && !*stop) {
        int64_t rest_ns = due_ns - wall_ns < 100 * NS_PER_MS ? due_ns - wall_ns : 100 * NS_PER_MS;
        struct timespec nap = {.tv_nsec = rest_ns};
        nanosleep(&nap, NULL);
        clock_gettime(CLOCK_MONOTONIC, &wall);
        wall_ns = wall.tv_sec * NS_PER_S + wall.tv_nsec;
    }
}

/* ---- packets ---- */

static void classify_watched(struct worker *worker, const struct packet *packet, struct flow *flow,
                             unsigned side)
{
    if (flow->classified || !classify_packet(worker->classify, flow, packet, side))
        return;
    flow->service_by_name = named_service(worker, flow, classify_news(worker->classify));
    if (flow->service_by_name != SCOPE_NONE)
        count_named_service(worker->count, flow, packet->time_ns);
}

/* The flow of a later fragment's first; NULL. */
static struct flow *join_fragment(struct worker *worker, struct packet *packet, unsigned *side)
{
    struct flow *flow = NULL;
    if (fragment_join(worker->fragments, packet))
        flow = flow_table_join(worker->flows, packet, side);
    *(flow != NULL ? &worker->health->fragments_joined : &worker->health->fragments_later) += 1;
    return flow;
}

static void take_watched(struct worker *worker, struct packet *packet, const uint32_t watch[2])
{
    struct flow *flow = NULL;
    unsigned side = 0;
    worker->health->packets_watched++;
    if (packet->later_fragment)
        flow = join_fragment(worker, packet, &side);
    else if (!packet->has_transport)
        worker->health->cut_transport++;
    else if (!packet->icmp_error) {
        bool started = false;
        if (packet->fragment)
            fragment_keep(worker->fragments, packet);
        flow = flow_table_packet(worker->flows, packet, &side, &started);
        if (flow != NULL && started)
            begin_flow(worker, packet, watch, flow, side);
        if (flow != NULL)
            count_flow(worker->count, packet, flow, side, started);
    }
    count_packet(worker->count, packet, watch, flow, side);
    if (flow != NULL && worker->classify != NULL && !packet->later_fragment)
        classify_watched(worker, packet, flow, side);
}

static void take_icmp_error(struct worker *worker, const struct packet *packet, bool watched, bool own)
{
    if (!packet->has_quoted) {
        worker->health->icmp_errors_unread++;
        return;
    }
    uint32_t watch = watchlist_find(worker->rules->watchlist, packet->quoted.destination);
    if (watch == WATCHLIST_NONE)
        return;
    count_icmp_error(worker->count, packet, watch, own);
    if (!watched)
        count_no_control(worker->count, packet);
}

static void refuse(struct health *health, enum decode_reason reason)
{
    uint64_t *first = &health->refused_link_type; /* the rows stand in the order of the reasons */
    first[reason - DECODE_LINK_TYPE]++;
}

/* Hands a packet on to the owner of its flow, if there is one and it is watched, or says of a watched one
 * that it did not arrive. */
static bool hand_on(struct worker *worker, const struct frame *frame, const struct packet *packet,
                    bool watched)
{
    if (worker->part.dispatch == NULL)
        return false;
    if (!watched && (!packet->icmp_error || !packet->has_quoted ||
                     watchlist_find(worker->rules->watchlist, packet->quoted.destination) == WATCHLIST_NONE))
        return false;
    count_meet(worker->count, packet);
    dispatch_frame(worker->part.dispatch, frame, packet, packet->time_ns);
    return true;
}

/* Whether a frame was cut within the headers. */
static bool is_headless(const struct frame *frame, const struct packet *packet, enum decode_reason reason)
{
    if (reason == DECODE_CUT_LINK || reason == DECODE_CUT_IP || reason == DECODE_CUT_TUNNEL)
        return true;
    bool cut = frame->captured_bytes < frame->wire_bytes || packet->shortened;
    return reason == DECODE_OK && cut && !packet->has_transport && !packet->later_fragment;
}

static void count_frame(struct worker *worker, const struct frame *frame, const struct packet *packet,
                        enum decode_reason reason)
{
    struct health *health = worker->health;
    health->packets_read++;
    health->packets_cut += frame->captured_bytes < frame->wire_bytes;
    health->packets_shortened += packet->shortened;
    /* A mirror that cuts makes the frame look short: its IP header knows better. */
    uint32_t wire_bytes = frame->wire_bytes;
    if (packet->shortened)
        wire_bytes += packet->ip_bytes - packet->ip_captured_bytes;
    bool lengthy = wire_bytes >= TALLY_LONG_BYTES, headless = is_headless(frame, packet, reason);
    const struct tally_frames frames = {.headed = !headless && packet->tuple.protocol == IPPROTO_TCP,
                                        .headless = headless,
                                        .lengthy = lengthy,
                                        .nameless = lengthy && frame->captured_bytes < wire_bytes &&
                                                    frame->captured_bytes < TALLY_NAMES_BYTES};
    count_frames(worker->count, &frames);
}

static enum decode_reason decode(const struct worker *worker, const struct frame *frame,
                                 struct packet *packet)
{
    return worker->options.decapsulate ? decode_frame(frame, packet) : decode_frame_outermost(frame, packet);
}

/* Takes a frame that was decoded. */
static void take_packet(struct worker *worker, const struct frame *frame, enum decode_reason reason,
                        struct packet *packet)
{
    if (reason != DECODE_OK) {
        count_frame(worker, frame, packet, reason);
        refuse(worker->health, reason);
        count_tap(worker->count, packet);
        return;
    }
    const uint32_t watch[2] = {watchlist_find(worker->rules->watchlist, packet->tuple.source),
                               watchlist_find(worker->rules->watchlist, packet->tuple.destination)};
    bool watched = watch[0] != WATCHLIST_NONE || watch[1] != WATCHLIST_NONE;
    if (hand_on(worker, frame, packet, watched))
        return;
    count_frame(worker, frame, packet, reason);
    if ((watched || worker->options.deduplicate) && duplicate_seen(worker->duplicates, packet)) {
        worker->health->packets_duplicate++;
        if (worker->options.deduplicate)
            return;
    }
    if (!watched)
        count_tap(worker->count, packet);
    else
        take_watched(worker, packet, watch);
    if (packet->icmp_error)
        take_icmp_error(worker, packet, watched, watch[0] != WATCHLIST_NONE);
}

/* ---- the loop ---- */

/* Takes a frame that was decoded when its time has come. */
static void take_decoded(struct worker *worker, struct source *source, const struct frame *frame,
                         enum decode_reason reason, struct packet *packet, const atomic_bool *stop)
{
    packet->time_ns = time_of(worker, frame);
    packet->order = frame->order;
    if (worker->options.speed > 0)
        pace(worker, packet->time_ns, stop);
    advance(worker, source, packet->time_ns);
    take_packet(worker, frame, reason, packet);
}

static void take_one(struct worker *worker, struct source *source, const struct frame *frame,
                     const atomic_bool *stop)
{
    struct packet packet;
    enum decode_reason reason = decode(worker, frame, &packet);
    take_decoded(worker, source, frame, reason, &packet, stop);
}

/* Takes some frames of which most will be watched, at least one: all are decoded first, and what is known of
 * their flows and addresses is fetched, which lies far off where there is much of it. Says how many. */
static size_t take_watched_run(struct worker *worker, struct source *source, const struct frame *frames,
                               size_t count, const atomic_bool *stop)
{
    enum { AHEAD = 4 };
    struct packet packets[FLOW_EXPECTED_MAX];
    enum decode_reason reasons[FLOW_EXPECTED_MAX];
    size_t ready = count < FLOW_EXPECTED_MAX ? count : FLOW_EXPECTED_MAX, done = 0;
    for (size_t i = 0; i < ready; i++) {
        fetch(frames[i + AHEAD < ready ? i + AHEAD : i].bytes);
        reasons[i] = decode(worker, &frames[i], &packets[i]);
        count_expect(worker->count, &packets[i]);
    }
    flow_table_expect(worker->flows, packets, ready);
    uint64_t watched = worker->health->packets_watched;
    do
        take_decoded(worker, source, &frames[done], reasons[done], &packets[done], stop);
    while (++done < ready && !*stop);
    worker->dense = worker->health->packets_watched - watched > done / 2;
    return done;
}

/* Whether a frame is plain, and of neither end watched. */
static inline bool is_elsewhere(const struct watchlist *list, const struct frame *frame, struct plain *plain)
{
    unsigned version = plain_read(frame, plain);
    return version == 4   ? !watchlist_holds_ipv4(list, plain->addresses)
           : version == 6 ? !watchlist_holds_ipv6(list, plain->addresses)
                          : false;
}

/* Most packets are plain, not watched, and within the step under way: counts those that are up to the first
 * that is not, with as little as that takes. Says how many. */
static size_t take_plain(struct worker *worker, const struct frame *frames, size_t count)
{
    const struct watchlist *list = worker->rules->watchlist;
    const int64_t step_end_ns = worker->step_end_ns;
    int64_t now_ns = worker->now_ns;
    struct count_run *run = count_run(worker->count);
    size_t done = 0;
    uint64_t cut = 0, bytes = 0, headed = 0, lengthy = 0, nameless = 0;
    if (worker->options.speed > 0 || worker->options.deduplicate ||
        worker->options.step_ns > worker->options.gap_max_ns)
        return 0;
    for (; done < count; done++) {
        const struct frame *frame = &frames[done];
        struct plain plain;
        if (frame->time_ns < now_ns || frame->time_ns >= step_end_ns || !is_elsewhere(list, frame, &plain) ||
            plain_may_lack(frame))
            break;
        now_ns = frame->time_ns;
        bytes += plain.ip_bytes;
        cut += frame->captured_bytes < frame->wire_bytes;
        headed += plain.protocol == IPPROTO_TCP;
        bool is_long = frame->wire_bytes >= TALLY_LONG_BYTES;
        lengthy += is_long;
        nameless += is_long & (frame->captured_bytes < frame->wire_bytes) &
                    (frame->captured_bytes < TALLY_NAMES_BYTES);
        unsigned leg = count_run_leg(run, frame->interface, plain.vlan);
        if (run->has_link_paths) {
            decode_plain(frame, &plain, &worker->plain);
            count_link_paths(worker->count, &worker->plain, leg);
        }
    }
    if (done > 0) {
        const struct tally_frames frames_done = {.headed = headed, .lengthy = lengthy, .nameless = nameless};
        count_frames(worker->count, &frames_done);
        count_run_end(worker->count, done, bytes, frames[0].time_ns, now_ns);
    }
    worker->now_ns = now_ns;
    worker->health->packets_read += done;
    worker->health->packets_cut += cut;
    return done;
}

/* Takes a frame, and those that lie ready behind it. */
static void take_frames(struct worker *worker, struct source *source, const struct frame *first,
                        const atomic_bool *stop)
{
    if (worker->dense || take_plain(worker, first, 1) == 0)
        take_one(worker, source, first, stop);
    const struct frame *frames;
    size_t count = source->kind->more != NULL ? source->kind->more(source, &frames) : 0;
    for (size_t at = 0; at < count && !*stop;) {
        if (worker->dense) {
            at += take_watched_run(worker, source, frames + at, count - at, stop);
            continue;
        }
        size_t plain = take_plain(worker, frames + at, count - at);
        at += plain;
        if (at < count) {
            uint64_t watched = worker->health->packets_watched;
            take_one(worker, source, &frames[at++], stop);
            worker->dense = plain == 0 && worker->health->packets_watched > watched;
        }
    }
}

/* Takes what the source brings; false when it has ended. */
static bool take_news(struct worker *worker, struct source *source, const atomic_bool *stop, int *status)
{
    struct frame frame;
    struct fault fault;
    if (worker->live && worker->part.dispatch != NULL && worker->now_ns - worker->told_ns >= tell_ns)
        tell_time(worker, worker->now_ns);
    switch (source->kind->next(source, &frame, &fault)) {
    case SOURCE_SEAM:
        cross_seam(worker, source, frame.time_ns);
        /* fall through */
    case SOURCE_FRAME:
        take_frames(worker, source, &frame, stop);
        return true;
    case SOURCE_TICK:
        if (worker->now_ns == TIME_NONE || frame.time_ns > worker->now_ns)
            advance(worker, source, frame.time_ns);
        return true;
    case SOURCE_LEAP:
        leap(worker, source, frame.time_ns);
        return true;
    case SOURCE_IDLE:
        if (!worker->part.shared)
            worker->output->progress(worker->output->context, worker->health, worker->now_ns);
        return true;
    case SOURCE_FAILED:
        *status = 1;
        /* fall through */
    case SOURCE_SAYS:
        if (fault.text[0] != '\0')
            worker->output->say(worker->output->context, fault.text);
        check_sight(worker, source);
        return true;
    case SOURCE_END:
        break;
    }
    return false;
}

int worker_run(struct worker *worker, struct source *source, const atomic_bool *stop)
{
    int status = 0;
    struct health probe = {0};
    worker->drops_known = source->kind->drops(source, &probe);
    while (!*stop && take_news(worker, source, stop, &status))
        continue;
    if (*stop)
        source->kind->finish(source);
    while (*stop && take_news(worker, source, stop, &status))
        continue;
    return status;
}

void worker_end(struct worker *worker, struct source *source)
{
    flow_table_finish(worker->flows);
    if (worker->now_ns != TIME_NONE)
        close_step(worker, source, worker->now_ns + 1); /* the end of the input is not silence */
    if (worker->part.dispatch != NULL)
        dispatch_end(worker->part.dispatch, worker->now_ns);
}
