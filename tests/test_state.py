# SPDX-License-Identifier: BSD-3-Clause
"""The checkpoint: killed at any instant and started again with the same command, the program ends with the same output."""

import random
import subprocess
import time

import pytest
from conftest import LIGHTSOUT, SAMPLE


def command(folder, state=True):
    config = folder / "conf"
    config.write_text("[lightsout]\nstate_every = 0.05\n")
    words = [LIGHTSOUT, "-c", config, "-r", SAMPLE, "-q", "--sensor", "test", "--events", folder / "events", "--bins",
             folder / "bins", "--flows", folder / "flows"]
    return words + (["--state", folder / "state"] if state else [])


def contents(folder):
    return {name: (folder / name).read_bytes() for name in ("events", "bins", "flows")}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(command(folder, state=False), check=True)
    return contents(folder)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_instant_and_started_again(uninterrupted, tmp_path, seed):
    dice = random.Random(seed)
    kills = 0
    for _ in range(20):
        process = subprocess.Popen(command(tmp_path))
        time.sleep(dice.uniform(0.02, 0.4))
        process.kill()
        kills += process.wait() != 0
        if dice.random() < 0.2:
            break
    subprocess.run(command(tmp_path), check=True)
    assert contents(tmp_path) == uninterrupted
    assert kills > 0


def test_a_second_run_over_the_same_input_adds_nothing(uninterrupted, tmp_path):
    for _ in range(3):
        subprocess.run(command(tmp_path), check=True)
        assert contents(tmp_path) == uninterrupted


def test_bins_that_were_put_away_begin_anew_with_a_header(uninterrupted, tmp_path):
    subprocess.run(command(tmp_path), check=True)
    (tmp_path / "bins").rename(tmp_path / "bins.1")
    subprocess.run(command(tmp_path), check=True)
    assert (tmp_path / "bins").read_bytes().startswith(uninterrupted["bins"].partition(b"\n")[0] + b"\n")


def test_a_capture_that_has_grown_is_read_on(uninterrupted, sample_pcap, tmp_path):
    part = tmp_path / "part.pcap"
    words = [part if word == SAMPLE else word for word in command(tmp_path)]
    for end in ("2025-06-06T20:00:01.5Z", "2025-06-07T01:00:00Z", "2025-06-08T00:00:00Z"):
        subprocess.run(["editcap", "-F", "pcap", "-B", end, sample_pcap, part], check=True)
        subprocess.run(words, check=True)
    assert contents(tmp_path) == uninterrupted


@pytest.mark.parametrize("wound, words", [
    (lambda data: data[:100], "no checkpoint"),
    (lambda data: data[:-1], "damaged"),
    (lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], "damaged"),
    (lambda data: b"", "no checkpoint"),
    (lambda data: b"something else altogether" * 100, "no checkpoint"),
    (lambda data: data[:16] + b"\x09" + data[17:], "another version"),
])
def test_a_damaged_or_foreign_checkpoint_is_refused(lightsout, tmp_path, wound, words):
    state = tmp_path / "state"
    lightsout("-r", SAMPLE, "-q", "--state", state)
    state.write_bytes(wound(state.read_bytes()))
    (tmp_path / "bins").write_text("precious\n")
    done = lightsout("-r", SAMPLE, "-q", "--state", state, "--bins", tmp_path / "bins", status=1)
    assert done.stderr.count("\n") == 1 and str(state) in done.stderr and words in done.stderr
    assert (tmp_path / "bins").read_text() == "precious\n"


def test_a_checkpoint_of_another_watch_list_is_refused(lightsout, tmp_path):
    lightsout("-r", SAMPLE, "-q", "--state", tmp_path / "state")
    done = lightsout("-r", SAMPLE, "-q", "--state", tmp_path / "state", "-w", "175.45.176.0/24", status=1)
    assert "another watch list" in done.stderr


def test_a_checkpoint_that_cannot_be_written_is_said(lightsout, tmp_path):
    done = lightsout("-r", SAMPLE, "-q", "--state", tmp_path / "no" / "state", status=1)
    assert "No such file" in done.stderr


@pytest.fixture
def reading():
    """Begins a replay of standard input that does not end, and returns it once a file is there."""
    begun = []

    def begin(sign, *words):
        process = subprocess.Popen([*map(str, [LIGHTSOUT, "-r", "-", *words])], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        begun.append(process)
        process.stdin.write(SAMPLE.read_bytes())
        process.stdin.flush()
        end = time.monotonic() + 20
        while not sign.exists() and time.monotonic() < end:
            time.sleep(0.02)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        process.stdin.close()


def test_two_programs_never_share_a_checkpoint(lightsout, reading, tmp_path):
    state, bins = tmp_path / "state", tmp_path / "bins"
    (tmp_path / "conf").write_text("[lightsout]\nstate_every = 3600\n")
    first = reading(state, "-q", "-c", tmp_path / "conf", "--state", state)
    stood = state.read_bytes()
    bins.write_text("precious\n")
    done = lightsout("-r", SAMPLE, "-q", "--state", state, "--bins", bins, status=1)
    assert done.stderr == f"lightsout: --state {state} is in use by another lightsout: give each one of its own\n"
    assert bins.read_text() == "precious\n"
    assert "state = " in lightsout("--check", "-r", SAMPLE, "--state", state).stdout
    assert first.poll() is None and state.read_bytes() == stood
    # Nobody holds it any more, however that came, and as often as one likes.
    first.kill()
    first.wait()
    for _ in range(2):
        lightsout("-r", SAMPLE, "-q", "--state", state)


def test_two_programs_never_share_a_spool(lightsout, reading, tmp_path):
    spool = tmp_path / "spool"
    (tmp_path / "conf").write_text(f"[redis]\nurl = unix://{tmp_path}/nobody.sock\nspool = {spool}\n")
    words = ["-q", "-c", tmp_path / "conf", "--state"]
    reading(spool, *words, tmp_path / "one")
    done = lightsout("-r", SAMPLE, *words, tmp_path / "other", status=1)
    assert done.stderr == f"lightsout: the spool {spool} is in use by another lightsout: give each a --state of its own\n"


def test_a_spool_without_a_folder_is_refused(lightsout, tmp_path):
    (tmp_path / "conf").write_text(f"[redis]\nurl = unix:///nobody.sock\nspool = {tmp_path}/no/spool\n")
    done = lightsout("-r", SAMPLE, "-q", "-c", tmp_path / "conf", "--state", tmp_path / "state", status=1)
    assert done.stderr.count("\n") == 1
    assert "no/spool: No such file or directory: check --state, or [redis] spool" in done.stderr


def test_what_a_full_disk_did_not_take_is_decided_again(uninterrupted, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("may not mount a small disk: run as root")
    try:
        filler = disk / "filler"
        filler.write_bytes(bytes(56 * 1024))  # what is left takes the first events
        words = [disk / "events" if word == tmp_path / "events" else word for word in command(tmp_path)]
        assert subprocess.run(words, stderr=subprocess.DEVNULL).returncode == 1
        assert (disk / "events").read_bytes() != uninterrupted["events"]
        filler.unlink()
        subprocess.run(words, check=True)
        assert (disk / "events").read_bytes() == uninterrupted["events"]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_killed_before_the_second_checkpoint_nothing_is_told_twice(uninterrupted, sample_pcap, tmp_path):
    words = ["-" if word == SAMPLE else word for word in command(tmp_path)]
    (tmp_path / "conf").write_text("[lightsout]\nstate_every = 3600\n")
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    process.stdin.write(sample_pcap.read_bytes()[:-1000000])
    process.stdin.flush()
    end = time.monotonic() + 60
    while not (tmp_path / "events").read_bytes() and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    process.stdin.close()
    with sample_pcap.open("rb") as capture:
        subprocess.run(words, stdin=capture, check=True)
    assert (tmp_path / "events").read_bytes() == uninterrupted["events"]
