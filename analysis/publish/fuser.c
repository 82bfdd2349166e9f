/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A round: take what came; whoever holds the lease reads the arrivals on, in their order, and commits what
 * comes of it. The lease only keeps two from doing the same work: that nothing is told twice is the commit's
 * to hold.
 */
#include "fuser.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bin_text.h"
#include "fused.h"
#include "fuser_talk.h"
#include "intake.h"
#include "sink.h"
#include "text.h"

enum {
    ROWS_A_TIME = 5000,
    ROWS_KEPT = 50000, /* taken since the last commit, which removes them */
    ROUND_MS = 200,    /* when there is nothing to do */
    BACK_OFF_MS = 100, /* the first; doubled each time */
    BACK_OFF_MAX_MS = 5000,
    LEFT_OUT_MAX = 1024 /* sensors, and why: said once each */
};

static const char lease_ms[] = "5000";
static const char hold[] = "local holder = redis.call('GET', KEYS[1])\n"
                           "if holder and holder ~= ARGV[1] then return 0 end\n"
                           "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                           "return 1\n";
static const char release[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end\n"
    "return 0\n";

struct fuser {
    const struct fuser_options *options;
    struct fuser_talk talk;
    struct intake *intake;
    struct fused *fused;
    struct fuse *view; /* NULL: somebody else's */
    struct publish *publish;
    struct health health;
    uint64_t since_commit; /* rows */
    int64_t heartbeat_due_ns;
    unsigned back_off_ms, random;
    char (*left_out)[FUSE_NAME_MAX + 80]; /* sensors that are, said once */
    size_t left_out_count;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void rest(unsigned ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    nanosleep(&time, NULL); /* a signal ends it */
}

/* ---- the view ---- */

static void lose(struct fuser *fuser)
{
    fuse_free(fuser->view);
    fuser->view = NULL;
    fused_drop(fuser->fused);
}

/* Goes on where the last commit left off. */
static enum redis_class take_over(struct fuser *fuser)
{
    uint8_t *bytes = NULL;
    size_t length;
    const char *why;
    struct fault fault;
    enum redis_class class = fused_recall(fuser->fused, &bytes, &length);
    if (class != REDIS_TAKEN)
        return class;
    const struct fuse_output output = fused_output(fuser->fused);
    struct fuse *view = fuse_new(&fuser->options->fuse, &output);
    if (view == NULL || (length > 0 && fuse_load(view, bytes, length, &why) != 0)) {
        fault_set(&fault, "the fused view in %s cannot be used: %s: remove it to begin anew",
                  talk_key(&fuser->talk, NULL, "fuse").text, view != NULL ? why : "there is no memory");
        talk_complain(&fuser->talk, &fault);
        fuse_free(view);
        view = NULL;
        class = REDIS_LATER;
    }
    free(bytes);
    fuser->view = view;
    fuser->since_commit = 0;
    return class;
}

static void leave_out(struct fuser *fuser, const char *sensor, const char *why)
{
    char text[sizeof *fuser->left_out];
    snprintf(text, sizeof text, "%.*s %s", FUSE_NAME_MAX, sensor, why);
    for (size_t i = 0; i < fuser->left_out_count; i++)
        if (strcmp(fuser->left_out[i], text) == 0)
            return;
    if (fuser->left_out_count == LEFT_OUT_MAX)
        return;
    void *grown = realloc(fuser->left_out, (fuser->left_out_count + 1) * sizeof *fuser->left_out);
    if (grown == NULL)
        return;
    fuser->left_out = grown;
    strcpy(fuser->left_out[fuser->left_out_count++], text);
    publish_say("sensor %s", text);
}

/* A member of the arrivals: "SEQUENCE SENSOR JSON". */
static void take_row(struct fuser *fuser, const char *member, size_t length, int64_t arrived_ns)
{
    struct fuse_row row;
    const char *sensor = memchr(member, ' ', length), *end = member + length,
               *json = sensor != NULL ? memchr(sensor + 1, ' ', (size_t)(end - sensor - 1)) : NULL;
    fuser->health.fused_bins++;
    if (json == NULL || bin_text_read(json + 1, (size_t)(end - json - 1), &row.bin, &row.scope) != 0) {
        fuser->health.fused_unread++;
        return;
    }
    size_t name = (size_t)(json - ++sensor);
    if (name >= sizeof row.sensor) {
        char shown[FUSE_NAME_MAX] = "";
        memcpy(shown, sensor, sizeof shown - 1);
        leave_out(fuser, shown, "… is left out: its name is too long to be that of a path (55 bytes)");
        return;
    }
    memcpy(row.sensor, sensor, name);
    row.sensor[name] = '\0';
    switch (fuse_take(fuser->view, &row, arrived_ns)) {
    case FUSE_TAKEN:
        break;
    case FUSE_LATE:
        fuser->health.fused_late++;
        break;
    case FUSE_FULL:
        fuser->health.fused_refused++;
        leave_out(fuser, row.sensor,
                  "is left out in part: more bins wait for their windows than can be kept");
        break;
    case FUSE_UNLIKE:
        leave_out(fuser, row.sensor, "is left out: its bins are not as long as this view's; see --bin");
        break;
    case FUSE_NO_MEMORY:
        leave_out(fuser, row.sensor, "is left out: there are too many sensors or scopes, or no memory");
        break;
    }
}

/* The next arrivals up to an instant. `*more`: there are others. Of those of the last millisecond of a full
 * answer the rest may be missing: they are left for the next. */
static enum redis_class read_rows(struct fuser *fuser, int64_t until_ms, size_t at_a_time, bool *more)
{
    struct fuser_talk *talk = &fuser->talk;
    struct talk_key key = talk_key(talk, NULL, "rows");
    int64_t from_ns = fuse_arrived_ns(fuser->view);
    char from[32] = "-inf", until[32], most[32];
    struct redisReply *reply = NULL;
    if (from_ns != TIME_NONE)
        snprintf(from, sizeof from, "(%lld", (long long)(from_ns / NS_PER_MS));
    snprintf(until, sizeof until, "%lld", (long long)until_ms);
    snprintf(most, sizeof most, "%zu", at_a_time);
    TALK_SEND(talk, key.text, "ZRANGEBYSCORE", key.text, from, until, "WITHSCORES", "LIMIT", "0", most);
    enum redis_class class = talk_answer(talk, key.text, NULL, &reply);
    size_t count = redis_reply_count(reply) / 2;
    *more = count == at_a_time;
    int64_t last_ms = *more ? redis_reply_number(redis_reply_at(reply, 2 * count - 1)) : INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t at_ms = redis_reply_number(redis_reply_at(reply, 2 * i + 1));
        size_t length;
        const char *member = redis_reply_text(redis_reply_at(reply, 2 * i), &length);
        if (at_ms == last_ms)
            break;
        if (at_ms < 0 || at_ms > until_ms)
            continue; /* not what was asked for */
        take_row(fuser, member, length, at_ms * NS_PER_MS);
        fuser->since_commit++;
    }
    redis_reply_free(reply);
    bool stuck = *more && fuse_arrived_ns(fuser->view) == from_ns; /* all of one millisecond */
    return class == REDIS_TAKEN && stuck ? read_rows(fuser, until_ms, 2 * at_a_time, more) : class;
}

static enum redis_class commit(struct fuser *fuser)
{
    size_t length = fuse_save(fuser->view, NULL, 0);
    uint8_t *bytes = malloc(length);
    bool done = false;
    enum redis_class class = REDIS_LATER;
    if (bytes != NULL) {
        fuse_save(fuser->view, bytes, length);
        class = fused_commit(fuser->fused, bytes, length, fuse_arrived_ns(fuser->view) / NS_PER_MS, &done);
    }
    free(bytes);
    if (done) {
        fused_publish(fuser->fused, fuser->publish, fuse_data_ns(fuser->view));
        fuser->since_commit = 0;
    } else {
        lose(fuser);
    }
    return class == REDIS_REFUSED ? REDIS_LATER : class;
}

static enum redis_class judge(struct fuser *fuser)
{
    int64_t until_ms;
    bool more = true;
    enum redis_class class = intake_whole_until(fuser->intake, &until_ms);
    while (class == REDIS_TAKEN && more && fuser->view != NULL && until_ms >= 0) {
        class = read_rows(fuser, until_ms, ROWS_A_TIME, &more);
        if (class == REDIS_TAKEN && !more)
            fuse_advance(fuser->view, until_ms * NS_PER_MS);
        if (class == REDIS_TAKEN && (!fused_is_empty(fuser->fused) || fuser->since_commit > ROWS_KEPT))
            class = commit(fuser);
    }
    return class;
}

/* ---- a round ---- */

static enum redis_class ask_lease(struct fuser *fuser, bool *mine)
{
    struct talk_key key = talk_key(&fuser->talk, NULL, "lease");
    struct redisReply *reply = NULL;
    TALK_SEND(&fuser->talk, key.text, "EVAL", hold, "1", key.text, fuser->talk.consumer, lease_ms);
    enum redis_class class = talk_answer(&fuser->talk, key.text, NULL, &reply);
    *mine = redis_reply_number(reply) == 1;
    redis_reply_free(reply);
    return class;
}

static enum redis_class beat(struct fuser *fuser)
{
    const double heartbeat_s = fuser->options->publish->redis.heartbeat_s;
    struct talk_key key = talk_key(&fuser->talk, NULL, "heartbeat");
    char json[256], time[TEXT_TIME_MAX], expires_ms[32];
    int64_t data_ns = fuser->view != NULL ? fuse_data_ns(fuser->view) : TIME_NONE, at_ns = now_ns();
    if (at_ns < fuser->heartbeat_due_ns)
        return REDIS_TAKEN;
    fuser->heartbeat_due_ns = at_ns + (int64_t)(heartbeat_s * (double)NS_PER_S);
    struct text text = text_in(json, sizeof json);
    text_format(&text, "{\"schema\":1,\"version\":\"%s\",\"mode\":\"fuse\"", LIGHTSOUT_VERSION);
    if (data_ns != TIME_NONE) {
        text_time(data_ns, time);
        text_format(&text, ",\"data_time\":\"%s\"", time);
    }
    text_put(&text, "}");
    snprintf(expires_ms, sizeof expires_ms, "%lld", (long long)(3000 * heartbeat_s));
    TALK_SEND(&fuser->talk, key.text, "SET", key.text, json, "PX", expires_ms);
    return talk_answer(&fuser->talk, key.text, NULL, NULL);
}

/* What the page and the metrics show beside events and bins. */
static void show(struct fuser *fuser)
{
    uint64_t *first =
        &fuser->health.redis_error_unreachable; /* the rows stand in the order of the troubles */
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        first[i] = fuser->talk.errors[i];
    publish_health(fuser->publish, &fuser->health);
    if (fuser->view != NULL && fuse_data_ns(fuser->view) != TIME_NONE)
        publish_step(fuser->publish, fuse_data_ns(fuser->view));
}

static enum redis_class take_turn(struct fuser *fuser, bool *busy)
{
    uint64_t taken = 0;
    bool mine = false;
    enum redis_class class = intake_take(fuser->intake, now_ns(), &taken);
    *busy = taken > 0;
    if (!talk_is_over(class))
        class = ask_lease(fuser, &mine);
    if (!mine)
        lose(fuser);
    else if (class == REDIS_TAKEN && fuser->view == NULL)
        class = take_over(fuser);
    if (fuser->view != NULL && class == REDIS_TAKEN)
        class = judge(fuser);
    if (fuser->view != NULL && class == REDIS_TAKEN)
        class = beat(fuser);
    return class;
}

static bool reach(struct fuser *fuser)
{
    struct fault why;
    if (redis_link_is_open(fuser->talk.link))
        return true;
    enum redis_trouble trouble = redis_link_open(fuser->talk.link, &why);
    if (trouble == REDIS_WELL) {
        fuser->talk.reached = true;
        intake_begin(fuser->intake);
        return true;
    }
    fuser->talk.errors[trouble]++;
    talk_complain(&fuser->talk, &why);
    return false;
}

static void back_off(struct fuser *fuser)
{
    redis_link_close(fuser->talk.link);
    lose(fuser);
    fuser->back_off_ms = fuser->back_off_ms == 0                    ? BACK_OFF_MS
                         : 2 * fuser->back_off_ms < BACK_OFF_MAX_MS ? 2 * fuser->back_off_ms
                                                                    : BACK_OFF_MAX_MS;
    rest(fuser->back_off_ms * 3 / 4 + (unsigned)rand_r(&fuser->random) % (fuser->back_off_ms / 2));
}

static void run_rounds(struct fuser *fuser, const atomic_bool *stop)
{
    while (!*stop) {
        bool busy = false;
        fuser->talk.now_ns = now_ns();
        enum redis_class class = reach(fuser) ? take_turn(fuser, &busy) : REDIS_LOST;
        show(fuser);
        if (talk_is_over(class)) {
            back_off(fuser);
            continue;
        }
        fuser->back_off_ms = 0;
        if (class == REDIS_TAKEN)
            talk_settle(&fuser->talk);
        if (!busy)
            rest(ROUND_MS);
    }
}

/* Another one may go on at once. */
static void say_goodbye(struct fuser *fuser)
{
    struct fuser_talk *talk = &fuser->talk;
    struct talk_key lease = talk_key(talk, NULL, "lease"), heartbeat = talk_key(talk, NULL, "heartbeat");
    struct fault unsaid;
    if (!redis_link_is_open(talk->link) || fuser->view == NULL)
        return;
    TALK_SEND(talk, lease.text, "EVAL", release, "1", lease.text, talk->consumer);
    TALK_SEND(talk, heartbeat.text, "DEL", heartbeat.text);
    if (!talk_is_over(redis_class_of(redis_link_answer(talk->link, lease.text, NULL, &unsaid))))
        redis_link_answer(talk->link, heartbeat.text, NULL, &unsaid);
}

/* ---- set-up ---- */

static int make_talk(struct fuser *fuser, struct fault *fault)
{
    const struct publish_options *publish = fuser->options->publish;
    struct redis_link_options link = publish_redis_link(publish);
    struct fuser_talk *talk = &fuser->talk;
    struct timespec now;
    char host[64] = "", name[160];
    gethostname(host, sizeof host - 1);
    clock_gettime(CLOCK_REALTIME, &now);
    fuser->random = (unsigned)now.tv_nsec ^ (unsigned)getpid();
    talk->prefix = publish->redis.prefix;
    talk->name = publish->sensor;
    snprintf(talk->consumer, sizeof talk->consumer, "%s-%ld-%x", host, (long)getpid(), (unsigned)now.tv_sec);
    snprintf(name, sizeof name, "lightsout-%.100s", publish->sensor);
    struct talk_key key = talk_key(talk, NULL, "fuse");
    link.name = name;
    link.a_key = key.text;
    talk->link = redis_link_new(&link, fault);
    return talk->link != NULL ? 0 : -1;
}

static int make_parts(struct fuser *fuser, struct fault *fault)
{
    static const struct scope items[] = {{.kind = SCOPE_ALL, .counted = true, .text = "all"},
                                         {.kind = SCOPE_TAP, .text = "tap"}};
    static const struct scope_list scopes = {.items = items, .count = 2};
    struct publish_options local = *fuser->options->publish;
    local.redis.url = NULL; /* the commit tells Redis */
    local.state_path = NULL;
    if (make_talk(fuser, fault) != 0)
        return -1;
    fuser->intake = intake_new(&fuser->talk);
    fuser->fused = fused_new(&fuser->talk, fuser->options->publish);
    if (fuser->intake == NULL || fuser->fused == NULL)
        return fault_set(fault, "no memory to fuse sensors");
    fuser->publish = publish_open(&local, &scopes, fault);
    return fuser->publish != NULL ? 0 : -1;
}

int fuser_run(const struct fuser_options *options, const atomic_bool *stop, struct fault *fault)
{
    struct fuser fuser = {.options = options};
    struct fault late;
    int status = make_parts(&fuser, fault);
    if (status == 0) {
        run_rounds(&fuser, stop);
        say_goodbye(&fuser);
        if (!fuser.talk.reached)
            status = fault_set(fault, "Redis at %s was never reached; check --redis",
                               redis_link_shown(fuser.talk.link));
        if (options->verbose)
            publish_say("%llu bin%s of sensors judged, %llu too late",
                        (unsigned long long)fuser.health.fused_bins, fuser.health.fused_bins == 1 ? "" : "s",
                        (unsigned long long)fuser.health.fused_late);
    }
    if (publish_close(fuser.publish, &late) != 0 && status == 0) {
        *fault = late;
        status = -1;
    }
    fuse_free(fuser.view);
    fused_free(fuser.fused);
    intake_free(fuser.intake);
    redis_link_free(fuser.talk.link);
    free(fuser.left_out);
    return status;
}
