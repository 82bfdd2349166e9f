/* SPDX-License-Identifier: BSD-3-Clause */
/* Which scope's silence is part of a wider one's. */
#include "series.h"

static const double doubt = 3; /* score of a silence that narrower scopes wait for */

int wider_width(enum scope_kind kind)
{
    static const int widths[] = {
        [SCOPE_ALL] = 3, [SCOPE_PATH] = 2, [SCOPE_PREFIX] = 1, [SCOPE_SERVICE] = 0, [SCOPE_TAP] = 4};
    return widths[kind];
}

bool wider_in_doubt(struct series *series)
{
    return detect_score(series_life(series)) >= doubt;
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

enum wider wider_ask(struct analysis *analysis, uint32_t number)
{
    const struct scope *scope = &analysis->scopes->items[number];
    struct population *life = series_life(&analysis->series[number]);
    if (!scope->counted)
        return WIDER_UP;
    enum wider answer = WIDER_UP;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        struct series *wide = &analysis->series[i];
        if (wider_width(analysis->scopes->items[i].kind) <= wider_width(scope->kind) ||
            analysis->scopes->items[i].kind == SCOPE_TAP)
            continue;
        if (wide->episode.open && (i == SCOPE_NUMBER_ALL || fell_together(&wide->episode, life)))
            return WIDER_DOWN;
        if (!wide->episode.open && wide->state != STATE_LEARNING && wider_in_doubt(wide))
            answer = WIDER_IN_DOUBT;
    }
    return answer;
}

bool wider_holds(struct analysis *analysis, uint32_t number, uint32_t wide_number)
{
    struct series *narrow = &analysis->series[number];
    const struct scope *scope = &analysis->scopes->items[number],
                       *wide = &analysis->scopes->items[wide_number];
    if (!narrow->episode.open || narrow->episode.covered || !scope->counted ||
        wider_width(scope->kind) >= wider_width(wide->kind))
        return false;
    return wide_number == SCOPE_NUMBER_ALL ||
           fell_together(&analysis->series[wide_number].episode, series_life(narrow));
}
