/* SPDX-License-Identifier: BSD-3-Clause */
/* The counters that say what was not read, or not told. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "health.h"

struct loss {
    uint64_t count;
    char words[HEALTH_WORDS_MAX]; /* what was counted, as they read behind that */
};

/* Those that are not zero, in the order of the list; returns how many. */
size_t losses_find(const struct health *health, struct loss losses[HEALTH__COUNT]);
