/* SPDX-License-Identifier: BSD-3-Clause */
/* The status page, the metrics and the state over HTTP, on a thread of the server's own. What it serves is a
 * copy, made at most four times a second, so that no request can slow what is measured. The only file that
 * includes libmicrohttpd. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "http_address.h"
#include "memory_file.h"
#include "page.h"
#include "sink.h"
#include "status_text.h"

enum {
    CONNECTIONS_MAX = 32,        /* the oldest goes when another comes */
    CONNECTIONS_CLOSING_MAX = 8, /* besides, on their way out */
    REQUEST_BYTES_MAX = 16 * 1024,
    IDLE_S = 10, /* a client that says nothing for so long goes */
    FRESH_NS = 250 * 1000000
};

enum page { PAGE_HTML, PAGE_METRICS, PAGE_STATE, PAGE_LIFE, PAGE__COUNT };

/* What is served under a path. */
struct resource {
    const char *path, *type;
    enum page page;
};

static const struct resource resources[] = {
    {"/", "text/html; charset=utf-8", PAGE_HTML},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", PAGE_METRICS},
    {"/api/state", "application/json", PAGE_STATE},
    {"/healthz", "application/json", PAGE_LIFE},
};

static const char plain[] = "text/plain; charset=utf-8";
static const char nothing_allowed[] = "default-src 'none'; frame-ancestors 'none'";

struct http {
    const struct publish_options *options;
    const struct pulse *pulse; /* since `start` */
    struct http_address address;
    int64_t started_ns;
    bool any_port; /* the system chose it */
    int listening; /* -1: not ours */
    struct MHD_Daemon *daemon;

    pthread_mutex_t lock; /* of the present state */
    struct status status;

    /* the server thread's own */
    struct status view; /* what is served */
    int64_t looked_ns;
    struct kept {
        struct MHD_Response *response; /* NULL: not made yet */
        uint64_t changes;              /* the view's, when it was */
    } kept[PAGE__COUNT];
    MHD_socket open[CONNECTIONS_MAX + CONNECTIONS_CLOSING_MAX]; /* the oldest first */
    size_t open_count;
    _Atomic uint64_t displaced; /* connections that went for a newer one */
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- what is served ---- */

/* Brings the view up to date, unless that was just done. Without memory it stays as it is. */
static void look(struct http *http, int64_t at_ns)
{
    if (http->looked_ns != TIME_NONE && at_ns - http->looked_ns < FRESH_NS)
        return;
    http->looked_ns = at_ns;
    pthread_mutex_lock(&http->lock);
    if (http->status.changes != http->view.changes)
        status_copy(&http->view, &http->status);
    pthread_mutex_unlock(&http->lock);
}

static void write_page(const struct http *http, enum page page, const struct status_life *life, FILE *out)
{
    switch (page) {
    case PAGE_HTML:
        status_page_write(&http->view, life, out);
        break;
    case PAGE_METRICS:
        metrics_text_write(&http->view, out);
        break;
    case PAGE_STATE:
        status_json_write(&http->view, out);
        break;
    default:
        status_json_life(&http->view, life, out);
    }
}

/* With what every answer says. Takes `bytes` over when they are the caller's to free. NULL: no memory. */
static struct MHD_Response *respond(const char *type, const char *policy, char *bytes, size_t length,
                                    enum MHD_ResponseMemoryMode mode)
{
    const char *const headers[][2] = {
        {"Content-Type", type},
        {"Content-Security-Policy", policy},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
        {"Connection", "close"},
    };
    struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, mode);
    if (response == NULL && mode == MHD_RESPMEM_MUST_FREE)
        free(bytes);
    for (size_t i = 0; response != NULL && i < sizeof headers / sizeof *headers; i++)
        if (MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES) {
            MHD_destroy_response(response);
            return NULL;
        }
    return response;
}

static struct MHD_Response *make_page(const struct http *http, const struct resource *resource,
                                      const struct status_life *life)
{
    struct memory_file page;
    if (memory_file_open(&page) != 0)
        return NULL;
    write_page(http, resource->page, life, page.out);
    if (memory_file_close(&page) != 0)
        return NULL;
    struct MHD_Response *response =
        respond(resource->type, resource->page == PAGE_HTML ? page_policy_live : nothing_allowed, page.bytes,
                page.length, MHD_RESPMEM_MUST_FREE);
    return response;
}

/* The page, made anew only when there is something new to say. */
static struct MHD_Response *find_page(struct http *http, const struct resource *resource,
                                      const struct status_life *life)
{
    struct kept *kept = &http->kept[resource->page];
    bool lasts = resource->page != PAGE_LIFE && !(resource->page == PAGE_HTML && life->stuck);
    if (kept->response != NULL && lasts && kept->changes == http->view.changes)
        return kept->response;
    if (kept->response != NULL)
        MHD_destroy_response(kept->response); /* whoever is still being sent it holds it */
    kept->response = make_page(http, resource, life);
    kept->changes = lasts ? http->view.changes : UINT64_MAX;
    return kept->response;
}

/* ---- requests ---- */

/* A name of this machine that no stranger's page can bear: one that has pointed its own name at the loopback
 * asks with that. */
static bool is_numeric(const char *host)
{
    char name[64];
    unsigned char address[16];
    bool bracketed = host[0] == '[';
    const char *end = bracketed ? strchr(host, ']') : strchr(host, ':');
    size_t length = end != NULL ? (size_t)(end - host) : strlen(host);
    if (length >= sizeof name)
        return false;
    memcpy(name, host, length);
    name[length] = '\0';
    return bracketed ? end != NULL && inet_pton(AF_INET6, name + 1, address) == 1
                     : strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *words)
{
    struct MHD_Response *response =
        respond(plain, nothing_allowed, (char *)words, strlen(words), MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static const struct resource *find_resource(const char *path)
{
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++)
        if (strcmp(resources[i].path, path) == 0)
            return &resources[i];
    return NULL;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body, size_t *body_bytes,
                              void **request)
{
    (void)version, (void)body, (void)body_bytes, (void)request;
    struct http *http = context;
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (http->address.loopback && host != NULL && !is_numeric(host))
        return say(connection, MHD_HTTP_FORBIDDEN,
                   "This page is for this machine: ask for it as localhost or by its address.\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Here things can only be read: GET or HEAD.\n");
    const struct resource *resource = find_resource(path);
    if (resource == NULL)
        return say(connection, MHD_HTTP_NOT_FOUND,
                   "There is no such page: there are /, /metrics, /healthz and /api/state.\n");
    int64_t at_ns = now_ns(CLOCK_MONOTONIC);
    look(http, at_ns);
    struct status_life life = status_life(http->options, http->pulse, http->started_ns, at_ns);
    struct MHD_Response *response = find_page(http, resource, &life);
    if (response == NULL)
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "There is no memory to answer.\n");
    bool unwell = resource->page == PAGE_LIFE && life.stuck;
    return MHD_queue_response(connection, unwell ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, response);
}

/* Keeps the order in which connections came. Where there are too many the oldest goes: it had its time. */
static void note_connection(void *context, struct MHD_Connection *connection, void **own,
                            enum MHD_ConnectionNotificationCode what)
{
    (void)own;
    struct http *http = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL)
        return;
    size_t place = 0;
    while (place < http->open_count && http->open[place] != info->connect_fd)
        place++;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED && place < http->open_count) {
        memmove(&http->open[place], &http->open[place + 1],
                (--http->open_count - place) * sizeof *http->open);
    } else if (what == MHD_CONNECTION_NOTIFY_STARTED && place < sizeof http->open / sizeof *http->open) {
        http->open[http->open_count++] = info->connect_fd;
        if (http->open_count > CONNECTIONS_MAX) {
            shutdown(http->open[http->open_count - 1 - CONNECTIONS_MAX], SHUT_RDWR);
            http->displaced++;
        }
    }
}

/* ---- the sink ---- */

static bool http_wanted(const struct publish_options *options)
{
    return options->http_listen != NULL;
}

static void http_close(void *state)
{
    struct http *http = state;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    if (http->listening >= 0)
        close(http->listening);
    for (size_t i = 0; i < PAGE__COUNT; i++)
        if (http->kept[i].response != NULL)
            MHD_destroy_response(http->kept[i].response);
    status_clear(&http->status);
    status_clear(&http->view);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

/* A socket that listens; -1 with the fault. Where the port was left to the system, it becomes known. */
static int listen_on(struct http_address *address, struct fault *fault)
{
    socklen_t length = sizeof address->socket;
    int yes = 1, no = 0, family = address->socket.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (family == AF_INET6) /* [::] is all addresses, those of IPv4 too */
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    }
    if (fd < 0 ||
        bind(fd, &address->socket.any,
             family == AF_INET6 ? sizeof address->socket.ip6 : sizeof address->socket.ip4) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        fault_set(fault, "cannot listen on %s: %s; name another address with --http", address->shown,
                  strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    getsockname(fd, &address->socket.any, &length);
    http_address_show(address);
    return fd;
}

static int http_start(void *state, const struct pulse *pulse, struct fault *fault)
{
    struct http *http = state;
    http->pulse = pulse;
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, answer, http, MHD_OPTION_LISTEN_SOCKET,
        http->listening, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(CONNECTIONS_MAX + CONNECTIONS_CLOSING_MAX),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_BYTES_MAX, MHD_OPTION_NOTIFY_CONNECTION, note_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return fault_set(fault, "cannot serve HTTP on %s: no memory for its thread", http->address.shown);
    http->listening = -1; /* the server's now */
    if (http->any_port)
        publish_say("the status page is at http://%s/", http->address.shown);
    return 0;
}

static void *http_open(const struct publish_options *options, const struct scope_list *scopes,
                       struct fault *fault)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        fault_set(fault, "no memory for the status page");
        return NULL;
    }
    http->options = options;
    http->started_ns = now_ns(CLOCK_MONOTONIC);
    http->looked_ns = TIME_NONE;
    http->listening = -1;
    pthread_mutex_init(&http->lock, NULL);
    int result = http_address_parse(options->http_listen, &http->address, fault);
    if (result == 0 &&
        (status_init(&http->status, options, scopes) != 0 || status_init(&http->view, options, scopes) != 0))
        result = fault_set(fault, "no memory for the status of %u scopes", scopes->count);
    http->any_port = http->address.socket.ip4.sin_port == 0;
    if (result == 0 && (http->listening = listen_on(&http->address, fault)) < 0)
        result = -1;
    if (result != 0) {
        http_close(http);
        return NULL;
    }
    return http;
}

static int http_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    struct http *http = state;
    pthread_mutex_lock(&http->lock);
    int result = status_scopes(&http->status, scopes);
    pthread_mutex_unlock(&http->lock);
    return result == 0 ? 0 : fault_set(fault, "no memory for the status of %u scopes", scopes->count);
}

static int http_event(void *state, const struct event *event, struct fault *fault)
{
    struct http *http = state;
    pthread_mutex_lock(&http->lock);
    int result = status_event(&http->status, event);
    pthread_mutex_unlock(&http->lock);
    return result == 0 ? 0 : fault_set(fault, "no memory to show an episode");
}

static int is_whole(const struct http *http, struct fault *fault)
{
    return http->status.picture.short_of_memory
               ? fault_set(fault, "there is no memory for all that the page shows")
               : 0;
}

static int http_bin(void *state, const struct bin *bin, struct fault *fault)
{
    struct http *http = state;
    pthread_mutex_lock(&http->lock);
    status_bin(&http->status, bin);
    int result = is_whole(http, fault);
    pthread_mutex_unlock(&http->lock);
    return result;
}

static int http_hosts(void *state, const struct hosts *hosts, struct fault *fault)
{
    struct http *http = state;
    pthread_mutex_lock(&http->lock);
    picture_hosts(&http->status.picture, hosts);
    int result = is_whole(http, fault);
    pthread_mutex_unlock(&http->lock);
    return result;
}

static void http_step(void *state, int64_t data_ns, const struct health *health, const struct levels *levels)
{
    struct http *http = state;
    double wall_s = (double)(now_ns(CLOCK_REALTIME) / NS_PER_MS) / 1e3;
    pthread_mutex_lock(&http->lock);
    status_step(&http->status, data_ns, wall_s, health, levels);
    pthread_mutex_unlock(&http->lock);
}

static void http_count(void *state, struct health *sum)
{
    struct http *http = state;
    sum->http_displaced += http->displaced;
}

/* What is left to do is not for the page to wait for. */
static int http_finish(void *state, struct fault *fault)
{
    (void)fault;
    struct http *http = state;
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    return 0;
}

const struct sink sink_http = {
    .name = "http",
    .wanted = http_wanted,
    .open = http_open,
    .start = http_start,
    .scopes = http_scopes,
    .event = http_event,
    .bin = http_bin,
    .hosts = http_hosts,
    .step = http_step,
    .count = http_count,
    .finish = http_finish,
    .close = http_close,
};
