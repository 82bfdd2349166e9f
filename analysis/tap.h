/* SPDX-License-Identifier: BSD-3-Clause */
/* Is the sensor itself blind? The rest of the tap, what is not watched, is put to the same test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "detect.h"
#include "snaplen.h"
#include "thinness.h"

enum tap_news { TAP_NOTHING, TAP_IMPAIRED, TAP_RESTORED };
enum tap_fall { TAP_STANDS, TAP_MAY_HAVE_FALLEN, TAP_FELL };

/* Other traffic as it stood at an instant. */
struct tap_mark {
    int64_t at_ns;
    double seen;  /* packets since the start */
    double per_s; /* of late */
};

/* Plain data. */
struct tap {
    struct population control; /* packets that are not watched */
    struct thinness thinness;  /* of them */
    double learn_s;
    double recent_seen, recent_expected; /* of them, over about the last twenty expected */
    double watched_s;
    double per_s;       /* packets, over about half an hour */
    double lost_of_day; /* what was usual for the hour before it */
    double lost_per_s,
        lost_share; /* of a blindness in part: the rate before it, and what was left; 0: none */
    double returned_seen, returned_expected; /* since the first packet after a silence */
    bool blind;
    bool deaf;      /* because the watched side is not heard, though others acknowledge what it said */
    double sampled; /* because one packet in so many comes now; 0: not that */
    bool unwatched; /* because nothing was known of an interval; not yet seen again */
    struct snaplen snaplen; /* how much of each frame comes */
    int64_t blind_since_ns; /* the last packet before the tap fell silent, or the begin of that interval */
    uint64_t episode;
    uint32_t sequence;
};

/* `learn_s`: seconds to learn from before the tap counts as a witness. */
void tap_init(struct tap *tap, double half_life_s, double learn_s);

/* Takes an interval's packets that are not watched. An interval of which no measure is known is one in which
 * the sensor did not see: it is impaired at once, with or without other traffic, and until that has returned,
 * or anything is known again where there is none to wait for. */
enum tap_news tap_step(struct tap *tap, const struct tally *tally, double alarms_per_year);

/* Whether the tap carries enough other traffic to compare with. */
bool tap_has_control(const struct tap *tap);

/* Whether what other traffic there is has collapsed just now, though the sensor is not yet called blind:
 * silence of anything else proves nothing then. */
bool tap_collapsed(const struct tap *tap);

struct tap_mark tap_mark(const struct tap *tap, int64_t at_ns);

/* What lies between two instants was not watched: goes on at the second, and makes of a mark from before the
 * first one that can be compared with. */
void tap_bridge(struct tap *tap, int64_t to_ns);
void tap_mark_bridge(const struct tap *tap, struct tap_mark *mark, int64_t from_ns, int64_t to_ns);

/* Whether other traffic fell by a good part from a mark to now, though it did not cease: as when one leg of a
 * mirror is lost. Less than before may be usual for the hours, and is then no loss. When it did fall, and the
 * sensor is then blamed, it sees again once most of what was lost is back. */
enum tap_fall tap_fell(struct tap *tap, const struct tap_mark *before, int64_t now_ns);

/* Since when other traffic has been thinner than chance makes it; TIME_NONE: it is not. */
int64_t tap_thin_since(struct tap *tap, double alarms_per_year);

/* Calls the sensor blind, since an instant, because other traffic has collapsed together with what is
 * watched. */
void tap_blame(struct tap *tap, int64_t since_ns);

/* Calls the sensor deaf since an instant: a leg of the mirror is lost. It sees again once what the watched
 * side sends is seen again: `heard` packets of the interval. */
void tap_go_deaf(struct tap *tap, int64_t since_ns);
enum tap_news tap_hear(struct tap *tap, double heard);

/* Whether the interval shows that the sensor sees: other traffic came, or there is none to wait for. */
bool tap_proves(const struct tap *tap, const struct tally *tally);
