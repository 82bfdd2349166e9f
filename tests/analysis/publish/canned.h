/* SPDX-License-Identifier: BSD-3-Clause */
/* A canned sequence of events, bins and flows for the tests of the letterbox: the same each time. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "flow_record.h"
#include "scope.h"
#include "tally.h"

/* 2025-06-06T12:00:00Z */
#define CANNED_START_NS (INT64_C(1749211200) * NS_PER_S)

static const struct scope canned_items[] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:175.45.176.0/24", false},
    {SCOPE_PATH, true, "path:china-unicom", false},
    {SCOPE_SERVICE, true, "service:kcna.kp", false},
    {SCOPE_TAP, false, "tap", false},
};
static const struct scope_list canned_scopes = {.items = canned_items,
                                                .count = sizeof canned_items / sizeof *canned_items};

static inline struct event_part canned_part(const char *name, enum scope_state state, int64_t onset_ns)
{
    struct event_part part = {
        .state = state, .onset_ns = onset_ns, .last_seen_ns = onset_ns - NS_PER_S, .depth = 1};
    if (onset_ns == TIME_NONE)
        part.last_seen_ns = TIME_NONE;
    snprintf(part.name, sizeof part.name, "%s", name);
    return part;
}

/* Puts the parts and the causes of a whole blackout into an event. */
static inline void canned_blackout(struct event *event)
{
    const double probability[VERDICT__COUNT] = {0.86, 0.05, 0.04, 0.03, 0.01, 0.01};
    memcpy(event->probability, probability, sizeof probability);
    event->evidence[0] = (struct event_evidence){EVIDENCE_INBOUND_PERSISTS, 1.02, 1, VERDICT_INTERNAL, 2};
    event->evidence[1] = (struct event_evidence){EVIDENCE_ALL_PATHS, 2, -1, VERDICT_INTERNAL, 1.5};
    event->verdict_before = VERDICT__COUNT;
    event->evidence_count = 2;
    event->prefixes[0] = canned_part("175.45.176.0/24", STATE_DOWN, event->onset_ns);
    event->prefixes[1] = canned_part("175.45.177.0/24", STATE_LEARNING, TIME_NONE);
    event->prefix_count = 2;
    event->paths[0] = canned_part("china-unicom", STATE_DOWN, event->onset_ns);
    event->paths[1] = canned_part("transtelecom", STATE_DOWN, event->onset_ns);
    event->path_count = 2;
    event->services[0] = canned_part("kcna.kp", STATE_DOWN, event->onset_ns);
    event->service_count = 1;
}

static inline struct event canned_outage(enum event_action action, int64_t onset_ns)
{
    struct event event = {.action = action, .control = true, .signal = SIGNAL_ANSWERED_FLOWS, .depth = 1};
    snprintf(event.scope, sizeof event.scope, "all");
    event.time_ns = onset_ns + 158600 * NS_PER_MS;
    event.onset_ns = onset_ns;
    event.onset_earliest_ns = onset_ns - NS_PER_S;
    event.onset_latest_ns = onset_ns + 17 * NS_PER_S;
    event.end_ns = event.end_earliest_ns = event.end_latest_ns = TIME_NONE;
    event.expected_rate = 7.1;
    event.log_odds = 19.2;
    event.delay_s = 158.6;
    event.recovered = -1;
    event.hosts_expected = 23;
    canned_blackout(&event);
    return event;
}

static inline void canned_return(struct event *event, double recovered)
{
    event->recovered = recovered;
    event->observed_rate = recovered * event->expected_rate;
    event->hosts_seen = 9;
    event->return_count = 1;
    event->returns[0].at_ns = event->time_ns - 30 * NS_PER_S;
    snprintf(event->returns[0].name, sizeof event->returns[0].name, "prefix:175.45.176.0/24");
}

/* Eight events a round, an hour each: the sensor fails and returns, then an outage from start to end with a
 * relapse. The scope changes from round to round. */
static inline struct event canned_event(unsigned i)
{
    static const enum event_action actions[8] = {
        EVENT_SENSOR_IMPAIRED,   EVENT_SENSOR_RESTORED, EVENT_OUTAGE_STARTED,    EVENT_OUTAGE_UPDATED,
        EVENT_OUTAGE_RECOVERING, EVENT_OUTAGE_UPDATED,  EVENT_OUTAGE_RECOVERING, EVENT_OUTAGE_ENDED};
    unsigned round = i / 8, step = i % 8;
    int64_t begin_ns = CANNED_START_NS + round * 3600 * NS_PER_S;
    struct event event = canned_outage(actions[step], step < 2 ? begin_ns : begin_ns + 600 * NS_PER_S);
    event.episode = 2 * round + (step < 2 ? 0 : 1);
    event.sequence = step < 2 ? step : step - 2;
    event.time_ns += step * 300 * NS_PER_S;
    snprintf(event.scope, sizeof event.scope, "%s", canned_items[step < 2 ? 4 : round % 4].text);
    if (step < 2) {
        event.signal = SIGNAL_PACKETS_IN;
        event.expected_rate = 71234;
    }
    if (step == 4 || step >= 6)
        canned_return(&event, 0.4);
    event.flaps = step >= 5;
    if (step == 1 || step == 7) {
        event.end_ns = event.time_ns - 60 * NS_PER_S;
        event.end_earliest_ns = event.end_ns - NS_PER_S;
        event.end_latest_ns = event.end_ns + NS_PER_S;
        event.observed_rate = event.expected_rate;
    }
    return event;
}

/* Minute after minute, every scope in turn. */
static inline struct bin canned_bin(unsigned i)
{
    int64_t start_ns = CANNED_START_NS + i / canned_scopes.count * 60 * NS_PER_S;
    struct bin bin = {.scope = i % canned_scopes.count,
                      .start_ns = start_ns,
                      .signal = SIGNAL_ANSWERED_FLOWS,
                      .state = STATE_UP,
                      .expected = 7.125,
                      .low = 1.5,
                      .high = 16,
                      .route = {-1, -1, -1, -1},
                      .detectable_s = 140.25};
    bin.tally = tally_empty(start_ns, start_ns + 60 * NS_PER_S, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops));
    for (int m = 0; m < TALLY__COUNT; m++)
        bin.tally.value[m] = (uint64_t)m * 10 + i % 7;
    if (bin.scope == 4)
        bin.signal = SIGNAL_PACKETS_IN;
    return bin;
}

static inline struct flow_record canned_flow(unsigned i)
{
    struct flow_record flow = {
        .start_ns = CANNED_START_NS + i * NS_PER_MS,
        .end_ns = CANNED_START_NS + i * NS_PER_MS + 1500 * NS_PER_MS,
        .reason = FLOW_END_CLOSED,
        .protocol = 6,
        .answered = true,
        .application = "TLS.Google",
        .domain = "kcna.kp",
        .prefix = 1,
        .path = 2,
        .service = 3,
        .source = {.address = {[10] = 0xff, 0xff, 192, 0, 2, 1},
                   .port = (uint16_t)(40000 + i % 20000),
                   .packets = 9,
                   .bytes = 1234},
        .destination = {.address = {[10] = 0xff, 0xff, 175, 45, 176, 71},
                        .port = 443,
                        .packets = 8,
                        .bytes = 56789,
                        .watched = true},
    };
    return flow;
}
