/* SPDX-License-Identifier: BSD-3-Clause */
#include "trial.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "judge.h"
#include "optimum.h"
#include "random.h"
#include "study.h"

/* A stream under way. */
struct trial {
    const struct plan *plan;
    struct truth truth;
    unsigned outage; /* the oracle's next one */
    unsigned marked; /* outages before which the study was asked what it could see */
    struct study study;
    struct field *field; /* NULL: not asked for */
    uint64_t cut_seed;   /* 0: in one piece */
    struct outcome *outcomes;
    struct telling tellings[]; /* one, or CONTENDERS */
};

static const double year_s = 365.25 * 86400;
static const double cut_chance_s = 4 * 3600; /* so far apart are the checkpoints of a stream run in pieces */
static const double cut_chance_open_s = 120; /* while an episode is open */

double trial_optimum_s(const struct plan *plan)
{
    double factor = plan->shape.change_day > 0 ? plan->shape.change_rate : 1;
    double per_s = plan->shape.per_minute * factor / 60 / plan->shape.cluster,
           rho = plan->depth < 1 ? 1 - plan->depth : 0;
    return optimum_delay(rho, per_s * year_s / plan->alarms_per_year) / per_s;
}

/* ---- feeding ---- */

static void count_life(struct tally *tally, const struct life *life)
{
    tally->value[TALLY_flows]++;
    tally->value[TALLY_live_flows]++;
    tally->value[TALLY_answered_flows]++;
    tally->value[TALLY_live_bursts] += life->first;
    tally->value[TALLY_answered_bursts] += life->first;
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
    struct truth *truth = &trial->truth;
    while (trial->outage < truth->count) {
        unsigned i = trial->outage;
        const struct outage *outage = &truth->outages[i];
        if (to_ns < outage->onset_ns)
            break;
        if (oracle->now_ns < outage->onset_ns) {
            oracle_run(oracle, outage->onset_ns);
            oracle->alarm_ns = TIME_NONE;
            truth->gap_s[i] = 1 / generate_intensity(oracle->stream, outage->onset_ns);
        }
        oracle_run(oracle, to_ns < outage->end_ns ? to_ns : outage->end_ns);
        if (isinf(truth->oracle_s[i]) && oracle->alarm_ns != TIME_NONE)
            truth->oracle_s[i] = clock_seconds(outage->onset_ns, oracle->alarm_ns);
        if (to_ns < outage->end_ns)
            return;
        oracle_restart(oracle);
        trial->outage++;
    }
    oracle_run(oracle, to_ns);
}

/* The last that the study said before an onset of what it could see. */
static void mark_detectable(struct trial *trial, int64_t step_end_ns)
{
    struct truth *truth = &trial->truth;
    for (; trial->marked < truth->count && truth->outages[trial->marked].onset_ns < step_end_ns;
         trial->marked++)
        truth->detectable_s[trial->marked] = trial->study.detectable_s;
}

/* Perhaps takes a checkpoint and goes on from it. */
static void cut_perhaps(struct trial *trial)
{
    double every_s = trial->study.open > 0 ? cut_chance_open_s : cut_chance_s;
    if (trial->cut_seed == 0 || random_uniform(&trial->cut_seed) > trial->plan->step_s / every_s)
        return;
    trial->outcomes[0].cuts++;
    trial->outcomes[0].cuts_open += trial->study.open > 0;
    if (study_resume(&trial->study) != 0)
        trial->outcomes[0].failed = true;
}

static void feed(struct trial *trial, struct stream *stream)
{
    const int64_t step_ns = (int64_t)(trial->plan->step_s * (double)NS_PER_S);
    const uint32_t scopes = trial->study.scopes.count;
    uint64_t unknown = TALLY_BIT(TALLY_drops) | TALLY_BIT(TALLY_proven_flows) |
                       TALLY_BIT(TALLY_proven_bursts) | TALLY_BIT(TALLY_knocks);
    if (!trial->plan->told_apart)
        unknown |= TALLY_BIT(TALLY_live_bursts) | TALLY_BIT(TALLY_answered_bursts);
    struct oracle oracle;
    oracle_init(&oracle, stream, trial->plan->depth > 0 ? trial->plan->depth : 1,
                trial->plan->alarms_per_year);
    struct life life;
    bool more = generate_next(stream, &life);
    for (int64_t at_ns = GENERATE_BEGIN_NS; at_ns < generate_end_ns(stream) && !trial->outcomes[0].failed;
         at_ns += step_ns) {
        struct tally tallies[STUDY_SCOPES_MAX];
        for (uint32_t i = 0; i < scopes; i++)
            tallies[i] = tally_empty(at_ns, at_ns + step_ns, TALLY_ALL_KNOWN & ~unknown);
        for (; more && life.at_ns < at_ns + step_ns; more = generate_next(stream, &life)) {
            ask_oracle(trial, &oracle, life.at_ns);
            oracle_take(&oracle, &life);
            trial->outcomes[0].events++;
            count_life(&tallies[0], &life);
            for (uint32_t i = 1; i + 1 < scopes; i++)
                if (study_covers(i, life.host))
                    count_life(&tallies[i], &life);
            if (trial->field != NULL)
                field_take(trial->field, life.at_ns);
        }
        ask_oracle(trial, &oracle, at_ns + step_ns);
        count_steady(&tallies[0], &tallies[scopes - 1]);
        mark_detectable(trial, at_ns + step_ns);
        analysis_step(trial->study.analysis, tallies);
        cut_perhaps(trial);
        if (trial->field != NULL)
            field_run(trial->field, at_ns + step_ns);
    }
    if (!trial->outcomes[0].failed)
        analysis_finish(trial->study.analysis);
}

/* ---- a stream ---- */

static void rule_says_down(void *context, unsigned rule, int64_t decided_ns, int64_t onset_ns)
{
    struct trial *trial = context;
    struct telling *telling = &trial->tellings[1 + rule];
    if (telling->count < EPISODES_MAX)
        telling->seen[telling->count++] = (struct seen){.decided_ns = decided_ns,
                                                        .onset_ns = onset_ns,
                                                        .earliest_ns = onset_ns,
                                                        .latest_ns = decided_ns,
                                                        .end_ns = TIME_NONE};
}

/* Runs the stream of a seed once, and leaves what was told in the tellings. */
static void run_once(struct trial *trial, uint64_t seed)
{
    const struct plan *plan = trial->plan;
    trial->outage = trial->marked = 0;
    truth_plan(&trial->truth, plan, seed ^ 0x5bf03635);
    if (plan->field) {
        const struct rule_setting setting = {plan->shape.per_minute, plan->alarms_per_year};
        for (unsigned i = 0; i < RULES; i++)
            trial->tellings[1 + i].count = 0;
        trial->field = field_new(&setting, GENERATE_BEGIN_NS, rule_says_down, trial);
    }
    struct stream *stream =
        generate_new(&plan->shape, trial->truth.days, seed, trial->truth.outages, trial->truth.count);
    if (study_begin(&trial->study, plan, &trial->tellings[0]) == 0 && stream != NULL &&
        (trial->field != NULL || !plan->field))
        feed(trial, stream);
    else
        trial->outcomes[0].failed = true;
    study_end(&trial->study);
    field_free(trial->field);
    trial->field = NULL;
    generate_free(stream);
}

/* The same stream once more, in pieces. */
static void run_resumed(struct trial *trial, uint64_t seed)
{
    struct study whole = trial->study;
    trial->cut_seed = seed + 77;
    run_once(trial, seed);
    trial->cut_seed = 0;
    trial->outcomes[0].streams++;
    trial->outcomes[0].same_events += trial->study.events_hash == whole.events_hash;
    trial->outcomes[0].same_bins += trial->study.bins_hash == whole.bins_hash;
}

static void run_stream(struct trial *trial, uint64_t seed, unsigned contenders)
{
    run_once(trial, seed);
    double quiet_s = trial->truth.days * 86400;
    for (unsigned i = 0; i < trial->truth.count; i++)
        quiet_s -=
            clock_seconds(trial->truth.outages[i].onset_ns, generate_over_ns(&trial->truth.outages[i]));
    for (unsigned i = 0; i < contenders; i++) {
        trial->outcomes[i].years += quiet_s / year_s;
        judge_stream(trial->plan, &trial->truth, &trial->tellings[i], &trial->outcomes[i]);
    }
    struct outcome *outcome = &trial->outcomes[0];
    outcome->sensor_events += trial->study.sensor_events;
    outcome->events_hash = outcome->events_hash * 31 + trial->study.events_hash;
    outcome->bins_hash = outcome->bins_hash * 31 + trial->study.bins_hash;
    if (trial->plan->resumed)
        run_resumed(trial, seed);
}

void trial_run(const struct plan *plan, uint64_t seed, struct outcome *outcomes)
{
    unsigned contenders = plan->field ? CONTENDERS : 1;
    struct trial *trial = malloc(sizeof *trial + contenders * sizeof trial->tellings[0]);
    for (unsigned i = 0; i < contenders; i++)
        outcomes[i] = (struct outcome){.failed = trial == NULL};
    if (trial == NULL)
        return;
    clock_t begin = clock();
    *trial = (struct trial){.plan = plan, .outcomes = outcomes};
    for (unsigned i = 0; i < plan->repeats && !outcomes[0].failed; i++)
        run_stream(trial, seed + i, contenders);
    outcomes[0].seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    free(trial);
}
