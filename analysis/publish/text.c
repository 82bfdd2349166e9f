/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

struct text text_in(char *bytes, size_t room)
{
    bytes[0] = '\0';
    return (struct text){.start = bytes, .at = bytes, .end = bytes + room};
}

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
    if (length >= (size_t)(text->end - text->at)) {
        text->cut = true;
        return;
    }
    memcpy(text->at, bytes, length);
    text->at += length;
    *text->at = '\0';
}

void text_put(struct text *text, const char *string)
{
    put_bytes(text, string, strlen(string));
}

void text_count(struct text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put_bytes(text, digits + first, sizeof digits - first);
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = (size_t)(text->end - text->at);
    int length = vsnprintf(text->at, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room) {
        *text->at = '\0';
        text->cut = true;
        return;
    }
    text->at += length;
}

/* How many bytes the character at `bytes` takes, 1 to 4; 0 when it is no UTF-8: overlong forms, surrogates
 * and what lies beyond U+10FFFF included (RFC 3629, section 4). The terminating zero is never part of a
 * character. */
static size_t utf8_length(const unsigned char *bytes)
{
    unsigned char first = bytes[0], low = 0x80, high = 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

#define REPLACEMENT "\xef\xbf\xbd"

void text_utf8(const char *string, char *clean, size_t room)
{
    struct text text = text_in(clean, room);
    while (*string != '\0' && !text.cut) {
        size_t length = utf8_length((const unsigned char *)string);
        if (length > 0)
            put_bytes(&text, string, length);
        else
            put_bytes(&text, REPLACEMENT, 3);
        string += length > 0 ? length : 1;
    }
}

static void put_json_byte(struct text *text, unsigned char byte)
{
    switch (byte) {
    case '"':
        text_put(text, "\\\"");
        break;
    case '\\':
        text_put(text, "\\\\");
        break;
    default:
        text_format(text, "\\u%04x", byte);
    }
}

/* U+0080 to U+009F, which some terminals obey as they do an escape. */
static bool is_c1(const char *string)
{
    return (unsigned char)string[0] == 0xc2 && (unsigned char)string[1] >= 0x80 &&
           (unsigned char)string[1] < 0xa0;
}

void text_json(struct text *text, const char *string)
{
    text_put(text, "\"");
    while (*string != '\0') {
        const char *plain = string;
        size_t length = 0;
        while (*string != '\0' && *string != '"' && *string != '\\' && (unsigned char)*string >= ' ' &&
               *string != 0x7f && !is_c1(string) && (length = utf8_length((const unsigned char *)string)) > 0)
            string += length;
        put_bytes(text, plain, (size_t)(string - plain));
        if (*string == '\0')
            break;
        if (is_c1(string))
            put_json_byte(text, (unsigned char)*++string);
        else if ((unsigned char)*string < 0x80)
            put_json_byte(text, (unsigned char)*string);
        else
            text_put(text, REPLACEMENT);
        string++;
    }
    text_put(text, "\"");
}

void text_html(struct text *text, const char *string)
{
    while (*string != '\0') {
        size_t length = utf8_length((const unsigned char *)string);
        unsigned char first = (unsigned char)*string;
        if (length == 0)
            text_put(text, REPLACEMENT);
        else if (strchr("&<>\"'", first) != NULL)
            text_format(text, "&#%d;", first);
        else if (first < ' ' || first == 0x7f || is_c1(string))
            text_put(text, "?");
        else
            put_bytes(text, string, length);
        string += length > 0 ? length : 1;
    }
}

static struct tm calendar(int64_t at_ns)
{
    time_t seconds = (time_t)(clock_floor(at_ns, NS_PER_S) / NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return tm;
}

/* Digits by hand: a flow record has three instants, and there may be millions of them. */
static char *put_digits(char *at, unsigned number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + digits;
}

static char *put_instant(char *at, int64_t at_ns, char between)
{
    struct tm tm = calendar(at_ns);
    at = put_digits(at, (unsigned)(tm.tm_year + 1900), 4);
    *at++ = '-';
    at = put_digits(at, (unsigned)tm.tm_mon + 1, 2);
    *at++ = '-';
    at = put_digits(at, (unsigned)tm.tm_mday, 2);
    *at++ = between;
    at = put_digits(at, (unsigned)tm.tm_hour, 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)tm.tm_min, 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)tm.tm_sec, 2);
    *at = '\0';
    return at;
}

void text_time(int64_t at_ns, char text[TEXT_TIME_MAX])
{
    char *at = put_instant(text, at_ns, 'T');
    *at++ = '.';
    at = put_digits(at, (unsigned)((at_ns - clock_floor(at_ns, NS_PER_S)) / 1000), 6);
    *at++ = 'Z';
    *at = '\0';
}

void text_time_s(int64_t at_ns, char text[TEXT_TIME_MAX])
{
    char *at = put_instant(text, at_ns, 'T');
    *at++ = 'Z';
    *at = '\0';
}

void text_clock(int64_t at_ns, int64_t beside_ns, char text[TEXT_TIME_MAX])
{
    const int64_t day_ns = 86400 * NS_PER_S;
    put_instant(text, at_ns, ' ');
    if (beside_ns != TIME_NONE && clock_floor(at_ns, day_ns) == clock_floor(beside_ns, day_ns))
        memmove(text, text + 11, strlen(text + 11) + 1);
}

const char *text_grouped(uint64_t number, char text[TEXT_NUMBER_MAX])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    char *at = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

const char *text_rate(double value, char text[TEXT_NUMBER_MAX])
{
    snprintf(text, TEXT_NUMBER_MAX, "%.*f", value > 0 && value < 1 ? 2 : value < 1000 ? 1 : 0, value);
    return text;
}

void text_span(double seconds, char text[TEXT_SPAN_MAX])
{
    if (!(seconds >= 60)) {
        snprintf(text, TEXT_SPAN_MAX, "%.1f s", seconds);
        return;
    }
    unsigned long long whole = (unsigned long long)(seconds + 0.5), days = whole / 86400;
    unsigned hours = (unsigned)(whole / 3600 % 24), minutes = (unsigned)(whole / 60 % 60);
    if (days > 0)
        snprintf(text, TEXT_SPAN_MAX, "%llu d %u h %u min", days, hours, minutes);
    else if (hours > 0)
        snprintf(text, TEXT_SPAN_MAX, "%u h %u min %u s", hours, minutes, (unsigned)(whole % 60));
    else
        snprintf(text, TEXT_SPAN_MAX, "%u min %u s", minutes, (unsigned)(whole % 60));
}
