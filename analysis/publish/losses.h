/* SPDX-License-Identifier: BSD-3-Clause */
/* The counters that say what was not read, or not told. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "health.h"

struct loss {
    const char *help; /* what was counted */
    uint64_t count;
};

/* Those that are not zero, in the order of the list; returns how many. */
size_t losses_find(const struct health *health, struct loss losses[HEALTH__COUNT]);
