/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "rules.h"

/* Whether the packet came through a tunnel of one of these kinds with this number. */
static bool came_through(const struct packet *packet, uint32_t kinds, uint32_t number)
{
    for (int i = 0; i < packet->tunnel_count; i++) {
        const struct packet_tunnel *tunnel = &packet->tunnels[i];
        if ((kinds >> tunnel->kind & 1) && tunnel->has_id && tunnel->id == number)
            return true;
    }
    return false;
}

static bool key_matches(const struct path_key *key, const struct packet *packet, const uint8_t watched[16])
{
    static const uint32_t vni_kinds =
        1U << FLOW_TUNNEL_VXLAN | 1U << FLOW_TUNNEL_VXLAN_GPE | 1U << FLOW_TUNNEL_GENEVE;
    switch (key->kind) {
    case PATH_INTERFACE:
        return key->number == packet->interface;
    case PATH_VLAN:
        for (int i = 0; i < packet->vlan_count; i++)
            if (packet->vlans[i] == key->number)
                return true;
        return false;
    case PATH_MPLS:
        for (int i = 0; i < packet->mpls_count; i++)
            if (packet->mpls[i] == key->number)
                return true;
        return false;
    case PATH_VNI:
        return came_through(packet, vni_kinds, key->number);
    case PATH_ERSPAN:
        return came_through(packet, 1U << FLOW_TUNNEL_ERSPAN, key->number);
    case PATH_GRE:
        return came_through(packet, 1U << FLOW_TUNNEL_GRE, key->number);
    case PATH_MAC:
        return packet->has_mac && (memcmp(packet->source_mac, key->mac, 6) == 0 ||
                                   memcmp(packet->destination_mac, key->mac, 6) == 0);
    case PATH_PREFIX:
        return prefix_contains(&key->prefix, watched);
    }
    return false;
}

/* Without a watched address prefixes are not asked. */
static bool path_matches(const struct path *path, const struct packet *packet, const uint8_t *watched)
{
    unsigned asked = 0, met = 0;
    for (size_t i = 0; i < path->key_count; i++) {
        unsigned bit = 1U << path->keys[i].kind;
        if (watched == NULL && path->keys[i].kind == PATH_PREFIX)
            continue;
        asked |= bit;
        if (!(met & bit) && key_matches(&path->keys[i], packet, watched))
            met |= bit;
    }
    return asked != 0 && met == asked;
}

uint32_t path_find(const struct rules *rules, const struct packet *packet, const uint8_t watched[16])
{
    for (size_t i = 0; i < rules->path_count; i++)
        if (path_matches(&rules->paths[i], packet, watched))
            return rules->paths[i].scope;
    return SCOPE_NONE;
}

uint32_t path_of_watch(const struct rules *rules, const struct watch *watch)
{
    const struct packet any = {.time_ns = 0};
    for (size_t i = 0; i < rules->path_count; i++)
        for (size_t j = 0; j < rules->paths[i].key_count; j++) {
            const struct path_key *key = &rules->paths[i].keys[j];
            if (key->kind != PATH_PREFIX || (key->prefix.length > watch->prefix.length &&
                                             prefix_contains(&watch->prefix, key->prefix.address)))
                return PATH_VARIES;
        }
    return path_find(rules, &any, watch->prefix.address);
}

bool path_has_link(const struct path *path)
{
    for (size_t i = 0; i < path->key_count; i++)
        if (path->keys[i].kind != PATH_PREFIX)
            return true;
    return false;
}

static bool has_prefix(const struct path *path)
{
    for (size_t i = 0; i < path->key_count; i++)
        if (path->keys[i].kind == PATH_PREFIX)
            return true;
    return false;
}

unsigned path_find_link(const struct rules *rules, const struct packet *packet, uint32_t *scopes,
                        unsigned room)
{
    unsigned count = 0;
    for (size_t i = 0; i < rules->path_count && count < room; i++) {
        if (!path_matches(&rules->paths[i], packet, NULL))
            continue;
        scopes[count++] = rules->paths[i].scope;
        if (!has_prefix(&rules->paths[i]))
            break; /* nothing gets past it to the paths after it */
    }
    return count;
}

void path_bind_interfaces(struct rules *rules, const char *const *names, size_t count)
{
    for (size_t i = 0; i < rules->path_count; i++)
        for (size_t j = 0; j < rules->paths[i].key_count; j++) {
            struct path_key *key = &rules->paths[i].keys[j];
            if (key->kind != PATH_INTERFACE)
                continue;
            key->number = UINT32_MAX;
            for (size_t k = 0; k < count; k++)
                if (strcmp(names[k], key->interface) == 0)
                    key->number = (uint32_t)k;
        }
}
