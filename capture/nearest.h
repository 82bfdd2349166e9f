/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of the words that there are was meant by one that there is not. */
#pragma once

#include <stddef.h>

struct nearest {
    const char *word;  /* as written; borrowed */
    const char *found; /* the best so far, borrowed; NULL: none is near */
    size_t changes;    /* of one letter, or of two beside each other, that lead to it */
};

/* Begins with no candidate. */
void nearest_begin(struct nearest *nearest, const char *word);

/* Looks at a candidate: one that begins with the word is near, and one that a change for every three letters,
 * or one at least, leads to (optimal string alignment distance). The first of equals stays. */
void nearest_try(struct nearest *nearest, const char *candidate);
