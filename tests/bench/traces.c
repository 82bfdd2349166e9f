/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the captures that the benchmark reads, the same ones every time:
 *
 *   traces repeat TIMES <SAMPLE   a capture so many times, each moved on in time by its own length, so that
 *                                 hours of the day stay where they are
 *   traces mixed PACKETS          a busy tap: frames of 64, 570 and 1518 bytes as 7 : 4 : 1, cut at 128
 * bytes, 8 % of them IPv6, 11 % tagged, and 1 % watched, these whole
 *   traces small64 PACKETS        the same with every frame that is not watched of 64 bytes
 *   traces pcapng PACKETS         mixed, as pcapng
 *   traces dense PACKETS          watched packets only, 5000 a second
 *   traces crowd FLOWS            as many flows of 100.64.0.0/14 live at once, of 200,000 watched hosts:
 * names asked and ports found open, both answered traces prefixes COUNT         no capture but a watch list:
 * so many prefixes all over the address space that hold nothing of mixed but what its own four hold, which
 * stand first
 *
 * To standard output; the number of packets, and of those watched where it is known, to standard error.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "prng.h"
#include "talk.h"

enum { HEADER_BYTES = 24, RECORD_BYTES = 16, DAY_S = 86400 };
enum { PACKETS_PER_S = 13333, DENSE_PER_S = 5000, CUT_BYTES = 128, BACKGROUND_FLOWS = 350000, TALKS = 64 };
enum { CROWD_HOSTS = 200000, CROWD_FLOWS_PER_S = 12500 };

static const uint32_t watched_net = 0xaf2db000; /* 175.45.176.0/22 */
static const uint32_t begin_s = 1750000000;

static int refuse(const char *words)
{
    fprintf(stderr, "traces: %s\n", words);
    return 1;
}

static bool ng; /* what is written is pcapng */

static void write_words(const uint32_t *words, size_t count)
{
    fwrite(words, sizeof *words, count, stdout);
}

/* The header of an Ethernet capture with microseconds. */
static void write_header(void)
{
    const uint32_t header[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28};
    const uint32_t interface[] = {1, 20, 1, 65535, 20};
    if (!ng) {
        write_words(header, sizeof header / sizeof *header);
        return;
    }
    write_words(section, sizeof section / sizeof *section);
    write_words(interface, sizeof interface / sizeof *interface);
}

static void write_packet(uint32_t seconds, uint32_t micros, const uint8_t *bytes, uint32_t captured,
                         uint32_t wire)
{
    const uint32_t record[] = {seconds, micros, captured, wire};
    uint64_t time_us = seconds * 1000000ULL + micros;
    uint32_t padding = -captured & 3, total = 32 + captured + padding;
    const uint32_t block[] = {6, total, 0, (uint32_t)(time_us >> 32), (uint32_t)time_us, captured, wire};
    if (ng)
        write_words(block, sizeof block / sizeof *block);
    else
        write_words(record, sizeof record / sizeof *record);
    fwrite(bytes, captured, 1, stdout);
    if (ng) {
        fwrite("\0\0\0", padding, 1, stdout);
        write_words(&total, 1);
    }
}

/* ---- repeat ---- */

static uint8_t *read_all(FILE *file, size_t *length)
{
    size_t room = 64 << 20;
    uint8_t *bytes = malloc(room);
    *length = 0;
    while (bytes != NULL && !feof(file) && !ferror(file)) {
        if (*length == room)
            bytes = realloc(bytes, room *= 2);
        if (bytes != NULL)
            *length += fread(bytes + *length, 1, room - *length, file);
    }
    return bytes;
}

/* Writes every record with its time moved on; counts them and tells the last time. */
static unsigned long repeat_once(const uint8_t *bytes, size_t length, uint32_t shift_s, uint32_t *last_s)
{
    unsigned long count = 0;
    uint32_t record[RECORD_BYTES / 4];
    for (size_t at = HEADER_BYTES; at + RECORD_BYTES <= length; count++) {
        memcpy(record, bytes + at, RECORD_BYTES);
        at += RECORD_BYTES;
        if (record[2] > length - at)
            break;
        *last_s = record[0];
        write_packet(record[0] + shift_s, record[1], bytes + at, record[2], record[3]);
        at += record[2];
    }
    return count;
}

static int repeat(long times)
{
    size_t length;
    uint8_t *bytes = read_all(stdin, &length);
    uint32_t magic = 0, first_s = 0, last_s = 0, shift_s = 0;
    if (bytes == NULL)
        return refuse("no memory");
    if (length > HEADER_BYTES + RECORD_BYTES) {
        memcpy(&magic, bytes, 4);
        memcpy(&first_s, bytes + HEADER_BYTES, 4);
    }
    if (magic != 0xa1b2c3d4) {
        free(bytes);
        return refuse("standard input is no pcap file of this machine's byte order with microseconds");
    }
    fwrite(bytes, HEADER_BYTES, 1, stdout);
    unsigned long count = 0;
    for (long i = 0; i < times; i++) {
        count += repeat_once(bytes, length, shift_s, &last_s);
        shift_s += ((last_s - first_s) / DAY_S + 1) * DAY_S;
    }
    free(bytes);
    fprintf(stderr, "%lu\n", count);
    return 0;
}

/* ---- mixed ---- */

static const uint8_t inner_mac[6] = {2, 0, 0x5e, 0, 0, 1}, outer_mac[6] = {2, 0, 0x5e, 0, 0, 2};

struct mixed {
    struct prng prng;
    /* Flows of the watched space that are under way, each with its ends and how far it has come. */
    struct {
        struct talk talk;
        struct frame frame; /* as the client sends it */
        int at;
    } talks[TALKS];
};

static void begin_talk(struct mixed *mixed, int number)
{
    static const char *const names[] = {"kcna.kp", "rodong.rep.kp", "naenara.com.kp", "www.airkoryo.com.kp"};
    static const struct {
        enum kind kind;
        uint16_t port;
    } kinds[] = {{KIND_HTTPS, 443}, {KIND_HTTPS, 443}, {KIND_HTTP, 80}, {KIND_DNS, 53}, {KIND_PING, 1}};
    static const uint32_t rtt_us[2] = {30000, 20000};
    struct prng *prng = &mixed->prng;
    uint32_t choice = prng_below(prng, sizeof kinds / sizeof kinds[0]);
    struct talk *talk = &mixed->talks[number].talk;
    *talk = (struct talk){.kind = kinds[choice].kind,
                          .name = names[prng_below(prng, 4)],
                          .answer = watched_net + 10,
                          .salt = prng_next(prng),
                          .response_bytes = 200 + prng_below(prng, 6000)};
    if (prng_chance(prng, 0.3)) { /* knocked, and nobody answers */
        talk->kind = KIND_TCP;
        talk_plan_probe(talk, REACTION_NONE, rtt_us);
    } else {
        talk_plan(talk, rtt_us);
    }
    mixed->talks[number].frame = (struct frame){.source_mac = outer_mac,
                                                .target_mac = inner_mac,
                                                .vlan = prng_chance(prng, 0.11) ? 100 : 0,
                                                .source = 0x0b000000 + prng_below(prng, 1 << 24),
                                                .target = watched_net + prng_below(prng, 1024),
                                                .ttl = 57,
                                                .source_port = (uint16_t)(1024 + prng_below(prng, 60000)),
                                                .target_port = kinds[choice].port};
    mixed->talks[number].at = 0;
}

static uint8_t protocol_of(enum kind kind)
{
    return kind == KIND_PING ? PROTOCOL_ICMP : kind == KIND_DNS ? PROTOCOL_UDP : PROTOCOL_TCP;
}

/* The next packet of one of the watched flows; its length. */
static size_t watched_packet(struct mixed *mixed, uint8_t bytes[FRAME_MAX_BYTES])
{
    int number = (int)prng_below(&mixed->prng, TALKS);
    if (mixed->talks[number].at >= mixed->talks[number].talk.count)
        begin_talk(mixed, number);
    const struct talk *talk = &mixed->talks[number].talk;
    const struct step *step = &talk->step[mixed->talks[number].at++];
    struct frame frame = mixed->talks[number].frame;
    uint8_t payload[SEGMENT_MAX_BYTES];
    frame.payload = payload;
    frame.payload_bytes = talk_payload(talk, step, payload);
    frame.protocol = protocol_of(talk->kind);
    frame.flags = step->flags;
    frame.sequence = talk->salt + step->offset;
    frame.acknowledged = talk->salt;
    if (talk->kind == KIND_PING)
        frame.icmp_type = step->side == SIDE_CLIENT ? 8 : 0;
    if (step->side == SIDE_SERVER) {
        struct frame asked = frame;
        frame.source = asked.target;
        frame.target = asked.source;
        frame.source_mac = asked.target_mac;
        frame.target_mac = asked.source_mac;
        if (talk->kind != KIND_PING) { /* whose ports are identifier and sequence number */
            frame.source_port = asked.target_port;
            frame.target_port = asked.source_port;
        }
    }
    return frame_build(&frame, bytes);
}

static uint8_t *put(uint8_t *at, int count, uint64_t value)
{
    while (count-- > 0)
        *at++ = (uint8_t)(value >> 8 * count);
    return at;
}

/* The numbers of the background's flows, from which all else of them follows. */
static struct prng background_flow(uint32_t number)
{
    struct prng flow;
    prng_seed(&flow, number, 9);
    return flow;
}

/* The IPv4 addresses of a flow: all over the space, but not in the prefixes of the default watch list. */
static void background_ends(uint64_t ends, uint32_t *source, uint32_t *target)
{
    *source = 0x0c000000 + (uint32_t)(ends & 0x7fffffff);
    *target = 0x0c000000 + (uint32_t)(ends >> 33);
    *source += (*source & 0xff000000) == 0xaf000000 ? 0x01000000 : 0;
    *target += (*target & 0xff000000) == 0xaf000000 ? 0x01000000 : 0;
}

static uint8_t *put_ip(uint8_t *at, bool version6, uint64_t ends, uint8_t protocol, uint32_t ip_bytes)
{
    uint32_t source = 0x0c000000 + (uint32_t)(ends & 0x7fffffff);
    uint32_t target = 0x0c000000 + (uint32_t)(ends >> 33);
    if (version6) {
        at = put(put(put(at, 4, 0x60000000), 2, ip_bytes - 40), 2, (uint64_t)protocol << 8 | 61);
        at = put(put(at, 8, 0x2a00000000000000ULL + ((uint64_t)source << 16)), 8, source);
        return put(put(at, 8, 0x2600000000000000ULL + ((uint64_t)target << 16)), 8, target);
    }
    background_ends(ends, &source, &target);
    uint8_t *start = at;
    at = put(put(put(at, 2, 0x4500), 2, ip_bytes), 4, 0x12344000);
    at = put(put(put(at, 2, 0x3d00 | protocol), 2, 0), 4, source);
    at = put(at, 4, target);
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)start[i] << 8 | start[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put(start + 10, 2, ~(sum + (sum >> 16)) & 0xffff);
    return at;
}

/* A packet of one of very many flows that nobody watches, its first bytes; its length on the wire. */
static uint32_t background_packet(struct prng *prng, bool small, uint8_t bytes[CUT_BYTES])
{
    static const uint16_t wire_bytes[] = {60, 60, 60, 60, 60, 60, 60, 566, 566, 566, 566, 1514};
    struct prng flow = background_flow(prng_below(prng, BACKGROUND_FLOWS));
    uint64_t ends = (uint64_t)prng_next(&flow) << 32 | prng_next(&flow);
    bool version6 = prng_chance(&flow, 0.08), tagged = prng_chance(&flow, 0.11),
         udp = prng_chance(&flow, 0.3);
    uint32_t wire = wire_bytes[prng_below(prng, small ? 7 : 12)];
    memset(bytes, 0, CUT_BYTES);
    memcpy(bytes, inner_mac, 6);
    memcpy(bytes + 6, outer_mac, 6);
    uint8_t *at = bytes + 12;
    if (version6 && wire == 60)
        wire = 74;
    if (tagged) {
        at = put(at, 4, 0x8100012c);
        wire += 4;
    }
    at = put(at, 2, version6 ? 0x86dd : 0x0800);
    at = put_ip(at, version6, ends, udp ? PROTOCOL_UDP : PROTOCOL_TCP, wire - (uint32_t)(at - bytes));
    at = put(put(at, 2, 1024 + prng_below(&flow, 60000)), 2, udp ? 53 : 443);
    if (udp)
        put(at, 2, wire - (uint32_t)(at - 4 - bytes));
    else
        put(put(at, 8, prng_next(prng)), 2, 0x5010);
    return wire;
}

/* What a mixed capture is like. */
struct kind_of_mix {
    double watched;
    uint32_t per_s;
    bool small;
};

static int mixed(unsigned long packets, const struct kind_of_mix *of)
{
    struct mixed *mixed = calloc(1, sizeof *mixed);
    uint8_t bytes[FRAME_MAX_BYTES];
    unsigned long watched = 0;
    if (mixed == NULL)
        return refuse("no memory");
    prng_seed(&mixed->prng, 20250606, 1);
    write_header();
    for (unsigned long i = 0; i < packets; i++) {
        uint32_t seconds = begin_s + (uint32_t)(i / of->per_s);
        uint32_t micros = (uint32_t)(i % of->per_s * 1000000 / of->per_s);
        if (prng_chance(&mixed->prng, of->watched)) {
            uint32_t length = (uint32_t)watched_packet(mixed, bytes);
            write_packet(seconds, micros, bytes, length, length);
            watched++;
        } else {
            uint32_t wire = background_packet(&mixed->prng, of->small, bytes);
            write_packet(seconds, micros, bytes, wire < CUT_BYTES ? wire : CUT_BYTES, wire);
        }
    }
    free(mixed);
    fprintf(stderr, "%lu %lu\n", packets, watched);
    return 0;
}

/* ---- crowd ---- */

/* The flow of this number, whole, at once. */
static void write_crowd_flow(struct prng *prng, uint32_t number)
{
    static const uint32_t rtt_us[2] = {0, 0};
    bool name = number % 2 == 0;
    struct talk talk = {.kind = name ? KIND_DNS : KIND_TCP, .name = "kcna.kp", .salt = prng_next(prng)};
    struct frame frame = {.source_mac = outer_mac,
                          .target_mac = inner_mac,
                          .source = 0x0b000000 + prng_below(prng, 1 << 24),
                          .target = 0x64400000 + number % CROWD_HOSTS,
                          .ttl = 57,
                          .protocol = name ? PROTOCOL_UDP : PROTOCOL_TCP,
                          .source_port = (uint16_t)(1024 + prng_below(prng, 60000)),
                          .target_port = name ? 53 : 443};
    if (name)
        talk_plan(&talk, rtt_us);
    else
        talk_plan_probe(&talk, REACTION_OPEN, rtt_us);
    for (int i = 0; i < talk.count && i < 2; i++) {
        uint8_t payload[SEGMENT_MAX_BYTES], bytes[FRAME_MAX_BYTES];
        struct frame sent = frame;
        if (talk.step[i].side == SIDE_SERVER) {
            sent.source = frame.target, sent.target = frame.source;
            sent.source_port = frame.target_port, sent.target_port = frame.source_port;
        }
        sent.flags = talk.step[i].flags;
        sent.sequence = talk.salt;
        sent.acknowledged = talk.salt + 1;
        sent.payload = payload;
        sent.payload_bytes = talk_payload(&talk, &talk.step[i], payload);
        uint32_t length = (uint32_t)frame_build(&sent, bytes);
        write_packet(begin_s + number / CROWD_FLOWS_PER_S,
                     (uint32_t)(number % CROWD_FLOWS_PER_S * 1000000ULL / CROWD_FLOWS_PER_S), bytes, length,
                     length);
    }
}

static int crowd(uint32_t flows)
{
    struct prng prng;
    prng_seed(&prng, 20250606, 2);
    write_header();
    for (uint32_t i = 0; i < flows; i++)
        write_crowd_flow(&prng, i);
    return 0;
}

/* ---- prefixes ---- */

/* A bit for each /24 in which the mixed capture has an address. */
static uint8_t *taken_networks(void)
{
    uint8_t *taken = calloc(1 << 21, 1);
    for (uint32_t i = 0; taken != NULL && i < BACKGROUND_FLOWS; i++) {
        struct prng flow = background_flow(i);
        uint64_t ends = (uint64_t)prng_next(&flow) << 32 | prng_next(&flow);
        uint32_t source, target;
        background_ends(ends, &source, &target);
        taken[source >> 11] |= (uint8_t)(1 << (source >> 8 & 7));
        taken[target >> 11] |= (uint8_t)(1 << (target >> 8 & 7));
    }
    return taken;
}

/* One of IPv6, near where the capture has addresses but with none of them in it. */
static void write_prefix6(struct prng *prng)
{
    unsigned upper = prng_chance(prng, 0.5) ? 0x2a00 : 0x2600, next = 0x9000 + prng_below(prng, 0x7000);
    if (prng_chance(prng, 0.5))
        printf("%x:%x::/32\n", upper, next);
    else
        printf("%x:%x:%x::/48\n", upper, next, prng_below(prng, 0x10000));
}

static int prefixes(uint32_t count)
{
    struct prng prng;
    uint8_t *taken = taken_networks();
    if (taken == NULL)
        return refuse("no memory");
    prng_seed(&prng, 20250606, 3);
    for (uint32_t i = 0; i < count;) {
        uint32_t network = prng_next(&prng) >> 8;
        if (i < 4) {
            printf("175.45.%u.0/24\n", 176 + i++);
        } else if (prng_chance(&prng, 0.15)) {
            write_prefix6(&prng);
            i++;
        } else if ((taken[network >> 3] >> (network & 7) & 1) == 0 && network >> 16 != 11 &&
                   network >> 2 != watched_net >> 10) {
            bool host = prng_chance(&prng, 0.2);
            printf("%u.%u.%u.%u/%d\n", network >> 16, network >> 8 & 255, network & 255,
                   host ? prng_below(&prng, 256) : 0, host ? 32 : 24);
            i++;
        }
    }
    free(taken);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        struct kind_of_mix mix;
    } mixes[] = {{"mixed", {0.01, PACKETS_PER_S, false}},
                 {"pcapng", {0.01, PACKETS_PER_S, false}},
                 {"small64", {0.01, PACKETS_PER_S, true}},
                 {"dense", {1, DENSE_PER_S, false}}};
    long number = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    const char *what = number > 0 ? argv[1] : "";
    int status = 2;
    ng = strcmp(what, "pcapng") == 0;
    if (strcmp(what, "repeat") == 0)
        status = repeat(number);
    else if (strcmp(what, "crowd") == 0)
        status = crowd((uint32_t)number);
    else if (strcmp(what, "prefixes") == 0)
        status = prefixes((uint32_t)number);
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        if (strcmp(what, mixes[i].name) == 0)
            status = mixed((unsigned long)number, &mixes[i].mix);
    if (status == 2)
        refuse("usage: traces repeat TIMES <CAPTURE >CAPTURE, traces mixed|small64|pcapng|dense PACKETS "
               ">CAPTURE, "
               "traces crowd FLOWS >CAPTURE, or traces prefixes COUNT >LIST");
    if (fflush(stdout) != 0 || ferror(stdout))
        return refuse("cannot write the capture");
    return status;
}
