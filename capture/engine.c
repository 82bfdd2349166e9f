/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture.h"
#include "rules.h"
#include "source.h"
#include "worker.h"

static const double tick_s = 0.25;

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

int capture_run(const struct capture_options *options, const struct rules *rules,
                const struct scope_list *scopes, const struct capture_output *output,
                const volatile sig_atomic_t *stop, struct health *health, struct fault *fault)
{
    struct worker *worker = worker_new(options, rules, scopes, output, health, fault);
    if (worker == NULL)
        return -1;
    struct source *source = open_source(options, health, fault);
    if (source == NULL) {
        worker_free(worker);
        return -1;
    }
    int status = worker_run(worker, source, stop);
    source->kind->close(source);
    worker_free(worker);
    return status;
}
