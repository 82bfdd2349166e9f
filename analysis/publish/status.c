/* SPDX-License-Identifier: BSD-3-Clause */
#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A reader may be late by a few steps and a busy moment, and a little more at first; a disk that is slow may
 * hold up what is published for longer. */
static const double steps_late = 3, busy_s = 5, starting_s = 90, publishing_s = 60;

/* As many as there are scopes; NULL: no memory. */
static struct status_scope *scopes_new(const struct scope_list *scopes)
{
    struct status_scope *scope = calloc(scopes->count, sizeof *scope);
    for (uint32_t i = 0; scope != NULL && i < scopes->count; i++)
        scope[i].scope = scopes->items[i];
    return scope;
}

int status_init(struct status *status, const struct publish_options *options, const struct scope_list *scopes)
{
    *status = (struct status){.options = options,
                              .scope_count = scopes->count,
                              .interfaces = {scopes->interfaces, scopes->interface_count},
                              .data_ns = TIME_NONE};
    status->scope = scopes_new(scopes);
    if (status->scope != NULL && picture_init(&status->picture, PICTURE_LATEST, options->bin_ns, scopes) == 0)
        return 0;
    status_clear(status);
    status->scope = NULL;
    return -1;
}

void status_clear(struct status *status)
{
    free(status->scope);
    free(status->open);
    picture_clear(&status->picture);
}

int status_copy(struct status *copy, const struct status *status)
{
    struct status_scope *scope = calloc(status->scope_count, sizeof *scope);
    struct event *open = calloc(status->open_count + 1, sizeof *open); /* never of nothing */
    if (scope == NULL || open == NULL || picture_copy(&copy->picture, &status->picture) != 0) {
        free(scope);
        free(open);
        return -1;
    }
    const struct picture picture = copy->picture;
    free(copy->scope);
    free(copy->open);
    *copy = *status;
    copy->picture = picture;
    copy->scope = memcpy(scope, status->scope, status->scope_count * sizeof *scope);
    copy->open = open;
    if (status->open_count > 0)
        memcpy(open, status->open, status->open_count * sizeof *open);
    return 0;
}

static void forget(struct status *status, size_t place)
{
    memmove(&status->open[place], &status->open[place + 1],
            (--status->open_count - place) * sizeof *status->open);
}

static bool has_scope(const struct scope_list *scopes, const char *text)
{
    for (uint32_t i = 0; i < scopes->count; i++)
        if (strcmp(scopes->items[i].text, text) == 0)
            return true;
    return false;
}

/* The same scope among those there are, from `at` on and round; NULL: it is new. Lists mostly stand in the
 * same order, so that the next one is found at once. */
static const struct status_scope *find_same(const struct status *status, const struct scope *scope,
                                            uint32_t at)
{
    for (uint32_t i = 0; i < status->scope_count; i++) {
        const struct status_scope *one = &status->scope[(at + i) % status->scope_count];
        if (scope_is_same(scope, &one->scope))
            return one;
    }
    return NULL;
}

int status_scopes(struct status *status, const struct scope_list *scopes)
{
    struct status_scope *scope = scopes_new(scopes);
    uint32_t next = 0;
    if (scope == NULL || picture_scopes(&status->picture, scopes) != 0) {
        free(scope);
        return -1;
    }
    for (uint32_t i = 0; i < scopes->count; i++) {
        const struct status_scope *same = find_same(status, &scopes->items[i], next);
        if (same == NULL)
            continue;
        scope[i] = *same;
        scope[i].scope = scopes->items[i];
        next = (uint32_t)(same - status->scope) + 1;
    }
    for (size_t i = status->open_count; i > 0; i--)
        if (!has_scope(scopes, status->open[i - 1].scope))
            forget(status, i - 1); /* nothing more will be told of it */
    free(status->scope);
    status->scope = scope;
    status->scope_count = scopes->count;
    status->changes++;
    return 0;
}

void status_bin(struct status *status, const struct bin *bin)
{
    struct status_scope *scope = &status->scope[bin->scope];
    if (scope->bins == 0 || scope->last.state != bin->state)
        scope->since_ns = bin->tally.start_ns;
    scope->bins++;
    scope->last = *bin;
    scope->known |= bin->tally.known;
    for (int i = 0; i < TALLY__COUNT; i++)
        if (tally_knows(&bin->tally, i))
            scope->total[i] += bin->tally.value[i];
    for (int i = 0; i < TALLY_INTERFACES; i++) /* of the tap */
        if (tally_knows(&bin->tally, TALLY_drops))
            status->lost[i] += bin->tally.lost[i];
    picture_bin(&status->picture, bin);
    status->changes++;
}

static bool is_open(const struct event *event)
{
    return event->action != EVENT_OUTAGE_ENDED && event->action != EVENT_SENSOR_RESTORED;
}

int status_event(struct status *status, const struct event *event)
{
    size_t place = 0;
    status->events[event->action]++;
    status->changes++;
    picture_event(&status->picture, event);
    while (place < status->open_count && status->open[place].episode != event->episode)
        place++;
    if (!is_open(event)) {
        if (place < status->open_count)
            forget(status, place);
        return 0;
    }
    if (place == status->open_count) {
        struct event *more = realloc(status->open, (place + 1) * sizeof *more);
        if (more == NULL)
            return -1;
        status->open = more;
        status->open_count++;
    }
    status->open[place] = *event;
    return 0;
}

void status_step(struct status *status, int64_t data_ns, double wall_s, const struct health *health,
                 const struct levels *levels)
{
    status->data_ns = data_ns;
    status->stepped_s = wall_s;
    status->health = *health;
    status->levels = *levels;
    status->changes++;
}

const struct event *status_open(const struct status *status, const char *scope)
{
    for (size_t i = 0; i < status->open_count; i++)
        if (strcmp(status->open[i].scope, scope) == 0)
            return &status->open[i];
    return NULL;
}

/* One of several sensors is not all of them. */
bool status_blind(const struct status *status)
{
    const struct status_scope *all = &status->scope[SCOPE_NUMBER_ALL],
                              *tap = &status->scope[status->scope_count - 1];
    for (size_t i = 0; i < status->open_count; i++)
        if (status->open[i].action == EVENT_SENSOR_IMPAIRED && status->open[i].absent == ABSENCE_NONE)
            return true;
    return (all->bins > 0 && all->last.state == STATE_BLIND) ||
           (tap->bins > 0 && tap->last.state == STATE_BLIND);
}

struct status_life status_life(const struct publish_options *options, const struct pulse *pulse,
                               int64_t started_ns, int64_t now_ns)
{
    struct status_life life = {.step_age_s = -1};
    const int64_t step_ns = pulse->step_ns, item_ns = pulse->item_ns;
    double limit_s = busy_s + steps_late * (double)options->step_ns / (double)NS_PER_S;
    double silent_s = clock_seconds(step_ns != TIME_NONE ? step_ns : started_ns, now_ns);
    if (step_ns != TIME_NONE)
        life.step_age_s = silent_s;
    else
        limit_s += starting_s;
    double busy = item_ns != TIME_NONE ? clock_seconds(item_ns, now_ns) : 0;
    if (busy > publishing_s)
        snprintf(life.why, sizeof life.why,
                 "nothing could be published for %.0f s: an output does not take it", busy);
    else if (!options->replay && silent_s > limit_s)
        snprintf(life.why, sizeof life.why, "the reader is stuck: it has closed no step for %.0f s",
                 silent_s);
    life.stuck = life.why[0] != '\0';
    return life;
}
