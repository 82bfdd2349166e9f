/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sensor sees: the tap, the legs of the mirror, the length of frames; and whether a silence is its
 * own. */
#include <math.h>

#include "series.h"

static const double acks_least = 5,
                    acks_times = 10; /* unseen words acknowledged, at least, and over the usual */
static const double sampled_least = 3, sampled_apart = 0.7; /* packets each way; a factor of two */
static const int64_t sampled_least_ns = 120 * NS_PER_S;     /* that it lasts: a dip is none */

static bool any_open(const struct analysis *analysis)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (analysis->series[i].episode.open)
            return true;
    return false;
}

static void go_blind(struct analysis *analysis)
{
    tell_sensor(analysis, EVENT_SENSOR_IMPAIRED);
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        analysis->series[i].state = STATE_BLIND;
}

/* What other traffic brought while nothing was seen is not to be missed: marks begin anew too. */
static void see_again(struct analysis *analysis, struct series *series)
{
    series_watch_anew(series, analysis->end_ns);
    thinness_reset(&series->thinness);
    witness_mark(analysis, series);
    series->so_far.tap = tap_mark(&analysis->tap, analysis->end_ns);
    series->at_last_life = series->so_far;
    series->past.count = 0;
    past_keep(&series->past, &series->so_far, analysis->end_ns, 0);
    series->state = series->episode.open ? STATE_DOWN : STATE_LEARNING;
}

/* The legs of the tap as a whole are judged as long as it is seen at all and has not collapsed with them;
 * what they bring during an outage is not what is usual. */
static void take_legs(struct analysis *analysis, const struct tally *tallies)
{
    const struct leg_list *names = analysis->scopes->legs;
    const struct tally *tap_tally = &tallies[scope_number_tap(analysis->scopes)];
    struct tap *tap = &analysis->tap;
    uint32_t by = 0;
    for (uint32_t i = 0; i < scope_number_tap(analysis->scopes); i++)
        by |= tallies[i].legs_in | tallies[i].legs_out;
    bool learn = !tap->blind && !snaplen_pauses(&tap->snaplen, false) && !any_open(analysis),
         runs = !tap->blind && !tap_collapsed(tap);
    struct mirror_news news =
        mirror_step(&analysis->mirror, tap_tally, by, names, analysis->options.half_life_s, tap->learn_s,
                    learn, runs, analysis->alarms_per_year);
    for (uint32_t i = 0; i < TALLY_LEGS; i++) {
        if ((news.lost >> i) & 1)
            tell_leg(analysis, i, EVENT_SENSOR_IMPAIRED);
        if ((news.back >> i) & 1)
            tell_leg(analysis, i, EVENT_SENSOR_RESTORED);
    }
}

/* Names are cut off for so long that this is how it is: services that are known by them are learned anew. One
 * that is down stays so till its name is seen again. */
static void forget_names(struct analysis *analysis)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *series = &analysis->series[i];
        if (!scope_is_by_name(analysis->scopes, i) || series->episode.open)
            continue;
        for (int w = 0; w < WITNESS__COUNT; w++)
            detect_init(&series->life[w], analysis->options.half_life_s);
        thinness_init(&series->thinness);
    }
}

static void take_frames(struct analysis *analysis, const struct tally *tap)
{
    switch (snaplen_step(&analysis->tap.snaplen, tap)) {
    case SNAPLEN_CUT:
        tell_snaplen(analysis, EVENT_SENSOR_IMPAIRED);
        break;
    case SNAPLEN_ACCEPTED:
        forget_names(analysis);
        /* fall through */
    case SNAPLEN_RESTORED:
        tell_snaplen(analysis, EVENT_SENSOR_RESTORED);
        break;
    case SNAPLEN_NOTHING:
        break;
    }
}

/* What is not watched, without the routers' words about what is: those grow with a surge towards it, or cease
 * with it, and so are no control. */
static struct tally control_of(const struct tally *tap, const struct tally *all)
{
    struct tally control = *tap;
    if (tally_knows(tap, TALLY_packets_in) && tally_knows(all, TALLY_icmp_errors) &&
        tally_knows(all, TALLY_icmp_own)) {
        uint64_t errors = all->value[TALLY_icmp_errors], own = all->value[TALLY_icmp_own],
                 words = errors > own ? errors - own : 0, *packets = &control.value[TALLY_packets_in];
        *packets -= words < *packets ? words : *packets;
    }
    return control;
}

void sight_take(struct analysis *analysis, const struct tally *tallies)
{
    uint32_t tap_number = scope_number_tap(analysis->scopes);
    struct tap *tap = &analysis->tap;
    struct series *series = &analysis->series[tap_number];
    const struct tally control = control_of(&tallies[tap_number], &tallies[SCOPE_NUMBER_ALL]);
    double expected = tap->control.total_expected;
    enum tap_news news = tap_step(tap, &control, analysis->alarms_per_year);
    series->bin_expected += tap->control.total_expected - expected;
    series->state = tap_has_control(tap) ? STATE_UP : STATE_LEARNING;
    if (news == TAP_NOTHING)
        news = tap_hear(tap, (double)tallies[SCOPE_NUMBER_ALL].value[TALLY_packets_out]);
    if (news == TAP_IMPAIRED)
        go_blind(analysis);
    else if (news == TAP_RESTORED)
        tell_sensor(analysis, EVENT_SENSOR_RESTORED);
    take_legs(analysis, tallies);
    take_frames(analysis, &tallies[tap_number]);
    if (tap->blind || snaplen_pauses(&tap->snaplen, false))
        series->state = STATE_BLIND;
    analysis->tap_now = tallies[tap_number];
}

bool sight_misses(struct analysis *analysis, uint32_t number, const struct tally *tally)
{
    struct series *series = &analysis->series[number];
    mirror_note(&analysis->mirror, &series->use, tally, analysis->scopes->legs);
    bool paused = mirror_pauses(&analysis->mirror, &series->use);
    bool unseen = analysis->tap.blind || paused ||
                  snaplen_pauses(&analysis->tap.snaplen, scope_is_by_name(analysis->scopes, number));
    const struct trend *trend = &series->so_far.trend;
    if (paused)
        mirror_pause(&analysis->mirror, &series->use, tally, trend_usual(trend, TALLY_packets_in),
                     trend_usual(trend, TALLY_packets_out));
    else
        series->use.paused_s = series->use.paused_in = series->use.paused_out = 0;
    if (unseen)
        series->state = STATE_BLIND;
    else if (series->state == STATE_BLIND)
        see_again(analysis, series);
    return unseen;
}

/* Whether those who speak with it acknowledge words that the sensor did not see, far more than is usual. */
static bool others_hear_it(const struct episode_mark *before, const struct episode_mark *now)
{
    double acks = trend_since(&before->trend, &now->trend, TALLY_unseen_acks_in),
           usual = trend_usual(&before->trend, TALLY_unseen_acks_in) *
                   (now->trend.seconds - before->trend.seconds);
    return acks >= acks_least && acks > acks_times * usual;
}

/* One packet in how many is seen since a mark, where what is watched has fallen in both directions by about
 * the same share as what is not; 0: it is not that. */
static double sampled_one_in(const struct episode_mark *before, const struct episode_mark *now, double share)
{
    static const enum tally_measure both[] = {TALLY_packets_in, TALLY_packets_out};
    double seconds = now->trend.seconds - before->trend.seconds;
    for (int i = 0; i < 2; i++) {
        double seen = trend_since(&before->trend, &now->trend, both[i]),
               expected = trend_fast(&before->trend, both[i]) * seconds;
        if (seen < sampled_least || !(expected > 0) || fabs(log(seen / (expected * share))) > sampled_apart)
            return 0;
    }
    return 1 / share;
}

/* Other traffic that has become thin says nothing of the sensor, unless what is watched has by the same
 * share, both ways. The one alone wears off as its level is learned, before the other is judged. */
void sight_judge_sampling(struct analysis *analysis)
{
    struct series *all = &analysis->series[SCOPE_NUMBER_ALL];
    struct tap *tap = &analysis->tap;
    int64_t since_ns = tap_thin_since(tap, analysis->alarms_per_year);
    if (since_ns == TIME_NONE || analysis->end_ns - since_ns < sampled_least_ns || all->episode.open ||
        analysis->mirror.lost != 0)
        return;
    const struct episode_mark *before = past_at(&all->late, since_ns);
    if (before == NULL || tap_fell(tap, &before->tap, analysis->end_ns) != TAP_FELL)
        return;
    double sampled = sampled_one_in(before, &all->so_far, tap->lost_share);
    if (sampled < 2) { /* one packet in two is the least that a mirror leaves out */
        tap->lost_per_s = 0;
        return;
    }
    tap_blame(tap, since_ns);
    tap->sampled = sampled;
    go_blind(analysis);
}

bool sight_doubts(struct analysis *analysis, struct series *series, const struct episode_mark *before)
{
    struct tap *tap = &analysis->tap;
    if (others_hear_it(before, &series->so_far)) {
        tap_go_deaf(tap, series_life(series)->last_ns);
        go_blind(analysis);
        return true;
    }
    if (mirror_doubts(&analysis->mirror, &series->use))
        return true;
    if (!tap_has_control(tap))
        return false;
    if (analysis->mirror.lost != 0) /* less comes for a reason that is known */
        return tap_collapsed(tap);
    /* A collapse may be the loss of a part that chance makes look worse: what is left is measured too. */
    bool collapsed = tap_collapsed(tap);
    enum tap_fall fall = tap_fell(tap, &before->tap, analysis->end_ns);
    if (fall != TAP_FELL) /* what is quiet for a moment may be so by chance */
        return collapsed || fall == TAP_MAY_HAVE_FALLEN;
    double sampled = sampled_one_in(before, &series->so_far, tap->lost_share);
    bool silent = collapsed && !(sampled > 0);
    tap_blame(tap, silent ? tap->control.last_ns : before->tap.at_ns);
    tap->sampled = sampled;
    go_blind(analysis);
    return true;
}
