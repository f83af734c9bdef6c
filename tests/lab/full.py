#!/usr/bin/python3
"""full.py DIR MB OPEN_AT: a relay with a store of 10 MB is offered MB of bundles while the contact behind it is
closed, over its link and by an application, and its two neighbours are full as well, each of bundles for the other.
Nobody may exceed its quota, everything is refused in its protocol's words, signals still pass, and when the contact
opens (OPEN_AT lab seconds) all drain by themselves. Prints "ok NAME" or "not ok NAME" lines, and figures."""
import argparse
import glob
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torture  # noqa: E402
import torture_judge  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
QUOTA, RESERVED, BUNDLES = 10000000, 1000000, 20000
FULL = 0.8 * (QUOTA - RESERVED)  # above it there is room for what has come further only
# owlt-store(5): the log is at most twice what the quota may hold with its records' headers, and ten segments.
DISK = 2 * (QUOTA + BUNDLES * 320) + 10 * (512 << 10)
FLOOD_BYTES_PER_S = 10e6
REFERENCE_S = 0.14
NODES = {"earth": 1, "relay": 2, "mars": 3}


def topology(open_at, file):
    # Together less than a quarter of what an ordinary machine emulates, so that a slow one starts the lab, too.
    ways = (("1", "2", 0, "40M"), ("2", "1", 0, "40M"), ("9", "2", 0, "100M"), ("2", "9", 0, "10M"),
            ("2", "3", open_at, "40M"), ("3", "2", open_at, "40M"))
    with open(file, "w") as f:
        json.dump({
            "name": "full", "speed": 1,
            "nodes": [{"name": n, "id": "ipn:%d.0" % i} for n, i in list(NODES.items()) + [("flood", 9)]],
            "links": [{"name": "earth-relay", "a": "earth", "b": "relay"}, {"name": "relay-mars", "a": "relay", "b": "mars"},
                      {"name": "flood-relay", "a": "flood", "b": "relay"}],
            "plan": {"contacts": [{"from": "ipn:%s.0" % a, "to": "ipn:%s.0" % b, "start": t, "end": 100000, "rate": r,
                                   "owlt": 0.002} for a, b, t, r in ways]},
            "config": {"store": {"max_bytes": QUOTA, "reserved_bytes": RESERVED, "stage_bytes": "4Mi", "max_bundles": BUNDLES},
                       "agent": {"source_percent": 100, "source_per_s": 1000000},
                       "custody": {"signal_delay": "100ms", "interval": "2s", "margin": "200ms"}}}, f)


class Watch:
    """What the nodes say of their stores and what is on their disk, at every look."""

    def __init__(self, lab):
        self.lab, self.most = lab, {n: [0, 0, 0, 0] for n in NODES}

    def look(self):
        now = {}
        for n in NODES:
            s = self.lab.status(n)
            folder = "%s/nodes/%s/store/" % (self.lab.run, n)
            sizes = (s["store"]["stored_bytes"], blocks(folder + "seg-*"), s["store"]["n_bundles"], blocks(folder + "index*"))
            self.most[n] = [max(x) for x in zip(sizes, self.most[n])]
            now[n] = s
        return now


def blocks(pattern):
    """Bytes that files take on the disk; one may go while we look."""
    n = 0
    for f in glob.glob(pattern):
        try:
            n += os.stat(f).st_blocks * 512
        except FileNotFoundError:
            pass
    return n


def cpu_s(pid):
    w = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(w[11]) + int(w[12])) / os.sysconf("SC_CLK_TCK")


def slowness():
    """How much processor time work takes here, against the machine this was written on; at least 1."""
    begun = time.process_time()
    for _ in range(1000):
        hash(tuple(range(10000)))
    return max(1.0, (time.process_time() - begun) / REFERENCE_S)


def node_pids(run):
    return {n["name"]: n["pid"] for n in json.load(open(run + "/run.json"))["nodes"]}


def check(name, good, text=""):
    print("%s full-%s%s" % ("ok" if good else "not ok", name, ": " + text if text else ""), flush=True)


def seen(run, node, *words):
    return sum(all(w in line for w in words) for line in open("%s/events/%s.jsonl" % (run, node)))


def main():
    folder, total, open_at = os.path.abspath(sys.argv[1]), int(float(sys.argv[2]) * 1e6), float(sys.argv[3])
    os.makedirs(folder, exist_ok=True)
    run = folder + "/run"
    args = argparse.Namespace(owlt="build/bin/owlt", daemon="build/bin/owltd", slow_disk="/nowhere",
                              talker="build/release/tests/lab/torture_talker")
    topology(open_at, folder + "/topology.json")
    lab = torture.Lab(args, folder + "/topology.json", run, 1, 0)
    begun = time.monotonic()
    talkers = {}
    try:
        body(args, lab, folder, run, total, open_at, begun, talkers)
    finally:
        open(folder + "/flood.json.stop", "w").close()
        for t in talkers.values():
            t.kill()
            t.process.wait()
        bad = lab.down()
        check("lab-ended-well", not bad, "; ".join(bad))


def body(args, lab, folder, run, total, open_at, begun, talkers):
    watch = Watch(lab)
    lab.ask("kill flood")
    got = subprocess.Popen([args.owlt, "recv", "--socket", lab.socket("mars"), "ipn:3.77", "-n", "100000000", "-o",
                            folder + "/got", "--timeout", "1d"], stdout=subprocess.DEVNULL)
    talkers["got"] = argparse.Namespace(kill=got.kill, process=got)

    def talker(kind, node, *rest):
        talkers[kind + "-" + node] = torture.Talker(args, "%s/%s-%s" % (folder, kind, node), [
            kind, lab.socket(node), "77"] + list(rest))

    talker("recv", "earth", "ipn:1.42", "0")
    talker("recv", "mars", "ipn:3.42", "0")
    # Each end fills with bundles for the other, and the relay from both sides and its own application.
    talker("send", "mars", "3000", "ipn:1.42")
    talker("send", "earth", "3000", "ipn:3.42")
    talker("send", "relay", "1000", "ipn:3.42", "ipn:1.42")
    flood = subprocess.Popen([args.owlt, "lab", "exec", run, "flood", "/usr/bin/python3", HERE + "/full_flood.py", run,
                              str(total), str(FLOOD_BYTES_PER_S), folder + "/flood.json"] + sys.argv[4:])
    while not os.path.exists(folder + "/flood.json") and flood.poll() is None:
        watch.look()
        time.sleep(0.1)
    check("flood-done", flood.poll() is None)
    while min(m[0] for m in watch.most.values()) < FULL and time.monotonic() - begun < open_at - 10:
        watch.look()
        time.sleep(0.1)
    told = json.load(open(folder + "/flood.json"))
    for n in NODES:
        talkers["send-" + n].process.terminate()
        talkers["send-" + n].process.wait()
    full = watch.look()
    for n in NODES:
        check("%s-was-full" % n, watch.most[n][0] > FULL, "%d of %d bytes in %d bundles" % (
            watch.most[n][0], QUOTA, watch.most[n][2]))
    check("contact-still-closed", time.monotonic() - begun < open_at - 6, "%.0f s of %.0f" % (
        time.monotonic() - begun, open_at))

    # Full, and nobody offers anything but those who hold bundles: that must cost nearly nothing.
    pids = node_pids(run)
    before = {n: cpu_s(pids[n]) for n in NODES}
    time.sleep(4)
    load = {n: (cpu_s(pids[n]) - before[n]) / 4 * 100 for n in NODES}
    slow = slowness()
    check("idle-while-full", max(load.values()) < 25 * slow, "%s; this machine takes %.1f times as long as the first one" % (
        ", ".join("%s %.1f %% of a core" % x for x in load.items()), slow))

    refusals = {n: sum(1 for l in open("%s/send-%s" % (folder, n)) if l[0] == "R") for n in NODES}
    check("applications-told", min(refusals.values()) > 0, ", ".join("%s %d times" % x for x in refusals.items()))
    check("custody-refused", told["refused"] > 0.5 * told["custody"] and not told["both"],
          "%d MB offered in %.1f s, %d bundles, %d with custody: %d refused, %d accepted in %d signals" % (
              told["bytes"] // 1000000, told["seconds"], told["bundles"], told["custody"], told["refused"],
              len(told["accepted"]), told["signals"]))
    check("others-counted", seen(run, "relay", '"ev":"bundle_refused"') >= told["bundles"] - told["not_sent"] - 1000,
          "%d arrivals refused at the relay" % seen(run, "relay", '"ev":"bundle_refused"'))
    until = time.monotonic() + 30
    while not seen(run, "earth", '"custody_signal_rx"', '"ipn:9.0"') and time.monotonic() < until:
        time.sleep(0.1)
    check("signal-passes", seen(run, "earth", '"custody_signal_rx"', '"ipn:9.0"') == 1)
    check("held-until-then", full["relay"]["store"]["n_bundles"] > 0)

    # The contact opens, and all drain by themselves.
    while time.monotonic() - begun < open_at:
        watch.look()
        time.sleep(0.2)
    opened, end = time.monotonic(), time.monotonic() + 300
    while time.monotonic() < end:
        now = watch.look()
        if not any(s["n_bundles"] or s["store"]["n_bundles"] for s in now.values()):
            break
        time.sleep(0.1)
    check("drained", not any(s["n_bundles"] for s in now.values()), "%.1f s after the contact opened; left: %s" % (
        time.monotonic() - opened, {n: s["n_bundles"] for n, s in now.items()}))
    for n, most in watch.most.items():
        check("quota-%s" % n, most[0] <= QUOTA, "%d stored bytes at most" % most[0])
        check("disk-%s" % n, most[1] <= DISK, "%d bytes of log at most, %d of index" % (most[1], most[3]))

    time.sleep(0.5)
    findings, n = torture_judge.judge({i: "%s/send-%s" % (folder, k) for k, i in NODES.items()},
                                      {"ipn:%d.42" % i: "%s/recv-%s" % (folder, k) for k, i in NODES.items() if i != 2})
    for f in findings[:10]:
        print("  " + f)
    check("nothing-lost", not findings, "%d accepted, %d refused, %d acknowledged, %d findings" % (
        n["accepted"], n["refused"], n["acknowledged"] + n["unconfirmed"], len(findings)))
    open(folder + "/flood.json.stop", "w").close()
    flood.wait()
    told = json.load(open(folder + "/flood.json"))
    files = {int(f.rsplit("-", 1)[1].split(".")[0]): open(f, "rb").read(16)
             for f in glob.glob(folder + "/got/ipn*.bin")}
    missing = [k for k in told["accepted"] if files.get(k) != b"%016d" % k]
    check("flood-nothing-lost", not missing, "%d of %d accepted came, and %d without custody or whose signal was lost" % (
        len(told["accepted"]) - len(missing), len(told["accepted"]), len(files) - len(told["accepted"])))


if __name__ == "__main__":
    main()
