/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For a Poisson stream that falls silent the optimal test is a timer (Moustakides 1986; El Karoui, Loisel and
 * Salhi 2017 for rates that vary): alarm after ln(1 + n) expected events have failed to come, n being the
 * events expected between two false alarms. With a varying rate the same holds in operational time, the
 * integral of the rate.
 */
#include "detect.h"

#include <math.h>

static const int64_t hourly_keep_ns = 600 * NS_PER_S; /* how long a rate looked up serves at most … */
static const double hourly_keep_share = 1.0 / 16;     /* … of the time in which it was learned */
static const double noted_from = 50; /* events: silences scored by a rate known from fewer say little */
static const int64_t shift_ns = 1800 * NS_PER_S; /* by which the pattern of a day may move unannounced */
static const double shift_deviations = 2;
static const double doubt_share = 0.75; /* of an alarm: so improbable a silence may be an outage */
static const double shape_most = 400;   /* no rate is known better than to a twentieth */
static const double year_s = 365.25 * 86400;

void detect_init(struct population *population, double half_life_s)
{
    *population = (struct population){.hourly_until_ns = INT64_MIN,
                                      .silent_from_ns = TIME_NONE,
                                      .last_ns = TIME_NONE,
                                      .last_not_before_ns = TIME_NONE};
    baseline_init(&population->baseline, half_life_s);
    calibrate_init(&population->calibrate);
    level_init(&population->level);
}

/* Where events cluster it is clusters that fail to come, `slope` events each: a rate unsure by so much makes
 * less of a difference to fewer of them. */
static double score_of(double expected, double spread, double slope)
{
    if (!(expected > 0) || !(spread > 0))
        return 0;
    double root = expected / spread, shape = fmin(root * root, shape_most) * slope;
    return shape * log1p(expected / shape);
}

double detect_score(const struct population *population)
{
    return score_of(population->expected, population->spread, population->calibrate.slope);
}

/* The hour's rate times the present level; what is not known of both adds up. */
static struct baseline_rate rate_now(const struct population *population, struct baseline_rate rate)
{
    struct level_now level = level_at_present(&population->level);
    if (rate.per_s > 0) {
        rate.per_s *= level.factor;
        rate.shape = 1 / (1 / rate.shape + 1 / level.shape);
    }
    return rate;
}

static struct baseline_lending lending_now(const struct population *population)
{
    const struct level *level = &population->level;
    return baseline_lending(&population->baseline,
                            (struct baseline_scatter){level->dispersion, level->wander});
}

/* Clocks are changed, and office hours: where half an hour before or after an instant much less is usual, no
 * more may be counted on. What is less by chance alone does not count. */
static struct baseline_rate least_of(struct baseline_rate before, struct baseline_rate here,
                                     struct baseline_rate after)
{
    const struct baseline_rate near[] = {before, after};
    struct baseline_rate least = here;
    for (int i = 0; i < 2; i++) {
        double doubt = shift_deviations * sqrt(1 / here.shape + 1 / near[i].shape);
        if (near[i].per_s * (1 + doubt) < here.per_s && near[i].per_s < least.per_s)
            least = near[i];
    }
    return least;
}

static void look_up(struct population *population, int64_t at_ns)
{
    const struct baseline *baseline = &population->baseline;
    struct baseline_lending lending = lending_now(population);
    population->hourly = baseline_at(baseline, at_ns, &lending);
    population->busiest_per_s = fmax(population->hourly.per_s, baseline_busiest(baseline));
    population->hourly_least = least_of(baseline_at(baseline, at_ns - shift_ns, &lending), population->hourly,
                                        baseline_at(baseline, at_ns + shift_ns, &lending));
    double learned_s = baseline_learned(baseline).seconds;
    int64_t keep_ns = clock_stretch(fmin(learned_s, 1e6) * hourly_keep_share * (double)NS_PER_S);
    int64_t until_ns = clock_floor(at_ns, hourly_keep_ns) + hourly_keep_ns;
    population->hourly_until_ns = keep_ns < until_ns - at_ns ? at_ns + keep_ns : until_ns;
}

static void refresh_rate(struct population *population, int64_t at_ns)
{
    if (at_ns >= population->hourly_until_ns)
        look_up(population, at_ns);
    population->rate = rate_now(population, population->hourly);
    population->prudent = rate_now(population, population->hourly_least);
}

/* Lets the clock of the silence run for so many seconds. */
static void run_clock(struct population *population, double seconds, bool proven)
{
    double missed = population->prudent.per_s * seconds;
    population->total_expected += population->rate.per_s * seconds;
    population->total_prudent += missed;
    if (!(missed > 0))
        return;
    double spread = missed / sqrt(population->prudent.shape);
    if (proven) {
        population->expected += missed;
        population->spread += spread;
    } else {
        population->held_expected += missed;
        population->held_spread += spread;
    }
}

static void begin_silence(struct population *population, int64_t at_ns)
{
    population->silent_from_ns = at_ns;
    population->expected = population->spread = 0;
    population->held_expected = population->held_spread = 0;
    population->unproven = false;
}

/* An event ends the silence under way. Only now is it known to have been an ordinary one, and taught: to
 * leave out the long ones would raise the rate, and so make the next look longer still. */
static void end_silence(struct population *population, int64_t at_ns, double events, bool teach)
{
    if (teach && !population->unproven && at_ns >= population->silent_from_ns) {
        double seconds = clock_seconds(population->silent_from_ns, at_ns);
        if (population->total >= noted_from)
            level_learn(&population->level, events, population->hourly.per_s * seconds, seconds);
        baseline_learn(&population->baseline, population->silent_from_ns, at_ns, events);
    }
    begin_silence(population, at_ns);
    population->last_ns = population->last_not_before_ns = at_ns;
}

/* Where the source only says that signs of life fell into an interval, they are taken to be spread over it
 * evenly.
 */
static struct tally_span span_or_even(const struct detect_input *input)
{
    if (input->span.first_ns != TIME_NONE)
        return input->span;
    int64_t gap_ns = (int64_t)((double)(input->end_ns - input->start_ns) / (input->signs + 1));
    return (struct tally_span){input->start_ns + gap_ns, input->end_ns - gap_ns};
}

/* What the signs of life that came say of the silences between them: the one that the first of them broke,
 * and on average those between the first and the last. */
static void note_silences(struct population *population, const struct detect_input *input, double within)
{
    if (population->total < noted_from || !input->ordinary)
        return;
    calibrate_note(&population->calibrate, detect_score(population), 1);
    if (input->signs > 1)
        calibrate_note(&population->calibrate, within / (input->signs - 1), input->signs - 1);
}

/* Whether what came is so much more than usual that it says nothing of what is normal. */
static bool is_surge(struct population *population, const struct detect_input *input)
{
    if (!input->teach || population->total < noted_from)
        return false;
    double seconds = clock_seconds(input->start_ns, input->end_ns);
    double factor = fmax(1, level_at_present(&population->level).factor);
    const struct surge_input what = {.seconds = seconds,
                                     .events = input->events,
                                     .usual = population->busiest_per_s * factor * seconds,
                                     .dispersion = population->level.dispersion,
                                     .learned_s = baseline_learned(&population->baseline).seconds};
    return surge_take(&population->surge, &what);
}

static void take_step(struct population *population, const struct detect_input *input)
{
    if (!(input->signs > 0)) {
        run_clock(population, clock_seconds(input->start_ns, input->end_ns), input->proven);
        return;
    }
    struct tally_span span = span_or_even(input);
    run_clock(population, clock_seconds(input->start_ns, span.first_ns), true);
    population->broken_score = detect_score(population); /* as far as it was watched */
    detect_confirm(population, true);
    double within_s = clock_seconds(span.first_ns, span.last_ns);
    note_silences(population, input, population->prudent.per_s * within_s);
    double first = fmin(1, input->events);
    bool doubted = population->broken_score >= doubt_share * population->calibrate.threshold &&
                   population->calibrate.threshold > 0;
    end_silence(population, span.first_ns, first, input->teach && !doubted);
    if (input->signs > 1)
        end_silence(population, span.last_ns, input->events - first, input->teach);
    if (input->span.first_ns == TIME_NONE)
        population->last_not_before_ns = input->start_ns;
    population->total += input->events;
    population->total_signs += input->signs;
    population->total_expected += population->rate.per_s * within_s;
    population->total_prudent += population->prudent.per_s * within_s;
    run_clock(population, clock_seconds(span.last_ns, input->end_ns), input->proven);
}

void detect_step(struct population *population, const struct detect_input *input)
{
    struct detect_input taken = *input;
    population->broken_score = 0;
    if (population->silent_from_ns == TIME_NONE)
        begin_silence(population, input->start_ns);
    refresh_rate(population, input->start_ns);
    if (is_surge(population, input)) {
        taken.teach = taken.ordinary = false;
        population->apart += input->events;
        population->apart_signs += input->signs;
    }
    take_step(population, &taken);
}

void detect_restart(struct population *population, int64_t at_ns)
{
    begin_silence(population, at_ns);
    population->broken_score = 0;
    population->unproven = true; /* the first event after it has a silence of unknown begin behind it */
}

void detect_confirm(struct population *population, bool watched)
{
    if (watched) {
        population->expected += population->held_expected;
        population->spread += population->held_spread;
    }
    population->held_expected = population->held_spread = 0;
}

void detect_rescale(struct population *population, double share)
{
    baseline_scale(&population->baseline, share * level_at_present(&population->level).factor);
    level_return(&population->level);
    population->expected *= share; /* of the silence under way too */
    population->spread *= share;
    population->held_expected *= share;
    population->held_spread *= share;
    population->hourly_until_ns = INT64_MIN;
}

double detect_events_per_year(const struct population *population)
{
    struct baseline_cell overall = population->baseline.overall;
    return overall.seconds > 0 ? overall.events / overall.seconds * year_s : 0;
}

double detect_signs_per_event(const struct population *population)
{
    double events = population->total - population->apart;
    return events > 0 ? (population->total_signs - population->apart_signs) / events : 1;
}

double detect_threshold(struct population *population, double alarms_per_year)
{
    /* Before enough silences were seen, the spread of counts tells how far events cluster: for geometric
     * clusters the variance over the mean is twice their mean size less one. */
    population->calibrate.prior_slope = fmax(1, (population->level.dispersion + 1) / 2);
    double silences_per_year = detect_events_per_year(population) * detect_signs_per_event(population);
    return calibrate_threshold(&population->calibrate, silences_per_year, alarms_per_year);
}

double detect_prudent_at(const struct population *population, int64_t at_ns)
{
    const struct baseline *baseline = &population->baseline;
    const struct baseline_lending lending = lending_now(population);
    return rate_now(population, least_of(baseline_at(baseline, at_ns - shift_ns, &lending),
                                         baseline_at(baseline, at_ns, &lending),
                                         baseline_at(baseline, at_ns + shift_ns, &lending)))
        .per_s;
}

double detect_shortest(const struct population *population, int64_t at_ns, double threshold)
{
    const struct baseline *baseline = &population->baseline;
    const struct baseline_lending lending = lending_now(population);
    double expected = 0, spread = 0, slope = population->calibrate.slope;
    int64_t now_ns = at_ns;
    struct baseline_rate before = baseline_at(baseline, now_ns - shift_ns, &lending),
                         here = baseline_at(baseline, now_ns, &lending);
    for (int i = 0; i < 2 * BASELINE_WEEK + 1; i++) { /* half an hour at a time, where rates change */
        struct baseline_rate after = baseline_at(baseline, now_ns + shift_ns, &lending),
                             rate = rate_now(population, least_of(before, here, after));
        if (!(rate.per_s > 0))
            return -1;
        int64_t next_ns = clock_floor(now_ns, shift_ns) + shift_ns;
        double seconds = clock_seconds(now_ns, next_ns), all = rate.per_s * seconds,
               rough = all / sqrt(rate.shape);
        if (score_of(expected + all, spread + rough, slope) >= threshold) {
            double low = 0,
                   high = 1; /* the score only grows: halve the time until a second is told from the next */
            while ((high - low) * seconds > 0.5) {
                double middle = (low + high) / 2;
                if (score_of(expected + middle * all, spread + middle * rough, slope) >= threshold)
                    high = middle;
                else
                    low = middle;
            }
            return clock_seconds(at_ns, now_ns) + high * seconds;
        }
        expected += all;
        spread += rough;
        now_ns = next_ns;
        before = here;
        here = after;
    }
    return -1;
}

double detect_onset_after_s(const struct population *population, double share)
{
    double per_s = population->rate.per_s / population->calibrate.slope;
    if (!(per_s > 0))
        return 0;
    double shape = fmin(population->rate.shape, shape_most);
    return shape * expm1(-log1p(-share) / shape) / per_s;
}
