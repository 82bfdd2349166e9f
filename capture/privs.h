/* SPDX-License-Identifier: BSD-3-Clause */
/* The small rights: what is left to the program when it reads what strangers sent. */
#pragma once

#include "fault.h"
#include "settings.h"

/* PRIVS_OPENING: captures are about to be opened, which parses their first bytes; outputs are not open yet.
 * PRIVS_RUNNING: everything is open, and no thread runs yet. */
enum privs_stage { PRIVS_OPENING, PRIVS_RUNNING };

/* What holds. */
struct privs {
    bool confined; /* anything at all */
    char user[64];
    unsigned calls;   /* system calls that seccomp lets through; 0: it is not in force */
    int landlock_abi; /* 0: the kernel has no Landlock, or not for us */
};

/* Gives up what the settings do not need any more, for this thread and those that it starts from here on:
 * other users' rights, capabilities, new privileges, system calls, files. Each stage adds to the one before.
 * What the kernel does not have is no fault, but missing in `held`; -1 with the fault when the user cannot be
 * changed, or may not open what will have to be opened later. Does nothing with `confine = no`. */
int privs_confine(const struct settings *settings, enum privs_stage stage, struct privs *held,
                  struct fault *fault);

/* Whether the user that the settings name is there, and can be become (by anybody, for --check): 0, or -1
 * with the fault. */
int privs_check_user(const struct settings *settings, struct fault *fault);

/* What holds, in a line. */
void privs_format(const struct privs *held, char *text, size_t room);

/* Around the opening of a packet socket: makes use of CAP_NET_RAW, and puts it away again. Nothing happens
 * before the program is confined. For the calling thread. */
void privs_net_raw(bool in_use);

/* ---- between privs.c, privs_files.c and privs_calls.c ---- */

/* The files that a run opens from a stage on. */
struct privs_files;

/* NULL: no memory. */
struct privs_files *privs_files_new(const struct settings *settings, enum privs_stage stage);
void privs_files_free(struct privs_files *files);

/* The first of them that this thread may not use as it stands now, errno telling why; NULL: there is none. */
const char *privs_files_denied(const struct privs_files *files);

/* Prepares a Landlock ruleset for them: a descriptor, or -1 where the kernel has none, or -2
 * where not all of them could be opened for want of memory or files. */
int privs_files_ruleset(struct privs_files *files, const struct settings *settings, enum privs_stage stage,
                        int *abi);

/* Has the ruleset, which is closed, hold for this thread and those it starts. */
bool privs_files_hold(int ruleset);

/* Lets only those system calls through that the settings need. How many these are; 0: the kernel has no
 * seccomp. */
unsigned privs_calls_hold(const struct settings *settings, enum privs_stage stage);

/* Whether names of hosts, services or users may have to be looked up. */
bool privs_looks_up(const struct settings *settings, enum privs_stage stage);
