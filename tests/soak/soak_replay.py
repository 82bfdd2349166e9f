# SPDX-License-Identifier: BSD-3-Clause
"""The world of a soak in data time: written to a capture, replayed, and judged. What the detector got wrong in a soak is
found again here in seconds, and in the same words each time."""

import json
import struct
import subprocess

from soak import configuration
from soak_judge import judge
from soak_plan import plan
from soak_world import MODES, World

BEGIN_S = 1750000000
TICK_S = 0.01


class Capture:
    """A wire that writes a savefile; `now_s` is the instant of what is sent."""

    def __init__(self, path):
        self.file, self.now_s = path.open("wb"), 0.0
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))

    def send(self, frame):
        at = BEGIN_S + self.now_s
        self.file.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame)


def write(path, seed, commands, length_s):
    """The world's frames, with a command at each of some seconds."""
    wire = Capture(path)
    world = World(wire, seed)
    coming, forged, commands = {world.flow: 0.0, world.control: 0.0}, 0.0, sorted(commands)
    with wire.file:
        for tick in range(int(length_s / TICK_S)):
            now = tick * TICK_S
            while commands and commands[0][0] <= now:
                world.obey(commands.pop(0)[1].split())
            for kind in coming:
                while coming[kind] <= now:
                    kind(coming[kind])
                    coming[kind] += world.wait(kind)
            forged = max(forged, now - TICK_S)
            while "forge" in world.modes and forged <= now:
                world.forgery(forged)
                forged += world.dice.expovariate(10)
            while world.queue and world.queue[0][0] <= now:
                wire.now_s = world.queue[0][0]
                world.due(wire.now_s)


def commands_of(planned):
    """What of a plan the world can do by itself, and the truth of it."""
    commands, truth = [], {"outages": [], "blind": [], "faults": []}
    for one in planned:
        window = {"begin": BEGIN_S + one.at, "end": BEGIN_S + one.at + one.lasts}
        if one.outage is not None:
            commands += [(one.at, "dark {} {} {}".format(*one.outage)), (one.at + one.lasts, "light")]
            truth["outages"].append({**one.outage._asdict(), **window})
        elif one.name in MODES or one.name == "mute":
            commands += [(one.at, f"{one.name} on"), (one.at + one.lasts, f"{one.name} off")]
            truth["faults"].append({"name": one.name, **window})
            truth["blind"] += [{"who": "both", "why": "mute", **window}] if one.name == "mute" else []
    return commands, truth


def replay(lightsout, folder, seed, planned, length_s):
    """What was told of a plan, judged; and the events."""
    commands, truth = commands_of(planned)
    write(folder / "world.pcap", seed, commands, length_s)
    (folder / "conf").write_text(configuration(1, 64))
    events = folder / "events"
    subprocess.run([lightsout, "-r", folder / "world.pcap", "-c", folder / "conf", "--events", events, "-q"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = [json.loads(line) for line in events.read_text().splitlines()]
    return judge({**truth, "begin": BEGIN_S, "end": BEGIN_S + length_s}, told, "main"), told


def replay_plan(lightsout, folder, seed, length_s):
    return replay(lightsout, folder, seed, plan(seed, length_s), length_s)
