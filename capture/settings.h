/* SPDX-License-Identifier: BSD-3-Clause */
/* What is in force: the embedded default, a configuration file over it, the command line over both. */
#pragma once

#include <stdbool.h>

#include "analysis.h"
#include "capture.h"
#include "fault.h"
#include "publish.h"
#include "rules.h"
#include "scope.h"

enum settings_task { TASK_NONE, TASK_REPLAY, TASK_LIVE, TASK_BINS, TASK_CHECK, TASK_HELP, TASK_VERSION };

/* All strings and arrays are owned by the settings and live until settings_free. */
struct settings {
    enum settings_task task;
    struct capture_options capture;
    struct analysis_options analysis;
    struct publish_options publish;
    const char *bins_file; /* of TASK_BINS */
    const char *config_path;
    bool quiet, verbose;
    bool check;   /* print what is in force and leave */
    int progress; /* 1 or 0 as asked for, -1: when standard error is a terminal */
    struct rules rules;
    struct scope_list scopes;
    struct settings_store *store; /* private */
};

/* Reads the command line, and the files that it names. Returns 0, or -1 with the fault (exit status 2). */
int settings_read(struct settings *settings, int argc, char **argv, struct fault *fault);
void settings_free(struct settings *settings);

/* Prints what is in force, in the form of a configuration file, to standard output. */
void settings_print(const struct settings *settings);

/* The text of --help, and the configuration that is in force without one. */
extern const char settings_help[];
extern const char settings_embedded[];
