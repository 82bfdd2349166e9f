/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a Redis is, and as whom it is spoken to: the spelling of --redis. */
#pragma once

#include "fault.h"

struct redis_url {
    char host[256]; /* empty: a unix socket */
    int port;
    char path[108]; /* of the unix socket: as long as the system takes */
    int db;
    char user[128];     /* empty: the default user */
    char password[512]; /* empty: none */
    char shown[320];    /* for people: without user and password */
};

/* Reads redis://[user[:password]@]host[:port][/db] and unix:///path[?db=N], with %XX in user, password and
 * path, and IPv6 addresses in brackets. 0, or -1 with the fault, which never shows what may be a password. */
int redis_url_parse(const char *text, struct redis_url *url, struct fault *fault);
