/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole program, again and again, without its start: for each line on standard input, "leaks" or "-", a
 * file for standard output, one for standard error and the program's arguments, all with tabs between them,
 * it forks, runs main and says how that ended: "exit 0", "signal 6" or "late 0", then the
 * milliseconds and the KiB of memory that it took. It is late after so many seconds as the argument says. */
#include "ndpi_once.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LIGHTSOUT_VERSION "mutant"
#define main              lightsout_main
int lightsout_main(int argc, char **argv);
#include "main.c"
#undef main

enum { WORDS_MAX = 64, LINE_MAX_BYTES = 8192 };

/* To look for leaks takes longer than all else: it is done where it was asked for. */
static bool leaks;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return !leaks;
}

static int split(char *line, char *words[WORDS_MAX])
{
    int count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *word; (word = strsep(&line, "\t")) != NULL && count < WORDS_MAX - 1;)
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static void put_at(int fd, const char *path, int flags)
{
    int opened = open(path, flags | O_CLOEXEC, 0600);
    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(99);
}

static void play(int count, char *words[])
{
    ndpi_kept = true; /* it would be taken apart page by page */
    put_at(STDIN_FILENO, "/dev/null", O_RDONLY);
    put_at(STDOUT_FILENO, words[1], O_WRONLY | O_CREAT | O_TRUNC);
    put_at(STDERR_FILENO, words[2], O_WRONLY | O_CREAT | O_TRUNC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char name[] = "lightsout";
    leaks = strcmp(words[0], "leaks") == 0;
    words[2] = name;
    exit(lightsout_main(count - 2, words + 2));
}

static double passed_ms(const struct timespec *since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - since->tv_sec) * 1e3 + (double)(now.tv_nsec - since->tv_nsec) / 1e6;
}

static void await(pid_t child, const struct timespec *since, int late_s)
{
    const struct timespec patience = {.tv_sec = late_s};
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    bool late = sigtimedwait(&ended, NULL, &patience) != SIGCHLD;
    if (late)
        kill(child, SIGKILL);
    struct rusage used;
    int status;
    wait4(child, &status, 0, &used);
    const struct timespec at_once = {0};
    sigtimedwait(&ended, NULL, &at_once); /* that of the one killed */
    printf("%s %d %.1f %ld\n",
           late                ? "late"
           : WIFEXITED(status) ? "exit"
                               : "signal",
           late                ? 0
           : WIFEXITED(status) ? WEXITSTATUS(status)
                               : WTERMSIG(status),
           passed_ms(since), used.ru_maxrss);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static char line[LINE_MAX_BYTES];
    struct health health;
    struct fault fault;
    char *words[WORDS_MAX];
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    for (size_t i = 0; i < sizeof ndpi_ready / sizeof *ndpi_ready; i++)
        if ((ndpi_ready[i] = classify_make(0, &health, &fault)) == NULL) {
            fprintf(stderr, "%s\n", fault.text);
            return EXIT_FAILED;
        }
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        int count = split(line, words);
        if (count < 4)
            continue;
        pid_t child = fork();
        if (child == 0)
            play(count, words);
        if (child < 0)
            return EXIT_FAILED;
        await(child, &now, argc > 1 ? atoi(argv[1]) : 10);
    }
    return EXIT_DONE;
}
