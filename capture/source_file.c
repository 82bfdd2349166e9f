/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "decode.h"
#include "unpack.h"

/* One file. Until its turn comes it is closed, unless it cannot be opened twice, and all that is known of it
 * is when its first packet was. */
struct savefile {
    char *path;
    size_t order;          /* among the arguments, and by name within a directory */
    int64_t first_ns;      /* the bound by which it waits; TIME_NONE: at once */
    char *damage;          /* already found to be damaged: what there is to say, owned */
    struct unpack *unpack; /* open when `pcap` is */
    pcap_t *pcap;
    const struct pcap_pkthdr *header; /* the packet read ahead, borrowed from pcap */
    const u_char *bytes;
    int64_t time_ns; /* of that packet, as the file gives it */
    int64_t key_ns;  /* the same, but that of the one before where the file gives none */
};

/* Files wait in `files` by their first packet's time; those that were begun stand in `heap`, the one with the
 * earliest packet on top. A file is begun before any packet at or after its first one is delivered, so that
 * only files that overlap in time are open together. */
struct file_source {
    struct source source;
    struct health *health;
    char *filter; /* NULL: none */
    struct savefile *files;
    size_t count, room;
    size_t begun; /* files[begun] is the next to begin */
    struct savefile **heap;
    size_t heap_count;
    bool lent; /* the frame of heap[0] is with the caller */
    bool finished;
};

enum opening { OPENED, NOT_A_CAPTURE, REFUSED, DAMAGED };

static const char *savefile_name(const struct savefile *file)
{
    return strcmp(file->path, "-") == 0 ? "standard input" : file->path;
}

static void savefile_close(struct savefile *file)
{
    if (file->pcap != NULL)
        pcap_close(file->pcap); /* and the stream */
    unpack_close(file->unpack);
    file->pcap = NULL;
    file->unpack = NULL;
}

static void savefile_clear(struct savefile *file)
{
    savefile_close(file);
    free(file->path);
    free(file->damage);
}

/* Says what is wrong with a file from here on, by the unpacking where it knows, else in libpcap's words. */
static void say_damage(const struct savefile *file, int64_t offset, const char *words, struct fault *fault)
{
    const char *trouble = unpack_trouble(file->unpack);
    fault_set(fault, "%s is damaged or cut off at byte %lld%s, read up to there: %s", savefile_name(file),
              (long long)offset, unpack_is_packed(file->unpack) ? " of the unpacked data" : "",
              trouble != NULL ? trouble : words);
}

/* Whether the four bytes begin a savefile that libpcap reads: pcapng, or pcap in either byte order, with
 * microseconds (and three old variants of it) or nanoseconds. */
static bool is_capture(const uint8_t *head)
{
    static const uint32_t magics[] = {0x0a0d0d0a, 0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0xa1b234cd, 0xa12b3c4d};
    uint32_t big = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (big == magics[i] || __builtin_bswap32(big) == magics[i])
            return true;
    return false;
}

static enum opening check_head(const struct savefile *file, struct fault *fault)
{
    size_t length;
    const uint8_t *head = unpack_head(file->unpack, &length);
    if (length == UNPACK_HEAD_BYTES && is_capture(head))
        return OPENED;
    if (unpack_trouble(file->unpack) != NULL) {
        say_damage(file, (int64_t)length, "", fault);
        return DAMAGED;
    }
    if (length == 0)
        fault_set(fault, "%s is empty: not even the header of a capture file", savefile_name(file));
    else
        fault_set(fault, "%s is not a capture file (pcap or pcapng)", savefile_name(file));
    return NOT_A_CAPTURE;
}

static enum opening check_link_type(const struct savefile *file, struct fault *fault)
{
    int link_type = pcap_datalink(file->pcap);
    if (decode_knows(link_type))
        return OPENED;
    const char *name = pcap_datalink_val_to_name(link_type);
    fault_set(fault, "link type %s (%d) of %s is not read; Ethernet, Linux cooked, raw IP and loopback are",
              name != NULL ? name : "unknown", link_type, savefile_name(file));
    return REFUSED;
}

/* Opens a file up to its first packet. Unless OPENED it is closed again and the fault filled. */
static enum opening savefile_open(struct savefile *file, struct fault *fault)
{
    file->unpack = unpack_open(file->path, fault);
    if (file->unpack == NULL)
        return REFUSED;
    enum opening result = check_head(file, fault);
    if (result == OPENED) {
        char words[PCAP_ERRBUF_SIZE] = "no memory";
        FILE *stream = unpack_stream(file->unpack);
        if (stream != NULL)
            file->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, words);
        if (file->pcap == NULL) {
            say_damage(file, stream != NULL ? ftello(stream) : 0, words, fault);
            if (stream != NULL)
                fclose(stream);
            result = DAMAGED;
        } else {
            result = check_link_type(file, fault);
        }
    }
    if (result != OPENED)
        savefile_close(file);
    return result;
}

/* Sets the filter on an open file; 0, or -1 with the fault naming the expression. */
static int savefile_filter(const struct savefile *file, const char *expression, struct fault *fault)
{
    if (expression == NULL)
        return 0;
    struct bpf_program program;
    if (pcap_compile(file->pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return fault_set(fault, "filter '%s': %s", expression, pcap_geterr(file->pcap));
    int failed = pcap_setfilter(file->pcap, &program);
    pcap_freecode(&program);
    return failed == 0 ? 0 : fault_set(fault, "filter '%s': %s", expression, pcap_geterr(file->pcap));
}

/* The instant that a file gives, or TIME_NONE: exactly zero is what libpcap makes of a packet without a time,
 * and what does not fit is none either. */
static int64_t instant(const struct timeval *time)
{
    int64_t ns;
    if ((time->tv_sec == 0 && time->tv_usec == 0) || __builtin_mul_overflow(time->tv_sec, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, time->tv_usec, &ns)) /* nanoseconds, as asked for */
        return TIME_NONE;
    if (ns > INT64_MAX / 2 || ns < -(INT64_MAX / 2)) /* 1823 to 2116: so that no difference can overflow */
        return TIME_NONE;
    return ns;
}

/* Reads the next packet of an open file: 1, 0 at its end, -1 with the fault when it is damaged from here on.
 */
static int savefile_read(struct savefile *file, struct fault *fault)
{
    struct pcap_pkthdr *header;
    int result = pcap_next_ex(file->pcap, &header, &file->bytes);
    if (result == 1) {
        file->header = header;
        file->time_ns = instant(&header->ts);
        if (file->time_ns != TIME_NONE)
            file->key_ns = file->time_ns;
        return 1;
    }
    if (result == PCAP_ERROR_BREAK || unpack_interrupted(file->unpack))
        return 0;
    say_damage(file, ftello(pcap_file(file->pcap)), pcap_geterr(file->pcap), fault);
    return -1;
}

/* --- the files that were begun --- */

static bool earlier(const struct savefile *a, const struct savefile *b)
{
    return a->key_ns != b->key_ns ? a->key_ns < b->key_ns : a->order < b->order;
}

/* Puts heap[0] where it belongs. */
static void heap_sift(struct file_source *self)
{
    struct savefile **heap = self->heap, *moved = heap[0];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < self->heap_count) {
        if (child + 1 < self->heap_count && earlier(heap[child + 1], heap[child]))
            child++;
        if (!earlier(heap[child], moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void heap_push(struct file_source *self, struct savefile *file)
{
    size_t at = self->heap_count++;
    for (; at > 0 && earlier(file, self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        self->heap[at] = self->heap[(at - 1) / 2];
    self->heap[at] = file;
}

/* --- reading --- */

/* Reads on in the file on top; a file at its end, or damaged from here on, leaves the heap. Returns what
 * savefile_read does. */
static int read_on(struct file_source *self, struct fault *fault)
{
    struct savefile *file = self->heap[0];
    int result = savefile_read(file, fault);
    if (result != 1) {
        savefile_close(file);
        self->heap[0] = self->heap[--self->heap_count];
        self->health->files_read++;
        self->health->files_damaged += result < 0;
    }
    if (self->heap_count > 1)
        heap_sift(self);
    return result;
}

/* Begins the next file: opens it and reads its first packet. 0, or -1 with the fault when it is damaged. */
static int begin(struct file_source *self, struct fault *fault)
{
    struct savefile *file = &self->files[self->begun++];
    int result = -1;
    if (file->damage != NULL)
        fault_set(fault, "%s", file->damage);
    else if (file->pcap != NULL)
        result = 1; /* it could not be opened twice: its first packet is at hand */
    else if (savefile_open(file, fault) == OPENED && savefile_filter(file, self->filter, fault) == 0)
        result = savefile_read(file, fault);
    if (result == 1) {
        heap_push(self, file);
        return 0;
    }
    savefile_close(file);
    self->health->files_read++;
    self->health->files_damaged += result < 0;
    return result;
}

static enum source_news file_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct file_source *self = (struct file_source *)source;
    if (self->finished)
        return SOURCE_END;
    if (self->lent) {
        self->lent = false;
        if (read_on(self, fault) < 0)
            return SOURCE_FAILED;
    }
    while (self->begun < self->count &&
           (self->heap_count == 0 || self->files[self->begun].first_ns <= self->heap[0]->key_ns))
        if (begin(self, fault) < 0)
            return SOURCE_FAILED;
    if (self->heap_count == 0)
        return SOURCE_END;

    const struct savefile *file = self->heap[0];
    uint32_t captured = file->header->caplen, wire = file->header->len;
    *frame = (struct frame){.bytes = file->bytes,
                            .captured_bytes = captured,
                            .wire_bytes = wire > captured ? wire : captured,
                            .time_ns = file->time_ns,
                            .link_type = pcap_datalink(file->pcap)};
    self->lent = true;
    return SOURCE_FRAME;
}

static bool file_drops(struct source *source, struct health *health)
{
    (void)source;
    (void)health;
    return false;
}

static bool file_sees(struct source *source)
{
    (void)source;
    return true;
}

static void file_finish(struct source *source)
{
    ((struct file_source *)source)->finished = true;
}

static void file_close(struct source *source)
{
    struct file_source *self = (struct file_source *)source;
    for (size_t i = 0; i < self->count; i++)
        savefile_clear(&self->files[i]);
    free(self->files);
    free(self->heap);
    free(self->filter);
    free(self);
}

static const struct source_kind file_kind = {
    .next = file_next, .drops = file_drops, .sees = file_sees, .finish = file_finish, .close = file_close};

/* --- finding the files and their order --- */

/* Looks at an open file's first packet for its time, and tries the filter on it. A file that can be opened
 * again is closed; any other keeps its packet. 1, 0 for a file without a packet, -1 when it is damaged, -2
 * with the fault when the filter is bad. */
static int look_ahead(struct file_source *self, struct savefile *file, struct fault *fault)
{
    /* A filter may pass nothing for long: whoever can come back looks at the first packet of any kind. */
    bool again = unpack_reopens(file->unpack);
    if (!again && savefile_filter(file, self->filter, fault) != 0)
        return -2;
    int result = savefile_read(file, fault);
    file->first_ns = file->key_ns;
    if (again && savefile_filter(file, self->filter, fault) != 0)
        return -2;
    if (again || result != 1)
        savefile_close(file);
    return result;
}

/* Opens a file for the first time. `named`: by the user, not found in a directory. 1 when it is to be read, 0
 * when there is nothing to read in it, -1 with the fault when the source cannot be. `is_one` says whether it
 * is a capture. */
static int examine(struct file_source *self, struct savefile *file, bool named, bool *is_one,
                   struct fault *fault)
{
    enum opening opening = savefile_open(file, fault);
    *is_one = opening != NOT_A_CAPTURE;
    if (opening == NOT_A_CAPTURE && !named)
        return 0;
    if (opening == NOT_A_CAPTURE || (opening == REFUSED && named))
        return -1;
    int result = opening == OPENED ? look_ahead(self, file, fault) : -1;
    if (result == -2)
        return -1;
    if (result == -1) {
        /* To be told when its turn comes, which is at once, so that the others are read all the same. */
        file->first_ns = TIME_NONE;
        file->damage = strdup(fault->text);
        return file->damage != NULL ? 1 : fault_set(fault, "no memory for %s", file->path);
    }
    self->health->files_read += result == 0;
    return result;
}

/* Adds a file to those to be read. Returns -1 with the fault, else 1 when it is a capture at all, else 0. */
static int add_file(struct file_source *self, const char *path, bool named, struct fault *fault)
{
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 16 : self->room * 2;
        struct savefile *files = reallocarray(self->files, room, sizeof *files);
        if (files == NULL)
            return fault_set(fault, "no memory for %s", path);
        self->files = files;
        self->room = room;
    }
    struct savefile *file = &self->files[self->count];
    *file = (struct savefile){.path = strdup(path), .order = self->count, .key_ns = TIME_NONE};
    if (file->path == NULL)
        return fault_set(fault, "no memory for %s", path);
    bool is_one;
    int result = examine(self, file, named, &is_one, fault);
    if (result == 1)
        self->count++;
    else
        savefile_clear(file);
    return result < 0 ? -1 : is_one;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Adds a directory's entry when it is a regular file, or a link to one. Returns what add_file does. */
static int add_entry(struct file_source *self, const char *directory, const char *name, struct fault *fault)
{
    char *path;
    if (asprintf(&path, "%s%s%s", directory, directory[strlen(directory) - 1] == '/' ? "" : "/", name) < 0)
        return fault_set(fault, "no memory for %s", directory);
    struct stat status;
    int result = 0;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
        result = add_file(self, path, false, fault);
    free(path);
    return result;
}

static int add_directory(struct file_source *self, const char *path, struct fault *fault)
{
    struct dirent **entries;
    int count = scandir(path, &entries, visible, by_name);
    if (count < 0)
        return fault_set(fault, "cannot read directory %s: %s", path, strerror(errno));
    int captures = 0, result = 0;
    for (int i = 0; i < count; i++) {
        if (result >= 0)
            result = add_entry(self, path, entries[i]->d_name, fault);
        captures += result > 0;
        free(entries[i]);
    }
    free(entries);
    if (result < 0)
        return -1;
    return captures > 0 ? 0 : fault_set(fault, "directory %s holds no capture file (pcap or pcapng)", path);
}

static int add_path(struct file_source *self, const char *path, struct fault *fault)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        for (size_t i = 0; i < self->count; i++)
            if (strcmp(self->files[i].path, "-") == 0)
                return fault_set(fault, "standard input (-) can be read only once");
    } else if (stat(path, &status) != 0) {
        return fault_set(fault, "cannot read %s: %s", path, strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        return add_directory(self, path, fault);
    }
    return add_file(self, path, true, fault) < 0 ? -1 : 0;
}

static int by_first_packet(const void *a, const void *b)
{
    const struct savefile *one = a, *other = b;
    if (one->first_ns != other->first_ns)
        return one->first_ns < other->first_ns ? -1 : 1;
    return one->order < other->order ? -1 : one->order > other->order;
}

struct source *source_file_open(const char *const *paths, size_t path_count, const char *filter,
                                struct health *health, struct fault *fault)
{
    struct file_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fault_set(fault, "no memory for %s", paths[0]);
        return NULL;
    }
    self->source.kind = &file_kind;
    self->health = health;
    int result = 0;
    if (filter != NULL && (self->filter = strdup(filter)) == NULL)
        result = fault_set(fault, "no memory for the filter");
    for (size_t i = 0; i < path_count && result == 0; i++)
        result = add_path(self, paths[i], fault);
    if (result == 0 && self->count > 0) {
        qsort(self->files, self->count, sizeof *self->files, by_first_packet);
        self->heap = calloc(self->count, sizeof(struct savefile *));
        if (self->heap == NULL)
            result = fault_set(fault, "no memory for %zu files", self->count);
    }
    if (result != 0) {
        file_close(&self->source);
        return NULL;
    }
    return &self->source;
}
