/* SPDX-License-Identifier: BSD-3-Clause */
#include "guard.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "log.h"

static const int crashes[] = {SIGSEGV, SIGABRT};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static const char *at_work;
static struct sigaction before[CRASHES];
static sigset_t masked_before;

static void on_crash(int number)
{
    (void)number;
    log_error("%s crashed, as it does when it is refused memory: make room, and start again", at_work);
    _exit(1);
}

void guard_begin(const char *what)
{
    const struct sigaction ours = {.sa_handler = on_crash};
    sigset_t heard; /* a crash that is masked kills */
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
}
