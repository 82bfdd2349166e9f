/* SPDX-License-Identifier: BSD-3-Clause */
#include "page.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "event_text.h"
#include "evidence_text.h"
#include "losses.h"
#include "text.h"

static const char *const mood_colour[] = {"1a7f37", "d33a2c", "d29922", "7d8590"};

const char *page_mood(enum page_mood mood)
{
    static const char *const names[] = {"good", "bad", "warn", "idle"};
    return names[mood];
}

enum page_mood page_mood_of(enum scope_state state)
{
    static const enum page_mood moods[STATE__COUNT] = {
        [STATE_LEARNING] = PAGE_IDLE, [STATE_UP] = PAGE_GOOD,         [STATE_SUSPECT] = PAGE_WARN,
        [STATE_DOWN] = PAGE_BAD,      [STATE_RECOVERING] = PAGE_WARN, [STATE_BLIND] = PAGE_WARN};
    return moods[state];
}

void page_escape(const char *raw, FILE *out)
{
    char bytes[4096];
    struct text text = text_in(bytes, sizeof bytes);
    text_html(&text, raw);
    fputs(bytes, out);
}

void page_zone(int32_t offset_min, char text[PAGE_ZONE_MAX])
{
    int hours = abs(offset_min) / 60 % 100, minutes = abs(offset_min) % 60;
    int length = snprintf(text, PAGE_ZONE_MAX, "UTC%s%d", offset_min < 0 ? "-" : "+", hours);
    if (minutes > 0)
        snprintf(text + length, PAGE_ZONE_MAX - (size_t)length, ":%02d", minutes);
}

void page_clock(int64_t at_ns, int64_t beside_ns, int32_t offset_min, FILE *out)
{
    char at[TEXT_TIME_MAX], zone[PAGE_ZONE_MAX];
    text_clock(at_ns, beside_ns, at);
    fprintf(out, "%s UTC", at);
    if (offset_min == 0)
        return;
    page_zone(offset_min, zone);
    text_clock(at_ns + offset_min * 60 * NS_PER_S, at_ns, at);
    fprintf(out, " <span class=\"local\">(%s %s)</span>", strlen(at) > 8 ? at + 5 : at, zone);
}

void page_begin(const char *word, const char *sensor, enum page_mood mood, bool live, FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">", out);
    if (!live)
        fprintf(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">", page_policy);
    fputs("<title>", out);
    page_escape(word, out);
    fputs(" \u00b7 ", out);
    page_escape(sensor, out);
    fputs(" \u00b7 lightsout</title>\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n",
          out);
    if (live)
        fputs("<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n", out);
    fprintf(out,
            "<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' "
            "viewBox='0 0 8 8'%%3E%%3Ccircle cx='4' cy='4' r='4' fill='%%23%s'/%%3E%%3C/svg%%3E\">\n"
            "<style>%s</style></head><body>\n",
            mood_colour[mood], page_style);
    if (live)
        fputs("<p id=\"lost\" role=\"alert\" hidden>The sensor does not answer: what is shown is old.</p>\n",
              out);
    fputs("<main>\n", out);
}

/* ---- the pictures ---- */

static void put_key(const char *drawn, const char *says, FILE *out)
{
    fprintf(out, "<span class=\"key\"><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\">%s</svg>%s</span>\n",
            drawn, says);
}

static void put_keys(FILE *out)
{
    fputs("<p class=\"dim\" id=\"keys\">", out);
    put_key("<path class=\"seen\" d=\"M1 9H9V4H17V10H25\"/>", "observed", out);
    put_key("<path class=\"usual\" d=\"M0 7H26\"/>", "expected", out);
    put_key("<rect class=\"range\" x=\"4\" width=\"4\" height=\"14\"/><rect class=\"range\" x=\"12\" "
            "y=\"4\" width=\"4\" height=\"8\"/>",
            "lowest and highest bin", out);
    put_key("<rect class=\"band\" y=\"2\" width=\"26\" height=\"10\"/>", "usual: 998 of 1000 bins lie in it",
            out);
    put_key("<rect class=\"d\" width=\"26\" height=\"14\"/><path class=\"edge\" d=\"M1 0V14M25 0V14\"/>"
            "<rect class=\"between\" width=\"8\" height=\"5\"/>",
            "outage; the bar: when it may have begun and ended, or that of a part", out);
    put_key("<rect class=\"r\" width=\"26\" height=\"14\"/>", "coming back", out);
    put_key("<rect width=\"26\" height=\"14\" fill=\"url(#blind)\"/>", "sensor blind", out);
    put_key("<rect width=\"26\" height=\"14\" fill=\"url(#missing)\"/>", "missing: nothing measured", out);
    put_key("<path class=\"k u\" d=\"M0 7H9\"/><path class=\"k l\" d=\"M9 7H17\"/><path class=\"k d\" "
            "d=\"M17 7H26\"/>",
            "state: up, learning, down", out);
    fputs("</p>\n", out);
}

static void put_group(const char *id, const char *heading, const char *note, FILE *out)
{
    fprintf(
        out,
        "<div class=\"keep\" hidden><h3>%s</h3><p class=\"dim\">%s</p><div class=\"plot\" id=\"%s\"></div>",
        heading, note, id);
    if (strcmp(id, "hosts") == 0)
        fputs("<p class=\"dim\" id=\"hosts-note\"></p>", out);
    fputs("</div>\n", out);
}

void page_timeline(const struct picture *picture, FILE *out)
{
    if (picture->start_ns == TIME_NONE)
        return;
    fprintf(out,
            "<noscript><p class=\"dim\">The pictures are drawn by a script, which is switched off here; the "
            "tables tell the same in figures.</p></noscript>\n"
            "<div class=\"drawn\" hidden>\n<section><h2>The whole watch list: %s a minute"
            "</h2>\n",
            event_text_measure(picture->signal));
    fputs(
        "<p class=\"dim\" id=\"hint\">Point at a plot to read it off, drag over it to look closer. With the "
        "keyboard: "
        "arrows read off, + and - zoom, 0 shows all.</p>\n"
        "<div class=\"tools\" id=\"tools\"></div>\n"
        "<div id=\"read\"><strong id=\"read-time\"></strong><br><span id=\"read-value\"></span></div>\n"
        "<div class=\"plot\" id=\"main\" role=\"slider\" tabindex=\"0\" aria-label=\"Time on the timeline\" "
        "aria-valuemin=\"0\" aria-valuemax=\"1\" aria-valuenow=\"0\"></div>\n",
        out);
    put_keys(out);
    fputs("</section></div>\n", out);
}

void page_parts(const struct picture *picture, int32_t offset_min, FILE *out)
{
    if (picture->start_ns == TIME_NONE)
        return;
    fputs("<div class=\"drawn\" hidden><section><h2>Part by part</h2>\n", out);
    put_group("populations", "Three populations",
              "Which of them fell silent tells \"dark\" from \"unreachable\" from \"our own eyes\".", out);
    put_group("path", "Paths", "By the upstream that packets crossed.", out);
    put_group("prefix", "Prefixes", "", out);
    put_group("service", "Services", "", out);
    put_group("hosts", "Hosts that spoke",
              "A row for each watched address; a stroke where it sent, the stronger the more often.", out);
    fputs("<p class=\"dim\" id=\"rows-note\"></p></section>\n<section>", out);
    fputs("<div hidden><h2>What would have been noticed</h2>\n<p class=\"dim\">How long a total "
          "outage had to last at each time to be told; below, on average by hour of the day. Thin traffic "
          "takes longer.</p>\n<div class=\"plot\" id=\"sight\"></div><div "
          "id=\"hours\"></div></div></section>\n</div>\n",
          out);
    fputs("<script type=\"application/json\" id=\"data\">", out);
    picture_write(picture, offset_min, out);
    fputs("</script>\n", out);
}

/* ---- why ---- */

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

static bool is_down(const struct event_part *part)
{
    return part->state == STATE_DOWN || part->state == STATE_RECOVERING;
}

/* When it came back, of what an event tells of; TIME_NONE: it has not. */
static int64_t returned_at(const struct event *event, const char *kind, const char *name)
{
    size_t length = strlen(kind);
    for (uint32_t i = 0; i < event->return_count; i++) {
        const char *back = event->returns[i].name;
        if (strncmp(back, kind, length) == 0 && back[length] == ':' && strcmp(back + length + 1, name) == 0)
            return event->returns[i].at_ns;
    }
    return TIME_NONE;
}

/* What went down, by name and since when, and what did not. */
static void put_parts(const struct event *event, const char *kind, const char *what,
                      const struct event_part *part, uint32_t count, int32_t offset_min, FILE *out)
{
    uint32_t down = 0, known = 0;
    for (uint32_t i = 0; i < count; i++) {
        known += part[i].last_seen_ns != TIME_NONE;
        down += is_down(&part[i]);
    }
    if (known == 0)
        return;
    fprintf(out, "<dt>%s</dt><dd>", what);
    if (down > 0)
        fprintf(
            out,
            "<details id=\"%s-%llx\"><summary>%u of %u down: which, since when</summary><table><thead><tr>"
            "<th scope=\"col\">%s</th><th scope=\"col\">last heard</th><th scope=\"col\">back</th></tr>"
            "</thead><tbody>\n",
            kind, (unsigned long long)event->episode, down, known, kind);
    else
        fprintf(out, "none of %u down</dd>\n", known);
    for (uint32_t i = 0; i < count && down > 0; i++) {
        int64_t back_ns = returned_at(event, kind, part[i].name);
        if (!is_down(&part[i]) && back_ns == TIME_NONE)
            continue;
        fputs("<tr><th scope=\"row\">", out);
        page_escape(part[i].name, out);
        fputs("</th><td>", out);
        if (part[i].onset_ns != TIME_NONE)
            page_clock(part[i].onset_ns, event->onset_ns, offset_min, out);
        fputs("</td><td>", out);
        if (back_ns != TIME_NONE)
            page_clock(back_ns, event->onset_ns, offset_min, out);
        else if (part[i].state == STATE_RECOVERING)
            fputs("coming back", out);
        fputs("</td></tr>\n", out);
    }
    if (down > 0)
        fputs("</tbody></table></details></dd>\n", out);
}

static void put_value(const struct event_evidence *evidence, double value, const char *is, FILE *out)
{
    char bytes[64];
    struct text text = text_in(bytes, sizeof bytes);
    evidence_text_value(evidence->kind, value, &text);
    fprintf(out, "<td class=\"n\" data-is=\"%s\">%s</td>", bytes[0] != '\0' ? is : "", bytes);
}

static void put_evidence(const struct event *event, FILE *out)
{
    char bytes[512];
    if (event->evidence_count == 0)
        return;
    fputs("<table class=\"wide\"><thead><tr><th scope=\"col\">what was seen</th><th scope=\"col\" "
          "class=\"n\">value</th><th scope=\"col\" class=\"n\">usual</th><th scope=\"col\">what it "
          "says</th></tr>"
          "</thead><tbody>\n",
          out);
    for (uint32_t i = 0; i < event->evidence_count; i++) {
        const struct event_evidence *evidence = &event->evidence[i];
        struct text text = text_in(bytes, sizeof bytes);
        evidence_text_say(evidence, &text);
        fputs("<tr><td>", out);
        page_escape(bytes, out);
        fputs("</td>", out);
        put_value(evidence, evidence->value, "value", out);
        put_value(evidence, evidence->usual, "usual", out);
        text = text_in(bytes, sizeof bytes);
        evidence_text_weight(evidence, &text);
        fputs("<td class=\"more\">", out);
        page_escape(bytes, out);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

void page_why(const struct event *event, int32_t offset_min, FILE *out)
{
    fputs("<dl>\n", out);
    put_ranking(event, out);
    put_parts(event, "path", "paths", event->paths, event->path_count, offset_min, out);
    put_parts(event, "prefix", "prefixes", event->prefixes, event->prefix_count, offset_min, out);
    put_parts(event, "service", "services", event->services, event->service_count, offset_min, out);
    if (event->hosts_expected > 0 && event->end_ns == TIME_NONE)
        fprintf(out, "<dt>hosts</dt><dd>%u of about %u spoke in the last bin</dd>\n", event->hosts_seen,
                event->hosts_expected);
    fputs("</dl>\n", out);
    put_evidence(event, out);
}

/* ---- the capture ---- */

void page_packets(const struct health *health, FILE *out)
{
    char number[TEXT_NUMBER_MAX];
    if (health->packets_read == 0)
        return;
    fprintf(out, "<dt>packets</dt><dd>%s", text_grouped(health->packets_read, number));
    fprintf(out, ", of them watched %s (%.2f&#8239;%%)</dd>\n", text_grouped(health->packets_watched, number),
            100.0 * (double)health->packets_watched / (double)health->packets_read);
}

void page_losses(const struct health *health, FILE *out)
{
    struct loss losses[HEALTH__COUNT];
    char number[TEXT_NUMBER_MAX];
    size_t found = losses_find(health, losses);
    for (size_t i = 0; i < found; i++)
        fprintf(out, "%s%s %s%s", i == 0 ? "<dt>noted</dt><dd>" : "<br>",
                text_grouped(losses[i].count, number), losses[i].words, i + 1 == found ? "</dd>\n" : "");
}

void page_end(FILE *out)
{
    fprintf(out, "<script>%s</script>\n</body></html>\n", page_script);
}
