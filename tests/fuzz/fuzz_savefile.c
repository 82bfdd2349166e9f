/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of savefiles under libFuzzer, and its packets through the decoder:
 *
 *   make fuzz && build/fuzz/fuzz_savefile -max_total_time=60 CORPUS tests/golden
 */
#include <string.h>

#include "decode.h"
#include "savefile.h"

struct feed {
    const uint8_t *data;
    size_t left;
};

static ssize_t feed_read(void *context, uint8_t *to, size_t room)
{
    struct feed *feed = context;
    size_t count = feed->left < room ? feed->left : room;
    memcpy(to, feed->data, count);
    feed->data += count;
    feed->left -= count;
    return (ssize_t)count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed = {.data = data, .left = size};
    struct savefile *file = savefile_new(&(struct savefile_input){.context = &feed, .read = feed_read});
    const struct frame *frames;
    size_t count;
    if (file != NULL && savefile_begin(file) == SAVEFILE_PACKETS)
        while (savefile_next(file, &frames, &count) == SAVEFILE_PACKETS)
            for (size_t i = 0; i < count; i++) {
                struct packet packet;
                decode_frame(&frames[i], &packet);
            }
    savefile_free(file);
    return 0;
}
