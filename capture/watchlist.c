/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nested prefixes cut the address space into ranges with one answer each: 10.0.0.0/8 with 10.1.0.0/16 inside
 * is three ranges, and outside of them two that answer "none". So the list is flattened once, into the sorted
 * array of the ranges' first addresses, and the longest match becomes "the last range that starts at or
 * before the address".
 *
 * IPv4 lives at ::ffff:0:0/96 of the same array. Two tables, one for each family, index the array by the
 * sixteen bits that lead: they say between which ranges to search. A bit map in front of them says whether a
 * bucket holds anything watched at all; for most packets the answer is no, and its 8 KiB a family stay in the
 * first-level cache where the tables would not.
 */
#include "watchlist.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address as a number, so that ranges can be compared. */
struct key {
    uint64_t high, low;
};

/* A prefix as it was added. */
struct entry {
    struct key first;
    uint32_t order; /* of the additions: the later of two equal ones wins */
    uint32_t number;
    uint8_t length;
};

/* From `first` up to the next range's first the answer is `number`. */
struct range {
    struct key first;
    uint32_t number;
};

enum { BUCKETS = 1 << 16, FAMILIES = 2, IPV6 = 0, IPV4 = 1, IPV4_BITS = 96 };

/* What was built. Invariant: ranges are sorted, the first starts at ::, neighbours differ in their number;
 * `start` is the range that holds the bucket's first address, and the bucket ends where the next one starts.
 */
struct built {
    uint64_t watched[FAMILIES][BUCKETS / 64];
    uint32_t start[FAMILIES][BUCKETS + 1];
    struct range ranges[];
};

struct watchlist {
    struct entry *entries;
    size_t count, room;
    struct built *built;
};

static struct key key_of(const uint8_t address[16])
{
    uint64_t half[2];
    memcpy(half, address, sizeof half);
    return (struct key){be64toh(half[0]), be64toh(half[1])};
}

static bool key_less(struct key a, struct key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static bool key_is_ipv4(struct key key)
{
    return key.high == 0 && key.low >> 32 == 0xffff;
}

/* The bits within the length. */
static struct key key_mask(uint8_t length)
{
    struct key mask = {UINT64_MAX, UINT64_MAX};
    if (length <= 64)
        mask.low = 0;
    else if (length < 128)
        mask.low <<= 128 - length;
    if (length == 0)
        mask.high = 0;
    else if (length < 64)
        mask.high <<= 64 - length;
    return mask;
}

static struct key key_and(struct key a, struct key b)
{
    return (struct key){a.high & b.high, a.low & b.low};
}

/* The last address of a prefix. */
static struct key key_last(struct key first, uint8_t length)
{
    struct key mask = key_mask(length);
    return (struct key){first.high | ~mask.high, first.low | ~mask.low};
}

static bool prefix_is_ipv4(const struct prefix *prefix)
{
    return prefix->length >= IPV4_BITS && key_is_ipv4(key_of(prefix->address));
}

/* Clears the bits beyond the length; says whether there were any. */
static bool prefix_trim(struct prefix *prefix)
{
    bool trimmed = false;
    for (int i = 0; i < 16; i++) {
        int bits = (int)prefix->length - 8 * i;
        uint8_t mask = (uint8_t)(bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff00 >> bits);
        trimmed |= (prefix->address[i] & ~mask) != 0;
        prefix->address[i] &= mask;
    }
    return trimmed;
}

/* Reads one to three digits, not above `most`. */
static bool length_parse(const char *text, unsigned most, unsigned *length)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return false;
    *length = (unsigned)strtoul(text, NULL, 10);
    return *length <= most;
}

int prefix_parse(const char *text, struct prefix *prefix, struct fault *fault)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length_text = slash != NULL ? (size_t)(slash - text) : strlen(text);
    bool fits = length_text < sizeof address;
    memcpy(address, text, fits ? length_text : 0);
    address[fits ? length_text : 0] = '\0';

    memset(prefix, 0, sizeof *prefix);
    bool ipv4 = inet_pton(AF_INET, address, prefix->address + 12) == 1;
    if (ipv4)
        prefix->address[10] = prefix->address[11] = 0xff;
    else if (inet_pton(AF_INET6, address, prefix->address) != 1)
        return fault_set(fault, "\"%s\" is no address or prefix: write 175.45.176.0/22 or 2001:db8::/32",
                         text);

    unsigned most = ipv4 ? 32 : 128, length = most;
    if (slash != NULL && !length_parse(slash + 1, most, &length))
        return fault_set(fault, "\"%s\" has no length from 0 to %u after the slash", text, most);
    prefix->length = (uint8_t)(ipv4 ? length + IPV4_BITS : length);

    struct prefix meant = *prefix;
    if (prefix_trim(&meant)) {
        char right[PREFIX_TEXT_MAX];
        prefix_format(&meant, right);
        return fault_set(fault, "%s has bits beyond its length: %s?", text, right);
    }
    return 0;
}

void prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN];
    if (prefix_is_ipv4(prefix)) {
        inet_ntop(AF_INET, prefix->address + 12, address, sizeof address);
        snprintf(text, PREFIX_TEXT_MAX, "%s/%d", address, prefix->length - IPV4_BITS);
    } else {
        inet_ntop(AF_INET6, prefix->address, address, sizeof address);
        snprintf(text, PREFIX_TEXT_MAX, "%s/%d", address, prefix->length);
    }
}

bool prefix_contains(const struct prefix *prefix, const uint8_t address[16])
{
    struct key key = key_of(address), first = key_of(prefix->address), mask = key_mask(prefix->length);
    if (key_is_ipv4(key) != prefix_is_ipv4(prefix))
        return false;
    return ((key.high ^ first.high) & mask.high) == 0 && ((key.low ^ first.low) & mask.low) == 0;
}

struct watchlist *watchlist_new(void)
{
    return calloc(1, sizeof(struct watchlist));
}

void watchlist_free(struct watchlist *list)
{
    if (list == NULL)
        return;
    free(list->entries);
    free(list->built);
    free(list);
}

int watchlist_add(struct watchlist *list, const struct prefix *prefix, uint32_t number)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct entry *entries = reallocarray(list->entries, room, sizeof *entries);
        if (entries == NULL)
            return -1;
        list->entries = entries;
        list->room = room;
    }
    struct key first = key_and(key_of(prefix->address), key_mask(prefix->length));
    list->entries[list->count] = (struct entry){first, (uint32_t)list->count, number, prefix->length};
    list->count++;
    return 0;
}

/* By first address, the wider before the narrower, the earlier before the later. */
static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (key_less(a->first, b->first))
        return -1;
    if (key_less(b->first, a->first))
        return 1;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Starts a range, unless the one before answers the same. One that starts at the same address is overruled.
 */
static void range_add(struct built *built, uint32_t *count, struct key first, uint32_t number)
{
    struct range *last = *count > 0 ? &built->ranges[*count - 1] : NULL;
    if (last != NULL && !key_less(last->first, first)) {
        (*count)--;
        last = *count > 0 ? last - 1 : NULL;
    }
    if (last == NULL || last->number != number)
        built->ranges[(*count)++] = (struct range){first, number};
}

/* Ends the range of a prefix: behind it the one around it goes on. */
static void range_end(struct built *built, uint32_t *count, const struct entry *inner, uint32_t outer_number)
{
    struct key next = key_last(inner->first, inner->length);
    if (++next.low == 0 && ++next.high == 0)
        return; /* the end of the address space */
    range_add(built, count, next, outer_number);
}

/* Sweeps over the sorted prefixes with a stack of those that are open: as many as they can nest. */
static uint32_t ranges_build(struct built *built, const struct entry *entries, size_t entry_count)
{
    const struct entry nothing = {.number = WATCHLIST_NONE};
    const struct entry *open[130] = {&nothing};
    int depth = 1;
    uint32_t count = 0;
    range_add(built, &count, nothing.first, WATCHLIST_NONE);
    for (size_t i = 0; i < entry_count; i++) {
        const struct entry *entry = &entries[i];
        while (depth > 1 &&
               key_less(key_last(open[depth - 1]->first, open[depth - 1]->length), entry->first)) {
            depth--;
            range_end(built, &count, open[depth], open[depth - 1]->number);
        }
        /* The same prefix again takes the place of the earlier one. */
        if (depth > 1 && open[depth - 1]->length == entry->length &&
            !key_less(open[depth - 1]->first, entry->first))
            depth--;
        open[depth++] = entry;
        range_add(built, &count, entry->first, entry->number);
    }
    while (--depth > 0)
        range_end(built, &count, open[depth], open[depth - 1]->number);
    return count;
}

/* The first address of a bucket; that of the bucket after the last is the last address of the family. */
static struct key bucket_first(int family, uint32_t bucket)
{
    struct key base = {0, 0xffff00000000};
    if (bucket == BUCKETS)
        return family == IPV4 ? key_last(base, IPV4_BITS) : key_last(base, 0);
    if (family == IPV4)
        base.low |= (uint64_t)bucket << 16;
    else
        base = (struct key){(uint64_t)bucket << 48, 0};
    return base;
}

static void buckets_build(struct built *built, int family, uint32_t range_count)
{
    uint32_t at = 0;
    for (uint32_t bucket = 0; bucket <= BUCKETS; bucket++) {
        struct key first = bucket_first(family, bucket);
        while (at + 1 < range_count && !key_less(first, built->ranges[at + 1].first))
            at++;
        built->start[family][bucket] = at;
    }
    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
        /* Neighbours differ, so of two ranges one is watched; that costs a bucket whose second range only
         * begins with the next bucket nothing but a search. */
        uint32_t start = built->start[family][bucket];
        bool watched =
            start != built->start[family][bucket + 1] || built->ranges[start].number != WATCHLIST_NONE;
        built->watched[family][bucket / 64] |= (uint64_t)watched << bucket % 64;
    }
}

int watchlist_build(struct watchlist *list)
{
    /* IPv4 as a whole is a prefix that nobody watches, so that `::/0` ends there; an added 0.0.0.0/0, being
     * later in order than this one, overrules it. */
    struct entry *entries = calloc(list->count + 1, sizeof *entries);
    struct built *built = calloc(1, sizeof *built + (2 * list->count + 3) * sizeof(struct range));
    if (entries == NULL || built == NULL) {
        free(entries);
        free(built);
        return -1;
    }
    entries[0] = (struct entry){bucket_first(IPV4, 0), 0, WATCHLIST_NONE, IPV4_BITS};
    if (list->count > 0)
        memcpy(entries + 1, list->entries, list->count * sizeof *entries);
    for (size_t i = 1; i <= list->count; i++)
        entries[i].order++;
    qsort(entries, list->count + 1, sizeof *entries, entry_compare);

    uint32_t count = ranges_build(built, entries, list->count + 1);
    buckets_build(built, IPV4, count);
    buckets_build(built, IPV6, count);
    free(entries);
    free(list->built);
    list->built = built;
    return 0;
}

/* The last range from `from` to `to` that starts at or before the key. */
static uint32_t search_slow(const struct built *built, struct key key, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t middle = to - (to - from) / 2;
        if (key_less(key, built->ranges[middle].first))
            to = middle - 1;
        else
            from = middle;
    }
    return built->ranges[from].number;
}

static inline bool bucket_is_watched(const struct built *built, int family, uint32_t bucket)
{
    return (built->watched[family][bucket / 64] >> bucket % 64 & 1) != 0;
}

static uint32_t bucket_search(const struct built *built, int family, uint32_t bucket, struct key key)
{
    return search_slow(built, key, built->start[family][bucket], built->start[family][bucket + 1]);
}

uint32_t watchlist_find(const struct watchlist *list, const uint8_t address[16])
{
    const struct built *built = list->built;
    if (built == NULL)
        return WATCHLIST_NONE;
    struct key key = key_of(address);
    int family = key_is_ipv4(key) ? IPV4 : IPV6;
    uint32_t bucket = (uint32_t)(family == IPV4 ? key.low >> 16 & 0xffff : key.high >> 48);
    return bucket_is_watched(built, family, bucket) ? bucket_search(built, family, bucket, key)
                                                    : WATCHLIST_NONE;
}

/* Out of line, as few packets come to it. */
__attribute__((noinline)) static bool holds_ipv4(const struct built *built, uint32_t address)
{
    const struct key key = {0, 0xffff00000000 | address};
    return bucket_search(built, IPV4, address >> 16, key) != WATCHLIST_NONE;
}

bool watchlist_holds_ipv4(const struct watchlist *list, const uint8_t addresses[8])
{
    const struct built *built = list->built;
    uint32_t pair[2];
    if (built == NULL)
        return false;
    memcpy(pair, addresses, sizeof pair);
    uint32_t one = be32toh(pair[0]), other = be32toh(pair[1]);
    bool first = bucket_is_watched(built, IPV4, one >> 16),
         second = bucket_is_watched(built, IPV4, other >> 16);
    if (!first && !second)
        return false;
    return (first && holds_ipv4(built, one)) || (second && holds_ipv4(built, other));
}
