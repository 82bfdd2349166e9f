/* SPDX-License-Identifier: BSD-3-Clause */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

int durable_write(int file, const void *bytes, size_t length, int64_t at)
{
    const char *from = bytes;
    while (length > 0) {
        ssize_t done = pwrite(file, from, length, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        from += done;
        at += done;
        length -= (size_t)done;
    }
    return 0;
}

int durable_sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    int result = fsync(folder);
    close(folder);
    return result;
}
