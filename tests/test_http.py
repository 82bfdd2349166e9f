# SPDX-License-Identifier: BSD-3-Clause
"""--http as browsers, Prometheus and an orchestrator meet it: while a replay runs, on a wire, and from clients that mean
no good. The letterbox alone (the driver) stands in where the reader is to be stuck, or Redis to go away."""

import base64
import contextlib
import hashlib
import html.parser
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest
from browser import Browser, needs_browser
from conftest import LIGHTSOUT, SAMPLE, TOP
from namespace import Namespace

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import DRIVE, Server, needs_redis, until  # noqa: E402
from test_reload import COMES, CONFIGURATION, GOES, STAYS, Fed  # noqa: E402

ANY = "127.0.0.1:0"  # a port that is free, which is said
WHERE = re.compile(r"the status page is at http://(.*):(\d+)/")
PATHS = ["/", "/metrics", "/healthz", "/api/state"]
SAMPLE_LINE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')


class Page:
    """A program that serves, and what it is asked."""

    def __init__(self, folder, *command, stdin=subprocess.DEVNULL):
        self.said = folder / "http.said"
        with self.said.open("w") as said:
            self.process = subprocess.Popen([*map(str, command)], stdin=stdin, stdout=subprocess.DEVNULL, stderr=said, text=True)
        found = until(lambda: WHERE.search(self.said.read_text()) or self.process.poll() is not None)
        assert self.process.poll() is None, self.said.read_text()
        self.host, self.port = found[1], int(found[2])

    def ask(self, path, method="GET", host=None, **headers):
        """Status, headers and body; with None as host no such header is sent but the usual one."""
        link = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=30)
        with contextlib.closing(link):
            link.request(method, path, headers={**({"Host": host} if host is not None else {}), **headers})
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def get(self, path):
        status, _, body = self.ask(path)
        assert status == 200, body
        return body

    def json(self, path):
        return json.loads(self.get(path))

    def metrics(self):
        return read_metrics(self.get("/metrics"))

    def tell(self, *lines):
        """Of the driver."""
        for line in lines:
            self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def raw(self, request):
        """What comes back to bytes, until the other side closes."""
        with socket.create_connection((self.host, self.port), timeout=30) as link:
            link.sendall(request)
            return b"".join(iter(lambda: link.recv(65536), b""))

    def end(self, status=0):
        if self.process.stdin is not None:
            self.process.stdin.close()
        assert self.process.wait(timeout=120) == status, self.said.read_text()


def read_metrics(text):
    """The samples, by name and labels; every line has to be one, or to say something of one."""
    samples = {}
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        found = SAMPLE_LINE.match(line)
        assert found, line
        assert (found[1], found[2]) not in samples, line
        samples[found[1], found[2]] = float(found[3])
    return samples


@pytest.fixture
def serve(tmp_path):
    """Starts the driver or the program with a page; what runs at the end is killed."""
    pages = []

    def start(*command, **options):
        folder = tmp_path / str(len(pages))
        folder.mkdir()
        pages.append(Page(folder, *command, **options))
        return pages[-1]

    yield start
    for page in pages:
        page.process.kill()
        page.process.wait()


@pytest.fixture
def page(serve):
    """The letterbox with a canned outage in it."""
    one = serve(DRIVE, "--http", ANY, stdin=subprocess.PIPE)
    one.tell("bin 50", "event 3", "step 1", "step 1")
    assert until(lambda: ["outage" in event for event in one.json("/api/state")["open"]] == [True])
    return one


# ---- while a replay runs ----

def test_what_only_grows_only_grows_while_a_replay_is_scraped(serve):
    page = serve(LIGHTSOUT, "-r", SAMPLE, "-q", "--speed", 40000, "--http", ANY)
    scrapes, seen = [], []
    with contextlib.suppress(OSError, http.client.HTTPException):  # until the replay has ended
        while True:
            scrapes.append(page.metrics())
            seen.append((page.json("/healthz"), page.json("/api/state")))
            time.sleep(0.2)
    page.end()
    assert len(seen) > 3
    for before, after in zip(scrapes, scrapes[1:]):
        for key in before:
            if key[0].endswith("_total") or key[0].endswith("timestamp_seconds"):
                assert after[key] >= before[key], key
    last = scrapes[-1]
    assert last["lightsout_answered_flows_total", 'scope="all"'] > 1000
    assert last["lightsout_packets_read_total", None] > 100000
    assert any(scrape.get(("lightsout_scope_state", 'scope="all",state="down"')) == 1 for scrape in scrapes)
    assert any(state["open"] for _, state in seen)
    assert {health["status"] for health, _ in seen} == {"ok"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("mode", [(), ("--live", "--redis", "unix:///nowhere")])
def test_promtool_finds_nothing_to_say(serve, mode):
    page = serve(DRIVE, "--http", ANY, *mode, stdin=subprocess.PIPE)
    for lines in ((), ("bin 50", "event 3", "step 1", "step 1")):
        page.tell(*lines)
        assert until(lambda: len(page.json("/api/state")["scopes"]) == (5 if lines else 0))
        checked = subprocess.run(["promtool", "check", "metrics"], input=page.get("/metrics"), capture_output=True, text=True,
                                 check=False)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


class Prometheus:
    """A server that scrapes a page five times a second."""

    def __init__(self, folder, page):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, evaluation_interval: 200ms}\n"
            f"rule_files: [{folder}/rules.yml]\n"
            "scrape_configs:\n- job_name: lightsout\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{page.port}']}}]\n")
        (folder / "rules.yml").write_text(
            "groups:\n- name: lightsout\n  rules:\n"
            + "".join(f"  - alert: A{number}\n    expr: {rule}\n" for number, rule in enumerate(alerts())))
        self.said = (folder / "prometheus.said").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said)

    def ask(self, path):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(link), contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
            link.request("GET", f"/api/v1/{path}")
            return json.load(link.getresponse())["data"]
        return {}

    def value(self, query):
        found = self.ask("query?query=" + urllib.parse.quote(query)).get("result", [])
        return float(found[0]["value"][1]) if found else None

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.said.close()


def alerts():
    """What the README tells to alert on."""
    text = re.search(r"Alert on\s(.*?)\.\n", (TOP / "README.md").read_text(), re.DOTALL)[1]
    return [" ".join(rule.split()) for rule in re.findall(r"`(.*?)`", text, re.DOTALL)]


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_a_prometheus_server_scrapes_it_and_its_alerts_fire(serve, tmp_path):
    page = serve(DRIVE, "--http", ANY, "--live", stdin=subprocess.PIPE)
    page.tell("bin 50", "step 1")
    server = Prometheus(tmp_path, page)
    try:
        assert until(lambda: server.value('up{job="lightsout"}') == 1), (tmp_path / "prometheus.said").read_text()
        told = page.metrics()
        assert until(lambda: server.value('lightsout_answered_flows_total{scope="all"}') == told["lightsout_answered_flows_total", 'scope="all"'])
        assert server.value("count({job=\"lightsout\", __name__=~\"lightsout_.*\"})") == len(told)
        assert [target["lastError"] for target in server.ask("targets")["activeTargets"]] == [""]
        kinds = server.ask("metadata")
        assert {kind for name, (about, *_) in kinds.items() if name.endswith("_total") and name.startswith("lightsout")
                for kind in [about["type"]]} == {"counter"}
        assert len(alerts()) == 3 and all(rule["health"] == "ok" for group in until(lambda: evaluated(server)) for rule in group["rules"])
        assert server.ask("alerts")["alerts"] == []
        page.tell("event 1", "step 1")  # the sensor fails
        assert until(lambda: [one["labels"]["alertname"] for one in server.ask("alerts")["alerts"]] == ["A1"])
    finally:
        server.end()


def evaluated(server):
    groups = server.ask("rules").get("groups", [])
    return groups if groups and all(rule["health"] != "unknown" for group in groups for rule in group["rules"]) else None


def test_clients_that_mean_no_good_change_nothing_of_what_a_replay_says(serve, lightsout, tmp_path):
    """Half of the requests never end, and somebody asks without pause: bins and events are the same bytes."""
    def outputs(name):
        return ["--events", tmp_path / f"{name}.events", "--bins", tmp_path / f"{name}.bins"]

    lightsout("-r", SAMPLE, "-q", *outputs("alone"))
    page = serve(LIGHTSOUT, "-r", SAMPLE, "-q", "--speed", 60000, "--http", ANY, *outputs("harried"))
    with contextlib.ExitStack() as links:
        answers = 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(100000):
                if number < 200:
                    link = links.enter_context(socket.create_connection((page.host, page.port), timeout=30))
                    link.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ")
                assert page.ask("/metrics")[0] == 200
                answers += 1
        page.end()
    assert answers > 20
    for kind in ("events", "bins"):
        assert (tmp_path / f"harried.{kind}").read_bytes() == (tmp_path / f"alone.{kind}").read_bytes()


def test_bins_read_back_are_served_too(serve, lightsout, tmp_path):
    """A table of bins is over in a moment, unless nobody reads what comes of it."""
    lightsout("-r", SAMPLE, "-q", "--bins", tmp_path / "bins.csv")
    os.mkfifo(tmp_path / "again.csv")
    with contextlib.closing(os.fdopen(os.open(tmp_path / "again.csv", os.O_RDWR), "rb", buffering=0)):
        page = serve(LIGHTSOUT, "-b", tmp_path / "bins.csv", "--http", ANY, "--bins", tmp_path / "again.csv")
        assert until(lambda: page.metrics().get(("lightsout_answered_flows_total", 'scope="all"'), 0) > 100)
        assert page.json("/healthz")["mode"] == "replay"


def test_a_reload_takes_the_scopes_of_page_and_metrics_along(tmp_path):
    fed = Fed(tmp_path, "--http", ANY)
    try:
        fed.feed(3)
        found = until(lambda: WHERE.search(fed.said.read_text()))
        page = Page.__new__(Page)
        page.host, page.port = found[1], int(found[2])
        assert until(lambda: f"prefix:{GOES}" in page.json("/api/state")["scopes"])
        before = page.metrics()["lightsout_flows_total", f'scope="prefix:{STAYS}"']
        fed.hang_up(CONFIGURATION.format(STAYS, COMES))
        fed.feed_until_said("read again")
        fed.feed(3)
        assert until(lambda: f"prefix:{COMES}" in page.json("/api/state")["scopes"])
        scopes = {key[1] for key in page.metrics() if key[0] == "lightsout_flows_total"}
        assert f'scope="prefix:{GOES}"' not in scopes and f'scope="prefix:{COMES}"' in scopes
        assert page.metrics()["lightsout_flows_total", f'scope="prefix:{STAYS}"'] > before
        fed.end()
    finally:
        fed.process.kill()
        fed.process.wait()


# ---- whether it works ----

def test_a_stuck_reader_is_unwell_and_well_again_when_it_goes_on_and_a_replay_may_wait(serve):
    live = serve(DRIVE, "--http", ANY, "--live", stdin=subprocess.PIPE)
    replay = serve(DRIVE, "--http", ANY, stdin=subprocess.PIPE)
    for one in (live, replay):
        one.tell("bin 5", "step 1")
        assert until(lambda: "data_time" in one.json("/healthz"))
    assert until(lambda: live.ask("/healthz")[0] == 503)
    status, headers, body = live.ask("/healthz")
    assert body.count("\n") == 1 and headers["Content-Type"] == "application/json"
    told = json.loads(body)
    assert (status, told["status"]) == (503, "stuck") and "no step" in told["why"]
    assert "<title>Stuck" in live.get("/")
    assert replay.json("/healthz")["status"] == "ok"
    live.tell("step 1")
    assert until(lambda: live.ask("/healthz")[0] == 200)
    assert "<title>Stuck" not in live.get("/")


def test_an_impaired_sensor_is_no_reason_to_start_again(serve):
    page = serve(DRIVE, "--http", ANY, stdin=subprocess.PIPE)
    page.tell("bin 5", "event 1", "step 1")
    assert until(lambda: page.json("/healthz")["status"] == "impaired")
    assert page.metrics()["lightsout_sensor_impaired", None] == 1
    page.tell("event 1")
    assert until(lambda: page.json("/healthz")["status"] == "ok")


@needs_redis
def test_the_link_to_redis_is_told(serve, tmp_path):
    server = Server(tmp_path).start()
    try:
        page = serve(DRIVE, "--http", ANY, "--live", "--redis", server.url, stdin=subprocess.PIPE)

        def redis(wanted, line):
            page.tell(line, "step 1")
            metrics = page.metrics()
            return metrics.get(("lightsout_redis_up", None)) == wanted and metrics

        assert until(lambda: redis(1, "event 1"))
        server.kill()
        metrics = until(lambda: redis(0, "event 1"))
        assert metrics["lightsout_redis_waiting_events", None] > 0
        assert 'class="state bad">away' in page.get("/")
        server.start()
        assert until(lambda: redis(1, "event 1"))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def space():
    network = Namespace("a")
    network.run("ip link set lo up")
    yield network
    network.close()


ASK = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=30).read().decode())"


def test_on_a_quiet_wire_the_reader_goes_on(space, tmp_path):
    """Longer without a packet than a stuck reader is given: with bins and steps of a second, eight."""
    said = tmp_path / "said"
    (tmp_path / "conf").write_text("[lightsout]\nbin = 1\nstep = 1\n[http]\nlisten = [::1]:0\n")
    space.run("sysctl -q -w net.ipv6.conf.lo.disable_ipv6=0", check=False)
    with said.open("w") as file:
        process = subprocess.Popen(space.command(LIGHTSOUT, "-i", "a0", "-c", tmp_path / "conf"), stdout=subprocess.DEVNULL,
                                   stderr=file)
    try:
        found = until(lambda: WHERE.search(said.read_text()) or process.poll() is not None)
        assert process.poll() is None, said.read_text()

        def ask(path):
            return subprocess.run(space.command(sys.executable, "-c", ASK, f"http://{found[1]}:{found[2]}{path}"),
                                  capture_output=True, text=True, check=True).stdout

        began = time.monotonic()
        while time.monotonic() - began < 10:
            assert json.loads(ask("/healthz"))["status"] == "ok"
            time.sleep(0.5)
        metrics = read_metrics(ask("/metrics"))
        assert metrics["lightsout_kernel_drops_total", None] == 0
        assert metrics["lightsout_interface_dropped_packets_total", 'interface="a0"'] == 0
        assert json.loads(ask("/api/state"))["scopes"]["tap"]["interfaces"] == [{"name": "a0", "drops": 0}]
        assert metrics["lightsout_packets_total", 'scope="tap",direction="in"'] == 0
        stepped = "lightsout_last_step_timestamp_seconds", None
        assert until(lambda: read_metrics(ask("/metrics"))[stepped] > metrics[stepped])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


# ---- what every answer is like ----

class Inline(html.parser.HTMLParser):
    """The style and script of a page, and whatever it would load."""

    def __init__(self):
        super().__init__()
        self.open, self.parts, self.loads, self.attributes = None, {"style": "", "script": ""}, [], []

    def handle_starttag(self, tag, attrs):
        data = dict(attrs).get("type") == "application/json"  # is not run
        self.open = tag if tag in self.parts and not data else self.open
        self.attributes += [name for name, _ in attrs]
        if tag != "a":
            self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_endtag(self, tag):
        self.open = None if tag == self.open else self.open

    def handle_data(self, data):
        if self.open:
            self.parts[self.open] += data


def test_the_page_allows_itself_nothing_but_its_own_style_and_script(page):
    _, headers, body = page.ask("/")
    inline = Inline()
    inline.feed(body)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(inline.parts[tag].encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'", tag
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not [name for name in inline.attributes if name == "style" or name.startswith("on")]
    assert all(load.startswith("data:") for load in inline.loads)
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", [*PATHS, "/nowhere"])
def test_every_answer_has_the_headers_that_keep_it_to_itself(page, path):
    _, headers, body = page.ask(path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers
    assert int(headers["Content-Length"]) == len(body.encode())


def test_the_metrics_say_what_format_they_are(page):
    assert page.ask("/metrics")[1]["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(page, path):
    status, headers, body = page.ask(path, "HEAD")
    assert (status, body) == (200, "") and int(headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "LIGHTS"])
def test_nothing_can_be_changed(page, method):
    status, headers, body = page.ask("/", method)
    assert status == 405 and headers["Allow"] == "GET, HEAD" and "only be read" in body


@pytest.mark.parametrize("path", ["/favicon.ico", "/metrics/", "/api", "/..%2fmetrics", "//", "/<script>"])
def test_what_is_not_there_is_told_in_plain_words(page, path):
    status, headers, body = page.ask(path)
    assert status == 404 and headers["Content-Type"].startswith("text/plain")
    assert "/metrics" in body and "script" not in body


@pytest.mark.parametrize("host,status", [
    ("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:9109", 200), ("[::1]:1", 200), ("192.0.2.1", 200),
    ("rebound.example", 403), ("rebound.example:9109", 403), ("localhost.rebound.example", 403), ("127.0.0.1.example", 403),
    ("[rebound]", 403), ("[::1", 403), ("x" * 500, 403)])
def test_on_the_loopback_a_name_that_somebody_pointed_here_is_refused(page, host, status):
    assert page.ask("/api/state", host=host)[0] == status


def test_beyond_the_loopback_it_answers_to_every_name(serve):
    page = serve(DRIVE, "--http", "0.0.0.0:0", stdin=subprocess.PIPE)
    assert page.ask("/healthz", host="sensor.example")[0] == 200


@pytest.mark.parametrize("request_", [
    b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"x" * 40000 + b"\r\n\r\n",
    b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 20000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"],
    ids=["empty", "nonsense", "no version", "TLS", "long header", "long path", "long body", "bad chunk", "version 9.9"])
def test_a_bad_request_is_answered_or_dropped_and_nothing_else_happens(page, request_):
    with contextlib.closing(socket.create_connection((page.host, page.port), timeout=30)) as link:
        with contextlib.suppress(OSError):
            link.sendall(request_)
            link.shutdown(socket.SHUT_WR)
            while link.recv(65536):
                pass
    assert page.json("/healthz")["status"] == "ok"
    page.end()


def test_who_holds_a_connection_open_is_the_first_to_go(page):
    """More clients than there may be, each in the middle of a request: whoever comes next is served at once."""
    with contextlib.ExitStack() as links:
        held = []
        for _ in range(200):
            held.append(links.enter_context(socket.create_connection((page.host, page.port), timeout=30)))
            held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert page.json("/healthz")["status"] == "ok"
        assert held[0].recv(1) == b""
        page.tell("step 1")
        assert until(lambda: page.metrics()["lightsout_http_displaced_total", None] >= 200 - 32)


def test_a_request_gets_one_answer_and_the_connection_closes(page):
    answer = page.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 1 and b"Connection: close" in answer


# ---- in a browser ----

@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 420])
def test_the_page_is_as_wide_as_the_screen_and_breaks_no_rule_of_its_own(page, browser, tmp_path, width, dark):
    browser.said.clear()
    browser.open(f"http://127.0.0.1:{page.port}/", width, dark)
    assert until(lambda: browser.value("document.title.startsWith('Outage') && document.readyState == 'complete'"))
    assert browser.value("document.documentElement.scrollWidth") <= width
    colours = browser.value("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    red = [int(re.search(r"\d+", colour)[0]) for colour in colours]
    assert (red[0] > 200 and red[1] < 50) if dark else (red[0] < 50 and red[1] > 200)
    assert browser.value("document.querySelectorAll('#main svg path.seen').length") == 1
    browser.picture(Path(os.environ.get("PICTURES", tmp_path)) / f"live-{width}{'-dark' if dark else ''}.png")
    assert browser.said == []
    found = browser.axe()
    if found is not None:
        assert [one for one in found if one["impact"] in ("serious", "critical")] == []


@needs_browser
def test_what_is_zoomed_and_read_off_stays_while_the_page_follows(page, browser):
    page.tell("bin 200", "step 1")
    assert until(lambda: json.loads(re.search(r'id="data">(.*?)</script>', page.get("/"), re.DOTALL)[1])["to"] > 1749211200 + 2900)
    browser.open(f"http://127.0.0.1:{page.port}/")
    assert until(lambda: browser.value("document.querySelectorAll('#tools button').length") > 4)
    browser.value("document.querySelectorAll('#tools button')[1].click()")
    browser.value("document.getElementById('main').focus()")
    browser.key("Home")
    span = "(main => [+main.getAttribute('aria-valuemin'), +main.getAttribute('aria-valuemax'), main.getAttribute('aria-valuetext')])(document.getElementById('main'))"
    before = browser.value(span)
    bins = browser.value("JSON.parse(document.getElementById('data').textContent).to")
    page.tell("bin 20", "step 1")
    assert until(lambda: browser.value("JSON.parse(document.getElementById('data').textContent).to") > bins)
    assert browser.value(span) == before and before[2].startswith("2025-06-06 12:1")
    assert browser.value("document.activeElement.id") == "main"


@needs_browser
def test_the_page_follows_what_happens_and_says_when_nobody_answers(page, browser):
    browser.open(f"http://127.0.0.1:{page.port}/")
    assert until(lambda: browser.value("document.title").startswith("Outage"))
    browser.value("window.mark = 1")
    page.tell("event 5", "bin 5", "step 1")  # the outage ends
    assert until(lambda: browser.value("document.title").startswith("Up"))
    assert browser.value("document.querySelector('h1').textContent") == "The whole watch list is up."
    assert browser.value("window.mark") == 1, "it was loaded anew, not brought up to date"
    page.end()
    assert until(lambda: browser.value("document.title").startswith("No answer \u00b7 Up"))
    assert browser.value("document.getElementById('lost').hidden") is False


# ---- how it is asked for ----

@pytest.mark.parametrize("listen", ["9109", "localhost", "example.kp:80", "::1:9109", "127.0.0.1:99999", ""])
def test_an_address_that_is_none_is_refused(lightsout, listen):
    said = lightsout("-r", SAMPLE, "--http", listen, status=2).stderr
    assert said.startswith("lightsout: --http") or "127.0.0.1:9109" in said
    assert said.count("\n") == 1 and "127.0.0.1:9109" in said


def test_the_configuration_names_the_line(lightsout, tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text("[http]\n\nlisten = here\n")
    assert "bad.conf:3: 'here' has no port" in lightsout("-c", path, "-T", status=2).stderr
    path.write_text("[http]\nlisten = :9109\n")
    assert f"listen = :9109  # {path}:2" in lightsout("-c", path, "-T").stdout


def test_a_port_that_is_taken_is_told_before_any_file_is_touched(lightsout, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = lightsout("-r", SAMPLE, "--http", f":{port}", "--bins", tmp_path / "bins.csv", status=1)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "bins.csv").exists()
