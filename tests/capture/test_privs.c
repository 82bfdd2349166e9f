/* SPDX-License-Identifier: BSD-3-Clause */
/* What a confined program may still do and what it may not, each tried in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privs.h"

static char folder[64], input[96], state_path[96], beside[96], stranger[96], link_path[96];
static struct settings settings;
static struct fault fault;

static void write_file(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, "words\n", 6), 6);
    close(file);
}

/* A folder of captures with one in it, one that is only linked from there, a folder for the state, and a file
 * that is nobody's business. */
static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/privs-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(input, sizeof input, "%s/in", folder);
    snprintf(beside, sizeof beside, "%s/var", folder);
    mkdir(input, 0755);
    mkdir(beside, 0755);
    snprintf(stranger, sizeof stranger, "%s/stranger", folder);
    snprintf(link_path, sizeof link_path, "%s/elsewhere", folder);
    write_file(stranger);
    write_file(link_path);
    snprintf(link_path, sizeof link_path, "%s/in/link", folder);
    snprintf(state_path, sizeof state_path, "%s/elsewhere", folder);
    if (symlink(state_path, link_path) != 0)
        return -1;
    snprintf(input, sizeof input, "%s/in/a.pcap", folder);
    write_file(input);
    snprintf(input, sizeof input, "%s/in", folder);
    snprintf(state_path, sizeof state_path, "%s/var/state", folder);
    static char *arguments[] = {"lightsout", "-r", input, "--state", state_path, NULL};
    fault.text[0] = '\0';
    return settings_read(&settings, 5, arguments, &fault);
}

static int tear_down(void **state)
{
    (void)state;
    char command[96];
    settings_free(&settings);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* Runs `act` in a process that was confined as the program is, and gives how it ended: the value that `act`
 * returned, or minus the signal. */
static int confined(int (*act)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct privs held;
        if (privs_confine(&settings, PRIVS_OPENING, &held, &fault) != 0 ||
            privs_confine(&settings, PRIVS_RUNNING, &held, &fault) != 0 || held.calls == 0)
            _exit(120);
        _exit(act());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Sanitizers do not bear it. */
#define NEEDS_CONFINEMENT()                                                                                  \
    if (!settings.confine)                                                                                   \
    skip()

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static int open_for(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC, 0600);
    int error = errno;
    if (file >= 0)
        close(file);
    return file >= 0 ? 0 : error;
}

static int execute(void)
{
    char *const arguments[] = {"true", NULL};
    execve("/bin/true", arguments, NULL);
    return errno;
}

static void executing_anything_ends_the_program(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(execute), -SIGSYS);
}

static int fork_once(void)
{
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? 0 : errno;
}

static int trace(void)
{
    return (int)syscall(SYS_ptrace, 16, getppid(), 0, 0);
}

static void there_is_no_other_process(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(fork_once), ENOSYS);
    assert_int_equal(confined(trace), -SIGSYS);
}

static int signal_parent(void)
{
    return kill(getppid(), 0) == 0 ? 0 : errno;
}

static void other_processes_get_no_signals(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(signal_parent), ENOSYS);
}

static void *nothing(void *context)
{
    return context;
}

static void *wait_on(void *context)
{
    poll(NULL, 0, -1);
    return context;
}

static int start_threads(void)
{
    pthread_t thread;
    void *end;
    if (pthread_create(&thread, NULL, nothing, &settings) != 0 || pthread_join(thread, &end) != 0 ||
        end != &settings)
        return 1;
    if (pthread_create(&thread, NULL, wait_on, NULL) != 0 || pthread_cancel(thread) != 0)
        return 2;
    return pthread_join(thread, &end) == 0 && end == PTHREAD_CANCELED ? 0 : 3;
}

static void threads_start_and_can_be_cancelled(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(start_threads), 0);
}

static int make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? 0 : errno;
}

static int make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
}

static void what_was_written_is_never_code(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(make_code), ENOSYS);
    assert_int_equal(confined(make_executable), ENOSYS);
}

static int send_raw(void)
{
    if (socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0)
        return 1;
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0)
        return 2;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 3 : errno;
}

static void a_replay_speaks_to_nobody(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(send_raw), ENOSYS);
}

static int send_raw_only(void)
{
    if (socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0 || socket(AF_INET6, SOCK_RAW, IPPROTO_RAW) >= 0)
        return 1;
    return socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 ? 2 : 0;
}

static void with_redis_it_connects_and_makes_no_packets_of_its_own(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    settings.publish.redis.url = "redis://localhost";
    assert_int_equal(confined(send_raw_only), 0);
}

static int open_what_is_in_use(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/a.pcap", input);
    if (open_for(path, O_RDONLY) != 0)
        return 1;
    snprintf(path, sizeof path, "%s/link", input);
    if (open_for(path, O_RDONLY) != 0)
        return 2;
    snprintf(path, sizeof path, "%s.new", state_path);
    if (open_for(path, O_WRONLY | O_CREAT | O_TRUNC) != 0 || rename(path, state_path) != 0)
        return 3;
    if (open_for(state_path, O_RDWR | O_TRUNC) != 0 || open_for(beside, O_RDONLY | O_DIRECTORY) != 0)
        return 4;
    return unlink(state_path) == 0 ? 0 : 5;
}

static void captures_are_read_and_the_state_is_replaced(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    assert_int_equal(confined(open_what_is_in_use), 0);
}

static int open_what_is_not(void)
{
    char path[128];
    const char *const readable[] = {stranger, "/etc/passwd", "/proc/self/maps", "/dev/null"};
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        if (open_for(readable[i], O_RDONLY) != EACCES)
            return 1 + (int)i;
    snprintf(path, sizeof path, "%s/a.pcap", input);
    if (open_for(path, O_WRONLY) != EACCES)
        return 10;
    snprintf(path, sizeof path, "%s/new", input);
    if (open_for(path, O_WRONLY | O_CREAT) != EACCES || open_for(stranger, O_WRONLY | O_TRUNC) != EACCES)
        return 11;
    return mkdir(path, 0700) == 0 ? 12 : 0;
}

static void no_other_file_is_opened(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    if (!has_landlock())
        skip();
    assert_int_equal(confined(open_what_is_not), 0);
}

static int read_again(void)
{
    return open_for(stranger, O_RDONLY);
}

static void what_a_reload_reads_is_read_again_though_it_is_another_file_then(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    settings_note_file(&settings, stranger);
    assert_int_equal(confined(read_again), 0);
}

/* ---- users ---- */

static int is_nobody(void)
{
    if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
        return 1;
    gid_t groups[64];
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == 0)
            return 2;
    return setuid(0) == 0 ? 3 : 0;
}

static int confine_now(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct privs held;
        int result = privs_confine(&settings, PRIVS_RUNNING, &held, &fault);
        _exit(result == 0                                                                ? 0
              : strstr(fault.text, beside) != NULL && strstr(fault.text, "user") != NULL ? 1
                                                                                         : 2);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void root_becomes_the_user_for_good(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    if (geteuid() != 0)
        skip();
    settings.user = "nobody";
    chmod(folder, 0755);
    assert_int_equal(chown(beside, getpwnam("nobody")->pw_uid, 0), 0);
    assert_int_equal(confined(is_nobody), 0);
    assert_int_equal(chown(beside, 0, 0), 0);
}

static void a_user_who_may_not_write_the_state_is_refused(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    if (geteuid() != 0)
        skip();
    settings.user = "nobody";
    chmod(folder, 0755);
    assert_int_equal(confine_now(), 1);
}

static void a_user_that_is_not_there_is_refused(void **state)
{
    (void)state;
    NEEDS_CONFINEMENT();
    settings.user = "no-such-user";
    assert_int_equal(privs_check_user(&settings, &fault), -1);
    assert_non_null(strstr(fault.text, "user = no-such-user: there is no such user"));
}

static void nothing_is_given_up_unless_asked_for(void **state)
{
    (void)state;
    struct privs held;
    char text[400];
    settings.confine = false;
    assert_int_equal(privs_confine(&settings, PRIVS_RUNNING, &held, &fault), 0);
    assert_false(held.confined);
    privs_format(&held, text, sizeof text);
    assert_string_equal(text, "all rights that it was started with (confine = no)");
    assert_int_equal(open_for("/etc/passwd", O_RDONLY), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(executing_anything_ends_the_program),
        TEST(there_is_no_other_process),
        TEST(other_processes_get_no_signals),
        TEST(threads_start_and_can_be_cancelled),
        TEST(what_was_written_is_never_code),
        TEST(a_replay_speaks_to_nobody),
        TEST(with_redis_it_connects_and_makes_no_packets_of_its_own),
        TEST(captures_are_read_and_the_state_is_replaced),
        TEST(no_other_file_is_opened),
        TEST(what_a_reload_reads_is_read_again_though_it_is_another_file_then),
        TEST(root_becomes_the_user_for_good),
        TEST(a_user_who_may_not_write_the_state_is_refused),
        TEST(a_user_that_is_not_there_is_refused),
        TEST(nothing_is_given_up_unless_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
