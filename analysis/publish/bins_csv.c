/* SPDX-License-Identifier: BSD-3-Clause */
/* Closed bins as rows of CSV. */
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "lines.h"
#include "sink.h"

struct bins_csv {
    const struct scope_list *scopes;
    struct lines *lines;
};

static bool bins_csv_wanted(const struct publish_options *options)
{
    return options->bins_path != NULL;
}

static int put_header(struct lines *lines, struct fault *fault)
{
    char bytes[BIN_ROW_MAX];
    struct text header = text_in(bytes, sizeof bytes);
    bin_text_header(&header);
    return lines_put(lines, bytes, (size_t)(header.at - header.start), fault);
}

/* Whether it is the beginning of a table: not what a checkpoint goes on with, unless that was put away. */
static bool begins_here(const char *path, const struct lines *lines, int64_t resume)
{
    return resume <= 0 || (strcmp(path, "-") != 0 && lines_length(lines) == 0);
}

static void *bins_csv_open(const struct publish_options *options, const struct scope_list *scopes,
                           struct fault *fault)
{
    struct bins_csv *csv = malloc(sizeof *csv);
    if (csv == NULL) {
        fault_set(fault, "no memory for the bins");
        return NULL;
    }
    csv->scopes = scopes;
    int64_t resume = sink_resume(options, "bins");
    csv->lines = lines_open(options->bins_path, options->replay ? LINES_ANEW : LINES_ON, resume, fault);
    if (csv->lines == NULL ||
        (begins_here(options->bins_path, csv->lines, resume) && put_header(csv->lines, fault) != 0)) {
        lines_close(csv->lines, fault);
        free(csv);
        return NULL;
    }
    return csv;
}

static int bins_csv_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    (void)fault;
    ((struct bins_csv *)state)->scopes = scopes;
    return 0;
}

static int bins_csv_bin(void *state, const struct bin *bin, struct fault *fault)
{
    const struct bins_csv *csv = state;
    char bytes[BIN_ROW_MAX];
    struct text row = text_in(bytes, sizeof bytes);
    bin_text_row(bin, &csv->scopes->items[bin->scope], &row);
    return lines_put(csv->lines, bytes, (size_t)(row.at - row.start), fault);
}

static int bins_csv_flush(void *state, struct fault *fault)
{
    return lines_flush(((struct bins_csv *)state)->lines, fault);
}

static uint64_t bins_csv_mark(const void *state)
{
    return lines_length(((const struct bins_csv *)state)->lines);
}

static int bins_csv_finish(void *state, struct fault *fault)
{
    struct bins_csv *csv = state;
    int result = lines_close(csv->lines, fault);
    csv->lines = NULL;
    return result;
}

static void bins_csv_close(void *state)
{
    struct fault unsaid;
    struct bins_csv *csv = state;
    lines_close(csv->lines, &unsaid);
    free(csv);
}

const struct sink sink_bins_csv = {
    .name = "bins",
    .wanted = bins_csv_wanted,
    .open = bins_csv_open,
    .scopes = bins_csv_scopes,
    .bin = bins_csv_bin,
    .flush = bins_csv_flush,
    .mark = bins_csv_mark,
    .finish = bins_csv_finish,
    .close = bins_csv_close,
};
