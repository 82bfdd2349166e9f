/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether bytes that came from elsewhere may be taken for plain data as they lie in memory: nothing in them
 * may lead beyond a table, be what its type has no value for, or be beyond all reckoning. Private to
 * analysis. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shape_kind {
    SHAPE_FLAG,     /* bool */
    SHAPE_CHOICE,   /* an enum, or a uint32_t: less than `choices` */
    SHAPE_NUMBER,   /* double: finite */
    SHAPE_FRACTION, /* float: finite */
    SHAPE_INSTANT,  /* int64_t, nanoseconds: of this age of the world, or TIME_NONE */
    SHAPE_TEXT,     /* char[]: ends within it */
    SHAPE_PART      /* a struct that has a shape */
};

/* A field, or an array of `count` of them. What may be anything has no shape. */
struct shape {
    size_t at, bytes;
    uint32_t count;
    enum shape_kind kind;
    uint32_t choices;
    const struct shape *part; /* and the number of its fields */
    size_t part_fields;
};

/* Fields of a struct type, as initializers: {SHAPE_FLAGS(struct scope, counted)}. A struct of nothing but
 * numbers is an array of them. */
#define SHAPE_OF(type, field, kind_, element)                                                                \
    .at = offsetof(type, field), .bytes = sizeof(element),                                                   \
    .count = sizeof(((type *)NULL)->field) / (sizeof(element)), .kind = (kind_)
#define SHAPE_FLAGS(type, field)          SHAPE_OF(type, field, SHAPE_FLAG, bool)
#define SHAPE_CHOICES(type, field, below) SHAPE_OF(type, field, SHAPE_CHOICE, uint32_t), .choices = (below)
#define SHAPE_NUMBERS(type, field)        SHAPE_OF(type, field, SHAPE_NUMBER, double)
#define SHAPE_FRACTIONS(type, field)      SHAPE_OF(type, field, SHAPE_FRACTION, float)
#define SHAPE_INSTANTS(type, field)       SHAPE_OF(type, field, SHAPE_INSTANT, int64_t)
#define SHAPE_TEXT_OF(type, field)        SHAPE_OF(type, field, SHAPE_TEXT, ((type *)NULL)->field)
#define SHAPE_PARTS(type, field, element, shape_)                                                            \
    SHAPE_OF(type, field, SHAPE_PART, element), .part = (shape_), .part_fields = SHAPE_FIELDS(shape_)
#define SHAPE_FIELDS(shape) (sizeof(shape) / sizeof *(shape))

/* Whether `count` structs of so many bytes, one after the other, all have the shape of so many fields. */
bool shape_holds(const struct shape *shape, size_t fields, const void *structs, size_t bytes, size_t count);
