/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The posterior of the instant of a change, all instants being as likely beforehand. With N events after it
 * where E were expected, e before it, and a share r left, the likelihood is r^N (a + e + r E)^-(a + n): the
 * rate is Gamma distributed with shape a around the expected one and integrated out, n being all events. What
 * was left is not known and summed over. Likewise for a return, which may also come slowly. All are counted
 * in clusters, which come independently where single signs of life do not.
 */
#include "change.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static const double quiet_most = 0.5;                   /* expected: a longer silence is kept in pieces */
static const double onset_held = 0.92, end_held = 0.98; /* probability of an interval */
static const double onset_held_in_part = 0.945; /* where something is left: its share is a guess too */
static const double fineness = 18;              /* distance over the length of a piece */
static const double long_from = 2;              /* expected in a piece */
static const double negligible = 30;
enum { CELLS = 4, CELLS_LONG = 32, KEPT = CHANGE_PIECES - CHANGE_PIECES / 8 };

/* Shares that may be left, and how likely each is before anything is known: nothing at all half the time. */
static const struct {
    double share, weight;
} left[] = {{0.001, 0.7}, {0.02, 0.15}, {0.04, 0.12}, {0.07, 0.1}, {0.1, 0.1}, {0.14, 0.1}, {0.2, 0.1},
            {0.28, 0.1},  {0.4, 0.1},   {0.5, 0.1},   {0.6, 0.1},  {0.7, 0.1}, {0.85, 0.1}};
enum { LEFT = sizeof left / sizeof left[0] };

/* A return may come at once, with one of these shares, or rise evenly from nothing or from one of these
 * parts, in a time of four, five … as many expected. */
static const double back[] = {0.35, 0.5, 0.7, 1, 1.4}, jumps[] = {0, 0.1};
static const double well_possible = 0.2;
static const double ruled_out = 8;   /* so much less likely than another share left, as a logarithm */
static const double rise_weight = 1; /* against a return at once */
static const double rise_shortest = 4, rise_ratio = 1.32;
static const double remnant[] = {0.0002, 0.003, 0.03, 0.08, 0.15, 0.25, 0.4, 0.6};
enum {
    BACK = sizeof back / sizeof back[0],
    JUMPS = sizeof jumps / sizeof jumps[0],
    REMNANTS = sizeof remnant / sizeof remnant[0],
    RISES = 20
};

void change_restart(struct change *change)
{
    change->from_ns = change->unseen_ns = change->pin_ns = TIME_NONE;
    change->quiet = INFINITY;
    change->count = 0;
}

void change_bridge(struct change *change, int64_t unseen_ns)
{
    change_restart(change);
    change->unseen_ns = unseen_ns;
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
    change->unseen_ns = TIME_NONE;
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

double change_take(struct change *change, const struct change_step *step)
{
    double per_ns = step->expected / (double)(step->end_ns - step->start_ns), seen = step->seen;
    int64_t first_ns = step->span.first_ns, last_ns = step->span.last_ns;
    if (change->from_ns == TIME_NONE)
        change->from_ns = step->start_ns;
    if (!(seen > 0)) {
        change->quiet += step->expected;
        add(change, (struct change_piece){step->end_ns, step->expected / step->cluster, 0, 0});
        return 0;
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
    double begun = begin_clusters(step, first, change->quiet);
    add(change, (struct change_piece){first_ns, early / step->cluster, 0, begun});
    double more = begin_clusters(step, seen - first, known ? spread : change->quiet + spread);
    double last = known ? fmin(more, 1) : 0;
    if (last_ns > first_ns)
        add(change, (struct change_piece){last_ns, spread / step->cluster, more - last, last});
    if (step->end_ns > last_ns)
        add(change, (struct change_piece){step->end_ns, late / step->cluster, 0, 0});
    change->quiet = late;
    return begun + more;
}

/* ---- the posterior ---- */

/* The pieces among which the instant is looked for. */
struct stretch {
    int64_t from_ns;
    const struct change_piece *pieces;
    uint32_t count;
};

/* A part of a piece: the instant may lie in it. All weights are logarithms until they are normalised. */
struct cell {
    int64_t to_ns;
    double begin;  /* as a part of the piece */
    double length; /* logarithm, in clusters expected */
    double weight; /* -INFINITY: it does not */
};

struct posterior {
    uint32_t count;
    double most; /* weight of any cell so far */
    struct cell cells[CHANGE_PIECES * CELLS_LONG];
};

static struct stretch stretch_since(const struct change *change, int64_t since_ns)
{
    struct stretch stretch = {change->from_ns, change->pieces, change->count};
    for (; stretch.count > 1 && stretch.pieces->to_ns <= since_ns; stretch.pieces++, stretch.count--)
        stretch.from_ns = stretch.pieces->to_ns;
    return stretch;
}

static int cells_in(const struct change_piece *piece)
{
    return piece->expected > long_from ? CELLS_LONG : CELLS;
}

/* How far into a piece a cell begins: evenly, but in a long piece what is near to an event is looked at more
 * closely. */
static double cell_begin(int cells, int i)
{
    double even = (double)i / cells;
    return cells == CELLS ? even : even * even * (3 - 2 * even);
}

static void begin_posterior(const struct stretch *stretch, struct posterior *posterior)
{
    posterior->count = 0;
    posterior->most = -INFINITY;
    int64_t from_ns = stretch->from_ns;
    for (uint32_t i = 0; i < stretch->count; i++) {
        const struct change_piece *piece = &stretch->pieces[i];
        int cells = cells_in(piece);
        for (int k = 0; k < cells; k++) {
            double begin = cell_begin(cells, k), end = cell_begin(cells, k + 1);
            int64_t to_ns = from_ns + clock_stretch(end * (double)(piece->to_ns - from_ns));
            posterior->cells[posterior->count++] =
                (struct cell){to_ns, begin, log((end - begin) * piece->expected), -INFINITY};
        }
        from_ns = piece->to_ns;
    }
}

/* What is less by so much that all of it together would not count is left out: that is nearly everything. */
static void add_weight(struct posterior *posterior, struct cell *cell, double weight)
{
    if (!(weight > posterior->most - negligible))
        return;
    double more = fmax(cell->weight, weight), less = fmin(cell->weight, weight);
    cell->weight = more + log1p(exp(less - more));
    posterior->most = fmax(posterior->most, cell->weight);
}

/* The logarithms become probabilities. */
static void normalise(struct posterior *posterior)
{
    double sum = 0;
    for (uint32_t i = 0; i < posterior->count; i++)
        sum += posterior->cells[i].weight = exp(posterior->cells[i].weight - posterior->most);
    for (uint32_t i = 0; i < posterior->count; i++)
        posterior->cells[i].weight /= sum;
}

/* Leaves out what lies after an instant, if so much lies before it that this is well possible. */
static void prefer_until(struct posterior *posterior, int64_t until_ns)
{
    uint32_t after = 1;
    double before = posterior->cells[0].weight;
    while (after < posterior->count && posterior->cells[after - 1].to_ns < until_ns)
        before += posterior->cells[after++].weight;
    if (before < well_possible)
        return;
    for (uint32_t i = 0; i < posterior->count; i++)
        posterior->cells[i].weight = i < after ? posterior->cells[i].weight / before : 0;
}

/* The instant in the last of so many cells up to which they hold just enough. */
static int64_t end_within(const struct stretch *stretch, const struct posterior *posterior, uint32_t count,
                          double too_much)
{
    const struct cell *last = &posterior->cells[count - 1];
    int64_t from_ns = count > 1 ? last[-1].to_ns : stretch->from_ns;
    return last->to_ns - clock_stretch(too_much / last->weight * (double)(last->to_ns - from_ns));
}

/* Nobody knows when in an unwatched stretch it was: all of that belongs to the interval. */
static struct change_found reach_back(const struct change *change, struct change_found found)
{
    if (change->unseen_ns != TIME_NONE && found.earliest_ns <= change->from_ns)
        found.earliest_ns = change->unseen_ns;
    return found;
}

/* The shortest interval that holds enough, and the instant with half on either side. */
static struct change_found sum_up(const struct stretch *stretch, const struct posterior *posterior,
                                  double certain)
{
    const struct cell *cells = posterior->cells;
    uint32_t count = posterior->count, end = 0;
    int64_t from_ns = stretch->from_ns;
    double before = 0, held = 0;
    struct change_found found = {from_ns, from_ns, cells[count - 1].to_ns, 0, 0};
    for (uint32_t i = 0; i < count; from_ns = cells[i++].to_ns) {
        if (before < 0.5 && before + cells[i].weight >= 0.5)
            found.best_ns = from_ns + clock_stretch((0.5 - before) / cells[i].weight *
                                                    (double)(cells[i].to_ns - from_ns));
        while (end < count && held < certain)
            held += cells[end++].weight;
        int64_t to_ns = held >= certain ? end_within(stretch, posterior, end, held - certain) : INT64_MAX;
        if (held >= certain && to_ns - from_ns < found.latest_ns - found.earliest_ns) {
            found.earliest_ns = from_ns;
            found.latest_ns = to_ns;
        }
        before += cells[i].weight;
        held -= cells[i].weight;
    }
    for (uint32_t i = 0; i < stretch->count; i++)
        if (stretch->pieces[i].to_ns > found.best_ns) {
            found.seen += stretch->pieces[i].within + stretch->pieces[i].at_end;
            found.expected += stretch->pieces[i].expected;
        }
    return found;
}

struct sums {
    double seen, expected;
};

static void add_piece(struct sums *sums, const struct change_piece *piece)
{
    sums->seen += piece->within + piece->at_end;
    sums->expected += piece->expected;
}

static struct sums add_up(const struct stretch *stretch)
{
    struct sums sums = {0, 0};
    for (uint32_t i = 0; i < stretch->count; i++)
        add_piece(&sums, &stretch->pieces[i]);
    return sums;
}

static struct sums add_up_until(const struct stretch *stretch, int64_t until_ns)
{
    struct sums sums = {0, 0};
    for (uint32_t i = 0; i < stretch->count && stretch->pieces[i].to_ns <= until_ns; i++)
        add_piece(&sums, &stretch->pieces[i]);
    return sums;
}

/* What a hypothesis says of a change at a part of a piece, `before` having come before that piece: the
 * logarithm of its likelihood. */
struct hypothesis {
    double (*odds)(const struct hypothesis *hypothesis, const struct stretch *stretch, uint32_t piece,
                   double part, struct sums before);
    /* No less than that is at any part of the piece; NULL: not known. */
    double (*bound)(const struct hypothesis *hypothesis, const struct change_piece *piece,
                    struct sums before);
    struct sums all;
    double weight;            /* logarithm */
    double low, full;         /* the lower rate and the higher one, as shares of the expected … */
    double log_low, log_full; /* … and their logarithms */
    double shape;             /* of the rate, for a fall */
    double length, jump;      /* of the rise of a return, in clusters expected, and the part it begins with */
};

static void set_low(struct hypothesis *hypothesis, double share)
{
    hypothesis->low = share;
    hypothesis->log_low = log(share);
}

static void set_full(struct hypothesis *hypothesis, double share)
{
    hypothesis->full = share;
    hypothesis->log_full = log(share);
}

static bool hopeless(const struct hypothesis *hypothesis, const struct change_piece *piece,
                     struct sums before, double most)
{
    return !(piece->expected > 0) ||
           (hypothesis->bound != NULL &&
            hypothesis->bound(hypothesis, piece, before) + hypothesis->weight + log(piece->expected) <
                most - negligible);
}

static void weigh(const struct hypothesis *hypothesis, const struct stretch *stretch,
                  struct posterior *posterior)
{
    struct sums before = {0, 0};
    struct cell *cell = posterior->cells;
    for (uint32_t i = 0; i < stretch->count; add_piece(&before, &stretch->pieces[i++])) {
        const struct change_piece *piece = &stretch->pieces[i];
        int cells = cells_in(piece), each = hypothesis->length > 0 ? cells : 1; /* a rise begins gently */
        double odds = 0;
        bool skipped = hopeless(hypothesis, piece, before, posterior->most);
        for (int k = 0; k < cells && !skipped; k++) {
            if (k % each == 0)
                odds = hypothesis->odds(hypothesis, stretch, i,
                                        (cell[k].begin + cell_begin(cells, k + each)) / 2, before);
            add_weight(posterior, &cell[k], odds + hypothesis->weight + cell[k].length);
        }
        cell += cells;
    }
}

/* ---- a fall ---- */

static double fall_odds(const struct hypothesis *hypothesis, const struct stretch *stretch, uint32_t piece,
                        double part, struct sums before)
{
    const struct change_piece *at = &stretch->pieces[piece];
    double low = hypothesis->low, shape = hypothesis->shape;
    double after = hypothesis->all.seen - before.seen - at->within;
    double early = before.expected + part * at->expected;
    double mean = early + low * (hypothesis->all.expected - early);
    return after * hypothesis->log_low + at->within * log(part + low * (1 - part)) -
           (shape + hypothesis->all.seen) * log(shape + mean);
}

/* As if it were at the begin, and what came within had come before. */
static double fall_bound(const struct hypothesis *hypothesis, const struct change_piece *piece,
                         struct sums before)
{
    double after = hypothesis->all.seen - before.seen - piece->within;
    double mean = before.expected + hypothesis->low * (hypothesis->all.expected - before.expected);
    return after * hypothesis->log_low -
           (hypothesis->shape + hypothesis->all.seen) * log(hypothesis->shape + mean);
}

struct change_found change_fall(const struct change *change, double shape, double most)
{
    struct stretch stretch = stretch_since(change, INT64_MIN);
    struct posterior posterior;
    begin_posterior(&stretch, &posterior);
    struct hypothesis hypothesis = {
        .odds = fall_odds, .bound = fall_bound, .all = add_up(&stretch), .shape = shape};
    for (int i = 0; i < LEFT && left[i].share <= most; i++) {
        set_low(&hypothesis, left[i].share);
        hypothesis.weight = log(left[i].weight);
        weigh(&hypothesis, &stretch, &posterior);
    }
    normalise(&posterior);
    struct change_found found = sum_up(&stretch, &posterior, onset_held);
    return reach_back(change, found.seen > 0 ? sum_up(&stretch, &posterior, onset_held_in_part) : found);
}

/* ---- a return ---- */

/* The part of a rise that has been climbed, and the sum of that, so much expected after its begin. */
static double climbed(const struct hypothesis *hypothesis, double since)
{
    double length = hypothesis->length, jump = hypothesis->jump;
    return since < length ? jump + (1 - jump) * since / length : 1;
}

static double climbed_sum(const struct hypothesis *hypothesis, double since)
{
    double length = hypothesis->length, jump = hypothesis->jump;
    return since < length ? jump * since + (1 - jump) * since * since / (2 * length)
                          : since - (1 - jump) * length / 2;
}

static double return_odds(const struct hypothesis *hypothesis, const struct stretch *stretch, uint32_t piece,
                          double part, struct sums before)
{
    double low = hypothesis->low, rise = hypothesis->full - low, length = hypothesis->length, since = 0;
    double odds = before.seen * hypothesis->log_low - before.expected * low;
    for (uint32_t i = piece; i < stretch->count && (i == piece || since < length); i++, part = 0) {
        const struct change_piece *at = &stretch->pieces[i];
        double sum = climbed_sum(hypothesis, since);
        since += at->expected * (1 - part);
        double mean = low * at->expected + rise * (climbed_sum(hypothesis, since) - sum);
        odds += (at->within > 0 ? at->within * log(mean / at->expected) : 0) - mean;
        if (at->at_end > 0)
            odds += at->at_end * log(low + rise * climbed(hypothesis, since));
        add_piece(&before, at);
    }
    return odds + (hypothesis->all.seen - before.seen) * hypothesis->log_full -
           (hypothesis->all.expected - before.expected) * hypothesis->full;
}

/* Of a share left, given what came before anything seemed to come back. */
static double remnant_odds(struct sums down, double share)
{
    return down.seen * log(share) - down.expected * share;
}

/* With a share of `low` left until then. */
static void weigh_return(struct hypothesis *hypothesis, const struct stretch *stretch,
                         struct posterior *posterior)
{
    hypothesis->length = hypothesis->jump = 0;
    hypothesis->weight = log(1.0 / BACK);
    for (int i = 0; i < BACK; i++) {
        set_full(hypothesis, back[i]);
        if (back[i] > hypothesis->low)
            weigh(hypothesis, stretch, posterior);
    }
    set_full(hypothesis, 1);
    hypothesis->weight = log(rise_weight / (RISES * JUMPS));
    for (int i = 0; i < RISES * JUMPS; i++) {
        hypothesis->length = rise_shortest * pow(rise_ratio, i % RISES);
        hypothesis->jump = jumps[i / RISES];
        weigh(hypothesis, stretch, posterior);
    }
}

struct change_found change_return(const struct change *change, int64_t since_ns, int64_t first_ns)
{
    struct stretch stretch = stretch_since(change, since_ns);
    struct posterior posterior;
    begin_posterior(&stretch, &posterior);
    struct hypothesis hypothesis = {.odds = return_odds, .all = add_up(&stretch)};
    struct sums down = add_up_until(&stretch, change->pin_ns);
    double best = -INFINITY;
    for (int i = 0; i < REMNANTS; i++)
        best = fmax(best, remnant_odds(down, remnant[i]));
    for (int i = 0; i < REMNANTS; i++) {
        set_low(&hypothesis, remnant[i]);
        if (remnant_odds(down, remnant[i]) > best - ruled_out)
            weigh_return(&hypothesis, &stretch, &posterior);
    }
    normalise(&posterior);
    if (first_ns != TIME_NONE)
        prefer_until(&posterior, first_ns);
    return reach_back(change, sum_up(&stretch, &posterior, end_held));
}
