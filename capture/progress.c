/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "terminal.h"

static const double screen_every_s = 0.2, live_every_s = 1, line_every_s = 10, rate_over_s = 2;

/* The pieces of a line, and how gladly each is given up where there is no room: 0 never, else the highest
 * first. */
struct piece {
    char text[80];
    int spare;
};

enum { PIECES_MAX = 5 };

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, int asked, bool live)
{
    bool screen = terminal_is_screen(STDERR_FILENO);
    double now_s = wall_s();
    *progress = (struct progress){.wanted = asked >= 0 ? asked != 0 : screen,
                                  .screen = screen,
                                  .live = live,
                                  .began_s = now_s,
                                  .shown_s = screen ? 0 : now_s,
                                  .rate_s = now_s,
                                  .last = {.share = -1, .data_ns = TIME_NONE}};
}

static void say_time(const struct progress *progress, int64_t data_ns, struct piece *piece)
{
    time_t at = (time_t)(clock_floor(data_ns, NS_PER_S) / NS_PER_S);
    struct tm tm;
    strftime(piece->text, sizeof piece->text, progress->live ? "%H:%M:%S UTC" : "%Y-%m-%d %H:%M UTC",
             gmtime_r(&at, &tm));
}

static void say_rate(double per_s, struct piece *piece)
{
    const char *unit = per_s >= 999500 ? " M" : per_s >= 999.5 ? " k" : "";
    double scale = per_s >= 999500 ? 1e6 : per_s >= 999.5 ? 1e3 : 1;
    snprintf(piece->text, sizeof piece->text, "%.3g%s packets/s", per_s / scale, unit);
}

static void say_left(double left_s, struct piece *piece)
{
    if (left_s < 90)
        snprintf(piece->text, sizeof piece->text, "%.0f s left", left_s);
    else if (left_s < 5400)
        snprintf(piece->text, sizeof piece->text, "%.0f min left", left_s / 60);
    else
        snprintf(piece->text, sizeof piece->text, "%.1f h left", left_s / 3600);
}

static size_t make_replay(const struct progress *progress, double now_s, struct piece *pieces)
{
    const struct progress_now *now = &progress->last;
    double took_s = now_s - progress->began_s;
    size_t count = 0;
    if (now->share >= 0)
        snprintf(pieces[count++].text, sizeof pieces->text, "%3.0f %%", 100 * now->share);
    if (now->data_ns != TIME_NONE) {
        pieces[count].spare = 2;
        say_time(progress, now->data_ns, &pieces[count++]);
    }
    if (took_s > 0) {
        pieces[count].spare = 3;
        say_rate((double)now->packets / took_s, &pieces[count++]);
    }
    if (now->share > 0 && now->share < 1) {
        pieces[count].spare = 1;
        say_left(took_s * (1 - now->share) / now->share, &pieces[count++]);
    }
    return count;
}

const char *const progress_states[STATE__COUNT] = {"learning", "up",         "suspect",
                                                   "down",     "recovering", "blind"};

static size_t make_live(const struct progress *progress, double per_s, struct piece *pieces)
{
    const struct progress_now *now = &progress->last;
    size_t count = 0;
    snprintf(pieces[count++].text, sizeof pieces->text, "all is %s", progress_states[now->all]);
    pieces[count].spare = 2;
    snprintf(pieces[count++].text, sizeof pieces->text, "tap is %s", progress_states[now->tap]);
    if (now->data_ns != TIME_NONE) {
        pieces[count].spare = 3;
        say_time(progress, now->data_ns, &pieces[count++]);
    }
    pieces[count].spare = 1;
    say_rate(per_s, &pieces[count++]);
    if (now->dropped > 0)
        snprintf(pieces[count++].text, sizeof pieces->text, "%llu dropped", (unsigned long long)now->dropped);
    return count;
}

/* Puts the pieces side by side, as many as there is room for in `room` columns. */
static void lay_out(struct piece *pieces, size_t count, int room, char *line, size_t size)
{
    for (int given_up = 4; given_up > 0; given_up--) {
        size_t at = 0;
        line[0] = '\0';
        for (size_t i = 0; i < count && at < size; i++)
            if (pieces[i].spare < given_up)
                at += (size_t)snprintf(line + at, size - at, "%s%s", at > 0 ? "  " : "", pieces[i].text);
        if ((int)at <= room)
            return;
    }
    line[room > 0 ? room : 0] = '\0';
}

static void show(struct progress *progress, double now_s)
{
    struct piece pieces[PIECES_MAX] = {0};
    char line[PIECES_MAX * sizeof pieces->text];
    double took_s = now_s - progress->rate_s,
           per_s = took_s > 0 ? (double)(progress->last.packets - progress->rate_packets) / took_s : 0;
    size_t count = progress->live ? make_live(progress, per_s, pieces) : make_replay(progress, now_s, pieces);
    if (took_s >= rate_over_s) {
        progress->rate_s = now_s;
        progress->rate_packets = progress->last.packets;
    }
    int room = progress->screen ? terminal_columns(STDERR_FILENO) - 1 : (int)sizeof line - 1;
    lay_out(pieces, count, room < (int)sizeof line ? room : (int)sizeof line - 1, line, sizeof line);
    log_progress("%s", line);
    progress->shown_s = now_s;
}

void progress_show(struct progress *progress, const struct progress_now *now)
{
    progress->last = *now;
    if (!progress->wanted)
        return;
    double now_s = wall_s();
    double every_s = !progress->screen ? line_every_s : progress->live ? live_every_s : screen_every_s;
    if (now_s - progress->shown_s >= every_s)
        show(progress, now_s);
}

void progress_end(struct progress *progress)
{
    if (progress->wanted && !progress->screen)
        show(progress, wall_s());
    log_progress_end();
}
