/* SPDX-License-Identifier: BSD-3-Clause */
/* A checkpoint: the file as it lies on disk, whose checksum keeps mutations away from what it holds; and,
 * where the first byte is 's', the study's own bytes in the middle of an outage, spoilt in places: three
 * bytes each for where, and eight for what. A study that takes them must go on. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "publish.h"

enum { SCOPES_MAX = 16, DAY = 1440, PATCH = 11 };

static const int64_t minute_ns = 60 * NS_PER_S, begin_ns = 1749081600 * NS_PER_S;

/* So many minutes of the same traffic of every scope, or of the tap's alone. */
static void play(struct analysis *study, int64_t from_ns, int minutes, bool dark)
{
    static const enum tally_measure measures[] = {
        TALLY_flows,           TALLY_knocks,     TALLY_live_flows,  TALLY_live_bursts, TALLY_answered_flows,
        TALLY_answered_bursts, TALLY_packets_in, TALLY_packets_out, TALLY_hosts};
    const struct scope_list *scopes = &fuzz_settings(1)->scopes;
    struct tally tallies[SCOPES_MAX];
    for (int64_t at_ns = from_ns; at_ns < from_ns + minutes * minute_ns; at_ns += minute_ns) {
        for (uint32_t i = 0; i < scopes->count; i++) {
            tallies[i] = tally_empty(at_ns, at_ns + minute_ns, TALLY_ALL_KNOWN);
            for (size_t m = 0; m < sizeof measures / sizeof *measures; m++)
                if (!dark || scopes->items[i].kind == SCOPE_TAP)
                    tallies[i].value[measures[m]] = 5;
        }
        analysis_step(study, tallies);
    }
}

static struct analysis *new_study(void)
{
    const struct settings *settings = fuzz_settings(1);
    struct analysis *study = fuzz_study(settings, &settings->scopes);
    if (study == NULL || settings->scopes.count > SCOPES_MAX)
        abort();
    return study;
}

/* A study's bytes, of which the caller may make what he likes. */
static uint8_t *save(struct analysis *study, size_t *length)
{
    *length = analysis_save(study, NULL, 0);
    uint8_t *bytes = malloc(*length);
    if (bytes == NULL || analysis_save(study, bytes, *length) != *length)
        abort();
    return bytes;
}

static const uint8_t *sound(size_t *length)
{
    static uint8_t *bytes;
    static size_t bytes_length;
    if (bytes == NULL) {
        struct analysis *study = new_study();
        play(study, begin_ns, 2 * DAY, false);
        play(study, begin_ns + 2 * DAY * minute_ns, 90, true);
        bytes = save(study, &bytes_length);
        analysis_free(study);
    }
    *length = bytes_length;
    return bytes;
}

static void go_on_from(const uint8_t *bytes, size_t length, int64_t at_ns)
{
    const char *why = NULL;
    struct analysis *study = new_study();
    if (analysis_load(study, bytes, length, &why) == 0) {
        play(study, at_ns, 30, true);
        play(study, at_ns + 30 * minute_ns, 60, false);
        size_t again;
        free(save(study, &again));
        analysis_finish(study);
    }
    analysis_free(study);
}

static void spoil(const uint8_t *patches, size_t size)
{
    size_t length;
    const uint8_t *from = sound(&length);
    uint8_t *bytes = malloc(length);
    if (bytes == NULL)
        abort();
    memcpy(bytes, from, length);
    for (; size >= PATCH; patches += PATCH, size -= PATCH) {
        size_t at = ((size_t)patches[0] << 16 | (size_t)patches[1] << 8 | patches[2]) % (length - 8);
        memcpy(bytes + at, patches + 3, 8);
    }
    go_on_from(bytes, length, begin_ns + (2 * DAY + 90) * minute_ns);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct publish_checkpoint checkpoint;
    struct fault fault;
    if (size > 0 && data[0] == 's')
        spoil(data + 1, size - 1);
    else if (publish_read_checkpoint(fuzz_file(data, size), &checkpoint, &fault) == 0) {
        if (checkpoint.data_ns != TIME_NONE)
            go_on_from(checkpoint.bytes, checkpoint.length, checkpoint.data_ns);
        free(checkpoint.bytes);
    }
    return 0;
}
