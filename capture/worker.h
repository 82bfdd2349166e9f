/* SPDX-License-Identifier: BSD-3-Clause */
/* One reader's life: source to decode to watch list to flow to classification to count, and the closing of
 * steps. */
#pragma once

#include "capture.h"
#include "rules.h"
#include "source.h"

struct worker;

/* Borrows everything but the options, which are copied. NULL with the fault. */
struct worker *worker_new(const struct capture_options *options, const struct rules *rules,
                          const struct scope_list *scopes, const struct capture_output *output,
                          struct health *health, struct fault *fault);
void worker_free(struct worker *worker);

/* Has other rules hold from the first bin at or after change->from_ns on. Borrows what it points to. */
void worker_change(struct worker *worker, const struct capture_change *change);

/* Reads the source until it ends, or until `*stop` is set and it has delivered what it had captured by then,
 * and closes what is open. While the source does not see all that it should, the tallies know of nothing.
 * Returns 0, or 1 when a part of the input was damaged. */
int worker_run(struct worker *worker, struct source *source, const volatile sig_atomic_t *stop);
