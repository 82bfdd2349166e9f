/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the paths know interfaces and VLANs alone, all packets of a leg without a second tag have crossed the
 * same ones, so these are looked up once a leg.
 */
#include "leg.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAST = TALLY_LEGS - 1 };

struct leg {
    uint16_t interface, vlan;
    bool has_paths;
    struct leg_paths paths; /* of its packets with one tag or none, when has_paths */
};

struct all_legs {
    struct legs head;
    const struct rules *rules;
    const char *const *names;
    size_t name_count;
    struct leg_list *list;
    bool by_tags; /* no path asks for a MAC address, an MPLS label or a tunnel */
    unsigned count;
    struct leg_paths others; /* of the latest packet that had to be looked up */
    struct leg legs[TALLY_LEGS];
};

/* Whether paths ask for nothing of a packet but its interface and tags. */
static bool are_by_tags(const struct rules *rules)
{
    bool by_tags = true;
    for (size_t i = 0; i < rules->path_count; i++)
        for (size_t j = 0; j < rules->paths[i].key_count; j++) {
            enum path_key_kind kind = rules->paths[i].keys[j].kind;
            by_tags &= kind == PATH_INTERFACE || kind == PATH_VLAN || kind == PATH_PREFIX;
        }
    return by_tags;
}

void legs_change(struct legs *head, const struct rules *rules, struct leg_list *list)
{
    struct all_legs *legs = (struct all_legs *)head;
    if (list != NULL && legs->list != NULL)
        *list = *legs->list;
    legs->rules = rules;
    legs->list = list;
    legs->by_tags = are_by_tags(rules);
    for (unsigned i = 0; i < legs->count; i++)
        legs->legs[i].has_paths = false;
}

struct legs *legs_new(const struct rules *rules, const char *const *names, size_t name_count,
                      struct leg_list *list)
{
    struct all_legs *legs = calloc(1, sizeof *legs);
    if (legs == NULL)
        return NULL;
    *legs = (struct all_legs){.rules = rules,
                              .names = names,
                              .name_count = name_count,
                              .list = list,
                              .by_tags = are_by_tags(rules)};
    for (int i = 0; i < LEGS_FOUND; i++)
        legs->head.found[i] = LEG_KEY(0, LEG_UNTAGGED - 1); /* a VLAN's id has twelve bits */
    return &legs->head;
}

void legs_free(struct legs *legs)
{
    free(legs);
}

static void name_leg(const struct all_legs *legs, unsigned number)
{
    const struct leg *leg = &legs->legs[number];
    char interface[40] = "", vlan[16] = "", *text = legs->list->text[number];
    if (leg->interface < legs->name_count)
        snprintf(interface, sizeof interface, "%s", legs->names[leg->interface]);
    else if (leg->interface > 0 || leg->vlan == LEG_UNTAGGED)
        snprintf(interface, sizeof interface, "interface %u", leg->interface);
    if (leg->vlan != LEG_UNTAGGED)
        snprintf(vlan, sizeof vlan, "vlan %u", leg->vlan);
    const char *between = interface[0] != '\0' && vlan[0] != '\0' ? " " : "";
    snprintf(text, sizeof legs->list->text[number], "%s%s%s", interface, between, vlan);
    if (number == LAST)
        snprintf(text, sizeof legs->list->text[number], "other legs");
    legs->list->count = number + 1;
}

/* The number of a leg, which is new when it was not seen before. */
static unsigned number_of(struct all_legs *legs, uint16_t interface, uint16_t vlan)
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

unsigned legs_look_up(struct legs *legs, uint16_t interface, uint16_t vlan)
{
    unsigned place = (unsigned)(vlan ^ interface) % LEGS_FOUND;
    legs->found[place] = LEG_KEY(interface, vlan);
    legs->number[place] = (uint8_t)number_of((struct all_legs *)legs, interface, vlan);
    return legs->number[place];
}

const struct leg_paths *legs_paths(struct legs *head, unsigned leg, const struct packet *packet)
{
    struct all_legs *legs = (struct all_legs *)head;
    bool shared = leg == LAST || packet->vlan_count > 1 || !legs->by_tags;
    struct leg_paths *paths = shared ? &legs->others : &legs->legs[leg].paths;
    if (shared || !legs->legs[leg].has_paths)
        paths->count = path_find_link(legs->rules, packet, paths->scope, LEG_PATHS_MAX);
    legs->legs[leg].has_paths |= !shared;
    return paths;
}
