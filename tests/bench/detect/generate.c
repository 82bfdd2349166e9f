/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clusters start as a Poisson process whose intensity is constant for five minutes at a time: the day and the
 * week, times a level that wanders (a log-normal first-order autoregression). A cluster is a host's: a
 * geometric number of events, exponential distances. An outage takes away the events of the hosts that it
 * affects.
 */
#include "generate.h"

#include <math.h>
#include <stdlib.h>

#include "random.h"

enum { PENDING_MAX = 4096 };

struct pending {
    int64_t at_ns;
    double host;
    bool first;
};

struct stream {
    struct shape shape;
    uint64_t seed;
    const struct outage *outages;
    unsigned outage_count, outage; /* the first that is not over */
    int64_t end_ns;
    int64_t next_cluster_ns;
    uint32_t pending_count; /* a heap, the earliest first */
    struct pending pending[PENDING_MAX];
    uint32_t chunk_count;
    double intensity[];
};

/* Day and week, one on average over a week; quietest at three in the night, or from twenty to eight. */
static double season(const struct shape *shape, double day)
{
    double hour = 24 * (day - floor(day));
    double wave = 1 - shape->day * cos(6.283185307179586 * (hour - 3) / 24);
    if (shape->office)
        wave = hour >= 8 && hour < 20 ? 1 + shape->day : 1 - shape->day;
    bool weekend = fmod(floor(day), 7) >= 5;
    return wave * (weekend ? shape->weekend : 1) * 7 / (5 + 2 * shape->weekend);
}

static void draw_intensity(struct stream *stream)
{
    const struct shape *shape = &stream->shape;
    double mean = shape->per_minute / 60 / shape->cluster;
    double keep = shape->level > 0 ? exp(-GENERATE_CHUNK_S / shape->level_s) : 0;
    double wander = random_normal(&stream->seed);
    for (uint32_t i = 0; i < stream->chunk_count; i++) {
        double level = exp(shape->level * wander - shape->level * shape->level / 2);
        double day = (i + 0.5) * GENERATE_CHUNK_S / 86400;
        bool changed = shape->change_day > 0 && day >= shape->change_day;
        stream->intensity[i] = mean * season(shape, changed ? day - shape->change_shift_s / 86400 : day) *
                               level * (changed ? shape->change_rate : 1);
        if (shape->level > 0)
            wander = keep * wander + sqrt(1 - keep * keep) * random_normal(&stream->seed);
    }
}

double generate_intensity(const struct stream *stream, int64_t at_ns)
{
    int64_t chunk = (at_ns - GENERATE_BEGIN_NS) / (GENERATE_CHUNK_S * NS_PER_S);
    return stream->intensity[chunk < stream->chunk_count ? chunk : stream->chunk_count - 1];
}

double generate_silences(const struct stream *stream)
{
    /* Of clusters that last D on average, n D are under way at a time: none with probability exp(-n D). */
    double lasting_s = (stream->shape.cluster - 1) * stream->shape.cluster_gap_s, sum = 0;
    for (uint32_t i = 0; i < stream->chunk_count; i++)
        sum += stream->intensity[i] * GENERATE_CHUNK_S * exp(-stream->intensity[i] * lasting_s);
    return sum;
}

static int64_t plus_s(int64_t at_ns, double seconds)
{
    return at_ns + (int64_t)(seconds * (double)NS_PER_S);
}

/* When a unit of operational time, drawn at random, is used up. */
static int64_t after_cluster(struct stream *stream, int64_t at_ns)
{
    const int64_t chunk_ns = GENERATE_CHUNK_S * NS_PER_S;
    double left = random_exponential(&stream->seed);
    while (at_ns < stream->end_ns) {
        int64_t next_ns = at_ns - (at_ns - GENERATE_BEGIN_NS) % chunk_ns + chunk_ns;
        double intensity = generate_intensity(stream, at_ns);
        double here = intensity * clock_seconds(at_ns, next_ns);
        if (left < here)
            return plus_s(at_ns, left / intensity);
        left -= here;
        at_ns = next_ns;
    }
    return INT64_MAX;
}

static void heap_push(struct stream *stream, struct pending item)
{
    if (stream->pending_count == PENDING_MAX)
        return;
    uint32_t place = stream->pending_count++;
    for (; place > 0 && stream->pending[(place - 1) / 2].at_ns > item.at_ns; place = (place - 1) / 2)
        stream->pending[place] = stream->pending[(place - 1) / 2];
    stream->pending[place] = item;
}

static struct pending heap_pop(struct stream *stream)
{
    struct pending top = stream->pending[0], last = stream->pending[--stream->pending_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= stream->pending_count)
            break;
        if (child + 1 < stream->pending_count &&
            stream->pending[child + 1].at_ns < stream->pending[child].at_ns)
            child++;
        if (last.at_ns <= stream->pending[child].at_ns)
            break;
        stream->pending[place] = stream->pending[child];
        place = child;
    }
    stream->pending[place] = last;
    return top;
}

struct stream *generate_new(const struct shape *shape, double days, uint64_t seed,
                            const struct outage *outages, unsigned outage_count)
{
    uint32_t chunks = (uint32_t)ceil(days * 86400 / GENERATE_CHUNK_S);
    struct stream *stream = calloc(1, sizeof *stream + chunks * sizeof stream->intensity[0]);
    if (stream == NULL)
        return NULL;
    stream->shape = *shape;
    stream->seed = random_bits(&seed); /* consecutive seeds would give one stream, shifted */
    stream->outages = outages;
    stream->outage_count = outage_count;
    stream->chunk_count = chunks;
    stream->end_ns = GENERATE_BEGIN_NS + (int64_t)chunks * GENERATE_CHUNK_S * NS_PER_S;
    draw_intensity(stream);
    stream->next_cluster_ns = after_cluster(stream, GENERATE_BEGIN_NS);
    return stream;
}

void generate_free(struct stream *stream)
{
    free(stream);
}

int64_t generate_end_ns(const struct stream *stream)
{
    return stream->end_ns;
}

/* The next event were there no outages. */
static struct pending next_undisturbed(struct stream *stream)
{
    while (stream->next_cluster_ns != INT64_MAX &&
           (stream->pending_count == 0 || stream->next_cluster_ns <= stream->pending[0].at_ns)) {
        heap_push(stream, (struct pending){stream->next_cluster_ns, random_uniform(&stream->seed), true});
        stream->next_cluster_ns = after_cluster(stream, stream->next_cluster_ns);
    }
    if (stream->pending_count == 0)
        return (struct pending){.at_ns = INT64_MAX};
    struct pending event = heap_pop(stream);
    if (stream->shape.cluster > 1 && random_uniform(&stream->seed) > 1 / stream->shape.cluster) {
        double gap_s = stream->shape.cluster_gap_s * random_exponential(&stream->seed);
        heap_push(stream, (struct pending){plus_s(event.at_ns, gap_s), event.host, false});
    }
    return event;
}

int64_t generate_over_ns(const struct outage *outage)
{
    return plus_s(outage->end_ns, outage->back_s);
}

/* How many of the hosts an outage keeps away at an instant. */
static double share_away(const struct outage *outage, int64_t at_ns)
{
    double since_s = clock_seconds(outage->onset_ns, at_ns);
    if (since_s < 0)
        return 0;
    if (at_ns >= outage->end_ns)
        return outage->back_s > 0
                   ? outage->depth * fmax(0, 1 - clock_seconds(outage->end_ns, at_ns) / outage->back_s)
                   : 0;
    if (outage->up_s > 0 && fmod(since_s, outage->down_s + outage->up_s) >= outage->down_s)
        return 0;
    return outage->depth;
}

/* Whether an outage takes the event away. Who is affected by one outage is not by the next. */
static bool taken_away(struct stream *stream, const struct pending *event)
{
    while (stream->outage < stream->outage_count &&
           generate_over_ns(&stream->outages[stream->outage]) <= event->at_ns)
        stream->outage++;
    if (stream->outage == stream->outage_count)
        return false;
    double turned = event->host + 0.618033988749895 * stream->outage;
    return turned - floor(turned) < share_away(&stream->outages[stream->outage], event->at_ns);
}

bool generate_next(struct stream *stream, struct life *life)
{
    for (;;) {
        struct pending event = next_undisturbed(stream);
        if (event.at_ns >= stream->end_ns)
            return false;
        if (taken_away(stream, &event))
            continue;
        *life = (struct life){event.at_ns, event.host, event.first};
        return true;
    }
}
