# SPDX-License-Identifier: BSD-3-Clause
"""The scenario generator: what it writes is valid, repeatable, and true to its script.

SYNTH names the binary (default build/synth). Needs tshark and zstd.
"""
import collections
import csv
import datetime
import ipaddress
import json
import os
import pathlib
import re
import resource
import struct
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SYNTH = os.environ.get("SYNTH", str(ROOT / "build" / "synth"))
SAMPLE = ROOT / "samples" / "blackout-2025-06"
CHECKED = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]

Packet = collections.namedtuple("Packet", "time vlan ttl protocol source target sport dport flags seq ack payload")


def synth(*arguments):
    """Runs the generator, which must succeed."""
    done = subprocess.run([SYNTH, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seconds(text):
    """An instant of the truth as seconds since the epoch."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def packets(path):
    """Every IPv4 packet of a capture, times as they are written (read here, without the code under test)."""
    data = path.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at = 24
    while at < len(data):
        s, us, length, whole = struct.unpack_from("<IIII", data, at)
        assert length == whole
        frame = at + 16
        at = frame + length
        vlan = 0
        kind, = struct.unpack_from(">H", data, frame + 12)
        ip = frame + 14
        if kind == 0x8100:
            vlan, kind = struct.unpack_from(">HH", data, frame + 14)
            ip += 4
        if kind != 0x0800:
            continue
        total, = struct.unpack_from(">H", data, ip + 2)
        ttl, protocol = data[ip + 8], data[ip + 9]
        source, target, sport, dport = struct.unpack_from(">IIHH", data, ip + 12)
        flags = seq = ack = payload = 0
        if protocol == 6:
            seq, ack, offset, flags = struct.unpack_from(">IIBB", data, ip + 24)
            payload = total - 20 - (offset >> 4) * 4
        yield Packet(s + us / 1e6, vlan, ttl, protocol, source, target, sport, dport, flags, seq, ack, payload)


def inside(address, prefix):
    network = ipaddress.ip_network(prefix)
    return int(network[0]) <= address <= int(network[-1])


def watched(address):
    return inside(address, "175.45.176.0/22")


class World:
    """A capture with its truth."""

    def __init__(self, folder, script, *options):
        self.pcap, truth = folder / "world.pcap", folder / "world.json"
        synth(script, "--pcap", self.pcap, "--truth", truth, *options)
        self.truth = json.loads(truth.read_text())
        self.packets = list(packets(self.pcap))

    def tshark(self, *arguments):
        done = subprocess.run(["tshark", "-n", "-r", self.pcap, *CHECKED, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module", params=["quiet-day", "tap-fault-day", "unicom-down", "example", "blackout-2025-06"])
def any_world(request, tmp_path_factory):
    return World(tmp_path_factory.mktemp(request.param), HERE / f"{request.param}.ini")


def one_world(name):
    @pytest.fixture(scope="module")
    def made(tmp_path_factory):
        return World(tmp_path_factory.mktemp(name), HERE / f"{name}.ini")

    return made


blackout, example, unicom, blind, quiet = map(
    one_world, ["blackout-2025-06", "example", "unicom-down", "tap-fault-day", "quiet-day"])


def write_script(folder, *sections, period="from = 2025-03-03 00:00:00\nto = 2025-03-03 03:00:00"):
    script = folder / "script.ini"
    script.write_text(f"""[scenario]
name = small
{period}
watch = 10.0.0.0/24
[clients world]
address = 203.0.113.0/26
[service www.example.com]
host = 10.0.0.80
http = 20
[scan background]
rate = 0.5/s
source = 198.18.0.0/24
[control campus]
clients = 192.0.2.0/28
server = 198.51.100.1
dns = 10
""" + "\n".join(sections))
    return script


# -- repeatable -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for kind, script in ("pcap", "example.ini"), ("bins", "tap-fault-day.ini"):
        for name, seed in ("a", 1), ("b", 1), ("c", 2):
            synth(HERE / script, "--seed", seed, f"--{kind}", tmp_path / name, "--truth", tmp_path / f"{name}.json")
        a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
        assert a == b
        assert a != c
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_an_outage_does_not_move_what_goes_before_it(tmp_path):
    outage = "[outage all]\nfrom = +1h\nto = +2h\n"
    synth(write_script(tmp_path), "--pcap", tmp_path / "without")
    synth(write_script(tmp_path, outage), "--pcap", tmp_path / "with")
    hour = seconds("2025-03-03T01:00:00Z")
    before = [[p for p in packets(tmp_path / name) if p.time < hour] for name in ("without", "with")]
    assert len(before[0]) > 1000
    assert before[0] == before[1]


def test_a_zst_file_holds_the_same_capture(tmp_path):
    synth(HERE / "quiet-day.ini", "--pcap", tmp_path / "a.pcap")
    synth(HERE / "quiet-day.ini", "--pcap", tmp_path / "a.pcap.zst", "--zstd", 3)
    unpacked = subprocess.run(["zstd", "-dc", tmp_path / "a.pcap.zst"], capture_output=True, check=True).stdout
    assert unpacked == (tmp_path / "a.pcap").read_bytes()


def test_nanosecond_captures_say_so(tmp_path):
    synth(write_script(tmp_path), "--pcap", tmp_path / "n.pcap", "--nanoseconds")
    assert (tmp_path / "n.pcap").read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"
    times = subprocess.run(["tshark", "-r", tmp_path / "n.pcap", "-T", "fields", "-e", "frame.time_epoch", "-c", "1"],
                           capture_output=True, text=True, check=True).stdout
    assert seconds("2025-03-03T00:00:00Z") <= float(times) < seconds("2025-03-03T00:01:00Z")


def test_the_committed_sample_is_what_its_script_makes(blackout):
    unpacked = subprocess.run(["zstd", "-dc", f"{SAMPLE}.pcap.zst"], capture_output=True, check=True).stdout
    assert unpacked == blackout.pcap.read_bytes()
    assert json.loads(pathlib.Path(f"{SAMPLE}.json").read_text()) == blackout.truth
    assert 3e6 < os.path.getsize(f"{SAMPLE}.pcap.zst") < 5e6


def test_two_months_of_packets_fit_in_little_memory(tmp_path):
    script = write_script(tmp_path, period="from = 2025-03-03 00:00:00\nto = 2025-05-03 00:00:00")
    limit = 32 << 20 if pathlib.Path(SYNTH).parent.name not in ("asan", "tsan") else resource.RLIM_INFINITY
    done = subprocess.run([SYNTH, script, "--pcap", os.devnull], capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert done.returncode == 0, done.stderr


# -- valid ----------------------------------------------------------------------------------------------------------


def test_tshark_finds_no_fault_in_any_packet(any_world):
    assert any_world.tshark("-Y", '_ws.malformed || _ws.expert.group == "Checksum" || _ws.expert.severity == "Error" || '
                            "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
                            "icmp.checksum.status == 0") == []
    checked = any_world.tshark("-Y", "tcp.checksum.status == 1", "-T", "fields", "-e", "frame.number")
    assert len(checked) > 1000


def test_times_never_run_backwards_and_stay_in_the_period(any_world):
    times = [p.time for p in any_world.packets]
    assert times == sorted(times)
    assert seconds(any_world.truth["period"]["from"]) <= times[0]
    assert times[-1] < seconds(any_world.truth["period"]["to"])


def test_no_connection_misses_a_segment_but_where_the_tap_does(any_world):
    holes = any_world.tshark("-Y", "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || "
                             "tcp.analysis.out_of_order", "-T", "fields", "-e", "frame.time_epoch")
    faults = [(seconds(f["from"]) - 1, seconds(f["to"]) + 10)
              for f in any_world.truth["tap_faults"] + any_world.truth.get("bends", [])
              if f.get("kind", "tap") in ("tap", "strain")]
    assert [t for t in holes if not any(a <= float(t) <= b for a, b in faults)] == []


def test_every_sequence_number_and_acknowledgement_is_the_one_due(quiet):
    due, closed = {}, 0
    for p in quiet.packets:
        if p.protocol != 6:
            continue
        mine, other = (p.source, p.sport, p.target, p.dport), (p.target, p.dport, p.source, p.sport)
        if not p.flags & 2 and not p.flags & 4:
            assert p.seq == due[mine]
        if p.flags & 16:
            assert p.ack == due[other]
        due[mine] = (p.seq + p.payload + bool(p.flags & 2) + bool(p.flags & 1)) % 2**32
        closed += p.flags & 1
    assert closed > 1000


def test_nobody_repeats_himself_while_he_is_answered(quiet):
    assert quiet.tshark("-Y", "tcp.analysis.retransmission || dns.retransmission") == []


def test_names_are_where_a_classifier_looks_for_them(blackout):
    fields = ["ip.src", "ip.dst", "http.host", "tls.handshake.extensions_server_name",
              "tls.handshake.extensions.supported_version", "dns.qry.name", "dns.a", "smtp.response.code"]
    rows = blackout.tshark("-Y", "ip.addr == 175.45.176.0/22 && (http || tls.handshake || dns || smtp)", "-T", "fields",
                           *[word for field in fields for word in ("-e", field)])
    seen = [dict(zip(fields, row.split("\t"))) for row in rows]

    def values(field, **where):
        return {r[field] for r in seen if r[field] and all(r["ip." + key].startswith(v) for key, v in where.items())}

    assert {"kcna.kp", "www.kcna.kp", "rodong.rep.kp", "naenara.com.kp", "friend.com.kp", "ttk-10"} <= values(
        "http.host", dst="175.45.17")
    assert {"kcna.kp", "hangro.net.kp", "vok.rep.kp"} <= values(
        "tls.handshake.extensions_server_name", dst="175.45.17")
    assert values("tls.handshake.extensions.supported_version", src="175.45.176.71") == {"0x0304"}
    assert {"kcna.kp", "airkoryo.com.kp"} <= values("dns.qry.name", src="175.45.176.15")
    assert {r["dns.a"] for r in seen if r["dns.qry.name"] == "kcna.kp" and r["dns.a"]} == {"175.45.176.71"}
    assert values("smtp.response.code", src="175.45.176.20") == {"220", "250", "221"}


def test_answers_belong_to_their_questions(quiet):
    rows = quiet.tshark("-Y", "dns", "-T", "fields", "-e", "dns.id", "-e", "udp.stream", "-e", "dns.flags.response")
    # tshark 4.4 writes flags as words where 4.0 wrote digits.
    questions, answers = (collections.Counter(tuple(r.split("\t")[:2]) for r in rows if r.endswith(end))
                          for end in (("0", "False"), ("1", "True")))
    assert len(answers) > 1000
    assert not answers - questions
    assert sum((questions - answers).values()) <= 2  # the capture may end between the two


def test_paths_show_in_tag_and_ttl(blackout):
    unicom = {(p.vlan, p.ttl) for p in blackout.packets if inside(p.source, "175.45.176.0/24")}
    ttk = {(p.vlan, p.ttl) for p in blackout.packets if inside(p.source, "175.45.177.0/24")}
    both = {p.vlan for p in blackout.packets if inside(p.source, "175.45.178.0/24")}
    rest = {p.vlan for p in blackout.packets if not watched(p.source) and not watched(p.target)}
    assert unicom == {(101, 44)}
    assert ttk == {(102, 46), (102, 237)}
    assert both == {101, 102}
    assert rest == {0}


# -- true -----------------------------------------------------------------------------------------------------------


def test_the_blackout_is_silent_from_onset_to_end_but_for_its_flicker(blackout):
    outage, = blackout.truth["outages"]
    onset, end = seconds(outage["onset"]), seconds(outage["end"])
    flicker, = outage["flickers"]
    on, off = seconds(flicker["from"]), seconds(flicker["to"])
    spoke = [p for p in blackout.packets if watched(p.source) and onset <= p.time < end]
    assert spoke and all(on <= p.time < off for p in spoke)
    assert {str(ipaddress.ip_address(p.source)) for p in spoke} <= {"175.45.176.71", "175.45.176.15", "175.45.176.20"}
    last = max(p.time for p in blackout.packets if watched(p.source) and p.time < onset)
    assert onset - last < 60


def test_hosts_return_in_the_stated_order(blackout):
    outage, = blackout.truth["outages"]
    back = {item["who"]: seconds(item["at"]) for item in outage["order"]}
    for name, address in ("ns1.kptc.kp", "175.45.176.15"), ("kcna.kp", "175.45.176.71"), ("rodong.rep.kp", "175.45.176.68"):
        first = min(p.time for p in blackout.packets
                    if str(ipaddress.ip_address(p.source)) == address and p.time >= seconds(outage["end"]))
        assert back[name] <= first < back[name] + 1200
    assert back["ns1.kptc.kp"] < back["kcna.kp"] < back["rodong.rep.kp"] < back["all"]
    assert back["all"] == seconds(outage["recovered"])


def test_the_outside_goes_on_knocking(blackout):
    outage, = blackout.truth["outages"]
    onset, end = seconds(outage["onset"]), seconds(outage["end"])
    knocks = collections.Counter(int((p.time - onset) // 3600) for p in blackout.packets
                                 if watched(p.target) and p.protocol == 6 and p.flags == 2)
    dark = [knocks[hour] for hour in range(0, int((end - onset) // 3600))]
    assert min(dark) > knocks[-2]  # scans as ever, and every client tries four times
    control = collections.Counter(int((p.time - onset) // 3600) for p in blackout.packets
                                  if not watched(p.target) and not watched(p.source))
    assert min(control[hour] for hour in range(-6, 9)) > 0.5 * max(control[hour] for hour in range(-6, 9))


def test_the_sample_has_no_other_hole(blackout):
    outage, = blackout.truth["outages"]
    onset, recovered = seconds(outage["onset"]), seconds(outage["recovered"])
    spoke = [p.time for p in blackout.packets if watched(p.source)]
    gaps = [b - a for a, b in zip(spoke, spoke[1:]) if b < onset or a >= recovered]
    assert max(gaps) < 300
    assert max(b - a for a, b in zip([p.time for p in blackout.packets], [p.time for p in blackout.packets][1:])) < 30


def test_the_sample_has_the_rates_that_its_truth_expects(blackout):
    outage, = blackout.truth["outages"]
    minutes = (172800 - (seconds(outage["recovered"]) - seconds(outage["onset"]))) / 60
    assert 6 < blackout.truth["written"]["answered_flows"] / minutes < 10
    assert blackout.truth["expected"]["all"]["least"] > 3
    assert any("RECONSTRUCTION" in line for line in blackout.truth["note"])
    assert len(blackout.truth["assumed"]) > 5


def test_one_path_is_out_and_the_other_is_not(unicom):
    outage, = unicom.truth["outages"]
    onset, end = seconds(outage["onset"]), seconds(outage["end"])
    dark = [p for p in unicom.packets if watched(p.source) and onset <= p.time < end]
    assert len(dark) > 300
    assert {p.vlan for p in dark} == {102}
    assert {p.vlan for p in unicom.packets if watched(p.source) and p.time < onset} == {101, 102}
    assert outage["verdict"] == "upstream"


def test_a_tap_fault_loses_what_it_says(blind):
    faults = {f["name"]: (seconds(f["from"]), seconds(f["to"])) for f in blind.truth["tap_faults"]}

    def seen(name, condition):
        start, end = faults[name]
        return sum(start <= p.time < end and condition(p) for p in blind.packets)

    assert blind.truth["outages"] == []
    assert seen("blind", lambda p: True) == 0
    assert seen("deaf", lambda p: watched(p.source)) == 0
    assert seen("deaf", lambda p: watched(p.target)) > 50
    assert seen("lossy", lambda p: True) > 500
    start, end = faults["blind"]
    assert sum(start - 2400 <= p.time < start for p in blind.packets) > 500


def test_inbound_ceases_where_the_script_says_so(tmp_path):
    world = World(tmp_path, write_script(tmp_path, "[outage gone]\nfrom = +1h\nto = +2h\ninbound = ceases\n"))
    start, end = (seconds(world.truth["outages"][0][key]) for key in ("onset", "end"))
    network = "10.0.0.0/24"
    during = [p for p in world.packets if start <= p.time < end]
    assert len(during) > 500
    assert not any(inside(p.source, network) or inside(p.target, network) for p in during)


def test_a_partial_outage_takes_its_share(tmp_path):
    world = World(tmp_path, write_script(tmp_path, "[outage thin]\nfrom = +1h\nto = +2h\ndepth = 70%\n"))
    start, end = (seconds(world.truth["outages"][0][key]) for key in ("onset", "end"))

    def answers(a, b):
        return sum(a <= p.time < b and p.source == int(ipaddress.ip_address("10.0.0.80")) and p.flags == 18
                   for p in world.packets)

    assert 0.2 < answers(start + 10, end) / answers(start - 3600, start) < 0.4


def test_a_ramp_takes_its_time(tmp_path):
    outage = "[outage slope]\nfrom = +1h\nto = +2h30m\nonset = ramp 30m\nrecovery = ramp 20m\n"
    world = World(tmp_path, write_script(tmp_path, outage))
    start = seconds(world.truth["outages"][0]["onset"])
    per_ten = collections.Counter(int((p.time - start) // 600) for p in world.packets
                                  if inside(p.source, "10.0.0.0/24"))
    assert per_ten[-1] > per_ten[0] > per_ten[1] > per_ten[2] > 0
    assert [per_ten[i] for i in range(3, 9)] == [0] * 6
    assert 0 < per_ten[9] < per_ten[10] < 1.5 * per_ten[-1]


def test_routers_refuse_and_the_surge_comes_before_the_onset(example):
    flood = next(o for o in example.truth["outages"] if o["name"] == "flood")
    onset = seconds(flood["onset"])
    errors = example.tshark("-Y", "icmp.type == 3 && icmp.code == 0", "-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-E",
                            "occurrence=f")
    assert len(errors) > 100
    assert all(float(row.split()[0]) > onset and row.split()[1].startswith("198.18.255.") for row in errors)
    knocks = collections.Counter(int((p.time - onset) // 600) for p in example.packets
                                 if p.flags == 2 and inside(p.target, "10.20.0.0/23"))
    assert knocks[-1] > 10 * knocks[-3]


def test_a_service_outage_spares_its_neighbours(example):
    crash = next(o for o in example.truth["outages"] if o["name"] == "crash")
    start, end = seconds(crash["onset"]), seconds(crash["end"])
    mail, name = (int(ipaddress.ip_address(a)) for a in ("10.20.1.25", "10.20.1.53"))
    assert not any(p.source == mail and p.sport == 25 and p.flags & 8 and start <= p.time < end for p in example.packets)
    assert any(p.source == name and start <= p.time < end for p in example.packets)


def test_a_burst_is_one_client_s(tmp_path):
    world = World(tmp_path, write_script(
        tmp_path, "[burst storm]\nservice = www.example.com\nat = +90m\nflows = 200\nover = 30s\n"))
    start = seconds(world.truth["period"]["from"]) + 5400
    callers = collections.Counter(p.source for p in world.packets
                                  if start <= p.time < start + 30 and p.dport == 80 and p.flags == 2)
    assert callers.most_common(1)[0][1] >= 200


def bend(world, name):
    item = next(b for b in world.truth["bends"] if b["name"] == name)
    return seconds(item["from"]), seconds(item["to"])


def test_a_bad_road_loses_packets_that_are_said_again_and_comes_late(tmp_path):
    world = World(tmp_path, write_script(
        tmp_path, "[strain worse]\nfrom = +1h\nto = +2h\nonset = ramp 1h\nrecovery = ramp 1s\nloss = 50%\ndelay = 500ms\n"))
    start, end = bend(world, "worse")
    repeated = [float(t) for t in world.tshark("-Y", "tcp.analysis.retransmission", "-T", "fields", "-e", "frame.time_epoch")]
    assert repeated and min(repeated) > start and max(repeated) < end + 10
    thirds = [sum(start + i * 1200 <= t < start + (i + 1) * 1200 for t in repeated) for i in range(3)]
    assert thirds[0] < thirds[1] < thirds[2]
    sources = set(world.tshark("-Y", "tcp.analysis.retransmission", "-T", "fields", "-e", "ip.src"))
    assert "10.0.0.80" in sources and any(s.startswith("203.0.113.") for s in sources)
    asked, waits = {}, []
    for p in world.packets:
        if p.flags == 2:
            asked.setdefault((p.source, p.sport), p.time)
        elif p.flags == 18:
            waits.append((p.time, p.time - asked[p.target, p.dport]))
    usual = sorted(w for t, w in waits if t < start)
    late = sorted(w for t, w in waits if end - 600 <= t < end)
    assert late[len(late) // 4] > usual[len(usual) // 2] + 0.35
    answered = [sum(a <= t < b for t, _ in waits) for a, b in ((start - 1200, start), (end - 1200, end))]
    assert 0.3 * answered[0] < answered[1] < 0.98 * answered[0]


def test_a_move_shows_in_tag_ttl_and_round_trip(tmp_path):
    paths = ("[path one]\nprefix = 10.0.0.0/24\nvlan = 101\nttl = 44\nrtt = 280ms\n"
             "[path two]\nprefix = 10.0.1.0/24\nvlan = 102\nttl = 46\nrtt = 180ms\n"
             "[move over]\nprefix = 10.0.0.0/24\npath = two\nfrom = +1h\nto = +2h\n")
    world = World(tmp_path, write_script(tmp_path, paths))
    start, end = bend(world, "over")
    asked, seen = {}, collections.defaultdict(list)
    for p in world.packets:
        if p.flags == 2:
            asked.setdefault((p.source, p.sport), p.time)
        elif p.flags == 18:
            when = asked[p.target, p.dport]
            seen[start <= when < end].append((p.vlan, p.ttl, p.time - when))
    assert {s[:2] for s in seen[False]} == {(101, 44)} and {s[:2] for s in seen[True]} == {(102, 46)}
    middle = {when: sorted(s[2] for s in some)[len(some) // 2] for when, some in seen.items()}
    assert 0.09 < middle[False] - middle[True] < 0.11


def test_forged_packets_bear_a_watched_source_but_neither_its_label_nor_its_ttl(example):
    start, end = bend(example, "reflection")
    forged = [p for p in example.packets if p.protocol == 17 and p.dport == 3283]
    poured = [p for p in example.packets if p.protocol == 17 and p.sport == 3283]
    assert 800 < len(forged) == example.truth["written"]["forged"]
    assert {(p.vlan, p.ttl) for p in forged} == {(0, 240)} and {p.vlan for p in poured} == {301}
    assert all(start <= p.time < end for p in forged)
    assert sum(p.time < start + 60 for p in forged) < 0.5 * sum(end - 60 <= p.time for p in forged)


@pytest.mark.parametrize("seen, requests, answers", [("both", True, True), ("requests", True, False), ("answers", False, True)])
@pytest.mark.parametrize("speaks", ["udp", "tcp", "ping"])
def test_of_forged_packets_the_tap_sees_what_the_script_says(seen, requests, answers, speaks, tmp_path):
    world = World(tmp_path, write_script(
        tmp_path, f"[forged lie]\nsource = 10.0.0.9\ntarget = 203.0.113.99\ntarget-port = 179\nrate = 1/s\nfrom = +1h\n"
        f"to = +70m\nspeaks = {speaks}\nseen = {seen}\n"))
    lie, target = (int(ipaddress.ip_address(a)) for a in ("10.0.0.9", "203.0.113.99"))
    assert any(p.source == lie for p in world.packets) == requests
    assert any(p.source == target for p in world.packets) == answers


def test_a_blocked_client_gets_no_answer_and_others_do(example):
    start, end = bend(example, "greedy")
    web = [p for p in example.packets if p.sport == 80 and start + 10 <= p.time < end and inside(p.source, "10.20.0.80/31")]
    assert len(web) > 100 and not any(inside(p.target, "203.0.113.0/30") for p in web)
    assert any(inside(p.source, "203.0.113.0/30") and p.dport == 80 for p in example.packets if start <= p.time < end)


def test_refusals_are_of_the_kind_and_from_whom_the_script_says(example, tmp_path):
    def errors(world, code, outage):
        return {tuple(row.split()) for row in world.tshark(
            "-Y", f"icmp.type == 3 && icmp.code == {code} && frame.time_epoch >= {seconds(outage['onset'])}",
            "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-E", "occurrence=f")}

    withdrawn = next(o for o in example.truth["outages"] if o["name"] == "withdrawn")
    assert {source for source, _ in errors(example, 1, withdrawn)} == {"198.18.255.77"}
    quoted = example.tshark("-Y", "icmp.type == 11", "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-E", "occurrence=l")
    assert quoted and all(row.split()[1].startswith("10.20.") for row in quoted)
    world = World(tmp_path, write_script(
        tmp_path, "[outage dead]\nfrom = +1h\nto = +2h\nscope = service:www.example.com\n"
        "unreachable = 50% port-unreachable by host\n"))
    assert {source for source, _ in errors(world, 3, world.truth["outages"][0])} == {"10.0.0.80"}


def test_what_is_not_watched_can_fail_too(example):
    down = next(o for o in example.truth["outages"] if o["name"] == "campus-down")
    spoke = [p for p in example.packets if inside(p.source, "203.0.113.200/30")]
    assert spoke and not any(seconds(down["onset"]) <= p.time < seconds(down["end"]) for p in spoke)


def test_a_tap_sees_what_its_place_lets_it(tmp_path):
    def at(words):
        folder = tmp_path / re.sub(r"\W", "", words)
        folder.mkdir()
        return World(folder, HERE / "example.ini", "--tap", words)

    inward, outward, bare, beyond, north = map(at, ["inward", "outward", "unlabelled", "beyond", "path:north"])
    assert inward.packets and not any(inside(p.source, "10.20.0.0/23") for p in inward.packets if p.dport != 3283)
    assert outward.packets and not any(inside(p.target, "10.20.0.0/23") for p in outward.packets)
    assert {p.vlan for p in bare.packets} <= {0, 5}
    assert {p.vlan for p in north.packets} <= {301, 0, 5} and not any(p.source == int(ipaddress.ip_address("10.20.1.53"))
                                                                    and p.vlan != 301 for p in north.packets)
    gone = next(o for o in beyond.truth["outages"] if o["name"] == "withdrawn")
    start, end = seconds(gone["onset"]), seconds(gone["end"])
    assert any(inside(p.target, "10.20.0.0/23") for p in bare.packets if start <= p.time < end)
    assert not any(inside(p.target, "10.20.0.0/23") for p in beyond.packets if start <= p.time < end)
    assert beyond.truth["tap"] == {"direction": "both", "labels": True, "beyond": True, "path": ""}


def test_what_is_expected_stands_in_the_truth(example):
    assert example.truth["expect"] == {"both": {"verdict": ["attack", "unknown"], "scope": ["all"], "never": ["withdrawal"],
                                                "because": ["a surge leads into the flood"]}}


def test_a_script_goes_on_in_the_files_it_names_and_a_fault_says_in_which(tmp_path):
    whole = HERE / "quiet-day.ini"
    text = whole.read_text()
    cut = text.index("[service kcna.kp]")
    (tmp_path / "a.ini").write_text(text[:cut].replace("name = quiet-day", "name = quiet-day\nwith = b.ini"))
    (tmp_path / "b.ini").write_text("[scenario]\nseed = 5\n" + text[cut:])
    synth(whole, "--seed", 5, "--pcap", tmp_path / "whole")
    synth(tmp_path / "a.ini", "--pcap", tmp_path / "parts")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()
    for text, says in ("[service x]\nhost = nowhere\nhttp = 1\n", "b.ini:1: x: nowhere"), ("just words\n", "b.ini:1: neither"):
        (tmp_path / "b.ini").write_text(text)
        done = subprocess.run([SYNTH, tmp_path / "a.ini", "--pcap", "-"], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.startswith(f"synth: {tmp_path}/{says}")
    (tmp_path / "b.ini").unlink()
    done = subprocess.run([SYNTH, tmp_path / "a.ini", "--pcap", "-"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == f"synth: {tmp_path}/b.ini: No such file or directory\n"


# -- bins -----------------------------------------------------------------------------------------------------------


def read_bins(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_bins_are_those_of_the_contract_and_near_the_packets(blackout, tmp_path):
    synth(HERE / "blackout-2025-06.ini", "--bins", tmp_path / "b.csv")
    rows = read_bins(tmp_path / "b.csv")
    assert list(rows[0]) == ["time", "scope", "flows", "live_flows", "answered_flows", "packets_in", "packets_out",
                             "bytes_in", "bytes_out", "hosts", "peers", "syn_in", "icmp_errors", "drops"]
    scopes = [r["scope"] for r in rows if r["time"] == rows[0]["time"]]
    assert scopes[0] == "all" and scopes[-1] == "tap"
    assert {"prefix:175.45.176.0/24", "path:china-unicom", "service:kcna.kp"} <= set(scopes)
    assert len(rows) == 2880 * len(scopes)
    assert all(r["drops"] == "" for r in rows)
    total = {key: sum(int(r[key]) for r in rows if r["scope"] == "all") for key in list(rows[0])[2:-1]}
    for key in "flows", "answered_flows", "packets_in", "packets_out":
        assert total[key] == pytest.approx(blackout.truth["written"][key], rel=0.05)
    tap = sum(int(r["packets_in"]) for r in rows if r["scope"] == "tap")
    written = blackout.truth["written"]
    rest = written["packets"] - written["packets_in"] - written["packets_out"]
    assert tap == pytest.approx(rest, rel=0.06)
    parts = sum(int(r["flows"]) for r in rows if r["scope"].startswith("prefix:"))
    assert parts == total["flows"]


def test_bins_are_empty_in_the_outage_and_its_scope_only(unicom, tmp_path):
    synth(HERE / "unicom-down.ini", "--bins", tmp_path / "b.csv")
    outage, = unicom.truth["outages"]
    dark = [r for r in read_bins(tmp_path / "b.csv")
            if seconds(outage["onset"]) <= seconds(r["time"]) < seconds(outage["end"]) - 60]
    assert sum(int(r["packets_out"]) for r in dark if r["scope"] == "path:china-unicom") == 0
    assert sum(int(r["packets_in"]) for r in dark if r["scope"] == "path:china-unicom") > 500
    assert sum(int(r["packets_out"]) for r in dark if r["scope"] == "path:transtelecom") > 500
    assert sum(int(r["packets_in"]) for r in dark if r["scope"] == "tap") > 500


def test_bins_know_tap_faults(blind, tmp_path):
    synth(HERE / "tap-fault-day.ini", "--bins", tmp_path / "b.csv", "--scopes", "all,tap", "--bin", 10)
    rows = read_bins(tmp_path / "b.csv")
    assert {r["scope"] for r in rows} == {"all", "tap"}
    fault = next(f for f in blind.truth["tap_faults"] if f["name"] == "blind")
    inside_fault = [r for r in rows if seconds(fault["from"]) <= seconds(r["time"]) < seconds(fault["to"]) - 10]
    assert len(inside_fault) > 400
    assert all(int(r[key]) == 0 for r in inside_fault for key in list(r)[2:-1])


def test_bursty_visits_are_more_varied_than_chance(tmp_path):
    script = write_script(tmp_path)
    text = script.read_text().replace("http = 20", "http = 20\nflows-per-visit = 5\nday-amplitude = 0").replace(
        "to = 2025-03-03 03:00:00", "to = 2025-03-13 00:00:00")
    script.write_text(text)
    synth(script, "--bins", tmp_path / "b.csv", "--scopes", "service")
    counts = [int(r["answered_flows"]) for r in read_bins(tmp_path / "b.csv")]
    mean = sum(counts) / len(counts)
    variance = sum((c - mean) ** 2 for c in counts) / len(counts)
    assert mean == pytest.approx(20, rel=0.05)
    assert variance / mean == pytest.approx(9, rel=0.2)  # 2 * 5 - 1 for geometric visits


# -- bad scripts ----------------------------------------------------------------------------------------------------

GOOD = "[scenario]\nname = x\nfrom = 2025-01-01 00:00:00\nto = +1h\nwatch = 10.0.0.0/24\n"


@pytest.mark.parametrize("text, line, says", [
    ("[scenario]\nname = x\n", 1, "needs name, from"),
    ("name = x\n", 1, "before any"),
    ("", 0, "no \\[scenario\\]"),
    (GOOD + "colour = blue\n", 6, "no such key"),
    (GOOD + "[weather]\nsun = 1\n", 6, "no such kind of section"),
    (GOOD + "[outage]\nfrom = +1m\n", 6, "\\[outage NAME\\]"),
    (GOOD + "[outage a]\nfrom = yesterday\n", 7, "not an instant"),
    (GOOD + "[outage a]\nfrom = +10m\nto = +5m\n", 6, "in order"),
    (GOOD + "[outage a]\nfrom = +10m\nto = +15m\nscope = path:moon\n", 6, "path:moon"),
    (GOOD + "[outage a]\nfrom = +10m\nto = +15m\nscope = prefix:11.0.0.0/24\n", 6, "names no watched"),
    (GOOD + "[outage a]\nfrom = +1m\nto = +5m\nrecovery = ragged 5m\n", 6, "order"),
    (GOOD + "[outage a]\ndepth = 3\n", 7, "not a share"),
    (GOOD + "[outage a]\nflicker = soon\n", 7, "flicker"),
    (GOOD + "[service a]\nhost = 10.0.0.1\nhttp = many\n", 8, "not a rate"),
    (GOOD + "[service a]\nhost = 10.0.0.1\n", 6, "no clients"),
    (GOOD + "[service a]\nhost = 10.9.0.1\nclients = 192.0.2.1\n", 6, "watched"),
    (GOOD + "[service a]\nhost = nowhere\nclients = 192.0.2.1\n", 6, "nowhere"),
    (GOOD + "[host a]\naddress = 10.0.0.1\n[host a]\naddress = 10.0.0.2\n", 8, "that name already"),
    (GOOD + "[host a]\naddress = 10.0.0.300\n", 7, "not an IPv4 address"),
    (GOOD + "[path a]\nprefix = 10.0.0.1/24\n", 7, "host bits"),
    (GOOD + "[path a]\nmac = 02:00\n", 7, "MAC"),
    (GOOD + "[scan a]\nrate = 1\n", 6, "no source"),
    (GOOD + "[burst a]\nservice = b\nevery = 1h\n", 6, "no service"),
    (GOOD + "[service b]\nhost = 10.0.0.1\nclients = 192.0.2.1\n"
     "[burst a]\nservice = b\nat = 2024-12-31 23:00:00\n", 9, "before the scenario"),
    (GOOD + "[scan a]\nrate = 1\nsource = 192.0.2.1\nfrom = 2024-12-31 23:00:00\n", 6, "before the scenario"),
    (GOOD + "[tap-fault a]\nloses = heart\n", 7, "neither everything"),
    (GOOD + "[tap-fault a]\nloses = vlan x\n", 7, "vlan x"),
    (GOOD + "[outage a]\n[host b]\naddress = 10.0.0.1\n", 6, "empty"),
    (GOOD + "[outage a]\n", 6, "empty"),
    (GOOD + "[strain a]\nfrom = +5m\nto = +2m\n", 6, "in order"),
    (GOOD + "[move a]\nfrom = +5m\nto = +9m\nprefix = 10.0.0.0/24\npath = moon\n", 6, "no path"),
    (GOOD + "[forged a]\nfrom = +5m\nto = +9m\nsource = 192.0.2.1\ntarget = 192.0.2.2\ntarget-port = 9\nrate = 1\n", 6,
     "watched source"),
    (GOOD + "[block a]\nfrom = +5m\nto = +9m\n", 6, "no clients"),
    (GOOD + "[expect a]\nverdict = internal\n", 6, "not why"),
    (GOOD + "[outage a]\nunreachable = 10% gone\n", 7, "not a refusal"),
    (GOOD + "[outage a]\nunreachable = 10% prohibited by nobody\n", 7, "not a refusal"),
    (GOOD + "just words\n", 6, "neither \\[section\\]"),
    (GOOD + "note = " + "x" * 300 + "\n", 6, "too long"),
])
def test_a_bad_script_is_refused_with_file_and_line(text, line, says, tmp_path):
    script = tmp_path / "bad.ini"
    script.write_text(text)
    done = subprocess.run([SYNTH, script, "--truth", tmp_path / "t.json"], capture_output=True, text=True)
    assert done.returncode == 2
    assert re.fullmatch(rf"synth: {re.escape(str(script))}:{line}: .*{says}.*\n", done.stderr), done.stderr
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize("arguments, status, says", [
    (["missing.ini", "--bins", "x"], 2, "missing.ini: No such file"),
    ([HERE / "example.ini"], 2, "say what to write"),
    ([HERE / "quiet-day.ini", "--bins", "/nowhere/x.csv"], 1, "/nowhere/x.csv: cannot be written"),
    ([HERE / "example.ini", "--truth", "/nowhere/x.json"], 1, "/nowhere/x.json: cannot be written"),
    ([HERE / "quiet-day.ini", "--bins", "/dev/full"], 1, "/dev/full: cannot be written: No space"),
    ([HERE / "example.ini", "--pcap", "/dev/full"], 1, "/dev/full: cannot be written: No space"),
    ([HERE / "quiet-day.ini", "--bins", "-", "--scopes", "all,moon"], 2, "--scopes takes"),
    ([HERE / "example.ini", "--bins", "x"], 2, "--bins cannot show"),
    ([HERE / "example.ini", "--pcap", "x", "--tap", "moon"], 2, "--tap: moon is neither"),
    ([HERE / "example.ini", "--pcap", "x", "--tap", "inward,outward"], 2, "exclude each other"),
    ([HERE / "quiet-day.ini", "--bins", "x", "--zstd", "99"], 2, "out of its range"),
])
def test_bad_arguments_are_refused_in_one_line(arguments, status, says, tmp_path):
    done = subprocess.run([SYNTH, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status
    assert done.stderr.startswith("synth: ") and done.stderr.count("\n") == 1
    assert says in done.stderr


def test_help_tells_every_section_and_key():
    text = synth("--help")
    for line in (HERE / "example.ini").read_text().splitlines():
        word = re.match(r"\[?([a-z-]+)", line)
        if word:
            assert re.search(rf"\b{word[1]}\b", text), word[1]
