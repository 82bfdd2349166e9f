/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interval goes through three hands: the tap says whether the sensor sees at all (sight.c); every scope's
 * populations take what came (series.c); then the scopes are judged (judge.c).
 */
#include "analysis.h"

#include <math.h>
#include <stdlib.h>

#include "series.h"

static const double brief_blindness = 4;   /* a gap of the tap as rare as e^-4 may be the sensor's */
static const double control_learn_s = 600; /* the tap is dense: it is known sooner than a scope */

struct analysis *analysis_new(const struct analysis_options *options, const struct scope_list *scopes,
                              const struct analysis_output *output)
{
    struct analysis *analysis = calloc(1, sizeof *analysis + scopes->count * sizeof analysis->series[0]);
    if (analysis == NULL)
        return NULL;
    analysis->options = *options;
    analysis->scopes = scopes;
    analysis->output = *output;
    analysis->bin_start_ns = analysis->end_ns = TIME_NONE;
    analysis->alarms_per_year = options->false_alarms_per_year / scopes->count;
    tap_init(&analysis->tap, options->half_life_s, fmin(options->learn_s, control_learn_s));
    mirror_init(&analysis->mirror);
    for (uint32_t i = 0; i < scopes->count; i++)
        series_init(analysis, i);
    return analysis;
}

void analysis_free(struct analysis *analysis)
{
    free(analysis);
}

/* What a scope is compared with lies before a stretch that was not watched: other traffic was not silent in
 * it.
 */
static void bridge_marks(const struct tap *tap, struct series *series, int64_t from_ns, int64_t to_ns)
{
    tap_mark_bridge(tap, &series->so_far.tap, from_ns, to_ns);
    tap_mark_bridge(tap, &series->at_last_life.tap, from_ns, to_ns);
    for (unsigned i = 0; i < PAST_MARKS; i++) {
        tap_mark_bridge(tap, &series->past.mark[i].tap, from_ns, to_ns);
        tap_mark_bridge(tap, &series->late.mark[i].tap, from_ns, to_ns);
    }
}

/* A stretch without tallies was not watched. */
static void bridge_gap(struct analysis *analysis, int64_t start_ns)
{
    if (analysis->end_ns == TIME_NONE || start_ns <= analysis->end_ns)
        return;
    tap_bridge(&analysis->tap, start_ns);
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        series_watch_anew(&analysis->series[i], start_ns);
        change_bridge(&analysis->series[i].change, analysis->end_ns);
        bridge_marks(&analysis->tap, &analysis->series[i], analysis->end_ns, start_ns);
    }
}

/* What was silent while the tap was silent too counts once the tap is heard again, unless the tap's own gap
 * was so rare that the sensor may as well have been away for a moment. */
static void confirm_all(struct analysis *analysis, bool watched)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *series = &analysis->series[i];
        for (int w = 0; w < WITNESS__COUNT; w++)
            detect_confirm(&series->life[w], watched);
        detect_confirm(&series->knock, watched);
    }
}

static void take_interval(struct analysis *analysis, const struct tally *tallies)
{
    struct tap *tap = &analysis->tap;
    double rarity = calibrate_rarity(&tap->control.calibrate, detect_score(&tap->control));
    sight_take(analysis, tallies);
    bool proven = tap_proves(tap, &analysis->tap_now);
    if (proven)
        confirm_all(analysis, rarity < brief_blindness);
    for (uint32_t i = 0; i < scope_number_tap(analysis->scopes); i++)
        if (tallies[i].end_ns > tallies[i].start_ns) {
            if (sight_misses(analysis, i, &tallies[i]))
                series_watch_anew(&analysis->series[i], tallies[i].end_ns);
            else
                series_take(analysis, i, &tallies[i], proven);
        }
    sight_judge_sampling(analysis);
    judge_all(analysis, tallies);
    outage_note_returns(analysis, tallies);
}

void analysis_step(struct analysis *analysis, const struct tally *tallies)
{
    int64_t start_ns = tallies[0].start_ns, end_ns = tallies[0].end_ns;
    for (uint32_t i = 1; i < analysis->scopes->count; i++) { /* some may be missing from this interval */
        if (tallies[i].end_ns <= tallies[i].start_ns)
            continue;
        if (end_ns <= start_ns) {
            start_ns = tallies[i].start_ns;
            end_ns = tallies[i].end_ns;
        }
    }
    if (end_ns <= start_ns)
        return;
    if (analysis->bin_start_ns != TIME_NONE && start_ns >= analysis->bin_start_ns + analysis->options.bin_ns)
        bins_close(analysis);
    bridge_gap(analysis, start_ns);
    if (analysis->bin_start_ns == TIME_NONE)
        bins_open(analysis, start_ns);
    analysis->end_ns = end_ns;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (tallies[i].end_ns > tallies[i].start_ns)
            tally_add(&analysis->series[i].bin, &tallies[i]);
    take_interval(analysis, tallies);
    if (end_ns >= analysis->bin_start_ns + analysis->options.bin_ns)
        bins_close(analysis);
}

void analysis_finish(struct analysis *analysis)
{
    bins_close(analysis);
}
