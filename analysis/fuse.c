/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a window of data time closes, and who has a voice in it. Two clocks are at work. A sensor is heard as
 * long as rows of it arrive; those that are heard and in step, no further back than what was closed last, are
 * waited for, until most of them are ahead by the lateness: the median of their data times is what counts, so
 * that one clock that goes wrong makes its own sensor late or early and no other.
 */
#include "fuse.h"

#include <stdlib.h>
#include <string.h>

#include "fusion.h"

static const uint32_t missed_least = 2;  /* windows that a sensor misses before it is told … */
static const uint32_t never_least = 10;  /* … if it has ever been in step */
static const int64_t ahead_most = 240;   /* windows that rows are kept for */
static const int64_t back_to_times = 10; /* waits that all are behind: their data begin anew */

static int64_t wait_ns(const struct fuse *fuse)
{
    return fuse->options.bin_ns + fuse->options.lateness_ns;
}

/* ---- memory ---- */

/* Room for one more of `size` bytes, doubled when it is full. */
static bool grow(void **items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return true;
    uint32_t wanted = *room > 0 ? 2 * *room : 64;
    void *grown = realloc(*items, wanted * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

static bool renew(void **items, uint32_t count, size_t size)
{
    void *grown = realloc(*items, (size_t)count * size);
    if (grown == NULL)
        return false;
    *items = grown;
    memset((char *)grown + (count - 1) * size, 0, size);
    return true;
}

/* Whether so many sensors may have cells in as many views more. */
static bool is_room(const struct fuse *fuse, uint32_t sensors, uint32_t more)
{
    uint32_t views = more;
    for (uint32_t v = 0; v < fuse->view_count; v++)
        views += fuse->views[v].sensor == FUSION_NOBODY;
    return sensors * views <= FUSION_CELLS_MAX; /* no product of both maxima is beyond an uint32_t */
}

static struct fusion_view *add_view(struct fuse *fuse, const struct scope *scope, uint32_t sensor)
{
    bool has_cells = sensor == FUSION_NOBODY && fuse->sensor_count > 0;
    if (fuse->view_count == FUSION_VIEWS_MAX || (has_cells && !is_room(fuse, fuse->sensor_count, 1)))
        return NULL;
    struct fusion_cell *cells = has_cells ? calloc(fuse->sensor_count, sizeof *cells) : NULL;
    if ((has_cells && cells == NULL) ||
        !renew((void **)&fuse->views, fuse->view_count + 1, sizeof *fuse->views)) {
        free(cells);
        return NULL;
    }
    struct fusion_view *view = &fuse->views[fuse->view_count++];
    view->scope = *scope;
    view->sensor = sensor;
    view->cells = cells;
    view->state = STATE_LEARNING;
    view->dark_ns = view->last_ns = view->returned_ns = TIME_NONE;
    view->hosts_usual = -1;
    fuse->list_stale = true;
    return view;
}

static uint32_t find_view(const struct fuse *fuse, const char *text)
{
    for (uint32_t i = 0; i < fuse->view_count; i++)
        if (strcmp(fuse->views[i].scope.text, text) == 0)
            return i;
    return FUSION_NOBODY;
}

struct fuse *fuse_new(const struct fuse_options *options, const struct fuse_output *output)
{
    static const struct scope all = {.kind = SCOPE_ALL, .counted = true, .text = "all"},
                              tap = {.kind = SCOPE_TAP, .text = "tap"};
    struct fuse *fuse = calloc(1, sizeof *fuse);
    if (fuse == NULL)
        return NULL;
    fuse->options = *options;
    fuse->output = *output;
    fuse->arrived_ns = fuse->next_ns = fuse->gather_ns = TIME_NONE;
    if (add_view(fuse, &all, FUSION_NOBODY) == NULL || add_view(fuse, &tap, FUSION_NOBODY) == NULL) {
        fuse_free(fuse);
        return NULL;
    }
    return fuse;
}

void fuse_free(struct fuse *fuse)
{
    if (fuse == NULL)
        return;
    for (uint32_t i = 0; i < fuse->view_count; i++)
        free(fuse->views[i].cells);
    free(fuse->views);
    free(fuse->sensors);
    free(fuse->rows);
    free(fuse->items);
    free(fuse->order);
    free(fuse);
}

static void drop_rows_of(struct fuse *fuse, uint32_t view)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fuse->row_count; i++)
        if (fuse->rows[i].view != view)
            fuse->rows[kept++] = fuse->rows[i];
    fuse->row_count = kept;
}

/* The road of a sensor is a path of its name; a path that sensors know by that name is not told apart from
 * it. */
static bool add_road(struct fuse *fuse, uint32_t number)
{
    struct scope scope = {.kind = SCOPE_PATH, .counted = true, .text = "path:"};
    strcat(scope.text, fuse->sensors[number].name);
    uint32_t same = find_view(fuse, scope.text);
    fuse->sensors[number].road = same != FUSION_NOBODY ? same : fuse->view_count;
    if (same == FUSION_NOBODY)
        return add_view(fuse, &scope, number) != NULL;
    drop_rows_of(fuse, same);
    free(fuse->views[same].cells);
    fuse->views[same].cells = NULL;
    fuse->views[same].sensor = number;
    return true;
}

static uint32_t find_sensor(struct fuse *fuse, const char *name)
{
    uint32_t number = 0;
    while (number < fuse->sensor_count && strcmp(fuse->sensors[number].name, name) != 0)
        number++;
    if (number < fuse->sensor_count)
        return number;
    if (number == FUSION_SENSORS_MAX || !is_room(fuse, number + 1, 0) ||
        !renew((void **)&fuse->sensors, number + 1, sizeof *fuse->sensors))
        return FUSION_NOBODY;
    for (uint32_t i = 0; i < fuse->view_count; i++)
        if (fuse->views[i].sensor == FUSION_NOBODY &&
            !renew((void **)&fuse->views[i].cells, number + 1, sizeof *fuse->views[i].cells))
            return FUSION_NOBODY;
    strcpy(fuse->sensors[number].name, name);
    fuse->sensors[number].data_ns = TIME_NONE;
    fuse->sensor_count++;
    if (add_road(fuse, number))
        return number;
    fuse->sensor_count--; /* it is asked for anew with its next row */
    return FUSION_NOBODY;
}

/* ---- who is in step ---- */

static bool in_step(const struct fuse *fuse, const struct fusion_sensor *sensor)
{
    return sensor->heard && !sensor->unlike && sensor->data_ns >= fuse->next_ns;
}

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return one < other ? -1 : one > other;
}

/* The least data time of those in step, and their lower median; false: there is none. */
static bool data_times(const struct fuse *fuse, int64_t *least_ns, int64_t *median_ns)
{
    int64_t times[FUSION_SENSORS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < fuse->sensor_count; i++)
        if (in_step(fuse, &fuse->sensors[i]))
            times[count++] = fuse->sensors[i].data_ns;
    if (count == 0)
        return false;
    qsort(times, count, sizeof *times, by_value);
    *least_ns = times[0];
    *median_ns = times[(count - 1) / 2];
    return true;
}

static bool waits(const struct fuse *fuse, int64_t start_ns)
{
    for (uint32_t i = 0; i < fuse->row_count; i++)
        if (fuse->rows[i].bin.start_ns == start_ns)
            return true;
    return false;
}

/* Whether the next window is as whole as it will be. */
static bool is_due(const struct fuse *fuse)
{
    int64_t least_ns, median_ns;
    if (fuse->next_ns == TIME_NONE || fuse->arrived_ns < fuse->gather_ns)
        return false;
    if (!data_times(fuse, &least_ns, &median_ns))
        return waits(fuse, fuse->next_ns);
    return least_ns >= fuse->next_ns + fuse->options.bin_ns || median_ns >= fuse->next_ns + wait_ns(fuse);
}

/* ---- who has a voice ---- */

static void tell_absent(struct fuse *fuse, struct fusion_sensor *sensor)
{
    sensor->told = true;
    fusion_tell_sensor(fuse, sensor, EVENT_SENSOR_IMPAIRED);
}

static void miss(struct fuse *fuse, struct fusion_sensor *sensor, enum absence why, int64_t start_ns)
{
    if (sensor->missed == 0)
        sensor->missed_ns = start_ns;
    sensor->missed++;
    sensor->absent = why;
    if (sensor->told || (why != ABSENCE_BLIND && sensor->missed < missed_least) ||
        (!sensor->known && sensor->missed < never_least))
        return;
    tell_absent(fuse, sensor);
}

static void attend(struct fuse *fuse, struct fusion_sensor *sensor)
{
    sensor->present = sensor->known = true;
    sensor->missed = 0;
    sensor->absent = ABSENCE_NONE;
    if (sensor->told)
        fusion_tell_sensor(fuse, sensor, EVENT_SENSOR_RESTORED);
    sensor->told = false;
}

/* A sensor is blind when it says so of everything; of single scopes that is theirs alone. */
static bool is_blind(const struct fuse *fuse, uint32_t number)
{
    const struct fusion_cell *all = &fuse->views[FUSION_ALL].cells[number];
    return all->fresh && all->state == STATE_BLIND;
}

static bool has_row(const struct fuse *fuse, uint32_t number)
{
    return fuse->views[FUSION_ALL].cells[number].fresh || fuse->views[FUSION_TAP].cells[number].fresh;
}

static void call_roll(struct fuse *fuse, int64_t start_ns)
{
    int64_t least_ns, median_ns;
    bool any = data_times(fuse, &least_ns, &median_ns);
    for (uint32_t i = 0; i < fuse->sensor_count; i++) {
        struct fusion_sensor *sensor = &fuse->sensors[i];
        const struct fusion_cell *tap = &fuse->views[FUSION_TAP].cells[i];
        sensor->present = false;
        if (sensor->unlike)
            continue;
        if (any && sensor->heard && sensor->data_ns > median_ns + wait_ns(fuse)) {
            miss(fuse, sensor, ABSENCE_AHEAD, start_ns);
        } else if (!has_row(fuse, i)) {
            miss(fuse, sensor, sensor->heard ? ABSENCE_LATE : ABSENCE_SILENT, start_ns);
        } else if (is_blind(fuse, i)) {
            sensor->known = true;
            miss(fuse, sensor, ABSENCE_BLIND, start_ns);
        } else {
            attend(fuse, sensor);
        }
        if (tap->fresh)
            sensor->control = tap->state == STATE_UP;
    }
}

/* ---- a window ---- */

static double observed(const struct bin *bin)
{
    static const enum tally_measure of[] = {
        [SIGNAL_ANSWERED_FLOWS] = TALLY_answered_flows, [SIGNAL_LIVE_FLOWS] = TALLY_live_flows,
        [SIGNAL_ACKED_FLOWS] = TALLY_acked_flows,       [SIGNAL_PACKETS_OUT] = TALLY_packets_out,
        [SIGNAL_PACKETS_IN] = TALLY_packets_in,
    };
    if (bin->signal >= SIGNAL_NONE || !tally_knows(&bin->tally, of[bin->signal]))
        return -1;
    return (double)bin->tally.value[of[bin->signal]];
}

static void lay_out(struct fuse *fuse, const struct fusion_row *row)
{
    struct fusion_cell *cell = &fuse->views[row->view].cells[row->sensor];
    const struct bin *bin = &row->bin;
    cell->fresh = true;
    cell->state = bin->state;
    cell->signal = bin->signal;
    cell->seen = observed(bin);
    cell->expected = bin->expected;
    cell->low = bin->low;
    cell->detectable_s = bin->detectable_s;
    if (bin->outage.known)
        cell->outage = bin->outage;
}

static void close_window(struct fuse *fuse)
{
    const int64_t start_ns = fuse->next_ns;
    bool any = false;
    fuse->now_ns = start_ns + fuse->options.bin_ns;
    for (uint32_t v = 0; v < fuse->view_count; v++)
        for (uint32_t i = 0; i < fuse->sensor_count && fuse->views[v].cells != NULL; i++)
            fuse->views[v].cells[i].fresh = false;
    for (uint32_t i = 0; i < fuse->row_count; i++)
        if (fuse->rows[i].bin.start_ns == start_ns) {
            lay_out(fuse, &fuse->rows[i]);
            any = true;
        }
    if (any && fusion_tell_scopes(fuse)) {
        call_roll(fuse, start_ns);
        fusion_judge(fuse, start_ns);
        fusion_tell_bins(fuse, start_ns);
    } else {
        fusion_pass(fuse, start_ns);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fuse->row_count; i++)
        if (fuse->rows[i].bin.start_ns > start_ns)
            fuse->rows[kept++] = fuse->rows[i];
    fuse->row_count = kept;
    fuse->next_ns = fuse->now_ns;
}

/* The data begin anew, as those of an exercise that is played again do: what was open is not told any more.
 */
static void begin_anew(struct fuse *fuse, int64_t start_ns)
{
    fuse->next_ns = start_ns;
    fuse->gather_ns = fuse->arrived_ns + fuse->options.lateness_ns; /* who else there is shows till then */
    fuse->row_count = 0;
    for (uint32_t v = 0; v < fuse->view_count; v++) {
        struct fusion_view *view = &fuse->views[v];
        if (view->cells != NULL)
            memset(view->cells, 0, fuse->sensor_count * sizeof *view->cells);
        memset(&view->outage, 0, sizeof view->outage);
        view->state = STATE_LEARNING;
        view->dark_ns = view->last_ns = view->returned_ns = TIME_NONE;
    }
    for (uint32_t i = 0; i < fuse->sensor_count; i++) {
        fuse->sensors[i].told = false;
        fuse->sensors[i].missed = 0;
    }
}

static bool all_went_back(const struct fuse *fuse)
{
    for (uint32_t i = 0; i < fuse->sensor_count; i++)
        if (fuse->sensors[i].heard && !fuse->sensors[i].unlike &&
            fuse->sensors[i].data_ns >= fuse->next_ns - back_to_times * wait_ns(fuse))
            return false;
    return true;
}

/* Of windows in which nobody says anything only the last few matter: a leap of years is over at once. */
static void leap(struct fuse *fuse)
{
    int64_t least_ns, median_ns;
    if (!data_times(fuse, &least_ns, &median_ns))
        return;
    int64_t to_ns = median_ns - fuse->options.lateness_ns;
    to_ns = to_ns > least_ns ? to_ns : least_ns; /* the first that is not due */
    for (uint32_t i = 0; i < fuse->row_count; i++)
        to_ns = to_ns < fuse->rows[i].bin.start_ns ? to_ns : fuse->rows[i].bin.start_ns;
    to_ns = clock_floor(to_ns, fuse->options.bin_ns) - FUSION_PAST * fuse->options.bin_ns;
    if (to_ns > fuse->next_ns)
        fuse->next_ns = to_ns;
}

static void settle(struct fuse *fuse)
{
    while (is_due(fuse)) {
        if (!waits(fuse, fuse->next_ns))
            leap(fuse);
        close_window(fuse);
    }
}

/* Nobody is heard any more: that is the last that is told, before somebody is. */
static void tell_silence(struct fuse *fuse)
{
    bool any = false;
    for (uint32_t i = 0; i < fuse->sensor_count; i++)
        if (fuse->sensors[i].heard)
            return;
    for (uint32_t i = 0; i < fuse->sensor_count; i++) {
        struct fusion_sensor *sensor = &fuse->sensors[i];
        any = any || !sensor->told;
        if (sensor->unlike || sensor->told || !sensor->known)
            continue;
        sensor->missed_ns = fuse->next_ns;
        sensor->absent = ABSENCE_SILENT;
        tell_absent(fuse, sensor);
    }
    if (!any || fuse->next_ns == TIME_NONE || !fusion_tell_scopes(fuse))
        return;
    fuse->now_ns = fuse->next_ns + fuse->options.bin_ns;
    fusion_go_blind(fuse, fuse->next_ns);
    fusion_tell_bins(fuse, fuse->next_ns);
    fuse->next_ns = fuse->now_ns;
}

/* Sensors that nothing came from for so long are no longer waited for, each from its own instant on. */
void fuse_advance(struct fuse *fuse, int64_t arrived_ns)
{
    if (fuse->arrived_ns != TIME_NONE && fuse->arrived_ns < fuse->gather_ns &&
        arrived_ns >= fuse->gather_ns) {
        fuse->arrived_ns = fuse->gather_ns;
        settle(fuse);
    }
    for (;;) {
        struct fusion_sensor *first = NULL;
        for (uint32_t i = 0; i < fuse->sensor_count; i++)
            if (fuse->sensors[i].heard && (first == NULL || fuse->sensors[i].arrived_ns < first->arrived_ns))
                first = &fuse->sensors[i];
        if (first == NULL || first->arrived_ns + wait_ns(fuse) > arrived_ns)
            break;
        fuse->arrived_ns = first->arrived_ns + wait_ns(fuse);
        first->heard = false;
        settle(fuse);
        tell_silence(fuse);
    }
    if (fuse->arrived_ns == TIME_NONE || fuse->arrived_ns < arrived_ns)
        fuse->arrived_ns = arrived_ns;
}

static bool is_unlike(const struct fuse *fuse, const struct bin *bin)
{
    return clock_floor(bin->start_ns, fuse->options.bin_ns) != bin->start_ns ||
           bin->tally.end_ns - bin->start_ns > fuse->options.bin_ns;
}

/* The view that a row speaks of; FUSION_NOBODY: there is no memory. */
static uint32_t view_of(struct fuse *fuse, const struct scope *scope)
{
    uint32_t number = find_view(fuse, scope->text);
    if (number == FUSION_NOBODY && add_view(fuse, scope, FUSION_NOBODY) != NULL)
        number = fuse->view_count - 1;
    return number;
}

/* A sensor has told all before an instant. */
static void reach(struct fuse *fuse, struct fusion_sensor *sensor, int64_t data_ns)
{
    bool again = sensor->data_ns != TIME_NONE && data_ns == sensor->data_ns - fuse->options.bin_ns;
    if (again || data_ns == sensor->data_ns)
        return;
    sensor->data_ns = data_ns;
    if (all_went_back(fuse))
        begin_anew(fuse, data_ns);
    settle(fuse);
}

/* What is far ahead of the windows will not count when they come there. */
static bool keeps(const struct fuse *fuse, uint32_t view, int64_t start_ns)
{
    return start_ns >= fuse->next_ns && start_ns - fuse->next_ns < ahead_most * fuse->options.bin_ns &&
           fuse->views[view].cells != NULL;
}

enum fuse_taken fuse_take(struct fuse *fuse, const struct fuse_row *row, int64_t arrived_ns)
{
    const struct bin *bin = &row->bin;
    fuse_advance(fuse, arrived_ns);
    uint32_t number = find_sensor(fuse, row->sensor), of = view_of(fuse, &row->scope);
    if (number == FUSION_NOBODY || of == FUSION_NOBODY ||
        (fuse->row_count < FUSION_ROWS_MAX &&
         !grow((void **)&fuse->rows, fuse->row_count, &fuse->row_room, sizeof *fuse->rows)))
        return FUSE_NO_MEMORY;
    struct fusion_sensor *sensor = &fuse->sensors[number];
    sensor->heard = true;
    sensor->arrived_ns = fuse->arrived_ns;
    sensor->unlike = sensor->unlike || is_unlike(fuse, bin);
    if (sensor->unlike)
        return FUSE_UNLIKE;
    if (fuse->next_ns == TIME_NONE)
        begin_anew(fuse, bin->start_ns);
    reach(fuse, sensor, bin->start_ns);
    bool kept = keeps(fuse, of, bin->start_ns), full = fuse->row_count == FUSION_ROWS_MAX;
    if (kept && !full)
        fuse->rows[fuse->row_count++] = (struct fusion_row){of, number, *bin};
    if (row->scope.kind == SCOPE_TAP)
        reach(fuse, sensor, bin->start_ns + fuse->options.bin_ns);
    return kept && full ? FUSE_FULL : kept ? FUSE_TAKEN : FUSE_LATE;
}

int64_t fuse_arrived_ns(const struct fuse *fuse)
{
    return fuse->arrived_ns;
}

int64_t fuse_data_ns(const struct fuse *fuse)
{
    return fuse->next_ns;
}
