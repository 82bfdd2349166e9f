/* SPDX-License-Identifier: BSD-3-Clause */
/* How closed bins are told: their published names, as a row of CSV and as JSON. */
#pragma once

#include "event.h"
#include "scope.h"
#include "text.h"

enum { BIN_ROW_MAX = 1024 };

/* The header of the CSV, with its line's end. */
void bin_text_header(struct text *out);

/* A row of the CSV, with its line's end; what is unknown is an empty cell. `out` has BIN_ROW_MAX bytes of
 * room. */
void bin_text_row(const struct bin *bin, const struct scope *scope, struct text *out);

/* The same as a JSON object, what is unknown left out, with the signal, what was really watched (`start`,
 * `end`), and the scope's outage as it stands. */
enum { BIN_JSON_MAX = 3072 };
void bin_text_json(const struct bin *bin, const struct scope *scope, struct text *out);

/* Reads that object back: 0, or -1 where it is none. What it does not say of the bin is unknown. */
int bin_text_read(const char *json, size_t length, struct bin *bin, struct scope *scope);

/* The interfaces of a live tap, by number. */
struct bin_interfaces {
    const char *const *names;
    uint32_t count;
};

/* The current state of a scope as a JSON object, from its last bin (`time`, watched until `end`), with the id
 * of its open episode unless that is NULL. Rates are a minute; of a live tap it tells what each interface
 * lost in the bin, null where that is not known. `out` has BIN_JSON_MAX bytes of room here too. */
void bin_text_state(const struct bin *bin, const struct scope *scope, const struct bin_interfaces *interfaces,
                    const char *outage_id, struct text *out);

/* What the bin counted of its signal, and what was expected of it; negative: not known. */
double bin_text_observed(const struct bin *bin);
double bin_text_expected(const struct bin *bin);

/* The false alarms a year that the silences seen so far stand for; negative: too few were due to tell. */
double bin_text_realised(const struct alarm_rate *alarms);

/* The length of what was really watched, in minutes. */
double bin_text_minutes(const struct bin *bin);
