/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server answers. The first byte says whether there is a user and a password. Answers may lead
 * elsewhere (MOVED), so run.py lets no fuzzer out. */
#include <stdlib.h>

#include "fuzz.h"
#include "redis_link.h"

static volatile size_t looked; /* so that no compiler leaves it out */

/* Looks at all of a reply; its texts end where they say. */
static size_t look(const struct redisReply *reply, int depth)
{
    size_t length = 0, sum = (size_t)redis_reply_number(reply) + redis_reply_is_nil(reply);
    const char *text = redis_reply_text(reply, &length);
    for (size_t i = 0; i < length; i++)
        sum += (unsigned char)text[i];
    for (size_t i = 0; depth < 8 && i < redis_reply_count(reply); i++)
        sum += look(redis_reply_at(reply, i), depth + 1);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = {.text = ""};
    if (size < 1)
        return 0;
    struct redis_link_options options = {.url = fuzz_redis(data + 1, size - 1),
                                         .user = data[0] & 1 ? "somebody" : NULL,
                                         .password = data[0] & 3 ? "secret" : NULL,
                                         .name = "fuzz",
                                         .a_key = "lightsout:{fuzz}:events",
                                         .connect_timeout_s = 0.1,
                                         .command_timeout_s = 0.1};
    struct redis_link *link = redis_link_new(&options, &fault);
    if (link != NULL && redis_link_open(link, &fault) == REDIS_WELL) {
        const char *const command[] = {"XADD", "lightsout:{fuzz}:events", "*", "id", "1"};
        struct redisReply *reply;
        for (int i = 0; i < 3; i++)
            redis_link_send(link, command[1], 5, command, NULL);
        while (redis_link_answer(link, command[1], &reply, &fault) == REDIS_WELL) {
            looked += look(reply, 0);
            redis_reply_free(reply);
        }
    }
    redis_link_free(link);
    return 0;
}
