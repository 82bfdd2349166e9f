/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection proves: round trips, repeats, and a side that the tap does not hear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "clock.h"
#include "tcp.h"

enum { CLIENT, SERVER };

/* The client's numbers begin at `client_0`, the server's at `server_0`; both run over the end within a test.
 */
static const uint32_t client_0 = 0xfffffff0, server_0 = 0x7ffffff8;

static struct tcp tcp;
static bool spoke[2];
static int64_t now_ns;

static int set_up(void **state)
{
    (void)state;
    memset(&tcp, 0, sizeof tcp);
    spoke[CLIENT] = spoke[SERVER] = false;
    now_ns = 0;
    return 0;
}

static struct packet segment(unsigned side, uint8_t flags, uint32_t sequence, uint32_t ack, uint32_t bytes)
{
    bool server = side == SERVER;
    return (struct packet){.time_ns = now_ns,
                           .tcp_flags = flags,
                           .tcp_sequence = (server ? server_0 : client_0) + sequence,
                           .tcp_ack = flags & TCP_ACK ? (server ? client_0 : server_0) + ack : 0,
                           .payload_bytes = bytes};
}

static unsigned take(unsigned side, const struct packet *packet)
{
    tcp_packet(&tcp, packet, side, spoke[!side]);
    spoke[side] = true;
    return tcp.news & ~(unsigned)TCP_HEARD; /* which has tests of its own */
}

/* A millisecond after the one before. Numbers count from each side's SYN, which is 0. */
static unsigned send(unsigned side, uint8_t flags, uint32_t sequence, uint32_t ack, uint32_t bytes)
{
    now_ns += NS_PER_MS;
    struct packet packet = segment(side, flags, sequence, ack, bytes);
    return take(side, &packet);
}

static void shake_hands(void)
{
    assert_int_equal(send(CLIENT, TCP_SYN, 0, 0, 0), 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_ANSWER);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_ANSWER | TCP_PROOF);
}

/* ---- round trips ---- */

static void test_a_handshake_times_each_side_and_proves_the_server(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    now_ns += 282345678;
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_ANSWER);
    assert_int_equal(tcp.side[SERVER].round_trip_us, 283345);
    now_ns += 499;
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_ANSWER | TCP_PROOF);
    assert_int_equal(tcp.side[CLIENT].round_trip_us, 1000);
    assert_int_equal(send(CLIENT, TCP_ACK | TCP_PSH, 1, 1, 100), 0);
    assert_int_equal(send(SERVER, TCP_ACK, 1, 101, 0), TCP_PROOF);
}

static void test_what_asked_twice_has_no_round_trip(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_int_equal(send(CLIENT, TCP_SYN, 0, 0, 0), TCP_RETRANSMIT);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_PROOF);
    assert_false((tcp.side[CLIENT].known | tcp.side[SERVER].known) & TCP_TIMED);
}

static void test_a_late_repeat_of_what_was_answered_changes_nothing(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_ANSWER);
    assert_int_equal(send(CLIENT, TCP_SYN, 0, 0, 0), TCP_RETRANSMIT);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_RETRANSMIT);
    assert_int_equal(tcp.side[SERVER].round_trip_us, 1000);
}

static void test_another_number_is_another_attempt_and_asks_anew(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_int_equal(send(CLIENT, TCP_SYN, 1000000, 0, 0), 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1000001, 0), TCP_ANSWER);
    assert_int_equal(tcp.side[SERVER].round_trip_us, 1000);
}

static void test_an_answer_to_the_attempt_before_is_no_answer(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    send(CLIENT, TCP_SYN, 1000000, 0, 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), 0);
}

static void test_a_handshake_with_a_lost_syn_ack_is_not_timed(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    now_ns += NS_PER_S; /* the SYN-ACK went by unseen */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(SERVER, TCP_ACK | TCP_PSH, 1, 1, 10), 0);
    assert_false(tcp.side[SERVER].known & TCP_TIMED);
}

static void test_a_refusal_is_no_round_trip(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_int_equal(send(SERVER, TCP_RST | TCP_ACK, 0, 1, 0), 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), 0);
}

static void test_a_syn_with_data_is_answered_with_or_without_them(void **state)
{
    (void)state;
    for (uint32_t ack = 1; ack <= 101; ack += 100) {
        set_up(NULL);
        send(CLIENT, TCP_SYN, 0, 0, 100);
        assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, ack, 0), TCP_ANSWER);
    }
    assert_int_equal(send(CLIENT, TCP_SYN, 0, 0, 0), TCP_RETRANSMIT);
}

/* ---- repeats ---- */

static void test_a_segment_sent_again_is_one_and_new_data_are_not(void **state)
{
    (void)state;
    shake_hands();
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 101, 1, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 100), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 51, 1, 100), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 101, 1, 101), 0); /* the last byte is new */
    assert_int_equal(send(CLIENT, TCP_ACK, 202, 1, 0), 0);   /* occupies nothing */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK | TCP_FIN, 202, 1, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK | TCP_FIN, 202, 1, 0), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK | TCP_FIN, 101, 1, 101), TCP_RETRANSMIT);
    assert_int_equal(tcp.side[CLIENT].retransmits, 4);
    assert_int_equal(tcp.side[SERVER].retransmits, 0);
}

static void test_numbers_run_over_the_end(void **state)
{
    (void)state;
    shake_hands(); /* the client's end lies at 16 */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 11, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 21, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 11, 1, 10), TCP_RETRANSMIT);
    assert_int_equal(send(SERVER, TCP_ACK, 1, 31, 0), TCP_PROOF);
    assert_int_equal(send(SERVER, TCP_ACK, 1, 32, 0), TCP_PROOF | TCP_UNSEEN_ACK);
}

static void test_what_comes_out_of_order_is_no_repeat(void **state)
{
    (void)state;
    static const uint32_t orders[][5] = {{1, 0, 2, 3, 4}, {2, 0, 1, 3, 4}, {2, 1, 0, 4, 3}, {4, 3, 2, 1, 0},
                                         {0, 2, 4, 1, 3}, {0, 2, 4, 3, 1}, {3, 0, 4, 1, 2}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        set_up(NULL);
        shake_hands();
        for (int j = 0; j < 5; j++)
            assert_int_equal(send(CLIENT, TCP_ACK, 1 + 10 * orders[i][j], 1, 10), 0);
        for (uint32_t j = 0; j < 5 && i < 4; j++) /* of two holes at a time the stretch between is in doubt */
            assert_int_equal(send(CLIENT, TCP_ACK, 1 + 10 * j, 1, 10), TCP_RETRANSMIT);
    }
}

static void test_a_hole_stays_until_it_is_filled(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 1, 1, 10);
    send(CLIENT, TCP_ACK, 21, 1, 10);                                   /* 11 to 20 are missing */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), TCP_RETRANSMIT);  /* below the hole */
    assert_int_equal(send(CLIENT, TCP_ACK, 21, 1, 10), TCP_RETRANSMIT); /* above it */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 12), 0);               /* into it */
    assert_int_equal(send(CLIENT, TCP_ACK, 19, 1, 5), 0);               /* into its end */
    assert_int_equal(send(CLIENT, TCP_ACK, 13, 1, 6), 0);               /* all that is left */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 30), TCP_RETRANSMIT);
}

static void test_of_holes_far_apart_the_newest_is_remembered(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 11, 1, 10);
    for (uint32_t at = 21; at < 70000; at += 1000)
        assert_int_equal(send(CLIENT, TCP_ACK, at, 1, 1000), 0);
    send(CLIENT, TCP_ACK, 80000, 1, 10);
    assert_int_equal(send(CLIENT, TCP_ACK, 5021, 1, 1000), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 70021, 1, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), TCP_RETRANSMIT); /* long overdue, and so sent again */
}

static void test_a_flow_under_way_knows_nothing_of_what_came_before(void **state)
{
    (void)state;
    assert_int_equal(send(CLIENT, TCP_ACK, 5000, 700, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 4900, 700, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 4900, 700, 100), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 3000, 700, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 5000, 700, 100), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 5200, 700, 100),
                     0); /* a hole does not reach below the beginning */
    assert_int_equal(send(CLIENT, TCP_ACK, 5000, 700, 100), TCP_RETRANSMIT);
}

static void test_a_keep_alive_is_no_repeat(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 1, 1, 100);
    assert_int_equal(send(CLIENT, TCP_ACK, 100, 1, 1), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 100, 1, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 99, 1, 1), TCP_RETRANSMIT);
    assert_int_equal(send(CLIENT, TCP_ACK, 99, 1, 2), TCP_RETRANSMIT);
}

static void test_long_connections_forget_old_holes_before_the_numbers_come_round(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 11, 1, 10); /* 1 to 10 never come */
    uint32_t at = 21;
    for (unsigned i = 0; i < 900; i++, at += 10000000)
        assert_int_equal(send(CLIENT, TCP_ACK, at, 1, 10000000), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, at - 100, 1, 100), TCP_RETRANSMIT);
}

static void test_a_first_fragment_makes_the_side_unknown_until_the_next_whole_segment(void **state)
{
    (void)state;
    shake_hands();
    struct packet fragment = segment(CLIENT, TCP_ACK, 1, 1, 1400);
    fragment.fragment = true;
    assert_int_equal(take(CLIENT, &fragment), 0);
    assert_int_equal(take(CLIENT, &fragment), 0);
    assert_int_equal(send(SERVER, TCP_ACK, 1, 3001, 0), TCP_PROOF); /* the rest came in later fragments */
    assert_int_equal(send(CLIENT, TCP_ACK, 3001, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 3001, 1, 10), TCP_RETRANSMIT);
}

static void test_a_reset_has_no_place_in_the_sequence(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 1, 1, 10);
    assert_int_equal(send(CLIENT, TCP_RST | TCP_ACK, 1, 999, 10), 0);
    assert_int_equal(send(CLIENT, TCP_RST, 12345678, 0, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), TCP_RETRANSMIT);
}

static void test_counters_stop_at_255(void **state)
{
    (void)state;
    shake_hands();
    send(CLIENT, TCP_ACK, 1, 1, 10);
    for (int i = 0; i < 300; i++)
        assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), TCP_RETRANSMIT);
    assert_int_equal(tcp.side[CLIENT].retransmits, 255);
}

/* ---- acknowledgements ---- */

static void test_of_a_side_never_heard_the_handshake_and_each_rise_prove_it(void **state)
{
    (void)state;
    assert_int_equal(send(CLIENT, TCP_SYN, 0, 0, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK | TCP_PSH, 1, 1, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 101, 1461, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK, 101, 1461, 0), 0);
    assert_int_equal(tcp.side[CLIENT].unseen_acks, 2);
}

static void test_a_flow_under_way_proves_it_by_a_rise_alone(void **state)
{
    (void)state;
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 11, 1, 10), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 21, 11, 10), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK, 31, 5, 10), 0); /* overtaken */
    assert_int_equal(send(CLIENT, TCP_ACK, 41, 11, 10), 0);
}

static void test_a_leg_that_is_lost_within_the_connection_is_told_once_a_stretch(void **state)
{
    (void)state;
    shake_hands();
    send(SERVER, TCP_ACK, 1, 1, 100);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 101, 0), TCP_PROOF);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 201, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 201, 0), 0);
    assert_int_equal(send(SERVER, TCP_ACK, 201, 1, 100), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 301, 0), TCP_PROOF);
}

static void test_a_hole_that_is_acknowledged_was_not_seen(void **state)
{
    (void)state;
    shake_hands();
    send(SERVER, TCP_ACK, 1, 1, 100);
    send(SERVER, TCP_ACK, 201, 1, 100); /* 101 to 200 went by unseen */
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 101, 0), TCP_PROOF);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 151, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 301, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    send(SERVER, TCP_ACK, 301, 1, 100);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 401, 0), TCP_PROOF); /* the hole was told */
}

static void test_bytes_out_of_order_are_seen_when_they_are_acknowledged(void **state)
{
    (void)state;
    static const uint32_t orders[][4] = {
        {2, 1, 3, 4}, {3, 2, 1, 4}, {4, 1, 2, 3}, {1, 4, 2, 3}, {2, 4, 1, 3}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        set_up(NULL);
        shake_hands();
        for (int j = 0; j < 4; j++)
            send(SERVER, TCP_ACK, 100 * orders[i][j] - 99, 1, 100);
        assert_int_equal(send(CLIENT, TCP_ACK, 1, 401, 0), TCP_PROOF);
    }
}

static void test_what_came_before_a_flow_under_way_was_not_missed(void **state)
{
    (void)state;
    send(SERVER, TCP_ACK, 5001, 1, 100);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 4001, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 4501, 0), TCP_PROOF);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 5101, 0), TCP_PROOF);
}

static void test_whoever_forges_addresses_proves_nothing(void **state)
{
    (void)state;
    /* A stranger's SYN-ACK and RST to a SYN that was sent in its name. */
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), 0);
    assert_int_equal(send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0), TCP_RETRANSMIT);
    assert_int_equal(send(SERVER, TCP_RST, 1, 0, 0), 0);
    /* Acknowledgements at random. */
    set_up(NULL);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 77777777, 0x40000000, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 7, 0x90000000, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 7, 0x10000000, 0), 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 7, 0x10000001, 0), TCP_PROOF | TCP_UNSEEN_ACK);
}

static void test_a_half_open_scan_that_is_cut_off_proves_nothing(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_int_equal(send(CLIENT, TCP_RST, 1, 0, 0), 0);
    assert_int_equal(send(CLIENT, TCP_RST | TCP_ACK, 1, 1, 0), 0);
}

static void test_of_a_side_heard_without_its_numbers_nothing_is_unseen(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    send(SERVER, TCP_RST, 0, 0, 0);
    assert_int_equal(send(CLIENT, TCP_ACK, 1, 1, 0), TCP_PROOF);
}

static void test_the_answer_to_a_keep_alive_after_a_pause_is_not_unseen(void **state)
{
    (void)state;
    assert_int_equal(send(CLIENT, TCP_ACK, 99, 500, 0), 0); /* one below the next byte, and without any */
    assert_int_equal(send(SERVER, TCP_ACK, 500, 100, 0), 0);
    assert_int_equal(send(SERVER, TCP_ACK, 500, 101, 0), TCP_PROOF | TCP_UNSEEN_ACK);
    assert_int_equal(send(CLIENT, TCP_ACK, 100, 500, 1), 0);
}

/* ---- whether a side hears the other ---- */

/* A segment that only acknowledges: does it show that its sender hears? */
static bool hears(unsigned side, uint8_t flags, uint32_t ack)
{
    send(side, flags, 1, ack, 0);
    return (tcp.news & TCP_HEARD) != 0;
}

static void test_both_sides_of_a_handshake_hear_each_other(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_false(tcp.news & TCP_HEARD);
    send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_true(tcp.news & TCP_HEARD);
    send(CLIENT, TCP_ACK, 1, 1, 0);
    assert_true(tcp.news & TCP_HEARD);
}

static void test_whoever_forges_an_address_does_not_hear_the_answer(void **state)
{
    (void)state;
    static const uint32_t guesses[] = {0, 2, 3, 1000, 0x10000, 0x40000000, 0x80000000, 0xffffffff};
    send(CLIENT, TCP_SYN, 0, 0, 0); /* in the name of somebody who gets the answer */
    send(SERVER, TCP_SYN | TCP_ACK, 0, 1, 0);
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++)
        assert_false(hears(CLIENT, TCP_ACK, guesses[i]));
    assert_true(hears(CLIENT, TCP_ACK, 1));
    set_up(NULL);
    send(CLIENT, TCP_SYN, 0, 0, 0);
    for (uint32_t ack = 0; ack < 1000; ack++) /* nothing was seen that could be acknowledged */
        assert_false(hears(CLIENT, TCP_ACK, ack));
}

static void test_of_a_flow_under_way_every_number_of_what_was_seen_is_heard(void **state)
{
    (void)state;
    send(CLIENT, TCP_ACK, 5001, 1, 100);
    send(CLIENT, TCP_ACK, 5101, 1, 100);
    assert_false(hears(SERVER, TCP_ACK, 5000));
    assert_false(hears(SERVER, TCP_ACK, 5001)); /* all before the first byte seen */
    assert_true(hears(SERVER, TCP_ACK, 5002));
    assert_true(hears(SERVER, TCP_ACK, 5101));
    assert_true(hears(SERVER, TCP_ACK, 5201));
    assert_false(hears(SERVER, TCP_ACK, 5202));
}

static void test_a_bare_segment_gives_nothing_to_hear(void **state)
{
    (void)state;
    send(CLIENT, TCP_ACK, 5001, 1, 0);
    assert_false(hears(SERVER, TCP_ACK, 5001));
    assert_false(hears(SERVER, TCP_ACK, 5002));
}

static void test_what_lies_far_behind_may_be_a_guess(void **state)
{
    (void)state;
    shake_hands();
    for (uint32_t at = 1; at < 200001; at += 1000)
        send(CLIENT, TCP_ACK, at, 1, 1000);
    assert_false(hears(SERVER, TCP_ACK, 1001));
    assert_false(hears(SERVER, TCP_ACK, 200001 - 65537));
    assert_true(hears(SERVER, TCP_ACK, 200001 - 65536));
}

static void test_a_refusal_shows_that_the_question_was_heard(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    assert_false(hears(SERVER, TCP_RST, 1)); /* no number in it */
    assert_false(hears(SERVER, TCP_RST | TCP_ACK, 2));
    assert_true(hears(SERVER, TCP_RST | TCP_ACK, 1));
}

static void test_another_attempt_is_another_thing_to_hear(void **state)
{
    (void)state;
    send(CLIENT, TCP_SYN, 0, 0, 0);
    send(CLIENT, TCP_SYN, 1000000, 0, 0);
    assert_false(hears(SERVER, TCP_SYN | TCP_ACK, 1));
    assert_true(hears(SERVER, TCP_SYN | TCP_ACK, 1000001));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_a_handshake_times_each_side_and_proves_the_server),
        TEST(test_what_asked_twice_has_no_round_trip),
        TEST(test_a_late_repeat_of_what_was_answered_changes_nothing),
        TEST(test_another_number_is_another_attempt_and_asks_anew),
        TEST(test_an_answer_to_the_attempt_before_is_no_answer),
        TEST(test_a_handshake_with_a_lost_syn_ack_is_not_timed),
        TEST(test_a_refusal_is_no_round_trip),
        TEST(test_a_syn_with_data_is_answered_with_or_without_them),
        TEST(test_a_segment_sent_again_is_one_and_new_data_are_not),
        TEST(test_numbers_run_over_the_end),
        TEST(test_what_comes_out_of_order_is_no_repeat),
        TEST(test_a_hole_stays_until_it_is_filled),
        TEST(test_of_holes_far_apart_the_newest_is_remembered),
        TEST(test_a_flow_under_way_knows_nothing_of_what_came_before),
        TEST(test_a_keep_alive_is_no_repeat),
        TEST(test_long_connections_forget_old_holes_before_the_numbers_come_round),
        TEST(test_a_first_fragment_makes_the_side_unknown_until_the_next_whole_segment),
        TEST(test_a_reset_has_no_place_in_the_sequence),
        TEST(test_counters_stop_at_255),
        TEST(test_of_a_side_never_heard_the_handshake_and_each_rise_prove_it),
        TEST(test_a_flow_under_way_proves_it_by_a_rise_alone),
        TEST(test_a_leg_that_is_lost_within_the_connection_is_told_once_a_stretch),
        TEST(test_a_hole_that_is_acknowledged_was_not_seen),
        TEST(test_bytes_out_of_order_are_seen_when_they_are_acknowledged),
        TEST(test_what_came_before_a_flow_under_way_was_not_missed),
        TEST(test_whoever_forges_addresses_proves_nothing),
        TEST(test_a_half_open_scan_that_is_cut_off_proves_nothing),
        TEST(test_of_a_side_heard_without_its_numbers_nothing_is_unseen),
        TEST(test_the_answer_to_a_keep_alive_after_a_pause_is_not_unseen),
        TEST(test_both_sides_of_a_handshake_hear_each_other),
        TEST(test_whoever_forges_an_address_does_not_hear_the_answer),
        TEST(test_of_a_flow_under_way_every_number_of_what_was_seen_is_heard),
        TEST(test_a_bare_segment_gives_nothing_to_hear),
        TEST(test_what_lies_far_behind_may_be_a_guess),
        TEST(test_a_refusal_shows_that_the_question_was_heard),
        TEST(test_another_attempt_is_another_thing_to_hear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
