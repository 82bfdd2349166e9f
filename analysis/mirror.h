/* SPDX-License-Identifier: BSD-3-Clause */
/* The legs of the mirror: what is not watched, by the interface and VLAN by which it came, each leg put to
 * the same test as the whole tap. One that falls silent while others run is lost, and what it carried is not
 * seen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "detect.h"

/* Plain data. */
struct mirror_leg {
    char name[56];
    struct population control; /* packets that are not watched */
    double missed;             /* of them since the leg last brought anything, watched or not */
    bool lost;
    int64_t lost_since_ns;
    double returned_seen, returned_expected; /* since the first packet after its silence */
    uint64_t episode;
    uint32_t sequence;
};

struct mirror {
    uint32_t count, lost; /* legs known; a bit for each that is lost */
    struct mirror_leg leg[TALLY_LEGS];
};

/* How often each leg carried what a scope said and what was said to it, over some hundred intervals in which
 * it did: 0 to 1. */
struct mirror_use {
    double in[TALLY_LEGS], out[TALLY_LEGS];
    double ins, outs;
    double paused_s, paused_in, paused_out; /* since it has been paused: seconds, packets */
};

/* What an interval changed: a bit for each leg. */
struct mirror_news {
    uint32_t lost, back;
};

void mirror_init(struct mirror *mirror);

/* Takes an interval of the tap; `by` are the capture's legs by which anything watched came, a bit each,
 * `names` the capture's (NULL: legs are not known). Legs go by their names: a restart may number them anew.
 * `learn`: the interval may teach; `runs`: the tap as a whole is not silent, so that one leg may be. */
struct mirror_news mirror_step(struct mirror *mirror, const struct tally *tap, uint32_t by,
                               const struct leg_list *names, double half_life_s, double learn_s, bool learn,
                               bool runs, double alarms_per_year);

/* Notes by which legs a scope's packets came in an interval. */
void mirror_note(const struct mirror *mirror, struct mirror_use *use, const struct tally *tally,
                 const struct leg_list *names);

/* Takes an interval in which a scope is paused, with the packets a second that are usual for it each way:
 * where it is all there again by other legs for an hour, it needs those that are lost no more. */
void mirror_pause(const struct mirror *mirror, struct mirror_use *use, const struct tally *tally,
                  double usual_in, double usual_out);

/* Of the legs that carry a good part of what a scope says or is told: whether one is lost; whether one that
 * is not has been quiet for so long that silence of what came by it proves nothing yet. */
bool mirror_pauses(const struct mirror *mirror, const struct mirror_use *use);
bool mirror_doubts(const struct mirror *mirror, const struct mirror_use *use);
