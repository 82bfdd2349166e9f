#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Posts an event, given as JSON on standard input, to a URL, if it is the start or the end of an outage:

    read-events.sh 'lightsout:{ix-1}:events' webhook.py --sent /var/lib/soc/sent https://hooks.example.net/lightsout

It tries a few times, and fails when the other side has not taken it; the reader that called it then comes again with the
same event, so that none is skipped. The event's id is sent as Idempotency-Key, and what was sent is remembered in the
file: an event that comes twice is posted once, or told to be the same by its key."""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

IDS_KEPT = 1000


def remembered(path):
    return path.read_text().split() if path and path.exists() else []


def remember(path, ids):
    """In one step, so that a crash leaves the old file or the new one."""
    new = path.with_name(path.name + ".new")
    with new.open("w") as file:
        file.write("\n".join(ids[-IDS_KEPT:]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def post(url, event, text, timeout_s):
    """None when it was taken, or else why not."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": event["event"]["id"], "User-Agent": "lightsout-webhook"}
    if "WEBHOOK_TOKEN" in os.environ:
        headers["Authorization"] = "Bearer " + os.environ["WEBHOOK_TOKEN"]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, text, headers), timeout=timeout_s):
            return None
    except (urllib.error.URLError, OSError) as error:
        return error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="http:// or https://; a token for it stands in WEBHOOK_TOKEN")
    parser.add_argument("--sent", type=Path, metavar="FILE", help="ids of the events that were posted")
    parser.add_argument("--actions", nargs="+", default=["outage-started", "outage-ended"])
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--wait-s", type=float, default=1, help="before the second try, and twice as long before each further")
    parser.add_argument("--timeout-s", type=float, default=10)
    options = parser.parse_args()
    text = sys.stdin.buffer.read()
    event = json.loads(text)
    ids = remembered(options.sent)
    if event["event"]["action"] not in options.actions or event["event"]["id"] in ids:
        return 0
    for attempt in range(options.tries):
        if attempt > 0:
            time.sleep(options.wait_s * 2 ** (attempt - 1))
        why = post(options.url, event, text, options.timeout_s)
        if why is None:
            if options.sent:
                remember(options.sent, ids + [event["event"]["id"]])
            return 0
        print(f"webhook: {event['event']['id']} was not taken: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
