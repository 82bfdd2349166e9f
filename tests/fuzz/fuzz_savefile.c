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
    struct savefile_packet read;
    if (file != NULL && savefile_begin(file) == SAVEFILE_PACKET)
        while (savefile_next(file, &read) == SAVEFILE_PACKET) {
            struct packet packet;
            decode_frame(&(struct frame){.bytes = read.bytes,
                                         .captured_bytes = read.captured_bytes,
                                         .wire_bytes = read.wire_bytes,
                                         .time_ns = read.time_ns,
                                         .link_type = read.link_type,
                                         .interface = read.interface},
                         &packet);
        }
    savefile_free(file);
    return 0;
}
