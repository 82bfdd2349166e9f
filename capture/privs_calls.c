/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls of the program and of the libraries that it uses, on Debian 12 and 13. One that is missing
 * here is refused as if the kernel did not have it (ENOSYS): then libraries fall back to what they did before
 * there was that call, and a sensor goes on. The kernel's log names each call refused. What no honest path
 * ever calls, but an intruder's first step does, ends the program.
 */
#include "privs.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INSTRUCTIONS_MAX = 2048 };

static const char *const allowed[] = {
    /* files */
    "read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "_llseek", "close", "open", "openat",
    "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "statfs",
    "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
    "getcwd", "fcntl", "fcntl64", "dup", "dup2", "dup3", "ftruncate", "ftruncate64", "fallocate", "fsync",
    "fdatasync", "flock", "rename", "renameat", "renameat2", "unlink", "unlinkat", "umask", "fadvise64",
    "fadvise64_64", "readahead",
    /* what is waited for */
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "pipe",
    "pipe2", "restart_syscall",
    /* a browser, Redis, the service manager, name servers, rtnetlink */
    "accept", "accept4", "shutdown", "recv", "recvfrom", "recvmsg", "recvmmsg", "send", "sendto", "sendmsg",
    "sendmmsg", "getsockopt", "setsockopt", "getsockname", "getpeername", "connect", "bind",
    /* memory */
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock", "membarrier", "get_mempolicy",
    /* threads */
    "clone3", "futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq", "exit", "exit_group",
    "gettid", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "getcpu", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "rt_sigpending",
    "rt_sigtimedwait",
    /* time; mostly answered without the kernel */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64",
    "nanosleep", "gettimeofday", "time",
    /* who and where we are */
    "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32",
    "getegid32", "getgroups", "getgroups32", "getresuid", "getresgid", "getrlimit", "ugetrlimit", "getrusage",
    "uname", "sysinfo", "getrandom", "times", "capget"};

/* For what stands between the two stages. */
static const char *const opening[] = {"capset",
                                      "setuid",
                                      "setgid",
                                      "setresuid",
                                      "setresgid",
                                      "setreuid",
                                      "setregid",
                                      "setgroups",
                                      "setresuid32",
                                      "setgroups32",
                                      "setresgid32",
                                      "landlock_create_ruleset",
                                      "landlock_add_rule",
                                      "landlock_restrict_self",
                                      "seccomp",
                                      "prctl",
                                      "listen"};

static const char *const fatal[] = {
    "execve", "execveat",    "fork",         "vfork", "ptrace",     "process_vm_readv", "process_vm_writev",
    "bpf",    "init_module", "finit_module", "mount", "userfaultfd"};

/* What the kernel runs on each call. It is put together here, and without memory: libseccomp, of which the
 * names are, goes on with what it was not given, and lets the wrong calls through or crashes. */
struct filter {
    struct sock_filter code[INSTRUCTIONS_MAX];
    unsigned length; /* beyond INSTRUCTIONS_MAX: there was no room */
    unsigned calls;
};

/* An argument, seen through a mask, has a value. */
struct condition {
    unsigned argument;
    uint64_t mask, value;
};

static void put(struct filter *filter, unsigned code, uint32_t operand, unsigned otherwise)
{
    if (filter->length++ < INSTRUCTIONS_MAX)
        filter->code[filter->length - 1] =
            (struct sock_filter){.code = (uint16_t)code, .jf = (uint8_t)otherwise, .k = operand};
}

enum { LOAD = BPF_LD | BPF_W | BPF_ABS, AND = BPF_ALU | BPF_AND | BPF_K, ANSWER = BPF_RET | BPF_K };
enum { UNLESS = BPF_JMP | BPF_JEQ | BPF_K }; /* it is that, jump over so many */

static void begin(struct filter *filter)
{
    filter->length = filter->calls = 0;
    put(filter, LOAD, offsetof(struct seccomp_data, arch), 0);
    put(filter, UNLESS, seccomp_arch_native(), 1);
    put(filter, BPF_JMP | BPF_JA, 1, 0);
    put(filter, ANSWER, SECCOMP_RET_KILL_PROCESS, 0);
}

/* Half of an argument, the lower or the upper: three instructions. */
static void compare(struct filter *filter, const struct condition *condition, bool upper, unsigned otherwise)
{
    const bool second = upper == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    const unsigned shift = upper ? 32 : 0;
    put(filter, LOAD,
        (uint32_t)(offsetof(struct seccomp_data, args) + condition->argument * sizeof(uint64_t) +
                   second * sizeof(uint32_t)),
        0);
    put(filter, AND, (uint32_t)(condition->mask >> shift), 0);
    put(filter, UNLESS, (uint32_t)(condition->value >> shift), otherwise);
}

/* A call that this kernel's or this library's time does not know yet needs no rule. */
static void act(struct filter *filter, uint32_t action, const char *name, unsigned count,
                const struct condition *conditions)
{
    int number = seccomp_syscall_resolve_name(name);
    unsigned rest = 6 * count + 1; /* instructions behind the one under way */
    if (number < 0)
        return;
    put(filter, LOAD, offsetof(struct seccomp_data, nr), 0);
    put(filter, UNLESS, (uint32_t)number, rest);
    for (unsigned i = 0; i < 2 * count; i++)
        compare(filter, &conditions[i / 2], i % 2 > 0, rest -= 3);
    put(filter, ANSWER, action, 0);
}

static void allow(struct filter *filter, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        filter->calls += seccomp_syscall_resolve_name(names[i]) >= 0;
        act(filter, SECCOMP_RET_ALLOW, names[i], 0, NULL);
    }
}

#define ALLOW(filter, names) allow(filter, names, sizeof(names) / sizeof *(names))

/* Lets a call through on a condition. */
static void allow_where(struct filter *filter, const char *name, unsigned argument, uint64_t mask,
                        uint64_t value)
{
    const struct condition condition = {argument, mask, value};
    act(filter, SECCOMP_RET_ALLOW, name, 1, &condition);
}

/* Nothing is made executable that was written to. Whoever looks up names loads the libraries that
 * nsswitch.conf asks for. */
static void allow_memory(struct filter *filter, bool looks_up)
{
    filter->calls += 2;
    for (int old = 0; old < 2; old++) {
        const char *name = old ? "mmap2" : "mmap";
        allow_where(filter, name, 2, PROT_EXEC, 0);
        if (looks_up)
            allow_where(filter, name, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC);
    }
    allow_where(filter, "mprotect", 2, PROT_EXEC, 0);
}

/* Threads, but no other process; signals to this one only. */
static void allow_threads(struct filter *filter)
{
    filter->calls += 4;
    allow_where(filter, "clone", 0, CLONE_THREAD, CLONE_THREAD);
    allow_where(filter, "tgkill", 0, UINT32_MAX, (uint64_t)getpid());
    allow_where(filter, "prctl", 0, UINT32_MAX, PR_SET_NAME);
    allow_where(filter, "prctl", 0, UINT32_MAX, PR_GET_SECCOMP);
    allow_where(filter, "prctl", 0, UINT32_MAX, PR_CAPBSET_READ);
    allow_where(filter, "prctl", 0, UINT32_MAX, PR_SET_VMA); /* a name for memory */
    /* Limits are asked, not set. */
    allow_where(filter, "prlimit64", 2, UINT64_MAX, 0);
}

#define DOMAIN(domain)                                                                                       \
    {                                                                                                        \
        0, UINT32_MAX, (domain)                                                                              \
    }
#define TYPE(type)                                                                                           \
    {                                                                                                        \
        1, 0xff, (type)                                                                                      \
    }

static void allow_sockets(struct filter *filter, bool live, bool looks_up)
{
    /* No raw ones. */
    static const struct condition internet[][2] = {{DOMAIN(AF_INET), TYPE(SOCK_STREAM)},
                                                   {DOMAIN(AF_INET), TYPE(SOCK_DGRAM)},
                                                   {DOMAIN(AF_INET6), TYPE(SOCK_STREAM)},
                                                   {DOMAIN(AF_INET6), TYPE(SOCK_DGRAM)}};
    filter->calls += 2;
    allow_where(filter, "socket", 0, UINT32_MAX, AF_UNIX);
    if (live || looks_up)
        allow_where(filter, "socket", 0, UINT32_MAX, AF_NETLINK);
    if (live)
        allow_where(filter, "socket", 0, UINT32_MAX, AF_PACKET);
    if (live || looks_up)
        for (size_t i = 0; i < sizeof internet / sizeof *internet; i++)
            act(filter, SECCOMP_RET_ALLOW, "socket", 2, internet[i]);
    allow_where(filter, "ioctl", 1, UINT32_MAX, TCGETS);     /* is it a terminal … */
    allow_where(filter, "ioctl", 1, UINT32_MAX, TIOCGWINSZ); /* … and how wide */
    allow_where(filter, "ioctl", 1, UINT32_MAX, FIONREAD);
    allow_where(filter, "ioctl", 1, UINT32_MAX, FIONBIO);
    if (live)
        allow_where(filter, "ioctl", 1, 0xffffff00, 0x8900); /* what an interface is */
}

static void rule(struct filter *filter, const struct settings *settings, enum privs_stage stage)
{
    static const char *const for_live[] = {"capset"};
    bool live = settings->task == TASK_LIVE, looks_up = privs_looks_up(settings, stage);
    ALLOW(filter, allowed);
    if (stage == PRIVS_OPENING)
        ALLOW(filter, opening);
    if (live)
        ALLOW(filter, for_live);
    allow_memory(filter, looks_up);
    allow_threads(filter);
    allow_sockets(filter, live, looks_up);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        act(filter, SECCOMP_RET_KILL_PROCESS, fatal[i], 0, NULL);
}

/* In force from here on, for all threads. */
static bool load(struct filter *filter, uint32_t otherwise, bool logged)
{
    /* Without what older kernels do to code from strangers, which there is none of, and which costs. */
    const unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
                           (logged ? (unsigned)SECCOMP_FILTER_FLAG_LOG : 0);
    put(filter, ANSWER, otherwise, 0);
    const struct sock_fprog program = {.len = (unsigned short)filter->length, .filter = filter->code};
    return filter->length <= INSTRUCTIONS_MAX &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

/* clone3 hides its flags from a filter; clone does not, and is used where there is no clone3. That is so of
 * each thread and nothing for the kernel's log: hence a filter of its own, and in the other one it is
 * allowed. */
static bool refuse_clone3(void)
{
    struct filter filter;
    begin(&filter);
    act(&filter, SECCOMP_RET_ERRNO | ENOSYS, "clone3", 0, NULL);
    return load(&filter, SECCOMP_RET_ALLOW, false);
}

unsigned privs_calls_hold(const struct settings *settings, enum privs_stage stage)
{
    struct filter filter;
    begin(&filter);
    rule(&filter, settings, stage);
    bool held = refuse_clone3() && load(&filter, SECCOMP_RET_ERRNO | ENOSYS, true);
    return held ? filter.calls : 0;
}
