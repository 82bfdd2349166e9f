/* SPDX-License-Identifier: BSD-3-Clause */
/* The filter of --filter: made so that it loses no tagged packets, and asked what it takes away. */
#pragma once

#include <stdbool.h>

#include "rules.h"

struct pcap;
struct bpf_program;

/* Compiles a filter as pcap_compile does, so that on Ethernet it says of a packet with up to three VLAN tags
 * what it says of the packet without; unless the expression asks for the link itself (vlan, mpls,
 * pppoes, ether[0] …). 0, or -1 with the reason in pcap_geterr, but with errno ENOMEM where it was memory. */
int source_filter_compile(struct pcap *pcap, const char *expression, struct bpf_program *program);

/* Whether the filter lets watched addresses through and, of tens of thousands of packets of others that it is
 * shown, none: then nothing tells a blind sensor from an outage. */
bool source_filter_blinds(const char *expression, const struct rules *rules);
