/* SPDX-License-Identifier: BSD-3-Clause */
/* A file being written, compressed with zstd when its name ends in .zst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

struct output;

/* Opens a file anew; "-" is standard output. Returns NULL with the fault. */
struct output *output_open(const char *path, int zstd_level, struct fault *fault);

/* Errors are kept and told by output_close. */
void output_write(struct output *output, const void *bytes, size_t length);

/* Finishes, closes and frees. Returns 0, or -1 with the fault when anything could not be written. */
int output_close(struct output *output, struct fault *fault);

/* A pcap file header (Ethernet, whole packets), and one packet. */
void output_pcap_header(struct output *output, bool nanoseconds);
void output_pcap_packet(struct output *output, bool nanoseconds, int64_t t_ns, const uint8_t *bytes,
                        size_t length);
