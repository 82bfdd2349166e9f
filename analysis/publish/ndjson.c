/* SPDX-License-Identifier: BSD-3-Clause */
/* Events as lines of JSON, each out at once. */
#include <stdlib.h>
#include <string.h>

#include "event_text.h"
#include "lines.h"
#include "sink.h"

struct ndjson {
    const char *sensor;
    struct lines *lines;
};

static bool ndjson_wanted(const struct publish_options *options)
{
    return options->events_path != NULL;
}

static void *ndjson_open(const struct publish_options *options, const struct scope_list *scopes,
                         struct fault *fault)
{
    (void)scopes;
    struct ndjson *ndjson = malloc(sizeof *ndjson);
    if (ndjson == NULL) {
        fault_set(fault, "no memory for the events");
        return NULL;
    }
    ndjson->sensor = options->sensor;
    ndjson->lines = lines_open(options->events_path, LINES_APPEND, sink_resume(options, "events"), fault);
    if (ndjson->lines == NULL) {
        free(ndjson);
        return NULL;
    }
    return ndjson;
}

static int ndjson_event(void *state, const struct event *event, struct fault *fault)
{
    struct ndjson *ndjson = state;
    char *json = event_text_json(event, ndjson->sensor);
    /* The line's end takes the place of the string's. */
    size_t length = strlen(json);
    json[length] = '\n';
    int result = lines_put(ndjson->lines, json, length + 1, fault);
    free(json);
    return result;
}

static uint64_t ndjson_mark(const void *state)
{
    return lines_length(((const struct ndjson *)state)->lines);
}

static int ndjson_finish(void *state, struct fault *fault)
{
    struct ndjson *ndjson = state;
    int result = lines_close(ndjson->lines, fault);
    ndjson->lines = NULL;
    return result;
}

static void ndjson_close(void *state)
{
    struct fault unsaid;
    struct ndjson *ndjson = state;
    lines_close(ndjson->lines, &unsaid);
    free(ndjson);
}

const struct sink sink_ndjson = {
    .name = "events",
    .wanted = ndjson_wanted,
    .open = ndjson_open,
    .event = ndjson_event,
    .mark = ndjson_mark,
    .finish = ndjson_finish,
    .close = ndjson_close,
};
