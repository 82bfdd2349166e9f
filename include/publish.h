/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the letterbox: events, bins and flows go in, and each sink that was asked for tells them in its
 * way. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "fault.h"
#include "flow_record.h"
#include "health.h"
#include "hosts.h"
#include "redis_link.h"
#include "scope.h"

struct publish;

/* How far an output had been written when a checkpoint was taken. */
struct publish_mark {
    char sink[16];
    uint64_t bytes;
};

enum { PUBLISH_MARKS_MAX = 8 };

/* Where to go on after a crash. */
struct publish_checkpoint {
    int64_t data_ns; /* all before it has been told; TIME_NONE: there is no checkpoint */
    uint8_t *bytes;  /* the study's; the holder frees */
    size_t length;
    uint32_t mark_count;
    struct publish_mark marks[PUBLISH_MARKS_MAX];
};

struct publish_options {
    const char *sensor;      /* the sensor's name */
    const char *events_path; /* NDJSON, appended; "-": standard output; NULL: not asked for */
    const char *bins_path;   /* CSV, written anew */
    const char *flows_path;  /* NDJSON, written anew */
    const char *report_path; /* HTML, written at the end */
    const char *http_listen; /* ADDR:PORT of the status page and the metrics, or NULL */
    const char *state_path;  /* the checkpoint, or NULL */
    const struct publish_checkpoint
        *resume;         /* files are cut back to its marks and added to; NULL: a fresh start */
    const char *command; /* the command line, for the report */
    const char *input;   /* what was read or watched, for summary and report */
    bool summary;        /* a summary for people on standard output at the end */
    bool colour;         /* … with what matters most in colour */
    /* Called when every sink is open, before any thread starts: what is not needed any more can be given up.
     * -1 with the fault: nothing starts. NULL: nothing is called. */
    int (*opened)(void *context, struct fault *fault);
    void *opened_context;
    const atomic_bool *stop; /* once it is set nobody who reads a pipe is waited for; NULL: never */
    bool replay;             /* the data are not of now: wait for room instead of dropping */
    int64_t bin_ns, step_ns;
    int32_t offset_min; /* of the watched side's clock from UTC, for the pages; 0: UTC is told alone */
    struct {
        const char *url;                         /* NULL: no Redis */
        const char *user, *password;             /* NULL: those of the URL */
        const char *tls_ca, *tls_cert, *tls_key; /* of rediss://; NULL: the system's CAs, no certificate */
        const char *prefix;                      /* "lightsout:" */
        uint32_t maxlen;                         /* of the events stream, and of the list */
        bool list;                               /* events on a list too */
        uint32_t queue;                          /* events kept in memory while Redis is away */
        const char *spool_path;                  /* events kept on disk instead; NULL: they are not */
        uint32_t spool_mib;                      /* at most */
        double connect_timeout_s, command_timeout_s;
        double heartbeat_s; /* the heartbeat key expires after three of these */
        double drain_s;     /* how long the end of the program waits for delivery */
    } redis;
};

/* Opens every sink asked for and starts the thread that feeds them. The strings and the scopes are borrowed
 * until publish_close. A Redis that is away is no failure: it is said on standard error and tried again.
 * Returns NULL with the fault filled. */
struct publish *publish_open(const struct publish_options *options, const struct scope_list *scopes,
                             struct fault *fault);

/* Hand a copy of the value to the sinks. In a replay they wait for room; live they never wait, and what finds
 * no room is counted in health.queue_dropped. Called from one thread. */
void publish_event(struct publish *publish, const struct event *event);
void publish_bin(struct publish *publish, const struct bin *bin);
void publish_flow(struct publish *publish, const struct flow_record *record);
void publish_hosts(struct publish *publish, const struct hosts *hosts);

/* From here on bins and flows speak of these scopes, which are copied: of those that the sinks know already
 * they go on telling, those that are gone they tell no more. 0, or -1 with the fault, and then nothing has
 * changed. */
int publish_scopes(struct publish *publish, const struct scope_list *scopes, struct fault *fault);

/* Says that the reader has closed a step, and that data time has reached `data_ns`: everything handed over so
 * far belongs to a checkpoint taken next, and what follows does not. Whoever asks whether the program still
 * works goes by these calls. */
void publish_step(struct publish *publish, int64_t data_ns);

/* Has a checkpoint of the state at the last publish_step written. Takes `bytes` over. A failure is said, and
 * counts as one of the sinks'. */
void publish_checkpoint(struct publish *publish, int64_t data_ns, uint8_t *bytes, size_t length);

/* Keeps the checkpoint's path from other programs until `lock` is closed or the program ends, however it
 * ends. 0, `lock` being -1 where the disk is full; -1 with the fault, as when another has it. */
int publish_lock_state(const char *path, int *lock, struct fault *fault);

/* Reads a checkpoint. 0, data_ns being TIME_NONE where there is no such file; -1 with the fault when it is
 * damaged or not one of this program's. */
int publish_read_checkpoint(const char *path, struct publish_checkpoint *checkpoint, struct fault *fault);

/* Lets the sinks see the capture's counters as they are now; a copy is taken. */
void publish_health(struct publish *publish, const struct health *health);

/* Delivers what waits, writes the summary and the report, closes everything and frees. Returns 0, or -1 with
 * the first fault when something that was asked for could not be written or delivered. `publish` may be NULL.
 */
int publish_close(struct publish *publish, struct fault *fault);

/* The part of the options that says where Redis is, borrowed. */
static inline struct redis_link_options publish_redis_link(const struct publish_options *options)
{
    return (struct redis_link_options){.url = options->redis.url,
                                       .user = options->redis.user,
                                       .password = options->redis.password,
                                       .tls_ca = options->redis.tls_ca,
                                       .tls_cert = options->redis.tls_cert,
                                       .tls_key = options->redis.tls_key,
                                       .connect_timeout_s = options->redis.connect_timeout_s,
                                       .command_timeout_s = options->redis.command_timeout_s};
}

/* Whether this build can serve what is asked of Redis (spelling, TLS and its files): 0, or -1 with the fault.
 * Nothing is connected. */
int publish_check_redis(const struct publish_options *options, struct fault *fault);

/* Whether ADDR:PORT can be listened on, going by its spelling: 0, or -1 with the fault. */
int publish_check_http(const char *listen, struct fault *fault);
