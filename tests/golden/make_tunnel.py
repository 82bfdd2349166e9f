#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the captures tunnel-*.pcap beside itself: the same few packets in each encapsulation, and over the rarer links.

The same bytes in every run. TUNNELS says what lightsout must tell of each; the packets themselves it must tell as if they
came without (test_tunnel_tshark.py, test_tunnels.py), and tshark too.
"""
import logging
import os
import struct
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_decode
from scapy.all import (GRE, ICMP, IP, L2TP, LLC, SNAP, TCP, UDP, Dot1AD, Dot1Q, Ether, GRE_PPTP, IPerror, IPv6,
                       IPv6ExtHdrFragment, PPPoE, Raw, TCPerror)
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.nsh import NSH
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagRawRSSIByte, TZSPTagPadding
from scapy.layers.vxlan import VXLAN

OUTER = dict(src="02:00:00:00:01:01", dst="02:00:00:00:01:02")
MIRROR = IP(src="198.18.0.1", dst="198.18.0.2", ttl=64, id=1)
MIRROR6 = IPv6(src="2001:db8:ff::1", dst="2001:db8:ff::2", hlim=64)
NAMES = {4: 0x0800, 6: 0x86dd}


def packets():
    """Of each kind that tells something, one; the first begins like an IPv4 packet in a place where a MAC might stand."""
    there, back = dict(src="8.0.69.5", dst="175.45.176.71", ttl=57), dict(src="175.45.176.71", dst="8.0.69.5", ttl=111)
    yield IP(**there, id=1) / TCP(sport=40000, dport=443, flags="S", seq=1)
    yield IP(**back, id=2) / TCP(sport=443, dport=40000, flags="SA", seq=7, ack=2)
    yield IP(**there, id=3) / TCP(sport=40000, dport=443, flags="PA", seq=2, ack=8) / make_decode.payload(100)
    yield IP(**there, id=4) / UDP(sport=4789, dport=53) / make_decode.payload(30)
    yield IP(**back, id=5) / ICMP(type=8, id=0x1234, seq=1) / make_decode.payload(20)
    quoted = IPerror(src=back["src"], dst="198.51.100.9", ttl=1, id=9, len=1400)
    yield IP(src="203.0.113.7", dst="198.51.100.9", ttl=250, id=6) / ICMP(type=3, code=1) / quoted / TCPerror(sport=80, dport=5)
    yield IP(**there, id=7, flags="MF", proto=17) / UDP(sport=40000, dport=7000, len=3008, chksum=1) / make_decode.payload(40)
    yield IP(**there, id=7, frag=6, proto=17) / make_decode.payload(48)
    six, xis = (dict(src=a, dst=b, hlim=57) for a, b in (("2001:db8::1", "2001:db8:45::71"), ("2001:db8:45::71", "2001:db8::1")))
    yield IPv6(**six) / TCP(sport=40001, dport=80, flags="S")
    yield IPv6(**xis) / UDP(sport=53, dport=40002) / make_decode.payload(33)
    yield IPv6(**xis) / IPv6ExtHdrFragment(id=2, m=1, nh=17) / UDP(sport=40000, dport=7000, len=3008, chksum=1) / make_decode.payload(40)


def inner(packet, *tags, **macs):
    """The packet as an Ethernet frame."""
    frame = Ether(**(macs or make_decode.ETHER))
    for tag in tags:
        frame /= Dot1Q(vlan=tag)
    return bytes(frame / packet)


def ether(packet):
    return Ether(**OUTER) / packet


def version(packet):
    return 6 if IPv6 in packet and packet.version == 6 else 4


def only(wanted):
    return lambda packet: version(packet) == wanted


def ppp_short(packet):
    """As bytes, with the protocol in one byte; whether scapy writes one or two differs between its versions."""
    return bytes([{4: 0x21, 6: 0x57}[version(packet)]]) + bytes(packet)


def udp(port, source=49152):
    return MIRROR / UDP(sport=source, dport=port, chksum=0)


def gre(packet, **fields):
    return ether(MIRROR / GRE(proto=NAMES[version(packet)], **fields) / packet)


def bridged(outer, packet, *tags):
    """A frame within a header that scapy would else continue by its own guess."""
    return ether(outer / Raw(inner(packet, *tags)))


def erspan(header, packet, proto=0x88be, *tags):
    return bridged(MIRROR / GRE(proto=proto, seqnum_present=1, sequence_number=9) / header, packet, *tags)


def stacked(labels, payload):
    """Labels before a payload, as they stand behind an Ethernet header."""
    return b"".join(struct.pack(">I", label << 12 | (number == len(labels) - 1) << 8 | 60)
                    for number, label in enumerate(labels)) + bytes(payload)


def mpls(labels, payload):
    return Ether(**OUTER, type=0x8847) / Raw(stacked(labels, payload))


def vxlan_gpe(packet):
    head = bytes([0x0c, 0, 0, {4: 1, 6: 2}[version(packet)]]) + (4242 << 8).to_bytes(4, "big")
    return ether(udp(4790) / Raw(head + bytes(packet)))


def nsh(packet, following):
    return NSH(mdtype=1, nextproto=following, spi=77, si=255, context_header=b"c" * 16)


def gtp(packet, extended=False):
    head = GTP_U_Header(teid=0x1234, E=1, next_ex=0x85) / GTPPDUSessionContainer(type=1, QFI=5) if extended else \
        GTP_U_Header(teid=0x1234)
    return ether(udp(2152, 2152) / head / packet)


def tzsp(packet):
    tags = TZSPTagRawRSSIByte(raw_rssi=196) / TZSPTagPadding() / TZSPTagEnd()
    return ether(udp(37008) / Raw(bytes(TZSP(type=0, encapsulated_protocol=1) / tags) + inner(packet)))


def l2tpv3(packet, cookie, over_udp=False):
    body = (99).to_bytes(4, "big") + cookie + inner(packet)
    if over_udp:
        return ether(udp(1701, 1701) / Raw(b"\0\x03\0\0" + body))
    return ether(IP(src=MIRROR.src, dst=MIRROR.dst, id=1, proto=115) / Raw(body))


def teredo(packet, head=b""):
    outer = dict(sport=3544, dport=51413) if packet.src.startswith("2001:0:") else dict(sport=51413, dport=3544)
    return ether(MIRROR / UDP(**outer, chksum=0) / Raw(head + bytes(packet)))


def readdressed(packet, prefix):
    """The packet from an address of Teredo's or 6to4's."""
    copy = packet.copy()
    copy.src = prefix
    for layer in ("TCP", "UDP"):
        if copy.haslayer(layer) and copy.getlayer(layer).chksum != 1:
            copy.getlayer(layer).chksum = None
    return copy


def radio(packet):
    """An 802.11 data frame from an access point, behind a radio's header."""
    head = bytes.fromhex("0802 0000 020000000012 020000000011 020000000010 1000".replace(" ", ""))
    return bytes.fromhex("000008000000 0000".replace(" ", "")), head + bytes(LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0, code=NAMES[version(packet)])) + bytes(packet)


def nflog(packet):
    family = {4: 2, 6: 10}[version(packet)]
    prefix = struct.pack("<HH", 8, 1) + bytes([0x08, 0, 1, 0]) + struct.pack("<HH", 7, 10) + b"in\0" + b"\0"
    return struct.pack(">BBH", family, 0, 5) + prefix + struct.pack("<HH", 4 + len(packet), 9) + bytes(packet)


def pflog(packet):
    head = bytes([61, {4: 2, 6: 24}[version(packet)], 0, 0]) + b"em0".ljust(16, b"\0") + bytes(16) + struct.pack(">II", 1, 0)
    return head.ljust(61, b"\0") + b"\0" * 3 + bytes(packet)


def erf(packet):
    frame = inner(packet)
    return struct.pack("<QBBHHH", 0x68000000_00000000, 0x82, 4, 0, 0, 0)[:10] + struct.pack(
        ">HHH", 26 + len(frame), 0, len(frame)) + bytes(8) + b"\0\0" + frame


def fragments(packet):
    """A tunnel's packet in two: the first holds all that tells what it carries."""
    whole = bytes(udp(4789) / Raw(bytes(VXLAN(vni=7, flags=8)) + inner(packet)))[20:]
    at = len(whole) // 8 * 8
    yield ether(IP(src=MIRROR.src, dst=MIRROR.dst, id=8, flags="MF", proto=17) / Raw(whole[:at]))


# name: (link type, what is done to a packet, what lightsout tells of it, which packets can be carried)
TUNNELS = {
    "dot1q": (1, lambda p: Ether(**OUTER) / Dot1Q(vlan=5) / p, "vlan 5", None),
    "dot1ad": (1, lambda p: Ether(**OUTER) / Dot1AD(vlan=3001) / Dot1Q(vlan=5) / p, "vlan 3001 5", None),
    "three-tags": (1, lambda p: Ether(**OUTER) / Dot1AD(vlan=3001) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / p, "vlan 3001 5 6", None),
    "mpls": (1, lambda p: mpls((1017, 33), p), "via mpls label=1017 label=33 vlan", None),
    "mpls-entropy": (1, lambda p: mpls((16, 7, 1048575, {4: 0, 6: 2}[version(p)]), p), "via mpls label=16 vlan", None),
    "mpls-pw": (1, lambda p: mpls((2000,), inner(p)), "via mpls label=2000 vlan", None),
    "mpls-pw-worded": (1, lambda p: mpls((2000, 2001), bytes(4) + inner(p, 12)), "via mpls label=2000 label=2001 vlan 12", None),
    "mpls-pw-like-ip": (1, lambda p: mpls((2000,), inner(p, src="46:00:00:00:00:01", dst="45:00:00:60:00:02")),
                        "via mpls label=2000 vlan", None),
    "mpls-ip": (1, lambda p: ether(IP(src=MIRROR.src, dst=MIRROR.dst, proto=137) / Raw(stacked((1017,), p))),
                "via mpls label=1017 vlan", None),
    "pppoe": (1, lambda p: Ether(**OUTER, type=0x8864) / PPPoE(sessionid=321) / Raw(ppp_short(p)), "via pppoe=321 vlan", None),
    "gre": (1, lambda p: gre(p), "via gre vlan", None),
    "gre-full": (1, lambda p: gre(p, chksum_present=1, key_present=1, key=0xdeadbeef, seqnum_present=1, sequence_number=3),
                 "via gre=3735928559 vlan", None),
    "gre-bridged": (1, lambda p: bridged(MIRROR / GRE(proto=0x6558, key_present=1, key=4242), p, 9), "via gre=4242 vlan 9", None),
    "gre-mpls": (1, lambda p: ether(MIRROR / GRE(proto=0x8847) / Raw(stacked((1017,), p))),
                 "via gre mpls label=1017 vlan", None),
    "pptp": (1, lambda p: ether(MIRROR / GRE_PPTP(call_id=55, seqnum_present=1, sequence_number=1, acknum_present=1, ack_number=2)
                                / Raw(b"\xff\x03" + ppp_short(p))), "via pptp=55 vlan", None),
    "erspan-1": (1, lambda p: bridged(MIRROR / GRE(proto=0x88be), p), "via gre erspan vlan", None),
    "erspan-2": (1, lambda p: erspan(ERSPAN_II(ver=1, vlan=7, session_id=100), p), "via gre erspan=100 vlan", None),
    "erspan-3": (1, lambda p: erspan(ERSPAN_III(vlan=7, session_id=1000), p, 0x22eb, 8), "via gre erspan=1000 vlan 8", None),
    "erspan-3-platform": (1, lambda p: erspan(ERSPAN_III(session_id=3, o=1) / ERSPAN_PlatformSpecific(), p, 0x22eb),
                          "via gre erspan=3 vlan", None),
    "ipip": (1, lambda p: ether(MIRROR / p), "via ipip vlan", only(4)),
    "4in6": (1, lambda p: ether(MIRROR6 / p), "via 4in6 vlan", only(4)),
    "6in4": (1, lambda p: ether(MIRROR / p), "via 6in4 vlan", only(6)),
    "6in6": (1, lambda p: ether(MIRROR6 / p), "via 6in6 vlan", only(6)),
    "6to4": (1, lambda p: ether(MIRROR / readdressed(p, "2002:c612:1::1")), "via 6to4 vlan", only(6)),
    "teredo": (1, lambda p: teredo(readdressed(p, "2001:0:c612:1::1")), "via teredo vlan", only(6)),
    "teredo-headed": (1, lambda p: teredo(readdressed(p, "2001:0:c612:1::1"), bytes.fromhex("0001 0000 0000000000000000 00"
                                          "0000 1234 39edfffd".replace(" ", ""))), "via teredo vlan", only(6)),
    "vxlan": (1, lambda p: bridged(udp(4789) / VXLAN(vni=4242, flags=8), p, 21), "via vxlan=4242 vlan 21", None),
    "vxlan-old-port": (1, lambda p: bridged(udp(8472) / VXLAN(vni=1, flags=8), p), "via vxlan=1 vlan", None),
    "vxlan-policy": (1, lambda p: bridged(udp(4789) / VXLAN(vni=4242, flags=0x88, gpid=77, gpflags=0x48), p), "via vxlan=4242 vlan", None),
    "vxlan-ipv6": (1, lambda p: bridged(MIRROR6 / UDP(sport=49152, dport=4789, chksum=1) / VXLAN(vni=16777215, flags=8), p),
                   "via vxlan=16777215 vlan", None),
    "vxlan-fragment": (1, lambda p: next(fragments(p)), "via vxlan=7 vlan", None),
    "vxlan-gpe": (1, vxlan_gpe, "via vxlan-gpe=4242 vlan", None),
    "vxlan-gpe-nsh": (1, lambda p: ether(udp(4790) / Raw(bytes([0x0c, 0, 0, 4, 0, 0, 9, 0]) + bytes(nsh(p, 3)) + inner(p))),
                      "via vxlan-gpe=9 nsh=77 vlan", None),
    "nsh": (1, lambda p: Ether(**OUTER, type=0x894f) / Raw(bytes(nsh(p, {4: 1, 6: 2}[version(p)])) + bytes(p)), "via nsh=77 vlan", None),
    "geneve": (1, lambda p: bridged(udp(6081) / GENEVE(vni=99, proto=0x6558), p), "via geneve=99 vlan", None),
    "geneve-options": (1, lambda p: ether(udp(6081) / Raw(struct.pack(">BBHI", 3, 0x40, NAMES[version(p)], 99 << 8)
                                                         + bytes.fromhex("0102 80 02 0000000000000001".replace(" ", "")) + bytes(p))),
                       "via geneve=99 vlan", None),
    "gtp": (1, gtp, "via gtp=4660 vlan", None),
    "gtp-extension": (1, lambda p: gtp(p, True), "via gtp=4660 vlan", None),
    "l2tp": (1, lambda p: ether(udp(1701, 1701) / Raw(struct.pack(">HHHH", 0x4002, len(ppp_short(p)) + 10, 7, 8) + b"\xff\x03" + ppp_short(p))),
             "via l2tp=8 vlan", None),
    "l2tpv3": (1, lambda p: l2tpv3(p, b""), "via l2tp=99 vlan", None),
    "l2tpv3-cookie": (1, lambda p: l2tpv3(p, b"\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0"), "via l2tp=99 vlan", None),
    "l2tpv3-udp": (1, lambda p: l2tpv3(p, b"\x11\x22\x33\x44", True), "via l2tp=99 vlan", None),
    "tzsp": (1, tzsp, "via tzsp vlan", None),
    # one in the other
    "nested": (1, lambda p: Ether(**OUTER) / Dot1Q(vlan=5) / MIRROR / GRE(proto=0x88be, seqnum_present=1) / ERSPAN_II(ver=1, session_id=1) / Raw(
        bytes(Ether(**OUTER) / Dot1Q(vlan=6) / MIRROR / UDP(sport=49152, dport=4789, chksum=0) / VXLAN(vni=2, flags=8) / Raw(
            bytes(Ether(**OUTER, type=0x8847) / Raw(stacked((1017,), inner(p, 8, 9))))))),
               "via gre erspan=1 vxlan=2 mpls label=1017 vlan 5 6 8", None),
    "eight": (1, lambda p: ether(MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / p),
              "via ipip ipip ipip ipip ipip ipip ipip ipip vlan", only(4)),
    # links
    "ppp": (9, lambda p: b"\xff\x03" + ppp_short(p), "vlan", None),
    "ppp-serial": (50, lambda p: b"\xff\x03" + ppp_short(p), "vlan", None),
    "ppp-ether": (51, lambda p: PPPoE(sessionid=321) / Raw(ppp_short(p)), "via pppoe=321 vlan", None),
    "hdlc": (104, lambda p: b"\x0f\0" + NAMES[version(p)].to_bytes(2, "big") + bytes(p), "vlan", None),
    "frame-relay": (107, lambda p: b"\x18\x41\x03" + bytes([{4: 0xcc, 6: 0x8e}[version(p)]]) + bytes(p), "vlan", None),
    "mpls-link": (219, lambda p: stacked((1017,), p), "via mpls label=1017 vlan", None),
    "nflog": (239, nflog, "vlan", None),
    "pflog": (117, pflog, "vlan", None),
    "erf": (197, erf, "vlan", None),
    "wlan": (105, lambda p: radio(p)[1], "vlan", None),
    "radiotap": (127, lambda p: b"".join(radio(p)), "vlan", None),
}


def refusals():
    """A frame for each reason not to open it, and those that count themselves since they carry no IP; with the reason."""
    packet = next(packets())
    yield "encrypted", Ether(**OUTER, type=0x88e5) / Raw(bytes.fromhex("2c00 00000001 020000000001 0001") + bytes(60)), "encrypted"
    yield "gre-routing", ether(MIRROR / GRE(routing_present=1, proto=0x0800) / packet), "gre_routing"
    yield "gre-version-2", ether(MIRROR / GRE(version=2, proto=0x0800) / packet), "bad_tunnel"
    yield "erspan-version-5", erspan(Raw(b"\x50" + bytes(7)), packet), "bad_tunnel"
    yield "nine", ether(MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / MIRROR / packet), "too_many_tunnels"
    yield "seventeen-labels", mpls(tuple(range(100, 117)), packet), "too_many_tunnels"
    yield "pppoe-version", Ether(**OUTER, type=0x8864) / PPPoE(version=2) / Raw(ppp_short(packet)), "bad_tunnel"
    yield "pppoe-discovery", Ether(**OUTER, type=0x8863) / Raw(b"\x11\x09" + bytes(20)), "not_ip"
    yield "later-fragment", ether(IP(src=MIRROR.src, dst=MIRROR.dst, id=8, frag=100, proto=47) / Raw(bytes(64))), "tunnel_fragment"
    yield "bridged-arp", ether(udp(4789) / VXLAN(vni=1, flags=8) / Raw(bytes(Ether(**OUTER, type=0x0806)) + bytes.fromhex(
        "0001080006040001") + bytes(20))), "not_ip"
    yield "gre-keepalive", ether(MIRROR / GRE(proto=0)), "ok"
    yield "pptp-ack", ether(MIRROR / GRE_PPTP(call_id=55, acknum_present=1, ack_number=2)), "ok"
    yield "gtp-echo", ether(udp(2152, 2152) / GTP_U_Header(teid=0, gtp_type=1, S=1, seq=5) / Raw(b"")), "ok"
    yield "l2tp-hello", ether(udp(1701, 1701) / Raw(struct.pack(">HHHHHH", 0xc802, 20, 1, 0, 3, 4) + bytes(8))), "ok"
    yield "dns-to-a-vxlan-port", ether(MIRROR / UDP(sport=53, dport=4789) / Raw(bytes.fromhex(
        "0800818000010001000000000377777707") + b"example" + bytes(40))), "ok"
    yield "quic-to-a-gtp-port", ether(MIRROR / UDP(sport=443, dport=2152) / Raw(b"\x30\xff" + bytes(range(70)))), "ok"
    yield "ntp-to-a-teredo-port", ether(MIRROR / UDP(sport=123, dport=3544) / Raw(b"\x64\x02\x06\xe9" + bytes(44))), "ok"
    yield "short-to-a-geneve-port", ether(MIRROR / UDP(sport=123, dport=6081) / Raw(b"abc")), "ok"


def write(folder, name, link_type, frames):
    """A capture whose packets are a millisecond apart."""
    with open(os.path.join(folder, f"tunnel-{name}.pcap"), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type))
        for number, frame in enumerate(bytes(frame) for frame in frames):
            file.write(struct.pack("<IIII", 1749229890, number * 1000, len(frame), len(frame)) + frame)


def carried(name):
    """The packets that the encapsulation can carry, as they come out of it."""
    can = TUNNELS[name][3] or (lambda packet: True)
    prefix = {"6to4": "2002:c612:1::1", "teredo": "2001:0:c612:1::1", "teredo-headed": "2001:0:c612:1::1"}.get(name)
    return [readdressed(packet, prefix) if prefix else packet for packet in packets() if can(packet)]


def main(folder):
    for name, (link_type, wrap, _, can) in TUNNELS.items():
        write(folder, name, link_type, (wrap(packet) for packet in packets() if can is None or can(packet)))
    write(folder, "refused", 1, (frame for _, frame, _ in refusals()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
