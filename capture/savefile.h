/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets out of a savefile's bytes: pcap and pcapng, whatever the bytes come from. Knows neither files nor
 * libpcap. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "packet.h"

struct savefile;

/* Where the bytes come from. */
struct savefile_input {
    void *context;
    /* Gives up to `room` bytes, as soon as there are any; 0 at the end; -1 when it fails. Is not called again
     * after either. SAVEFILE_NOT_YET: there are none now, and may be later. */
    ssize_t (*read)(void *context, uint8_t *to, size_t room);
};

enum { SAVEFILE_NOT_YET = -2 };

enum savefile_news {
    SAVEFILE_PACKETS,
    SAVEFILE_LATER,  /* the input said so: the same call may bring more another time */
    SAVEFILE_END,    /* after the last packet, and from then on */
    SAVEFILE_DAMAGED /* cut off, contradicting itself, or the input failed: from here on, for good */
};

/* How many bytes savefile_is_one asks for. */
enum { SAVEFILE_MAGIC_BYTES = 4 };

/* Whether a file that begins with these bytes is a savefile: pcapng, or pcap in either byte order, with
 * microseconds, nanoseconds or the longer records of a modified libpcap. */
bool savefile_is_one(const uint8_t magic[SAVEFILE_MAGIC_BYTES]);

/* Borrows what the input points to. NULL: no memory. `savefile_free` takes NULL too. */
struct savefile *savefile_new(const struct savefile_input *input);
void savefile_free(struct savefile *file);

/* Reads the file's header: to be called first, and again after SAVEFILE_LATER. SAVEFILE_PACKETS when they may
 * follow. */
enum savefile_news savefile_begin(struct savefile *file);

/* The link type of all packets of a pcap file; -1 for pcapng, where each has its own. */
int savefile_link_type(const struct savefile *file);

/* Reads the next packets, one at least and as many as are at hand, up to SAVEFILE_RUN_MAX: `frames` are valid
 * until the next call. Their link_type is LINKTYPE_…, as files number them; `interface` is the number within
 * the section, 0 in a pcap file; time_ns is TIME_NONE where the file gives none, or one that is zero or does
 * not fit; wire_bytes is never less than captured_bytes.
 *
 * In a pcap file they are what libpcap 1.10 would deliver, to the byte and nanosecond, but that seconds go on
 * from 2038 to 2106 and not to 1901; also in a pcapng file
 * as far as libpcap reads it, but that interfaces may differ in link type and snapshot length, and sections
 * in byte order, that packets longer than their interface's snapshot length are taken whole, and that a
 * packet without a time has none, whatever its interface's offset. Memory is an eighth of a mebibyte, but for
 * blocks that are longer, up to 16 MiB; those that do not hold packets are passed over. */
enum { SAVEFILE_RUN_MAX = 64 };
enum savefile_news savefile_next(struct savefile *file, const struct frame **frames, size_t *count);

/* After SAVEFILE_DAMAGED: what is wrong, and how far the file was read. When the input failed there are no
 * words. */
const char *savefile_trouble(const struct savefile *file);
int64_t savefile_offset(const struct savefile *file);
