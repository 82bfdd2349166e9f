/* SPDX-License-Identifier: BSD-3-Clause */
/* How events are told: their published names, their JSON, and a sentence for people. */
#pragma once

#include <stddef.h>

#include "event.h"

/* The published names of the enums. */
const char *event_text_state(enum scope_state state);
const char *event_text_learning(enum learning learning);
const char *event_text_signal(enum signal signal);
const char *event_text_verdict(enum verdict verdict);
const char *event_text_action(enum event_action action);

/* Why a scope is still learning, for people; "" when it is not. */
const char *event_text_why_learning(enum learning learning);

/* "answered flows": the signal for people. */
const char *event_text_measure(enum signal signal);

/* The likeliest verdict and, unless `confidence` is NULL, its probability. */
enum verdict event_text_cause(const struct event *event, double *confidence);

/* 0 to 100:
 *
 *                              total  major  partial
 *   started, updated    all       90     70       50
 *                       other     70     50       30
 *   recovering          all       40, other 20
 *   ended                         10
 *   sensor impaired               60, restored 10
 */
int event_text_severity(const struct event *event);

/* When it ended: TIME_NONE unless the event says that it has. The sensor's return is told when it is certain.
 */
int64_t event_text_end(const struct event *event);

/* The depth in a word: "total" (0.95 and more), "major" (0.6 and more) or "partial"; and as people say it:
 * "dark", "mostly dark", "partly dark". */
const char *event_text_depth(double depth);
const char *event_text_darkness(double depth);

/* The episode's id (16 hexadecimal digits, of the sensor's name and the episode) and the event's
 * ("ID-SEQUENCE"). */
enum { EVENT_ID_MAX = 32 };
void event_text_outage_id(const struct event *event, const char *sensor, char text[EVENT_ID_MAX]);
void event_text_id(const struct event *event, const char *sensor, char text[EVENT_ID_MAX]);

/* "The whole watch list", "Prefix 175.45.176.0/24": the scope of an event in a sentence. */
void event_text_subject(const char *scope, char *text, size_t room);

/* One sentence for a person. */
enum { EVENT_MESSAGE_MAX = 640 };
void event_text_message(const struct event *event, const char *sensor, char text[EVENT_MESSAGE_MAX]);

/* The event as one line of JSON without the line's end, to be freed with free(); NULL when there is no
 * memory. */
char *event_text_json(const struct event *event, const char *sensor);
