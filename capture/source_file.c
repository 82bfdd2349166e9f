/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "decode.h"
#include "memory.h"
#include "savefile.h"
#include "source_filter.h"
#include "steady.h"
#include "unpack.h"

/* A link type that has been met: what libpcap calls it, and the filter compiled for it. */
struct link {
    uint16_t number; /* LINKTYPE_…, as files number them */
    int dlt;
    bool decoded;      /* decode reads it */
    bool unfilterable; /* the filter does not compile for it: `words` say why */
    struct bpf_program program;
    char words[PCAP_ERRBUF_SIZE];
};

/* One file. Until its turn comes it is closed, unless it cannot be opened twice, and all that is known of it
 * is when its first packet was. */
struct input {
    char *path;
    size_t argument;        /* the number of the path that brought it */
    size_t order;           /* among the arguments, and by name within a directory */
    int64_t first_ns;       /* the bound by which it waits; TIME_NONE: at once */
    uint64_t size_bytes;    /* as it was found; 0: nobody knows */
    uint64_t counted_bytes; /* of those, in read_bytes */
    char *damage;           /* already found to be damaged: what there is to say, owned */
    struct unpack *unpack;  /* open when `savefile` is */
    struct savefile *savefile;
    struct steady *steady;
    const struct frame *run; /* packets read ahead, the first of them looked at, if any … */
    size_t run_count;
    bool held; /* … or not yet */
    bool used; /* the packet is done with, or there is none yet: it is read on in when it is on top */
    const struct link *link; /* of that packet */
    int64_t key_ns;          /* its time, but that of the one before where the file gives none */
    bool told_clock;         /* that it was set */
    uint64_t told;           /* the links, by a bit, of which it was told that they cannot be read */
};

/* Files wait in `inputs` by their first packet's time; those that were begun stand in `heap`, the one with
 * the earliest packet on top. A file is begun before any packet at or after its first one is delivered, so
 * that only files that overlap in time are open together. */
struct file_source {
    struct source source;
    struct health *health;
    char *filter;           /* NULL: none */
    int64_t from_ns, to_ns; /* what is asked for: without bounds, everything */
    int64_t gap_max_ns;
    struct fault news; /* to be said before the next packet, if anything */
    struct link **links;
    size_t link_count;
    struct input **inputs;
    size_t count, room;
    size_t added; /* so far: the next one's order */
    size_t begun; /* inputs[begun] is the next to begin */
    struct input **heap;
    size_t heap_count;
    bool at_seam;   /* all files ended since the last packet was delivered, … */
    bool delivered; /* … if any was */
    bool finished;
    bool endless; /* nobody knows how much there is */
    uint64_t whole_bytes;
    _Atomic uint64_t read_bytes;

    bool follow;
    const char *const *paths; /* as asked for: more may come of them */
    size_t path_count;
    void *known;                 /* the paths of inputs, a tree */
    struct forgotten *forgotten; /* of each path; NULL: nothing is followed */
    int64_t scan_at_ns;          /* monotonic clock: when more is looked for next */
};

/* Files that were followed to their end, and of which no more is known than that none of them was changed
 * later, or begins later. */
struct forgotten {
    int64_t changed_ns, first_ns; /* TIME_NONE: there are none */
};

enum { SCAN_MS = 1000, NAP_MS = 100 }; /* between two looks for new files, and for more in one */
enum { SCAN_REST = 20 };     /* times as long as a look took: a directory may hold very many files */
enum { ENDED_MAX = 4096 };   /* files followed to their end whose names are kept */
enum { PASSED_OVER = 4096 }; /* packets before `from_ns`, between two looks at signals */

enum opening { OPENED, NOT_A_CAPTURE, NOT_YET, REFUSED, DAMAGED };

/* What comes of reading on in a file. TOLD: the fault says something of it, and the next packet follows.
 * LATER: it does once the file has grown. */
enum reading { READ_PACKET, READ_END, READ_DAMAGED, READ_TOLD, READ_LATER };

static const char *input_name(const struct input *file)
{
    return strcmp(file->path, "-") == 0 ? "standard input" : file->path;
}

static void input_close(struct input *file)
{
    steady_free(file->steady);
    savefile_free(file->savefile);
    unpack_close(file->unpack);
    file->steady = NULL;
    file->savefile = NULL;
    file->unpack = NULL;
    file->run_count = 0;
    file->held = false;
    file->told = 0;
}

static void input_clear(struct input *file)
{
    input_close(file);
    free(file->path);
    free(file->damage);
}

/* --- link types --- */

/* What libpcap makes of a link type that a file gives: it is asked with a file of nothing but a header, as it
 * tells nobody else. NULL with its words. */
static pcap_t *open_header(uint16_t number, char *words)
{
    struct pcap_file_header header = {.magic = 0xa1b2c3d4,
                                      .version_major = PCAP_VERSION_MAJOR,
                                      .version_minor = PCAP_VERSION_MINOR,
                                      .snaplen = 262144,
                                      .linktype = number};
    FILE *stream = fmemopen(&header, sizeof header, "r");
    pcap_t *pcap = stream != NULL ? pcap_fopen_offline(stream, words) : NULL;
    if (pcap == NULL && stream != NULL)
        fclose(stream);
    return pcap;
}

/* Finds a link type among those met, or adds it. NULL with the fault. */
static struct link *link_find(struct file_source *self, uint16_t number, struct fault *fault)
{
    for (size_t i = 0; i < self->link_count; i++)
        if (self->links[i]->number == number)
            return self->links[i];
    char words[PCAP_ERRBUF_SIZE] = "no memory";
    struct link **links = reallocarray(self->links, self->link_count + 1, sizeof *links);
    struct link *link = calloc(1, sizeof *link);
    if (links != NULL)
        self->links = links;
    pcap_t *pcap = links != NULL && link != NULL ? open_header(number, words) : NULL;
    if (pcap == NULL) {
        free(link); /* libpcap has no other reason */
        fault_errno(fault, ENOMEM, "link type %u: %s", number, words);
        return NULL;
    }
    link->number = number;
    link->dlt = pcap_datalink(pcap);
    link->decoded = decode_knows(link->dlt);
    if (self->filter != NULL && link->decoded) {
        link->unfilterable = source_filter_compile(pcap, self->filter, &link->program) != 0;
        snprintf(link->words, sizeof link->words, "%s", link->unfilterable ? pcap_geterr(pcap) : "");
    }
    bool refused = link->unfilterable && errno == ENOMEM;
    pcap_close(pcap);
    if (refused) {
        free(link);
        fault_errno(fault, ENOMEM, "no memory for filter '%s'", self->filter);
        return NULL;
    }
    self->links[self->link_count++] = link;
    return link;
}

/* Says why packets of a link type are of no use, and returns true; false: they are. */
static bool link_is_refused(const struct file_source *self, const struct link *link, const struct input *file,
                            struct fault *fault)
{
    const char *name = pcap_datalink_val_to_name(link->dlt);
    if (!link->decoded)
        fault_set(fault, "link type %s (%d) of %s is not read; the README lists those that are",
                  name != NULL ? name : "unknown", link->dlt, input_name(file));
    else if (link->unfilterable)
        fault_set(fault, "filter '%s': %s (link type %s of %s)", self->filter, link->words,
                  name != NULL ? name : "unknown", input_name(file));
    return !link->decoded || link->unfilterable;
}

static bool link_passes(const struct link *link, const struct frame *frame)
{
    const struct pcap_pkthdr header = {.caplen = frame->captured_bytes, .len = frame->wire_bytes};
    return link->decoded && !link->unfilterable &&
           pcap_offline_filter(&link->program, &header, frame->bytes) != 0;
}

/* --- one file --- */

/* Says what is wrong with a file from here on, by the unpacking where it knows. */
static void say_damage(const struct input *file, int64_t offset, const char *words, struct fault *fault)
{
    const char *trouble = unpack_trouble(file->unpack);
    fault_set(fault, "%s is damaged or cut off at byte %lld%s, read up to there: %s", input_name(file),
              (long long)offset, unpack_is_packed(file->unpack) ? " of the unpacked data" : "",
              trouble != NULL ? trouble : words);
}

static enum opening check_head(const struct file_source *self, const struct input *file, struct fault *fault)
{
    size_t length;
    const uint8_t *head = unpack_head(file->unpack, &length);
    if (length >= SAVEFILE_MAGIC_BYTES && savefile_is_one(head))
        return OPENED;
    if (unpack_trouble(file->unpack) != NULL) {
        say_damage(file, (int64_t)length, "", fault);
        return DAMAGED;
    }
    if (length == 0)
        fault_set(fault, "%s is empty: not even the header of a capture file", input_name(file));
    else
        fault_set(fault, "%s is not a capture file (pcap or pcapng)", input_name(file));
    return self->follow && length < SAVEFILE_MAGIC_BYTES ? NOT_YET : NOT_A_CAPTURE;
}

static ssize_t read_unpacked(void *context, uint8_t *to, size_t room)
{
    return unpack_read(context, to, room);
}

/* Whether a file's packets can be used, as far as its header tells: that of a pcapng file does not. */
static enum opening check_link_type(struct file_source *self, struct input *file, struct fault *fault)
{
    int number = savefile_link_type(file->savefile);
    if (number < 0)
        return OPENED;
    const struct link *link = link_find(self, (uint16_t)number, fault);
    return link != NULL && !link_is_refused(self, link, file, fault) ? OPENED : REFUSED;
}

/* Opens a file up to its first packet. Unless OPENED it is closed again and the fault filled. */
static enum opening input_open(struct file_source *self, struct input *file, struct fault *fault)
{
    file->unpack = unpack_open(file->path, fault);
    if (file->unpack == NULL)
        return REFUSED;
    unpack_follow(file->unpack, self->follow);
    enum opening result = check_head(self, file, fault);
    if (result == OPENED) {
        const struct savefile_input input = {.context = file->unpack, .read = read_unpacked};
        file->savefile = savefile_new(&input);
        enum savefile_news news = file->savefile != NULL ? savefile_begin(file->savefile) : SAVEFILE_END;
        if (file->savefile != NULL)
            file->steady =
                steady_new(file->savefile, self->gap_max_ns, self->follow || !unpack_reopens(file->unpack));
        if (file->steady == NULL) {
            fault_errno(fault, ENOMEM, "no memory to read %s", input_name(file));
            result = REFUSED;
        } else if (news != SAVEFILE_PACKETS) {
            say_damage(file, savefile_offset(file->savefile), savefile_trouble(file->savefile), fault);
            result = news == SAVEFILE_LATER ? NOT_YET : DAMAGED;
        } else {
            result = check_link_type(self, file, fault);
        }
    }
    if (result != OPENED)
        input_close(file);
    return result;
}

/* What comes of a file that has no more packets. */
static enum reading input_end(const struct input *file, enum savefile_news news, struct fault *fault)
{
    if (news == SAVEFILE_LATER)
        return READ_LATER;
    if (news == SAVEFILE_END || unpack_interrupted(file->unpack))
        return READ_END;
    say_damage(file, savefile_offset(file->savefile), savefile_trouble(file->savefile), fault);
    return READ_DAMAGED;
}

/* Takes over what came up about the times of a file's packets. Of its clock is told once. */
static void note_clock(struct file_source *self, struct input *file)
{
    struct steady_news news;
    if (!steady_take_news(file->steady, &news))
        return;
    self->health->packets_astray += news.astray;
    self->health->clock_steps += news.steps;
    if (news.steps == 0 || file->told_clock)
        return;
    file->told_clock = true;
    const time_t at = (time_t)(clock_floor(news.since_ns, NS_PER_S) / NS_PER_S);
    struct tm day;
    char since[32] = "a time that no calendar has";
    if (gmtime_r(&at, &day) != NULL)
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &day);
    fault_set(&self->news,
              "%s: at %s the clock was set back by %lld s: what follows is told as if it had not been. If it "
              "is several captures one behind the other, `reordercap` puts it in order",
              input_name(file), since, (long long)(-news.by_ns / NS_PER_S));
}

/* Goes to the next packet of any kind, and holds it. Never returns READ_TOLD. `self` NULL: what there is to
 * say of its time is left for later. */
static inline enum reading input_hold(struct file_source *self, struct input *file, struct fault *fault)
{
    if (file->run_count > 1) {
        file->run++;
        file->run_count--;
    } else {
        enum savefile_news news = steady_next(file->steady, &file->run, &file->run_count);
        if (self != NULL)
            note_clock(self, file);
        if (news != SAVEFILE_PACKETS)
            return input_end(file, news, fault);
    }
    file->held = true;
    if (file->run->time_ns != TIME_NONE)
        file->key_ns = file->run->time_ns;
    return READ_PACKET;
}

/* Finds the link of the packet held, which is another than that of the one before, and tells once a file when
 * it is of no use. */
static enum reading input_relink(struct file_source *self, struct input *file, struct fault *fault)
{
    file->link = link_find(self, (uint16_t)file->run->link_type, fault);
    if (file->link == NULL)
        return READ_DAMAGED;
    size_t number = 0;
    while (self->links[number] != file->link)
        number++;
    uint64_t bit = 1ULL << (number < 63 ? number : 63);
    if ((file->told & bit) != 0 || !link_is_refused(self, file->link, file, fault))
        return READ_PACKET;
    file->told |= bit;
    return READ_TOLD;
}

/* Reads the next packet that passes the filter. One that cannot be decoded is delivered, to be counted,
 * unless there is a filter. */
static inline enum reading input_read(struct file_source *self, struct input *file, struct fault *fault)
{
    for (;;) {
        enum reading result = file->held ? READ_PACKET : input_hold(self, file, fault);
        if (result == READ_PACKET && (file->link == NULL || file->link->number != file->run->link_type))
            result = input_relink(self, file, fault);
        if (result != READ_PACKET)
            return result;
        file->held = false;
        if (self->filter == NULL || link_passes(file->link, file->run))
            return READ_PACKET;
    }
}

/* --- the files that were begun --- */

static bool earlier(const struct input *a, const struct input *b)
{
    return a->key_ns != b->key_ns ? a->key_ns < b->key_ns : a->order < b->order;
}

/* Puts heap[0] where it belongs. */
static void heap_sift(struct file_source *self)
{
    struct input **heap = self->heap, *moved = heap[0];
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

static void heap_push(struct file_source *self, struct input *file)
{
    size_t at = self->heap_count++;
    for (; at > 0 && earlier(file, self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        self->heap[at] = self->heap[(at - 1) / 2];
    self->heap[at] = file;
}

/* --- reading --- */

static int by_path(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int64_t changed_ns(const struct stat *status)
{
    return status->st_mtim.tv_sec * NS_PER_S + status->st_mtim.tv_nsec;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A file that is followed has come to its end: where there are many such, the first of them is forgotten. */
static void forget_one(struct file_source *self)
{
    struct stat status;
    size_t at = 0;
    if (!self->follow || self->begun - self->heap_count <= ENDED_MAX)
        return;
    while (self->inputs[at]->savefile != NULL)
        at++;
    struct input *file = self->inputs[at];
    struct forgotten *forgotten = &self->forgotten[file->argument];
    forgotten->first_ns = later(forgotten->first_ns, file->first_ns);
    if (stat(file->path, &status) == 0)
        forgotten->changed_ns = later(forgotten->changed_ns, changed_ns(&status));
    tdelete(file->path, &self->known, by_path);
    self->begun--;
    self->count--;
    memmove(self->inputs + at, self->inputs + at + 1, (self->count - at) * sizeof *self->inputs);
    input_clear(file);
    free(file);
    self->health->files_forgotten++;
}

/* Counts what was read of a file so far. */
static void count_bytes(struct file_source *self, struct input *file, uint64_t upto_bytes)
{
    if (upto_bytes <= file->counted_bytes || upto_bytes > file->size_bytes)
        return;
    atomic_fetch_add_explicit(&self->read_bytes, upto_bytes - file->counted_bytes, memory_order_relaxed);
    file->counted_bytes = upto_bytes;
}

/* What memory or files are short for is no damage, after which the others would be read. */
static void end_if_refused(enum reading result, const struct fault *fault)
{
    if (result == READ_DAMAGED && fault->refused)
        memory_end_with(fault);
}

/* Reads on in the file on top; a file at its end, or damaged from here on, leaves the heap. */
static enum reading read_on(struct file_source *self, struct fault *fault)
{
    struct input *file = self->heap[0];
    enum reading result = input_read(self, file, fault);
    file->used = result != READ_PACKET;
    if (result == READ_TOLD || result == READ_LATER)
        return result;
    count_bytes(self, file, result == READ_PACKET ? unpack_taken_bytes(file->unpack) : file->size_bytes);
    if (result != READ_PACKET) {
        input_close(file);
        self->heap[0] = self->heap[--self->heap_count];
        self->health->files_read++;
        self->health->files_damaged += result == READ_DAMAGED;
    }
    end_if_refused(result, fault);
    if (self->heap_count > 1)
        heap_sift(self);
    if (result != READ_PACKET)
        forget_one(self);
    return result;
}

/* Begins the next file: opens it, unless it is open, and reads its first packet. A file of which something
 * was told begins again. */
static enum reading begin(struct file_source *self, struct fault *fault)
{
    struct input *file = self->inputs[self->begun];
    enum reading result = READ_DAMAGED;
    if (file->damage != NULL)
        fault_set(fault, "%s", file->damage);
    else if (file->savefile != NULL || input_open(self, file, fault) == OPENED)
        result = input_read(self, file, fault);
    if (result == READ_TOLD)
        return result;
    end_if_refused(result, fault);
    self->begun++;
    if (result == READ_PACKET || result == READ_LATER) {
        file->used = result == READ_LATER;
        heap_push(self, file);
        return result;
    }
    count_bytes(self, file, file->size_bytes);
    input_close(file);
    self->health->files_read++;
    self->health->files_damaged += result == READ_DAMAGED;
    forget_one(self);
    return result;
}

/* Whether the next file may hold a packet before those at hand. */
static bool is_time_to_begin(const struct file_source *self)
{
    return self->begun < self->count &&
           (self->heap_count == 0 || self->inputs[self->begun]->first_ns <= self->heap[0]->key_ns);
}

/* ---- files that grow ---- */

static int scan(struct file_source *self, struct fault *fault);

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Whether a newer file stands beside it: its writer has left it. */
static bool is_left(const struct file_source *self, const struct input *file)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->inputs[i]->argument == file->argument && self->inputs[i]->first_ns > file->first_ns)
            return true;
    return self->forgotten[file->argument].first_ns > file->first_ns;
}

/* Nothing is at hand: looks whether there are more files, or naps. A file that was left is read to its end,
 * whatever came between the last read and the look. */
static enum source_news await(struct file_source *self, struct fault *fault)
{
    struct input *file = self->heap_count > 0 ? self->heap[0] : NULL;
    const int64_t now_ns = monotonic_ns();
    if (now_ns >= self->scan_at_ns) {
        if (scan(self, fault) != 0) {
            if (fault->refused)
                memory_end_with(fault);
            self->finished = true;
            return SOURCE_FAILED;
        }
        const int64_t done_ns = monotonic_ns();
        self->scan_at_ns = done_ns + later(SCAN_MS * NS_PER_MS, SCAN_REST * (done_ns - now_ns));
    }
    if (file != NULL && is_left(self, file)) {
        unpack_follow(file->unpack, false);
    } else if (file != NULL || self->begun == self->count) {
        const struct timespec nap = {.tv_nsec = NAP_MS * NS_PER_MS};
        nanosleep(&nap, NULL);
    }
    return SOURCE_IDLE;
}

/* Goes to the next packet: SOURCE_FRAME when it is at hand, on top of the heap. */
static enum source_news go_on(struct file_source *self, struct fault *fault)
{
    while (self->heap_count > 0 && self->heap[0]->used) {
        enum reading result = read_on(self, fault);
        if (result == READ_TOLD || result == READ_DAMAGED)
            return SOURCE_FAILED;
        if (result == READ_LATER)
            return await(self, fault);
    }
    self->at_seam |= self->heap_count == 0;
    while (is_time_to_begin(self)) {
        enum reading result = begin(self, fault);
        if (result == READ_TOLD || result == READ_DAMAGED)
            return SOURCE_FAILED;
        if (result == READ_LATER)
            return SOURCE_IDLE;
    }
    if (self->heap_count == 0 && self->follow)
        return await(self, fault);
    self->finished = self->heap_count == 0 || self->heap[0]->key_ns >= self->to_ns;
    return self->finished ? SOURCE_END : SOURCE_FRAME;
}

static enum source_news file_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct file_source *self = (struct file_source *)source;
    enum source_news news = self->finished ? SOURCE_END : go_on(self, fault);
    for (int i = 0; news == SOURCE_FRAME && self->heap[0]->key_ns < self->from_ns; i++) {
        self->heap[0]->used = true;
        news = i < PASSED_OVER ? go_on(self, fault) : SOURCE_IDLE;
    }
    if (news != SOURCE_FRAME && news != SOURCE_END)
        return news;
    if (self->news.text[0] != '\0') {
        *fault = self->news;
        self->news.text[0] = '\0';
        return SOURCE_SAYS;
    }
    if (news == SOURCE_END)
        return SOURCE_END;
    struct input *file = self->heap[0];
    file->used = true;
    *frame = *file->run;
    frame->link_type = file->link->dlt;
    if (self->at_seam && self->delivered)
        news = SOURCE_SEAM;
    self->at_seam = false;
    self->delivered = true;
    return news;
}

static bool is_bounded(const struct file_source *self)
{
    return self->from_ns != TIME_NONE || self->to_ns != INT64_MAX;
}

/* Whether a packet of a time, if it has one, is asked for. */
static bool is_asked_for(const struct file_source *self, int64_t time_ns)
{
    return time_ns == TIME_NONE || (time_ns >= self->from_ns && time_ns < self->to_ns);
}

/* Where one file alone has its turn and there is no filter, its packets are handed out as they were read, up
 * to the first of another link type, not asked for, or before which another file may have to begin. */
static size_t file_more(struct source *source, const struct frame **frames)
{
    struct file_source *self = (struct file_source *)source;
    if (self->heap_count != 1 || self->filter != NULL || !self->heap[0]->used || self->finished)
        return 0;
    struct input *file = self->heap[0];
    if (file->link->dlt != file->link->number)
        return 0;
    const struct frame *next = file->run + 1;
    size_t count = 0, most = file->run_count - 1;
    if (self->begun == self->count && savefile_link_type(file->savefile) >= 0 && !is_bounded(self))
        count = most; /* nothing can come between them */
    else
        while (count < most && next[count].link_type == file->link->dlt &&
               is_asked_for(self, next[count].time_ns) &&
               (self->begun == self->count || next[count].time_ns < self->inputs[self->begun]->first_ns))
            count++;
    for (size_t i = count; i > 0; i--)
        if (next[i - 1].time_ns != TIME_NONE) {
            file->key_ns = next[i - 1].time_ns;
            break;
        }
    *frames = next;
    file->run += count;
    file->run_count -= count;
    return count;
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

static double file_share(const struct source *source)
{
    const struct file_source *self = (const struct file_source *)source;
    if (self->endless || self->whole_bytes == 0)
        return -1;
    return (double)atomic_load_explicit(&self->read_bytes, memory_order_relaxed) / (double)self->whole_bytes;
}

static void file_finish(struct source *source)
{
    ((struct file_source *)source)->finished = true;
}

/* The tree's paths are the inputs'. */
static void forget_nothing(void *path)
{
    (void)path;
}

static void file_close(struct source *source)
{
    struct file_source *self = (struct file_source *)source;
    for (size_t i = 0; i < self->count; i++) {
        input_clear(self->inputs[i]);
        free(self->inputs[i]);
    }
    tdestroy(self->known, forget_nothing);
    free(self->inputs);
    for (size_t i = 0; i < self->link_count; i++) {
        pcap_freecode(&self->links[i]->program);
        free(self->links[i]);
    }
    free(self->links);
    free(self->heap);
    free(self->forgotten);
    free(self->filter);
    free(self);
}

static const struct source_kind file_kind = {.next = file_next,
                                             .more = file_more,
                                             .drops = file_drops,
                                             .sees = file_sees,
                                             .share = file_share,
                                             .finish = file_finish,
                                             .close = file_close};

/* --- finding the files and their order --- */

/* Looks at an open file's first packet, of whatever kind, for its time, and at whether its link type can be
 * filtered. A file that can be opened again is closed; any other keeps its packet. READ_TOLD: the filter is
 * bad. */
static enum reading look_ahead(struct file_source *self, struct input *file, struct fault *fault)
{
    enum reading result = input_hold(NULL, file, fault);
    if (result == READ_PACKET) {
        file->first_ns = file->key_ns;
        const struct link *link = link_find(self, (uint16_t)file->run->link_type, fault);
        if (link == NULL)
            result = READ_DAMAGED;
        else if (link->unfilterable && link_is_refused(self, link, file, fault))
            result = READ_TOLD;
    }
    if (unpack_reopens(file->unpack) || result != READ_PACKET)
        input_close(file);
    return result;
}

/* Opens a file for the first time. `named`: by the user, not found in a directory. 1 when it is to be read, 0
 * when there is nothing to read in it, -1 with the fault when the source cannot be. `is_one` says whether it
 * is a capture. */
static int examine(struct file_source *self, struct input *file, bool named, bool *is_one,
                   struct fault *fault)
{
    enum opening opening = input_open(self, file, fault);
    *is_one = opening != NOT_A_CAPTURE;
    if (opening == NOT_YET || (opening == NOT_A_CAPTURE && !named))
        return 0;
    if (opening == NOT_A_CAPTURE || (opening == REFUSED && (named || fault->refused)))
        return -1;
    enum reading result = opening == OPENED ? look_ahead(self, file, fault) : READ_DAMAGED;
    if (result == READ_TOLD || (result == READ_DAMAGED && fault->refused))
        return -1;
    if (result == READ_LATER)
        return 0; /* not a packet yet */
    if (result == READ_DAMAGED) {
        /* To be told when its turn comes, which is at once, so that the others are read all the same. */
        file->first_ns = TIME_NONE;
        file->damage = strdup(fault->text);
        return file->damage != NULL ? 1 : fault_errno(fault, ENOMEM, "no memory for %s", file->path);
    }
    self->health->files_read += result == READ_END;
    return result == READ_PACKET;
}

/* Notes how much there is to read. */
static void measure(struct file_source *self, struct input *file)
{
    struct stat status;
    if (self->follow || strcmp(file->path, "-") == 0 || stat(file->path, &status) != 0 ||
        !S_ISREG(status.st_mode))
        self->endless = true;
    else
        file->size_bytes = (uint64_t)status.st_size;
    self->whole_bytes += file->size_bytes;
}

static int make_room(struct file_source *self)
{
    if (self->count < self->room)
        return 0;
    size_t room = self->room == 0 ? 16 : self->room * 2;
    struct input **inputs = reallocarray(self->inputs, room, sizeof *inputs);
    if (inputs != NULL)
        self->inputs = inputs;
    struct input **heap = inputs != NULL ? reallocarray(self->heap, room, sizeof *heap) : NULL;
    if (heap == NULL)
        return -1;
    self->heap = heap;
    self->room = room;
    return 0;
}

/* Whether a file, which is not known, is one that was forgotten: as far as can be said without opening it …
 */
static bool is_forgotten(const struct file_source *self, const char *path, size_t argument)
{
    struct stat status;
    return self->follow && stat(path, &status) == 0 &&
           changed_ns(&status) <= self->forgotten[argument].changed_ns;
}

/* … and once its first packet is known. */
static bool begins_before_forgotten(const struct file_source *self, const struct input *file)
{
    return self->follow && file->first_ns != TIME_NONE &&
           file->first_ns <= self->forgotten[file->argument].first_ns;
}

/* Adds a file that the argument of this number brought to those to be read. Returns -1 with the fault, else 1
 * when it is a capture at all, else 0. */
static int add_file(struct file_source *self, const char *path, size_t argument, bool named,
                    struct fault *fault)
{
    if (is_forgotten(self, path, argument))
        return 1;
    struct input *file = make_room(self) == 0 ? calloc(1, sizeof *file) : NULL;
    if (file == NULL || (file->path = strdup(path)) == NULL) {
        free(file);
        return fault_errno(fault, ENOMEM, "no memory for %s", path);
    }
    file->argument = argument;
    file->order = self->added;
    file->key_ns = TIME_NONE;
    bool is_one;
    int result = examine(self, file, named, &is_one, fault);
    bool wanted = result == 1 && !begins_before_forgotten(self, file);
    if (wanted && self->follow && tsearch(file->path, &self->known, by_path) == NULL)
        result = fault_errno(fault, ENOMEM, "no memory for %s", path); /* it would be found again */
    if (wanted && result == 1) {
        measure(self, file);
        self->inputs[self->count++] = file;
        self->added++;
    } else {
        input_clear(file);
        free(file);
    }
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
static int add_entry(struct file_source *self, size_t argument, const char *name, struct fault *fault)
{
    const char *directory = self->paths[argument];
    char *path;
    if (asprintf(&path, "%s%s%s", directory, directory[strlen(directory) - 1] == '/' ? "" : "/", name) < 0)
        return fault_errno(fault, ENOMEM, "no memory for %s", directory);
    struct stat status;
    int result = 0;
    if (tfind(path, &self->known, by_path) == NULL && stat(path, &status) == 0 && S_ISREG(status.st_mode))
        result = add_file(self, path, argument, false, fault);
    free(path);
    return result;
}

static int add_directory(struct file_source *self, size_t argument, struct fault *fault)
{
    const char *path = self->paths[argument];
    struct dirent **entries;
    int count = scandir(path, &entries, visible, by_name);
    if (count < 0)
        return fault_errno(fault, errno, "cannot read directory %s: %s", path, strerror(errno));
    int captures = 0, result = 0;
    for (int i = 0; i < count; i++) {
        if (result >= 0)
            result = add_entry(self, argument, entries[i]->d_name, fault);
        captures += result > 0;
        free(entries[i]);
    }
    free(entries);
    if (result < 0)
        return -1;
    return captures > 0 || self->follow
               ? 0
               : fault_set(fault, "directory %s holds no capture file (pcap or pcapng)", path);
}

static int add_path(struct file_source *self, size_t argument, struct fault *fault)
{
    const char *path = self->paths[argument];
    struct stat status;
    if (strcmp(path, "-") == 0) {
        for (size_t i = 0; i < self->count; i++)
            if (strcmp(self->inputs[i]->path, "-") == 0)
                return fault_set(fault, "standard input (-) can be read only once");
    } else if (tfind(path, &self->known, by_path) != NULL) {
        return 0;
    } else if (stat(path, &status) != 0) {
        return fault_set(fault, "cannot read %s: %s", path, strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        return add_directory(self, argument, fault);
    }
    return add_file(self, path, argument, true, fault) < 0 ? -1 : 0;
}

static int by_first_packet(const void *a, const void *b)
{
    const struct input *one = *(struct input *const *)a, *other = *(struct input *const *)b;
    if (one->first_ns != other->first_ns)
        return one->first_ns < other->first_ns ? -1 : 1;
    return one->order < other->order ? -1 : one->order > other->order;
}

static void sort_from(struct file_source *self, size_t from)
{
    if (self->count > from)
        qsort(self->inputs + from, self->count - from, sizeof *self->inputs, by_first_packet);
}

/* Looks for files that are new. A path that is gone for a moment may be there again. */
static int scan(struct file_source *self, struct fault *fault)
{
    int result = 0;
    for (size_t i = 0; i < self->path_count && result == 0; i++)
        if (strcmp(self->paths[i], "-") != 0 && access(self->paths[i], F_OK) == 0)
            result = add_path(self, i, fault);
    sort_from(self, self->begun);
    return result;
}

static int make_forgotten(struct file_source *self)
{
    self->forgotten = calloc(self->path_count, sizeof *self->forgotten);
    for (size_t i = 0; self->forgotten != NULL && i < self->path_count; i++)
        self->forgotten[i] = (struct forgotten){TIME_NONE, TIME_NONE};
    return self->forgotten != NULL ? 0 : -1;
}

struct source *source_file_open(const struct source_file_options *options, struct health *health,
                                struct fault *fault)
{
    struct file_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fault_set(fault, "no memory for %s", options->paths[0]);
        return NULL;
    }
    self->source.kind = &file_kind;
    self->health = health;
    self->follow = options->follow;
    self->paths = options->paths;
    self->path_count = options->path_count;
    self->from_ns = options->from_ns;
    self->gap_max_ns = options->gap_max_ns;
    self->to_ns = options->to_ns != TIME_NONE ? options->to_ns : INT64_MAX;
    int result = 0;
    if (self->follow && make_forgotten(self) != 0)
        result = fault_set(fault, "no memory to follow %zu paths", self->path_count);
    else if (options->filter != NULL && (self->filter = strdup(options->filter)) == NULL)
        result = fault_set(fault, "no memory for the filter");
    for (size_t i = 0; i < options->path_count && result == 0; i++)
        result = add_path(self, i, fault);
    sort_from(self, 0);
    if (result != 0) {
        file_close(&self->source);
        return NULL;
    }
    return &self->source;
}
