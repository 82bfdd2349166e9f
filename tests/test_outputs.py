# SPDX-License-Identifier: BSD-3-Clause
"""Outputs on bad days: readers that are stuck or gone, files that may not grow, files that are not there to be written
over, and standard files that are closed."""

import os
import resource
import signal
import subprocess
import time

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP

SHORT = TOP / "samples" / "one-upstream.pcap.zst"


@pytest.mark.parametrize("output, number", [("--bins", signal.SIGTERM), ("--flows", signal.SIGINT)])
def test_a_replay_waits_for_a_slow_reader_and_a_signal_ends_the_wait_for_one_that_is_stuck(output, number):
    reader, writer = os.pipe()
    process = subprocess.Popen([LIGHTSOUT, "-r", SAMPLE, "-q", output, "-"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    os.close(reader)
    assert process.returncode == 1 and "whoever reads it takes nothing" in said


def test_a_reader_that_has_read_enough_ends_a_replay_without_a_word():
    process = subprocess.Popen([LIGHTSOUT, "-r", SAMPLE, "-q", "--flows", "-"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) == -signal.SIGPIPE
    process.stderr.close()


def test_other_outputs_are_whole_when_a_reader_has_gone(lightsout, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([LIGHTSOUT, "-r", SHORT, "-q", "--flows", "-", "--bins", tmp_path / "bins"], stdout=writer,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 1 and "whoever read it has gone" in done.stderr
    lightsout("-r", SHORT, "-q", "--bins", tmp_path / "right")
    assert (tmp_path / "bins").read_bytes() == (tmp_path / "right").read_bytes()


@pytest.mark.parametrize("option", ["--events", "--bins"])
def test_a_named_pipe_that_nobody_reads_is_not_waited_for_long(lightsout, tmp_path, option):
    os.mkfifo(tmp_path / "pipe")
    assert "start the reader first" in lightsout("-r", SHORT, "-q", option, tmp_path / "pipe", status=1).stderr


def test_a_state_that_is_no_file_is_refused_at_once(lightsout, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        assert "is no file" in lightsout("-r", SHORT, "-q", "--state", path, status=1).stderr


def test_a_file_that_may_not_grow_is_an_error_like_others(lightsout, tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    done = lightsout("-r", SHORT, "-q", "--bins", tmp_path / "bins", status=1, preexec_fn=limit)
    assert "File too large" in done.stderr


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("--check",)])
def test_words_that_could_not_be_written_are_a_failure(words):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([LIGHTSOUT, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


def test_nothing_is_written_over_what_is_read(lightsout, tmp_path):
    capture = tmp_path / "day.pcap"
    with capture.open("wb") as file:
        subprocess.run(["zstdcat", SHORT], stdout=file, check=True)
    before = capture.read_bytes()
    (tmp_path / "link").symlink_to(capture)
    for option in ("--events", "--bins", "--flows", "--report", "--state"):
        for path in (capture, tmp_path / "link"):
            assert "is what is read" in lightsout("-r", capture, option, path, status=2).stderr
        assert "is a capture" in lightsout("-r", tmp_path, option, capture, status=2).stderr
    assert capture.read_bytes() == before
    lightsout("-r", capture, "-q", "--bins", tmp_path / "bins")
    rows = (tmp_path / "bins").read_bytes()
    assert "is what is read" in lightsout("-b", tmp_path / "bins", "--bins", tmp_path / "bins", status=2).stderr
    assert (tmp_path / "bins").read_bytes() == rows


def test_two_outputs_are_two_files(lightsout, tmp_path):
    for path in ("-", tmp_path / "new"):
        assert "one and the same" in lightsout("-r", SHORT, "--bins", path, "--events", path, status=2).stderr
    lightsout("-r", SHORT, "-q", "--bins", "/dev/null", "--events", "/dev/null")


def test_closed_standard_files_are_not_mistaken_for_others(lightsout, tmp_path):
    lightsout("-r", SHORT, "-q", "--events", tmp_path / "right")
    words = f"{LIGHTSOUT} -v -r {SHORT} -q --events {tmp_path}/events --bins {tmp_path}/bins --flows {tmp_path}/flows"
    done = subprocess.run(["sh", "-c", f"exec {words} <&- >&- 2>&-"], timeout=60, check=False)
    assert done.returncode == 0
    assert (tmp_path / "events").read_bytes() == (tmp_path / "right").read_bytes()
    for name in ("bins", "flows"):
        assert "lightsout:" not in (tmp_path / name).read_text()
    done = subprocess.run(["sh", "-c", f"exec {LIGHTSOUT} -r {SHORT} --events - >&-"], stderr=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and "standard output" in done.stderr
