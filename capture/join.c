/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every member closes its steps on the same grid, but a reader that loses sight cuts one in two, and members
 * do not begin and end alike: what they deliver of a step are its parts. A step is complete when all members
 * are past it. Records of flows wait for the step too, so that they come in the order of time.
 */
#include "join.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "leg.h"
#include "memory.h"
#include "signs.h"

enum { PARTS_MAX = 32 }; /* so far a reader may be ahead of the owners */

/* What a member counted of a step. */
struct part {
    int64_t step_ns; /* where the step begins on the grid */
    uint32_t scope_count;
    const struct tally *tallies;
    struct tally *own; /* a copy, of a reader's */
};

struct member {
    struct join *join;
    struct capture_output output;
    bool is_owner, left;
    struct worker *worker;
    bool change_due;      /* it has not heard of the change yet */
    uint32_t scope_count; /* it counts by */
    struct part parts[PARTS_MAX];
    size_t first, part_count;
    int64_t past_ns; /* every step that begins before this is complete; TIME_NONE: none */
    struct flow_record *flows;
    size_t flow_first, flow_count, flow_room;
    size_t flow_former; /* so many ended under the former rules */
    struct health health;
};

struct join {
    const struct capture_options *options;
    const struct scope_list *scopes;
    const struct capture_output *output;
    pthread_mutex_t mutex;
    pthread_cond_t told;
    bool last;
    int64_t told_ns;              /* steps that begin before this have been told */
    struct capture_change change; /* rules NULL: none is ahead; from_ns TIME_NONE: some have not begun */
    int64_t asked_ns;             /* the bin from which it was asked for */
    int64_t bin_ns;               /* where the bin of the latest begins */
    struct burst *burst;
    struct distinct *seen;
    struct health health; /* what is counted here */
    struct tally *sum;
    size_t member_count, owner_count; /* owners come first */
    struct member members[];
};

/* ---- records of flows ---- */

static bool flow_is_before(const struct flow_record *a, const struct flow_record *b)
{
    return a->known_ns != b->known_ns ? a->known_ns < b->known_ns : a->end_ns < b->end_ns;
}

/* Tells the records of all, or those that ended under the former rules. Each member's are in the order of
 * time.
 */
static void tell_flows(struct join *join, bool former)
{
    for (;;) {
        struct member *from = NULL;
        for (size_t i = 0; i < join->owner_count; i++) {
            struct member *member = &join->members[i];
            size_t end = former ? member->flow_former : member->flow_count;
            if (member->flow_first < end &&
                (from == NULL ||
                 flow_is_before(&member->flows[member->flow_first], &from->flows[from->flow_first])))
                from = member;
        }
        if (from == NULL)
            break;
        join->output->flow(join->output->context, &from->flows[from->flow_first++]);
    }
    for (size_t i = 0; i < join->owner_count && !former; i++)
        join->members[i].flow_first = join->members[i].flow_former = join->members[i].flow_count = 0;
}

static bool keep_flow(struct member *member, const struct flow_record *record)
{
    enum { RECORDS_MAX = 1 << 15 }; /* of a worker, within a step */
    if (member->flow_count == RECORDS_MAX)
        return false;
    if (member->flow_count == member->flow_room) {
        size_t room = member->flow_room == 0 ? 64 : 2 * member->flow_room;
        struct flow_record *flows = reallocarray(member->flows, room, sizeof *flows);
        if (flows == NULL)
            memory_end("the flows of a step");
        member->flows = flows;
        member->flow_room = room;
    }
    member->flows[member->flow_count++] = *record;
    return true;
}

static void take_flow(void *context, const struct flow_record *record)
{
    struct member *member = context;
    struct join *join = member->join;
    if (!join->last && keep_flow(member, record))
        return;
    /* There is no room to keep it, or nobody to wait for. */
    pthread_mutex_lock(&join->mutex);
    join->health.records_early += !join->last;
    join->output->flow(join->output->context, record);
    pthread_mutex_unlock(&join->mutex);
}

/* ---- steps ---- */

static struct part *first_part(struct member *member)
{
    return member->part_count > 0 ? &member->parts[member->first] : NULL;
}

static void drop_part(struct member *member)
{
    free(first_part(member)->own);
    member->first = (member->first + 1) % PARTS_MAX;
    member->part_count--;
}

/* The oldest step of which there is a part; false: there is none, or some member is not yet past it. */
static bool next_step(const struct join *join, int64_t *step_ns)
{
    *step_ns = INT64_MAX;
    for (size_t i = 0; i < join->member_count; i++) {
        const struct member *member = &join->members[i];
        if (member->part_count > 0 && member->parts[member->first].step_ns < *step_ns)
            *step_ns = member->parts[member->first].step_ns;
    }
    for (size_t i = 0; i < join->member_count; i++)
        if (!join->members[i].left && join->members[i].past_ns <= *step_ns)
            return false;
    return *step_ns != INT64_MAX;
}

/* Lets the owners that counted in the step know what they can only know together. Returns the first; NULL:
 * there was none. */
static struct count *join_counts(struct join *join, int64_t step_ns)
{
    struct count *counts[SIGNS_SETS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < join->member_count; i++) {
        const struct part *part = first_part(&join->members[i]);
        if (join->members[i].is_owner && part != NULL && part->step_ns == step_ns)
            counts[count++] = worker_count(join->members[i].worker);
    }
    if (clock_floor(step_ns, join->options->bin_ns) != join->bin_ns) {
        join->bin_ns = clock_floor(step_ns, join->options->bin_ns);
        distinct_forget(join->seen);
    }
    count_join(counts, count, join->burst, join->seen);
    return count > 0 ? counts[0] : NULL;
}

/* ---- other rules ---- */

/* Has the change come with a bin that nobody has begun; or later, when all have begun. */
static void plan_change(struct join *join)
{
    const int64_t bin_ns = join->options->bin_ns;
    int64_t from_ns = join->asked_ns;
    for (size_t i = 0; i < join->member_count; i++) {
        const struct member *member = &join->members[i];
        if (member->past_ns == TIME_NONE && !member->left)
            return;
        if (member->past_ns != TIME_NONE && clock_floor(member->past_ns, bin_ns) + bin_ns > from_ns)
            from_ns = clock_floor(member->past_ns, bin_ns) + bin_ns;
    }
    join->change.from_ns = from_ns;
    for (size_t i = 0; i < join->member_count; i++)
        join->members[i].change_due = true;
}

void join_change(struct join *join, const struct capture_change *change)
{
    join->change = *change;
    join->asked_ns = change->from_ns;
    join->change.from_ns = TIME_NONE;
    plan_change(join);
}

/* A member goes by the new rules from here on: what it has told of flows speaks of the former scopes. */
static void take_change(void *context)
{
    struct member *member = context;
    pthread_mutex_lock(&member->join->mutex);
    member->scope_count = member->join->change.scopes->count;
    member->flow_former = member->flow_count;
    pthread_mutex_unlock(&member->join->mutex);
}

/* All have changed: from the step that is told next on. */
static void tell_change(struct join *join)
{
    struct tally *sum = calloc(join->change.scopes->count, sizeof *sum);
    if (sum == NULL)
        return; /* the next step tries again, and this one is told in the former scopes */
    tell_flows(join, true);
    free(join->sum);
    join->sum = sum;
    join->scopes = join->change.scopes;
    join->change.rules = NULL;
    join->output->changed(join->output->context);
}

/* Sums the parts of a step up and tells it. */
static void tell_step(struct join *join, int64_t step_ns)
{
    const struct capture_options *options = join->options;
    bool begun = false;
    if (join->change.rules != NULL && join->change.from_ns == TIME_NONE)
        plan_change(join);
    else if (join->change.rules != NULL && step_ns >= join->change.from_ns)
        tell_change(join);
    struct count *first = join_counts(join, step_ns);
    for (size_t i = 0; i < join->member_count; i++) {
        struct member *member = &join->members[i];
        for (struct part *part; (part = first_part(member)) != NULL && part->step_ns == step_ns;
             drop_part(member)) {
            for (uint32_t j = 0; j < join->scopes->count && j < part->scope_count; j++)
                if (begun)
                    tally_add(&join->sum[j], &part->tallies[j]);
                else
                    join->sum[j] = part->tallies[j];
            begun = true;
        }
    }
    tell_flows(join, false);
    bool retracing = options->interface_count == 0 && options->resume_ns != TIME_NONE &&
                     join->sum[0].start_ns < options->resume_ns;
    if (!retracing) {
        if (options->hosts && first != NULL)
            join->output->hosts(join->output->context, count_hosts(first));
        legs_hold();
        join->output->step(join->output->context, join->sum);
        legs_release();
    }
    join->told_ns = step_ns + options->step_ns;
}

static void tell_steps(struct join *join)
{
    int64_t step_ns;
    while (next_step(join, &step_ns))
        tell_step(join, step_ns);
    pthread_cond_broadcast(&join->told);
}

/* A reader's part is copied, and so is an owner's that a leap of time cuts short, since its step is told only
 * when all have leapt: were they to wait as owners do, others would wait for what they have not handed on. */
static bool add_part(struct member *member, const struct tally *tallies, int64_t step_ns, bool whole)
{
    struct part part = {.step_ns = step_ns, .scope_count = member->scope_count, .tallies = tallies};
    size_t bytes = member->scope_count * sizeof *tallies;
    if (!member->is_owner || !whole) {
        part.own = malloc(bytes);
        if (part.own == NULL)
            memory_end("the counts of a step");
        part.tallies = memcpy(part.own, tallies, bytes);
    }
    member->parts[(member->first + member->part_count++) % PARTS_MAX] = part;
    return part.own != NULL;
}

static void take_step(void *context, const struct tally *tallies)
{
    struct member *member = context;
    struct join *join = member->join;
    int64_t step_ns = clock_floor(tallies[0].start_ns, join->options->step_ns);
    pthread_mutex_lock(&join->mutex);
    while (member->part_count == PARTS_MAX && !join->last)
        pthread_cond_wait(&join->told, &join->mutex);
    /* What ends off the grid is cut: live, the rest follows, or time leaps; in a replay a hole does, or the
     * end. */
    bool whole = join->options->interface_count == 0 || tallies[0].end_ns % join->options->step_ns == 0;
    bool goes_on = add_part(member, tallies, step_ns, whole) || join->last;
    whole |= !goes_on && member->is_owner;
    member->past_ns = whole ? step_ns + join->options->step_ns : step_ns;
    tell_steps(join);
    while (!goes_on && whole && join->told_ns <= step_ns)
        pthread_cond_wait(&join->told, &join->mutex);
    if (member->change_due)
        worker_change(member->worker, &join->change);
    member->change_due = false;
    pthread_mutex_unlock(&join->mutex);
}

/* ---- the rest ---- */

static void take_words(void *context, const char *text)
{
    struct join *join = ((struct member *)context)->join;
    pthread_mutex_lock(&join->mutex);
    join->output->say(join->output->context, text);
    pthread_mutex_unlock(&join->mutex);
}

void join_health(const struct join *join, struct health *sum)
{
    *sum = join->health;
    for (size_t i = 0; i < join->member_count; i++)
        health_add(sum, &join->members[i].health);
}

static void take_progress(void *context, const struct health *health, int64_t data_ns)
{
    struct member *member = context;
    struct join *join = member->join;
    pthread_mutex_lock(&join->mutex);
    member->health = *health;
    if (member == &join->members[0]) {
        struct health sum;
        join_health(join, &sum);
        join->output->progress(join->output->context, &sum, data_ns);
    }
    pthread_mutex_unlock(&join->mutex);
}

void join_leave(struct join *join, size_t member)
{
    pthread_mutex_lock(&join->mutex);
    join->members[member].left = true;
    tell_steps(join);
    pthread_mutex_unlock(&join->mutex);
}

void join_last(struct join *join)
{
    join->last = true;
    tell_flows(join, false);
}

void join_member(struct join *join, size_t member, struct worker *worker)
{
    join->members[member].worker = worker;
}

const struct capture_output *join_output(struct join *join, size_t member)
{
    return &join->members[member].output;
}

struct join *join_new(const struct capture_options *options, const struct scope_list *scopes,
                      const struct capture_output *output, size_t owner_count, size_t reader_count)
{
    size_t count = owner_count + reader_count;
    struct join *join = calloc(1, sizeof *join + count * sizeof join->members[0]);
    if (join == NULL)
        return NULL;
    join->options = options;
    join->scopes = scopes;
    join->output = output;
    join->told_ns = join->bin_ns = TIME_NONE;
    pthread_mutex_init(&join->mutex, NULL);
    pthread_cond_init(&join->told, NULL);
    join->member_count = count;
    join->owner_count = owner_count;
    for (size_t i = 0; i < count; i++) {
        struct member *member = &join->members[i];
        *member = (struct member){
            .join = join, .is_owner = i < owner_count, .scope_count = scopes->count, .past_ns = TIME_NONE};
        member->output = (struct capture_output){.context = member,
                                                 .step = take_step,
                                                 .flow = take_flow,
                                                 .say = take_words,
                                                 .progress = take_progress,
                                                 .changed = take_change};
    }
    join->burst = burst_new(options->burst_length_ns, &join->health);
    join->seen = distinct_new(options->addresses_max);
    join->sum = calloc(scopes->count, sizeof *join->sum);
    if (join->burst != NULL && join->seen != NULL && join->sum != NULL)
        return join;
    join_free(join);
    return NULL;
}

void join_free(struct join *join)
{
    if (join == NULL)
        return;
    for (size_t i = 0; i < join->member_count; i++) {
        while (join->members[i].part_count > 0)
            drop_part(&join->members[i]);
        free(join->members[i].flows);
    }
    burst_free(join->burst);
    distinct_free(join->seen);
    free(join->sum);
    pthread_mutex_destroy(&join->mutex);
    pthread_cond_destroy(&join->told);
    free(join);
}
