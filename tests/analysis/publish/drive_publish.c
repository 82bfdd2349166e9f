/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the letterbox as its arguments say and puts in what standard input asks for: "event N", "bin N",
 * "flow N" (the next N of a canned sequence), "step N", "sleep MS". Each line is answered with "ok" on
 * standard output when --ack is given. It runs with no more rights than the program does. Exit status 0, 1
 * when closing failed, 2 when opening failed. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "canned.h"
#include "privs.h"
#include "publish.h"

static const struct option long_options[] = {
    {"sensor", required_argument, NULL, 's'},
    {"events", required_argument, NULL, 'e'},
    {"bins", required_argument, NULL, 'b'},
    {"flows", required_argument, NULL, 'f'},
    {"report", required_argument, NULL, 'r'},
    {"summary", no_argument, NULL, 'S'},
    {"http", required_argument, NULL, 'h'},
    {"redis", required_argument, NULL, 'R'},
    {"user", required_argument, NULL, 'u'},
    {"password", required_argument, NULL, 'p'},
    {"ca", required_argument, NULL, 'A'},
    {"prefix", required_argument, NULL, 'P'},
    {"maxlen", required_argument, NULL, 'm'},
    {"queue", required_argument, NULL, 'q'},
    {"timeout", required_argument, NULL, 't'},
    {"heartbeat", required_argument, NULL, 'H'},
    {"drain", required_argument, NULL, 'd'},
    {"live", no_argument, NULL, 'l'},
    {"ack", no_argument, NULL, 'a'},
    {"spool", required_argument, NULL, 'o'},
    {"check", required_argument, NULL, 'c'},
    {"list", no_argument, NULL, 'L'},
    {NULL, 0, NULL, 0},
};

static struct publish_options options = {
    .sensor = "ix-1",
    .command = "drive_publish <&>",
    .input = "canned",
    .replay = true,
    .bin_ns = 60 * NS_PER_S,
    .step_ns = NS_PER_S / 10,
    .redis = {.prefix = "lightsout:",
              .maxlen = 10000,
              .queue = 10000,
              .connect_timeout_s = 2,
              .command_timeout_s = 2,
              .heartbeat_s = 10,
              .drain_s = 5},
};

static void set_option(int letter, char *value)
{
    switch (letter) {
    case 's':
        options.sensor = value;
        break;
    case 'e':
        options.events_path = value;
        break;
    case 'b':
        options.bins_path = value;
        break;
    case 'f':
        options.flows_path = value;
        break;
    case 'r':
        options.report_path = value;
        break;
    case 'S':
        options.summary = true;
        break;
    case 'h':
        options.http_listen = value;
        break;
    case 'R':
        options.redis.url = value;
        break;
    case 'u':
        options.redis.user = value;
        break;
    case 'p':
        options.redis.password = value;
        break;
    case 'A':
        options.redis.tls_ca = value;
        break;
    case 'P':
        options.redis.prefix = value;
        break;
    case 'm':
        options.redis.maxlen = (uint32_t)atoi(value);
        break;
    case 'q':
        options.redis.queue = (uint32_t)atoi(value);
        break;
    case 't':
        options.redis.connect_timeout_s = options.redis.command_timeout_s = atof(value);
        break;
    case 'H':
        options.redis.heartbeat_s = atof(value);
        break;
    case 'd':
        options.redis.drain_s = atof(value);
        break;
    case 'o':
        options.redis.spool_path = value;
        options.redis.spool_mib = 64;
        break;
    case 'L':
        options.redis.list = true;
        break;
    case 'l':
        options.replay = false;
        break;
    default:
        exit(2);
    }
}

static void obey(struct publish *publish, const char *verb, unsigned count)
{
    static unsigned events, bins, flows, steps;
    for (unsigned i = 0; i < count && strcmp(verb, "event") == 0; i++) {
        struct event event = canned_event(events++);
        publish_event(publish, &event);
    }
    for (unsigned i = 0; i < count && strcmp(verb, "bin") == 0; i++) {
        struct bin bin = canned_bin(bins++);
        publish_bin(publish, &bin);
    }
    for (unsigned i = 0; i < count && strcmp(verb, "flow") == 0; i++) {
        struct flow_record flow = canned_flow(flows++);
        publish_flow(publish, &flow);
    }
    for (unsigned i = 0; i < count && strcmp(verb, "step") == 0; i++)
        publish_step(publish, CANNED_START_NS + ++steps * options.step_ns);
    if (strcmp(verb, "sleep") == 0)
        nanosleep(&(struct timespec){.tv_sec = count / 1000, .tv_nsec = count % 1000 * 1000000L}, NULL);
    struct health health = {
        .packets_read = 1000000, .packets_watched = 2500, .packets_cut = bins, .files_read = 1};
    publish_health(publish, &health);
}

/* As in the program, unless that leaves it out (sanitizers). */
static int confine(void *context, struct fault *fault)
{
    static char *arguments[] = {"lightsout", "-r", "-", NULL};
    struct settings settings;
    struct privs held;
    (void)context;
    if (settings_read(&settings, 3, arguments, fault) != 0)
        return -1;
    settings.publish = options;
    int result = privs_confine(&settings, PRIVS_RUNNING, &held, fault);
    settings_free(&settings);
    return result;
}

int main(int argc, char **argv)
{
    struct fault fault;
    bool ack = false;
    signal(SIGPIPE, SIG_IGN);
    for (int letter; (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        if (letter == 'c') {
            options.redis.url = optarg;
            int result = publish_check_redis(&options, &fault);
            puts(result == 0 ? "good" : fault.text);
            return result == 0 ? 0 : 2;
        } else if (letter == 'a') {
            ack = true;
        } else {
            set_option(letter, optarg);
        }
    options.opened = confine;
    struct publish *publish = publish_open(&options, &canned_scopes, &fault);
    if (publish == NULL) {
        fprintf(stderr, "fault: %s\n", fault.text);
        return 2;
    }
    char line[64], verb[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned count = 1;
        if (sscanf(line, "%15s %u", verb, &count) >= 1)
            obey(publish, verb, count);
        if (ack) {
            puts("ok");
            fflush(stdout);
        }
    }
    if (publish_close(publish, &fault) == 0)
        return 0;
    fprintf(stderr, "fault: %s\n", fault.text);
    return 1;
}
