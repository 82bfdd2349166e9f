/* SPDX-License-Identifier: BSD-3-Clause */
/* The report: one HTML file that needs nothing but itself, light or dark as the reader's screen is. What it
 * holds is bounded: the picture thins itself, and of the outages the first so many are told at length. */
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "lines.h"
#include "memory_file.h"
#include "page.h"
#include "picture.h"
#include "sink.h"
#include "story.h"
#include "text.h"

enum { OUTAGES_MAX = 64, ROWS_MAX = 400 };

struct html {
    const struct publish_options *options;
    struct lines *lines;
    struct story story;
    struct picture picture;
    struct health health;
    size_t outage_count;
    struct event *outages; /* the last event of each, with the parts as they were when they were down */
    FILE *out;
};

static bool html_wanted(const struct publish_options *options)
{
    return options->report_path != NULL;
}

static void html_close(void *state)
{
    struct fault unsaid;
    struct html *html = state;
    lines_close(html->lines, &unsaid);
    story_clear(&html->story);
    picture_clear(&html->picture);
    free(html->outages);
    free(html);
}

static void *html_open(const struct publish_options *options, const struct scope_list *scopes,
                       struct fault *fault)
{
    struct html *html = calloc(1, sizeof *html);
    if (html == NULL) {
        fault_set(fault, "no memory for the report");
        return NULL;
    }
    html->options = options;
    html->outages = calloc(OUTAGES_MAX, sizeof *html->outages);
    if (html->outages == NULL || story_init(&html->story, scopes) != 0 ||
        picture_init(&html->picture, PICTURE_WHOLE, options->bin_ns, scopes) != 0) {
        fault_set(fault, "no memory for the report");
        html_close(html);
        return NULL;
    }
    html->lines = lines_open(options->report_path, LINES_ANEW, -1, fault);
    if (html->lines == NULL) {
        html_close(html);
        return NULL;
    }
    return html;
}

static int html_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    struct html *html = state;
    return story_scopes(&html->story, scopes) == 0 && picture_scopes(&html->picture, scopes) == 0
               ? 0
               : fault_set(fault, "no memory for %u scopes", scopes->count);
}

/* ---- outages at length ---- */

/* What was down stays told when it is back. */
static void keep_parts(struct event_part *part, uint32_t count, const struct event_part *before,
                       uint32_t before_count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < before_count; j++)
            if (strcmp(part[i].name, before[j].name) == 0 && part[i].onset_ns == TIME_NONE &&
                before[j].onset_ns != TIME_NONE)
                part[i] = before[j];
}

static void note_outage(struct html *html, const struct event *event)
{
    size_t place = 0;
    while (place < html->outage_count && html->outages[place].episode != event->episode)
        place++;
    struct event *outage = &html->outages[place];
    if (event->merged_into != 0) {
        if (place < html->outage_count) /* it is told in the wider one */
            memmove(outage, outage + 1, (--html->outage_count - place) * sizeof *outage);
        return;
    }
    if (place == OUTAGES_MAX)
        return;
    struct event next = *event;
    if (place < html->outage_count) {
        keep_parts(next.prefixes, next.prefix_count, outage->prefixes, outage->prefix_count);
        keep_parts(next.paths, next.path_count, outage->paths, outage->path_count);
        keep_parts(next.services, next.service_count, outage->services, outage->service_count);
    } else {
        html->outage_count++;
    }
    *outage = next;
}

static int html_event(void *state, const struct event *event, struct fault *fault)
{
    (void)fault;
    struct html *html = state;
    story_event(&html->story, event);
    picture_event(&html->picture, event);
    if (event->action != EVENT_SENSOR_IMPAIRED && event->action != EVENT_SENSOR_RESTORED)
        note_outage(html, event);
    return 0;
}

static int html_bin(void *state, const struct bin *bin, struct fault *fault)
{
    (void)fault;
    struct html *html = state;
    story_bin(&html->story, bin);
    picture_bin(&html->picture, bin);
    return 0;
}

static int html_hosts(void *state, const struct hosts *hosts, struct fault *fault)
{
    (void)fault;
    picture_hosts(&((struct html *)state)->picture, hosts);
    return 0;
}

static void html_health(void *state, const struct health *health)
{
    ((struct html *)state)->health = *health;
}

/* ---- the answer ---- */

static void put_fact(const struct html *html, const char *what, const char *is)
{
    fprintf(html->out, "<div><dt>%s</dt><dd>", what);
    page_escape(is, html->out);
    fputs("</dd></div>\n", html->out);
}

static void put_cause(const struct html *html, const struct story_episode *episode)
{
    char cause[64];
    if (episode->verdict == VERDICT_UNKNOWN)
        snprintf(cause, sizeof cause, "unknown");
    else
        snprintf(cause, sizeof cause, "%s (%.0f %%)", event_text_verdict(episode->verdict),
                 100 * episode->confidence);
    put_fact(html, "likely cause", cause);
}

static void put_down(const struct html *html, const struct story_episode *episode)
{
    const struct {
        const char *what;
        const struct story_parts *parts;
    } rows[] = {
        {"prefixes", &episode->prefixes}, {"paths", &episode->paths}, {"services", &episode->services}};
    char bytes[128];
    struct text text = text_in(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].parts->known > 0)
            text_format(&text, "%s%u of %u %s", bytes[0] != '\0' ? ", " : "", rows[i].parts->down,
                        rows[i].parts->known, rows[i].what);
    if (bytes[0] != '\0')
        put_fact(html, "down", bytes);
}

/* What somebody asks first of the outage that the headline tells of. */
static void put_facts(const struct html *html, const struct story_episode *episode)
{
    char span[TEXT_SPAN_MAX], text[128], seen[TEXT_NUMBER_MAX], usual[TEXT_NUMBER_MAX];
    int64_t end_ns = episode->end_ns != TIME_NONE ? episode->end_ns : html->story.end_ns;
    fputs("<dl class=\"facts\">\n", html->out);
    text_span(clock_seconds(episode->onset_ns, end_ns), span);
    put_fact(html, episode->end_ns != TIME_NONE ? "lasted" : "lasts so far", span);
    snprintf(text, sizeof text, "%.0f %%: %s of %s %s a minute", 100 * episode->depth,
             text_rate(episode->observed_rate, seen), text_rate(episode->expected_rate, usual),
             event_text_measure(episode->signal));
    put_fact(html, "depth", text);
    text_span(episode->delay_s, span);
    put_fact(html, "told after", span);
    put_cause(html, episode);
    put_down(html, episode);
    fputs("</dl>\n", html->out);
}

/* The same instants by the clock on the watched side's walls. */
static void put_local(const struct html *html, const struct story_episode *episode)
{
    const int32_t offset_min = html->options->offset_min;
    const int64_t offset_ns = offset_min * 60 * NS_PER_S;
    char onset[TEXT_TIME_MAX], end[TEXT_TIME_MAX], zone[PAGE_ZONE_MAX];
    if (offset_min == 0)
        return;
    page_zone(offset_min, zone);
    text_clock(episode->onset_ns + offset_ns, TIME_NONE, onset);
    if (episode->end_ns == TIME_NONE) {
        fprintf(html->out, "<p>By the watched side's own clock (%s): since %s.</p>\n", zone, onset);
        return;
    }
    text_clock(episode->end_ns + offset_ns, episode->onset_ns + offset_ns, end);
    fprintf(html->out, "<p>By the watched side's own clock (%s): from %s to %s.</p>\n", zone, onset, end);
}

static enum page_mood mood_of(const struct html *html, const struct story_episode *worst)
{
    double low, high;
    if (worst != NULL)
        return PAGE_BAD;
    return html->story.start_ns != TIME_NONE &&
                   story_expected(&html->story.scope[SCOPE_NUMBER_ALL], &low, &high) >= 0
               ? PAGE_GOOD
               : PAGE_IDLE;
}

static void put_period(const struct html *html)
{
    char span[TEXT_SPAN_MAX];
    fputs("<p class=\"dim\">Sensor ", html->out);
    page_escape(html->options->sensor, html->out);
    if (html->story.start_ns != TIME_NONE) {
        text_span(clock_seconds(html->story.start_ns, html->story.end_ns), span);
        fputs("; from ", html->out);
        page_clock(html->story.start_ns, TIME_NONE, html->options->offset_min, html->out);
        fputs(" to ", html->out);
        page_clock(html->story.end_ns, TIME_NONE, html->options->offset_min, html->out);
        fprintf(html->out, ", %s", span);
    }
    fputs(".</p>\n", html->out);
}

/* Of what time nothing is said. */
static void put_unseen(const struct html *html)
{
    const struct story_scope *all = &html->story.scope[SCOPE_NUMBER_ALL];
    double missing_min = clock_seconds(html->story.start_ns, html->story.end_ns) / 60 - all->minutes;
    char span[TEXT_SPAN_MAX];
    text_span(60 * all->state_minutes[STATE_BLIND], span);
    if (all->state_minutes[STATE_BLIND] > 0)
        fprintf(html->out,
                "<p class=\"warn\">For %s the sensor did not see: nothing is said of that time.</p>\n", span);
    text_span(60 * missing_min, span);
    if (missing_min > 1)
        fprintf(html->out, "<p class=\"warn\">%s are missing: nothing was measured.</p>\n", span);
}

static void put_head(const struct html *html)
{
    char answer[STORY_ANSWER_MAX];
    const struct story_episode *worst = story_gravest(&html->story);
    enum page_mood mood = mood_of(html, worst);
    page_begin(worst != NULL ? "Outage" : "Report", html->options->sensor, mood, false, html->out);
    fprintf(html->out, "<header class=\"%s\"><h1>", page_mood(mood));
    story_answer(&html->story, answer);
    page_escape(answer, html->out);
    fputs("</h1>\n", html->out);
    if (worst != NULL) {
        put_local(html, worst);
        put_facts(html, worst);
    }
    if (html->story.start_ns != TIME_NONE)
        put_unseen(html);
    put_period(html);
    fputs("</header>\n", html->out);
}

/* ---- episodes ---- */

static void put_outage(const struct html *html, const struct event *event)
{
    char message[EVENT_MESSAGE_MAX], subject[4 * SCOPE_TEXT_MAX];
    event_text_message(event, html->options->sensor, message);
    event_text_subject(event->scope, subject, sizeof subject);
    fputs("<section class=\"outage\"><h2>Why: ", html->out);
    page_escape(subject, html->out);
    fputs(", ", html->out);
    page_clock(event->onset_ns, TIME_NONE, html->options->offset_min, html->out);
    fputs("</h2>\n<p>", html->out);
    page_escape(message, html->out);
    fputs("</p>\n", html->out);
    page_why(event, html->options->offset_min, html->out);
    fputs("</section>\n", html->out);
}

/* The first few stand open. */
static void put_outages(const struct html *html)
{
    const size_t open = 3;
    for (size_t i = 0; i < html->outage_count && i < open; i++)
        put_outage(html, &html->outages[i]);
    if (html->outage_count <= open)
        return;
    fprintf(html->out, "<details id=\"outages\"><summary>%zu more outages</summary>\n",
            html->outage_count - open);
    for (size_t i = open; i < html->outage_count; i++)
        put_outage(html, &html->outages[i]);
    fputs("</details>\n", html->out);
}

static void put_between(const struct html *html, int64_t earliest_ns, int64_t at_ns, int64_t latest_ns)
{
    char earliest[TEXT_TIME_MAX], latest[TEXT_TIME_MAX];
    page_clock(at_ns, TIME_NONE, html->options->offset_min, html->out);
    if (earliest_ns == TIME_NONE || latest_ns == TIME_NONE)
        return;
    text_clock(earliest_ns, at_ns, earliest);
    text_clock(latest_ns, at_ns, latest);
    fprintf(html->out, "<br><span class=\"dim\">between %s and %s</span>", earliest, latest);
}

static void put_episode(const struct html *html, const struct story_episode *episode)
{
    char span[TEXT_SPAN_MAX] = "";
    fputs("<tr><th scope=\"row\">", html->out);
    page_escape(episode->sensor ? "the sensor" : episode->scope, html->out);
    fputs("</th><td class=\"more\" data-is=\"from\">", html->out);
    put_between(html, episode->sensor ? TIME_NONE : episode->onset_earliest_ns, episode->onset_ns,
                episode->onset_latest_ns);
    fputs("</td><td class=\"more\" data-is=\"to\">", html->out);
    if (episode->end_ns != TIME_NONE) {
        put_between(html, episode->end_earliest_ns, episode->end_ns, episode->end_latest_ns);
        text_span(clock_seconds(episode->onset_ns, episode->end_ns), span);
    } else {
        fputs("ongoing when the data end", html->out);
    }
    if (episode->level_accepted > 0)
        fprintf(html->out, "<br>normal since: %.0f&#8239;%%", 100 * episode->level_accepted);
    fprintf(html->out, "</td><td>%s</td>", span);
    if (episode->sensor)
        fputs("<td></td><td>impaired: nothing is said of the watch list meanwhile</td></tr>\n", html->out);
    else if (episode->verdict == VERDICT_UNKNOWN)
        fprintf(html->out, "<td class=\"n\" data-is=\"depth\">%.0f&#8239;%%</td><td>unknown</td></tr>\n",
                100 * episode->depth);
    else
        fprintf(html->out,
                "<td class=\"n\" data-is=\"depth\">%.0f&#8239;%%</td><td>%s (%.0f&#8239;%%)</td></tr>\n",
                100 * episode->depth, event_text_verdict(episode->verdict), 100 * episode->confidence);
}

static void put_episodes(const struct html *html)
{
    const struct story *story = &html->story;
    if (story->episode_count == 0)
        return;
    fputs("<section><h2>Episodes</h2>\n<table class=\"wide\"><thead><tr><th scope=\"col\">of</th><th "
          "scope=\"col\">"
          "from</th><th scope=\"col\">to</th><th scope=\"col\">lasted</th><th scope=\"col\" "
          "class=\"n\">depth</th>"
          "<th scope=\"col\">cause</th></tr></thead><tbody>\n",
          html->out);
    for (size_t i = 0; i < story->episode_count && i < ROWS_MAX; i++)
        put_episode(html, &story->episodes[i]);
    fputs("</tbody></table>\n", html->out);
    if (story->episode_count > ROWS_MAX || html->outage_count == OUTAGES_MAX)
        fprintf(
            html->out,
            "<p class=\"dim\">There were %s%zu: the first %d are told at length, the first %d listed.</p>\n",
            story->cut_short ? "more than " : "", story->episode_count, OUTAGES_MAX, ROWS_MAX);
    fputs("</section>\n", html->out);
}

/* ---- scopes and sensor ---- */

static void put_number(const struct html *html, const char *is, double value)
{
    char number[TEXT_NUMBER_MAX];
    fprintf(html->out, "<td class=\"n\" data-is=\"%s\">%s</td>", is,
            value >= 0 ? text_rate(value, number) : "not known");
}

static void put_scope(const struct html *html, const struct story_scope *scope, const char *name)
{
    char span[TEXT_SPAN_MAX];
    double low, high;
    fputs("<tr><th scope=\"row\">", html->out);
    page_escape(name, html->out);
    fprintf(html->out, "</th><td class=\"state %s\">%s</td><td class=\"more\">%s</td>",
            page_mood(page_mood_of(scope->last.state)), event_text_state(scope->last.state),
            event_text_measure(scope->last.signal));
    put_number(html, "observed a minute:", story_observed(scope));
    put_number(html, "expected a minute:", story_expected(scope, &low, &high));
    if (scope->last.detectable_s >= 0) {
        text_span(scope->last.detectable_s, span);
        fprintf(html->out, "<td class=\"n\" data-is=\"noticed within\">%s</td></tr>\n", span);
    } else {
        fprintf(html->out, "<td class=\"more dim\">%s</td></tr>\n",
                event_text_why_learning(scope->last.learning));
    }
}

static void put_scopes(const struct html *html)
{
    uint32_t rows = 0;
    fputs("<section><h2>At the end</h2>\n<table class=\"wide\"><thead><tr><th scope=\"col\">scope</th><th "
          "scope=\"col\">state</th><th scope=\"col\">judged by</th><th scope=\"col\" class=\"n\">observed a "
          "minute</th><th scope=\"col\" class=\"n\">expected a minute</th><th scope=\"col\" class=\"n\">an "
          "outage "
          "is noticed within</th></tr></thead><tbody>\n",
          html->out);
    for (uint32_t i = 0; i < html->story.scopes->count; i++)
        if (html->story.scope[i].bins > 0 && rows++ < ROWS_MAX)
            put_scope(html, &html->story.scope[i], html->story.scopes->items[i].text);
    fputs("</tbody></table>\n", html->out);
    if (rows > ROWS_MAX)
        fprintf(html->out, "<p class=\"dim\">%u more have no room here.</p>\n", rows - ROWS_MAX);
    fputs("</section>\n", html->out);
}

static void put_share(const struct html *html, const char *what, double minutes, double of)
{
    char span[TEXT_SPAN_MAX];
    text_span(60 * minutes, span);
    fprintf(html->out, "<dt>%s</dt><dd>%s (%.1f&#8239;%%)</dd>\n", what, span, 100 * minutes / of);
}

/* How well the tap saw. */
static void put_tap(const struct html *html)
{
    const struct story *story = &html->story;
    const struct story_scope *all = &story->scope[SCOPE_NUMBER_ALL],
                             *tap = &story->scope[scope_number_tap(story->scopes)];
    char number[TEXT_NUMBER_MAX];
    fputs("<section class=\"keep\"><h2>The tap</h2>\n<dl>\n", html->out);
    if (tap->bins > 0 && tap->packets_in > 0)
        fprintf(html->out,
                "<dt>other traffic</dt><dd>%s packets a minute beside the watch list; <span class=\"state "
                "%s\">%s</span> at the end</dd>\n",
                text_rate(tap->packets_in / tap->minutes, number), page_mood(page_mood_of(tap->last.state)),
                event_text_state(tap->last.state));
    else if (tap->bins > 0)
        fputs("<dt>other traffic</dt><dd>none: an outage cannot be told from a blind sensor</dd>\n",
              html->out);
    if (all->bins > 0 && story->end_ns > story->start_ns) {
        double span_min = clock_seconds(story->start_ns, story->end_ns) / 60;
        put_share(html, "watched", all->minutes, span_min);
        put_share(html, "missing", span_min - all->minutes > 1e-6 ? span_min - all->minutes : 0, span_min);
        put_share(html, "blind", all->state_minutes[STATE_BLIND], span_min);
        put_share(html, "learning", all->state_minutes[STATE_LEARNING], span_min);
    }
    page_packets(&html->health, html->out);
    page_losses(&html->health, html->out);
    fputs("</dl></section>\n", html->out);
}

static void put_about(const struct html *html)
{
    const struct publish_options *options = html->options;
    fputs("<section class=\"keep\"><h2>How this was made</h2>\n<dl>\n<dt>sensor</dt><dd>", html->out);
    page_escape(options->sensor, html->out);
    if (options->input != NULL) {
        fputs("</dd>\n<dt>read from</dt><dd>", html->out);
        page_escape(options->input, html->out);
    }
    fprintf(html->out, "</dd>\n<dt>bins</dt><dd>%.0f s, looked at every %.0f s</dd>\n",
            clock_seconds(0, options->bin_ns), clock_seconds(0, options->step_ns));
    if (options->command != NULL) {
        fputs("<dt>command</dt><dd><code>", html->out);
        page_escape(options->command, html->out);
        fputs("</code></dd>\n", html->out);
    }
    fputs(
        "<dt>version</dt><dd>lightsout " LIGHTSOUT_VERSION "</dd>\n</dl>\n"
        "<p class=\"dim\">lightsout only listens: what is shown is what crossed this tap. An outage is told "
        "where "
        "signs of life fail to come that were expected at this hour; how many must fail is measured from the "
        "silences of this tap. \"Blind\" and \"missing\" are no silence. A cause is judgement from what this "
        "tap "
        "saw, with its chance of being right.</p></section>\n</main>\n",
        html->out);
}

static int html_finish(void *state, struct fault *fault)
{
    struct html *html = state;
    struct memory_file page;
    if (memory_file_open(&page) != 0)
        return fault_set(fault, "no memory for the report");
    html->out = page.out;
    put_head(html);
    page_timeline(&html->picture, html->out);
    put_outages(html);
    page_parts(&html->picture, html->options->offset_min, html->out);
    put_episodes(html);
    put_tap(html);
    put_scopes(html);
    put_about(html);
    page_end(html->out);
    int result = memory_file_close(&page) == 0 ? lines_put(html->lines, page.bytes, page.length, fault)
                                               : fault_set(fault, "no memory for the report");
    free(page.bytes);
    if (lines_close(html->lines, fault) != 0)
        result = -1;
    html->lines = NULL;
    if (result == 0 && (html->story.short_of_memory || html->picture.short_of_memory))
        result = fault_set(fault, "there was no memory for all of the report");
    return result;
}

const struct sink sink_html = {
    .name = "report",
    .wanted = html_wanted,
    .open = html_open,
    .scopes = html_scopes,
    .event = html_event,
    .bin = html_bin,
    .hosts = html_hosts,
    .health = html_health,
    .finish = html_finish,
    .close = html_close,
};
