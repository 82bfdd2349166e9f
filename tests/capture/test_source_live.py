# SPDX-License-Identifier: BSD-3-Clause
"""The live source on veth pairs in a network namespace of its own: silence, packets, and interfaces that go away."""
import os
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from namespace import Namespace  # noqa: E402

DRIVER = os.environ.get("LIGHTSOUT_DRIVE_LIVE", str(ROOT / "build/tests/capture/drive_live"))

# Sends frames of 60 bytes: send.py IFACE COUNT FIRST_BYTE PAUSE_S
SEND = """
import socket, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
for _ in range(int(sys.argv[2])):
    out.send(bytes.fromhex("02000000000b" "02000000000a" "0800") + bytes([int(sys.argv[3])]) * 46)
    if float(sys.argv[4]) > 0:
        time.sleep(float(sys.argv[4]))
"""


class Wires(Namespace):
    """Two silent veth pairs, a sender and the driver."""

    def send(self, interface, count, byte):
        subprocess.run(self.command(sys.executable, "-c", SEND, interface, str(count), str(byte), "0"), check=True)

    def watch(self, seconds, *interfaces, wanted="-", readers=1, before=()):
        """Starts the driver and waits until it watches."""
        watch = subprocess.Popen([*self.command(*before, DRIVER, str(seconds), wanted, str(readers), *interfaces)],
                                 stdout=subprocess.PIPE, text=True)
        watch.first = watch.stdout.readline().strip()
        return watch


@pytest.fixture
def namespace():
    space = Wires("a", "b")
    yield space
    space.close()


def finish(watch):
    """Everything that the driver said, as a list of lists of words; and its last line as a dict."""
    # Not by communicate, which forgets what came in one read with the first line.
    lines = [line.split() for line in watch.stdout.read().splitlines()]
    assert watch.wait(timeout=30) == 0, lines
    words = lines.pop()
    assert words[0] == "done", lines
    return lines, {"calls": int(words[2]), "longest_ms": int(words[4]), "cpu_ms": int(words[6]), "drops": words[8:]}


def of_kind(lines, kind):
    return [line[1:] for line in lines if line[0] == kind]


def said(lines):
    return [" ".join(words) for words in of_kind(lines, "says")]


def test_a_silent_wire_ticks_and_sleeps(namespace):
    lines, cost = finish(namespace.watch(2.0, "a0"))
    ticks = of_kind(lines, "tick")
    assert len(lines) == len(ticks)
    assert 4 <= len(ticks) <= 6  # every 0.3 s
    for said, clock in ticks:
        assert 100 <= (int(clock) - int(said)) / 1e6 < 300  # 0.1 s behind the clock
    assert cost["longest_ms"] < 400
    assert cost["calls"] < 40 and cost["cpu_ms"] < 200


def test_packets_arrive_with_their_time_length_and_interface(namespace):
    watch = namespace.watch(1.5, "a0", "b0")
    begin = time.time_ns()
    namespace.send("a1", 3, 1)
    namespace.send("b1", 2, 1)
    lines, _ = finish(watch)
    frames = of_kind(lines, "frame")
    assert sorted(frame[0] for frame in frames) == ["0", "0", "0", "1", "1"]
    for _, at, captured, wire, link_type, _ in frames:
        assert begin <= int(at) <= begin + 2 * 10**9
        assert (captured, wire, link_type) == ("60", "60", "1")
    assert any(int(frame[1]) % 1000 != 0 for frame in frames)  # nanoseconds, where the kernel gives them
    assert not of_kind(lines, "failed")


def test_a_flood_on_one_interface_does_not_starve_the_other(namespace):
    watch = namespace.watch(4.0, "a0", "b0")
    flood = subprocess.Popen(namespace.command(sys.executable, "-c", SEND, "a1", "20000", "1", "0"))
    namespace.send("b1", 50, 2)
    assert flood.wait() == 0
    lines, cost = finish(watch)
    places = [frame[0] for frame in of_kind(lines, "frame")]
    assert places.count("1") == 50
    known, kernel, interface = (int(word) for word in cost["drops"])
    assert known == 1 and interface == 0
    assert places.count("0") + kernel == 20000  # nothing is lost uncounted


def test_a_filter_is_in_force(namespace):
    watch = namespace.watch(1.0, "a0", wanted="ether[14] = 7")
    namespace.send("a1", 5, 6)
    namespace.send("a1", 4, 7)
    assert len(of_kind(finish(watch)[0], "frame")) == 4


def test_an_interface_that_is_deleted_is_told_once_and_the_other_goes_on(namespace):
    watch = namespace.watch(2.5, "a0", "b0")
    namespace.send("a1", 1, 1)
    time.sleep(0.5)
    namespace.run("ip link del a0")
    time.sleep(0.5)
    namespace.send("b1", 2, 1)
    lines, _ = finish(watch)
    assert not of_kind(lines, "failed")
    assert said(lines) == ["interface a0 is gone: nothing is read from it until it is back; sees 0"]
    assert [frame[0] for frame in of_kind(lines, "frame")] == ["0", "1", "1"]


def test_ticks_go_on_when_the_only_interface_is_deleted(namespace):
    watch = namespace.watch(2.0, "a0")
    namespace.run("ip link del a0")
    lines, cost = finish(watch)
    assert len(said(lines)) == 1
    assert len(of_kind(lines, "tick")) >= 4
    assert cost["calls"] < 60 and cost["cpu_ms"] < 250


def test_an_interface_that_is_made_anew_is_read_again(namespace):
    watch = namespace.watch(4.0, "a0")
    namespace.send("a1", 2, 1)
    time.sleep(0.5)
    namespace.run("ip link del a0")
    time.sleep(0.5)
    namespace.run("ip link add a0 type veth peer name a1")
    namespace.run("ip link set a1 up")
    time.sleep(0.5)
    namespace.run("ip link set a0 up")
    time.sleep(0.5)
    namespace.send("a1", 3, 1)
    lines, cost = finish(watch)
    assert said(lines)[0] == "interface a0 is gone: nothing is read from it until it is back; sees 0"
    assert said(lines)[1] == "interface a0 is back; sees 1"
    assert len(of_kind(lines, "frame")) == 5
    assert cost["drops"] == ["1", "0", "0"]


def make_raw(namespace):
    """Puts an interface of another link type in the place of a0."""
    namespace.run("ip link del a0")
    if namespace.run("ip tuntap add a0 mode tun", check=False).returncode != 0:
        pytest.skip("may not make a tun interface")
    namespace.run("ip link set a0 up")


def test_one_of_the_same_name_and_another_link_type_is_told_and_read(namespace):
    watch = namespace.watch(3.0, "a0")
    make_raw(namespace)
    lines, _ = finish(watch)
    assert said(lines)[1] == "interface a0 is back, with another link type: RAW; sees 1"


def test_one_that_cannot_be_read_any_more_is_told_once(namespace):
    watch = namespace.watch(3.0, "a0", wanted="vlan or not vlan")
    make_raw(namespace)
    lines, _ = finish(watch)
    assert len(said(lines)) == 2
    assert said(lines)[1].startswith("filter 'vlan or not vlan': ") and said(lines)[1].endswith("; sees 0")


def test_another_mtu_is_told_and_takes_nothing_away(namespace):
    watch = namespace.watch(1.5, "a0")
    namespace.run("ip link set a0 mtu 9000")
    time.sleep(0.5)
    namespace.send("a1", 3, 1)
    lines, _ = finish(watch)
    assert said(lines) == ["interface a0 has an MTU of 9000 now, which was 1500; sees 1"]
    assert len(of_kind(lines, "frame")) == 3


# Sends UDP in Ethernet, each flow's packets both ways, and of each a datagram in two fragments: talk.py IFACE FLOWS
TALK = r"""
import socket, struct, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
def ip(source, target, place, payload):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, place, 64, 17, 0, source, target) + payload
for flow in range(int(sys.argv[2])):
    client, server = bytes([10, 0, flow >> 8, flow & 255]), bytes([192, 0, 2, 7])
    ports = struct.pack("!HHHH", 20000 + flow, 53, 24, 0)
    back = struct.pack("!HHHH", 53, 20000 + flow, 24, 0)
    for packet in (ip(client, server, 0, ports + bytes(16)), ip(server, client, 0, back + bytes(16)),
                   ip(client, server, 0x2000, ports + bytes(16)), ip(client, server, 3, bytes(16))):
        out.send(bytes(12) + b"\x08\x00" + packet)
"""


def test_readers_of_an_interface_share_its_packets_and_each_comes_once(namespace):
    watch = namespace.watch(3.0, "a0", readers=3)
    subprocess.run(namespace.command(sys.executable, "-c", TALK, "a1", "200"), check=True)
    lines, cost = finish(watch)
    frames = of_kind(lines, "frame")
    assert len(frames) == 800  # fragments as they are
    readers = [frame[5] for frame in frames]
    assert set(readers) == {"0", "1", "2"}
    assert all(readers.count(reader) > 100 for reader in "012")
    assert cost["drops"] == ["1", "0", "0"]


def test_readers_share_an_interface_that_is_made_anew(namespace):
    watch = namespace.watch(4.0, "a0", readers=2)
    namespace.run("ip link del a0")
    time.sleep(0.5)
    namespace.run("ip link add a0 type veth peer name a1")
    namespace.run("ip link set a1 up")
    namespace.run("ip link set a0 up")
    time.sleep(1.0)
    subprocess.run(namespace.command(sys.executable, "-c", TALK, "a1", "100"), check=True)
    lines, _ = finish(watch)
    frames = of_kind(lines, "frame")
    assert len(frames) == 400
    assert {frame[5] for frame in frames} == {"0", "1"}
    # Only one of them speaks.
    assert [line for line in said(lines) if line.startswith("interface")][:2] == [
        "interface a0 is gone: nothing is read from it until it is back; sees 0", "interface a0 is back; sees 1"]


def test_an_interface_that_goes_down_is_waited_for_without_haste(namespace):
    watch = namespace.watch(3.0, "a0")
    namespace.run("ip link set a0 down")
    time.sleep(1.0)
    namespace.run("ip link set a0 up")
    time.sleep(0.3)
    namespace.send("a1", 3, 1)
    lines, cost = finish(watch)
    assert not of_kind(lines, "failed")
    assert said(lines) == ["interface a0 is down: nothing is read from it until it is up again; sees 0",
                           "interface a0 is up again; sees 1"]
    assert len(of_kind(lines, "frame")) == 3
    assert of_kind(lines, "tick")
    assert cost["calls"] < 200 and cost["cpu_ms"] < 250


def test_a_lost_link_is_told_and_is_blindness_though_the_other_wire_is_busy(namespace):
    watch = namespace.watch(4.5, "a0", "b0")
    talk = subprocess.Popen(namespace.command(sys.executable, "-c", SEND, "b1", "1000", "1", "0.005"))
    try:
        time.sleep(0.5)
        namespace.run("ip link set a1 down")
        time.sleep(1.8)
        namespace.run("ip link set a1 up")
        lines, _ = finish(watch)
    finally:
        talk.kill()
        talk.wait()
    assert not of_kind(lines, "failed")
    assert len(of_kind(lines, "frame")) > 200
    assert said(lines) == ["interface a0 has lost its link: nothing is read from it until the link is back; sees 0",
                           "interface a0 is up again; sees 1"]


def test_a_wire_without_a_link_is_told_at_once(namespace):
    namespace.run("ip link set a1 down")
    time.sleep(1.5)
    lines, _ = finish(namespace.watch(0.5, "a0"))
    assert said(lines) == ["interface a0 has lost its link: nothing is read from it until the link is back; sees 0"]
    assert lines[0][0] == "says"


def test_what_cannot_be_watched_is_refused_with_the_way_out(namespace):
    watch = namespace.watch(1, "nowhere0")
    assert watch.wait() == 1
    assert watch.first == "refused no interface 'nowhere0': `ip link` lists those there are"
    namespace.run("ip link set b0 down")
    watch = namespace.watch(1, "a0", "b0")
    assert watch.wait() == 1
    assert watch.first == "refused interface b0 is down: `ip link set b0 up` brings it up"
    watch = namespace.watch(1, "a0", wanted="host and and")
    assert watch.wait() == 1
    assert watch.first.startswith("refused filter 'host and and': ")


def test_without_permission_the_way_to_get_it_is_told(namespace):
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    if namespace.run(" ".join([*drop, "true"]), check=False).returncode != 0:
        pytest.skip("setpriv cannot drop capabilities here")
    watch = namespace.watch(1, "a0", before=drop)
    assert watch.wait() == 1
    assert watch.first.startswith("refused may not capture on a0: run as root or give the program CAP_NET_RAW")
