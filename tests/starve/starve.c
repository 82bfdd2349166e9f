/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a program, it refuses what the program asks for: the n-th piece of memory, thread or file,
 * or all from there on. What to refuse stands in a file that STARVE names, and what was asked for is counted
 * there, so that a test may look on, and change its mind, while the program runs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is refused: those from `first` to `last`, counted from one; none while `first` is zero. */
struct kind {
    _Atomic uint64_t first, last;
    _Atomic uint64_t asked, refused;
};

/* As the file has it, of 160 bytes. nDPI's requests count apart: there are many times more of them, and the
 * program answers them all in one place; so do those that libraries make while they are loaded, before the
 * program begins. */
struct ledger {
    struct kind memory, thread, ndpi, file, loading;
};

static struct ledger unnamed, *ledger = &unnamed;
static bool opened, loaded;

static _Thread_local __attribute__((tls_model("initial-exec"))) bool for_ndpi;

/* With the first request, or the first by which there is an environment: a sanitizer asks before. */
static void open_ledger(void)
{
    const char *path = getenv("STARVE");
    if (path == NULL)
        return;
    opened = true;
    int file = openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return;
    void *map = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED)
        ledger = map;
}

/* Nobody else depends on this library, so that the others have been made ready before. */
__attribute__((constructor)) static void begin(void)
{
    if (!opened)
        open_ledger();
    loaded = true;
}

static bool refuse(struct kind *kind)
{
    uint64_t number = ++kind->asked, first = kind->first;
    if (first == 0 || number < first || number > kind->last)
        return false;
    kind->refused++;
    errno = ENOMEM;
    return true;
}

static bool refuse_memory(void)
{
    bool ndpi = for_ndpi;
    for_ndpi = false; /* whoever asked may not come back */
    if (!opened)
        open_ledger();
    return refuse(!loaded ? &ledger->loading : ndpi ? &ledger->ndpi : &ledger->memory);
}

/* The function of that name behind this one: the C library's, or a sanitizer's. */
#define BEHIND(name)                                                                                         \
    static __typeof__(name) *behind;                                                                         \
    if (behind == NULL)                                                                                      \
    *(void **)&behind = dlsym(RTLD_NEXT, #name)

void *malloc(size_t size)
{
    BEHIND(malloc);
    return refuse_memory() ? NULL : behind(size);
}

void *calloc(size_t count, size_t size)
{
    BEHIND(calloc);
    return refuse_memory() ? NULL : behind(count, size);
}

void *realloc(void *memory, size_t size)
{
    BEHIND(realloc);
    return refuse_memory() ? NULL : behind(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    BEHIND(aligned_alloc);
    return refuse_memory() ? NULL : behind(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    BEHIND(posix_memalign);
    return refuse_memory() ? ENOMEM : behind(memory, alignment, size);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    BEHIND(mmap);
    return loaded && refuse(&ledger->memory) ? MAP_FAILED
                                             : behind(address, length, protection, flags, file, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    BEHIND(pthread_create);
    return refuse(&ledger->thread) ? EAGAIN : behind(thread, attributes, run, context);
}

/* ---- files ---- */

static bool refuse_file(void)
{
    bool refused = loaded && refuse(&ledger->file);
    if (refused)
        errno = EMFILE;
    return refused;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    BEHIND(open);
    return refuse_file() ? -1 : behind(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    BEHIND(fopen);
    return refuse_file() ? NULL : behind(path, mode);
}

int socket(int domain, int type, int protocol)
{
    BEHIND(socket);
    return refuse_file() ? -1 : behind(domain, type, protocol);
}

/* ---- nDPI asks by a function that the program gives it ---- */

static void *(*give)(size_t), *(*give_for_flows)(size_t);

static void *ask(size_t size)
{
    for_ndpi = true;
    return give(size);
}

static void *ask_for_flows(size_t size)
{
    for_ndpi = true;
    return give_for_flows(size);
}

void set_ndpi_malloc(void *(*function)(size_t))
{
    void (*behind)(void *(*)(size_t));
    *(void **)&behind = dlsym(RTLD_NEXT, "set_ndpi_malloc");
    give = function;
    behind(ask);
}

void set_ndpi_flow_malloc(void *(*function)(size_t))
{
    void (*behind)(void *(*)(size_t));
    *(void **)&behind = dlsym(RTLD_NEXT, "set_ndpi_flow_malloc");
    give_for_flows = function;
    behind(ask_for_flows);
}
