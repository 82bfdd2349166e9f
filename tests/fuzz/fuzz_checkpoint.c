/* SPDX-License-Identifier: BSD-3-Clause */
/* A checkpoint: the file as it lies on disk; and the study's own bytes, which the file's checksum would keep
 * mutations away from, where the first byte is 's'. A study that took them must go on. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "publish.h"

static void go_on_from(const uint8_t *bytes, size_t length)
{
    const struct settings *settings = fuzz_settings(0);
    const char *why = NULL;
    struct analysis *study = fuzz_study(settings, &settings->scopes);
    if (study != NULL && analysis_load(study, bytes, length, &why) == 0) {
        size_t again = analysis_save(study, NULL, 0);
        uint8_t *saved = malloc(again);
        if (saved != NULL && analysis_save(study, saved, again) != again)
            abort();
        free(saved);
    }
    analysis_free(study);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct publish_checkpoint checkpoint;
    struct fault fault;
    if (size > 0 && data[0] == 's')
        go_on_from(data + 1, size - 1);
    else if (publish_read_checkpoint(fuzz_file(data, size), &checkpoint, &fault) == 0) {
        if (checkpoint.data_ns != TIME_NONE)
            go_on_from(checkpoint.bytes, checkpoint.length);
        free(checkpoint.bytes);
    }
    return 0;
}
