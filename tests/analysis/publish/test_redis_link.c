/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection to a server that answers what no Redis does, and one for which hiredis is refused memory: 0.14
 * would abort the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static const char master[] = "+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"; /* to CLIENT SETNAME and ROLE */

/* Sends it all, then `again` for as long as somebody takes it, and stays until the other end has gone. */
static void serve(int listening, const char *answers, const char *again)
{
    int client = accept(listening, NULL, NULL);
    size_t length = strlen(again);
    bool taken = client >= 0 && send(client, answers, strlen(answers), MSG_NOSIGNAL) > 0;
    while (taken && length > 0)
        taken = send(client, again, length, MSG_NOSIGNAL) > 0;
    while (recv(client, &taken, 1, 0) > 0)
        ;
    _exit(0);
}

/* What a link says of the answer to its first question; the program's largest size in KiB, before and after.
 */
static void ask(const char *answer, const char *again, struct fault *fault, long size_kib[2])
{
    char folder[] = "/tmp/redis-link-XXXXXX", url[128], answers[512];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct redisReply *reply = NULL;
    struct rusage used;
    assert_non_null(mkdtemp(folder));
    snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", folder);
    snprintf(url, sizeof url, "unix://%s", at.sun_path);
    snprintf(answers, sizeof answers, "%s%s", master, answer);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listening, 1), 0);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0)
        serve(listening, answers, again);

    const struct redis_link_options options = {.url = url, .connect_timeout_s = 5, .command_timeout_s = 60};
    struct redis_link *link = redis_link_new(&options, fault);
    assert_non_null(link);
    assert_int_equal(redis_link_open(link, fault), REDIS_WELL);
    getrusage(RUSAGE_SELF, &used);
    size_kib[0] = used.ru_maxrss;
    assert_int_equal(REDIS_LINK_ASK(link, "a", &reply, fault, "SMEMBERS", "a"), REDIS_TROUBLE_broken);
    assert_null(reply);
    getrusage(RUSAGE_SELF, &used);
    size_kib[1] = used.ru_maxrss;
    redis_link_free(link);
    assert_int_equal(waitpid(server, NULL, 0), server);
    close(listening);
    unlink(at.sun_path);
    rmdir(folder);
}

static void a_list_of_more_than_there_can_be_is_refused_before_there_is_room_for_it(void **state)
{
    (void)state;
    struct fault fault;
    long size_kib[2];
    ask("*888888882\r\n", "", &fault, size_kib);
    assert_non_null(strstr(fault.text, "lost Redis at unix:///tmp/redis-link-"));
    /* hiredis before and since 1.0 */
    assert_true(strstr(fault.text, ": its answer is too long") != NULL ||
                strstr(fault.text, ": Multi-bulk length out of range") != NULL);
    assert_true(size_kib[1] - size_kib[0] < 16 * 1024);
}

static void an_answer_without_end_is_cut_off_at_the_longest_that_redis_holds(void **state)
{
    (void)state;
    enum { TEXT = 1024, TEXTS = 256 };
    static char again[TEXTS * (TEXT + 16)];
    char text[TEXT + 1] = "";
    struct fault fault;
    long size_kib[2];
    size_t length = 0;
    memset(text, 'x', TEXT);
    for (int i = 0; i < TEXTS; i++)
        length += (size_t)snprintf(again + length, sizeof again - length, "$%d\r\n%s\r\n", TEXT, text);
    ask("*1048576\r\n", again, &fault, size_kib);
    assert_non_null(strstr(fault.text, ": its answer is too long"));
}

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
        cmocka_unit_test(a_list_of_more_than_there_can_be_is_refused_before_there_is_room_for_it),
        cmocka_unit_test(an_answer_without_end_is_cut_off_at_the_longest_that_redis_holds),
        cmocka_unit_test(memory_refused_to_a_connection_ends_the_program_with_status_1_and_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
