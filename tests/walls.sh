#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Holds the plan of the house: tests/walls.sh OBJECT_FOLDER. Who may include what, and what the study must not call.
set -eu
cd "$(dirname "$0")/.."
objects=${1:?usage: tests/walls.sh OBJECT_FOLDER}
rooms="capture analysis analysis/publish"
broken=0

# Says what stands on standard input, if anything, under the wall that it breaks.
refuse() {
    found=$(cat)
    [ -n "$found" ] || return 0
    printf '%s:\n%s\n' "$1" "$found" | sed '2,$s/^/    /' >&2
    broken=$((broken + 1))
}

includes() { # PATTERN: the includes in the rooms and the hall whose name matches
    find capture analysis include -name '*.[ch]' -exec grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$1" {} +  || true
}

includes '[^>"]*\.\./' >/tmp/walls.$$
trap 'rm -f /tmp/walls.$$' EXIT
refuse 'an include that climbs out of its folder' </tmp/walls.$$

includes 'pcap' | grep -vE '^capture/(source_[a-z]+\.c:|decode\.c:[0-9]+:#include <pcap/dlt\.h>)' >/tmp/walls.$$ || true
refuse 'libpcap beyond capture/source_*.c (capture/decode.c may have <pcap/dlt.h>)' </tmp/walls.$$

includes 'ndpi' | grep -v '^capture/classify\.c:' >/tmp/walls.$$ || true
refuse 'nDPI beyond capture/classify.c' </tmp/walls.$$

includes 'hiredis' | grep -v '^analysis/publish/redis\.c:' >/tmp/walls.$$ || true
refuse 'hiredis beyond analysis/publish/redis.c' </tmp/walls.$$

# A quoted include is of the same folder or of the hall, so no room sees into another.
for room in $rooms include; do
    for file in "$room"/*.[ch]; do
        [ -e "$file" ] || continue
        sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/p' "$file" | while read -r name; do
            [ -e "$room/$name" ] || [ -e "include/$name" ] || echo "$file: $name"
        done
    done
done >/tmp/walls.$$
refuse 'a header of another room' </tmp/walls.$$

for header in include/*.h; do
    printf '#include "%s"\n' "$header" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -I. \
        -fsyntax-only -x c - 2>&1 || true
done >/tmp/walls.$$
refuse 'a header of the hall that does not compile alone' </tmp/walls.$$

# The study is arithmetic: no clock, file, socket, printing or environment. Symbols may wear a fortified name.
clock='time|times|clock|ftime|(clock_|timespec_)[a-z]+|(get|set)timeofday|(local|gm)time(_r)?|mktime|timegm|strf?time'
clock="$clock|strptime|sleep|usleep|nanosleep|alarm|timer_[a-z]+"
file='f?open(at|dir)?(64)?|fdopen|freopen(64)?|creat|f?read|f?write|p?(read|write)v?(64)?|close|fclose|fflush|fseek|remove'
file="$file|rename|unlink|mkdir|mkstemp|tmpfile|f?stat(64)?|lstat(64)?|fgets|getline|getc|fgetc|mmap|ioctl|fcntl(64)?"
socket='socket(pair)?|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|getaddrinfo|poll|select|epoll_[a-z]+'
print='(v?(f|d|s|sn|as)?printf|v?(f|s|ss)?scanf)|f?puts|f?putc|putchar|perror|syslog|vsyslog|std(in|out|err)'
other='getenv|secure_getenv|exit|_exit|system|fork|exec[a-z]+|rand|random|getrandom|pthread_[a-z_]+'
forbidden="^(__)?(isoc[0-9]+_)?($clock|$file|$socket|$print|$other)(_chk|_unlocked|_2)?(@.*)?\$"
for object in "$objects"/analysis/*.o; do
    [ -e "$object" ] || { echo "no objects in $objects/analysis"; break; }
    nm -u "$object" | awk '{print $NF}' | grep -E "$forbidden" | sed "s|^|$(basename "$object" .o).c calls |" || true
done >/tmp/walls.$$
refuse 'the study reaches outside' </tmp/walls.$$

[ "$broken" -eq 0 ] || { echo "$broken of the walls are broken" >&2; exit 1; }
echo 'the walls stand'
