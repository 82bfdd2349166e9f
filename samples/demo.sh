#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Shows lightsout from end to end: builds it, replays a capture of a blackout, and reads the events back from a Redis of
# its own, on a unix socket in a temporary folder. Leaves the report behind, and nothing running.
set -eu
cd "$(dirname "$0")/.."
sample=samples/blackout-2025-06.pcap.zst
report=build/demo/report.html

.ci/deps build
if ! command -v redis-server >/dev/null; then .ci/deps demo || true; fi
${MAKE:-make} --no-print-directory -j"$(nproc)" all

folder=$(mktemp -d)
redis=
clean_up() {
    if [ -n "$redis" ]; then
        kill "$redis" 2>/dev/null || true
        wait "$redis" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

say() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }

cli() {
    redis-cli -s "$folder/redis.sock" --raw "$@"
}

# A private server: no port, no files, and gone with this script.
start_redis() {
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || return 1
    redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no --dir "$folder" \
        >"$folder/redis.log" 2>&1 &
    redis=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ "$(cli PING 2>/dev/null)" != PONG ] || return 0
        sleep 0.25
    done
    sed 's/^/redis-server: /' "$folder/redis.log" >&2
    return 1
}

# The entries of a stream, as redis-cli gives them: a line with the id, then field and value line by line. The sentence
# for people is the event's "message".
print_events() {
    cli XRANGE "$1" - + | awk '
        /^[0-9]+-[0-9]+$/ { id = $0; next }
        field == "" { field = $0; next }
        { value[field] = $0 }
        field == "event" {
            message = $0
            sub(/^.*"message": *"/, "", message)
            # What a JSON string may hold up to its closing quote.
            match(message, /^([^"\\]|\\.)*/)
            message = substr(message, 1, RLENGTH)
            gsub(/\\"/, "\"", message)
            printf "%-18s %-18s %s\n    %s\n", id, value["action"], value["scope"], message
        }
        { field = "" }'
}

mkdir -p "${report%/*}"
set -- -r "$sample" --report "$report"
if start_redis; then
    set -- "$@" --redis "unix://$folder/redis.sock"
else
    say 'No redis-server: replaying without it, so no events are read back (Debian package redis-server)'
fi

say "build/lightsout $*"
status=0
build/lightsout "$@" || status=$?

if [ -n "$redis" ]; then
    for key in $(cli --scan --pattern '*:events'); do
        say "redis-cli XRANGE $key - +: $(cli XLEN "$key") events"
        print_events "$key"
    done
fi
[ ! -e "$report" ] || say "The report, with plots: $PWD/$report"
exit "$status"
