"""Adds up what `owlt sim --explore --json` told of several topologies. Prints a table, fails when a kill point
that must be met was not. usage: sum.py FILE..."""
import json
import sys

# Moments of death that a custody hand-over has. What others are met is listed, too.
BATCH = ["batch begun, not durable", "batch durable, not known", "batch ended, event not taken"]
STAGED = ["a bundle made here", "a bundle to take custody of", "a bundle that returned", "a custody signal", "a release",
          "reserved numbers", "a hand-over noted", "an acknowledgement"]
MUST = [(p, a) for p in BATCH for a in STAGED] + [
    ("request staged", "a bundle made here"), ("request staged", "an acknowledgement"),
    ("frame arrived, not looked at", "a bundle to take custody of"), ("frame arrived, not looked at", "a custody signal"),
    ("frame taken in", "a bundle to take custody of"), ("frame taken in", "a known pair again"),
    ("frame taken in", "a bundle that returned"), ("frame taken in", "a release"), ("frame taken in", "a refusal"),
    ("frame taken in", "a signal of no use"),
    ("timers looked at", "a custody signal"), ("timers looked at", "a retransmission"),
    ("frame in hand, not on the wire", "a bundle to take custody of"), ("frame in hand, not on the wire", "a custody signal"),
    ("frame on the wire, agent not told", "a bundle to take custody of"),
    ("frame on the wire, agent not told", "a custody signal"),
    ("event taken, nothing said yet", "an acceptance to signal"), ("event taken, nothing said yet", "a refusal to signal"),
    ("event taken, nothing said yet", "a bundle made here"),
    ("application told", "a bundle made here"), ("application told", "a delivery"), ("application told", "an acknowledgement"),
]


def main():
    kills, deviations, runs = {}, {}, 0
    for path in sys.argv[1:]:
        with open(path) as f:
            d = json.load(f)
        runs += d["runs"]
        for k in d["kills"]:
            key = (k["point"], k["about"])
            kills[key] = kills.get(key, 0) + k["n"]
        for name, n in d["deviations"].items():
            deviations[name] = deviations.get(name, 0) + n
    for (point, about), n in sorted(kills.items()):
        print(f"{n:12}  {point}: {about}")
    for name, n in deviations.items():
        print(f"{n:12}  {name}")
    print(f"{runs} runs, {len(kills)} kill points")
    missed = [f"{p}: {a}" for p, a in MUST if not kills.get((p, a))]
    missed += [name for name, n in deviations.items() if n == 0]
    for name in missed:
        print(f"never met: {name}")
    return 1 if missed else 0


sys.exit(main())
