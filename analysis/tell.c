/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts what the study holds of an episode into the event that tells of it. */
#include <math.h>
#include <string.h>

#include "cause.h"
#include "series.h"

static const double clearly = 1.3; /* likelier than the verdict told before: less is not worth a word */

/* A part of a wider outage that has shown no life since the onset is down with it, even if it is too thin to
 * be judged by itself. */
static bool silent_with(struct series *part, const struct episode *episode)
{
    const struct population *life = series_life(part);
    return life->last_ns != TIME_NONE && life->last_ns <= episode->onset_latest_ns && life->expected >= 1;
}

static enum scope_state part_state(struct series *part, const struct episode *episode)
{
    if (!part->episode.open && part->state != STATE_BLIND && silent_with(part, episode))
        return STATE_DOWN;
    return part->state;
}

static struct event_part describe_part(struct series *part, const struct scope *scope,
                                       const struct episode *episode)
{
    struct event_part told = {.state = part_state(part, episode),
                              .onset_ns = TIME_NONE,
                              .last_seen_ns = series_life(part)->last_ns};
    strcpy(told.name, scope_name(scope)); /* a part of a text of the same size */
    if (part->episode.open) {
        told.onset_ns = part->episode.onset_ns;
        told.depth = part->episode.depth;
    } else if (told.state == STATE_DOWN) {
        told.onset_ns = told.last_seen_ns;
        told.depth = 1;
    }
    return told;
}

static void describe_parts(struct analysis *analysis, const struct episode *episode, struct event *event)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        const struct scope *scope = &analysis->scopes->items[i];
        struct event_part part = describe_part(&analysis->series[i], scope, episode);
        if (scope->kind == SCOPE_PREFIX && event->prefix_count < EVENT_PREFIXES_MAX)
            event->prefixes[event->prefix_count++] = part;
        else if (scope->kind == SCOPE_PATH && event->path_count < EVENT_PATHS_MAX)
            event->paths[event->path_count++] = part;
        else if (scope->kind == SCOPE_SERVICE && event->service_count < EVENT_SERVICES_MAX &&
                 part.last_seen_ns != TIME_NONE)
            event->services[event->service_count++] = part;
    }
}

/* What came back, in the order in which it did. */
static void describe_returns(struct analysis *analysis, struct event *event)
{
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        int64_t at_ns = analysis->series[i].returned_ns;
        if (at_ns == TIME_NONE || event->return_count == EVENT_RETURNS_MAX)
            continue;
        uint32_t place = event->return_count++;
        for (; place > 0 && event->returns[place - 1].at_ns > at_ns; place--)
            event->returns[place] = event->returns[place - 1];
        event->returns[place] = (struct event_return){.at_ns = at_ns};
        memcpy(event->returns[place].name, analysis->scopes->items[i].text, SCOPE_TEXT_MAX);
    }
}

/* The routers that report most, with the path on which each is known to stand. */
static void describe_routers(struct analysis *analysis, const struct series *series, struct event *event)
{
    const struct scope_list *scopes = analysis->scopes;
    for (int i = 0; i < TALLY_REPORTERS && event->router_count < EVENT_ROUTERS_MAX; i++) {
        const struct tally_reporter *reporter = &series->reporter[i];
        if (reporter_rank(reporter) == 0)
            continue;
        struct event_router *router = &event->routers[event->router_count++];
        *router = (struct event_router){.unreachable = reporter->unreachable,
                                        .prohibited = reporter->prohibited,
                                        .exceeded = reporter->exceeded};
        memcpy(router->address, reporter->address, sizeof router->address);
        for (uint32_t k = 0; k < scopes->router_count; k++)
            if (memcmp(scopes->routers[k].address, reporter->address, sizeof reporter->address) == 0)
                strcpy(router->path, scope_name(&scopes->items[scopes->routers[k].path]));
    }
}

static double observed_share(const struct series *series, const struct episode_mark *before)
{
    double expected = series->so_far.life_expected - before->life_expected;
    return expected > 1 ? (series->so_far.life - before->life) / expected : episode_level(&series->episode);
}

static void describe_times(const struct analysis *analysis, const struct episode *episode,
                           struct event *event)
{
    event->onset_ns = episode->onset_ns;
    event->onset_earliest_ns = episode->onset_earliest_ns;
    event->onset_latest_ns = episode->onset_latest_ns;
    event->delay_s = clock_seconds(episode->onset_ns, analysis->end_ns);
    event->end_ns = event->end_earliest_ns = event->end_latest_ns = TIME_NONE;
    if (event->action != EVENT_OUTAGE_ENDED)
        return;
    bool known = episode->end_ns != TIME_NONE; /* not of one that became part of a wider one */
    event->end_ns = known ? episode->end_ns : analysis->end_ns;
    event->end_earliest_ns = known ? episode->end_earliest_ns : analysis->end_ns;
    event->end_latest_ns = known ? episode->end_latest_ns : analysis->end_ns;
}

static struct event describe(struct analysis *analysis, uint32_t number, enum event_action action)
{
    struct series *series = &analysis->series[number];
    struct episode *episode = &series->episode;
    const struct population *life = series_life(series);
    struct event event = {.time_ns = analysis->end_ns,
                          .action = action,
                          .episode = episode->key,
                          .sequence = episode->sequence,
                          .control = tap_has_control(&analysis->tap),
                          .signal = series->signal,
                          .depth = episode->depth,
                          .expected_rate = life->rate.per_s * 60 * series_signs_per_event(series),
                          .log_odds = episode->log_odds,
                          .recovered = -1,
                          .flaps = episode->flaps,
                          .level_accepted = episode->level_accepted,
                          .merged_into = episode->merged_into,
                          .verdict_before = episode->verdict,
                          .evidence_before = episode->evidence,
                          .hosts_expected = (uint32_t)fmin(round(fmax(0, series->hosts_usual)), UINT32_MAX),
                          .hosts_seen = (uint32_t)series->bin.value[TALLY_hosts]};
    memcpy(event.scope, episode->scope, sizeof event.scope);
    bool back = action == EVENT_OUTAGE_RECOVERING || action == EVENT_OUTAGE_ENDED;
    double share = episode->level_accepted > 0 ? episode->level_accepted
                   : back                      ? episode_recovered(episode)
                                               : observed_share(series, &episode->before);
    event.observed_rate = share * event.expected_rate;
    if (back) {
        event.recovered = share;
        describe_returns(analysis, &event);
    }
    describe_times(analysis, episode, &event);
    describe_parts(analysis, episode, &event);
    describe_routers(analysis, series, &event);
    /* The circumstances are those of the outage: once something comes back they no longer change. */
    if (!series->episode.returning)
        series->facts = facts_gather(analysis, number, &event);
    cause_weigh(&series->facts, &event);
    return event;
}

static void give(struct analysis *analysis, uint32_t number, const struct event *event)
{
    struct episode *episode = &analysis->series[number].episode;
    episode->sequence++;
    episode->verdict = cause_likeliest(event);
    episode->evidence = cause_evidence(event);
    memcpy(episode->probability, event->probability, sizeof episode->probability);
    analysis->output.event(analysis->output.context, event);
}

void tell_outage(struct analysis *analysis, uint32_t number, enum event_action action)
{
    struct event event = describe(analysis, number, action);
    give(analysis, number, &event);
}

void tell_changed_cause(struct analysis *analysis, uint32_t number)
{
    struct event event = describe(analysis, number, EVENT_OUTAGE_UPDATED);
    enum verdict was = analysis->series[number].episode.verdict, is = cause_likeliest(&event);
    if (is != was && event.probability[is] > clearly * event.probability[was])
        give(analysis, number, &event);
}

void tell_leg(struct analysis *analysis, uint32_t number, enum event_action action)
{
    struct mirror_leg *leg = &analysis->mirror.leg[number];
    if (action == EVENT_SENSOR_IMPAIRED) {
        leg->episode = episode_key(leg->name, leg->lost_since_ns);
        leg->sequence = 0;
    }
    struct event event = {.time_ns = analysis->end_ns,
                          .action = action,
                          .episode = leg->episode,
                          .sequence = leg->sequence++,
                          .control = true,
                          .signal = SIGNAL_PACKETS_IN,
                          .onset_ns = leg->lost_since_ns,
                          .onset_earliest_ns = leg->lost_since_ns,
                          .onset_latest_ns = analysis->end_ns,
                          .end_ns = TIME_NONE,
                          .end_earliest_ns = TIME_NONE,
                          .end_latest_ns = TIME_NONE,
                          .expected_rate = leg->control.rate.per_s * 60,
                          .log_odds = detect_score(&leg->control),
                          .delay_s = clock_seconds(leg->lost_since_ns, analysis->end_ns),
                          .recovered = -1,
                          .verdict_before = VERDICT__COUNT};
    if (action == EVENT_SENSOR_RESTORED)
        event.observed_rate = event.expected_rate;
    event.probability[VERDICT_UNKNOWN] = 1;
    memcpy(event.leg, leg->name, sizeof event.leg);
    memcpy(event.scope, analysis->scopes->items[scope_number_tap(analysis->scopes)].text, sizeof event.scope);
    analysis->output.event(analysis->output.context, &event);
}

void tell_snaplen(struct analysis *analysis, enum event_action action)
{
    struct snaplen *snaplen = &analysis->tap.snaplen;
    if (snaplen->sequence == 0)
        snaplen->episode = episode_key("snaplen", snaplen->since_ns);
    double rate = analysis->tap.per_s * 60;
    struct event event = {.time_ns = analysis->end_ns,
                          .action = action,
                          .episode = snaplen->episode,
                          .sequence = snaplen->sequence++,
                          .cut = snaplen->told,
                          .control = tap_has_control(&analysis->tap),
                          .signal = SIGNAL_PACKETS_IN,
                          .onset_ns = snaplen->since_ns,
                          .onset_earliest_ns = snaplen->since_ns,
                          .onset_latest_ns = analysis->end_ns,
                          .end_ns = TIME_NONE,
                          .end_earliest_ns = TIME_NONE,
                          .end_latest_ns = TIME_NONE,
                          .expected_rate = rate,
                          .observed_rate = rate,
                          .delay_s = clock_seconds(snaplen->since_ns, analysis->end_ns),
                          .recovered = -1,
                          .verdict_before = VERDICT__COUNT};
    event.probability[VERDICT_UNKNOWN] = 1;
    memcpy(event.scope, analysis->scopes->items[scope_number_tap(analysis->scopes)].text, sizeof event.scope);
    analysis->output.event(analysis->output.context, &event);
}

void tell_sensor(struct analysis *analysis, enum event_action action)
{
    struct tap *tap = &analysis->tap;
    const struct population *control = &tap->control;
    uint32_t number = scope_number_tap(analysis->scopes);
    if (action == EVENT_SENSOR_IMPAIRED) {
        tap->episode = episode_key("tap", tap->blind_since_ns);
        tap->sequence = 0;
    }
    struct event event = {.time_ns = analysis->end_ns,
                          .action = action,
                          .episode = tap->episode,
                          .sequence = tap->sequence++,
                          .deaf = tap->deaf,
                          .sampled = action == EVENT_SENSOR_IMPAIRED ? tap->sampled : 0,
                          .control = !tap->unwatched && tap_has_control(tap),
                          .signal = SIGNAL_PACKETS_IN,
                          .onset_ns = tap->blind_since_ns,
                          .onset_earliest_ns = tap->blind_since_ns,
                          .onset_latest_ns = analysis->end_ns,
                          .end_ns = TIME_NONE,
                          .end_earliest_ns = TIME_NONE,
                          .end_latest_ns = TIME_NONE,
                          .expected_rate = control->rate.per_s * 60,
                          .log_odds = detect_score(control),
                          .delay_s = clock_seconds(tap->blind_since_ns, analysis->end_ns),
                          .recovered = -1};
    if (action == EVENT_SENSOR_IMPAIRED && tap->lost_per_s > 0) {
        event.expected_rate = tap->lost_per_s * 60;
        event.observed_rate = tap->lost_share * event.expected_rate;
    }
    if (action == EVENT_SENSOR_RESTORED && tap->returned_expected > 0)
        event.observed_rate = fmin(1, tap->returned_seen / tap->returned_expected) * event.expected_rate;
    event.probability[VERDICT_UNKNOWN] = 1;
    event.verdict_before = VERDICT__COUNT;
    memcpy(event.scope, analysis->scopes->items[number].text, sizeof event.scope);
    analysis->output.event(analysis->output.context, &event);
}
