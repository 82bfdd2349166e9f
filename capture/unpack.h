/* SPDX-License-Identifier: BSD-3-Clause */
/* A file's bytes, whatever they are packed in: plain, gzip or zstd, told by their first bytes. Never seeks,
 * so that standard input and pipes work alike. What is packed is unpacked by a thread beside the reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fault.h"

struct unpack;

/* Opens a file, or standard input for "-", and unpacks its first bytes. NULL with the fault naming the path.
 */
struct unpack *unpack_open(const char *path, struct fault *fault);

/* `unpack` may be NULL. */
void unpack_close(struct unpack *unpack);

/* The first bytes, unpacked: UNPACK_HEAD_BYTES, or fewer where there are no more. */
enum { UNPACK_HEAD_BYTES = 4 };
const uint8_t *unpack_head(const struct unpack *unpack, size_t *length);

/* Gives up to `room` bytes, from the first on and as soon as there are any; 0 at the end; -1 when the file
 * cannot be read or unpacked any further, or a signal came. */
ssize_t unpack_read(struct unpack *unpack, uint8_t *to, size_t room);

/* From now on the end of a plain file is none: unpack_read gives UNPACK_NOT_YET there, and more when the file
 * has grown. Or again it is. What is packed, and what cannot be opened twice, ends all the same. */
enum { UNPACK_NOT_YET = -2 };
void unpack_follow(struct unpack *unpack, bool follow);

/* What is wrong with the bytes, once a read or the opening's own has failed; NULL when nothing is. */
const char *unpack_trouble(const struct unpack *unpack);

/* Whether a read failed because a signal came, whose handler was set without SA_RESTART. */
bool unpack_interrupted(const struct unpack *unpack);

/* Whether the bytes are compressed, so that offsets are those of the unpacked bytes. */
bool unpack_is_packed(const struct unpack *unpack);

/* How many bytes of the file, packed as they are, were taken from it so far: from any thread. */
uint64_t unpack_taken_bytes(const struct unpack *unpack);

/* Whether the path can be opened a second time and give the same bytes: false for standard input and pipes.
 */
bool unpack_reopens(const struct unpack *unpack);
