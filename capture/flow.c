/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow is in one chain of the hash table and in one of two idle lists: "one side spoke" or "both did". A
 * packet moves its flow to the young end of its list, so each list is in order of last_ns (data time never
 * runs back) and the flow idle longest is at an old end. What comes out, and in which order, depends on the
 * packets alone and never on where the hash put a flow.
 *
 * Flows stand in an array for as many as there may be, of which only what was ever used takes memory, and
 * know each other by number; 0 is none. Those that ended are used again first.
 */
#include "flow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "fetch.h"
#include "hash.h"
#include "scope.h"
#include "watchlist.h"

/* A list in order of the last packet. */
struct idle_list {
    uint32_t oldest, newest;
    uint32_t count;
};

enum { HEARD_ONE, HEARD_BOTH, HEARD__COUNT, BUCKETS_MIN = 1 << 10, BUCKETS_MAX = 1 << 22 };
enum { UNANSWERED_SHARE = 8 }; /* of a full table the eighth part is for flows not yet answered */

struct flow_table {
    struct flow_options options;
    struct flow_output output;
    struct health *health;
    struct idle_list idle[HEARD__COUNT];
    size_t count;
    int64_t bin_start_ns;
    size_t bucket_mask; /* their number, a power of two, less one */
    struct hash_key hash_key;
    uint32_t *buckets;
    struct flow *flows; /* from 1 on; how many bytes are mapped: */
    size_t flows_bytes;
    uint32_t used,
        free_oldest; /* numbers up to this were used, and of those this is free, with more by hash_next */
};

/* NULL for 0. */
static inline struct flow *flow_at(const struct flow_table *table, uint32_t number)
{
    return number != 0 ? &table->flows[number] : NULL;
}

static inline uint32_t number_of(const struct flow_table *table, const struct flow *flow)
{
    return (uint32_t)(flow - table->flows);
}

/* What names a flow: the ends in the packet's order, with the ports as flows have them. */
struct key {
    const uint8_t *address[2];
    uint16_t port[2];
    uint8_t protocol, family;
};

uint8_t flow_icmp_family(uint8_t protocol, uint8_t type)
{
    /* Request (which names the family) and reply; RFC 792, 950, 1256, 8335, 4443, 4861, 4620, 6275, 6775. */
    static const uint8_t v4[][2] = {{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}, {42, 43}};
    static const uint8_t v6[][2] = {{128, 129}, {133, 134}, {135, 136}, {139, 140},
                                    {144, 145}, {146, 147}, {157, 158}, {160, 161}};
    bool is_v4 = protocol == IPPROTO_ICMP;
    const uint8_t(*pairs)[2] = is_v4 ? v4 : v6;
    size_t count = is_v4 ? sizeof v4 / sizeof *v4 : sizeof v6 / sizeof *v6;
    for (size_t i = 0; i < count; i++)
        if (type == pairs[i][1])
            return pairs[i][0];
    return type;
}

static struct key key_of(const struct packet *packet)
{
    const struct packet_tuple *tuple = &packet->tuple;
    struct key key = {.address = {tuple->source, tuple->destination}, .protocol = tuple->protocol};
    if (tuple->protocol == IPPROTO_ICMP || tuple->protocol == IPPROTO_ICMPV6) {
        key.port[0] = key.port[1] = packet->icmp_id;
        key.family = flow_icmp_family(tuple->protocol, packet->icmp_type);
    } else {
        key.port[0] = tuple->source_port;
        key.port[1] = tuple->destination_port;
    }
    return key;
}

static struct key key_of_flow(const struct flow *flow)
{
    return (struct key){.address = {flow->address[0], flow->address[1]},
                        .port = {flow->end[0].port, flow->end[1].port},
                        .protocol = flow->protocol,
                        .family = flow->family};
}

/* Both directions find the same chain. */
static uint32_t *chain_of(const struct flow_table *table, const struct key *key)
{
    uint32_t hash =
        hash_ends(&table->hash_key, key->address, key->port, (uint16_t)(key->protocol << 8 | key->family));
    return &table->buckets[hash & table->bucket_mask];
}

static bool end_is(const struct flow *flow, int side, const struct key *key, int end)
{
    return flow->end[side].port == key->port[end] && memcmp(flow->address[side], key->address[end], 16) == 0;
}

/* Of a flow that may be NULL. */
static inline void fetch_flow(const struct flow *flow)
{
    if (flow != NULL)
        fetch_all(flow, sizeof *flow);
}

/* The flow of the key and the side that its first end is, or NULL. */
static struct flow *chain_find(const struct flow_table *table, const struct key *key, unsigned *side)
{
    for (struct flow *flow = flow_at(table, *chain_of(table, key)); flow != NULL;
         flow = flow_at(table, flow->hash_next)) {
        fetch_flow(flow);
        for (unsigned first = 0; first < 2; first++)
            if (end_is(flow, (int)first, key, 0) && end_is(flow, 1 - (int)first, key, 1) &&
                flow->protocol == key->protocol && flow->family == key->family) {
                *side = first;
                return flow;
            }
    }
    return NULL;
}

static struct idle_list *idle_list_of(struct flow_table *table, const struct flow *flow)
{
    return &table->idle[flow->spoke[0] && flow->spoke[1] ? HEARD_BOTH : HEARD_ONE];
}

static void idle_remove(struct flow_table *table, struct flow *flow)
{
    struct idle_list *list = idle_list_of(table, flow);
    *(flow->older != 0 ? &table->flows[flow->older].newer : &list->oldest) = flow->newer;
    *(flow->newer != 0 ? &table->flows[flow->newer].older : &list->newest) = flow->older;
    list->count--;
}

static void idle_append(struct flow_table *table, struct flow *flow)
{
    struct idle_list *list = idle_list_of(table, flow);
    uint32_t number = number_of(table, flow);
    flow->older = list->newest;
    flow->newer = 0;
    *(list->newest != 0 ? &table->flows[list->newest].newer : &list->oldest) = number;
    list->newest = number;
    list->count++;
}

static struct flow *oldest_of(const struct flow_table *table, int list)
{
    return flow_at(table, table->idle[list].oldest);
}

/* The one heard longer ago of a flow in which one side spoke and one in which both did, of which either may
 * be NULL. */
static struct flow *older_of(struct flow *one, struct flow *both)
{
    if (one == NULL || both == NULL)
        return one != NULL ? one : both;
    return both->last_ns < one->last_ns ? both : one;
}

/* Of both lists, the flow heard longest ago; NULL when the table is empty. */
static struct flow *idle_oldest(const struct flow_table *table)
{
    return older_of(oldest_of(table, HEARD_ONE), oldest_of(table, HEARD_BOTH));
}

/* A flow that is not in use, all zero; NULL when as many are as may be. */
static struct flow *flow_take(struct flow_table *table)
{
    struct flow *flow = flow_at(table, table->free_oldest);
    if (flow != NULL) {
        table->free_oldest = flow->hash_next;
        fetch_flow(flow_at(table, table->free_oldest)); /* the next one */
    } else if (table->used < table->options.flows_max) {
        flow = &table->flows[++table->used];
    }
    if (flow != NULL)
        memset(flow, 0, sizeof *flow);
    return flow;
}

static void flow_give_back(struct flow_table *table, struct flow *flow)
{
    flow->hash_next = table->free_oldest;
    table->free_oldest = number_of(table, flow);
}

static void flow_finish(struct flow_table *table, struct flow *flow, enum flow_end reason)
{
    struct key key = key_of_flow(flow);
    uint32_t *link = chain_of(table, &key), number = number_of(table, flow);
    while (*link != number)
        link = &table->flows[*link].hash_next;
    *link = flow->hash_next;
    idle_remove(table, flow);
    table->count--;
    table->output.ended(table->output.context, flow, reason);
    flow_give_back(table, flow);
}

static bool is_idle(const struct flow_table *table, const struct flow *flow, int64_t now_ns)
{
    return now_ns - flow->last_ns > table->options.timeout_ns;
}

static bool is_tcp_with(const struct packet *packet, uint8_t set, uint8_t of)
{
    return packet->tuple.protocol == IPPROTO_TCP && (packet->tcp_flags & of) == set;
}

/* A SYN that asks for a connection. */
static bool is_bare_syn(const struct packet *packet)
{
    return is_tcp_with(packet, TCP_SYN, TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
}

/* The answer to one: its sender is not the source. */
static bool is_syn_ack(const struct packet *packet)
{
    return is_tcp_with(packet, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
}

static void flow_begin(struct flow *flow, const struct packet *packet, const struct key *key, unsigned *side)
{
    *side = flow->first = is_syn_ack(packet) ? 1 : 0;
    for (unsigned end = 0; end < 2; end++) {
        unsigned at = end ^ *side;
        memcpy(flow->address[at], key->address[end], 16);
        flow->end[at].port = key->port[end];
        flow->watch[at] = WATCHLIST_NONE;
    }
    flow->protocol = key->protocol;
    flow->family = key->family;
    flow->start_ns = packet->time_ns;
    flow->service_by_address = flow->service_by_name = SCOPE_NONE;
}

/* The flow that a full table gives up. Those that nobody answered go first, but for a part of the table that
 * is theirs: where the answered had it all, the next packet would push out the one before, and nobody could
 * be answered any more. NULL: the table may hold none. */
static struct flow *find_victim(const struct flow_table *table)
{
    struct flow *one = oldest_of(table, HEARD_ONE), *both = oldest_of(table, HEARD_BOTH);
    bool spared = table->idle[HEARD_ONE].count <= table->options.flows_max / UNANSWERED_SHARE;
    return one == NULL || (spared && both != NULL) ? both : one;
}

/* Makes room for one more flow; false when the table may hold none. */
static bool table_make_room(struct flow_table *table, int64_t now_ns)
{
    if (table->count < table->options.flows_max)
        return true;
    flow_table_expire(table, now_ns);
    if (table->count < table->options.flows_max)
        return true;
    struct flow *victim = find_victim(table);
    if (victim == NULL)
        return false;
    table->health->flows_evicted++;
    flow_finish(table, victim, FLOW_END_EVICTED);
    return true;
}

/* Doubles the buckets when there are as many flows, so that a table which may become large is small, and in
 * the cache, while it need not be. Without memory for more the chains grow longer. */
static void table_grow(struct flow_table *table)
{
    size_t buckets = 2 * (table->bucket_mask + 1);
    if (2 * table->count < buckets || buckets > BUCKETS_MAX)
        return;
    uint32_t *former = table->buckets, *more = calloc(buckets, sizeof *more);
    if (more == NULL)
        return;
    table->buckets = more;
    table->bucket_mask = buckets - 1;
    for (size_t i = 0; i < buckets / 2; i++)
        for (uint32_t number = former[i], next; number != 0; number = next) {
            struct flow *flow = &table->flows[number];
            struct key key = key_of_flow(flow);
            uint32_t *chain = chain_of(table, &key);
            next = flow->hash_next;
            flow->hash_next = *chain;
            *chain = number;
        }
    free(former);
}

/* Puts a new flow in the table, or returns NULL. */
static struct flow *table_start(struct flow_table *table, const struct packet *packet, const struct key *key,
                                unsigned *side)
{
    struct flow *flow = table_make_room(table, packet->time_ns) ? flow_take(table) : NULL;
    if (flow == NULL) {
        table->health->flows_refused++;
        return NULL;
    }
    flow_begin(flow, packet, key, side);
    table_grow(table);
    uint32_t *chain = chain_of(table, key);
    flow->hash_next = *chain;
    *chain = number_of(table, flow);
    idle_append(table, flow);
    table->count++;
    table->health->flows_started++;
    return flow;
}

/* Counts the packet and makes its flow the youngest. */
static void flow_count(struct flow_table *table, struct flow *flow, const struct packet *packet,
                       unsigned side)
{
    idle_remove(table, flow);
    if (flow->last_ns < table->bin_start_ns)
        flow->end[0].noted = flow->end[1].noted = 0;
    flow->end[side].packets++;
    flow->end[side].bytes += packet->ip_bytes;
    flow->end[side].syns += is_bare_syn(packet) && flow->end[side].syns < UINT16_MAX;
    flow->spoke[side] = true;
    flow->packets_alone += !flow->spoke[!side] && flow->packets_alone < UINT16_MAX;
    flow->end[side].ttl = packet->ttl;
    flow->last_ns = packet->time_ns;
    flow->tcp.news = 0; /* a later fragment tells none */
    if (packet->tuple.protocol == IPPROTO_TCP && packet->has_transport) {
        flow->closed |= (packet->tcp_flags & (TCP_FIN | TCP_RST)) != 0;
        tcp_packet(&flow->tcp, packet, side, flow->spoke[!side]);
    }
    idle_append(table, flow);
}

struct flow_table *flow_table_new(const struct flow_options *options, const struct flow_output *output,
                                  struct health *health)
{
    struct flow_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->options = *options;
    table->output = *output;
    table->health = health;
    table->bin_start_ns = TIME_NONE;
    table->bucket_mask = BUCKETS_MIN - 1;
    hash_key_draw(&table->hash_key, table);
    table->buckets = calloc(BUCKETS_MIN, sizeof *table->buckets);
    table->flows_bytes = (options->flows_max + 1) * sizeof *table->flows;
    void *flows = mmap(NULL, table->flows_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    table->flows = flows != MAP_FAILED ? flows : NULL;
    if (table->flows != NULL)
        madvise(flows, table->flows_bytes, MADV_HUGEPAGE); /* or else it is slower, no more */
    if (table->buckets == NULL || table->flows == NULL) {
        flow_table_free(table);
        return NULL;
    }
    return table;
}

void flow_table_free(struct flow_table *table)
{
    if (table == NULL)
        return;
    if (table->flows != NULL)
        munmap(table->flows, table->flows_bytes);
    free(table->buckets);
    free(table);
}

struct flow *flow_table_packet(struct flow_table *table, const struct packet *packet, unsigned *side,
                               bool *started)
{
    struct key key = key_of(packet);
    struct flow *flow = chain_find(table, &key, side);
    if (flow != NULL && is_idle(table, flow, packet->time_ns)) {
        flow_finish(table, flow, FLOW_END_IDLE);
        flow = NULL;
    } else if (flow != NULL && flow->closed && is_bare_syn(packet)) {
        flow_finish(table, flow, FLOW_END_CLOSED);
        flow = NULL;
    }
    *started = flow == NULL;
    if (*started && (flow = table_start(table, packet, &key, side)) == NULL) {
        *started = false;
        return NULL;
    }
    flow_count(table, flow, packet, *side);
    return flow;
}

void flow_table_expect(const struct flow_table *table, const struct packet *packets, size_t count)
{
    const uint32_t *chains[FLOW_EXPECTED_MAX];
    for (size_t i = 0; i < count; i++) {
        struct key key = key_of(&packets[i]);
        chains[i] = chain_of(table, &key);
        fetch(chains[i]);
    }
    for (size_t i = 0; i < count; i++)
        fetch_flow(flow_at(table, *chains[i]));
}

void flow_table_begin_bin(struct flow_table *table, int64_t start_ns)
{
    table->bin_start_ns = start_ns;
}

struct flow *flow_table_join(struct flow_table *table, const struct packet *packet, unsigned *side)
{
    struct key key = key_of(packet);
    struct flow *flow = chain_find(table, &key, side);
    if (flow == NULL || is_idle(table, flow, packet->time_ns))
        return NULL;
    flow_count(table, flow, packet, *side);
    return flow;
}

/* Brings what it takes to end the flows that most likely end next: of the fourth its record, of the third
 * its chain, of the second the first flow in that, and of the first the second. */
static void fetch_next(const struct flow_table *table, const struct flow *flow)
{
    const struct flow *next[4];
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        next[i] = flow = flow_at(table, flow->newer);
        if (flow == NULL)
            return;
    }
    const struct key keys[3] = {key_of_flow(next[0]), key_of_flow(next[1]), key_of_flow(next[2])};
    const struct flow *first = flow_at(table, *chain_of(table, &keys[0]));
    fetch(&table->flows[first->hash_next].hash_next);
    fetch(&table->flows[*chain_of(table, &keys[1])].hash_next);
    fetch(chain_of(table, &keys[2]));
    fetch_flow(next[3]);
}

void flow_table_expire(struct flow_table *table, int64_t now_ns)
{
    for (struct flow *flow; (flow = idle_oldest(table)) != NULL && is_idle(table, flow, now_ns);) {
        fetch_next(table, flow);
        flow_finish(table, flow, FLOW_END_IDLE);
    }
}

void flow_table_review(struct flow_table *table, bool (*stays)(void *context, struct flow *flow),
                       void *context)
{
    struct flow *at[HEARD__COUNT] = {oldest_of(table, HEARD_ONE), oldest_of(table, HEARD_BOTH)};
    for (struct flow *flow; (flow = older_of(at[HEARD_ONE], at[HEARD_BOTH])) != NULL;) {
        at[flow == at[HEARD_BOTH]] = flow_at(table, flow->newer);
        if (!stays(context, flow))
            flow_finish(table, flow, FLOW_END_INPUT);
    }
}

void flow_table_finish(struct flow_table *table)
{
    for (struct flow *flow; (flow = idle_oldest(table)) != NULL;) {
        fetch_next(table, flow);
        flow_finish(table, flow, FLOW_END_INPUT);
    }
}

size_t flow_table_count(const struct flow_table *table)
{
    return table->count;
}
