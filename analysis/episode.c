/* SPDX-License-Identifier: BSD-3-Clause */
#include "episode.h"

#include <math.h>
#include <string.h>

/* A return is told from a remnant by a likelihood ratio (a CUSUM, reflected at zero): Poisson at `back` of
 * the expected rate against Poisson at `remnant` of it. What a partial outage left alive is no return. */
static const double back_of_silence = 0.25, remnant_least = 0.02;
static const double remnant_slack = 1.2;
static const double remnant_unseen = 0.5; /* clusters that may only have failed to show */
static const double remnant_most = 0.8;   /* of `back` */
static const double silent_level = 0.05;  /* up to here an outage is a silence, and any life a trickle */
static const double return_certain = 5;   /* two or three events close together */
static const double rise_certain = 9;     /* where a part is left: no swing of it */
static const double return_most = 7;      /* beyond that, so that a flicker is soon seen to be over */
static const double trickle_patience = 3; /* alarms' worth of silence that part one trickle from the next */
static const double recent_clusters = 30;
static const double enough_back = 0.5; /* of the expected rate: from here the end is counted */
static const double quiet_most = 3;    /* score of a silence in which no end is told */
static const double lost_left = 0.2, lost_certain = 14;
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
                                .end_ns = TIME_NONE,
                                .end_earliest_ns = TIME_NONE,
                                .end_latest_ns = TIME_NONE,
                                .log_odds = log_odds,
                                .down_seen = onset->seen,
                                .down_expected = onset->expected,
                                .recent_expected = recent_clusters,
                                .before = *before,
                                .opened_ns = now_ns,
                                .thin = EPISODE_SILENT,
                                .review_ns = now_ns + first_review_ns,
                                .verdict = VERDICT__COUNT,
                                .return_ns = TIME_NONE,
                                .odds_rise_ns = TIME_NONE,
                                .down_ns = onset->latest_ns,
                                .held_ns = TIME_NONE,
                                .steady_since_ns = TIME_NONE};
    episode->depth = 1 - episode_level(episode);
    episode->recent_seen = episode_level(episode) * recent_clusters;
    strncpy(episode->scope, scope, sizeof episode->scope - 1);
}

double episode_level(const struct episode *episode)
{
    return episode->down_expected > 0 ? fmin(1, episode->down_seen / episode->down_expected) : 0;
}

double episode_recovered(const struct episode *episode)
{
    /* Two events close together are not yet a full return: judge over ten expected at the least. */
    return fmin(1, episode->recent_seen / fmax(episode->recent_expected, recent_clusters / 3));
}

int64_t episode_turn_ns(const struct episode *episode)
{
    return episode->returning || episode->return_odds > 0 ? episode->return_ns : TIME_NONE;
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

void episode_end(struct episode *episode, const struct change_found *end)
{
    episode->end_ns = later(end->best_ns, episode->onset_ns);
    episode->end_earliest_ns = later(end->earliest_ns, episode->onset_ns);
    episode->end_latest_ns = later(end->latest_ns, episode->onset_ns);
}

/* The signs of life that follow each other without a long silence between them: a trickle, from its first
 * drop on. Where a part stayed alive, a return begins when the odds for it last rose. */
static void follow_trickle(struct episode *episode, const struct episode_step *step, bool silent_long)
{
    if (episode->returning)
        return;
    if (episode_level(episode) > silent_level) {
        episode->return_ns = episode->odds_rise_ns;
        return;
    }
    if (silent_long && !(step->seen > 0))
        episode->return_ns = TIME_NONE;
    if (step->seen > 0 && episode->return_ns == TIME_NONE)
        episode->return_ns = step->first_ns;
}

/* The share from which on something is back. */
static double back_share(double level)
{
    return level > silent_level ? (1 + level) / 2 : back_of_silence;
}

static double certain(const struct episode *episode)
{
    return episode_level(episode) > silent_level ? rise_certain : return_certain;
}

static void weigh_return(struct episode *episode, const struct episode_step *step)
{
    double level = episode_level(episode), back = back_share(level);
    double remnant = remnant_slack * level + remnant_unseen / (episode->down_expected + 1);
    remnant = fmin(fmax(remnant_least, remnant), remnant_most * back);
    double odds = episode->return_odds + step->seen * log(back / remnant) - step->expected * (back - remnant);
    if (episode->return_odds <= 0 && odds > 0 && !episode->returning) {
        episode->odds_rise_ns = step->first_ns;
        episode->recent_seen = episode->recent_expected = 0;
    }
    episode->return_odds = fmin(fmax(odds, 0), certain(episode) + return_most);
}

/* What came while the odds of a return stand at zero is what is left. */
static void follow_level(struct episode *episode, const struct episode_step *step)
{
    episode->climb_seen += step->seen;
    episode->climb_expected += step->expected;
    if (episode->returning || episode->return_odds > 0)
        return;
    episode->down_seen += episode->climb_seen;
    episode->down_expected += episode->climb_expected;
    episode->climb_seen = episode->climb_expected = 0;
}

static void follow_recent(struct episode *episode, const struct episode_step *step)
{
    double fade = exp(-step->expected / recent_clusters);
    episode->recent_seen = episode->recent_seen * fade + step->seen;
    episode->recent_expected = episode->recent_expected * fade + step->expected;
}

/* An outage that began with a part alive and then lost that too, or most of it: a CUSUM for a small part of
 * what is left. */
static bool grew_deeper(struct episode *episode, const struct episode_step *step)
{
    double by = step->expected * episode_level(episode) * (1 - lost_left) - step->seen * log(1 / lost_left);
    if (episode->lost_odds <= 0)
        episode->lost_seen = episode->lost_expected = 0;
    episode->lost_odds = fmax(0, episode->lost_odds + by);
    episode->lost_seen += step->seen;
    episode->lost_expected += step->expected;
    if (episode->lost_odds < lost_certain)
        return false;
    double depth = 1 - episode->lost_seen / episode->lost_expected, before = episode->depth;
    episode->depth = fmax(depth, before);
    episode->down_seen = episode->lost_seen;
    episode->down_expected = episode->lost_expected;
    episode->lost_odds = 0;
    return (depth >= 0.95 && before < 0.95) || (depth >= 0.6 && before < 0.6);
}

static enum episode_news begin_return(struct episode *episode)
{
    episode->returning = true;
    episode->share_most = 0;
    episode->told_quarters = (int)(episode_recovered(episode) * 4);
    return EPISODE_RETURNING;
}

/* What never reached half the way back was a remnant that had not been known to be so large. */
static enum episode_news fall_again(struct episode *episode)
{
    if (episode->share_most < enough_back) {
        episode->down_seen += episode->climb_seen;
        episode->down_expected += episode->climb_expected;
    } else if (episode->held_ns != TIME_NONE) {
        episode->down_ns = episode->held_ns;
    }
    episode->climb_seen = episode->climb_expected = 0;
    episode->returning = false;
    episode->return_ns = episode->steady_since_ns = episode->held_ns = TIME_NONE;
    episode->return_odds = 0;
    episode->told_quarters = 0;
    episode->flaps++;
    return EPISODE_FELL_AGAIN;
}

static bool is_over(struct episode *episode, const struct episode_step *step, double share, double hold_s)
{
    double wanted = fmax(enough_back, back_share(episode_level(episode)));
    if (share < wanted || episode->recent_expected < recent_clusters / 6)
        episode->steady_since_ns = TIME_NONE;
    else if (episode->steady_since_ns == TIME_NONE)
        episode->steady_since_ns = step->end_ns;
    return episode->steady_since_ns != TIME_NONE &&
           clock_seconds(episode->steady_since_ns, step->end_ns) >= hold_s &&
           episode->return_odds >= certain(episode) && step->silence < quiet_most;
}

static enum episode_news follow_return(struct episode *episode, const struct episode_step *step, double alarm,
                                       double hold_s)
{
    double share = episode_recovered(episode);
    if (step->seen > 0)
        episode->share_at_last = share;
    episode->share_most = fmax(episode->share_most, share);
    if (episode->return_odds >= certain(episode))
        episode->held_ns = step->end_ns;
    if (episode->return_odds <= 0 || step->silence * episode->share_at_last >= alarm)
        return fall_again(episode);
    if (is_over(episode, step, share, hold_s))
        return EPISODE_OVER;
    if ((int)(share * 4) > episode->told_quarters && episode->recent_expected > recent_clusters / 2) {
        episode->told_quarters = (int)(share * 4);
        return EPISODE_MORE_BACK;
    }
    return EPISODE_NOTHING;
}

enum episode_news episode_follow(struct episode *episode, const struct episode_step *step, double alarm,
                                 double hold_s)
{
    weigh_return(episode, step);
    follow_trickle(episode, step, step->silence >= trickle_patience * alarm);
    follow_level(episode, step);
    follow_recent(episode, step);
    if (episode->returning)
        return follow_return(episode, step, alarm, hold_s);
    if (episode->return_odds >= certain(episode))
        return begin_return(episode);
    return grew_deeper(episode, step) ? EPISODE_DEEPER : EPISODE_NOTHING;
}
