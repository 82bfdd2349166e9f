/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "values.h"

#define NOT_INSTANT  "is not an instant such as 2025-06-06 17:23:41.6 or, after the start, +3h20m"
#define NOT_DURATION "is not a duration such as 250ms, 90s, 10m or 1h30m"
#define NOT_ADDRESS  "is not an IPv4 address, a prefix, or a range such as 192.0.2.1-192.0.2.9"

/* The readers below return how many bytes they took, 0 when there is nothing to take. */

static size_t take_duration(const char *text, int64_t *ns)
{
    static const struct {
        const char *unit;
        double s;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"min", 60}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    const char *at = text;
    double sum_s = 0;
    while (*at >= '0' && *at <= '9') {
        char *end;
        double number = strtod(at, &end);
        size_t i = 0;
        while (i < sizeof units / sizeof *units && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
            i++;
        if (i == sizeof units / sizeof *units || number * units[i].s > 4e8)
            return 0;
        sum_s += number * units[i].s;
        at = end + strlen(units[i].unit);
    }
    *ns = llround(sum_s * 1e6) * 1000;
    return (size_t)(at - text);
}

static size_t take_instant(const struct script *script, const char *text, int64_t *ns)
{
    if (*text == '+') {
        size_t taken = take_duration(text + 1, ns);
        *ns += script->from_ns;
        return taken == 0 ? 0 : taken + 1;
    }
    struct tm tm = {0};
    int taken = 0;
    double second;
    if (sscanf(text, "%4d-%2d-%2d%*1[T ]%2d:%2d:%lf%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &second, &taken) != 6)
        return 0;
    if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_hour < 0 || tm.tm_min < 0 || !(second >= 0 && second < 60))
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ns = (int64_t)timegm(&tm) * NS_PER_S + llround(second * 1e6) * 1000;
    return (size_t)taken + (text[taken] == 'Z');
}

static size_t take_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return isfinite(*number) ? (size_t)(end - text) : 0;
}

VALUE(instant)
{
    size_t taken = take_instant(script, text, field);
    return taken != 0 && text[taken] == '\0' ? NULL : NOT_INSTANT;
}

VALUE(duration)
{
    (void)script;
    size_t taken = take_duration(text, field);
    return taken != 0 && text[taken] == '\0' ? NULL : NOT_DURATION;
}

VALUE(zone)
{
    int64_t ns;
    size_t sign = *text == '+' || *text == '-';
    if (value_duration(script, text + sign, &ns) != NULL || ns > 14 * 3600 * NS_PER_S)
        return "is not an offset from UTC such as +9h or -3h30m";
    *(int64_t *)field = *text == '-' ? -ns : ns;
    return NULL;
}

static size_t take_rate(const char *text, double *rate)
{
    static const struct {
        const char *unit;
        double per_minute;
    } units[] = {{"/s", 60}, {"/min", 1}, {"/m", 1}, {"/h", 1.0 / 60}, {"/d", 1.0 / 1440}, {"", 1}};
    size_t taken = take_number(text, rate), i = 0;
    if (taken == 0 || *rate < 0 || *rate > 1e7)
        return 0;
    while (strncmp(text + taken, units[i].unit, strlen(units[i].unit)) != 0)
        i++;
    *rate *= units[i].per_minute;
    return taken + strlen(units[i].unit);
}

VALUE(rate)
{
    (void)script;
    size_t taken = take_rate(text, field);
    return taken != 0 && text[taken] == '\0' ? NULL : "is not a rate such as 12, 12/min, 0.4/s or 30/h";
}

VALUE(share)
{
    (void)script;
    double *share = field;
    size_t taken = take_number(text, share);
    if (taken != 0 && text[taken] == '%') {
        *share /= 100;
        taken++;
    }
    return taken != 0 && text[taken] == '\0' && *share >= 0 && *share <= 1
               ? NULL
               : "is not a share such as 0.3 or 30%";
}

VALUE(factor)
{
    (void)script;
    double *number = field;
    size_t taken = take_number(text, number);
    return taken != 0 && text[taken] == '\0' && *number >= 0 && *number <= 1000
               ? NULL
               : "is not a number from 0 to 1000";
}

static bool whole(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *number <= most;
}

VALUE(seed)
{
    (void)script;
    return whole(text, INT64_MAX, field) ? NULL : "is not a whole number";
}

VALUE(number)
{
    (void)script;
    uint64_t number;
    if (!whole(text, 1000000, &number))
        return "is not a whole number up to 1000000";
    *(uint32_t *)field = (uint32_t)number;
    return NULL;
}

VALUE(short)
{
    (void)script;
    uint64_t number;
    if (!whole(text, UINT16_MAX, &number))
        return "is not a whole number up to 65535";
    *(uint16_t *)field = (uint16_t)number;
    return NULL;
}

VALUE(byte)
{
    (void)script;
    uint64_t number;
    if (!whole(text, UINT8_MAX, &number) || number == 0)
        return "is not a whole number from 1 to 255";
    *(uint8_t *)field = (uint8_t)number;
    return NULL;
}

VALUE(name)
{
    (void)script;
    if (*text == '\0' || strlen(text) >= NAME_MAX_BYTES || strpbrk(text, " \t\",\\") != NULL)
        return "is not one word of up to 63 bytes";
    strcpy(field, text);
    return NULL;
}

VALUE(note)
{
    (void)script;
    struct notes *notes = field;
    if (notes->count == NOTES_MAX || strlen(text) >= TEXT_MAX_BYTES)
        return "is one line too many, or too long";
    strcpy(notes->item[notes->count++], text);
    return NULL;
}

/* Hands every word of the text to a setter; its complaint is about the whole text. */
static const char *each_word(const struct script *script, const char *text, void *field,
                             const char *(*set)(const struct script *, const char *, void *))
{
    char copy[TEXT_MAX_BYTES], *rest = NULL;
    if (strlen(text) >= sizeof copy)
        return "is too long: give the key twice";
    strcpy(copy, text);
    char *word = strtok_r(copy, " \t,", &rest);
    if (word == NULL)
        return "is empty";
    for (; word != NULL; word = strtok_r(NULL, " \t,", &rest)) {
        const char *wrong = set(script, word, field);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *add_name(const struct script *script, const char *word, void *field)
{
    struct names *names = field;
    if (names->count == NAMES_MAX)
        return "has too many words: at most 32";
    return value_name(script, word, names->item[names->count++]);
}

VALUE(names)
{
    return each_word(script, text, field, add_name);
}

static const char *add_port(const struct script *script, const char *word, void *field)
{
    struct ports *ports = field;
    if (ports->count == PORTS_MAX)
        return "has too many ports: at most 24";
    return value_short(script, word, &ports->item[ports->count++]);
}

VALUE(ports)
{
    return each_word(script, text, field, add_port);
}

VALUE(address)
{
    (void)script;
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1)
        return NOT_ADDRESS;
    *(uint32_t *)field = ntohl(address.s_addr);
    return NULL;
}

/* "A/length", "A-B" or "A". */
static const char *add_range(const struct script *script, const char *word, void *field)
{
    struct ranges *ranges = field;
    char first[20] = "", mark = '\0', rest[20] = "";
    int parts = sscanf(word, "%19[0-9.]%c%19s", first, &mark, rest);
    struct range range;
    uint64_t length;
    if (ranges->count == RANGES_MAX)
        return "has too many addresses: at most 32 ranges";
    if (parts < 1 || parts == 2 || value_address(script, first, &range.first) != NULL)
        return NOT_ADDRESS;
    range.last = range.first;
    if (mark == '/') {
        if (!whole(rest, 32, &length))
            return NOT_ADDRESS;
        uint32_t hosts = length == 0 ? UINT32_MAX : (uint32_t)((1ULL << (32 - length)) - 1);
        if ((range.first & hosts) != 0)
            return "has host bits set: not a prefix";
        range.last = range.first | hosts;
    } else if (mark != '\0' && (mark != '-' || value_address(script, rest, &range.last) != NULL)) {
        return NOT_ADDRESS;
    }
    if (range.last < range.first)
        return "ends before it begins";
    ranges->item[ranges->count++] = range;
    return NULL;
}

VALUE(addresses)
{
    return each_word(script, text, field, add_range);
}

VALUE(mac)
{
    (void)script;
    uint8_t *mac = field;
    int taken = 0;
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5],
               &taken) != 6 ||
        text[taken] != '\0')
        return "is not a MAC address such as 02:00:00:00:48:37";
    return NULL;
}

VALUE(turn)
{
    static const char *const shapes[] = {
        [SHAPE_STEP] = "step", [SHAPE_RAMP] = "ramp ", [SHAPE_RAGGED] = "ragged "};
    struct turn *turn = field;
    *turn = (struct turn){SHAPE_STEP, 0};
    if (strcmp(text, "step") == 0)
        return NULL;
    for (turn->shape = SHAPE_RAMP; turn->shape <= SHAPE_RAGGED; turn->shape++) {
        size_t length = strlen(shapes[turn->shape]);
        if (strncmp(text, shapes[turn->shape], length) == 0)
            return value_duration(script, text + length, &turn->takes_ns);
    }
    return "is neither step, ramp DURATION nor ragged DURATION";
}

VALUE(flicker)
{
    static const char wrong[] = "is not a flicker such as 2025-06-06 21:10:00 for 4m: kcna.kp ns1.kptc.kp";
    struct flickers *flickers = field;
    if (flickers->count == FLICKERS_MAX)
        return "is one flicker too many: at most 8";
    struct flicker *flicker = &flickers->item[flickers->count++];
    int64_t takes_ns;
    size_t at = take_instant(script, text, &flicker->from_ns);
    if (at == 0 || strncmp(text + at, " for ", 5) != 0)
        return wrong;
    size_t length = take_duration(text + at + 5, &takes_ns);
    const char *rest = text + at + 5 + length;
    if (length == 0 || (*rest != '\0' && *rest != ':'))
        return wrong;
    flicker->to_ns = flicker->from_ns + takes_ns;
    return *rest == ':' ? value_names(script, rest + 1, &flicker->who) : NULL;
}

VALUE(surge)
{
    struct surge *surge = field;
    size_t at = take_rate(text, &surge->rate);
    if (at == 0 || strncmp(text + at, " for ", 5) != 0 ||
        value_duration(script, text + at + 5, &surge->before_ns) != NULL)
        return "is not a surge such as 40/s for 20m";
    return NULL;
}

/* The place of a text in a list of words, or -1. */
static int which(const char *const *words, const char *text)
{
    int place = 0;
    while (words[place] != NULL && strcmp(words[place], text) != 0)
        place++;
    return words[place] != NULL ? place : -1;
}

VALUE(inbound)
{
    (void)script;
    static const char *const words[] = {"persists", "ceases", "withdrawn", NULL};
    int word = which(words, text);
    *(enum inbound *)field = word < 0 ? INBOUND_PERSISTS : (enum inbound)word;
    return word < 0 ? "is neither persists, ceases nor withdrawn" : NULL;
}

/* RFC 792, RFC 1812. */
VALUE(refusal)
{
    static const char wrong[] = "is not a refusal such as 10% or 10% host-unreachable by 192.0.2.1";
    static const char *const words[] = {"net-unreachable", "host-unreachable", "port-unreachable",
                                        "prohibited",      "time-exceeded",    NULL};
    static const uint8_t kinds[][2] = {{3, 0}, {3, 1}, {3, 3}, {3, 13}, {11, 0}};
    struct refusal *refusal = field;
    char share[20] = "", kind[20] = "net-unreachable", by[20] = "router", more[2];
    int parts = sscanf(text, "%19s %19s by %19s %1s", share, kind, by, more), word = which(words, kind);
    if (parts < 1 || parts > 3 || word < 0 || (parts == 2 && strstr(text, " by") != NULL) ||
        value_share(script, share, &refusal->share) != NULL)
        return wrong;
    refusal->type = kinds[word][0];
    refusal->code = kinds[word][1];
    refusal->by = strcmp(by, "router") == 0 ? REFUSER_PATH
                  : strcmp(by, "host") == 0 ? REFUSER_HOST
                                            : REFUSER_ADDRESS;
    return refusal->by == REFUSER_ADDRESS && value_address(script, by, &refusal->address) != NULL ? wrong
                                                                                                  : NULL;
}

VALUE(speaks)
{
    (void)script;
    static const char *const words[] = {"udp", "tcp", "ping", NULL};
    static const enum kind kinds[] = {KIND_UDP, KIND_TCP, KIND_PING};
    int word = which(words, text);
    *(enum kind *)field = kinds[word < 0 ? 0 : word];
    return word < 0 ? "is neither udp, tcp nor ping" : NULL;
}

VALUE(seen)
{
    (void)script;
    static const char *const words[] = {"both", "requests", "answers", NULL};
    int word = which(words, text);
    *(enum seen *)field = word < 0 ? SEEN_BOTH : (enum seen)word;
    return word < 0 ? "is neither both, requests nor answers" : NULL;
}

VALUE(loss)
{
    struct loss *loss = field;
    *loss = (struct loss){.kind = LOSS_SHARE, .share = 1};
    if (strcmp(text, "everything") == 0)
        return NULL;
    if (strcmp(text, "inbound") == 0 || strcmp(text, "outbound") == 0) {
        loss->kind = *text == 'i' ? LOSS_INBOUND : LOSS_OUTBOUND;
        return NULL;
    }
    if (strncmp(text, "vlan ", 5) == 0) {
        loss->kind = LOSS_VLAN;
        return value_short(script, text + 5, &loss->vlan);
    }
    return value_share(script, text, &loss->share) == NULL
               ? NULL
               : "is neither everything, inbound, outbound, vlan N nor a share";
}
