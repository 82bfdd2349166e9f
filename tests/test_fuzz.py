# SPDX-License-Identifier: BSD-3-Clause
"""Every seed of every fuzzer, and what a fuzzer once found, through the same targets without libFuzzer."""

import os
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
TARGETS = sorted(path.stem for path in (TESTS / "fuzz").glob("fuzz_*.c"))


def seeds_of(target):
    folders = [TESTS / "fuzz" / "seeds" / target.removeprefix("fuzz_")]
    if target in ("fuzz_savefile", "fuzz_capture"):
        folders.append(TESTS / "golden")
    return sorted(path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_is_borne(target):
    seeds = seeds_of(target)
    assert seeds, f"{target} has no seeds: tests/fuzz/make_seeds.py makes them"
    program = Path(os.environ["BUILD"]) / "tests" / "fuzz" / target
    done = subprocess.run([program, *seeds], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{len(seeds)}\n"), done.stderr[-2000:]
