/* SPDX-License-Identifier: BSD-3-Clause */
/* A line on standard error that says how far a replay is, or how things stand live. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

/* The words for enum scope_state. */
extern const char *const progress_states[STATE__COUNT];

/* How it stands. */
struct progress_now {
    double share; /* read so far, 0 to 1; negative: nobody knows */
    int64_t data_ns;
    uint64_t packets, dropped;
    enum scope_state all, tap;
};

struct progress {
    bool wanted, screen, live;
    double began_s, shown_s, rate_s; /* by the wall clock: the start, the last line, … */
    uint64_t rate_packets;           /* … and when there were so many packets */
    struct progress_now last;
};

/* `asked` as in the settings: 1 or 0, or -1 for a line only on a screen. */
void progress_begin(struct progress *progress, int asked, bool live);

/* Takes how it stands, and shows it if that is wanted and the last line is not too young: over the last one
 * on a screen, else, every ten seconds, below it. */
void progress_show(struct progress *progress, const struct progress_now *now);

/* The end: takes the line off a screen; elsewhere the last one says how far it came. */
void progress_end(struct progress *progress);
