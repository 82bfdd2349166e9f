/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>

#include "bin_text.h"
#include "clock.h"
#include "event_text.h"
#include "status_text.h"
#include "text.h"

static void put_string(FILE *out, const char *raw)
{
    char json[4096];
    struct text text = text_in(json, sizeof json);
    text_json(&text, raw);
    fputs(text.cut ? "\"\"" : json, out);
}

static void put_data_time(const struct status *status, FILE *out)
{
    char time[TEXT_TIME_MAX];
    if (status->data_ns == TIME_NONE)
        return;
    text_time(status->data_ns, time);
    fprintf(out, ",\"data_time\":\"%s\"", time);
}

void status_json_life(const struct status *status, const struct status_life *life, FILE *out)
{
    bool blind = status_blind(status);
    fprintf(out, "{\"status\":\"%s\"", life->stuck ? "stuck" : blind ? "impaired" : "ok");
    if (life->stuck || blind) {
        fputs(",\"why\":", out);
        put_string(out,
                   life->stuck ? life->why : "the sensor does not see: nothing is said of the watch list");
    }
    fprintf(out, ",\"mode\":\"%s\"", status->options->replay ? "replay" : "live");
    put_data_time(status, out);
    if (life->step_age_s >= 0)
        fprintf(out, ",\"step_age_s\":%.1f", life->step_age_s);
    fputs("}\n", out);
}

static void put_scopes(const struct status *status, FILE *out)
{
    char id[EVENT_ID_MAX], json[BIN_JSON_MAX];
    const char *between = "";
    fputs(",\"scopes\":{", out);
    for (uint32_t i = 0; i < status->scope_count; i++) {
        const struct status_scope *scope = &status->scope[i];
        const struct event *open = status_open(status, scope->scope.text);
        if (scope->bins == 0)
            continue;
        if (open != NULL)
            event_text_outage_id(open, status->options->sensor, id);
        struct text text = text_in(json, sizeof json);
        bin_text_state(&scope->last, &scope->scope, &status->interfaces, open != NULL ? id : NULL, &text);
        fputs(between, out);
        put_string(out, scope->scope.text);
        fprintf(out, ":%s", json);
        between = ",";
    }
    fputs("}", out);
}

static void put_open(const struct status *status, FILE *out)
{
    const char *between = "";
    fputs(",\"open\":[", out);
    for (size_t i = 0; i < status->open_count; i++) {
        char *json = event_text_json(&status->open[i], status->options->sensor);
        if (json != NULL)
            fprintf(out, "%s%s", between, json);
        between = json != NULL ? "," : between;
        free(json);
    }
    fputs("]", out);
}

/* Whether Redis takes what it is sent, and what went wrong with it so far. */
static void put_redis(const struct status *status, FILE *out)
{
    const struct levels *levels = &status->levels;
    const uint64_t *errors = &status->health.redis_error_unreachable; /* in the order of the troubles */
    const char *between = "";
    if (!levels->redis)
        return;
    fprintf(out,
            ",\"redis\":{\"up\":%s,\"waiting_events\":%zu,\"waiting_bins\":%zu,\"sent\":%" PRIu64
            ",\"dropped\":%" PRIu64 ",\"troubles\":[",
            levels->redis_up ? "true" : "false", levels->redis_events, levels->redis_bins,
            status->health.redis_sent, status->health.redis_dropped);
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        if (levels->redis_troubles >> i & 1) {
            fprintf(out, "%s\"%s\"", between, redis_trouble_name((enum redis_trouble)i));
            between = ",";
        }
    fputs("],\"errors\":{", out);
    between = "";
    for (int i = 0; i < REDIS_TROUBLE__COUNT; i++)
        if (errors[i] > 0) {
            fprintf(out, "%s\"%s\":%" PRIu64, between, redis_trouble_name((enum redis_trouble)i), errors[i]);
            between = ",";
        }
    fputs("}}", out);
}

void status_json_write(const struct status *status, FILE *out)
{
    fputs("{\"schema\":1,\"version\":\"" LIGHTSOUT_VERSION "\",\"sensor\":", out);
    put_string(out, status->options->sensor);
    fprintf(out, ",\"mode\":\"%s\",\"impaired\":%s", status->options->replay ? "replay" : "live",
            status_blind(status) ? "true" : "false");
    put_data_time(status, out);
    put_redis(status, out);
    put_scopes(status, out);
    put_open(status, out);
    fputs("}\n", out);
}
