# SPDX-License-Identifier: BSD-3-Clause
"""Signals that mean nothing, or ask for what is there already, thousands of them a second: whatever call they interrupt, the
output is the same as without them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP, read_events

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis  # noqa: E402

HARMLESS = [signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGPIPE]
# The leak checker stops the program from a process of its own at its end, and waits for ever when SIGCONT undoes that.
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
STORMS = {"harmless": HARMLESS, "SIGHUP": [signal.SIGHUP], "stopped": [signal.SIGSTOP, signal.SIGCONT, signal.SIGHUP]}


@contextlib.contextmanager
def storm(process, signals):
    """Sends them in turn as long as the block lasts; the list holds how many."""
    ended, sent = threading.Event(), [0]

    def blow():
        while not ended.is_set() and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signals[sent[0] % len(signals)])
            sent[0] += 1
            time.sleep(0.0001)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)

    thread = threading.Thread(target=blow)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()


def replay(folder, source, signals=(), workers=1, more=()):
    """What a replay wrote: events, bins, flows; the storm begins when all is open."""
    folder.mkdir()
    (folder / "conf").write_text(f"[lightsout]\nsensor = ix-1\n[capture]\nworkers = {workers}\n[redis]\nlist = yes\n")
    paths = [folder / name for name in ("events", "bins", "flows")]
    words = [LIGHTSOUT, "-q", "-c", folder / "conf", "-r", source, *more]
    for path in paths:
        words += [f"--{path.name}", path]
    feeder = subprocess.Popen(["zstdcat", SAMPLE], stdout=subprocess.PIPE) if source == "-" else None
    with (folder / "said").open("w") as said:
        process = subprocess.Popen([*map(str, words)], stdin=feeder.stdout if feeder else subprocess.DEVNULL, stderr=said,
                                   env=ENVIRONMENT)
    if feeder:
        feeder.stdout.close()
    give_up = time.monotonic() + 60
    while not paths[-1].exists() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.001)
    if signals:
        with storm(process, signals) as sent:
            assert process.wait(timeout=120) == 0, (folder / "said").read_text()
        assert sent[0] > 100
    else:
        assert process.wait(timeout=120) == 0
    if feeder:
        assert feeder.wait() == 0
    return [path.read_bytes() for path in paths]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return {workers: replay(tmp_path_factory.mktemp("calm") / "run", SAMPLE, workers=workers) for workers in (1, 3)}


@pytest.mark.parametrize("source, workers", [(SAMPLE, 1), ("-", 1), (SAMPLE, 3)], ids=["packed", "pipe", "three workers"])
@pytest.mark.parametrize("signals", STORMS.values(), ids=STORMS)
def test_a_storm_of_signals_changes_nothing_in_a_replay(calm, tmp_path, source, workers, signals):
    assert replay(tmp_path / "run", source, signals, workers) == calm[workers]


@needs_redis
@pytest.mark.parametrize("signals", STORMS.values(), ids=STORMS)
def test_a_storm_of_signals_changes_nothing_in_a_session_with_redis(calm, tmp_path, signals):
    server = Server(tmp_path).start()
    try:
        assert replay(tmp_path / "run", SAMPLE, signals, more=("--redis", server.url, "--redis-prefix", "lightsout:")) == calm[1]
        assert server.ids() == [event["event"]["id"] for event in read_events(tmp_path / "run" / "events")]
    finally:
        server.stop()
