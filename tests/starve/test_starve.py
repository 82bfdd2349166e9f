# SPDX-License-Identifier: BSD-3-Clause
"""What comes of memory, threads and files that are refused, at some of the places where they are asked for; `make starve`
asks at all of them. sessions.py says what must come of it."""

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from live_session import enter, live_sessions  # noqa: E402
from sessions import BUILD, LIGHTSOUT, STARVE, Session, files, make_input, run, sessions  # noqa: E402

pytestmark = pytest.mark.skipif(BUILD.name in ("asan", "tsan", "coverage"),
                                reason="a sanitizer has an allocator of its own, and what counts lines bears no refusal")

PLACES = {"check": 60, "replay": 8, "redis": 8, "two workers": 5, "bins": 6, "live": 4}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evening")
    make_input(folder)
    return folder


def spread(total, places):
    """Numbers from 1 to `total`, evenly, each once."""
    return sorted({1 + i * (total - 1) // max(1, places - 1) for i in range(min(places, total))})


SESSIONS = [session for session in [*sessions(), *live_sessions()] if session.name in PLACES]


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name.replace(" ", "-"))
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
        status, said, *_ = session.refuse("memory", number, False)
        assert status == 1 or "seccomp in this kernel" not in said


def test_a_summary_or_a_report_that_found_no_room_is_no_success(source, tmp_path):
    """They are the last to be written. Without checkpoints, which come as the clock has it."""
    session = Session("bins", lambda source, folder: [LIGHTSOUT, "-b", source / "evening.csv", *files(folder, "report")])
    session.begin(source, tmp_path / "run")
    last = session.asked["memory"]
    said = "".join(session.refuse("memory", number, False).said for number in range(last - 40, last + 1))
    assert "no memory for the summary" in said and "no memory for the report" in said


def test_a_table_of_bins_that_finds_no_memory_is_named(source, tmp_path):
    """It is opened when the settings have been read."""
    settings = [LIGHTSOUT, "-q", "-c", source / "conf1", "-b", source / "evening.csv"]
    first = run([*settings, "--check"], tmp_path / "ledger")[1].asked["memory"]
    said = [run(settings, tmp_path / "ledger", "memory", number, number)[1].said for number in range(first, first + 90)]
    named = f"lightsout: no memory to read bins {source / 'evening.csv'}\n"
    assert said.count(named) == 3 and all(line.isascii() for line in said)


def test_a_directory_is_read_whole_and_filtered_as_asked_or_not_at_all(source, tmp_path):
    """A file was left out like a damaged one, the filter passed no tagged packets, or libpcap ended the program."""
    session = {session.name: session for session in sessions()}["directory"]
    session.begin(source, tmp_path / "run")
    first = run([LIGHTSOUT, "--check", "-q", "-c", source / "places"], tmp_path / "ledger")[1].asked["memory"]
    said = "".join(session.refuse("memory", number, False).said for number in range(first, first + 200))
    for words in ("no memory for filter 'ip'", "the making of the filter crashed", "no memory to read"):
        assert words in said


def test_redis_that_is_not_tried_for_want_of_memory_is_no_fault_of_the_configuration(source, tmp_path):
    session = Session("check", lambda _, __: [LIGHTSOUT, "--check", "-q", "--redis", "unix:///run/none"])
    session.begin(source, tmp_path / "run")
    last = session.asked["memory"]
    said = "".join(session.refuse("memory", number, False).said for number in range(last - 20, last + 1))
    assert "no memory for Redis" in said


def test_memory_that_is_refused_is_no_fault_of_the_configuration(source, tmp_path):
    for status, said, *_ in outcomes(sessions()[0], tmp_path, source, (1, 100, 400)):
        assert status == 1 and said.count("\n") == 1 and said.startswith("lightsout: no memory"), said


def test_files_that_are_refused_are_no_fault_of_the_configuration(source, tmp_path):
    for status, said, *_ in outcomes(sessions()[0], tmp_path, source, (1,), kind="file"):
        assert status == 1 and "Too many open files" in said


def test_ndpi_that_is_refused_memory_ends_the_program_in_one_line(source, tmp_path):
    for status, said, *_ in outcomes(sessions()[1], tmp_path, source, (1, 40000, 79000), kind="ndpi"):
        assert status == 1 and said.splitlines()[-1].startswith("lightsout: no memory for nDPI"), said


def test_an_interface_of_which_libpcap_was_refused_memory_is_not_read_as_another_link_type(source, tmp_path):
    session, ethernet = live_sessions()[0], "1"
    session.begin(source, tmp_path / "run")

    def during(process):
        if process.stdout.readline() == b"open\n":
            session.wire.send(session.packets[0])

    def watch(number):
        command = [BUILD / "tests/capture/drive_live", "0.1", "-", "1", "a0"]
        stdout, outcome = run(command, tmp_path / "ledger", "memory", number, number, during, lambda: enter(session.inside))
        return outcome, {words[5] for words in map(str.split, stdout.decode().splitlines()) if words[0] == "frame"}

    try:
        last = watch(0)[0].asked["memory"]
        types = [watch(number)[1] for number in range(1, last + 1)]
        assert set().union(*types) == {ethernet}, types
    finally:
        session.end()


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


def test_workers_do_not_wait_for_a_reader_that_found_no_memory_for_its_part_of_a_step(source, tmp_path):
    command = [LIGHTSOUT, "-q", "-c", source / "conf2", "-r", source / "evening.pcap"]
    asked = run(command, tmp_path / "ledger")[1].asked["memory"]
    ended = [run(command, tmp_path / "ledger", "memory", number, number)[1]  # which would say that it hangs
             for number in range(asked // 2, asked * 9 // 10, asked // 25)]
    assert {outcome.status for outcome in ended} <= {0, 1}
    assert [outcome for outcome in ended if "no memory for the counts of a step" in outcome.said]


def test_events_in_a_spool_that_is_read_without_memory_are_not_taken_for_damage(source, tmp_path):
    files, ledger, conf = tmp_path / "files", tmp_path / "ledger", tmp_path / "conf"
    files.mkdir()
    conf.write_text("[redis]\ndrain = 0.1\n")
    command = [LIGHTSOUT, "-q", "-c", conf, "-b", source / "evening.csv", "--state", files / "state", "--redis",
               f"unix://{files}/nobody.sock"]
    asked = run(command, ledger)[1].asked
    found = {path: path.read_bytes() for path in files.iterdir()}
    (spool,) = [path for path in found if path.suffix == ".spool"]
    ids = set(re.findall(rb'"event":.*?"id":"(\w+)"', found[spool].replace(b" ", b"")))
    assert ids

    def again(kind, number):
        for path, text in found.items():
            path.write_bytes(text)
        return run(command, ledger, kind, number, number)[1]

    # Where it opens the spool, by the file that is refused.
    near = next(outcome.asked["memory"] for outcome in (again("file", number) for number in range(1, asked["file"] + 1))
                if "the spool" in outcome.said)
    ended = 0
    for number in range(near - 10, near + 15):
        outcome = again("memory", number)
        ended += "no memory for the spool: ended at once" in outcome.said
        assert not {event for event in ids if event not in spool.read_bytes()}, outcome.said
    assert ended >= 2  # it is read through twice


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
