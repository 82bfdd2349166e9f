# SPDX-License-Identifier: BSD-3-Clause
"""Several servers at a time: replicas, Sentinels, a cluster."""

import contextlib
import subprocess

from redis_server import KEY, Client, ReplyError, Server, free_port, until


@contextlib.contextmanager
def servers(tmp_path, count, *options):
    """Servers that listen on the loopback too; .port is where."""
    running = []
    try:
        for at in range(count):
            folder = tmp_path / f"server{at}"
            folder.mkdir()
            port = free_port()
            server = Server(folder, "--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0",
                            *options)
            server.port = port
            running.append(server.start())
        yield running
    finally:
        for server in running:
            server.kill()  # one that is told to end would wait for its replicas


class Sentinels:
    """As many as are wanted over one master, which is agreed to be dead within half a second."""

    def __init__(self, folder, master, count=3, options=""):
        self.ports, self.processes, self.names = [], [], []
        for at in range(count):
            port = free_port()
            path = folder / f"sentinel{at}.conf"
            path.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{options}\n"
                            f"sentinel monitor main 127.0.0.1 {master} 2\n"
                            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n")
            self.ports.append(port)
            self.processes.append(subprocess.Popen(["redis-server", path, "--sentinel"], stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL))
        for port in self.ports:
            assert until(lambda port=port: self.knows(port, count)), "the Sentinels do not find each other"

    def knows(self, port, count):
        try:
            with contextlib.closing(Client(port)) as client:
                fields = client("SENTINEL", "MASTER", "main")
        except (OSError, ReplyError):
            return False
        master = dict(zip(fields[::2], fields[1::2]))
        return int(master["num-other-sentinels"]) == count - 1 and int(master["num-slaves"]) >= 1

    def url(self):
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.ports) + "/main"

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


def replicates(replica):
    role = replica.ask("ROLE")
    return role[0] == "slave" and role[3] == "connected"


@contextlib.contextmanager
def cluster(tmp_path):
    """Three nodes: the sensor's keys and the set of sensors are at different ones."""
    with servers(tmp_path, 3, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000") as nodes:
        low, high = sorted(nodes[0].ask("CLUSTER", "KEYSLOT", key) for key in (KEY + "events", "lightsout:sensors"))
        ends = (low + high) // 2, high, 16383
        for node, first, last in zip(nodes, (0, ends[0] + 1, ends[1] + 1), ends):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port)
        assert until(lambda: agree(nodes))
        yield nodes


def agree(nodes):
    """Whether every node of the cluster is heard by every other."""
    return all("cluster_state:ok" in node.ask("CLUSTER", "INFO") and
               len(node.ask("CLUSTER", "LINKS")) == 2 * len(nodes) - 2 for node in nodes)


def keeper(nodes, key):
    """The node of the cluster that has the key."""
    for node in nodes:
        with contextlib.suppress(ReplyError):
            node.ask("EXISTS", key)
            return node
    raise AssertionError(f"nobody has {key}")
