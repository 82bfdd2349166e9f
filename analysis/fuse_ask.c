/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each sensor says of a scope. It takes one whose own study is certain of an outage to ask the others:
 * do they carry on, or did they fall too? That is weighed by the odds of what they show since that outage's
 * onset, as Poisson counts are, if they fell by most of what it did, and if by nothing. Who sees too little
 * to tell is waited for, but not for long.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fusion.h"

static const double fell_least = 0.7, gone_most = 0.95; /* of what those that are down miss, as in road.c */
static const double odds_least = 2.5;                   /* logarithm: that it lives, or that it fell */
static const double patience = 3;                       /* times as long as the first alarm took */
static const double low_deviations = 3.09;              /* of the level that 999 of 1000 bins reach */

/* ---- the window ---- */

static uint32_t slot_of(const struct fuse *fuse, int64_t start_ns)
{
    int64_t number = start_ns / fuse->options.bin_ns % FUSION_PAST;
    return (uint32_t)(number < 0 ? number + FUSION_PAST : number);
}

static bool is_road_out(const struct fuse *fuse, uint32_t sensor)
{
    const struct fusion_outage *road = &fuse->views[fuse->sensors[sensor].road].outage;
    return road->open && !road->covered;
}

/* A sensor whose road is out sees nothing of single scopes. */
bool fusion_has_voice(const struct fuse *fuse, const struct fusion_view *view, uint32_t sensor)
{
    bool wide = view->scope.kind == SCOPE_ALL || view->scope.kind == SCOPE_TAP;
    return fuse->sensors[sensor].present && (wide || !is_road_out(fuse, sensor));
}

bool fusion_is_open(const struct fuse *fuse, const struct fusion_view *view, uint32_t sensor)
{
    return view->outage.open ||
           (view->scope.kind == SCOPE_ALL && fuse->views[fuse->sensors[sensor].road].outage.open);
}

void fusion_forget_past(struct fusion_cell *cell)
{
    memset(cell->past_seen, 0, sizeof cell->past_seen);
    memset(cell->past_expected, 0, sizeof cell->past_expected);
}

void fusion_pass(struct fuse *fuse, int64_t start_ns)
{
    const uint32_t slot = slot_of(fuse, start_ns);
    for (uint32_t v = 0; v < fuse->view_count; v++)
        for (uint32_t i = 0; i < fuse->sensor_count && fuse->views[v].cells != NULL; i++)
            fuse->views[v].cells[i].past_seen[slot] = fuse->views[v].cells[i].past_expected[slot] = 0;
}

static void hear(struct fuse *fuse, struct fusion_view *view, uint32_t sensor, int64_t start_ns)
{
    struct fusion_cell *cell = &view->cells[sensor];
    bool judged = cell->state == STATE_UP || cell->state == STATE_SUSPECT || cell->state == STATE_DOWN ||
                  cell->state == STATE_RECOVERING;
    bool seeing = cell->fresh && fusion_has_voice(fuse, view, sensor) && judged && cell->seen >= 0 &&
                  (cell->expected >= 0 || view->scope.kind == SCOPE_TAP);
    cell->road_out = is_road_out(fuse, sensor);
    bool said_down = fusion_says_down(cell);
    cell->word = !seeing                                            ? FUSION_NOTHING
                 : cell->state == STATE_DOWN                        ? FUSION_DOWN
                 : cell->state == STATE_RECOVERING                  ? FUSION_BACK
                 : cell->fell && fusion_is_open(fuse, view, sensor) ? FUSION_ALIVE
                                                                    : FUSION_UNSURE;
    if (said_down && seeing && !fusion_says_down(cell))
        fusion_forget_past(cell); /* of another time: it says nothing of what comes */
    uint32_t slot = slot_of(fuse, start_ns);
    cell->past_seen[slot] = seeing ? (float)cell->seen : 0;
    cell->past_expected[slot] = seeing ? (float)fmax(cell->expected, 0) : 0;
}

/* How much more a sensor's counts vary than Poisson's, as its lowest ordinary bin shows. */
static double dispersion(const struct fusion_cell *cell)
{
    double sigma = (cell->expected - cell->low) / low_deviations;
    return cell->low >= 0 && cell->expected > 0 ? fmax(1, sigma * sigma / cell->expected) : 1;
}

static double square(double x)
{
    return x * x;
}

static void add_cell(struct fusion_view *view, const struct fusion_cell *cell)
{
    view->learning += cell->fresh && cell->state == STATE_LEARNING;
    view->blind += cell->fresh && cell->state == STATE_BLIND;
    if (!fusion_sees(cell))
        return;
    view->seeing++;
    view->alive += cell->word == FUSION_ALIVE;
    view->unsure += cell->word == FUSION_UNSURE;
    view->gone += cell->word == FUSION_GONE;
    view->down += cell->word == FUSION_DOWN;
    view->back += cell->word == FUSION_BACK;
    view->seen += cell->seen;
    view->expected += fmax(cell->expected, 0);
    view->spread += cell->low >= 0 ? square(cell->expected - cell->low) : cell->expected;
    if (cell->expected >= view->most) {
        view->most = cell->expected;
        view->signal = cell->signal;
    }
    if (cell->detectable_s >= 0 && (view->detectable_s < 0 || cell->detectable_s < view->detectable_s))
        view->detectable_s = cell->detectable_s;
}

void fusion_sum(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    view->fresh = false;
    view->signal = SIGNAL_NONE;
    view->seen = view->expected = view->spread = view->most = 0;
    view->detectable_s = -1;
    view->seeing = view->alive = view->unsure = view->gone = view->down = view->back = 0;
    view->learning = view->blind = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++) {
        view->fresh |= cells[i].fresh;
        add_cell(view, &cells[i]);
    }
    if (view->seen > 0)
        view->last_ns = start_ns;
}

static void add_tally(struct fusion_view *view, const struct tally *tally)
{
    if (view->sum.known == 0)
        view->sum.known = TALLY_ALL_KNOWN;
    tally_add(&view->sum, tally);
    view->hosts = fmax(view->hosts, (double)tally->value[TALLY_hosts]);
}

/* The counts of those that see. */
static void sum_tallies(struct fuse *fuse, int64_t start_ns)
{
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        fuse->views[v].sum = tally_empty(fuse->now_ns, start_ns, 0);
        fuse->views[v].hosts = 0;
    }
    for (uint32_t i = 0; i < fuse->row_count; i++) {
        const struct fusion_row *row = &fuse->rows[i];
        if (row->bin.start_ns != start_ns || !fusion_sees(&fuse->views[row->view].cells[row->sensor]))
            continue;
        add_tally(&fuse->views[row->view], &row->bin.tally);
        if (row->view == FUSION_ALL)
            add_tally(&fuse->views[fuse->sensors[row->sensor].road], &row->bin.tally);
    }
}

/* ---- did the others fall too ---- */

/* What a sensor showed in the windows that began at an instant or later, as far back as they are kept. */
struct fusion_shown fusion_shown(const struct fuse *fuse, const struct fusion_cell *cell, int64_t since_ns)
{
    struct fusion_shown sum = {0, 0};
    const int64_t bin_ns = fuse->options.bin_ns;
    int64_t at_ns = fuse->now_ns - bin_ns;
    for (int i = 0; i < FUSION_PAST && at_ns >= since_ns; i++, at_ns -= bin_ns) {
        sum.seen += (double)cell->past_seen[slot_of(fuse, at_ns)];
        sum.expected += (double)cell->past_expected[slot_of(fuse, at_ns)];
    }
    return sum;
}

struct weighed {
    double weight;
    int64_t at_ns;
};

static int by_instant(const void *a, const void *b)
{
    int64_t one = ((const struct weighed *)a)->at_ns, other = ((const struct weighed *)b)->at_ns;
    return one < other ? -1 : one > other;
}

/* The weighted median: one clock that is off does not move it. TIME_NONE where there is nothing. */
static int64_t median(struct weighed *items, uint32_t count)
{
    double whole = 0, below = 0;
    for (uint32_t i = 0; i < count; i++)
        whole += items[i].weight;
    qsort(items, count, sizeof *items, by_instant);
    for (uint32_t i = 0; i < count; i++) {
        below += items[i].weight;
        if (below >= whole / 2)
            return items[i].at_ns;
    }
    return TIME_NONE;
}

int64_t fusion_median(const struct fuse *fuse, const struct fusion_view *view, size_t offset,
                      bool (*counts)(const struct fusion_cell *))
{
    struct weighed items[FUSION_SENSORS_MAX];
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    uint32_t count = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++) {
        int64_t at_ns = *(const int64_t *)((const char *)&cells[i].outage + offset);
        if (cells[i].outage.known && at_ns != TIME_NONE && counts(&cells[i]))
            items[count++] = (struct weighed){fmax(cells[i].expected, 1e-3), at_ns};
    }
    return median(items, count);
}

int64_t fusion_onset(const struct fuse *fuse, const struct fusion_view *view)
{
    int64_t onset_ns = FUSION_MEDIAN(fuse, view, onset_ns, fusion_fell_now);
    return onset_ns != TIME_NONE ? onset_ns : fuse->now_ns - fuse->options.bin_ns;
}

/* The share that is left where it is down. */
static double share_left(const struct fuse *fuse, const struct fusion_view *view, int64_t since_ns)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    struct fusion_shown sum = {0, 0};
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        if (cells[i].word == FUSION_DOWN && !cells[i].road_out) {
            struct fusion_shown shown = fusion_shown(fuse, &cells[i], since_ns);
            sum.seen += shown.seen;
            sum.expected += shown.expected;
        }
    return sum.expected > 0 ? fmin(1, sum.seen / sum.expected) : 0;
}

/* The odds that a sensor lives, against that it lost a share. The window of the onset counts for the part of
 * it that comes after. */
static double odds_since(const struct fuse *fuse, const struct fusion_cell *cell, int64_t since_ns,
                         double gone)
{
    const int64_t bin_ns = fuse->options.bin_ns;
    int64_t at_ns = fuse->now_ns - bin_ns;
    double odds = 0;
    for (int i = 0; i < FUSION_PAST && at_ns + bin_ns > since_ns; i++, at_ns -= bin_ns) {
        double part = fmin(1, clock_seconds(since_ns, at_ns + bin_ns) / clock_seconds(0, bin_ns));
        odds -= (double)cell->past_seen[slot_of(fuse, at_ns)] * log1p(-gone * part) +
                (double)cell->past_expected[slot_of(fuse, at_ns)] * gone * part;
    }
    return odds / dispersion(cell);
}

/* Asks those that do not say that they are down. Returns the odds of those that cannot tell by themselves. */
double fusion_ask(struct fuse *fuse, struct fusion_view *view, int64_t since_ns)
{
    struct fusion_cell *cells = fusion_cells(fuse, view);
    double gone = fmin(fell_least * (1 - share_left(fuse, view, since_ns)), gone_most), unsure = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view) && gone > 0; i++) {
        struct fusion_cell *cell = &cells[i];
        if (cell->word != FUSION_UNSURE)
            continue;
        cell->odds = odds_since(fuse, cell, since_ns, gone);
        if (cell->odds >= odds_least)
            cell->word = FUSION_ALIVE;
        else if (cell->odds <= -odds_least)
            cell->word = FUSION_GONE;
        else
            unsure += cell->odds;
    }
    return unsure;
}

static bool any_fell_now(const struct fuse *fuse, const struct fusion_view *view)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        if (cells[i].word == FUSION_DOWN && fusion_fell_now(&cells[i]))
            return true;
    return false;
}

enum fusion_decision fusion_decide(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    if (!any_fell_now(fuse, view)) {
        view->dark_ns = TIME_NONE;
        return FUSION_DECISION_UP;
    }
    if (view->dark_ns == TIME_NONE)
        view->dark_ns = fuse->now_ns;
    int64_t since_ns = fusion_onset(fuse, view);
    double unsure = fusion_ask(fuse, view, since_ns);
    fusion_sum(fuse, view, start_ns);
    if (view->alive > 0 || unsure >= odds_least)
        return FUSION_DECISION_UP;
    if (view->unsure == 0 || unsure <= -odds_least)
        return FUSION_DECISION_DARK;
    double took_s = fmax(clock_seconds(since_ns, view->dark_ns), clock_seconds(start_ns, fuse->now_ns));
    if (clock_seconds(since_ns, fuse->now_ns) < patience * took_s)
        return FUSION_DECISION_DOUBT;
    return unsure < 0 ? FUSION_DECISION_DARK : FUSION_DECISION_UP;
}

void fusion_hear(struct fuse *fuse, int64_t start_ns)
{
    for (uint32_t v = 0; v < fuse->view_count; v++)
        for (uint32_t i = 0; i < fuse->sensor_count && fuse->views[v].cells != NULL; i++)
            hear(fuse, &fuse->views[v], i, start_ns);
    for (uint32_t v = 0; v < fuse->view_count; v++)
        fusion_sum(fuse, &fuse->views[v], start_ns);
    sum_tallies(fuse, start_ns);
}
