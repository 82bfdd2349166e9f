# SPDX-License-Identifier: BSD-3-Clause
"""The life of the package on each Debian release: built, installed, run by the release's own systemd, upgraded, removed
and purged. `make test-package` runs it, as root; the tests of a release go on from one another."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from machine import Machine, Root, needed

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
RELEASES = os.environ.get("RELEASES", "bookworm trixie").split()
CONFIGURATION = "/etc/lightsout/lightsout.conf"
# What the operator writes: short steps, so that the watchdog can be seen at work.
OWN = """# ours
[lightsout]
bin = 1
step = 1
[capture]
interface = tap0
[http]
listen = 127.0.0.1:9109
[watch 192.0.2.0/24]
"""

pytestmark = pytest.mark.skipif(needed() is not None, reason=str(needed()))


def copy_tree(target):
    """What git knows, or would."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP, check=True,
                           capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (TOP / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target / name)


def next_version(tree):
    """The tree as it may come: another version, with another configuration."""
    version = re.search(r"^VERSION\s*:= (\S+)$", (tree / "Makefile").read_text(), re.MULTILINE)[1]
    for name in ("Makefile", ".debian/changelog"):
        path = tree / name
        path.write_text(path.read_text().replace(version, version + "+next", 1))
    sample = tree / "samples/lightsout.conf"
    sample.write_text(sample.read_text() + "# What is new.\n")


class Life:
    """A release, the package built on it in two versions, and a machine to live on."""

    def __init__(self, release, folder):
        cache = BUILD / "package"
        self.builder = Root(release, cache, folder / "builder")
        tree = self.builder.path / "root/tree"
        copy_tree(tree)
        self.builder.install("make", "gcc")
        self.builder.run("/root/tree/.ci/deps", "build", "deb")
        self.builder.install("lintian")
        self.old = self.build(tree)
        next_version(tree)
        self.new = self.build(tree)
        self.root = Root(release, cache, folder / "machine")
        for package in (self.old, self.new):
            shutil.copy(self.builder.path / "root" / package, self.root.path / "root")
        self.root.install("systemd-sysv", "iproute2", "man-db")
        self.before = self.traces()
        # Installed on the machine itself, which has no network.
        self.root.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "--download-only", f"/root/{self.old}")
        self.machine = Machine(self.root)

    def build(self, tree):
        self.builder.run("make", "-C", "/root/tree", "deb")
        for path in (tree / "build").glob("lightsout*_*"):
            path.rename(self.builder.path / "root" / path.name)
        return sorted((self.builder.path / "root").glob("lightsout_*.deb"), key=lambda path: path.stat().st_mtime)[-1].name

    def traces(self):
        """What bears the program's name, but for the package itself and what others remember of it."""
        others = ("root/", "proc/", "sys/", "dev/", "run/", "var/cache/", "var/log/apt", "var/log/dpkg", "var/log/journal")
        found = (str(path.relative_to(self.root.path)) for path in self.root.path.rglob("*lightsout*"))
        return {name for name in found if not name.startswith(others)}

    def show(self, key):
        return self.machine.run("systemctl", "show", "-P", key, "lightsout").stdout.strip()

    def waits_for(self, key, value, seconds=60):
        self.machine.wait(lambda: self.show(key) == value, seconds)

    def end(self):
        if hasattr(self, "machine"):
            self.machine.end()
        for root in ("root", "builder"):
            if hasattr(self, root):
                getattr(self, root).remove()


@pytest.fixture(scope="module", params=RELEASES)
def life(request, tmp_path_factory):
    life = Life.__new__(Life)
    try:
        life.__init__(request.param, tmp_path_factory.mktemp(request.param))
        yield life
    finally:
        life.end()


def test_lintian_of_the_release_finds_neither_errors_nor_warnings(life):
    done = life.builder.run("lintian", "--allow-root", "--fail-on", "error,warning", f"/root/{life.old}", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_installed_it_has_a_user_is_enabled_and_waits_for_an_interface(life):
    life.machine.run("apt-get", "install", "-q", "-y", "--no-install-recommends", f"/root/{life.old}")
    assert life.machine.run("getent", "passwd", "lightsout").stdout.rstrip().endswith("/nologin")
    assert life.show("UnitFileState") == "enabled"
    assert (life.show("ActiveState"), life.show("Result")) == ("inactive", "exec-condition")
    assert "name an interface" in life.machine.run("journalctl", "-u", "lightsout", "-o", "cat").stdout
    assert "lightsout" not in life.machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout
    assert "tell when an address space goes dark" in life.machine.shell("man lightsout | cat")


def test_anybody_may_replay_the_sample(life):
    said = life.machine.shell("cd /tmp; setpriv --reuid nobody --regid nogroup --clear-groups "
                              "lightsout -r /usr/share/doc/lightsout/examples/blackout-2025-06.pcap.zst")
    assert "cause    internal" in said


def test_it_runs_as_its_own_user_with_one_capability(life):
    (life.root.path / CONFIGURATION[1:]).write_text(OWN)
    life.machine.shell("ip link set lo up; ip link add tap0 type veth peer name tap1; ip link set tap0 up; ip link set tap1 up")
    life.machine.run("systemctl", "start", "lightsout")  # comes back when it is ready
    assert (life.show("ActiveState"), life.show("SubState")) == ("active", "running")
    status = life.machine.run("cat", f"/proc/{life.show('MainPID')}/status").stdout
    number = life.machine.run("id", "-u", "lightsout").stdout.strip()
    assert re.search(rf"^Uid:\t{number}\t{number}\t{number}\t{number}$", status, re.MULTILINE)
    for capabilities in re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE):
        assert int(capabilities, 16) & ~(1 << 13) == 0  # CAP_NET_RAW
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    folders = life.machine.shell("stat -c '%U %a' /var/lib/lightsout /var/log/lightsout").split("\n")
    assert folders[:2] == ["lightsout 750", "lightsout 750"]
    life.machine.wait(lambda: "all is learning" in life.show("StatusText"), 30)


def test_it_sees_what_passes_the_interface(life):
    life.machine.shell("ip addr add 198.51.100.1/24 dev tap1; ip route add 192.0.2.0/24 dev tap1; "
                       "ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev tap1; echo knock >/dev/udp/192.0.2.7/9")
    ask = "exec 3<>/dev/tcp/127.0.0.1/9109; printf 'GET /metrics HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3"
    counted = re.compile(r'^lightsout_packets_total{scope="all",direction="in"} [1-9]', re.MULTILINE)
    life.machine.wait(lambda: counted.search(life.machine.shell(ask)), 30)


def test_a_reload_is_refused_with_a_bad_configuration_and_done_with_a_good_one(life):
    configuration = life.root.path / CONFIGURATION[1:]
    first = life.show("MainPID")
    configuration.write_text(OWN + "no_such_key = 1\n")
    assert life.machine.run("systemctl", "reload", "lightsout", check=False).returncode != 0
    assert "there is no key 'no_such_key'" in life.machine.run("journalctl", "-u", "lightsout", "-p", "err", "-o", "cat").stdout
    configuration.write_text(OWN)
    life.machine.run("systemctl", "reload", "lightsout")
    life.machine.wait(lambda: "the settings were read again" in
                      life.machine.run("journalctl", "-u", "lightsout", "-o", "cat").stdout, 30)
    assert (life.show("MainPID"), life.show("ActiveState")) == (first, "active")


def test_a_reader_that_hangs_is_started_again(life):
    override = life.root.path / "etc/systemd/system/lightsout.service.d/patience.conf"
    override.parent.mkdir()
    override.write_text("[Service]\nWatchdogSec=8\nTimeoutAbortSec=2\n")
    life.machine.run("systemctl", "daemon-reload")
    life.machine.run("systemctl", "restart", "lightsout")
    first = life.show("MainPID")
    life.machine.run("sleep", "12")
    assert (life.show("MainPID"), life.show("NRestarts")) == (first, "0")  # a wire that is quiet is none
    life.machine.shell(f"kill -STOP {first}")
    life.waits_for("NRestarts", "1")
    life.waits_for("ActiveState", "active")
    assert "watchdog" in life.machine.run("journalctl", "-u", "lightsout", "-o", "cat").stdout.lower()
    shutil.rmtree(override.parent)
    life.machine.run("systemctl", "daemon-reload")


def test_the_unit_exposes_no_more_than_the_readme_says(life):
    said = life.machine.run("systemd-analyze", "security", "lightsout").stdout
    exposure = re.search(r"Overall exposure level for lightsout\.service: ([0-9.]+)", said)[1]
    print(f"exposure {exposure}")
    assert float(exposure) <= 1.5


def test_an_upgrade_keeps_configuration_and_state_and_starts_the_service_again(life):
    configuration = life.root.path / CONFIGURATION[1:]
    first = life.show("MainPID")
    life.machine.run("dpkg", "--force-confold", "--install", f"/root/{life.new}")
    assert configuration.read_text() == OWN
    assert configuration.with_name("lightsout.conf.dpkg-dist").read_text().endswith("# What is new.\n")
    life.waits_for("ActiveState", "active")
    assert life.show("MainPID") not in (first, "0")
    assert (life.root.path / "var/lib/lightsout/state").stat().st_size > 0
    assert "+next" in life.machine.run("lightsout", "--version").stdout


def test_removed_it_stops_and_leaves_configuration_and_state(life):
    life.machine.run("apt-get", "remove", "-q", "-y", "lightsout")
    assert life.machine.shell("grep -lsx lightsout /proc/[0-9]*/comm", check=False) == ""
    assert (life.root.path / CONFIGURATION[1:]).read_text() == OWN
    assert (life.root.path / "var/lib/lightsout/state").exists()
    assert not (life.root.path / "usr/bin/lightsout").exists()


def test_purged_it_leaves_nothing_but_the_user(life):
    life.machine.run("apt-get", "purge", "-q", "-y", "lightsout")
    assert life.traces() == life.before
    assert life.machine.run("getent", "passwd", "lightsout").returncode == 0
