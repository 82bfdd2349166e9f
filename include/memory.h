/* SPDX-License-Identifier: BSD-3-Clause */
/* The end for want of memory, where who was refused it neither looks nor could do without. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "say.h"

/* Says for what there was no memory, and ends the program with status 1 at once, from any thread, as if it
 * had been killed: nothing is written any more, so that checkpoint, spool and files are those of an instant,
 * and the next start goes on from there. */
static inline __attribute__((noreturn)) void memory_end(const char *what)
{
    fprintf(stderr, "%sno memory for %s: ended at once; make room, and start it again\n", say_head(SAY_ERROR),
            what);
    _exit(1);
}
