/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An address is asked for under several labels, one after the other, so a slot holds 64 labels of an address,
 * a bit each, and the slot of the latest question is at hand.
 */
#include "distinct.h"

#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "hash.h"
#include "memory.h"

enum { LABELS = 64 };

/* A slot is taken when its generation is the present one, so that forgetting everything is one addition. */
struct slot {
    uint8_t address[16];
    uint64_t labels; /* of group * LABELS and those behind it */
    uint32_t group, generation;
};

struct distinct {
    struct slot *slots;
    uint32_t size, used; /* a power of two, and how many slots of them */
    uint32_t held, most; /* addresses, each under every label */
    uint32_t generation;
    struct hash_key hash_key;
    struct slot *latest; /* asked for; NULL: none */
};

struct distinct *distinct_new(uint32_t addresses_max)
{
    struct distinct *set = calloc(1, sizeof *set);
    if (set == NULL)
        return NULL;
    set->size = 1024;
    set->most = set->size / 2;
    while (set->most < addresses_max && set->most < 1U << 29)
        set->most *= 2;
    set->generation = 1;
    hash_key_draw(&set->hash_key, set);
    set->slots = calloc(set->size, sizeof *set->slots);
    if (set->slots == NULL) {
        free(set);
        return NULL;
    }
    return set;
}

void distinct_free(struct distinct *set)
{
    if (set == NULL)
        return;
    free(set->slots);
    free(set);
}

static uint32_t hash(const struct hash_key *key, uint32_t group, const uint8_t address[16])
{
    uint64_t words[3] = {[2] = group};
    memcpy(words, address, 16);
    return hash_words(key, words, sizeof words / sizeof *words);
}

static bool is_of(const struct slot *slot, uint32_t group, const uint8_t address[16])
{
    return slot->group == group && memcmp(slot->address, address, sizeof slot->address) == 0;
}

/* The slot of an address, or the free one where it would stand. */
static struct slot *find(const struct distinct *set, struct slot *slots, uint32_t size, uint32_t group,
                         const uint8_t address[16])
{
    uint32_t at = hash(&set->hash_key, group, address) & (size - 1);
    while (slots[at].generation == set->generation && !is_of(&slots[at], group, address))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static void grow(struct distinct *set)
{
    uint32_t size = set->size * 2;
    struct slot *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        memory_end("the addresses of an interval (see addresses_max)");
    for (uint32_t i = 0; i < set->size; i++)
        if (set->slots[i].generation == set->generation)
            *find(set, slots, size, set->slots[i].group, set->slots[i].address) = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->size = size;
}

static struct slot *slot_of(struct distinct *set, uint32_t group, const uint8_t address[16])
{
    struct slot *latest = set->latest;
    if (latest == NULL || latest->generation != set->generation || !is_of(latest, group, address))
        set->latest = find(set, set->slots, set->size, group, address);
    return set->latest;
}

static enum distinct_answer add_up_to(struct distinct *set, uint32_t most, uint32_t label,
                                      const uint8_t address[16])
{
    const uint32_t group = label / LABELS;
    const uint64_t bit = 1ULL << label % LABELS;
    struct slot *slot = slot_of(set, group, address);
    bool taken = slot->generation == set->generation;
    if (taken && (slot->labels & bit) != 0)
        return DISTINCT_OLD;
    if (set->held >= most)
        return DISTINCT_FULL;
    if (!taken) {
        if (set->used >= set->size / 2) {
            grow(set);
            set->latest = slot = find(set, set->slots, set->size, group, address);
        }
        memcpy(slot->address, address, sizeof slot->address);
        slot->labels = 0;
        slot->group = group;
        slot->generation = set->generation;
        set->used++;
    }
    slot->labels |= bit;
    set->held++;
    return DISTINCT_NEW;
}

enum distinct_answer distinct_add(struct distinct *set, uint32_t label, const uint8_t address[16])
{
    return add_up_to(set, set->most, label, address);
}

enum distinct_answer distinct_add_forgeable(struct distinct *set, uint32_t label, const uint8_t address[16])
{
    return add_up_to(set, set->most - set->most / 4, label, address);
}

void distinct_expect(const struct distinct *set, uint32_t label, const uint8_t address[16])
{
    fetch(&set->slots[hash(&set->hash_key, label / LABELS, address) & (set->size - 1)]);
}

void distinct_forget(struct distinct *set)
{
    set->used = set->held = 0;
    if (++set->generation == 0) { /* after four thousand million bins */
        memset(set->slots, 0, set->size * sizeof *set->slots);
        set->generation = 1;
    }
}
