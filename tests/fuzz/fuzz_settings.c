/* SPDX-License-Identifier: BSD-3-Clause */
/* A configuration, or a list of prefixes where the first byte is 'p', or delegated statistics where it is
 * 'd'.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "prefix_list.h"

static void read_prefixes(const char *path, const char *country)
{
    char argument[128];
    struct fault fault;
    struct prefix *prefixes = NULL;
    size_t count = 0;
    snprintf(argument, sizeof argument, "%s%s", path, country);
    if (prefix_list_read(argument, &prefixes, &count, &fault) == 0)
        free(prefixes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A configuration that names other files would have them read. */
    static const char file_key[] = "from";
    if (size > 1 << 16 || memmem(data, size, file_key, sizeof file_key - 1) != NULL)
        return 0;
    if (size > 0 && (data[0] == 'p' || data[0] == 'd')) {
        read_prefixes(fuzz_file(data + 1, size - 1), data[0] == 'd' ? ",KP" : "");
        return 0;
    }
    char program[] = "fuzz", read[] = "-r", capture[] = "capture", config[] = "-c";
    char *arguments[] = {program, read, capture, config, (char *)fuzz_file(data, size), NULL};
    struct settings settings;
    struct fault fault;
    settings_read(&settings, 5, arguments, &fault);
    settings_free(&settings);
    return 0;
}
