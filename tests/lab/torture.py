#!/usr/bin/python3
"""Custody under torture: a lab of real nodes over the link emulator, applications that send and receive bundles with
custody, and a driver that kills nodes (alone, two at a time, while they start), cuts links and kills applications
between hand-over and acknowledgement. Then it lets everything drain and judges: what was accepted is acknowledged
exactly once, bytes equal (torture_judge.py).

It works in rounds, each from a seed of its own, until --kills, --cuts and --bundles are reached; every round adds a
line to DIR/results.jsonl, from which an interrupted run goes on. A round that failed stays in DIR. Exit code 0:
all right; 1: a finding; 2: it could not be done. Start reading at main()."""
import argparse
import collections
import heapq
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torture_judge  # noqa: E402
import torture_lab  # noqa: E402

TOTALS = ("kills", "startup_kills", "double_kills", "cuts", "app_kills", "accepted", "lost", "acknowledged", "unconfirmed",
          "unanswered", "unanswered_came", "refused_by_node", "handed_again", "retransmissions", "duplicates", "returned", "refusals",
          "arrivals_refused", "findings")


class Lab:
    """A running lab, through the runner's socket and the owlt command."""

    def __init__(self, args, topology, run, seed, disk_us):
        self.args, self.run = args, run
        preload = "SLOW_DISK_US=%d LD_PRELOAD=%s " % (disk_us, os.path.abspath(args.slow_disk)) if disk_us else ""
        with open(run + ".owltd", "w") as f:
            f.write('#!/bin/sh\n%sexec %s "$@"\n' % (preload, os.path.abspath(args.daemon)))
        os.chmod(run + ".owltd", 0o755)
        cmd = [args.owlt, "lab", "up", topology, "-o", run, "--no-capture", "--seed", str(seed),
               "--daemon", run + ".owltd"]
        with open(run + ".up", "w") as out:
            if subprocess.call(cmd, stdout=out, stderr=out):
                sys.exit("torture: the lab did not start; see %s/lab.log and %s.up" % (run, run))

    def say(self, line):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(self.run + "/lab.sock")
        s.send(line.encode())
        return s

    def ask(self, line):
        with self.say(line) as s:
            return s.recv(200).decode()

    def socket(self, node):
        return "%s/nodes/%s/owltd.sock" % (self.run, node)

    def status(self, node):
        r = subprocess.run([self.args.owlt, "status", "--json", "--socket", self.socket(node)],
                           capture_output=True)
        return json.loads(r.stdout) if r.returncode == 0 else None

    def links(self):
        try:
            return json.load(open(self.run + "/links.json"))
        except (OSError, ValueError):
            return {"in_flight": 1}

    def down(self):
        subprocess.call([self.args.owlt, "lab", "down", self.run])
        log = open(self.run + "/lab.log").read()
        bad = [l for l in log.splitlines() if ": owltd " in l or "emulator" in l and "per second" not in l]
        if not self.links().get("balanced"):
            bad.append("the emulator's counters don't balance")
        return bad


class Talker:
    """A sender or receiver that is started again when it was killed."""

    def __init__(self, args, diary, words):
        self.args, self.diary, self.words, self.deaths = args, diary, words, 0
        self.counted = collections.Counter()
        self.at = 0
        open(diary, "a").close()
        self.start()

    def start(self):
        kind, sock, rest = self.words[0], self.words[1], self.words[2:]
        self.process = subprocess.Popen([self.args.talker, kind, sock, self.diary] + rest)

    def look(self):
        code = self.process.poll()
        if code is not None and code != 0:
            if code != -signal.SIGKILL:
                raise SystemExit("torture: a talker ended with %d: see %s" % (code, self.diary))
            self.deaths += 1
            self.start()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()

    def lines(self, letter):
        """How many lines of a kind there are by now."""
        with open(self.diary, "rb") as f:
            f.seek(self.at)
            new = f.read()
        new = new[:new.rfind(b"\n") + 1]
        self.at += len(new)
        for kind in (b"A", b"K", b"a"):
            self.counted[kind.decode()] += new.count(b"\n%s " % kind) + new.startswith(kind + b" ")
        return self.counted[letter]


class Round:
    def __init__(self, args, seed, want, folder):
        self.args, self.seed, self.want, self.folder = args, seed, want, folder
        self.random = random.Random(seed)
        self.n = collections.Counter()
        self.todo, self.order, self.starting, self.start_ms = [], 0, {}, []
        self.findings = []

    # -- what happens when

    def at(self, delay, what, *args):
        self.order += 1
        heapq.heappush(self.todo, (time.monotonic() + delay, self.order, what, args))

    def turn(self, until):
        """Does what is due, and looks after everyone, until a moment."""
        while True:
            now = time.monotonic()
            while self.todo and self.todo[0][0] <= now:
                _, _, what, args = heapq.heappop(self.todo)
                what(*args)
            self.look_at_starts()
            for t in self.talkers:
                t.look()
            if time.monotonic() >= until:
                return
            next_at = self.todo[0][0] if self.todo else until
            time.sleep(max(0, min(next_at, until, now + 0.01) - time.monotonic()))

    # -- nodes

    def kill_node(self, node, kind):
        if self.lab.ask("kill " + node) == "ok":
            self.n["kills"] += 1
            self.n[kind] += 1
        if node in self.starting:
            self.starting.pop(node)[0].close()

    def kill_some(self):
        if self.is_over:
            return
        self.at(self.random.uniform(0.3, 1.7) * self.want["kill_every"], self.kill_some)
        up = [n for n in torture_lab.NODES if n not in self.starting and n not in self.down]
        k = 2 if self.random.random() < 0.2 else 1
        if len(up) < k:
            return
        for node in self.random.sample(up, k):
            self.kill_node(node, "double_kills" if k == 2 else "single_kills")
            self.down.add(node)
            dead = self.random.choice((0, 0, 0, self.random.uniform(0, 0.3), self.random.uniform(0, 1)))
            self.at(dead, self.start_node, node)

    def start_node(self, node):
        s = self.lab.say("start " + node)
        s.setblocking(False)
        self.starting[node] = (s, time.monotonic())
        self.down.discard(node)
        if not self.is_over and self.random.random() < 0.3:
            self.at(self.random.uniform(0, 0.05), self.kill_starting, node, s)

    def kill_starting(self, node, s):
        if node in self.starting and self.starting[node][0] is s:
            self.kill_node(node, "startup_kills")
            self.down.add(node)
            self.at(self.random.choice((0, 0.05)), self.start_node, node)

    def look_at_starts(self):
        for node, (s, since) in list(self.starting.items()):
            try:
                answer = s.recv(200).decode()
            except BlockingIOError:
                if time.monotonic() - since > 30:
                    raise SystemExit("torture: %s does not get ready" % node)
                continue
            s.close()
            del self.starting[node]
            self.start_ms.append((time.monotonic() - since) * 1000)
            if answer != "ok":
                self.findings.append("%s did not start: %s" % (node, answer))
                raise SystemExit("torture: %s did not start: %s" % (node, answer))

    # -- links and applications

    def cut_some(self):
        if self.is_over:
            return
        self.at(self.random.uniform(0.3, 1.7) * self.want["cut_every"], self.cut_some)
        link = self.random.choice([l for l in torture_lab.LINKS if l not in self.cut] or [None])
        if link:
            self.lab.ask("cut " + link)
            self.n["cuts"] += 1
            self.cut.add(link)
            self.at(self.random.uniform(0.05, 1.0), self.mend, link)

    def mend(self, link):
        self.lab.ask("mend " + link)
        self.cut.discard(link)

    def kill_sender(self):
        if not self.is_over:
            self.at(self.random.uniform(1, 4), self.kill_sender)
            self.random.choice(self.senders).kill()

    def start_talkers(self):
        a, key, self.senders, self.receivers = self.args, str(self.seed), [], []
        eids = {n: "ipn:%d.42" % i for n, i in torture_lab.NODES.items()}
        rate = "%g" % (self.want["rate"] / len(eids))
        for n in torture_lab.NODES:
            sock = self.lab.socket(n)
            self.receivers.append(Talker(a, self.diary("recv", n), ["recv", sock, key, eids[n], "300"]))
            self.senders.append(Talker(a, self.diary("send", n), ["send", sock, key, rate] +
                                       [e for m, e in eids.items() if m not in (n, self.passer)]))
        self.talkers = self.senders + self.receivers

    def diary(self, kind, node):
        return "%s/%s-%s" % (self.folder, kind, node)

    # -- the round

    def run(self):
        run = self.folder + "/run"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.passer = torture_lab.write(self.random, self.want["seconds"], self.folder + "/topology.json")
        disk_us = self.random.choice((0, 2000, 10000)) * (self.args.slow_disk != "none")
        self.lab = Lab(self.args, self.folder + "/topology.json", run, self.seed, disk_us)
        self.is_over, self.down, self.cut, self.begun = False, set(), set(), time.monotonic()
        try:
            self.start_talkers()
            self.faults()
            self.drain()
        finally:
            for t in getattr(self, "talkers", []):
                t.kill()
            for t in getattr(self, "talkers", []):
                t.process.wait()
            bad = self.lab.down()
        self.findings += bad
        return self.conclude(run)

    def faults(self):
        self.at(0.2, self.kill_some)
        self.at(0.3, self.cut_some)
        self.at(1, self.kill_sender)
        while not self.has_enough():
            self.turn(time.monotonic() + 1)
            self.show("")
            if time.monotonic() - self.begun > 4 * self.want["seconds"] + 60:
                self.findings.append("so slow that the round was given up")
                break
        self.is_over = True

    def has_enough(self):
        w = self.want
        return (self.n["kills"] >= w["kills"] and self.n["cuts"] >= w["cuts"] and
                sum(t.lines("A") for t in self.senders) >= w["bundles"])

    def drain(self):
        """No more faults: everything is mended and started, and then nothing may be left anywhere."""
        self.turn(time.monotonic() + 1.2)
        for t in self.senders:
            t.end()
        end = time.monotonic() + self.args.patience
        while not self.is_empty():
            self.turn(time.monotonic() + 0.3)
            self.show("draining")
            if time.monotonic() > end:
                self.findings.append("not empty %d s after the last fault: %s" % (self.args.patience, self.left()))
                break
        self.drain_s = time.monotonic() - end + self.args.patience
        for t in self.receivers:
            t.end()
        for t in self.talkers:
            t.process.wait()

    def is_empty(self):
        if self.starting or self.down or any(t.process.poll() is None for t in self.senders):
            return False
        if self.lab.links()["in_flight"]:
            return False
        for n in torture_lab.NODES:
            s = self.lab.status(n)
            if not s or s["n_bundles"] or s["store"]["n_bundles"] or s["store"]["staged_bytes"]:
                return False
        return True

    def left(self):
        out = []
        for n in torture_lab.NODES:
            s = self.lab.status(n) or {}
            out.append("%s %s bundles (%s held, %s sent, %s waiting)" % tuple([n] + [s.get(k) for k in (
                "n_bundles", "n_custody_held", "n_custody_sent", "n_waiting")]))
        return "; ".join(out)

    def show(self, what):
        now = time.monotonic()
        if not self.args.quiet and now - getattr(self, "shown", 0) >= 5:
            self.shown = now
            print("  %4d s: kills %d, cuts %d, accepted %d, acknowledged %d %s" % (
                now - self.begun, self.n["kills"], self.n["cuts"], sum(t.lines("A") for t in self.senders),
                sum(t.lines("K") for t in self.receivers), what), flush=True)

    def conclude(self, run):
        numbers = torture_lab.NODES
        findings, judged = torture_judge.judge(
            {i: self.diary("send", n) for n, i in numbers.items()},
            {"ipn:%d.42" % i: self.diary("recv", n) for n, i in numbers.items()})
        self.findings += findings
        ev = torture_judge.count_events(run)
        n = self.n
        n["app_kills"] = sum(t.deaths for t in self.talkers)
        for k in ("offered", "accepted", "acknowledged", "unconfirmed", "unanswered", "handed_again", "lost",
                  "unanswered_came"):
            n[k] = judged[k]
        n["refused_by_node"] = judged["refused"]
        for k, e in (("retransmissions", "custody_retx"), ("duplicates", "bundle_duplicate"),
                     ("returned", "returned"), ("refusals", "custody_refused"), ("arrivals_refused", "bundle_refused")):
            n[k] = ev[e]
        n["findings"] = len(self.findings)
        n.update(dict.fromkeys(TOTALS, 0))  # Counter: those that were never met are 0, not missing
        result = dict(n, seed=self.seed, seconds=round(time.monotonic() - self.begun, 1),
                      drain_s=round(self.drain_s, 1), start_ms_max=round(max(self.start_ms, default=0)),
                      start_ms_mean=round(sum(self.start_ms) / max(1, len(self.start_ms))))
        with open(self.folder + "/findings", "w") as f:
            f.write("".join(x + "\n" for x in self.findings))
        return result


def totals(results):
    return {k: sum(r.get(k, 0) for r in results) for k in TOTALS}


def words(r):
    return ("%(kills)d kills (%(startup_kills)d in a start, %(double_kills)d two at a time), %(cuts)d cuts, "
            "%(app_kills)d applications killed; %(accepted)d accepted, %(lost)d lost, %(acknowledged)d acknowledged and "
            "%(unconfirmed)d whose confirmation was not heard (of both %(unanswered_came)d whose acceptance was not "
            "heard); %(handed_again)d handed over again; %(retransmissions)d retransmissions, %(duplicates)d duplicates, "
            "%(returned)d returned, %(refusals)d refusals, %(refused_by_node)d sends refused; %(findings)d findings" % r)


def read_results(path):
    return [json.loads(l) for l in open(path)] if os.path.exists(path) else []


def options():
    p = argparse.ArgumentParser(description="custody bundles while nodes are killed and links cut")
    p.add_argument("--dir", default="build/torture")
    p.add_argument("--kills", type=int, default=1000)
    p.add_argument("--cuts", type=int, default=200)
    p.add_argument("--bundles", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=10, help="to divide it into")
    p.add_argument("--seed", type=int, default=None, help="of the first round; default: the clock")
    p.add_argument("--seconds", type=float, default=60, help="of faults in a round, about")
    p.add_argument("--patience", type=float, default=120, help="real seconds to drain")
    p.add_argument("--owlt", default="build/bin/owlt")
    p.add_argument("--daemon", default="build/bin/owltd", help="what is tortured")
    p.add_argument("--slow-disk", default="build/release/tests/lab/slow_disk.so", help="none: not with sanitizers")
    p.add_argument("--talker", default="build/release/tests/lab/torture_talker")
    p.add_argument("--until-finding", type=int, default=0, metavar="N", help="at most N rounds, until one has a finding")
    p.add_argument("--keep", action="store_true", help="the folders of good rounds too")
    p.add_argument("--quiet", action="store_true")
    return p.parse_args()


def main():
    a = options()
    a.dir = os.path.abspath(a.dir)
    os.makedirs(a.dir, exist_ok=True)
    path = a.dir + "/results.jsonl"
    done = read_results(path)
    if done and not a.quiet:
        print("going on after %d rounds (%s)" % (len(done), path))
    share = lambda total: -(-total // a.rounds)
    first = a.seed if a.seed is not None else int(time.time()) % 1000000 * 1000
    while True:
        t = totals(done)
        if a.until_finding and (t["findings"] or len(done) >= a.until_finding):
            break
        if not a.until_finding and (t["kills"] >= a.kills and t["cuts"] >= a.cuts and t["accepted"] >= a.bundles):
            break
        seed = first + len(done)
        # A restart takes its time, and kills in a start come on top: about so often.
        want = {"kills": share(a.kills), "cuts": share(a.cuts), "bundles": share(a.bundles), "seconds": a.seconds,
                "kill_every": 1.35 * a.seconds / share(a.kills), "cut_every": a.seconds / share(a.cuts) * 0.9,
                "rate": 1.25 * share(a.bundles) / a.seconds}
        folder = "%s/r%d" % (a.dir, len(done))
        if not a.quiet:
            print("round %d, seed %d" % (len(done) + 1, seed), flush=True)
        rnd = Round(a, seed, want, folder)
        result = rnd.run()
        done.append(result)
        with open(path, "a") as f:
            f.write(json.dumps(result) + "\n")
        print("round %d, seed %d, %.0f s: %s" % (len(done), seed, result["seconds"], words(result)), flush=True)
        for x in rnd.findings[:20]:
            print("  " + x)
        if rnd.findings:
            print("  %d findings; the round is in %s" % (len(rnd.findings), folder))
            if not a.until_finding:
                return 1
        elif not a.keep:
            shutil.rmtree(folder, ignore_errors=True)
    t = totals(done)
    print("total, %d rounds, %.0f s: %s" % (len(done), sum(r["seconds"] for r in done), words(t)))
    os.rename(path, a.dir + "/results-done.jsonl")
    return 1 if t["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
