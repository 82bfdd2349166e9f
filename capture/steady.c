/* SPDX-License-Identifier: BSD-3-Clause */
#include "steady.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { WITNESSES = 7, KEPT_MAX = WITNESSES + SAVEFILE_RUN_MAX };

static const int64_t doubt_ns = 10 * NS_PER_S;
static const int64_t year_ns = 366 * 86400 * NS_PER_S; /* a longer hole behind the first packet is none */

/* The bound of what a savefile gives. */
static const int64_t latest_ns = INT64_MAX / 2;

/* Frames that are kept have the times that the file gives; what was not gathered has its bytes where the
 * savefile has them. */
struct steady {
    struct savefile *file;
    int64_t gap_max_ns;
    int64_t now_ns;   /* the latest time given; TIME_NONE: none */
    uint64_t given;   /* packets */
    int64_t ahead_ns; /* so much later than the file says */
    struct frame kept[KEPT_MAX];
    size_t at, count; /* kept[at] to kept[count] are still to be given */
    uint8_t *bytes;   /* of those that were gathered */
    bool complete;    /* no more will follow them */
    bool hasty;
    struct steady_news news;
};

struct steady *steady_new(struct savefile *file, int64_t gap_max_ns, bool hasty)
{
    struct steady *steady = calloc(1, sizeof *steady);
    if (steady == NULL)
        return NULL;
    steady->file = file;
    steady->gap_max_ns = gap_max_ns;
    steady->now_ns = TIME_NONE;
    steady->hasty = hasty;
    return steady;
}

void steady_free(struct steady *steady)
{
    if (steady == NULL)
        return;
    free(steady->bytes);
    free(steady);
}

bool steady_take_news(struct steady *steady, struct steady_news *news)
{
    *news = steady->news;
    steady->news = (struct steady_news){0};
    return news->astray > 0 || news->steps > 0;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* The latest time given, as the file says it. */
static int64_t reached(const struct steady *steady)
{
    return steady->now_ns - steady->ahead_ns;
}

/* ---- what to believe ---- */

/* The times of those that follow the first one kept, as far as they have any. */
static size_t call_witnesses(const struct steady *steady, int64_t times[WITNESSES])
{
    size_t count = 0;
    for (size_t i = steady->at + 1; i < steady->count && i <= steady->at + WITNESSES; i++)
        if (steady->kept[i].time_ns != TIME_NONE)
            times[count++] = steady->kept[i].time_ns;
    return count;
}

/* The time of a file's first packet: its own, but where most of the others are somewhere else, and together.
 */
static int64_t judge_first(struct steady *steady, int64_t time_ns)
{
    int64_t times[WITNESSES] = {0};
    size_t count = call_witnesses(steady, times), together = 0;
    for (size_t i = 0; i < count; i++)
        together += distance(times[i], times[count / 2]) <= steady->gap_max_ns;
    const int64_t most_ns = times[count / 2];
    bool fits = time_ns <= most_ns + doubt_ns && most_ns - time_ns <= year_ns;
    if (count < WITNESSES || together * 2 <= count || fits)
        return time_ns;
    steady->news.astray++;
    size_t first = 0;
    while (distance(times[first], times[count / 2]) > steady->gap_max_ns)
        first++;
    return times[first];
}

/* Whether the time of a doubtful packet is right. */
static bool is_believed(const struct steady *steady, int64_t time_ns)
{
    int64_t times[WITNESSES];
    const int64_t reached_ns = reached(steady);
    size_t count = call_witnesses(steady, times), in_favour = 0;
    if (count == 0)
        return time_ns > reached_ns && time_ns - reached_ns <= steady->gap_max_ns;
    for (size_t i = 0; i < count; i++)
        in_favour += distance(times[i], time_ns) <= distance(times[i], reached_ns);
    return in_favour * 2 >= count;
}

/* The clock was set: time goes on from where it was, or as the file says where that is no earlier. */
static void follow_clock(struct steady *steady, int64_t time_ns)
{
    const int64_t ahead_ns = steady->now_ns - time_ns;
    steady->news.steps++;
    steady->news.by_ns = time_ns - reached(steady);
    steady->news.since_ns = steady->now_ns;
    steady->ahead_ns = ahead_ns > doubt_ns ? ahead_ns : 0;
}

/* Whether there are too few packets to tell by. */
static bool is_alone(const struct steady *steady)
{
    int64_t times[WITNESSES];
    return steady->ahead_ns == 0 && steady->given + call_witnesses(steady, times) < WITNESSES;
}

/* The time to be given to a doubtful packet. None is given that is so late that differences overflow. */
static int64_t judge(struct steady *steady, int64_t time_ns)
{
    if (steady->now_ns == TIME_NONE)
        return steady->hasty ? time_ns : judge_first(steady, time_ns);
    if (is_alone(steady))
        return time_ns;
    bool back = time_ns < reached(steady);
    bool forth_again = steady->ahead_ns > 0 && time_ns >= steady->now_ns - doubt_ns;
    bool fits = back || forth_again || time_ns <= latest_ns - steady->ahead_ns;
    if (!fits || steady->now_ns > latest_ns || !is_believed(steady, time_ns)) {
        steady->news.astray++;
        return steady->now_ns;
    }
    if (back || forth_again)
        follow_clock(steady, time_ns);
    return time_ns + steady->ahead_ns;
}

static inline bool is_in_line(const struct steady *steady, int64_t time_ns)
{
    return steady->now_ns != TIME_NONE && steady->now_ns <= latest_ns &&
           distance(time_ns, reached(steady)) <= doubt_ns;
}

/* ---- what was kept ---- */

static void keep(struct steady *steady, const struct frame *frames, size_t count)
{
    memcpy(steady->kept + steady->count, frames, count * sizeof *frames);
    steady->count += count;
}

/* Brings the bytes of what is kept to a place of their own; false: no memory. */
static bool own_bytes(struct steady *steady)
{
    size_t length = 0;
    for (size_t i = steady->at; i < steady->count; i++)
        length += steady->kept[i].captured_bytes;
    uint8_t *bytes = malloc(length + 1), *to = bytes;
    if (bytes == NULL)
        return false;
    for (size_t i = steady->at; i < steady->count; i++) {
        struct frame *frame = &steady->kept[i];
        memcpy(to, frame->bytes, frame->captured_bytes);
        frame->bytes = to;
        to += frame->captured_bytes;
    }
    free(steady->bytes);
    steady->bytes = bytes;
    memmove(steady->kept, steady->kept + steady->at, (steady->count - steady->at) * sizeof *steady->kept);
    steady->count -= steady->at;
    steady->at = 0;
    return true;
}

/* Reads on for more witnesses. SAVEFILE_LATER: there are none yet. */
static enum savefile_news gather(struct steady *steady)
{
    const struct frame *frames;
    size_t count;
    if (!own_bytes(steady)) {
        steady->complete = true;
        return SAVEFILE_PACKETS;
    }
    enum savefile_news news = savefile_next(steady->file, &frames, &count);
    if (news == SAVEFILE_LATER)
        return SAVEFILE_LATER;
    steady->complete = news != SAVEFILE_PACKETS;
    if (!steady->complete)
        keep(steady, frames, count);
    return SAVEFILE_PACKETS;
}

/* Gives what is kept, up to the next packet that is in doubt; or that one. */
static enum savefile_news give(struct steady *steady, const struct frame **frames, size_t *count)
{
    size_t end = steady->at;
    while (end < steady->count) {
        struct frame *frame = &steady->kept[end];
        if (frame->time_ns != TIME_NONE && is_in_line(steady, frame->time_ns)) {
            frame->time_ns += steady->ahead_ns;
        } else if (frame->time_ns != TIME_NONE) {
            bool unheard = steady->count - steady->at <= WITNESSES && !steady->complete;
            if (end > steady->at)
                break;
            if (unheard && !(steady->hasty && steady->now_ns == TIME_NONE)) {
                if (gather(steady) == SAVEFILE_LATER)
                    return SAVEFILE_LATER;
                end = steady->at;
                continue;
            }
            frame->time_ns = judge(steady, frame->time_ns);
        }
        if (frame->time_ns > steady->now_ns)
            steady->now_ns = frame->time_ns;
        steady->given++;
        end++;
    }
    *frames = steady->kept + steady->at;
    *count = end - steady->at;
    steady->at = end;
    return SAVEFILE_PACKETS;
}

/* How many frames of a run are in line, and so can be given as they are. */
static size_t count_in_line(struct steady *steady, const struct frame *frames, size_t count)
{
    int64_t now_ns = steady->now_ns;
    size_t in_line = 0;
    if (now_ns == TIME_NONE || steady->ahead_ns != 0)
        return 0;
    for (; in_line < count; in_line++) {
        const int64_t time_ns = frames[in_line].time_ns;
        if ((uint64_t)time_ns - (uint64_t)now_ns + (uint64_t)doubt_ns > 2 * (uint64_t)doubt_ns)
            break;
        now_ns = time_ns > now_ns ? time_ns : now_ns;
    }
    steady->now_ns = now_ns;
    steady->given += in_line;
    return in_line;
}

enum savefile_news steady_next(struct steady *steady, const struct frame **frames, size_t *count)
{
    if (steady->at < steady->count)
        return give(steady, frames, count);
    enum savefile_news news = savefile_next(steady->file, frames, count);
    if (news != SAVEFILE_PACKETS)
        return news;
    size_t in_line = count_in_line(steady, *frames, *count);
    if (in_line == *count)
        return SAVEFILE_PACKETS;
    steady->at = steady->count = 0;
    keep(steady, *frames + in_line, *count - in_line);
    *count = in_line;
    return in_line > 0 ? SAVEFILE_PACKETS : give(steady, frames, count);
}
