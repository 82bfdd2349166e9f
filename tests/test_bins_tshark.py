# SPDX-License-Identifier: BSD-3-Clause
"""Bins against an independent count: tshark reads the packets, and a plain reading of the rules counts them here."""

import calendar
import csv
import ipaddress
import random
import shutil
import subprocess
import time
from collections import Counter, defaultdict

import pytest
from test_contract import CLIENT, KCNA, OTHER, T0, frame, pcap

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, TCPerror
from scapy.packet import Raw

PREFIXES = [ipaddress.ip_network(text) for text in
            ("175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24", "210.52.109.0/24")]
UNCOUNTED = {"210.52.109.0/24"}
PATHS = {"175.45.176.0/24": "china-unicom", "175.45.179.0/24": "china-unicom", "175.45.177.0/24": "transtelecom"}
SERVICES = {("175.45.176.15", 53): "ns1.kptc.kp", ("175.45.176.16", 53): "ns2.kptc.kp", ("175.45.176.71", 80): "kcna.kp",
            ("175.45.176.71", 443): "kcna.kp", ("175.45.176.20", 25): "mx-20", ("175.45.178.56", 25): "mx-178",
            ("175.45.178.57", 25): "mx-178", ("175.45.178.56", 587): "mx-178", ("175.45.178.57", 587): "mx-178"}
FIELDS = ["frame.time_epoch", "ip.src", "ip.dst", "ip.len", "ip.proto", "ip.frag_offset", "tcp.srcport", "tcp.dstport",
          "tcp.flags", "udp.srcport", "udp.dstport", "icmp.type", "icmp.ident", "icmp.code", "ip.ttl", "tcp.seq_raw",
          "tcp.ack_raw", "tcp.len"]
BASIC = ["flows", "live_flows", "answered_flows", "packets_in", "packets_out", "bytes_in", "bytes_out", "hosts",
         "peers", "syn_in", "icmp_errors", "live_bursts", "answered_bursts"]
ICMP_KINDS = ["icmp_unreachable", "icmp_prohibited", "icmp_exceeded", "icmp_own", "icmp_no_route"]
FURTHER = ["handshakes", "handshake_us", "answered_hops", "retransmits_in", "retransmits_out", "unseen_acks_in",
           "unseen_acks_out", "acked_flows", *ICMP_KINDS, "reflected_in", "oneway_out", "proven_flows", "proven_bursts", "knocks"]
MEASURES = BASIC + FURTHER + ["control"]
ICMP_ERRORS = {"3", "4", "11", "12"}
UNREACHABLE, PROHIBITED, NO_ROUTE = {0, 1, 5, 6, 7, 8, 11, 12}, {9, 10, 13}, {0, 5, 6, 11}
ROUTERS = {"103.35.255.254": "path:china-unicom", "188.43.225.153": "path:transtelecom"}
REFLECTORS = {17, 19, 53, 111, 123, 137, 161, 389, 427, 520, 1604, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810}
FIN, SYN, RST, ACK = 1, 2, 4, 16
LEAP, REACH = 1 << 24, 1 << 16
FLOW_TIMEOUT_S = 120
BURST_NS = 60 * 10**9
ICMP_FAMILY = {"0": "8", "14": "13", "16": "15", "18": "17"}  # replies belong to their requests


def prefix_of(address):
    if not address.startswith(("175.45.", "210.52.")):
        return None
    for prefix in PREFIXES:
        if ipaddress.ip_address(address) in prefix:
            return str(prefix)
    return None


def nanoseconds(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])


def read_packets(path):
    command = ["tshark", "-r", path, "-n", "-T", "fields", "-E", "occurrence=a", "-E", "separator=/t"]
    for field in FIELDS:
        command += ["-e", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            yield dict(zip(FIELDS, line.rstrip("\n").split("\t")))
    assert process.returncode == 0


class Side:
    """One side of a connection as the witness holds it: every byte that was seen, in numbers that never wrap."""

    def __init__(self):
        self.seen, self.highest, self.bare, self.first = [], None, False, None
        self.ack, self.opened, self.syns, self.spoke = None, False, set(), False

    def number(self, raw):
        if self.highest is None:
            return raw
        return self.highest + ((raw - self.highest + 2**31) % 2**32 - 2**31)

    def holds(self, begin, end):
        for seen_begin, seen_end in sorted(self.seen):
            if seen_begin <= begin < seen_end:
                begin = seen_end
        return begin >= end

    def begin(self):
        self.seen, self.highest = [], None


class Connection:
    """What the segments of one flow prove, from the words of the README and tcp.h alone."""

    def __init__(self):
        self.sides, self.asked = defaultdict(Side), None

    def segment(self, source, destination, fields, now_ns):
        """The news of a segment: a set of retransmit, unseen_ack, proof, heard, and the round trip in microseconds."""
        first = lambda name: int(fields[name].split(",")[0])
        flags, news = int(fields["tcp.flags"].split(",")[0], 16), set()
        own, other = self.sides[source], self.sides[destination]
        if flags & ACK and other.highest is not None:
            ack = other.number(first("tcp.ack_raw"))
            if max(other.first, other.highest - REACH - 1) < ack <= other.highest:
                news.add("heard")
        if flags & RST:
            self.asked = None
            return news, None
        round_trip = self.answer(source, flags, first("tcp.ack_raw"), now_ns) if flags & ACK else None
        if flags & ACK:
            self.acknowledge(own, other, flags, first("tcp.ack_raw"), news)
        if self.asked is not None and self.asked[0] == source:
            self.asked = None
        raw, length = first("tcp.seq_raw"), first("tcp.len") + bool(flags & SYN) + bool(flags & FIN)
        if flags & SYN and raw not in own.syns:
            own.begin()
            own.syns.add(raw)
            own.ack, own.opened = (own.ack, own.opened) if flags & ACK else (None, True)
            self.asked = source, raw, length, bool(flags & ACK), now_ns
        if self.repeats(own, own.number(raw), length, flags):
            news.add("retransmit")
        return news, round_trip

    def answer(self, source, flags, ack, now_ns):
        if self.asked is None or self.asked[0] == source:
            return None
        _, raw, length, was_syn_ack, asked_ns = self.asked
        if not 0 < (ack - raw) % 2**32 <= length:
            return None
        self.asked = None
        return (now_ns - asked_ns) // 1000 if bool(flags & SYN) != was_syn_ack else None

    @staticmethod
    def acknowledge(own, other, flags, raw, news):
        rise = None if own.ack is None else (raw - own.ack + 2**31) % 2**32 - 2**31
        rises = rise is not None and 0 < rise <= LEAP
        proves = not flags & SYN and (rises or (rise is None and own.opened))
        if proves:
            news.add("proof")
        if other.highest is not None:
            ack = other.number(raw)
            since = min([begin for begin, _ in other.seen] or [other.highest + other.bare])
            if rises:
                since = max(since, ack - rise)
            if (rises or rise is None) and since < ack <= other.highest + LEAP and not other.holds(since, ack):
                news.add("unseen_ack")
        elif proves and not other.spoke:
            news.add("unseen_ack")
        if rise is None or flags & SYN or rise > 0 or rise < -LEAP:
            own.ack = raw

    @staticmethod
    def repeats(own, begin, length, flags):
        end = begin + length
        if own.highest is None:
            own.highest, own.bare, own.first = end, length == 0, begin
        if length == 0:
            return False
        keep_alive = length == 1 and end == own.highest and not flags & (SYN | FIN)
        repeated = own.holds(begin, end) and not keep_alive
        own.seen.append((begin, end))
        if end > own.highest:
            own.highest, own.bare = end, False
        return repeated


class Count:
    """The rules of the bins, in the plainest way: no bounds, no speed."""

    def __init__(self):
        self.rows = defaultdict(lambda: defaultdict(int))
        self.seen = defaultdict(set)
        self.flows = {}
        self.bursts = {}
        self.all_signs = {}

    def add(self, minute, scopes, measure, number=1):
        for scope in scopes:
            self.rows[minute, scope][measure] += number

    def distinct(self, minute, scopes, measure, address):
        for scope in scopes:
            if address not in self.seen[minute, scope, measure]:
                self.seen[minute, scope, measure].add(address)
                self.rows[minute, scope][measure] += 1

    def scopes(self, address):
        prefix = prefix_of(address)
        if prefix is None:
            return []
        found = ["prefix:" + prefix]
        if prefix in PATHS:
            found.append("path:" + PATHS[prefix])
        return found + (["all"] if prefix not in UNCOUNTED else [])

    def burst(self, now_ns, sign, host, peer, service):
        """Whether the sign of life begins a burst of its triple."""
        triple = sign, host, ipaddress.ip_network(peer + "/24", strict=False), service
        first, began, signs = self.bursts.get(triple, (now_ns, None, 0))
        signs += 1
        began_all, all_signs = self.all_signs.get(sign, (now_ns, 0))
        all_signs += 1
        self.all_signs[sign] = began_all, all_signs
        distance = (now_ns - began_all) // all_signs + BURST_NS // all_signs
        most = 16 * distance if distance < BURST_NS // 16 else BURST_NS
        lasts = min(most, (now_ns - first) // (signs + 8) // 16 + most * 8 // (signs + 8))
        begins = began is None or now_ns - began >= lasts
        self.bursts[triple] = first, now_ns if begins else began, signs
        return begins

    def packet(self, fields):
        now = float(fields["frame.time_epoch"])
        minute = int(now // 60) * 60
        sources, destinations = fields["ip.src"].split(","), fields["ip.dst"].split(",")
        source, destination = sources[0], destinations[0]
        is_error = fields["icmp.type"].split(",")[0] in ICMP_ERRORS
        if is_error and len(destinations) > 1:
            self.error(minute, fields, source, self.scopes(destinations[1]))
        out, into = self.scopes(source) if source else [], self.scopes(destination) if destination else []
        length = int(fields["ip.len"].split(",")[0] or 0)
        if not out and not into:
            self.add(minute, ["tap"], "packets_in")
            self.add(minute, ["tap"], "control")
            self.add(minute, ["tap"], "bytes_in", length)
            return
        server, news = self.flow(now, minute, fields, source, destination, out, into) if not is_error else (None, set())
        if "all" in out and "all" in into:
            into.remove("all")
        for scope, side in ((server, out), (server, into)):
            if scope and (scope[1] == source) == (side is out):
                side.append("service:" + scope[0])
        for scopes, direction in ((out, "out"), (into, "in")):
            self.add(minute, scopes, "packets_" + direction)
            self.add(minute, scopes, "bytes_" + direction, length)
            for kind in news & {"retransmit", "unseen_ack"}:
                self.add(minute, scopes, f"{kind}s_{direction}")
        if "alone" in news:
            self.add(minute, out, "oneway_out")
        if "alone" in news and fields["udp.srcport"] and int(fields["udp.srcport"].split(",")[0]) in REFLECTORS:
            self.add(minute, into, "reflected_in")
        self.distinct(minute, out, "hosts", source)
        self.distinct(minute, out, "peers", destination)
        self.distinct(minute, into, "peers", source)
        if fields["tcp.flags"] and int(fields["tcp.flags"].split(",")[0], 16) & 0x17 == 0x02:
            self.add(minute, into, "syn_in")

    def error(self, minute, fields, source, scopes):
        kind, code = int(fields["icmp.type"].split(",")[0]), int(fields["icmp.code"].split(",")[0])
        self.add(minute, scopes, "icmp_errors")
        if self.scopes(source):
            self.add(minute, scopes, "icmp_own")
            return
        if scopes and source in ROUTERS:
            scopes = set(scopes) | {ROUTERS[source]}
        if kind == 3 and code in UNREACHABLE:
            self.add(minute, scopes, "icmp_unreachable")
            if code in NO_ROUTE:
                self.add(minute, scopes, "icmp_no_route")
        elif kind == 3 and code in PROHIBITED:
            self.add(minute, scopes, "icmp_prohibited")
        elif (kind, code) == (11, 0):
            self.add(minute, scopes, "icmp_exceeded")

    def flow(self, now, minute, fields, source, destination, out, into):
        if fields["ip.frag_offset"].split(",")[0] not in ("0", ""):
            return None, set()
        port = lambda name: int((fields["tcp." + name] or fields["udp." + name]).split(",")[0] or 0)
        ident = fields["icmp.ident"].split(",")[0]
        ends = sorted([(source, port("srcport")), (destination, port("dstport"))])
        key = (*ends, fields["ip.proto"].split(",")[0], ident)
        flags = int(fields["tcp.flags"].split(",")[0], 16) if fields["tcp.flags"] else 0
        flow = self.flows.get(key)
        bare_syn = flags & 0x17 == 0x02
        started = flow is None or now - flow["last"] > FLOW_TIMEOUT_S or (bare_syn and flow["closed"])
        if started:
            watched = [(a, p) for a, p in ((destination, port("dstport")), (source, port("srcport"))) if (a, p) in SERVICES]
            flow = self.flows[key] = {"closed": False, "spoke": set(), "answered": False, "ttl": {}, "acked": False,
                                      "connection": Connection(), "proven": False,
                                      "asker": source if self.is_question(fields, flags, port("srcport")) else None,
                                      "asked": self.asked(fields, port("srcport" if flags & 0x17 == 0x12 else "dstport")),
                                      "service": (SERVICES[watched[0]], watched[0][0]) if watched else None}
        scopes = set(out) | set(into) | ({"service:" + flow["service"][0]} if flow["service"] else set())
        if started:
            self.add(minute, scopes, "flows")
            if into and flow["asker"]:
                self.add(minute, scopes, "knocks")
        flow["last"] = now
        flow["ttl"][source] = int(fields["ip.ttl"].split(",")[0])
        now_ns = nanoseconds(fields["frame.time_epoch"])
        flow["closed"] |= bool(flags & 0x05)
        if source not in flow["spoke"]:
            flow["spoke"].add(source)
            live = set(out)
            if flow["service"] and flow["service"][1] == source:
                live.add("service:" + flow["service"][0])
            self.add(minute, live, "live_flows")
            if out and self.burst(now_ns, "live", source, destination, flow["asked"]):
                self.add(minute, live, "live_bursts")
            if len(flow["spoke"]) == 2:
                self.add(minute, scopes, "answered_flows")
                host, peer = (source, destination) if out else (destination, source)
                assert not (out and into)  # there is no flow between two watched hosts here
                ttl = flow["ttl"][host]
                self.add(minute, scopes, "answered_hops", min(top for top in (32, 64, 128, 255) if top >= ttl) - ttl)
                if self.burst(now_ns, "answered", host, peer, flow["asked"]):
                    self.add(minute, scopes, "answered_bursts")
        news = set() if flow["spoke"] - {source} else {"alone"}
        if fields["tcp.flags"]:
            told, round_trip = flow["connection"].segment(source, destination, fields, now_ns)
            flow["connection"].sides[source].spoke = True
            news |= told
            if out and round_trip is not None:
                self.add(minute, scopes, "handshakes")
                self.add(minute, scopes, "handshake_us", round_trip)
            if into and "proof" in told and not flow["acked"]:
                flow["acked"] = True
                self.add(minute, scopes, "acked_flows")
        if "alone" in news:
            proves = self.is_answer(fields, flags, news, port("srcport"), port("dstport"))
        else:
            proves = "heard" in news if fields["tcp.flags"] else flow["asker"] not in (None, source)
        if out and proves and not flow["proven"]:
            flow["proven"] = True
            self.add(minute, scopes, "proven_flows")
            if self.burst(now_ns, "proven", source, destination, flow["asked"]):
                self.add(minute, scopes, "proven_bursts")
        return flow["service"], news

    @staticmethod
    def is_question(fields, flags, port):
        """Whether a flow's first packet asks, and does not look like an answer to what was missed."""
        if fields["tcp.flags"]:
            return not flags & RST and flags & 0x17 != 0x12
        if fields["udp.srcport"]:
            return port not in REFLECTORS
        return fields["icmp.type"].split(",")[0] not in ICMP_FAMILY

    @staticmethod
    def is_answer(fields, flags, news, source, destination):
        """Whether a packet that stands alone is an answer to what the tap did not see."""
        if fields["tcp.flags"]:
            return flags & 0x17 == 0x12 or "proof" in news
        if fields["udp.srcport"]:
            return source in REFLECTORS and destination not in REFLECTORS
        return fields["icmp.type"].split(",")[0] in ICMP_FAMILY

    @staticmethod
    def asked(fields, port):
        """The service as bursts know it: the protocol, with the responder's port or the ICMP family."""
        kind = fields["icmp.type"].split(",")[0]
        return fields["ip.proto"].split(",")[0], ICMP_FAMILY.get(kind, kind) or port


def unknown_of(scope):
    """The measures that a scope cannot know: empty cells."""
    if scope == "tap":
        return set(FURTHER)
    return {"control"} | (set(ICMP_KINDS) if scope.startswith("service:") else set())


def compare(count, path):
    checked = 0
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            minute = calendar.timegm(time.strptime(row["time"], "%Y-%m-%dT%H:%M:%SZ"))
            scope = row["scope"]
            if scope.startswith("service:") and scope[8:] not in SERVICES.values():
                continue
            expected = count.rows.pop((minute, scope), {})
            got = {measure: int(row[measure] or -1) for measure in MEASURES}
            wanted = {measure: expected.get(measure, 0) for measure in MEASURES} | dict.fromkeys(unknown_of(scope), -1)
            assert got == wanted, (row["time"], scope)
            checked += 1
    left = {key: dict(value) for key, value in count.rows.items() if any(value.values())}
    assert not left  # nothing that the witness counted lacks a row
    return checked


needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")


@needs_tshark
def test_every_bin_of_the_sample_is_what_tshark_sees(lightsout, sample_pcap, tmp_path):
    lightsout("-r", sample_pcap, "-q", "--bins", tmp_path / "bins.csv")
    count = Count()
    for fields in read_packets(sample_pcap):
        count.packet(fields)
    assert compare(count, tmp_path / "bins.csv") > 48 * 60 * 10


# ---- captures made here: connections with one incident each, as a tap sees them ----

def talk(rng):
    """A connection: (seconds, who, flags, sequence, acknowledgement, bytes) from each side's SYN, which is 0."""
    at, sent = 0.0, {"client": 1, "server": 1}
    yield at, "client", "S", 0, 0, 0
    yield at + 0.2903, "server", "SA", 0, 1, 0
    yield at + 0.3001, "client", "A", 1, 1, 0
    for turn in range(rng.randint(2, 5)):
        who, whom = ("client", "server") if turn % 2 == 0 else ("server", "client")
        for _ in range(rng.randint(1, 6)):
            at += 0.5
            length = rng.randint(2, 1400)
            yield at, who, "PA", sent[who], sent[whom], length
            sent[who] += length
        at += 0.4
        yield at, whom, "A", sent[whom], sent[who], 0
    for who, whom in (("client", "server"), ("server", "client")):
        at += 0.5
        yield at, who, "FA", sent[who], sent[whom], 0
        sent[who] += 1
    yield at + 0.3, "client", "A", sent["client"], sent["server"], 0


def again(segments, at, later=0.7):
    """The segment once more, after some time."""
    moment, *rest = segments[at]
    return sorted([*segments, (moment + later, *rest)], key=lambda segment: segment[0])


def data_of(segments):
    return [i for i, segment in enumerate(segments) if segment[5] > 0]


def swapped(rng, segments):
    """Two segments of one side in the wrong order."""
    pairs = [i for i in data_of(segments) if segments[i + 1][5] > 0 and segments[i + 1][1] == segments[i][1]]
    if not pairs:
        return segments
    at = rng.choice(pairs)
    one, other = segments[at], segments[at + 1]
    return segments[:at] + [(one[0], *other[1:]), (one[0] + 0.001, *one[1:])] + segments[at + 2:]


def lost(rng, segments):
    """A segment that was lost before the tap, and came later."""
    at = rng.choice(data_of(segments)[:-1])
    moment, *rest = segments[at]
    return sorted([*segments[:at], *segments[at + 1:], (moment + 0.9, *rest)], key=lambda segment: segment[0])


def kept_alive(segments):
    """The last data of the client, then a keep-alive of one byte below and its answer."""
    at, _, _, sequence, ack, _ = segments[-1]
    return segments[:-3] + [(at, "client", "A", segments[-3][3] - 1, segments[-3][4], 1),
                            (at + 0.1, "server", "A", segments[-3][4], segments[-3][3], 0)]


INCIDENTS = {
    "none": lambda rng, all_: all_,
    "syn again": lambda rng, all_: again(all_, 0, 0.25),
    "syn again late": lambda rng, all_: again(all_, 0, 0.295),
    "syn-ack again": lambda rng, all_: again(all_, 1, 0.005),
    "syn-ack missed": lambda rng, all_: all_[:1] + all_[2:],
    "data again": lambda rng, all_: again(all_, rng.choice(data_of(all_))),
    "fin again": lambda rng, all_: again(all_, -2, 0.1),
    "swapped": swapped,
    "lost before the tap": lost,
    "lost at the tap": lambda rng, all_: (lambda at: all_[:at] + all_[at + 1:])(rng.choice(data_of(all_))),
    "nothing from the server": lambda rng, all_: [segment for segment in all_ if segment[1] == "client"],
    "nothing from the client": lambda rng, all_: [segment for segment in all_ if segment[1] == "server"],
    "under way": lambda rng, all_: all_[rng.randint(3, 6):],
    "keep-alive": lambda rng, all_: kept_alive(all_),
    "cut off": lambda rng, all_: all_[:4] + [(all_[3][0] + 0.1, "server", "R", 1, 0, 0)],
    "refused": lambda rng, all_: all_[:1] + [(0.2, "server", "RA", 0, 1, 0)],
    "scanned": lambda rng, all_: all_[:2] + [(0.3, "client", "R", 1, 0, 0)],
    "forged": lambda rng, all_: all_[:2] + [(0.4, "client", "A", 1, 4711, 0)],
    "unanswered": lambda rng, all_: again(again(all_[:1], 0, 1.0), 0, 3.0),
}


def connection(rng, at, port, incident):
    """The packets of a connection to kcna.kp, or from a watched host to the outside."""
    outward = rng.random() < 0.3
    client, server = ("175.45.177.30", OTHER) if outward else (CLIENT, KCNA)
    start = {who: rng.choice([rng.getrandbits(32), 2**32 - rng.randint(1, 3000), 2**31 - rng.randint(1, 3000)])
             for who in ("client", "server")}
    ttl = {who: rng.choice([30, 44, 52, 64, 108, 120, 128, 235, 255]) for who in ("client", "server")}
    for moment, who, flags, sequence, ack, length in INCIDENTS[incident](rng, list(talk(rng))):
        whom = "server" if who == "client" else "client"
        ends = ((client, port), (server, 443))
        (source, source_port), (destination, destination_port) = ends if who == "client" else ends[::-1]
        segment = TCP(sport=source_port, dport=destination_port, flags=flags, seq=(start[who] + sequence) % 2**32,
                      ack=(start[whom] + ack) % 2**32 if "A" in flags else 0)
        yield at + moment, frame(IP(src=source, dst=destination, ttl=ttl[who]) / segment / Raw(bytes(length)))


def many_connections(path, incidents):
    """A capture of connections with incidents, ten of each kind; the kinds by their client ports."""
    rng, packets, kinds = random.Random(7), [], {}
    for number, incident in enumerate(incident for incident in incidents for _ in range(10)):
        kinds[20000 + number] = incident
        packets += connection(rng, rng.randint(0, 300000) / 1000, 20000 + number, incident)
    pcap(path, sorted(packets, key=lambda packet: packet[0]))
    return kinds


def run_against_witness(lightsout, path, folder):
    lightsout("-r", path, "-q", "--bins", folder / "bins.csv")
    count = Count()
    for fields in read_packets(path):
        count.packet(fields)
    totals = {measure: sum(row[measure] for (_, scope), row in count.rows.items() if scope == "all") for measure in MEASURES}
    assert compare(count, folder / "bins.csv") > 0
    return totals


@needs_tshark
def test_connections_with_every_kind_of_incident_are_what_tshark_sees(lightsout, tmp_path):
    many_connections(tmp_path / "a.pcap", INCIDENTS)
    totals = run_against_witness(lightsout, tmp_path / "a.pcap", tmp_path)
    for measure in [*FURTHER[:8], *FURTHER[-3:]]:
        assert totals[measure] >= 10, measure


def analysis_of(path, kinds):
    """How often tshark's own analysis says something of the connections of each kind."""
    words = ["retransmission", "out_of_order", "ack_lost_segment"]
    command = ["tshark", "-r", path, "-n", "-T", "fields", "-e", "tcp.srcport", "-e", "tcp.dstport"]
    for word in words:
        command += ["-e", "tcp.analysis." + word]
    said = {kind: Counter() for kind in INCIDENTS}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        source, destination, *cells = line.split("\t")
        said[kinds[max(int(source), int(destination))]].update(word for word, cell in zip(words, cells) if cell)
    return said


@needs_tshark
@pytest.mark.parametrize("incident", sorted(INCIDENTS))
def test_of_repeats_and_unseen_words_tshark_thinks_alike_but_where_documented(lightsout, tmp_path, incident):
    """The differences: what was not seen before is no repeat here, and is one of tshark's; a repeat that follows closely
    is tshark's "out of order"; a side of which nothing was seen gives tshark no "ACKed unseen segment"; and one loss may
    give it two."""
    kinds = many_connections(tmp_path / "a.pcap", [incident])
    lightsout("-r", tmp_path / "a.pcap", "-q", "--bins", tmp_path / "bins.csv")
    ours, theirs = Counter(), analysis_of(tmp_path / "a.pcap", kinds)[incident]
    with (tmp_path / "bins.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["scope"] == "all":
                ours.update({measure: int(row[measure + "_in"]) + int(row[measure + "_out"])
                             for measure in ("retransmits", "unseen_acks")})
    if incident == "lost before the tap":
        assert ours["retransmits"] == 0 and theirs["retransmission"] == 10
    elif incident == "data again":
        assert ours["retransmits"] == theirs["retransmission"] + theirs["out_of_order"] == 10
    else:
        assert ours["retransmits"] == theirs["retransmission"]
    if incident in ("nothing from the server", "nothing from the client", "syn-ack missed"):
        assert ours["unseen_acks"] >= 10 and theirs["ack_lost_segment"] == 0
    elif incident == "lost at the tap":
        assert ours["unseen_acks"] == 10 <= theirs["ack_lost_segment"]
    else:
        assert ours["unseen_acks"] == theirs["ack_lost_segment"]


def reports(rng):
    """ICMP errors of every kind about kcna.kp and others, from routers known and not and from hosts of their own."""
    quoted = [IPerror(src=CLIENT, dst=destination, ttl=1) / TCPerror(sport=40000, dport=80)
              for destination in (KCNA, "175.45.177.10", "175.45.178.20", "210.52.109.9", OTHER)]
    senders = [*ROUTERS, "198.51.100.77", "175.45.178.129", "175.45.176.71"]
    for kind, codes in ((3, range(16)), (4, [0]), (11, [0, 1]), (12, [0])):
        for code in codes:
            for _ in range(30):
                yield frame(IP(src=rng.choice(senders), dst=CLIENT, ttl=240) / ICMP(type=kind, code=code) / rng.choice(quoted))


def datagrams(rng):
    """Questions, answers that nobody asked for, and words that nobody answers, with every time to live."""
    for number in range(600):
        inside, port = rng.choice([KCNA, "175.45.176.15", "175.45.177.10", "175.45.178.7"]), 10000 + number
        known = rng.choice(sorted(REFLECTORS)) if rng.random() < 0.8 else rng.randint(20000, 65000)
        port = rng.choice([port, port, 53])
        forth = lambda ttl: frame(IP(src=CLIENT, dst=inside, ttl=ttl) / UDP(sport=known, dport=port) / b"x")
        back = lambda ttl: frame(IP(src=inside, dst=CLIENT, ttl=ttl) / UDP(sport=port, dport=known) / b"x")
        order = rng.choice([(forth,), (back,), (forth, forth, back, forth), (back, back, forth, back), (forth, back)])
        for send in order:
            yield send(rng.randint(0, 255))
        yield frame((IP(src=CLIENT, dst=inside) if number % 2 else IP(src=inside, dst=CLIENT)) /
                    ICMP(type=rng.choice([0, 8]), id=rng.randint(10000, 10300)))


@needs_tshark
def test_reports_reflections_and_hops_are_what_tshark_sees(lightsout, tmp_path):
    rng = random.Random(11)
    packets = [*reports(rng), *datagrams(rng)]
    pcap(tmp_path / "a.pcap", [(number * 0.05, packet) for number, packet in enumerate(packets)])
    totals = run_against_witness(lightsout, tmp_path / "a.pcap", tmp_path)
    for measure in ["answered_hops", *ICMP_KINDS, "reflected_in", "oneway_out", "proven_flows", "knocks"]:
        assert totals[measure] >= 5, measure
