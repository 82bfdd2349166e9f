/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts what the fused view holds into the events and bins that tell of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cause.h"
#include "episode.h"
#include "fusion.h"

static const double clearly = 1.3; /* likelier than the verdict told before, as in tell.c */
static const double hardly = 1e-6; /* a probability */

static double per_minute(const struct fuse *fuse, double count)
{
    return count * 60 / clock_seconds(0, fuse->options.bin_ns);
}

/* Whatever a sensor says that it counted. */
static uint32_t count_of(double number)
{
    return (uint32_t)fmin(round(fmax(0, number)), UINT32_MAX);
}

/* ---- parts ---- */

/* The parts of an outage are looked at before each has been judged by itself. */
static enum scope_state part_state(const struct fusion_view *view)
{
    if (view->outage.open)
        return view->state;
    if (view->seeing == 0)
        return view->learning > 0 || view->blind == 0 ? STATE_LEARNING : STATE_BLIND;
    bool dark = view->down + view->gone > 0 && view->alive + view->back == 0;
    return dark ? STATE_DOWN : view->back > 0 && view->alive == 0 ? STATE_RECOVERING : STATE_UP;
}

static struct event_part describe_part(const struct fuse *fuse, const struct fusion_view *view)
{
    struct event_part part = {
        .state = part_state(view), .onset_ns = TIME_NONE, .last_seen_ns = view->last_ns};
    strcpy(part.name, scope_name(&view->scope)); /* a part of a text of the same size */
    if (view->sensor != FUSION_NOBODY && !fuse->sensors[view->sensor].present)
        part.state = STATE_BLIND;
    if (part.state != STATE_DOWN && part.state != STATE_RECOVERING)
        return part;
    part.onset_ns = view->outage.open ? view->outage.onset_ns : fusion_onset(fuse, view);
    part.depth = view->outage.open ? view->outage.depth : 1;
    return part;
}

static void describe_parts(const struct fuse *fuse, struct event *event)
{
    for (uint32_t i = 0; i < fuse->list.count; i++) {
        const struct fusion_view *view = &fuse->views[fuse->order[i]];
        if (view->scope.kind == SCOPE_PREFIX && event->prefix_count < EVENT_PREFIXES_MAX)
            event->prefixes[event->prefix_count++] = describe_part(fuse, view);
        else if (view->scope.kind == SCOPE_PATH && event->path_count < EVENT_PATHS_MAX)
            event->paths[event->path_count++] = describe_part(fuse, view);
        else if (view->scope.kind == SCOPE_SERVICE && event->service_count < EVENT_SERVICES_MAX &&
                 view->last_ns != TIME_NONE)
            event->services[event->service_count++] = describe_part(fuse, view);
    }
}

/* What came back, in the order in which it did. */
static void describe_returns(const struct fuse *fuse, struct event *event)
{
    for (uint32_t i = 0; i < fuse->list.count; i++) {
        const struct fusion_view *view = &fuse->views[fuse->order[i]];
        if (view->returned_ns == TIME_NONE || event->return_count == EVENT_RETURNS_MAX)
            continue;
        uint32_t place = event->return_count++;
        for (; place > 0 && event->returns[place - 1].at_ns > view->returned_ns; place--)
            event->returns[place] = event->returns[place - 1];
        event->returns[place] = (struct event_return){.at_ns = view->returned_ns};
        memcpy(event->returns[place].name, view->scope.text, SCOPE_TEXT_MAX);
    }
}

/* ---- why ---- */

/* What the sensors that are down make of it: the mean of their odds, since they see the same outage. */
static void read_verdicts(const struct fuse *fuse, const struct fusion_view *view, struct cause_facts *facts)
{
    const struct fusion_cell *cells = fusion_cells(fuse, view);
    double whole = 0;
    for (uint32_t i = fusion_first(view); i < fusion_end(fuse, view); i++) {
        const double *told = cells[i].outage.probability;
        if (!fusion_says_down(&cells[i]) || !cells[i].outage.known || !(told[VERDICT_UNKNOWN] > 0))
            continue;
        double weight = fmax(cells[i].expected, 1e-3);
        whole += weight;
        for (int v = 0; v < VERDICT__COUNT; v++)
            facts->prior[v] += weight * log(fmax(told[v], hardly) / told[VERDICT_UNKNOWN]);
    }
    facts->judged = whole > 0;
    for (int v = 0; v < VERDICT__COUNT && whole > 0; v++)
        facts->prior[v] /= whole;
}

/* How the roads of the sensors do, and the scopes beside this one. */
static void read_others(const struct fuse *fuse, const struct fusion_view *view, struct cause_facts *facts)
{
    const struct fusion_view *all = &fuse->views[FUSION_ALL];
    unsigned up = 0, down = 0, known = 0, others = 0;
    for (uint32_t i = 0; i < fuse->sensor_count; i++) {
        enum fusion_word word = all->cells[i].word;
        known += fuse->sensors[i].known;
        down += word == FUSION_DOWN || word == FUSION_BACK || word == FUSION_GONE;
        up += word == FUSION_ALIVE || (word == FUSION_UNSURE && view->sensor != FUSION_NOBODY);
    }
    for (uint32_t v = 0; v < fuse->view_count; v++)
        others += &fuse->views[v] != view && fuse->views[v].scope.kind == view->scope.kind &&
                  part_state(&fuse->views[v]) == STATE_UP;
    if (view->scope.kind == SCOPE_ALL) {
        cause_read(facts, EVIDENCE_ALL_PATHS, up == 0 ? down : 0, down + up);
        cause_read(facts, EVIDENCE_ONLY_PATH, known > 1 && down + up == 1, known);
    }
    if (view->scope.kind == SCOPE_ALL || view->sensor != FUSION_NOBODY)
        cause_read(facts, EVIDENCE_ONE_PATH, up, down + up);
    else if (view->scope.kind == SCOPE_SERVICE)
        cause_read(facts, EVIDENCE_OTHERS_UP, others, -1);
}

static bool any_control(const struct fuse *fuse)
{
    for (uint32_t i = 0; i < fuse->sensor_count; i++)
        if (fuse->sensors[i].control)
            return true;
    return false;
}

/* The circumstances are those of the outage: once something comes back they no longer change. */
static void weigh(const struct fuse *fuse, struct fusion_view *view, struct event *event)
{
    bool returning = view->outage.turn_ns != TIME_NONE || event->action == EVENT_OUTAGE_ENDED;
    if (!returning || view->outage.verdict == VERDICT__COUNT) {
        view->facts = (struct cause_facts){.kind = view->scope.kind, .control = event->control};
        if (view->sensor == FUSION_NOBODY && view->scope.kind != SCOPE_SERVICE)
            read_verdicts(fuse, view, &view->facts);
        read_others(fuse, view, &view->facts);
    }
    cause_weigh(&view->facts, event);
}

/* ---- outages ---- */

static void describe_times(const struct fuse *fuse, const struct fusion_outage *outage, struct event *event)
{
    event->onset_ns = outage->onset_ns;
    event->onset_earliest_ns = outage->onset_earliest_ns;
    event->onset_latest_ns = outage->onset_latest_ns;
    event->delay_s = clock_seconds(outage->onset_ns, fuse->now_ns);
    event->end_ns = event->end_earliest_ns = event->end_latest_ns = TIME_NONE;
    if (event->action != EVENT_OUTAGE_ENDED)
        return;
    bool known = outage->end_ns != TIME_NONE; /* not of one that became part of a wider one */
    event->end_ns = known ? outage->end_ns : fuse->now_ns;
    event->end_earliest_ns = known ? outage->end_earliest_ns : fuse->now_ns;
    event->end_latest_ns = known ? outage->end_latest_ns : fuse->now_ns;
}

static struct event describe(const struct fuse *fuse, struct fusion_view *view, enum event_action action)
{
    const struct fusion_outage *outage = &view->outage;
    bool back = action == EVENT_OUTAGE_RECOVERING || action == EVENT_OUTAGE_ENDED;
    double share = back ? outage->recovered : 1 - outage->depth;
    struct event event = {.time_ns = fuse->now_ns,
                          .action = action,
                          .episode = outage->key,
                          .sequence = outage->sequence,
                          .control = any_control(fuse),
                          .signal = view->signal,
                          .depth = outage->depth,
                          .expected_rate = per_minute(fuse, view->expected),
                          .observed_rate = per_minute(fuse, view->expected) * share,
                          .log_odds = outage->log_odds,
                          .recovered = back ? share : -1,
                          .flaps = outage->flaps,
                          .level_accepted = outage->level_accepted,
                          .merged_into = outage->merged_into,
                          .verdict_before = outage->verdict,
                          .evidence_before = outage->evidence,
                          .hosts_expected = count_of(view->hosts_usual),
                          .hosts_seen = count_of(view->hosts)};
    memcpy(event.scope, view->scope.text, sizeof event.scope);
    if (back)
        describe_returns(fuse, &event);
    describe_times(fuse, outage, &event);
    describe_parts(fuse, &event);
    weigh(fuse, view, &event);
    return event;
}

static void give(struct fuse *fuse, struct fusion_view *view, const struct event *event)
{
    struct fusion_outage *outage = &view->outage;
    outage->sequence++;
    outage->verdict = cause_likeliest(event);
    outage->evidence = cause_evidence(event);
    memcpy(outage->probability, event->probability, sizeof outage->probability);
    fuse->output.event(fuse->output.context, event);
}

void fusion_tell_outage(struct fuse *fuse, struct fusion_view *view, enum event_action action)
{
    struct event event = describe(fuse, view, action);
    give(fuse, view, &event);
}

void fusion_tell_cause(struct fuse *fuse, struct fusion_view *view)
{
    struct event event = describe(fuse, view, EVENT_OUTAGE_UPDATED);
    enum verdict was = view->outage.verdict, is = cause_likeliest(&event);
    if (is != was && event.probability[is] > clearly * event.probability[was])
        give(fuse, view, &event);
}

/* ---- sensors ---- */

void fusion_tell_sensor(struct fuse *fuse, struct fusion_sensor *sensor, enum event_action action)
{
    bool impaired = action == EVENT_SENSOR_IMPAIRED;
    if (impaired) {
        sensor->episode = episode_key(sensor->name, sensor->missed_ns);
        sensor->onset_ns = sensor->missed_ns;
        sensor->told_absent = sensor->absent;
    }
    int64_t now_ns = fuse->now_ns > sensor->onset_ns ? fuse->now_ns : sensor->onset_ns;
    struct event event = {.time_ns = now_ns,
                          .action = action,
                          .episode = sensor->episode,
                          .sequence = impaired ? 0 : 1,
                          .absent = sensor->told_absent,
                          .control = true,
                          .signal = SIGNAL_PACKETS_IN,
                          .onset_ns = sensor->onset_ns,
                          .onset_earliest_ns = sensor->onset_ns,
                          .onset_latest_ns = now_ns,
                          .end_ns = impaired ? TIME_NONE : now_ns - fuse->options.bin_ns,
                          .end_earliest_ns = impaired ? TIME_NONE : now_ns - fuse->options.bin_ns,
                          .end_latest_ns = impaired ? TIME_NONE : now_ns,
                          .delay_s = clock_seconds(sensor->onset_ns, now_ns),
                          .recovered = -1,
                          .verdict_before = VERDICT__COUNT};
    event.probability[VERDICT_UNKNOWN] = 1;
    strcpy(event.leg, sensor->name);
    strcpy(event.scope, "tap");
    fuse->output.event(fuse->output.context, &event);
}

/* ---- bins ---- */

static int by_scope(const void *a, const void *b)
{
    const struct scope *one = a, *other = b;
    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    return strcmp(one->text, other->text);
}

/* The list as others want it: `all` first, the tap last, in an order that does not depend on who came first.
 */
static bool renew_list(struct fuse *fuse)
{
    struct scope *items = realloc(fuse->items, fuse->view_count * sizeof *items);
    if (items != NULL)
        fuse->items = items;
    uint32_t *order = realloc(fuse->order, fuse->view_count * sizeof *order);
    if (order != NULL)
        fuse->order = order;
    if (items == NULL || order == NULL)
        return false;
    for (uint32_t i = 0; i < fuse->view_count; i++)
        items[i] = fuse->views[i].scope;
    qsort(items, fuse->view_count, sizeof *items, by_scope);
    for (uint32_t i = 0; i < fuse->view_count; i++)
        for (uint32_t v = 0; v < fuse->view_count; v++)
            if (strcmp(items[i].text, fuse->views[v].scope.text) == 0)
                order[i] = v;
    fuse->list = (struct scope_list){.items = items, .count = fuse->view_count};
    fuse->list_stale = false;
    return true;
}

bool fusion_tell_scopes(struct fuse *fuse)
{
    if (!fuse->list_stale)
        return true;
    if (!renew_list(fuse))
        return false;
    fuse->output.scopes(fuse->output.context, &fuse->list);
    return true;
}

static struct bin_outage outage_of(const struct fusion_outage *outage)
{
    if (!outage->open)
        return (struct bin_outage){.known = false};
    struct bin_outage told = {.known = true,
                              .episode = outage->covered ? 0 : outage->key,
                              .onset_ns = outage->onset_ns,
                              .onset_earliest_ns = outage->onset_earliest_ns,
                              .onset_latest_ns = outage->onset_latest_ns,
                              .end_ns = TIME_NONE,
                              .end_earliest_ns = TIME_NONE,
                              .end_latest_ns = TIME_NONE,
                              .recovered = outage->recovered,
                              .log_odds = outage->log_odds};
    memcpy(told.probability, outage->probability, sizeof told.probability);
    return told;
}

static struct bin bin_of(const struct fuse *fuse, const struct fusion_view *view, int64_t start_ns)
{
    bool seen = view->seeing > 0, is_tap = view->scope.kind == SCOPE_TAP;
    struct bin bin = {.start_ns = start_ns,
                      .tally = view->sum,
                      .signal = is_tap ? SIGNAL_PACKETS_IN : view->signal,
                      .state = view->state,
                      .route = {-1, -1, -1, -1},
                      .expected = seen && view->expected > 0 ? view->expected : -1,
                      .low = seen && view->expected > 0 ? fmax(0, view->expected - sqrt(view->spread)) : -1,
                      .detectable_s = -1,
                      .outage = outage_of(&view->outage)};
    if (view->detectable_s >= 0) /* it is told when the bin has closed */
        bin.detectable_s = view->detectable_s + clock_seconds(0, fuse->options.bin_ns);
    if (view->sum.known == 0)
        bin.tally = tally_empty(start_ns, fuse->now_ns, 0);
    return bin;
}

void fusion_tell_bins(struct fuse *fuse, int64_t start_ns)
{
    for (uint32_t i = 0; i < fuse->list.count; i++) {
        const struct fusion_view *view = &fuse->views[fuse->order[i]];
        if (view->last_ns == TIME_NONE && !view->fresh)
            continue; /* it has never been heard of */
        struct bin bin = bin_of(fuse, view, start_ns);
        bin.scope = i;
        fuse->output.bin(fuse->output.context, &bin);
    }
}
