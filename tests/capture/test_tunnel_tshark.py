# SPDX-License-Identifier: BSD-3-Clause
"""Encapsulations against two witnesses: the packets that were put into them, and what tshark finds innermost."""
import re
import shutil
import subprocess
import sys

import pytest
from test_decode_tshark import DRIVER, GOLDEN, OURS, ROOT

sys.path.insert(0, str(GOLDEN))
import make_tunnel

REASONS = [name.lower() for name in re.findall(r"\bDECODE_([A-Z_]+?),", (ROOT / "capture/decode.h").read_text())]
# What tshark has to be told, since nothing in the packets tells it.
TOLD = ["-d", "mpls.label==2000,pwethnocw", "-d", "mpls.label==2001,pwethcw", "-d", "udp.port==8472,vxlan"]
# What tshark 4.0 has no way to be told: the length of a cookie by session, and MPLS as a link.
TSHARK_CANNOT = {"l2tpv3", "l2tpv3-cookie", "l2tpv3-udp", "mpls-link"}
FIELDS = ["frame.protocols", "ip.src", "ip.dst", "ip.proto", "ip.len", "ip.ttl", "ipv6.src", "ipv6.dst", "ipv6.plen",
          "ipv6.hlim"]


def drive(capture):
    """Of each packet the reason, the facts that do not depend on what it came in, and "via …" with the VLAN ids."""
    run = subprocess.run([DRIVER, capture], capture_output=True, text=True, check=True)
    packets = []
    for line in run.stdout.splitlines():
        head, via = re.fullmatch(r"\d+ (.*?) ((?:via|vlan).*)", line).groups()
        reason, *facts = head.split()
        packets.append((REASONS[int(reason)], facts, via))
    return packets


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What is said of the packets as they are, by their place."""
    folder = tmp_path_factory.mktemp("plain")

    def of(name):
        make_tunnel.write(folder, name, 101, make_tunnel.carried(name))
        return drive(folder / f"tunnel-{name}.pcap")
    return of


@pytest.mark.parametrize("name", make_tunnel.TUNNELS)
def test_a_packet_is_told_as_if_it_came_without(name, plain):
    told, wanted = drive(GOLDEN / f"tunnel-{name}.pcap"), plain(name)
    assert len(told) == len(wanted) > 0
    for one, other in zip(told, wanted):
        assert one[:2] == other[:2]
        assert one[2] == make_tunnel.TUNNELS[name][2]


def innermost(fields):
    """The addresses, length and hops of the innermost IP, an ICMP error's quote left out; None where tshark leaves IP
    out of the protocols, as 4.4 does behind MPLS."""
    protocols = fields["frame.protocols"].split(":")
    if "icmp" in protocols:
        protocols = protocols[:protocols.index("icmp")]
    behind_mpls = protocols[len(protocols) - protocols[::-1].index("mpls"):] if "mpls" in protocols else protocols
    if not {"ip", "ipv6"} & set(behind_mpls):
        return None
    layers = [protocol for protocol in protocols if protocol in ("ip", "ipv6")]
    place = layers.count(layers[-1]) - 1
    of = lambda field: fields[field].split(",")[place]
    if layers[-1] == "ip":
        return [of("ip.src"), of("ip.dst"), of("ip.len"), of("ip.ttl")]
    return [of("ipv6.src"), of("ipv6.dst"), str(int(of("ipv6.plen")) + 40), of("ipv6.hlim")]


@pytest.mark.skipif(shutil.which("mergecap") is None, reason="tshark is not installed")
def test_tshark_finds_the_same_innermost(tmp_path):
    names = [name for name in make_tunnel.TUNNELS if name not in TSHARK_CANNOT]
    ours = {name: drive(GOLDEN / f"tunnel-{name}.pcap") for name in names}
    subprocess.run(["mergecap", "-a", "-w", tmp_path / "all", *(GOLDEN / f"tunnel-{name}.pcap" for name in names)], check=True)
    command = ["tshark", "-n", "-r", tmp_path / "all", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", *TOLD,
               "-T", "fields", "-E", "occurrence=a", "-E", "separator=;"]
    for field in FIELDS:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = iter(run.stdout.splitlines())
    compared = 0
    for name in names:
        for _, facts, _ in ours[name]:
            us = dict(zip(OURS, facts))
            fields = dict(zip(FIELDS, next(theirs).split(";")))
            found = innermost(fields)
            compared += found is not None
            assert found in (None, [us[key] for key in ("source", "destination", "ip_bytes", "ttl")]), name
    assert next(theirs, None) is None
    assert compared > 0.7 * sum(len(ours[name]) for name in names)


def test_what_is_not_opened_is_refused_by_name_or_counts_itself():
    wanted = [(name, reason) for name, _, reason in make_tunnel.refusals()]
    told = drive(GOLDEN / "tunnel-refused.pcap")
    assert [(name, reason) for (name, _), (reason, _, _) in zip(wanted, told)] == wanted
    for reason, facts, via in told:
        assert via == "vlan" or reason != "ok"
        if reason == "ok":
            assert facts[:2] == ["198.18.0.1", "198.18.0.2"]


def test_the_captures_are_those_that_the_script_writes(tmp_path):
    make_tunnel.main(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in GOLDEN.glob("tunnel-*.pcap"))
    for name in written:
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes(), name
