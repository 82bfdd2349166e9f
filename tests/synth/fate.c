/* SPDX-License-Identifier: BSD-3-Clause */
#include "fate.h"

static bool target_holds(const struct script *script, const struct target *target, const struct place *place)
{
    switch (target->kind) {
    case TARGET_ALL:
        return ranges_hold(&script->watch, place->address);
    case TARGET_ADDRESSES:
        return ranges_hold(&target->address, place->address);
    case TARGET_PATH:
        return place->path == target->index;
    case TARGET_SERVICE:
        return place->service == target->index;
    }
    return false;
}

static bool flickers(const struct script *script, const struct outage *outage, const struct place *place,
                     int64_t t_ns)
{
    for (int i = 0; i < outage->flicker.count; i++) {
        const struct flicker *flicker = &outage->flicker.item[i];
        if (t_ns < flicker->from_ns || t_ns >= flicker->to_ns)
            continue;
        if (flicker->who.count == 0)
            return true;
        for (int who = 0; who < flicker->who.count; who++)
            if (target_holds(script, &flicker->target[who], place))
                return true;
    }
    return false;
}

int64_t fate_return(const struct outage *outage, int item)
{
    int last = outage->order.count - 1;
    if (outage->recovery.shape != SHAPE_RAGGED || last < 1)
        return outage->to_ns + outage->recovery.takes_ns;
    return outage->to_ns + outage->recovery.takes_ns * item / last;
}

/* What is not in the order comes back with the last. */
static int64_t returns_at(const struct script *script, const struct outage *outage, const struct place *place)
{
    int item = 0;
    while (item < outage->order.count - 1 && !target_holds(script, &outage->order_target[item], place))
        item++;
    return fate_return(outage, item);
}

double fate_depth(const struct script *script, const struct outage *outage, const struct place *place,
                  int64_t t_ns)
{
    int64_t over_ns = outage->to_ns + outage->recovery.takes_ns;
    if (t_ns < outage->from_ns || t_ns >= over_ns || !target_holds(script, &outage->target, place) ||
        flickers(script, outage, place, t_ns))
        return 0;
    double depth = outage->depth;
    if (t_ns < outage->from_ns + outage->onset.takes_ns)
        depth *= (double)(t_ns - outage->from_ns) / (double)outage->onset.takes_ns;
    if (t_ns < outage->to_ns)
        return depth;
    if (outage->recovery.shape == SHAPE_RAMP)
        return depth * (double)(over_ns - t_ns) / (double)outage->recovery.takes_ns;
    return t_ns < returns_at(script, outage, place) ? depth : 0;
}

const struct outage *fate_silenced(const struct script *script, const struct place *place, double lot,
                                   int64_t t_ns)
{
    for (int i = 0; i < script->outage_count; i++)
        if (lot < fate_depth(script, &script->outage[i], place, t_ns))
            return &script->outage[i];
    return NULL;
}

/* The mean over the interval, by its value in the middle of 60 parts, or of one where nothing changes. */
static double mean_share(const struct script *script, const struct place *place, int64_t from_ns,
                         int64_t to_ns, bool ceased_only)
{
    bool touched = false;
    for (int i = 0; i < script->outage_count; i++) {
        const struct outage *outage = &script->outage[i];
        touched |= from_ns < outage->to_ns + outage->recovery.takes_ns && to_ns > outage->from_ns;
    }
    const int parts = 60;
    double sum = 0;
    for (int part = 0; touched && part < parts; part++) {
        int64_t t_ns = from_ns + (to_ns - from_ns) * (2 * part + 1) / (2 * parts);
        double most = 0;
        for (int i = 0; i < script->outage_count; i++) {
            double depth = fate_depth(script, &script->outage[i], place, t_ns);
            if (depth > most && (!ceased_only || !fate_reaches_tap(script, &script->outage[i])))
                most = depth;
        }
        sum += most;
    }
    return sum / parts;
}

double fate_silenced_share(const struct script *script, const struct place *place, int64_t from_ns,
                           int64_t to_ns)
{
    return mean_share(script, place, from_ns, to_ns, false);
}

double fate_ceased_share(const struct script *script, const struct place *place, int64_t from_ns,
                         int64_t to_ns)
{
    return mean_share(script, place, from_ns, to_ns, true);
}

bool fate_reaches_tap(const struct script *script, const struct outage *outage)
{
    return outage->inbound == INBOUND_PERSISTS ||
           (outage->inbound == INBOUND_WITHDRAWN && !script->tap.beyond);
}

bool fate_blocked(const struct script *script, const struct place *place, int64_t t_ns)
{
    for (int i = 0; i < script->block_count; i++) {
        const struct block *block = &script->block[i];
        if (t_ns >= block->from_ns && t_ns < block->to_ns && ranges_hold(&block->address, place->peer) &&
            target_holds(script, &block->target, place))
            return true;
    }
    return false;
}

/* How far a strain is there, 0 to 1. */
static double strain_height(const struct script *script, const struct strain *strain,
                            const struct place *place, int64_t t_ns)
{
    int64_t over_ns = strain->to_ns + strain->recovery.takes_ns;
    if (t_ns < strain->from_ns || t_ns >= over_ns || !target_holds(script, &strain->target, place))
        return 0;
    double height = 1;
    if (t_ns < strain->from_ns + strain->onset.takes_ns)
        height = (double)(t_ns - strain->from_ns) / (double)strain->onset.takes_ns;
    if (t_ns >= strain->to_ns)
        height *= (double)(over_ns - t_ns) / (double)strain->recovery.takes_ns;
    return height;
}

double fate_lost(const struct script *script, const struct place *place, int64_t t_ns)
{
    double kept = 1;
    for (int i = 0; i < script->strain_count; i++)
        kept *= 1 - script->strain[i].loss * strain_height(script, &script->strain[i], place, t_ns);
    return 1 - kept;
}

int64_t fate_delay(const struct script *script, const struct place *place, int64_t t_ns)
{
    double sum_ns = 0;
    for (int i = 0; i < script->strain_count; i++)
        sum_ns += (double)script->strain[i].delay_ns * strain_height(script, &script->strain[i], place, t_ns);
    return (int64_t)(sum_ns / 1e6) * NS_PER_MS;
}

double fate_tap_loss(const struct script *script, enum direction direction, uint16_t vlan, int64_t t_ns)
{
    if (direction == DIRECTION_IN ? script->tap.outward_only : script->tap.inward_only)
        return 1;
    double kept = 1;
    for (int i = 0; i < script->tap_fault_count; i++) {
        const struct tap_fault *fault = &script->tap_fault[i];
        if (t_ns < fault->from_ns || t_ns >= fault->to_ns)
            continue;
        if (fault->loss.kind == LOSS_SHARE)
            kept *= 1 - fault->loss.share;
        else if (fault->loss.kind == LOSS_VLAN
                     ? fault->loss.vlan == vlan
                     : (fault->loss.kind == LOSS_INBOUND) == (direction == DIRECTION_IN))
            kept = 0;
    }
    return 1 - kept;
}

size_t fate_kept(const struct script *script, size_t length, int64_t t_ns)
{
    for (int i = 0; i < script->tap_fault_count; i++) {
        const struct tap_fault *fault = &script->tap_fault[i];
        if (fault->kept_bytes > 0 && (size_t)fault->kept_bytes < length && t_ns >= fault->from_ns &&
            t_ns < fault->to_ns)
            length = (size_t)fault->kept_bytes;
    }
    return length;
}
