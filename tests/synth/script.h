/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario as its script tells it: who is there, who talks to whom how often, and what goes wrong when.
 * The format is explained by `synth --help` and by example.ini. Addresses are IPv4 in host order; instants
 * are nanoseconds since the epoch; rates are a minute. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "fault.h"

enum { NAME_MAX_BYTES = 64, TEXT_MAX_BYTES = 200 };
enum { RANGES_MAX = 32, NAMES_MAX = 32, NOTES_MAX = 32, PORTS_MAX = 24, FLICKERS_MAX = 8 };
enum { WATCHES_MAX = 16, PATHS_MAX = 8, HOSTS_MAX = 128, CLIENTS_MAX = 8, TRAFFIC_MAX = 96, SCANS_MAX = 16 };
enum { BURSTS_MAX = 32, OUTAGES_MAX = 32, TAP_FAULTS_MAX = 16 };
enum { STRAINS_MAX = 16, MOVES_MAX = 16, FORGED_MAX = 8, BLOCKS_MAX = 8, EXPECTS_MAX = 16 };

/* What a flow speaks. */
enum kind {
    KIND_HTTP,
    KIND_HTTPS,
    KIND_SMTP,
    KIND_TCP,
    KIND_DNS,
    KIND_NTP,
    KIND_PING,
    KIND_ARP,
    KIND__COUNT,
    KIND_UDP = KIND__COUNT /* of forged packets only: no rate of its own */
};

/* Every section starts with its name and the line it stands on. */
struct label {
    char name[NAME_MAX_BYTES];
    int line;
};

struct range {
    uint32_t first, last;
};

struct ranges {
    int count;
    struct range item[RANGES_MAX];
};

struct names {
    int count;
    char item[NAMES_MAX][NAME_MAX_BYTES];
};

struct notes {
    int count;
    char item[NOTES_MAX][TEXT_MAX_BYTES];
};

struct ports {
    int count;
    uint16_t item[PORTS_MAX];
};

/* How a rate swings: base * (1 + amplitude * cos(hour - peak)) * (weekend on Saturday and Sunday), local
 * time. */
struct curve {
    double amplitude, peak_hour, weekend;
};

/* Who says that a packet did not arrive, and how: the router of the packet's path, another router, or the
 * host itself. */
enum refuser { REFUSER_PATH, REFUSER_ADDRESS, REFUSER_HOST };

struct refusal {
    double share; /* of the packets */
    uint8_t type, code;
    enum refuser by;
    uint32_t address;
};

struct path {
    struct label label;
    struct ranges prefix;
    uint8_t mac[6];
    uint16_t vlan; /* 0: no tag */
    uint8_t ttl;   /* with which the watched side's packets arrive; 0: the scenario's */
    int64_t rtt_ns;
    uint32_t router;        /* sends ICMP errors; 0: none */
    struct refusal refusal; /* at all times, of packets to addresses without a host */
};

struct host {
    struct label label;
    uint32_t address;
    uint8_t ttl;
    double answers_scans; /* share */
};

struct clients {
    struct label label;
    struct ranges address;
};

enum role { ROLE_SERVICE, ROLE_OUTWARD, ROLE_CONTROL };

/* Flows from clients to servers. The watched side is the server's of a service, the client's of outward
 * traffic and neither of control traffic. */
struct traffic {
    struct label label;
    enum role role;
    struct names host;   /* as written: host names or addresses */
    struct names client; /* as written: a [clients] name or addresses */
    struct names name;   /* asked for by SNI, Host and DNS question */
    double rate[KIND__COUNT];
    double flows_per_visit;
    uint32_t response_bytes;
    uint16_t port; /* of KIND_TCP */
    uint16_t vlan; /* of control traffic */
    struct curve curve;
    struct ranges servers, callers; /* `host` and `client` resolved */
};

struct scan {
    struct label label;
    double rate;
    struct ranges source, target; /* no target: everything watched */
    struct ports port;
    double ping; /* share of echo requests */
    struct curve curve;
    int64_t from_ns, to_ns, grows_ns; /* the rate climbs from nothing for so long */
};

/* One client that opens many flows at once. */
struct burst {
    struct label label;
    struct names service;
    int64_t at_ns;    /* or */
    int64_t every_ns; /* on average */
    uint32_t flows;
    int64_t over_ns;
    int traffic; /* resolved */
};

enum target_kind { TARGET_ALL, TARGET_ADDRESSES, TARGET_PATH, TARGET_SERVICE };

struct target {
    enum target_kind kind;
    struct ranges address;
    int index; /* of the path or service */
};

enum shape { SHAPE_STEP, SHAPE_RAMP, SHAPE_RAGGED };

/* How an outage begins or ends, and how long that takes. */
struct turn {
    enum shape shape;
    int64_t takes_ns;
};

/* Who comes back between two instants although the outage goes on. */
struct flicker {
    int64_t from_ns, to_ns;
    struct names who; /* none: all of the scope */
    struct target target[NAMES_MAX];
};

struct flickers {
    int count;
    struct flicker item[FLICKERS_MAX];
};

/* Knocking that grows before the onset: flows a minute, and for how long. */
struct surge {
    double rate;
    int64_t before_ns;
};

/* What becomes of packets into the dark. Withdrawn routes: they reach a tap before the routers that lost the
 * route, and no tap beyond them. */
enum inbound { INBOUND_PERSISTS, INBOUND_CEASES, INBOUND_WITHDRAWN };

struct outage {
    struct label label;
    char scope[NAME_MAX_BYTES];
    struct target target;
    int64_t from_ns, to_ns;
    double depth;
    struct turn onset, recovery;
    struct names order;
    struct target order_target[NAMES_MAX];
    struct flickers flicker;
    enum inbound inbound;
    struct refusal refusal; /* of packets into the dark */
    struct surge surge;
    char verdict[NAME_MAX_BYTES];
    struct notes note;
};

enum loss_kind { LOSS_SHARE, LOSS_INBOUND, LOSS_OUTBOUND, LOSS_VLAN };

struct loss {
    enum loss_kind kind;
    double share;  /* of LOSS_SHARE; 1: silence */
    uint16_t vlan; /* of LOSS_VLAN, as a path or control traffic has it, be the tags seen or not */
};

struct tap_fault {
    struct label label;
    int64_t from_ns, to_ns;
    struct loss loss;
    uint16_t kept_bytes; /* of each frame: the mirror cuts the rest; 0: all */
};

/* A road that is bad though nothing is down: packets are lost between the tap and the watched side, and what
 * comes through comes late. */
struct strain {
    struct label label;
    char scope[NAME_MAX_BYTES];
    struct target target;
    int64_t from_ns, to_ns; /* `to` is where the recovery begins */
    struct turn onset, recovery;
    double loss; /* share of packets, each way */
    int64_t delay_ns;
};

/* Flows of some watched addresses that begin in this time cross another path. */
struct move {
    struct label label;
    struct ranges prefix;
    char path[NAME_MAX_BYTES];
    int index; /* `path` resolved */
    int64_t from_ns, to_ns;
};

enum seen { SEEN_BOTH, SEEN_REQUESTS, SEEN_ANSWERS };

/* Packets that bear a watched source and come from elsewhere, and what they call forth. */
struct forged {
    struct label label;
    struct ranges source, target;
    uint16_t port; /* of the target */
    enum kind kind;
    enum seen seen;
    double rate;
    uint8_t ttl; /* 0: of a host outside */
    struct curve curve;
    int64_t from_ns, to_ns, grows_ns;
};

/* Some clients are not let through. */
struct block {
    struct label label;
    char scope[NAME_MAX_BYTES];
    struct target target;
    struct names client; /* as in [service] */
    struct ranges address;
    int64_t from_ns, to_ns;
};

/* What a detector at a tap position should say of the outages, and must not say. */
struct expect {
    struct label label; /* the position */
    struct names scope, verdict, never;
    struct notes because;
};

/* What a tap sees of all this. */
struct tap {
    bool inward_only, outward_only; /* one leg of the mirror */
    bool unlabelled;                /* no VLAN tags, one router for all */
    bool beyond;                    /* on the far side of the routers that withdraw a route */
    char path[NAME_MAX_BYTES];      /* that path's watched packets only */
    int path_index;                 /* -1: all */
};

struct script {
    struct label label; /* of [scenario], the name from `name` */
    char name[NAME_MAX_BYTES];
    struct names with; /* files of the same folder that are read after this one, as if they stood in it */
    struct notes note, assumed;
    int64_t from_ns, to_ns;
    int64_t zone_ns; /* local time less UTC */
    uint64_t seed;
    int64_t grain_ns; /* time stamps are multiples of it */
    struct ranges watch;
    struct curve curve;
    double answers_scans;
    uint8_t ttl;
    int64_t rtt_ns;

    int path_count, host_count, clients_count, traffic_count, scan_count, burst_count, outage_count,
        tap_fault_count, strain_count, move_count, forged_count, block_count, expect_count;
    struct path path[PATHS_MAX];
    struct host host[HOSTS_MAX];
    struct clients clients[CLIENTS_MAX];
    struct traffic traffic[TRAFFIC_MAX];
    struct scan scan[SCANS_MAX + OUTAGES_MAX]; /* the scripts' own, then the surges of outages */
    struct burst burst[BURSTS_MAX];
    struct outage outage[OUTAGES_MAX];
    struct tap_fault tap_fault[TAP_FAULTS_MAX];
    struct strain strain[STRAINS_MAX];
    struct move move[MOVES_MAX];
    struct forged forged[FORGED_MAX];
    struct block block[BLOCKS_MAX];
    struct expect expect[EXPECTS_MAX];
    struct tap tap; /* script_tap */
};

/* Reads and checks a script with the files that it names. Returns it (script_free), or NULL with the fault
 * "FILE:LINE: what is wrong". */
struct script *script_read(const char *path, struct fault *fault);
void script_free(struct script *script);

/* Places the tap, by a list of words: inward or outward (sees one direction), unlabelled, beyond, path:NAME.
 * Returns 0, or -1 with the fault. */
int script_tap(struct script *script, const char *words, struct fault *fault);

/* The first section that bins cannot show, or NULL. */
const char *script_beyond_bins(const struct script *script);

/* The rate's factor at an instant. */
double script_curve(const struct script *script, const struct curve *curve, int64_t t_ns);
/* The largest that it can be. */
double script_curve_max(const struct curve *curve);

bool ranges_hold(const struct ranges *ranges, uint32_t address);
uint32_t ranges_size(const struct ranges *ranges);
/* The address at a place from 0 to ranges_size - 1. */
uint32_t ranges_pick(const struct ranges *ranges, uint32_t place);

/* The host of an address, or NULL. */
const struct host *script_host(const struct script *script, uint32_t address);
/* Fills the numbers of the paths that lead to a watched address; returns how many (0: no path is known). */
int script_paths(const struct script *script, uint32_t address, int paths[PATHS_MAX]);
/* The path to which the address has moved at an instant, or -1. */
int script_moved(const struct script *script, uint32_t address, int64_t t_ns);
/* "http", "https" … */
const char *script_kind(enum kind kind);
