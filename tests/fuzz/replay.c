/* SPDX-License-Identifier: BSD-3-Clause */
/* Gives a fuzz target the files that are named, without libFuzzer: fuzz_TARGET FILE... Says how many. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long length = ftell(file);
    rewind(file);
    /* Of just the size, so that a sanitizer sees a byte too many. */
    uint8_t *bytes = malloc(length > 0 ? (size_t)length : 1);
    if (bytes != NULL && length > 0 && fread(bytes, 1, (size_t)length, file) != (size_t)length)
        length = 0;
    fclose(file);
    *size = length > 0 ? (size_t)length : 0;
    return bytes;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t size = 0;
        uint8_t *bytes = read_file(argv[i], &size);
        if (bytes == NULL) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 2;
        }
        LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
    printf("%d\n", argc - 1);
    return 0;
}
