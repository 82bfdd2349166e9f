/* SPDX-License-Identifier: BSD-3-Clause */
/* Where outputs go: nowhere that would cost somebody what is there. */
#pragma once

#include "fault.h"

struct settings;

/* Refuses two outputs that are one file, and an output or a checkpoint that is what is read, or a capture at
 * all. Looks at what is there and changes nothing. 0, or -1 with the fault. */
int outputs_check(const struct settings *settings, struct fault *fault);
