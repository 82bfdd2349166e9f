/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The study as bytes: a head that says for what it was saved, and the plain data as they lie in memory. That
 * ties a checkpoint to the build that wrote it, which the head's sizes and version catch; it is a place to go
 * on from after a crash, not an archive.
 */
#include <string.h>

#include "series.h"
#include "shape.h"

enum { STATE_VERSION = 19 };

/* ---- what leads from the data to a place in a table, and what only some values are for ---- */

static const struct shape calibrate_shape[] = {
    {SHAPE_FRACTIONS(struct calibrate, bucket)},   {SHAPE_NUMBERS(struct calibrate, count)},
    {SHAPE_NUMBERS(struct calibrate, slope)},      {SHAPE_NUMBERS(struct calibrate, prior_slope)},
    {SHAPE_NUMBERS(struct calibrate, threshold)},  {SHAPE_NUMBERS(struct calibrate, fitted_at)},
    {SHAPE_NUMBERS(struct calibrate, fitted_for)},
};

static const struct shape thinness_level_shape[] = {
    {SHAPE_NUMBERS(struct thinness_level, sum)},
    {SHAPE_NUMBERS(struct thinness_level, height)},
    {SHAPE_NUMBERS(struct thinness_level, peak)},
    {SHAPE_NUMBERS(struct thinness_level, seen)},
    {SHAPE_NUMBERS(struct thinness_level, expected)},
    {SHAPE_NUMBERS(struct thinness_level, spread)},
    {SHAPE_INSTANTS(struct thinness_level, rise_ns)},
    {SHAPE_INSTANTS(struct thinness_level, certain_ns)},
    {SHAPE_PARTS(struct thinness_level, calibrate, struct calibrate, calibrate_shape)},
};

static const struct shape thinness_shape[] = {
    {SHAPE_PARTS(struct thinness, level, struct thinness_level, thinness_level_shape)},
};

static const struct shape tap_mark_shape[] = {
    {SHAPE_INSTANTS(struct tap_mark, at_ns)},
    {SHAPE_NUMBERS(struct tap_mark, seen)},
    {SHAPE_NUMBERS(struct tap_mark, per_s)},
};

static const struct shape mark_shape[] = {
    {SHAPE_NUMBERS(struct episode_mark, life)},
    {SHAPE_NUMBERS(struct episode_mark, life_expected)},
    {SHAPE_NUMBERS(struct episode_mark, knock)},
    {SHAPE_NUMBERS(struct episode_mark, knock_expected)},
    {SHAPE_NUMBERS(struct episode_mark, whole)},
    {SHAPE_NUMBERS(struct episode_mark, whole_expected)},
    {SHAPE_NUMBERS(struct episode_mark, trend)},
    {SHAPE_PARTS(struct episode_mark, tap, struct tap_mark, tap_mark_shape)},
    {SHAPE_NUMBERS(struct episode_mark, surge)},
};

static const struct shape piece_shape[] = {
    {SHAPE_INSTANTS(struct change_piece, to_ns)},
    {SHAPE_NUMBERS(struct change_piece, expected)},
    {SHAPE_NUMBERS(struct change_piece, within)},
    {SHAPE_NUMBERS(struct change_piece, at_end)},
};

static const struct shape span_shape[] = {
    {SHAPE_INSTANTS(struct tally_span, first_ns)},
    {SHAPE_INSTANTS(struct tally_span, last_ns)},
};

static const struct shape tally_shape[] = {
    {SHAPE_INSTANTS(struct tally, start_ns)},
    {SHAPE_INSTANTS(struct tally, end_ns)},
    {SHAPE_PARTS(struct tally, live, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, answered, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, proven, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, acked, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, in, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, out, struct tally_span, span_shape)},
};

static const struct shape population_shape[] = {
    {SHAPE_FLAGS(struct population, surge.on)},
    {SHAPE_FLAGS(struct population, surge.believed)},
    {SHAPE_FLAGS(struct population, unproven)},
    {SHAPE_NUMBERS(struct population, baseline)},
    {SHAPE_NUMBERS(struct population, level)},
    {SHAPE_NUMBERS(struct population, surge.sum)},
    {SHAPE_NUMBERS(struct population, surge.disputed_s)},
    {SHAPE_NUMBERS(struct population, hourly)},
    {SHAPE_NUMBERS(struct population, hourly_least)},
    {SHAPE_NUMBERS(struct population, busiest_per_s)},
    {SHAPE_NUMBERS(struct population, rate)},
    {SHAPE_NUMBERS(struct population, prudent)},
    {SHAPE_NUMBERS(struct population, expected)},
    {SHAPE_NUMBERS(struct population, spread)},
    {SHAPE_NUMBERS(struct population, held_expected)},
    {SHAPE_NUMBERS(struct population, held_spread)},
    {SHAPE_NUMBERS(struct population, broken_score)},
    {SHAPE_NUMBERS(struct population, total)},
    {SHAPE_NUMBERS(struct population, total_expected)},
    {SHAPE_NUMBERS(struct population, total_prudent)},
    {SHAPE_NUMBERS(struct population, total_signs)},
    {SHAPE_NUMBERS(struct population, apart)},
    {SHAPE_NUMBERS(struct population, apart_signs)},
    {SHAPE_PARTS(struct population, calibrate, struct calibrate, calibrate_shape)},
    {SHAPE_INSTANTS(struct population, hourly_until_ns)},
    {SHAPE_INSTANTS(struct population, silent_from_ns)},
    {SHAPE_INSTANTS(struct population, last_ns)},
    {SHAPE_INSTANTS(struct population, last_not_before_ns)},
};

static const struct shape snaplen_share_shape[] = {
    {SHAPE_FLAGS(struct snaplen_share, known)},    {SHAPE_FLAGS(struct snaplen_share, lost)},
    {SHAPE_NUMBERS(struct snaplen_share, frames)}, {SHAPE_NUMBERS(struct snaplen_share, cut)},
    {SHAPE_NUMBERS(struct snaplen_share, since)},  {SHAPE_INSTANTS(struct snaplen_share, whole_ns)},
};

static const struct shape snaplen_shape[] = {
    {SHAPE_PARTS(struct snaplen, names, struct snaplen_share, snaplen_share_shape)},
    {SHAPE_PARTS(struct snaplen, headers, struct snaplen_share, snaplen_share_shape)},
    {SHAPE_CHOICES(struct snaplen, usual, CUT_HEADERS + 1)},
    {SHAPE_CHOICES(struct snaplen, told, CUT_HEADERS + 1)},
    {SHAPE_FLAGS(struct snaplen, changed)},
    {SHAPE_INSTANTS(struct snaplen, since_ns)},
};

static const struct shape tap_shape[] = {
    {SHAPE_PARTS(struct tap, control, struct population, population_shape)},
    {SHAPE_FLAGS(struct tap, blind)},
    {SHAPE_FLAGS(struct tap, deaf)},
    {SHAPE_FLAGS(struct tap, unwatched)},
    {SHAPE_PARTS(struct tap, snaplen, struct snaplen, snaplen_shape)},
    {SHAPE_PARTS(struct tap, thinness, struct thinness, thinness_shape)},
    {SHAPE_NUMBERS(struct tap, learn_s)},
    {SHAPE_NUMBERS(struct tap, recent_seen)},
    {SHAPE_NUMBERS(struct tap, recent_expected)},
    {SHAPE_NUMBERS(struct tap, watched_s)},
    {SHAPE_NUMBERS(struct tap, per_s)},
    {SHAPE_NUMBERS(struct tap, lost_of_day)},
    {SHAPE_NUMBERS(struct tap, lost_per_s)},
    {SHAPE_NUMBERS(struct tap, lost_share)},
    {SHAPE_NUMBERS(struct tap, returned_seen)},
    {SHAPE_NUMBERS(struct tap, returned_expected)},
    {SHAPE_NUMBERS(struct tap, sampled)},
    {SHAPE_INSTANTS(struct tap, blind_since_ns)},
};

static const struct shape leg_shape[] = {
    {SHAPE_TEXT_OF(struct mirror_leg, name)},
    {SHAPE_PARTS(struct mirror_leg, control, struct population, population_shape)},
    {SHAPE_FLAGS(struct mirror_leg, lost)},
    {SHAPE_NUMBERS(struct mirror_leg, missed)},
    {SHAPE_NUMBERS(struct mirror_leg, returned_seen)},
    {SHAPE_NUMBERS(struct mirror_leg, returned_expected)},
    {SHAPE_INSTANTS(struct mirror_leg, lost_since_ns)},
};

static const struct shape mirror_shape[] = {
    {SHAPE_CHOICES(struct mirror, count, TALLY_LEGS + 1)},
    {SHAPE_CHOICES(struct mirror, lost, 1U << TALLY_LEGS)},
    {SHAPE_PARTS(struct mirror, leg, struct mirror_leg, leg_shape)},
};

static const struct shape past_shape[] = {
    {SHAPE_CHOICES(struct past, count, PAST_MARKS + 1)},
    {SHAPE_CHOICES(struct past, next, PAST_MARKS)},
    {SHAPE_INSTANTS(struct past, at_ns)},
    {SHAPE_PARTS(struct past, mark, struct episode_mark, mark_shape)},
};

static const struct shape change_shape[] = {
    {SHAPE_CHOICES(struct change, count, CHANGE_PIECES + 1)},
    {SHAPE_INSTANTS(struct change, from_ns)},
    {SHAPE_INSTANTS(struct change, unseen_ns)},
    {SHAPE_INSTANTS(struct change, pin_ns)},
    {SHAPE_PARTS(struct change, pieces, struct change_piece, piece_shape)},
};

static const struct shape episode_shape[] = {
    {SHAPE_FLAGS(struct episode, open)},
    {SHAPE_FLAGS(struct episode, covered)},
    {SHAPE_TEXT_OF(struct episode, scope)},
    {SHAPE_CHOICES(struct episode, verdict, VERDICT__COUNT + 1)},
    {SHAPE_FLAGS(struct episode, returning)},
    {SHAPE_INSTANTS(struct episode, onset_ns)},
    {SHAPE_INSTANTS(struct episode, onset_earliest_ns)},
    {SHAPE_INSTANTS(struct episode, onset_latest_ns)},
    {SHAPE_INSTANTS(struct episode, end_ns)},
    {SHAPE_INSTANTS(struct episode, end_earliest_ns)},
    {SHAPE_INSTANTS(struct episode, end_latest_ns)},
    {SHAPE_INSTANTS(struct episode, opened_ns)},
    {SHAPE_INSTANTS(struct episode, review_ns)},
    {SHAPE_INSTANTS(struct episode, closed_ns)},
    {SHAPE_INSTANTS(struct episode, return_ns)},
    {SHAPE_INSTANTS(struct episode, odds_rise_ns)},
    {SHAPE_INSTANTS(struct episode, down_ns)},
    {SHAPE_INSTANTS(struct episode, held_ns)},
    {SHAPE_INSTANTS(struct episode, steady_since_ns)},
    {SHAPE_NUMBERS(struct episode, level_accepted)},
    {SHAPE_NUMBERS(struct episode, log_odds)},
    {SHAPE_NUMBERS(struct episode, depth)},
    {SHAPE_NUMBERS(struct episode, probability)},
    {SHAPE_NUMBERS(struct episode, down_seen)},
    {SHAPE_NUMBERS(struct episode, down_expected)},
    {SHAPE_NUMBERS(struct episode, climb_seen)},
    {SHAPE_NUMBERS(struct episode, climb_expected)},
    {SHAPE_NUMBERS(struct episode, lost_odds)},
    {SHAPE_NUMBERS(struct episode, lost_seen)},
    {SHAPE_NUMBERS(struct episode, lost_expected)},
    {SHAPE_NUMBERS(struct episode, return_odds)},
    {SHAPE_NUMBERS(struct episode, recent_seen)},
    {SHAPE_NUMBERS(struct episode, recent_expected)},
    {SHAPE_NUMBERS(struct episode, share_at_last)},
    {SHAPE_NUMBERS(struct episode, share_most)},
    {SHAPE_PARTS(struct episode, before, struct episode_mark, mark_shape)},
};

static const struct shape reading_shape[] = {
    {SHAPE_FLAGS(struct cause_reading, known)},
    {SHAPE_NUMBERS(struct cause_reading, value)},
    {SHAPE_NUMBERS(struct cause_reading, usual)},
};

static const struct shape facts_shape[] = {
    {SHAPE_CHOICES(struct cause_facts, kind, SCOPE_TAP + 1)},
    {SHAPE_FLAGS(struct cause_facts, control)},
    {SHAPE_PARTS(struct cause_facts, reading, struct cause_reading, reading_shape)},
    {SHAPE_FLAGS(struct cause_facts, judged)},
    {SHAPE_NUMBERS(struct cause_facts, prior)},
};

static const struct shape series_shape[] = {
    {SHAPE_PARTS(struct series, life, struct population, population_shape)},
    {SHAPE_PARTS(struct series, knock, struct population, population_shape)},
    {SHAPE_FLAGS(struct series, live_is_packets)},
    {SHAPE_FLAGS(struct series, thin_doubt)},
    {SHAPE_PARTS(struct series, change, struct change, change_shape)},
    {SHAPE_CHOICES(struct series, signal, SIGNAL__COUNT)},
    {SHAPE_CHOICES(struct series, witness, WITNESS__COUNT)},
    {SHAPE_CHOICES(struct series, state, STATE__COUNT)},
    {SHAPE_CHOICES(struct series, learning, LEARNING__COUNT)},
    {SHAPE_PARTS(struct series, past, struct past, past_shape)},
    {SHAPE_PARTS(struct series, late, struct past, past_shape)},
    {SHAPE_PARTS(struct series, episode, struct episode, episode_shape)},
    {SHAPE_PARTS(struct series, facts, struct cause_facts, facts_shape)},
    {SHAPE_NUMBERS(struct series, step)},
    {SHAPE_NUMBERS(struct series, clusters)},
    {SHAPE_NUMBERS(struct series, told_signs)},
    {SHAPE_NUMBERS(struct series, proofs)},
    {SHAPE_NUMBERS(struct series, alarms)},
    {SHAPE_NUMBERS(struct series, step_s)},
    {SHAPE_NUMBERS(struct series, step_clusters)},
    {SHAPE_NUMBERS(struct series, detectable_s)},
    {SHAPE_NUMBERS(struct series, use)},
    {SHAPE_NUMBERS(struct series, hosts_usual)},
    {SHAPE_NUMBERS(struct series, level_life)},
    {SHAPE_NUMBERS(struct series, level_expected)},
    {SHAPE_NUMBERS(struct series, bin_expected)},
    {SHAPE_INSTANTS(struct series, moved_ns)},
    {SHAPE_INSTANTS(struct series, clusters_until_ns)},
    {SHAPE_INSTANTS(struct series, detectable_until_ns)},
    {SHAPE_INSTANTS(struct series, level_from_ns)},
    {SHAPE_INSTANTS(struct series, returned_ns)},
    {SHAPE_PARTS(struct series, thinness, struct thinness, thinness_shape)},
    {SHAPE_PARTS(struct series, so_far, struct episode_mark, mark_shape)},
    {SHAPE_PARTS(struct series, at_last_life, struct episode_mark, mark_shape)},
    {SHAPE_PARTS(struct series, bin, struct tally, tally_shape)},
};

/* The level of thinness that opened an episode, which may be none. */
static bool thin_holds(const uint8_t *series)
{
    int thin;
    memcpy(&thin, series + offsetof(struct series, episode.thin), sizeof thin);
    return thin >= EPISODE_SILENT && thin < THINNESS_LEVELS;
}

static bool series_hold(const uint8_t *series, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!thin_holds(series + i * sizeof(struct series)))
            return false;
    return shape_holds(series_shape, SHAPE_FIELDS(series_shape), series, sizeof(struct series), count);
}

/* ---- the bytes ---- */

struct state_head {
    uint32_t version;
    uint32_t scope_count;
    uint64_t series_bytes, tap_bytes;
    uint64_t scopes_hash; /* of their names, in order */
    int64_t bin_ns;
    int64_t bin_start_ns, end_ns;
    double half_life_s;
};

static uint64_t hash_scopes(const struct scope_list *scopes)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < scopes->count; i++)
        hash = hash * 31 + episode_key(scopes->items[i].text, scopes->items[i].counted);
    return hash;
}

static struct state_head head_of(const struct analysis *analysis)
{
    struct state_head head;
    memset(&head, 0, sizeof head); /* the gaps too: equal heads are equal bytes */
    head.version = STATE_VERSION;
    head.scope_count = analysis->scopes->count;
    head.series_bytes = sizeof(struct series);
    head.tap_bytes = sizeof(struct tap) + sizeof(struct mirror);
    head.scopes_hash = hash_scopes(analysis->scopes);
    head.bin_ns = analysis->options.bin_ns;
    head.bin_start_ns = analysis->bin_start_ns;
    head.end_ns = analysis->end_ns;
    head.half_life_s = analysis->options.half_life_s;
    return head;
}

size_t analysis_save(const struct analysis *analysis, uint8_t *bytes, size_t room)
{
    size_t series_bytes = analysis->scopes->count * sizeof(struct series);
    size_t length = sizeof(struct state_head) + sizeof(struct tap) + sizeof(struct mirror) + series_bytes;
    if (room < length)
        return length;
    struct state_head head = head_of(analysis);
    memcpy(bytes, &head, sizeof head);
    bytes += sizeof head;
    memcpy(bytes, &analysis->tap, sizeof analysis->tap);
    memcpy(bytes + sizeof analysis->tap, &analysis->mirror, sizeof analysis->mirror);
    memcpy(bytes + sizeof analysis->tap + sizeof analysis->mirror, analysis->series, series_bytes);
    return length;
}

int analysis_load(struct analysis *analysis, const uint8_t *bytes, size_t length, const char **why)
{
    struct state_head head, wanted = head_of(analysis);
    *why = "it was written by another version of the program";
    if (length < sizeof head)
        return -1;
    memcpy(&head, bytes, sizeof head);
    if (head.version != wanted.version || head.series_bytes != wanted.series_bytes ||
        head.tap_bytes != wanted.tap_bytes)
        return -1;
    *why = "it belongs to another watch list, or to other paths or services";
    if (head.scope_count != wanted.scope_count || head.scopes_hash != wanted.scopes_hash)
        return -1;
    *why = "it was made with another bin or half_life";
    if (head.bin_ns != wanted.bin_ns ||
        memcmp(&head.half_life_s, &wanted.half_life_s, sizeof head.half_life_s) != 0)
        return -1;
    *why = "its length is not what it should be";
    size_t series_bytes = analysis->scopes->count * sizeof(struct series);
    if (length != sizeof head + sizeof(struct tap) + sizeof(struct mirror) + series_bytes)
        return -1;
    const uint8_t *tap = bytes + sizeof head, *mirror = tap + sizeof(struct tap),
                  *series = mirror + sizeof(struct mirror);
    *why = "it is not what a study can be";
    if (!shape_holds(tap_shape, SHAPE_FIELDS(tap_shape), tap, sizeof(struct tap), 1) ||
        !shape_holds(mirror_shape, SHAPE_FIELDS(mirror_shape), mirror, sizeof(struct mirror), 1) ||
        !series_hold(series, head.scope_count))
        return -1;
    memcpy(&analysis->tap, tap, sizeof analysis->tap);
    memcpy(&analysis->mirror, mirror, sizeof analysis->mirror);
    memcpy(analysis->series, series, series_bytes);
    analysis->bin_start_ns = head.bin_start_ns;
    analysis->end_ns = head.end_ns;
    return 0;
}

/* The number of the same scope in another study, or SCOPE_NONE. */
static uint32_t find_same(const struct analysis *analysis, const struct scope *scope)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (scope_is_same(&analysis->scopes->items[i], scope))
            return i;
    return SCOPE_NONE;
}

/* What is said of a scope depends on how many there are. */
static void adopt(struct analysis *to, uint32_t number, const struct series *series)
{
    to->series[number] = *series;
    if (series->alarms.nominal_per_year == to->alarms_per_year)
        return;
    to->series[number].alarms.nominal_per_year = to->alarms_per_year;
    to->series[number].detectable_until_ns = TIME_NONE;
}

double analysis_part(const struct analysis *from, const struct scope_list *scopes)
{
    double lost = 0, whole = from->series[SCOPE_NUMBER_ALL].told_signs;
    for (uint32_t i = 0; i < from->scopes->count; i++) {
        const struct scope *scope = &from->scopes->items[i];
        bool stays = scope->kind != SCOPE_PREFIX || !scope->counted;
        for (uint32_t j = 0; j < scopes->count && !stays; j++)
            stays = scope_is_same(&scopes->items[j], scope);
        lost += stays ? 0 : from->series[i].told_signs;
    }
    return whole > 0 && lost < whole ? 1 - lost / whole : whole > 0 ? 0 : 1;
}

uint32_t analysis_take_over(struct analysis *to, const struct analysis *from, bool all_stays)
{
    uint32_t open = 0;
    to->tap = from->tap;
    to->mirror = from->mirror;
    to->bin_start_ns = from->bin_start_ns;
    to->end_ns = from->end_ns;
    for (uint32_t i = 0; i < to->scopes->count; i++) {
        uint32_t same = find_same(from, &to->scopes->items[i]);
        if (same != SCOPE_NONE && (i != SCOPE_NUMBER_ALL || all_stays))
            adopt(to, i, &from->series[same]);
    }
    for (uint32_t i = 0; i < from->scopes->count; i++)
        open += from->series[i].episode.open && !from->series[i].episode.covered &&
                (i == SCOPE_NUMBER_ALL ? !all_stays : find_same(to, &from->scopes->items[i]) == SCOPE_NONE);
    return open;
}
