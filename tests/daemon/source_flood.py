"""source_flood.py FROM_PORT TO_PORT N SOURCE DEST [FIRST]: N different valid bundles of one source node, as fast
as the socket takes them. CRC-16 on the primary block only, made here."""
import socket
import struct
import sys

TABLE = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ 0x8408 if i & 1 else i >> 1
    TABLE.append(i)


def crc16(data):
    crc = 0xffff
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 255]
    return crc ^ 0xffff


def uint(v):
    return bytes([v]) if v < 24 else b"\x18" + bytes([v]) if v < 256 else b"\x19" + struct.pack(">H", v) \
        if v < 65536 else b"\x1a" + struct.pack(">I", v)


def bundle(source, dest, seq, payload):
    primary = b"\x89\x07\x00\x01\x82\x02\x82" + uint(dest[0]) + uint(dest[1]) + b"\x82\x02\x82" + uint(source) + \
        b"\x01\x82\x01\x00\x82\x1b" + struct.pack(">Q", 800000000000) + uint(seq) + b"\x1b" + \
        struct.pack(">Q", 10 ** 12) + b"\x42\x00\x00"
    head = b"\x59" + struct.pack(">H", len(payload))
    return b"\x9f" + primary[:-2] + struct.pack(">H", crc16(primary)) + b"\x85\x01\x01\x00\x00" + head + payload + b"\xff"


def main():
    here, there, n, source = (int(a) for a in sys.argv[1:5])
    dest = tuple(int(v) for v in sys.argv[5].split("."))
    first = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind(("127.0.0.1", here))
    out.connect(("127.0.0.1", there))
    for seq in range(first, first + n):
        out.send(bundle(source, dest, seq, b"x" * 300))


main()
