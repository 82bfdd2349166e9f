/* SPDX-License-Identifier: BSD-3-Clause */
/* What an error of Redis means. */
#include <string.h>

#include "redis_link.h"

static const struct {
    const char *name, *word;
    enum redis_class class;
} troubles[REDIS_TROUBLE__COUNT] = {
#define REDIS_TROUBLE(name, word, class) {#name, word, class},
    REDIS_TROUBLES(REDIS_TROUBLE)
#undef REDIS_TROUBLE
};

enum redis_class redis_class_of(enum redis_trouble trouble)
{
    return trouble == REDIS_WELL ? REDIS_TAKEN : troubles[trouble].class;
}

const char *redis_trouble_name(enum redis_trouble trouble)
{
    return trouble == REDIS_WELL ? "well" : troubles[trouble].name;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* The first word decides. Where it is the general ERR the one looked for may stand further on, by itself:
 * older servers write "ERR Error running script (…): @user_script:3: -OOM command not allowed". */
static bool says(const char *error, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(error, word, length) == 0 && !is_letter(error[length]))
        return true;
    if (strncmp(error, "ERR ", 4) != 0)
        return false;
    for (const char *at = strstr(error, word); at != NULL; at = strstr(at + 1, word))
        if (at > error && !is_letter(at[-1]) && !is_letter(at[length]))
            return true;
    return false;
}

enum redis_trouble redis_trouble_of(const char *error)
{
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        if (troubles[i].word != NULL && says(error, troubles[i].word))
            return (enum redis_trouble)i;
    if (says(error, "UNKILLABLE"))
        return REDIS_TROUBLE_busy;
    if (says(error, "invalid password")) /* before version 6 */
        return REDIS_TROUBLE_wrongpass;
    if (strstr(error, "The user executing the script can't") != NULL) /* 7.0 */
        return REDIS_TROUBLE_noperm;
    return REDIS_TROUBLE_other;
}
