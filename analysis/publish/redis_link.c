/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that includes hiredis, 0.14 and 1.x alike. Never redisReconnect: it forgets timeouts in some
 * versions, and TLS, user and database in all. */
#include "redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/alloc.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#ifdef REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "memory.h"
#include "redis_tls.h"
#include "redis_url.h"

enum {
    SLOTS = 16384, /* of a cluster */
    NODES_MAX = 256,
    HOPS_MAX = 5,             /* after MOVED or ASK */
    REPLY_ITEMS_MAX = 1 << 20 /* of one list in an answer; hiredis makes room for as many as it announces */
};

/* Of an answer: the longest text that Redis holds, with some room for what stands around it. */
static const size_t reply_bytes_max = (size_t)513 << 20;

static const double sentinel_timeout_s = 1; /* at most: there are others */

/* A server; of the first the link is, the others are a cluster's. */
struct node {
    struct redis_address address;
    redisContext *context; /* NULL: not connected */
};

/* A command that has not been answered yet, kept in case that it has to go to another node. */
struct pending {
    char *command; /* NULL: there was no memory, or no connection */
    size_t length;
    size_t node;
    unsigned slot;
};

struct redis_link {
    struct redis_url url;
    struct redis_tls *tls;
    char *name, *a_key;
    double connect_timeout_s, command_timeout_s;
    char shown[512];
    size_t sentinel; /* the one that answered last */
    size_t replicas;
    struct node node[NODES_MAX], hop;
    size_t node_count;      /* at least 1 */
    uint16_t *node_of_slot; /* NULL: nothing was moved yet */
    struct pending *pending;
    size_t pending_first, pending_count, pending_room;
    bool starved; /* what was to be sent since it was opened found no memory */
};

/* ---- set-up ---- */

/* User and password of the options take the place of the URL's. */
static int read_options(struct redis_link *link, const struct redis_link_options *options,
                        struct fault *fault)
{
    struct redis_url *url = &link->url;
    if (redis_url_parse(options->url, url, fault) != 0)
        return -1;
    const char *user = options->user, *password = options->password;
    if ((user != NULL && strlen(user) >= sizeof url->user) ||
        (password != NULL && strlen(password) >= sizeof url->password))
        return fault_set(fault, "the user or the password for Redis is too long");
    if (user != NULL)
        strcpy(url->user, user);
    if (password != NULL)
        strcpy(url->password, password);
    if (url->user[0] != '\0' && url->password[0] == '\0')
        return fault_set(fault, "there is a user for Redis at %s but no password; give both or neither",
                         url->shown);
    bool files = options->tls_ca != NULL || options->tls_cert != NULL || options->tls_key != NULL;
    if (files && !url->tls)
        return fault_set(fault, "there are TLS files for Redis, but %s is without TLS; write rediss://",
                         url->shown);
    if (url->tls)
        link->tls = redis_tls_new(options->tls_ca, options->tls_cert, options->tls_key, fault);
    return url->tls && link->tls == NULL ? -1 : 0;
}

struct redis_link *redis_link_new(const struct redis_link_options *options, struct fault *fault)
{
    struct redis_link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        link->name = strdup(options->name != NULL ? options->name : "lightsout");
        link->a_key = strdup(options->a_key != NULL ? options->a_key : "lightsout");
    }
    if (link == NULL || link->name == NULL || link->a_key == NULL) {
        fault_errno(fault, ENOMEM, "no memory for Redis");
        redis_link_free(link);
        return NULL;
    }
    /* In CLIENT LIST there may be no blanks. */
    for (char *c = link->name; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            *c = '-';
    link->connect_timeout_s = options->connect_timeout_s;
    link->command_timeout_s = options->command_timeout_s;
    link->node_count = 1;
    if (read_options(link, options, fault) != 0) {
        redis_link_free(link);
        return NULL;
    }
    memcpy(link->shown, link->url.shown, sizeof link->shown);
    return link;
}

int redis_link_check(const struct redis_link_options *options, struct fault *fault)
{
    struct redis_link *link = redis_link_new(options, fault);
    redis_link_free(link);
    return link != NULL ? 0 : -1;
}

void redis_link_free(struct redis_link *link)
{
    if (link == NULL)
        return;
    redis_link_close(link);
    redis_tls_free(link->tls);
    free(link->pending);
    free(link->node_of_slot);
    free(link->name);
    free(link->a_key);
    explicit_bzero(&link->url, sizeof link->url);
    free(link);
}

static void node_close(struct node *node)
{
    if (node->context != NULL)
        redisFree(node->context);
    node->context = NULL;
}

void redis_link_close(struct redis_link *link)
{
    for (; link->pending_count > 0; link->pending_count--) {
        struct pending *oldest = &link->pending[link->pending_first];
        link->pending_first = (link->pending_first + 1) % link->pending_room;
        if (oldest->command != NULL)
            redisFreeCommand(oldest->command);
    }
    for (size_t i = 0; i < link->node_count; i++)
        node_close(&link->node[i]);
    node_close(&link->hop);
    /* Where the slots are is learned again; the nodes' addresses stay, in case that the first is gone. */
    free(link->node_of_slot);
    link->node_of_slot = NULL;
}

bool redis_link_is_open(const struct redis_link *link)
{
    return link->node[0].context != NULL;
}

const char *redis_link_shown(const struct redis_link *link)
{
    return link->shown;
}

size_t redis_link_replicas(const struct redis_link *link)
{
    return link->replicas;
}

/* ---- one command on one connection ---- */

static struct timeval seconds(double s)
{
    return (struct timeval){.tv_sec = (time_t)s, .tv_usec = (suseconds_t)((s - (double)(time_t)s) * 1e6)};
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_late(const redisContext *context)
{
    return strstr(context->errstr, strerror(EAGAIN)) != NULL || strstr(context->errstr, "timeout") != NULL;
}

/* There is no answer, and will be none. */
static enum redis_trouble lost(const struct redis_link *link, const redisContext *context, bool late,
                               struct fault *fault)
{
    late = late || (context != NULL && is_late(context));
    const char *why = link->starved                                         ? "no memory for what it is sent"
                      : late                                                ? "no answer in time"
                      : context == NULL                                     ? "there is no connection"
                      : context->err == REDIS_ERR_OOM                       ? "its answer is too long"
                      : context->errstr[0] == '\0'                          ? "the connection broke"
                      : strcmp(context->errstr, strerror(EINPROGRESS)) == 0 ? "no answer in time"
                                                                            : context->errstr;
    fault_set(fault, "lost Redis at %s: %s", link->shown, why);
    return late ? REDIS_TROUBLE_timeout : REDIS_TROUBLE_broken;
}

/* Before 1.0 redisBufferWrite takes a new buffer when it has sent one, and crashes where there is no memory
 * for it. This sends the same, and keeps the buffer. */
static int write_buffer(redisContext *context, int *done)
{
#if HIREDIS_MAJOR < 1
    if (context->err != 0)
        return REDIS_ERR;
    ssize_t sent = send(context->fd, context->obuf, sdslen(context->obuf), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) {
        context->err = REDIS_ERR_IO;
        snprintf(context->errstr, sizeof context->errstr, "%s", strerror(errno));
        return REDIS_ERR;
    }
    if (sent > 0)
        sdsrange(context->obuf, (int)sent, -1);
    *done = sdslen(context->obuf) == 0;
    return REDIS_OK;
#else
    return redisBufferWrite(context, done);
#endif
}

/* Reads what has come, and counts it. */
static int read_buffer(redisContext *context, size_t *bytes)
{
    size_t before = context->reader->len;
    if (redisBufferRead(context) != REDIS_OK)
        return REDIS_ERR;
    *bytes += context->reader->len - before;
    if (*bytes <= reply_bytes_max)
        return REDIS_OK;
    context->err = REDIS_ERR_OOM;
    return REDIS_ERR;
}

/* The next answer; NULL with the trouble. The socket's own timeout is that of a single read: a server that
 * sends a byte now and then is not waited for any longer. */
static redisReply *read_reply(const struct redis_link *link, redisContext *context,
                              enum redis_trouble *trouble, struct fault *fault)
{
    void *reply = NULL;
    int done = 0;
    size_t bytes = 0;
    double end_s = now_s() + link->command_timeout_s;
    bool late = false, well = true;
    while (well && !done)
        well = write_buffer(context, &done) == REDIS_OK;
    while (well && !late) {
        well = redisGetReplyFromReader(context, &reply) == REDIS_OK;
        if (!well || reply != NULL)
            break;
        late = now_s() > end_s;
        well = late || read_buffer(context, &bytes) == REDIS_OK;
    }
    *trouble = reply != NULL ? REDIS_WELL : lost(link, context, late, fault);
    return reply;
}

/* Where in a script it went wrong is nothing to the reader, and would make the same trouble look like
 * another. */
static enum redis_trouble judge(const struct redis_link *link, const char *what, redisReply *reply,
                                struct fault *fault)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return REDIS_WELL;
    char *script = strstr(reply->str, " script: ");
    if (script != NULL)
        *script = '\0';
    enum redis_trouble trouble = redis_trouble_of(reply->str);
    if (redis_class_of(trouble) == REDIS_LATER)
        fault_set(fault, "Redis at %s takes nothing at present: %s", link->shown, reply->str);
    else
        fault_set(fault, "Redis at %s refuses %s: %s", link->shown, what, reply->str);
    return trouble;
}

/* A command of strings, and its answer, which is NULL unless all is well. */
static enum redis_trouble ask(const struct redis_link *link, redisContext *context, const char *what,
                              redisReply **reply, struct fault *fault, const char *const *arguments)
{
    enum redis_trouble trouble;
    int count = 0;
    while (arguments[count] != NULL)
        count++;
    redisAppendCommandArgv(context, count, (const char **)arguments, NULL);
    *reply = read_reply(link, context, &trouble, fault);
    if (*reply != NULL)
        trouble = judge(link, what, *reply, fault);
    if (trouble != REDIS_WELL && *reply != NULL) {
        freeReplyObject(*reply);
        *reply = NULL;
    }
    return trouble;
}

#define ASK(link, context, what, reply, fault, ...)                                                          \
    ask((link), (context), (what), (reply), (fault), (const char *const[]){__VA_ARGS__, NULL})

/* ---- connecting ---- */

#if HIREDIS_MAJOR < 1
/* By these two hiredis 0.14 asks for what a connection takes, and its own abort where there is nothing to be
 * had. Those of the program come before those of a library. */
static void *or_end(void *memory)
{
    if (memory == NULL)
        memory_end("a connection to Redis");
    return memory;
}

void *hi_malloc(size_t size)
{
    return or_end(malloc(size));
}

char *hi_strdup(const char *text)
{
    return or_end(strdup(text));
}

/* How hiredis 0.14 makes answers, but that a list is refused that announces more than there can be. */
static redisReplyObjectFunctions bounded;
static void *(*make_list)(const redisReadTask *, int);

static void *make_bounded_list(const redisReadTask *task, int items)
{
    return items <= REPLY_ITEMS_MAX ? make_list(task, items) : NULL;
}

static void find_functions(void)
{
    redisReader *reader = or_end(redisReaderCreate());
    bounded = *reader->fn;
    make_list = bounded.createArray;
    bounded.createArray = make_bounded_list;
    redisReaderFree(reader);
}
#endif

/* What this server announces is not what memory there has to be for it. */
static void bound_replies(redisReader *reader)
{
#if HIREDIS_MAJOR < 1
    static pthread_once_t found = PTHREAD_ONCE_INIT;
    pthread_once(&found, find_functions);
    reader->fn = &bounded;
    reader->maxbuf = 0; /* it crashes where there is no memory for a new one */
#else
    reader->maxelements = REPLY_ITEMS_MAX;
#endif
}

static enum redis_trouble start_tls(const struct redis_link *link, const char *host, redisContext *context,
                                    struct fault *fault)
{
#ifdef REDIS_TLS
    struct ssl_st *session = redis_tls_session(link->tls, host);
    if (session != NULL && redisInitiateSSL(context, session) == REDIS_OK)
        return REDIS_WELL; /* the session is hiredis's now */
    bool late = session == NULL || is_late(context);
    const char *why = session != NULL ? redis_tls_why(session) : NULL;
    if (late)
        lost(link, session != NULL ? context : NULL, false, fault);
    else
        fault_set(fault, "no TLS with Redis at %s: %s", link->shown, why != NULL ? why : context->errstr);
    redis_tls_drop(session);
    if (late)
        return REDIS_TROUBLE_timeout;
#else
    (void)host, (void)context;
    fault_set(fault, "no TLS with Redis at %s: this build has none", link->shown);
#endif
    return REDIS_TROUBLE_tls;
}

/* A connection without user yet: to the address, or where there is none (NULL) to the socket. */
static enum redis_trouble dial(const struct redis_link *link, const struct redis_address *address,
                               double timeout_s, redisContext **into, struct fault *fault)
{
    struct timeval timeout = seconds(timeout_s);
    redisContext *context = address != NULL ? redisConnectWithTimeout(address->host, address->port, timeout)
                                            : redisConnectUnixWithTimeout(link->url.path, timeout);
    enum redis_trouble trouble = REDIS_WELL;
    if (context == NULL || context->err != 0) {
        fault_set(fault, "cannot reach Redis at %s: %s", link->shown,
                  context == NULL    ? "no memory"
                  : is_late(context) ? "no answer in time"
                                     : context->errstr);
        trouble = REDIS_TROUBLE_unreachable;
    } else {
        fcntl(context->fd, F_SETFD, FD_CLOEXEC);
        bound_replies(context->reader);
        if (address != NULL)
            redisEnableKeepAlive(context);
        redisSetTimeout(context, seconds(link->command_timeout_s));
        if (link->tls != NULL)
            trouble = start_tls(link, address->host, context, fault);
    }
    if (trouble != REDIS_WELL && context != NULL)
        redisFree(context);
    *into = trouble == REDIS_WELL ? context : NULL;
    return trouble;
}

static enum redis_trouble authenticate(const struct redis_link *link, redisContext *context,
                                       struct fault *fault)
{
    const struct redis_url *url = &link->url;
    redisReply *reply = NULL;
    enum redis_trouble trouble =
        url->password[0] == '\0' ? REDIS_WELL
        : url->user[0] == '\0'
            ? ASK(link, context, "the password", &reply, fault, "AUTH", url->password)
            : ASK(link, context, "the password", &reply, fault, "AUTH", url->user, url->password);
    freeReplyObject(reply);
    return trouble;
}

/* Only what the server does not know or allow is no trouble: the name is for people. */
static enum redis_trouble introduce(const struct redis_link *link, redisContext *context, struct fault *fault)
{
    redisReply *reply;
    enum redis_trouble trouble =
        ASK(link, context, "the connection", &reply, fault, "CLIENT", "SETNAME", link->name);
    freeReplyObject(reply);
    return trouble == REDIS_TROUBLE_noperm || trouble == REDIS_TROUBLE_other ? REDIS_WELL : trouble;
}

/* A connection to any node of a cluster, or the first half of that to the only server. */
static enum redis_trouble connect_to(const struct redis_link *link, const struct redis_address *address,
                                     redisContext **into, struct fault *fault)
{
    enum redis_trouble trouble = dial(link, address, link->connect_timeout_s, into, fault);
    if (trouble != REDIS_WELL)
        return trouble;
    trouble = authenticate(link, *into, fault);
    if (trouble == REDIS_WELL)
        trouble = introduce(link, *into, fault);
    if (trouble != REDIS_WELL) {
        redisFree(*into);
        *into = NULL;
    }
    return trouble;
}

/* A replica of a cluster knows who has what; any other takes nothing. */
static enum redis_trouble check_replica(const struct redis_link *link, redisContext *context,
                                        const redisReply *role, struct fault *fault)
{
    const char *const arguments[] = {"EXISTS", link->a_key};
    enum redis_trouble trouble;
    redisAppendCommandArgv(context, 2, (const char **)arguments, NULL);
    redisReply *reply = read_reply(link, context, &trouble, fault);
    if (reply == NULL)
        return trouble;
    bool cluster = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MOVED ", 6) == 0;
    freeReplyObject(reply);
    if (cluster)
        return REDIS_WELL;
    fault_set(fault, "Redis at %s takes nothing at present: READONLY, it is a replica of %s port %lld",
              link->shown, redis_reply_text(redis_reply_at(role, 1), NULL),
              redis_reply_number(redis_reply_at(role, 2)));
    return REDIS_TROUBLE_readonly;
}

/* Whether there is a master at the other end. Where ROLE is not known or allowed, only a Sentinel's word
 * would have to be proved by it. */
static enum redis_trouble check_role(struct redis_link *link, redisContext *context, struct fault *fault)
{
    redisReply *reply;
    enum redis_trouble trouble = ASK(link, context, "ROLE", &reply, fault, "ROLE");
    bool by_sentinel = link->url.master[0] != '\0';
    if (trouble == REDIS_TROUBLE_noperm || trouble == REDIS_TROUBLE_other)
        return by_sentinel ? trouble : REDIS_WELL;
    if (trouble != REDIS_WELL)
        return trouble;
    const char *role = redis_reply_text(redis_reply_at(reply, 0), NULL);
    link->replicas = by_sentinel ? redis_reply_count(redis_reply_at(reply, 2)) : 0;
    if (strcmp(role, "sentinel") == 0) {
        fault_set(fault, "at %s is a Sentinel; write redis+sentinel://host:port/name", link->shown);
        trouble = REDIS_TROUBLE_other;
    } else if (strcmp(role, "slave") == 0 && by_sentinel) {
        fault_set(fault, "Redis at %s is no master, though a Sentinel says so", link->shown);
        trouble = REDIS_TROUBLE_no_master;
    } else if (strcmp(role, "slave") == 0) {
        trouble = check_replica(link, context, reply, fault);
    }
    freeReplyObject(reply);
    return trouble;
}

static enum redis_trouble select_database(const struct redis_link *link, redisContext *context,
                                          struct fault *fault)
{
    char db[16];
    redisReply *reply;
    if (link->url.db == 0)
        return REDIS_WELL;
    snprintf(db, sizeof db, "%d", link->url.db);
    enum redis_trouble trouble = ASK(link, context, "the database", &reply, fault, "SELECT", db);
    freeReplyObject(reply);
    return trouble;
}

/* Everything that a new connection has to be told, each time. */
static enum redis_trouble open_first(struct redis_link *link, const struct redis_address *address,
                                     struct fault *fault)
{
    redisContext *context;
    enum redis_trouble trouble = connect_to(link, address, &context, fault);
    if (trouble != REDIS_WELL)
        return trouble;
    trouble = select_database(link, context, fault);
    if (trouble == REDIS_WELL)
        trouble = check_role(link, context, fault);
    if (trouble != REDIS_WELL) {
        redisFree(context);
        return trouble;
    }
    link->node[0].context = context;
    if (address != NULL)
        link->node[0].address = *address;
    return REDIS_WELL;
}

/* ---- Sentinel ---- */

/* One that wants a password gets the server's. */
static enum redis_trouble ask_for_master(const struct redis_link *link, redisContext *context,
                                         redisReply **reply, struct fault *fault)
{
    const char *const question[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", link->url.master, NULL};
    enum redis_trouble trouble = ask(link, context, "the name of the master", reply, fault, question);
    if (trouble != REDIS_TROUBLE_noauth || link->url.password[0] == '\0')
        return trouble;
    trouble = authenticate(link, context, fault);
    return trouble != REDIS_WELL ? trouble
                                 : ask(link, context, "the name of the master", reply, fault, question);
}

static enum redis_trouble ask_sentinel(const struct redis_link *link, const struct redis_address *sentinel,
                                       struct redis_address *master, struct fault *fault)
{
    redisContext *context;
    redisReply *reply;
    double timeout_s =
        link->connect_timeout_s < sentinel_timeout_s ? link->connect_timeout_s : sentinel_timeout_s;
    enum redis_trouble trouble = dial(link, sentinel, timeout_s, &context, fault);
    if (trouble != REDIS_WELL)
        return trouble;
    redisSetTimeout(context, seconds(timeout_s));
    trouble = ask_for_master(link, context, &reply, fault);
    const char *host = trouble == REDIS_WELL ? redis_reply_text(redis_reply_at(reply, 0), NULL) : "";
    if (trouble == REDIS_WELL && (host[0] == '\0' || strlen(host) >= sizeof master->host)) {
        fault_set(fault, "the Sentinel at %s knows no master '%s'", link->shown, link->url.master);
        trouble = REDIS_TROUBLE_no_master;
    }
    if (trouble == REDIS_WELL) {
        strcpy(master->host, host);
        master->port = (int)redis_reply_number(redis_reply_at(reply, 1));
    }
    freeReplyObject(reply);
    redisFree(context);
    return trouble;
}

/* The Sentinels in turn, beginning with the one that answered last, until one's master is one. */
static enum redis_trouble open_by_sentinel(struct redis_link *link, struct fault *fault)
{
    const struct redis_url *url = &link->url;
    const char *scheme = url->tls ? "rediss://" : "redis://";
    enum redis_trouble worst = REDIS_TROUBLE_unreachable;
    struct fault unsaid;
    bool known = false; /* a Sentinel's master: what is wrong with it is more than an absent Sentinel */
    for (size_t i = 0; i < url->host_count; i++) {
        size_t at = (link->sentinel + i) % url->host_count;
        struct redis_address master;
        redis_url_show("", &url->host[at], link->shown, sizeof link->shown);
        enum redis_trouble trouble = ask_sentinel(link, &url->host[at], &master, known ? &unsaid : fault);
        if (trouble == REDIS_WELL) {
            redis_url_show(scheme, &master, link->shown, sizeof link->shown);
            trouble = open_first(link, &master, fault);
            known = true;
            worst = trouble;
        } else if (!known) {
            worst = trouble;
        }
        if (trouble == REDIS_WELL) {
            link->sentinel = at;
            return REDIS_WELL;
        }
    }
    memcpy(link->shown, url->shown, sizeof link->shown);
    return worst;
}

enum redis_trouble redis_link_open(struct redis_link *link, struct fault *fault)
{
    const struct redis_url *url = &link->url;
    redis_link_close(link);
    link->starved = false;
    if (url->master[0] != '\0')
        return open_by_sentinel(link, fault);
    enum redis_trouble trouble = open_first(link, url->host_count > 0 ? &url->host[0] : NULL, fault);
    struct fault unsaid;
    for (size_t i = 1; i < link->node_count && trouble == REDIS_TROUBLE_unreachable; i++) {
        struct redis_address other = link->node[i].address;
        if (open_first(link, &other, &unsaid) == REDIS_WELL)
            return REDIS_WELL;
    }
    return trouble;
}

/* ---- cluster ---- */

/* CRC-16 (XMODEM) of the key, or of what stands in its first braces: the cluster specification. */
static unsigned slot_of(const char *key)
{
    const char *open = strchr(key, '{'), *close = open != NULL ? strchr(open + 1, '}') : NULL;
    size_t length = strlen(key);
    if (close != NULL && close > open + 1) {
        key = open + 1;
        length = (size_t)(close - key);
    }
    unsigned crc = 0;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned)(unsigned char)key[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = ((crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021 : 0)) & 0xffff;
    }
    return crc % SLOTS;
}

static bool is_at(const struct node *node, const struct redis_address *address)
{
    return node->address.port == address->port && strcmp(node->address.host, address->host) == 0;
}

/* Remembers where a slot is. Without memory, or room for the node, it is asked for each time. */
static void learn(struct redis_link *link, unsigned slot, const struct redis_address *address)
{
    size_t node = 0;
    while (node < link->node_count && !is_at(&link->node[node], address))
        node++;
    if (node == NODES_MAX)
        return;
    if (link->node_of_slot == NULL)
        link->node_of_slot = calloc(SLOTS, sizeof *link->node_of_slot);
    if (link->node_of_slot == NULL)
        return;
    if (node == link->node_count)
        link->node[link->node_count++] = (struct node){.address = *address};
    link->node_of_slot[slot] = (uint16_t)node;
}

/* Reads "MOVED 3999 127.0.0.1:6381", or the same with ASK; without a host it is the one that says so. */
static bool is_redirection(const redisReply *reply, const struct node *from, struct redis_address *to,
                           bool *asking)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    *asking = strncmp(reply->str, "ASK ", 4) == 0;
    if (!*asking && strncmp(reply->str, "MOVED ", 6) != 0)
        return false;
    const char *host = strrchr(reply->str, ' ') + 1, *colon = strrchr(host, ':');
    size_t length = colon != NULL ? (size_t)(colon - host) : 0;
    if (colon == NULL || length >= sizeof to->host)
        return false;
    *to = from->address;
    if (length > 0 && strncmp(host, "?", length) != 0) {
        memcpy(to->host, host, length);
        to->host[length] = '\0';
    }
    to->port = atoi(colon + 1);
    return to->port > 0 && to->host[0] != '\0';
}

/* The same command again on a connection of its own, on which nothing waits for an answer. */
static redisReply *hop(struct redis_link *link, const struct redis_address *to, bool asking,
                       const struct pending *pending, enum redis_trouble *trouble, struct fault *fault)
{
    struct node *node = &link->hop;
    if (node->context != NULL && !is_at(node, to))
        node_close(node);
    node->address = *to;
    *trouble = node->context != NULL ? REDIS_WELL : connect_to(link, to, &node->context, fault);
    redisReply *asked = NULL;
    if (*trouble == REDIS_WELL && asking)
        *trouble = ASK(link, node->context, "ASKING", &asked, fault, "ASKING");
    freeReplyObject(asked);
    if (*trouble != REDIS_WELL)
        return NULL;
    redisAppendFormattedCommand(node->context, pending->command, pending->length);
    return read_reply(link, node->context, trouble, fault);
}

/* The answer to a command, wherever the cluster keeps its key. */
static redisReply *follow(struct redis_link *link, const struct pending *pending, redisReply *reply,
                          enum redis_trouble *trouble, struct fault *fault)
{
    const struct node *from = &link->node[pending->node];
    struct redis_address to;
    bool asking;
    for (int hops = 0; reply != NULL && is_redirection(reply, from, &to, &asking); hops++) {
        freeReplyObject(reply);
        reply = NULL;
        if (hops == HOPS_MAX) {
            fault_set(fault, "Redis at %s takes nothing at present: its nodes send from one to the other",
                      link->shown);
            *trouble = REDIS_TROUBLE_clusterdown;
            break;
        }
        if (!asking)
            learn(link, pending->slot, &to);
        reply = hop(link, &to, asking, pending, trouble, fault);
        from = &link->hop;
    }
    return reply;
}

/* ---- the pipeline ---- */

/* The node for a slot, connected; in doubt the first, which knows where it is. */
static size_t node_for(struct redis_link *link, unsigned slot)
{
    struct fault unsaid;
    size_t at = link->node_of_slot != NULL ? link->node_of_slot[slot] : 0;
    struct node *node = &link->node[at];
    if (node->context == NULL && connect_to(link, &node->address, &node->context, &unsaid) != REDIS_WELL)
        return 0;
    return at;
}

/* Room for one more behind those that wait; NULL: no memory. */
static struct pending *add_pending(struct redis_link *link)
{
    if (link->pending_count == link->pending_room) {
        size_t room = link->pending_room == 0 ? 64 : 2 * link->pending_room;
        struct pending *grown = calloc(room, sizeof *grown);
        if (grown == NULL)
            return NULL;
        for (size_t i = 0; i < link->pending_count; i++)
            grown[i] = link->pending[(link->pending_first + i) % link->pending_room];
        free(link->pending);
        link->pending = grown;
        link->pending_first = 0;
        link->pending_room = room;
    }
    return &link->pending[(link->pending_first + link->pending_count++) % link->pending_room];
}

void redis_link_send(struct redis_link *link, const char *key, size_t count, const char *const *arguments,
                     const size_t *lengths)
{
    struct pending *pending = add_pending(link);
    if (pending == NULL) {
        link->starved = true;
        redis_link_close(link); /* which the answer will say */
        return;
    }
    *pending = (struct pending){.slot = key != NULL ? slot_of(key) : 0};
    if (!redis_link_is_open(link))
        return;
    pending->node = key != NULL ? node_for(link, pending->slot) : 0;
    long long length =
        redisFormatCommandArgv(&pending->command, (int)count, (const char **)arguments, lengths);
    if (length < 0) {
        link->starved = true;
        pending->command = NULL;
        return;
    }
    pending->length = (size_t)length;
    redisAppendFormattedCommand(link->node[pending->node].context, pending->command, pending->length);
}

enum redis_trouble redis_link_answer(struct redis_link *link, const char *what, struct redisReply **reply,
                                     struct fault *fault)
{
    if (reply != NULL)
        *reply = NULL;
    if (link->pending_count == 0)
        return lost(link, link->node[0].context, false, fault);
    struct pending pending = link->pending[link->pending_first];
    link->pending_first = (link->pending_first + 1) % link->pending_room;
    link->pending_count--;
    redisContext *context = link->node[pending.node].context;
    if (pending.command == NULL || context == NULL)
        return lost(link, context, false, fault);
    enum redis_trouble trouble;
    redisReply *answer = read_reply(link, context, &trouble, fault);
    answer = follow(link, &pending, answer, &trouble, fault);
    redisFreeCommand(pending.command);
    if (answer != NULL)
        trouble = judge(link, what, answer, fault);
    if (reply != NULL && trouble == REDIS_WELL)
        *reply = answer;
    else
        freeReplyObject(answer);
    return trouble;
}

enum redis_trouble redis_link_ask(struct redis_link *link, const char *key, struct redisReply **reply,
                                  struct fault *fault, const char *const *arguments)
{
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    redis_link_send(link, key, count, arguments, NULL);
    return redis_link_answer(link, key != NULL ? key : arguments[0], reply, fault);
}

/* ---- replies ---- */

bool redis_reply_is_nil(const struct redisReply *reply)
{
    return reply == NULL || reply->type == REDIS_REPLY_NIL;
}

const char *redis_reply_text(const struct redisReply *reply, size_t *length)
{
    bool is = reply != NULL && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                                reply->type == REDIS_REPLY_ERROR);
    if (length != NULL)
        *length = is ? (size_t)reply->len : 0;
    return is ? reply->str : "";
}

long long redis_reply_number(const struct redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                               : atoll(redis_reply_text(reply, NULL));
}

size_t redis_reply_count(const struct redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const struct redisReply *redis_reply_at(const struct redisReply *reply, size_t at)
{
    return at < redis_reply_count(reply) ? reply->element[at] : NULL;
}

void redis_reply_free(struct redisReply *reply)
{
    if (reply != NULL)
        freeReplyObject(reply);
}
