/* SPDX-License-Identifier: BSD-3-Clause */
/* A file through the whole reader: pcap and pcapng, plain or packed, told by its first bytes. */
#include <string.h>

#include "clock.h"
#include "fuzz.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct health health = {0};
    struct fault fault = {.text = ""};
    const struct source_file_options options = {
        .paths = &path, .path_count = 1, .from_ns = TIME_NONE, .to_ns = TIME_NONE};
    struct source *source = source_file_open(&options, &health, &fault);
    if (source == NULL)
        return 0;
    struct frame frame;
    uint64_t bytes = 0;
    enum source_news news;
    while ((news = source->kind->next(source, &frame, &fault)) != SOURCE_END) {
        const struct frame *frames = &frame;
        size_t count = news == SOURCE_FRAME ? 1 : 0;
        do
            for (size_t i = 0; i < count; i++) /* all of each must be there */
                for (uint32_t at = 0; at < frames[i].captured_bytes; at++)
                    bytes += frames[i].bytes[at];
        while (news == SOURCE_FRAME && source->kind->more != NULL &&
               (count = source->kind->more(source, &frames)) > 0);
    }
    source->kind->close(source);
    return bytes == UINT64_MAX;
}
