/* SPDX-License-Identifier: BSD-3-Clause */
/* The scopes judged, the widest first, so that a narrow one can see that a wider one explains its silence. */
#include <math.h>

#include "series.h"

static const double near_times = 50; /* how much more often silences come that are counted in alarms' stead */
static const double year_s = 365.25 * 86400;
static const double survivors_most = 0.3; /* share of the expected that may be left where there is silence */
static const double nearly_all = 0.9;     /* of a scope: so much silent is not a part */
static const double told_most = 0.8;      /* of what a scope misses: so much is that of its parts */
static const double thin_s = 86400;       /* what takes longer to notice than this is not judged */
static const int64_t clusters_keep_ns = 3600 * NS_PER_S;
static const double least_share = 0.05, gap_power = 0.4; /* balances clusters joined and parted */
static const double shape_most = 400;                    /* no rate is known better than to a twentieth */

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

/* Whether to wait for a wider scope or for the sensor. What a wider outage explains needs neither. */
static bool is_excused(struct analysis *analysis, struct series *series, enum wider wider,
                       const struct episode_mark *before)
{
    bool by_name = scope_is_by_name(analysis->scopes, (uint32_t)(series - analysis->series));
    if (wider != WIDER_DOWN && snaplen_doubts(&analysis->tap.snaplen, by_name, analysis->end_ns))
        return true;
    return wider == WIDER_IN_DOUBT || (wider == WIDER_UP && sight_doubts(analysis, series, before));
}

static struct change_found find_onset(struct series *series, double most)
{
    return change_fall(&series->change, fmin(series_life(series)->rate.shape, shape_most), most);
}

static void judge_silence(struct analysis *analysis, uint32_t number, double score)
{
    struct series *series = &analysis->series[number];
    enum wider wider = wider_ask(analysis, number);
    enum road road = road_ask(analysis, number, &series->at_last_life, score);
    if (road == ROAD_MOVED)
        road_leave(analysis, number, 0);
    if (road != ROAD_LOST || is_excused(analysis, series, wider, &series->at_last_life))
        return;
    struct change_found onset = find_onset(series, survivors_most);
    outage_open(analysis, number, &onset, score, EPISODE_SILENT, &series->at_last_life, wider == WIDER_DOWN);
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
        else if (part->episode.open || wider_in_doubt(part))
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
            wider_width(analysis->scopes->items[number].kind) < wider_width(SCOPE_PATH) &&
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
    if (wider_width(analysis->scopes->items[number].kind) > 1 &&
        explained_by_parts(analysis, number, 1 - left))
        return;
    enum wider wider = wider_ask(analysis, number);
    if (wider == WIDER_IN_DOUBT)
        return;
    struct change_found onset = find_onset(series, 1);
    if (explained_by_path(analysis, number, &onset))
        return;
    const struct episode_mark *before = past_at(&series->past, onset.best_ns);
    enum road road = road_ask(analysis, number, before, thin->sum);
    if (road == ROAD_MOVED)
        road_leave(analysis, number, left);
    if (road != ROAD_LOST || is_excused(analysis, series, wider, before))
        return;
    outage_open(analysis, number, &onset, thin->sum, level, before, wider == WIDER_DOWN);
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
    outage_open(analysis, SCOPE_NUMBER_ALL, &onset, odds, 1, past_at(&all->past, onset.best_ns), false);
}

/* What the step brought. The thinness of `all` is that of the rest, where a prefix has an outage of its own.
 */
static struct step step_counts(struct analysis *analysis, uint32_t number)
{
    const struct series *series = &analysis->series[number];
    struct step counts = *series_step(series);
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
    if (road_is_left(analysis, number)) {
        series_watch_anew(series, analysis->end_ns);
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
    double detectable_s = doubt ? 0 : series_shortest(analysis, series, life);
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
                                     .span = series_span(series, tally),
                                     .cluster = series->clusters.size,
                                     .gap = series->clusters.gap * pow(share, -gap_power)};
    series->step_clusters = change_take(&series->change, &step);
}

/* The widest first. Each judgement may find the sensor blind, and then the rest is not judged. */
void judge_all(struct analysis *analysis, const struct tally *tallies)
{
    for (int at_width = 3; at_width >= 0; at_width--)
        for (uint32_t i = 0; i < analysis->scopes->count && !analysis->tap.blind; i++) {
            struct series *series = &analysis->series[i];
            if (wider_width(analysis->scopes->items[i].kind) != at_width || series->state == STATE_BLIND ||
                tallies[i].end_ns <= tallies[i].start_ns)
                continue;
            take_change(analysis, i, &tallies[i]);
            if (!series->episode.open) {
                judge(analysis, i);
                continue;
            }
            outage_follow(analysis, i, series_first_life(series, &tallies[i]));
        }
}
