"""What became of the bundles of a torture round: the diaries of its talkers (torture_talker.c) against each
other, and figures from the nodes' event logs. judge() gives the findings, which must be none."""
import collections
import glob
import os

COUNTED = ("custody_retx", "custody_refused", "bundle_duplicate", "bundle_refused", "custody_signal_tx",
           "custody_released", "node_start", "bundle_handed")


def read_sender(path):
    """What a sender offered, and what its node answered: {n: [dest, size, hash, answer or None]}."""
    sent = {}
    for line in open(path):
        w = line.split()
        if w[0] == "S":
            sent[int(w[1])] = [w[2], int(w[3]), w[4], None]
        elif w[0] == "A":
            sent[int(w[1])][3] = ("accepted", w[2], int(w[3]), int(w[4]))
        else:
            sent[int(w[1])][3] = ("refused", int(w[2]))
    return sent


class Receipt:
    def __init__(self):
        self.handed = self.asked = self.confirmed = 0
        self.open = False  # handed over, and not acknowledged since
        self.eid = self.name = self.bytes = None


def read_receiver(path, eid, receipts, findings):
    """Hand-overs and acknowledgements in the order in which they happened."""
    for line in open(path):
        w = line.split()
        if w[0] == "X":
            findings.append("%s: bytes that nobody sent: %s" % (eid, line.strip()))
            continue
        r = receipts.setdefault(w[1], Receipt())
        if w[0] == "D":
            name, data = (w[2], int(w[3]), int(w[4])), (int(w[6]), w[7])
            if r.confirmed:
                findings.append("%s: handed over again after its acknowledgement was on disk" % w[1])
            if r.handed and w[5] != "1":
                findings.append("%s: handed over again without the mark" % w[1])
            if r.handed and (r.eid, r.name, r.bytes) != (eid, name, data):
                findings.append("%s: handed over as two different bundles" % w[1])
            r.eid, r.name, r.bytes, r.open = eid, name, data, True
            r.handed += 1
        elif w[0] == "a":
            r.asked += 1
            r.open = False
        else:
            r.confirmed += 1
            if r.confirmed > 1:
                findings.append("%s: acknowledged twice" % w[1])


def judge(senders, receivers):
    """senders: {node number: diary}, receivers: {eid: diary}. Findings and figures."""
    findings, receipts = [], {}
    n = collections.Counter()
    for eid, path in receivers.items():
        read_receiver(path, eid, receipts, findings)
    for node, path in senders.items():
        for number, (dest, size, digest, answer) in read_sender(path).items():
            key = "%d.%d" % (node, number)
            r = receipts.pop(key, None)
            n["offered"] += 1
            n[answer[0] if answer else "unanswered"] += 1
            if r and (r.eid != dest or r.bytes != (size, digest)):
                findings.append("%s: not what was sent, or not where to" % key)
            if answer and answer[0] == "refused" and r:
                findings.append("%s: delivered, although it was refused" % key)
            if answer and answer[0] == "accepted" and r and r.name != answer[1:]:
                findings.append("%s: delivered under another name" % key)
            if r:
                n["handed_again"] += r.handed - 1
                n["acknowledged"] += r.confirmed == 1
                n["unconfirmed"] += r.confirmed == 0 and not r.open
                n["unanswered_came"] += answer is None
            if r and r.open:
                findings.append("%s: handed over, never acknowledged" % key)
            if answer and answer[0] == "accepted" and not r:
                findings.append("%s: LOST: accepted as %s %d %d for %s" % ((key,) + answer[1:] + (dest,)))
                n["lost"] += 1
    for key in receipts:
        findings.append("%s: delivered, and nobody sent it" % key)
    return findings, n


def count_events(run):
    """How often the nodes said what; returned: bundles that came back to who had them."""
    n = collections.Counter()
    for path in glob.glob(os.path.join(run, "events", "*.jsonl")):
        with open(path, "rb") as f:
            left = b""
            while True:
                part = f.read(1 << 24)
                if not part:
                    break
                part = left + part
                end = part.rfind(b"\n") + 1
                part, left = part[:end], part[end:]
                for name in COUNTED:
                    n[name] += part.count(b'"ev":"%s"' % name.encode())
                n["returned"] += part.count(b'"why":"custody-returned"')
    return n
