"""Bundles with custody blocks and custody signals as bytes, made and read by hand (CCSDS 734.6): what a stranger on
a link sends, for tests/lab/full.py and tests/lab/forged.py. Nothing of Owlt's own code is in it."""
import socket
import time

import cbor2

CTEB, SIGNAL = 13, 13
DTN_EPOCH = 946684800


def table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


TABLE = table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def block(items):
    """A block whose last item is its CRC-32C."""
    head = cbor2.dumps(items + [b"\0\0\0\0"])
    return head[:-4] + crc32c(head).to_bytes(4, "big")


def ipn(node, service=0):
    return [2, [node, service]]


def dtn_ms(run_clock=None):
    """Lab time now, by the clock line of run.json."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if not run_clock:
        return int((time.time() - DTN_EPOCH) * 1000)
    return int(run_clock["dtn0_ms"] + (now - run_clock["mono0_ns"]) * run_clock["speed"] / 1e6)


def bundle(source, dest, stamp, payload, flags=0, lifetime=3600000, custody=None, crc=True):
    """stamp: (ms, sequence); custody: (number, sequence id, custodian). The payload block's CRC costs time."""
    out = b"\x9f" + block([7, flags, 2, dest, source, [1, 0], list(stamp), lifetime])
    if custody:
        number, seq_id, custodian = custody
        out += block([CTEB, 2, 1, 2, cbor2.dumps([number, seq_id, custodian])])
    if crc:
        return out + block([1, 1, 0, 2, payload]) + b"\xff"
    return out + cbor2.dumps([1, 1, 0, 0, payload]) + b"\xff"


def signal(source, dest, stamp, accepted, seq_id, first, count):
    """An administrative bundle that says what became of `count` numbers from `first` on."""
    record = cbor2.dumps([SIGNAL, {1 if accepted else -1: [[seq_id, first, count]]}])
    return bundle(source, dest, stamp, record, flags=2)


def read_signals(datagram):
    """(accepted, seq_id or EID, number) for each number that a custody signal in this datagram speaks of."""
    try:
        blocks = cbor2.loads(datagram)
        record = cbor2.loads(blocks[-1][4])
    except Exception:  # whatever a stranger hears on a link
        return
    if not blocks[0][1] & 2 or not isinstance(record, list) or record[0] != SIGNAL:
        return
    for disposition, sequences in record[1].items():
        for seq_id, first, runs in (s[:3] for s in sequences):
            at, runs = first, [runs] if isinstance(runs, int) else runs
            for k, n in enumerate(runs):
                for number in range(at, at + n) if k % 2 == 0 else ():
                    yield disposition == 1, seq_id, number
                at += n


def open_link(local, remote):
    """The end of a link whose node is gone."""
    def place(text):
        host, port = text.rsplit(":", 1)
        return host, int(port)

    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    s.bind(place(local))
    s.connect(place(remote))
    s.setblocking(False)
    return s
