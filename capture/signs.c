/* SPDX-License-Identifier: BSD-3-Clause */
#include "signs.h"

#include <stdlib.h>

#include "fetch.h"

bool end_scopes_has(const struct end_scopes *scopes, uint32_t number)
{
    for (unsigned i = 0; i < scopes->count; i++)
        if (scopes->number[i] == number)
            return true;
    return false;
}

void end_scopes_add(struct end_scopes *scopes, uint32_t number)
{
    if (number != SCOPE_NONE && scopes->count < END_SCOPES_MAX && !end_scopes_has(scopes, number))
        scopes->number[scopes->count++] = number;
}

int signs_init(struct signs *signs)
{
    *signs = (struct signs){.items = reallocarray(NULL, SIGNS_MAX, sizeof *signs->items)};
    return signs->items != NULL ? 0 : -1;
}

void signs_clear(struct signs *signs)
{
    free(signs->items);
    *signs = (struct signs){.items = NULL};
}

void signs_add(struct signs *signs, const struct sign *sign)
{
    signs->items[signs->count++] = *sign;
}

/* The number of those up to an instant. */
static size_t count_until(const struct signs *signs, int64_t at_ns)
{
    size_t low = 0, high = signs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (signs->items[middle].at_ns <= at_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void signs_forget_flow(struct signs *signs, const struct flow *flow)
{
    /* Only between its first packet and its last: a table that turns over at once costs little. */
    for (size_t i = count_until(signs, flow->last_ns); i-- > 0 && signs->items[i].at_ns >= flow->start_ns;)
        if (signs->items[i].flow == flow)
            signs->items[i].flow = NULL;
}

void signs_credit(struct signs *signs, const struct flow *flow, unsigned side, uint32_t scope)
{
    for (size_t i = signs->count; i-- > 0 && signs->items[i].at_ns >= flow->start_ns;)
        if (signs->items[i].flow == flow && signs->items[i].side == side)
            end_scopes_add(&signs->items[i].scopes, scope);
}

static bool is_before(const struct sign *a, const struct sign *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

/* Brings what the signs behind this one ask for. */
static void fetch_ahead(const struct signs *signs, size_t at, const struct burst *burst)
{
    enum { SOON = 4, LATER = 8 };
    if (at + LATER >= signs->count)
        return;
    const struct flow *flow = signs->items[at + LATER].flow;
    if (flow != NULL)
        fetch(&flow->tcp + 1); /* where it learns what came of it */
    burst_expect(burst, &signs->items[at + LATER].triple);
    burst_expect_soon(burst, &signs->items[at + SOON].triple);
}

void signs_judge(struct signs *const *sets, size_t set_count, struct burst *burst, void *context,
                 void (*begun)(void *context, size_t set, const struct sign *sign))
{
    size_t next[SIGNS_SETS_MAX] = {0};
    for (;;) {
        size_t from = set_count;
        for (size_t i = 0; i < set_count; i++)
            if (next[i] < sets[i]->count &&
                (from == set_count || is_before(&sets[i]->items[next[i]], &sets[from]->items[next[from]])))
                from = i;
        if (from == set_count)
            break;
        struct sign *sign = &sets[from]->items[next[from]++];
        fetch_ahead(sets[from], next[from], burst);
        sign->begun = burst_begins(burst, &sign->triple, sign->kind, sign->at_ns);
        if (sign->begun)
            begun(context, from, sign);
    }
    for (size_t i = 0; i < set_count; i++)
        sets[i]->count = 0;
}
