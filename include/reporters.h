/* SPDX-License-Identifier: BSD-3-Clause */
/* Which routers report most that a watched address cannot be reached: a space-saving sketch (Metwally,
 * Agrawal and El Abbadi 2005) of fixed size, which adds up over intervals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TALLY_REPORTERS 4 /* remembered a scope and interval */

enum report { REPORT_UNREACHABLE, REPORT_PROHIBITED, REPORT_EXCEEDED };

/* A router and what it reported since it has its place. A place without a report is free. */
struct tally_reporter {
    uint8_t address[16]; /* IPv4 mapped */
    uint32_t unreachable, prohibited, exceeded;
    uint32_t more; /* what it may have reported besides, before it had the place: 0 unless others gave way */
};

/* What it reported at most. */
static inline uint32_t reporter_rank(const struct tally_reporter *reporter)
{
    return reporter->unreachable + reporter->prohibited + reporter->exceeded + reporter->more;
}

/* The place of an address; where it has none, the first of those with the least rank. */
static inline struct tally_reporter *reporters_place(struct tally_reporter *places, int count,
                                                     const uint8_t address[16])
{
    struct tally_reporter *least = &places[0];
    for (int i = 0; i < count; i++) {
        uint32_t rank = reporter_rank(&places[i]);
        if (rank > 0 && memcmp(places[i].address, address, 16) == 0)
            return &places[i];
        if (rank < reporter_rank(least))
            least = &places[i];
    }
    return least;
}

/* Adds a report. Whoever sent more than a quarter of all has a place among the TALLY_REPORTERS. */
static inline void reporters_add(struct tally_reporter *places, const uint8_t address[16], enum report report)
{
    struct tally_reporter *place = reporters_place(places, TALLY_REPORTERS, address);
    if (memcmp(place->address, address, 16) != 0) {
        *place = (struct tally_reporter){.more = reporter_rank(place)};
        memcpy(place->address, address, 16);
    }
    uint32_t *counts[] = {&place->unreachable, &place->prohibited, &place->exceeded};
    ++*counts[report];
}

/* What one that has no place may have reported at most: the least rank. */
static inline uint32_t reporters_least(const struct tally_reporter *places)
{
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < TALLY_REPORTERS; i++)
        if (reporter_rank(&places[i]) < least)
            least = reporter_rank(&places[i]);
    return least;
}

/* Adds the reports of another interval: of both together those of the highest rank stay, in that order, of
 * equals the earlier. The bound stays too (Agarwal, Cormode, Huang, Phillips, Wei and Yi 2012). */
static inline void reporters_merge(struct tally_reporter *sum, const struct tally_reporter *more)
{
    if (reporter_rank(&more[0]) == 0)
        return; /* places fill from the first on: there is none, as nearly always */
    struct tally_reporter both[2 * TALLY_REPORTERS] = {{.more = 0}};
    const uint32_t not_in_sum = reporters_least(sum), not_in_more = reporters_least(more);
    for (int i = 0; i < 2 * TALLY_REPORTERS; i++) {
        const struct tally_reporter *one = i < TALLY_REPORTERS ? &sum[i] : &more[i - TALLY_REPORTERS];
        if (reporter_rank(one) == 0)
            continue;
        struct tally_reporter *place = reporters_place(both, 2 * TALLY_REPORTERS, one->address);
        bool in_both = reporter_rank(place) > 0;
        memcpy(place->address, one->address, 16);
        place->unreachable += one->unreachable;
        place->prohibited += one->prohibited;
        place->exceeded += one->exceeded;
        place->more += one->more;
        if (in_both)
            place->more -= not_in_more;
        else
            place->more += i < TALLY_REPORTERS ? not_in_more : not_in_sum;
    }
    for (int to = 0; to < TALLY_REPORTERS; to++) {
        struct tally_reporter *best = both;
        for (int i = 1; i < 2 * TALLY_REPORTERS; i++)
            if (reporter_rank(&both[i]) > reporter_rank(best))
                best = &both[i];
        sum[to] = *best;
        *best = (struct tally_reporter){.more = 0};
    }
}
