/* SPDX-License-Identifier: BSD-3-Clause */
/* The bin under way: tallies added up, and at its end what the study makes of each scope in it. */
#include <string.h>

#include "series.h"

static const double route_samples = 3;   /* of late, before the way is told */
static const double usual_tail = 0.001;  /* on either side */
static const double hosts_weight = 0.02; /* of a new bin in the usual number of hosts */

static struct route route_of(const struct trend *trend)
{
    struct route route = {-1, -1, -1, -1};
    if (trend_samples_fast(trend, TALLY_handshakes) >= route_samples)
        route.trip_ms = trend_mean_fast(trend, TALLY_handshake_us, TALLY_handshakes) / 1000;
    if (trend_samples_fast(trend, TALLY_answered_flows) >= route_samples)
        route.hops = trend_mean_fast(trend, TALLY_answered_hops, TALLY_answered_flows);
    route.usual_trip_ms = trend_mean_usual(trend, TALLY_handshake_us, TALLY_handshakes);
    route.usual_trip_ms /= route.usual_trip_ms > 0 ? 1000 : 1;
    route.usual_hops = trend_mean_usual(trend, TALLY_answered_hops, TALLY_answered_flows);
    return route;
}

/* An outage that has ended is shown once more, in the bin in which that was told. */
static struct bin_outage outage_of(const struct analysis *analysis, const struct series *series)
{
    const struct episode *episode = &series->episode;
    bool ended = !episode->open && episode->key != 0 && episode->closed_ns > analysis->bin_start_ns;
    struct bin_outage outage = {.known = episode->open || ended,
                                .episode = episode->covered ? 0 : episode->key,
                                .onset_ns = episode->onset_ns,
                                .onset_earliest_ns = episode->onset_earliest_ns,
                                .onset_latest_ns = episode->onset_latest_ns,
                                .end_ns = TIME_NONE,
                                .end_earliest_ns = TIME_NONE,
                                .end_latest_ns = TIME_NONE,
                                .log_odds = episode->log_odds};
    if (!outage.known)
        return (struct bin_outage){.known = false};
    if (ended) {
        outage.end_ns = episode->end_ns;
        outage.end_earliest_ns = episode->end_earliest_ns;
        outage.end_latest_ns = episode->end_latest_ns;
        outage.level_accepted = episode->level_accepted;
    }
    if (ended || episode->returning)
        outage.recovered = episode_recovered(episode);
    memcpy(outage.probability, episode->probability, sizeof outage.probability);
    return outage;
}

static struct bin judge_bin(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    bool is_tap = number == scope_number_tap(analysis->scopes);
    struct population *life = is_tap ? &analysis->tap.control : series_life(series);
    bool known = series->bin_expected > 0 && series->state != STATE_BLIND;
    double signs = is_tap ? detect_signs_per_event(life) : series_signs_per_event(series);
    double mean = known ? series->bin_expected / signs : -1, shape = life->rate.shape;
    return (struct bin){
        .scope = number,
        .start_ns = analysis->bin_start_ns,
        .tally = series->bin,
        .signal = is_tap ? SIGNAL_PACKETS_IN : series->signal,
        .state = series->state,
        .learning = series->state == STATE_LEARNING ? series->learning : LEARNING_DONE,
        .alarms = series->alarms,
        .route = route_of(&series->so_far.trend),
        .expected = known ? series->bin_expected : -1,
        .low = known ? signs * baseline_low(mean, shape, usual_tail) : -1,
        .high = known ? signs * baseline_high(mean, shape, usual_tail) : -1,
        .detectable_s = series->state == STATE_BLIND || series->state == STATE_LEARNING
                            ? -1
                            : series_shortest(analysis, series, life),
        .outage = outage_of(analysis, series),
    };
}

void bins_close(struct analysis *analysis)
{
    if (analysis->bin_start_ns == TIME_NONE)
        return;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *series = &analysis->series[i];
        struct bin bin = judge_bin(analysis, i);
        if (bin.tally.end_ns > bin.tally.start_ns)
            analysis->output.bin(analysis->output.context, &bin);
        witness_compare(series);
        witness_choose(analysis, series);
        double hosts = (double)series->bin.value[TALLY_hosts];
        bool hosts_known = tally_knows(&series->bin, TALLY_hosts);
        if (hosts_known && (series->state == STATE_UP || series->state == STATE_LEARNING))
            series->hosts_usual = series->hosts_usual < 0
                                      ? hosts
                                      : series->hosts_usual + hosts_weight * (hosts - series->hosts_usual);
    }
    analysis->bin_start_ns = TIME_NONE;
}

void bins_open(struct analysis *analysis, int64_t start_ns)
{
    analysis->bin_start_ns = clock_floor(start_ns, analysis->options.bin_ns);
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        analysis->series[i].bin = tally_empty(start_ns, start_ns, TALLY_ALL_KNOWN);
        analysis->series[i].bin_expected = 0;
    }
}
