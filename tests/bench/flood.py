#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Is the truth told under a flood, and does memory stay where it is?

    tests/bench/flood.py BUILD_FOLDER [--syns N] [--packets N] [--only GLOB] [--json FILE]

Merges the sample's blackout with forged SYNs into the watched space, sent in normal hours, in the dark, into the onset and
into the return, within half an hour or a minute, with hosts that answer and without, and holds the episodes that
build/lightsout tells against those without a flood. Then reads captures of up to so many packets from a pipe. Prints what
was told and the peak of resident memory, and each requirement with `reached` or `MISSED`. Exit status 0 either way.
"""

import argparse
import collections
import datetime
import fnmatch
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

from bench import SAMPLE, TOP, measure

SCRIPT = TOP / "tests" / "synth" / "flood.ini"
SYNS = 5_000_000
CAP_MIB = 320  # that README.md states for the default configuration
SLACK_S = 120  # by which onset and end may differ
GROWTH = 1.05

# When it begins, how long it takes, whether hosts answer, and which verdicts beside that without a flood are no mistake: a
# surge that leads into an outage speaks for an attack.
Flood = collections.namedtuple("Flood", "begin seconds answered more_verdicts", defaults=(True, ()))
FLOODS = {
    "normal hours": Flood("2025-06-06 05:00:00", 1800),
    "normal hours, a minute": Flood("2025-06-06 05:00:00", 60),
    "normal hours, unanswered": Flood("2025-06-06 05:00:00", 1800, False),
    "the first hours": Flood("2025-06-05 13:00:00", 1800),
    "the evening before": Flood("2025-06-06 16:30:00", 1800, True, ("attack",)),
    "into the onset": Flood("2025-06-06 17:10:00", 1800, True, ("attack",)),
    "in the dark": Flood("2025-06-06 19:00:00", 1800),
    "in the dark, a minute": Flood("2025-06-06 19:00:00", 60),
    "into the return": Flood("2025-06-07 02:20:00", 1800),
    "after it": Flood("2025-06-07 06:00:00", 1800),
}


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def write_flood(synth, flood, syns, folder):
    """A capture of the flood alone; the exact number of packets is a matter of chance."""
    begin = datetime.datetime.fromisoformat(flood.begin)
    script, capture = folder / "flood.ini", folder / "flood.pcap"
    text = SCRIPT.read_text()
    script.write_text((text if flood.answered else text.replace("answers-scans = 0.3", "answers-scans = 0")) + f"""
[scan flood]
rate = {syns / flood.seconds:.3f}/s
ping = 0
source = 1.0.0.0-9.255.255.255 11.0.0.0-126.255.255.255 128.0.0.0-171.255.255.255 193.0.0.0-197.255.255.255
ports = 22 25 53 80 443 993 1433 3306 5900 6379 8080 8443
from = {begin}
to = {begin + datetime.timedelta(seconds=flood.seconds)}
""")
    subprocess.run([synth, "--pcap", capture, script], check=True)
    return capture


def read_episodes(path):
    """Scope, onset, end and verdict of each as told last, in the order in which they were told first; an event of the
    sensor stands by its action."""
    episodes = {}
    for event in map(json.loads, path.read_text().splitlines()):
        outage = event.get("outage")
        if outage:
            episodes.setdefault(outage["id"], {}).update(scope=outage["scope"], onset=outage["onset"],
                                                         end=outage.get("end"), verdict=outage["cause"]["verdict"])
        else:
            episodes[event["event"]["id"]] = {"scope": event["event"]["action"], "onset": None, "end": None, "verdict": None}
    return list(episodes.values())


def differences(usual, told, flood):
    """What of the episodes under a flood is not as without it."""
    if [episode["scope"] for episode in told] != [episode["scope"] for episode in usual]:
        return [f"{', '.join(episode['scope'] for episode in told) or 'nothing'} in place of "
                f"{', '.join(episode['scope'] for episode in usual)}"]
    found = []
    for before, now in zip(usual, told):
        for edge in ("onset", "end"):
            if (before[edge] is None) != (now[edge] is None):
                found.append(f"{edge} {now[edge]} in place of {before[edge]}")
            elif before[edge] and abs(seconds(now[edge]) - seconds(before[edge])) > SLACK_S:
                found.append(f"{edge} off by {seconds(now[edge]) - seconds(before[edge]):.0f} s")
        if now["verdict"] not in (before["verdict"], *flood.more_verdicts):
            found.append(f"{now['verdict']} in place of {before['verdict']}")
    return found


# -- the whole form -------------------------------------------------------------------------------------------------


def replay(folder, work, captures):
    """What was told of the captures, and the peak of resident memory in MiB."""
    events = work / "events"
    events.unlink(missing_ok=True)
    sources = [word for capture in captures for word in ("-r", capture)]
    run = measure(folder / "measure", [folder.parent / "lightsout", "-q", *sources, "--events", events], work / "log")
    return read_episodes(events), run["rss_mib"]


def bench_floods(folder, work, options):
    usual, resident = replay(folder, work, [SAMPLE])
    print(f"{'':<28}{'told':<6}{'peak MiB':>9}   {options.syns:,} SYNs\n{'no flood':<28}{len(usual):<6}{resident:>9.0f}")
    results = {}
    for name, flood in FLOODS.items():
        if not fnmatch.fnmatch(name, options.only):
            continue
        capture = write_flood(folder.parent / "synth", flood, options.syns, work)
        told, resident = replay(folder, work, [SAMPLE, capture])
        results[name] = {"episodes": told, "peak_mib": resident, "differences": differences(usual, told, flood)}
        print(f"{name:<28}{len(told):<6}{resident:>9.0f}   {'; '.join(results[name]['differences']) or 'the same'}", flush=True)
    return results


def watch_memory(process):
    """The peaks of resident memory and of the address space, in MiB. Tables are asked for at once and touched bit by bit, so
    that only the latter tells whether there are more."""
    peaks = {}
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        for field in ("VmHWM", "VmPeak"):
            found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
            peaks[field] = int(found[1]) / 1024 if found else peaks.get(field)  # none: it has just ended
        time.sleep(0.05)
    return peaks


def bench_length(folder, packets):
    """From a pipe, the busy tap of `make bench`, ever longer."""
    results = {}
    print(f"\n{'packets':>14}{'resident':>10}{'address space, MiB':>20}")
    for count in (packets // 1000, packets // 100, packets // 10, packets):
        with subprocess.Popen([folder / "traces", "small64", str(count)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as feeder, \
             subprocess.Popen([folder.parent / "lightsout", "-q", "-r", "-"], stdin=feeder.stdout) as process:
            results[count] = watch_memory(process)
        print(f"{count:>14,}{results[count]['VmHWM']:>10.1f}{results[count]['VmPeak']:>20.1f}", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--syns", type=int, default=SYNS)
    parser.add_argument("--packets", type=int, default=1_000_000_000, help="of the longest capture; 0: none")
    parser.add_argument("--only", default="*", help="floods whose name matches")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = options.build.resolve() / "bench"
    with tempfile.TemporaryDirectory(prefix="flood-") as work:
        floods = bench_floods(folder, Path(work), options)
        lengths = bench_length(folder, options.packets) if options.packets else {}
    different = [name for name, result in floods.items() if result["differences"]]
    most = max((result["peak_mib"] for result in floods.values()), default=0)
    print(f"\n{'MISSED ' if different else 'reached'}  the same episodes as without a flood: {len(floods) - len(different)} of {len(floods)}")
    print(f"{'MISSED ' if most > CAP_MIB else 'reached'}  resident memory under {CAP_MIB} MiB: at most {most:.0f}")
    if lengths:
        growth = lengths[options.packets]["VmPeak"] / lengths[options.packets // 1000]["VmPeak"]
        print(f"{'MISSED ' if growth > GROWTH else 'reached'}  memory asked for, a thousandth of the packets to all: x {growth:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"floods": floods, "lengths": lengths}, indent=2) + "\n")


if __name__ == "__main__":
    main()
