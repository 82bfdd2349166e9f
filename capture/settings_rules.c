/* SPDX-License-Identifier: BSD-3-Clause */
/* The sections [watch CIDR], [path NAME] and [service NAME], and the scopes that follow from them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

enum { PREFIX_SCOPES_MAX = 1024 }; /* longer watch lists count in `all` alone */

static struct watch watch_of(const struct settings *settings, const struct prefix *prefix)
{
    return (struct watch){.prefix = *prefix,
                          .enabled = true,
                          .counted = true,
                          .scope = SCOPE_NONE,
                          .tier = "",
                          .label = "",
                          .origin = settings_origin(settings)};
}

struct watch *settings_watch(struct settings *settings, const char *cidr, struct fault *fault)
{
    struct prefix prefix;
    if (prefix_parse(cidr, &prefix, fault) != 0)
        return NULL;
    struct rules *rules = &settings->rules;
    for (size_t i = 0; i < rules->watch_count; i++)
        if (memcmp(&rules->watches[i].prefix, &prefix, sizeof prefix) == 0)
            return &rules->watches[i];
    struct watch *watch = SETTINGS_APPEND(settings, rules->watches, rules->watch_count);
    *watch = watch_of(settings, &prefix);
    return watch;
}

void settings_watch_anew(struct settings *settings)
{
    if (!settings->command_line_watches)
        settings->rules.watch_count = 0;
    settings->command_line_watches = settings->own_watches = true;
}

static int by_prefix(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct prefix));
}

void settings_watch_many(struct settings *settings, const struct prefix *prefixes, size_t count)
{
    struct rules *rules = &settings->rules;
    size_t before = rules->watch_count, room = 1;
    while (room < before + count)
        room *= 2;
    struct watch *watches = settings_own(settings, calloc(room, sizeof *watches));
    bool *known = settings_own(settings, calloc(count + 1, sizeof *known));
    if (before > 0)
        memcpy(watches, rules->watches, before * sizeof *watches);
    for (size_t i = 0; i < before; i++) {
        const struct prefix *same = bsearch(&watches[i].prefix, prefixes, count, sizeof *prefixes, by_prefix);
        if (same != NULL)
            known[same - prefixes] = true;
    }
    rules->watches = watches;
    for (size_t i = 0; i < count; i++)
        if (!known[i])
            watches[rules->watch_count++] = watch_of(settings, &prefixes[i]);
}

static int set_watch(struct settings *settings, const char *cidr, const char *key, const char *value,
                     struct fault *fault)
{
    struct watch *watch = settings_watch(settings, cidr, fault);
    if (watch == NULL)
        return -1;
    if (key == NULL)
        return 0;
    if (strcmp(key, "counted") == 0)
        return settings_yes_no(key, value, &watch->counted, fault);
    if (strcmp(key, "enabled") == 0)
        return settings_yes_no(key, value, &watch->enabled, fault);
    if (strcmp(key, "tier") == 0)
        watch->tier = settings_own_text(settings, value);
    else if (strcmp(key, "label") == 0)
        watch->label = settings_own_text(settings, value);
    else
        return fault_set(fault, "there is no key '%s' in [watch CIDR]: counted, enabled, label, tier", key);
    return 0;
}

static int check_name(const char *kind, const char *name, struct fault *fault)
{
    size_t length = strlen(name);
    if (length == 0 || length > 63)
        return fault_set(fault, "[%s %s]: a name of 1 to 63 bytes is wanted", kind, name);
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == ',' || *c == '"')
            return fault_set(fault, "[%s %s]: a name holds no blanks, commas, quotes or control characters",
                             kind, name);
    return 0;
}

/* The keys of a path, as enum path_key_kind numbers them, and for those that are numbers the highest. */
static const char *const path_keys[] = {"interface", "vlan", "mpls", "vni", "erspan", "gre", "mac", "prefix"};
static const unsigned long path_numbers[] = {[PATH_VLAN] = 4095,
                                             [PATH_MPLS] = 1048575,
                                             [PATH_VNI] = 16777215,
                                             [PATH_ERSPAN] = 1023,
                                             [PATH_GRE] = UINT32_MAX};

static int read_whole(const char *key, const char *word, unsigned long most, uint32_t *number,
                      struct fault *fault)
{
    char *rest;
    unsigned long read = strtoul(word, &rest, 10);
    if (!isdigit((unsigned char)word[0]) || *rest != '\0' || read > most)
        return fault_set(fault, "%s = %s: a whole number up to %lu is wanted", key, word, most);
    *number = (uint32_t)read;
    return 0;
}

struct path_word {
    struct path *path;
    enum path_key_kind kind;
    const char *key;
};

static int take_path_key(struct settings *settings, void *into, char *word, struct fault *fault)
{
    const struct path_word *for_path = into;
    struct path_key key = {.kind = for_path->kind};
    unsigned mac[6];
    char rest;
    switch (for_path->kind) {
    case PATH_INTERFACE:
        if (strlen(word) >= sizeof key.interface)
            return fault_set(fault, "interface = %s: too long for an interface", word);
        strcpy(key.interface, word);
        break;
    case PATH_VLAN:
    case PATH_MPLS:
    case PATH_VNI:
    case PATH_ERSPAN:
    case PATH_GRE:
        if (read_whole(for_path->key, word, path_numbers[key.kind], &key.number, fault) != 0)
            return -1;
        break;
    case PATH_MAC:
        if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%c", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5],
                   &rest) != 6)
            return fault_set(fault, "mac = %s: six bytes like 02:00:5e:10:00:01 are wanted", word);
        for (int i = 0; i < 6; i++)
            key.mac[i] = (uint8_t)mac[i];
        break;
    case PATH_PREFIX:
        if (prefix_parse(word, &key.prefix, fault) != 0)
            return -1;
        break;
    }
    *SETTINGS_APPEND(settings, for_path->path->keys, for_path->path->key_count) = key;
    return 0;
}

static int take_router(struct settings *settings, void *into, char *word, struct fault *fault)
{
    struct path *path = into;
    struct prefix router;
    if (prefix_parse(word, &router, fault) != 0)
        return -1;
    if (router.length != 128)
        return fault_set(fault, "router = %s: the address of one router is wanted, not a prefix", word);
    for (size_t i = 0; i < settings->rules.path_count; i++)
        for (size_t j = 0; j < settings->rules.paths[i].router_count; j++)
            if (memcmp(settings->rules.paths[i].routers[j].address, router.address, 16) == 0)
                return fault_set(fault, "router = %s: it is on path %s already", word,
                                 settings->rules.paths[i].name);
    *SETTINGS_APPEND(settings, path->routers, path->router_count) = router;
    return 0;
}

static int set_path(struct settings *settings, const char *name, const char *key, const char *value,
                    struct fault *fault)
{
    if (check_name("path", name, fault) != 0)
        return -1;
    struct rules *rules = &settings->rules;
    struct path *path = NULL;
    for (size_t i = 0; i < rules->path_count; i++)
        if (strcmp(rules->paths[i].name, name) == 0)
            path = &rules->paths[i];
    if (path == NULL) {
        path = SETTINGS_APPEND(settings, rules->paths, rules->path_count);
        snprintf(path->name, sizeof path->name, "%s", name);
        path->origin = settings_origin(settings);
    }
    if (key == NULL)
        return 0;
    for (size_t i = 0; i < sizeof path_keys / sizeof path_keys[0]; i++)
        if (strcmp(key, path_keys[i]) == 0) {
            struct path_word into = {path, (enum path_key_kind)i, key};
            return settings_each_word(settings, value, fault, take_path_key, &into);
        }
    if (strcmp(key, "router") == 0)
        return settings_each_word(settings, value, fault, take_router, path);
    return fault_set(
        fault,
        "there is no key '%s' in [path NAME]: erspan, gre, interface, mac, mpls, prefix, router, vlan, vni",
        key);
}

static int take_host(struct settings *settings, void *into, char *word, struct fault *fault)
{
    (void)fault;
    struct service *service = into;
    *SETTINGS_APPEND(settings, service->hosts, service->host_count) = word;
    return 0;
}

static int take_address(struct settings *settings, void *into, char *word, struct fault *fault)
{
    struct service *service = into;
    struct prefix prefix;
    if (prefix_parse(word, &prefix, fault) != 0)
        return -1;
    *SETTINGS_APPEND(settings, service->addresses, service->address_count) = prefix;
    return 0;
}

static int take_port(struct settings *settings, void *into, char *word, struct fault *fault)
{
    struct service *service = into;
    uint32_t port;
    if (read_whole("port", word, 65535, &port, fault) != 0)
        return -1;
    *SETTINGS_APPEND(settings, service->ports, service->port_count) = (uint16_t)port;
    return 0;
}

static int set_service(struct settings *settings, const char *name, const char *key, const char *value,
                       struct fault *fault)
{
    if (check_name("service", name, fault) != 0)
        return -1;
    struct rules *rules = &settings->rules;
    struct service *service = NULL;
    for (size_t i = 0; i < rules->service_count; i++)
        if (strcmp(rules->services[i].name, name) == 0)
            service = &rules->services[i];
    if (service == NULL) {
        service = SETTINGS_APPEND(settings, rules->services, rules->service_count);
        snprintf(service->name, sizeof service->name, "%s", name);
        service->origin = settings_origin(settings);
    }
    if (key == NULL)
        return 0;
    if (strcmp(key, "host") == 0)
        return settings_each_word(settings, value, fault, take_host, service);
    if (strcmp(key, "address") == 0)
        return settings_each_word(settings, value, fault, take_address, service);
    if (strcmp(key, "port") == 0)
        return settings_each_word(settings, value, fault, take_port, service);
    return fault_set(fault, "there is no key '%s' in [service NAME]: address, host, port", key);
}

/* The first section of a kind in a file of one's own puts the embedded ones of that kind away. */
static void replace_embedded(struct settings *settings, bool *own_ones, void *items, size_t *count)
{
    if (settings->embedded || *own_ones)
        return;
    *own_ones = true;
    *(void **)items = NULL;
    *count = 0;
}

int settings_rule_set(struct settings *settings, const char *section, const char *name, const char *key,
                      const char *value, struct fault *fault)
{
    struct rules *rules = &settings->rules;
    if (name != NULL && strncmp(section, "watch ", 6) == 0) {
        replace_embedded(settings, &settings->own_watches, &rules->watches, &rules->watch_count);
        return set_watch(settings, name, key, value, fault);
    }
    if (name != NULL && strncmp(section, "path ", 5) == 0) {
        replace_embedded(settings, &settings->own_paths, &rules->paths, &rules->path_count);
        return set_path(settings, name, key, value, fault);
    }
    if (name != NULL && strncmp(section, "service ", 8) == 0) {
        replace_embedded(settings, &settings->own_services, &rules->services, &rules->service_count);
        return set_service(settings, name, key, value, fault);
    }
    return fault_set(fault,
                     "there is no section [%s]: capture, detect, http, lightsout, redis, path NAME, service "
                     "NAME, watch CIDR",
                     section);
}

/* ---- what follows from them ---- */

/* The embedded paths and services are those of the embedded watch list: with another they would only be empty
 * rows. */
static void drop_embedded(struct settings *settings)
{
    if (settings->own_watches && !settings->own_paths)
        settings->rules.path_count = 0;
    if (settings->own_watches && !settings->own_services)
        settings->rules.service_count = 0;
}

static void add_scope(struct scope *scopes, uint32_t *count, enum scope_kind kind, bool counted,
                      const char *name, uint32_t *number)
{
    static const char *const kinds[] = {"all", "prefix:", "path:", "service:", "tap"};
    struct scope *scope = &scopes[*count];
    *scope = (struct scope){.kind = kind, .counted = counted};
    snprintf(scope->text, sizeof scope->text, "%s%s", kinds[kind], name);
    if (number != NULL)
        *number = *count;
    ++*count;
}

/* All its ports are those of DNS, plain or over TLS. */
static bool is_name_server(const struct service *service)
{
    for (size_t i = 0; i < service->port_count; i++)
        if (service->ports[i] != 53 && service->ports[i] != 853)
            return false;
    return service->port_count > 0;
}

static void list_routers(struct settings *settings)
{
    const struct rules *rules = &settings->rules;
    size_t most = 0;
    for (size_t i = 0; i < rules->path_count; i++)
        most += rules->paths[i].router_count;
    struct scope_router *routers = settings_own(settings, calloc(most + 1, sizeof *routers));
    uint32_t count = 0;
    for (size_t i = 0; i < rules->path_count; i++)
        for (size_t j = 0; j < rules->paths[i].router_count; j++) {
            memcpy(routers[count].address, rules->paths[i].routers[j].address, 16);
            routers[count++].path = rules->paths[i].scope;
        }
    settings->scopes.routers = routers;
    settings->scopes.router_count = count;
}

static void make_scopes(struct settings *settings)
{
    struct rules *rules = &settings->rules;
    size_t enabled = 0;
    for (size_t i = 0; i < rules->watch_count; i++)
        enabled += rules->watches[i].enabled;
    size_t most = 2 + rules->watch_count + rules->path_count + rules->service_count;
    struct scope *scopes = settings_own(settings, calloc(most, sizeof *scopes));
    bool *by_name = settings_own(settings, calloc(most, sizeof *by_name));
    uint32_t count = 0;
    add_scope(scopes, &count, SCOPE_ALL, true, "", NULL);
    for (size_t i = 0; i < rules->watch_count && enabled <= PREFIX_SCOPES_MAX; i++) {
        char text[PREFIX_TEXT_MAX];
        struct watch *watch = &rules->watches[i];
        prefix_format(&watch->prefix, text);
        if (watch->enabled)
            add_scope(scopes, &count, SCOPE_PREFIX, watch->counted, text, &watch->scope);
    }
    for (size_t i = 0; i < rules->path_count; i++)
        add_scope(scopes, &count, SCOPE_PATH, true, rules->paths[i].name, &rules->paths[i].scope);
    for (size_t i = 0; i < rules->service_count; i++) {
        add_scope(scopes, &count, SCOPE_SERVICE, true, rules->services[i].name, &rules->services[i].scope);
        scopes[count - 1].name_server = is_name_server(&rules->services[i]);
        by_name[count - 1] = rules->services[i].address_count == 0;
    }
    add_scope(scopes, &count, SCOPE_TAP, false, "", NULL);
    settings->scopes = (struct scope_list){.items = scopes, .count = count, .by_name = by_name};
    settings->scopes.legs = settings_own(settings, calloc(1, sizeof *settings->scopes.legs));
    list_routers(settings);
}

static int build_watchlist(struct settings *settings, struct fault *fault)
{
    struct rules *rules = &settings->rules;
    rules->watchlist = watchlist_new();
    bool any = false;
    for (size_t i = 0; rules->watchlist != NULL && i < rules->watch_count; i++) {
        if (!rules->watches[i].enabled)
            continue;
        any = true;
        if (watchlist_add(rules->watchlist, &rules->watches[i].prefix, (uint32_t)i) != 0)
            return fault_errno(fault, ENOMEM, "no memory for the watch list");
    }
    if (rules->watchlist == NULL || watchlist_build(rules->watchlist) != 0)
        return fault_errno(fault, ENOMEM, "no memory for the watch list");
    return any ? 0 : fault_set(fault, "nothing is watched: give --watch CIDR, or enable a [watch CIDR]");
}

int settings_rules_finish(struct settings *settings, struct fault *fault)
{
    drop_embedded(settings);
    if (build_watchlist(settings, fault) != 0)
        return -1;
    make_scopes(settings);
    struct rules *rules = &settings->rules;
    rules->watch_paths = settings_own(settings, calloc(rules->watch_count, sizeof *rules->watch_paths));
    for (size_t i = 0; i < rules->watch_count; i++)
        rules->watch_paths[i] = path_of_watch(rules, &rules->watches[i]);
    return 0;
}

/* ---- --check ---- */

static void print_path(const struct settings *settings, const struct path *path)
{
    printf("\n");
    settings_print_origin(settings, path->origin);
    printf("[path %s]\n", path->name);
    for (int kind = PATH_INTERFACE; kind <= PATH_PREFIX; kind++) {
        bool any = false;
        for (size_t i = 0; i < path->key_count; i++) {
            const struct path_key *key = &path->keys[i];
            char text[PREFIX_TEXT_MAX];
            if ((int)key->kind != kind)
                continue;
            printf("%s", any ? " " : "");
            if (!any)
                printf("%s = ", path_keys[kind]);
            any = true;
            if (kind == PATH_INTERFACE)
                printf("%s", key->interface);
            else if (kind == PATH_MAC)
                printf("%02x:%02x:%02x:%02x:%02x:%02x", key->mac[0], key->mac[1], key->mac[2], key->mac[3],
                       key->mac[4], key->mac[5]);
            else if (kind == PATH_PREFIX)
                prefix_format(&key->prefix, text), printf("%s", text);
            else
                printf("%u", key->number);
        }
        if (any)
            putchar('\n');
    }
    for (size_t i = 0; i < path->router_count; i++) {
        char text[PREFIX_TEXT_MAX];
        prefix_format(&path->routers[i], text);
        text[strcspn(text, "/")] = '\0';
        printf("%s%s%s", i == 0 ? "router = " : " ", text, i + 1 == path->router_count ? "\n" : "");
    }
}

static void print_service(const struct settings *settings, const struct service *service)
{
    printf("\n");
    settings_print_origin(settings, service->origin);
    printf("[service %s]\n", service->name);
    for (size_t i = 0; i < service->host_count; i++)
        printf("%s%s%s", i == 0 ? "host = " : " ", service->hosts[i],
               i + 1 == service->host_count ? "\n" : "");
    for (size_t i = 0; i < service->address_count; i++) {
        char text[PREFIX_TEXT_MAX];
        prefix_format(&service->addresses[i], text);
        printf("%s%s%s", i == 0 ? "address = " : " ", text, i + 1 == service->address_count ? "\n" : "");
    }
    for (size_t i = 0; i < service->port_count; i++)
        printf("%s%u%s", i == 0 ? "port = " : " ", service->ports[i],
               i + 1 == service->port_count ? "\n" : "");
}

void settings_rules_print(const struct settings *settings)
{
    const struct rules *rules = &settings->rules;
    for (size_t i = 0; i < rules->watch_count; i++) {
        const struct watch *watch = &rules->watches[i];
        char text[PREFIX_TEXT_MAX];
        prefix_format(&watch->prefix, text);
        printf("\n");
        settings_print_origin(settings, watch->origin);
        printf("[watch %s]\n", text);
        if (watch->tier[0] != '\0')
            printf("tier = %s\n", watch->tier);
        if (watch->label[0] != '\0')
            printf("label = %s\n", watch->label);
        printf("enabled = %s\ncounted = %s\n", watch->enabled ? "yes" : "no", watch->counted ? "yes" : "no");
    }
    for (size_t i = 0; i < rules->path_count; i++)
        print_path(settings, &rules->paths[i]);
    for (size_t i = 0; i < rules->service_count; i++)
        print_service(settings, &rules->services[i]);
}
