/* SPDX-License-Identifier: BSD-3-Clause */
/* The fused view as bytes, for whoever takes over: a head that says for what it was saved, and the plain data
 * as they lie in memory, as in state.c. */
#include <stdlib.h>
#include <string.h>

#include "fusion.h"
#include "shape.h"

enum { FUSE_VERSION = 1 };

/* ---- what is believed of bytes that anybody may have written ---- */

static const struct shape scope_shape[] = {
    {SHAPE_CHOICES(struct scope, kind, SCOPE_TAP + 1)},
    {SHAPE_FLAGS(struct scope, counted)},
    {SHAPE_TEXT_OF(struct scope, text)},
    {SHAPE_FLAGS(struct scope, name_server)},
};

static const struct shape span_shape[] = {
    {SHAPE_INSTANTS(struct tally_span, first_ns)},
    {SHAPE_INSTANTS(struct tally_span, last_ns)},
};

static const struct shape tally_shape[] = {
    {SHAPE_INSTANTS(struct tally, start_ns)},
    {SHAPE_INSTANTS(struct tally, end_ns)},
    {SHAPE_PARTS(struct tally, live, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, answered, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, proven, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, acked, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, in, struct tally_span, span_shape)},
    {SHAPE_PARTS(struct tally, out, struct tally_span, span_shape)},
};

static const struct shape bin_outage_shape[] = {
    {SHAPE_FLAGS(struct bin_outage, known)},
    {SHAPE_INSTANTS(struct bin_outage, onset_ns)},
    {SHAPE_INSTANTS(struct bin_outage, onset_earliest_ns)},
    {SHAPE_INSTANTS(struct bin_outage, onset_latest_ns)},
    {SHAPE_INSTANTS(struct bin_outage, end_ns)},
    {SHAPE_INSTANTS(struct bin_outage, end_earliest_ns)},
    {SHAPE_INSTANTS(struct bin_outage, end_latest_ns)},
    {SHAPE_NUMBERS(struct bin_outage, recovered)},
    {SHAPE_NUMBERS(struct bin_outage, level_accepted)},
    {SHAPE_NUMBERS(struct bin_outage, log_odds)},
    {SHAPE_NUMBERS(struct bin_outage, probability)},
};

static const struct shape bin_shape[] = {
    {SHAPE_INSTANTS(struct bin, start_ns)},
    {SHAPE_PARTS(struct bin, tally, struct tally, tally_shape)},
    {SHAPE_CHOICES(struct bin, signal, SIGNAL__COUNT)},
    {SHAPE_CHOICES(struct bin, state, STATE__COUNT)},
    {SHAPE_CHOICES(struct bin, learning, LEARNING__COUNT)},
    {SHAPE_NUMBERS(struct bin, alarms.nominal_per_year)},
    {SHAPE_NUMBERS(struct bin, alarms.near_due)},
    {SHAPE_NUMBERS(struct bin, alarms.near_seen)},
    {SHAPE_NUMBERS(struct bin, route.trip_ms)},
    {SHAPE_NUMBERS(struct bin, route.usual_trip_ms)},
    {SHAPE_NUMBERS(struct bin, route.hops)},
    {SHAPE_NUMBERS(struct bin, route.usual_hops)},
    {SHAPE_NUMBERS(struct bin, expected)},
    {SHAPE_NUMBERS(struct bin, low)},
    {SHAPE_NUMBERS(struct bin, high)},
    {SHAPE_NUMBERS(struct bin, detectable_s)},
    {SHAPE_PARTS(struct bin, outage, struct bin_outage, bin_outage_shape)},
};

static const struct shape reading_shape[] = {
    {SHAPE_FLAGS(struct cause_reading, known)},
    {SHAPE_NUMBERS(struct cause_reading, value)},
    {SHAPE_NUMBERS(struct cause_reading, usual)},
};

static const struct shape facts_shape[] = {
    {SHAPE_CHOICES(struct cause_facts, kind, SCOPE_TAP + 1)},
    {SHAPE_FLAGS(struct cause_facts, control)},
    {SHAPE_PARTS(struct cause_facts, reading, struct cause_reading, reading_shape)},
    {SHAPE_FLAGS(struct cause_facts, judged)},
    {SHAPE_NUMBERS(struct cause_facts, prior)},
};

static const struct shape sensor_shape[] = {
    {SHAPE_TEXT_OF(struct fusion_sensor, name)},
    {SHAPE_FLAGS(struct fusion_sensor, heard)},
    {SHAPE_FLAGS(struct fusion_sensor, known)},
    {SHAPE_FLAGS(struct fusion_sensor, unlike)},
    {SHAPE_FLAGS(struct fusion_sensor, present)},
    {SHAPE_FLAGS(struct fusion_sensor, control)},
    {SHAPE_INSTANTS(struct fusion_sensor, arrived_ns)},
    {SHAPE_INSTANTS(struct fusion_sensor, data_ns)},
    {SHAPE_INSTANTS(struct fusion_sensor, missed_ns)},
    {SHAPE_CHOICES(struct fusion_sensor, absent, ABSENCE__COUNT)},
    {SHAPE_FLAGS(struct fusion_sensor, told)},
    {SHAPE_INSTANTS(struct fusion_sensor, onset_ns)},
    {SHAPE_CHOICES(struct fusion_sensor, told_absent, ABSENCE__COUNT)},
};

static const struct shape cell_shape[] = {
    {SHAPE_FLAGS(struct fusion_cell, fresh)},
    {SHAPE_CHOICES(struct fusion_cell, state, STATE__COUNT)},
    {SHAPE_CHOICES(struct fusion_cell, signal, SIGNAL__COUNT)},
    {SHAPE_NUMBERS(struct fusion_cell, seen)},
    {SHAPE_NUMBERS(struct fusion_cell, expected)},
    {SHAPE_NUMBERS(struct fusion_cell, low)},
    {SHAPE_NUMBERS(struct fusion_cell, detectable_s)},
    {SHAPE_PARTS(struct fusion_cell, outage, struct bin_outage, bin_outage_shape)},
    {SHAPE_FLAGS(struct fusion_cell, fell)},
    {SHAPE_FLAGS(struct fusion_cell, road_out)},
    {SHAPE_CHOICES(struct fusion_cell, word, FUSION_BACK + 1)},
    {SHAPE_NUMBERS(struct fusion_cell, odds)},
    {SHAPE_FRACTIONS(struct fusion_cell, past_seen)},
    {SHAPE_FRACTIONS(struct fusion_cell, past_expected)},
};

static const struct shape outage_shape[] = {
    {SHAPE_FLAGS(struct fusion_outage, open)},
    {SHAPE_FLAGS(struct fusion_outage, covered)},
    {SHAPE_INSTANTS(struct fusion_outage, onset_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, onset_earliest_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, onset_latest_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, end_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, end_earliest_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, end_latest_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, turn_ns)},
    {SHAPE_INSTANTS(struct fusion_outage, back_ns)},
    {SHAPE_NUMBERS(struct fusion_outage, down_seen)},
    {SHAPE_NUMBERS(struct fusion_outage, down_expected)},
    {SHAPE_NUMBERS(struct fusion_outage, depth)},
    {SHAPE_NUMBERS(struct fusion_outage, log_odds)},
    {SHAPE_NUMBERS(struct fusion_outage, recovered)},
    {SHAPE_NUMBERS(struct fusion_outage, level_accepted)},
    {SHAPE_CHOICES(struct fusion_outage, verdict, VERDICT__COUNT + 1)},
    {SHAPE_NUMBERS(struct fusion_outage, probability)},
};

static const struct shape view_shape[] = {
    {SHAPE_PARTS(struct fusion_view, scope, struct scope, scope_shape)},
    {SHAPE_CHOICES(struct fusion_view, state, STATE__COUNT)},
    {SHAPE_INSTANTS(struct fusion_view, dark_ns)},
    {SHAPE_INSTANTS(struct fusion_view, last_ns)},
    {SHAPE_INSTANTS(struct fusion_view, returned_ns)},
    {SHAPE_FLAGS(struct fusion_view, in_doubt)},
    {SHAPE_NUMBERS(struct fusion_view, hosts)},
    {SHAPE_NUMBERS(struct fusion_view, hosts_usual)},
    {SHAPE_PARTS(struct fusion_view, outage, struct fusion_outage, outage_shape)},
    {SHAPE_PARTS(struct fusion_view, facts, struct cause_facts, facts_shape)},
    {SHAPE_FLAGS(struct fusion_view, fresh)},
    {SHAPE_CHOICES(struct fusion_view, signal, SIGNAL__COUNT)},
    {SHAPE_NUMBERS(struct fusion_view, seen)},
    {SHAPE_NUMBERS(struct fusion_view, expected)},
    {SHAPE_NUMBERS(struct fusion_view, spread)},
    {SHAPE_NUMBERS(struct fusion_view, detectable_s)},
    {SHAPE_NUMBERS(struct fusion_view, most)},
    {SHAPE_PARTS(struct fusion_view, sum, struct tally, tally_shape)},
};

static const struct shape row_shape[] = {
    {SHAPE_PARTS(struct fusion_row, bin, struct bin, bin_shape)},
};

struct fuse_head {
    uint32_t version, sensor_count, view_count, row_count;
    uint64_t sensor_bytes, view_bytes, cell_bytes, row_bytes;
    int64_t bin_ns, arrived_ns, next_ns, gather_ns, now_ns;
};

static const struct shape head_shape[] = {
    {SHAPE_INSTANTS(struct fuse_head, arrived_ns)},
    {SHAPE_INSTANTS(struct fuse_head, next_ns)},
    {SHAPE_INSTANTS(struct fuse_head, gather_ns)},
    {SHAPE_INSTANTS(struct fuse_head, now_ns)},
};

static struct fuse_head head_of(const struct fuse *fuse)
{
    struct fuse_head head;
    memset(&head, 0, sizeof head); /* the gaps too */
    head.version = FUSE_VERSION;
    head.sensor_count = fuse->sensor_count;
    head.view_count = fuse->view_count;
    head.row_count = fuse->row_count;
    head.sensor_bytes = sizeof(struct fusion_sensor);
    head.view_bytes = sizeof(struct fusion_view);
    head.cell_bytes = sizeof(struct fusion_cell);
    head.row_bytes = sizeof(struct fusion_row);
    head.bin_ns = fuse->options.bin_ns;
    head.arrived_ns = fuse->arrived_ns;
    head.next_ns = fuse->next_ns;
    head.gather_ns = fuse->gather_ns;
    head.now_ns = fuse->now_ns;
    return head;
}

/* Sizes are bounded by the maxima above, so that they cannot overflow. */
static size_t size_of(const struct fuse *fuse)
{
    size_t size = sizeof(struct fuse_head) + fuse->sensor_count * sizeof *fuse->sensors +
                  fuse->view_count * sizeof *fuse->views + fuse->row_count * sizeof *fuse->rows;
    for (uint32_t i = 0; i < fuse->view_count; i++)
        size += fuse->views[i].cells != NULL ? fuse->sensor_count * sizeof(struct fusion_cell) : 0;
    return size;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(at, bytes, length);
    return at + length;
}

size_t fuse_save(const struct fuse *fuse, uint8_t *bytes, size_t room)
{
    size_t size = size_of(fuse);
    if (room < size)
        return size;
    struct fuse_head head = head_of(fuse);
    uint8_t *at = put_bytes(bytes, &head, sizeof head);
    at = put_bytes(at, fuse->sensors, fuse->sensor_count * sizeof *fuse->sensors);
    at = put_bytes(at, fuse->views, fuse->view_count * sizeof *fuse->views);
    for (uint32_t i = 0; i < fuse->view_count; i++)
        if (fuse->views[i].cells != NULL)
            at = put_bytes(at, fuse->views[i].cells, fuse->sensor_count * sizeof(struct fusion_cell));
    put_bytes(at, fuse->rows, fuse->row_count * sizeof *fuse->rows);
    return size;
}

/* New memory with the next bytes; NULL: there is none, or too few bytes are left. */
static void *take_bytes(const uint8_t **at, size_t *left, size_t length)
{
    void *taken = length <= *left ? malloc(length > 0 ? length : 1) : NULL;
    if (taken == NULL)
        return NULL;
    memcpy(taken, *at, length);
    *at += length;
    *left -= length;
    return taken;
}

/* Whether the sensors and views are what they may be, and lead to one another only. */
static bool heads_hold(const struct fusion_sensor *sensors, const struct fusion_view *views,
                       const struct fuse_head *head)
{
    if (!shape_holds(sensor_shape, SHAPE_FIELDS(sensor_shape), sensors, sizeof *sensors,
                     head->sensor_count) ||
        !shape_holds(view_shape, SHAPE_FIELDS(view_shape), views, sizeof *views, head->view_count) ||
        views[FUSION_ALL].scope.kind != SCOPE_ALL || views[FUSION_ALL].sensor != FUSION_NOBODY ||
        views[FUSION_TAP].scope.kind != SCOPE_TAP || views[FUSION_TAP].sensor != FUSION_NOBODY)
        return false;
    for (uint32_t i = 0; i < head->sensor_count; i++)
        if (sensors[i].road >= head->view_count || views[sensors[i].road].sensor != i)
            return false;
    for (uint32_t v = 0; v < head->view_count; v++)
        if (views[v].sensor != FUSION_NOBODY && views[v].sensor >= head->sensor_count)
            return false;
    return true;
}

static bool rows_hold(const struct fuse *fuse)
{
    for (uint32_t i = 0; i < fuse->row_count; i++)
        if (fuse->rows[i].view >= fuse->view_count || fuse->rows[i].sensor >= fuse->sensor_count ||
            fuse->views[fuse->rows[i].view].cells == NULL)
            return false;
    return shape_holds(row_shape, SHAPE_FIELDS(row_shape), fuse->rows, sizeof *fuse->rows, fuse->row_count);
}

static bool load_cells(struct fuse *fuse, const uint8_t **at, size_t *left)
{
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        struct fusion_view *view = &fuse->views[v];
        if (view->sensor != FUSION_NOBODY)
            continue;
        view->cells = take_bytes(at, left, fuse->sensor_count * sizeof *view->cells);
        if (view->cells == NULL || !shape_holds(cell_shape, SHAPE_FIELDS(cell_shape), view->cells,
                                                sizeof *view->cells, fuse->sensor_count))
            return false;
    }
    return true;
}

/* Into a view that is new. */
static bool load_all(struct fuse *fuse, const struct fuse_head *head, const uint8_t *at, size_t left)
{
    struct fusion_sensor *sensors = take_bytes(&at, &left, head->sensor_count * sizeof *sensors);
    struct fusion_view *views = take_bytes(&at, &left, head->view_count * sizeof *views);
    if (sensors == NULL || views == NULL || !heads_hold(sensors, views, head)) {
        free(sensors);
        free(views);
        return false;
    }
    for (uint32_t v = 0; v < head->view_count; v++)
        views[v].cells = NULL; /* what was saved is where they lay */
    for (uint32_t v = 0; v < fuse->view_count; v++)
        free(fuse->views[v].cells);
    free(fuse->views);
    free(fuse->sensors);
    free(fuse->rows);
    fuse->sensors = sensors;
    fuse->sensor_count = head->sensor_count;
    fuse->views = views;
    fuse->view_count = head->view_count;
    fuse->rows = NULL;
    fuse->row_count = fuse->row_room = 0;
    if (!load_cells(fuse, &at, &left))
        return false;
    fuse->rows = take_bytes(&at, &left, head->row_count * sizeof *fuse->rows);
    if (fuse->rows == NULL)
        return false;
    fuse->row_count = fuse->row_room = head->row_count;
    return left == 0 && rows_hold(fuse);
}

int fuse_load(struct fuse *fuse, const uint8_t *bytes, size_t length, const char **why)
{
    struct fuse_head head, wanted = head_of(fuse);
    *why = "it was saved by another version of the program";
    if (length < sizeof head)
        return -1;
    memcpy(&head, bytes, sizeof head);
    if (head.version != wanted.version || head.sensor_bytes != wanted.sensor_bytes ||
        head.view_bytes != wanted.view_bytes || head.cell_bytes != wanted.cell_bytes ||
        head.row_bytes != wanted.row_bytes || head.sensor_count > FUSION_SENSORS_MAX ||
        head.view_count > FUSION_VIEWS_MAX || head.view_count < 2 || head.row_count > FUSION_ROWS_MAX)
        return -1;
    *why = "it was saved with another bin";
    if (head.bin_ns != wanted.bin_ns)
        return -1;
    *why = "it is not whole, or not what a view can be, or there is no memory for it";
    if (!shape_holds(head_shape, SHAPE_FIELDS(head_shape), &head, sizeof head, 1) ||
        !load_all(fuse, &head, bytes + sizeof head, length - sizeof head))
        return -1;
    fuse->arrived_ns = head.arrived_ns;
    fuse->next_ns = head.next_ns;
    fuse->gather_ns = head.gather_ns;
    fuse->now_ns = head.now_ns;
    fuse->list_stale = true;
    return 0;
}
