/* SPDX-License-Identifier: BSD-3-Clause */
/* The end for want of memory, where who was refused it neither looks nor could do without. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "fault.h"
#include "say.h"

/* What is written between these two is written whole before the end. The lock is that of standard output,
 * which stands for all files of lines here. */
static inline void memory_whole_begin(void)
{
    flockfile(stdout);
}

static inline void memory_whole_end(void)
{
    funlockfile(stdout);
}

/* Says what could not be done, and ends the program with status 1 at once, from any thread, as if it had been
 * killed: nothing is written any more, so that checkpoint, spool and files are those of an instant, and the
 * next start goes on from there. */
static inline __attribute__((noreturn)) void memory_end_with(const struct fault *fault)
{
    /* Whoever waits for a reader that does not read is not waited for. */
    for (int i = 0; i < 1000 && ftrylockfile(stdout) != 0; i++)
        usleep(1000);
    fprintf(stderr, "%s%s: ended at once; make room, and start it again\n", say_head(SAY_ERROR), fault->text);
    _exit(1);
}

/* The same, with for what there was no memory. */
static inline __attribute__((noreturn)) void memory_end(const char *what)
{
    struct fault fault;
    fault_set(&fault, "no memory for %s", what);
    memory_end_with(&fault);
}
