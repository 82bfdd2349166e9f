/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First fragments stand in a ring in the order in which they came; each is in one chain of the hash table.
 * The ring fills up once, and from then on the oldest makes room, so that what is forgotten depends on the
 * packets alone and never on where the hash put one.
 */
#include "fragment.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hash.h"

/* No place: the end of a chain. */
#define NOBODY UINT32_MAX

static const int64_t remembered_ns = 30 * NS_PER_S; /* as long as senders may take (RFC 791, 8200) */

struct key {
    uint8_t source[16], destination[16];
    uint32_t id;
};

struct first {
    struct key key;
    int64_t seen_ns;
    uint16_t source_port, destination_port, icmp_id;
    uint8_t protocol, icmp_type, icmp_code;
    bool icmp_error;
    uint32_t hash_next;
};

struct fragment {
    struct health *health;
    struct hash_key hash_key;
    uint32_t count, next; /* places taken, and the one to be taken next */
    uint32_t chains[FRAGMENT_FIRSTS_MAX];
    struct first firsts[FRAGMENT_FIRSTS_MAX];
};

struct fragment *fragment_new(struct health *health)
{
    struct fragment *fragment = malloc(sizeof *fragment); /* not touched before it is used */
    if (fragment == NULL)
        return NULL;
    fragment->health = health;
    hash_key_draw(&fragment->hash_key, fragment);
    fragment->count = fragment->next = 0;
    memset(fragment->chains, 0xff, sizeof fragment->chains); /* NOBODY */
    return fragment;
}

void fragment_free(struct fragment *fragment)
{
    free(fragment);
}

static struct key key_of(const struct packet *packet)
{
    struct key key = {.id = packet->fragment_id};
    memcpy(key.source, packet->tuple.source, sizeof key.source);
    memcpy(key.destination, packet->tuple.destination, sizeof key.destination);
    return key;
}

static bool same(const struct key *a, const struct key *b)
{
    return a->id == b->id && memcmp(a->source, b->source, sizeof a->source) == 0 &&
           memcmp(a->destination, b->destination, sizeof a->destination) == 0;
}

static uint32_t *chain_of(struct fragment *fragment, const struct key *key)
{
    uint64_t words[5] = {[4] = key->id};
    memcpy(words, key->source, sizeof key->source);
    memcpy(words + 2, key->destination, sizeof key->destination);
    uint32_t hash = hash_words(&fragment->hash_key, words, sizeof words / sizeof *words);
    return &fragment->chains[hash % FRAGMENT_FIRSTS_MAX];
}

static struct first *find(struct fragment *fragment, const struct key *key)
{
    for (uint32_t at = *chain_of(fragment, key); at != NOBODY; at = fragment->firsts[at].hash_next)
        if (same(&fragment->firsts[at].key, key))
            return &fragment->firsts[at];
    return NULL;
}

/* The place of the first fragment that came longest ago, out of its chain. */
static struct first *give_up_oldest(struct fragment *fragment, int64_t now_ns)
{
    struct first *oldest = &fragment->firsts[fragment->next];
    uint32_t *link = chain_of(fragment, &oldest->key);
    while (*link != fragment->next)
        link = &fragment->firsts[*link].hash_next;
    *link = oldest->hash_next;
    fragment->health->fragments_forgotten += now_ns - oldest->seen_ns <= remembered_ns;
    return oldest;
}

void fragment_keep(struct fragment *fragment, const struct packet *packet)
{
    struct key key = key_of(packet);
    struct first *first = find(fragment, &key); /* an id that is used again means the latest */
    if (first == NULL) {
        first = fragment->count < FRAGMENT_FIRSTS_MAX ? &fragment->firsts[fragment->count++]
                                                      : give_up_oldest(fragment, packet->time_ns);
        uint32_t *chain = chain_of(fragment, &key);
        first->hash_next = *chain;
        *chain = fragment->next;
        fragment->next = (fragment->next + 1) % FRAGMENT_FIRSTS_MAX;
    }
    first->key = key;
    first->seen_ns = packet->time_ns;
    first->source_port = packet->tuple.source_port;
    first->destination_port = packet->tuple.destination_port;
    first->protocol = packet->tuple.protocol;
    first->icmp_id = packet->icmp_id;
    first->icmp_type = packet->icmp_type;
    first->icmp_code = packet->icmp_code;
    first->icmp_error = packet->icmp_error;
}

bool fragment_join(struct fragment *fragment, struct packet *packet)
{
    const struct key key = key_of(packet);
    const struct first *first = find(fragment, &key);
    if (first == NULL || first->icmp_error || packet->time_ns - first->seen_ns > remembered_ns)
        return false;
    packet->tuple.source_port = first->source_port;
    packet->tuple.destination_port = first->destination_port;
    packet->tuple.protocol = first->protocol;
    packet->icmp_id = first->icmp_id;
    packet->icmp_type = first->icmp_type;
    packet->icmp_code = first->icmp_code;
    return true;
}
