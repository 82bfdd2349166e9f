/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells the service manager how the program fares (sd_notify(3)); where none asked nothing happens. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Everything is open and the work begins. From here on a step must be closed within the time that the
 * watchdog allows, which is made longer where steps of `step_ns` would need it; unless it may wait for its
 * input, as a replay may: then there is no watchdog. */
void notify_ready(bool may_wait, int64_t step_ns);

/* The reader has closed a step: it is alive. */
void notify_step(void);

/* The settings are being read again; and that has come to an end, this way or that. */
void notify_reloading(void);
void notify_reloaded(void);

/* What is left is writing the end. */
void notify_stopping(void);

/* A line on what it does and sees, for whoever asks the manager. */
__attribute__((format(printf, 1, 2))) void notify_status(const char *format, ...);
