/* SPDX-License-Identifier: BSD-3-Clause */
#include "losses.h"

#include <stdbool.h>

/* What counts work done, or is told elsewhere, is no loss. */
static bool is_work(size_t place)
{
    static const size_t work[] = {
#define PLACE(name) offsetof(struct health, name) / sizeof(uint64_t)
        PLACE(packets_read), PLACE(packets_watched), PLACE(flows_started), PLACE(classified),
        PLACE(unclassified), PLACE(holes),           PLACE(files_read),    PLACE(events_published),
        PLACE(redis_sent),   PLACE(files_forgotten),
#undef PLACE
    };
    for (size_t i = 0; i < sizeof work / sizeof *work; i++)
        if (work[i] == place)
            return true;
    return false;
}

size_t losses_find(const struct health *health, struct loss losses[HEALTH__COUNT])
{
    const struct {
        const char *help;
        uint64_t count;
    } rows[] = {
#define LOSS(name, help) {help, health->name},
        HEALTH_COUNTERS(LOSS)
#undef LOSS
    };
    size_t found = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!is_work(i) && rows[i].count > 0) {
            losses[found].count = rows[i].count;
            health_words(rows[i].help, rows[i].count, losses[found++].words);
        }
    return found;
}
