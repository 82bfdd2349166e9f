/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server answers a fuser, once it has said that it is a master: names of sensors, their entries, the
 * arrivals, the view that was saved. The fuser's rests take no time, and after a few it is told to stop; when
 * the server has said all, it is reached again, and the same answers are those to a fuser that knows some
 * sensors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuser.h"
#include "fuzz.h"

enum { RESTS = 4 };

static const char master[] = "+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"; /* to CLIENT SETNAME and ROLE */

static atomic_bool stop;
static int rests;

/* Takes the place of the C library's. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    if (++rests >= RESTS)
        stop = true;
    return 0;
}

/* What the fuser says of it would fill the disk; the sanitizers do not write by the C library. */
static void say_nothing(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL)
        abort();
    stderr = nowhere;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct fault fault = {.text = ""};
    if (!ready)
        say_nothing();
    ready = true;
    const size_t head = sizeof master - 1;
    uint8_t *answers = malloc(head + size);
    if (answers == NULL)
        abort();
    memcpy(answers, master, head);
    if (size > 0)
        memcpy(answers + head, data, size);
    struct publish_options publish = fuzz_settings(0)->publish;
    publish.redis.url = fuzz_redis(answers, head + size);
    publish.redis.connect_timeout_s = publish.redis.command_timeout_s = 1;
    publish.sensor = "fused";
    const struct fuser_options options = {
        .fuse = {.bin_ns = 3600 * NS_PER_S, .lateness_ns = 1800 * NS_PER_S, .recovery_hold_s = 600},
        .publish = &publish};
    rests = 0;
    stop = false;
    fuser_run(&options, &stop, &fault);
    free(answers);
    return 0;
}
