/* SPDX-License-Identifier: BSD-3-Clause */
/* Redis: the stream, channel, state, bins and heartbeat, on a thread of its own that nobody waits for. The
 * only file that includes hiredis, 0.14 and 1.x alike. */
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "outbox.h"
#include "redis_url.h"
#include "sink.h"
#include "text.h"

enum {
    EVENTS_A_TIME = 64,
    BINS_A_TIME = 128,
    BINS_MAX = 8192,     /* that wait in memory */
    BINS_PER_EVENT = 10, /* the stream of bins is kept so many times longer than that of events */
    SAID_MAX = 8,        /* unlike troubles said before Redis is back */
    BACK_OFF_MS = 100,   /* the first; doubled each time */
    BACK_OFF_MAX_MS = 10000,
    BACK_OFF_CLOSING_MS = 300
};

/* Puts events into the stream and tells them on the channel, all at once or none, and those that it has put
 * in before not again: whatever became of the answer last time, they can be sent again. What was put in is
 * remembered for longer than it stays in the stream, and forgotten when somebody has deleted the stream. The
 * channel is a hint: an event that may not be told there is stored all the same, and the reason returned. */
static const char put_events[] =
    "local stream, seen, trouble = KEYS[1], KEYS[2], false\n"
    "if redis.call('EXISTS', stream) == 0 then redis.call('DEL', seen) end\n"
    "for i = 4, #ARGV, 5 do\n"
    "  if not redis.call('ZSCORE', seen, ARGV[i]) then\n"
    "    local at = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[i], 'action', ARGV[i "
    "+ 1],\n"
    "      'scope', ARGV[i + 2], 'severity', ARGV[i + 3], 'event', ARGV[i + 4])\n"
    "    redis.call('ZADD', seen, string.match(at, '^%d+'), ARGV[i])\n"
    "    local told = redis.pcall('PUBLISH', ARGV[3], ARGV[i + 4])\n"
    "    if type(told) == 'table' and told.err then trouble = told.err end\n"
    "  end\n"
    "end\n"
    "redis.call('ZREMRANGEBYRANK', seen, 0, -1 - ARGV[2])\n"
    "return trouble or 'OK'\n";

struct redis {
    const struct publish_options *options;
    struct redis_url url;
    struct outbox *outbox;
    char *events_key, *seen_key, *state_key, *bins_key, *heartbeat_key, *channel, *sensors_key;
    char maxlen[16], seen_max[16], bins_maxlen[24], heartbeat_ms[24];
    pthread_t thread;
    bool running;
    bool told_full; /* the publishing thread's */

    /* the thread's own */
    redisContext *link;
    int64_t until_ns, heartbeat_due_ns;
    unsigned back_off_ms, random;
    bool reached, troubled, state_cleared;
    struct fault said[SAID_MAX];
    size_t said_count;
};

/* What became of a command. */
enum answer {
    ANSWER_OK,
    ANSWER_LATER, /* the server cannot at present */
    ANSWER_NO,    /* the server will not: somebody has to do something about it */
    ANSWER_LOST   /* there is no answer and no connection */
};

/* Says each trouble once, until all is well again. */
static void complain(struct redis *redis, const struct fault *trouble, const char *way_out)
{
    outbox_failed(redis->outbox);
    for (size_t i = 0; i < redis->said_count; i++)
        if (strcmp(redis->said[i].text, trouble->text) == 0)
            return;
    if (redis->said_count == SAID_MAX)
        return;
    redis->said[redis->said_count++] = *trouble;
    publish_say("%s; events wait (%zu)%s", trouble->text, outbox_waiting(redis->outbox, NULL), way_out);
}

static const char *link_error(const redisContext *link)
{
    if (link == NULL)
        return "no memory";
    return strcmp(link->errstr, strerror(EAGAIN)) == 0 ? "no answer in time" : link->errstr;
}

/* The server's passing troubles. Older servers wrap the word into the script's own error, so it is looked for
 * anywhere. */
static bool is_passing(const char *error)
{
    static const char *const words[] = {
        "LOADING", "BUSY ", "TRYAGAIN", "CLUSTERDOWN",           "MASTERDOWN", "NOREPLICAS",
        "MISCONF", "OOM ",  "READONLY", "max number of clients", "UNKILLABLE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(error, words[i]) != NULL)
            return true;
    return false;
}

/* Judges the answer to `what` (NULL: lost), says what is wrong with it, and frees it. Where in the script it
 * went wrong is nothing to the reader, and would make the same trouble look like another. */
static enum answer judge(struct redis *redis, const char *what, redisReply *reply)
{
    struct fault trouble;
    enum answer answer = ANSWER_OK;
    if (reply == NULL) {
        fault_set(&trouble, "lost Redis at %s: %s", redis->url.shown, link_error(redis->link));
        complain(redis, &trouble, "");
        return ANSWER_LOST;
    }
    if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, " script: ") != NULL)
        *strstr(reply->str, " script: ") = '\0';
    if (reply->type == REDIS_REPLY_ERROR && is_passing(reply->str)) {
        fault_set(&trouble, "Redis at %s takes nothing at present: %s", redis->url.shown, reply->str);
        complain(redis, &trouble, "");
        answer = ANSWER_LATER;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        fault_set(&trouble, "Redis at %s refuses %s: %s", redis->url.shown, what, reply->str);
        complain(redis, &trouble, "; check --redis and the server");
        answer = ANSWER_NO;
    }
    freeReplyObject(reply);
    return answer;
}

/* A command with arguments that end in NULL, into the pipeline. */
static void append(struct redis *redis, const char *const *arguments)
{
    const char *copy[32];
    int count = 0;
    while (arguments[count] != NULL && count < 32) {
        copy[count] = arguments[count];
        count++;
    }
    redisAppendCommandArgv(redis->link, count, copy, NULL);
}

static redisReply *next_reply(struct redis *redis)
{
    void *reply = NULL;
    return redisGetReply(redis->link, &reply) == REDIS_OK ? reply : NULL;
}

#define ASK(redis, ...) (append(redis, (const char *const[]){__VA_ARGS__, NULL}), next_reply(redis))

static struct timeval seconds(double s)
{
    return (struct timeval){.tv_sec = (time_t)s, .tv_usec = (suseconds_t)((s - (double)(time_t)s) * 1e6)};
}

static void hang_up(struct redis *redis)
{
    if (redis->link != NULL)
        redisFree(redis->link);
    redis->link = NULL;
}

static bool greet_as(struct redis *redis)
{
    const struct redis_url *url = &redis->url;
    if (url->password[0] == '\0')
        return true;
    redisReply *reply = url->user[0] != '\0' ? ASK(redis, "AUTH", url->user, url->password)
                                             : ASK(redis, "AUTH", url->password);
    return judge(redis, "the password", reply) == ANSWER_OK;
}

/* A name for CLIENT LIST, in which there may be no blanks. That a server does not know or allow this is no
 * trouble. */
static bool greet_named(struct redis *redis)
{
    char name[128];
    snprintf(name, sizeof name, "lightsout-%s", redis->options->sensor);
    for (char *c = name; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            *c = '-';
    redisReply *reply = ASK(redis, "CLIENT", "SETNAME", name);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR && !is_passing(reply->str)) {
        freeReplyObject(reply);
        return true;
    }
    return judge(redis, "the connection", reply) == ANSWER_OK;
}

/* Everything that a new connection has to be told, each time. */
static bool greet(struct redis *redis)
{
    char db[16];
    snprintf(db, sizeof db, "%d", redis->url.db);
    if (!greet_as(redis) || !greet_named(redis))
        return false;
    if (redis->url.db != 0 && judge(redis, "the database", ASK(redis, "SELECT", db)) != ANSWER_OK)
        return false;
    enum answer known =
        judge(redis, redis->sensors_key, ASK(redis, "SADD", redis->sensors_key, redis->options->sensor));
    return known == ANSWER_OK || known == ANSWER_NO;
}

/* Never redisReconnect: it forgets timeouts in some versions, and user and database in all. */
static bool reach(struct redis *redis)
{
    const struct redis_url *url = &redis->url;
    struct timeval connect = seconds(redis->options->redis.connect_timeout_s);
    redis->link = url->host[0] != '\0' ? redisConnectWithTimeout(url->host, url->port, connect)
                                       : redisConnectUnixWithTimeout(url->path, connect);
    if (redis->link == NULL || redis->link->err != 0) {
        struct fault trouble;
        fault_set(&trouble, "cannot reach Redis at %s: %s", url->shown, link_error(redis->link));
        complain(redis, &trouble, "; check --redis");
        hang_up(redis);
        return false;
    }
    fcntl(redis->link->fd, F_SETFD, FD_CLOEXEC);
    if (url->host[0] != '\0')
        redisEnableKeepAlive(redis->link);
    redisSetTimeout(redis->link, seconds(redis->options->redis.command_timeout_s));
    redis->heartbeat_due_ns = outbox_now();
    /* The server may have come back with less than it had. */
    outbox_states_again(redis->outbox);
    if (greet(redis))
        return true;
    hang_up(redis);
    return false;
}

/* One call of the script with the oldest events. It puts in all or none, so that their order is kept. */
static redisReply *put(struct redis *redis, const struct outbox_event **events, size_t count)
{
    const char *arguments[8 + 5 * EVENTS_A_TIME];
    char severity[EVENTS_A_TIME][16];
    int n = 0;
    arguments[n++] = "EVAL";
    arguments[n++] = put_events;
    arguments[n++] = "2";
    arguments[n++] = redis->events_key;
    arguments[n++] = redis->seen_key;
    arguments[n++] = redis->maxlen;
    arguments[n++] = redis->seen_max;
    arguments[n++] = redis->channel;
    for (size_t i = 0; i < count; i++) {
        snprintf(severity[i], sizeof severity[i], "%d", events[i]->severity);
        arguments[n++] = events[i]->id;
        arguments[n++] = events[i]->action;
        arguments[n++] = events[i]->scope;
        arguments[n++] = severity[i];
        arguments[n++] = events[i]->json;
    }
    redisAppendCommandArgv(redis->link, n, arguments, NULL);
    return next_reply(redis);
}

static bool send_events(struct redis *redis)
{
    const struct outbox_event *events[EVENTS_A_TIME];
    size_t count;
    while ((count = outbox_events(redis->outbox, events, EVENTS_A_TIME)) > 0) {
        redisReply *reply = put(redis, events, count);
        if (reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "OK") != 0) {
            struct fault trouble;
            fault_set(&trouble, "Redis at %s stores events but does not tell them on the channel: %s",
                      redis->url.shown, reply->str);
            complain(redis, &trouble, "");
        }
        if (judge(redis, redis->events_key, reply) != ANSWER_OK)
            return false;
        outbox_events_sent(redis->outbox, count);
    }
    return true;
}

/* One pipeline of bins. Bins that the server will not have are given up, so that they never stand before
 * events. Returns how many there were, or -1 when the connection is to be given up. */
static int send_bins(struct redis *redis)
{
    struct outbox_bin bins[BINS_A_TIME];
    size_t count = outbox_bins(redis->outbox, bins, BINS_A_TIME), done = 0;
    for (size_t i = 0; i < count; i++) {
        char json[BIN_JSON_MAX], time[TEXT_TIME_MAX];
        const struct scope *scope = &bins[i].scope;
        struct text text = text_in(json, sizeof json);
        bin_text_json(&bins[i].bin, scope, &text);
        text_time_s(bins[i].bin.start_ns, time);
        append(redis, (const char *const[]){"XADD", redis->bins_key, "MAXLEN", "~", redis->bins_maxlen, "*",
                                            "time", time, "scope", scope->text, "bin", json, NULL});
    }
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        enum answer answer = judge(redis, redis->bins_key, next_reply(redis));
        if (answer == ANSWER_LOST)
            return -1;
        whole = whole && answer != ANSWER_LATER;
        done += whole;
    }
    outbox_bins_sent(redis->outbox, done);
    return whole ? (int)count : -1;
}

/* What is in the hash from an earlier run, or from before a reload, may speak of scopes that are no more. */
static bool send_states(struct redis *redis)
{
    char json[BIN_JSON_MAX], name[SCOPE_TEXT_MAX];
    uint32_t next = 0;
    size_t count = 0;
    if (outbox_renewed(redis->outbox))
        redis->state_cleared = false;
    while (outbox_state(redis->outbox, &next, name, json)) {
        if (count == 0 && !redis->state_cleared) {
            append(redis, (const char *const[]){"DEL", redis->state_key, NULL});
            count++;
        }
        append(redis, (const char *const[]){"HSET", redis->state_key, name, json, NULL});
        count++;
    }
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        enum answer answer = judge(redis, redis->state_key, next_reply(redis));
        if (answer == ANSWER_LOST)
            return false;
        whole = whole && answer != ANSWER_LATER;
    }
    redis->state_cleared = redis->state_cleared || (whole && count > 0);
    return whole;
}

static bool send_heartbeat(struct redis *redis)
{
    int64_t now_ns = outbox_now(), data_time_ns = outbox_data_time(redis->outbox);
    char json[256], time[TEXT_TIME_MAX];
    if (now_ns < redis->heartbeat_due_ns)
        return true;
    struct text text = text_in(json, sizeof json);
    text_format(&text, "{\"schema\":1,\"version\":\"%s\",\"mode\":\"%s\"", LIGHTSOUT_VERSION,
                redis->options->replay ? "replay" : "live");
    if (data_time_ns != TIME_NONE) {
        text_time(data_time_ns, time);
        text_format(&text, ",\"data_time\":\"%s\"", time);
    }
    text_put(&text, "}");
    redis->heartbeat_due_ns = now_ns + (int64_t)(redis->options->redis.heartbeat_s * (double)NS_PER_S);
    enum answer answer = judge(redis, redis->heartbeat_key,
                               ASK(redis, "SET", redis->heartbeat_key, json, "PX", redis->heartbeat_ms));
    return answer == ANSWER_OK || answer == ANSWER_NO;
}

/* Everything that waits, events before anything else. False: the connection is to be given up. */
static bool talk(struct redis *redis)
{
    int bins;
    do {
        if (!send_events(redis) || !send_heartbeat(redis))
            return false;
        if (!send_states(redis)) {
            outbox_states_again(redis->outbox);
            return false;
        }
        bins = send_bins(redis);
    } while (bins > 0);
    return bins == 0;
}

static void back_off(struct redis *redis)
{
    unsigned most = outbox_closing(redis->outbox) ? BACK_OFF_CLOSING_MS : BACK_OFF_MAX_MS;
    unsigned ms = redis->back_off_ms == 0 ? BACK_OFF_MS : 2 * redis->back_off_ms;
    redis->back_off_ms = ms > most ? most : ms;
    /* A quarter more or less, so that many sensors do not come back at once. */
    int64_t spread_ms = (int64_t)redis->back_off_ms / 2 + 1;
    int64_t wait_ms = (int64_t)redis->back_off_ms - spread_ms / 2 + rand_r(&redis->random) % spread_ms;
    redis->until_ns = outbox_now() + wait_ms * NS_PER_MS;
    redis->troubled = true;
    outbox_set_away(redis->outbox, true);
}

static void settle(struct redis *redis)
{
    if (redis->troubled) {
        publish_say("Redis at %s is back", redis->url.shown);
        redis->said_count = 0;
    }
    redis->reached = true;
    redis->troubled = false;
    redis->back_off_ms = 0;
    redis->until_ns = redis->heartbeat_due_ns;
    outbox_set_away(redis->outbox, false);
}

static void *redis_thread(void *context)
{
    struct redis *redis = context;
    while (outbox_wait(redis->outbox, redis->until_ns, redis->link != NULL)) {
        bool well = (redis->link != NULL || reach(redis)) && talk(redis);
        if (well) {
            settle(redis);
        } else {
            hang_up(redis);
            back_off(redis);
        }
    }
    if (redis->link != NULL) {
        /* Gone at once, rather than when it expires: this end was meant. */
        redisReply *reply = ASK(redis, "DEL", redis->heartbeat_key);
        if (reply != NULL)
            freeReplyObject(reply);
    }
    hang_up(redis);
    return NULL;
}

/* The sink */

static bool redis_wanted(const struct publish_options *options)
{
    return options->redis.url != NULL;
}

static void redis_close(void *state)
{
    struct redis *redis = state;
    if (redis->running) {
        outbox_close(redis->outbox, true);
        pthread_join(redis->thread, NULL);
    }
    outbox_free(redis->outbox);
    char *keys[] = {redis->events_key,    redis->seen_key, redis->state_key,  redis->bins_key,
                    redis->heartbeat_key, redis->channel,  redis->sensors_key};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        free(keys[i]);
    explicit_bzero(&redis->url, sizeof redis->url);
    free(redis);
}

/* User and password of the options take the place of the URL's. */
static int find_redis(struct redis *redis, struct fault *fault)
{
    const struct publish_options *options = redis->options;
    struct redis_url *url = &redis->url;
    if (redis_url_parse(options->redis.url, url, fault) != 0)
        return -1;
    const char *user = options->redis.user, *password = options->redis.password;
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
    return 0;
}

/* Writes a name into new memory. False: there is none. */
__attribute__((format(printf, 2, 3))) static bool make_name(char **name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(name, format, arguments) < 0)
        *name = NULL;
    va_end(arguments);
    return *name != NULL;
}

/* The braces keep a sensor's keys in one slot of a cluster. */
static bool make_names(struct redis *redis)
{
    const char *prefix = redis->options->redis.prefix, *sensor = redis->options->sensor;
    unsigned long long maxlen = redis->options->redis.maxlen > 0 ? redis->options->redis.maxlen : 1;
    snprintf(redis->maxlen, sizeof redis->maxlen, "%llu", maxlen);
    /* A stream trimmed about its length keeps up to a node (100 entries) more. */
    snprintf(redis->seen_max, sizeof redis->seen_max, "%llu", 2 * maxlen + 1000);
    snprintf(redis->bins_maxlen, sizeof redis->bins_maxlen, "%llu", BINS_PER_EVENT * maxlen);
    snprintf(redis->heartbeat_ms, sizeof redis->heartbeat_ms, "%lld",
             (long long)(3000 * redis->options->redis.heartbeat_s));
    return make_name(&redis->events_key, "%s{%s}:events", prefix, sensor) &&
           make_name(&redis->seen_key, "%s{%s}:seen", prefix, sensor) &&
           make_name(&redis->state_key, "%s{%s}:state", prefix, sensor) &&
           make_name(&redis->bins_key, "%s{%s}:bins", prefix, sensor) &&
           make_name(&redis->heartbeat_key, "%s{%s}:heartbeat", prefix, sensor) &&
           make_name(&redis->channel, "%sevents", prefix) &&
           make_name(&redis->sensors_key, "%ssensors", prefix);
}

static void *redis_open(const struct publish_options *options, const struct scope_list *scopes,
                        struct fault *fault)
{
    struct redis *redis = calloc(1, sizeof *redis);
    if (redis == NULL) {
        fault_set(fault, "no memory for Redis");
        return NULL;
    }
    redis->options = options;
    redis->until_ns = outbox_now();
    redis->random = (unsigned)redis->until_ns ^ (unsigned)getpid();
    const struct outbox_options outbox = {
        .sensor = options->sensor,
        .events_max = options->redis.queue > 0 ? options->redis.queue : 1,
        .bins_max = BINS_MAX,
        .patient = options->replay,
        .drain_s = options->redis.drain_s,
    };
    if (find_redis(redis, fault) != 0) {
        redis_close(redis);
        return NULL;
    }
    redis->outbox = outbox_new(&outbox, scopes);
    redis->running = redis->outbox != NULL && make_names(redis) &&
                     pthread_create(&redis->thread, NULL, redis_thread, redis) == 0;
    if (!redis->running) {
        fault_set(fault, "no memory for Redis");
        redis_close(redis);
        return NULL;
    }
    return redis;
}

static int redis_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    struct redis *redis = state;
    return outbox_scopes(redis->outbox, scopes) ? 0
                                                : fault_set(fault, "no memory for %u scopes", scopes->count);
}

/* What is given up is said when it begins, and how much it was at the end. */
static int redis_event(void *state, const struct event *event, struct fault *fault)
{
    (void)fault;
    struct redis *redis = state;
    if (!outbox_put_event(redis->outbox, event) && !redis->told_full) {
        publish_say("the memory for events that wait for Redis at %s is full (%u): further ones are given up",
                    redis->url.shown, redis->options->redis.queue);
        redis->told_full = true;
    }
    return 0;
}

/* That bins find no room while Redis is away is counted, and no failure: they are the first to go. */
static int redis_bin(void *state, const struct bin *bin, struct fault *fault)
{
    (void)fault;
    outbox_put_bin(((struct redis *)state)->outbox, bin);
    return 0;
}

static void redis_count(void *state, struct health *sum)
{
    outbox_count(((struct redis *)state)->outbox, sum);
}

static void redis_level(void *state, struct levels *levels)
{
    struct outbox *outbox = ((struct redis *)state)->outbox;
    levels->redis = true;
    levels->redis_up = outbox_up(outbox);
    levels->redis_events = outbox_waiting(outbox, &levels->redis_bins);
}

static int redis_finish(void *state, struct fault *fault)
{
    struct redis *redis = state;
    outbox_close(redis->outbox, false);
    pthread_join(redis->thread, NULL);
    redis->running = false;
    struct health health = {0};
    outbox_count(redis->outbox, &health);
    size_t bins, events = outbox_waiting(redis->outbox, &bins) + (size_t)health.redis_dropped;
    if (events > 0)
        return fault_set(fault, "%zu event%s not delivered to Redis at %s", events,
                         events == 1 ? " was" : "s were", redis->url.shown);
    if (bins > 0)
        return fault_set(fault, "%zu bin%s not delivered to Redis at %s", bins, bins == 1 ? " was" : "s were",
                         redis->url.shown);
    if (redis->troubled && !redis->reached)
        return fault_set(fault, "Redis at %s was never reached; check --redis", redis->url.shown);
    return 0;
}

const struct sink sink_redis = {
    .name = "redis",
    .wanted = redis_wanted,
    .open = redis_open,
    .scopes = redis_scopes,
    .event = redis_event,
    .bin = redis_bin,
    .count = redis_count,
    .level = redis_level,
    .finish = redis_finish,
    .close = redis_close,
};
