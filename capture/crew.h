/* SPDX-License-Identifier: BSD-3-Clause */
/* Readers and the owners of flows, each in a thread of its own. */
#pragma once

#include <pthread.h>

#include "capture.h"
#include "rules.h"
#include "source.h"

struct crew_options {
    const struct capture_options *capture;
    const struct rules *rules;
    const struct scope_list *scopes;
    struct source *const *sources; /* a reader each; borrowed */
    size_t source_count;
    size_t owner_count;
};

struct crew;

/* Borrows all but the options until crew_free. What `output` receives is what one worker would have told.
 * NULL with the fault. */
struct crew *crew_new(const struct crew_options *options, const struct capture_output *output,
                      struct fault *fault);
void crew_free(struct crew *crew);

/* Reads all sources to their end, or until `*stop`, as worker_run does, closes what is open, and adds to
 * `health` what was counted. Returns as capture_run. */
int crew_run(struct crew *crew, struct health *health, const atomic_bool *stop, struct fault *fault);

/* As capture_change. */
void crew_change(struct crew *crew, const struct capture_change *change);

/* Keeps a thread of a worker, reader or owner, on its processor, if processors are named. */
void crew_pin(const struct capture_options *options, pthread_t thread, size_t worker);
