#!/usr/bin/python3
"""Large payloads to and from one node: clients that vanish half way, that do not read, many at once.
Usage: streams.py SOCKET PID. The node has a stage of 1 MiB and no links."""
import json, os, sys, time
from node import *

path, pid = sys.argv[1], int(sys.argv[2])
failed = False


def check(name, good, what=""):
    global failed
    failed = failed or not good
    print(("ok " if good else "not ok ") + "streams_" + name, what if not good else "")


def rss_kb():
    return int([l for l in open("/proc/%d/status" % pid) if l.startswith("VmRSS")][0].split()[1])


def status(n):
    return json.loads(n.ask(STATUS, {})[1][PAYLOAD])


def until(what):
    """Asks the node until it is true."""
    end = time.monotonic() + 60
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


n = Node(path)
far = {DEST: "ipn:9.1", SOURCE: "ipn:1.77", LIFETIME: 600000}  # nowhere: it stays
counters = status(n)["counters"]

# a client that vanishes half way: what is stored of its data is deleted
c = Node(path)
tag = c.request(SEND, {**far, SIZE: 3000000})
for _ in range(20):
    c.request(PART, {PAYLOAD: bytes(65536)}, tag)
check("fragments_while_it_comes", until(lambda: status(n)["n_bundles"] >= 20), status(n))
c.s.close()
check("vanished_client_leaves_nothing", until(lambda: status(n)["n_bundles"] == 0), status(n))
deleted = status(n)["counters"]["bundle_deleted"] - counters["bundle_deleted"]
check("counted", 20 <= deleted <= 22, deleted)

# far more than the stage: the client has to wait, nothing is lost, memory stays
before = rss_kb()
kind, f = n.answer(n.stream(far, os.urandom(20000000), 65536))
check("more_than_the_stage", kind == ACCEPTED, (kind, f))
check("memory", rss_kb() - before < 12000, (before, rss_kb()))
check("stored", status(n)["n_bundles"] == (20000000 + 61439) // 61440, status(n))

# many clients at once, their parts in turn
clients = [Node(path) for _ in range(30)]
tags = [c.request(SEND, {**far, SIZE: 200000}) for c in clients]
for at in range(0, 200000, 40000):
    for c, t in zip(clients, tags):
        c.request(PART, {PAYLOAD: bytes(40000)}, t)
answers = [c.answer(t) for c, t in zip(clients, tags)]
check("many_clients", all(k == ACCEPTED for k, _ in answers), answers)
check("many_are_different", len({(f[CREATED], f[SEQ], f.get(SOURCE)) for _, f in answers}) == 30)
tags = [c.request(SEND, {**far, SIZE: 200000}) for c in clients[:29]] + [clients[29].request(SEND, {**far, SIZE: 200000}) for _ in range(4)]
check("node_limits_open_sends", clients[29].answer(tags[-1])[0] == REFUSED)
for c in clients:
    c.s.close()

# a reader that asks and does not read the answers stops only itself
kind, f = n.ask(REGISTER, {CREDIT_KEY: 1})
registration, eid = f[REGISTRATION], f[DEST]
big = os.urandom(1000000)
kind, f = n.answer(n.stream({DEST: eid, LIFETIME: 600000, FLAGS: 4}, big, 65536))
check("whole_bundle", kind == ACCEPTED, (kind, f))
kind, _, f = n.event()
before = rss_kb()
n.s.setblocking(False)
asked = []
try:
    while len(asked) < 20000:
        off = 65536 * (len(asked) % 15)
        asked.append((n.request(READ, {REGISTRATION: registration, ID: f[ID], OFFSET: off, SIZE: 65536}), off))
except BlockingIOError:
    n.tag -= 1
check("slow_reader_is_stopped", len(asked) < 20000, len(asked))
other = Node(path)
check("others_go_on", other.ask(STATUS, {})[0] == REPORT)
check("slow_reader_memory", rss_kb() - before < 4000, (before, rss_kb()))
n.s.settimeout(20)
check("slow_reader_gets_all", all(n.answer(t) == (PIECE, {PAYLOAD: big[off:off + 65536]}) for t, off in asked))
n.request(ACK, {REGISTRATION: registration, ID: f[ID]})
n.event()

# many deliveries to one that does not read them: beyond a little it is told sizes, the bytes stay in the store
r, w = Node(path), Node(path)
names = [r.ask(REGISTER, {CREDIT_KEY: 64})[1] for _ in range(4)]
bodies = {}
before = rss_kb()
for name in names:
    for _ in range(64):
        body = os.urandom(60000)
        kind, f = w.ask(SEND, {DEST: name[DEST], LIFETIME: 600000, PAYLOAD: body})
        bodies[(f[CREATED], f[SEQ])] = body
check("deliveries_not_read_memory", rss_kb() - before < 6000, (before, rss_kb()))
sizes = 0
while bodies:
    kind, _, f = r.event()
    if kind != DELIVERY:
        continue
    body = f.get(PAYLOAD) or r.read(f[REGISTRATION], f, 65536)
    sizes += PAYLOAD not in f
    if bodies.pop((f[CREATED], f[SEQ]), None) != body:
        check("deliveries_not_read", False, f)
        break
    r.request(ACK, {REGISTRATION: f[REGISTRATION], ID: f[ID]})
check("deliveries_are_all_read", not bodies and sizes > 0, (len(bodies), sizes))
r.s.close()
w.s.close()

# a writer that does not read refusals stops only itself too
c = Node(path)
c.s.setblocking(False)
n_sent = 0
try:
    while n_sent < 20000:
        c.request(PART, {PAYLOAD: b"x"}, 99)
        n_sent += 1
except BlockingIOError:
    pass
check("refused_writer_is_stopped", 64 <= n_sent < 20000, n_sent)
c.s.close()
c = Node(path)
c.request(SEND, {DEST: "nonsense", SIZE: 100000}, 7)
for _ in range(100):
    c.request(PART, {PAYLOAD: bytes(60000)}, 7)
c.s.close()
check("node_lives", status(n)["ready"] is True)
sys.exit(failed)
