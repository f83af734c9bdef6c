"""The wire between two daemons: passes datagrams on, loses the first one of each way that the tunnel depends on, and
writes a capture. usage: tunnel.py PORT_A WIRE_A WIRE_B PORT_B PCAP

PORT_A talks to WIRE_A, PORT_B to WIRE_B. In the capture everything is UDP between 10.0.0.1 and 10.0.0.2, port 4556."""
import select
import signal
import socket
import struct
import sys

BPDU, ANSWER = b"\x82\x07\x83", b"\x82\x08\x82"  # [7, [.., .., ..]], [8, [.., ..]]


def sockets(ports):
    out = []
    for p in ports:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", p))
        out.append(s)
    return out


def packet(from_a, data):
    """An IPv4 packet; checksum of UDP 0 is "none"."""
    a, b = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    udp = struct.pack("!HHHH", 4556, 4556, 8 + len(data), 0) + data
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + (a + b if from_a else b + a) + udp


def main():
    port_a, wire_a, wire_b, port_b = (int(x) for x in sys.argv[1:5])
    a, b = sockets((wire_a, wire_b))
    lost = set()
    with open(sys.argv[5], "wb", buffering=0) as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 228))  # LINKTYPE_IPV4
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("ready", flush=True)
        while True:
            for s in select.select([a, b], [], [])[0]:
                data = s.recv(65536)
                p = packet(s is a, data)
                out.write(struct.pack("<IIII", 0, 0, len(p), len(p)) + p)
                kind = BPDU if BPDU in data else ANSWER if ANSWER in data else None
                if kind and kind not in lost:
                    lost.add(kind)
                    continue
                if s is a:
                    b.sendto(data, ("127.0.0.1", port_b))
                else:
                    a.sendto(data, ("127.0.0.1", port_a))


main()
