/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the circumstances of an outage off what the study holds: how things went before the onset, what has
 * come since, and how the scopes beside it do.
 */
#include <math.h>

#include "cause.h"
#include "series.h"

static const double knocks_least = 5;   /* expected since the onset before their absence means anything */
static const double lives_least = 10;   /* expected signs of life before their share does */
static const double unseen_most = 0.01; /* packets in over those out: so few, and that way is not seen */
static const double samples_least = 3;  /* of round trips */
static const double hops_least = 1;     /* that another way is longer or shorter */
static const double step_most_s = 300;  /* a longer one with the fall in it says little of what came before */
static const int64_t at_once_ns =
    1200 * NS_PER_S; /* what routers say later follows from it, whatever it was */
static const int64_t before_rest_ns = 300 * NS_PER_S; /* so much sooner is sooner */

/* What a surge is measured against where there is usually next to nothing, a second. */
static const struct {
    enum tally_measure measure;
    double least_per_s;
} surges[] = {{TALLY_packets_in, 0.2}, {TALLY_syn_in, 0.1}, {TALLY_peers, 0.05}};

/* ---- before the fall ---- */

static void read_surge(const struct trend *before, struct cause_facts *facts)
{
    double most = -1;
    for (size_t i = 0; i < sizeof surges / sizeof *surges; i++)
        most = fmax(most, trend_surge(before, surges[i].measure, surges[i].least_per_s));
    if (most >= 0)
        cause_read(facts, EVIDENCE_INBOUND_SURGE, most, 1);
    double odd = trend_fast(before, TALLY_reflected_in) + trend_fast(before, TALLY_oneway_out),
           usual = trend_usual(before, TALLY_reflected_in) + trend_usual(before, TALLY_oneway_out);
    cause_read(facts, EVIDENCE_REFLECTION, odd - usual, usual);
}

static double loss(double again, double packets)
{
    return (again + 0.01 * packets) / packets; /* one in a hundred is nothing to speak of */
}

static void read_strain(const struct trend *before, struct cause_facts *facts)
{
    double packets = trend_fast(before, TALLY_packets_in) + trend_fast(before, TALLY_packets_out),
           usual_packets = trend_usual(before, TALLY_packets_in) + trend_usual(before, TALLY_packets_out);
    double again = trend_fast(before, TALLY_retransmits_in) + trend_fast(before, TALLY_retransmits_out),
           usual_again =
               trend_usual(before, TALLY_retransmits_in) + trend_usual(before, TALLY_retransmits_out);
    if (packets > 0 && usual_packets > 0)
        cause_read(facts, EVIDENCE_LOSS_RISING, loss(again, packets) / loss(usual_again, usual_packets), 1);
    double trip = trend_mean_fast(before, TALLY_handshake_us, TALLY_handshakes),
           usual_trip = trend_mean_usual(before, TALLY_handshake_us, TALLY_handshakes);
    if (trend_samples_fast(before, TALLY_handshakes) >= samples_least && usual_trip > 0)
        cause_read(facts, EVIDENCE_DELAY_RISING, trip / usual_trip, 1);
}

/* Whether it fell in one step, or had begun to fail before. */
static void read_slope(const struct series *series, const struct trend *before, struct cause_facts *facts)
{
    const struct population *life = series_life((struct series *)series);
    enum tally_measure measure = series_measure(series);
    double expected = life->rate.per_s * detect_signs_per_event(life);
    if (!(expected * 900 >= lives_least) || before->seconds < 1800)
        return;
    double share = trend_fast(before, measure) / expected;
    cause_read(facts, EVIDENCE_RAMP, share, 1);
    cause_read(facts, EVIDENCE_CLEAN_STEP, share, 1);
}

/* Services that were down by themselves before the rest fell. */
static void read_services(const struct analysis *analysis, const struct episode *episode,
                          struct cause_facts *facts)
{
    unsigned first = 0;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        const struct episode *part = &analysis->series[i].episode;
        first += analysis->scopes->items[i].kind == SCOPE_SERVICE && part->open &&
                 part->onset_latest_ns < episode->onset_earliest_ns - before_rest_ns;
    }
    cause_read(facts, EVIDENCE_SERVICES_FIRST, first, 0);
}

/* ---- since the onset ---- */

static void read_knocks(const struct series *series, struct cause_facts *facts)
{
    const struct episode_mark *before = &series->episode.before, *now = &series->so_far;
    double in = trend_usual(&before->trend, TALLY_packets_in),
           out = trend_usual(&before->trend, TALLY_packets_out);
    cause_read(facts, EVIDENCE_INBOUND_UNSEEN, in < unseen_most * out, -1);
    double knocks = now->knock_expected - before->knock_expected,
           lives = now->life_expected - before->life_expected;
    if (knocks < knocks_least)
        return;
    double ratio = (now->knock - before->knock) / knocks;
    cause_read(facts, EVIDENCE_INBOUND_PERSISTS, ratio, 1);
    cause_read(facts, EVIDENCE_INBOUND_CEASED, ratio, 1);
    if (lives < lives_least || ratio < 0.1 || ratio > 0.8)
        return;
    cause_read(facts, EVIDENCE_KNOCKS_ANSWERED, (now->life - before->life) / lives / ratio, 1);
}

/* Above what is usual, a minute. */
static double errors_since(const struct series *series, enum tally_measure measure)
{
    const struct trend *before = &series->episode.before.trend, *now = &series->so_far.trend;
    return 60 * fmax(0, trend_rate_since(before, now, measure) - trend_usual(before, measure));
}

/* What routers say: that they know no way to the network, or that they stand before its door and nobody
 * answers. Where only what goes in is seen their words are not. */
static void read_routers(const struct series *series, struct cause_facts *facts)
{
    double unreachable = errors_since(series, TALLY_icmp_unreachable),
           no_route = errors_since(series, TALLY_icmp_no_route);
    cause_read(facts, EVIDENCE_ICMP_NO_ROUTE, no_route, 0);
    cause_read(facts, EVIDENCE_ICMP_NO_HOST, fmax(0, unreachable - no_route), 0);
    cause_read(facts, EVIDENCE_ICMP_PROHIBITED, errors_since(series, TALLY_icmp_prohibited), 0);
    cause_read(facts, EVIDENCE_ICMP_EXCEEDED, errors_since(series, TALLY_icmp_exceeded), 0);
    cause_read(facts, EVIDENCE_ROUTERS_UNHEARD, series->witness == WITNESS_ACKED, -1);
}

/* How many ms the round trips to what is left differ from the usual ones, most of any prefix. */
static void read_route(const struct analysis *analysis, struct cause_facts *facts)
{
    double most = -1, usual = -1;
    for (uint32_t i = 0; i < analysis->scopes->count; i++) {
        const struct trend *trend = &analysis->series[i].so_far.trend;
        if (analysis->scopes->items[i].kind != SCOPE_PREFIX || analysis->series[i].state != STATE_UP ||
            trend_samples_fast(trend, TALLY_handshakes) < samples_least)
            continue;
        double trip = trend_mean_fast(trend, TALLY_handshake_us, TALLY_handshakes) / 1000,
               was = trend_mean_usual(trend, TALLY_handshake_us, TALLY_handshakes) / 1000;
        double further = fabs(trend_mean_fast(trend, TALLY_answered_hops, TALLY_answered_flows) -
                              trend_mean_usual(trend, TALLY_answered_hops, TALLY_answered_flows));
        if (trend_samples_fast(trend, TALLY_answered_flows) < samples_least || further < hops_least)
            continue; /* slower alone is a queue, and no other way */
        if (was > 0 && fabs(trip - was) > most) {
            most = fabs(trip - was);
            usual = was;
        }
    }
    if (most >= 0)
        cause_read(facts, EVIDENCE_ROUTE_CHANGED, most, usual);
}

/* ---- beside it ---- */

static void read_names(const struct analysis *analysis, struct cause_facts *facts)
{
    unsigned down = 0, known = 0;
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        if (analysis->scopes->items[i].name_server) {
            down += analysis->series[i].episode.open;
            known++;
        }
    cause_read(facts, EVIDENCE_NAME_SERVERS, down, known);
}

static void count_parts(const struct analysis *analysis, uint32_t number, const struct event *event,
                        struct cause_facts *facts)
{
    unsigned down = 0, lost = 0, up = 0, others = 0;
    for (uint32_t i = 0; i < event->path_count; i++) {
        if (event->paths[i].last_seen_ns == TIME_NONE)
            continue;
        bool fell = event->paths[i].state == STATE_DOWN || event->paths[i].state == STATE_RECOVERING;
        down += fell;
        /* A path by which something still comes is not lost, whatever fell of what it carries. */
        lost += fell && event->paths[i].last_seen_ns <= event->paths[i].onset_ns + before_rest_ns;
        up += event->paths[i].state == STATE_UP;
    }
    for (uint32_t i = 0; i < analysis->scopes->count; i++)
        others += i != number && analysis->scopes->items[i].kind == facts->kind &&
                  analysis->series[i].state == STATE_UP;
    cause_read(facts, EVIDENCE_ALL_PATHS, up == 0 ? down : 0, down + up);
    cause_read(facts, EVIDENCE_ONLY_PATH, event->path_count > 1 && down + up == 1, event->path_count);
    cause_read(facts, EVIDENCE_ONE_PATH, lost == 1 || facts->kind == SCOPE_ALL ? up : 0, down + up);
    cause_read(facts, EVIDENCE_OTHERS_UP, others, -1);
}

/* What led to it is read once, when it is first told: later the services that are down say nothing of who
 * went first. */
static void read_before(const struct analysis *analysis, const struct series *series,
                        struct cause_facts *facts)
{
    const struct trend *before = &series->episode.before.trend;
    if (series->step_s <= step_most_s) {
        read_surge(before, facts);
        read_strain(before, facts);
        read_slope(series, before, facts);
    }
    read_services(analysis, &series->episode, facts);
}

struct cause_facts facts_gather(const struct analysis *analysis, uint32_t number, const struct event *event)
{
    const struct series *series = &analysis->series[number];
    bool told = series->episode.verdict != VERDICT__COUNT;
    struct cause_facts facts = {.kind = analysis->scopes->items[number].kind, .control = event->control};
    if (told)
        facts = series->facts;
    else
        read_before(analysis, series, &facts);
    read_knocks(series, &facts);
    if (!told || analysis->end_ns - series->episode.onset_ns < at_once_ns)
        read_routers(series, &facts);
    read_route(analysis, &facts);
    read_names(analysis, &facts);
    count_parts(analysis, number, event, &facts);
    return facts;
}
