/* SPDX-License-Identifier: BSD-3-Clause */
/* How a scope stood at some instants of the last hour or two: what an onset found late is compared with. */
#pragma once

#include "episode.h"

enum { PAST_MARKS = 8 };

/* Plain data. */
struct past {
    unsigned count, next;
    int64_t at_ns[PAST_MARKS];
    struct episode_mark mark[PAST_MARKS];
};

/* Keeps a mark where the last one is so long ago; `at_ns` is the end of the interval that it was made after.
 */
void past_keep(struct past *past, const struct episode_mark *mark, int64_t at_ns, int64_t every_ns);

/* The latest mark that is not after an instant, or the oldest; NULL when there is none. */
const struct episode_mark *past_at(const struct past *past, int64_t at_ns);
