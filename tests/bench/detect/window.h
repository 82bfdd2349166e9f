/* SPDX-License-Identifier: BSD-3-Clause */
/* The last so many numbers of a series, in order of size, for rules that compare with a median or a least. */
#pragma once

#include <stdbool.h>

struct window;

/* Room for `size` numbers; NULL when there is no memory. */
struct window *window_new(unsigned size);
void window_free(struct window *window);

/* Takes a number in; the oldest goes when the window is full. */
void window_push(struct window *window, double value);

bool window_full(const struct window *window);

/* Of the numbers held, of which there must be one. */
double window_oldest(const struct window *window);
double window_least(const struct window *window);
double window_median(const struct window *window);

/* Their median distance from their median. */
double window_deviation(const struct window *window);
