/* SPDX-License-Identifier: BSD-3-Clause */
/* What is in force: the embedded default, a configuration file over it, the command line over both. */
#pragma once

#include <stdbool.h>

#include "analysis.h"
#include "capture.h"
#include "fault.h"
#include "publish.h"
#include "rules.h"
#include "scope.h"

enum settings_task {
    TASK_NONE,
    TASK_REPLAY,
    TASK_LIVE,
    TASK_BINS,
    TASK_FUSE,
    TASK_CHECK,
    TASK_HELP,
    TASK_VERSION
};

/* All strings and arrays are owned by the settings and live until settings_free. */
struct settings {
    enum settings_task task;
    struct capture_options capture;
    struct analysis_options analysis;
    struct publish_options publish;
    double state_every_s;  /* between checkpoints, by the wall clock */
    const char *bins_file; /* of TASK_BINS */
    double fuse_lateness_s;
    const char *config_path;
    bool quiet, verbose;
    const char *user;         /* whom to become once all is open; NULL: as privs.h says */
    bool confine;             /* rights that are not needed are given up */
    const char *const *files; /* those that were read, and are read again by a reload */
    size_t file_count;
    bool check;   /* print what is in force and leave */
    int progress; /* 1 or 0 as asked for, -1: when standard error is a terminal */
    struct rules rules;
    struct scope_list scopes;
    struct settings_store *store; /* private */

    /* while the settings are read */
    bool again;                                /* they have been read before */
    bool embedded;                             /* the embedded default is being read */
    const char *utc_offset;                    /* as it was written; publish.offset_min follows from it */
    bool own_watches, own_paths, own_services; /* not the embedded ones */
    bool command_line_watches;                 /* --watch has put away those of the files */
};

/* Reads the command line, and the files that it names. Returns 0, or -1 with the fault (exit status 2). */
int settings_read(struct settings *settings, int argc, char **argv, struct fault *fault);

/* The same while the program runs, which nobody may hold up: files are regular ones then, and none of them is
 * larger than any that is meant. */
int settings_read_again(struct settings *settings, int argc, char **argv, struct fault *fault);
void settings_free(struct settings *settings);

/* Overwrites the password in every URL of a command line, so that neither `ps` nor a report shows it. */
void command_line_hide(int argc, char **argv);

/* Of settings read anew: writes the keys that have another value now and take effect with the next start
 * only, as far as there is room, and returns how many there are. All others ([detect] but half_life, watches,
 * paths and services) can change while the program runs. */
size_t settings_unlike(const struct settings *now, const struct settings *next, char *text, size_t room);

/* Prints what is in force, in the form of a configuration file, to standard output. */
void settings_print(const struct settings *settings);

extern const char settings_help[];     /* the text of --help */
extern const char settings_embedded[]; /* the configuration that is in force without one */

/* ---- between settings.c, settings_rules.c and command_line.c, while the settings are read ---- */

/* Goes through the command line: the first time only for --config, --help and --version. */
int command_line_read(struct settings *settings, int argc, char **argv, bool first, struct fault *fault);

/* Sets a key of a section as a line of the configuration would. */
int settings_set(struct settings *settings, const char *section, const char *key, const char *value,
                 struct fault *fault);

/* Puts the watch list of the files away, the first time it is called. */
void settings_watch_anew(struct settings *settings);

/* The watch of this CIDR, added if there is none yet; NULL with the fault. Valid until the next is added. */
struct watch *settings_watch(struct settings *settings, const char *cidr, struct fault *fault);

/* Adds many at once; `prefixes` are sorted and each is there once. */
void settings_watch_many(struct settings *settings, const struct prefix *prefixes, size_t count);

/* Takes a line of a [watch CIDR], [path NAME] or [service NAME], or the head alone (key NULL); `name` is NULL
 * where the section has none. */
int settings_rule_set(struct settings *settings, const char *section, const char *name, const char *key,
                      const char *value, struct fault *fault);

/* Makes watch list and scopes of what was read. */
int settings_rules_finish(struct settings *settings, struct fault *fault);
void settings_rules_print(const struct settings *settings);

/* Where what is read just now comes from: a line of the configuration (> 0), or … And says it as a comment,
 * for --check. */
enum { SETTINGS_DEFAULT = 0, SETTINGS_COMMAND_LINE = -1, SETTINGS_ENVIRONMENT = -2 };
int settings_origin(const struct settings *settings);
void settings_print_origin(const struct settings *settings, int origin);

/* Whether a file may be read; `what` it is. -1 with the fault: it would have to be waited for. */
int settings_check_file(const struct settings *settings, const char *what, const char *path,
                        struct fault *fault);

/* Reads yes or no. */
int settings_yes_no(const char *key, const char *value, bool *yes, struct fault *fault);

/* Calls `take` for each word of a list parted by blanks or commas; the words are the settings' own. */
int settings_each_word(struct settings *settings, const char *value, struct fault *fault,
                       int (*take)(struct settings *, void *, char *, struct fault *), void *into);

/* Notes a file that is read, and read again by a reload. */
void settings_note_file(struct settings *settings, const char *path);

/* Memory that lives as long as the settings. settings_own_grown has room for one item more behind `count`;
 * an array has room for as many items as the next power of two says, and old blocks stay until the end. */
void *settings_own(struct settings *settings, void *memory);
char *settings_own_text(struct settings *settings, const char *text);
void *settings_own_grown(struct settings *settings, void *items, size_t count, size_t size);

#define SETTINGS_APPEND(settings, items, count)                                                              \
    ((items) = settings_own_grown((settings), (void *)(items), (count), sizeof *(items)), &(items)[(count)++])
