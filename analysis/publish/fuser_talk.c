/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuser_talk.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "sink.h"

static const int64_t refused_ns = 10 * NS_PER_S; /* so long nothing may be refused before all is well */

struct talk_key talk_key(const struct fuser_talk *talk, const char *sensor, const char *suffix)
{
    struct talk_key key;
    snprintf(key.text, sizeof key.text, "%s{%s}:%s", talk->prefix, sensor != NULL ? sensor : talk->name,
             suffix);
    return key;
}

void talk_complain(struct fuser_talk *talk, const struct fault *why)
{
    for (unsigned i = 0; i < talk->said_count; i++)
        if (strcmp(talk->said[i].text, why->text) == 0)
            return;
    if (talk->said_count == TALK_SAID_MAX)
        return;
    talk->said[talk->said_count++] = *why;
    publish_warn("%s", why->text);
}

enum redis_class talk_answer(struct fuser_talk *talk, const char *what, const char *but,
                             struct redisReply **reply)
{
    struct fault why;
    enum redis_trouble trouble = redis_link_answer(talk->link, what, reply, &why);
    enum redis_class class = redis_class_of(trouble);
    if (class == REDIS_TAKEN || (class == REDIS_REFUSED && but != NULL && strstr(why.text, but) != NULL))
        return class;
    talk->errors[trouble]++;
    talk_complain(talk, &why);
    if (class == REDIS_REFUSED)
        talk->refused_ns = talk->now_ns;
    return class;
}

void talk_settle(struct fuser_talk *talk)
{
    if (talk->refused_ns > 0 && talk->now_ns - talk->refused_ns < refused_ns)
        return; /* not everything is tried in every round */
    if (talk->said_count > 0)
        publish_say("Redis at %s: all is well again", redis_link_shown(talk->link));
    talk->said_count = 0;
}
