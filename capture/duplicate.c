/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fingerprints stand in a ring in the order in which they came; each is in one chain of the hash table. What
 * is forgotten is the oldest of the ring, and so depends on the packets alone.
 */
#include "duplicate.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hash.h"
#include "wire.h"

/* No place: the end of a chain. */
#define NOBODY UINT32_MAX

/* Of a cut packet so much is compared: the fixed headers and the first 20 bytes behind them. */
enum { CUT_IPV4_BYTES = 40, CUT_IPV6_BYTES = 60, HEADER_WORDS = 5 };

struct seen {
    uint64_t print;
    int64_t seen_ns;
    uint32_t hash_next;
};

/* There are as many places as what is not past has needed so far: few are always in the cache. */
enum { ROOM_LEAST = 256 };

struct duplicate {
    struct health *health;
    uint64_t seed;        /* as secret as a table's key */
    uint32_t room;        /* a power of two: places, and chains */
    uint32_t count, next; /* places taken, and the one to be taken next */
    uint32_t chains[DUPLICATE_PACKETS_MAX];
    struct seen packets[DUPLICATE_PACKETS_MAX];
};

struct duplicate *duplicate_new(struct health *health)
{
    struct duplicate *duplicate = malloc(sizeof *duplicate); /* not touched before it is used */
    if (duplicate == NULL)
        return NULL;
    struct hash_key key;
    duplicate->health = health;
    hash_key_draw(&key, duplicate);
    duplicate->seed = key.secret[0];
    duplicate->room = ROOM_LEAST;
    duplicate->count = duplicate->next = 0;
    memset(duplicate->chains, 0xff, ROOM_LEAST * sizeof *duplicate->chains); /* NOBODY */
    return duplicate;
}

void duplicate_free(struct duplicate *duplicate)
{
    free(duplicate);
}

static uint64_t mix_pair(uint64_t print, uint64_t seed, const uint8_t *bytes)
{
    uint64_t pair[2];
    memcpy(pair, bytes, sizeof pair);
    return hash_mix(print ^ pair[0], pair[1] ^ seed);
}

/* Four products are under way at a time: one after the other they would wait for each other. */
static uint64_t mix_bytes(uint64_t print, uint64_t seed, const uint8_t *bytes, size_t count)
{
    enum { PAIR_BYTES = 16, ROW_BYTES = 4 * PAIR_BYTES };
    uint64_t a = print, b = ~print, c = print ^ seed, d = ~print ^ seed, last[2] = {0};
    for (; count >= ROW_BYTES; bytes += ROW_BYTES, count -= ROW_BYTES) {
        a = mix_pair(a, seed, bytes);
        b = mix_pair(b, seed, bytes + PAIR_BYTES);
        c = mix_pair(c, seed, bytes + 2 * PAIR_BYTES);
        d = mix_pair(d, seed, bytes + 3 * PAIR_BYTES);
    }
    print = hash_mix(hash_mix(a, b ^ seed) ^ c, d ^ seed);
    for (; count >= PAIR_BYTES; bytes += PAIR_BYTES, count -= PAIR_BYTES)
        print = mix_pair(print, seed, bytes);
    memcpy(last, bytes, count);
    return hash_mix(print ^ last[0] ^ (uint64_t)count << 56, last[1] ^ seed);
}

/* The header without what changes from hop to hop: the time to live and the checksum, or the hop limit. */
static uint64_t mix_header(uint64_t print, uint64_t seed, const uint64_t header[HEADER_WORDS], bool is_4)
{
    static const union {
        uint8_t bytes[8];
        uint64_t word;
    } first_6 = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}},
      second_4 = {{0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}};
    uint64_t first = is_4 ? header[0] : header[0] & first_6.word,
             second = is_4 ? header[1] & second_4.word : header[1];
    print = hash_mix(print ^ first, second ^ seed);
    print = hash_mix(print ^ header[2], header[3] ^ seed);
    return hash_mix(print ^ header[4], ~seed);
}

/* The packet's bytes, without what changes from hop to hop, in one number. */
static uint64_t print_of(const struct duplicate *duplicate, const struct packet *packet)
{
    bool is_4 = packet->ip_version == 4;
    struct wire wire = wire_over(packet->ip, packet->ip_captured_bytes);
    if (packet->ip_captured_bytes < packet->ip_bytes)
        wire_limit(&wire, is_4 ? CUT_IPV4_BYTES : CUT_IPV6_BYTES);
    uint64_t header[HEADER_WORDS] = {0};
    size_t header_bytes = wire.left < sizeof header ? wire.left : sizeof header;
    wire_copy(&wire, 0, (uint8_t *)header, header_bytes);
    wire_skip(&wire, header_bytes);
    uint64_t print = mix_header(packet->ip_bytes, duplicate->seed, header, is_4);
    return mix_bytes(print, duplicate->seed, wire.at, wire.left);
}

static uint32_t *chain_of(struct duplicate *duplicate, uint64_t print)
{
    return &duplicate->chains[print & (duplicate->room - 1)];
}

static void forget(struct duplicate *duplicate, uint32_t place)
{
    uint32_t *link = chain_of(duplicate, duplicate->packets[place].print);
    while (*link != place)
        link = &duplicate->packets[*link].hash_next;
    *link = duplicate->packets[place].hash_next;
}

/* Whether a fingerprint is older than anything that could be found again. */
static bool is_past(const struct seen *seen, int64_t now_ns)
{
    return now_ns - seen->seen_ns > DUPLICATE_WINDOW_MS * NS_PER_MS;
}

/* Puts a fingerprint at the head of its chain: the latest first. */
static void chain(struct duplicate *duplicate, uint32_t place)
{
    uint32_t *link = chain_of(duplicate, duplicate->packets[place].print);
    duplicate->packets[place].hash_next = *link;
    *link = place;
}

/* Twice as many places, the oldest fingerprint in the first. */
static void grow(struct duplicate *duplicate)
{
    struct seen *packets = duplicate->packets;
    uint32_t room = duplicate->room, oldest = duplicate->next;
    memcpy(packets + room, packets, oldest * sizeof *packets);
    memmove(packets, packets + oldest, room * sizeof *packets);
    duplicate->room = 2 * room;
    duplicate->next = room;
    memset(duplicate->chains, 0xff, duplicate->room * sizeof *duplicate->chains);
    for (uint32_t place = 0; place < room; place++)
        chain(duplicate, place);
}

bool duplicate_seen(struct duplicate *duplicate, const struct packet *packet)
{
    uint64_t print = print_of(duplicate, packet);
    for (uint32_t at = *chain_of(duplicate, print); at != NOBODY; at = duplicate->packets[at].hash_next) {
        const struct seen *seen = &duplicate->packets[at];
        if (is_past(seen, packet->time_ns))
            break; /* a chain is in the order of time, the latest first */
        if (seen->print == print)
            return true;
    }
    if (duplicate->count == duplicate->room && duplicate->room < DUPLICATE_PACKETS_MAX &&
        !is_past(&duplicate->packets[duplicate->next], packet->time_ns))
        grow(duplicate);
    uint32_t place = duplicate->next;
    if (duplicate->count == duplicate->room) {
        duplicate->health->duplicates_unknown += !is_past(&duplicate->packets[place], packet->time_ns);
        forget(duplicate, place);
    } else {
        duplicate->count++;
    }
    duplicate->packets[place] = (struct seen){.print = print, .seen_ns = packet->time_ns};
    chain(duplicate, place);
    duplicate->next = (place + 1) & (duplicate->room - 1);
    return false;
}
