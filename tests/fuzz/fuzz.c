/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static struct {
    int listener;
    pthread_mutex_t lock; /* of the answer, which is the server's own */
    uint8_t answer[1 << 17];
    size_t bytes;
    char url[160];
} redis = {.listener = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Lets whoever connects have the answer, and say what he wants. */
static void *serve(void *none)
{
    char said[4096];
    (void)none;
    for (;;) {
        int fd = accept(redis.listener, NULL, NULL);
        if (fd < 0)
            continue;
        pthread_mutex_lock(&redis.lock);
        if (redis.bytes > 0)
            send(fd, redis.answer, redis.bytes, MSG_NOSIGNAL);
        pthread_mutex_unlock(&redis.lock);
        shutdown(fd, SHUT_WR);
        while (read(fd, said, sizeof said) > 0)
            continue;
        close(fd);
    }
    return NULL;
}

static void start_redis(void)
{
    char folder[] = "/tmp/fuzz-redis-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    snprintf(redis.url, sizeof redis.url, "unix://%s", address.sun_path);
    redis.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (redis.listener < 0 || bind(redis.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(redis.listener, 8) != 0 || pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    pthread_detach(thread);
    signal(SIGPIPE, SIG_IGN); /* as in main.c */
}

const char *fuzz_redis(const uint8_t *data, size_t size)
{
    if (redis.listener < 0)
        start_redis();
    pthread_mutex_lock(&redis.lock);
    redis.bytes = size < sizeof redis.answer ? size : sizeof redis.answer;
    if (redis.bytes > 0)
        memcpy(redis.answer, data, redis.bytes);
    pthread_mutex_unlock(&redis.lock);
    return redis.url;
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
