/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One script does it all, so that it is done whole or not, and only in the turn that follows the last one
 * known here: a fuser that was stopped for an hour and comes back, or sends again because an answer was lost,
 * is told that its turn is over. Ids that are in the stream already are refused, as sensors' are: an exercise
 * may be played again.
 */
#include "fused.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "sink.h"
#include "text.h"

enum { BINS_PER_EVENT = 10 }; /* as redis.c */

static const char commit[] =
    "local view, rows, stream, seen, state, bins = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]\n"
    "if (redis.call('HGET', view, 'turn') or '0') ~= ARGV[1] then return 'OVER' end\n"
    "local trouble = false\n"
    "if redis.call('EXISTS', stream) == 0 then redis.call('DEL', seen) end\n"
    "local at, last = 9, 8 + 5 * ARGV[8]\n"
    "for i = at, last, 5 do\n"
    "  if not redis.call('ZSCORE', seen, ARGV[i]) then\n"
    "    local id = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[4], '*', 'id', ARGV[i], 'action', ARGV[i "
    "+ 1],\n"
    "      'scope', ARGV[i + 2], 'severity', ARGV[i + 3], 'event', ARGV[i + 4])\n"
    "    redis.call('ZADD', seen, string.match(id, '^%d+'), ARGV[i])\n"
    "    local told = redis.pcall('PUBLISH', ARGV[7], ARGV[i + 4])\n"
    "    if type(told) == 'table' and told.err then trouble = told.err end\n"
    "  end\n"
    "end\n"
    "redis.call('ZREMRANGEBYRANK', seen, 0, -1 - ARGV[5])\n"
    "if ARGV[1] == '0' then redis.call('DEL', state) end\n"
    "for i = last + 1, #ARGV, 4 do\n"
    "  redis.call('XADD', bins, 'MAXLEN', '~', ARGV[6], '*', 'time', ARGV[i], 'scope', ARGV[i + 1], 'bin', "
    "ARGV[i + "
    "2])\n"
    "  redis.call('HSET', state, ARGV[i + 1], ARGV[i + 3])\n"
    "end\n"
    "redis.call('ZREMRANGEBYSCORE', rows, '-inf', ARGV[3])\n"
    "redis.call('HSET', view, 'turn', ARGV[1] + 1, 'view', ARGV[2])\n"
    "return trouble or 'OK'\n";

/* What a view gave, in its order. */
struct given {
    enum { GIVEN_SCOPES, GIVEN_BIN, GIVEN_EVENT } kind;
    union {
        struct bin bin;
        struct event event;
        struct scope *scopes; /* of a new list; owned */
    } as;
    uint32_t count;     /* of the scopes */
    struct scope scope; /* of the bin */
};

struct fused {
    struct fuser_talk *talk;
    const struct publish_options *options;
    struct given *given;
    size_t count, room;
    struct scope *scopes; /* in force at the end of what was given */
    uint32_t scope_count;
    bool cut; /* no memory for all that was given */
    uint64_t turn;
};

struct fused *fused_new(struct fuser_talk *talk, const struct publish_options *options)
{
    struct fused *fused = calloc(1, sizeof *fused);
    if (fused != NULL)
        *fused = (struct fused){.talk = talk, .options = options};
    return fused;
}

static void forget(struct fused *fused, size_t from)
{
    for (size_t i = from; i < fused->count; i++)
        if (fused->given[i].kind == GIVEN_SCOPES)
            free(fused->given[i].as.scopes);
    fused->count = from < fused->count ? from : fused->count;
}

void fused_free(struct fused *fused)
{
    if (fused == NULL)
        return;
    forget(fused, 0);
    free(fused->given);
    free(fused->scopes);
    free(fused);
}

/* ---- what a view gives ---- */

static struct given *next_given(struct fused *fused)
{
    if (fused->count == fused->room) {
        size_t room = fused->room > 0 ? 2 * fused->room : 128;
        struct given *grown = realloc(fused->given, room * sizeof *grown);
        if (grown == NULL) {
            fused->cut = true;
            return NULL;
        }
        fused->given = grown;
        fused->room = room;
    }
    return &fused->given[fused->count++];
}

static struct scope *copy_scopes(const struct scope_list *list)
{
    struct scope *copy = malloc(list->count * sizeof *copy);
    return copy != NULL ? memcpy(copy, list->items, list->count * sizeof *copy) : NULL;
}

static void keep_scopes(void *context, const struct scope_list *list)
{
    struct fused *fused = context;
    struct scope *now = copy_scopes(list), *later = copy_scopes(list);
    struct given *given = now != NULL && later != NULL ? next_given(fused) : NULL;
    if (given == NULL) {
        free(now);
        free(later);
        fused->cut = true;
        return;
    }
    free(fused->scopes);
    fused->scopes = now;
    fused->scope_count = list->count;
    given->kind = GIVEN_SCOPES;
    given->as.scopes = later;
    given->count = list->count;
}

static void keep_bin(void *context, const struct bin *bin)
{
    struct fused *fused = context;
    struct given *given = bin->scope < fused->scope_count ? next_given(fused) : NULL;
    if (given == NULL)
        return;
    given->kind = GIVEN_BIN;
    given->as.bin = *bin;
    given->scope = fused->scopes[bin->scope];
}

static void keep_event(void *context, const struct event *event)
{
    struct given *given = next_given(context);
    if (given == NULL)
        return;
    given->kind = GIVEN_EVENT;
    given->as.event = *event;
}

struct fuse_output fused_output(struct fused *fused)
{
    return (struct fuse_output){fused, keep_scopes, keep_bin, keep_event};
}

bool fused_is_empty(const struct fused *fused)
{
    return fused->count == 0 && !fused->cut;
}

void fused_drop(struct fused *fused)
{
    forget(fused, 0);
    fused->cut = false;
}

/* ---- the commit ---- */

/* The arguments of the script; what they point to is owned where `own`. */
struct arguments {
    const char **word;
    size_t *length;
    char **own;
    size_t count, own_count, room;
    bool cut;
};

static void put_bytes(struct arguments *arguments, const char *word, size_t length)
{
    if (word == NULL || arguments->count == arguments->room) {
        arguments->cut = true;
        return;
    }
    arguments->word[arguments->count] = word;
    arguments->length[arguments->count++] = length;
}

static void put(struct arguments *arguments, const char *word)
{
    put_bytes(arguments, word, word != NULL ? strlen(word) : 0);
}

/* Takes the text over. */
static void put_own(struct arguments *arguments, char *text)
{
    if (text != NULL)
        arguments->own[arguments->own_count++] = text;
    put(arguments, text);
}

static void put_number(struct arguments *arguments, int64_t number)
{
    char *text;
    put_own(arguments, asprintf(&text, "%" PRId64, number) >= 0 ? text : NULL);
}

static void put_event(struct fused *fused, struct arguments *arguments, const struct event *event)
{
    char id[EVENT_ID_MAX];
    event_text_id(event, fused->options->sensor, id);
    put_own(arguments, strdup(id));
    put(arguments, event_text_action(event->action));
    put(arguments, event->scope);
    put_number(arguments, event_text_severity(event));
    put_own(arguments, event_text_json(event, fused->options->sensor));
}

static void put_bin(struct fused *fused, struct arguments *arguments, const struct given *given)
{
    static const struct bin_interfaces none;
    const struct event told = {.episode = given->as.bin.outage.episode};
    char id[EVENT_ID_MAX], time[TEXT_TIME_MAX], *json = malloc(BIN_JSON_MAX), *state = malloc(BIN_JSON_MAX);
    text_time_s(given->as.bin.start_ns, time);
    event_text_outage_id(&told, fused->options->sensor, id);
    if (json != NULL && state != NULL) {
        struct text text = text_in(json, BIN_JSON_MAX);
        bin_text_json(&given->as.bin, &given->scope, &text);
        text = text_in(state, BIN_JSON_MAX);
        bin_text_state(&given->as.bin, &given->scope, &none, told.episode != 0 ? id : NULL, &text);
    }
    put_own(arguments, strdup(time));
    put(arguments, given->scope.text);
    put_own(arguments, json);
    put_own(arguments, state);
}

/* All arguments of the call. Returns whether there was memory for them. */
static bool gather(struct fused *fused, struct arguments *arguments, const struct talk_key keys[6],
                   const char *channel, const uint8_t *bytes, size_t length, int64_t until_ms)
{
    const int64_t maxlen = fused->options->redis.maxlen > 0 ? fused->options->redis.maxlen : 1;
    int64_t events = 0;
    put(arguments, "EVAL");
    put(arguments, commit);
    put(arguments, "6");
    for (int i = 0; i < 6; i++)
        put(arguments, keys[i].text);
    put_number(arguments, (int64_t)fused->turn);
    put_bytes(arguments, (const char *)bytes, length);
    put_number(arguments, until_ms);
    put_number(arguments, maxlen);
    put_number(arguments, 2 * maxlen + 1000);
    put_number(arguments, BINS_PER_EVENT * maxlen);
    put(arguments, channel);
    for (size_t i = 0; i < fused->count; i++)
        events += fused->given[i].kind == GIVEN_EVENT;
    put_number(arguments, events);
    for (size_t i = 0; i < fused->count; i++)
        if (fused->given[i].kind == GIVEN_EVENT)
            put_event(fused, arguments, &fused->given[i].as.event);
    for (size_t i = 0; i < fused->count; i++)
        if (fused->given[i].kind == GIVEN_BIN)
            put_bin(fused, arguments, &fused->given[i]);
    return !arguments->cut && !fused->cut;
}

static bool arguments_new(struct arguments *arguments, size_t given)
{
    *arguments = (struct arguments){.room = 20 + 5 * given};
    arguments->word = calloc(arguments->room, sizeof *arguments->word);
    arguments->length = calloc(arguments->room, sizeof *arguments->length);
    arguments->own = calloc(arguments->room, sizeof *arguments->own);
    return arguments->word != NULL && arguments->length != NULL && arguments->own != NULL;
}

static void arguments_free(struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->own_count; i++)
        free(arguments->own[i]);
    free(arguments->word);
    free(arguments->length);
    free(arguments->own);
}

static void complain_of_channel(struct fused *fused, const char *channel, const char *said)
{
    struct fault why;
    fault_set(&why, "Redis at %s stores events but does not tell them on the channel %s: %s",
              redis_link_shown(fused->talk->link), channel, said);
    talk_complain(fused->talk, &why);
}

enum redis_class fused_commit(struct fused *fused, const uint8_t *bytes, size_t length, int64_t until_ms,
                              bool *done)
{
    static const char *const names[6] = {"fuse", "rows", "events", "seen", "state", "bins"};
    struct fuser_talk *talk = fused->talk;
    struct talk_key keys[6];
    char channel[TALK_KEY_MAX];
    struct arguments arguments;
    struct redisReply *reply = NULL;
    enum redis_class class = REDIS_LATER;
    *done = false;
    for (int i = 0; i < 6; i++)
        keys[i] = talk_key(talk, NULL, names[i]);
    snprintf(channel, sizeof channel, "%sevents", talk->prefix);
    if (arguments_new(&arguments, fused->count) &&
        gather(fused, &arguments, keys, channel, bytes, length, until_ms)) {
        redis_link_send(talk->link, keys[0].text, arguments.count, arguments.word, arguments.length);
        class = talk_answer(talk, keys[2].text, NULL, &reply);
    }
    arguments_free(&arguments);
    const char *said = redis_reply_text(reply, NULL);
    *done = class == REDIS_TAKEN && strcmp(said, "OVER") != 0;
    fused->turn += *done;
    if (*done && strcmp(said, "OK") != 0)
        complain_of_channel(fused, channel, said);
    redis_reply_free(reply);
    return class;
}

enum redis_class fused_recall(struct fused *fused, uint8_t **bytes, size_t *length)
{
    struct fuser_talk *talk = fused->talk;
    struct talk_key key = talk_key(talk, NULL, "fuse");
    struct redisReply *reply = NULL;
    fused_drop(fused);
    TALK_SEND(talk, key.text, "HMGET", key.text, "turn", "view");
    enum redis_class class = talk_answer(talk, key.text, NULL, &reply);
    size_t there = 0;
    const char *view = redis_reply_text(redis_reply_at(reply, 1), &there);
    fused->turn = (uint64_t)redis_reply_number(redis_reply_at(reply, 0));
    *bytes = there > 0 ? malloc(there) : NULL;
    *length = there;
    if (*bytes != NULL)
        memcpy(*bytes, view, there);
    else if (there > 0)
        class = REDIS_LATER;
    redis_reply_free(reply);
    return class;
}

void fused_publish(struct fused *fused, struct publish *publish, int64_t data_ns)
{
    struct fault fault;
    for (size_t i = 0; i < fused->count; i++) {
        struct given *given = &fused->given[i];
        const struct scope_list list = {.items = given->as.scopes, .count = given->count};
        if (given->kind == GIVEN_SCOPES && publish_scopes(publish, &list, &fault) != 0)
            publish_warn("%s", fault.text);
        else if (given->kind == GIVEN_BIN)
            publish_bin(publish, &given->as.bin);
        else if (given->kind == GIVEN_EVENT)
            publish_event(publish, &given->as.event);
    }
    publish_step(publish, data_ns);
    fused_drop(fused);
}
