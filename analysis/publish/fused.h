/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes of the windows that closed: events, bins, states and all that the view knows, put into Redis at
 * once or not at all, and only by whoever knows what was put there last. */
#pragma once

#include <stdint.h>

#include "fuse.h"
#include "fuser_talk.h"
#include "publish.h"

struct fused;

/* Borrows both. NULL: no memory. */
struct fused *fused_new(struct fuser_talk *talk, const struct publish_options *options);
void fused_free(struct fused *fused);

/* The output of a view: what it gives is kept until it is committed, or dropped. */
struct fuse_output fused_output(struct fused *fused);
bool fused_is_empty(const struct fused *fused);

/* What the view knew at the last commit, to be freed; `*turn` counts commits. NULL with `*length` 0 where
 * there was none. After a refused or failed commit this is where to go on. */
enum redis_class fused_recall(struct fused *fused, uint8_t **bytes, size_t *length);

/* Puts everything there, with the bytes of the view and the arrivals up to an instant (milliseconds) removed,
 * if nobody has committed since fused_recall. `*done`: it is there; else somebody else goes on with it. */
enum redis_class fused_commit(struct fused *fused, const uint8_t *bytes, size_t length, int64_t until_ms,
                              bool *done);

/* What was committed goes to the other sinks, and is forgotten. */
void fused_publish(struct fused *fused, struct publish *publish, int64_t data_ns);
void fused_drop(struct fused *fused);
