#!/usr/bin/python3
"""forged.py DIR [OWLTD]: custody signals that somebody else makes, with the right numbers, the custodian's EID and from its own
address on the link (the relay's owltd is killed, the forger sits in its namespace). With a key for the relay they
release nothing: unsigned, signed with a wrong key, or true ones of an earlier time said again; the relay's own signed
signals release. Without a key only the numbers count, and the status says so. Prints ok and not ok lines."""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import custody_wire as wire  # noqa: E402
import torture  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
OWLT = "build/bin/owlt"
SECRET = "7b" * 32
N = 5


class Forger:
    def __init__(self, name, folder, has_key, sequence):
        self.name, self.folder, self.n = name, folder, 0
        self.run = folder + "/run"
        os.makedirs(folder)
        common = {"key": "signals"} if has_key else {}
        nodes = [{"name": n, "id": "ipn:%d.0" % i, "config": {"custody": {"neighbours": [
            dict(common, node="ipn:%d.0" % (3 - i), sequence=sequence)]}}} for n, i in (("earth", 1), ("relay", 2))]
        topology = {
            "name": "forged", "speed": 10, "nodes": nodes, "links": [{"name": "wire", "a": "earth", "b": "relay"}],
            "plan": {"contacts": [{"from": "ipn:1.0", "to": "ipn:2.0", "start": 0, "end": 100000, "rate": "10M",
                                   "owlt": 0.1, "bidirectional": True}]},
            "config": {"custody": {"signal_delay": "1s"},
                       "security": {"lab_keys": [{"id": "signals", "kind": "hmac", "secret": SECRET}]}}}
        with open(folder + "/topology.json", "w") as f:
            json.dump(topology, f)
        with open(folder + "/wrong.json", "w") as f:
            json.dump({"keys": [{"id": "wrong", "kind": "hmac", "sha": 256, "secret": "11" * 32}]}, f)
        os.chmod(folder + "/wrong.json", 0o600)
        with open(self.run + ".up", "w") as out:
            if subprocess.call([OWLT, "lab", "up", folder + "/topology.json", "-o", self.run] + (
                    ["--daemon", sys.argv[2]] if len(sys.argv) > 2 else []), stdout=out, stderr=out):
                sys.exit("forged: the lab did not start; see %s/lab.log" % self.run)
        self.lab = torture.Lab.__new__(torture.Lab)
        self.lab.args, self.lab.run = argparse.Namespace(owlt=OWLT), self.run

    def check(self, what, good, text=""):
        print("%s forged-%s-%s%s" % ("ok" if good else "not ok", self.name, what, ": " + str(text) if text != "" else ""),
              flush=True)

    def status(self, what):
        out = subprocess.run([OWLT, "status", "--json", "--socket", self.lab.socket("earth"), what],
                             capture_output=True, check=True).stdout
        return json.loads(out)

    def custodian(self):
        return next(c for c in self.status("custody")["custodians"] if c["node"] == "ipn:2.0")

    def until(self, good, seconds=15):
        end = time.monotonic() + seconds
        while not good() and time.monotonic() < end:
            time.sleep(0.05)
        return good()

    def events(self, node, *words):
        return sum(all(w in line for w in words) for line in open("%s/events/%s.jsonl" % (self.run, node)))

    def send(self):
        """N bundles that wait for the relay's signal; their pairs."""
        for _ in range(N):
            subprocess.run([OWLT, "send", "--socket", self.lab.socket("earth"), "--custody", "ipn:2.42", "/etc/hostname"],
                           check=True, stdout=subprocess.DEVNULL)
        self.check("sent", self.until(lambda: self.status("")["n_custody_sent"] == N))
        return [(b["custody_seq_id"], b["custody_seq_no"]) for b in self.status("bundles")["bundles"]
                if b["custody"]]

    def put(self, data):
        """One datagram from the relay's own address, and until earth has looked at it."""
        link = json.load(open(self.run + "/nodes/relay/owltd.json"))["links"][0]
        path = self.folder + "/datagram"
        with open(path, "wb") as f:
            f.write(data)
        before = self.taken()
        subprocess.run([OWLT, "lab", "exec", self.run, "relay", "/usr/bin/python3", HERE + "/security.py", "send",
                        link["local"], link["remote"], path], check=True)
        self.until(lambda: self.taken() > before, 5)

    def taken(self):
        return sum(l["frames_rx"] for l in self.status("links")["links"])

    def forge(self, pairs, source, accepted=True):
        """A signal with these numbers, of which each is said; all are of one counter here."""
        self.n += 1
        clock = json.load(open(self.run + "/run.json"))
        seq_id = pairs[0][0] or wire.ipn(2, 42)
        first = min(p[1] for p in pairs)
        count = max(p[1] for p in pairs) - first + 1
        return wire.signal(wire.ipn(source), wire.ipn(1), (wire.dtn_ms(clock), 10 ** 6 + self.n), accepted, seq_id,
                           first, count)

    def sign(self, data):
        for target in ("0", "1"):
            data = subprocess.run([OWLT, "bundle", "sign", "--keys", self.folder + "/wrong.json", "--key", "wrong",
                                   "--target", target], input=data, capture_output=True, check=True).stdout
        return data

    def nothing(self, what):
        self.check(what, self.status("")["n_custody_sent"] == N, "%d of %d held" % (
            self.status("")["n_custody_sent"], N))

    def true_signals(self):
        """What the relay said so far, as it was on the wire."""
        out = subprocess.run(["tshark", "-n", "-r", self.run + "/frames.pcapng", "-Y",
                              'frame.interface_name == "wire:relay" and !frame.comment and frame.packet_flags_direction == 2',
                              "-T", "fields", "-e", "udp.payload"], capture_output=True, text=True).stdout
        return [bytes.fromhex(x) for x in out.split() if any(wire.read_signals(bytes.fromhex(x)))]


def with_key(f):
    f.check("status", f.custodian()["signals"] == "authenticated")
    f.lab.ask("kill relay")
    pairs = f.send()
    for source, who in ((2, "relay"), (1, "itself"), (9, "stranger")):
        f.put(f.forge(pairs, source))
        f.nothing("unsigned-from-" + who)
    f.put(f.sign(f.forge(pairs, 2)))
    f.nothing("wrong-key")
    f.put(f.forge(pairs, 2, False))
    f.nothing("unsigned-refusal")
    f.check("not-believed", f.custodian()["n_not_believed"] >= 2, f.custodian()["n_not_believed"])
    f.check("none-released", f.events("earth", '"ev":"custody_released"') == 0)
    f.lab.ask("start relay")
    f.check("relay-releases", f.until(lambda: f.events("earth", '"ev":"custody_released"') == N, 60))
    f.check("relay-has-them", f.until(lambda: f.events("relay", '"ev":"custody_taken"') == N or
                                      f.events("relay", '"ev":"bundle_committed"') >= N))
    old = f.true_signals()
    f.lab.ask("kill relay")
    f.send()
    for data in old:
        f.put(data)
    if old:
        f.nothing("said-again")
    else:
        print("skip forged-said-again: no signal found in the capture, or no tshark")


def without_key(f):
    f.check("status", f.custodian()["signals"] == "unauthenticated")
    f.lab.ask("kill relay")
    pairs = f.send()
    far = [(pairs[0][0], pairs[0][1] + 10 ** 6)]
    f.put(f.forge(far, 2))
    f.nothing("wrong-number")
    f.put(f.forge([(23, pairs[0][1])], 2))
    f.nothing("wrong-counter")
    f.put(f.forge(pairs, 2))
    f.check("believed", f.until(lambda: f.status("")["n_custody_sent"] == 0, 5),
            "numbers are all that is asked without a key: %d held" % f.status("")["n_custody_sent"])


def main():
    folder = os.path.abspath(sys.argv[1])
    for name, has_key, sequence, body in (("key", True, "fixed", with_key), ("key-by-destination", True, "destination", with_key),
                                          ("no-key", False, "fixed", without_key),
                                          ("no-key-by-destination", False, "destination", without_key)):
        f = Forger(name, folder + "/" + name, has_key, sequence)
        try:
            body(f)
        finally:
            bad = f.lab.down()
            f.check("lab-ended-well", not bad, "; ".join(bad))


if __name__ == "__main__":
    main()
