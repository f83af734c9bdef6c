#!/usr/bin/python3
"""check_tables.py DIR: DIR/both, DIR/capture and DIR/log are the tables of one run of make_run.py from
capture and logs, from the capture alone and from the logs alone."""
import hashlib, json, sys

import pandas as pd

DIR = sys.argv[1]
READ = {"TEXT": "string", "U64": "UInt64", "I64": "Int64", "F64": "float64", "BOOL": "UInt8"}


def check(name, ok):
	print(("ok " if ok else "not ok ") + name)


def load(which):
	tables = {}
	schema = json.load(open("%s/%s/schema.json" % (DIR, which)))
	for t in schema["tables"]:
		path = "%s/%s/%s" % (DIR, which, t["file"])
		kinds = {c["name"]: READ[c["type"]] for c in t["columns"]}
		df = pd.read_csv(path, dtype=kinds)
		assert list(df.columns) == list(kinds), t["file"]
		assert len(df) == t["rows"], t["file"]
		assert hashlib.sha256(open(path, "rb").read()).hexdigest() == t["sha256"], t["file"]
		df.attrs["log"] = [c["name"] for c in t["columns"] if c["source"] == "LOG"]
		df.attrs["never"] = [c["name"] for c in t["columns"] if c["null"] == "never"]
		tables[t["file"][:-4]] = df
	return tables


both, capture, log = load("both"), load("capture"), load("log")
hops, bundles, contacts = both["hops"], both["bundles"], both["contacts"]

for name in both:
	check(name + "_null_rule", not both[name][both[name].attrs["never"]].isnull().any().any())
	check(name + "_log_columns_empty_without_log", capture[name][capture[name].attrs["log"]].isnull().all().all())

shared = [c for c in hops.columns if c not in hops.attrs["log"]]
check("hops_same_from_capture_alone", hops[shared].equals(capture["hops"][shared]))
key = ["bundle_uid", "delivered", "t_delivered_ns", "path", "n_tx_total", "n_dup"]
check("deliveries_same_from_capture_alone", bundles[key].equals(capture["bundles"][key]))
check("deliveries_same_from_logs_alone",
	sorted(bundles[bundles.delivered == 1].bundle_uid) == sorted(log["bundles"][log["bundles"].delivered == 1].bundle_uid))
check("paths_same_from_logs_alone",
	bundles.set_index("bundle_uid").path.to_dict() == log["bundles"].set_index("bundle_uid").path.to_dict())
check("attempts_same_from_logs_alone", len(hops) == len(log["hops"]) and hops.rx_truth.sum() == log["hops"].rx_truth.sum())

data = bundles[bundles.service == 9]
check("counts", (len(bundles), len(data), len(hops)) == (50, 40, 97))
check("all_delivered_over_the_relay", (data.delivered == 1).all() and (data.path == "1>2>3").all() and (data.contact_path == "1>3").all())
check("lost_frames", (hops.outcome == "lost").sum() == 6 and (hops[hops.outcome == "lost"].refuse_reason == "loss").all())
check("a_damaged_frame_did_not_come_in", ((hops.rx_truth == 0) & (hops.outcome == "sent")).sum() == 1)
check("retransmissions", (hops.retx == 1).sum() == 7 and (hops[hops.retx == 1].rx_truth == 1).all())
check("duplicates", bundles.n_dup.sum() == 4)
uid = hashlib.sha256(b"ipn:1.5|%d|0||" % data.creation_ms.iloc[0]).hexdigest()[:32]
check("bundle_uid", data.bundle_uid.iloc[0] == uid)
long_hop = hops[(hops.node == 1) & (hops.rx_truth == 1)]
delay = (long_hop.t_rx_peer_ns - long_hop.t_tx_start_ns) / 1e9
check("light_time", delay.between(60, 60.1).all())
check("previous_node", (hops[(hops.node == 2) & (hops.dst_node == 3)].prev_node == 1).all())
check("plan_oracle", abs(data.plan_oracle_delay_ms.iloc[0] - 194250) < 1 and (data.e2e_delay_ms >= data.plan_oracle_delay_ms).all())
check("contacts_came_up", (contacts.up == 1).all() and contacts.bundles_tx.tolist() == [47, 5, 40, 5, 0])
check("contact_history", contacts.hist_up_pair_before.tolist() == [0, 0, 0, 0, 1] and contacts.since_last_up_s.iloc[4] == 250)
check("dtn_time_beside_unix_time", ((hops.t_tx_start_ns // 1000000 - 946684800000) == hops.t_tx_start_dtn_ms).all())
