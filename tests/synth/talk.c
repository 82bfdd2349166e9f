/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "frame.h"
#include "talk.h"

/* Bytes being written; `bytes` has room for MESSAGE_MAX_BYTES, more than any message takes. */
struct writer {
    uint8_t *bytes;
    size_t length;
};

static void put(struct writer *writer, const void *bytes, size_t length)
{
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void put_number(struct writer *writer, int bytes, uint32_t value)
{
    while (bytes-- > 0)
        writer->bytes[writer->length++] = (uint8_t)(value >> 8 * bytes);
}

/* Opens a block whose length stands before it, in so many bytes; returns where, for put_close. */
static size_t put_open(struct writer *writer, int bytes)
{
    put_number(writer, bytes, 0);
    return writer->length;
}

static void put_close(struct writer *writer, int bytes, size_t start)
{
    struct writer back = {writer->bytes, start - (size_t)bytes};
    put_number(&back, bytes, (uint32_t)(writer->length - start));
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* Stands for encrypted bytes: always the same, so that a capture compresses. */
static void put_noise(struct writer *writer, size_t length)
{
    for (size_t i = 0; i < length; i++)
        writer->bytes[writer->length++] = (uint8_t)(i * 167 + (i >> 3) * 59 + 13);
}

/* Stands for 32 random bytes, of which the first four differ from flow to flow. */
static void put_random(struct writer *writer, const struct talk *talk)
{
    put_number(writer, 4, talk->salt);
    put_noise(writer, 28);
}

static void put_http_response(struct writer *writer, const struct talk *talk)
{
    static const char line[] = "<p>This page belongs to a made-up scenario.</p>\n";
    char head[200];
    int length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: %u\r\n"
                 "Connection: close\r\n\r\n",
                 talk->response_bytes);
    put(writer, head, (size_t)length);
    for (uint32_t i = 0; i < talk->response_bytes; i++)
        writer->bytes[writer->length++] = (uint8_t)line[i % (sizeof line - 1)];
}

/* A list with a length of two bytes before it: the shape of many TLS extensions. */
static void put_extension(struct writer *writer, uint32_t type, const void *bytes, size_t length)
{
    put_number(writer, 2, type);
    put_number(writer, 2, (uint32_t)length);
    put(writer, bytes, length);
}

static void put_key_share(struct writer *writer, const struct talk *talk, bool client)
{
    put_number(writer, 2, 51);
    size_t extension = put_open(writer, 2);
    size_t list = client ? put_open(writer, 2) : 0;
    put_number(writer, 2, 0x001d); /* x25519 */
    size_t key = put_open(writer, 2);
    put_random(writer, talk);
    put_close(writer, 2, key);
    if (client)
        put_close(writer, 2, list);
    put_close(writer, 2, extension);
}

static void put_server_name(struct writer *writer, const struct talk *talk)
{
    put_number(writer, 2, 0);
    size_t extension = put_open(writer, 2), list = put_open(writer, 2);
    put_number(writer, 1, 0); /* a host name */
    size_t name = put_open(writer, 2);
    put_text(writer, talk->name);
    put_close(writer, 2, name);
    put_close(writer, 2, list);
    put_close(writer, 2, extension);
}

/* RFC 8446, 4.1.2 and 4.1.3. */
static void put_tls_hello(struct writer *writer, const struct talk *talk, bool client)
{
    static const uint8_t suites[] = {0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f};
    static const uint8_t groups[] = {0, 4, 0, 0x1d, 0, 0x17};
    static const uint8_t signatures[] = {0, 6, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01};
    static const uint8_t versions_client[] = {4, 0x03, 0x04, 0x03, 0x03}, versions_server[] = {0x03, 0x04};
    put_number(writer, 3, client ? 0x160301 : 0x160303);
    size_t record = put_open(writer, 2);
    put_number(writer, 1, client ? 1 : 2);
    size_t handshake = put_open(writer, 3);
    put_number(writer, 2, 0x0303);
    put_random(writer, talk);
    put_number(writer, 1, 0); /* no session id */
    if (client)
        put_number(writer, 2, sizeof suites);
    put(writer, suites, client ? sizeof suites : 2);
    put_number(writer, client ? 2 : 1, client ? 0x0100 : 0); /* no compression */
    size_t extensions = put_open(writer, 2);
    if (client) {
        put_server_name(writer, talk);
        put_extension(writer, 10, groups, sizeof groups);
        put_extension(writer, 13, signatures, sizeof signatures);
        put_extension(writer, 43, versions_client, sizeof versions_client);
    } else {
        put_extension(writer, 43, versions_server, sizeof versions_server);
    }
    put_key_share(writer, talk, client);
    put_close(writer, 2, extensions);
    put_close(writer, 3, handshake);
    put_close(writer, 2, record);
}

/* A record of encrypted bytes, after a ChangeCipherSpec where one is due. */
static void put_tls_data(struct writer *writer, bool first, size_t length)
{
    static const uint8_t change[] = {0x14, 0x03, 0x03, 0, 1, 1};
    if (first)
        put(writer, change, sizeof change);
    put_number(writer, 3, 0x170303);
    size_t record = put_open(writer, 2);
    put_noise(writer, length);
    put_close(writer, 2, record);
}

/* RFC 1035: the question, and the answer that repeats it. */
static void put_dns(struct writer *writer, const struct talk *talk, bool answer)
{
    put_number(writer, 2, talk->salt & 0xffff);
    put_number(writer, 2, answer ? 0x8580 : 0x0100);
    put_number(writer, 2, 1);
    put_number(writer, 2, answer);
    put_number(writer, 4, 0);
    for (const char *label = talk->name; *label != '\0';) {
        size_t length = strcspn(label, ".");
        put_number(writer, 1, (uint32_t)length);
        put(writer, label, length);
        label += length + (label[length] == '.');
    }
    put_number(writer, 1, 0);
    put_number(writer, 4, 0x00010001); /* A, IN */
    if (!answer)
        return;
    put_number(writer, 2, 0xc00c);
    put_number(writer, 4, 0x00010001);
    put_number(writer, 4, 21600);
    put_number(writer, 2, 4);
    put_number(writer, 4, talk->answer);
}

static void put_ntp(struct writer *writer, bool answer)
{
    put_number(writer, 4, answer ? 0x240206e9 : 0x23000000);
    put_number(writer, 4, 0);
    put_number(writer, 4, 0);
    put_number(writer, 4, answer ? 0x7f7f0101 : 0);
    for (int i = 0; i < 8; i++)
        put_number(writer, 4, 0);
}

static size_t put_message(const struct talk *talk, enum message message, uint8_t bytes[MESSAGE_MAX_BYTES])
{
    struct writer writer = {bytes, 0};
    char text[300];
    switch (message) {
    case MESSAGE_NONE:
        break;
    case MESSAGE_HTTP_REQUEST:
        snprintf(text, sizeof text,
                 "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n", talk->name);
        put_text(&writer, text);
        break;
    case MESSAGE_HTTP_RESPONSE:
        put_http_response(&writer, talk);
        break;
    case MESSAGE_TLS_HELLO:
        put_tls_hello(&writer, talk, true);
        break;
    case MESSAGE_TLS_FLIGHT:
        put_tls_hello(&writer, talk, false);
        put_tls_data(&writer, true, 900);
        break;
    case MESSAGE_TLS_REQUEST:
        put_tls_data(&writer, true, 53);
        put_tls_data(&writer, false, 140);
        break;
    case MESSAGE_TLS_RESPONSE:
        put_tls_data(&writer, false, talk->response_bytes);
        break;
    case MESSAGE_SMTP_GREETING:
        snprintf(text, sizeof text, "220 %s ESMTP Postfix\r\n", talk->name);
        put_text(&writer, text);
        break;
    case MESSAGE_SMTP_EHLO:
        put_text(&writer, "EHLO relay.example.net\r\n");
        break;
    case MESSAGE_SMTP_FEATURES:
        snprintf(text, sizeof text, "250-%s\r\n250-PIPELINING\r\n250 8BITMIME\r\n", talk->name);
        put_text(&writer, text);
        break;
    case MESSAGE_SMTP_QUIT:
        put_text(&writer, "QUIT\r\n");
        break;
    case MESSAGE_SMTP_BYE:
        put_text(&writer, "221 2.0.0 Bye\r\n");
        break;
    case MESSAGE_OPAQUE:
        put_noise(&writer, 120);
        break;
    case MESSAGE_DNS_QUESTION:
    case MESSAGE_DNS_ANSWER:
        put_dns(&writer, talk, message == MESSAGE_DNS_ANSWER);
        break;
    case MESSAGE_NTP_QUESTION:
    case MESSAGE_NTP_ANSWER:
        put_ntp(&writer, message == MESSAGE_NTP_ANSWER);
        break;
    case MESSAGE_ECHO:
        put_text(&writer, "abcdefghijklmnopqrstuvwabcdefghi");
        break;
    case MESSAGE_FLOOD:
        put_noise(&writer, 1000);
        break;
    }
    return writer.length;
}

size_t talk_payload(const struct talk *talk, const struct step *step, uint8_t *bytes)
{
    uint8_t whole[MESSAGE_MAX_BYTES];
    size_t length = put_message(talk, (enum message)step->message, whole);
    if (step->message == MESSAGE_ECHO || length == 0) {
        memcpy(bytes, whole, length);
        return length;
    }
    memcpy(bytes, whole + step->offset, step->length);
    return step->length;
}

/* A pause of 0 to 63 units that depends on flow and step only. */
static uint32_t pause_of(const struct talk *talk)
{
    return ((talk->salt >> 7) + (uint32_t)talk->count * 11) & 63;
}

/* One more step. Where the word passes to the other side, the tap sees the answer one round trip to that side
 * later. */
static struct step *say(struct talk *talk, const uint32_t rtt_us[2], enum side side, uint8_t flags)
{
    struct step *step = &talk->step[talk->count];
    *step = (struct step){.side = side, .flags = flags};
    if (talk->count > 0)
        step->after_us = step[-1].side == side ? 200 : rtt_us[side] + 1000 * pause_of(talk) / 4;
    talk->count++;
    return step;
}

/* A message in as many TCP segments as it takes, the last with `flags` too. */
static void say_segments(struct talk *talk, const uint32_t rtt_us[2], enum side side, enum message message,
                         uint8_t flags)
{
    uint8_t whole[MESSAGE_MAX_BYTES];
    size_t length = put_message(talk, message, whole);
    for (size_t offset = 0; offset < length; offset += SEGMENT_MAX_BYTES) {
        bool last = length - offset <= SEGMENT_MAX_BYTES;
        struct step *step = say(talk, rtt_us, side, last ? TCP_ACK | TCP_PSH | flags : TCP_ACK);
        step->message = (uint8_t)message;
        step->offset = (uint16_t)offset;
        step->length = (uint16_t)(last ? length - offset : SEGMENT_MAX_BYTES);
    }
}

static void plan_tcp(struct talk *talk, const uint32_t rtt_us[2])
{
    static const struct {
        uint8_t side, message;
    } exchanges[][5] = {
        [KIND_HTTP] = {{SIDE_CLIENT, MESSAGE_HTTP_REQUEST}, {SIDE_SERVER, MESSAGE_HTTP_RESPONSE}},
        [KIND_HTTPS] = {{SIDE_CLIENT, MESSAGE_TLS_HELLO},
                        {SIDE_SERVER, MESSAGE_TLS_FLIGHT},
                        {SIDE_CLIENT, MESSAGE_TLS_REQUEST},
                        {SIDE_SERVER, MESSAGE_TLS_RESPONSE}},
        [KIND_SMTP] = {{SIDE_SERVER, MESSAGE_SMTP_GREETING},
                       {SIDE_CLIENT, MESSAGE_SMTP_EHLO},
                       {SIDE_SERVER, MESSAGE_SMTP_FEATURES},
                       {SIDE_CLIENT, MESSAGE_SMTP_QUIT},
                       {SIDE_SERVER, MESSAGE_SMTP_BYE}},
        [KIND_TCP] = {{SIDE_CLIENT, MESSAGE_OPAQUE}, {SIDE_SERVER, MESSAGE_OPAQUE}},
    };
    say(talk, rtt_us, SIDE_CLIENT, TCP_SYN);
    say(talk, rtt_us, SIDE_SERVER, TCP_SYN | TCP_ACK);
    say(talk, rtt_us, SIDE_CLIENT, TCP_ACK);
    for (int i = 0; i < 5 && exchanges[talk->kind][i].message != MESSAGE_NONE; i++) {
        /* The server closes with its last word. */
        bool last = i == 4 || exchanges[talk->kind][i + 1].message == MESSAGE_NONE;
        say_segments(talk, rtt_us, (enum side)exchanges[talk->kind][i].side,
                     (enum message)exchanges[talk->kind][i].message, last ? TCP_FIN : 0);
    }
    say(talk, rtt_us, SIDE_CLIENT, TCP_FIN | TCP_ACK);
    say(talk, rtt_us, SIDE_SERVER, TCP_ACK);
}

/* One datagram with a message that fits. */
static void say_datagram(struct talk *talk, const uint32_t rtt_us[2], enum side side, enum message message)
{
    uint8_t whole[MESSAGE_MAX_BYTES];
    struct step *step = say(talk, rtt_us, side, 0);
    step->message = (uint8_t)message;
    step->length = (uint16_t)put_message(talk, message, whole);
}

static void plan_echo(struct talk *talk, const uint32_t rtt_us[2], int count, bool answered)
{
    for (int number = 1; number <= count; number++) {
        if (number > 1)
            say(talk, rtt_us, SIDE_CLIENT, 0)->after_us = 1000000;
        else
            say(talk, rtt_us, SIDE_CLIENT, 0);
        talk->step[talk->count - 1].message = MESSAGE_ECHO;
        talk->step[talk->count - 1].offset = (uint16_t)number;
        if (answered) {
            struct step *step = say(talk, rtt_us, SIDE_SERVER, 0);
            step->message = MESSAGE_ECHO;
            step->offset = (uint16_t)number;
        }
    }
}

void talk_plan(struct talk *talk, const uint32_t rtt_us[2])
{
    talk->count = 0;
    switch (talk->kind) {
    case KIND_DNS:
        say_datagram(talk, rtt_us, SIDE_CLIENT, MESSAGE_DNS_QUESTION);
        say_datagram(talk, rtt_us, SIDE_SERVER, MESSAGE_DNS_ANSWER);
        break;
    case KIND_NTP:
        say_datagram(talk, rtt_us, SIDE_CLIENT, MESSAGE_NTP_QUESTION);
        say_datagram(talk, rtt_us, SIDE_SERVER, MESSAGE_NTP_ANSWER);
        break;
    case KIND_PING:
        plan_echo(talk, rtt_us, 2, true);
        break;
    case KIND_ARP:
        say(talk, rtt_us, SIDE_CLIENT, 0);
        say(talk, rtt_us, SIDE_SERVER, 0)->after_us = 300;
        break;
    default:
        plan_tcp(talk, rtt_us);
        break;
    }
}

void talk_plan_probe(struct talk *talk, enum reaction reaction, const uint32_t rtt_us[2])
{
    talk->count = 0;
    if (talk->kind == KIND_PING) {
        plan_echo(talk, rtt_us, 1, reaction != REACTION_NONE);
        return;
    }
    say(talk, rtt_us, SIDE_CLIENT, TCP_SYN);
    if (reaction == REACTION_REFUSED)
        say(talk, rtt_us, SIDE_SERVER, TCP_RST | TCP_ACK);
    if (reaction != REACTION_OPEN)
        return;
    say(talk, rtt_us, SIDE_SERVER, TCP_SYN | TCP_ACK);
    say(talk, rtt_us, SIDE_CLIENT, TCP_RST);
}

void talk_plan_forged(struct talk *talk, enum seen seen, const uint32_t rtt_us[2])
{
    talk->count = 0;
    if (talk->kind == KIND_UDP) {
        say_datagram(talk, rtt_us, SIDE_CLIENT, MESSAGE_OPAQUE);
        say_datagram(talk, rtt_us, SIDE_SERVER, MESSAGE_FLOOD);
    } else if (talk->kind == KIND_PING) {
        plan_echo(talk, rtt_us, 1, true);
    } else {
        plan_tcp(talk, rtt_us);
    }
    if (seen == SEEN_ANSWERS)
        talk->step[0] = talk->step[1];
    if (seen != SEEN_BOTH)
        talk->count = 1;
}
