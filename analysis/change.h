/* SPDX-License-Identifier: BSD-3-Clause */
/* When did the rate change? The recent past of a scope, and between which instants it fell or came back. */
#pragma once

#include <stdint.h>

#include "clock.h"
#include "tally.h"

enum { CHANGE_PIECES = 256 };

/* The stretch from the piece before it up to `to_ns`. Of the clusters of signs of life that began in it
 * `within` came anywhere, and `at_end` at its very end. */
struct change_piece {
    int64_t to_ns;
    double expected, within, at_end;
};

/* Kept fine where it matters: a piece is hardly longer than a small part of its distance, in clusters
 * expected, from the present, or from an instant to be remembered. Plain data. */
struct change {
    int64_t from_ns;   /* where the first piece begins; TIME_NONE: nothing was watched yet */
    int64_t unseen_ns; /* what lies between this and from_ns was not watched; TIME_NONE: it was, or does not
                          matter */
    int64_t pin_ns;    /* the instant to be remembered; TIME_NONE: the present */
    double quiet;      /* signs of life expected since the last one */
    uint32_t count;
    struct change_piece pieces[CHANGE_PIECES];
};

/* An instant as far as it is known, and the clusters seen and expected since the best guess. */
struct change_found {
    int64_t best_ns, earliest_ns, latest_ns;
    double seen, expected;
};

/* What came in an interval: signs of life, the first and the last of them where that is known. They cluster:
 * so many together on average, with less than `gap` expected between them. */
struct change_step {
    int64_t start_ns, end_ns;
    double expected, seen;
    struct tally_span span;
    double cluster, gap;
};

/* Forgets everything; what lay before was not watched, or was another outage. */
void change_restart(struct change *change);

/* The same, but that it is the same story that goes on: an instant found where the watch begins again may lie
 * as far back as `unseen_ns`. */
void change_bridge(struct change *change, int64_t unseen_ns);

/* Takes an interval; returns the number of clusters that began in it. */
double change_take(struct change *change, const struct change_step *step);

/* Remembers an instant, or with TIME_NONE the present again. */
void change_pin(struct change *change, int64_t at_ns);

/* The instant at which the rate fell from what is expected, known as of a Gamma distribution of this shape,
 * to an unknown part of it, `most` at the most. The interval holds it with a probability of at least nine
 * tenths. Something must have been taken before. */
struct change_found change_fall(const struct change *change, double shape, double most);

/* The instant after `since_ns` at which something came back, at once or slowly. Where nothing had been left,
 * `first_ns` tells the first sign of life that seemed to belong to it (else TIME_NONE): the return began
 * before that, unless what followed speaks against it. */
struct change_found change_return(const struct change *change, int64_t since_ns, int64_t first_ns);
