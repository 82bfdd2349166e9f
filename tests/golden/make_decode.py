#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the captures decode-*.pcap beside itself: a packet of each kind that decoding tells apart, over each link.

The same bytes in every run. What decoding must say of them stands in decode.expected; test_decode_tshark.py holds it
against tshark.
"""
import logging
import os
import struct
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (ARP, DNS, DNSQR, ICMP, IP, SCTP, TCP, UDP, Dot1AD, Dot1Q, Dot3, Ether, ICMPv6DestUnreach,
                       ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPerror, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, LLC, PadN,
                       Raw, SCTPChunkInit, SNAP, STP, TCPerror, UDPerror)
from scapy.layers.ipsec import AH, ESP

HERE = os.path.dirname(os.path.abspath(__file__))
ETHER = dict(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
FOUR = dict(src="192.0.2.1", dst="175.45.176.71", ttl=57, id=4711)
WHO = dict(hwsrc="00:00:00:00:00:00", hwdst="00:00:00:00:00:00", psrc="192.0.2.1", pdst="192.0.2.2")
SIX = dict(src="2001:db8::1", dst="2001:db8:45::71", hlim=57)


def payload(length):
    return Raw(bytes(ord("a") + i % 26 for i in range(length)))


def four():
    """IPv4 packets, without a link."""
    ip = IP(**FOUR)
    back = IP(src=FOUR["dst"], dst=FOUR["src"], ttl=111, id=12)
    long_udp = UDP(sport=40000, dport=7000) / payload(3000)
    data = bytes(IP(**FOUR, proto=17) / long_udp)[20:]
    yield ip / TCP(sport=40000, dport=443, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("NOP", None)])
    yield back / TCP(sport=443, dport=40000, flags="SA", seq=7, ack=1)
    yield ip / TCP(sport=40000, dport=443, flags="PA", seq=1, ack=8) / payload(517)
    yield back / TCP(sport=443, dport=40000, flags="R")
    yield IP(**FOUR, options=[b"\x94\x04\x00\x00"]) / UDP(sport=123, dport=123) / payload(48)  # router alert
    yield ip / UDP(sport=40000, dport=53) / DNS(rd=1, qd=DNSQR(qname="kcna.kp"))
    yield IP(**FOUR, flags="MF", proto=17) / Raw(data[:1480])
    yield IP(**FOUR, flags="MF", frag=185, proto=17) / Raw(data[1480:2960])
    yield IP(**FOUR, frag=370, proto=17) / Raw(data[2960:])
    yield ip / ICMP(type=8, id=0x1234, seq=1) / payload(56)
    yield back / ICMP(type=0, id=0x1234, seq=1) / payload(56)
    yield ip / ICMP(type=13, id=0x77, seq=3, ts_ori=1, ts_rx=0, ts_tx=0)
    quoted = IPerror(src=FOUR["dst"], dst="198.51.100.9", ttl=1, id=9, len=1400)
    router = IP(src="203.0.113.7", dst="198.51.100.9", ttl=250, id=1)
    yield router / ICMP(type=3, code=1) / quoted / TCPerror(sport=80, dport=50000)
    yield router / ICMP(type=11, code=0) / quoted / UDPerror(sport=53, dport=50001, len=1380)
    yield router / ICMP(type=3, code=3) / Raw(bytes(IPerror(src=FOUR["dst"], dst="198.51.100.9", frag=185, proto=17,
                                                            len=1400, chksum=0) / payload(8)))
    yield router / ICMP(type=5, code=1, gw="203.0.113.8") / quoted / UDPerror(sport=53, dport=50001, len=1380)
    yield ip / SCTP(sport=5000, dport=38412, tag=0) / SCTPChunkInit(init_tag=1, init_tsn=1)
    yield IP(**FOUR, proto=103) / payload(32)
    yield ip / ESP(spi=1, seq=1, data=b"x" * 40)
    yield ip / AH(nh=17, payloadlen=4, spi=1, seq=1, icv=b"i" * 12) / UDP(sport=9, dport=10, len=20, chksum=0) / payload(12)


def six():
    """IPv6 packets, without a link."""
    ip = IPv6(**SIX)
    yield ip / TCP(sport=40001, dport=80, flags="S")
    yield ip / UDP(sport=40000, dport=7000) / payload(20)
    yield ip / IPv6ExtHdrHopByHop(options=PadN(optdata=b"\0" * 4)) / TCP(sport=40002, dport=80, flags="A") / payload(7)
    yield (ip / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0)
           / IPv6ExtHdrFragment(id=1) / AH(nh=17, payloadlen=4, spi=1, seq=1, icv=b"i" * 12)
           / UDP(sport=11, dport=12, len=8, chksum=0x1234))
    yield ip / IPv6ExtHdrFragment(id=2, m=1, nh=17) / UDP(sport=40000, dport=7000, len=3008, chksum=1) / payload(1432)
    yield ip / IPv6ExtHdrFragment(id=2, offset=180, nh=17) / payload(1440)
    yield ip / ICMPv6EchoRequest(id=0x4321, seq=1) / payload(16)
    yield ip / ICMPv6ND_NS(tgt="2001:db8:45::71")
    quoted = IPv6(src=SIX["dst"], dst="2001:db8:99::9", hlim=1, plen=1300)
    router = IPv6(src="2001:db8:7::7", dst="2001:db8:99::9", hlim=250)
    yield router / ICMPv6DestUnreach(code=0) / quoted / TCP(sport=80, dport=50000)
    yield router / ICMPv6PacketTooBig(mtu=1280) / quoted / UDP(sport=53, dport=50001, len=1300, chksum=1)
    yield router / ICMPv6TimeExceeded() / quoted / IPv6ExtHdrHopByHop() / UDP(sport=54, dport=50002, len=1292, chksum=1)
    yield ip / ESP(spi=1, seq=1, data=b"x" * 40)
    yield IPv6(**SIX, nh=59)


def ethernet():
    ether = Ether(**ETHER)
    for packet in [*four(), *six()]:
        frame = bytes(ether / packet)
        yield frame + b"\0" * (60 - len(frame))  # Ethernet pads to 60 bytes
    udp = IP(**FOUR) / UDP(sport=40000, dport=7000) / payload(30)
    yield ether / Dot1Q(vlan=100, prio=3) / udp
    yield ether / Dot1AD(vlan=2049) / Dot1Q(vlan=7) / udp
    yield ether / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / IPv6(**SIX) / TCP(sport=1, dport=2, flags="FA")
    yield ether / Dot1Q(vlan=100) / ARP(**WHO)
    yield ether / ARP(**WHO)
    yield Dot3(**ETHER) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()
    yield Dot3(**ETHER) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0, code=0x0800) / udp


def few():
    """Of either version a few, each with its Ethernet type: enough to show that a link is read."""
    yield from ((packet, 0x0800) for number, packet in enumerate(four()) if number in (0, 7, 9, 12))
    yield from ((packet, 0x86dd) for number, packet in enumerate(six()) if number in (1, 3, 8))


def cooked():
    head = bytes.fromhex("0000 0001 0006 02000000000a 0000")
    for packet, kind in few():
        yield head + kind.to_bytes(2, "big") + bytes(packet)
    yield head + bytes.fromhex("8100 0021 0800") + bytes(IP(**FOUR) / UDP(sport=40000, dport=7000))


def cooked2():
    for packet, kind in few():
        yield kind.to_bytes(2, "big") + bytes.fromhex("0000 00000002 0001 00 06 02000000000a 0000") + bytes(packet)


def loopback(order, inet6):
    for packet, kind in few():
        yield (2 if kind == 0x0800 else inet6).to_bytes(4, order) + bytes(packet)


def write(name, link_type, frames, snaplen=65535):
    """A capture whose packets are a millisecond apart, cut at the snapshot length. Written here, since what scapy writes
    for link type 0 differs between its versions."""
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link_type))
        for number, frame in enumerate(bytes(frame) for frame in frames):
            cut = frame[:snaplen]
            file.write(struct.pack("<IIII", 1749229890, number * 1000, len(cut), len(frame)) + cut)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        HERE = sys.argv[1]
    write("decode-ethernet.pcap", 1, ethernet())
    write("decode-cut.pcap", 1, ethernet(), snaplen=54)
    write("decode-sll.pcap", 113, cooked())
    write("decode-sll2.pcap", 276, cooked2())
    write("decode-raw.pcap", 101, (packet for packet, _ in few()))
    write("decode-ipv4.pcap", 228, (packet for packet, kind in few() if kind == 0x0800))
    write("decode-ipv6.pcap", 229, (packet for packet, kind in few() if kind == 0x86dd))
    write("decode-null.pcap", 0, loopback("little", 30))
    write("decode-null-big.pcap", 0, loopback("big", 28))
    write("decode-loop.pcap", 108, loopback("big", 24))
