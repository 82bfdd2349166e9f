# SPDX-License-Identifier: BSD-3-Clause
"""What comes of memory, threads and files that are refused, at some of the places where they are asked for; `make starve`
asks at all of them. sessions.py says what must come of it."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from sessions import BUILD, STARVE, make_input, sessions  # noqa: E402

pytestmark = pytest.mark.skipif(BUILD.name in ("asan", "tsan"), reason="a sanitizer has an allocator of its own")

PLACES = {"check": 60, "replay": 10, "redis": 8, "two workers": 5, "bins": 6}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evening")
    make_input(folder)
    return folder


def spread(total, places):
    """Numbers from 1 to `total`, evenly, each once."""
    return sorted({1 + i * (total - 1) // max(1, places - 1) for i in range(min(places, total))})


@pytest.mark.parametrize("session", sessions(), ids=lambda session: session.name.replace(" ", "-"))
def test_whatever_is_refused_is_said_and_nothing_is_corrupted(session, source, tmp_path):
    assert STARVE.exists(), "make test-programs builds it"
    session.begin(source, tmp_path / "run")
    try:
        for kind in session.kinds:
            places = PLACES[session.name] if kind == "memory" else 2
            for number in spread(session.asked[kind], places):
                for ever in (False, True):
                    session.refuse(kind, number, ever)
    finally:
        session.end()


def outcomes(session, folder, source, numbers, ever=False, kind="memory"):
    session.begin(source, folder / "run")
    try:
        return [session.refuse(kind, number, ever) for number in numbers]
    finally:
        session.end()


def test_the_rights_are_given_up_whole_or_not_at_all(source, tmp_path):
    """The filter of system calls is made without memory; libseccomp crashed, hung, or let the wrong calls through."""
    session = sessions()[0]
    session.begin(source, tmp_path / "run")
    last = session.asked["memory"]
    for number in range(last - 75, last + 1):
        status, said = session.refuse("memory", number, False)
        assert status == 1 or "seccomp in this kernel" not in said


def test_memory_that_is_refused_is_no_fault_of_the_configuration(source, tmp_path):
    for status, said in outcomes(sessions()[0], tmp_path, source, (1, 100, 400)):
        assert status == 1 and said.count("\n") == 1 and said.startswith("lightsout: no memory"), said


def test_files_that_are_refused_are_no_fault_of_the_configuration(source, tmp_path):
    for status, said in outcomes(sessions()[0], tmp_path, source, (1,), kind="file"):
        assert status == 1 and "Too many open files" in said


def test_ndpi_that_is_refused_memory_ends_the_program_in_one_line(source, tmp_path):
    for status, said in outcomes(sessions()[1], tmp_path, source, (1, 40000, 79000), kind="ndpi"):
        assert status == 1 and said.splitlines()[-1].startswith("lightsout: no memory for nDPI"), said


def test_a_limit_on_the_address_space_is_said(lightsout_under, source):
    """As `ulimit -v` sets it: from less than the program itself takes to more than it needs."""
    seen = set()
    for mib in (40, 80, 120, 160, 200, 260, 320, 400, 600, 900):
        status, said = lightsout_under(mib, "-q", "-c", source / "conf2", "-r", source / "evening.pcap.zst")
        if "error while loading shared libraries" in said:
            continue  # the loader's
        assert status in (0, 1), (mib, status, said)
        assert status == 0 or "memory" in said or "thread" in said, (mib, said)
        seen.add(status)
    assert seen == {0, 1}


@pytest.fixture
def lightsout_under():
    import resource
    import subprocess

    def run(mib, *arguments):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
        done = subprocess.run([os.environ.get("LIGHTSOUT", BUILD / "lightsout"), *map(str, arguments)], preexec_fn=limit,
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr
    return run
