#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The world on the wire: soak_world.py IFACE SEED sends what clients and watched hosts say to each other, and what is said
beside them, and obeys a command a line on standard input:

    dark SCOPE SHARE INBOUND   all, path:NAME, prefix:CIDR or service:NAME answers no more, but for what SHARE leaves
                               alive; INBOUND `persists`, or `ceases`: nobody asks any more either
    light                      everything answers again
    mute on|off                not one frame, as of a mirror that was switched off
    MODE on|off                one of MODES below
    flood KIND SECONDS RATE    `syn`: SYNs from anywhere to the watched side; `bulk`: long frames beside it

It answers each with a line: the wall clock when it was obeyed. When it could not send for a second or more, because the
machine had no time for it, it says `stalled BEGIN END` of its own.
"""

import contextlib
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

PREFIXES = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.7.0/24"]
PATHS = {"north": PREFIXES[:2], "south": PREFIXES[2:]}
VLAN = {"north": 101, "south": 102}
HOSTS = 8  # a prefix has
SERVICE = "www.example.com"  # the first two hosts of two prefixes, by address
SERVICE_PLACES = [(0, 0), (0, 1), (2, 0), (2, 1)]
FLOWS_PER_S, CONTROL_PER_S = 24.0, 40.0
SERVICE_SHARE = 0.12
STALL_S = 1.0

SURGE = 40  # times what is usual beside the watched side
MODES = ("mutate", "junk", "names", "disorder", "twice", "forge", "surge")

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
REFLECTORS = (53, 123, 161, 389, 1900, 11211)


def packed(text):
    return socket.inet_aton(text)


def host_address(prefix, place):
    return PREFIXES[prefix].rpartition(".")[0] + f".{10 + place}"


def ipv4(source, target, protocol, payload, ttl=57, number=0):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, 0, ttl, protocol, 0, source, target) + payload


def udp(source, target, ports, payload):
    return ipv4(source, target, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def tcp(source, target, ports, flags, sequence, acknowledged, payload=b""):
    header = struct.pack("!HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
    return ipv4(source, target, 6, header + payload)


def ether(packet, vlan=None):
    link = bytes.fromhex("020000000001020000000002")
    return link + (struct.pack("!HH", 0x8100, vlan) if vlan else b"") + b"\x08\x00" + packet


def dns(name, number, answer):
    question = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0\0\1\0\1"
    if not answer:
        return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    return struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes(4)


def client_hello(name, dice):
    server = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
    extensions = struct.pack("!HH", 0, len(server)) + server
    body = b"\3\3" + dice.randbytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack("!H", len(extensions)) + extensions
    shake = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + struct.pack("!H", len(shake)) + shake


class Wire:
    """Frames out of an interface that may go down, be renamed or made again at any time: what cannot be sent is lost."""

    def __init__(self, interface):
        self.interface, self.socket, self.retry = interface, None, 0.0
        self.sent = self.lost = 0

    def send(self, frame):
        now = time.monotonic()
        try:
            if self.socket is None:
                if now < self.retry:
                    raise OSError
                self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                self.socket.bind((self.interface, 0))
            self.socket.send(frame)
            self.sent += 1
        except OSError:
            self.lost += 1
            if self.socket is not None:
                self.socket.close()
                self.socket, self.retry = None, now + 0.05


class Host:
    """A watched host: where it is, and what it belongs to."""

    def __init__(self, prefix, place):
        self.address = packed(host_address(prefix, place))
        path = next(name for name, members in PATHS.items() if PREFIXES[prefix] in members)
        self.vlan = VLAN[path]
        self.scopes = {"all", f"path:{path}", f"prefix:{PREFIXES[prefix]}"}
        self.serves = (prefix, place) in SERVICE_PLACES
        if self.serves:
            self.scopes.add(f"service:{SERVICE}")


class Talk:
    is_cut = False


class World:
    def __init__(self, wire, seed):
        self.wire, self.dice = wire, random.Random(seed)
        self.queue, self.number = [], 0
        self.hosts = [Host(prefix, place) for prefix in range(len(PREFIXES)) for place in range(HOSTS)]
        self.served = [host for host in self.hosts if host.serves]
        self.plain = [host for host in self.hosts if not host.serves]
        self.scope, self.share, self.ceases, self.muted = None, 1.0, False, False
        self.modes = set()

    def wait(self, kind):
        """How long until the next flow of a kind, from one to the next."""
        rate = FLOWS_PER_S if kind == self.flow else CONTROL_PER_S * (SURGE if "surge" in self.modes else 1)
        return self.dice.expovariate(rate)

    # --- what is on its way ---

    def later(self, at, frame, speaker=None, asked=None, talk=None):
        """A frame for an instant. `speaker`: the watched host that says it; `asked`: the one that it is said to. Of a `talk`
        nothing comes any more once a part of it was not said."""
        if "disorder" in self.modes:
            at += self.dice.random() * (0.03 if self.dice.random() < 0.98 else 2)
        self.number += 1
        heapq.heappush(self.queue, (at, self.number, frame, speaker, asked, talk))

    def is_dark(self, host):
        return self.scope is not None and self.scope in host.scopes

    def due(self, now):
        while self.queue and self.queue[0][0] <= now:
            _, _, frame, speaker, asked, talk = heapq.heappop(self.queue)
            if talk is not None and talk.is_cut:
                continue
            if speaker is not None and self.is_dark(speaker):
                if talk is not None:
                    talk.is_cut = True
                continue
            if self.muted or (asked is not None and self.is_dark(asked) and self.ceases):
                continue
            self.wire.send(frame)
            if "twice" in self.modes:
                self.wire.send(frame)
            if "mutate" in self.modes and self.dice.random() < 0.3:
                self.wire.send(self.mutated(frame))

    def mutated(self, frame):
        """A few bytes of it wrong, or its end missing. Not its addresses: those would be forged, which is another mode."""
        wrong = bytearray(frame)
        addresses = 30 if frame[12:14] == b"\x81\x00" else 26
        for _ in range(self.dice.randrange(1, 6)):
            at = self.dice.randrange(12, len(wrong))
            if not addresses <= at < addresses + 8:
                wrong[at] = self.dice.randrange(256)
        return bytes(wrong[:self.dice.randrange(14, len(wrong) + 1)] if self.dice.random() < 0.2 else wrong)

    # --- who speaks ---

    def peer(self):
        """Somebody outside; of so many networks that hardly anybody asks twice."""
        return bytes([self.dice.choice((11, 12, 13)), *self.dice.randbytes(3)])

    def flow(self, now):
        """Somebody outside asks a watched host, or the other way round."""
        dice = self.dice
        host = dice.choice(self.served if dice.random() < SERVICE_SHARE else self.plain)
        # What a partial outage leaves alive is a share of the flows, each with all that it says.
        dark = self.is_dark(host)
        spared = dark and dice.random() < self.share
        dark, speaker = dark and not spared, None if spared else host
        peer, port, rtt = self.peer(), dice.randrange(1024, 65536), dice.uniform(0.02, 0.08)
        kind = dice.random()
        if host.serves:
            self.web(now, host, dark, speaker, peer, port, rtt)
        elif kind < 0.5:
            self.ask(now, host, dark, speaker, peer, port, rtt)
        elif kind < 0.8:
            self.web(now, host, dark, speaker, peer, port, rtt)
        elif kind < 0.9:
            ping = struct.pack("!BBHHH", 8, 0, 0, port, 1) + bytes(24)
            self.later(now, ether(ipv4(peer, host.address, 1, ping), host.vlan), asked=host)
            self.later(now + rtt, ether(ipv4(host.address, peer, 1, b"\0" + ping[1:]), host.vlan), speaker)
        else:
            name = f"{dice.randrange(10**6)}.example.net"
            self.later(now, ether(udp(host.address, peer, (port, 53), dns(name, port, False)), host.vlan), speaker)
            if not dark:
                self.later(now + rtt, ether(udp(peer, host.address, (53, port), dns(name, port, True)), host.vlan), asked=host)

    def ask(self, now, host, dark, speaker, peer, port, rtt):
        name = f"{self.dice.randrange(10**6)}.example.org"
        question = ether(udp(peer, host.address, (port, 53), dns(name, port, False)), host.vlan)
        self.later(now, question, asked=host)
        if dark:
            self.later(now + 2, question, asked=host)
        self.later(now + rtt, ether(udp(host.address, peer, (53, port), dns(name, port, True)), host.vlan), speaker)

    def web(self, now, host, dark, speaker, peer, port, rtt):
        dice, there, here = self.dice, self.dice.randrange(2**32), self.dice.randrange(2**32)
        secure = dice.random() < 0.5
        at = 443 if secure else 80
        if secure:
            name = dice.randbytes(dice.randrange(1, 200)) if "names" in self.modes else SERVICE.encode()
            request = client_hello(name, dice)
        else:
            request = b"GET / HTTP/1.1\r\nHost: " + SERVICE.encode() + b"\r\n\r\n"
        reply = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(dice.choice((0, 100, 1300)))
        if "junk" in self.modes:
            request, reply = dice.randbytes(dice.randrange(1, 1200)), dice.randbytes(dice.randrange(1, 1200))
        syn = ether(tcp(peer, host.address, (port, at), SYN, there, 0), host.vlan)
        self.later(now, syn, asked=host)
        if dark:
            self.later(now + 1, syn, asked=host)
            self.later(now + 3, syn, asked=host)
            return

        talk = Talk()

        def out(after, *segment):
            self.later(now + after, ether(tcp(host.address, peer, (at, port), *segment), host.vlan), speaker, talk=talk)

        def into(after, *segment):
            self.later(now + after, ether(tcp(peer, host.address, (port, at), *segment), host.vlan), asked=host, talk=talk)

        asked, said = there + 1 + len(request), here + 1 + len(reply)
        out(rtt, SYN | ACK, here, there + 1)
        into(rtt + 0.01, ACK, there + 1, here + 1)
        into(rtt + 0.011, PSH | ACK, there + 1, here + 1, request)
        out(2 * rtt + 0.02, PSH | ACK, here + 1, asked, reply)
        into(2 * rtt + 0.03, FIN | ACK, asked, said)
        out(3 * rtt + 0.03, FIN | ACK, said, asked + 1)
        into(3 * rtt + 0.04, ACK, asked + 1, said + 1)

    def control(self, now):
        dice = self.dice
        ends = bytes([100, 64, 0, dice.randrange(1, 250)]), bytes([100, 65, 0, dice.randrange(1, 50)])
        port, name = dice.randrange(1024, 65536), f"{dice.randrange(10**6)}.example.edu"
        self.later(now, ether(udp(*ends, (port, 53), dns(name, port, False))))
        self.later(now + 0.02, ether(udp(*ends[::-1], (53, port), dns(name, port, True))))

    def forgery(self, now):
        """Somebody writes watched addresses as the source: amplifiers are asked, and their answers come by."""
        host, peer = self.dice.choice(self.hosts), self.peer()
        port, at = self.dice.randrange(1024, 65536), self.dice.choice(REFLECTORS)
        self.later(now, ether(udp(host.address, peer, (port, at), bytes(16)), host.vlan))
        self.later(now + 0.05, ether(udp(peer, host.address, (at, port), bytes(400)), host.vlan))

    # --- what is obeyed ---

    def obey(self, words):
        if words[0] == "dark":
            self.scope, self.share, self.ceases = words[1], float(words[2]), words[3] == "ceases"
        elif words[0] == "light":
            self.scope = None
        elif words[0] == "mute":
            self.muted = words[1] == "on"
        elif words[0] in MODES:
            (self.modes.add if words[1] == "on" else self.modes.discard)(words[0])
        else:
            raise ValueError(words)


def run(world, seconds=None):
    """Until the input ends."""
    dice, last = world.dice, time.monotonic()
    coming = {kind: last + world.wait(kind) for kind in (world.flow, world.control)}
    forged = last
    while True:
        if select.select([sys.stdin], [], [], 0.01)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            world.obey(line.split())
            print(time.time(), flush=True)
        now = time.monotonic()
        if now - last > STALL_S:
            print("stalled", time.time() - (now - last), time.time(), flush=True)
        last = now
        for kind in coming:
            while coming[kind] <= now:
                kind(coming[kind])
                coming[kind] += world.wait(kind)
        while "forge" in world.modes and forged <= now:
            world.forgery(now)
            forged += dice.expovariate(10)
        forged = max(forged, now)
        world.due(now)


def flood(wire, kind, seconds, rate):
    """As much as is asked for, by a process of its own."""
    dice, begun, count = random.Random(1), time.monotonic(), 0
    targets = [packed(host_address(prefix, place)) for prefix in range(len(PREFIXES)) for place in range(HOSTS)]
    bulk = ether(udp(packed("100.64.0.1"), packed("100.65.0.1"), (5000, 5001), bytes(1372)))
    while (now := time.monotonic() - begun) < seconds:
        while count < now * rate:
            if kind == "syn":
                target = dice.randrange(len(targets))
                vlan = VLAN["north" if target < len(targets) // 2 else "south"]
                source = bytes([dice.choice((11, 12, 13)), *dice.randbytes(3)])
                ports = dice.randrange(1024, 65536), 80
                wire.send(ether(tcp(source, targets[target], ports, SYN, dice.randrange(2**32), 0), vlan))
            else:
                wire.send(bulk)
            count += 1
        time.sleep(0.002)


def main():
    wire = Wire(sys.argv[1])
    with contextlib.suppress(OSError):
        os.nice(-10)  # a world that stands still is one that went dark
    if sys.argv[2] == "flood":
        flood(wire, sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
    else:
        run(World(wire, int(sys.argv[2])))
    print("sent", wire.sent, wire.lost, flush=True)


if __name__ == "__main__":
    main()
