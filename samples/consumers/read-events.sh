#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Hands the events of one sensor on, each to a run of COMMAND on its standard input, or all to standard output:
#
#   read-events.sh 'lightsout:{ix-1}:events' [COMMAND [ARGUMENT...]]
#
# An event is acknowledged when COMMAND has ended well; until then it is tried again, so that none is lost and one may come
# twice: tell them apart by event.id. Readers of one GROUP share the events, and one takes over what another has not
# acknowledged for IDLE_MS. A reader that starts again under the same name goes on with what it left. Environment:
#   REDIS_CLI  redis-cli and where the server is, such as "redis-cli -h redis.example.net"; the password in REDISCLI_AUTH
#   GROUP      of readers that share the work (soc); CONSUMER  this one's name (the host's)
#   IDLE_MS    after which another's event is taken over (60000; more than COMMAND ever takes); RETRY_S  between tries (5)
set -eu
[ $# -ge 1 ] || { echo "usage: $0 STREAM [COMMAND [ARGUMENT...]]" >&2; exit 2; }
stream=$1
shift
[ $# -gt 0 ] || set -- cat
group=${GROUP:-soc} consumer=${CONSUMER:-$(uname -n)} idle_ms=${IDLE_MS:-60000} retry_s=${RETRY_S:-5}

redis() {
    # shellcheck disable=SC2086 # it may be several words
    ${REDIS_CLI:-redis-cli} -e --raw "$@" 2>&1
}

# From its first entry on, so that a new group misses nothing that is still there.
join() {
    answer=$(redis XGROUP CREATE "$stream" "$group" 0 MKSTREAM) || case $answer in
    *BUSYGROUP*) ;;
    *) return 1 ;;
    esac
}

# One entry, if there is any: what this reader holds already, or else what another held too long, or else a new one.
next() {
    answer=$(redis XREADGROUP GROUP "$group" "$consumer" COUNT 1 STREAMS "$stream" 0) || return 1
    [ "$(printf '%s\n' "$answer" | wc -l)" -le 1 ] || return 0
    answer=$(redis XAUTOCLAIM "$stream" "$group" "$consumer" "$idle_ms" 0 COUNT 10 JUSTID) || return 1
    [ "$(printf '%s\n' "$answer" | wc -l)" -le 1 ] || { answer=; return 0; }
    answer=$(redis XREADGROUP GROUP "$group" "$consumer" COUNT 1 BLOCK 2000 STREAMS "$stream" '>') || return 1
}

# Of an entry the lines are the stream's name, the entry's id, and field and value in turn. One that was trimmed before it
# was handed on has no fields left.
while :; do
    if ! next && ! { join && next; }; then
        echo "$0: $answer" >&2
        sleep "$retry_s"
        continue
    fi
    id=$(printf '%s\n' "$answer" | sed -n 2p)
    [ -n "$id" ] || continue
    event=$(printf '%s\n' "$answer" | awk 'NR > 2 && NR % 2 { field = $0; next } field == "event" { print; exit }')
    if [ -z "$event" ]; then
        echo "$0: $id was trimmed from $stream before it was handed on" >&2
    elif ! printf '%s\n' "$event" | "$@"; then
        echo "$0: $1 did not take $id; again in $retry_s s" >&2
        sleep "$retry_s"
        continue
    fi
    # Without this answer the event comes again.
    redis XACK "$stream" "$group" "$id" >/dev/null || true
done
