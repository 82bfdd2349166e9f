# SPDX-License-Identifier: BSD-3-Clause
"""The program or the server is killed."""

import random
import time

from server import NOTHING, STREAM, Figure, Replay, Server, compare, fault


@fault("program killed with -9 at a random instant, {times} times, same state", "0 / 0 / 0", 4, 200)
def program_killed(folder, times):
    """Replays that are killed and started again until one comes through, each with a stream and a state of its own."""
    dice = random.Random(1)
    total, kills = NOTHING, 0
    server = Server(folder).start()
    replay = Replay(folder, server.url)
    decided = replay.decided()
    try:
        while kills < times:
            server.ask("FLUSHALL")
            for path in folder.glob("state*"):
                path.unlink()
            for _ in range(dice.randrange(1, 20)):
                process = replay.start()
                time.sleep(dice.uniform(0.01, 0.4))
                process.kill()
                kills += process.wait() != 0
            replay.finish()
            total += compare(decided, server.ids(STREAM))
    finally:
        server.stop()
    return Figure(f"{total} in replays of {len(decided)} with {kills} kills", total.whole())


@fault("server killed with -9 and restarted (AOF, fsync always), {times} times", "0 / 0 / 0", 4, 200)
def server_killed(folder, times):
    """While replays run one after the other, each with a stream and a state of its own."""
    dice = random.Random(2)
    total, kills = NOTHING, 0
    server = Server(folder).start()
    replay = Replay(folder, server.url)
    decided = replay.decided()
    try:
        while kills < times:
            server.ask("FLUSHALL")
            for path in folder.glob("state*"):
                path.unlink()
            process = replay.start()
            while process.poll() is None and kills < times:
                time.sleep(dice.uniform(0.01, 0.15))
                server.kill()
                kills += 1
                time.sleep(dice.uniform(0, 0.1))
                server.start()
            process.wait()
            replay.finish()
            total += compare(decided, server.ids(STREAM))
    finally:
        server.stop()
    return Figure(f"{total} in replays of {len(decided)} with {kills} kills", total.whole())
