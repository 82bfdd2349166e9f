/* SPDX-License-Identifier: BSD-3-Clause */
#include "instant.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

/* Whether so many seconds from the epoch are a time as those of packets are: up to 2115, so that the distance
 * of any two fits as well. */
static bool is_in_reach(double seconds)
{
    return seconds > -4.6e9 && seconds < 4.6e9;
}

/* Reads `count` digits; -1 when they are not there. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* Reads a mark and the two digits behind it into `value`, if the mark is there; false when it is alone. */
static bool further(const char **at, char mark, int *value)
{
    if (**at != mark)
        return true;
    (*at)++;
    *value = digits(at, 2);
    return *value >= 0;
}

static int64_t read_fraction(const char **at)
{
    int64_t ns = 0;
    if (**at != '.')
        return 0;
    (*at)++;
    for (int64_t unit_ns = NS_PER_S / 10; **at >= '0' && **at <= '9'; unit_ns /= 10, (*at)++)
        ns += (**at - '0') * unit_ns;
    return ns;
}

/* What stands behind the time of day: nothing, Z, or an offset in hours and minutes. */
static bool read_zone(const char *at, int *offset_s)
{
    *offset_s = 0;
    if (*at == '\0' || strcmp(at, "Z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    int sign = *at++ == '-' ? -1 : 1, hours = digits(&at, 2), minutes = 0;
    at += *at == ':';
    if (*at != '\0')
        minutes = digits(&at, 2);
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && *at == '\0';
}

static bool read_calendar(const char *at, int64_t *time_ns)
{
    struct tm tm = {0};
    int offset_s = 0;
    int64_t fraction_ns = 0;
    tm.tm_year = digits(&at, 4) - 1900;
    if (!further(&at, '-', &tm.tm_mon) || !further(&at, '-', &tm.tm_mday) || tm.tm_mday == 0)
        return false;
    tm.tm_mon--;
    if (*at == 'T' || *at == ' ') {
        at++;
        tm.tm_hour = digits(&at, 2);
        if (tm.tm_hour < 0 || *at != ':' || !further(&at, ':', &tm.tm_min) || !further(&at, ':', &tm.tm_sec))
            return false;
        fraction_ns = read_fraction(&at);
        if (!read_zone(at, &offset_s))
            return false;
    } else if (*at != '\0') {
        return false;
    }
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
        return false;
    const int month = tm.tm_mon;
    time_t seconds = timegm(&tm);
    if (month != tm.tm_mon || !is_in_reach((double)seconds))
        return false; /* the 30th of February, or no month at all */
    *time_ns = ((int64_t)seconds - offset_s) * NS_PER_S + fraction_ns;
    return true;
}

bool instant_read(const char *text, int64_t *time_ns)
{
    if (strlen(text) >= 10 && text[4] == '-')
        return read_calendar(text, time_ns);
    char *rest;
    double seconds = strtod(text, &rest);
    if (rest == text || *rest != '\0' || !is_in_reach(seconds))
        return false;
    *time_ns = (int64_t)(seconds * (double)NS_PER_S);
    return true;
}
