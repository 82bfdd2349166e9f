/* SPDX-License-Identifier: BSD-3-Clause */
/* One scope's share of the study: what an interval brings goes into its populations and its marks. */
#include <math.h>
#include <string.h>

#include "series.h"

static const int64_t past_ns = 600 * NS_PER_S, late_ns = 120 * NS_PER_S; /* between two marks */
static const int64_t detectable_keep_ns = 600 * NS_PER_S;

void series_init(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    for (int w = 0; w < WITNESS__COUNT; w++)
        detect_init(&series->life[w], analysis->options.half_life_s);
    series->witness = WITNESS_ANSWERED;
    detect_init(&series->knock, analysis->options.half_life_s);
    thinness_init(&series->thinness);
    change_restart(&series->change);
    series->state = STATE_LEARNING;
    series->learning = LEARNING_EVENTS;
    series->alarms.nominal_per_year = analysis->alarms_per_year;
    series->hosts_usual = -1;
    series->returned_ns = series->moved_ns = TIME_NONE;
    series->detectable_s = -1;
    series->detectable_until_ns = series->clusters_until_ns = TIME_NONE;
}

/* What is told as `bursts` of the measure are its events; the measure itself where that is not told. Returns
 * what the interval brought. */
static struct step take_population(struct population *population, const struct tally *tally,
                                   enum tally_measure measure, enum tally_measure bursts,
                                   struct tally_span span, const struct detect_input *how)
{
    if (!tally_knows(tally, measure))
        return (struct step){0};
    const struct step before = {population->total_signs, population->total, population->total_expected,
                                population->total_prudent};
    struct detect_input input = *how;
    input.signs = (double)tally->value[measure];
    input.events = (double)tally->value[tally_knows(tally, bursts) ? bursts : measure];
    input.span = span;
    detect_step(population, &input);
    return (struct step){population->total_signs - before.signs, population->total - before.seen,
                         population->total_expected - before.expected,
                         population->total_prudent - before.prudent};
}

static void take_life(struct series *series, const struct tally *tally, const struct detect_input *how)
{
    const struct tally_span none = {TIME_NONE, TIME_NONE};
    struct population *life = series->life;
    if (tally->known != 0) /* a row may be empty; a table that has no such column has it nowhere */
        series->live_is_packets = !tally_knows(tally, TALLY_live_flows);
    series->step[WITNESS_PROVEN] = take_population(&life[WITNESS_PROVEN], tally, TALLY_proven_flows,
                                                   TALLY_proven_bursts, tally->proven, how);
    series->step[WITNESS_ANSWERED] = take_population(&life[WITNESS_ANSWERED], tally, TALLY_answered_flows,
                                                     TALLY_answered_bursts, tally->answered, how);
    series->step[WITNESS_LIVE] = series->live_is_packets
                                     ? take_population(&life[WITNESS_LIVE], tally, TALLY_packets_out,
                                                       TALLY_packets_out, tally->out, how)
                                     : take_population(&life[WITNESS_LIVE], tally, TALLY_live_flows,
                                                       TALLY_live_bursts, tally->live, how);
    series->step[WITNESS_ACKED] =
        take_population(&life[WITNESS_ACKED], tally, TALLY_acked_flows, TALLY_acked_flows, tally->acked, how);
    /* What the watched side begins, or somebody in its name, is not said to it. */
    enum tally_measure knocks = tally_knows(tally, TALLY_knocks) ? TALLY_knocks : TALLY_flows;
    take_population(&series->knock, tally, knocks, knocks, none, how);
}

void series_take(struct analysis *analysis, uint32_t number, const struct tally *tally, bool proven)
{
    struct series *series = &analysis->series[number];
    bool explained =
        analysis->series[SCOPE_NUMBER_ALL].episode.open && analysis->scopes->items[number].counted;
    /* A flood wakes hosts that never spoke before. */
    bool ordinary = !series->episode.open && !explained &&
                    (number == SCOPE_NUMBER_ALL || !series_in_surge(&analysis->series[SCOPE_NUMBER_ALL]));
    struct detect_input how = {.start_ns = tally->start_ns,
                               .end_ns = tally->end_ns,
                               .proven = proven,
                               .teach = ordinary && !series->thin_doubt,
                               .ordinary = ordinary};
    if (series_step(series)->signs > 0) { /* in the interval before this one */
        series->at_last_life = series->so_far;
        if (!series->episode.open)
            memset(series->reporter, 0, sizeof series->reporter);
    }
    reporters_merge(series->reporter, tally->reporter);
    take_life(series, tally, &how);
    series->bin_expected += series_step(series)->expected * series_signs_per_event(series);
    witness_mark(analysis, series);
    series->step_s = clock_seconds(tally->start_ns, tally->end_ns);
    trend_step(&series->so_far.trend, tally, how.teach && !series_in_surge(series));
    series->so_far.knock = series->knock.total;
    series->so_far.knock_expected = series->knock.total_expected;
    series->so_far.tap = tap_mark(&analysis->tap, tally->end_ns);
    past_keep(&series->past, &series->so_far, tally->end_ns, past_ns);
    if (number == SCOPE_NUMBER_ALL)
        past_keep(&series->late, &series->so_far, tally->end_ns, late_ns);
}

void series_watch_anew(struct series *series, int64_t at_ns)
{
    for (int w = 0; w < WITNESS__COUNT; w++)
        detect_restart(&series->life[w], at_ns);
    detect_restart(&series->knock, at_ns);
    change_restart(&series->change);
    series->late.count = 0;
}

void series_rescale(struct series *series, double level)
{
    for (int w = 0; w < WITNESS__COUNT; w++)
        detect_rescale(&series->life[w], level);
}

double series_shortest(const struct analysis *analysis, struct series *series, struct population *life)
{
    if (analysis->end_ns >= series->detectable_until_ns) {
        double threshold = detect_threshold(life, analysis->alarms_per_year);
        series->detectable_s = detect_shortest(life, analysis->end_ns, threshold);
        series->detectable_until_ns = clock_floor(analysis->end_ns, detectable_keep_ns) + detectable_keep_ns;
    }
    return series->detectable_s;
}

struct tally_span series_span(const struct series *series, const struct tally *tally)
{
    return series->witness == WITNESS_PROVEN     ? tally->proven
           : series->witness == WITNESS_ANSWERED ? tally->answered
           : series->witness == WITNESS_ACKED    ? tally->acked
           : series->live_is_packets             ? tally->out
                                                 : tally->live;
}

int64_t series_first_life(const struct series *series, const struct tally *tally)
{
    int64_t first_ns = series_span(series, tally).first_ns;
    return first_ns != TIME_NONE ? first_ns : tally->start_ns;
}
