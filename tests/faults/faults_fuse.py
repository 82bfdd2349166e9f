# SPDX-License-Identifier: BSD-3-Clause
"""Several sensors, one verdict: five sensors' streams, of which one is blind, one late, one has a wrong clock and one
loses its road, and fusers that are killed."""

import datetime
import json
import random
import subprocess
import time

from server import LIGHTSOUT, NOTHING, Client, Figure, Server, compare, fault, until

START = datetime.datetime(2025, 6, 5, tzinfo=datetime.timezone.utc)
MINUTES = 420
RATES = {"ix-1": 100, "ix-2": 60, "ix-3": 40, "ix-4": 30, "ix-5": 15}  # answered flows a minute
DARK = (200 * 60 + 17, 260 * 60)  # seconds
ROAD = ("ix-4", 330 * 60, 370 * 60)
BLIND = ("ix-1", 150 * 60, 300 * 60)
LATE = ("ix-2", 30)
CLOCK = ("ix-3", 5)
PREFIX = "fused-test:"

CONFIGURATION = f"""[redis]
prefix = {PREFIX}
command_timeout = 2
connect_timeout = 1
"""


def within(span, second):
    return span[0] <= second < span[1]


def counted(sensor, second):
    """Whether the sensor would have seen a flow of that second."""
    road = sensor == ROAD[0] and within(ROAD[1:], second)
    blind = sensor == BLIND[0] and within(BLIND[1:], second)
    return not (within(DARK, second) or road or blind)


def write_bins(path, sensor, dice):
    ahead = CLOCK[1] if sensor == CLOCK[0] else 0
    with path.open("w") as file:
        file.write("time,scope,flows,answered_flows,live_flows,packets_in,packets_out\n")
        for minute in range(MINUTES):
            at = (START + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            seconds = range(minute * 60 - ahead, minute * 60 - ahead + 60)
            blind = sensor == BLIND[0] and within(BLIND[1:], minute * 60)
            seen = sum(counted(sensor, second) for second in seconds)
            flows = sum(dice.random() < RATES[sensor] / 200 for _ in range(200 * seen // 60))
            knocks = 0 if blind else 10
            file.write(f"{at},all,{flows + knocks},{flows},{flows},{8 * flows + knocks},{8 * flows}\n")
            file.write(f"{at},prefix:192.0.2.0/24,{flows + knocks},{flows},{flows},{8 * flows + knocks},{8 * flows}\n")
            file.write(f"{at},tap,,,,{0 if blind else 500 + dice.randrange(-20, 21)},\n")


class World:
    """What the five sensors put into their streams, and a server to fuse them on."""

    def __init__(self, folder):
        self.folder = folder
        self.conf = folder / "conf"
        self.conf.write_text(CONFIGURATION)
        self.server = Server(folder).start()
        dice = random.Random(1)
        self.bins = {}
        for sensor in RATES:
            write_bins(folder / f"{sensor}.csv", sensor, dice)
            subprocess.run([LIGHTSOUT, "-c", self.conf, "-q", "-b", folder / f"{sensor}.csv", "--sensor", sensor,
                            "--redis", self.server.url], check=True, stdin=subprocess.DEVNULL)
            self.bins[sensor] = self.server.entries(f"{PREFIX}{{{sensor}}}:bins")
        self.server.ask("FLUSHALL")

    def entries(self):
        """Every entry with the second at which it arrives, in that order: (second, sensor, fields)."""
        found = []
        for sensor, bins in self.bins.items():
            delay = 1 + (LATE[1] if sensor == LATE[0] else 0) - (CLOCK[1] if sensor == CLOCK[0] else 0)
            for entry in bins:
                begun = datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))
                found.append(((begun - START).total_seconds() + 60 + delay, sensor, entry))
        return sorted(found, key=lambda one: one[0])

    def name_sensors(self):
        self.server.ask("SADD", f"{PREFIX}sensors", *RATES)

    def load(self):
        """All at once, under ids that tell when each would have come."""
        client = Client(self.server.path)
        self.name_sensors()
        sent = 0
        for number, (second, sensor, entry) in enumerate(self.entries()):
            arrived = int((START.timestamp() + second) * 1000)
            client.send("XADD", f"{PREFIX}{{{sensor}}}:bins", f"{arrived}-{number}", *sum(map(list, entry.items()), []))
            sent += 1
        for _ in range(sent):
            client.reply()
        client.close()

    def fuser(self, *options):
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen([LIGHTSOUT, "-c", self.conf, "--fuse", "--redis", self.server.url, *map(str, options)],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    def events(self):
        return [json.loads(entry["event"]) for entry in self.server.entries(f"{PREFIX}{{fused}}:events")]

    def is_done(self, windows=MINUTES):
        """Whether the last window was told, and that nobody is heard any more."""
        last = self.server.ask("XREVRANGE", f"{PREFIX}{{fused}}:bins", "+", "-", "COUNT", "1")
        at = (START + datetime.timedelta(minutes=windows)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return last and at in last[0][1]

    def forget(self):
        self.server.ask("DEL", f"{PREFIX}sensors")
        for key in self.server.ask("KEYS", f"{PREFIX}{{fused}}:*"):
            self.server.ask("DEL", key)
        for sensor in RATES:
            self.server.ask("DEL", f"{PREFIX}{{{sensor}}}:bins")


def finish(fusers):
    for one in fusers:
        if one.poll() is None:
            one.terminate()
        one.wait(20)


def started(events):
    return sorted(one["outage"]["scope"] for one in events if one["event"]["action"] == "outage-started")


def impaired(events):
    """Sensors that were told to be blind or late; all are silent in the end."""
    return sorted(one["sensor"]["leg"] for one in events
                  if one["event"]["action"] == "sensor-impaired" and one["sensor"]["reason"] != "sensor-silent")


def is_right(events):
    """Both outages that there were and no other; the blind sensor and no other."""
    return started(events) == ["all", f"path:{ROAD[0]}"] and impaired(events) == [BLIND[0]]


@fault("fused: 1 blind, 1 late by 30 s, 1 clock off by 5 s; 1 fuser killed {times} times", "0 / 0 / 0", 2, 50)
def fuser_killed(folder, times):
    """Two fusers over the same streams, one of which is killed: what one alone says of them, each time."""
    dice = random.Random(3)
    world = World(folder)
    total, struck, false = NOTHING, 0, 0
    try:
        world.load()
        alone = world.fuser()
        until(world.is_done)
        finish([alone])
        decided = [one["event"]["id"] for one in world.events()]
        for _ in range(times):
            world.forget()
            world.load()
            fusers = [world.fuser(), world.fuser()]
            time.sleep(dice.uniform(0.02, 0.35))
            struck += not world.is_done()
            victim = fusers[dice.randrange(2)]
            victim.kill()
            victim.wait()
            until(world.is_done, 60)
            finish(fusers)
            total += compare(decided, [one["event"]["id"] for one in world.events()])
            false += not is_right(world.events())
    finally:
        world.server.stop()
    right = total.whole() and false == 0
    return Figure(f"{total}; {false} with another outage than there was; {struck} struck before the end", right)


@fault("fused: server killed with -9 and restarted (fsync always), {times} times", "0 / 0 / 0", 2, 50)
def fused_server_killed(folder, times):
    """While a fuser judges; what it says undisturbed, each time."""
    dice = random.Random(4)
    world = World(folder)
    total, struck = NOTHING, 0
    try:
        world.load()
        alone = world.fuser()
        until(world.is_done)
        finish([alone])
        decided = [one["event"]["id"] for one in world.events()]
        for _ in range(times):
            world.forget()
            world.load()
            fuser = world.fuser()
            time.sleep(dice.uniform(0.02, 0.35))
            struck += not world.is_done()
            world.server.kill()
            time.sleep(dice.uniform(0, 0.1))
            world.server.start()
            until(world.is_done, 60)
            finish([fuser])
            total += compare(decided, [one["event"]["id"] for one in world.events()])
    finally:
        world.server.stop()
    return Figure(f"{total}; {struck} struck before the end", total.whole())


def play(world, windows, pace, strike):
    """The windows as they come, `pace` a second; strike(window) before each. What a busy machine holds up shifts all that
    follows: bins that were crowded into one millisecond would come in another order, which makes sensors late."""
    client = Client(world.server.path)
    at = None
    for second, sensor, entry in world.entries():
        window = second / 60
        if not windows[0] <= window < windows[1]:
            continue
        strike(window)
        if at is not None:
            time.sleep((window - at) / pace)
        at = window
        client("XADD", f"{PREFIX}{{{sensor}}}:bins", "*", *sum(map(list, entry.items()), []))
    client.close()


@fault("fused as it happens, who judges killed within the outage, {times} times", "all, once", 1, 10)
def judge_killed(folder, times):
    """At four minutes a second; the lateness is the least that there is. Whoever judges has begun before there were
    sensors: what the other reads of those that it does not know yet has to be waited for all the same."""
    world = World(folder)
    wrong, repeated = 0, 0
    with world.conf.open("a") as conf:
        conf.write("[fuse]\nlateness = 1\n")
    try:
        for _ in range(times):
            world.forget()
            fusers = [world.fuser()]
            until(lambda: world.server.ask("GET", f"{PREFIX}{{fused}}:lease"))
            world.name_sensors()
            fusers.append(world.fuser())

            def strike(window):
                if window > 204 and all(one.poll() is None for one in fusers):
                    holder = world.server.ask("GET", f"{PREFIX}{{fused}}:lease") or ""
                    for one in fusers:
                        if f"-{one.pid}-" in holder:
                            one.kill()

            play(world, (190, 240), 4, strike)
            until(lambda: len(world.server.entries(f"{PREFIX}{{fused}}:bins")) and
                  world.server.ask("XREVRANGE", f"{PREFIX}{{fused}}:bins", "+", "-", "COUNT", "1")[0][1][1] >=
                  (START + datetime.timedelta(minutes=238)).strftime("%Y-%m-%dT%H:%M:%SZ"), 30)
            finish(fusers)
            ids = [one["event"]["id"] for one in world.events()]
            repeated += len(ids) - len(set(ids))
            killed = sum(one.returncode == -9 for one in fusers)
            wrong += started(world.events()) != ["all"] or impaired(world.events()) != [BLIND[0]] or killed != 1
    finally:
        world.server.stop()
    return Figure(f"{times - wrong} of {times} right, {repeated} events repeated", wrong == 0 and repeated == 0)
