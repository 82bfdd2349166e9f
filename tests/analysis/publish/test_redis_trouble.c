/* SPDX-License-Identifier: BSD-3-Clause */
/* What errors of Redis mean, in the words of several of its versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "health.h"
#include "redis_link.h"

static void every_error_has_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *error, *name;
        enum redis_class class;
    } rows[] = {
        {"LOADING Redis is loading the dataset in memory", "loading", REDIS_LATER},
        {"BUSY Redis is busy running a script. You can only call SCRIPT KILL.", "busy", REDIS_LATER},
        {"UNKILLABLE Sorry the script already executed write commands", "busy", REDIS_LATER},
        {"BUSYGROUP Consumer Group name already exists", "other", REDIS_REFUSED},
        {"BUSYKEY Target key name already exists.", "other", REDIS_REFUSED},
        {"READONLY You can't write against a read only replica.", "readonly", REDIS_LATER},
        {"OOM command not allowed when used memory > 'maxmemory'.", "oom", REDIS_LATER},
        {"ERR Error running script (call to f_7b): @user_script:5: @user_script: 5: -OOM command not allowed "
         "when used memory > 'maxmemory'.",
         "oom", REDIS_LATER},
        {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
         "misconf", REDIS_LATER},
        {"NOREPLICAS Not enough good replicas to write.", "noreplicas", REDIS_LATER},
        {"CLUSTERDOWN The cluster is down", "clusterdown", REDIS_LATER},
        {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "masterdown",
         REDIS_LATER},
        {"TRYAGAIN Multiple keys request during rehashing of slot", "tryagain", REDIS_LATER},
        {"ERR max number of clients reached", "max_clients", REDIS_LATER},
        {"NOAUTH Authentication required.", "noauth", REDIS_REFUSED},
        {"WRONGPASS invalid username-password pair or user is disabled.", "wrongpass", REDIS_REFUSED},
        {"ERR invalid password", "wrongpass", REDIS_REFUSED},
        {"NOPERM User soc has no permissions to run the 'xadd' command", "noperm", REDIS_REFUSED},
        {"ERR The user executing the script can't run this command or subcommand", "noperm", REDIS_REFUSED},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", "wrongtype", REDIS_REFUSED},
        {"ERR unknown command 'XADD'", "other", REDIS_REFUSED},
        {"ERR no BOOM here", "other", REDIS_REFUSED},
        {"", "other", REDIS_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum redis_trouble trouble = redis_trouble_of(rows[i].error);
        assert_string_equal(redis_trouble_name(trouble), rows[i].name);
        assert_int_equal(redis_class_of(trouble), rows[i].class);
    }
    assert_int_equal(redis_class_of(REDIS_WELL), REDIS_TAKEN);
    assert_int_equal(redis_class_of(REDIS_TROUBLE_timeout), REDIS_LOST);
}

static void every_trouble_has_its_counter(void **state)
{
    (void)state;
    static const char *const counters[] = {
#define COUNTER_NAME(name, help) #name,
        HEALTH_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    size_t first = offsetof(struct health, redis_error_unreachable) / sizeof(uint64_t);
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "redis_error_%s", redis_trouble_name((enum redis_trouble)i));
        assert_string_equal(counters[first + (size_t)i], name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_class),
        cmocka_unit_test(every_trouble_has_its_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
