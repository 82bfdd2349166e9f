/* SPDX-License-Identifier: BSD-3-Clause */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

struct lines {
    const char *path;
    enum lines_manner manner;
    int fd;
    int error; /* the errno that ended a LINES_ANEW */
    uint64_t length;
    size_t held;
    char *buffer; /* of a LINES_ANEW */
};

static const char *shown(const struct lines *lines)
{
    return strcmp(lines->path, "-") == 0 ? "standard output" : lines->path;
}

static int broken(const struct lines *lines, int error, struct fault *fault)
{
    const char *way_out = error == ENOSPC || error == EDQUOT ? "make room there"
                          : error == EPIPE                   ? "whoever read it has gone"
                                                             : "check the path";
    return fault_set(fault, "cannot write to %s: %s; %s", shown(lines), strerror(error), way_out);
}

/* Whether the file ends within a line, as after a crash: what follows must not become part of it. */
static bool ends_within_line(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char last = '\n';
    bool within = pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
    close(fd);
    return within;
}

static int open_path(const char *path, enum lines_manner manner, int64_t resume)
{
    int begin = manner == LINES_APPEND || resume >= 0 ? O_APPEND : O_TRUNC;
    if (strcmp(path, "-") == 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | begin, 0666);
}

/* What a run that was cut short had written after its last checkpoint will be written again. */
static int cut_back(int fd, int64_t resume)
{
    struct stat status;
    if (resume < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= resume)
        return 0;
    return ftruncate(fd, resume);
}

struct lines *lines_open(const char *path, enum lines_manner manner, int64_t resume, struct fault *fault)
{
    struct lines *lines = calloc(1, sizeof *lines);
    char *buffer = manner == LINES_ANEW ? malloc(BUFFER_BYTES) : NULL;
    if (lines == NULL || (manner == LINES_ANEW && buffer == NULL)) {
        free(lines);
        free(buffer);
        fault_set(fault, "no memory to open %s", path);
        return NULL;
    }
    *lines = (struct lines){
        .path = path, .manner = manner, .buffer = buffer, .fd = open_path(path, manner, resume)};
    if (lines->fd < 0 || cut_back(lines->fd, resume) != 0) {
        broken(lines, errno, fault);
        if (lines->fd >= 0)
            close(lines->fd);
        free(buffer);
        free(lines);
        return NULL;
    }
    struct stat status;
    if (fstat(lines->fd, &status) == 0 && S_ISREG(status.st_mode))
        lines->length = (uint64_t)status.st_size;
    if (manner == LINES_APPEND && strcmp(path, "-") != 0 && ends_within_line(path) &&
        lines_put(lines, "\n", 1, fault) != 0) {
        lines_close(lines, fault);
        return NULL;
    }
    return lines;
}

/* Writes all of it, also into a pipe that does not block. Returns 0 or the errno; `done` is how far it came.
 */
static int write_all(int fd, const char *bytes, size_t length, size_t *done)
{
    for (*done = 0; *done < length;) {
        ssize_t written = write(fd, bytes + *done, length - *done);
        if (written >= 0)
            *done += (size_t)written;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* A line at once. One that was written in part is taken back, unless somebody else has added to the file
 * since. */
static int put_whole(struct lines *lines, const char *bytes, size_t length, struct fault *fault)
{
    struct stat before, after;
    bool regular = fstat(lines->fd, &before) == 0 && S_ISREG(before.st_mode);
    size_t done;
    int error = write_all(lines->fd, bytes, length, &done);
    if (error == 0) {
        lines->length += length;
        return 0;
    }
    if (regular && done > 0 && fstat(lines->fd, &after) == 0 &&
        after.st_size == before.st_size + (off_t)done &&
        (ftruncate(lines->fd, before.st_size) != 0 || lseek(lines->fd, before.st_size, SEEK_SET) < 0))
        error = errno;
    return broken(lines, error, fault);
}

int lines_put(struct lines *lines, const char *bytes, size_t length, struct fault *fault)
{
    if (lines->manner == LINES_APPEND)
        return put_whole(lines, bytes, length, fault);
    lines->length += length;
    if (lines->held + length > BUFFER_BYTES && lines_flush(lines, fault) != 0)
        return -1;
    if (length > BUFFER_BYTES) {
        size_t done;
        lines->error = write_all(lines->fd, bytes, length, &done);
        return lines->error == 0 ? 0 : broken(lines, lines->error, fault);
    }
    memcpy(lines->buffer + lines->held, bytes, length);
    lines->held += length;
    return 0;
}

int lines_flush(struct lines *lines, struct fault *fault)
{
    size_t done;
    if (lines->error == 0)
        lines->error = write_all(lines->fd, lines->buffer, lines->held, &done);
    lines->held = 0;
    return lines->error == 0 ? 0 : broken(lines, lines->error, fault);
}

uint64_t lines_length(const struct lines *lines)
{
    return lines->length;
}

int lines_close(struct lines *lines, struct fault *fault)
{
    if (lines == NULL)
        return 0;
    int result = lines_flush(lines, fault);
    /* Some file systems tell only now that there was no room. */
    if (close(lines->fd) != 0 && errno != EINTR && result == 0)
        result = broken(lines, errno, fault);
    free(lines->buffer);
    free(lines);
    return result;
}
