/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that are on disk when it was said that they are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes all of it at an offset; 0, or -1 with errno. */
int durable_write(int file, const void *bytes, size_t length, int64_t at);

/* Has the folder of this path know on disk what was renamed or made in it; 0, or -1 with errno. */
int durable_sync_folder(const char *path);
