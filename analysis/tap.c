/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap.h"

#include <math.h>

static const double control_least = 100;   /* packets learned from before the tap counts as a witness */
static const double recent_packets = 20;   /* memory of the recent share, in expected packets */
static const double collapsed_share = 0.3; /* of what is expected: less is a collapse */
static const double restored_share = 0.5;  /* and so much ends it … */
static const double restored_packets = 20; /* … seen over so many expected since its first packet */
static const double part_packets = 40;     /* expected before the loss of a part is judged */
static const double part_back_packets = 160, part_back_clusters = 100; /* and before its return is */
static const double part_share = 0.75;                                 /* left: more is no loss */
static const double swing_most = 3;                                    /* of a day: more is not believed */
static const double part_deviations = 2.5;
static const double hardly_any = 0.1;            /* left: all is lost, and soon seen to be back */
static const double heard_least = 3;             /* packets of the watched side before it is heard again */
static const double within_hour_variance = 0.01; /* of a rate, relative */
static const double per_s_memory_s = 1800;

void tap_init(struct tap *tap, double half_life_s, double learn_s)
{
    *tap = (struct tap){.learn_s = learn_s, .blind_since_ns = TIME_NONE};
    snaplen_init(&tap->snaplen);
    thinness_init(&tap->thinness);
    detect_init(&tap->control, half_life_s);
}

bool tap_has_control(const struct tap *tap)
{
    struct baseline_cell learned = baseline_learned(&tap->control.baseline);
    return learned.events >= control_least && learned.seconds >= tap->learn_s;
}

bool tap_collapsed(const struct tap *tap)
{
    return tap->recent_expected > recent_packets / 2 &&
           tap->recent_seen < collapsed_share * tap->recent_expected;
}

bool tap_proves(const struct tap *tap, const struct tally *tally)
{
    return tally->value[TALLY_packets_in] > 0 || !tap_has_control(tap);
}

struct tap_mark tap_mark(const struct tap *tap, int64_t at_ns)
{
    return (struct tap_mark){at_ns, tap->control.total, tap->per_s};
}

/* Of hours that may lie far apart the lower rate counts. */
static double bridged_per_s(const struct tap *tap, double per_s, int64_t to_ns)
{
    return fmin(per_s, detect_prudent_at(&tap->control, to_ns));
}

void tap_bridge(struct tap *tap, int64_t to_ns)
{
    detect_restart(&tap->control, to_ns);
    tap->per_s = bridged_per_s(tap, tap->per_s, to_ns);
}

void tap_mark_bridge(const struct tap *tap, struct tap_mark *mark, int64_t from_ns, int64_t to_ns)
{
    mark->at_ns += to_ns - from_ns; /* as if it had been made as long before the watch begins again */
    mark->per_s = bridged_per_s(tap, mark->per_s, to_ns);
}

/* The packets to be expected from a mark to now: at the rate of then, or less where that is usual for an hour
 * of the day. The hour of the week is no judge here: it learns from a loss within minutes. */
static double expected_since(const struct tap *tap, const struct tap_mark *mark, int64_t now_ns)
{
    const struct baseline *baseline = &tap->control.baseline;
    const int64_t hour_ns = 3600 * NS_PER_S;
    /* The rate of then has a memory that reaches into the hour before. */
    double then =
        fmax(baseline_of_day(baseline, mark->at_ns), baseline_of_day(baseline, mark->at_ns - hour_ns));
    double sum = 0;
    for (int64_t at_ns = mark->at_ns; at_ns < now_ns;) {
        int64_t next_ns = clock_floor(at_ns, hour_ns) + hour_ns, to_ns = next_ns < now_ns ? next_ns : now_ns;
        double usual = baseline_of_day(baseline, at_ns);
        double share = then > 0 && usual >= 0 ? fmin(1, usual / then) : 1;
        sum += share * mark->per_s * clock_seconds(at_ns, to_ns);
        at_ns = next_ns;
    }
    return sum;
}

enum tap_fall tap_fell(struct tap *tap, const struct tap_mark *before, int64_t now_ns)
{
    double expected = expected_since(tap, before, now_ns);
    if (expected < part_packets)
        return TAP_STANDS;
    double share = (tap->control.total - before->seen) / expected;
    double spread = sqrt(fmax(1, tap->control.level.dispersion) / expected + within_hour_variance);
    if (share > part_share)
        return TAP_STANDS;
    if ((1 - share) / spread < part_deviations)
        return TAP_MAY_HAVE_FALLEN;
    tap->lost_per_s = share < hardly_any ? 0 : before->per_s;
    tap->lost_of_day = baseline_of_day(&tap->control.baseline, before->at_ns);
    tap->lost_share = share;
    return TAP_FELL;
}

int64_t tap_thin_since(struct tap *tap, double alarms_per_year)
{
    if (tap->blind || !tap_has_control(tap))
        return TIME_NONE;
    int level = thinness_alarm(&tap->thinness, detect_events_per_year(&tap->control), alarms_per_year);
    return level >= 0 ? thinness_rise(&tap->thinness) : TIME_NONE;
}

void tap_blame(struct tap *tap, int64_t since_ns)
{
    thinness_reset(&tap->thinness);
    tap->blind = true;
    tap->blind_since_ns = since_ns;
    tap->returned_seen = tap->returned_expected = 0;
    tap->sampled = 0;
}

void tap_go_deaf(struct tap *tap, int64_t since_ns)
{
    tap_blame(tap, since_ns);
    tap->deaf = true;
}

enum tap_news tap_hear(struct tap *tap, double heard)
{
    if (!tap->deaf)
        return TAP_NOTHING;
    tap->returned_seen += heard;
    if (tap->returned_seen < heard_least)
        return TAP_NOTHING;
    tap->blind = tap->deaf = false;
    return TAP_RESTORED;
}

/* Fades by what is expected, not by time, so that a thin tap is judged over as much evidence as a busy one.
 */
static void follow_recent(struct tap *tap, double seen, double expected)
{
    double fade = exp(-expected / recent_packets);
    tap->recent_seen = tap->recent_seen * fade + seen;
    tap->recent_expected = tap->recent_expected * fade + expected;
}

/* How much more or less is usual for this hour of the day than for that of the loss. */
static double day_swing(const struct tap *tap, int64_t at_ns)
{
    double usual = baseline_of_day(&tap->control.baseline, at_ns);
    return tap->lost_of_day > 0 && usual > 0
               ? fmin(fmax(usual / tap->lost_of_day, 1 / swing_most), swing_most)
               : 1;
}

static enum tap_news leave_blindness(struct tap *tap, double seen, double expected, const struct tally *tally)
{
    bool in_part = tap->lost_per_s > 0;
    double wanted_share = in_part ? (1 + tap->lost_share) / 2 : restored_share;
    /* Packets that come in clusters say less each. */
    double wanted_packets = in_part
                                ? fmax(part_back_packets, part_back_clusters * tap->control.level.dispersion)
                                : restored_packets;
    if (in_part)
        expected =
            tap->lost_per_s * clock_seconds(tally->start_ns, tally->end_ns) * day_swing(tap, tally->start_ns);
    if (seen > 0 || tap->returned_expected > 0) {
        tap->returned_seen += seen;
        tap->returned_expected += expected;
    }
    if (tap->returned_seen >= wanted_share * fmax(tap->returned_expected, wanted_packets)) {
        tap->lost_per_s = 0;
        tap->blind = tap->unwatched = false;
        tap->recent_seen = tap->recent_expected = 0;
        return TAP_RESTORED;
    }
    if (tap->returned_expected > 2 * wanted_packets) /* a stray packet was no return */
        tap->returned_seen = tap->returned_expected = 0;
    return TAP_NOTHING;
}

/* What came up to here says nothing of other traffic. */
static void look_away(struct tap *tap, int64_t end_ns)
{
    detect_restart(&tap->control, end_ns);
    thinness_reset(&tap->thinness);
    tap->recent_seen = tap->recent_expected = 0;
}

/* An interval of which nothing is known, not even that nothing came. */
static enum tap_news lose_sight(struct tap *tap, const struct tally *tally)
{
    bool news = !tap->blind;
    look_away(tap, tally->end_ns);
    tap->deaf = false; /* it is worse */
    tap->returned_seen = tap->returned_expected = 0;
    tap->blind = tap->unwatched = true;
    if (news)
        tap->blind_since_ns = tally->start_ns;
    return news ? TAP_IMPAIRED : TAP_NOTHING;
}

enum tap_news tap_step(struct tap *tap, const struct tally *tally, double alarms_per_year)
{
    if (tally->end_ns <= tally->start_ns)
        return TAP_NOTHING;
    if (tally->known == 0)
        return lose_sight(tap, tally);
    bool control = tap_has_control(tap);
    if (tap->unwatched && !control) {
        tap->blind = tap->unwatched = false;
        tap->lost_per_s = 0;
        return TAP_RESTORED;
    }
    if (!tally_knows(tally, TALLY_packets_in))
        return TAP_NOTHING;
    if (!tap->blind && snaplen_pauses(&tap->snaplen, false)) { /* what is watched looks as if it were not */
        look_away(tap, tally->end_ns);
        return TAP_NOTHING;
    }
    double seconds = clock_seconds(tally->start_ns, tally->end_ns), before = tap->control.total_prudent,
           seen = (double)tally->value[TALLY_packets_in];
    struct detect_input input = {.start_ns = tally->start_ns,
                                 .end_ns = tally->end_ns,
                                 .signs = seen,
                                 .events = seen,
                                 .span = tally->in,
                                 .proven = true,
                                 .teach = !tap->blind,
                                 .ordinary = !tap->blind};
    detect_step(&tap->control, &input);
    if (surge_is_on(&tap->control.surge)) /* its end is no blindness */
        seen = fmin(seen, tap->control.rate.per_s * seconds);
    double expected = tap->control.total_prudent - before;
    if (control && !tap->blind)
        thinness_step(&tap->thinness, seen, expected, fmax(1, tap->control.rate.shape),
                      tap->control.level.dispersion, tally->end_ns);
    follow_recent(tap, seen, expected);
    tap->watched_s += seconds;
    tap->per_s +=
        (seen / seconds - tap->per_s) * fmax(-expm1(-seconds / per_s_memory_s), seconds / tap->watched_s);
    if (tap->deaf) /* that other traffic comes proves nothing */
        return TAP_NOTHING;
    if (tap->blind)
        return leave_blindness(tap, seen, expected, tally);
    if (!control || detect_score(&tap->control) < detect_threshold(&tap->control, alarms_per_year))
        return TAP_NOTHING;
    tap_blame(tap, tap->control.last_ns);
    return TAP_IMPAIRED;
}
