/* SPDX-License-Identifier: BSD-3-Clause */
/* Where frames come from: savefiles or interfaces, behind one table of functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "health.h"
#include "packet.h"

enum source_news {
    SOURCE_FRAME, /* a frame was filled in */
    SOURCE_SEAM,  /* the same, but the files before it had all ended (savefiles only) */
    SOURCE_TICK,  /* no frame, but data time has reached frame.time_ns all the same (live only) */
    SOURCE_LEAP,  /* the same, but what lies before was not watched (live only) */
    SOURCE_IDLE,  /* neither, yet: look for signals and ask again */
    SOURCE_SAYS,  /* the fault says what the operator should know and is nobody's damage: that an interface
                     is down, or up again, or that a clock was set */
    SOURCE_END,   /* there is no more */
    SOURCE_FAILED /* the fault says what is damaged or gone; what was delivered before stands. Ask again:
                     other files may follow, and SOURCE_END comes at last */
};

struct source;

struct source_kind {
    enum source_news (*next)(struct source *source, struct frame *frame, struct fault *fault);
    /* The frames that follow the last one and lie ready, as many as there are, valid until the next call; 0
     * says nothing of what `next` will bring. NULL: there never are any. */
    size_t (*more)(struct source *source, const struct frame **frames);
    /* Drops since it was opened, in 64 bits, into health; false when the source cannot know (a savefile), or
     * not all. */
    bool (*drops)(struct source *source, struct health *health);
    /* Whether it sees all that it should; false while an interface is down, without a link or gone, as two of
     * them may be the two directions of one wire. Changes with SOURCE_SAYS and SOURCE_FAILED only. */
    bool (*sees)(struct source *source);
    /* How much of it has been read, 0 to 1, or negative where nobody can know; from any thread. NULL: nobody
     * can. */
    double (*share)(const struct source *source);
    /* Asks for the end. Live: what was captured by now is still delivered, for a second at most, then comes
     * SOURCE_END. A savefile ends at once. */
    void (*finish)(struct source *source);
    void (*close)(struct source *source);
};

/* The head of every source; the kinds put their own fields behind it. */
struct source {
    const struct source_kind *kind;
};

struct source_file_options {
    const char *const *paths;
    size_t path_count;
    const char *filter;     /* a pcap filter expression, or NULL */
    int64_t from_ns, to_ns; /* packets before the one, and from the other on, are passed over; TIME_NONE */
    bool follow;            /* files are still being written, and more of them may come */
    int64_t gap_max_ns;     /* longer without any packet is a hole: for steady.h */
};

/* Savefiles and directories, merged into one capture in time order. A path is a file, a directory (its
 * regular files, not descending, hidden ones left out) or "-" for standard input; pcap or pcapng, plain, gzip
 * or zstd, told by their first bytes. Only as many files are open at a time as overlap in time. It ends with
 * the first packet, in the order of time, at or after `to_ns`; while it passes over what is before `from_ns`
 * it is SOURCE_IDLE. With `follow` plain files are read on as they grow, and files that are new in a
 * directory once they hold a packet; one that is followed by a newer one of its directory is at its end.
 * Nothing comes then, SOURCE_IDLE, until the earliest file has grown: the order is that of a replay
 * afterwards, and data time stands still. Borrows the paths until it is closed. A file without a packet is no
 * fault. What is no capture is refused when it was named and passed over in a directory. A damaged file is
 * told when its turn comes. Times that contradict those around them are put right (steady.h). A read of
 * standard input that a signal interrupts (whose handler was set without SA_RESTART) counts as its end.
 * Returns NULL with the fault naming the path. */
struct source *source_file_open(const struct source_file_options *options, struct health *health,
                                struct fault *fault);

struct source_live_options {
    uint16_t number;          /* frame.interface */
    uint32_t readers, reader; /* how many share the interface, and which of them this is, from 0 */
    int *group;               /* what they share it by: -1 before the first is opened; borrowed */
    bool ordered;             /* packets wait for those of others: hand them over soon */
    uint32_t ring_bytes;      /* kernel ring of a reader */
    uint32_t snaplen;         /* bytes a packet */
    bool promiscuous;
    double tick_s;     /* how long a silent wire goes without a tick */
    double lateness_s; /* how far a tick stays behind the wall clock, for what is still in the ring */
    int64_t least_ns;  /* the time begins no earlier: what was told by a former run */
};

/* An interface, read without blocking for longer than a fifth of a second. When it goes down, loses its link
 * (which the kernel itself may know up to a second late), is gone, or has another MTU or link type that is
 * told within a tenth of a second, by the first of its readers, the others' text being empty; it is waited
 * for, opened anew when it is back, and meanwhile the ticks go on. One that is gone at the end is
 * SOURCE_FAILED. Its time is that of wall.h. Returns NULL with the fault naming the interface and the way
 * out. */
struct source *source_live_open(const char *name, const char *filter,
                                const struct source_live_options *options, struct fault *fault);

struct ring;

/* The rings of several readers, merged into one stream in the order of time, which ticks as far as all of
 * them have come. Where one has nothing to say the others wait for it, as long as their rings are not half
 * full. Borrows the rings; their owners know of drops. NULL: no memory. */
struct source *source_ring_open(struct ring *const *rings, size_t count);
