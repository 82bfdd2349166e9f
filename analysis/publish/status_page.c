/* SPDX-License-Identifier: BSD-3-Clause */
/* The status page: what stands where, for somebody on duty at three in the morning. It needs nothing but
 * itself. */
#include <stdarg.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "page.h"
#include "status_text.h"
#include "text.h"

enum { ROWS_MAX = 300 };

static void put_clock(FILE *out, const struct status *status, int64_t at_ns)
{
    page_clock(at_ns, status->data_ns, status->options->offset_min, out);
}

/* ---- the headline ---- */

struct headline {
    enum page_mood mood;
    char word[32];  /* for the title */
    char text[512]; /* a sentence */
    char more[128]; /* another, smaller, or "" */
};

__attribute__((format(printf, 3, 4))) static struct headline headline(enum page_mood mood, const char *word,
                                                                      const char *format, ...)
{
    struct headline line = {.mood = mood};
    va_list arguments;
    snprintf(line.word, sizeof line.word, "%s", word);
    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    return line;
}

/* The open outage that matters most: that of everything, else the first; NULL: there is none. */
static const struct event *gravest(const struct status *status, size_t *count)
{
    const struct event *found = NULL;
    *count = 0;
    for (size_t i = 0; i < status->open_count; i++) {
        const struct event *event = &status->open[i];
        if (event->action == EVENT_SENSOR_IMPAIRED)
            continue;
        ++*count;
        if (found == NULL || strcmp(event->scope, "all") == 0)
            found = event;
    }
    return found;
}

static struct headline of_outage(const struct status *status, const struct event *event, size_t count)
{
    char subject[4 * SCOPE_TEXT_MAX], since[TEXT_TIME_MAX];
    const char *darkness = event_text_darkness(event->depth);
    struct headline line;
    event_text_subject(event->scope, subject, sizeof subject);
    text_clock(event->onset_ns, status->data_ns, since);
    if (event->action == EVENT_OUTAGE_RECOVERING)
        line = headline(PAGE_WARN, "Coming back", "%s is coming back; it went %s at %s UTC.", subject,
                        darkness, since);
    else
        line = headline(PAGE_BAD, "Outage", "%s has been %s since %s UTC.", subject, darkness, since);
    if (count > 1)
        snprintf(line.more, sizeof line.more, "%zu more outage%s open.", count - 1,
                 count == 2 ? " is" : "s are");
    return line;
}

/* Nothing is open that this run was told of. */
static struct headline of_state(const struct status_scope *all)
{
    struct headline line = headline(PAGE_GOOD, "Up", "The whole watch list is up.");
    char span[TEXT_SPAN_MAX];
    switch (all->last.state) {
    case STATE_LEARNING:
        return headline(PAGE_IDLE, "Learning", "What is usual is still being learned: %s.",
                        event_text_why_learning(all->last.learning));
    case STATE_SUSPECT:
        return headline(PAGE_WARN, "Suspect",
                        "The whole watch list is quieter than it should be: not certain yet.");
    case STATE_DOWN:
    case STATE_RECOVERING:
        return headline(PAGE_BAD, "Outage",
                        "The whole watch list is %s, since before this program was started.",
                        event_text_state(all->last.state));
    default:
        break;
    }
    if (all->last.detectable_s >= 0) {
        text_span(all->last.detectable_s, span);
        snprintf(line.more, sizeof line.more, "A total outage would be noticed within %s.", span);
    }
    return line;
}

static struct headline find_headline(const struct status *status, const struct status_life *life)
{
    size_t count;
    const struct event *event = gravest(status, &count);
    if (life->stuck)
        return headline(PAGE_BAD, "Stuck", "What is shown is old: %s.", life->why);
    if (status_blind(status))
        return headline(PAGE_WARN, "Blind", "The sensor does not see: nothing is said of the watch list.");
    if (event != NULL)
        return of_outage(status, event, count);
    if (status->scope[SCOPE_NUMBER_ALL].bins == 0)
        return headline(PAGE_IDLE, "Starting", "Nothing is known yet: a bin takes %.0f s.",
                        clock_seconds(0, status->options->bin_ns));
    return of_state(&status->scope[SCOPE_NUMBER_ALL]);
}

static void put_headline(const struct status *status, const struct headline *line, FILE *out)
{
    fprintf(out, "<header class=\"%s\"><h1>", page_mood(line->mood));
    page_escape(line->text, out);
    fputs("</h1>\n<p>", out);
    page_escape(line->more, out);
    fputs("</p>\n<p class=\"dim\">Sensor ", out);
    page_escape(status->options->sensor, out);
    if (status->options->input != NULL) {
        fputs(status->options->replay ? ", replay of " : ", on ", out);
        page_escape(status->options->input, out);
    }
    if (status->data_ns != TIME_NONE) {
        fputs(", as of ", out);
        page_clock(status->data_ns, TIME_NONE, status->options->offset_min, out);
    }
    fputs("</p></header>\n", out);
}

/* ---- what is open ---- */

static void put_open(const struct status *status, const struct event *event, FILE *out)
{
    char message[EVENT_MESSAGE_MAX], subject[4 * SCOPE_TEXT_MAX];
    bool sensor = event->action == EVENT_SENSOR_IMPAIRED;
    event_text_message(event, status->options->sensor, message);
    event_text_subject(event->scope, subject, sizeof subject);
    fprintf(out, "<section class=\"outage%s\"><h2>", sensor ? " sensor" : "");
    page_escape(sensor ? "The sensor" : subject, out);
    fputs(" <span class=\"dim\">since ", out);
    put_clock(out, status, event->onset_ns);
    fputs(", told ", out);
    put_clock(out, status, event->time_ns);
    fputs("</span></h2>\n<p>", out);
    page_escape(message, out);
    fputs("</p>\n", out);
    if (!sensor)
        page_why(event, status->options->offset_min, out);
    fputs("</section>\n", out);
}

/* ---- the scopes ---- */

/* Whether somebody should look at it before the others. */
static bool is_troubled(const struct status *status, uint32_t number)
{
    const struct status_scope *scope = &status->scope[number];
    return number == SCOPE_NUMBER_ALL ||
           (scope->last.state != STATE_UP && scope->last.state != STATE_LEARNING);
}

static void put_rates(const struct bin *bin, FILE *out)
{
    char number[TEXT_NUMBER_MAX];
    double minutes = bin_text_minutes(bin), seen = bin_text_observed(bin), usual = bin_text_expected(bin);
    fputs("<td class=\"n\" data-is=\"a minute:\">", out);
    if (minutes > 0 && seen >= 0)
        fputs(text_rate(seen / minutes, number), out);
    if (minutes > 0 && seen >= 0 && usual >= 0)
        fprintf(out, " of %s", text_rate(usual / minutes, number));
    fputs("</td>", out);
}

static void put_scope(const struct status *status, const struct status_scope *scope, FILE *out)
{
    const struct bin *bin = &scope->last;
    const struct event *open = status_open(status, scope->scope.text);
    char span[TEXT_SPAN_MAX] = "";
    fputs("<tr><th scope=\"row\">", out);
    page_escape(scope->scope.text, out);
    fprintf(out, "</th><td class=\"state %s\">%s</td><td class=\"more\" data-is=\"since\">",
            page_mood(page_mood_of(bin->state)), event_text_state(bin->state));
    put_clock(out, status, open != NULL ? open->onset_ns : scope->since_ns);
    fputs("</td>", out);
    put_rates(bin, out);
    if (bin->detectable_s >= 0) {
        text_span(bin->detectable_s, span);
        fprintf(out, "<td class=\"n\" data-is=\"noticed within\">%s</td></tr>\n", span);
    } else {
        fprintf(out, "<td class=\"dim\">%s</td></tr>\n", event_text_why_learning(bin->learning));
    }
}

static void put_scopes(const struct status *status, FILE *out)
{
    uint32_t rows = 0, left_out = 0;
    fputs("<section><h2>Scopes</h2>\n<table class=\"wide\"><thead><tr><th scope=\"col\">scope</th><th "
          "scope=\"col\">state</th>"
          "<th scope=\"col\">since</th><th scope=\"col\" class=\"n\">observed of expected, a minute</th>"
          "<th scope=\"col\" class=\"n\">an outage is noticed within</th></tr></thead><tbody>\n",
          out);
    for (int troubled = 1; troubled >= 0; troubled--)
        for (uint32_t i = 0; i < status->scope_count; i++) {
            if (status->scope[i].bins == 0 || is_troubled(status, i) != troubled)
                continue;
            if (rows++ < ROWS_MAX)
                put_scope(status, &status->scope[i], out);
            else
                left_out++;
        }
    fputs("</tbody></table>\n", out);
    if (left_out > 0)
        fprintf(out, "<p class=\"dim\">%u more are in <a href=\"/api/state\">/api/state</a>.</p>\n",
                left_out);
    fputs("</section>\n", out);
}

/* ---- the sensor ---- */

static void put_tap(const struct status *status, FILE *out)
{
    const struct status_scope *tap = &status->scope[status->scope_count - 1];
    const struct bin *bin = &tap->last;
    char seen[TEXT_NUMBER_MAX], usual[TEXT_NUMBER_MAX];
    double minutes = bin_text_minutes(bin);
    if (tap->bins == 0 || !(minutes > 0))
        return;
    fprintf(out, "<dt>other traffic</dt><dd>%s",
            bin_text_observed(bin) >= 0 ? text_rate(bin_text_observed(bin) / minutes, seen) : "not known");
    if (bin_text_expected(bin) >= 0)
        fprintf(out, " of %s", text_rate(bin_text_expected(bin) / minutes, usual));
    fprintf(out, " packets a minute beside the watch list; <span class=\"state %s\">%s</span></dd>\n",
            page_mood(page_mood_of(bin->state)), event_text_state(bin->state));
}

static void put_publishing(const struct status *status, FILE *out)
{
    const struct levels *levels = &status->levels;
    fprintf(out, "<dt>publishing</dt><dd>%.1f of %zu MiB wait</dd>\n",
            (double)levels->queue_bytes / (1024 * 1024), levels->queue_room_bytes / (1024 * 1024));
    if (!levels->redis)
        return;
    fprintf(out, "<dt>Redis</dt><dd><span class=\"state %s\">%s</span>", levels->redis_up ? "good" : "bad",
            levels->redis_up ? "up" : "away");
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        if (levels->redis_troubles >> i & 1)
            fprintf(out, ", %s", redis_trouble_name((enum redis_trouble)i));
    fprintf(out, "; %zu event%s and %zu bin%s wait</dd>\n", levels->redis_events,
            levels->redis_events == 1 ? "" : "s", levels->redis_bins, levels->redis_bins == 1 ? "" : "s");
}

static void put_sensor(const struct status *status, FILE *out)
{
    fputs("<section><h2>Sensor</h2>\n<dl>\n", out);
    put_tap(status, out);
    page_packets(&status->health, out);
    put_publishing(status, out);
    page_losses(&status->health, out);
    fputs("</dl></section>\n", out);
}

void status_page_write(const struct status *status, const struct status_life *life, FILE *out)
{
    const struct headline line = find_headline(status, life);
    page_begin(line.word, status->options->sensor, line.mood, true, out);
    put_headline(status, &line, out);
    for (size_t i = 0; i < status->open_count; i++)
        put_open(status, &status->open[i], out);
    page_timeline(&status->picture, out);
    page_parts(&status->picture, status->options->offset_min, out);
    put_scopes(status, out);
    put_sensor(status, out);
    fputs("</main>\n<footer>lightsout " LIGHTSOUT_VERSION
          " \u00b7 <a href=\"/metrics\">metrics</a> \u00b7 <a href=\"/healthz\">health</a> \u00b7 "
          "<a href=\"/api/state\">state</a></footer>\n",
          out);
    page_end(out);
}
