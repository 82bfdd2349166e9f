/* SPDX-License-Identifier: BSD-3-Clause */
/* The legs by which packets come to the tap: their numbers, and the paths that what is not watched crosses on
 * each. */
#pragma once

#include <stddef.h>

#include "rules.h"
#include "tally.h"

/* The scopes of the paths that a packet crossed. */
enum { LEG_PATHS_MAX = 8 };
struct leg_paths {
    uint32_t scope[LEG_PATHS_MAX];
    unsigned count;
};

/* The head of the legs: those found lately, by the low bits of interface and VLAN, so that the leg of nearly
 * every packet is found at once. */
enum { LEGS_FOUND = 64, LEG_UNTAGGED = 0xffff };
struct legs {
    uint32_t found[LEGS_FOUND]; /* LEG_KEY, or one that no packet has */
    uint8_t number[LEGS_FOUND];
};
#define LEG_KEY(interface, vlan) ((uint32_t)(interface) << 16 | (vlan))

/* Borrows all; `names` are of the interfaces, in the order of their numbers, none for a replay, and `list`
 * receives the names of the legs, unless it is NULL. Who shares a list has the same numbers. NULL: no memory.
 */
struct legs *legs_new(const struct rules *rules, const char *const *names, size_t name_count,
                      struct leg_list *list);
void legs_free(struct legs *legs);

/* Between the two nobody names a leg in any list. */
void legs_hold(void);
void legs_release(void);

/* From here on other rules hold; the legs keep their numbers, and their names go
 * over to `list`, unless it has some already from one that shares it. */
void legs_change(struct legs *legs, const struct rules *rules, struct leg_list *list);

/* legs_find for another leg than the latest in its place. */
unsigned legs_look_up(struct legs *legs, uint16_t interface, uint16_t vlan);

/* The number of the leg of an interface and its outermost VLAN (LEG_UNTAGGED: none), below TALLY_LEGS. The
 * sixteenth and all later share the last. */
static inline unsigned legs_find(struct legs *legs, uint16_t interface, uint16_t vlan)
{
    unsigned place = (unsigned)(vlan ^ interface) % LEGS_FOUND;
    if (legs->found[place] == LEG_KEY(interface, vlan))
        return legs->number[place];
    return legs_look_up(legs, interface, vlan);
}

/* The paths that a packet without a watched address crossed, by what they name of the link. `leg` is the
 * packet's. Valid until the next call. */
const struct leg_paths *legs_paths(struct legs *legs, unsigned leg, const struct packet *packet);
