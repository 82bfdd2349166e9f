# SPDX-License-Identifier: BSD-3-Clause
"""The program on a live wire: the sample's packets played over a veth pair in a network namespace, the outage read back
from Redis; and a wire on which nothing comes, or that goes away. Nothing leaves the namespace."""

import csv
import datetime
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import LIGHTSOUT, TOP, read_events
from namespace import Namespace

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import KEY, Server, needs_redis, until  # noqa: E402
from test_signals import HARMLESS, storm  # noqa: E402

SPEED = 300
CONFIGURATION = """
[lightsout]
sensor = ix-1
bin = 1
step = 1
[capture]
workers = {workers}
[detect]
learn_time = {learn_s}
learn_flows = 100
"""

# Sends a pcap file's frames: play.py FILE IFACE SPEED. Says the wall time at which the first one is sent, and at the end
# how far it fell behind at worst.
PLAY = """
import socket, struct, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[2], 0))
data, speed, at, first, late = open(sys.argv[1], "rb").read(), float(sys.argv[3]), 24, None, 0.0
begin = time.monotonic()
print(time.time(), flush=True)
while at < len(data):
    seconds, fraction, captured, _ = struct.unpack_from("<IIII", data, at)
    instant = seconds + fraction / 1e6
    first = instant if first is None else first
    wait = (instant - first) / speed - (time.monotonic() - begin)
    if wait > 0:
        time.sleep(wait)
    late = max(late, -wait)
    out.send(data[at + 16 : at + 16 + captured])
    at += 16 + captured
print(late)
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


TRUTH = json.loads((TOP / "samples/blackout-2025-06.json").read_text())["outages"][0]
ONSET = seconds(TRUTH["onset"])


def excerpt(capture, path, begin, end):
    """The packets of the sample from `begin` to `end`, seconds since the epoch."""
    zulu = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (begin, end)]
    subprocess.run(["editcap", "-F", "pcap", "-A", zulu[0], "-B", zulu[1], capture, path], check=True)
    return path


def play(space, path, interface, speed=SPEED):
    """Begins to send; `begun` is the wall time of the first packet."""
    player = subprocess.Popen(space.command(sys.executable, "-c", PLAY, path, interface, speed), stdout=subprocess.PIPE,
                              text=True)
    player.begun = float(player.stdout.readline())
    return player


class Watch:
    """The program on an interface, from the moment at which it watches."""

    def __init__(self, space, folder, interface, *arguments, learn_s=15, workers=1):
        folder.mkdir(exist_ok=True)
        self.events, self.bins = folder / "events", folder / "bins.csv"
        configuration = folder / "lightsout.conf"
        configuration.write_text(CONFIGURATION.format(learn_s=learn_s, workers=workers))
        self.process = subprocess.Popen(
            space.command(LIGHTSOUT, "-i", interface, "-c", configuration, "--events", self.events, "--bins", self.bins,
                          *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # Outputs are opened once the input is.
        assert until(lambda: self.bins.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()

    def rows(self, scope):
        """The rows that are whole by now."""
        whole = self.bins.read_text().rpartition("\n")[0]
        return [row for row in csv.DictReader(whole.splitlines()) if row["scope"] == scope]

    def end(self, number, status=0, within_s=15):
        """Ends it by a signal; what it said on standard error."""
        asked = time.monotonic()
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        assert time.monotonic() - asked < within_s
        assert self.process.returncode == status, said
        return said

    def actions(self):
        return [event["event"]["action"] for event in read_events(self.events)]

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def cleanup():
    """What a test began and may not have ended: a list of functions to call."""
    todo = []
    yield todo
    for undo in reversed(todo):
        undo()


@pytest.fixture
def space(cleanup):
    made = Namespace("a", "b")
    cleanup.append(made.close)
    return made


@needs_redis
def test_an_outage_on_the_wire_is_read_from_the_stream(space, sample_pcap, tmp_path, cleanup):
    begin = int(ONSET) - 4 * 3600
    part = excerpt(sample_pcap, tmp_path / "part.pcap", begin, begin + 5 * 3600)
    server = Server(tmp_path)
    cleanup.append(server.stop)
    server.start()
    watch = Watch(space, tmp_path / "out", "a0", "--redis", server.url)
    cleanup.append(watch.kill)
    player = play(space, part, "a1")
    cleanup.append(player.kill)
    first = subprocess.run(["tcpdump", "-r", part, "-c", "1", "-tt", "-n"], capture_output=True, text=True, check=True)
    dark_at = player.begun + (ONSET - float(first.stdout.split()[0])) / SPEED

    def started():
        return [entry for entry in server.entries() if entry["action"] == "outage-started"]

    assert until(started, dark_at - time.time() + 10), "no outage was told"
    told_at = time.time()
    late_s = float(player.communicate(timeout=60)[0])
    assert late_s < 1.5, "this machine is too busy to play a capture in time"
    played_at = time.time()

    (entry,) = started()
    event = json.loads(entry["event"])
    outage = event["outage"]
    assert entry["scope"] == outage["scope"] == "all" and entry["id"] == event["event"]["id"]
    assert dark_at < told_at < dark_at + 8
    assert dark_at < seconds(event["@timestamp"]) <= told_at
    assert abs(seconds(outage["onset"]) - dark_at) < 2
    assert seconds(outage["onset_earliest"]) - 1 <= dark_at <= seconds(outage["onset_latest"]) + 1
    assert outage["severity"] == "total"
    state = dict(zip(*[iter(server.ask("HGETALL", KEY + "state"))] * 2))
    assert json.loads(state["all"])["state"] == "down"
    assert json.loads(state["tap"])["interfaces"] == [{"name": "a0", "drops": 0}]
    assert server.ask("EXISTS", KEY + "heartbeat") == 1 and 0 < server.ask("TTL", KEY + "heartbeat") <= 30
    assert server.ask("SMEMBERS", "lightsout:sensors") == ["ix-1"]

    ended_at = time.time()
    watch.end(signal.SIGTERM, within_s=10)
    # Everything is written, in the same words everywhere.
    assert [json.loads(entry["event"]) for entry in server.entries()] == read_events(watch.events)
    events = read_events(watch.events)
    assert {event["outage"]["id"] for event in events if "outage" in event} == {outage["id"]}
    # On a slow machine it may still watch when nothing is played any more; and a player that is held up, for the time
    # that fifteen packets take, is a silent wire.
    assert late_s > 0.05 or all(seconds(event["@timestamp"]) > played_at - 1 for event in events if "outage" not in event)
    assert "outage-ended" not in watch.actions()
    rows = watch.rows("all")
    assert ended_at - 4 < seconds(rows[-1]["time"]) <= ended_at
    assert rows[-1]["state"] == "down"
    sent = sum(int(row["packets_in"]) for row in watch.rows("tap")) + sum(
        int(row[measure]) for row in rows for measure in ("packets_in", "packets_out"))
    in_part = subprocess.run(["capinfos", "-M", "-c", "-r", "-T", part], capture_output=True, text=True, check=True)
    assert sent == int(in_part.stdout.split("\t")[1])


@needs_redis
def test_a_sensor_that_is_killed_in_an_outage_goes_on_with_it(space, sample_pcap, tmp_path, cleanup):
    before = excerpt(sample_pcap, tmp_path / "before.pcap", int(ONSET) - 7200, int(ONSET) + 3600)
    after = excerpt(sample_pcap, tmp_path / "after.pcap", int(ONSET) - 3600, int(ONSET) - 1800)
    server = Server(tmp_path)
    cleanup.append(server.stop)
    server.start()

    def told(action):
        return [json.loads(entry["event"])["outage"]["id"] for entry in server.entries() if entry["action"] == action]

    def watch():
        one = Watch(space, tmp_path / "out", "a0", "--redis", server.url, "--state", tmp_path / "state", learn_s=5)
        cleanup.append(one.kill)
        return one

    first = watch()
    player = play(space, before, "a1")
    cleanup.append(player.kill)
    assert until(lambda: told("outage-started"), 60), "no outage was told"
    time.sleep(0.1)  # what a checkpoint takes, and not the interval at which they are due
    first.kill()
    player.kill()
    second = watch()
    player = play(space, after, "a1")
    cleanup.append(player.kill)
    assert until(lambda: told("outage-recovering"), 60), "the outage was forgotten"
    second.end(signal.SIGTERM)
    assert len(told("outage-started")) == 1
    assert set(told("outage-recovering")) == set(told("outage-started"))
    assert len(set(server.ids())) == len(server.ids())


def test_silence_is_counted_as_zeros_and_a_signal_ends_it(space, tmp_path, cleanup):
    watch = Watch(space, tmp_path, "a0")
    cleanup.append(watch.kill)
    assert until(lambda: len(watch.rows("all")) >= 3, 8), "no bins while nothing comes"
    said = watch.end(signal.SIGINT)
    rows = watch.rows("all") + watch.rows("tap")
    for row in rows:
        assert all(row[measure] == "0" for measure in ("flows", "live_flows", "packets_in", "packets_out", "drops")), row
        assert row["state"] == "learning"
    times = [seconds(row["time"]) for row in watch.rows("tap")]
    assert times == [times[0] + i for i in range(len(times))]
    assert watch.events.read_text() == ""
    assert "no packet" in said


# Sends frames that are not watched: burst.py IFACE COUNT, 0 for without end.
BURST = """
import itertools, socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
for _ in range(int(sys.argv[2])) if int(sys.argv[2]) else itertools.count():
    out.send(bytes.fromhex("02000000000b" "02000000000a" "88b5") + bytes(46))
"""


def test_what_came_before_the_signal_is_counted_to_the_last_packet(space, tmp_path, cleanup):
    watch = Watch(space, tmp_path, "a0")
    cleanup.append(watch.kill)
    subprocess.run(space.command(sys.executable, "-c", BURST, "a1", 500), check=True)
    watch.end(signal.SIGTERM)
    assert sum(int(row["packets_in"]) for row in watch.rows("tap")) == 500


def test_an_interface_that_is_gone_at_the_end_is_in_the_exit_status(space, tmp_path, cleanup):
    watch = Watch(space, tmp_path, "a0", workers=2)
    cleanup.append(watch.kill)
    space.run("ip link del a0")
    assert until(lambda: watch.rows("tap") and watch.rows("tap")[-1]["state"] == "blind")
    said = watch.end(signal.SIGTERM, status=1)
    assert said.count("interface a0 was gone when the program ended") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_storm_of_signals_costs_no_packet(space, tmp_path, cleanup, workers):
    watch = Watch(space, tmp_path, "a0", workers=workers)
    cleanup.append(watch.kill)
    with storm(watch.process, [*HARMLESS, signal.SIGHUP]) as sent:
        for _ in range(4):
            subprocess.run(space.command(sys.executable, "-c", BURST, "a1", 500), check=True)
            time.sleep(1)
    assert sent[0] > 1000
    watch.end(signal.SIGTERM)
    rows = watch.rows("tap")
    assert sum(int(row["packets_in"]) for row in rows) == 2000 and {row["drops"] for row in rows} == {"0"}
    times = [seconds(row["time"]) for row in rows]
    assert times == [times[0] + i for i in range(len(times))]
    assert watch.events.read_text() == ""


def test_a_namespace_that_is_deleted_takes_what_was_in_it_and_not_the_program(tmp_path, cleanup):
    far, near = Namespace(), Namespace("a")
    cleanup.extend([near.close, far.close])
    near.run(f"ip link set a1 netns {far.holder.pid}")
    far.run("ip link set a1 up")
    watch = Watch(near, tmp_path, "a0")
    cleanup.append(watch.kill)
    within = ["nsenter", "--net", "--target", str(watch.process.pid), "--"]
    burst = [sys.executable, "-c", BURST, "a1", "500"]
    counted = lambda: sum(int(row["packets_in"] or 0) for row in watch.rows("tap"))
    subprocess.run(far.command(*burst), check=True)
    assert until(lambda: counted() == 500, 15)
    # The other end's is gone, and the interface with it; a new pair brings it back.
    far.close()
    assert until(lambda: watch.rows("tap") and watch.rows("tap")[-1]["state"] == "blind", 15)
    for line in ("ip link add a0 type veth peer name a1", "ip link set a1 up", "ip link set a0 up"):
        subprocess.run([*within, *line.split()], check=True)
    assert until(lambda: watch.rows("tap")[-1]["state"] != "blind", 15)
    # Its own loses the last who held it besides.
    near.close()
    subprocess.run([*within, *burst], check=True)
    assert until(lambda: counted() == 1000, 15)
    said = watch.end(signal.SIGTERM)
    assert said.count("interface a0 is gone") == said.count("interface a0 is back") == 1


def test_a_signal_ends_it_on_a_busy_wire(space, tmp_path, cleanup):
    watch = Watch(space, tmp_path, "a0")
    cleanup.append(watch.kill)
    flood = subprocess.Popen(space.command(sys.executable, "-c", BURST, "a1", 0))
    cleanup.append(flood.wait)
    cleanup.append(flood.kill)
    assert until(lambda: watch.rows("tap") and int(watch.rows("tap")[-1]["packets_in"]) > 0)
    watch.end(signal.SIGTERM, within_s=4)


def lose_both(space, watches, part, cleanup, speed=600):
    """Plays to two watches, takes one's interface down and deletes the other's, and brings both back; what each said until
    it ended."""
    players = [play(space, part, f"{pair}1", speed) for pair in watches]
    cleanup.extend(player.kill for player in players)
    time.sleep(9)
    assert all(player.poll() is None for player in players)
    space.run("ip link set a0 down")
    space.run("ip link del b0")
    time.sleep(6)
    for watch in watches.values():
        rows = watch.rows("all")
        assert "up" in [row["state"] for row in rows]
        # Unknown is not zero.
        assert {(row["state"], row["packets_out"], row["flows"]) for row in rows[-3:]} == {("blind", "", "")}
        assert watch.actions() == ["sensor-impaired"]
    space.run("ip link set a0 up")
    space.run("ip link add b0 type veth peer name b1")
    space.run("ip link set b1 up")
    space.run("ip link set b0 up")
    time.sleep(0.5)
    cleanup.extend(play(space, part, f"{pair}1", speed).kill for pair in watches)
    time.sleep(4)
    return watches["a"].end(signal.SIGTERM), watches["b"].end(signal.SIGTERM)


def assert_told(watches, down, deleted):
    assert down.count("interface a0 is down") == down.count("interface a0 is up again") == 1
    assert deleted.count("interface b0 is gone") == deleted.count("interface b0 is back") == 1
    for watch in watches.values():
        assert watch.actions() == ["sensor-impaired", "sensor-restored"]


@pytest.fixture
def watches(space, tmp_path, cleanup):
    begun = {pair: Watch(space, tmp_path / pair, f"{pair}0", learn_s=5, workers=workers)
             for pair, workers in {"a": 1, "b": 2}.items()}
    cleanup.extend(watch.kill for watch in begun.values())
    return begun


def test_a_lost_interface_is_an_impaired_sensor_and_no_outage(space, watches, sample_pcap, tmp_path, cleanup):
    part = excerpt(sample_pcap, tmp_path / "part.pcap", ONSET - 2 * 3600, ONSET - 600)
    down, deleted = lose_both(space, watches, part, cleanup)
    assert_told(watches, down, deleted)


def test_a_lost_interface_is_no_outage_where_all_traffic_is_watched(space, watches, sample_pcap, tmp_path, cleanup):
    whole = excerpt(sample_pcap, tmp_path / "whole.pcap", ONSET - 2 * 3600, ONSET - 600)
    part = tmp_path / "part.pcap"
    subprocess.run(["tshark", "-r", whole, "-Y", "ip.addr == 175.45.176.0/22", "-F", "pcap", "-w", part], check=True,
                   stderr=subprocess.DEVNULL)
    down, deleted = lose_both(space, watches, part, cleanup)
    assert_told(watches, down, deleted)


# ---- the clock is set while it runs ----

ALARMS = {"outage-started", "sensor-impaired"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_clock_that_is_set_makes_no_outage_and_no_blindness(space, set_clock, sample_pcap, tmp_path, cleanup, workers):
    part = excerpt(sample_pcap, tmp_path / "part.pcap", ONSET - 3 * 3600, ONSET - 600)
    with set_clock.inherited():
        watch = Watch(space, tmp_path, "a0", learn_s=5, workers=workers)
    cleanup.append(watch.kill)
    begun = time.time()
    cleanup.append(play(space, part, "a1", 150).kill)
    for after, wrong_by in ((10, -3600), (12, 0), (15, 7200)):
        time.sleep(begun + after - time.time())
        set_clock.set(wrong_by)
    time.sleep(begun + 18 - time.time())
    said = watch.end(signal.SIGTERM)
    assert not ALARMS & set(watch.actions()), said
    for words in ("the clock was set back by 3600 s", "3600 s ahead of it", "the clock was set forward by 7200 s"):
        assert said.count(words) == 1, said
    rows = watch.rows("all")
    times = [seconds(row["time"]) - begun for row in rows]
    # One row a second, none twice; and two hours of which nothing is told.
    assert len([at for at in times if at < 14]) >= 12 and max(at for at in times if at < 100) < 17
    assert min(at for at in times if at > 100) >= 7200 + 12 and len([at for at in times if at > 100]) >= 2
    assert len(set(times)) == len(times) and times == sorted(times)
    cut = [number for number in range(1, len(times)) if times[number] - times[number - 1] > 1] + [len(times)]
    assert all(int(row["packets_out"]) > 0 for number, row in enumerate(rows)
               if number > 5 and not {number, number + 1} & set(cut))


def test_a_checkpoint_that_is_ahead_of_the_clock_is_gone_on_from(space, set_clock, tmp_path, cleanup):
    def run(wrong_by):
        set_clock.set(wrong_by)
        with set_clock.inherited():
            watch = Watch(space, tmp_path, "a0", "--state", tmp_path / "state", learn_s=5)
        cleanup.append(watch.kill)
        before = len(watch.rows("all"))
        assert until(lambda: len(watch.rows("all")) >= before + 3, 15)
        return watch.end(signal.SIGTERM), [seconds(row["time"]) for row in watch.rows("all")]

    _, times = run(3600)
    assert times[0] > time.time() + 3000
    said, times = run(0)
    assert "s ahead of the clock: time goes on from there" in said and said.count("ahead of the clock") == 1
    assert len(set(times)) == len(times) and times == sorted(times) and times[-1] < time.time() + 3700


@pytest.fixture
def disk(tmp_path, cleanup):
    """A small one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("may not mount")
    cleanup.append(lambda: subprocess.run(["umount", "-l", folder], check=True))
    return folder


def fill(disk):
    """Takes all room that there is; the file that has it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass
    return filler


def test_a_full_disk_is_told_and_written_on_when_there_is_room(space, disk, cleanup):
    watch = Watch(space, disk, "a0")
    cleanup.append(watch.kill)
    filler = fill(disk)
    time.sleep(3)
    stood = watch.bins.read_bytes()
    filler.unlink()
    assert until(lambda: len(watch.bins.read_bytes()) > len(stood), 5)
    filler, stood = fill(disk), watch.bins.read_bytes()
    time.sleep(3)
    filler.unlink()
    assert until(lambda: len(watch.bins.read_bytes()) > len(stood), 5)
    said = watch.end(signal.SIGTERM, status=1)
    assert "make room there" in said
    assert said.count("bins: cannot write") == said.count("bins: written again") == 1, said  # not once more within the minute
    rows = watch.bins.read_text().splitlines()
    assert {row.count(",") for row in rows} == {rows[0].count(",")}
    times = [seconds(row["time"]) for row in watch.rows("tap")]
    assert times == [times[0] + i for i in range(len(times))]


# Sends datagrams to 192.0.2.1, a flow each: flows.py IFACE, without end.
FLOWS = """
import itertools, socket, struct, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
head = bytes.fromhex("02000000000b" "02000000000a" "0800") + struct.pack(">BBHHHBBH", 0x45, 0, 32, 1, 0, 60, 17, 0)
for number in itertools.count():
    source, port = struct.pack(">I", 0x0b000000 + number // 60000), 1 + number % 60000
    out.send(head + source + bytes((192, 0, 2, 1)) + struct.pack(">HHHH", port, 7, 12, 0) + b"data")
    if number % 50 == 49:
        time.sleep(0.02)
"""


def test_flow_records_that_fill_a_disk_go_on_with_whole_lines_when_there_is_room(space, disk, tmp_path, cleanup):
    flows = disk / "flows"
    watch = Watch(space, tmp_path, "a0", "-w", "192.0.2.0/24", "--flows", flows, workers="1\nflow_timeout = 1")
    cleanup.append(watch.kill)
    fill(disk)
    sender = subprocess.Popen(space.command(sys.executable, "-c", FLOWS, "a1"))
    cleanup.append(sender.wait)
    cleanup.append(sender.kill)
    size = lambda: flows.stat().st_size
    time.sleep(4)  # more comes than is kept for better times
    assert size() == 0
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    assert until(lambda: size() > 500_000, 30)
    said = watch.end(signal.SIGTERM, status=1)
    assert said.count("flows: cannot write") == said.count("flows: written again") == 1, said
    records = [json.loads(line) for line in flows.read_text().splitlines()]
    assert {record["destination"]["ip"] for record in records} == {"192.0.2.1"}
    ends = [(record["source"]["ip"], record["source"]["port"]) for record in records]
    assert len(set(ends)) == len(ends)  # none twice
    times = [seconds(row["time"]) for row in watch.rows("tap")]
    assert times == [times[0] + i for i in range(len(times))]  # nothing else waited for the disk


@pytest.mark.parametrize("in_time", [True, False], ids=["room in time", "no room"])
def test_a_report_is_written_whole_where_there_is_room_at_the_end_and_else_it_is_told(space, disk, tmp_path, cleanup, in_time):
    watch = Watch(space, tmp_path, "a0", "--report", disk / "report.html")
    cleanup.append(watch.kill)
    filler = fill(disk)
    time.sleep(2)
    if in_time:
        filler.unlink()
    said = watch.end(signal.SIGTERM, status=0 if in_time else 1)
    assert said.count("report.html: No space left on device; make room there") == (0 if in_time else 1), said
    assert (disk / "report.html").read_text().endswith("</html>\n") == in_time
    assert watch.bins.read_text().endswith("\n") and len(watch.rows("tap")) >= 2


def test_a_program_that_is_held_up_and_loses_packets_is_a_blind_sensor_and_no_outage(space, tmp_path, cleanup):
    watch = Watch(space, tmp_path, "a0", learn_s=5, workers="1\nring_mib = 1")
    cleanup.append(watch.kill)
    flood = subprocess.Popen(space.command(sys.executable, "-c", BURST, "a1", 0))
    cleanup.append(flood.wait)
    cleanup.append(flood.kill)
    assert until(lambda: "up" in [row["state"] for row in watch.rows("tap")], 20)
    watch.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    watch.process.send_signal(signal.SIGCONT)
    assert until(lambda: "sensor-impaired" in watch.actions(), 10)
    watch.end(signal.SIGTERM)
    impaired = [event["sensor"] for event in read_events(watch.events) if event["event"]["action"] == "sensor-impaired"]
    assert "capture-impaired" in [sensor["reason"] for sensor in impaired]
    assert "outage-started" not in watch.actions()
    assert [row for row in watch.rows("all") if row["packets_out"] == "" and row["state"] == "blind"]
