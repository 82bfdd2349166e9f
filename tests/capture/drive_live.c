/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints what the live source delivers, a line each, for test_source_live.py: drive_live SECONDS FILTER|-
 * IFACE … Ticks come after 0.3 s of silence and lie 0.1 s behind the clock. The last line tells what it took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "source.h"

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const struct source_live_options options = {
        .ring_bytes = 2 << 20, .snaplen = 2048, .promiscuous = true, .tick_s = 0.3, .lateness_s = 0.1};
    const char *filter = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    struct fault fault;
    struct source *source =
        source_live_open((const char *const *)argv + 3, (size_t)argc - 3, filter, &options, &fault);
    if (source == NULL) {
        printf("refused %s\n", fault.text);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("open\n");
    int64_t begin_ns = now_ns(CLOCK_MONOTONIC), last_ns = begin_ns, longest_ns = 0;
    int64_t end_ns = begin_ns + (int64_t)(atof(argv[1]) * NS_PER_S);
    unsigned long calls = 0;
    while (last_ns < end_ns) {
        struct frame frame;
        enum source_news news = source->kind->next(source, &frame, &fault);
        int64_t returned_ns = now_ns(CLOCK_MONOTONIC);
        longest_ns = returned_ns - last_ns > longest_ns ? returned_ns - last_ns : longest_ns;
        last_ns = returned_ns;
        calls++;
        if (news == SOURCE_FRAME)
            printf("frame %u %lld %u %u %d\n", frame.interface, (long long)frame.time_ns,
                   frame.captured_bytes, frame.wire_bytes, frame.link_type);
        else if (news == SOURCE_TICK)
            printf("tick %lld %lld\n", (long long)frame.time_ns, (long long)now_ns(CLOCK_REALTIME));
        else if (news == SOURCE_FAILED)
            printf("failed %s\n", fault.text);
        else if (news == SOURCE_SAYS)
            printf("says %s; sees %d\n", fault.text, source->kind->sees(source));
        else if (news == SOURCE_END)
            return 3;
    }
    struct health health = {0};
    bool known = source->kind->drops(source, &health);
    printf("done calls %lu longest_ms %lld cpu_ms %lld drops %d %llu %llu\n", calls,
           (long long)(longest_ns / NS_PER_MS), (long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) / NS_PER_MS),
           known, (unsigned long long)health.kernel_drops, (unsigned long long)health.interface_drops);
    source->kind->close(source);
    return 0;
}
