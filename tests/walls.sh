#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Holds the plan of the house: tests/walls.sh OBJECT_FOLDER. Who may include what, and what the study must not call.
set -eu
cd "$(dirname "$0")/.."
objects=${1:?usage: tests/walls.sh OBJECT_FOLDER}
broken=0

wall() { # NAME FOUND: a wall stands when nothing was found
    [ -n "$2" ] || return 0
    printf '%s:\n%s\n' "$1" "$2" | sed '2,$s/^/    /' >&2
    broken=$((broken + 1))
}

# The include lines of rooms and hall whose name matches PATTERN, as file:line:text.
includes() {
    find capture analysis include -name '*.[ch]' \
        -exec grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$1" /dev/null {} +
}

wall 'an include that climbs out of its folder' "$(includes '[^>"]*\.\./')"
wall 'libpcap beyond capture/source_*.c (capture/decode.c and link.c may have <pcap/dlt.h>)' \
    "$(includes pcap | grep -vE '^capture/(source_[a-z]+\.c:|(decode|link)\.c:[0-9]+:#include <pcap/dlt\.h>)')"
wall 'libseccomp beyond capture/privs_calls.c' "$(includes seccomp | grep -v '^capture/privs_calls\.c:')"
wall 'libcap-ng beyond capture/privs.c' "$(includes cap-ng | grep -v '^capture/privs\.c:')"
wall 'nDPI beyond capture/classify.c' "$(includes ndpi | grep -v '^capture/classify\.c:')"
wall 'libmicrohttpd beyond analysis/publish/http.c' "$(includes microhttpd | grep -v '^analysis/publish/http\.c:')"
wall 'libsystemd beyond capture/notify.c' "$(includes systemd | grep -v '^capture/notify\.c:')"
wall 'hiredis beyond analysis/publish/redis_link.c' "$(includes hiredis | grep -v '^analysis/publish/redis_link\.c:')"
wall 'OpenSSL beyond analysis/publish/redis_tls.c' "$(includes openssl | grep -v '^analysis/publish/redis_tls\.c:')"

# A quoted include names a file of the same folder or of the hall, so that no room sees into another.
strangers() {
    find capture analysis include -name '*.[ch]' | sort | while read -r file; do
        sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/p' "$file" | while read -r name; do
            case $name in
            */*) echo "$file: $name" ;;
            *) [ -e "${file%/*}/$name" ] || [ -e "include/$name" ] || echo "$file: $name" ;;
            esac
        done
    done
}
wall 'a header of another room' "$(strangers)"

dependent_headers() {
    for header in include/*.h; do
        printf '#include "%s"\n' "$header" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -Iinclude \
            -fsyntax-only -x c - 2>&1
    done
}
wall 'a header of the hall that does not compile alone' "$(dependent_headers)"

# The study is arithmetic: no clock, file, socket or printing, nor chance or environment.
clock='time|times|clock|ftime|clock_[a-z]+|timespec_get|[gs]ettimeofday|(local|gm)time(_r)?|mktime|timegm|strf?time'
clock="$clock|strptime|u?sleep|nanosleep|alarm|timer_[a-z]+"
file='f?open(at|dir)?(64)?|fdopen|freopen(64)?|creat|f?read|f?write|p?(read|write)v?(64)?|f?close|fflush|fseek(o64)?'
file="$file|remove|rename|unlink|mkdir|mkstemp(64)?|tmpfile(64)?|[fl]?stat(64)?|fgets|getline|f?getc|mmap(64)?|ioctl|fcntl(64)?"
socket='socket(pair)?|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|getaddrinfo|poll|select|epoll_[a-z]+'
print='v?(f|d|s|sn|as)?printf|v?[fs]?scanf|f?puts|f?putc|putchar|perror|v?syslog|std(in|out|err)'
other='(secure_)?getenv|_?exit|system|fork|exec[a-z]+|s?rand(om)?(_r)?|getrandom|getentropy|pthread_[a-z_]+'
# A symbol may come under glibc's other names for it: __snprintf_chk, __isoc99_sscanf, __read_chk@GLIBC_2.4.
forbidden="^(__)?(isoc[0-9]+_)?($clock|$file|$socket|$print|$other)(_chk|_2)?(@.*)?\$"
reaching_out() {
    [ -n "$(ls "$objects"/analysis/*.o 2>/dev/null)" ] || echo "no objects in $objects/analysis"
    for object in "$objects"/analysis/*.o; do
        nm -u "$object" | awk '{print $NF}' | grep -E "$forbidden" | sed "s|^|analysis/$(basename "$object" .o).c calls |"
    done
}
wall 'the study reaches outside' "$(reaching_out)"

[ "$broken" -eq 0 ] || exit 1
echo 'the walls stand'
