/* SPDX-License-Identifier: BSD-3-Clause */
/* A savefile's packets with times that can be believed: clocks are set while a capture runs, and a damaged
 * time is like any other number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "savefile.h"

/*
 * A packet within ten seconds of the latest time, before or after, is as it should be. One farther off is
 * doubtful, and the seven that follow it bear witness: each is for it when it is nearer to it than to the
 * time reached, else against it. Where more are against it the packet is astray, and gets the time reached.
 * Else its time is believed: a later one is silence, or a hole, as ever; an earlier one says that the clock
 * was set back. Time goes on from where it was then, ahead of the file's own by so much, until the file's own
 * has come as far by a step forward.
 *
 * At the end of a file there are fewer witnesses; where there is none the packet is astray if it is earlier,
 * or later by more than gap_max. The first packet of a file is astray where most of the seven behind it are
 * earlier, or later by more than a year, and gets the time of the first of them. Where there are not seven
 * packets before and behind a doubtful one together it is taken as it is.
 */
struct steady;

/* What came up since it was asked last. */
struct steady_news {
    uint64_t astray;  /* packets that were */
    uint64_t steps;   /* how often the clock was set back, or forth again … */
    int64_t by_ns;    /* … the last time by so much, below zero: back, … */
    int64_t since_ns; /* … and the time reached then */
};

/* Borrows the file. `hasty`: the first packet is believed, since witnesses may be long in coming. NULL: no
 * memory. `steady_free` takes NULL too. */
struct steady *steady_new(struct savefile *file, int64_t gap_max_ns, bool hasty);
void steady_free(struct steady *steady);

/* As savefile_next, which nobody else may call meanwhile; a packet without a time stays without one. */
enum savefile_news steady_next(struct steady *steady, const struct frame **frames, size_t *count);

/* What has come up; false: nothing has. */
bool steady_take_news(struct steady *steady, struct steady_news *news);
