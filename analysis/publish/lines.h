/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines into a file or standard output, with every error noticed. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

/* How a file is written. */
enum lines_manner {
    LINES_ANEW,  /* emptied first; buffered; after a failure nothing more is written, so that no line is
                    missing in between */
    LINES_ON,    /* the same, for what goes on for months: what could not be written is taken back to the last
                    whole line and kept as long as the buffer holds it, and the next flush tries again */
    LINES_APPEND /* added to, each line at once and whole; after a failure the next line tries again */
};

struct lines;

/* Once `*stop` is set whoever reads a pipe is waited for two seconds more, and then given up: for all that
 * are opened. Borrowed for good; NULL: for ever. */
void lines_stop_with(const atomic_bool *stop);

/* Opens the file, or standard output when the path is "-". Borrows the path. `resume` is the length at which
 * a run that was cut short goes on: what the file has beyond it is cut off; -1 for a fresh start. NULL with
 * the fault naming it: also for a named pipe that nobody has begun to read within two seconds. */
struct lines *lines_open(const char *path, enum lines_manner manner, int64_t resume, struct fault *fault);

/* How long the file is with everything put so far, be it written yet or not; 0 where that has no meaning. */
uint64_t lines_length(const struct lines *lines);

/* Adds bytes that end with a line. 0, or -1 with the fault. */
int lines_put(struct lines *lines, const char *bytes, size_t length, struct fault *fault);

/* Hands what is buffered to the system. 0, or -1 with the fault. */
int lines_flush(struct lines *lines, struct fault *fault);

/* Flushes, closes and frees. 0, or -1 with the fault. `lines` may be NULL. */
int lines_close(struct lines *lines, struct fault *fault);
