/* SPDX-License-Identifier: BSD-3-Clause */
#include "http_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Digits only, 0 to 65535; -1: it is none. */
static int read_port(const char *text)
{
    if (*text == '\0' || strlen(text) > 5 || text[strspn(text, "0123456789")] != '\0')
        return -1;
    int port = atoi(text);
    return port <= 65535 ? port : -1;
}

/* The part before the last colon, without brackets; false: it is not as it should be. */
static bool read_host(const char *text, size_t length, char *host, size_t room, bool *bracketed)
{
    *bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (*bracketed) {
        text++;
        length -= 2;
    }
    if (length >= room)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    return true;
}

static bool is_loopback(const struct http_address *address)
{
    if (address->socket.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->socket.ip6.sin6_addr);
    return ntohl(address->socket.ip4.sin_addr.s_addr) >> 24 == 127;
}

static bool set_socket(struct http_address *address, const char *host, bool bracketed, int port)
{
    if (bracketed) {
        address->socket.ip6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        return inet_pton(AF_INET6, host, &address->socket.ip6.sin6_addr) == 1;
    }
    if (*host == '\0' || strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    address->socket.ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &address->socket.ip4.sin_addr) == 1;
}

void http_address_show(struct http_address *address)
{
    char host[INET6_ADDRSTRLEN];
    bool six = address->socket.any.sa_family == AF_INET6;
    const void *from = six ? (const void *)&address->socket.ip6.sin6_addr : &address->socket.ip4.sin_addr;
    inet_ntop(address->socket.any.sa_family, from, host, sizeof host);
    snprintf(address->shown, sizeof address->shown, six ? "[%s]:%u" : "%s:%u", host,
             ntohs(six ? address->socket.ip6.sin6_port : address->socket.ip4.sin_port));
}

int http_address_parse(const char *text, struct http_address *address, struct fault *fault)
{
    char host[64];
    bool bracketed;
    const char *colon = strrchr(text, ':');
    int port = colon != NULL ? read_port(colon + 1) : -1;
    *address = (struct http_address){.loopback = false};
    if (port < 0)
        return fault_set(fault, "'%s' has no port: write ADDR:PORT, say 127.0.0.1:9109", text);
    if (!read_host(text, (size_t)(colon - text), host, sizeof host, &bracketed) ||
        !set_socket(address, host, bracketed, port))
        return fault_set(fault,
                         "'%s' is not an address to listen on: write 127.0.0.1:9109, [::1]:9109, or "
                         "0.0.0.0:9109 for all",
                         text);
    address->loopback = is_loopback(address);
    http_address_show(address);
    return 0;
}
