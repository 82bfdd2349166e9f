/* SPDX-License-Identifier: BSD-3-Clause */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "memory.h"

enum { BUFFER_BYTES = 256 * 1024, BLOCKS = 4 };

/* What a thread has unpacked for the reader. The thread fills the blocks in turn and the reader empties them
 * in turn; `empty` and `filled` count how many each may take. Only its own side touches a field between. */
struct ahead {
    uint8_t *bytes; /* BLOCKS times BUFFER_BYTES */
    ssize_t length[BLOCKS];
    sem_t empty, filled;
    pthread_t thread;
    unsigned turn; /* the reader's block, when it has one … */
    size_t at;     /* … of which it has used up so much */
    bool has_block;
    atomic_bool stop;
};

struct unpack {
    int fd;
    bool reopens, follows;
    /* Gives up to `room` unpacked bytes; 0 at the end; -1 with `trouble` set. */
    ssize_t (*read)(struct unpack *unpack, uint8_t *to, size_t room);

    _Atomic uint64_t taken_bytes; /* from the file */

    uint8_t *packed; /* as read from the file: packed_length bytes, of which packed_at are used up */
    size_t packed_at, packed_length;

    z_stream gzip;
    ZSTD_DStream *zstd;
    bool inside; /* a gzip member or zstd frame has begun and not ended */

    uint8_t head[UNPACK_HEAD_BYTES];
    size_t head_length, head_given;
    bool begun;                      /* something behind the head was read */
    struct ahead *ahead;             /* NULL: the reader unpacks for itself */
    bool ended, failed, interrupted; /* as the reader knows it */
    char trouble[128];               /* the thread's while it runs, until it has failed */
};

static ssize_t trouble_set(struct unpack *unpack, const char *what)
{
    snprintf(unpack->trouble, sizeof unpack->trouble, "%s", what);
    return -1;
}

static ssize_t read_file(struct unpack *unpack, void *to, size_t room)
{
    int state;
    /* A thread may wait here for a pipe, and is ended here. */
    pthread_setcancelstate(unpack->ahead != NULL ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE, &state);
    ssize_t got = read(unpack->fd, to, room);
    pthread_setcancelstate(state, NULL);
    if (got >= 0) {
        atomic_fetch_add_explicit(&unpack->taken_bytes, (uint64_t)got, memory_order_relaxed);
        return got;
    }
    unpack->interrupted = errno == EINTR;
    return trouble_set(unpack, strerror(errno));
}

/* Reads more packed bytes, once the former ones are used up: 1, 0 at the end of the file, -1 on trouble. */
static int refill(struct unpack *unpack)
{
    ssize_t got = read_file(unpack, unpack->packed, BUFFER_BYTES);
    unpack->packed_at = 0;
    unpack->packed_length = got > 0 ? (size_t)got : 0;
    return got > 0 ? 1 : (int)got;
}

/* The rest of a file is no damage because there is no memory for it. */
static const char unpacked[] = "a packed capture";

static ssize_t plain_read(struct unpack *unpack, uint8_t *to, size_t room)
{
    size_t left = unpack->packed_length - unpack->packed_at;
    if (left == 0)
        return read_file(unpack, to, room);
    size_t count = left < room ? left : room;
    memcpy(to, unpack->packed + unpack->packed_at, count);
    unpack->packed_at += count;
    return (ssize_t)count;
}

/* Begins the next member, of which a gzip file may have several, with zeros for padding between them. */
static void gzip_begin(struct unpack *unpack)
{
    while (unpack->packed_at < unpack->packed_length && unpack->packed[unpack->packed_at] == 0)
        unpack->packed_at++;
    if (unpack->packed_at == unpack->packed_length)
        return;
    inflateReset(&unpack->gzip);
    unpack->inside = true;
}

static void gzip_step(struct unpack *unpack)
{
    z_stream *gzip = &unpack->gzip;
    gzip->next_in = unpack->packed + unpack->packed_at;
    gzip->avail_in = (uInt)(unpack->packed_length - unpack->packed_at);
    int code = inflate(gzip, Z_NO_FLUSH);
    unpack->packed_at = unpack->packed_length - gzip->avail_in;
    if (code == Z_STREAM_END)
        unpack->inside = false;
    else if (code == Z_MEM_ERROR)
        memory_end(unpacked);
    else if (code != Z_OK && code != Z_BUF_ERROR)
        trouble_set(unpack, gzip->msg != NULL ? gzip->msg : "the gzip data are damaged");
}

static ssize_t gzip_read(struct unpack *unpack, uint8_t *to, size_t room)
{
    z_stream *gzip = &unpack->gzip;
    gzip->next_out = to;
    gzip->avail_out = (uInt)room;
    while (unpack->trouble[0] == '\0') {
        if (!unpack->inside)
            gzip_begin(unpack);
        if (unpack->inside)
            gzip_step(unpack);
        if (gzip->avail_out < room)
            return (ssize_t)(room - gzip->avail_out);
        if (unpack->packed_at == unpack->packed_length && unpack->trouble[0] == '\0' && refill(unpack) == 0)
            return unpack->inside ? trouble_set(unpack, "the gzip data end too early") : 0;
    }
    return -1;
}

static ssize_t zstd_read(struct unpack *unpack, uint8_t *to, size_t room)
{
    ZSTD_outBuffer out = {to, room, 0};
    while (unpack->trouble[0] == '\0') {
        ZSTD_inBuffer in = {unpack->packed, unpack->packed_length, unpack->packed_at};
        size_t rest = ZSTD_decompressStream(unpack->zstd, &out, &in);
        if (ZSTD_getErrorCode(rest) == ZSTD_error_memory_allocation)
            memory_end(unpacked);
        else if (ZSTD_isError(rest))
            trouble_set(unpack, ZSTD_getErrorName(rest));
        else if (in.pos > unpack->packed_at || out.pos > 0)
            unpack->inside = rest != 0; /* a call that could do nothing says nothing either */
        unpack->packed_at = in.pos;
        if (out.pos > 0)
            return (ssize_t)out.pos;
        if (unpack->packed_at == unpack->packed_length && unpack->trouble[0] == '\0' && refill(unpack) == 0)
            return unpack->inside ? trouble_set(unpack, "the zstd data end too early") : 0;
    }
    return -1;
}

/* Looks at the first bytes of the file and makes the decoder that they call for. */
static int choose_decoder(struct unpack *unpack)
{
    /* A pipe may give less than four bytes at a time. */
    while (unpack->packed_length < 4) {
        ssize_t got =
            read_file(unpack, unpack->packed + unpack->packed_length, BUFFER_BYTES - unpack->packed_length);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        unpack->packed_length += (size_t)got;
    }
    const uint8_t *p = unpack->packed;
    bool four = unpack->packed_length >= 4;
    uint32_t magic = four ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
    unpack->read = plain_read;
    if ((magic & 0xffffff) == 0x088b1f) {
        unpack->read = gzip_read;
        return inflateInit2(&unpack->gzip, 16 + MAX_WBITS) == Z_OK ? 0
                                                                   : (int)trouble_set(unpack, "no memory");
    }
    if (magic == ZSTD_MAGICNUMBER ||
        (four && (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START)) {
        unpack->read = zstd_read;
        unpack->zstd = ZSTD_createDStream();
        return unpack->zstd != NULL ? 0 : (int)trouble_set(unpack, "no memory");
    }
    return 0;
}

/* Unpacks the first bytes. Trouble is kept for whoever reads on. */
static void read_head(struct unpack *unpack)
{
    while (unpack->head_length < UNPACK_HEAD_BYTES) {
        ssize_t got =
            unpack->read(unpack, unpack->head + unpack->head_length, UNPACK_HEAD_BYTES - unpack->head_length);
        unpack->failed = got < 0;
        unpack->ended = got <= 0;
        if (got <= 0)
            return;
        unpack->head_length += (size_t)got;
    }
}

/* ---- unpacking ahead ---- */

static void *ahead_run(void *context)
{
    struct unpack *unpack = context;
    struct ahead *ahead = unpack->ahead;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    for (unsigned turn = 0;; turn = (turn + 1) % BLOCKS) {
        sem_wait(&ahead->empty);
        if (atomic_load(&ahead->stop))
            return NULL;
        ssize_t got = unpack->read(unpack, ahead->bytes + (size_t)turn * BUFFER_BYTES, BUFFER_BYTES);
        ahead->length[turn] = got;
        sem_post(&ahead->filled);
        if (got <= 0)
            return NULL;
    }
}

static void ahead_free(struct ahead *ahead)
{
    if (ahead == NULL)
        return;
    free(ahead->bytes);
    free(ahead);
}

static void ahead_stop(struct ahead *ahead)
{
    atomic_store(&ahead->stop, true);
    sem_post(&ahead->empty);
    pthread_cancel(ahead->thread);
    pthread_join(ahead->thread, NULL);
    sem_destroy(&ahead->empty);
    sem_destroy(&ahead->filled);
    ahead_free(ahead);
}

/* Where there is no memory or no thread to be had the reader goes on by itself. Signals are the reader's. */
static void ahead_start(struct unpack *unpack)
{
    struct ahead *ahead = calloc(1, sizeof *ahead);
    if (ahead == NULL || (ahead->bytes = malloc((size_t)BLOCKS * BUFFER_BYTES)) == NULL) {
        ahead_free(ahead);
        return;
    }
    sem_init(&ahead->empty, 0, BLOCKS);
    sem_init(&ahead->filled, 0, 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    unpack->ahead = ahead;
    if (pthread_create(&ahead->thread, NULL, ahead_run, unpack) != 0) {
        unpack->ahead = NULL;
        ahead_free(ahead);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* As unpack->read, from what the thread has unpacked. */
static ssize_t ahead_read(struct unpack *unpack, uint8_t *to, size_t room)
{
    struct ahead *ahead = unpack->ahead;
    if (!ahead->has_block && sem_wait(&ahead->filled) != 0) {
        unpack->interrupted = true;
        return -1;
    }
    ahead->has_block = true;
    ssize_t length = ahead->length[ahead->turn];
    if (length <= 0)
        return length;
    size_t left = (size_t)length - ahead->at, count = left < room ? left : room;
    memcpy(to, ahead->bytes + (size_t)ahead->turn * BUFFER_BYTES + ahead->at, count);
    ahead->at += count;
    if (count == left) {
        ahead->at = 0;
        ahead->has_block = false;
        ahead->turn = (ahead->turn + 1) % BLOCKS;
        sem_post(&ahead->empty);
    }
    return (ssize_t)count;
}

struct unpack *unpack_open(const char *path, struct fault *fault)
{
    bool standard_input = strcmp(path, "-") == 0;
    struct unpack *unpack = calloc(1, sizeof *unpack);
    if (unpack == NULL) {
        fault_errno(fault, ENOMEM, "no memory to read %s", path);
        return NULL;
    }
    unpack->fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (unpack->fd < 0 || fstat(unpack->fd, &status) != 0) {
        fault_errno(fault, errno, "cannot read %s: %s", standard_input ? "standard input" : path,
                    strerror(errno));
        unpack_close(unpack);
        return NULL;
    }
    unpack->reopens = !standard_input && S_ISREG(status.st_mode);
    unpack->packed = malloc(BUFFER_BYTES);
    if (unpack->packed == NULL)
        trouble_set(unpack, "no memory");
    if (unpack->trouble[0] != '\0' || choose_decoder(unpack) != 0) {
        fault_errno(fault, errno, "cannot read %s: %s", standard_input ? "standard input" : path,
                    unpack->trouble);
        unpack_close(unpack);
        return NULL;
    }
    read_head(unpack);
    return unpack;
}

void unpack_close(struct unpack *unpack)
{
    if (unpack == NULL)
        return;
    if (unpack->ahead != NULL)
        ahead_stop(unpack->ahead);
    if (unpack->fd >= 0)
        close(unpack->fd);
    if (unpack->read == gzip_read)
        inflateEnd(&unpack->gzip);
    ZSTD_freeDStream(unpack->zstd);
    free(unpack->packed);
    free(unpack);
}

const uint8_t *unpack_head(const struct unpack *unpack, size_t *length)
{
    *length = unpack->head_length;
    return unpack->head;
}

static ssize_t give_head(struct unpack *unpack, uint8_t *to, size_t room)
{
    size_t left = unpack->head_length - unpack->head_given, count = left < room ? left : room;
    memcpy(to, unpack->head + unpack->head_given, count);
    unpack->head_given += count;
    return (ssize_t)count;
}

ssize_t unpack_read(struct unpack *unpack, uint8_t *to, size_t room)
{
    if (unpack->head_given < unpack->head_length)
        return give_head(unpack, to, room);
    if (unpack->ended)
        return unpack->failed ? -1 : 0;
    /* Whoever reads no more than the beginning of a file needs no thread. */
    if (unpack->begun && unpack->ahead == NULL && unpack_is_packed(unpack))
        ahead_start(unpack);
    unpack->begun = true;
    ssize_t got = unpack->ahead != NULL ? ahead_read(unpack, to, room) : unpack->read(unpack, to, room);
    if (got == 0 && unpack->follows)
        return UNPACK_NOT_YET;
    unpack->failed = got < 0;
    unpack->ended = got <= 0;
    return got;
}

void unpack_follow(struct unpack *unpack, bool follow)
{
    unpack->follows = follow && unpack->reopens && !unpack_is_packed(unpack);
}

const char *unpack_trouble(const struct unpack *unpack)
{
    return unpack->failed && !unpack->interrupted ? unpack->trouble : NULL;
}

bool unpack_interrupted(const struct unpack *unpack)
{
    return unpack->interrupted;
}

bool unpack_is_packed(const struct unpack *unpack)
{
    return unpack->read != plain_read;
}

uint64_t unpack_taken_bytes(const struct unpack *unpack)
{
    return atomic_load_explicit(&unpack->taken_bytes, memory_order_relaxed);
}

bool unpack_reopens(const struct unpack *unpack)
{
    return unpack->reopens;
}
