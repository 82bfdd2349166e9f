# SPDX-License-Identifier: BSD-3-Clause
"""The way to Redis: passwords, TLS, replicas, Sentinels, a cluster, and what is said when it is closed."""

import contextlib
import json
import subprocess
import time

import pytest

from proxy import Proxy
from redis_many import agree, cluster, keeper, replicates, servers
from redis_server import BUILD, DRIVE, KEY, Client, Drive, Server, drive, free_port, needs_redis, until

pytestmark = needs_redis


@pytest.fixture(scope="module")
def expected_ids(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "events.ndjson"
    assert drive(["event 200"], "--events", path) == (0, "")
    return [json.loads(line)["event"]["id"] for line in path.read_text().splitlines()]


@pytest.fixture
def server(tmp_path):
    one = Server(tmp_path).start()
    yield one
    one.stop()


def has_tls():
    said = subprocess.run([DRIVE, "--check", "rediss://h"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return "no TLS" not in said


def certificates(folder):
    """A CA, and its certificate for the name localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    for who in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{who}.key", "-out", f"{who}.pem",
                "-subj", f"/CN={who}", "-days", "2")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "2", "-extfile", "names")


@pytest.mark.skipif(has_tls(), reason="this build has TLS")
def test_without_tls_in_the_build_it_is_refused_and_nothing_goes_in_the_clear():
    for url in ("rediss://h", "rediss+sentinel://h/name"):
        done = subprocess.run([DRIVE, "--check", url], stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2 and "this build has no TLS for Redis" in done.stdout
        status, said = drive(["event 1"], "--redis", url)
        assert status == 2 and "this build has no TLS for Redis" in said


@pytest.mark.skipif(not has_tls(), reason="this build has no TLS")
def test_over_tls_only_the_certificate_of_the_host_is_taken(tmp_path, expected_ids):
    certificates(tmp_path)
    port = free_port()
    server = Server(tmp_path, "--bind", "127.0.0.1", "--tls-port", str(port), "--tls-cert-file", "server.pem",
                    "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no").start()
    try:
        def run(host, ca):
            return drive(["event 10"], "--redis", f"rediss://{host}:{port}", "--ca", tmp_path / ca, "--drain", "0.5")

        status, said = run("localhost", "other.pem")
        assert status == 1 and said.count("no TLS with Redis") == 1
        status, said = run("127.0.0.1", "ca.pem")
        assert status == 1 and "mismatch" in said
        assert server.ids() == []
        assert run("localhost", "ca.pem") == (0, "")
        assert server.ids() == expected_ids[:10]
        status, said = drive(["event 1"], "--redis", f"rediss://localhost:{port}", "--ca", tmp_path / "server.key")
        assert status == 2 and "tls_ca" in said
        running = Drive("--redis", f"rediss://localhost:{port}", "--ca", tmp_path / "ca.pem", "--live").do("event 20")
        assert until(lambda: len(server.ids()) == 20)
        server.kill()
        running.do("event 10")
        server.start()
        assert running.end()[0] == 0
        assert server.ids() == expected_ids[:30]
    finally:
        server.stop()


def test_a_plain_server_is_no_tls_server(tmp_path):
    if not has_tls():
        pytest.skip("this build has no TLS")
    with servers(tmp_path, 1) as (one,):
        status, said = drive(["event 1"], "--redis", f"rediss://127.0.0.1:{one.port}", "--drain", "0.5", "--timeout", "1")
        assert status == 1 and "1 event was not delivered" in said
        assert one.ask("DBSIZE") == 0


def test_a_password_taken_away_and_given_back_loses_nothing(server, expected_ids):
    server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "&*", "+@all")
    running = Drive("--redis", server.url, "--user", "sensor", "--password", "secret", "--live",
                    "--heartbeat", "0.2").do("event 10")
    assert until(lambda: len(server.ids()) == 10)
    server.ask("ACL", "SETUSER", "sensor", "<secret", ">other")
    server.ask("CLIENT", "KILL", "USER", "sensor")
    running.do("event 10")
    time.sleep(1)
    assert len(server.ids()) == 10
    server.ask("ACL", "SETUSER", "sensor", "<other", ">secret")
    assert until(lambda: len(server.ids()) == 20)
    assert until(lambda: '"wrongpass":' in (server.ask("GET", KEY + "heartbeat") or "").replace(" ", ""))
    status, said = running.end()
    assert status == 0
    assert said.count("WRONGPASS") == 1 and said.count("is back") == 1 and "secret" not in said
    assert server.ids() == expected_ids[:20]


def test_rights_taken_away_and_given_back_lose_nothing(server, expected_ids):
    server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "&*", "+@all")
    running = Drive("--redis", server.url, "--user", "sensor", "--password", "secret", "--live").do("event 10")
    assert until(lambda: len(server.ids()) == 10)
    server.ask("ACL", "SETUSER", "sensor", "-eval", "-hset")
    running.do("event 10", "bin 5")
    time.sleep(1)
    server.ask("ACL", "SETUSER", "sensor", "+eval", "+hset")
    assert until(lambda: len(server.ids()) == 20)
    status, said = running.end()
    assert status == 0 and said.count("is back") == 1 and 1 <= said.count("NOPERM") <= 2
    assert server.ids() == expected_ids[:20]


def test_the_end_of_a_refusal_is_said_too(server):
    server.ask("SET", KEY + "bins", "mine")
    running = Drive("--redis", server.url, "--live").do("bin 10")
    time.sleep(0.6)
    server.ask("DEL", KEY + "bins")
    running.do("bin 10")
    assert until(lambda: server.ask("XLEN", KEY + "bins"))
    status, said = running.end()
    assert status == 0
    lines = said.splitlines()
    assert len(lines) == 2
    assert "WRONGTYPE" in lines[0] and lines[1] == f"lightsout: Redis at {server.url} takes {KEY}bins again"


def test_a_stream_trimmed_by_somebody_else_is_noticed_and_repeats_nothing(server, expected_ids):
    def delivery(key):
        return json.loads(server.ask("GET", KEY + "heartbeat") or '{"delivery": {}}')["delivery"].get(key)

    running = Drive("--redis", server.url, "--live", "--heartbeat", "0.2").do("event 50")
    assert until(lambda: delivery("sent") == 50)
    server.ask("XTRIM", KEY + "events", "MAXLEN", 0)
    assert until(lambda: delivery("errors") == {"trimmed": 1})
    running.do("event 20")
    assert until(lambda: delivery("sent") == 70)
    assert delivery("errors") == {"trimmed": 1}
    status, said = running.end()
    assert status == 0
    assert said.count("50 entries of lightsout:{ix-1}:events") == 1
    assert server.ids() == expected_ids[50:70]


def test_our_own_trimming_is_not_somebody_else_s(server):
    running = Drive("--redis", server.url, "--live", "--heartbeat", "0.1", "--maxlen", "50")
    for _ in range(10):
        running.do("event 100")
        time.sleep(0.05)
    assert running.end() == (0, "")


def test_a_replica_is_named_as_one(tmp_path):
    with servers(tmp_path, 2) as (master, replica):
        replica.ask("REPLICAOF", "127.0.0.1", master.port)
        status, said = drive(["event 1"], "--redis", replica.url, "--drain", "0.5")
        assert status == 1
        assert f"READONLY, it is a replica of 127.0.0.1 port {master.port}" in said


def test_a_sentinel_s_master_that_is_none_is_not_believed(tmp_path):
    with servers(tmp_path, 2) as (master, replica):
        replica.ask("REPLICAOF", "127.0.0.1", master.port)
        assert until(lambda: replicates(replica))
        # What it is like before the Sentinels have agreed: their master says that it is a replica.
        port = free_port()
        path = tmp_path / "sentinel.conf"
        path.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {master.port} 2\n")
        sentinel = subprocess.Popen(["redis-server", path, "--sentinel"], stdout=subprocess.DEVNULL)
        try:
            url = f"redis+sentinel://127.0.0.1:{port}/main"
            assert until(lambda: drive(["event 1"], "--redis", url, "--drain", "0.5")[0] == 0)
            master.ask("REPLICAOF", "127.0.0.1", replica.port)
            status, said = drive(["event 2"], "--redis", url, "--drain", "0.5")
            assert status == 1 and "is no master, though a Sentinel says so" in said
            status, said = drive(["event 1"], "--redis", url.replace("/main", "/none"), "--drain", "0.2")
            assert status == 1 and "knows no master 'none'" in said
            status, said = drive(["event 1"], "--redis", f"redis://127.0.0.1:{port}", "--drain", "0.2")
            assert status == 1 and "is a Sentinel; write redis+sentinel://" in said
        finally:
            sentinel.kill()
            sentinel.wait()


def test_a_sentinel_with_a_password_gets_the_server_s(tmp_path, expected_ids):
    with servers(tmp_path, 1, "--requirepass", "secret") as (master,):
        port = free_port()
        path = tmp_path / "sentinel.conf"
        path.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nrequirepass secret\n"
                        f"sentinel monitor main 127.0.0.1 {master.port} 1\nsentinel auth-pass main secret\n")
        sentinel = subprocess.Popen(["redis-server", path, "--sentinel"], stdout=subprocess.DEVNULL)
        try:
            url = f"redis+sentinel://:secret@127.0.0.1:{port}/main"
            assert until(lambda: drive(["event 3"], "--redis", url, "--drain", "0.5") == (0, ""))
            with contextlib.closing(Client(master.path)) as client:
                client("AUTH", "secret")
                assert client("XLEN", KEY + "events") == 3
            status, said = drive(["event 3"], "--redis", url.replace(":secret@", ""), "--drain", "0.2")
            assert status == 1 and "NOAUTH" in said
        finally:
            sentinel.kill()
            sentinel.wait()


def test_in_a_cluster_every_key_finds_its_node(tmp_path, expected_ids):
    with cluster(tmp_path) as nodes:
        for count, node in enumerate(nodes, 1):  # whichever is asked first
            assert drive([f"event {10 * count}", "bin 200"], "--redis", f"redis://127.0.0.1:{node.port}") == (0, "")
            home = keeper(nodes, KEY + "events")
            assert home.ids() == expected_ids[:10 * count]
            assert home.ask("XLEN", KEY + "bins") == 200 * count
            assert keeper(nodes, "lightsout:sensors").ask("SMEMBERS", "lightsout:sensors") == ["ix-1"]


def test_in_a_cluster_the_channel_is_heard_at_every_node(tmp_path):
    with cluster(tmp_path) as nodes, contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(contextlib.closing(Client(node.path))) for node in nodes]
        for listener in listeners:
            listener("SUBSCRIBE", "lightsout:events")
        assert drive(["event 5"], "--redis", f"redis://127.0.0.1:{nodes[0].port}") == (0, "")
        for listener in listeners:
            assert [listener.reply()[0] for _ in range(5)] == ["message"] * 5


def test_in_a_cluster_whose_clocks_differ_a_fused_view_misses_no_bin(tmp_path, set_clock):
    with cluster(tmp_path) as nodes:
        late = keeper(nodes, KEY + "bins")
        rows, lease = ("lightsout:{fused}:" + name for name in ("rows", "lease"))
        assert late is not keeper(nodes, rows)
        late.kill()
        set_clock.set(-3)
        with set_clock.inherited():
            late.start()
        assert until(lambda: agree(nodes))
        assert 2 <= int(nodes[0].ask("TIME")[0]) - int(late.ask("TIME")[0]) <= 4
        url = f"redis://127.0.0.1:{nodes[0].port}"
        with (tmp_path / "said").open("w") as said:
            fuser = subprocess.Popen([BUILD / "lightsout", "--fuse", "--redis", url, "-v"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=said)
        try:
            assert until(lambda: keeper(nodes, lease).ask("GET", lease))
            running = Drive("--redis", url, "--live")
            for _ in range(10):
                running.do("bin 5")
                time.sleep(0.3)
            assert running.end() == (0, "")
            assert until(lambda: late.ask("XLEN", KEY + "bins") == 50)
            time.sleep(3.5)  # by then what the node has is judged
        finally:
            fuser.terminate()
            assert fuser.wait(20) == 0
        assert "50 bins of sensors judged, 0 too late" in (tmp_path / "said").read_text()


def test_a_slot_on_its_way_to_another_node_loses_and_repeats_nothing(tmp_path, expected_ids):
    with cluster(tmp_path) as nodes:
        source = keeper(nodes, KEY + "events")
        target = next(node for node in nodes if node is not source)
        slot = source.ask("CLUSTER", "KEYSLOT", KEY + "events")
        running = Drive("--redis", f"redis://127.0.0.1:{source.port}", "--live", "--heartbeat", "0.3")
        running.do("event 20", "bin 20")
        assert until(lambda: len(source.ids()) == 20 and source.ask("XLEN", KEY + "bins") == 20)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))
        running.do("event 10", "bin 10")
        assert until(lambda: len(source.ids()) == 30)
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
        assert len(keys) >= 4
        for key in keys:  # one after the other: in between there is TRYAGAIN
            source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
            running.do("event 5", "bin 5")
            time.sleep(0.1)
        for node in nodes:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.ask("CLUSTER", "MYID"))
        count = 30 + 5 * len(keys)
        assert until(lambda: len(target.ids()) == count)
        running.do("event 20")
        assert running.end()[0] == 0
        assert target.ids() == expected_ids[:count + 20]


def test_a_server_behind_a_slow_link_that_sends_byte_by_byte_is_no_trouble(server, tmp_path, expected_ids):
    with Proxy(tmp_path / "proxy.sock", server.path) as proxy:
        proxy.mode = "trickle"
        assert drive(["event 50", "bin 20"], "--redis", f"unix://{tmp_path}/proxy.sock", "--drain", "20") == (0, "")
    assert server.ids() == expected_ids[:50]
