/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "optimum.h"
#include "random.h"
#include "window.h"

static int failed;

static void expect(const char *what, double got, double wanted, double share)
{
    int off = !(fabs(got - wanted) <= share * wanted);
    printf("%-52s %12.4g, expected %12.4g%s\n", what, got, wanted, off ? "  WRONG" : "");
    failed |= off;
}

/* The mean time that a CUSUM takes, by trying. */
static double simulate(double rho, double threshold, double intensity, int runs)
{
    uint64_t seed = 7;
    double total = 0;
    for (int i = 0; i < runs; i++)
        for (double statistic = 0;;) {
            double gap = random_exponential(&seed) / intensity;
            if (statistic + gap * (1 - rho) >= threshold) {
                total += (threshold - statistic) / (1 - rho);
                break;
            }
            total += gap;
            statistic = rho > 0 ? fmax(0, statistic + gap * (1 - rho) - log(1 / rho)) : 0;
        }
    return total / runs;
}

static void check_formulas(void)
{
    static const double cases[][3] = {{0.5, 5, 1},   {0.5, 5, 0.5}, {0.1, 5, 1},
                                      {0.1, 5, 0.1}, {0, 5, 1},     {0.25, 6, 1}};
    for (int i = 0; i < 6; i++) {
        char what[128];
        snprintf(what, sizeof what, "run length: rho %g, threshold %g, intensity %g", cases[i][0],
                 cases[i][1], cases[i][2]);
        expect(what, optimum_run_length(cases[i][0], cases[i][1], cases[i][2]),
               simulate(cases[i][0], cases[i][1], cases[i][2], 20000), 0.03);
    }
}

/* Minutes at one false alarm in thirty days, as published in tables of two or three digits. */
static void check_table(void)
{
    static const double rates[] = {0.02, 0.1, 0.5, 2, 10}, ratios[] = {0, 0.1, 0.25, 0.5};
    static const double minutes[5][4] = {{338, 446, 654, 1351},
                                         {83.7, 113, 170, 373},
                                         {20.0, 27.4, 42.0, 95.5},
                                         {5.7, 7.9, 12.2, 28.4},
                                         {1.30, 1.8, 2.8, 6.7}};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 4; j++) {
            char what[128];
            snprintf(what, sizeof what, "worst delay in minutes: %g a minute, rho %g", rates[i], ratios[j]);
            expect(what, optimum_delay(ratios[j], rates[i] * 43200) / rates[i], minutes[i][j], 0.02);
        }
}

/* The oracle's false alarms on quiet streams, at a rate of them that can be counted. */
static void check_oracle(const char *what, const struct shape *shape, double depth)
{
    struct stream *stream = generate_new(shape, 3650, 11, NULL, 0);
    struct oracle oracle;
    unsigned alarms = 0;
    if (stream == NULL)
        return;
    oracle_init(&oracle, stream, depth, 100);
    for (struct life life; generate_next(stream, &life); oracle_take(&oracle, &life))
        do {
            oracle.alarm_ns = TIME_NONE;
            oracle_run(&oracle, life.at_ns);
            alarms += oracle.alarm_ns != TIME_NONE;
        } while (oracle.now_ns < life.at_ns);
    expect(what, alarms / (3650 / 365.25), 100, 0.1);
    generate_free(stream);
}

/* The sliding window of the rules against counting: as many numbers below its median as above, as many nearer
 * to it than its deviation as farther. */
static void check_window(void)
{
    enum { SIZE = 201 };
    struct window *window = window_new(SIZE);
    double last[SIZE];
    uint64_t seed = 5;
    if (window == NULL)
        return;
    for (int i = 0; i < 5 * SIZE; i++)
        window_push(window, last[i % SIZE] = random_exponential(&seed));
    double median = window_median(window), deviation = window_deviation(window), least = INFINITY;
    int below = 0, nearer = 0;
    for (int i = 0; i < SIZE; i++) {
        below += last[i] < median;
        nearer += fabs(last[i] - median) < deviation;
        least = fmin(least, last[i]);
    }
    expect("window: numbers below the median", below, SIZE / 2, 0);
    expect("window: numbers nearer than the deviation", nearer, SIZE / 2, 0);
    expect("window: least", window_least(window), least, 0);
    expect("window: oldest", window_oldest(window), last[0], 0);
    window_free(window);
}

int check_all(void)
{
    check_window();
    check_formulas();
    check_table();
    const struct shape poisson = {.per_minute = 2, .cluster = 1, .weekend = 1};
    struct shape clusters = {.per_minute = 2, .cluster = 3, .cluster_gap_s = 4, .weekend = 1};
    const struct shape varying = {.per_minute = 2,
                                  .cluster = 3,
                                  .cluster_gap_s = 4,
                                  .day = 0.7,
                                  .weekend = 0.7,
                                  .level = 0.3,
                                  .level_s = 21600};
    check_oracle("oracle's alarms a year: Poisson", &poisson, 1);
    check_oracle("oracle's alarms a year: depth 0.75", &poisson, 0.75);
    check_oracle("oracle's alarms a year: clusters", &clusters, 1);
    clusters.per_minute = 10;
    check_oracle("oracle's alarms a year: clusters, dense", &clusters, 1);
    check_oracle("oracle's alarms a year: day, week, clusters, level", &varying, 1);
    return failed ? -1 : 0;
}
