# SPDX-License-Identifier: BSD-3-Clause
"""Several workers say what one says: over savefiles, and live on veth pairs in a network namespace, where the two
directions of a flow come by two interfaces, in tunnels with other outer addresses, and in fragments."""

import csv
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIGHTSOUT, TOP
from namespace import Namespace

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import until  # noqa: E402

GOLDEN = sorted((TOP / "tests/golden").glob("tunnel-*.pcap")) + sorted((TOP / "tests/golden").glob("decode-*.pcap"))


def replay(folder, workers, *arguments):
    """Bins, events and flows of a replay."""
    folder.mkdir()
    configuration = folder / "lightsout.conf"
    configuration.write_text(f"[lightsout]\nsensor = x\n[capture]\nworkers = {workers}\n")
    outputs = [folder / name for name in ("bins", "events", "flows")]
    done = subprocess.run([LIGHTSOUT, "-q", "-c", configuration, *arguments, "--bins", outputs[0], "--events", outputs[1],
                           "--flows", outputs[2]], capture_output=True, text=True)
    return done.returncode, done.stderr, *(path.read_bytes() for path in outputs)


def assert_alike(folder, *arguments):
    one = replay(folder / "one", 1, *arguments)
    assert len(one[2].splitlines()) > 1
    three = replay(folder / "three", 3, *arguments)
    assert three[:4] == one[:4]
    assert sorted(three[4].splitlines()) == sorted(one[4].splitlines())
    assert replay(folder / "again", 3, *arguments) == three
    return one


def test_a_replay_by_several_is_that_of_one(sample_pcap, tmp_path):
    one = assert_alike(tmp_path, "-r", sample_pcap)
    assert b"outage-started" in one[3] and one[4].count(b"\n") > 10000


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_whatever_carries_the_packets(tmp_path, path):
    watches = ["-w", "192.0.2.0/24", "-w", "198.51.100.0/24", "-w", "2001:db8::/32", "-w", "10.0.0.0/8", "-r", path]
    assert replay(tmp_path / "three", 3, *watches)[:4] == replay(tmp_path / "one", 1, *watches)[:4]


def test_a_replay_goes_on_where_it_stopped(sample_pcap, tmp_path):
    half = tmp_path / "half.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-r", sample_pcap, half, "1-150000"], check=True)
    state, events = tmp_path / "state", tmp_path / "events"
    configuration = tmp_path / "lightsout.conf"
    configuration.write_text("[lightsout]\nsensor = x\n[capture]\nworkers = 3\n")
    for capture in (half, sample_pcap):
        subprocess.run([LIGHTSOUT, "-q", "-c", configuration, "-r", capture, "--state", state, "--events", events,
                        "--bins", tmp_path / "bins"], check=True)
    whole = replay(tmp_path / "whole", 1, "-r", sample_pcap)
    assert (tmp_path / "bins").read_bytes() == whole[2]
    assert events.read_bytes() == whole[3]


# ---- live ----

CONFIGURATION = """
[lightsout]
sensor = ix-1
bin = 1
step = 1
[capture]
workers = {workers}
ring_mib = 1
[watch 192.0.2.0/24]
"""

# Sends frames: a line each on standard input, interface and bytes in hexadecimal.
SEND = """
import socket, sys
wires = {}
for line in sys.stdin:
    name, frame = line.split()
    if name not in wires:
        wires[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wires[name].bind((name, 0))
    wires[name].send(bytes.fromhex(frame))
"""

SYN, ACK = 2, 16
SERVER = bytes([192, 0, 2, 7])


def ip(source, target, protocol, payload, place=0, number=7):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number, place, 64, protocol, 0, source, target) + payload


def tcp(source, target, ports, sequence, ack, flags):
    return ip(source, target, 6, struct.pack("!HHIIBBHHH", *ports, sequence, ack, 0x50, flags, 1000, 0, 0))


def udp(source, target, ports, payload):
    return ip(source, target, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def ethernet(packet):
    return bytes(12) + b"\x08\x00" + packet


def client(number):
    return bytes([10, 1, number >> 8, number & 255])


def handshake(number):
    """A SYN and its answer."""
    ports = (20000 + number, 443)
    return (tcp(client(number), SERVER, ports, 1000, 0, SYN), tcp(SERVER, client(number), ports[::-1], 5000, 1001, SYN | ACK))


class Watch:
    """The program on interfaces, from the moment at which it watches."""

    def __init__(self, space, folder, workers, *interfaces):
        self.space, self.bins, self.flows = space, folder / "bins.csv", folder / "flows"
        configuration = folder / "lightsout.conf"
        configuration.write_text(CONFIGURATION.format(workers=workers))
        named = [word for interface in interfaces for word in ("-i", interface)]
        self.process = subprocess.Popen(
            space.command(LIGHTSOUT, "-v", *named, "-c", configuration, "--bins", self.bins, "--flows", self.flows,
                          "--events", folder / "events"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert until(lambda: self.bins.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()

    def send(self, frames):
        """Pairs of interface and frame."""
        lines = "".join(f"{name} {frame.hex()}\n" for name, frame in frames)
        subprocess.run(self.space.command(sys.executable, "-c", SEND), input=lines, text=True, check=True)

    def end(self, status=0):
        """Ends it; the sums of the measures of `all` and of `tap`, and what it said."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == status, said
        sums = {"all": {}, "tap": {}}
        with self.bins.open() as rows:
            for row in csv.DictReader(rows):
                if row["scope"] in sums:
                    for measure, value in row.items():
                        if value.isdigit():
                            sums[row["scope"]][measure] = sums[row["scope"]].get(measure, 0) + int(value)
        return sums["all"], sums["tap"], said


@pytest.fixture
def space():
    made = Namespace("a", "b")
    yield made
    made.close()


@pytest.fixture
def watch(space, tmp_path):
    begun = []

    def begin(*arguments, **named):
        begun.append(Watch(space, tmp_path, *arguments, **named))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.communicate()


def assert_handshakes(sums, count):
    assert sums["flows"] == sums["answered_flows"] == sums["handshakes"] == count
    assert sums["packets_in"] == sums["packets_out"] == count
    assert sums["syn_in"] == count and sums["oneway_out"] == 0
    assert sums["peers"] >= count  # once a bin


@pytest.mark.parametrize("workers", [1, 3])
def test_two_legs_of_a_tap_make_one_two_way_flow_in_the_order_of_time(watch, workers):
    one = watch(workers, "a0", "b0")
    frames = []
    for number in range(400):
        request, answer = handshake(number)
        frames += [("a1", ethernet(request)), ("b1", ethernet(answer))]
    one.send(frames)
    sums, tap, _ = one.end()
    assert_handshakes(sums, 400)
    assert tap["packets_in"] == 0 and sums["drops"] == 0
    assert one.flows.read_text().count("\n") == 400


def test_what_two_legs_bring_is_in_order_though_one_of_them_is_quiet(watch):
    one = watch(1, "a0", "b0")
    for number in range(20):
        request, answer = handshake(number)
        # The answers lie in a ring of their own, which is handed over when it likes.
        one.send([("b1", ethernet(ip(client(9), client(8), 17, bytes(8)))), ("a1", ethernet(request)),
                  ("b1", ethernet(answer))])
    sums, tap, _ = one.end()
    assert_handshakes(sums, 20)
    assert tap["packets_in"] == 20


def test_workers_share_an_interface_and_a_flow_has_one(watch):
    one = watch(4, "a0")
    frames = []
    for number in range(500):
        frames += [("a1", ethernet(packet)) for packet in handshake(number)]
        frames.append(("a1", ethernet(udp(client(number), client(number + 1), (53, 53), bytes(20)))))
    one.send(frames)
    sums, tap, said = one.end()
    assert_handshakes(sums, 500)
    assert tap["packets_in"] == 500
    assert sums["hosts"] >= 1
    assert "1500 packets delivered by the sources" in said


def vxlan(outer, packet):
    source, target, port = outer
    return ethernet(udp(source, target, (port, 4789), struct.pack("!BBHI", 8, 0, 0, 42 << 8) + ethernet(packet)))


@pytest.mark.parametrize("interfaces", [["a0"], ["a0", "b0"]], ids=["one leg", "two legs"])
def test_both_ways_of_a_tunnel_reach_the_same_worker_whatever_its_outer_addresses(watch, interfaces):
    one = watch(3, *interfaces)
    there, back = bytes([172, 16, 0, 1]), bytes([172, 16, 0, 2])
    frames = []
    for number in range(300):
        request, answer = handshake(number)
        frames += [("a1", vxlan((there, back, 50000 + number), request)),
                   (interfaces[-1][0] + "1", vxlan((back, there, 40000 + 7 * number), answer))]
    one.send(frames)
    assert_handshakes(one.end()[0], 300)


@pytest.mark.parametrize("workers, interfaces", [(1, ["a0"]), (2, ["a0", "b0"])])
def test_every_packet_is_counted_or_told_as_dropped(watch, workers, interfaces):
    one = watch(workers, *interfaces)
    frame = ethernet(udp(client(1), client(2), (53, 53), bytes(200)))
    one.process.send_signal(signal.SIGSTOP)
    one.send([(f"{interfaces[number % len(interfaces)][0]}1", frame) for number in range(30000)])
    one.process.send_signal(signal.SIGCONT)
    _, tap, said = one.end()
    assert tap["drops"] > 1000
    assert tap["packets_in"] + tap["drops"] == 30000
    assert f"{tap['drops']} packets dropped by the kernel" in said


def test_fragments_count_with_their_flow_and_as_they_are(watch):
    one = watch(3, "a0")
    frames = []
    for number in range(200):
        payload = struct.pack("!HHHH", 20000 + number, 53, 8 + 48, 0) + bytes(48)
        frames += [("a1", ethernet(ip(client(number), SERVER, 17, payload[:24], 0x2000, number + 1))),
                   ("a1", ethernet(ip(client(number), SERVER, 17, payload[24:], 3, number + 1))),
                   ("a1", ethernet(udp(SERVER, client(number), (53, 20000 + number), bytes(16))))]
    one.send(frames)
    sums, _, said = one.end()
    assert sums["packets_in"] == 400 and sums["packets_out"] == 200
    assert sums["flows"] == sums["answered_flows"] == 200
    assert "200 watched fragments counted with the flow of the first" in said
    assert "whose first was not seen" not in said


def test_processors_that_are_named_are_checked(tmp_path):
    configuration = tmp_path / "cpus.conf"
    configuration.write_text("[capture]\nworkers = 2\ncpus = 0 x\n")
    done = subprocess.run([LIGHTSOUT, "--check", "-c", configuration], capture_output=True, text=True)
    assert done.returncode == 2 and f"{configuration}:3: cpus = x: numbers of processors" in done.stderr


def test_a_worker_stays_on_its_processor(space, tmp_path):
    configuration = tmp_path / "cpus.conf"
    configuration.write_text("[capture]\nworkers = 2\ncpus = 0\n[watch 192.0.2.0/24]\n")
    process = subprocess.Popen(space.command(LIGHTSOUT, "-i", "a0", "-c", configuration, "--bins", tmp_path / "bins"))
    try:
        def allowed():
            lists = []
            for task in Path(f"/proc/{process.pid}/task").iterdir():
                status = (task / "status").read_text()
                lists += [line.split()[1] for line in status.splitlines() if line.startswith("Cpus_allowed_list")]
            return lists

        assert until(lambda: allowed().count("0") == 4), allowed()  # two readers, two owners
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
