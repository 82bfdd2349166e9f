/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a Redis is, and as whom it is spoken to: the spelling of --redis. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

enum { REDIS_HOSTS_MAX = 16 };

struct redis_address {
    char host[256];
    int port;
};

struct redis_url {
    struct redis_address host[REDIS_HOSTS_MAX]; /* one server, or the Sentinels; none: a unix socket */
    size_t host_count;
    char master[128]; /* by what name the Sentinels know the server; empty: they are none */
    bool tls;
    char path[108]; /* of the unix socket: as long as the system takes */
    int db;
    char user[128];     /* empty: the default user */
    char password[512]; /* empty: none */
    char shown[512];    /* for people: without user and password */
};

/* Reads redis://[user[:password]@]host[:port][/db], the same with rediss:// for TLS,
 * redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/name[/db] (rediss+sentinel://), and
 * unix:///path[?db=N], with %XX in user, password, name and path, and IPv6 addresses in brackets. 0, or -1
 * with the fault, which never shows what may be a password. */
int redis_url_parse(const char *text, struct redis_url *url, struct fault *fault);

/* How an address is shown: "redis://host:port", with brackets around IPv6. */
void redis_url_show(const char *scheme, const struct redis_address *address, char *into, size_t room);
