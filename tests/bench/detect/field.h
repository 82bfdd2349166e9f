/* SPDX-License-Identifier: BSD-3-Clause */
/* All rules of the field side by side on one stream. */
#pragma once

#include <stdint.h>

#include "rule.h"

enum { RULES = 9 };

/* The rules, in the order of their numbers. */
extern const struct rule *const field_rules[RULES];

struct field;

/* `down` is called at the end of the bin by which rule number `rule` holds a stream down that it held up
 * before; `onset_ns` is the start of that bin. NULL when there is no memory. */
struct field *field_new(const struct rule_setting *setting, int64_t begin_ns,
                        void (*down)(void *context, unsigned rule, int64_t decided_ns, int64_t onset_ns),
                        void *context);
void field_free(struct field *field);

/* Runs on to an instant, closing the bins that end by then; takes an event there. */
void field_run(struct field *field, int64_t to_ns);
void field_take(struct field *field, int64_t at_ns);
