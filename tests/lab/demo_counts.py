#!/usr/bin/python3
"""demo_counts.py RUN_DIR TSV: what tshark printed (interface, direction, source, time, number, comment of each
bundle) against the data set, the nodes' events and the emulator's links.json."""
import collections, csv, glob, json, sys

run = sys.argv[1]


def check(name, ok, why=""):
	print(("ok demo_" if ok else "not ok demo_") + name + ("" if ok else " " + str(why)))


topo = json.load(open(run + "/topology.json"))
node_id = {n["name"]: int(n["id"].split(":")[1].split(".")[0]) for n in topo["nodes"]}
name_of = {v: k for k, v in node_id.items()}
ends = {l["name"]: (l["a"], l["b"]) for l in topo["links"]}
link_of = {frozenset(v): k for k, v in ends.items()}

# the wire, as tshark reads it
sent, came, drops = collections.Counter(), collections.Counter(), collections.defaultdict(collections.Counter)
wire = collections.defaultdict(set)
for line in open(sys.argv[2]):
	iface, way, src, time, seq, comment = (line.rstrip("\n").split("\t") + [""])[:6]
	link, node = iface.rsplit(":", 1)
	if int(way, 0) == 2:
		sent[link, node] += 1
		wire[link, node].add((src, time, seq))
		if comment.startswith("drop: "):
			drops[link, node][comment[6:]] += 1
	else:
		a, b = ends[link]
		came[link, b if node == a else a] += 1

# the data set
rows, distinct = collections.Counter(), collections.defaultdict(set)
for r in csv.DictReader(open(run + "/dataset/hops.csv")):
	frm, to = name_of[int(r["node"])], name_of[int(r["next_node"])]
	key = link_of[frozenset((frm, to))], frm
	rows[key] += 1
	distinct[key].add(r["bundle_uid"])

# the nodes: their counters by life; of a life that a kill ended, the events instead
counted, told, killed = collections.Counter(), collections.defaultdict(set), set()
for path in glob.glob(run + "/events/*.jsonl"):
	node = path.split("/")[-1].split(".")[0]
	who, lives = {}, []
	for line in open(path):
		e = json.loads(line)
		if not lives:
			lives.append({"tx": collections.Counter(), "totals": {}, "stop": False})
		if e["ev"] == "bundle_seen":
			who[e["id"]] = (e["src_node"], e["src_service"], e["created_ms"], e["seq"])
		elif e["ev"] == "node_start" and e["boot"] > 1:
			lives.append({"tx": collections.Counter(), "totals": {}, "stop": False})
		elif e["ev"] == "bundle_forwarded":
			lives[-1]["tx"][e["link"]] += 1
			told[e["link"], node].add(who[e["id"]])
		elif e["ev"] == "link_totals":
			lives[-1]["totals"][e["link"]] = e["bundles_tx"]
		elif e["ev"] == "node_stop":
			lives[-1]["stop"] = True
	for life in lives:
		if not life["stop"]:
			killed.add(node)
		for link in ends:
			if node in ends[link]:
				counted[link, node] += life["totals"].get(link, 0) if life["stop"] else life["tx"][link]

for key in sorted(rows):
	name = "%s_from_%s" % key
	n = (len(wire[key]), len(distinct[key]), len(told[key]))
	check("distinct_bundles_tshark_dataset_nodes_" + name, n[0] == n[1] == n[2], n)
	n = (sent[key], rows[key], counted[key])
	check("transmissions_tshark_dataset_counters_" + name, n[0] == n[1] == n[2], n)

links = json.load(open(run + "/links.json"))
for link in links["links"]:
	for d in link["directions"]:
		key = link["name"], d["from"]
		name = "%s_from_%s" % key
		lost = sum(drops[key].values())
		check("sent_minus_dropped_is_received_" + name,
			sent[key] - lost + d["duplicated"] == came[key] + d["in_flight"], (sent[key], lost, came[key], d["in_flight"]))
		check("emulator_agrees_" + name, d["frames_in"] == sent[key] and d["frames_out"] == came[key] and
			sum(d["dropped"].values()) == lost and d["kernel_frames"] == 0, d)
		check("nothing_on_its_way_at_the_end_" + name, d["in_flight"] == 0, d["in_flight"])
check("a_node_was_killed", len(killed) == 1, killed)
check("balanced", links["balanced"] is True)
