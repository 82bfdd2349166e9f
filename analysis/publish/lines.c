/* SPDX-License-Identifier: BSD-3-Clause */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

enum { BUFFER_BYTES = 256 * 1024, WAIT_MS = 100, PATIENCE_MS = 2000 };

static const atomic_bool *stop_asked;

void lines_stop_with(const atomic_bool *stop)
{
    stop_asked = stop;
}

struct lines {
    const char *path;
    enum lines_manner manner;
    int fd;
    bool is_pipe;  /* or a socket: whoever reads it may be slow */
    bool given_up; /* nobody reads it */
    int error;     /* the errno that ended a LINES_ANEW */
    uint64_t length;
    size_t held;
    char *buffer; /* but of a LINES_APPEND */
};

static const char *shown(const struct lines *lines)
{
    return strcmp(lines->path, "-") == 0 ? "standard output" : lines->path;
}

static int broken(const struct lines *lines, int error, struct fault *fault)
{
    const char *way_out = error == ENOSPC || error == EDQUOT ? "make room there"
                          : error == EPIPE                   ? "whoever read it has gone"
                          : error == ETIMEDOUT               ? "whoever reads it takes nothing"
                          : error == ENXIO                   ? "nobody reads it: start the reader first"
                          : error == EFBIG                   ? "it may not grow any more (ulimit -f)"
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
    /* Whoever reads a named pipe is waited for, but not for ever. */
    int fd = -1;
    for (int waited_ms = 0; fd < 0 && waited_ms <= PATIENCE_MS; waited_ms += WAIT_MS) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | begin, 0666);
        if (fd < 0 && errno != ENXIO)
            return -1;
        if (fd < 0)
            poll(NULL, 0, WAIT_MS);
    }
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    else
        errno = ENXIO;
    return fd;
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
    char *buffer = manner != LINES_APPEND ? malloc(BUFFER_BYTES) : NULL;
    if (lines == NULL || (manner != LINES_APPEND && buffer == NULL)) {
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
    struct stat status = {0};
    if (fstat(lines->fd, &status) == 0 && S_ISREG(status.st_mode))
        lines->length = (uint64_t)status.st_size;
    lines->is_pipe = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode);
    if (manner == LINES_APPEND && strcmp(path, "-") != 0 && ends_within_line(path) &&
        lines_put(lines, "\n", 1, fault) != 0) {
        lines_close(lines, fault);
        return NULL;
    }
    return lines;
}

/* Waits until a pipe takes something; false: nobody reads it, and the end was asked for. */
static bool wait_for_reader(struct lines *lines)
{
    for (int waited_ms = 0; !lines->given_up; waited_ms += WAIT_MS) {
        struct pollfd pipe = {.fd = lines->fd, .events = POLLOUT};
        if (poll(&pipe, 1, WAIT_MS) > 0)
            return true;
        bool stopped = stop_asked != NULL && *stop_asked;
        waited_ms = stopped ? waited_ms : 0;
        lines->given_up = waited_ms >= PATIENCE_MS;
    }
    return false;
}

/* Writes all of it. Into a pipe that takes something goes PIPE_BUF without waiting. Returns 0 or the errno;
 * `done` is how far it came. */
static int write_all(struct lines *lines, const char *bytes, size_t length, size_t *done)
{
    int error = 0;
    memory_whole_begin();
    for (*done = 0; *done < length && error == 0;) {
        size_t piece = length - *done;
        if (lines->is_pipe) {
            if (!wait_for_reader(lines)) {
                error = ETIMEDOUT;
                break;
            }
            piece = piece < PIPE_BUF ? piece : PIPE_BUF;
        }
        ssize_t written = write(lines->fd, bytes + *done, piece);
        if (written >= 0)
            *done += (size_t)written;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = lines->fd, .events = POLLOUT}, 1, WAIT_MS);
        else if (errno != EINTR)
            error = errno;
    }
    memory_whole_end();
    return error;
}

/* Writes all or, as far as that can be, nothing: what was written in part is taken back, unless somebody else
 * has added to the file since. Returns 0 or the errno. */
static int write_whole(struct lines *lines, const char *bytes, size_t length)
{
    struct stat before, after;
    bool regular = fstat(lines->fd, &before) == 0 && S_ISREG(before.st_mode);
    size_t done;
    int error = write_all(lines, bytes, length, &done);
    if (error != 0 && regular && done > 0 && fstat(lines->fd, &after) == 0 &&
        after.st_size == before.st_size + (off_t)done &&
        (ftruncate(lines->fd, before.st_size) != 0 || lseek(lines->fd, before.st_size, SEEK_SET) < 0))
        error = errno;
    return error;
}

/* A line at once. */
static int put_whole(struct lines *lines, const char *bytes, size_t length, struct fault *fault)
{
    int error = write_whole(lines, bytes, length);
    if (error != 0)
        return broken(lines, error, fault);
    lines->length += length;
    return 0;
}

/* What is buffered goes out, or stays there; without room for more it is given up. */
static int flush_on(struct lines *lines, size_t wanted, struct fault *fault)
{
    lines->error = write_whole(lines, lines->buffer, lines->held);
    if (lines->error == 0 || lines->held + wanted > BUFFER_BYTES) {
        lines->length -= lines->error != 0 ? lines->held : 0;
        lines->held = 0;
    }
    return lines->error == 0 ? 0 : broken(lines, lines->error, fault);
}

int lines_put(struct lines *lines, const char *bytes, size_t length, struct fault *fault)
{
    if (lines->manner == LINES_APPEND)
        return put_whole(lines, bytes, length, fault);
    bool is_full = lines->held + length > BUFFER_BYTES, goes_on = lines->manner == LINES_ON;
    lines->length += length;
    if (is_full && (goes_on ? flush_on(lines, length, fault) : lines_flush(lines, fault)) != 0 && !goes_on)
        return -1;
    if (length > BUFFER_BYTES) {
        size_t done;
        lines->error = write_all(lines, bytes, length, &done);
        return lines->error == 0 ? 0 : broken(lines, lines->error, fault);
    }
    memcpy(lines->buffer + lines->held, bytes, length);
    lines->held += length;
    return 0;
}

int lines_flush(struct lines *lines, struct fault *fault)
{
    size_t done;
    if (lines->manner == LINES_ON)
        return flush_on(lines, 0, fault);
    if (lines->error == 0)
        lines->error = write_all(lines, lines->buffer, lines->held, &done);
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
