/* SPDX-License-Identifier: BSD-3-Clause */
/* Temporary files for the tests of the sinks. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new empty file; the name is valid until the next call but three. */
static inline const char *files_new(void)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];
    strcpy(name, "/tmp/lightsout-test-XXXXXX");
    close(mkstemp(name));
    return name;
}

/* What is in the file, ended by a zero, to be freed; removes the file. */
static inline char *files_take(const char *name)
{
    FILE *file = fopen(name, "r");
    fseek(file, 0, SEEK_END);
    size_t length = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(length + 1);
    length = fread(text, 1, length, file);
    text[length] = '\0';
    fclose(file);
    unlink(name);
    return text;
}
