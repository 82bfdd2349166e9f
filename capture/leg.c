/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the paths know interfaces and VLANs alone, all packets of a leg without a second tag have crossed the
 * same ones, so these are looked up once a leg.
 */
#include "leg.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST = TALLY_LEGS - 1 };

struct leg {
    uint16_t interface, vlan;
    bool has_paths, known;
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

/* Several readers may meet legs, and the study reads their names. */
static pthread_mutex_t naming = PTHREAD_MUTEX_INITIALIZER;

void legs_hold(void)
{
    pthread_mutex_lock(&naming);
}

void legs_release(void)
{
    pthread_mutex_unlock(&naming);
}

static void forget_found(struct all_legs *legs)
{
    for (int i = 0; i < LEGS_FOUND; i++)
        legs->head.found[i] = LEG_KEY(0, LEG_UNTAGGED - 1); /* a VLAN's id has twelve bits */
}

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
    legs_hold();
    if (list != NULL && legs->list != NULL && list->count == 0)
        *list = *legs->list;
    legs_release();
    legs->rules = rules;
    legs->list = list;
    legs->by_tags = are_by_tags(rules);
    for (unsigned i = 0; i < TALLY_LEGS; i++) {
        legs->legs[i].has_paths = false;
        legs->legs[i].known &= list == NULL; /* else found again by its name */
    }
    if (list != NULL)
        forget_found(legs);
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
    forget_found(legs);
    return &legs->head;
}

void legs_free(struct legs *legs)
{
    free(legs);
}

enum { NAME_BYTES = sizeof((struct leg_list *)NULL)->text[0] };

static void write_name(const struct all_legs *legs, uint16_t interface, uint16_t vlan, char name[NAME_BYTES])
{
    char tag[16] = "", place[40] = "";
    if (interface < legs->name_count)
        snprintf(place, sizeof place, "%s", legs->names[interface]);
    else if (interface > 0 || vlan == LEG_UNTAGGED)
        snprintf(place, sizeof place, "interface %u", interface);
    if (vlan != LEG_UNTAGGED)
        snprintf(tag, sizeof tag, "vlan %u", vlan);
    snprintf(name, NAME_BYTES, "%s%s%s", place, place[0] != '\0' && tag[0] != '\0' ? " " : "", tag);
}

/* The number of a name in the list, to which it is added if it is new. */
static unsigned number_of_name(struct leg_list *list, const char *name)
{
    unsigned number = 0;
    while (number < list->count && number < LAST && strcmp(list->text[number], name) != 0)
        number++;
    if (number == list->count || number == LAST) {
        snprintf(list->text[number], NAME_BYTES, "%s", number == LAST ? "other legs" : name);
        list->count = number + 1;
    }
    return number;
}

/* The number of a leg, which is new when it was not seen before. */
static unsigned number_of(struct all_legs *legs, uint16_t interface, uint16_t vlan)
{
    unsigned number = 0;
    while (number < LAST && (!legs->legs[number].known || legs->legs[number].interface != interface ||
                             legs->legs[number].vlan != vlan))
        number++;
    if (number < LAST)
        return number;
    if (legs->list != NULL) {
        char name[NAME_BYTES];
        write_name(legs, interface, vlan, name);
        legs_hold();
        number = number_of_name(legs->list, name);
        legs_release();
    } else {
        number = legs->count < LAST ? legs->count++ : LAST;
    }
    legs->legs[number] = (struct leg){.interface = interface, .vlan = vlan, .known = true};
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
