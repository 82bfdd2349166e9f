# SPDX-License-Identifier: BSD-3-Clause
"""The link to Redis is cut, stalled, reset or slow; the server is full, a replica, replaced, locked or trimmed."""

import json
import random
import signal
import subprocess
import sys
import time

from server import LIGHTSOUT, NOTHING, TOP, Figure, Server, compare, fault, until

sys.path.insert(0, str(TOP / "tests"))
from namespace import Namespace  # noqa: E402
from proxy import Proxy  # noqa: E402
from redis_many import Sentinels, replicates, servers  # noqa: E402
from redis_server import KEY, Drive, drive  # noqa: E402

EVENTS_A_STRIKE = 10


def decided(folder, count):
    """The ids of the first events of the driver."""
    path = folder / "decided.ndjson"
    assert drive([f"event {count}"], "--events", path) == (0, "")
    return [json.loads(line)["event"]["id"] for line in path.read_text().splitlines()]


def errors(server):
    """What the heartbeat says went wrong so far."""
    beat = until(lambda: server.ask("GET", KEY + "heartbeat"))
    return json.loads(beat)["delivery"]["errors"]


def strike_link(folder, times, mode, counter):
    """A live run over a link that fails again and again, with events before, meanwhile and after."""
    dice = random.Random(mode)
    server = Server(folder).start()
    try:
        with Proxy(folder / "proxy.sock", server.path) as proxy:
            running = Drive("--redis", f"unix://{folder}/proxy.sock", "--live", "--timeout", "0.3", "--heartbeat", "0.2",
                            "--drain", "30")
            for count in range(times):
                running.do("event 5")
                time.sleep(dice.uniform(0, 0.02))
                struck = proxy.struck
                proxy.mode = mode
                if mode == "cut":
                    proxy.hang_up()
                running.do("event 5", "bin 5")
                assert until(lambda: proxy.struck > struck), "the fault does not happen"
                proxy.mode = "pass"
                assert until(lambda: server.ask("XLEN", KEY + "events") == (count + 1) * EVENTS_A_STRIKE), count
            time.sleep(0.5)
            found = errors(server).get(counter, 0) if counter else 0
            status, said = running.end()
        delivery = compare(decided(folder, times * EVENTS_A_STRIKE), server.ids())
    finally:
        server.stop()
    # Two faults may be one episode, when the second comes before all that waits has been sent.
    told = said.count("is back")
    well = status == 0 and (found >= times and 0 < told <= said.count("lost Redis") <= times if counter else said == "")
    counted = f"; its end said {told} times, counted {counter}: {found}" if counter else "; nothing said"
    return Figure(f"{delivery}{counted}", delivery.whole() and well)


@fault("link cut, {times} times", "0 / 0 / 0", 4, 100)
def link_cut(folder, times):
    return strike_link(folder, times, "cut", "broken")


@fault("link stalled (accepts, never answers), {times} times", "0 / 0 / 0", 4, 100)
def link_stalled(folder, times):
    return strike_link(folder, times, "stall", "timeout")


@fault("link reset in the middle of a reply, {times} times", "0 / 0 / 0", 4, 100)
def link_reset(folder, times):
    return strike_link(folder, times, "reset", "broken")


@fault("link of 1 byte at a time, {times} times", "0 / 0 / 0", 4, 100)
def link_slow(folder, times):
    return strike_link(folder, times, "trickle", None)


# Sends so many UDP packets to a watched address, at a pace: send.py IFACE COUNT PER_S.
SEND = """
import socket, struct, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
begin = time.monotonic()
for number in range(int(sys.argv[2])):
    time.sleep(max(0, begin + number / float(sys.argv[3]) - time.monotonic()))
    out.send(bytes(12) + b"\\x08\\0" + struct.pack("!BBHHHBBH4B4BHHHH", 69, 0, 36, 0, 0, 64, 17, 0, 192, 0, 2, 1,
             175, 45, 176, 9, 1024 + number % 60000, 53, 16, 0) + bytes(8))
"""
PER_S = 2000


@fault("packets lost by capture while the link is cut, stalled, reset and slow, {times} times each", "0", 1, 25)
def capture_meanwhile(folder, times):
    """A live run on a veth pair that closes bins every second, over a link that fails all the time."""
    (folder / "conf").write_text("[lightsout]\nsensor = ix-1\nbin = 1\nstep = 1\n[redis]\ncommand_timeout = 0.3\n"
                                 "connect_timeout = 0.3\nheartbeat = 1\n")
    modes = [mode for _ in range(times) for mode in ("cut", "stall", "reset", "trickle")]
    seconds = 0.5 * len(modes) + 1
    server = Server(folder).start()
    space = Namespace("a")
    try:
        with Proxy(folder / "proxy.sock", server.path) as proxy:
            watch = subprocess.Popen(space.command(LIGHTSOUT, "-i", "a0", "-c", folder / "conf", "-v", "--redis",
                                                   f"unix://{folder}/proxy.sock"), stderr=subprocess.PIPE, text=True)
            assert until(lambda: server.ask("EXISTS", KEY + "heartbeat"))
            count = round(seconds * PER_S)
            sender = subprocess.Popen(space.command(sys.executable, "-c", SEND, "a1", count, PER_S))
            for proxy.mode in modes:
                if proxy.mode == "cut":
                    proxy.hang_up()
                time.sleep(0.5)
            proxy.mode = "pass"
            sender.wait()
            time.sleep(1.5)
            watch.send_signal(signal.SIGTERM)
            _, said = watch.communicate(timeout=60)
    finally:
        space.close()
        server.stop()
    read = next((int(line.split()[1]) for line in said.splitlines() if "delivered by the sources" in line), 0)
    return Figure(f"{count - read} of {count} at {PER_S} a second; Redis was lost {proxy.struck} times",
                  read == count and proxy.struck >= len(modes) // 4)


def strike_server(folder, times, strike, undo, word, counter, options=()):
    """A live run against a server that refuses events again and again. `strike` gives the ids that it took out."""
    server = Server(folder).start()
    taken, delivered = [], []
    try:
        if options:
            server.ask("ACL", "SETUSER", "sensor", "on", ">secret", "~*", "&*", "+@all")
        running = Drive("--redis", server.url, "--live", "--heartbeat", "0.1", "--drain", "30", *options)

        def is_delivered(count):
            return until(lambda: len(taken) + server.ask("XLEN", KEY + "events") == count)

        for count in range(times):
            assert is_delivered(count * EVENTS_A_STRIKE)
            running.do("event 5")
            assert is_delivered(count * EVENTS_A_STRIKE + 5), count
            before = errors(server).get(counter, 0)
            taken += strike(server) or []
            if undo is not None:
                running.do("event 5")
                time.sleep(0.4)
                undo(server)
                assert is_delivered((count + 1) * EVENTS_A_STRIKE), count
            assert until(lambda: errors(server).get(counter, 0) > before), counter
            if undo is None:
                running.do("event 5")
        assert is_delivered(times * EVENTS_A_STRIKE)
        time.sleep(0.3)
        found = errors(server).get(counter, 0)
        status, said = running.end()
        delivered = taken + server.ids()
    finally:
        server.stop()
    delivery = compare(decided(folder, times * EVENTS_A_STRIKE), delivered)
    told, ended = sum(word in line for line in said.splitlines()), said.count("is back")
    wanted = (times, times) if undo is not None else (1, 0)  # what somebody else does of right is said once in all
    return Figure(f"{delivery}; said {told} times, its end {ended} times, counted {counter}: {found}",
                  delivery.whole() and status == 0 and (told, ended) == wanted and found >= times)


@fault("server full (OOM, noeviction), {times} times", "0 / 0 / 0", 2, 20)
def server_full(folder, times):
    return strike_server(folder, times, lambda server: server.ask("CONFIG", "SET", "maxmemory", "1") and None,
                         lambda server: server.ask("CONFIG", "SET", "maxmemory", "0"), "OOM", "oom")


@fault("server made a read-only replica and a master again, {times} times", "0 / 0 / 0", 2, 20)
def server_readonly(folder, times):
    return strike_server(folder, times, lambda server: server.ask("REPLICAOF", "127.0.0.1", "1") and None,
                         lambda server: server.ask("REPLICAOF", "NO", "ONE"), "READONLY", "readonly")


@fault("AUTH withdrawn and given back, {times} times", "0 / 0 / 0", 2, 20)
def password_withdrawn(folder, times):
    def withdraw(server):
        server.ask("ACL", "SETUSER", "sensor", "<secret", ">other")
        server.ask("CLIENT", "KILL", "USER", "sensor")

    return strike_server(folder, times, withdraw, lambda server: server.ask("ACL", "SETUSER", "sensor", "<other", ">secret"),
                         "WRONGPASS", "wrongpass", ("--user", "sensor", "--password", "secret"))


@fault("stream trimmed by another, {times} times", "0 / 0 / 0", 2, 20)
def stream_trimmed(folder, times):
    def trim(server):
        ids = server.ids()
        server.ask("XTRIM", KEY + "events", "MAXLEN", 0)
        return ids

    return strike_server(folder, times, trim, None, "somebody else trims or deletes it", "trimmed")


@fault("failover by Sentinel after the master is killed with -9, {times} times", "0 / 0 / 0", 1, 10)
def sentinel_failover(folder, times):
    with servers(folder, 2) as (master, replica):
        replica.ask("REPLICAOF", "127.0.0.1", master.port)
        assert until(lambda: replicates(replica))
        sentinels = Sentinels(folder, master.port)
        try:
            running = Drive("--redis", sentinels.url(), "--live", "--timeout", "1", "--heartbeat", "0.2", "--drain", "30")
            running.do("event 10")
            assert until(lambda: len(master.ids()) == 10)
            for count in range(times):
                running.do("event 5")
                master.kill()
                running.do("event 5")
                assert until(lambda: replica.ask("ROLE")[0] == "master", 60), "nobody fails over"
                assert until(lambda: len(replica.ids()) == 10 + (count + 1) * EVENTS_A_STRIKE, 60), count
                master.start()
                master, replica = replica, master
                if count + 1 < times:
                    assert until(lambda: replicates(replica), 60), "the old master does not follow"
            time.sleep(0.5)
            found = sum(errors(master).get(counter, 0) for counter in ("broken", "unreachable", "timeout", "no_master"))
            status, said = running.end()
            delivery = compare(decided(folder, 10 + times * EVENTS_A_STRIKE), master.ids())
        finally:
            sentinels.stop()
    told = said.count("is back")
    return Figure(f"{delivery}; {told} times said to be back, {found} errors counted",
                  delivery.whole() and status == 0 and told >= times and found >= times)
