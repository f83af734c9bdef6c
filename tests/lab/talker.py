#!/usr/bin/python3
"""Stands in for owltd where a test is about frames: `talker.py -c owltd.json` sends numbered datagrams on
each link until SIGTERM, says `ready`, and writes {"sent", "received"} beside its configuration."""
import json
import select
import signal
import socket
import sys
import time

path = sys.argv[2]
links = []
for link in json.load(open(path))["links"]:
    host, port = link["local"].split(":")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((host, int(port)))
    host, port = link["remote"].split(":")
    links.append((s, (host, int(port))))
sent = [0] * len(links)
received = [0] * len(links)
stopping = False


def stop(*_):
    global stopping
    stopping = True


def take(until):
    while True:
        left = max(0, until - time.monotonic())
        found = select.select([s for s, _ in links], [], [], left)[0]
        for k, (s, _) in enumerate(links):
            if s in found:
                s.recvfrom(70000)
                received[k] += 1
        if not found and left == 0:
            return


signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
n = 0
while not stopping:
    for k, (s, remote) in enumerate(links):
        size = (60000, 1000, 100, 1)[n % 40 if n % 40 < 4 else n % 3 + 1]
        s.sendto(b"\x9f" + n.to_bytes(4, "big") + b"x" * size, remote)
        sent[k] += 1
    n += 1
    take(time.monotonic() + 0.005)
take(time.monotonic())
json.dump({"sent": sent, "received": received}, open(path.replace("owltd.json", "talk.json"), "w"))
