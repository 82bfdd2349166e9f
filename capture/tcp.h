/* SPDX-License-Identifier: BSD-3-Clause */
/* What a TCP connection proves beyond its packets: round trips, repeats, and the words of a side that the tap
 * did not hear. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "packet.h"

/* What the latest packet of a connection told. */
enum tcp_news {
    TCP_RETRANSMIT = 1, /* all the sequence space that it occupies had been seen before in its direction */
    TCP_UNSEEN_ACK = 2, /* it acknowledges bytes of the other side that the tap has not seen */
    TCP_PROOF = 4,      /* its acknowledgement proves that the other side answers */
    TCP_ANSWER = 8,     /* it answers the other side's SYN or SYN-ACK: round_trip_us is known */
    TCP_HEARD = 16      /* it acknowledges what the tap has seen of the other side: its sender hears that */
};

/* What is known of a side. */
enum tcp_known {
    TCP_NEXT = 1,      /* next and the gap */
    TCP_NEXT_BARE = 2, /* … from a segment without a byte, which a keep-alive sends one below */
    TCP_ACKED = 4,     /* ack */
    TCP_OPENED = 8,    /* its bare SYN was seen */
    TCP_ASKING = 16,   /* its SYN or SYN-ACK came once and has no answer yet */
    TCP_TIMED = 32,    /* round_trip_us */
    TCP_GAP_SURE = 64  /* that not one byte of the gap was seen */
};

/* One side, in sequence numbers modulo 2^32. [gap_from, gap_to) holds every byte shortly below `next` that
 * may not have been seen: holes in the order of arrival, or what came before the first packet. */
struct tcp_side {
    uint32_t next;  /* the number behind the highest byte seen */
    uint32_t first; /* the first number seen, since the side is known */
    uint32_t gap_from, gap_to;
    uint32_t ack;                     /* the highest acknowledgement that it sent */
    uint32_t round_trip_us;           /* how long its answer to the other's SYN or SYN-ACK took */
    uint8_t known;                    /* enum tcp_known */
    uint8_t retransmits, unseen_acks; /* packets so far, up to 255 */
};

/* A connection; all zero before its first packet. */
struct tcp {
    struct tcp_side side[2];
    uint64_t
        asked_ns : 56; /* when the SYN or SYN-ACK came that is TCP_ASKING, without what is above two years */
    uint64_t news : 8; /* enum tcp_news of the latest packet */
};

/* Takes the next packet, which `side` sent; `other_spoke` says whether the other side has sent any in this
 * flow.
 *
 * A round trip is the time from a SYN to the SYN-ACK, or from a SYN-ACK to the ACK, that acknowledges it, if
 * what asks came once and nothing else of its side in between (Karn's rule).
 *
 * A retransmission is a segment of payload, SYN or FIN (RST is none, nor is a first fragment, whose end is
 * not known) that lies below the highest byte seen and outside the gap. A byte or none just below it is a
 * keep-alive, as in tshark. Holes less than 64 KiB apart are held as one gap, from the first to the last; of
 * those further apart only the newest is held, so that a late byte for an older one counts as sent again.
 *
 * Acknowledgements count only where they rise, so each proves its stretch once, and by no more than 16 MiB:
 * what leaps further is forged or belongs to another connection. TCP_PROOF is the first ACK after the side's
 * own SYN, or one that rises. It is TCP_UNSEEN_ACK where it covers for the first time a number above the
 * highest byte seen of the other side, or in its gap when not one byte of that was seen, or, being a
 * TCP_PROOF, where the other side was never heard. A mirror that delays one direction against the other makes
 * bytes unseen for a moment. A SYN-ACK to nobody's SYN proves nothing: whoever forges addresses gets
 * them sent to others.
 *
 * It is TCP_HEARD when its number lies above the first one seen of the other side, and at most at, and not
 * 64 KiB below, the highest: whoever only forges addresses does not see what is sent to them, and would have
 * to guess one number, or few, of 2^32. A RST may tell it too. */
void tcp_packet(struct tcp *tcp, const struct packet *packet, unsigned side, bool other_spoke);
