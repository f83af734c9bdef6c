#!/usr/bin/python3
"""demo_bare.py BOTH CAPTURE: the tables of a run from capture and logs, and from its capture alone: the same
deliveries and hop rows, the columns that only a log knows empty."""
import csv, json, sys

both, capture = sys.argv[1:]
source = {t["file"]: {c["name"]: c["source"] for c in t["columns"]} for t in json.load(open(both + "/schema.json"))["tables"]}


def load(where, name):
	return list(csv.DictReader(open(where + "/" + name, newline="")))


def check(name, ok):
	print(("ok demo_" if ok else "not ok demo_") + name)


for name in ("hops.csv", "bundles.csv"):
	a, b = load(both, name), load(capture, name)
	log = [c for c, s in source[name].items() if s == "LOG"]
	same = [c for c in source[name] if c not in log]
	check(name[:-4] + "_same_from_capture_alone", len(a) > 0 and [[r[c] for c in same] for r in a] == [[r[c] for c in same] for r in b])
	check(name[:-4] + "_log_columns_empty", not any(r[c] for r in b for c in log))
	check(name[:-4] + "_log_columns_filled_with_logs", any(r[c] for r in a for c in log))
check("data_bundles_delivered", all(r["delivered"] == "1" for r in load(capture, "bundles.csv") if r["service"] == "100"))
