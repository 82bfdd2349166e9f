/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages for the operator: one line each on standard error, behind the program's name, or for the journal
 * behind how grave it is. */
#pragma once

/* What is good to know; what somebody should look at, while the work goes on; what failed. */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_warn(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);

/* A line about how far it is, over the last one when standard error is a screen; log_say ends it properly.
 */
__attribute__((format(printf, 1, 2))) void log_progress(const char *format, ...);

/* Takes the progress line away. */
void log_progress_end(void);
