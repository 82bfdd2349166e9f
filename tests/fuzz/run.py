#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs every fuzzer for so many seconds, as many at a time as there are processors: tests/fuzz/run.py FOLDER SECONDS
[TARGET...]. With "ever" for SECONDS it runs one at a time without end, a quarter of an hour each, the one with the fewest hours
first.

FOLDER holds the fuzzers. What they learn stays there in corpus/TARGET, what they find in found/TARGET, with what was said of it
in TARGET-found.log, and account.json adds up what all runs have done: executions, and the processor's time, since a fuzzer
beside other work gets only what that leaves. Prints a line a target: executions, how many a second, the corpus, findings, and
the totals of all runs. The exit status is 1 when there is a finding.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"
TOP = SEEDS.parents[2]
# In a network of its own with nothing but the loopback: what a fuzzer makes up may say where to connect to.
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
TURN_S, LATE_S = 900, 10
# What a savefile may be is in the golden captures already.
MORE_SEEDS = {"savefile": TOP / "tests" / "golden", "capture": TOP / "tests" / "golden"}


def account(folder: Path, target: str = "", seconds: float = 0, executed: int = 0) -> dict:
    """What all runs have done, a target each, with this one's added."""
    with (folder / "account.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        sums = json.loads(file.read() or "{}")
        if target:
            mine = sums.setdefault(target, {"seconds": 0, "executions": 0})
            mine["seconds"] += round(seconds)
            mine["executions"] += executed
            file.truncate(0)
            file.write(json.dumps(sums, indent=1, sort_keys=True) + "\n")
    return sums


def forget_stalls(program: Path, found: Path) -> None:
    """What took too long takes no time when played alone: the machine stood still then, and not the program."""
    for path in [*found.glob("timeout-*"), *found.glob("slow-unit-*")]:
        try:
            again = subprocess.run([*ALONE, program, path], capture_output=True, timeout=LATE_S, check=False)
        except subprocess.TimeoutExpired:
            continue
        if again.returncode == 0:
            path.unlink()


def fuzz(folder: Path, target: str, seconds: int) -> tuple[str, int]:
    corpus, found = folder / "corpus" / target, folder / "found" / target
    for made in (corpus, found):
        made.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    seeds = [path for path in (SEEDS / target, MORE_SEEDS.get(target)) if path and path.is_dir()]
    with (folder / f"{target}.log").open("w") as log:
        run = subprocess.Popen([*ALONE, folder / f"fuzz_{target}", f"-max_total_time={seconds}", f"-timeout={LATE_S}", "-rss_limit_mb=1024",
                                "-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={found}/", corpus, *seeds],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    forget_stalls(folder / f"fuzz_{target}", found)
    said = (folder / f"{target}.log").read_text(errors="replace")
    if run.returncode:
        with (folder / f"{target}-found.log").open("a") as log:
            log.write(said)
    executed = int((re.findall(r"stat::number_of_executed_units:\s+(\d+)", said) or re.findall(r"^#(\d+)", said, re.M) or ["0"])[-1])
    sums = account(folder, target, used.ru_utime + used.ru_stime, executed)[target]
    findings = len(list(found.iterdir()))
    return (f"  {target:<12}{executed:>14,} executions{executed / (time.monotonic() - began):>10,.0f} a second"
            f"{len(list(corpus.iterdir())):>8} in the corpus{findings:>4} findings; "
            f"in all {sums['executions']:,} in {sums['seconds'] / 3600:.2f} h", findings + (executed == 0))


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).resolve()
    targets = sys.argv[3:] or sorted(path.name[5:] for path in folder.glob("fuzz_*") if path.suffix == "")
    if sys.argv[2] == "ever":
        while True:
            sums = account(folder)
            print(fuzz(folder, min(targets, key=lambda target: sums.get(target, {"seconds": 0})["seconds"]), TURN_S)[0], flush=True)
    seconds = int(sys.argv[2])
    print(f"{seconds} s each")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda target: fuzz(folder, target, seconds), targets))
    print("\n".join(line for line, _ in results))
    return 1 if any(bad for _, bad in results) else 0


if __name__ == "__main__":
    sys.exit(main())
