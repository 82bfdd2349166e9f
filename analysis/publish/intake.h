/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sensors' streams of bins bring: read through a consumer group by as many fusers as there are, and
 * put into one row of arrivals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fuser_talk.h"

struct intake;

/* Borrows the talk. NULL: no memory. */
struct intake *intake_new(struct fuser_talk *talk);
void intake_free(struct intake *intake);

/* After a new connection: groups are looked at again. */
void intake_begin(struct intake *intake);

/* Takes what has come: entries of all streams go into the arrivals (a sorted set: scored by the milliseconds
 * of their ids, each member "SEQUENCE SENSOR JSON") and are acknowledged once they are there, so that none is
 * lost, and none counts twice. REDIS_LATER and REDIS_LOST: the link is to be given up. `*count` entries were
 * taken. */
enum redis_class intake_take(struct intake *intake, int64_t now_ns, uint64_t *count);

/* Up to which instant by the server's clock, in milliseconds, nothing is on its way any more: not before
 * intake_take has taken what came till then, nor while another fuser holds entries that it has not put there.
 */
enum redis_class intake_whole_until(struct intake *intake, int64_t *until_ms);
