/* SPDX-License-Identifier: BSD-3-Clause */
#include "past.h"

#include <stddef.h>

void past_keep(struct past *past, const struct episode_mark *mark, int64_t at_ns, int64_t every_ns)
{
    unsigned last = (past->next + PAST_MARKS - 1) % PAST_MARKS;
    if (past->count > 0 && at_ns - past->at_ns[last] < every_ns)
        return;
    past->at_ns[past->next] = at_ns;
    past->mark[past->next] = *mark;
    past->next = (past->next + 1) % PAST_MARKS;
    past->count += past->count < PAST_MARKS;
}

const struct episode_mark *past_at(const struct past *past, int64_t at_ns)
{
    const struct episode_mark *found = NULL;
    for (unsigned i = 1; i <= past->count; i++) { /* from the latest back */
        unsigned place = (past->next + PAST_MARKS - i) % PAST_MARKS;
        found = &past->mark[place];
        if (past->at_ns[place] <= at_ns)
            break;
    }
    return found;
}
