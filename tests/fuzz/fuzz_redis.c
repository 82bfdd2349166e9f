/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server answers: everything at once, and then it hangs up. The first byte says whether there is a
 * user and a password. Answers may lead elsewhere (MOVED), so run.py lets no fuzzer out. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "redis_link.h"

static int listener = -1;
static char url[160];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the answer, which is the server's own */
static uint8_t answer[1 << 16];
static size_t answer_bytes;

/* Lets whoever connects have the answer. */
static void *serve(void *none)
{
    (void)none;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        pthread_mutex_lock(&lock);
        if (answer_bytes > 0)
            send(fd, answer, answer_bytes, MSG_NOSIGNAL);
        pthread_mutex_unlock(&lock);
        close(fd);
    }
    return NULL;
}

static void start(void)
{
    char folder[] = "/tmp/fuzz-redis-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    snprintf(url, sizeof url, "unix://%s", address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 || pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
    pthread_detach(thread);
    signal(SIGPIPE, SIG_IGN); /* as in main.c */
}

/* Looks at all of a reply; its texts end where they say. */
static size_t look(const struct redisReply *reply, int depth)
{
    size_t length = 0, sum = (size_t)redis_reply_number(reply) + redis_reply_is_nil(reply);
    const char *text = redis_reply_text(reply, &length);
    for (size_t i = 0; i < length; i++)
        sum += (unsigned char)text[i];
    for (size_t i = 0; depth < 8 && i < redis_reply_count(reply); i++)
        sum += look(redis_reply_at(reply, i), depth + 1);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = {.text = ""};
    if (size < 1)
        return 0;
    if (listener < 0)
        start();
    pthread_mutex_lock(&lock);
    answer_bytes = size - 1 < sizeof answer ? size - 1 : sizeof answer;
    memcpy(answer, data + 1, answer_bytes);
    pthread_mutex_unlock(&lock);
    struct redis_link_options options = {.url = url,
                                         .user = data[0] & 1 ? "somebody" : NULL,
                                         .password = data[0] & 3 ? "secret" : NULL,
                                         .name = "fuzz",
                                         .a_key = "lightsout:{fuzz}:events",
                                         .connect_timeout_s = 0.1,
                                         .command_timeout_s = 0.1};
    struct redis_link *link = redis_link_new(&options, &fault);
    if (link != NULL && redis_link_open(link, &fault) == REDIS_WELL) {
        const char *const command[] = {"XADD", "lightsout:{fuzz}:events", "*", "id", "1"};
        struct redisReply *reply;
        for (int i = 0; i < 3; i++)
            redis_link_send(link, command[1], 5, command, NULL);
        while (redis_link_answer(link, command[1], &reply, &fault) == REDIS_WELL) {
            if (look(reply, 0) == SIZE_MAX)
                abort();
            redis_reply_free(reply);
        }
    }
    redis_link_free(link);
    return 0;
}
