/* SPDX-License-Identifier: BSD-3-Clause */
/* Where readers and the owners of flows meet at the end of each step: what they closed becomes one, as if one
 * had done it all. */
#pragma once

#include "capture.h"
#include "worker.h"

struct join;

/* Of `owner_count` owners and then `reader_count` readers, members in this order. Borrows all. What it tells
 * goes to `output`, by whichever thread completes a step, one at a time. NULL: no memory. */
struct join *join_new(const struct capture_options *options, const struct scope_list *scopes,
                      const struct capture_output *output, size_t owner_count, size_t reader_count);
void join_free(struct join *join);

/* What a member has for output. Readers go on at once; owners wait until the step is told, since what their
 * flows did is judged together. */
const struct capture_output *join_output(struct join *join, size_t member);

/* Who the member is, before it begins. */
void join_member(struct join *join, size_t member, struct worker *worker);

/* From within output->step: has other rules hold, as capture_change does. */
void join_change(struct join *join, const struct capture_change *change);

/* A member has closed its last step. */
void join_leave(struct join *join, size_t member);

/* The threads are over: owners are asked for the rest one after the other, and wait for nobody. */
void join_last(struct join *join);

/* Adds what all members counted, by join_last. */
void join_health(const struct join *join, struct health *sum);
