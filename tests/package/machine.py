# SPDX-License-Identifier: BSD-3-Clause
"""A root of a Debian release, and the same root booted: its own systemd as the first process of namespaces of its own,
without any network but what it makes itself. Nothing outside notices, and all ends with this object."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"}

# In namespaces of their own: enough of a machine for apt, and the command.
ENTER = """
cd "$1"; shift
mount -t proc proc proc
mount --bind /dev dev
exec chroot . "$@"
"""

BOOT = """
echo $$ >"$2/cgroup.procs"
exec unshare --mount --propagation private --pid --fork --kill-child --net --uts --ipc --cgroup sh -eu -c '
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
' sh "$1"
"""


def needed():
    """Why there can be no such machine here, or None."""
    if os.geteuid() != 0:
        return "left out: root is needed"
    missing = [program for program in ("debootstrap", "unshare", "nsenter") if shutil.which(program) is None]
    return f"left out: no {', '.join(missing)} here" if missing else None


class Root:
    """A minimal root, bootstrapped once into `cache` and copied."""

    def __init__(self, release, cache, folder):
        base = Path(cache) / release
        if not base.exists():
            made = base.with_suffix(".part")
            shutil.rmtree(made, ignore_errors=True)
            made.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["debootstrap", "--variant=minbase", release, made], check=True, stdout=subprocess.DEVNULL)
            made.rename(base)
        self.path = Path(folder)
        subprocess.run(["cp", "-a", "--reflink=auto", base, self.path], check=True)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf", follow_symlinks=True)

    def run(self, *words, check=True):
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-eu", "-c", ENTER, "sh", self.path, *words],
                              env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def install(self, *packages):
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.run("apt-get", "update", "-q")
        self.run("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)
        policy.unlink()

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Machine:
    """A root with systemd in it, booted."""

    def __init__(self, root):
        mounts = re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)
        if not mounts:
            pytest.skip("left out: no cgroup2 here")
        self.cgroup = Path(mounts[0]) / f"lightsout-test-{os.getpid()}"
        self.cgroup.mkdir()
        self.holder = subprocess.Popen(["sh", "-eu", "-c", BOOT, "sh", root.path.resolve(), self.cgroup],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.first = None
        try:
            self.wait(self.booted, 60)
        except BaseException:
            self.end()
            raise

    def booted(self):
        assert self.holder.poll() is None, self.holder.stderr.read().decode()
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        if not children or Path(f"/proc/{children[0]}/comm").read_text() != "systemd\n":
            return False
        self.first = children[0]
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def wait(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(0.2)

    def run(self, *words, check=True):
        done = subprocess.run(["nsenter", "-t", self.first, "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", *words],
                              env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def shell(self, line, check=True):
        return self.run("bash", "-c", line, check=check).stdout

    def end(self):
        self.holder.kill()
        self.holder.communicate()
        for folder in sorted(self.cgroup.rglob("*/"), reverse=True):
            if folder.is_dir():
                self.rmdir(folder)
        self.rmdir(self.cgroup)

    @staticmethod
    def rmdir(folder):
        for _ in range(100):  # till the last process is gone
            try:
                folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)
