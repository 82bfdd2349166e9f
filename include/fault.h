/* SPDX-License-Identifier: BSD-3-Clause */
/* The message of a set-up that failed: one line, naming the thing and the way out. Whoever called says it,
 * once. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

struct fault {
    char text[512];
};

/* Writes the message (cut to fit, control bytes replaced so that it stays one line) and returns -1, so that a
 * set-up function can `return fault_set(fault, ...)`. */
__attribute__((format(printf, 2, 3))) static inline int fault_set(struct fault *fault, const char *format,
                                                                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    for (char *c = fault->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return -1;
}
