/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "picture.h"

static const int64_t minute_ns = 60 * NS_PER_S;

static struct picture fresh(enum picture_manner manner)
{
    struct picture picture;
    assert_int_equal(picture_init(&picture, manner, minute_ns, &canned_scopes), 0);
    return picture;
}

/* A bin of a scope so many minutes after the start. */
static struct bin bin_at(uint32_t scope, int64_t minute, uint64_t observed)
{
    struct bin bin = canned_bin(scope);
    bin.start_ns = CANNED_START_NS + minute * minute_ns;
    bin.tally.start_ns = bin.start_ns;
    bin.tally.end_ns = bin.start_ns + minute_ns;
    bin.tally.value[TALLY_answered_flows] = observed;
    return bin;
}

static void add(struct picture *picture, uint32_t scope, int64_t minute, uint64_t observed)
{
    struct bin bin = bin_at(scope, minute, observed);
    picture_bin(picture, &bin);
}

static double sum_of(const struct picture_track *track)
{
    double sum = 0;
    for (uint32_t i = 0; i < track->count; i++)
        sum += track->point[i].observed;
    return sum;
}

static char *json_of(const struct picture *picture)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    picture_write(picture, 540, out);
    fclose(out);
    return bytes;
}

static void has(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("no %s in %s", words, text);
}

static void a_longer_time_takes_no_more_points_and_loses_nothing(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    for (int64_t i = 0; i < 10000; i++)
        add(&picture, 1, i, 3);
    const struct picture_track *track = &picture.track[1];
    assert_int_equal(track->width, 8);
    assert_true(track->count <= track->most && track->count >= 10000 / 8);
    assert_true(sum_of(track) == 30000);
    assert_true(track->point[5].least == 3 && track->point[5].most == 3 && track->point[5].bins == 8);
    picture_clear(&picture);
}

static void a_merged_point_keeps_the_extremes_and_the_gravest_state(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    const uint64_t observed[] = {4, 0, 9, 5};
    for (int i = 0; i < 4; i++) {
        struct bin bin = bin_at(0, i, observed[i]);
        bin.state = i == 1 ? STATE_DOWN : STATE_UP;
        picture_bin(&picture, &bin);
    }
    const struct picture_point point = picture_merged(&picture.track[0], 0, 4);
    assert_true(point.observed == 18 && point.least == 0 && point.most == 9);
    assert_int_equal(point.state, STATE_DOWN);
    assert_int_equal(point.bins, 4);
    picture_clear(&picture);
}

static void missing_is_neither_zero_nor_unknown(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    for (int i = 0; i < 6; i++) {
        struct bin bin = bin_at(0, i, i == 1 ? 0 : 10);
        if (i == 2)
            bin.tally.known = 0;
        if (i != 3 && i != 4)
            picture_bin(&picture, &bin);
    }
    char *json = json_of(&picture);
    has(json, "\"s\":\"u3m2u\",\"o\":\"10,0,-,,,10\"");
    has(json, "{\"name\":\"hosts\",\"t\":1749211200,\"w\":60,\"s\":\"u3m2u\",\"o\":\"70,,-,,,70\"}");
    has(json, "\"offset\":540");
    free(json);
    picture_clear(&picture);
}

static void live_the_oldest_go(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_LATEST);
    for (int64_t i = 0; i < 2000; i++)
        for (uint32_t scope = 0; scope < 2; scope++)
            add(&picture, scope, i, i < 600 ? 100 : 1);
    assert_int_equal(picture.track[0].count, PICTURE_LATEST_BINS);
    assert_true(sum_of(&picture.track[0]) == 1400 + 40 * 100);
    assert_true(picture.start_ns == CANNED_START_NS + 560 * minute_ns);
    assert_int_equal(picture.track[1].width, 4);
    assert_true(picture.track[1].count <= PICTURE_LATEST_BINS / 4);
    add(&picture, 0, 500000, 7); /* after a long time nothing of the old is left */
    assert_int_equal(picture.track[0].count, 1);
    assert_true(sum_of(&picture.track[0]) == 7);
    picture_clear(&picture);
}

static void a_bin_before_the_first_is_left_out(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    add(&picture, 0, 100, 5);
    add(&picture, 0, 3, 5);
    assert_true(sum_of(&picture.track[0]) == 5);
    picture_clear(&picture);
}

static void scopes_that_stay_keep_their_points(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false},
                                         {SCOPE_SERVICE, true, "service:new", false},
                                         {SCOPE_SERVICE, true, "service:kcna.kp", false},
                                         {SCOPE_TAP, false, "tap", false}};
    const struct scope_list scopes = {.items = items, .count = 4};
    struct picture picture = fresh(PICTURE_LATEST);
    add(&picture, 3, 0, 17);
    assert_int_equal(picture_scopes(&picture, &scopes), 0);
    assert_true(sum_of(&picture.track[2]) == 17);
    assert_int_equal(picture.track[1].count, 0);
    picture_clear(&picture);
}

static void say_host(struct picture *picture, int64_t minute, uint8_t last)
{
    static struct hosts hosts;
    const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, 175, 45, 176, last};
    hosts.start_ns = CANNED_START_NS + minute * minute_ns;
    hosts.count = 1;
    memcpy(hosts.address[0], address, sizeof address);
    picture_hosts(picture, &hosts);
}

static void hosts_are_told_by_address_and_share_of_the_slot(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    for (int64_t i = 0; i < 1440; i++) {
        add(&picture, 0, i, 1);
        say_host(&picture, i, 71);
        if (i % 2 == 0)
            say_host(&picture, i, 9);
    }
    assert_int_equal(picture.slot_width, 2);
    char *json = json_of(&picture);
    has(json, "\"rows\":[[\"175.45.176.9\",\"e720\"],\n[\"175.45.176.71\",\"i720\"]],\"more\":0");
    free(json);
    picture_clear(&picture);
}

static void live_a_host_that_has_long_been_silent_is_gone(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_LATEST);
    add(&picture, 0, 0, 1);
    say_host(&picture, 0, 1);
    for (int64_t i = 0; i < 1600; i += 100)
        say_host(&picture, i, 2);
    assert_int_equal(picture.host_count, 1);
    assert_int_equal(picture.host[0].address[15], 2);
    assert_true(picture.host[0].bins == 15);
    picture_clear(&picture);
}

static void more_hosts_than_there_are_rows_are_counted(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_WHOLE);
    add(&picture, 0, 0, 1);
    for (uint8_t i = 0; i < 10; i++) {
        static struct hosts hosts;
        hosts = (struct hosts){.start_ns = CANNED_START_NS, .count = 250, .more = i == 9};
        for (uint8_t j = 0; j < 250; j++)
            memcpy(hosts.address[j], (const uint8_t[16]){[10] = 0xff, [11] = 0xff, 10, 0, i, j}, 16);
        picture_hosts(&picture, &hosts);
    }
    say_host(&picture, 1, 1); /* there is no room any more */
    static struct hosts again = {.start_ns = CANNED_START_NS + 60 * NS_PER_S,
                                 .count = 1,
                                 .address[0] = {[10] = 0xff, [11] = 0xff, 10, 0, 5, 220}};
    picture_hosts(&picture, &again);
    assert_int_equal(picture.host_count, PICTURE_HOSTS);
    char *json = json_of(&picture);
    has(json, "\"more\":1792,\"untold\":454}");
    has(json, "\"10.0.5.220\",\"i2\"");
    free(json);
    picture_clear(&picture);
}

static void what_comes_from_outside_cannot_end_the_script_element(void **state)
{
    (void)state;
    static const struct scope items[] = {{SCOPE_ALL, true, "all", false},
                                         {SCOPE_SERVICE, true, "service:</script><!--\"\xff&", false},
                                         {SCOPE_TAP, false, "tap", false}};
    const struct scope_list scopes = {.items = items, .count = 3};
    struct picture picture;
    assert_int_equal(picture_init(&picture, PICTURE_WHOLE, minute_ns, &scopes), 0);
    add(&picture, 0, 0, 1);
    add(&picture, 1, 0, 1);
    char *json = json_of(&picture);
    has(json, "\"service:\\u003c/script\\u003e\\u003c!--\\\"\xef\xbf\xbd\\u0026\"");
    assert_null(strchr(json, '<'));
    free(json);
    picture_clear(&picture);
}

static void the_oldest_episodes_give_way(void **state)
{
    (void)state;
    struct picture picture = fresh(PICTURE_LATEST);
    for (unsigned i = 0; i < 300; i++) {
        struct event event = canned_event(2);
        event.episode = i;
        picture_event(&picture, &event);
        picture_event(&picture, &event);
    }
    assert_int_equal(picture.episode_count, PICTURE_EPISODES);
    assert_true(picture.episode[PICTURE_EPISODES - 1].episode == 299);
    struct event event = canned_event(7);
    event.episode = 299;
    event.merged_into = 298;
    picture_event(&picture, &event);
    assert_int_equal(picture.episode_count, PICTURE_EPISODES - 1);
    picture_clear(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_longer_time_takes_no_more_points_and_loses_nothing),
        cmocka_unit_test(a_merged_point_keeps_the_extremes_and_the_gravest_state),
        cmocka_unit_test(missing_is_neither_zero_nor_unknown),
        cmocka_unit_test(live_the_oldest_go),
        cmocka_unit_test(a_bin_before_the_first_is_left_out),
        cmocka_unit_test(scopes_that_stay_keep_their_points),
        cmocka_unit_test(hosts_are_told_by_address_and_share_of_the_slot),
        cmocka_unit_test(live_a_host_that_has_long_been_silent_is_gone),
        cmocka_unit_test(more_hosts_than_there_are_rows_are_counted),
        cmocka_unit_test(what_comes_from_outside_cannot_end_the_script_element),
        cmocka_unit_test(the_oldest_episodes_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
