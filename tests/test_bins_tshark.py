# SPDX-License-Identifier: BSD-3-Clause
"""Bins against an independent count: tshark reads the packets, and a plain reading of the rules counts them here."""

import calendar
import csv
import ipaddress
import shutil
import subprocess
import time
from collections import defaultdict

import pytest

PREFIXES = [ipaddress.ip_network(text) for text in
            ("175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24", "210.52.109.0/24")]
UNCOUNTED = {"210.52.109.0/24"}
PATHS = {"175.45.176.0/24": "china-unicom", "175.45.179.0/24": "china-unicom", "175.45.177.0/24": "transtelecom"}
SERVICES = {("175.45.176.15", 53): "ns1.kptc.kp", ("175.45.176.16", 53): "ns2.kptc.kp", ("175.45.176.71", 80): "kcna.kp",
            ("175.45.176.71", 443): "kcna.kp", ("175.45.176.20", 25): "mx-20", ("175.45.178.56", 25): "mx-178",
            ("175.45.178.57", 25): "mx-178", ("175.45.178.56", 587): "mx-178", ("175.45.178.57", 587): "mx-178"}
FIELDS = ["frame.time_epoch", "ip.src", "ip.dst", "ip.len", "ip.proto", "ip.frag_offset", "tcp.srcport", "tcp.dstport",
          "tcp.flags", "udp.srcport", "udp.dstport", "icmp.type", "icmp.ident"]
MEASURES = ["flows", "live_flows", "answered_flows", "packets_in", "packets_out", "bytes_in", "bytes_out", "hosts",
            "peers", "syn_in", "icmp_errors", "live_bursts", "answered_bursts"]
ICMP_ERRORS = {"3", "4", "11", "12"}
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


class Count:
    """The rules of the bins, in the plainest way: no bounds, no speed."""

    def __init__(self):
        self.rows = defaultdict(lambda: defaultdict(int))
        self.seen = defaultdict(set)
        self.flows = {}
        self.bursts = {}

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
        first, began, count = self.bursts.get(triple, (now_ns, None, 0))
        lasts = BURST_NS if count < 4 else min(BURST_NS, (began - first) // (count - 1) // 16)
        begins = began is None or now_ns - began >= lasts
        if begins:
            self.bursts[triple] = first, now_ns, count + 1
        return begins

    def packet(self, fields):
        now = float(fields["frame.time_epoch"])
        minute = int(now // 60) * 60
        sources, destinations = fields["ip.src"].split(","), fields["ip.dst"].split(",")
        source, destination = sources[0], destinations[0]
        is_error = fields["icmp.type"].split(",")[0] in ICMP_ERRORS
        if is_error and len(destinations) > 1:
            self.add(minute, self.scopes(destinations[1]), "icmp_errors")
        out, into = self.scopes(source) if source else [], self.scopes(destination) if destination else []
        length = int(fields["ip.len"].split(",")[0] or 0)
        if not out and not into:
            self.add(minute, ["tap"], "packets_in")
            self.add(minute, ["tap"], "bytes_in", length)
            return
        server = self.flow(now, minute, fields, source, destination, out, into) if not is_error else None
        if "all" in out and "all" in into:
            into.remove("all")
        for scope, side in ((server, out), (server, into)):
            if scope and (scope[1] == source) == (side is out):
                side.append("service:" + scope[0])
        for scopes, direction in ((out, "out"), (into, "in")):
            self.add(minute, scopes, "packets_" + direction)
            self.add(minute, scopes, "bytes_" + direction, length)
        self.distinct(minute, out, "hosts", source)
        self.distinct(minute, out, "peers", destination)
        self.distinct(minute, into, "peers", source)
        if fields["tcp.flags"] and int(fields["tcp.flags"].split(",")[0], 16) & 0x17 == 0x02:
            self.add(minute, into, "syn_in")

    def flow(self, now, minute, fields, source, destination, out, into):
        if fields["ip.frag_offset"].split(",")[0] not in ("0", ""):
            return None
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
            flow = self.flows[key] = {"closed": False, "spoke": set(), "answered": False,
                                      "asked": self.asked(fields, port("srcport" if flags & 0x17 == 0x12 else "dstport")),
                                      "service": (SERVICES[watched[0]], watched[0][0]) if watched else None}
        scopes = set(out) | set(into) | ({"service:" + flow["service"][0]} if flow["service"] else set())
        if started:
            self.add(minute, scopes, "flows")
        flow["last"] = now
        flow["closed"] |= bool(flags & 0x05)
        if source not in flow["spoke"]:
            flow["spoke"].add(source)
            live = set(out)
            if flow["service"] and flow["service"][1] == source:
                live.add("service:" + flow["service"][0])
            self.add(minute, live, "live_flows")
            now_ns = nanoseconds(fields["frame.time_epoch"])
            if out and self.burst(now_ns, "live", source, destination, flow["asked"]):
                self.add(minute, live, "live_bursts")
            if len(flow["spoke"]) == 2:
                self.add(minute, scopes, "answered_flows")
                host, peer = (source, destination) if out else (destination, source)
                assert not (out and into)  # the sample has no flow between two watched hosts
                if self.burst(now_ns, "answered", host, peer, flow["asked"]):
                    self.add(minute, scopes, "answered_bursts")
        return flow["service"]

    @staticmethod
    def asked(fields, port):
        """The service as bursts know it: the protocol, with the responder's port or the ICMP family."""
        kind = fields["icmp.type"].split(",")[0]
        return fields["ip.proto"].split(",")[0], ICMP_FAMILY.get(kind, kind) or port


def compare(count, path):
    checked = 0
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            minute = calendar.timegm(time.strptime(row["time"], "%Y-%m-%dT%H:%M:%SZ"))
            scope = row["scope"]
            if scope.startswith("service:") and scope[8:] not in SERVICES.values():
                continue
            expected = count.rows.pop((minute, scope), {})
            got = {measure: int(row[measure]) for measure in MEASURES}
            assert got == {measure: expected.get(measure, 0) for measure in MEASURES}, (row["time"], scope)
            checked += 1
    left = {key: dict(value) for key, value in count.rows.items() if any(value.values())}
    assert not left  # nothing that the witness counted lacks a row
    return checked


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
def test_every_bin_of_the_sample_is_what_tshark_sees(lightsout, sample_pcap, tmp_path):
    lightsout("-r", sample_pcap, "-q", "--bins", tmp_path / "bins.csv")
    count = Count()
    for fields in read_packets(sample_pcap):
        count.packet(fields)
    assert compare(count, tmp_path / "bins.csv") > 48 * 60 * 10
