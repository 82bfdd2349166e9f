/* SPDX-License-Identifier: BSD-3-Clause */
/* Redis: the stream, channel, state, bins and heartbeat, on a thread of its own that nobody waits for. */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "outbox.h"
#include "redis_link.h"
#include "sink.h"
#include "text.h"

enum {
    EVENTS_A_TIME = 64,
    BINS_A_TIME = 128,
    BINS_MAX = 8192,     /* that wait in memory */
    BINS_PER_EVENT = 10, /* the stream of bins is kept so many times longer than that of events */
    SAID_MAX = 8,        /* unlike troubles said before Redis is back */
    BACK_OFF_MS = 100,   /* the first; doubled each time */
    BACK_OFF_MAX_MS = 5000,
    BACK_OFF_CLOSING_MS = 300
};

/* Puts one event into the stream, unless it is there: whatever became of the answer last time, it can be sent
 * again. Arguments: the stream's length; the event that should be the last one there; whether this one must
 * not come without it; the event. Answers where it was put ("+ID"), where it stands among the last ones
 * ("=ID"), or "" if it is among those seen before. An event behind one that was not taken is not taken
 * either, so that many can be on their way and stay in order.
 *
 * The script writes one thing only. Of one that writes several, a server that dies leaves a part in its
 * append-only file, and having started twice obeys that part too: Redis and Valkey truncate the file within
 * the transaction instead of before it (valkey pull request 4342). */
static const char put_event[] =
    "local stream, seen, before, id, scan = KEYS[1], KEYS[2], ARGV[2], ARGV[4], nil\n"
    "local function find(wanted)\n"
    "  scan = scan or redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 200)\n"
    "  for _, entry in ipairs(scan) do\n"
    "    if entry[2][2] == wanted then return entry[1] end\n"
    "  end\n"
    "end\n"
    "local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]\n"
    "if last and redis.call('ZSCORE', seen, id) then return '' end\n"
    "if last and last[2][2] ~= before then\n"
    "  local at = find(id)\n"
    "  if at then return '=' .. at end\n"
    "  if ARGV[3] == '1' and not redis.call('ZSCORE', seen, before) and not find(before) then\n"
    "    return redis.error_reply('TRYAGAIN the event before this one was not taken')\n"
    "  end\n"
    "end\n"
    "return '+' .. redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], '*', 'id', id, 'action', ARGV[5],\n"
    "  'scope', ARGV[6], 'severity', ARGV[7], 'event', ARGV[8])\n";

/* What is sent. */
enum part {
    PART_ROUND, /* all of it */
    PART_EVENTS,
    PART_LIST,
    PART_LIST_LENGTH,
    PART_CHANNEL,
    PART_REPLICAS,
    PART_STATE,
    PART_BINS,
    PART_HEARTBEAT,
    PART_SENSORS
};

struct redis {
    const struct publish_options *options;
    struct outbox *outbox;
    char *events_key, *seen_key, *list_key, *state_key, *bins_key, *heartbeat_key, *channel, *sensors_key;
    char maxlen[16], seen_last[24], list_first[24], bins_maxlen[24], heartbeat_ms[24];
    char shown[512]; /* where it is, as it was asked for */
    _Atomic uint64_t errors[REDIS_TROUBLE__COUNT];
    _Atomic unsigned troubles; /* a bit for each under way */
    pthread_t thread;
    bool running;

    /* the thread's own */
    struct redis_link *link;
    int64_t until_ns, heartbeat_due_ns;
    unsigned back_off_ms, random;
    long long length;           /* of the stream when we looked last */
    char last_id[EVENT_ID_MAX]; /* of the event delivered last */
    size_t tried;  /* of the oldest events, so many may have been put in and were not told on the channel */
    size_t unsure; /* of the oldest events, so many may be in the stream and not on the list */
    size_t listed; /* of the oldest events, so many are on the list */
    bool reached, troubled, state_cleared, list_full;
    struct said {
        enum part part;
        enum redis_trouble trouble;
        struct fault why;
    } said[SAID_MAX];
    size_t said_count;
};

/* What went wrong with a part of what is sent, said once until that part is well again. A round is the
 * connection and all that makes it be given up. */
static void complain(struct redis *redis, enum part part, enum redis_trouble trouble, const struct fault *why)
{
    atomic_fetch_add(&redis->errors[trouble], 1);
    bool apart = redis_class_of(trouble) == REDIS_REFUSED; /* not every NOPERM is the same */
    for (size_t i = 0; i < redis->said_count; i++)
        if (redis->said[i].part == part && redis->said[i].trouble == trouble &&
            (!apart || strcmp(redis->said[i].why.text, why->text) == 0))
            return;
    if (redis->said_count == SAID_MAX)
        return;
    redis->said[redis->said_count++] = (struct said){part, trouble, *why};
    redis->troubles |= 1u << trouble;
    char waiting[64] = "";
    if (part == PART_ROUND)
        snprintf(waiting, sizeof waiting, "; events wait (%zu)", outbox_waiting(redis->outbox, NULL));
    publish_warn("%s%s%s", why->text, waiting,
                 trouble == REDIS_TROUBLE_unreachable ? "; check --redis"
                 : apart                              ? "; check --redis and the server"
                                                      : "");
}

/* The end of what was said of a part. True: there was something. */
static bool settle_part(struct redis *redis, enum part part)
{
    size_t kept = 0, before = redis->said_count;
    unsigned troubles = 0;
    for (size_t i = 0; i < before; i++)
        if (redis->said[i].part != part) {
            troubles |= 1u << redis->said[i].trouble;
            redis->said[kept++] = redis->said[i];
        }
    redis->said_count = kept;
    redis->troubles = troubles;
    return kept < before;
}

static const char *name_of(const struct redis *redis, enum part part)
{
    const char *const names[] = {
        [PART_EVENTS] = redis->events_key,
        [PART_LIST] = redis->list_key,
        [PART_LIST_LENGTH] = redis->list_key,
        [PART_CHANNEL] = redis->channel,
        [PART_REPLICAS] = "WAIT",
        [PART_STATE] = redis->state_key,
        [PART_BINS] = redis->bins_key,
        [PART_HEARTBEAT] = redis->heartbeat_key,
        [PART_SENSORS] = redis->sensors_key,
    };
    return names[part];
}

/* The answer to what was sent of a part: what is wrong with it is said, and so is its end. A part that is
 * refused is no reason to give the others up, unless it is the events, in the stream or on the list, for
 * which all is there, or the connection has lost its user. */
static enum redis_class judge(struct redis *redis, enum part part, struct redisReply **reply)
{
    struct fault why;
    enum redis_trouble trouble = redis_link_answer(redis->link, name_of(redis, part), reply, &why);
    enum redis_class class = trouble == REDIS_TROUBLE_noauth ? REDIS_LATER : redis_class_of(trouble);
    bool events = part == PART_EVENTS || part == PART_LIST;
    if (class == REDIS_TAKEN && !events && settle_part(redis, part))
        publish_say("Redis at %s takes %s again", redis_link_shown(redis->link), name_of(redis, part));
    if (class != REDIS_TAKEN)
        complain(redis, class == REDIS_REFUSED && !events ? part : PART_ROUND, trouble, &why);
    return class;
}

static bool is_over(enum redis_class class)
{
    return class == REDIS_LATER || class == REDIS_LOST;
}

#define SEND(redis, key, ...)                                                                                \
    redis_link_send((redis)->link, (key), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), \
                    (const char *const[]){__VA_ARGS__}, NULL)

/* Notes the latest events of the stream as seen: whoever was killed before they were noted, and has lost them
 * from the spool too, decides them again, and by then they may stand far back. */
static bool note_latest(struct redis *redis)
{
    struct redisReply *latest;
    const char *arguments[2 + 2 * EVENTS_A_TIME] = {"ZADD", redis->seen_key};
    char count[8], milliseconds[EVENTS_A_TIME][24];
    size_t noted = 0;
    snprintf(count, sizeof count, "%d", EVENTS_A_TIME);
    SEND(redis, redis->events_key, "XREVRANGE", redis->events_key, "+", "-", "COUNT", count);
    if (judge(redis, PART_EVENTS, &latest) != REDIS_TAKEN)
        return false;
    for (size_t i = 0; i < redis_reply_count(latest) && i < EVENTS_A_TIME; i++) {
        const struct redisReply *entry = redis_reply_at(latest, i);
        const char *at = redis_reply_text(redis_reply_at(entry, 0), NULL);
        const char *id = redis_reply_text(redis_reply_at(redis_reply_at(entry, 1), 1), NULL);
        snprintf(milliseconds[noted], sizeof milliseconds[0], "%.*s", (int)strcspn(at, "-"), at);
        arguments[2 + 2 * noted] = milliseconds[noted];
        arguments[3 + 2 * noted++] = id;
    }
    if (noted > 0)
        redis_link_send(redis->link, redis->seen_key, 2 + 2 * noted, arguments, NULL);
    else /* somebody deleted it: an exercise may be played again */
        SEND(redis, redis->seen_key, "DEL", redis->seen_key);
    redis_reply_free(latest);
    return !is_over(judge(redis, PART_EVENTS, NULL));
}

static bool reach(struct redis *redis)
{
    struct fault why;
    enum redis_trouble trouble = redis_link_open(redis->link, &why);
    if (trouble != REDIS_WELL) {
        complain(redis, PART_ROUND, trouble, &why);
        return false;
    }
    redis->heartbeat_due_ns = outbox_now();
    /* The server may have come back with less than it had. */
    outbox_states_again(redis->outbox);
    SEND(redis, redis->sensors_key, "SADD", redis->sensors_key, redis->options->sensor);
    return !is_over(judge(redis, PART_SENSORS, NULL)) && note_latest(redis);
}

/* What became of events that were put: where they stand, for `seen`; which are to be told on the channel, and
 * which to be put on the list. */
struct put {
    size_t noted, told, to_list;
    char milliseconds[EVENTS_A_TIME][24];
    const char *ids[EVENTS_A_TIME], *texts[EVENTS_A_TIME], *list[EVENTS_A_TIME];
};

/* Sends the oldest events and takes the answers. Those that an earlier attempt may have put in, and did not
 * tell, are told as well. */
static bool put(struct redis *redis, const struct outbox_event **events, size_t count, struct put *put)
{
    const char *before = redis->last_id;
    size_t tried = redis->tried, unsure = redis->unsure;
    char severity[16];
    redis->tried = count;
    if (redis->unsure < count)
        redis->unsure = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(severity, sizeof severity, "%d", events[i]->severity);
        SEND(redis, redis->events_key, "EVAL", put_event, "2", redis->events_key, redis->seen_key,
             redis->maxlen, before, i > 0 ? "1" : "0", events[i]->id, events[i]->action, events[i]->scope,
             severity, events[i]->json);
        before = events[i]->id;
    }
    for (size_t i = 0; i < count; i++) {
        struct redisReply *reply;
        if (judge(redis, PART_EVENTS, &reply) != REDIS_TAKEN)
            return false;
        const char *at = redis_reply_text(reply, NULL);
        if (at[0] != '\0') {
            snprintf(put->milliseconds[put->noted], sizeof put->milliseconds[0], "%.*s",
                     (int)strcspn(at + 1, "-"), at + 1);
            put->ids[put->noted++] = events[i]->id;
        }
        if (at[0] == '+' || i < tried)
            put->texts[put->told++] = events[i]->json;
        if ((at[0] == '+' || i < unsure) && i >= redis->listed)
            put->list[put->to_list++] = events[i]->json;
        redis_reply_free(reply);
    }
    return true;
}

/* For who cannot read streams. One command puts all of them on the list, so that a part of them never is, and
 * no event counts as delivered before it is there; but one that was put there while the answer was lost is
 * put there again. A list that nobody empties loses its oldest entries, which is said once. */
static bool put_on_list(struct redis *redis, const struct put *put, size_t count)
{
    const char *arguments[2 + EVENTS_A_TIME] = {"RPUSH", redis->list_key};
    struct redisReply *reply;
    if (!redis->options->redis.list || put->to_list == 0)
        return true;
    memcpy(arguments + 2, put->list, put->to_list * sizeof *put->list);
    redis_link_send(redis->link, redis->list_key, 2 + put->to_list, arguments, NULL);
    SEND(redis, redis->list_key, "LTRIM", redis->list_key, redis->list_first, "-1");
    if (judge(redis, PART_LIST, &reply) != REDIS_TAKEN)
        return false;
    redis->listed = count;
    bool full = redis_reply_number(reply) > redis->options->redis.maxlen;
    redis_reply_free(reply);
    if (full && !redis->list_full)
        publish_say("nobody reads %s at %s: its oldest entries make room for new ones", redis->list_key,
                    redis_link_shown(redis->link));
    redis->list_full = full;
    return !is_over(judge(redis, PART_LIST_LENGTH, NULL));
}

/* What was put in is remembered for longer than it stays in the stream, and told on the channel, which is a
 * hint: an event that may not be told there is stored all the same. */
static bool note(struct redis *redis, const struct put *put)
{
    const char *arguments[2 + 2 * EVENTS_A_TIME] = {"ZADD", redis->seen_key};
    for (size_t i = 0; i < put->noted; i++) {
        arguments[2 + 2 * i] = put->milliseconds[i];
        arguments[3 + 2 * i] = put->ids[i];
    }
    if (put->noted > 0) {
        redis_link_send(redis->link, redis->seen_key, 2 + 2 * put->noted, arguments, NULL);
        SEND(redis, redis->seen_key, "ZREMRANGEBYRANK", redis->seen_key, "0", redis->seen_last);
    }
    for (size_t i = 0; i < put->told; i++)
        SEND(redis, redis->events_key, "PUBLISH", redis->channel, put->texts[i]);
    redis->tried = 0;
    bool taken = true;
    for (size_t i = 0; i < (put->noted > 0 ? 2 : 0); i++)
        taken = taken && judge(redis, PART_EVENTS, NULL) == REDIS_TAKEN;
    for (size_t i = 0; i < put->told && taken; i++)
        taken = !is_over(judge(redis, PART_CHANNEL, NULL));
    return taken;
}

/* Asks how long the stream is. It gets shorter only when we add to it and it is full (`added`: we just have),
 * or when somebody else takes entries out, which is said once: it may be meant. Who may not ask does without.
 * False: the connection is to be given up. */
static bool check_length(struct redis *redis, bool added)
{
    struct redisReply *reply;
    struct fault why;
    enum redis_trouble trouble =
        REDIS_LINK_ASK(redis->link, redis->events_key, &reply, &why, "XLEN", redis->events_key);
    if (is_over(redis_class_of(trouble)))
        complain(redis, PART_ROUND, trouble, &why);
    if (trouble != REDIS_WELL)
        return !is_over(redis_class_of(trouble));
    long long length = redis_reply_number(reply);
    redis_reply_free(reply);
    if (length < redis->length && (!added || length < redis->options->redis.maxlen)) {
        if (redis->errors[REDIS_TROUBLE_trimmed]++ == 0)
            publish_warn("%lld entries of %s at %s are gone: somebody else trims or deletes it",
                         redis->length - length, redis->events_key, redis_link_shown(redis->link));
    }
    redis->length = length;
    return true;
}

/* What only the master has is lost when another takes its place: where Sentinels may do that, an event counts
 * as delivered when a replica has it too. One that gets no word from any may itself have been replaced, which
 * the Sentinels know. */
static bool wait_replica(struct redis *redis)
{
    struct redisReply *reply;
    struct fault why;
    char ms[16];
    if (redis_link_replicas(redis->link) == 0)
        return true;
    snprintf(ms, sizeof ms, "%.0f", 500 * redis->options->redis.command_timeout_s);
    SEND(redis, redis->events_key, "WAIT", "1", ms);
    enum redis_class class = judge(redis, PART_REPLICAS, &reply);
    if (class != REDIS_TAKEN)
        return class == REDIS_REFUSED;
    bool has = redis_reply_number(reply) > 0;
    redis_reply_free(reply);
    if (has)
        return true;
    fault_set(&why, "Redis at %s takes nothing at present: no replica confirms it",
              redis_link_shown(redis->link));
    complain(redis, PART_ROUND, REDIS_TROUBLE_noreplicas, &why);
    return false;
}

static bool send_events(struct redis *redis)
{
    const struct outbox_event *events[EVENTS_A_TIME];
    size_t count;
    while ((count = outbox_events(redis->outbox, events, EVENTS_A_TIME)) > 0) {
        struct put done = {0};
        if (!put(redis, events, count, &done) || !put_on_list(redis, &done, count) || !note(redis, &done) ||
            !wait_replica(redis))
            return false;
        snprintf(redis->last_id, sizeof redis->last_id, "%s", events[count - 1]->id);
        outbox_events_sent(redis->outbox, count);
        redis->unsure -= count;
        redis->listed = 0;
        if (!check_length(redis, true))
            return false;
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
        SEND(redis, redis->bins_key, "XADD", redis->bins_key, "MAXLEN", "~", redis->bins_maxlen, "*", "time",
             time, "scope", scope->text, "bin", json);
    }
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        enum redis_class class = judge(redis, PART_BINS, NULL);
        if (class == REDIS_LOST)
            return -1;
        whole = whole && class != REDIS_LATER;
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
            SEND(redis, redis->state_key, "DEL", redis->state_key);
            count++;
        }
        SEND(redis, redis->state_key, "HSET", redis->state_key, name, json);
        count++;
    }
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        enum redis_class class = judge(redis, PART_STATE, NULL);
        if (class == REDIS_LOST)
            return false;
        whole = whole && class != REDIS_LATER;
    }
    redis->state_cleared = redis->state_cleared || (whole && count > 0);
    return whole;
}

/* What became of the events so far. */
static void put_delivery(struct redis *redis, struct text *text)
{
    struct health health = {0};
    outbox_count(redis->outbox, &health);
    text_format(text, ",\"delivery\":{\"waiting\":%zu,\"sent\":%llu,\"dropped\":%llu,\"errors\":{",
                outbox_waiting(redis->outbox, NULL), (unsigned long long)health.redis_sent,
                (unsigned long long)health.redis_dropped);
    const char *between = "";
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        if (redis->errors[i] > 0) {
            text_format(text, "%s\"%s\":%llu", between, redis_trouble_name((enum redis_trouble)i),
                        (unsigned long long)redis->errors[i]);
            between = ",";
        }
    text_put(text, "}}");
}

static bool send_heartbeat(struct redis *redis)
{
    int64_t now_ns = outbox_now(), data_time_ns = outbox_data_time(redis->outbox);
    char json[2048], time[TEXT_TIME_MAX];
    if (now_ns < redis->heartbeat_due_ns)
        return true;
    struct text text = text_in(json, sizeof json);
    text_format(&text, "{\"schema\":1,\"version\":\"%s\",\"mode\":\"%s\"", LIGHTSOUT_VERSION,
                redis->options->replay ? "replay" : "live");
    if (data_time_ns != TIME_NONE) {
        text_time(data_time_ns, time);
        text_format(&text, ",\"data_time\":\"%s\"", time);
    }
    put_delivery(redis, &text);
    text_put(&text, "}");
    redis->heartbeat_due_ns = now_ns + (int64_t)(redis->options->redis.heartbeat_s * (double)NS_PER_S);
    SEND(redis, redis->heartbeat_key, "SET", redis->heartbeat_key, json, "PX", redis->heartbeat_ms);
    return !is_over(judge(redis, PART_HEARTBEAT, NULL)) && check_length(redis, false);
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
    if (redis->troubled)
        publish_say("Redis at %s is back", redis_link_shown(redis->link));
    settle_part(redis, PART_ROUND);
    redis->reached = true;
    redis->troubled = false;
    redis->back_off_ms = 0;
    redis->until_ns = redis->heartbeat_due_ns;
    outbox_set_away(redis->outbox, false);
}

static void *redis_thread(void *context)
{
    struct redis *redis = context;
    struct fault unsaid;
    while (outbox_wait(redis->outbox, redis->until_ns, redis_link_is_open(redis->link))) {
        bool well = (redis_link_is_open(redis->link) || reach(redis)) && talk(redis);
        if (well) {
            settle(redis);
        } else {
            redis_link_close(redis->link);
            back_off(redis);
        }
    }
    /* Gone at once, rather than when it expires: this end was meant. */
    if (redis_link_is_open(redis->link))
        REDIS_LINK_ASK(redis->link, redis->heartbeat_key, NULL, &unsaid, "DEL", redis->heartbeat_key);
    redis_link_close(redis->link);
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
    redis_link_free(redis->link);
    char *keys[] = {redis->events_key, redis->seen_key,      redis->list_key, redis->state_key,
                    redis->bins_key,   redis->heartbeat_key, redis->channel,  redis->sensors_key};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        free(keys[i]);
    free(redis);
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
    snprintf(redis->seen_last, sizeof redis->seen_last, "-%llu", 2 * maxlen + 1001);
    snprintf(redis->list_first, sizeof redis->list_first, "-%llu", maxlen);
    snprintf(redis->bins_maxlen, sizeof redis->bins_maxlen, "%llu", BINS_PER_EVENT * maxlen);
    snprintf(redis->heartbeat_ms, sizeof redis->heartbeat_ms, "%lld",
             (long long)(3000 * redis->options->redis.heartbeat_s));
    return make_name(&redis->events_key, "%s{%s}:events", prefix, sensor) &&
           make_name(&redis->seen_key, "%s{%s}:seen", prefix, sensor) &&
           make_name(&redis->list_key, "%s{%s}:list", prefix, sensor) &&
           make_name(&redis->state_key, "%s{%s}:state", prefix, sensor) &&
           make_name(&redis->bins_key, "%s{%s}:bins", prefix, sensor) &&
           make_name(&redis->heartbeat_key, "%s{%s}:heartbeat", prefix, sensor) &&
           make_name(&redis->channel, "%sevents", prefix) &&
           make_name(&redis->sensors_key, "%ssensors", prefix);
}

static int make_link(struct redis *redis, struct fault *fault)
{
    const struct publish_options *options = redis->options;
    char name[160];
    struct redis_link_options link = publish_redis_link(options);
    snprintf(name, sizeof name, "lightsout-%s", options->sensor);
    link.name = name;
    link.a_key = redis->events_key;
    redis->link = redis_link_new(&link, fault);
    if (redis->link == NULL)
        return -1;
    snprintf(redis->shown, sizeof redis->shown, "%s", redis_link_shown(redis->link));
    return 0;
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
    const int64_t told = sink_resume(options, sink_redis.name);
    const struct outbox_options outbox = {
        .sensor = options->sensor,
        .events_max = options->redis.queue > 0 ? options->redis.queue : 1,
        .bins_max = BINS_MAX,
        .patient = options->replay,
        .drain_s = options->redis.drain_s,
        .spool_path = options->redis.spool_path,
        .spool_bytes_max = (uint64_t)options->redis.spool_mib << 20,
        .told = options->state_path == NULL ? SPOOL_ALL_TOLD
                : told > 0                  ? (uint64_t)told
                                            : 0,
        .say = publish_say,
    };
    redis->outbox = outbox_new(&outbox, scopes, fault);
    if (redis->outbox == NULL) {
        redis_close(redis);
        return NULL;
    }
    /* What an earlier run left on disk it may have put into the stream, and then died. */
    redis->unsure = outbox_waiting(redis->outbox, NULL);
    fault_set(fault, "no memory for Redis");
    if (!make_names(redis) || make_link(redis, fault) != 0) {
        redis_close(redis);
        return NULL;
    }
    return redis;
}

static int redis_start(void *state, const struct pulse *pulse, struct fault *fault)
{
    (void)pulse;
    struct redis *redis = state;
    redis->running = pthread_create(&redis->thread, NULL, redis_thread, redis) == 0;
    return redis->running ? 0 : fault_set(fault, "no memory for Redis");
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
    outbox_put_event(((struct redis *)state)->outbox, event);
    return 0;
}

static void redis_commit(void *state)
{
    outbox_commit(((struct redis *)state)->outbox);
}

static uint64_t redis_mark(const void *state)
{
    return outbox_mark(((const struct redis *)state)->outbox);
}

static int redis_secure(void *state, struct fault *fault)
{
    return outbox_secure(((struct redis *)state)->outbox, fault);
}

static void redis_saved(void *state, uint64_t mark)
{
    outbox_saved(((struct redis *)state)->outbox, mark);
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
    struct redis *redis = state;
    outbox_count(redis->outbox, sum);
    uint64_t *first = &sum->redis_error_unreachable; /* the rows stand in the order of the troubles */
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        first[i] += redis->errors[i];
}

static void redis_level(void *state, struct levels *levels)
{
    struct outbox *outbox = ((struct redis *)state)->outbox;
    levels->redis = true;
    levels->redis_up = outbox_up(outbox);
    levels->redis_troubles = ((struct redis *)state)->troubles;
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
    size_t bins, waiting = outbox_waiting(redis->outbox, &bins),
                 events = waiting + (size_t)health.redis_dropped;
    const char *spool = redis->options->redis.spool_path;
    if (events > 0 && events == waiting && spool != NULL)
        return fault_set(fault, "%zu event%s for Redis at %s in %s: the next start delivers what is there",
                         events, events == 1 ? " waits" : "s wait", redis->shown, spool);
    if (events > 0)
        return fault_set(fault, "%zu event%s not delivered to Redis at %s", events,
                         events == 1 ? " was" : "s were", redis->shown);
    if (bins > 0)
        return fault_set(fault, "%zu bin%s not delivered to Redis at %s", bins, bins == 1 ? " was" : "s were",
                         redis->shown);
    if (redis->troubled && !redis->reached)
        return fault_set(fault, "Redis at %s was never reached; check --redis", redis->shown);
    return 0;
}

const struct sink sink_redis = {
    .name = "redis",
    .wanted = redis_wanted,
    .open = redis_open,
    .start = redis_start,
    .scopes = redis_scopes,
    .event = redis_event,
    .bin = redis_bin,
    .mark = redis_mark,
    .secure = redis_secure,
    .saved = redis_saved,
    .commit = redis_commit,
    .count = redis_count,
    .level = redis_level,
    .finish = redis_finish,
    .close = redis_close,
};
