/* SPDX-License-Identifier: BSD-3-Clause */
/* What a series speaks of: everything that counts, one prefix, one path, one service, or the rest of the tap.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum scope_kind { SCOPE_ALL, SCOPE_PREFIX, SCOPE_PATH, SCOPE_SERVICE, SCOPE_TAP };

#define SCOPE_TEXT_MAX 80

/* One scope. Its number is its place in the list that the settings make once: `all` first (0), then prefixes,
 * paths and services in the order of the configuration, `tap` last. The list outlives everybody who borrows
 * it. */
struct scope {
    enum scope_kind kind;
    bool counted; /* its flows are part of `all`; false for a leased range, say, and for the tap */
    char text[SCOPE_TEXT_MAX]; /* as published: "all", "prefix:175.45.176.0/24", "service:kcna.kp", "tap" */
    bool name_server;          /* a service that answers names: all its ports are DNS */
};

/* A router that an operator knows, and the path on which it stands. */
struct scope_router {
    uint8_t address[16]; /* IPv4 mapped */
    uint32_t path;       /* the number of the path's scope */
};

struct leg_list;

#define SCOPE_NUMBER_ALL 0U
#define SCOPE_NONE       UINT32_MAX

struct scope_list {
    const struct scope *items;
    uint32_t count;
    const bool *by_name; /* by number: the services that are known by names alone; NULL: there is none */
    const struct scope_router *routers; /* in the order of the configuration */
    uint32_t router_count;
    const char *const *interfaces; /* of a live tap, by number */
    uint32_t interface_count;
    struct leg_list *legs; /* named by the capture as they appear (tally.h); NULL: there is none */
};

/* The number of the tap's scope: the last one. */
static inline uint32_t scope_number_tap(const struct scope_list *list)
{
    return list->count - 1;
}

/* Whether a scope is a service that only a name in its packets tells from others. */
static inline bool scope_is_by_name(const struct scope_list *list, uint32_t number)
{
    return list->by_name != NULL && list->by_name[number];
}

/* Whether two scopes of different lists are the same: what was learned of one holds for the other. */
static inline bool scope_is_same(const struct scope *one, const struct scope *other)
{
    return one->counted == other->counted && strcmp(one->text, other->text) == 0;
}

/* The part after the colon ("kcna.kp"), or the whole text where there is none ("all"). */
static inline const char *scope_name(const struct scope *scope)
{
    const char *colon = strchr(scope->text, ':');
    return colon != NULL ? colon + 1 : scope->text;
}
