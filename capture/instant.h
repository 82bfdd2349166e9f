/* SPDX-License-Identifier: BSD-3-Clause */
/* Instants as people and tables write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Reads ISO 8601: a date, or a date and, behind a T or a blank, hours and minutes, seconds and their fraction
 * if one likes; "Z", an offset such as +09:00, or nothing for UTC behind it. Or seconds since the epoch.
 * False when it is neither, or no such day exists. */
bool instant_read(const char *text, int64_t *time_ns);
