/* SPDX-License-Identifier: BSD-3-Clause */
/* All that the fused view holds. Private to analysis. */
#pragma once

#include "cause.h"
#include "event.h"
#include "fuse.h"

enum {
    FUSION_PAST = 32,
    FUSION_SENSORS_MAX = 1024,
    FUSION_VIEWS_MAX = 4096,
    FUSION_CELLS_MAX = 262144, /* of all views */
    FUSION_ROWS_MAX = 131072
};

#define FUSION_NOBODY UINT32_MAX

/* Plain data. */
struct fusion_sensor {
    char name[FUSE_NAME_MAX];
    uint32_t road;       /* the view of it */
    bool heard;          /* of late */
    bool known;          /* it has been seen to see, or to be blind */
    bool unlike;         /* its bins have another length */
    bool present;        /* in the window that is closed: not absent */
    bool control;        /* there is other traffic on its tap */
    int64_t arrived_ns;  /* of its last row */
    int64_t data_ns;     /* all before has come */
    uint32_t missed;     /* windows one after the other */
    int64_t missed_ns;   /* start of the first of them */
    enum absence absent; /* why */
    bool told;           /* that it is */
    uint64_t episode;
    int64_t onset_ns; /* of what was told */
    enum absence told_absent;
};

/* What a sensor says of a scope. */
enum fusion_word {
    FUSION_NOTHING, /* it does not see it */
    FUSION_ALIVE,   /* it carries on, or is back */
    FUSION_UNSURE,  /* it does not say that it is down, nor does it show that it lives */
    FUSION_GONE,    /* it does not say so, but what it shows is as if it were down */
    FUSION_DOWN,
    FUSION_BACK /* its outage is open and something comes back */
};

/* A scope as one sensor sees it. Plain data. */
struct fusion_cell {
    bool fresh; /* there was a row in the window */
    enum scope_state state;
    enum signal signal;
    double seen, expected, low, detectable_s;
    struct bin_outage outage; /* as last shown, also after its end */
    bool fell;                /* it was down in the present outage */
    bool road_out;            /* that is told of its road already */
    enum fusion_word word;
    double odds; /* that it lives, against that it fell with those that are down: a logarithm */
    float past_seen[FUSION_PAST], past_expected[FUSION_PAST]; /* of the last windows, by their number */
};

/* An outage of a scope. Plain data. */
struct fusion_outage {
    bool open, covered; /* a wider one tells of it */
    uint64_t key, merged_into;
    uint32_t sequence, flaps, evidence;
    int64_t onset_ns, onset_earliest_ns, onset_latest_ns;
    int64_t end_ns, end_earliest_ns, end_latest_ns;
    int64_t turn_ns; /* start of the window in which something came back; TIME_NONE: nothing does … */
    int64_t back_ns; /* … and since when a sensor is up again; TIME_NONE: none is */
    double down_seen, down_expected, depth, log_odds, recovered, level_accepted;
    int told_quarters;
    enum verdict verdict;               /* as last told; VERDICT__COUNT: not yet */
    double probability[VERDICT__COUNT]; /* likewise */
};

/* A scope as all that see it show it. Plain data but for the cells. */
struct fusion_view {
    struct scope scope;
    uint32_t
        sensor; /* whose road it is: it shows what that one says of `all`; FUSION_NOBODY: of all sensors */
    enum scope_state state;
    int64_t dark_ns;     /* since when a sensor says that it is down; TIME_NONE: none does */
    int64_t last_ns;     /* start of the last window with a sign of life; TIME_NONE: none yet */
    int64_t returned_ns; /* when it came back under a wider one; TIME_NONE: not */
    bool in_doubt;
    double hosts, hosts_usual; /* addresses, of the sensor that sees most; usual is negative: not known */
    struct fusion_outage outage;
    struct cause_facts facts; /* of its cause */

    /* of the window */
    bool fresh;
    enum signal signal;
    double seen, expected, spread, detectable_s,
        most; /* `most`: expected by the sensor whose signal is told */
    uint32_t seeing, alive, unsure, gone, down, back, learning, blind;
    struct tally sum;

    struct fusion_cell *cells; /* one a sensor; NULL where `sensor` is one */
};

/* A row that waits for its window to close. */
struct fusion_row {
    uint32_t view, sensor;
    struct bin bin;
};

struct fuse {
    struct fuse_options options;
    struct fuse_output output;
    int64_t arrived_ns, next_ns; /* the next window to be closed; TIME_NONE: none yet */
    int64_t gather_ns;           /* no window is closed before this instant of arrival */
    int64_t now_ns;              /* the end of the window that is closed */

    struct fusion_sensor *sensors;
    uint32_t sensor_count;
    struct fusion_view *views; /* `all` first, then the tap */
    uint32_t view_count;
    struct fusion_row *rows;
    uint32_t row_count, row_room;

    struct scope_list list; /* of the views, as the output numbers them */
    struct scope *items;
    uint32_t *order;
    bool list_stale;
};

enum { FUSION_ALL = 0, FUSION_TAP = 1 };

/* The cells of a view: those of `all` where it is the road of one sensor. */
static inline struct fusion_cell *fusion_cells(const struct fuse *fuse, const struct fusion_view *view)
{
    return view->sensor != FUSION_NOBODY ? fuse->views[FUSION_ALL].cells : view->cells;
}

static inline uint32_t fusion_first(const struct fusion_view *view)
{
    return view->sensor != FUSION_NOBODY ? view->sensor : 0;
}

static inline uint32_t fusion_end(const struct fuse *fuse, const struct fusion_view *view)
{
    return view->sensor != FUSION_NOBODY ? view->sensor + 1 : fuse->sensor_count;
}

/* How much a scope holds: a wider one explains a narrower one. */
static inline int fusion_width(const struct fusion_view *view)
{
    static const int widths[] = {
        [SCOPE_ALL] = 3, [SCOPE_PATH] = 2, [SCOPE_PREFIX] = 1, [SCOPE_SERVICE] = 0, [SCOPE_TAP] = 4};
    return widths[view->scope.kind];
}

static inline bool fusion_sees(const struct fusion_cell *cell)
{
    return cell->word != FUSION_NOTHING;
}

static inline bool fusion_says_down(const struct fusion_cell *cell)
{
    return cell->word == FUSION_DOWN || cell->word == FUSION_BACK;
}

/* It says so, and it is not told of its road already. */
static inline bool fusion_fell_now(const struct fusion_cell *cell)
{
    return fusion_says_down(cell) && !cell->road_out;
}

/* fuse_ask.c: takes what the cells show of the window under way: the word of each, and the sums of the views.
 */
void fusion_hear(struct fuse *fuse, int64_t start_ns);

/* A window in which nobody watched. */
void fusion_pass(struct fuse *fuse, int64_t start_ns);

/* Adds up what the cells of a view say, after the words have changed. */
void fusion_sum(struct fuse *fuse, struct fusion_view *view, int64_t start_ns);

/* A sensor whose road is out sees nothing of single scopes. */
bool fusion_has_voice(const struct fuse *fuse, const struct fusion_view *view, uint32_t sensor);

/* Whether an outage is open of a view, or, of `all`, of the sensor's road. */
bool fusion_is_open(const struct fuse *fuse, const struct fusion_view *view, uint32_t sensor);

/* What a sensor showed before says nothing of what comes. */
void fusion_forget_past(struct fusion_cell *cell);

/* What a sensor showed in the windows that began at an instant or later, as far back as they are kept. */
struct fusion_shown {
    double seen, expected;
};
struct fusion_shown fusion_shown(const struct fuse *fuse, const struct fusion_cell *cell, int64_t since_ns);

/* One instant of the outages that the sensors tell of: the median, weighted by what each expects; TIME_NONE:
 * nobody tells. */
int64_t fusion_median(const struct fuse *fuse, const struct fusion_view *view, size_t offset,
                      bool (*counts)(const struct fusion_cell *));
#define FUSION_MEDIAN(fuse, view, field, counts)                                                             \
    fusion_median((fuse), (view), offsetof(struct bin_outage, field), (counts))

/* When it began for those that say so; the window where they do not know. */
int64_t fusion_onset(const struct fuse *fuse, const struct fusion_view *view);

/* Asks those that do not say that they are down whether they live since an instant, and changes their words.
 * Returns the odds of those that cannot tell by themselves: the logarithm, above 0 that they live. */
double fusion_ask(struct fuse *fuse, struct fusion_view *view, int64_t since_ns);

/* Whether it is down for all that can see. */
enum fusion_decision { FUSION_DECISION_UP, FUSION_DECISION_DOUBT, FUSION_DECISION_DARK };
enum fusion_decision fusion_decide(struct fuse *fuse, struct fusion_view *view, int64_t start_ns);

/* fuse_judge.c: with the rows of the window in the cells, what is to be said of every view. */
void fusion_judge(struct fuse *fuse, int64_t start_ns);

/* Nobody sees anything in this window. */
void fusion_go_blind(struct fuse *fuse, int64_t start_ns);

/* fuse_tell.c: gives events and bins to the output. */
void fusion_tell_outage(struct fuse *fuse, struct fusion_view *view, enum event_action action);
void fusion_tell_cause(struct fuse *fuse, struct fusion_view *view); /* if it is another than was told */
void fusion_tell_sensor(struct fuse *fuse, struct fusion_sensor *sensor, enum event_action action);
bool fusion_tell_scopes(struct fuse *fuse); /* if they are others than before; false: no memory */
void fusion_tell_bins(struct fuse *fuse, int64_t start_ns);
