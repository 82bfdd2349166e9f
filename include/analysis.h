/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the study: closed tallies in, bins and events out. No clock, file, socket or log behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "scope.h"
#include "tally.h"

struct analysis;

struct analysis_options {
    int64_t bin_ns;               /* what is published: a bin's length, 1 s to 1 h */
    double false_alarms_per_year; /* over all scopes together */
    double half_life_s;           /* after which what was learned weighs half */
    double recovery_hold_s;       /* how long a return must last before the outage has ended */
    double level_after_s;         /* after which a part that stays alive is the new normal; 0: never */
    double learn_flows;           /* signs of life before a scope is judged at all */
    double learn_s;               /* and seconds */
};

/* Where the results go. Both are called from within analysis_step and analysis_finish, in data-time order,
 * with values that are only valid during the call. */
struct analysis_output {
    void *context;
    void (*bin)(void *context, const struct bin *bin);
    void (*event)(void *context, const struct event *event);
};

/* Borrows the scopes for its lifetime; copies the rest. NULL when there is no memory. */
struct analysis *analysis_new(const struct analysis_options *options, const struct scope_list *scopes,
                              const struct analysis_output *output);
void analysis_free(struct analysis *analysis);

/* Takes the tallies of one closed interval, one a scope in the order of the list. Intervals come in time
 * order, do not overlap and never cross the end of a bin. What lies between two intervals is missing, not
 * silent. */
void analysis_step(struct analysis *analysis, const struct tally *tallies);

/* Says that the input ended: the bin under way is given out as far as it was watched; open episodes stay
 * open. */
void analysis_finish(struct analysis *analysis);

/* The checkpoint: the whole study as bytes. `analysis_save` returns the size needed and writes only where
 * `room` is enough. `analysis_load` puts a study just made where the saved one stood: 0, or -1 with the
 * reason in `why` when the bytes were written by another version or for other scopes or options. Whether they
 * are whole is the caller's to know. */
size_t analysis_save(const struct analysis *analysis, uint8_t *bytes, size_t room);
int analysis_load(struct analysis *analysis, const uint8_t *bytes, size_t length, const char **why);

/* When what is watched changes: how much of what `all` shows, from 0 to 1, is of prefixes that are still
 * followed in other scopes; 1 where nothing is known of single prefixes. */
double analysis_part(const struct analysis *from, const struct scope_list *scopes);

/* Between two bins: a study just made takes over what another one, of the same bin and half-life, learned of
 * the scopes that both have, with their open outages, and of the tap. `all` learns anew unless it stays what
 * it was. Returns how many outages are open of scopes that are gone, of which nothing more will be told. */
uint32_t analysis_take_over(struct analysis *to, const struct analysis *from, bool all_stays);
