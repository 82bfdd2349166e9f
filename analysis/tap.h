/* SPDX-License-Identifier: BSD-3-Clause */
/* Is the sensor itself blind? The rest of the tap, what is not watched, is put to the same test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "detect.h"

enum tap_news { TAP_NOTHING, TAP_IMPAIRED, TAP_RESTORED };
enum tap_fall { TAP_STANDS, TAP_MAY_HAVE_FALLEN, TAP_FELL };

/* Plain data. */
struct tap {
    struct population control; /* packets that are not watched */
    double learn_s;
    double recent_seen, recent_expected; /* of them, over about the last twenty expected */
    double watched_s;
    double per_s; /* packets, over about half an hour */
    double lost_per_s,
        lost_share; /* of a blindness in part: the rate before it, and what was left; 0: none */
    double returned_seen, returned_expected; /* since the first packet after a silence */
    bool blind;
    bool unwatched;         /* because nothing was known of an interval; not yet seen again */
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
bool tap_has_control(const struct tap *tap, int64_t at_ns);

/* Whether what other traffic there is has collapsed just now, though the sensor is not yet called blind:
 * silence of anything else proves nothing then. */
bool tap_collapsed(const struct tap *tap);

/* Whether other traffic fell by a good part since an instant, though it did not cease: as when one leg of a
 * mirror is lost. `seen_before` and `per_s_before` are `control.total` and `per_s` of then, `seconds` how
 * long ago it was. When it did, and the sensor is then blamed, it sees again once most of what was lost is
 * back. */
enum tap_fall tap_fell(struct tap *tap, double seen_before, double per_s_before, double seconds);

/* Calls the sensor blind, since an instant, because other traffic has collapsed together with what is
 * watched. */
void tap_blame(struct tap *tap, int64_t since_ns);

/* Whether the interval shows that the sensor sees: other traffic came, or there is none to wait for. */
bool tap_proves(const struct tap *tap, const struct tally *tally);
