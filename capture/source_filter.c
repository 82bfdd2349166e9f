/* SPDX-License-Identifier: BSD-3-Clause */
#include "source_filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

/* ---- tags ---- */

/* Whether the expression reads headers below IP by itself: wrapped into more of the like it would mean
 * something else, since each such word moves where the rest of it looks. */
static bool minds_the_link(const char *expression)
{
    static const char *const words[] = {"vlan", "mpls", "pppoe", "geneve", "vxlan", "ether[", "link["};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(expression, words[i]) != NULL)
            return true;
    return expression[strspn(expression, " \t\n")] == '\0'; /* nothing to be wrapped */
}

static int compile(struct pcap *pcap, const char *expression, struct bpf_program *program)
{
    errno = 0;
    if (pcap_compile(pcap, program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return -1;
    if (pcap_datalink(pcap) != DLT_EN10MB || minds_the_link(expression))
        return 0;
    /* `vlan` is true of a tagged frame, and makes what stands after it look behind the tag; it knows of the
     * tag too that Linux has taken off. */
    static const char bare[] = "not (ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100)";
    char *wrapped;
    if (asprintf(
            &wrapped,
            "(%s and (%s)) or (vlan and ((%s and (%s)) or (vlan and ((%s and (%s)) or (vlan and (%s))))))",
            bare, expression, bare, expression, bare, expression, expression) < 0) {
        pcap_freecode(program);
        return -1;
    }
    struct bpf_program more = {.bf_insns = NULL};
    errno = 0;
    bool made = pcap_compile(pcap, &more, wrapped, 1, PCAP_NETMASK_UNKNOWN) == 0;
    bool refused = !made && errno == ENOMEM;
    free(wrapped);
    if (made || refused)
        pcap_freecode(program);
    if (made)
        *program = more;
    errno = refused ? ENOMEM : 0;
    return refused ? -1 : 0;
}

int source_filter_compile(struct pcap *pcap, const char *expression, struct bpf_program *program)
{
    guard_begin("the making of the filter");
    int result = compile(pcap, expression, program);
    const int error = errno;
    guard_end();
    errno = error;
    return result;
}

/* ---- what it takes away ---- */

enum { PROBE_BYTES = 54, WATCHES_ASKED_MAX = 64 };

struct probe {
    struct bpf_program *program;
    const struct watchlist *watchlist;
    uint8_t protocol;
    uint16_t port; /* of the destination */
};

/* Whether the filter passes a packet between two IPv4 addresses, in host order. */
static bool passes(const struct probe *probe, uint32_t source, uint32_t destination)
{
    uint8_t frame[PROBE_BYTES] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0, 0x45, 0, 0, PROBE_BYTES - 14};
    const uint16_t ports[] = {htons(40000), htons(probe->port)};
    source = htonl(source);
    destination = htonl(destination);
    frame[22] = 64;
    frame[23] = probe->protocol;
    memcpy(frame + 26, &source, 4);
    memcpy(frame + 30, &destination, 4);
    if (probe->protocol == IPPROTO_ICMP)
        frame[34] = 8;
    else
        memcpy(frame + 34, ports, sizeof ports);
    if (probe->protocol == IPPROTO_TCP) {
        frame[46] = 5 << 4;
        frame[47] = 0x02;
    }
    const struct pcap_pkthdr header = {.caplen = sizeof frame, .len = sizeof frame};
    return pcap_offline_filter(probe->program, &header, frame) != 0;
}

static bool is_watched(const struct watchlist *watchlist, uint32_t address)
{
    const uint8_t mapped[16] = {
        [10] = 0xff,     0xff, (uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
        (uint8_t)address};
    return watchlist_find(watchlist, mapped) != WATCHLIST_NONE;
}

/* Whether the filter passes any packet between an address of a grid over all of IPv4 and another. */
static bool passes_strangers(const struct probe *probe, uint32_t grid)
{
    const uint32_t other = 9U << 24 | 9U << 16 | 9U << 8 | 9;
    if (is_watched(probe->watchlist, other))
        return true; /* nobody is a stranger, and nothing can be told */
    for (uint64_t at = 1U << 24; at < 224ULL << 24; at += grid) {
        uint32_t address = (uint32_t)at | 257;
        if (!is_watched(probe->watchlist, address) &&
            (passes(probe, address, other) || passes(probe, other, address)))
            return true;
    }
    return false;
}

/* Whether the filter passes a packet to any of the first addresses of the first prefixes under watch. */
static bool passes_watched(const struct probe *probe, const struct rules *rules)
{
    for (size_t i = 0; i < rules->watch_count && i < WATCHES_ASKED_MAX; i++) {
        const struct prefix *prefix = &rules->watches[i].prefix;
        uint32_t address;
        memcpy(&address, prefix->address + 12, 4);
        bool is_4 = prefix->length >= 96 && prefix->address[10] == 0xff && prefix->address[11] == 0xff;
        uint32_t size = prefix->length > 120 ? 1U << (128 - prefix->length) : 256;
        for (uint32_t host = 0; is_4 && rules->watches[i].enabled && host < size; host++)
            if (passes(probe, 9U << 24 | 1, ntohl(address) + host))
                return true;
    }
    return false;
}

bool source_filter_blinds(const char *expression, const struct rules *rules)
{
    static const struct {
        uint8_t protocol;
        uint16_t port;
        uint32_t grid;
    } rows[] = {{IPPROTO_TCP, 443, 1U << 16}, {IPPROTO_TCP, 80, 1U << 20},    {IPPROTO_TCP, 22, 1U << 20},
                {IPPROTO_TCP, 25, 1U << 20},  {IPPROTO_TCP, 40001, 1U << 20}, {IPPROTO_UDP, 53, 1U << 20},
                {IPPROTO_UDP, 443, 1U << 20}, {IPPROTO_UDP, 123, 1U << 20},   {IPPROTO_ICMP, 0, 1U << 20}};
    struct bpf_program program;
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
    bool watched = false, strangers = false;
    if (pcap == NULL)
        return false;
    if (source_filter_compile(pcap, expression, &program) == 0) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows && !strangers; i++) {
            const struct probe probe = {&program, rules->watchlist, rows[i].protocol, rows[i].port};
            watched |= passes_watched(&probe, rules);
            strangers = passes_strangers(&probe, rows[i].grid);
        }
        pcap_freecode(&program);
    }
    pcap_close(pcap);
    return watched && !strangers;
}
