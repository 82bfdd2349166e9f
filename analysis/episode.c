/* SPDX-License-Identifier: BSD-3-Clause */
#include "episode.h"

#include <math.h>
#include <string.h>

/* A return is told from a remnant by a likelihood ratio (a CUSUM, reflected at zero): Poisson at `back` of
 * the expected rate against Poisson at `remnant` of it. What a partial outage left alive is no return. */
static const double back_of_silence = 0.25, remnant_least = 0.02;
static const double remnant_slack = 1.2;
static const double silent_level = 0.05;  /* up to here an outage is a silence, and any life a trickle */
static const double return_certain = 5;   /* two or three events close together */
static const double return_most = 12;     /* so that a flicker is soon seen to be over */
static const double trickle_patience = 3; /* alarms' worth of silence that part one trickle from the next */
static const double recent_events = 30;
static const double enough_back = 0.5; /* of the expected rate: from here the end is counted */
static const int64_t first_review_ns = 60 * NS_PER_S;

uint64_t episode_key(const char *scope, int64_t onset_ns)
{
    uint64_t hash = 14695981039346656037ULL;
    for (const char *c = scope; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
    for (int shift = 0; shift < 64; shift += 8)
        hash = (hash ^ (((uint64_t)onset_ns >> shift) & 0xff)) * 1099511628211ULL;
    return hash;
}

void episode_open(struct episode *episode, const char *scope, const struct change_found *onset,
                  double log_odds, const struct episode_mark *before, int64_t now_ns)
{
    *episode = (struct episode){.open = true,
                                .key = episode_key(scope, onset->earliest_ns),
                                .onset_ns = onset->best_ns,
                                .onset_earliest_ns = onset->earliest_ns,
                                .onset_latest_ns = onset->latest_ns,
                                .log_odds = log_odds,
                                .depth = 1 - onset->level,
                                .level = onset->level,
                                .recent_seen = onset->level * recent_events,
                                .recent_expected = recent_events,
                                .before = *before,
                                .review_ns = now_ns + first_review_ns,
                                .verdict = VERDICT__COUNT,
                                .return_ns = TIME_NONE,
                                .odds_rise_ns = TIME_NONE,
                                .steady_since_ns = TIME_NONE};
    strncpy(episode->scope, scope, sizeof episode->scope - 1);
}

double episode_recovered(const struct episode *episode)
{
    /* Two events close together are not yet a full return: judge over ten expected at the least. */
    return fmin(1, episode->recent_seen / fmax(episode->recent_expected, recent_events / 3));
}

/* The signs of life that follow each other without a long silence between them: a trickle, from its first
 * drop on. Where a part stayed alive, a return begins when the odds for it last rose. */
static void follow_trickle(struct episode *episode, double seen, int64_t first_ns, bool silent_long)
{
    if (episode->returning)
        return;
    if (episode->level > silent_level) {
        episode->return_ns = episode->odds_rise_ns;
        episode->return_seen = seen;
        return;
    }
    if (silent_long && !(seen > 0)) {
        episode->return_ns = TIME_NONE;
        episode->return_seen = 0;
    }
    if (seen > 0 && episode->return_ns == TIME_NONE)
        episode->return_ns = first_ns;
    episode->return_seen += seen;
}

static void weigh_return(struct episode *episode, double seen, double expected, int64_t first_ns)
{
    double back = episode->level > silent_level ? (1 + episode->level) / 2 : back_of_silence;
    double remnant = fmax(remnant_least, remnant_slack * episode->level);
    double odds = episode->return_odds + seen * log(back / remnant) - expected * (back - remnant);
    if (episode->return_odds <= 0 && odds > 0 && !episode->returning) {
        episode->odds_rise_ns = first_ns;
        episode->recent_seen = episode->recent_expected = 0;
    }
    episode->return_odds = fmin(fmax(odds, 0), return_most);
}

/* An outage that began with a part alive and then lost that too. */
static bool grew_deeper(struct episode *episode)
{
    double depth = 1 - episode_recovered(episode);
    bool deeper = (depth >= 0.95 && episode->depth < 0.95) || (depth >= 0.6 && episode->depth < 0.6);
    if (deeper) {
        episode->depth = depth;
        episode->level = fmin(episode->level, 1 - depth);
    }
    return deeper;
}

static enum episode_news fall_again(struct episode *episode)
{
    episode->returning = false;
    episode->return_ns = episode->steady_since_ns = TIME_NONE;
    episode->return_odds = episode->return_seen = 0;
    episode->told_quarters = 0;
    episode->flaps++;
    return EPISODE_FELL_AGAIN;
}

enum episode_news episode_follow(struct episode *episode, double seen, double expected, int64_t first_ns,
                                 int64_t end_ns, double silence, double alarm, double hold_s)
{
    weigh_return(episode, seen, expected, first_ns);
    follow_trickle(episode, seen, first_ns, silence >= trickle_patience * alarm);
    double fade = exp(-expected / recent_events);
    episode->recent_seen = episode->recent_seen * fade + seen;
    episode->recent_expected = episode->recent_expected * fade + expected;

    if (!episode->returning) {
        if (episode->return_odds < return_certain)
            return episode->return_odds <= 0 && grew_deeper(episode) ? EPISODE_DEEPER : EPISODE_NOTHING;
        episode->returning = true;
        episode->return_gap_s = clock_seconds(episode->return_ns, end_ns) / fmax(1, episode->return_seen);
        episode->told_quarters = (int)(episode_recovered(episode) * 4);
        return EPISODE_RETURNING;
    }
    double share = episode_recovered(episode);
    if (seen > 0)
        episode->share_at_last = share;
    if (episode->return_odds <= 0 || silence * episode->share_at_last >= alarm)
        return fall_again(episode);
    if (share < fmax(enough_back, (1 + episode->level) / 2) || episode->recent_expected < recent_events / 6)
        episode->steady_since_ns = TIME_NONE;
    else if (episode->steady_since_ns == TIME_NONE)
        episode->steady_since_ns = end_ns;
    if (episode->steady_since_ns != TIME_NONE && clock_seconds(episode->steady_since_ns, end_ns) >= hold_s)
        return EPISODE_OVER;
    if ((int)(share * 4) > episode->told_quarters && episode->recent_expected > recent_events / 2) {
        episode->told_quarters = (int)(share * 4);
        return EPISODE_MORE_BACK;
    }
    return EPISODE_NOTHING;
}
