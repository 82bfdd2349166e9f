/* SPDX-License-Identifier: BSD-3-Clause */
#include "window.h"

#include <stdlib.h>
#include <string.h>

struct window {
    unsigned size, count, oldest;
    double *in_time, *in_order;
    double numbers[];
};

struct window *window_new(unsigned size)
{
    struct window *window = calloc(1, sizeof *window + 2 * size * sizeof window->numbers[0]);
    if (window == NULL)
        return NULL;
    window->size = size;
    window->in_time = window->numbers;
    window->in_order = window->numbers + size;
    return window;
}

void window_free(struct window *window)
{
    free(window);
}

/* The first place in order whose number is not less. */
static unsigned place_of(const struct window *window, double value)
{
    unsigned low = 0, high = window->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (window->in_order[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void window_push(struct window *window, double value)
{
    double *order = window->in_order;
    unsigned at = window->oldest;
    if (window->count == window->size) {
        unsigned gone = place_of(window, window->in_time[at]);
        window->count--;
        memmove(order + gone, order + gone + 1, (window->count - gone) * sizeof *order);
        window->oldest = (at + 1) % window->size;
    } else {
        at = (at + window->count) % window->size;
    }
    window->in_time[at] = value;
    unsigned place = place_of(window, value);
    memmove(order + place + 1, order + place, (window->count - place) * sizeof *order);
    order[place] = value;
    window->count++;
}

bool window_full(const struct window *window)
{
    return window->count == window->size;
}

double window_oldest(const struct window *window)
{
    return window->in_time[window->oldest];
}

double window_least(const struct window *window)
{
    return window->in_order[0];
}

double window_median(const struct window *window)
{
    unsigned count = window->count;
    return (window->in_order[(count - 1) / 2] + window->in_order[count / 2]) / 2;
}

double window_deviation(const struct window *window)
{
    /* Below and above the median the distances are in order already: walk outwards on both sides. */
    double median = window_median(window), distance = 0;
    unsigned above = window->count / 2, below = above;
    for (unsigned i = 0; i < (window->count + 1) / 2; i++) {
        double up = above < window->count ? window->in_order[above] - median : -1;
        double down = below > 0 ? median - window->in_order[below - 1] : -1;
        bool take_up = down < 0 || (up >= 0 && up <= down);
        distance = take_up ? up : down;
        if (take_up)
            above++;
        else
            below--;
    }
    return distance;
}
