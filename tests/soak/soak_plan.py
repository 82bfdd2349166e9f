# SPDX-License-Identifier: BSD-3-Clause
"""What befalls the soak and when, drawn from a seed: outages of known scope and length, one at a time, and faults of the
machinery, any number at a time but one of a resource."""

import random
from typing import NamedTuple

from soak_world import PATHS, PREFIXES, SERVICE

LEARN_S = 90  # nothing happens before
CALM_S = 60  # nor this long before the end


class Outage(NamedTuple):
    """`alive` is the share of the flows that a partial one spares."""

    scope: str
    alive: float
    inbound: str


class Planned(NamedTuple):
    at: float  # seconds from the begin
    lasts: float
    name: str  # of a fault; "dark"
    outage: Outage | None


class Kind(NamedTuple):
    """A fault: what it takes hold of (who is to start needs a wire), and between how many seconds it lasts."""

    takes: tuple
    lasts: tuple


# What must change nothing: the sensor sees all that it saw.
HARMLESS = {
    "mutate": Kind(("mutate",), (5, 20)),
    "junk": Kind(("junk",), (5, 20)),
    "names": Kind(("names",), (5, 20)),
    "disorder": Kind(("disorder",), (5, 20)),
    "twice": Kind(("twice",), (5, 20)),
    "forge": Kind(("forge",), (5, 20)),
    "surge": Kind(("wire",), (2, 8)),
    "syn-flood": Kind(("wire",), (4, 8)),
    "full-events": Kind(("events",), (5, 20)),
    "full-state": Kind(("state", "main"), (5, 20)),
    "stuck-reader": Kind(("tail",), (5, 30)),
    "redis-kill": Kind(("redis",), (1, 8)),
    "redis-stop": Kind(("redis",), (2, 8)),
    "redis-cut": Kind(("redis",), (1, 8)),
    "redis-stall": Kind(("redis",), (2, 8)),
    "redis-reset": Kind(("redis",), (1, 8)),
    "redis-trickle": Kind(("redis",), (2, 8)),
    "reload": Kind(("main",), (0, 1)),
    "reload-broken": Kind(("main",), (0, 1)),
    "http-hang": Kind(("http",), (5, 20)),
    "clock": Kind(("clock",), (5, 20)),
    "http-many": Kind(("http",), (1, 3)),
}
# What takes its sight, or part of it; or ends with a new start.
BLINDING = {
    "link-down": Kind(("wire",), (2, 10)),
    "link-lost": Kind(("wire",), (2, 10)),
    "renamed": Kind(("wire",), (2, 10)),
    "deleted": Kind(("wire",), (2, 10)),
    "mute": Kind(("wire",), (5, 15)),
    "stop": Kind(("main",), (2, 12)),
    "overrun": Kind(("main", "wire"), (3, 6)),
    "kill": Kind(("main", "wire"), (0.5, 5)),
    "restart": Kind(("main", "wire"), (0, 3)),
    "full-bins": Kind(("bins", "main", "wire"), (3, 8)),
    "full-flows": Kind(("flows", "main", "wire"), (3, 8)),
    "full-report": Kind(("report", "main", "wire"), (1, 4)),
}
KINDS = HARMLESS | BLINDING


def draw_outage(dice):
    """An outage and how long it lasts: longer where fewer flows tell of it."""
    which = dice.random()
    if which < 0.4:
        return Outage("all", 0.0, dice.choice(("persists", "persists", "ceases"))), dice.uniform(20, 50)
    if which < 0.55:
        return Outage("all", 0.1, "persists"), dice.uniform(40, 60)
    if which < 0.75:
        return Outage(f"path:{dice.choice(sorted(PATHS))}", 0.0, "persists"), dice.uniform(30, 60)
    if which < 0.9:
        return Outage(f"prefix:{dice.choice(PREFIXES)}", 0.0, "persists"), dice.uniform(40, 70)
    return Outage(f"service:{SERVICE}", 0.0, "persists"), dice.uniform(40, 70)


def outages(dice, until):
    at = LEARN_S + dice.uniform(5, 20)
    while True:
        outage, lasts = draw_outage(dice)
        if at + lasts > until:
            return
        yield Planned(at, lasts, "dark", outage)
        at += lasts + dice.uniform(45, 80)


def faults(dice, until, kinds, pauses):
    """Every kind once before any comes twice."""
    at, names = LEARN_S, []
    while True:
        at += dice.uniform(*pauses)
        if not names:
            names = sorted(kinds)
            dice.shuffle(names)
        name = names.pop()
        lasts = dice.uniform(*kinds[name].lasts)
        if at + lasts > until:
            return
        yield Planned(at, lasts, name, None)


def without_collisions(planned):
    """Leaves out what would take hold of what another still holds, or has let go of only just."""
    free = {}
    for one in planned:
        takes = KINDS[one.name].takes if one.name in KINDS else ()
        if all(free.get(resource, 0) <= one.at for resource in takes):
            free.update((resource, one.at + one.lasts + 2) for resource in takes)
            yield one


def plan(seed, seconds):
    dice = random.Random(seed)
    until = seconds - CALM_S
    # Each stream has dice of its own, so that one more of these leaves the others where they are.
    streams = [outages(random.Random(dice.random()), until), faults(random.Random(dice.random()), until, HARMLESS, (3, 10)),
               faults(random.Random(dice.random()), until, BLINDING, (15, 50))]
    return list(without_collisions(sorted((one for stream in streams for one in stream), key=lambda one: one.at)))
