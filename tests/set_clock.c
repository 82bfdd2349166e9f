/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a program, moves its wall clock and the times of what libpcap brings it by as many seconds
 * as the file $SET_CLOCK says (64 bits): a clock that is set, without the machine's being touched. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *moved_s;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_next)(pcap_t *, struct pcap_pkthdr **, const u_char **);

/* Before any other thread, and before files may no longer be opened. */
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SET_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = mmap(NULL, sizeof *moved_s, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        fputs("SET_CLOCK names no file\n", stderr);
        abort();
    }
    close(fd);
    moved_s = mapped;
    /* A pointer to a function is not one to an object, by the standard; dlsym(3) has this way. */
    *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&real_next = dlsym(RTLD_NEXT, "pcap_next_ex");
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (real_gettime == NULL)
        *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_gettime(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && moved_s != NULL)
        now->tv_sec += *moved_s;
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

int pcap_next_ex(pcap_t *pcap, struct pcap_pkthdr **header, const u_char **bytes)
{
    int result = real_next(pcap, header, bytes);
    if (result == 1)
        (*header)->ts.tv_sec += *moved_s;
    return result;
}
