/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of bins through its reader and the study. */
#include "fuzz.h"

static void take_step(void *context, const struct tally *tallies)
{
    analysis_step(context, tallies);
}

static void take_words(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void take_progress(void *context, const struct health *health, int64_t data_ns)
{
    (void)context;
    (void)health;
    (void)data_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct settings *settings = fuzz_settings(0);
    struct fault fault;
    struct bins_file *file = capture_bins_open(fuzz_file(data, size), &settings->scopes, &fault);
    if (file == NULL)
        return 0;
    struct settings own = *settings;
    own.analysis.bin_ns = capture_bins_length_ns(file);
    struct analysis *study = fuzz_study(&own, capture_bins_scopes(file));
    const struct capture_output output = {
        .context = study, .step = take_step, .say = take_words, .progress = take_progress};
    atomic_bool stop = false;
    if (study != NULL) {
        capture_bins_run(file, TIME_NONE, TIME_NONE, &output, &stop, &fault);
        analysis_finish(study);
    }
    analysis_free(study);
    capture_bins_close(file);
    return 0;
}
