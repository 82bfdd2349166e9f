/* SPDX-License-Identifier: BSD-3-Clause */
#include "nearest.h"

#include <string.h>

enum { LETTERS_MAX = 31 }; /* no option or key is as long */

void nearest_begin(struct nearest *nearest, const char *word)
{
    *nearest = (struct nearest){.word = word};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters dropped, added, changed or swapped with the next, by three rows of the usual table. */
static size_t changes_between(const char *one, const char *other)
{
    size_t rows[3][LETTERS_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    const size_t width = strlen(other);
    for (size_t j = 0; j <= width; j++)
        last[j] = j;
    for (size_t i = 1; one[i - 1] != '\0'; i++) {
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (one[i - 1] != other[j - 1]));
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[width];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    const size_t length = strlen(nearest->word);
    if (length == 0 || length > LETTERS_MAX || strlen(candidate) > LETTERS_MAX)
        return;
    size_t changes =
        strncmp(candidate, nearest->word, length) == 0 ? 1 : changes_between(nearest->word, candidate);
    if (changes > (length >= 3 ? length / 3 : 1) || (nearest->found != NULL && changes >= nearest->changes))
        return;
    nearest->found = candidate;
    nearest->changes = changes;
}
