/* SPDX-License-Identifier: BSD-3-Clause */
/* The report: one HTML file that needs nothing but itself, light or dark as the reader's screen is. */
#include <stdlib.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "lines.h"
#include "sink.h"
#include "story.h"
#include "text.h"

enum { POINTS_MAX = 2000, WIDTH = 1000, HEIGHT = 220, LEFT = 50, BOTTOM = 20 };

/* `merged` bins of `all` in a row. */
struct point {
    int64_t start_ns, end_ns;
    double observed, observed_minutes, expected, expected_minutes;
};

struct html {
    const struct publish_options *options;
    struct lines *lines;
    struct story story;
    struct health health;
    uint64_t merged; /* bins a point */
    uint64_t bins;   /* in the last point */
    size_t point_count;
    struct point points[POINTS_MAX];
    FILE *out;
};

static bool html_wanted(const struct publish_options *options)
{
    return options->report_path != NULL;
}

static void *html_open(const struct publish_options *options, const struct scope_list *scopes,
                       struct fault *fault)
{
    struct html *html = calloc(1, sizeof *html);
    if (html == NULL || story_init(&html->story, scopes) != 0) {
        fault_set(fault, "no memory for the report");
        free(html);
        return NULL;
    }
    html->options = options;
    html->merged = 1;
    html->lines = lines_open(options->report_path, LINES_ANEW, -1, fault);
    if (html->lines == NULL) {
        story_clear(&html->story);
        free(html);
        return NULL;
    }
    return html;
}

static int html_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    struct html *html = state;
    return story_scopes(&html->story, scopes) == 0
               ? 0
               : fault_set(fault, "no memory for %u scopes", scopes->count);
}

static int html_event(void *state, const struct event *event, struct fault *fault)
{
    (void)fault;
    story_event(&((struct html *)state)->story, event);
    return 0;
}

static void add_point(struct point *sum, const struct point *more)
{
    sum->end_ns = more->end_ns;
    sum->observed += more->observed;
    sum->observed_minutes += more->observed_minutes;
    sum->expected += more->expected;
    sum->expected_minutes += more->expected_minutes;
}

/* When the points are used up, each two become one, and from then on twice as many bins make a point. */
static void halve(struct html *html)
{
    for (size_t i = 0; i < POINTS_MAX / 2; i++) {
        html->points[i] = html->points[2 * i];
        add_point(&html->points[i], &html->points[2 * i + 1]);
    }
    html->point_count = POINTS_MAX / 2;
    html->merged *= 2;
}

static int html_bin(void *state, const struct bin *bin, struct fault *fault)
{
    (void)fault;
    struct html *html = state;
    story_bin(&html->story, bin);
    if (bin->scope != SCOPE_NUMBER_ALL)
        return 0;
    double minutes = bin_text_minutes(bin), observed = bin_text_observed(bin),
           expected = bin_text_expected(bin);
    struct point point = {.start_ns = bin->tally.start_ns, .end_ns = bin->tally.end_ns};
    if (observed >= 0)
        point.observed = observed, point.observed_minutes = minutes;
    if (expected >= 0)
        point.expected = expected, point.expected_minutes = minutes;
    if (html->point_count > 0 && html->bins < html->merged) {
        add_point(&html->points[html->point_count - 1], &point);
        html->bins++;
        return 0;
    }
    if (html->point_count == POINTS_MAX)
        halve(html);
    html->points[html->point_count++] = point;
    html->bins = 1;
    return 0;
}

static void html_health(void *state, const struct health *health)
{
    ((struct html *)state)->health = *health;
}

static void escaped(const struct html *html, const char *raw)
{
    char bytes[4096];
    struct text text = text_in(bytes, sizeof bytes);
    text_html(&text, raw);
    fputs(bytes, html->out);
}

static void put_head(const struct html *html)
{
    char answer[STORY_ANSWER_MAX];
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>lightsout: ", html->out);
    escaped(html, html->options->sensor);
    fputs(
        "</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
        ":root{color-scheme:light "
        "dark;--fg:#1c1e21;--bg:#fff;--dim:#667;--line:#dde;--seen:#1668b8;--usual:#999;"
        "--out:#d33a2c33}\n"
        "@media(prefers-color-scheme:dark){:root{--fg:#dcdfe4;--bg:#15181c;--dim:#9aa;--line:#333a42;--seen:#"
        "5aa9f0;"
        "--usual:#777;--out:#ff5a4a44}}\n"
        "body{font:15px/1.45 "
        "system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:64em;margin:2em auto;"
        "padding:0 1em}\n"
        "h1{font-size:1.35em}h2{font-size:1.05em;margin-top:2em}.dim{color:var(--dim)}\n"
        "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .8em .25em 0;"
        "border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
        "svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--dim)}.seen{stroke:var(--seen)}"
        ".usual{stroke:var(--usual);stroke-dasharray:4 "
        "3}polyline{fill:none;stroke-width:1.3}.out{fill:var(--out)}"
        ".axis{stroke:var(--line)}\n</style></head><body>\n<h1>",
        html->out);
    story_answer(&html->story, answer);
    escaped(html, answer);
    fputs("</h1>\n<p class=\"dim\">Sensor ", html->out);
    escaped(html, html->options->sensor);
    if (html->options->input != NULL) {
        fputs("; read from ", html->out);
        escaped(html, html->options->input);
    }
    if (html->health.packets_read > 0)
        fprintf(html->out, "; %llu packets, %llu of them watched",
                (unsigned long long)html->health.packets_read,
                (unsigned long long)html->health.packets_watched);
    fputs(".</p>\n", html->out);
}

/* The plot's frame: instants to x, rates to y. */
struct frame {
    int64_t start_ns, end_ns;
    double highest;
};

static double x_of(const struct frame *frame, int64_t at_ns)
{
    double share = clock_seconds(frame->start_ns, at_ns) / clock_seconds(frame->start_ns, frame->end_ns);
    return LEFT + (WIDTH - LEFT) * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static double y_of(const struct frame *frame, double rate)
{
    return (HEIGHT - BOTTOM) * (1 - rate / frame->highest);
}

/* One line through the middles of the points, interrupted where nothing is known or was measured. */
static void put_line(const struct html *html, const struct frame *frame, const char *class, bool expected)
{
    bool open = false;
    for (size_t i = 0; i < html->point_count; i++) {
        const struct point *point = &html->points[i];
        double minutes = expected ? point->expected_minutes : point->observed_minutes;
        double sum = expected ? point->expected : point->observed;
        bool gap = i > 0 && point->start_ns > html->points[i - 1].end_ns;
        if (open && (gap || !(minutes > 0))) {
            fputs("\"/>\n", html->out);
            open = false;
        }
        if (!(minutes > 0))
            continue;
        if (!open)
            fprintf(html->out, "<polyline class=\"%s\" points=\"", class);
        open = true;
        fprintf(html->out, "%.1f,%.1f ", x_of(frame, point->start_ns + (point->end_ns - point->start_ns) / 2),
                y_of(frame, sum / minutes));
    }
    if (open)
        fputs("\"/>\n", html->out);
}

static struct frame fit_frame(const struct html *html)
{
    struct frame frame = {html->story.start_ns, html->story.end_ns, 0};
    for (size_t i = 0; i < html->point_count; i++) {
        const struct point *point = &html->points[i];
        double rates[] = {point->observed_minutes > 0 ? point->observed / point->observed_minutes : 0,
                          point->expected_minutes > 0 ? point->expected / point->expected_minutes : 0};
        for (int j = 0; j < 2; j++)
            frame.highest = rates[j] > frame.highest ? rates[j] : frame.highest;
    }
    frame.highest = frame.highest > 0 ? frame.highest * 1.05 : 1;
    return frame;
}

static void put_bands(const struct html *html, const struct frame *frame)
{
    for (size_t i = 0; i < html->story.episode_count; i++) {
        const struct story_episode *episode = &html->story.episodes[i];
        if (episode->sensor)
            continue;
        double from = x_of(frame, episode->onset_ns);
        double to = x_of(frame, episode->end_ns != TIME_NONE ? episode->end_ns : frame->end_ns);
        fprintf(html->out, "<rect class=\"out\" x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"%d\"><title>",
                from, to - from < 1 ? 1 : to - from, HEIGHT - BOTTOM);
        escaped(html, episode->scope);
        fputs("</title></rect>\n", html->out);
    }
}

static void put_plot(const struct html *html)
{
    if (html->point_count == 0 || html->story.end_ns <= html->story.start_ns)
        return;
    struct frame frame = fit_frame(html);
    fprintf(html->out,
            "<h2>All watched space: %s a minute</h2>\n<p class=\"dim\">Solid: observed. Dashed: expected. "
            "Shaded: "
            "outages. Times are UTC.</p>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n",
            event_text_measure(html->story.scope[SCOPE_NUMBER_ALL].last.signal), WIDTH, HEIGHT);
    put_bands(html, &frame);
    for (int i = 0; i <= 4; i++) {
        double rate = frame.highest * i / 4;
        fprintf(html->out, "<path class=\"axis\" d=\"M%d %.1fH%d\"/><text x=\"0\" y=\"%.1f\">%.4g</text>\n",
                LEFT, y_of(&frame, rate), WIDTH, y_of(&frame, rate) + (i == 4 ? 10 : 0), rate);
    }
    for (int i = 0; i < 6; i++) {
        char at[TEXT_TIME_MAX];
        int64_t at_ns = frame.start_ns + (frame.end_ns - frame.start_ns) / 6 * i;
        text_clock(at_ns, TIME_NONE, at);
        fprintf(html->out, "<text x=\"%.1f\" y=\"%d\">%.16s</text>\n", x_of(&frame, at_ns), HEIGHT - 5, at);
    }
    put_line(html, &frame, "usual", true);
    put_line(html, &frame, "seen", false);
    fputs("</svg>\n", html->out);
}

static void put_episode(const struct html *html, const struct story_episode *episode)
{
    char onset[TEXT_TIME_MAX], end[TEXT_TIME_MAX] = "ongoing", span[TEXT_SPAN_MAX] = "";
    text_clock(episode->onset_ns, TIME_NONE, onset);
    if (episode->end_ns != TIME_NONE) {
        text_clock(episode->end_ns, TIME_NONE, end);
        text_span(clock_seconds(episode->onset_ns, episode->end_ns), span);
    }
    fputs("<tr><td>", html->out);
    escaped(html, episode->scope);
    fprintf(html->out, "</td><td>%s</td><td>%s", onset, end);
    if (episode->level_accepted > 0)
        fprintf(html->out, "<br>normal since: %.0f&#8239;%%", 100 * episode->level_accepted);
    fprintf(html->out, "</td><td>%s</td>", span);
    if (episode->sensor)
        fputs("<td></td><td>sensor impaired</td></tr>\n", html->out);
    else if (episode->verdict == VERDICT_UNKNOWN)
        fprintf(html->out, "<td class=\"n\">%.0f&#8239;%%</td><td>unknown</td></tr>\n", 100 * episode->depth);
    else
        fprintf(html->out, "<td class=\"n\">%.0f&#8239;%%</td><td>%s (%.0f&#8239;%%)</td></tr>\n",
                100 * episode->depth, event_text_verdict(episode->verdict), 100 * episode->confidence);
}

static void put_episodes(const struct html *html)
{
    if (html->story.episode_count == 0)
        return;
    fputs("<h2>Episodes</h2>\n<table><tr><th>scope</th><th>onset (UTC)</th><th>end (UTC)</th><th>lasted</th>"
          "<th class=\"n\">depth</th><th>cause</th></tr>\n",
          html->out);
    for (size_t i = 0; i < html->story.episode_count; i++)
        put_episode(html, &html->story.episodes[i]);
    fputs("</table>\n", html->out);
}

static void put_number(const struct html *html, double value)
{
    if (value >= 0)
        fprintf(html->out, "<td class=\"n\">%.*f</td>", value < 1 ? 2 : 1, value);
    else
        fputs("<td class=\"n dim\">not known</td>", html->out);
}

static void put_scopes(const struct html *html)
{
    fputs("<h2>Scopes</h2>\n<table><tr><th>scope</th><th>state at the end</th><th>measure</th><th "
          "class=\"n\">observed "
          "a minute</th><th class=\"n\">expected a minute</th><th class=\"n\">noticed after (s)</th></tr>\n",
          html->out);
    for (uint32_t i = 0; i < html->story.scopes->count; i++) {
        const struct story_scope *scope = &html->story.scope[i];
        double low, high;
        if (scope->bins == 0)
            continue;
        fputs("<tr><td>", html->out);
        escaped(html, html->story.scopes->items[i].text);
        fprintf(html->out, "</td><td>%s", event_text_state(scope->last.state));
        if (scope->last.learning != LEARNING_DONE)
            fprintf(html->out, " (%s)", event_text_learning(scope->last.learning));
        fprintf(html->out, "</td><td>%s</td>", event_text_measure(scope->last.signal));
        put_number(html, story_observed(scope));
        put_number(html, story_expected(scope, &low, &high));
        put_number(html, scope->last.detectable_s);
        fputs("</tr>\n", html->out);
    }
    fputs("</table>\n", html->out);
}

static void put_foot(const struct html *html)
{
    fputs("<p class=\"dim\">lightsout " LIGHTSOUT_VERSION, html->out);
    if (html->options->command != NULL) {
        fputs("; <code>", html->out);
        escaped(html, html->options->command);
        fputs("</code>", html->out);
    }
    fputs("</p>\n</body></html>\n", html->out);
}

static int html_finish(void *state, struct fault *fault)
{
    struct html *html = state;
    char *page = NULL;
    size_t length = 0;
    html->out = open_memstream(&page, &length);
    if (html->out == NULL)
        return fault_set(fault, "no memory for the report");
    put_head(html);
    put_plot(html);
    put_episodes(html);
    put_scopes(html);
    put_foot(html);
    int result = fclose(html->out) == 0 ? lines_put(html->lines, page, length, fault)
                                        : fault_set(fault, "no memory for the report");
    free(page);
    if (lines_close(html->lines, fault) != 0)
        result = -1;
    html->lines = NULL;
    return result;
}

static void html_close(void *state)
{
    struct fault unsaid;
    struct html *html = state;
    lines_close(html->lines, &unsaid);
    story_clear(&html->story);
    free(html);
}

const struct sink sink_html = {
    .name = "report",
    .wanted = html_wanted,
    .open = html_open,
    .scopes = html_scopes,
    .event = html_event,
    .bin = html_bin,
    .health = html_health,
    .finish = html_finish,
    .close = html_close,
};
