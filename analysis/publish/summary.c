/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary for people on standard output, at the end of a replay. */
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "lines.h"
#include "losses.h"
#include "memory_file.h"
#include "sink.h"
#include "story.h"
#include "text.h"

struct summary {
    const struct publish_options *options;
    struct story story;
    struct health health;
    FILE *out; /* while it is written, into memory */
};

static bool summary_wanted(const struct publish_options *options)
{
    return options->summary;
}

static void *summary_open(const struct publish_options *options, const struct scope_list *scopes,
                          struct fault *fault)
{
    struct summary *summary = calloc(1, sizeof *summary);
    if (summary == NULL || story_init(&summary->story, scopes) != 0) {
        fault_set(fault, "no memory for the summary");
        free(summary);
        return NULL;
    }
    summary->options = options;
    return summary;
}

static int summary_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    struct summary *summary = state;
    return story_scopes(&summary->story, scopes) == 0
               ? 0
               : fault_set(fault, "no memory for %u scopes", scopes->count);
}

static int summary_event(void *state, const struct event *event, struct fault *fault)
{
    (void)fault;
    story_event(&((struct summary *)state)->story, event);
    return 0;
}

static int summary_bin(void *state, const struct bin *bin, struct fault *fault)
{
    (void)fault;
    story_bin(&((struct summary *)state)->story, bin);
    return 0;
}

static void summary_health(void *state, const struct health *health)
{
    ((struct summary *)state)->health = *health;
}

enum { WIDTH = 79 };

/* For what should catch the eye, on a terminal that has colours. */
static const char red[] = "1;31", green[] = "32", yellow[] = "33";

/* Begins a line with what it is about. */
static void tell_label(const struct summary *summary, const char *label, const char *colour)
{
    if (summary->options->colour)
        fprintf(summary->out, "\033[%sm%-10s\033[0m ", colour, label);
    else
        fprintf(summary->out, "%-10s ", label);
}

/* The answer, in lines no wider than a terminal. */
static void tell_answer(const struct summary *summary)
{
    char answer[STORY_ANSWER_MAX], *rest = NULL;
    size_t column = 0;
    story_answer(&summary->story, answer);
    fputs(summary->options->colour ? "\033[1m" : "", summary->out);
    for (char *word = strtok_r(answer, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        bool fits = column + 1 + strlen(word) <= WIDTH;
        fprintf(summary->out, "%s%s", column == 0 ? "" : fits ? " " : "\n", word);
        column = strlen(word) + (fits && column > 0 ? column + 1 : 0);
    }
    fputs(summary->options->colour ? "\033[0m\n\n" : "\n\n", summary->out);
}

/* What was not captured is not silence. Gaps within one bin are counted, though no row shows them. */
static void tell_gaps(const struct summary *summary)
{
    enum { GAPS_TOLD = 10 };
    const struct story *story = &summary->story;
    size_t counted = summary->health.holes > story->gap_count ? summary->health.holes : story->gap_count;
    char from[TEXT_TIME_MAX], to[TEXT_TIME_MAX], span[TEXT_SPAN_MAX], count[32];
    if (counted == 0)
        return;
    tell_label(summary, "missing", yellow);
    fprintf(summary->out, "%s stretch%s without any packet: nothing is said of %s\n",
            text_grouped(counted, count), counted == 1 ? "" : "es", counted == 1 ? "it" : "them");
    for (size_t i = 0; i < story->gap_count && i < GAPS_TOLD; i++) {
        const struct story_gap *gap = &story->gaps[i];
        text_clock(gap->from_ns, TIME_NONE, from);
        text_clock(gap->to_ns, gap->from_ns, to);
        text_span(clock_seconds(gap->from_ns, gap->to_ns), span);
        fprintf(summary->out, "             %s to %s UTC (%s)\n", from, to, span);
    }
    if (story->gap_count > GAPS_TOLD)
        fprintf(summary->out, "             and %s more\n",
                text_grouped(story->gap_count - GAPS_TOLD, count));
}

static void tell_input(const struct summary *summary)
{
    const struct health *health = &summary->health;
    const struct story *story = &summary->story;
    char packets[32], watched[32], from[TEXT_TIME_MAX], to[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];
    if (summary->options->input != NULL)
        fprintf(summary->out, "read       %s\n", summary->options->input);
    if (health->packets_read > 0)
        fprintf(summary->out, "packets    %s, of them watched %s (%.2f %%)\n",
                text_grouped(health->packets_read, packets), text_grouped(health->packets_watched, watched),
                100.0 * (double)health->packets_watched / (double)health->packets_read);
    if (story->start_ns == TIME_NONE) {
        fprintf(summary->out, "period     nothing was measured\n");
        return;
    }
    text_clock(story->start_ns, TIME_NONE, from);
    text_clock(story->end_ns, story->start_ns, to);
    text_span(clock_seconds(story->start_ns, story->end_ns), span);
    fprintf(summary->out, "period     %s to %s UTC (%s)\n", from, to, span);
    tell_gaps(summary);
}

static void tell_baseline(const struct summary *summary)
{
    const struct story_scope *all = &summary->story.scope[SCOPE_NUMBER_ALL];
    char mean[32], least[32], most[32];
    double low, high, expected = story_expected(all, &low, &high);
    if (all->bins == 0)
        return;
    if (summary->story.watched_packets == 0)
        fprintf(summary->out,
                "baseline   none: no packet of the watched space was seen; is it the right tap,\n"
                "           and does the watch list name what is behind it?\n");
    else if (expected < 0)
        fprintf(summary->out, "baseline   still learning when the capture ends\n");
    else
        fprintf(summary->out, "baseline   %s %s a minute (%s to %s over the day)\n",
                text_rate(expected, mean), event_text_measure(all->last.signal), text_rate(low, least),
                text_rate(high, most));
}

/* One of several things after each other, on lines no wider than a terminal. */
static void tell_item(const struct summary *summary, size_t *column, const char *item)
{
    const size_t margin = 13;
    size_t length = strlen(item);
    if (*column > margin && *column + 2 + length > WIDTH) {
        fprintf(summary->out, ",\n");
        *column = 0;
    } else if (*column > margin) {
        fprintf(summary->out, ", ");
        *column += 2;
    }
    if (*column == 0)
        *column = (size_t)fprintf(summary->out, "%*s", (int)margin, "");
    *column += (size_t)fprintf(summary->out, "%s", item);
}

static void tell_scope(const struct summary *summary, uint32_t number, const char *more, size_t *column)
{
    char name[3 * SCOPE_TEXT_MAX], item[sizeof name + TEXT_SPAN_MAX];
    text_utf8(scope_name(&summary->story.scopes->items[number]), name, sizeof name);
    snprintf(item, sizeof item, "%s%s%s", name, more[0] != '\0' ? " " : "", more);
    tell_item(summary, column, item);
}

/* What could be seen at the end: the shortest total outage that would be noticed, for every scope. */
static void tell_sight(const struct summary *summary)
{
    const struct story *story = &summary->story;
    size_t column = 0;
    for (uint32_t i = 0; i < story->scopes->count; i++) {
        const struct bin *last = &story->scope[i].last;
        char span[TEXT_SPAN_MAX];
        if (story->scope[i].bins == 0 || !(last->detectable_s >= 0))
            continue;
        if (column == 0)
            fprintf(summary->out, "sight      at the end a total outage would be noticed within\n");
        text_span(last->detectable_s, span);
        tell_scope(summary, i, span, &column);
    }
    if (column > 0)
        fprintf(summary->out, "\n");
}

static void tell_learning(const struct summary *summary)
{
    const struct story *story = &summary->story;
    for (int reason = LEARNING_EVENTS; reason < LEARNING__COUNT; reason++) {
        size_t column = 0;
        for (uint32_t i = 0; i < story->scopes->count; i++) {
            if (story->scope[i].bins == 0 || story->scope[i].last.learning != (enum learning)reason)
                continue;
            if (column == 0)
                fprintf(summary->out, "learning   %s\n", event_text_why_learning((enum learning)reason));
            tell_scope(summary, i, "", &column);
        }
        if (column > 0)
            fprintf(summary->out, "\n");
    }
}

/* What was promised, and what the silences that came near stand for, over all scopes. */
static void tell_alarms(const struct summary *summary)
{
    const struct story *story = &summary->story;
    struct alarm_rate sum = {0};
    for (uint32_t i = 0; i < story->scopes->count; i++)
        if (story->scope[i].bins > 0) {
            const struct alarm_rate *alarms = &story->scope[i].last.alarms;
            sum.nominal_per_year += alarms->nominal_per_year;
            sum.near_due += alarms->near_due;
            sum.near_seen += alarms->near_seen;
        }
    double realised = bin_text_realised(&sum);
    char promised[32], seen[32];
    if (realised >= 0)
        fprintf(summary->out,
                "alarms     false ones promised: %s a year; silences that came near stand for %s\n"
                "           (%.0f seen where %.1f were due)\n",
                text_rate(sum.nominal_per_year, promised), text_rate(realised, seen), sum.near_seen,
                sum.near_due);
}

static void tell_tap(const struct summary *summary)
{
    const struct story *story = &summary->story;
    const struct story_scope *tap = &story->scope[scope_number_tap(story->scopes)];
    char packets[32];
    if (tap->bins == 0)
        return;
    if (tap->packets_in > 0)
        fprintf(summary->out, "tap        %s packets a minute beside the watch list; %s at the end\n",
                text_rate(tap->packets_in / tap->minutes, packets), event_text_state(tap->last.state));
    else
        fprintf(summary->out,
                "tap        no control traffic: an outage cannot be told from a blind sensor\n");
}

/* `what`: in the plural and in the singular. */
static void tell_parts(const struct summary *summary, const char *const what[2],
                       const struct story_parts *parts, bool *first)
{
    if (parts->known == 0)
        return;
    fprintf(summary->out, "%s%u of %u %s", *first ? "             down     " : ", ", parts->down,
            parts->known, what[parts->known == 1]);
    *first = false;
}

static void tell_when(const struct summary *summary, const struct story_episode *episode)
{
    char at[TEXT_TIME_MAX], earliest[TEXT_TIME_MAX], latest[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];
    text_clock(episode->onset_ns, TIME_NONE, at);
    fprintf(summary->out, "             onset    %s UTC", at);
    if (!episode->sensor) {
        text_clock(episode->onset_earliest_ns, episode->onset_ns, earliest);
        text_clock(episode->onset_latest_ns, episode->onset_ns, latest);
        fprintf(summary->out, " (%s to %s)", earliest, latest);
    }
    if (episode->end_ns == TIME_NONE) {
        fprintf(summary->out, "\n             end      ongoing when the capture ends\n");
        return;
    }
    text_clock(episode->end_ns, TIME_NONE, at);
    fprintf(summary->out, "\n             end      %s UTC", at);
    if (episode->end_earliest_ns != TIME_NONE && episode->end_latest_ns != TIME_NONE) {
        text_clock(episode->end_earliest_ns, episode->end_ns, earliest);
        text_clock(episode->end_latest_ns, episode->end_ns, latest);
        fprintf(summary->out, " (%s to %s)", earliest, latest);
    }
    text_span(clock_seconds(episode->onset_ns, episode->end_ns), span);
    fprintf(summary->out, "\n             lasted   %s", span);
    if (episode->flaps > 0)
        fprintf(summary->out, ", in which it came back and fell again %u time%s", episode->flaps,
                episode->flaps == 1 ? "" : "s");
    fprintf(summary->out, "\n");
    if (episode->level_accepted > 0)
        fprintf(summary->out,
                "             level    %.0f %% of the former one, steady, is normal from then on\n",
                100 * episode->level_accepted);
}

static void tell_outage(const struct summary *summary, const struct story_episode *episode)
{
    char name[3 * SCOPE_TEXT_MAX], observed[32], expected[32], span[TEXT_SPAN_MAX];
    text_utf8(episode->scope, name, sizeof name);
    text_span(episode->delay_s, span);
    tell_label(summary, "outage", red);
    fprintf(summary->out, "%s: %s, told %s after its onset\n", name, event_text_depth(episode->depth), span);
    tell_when(summary, episode);
    fprintf(summary->out, "             depth    %.0f %%: %s of %s %s a minute\n", 100 * episode->depth,
            text_rate(episode->observed_rate, observed), text_rate(episode->expected_rate, expected),
            event_text_measure(episode->signal));
    bool first = true;
    tell_parts(summary, (const char *const[]){"prefixes", "prefix"}, &episode->prefixes, &first);
    tell_parts(summary, (const char *const[]){"paths", "path"}, &episode->paths, &first);
    tell_parts(summary, (const char *const[]){"services", "service"}, &episode->services, &first);
    if (!first)
        fprintf(summary->out, "\n");
    if (episode->verdict == VERDICT_UNKNOWN)
        fprintf(summary->out, "             cause    unknown%s\n",
                episode->control ? "" : " (no control traffic)");
    else
        fprintf(summary->out, "             cause    %s (%.0f %%)\n", event_text_verdict(episode->verdict),
                100 * episode->confidence);
}

static void tell_episodes(const struct summary *summary)
{
    const struct story *story = &summary->story;
    if (story_count(story, false) == 0) {
        tell_label(summary, "outage", green);
        fprintf(summary->out, "none was told\n");
    }
    for (size_t i = 0; i < story->episode_count; i++)
        if (!story->episodes[i].sensor)
            tell_outage(summary, &story->episodes[i]);
    for (size_t i = 0; i < story->episode_count; i++)
        if (story->episodes[i].sensor) {
            tell_label(summary, "sensor", yellow);
            fprintf(summary->out, "impaired: nothing is said of the watch list meanwhile\n");
            tell_when(summary, &story->episodes[i]);
        }
    if (story->cut_short)
        fprintf(summary->out, "           there is no room for more here: the events tell the rest\n");
}

/* Whoever trusts the rest should know what was not read, or not told. */
static void tell_losses(const struct summary *summary)
{
    struct loss losses[HEALTH__COUNT];
    size_t found = losses_find(&summary->health, losses);
    char count[32];
    for (size_t i = 0; i < found; i++)
        fprintf(summary->out, "%-10s %s %s\n", i == 0 ? "noted" : "", text_grouped(losses[i].count, count),
                losses[i].words);
}

static int summary_finish(void *state, struct fault *fault)
{
    struct summary *summary = state;
    struct memory_file text;
    if (memory_file_open(&text) != 0)
        return fault_set(fault, "no memory for the summary");
    summary->out = text.out;
    tell_answer(summary);
    tell_input(summary);
    tell_baseline(summary);
    tell_sight(summary);
    tell_learning(summary);
    tell_alarms(summary);
    tell_tap(summary);
    tell_episodes(summary);
    tell_losses(summary);
    if (memory_file_close(&text) != 0)
        return fault_set(fault, "no memory for the summary");
    struct lines *lines = lines_open("-", LINES_ANEW, -1, fault);
    int result = lines != NULL ? lines_put(lines, text.bytes, text.length, fault) : -1;
    if (lines_close(lines, fault) != 0)
        result = -1;
    free(text.bytes);
    if (result == 0 && summary->story.short_of_memory)
        result = fault_set(fault, "there was no memory for all of the summary");
    return result;
}

static void summary_close(void *state)
{
    struct summary *summary = state;
    story_clear(&summary->story);
    free(summary);
}

const struct sink sink_summary = {
    .name = "summary",
    .wanted = summary_wanted,
    .open = summary_open,
    .scopes = summary_scopes,
    .event = summary_event,
    .bin = summary_bin,
    .health = summary_health,
    .finish = summary_finish,
    .close = summary_close,
};
