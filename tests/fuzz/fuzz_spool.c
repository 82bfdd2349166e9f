/* SPDX-License-Identifier: BSD-3-Clause */
/* A spool as a crash or a bad disk left it: opened, read to its end, added to, read again. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "spool.h"

/* On a disk in memory where there is one: a spool is renamed, so its file must have a name. */
static const char *name(void)
{
    static char folder[] = "/dev/shm/fuzz-spool-XXXXXX", path[64];
    if (path[0] == '\0') {
        if (mkdtemp(folder) == NULL)
            abort();
        snprintf(path, sizeof path, "%s/spool", folder);
    }
    return path;
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size) || close(fd) != 0)
        abort();
}

static uint64_t drain(struct spool *spool)
{
    struct spool_event event;
    uint64_t count = 0, sum = 0, last = 0;
    while (spool_next(spool, &event)) {
        const uint8_t *payload = event.payload;
        for (uint32_t i = 0; i < event.length; i++)
            sum += payload[i];
        if ((count++ > 0 && event.number <= last) || memchr(event.id, 0, sizeof event.id) == NULL)
            abort();
        last = event.number;
    }
    if (count > 1)
        spool_delivered(spool, last - 1, 0);
    return sum == UINT64_MAX ? 0 : last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_options options = {.path = name(), .bytes_max = 1 << 20, .told = size > 0 ? data[0] & 3 : 0};
    options.again = size > 0 && (data[0] & 4) != 0;
    write_file(options.path, size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
    for (int run = 0; run < 2; run++) {
        struct spool_found found;
        struct fault fault;
        uint64_t number;
        struct spool *spool = spool_open(&options, &found, &fault);
        if (spool == NULL)
            break;
        struct spool_event event = {.number = found.last + 1, .id = "fuzz", .payload = "{}", .length = 2};
        drain(spool);
        spool_knows(spool, "fuzz", &number);
        if (found.last < UINT64_MAX / 2 && spool_put(spool, &event, &fault) == SPOOL_TAKEN &&
            spool_sync(spool, &fault) == 0 && drain(spool) != event.number)
            abort(); /* what was put must be found, whatever stands before it */
        spool_forget(spool, found.last);
        spool_close(spool);
    }
    return 0;
}
