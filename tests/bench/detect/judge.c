/* SPDX-License-Identifier: BSD-3-Clause */
#include "judge.h"

#include <math.h>

static int64_t plus_s(int64_t at_ns, double seconds)
{
    return at_ns + (int64_t)(seconds * (double)NS_PER_S);
}

static void judge_episode(const struct outage *outage, const struct seen *seen, struct fate *fate)
{
    if (fate->episodes++ > 0)
        return;
    fate->late = seen->decided_ns >= outage->end_ns;
    fate->told_s = clock_seconds(outage->onset_ns, seen->decided_ns);
    if (!fate->late)
        fate->delay_s = fate->told_s;
    fate->onset_error_s = clock_seconds(outage->onset_ns, seen->onset_ns);
    fate->onset_width_s = clock_seconds(seen->earliest_ns, seen->latest_ns);
    fate->onset_inside = seen->earliest_ns <= outage->onset_ns && outage->onset_ns <= seen->latest_ns;
    fate->flaps_told = seen->flaps;
    if (seen->end_ns == TIME_NONE)
        return;
    fate->ended = true;
    fate->end_error_s = clock_seconds(outage->end_ns, seen->end_ns);
    fate->end_during = seen->end_ns >= outage->end_ns && seen->end_ns <= generate_over_ns(outage);
    fate->end_width_s = clock_seconds(seen->end_earliest_ns, seen->end_latest_ns);
    fate->end_inside = seen->end_earliest_ns <= outage->end_ns && outage->end_ns <= seen->end_latest_ns;
}

/* Decided while it lasted; or after it, but before anything had come back to prove it over; or, as a
 * fragment, soon after it. */
static bool belongs(const struct outage *outage, const struct seen *seen, const struct fate *fate,
                    double after_s)
{
    return seen->decided_ns < generate_over_ns(outage) || seen->earliest_ns < outage->end_ns ||
           (fate->episodes > 0 && seen->decided_ns < plus_s(generate_over_ns(outage), after_s));
}

/* What a change of the stream brought about before anything was wrong. */
static void judge_settling(const struct plan *plan, const struct truth *truth, const struct telling *telling,
                           struct outcome *outcome)
{
    if (!(plan->shape.change_day > 0) || outcome->settling_count == STREAMS_MAX)
        return;
    struct settling *settling = &outcome->settling[outcome->settling_count++];
    int64_t change_ns = plus_s(GENERATE_BEGIN_NS, plan->shape.change_day * 86400);
    *settling = (struct settling){0, 0};
    for (unsigned i = 0; i < telling->count; i++) {
        const struct seen *seen = &telling->seen[i];
        if (seen->decided_ns < change_ns ||
            (truth->count > 0 && seen->decided_ns >= truth->outages[0].onset_ns))
            continue;
        settling->episodes++;
        double days =
            seen->end_ns == TIME_NONE ? INFINITY : clock_seconds(change_ns, seen->end_decided_ns) / 86400;
        settling->days = fmax(settling->days, days);
    }
}

void judge_stream(const struct plan *plan, const struct truth *truth, const struct telling *telling,
                  struct outcome *outcome)
{
    double after_s = plan->depth > 0 ? 2 * trial_optimum_s(plan) : 0;
    unsigned s = 0;
    for (unsigned i = 0; i < truth->count && outcome->fate_count < FATES_MAX; i++) {
        const struct outage *outage = &truth->outages[i];
        struct fate *fate = &outcome->fates[outcome->fate_count++];
        *fate = (struct fate){.length_s = clock_seconds(outage->onset_ns, outage->end_ns),
                              .detectable_s = truth->detectable_s[i],
                              .gap_s = truth->gap_s[i],
                              .delay_s = INFINITY,
                              .told_s = INFINITY,
                              .flaps = truth_flaps(outage),
                              .oracle_s = truth->oracle_s[i]};
        for (; s < telling->count && telling->seen[s].decided_ns < outage->onset_ns; s++)
            outcome->false_alarms++;
        for (; s < telling->count && belongs(outage, &telling->seen[s], fate, after_s); s++)
            judge_episode(outage, &telling->seen[s], fate);
    }
    for (; s < telling->count; s++) {
        outcome->false_alarms++;
        outcome->early_alarms += clock_seconds(GENERATE_BEGIN_NS, telling->seen[s].decided_ns) < 14 * 86400;
    }
    judge_settling(plan, truth, telling, outcome);
}
