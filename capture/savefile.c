/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcap format is that of pcap-savefile(5) and of draft-ietf-opsawg-pcap, with the departures that libpcap
 * allows: versions 2.0 to 2.3 and DG/UX's 543.0, which have the two lengths of a record the other way round,
 * and the records of Alexey Kuznetzov's modified libpcap, which are eight bytes longer. pcapng is that of
 * draft-ietf-opsawg-pcapng. Numbers are in the byte order of whoever wrote the file, or the section.
 *
 * Bytes are read in blocks into one buffer, in which a record or block is always whole: whoever wants `count`
 * bytes asks `holds`, and what is there is moved to the buffer's start before more is read.
 */
#include "savefile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"

/* A read of this size costs hardly more a byte than the largest, and leaves most of a second-level cache to
 * others. */
enum { BUFFER_BYTES = 128 * 1024 };

/* What is not believed: libpcap's own limits for a packet of an ordinary link type and for a block. */
enum { PACKET_MAX_BYTES = 262144, BLOCK_MAX_BYTES = 16 * 1024 * 1024 };

enum { INTERFACES_MAX = 1 << 16 };

/* pcap */
enum { FILE_HEADER_BYTES = 24, RECORD_BYTES = 16, MODIFIED_RECORD_BYTES = 24 };
static const uint32_t magic_micro = 0xa1b2c3d4, magic_nano = 0xa1b23c4d, magic_modified = 0xa1b2cd34;

/* pcapng */
enum { BLOCK_HEADER_BYTES = 8, BLOCK_LEAST_BYTES = 12, SECTION_BYTES = 28 };
enum { BLOCK_INTERFACE = 1, BLOCK_OBSOLETE = 2, BLOCK_SIMPLE = 3, BLOCK_ENHANCED = 6 };
enum { OPTION_END = 0, OPTION_RESOLUTION = 9, OPTION_OFFSET = 14 };
static const uint32_t magic_section = 0x0a0d0d0a, magic_order = 0x1a2b3c4d;

enum { LINKTYPE_ETHERNET = 1, LINKTYPE_NFLOG = 239 };

/* Which of a record's two lengths comes first. */
enum length_order { CAPTURED_FIRST, WIRE_FIRST, SMALLER_FIRST };

/* What a section says of one of its interfaces. */
struct interface {
    uint32_t snaplen; /* 0: no limit */
    uint16_t link_type;
    bool binary;         /* units are a power of 2, of this many … */
    uint8_t shift;       /* … bits */
    uint64_t unit_per_s; /* of its times */
    int64_t offset_s;    /* to be added to them */
    uint64_t plain_ns;   /* nanoseconds a unit, while a time is no more than … */
    uint64_t plain_max;  /* … so many units; 0: no time is so simple */
};

struct savefile {
    struct savefile_input input;
    uint8_t *buffer;
    size_t size, at, end; /* buffer[at] to buffer[end] is still to be read */
    int64_t before;       /* bytes of the file before the buffer */
    bool ended, failed, damaged;
    bool later; /* nothing more for now, in the middle or not */
    char trouble[160];

    bool ng, swapped; /* in the other byte order than this machine's */

    /* pcap */
    enum length_order length_order;
    uint32_t record_bytes, snaplen;
    bool plain; /* in this machine's byte order, with the lengths and the header in today's */
    int64_t fraction_ns;
    uint16_t link_type;

    /* pcapng */
    struct interface *interfaces;
    uint32_t interface_count, interface_room;

    struct frame run[SAVEFILE_RUN_MAX];
};

/* ---- bytes ---- */

__attribute__((format(printf, 2, 3))) static enum savefile_news damaged(struct savefile *file,
                                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->trouble, sizeof file->trouble, format, arguments);
    va_end(arguments);
    file->damaged = true;
    return SAVEFILE_DAMAGED;
}

static bool grow(struct savefile *file, size_t size)
{
    uint8_t *buffer = realloc(file->buffer, size);
    if (buffer == NULL)
        return false;
    file->buffer = buffer;
    file->size = size;
    return true;
}

/* Reads until `count` bytes are at hand; false when there are no more. */
static bool fill(struct savefile *file, size_t count)
{
    memmove(file->buffer, file->buffer + file->at, file->end - file->at);
    file->before += (int64_t)file->at;
    file->end -= file->at;
    file->at = 0;
    if (count > file->size && !grow(file, count))
        memory_end("a block of a capture"); /* it is no damage */
    file->later = false;
    while (file->end < count && !file->ended) {
        ssize_t got = file->input.read(file->input.context, file->buffer + file->end, file->size - file->end);
        file->later = got == SAVEFILE_NOT_YET;
        if (file->later)
            return false;
        file->failed = got < 0;
        file->ended = got <= 0;
        file->end += got > 0 ? (size_t)got : 0;
    }
    return file->end >= count;
}

static inline bool holds(struct savefile *file, size_t count)
{
    return file->end - file->at >= count || fill(file, count);
}

/* What it means that `holds` said no: the end where nothing is left, else damage. */
static enum savefile_news run_out(struct savefile *file, size_t count, const char *what)
{
    if (file->damaged)
        return SAVEFILE_DAMAGED;
    if (file->later)
        return SAVEFILE_LATER;
    size_t left = file->end - file->at;
    file->at = file->end;
    if (file->failed)
        return damaged(file, "%s", "");
    return left == 0 ? SAVEFILE_END
                     : damaged(file, "%zu of the %zu bytes of %s are there", left, count, what);
}

/* The same, where the end is damage too. */
static enum savefile_news cut_off(struct savefile *file, size_t count, const char *what)
{
    enum savefile_news news = run_out(file, count, what);
    return news == SAVEFILE_END ? damaged(file, "it ends before %s of %zu bytes", what, count) : news;
}

static inline uint16_t u16(const struct savefile *file, const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return file->swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t u32(const struct savefile *file, const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return file->swapped ? __builtin_bswap32(value) : value;
}

static inline uint64_t u64(const struct savefile *file, const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return file->swapped ? __builtin_bswap64(value) : value;
}

/* Of what netfilter logs (version 0) each field has its length and type in the byte order of the machine that
 * wrote it: brought into this machine's, as libpcap does. */
static void order_nflog(uint8_t *bytes, uint32_t captured, uint32_t wire)
{
    enum { HEADER_BYTES = 4, FIELD_BYTES = 4 };
    uint32_t at = HEADER_BYTES, size = FIELD_BYTES, length = captured < wire ? captured : wire;
    while (length >= HEADER_BYTES && bytes[1] == 0 && size > 0 && at <= length &&
           length - at >= FIELD_BYTES) {
        uint16_t field[2];
        memcpy(field, bytes + at, sizeof field);
        field[0] = __builtin_bswap16(field[0]);
        field[1] = __builtin_bswap16(field[1]);
        memcpy(bytes + at, field, sizeof field);
        size = (field[0] + 3U) & ~3U;
        at += size;
    }
}

/* ---- pcap ---- */

static bool is_pcap(uint32_t magic)
{
    return magic == magic_micro || magic == magic_nano || magic == magic_modified;
}

bool savefile_is_one(const uint8_t magic[SAVEFILE_MAGIC_BYTES])
{
    uint32_t value;
    memcpy(&value, magic, sizeof value);
    return value == magic_section || is_pcap(value) || is_pcap(__builtin_bswap32(value));
}

static enum savefile_news begin_pcap(struct savefile *file)
{
    if (!holds(file, FILE_HEADER_BYTES))
        return cut_off(file, FILE_HEADER_BYTES, "a file header");
    const uint8_t *header = file->buffer + file->at;
    uint32_t magic = u32(file, header), snaplen = u32(file, header + 16);
    uint16_t major = u16(file, header + 4), minor = u16(file, header + 6);
    file->at += FILE_HEADER_BYTES;
    bool dgux = major == 543 && minor == 0;
    if (!dgux && (major != 2 || minor > 4))
        return damaged(file, "version %u.%u of the format is not known", major, minor);
    file->length_order = dgux || minor < 3 ? WIRE_FIRST : minor == 3 ? SMALLER_FIRST : CAPTURED_FIRST;
    file->fraction_ns = magic == magic_nano ? 1 : NS_PER_US;
    file->record_bytes = magic == magic_modified ? MODIFIED_RECORD_BYTES : RECORD_BYTES;
    file->plain =
        !file->swapped && file->length_order == CAPTURED_FIRST && file->record_bytes == RECORD_BYTES;
    /* Above the link type's 16 bits stand its class and the length of the frame check sequence. */
    file->link_type = (uint16_t)u32(file, header + 20);
    file->snaplen = snaplen == 0 || snaplen > INT32_MAX ? PACKET_MAX_BYTES : snaplen;
    /* Its packets may have got an Ethernet header after they were cut. */
    if (magic == magic_modified && file->link_type == LINKTYPE_ETHERNET)
        file->snaplen += 14;
    return SAVEFILE_PACKETS;
}

/* Puts the two lengths of a record in order. */
static void order_lengths(const struct savefile *file, uint32_t *captured, uint32_t *wire)
{
    if (file->length_order == SMALLER_FIRST && *captured <= *wire)
        return;
    uint32_t first = *captured;
    *captured = *wire;
    *wire = first;
}

static enum savefile_news next_record(struct savefile *file, struct frame *frame)
{
    if (!holds(file, file->record_bytes))
        return run_out(file, file->record_bytes, "a packet's header");
    const uint8_t *record = file->buffer + file->at;
    uint32_t seconds = u32(file, record); /* as the format's draft has it: libpcap's end in 2038 */
    int32_t fraction = (int32_t)u32(file, record + 4);
    uint32_t captured = u32(file, record + 8), wire = u32(file, record + 12);
    if (file->length_order != CAPTURED_FIRST)
        order_lengths(file, &captured, &wire);
    if (captured > PACKET_MAX_BYTES) {
        file->at += file->record_bytes;
        return damaged(file, "a packet of %u bytes is not to be believed", captured);
    }
    if (!holds(file, file->record_bytes + captured)) {
        file->at += file->later ? 0 : file->record_bytes; /* it is whole when the rest comes */
        return cut_off(file, captured, "a packet");
    }
    uint8_t *bytes = file->buffer + file->at + file->record_bytes;
    file->at += file->record_bytes + captured;
    frame->bytes = bytes;
    frame->captured_bytes = captured <= file->snaplen ? captured : file->snaplen;
    frame->wire_bytes = wire > frame->captured_bytes ? wire : frame->captured_bytes;
    frame->time_ns =
        seconds != 0 || fraction != 0 ? seconds * NS_PER_S + fraction * file->fraction_ns : TIME_NONE;
    frame->link_type = file->link_type;
    frame->interface = 0;
    if (file->swapped && file->link_type == LINKTYPE_NFLOG)
        order_nflog(bytes, frame->captured_bytes, wire);
    return SAVEFILE_PACKETS;
}

/* The same for the records at hand, up to `room`, while they are as nearly all are: in this machine's byte
 * order, in today's format, timed, and no longer than they should be. Says how many. */
static size_t next_plain_records(struct savefile *file, struct frame *frames, size_t room)
{
    enum { AHEAD_BYTES = 1024 };
    struct {
        uint32_t seconds;
        int32_t fraction;
        uint32_t captured, wire;
    } record;
    const uint8_t *at = file->buffer + file->at, *end = file->buffer + file->end;
    const int64_t fraction_ns = file->fraction_ns;
    const uint32_t most = file->snaplen < PACKET_MAX_BYTES ? file->snaplen : PACKET_MAX_BYTES;
    const int link_type = file->link_type;
    size_t count = 0;
    while (count < room && end - at >= RECORD_BYTES) {
        memcpy(&record, at, sizeof record);
        if (record.captured > most || record.captured > record.wire || record.seconds == 0 ||
            end - at - RECORD_BYTES < (ptrdiff_t)record.captured)
            break;
        frames[count++] = (struct frame){.bytes = at + RECORD_BYTES,
                                         .captured_bytes = record.captured,
                                         .wire_bytes = record.wire,
                                         .time_ns = record.seconds * NS_PER_S + record.fraction * fraction_ns,
                                         .link_type = link_type};
        at += RECORD_BYTES + record.captured;
        __builtin_prefetch(at + AHEAD_BYTES); /* each header says where the next one is, so nobody else can */
    }
    file->at = (size_t)(at - file->buffer);
    return count;
}

/* ---- pcapng: blocks ---- */

struct block {
    uint32_t type;
    uint8_t *body;
    uint32_t body_bytes; /* without header and trailer */
};

/* A section's header tells its byte order behind its length. */
static bool find_order(struct savefile *file)
{
    uint32_t order;
    memcpy(&order, file->buffer + file->at + BLOCK_HEADER_BYTES, sizeof order);
    file->swapped = order != magic_order;
    return order == magic_order || __builtin_bswap32(order) == magic_order;
}

/* Reads a whole block. Its type is compared before its byte order is known: a section's reads alike in both.
 */
static inline enum savefile_news read_block(struct savefile *file, struct block *block)
{
    if (!holds(file, BLOCK_LEAST_BYTES))
        return run_out(file, BLOCK_LEAST_BYTES, "the least block");
    block->type = u32(file, file->buffer + file->at);
    if (block->type == magic_section && !find_order(file))
        return damaged(file, "a section does not tell its byte order");
    uint32_t total = u32(file, file->buffer + file->at + 4);
    if (total < (block->type == magic_section ? SECTION_BYTES : BLOCK_LEAST_BYTES) || total % 4 != 0 ||
        total > BLOCK_MAX_BYTES)
        return damaged(file, "a block of %u bytes is not to be believed", total);
    if (!holds(file, total))
        return run_out(file, total, "a block");
    uint8_t *start = file->buffer + file->at;
    if (u32(file, start + total - 4) != total && block->type != magic_section) /* libpcap's leniency */
        return damaged(file, "a block of %u bytes says %u bytes at its end", total,
                       u32(file, start + total - 4));
    block->body = start + BLOCK_HEADER_BYTES;
    block->body_bytes = total - BLOCK_LEAST_BYTES;
    file->at += total;
    return SAVEFILE_PACKETS;
}

static enum savefile_news begin_section(struct savefile *file, const struct block *block)
{
    uint16_t major = u16(file, block->body + 4), minor = u16(file, block->body + 6);
    if (major != 1)
        return damaged(file, "version %u.%u of the format is not known", major, minor);
    file->interface_count = 0; /* each section describes its own */
    return SAVEFILE_PACKETS;
}

/* ---- pcapng: interfaces and times ---- */

/* The resolution as a power of 10 or, with the upper bit, of 2. */
static bool read_resolution(struct interface *interface, uint8_t value)
{
    interface->binary = (value & 0x80) != 0;
    interface->shift = value & 0x7f;
    if (interface->shift > (interface->binary ? 63 : 19))
        return false;
    interface->unit_per_s = interface->binary ? 1ULL << interface->shift : 1;
    for (int i = 0; i < interface->shift && !interface->binary; i++)
        interface->unit_per_s *= 10;
    return true;
}

/* Reads the options that say how times are meant. Those of another length than theirs are damage. */
static bool read_options(const struct savefile *file, struct interface *interface, const uint8_t *at,
                         uint32_t left)
{
    while (left >= 4) {
        uint16_t code = u16(file, at), length = u16(file, at + 2);
        uint32_t padded = (length + 3U) & ~3U;
        at += 4;
        left -= 4;
        if (code == OPTION_END)
            return length == 0;
        if (padded > left || (code == OPTION_RESOLUTION && length != 1) ||
            (code == OPTION_OFFSET && length != 8))
            return false;
        if (code == OPTION_RESOLUTION && !read_resolution(interface, *at))
            return false;
        if (code == OPTION_OFFSET)
            interface->offset_s = (int64_t)u64(file, at);
        at += padded;
        left -= padded;
    }
    return left == 0;
}

static enum savefile_news add_interface(struct savefile *file, const struct block *block)
{
    if (file->interface_count == file->interface_room) {
        uint32_t room = file->interface_room == 0 ? 4 : file->interface_room * 2;
        struct interface *more =
            room <= INTERFACES_MAX ? reallocarray(file->interfaces, room, sizeof *more) : NULL;
        if (more == NULL && room <= INTERFACES_MAX)
            memory_end("the interfaces of a capture");
        if (more == NULL)
            return damaged(file, "a section of more than %u interfaces is not read", file->interface_room);
        file->interfaces = more;
        file->interface_room = room;
    }
    struct interface *interface = &file->interfaces[file->interface_count];
    if (block->body_bytes < 8)
        return damaged(file, "the description of an interface is cut short");
    *interface =
        (struct interface){.link_type = u16(file, block->body), .snaplen = u32(file, block->body + 4)};
    read_resolution(interface, 6); /* unless it says otherwise */
    if (!read_options(file, interface, block->body + 8, block->body_bytes - 8))
        return damaged(file, "the options of interface %u contradict themselves", file->interface_count);
    if (!interface->binary && interface->unit_per_s <= NS_PER_S && interface->offset_s == 0) {
        interface->plain_ns = NS_PER_S / interface->unit_per_s;
        interface->plain_max = INT64_MAX / 2 / interface->plain_ns;
    }
    file->interface_count++;
    return SAVEFILE_PACKETS;
}

/* The part of a second that is left of a time, rounded down. More than 34 bits of it would overflow, and tell
 * nothing. */
static int64_t rest_ns(const struct interface *interface, uint64_t rest)
{
    unsigned shift = interface->shift;
    if (!interface->binary)
        return (int64_t)(interface->unit_per_s <= NS_PER_S ? rest * (NS_PER_S / interface->unit_per_s)
                                                           : rest / (interface->unit_per_s / NS_PER_S));
    if (shift > 34) {
        rest >>= shift - 34;
        shift = 34;
    }
    return (int64_t)(rest * NS_PER_S >> shift);
}

/* A time in the interface's units. Outside 1823 to 2116 it is none, so that no difference can overflow. */
static inline int64_t time_of(const struct interface *interface, uint64_t units)
{
    if (units <= interface->plain_max && units > 0)
        return (int64_t)(units * interface->plain_ns);
    int64_t seconds = (int64_t)(units / interface->unit_per_s + (uint64_t)interface->offset_s), ns;
    int64_t rest = rest_ns(interface, units % interface->unit_per_s);
    if ((seconds == 0 && rest == 0) || __builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, rest, &ns) || ns > INT64_MAX / 2 || ns < -(INT64_MAX / 2))
        return TIME_NONE;
    return ns;
}

/* ---- pcapng: packets ---- */

/* How much of a packet a simple block holds, which does not say: what its one interface lets through. */
static uint32_t simple_bytes(const struct savefile *file, uint32_t wire)
{
    uint32_t snaplen = file->interfaces[0].snaplen;
    uint32_t most = snaplen == 0 || snaplen > INT32_MAX ? PACKET_MAX_BYTES : snaplen;
    return wire < most ? wire : most;
}

static inline enum savefile_news take_packet(struct savefile *file, const struct block *block,
                                             struct frame *frame)
{
    bool simple = block->type == BLOCK_SIMPLE;
    uint32_t header_bytes = simple ? 4 : 20, number = 0;
    uint8_t *body = block->body;
    if (block->body_bytes < header_bytes)
        return damaged(file, "the header of a packet is cut short");
    if (!simple)
        number = block->type == BLOCK_ENHANCED ? u32(file, body) : u16(file, body);
    if (number >= file->interface_count)
        return damaged(file, "a packet is of interface %u, which is not described", number);
    const struct interface *interface = &file->interfaces[number];
    uint32_t wire = u32(file, simple ? body : body + 16);
    uint32_t captured = simple ? simple_bytes(file, wire) : u32(file, body + 12);
    if (captured > block->body_bytes - header_bytes)
        return damaged(file, "a packet is longer than its block");
    frame->bytes = body + header_bytes;
    frame->captured_bytes = captured;
    frame->wire_bytes = wire > captured ? wire : captured;
    frame->time_ns = TIME_NONE;
    if (!simple)
        frame->time_ns = time_of(interface, (uint64_t)u32(file, body + 4) << 32 | u32(file, body + 8));
    frame->link_type = interface->link_type;
    frame->interface = (uint16_t)number;
    if (file->swapped && interface->link_type == LINKTYPE_NFLOG)
        order_nflog(body + header_bytes, captured, wire);
    return SAVEFILE_PACKETS;
}

static enum savefile_news next_packet_block(struct savefile *file, struct frame *frame)
{
    for (;;) {
        struct block block = {0};
        enum savefile_news news = read_block(file, &block);
        if (news != SAVEFILE_PACKETS)
            return news;
        if (block.type == BLOCK_ENHANCED || block.type == BLOCK_SIMPLE || block.type == BLOCK_OBSOLETE)
            return take_packet(file, &block, frame);
        if (block.type == BLOCK_INTERFACE)
            news = add_interface(file, &block);
        else if (block.type == magic_section)
            news = begin_section(file, &block);
        if (news != SAVEFILE_PACKETS)
            return news;
    }
}

/* The same for a packet that is at hand, in an enhanced block in this machine's byte order; false: it is not.
 */
static inline bool next_plain_block(struct savefile *file, struct frame *frame)
{
    size_t left = file->end - file->at;
    uint32_t head[2];
    if (file->swapped || left < BLOCK_LEAST_BYTES)
        return false;
    memcpy(head, file->buffer + file->at, sizeof head);
    struct block block;
    return head[0] == BLOCK_ENHANCED && head[1] <= left && read_block(file, &block) == SAVEFILE_PACKETS &&
           take_packet(file, &block, frame) == SAVEFILE_PACKETS;
}

/* ---- both ---- */

struct savefile *savefile_new(const struct savefile_input *input)
{
    struct savefile *file = calloc(1, sizeof *file);
    if (file == NULL || !grow(file, BUFFER_BYTES)) {
        free(file);
        return NULL;
    }
    file->input = *input;
    return file;
}

void savefile_free(struct savefile *file)
{
    if (file == NULL)
        return;
    free(file->buffer);
    free(file->interfaces);
    free(file);
}

enum savefile_news savefile_begin(struct savefile *file)
{
    if (!holds(file, SAVEFILE_MAGIC_BYTES))
        return cut_off(file, SAVEFILE_MAGIC_BYTES, "a file header");
    file->swapped = false;
    uint32_t magic = u32(file, file->buffer);
    if (magic == magic_section) {
        file->ng = true; /* and its first block is read with the others */
        return SAVEFILE_PACKETS;
    }
    file->swapped = !is_pcap(magic);
    if (!is_pcap(u32(file, file->buffer)))
        return damaged(file, "it is neither pcap nor pcapng");
    return begin_pcap(file);
}

int savefile_link_type(const struct savefile *file)
{
    return file->ng ? -1 : file->link_type;
}

enum savefile_news savefile_next(struct savefile *file, const struct frame **frames, size_t *count)
{
    if (file->damaged)
        return SAVEFILE_DAMAGED;
    enum savefile_news news = file->ng ? next_packet_block(file, file->run) : next_record(file, file->run);
    if (news != SAVEFILE_PACKETS)
        return news;
    size_t got = 1;
    if (file->plain)
        got += next_plain_records(file, file->run + 1, SAVEFILE_RUN_MAX - 1);
    while (file->ng && got < SAVEFILE_RUN_MAX && next_plain_block(file, &file->run[got]))
        got++;
    *frames = file->run;
    *count = got;
    return SAVEFILE_PACKETS;
}

const char *savefile_trouble(const struct savefile *file)
{
    return file->trouble;
}

int64_t savefile_offset(const struct savefile *file)
{
    return file->before + (int64_t)file->at;
}
