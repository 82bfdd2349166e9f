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
enum { CUT_IPV4_BYTES = 40, CUT_IPV6_BYTES = 60, HEADER_BYTES = 40 };

struct seen {
    uint64_t print;
    int64_t seen_ns;
    uint32_t hash_next;
};

struct duplicate {
    uint64_t seed;
    uint32_t count, next; /* places taken, and the one to be taken next */
    uint32_t chains[DUPLICATE_PACKETS_MAX];
    struct seen packets[DUPLICATE_PACKETS_MAX];
};

struct duplicate *duplicate_new(void)
{
    struct duplicate *duplicate = malloc(sizeof *duplicate); /* not touched before it is used */
    if (duplicate == NULL)
        return NULL;
    duplicate->seed = hash_seed(duplicate);
    duplicate->count = duplicate->next = 0;
    memset(duplicate->chains, 0xff, sizeof duplicate->chains); /* NOBODY */
    return duplicate;
}

void duplicate_free(struct duplicate *duplicate)
{
    free(duplicate);
}

static uint64_t mix_bytes(uint64_t print, uint64_t seed, const uint8_t *bytes, size_t count)
{
    uint64_t pair[2];
    for (; count >= sizeof pair; bytes += sizeof pair, count -= sizeof pair) {
        memcpy(pair, bytes, sizeof pair);
        print = hash_mix(print ^ pair[0], pair[1] ^ seed);
    }
    memset(pair, 0, sizeof pair);
    memcpy(pair, bytes, count);
    return hash_mix(print ^ pair[0] ^ (uint64_t)count << 56, pair[1] ^ seed);
}

/* The packet's bytes, without what changes from hop to hop, in one number. */
static uint64_t print_of(const struct duplicate *duplicate, const struct packet *packet)
{
    bool is_4 = packet->ip_version == 4;
    struct wire wire = wire_over(packet->ip, packet->ip_captured_bytes);
    if (packet->ip_captured_bytes < packet->ip_bytes)
        wire_limit(&wire, is_4 ? CUT_IPV4_BYTES : CUT_IPV6_BYTES);
    uint8_t header[HEADER_BYTES] = {0};
    size_t header_bytes = wire.left < sizeof header ? wire.left : sizeof header;
    wire_copy(&wire, 0, header, header_bytes);
    wire_skip(&wire, header_bytes);
    header[is_4 ? 8 : 7] = 0;
    if (is_4)
        header[10] = header[11] = 0;
    uint64_t print = mix_bytes(packet->ip_bytes, duplicate->seed, header, sizeof header);
    return mix_bytes(print, duplicate->seed, wire.at, wire.left);
}

static uint32_t *chain_of(struct duplicate *duplicate, uint64_t print)
{
    return &duplicate->chains[print % DUPLICATE_PACKETS_MAX];
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

/* Where even the latest is past, all are: the places are taken from the first on again, so that where little
 * is watched only few of them are ever touched. */
static void begin_anew(struct duplicate *duplicate)
{
    for (uint32_t i = 0; i < duplicate->count; i++)
        *chain_of(duplicate, duplicate->packets[i].print) = NOBODY;
    duplicate->count = duplicate->next = 0;
}

bool duplicate_seen(struct duplicate *duplicate, const struct packet *packet)
{
    uint32_t latest = (duplicate->next - 1) % DUPLICATE_PACKETS_MAX;
    if (duplicate->count > 0 && is_past(&duplicate->packets[latest], packet->time_ns))
        begin_anew(duplicate);
    uint64_t print = print_of(duplicate, packet);
    uint32_t *chain = chain_of(duplicate, print), place = duplicate->next;
    for (uint32_t at = *chain; at != NOBODY; at = duplicate->packets[at].hash_next) {
        const struct seen *seen = &duplicate->packets[at];
        if (is_past(seen, packet->time_ns))
            break; /* a chain is in the order of time, the latest first */
        if (seen->print == print)
            return true;
    }
    if (duplicate->count == DUPLICATE_PACKETS_MAX)
        forget(duplicate, place);
    else
        duplicate->count++;
    duplicate->packets[place] =
        (struct seen){.print = print, .seen_ns = packet->time_ns, .hash_next = *chain};
    *chain = place;
    duplicate->next = (place + 1) % DUPLICATE_PACKETS_MAX;
    return false;
}
