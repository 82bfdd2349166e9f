# SPDX-License-Identifier: BSD-3-Clause
"""The whole program on tunnelled traffic: it counts what it would have counted without the tunnels."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
from conftest import TOP
from test_contract import CLIENT, KCNA, asks, client_hello, frame, other, pcap

from scapy.layers.inet import ICMP, IP, IPerror, TCPerror
from scapy.layers.l2 import ARP

sys.path.insert(0, str(TOP / "tests" / "golden"))
import make_tunnel  # noqa: E402

WATCHED = "175.45.176.0/22"


def traffic():
    """Connections, strangers, an ICMP error, and what is no IP, in three minutes: (second, frame)."""
    sent = []
    for number in range(12):
        at = 1 + number * 14.5
        sent += asks(at, client_hello("kcna.kp"), client_port=40000 + number)
        sent += [(at + 1 + 0.1 * i, other()) for i in range(6)]
    router = IP(src="103.35.255.254", dst=CLIENT)
    sent.append((100, frame(router / ICMP(type=3, code=1) / IPerror(src=CLIENT, dst=KCNA) / TCPerror(sport=1, dport=443))))
    sent.append((101, frame(ARP(psrc="10.0.0.1", pdst="10.0.0.2"))))
    return sorted(sent, key=lambda packet: packet[0])


def write(path, link_type, packets):
    data = bytearray(pcap(path, packets).read_bytes())
    data[20:24] = link_type.to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def sent():
    return traffic()


def told(lightsout, tmp_path, capture, *arguments):
    for name in ("bins", "flows"):
        (tmp_path / name).unlink(missing_ok=True)
    lightsout("-r", capture, "-q", "--bins", tmp_path / "bins", "--flows", tmp_path / "flows", *arguments)
    with (tmp_path / "bins").open(newline="") as file:
        rows = list(csv.DictReader(file))
    flows = [json.loads(line) for line in (tmp_path / "flows").read_text().splitlines()]
    return rows, flows


def strip(flows, *more):
    """Flows without what tells the way they came."""
    network = {"inner": None, **dict.fromkeys(more)}
    return [{**flow, "vlan": None, "network": {**flow["network"], **network}, "destination": {**flow["destination"], **network},
             "lightsout": {**flow["lightsout"], "tunnels": None}} for flow in flows]


# Those that bridge carry the ARP too; the others could not.
BRIDGED = {name for name in make_tunnel.TUNNELS if name.startswith(("mpls-pw", "gre-bridged", "erspan", "vxlan", "l2tpv3"))
           or name in ("geneve", "tzsp", "nested", "erf")} - {"vxlan-gpe", "vxlan-fragment"}
FOUR = [name for name in make_tunnel.TUNNELS if not name.startswith(("6", "teredo"))]


@pytest.mark.parametrize("name", FOUR)
def test_bins_and_flows_are_those_of_the_untunnelled_capture(lightsout, tmp_path, sent, name):
    link_type, wrap, tells, _ = make_tunnel.TUNNELS[name]
    carried = [(at, packet) for at, packet in sent if name in BRIDGED or packet.haslayer(IP)]
    plain = told(lightsout, tmp_path, pcap(tmp_path / "plain.pcap", carried))
    capture = write(tmp_path / "tunnelled.pcap", link_type, [(at, wrap(packet.payload)) for at, packet in carried])
    tunnelled = told(lightsout, tmp_path, capture)
    assert tunnelled[0] == plain[0]
    unknown = ("application", "domain") if name == "vxlan-fragment" else ()  # whose last bytes are in the other fragment
    assert strip(tunnelled[1], *unknown) == strip(plain[1], *unknown)
    kinds = [word.split("=")[0] for word in tells.split(" vlan")[0].split()[1:] if not word.startswith("label")]
    assert {tuple(flow["lightsout"]["tunnels"]) for flow in tunnelled[1]} == {tuple(kinds if tells.startswith("via") else [])}


def test_without_decapsulation_the_outer_addresses_count(lightsout, tmp_path, sent):
    config = tmp_path / "conf"
    config.write_text("[capture]\ndecapsulate = no\n[watch 198.18.0.0/15]\n")
    wrap = make_tunnel.TUNNELS["vxlan"][1]
    rows, flows = told(lightsout, tmp_path, pcap(tmp_path / "t.pcap", [(at, wrap(p.payload)) for at, p in sent]), "-c", config)
    assert sum(int(row["packets_out"]) for row in rows if row["scope"] == "all") == len(sent)
    assert [(flow["source"]["ip"], flow["destination"]["port"]) for flow in flows] == [("198.18.0.1", 4789)]
    assert flows[0]["lightsout"]["tunnels"] == []


def test_a_path_may_be_named_by_any_layer(lightsout, tmp_path, sent):
    config = tmp_path / "conf"
    keys = {"dot1ad": "vlan = 3001", "mpls": "mpls = 33", "vxlan": "vni = 4242", "geneve": "vni = 99", "erspan-2": "erspan = 100",
            "gre-bridged": "gre = 4242", "gre-full": "gre = 3735928559"}
    packets = []
    for number, name in enumerate(keys):
        packets += [(at + number * 1e-3, make_tunnel.TUNNELS[name][1](p.payload)) for at, p in sent if p.haslayer(IP)]
    capture = pcap(tmp_path / "all.pcap", sorted(packets, key=lambda packet: packet[0]))
    for name, key in keys.items():
        config.write_text(f"[watch {WATCHED}]\n[path one]\n{key}\n")
        rows, _ = told(lightsout, tmp_path, capture, "-c", config)
        one = sum(int(row["packets_in"]) + int(row["packets_out"]) for row in rows if row["scope"] == "path:one")
        whole = sum(int(row["packets_in"]) + int(row["packets_out"]) for row in rows if row["scope"] == "all")
        control = sum(int(row["control"]) for row in rows if row["scope"] == "path:one")
        tap = sum(int(row["control"]) for row in rows if row["scope"] == "tap")
        assert one * len(keys) == whole, name
        assert control * len(keys) == tap


def test_refusals_are_counted_by_name(lightsout, tmp_path):
    done = lightsout("-r", TOP / "tests/golden/tunnel-refused.pcap", "-v", "--events", tmp_path / "events")
    for words in ("1 frame encrypted at the link (MACsec, protected 802.11)", "1 GRE packet with source routing",
                  "3 packets whose tunnel header contradicts itself", "2 packets with more than eight tunnels",
                  "1 fragment of a tunnel's packets after the first"):
        assert words in done.stderr


@pytest.mark.skipif(shutil.which("tcprewrite") is None, reason="tcprewrite (tcpreplay) is not installed")
@pytest.mark.parametrize("how", [["--enet-vlan=add", "--enet-vlan-tag=77", "--enet-vlan-cfi=0", "--enet-vlan-pri=0"],
                                 ["--dlt=hdlc", "--hdlc-control=0", "--hdlc-address=0x0f"]])
def test_what_tcprewrite_makes_of_a_capture_counts_the_same(lightsout, tmp_path, sent, how):
    plain = pcap(tmp_path / "plain.pcap", [(at, packet) for at, packet in sent if packet.haslayer(IP)])
    micro = tmp_path / "micro.pcap"
    subprocess.run(["editcap", "-F", "pcap", plain, micro], check=True)
    subprocess.run(["tcprewrite", *how, f"--infile={micro}", f"--outfile={tmp_path / 'made.pcap'}"], check=True)
    assert told(lightsout, tmp_path, tmp_path / "made.pcap")[0] == told(lightsout, tmp_path, plain)[0]


def test_packets_that_the_mirror_cut_count_as_long_as_they_were(lightsout, tmp_path, sent):
    carried = [(at, packet) for at, packet in sent if packet.haslayer(IP)]
    plain = told(lightsout, tmp_path, pcap(tmp_path / "plain.pcap", carried), "-w", WATCHED)
    cut = told(lightsout, tmp_path, pcap(tmp_path / "cut.pcap", [(at, bytes(packet)[:74]) for at, packet in carried]), "-w", WATCHED)
    snapped = told(lightsout, tmp_path, pcap(tmp_path / "snap.pcap", carried, snaplen=74), "-w", WATCHED)
    assert cut[0] == snapped[0] == plain[0]
    assert all("domain" not in flow["destination"] for flow in cut[1] + snapped[1])  # nDPI is not shown half a packet
    assert all(flow["destination"]["domain"] == "kcna.kp" for flow in plain[1])


