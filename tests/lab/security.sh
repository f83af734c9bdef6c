# Earth signs and encrypts, a relay verifies, Mars accepts; Phobos has another key, and Eve sends replayed,
# tampered, unknown, conflicting and unsigned bundles: each ends in its reason, nothing of them is delivered.
# Then large data, cut to a small MTU on its way and checked in steps where it is whole again: delivered as it
# was; with another key, or with its last byte changed, not at all.
. tests/lab/lib.bash

marker="the quick brown fox jumps over the lazy dog in plain sight"

# What tshark reads of the security blocks: never malformed, and the payload is not readable.
wire() {
	tshark -n -r "$1"/frames.pcapng -T fields -e frame.protocols -e _ws.malformed -e bpsec.asb.ctxid \
		-e bpsec.asb.target -e ip.fragment >"$1"/fields 2>"$1"/tshark.err
	/usr/bin/python3 - "$1" "$marker" <<-'P'
	import sys
	contexts = set()
	for line in open(sys.argv[1] + "/fields"):
	    protocols, bad, context, target, fragment = line.rstrip("\n").split("\t")
	    assert not bad and not fragment and "bpv7" in protocols, line
	    contexts |= set(context.split(","))
	assert {"1", "2"} <= contexts, contexts
	assert sys.argv[2].encode() not in open(sys.argv[1] + "/frames.pcapng", "rb").read()
	P
}

# count RUN NODE EVENT [FIELD VALUE]: lines of a node's event log.
count() {
	/usr/bin/python3 - "$@" <<-'P'
	import json, sys
	run, node, ev, *rest = sys.argv[1:]
	n = 0
	for line in open(f"{run}/events/{node}.jsonl"):
	    d = json.loads(line)
	    n += d["ev"] == ev and (not rest or str(d.get(rest[0])) == rest[1])
	print(n)
	P
}
seen() { # seen RUN NODE EVENT FIELD VALUE: there is such a line, soon
	until_true 60 at_least_one "$@"
}
at_least_one() { [ "$(count "$@")" -ge 1 ]; }

# captured RUN OUT [INTERFACE]: the datagrams there, by default of the relay-mars link, one hex line each.
captured() {
	tshark -n -r "$1"/frames.pcapng -Y "frame.interface_name == \"${3:-relay-mars:relay}\"" -T fields -e udp.payload \
		2>/dev/null >"$2" && [ -s "$2" ]
}

# inject RUN LINK FILE [HOW]: Eve puts a bundle, or many (flood), on one of her links.
inject() {
	local ends; ends=$(/usr/bin/python3 - "$1" "$2" <<-'P'
	import json, sys
	links = json.load(open(sys.argv[1] + "/nodes/eve/owltd.json"))["links"]
	print(*next((l["local"], l["remote"]) for l in links if l["name"] == sys.argv[2]))
	P
	) || return 1
	# shellcheck disable=SC2086
	$as "$bin"/owlt lab exec "$1" eve /usr/bin/python3 "$work"/security.py "${4:-send}" $ends "$3"
}

body() {
	local t=security-$who run=$dir/run
	cp "$here"/security.py "$work"/ && chmod 644 "$work"/security.py
	{ echo "$marker"; head -c 1500 /dev/urandom; } >"$dir"/file
	chmod 644 "$dir"/file
	$as "$bin"/owlt lab up netns/labs/security.json -o "$run" --speed 1 >"$dir"/out 2>&1
	check $t-up test $? -eq 0
	[ -S "$run"/lab.sock ] || { cat "$dir"/out "$run"/lab.log "$run"/nodes/*/owltd.log; return; }

	mkdir -p "$dir"/got && chmod 777 "$dir"/got
	$as "$bin"/owlt lab exec "$run" mars owlt recv ipn:3.42 -n 1 -o "$dir"/got --timeout 200s >"$dir"/recv.out 2>&1 &
	local receiver=$!
	check $t-sent $as "$bin"/owlt lab exec "$run" earth owlt send ipn:3.42 "$dir"/file
	wait $receiver
	check $t-received test $? -eq 0
	check $t-same cmp -s "$dir"/file "$(find "$dir"/got -type f | head -1)"
	check $t-relay-verified seen "$run" relay security_checked why verified
	check $t-mars-accepted seen "$run" mars security_checked why accepted

	check $t-wrong-key-sent $as "$bin"/owlt lab exec "$run" earth owlt send ipn:4.42 "$dir"/file
	check $t-wrong-key seen "$run" phobos bundle_deleted reason security-failed

	# Eve's own node goes: its links are hers now.
	check $t-eve $as "$bin"/owlt lab kill "$run" eve
	mkdir -p "$dir"/made && chmod 777 "$dir"/made
	if ! command -v tshark >/dev/null; then
		echo "skip $t-bad: no tshark to read the capture"
	else
		until_true 60 captured "$run" "$dir"/hex
		check $t-made /usr/bin/python3 "$here"/security.py make "$dir"/hex "$dir"/made
		chmod 644 "$dir"/made/*
		inject "$run" eve-mars "$dir"/made/replayed.bundle
		check $t-replayed seen "$run" mars bundle_duplicate link eve-mars
		inject "$run" eve-mars "$dir"/made/tampered.bundle
		check $t-tampered seen "$run" mars bundle_deleted reason security-failed
		inject "$run" eve-mars "$dir"/made/missing.bundle
		check $t-missing seen "$run" mars bundle_deleted reason security-missing
		inject "$run" eve-mars "$dir"/made/unknown.bundle
		check $t-unknown seen "$run" mars bundle_deleted reason security-unknown
		inject "$run" eve-mars "$dir"/made/conflicting.bundle
		check $t-conflicting seen "$run" mars bundle_deleted reason security-conflicting
		inject "$run" eve-relay "$dir"/made/forged.bundle
		check $t-forged-at-relay seen "$run" relay bundle_deleted reason security-failed
		inject "$run" eve-relay "$dir"/made/missing.bundle
		check $t-missing-at-relay seen "$run" relay bundle_deleted reason security-missing
	fi
	check $t-one-delivered test "$(count "$run" mars bundle_delivered)" -eq 1
	check $t-none-at-phobos test "$(count "$run" phobos bundle_handed)" -eq 0
	check $t-down $as "$bin"/owlt lab down "$run"
	if command -v tshark >/dev/null; then
		check $t-wire wire "$run"
	else
		echo "skip $t-wire: no tshark"
	fi
}

# The lab with a small MTU, faster links, and room for large data at its source. Nothing is sent again here, and a user's
# socket holds some 180 of these datagrams: at 5 Mbit/s a node may sleep for 0.4 s before one is lost.
large_lab() {
	/usr/bin/python3 - "$1" <<-'P'
	import json, sys
	d = json.load(open("netns/labs/security.json"))
	d["traffic"] = []
	for l in d["links"]:
	    l["mtu"], l["rate"] = 1500, "5M"
	for c in d["plan"]["contacts"]:
	    c["rate"] = "5M"
	d["nodes"][0]["config"]["send"] = {"max_whole_bytes": "8Mi"}
	json.dump(d, open(sys.argv[1], "w"))
	P
}
# pieces RUN NODE N: so many bundles or more came in there.
pieces() { [ "$(count "$1" "$2" bundle_received)" -ge "$3" ]; }

large() {
	local t=security-large-$who run=$dir/large-run receiver
	head -c 2500000 /dev/urandom >"$dir"/large
	head -c 1000000 /dev/urandom >"$dir"/medium
	large_lab "$dir"/large.json
	chmod 644 "$dir"/large "$dir"/medium "$dir"/large.json
	$as "$bin"/owlt lab up "$dir"/large.json -o "$run" --speed 1 >"$dir"/out 2>&1
	check $t-up test $? -eq 0
	[ -S "$run"/lab.sock ] || { cat "$dir"/out "$run"/lab.log "$run"/nodes/*/owltd.log; return; }

	mkdir -p "$dir"/large-got && chmod 777 "$dir"/large-got
	$as "$bin"/owlt lab exec "$run" mars owlt recv ipn:3.42 -n 1 -o "$dir"/large-got --timeout 200s >"$dir"/recv.out 2>&1 &
	receiver=$!
	check $t-sent $as "$bin"/owlt lab exec "$run" earth owlt send ipn:3.42 "$dir"/large
	wait $receiver
	check $t-received test $? -eq 0
	check $t-same cmp -s "$dir"/large "$(find "$dir"/large-got -type f | head -1)"
	check $t-one-bundle test "$(count "$run" earth bundle_sourced)" -eq 1
	check $t-in-pieces pieces "$run" mars 1700
	check $t-accepted test "$(count "$run" mars security_checked why accepted)" -eq 4

	check $t-wrong-key-sent $as "$bin"/owlt lab exec "$run" earth owlt send ipn:4.42 "$dir"/medium
	check $t-wrong-key seen "$run" phobos bundle_deleted reason security-failed
	check $t-none-at-phobos test "$(count "$run" phobos bundle_handed)" -eq 0

	# What Earth sends now never comes to Mars: only what Eve makes of it does.
	if command -v tshark >/dev/null; then
		check $t-cut $as "$bin"/owlt lab cut "$run" relay-mars
		check $t-eve $as "$bin"/owlt lab kill "$run" eve
		check $t-tampered-sent $as "$bin"/owlt lab exec "$run" earth owlt send ipn:3.43 "$dir"/medium
		until_true 60 cut "$run" "$dir"
		check $t-made test -s "$dir"/cut
		inject "$run" eve-mars "$dir"/cut flood
		check $t-tampered seen "$run" mars bundle_deleted reason security-failed
	else
		echo "skip $t-tampered: no tshark to read the capture"
	fi
	check $t-one-delivered test "$(count "$run" mars bundle_delivered)" -eq 1
	check $t-down $as "$bin"/owlt lab down "$run"
}
# cut RUN DIR: the fragments that left Earth for the service, one changed, are in DIR/cut.
cut() {
	captured "$1" "$2"/large-hex earth-relay:earth &&
		/usr/bin/python3 "$here"/security.py cut "$2"/large-hex "$2"/cut 43 2>/dev/null && chmod 644 "$2"/cut
}
each_rights body
each_rights large
