"""Compares a lab run with a simulation of the same traffic.

compare.py traffic LAB_RUN TOPOLOGY OUT   writes TOPOLOGY with the traffic that the lab's log tells
compare.py check LAB_RUN SIM_RUN SPEED    same bundles delivered, same paths, delays within 1 % of the
                                          way's light time + 5 ms of real time x speed
"""
import glob
import json
import sys

SERVICE = 100  # where the simulator's receivers are registered
ALLOWED_REAL_MS = 5


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


def check(lab, sim, speed):
    a, b = bundles(lab), bundles(sim)
    bad = 0 if a and len(a) == len(b) else 1
    worst = 0.0
    for x, y in zip(a, b):
        light_us = 9e6  # 6 s and 3 s
        limit_us = 0.01 * light_us + ALLOWED_REAL_MS * 1e3 * speed
        if x[2] != y[2] or x[3] is None or y[3] is None or x[1] != y[1]:
            print("differs: lab", x, "simulator", y)
            bad = 1
            continue
        off = abs((x[3] - x[0]) - (y[3] - y[0]))
        worst = max(worst, off)
        if off > limit_us:
            print(f"delay differs by {off / 1e3:.1f} ms, allowed {limit_us / 1e3:.1f}: lab {x} simulator {y}")
            bad = 1
    print(f"{len(a)} bundles in the lab, {len(b)} in the simulator, largest difference {worst / 1e3:.1f} ms of lab time")
    return bad


if sys.argv[1] == "traffic":
    traffic(*sys.argv[2:5])
else:
    sys.exit(check(sys.argv[2], sys.argv[3], float(sys.argv[4])))
