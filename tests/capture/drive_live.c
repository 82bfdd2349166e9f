/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints what the live source delivers, a line each, for test_source_live.py: drive_live SECONDS FILTER|-
 * READERS IFACE … With READERS above 1 so many share each interface. Ticks come after 0.3 s of silence and
 * lie 0.1 s behind the clock. The last line tells what it took.
 */
#include <pthread.h>
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

enum { SOURCES_MAX = 8 };

static struct source *sources[SOURCES_MAX];
static size_t count;

static bool open_all(char **names, size_t name_count, uint32_t readers, const char *filter,
                     struct fault *fault)
{
    static int groups[SOURCES_MAX];
    for (size_t i = 0; i < name_count * readers && i < SOURCES_MAX; i++) {
        size_t number = i / readers;
        if (i % readers == 0)
            groups[number] = -1;
        const struct source_live_options options = {.number = (uint16_t)number,
                                                    .readers = readers,
                                                    .reader = (uint32_t)(i % readers),
                                                    .group = &groups[number],
                                                    .ring_bytes = 2 << 20,
                                                    .snaplen = 2048,
                                                    .promiscuous = true,
                                                    .tick_s = 0.3,
                                                    .lateness_s = 0.1};
        sources[count] = source_live_open(names[number], filter, &options, fault);
        if (sources[count] == NULL)
            return false;
        count++;
    }
    return true;
}

static void print_news(enum source_news news, size_t reader, const struct frame *frame,
                       const struct fault *fault)
{
    if (news == SOURCE_FRAME)
        printf("frame %u %lld %u %u %d %zu\n", frame->interface, (long long)frame->time_ns,
               frame->captured_bytes, frame->wire_bytes, frame->link_type, reader);
    else if (news == SOURCE_TICK)
        printf("tick %lld %lld\n", (long long)frame->time_ns, (long long)now_ns(CLOCK_REALTIME));
    else if (news == SOURCE_FAILED)
        printf("failed %s\n", fault->text);
    else if (news == SOURCE_SAYS)
        printf("says %s; sees %d\n", fault->text, sources[reader]->kind->sees(sources[reader]));
}

static int64_t begin_ns, end_ns;

/* What a source took. */
struct cost {
    size_t reader;
    unsigned long calls;
    int64_t longest_ns;
};

static void *drive(void *context)
{
    struct cost *cost = context;
    struct source *source = sources[cost->reader];
    for (int64_t last_ns = begin_ns; last_ns < end_ns; cost->calls++) {
        struct frame frame;
        struct fault fault;
        enum source_news news = source->kind->next(source, &frame, &fault);
        int64_t returned_ns = now_ns(CLOCK_MONOTONIC);
        if (returned_ns - last_ns > cost->longest_ns)
            cost->longest_ns = returned_ns - last_ns;
        last_ns = returned_ns;
        print_news(news, cost->reader, &frame, &fault);
        if (news == SOURCE_END)
            exit(3);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    struct fault fault;
    const char *filter = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    if (!open_all(argv + 4, (size_t)argc - 4, (uint32_t)atoi(argv[3]), filter, &fault)) {
        printf("refused %s\n", fault.text);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("open\n");
    begin_ns = now_ns(CLOCK_MONOTONIC);
    end_ns = begin_ns + (int64_t)(atof(argv[1]) * NS_PER_S);
    pthread_t threads[SOURCES_MAX];
    struct cost costs[SOURCES_MAX] = {{0}}, sum = {0};
    for (size_t i = 0; i < count; i++) {
        costs[i].reader = i;
        if (pthread_create(&threads[i], NULL, drive, &costs[i]) != 0)
            return 4;
    }
    struct health drops = {0};
    bool known = true;
    for (size_t i = 0; i < count; i++) {
        struct health health = {0};
        pthread_join(threads[i], NULL);
        sum.calls += costs[i].calls;
        sum.longest_ns = costs[i].longest_ns > sum.longest_ns ? costs[i].longest_ns : sum.longest_ns;
        known &= sources[i]->kind->drops(sources[i], &health);
        health_add(&drops, &health);
        sources[i]->kind->close(sources[i]);
    }
    printf("done calls %lu longest_ms %lld cpu_ms %lld drops %d %llu %llu\n", sum.calls,
           (long long)(sum.longest_ns / NS_PER_MS), (long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) / NS_PER_MS),
           known, (unsigned long long)drops.kernel_drops, (unsigned long long)drops.interface_drops);
    return 0;
}
