/* SPDX-License-Identifier: BSD-3-Clause */
/* bench-detect: how close the study comes to the optimum, on streams whose truth is known. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "check.h"
#include "report.h"

struct shared {
    unsigned next;
    struct outcome outcomes[CASES_MAX][CONTENDERS]; /* pages that are not touched cost nothing */
};

static void work(struct shared *shared, const struct plan *plans, const unsigned *numbers, unsigned count,
                 bool tune)
{
    for (;;) {
        unsigned i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (i >= count)
            return;
        trial_run(&plans[i], cases_seed(numbers[i], tune), shared->outcomes[i]);
    }
}

static int run_all(struct shared *shared, const struct plan *plans, const unsigned *numbers, unsigned count,
                   bool tune, int processes)
{
    int status = 0;
    for (int i = 0; i < processes; i++)
        if (fork() == 0) {
            work(shared, plans, numbers, count, tune);
            _exit(0);
        }
    for (int i = 0, code; i < processes; i++)
        if (wait(&code) < 0 || code != 0)
            status = -1;
    return status;
}

/* Runs the first case once more. */
static bool again_the_same(const struct shared *shared, const struct plan *plans, const unsigned *numbers,
                           bool tune)
{
    static struct outcome again[CONTENDERS];
    trial_run(&plans[0], cases_seed(numbers[0], tune), again);
    return again[0].events_hash == shared->outcomes[0][0].events_hash &&
           again[0].bins_hash == shared->outcomes[0][0].bins_hash;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"tune", no_argument, NULL, 't'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"check", no_argument, NULL, 'c'},
                                            {"json", required_argument, NULL, 'J'},
                                            {0}};
    bool tune = false, quick = false;
    const char *only = NULL, *path = "detect.json";
    int jobs = 2;
    for (int option; (option = getopt_long(argc, argv, "tqo:j:c", options, NULL)) != -1;)
        switch (option) {
        case 't':
            tune = true;
            break;
        case 'q':
            quick = true;
            break;
        case 'o':
            only = optarg;
            break;
        case 'j':
            jobs = atoi(optarg);
            break;
        case 'J':
            path = optarg;
            break;
        case 'c':
            return check_all() == 0 ? 0 : 1;
        default:
            return 2;
        }
    static struct plan plans[CASES_MAX];
    static unsigned numbers[CASES_MAX];
    unsigned count = cases_list(plans, tune, quick), kept = 0;
    for (unsigned i = 0; i < count; i++) {
        char title[128];
        snprintf(title, sizeof title, "%s: %s", plans[i].group, plans[i].name);
        if (only != NULL && strstr(title, only) == NULL)
            continue;
        numbers[kept] = i;
        plans[kept++] = plans[i];
    }
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kept == 0 || shared == MAP_FAILED || run_all(shared, plans, numbers, kept, tune, jobs) != 0)
        return 1;
    struct report report = {
        plans, shared->outcomes, kept, tune, quick, again_the_same(shared, plans, numbers, tune)};
    return report_write(&report, path) == 0 ? 0 : 1;
}
