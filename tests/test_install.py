# SPDX-License-Identifier: BSD-3-Clause
"""`make install` and `make uninstall`, and the unit for systemd as it is installed. Nothing outside a folder of the
test's own is touched."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, TOP

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="left out: no systemd-analyze here")
EXPOSURE_MAX = 1.5


def make(*arguments):
    """The build that is tested, whatever the make around the tests was told."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    subprocess.run(["make", "-s", *map(str, arguments), f"PROGRAM={BUILD / 'lightsout'}", "-o", BUILD / "lightsout"], cwd=TOP,
                   env=environment, check=True, stdin=subprocess.DEVNULL)


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def installed(tmp_path):
    """Installed where it could run: paths in the unit are those of this folder."""
    make("install", f"PREFIX={tmp_path}/usr", f"SYSCONFDIR={tmp_path}/etc")
    return tmp_path


def test_all_is_installed_below_prefix_and_destdir(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/lightsout")
    there = files(tmp_path)
    for path in ("bin/lightsout", "share/man/man8/lightsout.8", "lib/systemd/system/lightsout.service",
                 "lib/sysusers.d/lightsout.conf", "share/bash-completion/completions/lightsout",
                 "share/zsh/site-functions/_lightsout", "share/doc/lightsout/README.md",
                 "share/doc/lightsout/examples/events.schema.json", "share/doc/lightsout/examples/lightsout.conf"):
        assert f"opt/lightsout/{path}" in there
    assert "etc/lightsout/lightsout.conf" in there
    unit = (tmp_path / "opt/lightsout/lib/systemd/system/lightsout.service").read_text()
    assert "ExecStart=/opt/lightsout/bin/lightsout --config /etc/lightsout/lightsout.conf" in unit
    assert "/usr/bin/lightsout" not in unit


def test_uninstalling_leaves_nothing_behind(tmp_path):
    make("install", f"DESTDIR={tmp_path}")
    assert files(tmp_path)
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()
    assert not list(tmp_path.rglob("lightsout"))


def test_a_configuration_that_was_changed_is_neither_overwritten_nor_removed(tmp_path):
    make("install", f"DESTDIR={tmp_path}")
    configuration = tmp_path / "etc/lightsout/lightsout.conf"
    configuration.write_text("[capture]\ninterface = eth1\n")
    make("install", f"DESTDIR={tmp_path}")
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == {"etc/lightsout/lightsout.conf"}
    assert configuration.read_text() == "[capture]\ninterface = eth1\n"


def test_what_is_installed_runs_with_the_configuration_that_is(installed):
    done = subprocess.run([installed / "usr/bin/lightsout", "--check", "--config", installed / "etc/lightsout/lightsout.conf"],
                          capture_output=True, text=True, check=True)
    assert "[watch 175.45.176.0/24]" in done.stdout and done.stderr == ""


@needs_systemd
def test_systemd_has_nothing_to_say_of_the_unit(installed):
    unit = installed / "usr/lib/systemd/system/lightsout.service"
    done = subprocess.run(["systemd-analyze", "--man=no", "verify", unit], capture_output=True, text=True, check=False)
    # It may have something to say of the system's own units.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "lightsout" in line]
    assert said == [] and done.returncode == 0, done.stderr


@needs_systemd
def test_the_unit_exposes_no_more_than_the_readme_says(installed):
    unit = installed / "usr/lib/systemd/system/lightsout.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=True)
    exposure = float(re.search(r"Overall exposure level for lightsout\.service: ([0-9.]+)", done.stdout)[1])
    assert exposure <= EXPOSURE_MAX
    assert f"exposure of {EXPOSURE_MAX}" in (TOP / "README.md").read_text(encoding="utf-8")


def unit_lines(key):
    unit = (TOP / "samples/lightsout.service").read_text(encoding="utf-8")
    return re.findall(rf"^{key}=((?:.*\\\n)*.*)$", unit, re.MULTILINE)


def test_the_unit_gives_a_user_of_its_own_one_capability():
    assert unit_lines("User") == ["lightsout"] and unit_lines("NoNewPrivileges") == ["yes"]
    assert unit_lines("AmbientCapabilities") == unit_lines("CapabilityBoundingSet") == ["CAP_NET_RAW"]
    assert "u lightsout - " in (TOP / "samples/lightsout.sysusers").read_text(encoding="utf-8")


def test_the_unit_waits_for_an_interface_to_be_named(tmp_path):
    """The condition by itself, with the sample as it comes and once somebody has named one."""
    configuration = tmp_path / "lightsout.conf"
    condition = unit_lines("ExecCondition")[0].replace("\\\n", " ").replace("/etc/lightsout/lightsout.conf", str(configuration))
    sample = (TOP / "samples/lightsout.conf").read_text(encoding="utf-8")

    def run(text):
        configuration.write_text(text)
        return subprocess.run(["sh", "-c", condition], capture_output=True, text=True, check=False)

    fresh = run(sample)
    assert fresh.returncode == 1 and fresh.stderr.startswith("<5>name an interface in ")
    assert run(sample.replace("#interface = eth1 eth2", "interface = eth1")).returncode == 0
