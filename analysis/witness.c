/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is judged for a scope: proven life, answered flows, or whatever it says at all. */
#include <math.h>

#include "series.h"

static const double one_way_most = 0.1; /* answered flows over live ones: fewer, and one direction is seen */
static const double deaf_most = 0.5;    /* live ones over acknowledged ones: likewise */
static const double proven_least = 0.1; /* of the events that are told, to be judged in their stead */
static const double surge_times = 2, surge_slack = 5;
static const double fade = 1e-4; /* a bin: about a week */
static const double calm = 3;    /* score of a silence: who is more silent does not take over */

static double events_learned(const struct series *series, enum witness witness)
{
    return baseline_learned(&series->life[witness].baseline).events;
}

static double signs_learned(const struct series *series, enum witness witness)
{
    return events_learned(series, witness) * detect_signs_per_event(&series->life[witness]);
}

/* The answered flows are the better measure; where the tap sees one direction only there are none. Of what
 * goes in only, life is seen in what it acknowledges. */
static enum signal choose_signal(const struct analysis *analysis, const struct series *series)
{
    double answered = events_learned(series, WITNESS_ANSWERED);
    double live = events_learned(series, WITNESS_LIVE);
    double acked = signs_learned(series, WITNESS_ACKED), live_signs = signs_learned(series, WITNESS_LIVE);
    if (acked >= analysis->options.learn_flows && live_signs < deaf_most * acked)
        return SIGNAL_ACKED_FLOWS;
    bool one_way =
        live >= analysis->options.learn_flows && answered < one_way_most * live && !series->live_is_packets;
    bool only_packets = series->live_is_packets && !(answered > 0);
    enum signal other = series->live_is_packets ? SIGNAL_PACKETS_OUT : SIGNAL_LIVE_FLOWS;
    return one_way || only_packets ? other : SIGNAL_ANSWERED_FLOWS;
}

/* Proven life is the best witness, where there is enough of it. */
static bool is_enough(const struct analysis *analysis, const struct series *series, enum witness told)
{
    return (tally_knows(&series->bin, TALLY_proven_flows)) &&
           signs_learned(series, WITNESS_PROVEN) >= analysis->options.learn_flows &&
           events_learned(series, WITNESS_PROVEN) >= proven_least * events_learned(series, told);
}

/* Once it has been judged it stays so as long as it is known at all: what floods in beside it may be forged.
 */
static bool stays_proven(const struct analysis *analysis, const struct series *series)
{
    bool untold = series->bin.known != 0 && !tally_knows(&series->bin, TALLY_proven_flows);
    return series->witness == WITNESS_PROVEN && !untold &&
           signs_learned(series, WITNESS_PROVEN) >= analysis->options.learn_flows / 2;
}

void witness_mark(const struct analysis *analysis, struct series *series)
{
    const struct population *life = series_life(series),
                            *whole = &analysis->series[SCOPE_NUMBER_ALL].life[series->witness];
    series->so_far.life = life->total;
    series->so_far.life_expected = life->total_expected;
    series->so_far.whole = whole->total;
    series->so_far.whole_expected = whole->total_expected;
}

/* Another witness begins with its own totals, and with no silence of the one before. */
static void change_witness(const struct analysis *analysis, struct series *series, enum witness witness)
{
    series->witness = witness;
    witness_mark(analysis, series);
    series->at_last_life = series->so_far;
    series->past.count = series->late.count = 0;
    past_keep(&series->past, &series->so_far, analysis->end_ns, 0);
    series->detectable_until_ns = series->clusters_until_ns = TIME_NONE;
    thinness_init(&series->thinness);
    change_restart(&series->change);
}

/* Bins beyond what is usual are cut: what floods in may be forged. */
void witness_compare(struct series *series)
{
    const struct tally *bin = &series->bin;
    enum tally_measure told = series->signal == SIGNAL_ANSWERED_FLOWS ? TALLY_answered_flows
                              : series->signal == SIGNAL_LIVE_FLOWS   ? TALLY_live_flows
                              : series->signal == SIGNAL_ACKED_FLOWS  ? TALLY_acked_flows
                                                                      : TALLY_packets_out;
    enum tally_measure proofs =
        bin->known & TALLY_BIT(TALLY_proven_bursts) ? TALLY_proven_bursts : TALLY_proven_flows;
    bool known = tally_knows(bin, told) && tally_knows(bin, proofs);
    if (!known || (series->state != STATE_UP && series->state != STATE_LEARNING) ||
        surge_is_on(&series->life[WITNESS_PROVEN].surge))
        return;
    double signs = (double)bin->value[told],
           most = series->bin_expected > 0 ? surge_times * series->bin_expected + surge_slack : signs;
    series->told_signs += fmin(signs, most) - series->told_signs * fade;
    series->proofs += (double)bin->value[proofs] - series->proofs * fade;
}

void witness_choose(const struct analysis *analysis, struct series *series)
{
    if (series->episode.open || series->state == STATE_SUSPECT || stays_proven(analysis, series))
        return;
    enum signal signal = choose_signal(analysis, series);
    enum witness told = signal == SIGNAL_ANSWERED_FLOWS ? WITNESS_ANSWERED
                        : signal == SIGNAL_ACKED_FLOWS  ? WITNESS_ACKED
                                                        : WITNESS_LIVE,
                 chosen = is_enough(analysis, series, told) ? WITNESS_PROVEN : told;
    if (chosen != series->witness && detect_score(&series->life[chosen]) >= calm)
        return;
    if (signal != series->signal)
        series->told_signs = series->proofs = 0;
    series->signal = signal;
    if (chosen != series->witness)
        change_witness(analysis, series, chosen);
}
