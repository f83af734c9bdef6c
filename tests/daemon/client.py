#!/usr/bin/python3
"""A client written from owlt-protocol(7): sends, registers, receives, acknowledges.
Usage: client.py SOCKET_A SOCKET_B DEST_EID_ON_B. Prints "ok NAME" / "not ok NAME" lines."""
import os, sys
from node import *

failed = False


def check(name, good, what=""):
    global failed
    failed = failed or not good
    print(("ok " if good else "not ok ") + "python_" + name, what if not good else "")


a, b, dest = Node(sys.argv[1]), Node(sys.argv[2]), sys.argv[3]
check("hello", a.node == "ipn:1.0", a.node)
kind, f = b.ask(REGISTER, {DEST: dest, CREDIT_KEY: 1})
check("register", kind == REGISTERED and f[DEST] == dest, f)
registration = f[REGISTRATION]
kind, f = a.ask(SEND, {DEST: dest, LIFETIME: 60000, PAYLOAD: b"from python"})
check("send", kind == ACCEPTED and f[CREATED] > 0, (kind, f))
kind, _, f = b.event()
check("delivery", kind == DELIVERY and f.get(PAYLOAD) == b"from python" and f[DEST] == dest, (kind, f))
first = f[ID]
kind, f = a.ask(SEND, {DEST: dest, LIFETIME: 60000, PAYLOAD: b"second"})
b.s.settimeout(0.3)  # credit 1: nothing more until the first is acknowledged
try:
    got = b.event()
    check("credit", False, got)
except TimeoutError:
    check("credit", True)
b.s.settimeout(20)
b.request(ACK, {REGISTRATION: registration, ID: first})
seen = [b.event(), b.event()]
check("ack", sorted(k for k, _, _ in seen) == [DELIVERY, ACKED], seen)
second = [f for k, _, f in seen if k == DELIVERY][0]
check("second", second[PAYLOAD] == b"second", second)
b.request(ACK, {REGISTRATION: registration, ID: second[ID]})
b.event()

# large payloads: to the same node as one bundle, to the other as fragments; any size of parts and pieces
CASES = ((b, 4, 100000, 50000, 30000), (a, 0, 200000, 65536, 65536), (a, 0, 300001, 1000, 7777),
                                       (a, 0, 70000, 65536, 1 << 40), (b, 0, 250000, 60000, 60000))
for node, flags, size, step, piece in CASES:
    big = os.urandom(size)
    source = node.node.replace(".0", ".77")
    kind, f = node.answer(node.stream({DEST: dest, SOURCE: source, LIFETIME: 60000, FLAGS: flags}, big, step))
    check("stream_accepted_%d" % size, kind == ACCEPTED, (kind, f))
    kind, _, f = b.event()
    check("stream_announced_%d" % size, kind == DELIVERY and f.get(SIZE) == size and PAYLOAD not in f and not f.get(FLAGS, 0) & 1, (kind, f))
    check("stream_same_%d" % size, b.read(registration, f, piece) == big)
    kind, g = b.ask(READ, {REGISTRATION: registration, ID: f[ID], OFFSET: size, SIZE: 10})
    check("read_end_%d" % size, kind == PIECE and not g, (kind, g))
    kind, g = b.ask(READ, {REGISTRATION: registration, ID: f[ID], OFFSET: size + 1, SIZE: 10})
    check("read_beyond_%d" % size, kind == REFUSED, (kind, g))
    b.request(ACK, {REGISTRATION: registration, ID: f[ID]})
    b.event()
kind, g = b.ask(READ, {REGISTRATION: registration, ID: f[ID], OFFSET: 0, SIZE: 10})
check("read_after_ack", kind == REFUSED, (kind, g))
# to a service of the same node, in one message beyond a fragment
big = os.urandom(65000)
kind, f = b.ask(SEND, {DEST: dest, SOURCE: "ipn:2.77", LIFETIME: 60000, PAYLOAD: big})
check("one_message_accepted", kind == ACCEPTED, (kind, f))
kind, _, f = b.event()
check("one_message_delivered", kind == DELIVERY and f.get(PAYLOAD) == big, (kind, list(f)))
b.request(ACK, {REGISTRATION: registration, ID: f[ID]})
b.event()
# refused on the way: too much, both forms, nothing open, given up; late parts are not an error
tag = a.request(SEND, {DEST: dest, LIFETIME: 60000, SIZE: 100000})
for _ in range(3):
    a.request(PART, {PAYLOAD: bytes(40000)}, tag)
kind, f = a.answer(tag)
check("more_than_announced_refused", kind == REFUSED, (kind, f))
a.request(PART, {PAYLOAD: bytes(40000)}, tag)
kind, f = a.ask(SEND, {DEST: dest, PAYLOAD: b"x", SIZE: 5})
check("payload_and_size_refused", kind == REFUSED, (kind, f))
kind, f = a.ask(PART, {PAYLOAD: b"x"})
check("part_of_nothing_refused", kind == REFUSED, (kind, f))
tag = a.request(SEND, {DEST: dest, LIFETIME: 60000, SIZE: 100000})
a.request(PART, {PAYLOAD: bytes(40000)}, tag)
a.request(CANCEL, {}, tag)
kind, f = a.answer(tag)
check("cancelled", kind == REFUSED and f[ERR] == 125, (kind, f))
kind, f = a.ask(SEND, {DEST: dest, LIFETIME: 60000, SIZE: 1 << 21, 14: True, SOURCE: "ipn:1.77"})
check("large_custody_refused", kind == REFUSED, (kind, f))
tags = [a.request(SEND, {DEST: dest, LIFETIME: 60000, SIZE: 100000}) for _ in range(9)]
kind, f = a.answer(tags[8])
check("open_sends_limited", kind == REFUSED, (kind, f))
for t in tags[:8]:
    a.request(CANCEL, {}, t)
    a.answer(t)

kind, f = a.ask(SEND, {DEST: "nonsense", PAYLOAD: b"x"})
check("bad_eid_refused", kind == REFUSED and f[ERR] > 0, (kind, f))
kind, f = a.ask(ACK, {REGISTRATION: 999, ID: 1})
check("foreign_ack_refused", kind == REFUSED, (kind, f))
kind, f = a.ask(STATUS, {})
check("status", kind == REPORT and b'"ready":true' in f[PAYLOAD])
a.s.send(b"\xff\x00garbage")
check("garbage_ends_connection", a.s.recv(100) == b"")
sys.exit(failed)
