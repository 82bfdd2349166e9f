/* SPDX-License-Identifier: BSD-3-Clause */
/* Which watched hosts spoke in an interval for the first time in its bin: what a picture with a row a host
 * needs. The study does without. */
#pragma once

#include <stdint.h>

enum { HOSTS_MAX = 2048 };

struct hosts {
    int64_t start_ns;               /* of the interval */
    uint32_t count;                 /* told here, by address */
    uint32_t more;                  /* that found no room */
    uint8_t address[HOSTS_MAX][16]; /* IPv4 mapped */
};
