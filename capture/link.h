/* SPDX-License-Identifier: BSD-3-Clause */
/* The rarer link types: what stands before the first layer of their frames. The common ones are decode.c's.
 */
#pragma once

#include "tunnel.h"

/* Whether link_open reads frames of this type. */
bool link_knows(int link_type);

/* Moves the cursor to the frame's first layer, and says which that is. Refuses what link_knows does not know
 * with DECODE_LINK_TYPE. */
enum decode_reason link_open(struct wire *wire, int link_type, uint16_t *type);
