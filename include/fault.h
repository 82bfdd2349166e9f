/* SPDX-License-Identifier: BSD-3-Clause */
/* The message of a set-up that failed: one line, naming the thing and the way out. Whoever called says it,
 * once. */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

struct fault {
    char text[512];
    bool refused; /* memory or files, and nothing else is wrong */
};

/* For fault_set and fault_errno. */
static inline void fault_put(struct fault *fault, const char *format, va_list arguments)
{
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    for (char *c = fault->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

/* Writes the message (cut to fit, control bytes replaced so that it stays one line) and returns -1, so that a
 * set-up function can `return fault_set(fault, ...)`. */
__attribute__((format(printf, 2, 3))) static inline int fault_set(struct fault *fault, const char *format,
                                                                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault->refused = false;
    fault_put(fault, format, arguments);
    va_end(arguments);
    return -1;
}

/* The same where an errno says why: it may be that memory or files were short. */
__attribute__((format(printf, 3, 4))) static inline int fault_errno(struct fault *fault, int error,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault->refused = error == ENOMEM || error == EMFILE || error == ENFILE;
    fault_put(fault, format, arguments);
    va_end(arguments);
    return -1;
}
