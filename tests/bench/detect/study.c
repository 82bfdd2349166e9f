/* SPDX-License-Identifier: BSD-3-Clause */
#include "study.h"

#include <stdlib.h>
#include <string.h>

/* The scopes of a sensor, and which part of the hosts is behind each. `all` and `tap` alone, where one scope
 * is measured. */
static const struct scope narrow_scopes[] = {{SCOPE_ALL, true, "all", false},
                                             {SCOPE_TAP, false, "tap", false}};
static const struct scope wide_scopes[STUDY_SCOPES_MAX] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/26", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.64/26", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.128/26", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.192/26", false},
    {SCOPE_PATH, true, "path:north", false},
    {SCOPE_PATH, true, "path:east", false},
    {SCOPE_SERVICE, true, "service:www", false},
    {SCOPE_SERVICE, true, "service:mail", false},
    {SCOPE_SERVICE, true, "service:dns", false},
    {SCOPE_TAP, false, "tap", false},
};
static const double wide_shares[STUDY_SCOPES_MAX][2] = {{0, 1},     {0, 0.5},    {0.5, 0.8}, {0.8, 0.95},
                                                        {0.95, 1},  {0, 0.8},    {0.8, 1},   {0, 0.2},
                                                        {0.3, 0.4}, {0.55, 0.6}, {2, 2}};

bool study_covers(uint32_t scope, double host)
{
    return host >= wide_shares[scope][0] && host < wide_shares[scope][1];
}

/* ---- everything that is told, as one number ---- */

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x9e3779b97f4a7c15ULL;
    *hash ^= *hash >> 29;
}

static void mix_number(uint64_t *hash, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    mix(hash, bits);
}

static void mix_text(uint64_t *hash, const char *text)
{
    for (; *text != '\0'; text++)
        mix(hash, (unsigned char)*text);
    mix(hash, 256);
}

static void mix_times(uint64_t *hash, const int64_t *times_ns, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        mix(hash, (uint64_t)times_ns[i]);
}

static void mix_parts(uint64_t *hash, const struct event_part *parts, uint32_t count)
{
    mix(hash, count);
    for (uint32_t i = 0; i < count; i++) {
        mix_text(hash, parts[i].name);
        mix(hash, parts[i].state);
        mix_times(hash, (const int64_t[]){parts[i].onset_ns, parts[i].last_seen_ns}, 2);
        mix_number(hash, parts[i].depth);
    }
}

static void mix_event(uint64_t *hash, const struct event *event)
{
    const int64_t times_ns[] = {event->time_ns,         event->onset_ns, event->onset_earliest_ns,
                                event->onset_latest_ns, event->end_ns,   event->end_earliest_ns,
                                event->end_latest_ns};
    const double numbers[] = {event->depth,   event->expected_rate, event->observed_rate, event->log_odds,
                              event->delay_s, event->recovered,     event->level_accepted};
    const uint64_t whole[] = {event->action,         event->episode,        event->sequence,
                              event->control,        event->signal,         event->flaps,
                              event->merged_into,    event->hosts_expected, event->hosts_seen,
                              event->evidence_count, event->return_count};
    mix_times(hash, times_ns, sizeof times_ns / sizeof times_ns[0]);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        mix_number(hash, numbers[i]);
    for (unsigned i = 0; i < sizeof whole / sizeof whole[0]; i++)
        mix(hash, whole[i]);
    mix_text(hash, event->scope);
    for (int i = 0; i < VERDICT__COUNT; i++)
        mix_number(hash, event->probability[i]);
    for (uint32_t i = 0; i < event->evidence_count; i++) {
        mix(hash, event->evidence[i].kind);
        mix_number(hash, event->evidence[i].value);
        mix_number(hash, event->evidence[i].usual);
    }
    mix_parts(hash, event->prefixes, event->prefix_count);
    mix_parts(hash, event->paths, event->path_count);
    mix_parts(hash, event->services, event->service_count);
    for (uint32_t i = 0; i < event->return_count; i++) {
        mix_text(hash, event->returns[i].name);
        mix(hash, (uint64_t)event->returns[i].at_ns);
    }
}

static void mix_bin(uint64_t *hash, const struct bin *bin)
{
    const struct tally *tally = &bin->tally;
    const double numbers[] = {bin->expected, bin->low, bin->detectable_s};
    mix(hash, bin->scope);
    mix(hash, (uint64_t)bin->start_ns);
    mix(hash, (uint64_t)bin->state << 8 | bin->signal);
    mix(hash, (uint64_t)tally->end_ns);
    mix(hash, tally->known);
    for (int i = 0; i < TALLY__COUNT; i++)
        mix(hash, tally->value[i]);
    for (int i = 0; i < 3; i++)
        mix_number(hash, numbers[i]);
}

/* ---- what is told ---- */

static void keep_bin(void *context, const struct bin *bin)
{
    struct study *study = context;
    mix_bin(&study->bins_hash, bin);
    if (bin->scope == SCOPE_NUMBER_ALL)
        study->detectable_s = bin->detectable_s;
}

static struct seen *find_episode(struct telling *telling, const struct event *event)
{
    for (unsigned i = telling->count; i > 0; i--)
        if (telling->seen[i - 1].id == event->episode)
            return &telling->seen[i - 1];
    return NULL;
}

static void keep_event(void *context, const struct event *event)
{
    struct study *study = context;
    mix_event(&study->events_hash, event);
    study->sensor_events += event->action == EVENT_SENSOR_IMPAIRED;
    if (event->action == EVENT_SENSOR_IMPAIRED || event->action == EVENT_SENSOR_RESTORED)
        return;
    struct seen *seen = find_episode(study->telling, event);
    if (seen == NULL) {
        if (study->telling->count == EPISODES_MAX)
            return;
        seen = &study->telling->seen[study->telling->count++];
        *seen = (struct seen){.id = event->episode,
                              .decided_ns = event->time_ns,
                              .onset_ns = event->onset_ns,
                              .earliest_ns = event->onset_earliest_ns,
                              .latest_ns = event->onset_latest_ns,
                              .end_ns = TIME_NONE};
        study->open++;
    }
    seen->flaps = event->flaps;
    if (event->action != EVENT_OUTAGE_ENDED)
        return;
    study->open -= seen->end_ns == TIME_NONE;
    seen->end_decided_ns = event->time_ns;
    seen->end_ns = event->end_ns;
    seen->end_earliest_ns = event->end_earliest_ns;
    seen->end_latest_ns = event->end_latest_ns;
}

/* ---- its life ---- */

int study_begin(struct study *study, const struct plan *plan, struct telling *telling)
{
    uint32_t count = plan->wide ? STUDY_SCOPES_MAX : 2;
    telling->count = 0;
    *study = (struct study){.scopes = {plan->wide ? wide_scopes : narrow_scopes, count},
                            .options = {.bin_ns = 60 * NS_PER_S,
                                        .false_alarms_per_year = plan->wide ? plan->alarms_per_year
                                                                            : plan->alarms_per_year * count,
                                        .half_life_s = 14 * 86400,
                                        .recovery_hold_s = 900,
                                        .level_after_s = 7 * 86400,
                                        .learn_flows = 100,
                                        .learn_s = 1800},
                            .output = {study, keep_bin, keep_event},
                            .telling = telling,
                            .detectable_s = -1};
    study->analysis = analysis_new(&study->options, &study->scopes, &study->output);
    return study->analysis != NULL ? 0 : -1;
}

int study_resume(struct study *study)
{
    size_t length = analysis_save(study->analysis, NULL, 0);
    uint8_t *bytes = malloc(length);
    const char *why;
    struct analysis *another = analysis_new(&study->options, &study->scopes, &study->output);
    int status = -1;
    if (bytes != NULL && another != NULL && analysis_save(study->analysis, bytes, length) == length)
        status = analysis_load(another, bytes, length, &why);
    analysis_free(study->analysis);
    study->analysis = another;
    free(bytes);
    return status;
}

void study_end(struct study *study)
{
    analysis_free(study->analysis);
}
