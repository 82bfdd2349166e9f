/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario as bins, without its packets: counts drawn from the distributions that the script implies. */
#pragma once

#include <stdbool.h>

#include "output.h"
#include "script.h"

/* Whether the text is a list of all, prefix, path, service and tap, separated by commas. */
bool bins_scopes_known(const char *scopes);

/* Writes the CSV, a row for each bin and scope of the kinds that `scopes` lists. Bins of which the tap lost
 * every packet are rows of zeros, as a blind sensor writes them. Returns 0, or -1 with the fault when there
 * is no memory. */
int bins_write(const struct script *script, struct output *output, int64_t bin_ns, const char *scopes,
               struct fault *fault);
