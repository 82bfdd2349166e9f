/* SPDX-License-Identifier: BSD-3-Clause */
/* One reader's life with a source that the tests write: what is closed when, and what ends where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/dlt.h>

#include "worker.h"

#define T0 (1749081600 * NS_PER_S) /* on the minute */
#define S  NS_PER_S

enum { ALL, PREFIX, WEB, TAP, SCOPES };
enum { SCRIPT_MAX = 64, STEPS_MAX = 60000, FLOWS_MAX = 64, PACKET_BYTES = 40, ETHERNET_BYTES = 14 };

static const struct scope scope_items[SCOPES] = {
    {SCOPE_ALL, true, "all", false},
    {SCOPE_PREFIX, true, "prefix:192.0.2.0/24", false},
    {SCOPE_SERVICE, true, "service:web", false},
    {SCOPE_TAP, false, "tap", false},
};
static const struct scope_list scopes = {.items = scope_items, .count = SCOPES};

/* What an interval knows of `all` when everything was seen. */
#define KNOWN (TALLY_ALL_KNOWN & ~TALLY_BIT(TALLY_control))

/* ---- a source that reads from a script ---- */

struct line {
    enum source_news news;
    int64_t time_ns;
    uint8_t bytes[PACKET_BYTES];
    uint32_t captured_bytes;
    uint64_t drops; /* so far */
    bool blind;     /* from here on */
    bool stop;      /* a signal comes */
};

struct scripted {
    struct source head;
    struct line lines[SCRIPT_MAX];
    size_t count, next;
    bool knows_drops;
    uint64_t drops;
    bool stop_at_end, blind;
    size_t captured; /* lines that are still delivered after a stop */
    bool ethernet;   /* frames come in Ethernet, not as bare IP … */
    bool runs;       /* … and those that lie ready behind one another at once */
    uint8_t frames[SCRIPT_MAX][ETHERNET_BYTES + PACKET_BYTES];
    struct frame run[SCRIPT_MAX];
};

static atomic_bool stop;

/* The frame of a line, in its dress. */
static struct frame frame_of(struct scripted *script, size_t number)
{
    const struct line *line = &script->lines[number];
    struct frame frame = {.bytes = line->bytes,
                          .captured_bytes = line->captured_bytes,
                          .wire_bytes = PACKET_BYTES,
                          .time_ns = line->time_ns,
                          .link_type = DLT_RAW};
    if (!script->ethernet)
        return frame;
    uint8_t *bytes = script->frames[number];
    memset(bytes, 0, ETHERNET_BYTES);
    bytes[12] = 8; /* IPv4 */
    memcpy(bytes + ETHERNET_BYTES, line->bytes, PACKET_BYTES);
    frame.bytes = bytes;
    frame.captured_bytes += ETHERNET_BYTES;
    frame.wire_bytes += ETHERNET_BYTES;
    frame.link_type = DLT_EN10MB;
    return frame;
}

static size_t scripted_more(struct source *source, const struct frame **frames)
{
    struct scripted *script = (struct scripted *)source;
    size_t count = 0;
    for (; script->runs && script->next < script->count && script->lines[script->next].news == SOURCE_FRAME;
         script->next++)
        script->run[count++] = frame_of(script, script->next);
    *frames = script->run;
    return count;
}

static enum source_news scripted_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct scripted *script = (struct scripted *)source;
    if (script->next == script->count) {
        stop = script->stop_at_end;
        return script->stop_at_end ? SOURCE_IDLE : SOURCE_END;
    }
    const struct line *line = &script->lines[script->next++];
    script->blind = line->blind;
    stop |= line->stop;
    script->drops = line->drops > script->drops ? line->drops : script->drops;
    *frame = frame_of(script, script->next - 1);
    if (line->news == SOURCE_FAILED)
        fault_set(fault, "the wire is torn");
    else if (line->news == SOURCE_SAYS)
        fault_set(fault, "the wire is %s", line->blind ? "out" : "in again");
    return line->news;
}

static bool scripted_drops(struct source *source, struct health *health)
{
    struct scripted *script = (struct scripted *)source;
    if (script->knows_drops)
        health->kernel_drops = script->drops;
    return script->knows_drops;
}

static bool scripted_sees(struct source *source)
{
    return !((struct scripted *)source)->blind;
}

static void scripted_finish(struct source *source)
{
    struct scripted *script = (struct scripted *)source;
    if (script->count > script->next + script->captured)
        script->count = script->next + script->captured;
    script->stop_at_end = false;
}

static void scripted_close(struct source *source)
{
    (void)source;
}

static const struct source_kind scripted_kind = {.next = scripted_next,
                                                 .more = scripted_more,
                                                 .drops = scripted_drops,
                                                 .sees = scripted_sees,
                                                 .finish = scripted_finish,
                                                 .close = scripted_close};
static struct scripted script;

static struct line *say(enum source_news news, int64_t time_ns)
{
    assert_true(script.count < SCRIPT_MAX);
    struct line *line = &script.lines[script.count++];
    *line = (struct line){.news = news, .time_ns = time_ns, .captured_bytes = PACKET_BYTES};
    return line;
}

enum { INSIDE = 0xc0000207, OUTSIDE = 0x08080808, ELSEWHERE = 0x09090909 };

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A TCP packet without payload over raw IP. */
static struct line *tcp(int64_t time_ns, uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port,
                        uint8_t flags)
{
    struct line *line = say(SOURCE_FRAME, time_ns);
    uint8_t *ip = line->bytes;
    ip[0] = 0x45;
    ip[3] = PACKET_BYTES;
    ip[8] = 64;
    ip[9] = 6;
    put_u32(ip + 12, from);
    put_u32(ip + 16, to);
    put_u32(ip + 20, (uint32_t)from_port << 16 | to_port);
    ip[32] = 5 << 4;
    ip[33] = flags;
    return line;
}

static struct line *knock(int64_t time_ns)
{
    return tcp(time_ns, OUTSIDE, 4000, INSIDE, 80, TCP_SYN);
}

static void answer(int64_t time_ns)
{
    tcp(time_ns, INSIDE, 80, OUTSIDE, 4000, TCP_SYN | TCP_ACK);
}

static struct line *other(int64_t time_ns)
{
    return tcp(time_ns, OUTSIDE, 4000, ELSEWHERE, 80, TCP_ACK);
}

/* ---- what came out ---- */

static struct {
    struct tally tally[STEPS_MAX][SCOPES];
    unsigned steps;
    struct flow_record flows[FLOWS_MAX];
    unsigned flow_count, said;
    char words[512];
} got;

static void keep_step(void *context, const struct tally *tallies)
{
    (void)context;
    assert_true(got.steps < STEPS_MAX);
    memcpy(got.tally[got.steps++], tallies, SCOPES * sizeof *tallies);
}

static void keep_flow(void *context, const struct flow_record *record)
{
    (void)context;
    assert_true(got.flow_count < FLOWS_MAX);
    got.flows[got.flow_count++] = *record;
}

static void keep_words(void *context, const char *text)
{
    (void)context;
    got.said++;
    snprintf(got.words, sizeof got.words, "%s", text);
}

static void ignore_progress(void *context, const struct health *health, int64_t data_ns)
{
    (void)context;
    (void)health;
    (void)data_ns;
}

/* ---- the run ---- */

static struct watch watch = {.enabled = true, .counted = true, .scope = PREFIX};
static struct prefix web_address;
static uint16_t web_port[] = {80};
static struct service service = {"web", WEB, NULL, 0, &web_address, 1, web_port, 1, 0};
static struct rules rules = {.watches = &watch, .watch_count = 1, .services = &service, .service_count = 1};
static struct health health;
static struct capture_options options;

static int set_up(void **state)
{
    (void)state;
    struct fault fault;
    script = (struct scripted){.head = {&scripted_kind}};
    got.steps = got.flow_count = got.said = 0;
    got.words[0] = '\0';
    stop = 0;
    health = (struct health){0};
    options = (struct capture_options){.bin_ns = 60 * S,
                                       .step_ns = 5 * S,
                                       .gap_max_ns = 24 * 3600 * S,
                                       .resume_ns = TIME_NONE,
                                       .flow_timeout_ns = 120 * S,
                                       .burst_length_ns = 60 * S,
                                       .flows_max = 1000,
                                       .addresses_max = 1000,
                                       .flow_records = true};
    rules.watchlist = watchlist_new();
    if (rules.watchlist == NULL || prefix_parse("192.0.2.0/24", &watch.prefix, &fault) != 0 ||
        prefix_parse("192.0.2.7", &web_address, &fault) != 0)
        return -1;
    return watchlist_add(rules.watchlist, &watch.prefix, 0) != 0 ? -1 : watchlist_build(rules.watchlist);
}

static int tear_down(void **state)
{
    (void)state;
    watchlist_free(rules.watchlist);
    return 0;
}

static int run_script(void)
{
    const struct capture_output output = {
        .step = keep_step, .flow = keep_flow, .say = keep_words, .progress = ignore_progress};
    struct fault fault = {.text = ""};
    struct worker *worker = worker_new(&options, &rules, &scopes, &output, NULL, &health, &fault);
    if (worker == NULL)
        fail_msg("%s", fault.text);
    int status = worker_run(worker, &script.head, &stop);
    worker_end(worker, &script.head);
    worker_free(worker);
    return status;
}

static uint64_t sum_of(unsigned scope, enum tally_measure measure)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < got.steps; i++)
        sum += got.tally[i][scope].value[measure];
    return sum;
}

/* Steps come in order and do not overlap; none crosses the grid. */
static void assert_steps_in_order(void)
{
    for (unsigned i = 0; i < got.steps; i++) {
        const struct tally *tally = &got.tally[i][ALL];
        assert_true(tally->start_ns < tally->end_ns);
        assert_true(clock_floor(tally->start_ns, options.step_ns) ==
                    clock_floor(tally->end_ns - 1, options.step_ns));
        assert_true(i == 0 || got.tally[i - 1][ALL].end_ns <= tally->start_ns);
    }
}

static void test_a_source_without_a_packet_gives_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 0);
    assert_int_equal(got.flow_count, 0);
}

static void test_the_first_and_the_last_step_are_as_long_as_the_input(void **state)
{
    (void)state;
    other(T0 + 2 * S);
    other(T0 + 11 * S);
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 3);
    assert_int_equal(got.tally[0][ALL].start_ns, T0 + 2 * S);
    assert_int_equal(got.tally[0][ALL].end_ns, T0 + 5 * S);
    assert_int_equal(got.tally[1][ALL].start_ns, T0 + 5 * S);
    assert_int_equal(got.tally[1][ALL].end_ns, T0 + 10 * S);
    assert_int_equal(got.tally[2][ALL].start_ns, T0 + 10 * S);
    assert_int_equal(got.tally[2][ALL].end_ns, T0 + 11 * S + 1); /* the end of the input is not silence */
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 2);
}

static void test_a_packet_on_the_border_belongs_to_the_later_step(void **state)
{
    (void)state;
    other(T0);
    other(T0 + 5 * S - 1);
    other(T0 + 5 * S);
    run_script();
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[0][TAP].value[TALLY_packets_in], 2);
    assert_int_equal(got.tally[1][TAP].value[TALLY_packets_in], 1);
}

static void test_silent_steps_are_closed_with_zeros(void **state)
{
    (void)state;
    knock(T0);
    knock(T0 + 3600 * S);
    run_script();
    assert_int_equal(got.steps, 721);
    assert_steps_in_order();
    for (unsigned i = 1; i < 720; i++)
        for (int j = 0; j < SCOPES; j++) {
            assert_int_equal(got.tally[i][j].value[TALLY_packets_in], 0);
            assert_int_equal(got.tally[i][j].start_ns, got.tally[i - 1][j].end_ns);
        }
}

static void test_a_gap_of_exactly_gap_max_is_silence(void **state)
{
    (void)state;
    other(T0 + S);
    other(T0 + S + options.gap_max_ns);
    run_script();
    assert_int_equal(health.holes, 0);
    assert_int_equal(got.steps, 24 * 720 + 1);
}

static void test_a_longer_one_is_a_hole_of_which_nothing_is_told(void **state)
{
    (void)state;
    other(T0 + S);
    other(T0 + S + options.gap_max_ns + 1);
    other(T0 + 8 * S + options.gap_max_ns);
    run_script();
    assert_int_equal(health.holes, 1);
    assert_int_equal(got.steps, 3);
    assert_steps_in_order();
    assert_int_equal(got.tally[0][ALL].end_ns, T0 + S + 1);
    assert_int_equal(got.tally[1][ALL].start_ns, T0 + S + options.gap_max_ns + 1);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 3);
}

static void test_after_a_hole_hosts_are_new_again(void **state)
{
    (void)state;
    answer(T0 + S);
    answer(T0 + S + 2 * options.gap_max_ns);
    run_script();
    assert_int_equal(sum_of(ALL, TALLY_hosts), 2);
    assert_int_equal(sum_of(ALL, TALLY_flows), 2);
}

/* Eleven packets in ten seconds, then a file that begins so much later. */
static void say_seam(struct line *(*packet)(int64_t time_ns), int64_t pause_ns)
{
    for (int64_t i = 0; i <= 10; i++)
        packet(T0 + i * S);
    other(T0 + 10 * S + pause_ns)->news = SOURCE_SEAM;
}

static void test_what_is_missing_between_two_files_is_a_hole(void **state)
{
    (void)state;
    say_seam(other, 92 * S);
    run_script();
    assert_int_equal(health.holes, 1);
    assert_steps_in_order();
    assert_int_equal(got.steps, 4);
    assert_int_equal(got.tally[2][ALL].end_ns, T0 + 10 * S + 1);
    assert_int_equal(got.tally[3][ALL].start_ns, T0 + 102 * S);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 12);
}

static void test_between_two_files_less_than_a_hundred_packets_may_be_silence(void **state)
{
    (void)state;
    say_seam(other, 90 * S);
    run_script();
    assert_int_equal(health.holes, 0);
    assert_int_equal(got.steps, 21);
}

static void test_silence_of_what_is_watched_makes_no_hole_between_two_files(void **state)
{
    (void)state;
    say_seam(knock, 3600 * S);
    run_script();
    assert_int_equal(health.holes, 0);
    assert_int_equal(got.steps, 723);
}

static void test_what_was_missing_does_not_thin_the_pace_by_which_more_is_missed(void **state)
{
    (void)state;
    say_seam(other, 36000 * S);
    other(T0 + 36012 * S);
    other(T0 + 36112 * S)->news = SOURCE_SEAM;
    run_script();
    assert_int_equal(health.holes, 2);
}

static void test_any_packet_of_the_tap_fills_a_gap(void **state)
{
    (void)state;
    knock(T0);
    for (int64_t hour = 20; hour <= 60; hour += 20)
        say(SOURCE_FRAME, T0 + hour * 3600 * S)->bytes[0] = 0xf0; /* no IP at all */
    run_script();
    assert_int_equal(health.holes, 0);
    assert_int_equal(got.steps, 60 * 720 + 1);
    assert_int_equal(health.refused_bad_ip_version, 3);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 3); /* the tap counts what it cannot read */
    assert_int_equal(sum_of(TAP, TALLY_bytes_in), 0);
}

static void test_a_packet_older_than_the_data_time_counts_now(void **state)
{
    (void)state;
    other(T0 + 12 * S);
    other(T0 + 3 * S);
    other(T0 + 13 * S);
    run_script();
    assert_steps_in_order();
    assert_int_equal(health.packets_late, 1);
    assert_int_equal(got.steps, 1);
    assert_int_equal(got.tally[0][TAP].value[TALLY_packets_in], 3);
    assert_int_equal(got.tally[0][TAP].in.first_ns, T0 + 12 * S);
}

static void test_a_packet_without_a_time_has_that_of_the_one_before(void **state)
{
    (void)state;
    other(T0 + 12 * S);
    other(TIME_NONE);
    other(T0 + 16 * S);
    run_script();
    assert_int_equal(health.packets_untimed, 1);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[0][TAP].value[TALLY_packets_in], 2);
}

static void test_a_first_packet_without_a_time_spoils_nothing_of_what_follows(void **state)
{
    (void)state;
    other(TIME_NONE);
    other(T0);
    other(T0 + 7 * S);
    run_script();
    assert_steps_in_order();
    assert_int_equal(health.packets_read, 3);
    assert_int_equal(health.packets_untimed, 1);
    assert_true(got.steps <= 3);
    assert_true(got.tally[got.steps - 2][TAP].start_ns == T0);
    assert_int_equal(got.tally[got.steps - 2][TAP].value[TALLY_packets_in], 1);
    assert_int_equal(got.tally[got.steps - 1][TAP].value[TALLY_packets_in], 1);
}

static void test_instants_before_the_epoch_keep_the_grid(void **state)
{
    (void)state;
    other(-7 * S);
    other(-1 * S);
    other(2 * S);
    run_script();
    assert_steps_in_order();
    assert_int_equal(got.steps, 3);
    assert_int_equal(got.tally[0][ALL].start_ns, -7 * S);
    assert_int_equal(got.tally[0][ALL].end_ns, -5 * S);
    assert_int_equal(got.tally[1][ALL].end_ns, 0);
}

static void test_a_frame_that_claims_the_far_future_does_not_hang_it(void **state)
{
    (void)state;
    other(T0);
    other(INT64_MAX / S * S - 100 * S); /* the year 2262 */
    other(T0 + S);
    run_script();
    assert_int_equal(health.holes, 1);
    assert_int_equal(health.packets_late, 1);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 3);
}

static void test_a_flow_is_told_from_start_to_answer_in_the_steps_where_it_happens(void **state)
{
    (void)state;
    knock(T0 + S);
    answer(T0 + 61 * S);
    run_script();
    assert_int_equal(got.tally[0][ALL].value[TALLY_flows], 1);
    assert_int_equal(got.tally[0][ALL].value[TALLY_live_flows], 0);
    assert_int_equal(got.tally[12][ALL].value[TALLY_flows], 0);
    assert_int_equal(got.tally[12][ALL].value[TALLY_live_flows], 1);
    assert_int_equal(got.tally[12][ALL].value[TALLY_answered_flows], 1);
    assert_int_equal(sum_of(WEB, TALLY_answered_flows), 1);
    assert_int_equal(got.flow_count, 1);
    assert_int_equal(got.flows[0].reason, FLOW_END_INPUT);
    assert_true(got.flows[0].answered);
    assert_int_equal(got.flows[0].service, WEB);
    assert_int_equal(got.flows[0].prefix, PREFIX);
    assert_int_equal(got.flows[0].path, SCOPE_NONE);
    assert_int_equal(got.flows[0].source.port, 4000);
    assert_int_equal(got.flows[0].destination.packets, 1);
}

static void test_a_flow_idle_for_exactly_the_timeout_goes_on(void **state)
{
    (void)state;
    knock(T0 + S);
    knock(T0 + 121 * S);
    run_script();
    assert_int_equal(sum_of(ALL, TALLY_flows), 1);
    assert_int_equal(sum_of(ALL, TALLY_syn_in), 2);
}

static void test_a_flow_idle_for_longer_is_another(void **state)
{
    (void)state;
    knock(T0 + S);
    knock(T0 + 121 * S + 1);
    run_script();
    assert_int_equal(sum_of(ALL, TALLY_flows), 2);
    assert_int_equal(got.flow_count, 2);
    assert_int_equal(got.flows[0].reason, FLOW_END_IDLE);
    assert_int_equal(got.flows[0].end_ns, T0 + S);
}

static void test_an_idle_flow_is_told_while_nothing_of_it_comes(void **state)
{
    (void)state;
    knock(T0 + S);
    other(T0 + 130 * S);
    script.stop_at_end = true;
    run_script();
    assert_int_equal(got.flow_count, 1);
    assert_int_equal(got.flows[0].reason, FLOW_END_IDLE);
}

static void test_a_capture_that_begins_within_a_flow_knows_its_server(void **state)
{
    (void)state;
    tcp(T0, INSIDE, 80, OUTSIDE, 4000, TCP_ACK); /* no SYN was seen */
    tcp(T0 + S, OUTSIDE, 4000, INSIDE, 80, TCP_ACK);
    run_script();
    assert_int_equal(sum_of(WEB, TALLY_flows), 1);
    assert_int_equal(sum_of(WEB, TALLY_packets_out), 1);
    assert_int_equal(sum_of(WEB, TALLY_packets_in), 1);
    assert_int_equal(sum_of(WEB, TALLY_live_flows), 1);
}

static void test_no_records_are_made_unless_they_are_wanted(void **state)
{
    (void)state;
    options.flow_records = false;
    knock(T0);
    run_script();
    assert_int_equal(got.flow_count, 0);
    assert_int_equal(sum_of(ALL, TALLY_flows), 1);
}

static void test_a_cut_packet_counts_without_a_flow(void **state)
{
    (void)state;
    tcp(T0, OUTSIDE, 4000, INSIDE, 80, TCP_SYN)->captured_bytes = 24;
    run_script();
    assert_int_equal(health.packets_cut, 1);
    assert_int_equal(health.cut_transport, 1);
    assert_int_equal(sum_of(ALL, TALLY_packets_in), 1);
    assert_int_equal(sum_of(ALL, TALLY_bytes_in), PACKET_BYTES); /* bytes on the wire */
    assert_int_equal(sum_of(ALL, TALLY_flows), 0);
}

static void test_ticks_close_silent_steps_of_a_live_wire(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    knock(T0 + S);
    for (int64_t i = 2; i <= 12; i++)
        say(SOURCE_TICK, T0 + i * S);
    script.stop_at_end = true;
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 3);
    assert_int_equal(got.tally[2][ALL].end_ns, T0 + 12 * S + 1);
    assert_int_equal(sum_of(ALL, TALLY_packets_in), 1);
}

static void test_a_tick_never_pushes_data_time_back(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    other(T0 + 20 * S);
    say(SOURCE_TICK, T0 + 3 * S);
    say(SOURCE_IDLE, 0);
    other(T0 + 21 * S);
    run_script();
    assert_steps_in_order();
    assert_int_equal(got.steps, 1);
    assert_int_equal(health.packets_late, 0);
}

static void test_a_live_wire_has_no_holes(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    options.gap_max_ns = 3600 * S;
    say(SOURCE_TICK, T0);
    say(SOURCE_TICK, T0 + 7200 * S);
    run_script();
    assert_int_equal(health.holes, 0);
    assert_int_equal(got.steps, 1441);
}

static void test_a_time_that_leaps_leaves_a_hole_on_a_live_wire_too(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    other(T0 + S);
    say(SOURCE_LEAP, T0 + 7200 * S);
    other(T0 + 7201 * S);
    say(SOURCE_LEAP, T0 + 7203 * S); /* so little is silence */
    other(T0 + 7204 * S);
    run_script();
    assert_int_equal(health.holes, 1);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[0][ALL].end_ns, T0 + S + 1);
    assert_int_equal(got.tally[1][ALL].start_ns, T0 + 7200 * S);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 3);
}

static void test_drops_of_a_savefile_are_unknown(void **state)
{
    (void)state;
    other(T0);
    run_script();
    assert_int_equal(got.tally[0][ALL].known, KNOWN & ~TALLY_BIT(TALLY_drops));
}

static void test_drops_of_an_interface_are_those_of_the_step(void **state)
{
    (void)state;
    script.knows_drops = true;
    script.drops = 4; /* since it was opened, and before it was read */
    other(T0)->drops = 4;
    other(T0 + S)->drops = 11;
    other(T0 + 6 * S)->drops = 5000000000;
    other(T0 + 11 * S)->drops = 5000000000;
    run_script();
    assert_int_equal(got.steps, 3);
    assert_int_equal(got.tally[0][ALL].known, KNOWN);
    assert_int_equal(sum_of(ALL, TALLY_drops), 5000000000);
    assert_int_equal(sum_of(TAP, TALLY_drops), 5000000000);
    assert_int_equal(got.tally[0][TAP].lost[0], 5000000000); /* known when the step is closed */
    assert_int_equal(got.tally[0][ALL].lost[0], 0);
    assert_int_equal(got.tally[2][ALL].value[TALLY_drops], 0);
}

static void test_silence_of_a_program_that_was_held_up_and_lost_packets_is_unknown(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    script.knows_drops = true;
    other(T0 + S);
    other(T0 + 21 * S)->drops = 7; /* while the second is read */
    other(T0 + 22 * S)->drops = 7;
    run_script();
    assert_int_equal(got.steps, 6);
    assert_int_equal(got.tally[0][ALL].known, KNOWN);
    assert_int_equal(got.tally[0][ALL].end_ns, T0 + S + 1);
    assert_int_equal(got.tally[0][ALL].value[TALLY_drops], 7);
    for (int i = 1; i < 5; i++)
        assert_int_equal(got.tally[i][ALL].known, 0);
    assert_int_equal(got.tally[1][ALL].start_ns, T0 + S + 1);
    assert_int_equal(got.tally[5][ALL].start_ns, T0 + 20 * S);
    assert_int_equal(got.tally[5][ALL].known, KNOWN);
}

static void test_damage_is_said_and_what_follows_is_read(void **state)
{
    (void)state;
    other(T0);
    say(SOURCE_FAILED, 0);
    other(T0 + S);
    assert_int_equal(run_script(), 1);
    assert_int_equal(got.said, 1);
    assert_string_equal(got.words, "the wire is torn");
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 2);
}

static void test_a_stop_ends_it_with_everything_told(void **state)
{
    (void)state;
    knock(T0);
    script.stop_at_end = true;
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 1);
    assert_int_equal(got.flow_count, 1);
}

static void test_what_was_captured_before_a_stop_is_counted(void **state)
{
    (void)state;
    other(T0)->stop = true;
    other(T0 + S);
    say(SOURCE_TICK, T0 + 7 * S);
    other(T0 + 8 * S);
    other(T0 + 9 * S); /* came after it */
    script.captured = 3;
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[1][ALL].end_ns, T0 + 8 * S + 1);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 3);
}

static void test_what_is_not_seen_is_unknown_and_not_zero(void **state)
{
    (void)state;
    static const char *const names[] = {"tap0"};
    options.interfaces = names;
    options.interface_count = 1;
    script.knows_drops = true;
    other(T0 + S);
    say(SOURCE_TICK, T0 + 2 * S);
    say(SOURCE_SAYS, 0)->blind = true;
    say(SOURCE_TICK, T0 + 11 * S)->blind = true;
    say(SOURCE_SAYS, 0);
    other(T0 + 12 * S);
    other(T0 + 16 * S);
    assert_int_equal(run_script(), 0); /* it is no damage */
    assert_int_equal(got.said, 2);
    assert_string_equal(got.words, "the wire is in again");
    assert_steps_in_order();
    assert_int_equal(got.steps, 5);
    static const int64_t ends[] = {2 * S + 1, 5 * S, 10 * S, 15 * S, 16 * S + 1};
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < SCOPES; j++) {
            bool seen = i == 0 || i == 4;
            assert_int_equal(got.tally[i][j].end_ns, T0 + ends[i]);
            assert_true(j != ALL || got.tally[i][j].known == (seen ? KNOWN : 0));
            assert_int_equal(got.tally[i][j].known != 0, seen);
            assert_true(i == 0 || got.tally[i][j].start_ns == T0 + ends[i - 1]);
        }
    assert_int_equal(got.tally[0][TAP].value[TALLY_packets_in], 1);
    assert_int_equal(got.tally[4][TAP].value[TALLY_packets_in], 1);
}

static void test_sight_lost_at_the_end_of_a_step_leaves_it_whole(void **state)
{
    (void)state;
    other(T0);
    other(T0 + 5 * S - 1);
    say(SOURCE_FAILED, 0)->blind = true;
    other(T0 + 6 * S)->blind = true;
    say(SOURCE_FAILED, 0)->blind = true; /* another: nothing new */
    assert_int_equal(run_script(), 1);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[0][ALL].end_ns, T0 + 5 * S);
    assert_true(got.tally[0][ALL].known != 0);
    assert_int_equal(got.tally[1][ALL].end_ns, T0 + 6 * S + 1);
    assert_int_equal(got.tally[1][ALL].known, 0);
}

static void test_an_input_may_begin_blind(void **state)
{
    (void)state;
    say(SOURCE_SAYS, 0)->blind = true;
    say(SOURCE_TICK, T0)->blind = true;
    say(SOURCE_TICK, T0 + 6 * S)->blind = true;
    assert_int_equal(run_script(), 0);
    assert_int_equal(got.steps, 2);
    assert_int_equal(got.tally[0][ALL].known | got.tally[1][TAP].known, 0);
}

static void test_a_full_table_still_counts_packets(void **state)
{
    (void)state;
    options.flows_max = 1;
    knock(T0);
    tcp(T0 + S, OUTSIDE, 4001, INSIDE, 80, TCP_SYN);
    run_script();
    assert_int_equal(health.flows_evicted, 1);
    assert_int_equal(got.flows[0].reason, FLOW_END_EVICTED);
    assert_int_equal(sum_of(ALL, TALLY_packets_in), 2);
}

static void test_a_bin_of_another_length_is_parted_by_the_same_step(void **state)
{
    (void)state;
    options.bin_ns = 10 * S;
    answer(T0 + S);
    answer(T0 + 6 * S);
    answer(T0 + 11 * S);
    run_script();
    assert_int_equal(got.steps, 3);
    assert_int_equal(got.tally[0][ALL].value[TALLY_hosts], 1);
    assert_int_equal(got.tally[1][ALL].value[TALLY_hosts], 0); /* the same bin */
    assert_int_equal(got.tally[2][ALL].value[TALLY_hosts], 1); /* the next */
}

/* Forgets what came out. */
static void forget_results(void)
{
    got.steps = got.flow_count = got.said = 0;
    health = (struct health){0};
    script.next = 0;
}

/* What is plain and not watched takes a shorter way, and another one again in runs: it must not show. */
static void test_packets_count_alike_one_by_one_and_in_runs(void **state)
{
    (void)state;
    static struct tally tallies[20][SCOPES];
    other(T0 - S)->captured_bytes = 30; /* too short to be plain */
    for (int i = 0; i < 4; i++)
        other(T0 + i);
    knock(T0 + 4);
    other(TIME_NONE);
    other(T0 + 2); /* late */
    other(T0 + 5 * S - 1);
    other(T0 + 5 * S);
    answer(T0 + 5 * S);
    other(T0 + 40 * S);
    other(T0 + 41 * S);
    say(SOURCE_FAILED, 0);
    other(T0 + 42 * S);
    other(T0 + 43 * S)->bytes[6] = 0x20; /* a fragment */
    other(T0 + 43 * S);
    options.bin_ns = 60 * S;
    assert_int_equal(run_script(), 1);
    unsigned steps = got.steps;
    struct health wanted = health;
    assert_in_range(steps, 10, 20);
    memcpy(tallies, got.tally, steps * sizeof tallies[0]);
    assert_int_equal(sum_of(TAP, TALLY_packets_in), 14);
    for (int dress = 0; dress < 2; dress++) {
        forget_results();
        script.ethernet = true;
        script.runs = dress == 1;
        assert_int_equal(run_script(), 1);
        assert_int_equal(got.steps, steps);
        assert_memory_equal(got.tally, tallies, steps * sizeof tallies[0]);
        assert_memory_equal(&health, &wanted, sizeof health);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_source_without_a_packet_gives_nothing),
        TEST(test_the_first_and_the_last_step_are_as_long_as_the_input),
        TEST(test_a_packet_on_the_border_belongs_to_the_later_step),
        TEST(test_silent_steps_are_closed_with_zeros),
        TEST(test_a_gap_of_exactly_gap_max_is_silence),
        TEST(test_a_longer_one_is_a_hole_of_which_nothing_is_told),
        TEST(test_after_a_hole_hosts_are_new_again),
        TEST(test_what_is_missing_between_two_files_is_a_hole),
        TEST(test_between_two_files_less_than_a_hundred_packets_may_be_silence),
        TEST(test_silence_of_what_is_watched_makes_no_hole_between_two_files),
        TEST(test_what_was_missing_does_not_thin_the_pace_by_which_more_is_missed),
        TEST(test_any_packet_of_the_tap_fills_a_gap),
        TEST(test_a_packet_older_than_the_data_time_counts_now),
        TEST(test_a_packet_without_a_time_has_that_of_the_one_before),
        TEST(test_a_first_packet_without_a_time_spoils_nothing_of_what_follows),
        TEST(test_instants_before_the_epoch_keep_the_grid),
        TEST(test_a_frame_that_claims_the_far_future_does_not_hang_it),
        TEST(test_a_flow_is_told_from_start_to_answer_in_the_steps_where_it_happens),
        TEST(test_a_flow_idle_for_exactly_the_timeout_goes_on),
        TEST(test_a_flow_idle_for_longer_is_another),
        TEST(test_an_idle_flow_is_told_while_nothing_of_it_comes),
        TEST(test_a_capture_that_begins_within_a_flow_knows_its_server),
        TEST(test_no_records_are_made_unless_they_are_wanted),
        TEST(test_a_cut_packet_counts_without_a_flow),
        TEST(test_ticks_close_silent_steps_of_a_live_wire),
        TEST(test_a_tick_never_pushes_data_time_back),
        TEST(test_a_live_wire_has_no_holes),
        TEST(test_a_time_that_leaps_leaves_a_hole_on_a_live_wire_too),
        TEST(test_drops_of_a_savefile_are_unknown),
        TEST(test_drops_of_an_interface_are_those_of_the_step),
        TEST(test_silence_of_a_program_that_was_held_up_and_lost_packets_is_unknown),
        TEST(test_damage_is_said_and_what_follows_is_read),
        TEST(test_packets_count_alike_one_by_one_and_in_runs),
        TEST(test_a_stop_ends_it_with_everything_told),
        TEST(test_what_was_captured_before_a_stop_is_counted),
        TEST(test_what_is_not_seen_is_unknown_and_not_zero),
        TEST(test_sight_lost_at_the_end_of_a_step_leaves_it_whole),
        TEST(test_an_input_may_begin_blind),
        TEST(test_a_full_table_still_counts_packets),
        TEST(test_a_bin_of_another_length_is_parted_by_the_same_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
