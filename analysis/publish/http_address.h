/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the status page listens, as the options spell it. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "fault.h"

struct http_address {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } socket;
    bool loopback;  /* only this machine reaches it */
    char shown[80]; /* "127.0.0.1:9109", "[::1]:9109" */
};

/* Reads 127.0.0.1:9109, [::1]:9109, localhost:9109, or :9109, which is the loopback too: who wants all
 * addresses says 0.0.0.0 or [::]. Port 0 takes one that is free. Returns 0, or -1 with the fault. */
int http_address_parse(const char *text, struct http_address *address, struct fault *fault);

/* Makes `shown` anew, after the port has become known. */
void http_address_show(struct http_address *address);
