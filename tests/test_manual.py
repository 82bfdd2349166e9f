# SPDX-License-Identifier: BSD-3-Clause
"""What tells people how to call the program: --help, the manual page, completion; held against each other, against the
configuration in samples/, and against the table of options in the source."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import LIGHTSOUT, TOP

PAGE = TOP / "capture/lightsout.8"
TEXT = PAGE.read_text(encoding="utf-8")
SOURCE = (TOP / "capture/command_line.c").read_text(encoding="utf-8")
OPTIONS = set(re.findall(r'^    \{"([a-z-]+)", (?:no|required)_argument', SOURCE, re.MULTILINE))


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"left out: no {', '.join(missing)} here")


def page_items():
    """The names behind each .It of the page, by the heading under which they stand: options with their dashes."""
    items, heading = {}, None
    for line in TEXT.splitlines():
        if line.startswith((".Sh ", ".Ss ")):
            heading = line[4:].replace("\\&", "")
        elif line.startswith(".It "):
            flags = re.findall(r"(?<![A-Za-z0-9_/.-])-[a-z-]+", line) if line.startswith(".It Fl") else []
            words = [word for word in re.sub(r"^\.It( [A-Z][a-z]\b)?| Pq .*", "", line).split() if word not in (",", "Cm")]
            items.setdefault(heading, []).extend(["-" + flag for flag in flags] or words)
    return items


def configuration_keys():
    """Every key of the sample with the default that it shows (None: it has none), by section."""
    keys, section = {}, None
    for line in (TOP / "samples/lightsout.conf").read_text(encoding="utf-8").splitlines():
        if head := re.match(r"#?\[(.+)\]", line):
            kind = head[1].split()[0]
            section = {"watch": "watch CIDR", "path": "path NAME", "service": "service NAME"}.get(kind, kind)
        elif pair := re.match(r"(#?)([a-z_]+) = (.*)", line):
            keys.setdefault(section, {})[pair[2]] = None if pair[1] else pair[3]
    return keys


def test_help_fits_a_screen_and_names_every_option(lightsout):
    lines = lightsout("--help").stdout.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) < 80
    assert len(OPTIONS) >= 24
    assert set(re.findall(r"--([a-z-]+)", "\n".join(lines))) == OPTIONS
    for option in OPTIONS:
        assert re.search(rf"(^|, |  )(-\w, |-\w )?--{option}\b", "\n".join(lines), re.MULTILINE), option


def test_the_page_has_every_option_and_no_other():
    items = page_items()
    named = {word[2:] for section in ("Input", "What is watched", "Output") for word in items[section] if
             word.startswith("--")}
    assert named == OPTIONS


def test_the_page_has_every_key_with_its_default_and_no_other():
    items, keys = page_items(), configuration_keys()
    assert {"lightsout", "capture", "detect", "fuse", "http", "redis", "watch CIDR", "path NAME", "service NAME"} <= set(keys)
    for section, pairs in keys.items():
        assert set(items[f"[{section}]"]) == set(pairs), section
        for key, value in pairs.items():
            if value is not None and key != "bin":
                assert f".It Cm {key} Pq {value}" in TEXT.replace("\\&", ""), f"{key} = {value}"


def test_the_page_has_what_the_program_reacts_to():
    items = page_items()
    main = (TOP / "capture/main.c").read_text(encoding="utf-8")
    assert set(items["SIGNALS"]) == set(re.findall(r"sigaction\((SIG[A-Z]+)", main))
    assert items["EXIT STATUS"] == re.findall(r"EXIT_(?:DONE|FAILED|UNUSABLE) = (\d)", main)
    assert {"LIGHTSOUT_REDIS_PASSWORD", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM",
            "NO_COLOR"} <= set(items["ENVIRONMENT"])


@needs("man")
def test_man_renders_the_page_without_a_warning():
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", PAGE], capture_output=True, text=True, check=True,
                          env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8", MANPAGER="cat"))
    assert done.stderr == "" and "lightsout — tell when" in done.stdout


@needs("mandoc")
def test_mandoc_has_nothing_to_say_of_the_page():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("written, meant", [("--spede=3", "--speed"), ("--reed", "--read"), ("--re", "--read"),
                                            ("--watchfrom", "--watch-from")])
def test_an_unknown_option_is_answered_with_the_one_that_may_be_meant(lightsout, written, meant):
    said = lightsout(written, "x", status=2).stderr
    assert said.count("\n") == 1
    assert f"there is no option {written.partition('=')[0]}: is {meant} meant?" in said


@pytest.mark.parametrize("written", ["--colour", "-x"])
def test_an_option_like_no_other_is_only_refused(lightsout, written):
    assert lightsout(written, status=2).stderr == f"lightsout: there is no option {written}; see --help\n"


def test_check_with_quiet_says_nothing_of_what_is_fine(lightsout, tmp_path):
    assert lightsout("--check", "--quiet").stdout == ""
    bad = tmp_path / "bad.conf"
    bad.write_text("[lightsout]\nbin = 7\n")
    assert f"{bad}:2: " in lightsout("--check", "--quiet", "-c", bad, status=2).stderr


COMPLETE = """
source samples/lightsout.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_lightsout
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", LIGHTSOUT, *words], cwd=TOP, capture_output=True, text=True,
                          check=True)
    return set(done.stdout.split())


def test_completion_offers_options_files_and_interfaces():
    assert complete("--re") == {f"--{option}" for option in OPTIONS if option.startswith("re")}
    assert complete("") == {f"--{option}" for option in OPTIONS}
    assert complete("-c", "samples/lightsout.c") == complete("--config", "=", "samples/lightsout.c") == {
        "samples/lightsout.conf"}
    assert complete("-r", "samples/") >= {"samples/blackout-2025-06.pcap.zst"}
    assert complete("-i", "an") == complete("--interface", "an") == {"any"}
    assert complete("--speed", "") == complete("-w", "") == set()
