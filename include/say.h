/* SPDX-License-Identifier: BSD-3-Clause */
/* How a line for the operator begins: with the program's name, or, where the journal reads standard error and
 * knows the name already, with how grave the line is (sd-daemon(3)). */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the numbers of syslog(3). */
enum say_level { SAY_ERROR = 3, SAY_WARNING = 4, SAY_INFO = 6 };

/* Whether standard error is the journal's stream itself: what inherited $JOURNAL_STREAM may have sent it
 * elsewhere. */
static inline int say_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat file;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &file) == 0 && file.st_dev == device && file.st_ino == inode;
}

/* What is written before the words of a line. */
static inline const char *say_head(enum say_level level)
{
    if (!say_to_journal())
        return "lightsout: ";
    return level == SAY_ERROR ? "<3>" : level == SAY_WARNING ? "<4>" : "<6>";
}
