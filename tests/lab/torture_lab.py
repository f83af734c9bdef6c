"""The network of a torture round, made from its seed: four nodes, five links, two ways from end to end and one
across, contacts that open and close, loss, custody of both profiles with and without keys; at the end of the plan everything stays open so that it can drain."""
import json

NODES = {"earth": 1, "east": 2, "west": 3, "mars": 4}
LINKS = {"earth-east": 1.0, "earth-west": 1.5, "east-mars": 0.5, "west-mars": 0.8, "east-west": 0.1}
SPEED = 20


def contacts(random, until_s):
    """Lab seconds; each link has its own rhythm, and no moment is without a rhythm's gap for long."""
    plan = []
    for link, owlt in LINKS.items():
        a, b = link.split("-")
        period, share = random.uniform(8, 24), random.uniform(0.45, 0.9)
        at = random.uniform(0, 4) if random.random() < 0.5 else 0
        row = {"from": "ipn:%d.0" % NODES[a], "to": "ipn:%d.0" % NODES[b], "rate": "2M", "owlt": owlt,
               "bidirectional": True}
        while at < until_s:
            cycle = period * random.uniform(0.7, 1.3)
            end = min(at + cycle * share, until_s)
            plan.append(dict(row, start=round(at, 3), end=round(end, 3)))
            at += cycle
        plan.append(dict(row, start=until_s, end=until_s + 100000))
    return plan


def custody(random, nodes, passer):
    """Each pair of neighbours agrees on a profile and perhaps on a key; each end numbers as it likes. passer: a node that
    takes no custody and lets the block through, or None."""
    row = {n: [] for n in nodes}
    through = random.choice(("ccsds", "bplib"))  # what the custodians on both sides of a passer speak
    for link in LINKS:
        a, b = link.split("-")
        common = {"profile": through if passer in (a, b) else random.choice(("ccsds", "bplib"))}
        if random.random() < 0.3 and passer not in (a, b):
            common["key"] = "signals"
        for one, other in ((a, b), (b, a)):
            row[one].append(dict(common, node="ipn:%d.0" % NODES[other],
                                 sequence=random.choice(("default", "destination", "fixed", "contact")),
                                 passes=other == passer))
    return {n: {"custody": {"neighbours": r, "accept": n != passer}} for n, r in row.items()}


def topology(random, faults_s, passer=None):
    """faults_s: real seconds for which contacts come and go."""
    store = random.choice((1024, 1024, 4096, 16384)) << 10
    signal = random.choice(((1, "100ms"), (10, "1s"), (50, "2s"), (200, "5s")))
    loss = random.choice((0.01, 0.03, 0.1))
    own = custody(random, NODES, passer)
    return {
        "name": "torture", "speed": SPEED,
        "nodes": [{"name": n, "id": "ipn:%d.0" % i, "config": own[n]} for n, i in NODES.items()],
        "links": [{"name": l, "a": l.split("-")[0], "b": l.split("-")[1], "loss": loss, "duplicate": 0.01,
                   "reorder": 0.02, "reorder_delay": "2s"} for l in LINKS],
        "plan": {"contacts": contacts(random, faults_s * SPEED)},
        "config": {"store": {"max_bytes": store, "reserved_bytes": "256Ki", "stage_bytes": "1Mi"},
                   "agent": {"max_tombstones": 1 << 20, "max_bundles": random.choice((150, 1000, 65536))},
                   "security": {"lab_keys": [{"id": "signals", "kind": "hmac", "secret": "5a" * 32}]},
                   "custody": {"signal_count": signal[0], "signal_delay": signal[1], "interval": "10s"}}}


def write(random, faults_s, path):
    """The node that takes no custody, to which nothing should be sent, or None."""
    passer = random.choice((None, None, "east", "west"))
    with open(path, "w") as f:
        json.dump(topology(random, faults_s, passer), f)
    return passer
