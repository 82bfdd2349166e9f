# SPDX-License-Identifier: BSD-3-Clause
"""The analyst's replay: a part of a capture, many files as one, a capture that is still being written."""

import contextlib
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP, read_events
from namespace import Namespace

FROM, TO = "2025-06-06T12:00:00Z", "2025-06-06T20:00:00Z"


def outputs(lightsout, folder, name, *arguments):
    """Events, bins and flows of a replay, as bytes."""
    paths = [folder / f"{name}.{kind}" for kind in ("events", "bins", "flows")]
    lightsout(*arguments, "-q", "--sensor", "test", "--events", paths[0], "--bins", paths[1], "--flows", paths[2])
    return [path.read_bytes() for path in paths]


# ---- --from, --to ----


def test_a_part_of_a_capture_is_read_as_if_the_rest_were_not_there(lightsout, sample_pcap, tmp_path):
    part = tmp_path / "part.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-A", FROM, "-B", TO, sample_pcap, part], check=True)
    cut = outputs(lightsout, tmp_path, "cut", "-r", part)
    assert b"outage-started" in cut[0]
    assert cut == outputs(lightsout, tmp_path, "whole", "-r", SAMPLE, "--from", FROM, "--to", TO)
    assert cut == outputs(lightsout, tmp_path, "zone", "-r", SAMPLE, "--from", "2025-06-06 21:00+09:00", "--to",
                          "2025-06-07T05:00:00.0+0900")
    config = tmp_path / "workers.conf"
    config.write_text("[capture]\nworkers = 2\n")
    several = outputs(lightsout, tmp_path, "several", "-c", config, "-r", SAMPLE, "--from", FROM, "--to", TO)
    assert cut[:2] == several[:2]


def test_a_date_alone_is_its_midnight(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "bins", "--from", "2025-06-06", "--to", "2025-06-07")
    times = [line.split(",")[0] for line in (tmp_path / "bins").read_text().splitlines()[1:]]
    assert times[0] == "2025-06-06T00:00:00Z" and times[-1] == "2025-06-06T23:59:00Z"


def test_a_part_of_a_table_of_bins_is_judged(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "all.csv")
    lightsout("-b", tmp_path / "all.csv", "-q", "--bins", tmp_path / "part.csv", "--from", FROM, "--to", TO)
    inside = lambda text: sorted(row.split(",")[:14] for row in text.splitlines() if FROM[:16] <= row[:16] < TO[:16])
    part = (tmp_path / "part.csv").read_text()
    assert inside(part) == inside((tmp_path / "all.csv").read_text())
    assert len(inside(part)) == len(part.splitlines()) - 1


@pytest.mark.parametrize("arguments, words", [
    (("--from", "yesterday"), "--from yesterday: a time is wanted"),
    (("--to", "2025-02-30"), "--to 2025-02-30: a time is wanted"),
    (("--from", TO, "--to", FROM), "nothing lies between"),
    (("--from", TO, "--to", TO), "nothing lies between"),
])
def test_a_time_that_cannot_be_is_refused_in_one_line(lightsout, arguments, words):
    said = lightsout("-r", SAMPLE, *arguments, status=2).stderr
    assert words in said and said.count("\n") == 1


def test_an_interface_has_no_from_and_to(lightsout):
    assert "of a replay" in lightsout("-i", "lo", "--from", FROM, status=2).stderr


def test_where_nothing_lies_between_it_is_said(lightsout):
    done = lightsout("-r", SAMPLE, "--from", "2031-01-01")
    assert "there is no packet between --from and --to" in done.stderr
    assert "nothing was measured" in done.stdout


# ---- clocks ----

HOUR, DAY = 3600, 86400


def with_times(capture, path, time_of):
    """The capture, with the seconds of packet `number` of `count` being time_of(number, count, seconds)."""
    data = bytearray(capture.read_bytes())
    places, at = [], 24
    while at < len(data):
        places.append(at)
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    for number, at in enumerate(places):
        seconds = struct.unpack_from("<I", data, at)[0]
        struct.pack_into("<I", data, at, time_of(number, len(places), seconds) % 2**32)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("strange", [lambda now: now + HOUR, lambda now: now + 2 * DAY, lambda now: 2**32 - 1,
                                     lambda now: now - HOUR, lambda now: 1],
                         ids=["an hour ahead", "two days ahead", "2106", "an hour back", "1970"])
def test_a_damaged_time_changes_nothing_that_is_told(lightsout, sample_pcap, tmp_path, strange):
    # At the very ends an hour off may be silence.
    ends = (0, -1) if abs(strange(DAY) - DAY) > HOUR else ()
    damaged = with_times(sample_pcap, tmp_path / "damaged.pcap",
                         lambda number, count, now: strange(now) if number in [count // 5, *(end % count for end in ends)] else now)
    said = lightsout("-v", "-r", damaged, "--sensor", "test", "--events", tmp_path / "events").stderr
    lightsout("-q", "-r", sample_pcap, "--sensor", "test", "--events", tmp_path / "right")
    of = lambda path: [(event["event"]["action"], event["@timestamp"], event["outage"]["onset"][:19]) for event in read_events(path)]
    assert of(tmp_path / "events") == of(tmp_path / "right")
    assert "with a time that those around contradict" in said


@pytest.mark.parametrize("by", [HOUR, DAY, 55 * 365 * DAY], ids=["an hour", "a day", "into 1970"])
@pytest.mark.parametrize("forth_again", [False, True], ids=["for good", "and forth again"])
def test_a_clock_that_is_set_back_makes_no_outage_and_hides_none(lightsout, sample_pcap, tmp_path, by, forth_again):
    whole = lambda number, count: number >= count // 5 and not (forth_again and number >= count // 3)
    capture = with_times(sample_pcap, tmp_path / "set.pcap", lambda number, count, now: now - by * whole(number, count))
    done = lightsout("-r", capture, "--sensor", "test", "--events", tmp_path / "events", "--bins", tmp_path / "bins")
    lightsout("-q", "-r", sample_pcap, "--sensor", "test", "--events", tmp_path / "right")
    of = lambda path: [(event["event"]["action"], event["outage"]["scope"]) for event in read_events(path)]
    assert of(tmp_path / "events") == of(tmp_path / "right")
    assert "the clock was set back by" in done.stderr and done.stderr.count("\n") == 1
    times = [row.split(",")[0] for row in (tmp_path / "bins").read_text().splitlines()[1:] if ",all," in row]
    assert len(times) == len(set(times)) == 2 * 24 * 60 and times == sorted(times)


# ---- many files as one capture, and what is missing between them ----


@pytest.fixture(scope="module")
def hours(sample_pcap, tmp_path_factory):
    """The sample in files of an hour, by their hour of the scenario, which begins at 2025-06-05 10:00 UTC."""
    folder = tmp_path_factory.mktemp("hours")
    subprocess.run(["editcap", "-F", "pcap", "-i", "3600", sample_pcap, folder / "hour.pcap"], check=True)
    return sorted(folder.iterdir())


def without(hours, folder, *missing):
    """A directory of the hours that are there, in two levels of names that say nothing of their order."""
    folder.mkdir()
    for number, path in enumerate(hours):
        if number not in missing:
            (folder / f"{'ba'[number % 2]}-{len(hours) - number}.pcap").symlink_to(path)
    return folder


def test_files_that_are_missing_are_no_silence(lightsout, hours, tmp_path):
    # Three hours before the blackout, and its last four with the return.
    part = without(hours, tmp_path / "part", 20, 21, 22, 38, 39, 40, 41)
    done = lightsout("-r", part, "--sensor", "test", "--events", tmp_path / "events", "--bins", tmp_path / "bins")
    assert "missing    2 stretches without any packet" in done.stdout
    assert "2025-06-06 06:00:00 to 09:00:00 UTC (3 h 0 min 1 s)" in done.stdout
    assert "2025-06-06 23:59:55 to 2025-06-07 04:00:00 UTC (4 h 0 min 5 s)" in done.stdout
    events = read_events(tmp_path / "events")
    assert {event["event"]["dataset"] for event in events} == {"lightsout.outage"}
    assert {event["outage"]["scope"] for event in events} == {"all"}
    assert [event["event"]["action"] for event in events].count("outage-started") == 1
    ended = events[-1]["outage"]
    assert ended["end_earliest"] < "2025-06-07T02:30:12" < ended["end_latest"]
    rows = [row.split(",") for row in (tmp_path / "bins").read_text().splitlines()[1:]]
    times = {row[0] for row in rows if row[1] == "all"}
    assert "2025-06-06T05:59:00Z" in times and "2025-06-06T09:00:00Z" in times
    assert not [time for time in times if "2025-06-06T06:01" <= time < "2025-06-06T09"]
    # Rows that are absent are not silence when the table is read back either.
    again = lightsout("-b", tmp_path / "bins", "--events", tmp_path / "again")
    assert "missing    2 stretches" in again.stdout
    assert {event["event"]["dataset"] for event in read_events(tmp_path / "again")} == {"lightsout.outage"}


def test_an_outage_that_begins_in_what_is_missing_is_told_once_it_is_seen(lightsout, hours, tmp_path):
    # Other traffic, which nobody captured meanwhile, was once taken for lost, and the sensor for blind.
    part = without(hours, tmp_path / "part", 31, 32)
    lightsout("-r", part, "--events", tmp_path / "events", "--bins", tmp_path / "bins")
    lightsout("-b", tmp_path / "bins", "--events", tmp_path / "again")
    for name in ("events", "again"):
        events = read_events(tmp_path / name)
        assert {event["event"]["dataset"] for event in events} == {"lightsout.outage"}
        actions = [event["event"]["action"] for event in events]
        assert actions[0] == "outage-started" and actions.count("outage-started") == 1
        outage = events[0]["outage"]
        assert outage["onset_earliest"] < "2025-06-06T17:23:41" < outage["onset_latest"]
        assert events[0]["@timestamp"] < "2025-06-06T19:20"


def test_what_is_missing_is_the_same_for_several_workers(lightsout, hours, tmp_path):
    part = without(hours, tmp_path / "part", 20, 21, 22)
    config = tmp_path / "workers.conf"
    config.write_text("[capture]\nworkers = 2\n")
    one = lightsout("-r", part, "--bins", tmp_path / "one")
    two = lightsout("-c", config, "-r", part, "--bins", tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert "missing    1 stretch without" in one.stdout and one.stdout == two.stdout


def test_a_capture_of_watched_traffic_only_tells_silence_between_two_files(lightsout, hours, tmp_path):
    # tcpdump begins the next file with the next packet: then the outage itself lies between two files.
    watched = tmp_path / "watched"
    watched.mkdir()
    for number, path in enumerate(hours):
        subprocess.run(["tcpdump", "-r", path, "-w", watched / f"{number:02}.pcap",
                        "vlan and net 175.45.176.0/22"],
                       check=True, stderr=subprocess.DEVNULL)
    for number in range(32, 40):
        (watched / f"{number}.pcap").unlink()
    done = lightsout("-r", watched, "--events", tmp_path / "events")
    assert "missing" not in done.stdout
    assert "outage-started" in [event["event"]["action"] for event in read_events(tmp_path / "events")]


# ---- settings compared on one table of bins ----


def test_the_comparison_in_the_readme_comes_out_as_it_says(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--bin", 10, "--bins", tmp_path / "bins.csv")
    told = []
    for number in ("0.01", "1", "100"):
        (tmp_path / "tuned.conf").write_text(f"[detect]\nfalse_alarms_per_year = {number}\n")
        done = lightsout("-b", tmp_path / "bins.csv", "-c", tmp_path / "tuned.conf")
        told += [line for line in done.stdout.splitlines() if line.startswith("outage")]
    shown = [line.split("  #")[0].strip() for line in (TOP / "README.md").read_text().splitlines()
             if re.match(r"    outage .* after its onset  +#|    outage     service", line)]
    assert told == shown and len(told) == 4


# ---- captures that are still being written ----


class Follower:
    """The program, following something; ended with SIGINT."""

    def __init__(self, folder, *arguments):
        self.events, self.bins = folder / "followed.events", folder / "followed.bins"
        self.process = subprocess.Popen([LIGHTSOUT, *map(str, arguments), "--follow", "-q", "--sensor", "test", "--events",
                                         self.events, "--bins", self.bins], stderr=subprocess.PIPE, text=True)

    def wait_for(self, reached):
        """Until the bins have come so far in data time."""
        give_up = time.monotonic() + 60
        while not self.bins.exists() or f"\n{reached}" not in self.bins.read_text():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < give_up, f"{reached} was not reached"
            time.sleep(0.05)

    def has_read(self, path):
        """Whether it has come to the end of a file, as it stands."""
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if link.resolve() == path.resolve():
                    at = (link.parent.parent / "fdinfo" / link.name).read_text().split()[1]
                    return int(at) == path.stat().st_size
        return False

    def naps(self):
        return int(re.search(r"\nvoluntary_ctxt_switches:\s(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def end(self, last):
        """Once it has read the last file and has nothing else to do than to wait for more: what it has not counted by then,
        the signal takes away."""
        give_up = time.monotonic() + 60
        while not self.has_read(last):
            assert time.monotonic() < give_up, f"{last} is not read"
            time.sleep(0.05)
        naps = self.naps()
        while self.naps() < naps + 20:
            assert time.monotonic() < give_up, "it does not come to rest"
            time.sleep(0.05)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=30) == 0
        assert self.process.stderr.read() == ""
        return self.events.read_bytes(), self.bins.read_bytes()


@pytest.fixture
def follow(tmp_path):
    """Starts the program on something that grows; what a failing test leaves behind is ended."""
    started = []

    def start(*arguments):
        started.append(Follower(tmp_path, *arguments))
        return started[-1]

    yield start
    for follower in started:
        follower.process.kill()
        follower.process.communicate()


def afterwards(lightsout, folder, *arguments):
    lightsout(*arguments, "-q", "--sensor", "test", "--events", folder / "events", "--bins", folder / "bins")
    return (folder / "events").read_bytes(), (folder / "bins").read_bytes()


def grow(path, data, pieces):
    """Writes as a writer does whose buffer ends anywhere, also within a packet's header."""
    step = len(data) // pieces + 1
    with path.open("ab", buffering=0) as file:
        for at in range(0, len(data), step):
            file.write(data[at:at + step])
            time.sleep(0.02)


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_growing_file_is_followed_and_tells_what_a_replay_of_it_tells(lightsout, follow, sample_pcap, tmp_path, form):
    whole, growing = tmp_path / "whole", tmp_path / "growing"
    subprocess.run(["editcap", "-F", form, "-A", FROM, "-B", TO, sample_pcap, whole], check=True)
    data = whole.read_bytes()
    growing.write_bytes(b"")  # tcpdump's is empty until its buffer is full
    follower = follow("-r", growing)
    grow(growing, data[:3], pieces=1)
    grow(growing, data[3:len(data) // 2 + 7], pieces=37)
    follower.wait_for("2025-06-06T14:5")
    assert "outage-started" not in follower.events.read_text()
    grow(growing, data[len(data) // 2 + 7:], pieces=41)
    followed = follower.end(growing)
    assert b"outage-started" in followed[0]
    assert followed == afterwards(lightsout, tmp_path, "-r", whole)


def test_new_files_of_a_directory_are_followed(lightsout, follow, hours, tmp_path):
    folder, done = tmp_path / "rotated", tmp_path / "done"
    folder.mkdir()
    done.mkdir()
    follower = follow("-r", folder)
    for path in hours[24:34]:
        (done / path.name).write_bytes(path.read_bytes())
        grow(folder / path.name, path.read_bytes(), pieces=5)
        (folder / "notes.txt").write_text("no capture")
    followed = follower.end(folder / path.name)
    assert b"outage-started" in followed[0]
    assert followed == afterwards(lightsout, tmp_path, "-r", done)


def test_tcpdump_that_rotates_is_followed(lightsout, follow, tmp_path):
    namespace = Namespace("line")
    folder = tmp_path / "rotated"
    folder.mkdir(mode=0o777)
    try:
        writer = subprocess.Popen(namespace.command("tcpdump", "-i", "line1", "-U", "-Z", "root", "-G", 2, "-w",
                                                    folder / "%s.pcap", "udp"), stderr=subprocess.PIPE, text=True)
        assert "listening" in writer.stderr.readline()
        follower = follow("-r", folder, "-w", "192.0.2.0/24")
        namespace.run("ip addr add 192.0.2.1/24 dev line0")
        namespace.run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev line0")
        talk = "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
               "for i in range(80): s.sendto(b'x', ('192.0.2.2', 9)); time.sleep(0.1)"
        subprocess.run(namespace.command(sys.executable, "-c", talk), check=True)
        writer.terminate()
        writer.communicate(timeout=10)
        assert len(list(folder.iterdir())) >= 4
        followed = follower.end(max(folder.iterdir()))
    finally:
        namespace.close()
    sent = sum(int(row.split(",")[6]) for row in followed[1].decode().splitlines() if ",all," in row)
    assert sent > 60  # tcpdump leaves the last ones in the kernel
    assert followed == afterwards(lightsout, tmp_path, "-r", folder, "-w", "192.0.2.0/24")


def test_following_ends_by_itself_with_the_time_asked_for(lightsout, sample_pcap, tmp_path):
    to = ("--from", FROM, "--to", TO)
    lightsout("-r", sample_pcap, "--follow", *to, "-q", "--bins", tmp_path / "followed")
    lightsout("-r", sample_pcap, *to, "-q", "--bins", tmp_path / "bins")
    assert (tmp_path / "followed").read_bytes() == (tmp_path / "bins").read_bytes()


def test_only_captures_are_followed(lightsout, tmp_path):
    assert "--follow is of captures" in lightsout("-i", "lo", "--follow", status=2).stderr
    assert "cannot read" in lightsout("-r", tmp_path / "nowhere", "--follow", status=1).stderr
