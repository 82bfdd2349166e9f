/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the fuser share of their talk with Redis: the connection, the names of keys, and troubles
 * that are said once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "redis_link.h"

enum { TALK_KEY_MAX = 512, TALK_SAID_MAX = 8 };

struct fuser_talk {
    struct redis_link *link;
    const char *prefix; /* of all keys */
    const char *name;   /* of the view, and of the consumer group */
    char consumer[160]; /* this fuser's name in it */
    struct fault said[TALK_SAID_MAX];
    unsigned said_count;
    int64_t now_ns, refused_ns;            /* of this round, and of the last in which something was refused */
    bool reached;                          /* ever */
    uint64_t errors[REDIS_TROUBLE__COUNT]; /* so far */
};

/* A sensor's key of that name, or the view's where the sensor is NULL: "lightsout:{ix-1}:bins". */
struct talk_key {
    char text[TALK_KEY_MAX];
};
struct talk_key talk_key(const struct fuser_talk *talk, const char *sensor, const char *suffix);

/* A command of strings into the pipeline. */
#define TALK_SEND(talk, key, ...)                                                                            \
    redis_link_send((talk)->link, (key), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),  \
                    (const char *const[]){__VA_ARGS__}, NULL)

/* The next answer, to be freed unless `reply` is NULL. What is wrong with it is said, once until talk_settle;
 * an error that begins with the word `but` (NULL: none is) is expected and not said. */
enum redis_class talk_answer(struct fuser_talk *talk, const char *what, const char *but,
                             struct redisReply **reply);

/* Says what is wrong, once until talk_settle. */
void talk_complain(struct fuser_talk *talk, const struct fault *why);

/* Whether the link must be given up after an answer of this class. */
static inline bool talk_is_over(enum redis_class class)
{
    return class == REDIS_LATER || class == REDIS_LOST;
}

/* All went well in this round: troubles are over, unless something was refused in those before it. */
void talk_settle(struct fuser_talk *talk);
