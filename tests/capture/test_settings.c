/* SPDX-License-Identifier: BSD-3-Clause */
/* What is in force: the embedded default, a file over it, the command line over both; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "settings.h"

static char config[64], other[64];
static struct settings settings;
static struct fault fault;

static int make_file(char path[64])
{
    strcpy(path, "/tmp/settings-XXXXXX");
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("LIGHTSOUT_REDIS_PASSWORD");
    settings = (struct settings){.store = NULL};
    fault.text[0] = '\0';
    return make_file(config) != 0 || make_file(other) != 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    settings_free(&settings);
    return unlink(config) != 0 || unlink(other) != 0 ? -1 : 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

enum { ARGUMENTS_MAX = 24 };

/* Reads the command line, "lightsout" being before the arguments and NULL behind them. Two banks take turns:
 * getopt still looks at the end of the line before. */
static int read_arguments(const char *const *arguments)
{
    static char banks[2][ARGUMENTS_MAX][256];
    static unsigned turn;
    char(*copies)[256] = banks[turn++ % 2];
    char *argv[ARGUMENTS_MAX + 1] = {copies[0]};
    int argc = 1;
    strcpy(copies[0], "lightsout");
    for (; *arguments != NULL; arguments++, argc++) {
        assert_true(argc < ARGUMENTS_MAX);
        snprintf(copies[argc], sizeof copies[argc], "%s", *arguments);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    settings_free(&settings);
    return settings_read(&settings, argc, argv, &fault);
}

#define READ(...) read_arguments((const char *const[]){__VA_ARGS__, NULL})
#define ACCEPT(...)                                                                                          \
    do {                                                                                                     \
        if (READ(__VA_ARGS__) != 0)                                                                          \
            fail_msg("%s", fault.text);                                                                      \
    } while (0)

/* The configuration over the default, for a replay. */
static void accept_config(const char *text)
{
    write_file(config, text);
    ACCEPT("-c", config, "-r", "capture.pcap");
}

/* Refused, with file and line before the words. */
static void refuse_config(const char *text, unsigned line, const char *words)
{
    char place[96];
    write_file(config, text);
    snprintf(place, sizeof place, "%s:%u: ", config, line);
    if (READ("-c", config, "-r", "capture.pcap") == 0)
        fail_msg("accepted: %s", text);
    if (strstr(fault.text, place) == NULL || strstr(fault.text, words) == NULL)
        fail_msg("'%s' does not say '%s' of %s", fault.text, words, place);
}

static void refused(int status, const char *words)
{
    assert_int_equal(status, -1);
    if (strstr(fault.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", fault.text, words);
}

static const struct scope *find_scope(const char *text)
{
    for (uint32_t i = 0; i < settings.scopes.count; i++)
        if (strcmp(settings.scopes.items[i].text, text) == 0)
            return &settings.scopes.items[i];
    return NULL;
}

static uint32_t watch_of(const char *address)
{
    struct prefix prefix;
    assert_int_equal(prefix_parse(address, &prefix, &fault), 0);
    return watchlist_find(settings.rules.watchlist, prefix.address);
}

/* ---- the embedded default ---- */

static void test_without_a_configuration_the_dprk_is_watched(void **state)
{
    (void)state;
    static const char *const core[] = {"175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24",
                                       "175.45.179.0/24"};
    ACCEPT("-r", "capture.pcap");
    assert_int_equal(settings.task, TASK_REPLAY);
    assert_string_equal(settings.scopes.items[SCOPE_NUMBER_ALL].text, "all");
    assert_string_equal(settings.scopes.items[scope_number_tap(&settings.scopes)].text, "tap");
    for (int i = 0; i < 4; i++) {
        char text[64];
        snprintf(text, sizeof text, "prefix:%s", core[i]);
        assert_non_null(find_scope(text));
        assert_true(find_scope(text)->counted);
        assert_true(settings.rules.watches[i].counted && settings.rules.watches[i].enabled);
        assert_string_equal(settings.rules.watches[i].tier, "core");
    }
    assert_non_null(find_scope("path:china-unicom"));
    assert_non_null(find_scope("path:transtelecom"));
    assert_non_null(find_scope("service:kcna.kp"));
}

static void test_the_leased_range_is_a_scope_that_does_not_count(void **state)
{
    (void)state;
    ACCEPT("-r", "capture.pcap");
    const struct scope *leased = find_scope("prefix:210.52.109.0/24");
    assert_non_null(leased);
    assert_false(leased->counted);
    uint32_t watch = watch_of("210.52.109.1");
    assert_int_not_equal(watch, WATCHLIST_NONE);
    assert_false(settings.rules.watches[watch].counted);
}

static void test_suspected_and_historic_ranges_are_known_and_off(void **state)
{
    (void)state;
    unsigned suspected = 0, historic = 0;
    ACCEPT("-r", "capture.pcap");
    for (size_t i = 0; i < settings.rules.watch_count; i++) {
        const struct watch *watch = &settings.rules.watches[i];
        bool is_suspected = strcmp(watch->tier, "suspected") == 0,
             is_historic = strcmp(watch->tier, "historic") == 0;
        suspected += is_suspected;
        historic += is_historic;
        assert_int_equal(watch->enabled, !is_suspected && !is_historic);
    }
    assert_true(suspected > 0 && historic > 0);
    assert_int_equal(watch_of("188.43.136.1"), WATCHLIST_NONE);
    assert_null(find_scope("prefix:188.43.136.0/24"));
}

/* By prefix: 176 and 179 China Unicom, 177 TransTelecom, 178 both and so none. */
static void test_each_quarter_has_its_path(void **state)
{
    (void)state;
    static const char *const paths[] = {"path:china-unicom", "path:transtelecom", NULL, "path:china-unicom"};
    ACCEPT("-r", "capture.pcap");
    for (int i = 0; i < 4; i++) {
        char address[32];
        struct prefix prefix;
        struct packet packet = {.is_ip = true};
        snprintf(address, sizeof address, "175.45.%d.9", 176 + i);
        assert_int_equal(prefix_parse(address, &prefix, &fault), 0);
        uint32_t scope = path_find(&settings.rules, &packet, prefix.address);
        if (paths[i] == NULL)
            assert_int_equal(scope, SCOPE_NONE);
        else
            assert_string_equal(settings.scopes.items[scope].text, paths[i]);
    }
}

static void assert_router(uint32_t number, const char *address, const char *path)
{
    struct prefix router;
    assert_true(number < settings.scopes.router_count);
    assert_int_equal(prefix_parse(address, &router, &fault), 0);
    assert_memory_equal(settings.scopes.routers[number].address, router.address, 16);
    assert_string_equal(scope_name(&settings.scopes.items[settings.scopes.routers[number].path]), path);
}

static void test_the_last_routers_before_the_dprk_are_known(void **state)
{
    (void)state;
    ACCEPT("-r", "capture.pcap");
    assert_int_equal(settings.scopes.router_count, 2);
    assert_router(0, "103.35.255.254", "china-unicom");
    assert_router(1, "188.43.225.153", "transtelecom");
    assert_non_null(settings.scopes.legs);
    ACCEPT("-r", "capture.pcap", "-w", "192.0.2.0/24");
    assert_int_equal(settings.scopes.router_count, 0);
}

static void test_a_path_names_its_routers(void **state)
{
    (void)state;
    accept_config("[path north]\nrouter = 198.51.100.1, 2001:db8::1\n[path south]\nvlan = 7\n"
                  "router = 198.51.100.2\n");
    assert_int_equal(settings.scopes.router_count, 3);
    assert_router(0, "198.51.100.1", "north");
    assert_router(1, "2001:db8::1", "north");
    assert_router(2, "198.51.100.2", "south");
    struct packet packet = {.is_ip = true};
    const uint8_t watched[16] = {[10] = 0xff, 0xff, 198, 51, 100, 1};
    assert_int_equal(path_find(&settings.rules, &packet, watched),
                     SCOPE_NONE); /* a router matches no packet */
}

static void test_a_service_without_an_address_is_known_by_name(void **state)
{
    (void)state;
    accept_config("[service a]\naddress = 175.45.176.15\nhost = a\n[service b]\nhost = b\nport = 80\n");
    const struct scope_list *list = &settings.scopes;
    assert_false(scope_is_by_name(list, (uint32_t)(find_scope("service:a") - list->items)));
    assert_true(scope_is_by_name(list, (uint32_t)(find_scope("service:b") - list->items)));
    assert_false(scope_is_by_name(list, SCOPE_NUMBER_ALL));
}

static void test_a_service_with_the_ports_of_dns_alone_is_a_name_server(void **state)
{
    (void)state;
    accept_config("[service a]\naddress = 175.45.176.15\nport = 53\n[service b]\nhost = b\nport = 53 80\n"
                  "[service c]\nhost = c\n[service d]\nhost = d\nport = 853 53\n");
    static const char *const names[] = {"service:a", "service:b", "service:c", "service:d"};
    static const bool wanted[] = {true, false, false, true};
    for (int i = 0; i < 4; i++)
        assert_int_equal(find_scope(names[i])->name_server, wanted[i]);
    ACCEPT("-r", "capture.pcap");
    assert_true(find_scope("service:ns1.kptc.kp")->name_server);
    assert_false(find_scope("service:kcna.kp")->name_server);
    assert_false(find_scope("all")->name_server);
}

static void test_scopes_have_their_numbers_in_the_rules(void **state)
{
    (void)state;
    ACCEPT("-r", "capture.pcap");
    for (size_t i = 0; i < settings.rules.path_count; i++) {
        const struct path *path = &settings.rules.paths[i];
        assert_string_equal(scope_name(&settings.scopes.items[path->scope]), path->name);
    }
    for (size_t i = 0; i < settings.rules.service_count; i++) {
        const struct service *service = &settings.rules.services[i];
        assert_string_equal(scope_name(&settings.scopes.items[service->scope]), service->name);
    }
}

static void test_the_defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    ACCEPT("-r", "capture.pcap");
    assert_int_equal(settings.capture.bin_ns, 60 * NS_PER_S);
    assert_int_equal(settings.capture.step_ns, 5 * NS_PER_S);
    assert_int_equal(settings.capture.gap_max_ns, 86400 * NS_PER_S);
    assert_int_equal(settings.capture.flow_timeout_ns, 120 * NS_PER_S);
    assert_int_equal(settings.capture.burst_length_ns, 60 * NS_PER_S);
    assert_int_equal(settings.analysis.bin_ns, 60 * NS_PER_S);
    assert_int_equal(settings.publish.bin_ns, 60 * NS_PER_S);
    assert_string_equal(settings.publish.redis.prefix, "lightsout-replay:");
    assert_int_equal(settings.publish.redis.maxlen, 10000);
    assert_null(settings.publish.redis.url);
    assert_false(settings.capture.flow_records);
    assert_int_equal(settings.progress, -1);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    assert_string_equal(settings.publish.sensor, host);
}

/* ---- the command line ---- */

static void test_help_and_version_need_nothing_else(void **state)
{
    (void)state;
    ACCEPT("-h");
    assert_int_equal(settings.task, TASK_HELP);
    ACCEPT("--version");
    assert_int_equal(settings.task, TASK_VERSION);
    ACCEPT("-r", "x", "--help", "--nosuch");
    assert_int_equal(settings.task, TASK_HELP);
}

static void test_a_check_needs_no_input(void **state)
{
    (void)state;
    ACCEPT("-T");
    assert_true(settings.check);
    ACCEPT("--check", "-r", "capture.pcap");
    assert_true(settings.check);
}

static void test_several_captures_keep_their_order(void **state)
{
    (void)state;
    ACCEPT("-r", "b", "--read", "a", "-r", "-");
    assert_int_equal(settings.capture.read_count, 3);
    assert_string_equal(settings.capture.reads[0], "b");
    assert_string_equal(settings.capture.reads[1], "a");
    assert_string_equal(settings.capture.reads[2], "-");
}

static void test_every_option_lands_where_it_belongs(void **state)
{
    (void)state;
    ACCEPT("-r", "x", "--events", "-", "--bins", "b", "--flows", "f", "--report", "r", "--sensor", "ix-1",
           "-f", "not port 22", "--speed", "60", "-q");
    assert_string_equal(settings.publish.events_path, "-");
    assert_string_equal(settings.publish.bins_path, "b");
    assert_string_equal(settings.publish.flows_path, "f");
    assert_string_equal(settings.publish.report_path, "r");
    assert_string_equal(settings.publish.sensor, "ix-1");
    assert_string_equal(settings.capture.filter, "not port 22");
    assert_true(settings.capture.speed == 60);
    assert_true(settings.capture.flow_records);
    assert_true(settings.quiet);
    ACCEPT("-b", "table.csv", "--progress", "-v", "--redis", "redis://u:p@h:1/2");
    assert_int_equal(settings.task, TASK_BINS);
    assert_string_equal(settings.bins_file, "table.csv");
    assert_int_equal(settings.progress, 1);
    assert_true(settings.verbose);
    assert_string_equal(settings.publish.redis.url, "redis://u:p@h:1/2");
    assert_string_equal(settings.publish.redis.prefix, "lightsout-replay:");
    ACCEPT("-b", "table.csv", "--redis-prefix", "mine:");
    assert_string_equal(settings.publish.redis.prefix, "mine:");
    ACCEPT("-i", "eth9");
    assert_string_equal(settings.publish.redis.prefix, "lightsout:");
    ACCEPT("-b", "table.csv", "--no-progress");
    assert_int_equal(settings.progress, 0);
}

static void test_only_one_kind_of_input(void **state)
{
    (void)state;
    refused(READ("-r", "a", "-i", "b"), "only one");
    refused(READ("-r", "a", "-b", "b"), "only one");
    refused(READ("-b", "a", "-b", "b"), "one file");
    refused(READ("-r", "a", "--fuse"), "only one");
    refused(READ("-q"), "nothing to do");
}

static void test_a_fused_view_wants_redis_and_nothing_that_only_packets_tell(void **state)
{
    (void)state;
    refused(READ("--fuse"), "--redis");
    refused(READ("--fuse", "--redis", "redis://h", "--state", "s"), "--state");
    refused(READ("--fuse", "--redis", "redis://h", "--flows", "f"), "--flows");
    refused(READ("--fuse", "--redis", "redis://h", "--report", "r"), "--report");
    ACCEPT("--fuse", "--redis", "redis://h");
    assert_int_equal(settings.task, TASK_FUSE);
    assert_string_equal(settings.publish.sensor, "fused");
    assert_true(settings.fuse_lateness_s == 60);
    ACCEPT("--fuse", "--redis", "redis://h", "--sensor", "all-ix");
    assert_string_equal(settings.publish.sensor, "all-ix");
}

static void test_what_is_no_option_is_named(void **state)
{
    (void)state;
    refused(READ("-r", "x", "--nosuch"), "--nosuch");
    refused(READ("capture.pcap"), "capture.pcap");
    refused(READ("-r"), "-r");
    refused(READ("-r", "x", "--speed", "fast"), "fast");
    refused(READ("-r", "x", "--speed", "-1"), "-1");
    refused(READ("-r", "x", "--bin", "0"), "--bin");
    refused(READ("-c", "/nowhere.conf", "-T"), "/nowhere.conf");
}

static void test_watch_replaces_the_list_and_repeats(void **state)
{
    (void)state;
    ACCEPT("-r", "x", "-w", "192.0.2.0/24,our lab", "--watch", "2001:db8::/32", "-w", "10.1.2.3");
    assert_int_equal(settings.rules.watch_count, 3);
    assert_string_equal(settings.rules.watches[0].label, "our lab");
    assert_string_equal(settings.rules.watches[1].label, "");
    for (int i = 0; i < 3; i++)
        assert_true(settings.rules.watches[i].counted && settings.rules.watches[i].enabled);
    assert_int_equal(watch_of("192.0.2.9"), 0);
    assert_int_equal(watch_of("2001:db8::9"), 1);
    assert_int_equal(watch_of("10.1.2.3"), 2);
    assert_int_equal(watch_of("175.45.176.1"), WATCHLIST_NONE);
    /* The embedded paths and services are those of another list. */
    assert_int_equal(settings.scopes.count, 5);
    assert_string_equal(settings.scopes.items[3].text, "prefix:10.1.2.3/32");
}

static void test_the_same_prefix_twice_is_one_scope(void **state)
{
    (void)state;
    ACCEPT("-r", "x", "-w", "192.0.2.1", "-w", "192.0.2.1/32,router");
    assert_int_equal(settings.rules.watch_count, 1);
    assert_string_equal(settings.rules.watches[0].label, "router");
}

static void test_a_list_of_prefixes_joins_those_of_the_command_line(void **state)
{
    (void)state;
    char argument[80];
    write_file(other, "r|XX|ipv4|10.0.1.0|768|20110811|assigned\n");
    snprintf(argument, sizeof argument, "%s,XX", other);
    ACCEPT("-r", "x", "-w", "10.0.2.0/23,known", "--watch-from", argument);
    assert_int_equal(settings.rules.watch_count, 2);
    assert_string_equal(settings.rules.watches[0].label, "known");
    assert_int_equal(watch_of("10.0.1.1"), 1);
}

static void test_a_list_too_long_for_scopes_counts_in_all_alone(void **state)
{
    (void)state;
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    for (int i = 0; i < 1025; i++)
        fprintf(file, "10.%d.%d.0/24\n", i / 256, i % 256);
    fclose(file);
    ACCEPT("-r", "x", "--watch-from", other);
    assert_int_equal(settings.scopes.count, 2); /* all and tap */
    uint32_t watch = watch_of("10.4.0.1");
    assert_int_not_equal(watch, WATCHLIST_NONE);
    assert_int_equal(settings.rules.watches[watch].scope, SCOPE_NONE);
    assert_true(settings.rules.watches[watch].counted);
}

static void test_the_step_follows_a_bin_that_it_does_not_divide(void **state)
{
    (void)state;
    static const struct {
        const char *bin;
        int64_t step_s;
    } rows[] = {{"1", 1}, {"2", 2}, {"4", 4}, {"5", 5}, {"6", 1}, {"10", 5}, {"300", 5}, {"3600", 5}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ACCEPT("-r", "x", "--bin", rows[i].bin);
        assert_int_equal(settings.capture.bin_ns, atoll(rows[i].bin) * NS_PER_S);
        assert_int_equal(settings.capture.step_ns, rows[i].step_s * NS_PER_S);
    }
}

static void test_a_bin_that_does_not_divide_an_hour_is_refused(void **state)
{
    (void)state;
    refused(READ("-r", "x", "--bin", "7"), "divides an hour");
    refused(READ("-r", "x", "--bin", "1.5"), "divides an hour");
    refused(READ("-r", "x", "--bin", "7200"), "--bin");
}

/* ---- files ---- */

static void test_the_command_line_wins_over_the_file(void **state)
{
    (void)state;
    write_file(config, "[lightsout]\nsensor = from-file\nbin = 300\nevents = file.ndjson\n");
    ACCEPT("--bin", "10", "--sensor", "from-line", "-c", config, "-r", "x");
    assert_string_equal(settings.publish.sensor, "from-line");
    assert_int_equal(settings.capture.bin_ns, 10 * NS_PER_S);
    assert_string_equal(settings.publish.events_path, "file.ndjson");
}

static void test_times_with_units(void **state)
{
    (void)state;
    accept_config("[capture]\ngap_max = 2d\nflow_timeout = 2m\nburst_length = 1.5m\nlateness = 0.5s\n"
                  "[detect]\nhalf_life = 36h\nrecovery_hold = 90\nlevel_after = 3d\n");
    assert_int_equal(settings.capture.gap_max_ns, 2 * 86400 * NS_PER_S);
    assert_int_equal(settings.capture.flow_timeout_ns, 120 * NS_PER_S);
    assert_int_equal(settings.capture.burst_length_ns, 90 * NS_PER_S);
    assert_true(settings.capture.lateness_s == 0.5);
    assert_true(settings.analysis.half_life_s == 36 * 3600);
    assert_true(settings.analysis.recovery_hold_s == 90);
    assert_true(settings.analysis.level_after_s == 3 * 86400);
}

static void test_watches_paths_and_services_of_a_file_replace_the_embedded(void **state)
{
    (void)state;
    accept_config(
        "[watch 192.0.2.0/24]\ntier = core\nlabel = web # for people\n"
        "[watch 198.51.100.0/24]\ncounted = no\n"
        "[watch 203.0.113.0/24]\nenabled = no\n"
        "[path north]\nvlan = 100, 101\nmac = 02:00:5E:10:00:01\n"
        "[service www]\nhost = www.example.net *.cdn.example.net\naddress = 192.0.2.80\nport = 80 443\n");
    assert_int_equal(settings.rules.watch_count, 3);
    assert_string_equal(settings.rules.watches[0].label, "web");
    assert_int_equal(settings.rules.path_count, 1);
    assert_int_equal(settings.rules.paths[0].key_count, 3);
    assert_int_equal(settings.rules.paths[0].keys[1].number, 101);
    assert_int_equal(settings.rules.paths[0].keys[2].mac[2], 0x5e);
    assert_int_equal(settings.rules.service_count, 1);
    assert_int_equal(settings.rules.services[0].host_count, 2);
    assert_int_equal(settings.rules.services[0].port_count, 2);
    static const char *const wanted[] = {"all",        "prefix:192.0.2.0/24", "prefix:198.51.100.0/24",
                                         "path:north", "service:www",         "tap"};
    assert_int_equal(settings.scopes.count, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(settings.scopes.items[i].text, wanted[i]);
    assert_false(settings.scopes.items[2].counted);
    assert_int_equal(watch_of("203.0.113.1"), WATCHLIST_NONE);
}

static void test_a_service_of_ones_own_keeps_the_embedded_watches(void **state)
{
    (void)state;
    accept_config("[service www]\naddress = 175.45.176.71\n");
    assert_int_equal(settings.rules.service_count, 1);
    assert_int_not_equal(watch_of("175.45.176.71"), WATCHLIST_NONE);
    assert_true(settings.rules.path_count > 0);
}

static void test_the_clock_of_the_watched_side_goes_with_the_watch_list(void **state)
{
    (void)state;
    ACCEPT("-r", "x");
    assert_int_equal(settings.publish.offset_min, 540);
    ACCEPT("-r", "x", "-w", "10.0.0.0/8");
    assert_int_equal(settings.publish.offset_min, 0);
    ACCEPT("-b", "x");
    assert_int_equal(settings.publish.offset_min, 0);
    accept_config("[lightsout]\nutc_offset = -03:30\n[watch 192.0.2.0/24]\n");
    assert_int_equal(settings.publish.offset_min, -210);
    static const char *const bad[] = {"9",     "+9:00",   "+15:00",         "+09:60",
                                      "09:00", "+09:00h", "Asia/Pyongyang", "+-9:00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        snprintf(text, sizeof text, "[lightsout]\nutc_offset = %s\n", bad[i]);
        refuse_config(text, 2, "such as +09:00");
    }
}

static void test_watch_puts_away_the_watches_of_the_file_and_keeps_its_paths(void **state)
{
    (void)state;
    write_file(config, "[watch 192.0.2.0/24]\n[path north]\nvlan = 100\n");
    ACCEPT("-c", config, "-r", "x", "-w", "10.0.0.0/8");
    assert_int_equal(settings.rules.watch_count, 1);
    assert_int_equal(watch_of("192.0.2.1"), WATCHLIST_NONE);
    assert_non_null(find_scope("path:north"));
}

static void test_interfaces_of_the_file_are_watched_when_nothing_else_is_asked_for(void **state)
{
    (void)state;
    write_file(config, "[capture]\ninterface = eth1 eth2\n[path a]\ninterface = eth2\n");
    ACCEPT("-c", config);
    assert_int_equal(settings.task, TASK_LIVE);
    assert_int_equal(settings.capture.interface_count, 2);
    assert_int_equal(settings.rules.paths[0].keys[0].number, 1);
    ACCEPT("-c", config, "-i", "eth7");
    assert_int_equal(settings.capture.interface_count, 1);
    assert_string_equal(settings.capture.interfaces[0], "eth7");
    ACCEPT("-c", config, "-r", "x");
    assert_int_equal(settings.task, TASK_REPLAY);
    assert_int_equal(settings.capture.interface_count, 0);
}

static void test_words_of_yes_and_no(void **state)
{
    (void)state;
    static const char *const words[] = {"yes", "No", "TRUE", "false", "on", "off", "1", "0"};
    for (int i = 0; i < 8; i++) {
        bool yes = i % 2 == 1;
        assert_int_equal(settings_yes_no("key", words[i], &yes, &fault), 0);
        assert_int_equal(yes, i % 2 == 0);
    }
    bool yes;
    refused(settings_yes_no("promiscuous", "maybe", &yes, &fault), "promiscuous = maybe");
}

static void test_a_password_comes_from_a_file_or_the_environment(void **state)
{
    (void)state;
    char text[160];
    write_file(other, "s3cret\r\nand more\n");
    snprintf(text, sizeof text, "[redis]\npassword_file = %s\n", other);
    accept_config(text);
    assert_string_equal(settings.publish.redis.password, "s3cret");
    setenv("LIGHTSOUT_REDIS_PASSWORD", "from-outside", 1);
    accept_config(text);
    assert_string_equal(settings.publish.redis.password, "s3cret");
    accept_config("[redis]\n");
    assert_string_equal(settings.publish.redis.password, "from-outside");
    unsetenv("LIGHTSOUT_REDIS_PASSWORD");
    write_file(other, "\n");
    refuse_config(text, 2, "password");
}

static void test_faults_of_a_file_name_it_and_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *words;
    } rows[] = {
        {"[lightsout]\nbinn = 60\n", 2, "binn"},
        {"\n# two\n[nosuch]\n", 3, "nosuch"},
        {"[nosuch thing]\n", 1, "nosuch thing"},
        {"[lightsout]\nbin = 60\nbin = 60\n", 3, "twice"},
        {"[lightsout]\nbin = 60\n[capture]\nsnaplen = 128\n[lightsout]\nbin = 60\n", 6, "twice"},
        {"[lightsout]\nbin = 7\n", 2, "divides an hour"},
        {"[lightsout]\nstep = 7\n", 2, "does not divide"},
        {"[lightsout]\nstep = 120\n", 2, "does not divide"},
        {"[capture]\nsnaplen = 12\n", 2, "64"},
        {"[capture]\nflows_max = -1\n", 2, "flows_max"},
        {"[capture]\nflows_max = 10m\n", 2, "flows_max"},
        {"[capture]\npromiscuous = perhaps\n", 2, "perhaps"},
        {"[detect]\nhalf_life = 14 days\n", 2, "14 days"},
        {"[detect]\nhalf_life = nan\n", 2, "nan"},
        {"[redis]\npassword_file = /nowhere\n", 2, "/nowhere"},
        {"[watch 192.0.2.1/24]\n", 1, "192.0.2.0/24"},
        {"[watch 192.0.2.0/24]\ncolour = red\n", 2, "colour"},
        {"[watch 192.0.2.0/24]\ncounted = perhaps\n", 2, "perhaps"},
        {"[path a]\nvlan = 4096\n", 2, "4095"},
        {"[path a]\nmpls = 1048576\n", 2, "1048575"},
        {"[path a]\nvni = 16777216\n", 2, "16777215"},
        {"[path a]\nerspan = 1024\n", 2, "1023"},
        {"[path a]\ngre = 4294967296\n", 2, "4294967295"},
        {"[path a]\nmac = 02:00:5e:10:00\n", 2, "02:00:5e:10:00"},
        {"[path a]\nmac = 02:00:5e:10:00:01:02\n", 2, "mac"},
        {"[path a]\nasn = 4837\n", 2, "asn"},
        {"[path a]\nrouter = 192.0.2.0/24\n", 2, "192.0.2.0/24"},
        {"[path a]\nrouter = gw1\n", 2, "gw1"},
        {"[path a]\nrouter = 192.0.2.1\n[path b]\nrouter = 192.0.2.1\n", 4, "path a"},
        {"[path a,b]\n", 1, "a,b"},
        {"[path a]\nprefix = 10.0.0.0/33\n", 2, "10.0.0.0/33"},
        {"[service a]\nport = 65536\n", 2, "65535"},
        {"[service a]\nport = -1\n", 2, "-1"},
        {"[service a]\naddress = kcna.kp\n", 2, "kcna.kp"},
        {"[service a]\nprotocol = tcp\n", 2, "protocol"},
        {"[watch]\n", 1, "watch"},
        {"bin = 60\n", 1, "section"},
        {"[lightsout]\nneither nor\n", 2, "key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuse_config(rows[i].text, rows[i].line, rows[i].words);
}

/* Faults that show only when all is read know their line too. */
static void test_a_bad_name_of_the_sensor_is_named_with_its_line(void **state)
{
    (void)state;
    refuse_config("[lightsout]\nbin = 60\nsensor = ix one\n", 3, "ix one");
}

static void test_a_bad_redis_is_named_with_its_line(void **state)
{
    (void)state;
    refuse_config("[redis]\nurl = http://example.net\n", 2, "redis://");
}

/* One prefix in two spellings is the same section: a key in both is a duplicate. */
static void test_a_duplicate_in_another_spelling_is_one(void **state)
{
    (void)state;
    refuse_config("[watch 192.0.2.1]\nlabel = a\n[watch 192.0.2.1/32]\nlabel = b\n", 4, "twice");
}

static void test_blanks_in_a_sections_head_make_no_other_section(void **state)
{
    (void)state;
    refuse_config("[path north]\nvlan = 1\n[path  north]\nvlan = 2\n", 4, "twice");
}

static void test_the_first_key_of_a_section_may_be_indented(void **state)
{
    (void)state;
    accept_config("[capture]\n  filter = tcp[13] = 2\n[lightsout]\n  bin = 300\n");
    assert_string_equal(settings.capture.filter, "tcp[13] = 2");
    assert_int_equal(settings.capture.bin_ns, 300 * NS_PER_S);
}

/* Many indent the keys of a section; what would be read as the last value's next line must not be lost. */
static void test_an_indented_key_is_not_swallowed_by_the_value_before(void **state)
{
    (void)state;
    write_file(config, "[watch 192.0.2.0/24]\n  label = lab\n  counted = no\n");
    if (READ("-c", config, "-r", "x") == 0) {
        assert_string_equal(settings.rules.watches[0].label, "lab");
        assert_false(settings.rules.watches[0].counted);
    } else {
        assert_non_null(strstr(fault.text, ":3: "));
    }
}

static void test_a_list_may_go_on_in_the_next_line(void **state)
{
    (void)state;
    accept_config("[service www]\nport = 80\n  443 8080\nhost = a.example\n");
    assert_int_equal(settings.rules.services[0].port_count, 3);
    assert_int_equal(settings.rules.services[0].host_count, 1);
}

static void test_a_line_too_long_is_named(void **state)
{
    (void)state;
    static char text[8192];
    strcpy(text, "[service www]\nhost =");
    while (strlen(text) < 6000)
        strcat(text, " www.example.net");
    strcat(text, "\n");
    write_file(config, text);
    if (READ("-c", config, "-r", "x") != 0)
        assert_non_null(strstr(fault.text, ":2: "));
    else
        assert_true(settings.rules.services[0].host_count > 300); /* nothing of it was cut */
}

static void test_nothing_watched_is_refused(void **state)
{
    (void)state;
    write_file(config, "[watch 192.0.2.0/24]\nenabled = no\n");
    refused(READ("-c", config, "-r", "x"), "nothing is watched");
}

static void test_names_of_sensors_that_would_break_keys_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a b", "a{b}", "a\"b", "a\\b"};
    for (int i = 0; i < 5; i++)
        refused(READ("-r", "x", "--sensor", names[i]), "sensor");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_configuration_the_dprk_is_watched),
        TEST(test_the_leased_range_is_a_scope_that_does_not_count),
        TEST(test_suspected_and_historic_ranges_are_known_and_off),
        TEST(test_each_quarter_has_its_path),
        TEST(test_the_last_routers_before_the_dprk_are_known),
        TEST(test_a_path_names_its_routers),
        TEST(test_a_service_without_an_address_is_known_by_name),
        TEST(test_a_service_with_the_ports_of_dns_alone_is_a_name_server),
        TEST(test_scopes_have_their_numbers_in_the_rules),
        TEST(test_the_defaults_are_those_of_the_contract),
        TEST(test_help_and_version_need_nothing_else),
        TEST(test_a_check_needs_no_input),
        TEST(test_several_captures_keep_their_order),
        TEST(test_every_option_lands_where_it_belongs),
        TEST(test_only_one_kind_of_input),
        TEST(test_a_fused_view_wants_redis_and_nothing_that_only_packets_tell),
        TEST(test_what_is_no_option_is_named),
        TEST(test_watch_replaces_the_list_and_repeats),
        TEST(test_the_same_prefix_twice_is_one_scope),
        TEST(test_a_list_of_prefixes_joins_those_of_the_command_line),
        TEST(test_a_list_too_long_for_scopes_counts_in_all_alone),
        TEST(test_the_step_follows_a_bin_that_it_does_not_divide),
        TEST(test_a_bin_that_does_not_divide_an_hour_is_refused),
        TEST(test_the_command_line_wins_over_the_file),
        TEST(test_times_with_units),
        TEST(test_watches_paths_and_services_of_a_file_replace_the_embedded),
        TEST(test_a_service_of_ones_own_keeps_the_embedded_watches),
        TEST(test_the_clock_of_the_watched_side_goes_with_the_watch_list),
        TEST(test_watch_puts_away_the_watches_of_the_file_and_keeps_its_paths),
        TEST(test_interfaces_of_the_file_are_watched_when_nothing_else_is_asked_for),
        TEST(test_words_of_yes_and_no),
        TEST(test_a_password_comes_from_a_file_or_the_environment),
        TEST(test_faults_of_a_file_name_it_and_the_line),
        TEST(test_a_bad_name_of_the_sensor_is_named_with_its_line),
        TEST(test_a_bad_redis_is_named_with_its_line),
        TEST(test_a_duplicate_in_another_spelling_is_one),
        TEST(test_blanks_in_a_sections_head_make_no_other_section),
        TEST(test_the_first_key_of_a_section_may_be_indented),
        TEST(test_an_indented_key_is_not_swallowed_by_the_value_before),
        TEST(test_a_list_may_go_on_in_the_next_line),
        TEST(test_a_line_too_long_is_named),
        TEST(test_nothing_watched_is_refused),
        TEST(test_names_of_sensors_that_would_break_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
