/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "terminal.h"

static bool progress_shown;

void log_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

void log_say(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c != '\0'; c++) /* names of files and interfaces are not ours to trust */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    log_progress_end();
    fprintf(stderr, "lightsout: %s\n", line);
}

void log_progress(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    progress_shown = terminal_is_screen(STDERR_FILENO);
    fprintf(stderr, progress_shown ? "\r\033[K%s" : "%s\n", line);
    fflush(stderr);
}
