#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which lines the fuzzers reach: tests/fuzz/coverage.py BUILD_FOLDER CORPUS_FOLDER

BUILD_FOLDER holds the targets as programs that replay files, built to count (make fuzz-coverage); what each learned lies in
CORPUS_FOLDER/TARGET, and its seeds are added. Prints the lines of each file of capture/ that run, and the total; of the other
rooms the total. `llvm-cov show` on the profile that it leaves in BUILD_FOLDER says which they are.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from run import MORE_SEEDS, SEEDS, TOP


def keep(path, copy):
    try:
        return shutil.copyfile(path, copy)
    except FileNotFoundError:
        return None


def replay(program, corpus, profile):
    target = program.name.removeprefix("fuzz_")
    folders = [corpus / target, SEEDS / target, MORE_SEEDS.get(target)]
    files = [path for folder in folders if folder and folder.is_dir() for path in sorted(folder.iterdir()) if path.is_file()]
    with tempfile.TemporaryDirectory() as own:  # a copy: a fuzzer that runs beside puts smaller inputs in the place of others
        inputs = [kept for number, path in enumerate(files) if (kept := keep(path, Path(own) / str(number)))]
        subprocess.run([program, *inputs], cwd=own, env=dict(os.environ, LLVM_PROFILE_FILE=str(profile)),
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    print(f"  {target:<12}{len(inputs):>8,} inputs", flush=True)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    build, corpus = (Path(word).resolve() for word in sys.argv[1:])
    programs = sorted(path for path in (build / "tests" / "fuzz").glob("fuzz_*") if path.suffix == "" and path.is_file())
    profiles = [build / f"{program.name}.profraw" for program in programs]
    for program, profile in zip(programs, profiles):
        replay(program, corpus, profile)
    whole = build / "fuzz.profdata"
    subprocess.run(["llvm-profdata", "merge", "-o", whole, *profiles], check=True)
    objects = [word for program in programs for word in ("-object", program)][1:]
    said = subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={whole}", *objects], capture_output=True, check=True)
    files = {str(Path(file["filename"]).resolve().relative_to(TOP)): file["summary"]["lines"]
             for file in json.loads(said.stdout)["data"][0]["files"] if Path(file["filename"]).resolve().is_relative_to(TOP)}
    totals = {}
    for name, lines in sorted(files.items()):
        room = name.rsplit("/", 1)[0]
        total = totals.setdefault(room, [0, 0])
        total[0] += lines["covered"]
        total[1] += lines["count"]
        if room == "capture":
            print(f"  {name:<32}{lines['covered']:>6} of {lines['count']:>5} lines{lines['percent']:>7.1f} %")
    for room in ("capture", "analysis", "analysis/publish"):
        covered, count = totals[room]
        print(f"{room}/: {covered:,} of {count:,} lines, {100 * covered / count:.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
