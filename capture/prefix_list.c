/* SPDX-License-Identifier: BSD-3-Clause */
#include "prefix_list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct growing {
    struct prefix *items;
    size_t count, room;
};

static int add(struct growing *list, const struct prefix *prefix, struct fault *fault)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 256;
        struct prefix *items = realloc(list->items, room * sizeof *items);
        if (items == NULL)
            return fault_errno(fault, ENOMEM, "no memory for %zu prefixes", room);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *prefix;
    return 0;
}

/* A row's count of IPv4 addresses is cut into the largest aligned powers of two. */
static int add_range(struct growing *list, uint32_t start, uint64_t count, struct fault *fault)
{
    while (count > 0) {
        uint64_t size = start == 0 ? 1ULL << 32 : (uint64_t)(start & -start);
        while (size > count)
            size /= 2;
        struct prefix prefix = {.address = {[10] = 0xff, [11] = 0xff}, .length = 128};
        uint32_t wire = htonl(start);
        memcpy(prefix.address + 12, &wire, 4);
        for (uint64_t rest = size; rest > 1; rest /= 2)
            prefix.length--;
        if (add(list, &prefix, fault) != 0)
            return -1;
        start += (uint32_t)size;
        count -= size;
    }
    return 0;
}

/* registry|cc|type|start|value|date|status…; other rows (version, summaries, ASNs, other countries) are
 * passed over. */
static int take_delegated(struct growing *list, char *line, const char *country, struct fault *fault)
{
    char *field[5] = {NULL}, *rest = line;
    for (int i = 0; i < 5; i++) {
        field[i] = strsep(&rest, "|");
        if (field[i] == NULL)
            return 0;
    }
    if (strcasecmp(field[1], country) != 0)
        return 0;
    if (strcmp(field[2], "ipv4") == 0) {
        struct in_addr start;
        char *end;
        uint64_t count = strtoull(field[4], &end, 10);
        if (inet_pton(AF_INET, field[3], &start) != 1 || end == field[4] || *end != '\0' || count == 0 ||
            count > (1ULL << 32) - ntohl(start.s_addr))
            return fault_set(fault, "ipv4|%s|%s is no range", field[3], field[4]);
        return add_range(list, ntohl(start.s_addr), count, fault);
    }
    if (strcmp(field[2], "ipv6") == 0) {
        char text[128];
        struct prefix prefix;
        snprintf(text, sizeof text, "%s/%s", field[3], field[4]);
        return prefix_parse(text, &prefix, fault) != 0 ? -1 : add(list, &prefix, fault);
    }
    return 0;
}

static int take_cidr(struct growing *list, char *line, struct fault *fault)
{
    struct prefix prefix;
    line[strcspn(line, "#")] = '\0';
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strcspn(line, " \t\r\n,;");
    if (length == 0)
        return 0;
    line[length] = '\0';
    return prefix_parse(line, &prefix, fault) != 0 ? -1 : add(list, &prefix, fault);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct prefix)); /* bytes only: address, then length */
}

static void sort_unique(struct growing *list)
{
    qsort(list->items, list->count, sizeof *list->items, compare);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || compare(&list->items[kept - 1], &list->items[i]) != 0)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static int read_lines(FILE *file, const char *path, const char *country, struct growing *list,
                      struct fault *fault)
{
    char line[512];
    struct fault why;
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        int status =
            country != NULL ? take_delegated(list, line, country, &why) : take_cidr(list, line, &why);
        if (status != 0)
            return fault_errno(fault, why.refused ? ENOMEM : 0, "%s:%u: %s", path, number, why.text);
    }
    if (ferror(file))
        return fault_set(fault, "watch list %s: %s", path, strerror(errno));
    if (list->count > 0)
        return 0;
    if (country != NULL)
        return fault_set(fault, "%s: no row of country %s", path, country);
    return fault_set(fault, "%s: no prefix in it", path);
}

int prefix_list_read(const char *argument, struct prefix **prefixes, size_t *count, struct fault *fault)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", argument);
    char *country = strrchr(path, ',');
    if (country != NULL)
        *country++ = '\0';
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fault_errno(fault, errno, "watch list %s: %s", path, strerror(errno));
    struct growing list = {0};
    int status = read_lines(file, path, country, &list, fault);
    fclose(file);
    if (status != 0) {
        free(list.items);
        return -1;
    }
    sort_unique(&list);
    *prefixes = list.items;
    *count = list.count;
    return 0;
}
