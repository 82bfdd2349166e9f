/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a crash in a library that is guarded, each in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

static void write_where_nothing_may(void)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
}

static void fail_an_assertion(void)
{
    abort();
}

static void leave(void)
{
    exit(2);
}

/* How a process ends that does so under guard, with what it said. */
static int crash(void (*does)(void), bool masked, char *said, size_t room)
{
    int words[2];
    assert_int_equal(pipe(words), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sigset_t all;
        sigfillset(&all);
        if (masked)
            sigprocmask(SIG_SETMASK, &all, NULL);
        dup2(words[1], STDERR_FILENO);
        guard_begin("the library");
        does();
        _exit(0);
    }
    close(words[1]);
    ssize_t length = read(words[0], said, room - 1);
    said[length > 0 ? length : 0] = '\0';
    close(words[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_said(void (*does)(void), bool masked)
{
    char said[512];
    int status = crash(does, masked, said, sizeof said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(said,
                        "lightsout: the library crashed, as it does when it is refused memory: make room, "
                        "and start again\n");
}

static void a_crash_is_said_and_ends_the_program_with_status_1(void **state)
{
    (void)state;
    check_said(write_where_nothing_may, false);
    check_said(fail_an_assertion, false);
    check_said(leave, false);
}

static void a_crash_is_said_where_all_signals_are_masked(void **state)
{
    (void)state;
    check_said(write_where_nothing_may, true);
    check_said(fail_an_assertion, true);
}

static void *crash_elsewhere(void *unused)
{
    write_where_nothing_may();
    return unused;
}

static void crash_in_another_thread(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, crash_elsewhere, NULL) == 0)
        pthread_join(other, NULL);
}

static void a_crash_of_another_thread_is_a_crash(void **state)
{
    (void)state;
    char said[4096];
    int status = crash(crash_in_another_thread, false, said, sizeof said);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_null(strstr(said, "the library crashed"));
}

static void what_was_masked_before_is_masked_afterwards(void **state)
{
    (void)state;
    sigset_t all, before, after;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    guard_begin("the library");
    guard_end();
    sigprocmask(SIG_SETMASK, &before, &after);
    assert_int_equal(sigismember(&after, SIGSEGV), 1);
    assert_int_equal(sigismember(&after, SIGTERM), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_is_said_and_ends_the_program_with_status_1),
        cmocka_unit_test(a_crash_is_said_where_all_signals_are_masked),
        cmocka_unit_test(a_crash_of_another_thread_is_a_crash),
        cmocka_unit_test(what_was_masked_before_is_masked_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
