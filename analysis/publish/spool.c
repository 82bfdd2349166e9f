/* SPDX-License-Identifier: BSD-3-Clause */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "durable.h"
#include "memory.h"

static const char magic[4] = {'L', 'S', 'p', '1'};

enum {
    PAYLOAD_MAX = 4 * 1024 * 1024,
    TIDY_BYTES = 1024 * 1024, /* as much is given back at a time, … */
    EMPTY_BYTES = 64 * 1024,  /* or as soon as so much is taken and nothing of it is wanted any more */
    SYNC_EVENTS =
        500 /* delivered ones after which that is brought to disk: fewer than the server remembers */
};

enum kind {
    KIND_EVENT = 1, /* to be delivered */
    KIND_KNOWN,     /* delivered: the id alone */
    KIND_DELIVERED  /* all up to this number are. Twice at the beginning, lest one bad byte hide it */
};

struct head {
    char magic[4];
    uint32_t checksum; /* CRC-32 of what follows, and of the payload */
    uint32_t kind, length;
    uint64_t number;
    char id[SPOOL_ID_MAX];
};

/* Goes through the records of a file; what is no record is passed over. */
struct walk {
    int file;
    int64_t at, end;  /* the next record; where to stop */
    int64_t begin;    /* of the record found */
    uint64_t damaged; /* places passed over */
    struct head head;
    uint8_t *payload;
    size_t room;
};

struct known {
    uint64_t number;
    char id[SPOOL_ID_MAX];
};

struct spool {
    struct spool_options options;
    pthread_mutex_t lock; /* of everything below, but that only the writer changes `file` and `known` */
    int file;             /* -1: there was no room to make it */
    int64_t end, synced;
    uint64_t last, told, delivered;
    uint64_t dead_bytes;
    unsigned unsynced; /* events delivered since the disk was told */
    bool owed;         /* what is delivered found no room */
    bool suspect;      /* the disk refused to sync: what is there must be written anew */
    struct walk reader;
    uint64_t read; /* number of the event read last */

    struct known *known;
    size_t known_count, known_next;
};

/* ---- records ---- */

static uint32_t checksum(const struct head *head, const void *payload)
{
    const size_t from = offsetof(struct head, kind);
    uLong crc = crc32(0, (const Bytef *)head + from, sizeof *head - from);
    return (uint32_t)(head->length > 0 ? crc32_z(crc, payload, head->length) : crc);
}

static bool read_at(int file, void *bytes, size_t length, int64_t at)
{
    char *to = bytes;
    while (length > 0) {
        ssize_t done = pread(file, to, length, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        to += done;
        at += done;
        length -= (size_t)done;
    }
    return true;
}

static int64_t record_bytes(const struct head *head)
{
    return (int64_t)sizeof *head + head->length;
}

/* Whether there is a whole record at `at`. */
static bool walk_read(struct walk *walk)
{
    struct head *head = &walk->head;
    if (walk->end - walk->at < (int64_t)sizeof *head || !read_at(walk->file, head, sizeof *head, walk->at) ||
        memcmp(head->magic, magic, sizeof magic) != 0 || head->length > PAYLOAD_MAX ||
        walk->end - walk->at < record_bytes(head))
        return false;
    if (head->length > walk->room) {
        uint8_t *payload = realloc(walk->payload, head->length);
        if (payload == NULL)
            memory_end("the spool"); /* what is not read would be taken for damage, and cut off */
        walk->payload = payload;
        walk->room = head->length;
    }
    return read_at(walk->file, walk->payload, head->length, walk->at + (int64_t)sizeof *head) &&
           checksum(head, walk->payload) == head->checksum && head->id[SPOOL_ID_MAX - 1] == '\0';
}

/* The next place after `at` that looks like the beginning of a record, or the end. */
static int64_t walk_seek(const struct walk *walk, int64_t at)
{
    uint8_t chunk[16384];
    while (walk->end - at >= (int64_t)sizeof magic) {
        size_t length = walk->end - at < (int64_t)sizeof chunk ? (size_t)(walk->end - at) : sizeof chunk;
        if (!read_at(walk->file, chunk, length, at))
            break;
        const uint8_t *found = memmem(chunk, length, magic, sizeof magic);
        if (found != NULL)
            return at + (found - chunk);
        at += (int64_t)(length - sizeof magic + 1);
    }
    return walk->end;
}

/* The next record. False: there are no more. */
static bool walk_next(struct walk *walk)
{
    bool damaged = false;
    while (walk->at < walk->end) {
        if (walk_read(walk)) {
            walk->begin = walk->at;
            walk->at += record_bytes(&walk->head);
            return true;
        }
        walk->damaged += !damaged;
        damaged = true;
        walk->at = walk_seek(walk, walk->at + 1);
    }
    return false;
}

/* ---- writing ---- */

/* Writes a record at an offset, which moves behind it; 0, or -1 with errno. */
static int write_record(int file, int64_t *at, struct head *head, const void *payload)
{
    memcpy(head->magic, magic, sizeof magic);
    head->checksum = checksum(head, payload);
    if (durable_write(file, head, sizeof *head, *at) != 0 ||
        durable_write(file, payload, head->length, *at + (int64_t)sizeof *head) != 0)
        return -1;
    *at += record_bytes(head);
    return 0;
}

static int write_delivered(int file, int64_t *at, uint64_t number)
{
    struct head head = {.kind = KIND_DELIVERED, .number = number};
    return write_record(file, at, &head, "");
}

/* A file of its own begins with what is delivered. */
static int write_start(struct spool *spool, int file, int64_t *at)
{
    return write_delivered(file, at, spool->delivered) != 0 ||
                   write_delivered(file, at, spool->delivered) != 0
               ? -1
               : 0;
}

/* Opens the path and locks it: the file, or -1 with errno, EWOULDBLOCK when another process has it. Between
 * the two somebody may have put another file in its place. */
static int open_locked(const char *path)
{
    for (;;) {
        struct stat here, there;
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0)
            return -1;
        if (flock(file, LOCK_EX | LOCK_NB) != 0) {
            int problem = errno;
            close(file);
            errno = problem;
            return -1;
        }
        if (fstat(file, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
            here.st_dev == there.st_dev)
            return file;
        close(file);
    }
}

/* Copies what is still wanted. `read_end` becomes the place behind the event that was read last. */
static int copy_wanted(struct spool *spool, int to, int64_t *at, int64_t *read_end)
{
    struct walk walk = {.file = spool->file, .end = spool->end};
    int result = write_start(spool, to, at);
    *read_end = *at;
    while (result == 0 && walk_next(&walk)) {
        struct head *head = &walk.head;
        if (head->kind == KIND_EVENT && head->number <= spool->delivered) {
            head->kind = KIND_KNOWN;
            head->length = 0;
        }
        if (head->kind == KIND_DELIVERED || (head->kind == KIND_KNOWN && head->number <= spool->told))
            continue;
        result = write_record(to, at, head, walk.payload);
        if (head->number <= spool->read)
            *read_end = *at;
    }
    free(walk.payload);
    return result;
}

/* Puts a file in the old one's place that holds only what is still wanted. 0, or -1 with errno, and nothing
 * has changed. */
static int rewrite(struct spool *spool)
{
    char beside[4096];
    int64_t end = 0, read_end = 0;
    snprintf(beside, sizeof beside, "%s.new", spool->options.path);
    int file = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return -1;
    if (flock(file, LOCK_EX | LOCK_NB) != 0 || copy_wanted(spool, file, &end, &read_end) != 0 ||
        fsync(file) != 0 || rename(beside, spool->options.path) != 0) {
        int problem = errno;
        unlink(beside);
        close(file);
        errno = problem;
        return -1;
    }
    durable_sync_folder(spool->options.path);
    close(spool->file);
    spool->file = spool->reader.file = file;
    spool->end = spool->synced = end;
    spool->reader.at = read_end;
    spool->dead_bytes = 0;
    spool->suspect = false;
    return 0;
}

/* Nothing is wanted any more: the file begins anew, which needs no room on the disk. */
static void empty(struct spool *spool)
{
    int64_t end = 0;
    if (ftruncate(spool->file, 0) != 0)
        return;
    spool->end = write_start(spool, spool->file, &end) == 0 ? end : 0;
    spool->synced = spool->reader.at = spool->end;
    spool->dead_bytes = 0;
    spool->suspect = false;
}

/* Gives room back where that is worth it. */
static void tidy(struct spool *spool)
{
    if (spool->file < 0)
        return;
    if (spool->delivered >= spool->last && spool->told >= spool->last) {
        if (spool->end > EMPTY_BYTES && rewrite(spool) != 0)
            empty(spool);
    } else if (spool->dead_bytes > TIDY_BYTES && 2 * spool->dead_bytes > (uint64_t)spool->end) {
        rewrite(spool);
    }
}

/* ---- the writer ---- */

static int failed(const struct spool *spool, struct fault *fault)
{
    return fault_set(fault, "cannot write to the spool %s: %s", spool->options.path, strerror(errno));
}

static int append(struct spool *spool, struct head *head, const void *payload)
{
    if (spool->file < 0 && (spool->file = spool->reader.file = open_locked(spool->options.path)) < 0)
        return -1;
    int64_t end = spool->end;
    if (end == 0 && write_start(spool, spool->file, &end) != 0)
        return -1;
    spool->end = end;
    if (write_record(spool->file, &end, head, payload) == 0) {
        spool->end = end;
        return 0;
    }
    int problem = errno;
    if (ftruncate(spool->file, spool->end) == 0)
        errno = problem; /* otherwise the next one takes its place */
    return -1;
}

static bool has_room(const struct spool *spool, const struct head *head)
{
    return (uint64_t)(spool->end + record_bytes(head)) <= spool->options.bytes_max;
}

enum spool_result spool_put(struct spool *spool, const struct spool_event *event, struct fault *fault)
{
    struct head head = {.kind = KIND_EVENT, .length = event->length, .number = event->number};
    memcpy(head.id, event->id, sizeof head.id);
    enum spool_result result = SPOOL_TAKEN;
    pthread_mutex_lock(&spool->lock);
    if (!has_room(spool, &head) && 8 * spool->dead_bytes > (uint64_t)spool->end)
        rewrite(spool);
    if (!has_room(spool, &head)) {
        fault_set(fault, "the spool %s is full (%llu MiB)", spool->options.path,
                  (unsigned long long)spool->options.bytes_max >> 20);
        result = SPOOL_FULL;
    } else if (append(spool, &head, event->payload) != 0) {
        failed(spool, fault);
        result = SPOOL_FAILED;
    } else {
        spool->last = event->number;
    }
    pthread_mutex_unlock(&spool->lock);
    return result;
}

int spool_sync(struct spool *spool, struct fault *fault)
{
    pthread_mutex_lock(&spool->lock);
    int result = spool->suspect ? rewrite(spool) : 0;
    spool->owed = spool->owed && write_delivered(spool->file, &spool->end, spool->delivered) != 0;
    int64_t end = spool->end;
    pthread_mutex_unlock(&spool->lock);
    if (result == 0 && spool->file >= 0)
        result = fdatasync(spool->file);
    if (result != 0)
        failed(spool, fault);
    pthread_mutex_lock(&spool->lock);
    spool->suspect = result != 0;
    spool->synced = end;
    pthread_mutex_unlock(&spool->lock);
    return result;
}

bool spool_knows(struct spool *spool, const char *id, uint64_t *number)
{
    /* They come in the order in which they came before, as a rule. */
    for (size_t i = 0; i < spool->known_count; i++) {
        size_t at = (spool->known_next + i) % spool->known_count;
        if (strcmp(spool->known[at].id, id) != 0)
            continue;
        spool->known_next = at + 1;
        *number = spool->known[at].number;
        return true;
    }
    return false;
}

void spool_forget(struct spool *spool, uint64_t told)
{
    pthread_mutex_lock(&spool->lock);
    if (told > spool->told)
        spool->told = told;
    if (spool->known_count > 0 && spool->known[spool->known_count - 1].number <= spool->told)
        spool->known_count = spool->known_next = 0;
    tidy(spool);
    pthread_mutex_unlock(&spool->lock);
}

/* ---- the reader ---- */

bool spool_next(struct spool *spool, struct spool_event *event)
{
    bool found = false;
    pthread_mutex_lock(&spool->lock);
    spool->reader.end = spool->synced;
    /* Numbers rise, unless the file is damaged in a way that no checksum shows. */
    while (!found && spool->reader.file >= 0 && walk_next(&spool->reader))
        found = spool->reader.head.kind == KIND_EVENT && spool->reader.head.number > spool->delivered &&
                spool->reader.head.number > spool->read;
    if (found) {
        const struct head *head = &spool->reader.head;
        *event = (struct spool_event){.number = head->number,
                                      .payload = spool->reader.payload,
                                      .length = head->length,
                                      .bytes = (uint32_t)record_bytes(head)};
        memcpy(event->id, head->id, sizeof event->id);
        spool->read = head->number;
    }
    pthread_mutex_unlock(&spool->lock);
    return found;
}

/* That this cannot be written is no harm: what was delivered last is sent again after a crash, and refused.
 */
void spool_delivered(struct spool *spool, uint64_t number, uint64_t bytes)
{
    struct head head = {.kind = KIND_DELIVERED, .number = number};
    pthread_mutex_lock(&spool->lock);
    spool->unsynced += (unsigned)(number - spool->delivered);
    spool->delivered = number;
    spool->dead_bytes += bytes + sizeof head;
    spool->owed = spool->file >= 0 && append(spool, &head, "") != 0;
    if (spool->unsynced >= SYNC_EVENTS && fdatasync(spool->file) == 0)
        spool->unsynced = 0;
    pthread_mutex_unlock(&spool->lock);
}

/* ---- opening ---- */

static bool remember(struct spool *spool, const struct head *head)
{
    if ((spool->known_count & (spool->known_count - 1)) == 0) {
        size_t room = spool->known_count > 0 ? 2 * spool->known_count : 1;
        struct known *known = realloc(spool->known, room * sizeof *known);
        if (known == NULL)
            return false;
        spool->known = known;
    }
    struct known *one = &spool->known[spool->known_count++];
    one->number = head->number;
    memcpy(one->id, head->id, sizeof one->id);
    return true;
}

/* How far things had come, wherever in the file that stands. Returns how many records there are. */
static size_t find_ends(struct spool *spool, struct spool_found *found)
{
    struct walk walk = {.file = spool->file, .end = spool->end};
    size_t count = 0;
    for (; walk_next(&walk); count++) {
        if (walk.head.kind == KIND_DELIVERED && walk.head.number > spool->delivered)
            spool->delivered = walk.head.number;
        if (walk.head.number > spool->last)
            spool->last = walk.head.number;
    }
    found->damaged = walk.damaged;
    free(walk.payload);
    return count;
}

/* Counts what waits, and keeps the ids that may come again. A replay decides anew what is after the
 * checkpoint: where a part of that is missing, what follows is cut off, to come in its place. 0, or -1: no
 * memory. */
static int take_stock(struct spool *spool, struct spool_found *found)
{
    struct walk walk = {.file = spool->file, .end = spool->end};
    uint64_t told = spool->told, next = (told > spool->delivered ? told : spool->delivered) + 1;
    int result = 0;
    while (result == 0 && walk_next(&walk)) {
        const struct head *head = &walk.head;
        if (head->kind == KIND_DELIVERED)
            continue;
        if (spool->options.again && told != SPOOL_ALL_TOLD && head->number > next) {
            spool->end = walk.begin;
            spool->last = next - 1;
            spool->suspect = ftruncate(spool->file, spool->end) != 0;
            break;
        }
        next = head->number == next ? next + 1 : next;
        found->waiting += head->kind == KIND_EVENT && head->number > spool->delivered;
        if (head->number > told)
            result = remember(spool, head) ? 0 : -1;
    }
    free(walk.payload);
    if (told != SPOOL_ALL_TOLD && told > spool->last)
        spool->last = told;
    found->lost = spool->last - spool->delivered - found->waiting;
    return result;
}

/* Whether the file begins as this program's do, however much of it is left. */
static bool is_ours(const struct spool *spool)
{
    char start[sizeof magic];
    size_t length = spool->end < (int64_t)sizeof start ? (size_t)spool->end : sizeof start;
    return read_at(spool->file, start, length, 0) && memcmp(start, magic, length) == 0;
}

static int take_over(struct spool *spool, struct spool_found *found, struct fault *fault)
{
    struct stat status;
    const char *path = spool->options.path;
    if (fstat(spool->file, &status) != 0 || !S_ISREG(status.st_mode))
        return fault_set(fault, "the spool %s is no regular file: name another", path);
    spool->end = status.st_size;
    if (find_ends(spool, found) == 0 && !is_ours(spool))
        return fault_set(fault, "%s is no spool of this program: remove it or name another", path);
    if (spool->end == 0 && spool->told != SPOOL_ALL_TOLD) {
        found->missing = spool->told > 0;
        spool->delivered = spool->told;
    }
    if (take_stock(spool, found) != 0)
        return fault_set(fault, "no memory for the spool %s", path);
    if (found->waiting == 0)
        spool->delivered = spool->last; /* what is lost is told once */
    if (spool->end == 0)
        empty(spool);
    else if (found->damaged > 0 || found->lost > 0)
        rewrite(spool); /* without room it stays as it is, and is passed over */
    spool->synced = spool->end;
    found->last = spool->last;
    return fdatasync(spool->file) == 0 && durable_sync_folder(path) == 0 ? 0 : failed(spool, fault);
}

static int open_file(struct spool *spool, struct spool_found *found, struct fault *fault)
{
    const char *path = spool->options.path;
    spool->file = spool->reader.file = open_locked(path);
    if (spool->file >= 0)
        return take_over(spool, found, fault);
    if (errno == EWOULDBLOCK)
        return fault_set(fault, "the spool %s is in use by another lightsout: give each a --state of its own",
                         path);
    if (errno != ENOSPC && errno != EDQUOT)
        return fault_set(fault, "the spool %s: %s: check --state, or [redis] spool", path, strerror(errno));
    found->last = spool->told != SPOOL_ALL_TOLD ? spool->told : 0;
    return 0;
}

struct spool *spool_open(const struct spool_options *options, struct spool_found *found, struct fault *fault)
{
    struct spool *spool = calloc(1, sizeof *spool);
    *found = (struct spool_found){0};
    if (spool == NULL) {
        fault_set(fault, "no memory for the spool");
        return NULL;
    }
    spool->options = *options;
    spool->told = options->told;
    spool->file = spool->reader.file = -1;
    pthread_mutex_init(&spool->lock, NULL);
    if (open_file(spool, found, fault) == 0)
        return spool;
    spool_close(spool);
    return NULL;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    if (spool->file >= 0) {
        tidy(spool);
        close(spool->file);
    }
    pthread_mutex_destroy(&spool->lock);
    free(spool->reader.payload);
    free(spool->known);
    free(spool);
}
