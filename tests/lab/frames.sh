# Frames over a lossy link: every counter agrees with every other, and with the capture.
. tests/lab/lib.bash

# What the talkers sent and received, and links.json, say the same.
counters() {
	/usr/bin/python3 - "$1" <<-'P'
	import json, sys
	run = sys.argv[1]
	links = json.load(open(run + "/links.json"))
	talk = {n: json.load(open(f"{run}/nodes/{n}/talk.json")) for n in ("left", "right")}
	assert links["balanced"] and links["kernel_frames"] == 0 and links["overrun_frames"] == 0, links
	for d in links["links"][0]["directions"]:
	    dropped = sum(d["dropped"].values())
	    assert d["frames_in"] + d["duplicated"] == d["frames_out"] + dropped + d["in_flight"], d
	    assert d["frames_in"] == talk[d["from"]]["sent"][0] > 100, (d, talk)
	    # Ours may have been told to stop before the last frames came.
	    assert 0 <= d["frames_out"] - talk[d["to"]]["received"][0] <= 2 and d["frames_out"] > 50, (d, talk)
	    assert d["dropped"]["loss"] > 5 and d["dropped"]["closed"] > 5 and d["duplicated"] > 2, d
	P
}
# And so does the capture, as tshark reads it.
capture() {
	tshark -n -r "$1"/frames.pcapng -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -e frame.time_epoch \
		-e frame.interface_name -e frame.packet_flags_direction -e frame.comment -e udp.checksum.status \
		-e ip.checksum.status -e data.data -e _ws.malformed -e ip.fragment -e arp >"$1"/fields 2>"$1"/tshark.err
	/usr/bin/python3 - "$1" <<-'P'
	import collections, json, sys
	run = sys.argv[1]
	links = json.load(open(run + "/links.json"))
	peer = {"left": "right", "right": "left"}
	late = links["late_max_real_ns"] / 1e9  # the machine's part: speed is 1
	out, n = {}, collections.Counter()
	for line in open(run + "/fields"):
	    t, where, way, comment, udp, ip, data, bad, fragment, arp = line.rstrip("\n").split("\t")
	    assert udp == "1" and ip == "1" and not (bad or fragment or arp), line[:200]
	    node, number = where.split(":")[1], int(data[2:10], 16)
	    if int(way, 0) & 3 == 2:
	        n[node, comment or "passed"] += 1
	        if not comment:
	            out[node, number] = float(t)
	        continue
	    n[node, "arrived"] += 1
	    delay = float(t) - out[peer[node], number]
	    assert 0.05 <= delay < 0.05 + 0.3 + late, (delay, late, node, number)
	for d in links["links"][0]["directions"]:
	    a, b = d["from"], d["to"]
	    for why, k in d["dropped"].items():
	        assert n[a, "drop: " + why] == k, (d, n)
	    assert n[b, "arrived"] == d["frames_out"], (d, n)
	    assert n[a, "passed"] == d["frames_out"] + d["in_flight"] - d["duplicated"], (d, n)
	P
}

body() {
	local run=$dir/run
	$as "$bin"/owlt lab run "$here"/lossy.json -o "$run" --daemon "$here"/talker.py >"$dir"/out 2>&1
	check "frames-$who-exit" test $? -eq 0
	cat "$dir"/out
	check "frames-$who-says-rights" grep -q "^rights: $([ $who = root ] && [ "$(id -u)" -eq 0 ] && echo root || echo 'user namespace')" "$dir"/out
	check "frames-$who-counters" counters "$run"
	if command -v tshark >/dev/null; then
		check "frames-$who-capture" capture "$run"
	else
		echo "skip frames-$who-capture: no tshark"
	fi
}
each_rights body
