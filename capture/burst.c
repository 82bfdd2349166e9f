/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Triples stand in an array; each is in one chain of the hash table, and in one list in the order of their
 * last signs. The array fills up once, and from then on the oldest of the list makes room: nearly always its
 * bursts have long ended, so that nothing needs to be cleared by time. What is forgotten depends on that list
 * alone, never on where the hash put a triple.
 */
#include "burst.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fetch.h"
#include "hash.h"

/* No triple: the end of a chain or of the list. */
#define NOBODY UINT32_MAX

enum { CHAINS = 2 * BURST_TRIPLES_MAX };

static const int64_t few_signs = 16; /* of all triples: a burst is not longer than they take */
static const int64_t share = 16; /* nor than this part of the usual distance of its own triple's signs … */
static const int64_t prior_signs = 8; /* … of which so many are taken to have come seldom */

/* The signs of one kind. */
struct bursts {
    int64_t first_ns; /* the first sign */
    int64_t began_ns; /* the last that began a burst; TIME_NONE: none yet */
    int64_t signs;
};

struct triple {
    struct bursts of[BURST__SIGNS];
    struct burst_triple key;
    uint32_t hash_next, older, newer;
};

struct burst {
    int64_t length_ns;
    struct health *health;
    struct hash_key hash_key;
    struct bursts all[BURST__SIGNS]; /* of all triples together; a burst of them means nothing */
    uint32_t count, oldest, newest;
    uint32_t chains[CHAINS];
    struct triple triples[BURST_TRIPLES_MAX];
};

struct burst *burst_new(int64_t length_ns, struct health *health)
{
    struct burst *burst = malloc(sizeof *burst); /* not touched before it is used */
    if (burst == NULL)
        return NULL;
    burst->length_ns = length_ns;
    burst->health = health;
    hash_key_draw(&burst->hash_key, burst);
    memset(burst->all, 0, sizeof burst->all);
    burst->count = 0;
    burst->oldest = burst->newest = NOBODY;
    memset(burst->chains, 0xff, sizeof burst->chains); /* NOBODY */
    return burst;
}

void burst_free(struct burst *burst)
{
    free(burst);
}

struct burst_triple burst_triple_of(const struct flow *flow, unsigned side)
{
    static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
    struct burst_triple key = {.protocol = flow->protocol};
    bool is_icmp = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
    const uint8_t *peer = flow->address[!side];
    memcpy(key.host, flow->address[side], sizeof key.host);
    memcpy(key.peers, peer, memcmp(peer, v4, sizeof v4) == 0 ? sizeof v4 + 3 : 6);
    key.service = is_icmp ? flow->family : flow->end[1].port;
    return key;
}

static bool same(const struct burst_triple *a, const struct burst_triple *b)
{
    return memcmp(a->host, b->host, sizeof a->host) == 0 &&
           memcmp(a->peers, b->peers, sizeof a->peers) == 0 && a->service == b->service &&
           a->protocol == b->protocol;
}

static size_t chain_number(const struct burst *burst, const struct burst_triple *key)
{
    uint64_t words[5] = {[4] = (uint64_t)key->service << 8 | key->protocol};
    memcpy(words, key->host, sizeof key->host);
    memcpy(words + 2, key->peers, sizeof key->peers);
    return hash_words(&burst->hash_key, words, sizeof words / sizeof *words) % CHAINS;
}

static uint32_t *chain_of(struct burst *burst, const struct burst_triple *key)
{
    return &burst->chains[chain_number(burst, key)];
}

static void fetch_triple(const struct burst *burst, uint32_t number)
{
    if (number != NOBODY)
        fetch_all(&burst->triples[number], sizeof *burst->triples);
}

static void list_remove(struct burst *burst, const struct triple *triple)
{
    *(triple->older != NOBODY ? &burst->triples[triple->older].newer : &burst->oldest) = triple->newer;
    *(triple->newer != NOBODY ? &burst->triples[triple->newer].older : &burst->newest) = triple->older;
}

static void list_append(struct burst *burst, uint32_t number)
{
    struct triple *triple = &burst->triples[number];
    triple->older = burst->newest;
    triple->newer = NOBODY;
    *(burst->newest != NOBODY ? &burst->triples[burst->newest].newer : &burst->oldest) = number;
    burst->newest = number;
}

/* The mean distance of so many signs since `first_ns`. */
static int64_t distance(int64_t first_ns, int64_t at_ns, uint64_t signs)
{
    const int64_t most_ns = INT64_MAX / 2; /* it may be all of time, and more is added to it */
    uint64_t mean_ns = ((uint64_t)at_ns - (uint64_t)first_ns) / signs;
    return at_ns < first_ns || mean_ns > (uint64_t)most_ns ? most_ns : (int64_t)mean_ns;
}

/* How long a burst lasts at an instant. A minute tells little of a tap that is silent for minutes, and all of
 * one that is busy: so not longer than a few signs of any triple take. And where one triple is asked so much
 * that bursts would follow each other without a pause, evidence would be lost: so only a small part of the
 * usual distance of its own signs. */
static int64_t length_of(const struct burst *burst, const struct bursts *of, enum burst_sign sign,
                         int64_t at_ns)
{
    const struct bursts *all = &burst->all[sign];
    int64_t most_ns = distance(all->first_ns, at_ns, (uint64_t)all->signs) + burst->length_ns / all->signs;
    most_ns = most_ns < burst->length_ns / few_signs ? few_signs * most_ns : burst->length_ns;
    int64_t weight = of->signs + prior_signs,
            short_ns =
                distance(of->first_ns, at_ns, (uint64_t)weight) / share + most_ns * prior_signs / weight;
    return short_ns < most_ns ? short_ns : most_ns;
}

/* Whether a sign at `at_ns` belongs to the last burst. */
static bool goes_on(const struct burst *burst, const struct bursts *of, enum burst_sign sign, int64_t at_ns)
{
    /* Unsigned, since the two may lie at either end of time. */
    uint64_t last = (uint64_t)of->began_ns, at = (uint64_t)at_ns;
    uint64_t apart_ns = at_ns > of->began_ns ? at - last : last - at;
    return of->began_ns != TIME_NONE && apart_ns < (uint64_t)length_of(burst, of, sign, at_ns);
}

/* Whether a burst of any kind could go on at an instant. */
static bool any_goes_on(const struct burst *burst, const struct triple *triple, int64_t at_ns)
{
    for (enum burst_sign sign = 0; sign < BURST__SIGNS; sign++)
        if (goes_on(burst, &triple->of[sign], sign, at_ns))
            return true;
    return false;
}

/* Takes the oldest out of the table; its place is free then. */
static uint32_t forget_oldest(struct burst *burst, int64_t at_ns)
{
    uint32_t number = burst->oldest;
    struct triple *triple = &burst->triples[number], *next = &burst->triples[triple->newer];
    burst_expect_soon(burst, &next->key); /* they will be the oldest */
    burst_expect(burst, &burst->triples[next->newer].key);
    fetch_triple(burst, burst->triples[next->newer].newer);
    uint32_t *link = chain_of(burst, &triple->key);
    while (*link != number)
        link = &burst->triples[*link].hash_next;
    *link = triple->hash_next;
    list_remove(burst, triple);
    burst->health->bursts_evicted += any_goes_on(burst, triple, at_ns);
    return number;
}

/* Finds or adds the triple, and makes it the newest. */
static struct triple *triple_of(struct burst *burst, const struct burst_triple *key, int64_t at_ns)
{
    uint32_t *chain = chain_of(burst, key), number = *chain;
    while (number != NOBODY && !same(&burst->triples[number].key, key))
        number = burst->triples[number].hash_next;
    if (number != NOBODY) {
        list_remove(burst, &burst->triples[number]);
    } else {
        number = burst->count < BURST_TRIPLES_MAX ? burst->count++ : forget_oldest(burst, at_ns);
        const struct bursts none = {TIME_NONE, TIME_NONE, 0};
        burst->triples[number] = (struct triple){.of = {none, none, none}, .key = *key, .hash_next = *chain};
        *chain = number;
    }
    list_append(burst, number);
    return &burst->triples[number];
}

static void note(struct bursts *of, int64_t at_ns)
{
    if (of->signs++ == 0)
        of->first_ns = at_ns;
}

bool burst_begins(struct burst *burst, const struct burst_triple *triple, enum burst_sign sign, int64_t at_ns)
{
    struct bursts *of = &triple_of(burst, triple, at_ns)->of[sign];
    note(&burst->all[sign], at_ns);
    note(of, at_ns);
    if (goes_on(burst, of, sign, at_ns))
        return false;
    of->began_ns = at_ns;
    return true;
}

void burst_expect(const struct burst *burst, const struct burst_triple *triple)
{
    fetch(&burst->chains[chain_number(burst, triple)]);
}

void burst_expect_soon(const struct burst *burst, const struct burst_triple *triple)
{
    fetch_triple(burst, burst->chains[chain_number(burst, triple)]);
}
