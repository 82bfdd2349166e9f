/* SPDX-License-Identifier: BSD-3-Clause */
#include "distinct.h"

#include <stdlib.h>
#include <string.h>

/* A slot is taken when its generation is the present one, so that forgetting everything is one addition. */
struct slot {
    uint8_t address[16];
    uint32_t label, generation;
};

struct distinct {
    struct slot *slots;
    uint32_t size, used, size_max; /* sizes are powers of two */
    uint32_t generation;
};

struct distinct *distinct_new(uint32_t addresses_max)
{
    struct distinct *set = calloc(1, sizeof *set);
    if (set == NULL)
        return NULL;
    set->size = 1024;
    set->size_max = set->size;
    while (set->size_max / 2 < addresses_max && set->size_max < 1U << 30)
        set->size_max *= 2;
    set->generation = 1;
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

/* An address is asked for under several labels, one after the other: those near each other stand together. */
static uint32_t hash(uint32_t label, const uint8_t address[16])
{
    enum { TOGETHER = 64 };
    uint64_t high, low;
    memcpy(&high, address, 8);
    memcpy(&low, address + 8, 8);
    uint64_t mixed = (high ^ 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL + low +
                     label / TOGETHER * 0xc4ceb9fe1a85ec53ULL;
    mixed ^= mixed >> 32;
    mixed *= 0xd6e8feb86659fd93ULL;
    return (uint32_t)(mixed >> 32);
}

static struct slot *find(struct slot *slots, uint32_t size, uint32_t generation, uint32_t label,
                         const uint8_t address[16])
{
    uint32_t at = hash(label, address) & (size - 1);
    while (slots[at].generation == generation &&
           (slots[at].label != label || memcmp(slots[at].address, address, 16) != 0))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static bool grow(struct distinct *set)
{
    if (set->size == set->size_max)
        return false;
    uint32_t size = set->size * 2;
    struct slot *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < set->size; i++)
        if (set->slots[i].generation == set->generation)
            *find(slots, size, set->generation, set->slots[i].label, set->slots[i].address) = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->size = size;
    return true;
}

enum distinct_answer distinct_add(struct distinct *set, uint32_t label, const uint8_t address[16])
{
    struct slot *slot = find(set->slots, set->size, set->generation, label, address);
    if (slot->generation == set->generation)
        return DISTINCT_OLD;
    if (set->used >= set->size / 2) {
        if (!grow(set))
            return DISTINCT_FULL;
        slot = find(set->slots, set->size, set->generation, label, address);
    }
    memcpy(slot->address, address, 16);
    slot->label = label;
    slot->generation = set->generation;
    set->used++;
    return DISTINCT_NEW;
}

void distinct_forget(struct distinct *set)
{
    set->used = 0;
    if (++set->generation == 0) { /* after four thousand million bins */
        memset(set->slots, 0, set->size * sizeof *set->slots);
        set->generation = 1;
    }
}
