/* SPDX-License-Identifier: BSD-3-Clause */
/* What several sensors say, fused. A line is the letter of a sensor, one of how many minutes have passed
 * since the line before ('0' none), and the bin of an hour as JSON. What is fused must be as can be told, and
 * a view that is saved half way must go on as it was. */
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "fuse.h"
#include "fuzz.h"
#include "text.h"

static const int64_t minute_ns = 60 * NS_PER_S;

struct told {
    const struct scope_list *scopes;
    uint64_t events, bins; /* hashes */
};

static uint64_t hash(uint64_t sum, const char *text)
{
    while (*text != '\0')
        sum = (sum ^ (uint8_t)*text++) * 0x100000001b3;
    return sum;
}

static void take_scopes(void *context, const struct scope_list *scopes)
{
    ((struct told *)context)->scopes = scopes;
}

static void take_bin(void *context, const struct bin *bin)
{
    struct told *told = context;
    char json[BIN_JSON_MAX];
    struct text out = text_in(json, sizeof json);
    bin_text_json(bin, &told->scopes->items[bin->scope], &out);
    told->bins = hash(told->bins, json);
}

static void take_event(void *context, const struct event *event)
{
    struct told *told = context;
    char *json = event_text_json(event, "fused");
    if (json == NULL)
        abort();
    told->events = hash(told->events, json);
    free(json);
}

static bool read_line(const char *line, size_t length, struct fuse_row *row, int64_t *now_ns)
{
    if (length < 3)
        return false;
    *now_ns += (uint8_t)(line[1] - '0') * minute_ns;
    row->sensor[0] = line[0];
    row->sensor[1] = '\0';
    return line[0] != '\0' && bin_text_read(line + 2, length - 2, &row->bin, &row->scope) == 0;
}

/* Plays the lines to a view; it is saved and another goes on with it after so many. */
static struct told play(const uint8_t *data, size_t size, size_t until)
{
    const struct fuse_options options = {
        .bin_ns = 60 * minute_ns, .lateness_ns = 30 * minute_ns, .recovery_hold_s = 600};
    struct told told = {NULL, 0, 0};
    const struct fuse_output output = {&told, take_scopes, take_bin, take_event};
    struct fuse *fuse = fuse_new(&options, &output);
    int64_t now_ns = 1749081600 * NS_PER_S;
    const char *at = (const char *)data, *end = at + size;
    for (size_t number = 0; at < end && fuse != NULL; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop != NULL ? stop : end) - at);
        struct fuse_row row;
        if (read_line(at, length, &row, &now_ns))
            fuse_take(fuse, &row, now_ns);
        at += length + 1;
        if (number != until)
            continue;
        size_t room = fuse_save(fuse, NULL, 0);
        uint8_t *bytes = malloc(room);
        const char *why;
        if (bytes == NULL || fuse_save(fuse, bytes, room) != room)
            abort();
        fuse_free(fuse);
        fuse = fuse_new(&options, &output);
        if (fuse == NULL || fuse_load(fuse, bytes, room, &why) != 0)
            abort();
        free(bytes);
    }
    if (fuse != NULL)
        fuse_advance(fuse, now_ns + 600 * minute_ns);
    fuse_free(fuse);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    const struct told whole = play(data, size, SIZE_MAX), parted = play(data, size, lines / 2);
    if (whole.events != parted.events || whole.bins != parted.bins)
        abort();
    return 0;
}
