/* SPDX-License-Identifier: BSD-3-Clause */
/* What report and live page have in common: frame, style, script and the sections that both show. */
#pragma once

#include <stdio.h>

#include "event.h"
#include "health.h"
#include "picture.h"

/* The style and the script, which stand in the page itself, and what a page may do: these two by their hashes
 * and nothing else; the live one may also ask for itself. Made of page.css and page.js by page_files.sh. */
extern const char page_style[], page_script[], page_policy[], page_policy_live[];

/* The colour in which something is told. */
enum page_mood { PAGE_GOOD, PAGE_BAD, PAGE_WARN, PAGE_IDLE };
const char *page_mood(enum page_mood mood);
enum page_mood page_mood_of(enum scope_state state);

void page_escape(const char *raw, FILE *out);

/* The offset of the watched side's clock from UTC, as people write it: "UTC+9". */
enum { PAGE_ZONE_MAX = 16 };
void page_zone(int32_t offset_min, char text[PAGE_ZONE_MAX]);

/* An instant in UTC and, unless the offset is 0, in the watched side's time; the day is left out where it
 * is that of `beside_ns`. */
void page_clock(int64_t at_ns, int64_t beside_ns, int32_t offset_min, FILE *out);

/* Everything before the page's own content: the title is put together of a word (or NULL) and the sensor.
 * `live`: it fetches itself anew, and its policy comes as a header. */
void page_begin(const char *word, const char *sensor, enum page_mood mood, bool live, FILE *out);

/* The places where the script draws, with their headings and the key: the timeline, then what it is made of,
 * with the picture itself as data. */
void page_timeline(const struct picture *picture, FILE *out);
void page_parts(const struct picture *picture, int32_t offset_min, FILE *out);

/* The causes of an outage by how likely they are, what went down with it and came back, and the evidence,
 * each with its value and the usual one. */
void page_why(const struct event *event, int32_t offset_min, FILE *out);

/* Rows of a list: packets read, and what was lost of them or is to be noted otherwise. */
void page_packets(const struct health *health, FILE *out);
void page_losses(const struct health *health, FILE *out);

/* The script, and the end. */
void page_end(FILE *out);
