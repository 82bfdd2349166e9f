# SPDX-License-Identifier: BSD-3-Clause
"""Captures that are not as they should be, by number: mutant(n) is the same bytes on every machine.

What a capture holds (packets of the golden captures, of the samples, of the fuzzers' seeds, an outage made here) is
written in one of the formats there are, with a note of where its lengths, types and times stand, in the file's own
headers and in those of the packets; then it is damaged, and sometimes packed, and damaged again."""

import ctypes
import functools
import gzip
import random
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
# As libpcap numbers them, but for those that it numbers otherwise in a file.
LINK_TYPES = [1, 12, 0, 108, 113, 276, 9, 104, 107, 228, 229, 239, 117, 197, 219, 50, 51, 105, 127, 100]
OF_FILES = {12: 101, 100: 100}
NS = 1_000_000_000
START_NS = 1749081600 * NS


class Packet(NamedTuple):
    link: int
    time_ns: int
    data: bytes


class Field(NamedTuple):
    """A number in a capture that a reader goes by."""
    at: int
    width: int
    order: str  # as struct writes it
    kind: str  # length, type, link, time


class Capture(NamedTuple):
    data: bytes
    fields: list  # of Field
    records: list  # (begin, end) of each packet's record or block
    packets: int
    pcap: bool


# ---- what there is to be damaged ----

def packets_of(path, most):
    """The first packets of a plain pcap file of either byte order."""
    data = path if isinstance(path, bytes) else path.read_bytes()
    order, at, found = "<" if data[:1] in b"\xd4\x4d" else ">", 24, []
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    while at + 16 <= len(data) and len(found) < most:
        seconds, fraction, captured, _ = struct.unpack(order + "4I", data[at:at + 16])
        if at + 16 + captured > len(data):
            break
        found.append(Packet(link, seconds * NS + fraction * 1000, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return found


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return 0xffff - ((total & 0xffff) + (total >> 16))


def ip4(source, destination, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, bytes(source), bytes(destination))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(source, destination, ports, payload):
    return ip4(source, destination, 17, struct.pack(">4H", *ports, 8 + len(payload), 0) + payload)


def outage():
    """An hour and a half of questions and answers, with 25 minutes in which nobody answers, beside a tap that goes on."""
    frame = bytes.fromhex("020000000101020000000102") + b"\x08\x00"
    chance, packets, now = random.Random(4711), [], START_NS
    question = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0\4kcna\2kp\0\0\1\0\1"
    for minute in range(95):
        for second in range(0, 60, 10):
            now = START_NS + (minute * 60 + second) * NS
            port, outside = chance.randrange(1024, 65536), (198, 51, 100, chance.randrange(256))
            packets.append(Packet(1, now, frame + udp(outside, (198, 18, 0, 1), (port, 53), question)))
            packets.append(Packet(1, now + NS, frame + udp(outside, (192, 0, 2, 53), (port, 53), question)))
            if not 60 <= minute < 85:
                packets.append(Packet(1, now + NS + 7, frame + udp((192, 0, 2, 53), outside, (53, port), question)))
    return packets


def sample_packets(name, most):
    """The first packets of a sample, which is a pcap file in zstd."""
    with subprocess.Popen(["zstdcat", TOP / "samples" / name], stdout=subprocess.PIPE) as cat:
        head = cat.stdout.read(most * 200)
        cat.kill()
    return packets_of(head, most)


def decoder_seeds():
    """The seeds of the decoder's fuzzer, each a packet: they are of all link types."""
    folder = TOP / "tests" / "fuzz" / "seeds" / "decode"
    for number, path in enumerate(sorted(folder.iterdir())):
        data = path.read_bytes()
        link = LINK_TYPES[data[0] % (len(LINK_TYPES) + 1) - 1]
        yield Packet(OF_FILES.get(link, link), START_NS + number * NS // 7, data[2:])


def talk_seeds():
    """Those of the flow table's."""
    data, at, now, found = (TOP / "tests" / "fuzz" / "seeds" / "flow" / "talk-0").read_bytes(), 1, START_NS, []
    while at + 3 < len(data):
        length = data[at + 1] << 8 | data[at + 2]
        now += data[at] * NS // 4
        found.append(Packet(101, now, data[at + 3:at + 3 + length]))
        at += 3 + length
    return found


@functools.cache
def contents():
    """Each a list of packets. The order counts: it is part of what a number means."""
    golden = [packets_of(path, 60) for path in sorted((TOP / "tests" / "golden").glob("*.pcap"))]
    samples = [sample_packets(name, 150) for name in ("blackout-2025-06.pcap.zst", "attack.pcap.zst", "one-upstream.pcap.zst")]
    mixed = list(decoder_seeds())
    return [packets for packets in golden if packets] + samples * 3 + [mixed[i::6] for i in range(6)] + [talk_seeds(), outage()]


@functools.cache
def tables():
    """Tables of bins."""
    return [path.read_bytes() for path in sorted((TOP / "tests" / "fuzz" / "seeds" / "bins").glob("*.csv"))]


# ---- where the numbers are ----

def fields_of_transport(data, at, protocol, end):
    if protocol == 6 and at + 20 <= end:
        yield Field(at + 12, 1, ">", "length")
        payload = at + (data[at + 12] >> 4) * 4
        for offset, width in ((3, 2), (6, 2), (43, 1)):  # a TLS record, its message, the session
            if payload + offset + width <= end:
                yield Field(payload + offset, width, ">", "length")
    elif protocol == 17 and at + 8 <= end:
        yield Field(at + 2, 2, ">", "type")
        yield Field(at + 4, 2, ">", "length")
        for offset, width in ((0, 1), (1, 1), (2, 2), (4, 2), (6, 2), (12, 1)):  # of DNS its counts, of tunnels their headers
            if at + 8 + offset + width <= end:
                yield Field(at + 8 + offset, width, ">", "length" if offset else "type")
    elif protocol in (47, 1, 58, 115) and at + 8 <= end:
        yield from (Field(at, 2, ">", "type"), Field(at + 2, 2, ">", "type"), Field(at + 4, 2, ">", "length"))


def find_fields(data):
    """Those of every IP header in it, however deep, and of what it carries; of the rest, those of the link's header."""
    end, at = len(data), 0
    while at + 20 <= end:
        first = data[at]
        if 0x45 <= first <= 0x4f and at + (data[at + 2] << 8 | data[at + 3]) <= end and data[at + 8]:
            yield from (Field(at, 1, ">", "length"), Field(at + 2, 2, ">", "length"), Field(at + 6, 2, ">", "length"),
                        Field(at + 9, 1, ">", "type"))
            head = (first & 15) * 4
            yield from fields_of_transport(data, at + head, data[at + 9], end)
            at += head
        elif first >> 4 == 6 and at + 40 <= end and at + 40 + (data[at + 4] << 8 | data[at + 5]) <= end and data[at + 7]:
            yield from (Field(at + 4, 2, ">", "length"), Field(at + 6, 1, ">", "type"), Field(at + 40, 1, ">", "type"))
            yield from fields_of_transport(data, at + 40, data[at + 6], end)
            at += 40
        else:
            if at in (0, 2, 4, 12, 14, 16, 18) and at + 2 <= end:
                yield Field(at, 2, ">", "type")
            at += 1


@functools.cache
def fields_of_packet(data):
    return list(find_fields(data))


class Writer:
    """Bytes, and where its numbers stand."""

    def __init__(self, order):
        self.data, self.order, self.fields, self.records, self.packets = bytearray(), order, [], [], 0

    def number(self, width, value, kind=None):
        if kind:
            self.fields.append(Field(len(self.data), width, self.order, kind))
        self.data += (value % (1 << 8 * width)).to_bytes(width, "little" if self.order == "<" else "big")

    def packet(self, data, pad=0):
        at = len(self.data)
        self.data += data + bytes(-len(data) % pad if pad else 0)
        self.fields += [Field(at + field.at, *field[1:]) for field in fields_of_packet(data)]
        self.packets += 1

    def capture(self, pcap):
        return Capture(bytes(self.data), self.fields, self.records, self.packets, pcap)


def write_pcap(packets, order, magic):
    """One link type: that of the first packet."""
    out = Writer(order)
    out.number(4, magic, "type")
    out.number(2, 2, "type")
    out.number(2, 4, "type")
    out.number(8, 0)
    out.number(4, 262144, "length")
    out.number(4, packets[0].link, "link")
    unit = 1 if magic == 0xa1b23c4d else 1000
    for _, time_ns, data in packets:
        begin = len(out.data)
        out.number(4, time_ns // NS, "time")
        out.number(4, time_ns % NS // unit, "time")
        out.number(4, len(data), "length")
        out.number(4, len(data), "length")
        if magic == 0xa1b2cd34:  # Kuznetzov's: interface, protocol, packet type, padding
            out.number(4, 1)
            out.number(4, 8)
        out.packet(data)
        out.records.append((begin, len(out.data)))
    return out.capture(True)


class Pcapng(Writer):
    def __init__(self, order):
        super().__init__(order)
        self.interfaces = {}

    def block(self, kind, body, options=()):
        """Begins with the type and ends with the length; `body` writes what is between."""
        begin = len(self.data)
        self.number(4, kind, "type")
        self.number(4, 0, "length")
        body()
        for code, value in options:
            self.number(2, code, "type")
            self.number(2, len(value), "length")
            self.data += value + bytes(-len(value) % 4)
        if options:
            self.number(4, 0)
        length = len(self.data) + 4 - begin
        self.number(4, length, "length")
        self.data[begin + 4:begin + 8] = length.to_bytes(4, "little" if self.order == "<" else "big")
        self.records.append((begin, len(self.data)))

    def section(self):
        self.interfaces = {}
        self.block(0x0a0d0d0a, lambda: (self.number(4, 0x1a2b3c4d, "type"), self.number(2, 1), self.number(2, 0),
                                        self.number(8, -1, "length")), [(4, b"mutant")])

    def interface(self, link, chance):
        resolution = chance.choice([6, 6, 9, 3, 0x80 | 10])
        options = [] if resolution == 6 else [(9, bytes([resolution]))]
        if chance.random() < 0.2:
            options.append((14, struct.pack(self.order + "q", 3600)))
        self.block(1, lambda: (self.number(2, link, "link"), self.number(2, 0), self.number(4, 262144, "length")), options)
        self.interfaces[link] = (len(self.interfaces), resolution)

    def enhanced(self, packet, chance):
        number, resolution = self.interfaces[packet.link]
        units = packet.time_ns * 1024 // NS if resolution & 0x80 else packet.time_ns // 10 ** (9 - resolution)
        old = chance.random() < 0.05
        self.block(2 if old else 6, lambda: (
            self.number(2 if old else 4, number, "type"), self.number(2, 0) if old else None,
            self.number(4, units >> 32, "time"), self.number(4, units, "time"), self.number(4, len(packet.data), "length"),
            self.number(4, len(packet.data), "length"), self.packet(packet.data, 4)),
            [(2, b"\0\0\0\1")] if chance.random() < 0.1 else ())

    def simple(self, packet):
        self.block(3, lambda: (self.number(4, len(packet.data), "length"), self.packet(packet.data, 4)))

    def other(self, chance):
        kind = chance.choice([4, 5, 0xbad, 0x40000bad, 10])
        self.block(kind, lambda: self.data.extend(bytes(chance.randrange(256) for _ in range(4 * chance.randrange(8)))))


def write_pcapng(packets, order, chance):
    out = Pcapng(order)
    out.section()
    links = 0
    for packet in packets:
        if chance.random() < 0.01:
            out.section()
        if chance.random() < 0.03:
            out.other(chance)
        if packet.link not in out.interfaces:
            out.interface(packet.link, chance)
            links += 1
        if out.interfaces[packet.link][0] == 0 and chance.random() < 0.05:
            out.simple(packet)
        else:
            out.enhanced(packet, chance)
    return out.capture(False)


MAGICS = [0xa1b2c3d4, 0xa1b2c3d4, 0xa1b2c3d4, 0xa1b23c4d, 0xa1b23c4d, 0xa1b2cd34]


def whole(chance):
    """A capture without damage."""
    content = chance.choice(contents())
    if len(content) > 200 and chance.random() < 0.7:  # the outage takes its time
        content = contents()[chance.randrange(len(contents()) - 1)]
    order = chance.choice("<<>")
    if chance.random() < 0.4:
        return write_pcapng(content, order, chance)
    if content[0].link != content[-1].link:
        content = [packet for packet in content if packet.link == content[chance.randrange(len(content))].link] or content
    return write_pcap(content, order, chance.choice(MAGICS))


# ---- damage ----

ABSURD = {
    "length": [0, 1, 2, 3, 4, 7, 8, 11, 12, 15, 16, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 0xffff, 0x10000, 262144, 262145,
               0x1000000, 0x1000001],
    "type": [0, 1, 4, 5, 6, 0x0a0d0d0a, 0xffff, 0x0800, 0x86dd, 0x8100, 0x8847, 0x6558, 41, 47, 17, 4789, 4754, 3544, 50, 44, 60],
    "link": LINK_TYPES + [101, 147, 249, 65535, 0x10000001, 0x50000001, 195],
    "time": [0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 999999, 1000000, 999999999, 1000000000],
}


def spoil(data, field, chance):
    """Another number where one stands."""
    little = "little" if field.order == "<" else "big"
    if field.at + field.width > len(data):
        return
    now = int.from_bytes(data[field.at:field.at + field.width], little)
    how = chance.random()
    if how < 0.45:
        value = chance.choice(ABSURD[field.kind])
    elif how < 0.8:
        value = now + chance.choice([-8, -4, -2, -1, 1, 2, 4, 8, 1000, -1000, 86400, -86400])
    else:
        value = now ^ 1 << chance.randrange(8 * field.width)
    data[field.at:field.at + field.width] = (value % (1 << 8 * field.width)).to_bytes(field.width, little)


def cut(data, capture, chance):
    del data[chance.randrange(len(data) + 1):]


def cut_in_a_head(data, capture, chance):
    begin, end = chance.choice(capture.records)
    del data[min(end, begin + chance.randrange(33)):]


def flip(data, capture, chance):
    for _ in range(chance.choice([1, 1, 1, 2, 8, 64])):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def insert(data, capture, chance):
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.choice([1, 2, 4, 8, 16, 100]))


def delete(data, capture, chance):
    at = chance.randrange(len(data) + 1)
    del data[at:at + chance.choice([1, 2, 4, 8, 16, 100])]


def overwrite(data, capture, chance):
    at, length = chance.randrange(len(data) + 1), chance.choice([1, 4, 16, 64])
    data[at:at + length] = chance.choice([bytes(length), b"\xff" * length, chance.randbytes(length)])[:max(0, len(data) - at)]


def repeat(data, capture, chance):
    begin, end = chance.choice(capture.records)
    data[begin:begin] = bytes(data[begin:end]) * chance.choice([1, 1, 2, 50])


def swap(data, capture, chance):
    a, b = sorted(chance.choice(capture.records) for _ in range(2))
    if a[1] <= b[0]:
        data[a[0]:b[1]] = data[b[0]:b[1]] + data[a[1]:b[0]] + data[a[0]:a[1]]


def drop(data, capture, chance):
    begin, end = chance.choice(capture.records)
    del data[begin:end]


def absurd(data, capture, chance):
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        spoil(data, chance.choice(capture.fields), chance)


def absurd_head(data, capture, chance):
    """In the file's own headers, of which there are few."""
    spoil(data, capture.fields[min(len(capture.fields) - 1, chance.randrange(12))], chance)


def other_link(data, capture, chance):
    links = [field for field in capture.fields if field.kind == "link"]
    spoil(data, chance.choice(links), chance)


def other_time(data, capture, chance):
    times = [field for field in capture.fields if field.kind == "time"]
    for _ in range(chance.choice([1, 1, 3])):
        spoil(data, chance.choice(times), chance)


def glue(data, capture, chance):
    data += whole(chance).data


def glue_rubbish(data, capture, chance):
    data += chance.choice([b"\0", b"\0" * 16, b"\xff" * 40, chance.randbytes(24)])


DAMAGES = [cut, cut, cut_in_a_head, flip, flip, insert, delete, overwrite, repeat, swap, drop, absurd, absurd, absurd, absurd, absurd,
           absurd_head, other_link, other_time, glue, glue_rubbish]


@functools.cache
def zstd():
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return library


def pack_zstd(data):
    room = zstd().ZSTD_compressBound(len(data))
    out = ctypes.create_string_buffer(room)
    return out.raw[:zstd().ZSTD_compress(out, room, bytes(data), len(data), 1)]


def pack_gzip(data):
    return gzip.compress(bytes(data), 1, mtime=0)


def bomb(capture, chance):
    """Little that becomes much: packets of no bytes, or a block that has no end."""
    head = capture.data[:capture.records[0][0]] if capture.pcap else capture.data[:capture.records[min(2, len(capture.records) - 1)][1]]
    return head + chance.choice([b"\0", b"\0", b"\x01", b"\xff"]) * chance.choice([1 << 20, 1 << 23, 20 << 20])


def pack(data, capture, chance):
    """As gzip or zstd, whole or damaged; in pieces, as rotated files are when they are put together; or a bomb."""
    packer = chance.choice([pack_gzip, pack_zstd])
    how = chance.random()
    if how < 0.02:
        return packer(bomb(capture, chance))
    if how < 0.2:
        at = chance.randrange(len(data) + 1)
        packed = bytearray(packer(data[:at]) + chance.choice([b"", b"\0" * 7, b"x"]) + chance.choice([pack_gzip, packer, packer])(data[at:]))
    elif how < 0.25:
        packed = bytearray(pack_zstd(packer(data)))
    else:
        packed = bytearray(packer(data))
    if chance.random() < 0.6:
        chance.choice([cut, flip, flip, delete, insert, overwrite])(packed, None, chance)
    return bytes(packed)


class Mutant(NamedTuple):
    data: bytes
    whole: Capture  # before the damage
    damages: tuple  # their names
    plain: bool  # not packed

    @property
    def pcap(self):
        return self.plain and self.data[:4] != b"\x0a\x0d\x0d\x0a"


def capture_mutant(chance):
    capture = whole(chance)
    data, damages = bytearray(capture.data), []
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        damage = chance.choice(DAMAGES)
        if data:
            damage(data, capture, chance)
            damages.append(damage.__name__)
    packed = chance.random() < 0.2
    return Mutant(pack(data, capture, chance) if packed else bytes(data), capture, tuple(damages), not packed)


NUMBERS = ["", "-1", "0", "1e309", "-1e308", "nan", "inf", "18446744073709551616", "9223372036854775807", "0x10", "1.5", "x", '"', "1" * 400]
TIMES = ["", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2025-06-05T10:00:00+99:99", "0000-00-00T00:00:00Z",
         "2025-02-30T00:00:00Z", "2025-06-05", "292277026596-12-04T15:30:08Z", "2262-04-11T23:47:16Z"]


def table_mutant(chance):
    """A table of bins of which cells, rows, columns and bytes are not as they were."""
    lines = [line.split(",") for line in chance.choice(tables()).decode("latin-1").splitlines()]
    lines = lines[:1] + lines[1:][:chance.randrange(2, 400)]
    for _ in range(chance.choice([1, 1, 2, 5])):
        how, row = chance.randrange(6), chance.randrange(len(lines))
        if how == 0:
            lines[row][chance.randrange(len(lines[row]))] = chance.choice(NUMBERS + TIMES)
        elif how == 1:
            lines[row][0] = chance.choice(TIMES)
        elif how == 2:
            lines.insert(row, list(chance.choice(lines)))
        elif how == 3 and len(lines) > 1:
            del lines[row]
        elif how == 4:
            column = chance.randrange(len(lines[0]))
            for line in lines:
                del line[column:column + 1]
            lines = [line or [""] for line in lines]
        else:
            lines[row] = lines[row][:chance.randrange(len(lines[row]) + 1)] or [""]
    data = bytearray("\n".join(",".join(line) for line in lines).encode("latin-1") + b"\n")
    if chance.random() < 0.4:
        chance.choice([cut, flip, insert, delete, overwrite])(data, None, chance)
    return bytes(data)
