/* SPDX-License-Identifier: BSD-3-Clause */
/* Events on disk until they are delivered: an append-only file of records, each with its length, checksum,
 * kind, number and id.
 *
 * Numbers rise from event to event. Delivered events are forgotten but for the ids of those that no
 * checkpoint has behind it yet: they would be decided again after a crash, and are known then. One thread
 * writes (put, sync, knows, forget), another reads (next, delivered); the file is locked against other
 * processes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

enum { SPOOL_ID_MAX = 32 };

/* All ids are of events behind the checkpoint: nothing will be decided again. */
#define SPOOL_ALL_TOLD UINT64_MAX

struct spool;

struct spool_options {
    const char *path; /* borrowed until spool_close */
    uint64_t bytes_max;
    uint64_t told; /* events up to this number are behind the checkpoint, or SPOOL_ALL_TOLD */
    bool again;    /* what is after the checkpoint will be decided again: a replay */
};

/* What was in the file. */
struct spool_found {
    uint64_t last;    /* the highest number that was ever given out */
    uint64_t waiting; /* events to be delivered */
    uint64_t damaged; /* places that could not be read */
    uint64_t lost;    /* events that went with them, and that nobody will decide again */
    bool missing;     /* there was nothing in it, though the checkpoint knows of events */
};

struct spool_event {
    uint64_t number;
    char id[SPOOL_ID_MAX];
    const void *payload; /* borrowed until the next call of spool_next */
    uint32_t length;
    uint32_t bytes; /* that it takes in the file */
};

enum spool_result {
    SPOOL_TAKEN,
    SPOOL_FULL,  /* it would become longer than bytes_max */
    SPOOL_FAILED /* the disk does not take it: see the fault */
};

/* Opens the file, makes it if it is not there, and repairs it. A disk without room is no failure: putting
 * events fails then. Returns NULL with the fault when the path cannot be used, another process uses it or
 * there is no memory. */
struct spool *spool_open(const struct spool_options *options, struct spool_found *found, struct fault *fault);
void spool_close(struct spool *spool);

/* Adds an event; its number is higher than any before. It is safe, and found by spool_next, once it was
 * synced. */
enum spool_result spool_put(struct spool *spool, const struct spool_event *event, struct fault *fault);

/* Everything put so far is on disk: 0, or -1 with the fault. What was put is found by spool_next either way.
 * Called without a lock that readers need: the disk takes its time. */
int spool_sync(struct spool *spool, struct fault *fault);

/* Whether an earlier run had put in an event of this id that no checkpoint has behind it; its number. */
bool spool_knows(struct spool *spool, const char *id, uint64_t *number);

/* A checkpoint is on disk that has the events up to this number behind it. Gives room back, too. */
void spool_forget(struct spool *spool, uint64_t told);

/* The next event that is synced and not delivered. False: there is none, or no memory. */
bool spool_next(struct spool *spool, struct spool_event *event);

/* Events up to this number are delivered; `bytes` is what those delivered now take in the file. */
void spool_delivered(struct spool *spool, uint64_t number, uint64_t bytes);
