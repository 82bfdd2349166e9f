/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a connection for which hiredis is refused memory: 0.14 would abort the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redis_link.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 }; /* whose allocators end the program themselves when too much is asked for */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/* The function by which the library asks, as the loader finds it for the library. */
static void *(*find_malloc(void))(size_t)
{
    void *(*asked)(size_t);
    *(void **)&asked = dlsym(RTLD_DEFAULT, "hi_malloc");
    return asked;
}

static void memory_refused_to_a_connection_ends_the_program_with_status_1_and_a_line(void **state)
{
    (void)state;
    struct fault fault;
    const struct redis_link_options options = {.url = "unix:///run/none"};
    assert_int_equal(redis_link_check(&options, &fault), 0);
    void *(*asked)(size_t) = find_malloc();
    if (asked == NULL || SANITIZED)
        skip(); /* hiredis 1.x says that there was none */
    int words[2], status;
    char said[256];
    assert_int_equal(pipe(words), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(words[1], STDERR_FILENO);
        _exit(asked(PTRDIFF_MAX) != NULL ? 2 : 3);
    }
    close(words[1]);
    ssize_t length = read(words[0], said, sizeof said - 1);
    said[length > 0 ? length : 0] = '\0';
    close(words[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(said, "lightsout: no memory for a connection to Redis: ended at once; make room, and "
                              "start it again\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_refused_to_a_connection_ends_the_program_with_status_1_and_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
