/* SPDX-License-Identifier: BSD-3-Clause */
#include "privs.h"

#include <cap-ng.h>
#include <dlfcn.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "memory.h"

/* The user that Debian's package makes. */
static const char own_user[] = "lightsout";

/* What was kept, a bit a capability; set before there are threads. That by which root opens others' files is
 * always in use, CAP_NET_RAW hardly ever. */
static uint64_t kept;
static bool always_raw; /* the kept right to open raw sockets could not be put away */
static bool confined;

#define BIT(capability) (UINT64_C(1) << (capability))

bool privs_looks_up(const struct settings *settings, enum privs_stage stage)
{
    const char *url = settings->publish.redis.url;
    return stage == PRIVS_OPENING || settings->capture.filter != NULL ||
           (url != NULL && strncmp(url, "unix:", 5) != 0);
}

/* ---- the user ---- */

static const char of_user[] = "the look-up of the user";

/* NULL with the fault: it cannot be said whether there is such a user. NULL without (its text is empty):
 * there is none. */
static const struct passwd *look_up(const char *name, struct fault *fault)
{
    fault->text[0] = '\0';
    guard_begin(of_user);
    errno = 0;
    const struct passwd *user = getpwnam(name);
    const int error = errno;
    guard_end();
    if (user == NULL && (error == ENOMEM || error == EMFILE || error == ENFILE))
        fault_errno(fault, error, "user %s cannot be looked up: %s", name, strerror(error));
    return user;
}

int privs_check_user(const struct settings *settings, struct fault *fault)
{
    const char *name = settings->user;
    if (name == NULL || confined) /* by then it cannot change, nor be looked up */
        return 0;
    const struct passwd *user = look_up(name, fault);
    if (user == NULL && fault->text[0] != '\0')
        return -1;
    if (user == NULL)
        return fault_set(fault, "user = %s: there is no such user: `adduser --system %s` makes it", name,
                         name);
    if (geteuid() != 0 && user->pw_uid != geteuid() && !settings->check) /* anybody may check */
        return fault_set(
            fault, "user = %s: only root can become another user: start as root, or leave the key out", name);
    return 0;
}

/* Whom to become; NULL: nobody else, or the fault as above. Root that watches becomes the program's own user
 * where there is one; a replay reads what root may read. */
static const struct passwd *find_user(const struct settings *settings, struct fault *fault)
{
    fault->text[0] = '\0';
    const char *name = settings->user != NULL        ? settings->user
                       : settings->task == TASK_LIVE ? own_user
                                                     : NULL;
    const struct passwd *user = name != NULL && geteuid() == 0 ? look_up(name, fault) : NULL;
    return user != NULL && user->pw_uid != 0 ? user : NULL;
}

/* ---- capabilities ---- */

/* Of this thread. */
static int set_capabilities(uint64_t permitted, uint64_t effective)
{
    static const unsigned all[] = {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_RAW};
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (permitted & BIT(all[i]))
            capng_update(CAPNG_ADD, CAPNG_PERMITTED, all[i]);
        if (effective & BIT(all[i]))
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, all[i]);
    }
    return capng_apply(CAPNG_SELECT_CAPS);
}

void privs_net_raw(bool in_use)
{
    if (kept & BIT(CAP_NET_RAW))
        set_capabilities(kept, in_use ? kept : kept & ~BIT(CAP_NET_RAW));
}

/* Becomes the user, with the groups of that user. */
static int change_user(const struct passwd *user, struct fault *fault)
{
    capng_clear(CAPNG_SELECT_ALL);
    if (kept & BIT(CAP_NET_RAW))
        capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_NET_RAW);
    guard_begin(of_user);
    int result = capng_change_id((int)user->pw_uid, (int)user->pw_gid, CAPNG_INIT_SUPP_GRP);
    const int error = errno;
    guard_end();
    return result == 0 ? 0
                       : fault_set(fault,
                                   "cannot become user %s (%s): start as root with CAP_SETUID, "
                                   "CAP_SETGID and CAP_SETPCAP, or leave `user` out",
                                   user->pw_name, strerror(error));
}

static bool has(unsigned capability)
{
    return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, capability) != 0;
}

/* Root without capabilities may not open what belongs to others. It keeps the least that opens all it will
 * have to open. What not even that opens is told by whoever opens it. */
static void keep_for_files(const struct privs_files *files)
{
    const uint64_t ways[] = {0, BIT(CAP_DAC_READ_SEARCH), BIT(CAP_DAC_OVERRIDE)};
    uint64_t have = (has(CAP_DAC_READ_SEARCH) ? ways[1] : 0) | (has(CAP_DAC_OVERRIDE) ? ways[2] : 0);
    for (size_t i = 0; i < 3; i++) {
        if ((ways[i] & ~have) != 0 || set_capabilities(kept | have, ways[i]) != 0 ||
            privs_files_denied(files) != NULL)
            continue;
        kept |= ways[i];
        return;
    }
}

/* Whether there is nothing to give up that is not kept: what a service manager leaves that forbids capset. */
static bool has_only_what_is_kept(void)
{
    if (capng_get_caps_process() != 0)
        return false;
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (capng_have_capability(CAPNG_PERMITTED, i) && (kept & BIT(i)) == 0)
            return false;
    return geteuid() != 0;
}

/* What could come back by executing something. The bounding set is root's to empty; without new privileges it
 * is of no use to others. */
static void drop_inheritance(void)
{
    capng_clear(CAPNG_SELECT_ALL);
    int emptied = capng_apply(CAPNG_SELECT_BOUNDS);
    (void)emptied; /* a newer libcap-ng insists on being asked */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int check_files(const struct privs_files *files, const struct passwd *user, struct fault *fault)
{
    const char *denied = user != NULL ? privs_files_denied(files) : NULL;
    if (denied == NULL)
        return 0;
    return fault_set(fault, "%s: user %s may not use it (%s): give it to that user, or set `user` to another",
                     denied, user->pw_name, strerror(errno));
}

/* ---- in order ---- */

/* What glibc opens only once a thread is cancelled, or a date is written: too late. */
static void open_early(void)
{
    dlopen("libgcc_s.so.1", RTLD_NOW);
    tzset();
}

static void note_user(const struct passwd *user, struct privs *held)
{
    guard_begin(of_user);
    errno = 0;
    if (user == NULL)
        user = getpwuid(geteuid());
    if (user == NULL && errno == ENOMEM)
        memory_end(of_user);
    guard_end();
    if (user != NULL)
        snprintf(held->user, sizeof held->user, "%s", user->pw_name);
    else
        snprintf(held->user, sizeof held->user, "%u", (unsigned)geteuid());
}

static int give_up_rights(const struct settings *settings, const struct privs_files *files,
                          struct privs *held, struct fault *fault)
{
    const struct passwd *user = find_user(settings, fault);
    if (user == NULL && fault->text[0] != '\0')
        return -1;
    note_user(user, held);
    kept = settings->task == TASK_LIVE && has(CAP_NET_RAW) ? BIT(CAP_NET_RAW) : 0;
    drop_inheritance();
    if (user != NULL && change_user(user, fault) != 0)
        return -1;
    if (user == NULL && geteuid() == 0)
        keep_for_files(files);
    always_raw = set_capabilities(kept, kept & ~BIT(CAP_NET_RAW)) != 0;
    if (always_raw && !has_only_what_is_kept())
        return fault_set(
            fault, "cannot give up capabilities: %s; allow the system call capset, or set `confine = no`",
            strerror(errno));
    return check_files(files, user, fault);
}

int privs_confine(const struct settings *settings, enum privs_stage stage, struct privs *held,
                  struct fault *fault)
{
    *held = (struct privs){.confined = settings->confine};
    if (!settings->confine)
        return 0;
    struct privs_files *files = privs_files_new(settings, stage);
    if (files == NULL)
        return fault_errno(fault, ENOMEM, "no memory for a list of files");
    open_early();
    confined = true;
    int ruleset = privs_files_ruleset(files, settings, stage, &held->landlock_abi);
    if (ruleset == -2) {
        privs_files_free(files);
        return fault_errno(fault, EMFILE, "no files left to open for the list of files: raise `ulimit -n`");
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int result = stage == PRIVS_RUNNING ? give_up_rights(settings, files, held, fault) : 0;
    privs_files_free(files);
    if (result != 0) {
        if (ruleset >= 0)
            close(ruleset);
        return -1;
    }
    if (!privs_files_hold(ruleset))
        held->landlock_abi = 0;
    held->calls = privs_calls_hold(settings, stage);
    return 0;
}

/* ---- what holds ---- */

static void tell_capabilities(char text[160])
{
    const char *raw = (kept & BIT(CAP_NET_RAW)) == 0 ? ""
                      : always_raw                   ? "CAP_NET_RAW"
                                   : "CAP_NET_RAW (put away but to open an interface again that was gone)";
    const char *files = kept & BIT(CAP_DAC_OVERRIDE)      ? "CAP_DAC_OVERRIDE (files of others)"
                        : kept & BIT(CAP_DAC_READ_SEARCH) ? "CAP_DAC_READ_SEARCH (files of others)"
                                                          : "";
    snprintf(text, 160, "%s%s%s", kept == 0 ? "none" : raw, *raw != '\0' && *files != '\0' ? ", " : "",
             files);
}

void privs_format(const struct privs *held, char *text, size_t room)
{
    if (!held->confined) {
        snprintf(text, room, "all rights that it was started with (confine = no)");
        return;
    }
    char own[160], calls[64] = "no seccomp in this kernel", files[64] = "no Landlock in this kernel";
    tell_capabilities(own);
    if (held->calls > 0)
        snprintf(calls, sizeof calls, "%u system calls (seccomp)", held->calls);
    if (held->landlock_abi > 0)
        snprintf(files, sizeof files, "only the files in use (Landlock %d)", held->landlock_abi);
    snprintf(text, room, "user %s, capabilities: %s, no new privileges, %s, %s", held->user, own, calls,
             files);
}
