/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "values.h"

/* One key of a section: where its value goes and who reads it. */
struct key {
    const char *name;
    size_t offset;
    const char *(*set)(const struct script *script, const char *text, void *field);
};

#define KEY(type, key, member, value)                                                                        \
    {                                                                                                        \
        key, offsetof(struct type, member), value_##value                                                    \
    }
#define CURVE(type)                                                                                          \
    KEY(type, "day-amplitude", curve.amplitude, share), KEY(type, "peak-hour", curve.peak_hour, factor),     \
        KEY(type, "weekend", curve.weekend, factor)
#define FLOWS                                                                                                \
    KEY(traffic, "clients", client, names), KEY(traffic, "name", name, names),                               \
        KEY(traffic, "http", rate[KIND_HTTP], rate), KEY(traffic, "https", rate[KIND_HTTPS], rate),          \
        KEY(traffic, "smtp", rate[KIND_SMTP], rate), KEY(traffic, "tcp", rate[KIND_TCP], rate),              \
        KEY(traffic, "dns", rate[KIND_DNS], rate), KEY(traffic, "ntp", rate[KIND_NTP], rate),                \
        KEY(traffic, "ping", rate[KIND_PING], rate), KEY(traffic, "tcp-port", port, short),                  \
        KEY(traffic, "flows-per-visit", flows_per_visit, factor),                                            \
        KEY(traffic, "response-bytes", response_bytes, number), CURVE(traffic)

static const struct key scenario_keys[] = {
    KEY(script, "name", name, name),
    KEY(script, "with", with, names),
    KEY(script, "note", note, note),
    KEY(script, "assumed", assumed, note),
    KEY(script, "from", from_ns, instant),
    KEY(script, "to", to_ns, instant),
    KEY(script, "utc-offset", zone_ns, zone),
    KEY(script, "seed", seed, seed),
    KEY(script, "grain", grain_ns, duration),
    KEY(script, "watch", watch, addresses),
    KEY(script, "answers-scans", answers_scans, share),
    KEY(script, "ttl", ttl, byte),
    KEY(script, "rtt", rtt_ns, duration),
    CURVE(script),
    {0},
};
static const struct key path_keys[] = {
    KEY(path, "prefix", prefix, addresses),
    KEY(path, "mac", mac, mac),
    KEY(path, "vlan", vlan, short),
    KEY(path, "ttl", ttl, byte),
    KEY(path, "rtt", rtt_ns, duration),
    KEY(path, "router", router, address),
    KEY(path, "unreachable", refusal, refusal),
    {0},
};
static const struct key host_keys[] = {
    KEY(host, "address", address, address),
    KEY(host, "ttl", ttl, byte),
    KEY(host, "answers-scans", answers_scans, share),
    {0},
};
static const struct key clients_keys[] = {KEY(clients, "address", address, addresses), {0}};
static const struct key service_keys[] = {KEY(traffic, "host", host, names), FLOWS, {0}};
static const struct key outward_keys[] = {KEY(traffic, "server", host, names), FLOWS, {0}};
static const struct key control_keys[] = {
    KEY(traffic, "server", host, names),
    KEY(traffic, "arp", rate[KIND_ARP], rate),
    KEY(traffic, "vlan", vlan, short),
    FLOWS,
    {0},
};
static const struct key scan_keys[] = {
    KEY(scan, "rate", rate, rate),
    KEY(scan, "source", source, addresses),
    KEY(scan, "target", target, addresses),
    KEY(scan, "ports", port, ports),
    KEY(scan, "ping", ping, share),
    KEY(scan, "from", from_ns, instant),
    KEY(scan, "to", to_ns, instant),
    KEY(scan, "grows", grows_ns, duration),
    CURVE(scan),
    {0},
};
static const struct key burst_keys[] = {
    KEY(burst, "service", service, names),   KEY(burst, "at", at_ns, instant),
    KEY(burst, "every", every_ns, duration), KEY(burst, "flows", flows, number),
    KEY(burst, "over", over_ns, duration),   {0},
};
static const struct key outage_keys[] = {
    KEY(outage, "scope", scope, name),        KEY(outage, "from", from_ns, instant),
    KEY(outage, "to", to_ns, instant),        KEY(outage, "depth", depth, share),
    KEY(outage, "onset", onset, turn),        KEY(outage, "recovery", recovery, turn),
    KEY(outage, "order", order, names),       KEY(outage, "flicker", flicker, flicker),
    KEY(outage, "inbound", inbound, inbound), KEY(outage, "unreachable", refusal, refusal),
    KEY(outage, "surge", surge, surge),       KEY(outage, "verdict", verdict, name),
    KEY(outage, "note", note, note),          {0},
};
static const struct key tap_fault_keys[] = {
    KEY(tap_fault, "from", from_ns, instant),
    KEY(tap_fault, "to", to_ns, instant),
    KEY(tap_fault, "loses", loss, loss),
    KEY(tap_fault, "cuts-at", kept_bytes, short),
    {0},
};

static const struct key strain_keys[] = {
    KEY(strain, "scope", scope, name),        KEY(strain, "from", from_ns, instant),
    KEY(strain, "to", to_ns, instant),        KEY(strain, "onset", onset, turn),
    KEY(strain, "recovery", recovery, turn),  KEY(strain, "loss", loss, share),
    KEY(strain, "delay", delay_ns, duration), {0},
};
static const struct key move_keys[] = {
    KEY(move, "prefix", prefix, addresses),
    KEY(move, "path", path, name),
    KEY(move, "from", from_ns, instant),
    KEY(move, "to", to_ns, instant),
    {0},
};
static const struct key forged_keys[] = {
    KEY(forged, "source", source, addresses),
    KEY(forged, "target", target, addresses),
    KEY(forged, "target-port", port, short),
    KEY(forged, "speaks", kind, speaks),
    KEY(forged, "seen", seen, seen),
    KEY(forged, "rate", rate, rate),
    KEY(forged, "ttl", ttl, byte),
    KEY(forged, "from", from_ns, instant),
    KEY(forged, "to", to_ns, instant),
    KEY(forged, "grows", grows_ns, duration),
    {0},
};
static const struct key block_keys[] = {
    KEY(block, "scope", scope, name),
    KEY(block, "clients", client, names),
    KEY(block, "from", from_ns, instant),
    KEY(block, "to", to_ns, instant),
    {0},
};
static const struct key expect_keys[] = {
    KEY(expect, "scope", scope, names),
    KEY(expect, "verdict", verdict, names),
    KEY(expect, "never", never, names),
    KEY(expect, "because", because, note),
    {0},
};

static const struct curve curve_unset = {NAN, NAN, NAN};

static void default_path(void *item)
{
    struct path *path = item;
    static const uint8_t mac[] = {0x02, 0, 0, 0, 0x01, 0};
    memcpy(path->mac, mac, sizeof mac);
    path->mac[5] = (uint8_t)path->label.line;
}

static void default_host(void *item)
{
    ((struct host *)item)->answers_scans = NAN;
}

static void default_traffic(void *item)
{
    struct traffic *traffic = item;
    traffic->curve = curve_unset;
    traffic->flows_per_visit = 1;
    traffic->response_bytes = 600;
    traffic->port = 8888;
}

static void default_scan(void *item)
{
    *(struct scan *)item = (struct scan){.label = ((struct scan *)item)->label,
                                         .port = {6, {23, 22, 80, 443, 445, 8080}},
                                         .from_ns = TIME_NONE,
                                         .to_ns = TIME_NONE,
                                         .curve = {0, 0, 1}};
}

static void default_burst(void *item)
{
    struct burst *burst = item;
    burst->at_ns = TIME_NONE;
    burst->flows = 30;
    burst->over_ns = 60 * NS_PER_S;
}

static void default_outage(void *item)
{
    struct outage *outage = item;
    outage->from_ns = outage->to_ns = TIME_NONE;
    outage->depth = 1;
    strcpy(outage->scope, "all");
    strcpy(outage->verdict, "unknown");
}

static void default_tap_fault(void *item)
{
    struct tap_fault *tap_fault = item;
    tap_fault->from_ns = tap_fault->to_ns = TIME_NONE;
    tap_fault->loss.share = 1;
}

static void default_strain(void *item)
{
    struct strain *strain = item;
    strain->from_ns = strain->to_ns = TIME_NONE;
    strcpy(strain->scope, "all");
}

static void default_move(void *item)
{
    struct move *move = item;
    move->from_ns = move->to_ns = TIME_NONE;
}

static void default_forged(void *item)
{
    struct forged *forged = item;
    forged->from_ns = forged->to_ns = TIME_NONE;
    forged->kind = KIND_UDP;
    forged->curve = (struct curve){0, 0, 1};
}

static void default_block(void *item)
{
    struct block *block = item;
    block->from_ns = block->to_ns = TIME_NONE;
    strcpy(block->scope, "all");
}

/* One kind of section: where its items are kept in the script. [scenario] is the script itself. */
static const struct section {
    const char *word;
    const struct key *keys;
    void (*set_defaults)(void *item);
    size_t items, count, size; /* offsets in struct script, and the size of an item */
    int max, role;
} sections[] = {
#define SECTION(word, type, list, most, part)                                                                \
    {                                                                                                        \
        word, part##_keys, default_##type, offsetof(struct script, list),                                    \
            offsetof(struct script, list##_count), sizeof(struct type), most, 0                              \
    }
    {"scenario", scenario_keys, NULL, 0, 0, 0, 1, 0},
    SECTION("path", path, path, PATHS_MAX, path),
    SECTION("host", host, host, HOSTS_MAX, host),
    {"clients", clients_keys, NULL, offsetof(struct script, clients), offsetof(struct script, clients_count),
     sizeof(struct clients), CLIENTS_MAX, 0},
    SECTION("service", traffic, traffic, TRAFFIC_MAX, service),
    SECTION("outward", traffic, traffic, TRAFFIC_MAX, outward),
    SECTION("control", traffic, traffic, TRAFFIC_MAX, control),
    SECTION("scan", scan, scan, SCANS_MAX, scan),
    SECTION("burst", burst, burst, BURSTS_MAX, burst),
    SECTION("outage", outage, outage, OUTAGES_MAX, outage),
    SECTION("tap-fault", tap_fault, tap_fault, TAP_FAULTS_MAX, tap_fault),
    SECTION("strain", strain, strain, STRAINS_MAX, strain),
    SECTION("move", move, move, MOVES_MAX, move),
    SECTION("forged", forged, forged, FORGED_MAX, forged),
    SECTION("block", block, block, BLOCKS_MAX, block),
    {"expect", expect_keys, NULL, offsetof(struct script, expect), offsetof(struct script, expect_count),
     sizeof(struct expect), EXPECTS_MAX, 0},
};

enum { LINES_MAX = 1 << 16, FILES_MAX = 1 + 4, PATH_MAX_BYTES = 512 };

/* The state of reading. */
struct reading {
    FILE *file;
    char paths[FILES_MAX][PATH_MAX_BYTES];
    struct script *script;
    struct fault *fault;
    int line, section_line;      /* the number of the file, times LINES_MAX, plus that of the line */
    bool failed, section_begins; /* a heading was read, and no key of it yet */
    const struct section *section;
    void *item;
};

__attribute__((format(printf, 3, 4))) static int wrong(struct reading *reading, int line, const char *format,
                                                       ...)
{
    if (reading->failed)
        return -1;
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reading->failed = true;
    return fault_set(reading->fault, "%s:%d: %s", reading->paths[line / LINES_MAX], line % LINES_MAX, text);
}

static void check_not_empty(struct reading *reading)
{
    if (reading->section_begins)
        wrong(reading, reading->section_line, "the section is empty");
}

/* fgets for inih that counts lines, cuts comments after a blank and refuses what would not fit. */
static char *read_line(char *line, int room, void *context)
{
    struct reading *reading = context;
    if (reading->failed || fgets(line, room, reading->file) == NULL)
        return NULL;
    reading->line++;
    if (strchr(line, '\n') == NULL && !feof(reading->file))
        wrong(reading, reading->line, "the line is too long: at most %d bytes; give the key twice", room - 2);
    char *comment = strstr(line, " #");
    if (comment != NULL)
        *comment = '\0';
    if (line[strspn(line, " \t")] == '[') {
        check_not_empty(reading);
        reading->section_begins = true;
        reading->section_line = reading->line;
    }
    return line;
}

static const struct section *find_section(const char *word)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(sections[i].word, word) == 0)
            return &sections[i];
    return NULL;
}

/* "[word name]": makes the item. */
static int open_section(struct reading *reading, const char *title)
{
    char word[NAME_MAX_BYTES] = "", name[NAME_MAX_BYTES] = "", more[2];
    int words = sscanf(title, "%63s %63s %1s", word, name, more);
    const struct section *section = find_section(word);
    if (section == NULL)
        return wrong(reading, reading->section_line, "[%s]: there is no such kind of section; see --help",
                     title);
    reading->section = section;
    if (section->size == 0) {
        bool again = reading->script->label.line != 0 &&
                     reading->script->label.line / LINES_MAX == reading->section_line / LINES_MAX;
        if (again || words != 1)
            return wrong(reading, reading->section_line, "[scenario] stands alone, once");
        reading->script->label.line = reading->section_line;
        reading->item = reading->script;
        return 0;
    }
    if (words != 2)
        return wrong(reading, reading->section_line, "[%s]: write [%s NAME], the name one word", title, word);
    char *items = (char *)reading->script + section->items;
    int *count = (int *)((char *)reading->script + section->count);
    for (int i = 0; i < *count; i++)
        if (strcmp(((struct label *)(items + (size_t)i * section->size))->name, name) == 0)
            return wrong(reading, reading->section_line, "[%s]: there is one of that name already", title);
    if (*count == section->max)
        return wrong(reading, reading->section_line, "[%s]: too many, at most %d", title, section->max);
    struct label *label = (struct label *)(items + (size_t)(*count)++ * section->size);
    strcpy(label->name, name);
    label->line = reading->section_line;
    if (section->set_defaults != NULL)
        section->set_defaults(label);
    if (section->keys == outward_keys || section->keys == control_keys)
        ((struct traffic *)label)->role = section->keys == outward_keys ? ROLE_OUTWARD : ROLE_CONTROL;
    reading->item = label;
    return 0;
}

static int handle(void *context, const char *title, const char *name, const char *value)
{
    struct reading *reading = context;
    if (reading->failed)
        return 0;
    if (reading->section_begins) {
        reading->section_begins = false;
        if (open_section(reading, title) != 0)
            return 0;
    }
    if (reading->section == NULL)
        return wrong(reading, reading->line, "%s: stands before any [section]", name), 0;
    const struct key *key = reading->section->keys;
    while (key->name != NULL && strcmp(key->name, name) != 0)
        key++;
    if (key->name == NULL)
        return wrong(reading, reading->line, "%s: no such key in [%s]; see --help", name,
                     reading->section->word),
               0;
    const char *complaint = key->set(reading->script, value, (char *)reading->item + key->offset);
    if (complaint != NULL)
        return wrong(reading, reading->line, "%s: \"%s\" %s", name, value, complaint), 0;
    return 1;
}

/* Everything from here on makes names into what they name. */

static const struct clients *find_clients(const struct script *script, const char *name)
{
    for (int i = 0; i < script->clients_count; i++)
        if (strcmp(script->clients[i].label.name, name) == 0)
            return &script->clients[i];
    return NULL;
}

static const struct host *find_host(const struct script *script, const char *name)
{
    for (int i = 0; i < script->host_count; i++)
        if (strcmp(script->host[i].label.name, name) == 0)
            return &script->host[i];
    return NULL;
}

static int find_traffic(const struct script *script, enum role role, const char *name)
{
    for (int i = 0; i < script->traffic_count; i++)
        if (script->traffic[i].role == role && strcmp(script->traffic[i].label.name, name) == 0)
            return i;
    return -1;
}

static int find_service(const struct script *script, const char *name)
{
    return find_traffic(script, ROLE_SERVICE, name);
}

static int find_path(const struct script *script, const char *name)
{
    for (int i = 0; i < script->path_count; i++)
        if (strcmp(script->path[i].label.name, name) == 0)
            return i;
    return -1;
}

static bool add_ranges(struct ranges *into, const struct ranges *from)
{
    for (int i = 0; i < from->count; i++) {
        if (into->count == RANGES_MAX)
            return false;
        into->item[into->count++] = from->item[i];
    }
    return true;
}

/* Adds what a word names: a host, a group of clients, or addresses. */
static const char *add_addresses(const struct script *script, const char *word, struct ranges *into)
{
    const struct host *host = find_host(script, word);
    const struct clients *clients = find_clients(script, word);
    if (host != NULL)
        return add_ranges(into, &(struct ranges){1, {{host->address, host->address}}})
                   ? NULL
                   : "is one range too many";
    if (clients != NULL)
        return add_ranges(into, &clients->address) ? NULL : "is one range too many";
    if (strspn(word, "0123456789./-") != strlen(word))
        return "is neither a host, a group of clients, nor an address";
    return value_addresses(script, word, into);
}

static bool all_watched(const struct script *script, const struct ranges *ranges)
{
    for (int i = 0; i < ranges->count; i++)
        if (!ranges_hold(&script->watch, ranges->item[i].first) ||
            !ranges_hold(&script->watch, ranges->item[i].last))
            return false;
    return true;
}

static void curve_default(struct curve *curve, const struct curve *usual)
{
    curve->amplitude = isnan(curve->amplitude) ? usual->amplitude : curve->amplitude;
    curve->peak_hour = isnan(curve->peak_hour) ? usual->peak_hour : curve->peak_hour;
    curve->weekend = isnan(curve->weekend) ? usual->weekend : curve->weekend;
}

/* A service runs on hosts, whether the script declares them or not. */
static int add_hosts(struct reading *reading, const struct traffic *service)
{
    struct script *script = reading->script;
    for (uint32_t place = 0; place < ranges_size(&service->servers); place++) {
        uint32_t address = ranges_pick(&service->servers, place);
        if (script_host(script, address) != NULL)
            continue;
        if (script->host_count == HOSTS_MAX)
            return wrong(reading, service->label.line, "%s: too many hosts, at most %d", service->label.name,
                         HOSTS_MAX);
        struct host *host = &script->host[script->host_count++];
        *host = (struct host){
            .label.line = service->label.line, .address = address, .answers_scans = script->answers_scans};
        snprintf(host->label.name, sizeof host->label.name, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                 address >> 8 & 255, address & 255);
    }
    return 0;
}

static int link_traffic(struct reading *reading, struct traffic *traffic)
{
    struct script *script = reading->script;
    int line = traffic->label.line;
    if (traffic->host.count == 0)
        return wrong(reading, line, "%s: says no %s", traffic->label.name,
                     traffic->role == ROLE_SERVICE ? "host" : "server");
    if (traffic->client.count == 0 && script->clients_count > 0 && traffic->role == ROLE_SERVICE)
        strcpy(traffic->client.item[traffic->client.count++], script->clients[0].label.name);
    if (traffic->client.count == 0)
        return wrong(reading, line, "%s: says no clients", traffic->label.name);
    for (int side = 0; side < 2; side++) {
        const struct names *names = side == 0 ? &traffic->client : &traffic->host;
        for (int i = 0; i < names->count; i++) {
            const char *complaint =
                add_addresses(script, names->item[i], side == 0 ? &traffic->callers : &traffic->servers);
            if (complaint != NULL)
                return wrong(reading, line, "%s: %s %s", traffic->label.name, names->item[i], complaint);
        }
    }
    if (all_watched(script, &traffic->servers) != (traffic->role == ROLE_SERVICE))
        return wrong(reading, line, "%s: its servers must%s be watched addresses", traffic->label.name,
                     traffic->role == ROLE_SERVICE ? "" : " not");
    if (all_watched(script, &traffic->callers) != (traffic->role == ROLE_OUTWARD))
        return wrong(reading, line, "%s: its clients must%s be watched addresses", traffic->label.name,
                     traffic->role == ROLE_OUTWARD ? "" : " not");
    if (traffic->flows_per_visit < 1 || traffic->response_bytes > 8000)
        return wrong(reading, line, "%s: flows-per-visit is at least 1, response-bytes at most 8000",
                     traffic->label.name);
    if (traffic->name.count == 0)
        strcpy(traffic->name.item[traffic->name.count++], traffic->label.name);
    curve_default(&traffic->curve, &script->curve);
    return traffic->role == ROLE_SERVICE ? add_hosts(reading, traffic) : 0;
}

/* A word of a scope, an order or a flicker. `whole` makes a service the service itself, not the hosts it runs
 * on. */
static int link_target(struct reading *reading, int line, const char *word, bool whole, struct target *target)
{
    const struct script *script = reading->script;
    const char *colon = strchr(word, ':'), *name = colon == NULL ? word : colon + 1;
    int service = find_service(script, name), path = find_path(script, name),
        control = find_traffic(script, ROLE_CONTROL, name);
    *target = (struct target){.kind = TARGET_ADDRESSES, .index = -1};
    if (strcmp(word, "all") == 0) {
        target->kind = TARGET_ALL;
    } else if (control >= 0 && colon != NULL && strncmp(word, "control:", 8) == 0) {
        *target = (struct target){.kind = TARGET_SERVICE, .index = control};
    } else if (path >= 0 && (colon == NULL || strncmp(word, "path:", 5) == 0)) {
        *target = (struct target){.kind = TARGET_PATH, .index = path};
    } else if (service >= 0 && (colon == NULL || strncmp(word, "service:", 8) == 0)) {
        target->kind = whole ? TARGET_SERVICE : TARGET_ADDRESSES;
        target->index = service;
        target->address = script->traffic[service].servers;
    } else {
        bool known = colon == NULL || strncmp(word, "prefix:", 7) == 0 || strncmp(word, "host:", 5) == 0;
        const char *complaint = known ? add_addresses(script, name, &target->address) : "is no scope";
        if (complaint != NULL || !all_watched(script, &target->address))
            return wrong(reading, line, "%s: names no watched path, service, host or prefix of this script",
                         word);
    }
    return 0;
}

static int link_flicker(struct reading *reading, const struct outage *outage, struct flicker *flicker)
{
    int line = outage->label.line;
    if (flicker->from_ns < outage->from_ns || flicker->to_ns > outage->to_ns)
        return wrong(reading, line, "%s: a flicker lies outside of the outage", outage->label.name);
    for (int i = 0; i < flicker->who.count; i++)
        if (link_target(reading, line, flicker->who.item[i], false, &flicker->target[i]) != 0)
            return -1;
    return 0;
}

/* A surge is a scan of the outage's scope that ends a little after the onset. */
static int link_surge(struct reading *reading, const struct outage *outage)
{
    struct script *script = reading->script;
    if (outage->surge.rate <= 0)
        return 0;
    if (script->scan_count == 0)
        return wrong(reading, outage->label.line, "%s: a surge needs a [scan] whose sources it can use",
                     outage->label.name);
    struct scan *surge = &script->scan[script->scan_count++];
    *surge = script->scan[0];
    surge->label = outage->label;
    surge->rate = outage->surge.rate;
    surge->port = (struct ports){2, {80, 443}};
    surge->ping = 0;
    surge->curve = (struct curve){0, 0, 1};
    surge->from_ns = outage->from_ns - outage->surge.before_ns;
    surge->to_ns = outage->from_ns + outage->surge.before_ns / 2;
    surge->target = outage->target.address;
    if (outage->target.kind == TARGET_PATH)
        surge->target = script->path[outage->target.index].prefix;
    if (surge->from_ns < script->from_ns)
        return wrong(reading, outage->label.line, "%s: its surge begins before the scenario",
                     outage->label.name);
    return 0;
}

static int link_outage(struct reading *reading, struct outage *outage)
{
    const struct script *script = reading->script;
    int line = outage->label.line;
    if (outage->from_ns < script->from_ns || outage->to_ns <= outage->from_ns)
        return wrong(reading, line, "%s: from and to must be given, in order and after the scenario's start",
                     outage->label.name);
    if (outage->onset.shape == SHAPE_RAGGED || outage->onset.takes_ns > outage->to_ns - outage->from_ns)
        return wrong(reading, line, "%s: the onset is a step or a ramp within the outage",
                     outage->label.name);
    if (link_target(reading, line, outage->scope, true, &outage->target) != 0)
        return -1;
    for (int i = 0; i < outage->order.count; i++)
        if (link_target(reading, line, outage->order.item[i], false, &outage->order_target[i]) != 0)
            return -1;
    if (outage->recovery.shape == SHAPE_RAGGED && outage->order.count < 2)
        return wrong(reading, line, "%s: a ragged recovery needs an order of at least two",
                     outage->label.name);
    for (int i = 0; i < outage->flicker.count; i++)
        if (link_flicker(reading, outage, &outage->flicker.item[i]) != 0)
            return -1;
    return link_surge(reading, outage);
}

/* A stretch of time that a section must name. */
static int link_stretch(struct reading *reading, const struct label *label, int64_t from_ns, int64_t to_ns)
{
    if (from_ns >= reading->script->from_ns && to_ns > from_ns)
        return 0;
    return wrong(reading, label->line,
                 "%s: from and to must be given, in order and after the scenario's start", label->name);
}

static int link_forged(struct reading *reading, const struct forged *forged)
{
    if (link_stretch(reading, &forged->label, forged->from_ns, forged->to_ns) != 0)
        return -1;
    if (forged->rate > 0 && forged->target.count > 0 && forged->source.count > 0 &&
        all_watched(reading->script, &forged->source) && (forged->port != 0 || forged->kind == KIND_PING))
        return 0;
    return wrong(reading, forged->label.line, "%s: needs a watched source, a target, its port and a rate",
                 forged->label.name);
}

static int link_block(struct reading *reading, struct block *block)
{
    if (link_stretch(reading, &block->label, block->from_ns, block->to_ns) != 0 ||
        link_target(reading, block->label.line, block->scope, true, &block->target) != 0)
        return -1;
    for (int i = 0; i < block->client.count; i++) {
        const char *complaint = add_addresses(reading->script, block->client.item[i], &block->address);
        if (complaint != NULL)
            return wrong(reading, block->label.line, "%s: %s %s", block->label.name, block->client.item[i],
                         complaint);
    }
    return block->client.count > 0
               ? 0
               : wrong(reading, block->label.line, "%s: says no clients", block->label.name);
}

/* What bends the ordinary traffic. */
static int link_bends(struct reading *reading)
{
    struct script *script = reading->script;
    for (int i = 0; i < script->strain_count; i++) {
        struct strain *strain = &script->strain[i];
        if (link_stretch(reading, &strain->label, strain->from_ns, strain->to_ns) != 0 ||
            link_target(reading, strain->label.line, strain->scope, true, &strain->target) != 0)
            return -1;
        if (strain->onset.shape == SHAPE_RAGGED || strain->recovery.shape == SHAPE_RAGGED)
            return wrong(reading, strain->label.line, "%s: comes and goes in a step or a ramp",
                         strain->label.name);
    }
    for (int i = 0; i < script->move_count; i++) {
        struct move *move = &script->move[i];
        move->index = find_path(script, move->path);
        if (link_stretch(reading, &move->label, move->from_ns, move->to_ns) != 0)
            return -1;
        if (move->index < 0 || move->prefix.count == 0)
            return wrong(reading, move->label.line, "%s: names no prefix or no path of this script",
                         move->label.name);
    }
    for (int i = 0; i < script->forged_count; i++)
        if (link_forged(reading, &script->forged[i]) != 0)
            return -1;
    for (int i = 0; i < script->block_count; i++)
        if (link_block(reading, &script->block[i]) != 0)
            return -1;
    for (int i = 0; i < script->expect_count; i++)
        if (script->expect[i].verdict.count == 0 || script->expect[i].because.count == 0)
            return wrong(reading, script->expect[i].label.line, "%s: says no verdict, or not why",
                         script->expect[i].label.name);
    return 0;
}

static bool is_moved_to(const struct script *script, const char *path)
{
    for (int i = 0; i < script->move_count; i++)
        if (strcmp(script->move[i].path, path) == 0)
            return true;
    return false;
}

static int link_rest(struct reading *reading)
{
    struct script *script = reading->script;
    for (int i = 0; i < script->host_count; i++) {
        struct host *host = &script->host[i];
        if (!ranges_hold(&script->watch, host->address))
            return wrong(reading, host->label.line, "%s: its address is not watched", host->label.name);
        host->answers_scans = isnan(host->answers_scans) ? script->answers_scans : host->answers_scans;
    }
    for (int i = 0; i < script->path_count; i++)
        if (script->path[i].prefix.count == 0 && !is_moved_to(script, script->path[i].label.name))
            return wrong(reading, script->path[i].label.line, "%s: says no prefix",
                         script->path[i].label.name);
    for (int i = 0; i < script->scan_count; i++) {
        struct scan *scan = &script->scan[i];
        scan->from_ns = scan->from_ns == TIME_NONE ? script->from_ns : scan->from_ns;
        scan->to_ns = scan->to_ns == TIME_NONE ? script->to_ns : scan->to_ns;
        if (scan->from_ns < script->from_ns)
            return wrong(reading, scan->label.line, "%s: begins before the scenario", scan->label.name);
        if (scan->source.count == 0 || scan->port.count == 0)
            return wrong(reading, scan->label.line, "%s: says no source or no ports", scan->label.name);
    }
    for (int i = 0; i < script->burst_count; i++) {
        struct burst *burst = &script->burst[i];
        burst->traffic = burst->service.count == 1 ? find_service(script, burst->service.item[0]) : -1;
        if (burst->traffic < 0)
            return wrong(reading, burst->label.line, "%s: names no service of this script",
                         burst->label.name);
        if (burst->at_ns != TIME_NONE && burst->at_ns < script->from_ns)
            return wrong(reading, burst->label.line, "%s: comes before the scenario", burst->label.name);
        if ((burst->at_ns == TIME_NONE) == (burst->every_ns == 0))
            return wrong(reading, burst->label.line, "%s: give either at or every", burst->label.name);
    }
    for (int i = 0; i < script->tap_fault_count; i++)
        if (script->tap_fault[i].from_ns < script->from_ns ||
            script->tap_fault[i].to_ns <= script->tap_fault[i].from_ns)
            return wrong(reading, script->tap_fault[i].label.line, "%s: from and to must be given, in order",
                         script->tap_fault[i].label.name);
    for (int i = 0; i < script->tap_fault_count; i++)
        if (script->tap_fault[i].kept_bytes > 0)
            script->tap_fault[i].loss = (struct loss){.kind = LOSS_SHARE};
    return 0;
}

static int link_script(struct reading *reading)
{
    struct script *script = reading->script;
    if (script->label.line == 0)
        return wrong(reading, reading->line, "there is no [scenario] section");
    if (script->from_ns == TIME_NONE || script->to_ns <= script->from_ns || script->watch.count == 0 ||
        script->name[0] == '\0')
        return wrong(reading, script->label.line, "[scenario] needs name, from, a later to, and watch");
    if (script->watch.count > WATCHES_MAX || script->grain_ns < 1000)
        return wrong(reading, script->label.line,
                     "[scenario]: at most %d watched prefixes, and a grain of 0.001ms or more", WATCHES_MAX);
    if (link_rest(reading) != 0)
        return -1;
    for (int i = 0; i < script->traffic_count; i++)
        if (link_traffic(reading, &script->traffic[i]) != 0)
            return -1;
    for (int i = 0; i < script->outage_count; i++)
        if (link_outage(reading, &script->outage[i]) != 0)
            return -1;
    for (int i = 0; i < script->scan_count; i++)
        if (script->scan[i].target.count == 0)
            script->scan[i].target = script->watch;
    return link_bends(reading);
}

static int read_file(struct reading *reading, int number)
{
    reading->line = number * LINES_MAX;
    reading->file = fopen(reading->paths[number], "r");
    if (reading->file == NULL) {
        reading->failed = true;
        return fault_set(reading->fault, "%s: %s", reading->paths[number], strerror(errno));
    }
    int bad_line = ini_parse_stream(read_line, reading, handle, reading);
    if (bad_line > 0)
        wrong(reading, number * LINES_MAX + bad_line, "neither [section], key = value nor a # comment");
    check_not_empty(reading);
    if (ferror(reading->file))
        wrong(reading, reading->line, "cannot be read: %s", strerror(errno));
    fclose(reading->file);
    return reading->failed ? -1 : 0;
}

/* The files of `with` lie in the script's folder. */
static int name_files(struct reading *reading)
{
    const struct names *with = &reading->script->with;
    const char *script = reading->paths[0], *slash = strrchr(script, '/');
    int folder = slash != NULL ? (int)(slash + 1 - script) : 0;
    if (with->count >= FILES_MAX)
        return wrong(reading, reading->script->label.line,
                     "[scenario]: with names too many files, at most %d", FILES_MAX - 1);
    for (int i = 0; i < with->count; i++)
        if ((size_t)folder + strlen(with->item[i]) < PATH_MAX_BYTES)
            sprintf(reading->paths[1 + i], "%.*s%s", folder, script, with->item[i]);
    return with->count;
}

static void read_files(struct reading *reading, const char *path)
{
    if (strlen(path) >= PATH_MAX_BYTES) {
        reading->failed = true;
        fault_set(reading->fault, "%s: the name is too long", path);
        return;
    }
    strcpy(reading->paths[0], path);
    if (read_file(reading, 0) != 0)
        return;
    int more = name_files(reading);
    for (int i = 1; i <= more && !reading->failed; i++)
        read_file(reading, i);
}

struct script *script_read(const char *path, struct fault *fault)
{
    struct reading reading = {.fault = fault};
    struct script *script = reading.script = calloc(1, sizeof *script);
    if (script == NULL) {
        fault_set(fault, "%s: no memory for the script", path);
        return NULL;
    }
    script->from_ns = script->to_ns = TIME_NONE;
    script->seed = 1;
    script->grain_ns = 1000;
    script->curve = (struct curve){0.4, 14, 1};
    script->answers_scans = 0.3;
    script->ttl = 50;
    script->rtt_ns = 100 * NS_PER_MS;
    script->tap.path_index = -1;
    read_files(&reading, path);
    if (reading.failed || link_script(&reading) != 0) {
        free(script);
        return NULL;
    }
    return script;
}

int script_tap(struct script *script, const char *words, struct fault *fault)
{
    struct tap *tap = &script->tap;
    struct names list = {0};
    const char *complaint = value_names(script, words, &list);
    if (complaint != NULL)
        return fault_set(fault, "--tap: \"%s\" %s", words, complaint);
    for (int i = 0; i < list.count; i++) {
        const char *word = list.item[i];
        if (strcmp(word, "inward") == 0)
            tap->inward_only = true;
        else if (strcmp(word, "outward") == 0)
            tap->outward_only = true;
        else if (strcmp(word, "unlabelled") == 0)
            tap->unlabelled = true;
        else if (strcmp(word, "beyond") == 0)
            tap->beyond = true;
        else if (strncmp(word, "path:", 5) == 0 && find_path(script, word + 5) >= 0)
            tap->path_index = find_path(script, strcpy(tap->path, word + 5));
        else
            return fault_set(fault, "--tap: %s is neither inward, outward, unlabelled, beyond nor a path",
                             word);
    }
    if (tap->inward_only && tap->outward_only)
        return fault_set(fault, "--tap: inward and outward exclude each other");
    return 0;
}

const char *script_beyond_bins(const struct script *script)
{
    for (int i = 0; i < script->scan_count; i++)
        if (script->scan[i].grows_ns > 0)
            return "grows";
    for (int i = 0; i < script->outage_count; i++)
        if (script->outage[i].target.kind == TARGET_SERVICE &&
            script->traffic[script->outage[i].target.index].role == ROLE_CONTROL)
            return "control:";
    for (int i = 0; i < script->tap_fault_count; i++)
        if (script->tap_fault[i].loss.kind == LOSS_VLAN)
            return "loses = vlan";
        else if (script->tap_fault[i].kept_bytes > 0)
            return "cuts-at";
    return script->strain_count > 0   ? "[strain]"
           : script->move_count > 0   ? "[move]"
           : script->forged_count > 0 ? "[forged]"
           : script->block_count > 0  ? "[block]"
                                      : NULL;
}

void script_free(struct script *script)
{
    free(script);
}

double script_curve(const struct script *script, const struct curve *curve, int64_t t_ns)
{
    const int64_t day_s = 86400;
    int64_t local_s = clock_floor(t_ns + script->zone_ns, NS_PER_S) / NS_PER_S;
    int64_t day = clock_floor(local_s, day_s) / day_s;
    double hour = (double)(local_s - day * day_s) / 3600.0;
    int weekday = (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday; 0 is Sunday */
    double factor =
        1.0 + curve->amplitude * cos((hour - curve->peak_hour) * (2.0 * 3.14159265358979323846 / 24.0));
    return factor * (weekday == 0 || weekday == 6 ? curve->weekend : 1.0);
}

double script_curve_max(const struct curve *curve)
{
    return (1.0 + curve->amplitude) * fmax(1.0, curve->weekend);
}

bool ranges_hold(const struct ranges *ranges, uint32_t address)
{
    for (int i = 0; i < ranges->count; i++)
        if (address >= ranges->item[i].first && address <= ranges->item[i].last)
            return true;
    return false;
}

uint32_t ranges_size(const struct ranges *ranges)
{
    uint32_t size = 0;
    for (int i = 0; i < ranges->count; i++)
        size += ranges->item[i].last - ranges->item[i].first + 1;
    return size;
}

uint32_t ranges_pick(const struct ranges *ranges, uint32_t place)
{
    for (int i = 0; i < ranges->count; i++) {
        uint32_t size = ranges->item[i].last - ranges->item[i].first + 1;
        if (place < size)
            return ranges->item[i].first + place;
        place -= size;
    }
    return 0;
}

const struct host *script_host(const struct script *script, uint32_t address)
{
    for (int i = 0; i < script->host_count; i++)
        if (script->host[i].address == address)
            return &script->host[i];
    return NULL;
}

int script_paths(const struct script *script, uint32_t address, int paths[PATHS_MAX])
{
    int count = 0;
    for (int i = 0; i < script->path_count; i++)
        if (ranges_hold(&script->path[i].prefix, address))
            paths[count++] = i;
    return count;
}

int script_moved(const struct script *script, uint32_t address, int64_t t_ns)
{
    int path = -1;
    for (int i = 0; i < script->move_count; i++) {
        const struct move *move = &script->move[i];
        if (t_ns >= move->from_ns && t_ns < move->to_ns && ranges_hold(&move->prefix, address))
            path = move->index;
    }
    return path;
}

const char *script_kind(enum kind kind)
{
    static const char *const names[] = {
        [KIND_HTTP] = "http", [KIND_HTTPS] = "https", [KIND_SMTP] = "smtp",
        [KIND_TCP] = "tcp",   [KIND_DNS] = "dns",     [KIND_NTP] = "ntp",
        [KIND_PING] = "ping", [KIND_ARP] = "arp",     [KIND_UDP] = "udp",
    };
    return names[kind];
}
