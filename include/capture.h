/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the street side: packets in, closed tallies and ended flows out. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "flow_record.h"
#include "health.h"
#include "hosts.h"
#include "scope.h"
#include "tally.h"

struct rules; /* what is watched, by which paths and services: made by the settings */

struct capture_options {
    const char *const *reads; /* savefiles and directories, or … */
    size_t read_count;
    bool follow;                   /* … that are still being written */
    const char *const *interfaces; /* … interfaces */
    size_t interface_count;
    int64_t from_ns, to_ns; /* of a replay: what is before the one, or at or after the other, is not read;
                               TIME_NONE: no bound */
    const char *filter;     /* a pcap filter expression, or NULL */
    bool decapsulate;       /* tunnels are opened, to the innermost IP; else the outermost counts */
    bool deduplicate;       /* second copies of packets are left out */
    uint32_t sampling;      /* one packet in so many reaches the tap */

    int64_t bin_ns, step_ns; /* a step divides a bin */
    int64_t gap_max_ns;      /* longer without any packet is a hole in a replay */
    int64_t flow_timeout_ns;
    int64_t burst_length_ns; /* signs of life of one client within this time are one burst */
    uint32_t flows_max;      /* live flows in the table */
    uint32_t classify_max;   /* flows under classification at a time; 0: no classification */
    uint32_t addresses_max;  /* addresses told apart in a bin, over all scopes */
    bool flow_records;       /* ended flows are wanted */
    bool hosts;              /* so is which hosts spoke */

    uint32_t workers;        /* who share the flows: readers of each interface, and owners */
    const char *const *cpus; /* numbers of processors, a worker each in turn, … */
    size_t cpu_count;        /* … 0: wherever */

    uint32_t ring_mib, snaplen;
    bool promiscuous;
    double lateness_s; /* how far ticks stay behind the wall clock */
    int64_t resume_ns; /* a replay tells nothing of what lies before: it was told already; TIME_NONE: all is
                          new */
    double speed;      /* of a replay against real time; 0: as fast as it goes */
};

/* Where the results go: called in data-time order, with values valid during the call. */
struct capture_output {
    void *context;
    void (*step)(void *context, const struct tally *tallies); /* one a scope, in the order of the list */
    void (*hosts)(void *context, const struct hosts *hosts); /* of all prefixes that count; before its step */
    void (*flow)(void *context, const struct flow_record *record);
    void (*say)(void *context, const char *text); /* a message for the operator, one line */
    /* Now and then; `data_ns` is TIME_NONE before the first packet. */
    void (*progress)(void *context, const struct health *health, int64_t data_ns);
    void (*changed)(void *context); /* what was said to capture_change holds from the next step on */
};

/* What is to be watched from a bin on. */
struct capture_change {
    const struct rules *rules;
    const struct scope_list *scopes;
    int64_t from_ns;
};

struct capture;

/* Opens the input. Borrows everything until capture_close; `health` is kept up to date. NULL with the fault.
 */
struct capture *capture_open(const struct capture_options *options, const struct rules *rules,
                             const struct scope_list *scopes, struct health *health, struct fault *fault);

/* Reads until the input ends or `*stop` is set, then closes what is open. Returns 0; 1 when some of the input
 * was damaged, which was said through `say` while all that could be read was counted; -1 with the fault when
 * it could not begin. */
int capture_run(struct capture *capture, const struct capture_output *output, const atomic_bool *stop,
                struct fault *fault);
void capture_close(struct capture *capture);

/* How much of the input has been read, 0 to 1; negative where nobody can know. From any thread. */
double capture_share(const struct capture *capture);

/* From within output->step: has other rules and scopes hold from the first bin at or after change->from_ns
 * on, when output->changed is called between its steps, with no packet lost. Flows of what stays watched go
 * on, those of what is not end before the call. Borrows what the change points to until capture_close or the
 * next change has come. */
void capture_change(struct capture *capture, const struct capture_change *change);

/* Reads a table of bins instead (`-b`): its scopes become the list, and its bin length the bin. */
struct bins_file;

/* Opens and looks through the table. Which services are name servers is taken from the scopes `known` under
 * the same names; NULL: none is. Returns NULL with the fault, naming file and line, when not one good row can
 * be read; what is damaged further on is told by the run. "-" is not taken: the table is read twice. */
struct bins_file *capture_bins_open(const char *path, const struct scope_list *known, struct fault *fault);
const struct scope_list *capture_bins_scopes(const struct bins_file *file);
int64_t capture_bins_length_ns(const struct bins_file *file);

/* Gives every interval that begins at or after `from_ns` and before `to_ns` (TIME_NONE: no bound) to
 * output->step. Returns as capture_run. */
int capture_bins_run(struct bins_file *file, int64_t from_ns, int64_t to_ns,
                     const struct capture_output *output, const atomic_bool *stop, struct fault *fault);
void capture_bins_close(struct bins_file *file);
