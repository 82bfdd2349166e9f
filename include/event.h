/* SPDX-License-Identifier: BSD-3-Clause */
/* What the world is told: events, and closed bins with what the analysis made of them. Values without
 * pointers, so that they can wait in a queue. The published names of these things are known to event_text.c
 * alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "scope.h"
#include "tally.h"

/* What the analysis holds of a scope at the end of an interval. */
enum scope_state {
    STATE_LEARNING,   /* too little history to judge: not the same as up */
    STATE_UP,         /* */
    STATE_SUSPECT,    /* quieter than it should be, not yet certain */
    STATE_DOWN,       /* an episode is open */
    STATE_RECOVERING, /* an episode is open and something comes back */
    STATE_BLIND,      /* the sensor does not see: nothing is said of the scope */
    STATE__COUNT
};

/* Why a scope is still learning. */
enum learning {
    LEARNING_DONE,
    LEARNING_EVENTS, /* too few signs of life so far */
    LEARNING_TIME,   /* too short a time */
    LEARNING_THIN,   /* so thin that even a total outage would take more than a day to be noticed */
    LEARNING__COUNT
};

/* False alarms, asked for and as they would really come. Alarms are too rare to count, so silences are
 * counted that are a given number of times as frequent: those that came against those that were due. */
struct alarm_rate {
    double nominal_per_year;
    double near_due, near_seen;
};

/* The way to a scope, as its packets show it: the mean round trip of TCP handshakes and the hops that its
 * packets have come, of late and usually; negative: not known. */
struct route {
    double trip_ms, usual_trip_ms;
    double hops, usual_hops;
};

/* The measure in which a scope is judged. */
enum signal {
    SIGNAL_ANSWERED_FLOWS, /* cannot be forged from one side: preferred wherever both directions are seen */
    SIGNAL_LIVE_FLOWS,     /* where only what the watched side says is seen */
    SIGNAL_ACKED_FLOWS,    /* where only what is said to it is seen, and acknowledged what it says */
    SIGNAL_PACKETS_OUT,    /* where a table of bins has nothing better */
    SIGNAL_PACKETS_IN,     /* of the tap: what is not watched */
    SIGNAL_NONE,
    SIGNAL__COUNT
};

enum verdict {
    VERDICT_INTERNAL,
    VERDICT_UPSTREAM,
    VERDICT_WITHDRAWAL,
    VERDICT_ATTACK,
    VERDICT_SERVICE,
    VERDICT_UNKNOWN,
    VERDICT__COUNT
};

/* The outage of a scope as a bin shows it: one that is open, or has ended in the bin. */
struct bin_outage {
    bool known;       /* there is one: the rest means something */
    uint64_t episode; /* as in its events; 0: it is not told by itself */
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: it goes on */
    double recovered;                               /* 0 to 1 */
    double level_accepted;                          /* as in the event that ends it */
    double log_odds;
    double probability[VERDICT__COUNT]; /* of the cause, as last told; all zero: not told by itself */
};

/* A closed bin of one scope. */
struct bin {
    uint32_t scope;
    int64_t start_ns;   /* aligned to the epoch; tally.start_ns and .end_ns tell what was really watched */
    struct tally tally; /* the sum of the bin's steps */
    enum signal signal;
    enum scope_state state;
    enum learning learning; /* LEARNING_DONE unless the state is learning */
    struct alarm_rate alarms;
    struct route route;
    double expected; /* of the signal in this bin; negative: not known yet */
    double low;      /* what 999 of 1000 such bins reach; negative: not known yet */
    double high;     /* what 999 of 1000 do not exceed; likewise */
    double
        detectable_s; /* the shortest total outage that would be noticed now, seconds; negative: none would */
    struct bin_outage outage;
};

enum event_action {
    EVENT_OUTAGE_STARTED,
    EVENT_OUTAGE_UPDATED,
    EVENT_OUTAGE_RECOVERING,
    EVENT_OUTAGE_ENDED,
    EVENT_SENSOR_IMPAIRED,
    EVENT_SENSOR_RESTORED,
    EVENT__COUNT
};

/* What speaks for or against a verdict, with its published name. Ratios are of what was seen to what is
 * usual: since the onset, or where it says "before", in the quarter of an hour that led to it. */
#define EVIDENCE_KINDS(X)                                                                                    \
    X(INBOUND_PERSISTS, "inbound-persists") /* ratio of flow starts towards the scope: they go on */         \
    X(INBOUND_CEASED, "inbound-ceased")     /* the same: nobody knocks any more either */                    \
    X(KNOCKS_ANSWERED, "knocks-answered")   /* ratio of answers to knocks: who still knocks is answered */   \
    X(INBOUND_SURGE, "inbound-surge")       /* ratio before, of the measure that rose most */                \
    X(REFLECTION, "reflection")             /* packets a second before: forged, or answers not asked for */  \
    X(LOSS_RISING, "loss-rising")           /* ratio before, of segments sent again */                       \
    X(DELAY_RISING, "delay-rising")         /* ratio before, of round trips */                               \
    X(SERVICES_FIRST, "services-first")     /* services that failed before the rest */                       \
    X(RAMP, "ramp")                         /* share of answers before: it had begun to fail */              \
    X(CLEAN_STEP, "clean-step")             /* the same: all was well until the onset */                     \
    X(ALL_PATHS, "all-paths")               /* paths down together */                                        \
    X(ONLY_PATH, "only-path")               /* one path of several is all that ever crossed this tap */      \
    X(ONE_PATH, "one-path")                 /* paths that carry on */                                        \
    X(OTHERS_UP, "others-up")               /* prefixes or services that carry on */                         \
    X(ROUTE_CHANGED, "route-changed")       /* ms that round trips of what is left differ by */              \
    X(ICMP_NO_ROUTE, "icmp-no-route")       /* a minute: routers know no way to it */                        \
    X(ICMP_NO_HOST, "icmp-no-host")         /* a minute: nobody answers at its door */                       \
    X(ICMP_PROHIBITED, "icmp-prohibited")   /* a minute */                                                   \
    X(ICMP_EXCEEDED, "icmp-exceeded")       /* a minute: packets go in circles */                            \
    X(NAME_SERVERS, "name-servers")         /* name servers down */                                          \
    X(NO_CONTROL, "no-control")             /* the capture holds watched traffic only */                     \
    X(ROUTERS_UNHEARD, "routers-unheard")   /* the tap does not see the way that routers' words take */      \
    X(INBOUND_UNSEEN, "inbound-unseen")     /* nor what is said to the scope */

enum evidence_kind {
#define EVIDENCE_ENUM(name, published) EVIDENCE_##name,
    EVIDENCE_KINDS(EVIDENCE_ENUM)
#undef EVIDENCE_ENUM
        EVIDENCE__COUNT
};

struct event_evidence {
    enum evidence_kind kind;
    double value, usual; /* usual is negative where it means nothing */
    enum verdict about;  /* the verdict it says most of … */
    double weight;       /* … in nats: for it, or against it where negative */
};

/* A prefix, path or service as an event shows it. */
struct event_part {
    char name[SCOPE_TEXT_MAX]; /* without the kind: "175.45.176.0/24" */
    enum scope_state state;
    int64_t onset_ns;     /* TIME_NONE unless down or recovering */
    int64_t last_seen_ns; /* last sign of life; TIME_NONE when there never was one */
    double depth;         /* 0 to 1 */
};

/* A router that reports that the scope cannot be reached, and how often it did since the onset. */
struct event_router {
    uint8_t address[16];       /* IPv4 mapped */
    char path[SCOPE_TEXT_MAX]; /* the path on which it is known to stand, without the kind; "": none */
    uint32_t unreachable, prohibited, exceeded;
};

/* A scope that came back during a recovery. */
struct event_return {
    char name[SCOPE_TEXT_MAX]; /* with the kind: "prefix:175.45.176.0/24" */
    int64_t at_ns;
};

enum {
    EVENT_PREFIXES_MAX = 16,
    EVENT_PATHS_MAX = 16,
    EVENT_SERVICES_MAX = 32,
    EVENT_RETURNS_MAX = 32,
    EVENT_ROUTERS_MAX = 4,
    EVENT_EVIDENCE_MAX = 12
};

/* What the capture has lost of the frames, each with those before it. */
enum cut {
    CUT_NOTHING,
    CUT_NAMES,  /* what packets bear beyond their headers, and so the names of services */
    CUT_HEADERS /* of transports, or of IP */
};

/* Why one of several sensors says nothing. */
enum absence {
    ABSENCE_NONE,
    ABSENCE_BLIND,  /* it says that it does not see */
    ABSENCE_SILENT, /* nothing comes from it */
    ABSENCE_LATE,   /* it is too far behind the others */
    ABSENCE_AHEAD,  /* its clock is ahead of the others' */
    ABSENCE__COUNT
};

struct event {
    int64_t time_ns; /* data time of the decision */
    enum event_action action;
    uint64_t episode; /* names the episode: a hash of its first scope and onset, the same in all its events */
    uint32_t sequence; /* 0, 1, 2 … within the episode */
    char scope[SCOPE_TEXT_MAX];
    bool control; /* the tap carries traffic to compare with */
    bool deaf;    /* of the sensor: one direction is not seen, a leg of the mirror is lost */
    char leg[56]; /* of the sensor: the leg alone that is silent, by its name; "": it is not one alone */
    enum absence absent; /* of several sensors: why the one that `leg` names does not count */
    enum cut cut;        /* of the sensor: what it misses since frames are cut shorter than before */
    double sampled;      /* of the sensor: one packet in so many comes now; 0: it is not that */
    enum signal signal;

    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE until the outage has ended */
    double depth;                                   /* 0 to 1 */
    double expected_rate, observed_rate;            /* of the signal, a minute */
    double log_odds;                                /* natural logarithm, of the silence against chance */
    double delay_s;                                 /* from the onset to this decision */
    double recovered;                               /* 0 to 1: how far back; negative: does not apply */
    uint32_t flaps;                                 /* times it came back and fell again */
    double level_accepted; /* of an ended one: the share of the former level that is normal now; 0: it came
                              back */
    uint64_t merged_into;  /* of an ended one: the episode that took it over, or 0 */
    uint32_t hosts_expected, hosts_seen; /* watched addresses: usual in such a bin, and in the last one */

    double probability[VERDICT__COUNT]; /* sums to 1; the verdict is the largest */
    enum verdict verdict_before; /* as the episode's last event had it; VERDICT__COUNT: this is the first */
    uint32_t evidence_before;    /* and its evidence, a bit each */
    uint32_t evidence_count, prefix_count, path_count, service_count, return_count;
    struct event_evidence evidence[EVENT_EVIDENCE_MAX];
    struct event_part prefixes[EVENT_PREFIXES_MAX];
    struct event_part paths[EVENT_PATHS_MAX];
    struct event_part services[EVENT_SERVICES_MAX];
    uint32_t router_count;
    struct event_router routers[EVENT_ROUTERS_MAX]; /* those that report most */
    struct event_return returns[EVENT_RETURNS_MAX];
};
