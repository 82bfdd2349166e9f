#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hands the events of one sensor on, each to a run of COMMAND on its standard input, or all to standard output:

    read_events.py [--redis URL] 'lightsout:{ix-1}:events' [COMMAND [ARGUMENT...]]

An event is acknowledged when COMMAND has ended well; until then it is tried again, so that none is lost and one may come
twice: tell them apart by event.id. Readers of one group share the events, and one takes over what another has not
acknowledged for a while. A reader that starts again under the same name goes on with what it left. Needs redis-py
(Debian: python3-redis)."""

import argparse
import os
import subprocess
import sys
import time

import redis


def hand_on(event, command):
    """Whether the event, one line of JSON, is where it should be."""
    if command:
        return subprocess.run(command, input=event + b"\n", check=False).returncode == 0
    print(event.decode(), flush=True)
    return True


def join(client, stream, group):
    """From its first entry on, so that a new group misses nothing that is still there."""
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def take(client, options, start):
    """Entries as (id, fields): those that this reader holds already ("0"), or new ones (">")."""
    block = 2000 if start == ">" else None
    found = client.xreadgroup(options.group, options.consumer, {options.stream: start}, count=10, block=block)
    return found[0][1] if found else []


def next_entries(client, options):
    """What this reader holds, or else what another held too long, or else what is new."""
    entries = take(client, options, "0")
    if not entries:
        client.xautoclaim(options.stream, options.group, options.consumer, options.idle_ms, "0-0", count=10, justid=True)
        entries = take(client, options, "0") or take(client, options, ">")
    return entries


def run(client, options):
    join(client, options.stream, options.group)
    while True:
        for entry, fields in next_entries(client, options):
            if not fields:
                print(f"{entry.decode()} was trimmed from {options.stream} before it was handed on", file=sys.stderr)
            elif not hand_on(fields[b"event"], options.command):
                print(f"{options.command[0]} did not take {entry.decode()}", file=sys.stderr)
                time.sleep(options.retry_s)
                break  # in order: this one again, before those behind it
            client.xack(options.stream, options.group, entry)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/0", metavar="URL", help="redis://, rediss:// or unix://")
    parser.add_argument("--group", default="soc", help="of readers that share the work")
    parser.add_argument("--consumer", default=os.uname().nodename, help="this reader's name in it")
    parser.add_argument("--idle-ms", type=int, default=60000, help="after which another's event is taken over")
    parser.add_argument("--retry-s", type=float, default=5, help="between tries")
    parser.add_argument("stream")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    client = redis.Redis.from_url(options.redis, socket_timeout=10)
    while True:
        try:
            run(client, options)
        except redis.RedisError as error:
            print(f"{options.redis.rpartition('@')[2]}: {error}; again in {options.retry_s:g} s", file=sys.stderr)
            time.sleep(options.retry_s)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
