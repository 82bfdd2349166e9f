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

struct legs;

/* Borrows all; `names` are of the interfaces, in the order of their numbers, none for a replay, and `list`
 * receives the names of the legs, unless it is NULL. NULL: no memory. */
struct legs *legs_new(const struct rules *rules, const char *const *names, size_t name_count,
                      struct leg_list *list);
void legs_free(struct legs *legs);

/* The number of the leg by which a packet came, below TALLY_LEGS. The sixteenth and all later share the last.
 */
unsigned legs_find(struct legs *legs, const struct packet *packet);

/* The paths that a packet without a watched address crossed, by what they name of the link. `leg` is the
 * packet's. Valid until the next call. */
const struct leg_paths *legs_paths(struct legs *legs, unsigned leg, const struct packet *packet);
