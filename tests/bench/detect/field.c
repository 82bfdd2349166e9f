/* SPDX-License-Identifier: BSD-3-Clause */
#include "field.h"

#include <stdlib.h>

#include "clock.h"

const struct rule *const field_rules[RULES] = {
    &rule_ioda_warn,   &rule_ioda_critical, &rule_ioda_warn_hour, &rule_ioda_critical_hour, &rule_richter,
    &rule_chocolatine, &rule_ndpi_double,   &rule_ndpi_seasonal,  &rule_empty_bins};

struct lane {
    void *state;
    int64_t bin_ns, end_ns; /* of the bin under way */
    double count;
    bool down;
};

struct field {
    void (*down)(void *context, unsigned rule, int64_t decided_ns, int64_t onset_ns);
    void *context;
    struct lane lanes[RULES];
};

struct field *field_new(const struct rule_setting *setting, int64_t begin_ns,
                        void (*down)(void *context, unsigned rule, int64_t decided_ns, int64_t onset_ns),
                        void *context)
{
    struct field *field = calloc(1, sizeof *field);
    if (field == NULL)
        return NULL;
    field->down = down;
    field->context = context;
    for (unsigned i = 0; i < RULES; i++) {
        int64_t bin_ns = (int64_t)field_rules[i]->bin_s * NS_PER_S;
        field->lanes[i] = (struct lane){.state = field_rules[i]->make(field_rules[i], setting),
                                        .bin_ns = bin_ns,
                                        .end_ns = begin_ns + bin_ns};
        if (field->lanes[i].state == NULL) {
            field_free(field);
            return NULL;
        }
    }
    return field;
}

void field_free(struct field *field)
{
    for (unsigned i = 0; field != NULL && i < RULES; i++)
        if (field->lanes[i].state != NULL)
            field_rules[i]->drop(field->lanes[i].state);
    free(field);
}

void field_run(struct field *field, int64_t to_ns)
{
    for (unsigned i = 0; i < RULES; i++) {
        struct lane *lane = &field->lanes[i];
        for (; lane->end_ns <= to_ns; lane->end_ns += lane->bin_ns) {
            bool down = field_rules[i]->take(lane->state, lane->count);
            if (down && !lane->down)
                field->down(field->context, i, lane->end_ns, lane->end_ns - lane->bin_ns);
            lane->down = down;
            lane->count = 0;
        }
    }
}

void field_take(struct field *field, int64_t at_ns)
{
    field_run(field, at_ns);
    for (unsigned i = 0; i < RULES; i++)
        field->lanes[i].count++;
}
