/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that is written into memory first, so that it is handed over whole or not at all. Where there is no
 * room for a piece of it, open_memstream(3) leaves that piece out, goes on, and says nothing. */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct memory_file {
    FILE *out;     /* to write to, from open to close */
    char *bytes;   /* what was written, once it is closed: the caller's to free */
    size_t length; /* of it, in bytes */
    size_t room;
};

/* Begins with nothing. Returns 0, or -1 without memory: then there is nothing to close. */
int memory_file_open(struct memory_file *file);

/* Ends the writing. Returns 0, or -1 when there was no memory for all of it: then there is nothing to free.
 */
int memory_file_close(struct memory_file *file);
