# SPDX-License-Identifier: BSD-3-Clause
"""What people see: the progress line, the live line, colours; on terminals of several widths, and where there is none."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import LIGHTSOUT, SAMPLE
from namespace import Namespace

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal:
    """A pseudo terminal with a program behind it, and all that it was shown."""

    def __init__(self, command, columns=80, environment=(), standard_output=True):
        self.screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=end,
                                        stdout=end if standard_output else subprocess.DEVNULL,
                                        env={**plain, "TERM": "xterm", **dict(environment)})
        os.close(end)
        self.shown = ""

    def read(self):
        """More of what is shown; false at the end."""
        try:
            more = os.read(self.screen, 65536)
        except OSError:  # nobody writes any more
            more = b""
        self.shown += more.decode()
        return bool(more)

    def read_all(self, status=0):
        while self.read():
            pass
        os.close(self.screen)
        assert self.process.wait(timeout=60) == status, self.shown
        return self.shown

    def lines(self):
        """The lines that were written over each other."""
        return [part.removeprefix("\x1b[K") for part in self.shown.replace("\r\n", "\n").split("\n")[0].split("\r") if part]


def replay(*arguments, **options):
    terminal = Terminal([LIGHTSOUT, "-r", SAMPLE, *arguments], **options)
    terminal.read_all()
    return terminal


def test_a_replay_on_a_terminal_says_how_far_it_is(tmp_path):
    lines = replay("--bins", tmp_path / "bins", standard_output=False).lines()
    assert len(lines) >= 2 and lines[-1] == ""  # and leaves nothing behind
    for line in lines[1:-1]:
        assert re.fullmatch(r" *\d+ %  2025-06-0[567] \d\d:\d\d UTC  [0-9.e+]+( [kM])? packets/s(  [0-9.]+ (s|min|h) left)?", line), line


@pytest.mark.parametrize("columns", [8, 20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns):
    lines = replay("--speed", "200000", columns=columns, standard_output=False).lines()
    assert len(lines) > 3
    assert all(len(line) < columns for line in lines)
    widths = [len(line) for line in lines[3:-1]]
    assert any("%" in line for line in lines)
    if columns >= 40:
        assert all("2025-06-0" in line and ("left" in line or "100 %" in line) for line in lines[3:-1])
    assert max(widths) > min(columns, 60) * 0.15


def test_where_there_is_no_screen_there_is_no_line():
    assert not replay(environment={"TERM": "dumb"}, standard_output=False).shown
    assert not replay("--no-progress", standard_output=False).shown
    assert not replay("-q", standard_output=False).shown
    done = subprocess.run([LIGHTSOUT, "-r", SAMPLE], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "\x1b" not in done.stdout


def test_progress_that_is_asked_for_comes_in_lines_where_there_is_no_screen(lightsout):
    done = lightsout("-r", SAMPLE, "-q", "--progress")
    # However slow the machine is: a line every ten seconds before the last one.
    assert re.fullmatch(r"( *\d+ %  .* UTC  .* left\n)*100 %  2025-06-07 09:59 UTC  .* packets/s\n", done.stderr)
    with SAMPLE.open("rb") as pipe:  # of which nobody knows how much there is
        done = lightsout("-r", "-", "-q", "--progress", stdin=pipe)
    assert re.fullmatch(r"(.* UTC  .* packets/s\n)*2025-06-07 09:59 UTC  .* packets/s\n", done.stderr)


def test_colours_are_for_terminals_and_for_those_who_want_them():
    shown = replay("--no-progress").shown
    assert "\x1b[1;31moutage" in shown and "\x1b[1mThe whole watch list" in shown
    plain = ESCAPE.sub("", shown).replace("\r\n", "\n")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert replay("--no-progress", environment=environment).shown.replace("\r\n", "\n") == plain
    assert "\x1b[1;31m" in replay("--no-progress", environment={"NO_COLOR": ""}).shown


def test_the_summary_is_no_wider_than_eighty_columns(lightsout):
    assert max(map(len, lightsout("-r", SAMPLE).stdout.splitlines())) < 80


def test_an_interrupted_replay_leaves_the_terminal_tidy():
    terminal = Terminal([LIGHTSOUT, "-r", SAMPLE, "--speed", "3600"])
    while "%" not in terminal.shown:
        assert terminal.read()
    terminal.process.send_signal(signal.SIGINT)
    assert "\r\x1b[K" in terminal.read_all() and "packets    " in terminal.shown


@pytest.mark.parametrize("columns", [40, 100])
def test_a_live_capture_on_a_terminal_shows_how_things_stand(columns):
    namespace = Namespace("quiet")
    try:
        terminal = Terminal(namespace.command(LIGHTSOUT, "-i", "quiet0"), columns=columns)
        while "packets/s" not in terminal.shown:
            assert terminal.read()
        time.sleep(1.5)
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_all()
    finally:
        namespace.close()
    lines = [line for line in terminal.lines() if line and not line.startswith("lightsout: ")]
    assert all(len(line) < columns for line in lines)
    assert all(line.startswith("all is learning") for line in lines), lines
    assert 1 < len(lines) < 10  # it is quiet
