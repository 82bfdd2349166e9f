/* SPDX-License-Identifier: BSD-3-Clause */
/* The status page: what stands where, for somebody on duty at three in the morning. It needs nothing but
 * itself. */
#include <stdarg.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "evidence_text.h"
#include "losses.h"
#include "status_text.h"
#include "text.h"

enum { ROWS_MAX = 300, WIDTH = 1000, HEIGHT = 150 };

/* What the policy names by their hashes. A test tells the new ones when they change. */
static const char style[] =
    ":root{color-scheme:light dark;--fg:#1c1e21;--bg:#fff;--card:#f5f6f8;--dim:#5b626b;--line:#d9dde3;"
    "--good:#1a7f37;--bad:#c4261d;--warn:#9a6200;--idle:#5b626b;--seen:#1668b8;--usual:#8a9099}"
    "@media(prefers-color-scheme:dark){:root{--fg:#dfe3e8;--bg:#14171b;--card:#1d2127;--dim:#9aa4af;"
    "--line:#333a42;--good:#4cc46c;--bad:#ff7b72;--warn:#e3b341;--idle:#9aa4af;--seen:#6cb6ff;"
    "--usual:#77808a}}*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);"
    "background:var(--bg);max-width:66em;margin:0 auto;padding:1.2em 1em 3em;overflow-wrap:anywhere}"
    "h1{font-size:1.6em;line-height:1.25;margin:0}h2{font-size:1.05em;margin:0 0 .4em}p{margin:.3em 0}"
    "header,section{margin-bottom:1.6em}header{border-left:.5em solid var(--idle);padding-left:.8em}"
    "section.open{background:var(--card);border-left:.5em solid var(--bad);padding:.8em}"
    ".dim,th{color:var(--dim);font-weight:400}.good{color:var(--good)}.bad{color:var(--bad)}"
    ".warn{color:var(--warn)}.idle{color:var(--idle)}header.good{border-color:var(--good);"
    "color:inherit}header.bad{border-color:var(--bad);color:inherit}"
    "header.warn{border-color:var(--warn);color:inherit}header.idle{color:inherit}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
    "padding:.3em 1em .3em 0;border-top:1px solid var(--line)}thead th{border:0}"
    "tbody th{color:var(--fg)}td.n{font-variant-numeric:tabular-nums}td.n,th.n{text-align:right}"
    ".state{font-weight:600}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1em;"
    "margin:0 0 .6em}dt{color:var(--dim)}dd{margin:0}svg{display:block;width:100%;height:auto}"
    "svg text{font-size:13px;fill:var(--dim)}polyline{fill:none;stroke-width:1.5;"
    "vector-effect:non-scaling-stroke}.seen{stroke:var(--seen)}.usual{stroke:var(--usual);"
    "stroke-dasharray:5 4}.axis{stroke:var(--line)}a{color:var(--seen)}#lost{background:var(--bad);"
    "color:var(--bg);padding:.5em .8em;margin:0 0 1em}footer{color:var(--dim);font-size:.9em;"
    "border-top:1px solid var(--line);padding-top:.8em}@media(max-width:40em){thead{position:absolute;"
    "left:-999em}tr{display:grid;grid-template-columns:1fr auto;border-top:1px solid var(--line);"
    "padding:.35em 0}th,td{border:0;padding:0;text-align:left}td.n{text-align:left;grid-column:1/3;"
    "color:var(--dim)}td[data-is]:not(:empty)::before{content:attr(data-is) ' '}"
    "td.since{grid-column:1/3;color:var(--dim)}dl{grid-template-columns:1fr}dd{margin-bottom:.4em}"
    "svg text{font-size:30px}}";

static const char script[] =
    "'use strict';const lost=document.getElementById('lost');async function look(){try{"
    "const answer=await fetch('/',{cache:'no-store',signal:AbortSignal.timeout(4000)});"
    "if(!answer.ok)throw new Error(answer.status);"
    "const next=new DOMParser().parseFromString(await answer.text(),'text/html');"
    "for(const part of "
    "['main','link[rel=icon]'])document.querySelector(part).replaceWith(next.querySelector(part));"
    "document.title=next.title;lost.hidden=true;}catch(error){"
    "if(lost.hidden)document.title='No answer \\u00b7 '+document.title;lost.hidden=false;}"
    "setTimeout(look,5000);}setTimeout(look,5000);";

#define STYLE_HASH  "sha256-V3/4EQxQiv5Y9Y6nwb3TW4NUWtsXwThFFSu7v0qlD+s="
#define SCRIPT_HASH "sha256-1PYJXgIYfuJGBvRrLaolsFHEoIhvAKHtYueq9+ASark="

const char status_page_policy[] =
    "default-src 'none'; style-src '" STYLE_HASH "'; script-src '" SCRIPT_HASH
    "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void escaped(FILE *out, const char *raw)
{
    char bytes[4096];
    struct text text = text_in(bytes, sizeof bytes);
    text_html(&text, raw);
    fputs(bytes, out);
}

static void put_clock(FILE *out, const struct status *status, int64_t at_ns)
{
    char at[TEXT_TIME_MAX];
    text_clock(at_ns, status->data_ns, at);
    fputs(at, out);
}

/* ---- the headline ---- */

enum mood { MOOD_GOOD, MOOD_BAD, MOOD_WARN, MOOD_IDLE };

static const char *const mood_class[] = {"good", "bad", "warn", "idle"};
static const char *const mood_colour[] = {"1a7f37", "d33a2c", "d29922", "7d8590"};

struct headline {
    enum mood mood;
    char word[32];  /* for the title */
    char text[512]; /* a sentence */
    char more[128]; /* another, smaller, or "" */
};

static enum mood mood_of(enum scope_state state)
{
    static const enum mood moods[STATE__COUNT] = {
        [STATE_LEARNING] = MOOD_IDLE, [STATE_UP] = MOOD_GOOD,         [STATE_SUSPECT] = MOOD_WARN,
        [STATE_DOWN] = MOOD_BAD,      [STATE_RECOVERING] = MOOD_WARN, [STATE_BLIND] = MOOD_WARN};
    return moods[state];
}

__attribute__((format(printf, 3, 4))) static struct headline headline(enum mood mood, const char *word,
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
        line = headline(MOOD_WARN, "Coming back", "%s is coming back; it went %s at %s UTC.", subject,
                        darkness, since);
    else
        line = headline(MOOD_BAD, "Outage", "%s has been %s since %s UTC.", subject, darkness, since);
    if (count > 1)
        snprintf(line.more, sizeof line.more, "%zu more outage%s open.", count - 1,
                 count == 2 ? " is" : "s are");
    return line;
}

/* Nothing is open that this run was told of. */
static struct headline of_state(const struct status_scope *all)
{
    struct headline line = headline(MOOD_GOOD, "Up", "The whole watch list is up.");
    char span[TEXT_SPAN_MAX];
    switch (all->last.state) {
    case STATE_LEARNING:
        return headline(MOOD_IDLE, "Learning", "What is usual is still being learned: %s.",
                        event_text_why_learning(all->last.learning));
    case STATE_SUSPECT:
        return headline(MOOD_WARN, "Suspect",
                        "The whole watch list is quieter than it should be: not certain yet.");
    case STATE_DOWN:
    case STATE_RECOVERING:
        return headline(MOOD_BAD, "Outage",
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
        return headline(MOOD_BAD, "Stuck", "What is shown is old: %s.", life->why);
    if (status_blind(status))
        return headline(MOOD_WARN, "Blind", "The sensor does not see: nothing is said of the watch list.");
    if (event != NULL)
        return of_outage(status, event, count);
    if (status->scope[SCOPE_NUMBER_ALL].bins == 0)
        return headline(MOOD_IDLE, "Starting", "Nothing is known yet: a bin takes %.0f s.",
                        clock_seconds(0, status->options->bin_ns));
    return of_state(&status->scope[SCOPE_NUMBER_ALL]);
}

static void put_head(const struct status *status, const struct headline *line, FILE *out)
{
    fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s \u00b7 ",
            line->word);
    escaped(out, status->options->sensor);
    fputs(
        " \u00b7 lightsout</title>\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n"
        "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "
        "viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23",
        out);
    fprintf(out, "%s'/%%3E%%3C/svg%%3E\">\n<style>%s</style></head><body>\n", mood_colour[line->mood], style);
    fputs("<p id=\"lost\" role=\"alert\" hidden>The sensor does not answer: what is shown is old.</p>\n",
          out);
}

static void put_headline(const struct status *status, const struct headline *line, FILE *out)
{
    fprintf(out, "<main>\n<header class=\"%s\"><h1>", mood_class[line->mood]);
    escaped(out, line->text);
    fputs("</h1>\n<p>", out);
    escaped(out, line->more);
    fputs("</p>\n<p class=\"dim\">Sensor ", out);
    escaped(out, status->options->sensor);
    if (status->options->input != NULL) {
        fputs(status->options->replay ? ", replay of " : ", on ", out);
        escaped(out, status->options->input);
    }
    if (status->data_ns != TIME_NONE) {
        char at[TEXT_TIME_MAX];
        text_clock(status->data_ns, TIME_NONE, at);
        fprintf(out, ", as of %s UTC", at);
    }
    fputs("</p></header>\n", out);
}

/* ---- what is open ---- */

static void put_ranking(const struct event *event, FILE *out)
{
    bool told[VERDICT__COUNT] = {false};
    const char *between = "<dt>cause</dt><dd>";
    for (int i = 0; i < VERDICT__COUNT; i++) {
        int best = -1;
        for (int j = 0; j < VERDICT__COUNT; j++)
            if (!told[j] && event->probability[j] >= 0.01 &&
                (best < 0 || event->probability[j] > event->probability[best]))
                best = j;
        if (best < 0)
            break;
        told[best] = true;
        fprintf(out, "%s%s %.0f&#8239;%%", between, event_text_verdict((enum verdict)best),
                100 * event->probability[best]);
        between = ", ";
    }
    if (between[0] == ',')
        fputs("</dd>\n", out);
}

/* Which of the parts are down, by name. */
static void put_parts(const char *what, const struct event_part *part, uint32_t count, FILE *out)
{
    uint32_t down = 0, known = 0;
    for (uint32_t i = 0; i < count; i++)
        known += part[i].last_seen_ns != TIME_NONE;
    if (known == 0)
        return;
    fprintf(out, "<dt>%s</dt><dd>", what);
    for (uint32_t i = 0; i < count; i++) {
        if (part[i].state != STATE_DOWN && part[i].state != STATE_RECOVERING)
            continue;
        fputs(down++ > 0 ? ", " : "", out);
        escaped(out, part[i].name);
        if (part[i].state == STATE_RECOVERING)
            fputs(" (coming back)", out);
    }
    fprintf(out, "%s<span class=\"dim\">%u of %u down</span></dd>\n", down > 0 ? " \u2014 " : "", down,
            known);
}

static void put_evidence(const struct event *event, FILE *out)
{
    char bytes[512];
    if (event->evidence_count == 0)
        return;
    fputs("<table><thead><tr><th scope=\"col\">what was seen</th><th scope=\"col\">what it says</th></tr>"
          "</thead><tbody>\n",
          out);
    for (uint32_t i = 0; i < event->evidence_count; i++) {
        struct text text = text_in(bytes, sizeof bytes);
        evidence_text_say(&event->evidence[i], &text);
        fputs("<tr><td>", out);
        escaped(out, bytes);
        text = text_in(bytes, sizeof bytes);
        evidence_text_weight(&event->evidence[i], &text);
        fputs("</td><td class=\"since\">", out);
        escaped(out, bytes);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

static void put_open(const struct status *status, const struct event *event, FILE *out)
{
    char message[EVENT_MESSAGE_MAX], subject[4 * SCOPE_TEXT_MAX];
    bool sensor = event->action == EVENT_SENSOR_IMPAIRED;
    event_text_message(event, status->options->sensor, message);
    event_text_subject(event->scope, subject, sizeof subject);
    fputs("<section class=\"open\"><h2>", out);
    escaped(out, sensor ? "The sensor" : subject);
    fputs(" <span class=\"dim\">told ", out);
    put_clock(out, status, event->time_ns);
    fputs(" UTC</span></h2>\n<p>", out);
    escaped(out, message);
    fputs("</p>\n", out);
    if (!sensor) {
        fputs("<dl>\n", out);
        put_ranking(event, out);
        put_parts("prefixes", event->prefixes, event->prefix_count, out);
        put_parts("paths", event->paths, event->path_count, out);
        put_parts("services", event->services, event->service_count, out);
        fputs("</dl>\n", out);
        put_evidence(event, out);
    }
    fputs("</section>\n", out);
}

/* ---- the picture ---- */

static const struct status_point *point_at(const struct status *status, size_t number)
{
    return &status->point[(status->point_first + number) % STATUS_POINTS];
}

/* The frame: instants to x, rates to y. */
struct frame {
    int64_t start_ns, end_ns;
    double highest;
};

static double x_of(const struct frame *frame, int64_t at_ns)
{
    return WIDTH * clock_seconds(frame->start_ns, at_ns) / clock_seconds(frame->start_ns, frame->end_ns);
}

static double y_of(const struct frame *frame, double rate)
{
    return 2 + (HEIGHT - 4) * (1 - rate / frame->highest);
}

/* A line through the middles of the bins, interrupted where nothing is known or was measured. */
static void put_line(const struct status *status, const struct frame *frame, bool expected, FILE *out)
{
    bool open = false;
    for (size_t i = 0; i < status->point_count; i++) {
        const struct status_point *point = point_at(status, i);
        double rate = expected ? point->expected : point->observed;
        bool gap = i > 0 && point->start_ns > point_at(status, i - 1)->end_ns;
        if (open && (gap || !(rate >= 0))) {
            fputs("\"/>\n", out);
            open = false;
        }
        if (!(rate >= 0))
            continue;
        if (!open)
            fprintf(out, "<polyline class=\"%s\" points=\"", expected ? "usual" : "seen");
        open = true;
        fprintf(out, "%.1f,%.1f ", x_of(frame, point->start_ns + (point->end_ns - point->start_ns) / 2),
                y_of(frame, rate));
    }
    if (open)
        fputs("\"/>\n", out);
}

static void put_picture(const struct status *status, FILE *out)
{
    if (status->point_count < 2)
        return;
    struct frame frame = {point_at(status, 0)->start_ns, point_at(status, status->point_count - 1)->end_ns,
                          0};
    for (size_t i = 0; i < status->point_count; i++) {
        const struct status_point *point = point_at(status, i);
        frame.highest = point->observed > frame.highest ? point->observed : frame.highest;
        frame.highest = point->expected > frame.highest ? point->expected : frame.highest;
    }
    frame.highest = frame.highest > 0 ? frame.highest : 1;
    char highest[TEXT_NUMBER_MAX];
    const char *measure = event_text_measure(status->scope[SCOPE_NUMBER_ALL].last.signal);
    fprintf(out,
            "<section><h2>The whole watch list: %s a minute</h2>\n<p class=\"dim\">Solid: observed. Dashed: "
            "expected. The line at the top is %s a minute; times are UTC.</p>\n",
            measure, text_rate(frame.highest, highest));
    fprintf(out,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Observed and expected %s\">\n"
            "<path class=\"axis\" d=\"M0 2H%d M0 %dH%d\"/>\n",
            WIDTH, HEIGHT + 34, measure, WIDTH, HEIGHT - 2, WIDTH);
    put_line(status, &frame, true, out);
    put_line(status, &frame, false, out);
    fprintf(out, "<text x=\"0\" y=\"%d\">", HEIGHT + 28);
    put_clock(out, status, frame.start_ns);
    fprintf(out, "</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", WIDTH, HEIGHT + 28);
    put_clock(out, status, frame.end_ns);
    fputs("</text></svg></section>\n", out);
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
    escaped(out, scope->scope.text);
    fprintf(out, "</th><td class=\"state %s\">%s</td><td class=\"since\" data-is=\"since\">",
            mood_class[mood_of(bin->state)], event_text_state(bin->state));
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
    fputs(
        "<section><h2>Scopes</h2>\n<table><thead><tr><th scope=\"col\">scope</th><th scope=\"col\">state</th>"
        "<th scope=\"col\">since (UTC)</th><th scope=\"col\" class=\"n\">observed of expected, a minute</th>"
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
            mood_class[mood_of(bin->state)], event_text_state(bin->state));
}

static void put_packets(const struct status *status, FILE *out)
{
    const struct health *health = &status->health;
    char number[TEXT_NUMBER_MAX];
    if (health->packets_read == 0)
        return;
    fprintf(out, "<dt>packets</dt><dd>%s", text_grouped(health->packets_read, number));
    fprintf(out, ", of them watched %s (%.2f&#8239;%%)</dd>\n", text_grouped(health->packets_watched, number),
            100.0 * (double)health->packets_watched / (double)health->packets_read);
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
    struct loss losses[HEALTH__COUNT];
    char number[TEXT_NUMBER_MAX];
    size_t found = losses_find(&status->health, losses);
    fputs("<section><h2>Sensor</h2>\n<dl>\n", out);
    put_tap(status, out);
    put_packets(status, out);
    put_publishing(status, out);
    for (size_t i = 0; i < found; i++)
        fprintf(out, "%s%s %s%s", i == 0 ? "<dt>noted</dt><dd>" : "<br>",
                text_grouped(losses[i].count, number), losses[i].help, i + 1 == found ? "</dd>\n" : "");
    fputs("</dl></section>\n", out);
}

void status_page_write(const struct status *status, const struct status_life *life, FILE *out)
{
    const struct headline line = find_headline(status, life);
    put_head(status, &line, out);
    put_headline(status, &line, out);
    for (size_t i = 0; i < status->open_count; i++)
        put_open(status, &status->open[i], out);
    put_picture(status, out);
    put_scopes(status, out);
    put_sensor(status, out);
    fputs("</main>\n<footer>lightsout " LIGHTSOUT_VERSION
          " \u00b7 <a href=\"/metrics\">metrics</a> \u00b7 <a href=\"/healthz\">health</a> \u00b7 "
          "<a href=\"/api/state\">state</a></footer>\n<script>",
          out);
    fprintf(out, "%s</script>\n</body></html>\n", script);
}
