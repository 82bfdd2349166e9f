/* SPDX-License-Identifier: BSD-3-Clause */
#include "snaplen.h"

#include <math.h>

static const double recent_frames = 12, enough_frames = 10;
static const double nearly_all = 0.9, hardly_any = 0.1;
static const double settled_frames = 30; /* by then nearly all have been cut if all are */
static const int64_t accepted_after_ns = 3600 * NS_PER_S, doubt_ns = 1800 * NS_PER_S,
                     thin_doubt_ns = 7200 * NS_PER_S; /* where so many frames take longer */

void snaplen_init(struct snaplen *snaplen)
{
    const struct snaplen_share none = {.whole_ns = TIME_NONE};
    *snaplen = (struct snaplen){.names = none, .headers = none, .since_ns = TIME_NONE};
}

/* Fades by frames, not by time. What lies between all and nothing changes nothing; it is only asked once, at
 * the beginning, which of them is nearer. */
static void take_share(struct snaplen_share *share, uint64_t frames, uint64_t cut, const struct tally *tap)
{
    double fade = exp(-(double)frames / recent_frames);
    share->frames = share->frames * fade + (double)frames;
    share->cut = share->cut * fade + (double)cut;
    if (share->frames < enough_frames)
        return;
    double part = share->cut / share->frames;
    if (!share->known)
        share->lost = part > 0.5;
    else if (part > nearly_all || part < hardly_any)
        share->lost = part > nearly_all;
    share->known = true;
    share->since += (double)frames;
    if (part < hardly_any)
        share->since = 0;
    if (part < hardly_any || share->whole_ns == TIME_NONE)
        share->whole_ns = part < hardly_any ? tap->end_ns : tap->start_ns;
}

static enum cut cut_off(const struct snaplen *snaplen)
{
    return snaplen->headers.lost ? CUT_HEADERS : snaplen->names.lost ? CUT_NAMES : CUT_NOTHING;
}

static enum snaplen_news follow_change(struct snaplen *snaplen, enum cut now, int64_t end_ns)
{
    if (now > snaplen->told) { /* it has become worse */
        snaplen->told = now;
        return SNAPLEN_CUT;
    }
    bool lasts = now != CUT_HEADERS && end_ns - snaplen->since_ns >= accepted_after_ns;
    if (now > snaplen->usual && !lasts)
        return SNAPLEN_NOTHING;
    enum snaplen_news news = now > snaplen->usual ? SNAPLEN_ACCEPTED : SNAPLEN_RESTORED;
    snaplen->usual = now;
    snaplen->changed = false;
    return news;
}

enum snaplen_news snaplen_step(struct snaplen *snaplen, const struct tally *tap)
{
    bool first_names = !snaplen->names.known, first_headers = !snaplen->headers.known;
    take_share(&snaplen->names, tap->frames.lengthy, tap->frames.nameless, tap);
    take_share(&snaplen->headers, tap->frames.headed + tap->frames.headless, tap->frames.headless, tap);
    enum cut now = cut_off(snaplen);
    bool begins = (first_names && snaplen->names.known) || (first_headers && snaplen->headers.known);
    if (snaplen->changed)
        return follow_change(snaplen, now, tap->end_ns);
    if (now < snaplen->usual || begins)
        snaplen->usual = now;
    if (now <= snaplen->usual)
        return SNAPLEN_NOTHING;
    snaplen->changed = true;
    snaplen->told = now;
    snaplen->sequence = 0;
    snaplen->since_ns = now == CUT_HEADERS ? snaplen->headers.whole_ns : snaplen->names.whole_ns;
    return SNAPLEN_CUT;
}

bool snaplen_pauses(const struct snaplen *snaplen, bool by_name)
{
    return snaplen->changed && (by_name || cut_off(snaplen) == CUT_HEADERS);
}

static bool is_in_doubt(const struct snaplen_share *share, int64_t at_ns)
{
    int64_t most_ns = share->since < settled_frames ? thin_doubt_ns : doubt_ns;
    return share->known && !share->lost && share->cut > hardly_any * share->frames &&
           at_ns - share->whole_ns < most_ns;
}

bool snaplen_doubts(const struct snaplen *snaplen, bool by_name, int64_t now_ns)
{
    return is_in_doubt(&snaplen->headers, now_ns) || (by_name && is_in_doubt(&snaplen->names, now_ns));
}
