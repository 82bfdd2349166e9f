# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of faults share: a private redis-server, input with many events, whether the stream holds each event once
and in order, and the table of faults.

A fault is a function with @fault in a file of this folder. It is given a folder of its own and how often to strike,
and returns a Figure. test_faults.py runs all in their short form, bench.py whole, with a table of the figures.
"""

import collections
import datetime
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "analysis" / "publish"))
from redis_server import Client, Drive, Server, drive, needs_redis, until  # noqa: E402,F401

BUILD = Path(os.environ.get("BUILD", TOP / "build"))
LIGHTSOUT = Path(os.environ.get("LIGHTSOUT", BUILD / "lightsout"))
SENSOR = "ix-1"
PREFIX = "faults:"
STREAM = f"{PREFIX}{{{SENSOR}}}:events"

CONFIGURATION = f"""[lightsout]
sensor = {SENSOR}
state_every = 0.02
[detect]
recovery_hold = 5m
[redis]
prefix = {PREFIX}
maxlen = 1000000
command_timeout = 1
connect_timeout = 1
"""


class Figure(NamedTuple):
    """What was measured, in words; whether that is what is required. Where time decides about that, `sound` tells
    apart whether all else was right, which is what a test goes by."""

    measured: str
    reached: bool
    sound: bool | None = None


class Fault(NamedTuple):
    requirement: str
    goal: str
    run: collections.abc.Callable
    short: int
    whole: int


FAULTS = []


def fault(requirement, goal, short, whole):
    """Enters a function into the table: run(folder, times)."""

    def enter(run):
        FAULTS.append(Fault(requirement, goal, run, short, whole))
        return run

    return enter


def write_bins(path, days=8, every=45):
    """Minutes of a network that goes dark for eight of every `every` minutes: about 140 events a day."""
    dice = random.Random(1)
    start = datetime.datetime(2025, 6, 2, tzinfo=datetime.timezone.utc)
    with path.open("w") as file:
        file.write("time,scope,answered_flows,live_flows,packets_in,packets_out\n")
        for minute in range(round(days * 1440)):
            time = (start + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            dark = minute >= 180 and minute % every < 8
            flows = 0 if dark else 100 + dice.randrange(-10, 11)
            file.write(f"{time},all,{flows},{flows},{flows * 8},{flows * 8}\n")
            file.write(f"{time},tap,,,{5000 + dice.randrange(-50, 51)},\n")
    return path


class Replay:
    """The program over bins with more than a thousand events; what it keeps is in a folder, or on a disk of its own."""

    def __init__(self, folder, url=None, days=8, settings="", options=(), disk=None):
        self.folder = folder
        self.events = folder / "events.ndjson"
        self.state = (disk or folder) / "state"
        self.spool = (disk or folder) / "state.spool"
        self.log = folder / "log"
        bins = folder / "bins.csv"
        if not bins.exists():
            write_bins(bins, days)
        (folder / "conf").write_text(CONFIGURATION + settings)
        self.command = [LIGHTSOUT, "-c", folder / "conf", "-b", bins, "-q", "--state", self.state, *options]
        self.command += ["--redis", url] if url else []

    def start(self, *options):
        with self.log.open("a") as log:
            return subprocess.Popen([*map(str, self.command), *map(str, options)], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=log)

    def forget(self):
        """As if it had never run."""
        for path in (self.state, self.spool, self.events, self.log):
            path.unlink(missing_ok=True)

    def finish(self, *options, status=0):
        """A run to its end."""
        assert self.start(*options).wait(600) == status, self.said()

    def said(self):
        return self.log.read_text()

    def decided(self):
        """The ids of all events, by a run that nothing disturbs."""
        whole = self.folder / "undisturbed.ndjson"
        if not whole.exists():
            words = self.command[:self.command.index("--state")]
            subprocess.run([*map(str, words), "--events", str(whole)], check=True, stdin=subprocess.DEVNULL)
        return [json.loads(line)["event"]["id"] for line in whole.read_text().splitlines()]


class Delivery(NamedTuple):
    """The stream held against what was decided."""

    decided: int
    lost: int
    repeated: int
    misplaced: int

    def whole(self):
        return self.decided > 0 and not (self.lost or self.repeated or self.misplaced)

    def __str__(self):
        return f"{self.lost} lost, {self.repeated} repeated, {self.misplaced} out of order of {self.decided}"

    def __add__(self, other):
        return Delivery(*(a + b for a, b in zip(self, other)))


def compare(decided, delivered):
    """Ids decided against ids in the stream."""
    place = {event: at for at, event in enumerate(decided)}
    counts = collections.Counter(delivered)
    last = misplaced = 0
    for event in delivered:
        at = place.get(event, -1)
        misplaced += at < last
        last = max(last, at)
    return Delivery(len(decided), sum(event not in counts for event in decided),
                    sum(count - 1 for count in counts.values()), misplaced)


NOTHING = Delivery(0, 0, 0, 0)

