#!/usr/bin/python3
"""flood.py FROM_PORT TO_PORT N SEED: N datagrams to 127.0.0.1: random bytes, truncated and mutated
bundles, in turn. Paced by what the receiver takes, however slow it is: what waits in its socket stays far below what
any kernel gives it, so none is lost on the way. Ends when all are taken."""
import random, socket, sys, time

src, dst, n, seed = map(int, sys.argv[1:5])
good = bytes.fromhex("9f880700028202820205820282010182028201018200001a000f424044000000008501010000454142434445ff")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", src))
s.connect(("127.0.0.1", dst))
r = random.Random(seed)


def wait_for(most):
    """Until at most so many bytes, by the kernel's count, wait in the receiver's socket."""
    here = "0100007F:%04X" % dst
    while True:
        with open("/proc/net/udp") as f:
            waits = [int(l.split()[4].split(":")[1], 16) for l in f if l.split()[1] == here]
        if not waits or waits[0] <= most:
            return
        time.sleep(0.0005)


for i in range(n):
    if i % 3 == 0:
        d = r.randbytes(r.randrange(0, 1200))
    elif i % 3 == 1:
        d = good[: r.randrange(len(good))]
    else:
        d = bytearray(good)
        d[r.randrange(len(d))] ^= 1 << r.randrange(8)
    try:
        s.send(bytes(d))
    except OSError:
        pass
    if i % 16 == 15:
        wait_for(50000)
wait_for(0)
print(n)
