/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nested prefixes cut the address space into ranges with one answer each: 10.0.0.0/8 with 10.1.0.0/16 inside
 * is three ranges, and outside of them two that answer "none". So the list is flattened once, into sorted
 * arrays of the ranges' first addresses, one a family, and the longest match becomes "the last range that
 * starts at or before the address". The IPv4 array is indexed by the leading bits.
 *
 * Most addresses are not watched, and for those a filter says so alone (watchlist.h; B. H. Bloom,
 * Communications of the ACM 13, 1970, with both bits in one word, so that a look costs one access to memory).
 * It has 16 to 32 bits a cell, and cells are as narrow as leaves them about as many as prefixes: the filter
 * of a short list stays in the first-level cache, that of 100,000 prefixes in the second.
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

struct range_ipv4 {
    uint32_t first, number;
};

enum { IPV4_BITS = 96, INDEX_BITS_MOST = 16 };
enum { FILTER_BITS_LEAST = 12, FILTER_BITS_MOST = 26, CELL_BITS = 16, CELLS_SPARE = 1024 };
enum { MAP_CELLS_MOST = 1024 }; /* of 65536 */

/* Invariant, once built: ranges are sorted, the first starts at the family's first address, neighbours differ
 * in their number. The index holds, for the addresses alike in their leading bits, the range of the first of
 * them; those of the addresses after the last follow. */
struct whole_list {
    struct watchlist head;
    struct entry *entries; /* until it is built */
    size_t count, room;
    struct range *ranges; /* of IPv6, and of the gap that IPv4 leaves there whatever stands before it */
    struct range_ipv4 *ranges_ipv4;
    uint32_t range_count, range_ipv4_count;
    uint32_t *index;
    uint8_t index_shift;
    uint64_t *words, *ipv4_map;
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

/* The filter of a list that is not built. */
static const uint64_t no_words[2] = {0, 0};

struct watchlist *watchlist_new(void)
{
    struct whole_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return NULL;
    list->head = (struct watchlist){.words = no_words, .fold = 63};
    return &list->head;
}

void watchlist_free(struct watchlist *head)
{
    struct whole_list *list = (struct whole_list *)head;
    if (list == NULL)
        return;
    free(list->entries);
    free(list->ranges);
    free(list->ranges_ipv4);
    free(list->index);
    free(list->words);
    free(list->ipv4_map);
    free(list);
}

int watchlist_add(struct watchlist *head, const struct prefix *prefix, uint32_t number)
{
    struct whole_list *list = (struct whole_list *)head;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct entry *entries = reallocarray(list->entries, room, sizeof *entries);
        if (entries == NULL)
            return -1;
        list->entries = entries;
        list->room = room;
    }
    struct key first = key_and(key_of(prefix->address), key_mask(prefix->length));
    list->entries[list->count] = (struct entry){first, (uint32_t)list->count + 1, number, prefix->length};
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

/* Most lists come sorted, but for the last. */
static void sort(struct entry *entries, size_t count)
{
    struct entry last = entries[count - 1];
    size_t sorted = 1;
    while (sorted + 1 < count && entry_compare(&entries[sorted - 1], &entries[sorted]) < 0)
        sorted++;
    if (sorted + 1 < count) {
        qsort(entries, count, sizeof *entries, entry_compare);
        return;
    }
    size_t at = count - 1;
    while (at > 0 && entry_compare(&last, &entries[at - 1]) < 0)
        at--;
    memmove(entries + at + 1, entries + at, (count - 1 - at) * sizeof *entries);
    entries[at] = last;
}

/* Starts a range, unless the one before answers the same. One that starts at the same address is overruled.
 */
static void range_add(struct range *ranges, uint32_t *count, struct key first, uint32_t number)
{
    struct range *last = *count > 0 ? &ranges[*count - 1] : NULL;
    if (last != NULL && !key_less(last->first, first)) {
        (*count)--;
        last = *count > 0 ? last - 1 : NULL;
    }
    if (last == NULL || last->number != number)
        ranges[(*count)++] = (struct range){first, number};
}

/* Ends the range of a prefix: behind it the one around it goes on. */
static void range_end(struct range *ranges, uint32_t *count, const struct entry *inner, uint32_t outer_number)
{
    struct key next = key_last(inner->first, inner->length);
    if (++next.low == 0 && ++next.high == 0)
        return; /* the end of the address space */
    range_add(ranges, count, next, outer_number);
}

/* Sweeps over the sorted prefixes with a stack of those that are open: as many as they can nest. */
static uint32_t ranges_sweep(struct range *ranges, const struct entry *entries, size_t entry_count)
{
    const struct entry nothing = {.number = WATCHLIST_NONE};
    const struct entry *open[130] = {&nothing};
    int depth = 1;
    uint32_t count = 0;
    range_add(ranges, &count, nothing.first, WATCHLIST_NONE);
    for (size_t i = 0; i < entry_count; i++) {
        const struct entry *entry = &entries[i];
        while (depth > 1 &&
               key_less(key_last(open[depth - 1]->first, open[depth - 1]->length), entry->first)) {
            depth--;
            range_end(ranges, &count, open[depth], open[depth - 1]->number);
        }
        /* The same prefix again takes the place of the earlier one. */
        if (depth > 1 && open[depth - 1]->length == entry->length &&
            !key_less(open[depth - 1]->first, entry->first))
            depth--;
        open[depth++] = entry;
        range_add(ranges, &count, entry->first, entry->number);
    }
    while (--depth > 0)
        range_end(ranges, &count, open[depth], open[depth - 1]->number);
    return count;
}

/* ---- laying them out ---- */

/* Ranges without what the sweep had too much room for. */
static void *trim(void *items, size_t count, size_t size)
{
    void *trimmed = realloc(items, count * size);
    return trimmed != NULL ? trimmed : items;
}

/* Parts the ranges into those of IPv4 and the others, which stay where they are. */
static int ranges_part(struct whole_list *list, struct range *ranges, uint32_t count)
{
    const struct key beyond = {0, 0x1000000000000}; /* the first address behind IPv4 */
    uint32_t before = 0, until;
    while (before < count && ranges[before].first.high == 0 && ranges[before].first.low < 0xffff00000000)
        before++;
    for (until = before; until < count && key_is_ipv4(ranges[until].first);)
        until++;
    /* The range that starts at 0.0.0.0, or goes on from before. */
    bool starts = until > before && ranges[before].first.low == 0xffff00000000;
    struct range_ipv4 *ipv4 = calloc(until - before + 1, sizeof *ipv4);
    if (ipv4 == NULL)
        return -1;
    ipv4[0].number = ranges[starts ? before : before - 1].number;
    list->range_ipv4_count = 1;
    for (uint32_t i = before + starts; i < until; i++)
        ipv4[list->range_ipv4_count++] = (struct range_ipv4){(uint32_t)ranges[i].first.low, ranges[i].number};
    list->ranges_ipv4 = ipv4;
    /* What holds behind IPv4 goes on from within it, unless it starts there. */
    if (until > before && (until == count || key_less(beyond, ranges[until].first))) {
        uint32_t number = ranges[until - 1].number;
        ranges[before++] = (struct range){beyond, number};
    }
    memmove(ranges + before, ranges + until, (count - until) * sizeof *ranges);
    list->range_count = before + count - until;
    list->ranges = trim(ranges, list->range_count, sizeof *ranges);
    return 0;
}

static int index_build(struct whole_list *list)
{
    unsigned bits = 1;
    while (bits < INDEX_BITS_MOST && 1U << bits < list->range_ipv4_count)
        bits++;
    list->index_shift = (uint8_t)(32 - bits);
    list->index = calloc((1U << bits) + 1, sizeof *list->index);
    if (list->index == NULL)
        return -1;
    uint32_t at = 0;
    for (uint32_t place = 0; place < 1U << bits; place++) {
        while (at + 1 < list->range_ipv4_count && list->ranges_ipv4[at + 1].first <= place
                                                                                         << list->index_shift)
            at++;
        list->index[place] = at;
    }
    list->index[1U << bits] = list->range_ipv4_count - 1;
    return 0;
}

/* The first and last cell of a watched range. False: it is not watched. */
static bool cells_of(const struct whole_list *list, bool ipv4, uint32_t number, unsigned shift,
                     uint64_t cells[2])
{
    uint64_t last = ipv4 ? UINT32_MAX : UINT64_MAX;
    if (ipv4) {
        const struct range_ipv4 *range = &list->ranges_ipv4[number];
        if (range->number == WATCHLIST_NONE)
            return false;
        last = number + 1 < list->range_ipv4_count ? range[1].first - 1 : last;
        cells[0] = range->first >> shift;
    } else {
        const struct range *range = &list->ranges[number];
        if (range->number == WATCHLIST_NONE)
            return false;
        if (number + 1 < list->range_count)
            last = range[1].first.high - (range[1].first.low == 0);
        cells[0] = range->first.high >> shift;
    }
    cells[1] = last >> shift;
    return true;
}

/* How many cells there are of a family, some counted twice; no further than up to `most`. */
static uint64_t cells_count(const struct whole_list *list, bool ipv4, unsigned shift, uint64_t most)
{
    uint64_t count = 0, cells[2];
    for (uint32_t i = 0; i < (ipv4 ? list->range_ipv4_count : list->range_count) && count <= most; i++)
        if (cells_of(list, ipv4, i, shift, cells))
            count += cells[1] - cells[0] < most ? cells[1] - cells[0] + 1 : most + 1;
    return count;
}

/* The narrowest cells of which there are about as many as ranges; how many there are. */
static uint64_t choose_cells(const struct whole_list *list, bool ipv4, uint8_t *shift)
{
    const uint8_t widest = ipv4 ? 31 : 63;
    const uint64_t most = CELLS_SPARE + cells_count(list, ipv4, widest, UINT32_MAX);
    uint64_t count = cells_count(list, ipv4, *shift = 0, most);
    while (count > most && *shift < widest)
        count = cells_count(list, ipv4, ++*shift, most);
    return count;
}

static void filter_add(struct whole_list *list, bool ipv4)
{
    uint64_t cells[2];
    for (uint32_t i = 0; i < (ipv4 ? list->range_ipv4_count : list->range_count); i++)
        if (cells_of(list, ipv4, i, ipv4 ? list->head.ipv4_shift : list->head.ipv6_shift, cells))
            for (uint64_t cell = cells[0]; cell <= cells[1]; cell++) {
                uint64_t hash = watchlist_hash(cell);
                list->words[hash >> list->head.fold] |= watchlist_bits(hash);
            }
}

static int filter_build(struct whole_list *list)
{
    uint64_t cells =
        choose_cells(list, true, &list->head.ipv4_shift) + choose_cells(list, false, &list->head.ipv6_shift);
    unsigned bits = FILTER_BITS_LEAST;
    while (bits < FILTER_BITS_MOST && 1ULL << bits < cells * CELL_BITS)
        bits++;
    list->words = calloc(1ULL << bits >> 6, sizeof *list->words);
    if (list->words == NULL)
        return -1;
    list->head.words = list->words;
    list->head.fold = (uint8_t)(64 + 6 - bits);
    filter_add(list, true);
    filter_add(list, false);
    return 0;
}

/* Of a long list nearly every bit would be set. */
static int map_build(struct whole_list *list)
{
    uint64_t cells[2];
    if (cells_count(list, true, 16, MAP_CELLS_MOST) > MAP_CELLS_MOST)
        return 0;
    list->ipv4_map = calloc(1 << (16 - 6), sizeof *list->ipv4_map);
    list->head.ipv4_map = list->ipv4_map;
    if (list->ipv4_map == NULL)
        return -1;
    for (uint32_t i = 0; i < list->range_ipv4_count; i++)
        if (cells_of(list, true, i, 16, cells))
            for (uint64_t cell = cells[0]; cell <= cells[1]; cell++)
                list->ipv4_map[cell / 64] |= 1ULL << cell % 64;
    return 0;
}

int watchlist_build(struct watchlist *head)
{
    struct whole_list *list = (struct whole_list *)head;
    /* IPv4 as a whole is a prefix that nobody watches, so that `::/0` ends there; an added 0.0.0.0/0, being
     * later in order than this one, overrules it. */
    const struct prefix whole = {.address = {[10] = 0xff, [11] = 0xff}, .length = IPV4_BITS};
    if (watchlist_add(head, &whole, WATCHLIST_NONE) != 0)
        return -1;
    list->entries[list->count - 1].order = 0;
    sort(list->entries, list->count);
    struct range *ranges = calloc(2 * list->count + 1, sizeof *ranges);
    if (ranges == NULL)
        return -1;
    uint32_t count = ranges_sweep(ranges, list->entries, list->count);
    free(list->entries);
    list->entries = NULL;
    list->count = list->room = 0;
    if (ranges_part(list, ranges, count) != 0) {
        free(ranges);
        return -1;
    }
    return index_build(list) != 0 || filter_build(list) != 0 ? -1 : map_build(list);
}

/* ---- finding ---- */

static uint32_t find_ipv4(const struct whole_list *list, uint32_t address)
{
    uint32_t place = address >> list->index_shift, from = list->index[place], to = list->index[place + 1];
    while (from < to) {
        uint32_t middle = to - (to - from) / 2;
        if (address < list->ranges_ipv4[middle].first)
            to = middle - 1;
        else
            from = middle;
    }
    return list->ranges_ipv4[from].number;
}

static uint32_t find_ipv6(const struct whole_list *list, struct key key)
{
    uint32_t from = 0, to = list->range_count - 1;
    while (from < to) {
        uint32_t middle = to - (to - from) / 2;
        if (key_less(key, list->ranges[middle].first))
            to = middle - 1;
        else
            from = middle;
    }
    return list->ranges[from].number;
}

uint32_t watchlist_find(const struct watchlist *head, const uint8_t address[16])
{
    const struct whole_list *list = (const struct whole_list *)head;
    struct key key = key_of(address);
    if (list->ranges == NULL)
        return WATCHLIST_NONE;
    if (!key_is_ipv4(key))
        return watchlist_may_hold_ipv6(head, address) ? find_ipv6(list, key) : WATCHLIST_NONE;
    return watchlist_may_hold_ipv4(head, (uint32_t)key.low) ? find_ipv4(list, (uint32_t)key.low)
                                                            : WATCHLIST_NONE;
}

bool watchlist_search_ipv4(const struct watchlist *head, uint32_t address)
{
    return find_ipv4((const struct whole_list *)head, address) != WATCHLIST_NONE;
}
