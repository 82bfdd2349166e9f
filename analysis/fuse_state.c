/* SPDX-License-Identifier: BSD-3-Clause */
/* The fused view as bytes, for whoever takes over: a head that says for what it was saved, and the plain data
 * as they lie in memory, as in state.c. */
#include <stdlib.h>
#include <string.h>

#include "fusion.h"

enum { FUSE_VERSION = 1 };

struct fuse_head {
    uint32_t version, sensor_count, view_count, row_count;
    uint64_t sensor_bytes, view_bytes, cell_bytes, row_bytes;
    int64_t bin_ns, arrived_ns, next_ns, gather_ns, now_ns;
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

static bool load_all(struct fuse *fuse, const struct fuse_head *head, const uint8_t *at, size_t left)
{
    for (uint32_t i = 0; i < fuse->view_count; i++)
        free(fuse->views[i].cells);
    free(fuse->views);
    free(fuse->sensors);
    fuse->view_count = 0;
    fuse->sensors = take_bytes(&at, &left, head->sensor_count * sizeof *fuse->sensors);
    fuse->views = take_bytes(&at, &left, head->view_count * sizeof *fuse->views);
    if (fuse->sensors == NULL || fuse->views == NULL)
        return false;
    fuse->sensor_count = head->sensor_count;
    for (; fuse->view_count < head->view_count; fuse->view_count++) {
        struct fusion_view *view = &fuse->views[fuse->view_count];
        if (view->sensor != FUSION_NOBODY)
            continue;
        view->cells = take_bytes(&at, &left, fuse->sensor_count * sizeof *view->cells);
        if (view->cells == NULL)
            return false;
    }
    free(fuse->rows);
    fuse->rows = take_bytes(&at, &left, head->row_count * sizeof *fuse->rows);
    fuse->row_count = fuse->row_room = head->row_count;
    return fuse->rows != NULL && left == 0;
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
        head.view_count > FUSION_VIEWS_MAX || head.view_count < 2)
        return -1;
    *why = "it was saved with another bin";
    if (head.bin_ns != wanted.bin_ns)
        return -1;
    *why = "it is not whole, or there is no memory for it";
    if (!load_all(fuse, &head, bytes + sizeof head, length - sizeof head))
        return -1;
    fuse->arrived_ns = head.arrived_ns;
    fuse->next_ns = head.next_ns;
    fuse->gather_ns = head.gather_ns;
    fuse->now_ns = head.now_ns;
    fuse->list_stale = true;
    return 0;
}
