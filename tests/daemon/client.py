#!/usr/bin/python3
"""A client written from owlt-protocol(7): sends, registers, receives, acknowledges.
Usage: client.py SOCKET_A SOCKET_B DEST_EID_ON_B. Prints "ok NAME" / "not ok NAME" lines."""
import array, fcntl, os, socket, sys
import cbor2

HELLO, SEND, REGISTER, CREDIT, ACK, UNREGISTER, STATUS = range(1, 8)
WELCOME, ACCEPTED, REFUSED, REGISTERED, DELIVERY, ACKED, REPORT, DONE = range(64, 72)
VERSION, NODE, SOURCE, DEST, CREATED, SEQ, LIFETIME = 1, 2, 6, 7, 9, 10, 11
PAYLOAD, SIZE, REGISTRATION, CREDIT_KEY, ID, ERR = 16, 17, 18, 19, 20, 23
SEALS = 1 | 2 | 4 | 8  # F_SEAL_SEAL SHRINK GROW WRITE
F_ADD_SEALS = 1033


class Node:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(20)
        self.s.connect(path)
        self.tag = 0
        self.kept = []
        self.node = self.ask(HELLO, {VERSION: 1})[1][NODE]

    def request(self, kind, fields, fd=None):
        self.tag += 1
        packet = cbor2.dumps([kind, self.tag, fields])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        self.s.sendmsg([packet], rights)
        return self.tag

    def packet(self):
        data, rights, _, _ = self.s.recvmsg(80000, socket.CMSG_SPACE(4))
        kind, tag, fields = cbor2.loads(data)
        for _, _, fds in rights:
            fd = array.array("i", fds[:4])[0]
            fields[PAYLOAD] = os.pread(fd, fields[SIZE], 0)
            os.close(fd)
        return kind, tag, fields

    def ask(self, kind, fields, fd=None):
        tag = self.request(kind, fields, fd)
        while True:
            got = self.packet()
            if got[1] == tag:
                return got[0], got[2]
            self.kept.append(got)

    def event(self):
        return self.kept.pop(0) if self.kept else self.packet()


def memfd(data, sealed):
    fd = os.memfd_create("payload", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if sealed:
        fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
    return fd


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

# large payloads: to a service of the same node, since none passes a UDP link above 64 KiB
big = os.urandom(200000)
kind, f = b.ask(SEND, {DEST: dest, LIFETIME: 60000, SIZE: len(big)}, memfd(big, False))
check("unsealed_refused", kind == REFUSED, (kind, f))
kind, f = b.ask(SEND, {DEST: dest, LIFETIME: 60000, SIZE: len(big)})
check("missing_memfd_refused", kind == REFUSED, (kind, f))
kind, f = b.ask(SEND, {DEST: dest, LIFETIME: 60000, SIZE: len(big)}, memfd(big, True))
check("sealed_accepted", kind == ACCEPTED, (kind, f))
kind, _, f = b.event()
check("sealed_delivered", kind == DELIVERY and f[PAYLOAD] == big)
b.request(ACK, {REGISTRATION: registration, ID: f[ID]})
b.event()

kind, f = a.ask(SEND, {DEST: "nonsense", PAYLOAD: b"x"})
check("bad_eid_refused", kind == REFUSED and f[ERR] > 0, (kind, f))
kind, f = a.ask(ACK, {REGISTRATION: 999, ID: 1})
check("foreign_ack_refused", kind == REFUSED, (kind, f))
kind, f = a.ask(STATUS, {})
check("status", kind == REPORT and b'"ready":true' in f[PAYLOAD])
a.s.send(b"\xff\x00garbage")
check("garbage_ends_connection", a.s.recv(100) == b"")
sys.exit(failed)
