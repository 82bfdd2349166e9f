/* SPDX-License-Identifier: BSD-3-Clause */
/* What was told of a stream, held against the truth. */
#pragma once

#include "truth.h"

enum { EPISODES_MAX = 32768 };

/* An episode as it was told. */
struct seen {
    uint64_t id;
    int64_t decided_ns, onset_ns, earliest_ns, latest_ns;
    int64_t end_decided_ns, end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: not ended */
    unsigned flaps;
};

struct telling {
    unsigned count;
    struct seen seen[EPISODES_MAX];
};

/* Adds what came of a stream to the outcome. */
void judge_stream(const struct plan *plan, const struct truth *truth, const struct telling *telling,
                  struct outcome *outcome);
