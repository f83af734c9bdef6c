"""Compares a lab run with a simulation of the same traffic.

compare.py traffic LAB_RUN TOPOLOGY OUT   writes TOPOLOGY with the traffic that the lab's log tells
compare.py check SPEED [LAB_RUN SIM_RUN]...  same bundles delivered, same paths, delays within 1 % of the way's light time
                                          + 5 ms of real time x speed. Exit 0: good, 1: another run may
                                          show it, 2: never
"""
import glob
import json
import sys

SERVICE = 100  # where the simulator's receivers are registered
ALLOWED_REAL_MS = 5
LIGHT_US = 9e6  # 6 s and 3 s
CONTACT_MISSED_US = 8e6  # the next contact is far later than that
RUNS = 3


def events(run):
    for name in sorted(glob.glob(run + "/events/*.jsonl")):
        with open(name, encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def bundles(run):
    """Data bundles in order of creation: (sourced_us, size, nodes passed, handed_us)."""
    names, shape, seen, times = {}, {}, {}, {}
    for e in sorted(events(run), key=lambda e: e["t_us"]):
        node, ev = e["node"], e["ev"]
        if ev == "bundle_seen":
            uid = (e["src_node"], e["created_ms"], e["seq"])
            names[node, e["id"]] = uid
            seen.setdefault(uid, []).append(node)
        uid = names.get((node, e.get("id")))
        if ev == "bundle_shape":
            shape[uid] = (e["dst_node"], e["dst_service"], e["payload_bytes"])
        elif ev in ("bundle_sourced", "bundle_handed"):
            times.setdefault((uid, ev), e["t_us"])
    out = []
    for uid, path in seen.items():
        if (uid, "bundle_sourced") in times and shape[uid][0] == "ipn:3.0" and shape[uid][1] == SERVICE:
            out.append((times[uid, "bundle_sourced"], shape[uid][2], path, times.get((uid, "bundle_handed"))))
    return sorted(out, key=lambda b: b[0])


def traffic(lab, topology, out):
    with open(topology, encoding="utf-8") as f:
        topo = json.load(f)
    topo["traffic"] = [
        {"from": "earth", "to": f"ipn:3.{SERVICE}", "at": f"{at}us", "count": 1, "size": size,
         "custody": True, "lifetime": "1h"} for at, size, _, _ in bundles(lab)]
    with open(out, "w", encoding="utf-8") as f:
        json.dump(topo, f)


def late_us(lab, sim, speed):
    """How much later than in the simulator each bundle came in the lab; None: they are not the same bundles."""
    a, b = bundles(lab), bundles(sim)
    if not a or len(a) != len(b):
        print(f"{len(a)} bundles in the lab, {len(b)} in the simulator")
        return None
    out = []
    for x, y in zip(a, b):
        if x[2] != y[2] or x[3] is None or y[3] is None or x[1] != y[1]:
            print("differs: lab", x, "simulator", y)
            return None
        out.append((x[3] - x[0]) - (y[3] - y[0]))
    limit = limit_us(speed)
    print(f"{len(out)} bundles, {sum(v <= limit for v in out)} within {limit / 1e3:.0f} ms of lab time, "
          f"from {min(out) / 1e3:.1f} to {max(out) / 1e3:.1f} ms late")
    return out


def limit_us(speed):
    return 0.01 * LIGHT_US + ALLOWED_REAL_MS * 1e3 * speed


def check(speed, pairs):
    """One run in which all are in time is enough. A machine that sleeps makes single bundles late, never early; what is
    wrong in the lab shows in every run, in all bundles that have the same way."""
    runs = [late_us(lab, sim, speed) for lab, sim in zip(pairs[::2], pairs[1::2])]
    limit = limit_us(speed)
    if None in runs or min(min(r) for r in runs) < -limit:
        return 2
    if any(max(r) <= limit for r in runs):
        return 0
    best = [min(late) for late in zip(*runs)]
    third = (len(best) + 2) // 3
    parts = [best[k:k + third] for k in range(0, len(best), third)]
    print("the best of", len(runs), "runs, in ms:", " ".join(f"{v / 1e3:.0f}" for v in best))
    good = max(best) <= CONTACT_MISSED_US and all(3 * sum(v <= limit for v in p) >= len(p) for p in parts)
    return 0 if good and len(runs) >= RUNS else 1


if sys.argv[1] == "traffic":
    traffic(*sys.argv[2:5])
else:
    sys.exit(check(float(sys.argv[2]), sys.argv[3:]))
