/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of an outage that several sensors see. Each one's own study says what is normal there; one that
 * carries on makes it a matter of the roads of those that are down, and what is down for all that can see is
 * an outage.
 */
#include <math.h>
#include <string.h>

#include "episode.h"
#include "fusion.h"

static const double back_most = 0.9; /* of the expected that is back: the rest is the sensors' own */
static const double hosts_weight = 0.02;
static const double seen_least = 0.5; /* of what would be expected since an onset, to mean anything */

/* ---- the life of an outage ---- */

/* An open outage of a wider scope that explains this one's. */
static const struct fusion_view *wider_of(const struct fuse *fuse, const struct fusion_view *view)
{
    const int64_t slack_ns = fuse->options.bin_ns;
    if (!view->scope.counted)
        return NULL;
    if (fuse->views[FUSION_ALL].outage.open)
        return &fuse->views[FUSION_ALL];
    int64_t onset_ns = fusion_onset(fuse, view);
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        const struct fusion_view *wide = &fuse->views[v];
        if (wide->outage.open && !wide->outage.covered && wide->sensor == FUSION_NOBODY &&
            fusion_width(wide) > fusion_width(view) &&
            wide->outage.onset_earliest_ns - slack_ns <= onset_ns &&
            onset_ns <= wide->outage.onset_latest_ns + slack_ns)
            return wide;
    }
    return NULL;
}

static bool falls_under(const struct fuse *fuse, const struct fusion_view *narrow,
                        const struct fusion_view *wide)
{
    if (!narrow->outage.open || narrow->outage.covered || !narrow->scope.counted ||
        fusion_width(narrow) >= fusion_width(wide))
        return false;
    return wide == &fuse->views[FUSION_ALL] ||
           (narrow->sensor == FUSION_NOBODY && wider_of(fuse, narrow) == wide);
}

/* A wider outage takes over the narrower ones that it explains: the oldest becomes it and keeps its name, the
 * others end as merged. */
static void take_over(struct fuse *fuse, struct fusion_view *wide)
{
    struct fusion_outage *oldest = NULL;
    for (uint32_t v = 0; v < fuse->view_count; v++)
        if (falls_under(fuse, &fuse->views[v], wide) &&
            (oldest == NULL || fuse->views[v].outage.onset_ns < oldest->onset_ns))
            oldest = &fuse->views[v].outage;
    if (oldest == NULL)
        return;
    wide->outage.key = oldest->key;
    wide->outage.sequence = oldest->sequence;
    oldest->covered = true;
    for (uint32_t v = 0; v < fuse->view_count; v++)
        if (falls_under(fuse, &fuse->views[v], wide)) {
            fuse->views[v].outage.merged_into = wide->outage.key;
            fusion_tell_outage(fuse, &fuse->views[v], EVENT_OUTAGE_ENDED);
            fuse->views[v].outage.covered = true;
        }
}

static bool is_dark(const struct fusion_cell *cell)
{
    return fusion_says_down(cell) || cell->word == FUSION_GONE;
}

/* What is seen and expected of those that are down. */
static void follow_depth(const struct fuse *fuse, struct fusion_view *view, int64_t since_ns)
{
    struct fusion_outage *outage = &view->outage;
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        if (is_dark(&cells[i])) {
            struct fusion_shown shown = fusion_shown(fuse, &cells[i], since_ns);
            outage->down_seen += shown.seen;
            outage->down_expected += shown.expected;
        }
    if (outage->down_expected >= seen_least)
        outage->depth = 1 - fmin(1, outage->down_seen / outage->down_expected);
}

static void open_outage(struct fuse *fuse, struct fusion_view *view, bool covered)
{
    struct fusion_outage *outage = &view->outage;
    struct fusion_cell *cells = fusion_cells(fuse, view);
    int64_t onset_ns = fusion_onset(fuse, view),
            earliest_ns = FUSION_MEDIAN(fuse, view, onset_earliest_ns, fusion_fell_now),
            latest_ns = FUSION_MEDIAN(fuse, view, onset_latest_ns, fusion_fell_now);
    *outage = (struct fusion_outage){.open = true,
                                     .covered = covered,
                                     .onset_ns = onset_ns,
                                     .onset_earliest_ns = earliest_ns != TIME_NONE ? earliest_ns : onset_ns,
                                     .onset_latest_ns = latest_ns != TIME_NONE ? latest_ns : fuse->now_ns,
                                     .end_ns = TIME_NONE,
                                     .end_earliest_ns = TIME_NONE,
                                     .end_latest_ns = TIME_NONE,
                                     .turn_ns = TIME_NONE,
                                     .back_ns = TIME_NONE,
                                     .depth = 1,
                                     .verdict = VERDICT__COUNT};
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++) {
        cells[i].fell = fusion_says_down(&cells[i]);
        outage->log_odds += fusion_fell_now(&cells[i]) ? cells[i].outage.log_odds : 0;
    }
    /* Only windows that lie in the outage as a whole. */
    follow_depth(fuse, view, clock_floor(onset_ns, fuse->options.bin_ns) + fuse->options.bin_ns);
    outage->key = episode_key(view->scope.text, outage->onset_earliest_ns);
    view->state = STATE_DOWN;
    view->returned_ns = TIME_NONE;
    if (covered)
        return;
    take_over(fuse, view);
    fusion_tell_outage(fuse, view, outage->sequence > 0 ? EVENT_OUTAGE_UPDATED : EVENT_OUTAGE_STARTED);
}

static bool has_ended(const struct fusion_cell *cell)
{
    return cell->word == FUSION_ALIVE && cell->fell;
}

static int64_t no_earlier(int64_t at_ns, int64_t than_ns, int64_t otherwise_ns)
{
    at_ns = at_ns != TIME_NONE ? at_ns : otherwise_ns;
    return at_ns > than_ns ? at_ns : than_ns;
}

/* Where most of what is back has a new level, so has the whole. */
static double level_of(const struct fuse *fuse, const struct fusion_view *view)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    double whole = 0, accepted = 0, level = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        if (has_ended(&cells[i])) {
            whole += cells[i].expected;
            accepted += cells[i].outage.level_accepted > 0 ? cells[i].expected : 0;
            level += cells[i].outage.level_accepted * cells[i].expected;
        }
    return accepted > whole / 2 ? level / accepted : 0;
}

/* After a wide outage the narrow ones that it covered are on their own again, and begin anew where they go
 * on. */
static void release(struct fuse *fuse, const struct fusion_view *wide)
{
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        struct fusion_view *view = &fuse->views[v];
        if (fusion_width(view) >= fusion_width(wide) || !view->outage.open || !view->outage.covered)
            continue;
        view->outage.open = false;
        view->dark_ns = view->returned_ns = TIME_NONE;
    }
}

static void close_outage(struct fuse *fuse, struct fusion_view *view)
{
    struct fusion_outage *outage = &view->outage;
    const int64_t window_ns = fuse->now_ns - fuse->options.bin_ns;
    outage->end_ns = no_earlier(FUSION_MEDIAN(fuse, view, end_ns, has_ended), outage->onset_ns, window_ns);
    outage->end_earliest_ns = no_earlier(FUSION_MEDIAN(fuse, view, end_earliest_ns, has_ended),
                                         outage->onset_ns, window_ns - fuse->options.bin_ns);
    outage->end_latest_ns =
        no_earlier(FUSION_MEDIAN(fuse, view, end_latest_ns, has_ended), outage->onset_ns, fuse->now_ns);
    outage->level_accepted = level_of(fuse, view);
    if (!outage->covered)
        fusion_tell_outage(fuse, view, EVENT_OUTAGE_ENDED);
    struct fusion_cell *cells = fusion_cells(fuse, view);
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        if (!fusion_says_down(&cells[i]))
            fusion_forget_past(&cells[i]);
    outage->open = false;
    view->state = STATE_UP;
    view->dark_ns = TIME_NONE;
    if (!outage->covered)
        release(fuse, view);
}

/* The share that is back, of what is expected where one knows. */
static double share_back(const struct fuse *fuse, const struct fusion_view *view, double *up)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    double whole = 0, back = 0;
    *up = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++) {
        if (!is_dark(&cells[i]) && cells[i].word != FUSION_ALIVE)
            continue;
        double weight = fmax(cells[i].expected, 1e-3);
        whole += weight;
        *up += cells[i].word == FUSION_ALIVE ? weight : 0;
        back += cells[i].word == FUSION_ALIVE  ? weight
                : cells[i].word == FUSION_BACK ? weight * cells[i].outage.recovered
                                               : 0;
    }
    *up = whole > 0 ? *up / whole : 0;
    return whole > 0 ? back / whole : 0;
}

static bool is_over(const struct fuse *fuse, struct fusion_view *view, double up)
{
    struct fusion_outage *outage = &view->outage;
    if (!(up > 0))
        outage->back_ns = TIME_NONE;
    else if (outage->back_ns == TIME_NONE)
        outage->back_ns = fuse->now_ns;
    return up >= back_most || (outage->back_ns != TIME_NONE &&
                               clock_seconds(outage->back_ns, fuse->now_ns) >= fuse->options.recovery_hold_s);
}

static int class_of(double depth)
{
    return depth >= 0.95 ? 2 : depth >= 0.6 ? 1 : 0;
}

static void follow_down(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    struct fusion_outage *outage = &view->outage;
    int was = class_of(outage->depth);
    bool fell_again = view->state == STATE_RECOVERING;
    follow_depth(fuse, view, start_ns);
    view->state = STATE_DOWN;
    outage->turn_ns = TIME_NONE;
    outage->flaps += fell_again;
    if (outage->covered)
        return;
    if (fell_again || class_of(outage->depth) > was)
        fusion_tell_outage(fuse, view, EVENT_OUTAGE_UPDATED);
    else
        fusion_tell_cause(fuse, view);
}

static void follow_back(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    struct fusion_outage *outage = &view->outage;
    if (outage->turn_ns == TIME_NONE)
        outage->turn_ns = start_ns;
    int quarters = (int)(fmin(outage->recovered, 1) * 4);
    bool first = view->state != STATE_RECOVERING;
    view->state = STATE_RECOVERING;
    if (!first && quarters <= outage->told_quarters)
        return;
    outage->told_quarters = quarters;
    if (!outage->covered)
        fusion_tell_outage(fuse, view, EVENT_OUTAGE_RECOVERING);
}

/* During the return of a wider scope, when this one came back. */
static void note_return(const struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    const struct fusion_view *all = &fuse->views[FUSION_ALL];
    if (all->outage.open && view->scope.counted && view->outage.covered && view->returned_ns == TIME_NONE)
        view->returned_ns = start_ns;
}

static void follow(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    struct fusion_outage *outage = &view->outage;
    double up;
    if (view->seeing == 0) {
        view->state = STATE_BLIND;
        return;
    }
    /* What was dark for long shows when it comes back in what came since others did. */
    fusion_ask(fuse, view, outage->turn_ns != TIME_NONE ? outage->turn_ns : outage->onset_ns);
    fusion_sum(fuse, view, start_ns);
    double back = share_back(fuse, view, &up);
    if (view->alive + view->back + view->gone + view->down == 0)
        return; /* those that see now cannot tell */
    outage->recovered = back;
    if (is_over(fuse, view, up)) {
        note_return(fuse, view, start_ns);
        close_outage(fuse, view);
    } else if (view->alive + view->back > 0) {
        note_return(fuse, view, start_ns);
        follow_back(fuse, view, start_ns);
    } else {
        follow_down(fuse, view, start_ns);
    }
}

/* ---- the views ---- */

static enum scope_state quiet_state(const struct fuse *fuse, const struct fusion_view *view)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    uint32_t suspect = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++)
        suspect += fusion_sees(&cells[i]) && cells[i].state == STATE_SUSPECT;
    if (view->seeing == 0)
        return view->learning > 0 || view->blind == 0 ? STATE_LEARNING : STATE_BLIND;
    return suspect == view->seeing ? STATE_SUSPECT : STATE_UP;
}

static void judge_view(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    if (view->outage.open) {
        follow(fuse, view, start_ns);
        return;
    }
    enum fusion_decision decision = fusion_decide(fuse, view, start_ns);
    bool waits = view->scope.kind != SCOPE_ALL && view->scope.counted && fuse->views[FUSION_ALL].in_doubt;
    view->in_doubt = decision == FUSION_DECISION_DOUBT || (decision == FUSION_DECISION_DARK && waits);
    view->state = view->in_doubt ? STATE_SUSPECT : quiet_state(fuse, view);
    if (decision == FUSION_DECISION_DARK && !waits)
        open_outage(fuse, view, wider_of(fuse, view) != NULL);
}

/* The road of a sensor is out when that sensor is dark while the watched side is not. */
static void judge_road(struct fuse *fuse, struct fusion_view *view, int64_t start_ns)
{
    const struct fusion_view *all = &fuse->views[FUSION_ALL];
    struct fusion_cell *cell = &fuse->views[FUSION_ALL].cells[view->sensor];
    if (view->outage.open) {
        follow(fuse, view, start_ns);
        return;
    }
    view->state = cell->fresh && fuse->sensors[view->sensor].present ? cell->state : STATE_BLIND;
    if (cell->word == FUSION_GONE ? !all->outage.open : cell->word != FUSION_DOWN)
        return;
    if (all->in_doubt)
        view->state = STATE_SUSPECT;
    else
        open_outage(fuse, view, all->outage.open);
}

/* What comes back is no longer held to have fallen; the next outage begins anew. */
static void forget(struct fuse *fuse, const struct fusion_view *view)
{
    for (uint32_t i = 0; view->cells != NULL && i < fuse->sensor_count; i++) {
        struct fusion_cell *cell = &view->cells[i];
        bool open = fusion_is_open(fuse, view, i);
        cell->fell = open && (cell->fell || fusion_says_down(cell));
        if (!open && fusion_sees(cell) && !fusion_says_down(cell))
            cell->outage.known = false;
    }
}

static void learn_hosts(struct fusion_view *view)
{
    if (view->state == STATE_UP && tally_knows(&view->sum, TALLY_hosts))
        view->hosts_usual = view->hosts_usual < 0
                                ? view->hosts
                                : view->hosts_usual + hosts_weight * (view->hosts - view->hosts_usual);
}

void fusion_go_blind(struct fuse *fuse, int64_t start_ns)
{
    for (uint32_t i = 0; i < fuse->sensor_count; i++)
        fuse->sensors[i].present = false;
    fusion_hear(fuse, start_ns);
    for (uint32_t v = 0; v < fuse->view_count; v++)
        fuse->views[v].state = STATE_BLIND;
}

/* The widest first, so that a narrow one can see that a wider one explains it; roads before the paths that
 * sensors know. */
void fusion_judge(struct fuse *fuse, int64_t start_ns)
{
    fusion_hear(fuse, start_ns);
    struct fusion_view *tap = &fuse->views[FUSION_TAP];
    tap->state = quiet_state(fuse, tap);
    judge_view(fuse, &fuse->views[FUSION_ALL], start_ns);
    for (uint32_t v = 0; v < fuse->view_count; v++)
        if (fuse->views[v].sensor != FUSION_NOBODY)
            judge_road(fuse, &fuse->views[v], start_ns);
    for (int width = 2; width >= 0; width--)
        for (uint32_t v = 0; v < fuse->view_count; v++) {
            struct fusion_view *view = &fuse->views[v];
            if (view->sensor != FUSION_NOBODY || fusion_width(view) != width)
                continue;
            for (uint32_t i = 0; i < fuse->sensor_count; i++) /* a road may have gone out just now */
                if (!fusion_has_voice(fuse, view, i))
                    view->cells[i].word = FUSION_NOTHING;
            fusion_sum(fuse, view, start_ns);
            judge_view(fuse, view, start_ns);
        }
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        forget(fuse, &fuse->views[v]);
        learn_hosts(&fuse->views[v]);
    }
}
