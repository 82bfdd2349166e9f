/* SPDX-License-Identifier: BSD-3-Clause */
#include "story.h"

#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "text.h"

int story_init(struct story *story, const struct scope_list *scopes)
{
    *story = (struct story){.scopes = scopes, .start_ns = TIME_NONE, .end_ns = TIME_NONE};
    story->scope = calloc(scopes->count, sizeof *story->scope);
    return story->scope != NULL ? 0 : -1;
}

int story_scopes(struct story *story, const struct scope_list *scopes)
{
    struct story_scope *scope = calloc(scopes->count, sizeof *scope);
    if (scope == NULL)
        return -1;
    for (uint32_t i = 0; i < scopes->count; i++)
        for (uint32_t j = 0; j < story->scopes->count; j++)
            if (scope_is_same(&scopes->items[i], &story->scopes->items[j]))
                scope[i] = story->scope[j];
    free(story->scope);
    story->scope = scope;
    story->scopes = scopes;
    return 0;
}

void story_clear(struct story *story)
{
    free(story->scope);
    free(story->episodes);
    free(story->gaps);
}

/* Items, with room for one more unless there are as many as may be, or there is no memory for it. */
static void *with_room(struct story *story, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    size_t more = *room > 0 ? 2 * *room : 16;
    void *grown = more <= STORY_MOST ? reallocarray(items, more, size) : NULL;
    if (grown == NULL) {
        story->cut_short = true;
        story->short_of_memory |= more <= STORY_MOST;
        return items;
    }
    *room = more;
    return grown;
}

/* The newest are last, and most events speak of one of those. */
static struct story_episode *find_episode(struct story *story, uint64_t episode)
{
    for (size_t i = story->episode_count; i > 0; i--)
        if (story->episodes[i - 1].episode == episode)
            return &story->episodes[i - 1];
    return NULL;
}

static struct story_episode *add_episode(struct story *story, const struct event *event)
{
    story->episodes = with_room(story, story->episodes, story->episode_count, &story->episode_room,
                                sizeof *story->episodes);
    if (story->episode_count == story->episode_room)
        return NULL;
    struct story_episode *episode = &story->episodes[story->episode_count++];
    *episode = (struct story_episode){.episode = event->episode, .delay_s = event->delay_s};
    episode->sensor = event->action == EVENT_SENSOR_IMPAIRED || event->action == EVENT_SENSOR_RESTORED;
    return episode;
}

static void count_parts(struct story_parts *parts, const struct event_part *part, uint32_t count)
{
    struct story_parts now = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        now.down += part[i].state == STATE_DOWN;
        now.known += part[i].last_seen_ns != TIME_NONE;
    }
    if (now.down > parts->down || parts->known == 0)
        *parts = now;
}

void story_event(struct story *story, const struct event *event)
{
    struct story_episode *episode = find_episode(story, event->episode);
    if (event->merged_into != 0) {
        if (episode != NULL) /* it is told in the wider one */
            memmove(episode, episode + 1,
                    (size_t)(story->episodes + --story->episode_count - episode) * sizeof *episode);
        return;
    }
    if (episode == NULL && (episode = add_episode(story, event)) == NULL)
        return;
    memcpy(episode->scope, event->scope, sizeof episode->scope);
    episode->action = event->action;
    episode->control = event->control;
    episode->signal = event->signal;
    episode->onset_ns = event->onset_ns;
    episode->onset_earliest_ns = event->onset_earliest_ns;
    episode->onset_latest_ns = event->onset_latest_ns;
    episode->end_ns = event_text_end(event);
    episode->end_earliest_ns = event->end_earliest_ns;
    episode->end_latest_ns = event->end_latest_ns;
    episode->depth = event->depth;
    if (event->action != EVENT_OUTAGE_RECOVERING && event->action != EVENT_OUTAGE_ENDED &&
        event->action != EVENT_SENSOR_RESTORED) {
        episode->expected_rate = event->expected_rate; /* those of the silence, not of the return */
        episode->observed_rate = event->observed_rate;
    }
    episode->verdict = event_text_cause(event, &episode->confidence);
    episode->flaps = event->flaps;
    episode->level_accepted = event->level_accepted;
    count_parts(&episode->prefixes, event->prefixes, event->prefix_count);
    count_parts(&episode->paths, event->paths, event->path_count);
    count_parts(&episode->services, event->services, event->service_count);
}

static void count_expected(struct story_scope *scope, const struct bin *bin, double minutes)
{
    double expected = bin_text_expected(bin);
    if (expected < 0)
        return;
    unsigned hour = (unsigned)(clock_floor(bin->start_ns, 3600 * NS_PER_S) / NS_PER_S / 3600 % 24 + 24) % 24;
    scope->expected += expected;
    scope->expected_minutes += minutes;
    scope->expected_hour[hour] += expected;
    scope->minutes_hour[hour] += minutes;
}

static void add_gap(struct story *story, int64_t from_ns, int64_t to_ns)
{
    story->gaps = with_room(story, story->gaps, story->gap_count, &story->gap_room, sizeof *story->gaps);
    if (story->gap_count < story->gap_room)
        story->gaps[story->gap_count++] = (struct story_gap){from_ns, to_ns};
}

void story_bin(struct story *story, const struct bin *bin)
{
    struct story_scope *scope = &story->scope[bin->scope];
    double minutes = bin_text_minutes(bin), observed = bin_text_observed(bin);
    scope->bins++;
    scope->last = *bin;
    if (observed >= 0) {
        scope->observed += observed;
        scope->observed_minutes += minutes;
    }
    count_expected(scope, bin, minutes);
    scope->packets_in += (double)bin->tally.value[TALLY_packets_in];
    scope->minutes += minutes;
    scope->state_minutes[bin->state] += minutes;
    if (bin->scope != SCOPE_NUMBER_ALL)
        return;
    if (story->start_ns == TIME_NONE)
        story->start_ns = bin->tally.start_ns;
    else if (bin->tally.start_ns > story->end_ns)
        add_gap(story, story->end_ns, bin->tally.start_ns);
    story->end_ns = bin->tally.end_ns;
    story->watched_packets += bin->tally.value[TALLY_packets_in] + bin->tally.value[TALLY_packets_out];
}

size_t story_count(const struct story *story, bool sensor)
{
    size_t count = 0;
    for (size_t i = 0; i < story->episode_count; i++)
        count += story->episodes[i].sensor == sensor;
    return count;
}

double story_expected(const struct story_scope *scope, double *low, double *high)
{
    if (!(scope->expected_minutes > 0))
        return -1;
    double mean = scope->expected / scope->expected_minutes;
    *low = *high = mean;
    for (int hour = 0; hour < 24; hour++) {
        if (!(scope->minutes_hour[hour] > 0))
            continue;
        double rate = scope->expected_hour[hour] / scope->minutes_hour[hour];
        *low = rate < *low ? rate : *low;
        *high = rate > *high ? rate : *high;
    }
    return mean;
}

double story_observed(const struct story_scope *scope)
{
    return scope->observed_minutes > 0 ? scope->observed / scope->observed_minutes : -1;
}

const struct story_episode *story_gravest(const struct story *story)
{
    const struct story_episode *worst = NULL;
    for (size_t i = 0; i < story->episode_count; i++) {
        const struct story_episode *one = &story->episodes[i];
        if (one->sensor)
            continue;
        bool wide = strcmp(one->scope, "all") == 0;
        bool wide_worst = worst != NULL && strcmp(worst->scope, "all") == 0;
        if (worst == NULL || wide > wide_worst || (wide == wide_worst && one->depth > worst->depth))
            worst = one;
    }
    return worst;
}

static void answer_nothing(const struct story *story, struct text *out)
{
    double low, high;
    if (story->start_ns == TIME_NONE)
        text_put(out, "Nothing was measured.");
    else if (story->watched_packets == 0)
        text_put(out, "No packet of the watched address space was seen.");
    else if (story_expected(&story->scope[SCOPE_NUMBER_ALL], &low, &high) < 0)
        text_put(out, "No outage was told: the sensor was still learning what is usual.");
    else
        text_put(out, "No outage of the watched address space was seen.");
}

/* What the answer rests on, where that is not all of the time. */
static void answer_reservations(const struct story *story, struct text *out)
{
    size_t blind = story_count(story, true);
    if (blind > 0)
        text_format(out, " The sensor was impaired %s: nothing is said of that time.",
                    blind == 1 ? "once" : "more than once");
    if (story->gap_count > 0)
        text_put(out, " Parts of the time are missing from what was read.");
}

static void answer_outage(const struct story *story, const struct story_episode *worst, struct text *out)
{
    char subject[4 * SCOPE_TEXT_MAX], onset[TEXT_TIME_MAX], end[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];
    const char *dark = event_text_darkness(worst->depth);
    event_text_subject(worst->scope, subject, sizeof subject);
    text_clock(worst->onset_ns, TIME_NONE, onset);
    if (worst->end_ns == TIME_NONE) {
        text_format(out, "%s has been %s since %s UTC, and still is when the data end.", subject, dark,
                    onset);
    } else if (worst->level_accepted > 0) {
        text_clock(worst->end_ns, TIME_NONE, end);
        text_format(out, "%s fell to %.0f %% of its former level at %s UTC, which is normal since %s UTC.",
                    subject, 100 * worst->level_accepted, onset, end);
    } else {
        text_clock(worst->end_ns, worst->onset_ns, end);
        text_span(clock_seconds(worst->onset_ns, worst->end_ns), span);
        text_format(out, "%s was %s from %s to %s UTC (%s).", subject, dark, onset, end, span);
    }
    size_t more = story_count(story, false) - 1;
    if (more > 0)
        text_format(out, " %zu more episode%s.", more, more == 1 ? "" : "s");
}

void story_answer(const struct story *story, char text[STORY_ANSWER_MAX])
{
    struct text out = text_in(text, STORY_ANSWER_MAX);
    const struct story_episode *worst = story_gravest(story);
    if (worst == NULL)
        answer_nothing(story, &out);
    else
        answer_outage(story, worst, &out);
    answer_reservations(story, &out);
}
