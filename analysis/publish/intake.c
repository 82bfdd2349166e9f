/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream's entry is put into the arrivals first and acknowledged then. Whoever dies in between leaves it to
 * be claimed, and put there again as the same member with the same score: that changes nothing. Every command
 * has one key, so that a cluster will do.
 */
#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sink.h"

enum { AT_A_TIME = 1000, SOURCES_MAX = 2048 /* twice what a view knows: some are left out */ };

static const int64_t claim_ns = 2 * NS_PER_S;  /* for what another fuser has left … */
static const char claim_idle_ms[] = "5000";    /* … so long ago */
static const int64_t year_2100_s = 4102444800; /* as far as bins go */

struct source {
    char *sensor;
    struct talk_key key;
    bool grouped; /* there is a group to read with */
};

struct intake {
    struct fuser_talk *talk;
    struct source *sources;
    size_t count;
    size_t found;       /* the source that was asked for last */
    int64_t claimed_ns; /* TIME_NONE: not yet */
    int64_t server_ms;  /* by the clock that is furthest behind, before the last reading that left nothing */
    bool drained, told_full;
};

struct intake *intake_new(struct fuser_talk *talk)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake != NULL) {
        intake->talk = talk;
        intake_begin(intake);
    }
    return intake;
}

void intake_free(struct intake *intake)
{
    for (size_t i = 0; intake != NULL && i < intake->count; i++)
        free(intake->sources[i].sensor);
    if (intake != NULL)
        free(intake->sources);
    free(intake);
}

void intake_begin(struct intake *intake)
{
    intake->claimed_ns = TIME_NONE;
    for (size_t i = 0; i < intake->count; i++)
        intake->sources[i].grouped = false;
}

/* ---- which sensors there are ---- */

/* Names are asked for in nearly the same order each time. */
static bool is_known(struct intake *intake, const char *sensor)
{
    for (size_t i = 1; i <= intake->count; i++) {
        size_t at = (intake->found + i) % intake->count;
        if (strcmp(intake->sources[at].sensor, sensor) == 0) {
            intake->found = at;
            return true;
        }
    }
    return false;
}

static bool is_among(const struct redisReply *names, const char *name)
{
    for (size_t i = 0; i < redis_reply_count(names); i++)
        if (strcmp(redis_reply_text(redis_reply_at(names, i), NULL), name) == 0)
            return true;
    return false;
}

static void add_source(struct intake *intake, const char *sensor)
{
    if (intake->count == SOURCES_MAX) {
        if (!intake->told_full)
            publish_say(
                "there are more than %d names in %ssensors: the bins of %.64s and others are not read: "
                "SREM what is no sensor",
                SOURCES_MAX, intake->talk->prefix, sensor);
        intake->told_full = true;
        return;
    }
    struct source *sources = realloc(intake->sources, (intake->count + 1) * sizeof *sources);
    if (sources == NULL)
        return; /* the next look will find it */
    intake->sources = sources;
    struct source *source = &sources[intake->count];
    *source = (struct source){.sensor = strdup(sensor), .key = talk_key(intake->talk, sensor, "bins")};
    intake->count += source->sensor != NULL;
}

/* Every name in the set but those of fused views, this one among them. Looked for in every round: what
 * another fuser reads of a sensor is on its way, and only the sensors that are known here are waited for. */
static enum redis_class look_for_sensors(struct intake *intake)
{
    struct fuser_talk *talk = intake->talk;
    char sensors_key[TALK_KEY_MAX], fusers_key[TALK_KEY_MAX];
    struct redisReply *sensors = NULL, *fusers = NULL;
    snprintf(sensors_key, sizeof sensors_key, "%ssensors", talk->prefix);
    snprintf(fusers_key, sizeof fusers_key, "%sfusers", talk->prefix);
    TALK_SEND(talk, fusers_key, "SADD", fusers_key, talk->name);
    TALK_SEND(talk, fusers_key, "SMEMBERS", fusers_key);
    TALK_SEND(talk, sensors_key, "SADD", sensors_key, talk->name);
    TALK_SEND(talk, sensors_key, "SMEMBERS", sensors_key);
    enum redis_class class = REDIS_TAKEN, one[4];
    one[0] = talk_answer(talk, fusers_key, NULL, NULL);
    one[1] = talk_answer(talk, fusers_key, NULL, &fusers);
    one[2] = talk_answer(talk, sensors_key, NULL, NULL);
    one[3] = talk_answer(talk, sensors_key, NULL, &sensors);
    for (int i = 0; i < 4; i++)
        class = one[i] != REDIS_TAKEN ? one[i] : class;
    for (size_t i = 0; class == REDIS_TAKEN && i < redis_reply_count(sensors) && !intake->told_full; i++) {
        const char *name = redis_reply_text(redis_reply_at(sensors, i), NULL);
        if (!is_among(fusers, name) && !is_known(intake, name))
            add_source(intake, name);
    }
    redis_reply_free(sensors);
    redis_reply_free(fusers);
    return class;
}

/* A group that begins with the oldest entry; also where a sensor has told nothing yet, so that nothing is
 * missed. */
static enum redis_class make_groups(struct intake *intake)
{
    struct fuser_talk *talk = intake->talk;
    enum redis_class worst = REDIS_TAKEN;
    for (size_t i = 0; i < intake->count; i++) {
        const char *key = intake->sources[i].key.text;
        if (!intake->sources[i].grouped)
            TALK_SEND(talk, key, "XGROUP", "CREATE", key, talk->name, "0", "MKSTREAM");
    }
    for (size_t i = 0; i < intake->count && !talk_is_over(worst); i++) {
        if (intake->sources[i].grouped)
            continue;
        enum redis_class class = talk_answer(talk, intake->sources[i].key.text, "BUSYGROUP", NULL);
        intake->sources[i].grouped = !talk_is_over(class); /* else the next reading will tell */
        worst = talk_is_over(class) ? class : worst;
    }
    return worst;
}

/* ---- entries ---- */

/* The arguments of one command as they grow. */
struct words {
    char **word;
    size_t *length;
    size_t count, room;
    bool cut; /* no memory */
};

static void words_add(struct words *words, char *word, size_t length)
{
    if (word != NULL && words->count == words->room) {
        size_t room = words->room > 0 ? 2 * words->room : 256;
        char **grown = realloc(words->word, room * sizeof *grown);
        words->word = grown != NULL ? grown : words->word;
        size_t *lengths = realloc(words->length, room * sizeof *lengths);
        words->length = lengths != NULL ? lengths : words->length;
        words->room = grown != NULL && lengths != NULL ? room : words->room;
    }
    if (word == NULL || words->count == words->room) {
        free(word);
        words->cut = true;
        return;
    }
    words->word[words->count] = word;
    words->length[words->count++] = length;
}

static void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
    free(words->length);
}

static void words_add_text(struct words *words, const char *text)
{
    words_add(words, strdup(text), strlen(text));
}

/* The JSON of an entry; NULL: there is none. */
static const char *json_of(const struct redisReply *fields, size_t *length)
{
    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2)
        if (strcmp(redis_reply_text(redis_reply_at(fields, i), NULL), "bin") == 0)
            return redis_reply_text(redis_reply_at(fields, i + 1), length);
    return NULL;
}

/* Score and member of an entry. One without a bin is acknowledged only. */
static void add_row(struct words *rows, const char *sensor, const char *id, const struct redisReply *fields)
{
    size_t length = 0;
    const char *json = json_of(fields, &length), *dash = strchr(id, '-');
    if (json == NULL || dash == NULL)
        return;
    size_t room = 24 + strlen(sensor) + length;
    char *member = malloc(room), score[32];
    snprintf(score, sizeof score, "%.*s", (int)(dash - id), id);
    int at = member != NULL ? snprintf(member, room, "%020llu %s ", strtoull(dash + 1, NULL, 10), sensor) : 0;
    if (member != NULL)
        memcpy(member + at, json, length);
    words_add_text(rows, score);
    words_add(rows, member, (size_t)at + length);
}

/* Entries of one stream on their way: what is put into the arrivals, and what is acknowledged then. */
struct cargo {
    struct words rows, ids;
};

static void load(struct intake *intake, const struct source *source, const struct redisReply *entries,
                 struct cargo *cargo)
{
    struct talk_key rows_key = talk_key(intake->talk, NULL, "rows");
    words_add_text(&cargo->rows, "ZADD");
    words_add_text(&cargo->rows, rows_key.text);
    words_add_text(&cargo->ids, "XACK");
    words_add_text(&cargo->ids, source->key.text);
    words_add_text(&cargo->ids, intake->talk->name);
    for (size_t i = 0; i < redis_reply_count(entries); i++) {
        const struct redisReply *entry = redis_reply_at(entries, i);
        const char *id = redis_reply_text(redis_reply_at(entry, 0), NULL);
        if (*id == '\0')
            continue;
        add_row(&cargo->rows, source->sensor, id, redis_reply_at(entry, 1));
        words_add_text(&cargo->ids, id);
    }
}

static void send_words(struct fuser_talk *talk, const char *key, const struct words *words)
{
    redis_link_send(talk->link, key, words->count, (const char *const *)words->word, words->length);
}

/* Puts what was loaded where it belongs, stream by stream: first all rows, then, of those that are there, the
 * acknowledgements. */
static enum redis_class deliver(struct intake *intake, struct cargo *cargos)
{
    struct fuser_talk *talk = intake->talk;
    struct talk_key rows_key = talk_key(talk, NULL, "rows");
    enum redis_class worst = REDIS_TAKEN;
    for (size_t i = 0; i < intake->count; i++)
        if (cargos[i].rows.count > 2 && !cargos[i].rows.cut)
            send_words(talk, rows_key.text, &cargos[i].rows);
    for (size_t i = 0; i < intake->count; i++) {
        if (cargos[i].rows.count <= 2 || cargos[i].rows.cut)
            continue;
        enum redis_class class = talk_answer(talk, rows_key.text, NULL, NULL);
        worst = class != REDIS_TAKEN ? class : worst;
    }
    if (worst != REDIS_TAKEN)
        return worst;
    for (size_t i = 0; i < intake->count; i++)
        if (cargos[i].ids.count > 3 && !cargos[i].rows.cut && !cargos[i].ids.cut)
            send_words(talk, intake->sources[i].key.text, &cargos[i].ids);
    for (size_t i = 0; i < intake->count; i++) {
        if (cargos[i].ids.count <= 3 || cargos[i].rows.cut || cargos[i].ids.cut)
            continue;
        enum redis_class class = talk_answer(talk, intake->sources[i].key.text, NULL, NULL);
        worst = class != REDIS_TAKEN ? class : worst;
    }
    return worst;
}

static void send_time(struct intake *intake, const char *key)
{
    TALK_SEND(intake->talk, key, "TIME");
}

/* Milliseconds by the clock of the node that has the key; 0: its answer is no time. */
static enum redis_class take_time(struct intake *intake, int64_t *ms)
{
    struct redisReply *reply = NULL;
    enum redis_class class = talk_answer(intake->talk, "the time", NULL, &reply);
    int64_t s = redis_reply_number(redis_reply_at(reply, 0)),
            us = redis_reply_number(redis_reply_at(reply, 1));
    *ms = s >= 0 && s < year_2100_s && us >= 0 && us < 1000000 ? s * 1000 + us / 1000 : 0;
    redis_reply_free(reply);
    return class;
}

static void send_read(struct intake *intake, const struct source *source, bool claim)
{
    struct fuser_talk *talk = intake->talk;
    const char *key = source->key.text;
    if (claim)
        TALK_SEND(talk, key, "XAUTOCLAIM", key, talk->name, talk->consumer, claim_idle_ms, "0-0", "COUNT",
                  "1000");
    else
        TALK_SEND(talk, key, "XREADGROUP", "GROUP", talk->name, talk->consumer, "COUNT", "1000", "STREAMS",
                  key, ">");
}

/* The entries in the answer: of XREADGROUP those of its one stream. */
static const struct redisReply *entries_of(const struct redisReply *reply, bool claim)
{
    return redis_reply_at(claim ? reply : redis_reply_at(reply, 0), 1);
}

/* Reads once from every stream, or claims what was left. `*count` grows by what was taken, `*most` is that of
 * the stream that gave most. */
static enum redis_class read_all(struct intake *intake, bool claim, uint64_t *count, size_t *most)
{
    struct fuser_talk *talk = intake->talk;
    struct cargo *cargos = calloc(intake->count + 1, sizeof *cargos);
    enum redis_class class = cargos != NULL ? REDIS_TAKEN : REDIS_LATER;
    *most = 0;
    for (size_t i = 0; cargos != NULL && i < intake->count; i++)
        if (intake->sources[i].grouped)
            send_read(intake, &intake->sources[i], claim);
    for (size_t i = 0; cargos != NULL && i < intake->count && !talk_is_over(class); i++) {
        struct redisReply *reply = NULL;
        if (!intake->sources[i].grouped)
            continue;
        class = talk_answer(talk, intake->sources[i].key.text, "NOGROUP", &reply);
        if (class ==
            REDIS_REFUSED) { /* it was deleted, or is none: the next look will tell; the others go on */
            intake->sources[i].grouped = false;
            class = REDIS_TAKEN;
        }
        const struct redisReply *entries = entries_of(reply, claim);
        size_t taken = redis_reply_count(entries);
        if (taken > 0)
            load(intake, &intake->sources[i], entries, &cargos[i]);
        *most = taken > *most ? taken : *most;
        *count += taken;
        redis_reply_free(reply);
    }
    if (!talk_is_over(class))
        class = deliver(intake, cargos);
    for (size_t i = 0; cargos != NULL && i < intake->count; i++) {
        words_free(&cargos[i].rows);
        words_free(&cargos[i].ids);
    }
    free(cargos);
    return class;
}

/* The clock that is furthest behind, before a reading: ids are made by the clock of the node that has the
 * stream, and those of a cluster differ. */
static enum redis_class ask_times(struct intake *intake, int64_t *least_ms)
{
    struct talk_key rows_key = talk_key(intake->talk, NULL, "rows");
    send_time(intake, rows_key.text);
    for (size_t i = 0; i < intake->count; i++)
        send_time(intake, intake->sources[i].key.text);
    enum redis_class worst = take_time(intake, least_ms);
    for (size_t i = 0; i < intake->count && !talk_is_over(worst); i++) {
        int64_t ms;
        enum redis_class class = take_time(intake, &ms);
        worst = class != REDIS_TAKEN ? class : worst;
        *least_ms = ms < *least_ms ? ms : *least_ms;
    }
    return worst;
}

static bool is_due(int64_t *at_ns, int64_t now_ns, int64_t every_ns)
{
    if (*at_ns != TIME_NONE && now_ns - *at_ns < every_ns)
        return false;
    *at_ns = now_ns;
    return true;
}

enum redis_class intake_take(struct intake *intake, int64_t now_ns, uint64_t *count)
{
    const size_t known = intake->count;
    size_t most;
    int64_t before_ms;
    *count = 0;
    intake->drained = false;
    enum redis_class class = ask_times(intake, &before_ms);
    if (class == REDIS_TAKEN)
        class = look_for_sensors(intake);
    if (class == REDIS_TAKEN)
        class = make_groups(intake);
    if (class == REDIS_TAKEN && is_due(&intake->claimed_ns, now_ns, claim_ns))
        class = read_all(intake, true, count, &most);
    if (class == REDIS_TAKEN)
        class = read_all(intake, false, count, &most);
    if (class == REDIS_TAKEN && most < AT_A_TIME && known > 0 && intake->count == known) {
        intake->drained = true;
        intake->server_ms = before_ms;
    }
    return class;
}

enum redis_class intake_whole_until(struct intake *intake, int64_t *until_ms)
{
    struct fuser_talk *talk = intake->talk;
    enum redis_class worst = REDIS_TAKEN;
    *until_ms = intake->drained ? intake->server_ms - 1 : -1;
    if (!intake->drained)
        return REDIS_TAKEN;
    for (size_t i = 0; i < intake->count; i++)
        if (intake->sources[i].grouped)
            TALK_SEND(talk, intake->sources[i].key.text, "XPENDING", intake->sources[i].key.text, talk->name);
    for (size_t i = 0; i < intake->count && !talk_is_over(worst); i++) {
        struct redisReply *reply = NULL;
        if (!intake->sources[i].grouped)
            continue;
        enum redis_class class = talk_answer(talk, intake->sources[i].key.text, "NOGROUP", &reply);
        worst = class != REDIS_TAKEN && class != REDIS_REFUSED ? class : worst;
        if (redis_reply_number(redis_reply_at(reply, 0)) > 0) {
            int64_t first_ms = strtoll(redis_reply_text(redis_reply_at(reply, 1), NULL), NULL, 10);
            if (first_ms <= *until_ms)
                *until_ms = first_ms > 0 ? first_ms - 1 : -1;
        }
        redis_reply_free(reply);
    }
    return worst;
}
