/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The posterior of the instant of a change, all instants being as likely beforehand. With N events after it
 * where E were expected, e before it, and a share r left, the likelihood is r^N (a + e + r E)^-(a + n): the
 * rate is Gamma distributed with shape a around the expected one and integrated out, n being all events. What
 * was left is not known and summed over. All are counted in clusters, which come independently where single
 * signs of life do not.
 */
#include "change.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static const double quiet_most = 0.25; /* expected: a longer silence is kept in pieces */
static const double certain = 0.935;   /* probability of an interval */
static const double fineness = 24;     /* distance over the length of a piece */
static const double long_from = 2;     /* expected in a piece */
enum { CELLS = 4, CELLS_LONG = 32, KEPT = CHANGE_PIECES - CHANGE_PIECES / 8 };

/* Shares that may be left, and how likely each is before anything is known: nothing at all half the time. */
static const struct {
    double share, weight;
} left[] = {{0.001, 0.7}, {0.02, 0.15}, {0.04, 0.12}, {0.07, 0.1}, {0.1, 0.1}, {0.14, 0.1}, {0.2, 0.1},
            {0.28, 0.1},  {0.4, 0.1},   {0.5, 0.1},   {0.6, 0.1},  {0.7, 0.1}, {0.85, 0.1}};
enum { LEFT = sizeof left / sizeof left[0] };

void change_restart(struct change *change)
{
    change->from_ns = change->pin_ns = TIME_NONE;
    change->quiet = INFINITY;
    change->count = 0;
}

void change_pin(struct change *change, int64_t at_ns)
{
    change->pin_ns = at_ns;
}

static struct change_piece joined(const struct change_piece *a, const struct change_piece *b)
{
    return (struct change_piece){b->to_ns, a->expected + b->expected, a->within + a->at_end + b->within,
                                 b->at_end};
}

/* The number expected from the begin to the instant that is kept finest. */
static double finest(const struct change *change)
{
    double sum = 0;
    for (uint32_t i = 0; i < change->count; i++) {
        if (change->pin_ns != TIME_NONE && change->pieces[i].to_ns > change->pin_ns)
            return sum;
        sum += change->pieces[i].expected;
    }
    return sum;
}

static void forget_oldest(struct change *change, uint32_t number)
{
    change->from_ns = change->pieces[number - 1].to_ns;
    change->count -= number;
    for (uint32_t i = 0; i < change->count; i++)
        change->pieces[i] = change->pieces[i + number];
}

static void make_room(struct change *change)
{
    struct change_piece *pieces = change->pieces;
    double at = finest(change), begin = 0; /* of the piece last kept */
    uint32_t kept = 0;
    for (uint32_t i = 1; i < change->count; i++) {
        struct change_piece both = joined(&pieces[kept], &pieces[i]);
        double distance = fmax(at - begin - both.expected, begin - at);
        if (both.expected * fineness <= distance) {
            pieces[kept] = both;
            continue;
        }
        begin += pieces[kept].expected;
        pieces[++kept] = pieces[i];
    }
    change->count = kept + 1;
    if (change->count > KEPT)
        forget_oldest(change, change->count - KEPT);
}

static void add(struct change *change, struct change_piece piece)
{
    struct change_piece *last = change->count > 0 ? &change->pieces[change->count - 1] : NULL;
    bool quiet = last != NULL && last->within + last->at_end <= 0;
    if (quiet && (last->expected + piece.expected <= quiet_most)) {
        *last = joined(last, &piece);
        return;
    }
    if (change->count == CHANGE_PIECES)
        make_room(change);
    change->pieces[change->count++] = piece;
}

/* Of so many signs of life that follow each other over so much expected, how many begin a cluster. */
static double begin_clusters(const struct change_step *step, double signs, double expected)
{
    return expected < step->gap ? 0 : fmax(fmin(signs, 1), signs / step->cluster);
}

void change_take(struct change *change, const struct change_step *step)
{
    double per_ns = step->expected / (double)(step->end_ns - step->start_ns), seen = step->seen;
    int64_t first_ns = step->span.first_ns, last_ns = step->span.last_ns;
    if (change->from_ns == TIME_NONE)
        change->from_ns = step->start_ns;
    if (!(seen > 0)) {
        change->quiet += step->expected;
        add(change, (struct change_piece){step->end_ns, step->expected / step->cluster, 0, 0});
        return;
    }
    bool known = first_ns != TIME_NONE;
    if (!known) {
        first_ns = step->start_ns;
        last_ns = step->end_ns;
    }
    double early = per_ns * (double)(first_ns - step->start_ns),
           spread = per_ns * (double)(last_ns - first_ns), late = per_ns * (double)(step->end_ns - last_ns),
           first = known ? fmin(seen, 1) : 0;
    change->quiet += early;
    add(change, (struct change_piece){first_ns, early / step->cluster, 0,
                                      begin_clusters(step, first, change->quiet)});
    double more = begin_clusters(step, seen - first, known ? spread : change->quiet + spread);
    double last = known ? fmin(more, 1) : 0;
    if (last_ns > first_ns)
        add(change, (struct change_piece){last_ns, spread / step->cluster, more - last, last});
    if (step->end_ns > last_ns)
        add(change, (struct change_piece){step->end_ns, late / step->cluster, 0, 0});
    change->quiet = late;
}

/* ---- the posterior ---- */

/* A part of a piece: the instant may lie in it. */
struct cell {
    int64_t to_ns;
    double weight; /* logarithm; -INFINITY: it does not */
};

struct posterior {
    uint32_t count;
    struct cell cells[CHANGE_PIECES * CELLS_LONG];
};

static int cells_in(const struct change_piece *piece)
{
    return piece->expected > long_from ? CELLS_LONG : CELLS;
}

/* How far into a piece a cell begins: evenly, but what follows an event is looked at closely where the piece
 * is long. */
static double cell_begin(int cells, int i)
{
    double even = (double)i / cells;
    return cells == CELLS ? even : even * even * even;
}

static void begin_posterior(const struct change *change, struct posterior *posterior)
{
    posterior->count = 0;
    int64_t from_ns = change->from_ns;
    for (uint32_t i = 0; i < change->count; i++) {
        const struct change_piece *piece = &change->pieces[i];
        int cells = cells_in(piece);
        for (int k = 0; k < cells; k++) {
            double end = cell_begin(cells, k + 1);
            int64_t to_ns = from_ns + (int64_t)(end * (double)(piece->to_ns - from_ns));
            posterior->cells[posterior->count++] = (struct cell){to_ns, -INFINITY};
        }
        from_ns = piece->to_ns;
    }
}

static void add_weight(struct cell *cell, double logarithm)
{
    double more = fmax(cell->weight, logarithm), less = fmin(cell->weight, logarithm);
    if (more > -INFINITY)
        cell->weight = more + log1p(exp(less - more));
}

/* The logarithms become probabilities. */
static void normalise(struct posterior *posterior)
{
    double most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < posterior->count; i++)
        most = fmax(most, posterior->cells[i].weight);
    for (uint32_t i = 0; i < posterior->count; i++)
        sum += posterior->cells[i].weight = exp(posterior->cells[i].weight - most);
    for (uint32_t i = 0; i < posterior->count; i++)
        posterior->cells[i].weight /= sum;
}

/* The shortest interval that holds enough, and the instant with half on either side. */
static struct change_found sum_up(const struct change *change, struct posterior *posterior)
{
    const struct cell *cells = posterior->cells;
    uint32_t count = posterior->count, end = 0;
    int64_t from_ns = change->from_ns;
    double before = 0, held = 0;
    struct change_found found = {from_ns, from_ns, cells[count - 1].to_ns, 0};
    normalise(posterior);
    for (uint32_t i = 0; i < count; from_ns = cells[i++].to_ns) {
        if (before < 0.5 && before + cells[i].weight >= 0.5)
            found.best_ns =
                from_ns + (int64_t)((0.5 - before) / cells[i].weight * (double)(cells[i].to_ns - from_ns));
        while (end < count && held < certain)
            held += cells[end++].weight;
        if (held >= certain && cells[end - 1].to_ns - from_ns < found.latest_ns - found.earliest_ns) {
            found.earliest_ns = from_ns;
            found.latest_ns = cells[end - 1].to_ns;
        }
        before += cells[i].weight;
        held -= cells[i].weight;
    }
    return found;
}

struct sums {
    double seen, expected;
};

static struct sums add_up(const struct change *change, int64_t after_ns)
{
    struct sums sums = {0, 0};
    for (uint32_t i = 0; i < change->count; i++)
        if (change->pieces[i].to_ns > after_ns) {
            sums.seen += change->pieces[i].within + change->pieces[i].at_end;
            sums.expected += change->pieces[i].expected;
        }
    return sums;
}

static void weigh_share(const struct change *change, double shape, double share, double weight,
                        struct posterior *posterior)
{
    struct sums all = add_up(change, INT64_MIN), before = {0, 0};
    double strength = shape + all.seen, cost = log(share);
    struct cell *cell = posterior->cells;
    for (uint32_t i = 0; i < change->count; i++) {
        const struct change_piece *piece = &change->pieces[i];
        double after = all.seen - before.seen - piece->within;
        int cells = cells_in(piece);
        for (int k = 0; k < cells && piece->expected > 0; k++) {
            double from = cell_begin(cells, k), to = cell_begin(cells, k + 1), middle = (from + to) / 2;
            double early = before.expected + middle * piece->expected;
            double mean = early + share * (all.expected - early);
            double odds = after * cost + piece->within * log(middle + share * (1 - middle)) -
                          strength * log(shape + mean);
            add_weight(cell + k, odds + log(weight * (to - from) * piece->expected));
        }
        cell += cells;
        before.seen += piece->within + piece->at_end;
        before.expected += piece->expected;
    }
}

struct change_found change_fall(const struct change *change, double shape, double most)
{
    struct posterior posterior;
    begin_posterior(change, &posterior);
    for (int i = 0; i < LEFT && left[i].share <= most; i++)
        weigh_share(change, shape, left[i].share, left[i].weight, &posterior);
    struct change_found found = sum_up(change, &posterior);
    struct sums after = add_up(change, found.best_ns);
    found.level = after.expected > 0 ? fmin(1, after.seen / after.expected) : 0;
    return found;
}
