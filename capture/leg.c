/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the paths know interfaces and VLANs alone, all packets of a leg without a second tag have crossed the
 * same ones, so these are looked up once a leg.
 */
#include "leg.h"

#include <stdio.h>
#include <stdlib.h>

enum { UNTAGGED = 0xffff, LAST = TALLY_LEGS - 1, FOUND = 64 };

static const uint32_t no_key = 0xfffffffe; /* a VLAN's id has twelve bits */

struct leg {
    uint16_t interface, vlan;
    bool has_paths;
    struct leg_paths paths; /* of its packets with one tag or none, when has_paths */
};

struct legs {
    const struct rules *rules;
    const char *const *names;
    size_t name_count;
    struct leg_list *list;
    bool by_tags; /* no path asks for a MAC address, an MPLS label or a tunnel */
    unsigned count;
    struct {
        uint32_t key; /* no_key: none */
        unsigned leg;
    } found[FOUND];          /* latest, by the low bits of interface and VLAN */
    struct leg_paths others; /* of the latest packet that had to be looked up */
    struct leg legs[TALLY_LEGS];
};

struct legs *legs_new(const struct rules *rules, const char *const *names, size_t name_count,
                      struct leg_list *list)
{
    struct legs *legs = calloc(1, sizeof *legs);
    if (legs == NULL)
        return NULL;
    *legs = (struct legs){
        .rules = rules, .names = names, .name_count = name_count, .list = list, .by_tags = true};
    for (int i = 0; i < FOUND; i++)
        legs->found[i].key = no_key;
    for (size_t i = 0; i < rules->path_count; i++)
        for (size_t j = 0; j < rules->paths[i].key_count; j++) {
            enum path_key_kind kind = rules->paths[i].keys[j].kind;
            legs->by_tags &= kind == PATH_INTERFACE || kind == PATH_VLAN || kind == PATH_PREFIX;
        }
    return legs;
}

void legs_free(struct legs *legs)
{
    free(legs);
}

static void name_leg(const struct legs *legs, unsigned number)
{
    const struct leg *leg = &legs->legs[number];
    char interface[40] = "", vlan[16] = "", *text = legs->list->text[number];
    if (leg->interface < legs->name_count)
        snprintf(interface, sizeof interface, "%s", legs->names[leg->interface]);
    else if (leg->interface > 0 || leg->vlan == UNTAGGED)
        snprintf(interface, sizeof interface, "interface %u", leg->interface);
    if (leg->vlan != UNTAGGED)
        snprintf(vlan, sizeof vlan, "vlan %u", leg->vlan);
    const char *between = interface[0] != '\0' && vlan[0] != '\0' ? " " : "";
    snprintf(text, sizeof legs->list->text[number], "%s%s%s", interface, between, vlan);
    if (number == LAST)
        snprintf(text, sizeof legs->list->text[number], "other legs");
    legs->list->count = number + 1;
}

/* The number of a leg, which is new when it was not seen before. Out of line, as it is asked for rarely. */
__attribute__((noinline)) static unsigned number_of(struct legs *legs, uint16_t interface, uint16_t vlan)
{
    unsigned number = 0;
    while (number < legs->count && number < LAST &&
           (legs->legs[number].interface != interface || legs->legs[number].vlan != vlan))
        number++;
    if (number < legs->count)
        return number;
    legs->legs[number] = (struct leg){.interface = interface, .vlan = vlan};
    legs->count++;
    if (legs->list != NULL)
        name_leg(legs, number);
    return number;
}

unsigned legs_find(struct legs *legs, const struct packet *packet)
{
    uint16_t vlan = packet->vlan_count > 0 ? packet->vlans[0] : UNTAGGED;
    uint32_t key = (uint32_t)packet->interface << 16 | vlan;
    unsigned slot = (vlan ^ packet->interface) % FOUND;
    if (legs->found[slot].key != key) {
        legs->found[slot].key = key;
        legs->found[slot].leg = number_of(legs, packet->interface, vlan);
    }
    return legs->found[slot].leg;
}

const struct leg_paths *legs_paths(struct legs *legs, unsigned leg, const struct packet *packet)
{
    bool shared = leg == LAST || packet->vlan_count > 1 || !legs->by_tags;
    struct leg_paths *paths = shared ? &legs->others : &legs->legs[leg].paths;
    if (shared || !legs->legs[leg].has_paths)
        paths->count = path_find_link(legs->rules, packet, paths->scope, LEG_PATHS_MAX);
    legs->legs[leg].has_paths |= !shared;
    return paths;
}
