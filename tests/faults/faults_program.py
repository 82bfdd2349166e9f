# SPDX-License-Identifier: BSD-3-Clause
"""The program or the server is killed, or both."""

import random
import time

from server import NOTHING, STREAM, Figure, Replay, Server, compare, fault


def replays(folder, times, disturb):
    """Replays, each with a stream and a state of its own, until `disturb(replay, server, dice)` has killed so often; each
    comes through in the end."""
    dice = random.Random(times)
    total, kills = NOTHING, 0
    server = Server(folder).start()
    replay = Replay(folder, server.url)
    decided = replay.decided()
    try:
        while kills < times:
            server.ask("FLUSHALL")
            replay.forget()
            kills += disturb(replay, server, dice)
            replay.finish()
            total += compare(decided, server.ids(STREAM))
    finally:
        server.stop()
    return Figure(f"{total} in replays of {len(decided)}, {kills} kills", total.whole())


@fault("program killed with -9 at a random instant, {times} times, same state", "0 / 0 / 0", 4, 200)
def program_killed(folder, times):
    def disturb(replay, _, dice):
        kills = 0
        for _ in range(dice.randrange(1, 8)):
            process = replay.start()
            time.sleep(dice.uniform(0.01, 0.15))
            process.kill()
            kills += process.wait() != 0
        return kills

    return replays(folder, times, disturb)


@fault("server killed with -9 and restarted (AOF, fsync always), {times} times", "0 / 0 / 0", 4, 200)
def server_killed(folder, times):
    def disturb(replay, server, dice):
        kills = 0
        process = replay.start()
        while process.poll() is None:
            time.sleep(dice.uniform(0.01, 0.15))
            server.kill()
            kills += 1
            time.sleep(dice.uniform(0, 0.1))
            server.start()
        return kills

    return replays(folder, times, disturb)


@fault("program and server killed with -9, the server away for a while, {times} times", "0 / 0 / 0", 4, 200)
def both_killed(folder, times):
    def disturb(replay, server, dice):
        kills = 0
        for _ in range(dice.randrange(1, 5)):
            process = replay.start()
            time.sleep(dice.uniform(0.01, 0.1))
            server.kill()
            time.sleep(dice.uniform(0.01, 0.1))
            process.kill()
            kills += process.wait() != 0
            server.start()
        return kills

    return replays(folder, times, disturb)
