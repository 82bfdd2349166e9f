/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ways stand in the order in which they came, from 1 on; a table of twice as many places finds them by their
 * bytes. After a change of paths two of them may be alike, which does no harm.
 */
#include "way.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "memory.h"
#include "scope.h"

struct ways {
    struct health *health;
    struct hash_key hash_key;
    uint32_t count, room; /* a power of two */
    struct way *items;
    uint16_t *places; /* 2 * room; 0: free */
};

static struct way way_of(const struct packet *packet, uint32_t path)
{
    struct way way;
    memset(&way, 0, sizeof way); /* all of it is compared */
    way.vlan_count = packet->vlan_count;
    memcpy(way.vlans, packet->vlans, packet->vlan_count * sizeof *way.vlans);
    way.tunnel_count = packet->tunnel_count;
    for (unsigned i = 0; i < packet->tunnel_count; i++)
        way.tunnels[i] = packet->tunnels[i].kind;
    way.path = path;
    return way;
}

/* The place of a way, or the free one where it would stand. */
static uint16_t *find_place(const struct ways *ways, const struct way *way)
{
    uint64_t words[(sizeof *way + 7) / 8] = {0};
    memcpy(words, way, sizeof *way);
    uint32_t mask = 2 * ways->room - 1,
             at = hash_words(&ways->hash_key, words, sizeof words / sizeof *words) & mask;
    while (ways->places[at] != 0 && memcmp(&ways->items[ways->places[at]], way, sizeof *way) != 0)
        at = (at + 1) & mask;
    return &ways->places[at];
}

static void place_all(struct ways *ways)
{
    memset(ways->places, 0, 2 * ways->room * sizeof *ways->places);
    for (uint32_t i = 1; i < ways->count; i++)
        *find_place(ways, &ways->items[i]) = (uint16_t)i;
}

static bool grow(struct ways *ways, uint32_t room)
{
    struct way *items = reallocarray(ways->items, room, sizeof *items);
    if (items != NULL)
        ways->items = items;
    uint16_t *places = items != NULL ? calloc(room, 2 * sizeof *places) : NULL;
    if (places == NULL)
        return false;
    free(ways->places);
    ways->places = places;
    ways->room = room;
    place_all(ways);
    return true;
}

struct ways *ways_new(struct health *health)
{
    struct ways *ways = calloc(1, sizeof *ways);
    if (ways == NULL)
        return NULL;
    ways->health = health;
    hash_key_draw(&ways->hash_key, ways);
    if (!grow(ways, 16)) {
        ways_free(ways);
        return NULL;
    }
    ways->count = 1;
    ways->items[0] = (struct way){.path = SCOPE_NONE};
    return ways;
}

void ways_free(struct ways *ways)
{
    if (ways == NULL)
        return;
    free(ways->items);
    free(ways->places);
    free(ways);
}

uint16_t ways_find(struct ways *ways, const struct packet *packet, uint32_t path)
{
    struct way way = way_of(packet, path);
    uint16_t *place = find_place(ways, &way);
    if (*place != 0)
        return *place;
    if (ways->count == ways->room) {
        if (ways->room == WAYS_MAX) {
            ways->health->ways_unkept++;
            return 0;
        }
        if (!grow(ways, 2 * ways->room))
            memory_end("the ways of packets");
        place = find_place(ways, &way);
    }
    ways->items[ways->count] = way;
    *place = (uint16_t)ways->count++;
    return *place;
}

const struct way *ways_get(const struct ways *ways, uint16_t number)
{
    return &ways->items[number];
}

void ways_change(struct ways *ways, uint32_t (*after)(void *context, uint32_t path), void *context)
{
    for (uint32_t i = 1; i < ways->count; i++)
        ways->items[i].path = after(context, ways->items[i].path);
    place_all(ways);
}
