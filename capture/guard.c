/* SPDX-License-Identifier: BSD-3-Clause */
#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

static const int crashes[] = {SIGSEGV, SIGABRT};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_t worker;
static const char *at_work; /* NULL: nobody */
static struct sigaction before[CRASHES];
static sigset_t masked_before;

static bool is_at_work(void)
{
    return at_work != NULL && pthread_equal(worker, pthread_self());
}

static void end(void)
{
    log_error("%s crashed, as it does when it is refused memory: make room, and start again", at_work);
    _exit(1);
}

static void on_crash(int number)
{
    if (is_at_work())
        end();
    signal(number, SIG_DFL); /* somebody else's */
}

/* Some do not crash, but call exit. */
static void on_exit_within(void)
{
    if (is_at_work())
        end();
}

static void watch_exit(void)
{
    atexit(on_exit_within);
}

void guard_begin(const char *what)
{
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    const struct sigaction ours = {.sa_handler = on_crash};
    sigset_t heard; /* a crash that is masked kills */
    pthread_once(&watched, watch_exit);
    pthread_mutex_lock(&turn);
    worker = pthread_self();
    at_work = what;
    sigemptyset(&heard);
    for (size_t i = 0; i < CRASHES; i++) {
        sigaction(crashes[i], &ours, &before[i]);
        sigaddset(&heard, crashes[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &heard, &masked_before);
}

void guard_end(void)
{
    pthread_sigmask(SIG_SETMASK, &masked_before, NULL);
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &before[i], NULL);
    at_work = NULL;
    pthread_mutex_unlock(&turn);
}
