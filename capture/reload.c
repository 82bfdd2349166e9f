/* SPDX-License-Identifier: BSD-3-Clause */
#include "reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The thread writes settings, refused and fault until it sets `done`. */
struct reload {
    int argc;
    char **argv;
    pthread_t thread;
    bool under_way;
    atomic_bool done;
    struct settings *settings;
    bool refused;
    struct fault fault;
};

struct reload *reload_new(int argc, char **argv)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload == NULL)
        return NULL;
    reload->argc = argc;
    reload->argv = argv;
    return reload;
}

static void forget(struct reload *reload)
{
    if (reload->settings != NULL)
        settings_free(reload->settings);
    free(reload->settings);
    reload->settings = NULL;
}

void reload_free(struct reload *reload)
{
    if (reload == NULL)
        return;
    if (reload->under_way)
        pthread_join(reload->thread, NULL);
    forget(reload);
    free(reload);
}

static void *read_anew(void *context)
{
    struct reload *reload = context;
    reload->settings = calloc(1, sizeof *reload->settings);
    reload->refused = reload->settings == NULL ? fault_set(&reload->fault, "no memory") != 0
                                               : settings_read_again(reload->settings, reload->argc,
                                                                     reload->argv, &reload->fault) != 0;
    atomic_store(&reload->done, true);
    return NULL;
}

/* Signals are the capture's. */
int reload_begin(struct reload *reload, struct fault *fault)
{
    sigset_t all, before;
    if (reload->under_way)
        return 0;
    atomic_store(&reload->done, false);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    reload->under_way = pthread_create(&reload->thread, NULL, read_anew, reload) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reload->under_way ? 0 : fault_set(fault, "no memory for a thread that reads the settings");
}

enum reload_news reload_look(struct reload *reload, struct settings **settings, struct fault *fault)
{
    if (!reload->under_way || !atomic_load(&reload->done))
        return RELOAD_NOTHING;
    pthread_join(reload->thread, NULL);
    reload->under_way = false;
    if (reload->refused) {
        *fault = reload->fault;
        forget(reload);
        return RELOAD_REFUSED;
    }
    *settings = reload->settings;
    reload->settings = NULL;
    return RELOAD_READ;
}
