/* SPDX-License-Identifier: BSD-3-Clause */
/* The picture as the pages' script reads it. A series is a string of numbers parted by commas: one that is
 * the same as the one before is left out, and "-" is not known. States and hosts are runs, a letter and how
 * often. So a month of minutes takes some hundred kilobytes. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "event_text.h"
#include "picture.h"
#include "text.h"

enum { ROWS_MAX = 150, HOST_ROWS_MAX = 256, COLUMNS_MAX = 2048, COLUMNS_ALL = 1 << 20 };

/* A string that cannot end the script element it stands in either. */
static void put_string(FILE *out, const char *raw)
{
    char json[1024];
    struct text text = text_in(json, sizeof json);
    text_json(&text, raw);
    for (const char *c = text.cut ? "\"\"" : json; *c != '\0'; c++)
        if (*c == '<' || *c == '>' || *c == '&')
            fprintf(out, "\\u%04x", (unsigned)*c);
        else
            fputc(*c, out);
}

/* ---- series ---- */

/* What a series tells of a point; negative: not known. */
typedef double reading(const struct picture_point *point);

static double a_minute(float sum, float seconds)
{
    return seconds > 0 ? 60 * (double)sum / (double)seconds : -1;
}

static double observed(const struct picture_point *point)
{
    return a_minute(point->observed, point->observed_s);
}

static double least(const struct picture_point *point)
{
    return point->observed_s > 0 ? (double)point->least : -1;
}

static double most(const struct picture_point *point)
{
    return point->observed_s > 0 ? (double)point->most : -1;
}

static double expected(const struct picture_point *point)
{
    return a_minute(point->expected, point->expected_s);
}

static double low(const struct picture_point *point)
{
    return a_minute(point->low, point->expected_s);
}

static double high(const struct picture_point *point)
{
    return a_minute(point->high, point->expected_s);
}

static double packets_in(const struct picture_point *point)
{
    return a_minute(point->in, point->seconds);
}

static double packets_out(const struct picture_point *point)
{
    return a_minute(point->out, point->seconds);
}

static double hosts(const struct picture_point *point)
{
    return point->bins > 0 ? (double)point->hosts / point->bins : -1;
}

static double detectable(const struct picture_point *point)
{
    return point->seconds > 0 ? (double)point->detectable_s : -1;
}

/* Three digits that say something. */
static void number_of(double value, char text[TEXT_NUMBER_MAX])
{
    if (!(value >= 0)) {
        strcpy(text, "-");
        return;
    }
    int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    int length = snprintf(text, TEXT_NUMBER_MAX, "%.*f", decimals, value);
    for (; decimals > 0 && (text[length - 1] == '0' || text[length - 1] == '.'); text[--length] = '\0')
        if (text[length - 1] == '.')
            decimals = 0;
}

static void put_series(const struct picture_track *track, uint32_t merged, const char *key, reading *of,
                       FILE *out)
{
    char before[TEXT_NUMBER_MAX] = "", now[TEXT_NUMBER_MAX];
    fprintf(out, ",\"%s\":\"", key);
    for (uint32_t i = 0; i < track->count; i += merged) {
        const struct picture_point point = picture_merged(track, i, merged);
        number_of(of(&point), now);
        fprintf(out, "%s%s", i > 0 ? "," : "", strcmp(now, before) == 0 ? "" : now);
        strcpy(before, now);
    }
    fputc('"', out);
}

/* Letters that follow each other, as runs: "u120d34". */
struct runs {
    char letter;
    uint32_t count;
};

static void end_run(struct runs *runs, FILE *out)
{
    if (runs->count > 1)
        fprintf(out, "%c%u", runs->letter, runs->count);
    else if (runs->count == 1)
        fputc(runs->letter, out);
    runs->count = 0;
}

static void put_run(struct runs *runs, char letter, FILE *out)
{
    if (letter != runs->letter)
        end_run(runs, out);
    runs->letter = letter;
    runs->count++;
}

static void put_states(const struct picture_track *track, uint32_t merged, FILE *out)
{
    struct runs runs = {0, 0};
    fputs(",\"s\":\"", out);
    for (uint32_t i = 0; i < track->count; i += merged) {
        const struct picture_point point = picture_merged(track, i, merged);
        put_run(&runs, point.seconds > 0 ? event_text_state((enum scope_state)point.state)[0] : 'm', out);
    }
    end_run(&runs, out);
    fputc('"', out);
}

/* Begins an object: whose it is, where it begins and how long a point is, in seconds. Returns how many points
 * make one of at most `most_columns`. */
static uint32_t put_track(const struct picture *picture, const struct picture_track *track, const char *name,
                          uint32_t most_columns, FILE *out)
{
    const int64_t width_ns = picture->bin_ns * track->width;
    uint32_t merged = (track->count + most_columns - 1) / most_columns;
    merged = merged > 0 ? merged : 1;
    fputs("{\"name\":", out);
    put_string(out, name);
    fprintf(out, ",\"t\":%lld,\"w\":%lld", (long long)(track->first * width_ns / NS_PER_S),
            (long long)(width_ns * merged / NS_PER_S));
    return merged;
}

static void put_all(const struct picture *picture, FILE *out)
{
    const struct picture_track *track = &picture->track[SCOPE_NUMBER_ALL];
    fputs(",\"all\":", out);
    uint32_t merged = put_track(picture, track, "all", COLUMNS_ALL, out);
    put_states(track, merged, out);
    put_series(track, merged, "o", observed, out);
    put_series(track, merged, "e", expected, out);
    put_series(track, merged, "l", low, out);
    put_series(track, merged, "h", high, out);
    if (track->width > 1) {
        put_series(track, merged, "a", least, out);
        put_series(track, merged, "z", most, out);
    }
    fputs("},\"sight\":", out);
    merged = put_track(picture, track, "all", COLUMNS_MAX, out);
    put_states(track, merged, out);
    put_series(track, merged, "o", detectable, out);
    fputs("}", out);
}

/* From the watched side, towards it, and beside it; and how many spoke. */
static void put_populations(const struct picture *picture, FILE *out)
{
    const struct picture_track *all = &picture->track[SCOPE_NUMBER_ALL],
                               *tap = &picture->track[picture->scope_count - 1];
    static const struct {
        const char *name;
        reading *of;
    } sides[] = {{"from", packets_out}, {"towards", packets_in}, {"hosts", hosts}};
    fputs(",\"populations\":[", out);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        uint32_t merged = put_track(picture, all, sides[i].name, COLUMNS_MAX, out);
        put_states(all, merged, out);
        put_series(all, merged, "o", sides[i].of, out);
        fputs("},", out);
    }
    uint32_t merged = put_track(picture, tap, "beside", COLUMNS_MAX, out);
    put_states(tap, merged, out);
    put_series(tap, merged, "o", observed, out);
    put_series(tap, merged, "e", expected, out);
    fputs("}]", out);
}

/* ---- prefixes, paths, services ---- */

static bool has_episode(const struct picture *picture, const char *scope)
{
    for (uint32_t i = 0; i < picture->episode_count; i++)
        if (strcmp(picture->episode[i].scope, scope) == 0)
            return true;
    return false;
}

static bool was_heard(const struct picture_track *track)
{
    for (uint32_t i = 0; i < track->count; i++)
        if (track->point[i].observed > 0)
            return true;
    return false;
}

static void put_row(const struct picture *picture, uint32_t number, FILE *out)
{
    const struct picture_track *track = &picture->track[number];
    uint32_t merged = put_track(picture, track, picture->scope[number].text, COLUMNS_MAX, out);
    put_states(track, merged, out);
    put_series(track, merged, "o", observed, out);
    put_series(track, merged, "e", expected, out);
    fputs("}", out);
}

/* Those with an outage of their own first, when there are too many. */
static void put_rows(const struct picture *picture, FILE *out)
{
    const char *between = "";
    uint32_t rows = 0, untold = 0;
    fputs(",\"rows\":[", out);
    for (int own = 1; own >= 0; own--)
        for (uint32_t i = 1; i + 1 < picture->scope_count; i++) {
            const struct picture_track *track = &picture->track[i];
            if (track->count == 0 || has_episode(picture, picture->scope[i].text) != own || !was_heard(track))
                continue;
            if (rows++ >= ROWS_MAX) {
                untold++;
                continue;
            }
            fputs(between, out);
            put_row(picture, i, out);
            between = ",\n";
        }
    fprintf(out, "],\"more\":%u,\"unheard\":[", untold);
    between = "";
    for (uint32_t i = 1, told = 0; i + 1 < picture->scope_count && told < ROWS_MAX; i++)
        if (picture->track[i].count > 0 && !was_heard(&picture->track[i])) {
            fputs(between, out);
            put_string(out, picture->scope[i].text);
            between = ",";
            told++;
        }
    fputs("]", out);
}

/* ---- hosts ---- */

static const char *address_text(const uint8_t address[16], char text[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool old = memcmp(address, mapped, sizeof mapped) == 0;
    return inet_ntop(old ? AF_INET : AF_INET6, address + (old ? 12 : 0), text, INET6_ADDRSTRLEN);
}

static int by_bins(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a < b) - (a > b);
}

/* How often a host must have spoken to be shown, and how many of those that spoke just so often find room. */
static uint64_t least_bins(const struct picture *picture, uint32_t *equals)
{
    *equals = UINT32_MAX;
    uint64_t *bins = calloc(picture->host_count + 1, sizeof *bins), least = 0;
    if (bins == NULL || picture->host_count <= HOST_ROWS_MAX) {
        free(bins);
        return 0;
    }
    for (uint32_t i = 0; i < picture->host_count; i++)
        bins[i] = picture->host[i].bins;
    qsort(bins, picture->host_count, sizeof *bins, by_bins);
    least = bins[HOST_ROWS_MAX - 1];
    *equals = 0;
    for (uint32_t i = 0; i < HOST_ROWS_MAX; i++)
        *equals += bins[i] == least;
    free(bins);
    return least;
}

/* The share of a slot in which the host spoke, as a letter: '.' none, 'a' to 'i' up to all. */
static void put_slots(const struct picture *picture, const struct picture_host *host, FILE *out)
{
    struct runs runs = {0, 0};
    for (int j = 0; j < PICTURE_SLOTS; j++) {
        uint32_t ninths = (9U * host->slot[j] + picture->slot_width - 1) / picture->slot_width;
        put_run(&runs, ninths == 0 ? '.' : (char)('a' + (ninths > 9 ? 9 : ninths) - 1), out);
    }
    if (runs.letter != '.')
        end_run(&runs, out);
}

static void put_hosts(const struct picture *picture, FILE *out)
{
    char address[INET6_ADDRSTRLEN];
    uint32_t equals, rows = 0;
    uint64_t least = least_bins(picture, &equals);
    const char *between = "";
    if (picture->slot_width == 0)
        return;
    const int64_t width_ns = picture->bin_ns * picture->slot_width;
    fprintf(out, ",\"hosts\":{\"t\":%lld,\"w\":%lld,\"rows\":[",
            (long long)(picture->slot_first * width_ns / NS_PER_S), (long long)(width_ns / NS_PER_S));
    for (uint32_t i = 0; i < picture->host_count; i++) {
        const struct picture_host *host = &picture->host[i];
        if (host->bins < least || (host->bins == least && equals == 0))
            continue;
        equals -= host->bins == least;
        fprintf(out, "%s[\"%s\",\"", between, address_text(host->address, address));
        put_slots(picture, host, out);
        fputs("\"]", out);
        between = ",\n";
        rows++;
    }
    fprintf(out, "],\"more\":%u,\"untold\":%llu}", picture->host_count - rows,
            (unsigned long long)picture->hosts_untold);
}

/* ---- episodes ---- */

static void put_instant(int64_t at_ns, FILE *out)
{
    if (at_ns == TIME_NONE)
        fputs("null", out);
    else
        fprintf(out, "%.1f", clock_seconds(0, at_ns));
}

static void put_instants(const char *key, int64_t earliest_ns, int64_t at_ns, int64_t latest_ns, FILE *out)
{
    fprintf(out, ",\"%s\":[", key);
    put_instant(earliest_ns, out);
    fputc(',', out);
    put_instant(at_ns, out);
    fputc(',', out);
    put_instant(latest_ns, out);
    fputc(']', out);
}

static void put_episodes(const struct picture *picture, FILE *out)
{
    fputs(",\"episodes\":[", out);
    for (uint32_t i = 0; i < picture->episode_count; i++) {
        const struct picture_episode *episode = &picture->episode[i];
        fputs(i > 0 ? ",\n{\"scope\":" : "{\"scope\":", out);
        put_string(out, episode->scope);
        fprintf(out, ",\"sensor\":%s,\"depth\":%.3f", episode->sensor ? "true" : "false", episode->depth);
        put_instants("on", episode->onset_earliest_ns, episode->onset_ns, episode->onset_latest_ns, out);
        if (episode->end_ns != TIME_NONE)
            put_instants("off", episode->end_earliest_ns, episode->end_ns, episode->end_latest_ns, out);
        fputs("}", out);
    }
    fputs("]", out);
}

void picture_write(const struct picture *picture, int32_t offset_min, FILE *out)
{
    fprintf(out, "{\"bin\":%lld,\"live\":%s,\"measure\":\"%s\"", (long long)(picture->bin_ns / NS_PER_S),
            picture->manner == PICTURE_LATEST ? "true" : "false", event_text_measure(picture->signal));
    if (offset_min != 0)
        fprintf(out, ",\"offset\":%d", offset_min);
    fprintf(out, ",\"from\":%.1f,\"to\":%.1f", clock_seconds(0, picture->start_ns),
            clock_seconds(0, picture->end_ns));
    put_all(picture, out);
    put_populations(picture, out);
    put_rows(picture, out);
    put_hosts(picture, out);
    put_episodes(picture, out);
    fputs("}\n", out);
}
