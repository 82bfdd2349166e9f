/* SPDX-License-Identifier: BSD-3-Clause */
/* Loaded before libpcap and the C library, or before a Redis, it makes a program believe that the wall clock
 * is set while it runs: SET_CLOCK="AFTER:BY AFTER:BY …", seconds from the program's start and by how many.
 * The machine's own clock stays as it is. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <pcap/pcap.h>

static int real_clock(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, now);
}

static double seconds(const struct timespec *at)
{
    return (double)at->tv_sec + (double)at->tv_nsec * 1e-9;
}

/* By how much the clock is wrong at an instant that is right. */
static long set_by(double instant)
{
    static double began;
    struct timespec now;
    if (began == 0) {
        real_clock(CLOCK_REALTIME, &now);
        began = seconds(&now);
    }
    const char *at = getenv("SET_CLOCK");
    long sum = 0, by;
    double after;
    int length;
    for (; at != NULL && sscanf(at, "%lf:%ld%n", &after, &by, &length) == 2; at += length)
        if (instant - began >= after)
            sum += by;
    return sum;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = real_clock(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += set_by(seconds(now));
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec at;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &at);
    *now = (struct timeval){.tv_sec = at.tv_sec, .tv_usec = at.tv_nsec / 1000};
    return 0;
}

/* The kernel stamps frames by its own clock; the fraction is in nanoseconds, or in microseconds. */
int pcap_next_ex(pcap_t *pcap, struct pcap_pkthdr **header, const u_char **bytes)
{
    static int (*next)(pcap_t *, struct pcap_pkthdr **, const u_char **);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "pcap_next_ex");
    int result = next(pcap, header, bytes);
    if (result == 1) {
        const struct timespec at = {.tv_sec = (*header)->ts.tv_sec, .tv_nsec = (*header)->ts.tv_usec};
        (*header)->ts.tv_sec += set_by(seconds(&at));
    }
    return result;
}
