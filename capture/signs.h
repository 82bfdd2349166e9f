/* SPDX-License-Identifier: BSD-3-Clause */
/* The signs of life of the interval under way, kept until it ends: only then, with those of all workers in
 * the order of time, is it known which of them begin bursts. */
#pragma once

#include <stddef.h>

#include "burst.h"

/* The scopes that one end of a packet belongs to; each once. */
enum { END_SCOPES_MAX = 8 };

struct end_scopes {
    uint32_t number[END_SCOPES_MAX];
    unsigned count;
};

bool end_scopes_has(const struct end_scopes *scopes, uint32_t number);

/* Adds a scope unless it is there, is none, or there is no room. */
void end_scopes_add(struct end_scopes *scopes, uint32_t number);

/* What a watched side of a flow did, and for whom it counts if it begins a burst. */
struct sign {
    int64_t at_ns;
    uint64_t order;    /* of its packet, among those of the same instant */
    struct flow *flow; /* learns what came of it; NULL: it has ended by then */
    struct burst_triple triple;
    struct end_scopes scopes;
    enum burst_sign kind;
    uint8_t side;
    bool second; /* the sign before it is of the other side, for the same packet: they share scopes */
    bool begun;  /* once judged */
};

/* In the order of time. All zero is an empty one, of which nothing may be asked but signs_clear. */
struct signs {
    struct sign *items;
    size_t count;
};

/* Each flow that ends looks through those that came since it began, and a packet gives up to four. */
enum { SIGNS_MAX = 1 << 15, SIGNS_OF_PACKET = 4 };

/* Makes room for SIGNS_MAX, which takes memory as it is used. -1: no memory. */
int signs_init(struct signs *signs);
void signs_clear(struct signs *signs);

/* Adds a sign, for which there must be room. */
void signs_add(struct signs *signs, const struct sign *sign);

/* Forgets a flow that is about to be freed. */
void signs_forget_flow(struct signs *signs, const struct flow *flow);

/* Lets the signs that the side of a flow has given so far count for one more scope. */
void signs_credit(struct signs *signs, const struct flow *flow, unsigned side, uint32_t scope);

/* Judges the signs of all, and calls `begun` for each that begins a burst, with the number of its set; then
 * the sets are empty. */
enum { SIGNS_SETS_MAX = 64 };
void signs_judge(struct signs *const *sets, size_t set_count, struct burst *burst, void *context,
                 void (*begun)(void *context, size_t set, const struct sign *sign));
