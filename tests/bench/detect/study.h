/* SPDX-License-Identifier: BSD-3-Clause */
/* The study as it is tried: its scopes, its settings, and an ear for what it tells. */
#pragma once

#include "analysis.h"
#include "judge.h"

enum { STUDY_SCOPES_MAX = 11 };

struct study {
    struct scope_list scopes;
    struct analysis_options options;
    struct analysis_output output;
    struct analysis *analysis;
    struct telling *telling;
    double detectable_s;             /* of all, as of the last bin */
    uint64_t events_hash, bins_hash; /* of all that was told */
    unsigned sensor_events;
    unsigned open; /* episodes told and not ended */
};

/* Makes the study of a plan; what it tells is added to `telling`. Borrowed for its lifetime. 0, or -1 without
 * memory. */
int study_begin(struct study *study, const struct plan *plan, struct telling *telling);

/* Saves it, throws it away and goes on with another one loaded from the bytes. 0, or -1 when that fails. */
int study_resume(struct study *study);
void study_end(struct study *study);

/* Which part of the hosts (0 to 1) is behind a scope. */
bool study_covers(uint32_t scope, double host);
