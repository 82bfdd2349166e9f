/* SPDX-License-Identifier: BSD-3-Clause */
/* What SIGHUP asks for: the settings read again beside the capture, by a thread of its own, since a long
 * watch list takes its time. */
#pragma once

#include <stdbool.h>

#include "settings.h"

struct reload;

/* Borrows the arguments of the program. NULL: no memory. */
struct reload *reload_new(int argc, char **argv);

/* Waits for what is under way and throws it away. NULL is fine. */
void reload_free(struct reload *reload);

/* Begins to read, unless that is under way already. -1 with the fault: there is no thread to be had. */
int reload_begin(struct reload *reload, struct fault *fault);

enum reload_news { RELOAD_NOTHING, RELOAD_READ, RELOAD_REFUSED };

/* What has come of it; told once. RELOAD_READ: `settings` are the caller's to free. RELOAD_REFUSED: the fault
 * says why.
 */
enum reload_news reload_look(struct reload *reload, struct settings **settings, struct fault *fault);
