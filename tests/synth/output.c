/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "clock.h"
#include "output.h"

enum { BUFFER_BYTES = 1 << 17 };

struct output {
    FILE *file;
    const char *path;
    ZSTD_CCtx *zstd; /* NULL: plain */
    int error;       /* errno of the first failure; -1: zstd's */
    size_t filled;
    uint8_t buffer[BUFFER_BYTES], packed[BUFFER_BYTES];
};

static void flush(struct output *output, bool last)
{
    ZSTD_inBuffer in = {output->buffer, output->filled, 0};
    size_t rest = output->zstd != NULL;
    if (output->zstd == NULL && fwrite(output->buffer, 1, output->filled, output->file) != output->filled)
        output->error = output->error ? output->error : errno;
    while (output->zstd != NULL && output->error == 0 && (in.pos < in.size || (last && rest != 0))) {
        ZSTD_outBuffer out = {output->packed, sizeof output->packed, 0};
        rest = ZSTD_compressStream2(output->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(rest))
            output->error = -1;
        else if (fwrite(output->packed, 1, out.pos, output->file) != out.pos)
            output->error = errno;
    }
    output->filled = 0;
}

struct output *output_open(const char *path, int zstd_level, struct fault *fault)
{
    struct output *output = calloc(1, sizeof *output);
    size_t length = strlen(path);
    if (output != NULL)
        output->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (output == NULL || output->file == NULL) {
        fault_set(fault, "%s: cannot be written: %s", path, strerror(errno));
        free(output);
        return NULL;
    }
    output->path = path;
    if (length > 4 && strcmp(path + length - 4, ".zst") == 0) {
        output->zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(output->zstd, ZSTD_c_compressionLevel, zstd_level);
        ZSTD_CCtx_setParameter(output->zstd, ZSTD_c_checksumFlag, 1);
    }
    return output;
}

void output_write(struct output *output, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0) {
        size_t room = BUFFER_BYTES - output->filled, part = length < room ? length : room;
        memcpy(output->buffer + output->filled, from, part);
        output->filled += part;
        from += part;
        length -= part;
        if (output->filled == BUFFER_BYTES)
            flush(output, false);
    }
}

int output_close(struct output *output, struct fault *fault)
{
    flush(output, true);
    if (fclose(output->file) != 0 && output->error == 0)
        output->error = errno;
    int error = output->error;
    if (error != 0)
        fault_set(fault, "%s: cannot be written: %s", output->path,
                  error > 0 ? strerror(error) : "zstd failed");
    ZSTD_freeCCtx(output->zstd);
    free(output);
    return error == 0 ? 0 : -1;
}

static uint8_t *put32_little(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

void output_pcap_header(struct output *output, bool nanoseconds)
{
    uint8_t header[24], *at = put32_little(header, nanoseconds ? 0xa1b23c4dU : 0xa1b2c3d4U);
    at = put32_little(at, 2 | 4 << 16);
    at = put32_little(put32_little(at, 0), 0);
    put32_little(put32_little(at, 65535), 1);
    output_write(output, header, sizeof header);
}

void output_pcap_packet(struct output *output, bool nanoseconds, int64_t t_ns, const uint8_t *bytes,
                        size_t length)
{
    uint8_t header[16], *at = put32_little(header, (uint32_t)(t_ns / NS_PER_S));
    at = put32_little(at, (uint32_t)(t_ns % NS_PER_S / (nanoseconds ? 1 : 1000)));
    put32_little(put32_little(at, (uint32_t)length), (uint32_t)length);
    output_write(output, header, sizeof header);
    output_write(output, bytes, length);
}
