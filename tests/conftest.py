# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the whole program share: where it is, and how to run it."""

import contextlib
import json
import os
import subprocess
import sys
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


class SetClock:
    """Of programs that are begun with these variables: is wrong by so many seconds (tests/set_clock.c)."""

    def __init__(self, folder):
        self.file = folder / "clock"
        self.file.write_bytes(bytes(8))
        self.variables = {"LD_PRELOAD": str(BUILD / "set_clock.so"), "SET_CLOCK": str(self.file),
                          "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set(self, seconds):
        with self.file.open("r+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    @contextlib.contextmanager
    def inherited(self):
        """By what is begun meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            yield


@pytest.fixture
def set_clock(tmp_path):
    return SetClock(tmp_path)


def read_events(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
