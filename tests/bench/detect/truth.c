/* SPDX-License-Identifier: BSD-3-Clause */
#include "truth.h"

#include <math.h>

#include "random.h"

static const double back_for_s = 240; /* of a flapping outage: too short for it to be over */
enum { FLAPS = 4 };

static int64_t at_s(double seconds)
{
    return GENERATE_BEGIN_NS + (int64_t)(seconds * (double)NS_PER_S);
}

static double draw_length_s(const struct plan *plan, unsigned number, double optimum_s, uint64_t *seed)
{
    static const double multiples[] = {4, 1.5, 8, 2.5, 5, 3, 20, 4};
    static const double by_clock[] = {900, 1800, 3600, 7200, 21600, 86400};
    double chance = random_uniform(seed);
    switch (plan->pattern) {
    case PATTERN_CLOCK:
        return by_clock[number % 6];
    case PATTERN_SHORT:
        return optimum_s * (0.2 + 2.4 * chance);
    case PATTERN_FLAPPING:
        return FLAPS * (4 * optimum_s + back_for_s) + 4 * optimum_s;
    default:
        return multiples[number % 8] * optimum_s * (0.9 + 0.2 * chance);
    }
}

void truth_plan(struct truth *truth, const struct plan *plan, uint64_t seed)
{
    *truth = (struct truth){.days = plan->quiet_days};
    if (!(plan->depth > 0))
        return;
    /* Far enough apart for each to be over before the next. */
    double optimum_s = trial_optimum_s(plan), clock_s = plan->train_days * 86400,
           apart_s = plan->pattern == PATTERN_CLOCK ? 8 * 86400 : 6 * optimum_s + 4 * 3600,
           vary = plan->pattern == PATTERN_CLOCK ? 0.25 : 0.6;
    for (unsigned i = 0; i < plan->outages; i++) {
        double length_s = draw_length_s(plan, i, optimum_s, &seed);
        clock_s += apart_s * (1 - vary / 2 + vary * random_uniform(&seed));
        struct outage *outage = &truth->outages[i];
        *outage = (struct outage){
            .onset_ns = at_s(clock_s), .end_ns = at_s(clock_s + length_s), .depth = plan->depth};
        if (plan->pattern == PATTERN_TRICKLE)
            outage->back_s = 2 * optimum_s + 1800;
        if (plan->pattern == PATTERN_FLAPPING) {
            outage->up_s = back_for_s;
            outage->down_s = 4 * optimum_s;
        }
        truth->detectable_s[i] = -1;
        truth->oracle_s[i] = INFINITY;
        clock_s += length_s + outage->back_s;
    }
    truth->count = plan->outages;
    truth->days = (clock_s + 6 * optimum_s + 4 * 3600) / 86400;
}

unsigned truth_flaps(const struct outage *outage)
{
    return outage->up_s > 0 ? FLAPS : 0;
}
