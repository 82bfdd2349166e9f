/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints what decoding makes of each packet of the captures named, a line each, for test_decode_tshark.py:
 * number, reason, and for IP: addresses, protocol, ports, IP bytes, TTL, fragment ("-", "first", "later"),
 * TCP flags, payload, ICMP type and code and id, the quoted addresses, protocol and ports; "via", where there
 * are any, the tunnels with their ids and the MPLS labels; and the VLAN ids. "-" is for none. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "decode.h"
#include "source.h"

static const char *address_text(const uint8_t address[16], bool four, char text[INET6_ADDRSTRLEN])
{
    return inet_ntop(four ? AF_INET : AF_INET6, four ? address + 12 : address, text, INET6_ADDRSTRLEN);
}

static void print_tuple(const struct packet_tuple *tuple, bool four)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    printf(" %s %s %u %u %u", address_text(tuple->source, four, source),
           address_text(tuple->destination, four, destination), tuple->protocol, tuple->source_port,
           tuple->destination_port);
}

static void print_packet(const struct packet *p)
{
    bool four = p->ip_version == 4;
    print_tuple(&p->tuple, four);
    printf(" %u %u %s", p->ip_bytes, p->ttl, p->later_fragment ? "later" : p->fragment ? "first" : "-");
    if (p->has_transport)
        printf(" %u %u", p->tcp_flags, p->payload_bytes);
    else
        printf(" - -");
    if (p->has_transport && p->tuple.protocol == (four ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        printf(" %u %u %u", p->icmp_type, p->icmp_code, p->icmp_id);
    else
        printf(" - - -");
    if (p->has_quoted)
        print_tuple(&p->quoted, four);
    else
        printf(" - - - - -");
}

static void print_tunnels(const struct packet *p)
{
    static const char *const names[] = {
#define TUNNEL_NAME(name, text) text,
        FLOW_TUNNELS(TUNNEL_NAME)
#undef TUNNEL_NAME
    };
    if (p->tunnel_count > 0)
        printf(" via");
    for (unsigned i = 0; i < p->tunnel_count; i++) {
        printf(" %s", names[p->tunnels[i].kind]);
        if (p->tunnels[i].has_id)
            printf("=%u", p->tunnels[i].id);
    }
    for (unsigned i = 0; i < p->mpls_count; i++)
        printf(" label=%u", p->mpls[i]);
}

int main(int argc, char **argv)
{
    struct health health = {0};
    struct fault fault;
    const struct source_file_options options = {.paths = (const char *const *)argv + 1,
                                                .path_count = (size_t)argc - 1,
                                                .from_ns = TIME_NONE,
                                                .to_ns = TIME_NONE};
    struct source *source = source_file_open(&options, &health, &fault);
    if (source == NULL) {
        fprintf(stderr, "%s\n", fault.text);
        return 2;
    }
    int status = 0;
    unsigned long number = 0;
    for (;;) {
        struct frame frame;
        struct packet packet;
        enum source_news news = source->kind->next(source, &frame, &fault);
        if (news == SOURCE_END)
            break;
        if (news == SOURCE_FAILED) {
            fprintf(stderr, "%s\n", fault.text);
            status = 1;
            continue;
        }
        printf("%lu %d", ++number, decode_frame(&frame, &packet));
        if (packet.is_ip)
            print_packet(&packet);
        print_tunnels(&packet);
        printf(" vlan");
        for (unsigned i = 0; i < packet.vlan_count; i++)
            printf(" %u", packet.vlans[i]);
        printf("\n");
    }
    source->kind->close(source);
    return status;
}
