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
#include "optimum.h"
#include "report.h"

struct shared {
    unsigned next;
    struct outcome outcomes[CASES_MAX];
};

static void work(struct shared *shared, const struct plan *plans, const unsigned *numbers, unsigned count,
                 bool tune)
{
    for (;;) {
        unsigned i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (i >= count)
            return;
        trial_run(&plans[i], cases_seed(numbers[i], tune), &shared->outcomes[i]);
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

static void check_optimum(void)
{
    printf("run length rho .5 h 5: %.1f (935.0), rho .1: %.2f (216.69); delays %.2f (27.52) %.3f (6.879)\n",
           optimum_run_length(0.5, 5, 1), optimum_run_length(0.1, 5, 1), optimum_run_length(0.5, 5, 0.5),
           optimum_run_length(0.1, 5, 0.1));
    static const double rates[] = {0.02, 0.1, 0.5, 2, 10, 50}, rhos[] = {0, 0.1, 0.25, 0.5};
    for (int i = 0; i < 6; i++) {
        printf("%5g", rates[i]);
        for (int j = 0; j < 4; j++)
            printf(" %8.2f", optimum_delay(rhos[j], rates[i] * 43200) / rates[i]);
        printf("\n");
    }
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
    const char *only = NULL, *path = NULL;
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
            check_optimum();
            return 0;
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
    if (shared == MAP_FAILED || run_all(shared, plans, numbers, kept, tune, jobs) != 0)
        return 1;
    return report_write(plans, shared->outcomes, kept, path) == 0 ? 0 : 1;
}
