/* SPDX-License-Identifier: BSD-3-Clause */
/* Libraries that crash where they are refused memory: glibc when it reads nsswitch.conf, libgcrypt when nDPI
 * starts it. At the start that can be said like any other want of memory. */
#pragma once

/* From here on a crash (SIGSEGV, SIGABRT) is said to be that of `what`, and ends the program with status 1.
 * For the thread that sets up, before there are others; not within one another. */
void guard_begin(const char *what);

/* Crashes are crashes again. */
void guard_end(void);
