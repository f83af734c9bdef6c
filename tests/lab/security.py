#!/usr/bin/python3
"""Bundles for tests/lab/security.sh, made by changing captured bytes.

  security.py make CAPTURE_HEX OUT   reads hex lines (udp payloads of one link), writes OUT/NAME.bundle
  security.py cut CAPTURE_HEX OUT SERVICE  the fragments for that service, the last byte of the last one's
                                     payload changed, into one file: each with its length in front
  security.py send LOCAL REMOTE FILE one datagram
  security.py flood LOCAL REMOTE FILE  what cut has made

CBOR by hand for what must keep its bytes: a bundle is split into its blocks, blocks that are changed get
their CRC-32C anew, everything else stays as it was captured."""
import pathlib
import socket
import struct
import sys
import time

import cbor2

BIB, BCB = 11, 12


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def encode(block, kind):
    """A block with its CRC, if it has one, made right."""
    if kind != 2:
        return cbor2.dumps(block)
    head = cbor2.dumps(block[:-1] + [b"\0\0\0\0"])
    return head[:-4] + crc32c(head).to_bytes(4, "big")


def bundle(blocks):
    return b"\x9f" + encode(blocks[0], blocks[0][2]) + b"".join(encode(b, b[3]) for b in blocks[1:]) + b"\xff"


def asb(block):
    """The items of an abstract security block."""
    items, data = [], block[4]
    while data:
        item = cbor2.loads(data)
        items.append(item)
        data = data[len(cbor2.dumps(item)):]
    return items


def with_asb(block, items):
    return block[:4] + [b"".join(cbor2.dumps(i) for i in items)] + block[5:]


def make(lines, out):
    known = {}
    for line in open(lines):
        raw = bytes.fromhex(line.strip())
        blocks = cbor2.loads(raw)
        if any(b[0] == BCB for b in blocks[1:]):
            assert bundle(blocks) == raw, "what is not changed keeps its bytes"
            known.setdefault(blocks[0][6][1], blocks)
    blocks = known[min(known)]
    first = next(i for i, b in enumerate(blocks[1:], 1) if b[0] == BCB)
    payload = len(blocks) - 1

    def put(name, b):
        pathlib.Path(out, name + ".bundle").write_bytes(bundle(b))

    put("replayed", blocks)

    tampered = [list(b) for b in blocks]
    data = bytearray(tampered[payload][4])
    data[len(data) // 2] ^= 1
    tampered[payload][4] = bytes(data)
    put("tampered", tampered)

    unknown = [list(b) for b in blocks]
    items = asb(unknown[first])
    items[1] = 99
    unknown[first] = with_asb(unknown[first], items)
    put("unknown", unknown)

    conflicting = [list(b) for b in blocks]
    again = list(conflicting[first])
    again[1] = 1 + max(b[1] for b in blocks[1:])
    put("conflicting", conflicting[:first] + [again] + conflicting[first:])

    # Earth's bundle without any security: its primary block gets a CRC, the payload is as it stands.
    primary = list(blocks[0])
    primary[2] = 2
    missing = [primary + [b"\0\0\0\0"]] + [b for b in blocks[1:] if b[0] not in (BIB, BCB)]
    put("missing", missing)

    # Another lifetime: the signed primary block is not what it was.
    forged = [list(b) for b in blocks]
    forged[0][7] += 1
    put("forged", forged)


def cut(lines, out, service):
    pieces = {}
    for line in open(lines):
        raw = bytes.fromhex(line.strip())
        blocks = cbor2.loads(raw)
        primary = blocks[0]
        if primary[1] & 1 and primary[3][1] == [3, int(service)]:
            pieces[primary[8]] = raw
            total = primary[9]
    last = max(pieces)
    assert cbor2.loads(pieces[last])[-1][3] == 0, "a secured payload has no CRC"
    assert last + len(cbor2.loads(pieces[last])[-1][4]) == total, "all were captured"
    raw = bytearray(pieces[last])
    raw[-2] ^= 1  # in front of the break
    pieces[last] = bytes(raw)
    with open(out, "wb") as f:
        for raw in pieces.values():
            f.write(struct.pack(">I", len(raw)) + raw)


def open_link(local, remote):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    host, port = local.split(":")
    s.bind((host, int(port)))
    host, port = remote.split(":")
    s.connect((host, int(port)))
    return s


def send(local, remote, path):
    open_link(local, remote).send(open(path, "rb").read())


def flood(local, remote, path):
    s, data, at = open_link(local, remote), open(path, "rb").read(), 0
    while at < len(data):
        n = struct.unpack_from(">I", data, at)[0]
        s.send(data[at + 4:at + 4 + n])
        at += 4 + n
        time.sleep(0.001)  # at most the rate of the link


{"make": make, "cut": cut, "send": send, "flood": flood}[sys.argv[1]](*sys.argv[2:])
