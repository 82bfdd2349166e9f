/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What nDPI offers, through nDPI itself, on five minutes: double exponential smoothing with ntopng's
 * parameters, and Holt-Winters with a season of a day and ntopng's parameters for that. Down below the lower
 * bound, which is rounded as ntopng does.
 */
#include <math.h>
#include <stdlib.h>

#include <ndpi/ndpi_api.h>

#include "rule.h"

enum { DAY = 288 };

static void *double_make(const struct rule *rule, const struct rule_setting *setting)
{
    (void)rule;
    (void)setting;
    struct ndpi_des_struct *smoothing = calloc(1, sizeof *smoothing);
    if (smoothing != NULL && ndpi_des_init(smoothing, 0.9, 0.035, 0.05F) == 0)
        return smoothing;
    free(smoothing);
    return NULL;
}

static void *seasonal_make(const struct rule *rule, const struct rule_setting *setting)
{
    (void)rule;
    (void)setting;
    struct ndpi_hw_struct *winters = calloc(1, sizeof *winters);
    if (winters != NULL && ndpi_hw_init(winters, DAY, 1, 0.7, 0.7, 0.9, 0.05F) == 0)
        return winters;
    free(winters);
    return NULL;
}

static bool below(double count, double forecast, double band)
{
    return count < floor(fmax(0, forecast - band));
}

static bool double_take(void *state, double count)
{
    double forecast, band;
    return ndpi_des_add_value(state, (uint64_t)count, &forecast, &band) == 1 && below(count, forecast, band);
}

static bool seasonal_take(void *state, double count)
{
    double forecast, band;
    return ndpi_hw_add_value(state, (uint64_t)count, &forecast, &band) == 1 && below(count, forecast, band);
}

static void seasonal_drop(void *state)
{
    ndpi_hw_free(state);
    free(state);
}

const struct rule rule_ndpi_double = {"nDPI double exp.", 300, 0, double_make, double_take, free};
const struct rule rule_ndpi_seasonal = {"nDPI Holt-Winters", 300,           0,
                                        seasonal_make,       seasonal_take, seasonal_drop};
