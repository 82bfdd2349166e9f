/* SPDX-License-Identifier: BSD-3-Clause */
#include "redis_url.h"

#include <stdlib.h>
#include <string.h>

static const char forms[] = "redis://[user[:password]@]host[:port][/db] (rediss:// for TLS), "
                            "redis+sentinel://host:port,host:port/name[/db] or unix:///path[?db=N]";

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Copies `length` bytes with %XX decoded. -1 when they do not fit, or a % stands before no byte (zero is
 * none). */
static int decode(const char *from, size_t length, char *into, size_t room)
{
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        int byte = (unsigned char)from[i];
        if (byte == '%') {
            int high = i + 1 < length ? hex_digit(from[i + 1]) : -1,
                low = i + 2 < length ? hex_digit(from[i + 2]) : -1;
            byte = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0 || at + 1 >= room)
            return -1;
        into[at++] = (char)byte;
    }
    into[at] = '\0';
    return 0;
}

/* A whole decimal number from 0 to `most`, and nothing else. */
static int number(const char *text, size_t length, int most, int *value)
{
    if (length == 0 || length > 6)
        return -1;
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        *value = *value * 10 + (text[i] - '0');
    }
    return *value <= most ? 0 : -1;
}

static int parse_db(const char *text, struct redis_url *url, struct fault *fault)
{
    if (number(text, strlen(text), 65535, &url->db) != 0)
        return fault_set(fault, "--redis: the number of the database is not 0 to 65535; write %s", forms);
    return 0;
}

static int parse_user(const char *text, size_t length, struct redis_url *url, struct fault *fault)
{
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon != NULL ? (size_t)(colon - text) : length;
    if (decode(text, user_length, url->user, sizeof url->user) != 0)
        return fault_set(fault, "--redis: the user is too long or not well spelled (a %% is written %%25)");
    if (colon != NULL &&
        decode(colon + 1, length - user_length - 1, url->password, sizeof url->password) != 0)
        return fault_set(fault,
                         "--redis: the password is too long or not well spelled (a %% is written %%25)");
    return 0;
}

/* One of the hosts, with its port; without one, `port` is the usual. */
static int parse_host(const char *text, size_t length, int port, struct redis_address *into,
                      struct fault *fault)
{
    const char *end = text + length, *host_end;
    bool bracketed = length > 0 && text[0] == '[';
    if (bracketed) {
        text++;
        host_end = memchr(text, ']', (size_t)(end - text));
        if (host_end == NULL)
            return fault_set(
                fault, "--redis: the address lacks its closing bracket; write redis://[2001:db8::1]:6379");
    } else {
        host_end = memchr(text, ':', length);
        if (host_end == NULL)
            host_end = end;
    }
    size_t host_length = (size_t)(host_end - text);
    if (host_length == 0 || host_length >= sizeof into->host)
        return fault_set(fault, "--redis names no host; write %s", forms);
    memcpy(into->host, text, host_length);
    into->host[host_length] = '\0';
    into->port = port;
    const char *rest = host_end + bracketed;
    if (rest < end && (*rest != ':' || number(rest + 1, (size_t)(end - rest - 1), 65535, &into->port) != 0 ||
                       into->port == 0))
        return fault_set(fault,
                         "--redis: the port is not 1 to 65535 (an IPv6 address stands in brackets); write %s",
                         forms);
    return 0;
}

/* Everything between // and the next slash. */
static int parse_hosts(const char *text, size_t length, struct redis_url *url, bool sentinel,
                       struct fault *fault)
{
    const char *host = text, *end = text + length;
    for (const char *c = text; c < end; c++)
        if (*c == '@')
            host = c + 1; /* the last one: a password may hold another */
    if (host > text && parse_user(text, (size_t)(host - text - 1), url, fault) != 0)
        return -1;
    for (;;) {
        const char *comma = sentinel ? memchr(host, ',', (size_t)(end - host)) : NULL;
        if (url->host_count == REDIS_HOSTS_MAX)
            return fault_set(fault, "--redis names more than %d Sentinels", REDIS_HOSTS_MAX);
        if (parse_host(host, (size_t)((comma != NULL ? comma : end) - host), sentinel ? 26379 : 6379,
                       &url->host[url->host_count++], fault) != 0)
            return -1;
        if (comma == NULL)
            return 0;
        host = comma + 1;
    }
}

void redis_url_show(const char *scheme, const struct redis_address *address, char *into, size_t room)
{
    bool colons = strchr(address->host, ':') != NULL;
    snprintf(into, room, "%s%s%s%s:%d", scheme, colons ? "[" : "", address->host, colons ? "]" : "",
             address->port);
}

static int parse_tcp(const char *text, struct redis_url *url, struct fault *fault)
{
    size_t length = strcspn(text, "/?#");
    if (parse_hosts(text, length, url, false, fault) != 0)
        return -1;
    redis_url_show(url->tls ? "rediss://" : "redis://", &url->host[0], url->shown, sizeof url->shown);
    const char *rest = text + length;
    if (*rest == '\0' || strcmp(rest, "/") == 0)
        return 0;
    return *rest == '/' ? parse_db(rest + 1, url, fault)
                        : fault_set(fault, "--redis: nothing may follow the host but /db; write %s", forms);
}

static int parse_sentinel(const char *text, struct redis_url *url, struct fault *fault)
{
    size_t length = strcspn(text, "/?#");
    if (parse_hosts(text, length, url, true, fault) != 0)
        return -1;
    const char *name = text + length + (text[length] == '/');
    size_t name_length = strcspn(name, "/?#");
    if (name_length == 0 || decode(name, name_length, url->master, sizeof url->master) != 0)
        return fault_set(
            fault, "--redis: the Sentinels' name for the server is missing or too long; write %s", forms);
    char first[320];
    redis_url_show(url->tls ? "rediss+sentinel://" : "redis+sentinel://", &url->host[0], first, sizeof first);
    snprintf(url->shown, sizeof url->shown, "%s%s/%s", first, url->host_count > 1 ? ",…" : "", url->master);
    const char *rest = name + name_length;
    if (*rest == '\0' || strcmp(rest, "/") == 0)
        return 0;
    return *rest == '/' ? parse_db(rest + 1, url, fault)
                        : fault_set(fault, "--redis: nothing may follow the name but /db; write %s", forms);
}

static int parse_unix(const char *text, struct redis_url *url, struct fault *fault)
{
    size_t length = strcspn(text, "?");
    if (text[0] != '/')
        return fault_set(fault,
                         "--redis: the socket's path is not absolute; write unix:///run/redis/redis.sock");
    if (decode(text, length, url->path, sizeof url->path) != 0)
        return fault_set(fault,
                         "--redis: the socket's path is longer than the %zu bytes that the system takes",
                         sizeof url->path - 1);
    snprintf(url->shown, sizeof url->shown, "unix://%s", url->path);
    if (text[length] == '\0')
        return 0;
    if (strncmp(text + length, "?db=", 4) != 0)
        return fault_set(fault, "--redis: nothing may follow the socket's path but ?db=N; write %s", forms);
    return parse_db(text + length + 4, url, fault);
}

int redis_url_parse(const char *text, struct redis_url *url, struct fault *fault)
{
    static const struct {
        const char *scheme;
        int (*parse)(const char *, struct redis_url *, struct fault *);
        bool tls;
    } schemes[] = {{"redis://", parse_tcp, false},
                   {"rediss://", parse_tcp, true},
                   {"redis+sentinel://", parse_sentinel, false},
                   {"rediss+sentinel://", parse_sentinel, true},
                   {"unix://", parse_unix, false}};
    *url = (struct redis_url){.db = 0};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, length) != 0)
            continue;
        url->tls = schemes[i].tls;
        return schemes[i].parse(text + length, url, fault);
    }
    return fault_set(fault, "--redis is not a URL of a Redis; write %s", forms);
}
