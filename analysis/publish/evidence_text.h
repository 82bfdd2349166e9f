/* SPDX-License-Identifier: BSD-3-Clause */
/* How the evidence behind a verdict is told. */
#pragma once

#include "event.h"
#include "text.h"

/* The published name of a kind. */
const char *evidence_text_name(enum evidence_kind kind);

/* What was seen, as part of a sentence for a person. */
void evidence_text_say(const struct event_evidence *evidence, struct text *out);

/* A value of this kind, or the usual one, as a figure with its unit: "102 %"; nothing where it means nothing.
 */
void evidence_text_value(enum evidence_kind kind, double value, struct text *out);

/* How much it says, and of what: "clearly for internal", "somewhat against attack",
 * or that it says little. */
void evidence_text_weight(const struct event_evidence *evidence, struct text *out);
