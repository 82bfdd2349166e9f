#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Prints the C source that holds style and script of the pages as bytes, and the policies that name them by their
# hashes: page_files.sh STYLE SCRIPT
set -eu

bytes() { # NAME FILE
    printf 'const char %s[] = {\n' "$1"
    od -An -v -tu1 "$2" | sed 's/ *\([0-9][0-9]*\)/\1,/g'
    printf '0};\n'
}

hash() { # FILE, as Content-Security-Policy wants it
    printf 'sha256-'
    sha256sum "$1" | cut -c 1-64 | tr a-f A-F | basenc --base16 -d | base64
}

policy="default-src 'none'; style-src '$(hash "$1")'; script-src '$(hash "$2")'; img-src data:; base-uri 'none'; form-action 'none'"
printf '/* Made by page_files.sh. */\n#include "page.h"\n'
bytes page_style "$1"
bytes page_script "$2"
printf 'const char page_policy[] = "%s";\n' "$policy"
printf 'const char page_policy_live[] = "%s; connect-src '\''self'\''; frame-ancestors '\''none'\''";\n' "$policy"
