/* SPDX-License-Identifier: BSD-3-Clause */
#include "tcp.h"

#include "clock.h"

enum {
    REACH_BYTES = 1 << 16,   /* what may come out of order, or twice */
    LEAP_BYTES = 1 << 24,    /* more than a connection has under way */
    BEFORE_BYTES = 1U << 30, /* as good as all that came before the first packet */
    COUNT_MAX = UINT8_MAX
};

#define ASKED_MASK ((1ULL << 56) - 1) /* of tcp->asked_ns */

/* How far `to` is ahead of `from`; negative: behind. */
static int32_t ahead(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

static bool is_near(int32_t distance, int32_t bytes)
{
    return distance >= -bytes && distance <= bytes;
}

/* The side is known from this segment on; before a SYN there is nothing that could have been missed. */
static void begin_side(struct tcp_side *own, uint32_t sequence, uint32_t end, bool is_syn)
{
    own->next = end;
    own->first = own->gap_to = sequence;
    own->gap_from = is_syn ? sequence : sequence - BEFORE_BYTES;
    own->known &= (uint8_t) ~(TCP_NEXT_BARE | TCP_GAP_SURE);
    own->known |= TCP_NEXT | (end == sequence ? TCP_NEXT_BARE : 0);
}

/* The bytes from `next` to a segment that came too early are missing. */
static void open_gap(struct tcp_side *own, uint32_t sequence)
{
    bool join = own->gap_from != own->gap_to && ahead(own->gap_from, sequence) <= REACH_BYTES;
    own->known &= (uint8_t)~TCP_GAP_SURE;
    if (!join) {
        own->gap_from = own->next;
        own->known |= TCP_GAP_SURE;
    }
    own->gap_to = sequence;
}

/* Takes what a segment brings out of the gap; what it leaves at both ends stays one gap. Returns whether the
 * segment touches it. */
static bool fill_gap(struct tcp_side *own, uint32_t sequence, uint32_t end)
{
    if (own->gap_from == own->gap_to || ahead(sequence, own->gap_to) <= 0 || ahead(own->gap_from, end) <= 0)
        return false;
    bool from_left = ahead(sequence, own->gap_from) >= 0, to_right = ahead(own->gap_to, end) >= 0;
    if (from_left && to_right)
        own->gap_from = own->gap_to;
    else if (from_left)
        own->gap_from = end;
    else if (to_right)
        own->gap_to = sequence;
    else
        own->known &= (uint8_t)~TCP_GAP_SURE;
    return true;
}

static void rise_to(struct tcp_side *own, uint32_t end)
{
    own->next = end;
    own->known &= (uint8_t)~TCP_NEXT_BARE;
    if (ahead(own->gap_to, end) > LEAP_BYTES)
        own->gap_from = own->gap_to; /* before its numbers come round again */
}

/* Whether a segment that occupies sequence space was all seen before. */
static bool take_bytes(struct tcp_side *own, uint32_t sequence, uint32_t end, bool is_data)
{
    if (ahead(own->next, sequence) > 0)
        open_gap(own, sequence);
    bool fills = fill_gap(own, sequence, end);
    if (ahead(own->next, end) > 0) {
        rise_to(own, end);
        return false;
    }
    bool keep_alive = is_data && end == own->next && end - sequence == 1;
    return !fills && !keep_alive;
}

/* A SYN that is not one of the connection known: of another attempt over the same ports. */
static bool is_new_syn(const struct tcp_side *own, uint32_t sequence)
{
    int32_t behind = ahead(sequence, own->next);
    return !(own->known & TCP_NEXT) || behind <= 0 || behind > REACH_BYTES;
}

static void take_sequence(struct tcp *tcp, struct tcp_side *own, const struct packet *packet)
{
    uint32_t sequence = packet->tcp_sequence;
    bool is_syn = (packet->tcp_flags & TCP_SYN) != 0, is_fin = (packet->tcp_flags & TCP_FIN) != 0;
    uint32_t end = sequence + packet->payload_bytes + is_syn + is_fin;
    own->known &= (uint8_t)~TCP_ASKING;
    if (packet->fragment) {
        own->known &= (uint8_t) ~(TCP_NEXT | TCP_NEXT_BARE);
    } else if (is_syn && is_new_syn(own, sequence)) {
        if (!(packet->tcp_flags & TCP_ACK))
            own->known = TCP_OPENED;
        begin_side(own, sequence, end, true);
        own->known |= TCP_ASKING;
        tcp->asked_ns = (uint64_t)packet->time_ns & ASKED_MASK;
    } else if (!(own->known & TCP_NEXT) || !is_near(ahead(own->next, sequence), LEAP_BYTES)) {
        begin_side(own, sequence, end, false);
    } else if (end != sequence && take_bytes(own, sequence, end, !is_syn && !is_fin)) {
        tcp->news |= TCP_RETRANSMIT;
    }
}

static void take_answer(struct tcp *tcp, struct tcp_side *own, struct tcp_side *other,
                        const struct packet *packet)
{
    int32_t below = ahead(packet->tcp_ack, other->next);
    bool is_syn = (packet->tcp_flags & TCP_SYN) != 0, to_syn = (other->known & TCP_OPENED) != 0;
    if (!(other->known & TCP_ASKING) || below < 0 || below > REACH_BYTES)
        return;
    other->known &= (uint8_t)~TCP_ASKING;
    if (is_syn != to_syn)
        return; /* the SYN-ACK was missed, or two SYNs crossed */
    uint64_t took_us = (((uint64_t)packet->time_ns - tcp->asked_ns) & ASKED_MASK) / NS_PER_US;
    own->round_trip_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
    own->known |= TCP_TIMED;
    tcp->news |= TCP_ANSWER;
}

/* Whether an acknowledgement that rises, or is the first of its side, covers more than the tap has seen of
 * the other side. */
static bool covers_unseen(const struct tcp_side *own, const struct tcp_side *other, uint32_t ack)
{
    int32_t beyond = ahead(other->next, ack), slack = other->known & TCP_NEXT_BARE ? 1 : 0;
    bool is_first = !(own->known & TCP_ACKED);
    if (!is_near(beyond, LEAP_BYTES))
        return false;
    return beyond > slack ||
           ((other->known & TCP_GAP_SURE) && other->gap_from != other->gap_to &&
            ahead(other->gap_from, ack) > 0 && (is_first || ahead(own->ack, other->gap_to) > 0));
}

static void take_ack(struct tcp *tcp, struct tcp_side *own, const struct tcp_side *other,
                     const struct packet *packet, bool other_spoke)
{
    uint32_t ack = packet->tcp_ack;
    bool is_syn = (packet->tcp_flags & TCP_SYN) != 0, is_first = !(own->known & TCP_ACKED);
    int32_t rise = is_first ? 0 : ahead(own->ack, ack);
    bool rises = rise > 0 && rise <= LEAP_BYTES;
    bool proves = !is_syn && (rises || (is_first && (own->known & TCP_OPENED)));
    if (proves)
        tcp->news |= TCP_PROOF;
    bool unseen = other->known & TCP_NEXT ? (rises || is_first) && covers_unseen(own, other, ack)
                                          : proves && !other_spoke;
    if (unseen)
        tcp->news |= TCP_UNSEEN_ACK;
    if (is_first || is_syn || rise > 0 || rise < -LEAP_BYTES)
        own->ack = ack;
    own->known |= TCP_ACKED;
}

/* Whether an acknowledgement is of something that the tap has seen of the other side. */
static bool is_heard(const struct tcp_side *other, uint32_t ack)
{
    int32_t below = ahead(ack, other->next);
    return (other->known & TCP_NEXT) && below >= 0 && below <= REACH_BYTES && ahead(other->first, ack) > 0;
}

static void add_one(uint8_t *count)
{
    if (*count < COUNT_MAX)
        ++*count;
}

void tcp_packet(struct tcp *tcp, const struct packet *packet, unsigned side, bool other_spoke)
{
    struct tcp_side *own = &tcp->side[side], *other = &tcp->side[!side];
    tcp->news = (packet->tcp_flags & TCP_ACK) && is_heard(other, packet->tcp_ack) ? TCP_HEARD : 0;
    if (packet->tcp_flags & TCP_RST) {
        own->known &= (uint8_t)~TCP_ASKING;
        other->known &= (uint8_t)~TCP_ASKING;
        return;
    }
    if (packet->tcp_flags & TCP_ACK) {
        take_answer(tcp, own, other, packet);
        take_ack(tcp, own, other, packet, other_spoke);
    }
    take_sequence(tcp, own, packet);
    if (tcp->news & TCP_RETRANSMIT)
        add_one(&own->retransmits);
    if (tcp->news & TCP_UNSEEN_ACK)
        add_one(&own->unseen_acks);
}
