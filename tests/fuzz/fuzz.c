/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd >= 0)
        close(fd);
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size) || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static const char rules[] = "[watch 10.0.0.0/8]\n"
                            "[watch 10.1.0.0/16]\ncounted = no\n"
                            "[watch 192.0.2.0/24]\n"
                            "[watch 2001:db8::/32]\n"
                            "[path tagged]\nvlan = 7 100\nvni = 4242\n"
                            "[path labelled]\nmpls = 16 1017\ngre = 7\nerspan = 100\n"
                            "[path known]\nmac = 02:00:00:00:01:02\nrouter = 198.51.100.1\n"
                            "[path half]\nprefix = 10.128.0.0/9\n"
                            "[service names]\nhost = *.example.net www.*\n"
                            "[service web]\naddress = 10.0.0.1 192.0.2.80\nport = 80 443\n";

const struct settings *fuzz_settings(int watched)
{
    static struct settings made[2];
    static int ready[2];
    struct fault fault;
    char program[] = "fuzz", read[] = "-r", capture[] = "capture", config[] = "-c";
    char *arguments[] = {program, read, capture, config, NULL, NULL};
    if (!ready[watched] && watched)
        arguments[4] = (char *)fuzz_file((const uint8_t *)rules, sizeof rules - 1);
    if (!ready[watched] && settings_read(&made[watched], watched ? 5 : 3, arguments, &fault) != 0) {
        fprintf(stderr, "%s\n", fault.text);
        abort();
    }
    ready[watched] = 1;
    return &made[watched];
}

static void take_bin(void *context, const struct bin *bin)
{
    (void)context;
    (void)bin;
}

static void take_event(void *context, const struct event *event)
{
    (void)context;
    (void)event;
}

struct analysis *fuzz_study(const struct settings *settings, const struct scope_list *scopes)
{
    const struct analysis_output output = {.bin = take_bin, .event = take_event};
    return analysis_new(&settings->analysis, scopes, &output);
}
