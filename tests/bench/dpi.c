/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What classification costs when nothing else is done: dpi FILE. A walk over a pcap file of this machine's
 * byte order, mapped, with a hash table of its flows and nDPI on their first packets, asked and left alone by
 * the same rule as the program's. Prints how many packets, flows and named flows there are. Without bounds
 * checks: for the benchmark's own captures only, of Ethernet with one tag or none and IPv4.
 */
#include <fcntl.h>
#include <ndpi/ndpi_api.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 1 << 20, TCP_PACKETS_MAX = 24, OTHER_PACKETS_MAX = 10 };

struct flow {
    struct flow *next;
    uint32_t address[2];
    uint16_t port[2];
    uint8_t protocol;
    bool decided;
    unsigned packets;
    struct ndpi_flow_struct *ndpi;
};

static struct flow *buckets[BUCKETS];
static unsigned long packet_count, flow_count, named_count;

/* The flow of a packet, whichever way it goes. */
static struct flow *find(const uint8_t *ip, const uint8_t *transport)
{
    struct flow key = {.protocol = ip[9]};
    memcpy(key.address, ip + 12, sizeof key.address);
    if (key.protocol == IPPROTO_TCP || key.protocol == IPPROTO_UDP)
        memcpy(key.port, transport, sizeof key.port);
    if (memcmp(&key.address[0], &key.address[1], 4) > 0) {
        uint32_t address = key.address[0];
        uint16_t port = key.port[0];
        key.address[0] = key.address[1], key.address[1] = address;
        key.port[0] = key.port[1], key.port[1] = port;
    }
    uint64_t hash = ((uint64_t)key.address[0] << 32 | key.address[1]) * 0x9e3779b97f4a7c15ULL;
    hash = (hash ^ (hash >> 29) ^ ((uint32_t)key.port[0] << 16 | key.port[1])) * 0xbf58476d1ce4e5b9ULL;
    struct flow **chain = &buckets[hash >> 44];
    for (struct flow *flow = *chain; flow != NULL; flow = flow->next)
        if (flow->protocol == key.protocol && memcmp(flow->address, key.address, sizeof key.address) == 0 &&
            memcmp(flow->port, key.port, sizeof key.port) == 0)
            return flow;
    struct flow *flow = malloc(sizeof *flow);
    if (flow == NULL)
        exit(1);
    *flow = key;
    flow->next = *chain;
    *chain = flow;
    flow_count++;
    return flow;
}

static bool is_known(ndpi_protocol protocol)
{
    return protocol.master_protocol != NDPI_PROTOCOL_UNKNOWN ||
           protocol.app_protocol != NDPI_PROTOCOL_UNKNOWN;
}

/* Those of the captures' protocols whose flows name a host. */
static bool names_host(ndpi_protocol protocol)
{
    static const uint16_t ids[] = {NDPI_PROTOCOL_TLS, NDPI_PROTOCOL_HTTP, NDPI_PROTOCOL_DNS};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (protocol.master_protocol == ids[i] || protocol.app_protocol == ids[i])
            return true;
    return false;
}

static void classify(struct ndpi_detection_module_struct *module, struct flow *flow, const uint8_t *ip,
                     uint16_t length, uint64_t time_ms)
{
    bool is_tcp = flow->protocol == IPPROTO_TCP;
    unsigned header = (ip[0] & 15) * 4U;
    if (flow->decided || (is_tcp && length == header + (ip[header + 12] >> 4) * 4U))
        return;
    if (flow->ndpi == NULL && (flow->ndpi = calloc(1, sizeof *flow->ndpi)) == NULL)
        exit(1);
    ndpi_protocol protocol = ndpi_detection_process_packet(module, flow->ndpi, ip, length, time_ms);
    bool enough = ++flow->packets >= (is_tcp ? TCP_PACKETS_MAX : OTHER_PACKETS_MAX);
    if (!enough && (!is_known(protocol) || (names_host(protocol) && flow->ndpi->host_server_name[0] == '\0')))
        return;
    flow->decided = true;
    named_count += is_known(protocol);
    ndpi_free_flow_data(flow->ndpi);
    free(flow->ndpi);
    flow->ndpi = NULL;
}

static void take(struct ndpi_detection_module_struct *module, const uint32_t record[4], const uint8_t *frame)
{
    const uint8_t *type = frame + 12;
    packet_count++;
    if (type[0] == 0x81 && type[1] == 0)
        type += 4;
    if (type[0] != 8 || type[1] != 0)
        return;
    const uint8_t *ip = type + 2;
    classify(module, find(ip, ip + (ip[0] & 15) * 4), ip, (uint16_t)(ip[2] << 8 | ip[3]),
             record[0] * 1000ULL + record[1] / 1000);
}

int main(int argc, char **argv)
{
    enum { HEADER_BYTES = 24, RECORD_BYTES = 16 };
    struct stat status;
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &status) != 0) {
        fprintf(stderr, "usage: dpi FILE, which can be read\n");
        return 2;
    }
    size_t length = (size_t)status.st_size;
    const uint8_t *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    struct ndpi_detection_module_struct *module = ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
    if (bytes == MAP_FAILED || module == NULL)
        return 1;
    NDPI_PROTOCOL_BITMASK all;
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module, &all);
    ndpi_finalize_initialization(module);
    uint32_t record[4];
    for (size_t at = HEADER_BYTES; at + RECORD_BYTES <= length; at += RECORD_BYTES + record[2]) {
        memcpy(record, bytes + at, sizeof record);
        if (record[2] > length - at - RECORD_BYTES)
            break;
        take(module, record, bytes + at + RECORD_BYTES);
    }
    printf("%lu %lu %lu\n", packet_count, flow_count, named_count);
    return 0;
}
