# SPDX-License-Identifier: BSD-3-Clause
"""Flows and host names as others see them: tshark, argus and ndpiReader over the same packets."""

import collections
import csv
import json
import shutil
import struct
import subprocess

import pytest

PACKETS = 60000
WATCHED = ("175.45.176.", "175.45.177.", "175.45.178.", "175.45.179.", "210.52.109.")


@pytest.fixture(scope="module")
def capture(sample_pcap, tmp_path_factory):
    """The sample's first hours, which other tools take seconds for."""
    data = sample_pcap.read_bytes()
    end = 24
    for _ in range(PACKETS):
        end += 16 + struct.unpack_from("<I", data, end + 8)[0]
    path = tmp_path_factory.mktemp("peers") / "hours.pcap"
    path.write_bytes(data[:end])
    return path


@pytest.fixture(scope="module")
def flows(capture, tmp_path_factory):
    from conftest import LIGHTSOUT

    path = tmp_path_factory.mktemp("flows") / "flows.ndjson"
    subprocess.run([LIGHTSOUT, "-q", "-r", capture, "--flows", path], check=True)
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_watched(*addresses):
    return any(address.startswith(WATCHED) for address in addresses)


def told(flows):
    """Packets by 5-tuple and direction; a 5-tuple that was used again adds up."""
    packets = collections.Counter()
    for flow in flows:
        if flow["network"]["transport"] not in ("tcp", "udp"):
            continue
        ends = [(flow[end]["ip"], flow[end]["port"]) for end in ("source", "destination")]
        packets[(flow["network"]["transport"], *ends)] += flow["source"]["packets"]
        packets[(flow["network"]["transport"], *ends[::-1])] += flow["destination"]["packets"]
    return +packets


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_flows_have_the_packets_that_tshark_gives_their_conversations(capture, flows):
    fields = ["ip.src", "tcp.srcport", "udp.srcport", "ip.dst", "tcp.dstport", "udp.dstport"]
    rows = output_of("tshark", "-n", "-r", capture, "-Y", "(tcp or udp) and not icmp", "-T", "fields",
                     *(word for field in fields for word in ("-e", field)))
    seen = collections.Counter()
    for row in rows.splitlines():
        source, tcp_from, udp_from, target, tcp_to, udp_to = row.split("\t")
        if is_watched(source, target):
            kind = "tcp" if tcp_from else "udp"
            seen[(kind, (source, int(tcp_from or udp_from)), (target, int(tcp_to or udp_to)))] += 1
    assert len(seen) > 5000
    assert told(flows) == seen


@pytest.mark.skipif(not shutil.which("argus") or not shutil.which("ra"), reason="argus is not installed")
def test_flows_have_the_packets_that_argus_gives_them(capture, flows, tmp_path):
    subprocess.run(["argus", "-X", "-r", capture, "-w", tmp_path / "argus"], check=True, capture_output=True, timeout=300)
    rows = output_of("ra", "-n", "-r", tmp_path / "argus", "-c", ",", "-s", "proto", "saddr", "sport", "daddr", "dport",
                     "spkts", "dpkts", "-", "tcp", "or", "udp")
    seen = collections.Counter()
    for row in csv.reader(rows.splitlines()):
        if len(row) != 7 or row[0].strip() not in ("tcp", "udp") or not is_watched(row[1].strip(), row[3].strip()):
            continue
        kind, source, source_port, target, target_port, there, back = (cell.strip() for cell in row)
        ends = [(source, int(source_port, 0)), (target, int(target_port, 0))]
        seen[(kind, *ends)] += int(there)
        seen[(kind, *ends[::-1])] += int(back)
    assert len(seen) > 5000
    assert told(flows) == +seen


@pytest.mark.skipif(not shutil.which("ndpiReader"), reason="ndpiReader is not installed")
def test_host_names_are_those_that_ndpireader_finds(capture, flows, tmp_path):
    subprocess.run(["ndpiReader", "-i", capture, "-C", tmp_path / "ndpi.csv"], check=True, capture_output=True, timeout=300)
    theirs, ours = collections.defaultdict(set), collections.defaultdict(set)
    with (tmp_path / "ndpi.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            asked = "SMTP" not in row["ndpi_proto"]  # its name is what a server calls itself
            if asked and row["server_name_sni"] and is_watched(row["src_ip"], row["dst_ip"]):
                ends = frozenset([(row["src_ip"], int(row["src_port"])), (row["dst_ip"], int(row["dst_port"]))])
                theirs[ends].add(row["server_name_sni"].lower())
    for flow in flows:
        if "domain" in flow["destination"]:
            ends = frozenset((flow[end]["ip"], flow[end]["port"]) for end in ("source", "destination"))
            ours[ends].add(flow["destination"]["domain"])
    assert len(theirs) > 500
    assert ours == theirs
