/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instant.h"
#include "nearest.h"
#include "prefix_list.h"
#include "settings.h"

const char settings_help[] =
    "Usage: lightsout -r PATH ... | -i IFACE ... | -b FILE | --fuse  [option ...]\n"
    "  -r, --read PATH           replay a capture, or a folder of them (repeatable)\n"
    "  -i, --interface IFACE     watch an interface (repeatable)\n"
    "  -b, --read-bins FILE      analyse bins that --bins wrote\n"
    "      --fuse                judge the bins of all sensors in Redis together\n"
    "  -f, --filter EXPR         an additional pcap filter\n"
    "      --from TIME, --to TIME, --speed N  of a replay: a part, its pace\n"
    "      --follow              read on as captures grow and new files come\n"
    "  -c, --config FILE         configuration; without it the DPRK is watched\n"
    "  -w, --watch CIDR[,LABEL]  watch this instead (repeatable)\n"
    "      --watch-from FILE[,CC]  ... prefixes of a list, or a country of an RIR's\n"
    "  -T, --check               check, print what is in force, and exit\n"
    "      --bin SECONDS, --sensor NAME  the interval (60), a name\n"
    "      --events FILE         outages as NDJSON, appended; - is standard output\n"
    "      --bins FILE           a row per scope and bin as CSV\n"
    "      --flows FILE          a record per watched flow as NDJSON\n"
    "      --report FILE         a self-contained HTML report\n"
    "      --redis URL           redis://host[:port][/db], rediss://, unix:///path\n"
    "      --redis-prefix TEXT   before every key (lightsout:)\n"
    "      --http ADDR:PORT      status page, /metrics, /healthz, /api/state\n"
    "      --state FILE          checkpoint: what was learned, to go on with\n"
    "      --progress, --no-progress  how far it is (on a terminal)\n"
    "  -q, --quiet  -v, --verbose  -V, --version  -h, --help\n"
    "Exit status: 0 done; 1 failed, or input damaged; 2 unusable arguments.\n"
    "See lightsout(8), and lightsout.conf for every key of a configuration.\n";

enum {
    OPTION_WATCH_FROM = 256,
    OPTION_FUSE,
    OPTION_SPEED,
    OPTION_PROGRESS,
    OPTION_NO_PROGRESS,
    OPTION_FROM,
    OPTION_TO,
    OPTION_FOLLOW,
    OPTION_KEY
};

/* Options that only set a key of [lightsout] or another section. */
struct key_option {
    const char *name, *section, *key;
};

static const struct key_option key_options[] = {
    {"bin", "lightsout", "bin"},         {"events", "lightsout", "events"}, {"bins", "lightsout", "bins"},
    {"flows", "lightsout", "flows"},     {"report", "lightsout", "report"}, {"redis", "redis", "url"},
    {"sensor", "lightsout", "sensor"},   {"state", "lightsout", "state"},   {"http", "http", "listen"},
    {"redis-prefix", "redis", "prefix"}, {"filter", "capture", "filter"},
};

enum { KEY_OPTION_COUNT = sizeof key_options / sizeof key_options[0] };

static const struct option long_options[] = {
    {"read", required_argument, NULL, 'r'},
    {"interface", required_argument, NULL, 'i'},
    {"read-bins", required_argument, NULL, 'b'},
    {"fuse", no_argument, NULL, OPTION_FUSE},
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 'T'},
    {"watch", required_argument, NULL, 'w'},
    {"watch-from", required_argument, NULL, OPTION_WATCH_FROM},
    {"speed", required_argument, NULL, OPTION_SPEED},
    {"progress", no_argument, NULL, OPTION_PROGRESS},
    {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
    {"follow", no_argument, NULL, OPTION_FOLLOW},
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"bin", required_argument, NULL, OPTION_KEY + 0},
    {"events", required_argument, NULL, OPTION_KEY + 1},
    {"bins", required_argument, NULL, OPTION_KEY + 2},
    {"flows", required_argument, NULL, OPTION_KEY + 3},
    {"report", required_argument, NULL, OPTION_KEY + 4},
    {"redis", required_argument, NULL, OPTION_KEY + 5},
    {"sensor", required_argument, NULL, OPTION_KEY + 6},
    {"state", required_argument, NULL, OPTION_KEY + 7},
    {"http", required_argument, NULL, OPTION_KEY + 8},
    {"redis-prefix", required_argument, NULL, OPTION_KEY + 9},
    {"filter", required_argument, NULL, 'f'},
    {NULL, 0, NULL, 0},
};

static int watch_one(struct settings *settings, const char *argument, struct fault *fault)
{
    char *cidr = settings_own_text(settings, argument);
    char *label = strchr(cidr, ',');
    if (label != NULL)
        *label++ = '\0';
    struct fault why;
    struct watch *watch = settings_watch(settings, cidr, &why);
    if (watch == NULL)
        return fault_errno(fault, why.refused ? ENOMEM : 0, "--watch %s: %s", argument, why.text);
    if (label != NULL)
        watch->label = label;
    return 0;
}

static int watch_from(struct settings *settings, const char *argument, struct fault *fault)
{
    struct prefix *prefixes;
    size_t count;
    char *path = settings_own_text(settings, argument), *country = strrchr(path, ',');
    if (country != NULL)
        *country = '\0';
    settings_note_file(settings, path);
    if (settings_check_file(settings, "watch list", path, fault) != 0 ||
        prefix_list_read(argument, &prefixes, &count, fault) != 0)
        return -1;
    settings_watch_many(settings, prefixes, count);
    free(prefixes);
    return 0;
}

static int take_speed(struct settings *settings, const char *argument, struct fault *fault)
{
    char *rest;
    double speed = strtod(argument, &rest);
    if (rest == argument || *rest != '\0' || !(speed > 0) || speed > 1e9)
        return fault_set(fault, "--speed %s: a number above 0 is wanted", argument);
    settings->capture.speed = speed;
    return 0;
}

static int take_instant(const char *option, const char *argument, int64_t *time_ns, struct fault *fault)
{
    if (instant_read(argument, time_ns))
        return 0;
    return fault_set(fault, "%s %s: a time is wanted, as in 2025-06-06 or 2025-06-06T17:23:41Z", option,
                     argument);
}

static int take_key_option(struct settings *settings, const struct key_option *option, const char *argument,
                           struct fault *fault)
{
    struct fault why;
    if (settings_set(settings, option->section, option->key, argument, &why) != 0)
        return fault_errno(fault, why.refused ? ENOMEM : 0, "--%s: %s", option->name, why.text);
    return 0;
}

static int take_task(struct settings *settings, enum settings_task task, struct fault *fault)
{
    if (settings->task != TASK_NONE && settings->task != task)
        return fault_set(fault, "only one of --read, --interface, --read-bins and --fuse can be asked for");
    settings->task = task;
    return 0;
}

static int take_option(struct settings *settings, int option, const char *argument, struct fault *fault)
{
    switch (option) {
    case 'r':
        *SETTINGS_APPEND(settings, *(const char ***)&settings->capture.reads, settings->capture.read_count) =
            argument;
        return take_task(settings, TASK_REPLAY, fault);
    case 'i':
        if (settings->task != TASK_LIVE) /* those of the configuration, if any, are replaced */
            settings->capture.interface_count = 0;
        *SETTINGS_APPEND(settings, *(const char ***)&settings->capture.interfaces,
                         settings->capture.interface_count) = argument;
        return take_task(settings, TASK_LIVE, fault);
    case 'b':
        if (settings->bins_file != NULL)
            return fault_set(fault, "--read-bins takes one file");
        settings->bins_file = argument;
        return take_task(settings, TASK_BINS, fault);
    case OPTION_FUSE:
        return take_task(settings, TASK_FUSE, fault);
    case 'w':
    case OPTION_WATCH_FROM:
        settings_watch_anew(settings);
        return option == 'w' ? watch_one(settings, argument, fault) : watch_from(settings, argument, fault);
    case OPTION_SPEED:
        return take_speed(settings, argument, fault);
    case OPTION_FOLLOW:
        settings->capture.follow = true;
        return 0;
    case OPTION_FROM:
        return take_instant("--from", argument, &settings->capture.from_ns, fault);
    case OPTION_TO:
        return take_instant("--to", argument, &settings->capture.to_ns, fault);
    case 'f':
        return take_key_option(settings, &key_options[KEY_OPTION_COUNT - 1], argument, fault);
    case 'T':
        settings->check = true;
        return 0;
    case 'q':
        settings->quiet = true;
        return 0;
    case 'v':
        settings->verbose = true;
        return 0;
    case OPTION_PROGRESS:
    case OPTION_NO_PROGRESS:
        settings->progress = option == OPTION_PROGRESS;
        return 0;
    default:
        return take_key_option(settings, &key_options[option - OPTION_KEY], argument, fault);
    }
}

static int refuse_option(const char *written, struct fault *fault)
{
    char name[64];
    struct nearest nearest;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(written, "="), written);
    nearest_begin(&nearest, name + strspn(name, "-"));
    for (const struct option *option = long_options; option->name != NULL && name[1] == '-'; option++)
        nearest_try(&nearest, option->name);
    if (nearest.found == NULL)
        return fault_set(fault, "there is no option %s; see --help", name);
    return fault_set(fault, "there is no option %s: is --%s meant? See --help", name, nearest.found);
}

/* Goes through the command line: the first time only for what decides which files are read. */
int command_line_read(struct settings *settings, int argc, char **argv, bool first, struct fault *fault)
{
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":r:i:b:c:Tw:f:qvVh", long_options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            const char *which = argv[optind - 1];
            return option == ':' ? fault_set(fault, "%s wants a value; see --help", which)
                                 : refuse_option(which, fault);
        }
        if (option == 'h' || option == 'V') {
            settings->task = option == 'h' ? TASK_HELP : TASK_VERSION;
            return 0;
        }
        if (option == 'c')
            settings->config_path = optarg;
        else if (!first && take_option(settings, option, optarg, fault) != 0)
            return -1;
    }
    if (optind < argc)
        return fault_set(fault, "'%s' is not an option: captures are read with -r PATH; see --help",
                         argv[optind]);
    return 0;
}

void command_line_hide(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *user = strstr(argv[i], "://");
        if (user == NULL)
            continue;
        user += 3;
        char *end = user + strcspn(user, "/?#"), *colon = memchr(user, ':', (size_t)(end - user));
        char *at = memrchr(user, '@', (size_t)(end - user));
        for (char *c = colon; colon != NULL && at != NULL && ++c < at;)
            *c = '*';
    }
}
