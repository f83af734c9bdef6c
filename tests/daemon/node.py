"""owlt-protocol(7) in Python, for tests."""
import array, os, socket
import cbor2

HELLO, SEND, REGISTER, CREDIT, ACK, UNREGISTER, STATUS, PART, CANCEL, READ = range(1, 11)
WELCOME, ACCEPTED, REFUSED, REGISTERED, DELIVERY, ACKED, REPORT, DONE, PIECE = range(64, 73)
VERSION, NODE, SOURCE, DEST, CREATED, SEQ, LIFETIME = 1, 2, 6, 7, 9, 10, 11
PAYLOAD, SIZE, REGISTRATION, CREDIT_KEY, ID, ERR = 16, 17, 18, 19, 20, 23
OFFSET, FLAGS = 25, 12


class Node:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(20)
        self.s.connect(path)
        self.tag = 0
        self.kept = []
        self.node = self.ask(HELLO, {VERSION: 2})[1][NODE]

    def request(self, kind, fields, tag=None):
        if tag is None:
            self.tag += 1
        self.s.send(cbor2.dumps([kind, tag or self.tag, fields]))
        return tag or self.tag

    def stream(self, fields, data, step):
        tag = self.request(SEND, {**fields, SIZE: len(data)})
        for at in range(0, len(data), step):
            self.request(PART, {PAYLOAD: data[at:at + step]}, tag)
        return tag

    def read(self, registration, f, step):
        data = b""
        while len(data) < f[SIZE]:
            piece = self.ask(READ, {REGISTRATION: registration, ID: f[ID], OFFSET: len(data), SIZE: step})[1][PAYLOAD]
            data += piece
        return data

    def packet(self):
        data, rights, _, _ = self.s.recvmsg(80000, socket.CMSG_SPACE(4))
        kind, tag, fields = cbor2.loads(data)
        for _, _, fds in rights:
            fd = array.array("i", fds[:4])[0]
            fields[PAYLOAD] = os.pread(fd, fields[SIZE], 0)
            os.close(fd)
        return kind, tag, fields

    def ask(self, kind, fields):
        return self.answer(self.request(kind, fields))

    def answer(self, tag):
        for k, got in enumerate(self.kept):
            if got[1] == tag:
                del self.kept[k]
                return got[0], got[2]
        while True:
            got = self.packet()
            if got[1] == tag:
                return got[0], got[2]
            self.kept.append(got)

    def event(self):
        return self.kept.pop(0) if self.kept else self.packet()
