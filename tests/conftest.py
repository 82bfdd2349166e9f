# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the whole program share: where it is, and how to run it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build"))
LIGHTSOUT = Path(os.environ.get("LIGHTSOUT", BUILD / "lightsout"))
SYNTH = Path(os.environ.get("SYNTH", BUILD / "synth"))
SAMPLE = TOP / "samples" / "blackout-2025-06.pcap.zst"


@pytest.fixture
def lightsout():
    """Runs the program and returns the finished process, its output as text."""

    def run(*arguments, status=0, **options):
        done = subprocess.run([LIGHTSOUT, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False,
                              **{"stdin": subprocess.DEVNULL, **options})
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def sample_pcap(tmp_path_factory):
    """The sample capture, unpacked."""
    path = tmp_path_factory.mktemp("sample") / "blackout.pcap"
    with path.open("wb") as file:
        subprocess.run(["zstdcat", SAMPLE], stdout=file, check=True)
    return path


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory):
    """To be preloaded into a program whose clock is to be wrong: tests/set_clock.c."""
    library = tmp_path_factory.mktemp("clock") / "set_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, TOP / "tests/set_clock.c", "-ldl"], check=True)
    return library


def read_events(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
