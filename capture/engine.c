/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"

#include <stdlib.h>

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
    struct source *source;
    struct worker *worker; /* while it runs */
};

static struct source *open_source(const struct capture_options *options, struct health *health,
                                  struct fault *fault)
{
    if (options->interface_count == 0)
        return source_file_open(options->reads, options->read_count, options->filter, health, fault);
    const struct source_live_options live = {.ring_bytes = options->ring_mib << 20,
                                             .snaplen = options->snaplen,
                                             .promiscuous = options->promiscuous,
                                             .tick_s = tick_s,
                                             .lateness_s = options->lateness_s};
    return source_live_open(options->interfaces, options->interface_count, options->filter, &live, fault);
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
    capture->source = open_source(options, health, fault);
    if (capture->source == NULL) {
        free(capture);
        return NULL;
    }
    return capture;
}

int capture_run(struct capture *capture, const struct capture_output *output,
                const volatile sig_atomic_t *stop, struct fault *fault)
{
    struct worker *worker =
        worker_new(capture->options, capture->rules, capture->scopes, output, capture->health, fault);
    if (worker == NULL)
        return -1;
    if (capture->options->filter != NULL && source_filter_blinds(capture->options->filter, capture->rules))
        output->say(output->context,
                    "the filter lets watched addresses through and hardly anything else: without other "
                    "traffic beside them a blind sensor cannot be told from an outage");
    capture->worker = worker;
    int status = worker_run(worker, capture->source, stop);
    capture->worker = NULL;
    worker_free(worker);
    return status;
}

void capture_change(struct capture *capture, const struct capture_change *change)
{
    worker_change(capture->worker, change);
}

void capture_close(struct capture *capture)
{
    if (capture == NULL)
        return;
    capture->source->kind->close(capture->source);
    free(capture);
}
