/* SPDX-License-Identifier: BSD-3-Clause */
/* nDPI started ahead, since to start it takes longer than to read a small capture: classify.c as it is, but
 * that classify_new first hands out what was made before. For a program that is linked with the library and
 * includes this in its one source, before anything that includes classify.h. */
#pragma once

#define classify_new  classify_make
#define classify_free classify_unmake
#include "classify.c"
#undef classify_new
#undef classify_free

struct classify *classify_new(size_t flows_max, struct health *health, struct fault *fault);
void classify_free(struct classify *classify);

static struct classify *ndpi_ready[2];
static bool ndpi_kept; /* what is given back is handed out again */

struct classify *classify_new(size_t flows_max, struct health *health, struct fault *fault)
{
    for (size_t i = 0; i < sizeof ndpi_ready / sizeof *ndpi_ready; i++) {
        struct classify *classify = ndpi_ready[i];
        if (classify == NULL)
            continue;
        ndpi_ready[i] = NULL;
        classify->max = flows_max;
        classify->health = health;
        return classify;
    }
    return classify_make(flows_max, health, fault);
}

void classify_free(struct classify *classify)
{
    if (!ndpi_kept || classify == NULL || ndpi_ready[0] != NULL) {
        classify_unmake(classify);
        return;
    }
    for (int i = 0; i < FINDING_CHAINS; i++)
        if (classify->findings[i] != NULL)
            abort(); /* of a flow that has gone */
    ndpi_ready[0] = classify;
}
