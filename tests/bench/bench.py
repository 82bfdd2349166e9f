#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a replay costs, beside tcpdump with the same watch list as filter and a libpcap loop that does nothing; of a packed
capture, beside what unpacks it; of one that is watched as a whole, beside a loop that classifies and does nothing else;
of a long watch list, beside a short one; what memory a million flows take; and the highest rate on a live wire without
a drop, beside libpcap.

    tests/bench/bench.py BUILD_FOLDER [--rounds N] [--packets N] [--small N] [--dense N] [--flows N] [--live N] [--peers]

Makes its captures in BUILD_FOLDER/bench where they are not there yet, runs the programs in turns whose order changes,
and prints medians; the same and every single run are in BUILD_FOLDER/bench/result.json. Only the ratios mean anything
on another machine, and no figure is a promise.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from live import bench_live

TOP = Path(__file__).resolve().parents[2]
SAMPLE = TOP / "samples" / "blackout-2025-06.pcap.zst"
FIELDS = ("wall_s", "cpu_s", "rss_mib")


def make_trace(path, maker, *arguments, packed=None):
    """Runs the maker unless its capture is already there and younger than it."""
    if not path.exists() or path.stat().st_mtime < maker.stat().st_mtime:
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            unpacked = subprocess.Popen(["zstdcat", packed], stdout=subprocess.PIPE) if packed else None
            subprocess.run([maker, *map(str, arguments)], stdin=unpacked.stdout if unpacked else None, stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
            if unpacked and unpacked.wait() != 0:
                sys.exit(f"cannot unpack {packed}")
        part.rename(path)
    return path


def watch_filter(lightsout):
    """The watch list in force as a pcap filter that finds tagged packets too."""
    shown = subprocess.run([lightsout, "--check"], capture_output=True, text=True, check=True).stdout
    watches = re.findall(r"^\[watch (\S+)\]\n((?:\w.*\n)*)", shown, re.MULTILINE)
    nets = " or ".join(f"net {cidr}" for cidr, keys in watches if "enabled = yes" in keys)
    return f"{nets} or (vlan and ({nets}))"


def measure(tool, command, log, source=subprocess.DEVNULL):
    """One run, fed by `source`: wall seconds, CPU seconds (user and system, all threads), peak resident MiB."""
    reading, writing = os.pipe()
    with log.open("w") as said:
        # The tool reports on descriptor 3.
        shell = subprocess.run(["sh", "-c", f'exec 3>&{writing}; exec "$@"', "sh", tool, *map(str, command)],
                               pass_fds=[writing], stdin=source, stdout=subprocess.DEVNULL, stderr=said,
                               check=False)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read().split()
    if shell.returncode != 0 or not answer or answer[0] != "0":
        sys.exit(f"failed: {' '.join(map(str, command))}\n{log.read_text()}")
    return {"wall_s": float(answer[1]), "cpu_s": float(answer[2]), "rss_mib": int(answer[3]) / 1024}


def rounds_of(count, tool, commands, log):
    """Every command `count` times, after one run that warms the caches; each round begins with another of them."""
    names = list(commands)
    runs = {name: [] for name in names}
    for number in range(-1, count):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            run = measure(tool, commands[name], log)
            if number >= 0:
                runs[name].append(run)
    return runs


def summarise(runs, packets):
    """Medians of each, and the median of the ratios within a round."""
    figures = {}
    for name, of_name in runs.items():
        figure = {field: statistics.median(run[field] for run in of_name) for field in FIELDS}
        figure["packets_per_s"] = packets / figure["wall_s"]
        for other in runs:
            figure[f"cpu_of_{other}"] = statistics.median(
                run["cpu_s"] / beside["cpu_s"] for run, beside in zip(of_name, runs[other]))
        figures[name] = figure
    return figures


def show(title, packets, path, figures, columns):
    """A row a program; `columns` are headings and the figures under them, each with its digits."""
    print(f"\n{title}: {packets:,} packets, {path.stat().st_size / 1e6:.0f} MB")
    print(f"  {'':<12}{'Mpkt/s':>8}" + "".join(f"{heading:>11}" for heading, _, _ in columns))
    for name, figure in figures.items():
        print(f"  {name:<12}{figure['packets_per_s'] / 1e6:>8.2f}" +
              "".join(f"{figure[field]:>11.{digits}f}" for _, field, digits in columns))


def run_lightsout(lightsout, folder, path, *options):
    return [lightsout, "-q", "-r", path, "--bins", folder / "bins.csv", "--events", folder / "events", *options]


def bench_plain(title, path, options, folder, lightsout, expression):
    """Beside tcpdump and libpcap's loop, by CPU."""
    counted = int(subprocess.run([folder / "floor", path], capture_output=True, text=True, check=True).stdout)
    (folder / "events").unlink(missing_ok=True)  # it is appended to
    runs = rounds_of(options.rounds, folder / "measure", {
        "lightsout": run_lightsout(lightsout, folder, path),
        "tcpdump": ["tcpdump", "-r", path, "-w", "/dev/null", expression],
        "libpcap": [folder / "floor", path],
    }, folder / "log")
    figures = summarise(runs, counted)
    show(title, counted, path, figures, [("CPU s", "cpu_s", 3), ("x tcpdump", "cpu_of_tcpdump", 2),
                                         ("x libpcap", "cpu_of_libpcap", 2), ("RSS MiB", "rss_mib", 1)])
    return {"packets": counted, "bytes": path.stat().st_size, "figures": figures, "runs": runs}


def bench_packed(title, plain, packer, unpacker, options, folder, lightsout):
    """Beside what unpacks the capture to nowhere, by the time on the wall."""
    path = folder / f"{plain.name}{'.gz' if packer[0] == 'gzip' else '.zst'}"
    if not path.exists() or path.stat().st_mtime < plain.stat().st_mtime:
        with path.open("wb") as out:
            subprocess.run([*packer, plain], stdout=out, check=True)
    counted = int(subprocess.run([folder / "floor", plain], capture_output=True, text=True, check=True).stdout)
    (folder / "events").unlink(missing_ok=True)
    runs = rounds_of(options.rounds, folder / "measure", {
        "lightsout": run_lightsout(lightsout, folder, path),
        unpacker: [unpacker, path],
    }, folder / "log")
    figures = summarise(runs, counted)
    for name, of_name in runs.items():
        figures[name]["wall_of_unpacker"] = statistics.median(
            run["wall_s"] / beside["wall_s"] for run, beside in zip(of_name, runs[unpacker]))
    show(title, counted, path, figures, [("wall s", "wall_s", 3), (f"x {unpacker}", "wall_of_unpacker", 2),
                                         ("CPU s", "cpu_s", 3), ("RSS MiB", "rss_mib", 1)])
    return {"packets": counted, "bytes": path.stat().st_size, "figures": figures, "runs": runs}


def bench_dense(title, path, options, folder, lightsout):
    """Beside a loop over the same packets that classifies their flows by the same rule and does nothing else."""
    counted = int(subprocess.run([folder / "floor", path], capture_output=True, text=True, check=True).stdout)
    (folder / "events").unlink(missing_ok=True)
    runs = rounds_of(options.rounds, folder / "measure",
                     {"lightsout": run_lightsout(lightsout, folder, path), "nDPI": [folder / "dpi", path]}, folder / "log")
    figures = summarise(runs, counted)
    show(title, counted, path, figures, [("CPU s", "cpu_s", 3), ("x nDPI", "cpu_of_nDPI", 2), ("RSS MiB", "rss_mib", 1)])
    return {"packets": counted, "bytes": path.stat().st_size, "figures": figures, "runs": runs}


def bench_watch_list(title, path, options, folder, lightsout):
    """A packet's cost with a long watch list beside that with a short one that watches the same of the capture. What it
    takes to read the list is measured on a capture of one packet, and told by itself."""
    one = make_trace(folder / "mixed-1.pcap", folder / "traces", "mixed", 1)
    commands = {}
    for count in (4, 100_000):
        prefixes = make_trace(folder / f"prefixes-{count}", folder / "traces", "prefixes", count)
        for name, capture in ((f"{count}", path), (f"{count} start", one)):
            commands[name] = run_lightsout(lightsout, folder, capture, "--watch-from", prefixes)
    (folder / "events").unlink(missing_ok=True)
    runs = rounds_of(options.rounds, folder / "measure", commands, folder / "log")
    figures = summarise(runs, options.packets)
    print(f"\n{title}: {options.packets:,} packets")
    print(f"  {'prefixes':<12}{'ns/packet':>11}{'start s':>11}{'RSS MiB':>11}")
    cost = {count: (figures[count]["cpu_s"] - figures[f"{count} start"]["cpu_s"]) / options.packets * 1e9
            for count in ("4", "100000")}
    for count, ns in cost.items():
        print(f"  {count:<12}{ns:>11.1f}{figures[count + ' start']['cpu_s']:>11.3f}{figures[count]['rss_mib']:>11.1f}")
    print(f"  x a packet {cost['100000'] / cost['4']:>12.2f}")
    return {"packets": options.packets, "ns_per_packet": cost, "figures": figures, "runs": runs}


def bench_memory(title, path, options, folder, lightsout):
    """What the most live flows take, beside the program with none."""
    (folder / "events").unlink(missing_ok=True)
    one = make_trace(folder / "mixed-1.pcap", folder / "traces", "mixed", 1)
    watch = ["-w", "100.64.0.0/14"]
    runs = {name: [measure(folder / "measure", run_lightsout(lightsout, folder, capture, *watch), folder / "log")]
            for name, capture in (("none", one), ("all", path))}
    resident = {name: of_name[0]["rss_mib"] for name, of_name in runs.items()}
    print(f"\n{title}: {options.flows:,} live flows of {min(options.flows, 200_000):,} watched hosts")
    print(f"  {resident['all']:.0f} MiB resident, {resident['none']:.0f} without any: "
          f"{(resident['all'] - resident['none']) * 2**20 / options.flows:.0f} bytes a flow with all that is counted of it")
    return {"flows": options.flows, "rss_mib": resident, "runs": runs}


def bench_peers(title, path, options, folder, lightsout):
    """Once each, as they take minutes: programs that follow every flow of the capture."""
    commands = {"lightsout": run_lightsout(lightsout, folder, path), "ndpiReader": ["ndpiReader", "-q", "-i", path],
                "softflowd": ["softflowd", "-d", "-m", "1000000", "-r", path], "argus": ["argus", "-r", path, "-w", "/dev/null"]}
    there = {name: command for name, command in commands.items() if name == "lightsout" or shutil.which(name)}
    (folder / "events").unlink(missing_ok=True)
    runs = {name: [measure(folder / "measure", command, folder / "log")] for name, command in there.items()}
    figures = summarise(runs, options.packets)
    show(title, options.packets, path, figures, [("CPU s", "cpu_s", 3), ("x lightsout", "cpu_of_lightsout", 1),
                                                 ("RSS MiB", "rss_mib", 1)])
    return {"packets": options.packets, "figures": figures, "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packets", type=int, default=8_000_000, help="of the mixed capture")
    parser.add_argument("--small", type=int, default=20_000_000, help="of the capture of small packets")
    parser.add_argument("--dense", type=int, default=3_000_000, help="of the capture that is all watched")
    parser.add_argument("--flows", type=int, default=1_000_000, help="live at once, for the memory that they take")
    parser.add_argument("--peers", action="store_true", help="also ndpiReader, softflowd and argus, where installed")
    parser.add_argument("--live", type=int, default=3, help="rounds on a live wire")
    options = parser.parse_args()
    build = options.build.resolve()
    folder, lightsout = build / "bench", build / "lightsout"
    maker = folder / "traces"
    mixed = make_trace(folder / f"mixed-{options.packets}.pcap", maker, "mixed", options.packets)
    traces = {
        "the sample twelve times over": make_trace(folder / "sample.pcap", maker, "repeat", 12, packed=SAMPLE),
        "a busy tap, 1 % watched": mixed,
        "the same as pcapng": make_trace(folder / f"mixed-{options.packets}.pcapng", maker, "pcapng", options.packets),
        "small packets, 1 % watched": make_trace(folder / f"small64-{options.small}.pcap", maker, "small64", options.small),
    }
    expression = watch_filter(lightsout)
    result = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "rounds": options.rounds,
              "filter": expression, "traces": {}}
    print(f"medians of {options.rounds} rounds; CPU is user + system of all threads; x is CPU, within a round, but of a\n"
          "packed capture time on the wall")
    for title, path in traces.items():
        result["traces"][title] = bench_plain(title, path, options, folder, lightsout, expression)
    for title, packer, unpacker in (("the busy tap in gzip", ["gzip", "-c"], "zcat"),
                                    ("the busy tap in zstd", ["zstd", "-q", "-c"], "zstdcat")):
        result["traces"][title] = bench_packed(title, mixed, packer, unpacker, options, folder, lightsout)
    dense = make_trace(folder / f"dense-{options.dense}.pcap", maker, "dense", options.dense)
    crowd = make_trace(folder / f"crowd-{options.flows}.pcap", maker, "crowd", options.flows)
    for bench, title, path in ((bench_dense, "all of it watched", dense),
                               (bench_watch_list, "the busy tap and a long watch list", mixed),
                               (bench_memory, "a crowd", crowd)) + (
                                   ((bench_peers, "the busy tap, every flow of it", mixed),) if options.peers else ()):
        result["traces"][title] = bench(title, path, options, folder, lightsout)
    result["live"] = bench_live(traces["small packets, 1 % watched"], options.live, folder, lightsout)
    (folder / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nlibpcap: a pcap_loop that does nothing; nDPI: a loop that does nothing but classify. All figures: {os.path.relpath(folder / 'result.json')}")


if __name__ == "__main__":
    main()
