# SPDX-License-Identifier: BSD-3-Clause
"""--report as its readers meet it: in a browser, wide and narrow, light and dark, on paper, by pointer and by keyboard. The
pictures are left in the folder that PICTURES names, for people to look at."""

import base64
import csv
import html.parser
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from browser import Browser, needs_browser
from conftest import LIGHTSOUT, SAMPLE, SYNTH, TOP

CAPTURE_READS = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")


def run(*arguments):
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Report:
    """A report, the bins it was made of, and the data of its pictures."""

    def __init__(self, folder, *arguments):
        self.path, self.bins = folder / "report.html", folder / "bins.csv"
        run(LIGHTSOUT, *arguments, "-q", "--report", self.path, "--bins", self.bins, "--sensor", "ix-1")
        self.url = self.path.as_uri()
        self.text = self.path.read_text()
        self.data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', self.text, re.DOTALL)[1])

    def rows(self, scope="all"):
        with self.bins.open() as file:
            return [row for row in csv.DictReader(file) if row["scope"] == scope]


def runs(text):
    return "".join(letter * int(count or 1) for letter, count in re.findall(r"(\D)(\d*)", text))


@pytest.fixture(scope="module")
def blackout(tmp_path_factory):
    return Report(tmp_path_factory.mktemp("blackout"), "-r", SAMPLE)


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blind")
    run(SYNTH, "--pcap", folder / "blind.pcap", TOP / "tests/synth/tap-fault-day.ini")
    return Report(folder, "-r", folder / "blind.pcap")


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """Thirty days of minutes with the blackout in them, of which two days are missing."""
    folder = tmp_path_factory.mktemp("month")
    script = (TOP / "tests/synth/blackout-2025-06.ini").read_text()
    script = script.replace("from = 2025-06-05 10:00:00", "from = 2025-05-12 00:00:00")
    script = script.replace("to = 2025-06-07 10:00:00", "to = 2025-06-11 00:00:00")
    (folder / "month.ini").write_text(script)
    run(SYNTH, "--bins", folder / "all.csv", folder / "month.ini")
    with (folder / "all.csv").open() as file, (folder / "month.csv").open("w") as out:
        out.writelines(line for line in file if not line.startswith(("2025-05-20", "2025-05-21")))
    return Report(folder, "-b", folder / "month.csv")


@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def show(browser, tmp_path):
    """Opens a report, and leaves a picture of it."""

    def open_it(report, name, width=1400, dark=False, media=""):
        browser.said.clear()
        browser.open(report.url, width, dark, media)
        while browser.value("location.href") != report.url or browser.value("document.readyState") != "complete":
            pass
        if media:
            browser.value("dispatchEvent(new Event('beforeprint'))")
        folder = Path(os.environ.get("PICTURES", tmp_path))
        browser.picture(folder / f"{name}-{width}{'-dark' if dark else ''}{'-' + media if media else ''}.png")
        return browser

    return open_it


# ---- what it holds ----

class Markup(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_it_needs_nothing_but_itself_and_may_do_nothing_else(blackout):
    markup = Markup()
    markup.feed(blackout.text)
    assert markup.tags.count("script") == 2 and not {"iframe", "img", "object", "form"} & set(markup.tags)
    assert all(value.startswith("data:") for name, value in markup.attributes if name in ("src", "href"))
    assert not [name for name, _ in markup.attributes if name == "style" or name.startswith("on")]
    policy = next(value for name, value in markup.attributes if name == "content" and value.startswith("default-src 'none'"))
    assert "unsafe" not in policy and "connect-src" not in policy
    assert set(re.findall(r"https?://[^\s\"'`]*", blackout.text)) <= {"http://www.w3.org/2000/svg"}


def test_it_answers_first_and_by_both_clocks(blackout):
    assert re.search(r"<h1>The whole watch list was dark from 2025-06-06 17:23:\d\d to 2025-06-07 02:\d\d:\d\d UTC", blackout.text)
    assert re.search(r"By the watched side's own clock \(UTC\+9\): from 2025-06-07 02:23:\d\d to 11:\d\d:\d\d", blackout.text)
    assert blackout.text.index("<h1>") < blackout.text.index("<h2>") < blackout.text.index("<table")


def test_every_bin_is_in_it_and_hosts_are_those_that_the_bins_count(blackout):
    rows, data = blackout.rows(), blackout.data
    observed, last = [], None
    for part in data["all"]["o"].split(","):
        last = float(part) if part else last
        observed.append(last)
    assert observed[1:-1] == [float(row["answered_flows"]) for row in rows[1:-1]]
    letters = {"learning": "l", "up": "u", "suspect": "s", "down": "d", "recovering": "r", "blind": "b"}
    assert runs(data["all"]["s"]) == "".join(letters[row["state"]] for row in rows)
    assert data["hosts"]["w"] == 240  # four bins a slot: the letters tell each number of bins apart
    bins = {".": 0, "c": 1, "e": 2, "g": 3, "i": 4}
    assert sum(bins[letter] for _, slots in data["hosts"]["rows"] for letter in runs(slots)) == sum(int(row["hosts"]) for row in rows)
    addresses = [tuple(map(int, address.split("."))) for address, _ in data["hosts"]["rows"]]
    assert addresses == sorted(addresses) and all(address[:2] == (175, 45) for address in addresses)


def test_of_several_workers_it_is_the_same(blackout, tmp_path):
    (tmp_path / "three.conf").write_text("[capture]\nworkers = 3\n")
    several = Report(tmp_path, "-r", SAMPLE, "-c", tmp_path / "three.conf")
    cut = re.compile("<dt>command</dt>.*")
    assert cut.sub("", several.text) == cut.sub("", blackout.text)


def test_a_month_takes_less_than_three_megabytes_and_what_is_missing_is_missing(month):
    size = month.path.stat().st_size
    print(f"\n30 days: {size / 1e6:.2f} MB")
    assert size < 3e6
    states = runs(month.data["all"]["s"])
    assert len(states) == 30 * 1440 and states.count("m") == 2 * 1440
    assert "2 d 0 h 0 min are missing: nothing was measured." in month.text


def test_what_the_sensor_did_not_see_is_blind(blind):
    assert "b" in runs(blind.data["all"]["s"])
    assert [one["sensor"] for one in blind.data["episodes"]].count(True) >= 1
    assert re.search(r"For .* the sensor did not see: nothing is said of that time\.", blind.text)


HOSTILE = ["service:</script><script>window.hit=1</script>", "service:<img src=x onerror=window.hit=1>", "service:\"'><b>`${window.hit=1}",
           "path:]]><!--<script>"]


def hostile_report(folder):
    """Bins of another tool, whose names are markup."""
    with (folder / "in.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", "scope", "answered_flows", "live_flows", "flows", "packets_in", "packets_out"])
        for minute in range(200):
            at = f"2025-06-05T{minute // 60:02}:{minute % 60:02}:00Z"
            for scope in ["all", *HOSTILE, "tap"]:
                out.writerow([at, scope, 10 * (minute < 150), 10 * (minute < 150), 12, 100, 90])
    return Report(folder, "-b", folder / "in.csv")


@needs_browser
def test_names_that_are_markup_stay_names(show, tmp_path):
    report = hostile_report(tmp_path)
    browser = show(report, "hostile")
    assert browser.value("window.hit") is None
    assert browser.value("document.querySelectorAll('img, b, main script:not(#data)').length") == 0
    shown = browser.value("document.querySelector('#service').textContent")
    assert "</script><script>" in shown and "<img src=x" in shown and "${window" in shown
    assert browser.said == []


# ---- how it looks ----

@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 900, 420])
@pytest.mark.parametrize("name", ["blackout", "blind", "month"])
def test_it_fits_the_screen_in_light_and_dark_and_its_console_says_nothing(request, show, name, width, dark):
    browser = show(request.getfixturevalue(name), name, width, dark)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.querySelectorAll('#main svg path.seen').length") == 1
    assert browser.value("document.getElementById('populations').querySelectorAll('path.seen').length") == 4
    colours = browser.value("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    red = [int(re.search(r"\d+", colour)[0]) for colour in colours]
    assert (red[0] > 200 and red[1] < 50) if dark else (red[0] < 50 and red[1] > 200)
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    assert browser.said == []


@needs_browser
def test_on_paper_it_is_light_with_everything_open(show, blackout):
    browser = show(blackout, "blackout", 720, True, "print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.getElementById('tools')).display") == "none"
    assert browser.value("Array.from(document.querySelectorAll('details')).every(one => one.open)") is True
    paper = base64.b64decode(browser.ask("Page.printToPDF", printBackground=True)["data"])
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 12


@needs_browser
def test_without_script_the_tables_tell_it(show, browser, blackout):
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(blackout.url)
        tree = ""
        while "How this was made" not in tree:
            tree = json.dumps(browser.ask("Accessibility.getFullAXTree"), ensure_ascii=False)
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert "The pictures are drawn by a script" in tree and "the outside keeps knocking" in tree
    assert "was dark from 2025-06-06 17:23:" in tree


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["blackout", "blind"])
def test_axe_finds_no_serious_fault(request, show, name, dark):
    browser = show(request.getfixturevalue(name), name, 1400, dark)
    found = browser.axe()
    if found is None:
        pytest.skip("this Chromium has no axe among its developer tools")
    assert [one for one in found if one["impact"] in ("serious", "critical")] == []
    browser.value("document.querySelector('main').append(document.createElement('img'))")
    assert [one["rule"] for one in browser.axe_run()] == ["image-alt"]  # it does look


@needs_browser
def test_how_soon_a_month_is_seen(show, month):
    """Printed, not judged: it is the machine's as much as ours."""
    browser = show(month, "month")
    paint = "JSON.stringify(performance.getEntriesByType('paint').map(one => [one.name, Math.round(one.startTime)]))"
    while not json.loads(browser.value(paint)):
        pass
    print(f"\n30 days, {month.path.stat().st_size / 1e6:.2f} MB: {browser.value(paint)} ms")


# ---- reading it off ----

def box(browser, id_):
    return browser.value(f"(() => {{ document.getElementById('{id_}').scrollIntoView({{block: 'center'}});"
                         f" const box = document.querySelector('#{id_} svg').getBoundingClientRect();"
                         " return [box.left, box.top, box.width, box.height]; })()")


def told(browser):
    return browser.value("document.getElementById('read-time').textContent"), browser.value("document.getElementById('read-value').textContent")


def minute_told(browser):
    return CAPTURE_READS.match(told(browser)[0])[1]


@needs_browser
@pytest.mark.parametrize("width", [1400, 420])
def test_the_pointer_reads_the_bin_off_the_timeline(show, blackout, width):
    browser = show(blackout, "pointed", width)
    left, top, wide, high = box(browser, "main")
    rows = {row["time"][:16].replace("T", " "): row for row in blackout.rows()}
    seen = set()
    for share in (0.3, 0.5, 0.7, 0.78, 0.95):
        browser.mouse("Moved", left + share * wide, top + high / 2)
        row, value = rows[minute_told(browser)], told(browser)[1]
        assert value.startswith(f"{int(row['answered_flows'])} of "), (row, value)
        expected = float(re.search(r"of ([\d.]+) expected answered flows a minute", value)[1])
        assert expected == pytest.approx(float(row["expected"]), rel=0.01)
        seen.add(value.rsplit("; ", 1)[1])
        assert "UTC+9" in told(browser)[0]
    assert seen == {"up", "down"}


@needs_browser
def test_the_pointer_reads_a_service_and_a_host_off_their_rows(show, blackout):
    browser = show(blackout, "pointed")
    left, top, wide, high = box(browser, "service")
    browser.mouse("Moved", left + 0.75 * wide, top + 10)
    assert re.search(r"ns1\.kptc\.kp: 0 of [\d.]+ a minute; down$", told(browser)[1])
    left, top, wide, high = box(browser, "hosts")
    browser.mouse("Moved", left + 0.75 * wide, top + 3)
    assert told(browser)[1].endswith("175.45.176.8 was silent")


@needs_browser
def test_a_stretch_that_is_dragged_over_is_shown_alone_and_a_button_brings_all_back(show, blackout):
    browser = show(blackout, "zoomed")
    left, top, wide, high = box(browser, "main")
    whole = told(browser)[0]
    browser.mouse("Pressed", left + 0.6 * wide, top + high / 2)
    browser.mouse("Moved", left + 0.7 * wide, top + high / 2)
    browser.mouse("Released", left + 0.7 * wide, top + high / 2)
    browser.mouse("Moved", left + 0.2 * wide, top + high / 2)
    first = minute_told(browser)
    browser.mouse("Moved", left + 0.95 * wide, top + high / 2)
    assert "2025-06-06 11:" < first < minute_told(browser) < "2025-06-06 18:"
    browser.value("document.querySelector('#tools button').click()")
    browser.mouse("Moved", left + 0.2 * wide, top + high / 2)
    assert minute_told(browser) < "2025-06-05 20:" and whole.startswith("2025-06-05 10:00")


@needs_browser
def test_the_keyboard_reads_and_zooms(show, blackout):
    browser = show(blackout, "keyed")
    browser.value("document.getElementById('main').focus()")
    browser.key("Home")
    first = browser.value("document.getElementById('main').getAttribute('aria-valuetext')")
    assert first.startswith("2025-06-05 10:00 UTC (19:00 UTC+9): ")
    browser.key("ArrowRight")
    second = browser.value("document.getElementById('main').getAttribute('aria-valuetext')")
    assert "2025-06-05 10:00" < second[:16] < "2025-06-05 10:10"
    span = "+document.getElementById('main').getAttribute('aria-valuemax') - document.getElementById('main').getAttribute('aria-valuemin')"
    whole = browser.value(span)
    for _ in range(3):
        browser.key("+", "+")
    assert browser.value(span) == pytest.approx(whole / 8, rel=0.01)
    browser.key("0", "0")
    assert browser.value(span) == whole
    assert browser.said == []
