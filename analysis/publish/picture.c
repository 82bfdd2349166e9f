/* SPDX-License-Identifier: BSD-3-Clause */
#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"

/* Points of `all`, and of all other scopes together; of each of those at the most and the least. In all some
 * 12 MiB at the worst, live 2. */
enum {
    ALL_WHOLE = 65536,
    OTHERS_WHOLE = 131072,
    OTHERS_LATEST = 16384,
    EACH_MOST = 2048,
    EACH_LATEST = 360,
    EACH_LEAST = 16
};

/* The later outweighs the earlier where both were in one stretch. */
static const uint8_t gravity[STATE__COUNT] = {
    [STATE_UP] = 0,         [STATE_LEARNING] = 1, [STATE_SUSPECT] = 2,
    [STATE_RECOVERING] = 3, [STATE_BLIND] = 4,    [STATE_DOWN] = 5};

static uint32_t points_most(const struct picture *picture, uint32_t number, uint32_t scope_count)
{
    bool whole = picture->manner == PICTURE_WHOLE;
    if (number == SCOPE_NUMBER_ALL)
        return whole ? ALL_WHOLE : PICTURE_LATEST_BINS;
    uint32_t most = (uint32_t)(whole ? OTHERS_WHOLE : OTHERS_LATEST) / scope_count;
    uint32_t cap = whole ? EACH_MOST : EACH_LATEST;
    return most > cap ? cap : most < EACH_LEAST ? EACH_LEAST : most;
}

static struct picture_track track_new(const struct picture *picture, uint32_t number, uint32_t scope_count)
{
    uint32_t most = points_most(picture, number, scope_count);
    uint32_t width = picture->manner == PICTURE_WHOLE ? 1 : (PICTURE_LATEST_BINS + most - 1) / most;
    return (struct picture_track){.width = width, .most = most};
}

int picture_init(struct picture *picture, enum picture_manner manner, int64_t bin_ns,
                 const struct scope_list *scopes)
{
    *picture = (struct picture){.manner = manner,
                                .bin_ns = bin_ns > 0 ? bin_ns : 60 * NS_PER_S,
                                .signal = SIGNAL_NONE,
                                .start_ns = TIME_NONE,
                                .end_ns = TIME_NONE,
                                .scope_count = scopes->count};
    picture->scope = calloc(scopes->count, sizeof *picture->scope);
    picture->track = calloc(scopes->count, sizeof *picture->track);
    if (picture->scope == NULL || picture->track == NULL) {
        picture_clear(picture);
        return -1;
    }
    for (uint32_t i = 0; i < scopes->count; i++) {
        picture->scope[i] = scopes->items[i];
        picture->track[i] = track_new(picture, i, scopes->count);
    }
    return 0;
}

static void free_tracks(struct picture_track *track, uint32_t count)
{
    for (uint32_t i = 0; track != NULL && i < count; i++)
        free(track[i].point);
    free(track);
}

void picture_clear(struct picture *picture)
{
    free_tracks(picture->track, picture->scope_count);
    free(picture->scope);
    free(picture->host);
    picture->track = NULL;
    picture->scope = NULL;
    picture->host = NULL;
}

static void *copy_of(const void *from, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size); /* never of nothing */
    if (copy != NULL && count > 0)
        memcpy(copy, from, count * size);
    return copy;
}

int picture_copy(struct picture *copy, const struct picture *picture)
{
    struct picture next = *picture;
    bool whole = true;
    next.scope = copy_of(picture->scope, picture->scope_count, sizeof *picture->scope);
    next.track = copy_of(picture->track, picture->scope_count, sizeof *picture->track);
    next.host = copy_of(picture->host, picture->host_count, sizeof *picture->host);
    next.host_room = picture->host_count;
    for (uint32_t i = 0; next.track != NULL && i < next.scope_count; i++) {
        struct picture_track *track = &next.track[i];
        track->point = copy_of(track->point, track->count, sizeof *track->point);
        track->room = track->count;
        whole = whole && track->point != NULL;
    }
    if (!whole || next.scope == NULL || next.track == NULL || next.host == NULL) {
        picture_clear(&next);
        return -1;
    }
    picture_clear(copy);
    *copy = next;
    return 0;
}

int picture_scopes(struct picture *picture, const struct scope_list *scopes)
{
    struct scope *scope = copy_of(scopes->items, scopes->count, sizeof *scope);
    struct picture_track *track = calloc(scopes->count, sizeof *track);
    if (scope == NULL || track == NULL) {
        free(scope);
        free(track);
        return -1;
    }
    uint32_t from = 0; /* lists mostly stand in the same order, so that the next one is found at once */
    for (uint32_t i = 0; i < scopes->count; i++) {
        track[i] = track_new(picture, i, scopes->count);
        for (uint32_t j = 0; j < picture->scope_count; j++) {
            uint32_t at = (from + j) % picture->scope_count;
            if (picture->track[at].point == NULL || !scope_is_same(&scope[i], &picture->scope[at]))
                continue;
            track[i] = picture->track[at];
            picture->track[at].point = NULL;
            from = at + 1;
            break;
        }
    }
    free_tracks(picture->track, picture->scope_count);
    free(picture->scope);
    picture->track = track;
    picture->scope = scope;
    picture->scope_count = scopes->count;
    return 0;
}

/* ---- points ---- */

static int64_t stretch_of(const struct picture *picture, uint32_t width, int64_t at_ns)
{
    int64_t length_ns = picture->bin_ns * width;
    return clock_floor(at_ns, length_ns) / length_ns;
}

static void add_point(struct picture_point *sum, const struct picture_point *more)
{
    if (!(more->seconds > 0))
        return;
    if (!(sum->seconds > 0)) {
        *sum = *more;
        return;
    }
    if (more->observed_s > 0) {
        sum->least = sum->observed_s > 0 ? fminf(sum->least, more->least) : more->least;
        sum->most = sum->observed_s > 0 ? fmaxf(sum->most, more->most) : more->most;
    }
    sum->seconds += more->seconds;
    sum->observed += more->observed;
    sum->observed_s += more->observed_s;
    sum->expected += more->expected;
    sum->low += more->low;
    sum->high += more->high;
    sum->expected_s += more->expected_s;
    sum->in += more->in;
    sum->out += more->out;
    sum->hosts += more->hosts;
    sum->detectable_s = fmaxf(sum->detectable_s, more->detectable_s);
    sum->bins = (uint16_t)(sum->bins + more->bins);
    if (gravity[more->state] > gravity[sum->state])
        sum->state = more->state;
}

struct picture_point picture_merged(const struct picture_track *track, uint32_t from, uint32_t count)
{
    struct picture_point sum = {.seconds = 0};
    for (uint32_t i = from; i < track->count && i - from < count; i++)
        add_point(&sum, &track->point[i]);
    return sum;
}

/* Half as many points, of twice the width. */
static void halve(struct picture_track *track)
{
    int64_t first = clock_floor(track->first, 2) / 2;
    uint32_t count = 0;
    for (uint32_t i = 0; i < track->count; i++) {
        const struct picture_point point = track->point[i];
        uint32_t to = (uint32_t)(clock_floor(track->first + i, 2) / 2 - first);
        if (to >= count) {
            track->point[to] = point;
            count = to + 1;
        } else {
            add_point(&track->point[to], &point);
        }
    }
    track->first = first;
    track->count = count;
    track->width *= 2;
}

/* Room for the stretch `at`, or the oldest give way. False: no memory. */
static bool make_room(const struct picture *picture, struct picture_track *track, int64_t at_ns)
{
    int64_t at = stretch_of(picture, track->width, at_ns);
    if (track->count == 0)
        track->first = at;
    while (picture->manner == PICTURE_WHOLE && at - track->first >= track->most) {
        halve(track);
        at = stretch_of(picture, track->width, at_ns);
    }
    int64_t over = at - track->first + 1 - track->most;
    if (over > 0 && over >= track->count) {
        track->first = at;
        track->count = 0;
    } else if (over > 0) {
        memmove(track->point, track->point + over, (track->count - (size_t)over) * sizeof *track->point);
        track->first += over;
        track->count -= (uint32_t)over;
    }
    uint32_t needed = (uint32_t)(at - track->first + 1);
    if (needed > track->room) {
        uint32_t room = needed < 32 ? 64 : needed < track->most / 2 ? 2 * needed : track->most;
        struct picture_point *point = reallocarray(track->point, room, sizeof *point);
        if (point == NULL)
            return false;
        track->point = point;
        track->room = room;
    }
    for (; track->count < needed; track->count++)
        track->point[track->count] = (struct picture_point){.seconds = 0};
    return true;
}

/* NAN: not known, and so in every sum it is part of. */
static float count_of(const struct tally *tally, enum tally_measure measure)
{
    return tally->known & TALLY_BIT(measure) ? (float)tally->value[measure] : NAN;
}

static struct picture_point point_of(const struct bin *bin)
{
    double minutes = bin_text_minutes(bin), observed = bin_text_observed(bin),
           expected = bin_text_expected(bin);
    struct picture_point point = {.seconds = (float)(60 * minutes),
                                  .in = count_of(&bin->tally, TALLY_packets_in),
                                  .out = count_of(&bin->tally, TALLY_packets_out),
                                  .hosts = count_of(&bin->tally, TALLY_hosts),
                                  .detectable_s = (float)bin->detectable_s,
                                  .bins = 1,
                                  .state = (uint8_t)bin->state};
    if (observed >= 0) {
        point.observed = (float)observed;
        point.observed_s = point.seconds;
        point.least = point.most = (float)(observed / minutes);
    }
    if (expected >= 0) {
        point.expected = (float)expected;
        point.low = (float)fmax(bin->low, 0);
        point.high = bin->high > 0 ? (float)bin->high : NAN; /* not told of bins made elsewhere */
        point.expected_s = point.seconds;
    }
    return point;
}

void picture_bin(struct picture *picture, const struct bin *bin)
{
    if (bin->scope >= picture->scope_count || bin->tally.end_ns <= bin->tally.start_ns)
        return;
    struct picture_track *track = &picture->track[bin->scope];
    const struct picture_point point = point_of(bin);
    if (track->count > 0 && stretch_of(picture, track->width, bin->start_ns) < track->first)
        return; /* time never goes back; without this a bad table could write before the first */
    if (!make_room(picture, track, bin->start_ns)) {
        picture->short_of_memory = true;
        return;
    }
    add_point(&track->point[stretch_of(picture, track->width, bin->start_ns) - track->first], &point);
    if (bin->scope != SCOPE_NUMBER_ALL)
        return;
    picture->signal = bin->signal;
    picture->end_ns = bin->tally.end_ns;
    if (picture->start_ns == TIME_NONE)
        picture->start_ns = bin->tally.start_ns;
    if (picture->manner == PICTURE_LATEST) {
        int64_t oldest_ns = track->first * picture->bin_ns * track->width;
        picture->start_ns = picture->start_ns > oldest_ns ? picture->start_ns : oldest_ns;
    }
}

/* ---- episodes ---- */

static void forget_episode(struct picture *picture, uint32_t place)
{
    memmove(&picture->episode[place], &picture->episode[place + 1],
            (--picture->episode_count - place) * sizeof picture->episode[0]);
}

void picture_event(struct picture *picture, const struct event *event)
{
    uint32_t place = 0;
    while (place < picture->episode_count && picture->episode[place].episode != event->episode)
        place++;
    if (event->merged_into != 0) {
        if (place < picture->episode_count)
            forget_episode(picture, place); /* it is told in the wider one */
        return;
    }
    if (place == PICTURE_EPISODES)
        forget_episode(picture, 0), place--;
    if (place == picture->episode_count)
        picture->episode_count++;
    struct picture_episode *episode = &picture->episode[place];
    *episode = (struct picture_episode){.episode = event->episode,
                                        .sensor = event->action == EVENT_SENSOR_IMPAIRED ||
                                                  event->action == EVENT_SENSOR_RESTORED,
                                        .onset_ns = event->onset_ns,
                                        .onset_earliest_ns = event->onset_earliest_ns,
                                        .onset_latest_ns = event->onset_latest_ns,
                                        .end_ns = event_text_end(event),
                                        .end_earliest_ns = event->end_earliest_ns,
                                        .end_latest_ns = event->end_latest_ns,
                                        .depth = event->depth};
    memcpy(episode->scope, event->scope, sizeof episode->scope);
}

/* ---- hosts ---- */

/* Where the address stands, or should. */
static uint32_t place_of(const struct picture *picture, const uint8_t address[16])
{
    uint32_t from = 0, to = picture->host_count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (memcmp(picture->host[middle].address, address, 16) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct picture_host *find_host(struct picture *picture, const uint8_t address[16])
{
    uint32_t place = place_of(picture, address);
    if (place < picture->host_count && memcmp(picture->host[place].address, address, 16) == 0)
        return &picture->host[place];
    if (picture->host_count == PICTURE_HOSTS)
        return NULL;
    if (picture->host_count == picture->host_room) {
        uint32_t room = picture->host_room == 0 ? 32 : 2 * picture->host_room;
        struct picture_host *host = reallocarray(picture->host, room, sizeof *host);
        picture->short_of_memory |= host == NULL;
        if (host == NULL)
            return NULL;
        picture->host = host;
        picture->host_room = room;
    }
    struct picture_host *host = &picture->host[place];
    memmove(host + 1, host, (picture->host_count++ - place) * sizeof *host);
    *host = (struct picture_host){.bins = 0};
    memcpy(host->address, address, 16);
    return host;
}

/* Slots of twice the width, of every host. */
static void halve_slots(struct picture *picture)
{
    int64_t first = clock_floor(picture->slot_first, 2) / 2;
    for (uint32_t i = 0; i < picture->host_count; i++) {
        uint16_t slot[PICTURE_SLOTS] = {0};
        for (int64_t j = 0; j < PICTURE_SLOTS; j++) {
            uint16_t *to = &slot[clock_floor(picture->slot_first + j, 2) / 2 - first];
            uint32_t sum = (uint32_t)*to + picture->host[i].slot[j];
            *to = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
        }
        memcpy(picture->host[i].slot, slot, sizeof slot);
    }
    picture->slot_first = first;
    picture->slot_width *= 2;
}

/* The oldest slots go, and hosts that spoke in none of those that stay. */
static void slide_slots(struct picture *picture, int64_t by)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < picture->host_count; i++) {
        struct picture_host *host = &picture->host[i];
        size_t gone = (size_t)(by < PICTURE_SLOTS ? by : PICTURE_SLOTS);
        for (size_t j = 0; j < gone; j++)
            host->bins -= host->slot[j];
        memmove(host->slot, host->slot + gone, (PICTURE_SLOTS - gone) * sizeof host->slot[0]);
        memset(host->slot + PICTURE_SLOTS - gone, 0, gone * sizeof host->slot[0]);
        if (host->bins > 0)
            picture->host[kept++] = *host;
    }
    picture->host_count = kept;
    picture->slot_first += by;
}

/* Room for a slot that begins here, by wider slots or older ones going; -1: it lies before all. */
static int64_t slot_at(struct picture *picture, int64_t at_ns)
{
    if (picture->slot_width == 0) {
        picture->slot_width = picture->manner == PICTURE_WHOLE ? 1 : PICTURE_LATEST_BINS / PICTURE_SLOTS;
        picture->slot_first = stretch_of(picture, picture->slot_width, at_ns);
    }
    int64_t slot = stretch_of(picture, picture->slot_width, at_ns) - picture->slot_first;
    while (picture->manner == PICTURE_WHOLE && slot >= PICTURE_SLOTS) {
        halve_slots(picture);
        slot = stretch_of(picture, picture->slot_width, at_ns) - picture->slot_first;
    }
    if (slot >= PICTURE_SLOTS) {
        slide_slots(picture, slot - PICTURE_SLOTS + 1);
        slot = PICTURE_SLOTS - 1;
    }
    return slot >= 0 ? slot : -1;
}

void picture_hosts(struct picture *picture, const struct hosts *hosts)
{
    int64_t slot = slot_at(picture, hosts->start_ns);
    picture->hosts_untold += hosts->more;
    for (uint32_t i = 0; i < hosts->count && slot >= 0; i++) {
        struct picture_host *host = find_host(picture, hosts->address[i]);
        if (host == NULL) {
            picture->hosts_untold++;
            continue;
        }
        host->bins++;
        if (host->slot[slot] < UINT16_MAX)
            host->slot[slot]++;
    }
}
