# SPDX-License-Identifier: BSD-3-Clause
"""The further columns of the bins, which tell them, the road and our own eyes apart: what a tap sees of each case, and
what the columns must say of it. What tshark makes of the same packets is held against them in test_bins_tshark.py."""

import pytest
from test_contract import (CLIENT, KCNA, OTHER, SYN, SYN_ACK, ACK, PSH, asks, client_hello, frame, handshake, other, pcap,
                           tcp, told, udp)  # told is a fixture  # noqa: F401

from scapy.layers.inet import ICMP, IP, TCP, IPerror, UDPerror
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPerror6, IPv6)
from scapy.packet import Raw

FURTHER = ["live_bursts", "answered_bursts", "handshakes", "handshake_us", "answered_hops", "retransmits_in",
           "retransmits_out", "unseen_acks_in", "unseen_acks_out", "acked_flows", "icmp_unreachable", "icmp_prohibited",
           "icmp_exceeded", "icmp_own", "reflected_in", "oneway_out", "control", "proven_flows", "proven_bursts",
           "icmp_no_route", "knocks"]
ICMP_KINDS = FURTHER[10:14]
OF_SERVICES_UNKNOWN = [*ICMP_KINDS, "control", "icmp_no_route"]
SIX_IN, SIX_OUT = "2001:db8:45::71", "2001:db8:1::9"


def segment(at, outward, flags, seq, ack, length=0, ttl=64, version=4, **link):
    """A segment between the client and kcna.kp, or between two hosts of IPv6, with the numbers given."""
    ports = dict(sport=443, dport=40000) if outward else dict(sport=40000, dport=443)
    inside, outside, layer = (KCNA, CLIENT, IP) if version == 4 else (SIX_IN, SIX_OUT, IPv6)
    source, destination = (inside, outside) if outward else (outside, inside)
    hops = {"ttl": ttl} if version == 4 else {"hlim": ttl}
    return at, frame(layer(src=source, dst=destination, **hops) /
                     TCP(**ports, flags=flags, seq=seq % 2**32, ack=ack % 2**32) / Raw(bytes(length)), **link)


def talk(version=4):
    """Handshake, question and answer; the round trip to the watched side is 290 ms, and it is 20 hops away."""
    mine, theirs = 2**32 - 5, 7000
    there = dict(version=version, ttl=52)
    back = dict(version=version, ttl=108)
    return [segment(0, False, SYN, mine, 0, **there), segment(0.29, True, SYN_ACK, theirs, mine + 1, **back),
            segment(0.3, False, ACK, mine + 1, theirs + 1, **there), segment(0.31, False, PSH, mine + 1, theirs + 1, 100, **there),
            segment(0.6, True, PSH, theirs + 1, mine + 101, 500, **back),
            segment(0.61, False, ACK, mine + 101, theirs + 501, **there)]


def inward(packets):
    return [packets[i] for i in (0, 2, 3, 5)]


def outward(packets):
    return [packets[i] for i in (1, 4)]


def test_the_further_columns_stand_behind_all_others_in_their_order(told):
    columns = told([(0, other())]).columns
    assert columns[-len(FURTHER):] == FURTHER


def test_what_a_scope_cannot_know_is_an_empty_cell(told):
    run = told(talk(), config="[path eastern]\nvlan = 7\n[path western]\nprefix = 175.45.177.0/24\n"
                              "[service kcna.kp]\naddress = 175.45.176.71\n")
    empty = {scope: [name for name in FURTHER if run.row(scope)[name] == ""] for scope in run.scopes}
    assert empty.pop("tap") == [name for name in FURTHER[2:] if name != "control"]
    assert empty.pop("service:kcna.kp") == OF_SERVICES_UNKNOWN
    assert empty.pop("path:eastern") == []
    assert empty.pop("path:western") == ["control"]
    assert set(map(tuple, empty.values())) == {("control",)}


@pytest.mark.parametrize("version", [4, 6])
def test_a_tap_that_sees_both_directions_times_the_road_and_counts_its_hops(told, version):
    run = told(talk(version), *(["-w", "2001:db8:45::/48"] if version == 6 else []))
    for scope in ("all", "prefix:2001:db8:45::/48" if version == 6 else "service:kcna.kp"):
        run.has(scope, handshakes=1, handshake_us=290000, answered_hops=20, answered_flows=1, acked_flows=1,
                retransmits_in=0, retransmits_out=0, unseen_acks_in=0, unseen_acks_out=0, oneway_out=0)


@pytest.mark.parametrize("version", [4, 6])
def test_a_tap_that_sees_only_what_goes_in_has_the_acknowledgements(told, version):
    run = told(inward(talk(version)), *(["-w", "2001:db8:45::/48"] if version == 6 else []))
    run.has("all", flows=1, live_flows=0, answered_flows=0, acked_flows=1, unseen_acks_in=2, unseen_acks_out=0, handshakes=0,
            answered_hops=0)


def test_a_tap_that_sees_only_what_comes_out_does_too(told):
    run = told(outward(talk()))
    run.has("all", live_flows=1, answered_flows=0, acked_flows=0, unseen_acks_in=0, unseen_acks_out=1, oneway_out=2)


def test_a_leg_that_is_lost_while_connections_go_on_is_seen_by_what_they_acknowledge(told):
    more = [segment(2 + i, False, ACK, 96, 7501 + 1000 * i) for i in range(1, 5)]
    told([*talk(), *more]).has("all", unseen_acks_in=4, acked_flows=1)


def test_a_scan_that_is_not_acknowledged_proves_nothing(told):
    packets = [(i, tcp(CLIENT, 50000 + i, KCNA, 80, flags)) for i, flags in enumerate((SYN, ACK, SYN_ACK, "R", "FA"))]
    told(packets).has("all", flows=5, acked_flows=0, unseen_acks_in=0)


def test_what_two_watched_ends_acknowledge_to_each_other_proves_nothing_to_all(told):
    lab = [(i, frame(IP(src=source, dst=destination) / TCP(sport=ports[0], dport=ports[1], flags=flags, seq=seq, ack=ack)))
           for i, (source, destination, ports, flags, seq, ack) in enumerate((
               ("175.45.177.1", KCNA, (40000, 179), SYN, 1, 0), (KCNA, "175.45.177.1", (179, 40000), SYN_ACK, 9, 2),
               ("175.45.177.1", KCNA, (40000, 179), ACK, 2, 10)))]
    run = told(lab)
    run.has("all", flows=1, acked_flows=0)
    run.has("prefix:175.45.176.0/24", acked_flows=1)


def test_repeats_count_by_direction_in_whole_packets_and_in_headers_alone(told, tmp_path):
    packets = talk()
    packets += [(1, packets[3][1]), (1.1, packets[3][1]), (1.2, packets[4][1])]
    told(packets).has("all", retransmits_in=2, retransmits_out=1)
    headers = 14 + 20 + 20
    told(pcap(tmp_path / "cut.pcap", packets, snaplen=headers)).has("all", retransmits_in=2, retransmits_out=1, handshake_us=290000)


def test_fragments_are_no_repeats_and_leave_nothing_unseen(told):
    data = bytes(TCP(sport=443, dport=40000, flags="PA", seq=7501, ack=96) / Raw(bytes(1600)))
    def part(at, offset, last):
        return at, frame(IP(src=KCNA, dst=CLIENT, id=9, flags="" if last else "MF", frag=offset // 8, proto=6) /
                         Raw(data[offset:offset + 800]))
    fragments = [part(1, 0, False), part(1.01, 800, False), part(1.02, 1600, True)]
    again = [(at + 1, packet) for at, packet in fragments]
    acknowledged = [segment(3, False, ACK, 96, 7501 + 1600)]
    told([*talk(), *fragments, *again, *acknowledged]).has("all", retransmits_out=0, unseen_acks_in=0, answered_flows=1)


def test_icmp_errors_of_ipv6_are_told_apart(told):
    quoted = IPerror6(src=SIX_OUT, dst=SIX_IN) / UDPerror(sport=1, dport=53)
    kinds = [ICMPv6DestUnreach(code=code) for code in range(7)] + [ICMPv6TimeExceeded(code=0), ICMPv6TimeExceeded(code=1),
                                                                  ICMPv6PacketTooBig()]
    from_outside = [(i, frame(IPv6(src="2001:db8:2::1", dst=SIX_OUT) / kind / quoted)) for i, kind in enumerate(kinds)]
    own = [(20, frame(IPv6(src="2001:db8:45::1", dst=SIX_OUT) / ICMPv6DestUnreach(code=3) / quoted))]
    told(from_outside + own, "-w", "2001:db8:45::/48").has(
        "all", icmp_errors=11, icmp_unreachable=2, icmp_prohibited=3, icmp_exceeded=1, icmp_own=1)


def test_a_known_routers_reports_count_in_its_path(told):
    def report(at, router, destination):
        quoted = IPerror(src=CLIENT, dst=destination) / UDPerror(sport=1, dport=53)
        return at, frame(IP(src=router, dst=CLIENT) / ICMP(type=3, code=0) / quoted)
    run = told([report(0, "103.35.255.254", "175.45.178.7"), report(1, "188.43.225.153", "175.45.178.7"),
                report(2, "188.43.225.153", "175.45.177.7"), report(3, "192.0.2.1", "175.45.178.7")])
    run.has("all", icmp_unreachable=4)
    run.has("path:china-unicom", icmp_unreachable=1, icmp_errors=0)
    run.has("path:transtelecom", icmp_unreachable=2, icmp_errors=1)
    run = told([report(0, "192.0.2.1", "175.45.178.7")], config="[path own]\nvlan = 3\nrouter = 192.0.2.1\n")
    run.has("path:own", icmp_unreachable=1, packets_in=0)


def test_the_configuration_in_force_can_be_read_again(lightsout, tmp_path):
    (tmp_path / "a").write_text("[path own]\nvlan = 3\nrouter = 192.0.2.1 2001:db8::1\n")
    first = lightsout("--check", "-c", tmp_path / "a").stdout
    assert "[path own]\nvlan = 3\nrouter = 192.0.2.1 2001:db8::1\n" in first
    (tmp_path / "b").write_text(first)
    without_origins = lambda text: [line.split("  #")[0] for line in text.splitlines() if line[:1] != "#"]
    assert without_origins(lightsout("--check", "-c", tmp_path / "b").stdout) == without_origins(first)


def test_each_path_by_link_has_a_control_of_its_own(told):
    config = "[path a]\nvlan = 100\n[path b]\nmac = 02:00:5e:10:00:01\n[path c]\nprefix = 175.45.176.0/24\n"
    packets = [(0, other()), *((i, udp(CLIENT, 1, OTHER, 2, vlans=(100,))) for i in range(1, 4)),
               (5, udp(CLIENT, 1, OTHER, 2, vlans=(7, 100))), (6, udp(CLIENT, 1, OTHER, 2, to_mac="02:00:5e:10:00:01")),
               *handshake(7, vlans=(100,))]
    run = told(packets, config=config)
    run.has("tap", control=6, packets_in=6)
    run.has("path:a", control=4, packets_in=2)
    run.has("path:b", control=1, packets_in=0)
    assert run.row("path:c")["control"] == ""


def test_a_surge_by_reflection_is_told_from_what_was_asked(told):
    forged = [(i / 100, udp(f"198.51.100.{i}", 3283, KCNA, 3283, bytes(1000))) for i in range(50)]
    asked = [(1, udp(KCNA, 40000, CLIENT, 53)), (1.1, udp(CLIENT, 53, KCNA, 40000))]
    run = told([*forged, *asked])
    run.has("all", packets_in=51, reflected_in=50, oneway_out=1, answered_flows=1)
    run.has("prefix:175.45.176.0/24", reflected_in=50)


def test_answers_to_a_forged_address_prove_nothing(told):
    """Amplifiers answer what was asked in the name of kcna.kp, others its SYNs; whoever forges them sees neither."""
    packets = []
    for i in range(50):
        packets += [(i, udp(KCNA, 80, f"198.51.100.{i}", 3283)), (i + 0.1, udp(f"198.51.100.{i}", 3283, KCNA, 80, bytes(1000))),
                    (i + 0.2, udp(f"198.51.100.{i}", 3283, KCNA, 80, bytes(1000)))]
        packets += [segment(i + 0.3, True, SYN, 1000 * i, 0), segment(i + 0.4, False, SYN_ACK, 77, 1000 * i + 1),
                    segment(i + 0.5, True, ACK, 1000 * i + 1, 4711)]
    told(packets).has("all", answered_flows=51, proven_flows=0, proven_bursts=0, knocks=0)


@pytest.mark.parametrize("version", [4, 6])
def test_who_hears_the_outside_is_proven_to_live(told, version):
    watch = ["-w", "2001:db8:45::/48"] if version == 6 else []
    told(talk(version), *watch).has("all", proven_flows=1, proven_bursts=1, knocks=1, flows=1)
    told(talk(version)[3:], *watch).has("all", proven_flows=1, proven_bursts=1, knocks=1)  # under way
    told(outward(talk(version)), *watch).has("all", live_flows=1, proven_flows=1, knocks=0)
    told(inward(talk(version)), *watch).has("all", proven_flows=0, knocks=1)


def test_what_the_watched_side_opens_is_proven_by_its_next_acknowledgement(told):
    opened = [segment(0, True, SYN, 500, 0), segment(0.1, False, SYN_ACK, 2**32 - 1, 501)]
    told(opened).has("all", answered_flows=1, proven_flows=0, knocks=0)
    told([*opened, segment(0.2, True, ACK, 501, 0)]).has("all", answered_flows=1, proven_flows=1, knocks=0)


def test_forged_sources_are_one_way(told):
    forged = [(i / 100, udp(KCNA, 40000 + i, f"198.51.100.{i}", 3283)) for i in range(50)]
    told(forged).has("all", packets_out=50, live_flows=50, oneway_out=50, answered_flows=0, acked_flows=0, proven_flows=0)


def test_a_name_credits_its_service_with_what_the_flow_proved(told):
    conversation = asks(0, client_hello("www.mfa.gov.kp"), server="175.45.176.200")
    conversation.insert(1, (0.05, conversation[0][1]))  # the SYN again
    run = told(conversation)
    service, prefix = run.row("service:mfa.gov.kp"), run.row("prefix:175.45.176.0/24")
    names = [name for name in FURTHER if service[name] != ""]
    assert [service[name] for name in names] == [prefix[name] for name in names]
    run.has("service:mfa.gov.kp", handshakes=0, acked_flows=1, answered_flows=1)
