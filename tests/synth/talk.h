/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two ends of a flow say to each other: a plan of steps, made when the flow starts, and the bytes of
 * each. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "script.h"

enum side { SIDE_CLIENT, SIDE_SERVER, SIDE_NONE };

enum message {
    MESSAGE_NONE,
    MESSAGE_HTTP_REQUEST,
    MESSAGE_HTTP_RESPONSE,
    MESSAGE_TLS_HELLO,    /* ClientHello with SNI */
    MESSAGE_TLS_FLIGHT,   /* ServerHello and what follows it, encrypted */
    MESSAGE_TLS_REQUEST,  /* Finished and a request */
    MESSAGE_TLS_RESPONSE, /* */
    MESSAGE_SMTP_GREETING,
    MESSAGE_SMTP_EHLO,
    MESSAGE_SMTP_FEATURES,
    MESSAGE_SMTP_QUIT,
    MESSAGE_SMTP_BYE,
    MESSAGE_OPAQUE,
    MESSAGE_DNS_QUESTION,
    MESSAGE_DNS_ANSWER,
    MESSAGE_NTP_QUESTION,
    MESSAGE_NTP_ANSWER,
    MESSAGE_ECHO,
    MESSAGE_FLOOD, /* what a reflector answers */
};

enum { STEPS_MAX = 24, MESSAGE_MAX_BYTES = 9000 };

/* One packet of the plan. */
struct step {
    uint8_t side, flags, message;
    uint16_t offset, length; /* the part of the message that it carries; `offset` numbers an echo instead */
    uint32_t after_us;       /* since the step before */
};

struct talk {
    enum kind kind;
    const char *name; /* Host, SNI, question, mail host; borrowed */
    uint32_t answer;  /* address in a DNS answer */
    uint32_t salt;    /* what differs between two flows: ids, randoms, pauses */
    uint32_t response_bytes;
    int count;
    struct step step[STEPS_MAX];
};

/* Plans a flow of talk->kind from the other fields. `rtt_us` is the time from the tap to each side and back.
 */
void talk_plan(struct talk *talk, const uint32_t rtt_us[2]);

/* Plans the probe of a scanner: an echo or a SYN, and the refusal or the answer should there be one. */
enum reaction { REACTION_NONE, REACTION_REFUSED, REACTION_OPEN };
void talk_plan_probe(struct talk *talk, enum reaction reaction, const uint32_t rtt_us[2]);

/* Plans what a tap sees of a forged request and of its answer. */
void talk_plan_forged(struct talk *talk, enum seen seen, const uint32_t rtt_us[2]);

/* Writes what a step carries (at most SEGMENT_MAX_BYTES) and returns its length. */
size_t talk_payload(const struct talk *talk, const struct step *step, uint8_t *bytes);
