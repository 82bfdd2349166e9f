# SPDX-License-Identifier: BSD-3-Clause
"""What a service manager and its journal see of the program: the messages of sd_notify(3), and how grave each line is."""

import os
import select
import signal
import socket
import subprocess
import time

import pytest
from conftest import LIGHTSOUT
from namespace import Namespace

CONFIGURATION = """
[lightsout]
sensor = ix-1
bin = {bin}
step = {step}
"""


class Manager:
    """Listens where a service manager would, to a program on a silent wire or with other arguments."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(30)
        self.socket.bind(str(folder / "notify"))
        self.configuration = folder / "lightsout.conf"
        self.environment = dict(os.environ, NOTIFY_SOCKET=str(folder / "notify"), WATCHDOG_USEC="7000000")
        self.heard, self.space, self.process = [], None, None

    def start(self, *arguments):
        self.process = subprocess.Popen([*arguments, "--no-progress"], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def watch(self, bin=1, step=1):
        self.configuration.write_text(CONFIGURATION.format(bin=bin, step=step))
        self.space = Namespace("tap")
        self.start(*self.space.command(LIGHTSOUT, "-i", "tap0", "-c", self.configuration))

    def hears(self, begin):
        """The next message that begins so; what came before it is in `heard`."""
        while True:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(begin):
                return message

    def waits_for_nothing(self, seconds):
        """What comes within so long."""
        more, end = [], time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
            more.append(self.socket.recv(4096).decode())
        return more

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said
        return said

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        if self.space is not None:
            self.space.close()
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def test_a_live_run_is_ready_then_alive_with_every_step_on_a_silent_wire_and_says_that_it_stops(manager):
    manager.watch()
    manager.hears("READY=1")
    for _ in range(3):
        manager.hears("WATCHDOG=1")
    assert manager.hears("STATUS=tap0: ") == "STATUS=tap0: all is learning, the tap is learning"
    manager.end()
    manager.hears("STOPPING=1")
    assert manager.heard[0] == "READY=1" and "STATUS=reading tap0" in manager.heard


def test_the_watchdog_is_told_by_steps_alone_and_waits_as_long_as_they_take(manager):
    begin = time.time()
    manager.watch(bin=3600, step=3600)
    assert manager.hears("WATCHDOG_USEC=") == f"WATCHDOG_USEC={(5 + 3 * 3600) * 1000000}"
    told = [message for message in manager.waits_for_nothing(3) if message == "WATCHDOG=1"]
    assert len(told) <= time.time() // 3600 - begin // 3600


def test_a_watchdog_that_is_patient_enough_stays_as_it_is(manager):
    manager.environment["WATCHDOG_USEC"] = "8000000"
    manager.watch()
    manager.hears("WATCHDOG=1")
    assert not [message for message in manager.heard if message.startswith("WATCHDOG_USEC=")]


@pytest.mark.parametrize("broken", [False, True])
def test_a_reload_is_told_when_it_begins_and_when_the_settings_are_read_or_refused(manager, broken):
    manager.watch()
    manager.hears("WATCHDOG=1")
    if broken:
        manager.configuration.write_text("[lightsout]\nno_such_key = 1\n")
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    manager.process.send_signal(signal.SIGHUP)
    told = manager.hears("RELOADING=1")
    at = int(told.partition("MONOTONIC_USEC=")[2]) / 1e6
    assert before <= at <= time.clock_gettime(time.CLOCK_MONOTONIC)
    manager.hears("READY=1")
    said = manager.end()
    assert ("what was in force stays" in said) == broken


def test_a_replay_may_wait_for_its_input_and_does_not_flood_the_manager(manager, sample_pcap):
    manager.start(LIGHTSOUT, "-r", sample_pcap)
    manager.hears("STOPPING=1")
    assert manager.heard == ["READY=1", "WATCHDOG_USEC=0", f"STATUS=reading {sample_pcap}", "STOPPING=1"]
    manager.process.communicate(timeout=30)


def said_to(journal, *arguments):
    """Standard error when it is the stream that $JOURNAL_STREAM names, or another one."""
    reading, writing = os.pipe()
    file = os.fstat(writing)
    stream = f"{file.st_dev}:{file.st_ino + (0 if journal else 1)}"
    subprocess.run([LIGHTSOUT, *arguments], stderr=writing, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
                   env=dict(os.environ, JOURNAL_STREAM=stream))
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        return said.read()


def test_the_journal_learns_how_grave_a_line_is_and_anybody_else_who_speaks(tmp_path, sample_pcap):
    nowhere = str(tmp_path / "nowhere")
    assert said_to(True, "-r", nowhere).startswith("<3>")
    assert said_to(False, "-r", nowhere).startswith("lightsout: ")
    assert said_to(True, "-r", sample_pcap, "-w", "192.0.2.255/32").startswith("<4>of 352755 packets none ")
    counters = said_to(True, "-r", sample_pcap, "-v").splitlines()
    assert counters and all(line.startswith("<6>") for line in counters)


def test_the_letterbox_tells_the_journal_too(sample_pcap):
    said = said_to(True, "-r", sample_pcap, "--http", "127.0.0.1:0", "--events", "/dev/full").splitlines()
    assert said[0].startswith("<6>the status page is at")
    assert any(line.startswith("<4>") and "/dev/full" in line for line in said), said
