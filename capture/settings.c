/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows configuration keys. Every key is a row of a table: adding one is adding a row. */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "nearest.h"
#include "privs.h"

enum value_type {
    VALUE_TEXT,
    VALUE_WORDS,
    VALUE_YES_NO,
    VALUE_COUNT,
    VALUE_SECONDS,
    VALUE_NUMBER,
    VALUE_PASSWORD_FILE
};

/* How a value is kept: at an offset in the settings, in the unit of its type. VALUE_SECONDS is kept in
 * nanoseconds in an int64_t, or in seconds in a double where `in_double`. */
struct row {
    const char *section, *key;
    enum value_type type;
    size_t offset;
    double least, most;
    const char *value; /* the default, as one would write it; NULL: none */
    bool in_double;
    size_t count_offset; /* VALUE_WORDS: where their number goes */
};

#define AT(member) offsetof(struct settings, member)

static const struct row rows[] = {
    {"lightsout", "sensor", VALUE_TEXT, AT(publish.sensor), 0, 0, NULL, 0, 0},
    {"lightsout", "utc_offset", VALUE_TEXT, AT(utc_offset), 0, 0, NULL, 0, 0},
    {"lightsout", "bin", VALUE_SECONDS, AT(capture.bin_ns), 1, 3600, "60", 0, 0},
    {"lightsout", "step", VALUE_SECONDS, AT(capture.step_ns), 1, 3600, "5", 0, 0},
    {"lightsout", "events", VALUE_TEXT, AT(publish.events_path), 0, 0, NULL, 0, 0},
    {"lightsout", "bins", VALUE_TEXT, AT(publish.bins_path), 0, 0, NULL, 0, 0},
    {"lightsout", "flows", VALUE_TEXT, AT(publish.flows_path), 0, 0, NULL, 0, 0},
    {"lightsout", "report", VALUE_TEXT, AT(publish.report_path), 0, 0, NULL, 0, 0},
    {"lightsout", "state", VALUE_TEXT, AT(publish.state_path), 0, 0, NULL, 0, 0},
    {"lightsout", "state_every", VALUE_SECONDS, AT(state_every_s), 0, 86400, "30", 1, 0},
    {"lightsout", "user", VALUE_TEXT, AT(user), 0, 0, NULL, 0, 0},
    {"lightsout", "confine", VALUE_YES_NO, AT(confine), 0, 0, "yes", 0, 0},
    {"capture", "interface", VALUE_WORDS, AT(capture.interfaces), 0, 0, NULL, 0, AT(capture.interface_count)},
    {"capture", "filter", VALUE_TEXT, AT(capture.filter), 0, 0, NULL, 0, 0},
    {"capture", "decapsulate", VALUE_YES_NO, AT(capture.decapsulate), 0, 0, "yes", 0, 0},
    {"capture", "deduplicate", VALUE_YES_NO, AT(capture.deduplicate), 0, 0, "no", 0, 0},
    {"capture", "sampling", VALUE_COUNT, AT(capture.sampling), 1, 1e6, "1", 0, 0},
    {"capture", "snaplen", VALUE_COUNT, AT(capture.snaplen), 64, 262144, "65535", 0, 0},
    {"capture", "workers", VALUE_COUNT, AT(capture.workers), 1, 64, "1", 0, 0},
    {"capture", "cpus", VALUE_WORDS, AT(capture.cpus), 0, 0, NULL, 0, AT(capture.cpu_count)},
    {"capture", "ring_mib", VALUE_COUNT, AT(capture.ring_mib), 1, 2047, "64", 0, 0},
    {"capture", "promiscuous", VALUE_YES_NO, AT(capture.promiscuous), 0, 0, "yes", 0, 0},
    {"capture", "lateness", VALUE_SECONDS, AT(capture.lateness_s), 0, 60, "1", 1, 0},
    {"capture", "gap_max", VALUE_SECONDS, AT(capture.gap_max_ns), 60, 1e9, "24h", 0, 0},
    {"capture", "flow_timeout", VALUE_SECONDS, AT(capture.flow_timeout_ns), 1, 86400, "120", 0, 0},
    {"capture", "burst_length", VALUE_SECONDS, AT(capture.burst_length_ns), 1, 86400, "60", 0, 0},
    {"capture", "flows_max", VALUE_COUNT, AT(capture.flows_max), 1, 1e8, "1000000", 0, 0},
    {"capture", "classify_max", VALUE_COUNT, AT(capture.classify_max), 0, 1e7, "20000", 0, 0},
    {"capture", "addresses_max", VALUE_COUNT, AT(capture.addresses_max), 1, 1e8, "1000000", 0, 0},
    {"detect", "false_alarms_per_year", VALUE_NUMBER, AT(analysis.false_alarms_per_year), 1e-6, 1e6, "1", 0,
     0},
    {"detect", "half_life", VALUE_SECONDS, AT(analysis.half_life_s), 3600, 1e9, "14d", 1, 0},
    {"detect", "recovery_hold", VALUE_SECONDS, AT(analysis.recovery_hold_s), 0, 86400, "15m", 1, 0},
    {"detect", "level_after", VALUE_SECONDS, AT(analysis.level_after_s), 0, 1e9, "7d", 1, 0},
    {"detect", "learn_flows", VALUE_NUMBER, AT(analysis.learn_flows), 10, 1e9, "100", 0, 0},
    {"detect", "learn_time", VALUE_SECONDS, AT(analysis.learn_s), 1, 1e9, "30m", 1, 0},
    {"fuse", "lateness", VALUE_SECONDS, AT(fuse_lateness_s), 1, 3600, "60", 1, 0},
    {"http", "listen", VALUE_TEXT, AT(publish.http_listen), 0, 0, NULL, 0, 0},
    {"redis", "url", VALUE_TEXT, AT(publish.redis.url), 0, 0, NULL, 0, 0},
    {"redis", "user", VALUE_TEXT, AT(publish.redis.user), 0, 0, NULL, 0, 0},
    {"redis", "password_file", VALUE_PASSWORD_FILE, AT(publish.redis.password), 0, 0, NULL, 0, 0},
    {"redis", "tls_ca", VALUE_TEXT, AT(publish.redis.tls_ca), 0, 0, NULL, 0, 0},
    {"redis", "tls_cert", VALUE_TEXT, AT(publish.redis.tls_cert), 0, 0, NULL, 0, 0},
    {"redis", "tls_key", VALUE_TEXT, AT(publish.redis.tls_key), 0, 0, NULL, 0, 0},
    {"redis", "prefix", VALUE_TEXT, AT(publish.redis.prefix), 0, 0, NULL, 0, 0},
    {"redis", "maxlen", VALUE_COUNT, AT(publish.redis.maxlen), 1, 1e9, "10000", 0, 0},
    {"redis", "list", VALUE_YES_NO, AT(publish.redis.list), 0, 0, "no", 0, 0},
    {"redis", "queue", VALUE_COUNT, AT(publish.redis.queue), 1, 1e7, "100000", 0, 0},
    {"redis", "spool", VALUE_TEXT, AT(publish.redis.spool_path), 0, 0, NULL, 0, 0},
    {"redis", "spool_mib", VALUE_COUNT, AT(publish.redis.spool_mib), 1, 1e6, "256", 0, 0},
    {"redis", "connect_timeout", VALUE_SECONDS, AT(publish.redis.connect_timeout_s), 0.1, 600, "3", 1, 0},
    {"redis", "command_timeout", VALUE_SECONDS, AT(publish.redis.command_timeout_s), 0.1, 600, "3", 1, 0},
    {"redis", "heartbeat", VALUE_SECONDS, AT(publish.redis.heartbeat_s), 1, 3600, "10", 1, 0},
    {"redis", "drain", VALUE_SECONDS, AT(publish.redis.drain_s), 0, 3600, "10", 1, 0},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* What the settings own, and what is only of use while they are read. */
struct settings_store {
    void **owned;
    size_t owned_count;
    int origin[ROW_COUNT]; /* as settings_origin tells */
    int line;              /* under way */
    bool command_line;
    char **seen; /* section and key of this file, to find duplicates */
    size_t seen_count;
};

/* ---- owning ---- */

void *settings_own(struct settings *settings, void *memory)
{
    struct settings_store *store = settings->store;
    void **owned = realloc(store->owned, (store->owned_count + 1) * sizeof *owned);
    /* At the start there is nothing to lose yet; nor is a reload without memory worth a way of its own. */
    if (memory == NULL || owned == NULL)
        memory_end("the settings");
    store->owned = owned;
    owned[store->owned_count++] = memory;
    return memory;
}

char *settings_own_text(struct settings *settings, const char *text)
{
    return settings_own(settings, strdup(text));
}

void *settings_own_grown(struct settings *settings, void *items, size_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return items; /* there is room up to the next power of two */
    char *grown = settings_own(settings, calloc(count > 0 ? 2 * count : 1, size));
    if (count > 0)
        memcpy(grown, items, count * size);
    return grown;
}

void settings_note_file(struct settings *settings, const char *path)
{
    *SETTINGS_APPEND(settings, *(const char ***)&settings->files, settings->file_count) =
        settings_own_text(settings, path);
}

int settings_check_file(const struct settings *settings, const char *what, const char *path,
                        struct fault *fault)
{
    enum { MIB_MAX = 64 };
    struct stat status;
    if (!settings->again || stat(path, &status) != 0)
        return 0;
    if (!S_ISREG(status.st_mode))
        return fault_set(fault, "%s %s: no regular file, and others are read at the start only", what, path);
    if (status.st_size > (off_t)MIB_MAX << 20)
        return fault_set(fault, "%s %s: larger than %d MiB", what, path, MIB_MAX);
    return 0;
}

/* ---- values ---- */

static int refuse(struct fault *fault, const char *key, const char *value, const char *wanted)
{
    return fault_set(fault, "%s = %s: %s", key, value, wanted);
}

int settings_yes_no(const char *key, const char *value, bool *yes, struct fault *fault)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(value, words[i]) == 0) {
            *yes = i % 2;
            return 0;
        }
    return refuse(fault, key, value, "yes or no is wanted");
}

/* A number, for times with a unit behind it if one likes: 900, 15m, 24h, 14d. */
static int read_number(const struct row *row, const char *value, double *number, struct fault *fault)
{
    static const char units[] = "smhd";
    static const double unit_s[] = {1, 60, 3600, 86400};
    bool is_time = row->type == VALUE_SECONDS;
    char *rest;
    *number = strtod(value, &rest);
    bool read = rest != value && *number == *number;
    const char *unit = is_time && *rest != '\0' ? strchr(units, *rest) : NULL;
    if (unit != NULL) {
        *number *= unit_s[unit - units];
        rest++;
    }
    if (read && *rest == '\0' && *number >= row->least && *number <= row->most)
        return 0;
    char wanted[128];
    snprintf(wanted, sizeof wanted, "a number from %.10g to %.10g is wanted%s", row->least, row->most,
             is_time ? ", in seconds or with s, m, h or d behind it" : "");
    return refuse(fault, row->key, value, wanted);
}

/* The password stands alone in a file, so that neither the command line nor the configuration shows it. */
static int read_password(struct settings *settings, const char *path, const char **password,
                         struct fault *fault)
{
    char line[512] = "";
    settings_note_file(settings, path);
    if (settings_check_file(settings, "password_file =", path, fault) != 0)
        return -1;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return fault_errno(fault, errno, "password_file = %s: %s", path, strerror(errno));
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (!read || line[0] == '\0')
        return fault_set(fault, "password_file = %s: the first line should hold the password", path);
    *password = settings_own_text(settings, line);
    return 0;
}

/* Calls `take` for each word of a list parted by blanks or commas. */
int settings_each_word(struct settings *settings, const char *value, struct fault *fault,
                       int (*take)(struct settings *, void *, char *, struct fault *), void *into)
{
    char *words = settings_own_text(settings, value), *rest = NULL;
    for (char *word = strtok_r(words, " \t,", &rest); word != NULL; word = strtok_r(NULL, " \t,", &rest))
        if (take(settings, into, word, fault) != 0)
            return -1;
    return 0;
}

struct word_list {
    const char ***words;
    size_t *count;
};

static int take_word(struct settings *settings, void *into, char *word, struct fault *fault)
{
    (void)fault;
    struct word_list *list = into;
    *SETTINGS_APPEND(settings, *list->words, *list->count) = word;
    return 0;
}

/* Puts a value where its row says. */
static int put(struct settings *settings, const struct row *row, const char *value, struct fault *fault)
{
    char *at = (char *)settings + row->offset;
    double number;
    switch (row->type) {
    case VALUE_TEXT:
        *(const char **)at = settings_own_text(settings, value);
        return 0;
    case VALUE_WORDS: {
        struct word_list list = {(const char ***)at, (size_t *)((char *)settings + row->count_offset)};
        return settings_each_word(settings, value, fault, take_word, &list);
    }
    case VALUE_YES_NO:
        return settings_yes_no(row->key, value, (bool *)at, fault);
    case VALUE_PASSWORD_FILE:
        return read_password(settings, value, (const char **)at, fault);
    case VALUE_COUNT:
    case VALUE_SECONDS:
    case VALUE_NUMBER:
        break;
    }
    if (read_number(row, value, &number, fault) != 0)
        return -1;
    if (row->type == VALUE_COUNT)
        *(uint32_t *)at = (uint32_t)number;
    else if (row->type == VALUE_NUMBER || row->in_double)
        *(double *)at = number;
    else
        *(int64_t *)at = (int64_t)(number * (double)NS_PER_S);
    return 0;
}

static const struct row *find_row(const char *section, const char *key)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

int settings_origin(const struct settings *settings)
{
    return settings->embedded              ? SETTINGS_DEFAULT
           : settings->store->command_line ? SETTINGS_COMMAND_LINE
                                           : settings->store->line;
}

/* Names the key that may have been meant: one of the section, or the same one elsewhere. */
static int refuse_key(const char *section, const char *key, struct fault *fault)
{
    struct nearest nearest;
    nearest_begin(&nearest, key);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].key, key) == 0)
            return fault_set(fault, "there is no key '%s' in [%s]: it is one of [%s]", key, section,
                             rows[i].section);
        if (strcmp(rows[i].section, section) == 0)
            nearest_try(&nearest, rows[i].key);
    }
    if (nearest.found != NULL)
        return fault_set(fault, "there is no key '%s' in [%s]: is '%s' meant?", key, section, nearest.found);
    return fault_set(fault, "there is no key '%s' in [%s]; samples/lightsout.conf shows them all", key,
                     section);
}

int settings_set(struct settings *settings, const char *section, const char *key, const char *value,
                 struct fault *fault)
{
    const struct row *row = find_row(section, key);
    if (row == NULL)
        return refuse_key(section, key, fault);
    settings->store->origin[row - rows] = settings_origin(settings);
    return put(settings, row, value, fault);
}

/* ---- files ---- */

/* A line of a section, or its head alone (no key). */
static int set_in_section(struct settings *settings, const char *section, const char *key, const char *value,
                          struct fault *fault)
{
    const char *name = strchr(section, ' ');
    if (name != NULL)
        return settings_rule_set(settings, section, name + strspn(name, " \t"), key, value, fault);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].section, section) == 0)
            return key != NULL ? settings_set(settings, section, key, value, fault) : 0;
    return settings_rule_set(settings, section, NULL, key, value, fault);
}

static bool seen_before(struct settings *settings, const char *section, const char *key)
{
    struct settings_store *store = settings->store;
    char both[512];
    snprintf(both, sizeof both, "%s\n%s", section, key);
    for (size_t i = 0; i < store->seen_count; i++)
        if (strcmp(store->seen[i], both) == 0)
            return true;
    *SETTINGS_APPEND(settings, store->seen, store->seen_count) = settings_own_text(settings, both);
    return false;
}

struct reading {
    struct settings *settings;
    FILE *file;
    const char *text; /* instead of a file */
    struct fault *fault;
    int line;
    bool has_key, continued, failed;
    char section[256];
    int error; /* the errno of reading the file */
};

/* Spells a section's head in one way, so that the same one is known again. */
static void spell_section(char section[256])
{
    char *name = strchr(section, ' '), text[PREFIX_TEXT_MAX];
    struct prefix prefix;
    struct fault unsaid;
    if (name == NULL)
        return;
    name++;
    memmove(name, name + strspn(name, " \t"), strlen(name + strspn(name, " \t")) + 1);
    if (strncmp(section, "watch ", 6) != 0 || prefix_parse(name, &prefix, &unsaid) != 0)
        return;
    prefix_format(&prefix, text);
    snprintf(name, (size_t)(section + 256 - name), "%s", text);
}

/* Hands inih one line at a time, so that its number and its length are known. A section's head is taken here:
 * one without keys is meant too (`[watch 192.0.2.0/24]`). */
static char *next_line(char *line, int room, void *stream)
{
    struct reading *reading = stream;
    if (reading->failed)
        return NULL;
    if (reading->file != NULL) {
        if (fgets(line, room, reading->file) == NULL) {
            reading->error = ferror(reading->file) ? errno : 0; /* a directory's, say */
            return NULL;
        }
    } else {
        if (*reading->text == '\0')
            return NULL;
        size_t length = strcspn(reading->text, "\n");
        snprintf(line, (size_t)room, "%.*s\n", (int)length, reading->text);
        reading->text += length + (reading->text[length] == '\n');
    }
    reading->line++;
    reading->settings->store->line = reading->line;
    if (strchr(line, '\n') == NULL && (int)strlen(line) >= room - 1) {
        reading->failed = true;
        fault_set(reading->fault, "the line is longer than %d bytes: continue it on the next, indented",
                  room - 2);
        return NULL;
    }
    if (strchr(line, '\n') == NULL && reading->file != NULL && !feof(reading->file)) {
        reading->failed = true;
        fault_set(reading->fault, "there is a byte of zero in the line: it is no text");
        return NULL;
    }
    reading->continued = reading->has_key && (line[0] == ' ' || line[0] == '\t');
    for (char *mark = strchr(line, '#'); mark != NULL; mark = strchr(mark + 1, '#'))
        if (mark == line || isspace((unsigned char)mark[-1])) {
            strcpy(mark, "\n");
            break;
        }
    char *close = line[0] == '[' ? strchr(line, ']') : NULL;
    if (close != NULL) {
        snprintf(reading->section, sizeof reading->section, "%.*s", (int)(close - line - 1), line + 1);
        reading->failed =
            set_in_section(reading->settings, reading->section, NULL, NULL, reading->fault) != 0;
        reading->has_key = false;
        spell_section(reading->section);
    }
    return reading->failed ? NULL : line;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    (void)section; /* inih cuts long ones */
    struct reading *reading = user;
    reading->has_key = true;
    if (reading->failed)
        return 0;
    if (reading->section[0] == '\0')
        reading->failed = fault_set(reading->fault, "'%s' stands before the first [section]", key) != 0;
    else if (reading->continued && strchr(value, '=') != NULL)
        reading->failed =
            fault_set(reading->fault,
                      "'%s' is indented, and so would go on with the value of '%s': begin the line with it",
                      value, key) != 0;
    else if (!reading->continued && seen_before(reading->settings, reading->section, key))
        reading->failed = fault_set(reading->fault, "'%s' stands twice in [%s]", key, reading->section) != 0;
    else
        reading->failed =
            set_in_section(reading->settings, reading->section, key, value, reading->fault) != 0;
    return !reading->failed;
}

static int read_configuration(struct settings *settings, const char *path, struct fault *fault)
{
    struct fault why = {.text = ""};
    struct reading reading = {.settings = settings, .text = settings_embedded, .fault = &why};
    if (path != NULL) {
        settings_note_file(settings, path);
        if (settings_check_file(settings, "configuration", path, fault) != 0)
            return -1;
        reading.file = fopen(path, "r");
        if (reading.file == NULL)
            return fault_errno(fault, errno, "configuration %s: %s", path, strerror(errno));
    }
    settings->embedded = path == NULL;
    settings->store->seen_count = 0;
    int line = ini_parse_stream(next_line, &reading, take_pair, &reading);
    if (reading.file != NULL)
        fclose(reading.file);
    settings->store->line = 0;
    settings->embedded = false;
    if (reading.error != 0)
        return fault_set(fault, "configuration %s: %s", path, strerror(reading.error));
    if (reading.failed)
        return fault_errno(fault, why.refused ? ENOMEM : 0, "%s:%d: %s",
                           path != NULL ? path : "embedded default", reading.line, why.text);
    if (line != 0)
        return fault_set(fault, "%s:%d: neither a [section] nor a 'key = value'",
                         path != NULL ? path : "embedded default", line);
    return 0;
}

/* ---- what follows from it ---- */

/* Where a value was set, for a fault that shows only when all is read: "FILE:LINE: " or nothing. */
static const char *place_of(struct settings *settings, const char *section, const char *key)
{
    int line = settings->store->origin[find_row(section, key) - rows];
    char place[4200] = "";
    if (line > 0)
        snprintf(place, sizeof place, "%s:%d: ", settings->config_path, line);
    return settings_own_text(settings, place);
}

static int check_times(struct settings *settings, struct fault *fault)
{
    const struct capture_options *capture = &settings->capture;
    double bin_s = (double)capture->bin_ns / (double)NS_PER_S,
           step_s = (double)capture->step_ns / (double)NS_PER_S;
    struct settings_store *store = settings->store;
    if (capture->bin_ns % NS_PER_S != 0 || (3600 * NS_PER_S) % capture->bin_ns != 0)
        return fault_set(fault, "%sbin = %g: a whole number of seconds that divides an hour is wanted",
                         place_of(settings, "lightsout", "bin"), bin_s);
    bool asked = store->origin[find_row("lightsout", "step") - rows] != SETTINGS_DEFAULT;
    if (!asked && (capture->step_ns > capture->bin_ns || capture->bin_ns % capture->step_ns != 0))
        settings->capture.step_ns = capture->bin_ns < 5 * NS_PER_S ? capture->bin_ns : NS_PER_S;
    else if (capture->bin_ns % capture->step_ns != 0)
        return fault_set(fault, "%sstep = %g does not divide bin = %g",
                         place_of(settings, "lightsout", "step"), step_s, bin_s);
    return 0;
}

static int check_period(const struct settings *settings, struct fault *fault)
{
    const struct capture_options *capture = &settings->capture;
    bool from = capture->from_ns != TIME_NONE, to = capture->to_ns != TIME_NONE;
    if ((from || to) && settings->task == TASK_LIVE)
        return fault_set(fault,
                         "--from and --to are of a replay (-r, -b): an interface is watched from now on");
    if (capture->follow && settings->task != TASK_REPLAY && settings->task != TASK_NONE)
        return fault_set(fault, "--follow is of captures (-r)");
    if (from && to && capture->from_ns >= capture->to_ns)
        return fault_set(fault, "--from is not before --to: nothing lies between");
    return 0;
}

static int check_cpus(struct settings *settings, struct fault *fault)
{
    for (size_t i = 0; i < settings->capture.cpu_count; i++) {
        const char *word = settings->capture.cpus[i];
        if (*word == '\0' || strspn(word, "0123456789") != strlen(word) ||
            strtoul(word, NULL, 10) >= CPU_SETSIZE)
            return fault_set(fault, "%scpus = %s: numbers of processors from 0 to %d are wanted",
                             place_of(settings, "capture", "cpus"), word, CPU_SETSIZE - 1);
    }
    return 0;
}

/* A name for the sensor where none was given: the host's; a fused view is of no host. */
static void name_sensor(struct settings *settings)
{
    char host[256] = "";
    if (settings->publish.sensor == NULL && settings->task == TASK_FUSE)
        settings->publish.sensor = "fused";
    if (settings->publish.sensor != NULL)
        return;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        strcpy(host, "sensor");
    settings->publish.sensor = settings_own_text(settings, host);
}

static int check_sensor(const char *name, struct fault *fault)
{
    size_t length = strlen(name);
    if (length == 0 || length > 128 || strpbrk(name, "{}\"\\ \t\n") != NULL)
        return fault_set(
            fault, "sensor = %s: 1 to 128 bytes without blanks, braces, quotes or backslashes are wanted",
            name);
    return 0;
}

/* What is replayed is not of now, and must never look like it: it has keys of its own unless told otherwise.
 */
static void name_prefix(struct settings *settings)
{
    bool replay = settings->task == TASK_REPLAY || settings->task == TASK_BINS;
    if (settings->publish.redis.prefix == NULL)
        settings->publish.redis.prefix = replay ? "lightsout-replay:" : "lightsout:";
}

/* Events wait for Redis beside the checkpoint, unless another place is named. */
static void name_spool(struct settings *settings)
{
    static const char suffix[] = ".spool";
    const char *state = settings->publish.state_path;
    if (settings->publish.redis.url == NULL || settings->publish.redis.spool_path != NULL || state == NULL)
        return;
    char *path = settings_own(settings, malloc(strlen(state) + sizeof suffix));
    settings->publish.redis.spool_path = strcat(strcpy(path, state), suffix);
}

/* What the sensors have counted cannot be counted again. */
static int check_fuse(const struct settings *settings, struct fault *fault)
{
    const struct publish_options *publish = &settings->publish;
    if (publish->redis.url == NULL)
        return fault_set(fault, "--fuse: the sensors are read from Redis: give --redis URL");
    if (publish->state_path != NULL)
        return fault_set(fault, "--fuse keeps its state in Redis: leave --state out");
    if (publish->redis.list)
        return fault_set(fault, "--fuse puts events into the stream only: leave list out of [redis]");
    if (publish->flows_path != NULL || publish->report_path != NULL)
        return fault_set(fault, "--fuse reads bins: there is nothing for %s to tell",
                         publish->flows_path != NULL ? "--flows" : "--report");
    return 0;
}

/* The clock of the watched side, by which report and live page tell the time too. Korea's is nine hours
 * ahead, for the embedded watch list. */
static int read_offset(struct settings *settings, struct fault *fault)
{
    unsigned hours, minutes;
    char sign;
    int length = -1;
    bool from_elsewhere = settings->task == TASK_BINS || settings->task == TASK_FUSE; /* who knows whose */
    if (settings->utc_offset == NULL && (settings->own_watches || from_elsewhere))
        return 0;
    if (settings->utc_offset == NULL)
        settings->utc_offset = "+09:00";
    const char *text = settings->utc_offset;
    if (sscanf(text, "%c%2u:%2u%n", &sign, &hours, &minutes, &length) != 3 || text[length] != '\0' ||
        length != 6 || (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
        return fault_set(fault, "%sutc_offset = %s: hours and minutes from UTC are wanted, such as +09:00",
                         place_of(settings, "lightsout", "utc_offset"), text);
    settings->publish.offset_min = (sign == '-' ? -1 : 1) * (int32_t)(60 * hours + minutes);
    return 0;
}

static int finish(struct settings *settings, struct fault *fault)
{
    if (read_offset(settings, fault) != 0)
        return -1;
    if (check_times(settings, fault) != 0 || check_period(settings, fault) != 0 ||
        check_cpus(settings, fault) != 0)
        return -1;
    if (settings_rules_finish(settings, fault) != 0)
        return -1;
    name_sensor(settings);
    name_prefix(settings);
    name_spool(settings);
    struct fault why;
    if (check_sensor(settings->publish.sensor, &why) != 0)
        return fault_set(fault, "%s%s", place_of(settings, "lightsout", "sensor"), why.text);
    if (privs_check_user(settings, &why) != 0)
        return fault_errno(fault, why.refused ? ENOMEM : 0, "%s%s", place_of(settings, "lightsout", "user"),
                           why.text);
    const char *password = getenv("LIGHTSOUT_REDIS_PASSWORD");
    if (settings->publish.redis.password == NULL && password != NULL) {
        settings->publish.redis.password = settings_own_text(settings, password);
        settings->store->origin[find_row("redis", "password_file") - rows] = SETTINGS_ENVIRONMENT;
    }
    if (settings->publish.redis.url != NULL && publish_check_redis(&settings->publish, &why) != 0)
        return fault_errno(fault, why.refused ? ENOMEM : 0, "%s%s", place_of(settings, "redis", "url"),
                           why.text);
    if (settings->publish.http_listen != NULL && publish_check_http(settings->publish.http_listen, &why) != 0)
        return fault_set(fault, "%s%s", place_of(settings, "http", "listen"), why.text);
    settings->scopes.interfaces = settings->capture.interfaces;
    settings->scopes.interface_count = (uint32_t)settings->capture.interface_count;
    path_bind_interfaces(&settings->rules, settings->capture.interfaces, settings->capture.interface_count);
    settings->analysis.bin_ns = settings->publish.bin_ns = settings->capture.bin_ns;
    settings->publish.step_ns = settings->capture.step_ns;
    settings->capture.flow_records = settings->publish.flows_path != NULL;
    settings->capture.hosts = settings->publish.report_path != NULL || settings->publish.http_listen != NULL;
    return 0;
}

/* ---- the door ---- */

/* Sanitizers and valgrind do what a confined program may not, whatever was asked for. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static bool is_instrumented(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return SANITIZED || (preloaded != NULL && strstr(preloaded, "/vgpreload_") != NULL);
}

static int read_all(struct settings *settings, int argc, char **argv, struct fault *fault)
{
    settings->store = calloc(1, sizeof *settings->store);
    if (settings->store == NULL)
        return fault_errno(fault, ENOMEM, "no memory for the settings");
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].value != NULL && put(settings, &rows[i], rows[i].value, fault) != 0)
            return -1;
    if (command_line_read(settings, argc, argv, true, fault) != 0)
        return -1;
    if (settings->task == TASK_HELP || settings->task == TASK_VERSION)
        return 0;
    if (read_configuration(settings, NULL, fault) != 0)
        return -1;
    if (settings->config_path != NULL && read_configuration(settings, settings->config_path, fault) != 0)
        return -1;
    settings->store->command_line = true;
    if (command_line_read(settings, argc, argv, false, fault) != 0)
        return -1;
    if (is_instrumented())
        settings->confine = false;
    if (settings->task == TASK_NONE && settings->capture.interface_count > 0)
        settings->task = TASK_LIVE;
    if (settings->task != TASK_LIVE)
        settings->capture.interface_count = 0;
    if (settings->task == TASK_NONE && !settings->check)
        return fault_set(fault, "nothing to do: give -r PATH, -i IFACE, -b FILE or --fuse; see --help");
    if (settings->task == TASK_FUSE && check_fuse(settings, fault) != 0)
        return -1;
    return finish(settings, fault);
}

static const struct settings nothing_read = {.progress = -1,
                                             .capture = {.from_ns = TIME_NONE, .to_ns = TIME_NONE}};

int settings_read(struct settings *settings, int argc, char **argv, struct fault *fault)
{
    *settings = nothing_read;
    return read_all(settings, argc, argv, fault);
}

int settings_read_again(struct settings *settings, int argc, char **argv, struct fault *fault)
{
    *settings = nothing_read;
    settings->again = true;
    return read_all(settings, argc, argv, fault);
}

void settings_free(struct settings *settings)
{
    watchlist_free(settings->rules.watchlist);
    if (settings->store == NULL)
        return;
    for (size_t i = 0; i < settings->store->owned_count; i++)
        free(settings->store->owned[i]);
    free(settings->store->owned);
    free(settings->store);
    settings->store = NULL;
}

/* ---- reload ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_words(const struct settings *a, const struct settings *b, const struct row *row)
{
    const char *const *words[2] = {*(const char *const *const *)((const char *)a + row->offset),
                                   *(const char *const *const *)((const char *)b + row->offset)};
    size_t count = *(const size_t *)((const char *)a + row->count_offset);
    if (count != *(const size_t *)((const char *)b + row->count_offset))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[0][i], words[1][i]) != 0)
            return false;
    return true;
}

static bool same_value(const struct settings *a, const struct settings *b, const struct row *row)
{
    const char *at[2] = {(const char *)a + row->offset, (const char *)b + row->offset};
    switch (row->type) {
    case VALUE_TEXT:
    case VALUE_PASSWORD_FILE:
        return same_text(*(const char *const *)at[0], *(const char *const *)at[1]);
    case VALUE_WORDS:
        return same_words(a, b, row);
    case VALUE_YES_NO:
        return *(const bool *)at[0] == *(const bool *)at[1];
    case VALUE_COUNT:
        return memcmp(at[0], at[1], sizeof(uint32_t)) == 0;
    case VALUE_SECONDS:
    case VALUE_NUMBER:
        break;
    }
    return memcmp(at[0], at[1], sizeof(int64_t)) == 0; /* or a double */
}

/* What the study does with what it learns can change; how fast it forgets is part of what it has learned. */
static bool is_reloaded(const struct row *row)
{
    return strcmp(row->section, "detect") == 0 && strcmp(row->key, "half_life") != 0;
}

size_t settings_unlike(const struct settings *now, const struct settings *next, char *text, size_t room)
{
    size_t count = 0, length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (is_reloaded(&rows[i]) || same_value(now, next, &rows[i]))
            continue;
        int wrote = snprintf(text + length, room - length, "%s%s", count > 0 ? ", " : "", rows[i].key);
        length = wrote > 0 && (size_t)wrote < room - length ? length + (size_t)wrote : length;
        count++;
    }
    return count;
}

/* ---- --check ---- */

static void print_value(const struct settings *settings, const struct row *row)
{
    const char *at = (const char *)settings + row->offset;
    switch (row->type) {
    case VALUE_TEXT:
        printf("%s", *(const char *const *)at);
        break;
    case VALUE_WORDS:
        for (size_t i = 0; i < *(const size_t *)((const char *)settings + row->count_offset); i++)
            printf("%s%s", i > 0 ? " " : "", (*(const char *const *const *)at)[i]);
        break;
    case VALUE_PASSWORD_FILE:
        printf("(not shown)");
        break;
    case VALUE_YES_NO:
        printf("%s", *(const bool *)at ? "yes" : "no");
        break;
    case VALUE_COUNT:
        printf("%u", *(const uint32_t *)at);
        break;
    case VALUE_SECONDS:
        printf("%.10g",
               row->in_double ? *(const double *)at : (double)*(const int64_t *)at / (double)NS_PER_S);
        break;
    case VALUE_NUMBER:
        printf("%.10g", *(const double *)at);
        break;
    }
}

static bool is_set(const struct settings *settings, const struct row *row)
{
    const char *at = (const char *)settings + row->offset;
    if (row->type == VALUE_WORDS)
        return *(const size_t *)((const char *)settings + row->count_offset) > 0;
    return (row->type != VALUE_TEXT && row->type != VALUE_PASSWORD_FILE) || *(const char *const *)at != NULL;
}

void settings_print_origin(const struct settings *settings, int origin)
{
    if (origin > 0)
        printf("# %s:%d\n", settings->config_path, origin);
    else
        printf("# %s\n", origin == SETTINGS_COMMAND_LINE  ? "command line"
                         : origin == SETTINGS_ENVIRONMENT ? "environment"
                                                          : "default");
}

static void print_rows(const struct settings *settings)
{
    const char *section = "";
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(section, rows[i].section) != 0)
            printf("%s[%s]\n", i > 0 ? "\n" : "", rows[i].section);
        section = rows[i].section;
        if (!is_set(settings, &rows[i])) {
            printf("# %s is not set\n", rows[i].key);
            continue;
        }
        printf("%s = ", rows[i].key);
        if (strcmp(rows[i].key, "url") == 0 && strchr(settings->publish.redis.url, '@') != NULL)
            printf("(not shown: it may hold a password)");
        else
            print_value(settings, &rows[i]);
        printf("  ");
        settings_print_origin(settings, settings->store->origin[i]);
    }
}

void settings_print(const struct settings *settings)
{
    print_rows(settings);
    settings_rules_print(settings);
}
