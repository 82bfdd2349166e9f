/* SPDX-License-Identifier: BSD-3-Clause */
/* A watched flow that has ended, as `--flows` tells it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "scope.h"

enum flow_end { FLOW_END_IDLE, FLOW_END_CLOSED, FLOW_END_EVICTED, FLOW_END_INPUT };

/* One end of a flow. */
struct flow_side {
    uint8_t address[16]; /* network order, IPv4 mapped into ::ffff:0:0/96 */
    uint16_t port;       /* host order; 0 where the protocol has none */
    uint64_t packets;
    uint64_t bytes; /* IP bytes on the wire */
    bool watched;
};

/* The encapsulations that are opened, and their names in `tunnels`. */
#define FLOW_TUNNELS(X)                                                                                      \
    X(MPLS, "mpls")                                                                                          \
    X(PPPOE, "pppoe")                                                                                        \
    X(NSH, "nsh")                                                                                            \
    X(GRE, "gre")                                                                                            \
    X(PPTP, "pptp")                                                                                          \
    X(ERSPAN, "erspan")                                                                                      \
    X(IPIP, "ipip") /* IPv4 in IPv4 */                                                                       \
    X(4IN6, "4in6") /* IPv4 in IPv6 */                                                                       \
    X(6IN4, "6in4") /* IPv6 in IPv4 */                                                                       \
    X(6TO4, "6to4") /* … with an address of 2002::/16 */                                                   \
    X(6IN6, "6in6") /* IPv6 in IPv6 */                                                                       \
    X(TEREDO, "teredo")                                                                                      \
    X(VXLAN, "vxlan")                                                                                        \
    X(VXLAN_GPE, "vxlan-gpe")                                                                                \
    X(GENEVE, "geneve")                                                                                      \
    X(GTP, "gtp")                                                                                            \
    X(L2TP, "l2tp")                                                                                          \
    X(TZSP, "tzsp")

enum flow_tunnel {
#define FLOW_TUNNEL_ENUM(name, text) FLOW_TUNNEL_##name,
    FLOW_TUNNELS(FLOW_TUNNEL_ENUM)
#undef FLOW_TUNNEL_ENUM
        FLOW_TUNNEL__COUNT
};

enum { FLOW_APPLICATION_MAX = 64, FLOW_DOMAIN_MAX = 256, FLOW_VLANS_MAX = 3, FLOW_TUNNELS_MAX = 8 };

struct flow_record {
    int64_t start_ns, end_ns; /* first and last packet */
    int64_t known_ns;         /* the data time at which its end was known */
    enum flow_end reason;
    uint8_t protocol;                     /* IP protocol number */
    struct flow_side source, destination; /* the source sent the first packet, or the SYN */
    bool answered;
    char application[FLOW_APPLICATION_MAX]; /* as nDPI spells it ("TLS.Google"); empty: not classified */
    char domain[FLOW_DOMAIN_MAX];           /* untrusted bytes, lower case; empty: none seen */
    uint8_t vlan_count, tunnel_count;
    uint16_t vlans[FLOW_VLANS_MAX];    /* outermost first, of the first packet */
    uint8_t tunnels[FLOW_TUNNELS_MAX]; /* enum flow_tunnel, outermost first, of the first packet */
    uint32_t prefix, path, service;    /* scope numbers, or SCOPE_NONE */
};
