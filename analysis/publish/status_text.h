/* SPDX-License-Identifier: BSD-3-Clause */
/* The present state in words: as metrics, as JSON, as a page. Each is written whole to `out`, whose errors
 * are the caller's to look for. */
#pragma once

#include <stdio.h>

#include "status.h"

/* Prometheus' text format 0.0.4. */
void metrics_text_write(const struct status *status, FILE *out);

/* A JSON object: the sensor, for each scope the object that Redis has too, and the open episodes as their
 * last events. */
void status_json_write(const struct status *status, FILE *out);

/* A line of JSON: whether the program works, and whether the sensor sees. */
void status_json_life(const struct status *status, const struct status_life *life, FILE *out);

/* The page, which fetches itself anew. */
void status_page_write(const struct status *status, const struct status_life *life, FILE *out);
