/* SPDX-License-Identifier: BSD-3-Clause */
/* What the terminal behind a file descriptor can do, if there is one. */
#pragma once

#include <stdbool.h>

/* Whether a line can be written over: a terminal, and not one that calls itself dumb. */
bool terminal_is_screen(int fd);

/* Whether colours are wanted: on a screen, unless NO_COLOR is set and not empty (no-color.org). */
bool terminal_has_colours(int fd);

/* Its width in columns; 80 where it does not say. */
int terminal_columns(int fd);
