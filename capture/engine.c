/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "rules.h"
#include "source.h"
#include "source_filter.h"
#include "worker.h"

static const double tick_s = 0.25;

struct capture {
    const struct capture_options *options;
    const struct rules *rules;
    const struct scope_list *scopes;
    struct health *health;
    struct source **sources;
    size_t source_count;
    int *groups;           /* one an interface */
    struct worker *worker; /* while one alone runs … */
    struct crew *crew;     /* … or several */
};

/* The reader of a worker on an interface. */
static struct source *open_live(struct capture *capture, size_t interface, uint32_t reader,
                                struct fault *fault)
{
    const struct capture_options *options = capture->options;
    const struct source_live_options live = {.number = (uint16_t)interface,
                                             .readers = options->workers,
                                             .reader = reader,
                                             .group = &capture->groups[interface],
                                             .ordered = options->workers * options->interface_count > 1,
                                             .ring_bytes = options->ring_mib << 20,
                                             .snaplen = options->snaplen,
                                             .promiscuous = options->promiscuous,
                                             .tick_s = tick_s,
                                             .lateness_s = options->lateness_s,
                                             .least_ns = options->resume_ns};
    return source_live_open(options->interfaces[interface], options->filter, &live, fault);
}

static struct source *open_files(struct capture *capture, struct fault *fault)
{
    const struct capture_options *options = capture->options;
    const struct source_file_options files = {.paths = options->reads,
                                              .path_count = options->read_count,
                                              .filter = options->filter,
                                              .from_ns = options->from_ns,
                                              .to_ns = options->to_ns,
                                              .follow = options->follow,
                                              .gap_max_ns = options->gap_max_ns};
    return source_file_open(&files, capture->health, fault);
}

/* A source for each worker on each interface; in a replay one. */
static int open_sources(struct capture *capture, struct fault *fault)
{
    const struct capture_options *options = capture->options;
    bool live = options->interface_count > 0;
    size_t count = live ? options->interface_count * options->workers : 1;
    capture->sources = calloc(count, sizeof(struct source *));
    capture->groups = calloc(count, sizeof *capture->groups);
    if (capture->sources == NULL || capture->groups == NULL)
        return fault_set(fault, "no memory for %zu sources", count);
    memset(capture->groups, 0xff, count * sizeof *capture->groups); /* none yet */
    for (size_t i = 0; i < count; i++) {
        struct source *source =
            live ? open_live(capture, i / options->workers, (uint32_t)(i % options->workers), fault)
                 : open_files(capture, fault);
        if (source == NULL)
            return -1;
        capture->sources[capture->source_count++] = source;
    }
    return 0;
}

struct capture *capture_open(const struct capture_options *options, const struct rules *rules,
                             const struct scope_list *scopes, struct health *health, struct fault *fault)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL) {
        fault_set(fault, "no memory");
        return NULL;
    }
    *capture = (struct capture){.options = options, .rules = rules, .scopes = scopes, .health = health};
    if (open_sources(capture, fault) != 0) {
        capture_close(capture);
        return NULL;
    }
    return capture;
}

/* One source and one worker: everything in this thread. */
static int run_alone(struct capture *capture, const struct capture_output *output, const atomic_bool *stop,
                     struct fault *fault)
{
    struct worker *worker =
        worker_new(capture->options, capture->rules, capture->scopes, output, NULL, capture->health, fault);
    if (worker == NULL)
        return -1;
    crew_pin(capture->options, pthread_self(), 0);
    capture->worker = worker;
    int status = worker_run(worker, capture->sources[0], stop);
    worker_end(worker, capture->sources[0]);
    capture->worker = NULL;
    worker_free(worker);
    return status;
}

int capture_run(struct capture *capture, const struct capture_output *output, const atomic_bool *stop,
                struct fault *fault)
{
    const struct capture_options *options = capture->options;
    if (options->filter != NULL && source_filter_blinds(options->filter, capture->rules))
        output->say(output->context,
                    "the filter lets watched addresses through and hardly anything else: without other "
                    "traffic beside them a blind sensor cannot be told from an outage");
    if (capture->source_count == 1 && options->workers == 1)
        return run_alone(capture, output, stop, fault);
    const struct crew_options several = {.capture = options,
                                         .rules = capture->rules,
                                         .scopes = capture->scopes,
                                         .sources = capture->sources,
                                         .source_count = capture->source_count,
                                         .owner_count = options->workers};
    capture->crew = crew_new(&several, output, fault);
    if (capture->crew == NULL)
        return -1;
    int status = crew_run(capture->crew, capture->health, stop, fault);
    crew_free(capture->crew);
    return status;
}

double capture_share(const struct capture *capture)
{
    const struct source *source = capture->sources[0];
    return source->kind->share != NULL ? source->kind->share(source) : -1;
}

void capture_change(struct capture *capture, const struct capture_change *change)
{
    if (capture->worker != NULL)
        worker_change(capture->worker, change);
    else
        crew_change(capture->crew, change);
}

void capture_close(struct capture *capture)
{
    if (capture == NULL)
        return;
    for (size_t i = 0; i < capture->source_count; i++)
        capture->sources[i]->kind->close(capture->sources[i]);
    free(capture->sources);
    free(capture->groups);
    free(capture);
}
