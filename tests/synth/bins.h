/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario as bins, without its packets: counts drawn from the distributions that the script implies. */
#pragma once

#include "output.h"
#include "script.h"

/* Writes the CSV, a row for each bin and scope. `scopes` names the kinds of scope wanted, separated by
 * commas. Bins whose every packet the tap lost are rows of zeros, as a blind sensor writes them. Returns 0,
 * or -1 with the fault when a kind is unknown or there is no memory. */
int bins_write(const struct script *script, struct output *output, int64_t bin_ns, const char *scopes,
               struct fault *fault);
