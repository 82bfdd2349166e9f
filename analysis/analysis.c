/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interval goes through three hands: the tap says whether the sensor sees at all; every scope's
 * populations take what came; then the scopes are judged, the widest first, so that a narrow one can see that
 * a wider one explains its silence.
 */
#include "analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "series.h"

static const double brief_blindness = 4; /* a gap of the tap as rare as e^-4 may be the sensor's */
static const double wider_doubt =
    3; /* score of a wider scope's silence that makes a narrow one wait for it */
static const double near_times = 50; /* how much more often silences come that are counted in alarms' stead */
static const double year_s = 365.25 * 86400;
static const double survivors_most = 0.3; /* share of the expected that may be left where there is silence */
static const double short_times = 1.25;   /* of the delay: an outage no longer than that may be chance */
static const double level_signs = 30;     /* of life from which a level is known */
static const double level_least = 0.05;   /* less is a total outage, and never normal */
static const double hardly_any = 0.005;   /* a stray sign of life in days */
static const double nearly_all = 0.9;     /* of a scope: so much silent is not a part */
static const double told_most = 0.8;      /* of what a scope misses: so much is that of its parts */
static const double thin_s = 86400;       /* what takes longer to notice than this is not judged */
static const int64_t review_ns = 60 * NS_PER_S, review_seldom_ns = 600 * NS_PER_S,
                     review_often_ns = 3600 * NS_PER_S;                  /* of a cause */
static const int64_t past_ns = 600 * NS_PER_S, late_ns = 120 * NS_PER_S; /* between two marks */
static const int64_t detectable_keep_ns = 600 * NS_PER_S;
static const int64_t clusters_keep_ns = 3600 * NS_PER_S;
static const double least_share = 0.05, gap_power = 0.4; /* balances clusters joined and parted */
static const double acks_least = 5,
                    acks_times = 10; /* unseen words acknowledged, at least, and over the usual */
static const double sampled_least = 3, sampled_apart = 0.7; /* packets each way; a factor of two */
static const int64_t sampled_least_ns = 120 * NS_PER_S;     /* that it lasts: a dip is none */
static const double route_samples = 3;                      /* of late, before the way is told */
static const double level_floor = 0.05;                     /* of a path that a part has left */
static const double control_learn_s = 600; /* the tap is dense: it is known sooner than a scope */
static const double usual_tail = 0.001;    /* on either side */
static const double shape_most = 400;      /* no rate is known better than to a twentieth */
static const double hosts_weight = 0.02;   /* of a new bin in the usual number of hosts */

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
    for (uint32_t i = 0; i < scopes->count; i++) {
        struct series *series = &analysis->series[i];
        for (int w = 0; w < WITNESS__COUNT; w++)
            detect_init(&series->life[w], options->half_life_s);
        series->witness = WITNESS_ANSWERED;
        detect_init(&series->knock, options->half_life_s);
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
    return analysis;
}

void analysis_free(struct analysis *analysis)
{
    free(analysis);
}

/* The shortest outage to be noticed now, looked up anew every ten minutes: it takes a walk through the week
 * ahead. */
static double shortest(const struct analysis *analysis, struct series *series, struct population *life)
{
    if (analysis->end_ns >= series->detectable_until_ns) {
        double threshold = detect_threshold(life, analysis->alarms_per_year);
        series->detectable_s = detect_shortest(life, analysis->end_ns, threshold);
        series->detectable_until_ns = clock_floor(analysis->end_ns, detectable_keep_ns) + detectable_keep_ns;
    }
    return series->detectable_s;
}

/* ---- bins ---- */

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
                            : shortest(analysis, series, life),
        .outage = outage_of(analysis, series),
    };
}

static void close_bin(struct analysis *analysis)
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
        bool hosts_known = (series->bin.known & TALLY_BIT(TALLY_hosts)) != 0;
        if (hosts_known && (series->state == STATE_UP || series->state == STATE_LEARNING))
            series->hosts_usual = series->hosts_usual < 0
                                      ? hosts
                                      : series->hosts_usual + hosts_weight * (hosts - series->hosts_usual);
    }
    analysis->bin_start_ns = TIME_NONE;
}

static void open_bin(struct analysis *analysis, int64_t start_ns)
{
    analysis->bin_start_ns = clock_floor(start_ns, analysis->options.bin_ns);
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        analysis->series[i].bin = tally_empty(start_ns, start_ns, TALLY_ALL_KNOWN);
        analysis->series[i].bin_expected = 0;
    }
}

/* ---- taking an interval ---- */

static bool knows(const struct tally *tally, enum tally_measure measure)
{
    return (tally->known & TALLY_BIT(measure)) != 0;
}

/* What is told as `bursts` of the measure are its events; the measure itself where that is not told. Returns
 * what the interval brought. */
static struct step take_population(struct population *population, const struct tally *tally,
                                   enum tally_measure measure, enum tally_measure bursts,
                                   struct tally_span span, const struct detect_input *how)
{
    if (!knows(tally, measure))
        return (struct step){0};
    const struct step before = {population->total_signs, population->total, population->total_expected,
                                population->total_prudent};
    struct detect_input input = *how;
    input.signs = (double)tally->value[measure];
    input.events = (double)tally->value[knows(tally, bursts) ? bursts : measure];
    input.span = span;
    detect_step(population, &input);
    return (struct step){population->total_signs - before.signs, population->total - before.seen,
                         population->total_expected - before.expected,
                         population->total_prudent - before.prudent};
}

static const struct step *step_of(const struct series *series)
{
    return &series->step[series->witness];
}

static void take_life(struct series *series, const struct tally *tally, const struct detect_input *how)
{
    const struct tally_span none = {TIME_NONE, TIME_NONE};
    struct population *life = series->life;
    if (tally->known != 0) /* a row may be empty; a table that has no such column has it nowhere */
        series->live_is_packets = !knows(tally, TALLY_live_flows);
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
    enum tally_measure knocks = knows(tally, TALLY_knocks) ? TALLY_knocks : TALLY_flows;
    take_population(&series->knock, tally, knocks, knocks, none, how);
}

static void take_scope(struct analysis *analysis, uint32_t number, const struct tally *tally, bool proven)
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
    if (step_of(series)->signs > 0) { /* in the interval before this one */
        series->at_last_life = series->so_far;
        if (!series->episode.open)
            memset(series->reporter, 0, sizeof series->reporter);
    }
    reporters_merge(series->reporter, tally->reporter);
    take_life(series, tally, &how);
    series->bin_expected += step_of(series)->expected * series_signs_per_event(series);
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

static void each_population(struct series *series, void (*act)(struct population *, int64_t), int64_t at_ns)
{
    for (int w = 0; w < WITNESS__COUNT; w++)
        act(&series->life[w], at_ns);
    act(&series->knock, at_ns);
}

/* What lay before was not watched. */
static void watch_anew(struct series *series, int64_t at_ns)
{
    each_population(series, detect_restart, at_ns);
    change_restart(&series->change);
    series->late.count = 0;
}

/* ---- judging ---- */

static int width(enum scope_kind kind)
{
    static const int widths[] = {
        [SCOPE_ALL] = 3, [SCOPE_PATH] = 2, [SCOPE_PREFIX] = 1, [SCOPE_SERVICE] = 0, [SCOPE_TAP] = 4};
    return widths[kind];
}

/* Whether the silences of two scopes began together, as far as can be told: the narrow one's began between
 * its last sign of life and where it has been watched again since. One of many prefixes is quiet just before
 * a path falls more often than one would think. */
static bool fell_together(const struct episode *wide, const struct population *narrow)
{
    double slack_s = detect_onset_after_s(narrow, 0.9999);
    return clock_seconds(narrow->last_ns, wide->onset_latest_ns) > -slack_s &&
           clock_seconds(narrow->silent_from_ns, wide->onset_earliest_ns) < slack_s;
}

enum wider { WIDER_UP, WIDER_IN_DOUBT, WIDER_DOWN };

/* What the wider scopes say of a narrow one's silence: nothing, wait, or that it is part of theirs. */
static enum wider ask_wider(struct analysis *analysis, uint32_t number)
{
    const struct scope *scope = &analysis->scopes->items[number];
    struct population *life = series_life(&analysis->series[number]);
    if (!scope->counted)
        return WIDER_UP;
    enum wider answer = WIDER_UP;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *wide = &analysis->series[i];
        if (width(analysis->scopes->items[i].kind) <= width(scope->kind) ||
            analysis->scopes->items[i].kind == SCOPE_TAP)
            continue;
        if (wide->episode.open && (i == SCOPE_NUMBER_ALL || fell_together(&wide->episode, life)))
            return WIDER_DOWN;
        if (!wide->episode.open && wide->state != STATE_LEARNING &&
            detect_score(series_life(wide)) >= wider_doubt)
            answer = WIDER_IN_DOUBT;
    }
    return answer;
}

static bool falls_under(struct analysis *analysis, uint32_t number, uint32_t wide_number)
{
    struct series *narrow = &analysis->series[number];
    const struct scope *scope = &analysis->scopes->items[number],
                       *wide = &analysis->scopes->items[wide_number];
    if (!narrow->episode.open || narrow->episode.covered || !scope->counted ||
        width(scope->kind) >= width(wide->kind))
        return false;
    return wide_number == SCOPE_NUMBER_ALL ||
           fell_together(&analysis->series[wide_number].episode, series_life(narrow));
}

/* A wider outage takes over the narrower ones that it explains: the oldest becomes it and keeps its name, the
 * others end as merged. */
static void take_over(struct analysis *analysis, uint32_t number)
{
    struct episode *wide = &analysis->series[number].episode;
    struct episode *oldest = NULL;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (falls_under(analysis, i, number) &&
            (oldest == NULL || analysis->series[i].episode.onset_ns < oldest->onset_ns))
            oldest = &analysis->series[i].episode;
    if (oldest == NULL)
        return;
    wide->key = oldest->key;
    wide->sequence = oldest->sequence;
    oldest->covered = true;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (falls_under(analysis, i, number)) {
            analysis->series[i].episode.merged_into = wide->key;
            tell_outage(analysis, i, EVENT_OUTAGE_ENDED);
            analysis->series[i].episode.covered = true;
        }
}

/* From here on its level is to be steady; that of `all` is that of what it holds. */
static void begin_level(struct analysis *analysis, uint32_t number)
{
    analysis->series[number].level_from_ns = analysis->end_ns;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *series = &analysis->series[i];
        if (i != number && (number != SCOPE_NUMBER_ALL || !analysis->scopes->items[i].counted))
            continue;
        series->level_life = series->so_far.life;
        series->level_expected = series->so_far.life_expected;
    }
}

static void open_episode(struct analysis *analysis, uint32_t number, const struct change_found *onset,
                         double log_odds, int thin, const struct episode_mark *before, bool covered)
{
    struct series *series = &analysis->series[number];
    const char *scope = analysis->scopes->items[number].text;
    episode_open(&series->episode, scope, onset, log_odds, before, analysis->end_ns);
    begin_level(analysis, number);
    thinness_reset(&series->thinness);
    if (analysis->scopes->items[number].kind == SCOPE_PREFIX && analysis->scopes->items[number].counted)
        thinness_reset(&analysis->series[SCOPE_NUMBER_ALL].thinness); /* which is that of the rest now */
    series->episode.thin = thin;
    series->episode.covered = covered;
    series->state = STATE_DOWN;
    series->returned_ns = TIME_NONE;
    if (covered)
        return;
    take_over(analysis, number);
    tell_outage(analysis, number, series->episode.sequence > 0 ? EVENT_OUTAGE_UPDATED : EVENT_OUTAGE_STARTED);
}

/* After a wide outage the narrow scopes that it covered are on their own again: those still silent get a
 * fresh chance before they are called down by themselves, with the onset that they had. */
static void release_covered(struct analysis *analysis)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *series = &analysis->series[i];
        if (i != SCOPE_NUMBER_ALL && !analysis->scopes->items[i].counted)
            continue;
        series->returned_ns = TIME_NONE;
        if (series->episode.open && !series->episode.covered)
            continue;
        thinness_reset(&series->thinness); /* it has climbed with the wide outage */
        if (series->episode.open || series->state == STATE_LEARNING)
            watch_anew(series, analysis->end_ns);
        if (series->episode.open)
            series->state = STATE_UP;
        series->episode.open = false;
    }
}

/* The series is on its own again, and so is what it covered. */
static void shut_episode(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    bool wide = !series->episode.covered && analysis->scopes->items[number].kind != SCOPE_SERVICE;
    series->episode.open = false;
    series->state = STATE_UP;
    thinness_reset(&series->thinness);
    change_restart(&series->change);
    if (wide)
        release_covered(analysis);
}

/* An outage hardly longer than it took to be told counts among the silences seen, or the climbs: to leave out
 * the longest that come by chance would make them look rarer than they are. */
static void note_short(struct series *series)
{
    const struct episode *episode = &series->episode;
    double took_s = clock_seconds(episode->onset_ns, episode->opened_ns),
           lasted_s = clock_seconds(episode->onset_ns, episode->end_ns);
    if (episode->flaps > 0 || lasted_s > short_times * took_s)
        return;
    struct calibrate *calibrate = episode->thin == EPISODE_SILENT
                                      ? &series_life(series)->calibrate
                                      : &series->thinness.level[episode->thin].calibrate;
    calibrate_note(calibrate, episode->log_odds, 1);
}

static void close_episode(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    if (!episode->covered) {
        bool nothing_left = episode_level(episode) < hardly_any;
        struct change_found end =
            change_return(&series->change, episode->down_ns, nothing_left ? episode->return_ns : TIME_NONE);
        episode_end(episode, &end);
        episode->closed_ns = analysis->end_ns;
        tell_outage(analysis, number, EVENT_OUTAGE_ENDED);
        note_short(series);
    }
    shut_episode(analysis, number);
}

/* ---- a lasting change of level ---- */

/* The share of the expected that came since. */
static double level_since(const struct series *series)
{
    double expected = series->so_far.life_expected - series->level_expected;
    return expected > 0 ? (series->so_far.life - series->level_life) / expected : 0;
}

/* Whether a part has been alive for so long, without a silence that would be an alarm at its own level. */
static bool level_lasts(struct analysis *analysis, uint32_t number, double alarm)
{
    struct series *series = &analysis->series[number];
    if (series->episode.covered || !(analysis->options.level_after_s > 0))
        return false;
    double level = level_since(series), seen = series->so_far.life - series->level_life;
    if (seen >= level_signs && detect_score(series_life(series)) * level >= alarm)
        begin_level(analysis, number);
    return seen >= level_signs && level >= level_least &&
           clock_seconds(series->level_from_ns, analysis->end_ns) >= analysis->options.level_after_s;
}

static void rescale_to(struct series *series, double level)
{
    for (int w = 0; w < WITNESS__COUNT; w++)
        detect_rescale(&series->life[w], level);
}

static void rescale(struct series *series)
{
    double level = level_since(series);
    if (series->so_far.life - series->level_life < level_signs || level < level_least)
        return; /* silent, or too thin to tell */
    rescale_to(series, level);
}

/* What is left is normal from now on, for the scopes under a wide one too, each at its own level. */
static void accept_level(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    episode->level_accepted = level_since(series);
    episode->end_ns = episode->end_earliest_ns = episode->end_latest_ns = analysis->end_ns;
    episode->closed_ns = analysis->end_ns;
    tell_outage(analysis, number, EVENT_OUTAGE_ENDED);
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        const struct episode *part = &analysis->series[i].episode;
        bool under = number == SCOPE_NUMBER_ALL && analysis->scopes->items[i].counted;
        if (i == number || under || (part->open && part->covered))
            rescale(&analysis->series[i]);
    }
    shut_episode(analysis, number);
}

/* There is more to go by every minute at first, and later now and then: the cause is weighed again and told
 * if it is another. */
static void review(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    if (episode->covered || episode->review_ns == TIME_NONE || analysis->end_ns < episode->review_ns)
        return;
    int64_t into_ns = analysis->end_ns - episode->onset_ns;
    episode->review_ns = analysis->end_ns + (into_ns < review_often_ns ? review_ns : review_seldom_ns);
    tell_changed_cause(analysis, number);
}

static void follow_episode(struct analysis *analysis, uint32_t number, int64_t first_ns)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    struct population *life = series_life(series);
    double alarm = detect_threshold(life, analysis->alarms_per_year);
    const struct episode_step step = {.seen = series->step_clusters,
                                      .expected = step_of(series)->expected / series->clusters.size,
                                      .first_ns = first_ns,
                                      .end_ns = analysis->end_ns,
                                      .silence = detect_score(life)};
    enum episode_news news = episode_follow(episode, &step, alarm, analysis->options.recovery_hold_s);
    change_pin(&series->change, episode_turn_ns(episode));
    if (news == EPISODE_RETURNING || news == EPISODE_FELL_AGAIN || news == EPISODE_DEEPER)
        begin_level(analysis, number);
    switch (news) {
    case EPISODE_RETURNING:
    case EPISODE_MORE_BACK:
        series->state = STATE_RECOVERING;
        if (!episode->covered)
            tell_outage(analysis, number, EVENT_OUTAGE_RECOVERING);
        break;
    case EPISODE_FELL_AGAIN:
    case EPISODE_DEEPER:
        series->state = STATE_DOWN;
        if (!episode->covered)
            tell_outage(analysis, number, EVENT_OUTAGE_UPDATED);
        break;
    case EPISODE_OVER:
        close_episode(analysis, number);
        break;
    case EPISODE_NOTHING:
        if (level_lasts(analysis, number, alarm))
            accept_level(analysis, number);
        else if (series->state == STATE_DOWN)
            review(analysis, number);
        break;
    }
}

static enum learning learned(const struct analysis *analysis, struct series *series)
{
    struct baseline_cell so_far = baseline_learned(&series_life(series)->baseline);
    double signs = so_far.events * detect_signs_per_event(series_life(series));
    return signs < analysis->options.learn_flows        ? LEARNING_EVENTS
           : so_far.seconds < analysis->options.learn_s ? LEARNING_TIME
                                                        : LEARNING_DONE;
}

/* Keeps count of the silences that came close, to be held against the promise. */
static void count_near(const struct analysis *analysis, struct series *series, double threshold)
{
    const struct population *life = series_life(series);
    series->alarms.near_due += series->step_s / year_s * analysis->alarms_per_year * near_times;
    series->alarms.near_seen +=
        life->broken_score >= calibrate_nearer(&life->calibrate, threshold, near_times);
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
    watch_anew(series, analysis->end_ns);
    thinness_reset(&series->thinness);
    witness_mark(analysis, series);
    series->so_far.tap = tap_mark(&analysis->tap, analysis->end_ns);
    series->at_last_life = series->so_far;
    series->past.count = 0;
    past_keep(&series->past, &series->so_far, analysis->end_ns, 0);
    series->state = series->episode.open ? STATE_DOWN : STATE_LEARNING;
}

/* ---- one leg of the mirror ---- */

static bool any_open(const struct analysis *analysis)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (analysis->series[i].episode.open)
            return true;
    return false;
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

/* Whether a scope is not seen in this interval, because the sensor is blind, a leg that carries it lost, or
 * what tells it cut off. */
static bool is_unseen(struct analysis *analysis, uint32_t number, const struct tally *tally)
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
static void judge_sampling(struct analysis *analysis)
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

/* Whether a silence must not be told as an outage: the sensor is to blame, other traffic having collapsed too
 * or fallen by a good part since a mark, or it may be and a little more traffic will show. */
static bool sensor_in_doubt(struct analysis *analysis, struct series *series,
                            const struct episode_mark *before)
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

/* Whether to wait for a wider scope or for the sensor. What a wider outage explains needs neither. */
static bool is_excused(struct analysis *analysis, struct series *series, enum wider wider,
                       const struct episode_mark *before)
{
    bool by_name = scope_is_by_name(analysis->scopes, (uint32_t)(series - analysis->series));
    if (wider != WIDER_DOWN && snaplen_doubts(&analysis->tap.snaplen, by_name, analysis->end_ns))
        return true;
    return wider == WIDER_IN_DOUBT || (wider == WIDER_UP && sensor_in_doubt(analysis, series, before));
}

static struct change_found find_onset(struct series *series, double most)
{
    return change_fall(&series->change, fmin(series_life(series)->rate.shape, shape_most), most);
}

/* ---- what came another way ---- */

/* A path that was left is not judged before something crosses it again; where a part was left, that is normal
 * from now on. */
static void leave_road(struct analysis *analysis, uint32_t number, double left)
{
    struct series *series = &analysis->series[number];
    if (left > 0)
        rescale_to(series, fmax(left, level_floor));
    else
        series->moved_ns = series_life(series)->last_ns;
    watch_anew(series, analysis->end_ns);
    thinness_reset(&series->thinness);
}

/* All that comes another way must go on doing so, of late if it has for long. */
static bool is_left(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    if (series->moved_ns == TIME_NONE)
        return false;
    const struct episode_mark *from = past_at(&series->past, INT64_MIN), *left = &series->at_last_life;
    if (from == NULL || from->tap.at_ns < left->tap.at_ns)
        from = left;
    if (series->moved_ns != series_life(series)->last_ns || road_ask(analysis, number, from, 0) == ROAD_LOST)
        series->moved_ns = TIME_NONE;
    return series->moved_ns != TIME_NONE;
}

static void judge_silence(struct analysis *analysis, uint32_t number, double score)
{
    struct series *series = &analysis->series[number];
    enum wider wider = ask_wider(analysis, number);
    enum road road = road_ask(analysis, number, &series->at_last_life, score);
    if (road == ROAD_MOVED)
        leave_road(analysis, number, 0);
    if (road != ROAD_LOST || is_excused(analysis, series, wider, &series->at_last_life))
        return;
    struct change_found onset = find_onset(series, survivors_most);
    open_episode(analysis, number, &onset, score, EPISODE_SILENT, &series->at_last_life, wider == WIDER_DOWN);
}

/* What of a wide scope's thinness its silent prefixes account for is theirs to tell, as long as others are
 * alive. In the thinness of `all` those that have an outage of their own do not count any more. Parts are
 * weighed by the whole's witness, whoever is judged for them. */
static bool explained_by_parts(struct analysis *analysis, uint32_t number, double missing_share)
{
    enum witness witness = analysis->series[number].witness;
    double silent = 0, out = 0, all = series_life(&analysis->series[number])->rate.per_s;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *part = &analysis->series[i];
        double per_s = part->life[witness].rate.per_s;
        if (analysis->scopes->items[i].kind != SCOPE_PREFIX || !analysis->scopes->items[i].counted)
            continue;
        if (part->episode.open && number == SCOPE_NUMBER_ALL)
            all -= per_s;
        else if (part->episode.open || detect_score(series_life(part)) >= wider_doubt)
            silent += per_s;
        out += part->episode.open && number != SCOPE_NUMBER_ALL ? per_s : 0;
    }
    /* Beside an outage that is told the others are quiet for a moment now and then. */
    if (out >= told_most * missing_share * all && out < nearly_all * all)
        return true;
    return silent >= 0.5 * missing_share * all && silent < nearly_all * all;
}

/* What is left of a narrow scope beside a path that fell with it is nothing to tell as long as that is out.
 */
static bool explained_by_path(const struct analysis *analysis, uint32_t number,
                              const struct change_found *onset)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        const struct episode *path = &analysis->series[i].episode;
        if (analysis->scopes->items[i].kind == SCOPE_PATH && path->open &&
            analysis->scopes->items[number].counted &&
            width(analysis->scopes->items[number].kind) < width(SCOPE_PATH) &&
            onset->earliest_ns <= path->onset_latest_ns && onset->latest_ns >= path->onset_earliest_ns)
            return true;
    }
    return false;
}

static void judge_thinness(struct analysis *analysis, uint32_t number, int level)
{
    struct series *series = &analysis->series[number];
    struct thinness_level *thin = &series->thinness.level[level];
    double left = thin->expected > 0 ? thin->seen / thin->expected : 0;
    if (width(analysis->scopes->items[number].kind) > 1 && explained_by_parts(analysis, number, 1 - left))
        return;
    enum wider wider = ask_wider(analysis, number);
    if (wider == WIDER_IN_DOUBT)
        return;
    struct change_found onset = find_onset(series, 1);
    if (explained_by_path(analysis, number, &onset))
        return;
    const struct episode_mark *before = past_at(&series->past, onset.best_ns);
    enum road road = road_ask(analysis, number, before, thin->sum);
    if (road == ROAD_MOVED)
        leave_road(analysis, number, left);
    if (road != ROAD_LOST || is_excused(analysis, series, wider, before))
        return;
    open_episode(analysis, number, &onset, thin->sum, level, before, wider == WIDER_DOWN);
}

/* An outage of one prefix after the other is one of `all` once hardly anything is left out. */
static void judge_spread(struct analysis *analysis)
{
    struct series *all = &analysis->series[SCOPE_NUMBER_ALL];
    double down = 0, whole = 0, odds = INFINITY;
    unsigned parts = 0;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *part = &analysis->series[i];
        if (analysis->scopes->items[i].kind != SCOPE_PREFIX || !analysis->scopes->items[i].counted)
            continue;
        whole += part->life[all->witness].rate.per_s;
        if (!part->episode.open)
            continue;
        parts++;
        down += part->life[all->witness].rate.per_s;
        odds = fmin(odds, part->episode.log_odds);
    }
    /* Of `all` the level may have followed what fell with them. */
    if (parts < 2 || down < nearly_all * fmax(whole, series_life(all)->rate.per_s))
        return;
    struct change_found onset = find_onset(all, 1);
    open_episode(analysis, SCOPE_NUMBER_ALL, &onset, odds, 1, past_at(&all->past, onset.best_ns), false);
}

/* What the step brought. The thinness of `all` is that of the rest, where a prefix has an outage of its own.
 */
static struct step step_counts(struct analysis *analysis, uint32_t number)
{
    const struct series *series = &analysis->series[number];
    struct step counts = *step_of(series);
    if (number != SCOPE_NUMBER_ALL || series->episode.open)
        return counts;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (analysis->scopes->items[i].kind == SCOPE_PREFIX && analysis->scopes->items[i].counted &&
            analysis->series[i].episode.open) {
            const struct step *part = &analysis->series[i].step[series->witness];
            counts.seen -= part->seen;
            counts.expected -= part->expected;
            counts.prudent -= part->prudent;
        }
    return (struct step){counts.signs, fmax(counts.seen, 0), fmax(counts.expected, 0),
                         fmax(counts.prudent, 0)};
}

static void take_thinness(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    struct step counts = step_counts(analysis, number);
    const struct population *life = series_life(series);
    thinness_step(&series->thinness, counts.seen, counts.prudent, fmax(1, life->rate.shape),
                  life->level.dispersion, analysis->end_ns);
}

static void judge(struct analysis *analysis, uint32_t number)
{
    struct series *series = &analysis->series[number];
    struct population *life = series_life(series);
    series->learning = learned(analysis, series);
    if (series->learning != LEARNING_DONE) {
        series->state = STATE_LEARNING;
        return;
    }
    if (is_left(analysis, number)) {
        watch_anew(series, analysis->end_ns);
        series->learning = LEARNING_THIN;
        series->state = STATE_LEARNING;
        return;
    }
    if (tap_proves(&analysis->tap, &analysis->tap_now))
        take_thinness(analysis, number);
    /* Judged at every event too: a silence that was long enough before something came was an outage. */
    double threshold = detect_threshold(life, analysis->alarms_per_year),
           score = fmax(detect_score(life), life->broken_score);
    double per_year = detect_events_per_year(life);
    int level = thinness_alarm(&series->thinness, per_year, analysis->alarms_per_year);
    bool thin = thinness_doubt(&series->thinness, per_year, analysis->alarms_per_year);
    bool doubt = score >= threshold / 2 || thin;
    series->thin_doubt = thin && !level_wanders(&life->level);
    /* A scope too thin to be judged within a day is not called up. */
    double detectable_s = doubt ? 0 : shortest(analysis, series, life);
    if (detectable_s < 0 || detectable_s > thin_s)
        series->learning = LEARNING_THIN;
    series->state = doubt ? STATE_SUSPECT : series->learning == LEARNING_THIN ? STATE_LEARNING : STATE_UP;
    count_near(analysis, series, threshold);
    if (score >= threshold && life->last_ns != TIME_NONE)
        judge_silence(analysis, number, score);
    else if (level >= 0)
        judge_thinness(analysis, number, level);
    else if (number == SCOPE_NUMBER_ALL)
        judge_spread(analysis);
}

static struct tally_span life_span(const struct series *series, const struct tally *tally)
{
    return series->witness == WITNESS_PROVEN     ? tally->proven
           : series->witness == WITNESS_ANSWERED ? tally->answered
           : series->witness == WITNESS_ACKED    ? tally->acked
           : series->live_is_packets             ? tally->out
                                                 : tally->live;
}

static int64_t first_life(const struct series *series, const struct tally *tally)
{
    int64_t first_ns = life_span(series, tally).first_ns;
    return first_ns != TIME_NONE ? first_ns : tally->start_ns;
}

static void take_change(struct analysis *analysis, uint32_t number, const struct tally *tally)
{
    struct series *series = &analysis->series[number];
    struct step counts = step_counts(analysis, number);
    if (analysis->end_ns >= series->clusters_until_ns) {
        const struct population *life = series_life(series);
        series->clusters = calibrate_clusters(&life->calibrate, fmax(1, life->rate.shape));
        series->clusters_until_ns = clock_floor(analysis->end_ns, clusters_keep_ns) + clusters_keep_ns;
    }
    if (series_in_surge(series)) /* its end is no onset */
        counts.seen = fmin(counts.seen, counts.expected);
    /* The fewer come, the surer two close to each other are of one cluster. */
    double share = series->episode.open ? fmax(episode_recovered(&series->episode), least_share) : 1;
    const struct change_step step = {.start_ns = tally->start_ns,
                                     .end_ns = tally->end_ns,
                                     .expected = counts.expected,
                                     .seen = counts.seen,
                                     .span = life_span(series, tally),
                                     .cluster = series->clusters.size,
                                     .gap = series->clusters.gap * pow(share, -gap_power)};
    series->step_clusters = change_take(&series->change, &step);
}

/* During the return of `all`, when each scope under it came back: its first sign of life since the first of
 * all. */
static void note_returns(struct analysis *analysis, const struct tally *tallies)
{
    const struct episode *whole = &analysis->series[SCOPE_NUMBER_ALL].episode;
    for (uint32_t i = SCOPE_NUMBER_ALL + 1; i < scope_number_tap(analysis->scopes) && whole->open; i++) {
        struct series *series = &analysis->series[i];
        if (whole->return_ns == TIME_NONE || !analysis->scopes->items[i].counted)
            series->returned_ns = TIME_NONE;
        else if (series->returned_ns == TIME_NONE && step_of(series)->seen > 0)
            series->returned_ns = first_life(series, &tallies[i]);
    }
}

/* The widest first. Each judgement may find the sensor blind, and then the rest is not judged. */
static void judge_all(struct analysis *analysis, const struct tally *tallies)
{
    for (int at_width = 3; at_width >= 0; at_width--)
        for (uint32_t i = 0; i < analysis->scopes->count && !analysis->tap.blind; i++) {
            struct series *series = &analysis->series[i];
            if (width(analysis->scopes->items[i].kind) != at_width || series->state == STATE_BLIND ||
                tallies[i].end_ns <= tallies[i].start_ns)
                continue;
            take_change(analysis, i, &tallies[i]);
            if (!series->episode.open) {
                judge(analysis, i);
                continue;
            }
            follow_episode(analysis, i, first_life(series, &tallies[i]));
        }
}

/* ---- the door ---- */

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
        watch_anew(&analysis->series[i], start_ns);
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

/* What is not watched, without the routers' words about what is: those grow with a surge towards it, or cease
 * with it, and so are no control. */
static struct tally control_of(const struct tally *tap, const struct tally *all)
{
    struct tally control = *tap;
    if (knows(tap, TALLY_packets_in) && knows(all, TALLY_icmp_errors) && knows(all, TALLY_icmp_own)) {
        uint64_t errors = all->value[TALLY_icmp_errors], own = all->value[TALLY_icmp_own],
                 words = errors > own ? errors - own : 0, *packets = &control.value[TALLY_packets_in];
        *packets -= words < *packets ? words : *packets;
    }
    return control;
}

static void take_interval(struct analysis *analysis, const struct tally *tallies)
{
    uint32_t tap_number = scope_number_tap(analysis->scopes);
    struct tap *tap = &analysis->tap;
    const struct tally control = control_of(&tallies[tap_number], &tallies[SCOPE_NUMBER_ALL]);
    double rarity = calibrate_rarity(&tap->control.calibrate, detect_score(&tap->control));
    double expected = tap->control.total_expected;
    enum tap_news news = tap_step(tap, &control, analysis->alarms_per_year);
    analysis->series[tap_number].bin_expected += tap->control.total_expected - expected;
    analysis->series[tap_number].state = tap_has_control(tap) ? STATE_UP : STATE_LEARNING;
    if (news == TAP_NOTHING)
        news = tap_hear(tap, (double)tallies[SCOPE_NUMBER_ALL].value[TALLY_packets_out]);
    if (news == TAP_IMPAIRED)
        go_blind(analysis);
    else if (news == TAP_RESTORED)
        tell_sensor(analysis, EVENT_SENSOR_RESTORED);
    take_legs(analysis, tallies);
    take_frames(analysis, &tallies[tap_number]);

    if (tap->blind || snaplen_pauses(&tap->snaplen, false))
        analysis->series[tap_number].state = STATE_BLIND;

    analysis->tap_now = tallies[tap_number];
    bool proven = tap_proves(tap, &analysis->tap_now);
    if (proven)
        confirm_all(analysis, rarity < brief_blindness);
    for (uint32_t i = 0; i < tap_number; i++)
        if (tallies[i].end_ns > tallies[i].start_ns) {
            if (is_unseen(analysis, i, &tallies[i]))
                watch_anew(&analysis->series[i], tallies[i].end_ns);
            else
                take_scope(analysis, i, &tallies[i], proven);
        }
    judge_sampling(analysis);
    judge_all(analysis, tallies);
    note_returns(analysis, tallies);
}

void analysis_step(struct analysis *analysis, const struct tally *tallies)
{
    int64_t start_ns = tallies[0].start_ns, end_ns = tallies[0].end_ns;
    for (uint32_t i = 1; i < analysis->scopes->count;
         i++) { /* some scopes may be missing from this interval */
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
        close_bin(analysis);
    bridge_gap(analysis, start_ns);
    if (analysis->bin_start_ns == TIME_NONE)
        open_bin(analysis, start_ns);
    analysis->end_ns = end_ns;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (tallies[i].end_ns > tallies[i].start_ns)
            tally_add(&analysis->series[i].bin, &tallies[i]);
    take_interval(analysis, tallies);
    if (end_ns >= analysis->bin_start_ns + analysis->options.bin_ns)
        close_bin(analysis);
}

void analysis_finish(struct analysis *analysis)
{
    close_bin(analysis);
}
