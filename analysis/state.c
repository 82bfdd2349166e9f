/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The study as bytes: a head that says for what it was saved, and the plain data as they lie in memory. That
 * ties a checkpoint to the build that wrote it, which the head's sizes and version catch; it is a place to go
 * on from after a crash, not an archive.
 */
#include <string.h>

#include "series.h"

enum { STATE_VERSION = 19 };

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
    bytes += sizeof head;
    memcpy(&analysis->tap, bytes, sizeof analysis->tap);
    memcpy(&analysis->mirror, bytes + sizeof analysis->tap, sizeof analysis->mirror);
    memcpy(analysis->series, bytes + sizeof analysis->tap + sizeof analysis->mirror, series_bytes);
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
