#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Makes the samples again: tests/make_samples.sh BUILD_FOLDER TARGET_FOLDER. The captures come from their scripts, the
# pictures from what the program makes of the captures.
set -eu
cd "$(dirname "$0")/.."
build=$1 to=$2
table=$(mktemp)
trap 'rm -f "$table"' EXIT

capture() { # SCRIPT
    name=$(basename "$1" .ini)
    "$build/synth" "$1" --pcap "$to/$name.pcap.zst" --truth "$to/$name.json"
}

picture() { # NAME WHAT ...
    "$build/lightsout" -r "$to/$1.pcap.zst" -q --bins "$table"
    name=$1
    shift
    "${PYTHON:-python3}" tests/picture.py "$table" "$@" >"$to/$name.svg"
}

capture tests/synth/blackout-2025-06.ini
for name in look-alike blind-tap attack one-upstream; do capture "tests/synth/samples/$name.ini"; done
answered='answered flows a minute'
picture blackout-2025-06 "all:answered_flows=$answered" 'all:packets_in=packets towards it a minute'
picture look-alike 'all:packets_in=packets towards it a minute' "all:answered_flows=$answered"
picture blind-tap "all:answered_flows=$answered" 'tap:packets_in=other packets of the tap a minute'
picture attack "all:answered_flows=$answered" 'all:packets_in=packets towards it a minute'
picture one-upstream "path:china-unicom:answered_flows=by China Unicom: $answered" \
    "path:transtelecom:answered_flows=by TransTelecom: $answered"
