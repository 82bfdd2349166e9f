/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "story.h"

static const struct scope scope_items[] = {{.kind = SCOPE_ALL, .text = "all"},
                                           {.kind = SCOPE_TAP, .text = "tap"}};
static const struct scope_list scopes = {.items = scope_items, .count = 2};

static void tell(struct story *story, uint64_t episode, enum event_action action)
{
    const struct event event = {.action = action,
                                .episode = episode,
                                .scope = "all",
                                .onset_ns = (int64_t)episode * NS_PER_S,
                                .end_ns = TIME_NONE};
    story_event(story, &event);
}

/* A year of a line that comes and goes. */
static void test_more_episodes_than_have_room_are_said_to_be_more(void **state)
{
    (void)state;
    struct story story;
    assert_int_equal(story_init(&story, &scopes), 0);
    for (uint64_t i = 1; i <= STORY_MOST; i++) {
        tell(&story, i, EVENT_OUTAGE_STARTED);
        tell(&story, i, EVENT_OUTAGE_ENDED);
    }
    assert_int_equal(story.episode_count, STORY_MOST);
    assert_false(story.cut_short);
    for (uint64_t i = 1; i <= 100; i++)
        tell(&story, STORY_MOST + i, EVENT_OUTAGE_STARTED);
    assert_int_equal(story.episode_count, STORY_MOST);
    assert_true(story.cut_short);
    assert_int_equal(story.episodes[STORY_MOST - 1].episode, STORY_MOST); /* the first are told */
    assert_int_equal(story.episodes[STORY_MOST - 1].action, EVENT_OUTAGE_ENDED);
    story_clear(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_episodes_than_have_room_are_said_to_be_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
