# SPDX-License-Identifier: BSD-3-Clause
"""`make deb` on the release that the tests run on. What becomes of the package when it is installed is the matter of
`make test-package`."""

import re
import shutil
import subprocess

import pytest
from conftest import BUILD, TOP
from test_install import make

pytestmark = [
    pytest.mark.skipif(shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None,
                       reason="left out: no dpkg-buildpackage or debhelper here"),
    pytest.mark.skipif(BUILD.name in ("asan", "tsan"), reason="left out: the package is built without sanitizers anyway"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    make("deb", f"OUT={folder}")
    return folder


def deb(folder):
    return next(folder.glob("lightsout_*.deb"))


def test_the_package_has_the_version_of_the_program(built):
    version = re.search(r"^VERSION\s*:= (\S+)$", (TOP / "Makefile").read_text(), re.MULTILINE)[1]
    assert deb(built).name.startswith(f"lightsout_{version}_")


def test_the_package_keeps_the_configuration_as_such_and_links_what_it_needs(built):
    def ask(*arguments):
        return subprocess.run(["dpkg-deb", *arguments], capture_output=True, text=True, check=True).stdout

    assert ask("--info", deb(built), "conffiles").split() == ["/etc/lightsout/lightsout.conf"]
    depends = ask("--field", deb(built), "Depends")
    for library in ("libpcap0.8", "libndpi", "libhiredis", "libmicrohttpd", "libjansson4", "libsystemd0"):
        assert library in depends
    contents = ask("--contents", deb(built))
    for path in ("/usr/bin/lightsout", "/lib/systemd/system/lightsout.service", "/usr/lib/sysusers.d/lightsout.conf",
                 "/usr/share/man/man8/lightsout.8.gz", "/usr/share/zsh/vendor-completions/_lightsout",
                 "/usr/share/doc/lightsout/examples/blackout-2025-06.pcap.zst"):
        assert re.search(rf"\.(/usr)?{re.escape(path)}$", contents, re.MULTILINE), path


@pytest.mark.skipif(shutil.which("lintian") is None, reason="left out: no lintian here")
def test_lintian_finds_neither_errors_nor_warnings(built):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", next(built.glob("*.changes"))],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
