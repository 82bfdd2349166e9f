/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzz targets share. Each tries one door through which bytes come; libFuzzer calls it with what it
 * makes up, and replay.c with files. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "analysis.h"
#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path under which the bytes can be read as a file, until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* The URL of a Redis that answers whoever comes with these bytes, all at once and before it is asked, and
 * says no more; until the next call, when nobody may be connected any more. */
const char *fuzz_redis(const uint8_t *data, size_t size);

/* Settings of a command line with nothing but a capture that is not opened, and so the embedded default; made
 * once. With `watched` prefixes, 10.0.0.0/8 among them, paths and services instead. */
const struct settings *fuzz_settings(int watched);

/* A study over the scopes, whose bins and events go nowhere. NULL: no memory. */
struct analysis *fuzz_study(const struct settings *settings, const struct scope_list *scopes);
