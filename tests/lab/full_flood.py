#!/usr/bin/python3
"""full_flood.py RUN BYTES RATE OUT: the stranger of tests/lab/full.py, run in the namespace of node `flood`, whose
owltd is gone. Offers BYTES to the relay in bundles of 60 kB for ipn:3.77, every second one with custody, RATE bytes a
second; then sends a signal for earth through the full relay, listens, and writes what it was told to OUT. Until
OUT.stop is there it listens on: what was refused is not offered again."""
import hashlib
import json
import os
import sys
import time

import custody_wire as wire

SIZE = 60000


def main():
    run, total, rate, out = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    all_custody = len(sys.argv) > 5
    clock = json.load(open(run + "/run.json"))
    link = json.load(open(run + "/nodes/flood/owltd.json"))["links"][0]
    s = wire.open_link(link["local"], link["remote"])
    said = {True: set(), False: set()}
    n_signals = [0]

    def hear():
        while True:
            try:
                datagram = s.recv(70000)
            except BlockingIOError:
                return
            found = list(wire.read_signals(datagram))
            n_signals[0] += bool(found)
            for accepted, seq_id, number in found:
                assert seq_id == 5, seq_id
                said[accepted].add(number)

    begun = time.monotonic()
    sent = n = refused_by_kernel = 0
    fill = os.urandom(SIZE)
    while sent < total:
        n += 1
        payload = (b"%016d" % n + hashlib.sha256(b"%d" % n).digest() + fill)[:SIZE]
        custody = (n, 5, wire.ipn(9)) if n % 2 or all_custody else None
        data = wire.bundle(wire.ipn(9, 1), wire.ipn(3, 77), (wire.dtn_ms(clock), n), payload, flags=4,
                           custody=custody, crc=False)
        try:
            s.send(data)
        except BlockingIOError:
            refused_by_kernel += 1
        sent += len(data)
        hear()
        late = begun + sent / rate - time.monotonic()
        if late > 0:
            time.sleep(late)
    took = time.monotonic() - begun

    def tell():
        with open(out + ".new", "w") as f:
            json.dump({"bytes": sent, "seconds": took, "bundles": n, "custody": n if all_custody else (n + 1) // 2,
                       "accepted": sorted(said[True]), "refused": len(said[False]), "signals": n_signals[0],
                       "both": sorted(said[True] & said[False]), "not_sent": refused_by_kernel}, f)
        os.rename(out + ".new", out)

    quiet = time.monotonic() + 2
    while time.monotonic() < quiet:
        hear()
        time.sleep(0.01)
    # After that quiet nothing waits in the relay's socket, and the kernel drops no datagram there.
    s.send(wire.signal(wire.ipn(9), wire.ipn(1), (wire.dtn_ms(clock), 10 ** 9), True, 5, 10 ** 6, 1))
    tell()
    while not os.path.exists(out + ".stop"):
        hear()
        time.sleep(0.02)
    hear()
    tell()


main()
