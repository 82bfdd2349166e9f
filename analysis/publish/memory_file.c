/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that is written into memory first. */
#include "memory_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* fopencookie(3): nothing taken is an error, which the stream remembers. */
static ssize_t take(void *context, const char *bytes, size_t count)
{
    struct memory_file *file = context;
    if (count > file->room - file->length) {
        size_t room = 2 * (file->length + count);
        char *grown = realloc(file->bytes, room);
        if (grown == NULL)
            return 0;
        file->bytes = grown;
        file->room = room;
    }
    memcpy(file->bytes + file->length, bytes, count);
    file->length += count;
    return (ssize_t)count;
}

int memory_file_open(struct memory_file *file)
{
    *file = (struct memory_file){.out = NULL};
    file->out = fopencookie(file, "w", (cookie_io_functions_t){.write = take});
    return file->out != NULL ? 0 : -1;
}

int memory_file_close(struct memory_file *file)
{
    int result = ferror(file->out) ? -1 : 0;
    if (fclose(file->out) != 0)
        result = -1;
    file->out = NULL;
    if (result != 0) {
        free(file->bytes);
        file->bytes = NULL;
    }
    return result;
}
