/* SPDX-License-Identifier: BSD-3-Clause */
/* A file's bytes as a stdio stream, whatever they are packed in: plain, gzip or zstd, told by their first
 * bytes. Never seeks, so that standard input and pipes work alike. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fault.h"

struct unpack;

/* Opens a file, or standard input for "-", and unpacks its first bytes. NULL with the fault naming the path.
 */
struct unpack *unpack_open(const char *path, struct fault *fault);

/* To be called after the stream was closed. `unpack` may be NULL. */
void unpack_close(struct unpack *unpack);

/* The first bytes, unpacked: UNPACK_HEAD_BYTES, or fewer where there are no more. */
enum { UNPACK_HEAD_BYTES = 4 };
const uint8_t *unpack_head(const struct unpack *unpack, size_t *length);

/* Makes the stream, from the first byte on, with a large buffer and without locks: for one thread. To be
 * called once; the caller closes it. ftello tells the offset in the unpacked bytes. NULL when there is no
 * memory. */
FILE *unpack_stream(struct unpack *unpack);

/* What is wrong with the bytes, once a read has failed; NULL when nothing is. */
const char *unpack_trouble(const struct unpack *unpack);

/* Whether a read failed because a signal came, whose handler was set without SA_RESTART. */
bool unpack_interrupted(const struct unpack *unpack);

/* Whether the bytes are compressed, so that offsets are those of the unpacked bytes. */
bool unpack_is_packed(const struct unpack *unpack);

/* Whether the path can be opened a second time and give the same bytes: false for standard input and pipes.
 */
bool unpack_reopens(const struct unpack *unpack);
