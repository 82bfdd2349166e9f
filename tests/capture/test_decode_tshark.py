# SPDX-License-Identifier: BSD-3-Clause
"""Decoding against an independent witness: every number that the driver prints of a capture, as tshark has it."""
import os
import pathlib
import shutil
import subprocess
import sys
from collections import Counter

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
DRIVER = os.environ.get("LIGHTSOUT_DRIVE_DECODE", str(ROOT / "build/tests/capture/drive_decode"))
# LIGHTSOUT_DECODE_CAPTURES may name further captures, to be compared with tshark alone.
MORE = os.environ.get("LIGHTSOUT_DECODE_CAPTURES", "").split()
CAPTURES = sorted(GOLDEN.glob("decode-*.pcap")) + [pathlib.Path(path) for path in MORE]

OURS = ("source destination protocol source_port destination_port ip_bytes ttl fragment tcp_flags payload icmp_type "
        "icmp_code icmp_id quoted_source quoted_destination quoted_protocol quoted_source_port "
        "quoted_destination_port").split()
THEIRS = ("frame.number ip.src ip.dst ip.proto ip.len ip.ttl ip.flags.mf ip.frag_offset ip.hdr_len ipv6.src ipv6.dst ipv6.nxt "
          "ipv6.plen ipv6.hlim ipv6.hopopts.nxt ipv6.dstopts.nxt ipv6.routing.nxt ipv6.fraghdr.nxt "
          "ipv6.fraghdr.offset ipv6.fraghdr.more ah.next_header tcp.srcport tcp.dstport tcp.flags tcp.len udp.srcport "
          "udp.dstport udp.length sctp.srcport sctp.dstport dccp.srcport dccp.dstport icmp.type icmp.code icmp.ident "
          "icmpv6.type icmpv6.code icmpv6.echo.identifier vlan.id ieee8021ad.id").split()
PORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp"}


def drive(capture):
    """What we say: a list of dicts, one a packet."""
    run = subprocess.run([DRIVER, capture], capture_output=True, text=True, check=True)
    packets = []
    for line in run.stdout.splitlines():
        head, vlans = line.split(" vlan")
        number, reason, *rest = head.split()
        packets.append({"number": number, "reason": int(reason), "vlans": [int(id) for id in vlans.split()],
                        **dict(zip(OURS, rest))})
    return packets


def ask_tshark(capture):
    """What tshark says: a list of dicts of lists, for a packet inside a packet has its fields too."""
    command = ["tshark", "-n", "-r", capture, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields",
               "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=;"]
    for field in THEIRS:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return [{field: value.split(",") if value else [] for field, value in zip(THEIRS, line.split(";"))}
            for line in run.stdout.splitlines()]


def walk(them):
    """The headers of the outermost IPv6 packet, followed through tshark's fields: protocol, is it a fragment, a later one."""
    extensions = {0: "ipv6.hopopts.nxt", 60: "ipv6.dstopts.nxt", 43: "ipv6.routing.nxt", 44: "ipv6.fraghdr.nxt",
                  51: "ah.next_header"}
    protocol, fragment = int(them["ipv6.nxt"][0]), "-"
    left = {key: list(them[field]) for key, field in extensions.items()}
    while left.get(protocol):
        if protocol == 44:
            later = int(them["ipv6.fraghdr.offset"][0], 0) != 0
            fragment = "later" if later else "first" if them["ipv6.fraghdr.more"][0] in ("1", "True") else "-"
        protocol = int(left[protocol].pop(0))
        if fragment == "later":
            break
    return protocol, fragment


def expect(them, four):
    """The network layer as tshark sees it, in our words."""
    if not four:
        protocol, fragment = walk(them)
        return {"source": them["ipv6.src"][0], "destination": them["ipv6.dst"][0], "protocol": str(protocol),
                "ip_bytes": str(int(them["ipv6.plen"][0]) + 40), "ttl": them["ipv6.hlim"][0], "fragment": fragment}
    protocol = them["ah.next_header"][0] if them["ip.proto"][0] == "51" and them["ah.next_header"] else them["ip.proto"][0]
    later, more = int(them["ip.frag_offset"][0]) != 0, them["ip.flags.mf"][0] in ("1", "True")
    return {"source": them["ip.src"][0], "destination": them["ip.dst"][0], "protocol": protocol,
            "ip_bytes": them["ip.len"][0], "ttl": them["ip.ttl"][0],
            "fragment": "later" if later else "first" if more else "-"}


def expect_transport(us, them, four):
    """The transport as tshark sees it, of the protocols that we look into."""
    protocol = int(us["protocol"])
    wanted = {}
    if protocol in PORTS:
        name = PORTS[protocol]
        wanted["source_port"], wanted["destination_port"] = them[f"{name}.srcport"][0], them[f"{name}.dstport"][0]
    if protocol == 6:
        wanted["tcp_flags"] = str(int(them["tcp.flags"][0], 16) & 0xff)
        wanted["payload"] = them["tcp.len"][0]
    if protocol == 17 and us["fragment"] == "-":
        wanted["payload"] = str(int(them["udp.length"][0]) - 8)
    if protocol == (1 if four else 58):
        name, ident = ("icmp", "icmp.ident") if four else ("icmpv6", "icmpv6.echo.identifier")
        wanted["icmp_type"], wanted["icmp_code"] = them[f"{name}.type"][0], them[f"{name}.code"][0]
        wanted["icmp_id"] = str(int(them[ident][0], 0)) if them[ident] else "0"
    return wanted


def expect_quoted(us, them, four):
    ip = "ip" if four else "ipv6"
    wanted = {"quoted_source": them[f"{ip}.src"][1], "quoted_destination": them[f"{ip}.dst"][1]}
    later = four and int(them["ip.frag_offset"][1]) != 0
    name = PORTS.get(int(us["quoted_protocol"]))
    if name and not later:
        wanted["quoted_source_port"] = them[f"{name}.srcport"][0]
        wanted["quoted_destination_port"] = them[f"{name}.dstport"][0]
    if four:
        wanted["quoted_protocol"] = them["ip.proto"][1]
    return wanted


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_tshark_says_the_same(capture):
    ours, theirs = drive(capture), ask_tshark(capture)
    assert len(ours) == len(theirs) > 0
    compared = 0
    for us, them in zip(ours, theirs):
        tags = Counter(int(id) for id in them["vlan.id"] + them["ieee8021ad.id"])
        assert Counter(us["vlans"]) <= tags
        assert Counter(us["vlans"]) == tags or capture.parent != GOLDEN  # others may have tags within tunnels
        if us["reason"] != 0:
            # Refused as carrying no IP (what tshark finds in PPPoE or MPLS is not read yet), or as cut within its header.
            assert us["reason"] == (5 if them["ipv6.src"] or them["ip.src"] else 3) or capture.parent != GOLDEN, us
            assert us["reason"] == 3 or "cut" in capture.stem, us
            continue
        four = ":" not in us["source"]
        wanted = expect(them, four)
        if us["tcp_flags"] != "-":
            wanted.update(expect_transport(us, them, four))
        elif us["fragment"] != "later":
            assert "cut" in capture.stem, us  # only a cut packet may lack its transport
            if us["protocol"] in ("0", "43", "44", "51", "60"):
                del wanted["protocol"]  # tshark reads a cut extension header as far as it goes
        if us["quoted_source"] != "-" and "cut" not in capture.stem:
            wanted.update(expect_quoted(us, them, four))
        assert {key: us[key] for key in wanted} == wanted, us
        compared += 1
    assert compared > 0 or any(us["reason"] for us in ours)


def test_every_number_is_as_it_was_found_right():
    """decode.expected was read by a person and agrees with tshark: no number changes unseen."""
    lines = []
    for capture in sorted(GOLDEN.glob("decode-*.pcap")):
        run = subprocess.run([DRIVER, capture], capture_output=True, text=True, check=True)
        lines += [f"{capture.stem} {line}" for line in run.stdout.splitlines()]
    assert lines == (GOLDEN / "decode.expected").read_text().splitlines()


def test_the_captures_are_those_that_the_script_writes(tmp_path):
    subprocess.run([sys.executable, GOLDEN / "make_decode.py", tmp_path], check=True)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in GOLDEN.glob("decode-*.pcap"))
    for name in written:
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes(), name
