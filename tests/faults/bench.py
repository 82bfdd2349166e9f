#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every fault whole, with a table of what was required and what was measured: bench.py BUILD_FOLDER."""

import argparse
import fnmatch
import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def every_fault(build):
    """The table as the files of this folder fill it."""
    os.environ["BUILD"] = str(build)
    os.environ["LIGHTSOUT"] = str(build / "lightsout")
    os.environ["DRIVE_PUBLISH"] = str(build / "tests/analysis/publish/drive_publish")
    sys.path.insert(0, str(HERE))
    for path in sorted(HERE.glob("faults_*.py")):
        importlib.import_module(path.stem)
    return importlib.import_module("server").FAULTS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--only", default="*", metavar="GLOB", help="names of functions")
    parser.add_argument("--times", type=int, help="how often each strikes, instead of the whole")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'requirement':<76}{'goal':<16}measured", flush=True)
    for fault in every_fault(options.build.resolve()):
        if not fnmatch.fnmatch(fault.run.__name__, options.only):
            continue
        times = options.times or fault.whole
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            figure = fault.run(Path(folder), times)
        requirement = fault.requirement.format(times=times)
        print(f"{requirement:<76}{fault.goal:<16}{'reached' if figure.reached else 'MISSED '}  {figure.measured}  "
              f"({time.monotonic() - began:.0f} s)", flush=True)
        rows.append({"requirement": requirement, "goal": fault.goal, "measured": figure.measured, "reached": figure.reached})
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if rows and all(row["reached"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
