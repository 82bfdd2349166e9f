# SPDX-License-Identifier: BSD-3-Clause
"""The contract to the letter: small captures made here, and what bins, flows and events must say of them.

Captures begin at T0, a full hour; times in the tests are seconds after it. Unless a test says otherwise the embedded
default is in force, so that 175.45.176.71 is kcna.kp.
"""

import csv
import json
import logging
import random
import struct
import subprocess
import time

import jsonschema
import pytest
from conftest import LIGHTSOUT, SYNTH, TOP, read_events

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror  # noqa: E402
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6EchoReply, IPv6, IPv6ExtHdrFragment,  # noqa: E402
                                IPv6ExtHdrHopByHop)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402

T0 = 1749081600  # 2025-06-05T00:00:00Z
KCNA = "175.45.176.71"
CLIENT, OTHER = "203.0.113.9", "198.51.100.4"
COUNTS = ["flows", "live_flows", "answered_flows", "packets_in", "packets_out", "bytes_in", "bytes_out", "hosts", "peers",
          "syn_in", "icmp_errors"]
SYN, SYN_ACK, ACK, FIN, RST, PSH = "S", "SA", "A", "FA", "R", "PA"
EMBEDDED_SCOPES = 1 + 5 + 2 + 20 + 1


# ---- captures ----

def pcap(path, packets, snaplen=262144):
    """Writes (seconds after T0, packet or bytes) as a capture with nanoseconds, cut to so many bytes a packet."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, 1))
        for at, packet in packets:
            ns, data = T0 * 10**9 + round(at * 10**9), bytes(packet)
            cut = data[:snaplen]
            file.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(cut), len(data)) + cut)
    return path


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng(path, packets, options=b""):
    """The same as pcapng with microseconds; a time of None makes a simple packet block, which has none. Times are
    since the epoch."""
    with path.open("wb") as file:
        file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        file.write(block(1, struct.pack("<HHI", 1, 0, 262144) + options))
        for at, packet in packets:
            data = bytes(packet)
            if at is None:
                file.write(block(3, struct.pack("<I", len(data)) + data))
            else:
                units = at * 10**6 & (1 << 64) - 1
                file.write(block(6, struct.pack("<IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(data), len(data)) + data))
    return path


def frame(packet, vlans=(), from_mac="02:00:00:00:00:01", to_mac="02:00:00:00:00:02"):
    link = Ether(src=from_mac, dst=to_mac)
    for vlan in vlans:
        link = link / Dot1Q(vlan=vlan)
    return link / packet


def tcp(source, source_port, destination, destination_port, flags, payload=b"", **link):
    return frame(IP(src=source, dst=destination) / TCP(sport=source_port, dport=destination_port, flags=flags) / Raw(payload),
                 **link)


def udp(source, source_port, destination, destination_port, payload=b"x", **link):
    return frame(IP(src=source, dst=destination) / UDP(sport=source_port, dport=destination_port) / Raw(bytes(payload)), **link)


def other():
    """What is not watched."""
    return udp(CLIENT, 5000, OTHER, 123)


def handshake(at, client=CLIENT, client_port=40000, server=KCNA, server_port=443, **link):
    there, back = (client, client_port, server, server_port), (server, server_port, client, client_port)
    return [(at, tcp(*there, SYN, **link)), (at + 0.1, tcp(*back, SYN_ACK, **link)), (at + 0.2, tcp(*there, ACK, **link))]


def client_hello(name):
    """A TLS 1.2 ClientHello with a server name."""
    host = name.encode()
    server_name = struct.pack(">HHBH", len(host) + 5, len(host) + 3, 0, len(host)) + host
    groups, points = struct.pack(">HHH", 4, 2, 0x001D), b"\x01\x00"
    extensions = b"\0\0" + server_name + b"\0\x0a" + groups + b"\0\x0b\0\x02" + points
    ciphers = b"\xc0\x2f\xc0\x30\x00\x9c\x00\x2f"
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">H", len(ciphers)) + ciphers + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    hello = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello


def asks(at, payload, client=CLIENT, client_port=40000, server=KCNA, server_port=443):
    """A connection on which the client says something and the server answers something."""
    there, back = (client, client_port, server, server_port), (server, server_port, client, client_port)
    return handshake(at, client, client_port, server, server_port) + [
        (at + 0.3, tcp(*there, PSH, payload)), (at + 0.4, tcp(*back, ACK)), (at + 0.5, tcp(*back, PSH, b"\x15\x03\x03\0\x02\x02\x28"))]


# ---- runs ----

class Told:
    """What a run said: bins by scope and second, flows and events in order."""

    def __init__(self, done, folder):
        self.out, self.err = done.stdout, done.stderr
        with (folder / "bins.csv").open(newline="") as file:
            reader = csv.DictReader(file)
            self.columns = reader.fieldnames
            self.rows = list(reader)
        self.by_key = {(row["scope"], row["time"]): row for row in self.rows}
        assert len(self.by_key) == len(self.rows), "a row stands twice"
        self.flows = read_events(folder / "flows.ndjson") if (folder / "flows.ndjson").exists() else []
        self.events = read_events(folder / "events.ndjson")
        self.times = sorted({row["time"] for row in self.rows})
        self.scopes = {row["scope"] for row in self.rows}

    def row(self, scope, at=0):
        return self.by_key[scope, instant(at)]

    def has(self, scope, at=0, **wanted):
        """Asserts measures of a row; what is not named must be zero when `only` is given."""
        only = wanted.pop("only", False)
        row = self.row(scope, at)
        if only:
            wanted = {**dict.fromkeys(COUNTS, 0), **wanted}
        assert {name: int(row[name]) for name in wanted} == wanted, (scope, at)

    def total(self, scope, measure):
        return sum(int(row[measure]) for row in self.rows if row["scope"] == scope)


def instant(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + at))


@pytest.fixture
def told(lightsout, tmp_path):
    """Runs over packets or a capture, and returns what was told."""

    def run(what, *arguments, config=None, status=0):
        for name in ("events.ndjson", "flows.ndjson", "bins.csv"):
            (tmp_path / name).unlink(missing_ok=True)
        inputs = ["-r", pcap(tmp_path / "made.pcap", what) if isinstance(what, list) else what]
        if config is not None:
            (tmp_path / "conf").write_text(config)
            inputs += ["-c", tmp_path / "conf"]
        done = lightsout(*inputs, "--bins", tmp_path / "bins.csv", "--flows", tmp_path / "flows.ndjson", "--events",
                         tmp_path / "events.ndjson", "--sensor", "test", *arguments, status=status)
        return Told(done, tmp_path)

    return run


# ---- flow starts ----

def knock(at, flags=SYN, port=40000):
    return at, tcp(CLIENT, port, KCNA, 443, flags)


@pytest.mark.parametrize("idle, flows", [(120, 1), (120.000000001, 2), (119.9, 1), (600, 2)])
def test_a_flow_goes_on_up_to_120_s_of_silence(told, idle, flows):
    run = told([knock(3, ACK), knock(3 + idle, ACK)])
    assert run.total("all", "flows") == flows and len(run.flows) == flows


def test_a_packet_of_either_side_keeps_a_flow(told):
    run = told([knock(0), (100, tcp(KCNA, 443, CLIENT, 40000, ACK)), knock(200, ACK)])
    assert run.total("all", "flows") == 1 and len(run.flows) == 1


@pytest.mark.parametrize("end", [FIN, RST])
def test_a_bare_syn_after_fin_or_rst_starts_a_flow(told, end):
    run = told([*handshake(0), knock(1, end), knock(2), knock(2.5, ACK)])
    assert run.total("all", "flows") == 2
    assert [flow["lightsout"]["answered"] for flow in run.flows] == [True, False]


@pytest.mark.parametrize("flags", [ACK, SYN_ACK, PSH, RST, "FS", "RS"])
def test_nothing_but_a_bare_syn_does_so(told, flags):
    run = told([*handshake(0), knock(1, FIN), knock(2, flags)])
    assert run.total("all", "flows") == 1


def test_a_syn_sent_again_is_the_same_flow_and_counts_as_a_syn(told):
    run = told([knock(0), knock(1), knock(3), knock(7), *handshake(15)])
    run.has("all", flows=1, syn_in=5, live_flows=1, answered_flows=1)
    run.has("service:kcna.kp", flows=1, syn_in=5)
    assert len(run.flows) == 1 and run.flows[0]["source"]["packets"] == 6


def test_a_bare_syn_towards_the_outside_is_no_syn_in(told):
    run = told([(0, tcp("175.45.176.9", 4000, CLIENT, 80, SYN))])
    run.has("all", flows=1, syn_in=0, live_flows=1, packets_out=1)


def test_a_later_fragment_never_starts_a_flow(told):
    payload = Raw(b"y" * 64)
    run = told([(0, frame(IP(src=CLIENT, dst=KCNA, frag=8, proto=17) / payload)),
                (1, frame(IP(src=KCNA, dst=CLIENT, frag=8, flags="MF", proto=6) / payload))])
    run.has("all", only=True, packets_in=1, packets_out=1, bytes_in=84, bytes_out=84, hosts=1, peers=1)
    assert run.flows == []


def test_a_first_fragment_does(told):
    run = told([(0, frame(IP(src=CLIENT, dst="175.45.176.15", flags="MF", proto=17) / UDP(sport=4000, dport=53, len=100) /
                          Raw(b"y" * 32)))])
    run.has("all", flows=1, packets_in=1)
    run.has("service:ns1.kptc.kp", flows=1)


def test_a_later_fragment_of_ipv6_never_starts_a_flow(told):
    first = IPv6(src="2001:db8:1::1", dst="2001:db8::1") / IPv6ExtHdrFragment(m=1, id=7, nh=17) / UDP(sport=1, dport=53) / (b"z" * 8)
    later = IPv6(src="2001:db8:1::1", dst="2001:db8::1") / IPv6ExtHdrFragment(offset=2, id=7, nh=17) / Raw(b"z" * 16)
    run = told([(0, frame(later))], "-w", "2001:db8::/48")
    run.has("all", flows=0, packets_in=1, bytes_in=64)
    run = told([(0, frame(first)), (1, frame(later))], "-w", "2001:db8::/48")
    run.has("all", flows=1, packets_in=2)


def test_an_icmp_error_starts_no_flow_and_counts_for_the_destination_that_it_quotes(told):
    quoted = IPerror(src=CLIENT, dst=KCNA) / UDPerror(sport=4000, dport=53)
    router = "192.0.2.1"
    run = told([(0, frame(IP(src=router, dst=CLIENT) / ICMP(type=3, code=1) / quoted)),
                (1, frame(IP(src="175.45.178.129", dst=CLIENT) / ICMP(type=11) / quoted))])
    run.has("all", only=True, icmp_errors=2, packets_out=1, bytes_out=56, hosts=1, peers=1)
    run.has("prefix:175.45.176.0/24", only=True, icmp_errors=2)
    run.has("path:china-unicom", icmp_errors=2)
    run.has("prefix:175.45.178.0/24", icmp_errors=0, packets_out=1, live_flows=0)
    run.has("tap", packets_in=1, icmp_errors=0)
    assert run.flows == []


def test_an_icmp_error_about_the_outside_is_no_evidence(told):
    quoted = IPerror(src=KCNA, dst=CLIENT) / UDPerror(sport=53, dport=4000)
    run = told([(0, frame(IP(src="192.0.2.1", dst=KCNA) / ICMP(type=3, code=3) / quoted))])
    run.has("all", only=True, packets_in=1, bytes_in=56, peers=1)


def test_an_icmp_error_about_the_leased_range_stays_out_of_all(told):
    quoted = IPerror(src=CLIENT, dst="210.52.109.9") / UDPerror(sport=1, dport=2)
    run = told([(0, frame(IP(src="192.0.2.1", dst=CLIENT) / ICMP(type=3, code=0) / quoted))])
    run.has("all", only=True)
    run.has("prefix:210.52.109.0/24", only=True, icmp_errors=1)


def test_echoes_are_told_apart_by_their_id(told):
    ping = lambda ident, kind, source, destination: frame(IP(src=source, dst=destination) / ICMP(type=kind, id=ident, seq=1))
    run = told([(0, ping(7, 8, CLIENT, KCNA)), (1, ping(7, 0, KCNA, CLIENT)), (2, ping(7, 8, CLIENT, KCNA)),
                (3, ping(8, 8, CLIENT, KCNA)), (4, ping(9, 8, CLIENT, KCNA)), (5, ping(9, 0, KCNA, CLIENT))])
    run.has("all", flows=3, live_flows=2, answered_flows=2, packets_in=4, packets_out=2, icmp_errors=0)
    assert sorted(flow["lightsout"]["answered"] for flow in run.flows) == [False, True, True]
    assert {flow["network"]["transport"] for flow in run.flows} == {"icmp"}
    assert all("port" not in flow["source"] for flow in run.flows)


def test_echoes_of_ipv6_too(told):
    one, two = "2001:db8:1::1", "2001:db8::1"
    run = told([(0, frame(IPv6(src=one, dst=two) / ICMPv6EchoRequest(id=5))), (1, frame(IPv6(src=two, dst=one) / ICMPv6EchoReply(id=5))),
                (2, frame(IPv6(src=one, dst=two) / ICMPv6EchoRequest(id=6)))], "-w", "2001:db8::/48")
    run.has("all", flows=2, live_flows=1, answered_flows=1, packets_in=2, packets_out=1, bytes_in=96)
    assert {flow["network"]["transport"] for flow in run.flows} == {"ipv6-icmp"}


def test_another_port_or_protocol_is_another_flow(told):
    run = told([knock(0), knock(0, port=40001), (0, udp(CLIENT, 40000, KCNA, 443)), (0, tcp(OTHER, 40000, KCNA, 443, SYN))])
    run.has("all", flows=4, peers=2)


# ---- live, answered, bins ----

def test_an_answer_in_a_later_bin_counts_there(told):
    run = told([knock(50), (100, tcp(KCNA, 443, CLIENT, 40000, SYN_ACK)), (170, tcp(KCNA, 443, CLIENT, 40000, ACK))])
    run.has("all", 0, flows=1, live_flows=0, answered_flows=0)
    run.has("all", 60, flows=0, live_flows=1, answered_flows=1)
    run.has("all", 120, flows=0, live_flows=0, answered_flows=0, packets_out=1)


def test_a_clients_retries_are_one_burst(told):
    storm = [packet for i in range(20) for packet in handshake(i / 2, client_port=40000 + i)]
    later = handshake(30, client="203.0.113.77") + handshake(260)
    run = told(storm + later)
    for scope in ("all", "prefix:175.45.176.0/24", "service:kcna.kp"):
        run.has(scope, 0, answered_flows=21, live_bursts=2, answered_bursts=2)
        run.has(scope, 240, answered_flows=1, live_bursts=1, answered_bursts=1)
    run = told(storm + later, config="[capture]\nburst_length = 1\n")
    assert run.total("all", "answered_bursts") > 10


def test_other_networks_services_and_hosts_have_bursts_of_their_own(told):
    run = told(handshake(0) + handshake(1, client="203.0.114.9") + handshake(2, server_port=80) +
               handshake(3, server="175.45.176.68"))
    run.has("all", answered_flows=4, live_bursts=4, answered_bursts=4)


def test_pings_are_one_burst_whatever_their_ids(told):
    ping = lambda ident, kind, source, destination: frame(IP(src=source, dst=destination) / ICMP(type=kind, id=ident))
    run = told([packet for i in range(5) for packet in ((i, ping(i, 8, CLIENT, KCNA)), (i + 0.1, ping(i, 0, KCNA, CLIENT)))])
    run.has("all", answered_flows=5, live_bursts=1, answered_bursts=1)


def test_answers_alone_are_bursts_of_the_port_that_answers(told):
    run = told([(i, tcp(KCNA, 443, CLIENT, 40000 + i, SYN_ACK)) for i in range(5)])
    run.has("all", live_flows=5, answered_flows=0, live_bursts=1, answered_bursts=0)


def test_what_the_watched_side_starts_is_live_at_once_and_answered_by_the_outside(told):
    run = told([(50, udp("175.45.177.9", 4000, CLIENT, 53)), (70, udp(CLIENT, 53, "175.45.177.9", 4000))])
    run.has("all", 0, flows=1, live_flows=1, answered_flows=0)
    run.has("all", 60, flows=0, live_flows=0, answered_flows=1)
    run.has("path:transtelecom", 0, live_flows=1)


def test_between_two_watched_addresses_all_counts_once_and_as_out(told):
    run = told(handshake(0, client="175.45.177.10", server=KCNA))
    run.has("all", only=True, flows=1, live_flows=1, answered_flows=1, packets_out=3, bytes_out=120, hosts=2, peers=2)
    run.has("prefix:175.45.177.0/24", only=True, flows=1, live_flows=1, answered_flows=1, packets_out=2, packets_in=1,
            bytes_out=80, bytes_in=40, hosts=1, peers=1)
    run.has("prefix:175.45.176.0/24", only=True, flows=1, live_flows=1, answered_flows=1, packets_out=1, packets_in=2,
            bytes_out=40, bytes_in=80, hosts=1, peers=1, syn_in=1)
    run.has("path:china-unicom", packets_in=2, packets_out=1)
    run.has("path:transtelecom", packets_in=1, packets_out=2)
    run.has("service:kcna.kp", packets_in=2, packets_out=1, flows=1, live_flows=1)
    run.has("tap", packets_in=0)
    assert run.flows[0]["lightsout"]["watched"] == "both"


def test_within_one_prefix_a_flow_is_one_flow_and_live_once(told):
    run = told(handshake(0, client="175.45.176.100", server=KCNA))
    run.has("all", flows=1, live_flows=1, answered_flows=1, packets_out=3, packets_in=0)
    run.has("prefix:175.45.176.0/24", flows=1, answered_flows=1, packets_out=3, packets_in=3, live_flows=1)


def test_the_leased_range_is_a_scope_of_its_own(told):
    run = told(handshake(0, server="210.52.109.9"))
    run.has("all", only=True)
    run.has("tap", packets_in=0)
    run.has("prefix:210.52.109.0/24", flows=1, live_flows=1, answered_flows=1, packets_in=2, packets_out=1, syn_in=1)
    assert run.flows[0]["lightsout"] | {"ended": "", "tunnels": []} == {
        "watched": "destination", "prefix": "210.52.109.0/24", "answered": True, "ended": "", "tunnels": []}


def test_suspected_ranges_are_off(told):
    run = told(handshake(0, server="188.43.136.9"))
    run.has("tap", packets_in=3)
    assert "prefix:188.43.136.0/24" not in run.scopes


def test_the_tap_is_what_is_not_watched(told):
    run = told([(0, other()), (1, frame(ARP(psrc=CLIENT, pdst=OTHER))), (2, knock(0)[1]), (3, Ether(type=0x88CC) / Raw(bytes(46)))])
    run.has("tap", only=True, packets_in=3, bytes_in=29)
    run.has("all", packets_in=1)


def test_bytes_are_those_of_ip(told):
    small = tcp(CLIENT, 1, KCNA, 443, ACK)
    run = told([(0, bytes(small) + bytes(20)),  # padded to the least frame
                (1, tcp(CLIENT, 2, KCNA, 443, ACK, vlans=(5,))),
                (2, Ether() / Dot1AD(vlan=9) / Dot1Q(vlan=5) / IP(src=CLIENT, dst=KCNA) / TCP(sport=3, dport=443, flags="A")),
                (3, frame(IP(src=KCNA, dst=CLIENT, options=[b"\x94\x04\0\0"]) / TCP(sport=443, dport=4) / Raw(b"12345")))])
    run.has("all", packets_in=3, bytes_in=120, packets_out=1, bytes_out=49)


def test_bytes_of_ipv6_have_the_header_and_its_extensions(told):
    packet = IPv6(src="2001:db8:1::1", dst="2001:db8::1") / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=53) / Raw(b"12345")
    run = told([(0, bytes(frame(packet)) + b"padding")], "-w", "2001:db8::/48")
    run.has("all", only=True, flows=1, packets_in=1, bytes_in=40 + 8 + 8 + 5, peers=1)


def test_hosts_and_peers_are_distinct_in_every_bin(told):
    packets = []
    for minute in (0, 1):
        for i in range(5):
            at = minute * 60 + i * 7
            packets += [(at, udp(f"203.0.113.{i % 3}", 4000 + i, "175.45.176.15", 53)),
                        (at + 1, udp("175.45.176.15", 53, f"203.0.113.{i % 3}", 4000 + i)),
                        (at + 2, udp(f"175.45.178.{i}", 4000, f"198.51.100.{i}", 53))]
    packets.append((119, udp(CLIENT, 4000, "175.45.179.1", 53)))  # never answered: no host
    run = told(packets)
    run.has("all", 0, hosts=6, peers=8)
    run.has("all", 60, hosts=6, peers=9)
    run.has("prefix:175.45.176.0/24", 60, hosts=1, peers=3)
    run.has("prefix:175.45.178.0/24", 60, hosts=5, peers=5)
    run.has("prefix:175.45.179.0/24", 60, hosts=0, peers=1)
    run.has("service:ns1.kptc.kp", 0, hosts=1, peers=3)


# ---- bins and time ----

def test_the_columns_of_the_contract(told):
    columns = told([knock(0)]).columns
    assert columns[:2] == ["time", "scope"]
    for name in [*COUNTS, "drops", "expected", "low", "state"]:
        assert name in columns


def test_every_bin_has_a_row_for_every_scope_zeros_included(told):
    run = told([knock(59.5), (60 * 9 + 0.5, other())])
    assert run.times == [instant(60 * i) for i in range(10)]
    assert len(run.scopes) == EMBEDDED_SCOPES and len(run.rows) == 10 * EMBEDDED_SCOPES
    for scope in run.scopes:
        for minute in range(1, 9):
            run.has(scope, 60 * minute, only=True)
    assert {row["state"] for row in run.rows} == {"learning"}
    assert {row["drops"] for row in run.rows} == {""}  # a savefile does not tell: unknown is not zero


def test_the_first_and_the_last_bin_may_be_of_one_packet(told):
    run = told([(59.999999, other()), (60, other())])
    assert run.times == [instant(0), instant(60)]
    run.has("tap", 0, packets_in=1)
    run.has("tap", 60, packets_in=1)


def test_one_packet_is_one_bin(told):
    run = told([(7, other())])
    assert run.times == [instant(0)] and len(run.rows) == EMBEDDED_SCOPES


def test_no_rows_in_a_hole_and_the_summary_tells_of_it(told):
    run = told([knock(30), (90000, other()), (90030, other())])
    assert run.times == [instant(0), instant(90000)]
    assert "missing    1 stretch " in run.out
    assert run.events == []


@pytest.mark.parametrize("gap, holes", [(3600, 0), (3599.9, 0), (3600.000000001, 1)])
def test_a_gap_up_to_gap_max_is_silence(told, gap, holes):
    run = told([(30, other()), (30 + gap, other())], config="[capture]\ngap_max = 1h\n")
    assert len(run.times) == (2 if holes else 61)
    assert ("missing" in run.out) == bool(holes)


def test_a_gap_of_exactly_a_day_is_silence_by_default(told):
    run = told([(0, other()), (86400, other())], "-w", "175.45.176.0/22")
    assert len(run.times) == 1441 and "missing" not in run.out


def test_a_flow_does_not_live_through_a_hole(told):
    run = told([knock(0, ACK), knock(90000, ACK)])
    assert run.total("all", "flows") == 2


def test_a_packet_without_a_time_has_the_time_of_the_one_before(told, tmp_path):
    path = pcapng(tmp_path / "ng", [(T0 + 10, other()), (None, knock(0)[1]), (T0 + 70, other()), (None, other())])
    run = told(path)
    assert run.times == [instant(0), instant(60)]
    run.has("all", 0, flows=1, syn_in=1)
    run.has("tap", 0, packets_in=1)
    run.has("tap", 60, packets_in=2)
    assert "2 packets without a time" in run.out


def test_a_capture_that_begins_without_a_time_is_told_from_where_there_is_one(told, tmp_path):
    path = pcapng(tmp_path / "ng", [(None, other()), (T0 + 10, knock(0)[1]), (T0 + 70, other())])
    run = told(path)
    assert run.times[-2:] == [instant(0), instant(60)] and len(run.times) <= 3
    run.has("all", 0, flows=1)
    run.has("tap", 60, packets_in=1)


def test_packets_out_of_order_lose_nothing_and_run_no_time_back(told):
    run = told([(0, other()), (130, other()), (50, knock(0)[1]), (61, other()), (131, other())])
    assert run.times == [instant(0), instant(60), instant(120)]
    assert run.total("tap", "packets_in") == 4
    run.has("all", 120, flows=1)
    assert "2 packets older" in run.out


def test_slightly_disordered_packets_within_a_bin_count_in_it(told):
    run = told([(10, other()), (12, other()), (11, knock(0)[1]), (13, other())])
    run.has("tap", packets_in=3)
    run.has("all", packets_in=1)


def times_of(told, tmp_path, *instants, options=b""):
    path = pcapng(tmp_path / "ng", [(at, other()) for at in instants], options)
    run = told(path, "-w", "175.45.176.0/22")
    assert run.total("tap", "packets_in") == len(instants)
    return run.times


def test_the_year_2106_and_after(told, tmp_path):
    year_2106 = 2**32 - 90
    assert times_of(told, tmp_path, year_2106, year_2106 + 60, year_2106 + 120) == [
        "2106-02-07T06:26:00Z", "2106-02-07T06:27:00Z", "2106-02-07T06:28:00Z"]


def test_times_before_the_epoch(told, tmp_path):
    offset = struct.pack("<HHq", 14, 8, -3600) + struct.pack("<HH", 0, 0)  # if_tsoffset
    assert times_of(told, tmp_path, 3600 - 61, 3600 - 1, 3600 + 1, options=offset) == [
        "1969-12-31T23:58:00Z", "1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z"]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("resolution, units", [(0, 2**63 - 1), (0, 9223372036), (0, 2**64 - 9223372036), (9, 2**63 - 1), (9, 2**64 - 1)])
def test_a_time_at_the_end_of_time_neither_hangs_nor_kills(tmp_path, resolution, units, first):
    option = struct.pack("<HHB3x", 9, 1, resolution) + struct.pack("<HH", 0, 0)  # if_tsresol
    path = tmp_path / "ng"
    now = T0 * 10**resolution
    with path.open("wb") as file:
        file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        file.write(block(1, struct.pack("<HHI", 1, 0, 262144) + option))
        for at in (units, now, units, now) if first else (now, units, now, units):
            data = bytes(other())
            file.write(block(6, struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(data), len(data)) + data))
    done = subprocess.run([LIGHTSOUT, "-r", path, "-q", "--bins", tmp_path / "bins", "-w", "175.45.176.0/22"], timeout=20,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "bins").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["packets_in"]) for row in rows if row["scope"] == "tap") == 4
    assert len(rows) < 100


@pytest.mark.parametrize("length, times", [(1, 31), (10, 4), (300, 1)])
def test_bins_of_another_length(told, length, times):
    run = told([(0, knock(0)[1]), (3, other()), (30, other())], "--bin", length)
    assert run.times == [instant(i * length) for i in range(times)]
    run.has("all", 0, flows=1)
    assert run.total("tap", "packets_in") == 2
    assert run.total("all", "peers") == 1


def test_hosts_of_a_bin_are_distinct_over_its_whole_length(told):
    packets = [(at, udp("175.45.176.15", 53, CLIENT, 4000)) for at in range(0, 300, 20)]
    told(packets, "--bin", 300).has("all", 0, hosts=1, peers=1)
    run = told(packets, "--bin", 10)
    assert run.total("all", "hosts") == len(packets)


# ---- names and services ----

@pytest.mark.parametrize("payload, port, application", [
    (client_hello("WWW.Kcna.KP"), 443, "TLS"),
    (b"GET / HTTP/1.1\r\nHost: WWW.Kcna.KP\r\nUser-Agent: x\r\n\r\n", 80, "HTTP"),
])
def test_sni_and_host_are_the_domain_in_lower_case(told, payload, port, application):
    run = told(asks(0, payload, server="175.45.176.200", server_port=port))
    assert [flow["destination"]["domain"] for flow in run.flows] == ["www.kcna.kp"]
    assert run.flows[0]["network"]["application"].split(".")[0] == application
    assert run.flows[0]["lightsout"]["service"] == "kcna.kp"


def test_a_dns_question_is_the_domain(told):
    ask = DNS(id=7, rd=1, qd=DNSQR(qname="WWW.Ma.GOV.kp"))
    answer = DNS(id=7, qr=1, qd=ask.qd, an=DNSRR(rrname="WWW.Ma.GOV.kp", rdata=KCNA))
    run = told([(0, udp(CLIENT, 4000, "175.45.176.15", 53, ask)), (0.1, udp("175.45.176.15", 53, CLIENT, 4000, answer))])
    assert run.flows[0]["destination"]["domain"] == "www.ma.gov.kp"
    assert run.flows[0]["network"]["application"].startswith("DNS")
    run.has("service:ns1.kptc.kp", flows=1, answered_flows=1)
    run.has("service:ma.gov.kp", only=True)  # known at 80 and 443, and this is port 53


def test_a_name_credits_its_service_with_the_whole_flow(told):
    run = told(asks(0, client_hello("www.mfa.gov.kp"), server="175.45.176.200"))
    run.has("service:mfa.gov.kp", flows=1, live_flows=1, answered_flows=1, packets_in=3, packets_out=3, hosts=1, peers=1)
    service, prefix = run.row("service:mfa.gov.kp"), run.row("prefix:175.45.176.0/24")
    assert [service[name] for name in COUNTS] == [prefix[name] for name in COUNTS]


def test_a_name_at_another_port_is_not_the_service(told):
    run = told(asks(0, client_hello("kcna.kp"), server="175.45.176.200", server_port=8443))
    assert run.flows[0]["destination"]["domain"] == "kcna.kp"
    run.has("service:kcna.kp", only=True)
    assert "service" not in run.flows[0]["lightsout"]


def test_an_address_at_another_port_is_not_the_service(told):
    told(handshake(0, server_port=25)).has("service:kcna.kp", only=True)


@pytest.mark.parametrize("config", [None, "[service kcna.kp]\nhost = kcna.kp *.kcna.kp\n"])
@pytest.mark.parametrize("client", ["175.45.177.70", CLIENT])
def test_a_service_hosted_elsewhere_is_not_counted(told, config, client):
    run = told(asks(0, client_hello("www.kcna.kp"), client=client, server=OTHER), config=config)
    run.has("service:kcna.kp", only=True)
    assert all("service" not in flow["lightsout"] for flow in run.flows)


def test_a_watched_resolver_that_asks_the_world_is_not_the_service(told):
    ask, resolver = DNS(id=7, rd=1, qd=DNSQR(qname="www.kcna.kp")), "175.45.176.15"
    answer = DNS(id=7, qr=1, qd=ask.qd, an=DNSRR(rrname="www.kcna.kp", rdata=KCNA))
    run = told([(0, udp(resolver, 4000, OTHER, 53, ask)), (0.1, udp(OTHER, 53, resolver, 4000, answer))],
               config="[service kcna.kp]\nhost = kcna.kp *.kcna.kp\n")
    assert run.flows[0]["destination"]["domain"] == "www.kcna.kp"
    run.has("all", flows=1, answered_flows=1)
    run.has("service:kcna.kp", only=True)


def test_a_name_of_untrusted_bytes_is_still_json(told, tmp_path):
    run = told(asks(0, b"GET / HTTP/1.1\r\nHost: a\"b\\c\xff\xfe\x01.kp\r\n\r\n", server_port=80))
    assert len(run.flows) == 1
    (tmp_path / "flows.ndjson").read_text(encoding="utf-8", errors="strict")


# ---- paths ----

PATHS = """
[path by-vlan]
vlan = 100 101
[path by-mac]
mac = 02:00:5e:10:00:01
[path by-prefix]
prefix = 175.45.178.0/24
[path by-interface]
interface = eth9
"""


@pytest.mark.parametrize("link, server, path", [
    ({"vlans": (100,)}, KCNA, "by-vlan"),
    ({"vlans": (7, 101)}, KCNA, "by-vlan"),
    ({"vlans": (102,)}, KCNA, None),
    ({"from_mac": "02:00:5e:10:00:01"}, KCNA, "by-mac"),
    ({"to_mac": "02:00:5e:10:00:01"}, KCNA, "by-mac"),
    ({}, "175.45.178.9", "by-prefix"),
    ({}, KCNA, None),
    ({"vlans": (100,), "from_mac": "02:00:5e:10:00:01"}, "175.45.178.9", "by-vlan"),
])
def test_paths_by_vlan_router_and_prefix(told, link, server, path):
    run = told(handshake(0, server=server, **link), config=PATHS)
    for name in ("by-vlan", "by-mac", "by-prefix", "by-interface"):
        run.has("path:" + name, flows=int(name == path), answered_flows=int(name == path), packets_in=2 * (name == path))
    assert run.flows[0]["lightsout"].get("path") == path


def test_of_every_kind_of_key_one_value_must_match(told):
    config = "[path both]\nvlan = 100 101\nmac = 02:00:5e:10:00:01\n"
    good, bad = {"vlans": (101,), "from_mac": "02:00:5e:10:00:01"}, {"vlans": (101,)}
    told(handshake(0, **good), config=config).has("path:both", flows=1)
    told(handshake(0, **bad), config=config).has("path:both", flows=0)


# ---- the watch list ----

def test_watch_replaces_the_list_and_labels_it(told, lightsout):
    run = told([*handshake(0, server="192.0.2.7"), *handshake(1)], "-w", "192.0.2.0/24,our lab", "-w", "10.0.0.0/8")
    run.has("all", flows=1, packets_in=2)
    run.has("tap", packets_in=3)
    assert run.scopes == {"all", "prefix:192.0.2.0/24", "prefix:10.0.0.0/8", "tap"}
    check = lightsout("-T", "-w", "192.0.2.0/24,our lab").stdout
    assert "[watch 192.0.2.0/24]\nlabel = our lab\n" in check and "175.45" not in check


def test_the_longest_prefix_wins_and_each_counts_in_all(told):
    run = told([*handshake(0, server="192.0.2.7"), *handshake(1, server="192.0.2.130")], "-w", "192.0.2.0/24", "-w", "192.0.2.128/25")
    run.has("all", flows=2)
    run.has("prefix:192.0.2.0/24", flows=1)
    run.has("prefix:192.0.2.128/25", flows=1)


def test_watch_from_a_list(told, tmp_path):
    (tmp_path / "list").write_text("# ours\n192.0.2.0/24\n\n2001:db8::/32 # six\n")
    run = told(handshake(0, server="192.0.2.7"), "--watch-from", tmp_path / "list")
    assert run.scopes == {"all", "prefix:192.0.2.0/24", "prefix:2001:db8::/32", "tap"}
    run.has("all", flows=1)


def test_watch_from_delegated_statistics(told, tmp_path):
    (tmp_path / "delegated").write_text("2|apnic|20250601|2|19850701|20250531|+1000\napnic|*|ipv4|*|2|summary\n"
                                        "apnic|KP|ipv4|192.0.2.0|768|20091221|allocated|A91\n"
                                        "apnic|AU|ipv4|10.0.0.0|256|20091221|allocated|A92\n"
                                        "apnic|KP|ipv6|2001:db8::|32|20091221|allocated|A91\n")
    run = told([*handshake(0, server="192.0.4.7"), *handshake(1, server="10.0.0.7")], "--watch-from", f"{tmp_path}/delegated,KP")
    assert run.scopes == {"all", "prefix:192.0.2.0/23", "prefix:192.0.4.0/24", "prefix:2001:db8::/32", "tap"}
    run.has("all", flows=1)
    run.has("prefix:192.0.4.0/24", flows=1)


def test_a_watch_that_does_not_count_never_enters_all(told):
    run = told(handshake(0, server="192.0.2.7"), config="[watch 192.0.2.0/24]\ncounted = no\n[watch 10.0.0.0/8]\n")
    run.has("all", only=True)
    run.has("prefix:192.0.2.0/24", flows=1)


# ---- flows as JSON ----

def test_a_flow_record_to_the_letter(told):
    run = told([*asks(30.25, client_hello("kcna.kp")), (31, tcp(CLIENT, 40000, KCNA, 443, FIN))])
    flow = run.flows[0]
    assert flow["network"].pop("application").startswith("TLS")
    assert flow == {
        "@timestamp": "2025-06-05T00:00:30.250000Z",
        "ecs": {"version": "8.11"},
        "event": {"kind": "event", "category": ["network"], "type": ["connection"], "module": "lightsout",
                  "dataset": "lightsout.flow", "start": "2025-06-05T00:00:30.250000Z", "end": "2025-06-05T00:00:31.000000Z"},
        "observer": {"name": "test"},
        "source": {"ip": CLIENT, "port": 40000, "packets": 4, "bytes": 160 + len(client_hello("kcna.kp"))},
        "destination": {"ip": KCNA, "port": 443, "domain": "kcna.kp", "packets": 3, "bytes": 127},
        "network": {"type": "ipv4", "transport": "tcp"},
        "lightsout": {"watched": "destination", "prefix": "175.45.176.0/24", "path": "china-unicom", "service": "kcna.kp",
                      "answered": True, "ended": "input", "tunnels": []},
    }


def test_the_source_is_who_sent_the_syn_also_when_its_answer_is_seen_first(told):
    run = told([(0, tcp(KCNA, 443, CLIENT, 40000, SYN_ACK)), (1, tcp(CLIENT, 40000, KCNA, 443, ACK))])
    assert run.flows[0]["source"]["ip"] == CLIENT and run.flows[0]["destination"]["ip"] == KCNA
    run = told([(0, udp("175.45.177.9", 4000, CLIENT, 53))])
    assert run.flows[0]["source"]["ip"] == "175.45.177.9" and run.flows[0]["lightsout"]["watched"] == "source"


def test_the_vlan_of_a_flow_is_the_outer_one(told):
    assert "vlan" not in told(handshake(0)).flows[0]
    assert told(handshake(0, vlans=(101,))).flows[0]["vlan"] == {"id": "101"}
    double = told(handshake(0, vlans=(7, 101))).flows[0]
    assert double["vlan"] == {"id": "7"} and double["network"]["inner"] == {"vlan": {"id": "101"}}


def test_only_watched_flows_have_records(told):
    assert told([(0, other()), (1, other())]).flows == []


# ---- a table of bins ----

class Table:
    """Bins as another tool would write them: other columns in another order, a blank in the time, and a fraction."""

    def __init__(self, length=300, hours=40, rate=60):
        draw = random.Random(7)
        self.length = length
        self.rows = [(at, max(0, round(draw.gauss(rate, rate**0.5)))) for at in range(0, hours * 3600, length)]

    def drop(self, begin, end):
        self.rows = [row for row in self.rows if not begin <= row[0] < end]

    def silence(self, begin, end):
        self.rows = [(at, 0 if begin <= at < end else count) for at, count in self.rows]

    def write(self, path):
        lines = ["colour,answered_flows,scope,remark,time"]
        for at, count in self.rows:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime(T0 + at))
            lines += [f"red,{count},all,,{stamp}", f"blue,{count}.0,prefix:175.45.176.0/24,x,{stamp}"]
        path.write_text("\n".join(lines) + "\n")
        return path


def actions(events):
    return [event["event"]["action"] for event in events]


def test_a_table_of_another_tool_is_read_and_given_back(lightsout, tmp_path):
    table = Table()
    lightsout("-b", table.write(tmp_path / "table"), "--bins", tmp_path / "bins.csv", "--events", tmp_path / "events.ndjson")
    run = Told(subprocess.CompletedProcess([], 0, "", ""), tmp_path)
    assert run.times == [instant(at) for at, _ in table.rows]
    for at, count in table.rows:
        for scope in ("all", "prefix:175.45.176.0/24"):
            row = run.row(scope, at)
            assert row["answered_flows"] == str(count)
            assert {row[name] for name in [*COUNTS, "drops"] if name != "answered_flows"} == {""}
    assert run.events == []
    assert run.row("all", table.rows[-1][0])["state"] == "up"


def test_silence_in_a_table_is_an_outage(lightsout, tmp_path):
    table = Table()
    table.silence(30 * 3600, 34 * 3600)
    lightsout("-b", table.write(tmp_path / "table"), "--events", tmp_path / "events", "-q")
    events = read_events(tmp_path / "events")
    assert actions(events).count("outage-started") == actions(events).count("outage-ended") == 1
    assert {event["outage"]["scope"] for event in events} == {"all"}
    # Nothing in it says whether the sensor saw.
    assert {event["outage"]["control"] for event in events} == {"none"}
    assert {event["outage"]["cause"]["verdict"] for event in events} == {"unknown"}
    assert events[0]["@timestamp"] > events[0]["outage"]["onset"]


def test_absent_rows_are_no_silence(lightsout, tmp_path):
    table = Table()
    table.drop(30 * 3600, 34 * 3600)
    lightsout("-b", table.write(tmp_path / "table"), "--events", tmp_path / "events.ndjson", "--bins", tmp_path / "bins.csv", "-q")
    run = Told(subprocess.CompletedProcess([], 0, "", ""), tmp_path)
    assert run.events == []
    assert run.times == [instant(at) for at, _ in table.rows]


def test_a_table_cut_off_within_a_row_keeps_what_was_read(lightsout, tmp_path):
    table = Table()
    table.silence(30 * 3600, 34 * 3600)
    path = table.write(tmp_path / "table")
    path.write_text(path.read_text()[:-30])
    done = lightsout("-b", path, "--events", tmp_path / "events", "-q", status=1)
    assert f"table:{2 * len(table.rows) + 1}" in done.stderr
    assert actions(read_events(tmp_path / "events")).count("outage-ended") == 1


def test_a_table_in_bins_of_a_second(lightsout, tmp_path):
    (tmp_path / "table").write_text("time,scope,flows\n" + "".join(f"{T0 + i},all,{i}\n" for i in range(5)))
    lightsout("-b", tmp_path / "table", "--bins", tmp_path / "bins.csv", "--events", tmp_path / "events.ndjson")
    run = Told(subprocess.CompletedProcess([], 0, "", ""), tmp_path)
    assert [int(run.row("all", i)["flows"]) for i in range(5)] == [0, 1, 2, 3, 4]


# ---- options ----

def test_a_filter_takes_away_before_anything_is_counted(told):
    run = told([*handshake(0), (1, udp(CLIENT, 1, "175.45.176.15", 53)), (2, other())], "-f", "tcp port 443")
    run.has("all", flows=1, packets_in=2, packets_out=1)
    run.has("tap", packets_in=0)
    run.has("service:ns1.kptc.kp", only=True)


def test_version_help_and_check(lightsout):
    assert lightsout("-V").stdout.startswith("lightsout ") and lightsout("--version").stdout == lightsout("-V").stdout
    text = lightsout("-h").stdout
    assert text == lightsout("--help").stdout
    for option in ("--read", "--interface", "--read-bins", "--config", "--check", "--watch", "--watch-from", "--bin", "--filter",
                   "--events", "--bins", "--flows", "--report", "--redis", "--speed", "--sensor", "--progress", "--quiet",
                   "--verbose", "--version", "--help"):
        assert option in text, option
    check = lightsout("-T").stdout
    assert check == lightsout("--check").stdout
    for cidr in ("175.45.176.0/24", "210.52.109.0/24", "188.43.136.0/24", "77.94.35.0/24"):
        assert f"[watch {cidr}]" in check
    assert "tier = historic" in check and "enabled = no" in check


def test_what_check_prints_is_a_configuration(lightsout, tmp_path):
    (tmp_path / "printed").write_text(lightsout("-T").stdout)
    strip = lambda text: [line.split("  # ")[0] for line in text.splitlines() if line[:1] != "#"]
    assert strip(lightsout("-T", "-c", tmp_path / "printed").stdout) == strip(lightsout("-T").stdout)


def test_events_are_appended_and_bins_and_flows_written_anew(lightsout, tmp_path):
    made = pcap(tmp_path / "made.pcap", handshake(0))
    for name in ("events", "bins", "flows"):
        (tmp_path / name).write_text("{}\n")
    lightsout("-r", made, "--events", tmp_path / "events", "--bins", tmp_path / "bins", "--flows", tmp_path / "flows")
    assert (tmp_path / "events").read_text() == "{}\n"
    assert (tmp_path / "bins").read_text().startswith("time,")
    assert (tmp_path / "flows").read_text().count("\n") == 1


def test_a_summary_unless_events_go_to_standard_output(lightsout, tmp_path):
    made = pcap(tmp_path / "made.pcap", handshake(0))
    assert "3" in lightsout("-r", made).stdout
    assert lightsout("-r", made, "--events", "-").stdout == ""
    assert lightsout("-r", made, "-q").stdout == ""


# ---- events ----

def synth(tmp_path_factory, name):
    path = tmp_path_factory.mktemp(name) / f"{name}.pcap"
    subprocess.run([SYNTH, "--pcap", path, TOP / "tests" / "synth" / f"{name}.ini"], check=True)
    return path


@pytest.fixture(scope="session")
def tap_fault_day(tmp_path_factory):
    return synth(tmp_path_factory, "tap-fault-day")


@pytest.fixture(scope="session")
def unicom_down(tmp_path_factory):
    return synth(tmp_path_factory, "unicom-down")


@pytest.fixture(scope="session")
def quiet_day(tmp_path_factory):
    return synth(tmp_path_factory, "quiet-day")


@pytest.fixture(scope="session")
def schema():
    return jsonschema.Draft202012Validator(json.loads((TOP / "samples" / "events.schema.json").read_text()))


def test_a_blind_sensor_is_told_and_never_as_an_outage(told, tap_fault_day, schema):
    run = told(tap_fault_day)
    assert actions(run.events) == ["sensor-impaired", "sensor-restored"] * (len(run.events) // 2) and run.events
    for event in run.events:
        schema.validate(event)
        assert event["event"]["kind"] == "state" and event["observer"]["name"] == "test"
        assert 0 <= event["event"]["severity"] <= 100
    impaired, restored = run.events[:2]
    assert "2025-09-02T18:10:20" <= impaired["@timestamp"] <= "2025-09-02T18:50:20"
    assert "2025-09-02T18:50:20" <= restored["@timestamp"] <= "2025-09-02T19:10"
    assert impaired["event"]["id"] != restored["event"]["id"]
    blind = [row for row in run.rows if "2025-09-02T18:20" <= row["time"] < "2025-09-02T18:50"]
    assert {row["state"] for row in blind if row["scope"] in ("all", "tap")} == {"blind"}
    assert not {row["state"] for row in blind} & {"down", "recovering"}
    assert "sensor" in run.out and "none was told" in run.out


def test_one_path_down_is_one_episode_of_that_path(told, unicom_down, schema):
    run = told(unicom_down)
    outages = [event for event in run.events if event["event"]["kind"] == "alert"]
    assert actions(outages).count("outage-started") == 1 and actions(outages).count("outage-ended") == 1
    assert {event["outage"]["id"] for event in outages} == {outages[0]["outage"]["id"]}
    assert {event["outage"]["scope"] for event in outages} == {"path:china-unicom"}
    assert {event["outage"]["cause"]["verdict"] for event in outages} <= {"upstream", "unknown"}
    assert outages == run.events  # and the sensor is not blamed
    assert len({event["event"]["id"] for event in outages}) == len(outages)
    for event in outages:
        schema.validate(event)
        assert event["outage"]["onset"] <= event["@timestamp"]
    assert "2025-09-02T19:07:33" < outages[0]["@timestamp"] < "2025-09-02T19:40"
    kinds = [(event["event"]["kind"], event["event"]["type"]) for event in outages]
    assert kinds[0] == ("alert", ["start"]) and kinds[-1] == ("alert", ["end"])
    assert ["end" in event["outage"] for event in outages] == [False] * (len(outages) - 1) + [True]
    down = run.by_key["path:china-unicom", "2025-09-02T20:30:00Z"]
    assert down["state"] == "down" and run.by_key["all", "2025-09-02T20:30:00Z"]["state"] != "down"
    assert run.by_key["path:transtelecom", "2025-09-02T20:30:00Z"]["state"] == "up"


def test_a_quiet_day_has_no_events(told, quiet_day):
    run = told(quiet_day)
    assert run.events == [] and "none was told" in run.out
    assert {row["state"] for row in run.rows} <= {"learning", "up", "suspect"}


def test_identities_are_the_same_when_the_same_input_is_read_again(told, unicom_down):
    first, second = told(unicom_down), told(unicom_down)
    assert first.events == second.events and first.rows == second.rows and first.flows == second.flows
