/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps what a terminal would obey out of a text for people: names of files, of a table's scopes, and words
 * of a server are strangers'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How many bytes of valid UTF-8 stand here that are no control characters, neither those below a blank and
 * DEL nor U+0080 to U+009F; 0: none. */
static inline size_t printable_length(const unsigned char *at)
{
    if (at[0] < 0x80)
        return at[0] >= ' ' && at[0] != 0x7f;
    size_t length = at[0] >= 0xc2 && at[0] < 0xe0   ? 2
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                    : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than need be, halves of UTF-16 pairs, and what lies beyond Unicode. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))
        return 0;
    return at[0] == 0xc2 && at[1] < 0xa0 ? 0 : length;
}

/* Puts a question mark for every byte of what is none of that. `lines`: ends of lines may stay. */
static inline void printable_clean(char *text, bool lines)
{
    for (char *at = text; *at != '\0';) {
        size_t length = printable_length((const unsigned char *)at);
        if (length == 0 && !(lines && *at == '\n'))
            *at = '?';
        at += length > 0 ? length : 1;
    }
}
