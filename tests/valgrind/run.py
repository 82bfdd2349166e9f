#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The short suite under valgrind's memcheck: tests/valgrind/run.py BUILD_FOLDER. The unit tests, and of those of the
whole program enough to go through each door: captures and bins read, an interface watched, every output written, a
Redis told, streams fused, the settings read again, and what is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent

# They play weeks and months, which takes memcheck many minutes. The whole program's runs
# pass through the same code.
LONG = {"test_analysis", "test_change", "test_fuse", "test_mirror", "test_witness"}
CRASHES = {"test_guard"}  # on purpose

WHOLE = ["tests/valgrind/whole.py",
         "tests/test_reload.py::test_a_prefix_more_leaves_what_was_learned_of_all_as_it_is",
         "tests/test_live.py::test_silence_is_counted_as_zeros_and_a_signal_ends_it",
         "tests/test_live.py::test_what_came_before_the_signal_is_counted_to_the_last_packet",
         "tests/analysis/publish/test_redis.py::test_events_enter_the_stream_once_in_order_with_their_fields"]


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    folder = build / "valgrind"
    shutil.rmtree(folder, ignore_errors=True)
    units = [path for path in sorted(TOP.glob("tests/**/test_*.c")) if path.stem not in LONG | CRASHES]
    programs = [path.relative_to(TOP).with_suffix("") for path in [*units, *sorted(TOP.glob("tests/**/drive_*.c"))]]
    for program in [*programs, Path("lightsout")]:
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).symlink_to(HERE / "memcheck")
    (folder / "synth").symlink_to(build / "synth")
    return subprocess.run([sys.executable, TOP / "tests/run", folder, *(path.relative_to(TOP) for path in units), *WHOLE],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
