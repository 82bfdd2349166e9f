/* SPDX-License-Identifier: BSD-3-Clause */
/* The checkpoint file: the study's bytes, the data time they stand at, and how far each output had been
 * written. */
#pragma once

#include "publish.h"

/* Writes it beside the old one, makes sure that it is on disk, and only then takes the old one's place:
 * whatever dies, one of the two is whole. 0, or -1 with the fault. */
int checkpoint_write(const char *path, const struct publish_checkpoint *checkpoint, struct fault *fault);
