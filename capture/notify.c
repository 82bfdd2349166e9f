/* SPDX-License-Identifier: BSD-3-Clause */
#include "notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "clock.h"

/* What a reader may be late that has much to do, and the steps that it may miss. */
static const int64_t late_ns = 5 * NS_PER_S, steps_late = 3;

void notify_ready(bool may_wait, int64_t step_ns)
{
    uint64_t watchdog_us;
    const uint64_t least_us = (uint64_t)((late_ns + steps_late * step_ns) / NS_PER_US);
    sd_notify(0, "READY=1");
    if (sd_watchdog_enabled(0, &watchdog_us) <= 0)
        return;
    if (may_wait)
        sd_notify(0, "WATCHDOG_USEC=0"); /* none */
    else if (watchdog_us < least_us)
        sd_notifyf(0, "WATCHDOG_USEC=%llu", (unsigned long long)least_us);
}

void notify_step(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)(now.tv_sec * (NS_PER_S / NS_PER_US) + now.tv_nsec / NS_PER_US));
}

void notify_reloaded(void)
{
    sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void notify_status(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = '\0'; /* another line would be another message */
    sd_notifyf(0, "STATUS=%s", text);
}
