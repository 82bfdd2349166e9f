# SPDX-License-Identifier: BSD-3-Clause
"""What mirrors make of traffic beside wrapping it: fragments, second copies, samples."""

import csv
import json
import random
import struct
import subprocess

import pytest
from test_contract import CLIENT, asks, frame, other, pcap, told  # noqa: F401 (told is a fixture)

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

NAME_SERVER = "175.45.176.15"


def large_answer(ident=7, port=4000):
    """An answer of a name server in three fragments."""
    whole = IP(src=NAME_SERVER, dst=CLIENT, id=ident) / UDP(sport=53, dport=port) / Raw(b"a" * 3000)
    return [frame(part) for part in fragment(whole, 1400)]


# ---- fragments ----

def test_later_fragments_count_with_the_flow_of_their_first(told):
    question = frame(IP(src=CLIENT, dst=NAME_SERVER) / UDP(sport=4000, dport=53) / DNS(qd=DNSQR(qname="kcna.kp")))
    parts = large_answer()
    run = told([(0, question), *((1 + i / 10, part) for i, part in enumerate(parts))])
    run.has("all", flows=1, answered_flows=1, packets_out=3)
    run.has("service:ns1.kptc.kp", flows=1, packets_in=1, packets_out=3, bytes_out=sum(len(part[IP]) for part in parts))
    assert [flow["destination"]["packets"] for flow in run.flows] == [3]
    assert run.flows[0]["destination"]["bytes"] == sum(len(part[IP]) for part in parts)


def test_fragments_of_ipv6_do_too(told):
    whole = IPv6(src="2001:db8:1::1", dst="2001:db8::1") / IPv6ExtHdrFragment(id=9) / UDP(sport=1, dport=53) / Raw(b"z" * 3000)
    run = told([(i / 10, frame(part)) for i, part in enumerate(fragment6(whole, 1280))], "-w", "2001:db8::/48")
    run.has("all", flows=1, packets_in=3)
    assert [flow["source"]["packets"] for flow in run.flows] == [3]


@pytest.mark.parametrize("late, joined", [(29.9, True), (30.1, False)])
def test_a_fragment_may_come_thirty_seconds_late(told, late, joined):
    first, second, third = large_answer()
    run = told([(0, first), (0.1, second), (late, third)])
    run.has("all", packets_out=3)
    run.has("service:ns1.kptc.kp", packets_out=3 if joined else 2)


def test_a_later_fragment_that_comes_first_counts_alone(told):
    first, second, third = large_answer()
    run = told([(0, third), (0.1, first), (0.2, second)])
    run.has("all", flows=1, packets_out=3)
    run.has("service:ns1.kptc.kp", packets_out=2)


def test_fragments_of_unlike_flows_are_told_apart_by_their_id(told):
    mixed = [part for pair in zip(large_answer(7, 4000), large_answer(8, 4001)) for part in pair]
    run = told([(i / 10, part) for i, part in enumerate(mixed)])
    assert sorted((flow["destination"]["port"], flow["source"]["packets"]) for flow in run.flows) == [(4000, 3), (4001, 3)]


# ---- second copies ----

def doubled(packets, share=1.0, seed=1):
    """As a mirror of ingress and egress delivers it: some packets again, half a millisecond later, one router on."""
    rng, sent = random.Random(seed), []
    for at, packet in packets:
        sent.append((at, packet))
        if rng.random() < share:
            again = packet.copy()
            again[IP].ttl -= 1
            del again[IP].chksum
            again.src, again.dst = "02:00:00:00:00:77", "02:00:00:00:00:78"
            sent.append((at + 0.0005, again))
    return sorted(sent, key=lambda packet: packet[0])


def conversations():
    """Enough watched packets for a share to be told of, each with an id of its own."""
    sent = []
    for number in range(180):
        sent += asks(number * 0.9, b"hello", client_port=40000 + number)
        sent.append((number * 0.9 + 0.03, other()))
    packets = [(at, packet.copy()) for at, packet in sorted(sent, key=lambda packet: packet[0])]
    for number, (_, packet) in enumerate(packets):
        packet[IP].id = number + 1
    return packets




def test_second_copies_are_counted_and_told_and_left_in(told):
    plain = conversations()
    once, twice = told(plain, "-v"), told(doubled(plain), "-v")
    for at in (0, 60, 120):
        for measure in ("packets_in", "packets_out"):
            assert int(twice.row("all", at)[measure]) == 2 * int(once.row("all", at)[measure])
    assert "50 % of the watched packets came a second time within 5 ms" in twice.err
    assert "deduplicate = yes" in twice.err
    assert "came a second time" not in once.err and "packets that came twice" not in once.err
    assert "1080 packets that came twice" in twice.err.replace(",", "")


def test_a_few_second_copies_are_not_worth_a_word(told):
    run = told(doubled(conversations(), 0.03), "-v")
    assert "packets that came twice" in run.err and "came a second time" not in run.err


def test_deduplicate_counts_them_once(told, tmp_path):
    config = tmp_path / "conf"
    config.write_text("[capture]\ndeduplicate = yes\n")
    plain = conversations()
    once, twice = told(plain), told(doubled(plain[:-1]) + plain[-1:], "-c", config)
    assert twice.rows == once.rows and twice.flows == once.flows
    assert "came a second time" not in twice.err


# ---- samples ----

def sample(source, target, one_in, seed):
    """One packet in so many, by chance, as a sampling mirror picks them."""
    rng, data, at = random.Random(seed), source.read_bytes(), 24
    with target.open("wb") as file:
        file.write(data[:24])
        while at < len(data):
            end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
            if rng.randrange(one_in) == 0:
                file.write(data[at:end])
            at = end
    return target


def outages(path):
    return [event["outage"] for event in map(json.loads, path.read_text().splitlines()) if event["event"]["action"] == "outage-started"]


@pytest.mark.parametrize("one_in, seed", [(5, 1), (10, 2), (30, 3)])
def test_a_sampled_capture_tells_the_outage_and_nothing_else(lightsout, sample_pcap, tmp_path, one_in, seed):
    config = tmp_path / "conf"
    config.write_text(f"[capture]\nsampling = {one_in}\n")
    lightsout("-r", sample(sample_pcap, tmp_path / "sampled.pcap", one_in, seed), "-c", config, "-q", "--events", tmp_path / "events",
              "--bins", tmp_path / "bins")
    told_of = outages(tmp_path / "events")
    assert [(outage["scope"], outage["signal"]) for outage in told_of] == [("all", "live_flows")]
    assert told_of[0]["onset_earliest"] < "2025-06-06T17:24:30" and told_of[0]["onset_latest"] > "2025-06-06T17:23:00"
    with (tmp_path / "bins").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["live_flows"] != "" and all(row[name] == "" for name in (
        "answered_flows", "handshakes", "retransmits_in", "unseen_acks_out", "oneway_out", "proven_flows"))


def test_unsampled_is_the_default(lightsout, tmp_path):
    for wrong in ("0", "-1", "1.5e9"):
        (tmp_path / "conf").write_text(f"[capture]\nsampling = {wrong}\n")
        assert "sampling" in lightsout("-T", "-c", tmp_path / "conf", status=2).stderr
    assert "sampling = 1\n" in lightsout("-T").stdout.replace("  #", "\n#")




# ---- frames that are cut ----


@pytest.mark.parametrize("kept, lost", [(96, "names"), (50, "headers"), (40, "headers"), (24, "headers")])
def test_files_of_a_shorter_snapshot_length_are_an_impaired_sensor_and_no_outage(lightsout, sample_pcap, tmp_path, kept, lost):
    folder = tmp_path / "files"
    folder.mkdir()
    times = ["2025-06-05T10:00:00Z", "2025-06-06T04:00:00Z", "2025-06-06T06:30:00Z", "2025-06-06T12:00:00Z"]
    for number, (begin, end) in enumerate(zip(times, times[1:])):
        cut = ["-s", str(kept)] if number == 1 else []
        subprocess.run(["editcap", "-F", "pcap", "-A", begin, "-B", end, *cut, sample_pcap, folder / f"{number}.pcap"], check=True)
    lightsout("-r", folder, "-q", "--events", tmp_path / "events")
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [(e["event"]["action"], e["sensor"]["reason"], e["sensor"]["cut"]) for e in events] == [
        ("sensor-impaired", "snaplen-changed", lost), ("sensor-restored", "snaplen-restored", lost)]
    assert times[1][:-1] <= events[0]["sensor"]["onset"] <= events[0]["@timestamp"] < "2025-06-06T04:30:00Z"
