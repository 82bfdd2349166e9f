# SPDX-License-Identifier: BSD-3-Clause
"""List mode: each event's JSON on a list too, for consumers that cannot read streams."""

import contextlib
import json
import random
import time

import pytest

from redis_server import KEY, Client, Drive, Server, drive, needs_redis, until

pytestmark = needs_redis

LIST = KEY + "list"


@pytest.fixture
def server(tmp_path):
    one = Server(tmp_path).start()
    yield one
    one.stop()


def on_list(server):
    return server.ask("LRANGE", LIST, 0, -1)


def ids(texts):
    return [json.loads(text)["event"]["id"] for text in texts]


def test_without_list_mode_there_is_no_list(server):
    assert drive(["event 5"], "--redis", server.url) == (0, "")
    assert server.ask("EXISTS", LIST) == 0


def test_the_list_holds_the_stream_s_json_in_order_and_a_blocking_pop_takes_it(server):
    assert drive(["event 200"], "--redis", server.url, "--list") == (0, "")
    told = [entry["event"] for entry in server.entries()]
    assert on_list(server) == told
    with contextlib.closing(Client(server.path)) as client:
        popped = [client("BLPOP", LIST, 5)[1] for _ in told]
    assert popped == told


def test_the_same_input_again_adds_nothing_to_the_list(server):
    for _ in range(2):
        assert drive(["event 50"], "--redis", server.url, "--list") == (0, "")
    assert len(on_list(server)) == 50


def test_a_list_that_nobody_reads_keeps_the_newest_and_says_so_once(server):
    status, said = drive(["event 300"], "--redis", server.url, "--list", "--maxlen", "100")
    assert status == 0 and said.count("nobody reads " + LIST) == 1
    assert on_list(server) == [entry["event"] for entry in server.entries()][-100:]


def test_events_wait_for_a_list_that_is_refused_and_are_on_it_once(server):
    server.ask("SET", LIST, "mine")
    running = Drive("--redis", server.url, "--list", "--live").do("event 10")
    time.sleep(1.5)
    server.ask("DEL", LIST)
    assert until(lambda: server.ask("LLEN", LIST) == 10)
    status, said = running.end()
    assert status == 0 and said.count("WRONGTYPE") == 1 and LIST in said
    assert ids(on_list(server)) == server.ids() and len(server.ids()) == 10


def test_who_may_not_trim_the_list_still_fills_it(server):
    server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "&*", "+@all", "-ltrim")
    status, said = drive(["event 100"], "--redis", server.url, "--list", "--user", "sensor", "--password", "secret")
    assert status == 0 and said.count("NOPERM") == 1 and LIST in said
    assert len(on_list(server)) == 100


def test_no_event_misses_on_the_list_when_the_server_is_killed(server):
    dice = random.Random(1)
    running = Drive("--redis", server.url, "--list", "--live", "--drain", "20")
    for _ in range(6):
        running.do("event 60")
        time.sleep(dice.uniform(0, 0.02))
        server.kill()
        server.start()
    assert running.end()[0] == 0
    listed = ids(on_list(server))
    assert len(server.ids()) == 360
    assert list(dict.fromkeys(listed)) == server.ids()


def test_no_event_misses_on_the_list_when_the_program_died_between_stream_and_list(server, tmp_path):
    """The user may fill the stream and not the list: what is then killed has left events in the one only."""
    server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "&*", "+@all", "-rpush")
    spool = tmp_path / "spool"
    command = "--redis", server.url, "--list", "--spool", spool
    running = Drive(*command, "--live", "--user", "sensor", "--password", "secret").do("event 100")
    # Two marks stand before them.
    assert until(lambda: server.ask("XLEN", KEY + "events") > 0 and spool.read_bytes().count(b"LSp1") == 102)
    running.kill()
    assert server.ask("EXISTS", LIST) == 0
    assert drive([], *command) == (0, "")
    assert len(server.ids()) == 100
    assert ids(on_list(server)) == server.ids()
