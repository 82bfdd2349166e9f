/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses were already seen in the present bin: an exact set, capped, forgotten at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct distinct;

/* Holds at most `addresses_max` (rounded up to a power of two) at a time. NULL: no memory. */
struct distinct *distinct_new(uint32_t addresses_max);
void distinct_free(struct distinct *set);

enum distinct_answer { DISTINCT_OLD, DISTINCT_NEW, DISTINCT_FULL };

/* Whether the address is new under this label (a scope and a role) since the last distinct_forget. */
enum distinct_answer distinct_add(struct distinct *set, uint32_t label, const uint8_t address[16]);

/* The same for addresses that anybody can forge: the last quarter of the room is not for them. */
enum distinct_answer distinct_add_forgeable(struct distinct *set, uint32_t label, const uint8_t address[16]);

/* Says that the address will be asked for, so that it is near then. Changes nothing. */
void distinct_expect(const struct distinct *set, uint32_t label, const uint8_t address[16]);

void distinct_forget(struct distinct *set);
