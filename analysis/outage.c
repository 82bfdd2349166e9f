/* SPDX-License-Identifier: BSD-3-Clause */
/* An outage of a scope from its alarm to its end: what it takes over and lets go again, when its level has
 * become normal, and what is told of it on the way. What is known of it by itself is its episode (episode.c).
 */
#include "series.h"

static const double short_times = 1.25; /* of the delay: an outage no longer than that may be chance */
static const double level_signs = 30;   /* of life from which a level is known */
static const double level_least = 0.05; /* less is a total outage, and never normal */
static const double hardly_any = 0.005; /* a stray sign of life in days */
static const int64_t review_ns = 60 * NS_PER_S, review_seldom_ns = 600 * NS_PER_S,
                     review_often_ns = 3600 * NS_PER_S; /* of a cause */

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

/* A wider outage takes over the narrower ones that it explains: the oldest becomes it and keeps its name, the
 * others end as merged. */
static void take_over(struct analysis *analysis, uint32_t number)
{
    struct episode *wide = &analysis->series[number].episode;
    struct episode *oldest = NULL;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (wider_holds(analysis, i, number) &&
            (oldest == NULL || analysis->series[i].episode.onset_ns < oldest->onset_ns))
            oldest = &analysis->series[i].episode;
    if (oldest == NULL)
        return;
    wide->key = oldest->key;
    wide->sequence = oldest->sequence;
    oldest->covered = true;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (wider_holds(analysis, i, number)) {
            analysis->series[i].episode.merged_into = wide->key;
            tell_outage(analysis, i, EVENT_OUTAGE_ENDED);
            analysis->series[i].episode.covered = true;
        }
}

void outage_open(struct analysis *analysis, uint32_t number, const struct change_found *onset,
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
            series_watch_anew(series, analysis->end_ns);
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

static void rescale(struct series *series)
{
    double level = level_since(series);
    if (series->so_far.life - series->level_life < level_signs || level < level_least)
        return; /* silent, or too thin to tell */
    series_rescale(series, level);
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

void outage_follow(struct analysis *analysis, uint32_t number, int64_t first_ns)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    struct population *life = series_life(series);
    double alarm = detect_threshold(life, analysis->alarms_per_year);
    const struct episode_step step = {.seen = series->step_clusters,
                                      .expected = series_step(series)->expected / series->clusters.size,
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

void outage_note_returns(struct analysis *analysis, const struct tally *tallies)
{
    const struct episode *whole = &analysis->series[SCOPE_NUMBER_ALL].episode;
    for (uint32_t i = SCOPE_NUMBER_ALL + 1; i < scope_number_tap(analysis->scopes) && whole->open; i++) {
        struct series *series = &analysis->series[i];
        if (whole->return_ns == TIME_NONE || !analysis->scopes->items[i].counted)
            series->returned_ns = TIME_NONE;
        else if (series->returned_ns == TIME_NONE && series_step(series)->seen > 0)
            series->returned_ns = series_first_life(series, &tallies[i]);
    }
}
