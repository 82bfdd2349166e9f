/* SPDX-License-Identifier: BSD-3-Clause */
/* The neck of the hourglass: what one scope counted in one closed interval of data time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "reporters.h"

/* The measures, in the order of the published columns, but that those from TALLY_FURTHER on stand behind all
 * others.
 * Every one is additive: `hosts` and `peers` count addresses not yet seen in the present bin, so that the
 * steps of a bin add up to the bin's number of distinct addresses. A burst is what one network asks of one
 * service of one watched host within a minute: a client's retries, say, are one piece of evidence. A flow is
 * proven in a way that is not forged from off the path: the watched side answers a question of the outside,
 * or acknowledges by its number what the outside sent over TCP; of a flow in which the tap does not hear the
 * outside, it sends what only answers. Between two ends of one scope neither knocks nor proofs count in it:
 * nothing came from outside. */
#define TALLY_MEASURES(X)                                                                                    \
    X(flows)          /* flow starts */                                                                      \
    X(live_flows)     /* flows in which the watched side spoke for the first time */                         \
    X(answered_flows) /* flows in which both sides have now been heard */                                    \
    X(packets_in)     /* towards the watched side; for the tap: packets that are not watched */              \
    X(packets_out)    /* from the watched side */                                                            \
    X(bytes_in)       /* IP bytes on the wire */                                                             \
    X(bytes_out)                                                                                             \
    X(hosts)           /* distinct watched addresses that sent */                                            \
    X(peers)           /* distinct addresses at the other end of watched packets */                          \
    X(syn_in)          /* bare SYNs towards the watched side */                                              \
    X(icmp_errors)     /* ICMP errors that quote a packet to the watched side */                             \
    X(drops)           /* packets that the sensor lost, whatever they were; unknown for a savefile */        \
    X(live_bursts)     /* live flows that begin a burst */                                                   \
    X(answered_bursts) /* answered flows that begin a burst */                                               \
    X(handshakes)      /* round trips to the watched side: a TCP SYN or SYN-ACK and its answer */            \
    X(handshake_us)    /* their sum in microseconds */                                                       \
    X(answered_hops)   /* sum over answered flows of the hops that the watched side's packet had come */     \
    X(retransmits_in)  /* TCP segments of which every byte had been seen before */                           \
    X(retransmits_out)                                                                                       \
    X(unseen_acks_in) /* TCP packets that acknowledge what the tap has not seen of the other side */         \
    X(unseen_acks_out)                                                                                       \
    X(acked_flows) /* flows in which the outside has now proved by an acknowledgement that it is answered */ \
    X(icmp_unreachable) /* ICMP errors from outside: network or host unreachable */                          \
    X(icmp_prohibited)  /* … administratively prohibited */                                                \
    X(icmp_exceeded)    /* … time to live exceeded on the way */                                           \
    X(icmp_own)         /* ICMP errors of any kind that a watched address sends */                           \
    X(reflected_in)     /* UDP from a port of reflecting services to a watched side never heard */           \
    X(oneway_out)       /* packets from the watched side to one that was not heard till then */              \
    X(control)          /* packets not watched on the same path: of the tap, and of paths known by link */   \
    X(proven_flows)     /* flows in which the watched side has now answered what nobody else knows */        \
    X(proven_bursts)    /* proven flows that begin a burst */                                                \
    X(icmp_no_route)    /* of icmp_unreachable: the network, not the host */                                 \
    X(knocks)           /* flows that the outside begins with a question */

enum tally_measure {
#define TALLY_ENUM(name) TALLY_##name,
    TALLY_MEASURES(TALLY_ENUM)
#undef TALLY_ENUM
        TALLY__COUNT,
    TALLY_FURTHER = TALLY_drops + 1 /* the first of the columns that stand behind all others */
};

/* A set of measures, one bit each: unknown is not zero. */
#define TALLY_BIT(measure) (1ULL << (measure))
#define TALLY_ALL_KNOWN    ((1ULL << TALLY__COUNT) - 1U)

/* The instants of the first and last thing counted in the interval; both TIME_NONE when none was, or when the
 * source of the tally (a CSV of bins) does not tell. */
struct tally_span {
    int64_t first_ns, last_ns;
};

/* The legs of the tap: what each interface brings under each outermost VLAN, numbered in the order in which
 * their first packets came. The capture names a leg before a tally counts on it; a restart may number them
 * anew, so what outlives a run goes by the name. */
#define TALLY_LEGS 16
struct leg_list {
    uint32_t count;
    char text[TALLY_LEGS][56]; /* "eth1", "eth1 vlan 101", "vlan 101", "interface 0"; all from the sixteenth
                                  on are "other legs" */
};

/* What each interface of a live tap lost, in the order of the configuration; the last place is all from the
 * eighth on together. */
#define TALLY_INTERFACES 8

/* How much of the frames reached the sensor. One that was cut within the headers tells of no flow; a long one
 * that was cut early has lost the names that packets bear. */
#define TALLY_LONG_BYTES  200 /* on the wire: a request that bears a name is hardly shorter … */
#define TALLY_NAMES_BYTES 600 /* … and a TLS ClientHello not longer as a rule */
struct tally_frames {
    uint64_t headed, headless;  /* TCP with its whole header (others need less), and any cut before that */
    uint64_t lengthy, nameless; /* long ones, and those of them that were cut before names would end */
};

struct tally {
    int64_t start_ns, end_ns; /* the interval that was really watched, half open; cut short where the input
                                 begins or ends */
    uint64_t known;           /* which of the values were measured: TALLY_BIT(…) */
    uint64_t value[TALLY__COUNT];
    struct tally_span live;                          /* of live_flows */
    struct tally_span answered;                      /* of answered_flows */
    struct tally_span proven;                        /* of proven_flows */
    struct tally_span acked;                         /* of acked_flows */
    struct tally_span in;                            /* of packets_in */
    struct tally_span out;                           /* of packets_out */
    struct tally_reporter reporter[TALLY_REPORTERS]; /* of icmp_unreachable, _prohibited and _exceeded */
    uint64_t leg[TALLY_LEGS];        /* of packets_in of the tap, without routers' words about the
                                        watched side; of other scopes zeros */
    uint64_t lost[TALLY_INTERFACES]; /* of drops of the tap, by interface; of other scopes zeros */
    struct tally_frames frames;      /* of all of the tap, watched or not; of other scopes zeros */
    uint32_t legs_in, legs_out;      /* of packets_in and _out: the legs by which they came, one bit each */
};

/* Widens a span by an instant. */
static inline void tally_span_add(struct tally_span *span, int64_t at_ns)
{
    if (span->first_ns == TIME_NONE)
        span->first_ns = at_ns;
    span->last_ns = at_ns;
}

static inline bool tally_knows(const struct tally *tally, enum tally_measure measure)
{
    return (tally->known & TALLY_BIT(measure)) != 0;
}

/* An empty tally of the interval: all zero, with `known` measures known. */
static inline struct tally tally_empty(int64_t start_ns, int64_t end_ns, uint64_t known)
{
    const struct tally_span none = {TIME_NONE, TIME_NONE};
    return (struct tally){.start_ns = start_ns,
                          .end_ns = end_ns,
                          .known = known,
                          .live = none,
                          .answered = none,
                          .proven = none,
                          .acked = none,
                          .in = none,
                          .out = none};
}

/* Widens `sum` by another span. */
static inline void tally_span_join(struct tally_span *sum, const struct tally_span *more)
{
    if (more->first_ns == TIME_NONE)
        return;
    if (sum->first_ns == TIME_NONE || more->first_ns < sum->first_ns)
        sum->first_ns = more->first_ns;
    if (sum->last_ns == TIME_NONE || more->last_ns > sum->last_ns)
        sum->last_ns = more->last_ns;
}

static inline void tally_frames_add(struct tally_frames *sum, const struct tally_frames *more)
{
    sum->headed += more->headed;
    sum->headless += more->headless;
    sum->lengthy += more->lengthy;
    sum->nameless += more->nameless;
}

/* Adds `more` to `sum`, of which it is a part, as what another one saw of the interval, or a later one:
 * values, reporters and legs add, spans and the interval widen, and a measure stays known only where both
 * know it. */
static inline void tally_add(struct tally *sum, const struct tally *more)
{
    for (int i = 0; i < TALLY__COUNT; i++)
        sum->value[i] += more->value[i];
    sum->known &= more->known;
    sum->start_ns = more->start_ns < sum->start_ns ? more->start_ns : sum->start_ns;
    sum->end_ns = more->end_ns > sum->end_ns ? more->end_ns : sum->end_ns;
    tally_span_join(&sum->live, &more->live);
    tally_span_join(&sum->answered, &more->answered);
    tally_span_join(&sum->proven, &more->proven);
    tally_span_join(&sum->acked, &more->acked);
    tally_span_join(&sum->in, &more->in);
    tally_span_join(&sum->out, &more->out);
    reporters_merge(sum->reporter, more->reporter);
    for (int i = 0; i < TALLY_LEGS; i++)
        sum->leg[i] += more->leg[i];
    for (int i = 0; i < TALLY_INTERFACES; i++)
        sum->lost[i] += more->lost[i];
    tally_frames_add(&sum->frames, &more->frames);
    sum->legs_in |= more->legs_in;
    sum->legs_out |= more->legs_out;
}
