/* SPDX-License-Identifier: BSD-3-Clause */
/* A request to the status page, from a client that says no more, and does not wait for long. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fuzz.h"
#include "sink.h"

static struct sockaddr_in address = {.sin_family = AF_INET};

/* A port that is free now. */
static void find_port(void)
{
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        abort();
    close(fd);
}

static void start(void)
{
    static struct publish_options options;
    static struct pulse pulse = {.step_ns = TIME_NONE, .item_ns = TIME_NONE};
    static char listen[32];
    const struct settings *settings = fuzz_settings(0);
    struct fault fault = {.text = ""};
    find_port();
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    options = settings->publish;
    options.http_listen = listen;
    void *state = sink_http.open(&options, &settings->scopes, &fault);
    if (state == NULL || sink_http.start(state, &pulse, &fault) != 0) {
        fprintf(stderr, "%s\n", fault.text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[4096];
    if (address.sin_port == 0)
        start();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINTR)) {
        perror("no connection to the status page");
        abort();
    }
    /* So that no closed connection is waited for: there would soon be no more ports. */
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    struct timeval patience = {.tv_usec = 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct pollfd ready = {.fd = fd, .events = POLLOUT}; /* libFuzzer's alarm may have come in between */
    while (poll(&ready, 1, -1) < 0)
        continue;
    if (size > 0)
        send(fd, data, size, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (recv(fd, answer, sizeof answer, 0) > 0)
        continue;
    close(fd);
    return 0;
}
