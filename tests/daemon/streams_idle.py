#!/usr/bin/python3
"""Payloads that stop coming: streams_idle.py SOCKET. The node has control.send_idle of five seconds: a process that is ready to
run is not kept from it that long."""
import json, sys, time
from node import *

failed = False
far = {DEST: "ipn:9.1", SOURCE: "ipn:1.77", LIFETIME: 600000}


def check(name, good, what=""):
    global failed
    failed = failed or not good
    print(("ok " if good else "not ok ") + "streams_idle_" + name, what if not good else "")


def status():
    return json.loads(n.ask(STATUS, {})[1][PAYLOAD])


def until(what):
    """Asks the node until it is true."""
    end = time.monotonic() + 60
    while not what(status()):
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


n = Node(sys.argv[1])
silent, busy = Node(sys.argv[1]), Node(sys.argv[1])
fragments = silent.request(SEND, {**far, SIZE: 3000000})
for _ in range(4):
    silent.request(PART, {PAYLOAD: bytes(65536)}, fragments)
whole = silent.request(SEND, {**far, SIZE: 300000, FLAGS: 4})
silent.request(PART, {PAYLOAD: bytes(65536)}, whole)
secured = silent.request(SEND, {**far, DEST: "ipn:8.1", SIZE: 300000})
silent.request(PART, {PAYLOAD: bytes(65536)}, secured)

# another one goes on, byte by byte, as long as these are open; it is not idle
size = 10000000
slow, sent = busy.request(SEND, {**far, SIZE: size}), 0
silent.s.setblocking(False)
answers = {}
while len(answers) < 3 and sent < size - 1:
    busy.request(PART, {PAYLOAD: b"x"}, slow)
    sent += 1
    time.sleep(0.002)
    try:
        kind, tag, fields = silent.event()
        answers[tag] = kind, fields
    except BlockingIOError:
        pass
check("refused", sorted(answers) == sorted([fragments, whole, secured]) and
      all(k == REFUSED and "control.send_idle" in f[24] for k, f in answers.values()), answers)
check("counted", status()["n_sends_idle"] == 3, status())
while size - sent > 0:
    step = min(65536, size - sent)
    busy.request(PART, {PAYLOAD: bytes(step)}, slow)
    sent += step
check("slow_one_is_accepted", busy.answer(slow)[0] == ACCEPTED)
check("nothing_else_is_left", status()["n_bundles"] == (size + 61439) // 61440, status())
check("nothing_is_staged", until(lambda s: s["store"]["staged_bytes"] == 0), status())

# what was on its way when it was refused is ignored; the connection goes on
silent.s.setblocking(True)
silent.s.settimeout(20)
silent.request(PART, {PAYLOAD: bytes(1000)}, secured)
check("connection_goes_on", silent.ask(STATUS, {})[0] == REPORT)
check("next_send", silent.answer(silent.stream(far, bytes(200000), 65536))[0] == ACCEPTED)
sys.exit(failed)
