/* SPDX-License-Identifier: BSD-3-Clause */
#include "trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis.h"
#include "optimum.h"
#include "random.h"

enum { SCOPES_MAX = 11, EPISODES_MAX = 4096 };

/* The scopes of a sensor, and which part of the hosts is behind each. `all` and `tap` alone, where one scope
 * is measured. */
static const struct scope narrow_scopes[] = {{SCOPE_ALL, true, "all"}, {SCOPE_TAP, false, "tap"}};
static const struct scope wide_scopes[SCOPES_MAX] = {
    {SCOPE_ALL, true, "all"},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/26"},
    {SCOPE_PREFIX, true, "prefix:192.0.2.64/26"},
    {SCOPE_PREFIX, true, "prefix:192.0.2.128/26"},
    {SCOPE_PREFIX, true, "prefix:192.0.2.192/26"},
    {SCOPE_PATH, true, "path:north"},
    {SCOPE_PATH, true, "path:east"},
    {SCOPE_SERVICE, true, "service:www"},
    {SCOPE_SERVICE, true, "service:mail"},
    {SCOPE_SERVICE, true, "service:dns"},
    {SCOPE_TAP, false, "tap"},
};
static const double wide_shares[SCOPES_MAX][2] = {{0, 1},     {0, 0.5},    {0.5, 0.8}, {0.8, 0.95},
                                                  {0.95, 1},  {0, 0.8},    {0.8, 1},   {0, 0.2},
                                                  {0.3, 0.4}, {0.55, 0.6}, {2, 2}};

struct seen {
    uint64_t id;
    int64_t decided_ns, onset_ns, earliest_ns, latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns; /* TIME_NONE: not ended */
};

/* A stream under way. */
struct trial {
    const struct plan *plan;
    struct outcome *outcome;
    struct outage outages[OUTAGES_MAX];
    unsigned outage_count, outage;
    double detectable_s[OUTAGES_MAX], oracle_s[OUTAGES_MAX], gap_s[OUTAGES_MAX];
    unsigned seen_count;
    struct seen seen[EPISODES_MAX];
};

static const double year_s = 365.25 * 86400;

static int64_t plus_s(int64_t at_ns, double seconds)
{
    return at_ns + (int64_t)(seconds * (double)NS_PER_S);
}

double trial_optimum_s(const struct plan *plan)
{
    double per_s = plan->shape.per_minute / 60 / plan->shape.cluster,
           rho = plan->depth < 1 ? 1 - plan->depth : 0;
    return optimum_delay(rho, per_s * year_s / plan->alarms_per_year) / per_s;
}

/* ---- what the study says ---- */

static void hash_in(struct outcome *outcome, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        outcome->hash = (outcome->hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211ULL;
}

static void keep_bin(void *context, const struct bin *bin)
{
    struct trial *trial = context;
    if (bin->scope != SCOPE_NUMBER_ALL)
        return;
    hash_in(trial->outcome, &bin->expected, sizeof bin->expected);
    if (trial->outage < trial->outage_count && bin->tally.end_ns <= trial->outages[trial->outage].onset_ns)
        trial->detectable_s[trial->outage] = bin->detectable_s;
}

static void keep_event(void *context, const struct event *event)
{
    struct trial *trial = context;
    hash_in(trial->outcome, &event->time_ns, sizeof event->time_ns);
    hash_in(trial->outcome, &event->episode, sizeof event->episode);
    hash_in(trial->outcome, &event->log_odds, sizeof event->log_odds);
    if (event->action == EVENT_SENSOR_IMPAIRED)
        trial->outcome->sensor_events++;
    if (event->action == EVENT_SENSOR_IMPAIRED || event->action == EVENT_SENSOR_RESTORED)
        return;
    unsigned i = trial->seen_count;
    while (i > 0 && trial->seen[i - 1].id != event->episode)
        i--;
    if (i == 0) {
        if (trial->seen_count == EPISODES_MAX)
            return;
        trial->seen[trial->seen_count++] = (struct seen){.id = event->episode,
                                                         .decided_ns = event->time_ns,
                                                         .onset_ns = event->onset_ns,
                                                         .earliest_ns = event->onset_earliest_ns,
                                                         .latest_ns = event->onset_latest_ns,
                                                         .end_ns = TIME_NONE};
        i = trial->seen_count;
    }
    if (event->action == EVENT_OUTAGE_ENDED) {
        trial->seen[i - 1].end_ns = event->end_ns;
        trial->seen[i - 1].end_earliest_ns = event->end_earliest_ns;
        trial->seen[i - 1].end_latest_ns = event->end_latest_ns;
    }
}

/* ---- feeding ---- */

static void count_life(struct tally *tally, const struct life *life)
{
    tally->value[TALLY_flows]++;
    tally->value[TALLY_live_flows]++;
    tally->value[TALLY_answered_flows]++;
    tally->value[TALLY_packets_in] += 5;
    tally->value[TALLY_packets_out] += 5;
    tally_span_add(&tally->answered, life->at_ns);
    tally_span_add(&tally->live, life->at_ns);
    tally_span_add(&tally->in, life->at_ns);
    tally_span_add(&tally->out, life->at_ns);
}

/* Ten packets a second that are not watched, and a scan that knocks every five seconds, whatever happens. */
static void count_steady(struct tally *all, struct tally *tap)
{
    double seconds = clock_seconds(tap->start_ns, tap->end_ns);
    tap->value[TALLY_packets_in] = (uint64_t)(seconds * 10);
    tap->in = (struct tally_span){tap->start_ns + NS_PER_S / 20, tap->end_ns - NS_PER_S / 20};
    all->value[TALLY_flows] += (uint64_t)(seconds / 5);
    all->value[TALLY_packets_in] += (uint64_t)(seconds / 5);
}

/* Lets the oracle see the event, or the end, and notes when it calls the outage. */
static void ask_oracle(struct trial *trial, struct oracle *oracle, int64_t to_ns)
{
    while (trial->outage < trial->outage_count) {
        unsigned i = trial->outage;
        const struct outage *outage = &trial->outages[i];
        if (to_ns < outage->onset_ns)
            break;
        if (oracle->now_ns < outage->onset_ns) {
            oracle_run(oracle, outage->onset_ns);
            oracle->alarm_ns = TIME_NONE;
            trial->gap_s[i] = 1 / generate_intensity(oracle->stream, outage->onset_ns);
        }
        oracle_run(oracle, to_ns < outage->end_ns ? to_ns : outage->end_ns);
        if (isinf(trial->oracle_s[i]) && oracle->alarm_ns != TIME_NONE)
            trial->oracle_s[i] = clock_seconds(outage->onset_ns, oracle->alarm_ns);
        if (to_ns < outage->end_ns)
            return;
        oracle_restart(oracle);
        trial->outage++;
    }
    oracle_run(oracle, to_ns);
}

static void feed(struct trial *trial, struct stream *stream, struct analysis *analysis,
                 const struct scope_list *scopes)
{
    const int64_t step_ns = (int64_t)(trial->plan->step_s * (double)NS_PER_S);
    struct oracle oracle;
    oracle_init(&oracle, stream, trial->plan->depth > 0 ? trial->plan->depth : 1,
                trial->plan->alarms_per_year);
    struct life life;
    bool more = generate_next(stream, &life);
    for (int64_t at_ns = GENERATE_BEGIN_NS; at_ns < generate_end_ns(stream); at_ns += step_ns) {
        struct tally tallies[SCOPES_MAX];
        for (uint32_t i = 0; i < scopes->count; i++)
            tallies[i] = tally_empty(at_ns, at_ns + step_ns, TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_drops));
        for (; more && life.at_ns < at_ns + step_ns; more = generate_next(stream, &life)) {
            ask_oracle(trial, &oracle, life.at_ns);
            oracle_take(&oracle, &life);
            trial->outcome->events++;
            count_life(&tallies[0], &life);
            for (uint32_t i = 1; i + 1 < scopes->count; i++)
                if (life.host >= wide_shares[i][0] && life.host < wide_shares[i][1])
                    count_life(&tallies[i], &life);
        }
        ask_oracle(trial, &oracle, at_ns + step_ns);
        count_steady(&tallies[0], &tallies[scopes->count - 1]);
        analysis_step(analysis, tallies);
    }
    analysis_finish(analysis);
}

/* ---- the truth ---- */

/* Outages whose lengths are multiples of the optimum's delay, from hardly to easily found, far enough apart
 * for each to be over before the next. Returns the days that the stream needs. */
static double plan_outages(struct trial *trial, uint64_t seed)
{
    static const double lengths[] = {4, 1.5, 8, 2.5, 5, 3, 20, 4};
    const struct plan *plan = trial->plan;
    double optimum_s = trial_optimum_s(plan), at_s = plan->train_days * 86400;
    for (unsigned i = 0; i < plan->outages; i++) {
        double length_s = lengths[i % 8] * optimum_s * (0.9 + 0.2 * random_uniform(&seed));
        at_s += (6 * optimum_s + 4 * 3600) * (0.7 + 0.6 * random_uniform(&seed));
        trial->outages[i] = (struct outage){plus_s(GENERATE_BEGIN_NS, at_s),
                                            plus_s(GENERATE_BEGIN_NS, at_s + length_s), plan->depth};
        trial->detectable_s[i] = -1;
        trial->oracle_s[i] = INFINITY;
        at_s += length_s;
    }
    trial->outage_count = plan->outages;
    return (at_s + 6 * optimum_s + 4 * 3600) / 86400;
}

/* ---- the judgement ---- */

static void judge_episode(const struct outage *outage, const struct seen *seen, struct fate *fate)
{
    if (fate->episodes++ > 0)
        return;
    fate->late = seen->decided_ns >= outage->end_ns;
    if (!fate->late)
        fate->delay_s = clock_seconds(outage->onset_ns, seen->decided_ns);
    fate->onset_error_s = clock_seconds(outage->onset_ns, seen->onset_ns);
    fate->onset_width_s = clock_seconds(seen->earliest_ns, seen->latest_ns);
    fate->onset_inside = seen->earliest_ns <= outage->onset_ns && outage->onset_ns <= seen->latest_ns;
    if (seen->end_ns == TIME_NONE)
        return;
    fate->ended = true;
    fate->end_error_s = clock_seconds(outage->end_ns, seen->end_ns);
    fate->end_inside = seen->end_earliest_ns <= outage->end_ns && outage->end_ns <= seen->end_latest_ns;
}

/* Decided while it lasted; or after it, but before anything had come back to prove it over; or, as a
 * fragment, soon after it. */
static bool belongs(const struct outage *outage, const struct seen *seen, const struct fate *fate,
                    double after_s)
{
    return seen->decided_ns < outage->end_ns || seen->earliest_ns < outage->end_ns ||
           (fate->episodes > 0 && seen->decided_ns < plus_s(outage->end_ns, after_s));
}

static void judge(struct trial *trial)
{
    const struct plan *plan = trial->plan;
    struct outcome *outcome = trial->outcome;
    double after_s = plan->depth > 0 ? 2 * trial_optimum_s(plan) : 0;
    unsigned s = 0;
    for (unsigned i = 0; i < trial->outage_count && outcome->fate_count < FATES_MAX; i++) {
        const struct outage *outage = &trial->outages[i];
        struct fate *fate = &outcome->fates[outcome->fate_count++];
        *fate = (struct fate){.length_s = clock_seconds(outage->onset_ns, outage->end_ns),
                              .detectable_s = trial->detectable_s[i],
                              .gap_s = trial->gap_s[i],
                              .delay_s = INFINITY,
                              .oracle_s = trial->oracle_s[i]};
        for (; s < trial->seen_count && trial->seen[s].decided_ns < outage->onset_ns; s++)
            outcome->false_alarms++;
        for (; s < trial->seen_count && belongs(outage, &trial->seen[s], fate, after_s); s++)
            judge_episode(outage, &trial->seen[s], fate);
    }
    for (; s < trial->seen_count; s++) {
        outcome->false_alarms++;
        outcome->early_alarms += clock_seconds(GENERATE_BEGIN_NS, trial->seen[s].decided_ns) < 14 * 86400;
    }
}

static void run_stream(struct trial *trial, uint64_t seed)
{
    const struct plan *plan = trial->plan;
    trial->outage = trial->seen_count = trial->outage_count = 0;
    double days = plan->depth > 0 ? plan_outages(trial, seed ^ 0x5bf03635) : plan->quiet_days;
    const struct scope_list scopes = {plan->wide ? wide_scopes : narrow_scopes, plan->wide ? SCOPES_MAX : 2};
    const struct analysis_options options = {
        .bin_ns = 60 * NS_PER_S,
        .false_alarms_per_year = plan->wide ? plan->alarms_per_year : plan->alarms_per_year * scopes.count,
        .half_life_s = 14 * 86400,
        .recovery_hold_s = 900,
        .learn_flows = 100,
        .learn_s = 1800};
    const struct analysis_output output = {trial, keep_bin, keep_event};
    struct stream *stream = generate_new(&plan->shape, days, seed, trial->outages, trial->outage_count);
    struct analysis *analysis = analysis_new(&options, &scopes, &output);
    if (stream != NULL && analysis != NULL) {
        feed(trial, stream, analysis, &scopes);
        judge(trial);
        double quiet_s = days * 86400;
        for (unsigned i = 0; i < trial->outage_count; i++)
            quiet_s -= clock_seconds(trial->outages[i].onset_ns, trial->outages[i].end_ns);
        trial->outcome->years += quiet_s / year_s;
    } else {
        trial->outcome->failed = true;
    }
    analysis_free(analysis);
    generate_free(stream);
}

void trial_run(const struct plan *plan, uint64_t seed, struct outcome *outcome)
{
    struct trial *trial = malloc(sizeof *trial);
    *outcome = (struct outcome){.hash = 14695981039346656037ULL, .failed = trial == NULL};
    if (trial == NULL)
        return;
    clock_t begin = clock();
    trial->plan = plan;
    trial->outcome = outcome;
    for (unsigned i = 0; i < plan->repeats; i++)
        run_stream(trial, seed + i);
    outcome->seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    free(trial);
}
