/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files that a run opens once it is confined, and Landlock, which lets it open no others. A rule holds
 * for a file, or for all beneath a folder. What is written beside itself and renamed, and what somebody may
 * replace before a SIGHUP, is another file then: so the rule is its folder's.
 */
#include "privs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What newer kernels know, and headers of older ones do not name. */
enum { ABI_REFER = 2, ABI_TRUNCATE, ABI_NETWORK, ABI_DEVICES, ABI_SCOPES };
#define RIGHT_TRUNCATE    (UINT64_C(1) << 14)
#define RIGHT_DEVICES     (UINT64_C(1) << 15)
#define RIGHT_BIND_TCP    (UINT64_C(1) << 0)
#define RIGHT_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_SIGNALS     (UINT64_C(1) << 1)

struct ruleset {
    uint64_t files, network, scoped;
};

enum {
    READS = LANDLOCK_ACCESS_FS_READ_FILE,
    LISTS = LANDLOCK_ACCESS_FS_READ_DIR,
    WRITES = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |
             RIGHT_TRUNCATE,
    OF_A_FILE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
                RIGHT_TRUNCATE | RIGHT_DEVICES
};

/* A path, what Landlock is to let through there (0: something above it does), and what the user must be
 * allowed there (0: it may be missing). */
struct use {
    char *path;
    uint64_t rights;
    int mode;
};

struct privs_files {
    struct use *uses;
    size_t count;
    bool failed; /* there was no memory, or no file left to open */
};

/* ---- which ---- */

static void add(struct privs_files *files, const char *path, uint64_t rights, int mode)
{
    struct use *uses = realloc(files->uses, (files->count + 1) * sizeof *uses);
    char *copy = strdup(path);
    if (uses != NULL)
        files->uses = uses;
    if (uses == NULL || copy == NULL) {
        free(copy);
        files->failed = true;
        return;
    }
    uses[files->count++] = (struct use){copy, rights, mode};
}

/* The folder of a file; where that is a link, the folder of what it leads to as well. */
static void add_folder_of(struct privs_files *files, const char *path, uint64_t rights, int mode)
{
    char target[PATH_MAX], *copy = strdup(path);
    if (copy == NULL) {
        files->failed = true;
        return;
    }
    add(files, dirname(copy), rights, mode);
    free(copy);
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && realpath(path, target) != NULL)
        add(files, dirname(target), rights, 0);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* What is in a folder of captures; links lead out of it. */
static void add_entries(struct privs_files *files, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, NULL);
    files->failed |= count < 0 && errno == ENOMEM;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat status;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < sizeof path &&
            stat(path, &status) == 0 && S_ISREG(status.st_mode))
            add(files, path, entries[i]->d_type == DT_REG ? 0 : READS, R_OK);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void add_inputs(struct privs_files *files, const struct settings *settings)
{
    const struct capture_options *capture = &settings->capture;
    struct stat status;
    for (size_t i = 0; i < capture->read_count; i++) {
        if (strcmp(capture->reads[i], "-") == 0)
            continue;
        add(files, capture->reads[i], READS | LISTS, R_OK);
        if (stat(capture->reads[i], &status) == 0 && S_ISDIR(status.st_mode))
            add_entries(files, capture->reads[i]);
    }
    if (settings->task == TASK_BINS)
        add(files, settings->bins_file, READS, R_OK);
}

/* What a lookup of names reads, wherever it leads, and the certificates that Redis' is held against. */
static void add_lookups(struct privs_files *files)
{
    static const char *const folders[] = {"/etc",
                                          "/lib",
                                          "/usr/lib",
                                          "/run/systemd/resolve",
                                          "/run/NetworkManager",
                                          "/run/resolvconf",
                                          "/run/connman",
                                          "/usr/share/ca-certificates",
                                          "/usr/local/share/ca-certificates"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        add(files, folders[i], READS, 0);
}

static void add_outputs(struct privs_files *files, const struct publish_options *publish)
{
    const char *const paths[] = {publish->events_path, publish->bins_path, publish->flows_path,
                                 publish->report_path};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] != NULL && strcmp(paths[i], "-") != 0)
            add_folder_of(files, paths[i], READS | LISTS | WRITES, 0);
}

struct privs_files *privs_files_new(const struct settings *settings, enum privs_stage stage)
{
    struct privs_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return NULL;
    add_inputs(files, settings);
    for (size_t i = 0; i < settings->file_count; i++)
        add_folder_of(files, settings->files[i], READS, 0);
    const char *const renamed[] = {settings->publish.state_path, settings->publish.redis.spool_path};
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (renamed[i] != NULL)
            add_folder_of(files, renamed[i], READS | LISTS | WRITES, W_OK | X_OK);
    if (stage == PRIVS_OPENING)
        add_outputs(files, &settings->publish);
    add(files, "/dev/urandom", READS, 0);
#ifdef COVERAGE_FOLDER /* `make coverage`: what has run is counted there at exit */
    add(files, COVERAGE_FOLDER, READS | WRITES, 0);
#endif
    if (privs_looks_up(settings, stage))
        add_lookups(files);
    if (!files->failed)
        return files;
    privs_files_free(files);
    return NULL;
}

void privs_files_free(struct privs_files *files)
{
    for (size_t i = 0; files != NULL && i < files->count; i++)
        free(files->uses[i].path);
    if (files != NULL)
        free(files->uses);
    free(files);
}

const char *privs_files_denied(const struct privs_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct use *use = &files->uses[i];
        if (use->mode != 0 && faccessat(AT_FDCWD, use->path, use->mode, AT_EACCESS) != 0)
            return use->path;
    }
    return NULL;
}

/* ---- Landlock ---- */

/* Newer kernels do not hold back what they know and the older ones did not. */
static struct ruleset all_rights(int abi, const struct settings *settings, enum privs_stage stage)
{
    struct ruleset all = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    if (abi >= ABI_REFER)
        all.files |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= ABI_TRUNCATE)
        all.files |= RIGHT_TRUNCATE;
    if (abi >= ABI_DEVICES)
        all.files |= RIGHT_DEVICES;
    if (abi >= ABI_NETWORK && stage == PRIVS_RUNNING)
        all.network = RIGHT_BIND_TCP | (privs_looks_up(settings, stage) ? 0 : RIGHT_CONNECT_TCP);
    if (abi >= ABI_SCOPES)
        all.scoped = SCOPE_SIGNALS;
    return all;
}

/* A path that is not there, or is a pipe or socket without a place in a file system, needs no rule. */
static void add_rule(struct privs_files *files, int ruleset, const struct use *use, uint64_t handled)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = use->rights & handled};
    struct stat status;
    if (use->rights == 0)
        return;
    if ((rule.parent_fd = open(use->path, O_PATH | O_CLOEXEC)) < 0) {
        files->failed |= errno == ENOMEM || errno == EMFILE || errno == ENFILE;
        return;
    }
    if (fstat(rule.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
        rule.allowed_access &= OF_A_FILE;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

int privs_files_ruleset(struct privs_files *files, const struct settings *settings, enum privs_stage stage,
                        int *abi)
{
    *abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (*abi <= 0)
        return -1;
    const struct ruleset all = all_rights(*abi, settings, stage);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    for (size_t i = 0; ruleset >= 0 && i < files->count; i++)
        add_rule(files, ruleset, &files->uses[i], all.files);
    if (!files->failed)
        return ruleset;
    if (ruleset >= 0)
        close(ruleset);
    return -2;
}

bool privs_files_hold(int ruleset)
{
    if (ruleset < 0)
        return false;
    bool held = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return held;
}
