/* SPDX-License-Identifier: BSD-3-Clause */
/* The values of a script's keys: each function reads one text into the field of one type. They return NULL,
 * or what is wrong with the text, said so that it can follow it ("is not a duration such as 90s or 1h30m").
 * Lists append. */
#pragma once

#include "script.h"

#define VALUE(name) const char *value_##name(const struct script *script, const char *text, void *field)

VALUE(instant);   /* int64_t, ns: 2025-06-06 17:23:41.6 (UTC), or +3h after the scenario's start */
VALUE(duration);  /* int64_t, ns: 250ms 90s 10m 1h30m 2d */
VALUE(zone);      /* int64_t, ns: +9h, -3h30m */
VALUE(rate);      /* double a minute: 12, 12/min, 0.4/s, 30/h */
VALUE(share);     /* double 0 to 1: 0.3, 30% */
VALUE(factor);    /* double 0 to 1000 */
VALUE(number);    /* uint32_t */
VALUE(seed);      /* uint64_t */
VALUE(short);     /* uint16_t */
VALUE(byte);      /* uint8_t, 1 to 255 */
VALUE(name);      /* char[NAME_MAX_BYTES], one word */
VALUE(note);      /* struct notes: one more line */
VALUE(names);     /* struct names: words */
VALUE(ports);     /* struct ports */
VALUE(addresses); /* struct ranges: 10.0.0.0/8 192.0.2.1 192.0.2.10-192.0.2.20 */
VALUE(address);   /* uint32_t */
VALUE(mac);       /* uint8_t[6] */
VALUE(turn);      /* struct turn: step, ramp 10m, ragged 40m */
VALUE(flicker);   /* struct flickers: INSTANT for DURATION [: who …] */
VALUE(surge);     /* struct surge: 40/s for 20m */
VALUE(inbound);   /* enum inbound: persists, ceases, withdrawn */
VALUE(refusal);   /* struct refusal: 10%, 10% host-unreachable by router, ADDRESS or host */
VALUE(speaks);    /* enum kind: udp, tcp, ping */
VALUE(seen);      /* enum seen: both, requests, answers */
VALUE(loss);      /* struct loss: everything, inbound, outbound, 20% */
