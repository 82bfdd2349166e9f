# SPDX-License-Identifier: BSD-3-Clause
"""What a real Redis receives, and what happens when it is away, stuck, full, locked or unwilling."""

import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import threading
import time

import jsonschema
import pytest

from redis_server import DRIVE, KEY, SCHEMA, TOP, Client, Drive, Server, drive, needs_redis, until

pytestmark = needs_redis

README = TOP / "README.md"


@pytest.fixture
def server(tmp_path):
    one = Server(tmp_path).start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def expected_ids(tmp_path_factory):
    """The ids of the first events of the canned sequence."""
    path = tmp_path_factory.mktemp("expected") / "events.ndjson"
    assert drive(["event 3000"], "--events", path) == (0, "")
    return [json.loads(line)["event"]["id"] for line in path.read_text().splitlines()]


def test_events_enter_the_stream_once_in_order_with_their_fields(server, expected_ids):
    assert drive(["bin 25", "event 200"], "--redis", server.url) == (0, "")
    assert server.ids() == expected_ids[:200]
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for entry in server.entries():
        assert list(entry) == ["id", "action", "scope", "severity", "event"]
        event = json.loads(entry["event"])
        validator.validate(event)
        assert entry["id"] == event["event"]["id"]
        assert entry["action"] == event["event"]["action"]
        assert int(entry["severity"]) == event["event"]["severity"]
        assert entry["scope"] == event.get("outage", event.get("sensor"))["scope"]


def test_the_channel_tells_the_same_json(server):
    with contextlib.closing(Client(server.path)) as client:
        client("SUBSCRIBE", "lightsout:events")
        assert drive(["event 20"], "--redis", server.url)[0] == 0
        told = [client.reply() for _ in range(20)]
    assert [message[1] for message in told] == ["lightsout:events"] * 20
    assert [message[2] for message in told] == [entry["event"] for entry in server.entries()]


def test_bins_states_and_the_sensor_s_name_are_there(server):
    assert drive(["bin 23"], "--redis", server.url) == (0, "")
    bins = server.entries(KEY + "bins")
    assert len(bins) == 23
    assert list(bins[1]) == ["time", "scope", "bin"]
    assert bins[1]["time"] == "2025-06-06T12:00:00Z" and bins[1]["scope"] == "prefix:175.45.176.0/24"
    assert json.loads(bins[1]["bin"])["answered_flows"] == 21
    fields = server.ask("HGETALL", KEY + "state")
    states = {scope: json.loads(state) for scope, state in zip(fields[::2], fields[1::2])}
    assert set(states) == {"all", "prefix:175.45.176.0/24", "path:china-unicom", "service:kcna.kp", "tap"}
    assert states["all"]["time"] == "2025-06-06T12:04:00Z"  # the last one, whatever was passed over before
    assert states["tap"]["time"] == "2025-06-06T12:03:00Z"
    assert states["all"]["state"] == "up" and states["all"]["expected_rate"] == 7.125
    assert server.ask("SMEMBERS", "lightsout:sensors") == ["ix-1"]


def test_the_state_shows_the_open_episode(server):
    def shown():
        state = server.ask("HGET", KEY + "state", "all")
        return state and json.loads(state).get("outage")

    running = Drive("--redis", server.url, "--live").do("bin 5", "event 4")
    assert until(shown) == json.loads(server.entries()[3]["event"])["outage"]["id"]
    running.do("event 4")
    assert until(lambda: shown() is None)
    assert running.end() == (0, "")


def test_a_scope_that_is_no_more_leaves_the_state(server):
    server.ask("HSET", KEY + "state", "prefix:192.0.2.0/24", "{}")
    assert drive(["bin 5"], "--redis", server.url)[0] == 0
    assert server.ask("HEXISTS", KEY + "state", "prefix:192.0.2.0/24") == 0


def test_the_heartbeat_expires_after_three_and_goes_with_the_sensor(server):
    running = Drive("--redis", server.url, "--live", "--heartbeat", "0.5")
    assert until(lambda: server.ask("EXISTS", KEY + "heartbeat"))
    assert 0 < server.ask("PTTL", KEY + "heartbeat") <= 1500
    time.sleep(2)
    assert json.loads(server.ask("GET", KEY + "heartbeat"))["mode"] == "live"  # it is renewed
    running.do("bin 1")
    assert until(lambda: "data_time" in json.loads(server.ask("GET", KEY + "heartbeat")))
    assert running.end() == (0, "")
    assert server.ask("EXISTS", KEY + "heartbeat") == 0
    running = Drive("--redis", server.url, "--live", "--heartbeat", "0.5")
    assert until(lambda: server.ask("EXISTS", KEY + "heartbeat"))
    running.kill()
    assert until(lambda: not server.ask("EXISTS", KEY + "heartbeat"), 5)


def test_the_same_input_again_adds_nothing_unless_the_stream_was_deleted(server, expected_ids):
    for _ in range(2):
        assert drive(["event 50"], "--redis", server.url) == (0, "")
        assert server.ids() == expected_ids[:50]
    server.ask("DEL", KEY + "events")
    assert drive(["event 60"], "--redis", server.url) == (0, "")
    assert server.ids() == expected_ids[:60]


def test_the_stream_is_trimmed_and_so_is_what_guards_it(server, expected_ids):
    assert drive(["event 3000"], "--redis", server.url, "--maxlen", "100") == (0, "")
    ids = server.ids()
    assert 100 <= len(ids) < 300
    assert ids == expected_ids[3000 - len(ids):]
    assert len(ids) <= server.ask("ZCARD", KEY + "seen") <= 1200


def test_prefix_sensor_and_database_are_those_asked_for(server):
    assert drive(["event 1"], "--redis", server.url + "?db=3", "--prefix", "soc/", "--sensor", "a b")[0] == 0
    with contextlib.closing(Client(server.path)) as client:
        client("SELECT", 3)
        assert client("XLEN", "soc/{a b}:events") == 1
        assert client("SMEMBERS", "soc/sensors") == ["a b"]
    assert server.ask("DBSIZE") == 0


def test_a_server_that_comes_later_gets_everything(tmp_path, expected_ids):
    server = Server(tmp_path)
    running = Drive("--redis", server.url, "--live").do("event 100")
    time.sleep(1)
    server.start()
    try:
        assert until(lambda: len(server.ids()) == 100)
        status, said = running.do("event 5").end()
        assert status == 0
        assert server.ids() == expected_ids[:105]
    finally:
        server.stop()
    lines = said.splitlines()
    assert re.fullmatch(rf"lightsout: cannot reach Redis at {server.url}: No such file or directory; "
                        r"events wait \(\d+\); check --redis", lines[0])
    assert lines[-1] == f"lightsout: Redis at {server.url} is back"
    assert sum("cannot reach" in line and "No such file" in line for line in lines) == 1  # and no oftener


def test_a_killed_server_loses_and_repeats_nothing(server, expected_ids):
    running = Drive("--redis", server.url, "--live")
    for _ in range(4):
        running.do("event 100", "bin 50")
        until(lambda: len(server.ids()) % 100 > 20, 0.05)
        server.kill()
        running.do("event 50")
        time.sleep(0.3)
        server.start()
    status, said = running.end()
    assert status == 0
    assert server.ids() == expected_ids[:600]
    assert said.count("is back") >= 1


@pytest.mark.parametrize("torn", [1, 20, 300, 3000, 30000])
def test_a_server_that_died_while_it_wrote_and_starts_twice_has_each_event_once(server, expected_ids, torn):
    """What the events are put in with is no transaction: of one that is torn, Redis obeys a part at the second start."""
    assert drive(["event 40"], "--redis", server.url) == (0, "")
    server.kill()
    (written,) = (server.folder / "appendonlydir").glob("*.incr.aof")
    whole = written.read_bytes()
    assert b"\nMULTI\r" not in whole
    written.write_bytes(whole[:whole.rindex(b"heartbeat") - torn] if torn > 3000 else whole[:whole.rindex(b"XADD") - torn])
    server.start()
    ids = server.ids()
    assert ids == expected_ids[:len(ids)] and (len(ids) < 40 or torn <= 3000)
    for _ in range(2):
        assert drive(["event 50"], "--redis", server.url) == (0, "")
        assert server.ids() == expected_ids[:50]
        server.kill()
        server.start()
        assert server.ids() == expected_ids[:50]


class CuttingProxy(threading.Thread):
    """Passes on what the program says, and hangs up instead of passing on the answer to every other script."""

    def __init__(self, path, target):
        super().__init__(daemon=True)
        self.target, self.cuts, self.calls = target, 0, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(str(self.target))
                self.serve(client, server)

    def serve(self, client, server):
        cutting = False
        while True:
            for side in select.select([client, server], [], [])[0]:
                said = side.recv(1 << 20)
                if not said:
                    return
                if side is server and cutting:
                    self.cuts += 1
                    return
                if side is client and b"\r\nEVAL\r\n" in said:
                    self.calls += 1
                    cutting = self.calls % 2 == 1
                (server if side is client else client).sendall(said)


def test_a_lost_answer_repeats_nothing(server, tmp_path, expected_ids):
    proxy = CuttingProxy(tmp_path / "proxy.sock", server.path)
    proxy.start()
    running = Drive("--redis", f"unix://{tmp_path}/proxy.sock", "--live")
    for count in range(10, 60, 10):
        running.do("event 10")
        assert until(lambda: len(server.ids()) >= count)
    assert running.end()[0] == 0
    assert proxy.cuts >= 2
    assert server.ids() == expected_ids[:50]


def test_a_killed_program_that_starts_again_repeats_nothing(server, expected_ids):
    for count in (30, 60, 90):
        running = Drive("--redis", server.url).do(f"event {count}")
        until(lambda: len(server.ids()) > count - 20, 2)
        running.kill()
    assert drive(["event 100"], "--redis", server.url) == (0, "")
    assert server.ids() == expected_ids[:100]


def test_a_wrong_password_is_said_and_not_shown(tmp_path):
    server = Server(tmp_path, "--requirepass", "hunter2").start()
    url = server.url
    try:
        status, said = drive(["event 3"], "--redis", url, "--password", "hunter3", "--drain", "0.5")
        assert status == 1
        assert f"Redis at {url} refuses the password: WRONGPASS" in said
        assert f"fault: 3 events were not delivered to Redis at {url}" in said
        assert said.count("WRONGPASS") == 1
        assert "hunter" not in said
        status, said = drive(["event 3"], "--redis", url, "--drain", "0.5")
        assert status == 1 and "NOAUTH" in said
        assert drive(["event 3"], "--redis", url, "--password", "hunter2") == (0, "")
        assert drive(["event 3"], "--redis", url, "--password", "hunter2", "--user", "default") == (0, "")
        with contextlib.closing(Client(server.path)) as client:
            client("AUTH", "hunter2")
            assert client("XLEN", KEY + "events") == 3
    finally:
        server.stop()


def least_rights():
    """The ACL line of the README, as arguments of ACL SETUSER."""
    line = re.search(r"ACL SETUSER lightsout(.*?)\n\n", README.read_text(), re.DOTALL)[1]
    return line.replace("\\\n", " ").split()


def test_the_least_rights_of_the_readme_suffice_and_no_word_of_them_can_go(server):
    rights = least_rights()
    command = ["bin 10", "event 10"], "--redis", server.url, "--user", "sensor", "--password", "secret"
    server.ask("ACL", "SETUSER", "sensor", *rights)
    assert drive(*command) == (0, "")
    assert len(server.ids()) == 10
    for word in (word for word in rights if word.startswith("+")):
        server.ask("FLUSHALL")
        server.ask("ACL", "DELUSER", "sensor")
        server.ask("ACL", "SETUSER", "sensor", *rights, "-" + word[1:])
        said = "".join(drive(*command, "--drain", "0.3")[1] for _ in range(2))  # the second time all is there
        # Asked before there is a user, for people, to see more, for a database or by Sentinels only.
        spare = {"+auth", "+client|setname", "+role", "+xlen", "+select", "+wait"}
        assert (said == "") == (word in spare), word


def test_a_user_who_may_not_publish_still_stores(server, expected_ids):
    server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "resetchannels", "+@all")
    status, said = drive(["event 10"], "--redis", server.url, "--user", "sensor", "--password", "secret")
    assert status == 0
    assert said.count("NOPERM") == 1 and "lightsout:events" in said
    assert server.ids() == expected_ids[:10]


def test_a_key_of_another_type_is_said_and_events_wait_for_it(server, expected_ids):
    server.ask("SET", KEY + "events", "mine")
    running = Drive("--redis", server.url, "--live").do("event 10")
    time.sleep(1.5)
    assert server.ask("GET", KEY + "events") == "mine"
    server.ask("DEL", KEY + "events")
    assert until(lambda: server.ask("XLEN", KEY + "events") == 10)
    status, said = running.end()
    assert status == 0
    assert said.count("WRONGTYPE") == 1 and KEY + "events" in said
    assert server.ids() == expected_ids[:10]


def test_bins_that_are_refused_do_not_stand_before_events(server, expected_ids):
    server.ask("SET", KEY + "bins", "mine")
    server.ask("SET", KEY + "heartbeat", "mine")
    status, said = drive(["bin 1000", "event 10", "bin 1000", "event 10"], "--redis", server.url)
    assert status == 0
    assert said.count("WRONGTYPE") == 1 and KEY + "bins" in said
    assert server.ids() == expected_ids[:20]


def test_a_full_server_is_said_once_and_gets_everything_later(server, expected_ids):
    server.ask("CONFIG", "SET", "maxmemory", "1")
    running = Drive("--redis", server.url, "--live", "--heartbeat", "60").do("event 10", "bin 10")
    time.sleep(1.5)
    assert server.ask("EXISTS", KEY + "events") == 0
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert until(lambda: server.ask("XLEN", KEY + "events") == 10)
    status, said = running.end()
    assert status == 0
    assert said.count("OOM") == 1 and "is back" in said
    assert server.ids() == expected_ids[:10]


def test_a_server_that_has_become_a_replica_gets_everything_once_it_is_none(server, expected_ids):
    running = Drive("--redis", server.url, "--live").do("event 5")
    assert until(lambda: len(server.ids()) == 5)
    server.ask("REPLICAOF", "127.0.0.1", "1")
    running.do("event 5")
    time.sleep(1)
    assert len(server.ids()) == 5
    server.ask("REPLICAOF", "NO", "ONE")
    assert until(lambda: len(server.ids()) == 10)
    status, said = running.end()
    assert status == 0
    assert said.count("READONLY") == 1 and "is back" in said
    assert server.ids() == expected_ids[:10]


def test_nobody_waits_for_a_stuck_server(server, expected_ids):
    running = Drive("--redis", server.url, "--live", "--timeout", "0.5").do("event 1")
    assert until(lambda: len(server.ids()) == 1)
    server.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    running.do("event 200", "bin 10000", "flow 1000")  # all of which the queue takes, however slow the writer is
    assert time.monotonic() - began < 1
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    assert until(lambda: len(server.ids()) == 201)
    status, said = running.end()
    assert status == 0 and "no answer in time" in said
    assert server.ids() == expected_ids[:201]


def test_a_replay_passes_a_stuck_server_and_says_what_was_not_delivered(server):
    server.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    status, said = drive(["bin 50000", "event 30"], "--redis", server.url, "--timeout", "0.5", "--drain", "1")
    assert time.monotonic() - began < 10
    assert status == 1
    assert f"fault: 30 events were not delivered to Redis at {server.url}" in said


def test_the_end_waits_as_long_as_it_was_told_and_no_longer(tmp_path):
    url = f"unix://{tmp_path}/nobody.sock"
    for drain in (0, 1):
        began = time.monotonic()
        status, said = drive(["event 1"], "--redis", url, "--drain", drain)
        took = time.monotonic() - began
        assert status == 1 and "fault: 1 event was not delivered" in said
        assert drain <= took < drain + 3


def test_a_server_that_comes_while_the_end_waits_is_in_time(tmp_path, expected_ids):
    server = Server(tmp_path)
    running = Drive("--redis", server.url, "--drain", "20").do("event 10")
    time.sleep(3)  # it has begun to back off by now
    running.process.stdin.close()
    time.sleep(0.3)
    server.start()
    try:
        assert running.process.wait(timeout=20) == 0
        assert server.ids() == expected_ids[:10]
    finally:
        server.stop()
        running.process.stdout.close()
        running.process.stderr.close()


def test_a_full_memory_gives_up_the_newest_and_says_how_many(tmp_path, expected_ids):
    server = Server(tmp_path)
    running = Drive("--redis", server.url, "--queue", "10").do("event 25")
    time.sleep(0.5)
    server.start()
    try:
        status, said = running.end()
        assert status == 1
        assert "is full (10): further events are given up until Redis takes some" in said
        assert "15 events were not delivered" in said
        assert server.ids() == expected_ids[:10]
    finally:
        server.stop()


def test_a_replay_with_bins_in_plenty_delivers_them_all(server):
    assert drive(["bin 60000", "event 8"], "--redis", server.url) == (0, "")
    assert server.ask("XLEN", KEY + "bins") == 60000
    assert len(server.ids()) == 8


def test_over_tcp_it_is_the_same(tmp_path, expected_ids):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(tmp_path, "--port", str(port), "--bind", "127.0.0.1").start()
    try:
        assert drive(["event 10"], "--redis", f"redis://127.0.0.1:{port}/0") == (0, "")
        assert server.ids() == expected_ids[:10]
    finally:
        server.stop()
    status, said = drive(["event 1"], "--redis", f"redis://:hunter2@127.0.0.1:{port}", "--drain", "0.2")
    assert status == 1 and f"redis://127.0.0.1:{port}: Connection refused" in said and "hunter2" not in said


def test_something_that_is_no_redis_is_no_crash(tmp_path):
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(4096)
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        status, said = drive(["event 1"], "--redis", f"unix://{path}", "--drain", "0.5")
        listener.shutdown(socket.SHUT_RDWR)
    assert status == 1
    assert "1 event was not delivered" in said and said.count("lost Redis") <= 2


@pytest.mark.parametrize("url, word", [("redis://", "no host"), ("unix://x", "absolute")])
def test_a_url_that_cannot_be_served_is_refused_before_anything_else(url, word):
    done = subprocess.run([DRIVE, "--check", url], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and word in done.stdout
    status, said = drive([], "--redis", url)
    assert status == 2 and word in said
