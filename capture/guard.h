/* SPDX-License-Identifier: BSD-3-Clause */
/* Libraries that crash, or end the program, where they are refused memory: glibc when it reads nsswitch.conf,
 * libgcrypt when nDPI starts it, libpcap when it compiles a filter. That can be said like any other want. */
#pragma once

/* From here on a crash of this thread (SIGSEGV, SIGABRT), or its exit, is said to be that of `what`, which is
 * borrowed, and ends the program with status 1. One thread at a time: others wait. Not within one another. */
void guard_begin(const char *what);

/* Crashes are crashes again. */
void guard_end(void);
