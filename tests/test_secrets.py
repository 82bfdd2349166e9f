# SPDX-License-Identifier: BSD-3-Clause
"""A password for Redis is seen by nobody: not in the list of processes, the report, --check or a message."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIGHTSOUT, TOP

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import until  # noqa: E402

SECRET = "hunter2"
URL = f"redis://soc:{SECRET}@127.0.0.1:1/3"


EMPTY = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # a capture without packets


def ways(folder):
    """Options and environment with the secret, however it may be given."""
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "plain").write_text("[redis]\ndrain = 0\n")
    (folder / "url").write_text(f"[redis]\ndrain = 0\nurl = {URL}\n")
    (folder / "file").write_text(f"[redis]\ndrain = 0\nurl = redis://127.0.0.1:1\nuser = soc\n"
                                 f"password_file = {folder}/secret\n")
    plain = ["-c", folder / "plain"]
    return {"option": ([*plain, "--redis", URL], {}), "joined": ([*plain, "--redis=" + URL], {}),
            "configuration": (["-c", folder / "url"], {}), "file": (["-c", folder / "file"], {}),
            "environment": ([*plain, "--redis", "redis://127.0.0.1:1"], {"LIGHTSOUT_REDIS_PASSWORD": SECRET})}


@pytest.mark.parametrize("way", ["option", "joined", "configuration", "file", "environment"])
def test_a_password_is_seen_by_nobody(way, tmp_path):
    options, environment = ways(tmp_path)[way]
    environment = dict(os.environ, **environment)
    checked = subprocess.run([LIGHTSOUT, "--check", *options], capture_output=True, text=True, env=environment, check=True)
    assert SECRET not in checked.stdout + checked.stderr
    report = tmp_path / "report.html"
    running = subprocess.Popen([LIGHTSOUT, "-r", "-", "--report", report, "-v", *options], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    processes = Path(f"/proc/{running.pid}/cmdline")
    assert until(lambda: b"--report" in processes.read_bytes() and SECRET.encode() not in processes.read_bytes())
    said = "".join(part.decode() for part in running.communicate(EMPTY, timeout=60))
    assert "cannot reach Redis at redis://127.0.0.1:1" in said
    assert SECRET not in said + report.read_text()
    if way in ("option", "joined"):
        assert "redis://soc:*******@127.0.0.1:1/3" in report.read_text()  # and the rest is there
