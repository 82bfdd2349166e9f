# SPDX-License-Identifier: BSD-3-Clause
"""The consumers in samples/consumers/ with a real Redis: each hands every event on, also when it, what it hands to, or the
server dies; the dashboard asks for what /metrics has."""

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from conftest import LIGHTSOUT, SAMPLE, TOP

sys.path.insert(0, str(TOP / "tests/analysis/publish"))
from redis_server import Server, needs_redis, until  # noqa: E402
from test_http import ANY, Page  # noqa: E402

FOLDER = TOP / "samples/consumers"
STREAM = "lightsout-replay:{ix-1}:events"
LIST = "lightsout-replay:{ix-1}:list"
WEBHOOK = [sys.executable, FOLDER / "webhook.py", "--wait-s", "0.05"]
LIST_MODE = "[redis]\nlist = yes\n"
IDLE_MS = 500

pytestmark = needs_redis


def run_replay(*arguments):
    subprocess.run([LIGHTSOUT, "-q", "--sensor", "ix-1", *map(str, arguments)], check=True, timeout=120,
                   stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def bins(tmp_path_factory):
    """Of the sample, which is read once."""
    path = tmp_path_factory.mktemp("bins") / "bins.csv"
    run_replay("-r", SAMPLE, "--bins", path)
    return path


@pytest.fixture
def replay(bins, server):
    """Replays the sample into the server; the ids of its events."""

    def run(*arguments):
        run_replay("-b", bins, "--redis", server.url, *arguments)
        return server.ids(STREAM)

    return run


@pytest.fixture
def server(tmp_path):
    one = Server(tmp_path).start()
    yield one
    one.stop()


@pytest.fixture
def list_mode(tmp_path):
    path = tmp_path / "list.conf"
    path.write_text(LIST_MODE)
    return path


class Reader:
    """A consumer under test, run with a command that keeps what it is handed, hangs as long as there is a file `hang`,
    and fails as long as there is a file `fail`."""

    def __init__(self, kind, server, folder):
        self.kind, self.server, self.folder = kind, server, folder
        self.kept = folder / "kept.ndjson"
        self.command = folder / "keep.sh"
        self.command.write_text("#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 1\n"
                                "if [ -e hang ]; then echo $$ >hangs; exec sleep 600; fi\n"
                                "[ ! -e fail ] || { echo >>failed; exit 1; }\nexec cat >>kept.ndjson\n")
        self.command.chmod(0o755)
        self.processes = []

    def start(self, name="one", command=None, user="default", password=""):
        if command is None:
            command = [self.command]
        if self.kind == "shell":
            words = [FOLDER / "read-events.sh", STREAM, *command]
        else:
            url = f"unix://{user}:{password}@{self.server.path}"
            words = [sys.executable, FOLDER / "read_events.py", "--redis", url, "--consumer", name, "--idle-ms", IDLE_MS,
                     "--retry-s", "0.1", STREAM, *command]
        environment = {**os.environ, "REDIS_CLI": f"redis-cli -s {self.server.path} --user {user}",
                       "REDISCLI_AUTH": password, "CONSUMER": name, "IDLE_MS": str(IDLE_MS), "RETRY_S": "0.1"}
        process = subprocess.Popen([*map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment, start_new_session=True)
        self.processes.append(process)
        return process

    @staticmethod
    def kill(process):
        """It and the command that it runs."""
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()

    def hangs(self):
        return until((self.folder / "hangs").exists)

    def ids(self):
        lines = self.kept.read_text().splitlines(keepends=True) if self.kept.exists() else []
        return [json.loads(line)["event"]["id"] for line in lines if line.endswith("\n")]  # the last may be under way

    def unacknowledged(self):
        return self.server.ask("XPENDING", STREAM, "soc")[0]

    def comes_to(self, ids):
        assert until(lambda: self.ids() == ids and self.unacknowledged() == 0), self.ids()

    def stop(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                self.kill(process)


@pytest.fixture(params=["shell", "python"])
def reader(request, server, tmp_path):
    if request.param == "python":
        pytest.importorskip("redis", reason="left out: python3-redis is not installed")
    if request.param == "shell" and shutil.which("redis-cli") is None:
        pytest.skip("left out: redis-cli is not installed")
    folder = tmp_path / "reader"
    folder.mkdir()
    one = Reader(request.param, server, folder)
    yield one
    one.stop()


def test_every_event_is_handed_on_once_and_in_order(reader, server, replay):
    told = replay()
    assert len(told) > 3
    reader.start()
    reader.comes_to(told)
    assert [json.loads(line) for line in reader.kept.read_text().splitlines()] == \
        [json.loads(entry["event"]) for entry in server.entries(STREAM)]


def test_without_a_command_events_go_to_standard_output(reader, server, replay):
    told = replay()
    process = reader.start(command=[])
    lines = [process.stdout.readline() for _ in told]
    assert [json.loads(line)["event"]["id"] for line in lines] == told


def test_a_reader_that_waits_is_given_new_events(reader, server, replay):
    reader.start()
    assert until(lambda: server.ask("EXISTS", STREAM))
    reader.comes_to(replay())


def test_a_reader_makes_do_with_the_rights_of_the_readme(reader, server, replay):
    rights = re.search(r"ACL SETUSER soc (.*)", (TOP / "README.md").read_text())[1].replace("lightsout:", "lightsout-replay:")
    server.ask("ACL", "SETUSER", "soc", *rights.split())
    told = replay()
    reader.start(user="soc", password="secret")
    reader.comes_to(told)


def test_a_killed_reader_goes_on_after_what_it_acknowledged(reader, server, replay):
    told = replay()
    one = reader.start()
    reader.comes_to(told)
    reader.kill(one)
    server.ask("XADD", STREAM, "*", "id", "next", "action", "a", "scope", "all", "severity", "1", "event",
               '{"event":{"id":"next"}}')
    reader.start()
    reader.comes_to([*told, "next"])


def test_an_event_under_way_when_the_reader_was_killed_is_handed_on_by_its_next_start(reader, server, replay):
    told = replay()
    (reader.folder / "hang").touch()
    one = reader.start()
    assert reader.hangs()
    reader.kill(one)
    assert reader.unacknowledged() > 0
    (reader.folder / "hang").unlink()
    reader.start()
    reader.comes_to(told)


def test_another_reader_takes_over_what_a_dead_one_left(reader, server, replay):
    told = replay()
    (reader.folder / "hang").touch()
    one = reader.start("one")
    assert reader.hangs()
    reader.kill(one)
    (reader.folder / "hang").unlink()
    reader.start("other")
    assert until(lambda: reader.unacknowledged() == 0 and len(reader.ids()) == len(told))
    assert sorted(reader.ids()) == sorted(told)


def test_an_event_that_is_not_taken_is_tried_again(reader, server, replay):
    (reader.folder / "fail").touch()
    told = replay()
    reader.start()
    failed = reader.folder / "failed"
    assert until(lambda: failed.exists() and len(failed.read_text()) > 1)
    (reader.folder / "fail").unlink()
    reader.comes_to(told)


def test_a_reader_survives_the_server(reader, server, replay):
    told = replay()
    reader.start()
    reader.comes_to(told)
    server.kill()
    server.start()
    server.ask("XADD", STREAM, "*", "id", "next", "action", "a", "scope", "all", "severity", "1", "event",
               '{"event":{"id":"next"}}')
    reader.comes_to([*told, "next"])


def test_an_event_that_was_trimmed_before_it_was_handed_on_is_said_and_passed_over(reader, server, replay):
    told = replay()
    (reader.folder / "hang").touch()
    one = reader.start()
    assert reader.hangs()
    reader.kill(one)
    first = server.ask("XRANGE", STREAM, "-", "+", "COUNT", 1)[0][0]
    server.ask("XDEL", STREAM, first)
    (reader.folder / "hang").unlink()
    again = reader.start()
    reader.comes_to(told[1:])
    assert f"{first} was trimmed".encode() in reader.kill(again)[1]


class Hook:
    """A web server that fails so often before it takes what is posted, and remembers both."""

    def __init__(self, failures, status=503):
        self.failures, self.posts = failures, []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                hook.failures -= 1
                taken = hook.failures < 0
                if taken:
                    hook.posts.append((self.headers["Idempotency-Key"], self.headers["Content-Type"], json.loads(text)))
                self.send_response(204 if taken else status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook(request):
    one = Hook(getattr(request, "param", 1))
    yield one
    one.stop()


def test_the_webhook_is_posted_each_start_and_end_once_though_it_fails_at_first(reader, server, replay, hook):
    replay()
    wanted = [event for event in (json.loads(entry["event"]) for entry in server.entries(STREAM))
              if event["event"]["action"] in ("outage-started", "outage-ended")]
    reader.start(command=[*WEBHOOK, "--sent", reader.folder / "sent", hook.url])
    assert until(lambda: len(hook.posts) == len(wanted) and reader.unacknowledged() == 0)
    assert [post[2] for post in hook.posts] == wanted
    assert {post[:2] for post in hook.posts} == {(event["event"]["id"], "application/json") for event in wanted}


def run_webhook(event, *arguments):
    return subprocess.run([*map(str, WEBHOOK), *map(str, arguments)], input=json.dumps(event), text=True, capture_output=True,
                          timeout=60, check=False)


STARTED = {"event": {"action": "outage-started", "id": "some-1"}}


def test_the_webhook_posts_an_event_that_comes_twice_once(hook, tmp_path):
    for _ in range(2):
        assert run_webhook(STARTED, "--sent", tmp_path / "sent", hook.url).returncode == 0
    assert [post[0] for post in hook.posts] == ["some-1"]


@pytest.mark.parametrize("hook", [1000], indirect=True)
def test_the_webhook_fails_for_the_reader_to_come_again(hook, tmp_path):
    done = run_webhook(STARTED, "--sent", tmp_path / "sent", "--tries", "3", hook.url)
    assert done.returncode == 1 and done.stderr.count("some-1 was not taken") == 3
    hook.failures = 0
    assert run_webhook(STARTED, "--sent", tmp_path / "sent", hook.url).returncode == 0
    assert [post[0] for post in hook.posts] == ["some-1"]


def test_a_replay_in_list_mode_fills_the_list(server, replay, list_mode):
    told = replay("-c", list_mode)
    assert [json.loads(text)["event"]["id"] for text in server.ask("LRANGE", LIST, 0, -1)] == told


def test_list_mode_is_refused_of_a_fused_view(lightsout, list_mode):
    done = lightsout("--fuse", "--redis", "unix:///nowhere", "-c", list_mode, status=2)
    assert "leave list out" in done.stderr


def imhiredis():
    """The folder of rsyslog's modules, if the one that reads Redis is there; RSYSLOG_MODULES names another."""
    folders = [os.environ["RSYSLOG_MODULES"]] if "RSYSLOG_MODULES" in os.environ else Path("/usr/lib").glob("*/rsyslog")
    return next((str(folder) for folder in folders if (Path(folder) / "imhiredis.so").exists()), None)


def rsyslogd():
    return shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin")


@pytest.mark.skipif(rsyslogd() is None or imhiredis() is None,
                    reason="left out: rsyslog's imhiredis is not installed (Debian 13 has it in rsyslog-hiredis, 12 has not)")
def test_rsyslog_hands_each_event_on_also_what_comes_while_it_is_away_and_what_another_left(server, replay, tmp_path):
    told = replay()
    server.ask("XGROUP", "CREATE", STREAM, "rsyslog", 0)
    server.ask("XREADGROUP", "GROUP", "rsyslog", "dead", "COUNT", 1, "STREAMS", STREAM, ">")
    kept, conf, work = tmp_path / "kept.ndjson", tmp_path / "rsyslog.conf", tmp_path / "work"
    work.mkdir()
    text = (FOLDER / "rsyslog.conf").read_text()
    for ours, test_s in {"lightsout:{ix-1}:events": STREAM, "/run/redis/redis-server.sock": str(server.path),
                         "/var/log/lightsout-events.ndjson": str(kept), "60000": "1"}.items():
        assert text.count(ours) == 1
        text = text.replace(ours, test_s)
    conf.write_text(f'global(workDirectory="{work}")\n' + text)
    command = [rsyslogd(), "-n", "-i", "NONE", "-M", imhiredis(), "-f", str(conf)]

    def taken():
        return [json.loads(line)["event"]["id"] for line in kept.read_text().splitlines()] if kept.exists() else []

    for ids in (told, [*told, "next"]):
        if ids != told:
            server.ask("XADD", STREAM, "*", "id", "next", "event", '{"event":{"id":"next"}}')
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                assert until(lambda ids=ids: taken() == ids and server.ask("XPENDING", STREAM, "rsyslog")[0] == 0), taken()
            finally:
                process.terminate()


def test_vector_s_configuration_reads_the_list_oldest_first():
    source = tomllib.loads((FOLDER / "vector.toml").read_text())["sources"]["lightsout"]
    assert source["data_type"] == "list" and source["list"]["method"] == "lpop"
    assert source["key"] == LIST.replace("lightsout-replay", "lightsout")


@pytest.mark.skipif(shutil.which("vector") is None, reason="left out: vector is not installed")
def test_vector_finds_nothing_wrong_with_its_configuration(tmp_path):
    subprocess.run(["vector", "validate", "--no-environment", FOLDER / "vector.toml"], check=True, timeout=60, cwd=tmp_path)


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((\w+), \w+\)", variable["query"])[1]


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((FOLDER / "grafana.json").read_text())


def test_the_dashboard_has_what_grafana_wants(dashboard):
    assert dashboard["uid"] and dashboard["title"] and dashboard["schemaVersion"] >= 36
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) > 0
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["type"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are(dashboard, server, tmp_path):
    page = Page(tmp_path, LIGHTSOUT, "-q", "-r", SAMPLE, "--sensor", "ix-1", "--redis", server.url, "--http", ANY,
                "--speed", "10000")
    try:
        assert until(lambda: "\nlightsout_observed_per_second{" in page.get("/metrics"))
        text = page.get("/metrics")
    finally:
        page.process.terminate()
        page.process.wait()
    there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    for expression in expressions(dashboard):
        asked = set(re.findall(r"lightsout_\w+", expression))
        assert asked and asked <= there, expression
        for label in re.findall(r'[{,](\w+)=', expression):
            assert label == "instance" or f'{label}="' in text, expression  # Prometheus adds `instance`


def test_prometheus_understands_the_dashboard_s_expressions(dashboard, tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("left out: promtool is not installed")
    rules = [{"record": f"r{i}", "expr": expression.replace("$__rate_interval", "5m")}
             for i, expression in enumerate(expressions(dashboard))]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    subprocess.run(["promtool", "check", "rules", str(path)], check=True, capture_output=True, timeout=60)
