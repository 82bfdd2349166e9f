/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the fuser: the sensors' bins are read from their streams in Redis, judged together, and told
 * there as those of a sensor of its own. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "fault.h"
#include "fuse.h"
#include "publish.h"

struct fuser_options {
    struct fuse_options fuse;
    const struct publish_options
        *publish; /* its `redis` says where, its `sensor` is the name of the view; the
                     files and the page asked for tell of what this fuser has judged */
    bool verbose;
};

/* Runs until `*stop` is set. Any number may run for one view: all read, one judges, and another goes on where
 * that one stopped. 0, or -1 with the fault: it could not begin, or not write what was asked for. A Redis
 * that is away is said on standard error and tried again. */
int fuser_run(const struct fuser_options *options, const atomic_bool *stop, struct fault *fault);
