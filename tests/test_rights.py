# SPDX-License-Identifier: BSD-3-Clause
"""What is left to the program once it runs, and that everything works with no more than that."""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP
from namespace import Namespace

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis, until  # noqa: E402

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
CAP_NET_RAW = 1 << 13


def says(*arguments):
    """The last line of --check, which is about rights."""
    done = subprocess.run([LIGHTSOUT, "--check", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


# A program with a sanitizer in it keeps its rights; where the kernel lacks something, that is said and not tested.
pytestmark = pytest.mark.skipif("confine = no)" in says(), reason="a sanitizer needs more rights")
NO_LANDLOCK = "no Landlock" in says()


def status(pid):
    """What the kernel says of every thread: a list of dictionaries."""
    threads = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            threads.append(dict(line.rstrip("\n").split(":\t", 1) for line in file))
    return threads


def held(pid):
    """The rights of the threads as one set; they should all be alike."""
    return {(int(t["CapEff"], 16), int(t["CapPrm"], 16), int(t["CapInh"], 16), int(t["CapAmb"], 16), t["NoNewPrivs"],
             t["Seccomp"]) for t in status(pid)}


@pytest.fixture
def cleanup():
    todo = []
    yield todo
    for undo in reversed(todo):
        undo()


@pytest.fixture
def space(cleanup):
    made = Namespace("a")
    cleanup.append(made.close)
    return made


@pytest.fixture
def open_folder():
    """A folder that another user can come to. Those of pytest are its own user's alone, and each pytest sees to that."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def watch(cleanup, space, *arguments, prefix=(), program=LIGHTSOUT, configuration=None, folder=None):
    """The program on a0, from the moment at which it is confined and all its threads run."""
    words = [*prefix, program, "-i", "a0", "-v", *arguments]
    if configuration is not None:
        (folder / "lightsout.conf").write_text(configuration)
        words += ["-c", folder / "lightsout.conf"]
    process = subprocess.Popen(space.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cleanup.append(lambda: (process.kill(), process.communicate()))
    assert until(lambda: process.poll() is not None or any(t["Seccomp"] == "2" for t in status(process.pid))), "no seccomp"
    assert process.poll() is None, process.communicate()
    return process


def end(process, code=0):
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    return said


@needs_root
def test_live_only_the_right_to_open_an_interface_again_stays_and_it_is_put_away(space, cleanup):
    process = watch(cleanup, space, "--http", "127.0.0.1:0", "--redis", "redis://127.0.0.1:1")
    assert until(lambda: len(status(process.pid)) >= 4), "where are its threads?"
    assert held(process.pid) == {(0, CAP_NET_RAW, 0, 0, "1", "2")}
    assert {int(t["CapBnd"], 16) for t in status(process.pid)} == {0}
    said = end(process, code=1)
    assert "what it may do: user " in said and "capabilities: CAP_NET_RAW (put away" in said


def test_a_replay_keeps_no_capability_while_it_reads(cleanup):
    process = subprocess.Popen([LIGHTSOUT, "-r", "-", "-q"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    cleanup.append(lambda: (process.kill(), process.communicate()))
    capture = subprocess.run(["zstdcat", SAMPLE], capture_output=True, check=True).stdout
    process.stdin.write(capture[:1 << 20])
    process.stdin.flush()
    assert until(lambda: {row[4:] for row in held(process.pid)} == {("1", "2")} and len(status(process.pid)) > 1)
    assert {row[:4] for row in held(process.pid)} == {(0, 0, 0, 0)}


@needs_redis
@needs_root
@pytest.mark.parametrize("user", [None, "nobody"])
def test_everything_works_live(space, cleanup, open_folder, user):
    """Redis, the page, the state, a reload from a file that was replaced, an interface that goes and comes back."""
    server = Server(open_folder)
    cleanup.append(server.stop)
    server.start()
    server.path.chmod(0o666)
    state, events, config = open_folder / "var" / "state", open_folder / "events", open_folder / "lightsout.conf"
    state.parent.mkdir()
    configuration = "[lightsout]\nsensor = ix-1\nbin = 1\nstep = 1\nstate_every = 1\n"
    if user is not None:
        configuration += f"user = {user}\n"
        shutil.chown(state.parent, user)
    space.run("ip link set lo up")
    process = watch(cleanup, space, "--redis", server.url, "--state", state, "--events", events, "--http", "127.0.0.1:9109",
                    configuration=configuration, folder=open_folder)
    uid = pwd.getpwnam(user).pw_uid if user else 0
    assert {t["Uid"] for t in status(process.pid)} == {"\t".join([str(uid)] * 4)}
    assert until(state.exists), end(process)
    assert until(lambda: server.ask("SMEMBERS", "lightsout:sensors") == ["ix-1"])
    page = subprocess.run(space.command("python3", "-c", "import urllib.request as r;"
                                        "print(r.urlopen('http://127.0.0.1:9109/healthz').read().decode())"),
                          capture_output=True, text=True, check=True)
    assert json.loads(page.stdout)["status"] == "ok"

    other = open_folder / "lightsout.conf.new"
    other.write_text(configuration + "[watch 192.0.2.0/24]\n")
    other.rename(config)
    process.send_signal(signal.SIGHUP)
    space.run("ip link del a0")
    time.sleep(1)
    space.run("ip link add a0 type veth peer name a1")
    space.run("ip link set a0 up")
    space.run("ip link set a1 up")
    before = state.stat().st_ino
    assert until(lambda: state.stat().st_ino != before), "checkpoints end"
    time.sleep(1.5)
    assert all(row[0] == 0 for row in held(process.pid)), "a capability is in use though nothing is opened"
    said = end(process)
    assert said.count("interface a0 is gone") == said.count("interface a0 is back") == 1
    assert "the settings were read again: 3 scopes are followed" in said
    assert "Permission denied" not in said and "Function not implemented" not in said
    assert state.stat().st_uid == uid
    assert events.stat().st_uid == 0, "files are opened before the user changes"


@needs_redis
def test_a_fuser_keeps_nothing_and_speaks_to_redis(tmp_path, cleanup):
    server = Server(tmp_path)
    cleanup.append(server.stop)
    server.start()
    process = subprocess.Popen([LIGHTSOUT, "--fuse", "--redis", server.url, "-v"], stderr=subprocess.PIPE, text=True)
    cleanup.append(lambda: (process.kill(), process.communicate()))
    assert until(lambda: any("{fused}" in key for key in server.ask("KEYS", "*"))), process.poll()
    assert held(process.pid) == {(0, 0, 0, 0, "1", "2")}
    process.send_signal(signal.SIGTERM)
    assert "capabilities: none" in process.communicate(timeout=30)[1]


@needs_root
def test_a_name_is_looked_up_after_the_rights_are_gone(space, cleanup):
    space.run("ip link set lo up")
    process = watch(cleanup, space, "--redis", "redis://localhost:1")
    said = end(process, code=1)
    assert "cannot reach Redis at redis://localhost:1: Connection refused" in said


@needs_root
def test_whoever_has_nothing_but_cap_net_raw_can_watch_and_find_an_interface_again(space, cleanup, open_folder):
    shutil.copy(LIGHTSOUT, open_folder / "lightsout")
    prefix = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps", "+net_raw",
              "--ambient-caps", "+net_raw", "--"]
    process = watch(cleanup, space, prefix=prefix, program=open_folder / "lightsout")
    assert held(process.pid) == {(0, CAP_NET_RAW, 0, 0, "1", "2")}
    space.run("ip link del a0")
    time.sleep(0.5)
    space.run("ip link add a0 type veth peer name a1")
    space.run("ip link set a0 up")
    time.sleep(1)
    assert "interface a0 is back" in end(process)


@needs_root
def test_a_user_who_may_not_write_the_state_is_refused_and_told_where(space, open_folder):
    (open_folder / "var").mkdir(mode=0o755)
    (open_folder / "lightsout.conf").write_text("[lightsout]\nuser = nobody\n")
    done = subprocess.run(
        space.command(LIGHTSOUT, "-i", "a0", "-c", open_folder / "lightsout.conf", "--state", open_folder / "var/state"),
        capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == (f"lightsout: {open_folder}/var: user nobody may not use it (Permission denied): give it to that "
                           "user, or set `user` to another\n")


@needs_root
def test_a_configuration_that_the_user_may_not_read_is_refused_and_the_old_one_stays(cleanup, space, open_folder):
    process = watch(cleanup, space, configuration="[lightsout]\nuser = nobody\nstep = 1\n", folder=open_folder)
    (open_folder / "lightsout.conf").chmod(0o600)
    process.send_signal(signal.SIGHUP)
    time.sleep(2.5)
    said = end(process)
    assert said.count(f"configuration {open_folder}/lightsout.conf: Permission denied: what was in force stays") == 1


@needs_root
def test_a_checkpoint_begun_by_root_is_gone_on_with_by_the_user_that_root_became(cleanup, space, open_folder):
    program, state = open_folder / "lightsout", open_folder / "var" / "state"
    shutil.copy(LIGHTSOUT, program)
    state.parent.mkdir(mode=0o700)
    shutil.chown(state.parent, "nobody")
    first = watch(cleanup, space, "--state", state, configuration="[lightsout]\nuser = nobody\nstep = 1\n", folder=open_folder)
    assert until(state.exists)
    again = ["setpriv", "--reuid", "nobody", "--clear-groups", program, "-r", "-", "-q", "--state", state]
    done = subprocess.run(again, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "in use by another lightsout" in done.stderr
    assert end(first)
    subprocess.run(["sh", "-c", f"zstdcat {SAMPLE} | {' '.join(map(str, again))}"], check=True)


def test_a_user_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "lightsout.conf").write_text("[lightsout]\nuser = no-such-user\n")
    done = subprocess.run([LIGHTSOUT, "--check", "-c", tmp_path / "lightsout.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (f"lightsout: {tmp_path}/lightsout.conf:2: user = no-such-user: there is no such user: "
                           "`adduser --system no-such-user` makes it\n")


@needs_root
def test_anybody_may_check_what_another_user_will_run(open_folder):
    program, config = open_folder / "lightsout", open_folder / "lightsout.conf"
    shutil.copy(LIGHTSOUT, program)
    config.write_text("[lightsout]\nuser = daemon\n")
    done = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", program, "--check", "-c", config],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "user nobody, capabilities: none" in done.stdout, done.stderr
    done = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", program, "-r", "-", "-c", config],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and "user = daemon: only root can become another user" in done.stderr


def test_captures_are_read_however_they_are_named_and_packed(lightsout, tmp_path, sample_pcap):
    """A directory with links that lead out of it, a file by a path through a link, gzip, zstd, standard input, a pipe."""
    folder, away = tmp_path / "captures", tmp_path / "away"
    folder.mkdir()
    away.mkdir()
    cut = tmp_path / "cut.pcap"
    subprocess.run(["editcap", "-r", sample_pcap, cut, "1-5000"], check=True)
    with (away / "a.gz").open("wb") as file:
        subprocess.run(["gzip", "-c", cut], stdout=file, check=True)
    subprocess.run(["zstd", "-q", cut, "-o", away / "b.zst"], check=True)
    (folder / "a.gz").symlink_to(away / "a.gz")
    (folder / "b.zst").symlink_to("../away/b.zst")
    cut.rename(folder / "c.pcap")
    (tmp_path / "same").symlink_to(folder)
    assert "packets    15,000" in lightsout("-r", folder).stdout
    assert "packets    15,000" in lightsout("-r", tmp_path / "same").stdout
    assert "packets    10,000" in lightsout("-r", tmp_path / "same" / "a.gz", "-r", folder / "b.zst").stdout
    with (away / "a.gz").open("rb") as file:
        assert "packets    5,000" in lightsout("-r", "-", stdin=file).stdout
    pipe = subprocess.Popen(["cat", folder / "b.zst"], stdout=subprocess.PIPE)
    assert "packets    5,000" in lightsout("-r", f"/dev/fd/{pipe.stdout.fileno()}", pass_fds=[pipe.stdout.fileno()]).stdout
    pipe.communicate()


@needs_root
def test_root_reads_and_writes_what_belongs_to_others_with_the_one_capability_it_takes(lightsout, tmp_path, sample_pcap):
    capture, folder = tmp_path / "a.pcap", tmp_path / "var"
    subprocess.run(["editcap", "-r", sample_pcap, capture, "1-5000"], check=True)
    capture.chmod(0o600)
    folder.mkdir(mode=0o700)
    shutil.chown(capture, "nobody")
    assert "capabilities: CAP_DAC_READ_SEARCH (files of others)," in lightsout("-r", capture, "-v").stderr
    shutil.chown(folder, "nobody")
    done = lightsout("-r", capture, "-v", "--state", folder / "state", "--bins", folder / "bins.csv")
    assert "capabilities: CAP_DAC_OVERRIDE (files of others)," in done.stderr and (folder / "state").exists()
    assert "capabilities: none" in lightsout("-r", sample_pcap, "-v").stderr


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_checkpoint_is_not_written_through_what_somebody_put_in_its_way(lightsout, tmp_path, sample_pcap, plant):
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    plant(victim, tmp_path / "state.new")
    lightsout("-r", sample_pcap, "-q", "--state", tmp_path / "state")
    assert victim.read_text() == "mine\n"
    state = (tmp_path / "state").stat()
    assert state.st_mode & 0o777 == 0o600 and state.st_nlink == 1 and not (tmp_path / "state.new").exists()


@pytest.mark.skipif(NO_LANDLOCK, reason="the kernel has no Landlock")
def test_a_capture_that_comes_to_lead_elsewhere_is_not_followed(tmp_path, sample_pcap):
    """Between the first look at a file and its reading: the link is turned to what nobody named."""
    secret, link, first = tmp_path / "secret.pcap", tmp_path / "in" / "z.pcap", tmp_path / "in" / "a.pcap"
    link.parent.mkdir()
    subprocess.run(["editcap", "-r", sample_pcap, tmp_path / "real.pcap", "6000-7000"], check=True)
    subprocess.run(["editcap", "-r", sample_pcap, secret, "7001-8000"], check=True)
    subprocess.run(["editcap", "-r", sample_pcap, first, "1-5000"], check=True)
    link.symlink_to(tmp_path / "real.pcap")
    # Paced, so that there is time to turn the link before its turn comes.
    process = subprocess.Popen([LIGHTSOUT, "-r", link.parent, "--speed", "1500"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert until(lambda: process.poll() is not None or any(t["Seccomp"] == "2" for t in status(process.pid)))
    time.sleep(0.3)
    link.unlink()
    link.symlink_to(secret)
    said = process.communicate(timeout=60)
    assert process.returncode == 1 and f"{link}: Permission denied" in said[1], said
    assert "packets    5,000" in said[0]


def test_all_rights_stay_when_that_is_asked_for(cleanup, tmp_path):
    (tmp_path / "lightsout.conf").write_text("[lightsout]\nconfine = no\n")
    assert says("-c", tmp_path / "lightsout.conf").endswith("all rights that it was started with (confine = no)")
    process = subprocess.Popen([LIGHTSOUT, "-r", "-", "-q", "-c", tmp_path / "lightsout.conf"], stdin=subprocess.PIPE)
    cleanup.append(lambda: (process.kill(), process.wait(), process.stdin.close()))
    time.sleep(0.3)
    assert {t["Seccomp"] for t in status(process.pid)} == {"0"}


def test_check_tells_what_holds():
    assert re.fullmatch(r"# What it may do once it runs: user \S+, capabilities: none, no new privileges, "
                        r"\d+ system calls \(seccomp\), (only the files in use \(Landlock \d+\)|no Landlock in this kernel)",
                        says("-r", SAMPLE))
