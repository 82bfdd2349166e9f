/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing text into bounded memory: instants, numbers, and strings that may hold anything. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that grows from `start` towards `end`, always ended by a zero; what finds no room sets `cut`. */
struct text {
    char *start, *at, *end;
    bool cut;
};

/* Begins an empty text in `room` bytes (at least 1), which are borrowed. */
struct text text_in(char *bytes, size_t room);

void text_put(struct text *text, const char *string);
void text_count(struct text *text, uint64_t number);
__attribute__((format(printf, 2, 3))) void text_format(struct text *text, const char *format, ...);

/* The string as JSON, in quotes; bytes that are no UTF-8 become U+FFFD. */
void text_json(struct text *text, const char *string);

/* The string for HTML; bytes that are no UTF-8 become U+FFFD, control bytes a question mark. */
void text_html(struct text *text, const char *string);

/* Copies a string of unknown origin as valid UTF-8, bad bytes as U+FFFD, cut between characters to fit
 * `room`. */
void text_utf8(const char *string, char *clean, size_t room);

/* An instant as "2025-06-07T00:14:09.123456Z" or, of whole seconds, "2025-06-07T00:14:09Z"; rounded down. */
enum { TEXT_TIME_MAX = 40 };
void text_time(int64_t at_ns, char text[TEXT_TIME_MAX]);
void text_time_s(int64_t at_ns, char text[TEXT_TIME_MAX]);

/* An instant for people: "2025-06-07 00:14:09", or only "00:14:09" when the day is that of `beside_ns`
 * (TIME_NONE: never). */
void text_clock(int64_t at_ns, int64_t beside_ns, char text[TEXT_TIME_MAX]);

/* Numbers for people, written into `text`, which is returned: "1,234,567", and a rate with as many decimals
 * as say something. */
enum { TEXT_NUMBER_MAX = 32 };
const char *text_grouped(uint64_t number, char text[TEXT_NUMBER_MAX]);
const char *text_rate(double value, char text[TEXT_NUMBER_MAX]);

/* A length of time for people, of its two or three largest parts: "7 h 38 min 22 s", "2 d 4 h", "12.3 s". */
enum { TEXT_SPAN_MAX = 64 };
void text_span(double seconds, char text[TEXT_SPAN_MAX]);
