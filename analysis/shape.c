/* SPDX-License-Identifier: BSD-3-Clause */
#include "shape.h"

#include <math.h>
#include <string.h>

#include "clock.h"

/* In 2115: no distance is beyond an int64_t. */
static const int64_t instant_most_ns = 4600000000000000000;

static bool field_holds(const struct shape *field, const char *at)
{
    union {
        uint8_t flag;
        uint32_t choice;
        double number;
        float fraction;
        int64_t instant_ns;
    } value;
    if (field->kind == SHAPE_TEXT)
        return memchr(at, '\0', field->bytes) != NULL;
    if (field->kind == SHAPE_PART)
        return shape_holds(field->part, field->part_fields, at, field->bytes, 1);
    memcpy(&value, at, field->bytes);
    switch (field->kind) {
    case SHAPE_FLAG:
        return value.flag <= 1;
    case SHAPE_CHOICE:
        return value.choice < field->choices;
    case SHAPE_NUMBER:
        return isfinite(value.number);
    case SHAPE_FRACTION:
        return isfinite(value.fraction);
    default:
        return value.instant_ns == TIME_NONE ||
               (value.instant_ns >= -instant_most_ns && value.instant_ns <= instant_most_ns);
    }
}

bool shape_holds(const struct shape *shape, size_t fields, const void *structs, size_t bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < fields; f++)
            for (uint32_t n = 0; n < shape[f].count; n++)
                if (!field_holds(&shape[f],
                                 (const char *)structs + i * bytes + shape[f].at + n * shape[f].bytes))
                    return false;
    return true;
}
