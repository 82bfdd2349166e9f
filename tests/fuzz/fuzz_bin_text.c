/* SPDX-License-Identifier: BSD-3-Clause */
/* What another sensor says of a bin; what is understood must be said the same way again. */
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "fuzz.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bin bin, again;
    struct scope scope, scope_again;
    if (bin_text_read((const char *)data, size, &bin, &scope) != 0)
        return 0;
    char first[BIN_JSON_MAX], second[BIN_JSON_MAX];
    struct text out = text_in(first, sizeof first);
    bin_text_json(&bin, &scope, &out);
    if (bin_text_read(first, strlen(first), &again, &scope_again) != 0)
        abort();
    out = text_in(second, sizeof second);
    bin_text_json(&again, &scope_again, &out);
    if (strcmp(first, second) != 0)
        abort();
    return 0;
}
