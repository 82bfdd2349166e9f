/* SPDX-License-Identifier: BSD-3-Clause */
/* How much of each frame reaches the sensor: a snapshot length that changes, or a mirror that begins to cut,
 * takes names or headers away, and what is told by them is not seen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "tally.h"

enum snaplen_news {
    SNAPLEN_NOTHING,
    SNAPLEN_CUT,
    SNAPLEN_RESTORED, /* it is as it was */
    SNAPLEN_ACCEPTED  /* it has been so for an hour, and is normal */
};

/* The frames of late from which something could have been cut, and those from which it was. */
struct snaplen_share {
    double frames, cut;
    bool known, lost;
    int64_t whole_ns; /* when hardly any were cut last … */
    double since;     /* … and the frames that came then */
};

/* Plain data. */
struct snaplen {
    struct snaplen_share names, headers;
    enum cut usual;   /* what is always cut off */
    enum cut told;    /* of the change that is told, or was last */
    bool changed;     /* one is told and goes on */
    int64_t since_ns; /* it came */
    uint64_t episode;
    uint32_t sequence;
};

void snaplen_init(struct snaplen *snaplen);

/* Takes an interval of the tap. Headers that are lost never become normal: nothing can be said without. */
enum snaplen_news snaplen_step(struct snaplen *snaplen, const struct tally *tap);

/* Whether a scope is not seen for what is cut off more than usually; and whether it may be so, and a few more
 * frames will show. `by_name`: it is known by names alone. */
bool snaplen_pauses(const struct snaplen *snaplen, bool by_name);
bool snaplen_doubts(const struct snaplen *snaplen, bool by_name, int64_t now_ns);
