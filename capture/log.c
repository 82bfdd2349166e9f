/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "printable.h"
#include "say.h"
#include "terminal.h"

static bool progress_shown;

void log_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

static void say(enum say_level level, const char *format, va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    printable_clean(line, false); /* names of files and interfaces are not ours to trust */
    log_progress_end();
    fprintf(stderr, "%s%s\n", say_head(level), line);
}

void log_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(SAY_INFO, format, arguments);
    va_end(arguments);
}

void log_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(SAY_WARNING, format, arguments);
    va_end(arguments);
}

void log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(SAY_ERROR, format, arguments);
    va_end(arguments);
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
