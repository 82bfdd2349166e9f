/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets through a worker: flow table, classification, fragments, duplicates, paths and legs, counting,
 * records. Each packet is an IP packet, or an Ethernet frame, with a head of its own before it: how many
 * quarters of a second have passed, and how many bytes it has (two, the upper byte first; 0x8000 is its
 * interface, 0x4000 says that it was cut to that). The first byte of all says which options are in force.
 * What is watched is 10.0.0.0/8 among others, so that a mutation soon hits it. */
#include "ndpi_once.h"

#include <pcap/dlt.h>
#include <string.h>

#include "fuzz.h"
#include "source.h"
#include "worker.h"

enum { HEAD_BYTES = 3 };

struct fed {
    struct source head;
    int link_type;
    const uint8_t *at, *end;
    int64_t now_ns;
};

static enum source_news fed_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct fed *fed = (struct fed *)source;
    (void)fault;
    if (fed->end - fed->at <= HEAD_BYTES)
        return SOURCE_END;
    unsigned head = (unsigned)fed->at[1] << 8 | fed->at[2];
    size_t length = head & 0x3fff, left = (size_t)(fed->end - fed->at) - HEAD_BYTES;
    length = length < left ? length : left;
    fed->now_ns += fed->at[0] * (NS_PER_S / 4);
    *frame = (struct frame){.bytes = fed->at + HEAD_BYTES,
                            .captured_bytes = (uint32_t)length,
                            .wire_bytes = (uint32_t)length + (head & 0x4000 ? 1000 : 0),
                            .time_ns = fed->now_ns,
                            .link_type = fed->link_type,
                            .interface = head >> 15};
    fed->at += HEAD_BYTES + length;
    return SOURCE_FRAME;
}

static bool fed_drops(struct source *source, struct health *health)
{
    (void)source;
    (void)health;
    return false;
}

static bool fed_sees(struct source *source)
{
    (void)source;
    return true;
}

static void fed_end(struct source *source)
{
    (void)source;
}

static void take_step(void *context, const struct tally *tallies)
{
    analysis_step(context, tallies);
}

static void take_flow(void *context, const struct flow_record *record)
{
    (void)context;
    if (memchr(record->domain, 0, sizeof record->domain) == NULL)
        __builtin_trap();
}

static void take_words(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void take_progress(void *context, const struct health *health, int64_t data_ns)
{
    (void)context;
    (void)health;
    (void)data_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct source_kind kind = {
        .next = fed_next, .drops = fed_drops, .sees = fed_sees, .finish = fed_end, .close = fed_end};
    if (size < 1)
        return 0;
    ndpi_kept = true;
    const struct settings *settings = fuzz_settings(1);
    struct capture_options options = settings->capture;
    options.flow_records = true;
    options.deduplicate = (data[0] & 1) != 0;
    options.decapsulate = (data[0] & 2) == 0;
    options.flows_max = (data[0] & 4) != 0 ? 16 : 1024;
    options.classify_max = (data[0] & 8) != 0 ? 4 : 64;
    options.addresses_max = (data[0] & 16) != 0 ? 16 : 4096;
    options.sampling = (data[0] & 64) != 0 ? 10 : 1;
    struct analysis *study = fuzz_study(settings, &settings->scopes);
    const struct capture_output output = {
        .context = study, .step = take_step, .flow = take_flow, .say = take_words, .progress = take_progress};
    struct health health = {0};
    struct fault fault;
    struct fed fed = {.head = {&kind},
                      .link_type = (data[0] & 32) != 0 ? DLT_EN10MB : DLT_RAW,
                      .at = data + 1,
                      .end = data + size,
                      .now_ns = 1749081600 * NS_PER_S};
    struct worker *worker =
        worker_new(&options, &settings->rules, &settings->scopes, &output, NULL, &health, &fault);
    atomic_bool stop = false;
    if (worker != NULL && study != NULL) {
        worker_run(worker, &fed.head, &stop);
        worker_end(worker, &fed.head);
        analysis_finish(study);
    }
    worker_free(worker);
    analysis_free(study);
    return 0;
}
