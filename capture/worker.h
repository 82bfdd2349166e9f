/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets' way from a source to the counts, and the closing of steps: decode, watch list, flow,
 * classification, count. Alone; or as a reader, who counts what is not watched and hands on what is; or as
 * the owner of a part of the flows. */
#pragma once

#include "capture.h"
#include "dispatch.h"
#include "rules.h"
#include "source.h"

struct worker;

/* What a worker is among several. */
struct worker_part {
    struct dispatch *dispatch; /* where a reader hands watched packets on to; NULL: to nobody */
    uint16_t interface;        /* a reader's, by number */
    bool shared;               /* others share the packets: what it closes is joined with theirs */
    bool silent;               /* another one says what is odd about the input */
};

/* Borrows everything but options and part, which are copied; part NULL: it is alone. NULL with the fault. */
struct worker *worker_new(const struct capture_options *options, const struct rules *rules,
                          const struct scope_list *scopes, const struct capture_output *output,
                          const struct worker_part *part, struct health *health, struct fault *fault);
void worker_free(struct worker *worker);

/* Its counts: for count_join. */
struct count *worker_count(struct worker *worker);

/* Has other rules hold from the first bin at or after change->from_ns on. Borrows what it points to. */
void worker_change(struct worker *worker, const struct capture_change *change);

/* Reads the source until it ends, or until `*stop` is set and it has delivered what it had captured by then.
 * While the source does not see all that it should, the tallies know of nothing. Returns 0, or 1 when a part
 * of the input was damaged. */
int worker_run(struct worker *worker, struct source *source, const atomic_bool *stop);

/* Closes what is open: the flows, and then the step. Nothing more is handed on. */
void worker_end(struct worker *worker, struct source *source);
