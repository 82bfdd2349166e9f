# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace with veth pairs in it, for tests that send and capture: nothing outside of it notices."""

import subprocess

import pytest


class Namespace:
    """Lasts as long as this object: its holder ends when its input closes. For each name the ends NAME0 and NAME1 of a
    veth pair, up and silent. Skips the test where that may not be made."""

    def __init__(self, *pairs):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.furnish(pairs)
        except BaseException:
            self.close()
            raise

    def furnish(self, pairs):
        if self.holder.stdout.readline() != "ready\n":
            pytest.skip("may not make a network namespace: run as root")
        # A host's own IPv6 chatter would break the silence.
        self.run("sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1", check=False)
        for pair in pairs:
            if self.run(f"ip link add {pair}0 type veth peer name {pair}1", check=False).returncode != 0:
                pytest.skip("may not make veth interfaces")
            self.run(f"ip link set {pair}0 up")
            self.run(f"ip link set {pair}1 up")

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    def command(self, *words):
        """The words of a command that runs within."""
        return ["nsenter", "--net", "--target", str(self.holder.pid), "--", *map(str, words)]

    def run(self, line, check=True):
        return subprocess.run(self.command(*line.split()), capture_output=True, text=True, check=check)
