/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg that carries nothing but what is watched cannot be told from an outage of it, and so is never called
 * lost: only packets that are not watched are missed, but whatever comes shows that the leg is there.
 */
#include "mirror.h"

#include <math.h>
#include <string.h>

static const double control_least = 100; /* packets learned from before a leg is judged */
static const double nothing_share =
    0.9;                       /* of a silence: so much of it nothing watched came by the leg either */
static const double quiet = 3; /* score of a silence: a leg so quiet may be lost */
static const double carries_least = 0.2; /* of the intervals, to be a good part */
static const double use_memory = 200;    /* intervals */
static const double elsewhere_s = 3600, all_share = 0.8;
static const double back_packets = 10, back_share = 0.3;

void mirror_init(struct mirror *mirror)
{
    memset(mirror, 0, sizeof *mirror);
}

/* The place of a leg; new ones are added, and beyond sixteen names all are the last. */
static uint32_t place_of(const struct mirror *mirror, const char *name)
{
    uint32_t place = 0;
    while (place < mirror->count && strcmp(mirror->leg[place].name, name) != 0)
        place++;
    return place < TALLY_LEGS ? place : TALLY_LEGS - 1;
}

static struct mirror_leg *leg_of(struct mirror *mirror, const char *name, double half_life_s)
{
    uint32_t place = place_of(mirror, name);
    struct mirror_leg *leg = &mirror->leg[place];
    if (place == mirror->count) {
        memcpy(leg->name, name, sizeof leg->name);
        detect_init(&leg->control, half_life_s);
        mirror->count++;
    }
    return leg;
}

static bool is_witness(const struct mirror_leg *leg, double learn_s)
{
    struct baseline_cell learned = baseline_learned(&leg->control.baseline);
    return learned.events >= control_least && learned.seconds >= learn_s;
}

/* Whether a lost leg is back: a stray packet is no return. */
static bool comes_back(struct mirror_leg *leg, double seen, double expected)
{
    if (seen > 0 || leg->returned_expected > 0) {
        leg->returned_seen += seen;
        leg->returned_expected += expected;
    }
    bool back = leg->returned_seen >= back_share * fmax(leg->returned_expected, back_packets);
    if (back || leg->returned_expected > 2 * back_packets)
        leg->returned_seen = leg->returned_expected = 0;
    return back;
}

static bool is_silent(const struct mirror_leg *leg, double score)
{
    return detect_score(&leg->control) >= score && leg->missed >= nothing_share * leg->control.expected;
}

static void take_leg(struct mirror_leg *leg, const struct tally *tap, double seen, bool touched, bool learn)
{
    double before = leg->control.total_prudent;
    const struct detect_input input = {.start_ns = tap->start_ns,
                                       .end_ns = tap->end_ns,
                                       .signs = seen,
                                       .events = seen,
                                       .span = {TIME_NONE, TIME_NONE},
                                       .proven = true,
                                       .teach = learn && !leg->lost,
                                       .ordinary = learn && !leg->lost};
    detect_step(&leg->control, &input);
    double expected = leg->control.total_prudent - before;
    leg->missed = seen > 0 || touched ? 0 : leg->missed + expected;
}

struct mirror_news mirror_step(struct mirror *mirror, const struct tally *tap, uint32_t by,
                               const struct leg_list *names, double half_life_s, double learn_s, bool learn,
                               bool runs, double alarms_per_year)
{
    struct mirror_news news = {0, 0};
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        double seen = (double)tap->leg[i];
        bool touched = (by >> i) & 1;
        if (seen <= 0 && !touched && place_of(mirror, names->text[i]) == mirror->count)
            continue; /* a reader ahead of the owners of flows has met it, in an interval to come */
        struct mirror_leg *leg = leg_of(mirror, names->text[i], half_life_s);
        uint32_t bit = 1U << (leg - mirror->leg);
        double before = leg->control.total_prudent;
        take_leg(leg, tap, seen, touched, learn);
        if (leg->lost) {
            leg->lost = !comes_back(leg, seen, leg->control.total_prudent - before);
            news.back |= leg->lost ? 0 : bit;
        } else if (runs && is_witness(leg, learn_s) &&
                   is_silent(leg, detect_threshold(&leg->control, alarms_per_year))) {
            leg->lost = true;
            leg->lost_since_ns = leg->control.last_ns;
            news.lost |= bit;
        }
    }
    mirror->lost = (mirror->lost | news.lost) & ~news.back;
    return news;
}

static void note(double share[TALLY_LEGS], double *intervals, uint32_t places, uint32_t lost)
{
    if (places == 0)
        return;
    *intervals = fmin(*intervals + 1, use_memory);
    for (uint32_t i = 0; i < TALLY_LEGS; i++)
        if (!((lost >> i) & 1)) /* which says nothing of its use */
            share[i] += (((places >> i) & 1) - share[i]) / *intervals;
}

void mirror_note(const struct mirror *mirror, struct mirror_use *use, const struct tally *tally,
                 const struct leg_list *names)
{
    uint32_t in = 0, out = 0;
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        uint32_t place = place_of(mirror, names->text[i]);
        in |= ((tally->legs_in >> i) & 1) << place;
        out |= ((tally->legs_out >> i) & 1) << place;
    }
    note(use->in, &use->ins, in, mirror->lost);
    note(use->out, &use->outs, out, mirror->lost);
}

void mirror_pause(const struct mirror *mirror, struct mirror_use *use, const struct tally *tally,
                  double usual_in, double usual_out)
{
    use->paused_s += clock_seconds(tally->start_ns, tally->end_ns);
    use->paused_in += (double)tally->value[TALLY_packets_in];
    use->paused_out += (double)tally->value[TALLY_packets_out];
    if (use->paused_s < elsewhere_s)
        return;
    bool all_there = use->paused_in >= all_share * usual_in * use->paused_s &&
                     use->paused_out >= all_share * usual_out * use->paused_s;
    use->paused_s = use->paused_in = use->paused_out = 0;
    for (uint32_t i = 0; all_there && i < mirror->count; i++)
        if (mirror->leg[i].lost)
            use->in[i] = use->out[i] = 0;
}

static bool carries(const struct mirror_use *use, uint32_t leg)
{
    return use->in[leg] >= carries_least || use->out[leg] >= carries_least;
}

bool mirror_pauses(const struct mirror *mirror, const struct mirror_use *use)
{
    for (uint32_t i = 0; mirror->lost != 0 && i < mirror->count; i++)
        if (mirror->leg[i].lost && carries(use, i))
            return true;
    return false;
}

bool mirror_doubts(const struct mirror *mirror, const struct mirror_use *use)
{
    for (uint32_t i = 0; mirror->count > 1 && i < mirror->count; i++)
        if (!mirror->leg[i].lost && carries(use, i) && is_silent(&mirror->leg[i], quiet))
            return true;
    return false;
}
