/* SPDX-License-Identifier: BSD-3-Clause */
/* What is watched, and how a packet is told to belong to a path or a service: as configured, made once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "scope.h"
#include "watchlist.h"

/* A prefix under watch. Its place in the list is its number in the watch list. */
struct watch {
    struct prefix prefix;
    bool enabled; /* false: known, listed by --check, and off */
    bool counted; /* in `all` */
    uint32_t scope;
    const char *tier, *label; /* "": none */
    int origin;               /* where it was said, as settings_origin tells */
};

enum path_key_kind {
    PATH_INTERFACE,
    PATH_VLAN,
    PATH_MPLS,
    PATH_VNI,
    PATH_ERSPAN,
    PATH_GRE,
    PATH_MAC,
    PATH_PREFIX
};

struct path_key {
    enum path_key_kind kind;
    uint32_t number; /* interface: its number at the tap; VLAN id; MPLS label; VNI; ERSPAN session; GRE key */
    uint8_t mac[6];
    struct prefix prefix;
    char interface[32]; /* the name, as configured */
};

/* An upstream. A packet crossed it when, of every kind of key that it has, one matches. */
struct path {
    char name[64];
    uint32_t scope;
    struct path_key *keys;
    size_t key_count;
    struct prefix *routers; /* addresses of routers that stand on it */
    size_t router_count;
    int origin;
};

/* A service: the watched end of a flow that has one of the ports (if any is given), and one of the addresses
 * or one of the names. */
struct service {
    char name[64];
    uint32_t scope;
    char **hosts; /* shell patterns, matched without regard to case */
    size_t host_count;
    struct prefix *addresses;
    size_t address_count;
    uint16_t *ports;
    size_t port_count;
    int origin;
};

struct rules {
    struct watch *watches;
    size_t watch_count;
    struct watchlist *watchlist; /* of those enabled */
    uint32_t *watch_paths;       /* path_of_watch for each watch; NULL: not looked up */
    struct path *paths;
    size_t path_count;
    struct service *services;
    size_t service_count;
};

/* The scope of the first path that a packet crossed, seen from its watched address; SCOPE_NONE when none
 * matches. */
uint32_t path_find(const struct rules *rules, const struct packet *packet, const uint8_t watched[16]);

/* The path of all packets from and to a watch, or SCOPE_NONE, where paths know nothing but prefixes and none
 * parts it; PATH_VARIES where it takes the packet to tell. */
#define PATH_VARIES (SCOPE_NONE - 1)
uint32_t path_of_watch(const struct rules *rules, const struct watch *watch);

/* Whether a path names an interface, VLAN, MPLS label, tunnel or MAC address. */
bool path_has_link(const struct path *path);

/* The scopes of the paths that a packet without a watched address crossed, as far as they name the link (see
 * path_has_link): all that it could have belonged to with one, up to `room`. Returns how many. */
unsigned path_find_link(const struct rules *rules, const struct packet *packet, uint32_t *scopes,
                        unsigned room);

/* Gives the interface keys of all paths the numbers of the interfaces read; those not among them never match.
 */
void path_bind_interfaces(struct rules *rules, const char *const *names, size_t count);

/* The scope of the first service at this address and port; SCOPE_NONE. */
uint32_t service_find_address(const struct rules *rules, const uint8_t address[16], uint16_t port);

/* The scope of the first service of this name and port; SCOPE_NONE. */
uint32_t service_find_name(const struct rules *rules, const char *name, uint16_t port);
